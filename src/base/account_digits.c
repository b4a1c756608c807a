/* Digits only, of ASCII, and all of them: a sign or a blank would make two names of one account. */
#include "base/account_digits.h"

#include <assert.h>

bool account_parse(struct bytes digits, uint64_t *number)
{
    uint64_t sum = 0;

    if (digits.size != ACCOUNT_DIGITS)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *number = sum;
    return true;
}

bool account_is_digits(struct bytes text)
{
    uint64_t ignored;

    return account_parse(text, &ignored);
}

void account_print(uint64_t number, char digits[ACCOUNT_DIGITS + 1])
{
    for (int i = ACCOUNT_DIGITS - 1; i >= 0; i--, number /= 10)
        digits[i] = (char)('0' + number % 10);
    digits[ACCOUNT_DIGITS] = '\0';
    assert(!number);
}

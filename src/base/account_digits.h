/* base/account_digits.h: how an account is written, in AWS's names and by drivers' users: 12 digits, which are a number.
 *
 * Errors:  none: what is no account is said so, as it may come from anybody.
 * Thread:  pure.
 */
#ifndef BASE_ACCOUNT_DIGITS_H
#define BASE_ACCOUNT_DIGITS_H

#include "base/bytes.h"

enum { ACCOUNT_DIGITS = 12 };

/* False: these are not an account's digits, and *number is as it was. */
bool account_parse(struct bytes digits, uint64_t *number);
bool account_is_digits(struct bytes text);
/* With its zeros in front, as it was parsed. number: below 10^12. */
void account_print(uint64_t number, char digits[ACCOUNT_DIGITS + 1]);

#endif

/* What a connection keeps of who it is. It asks nothing of what is in force, so that tests of connections
 * need no roles. */
#include "auth/state.h"

#include "base/account_digits.h"

#include <assert.h>
#include <stdlib.h>

/* A name that only looks like one of an account is a name as any other. */
struct bytes auth_split_user(struct bytes user, struct bytes *digits)
{
    static const char middle[] = "-at-";
    size_t behind = ACCOUNT_DIGITS, before = sizeof(middle) - 1 + behind;

    *digits = bytes_of(NULL, 0);
    if (user.size <= before || memcmp(user.data + user.size - before, middle, sizeof(middle) - 1) != 0)
        return user;
    *digits = bytes_of(user.data + user.size - behind, behind);
    if (!account_is_digits(*digits)) {
        *digits = bytes_of(NULL, 0);
        return user;
    }
    return bytes_of(user.data, user.size - before);
}

struct auth_login *auth_login_new(struct auth_account *account, struct bytes role, struct bytes address)
{
    struct auth_login *login = xcalloc(1, sizeof(*login));

    assert(role.size && address.size <= sizeof(login->address));
    login->epoch = &account->auth->epoch;
    login->account = account;
    login->role = bytes_of(xstrndup(role.data, role.size), role.size);
    memcpy(login->address, address.data, address.size);
    login->address_bytes = (uint8_t)address.size;
    return login;
}

/* NULL: a connection that has not said who it is. */
void auth_login_free(struct auth_login *login)
{
    if (!login)
        return;
    free((void *)login->role.data);
    free(login);
}

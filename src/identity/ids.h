/* identity/ids.h: ids, secrets and names as AWS makes them.
 *
 *     AIDA AGPA AROA ANPA ACCA + 17 of base32      a user, a group, a role, a policy, a credential of a service
 *     AKIA ASIA + 16 of base32                     an access key. The 80 bits: 1 | the account's number (40) | random (39), which is where
 *                                                  tools look for whose a key is, as AWS's own keys have it
 *     40 characters of base64                      its secret: 30 random bytes
 *     44 characters of base64                      a service's password: 32 random bytes
 *
 * Thread:  any.
 */
#ifndef IDENTITY_IDS_H
#define IDENTITY_IDS_H

#include "base/account_digits.h"
#include "identity/identity.h"

enum { IDS_BYTES = 21, IDS_KEY_BYTES = 20, IDS_SECRET_BYTES = 40, IDS_PASSWORD_BYTES = 44 };

/* Without an end. */
void ids_make(enum identity_kind kind, char id[IDS_BYTES]);
/* prefix: "AKIA", "ASIA". */
void ids_make_key(const char *prefix, struct bytes account, char key[IDS_KEY_BYTES]);
/* False: it is no key that was made so. */
bool ids_account_of_key(struct bytes key, char account[ACCOUNT_DIGITS + 1]);
void ids_make_secret(char secret[IDS_SECRET_BYTES]);
void ids_make_password(char password[IDS_PASSWORD_BYTES]);

#endif

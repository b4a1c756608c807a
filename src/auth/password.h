/* auth/password.h: passwords as bcrypt, as Cassandra keeps them: $2a$10$ and 53 characters.
 *
 * A check takes about 60 ms of a processor at cost 10, whatever it is given: never on a loop.
 *
 * Errors:  password_hash: ERR_SERVER, if libcrypt cannot.
 * Thread:  any.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

enum {
    PASSWORD_HASH_BYTES = 60,
    PASSWORD_COST = 10,
    PASSWORD_COST_MAX = 14,        /* of a hash that a client brings: about a second */
    PASSWORD_BYTES_MAX = 1024,     /* bcrypt looks at the first 72 */
    PASSWORD_GENERATED_BYTES = 24, /* characters: 24 of 56 are 139 bits */
};

enum status password_hash(struct bytes password, char hash[PASSWORD_HASH_BYTES + 1], struct error *err);
/* hash NULL data: there is none, which takes as long and is never right. */
bool password_check(struct bytes password, struct bytes hash);
/* Is it one that password_check understands? */
bool password_is_hash(struct bytes hash);
void password_generate(char password[PASSWORD_GENERATED_BYTES + 1]);

#endif

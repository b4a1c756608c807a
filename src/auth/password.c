/* bcrypt by libcrypt. Hashes are told as $2a$, which is what Cassandra writes and reads; they are computed as $2y$, which is the same but
 * for a precaution of libcrypt's: with $2a$ it changes some hashes of bytes from 0x80 on, to be unlike those that an old fault of others
 * made.
 *
 * What is secret is wiped where it was copied to: on the stack, and in libcrypt's memory. A check takes the
 * same steps for any role and any password, and compares in constant time; only its result differs. */
#include "auth/password.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a password that nobody has: what is compared with where there is no hash, so that it takes as
 * long to hear that a role is not there as that a password is wrong. Its cost is that of our own
 * hashes. */
static const char no_hash[] = "$2a$10$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static_assert(sizeof(no_hash) - 1 == PASSWORD_HASH_BYTES, "as long as a hash");

enum { SEEN_BYTES = 72 };

/* Of the alphabet in which bcrypt writes salts and hashes. */
static bool is_of_bcrypt(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
}

/* What a client brings as a hash will be computed at each login: so its cost has a limit. */
bool password_is_hash(struct bytes hash)
{
    if (hash.size != PASSWORD_HASH_BYTES || memcmp(hash.data, "$2a$", 4) != 0 || hash.data[6] != '$' ||
        hash.data[4] < '0' || hash.data[4] > '9' || hash.data[5] < '0' || hash.data[5] > '9')
        return false;
    int cost = (hash.data[4] - '0') * 10 + hash.data[5] - '0';

    for (size_t i = 7; i < hash.size; i++)
        if (!is_of_bcrypt(hash.data[i]))
            return false;
    return cost >= 4 && cost <= PASSWORD_COST_MAX;
}

/* With the salt and the cost of `setting`. The memory that libcrypt works in is large, and has what
 * is secret. */
static bool compute(struct bytes password, const char *setting, char hash[PASSWORD_HASH_BYTES + 1])
{
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    char text[SEEN_BYTES + 1], salted[PASSWORD_HASH_BYTES + 1];
    const char *result;

    /* All that bcrypt looks at; libcrypt refuses more than 511 bytes. */
    if (password.size > SEEN_BYTES)
        password.size = SEEN_BYTES;
    memcpy(text, password.data, password.size);
    text[password.size] = '\0';
    snprintf(salted, sizeof(salted), "%s", setting);
    salted[2] = 'y';
    result = crypt_r(text, salted, data);
    bool is_right = result && strlen(result) == PASSWORD_HASH_BYTES;

    if (is_right) {
        memcpy(hash, result, PASSWORD_HASH_BYTES + 1);
        hash[2] = 'a';
    }
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return is_right;
}

/* With a salt of its own, so that two roles with the same password have different hashes. */
enum status password_hash(struct bytes password, char hash[PASSWORD_HASH_BYTES + 1], struct error *err)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    uint8_t salt[16];

    random_bytes(salt, sizeof(salt));
    if (!crypt_gensalt_rn("$2a$", PASSWORD_COST, (const char *)salt, sizeof(salt), setting, sizeof(setting)) ||
        !compute(password, setting, hash))
        return error_set(err, ERR_SERVER, "The password can't be hashed");
    return OK;
}

/* The same work for a role that is not there, for one without a password, and for a hash that is
 * none. */
bool password_check(struct bytes password, struct bytes hash)
{
    bool is_hash = !bytes_is_null(hash) && password_is_hash(hash), is_long = password.size > PASSWORD_BYTES_MAX;
    char setting[PASSWORD_HASH_BYTES + 1], computed[PASSWORD_HASH_BYTES + 1];

    memcpy(setting, is_hash ? hash.data : (const uint8_t *)no_hash, PASSWORD_HASH_BYTES);
    setting[PASSWORD_HASH_BYTES] = '\0';
    bool is_computed = compute(password, setting, computed);
    bool is_same = is_computed && CRYPTO_memcmp(computed, setting, PASSWORD_HASH_BYTES) == 0;

    OPENSSL_cleanse(computed, sizeof(computed));
    return is_hash && !is_long && is_same;
}

/* Bytes that would make some letters likelier than others are thrown away. No characters that look
 * alike, none that a shell would read. */
void password_generate(char password[PASSWORD_GENERATED_BYTES + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    size_t count = sizeof(letters) - 1;

    for (size_t i = 0; i < PASSWORD_GENERATED_BYTES;) {
        uint8_t byte;

        random_bytes(&byte, 1);
        if (byte < 256 - 256 % count)
            password[i++] = letters[byte % count];
    }
    password[PASSWORD_GENERATED_BYTES] = '\0';
}

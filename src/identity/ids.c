/* Random bits in base32 (RFC 4648) behind four letters that say of what.
 *
 * A key's account is in its bits, so that a request finds the account of its key without a list of all keys. It is no secret: AWS's keys
 * have it in the same place. */
#include "identity/ids.h"

#include "keys/keys.h"
#include "wire/aws/base64.h"

#include <assert.h>

enum { PREFIX_BYTES = 4 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* 5 bits of each byte count. */
static void put_random(char *to, size_t size)
{
    uint8_t raw[IDS_BYTES];

    assert(size <= sizeof(raw));
    keys_random(raw, size);
    for (size_t i = 0; i < size; i++)
        to[i] = alphabet[raw[i] & 31];
}

/* AWS's, by which tools tell what an id is of. */
static const char *prefix_of(enum identity_kind kind)
{
    switch (kind) { /* no default: the compiler names the kind that was forgotten */
    case IDENTITY_USER: return "AIDA";
    case IDENTITY_GROUP: return "AGPA";
    case IDENTITY_ROLE: return "AROA";
    case IDENTITY_POLICY: return "ANPA";
    case IDENTITY_CREDENTIAL: return "ACCA";
    case IDENTITY_ACCESS_KEY:
    case IDENTITY_POLICY_VERSION:
    case IDENTITY_INLINE:
    case IDENTITY_ATTACHMENT:
    case IDENTITY_BOUNDARY:
    case IDENTITY_MEMBERSHIP: break;
    }
    assert(!"a kind that has no id of its own, or another way to it");
    return "";
}

/* 85 random bits: no two will meet. */
void ids_make(enum identity_kind kind, char id[IDS_BYTES])
{
    memcpy(id, prefix_of(kind), PREFIX_BYTES);
    put_random(id + PREFIX_BYTES, IDS_BYTES - PREFIX_BYTES);
}

/* 16 times 5 bits, from the top. */
void ids_make_key(const char *prefix, struct bytes account, char key[IDS_KEY_BYTES])
{
    unsigned __int128 bits = 0;
    uint64_t number = 0, random;
    bool is_account = account_parse(account, &number);

    assert(strlen(prefix) == PREFIX_BYTES && is_account && number < UINT64_C(1) << 40);
    keys_random(&random, sizeof(random));
    bits = (unsigned __int128)(UINT64_C(1) << 40 | number) << 39 | (random & ((UINT64_C(1) << 39) - 1));
    memcpy(key, prefix, PREFIX_BYTES);
    for (int i = IDS_KEY_BYTES - 1; i >= PREFIX_BYTES; i--, bits >>= 5)
        key[i] = alphabet[(size_t)(bits & 31)];
    assert(!bits);
}

/* Whatever a client sends: what was not made here is told apart as far as its form can tell. */
bool ids_account_of_key(struct bytes key, char account[ACCOUNT_DIGITS + 1])
{
    unsigned __int128 bits = 0;
    uint64_t number;

    if (key.size != IDS_KEY_BYTES)
        return false;
    for (size_t i = PREFIX_BYTES; i < IDS_KEY_BYTES; i++) {
        const char *at = key.data[i] ? strchr(alphabet, key.data[i]) : NULL;

        if (!at)
            return false;
        bits = bits << 5 | (unsigned)(at - alphabet);
    }
    /* The bit above is set in every key, which tells ours from a word that looks like one. */
    number = (uint64_t)(bits >> 39) & ((UINT64_C(1) << 40) - 1);
    if (!(bits >> 79) || number >= UINT64_C(1000000000000))
        return false;
    account_print(number, account);
    return true;
}

/* The raw bytes are the secret as well, and are wiped. */
static void make_base64(char *to, size_t size, size_t raw_size)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    uint8_t raw[32];

    assert(raw_size <= sizeof(raw));
    keys_random(raw, raw_size);
    base64_encode(&text, bytes_of(raw, raw_size));
    assert(text.size == size);
    memcpy(to, text.data, size);
    keys_wipe(raw, sizeof(raw));
    keys_wipe(text.data, text.size);
}

/* 30 bytes give 40 characters without an end, as AWS's have. */
void ids_make_secret(char secret[IDS_SECRET_BYTES])
{
    make_base64(secret, IDS_SECRET_BYTES, 30);
}

/* 32 bytes: nobody tries them all, however fast a MAC is. */
void ids_make_password(char password[IDS_PASSWORD_BYTES])
{
    make_base64(password, IDS_PASSWORD_BYTES, 32);
}

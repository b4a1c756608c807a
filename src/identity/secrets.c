/* Two kinds of secret. Of an access key the server needs the secret itself, to compute a signature, so it is sealed; of a password it
 * needs to know only whether it is right, so the password is nowhere.
 *
 * What is authenticated stands with sizes before its parts, so that no two owners are the same bytes. */
#include "identity/secrets.h"

#include <assert.h>

enum { PASSWORD_BYTES_MAX = 1024 };

/* A size, then the text. */
static void put(struct buffer *out, struct bytes text)
{
    buffer_append_be64(out, text.size);
    buffer_append_bytes(out, text);
}

/* Whose it is. */
static void print_owner(struct buffer *out, struct bytes account, const struct identity_parts *parts)
{
    assert(parts->at.kind == IDENTITY_ACCESS_KEY && parts->id.size);
    put(out, BYTES_LITERAL("access key"));
    put(out, account);
    put(out, parts->at.scope);
    put(out, parts->id);
}

/* What is sealed for one key opens for no other, though a row be copied by who can write to the disk. */
enum status secrets_seal(const struct keys *keys, struct bytes account, struct identity_parts *parts,
                         struct bytes secret, struct arena *arena, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer owner = { 0 }, sealed = { 0 };
    enum status status;

    print_owner(&owner, account, parts);
    status = keys_seal(keys, KEYS_SECRETS, secret, buffer_bytes(&owner), &sealed, err);
    if (!status)
        parts->secret = arena_copy(arena, buffer_bytes(&sealed));
    return status;
}

/* An account, a user or an id that is another makes the tag a wrong one. */
enum status secrets_open(const struct keys *keys, struct bytes account, const struct identity *key,
                         struct buffer *secret, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer owner = { 0 };

    print_owner(&owner, account, &key->is);
    return keys_unseal(keys, KEYS_SECRETS, key->is.secret, buffer_bytes(&owner), secret, err);
}

/* The words before it keep a MAC of this kind apart from those of any other. */
void secrets_mac(const struct keys *keys, struct bytes credential_id, struct bytes password,
                 uint8_t mac[KEYS_MAC_BYTES])
{
    CLEANUP(buffer_fini) struct buffer all = { 0 };

    assert(password.size <= PASSWORD_BYTES_MAX);
    put(&all, BYTES_LITERAL("password"));
    put(&all, credential_id);
    put(&all, password);
    keys_mac(keys, KEYS_SECRETS, buffer_bytes(&all), mac);
    keys_wipe(all.data, all.size);
}

/* A client may send anything: what is too long is none. */
bool secrets_is_password(const struct keys *keys, const struct identity *credential, struct bytes password)
{
    uint8_t mac[KEYS_MAC_BYTES];

    assert(credential->is.at.kind == IDENTITY_CREDENTIAL);
    if (password.size > PASSWORD_BYTES_MAX || credential->is.secret.size != KEYS_MAC_BYTES)
        return false;
    secrets_mac(keys, credential->is.id, password, mac);
    return keys_mac_equal(mac, credential->is.secret.data);
}

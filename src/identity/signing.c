/* Computing one takes some twenty microseconds, most of it for opening the secret; a program signs thousands of requests with the same.
 *
 * A place for each hash: what meets there takes turns. The name of what is kept is kept whole, beside it: a hash alone would let two meet. */
#include "identity/signing.h"

#include "base/hash.h"
#include "identity/secrets.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 4 * (SIGV4_NAME_MAX + 8) };

struct place {
    uint8_t key[SIGV4_KEY_BYTES];
    uint16_t size; /* of the name; 0: empty */
    uint8_t name[NAME_BYTES_MAX];
};

struct signing {
    const struct keys *keys;
    struct hash_key hash;
    pthread_mutex_t lock; /* guards the places */
    struct place places[SIGNING_PLACES];
};

/* The hash has a key of its own, so that nobody can make others' names meet. */
struct signing *signing_new(const struct keys *keys)
{
    struct signing *signing = xcalloc(1, sizeof(*signing));

    signing->keys = keys;
    hash_key_random(&signing->hash);
    pthread_mutex_init(&signing->lock, NULL);
    return signing;
}

/* What was kept is as good as the secrets, for a day. */
void signing_free(struct signing *signing)
{
    if (!signing)
        return;
    pthread_mutex_destroy(&signing->lock);
    keys_wipe(signing, sizeof(*signing));
    free(signing);
}

/* Sizes keep the parts apart. */
static void print_name(struct buffer *out, struct bytes access_key, const struct sigv4 *signed_by)
{
    const struct bytes parts[] = { access_key, signed_by->date, signed_by->region, signed_by->service };

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        buffer_append_be32(out, (uint32_t)parts[i].size);
        buffer_append_bytes(out, parts[i]);
    }
    /* sigv4_parse bounds them. */
    assert(out->size <= NAME_BYTES_MAX);
}

/* A copy, so that nobody reads it while another takes its place. */
static bool find(struct signing *signing, const struct place *place, struct bytes name, uint8_t key[SIGV4_KEY_BYTES])
{
    bool found;

    pthread_mutex_lock(&signing->lock);
    found = bytes_equal(bytes_of(place->name, place->size), name);
    if (found)
        memcpy(key, place->key, SIGV4_KEY_BYTES);
    pthread_mutex_unlock(&signing->lock);
    return found;
}

/* Whoever was there is computed again when it is asked for. */
static void keep(struct signing *signing, struct place *place, struct bytes name, const uint8_t key[SIGV4_KEY_BYTES])
{
    pthread_mutex_lock(&signing->lock);
    place->size = (uint16_t)name.size;
    memcpy(place->name, name.data, name.size);
    memcpy(place->key, key, SIGV4_KEY_BYTES);
    pthread_mutex_unlock(&signing->lock);
}

/* Outside of the lock it is computed: two that do so at once get the same. */
enum status signing_key(struct signing *signing, struct bytes account, const struct identity *access_key,
                        const struct sigv4 *signed_by, uint8_t key[SIGV4_KEY_BYTES], struct error *err)
{
    CLEANUP(buffer_fini) struct buffer name = { 0 }, secret = { 0 };
    struct place *place;
    enum status status;

    print_name(&name, access_key->is.id, signed_by);
    place = &signing->places[hash_keyed(&signing->hash, buffer_bytes(&name)) % SIGNING_PLACES];
    /* Mostly it is there. */
    if (find(signing, place, buffer_bytes(&name), key))
        return OK;
    status = secrets_open(signing->keys, account, access_key, &secret, err);
    if (status)
        return status;
    sigv4_key(buffer_bytes(&secret), signed_by->date, signed_by->region, signed_by->service, key);
    keys_wipe(secret.data, secret.size);
    keep(signing, place, buffer_bytes(&name), key);
    return OK;
}

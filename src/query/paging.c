/* Paging states as bytes; the layout is drawn in paging.h. The MAC keeps clients from making
 * up states: a state says where in a table to read, and a made-up one could name any place.
 * It is made with a key of keys/ where there is one, so that a state outlives a restart of
 * the server. */
#include "query/paging.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <assert.h>
#include <stdlib.h>

enum { VERSION = 2, FLAG_PARTITION = 1, FLAG_CLUSTERING = 2, FLAG_BYTES = 4, FIXED_BYTES = 18 };

/* The MAC covers the state and the table, so a state of one table is no state of another. It
 * is cut to 16 bytes, which makes states shorter and is still beyond guessing. */
static void make_mac(const struct paging_scope *scope, struct bytes content, uint8_t mac[PAGING_MAC_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buffer all = { 0 };

    buffer_append_bytes(&all, content);
    buffer_append_bytes(&all, scope->table);
    if (scope->keys) {
        static_assert((int)KEYS_MAC_BYTES >= (int)PAGING_MAC_BYTES && (int)KEYS_MAC_BYTES <= EVP_MAX_MD_SIZE,
                      "a MAC is cut, never padded");
        keys_mac(scope->keys, KEYS_PAGING, buffer_bytes(&all), digest);
    } else if (!HMAC(EVP_sha256(), scope->key.data, (int)scope->key.size, all.data, all.size, digest, &size))
        abort();
    buffer_fini(&all);
    memcpy(mac, digest, PAGING_MAC_BYTES);
}

/* The flags tell a null key or clustering from an empty one; their sizes are written in any
 * case. */
struct bytes paging_encode(struct arena *arena, const struct paging_scope *scope, const struct paging_state *state)
{
    struct buffer out = { 0 };
    bool has_partition = !bytes_is_null(state->partition_key), has_clustering = !bytes_is_null(state->clustering);

    buffer_append_u8(&out, VERSION);
    buffer_append_u8(&out, (uint8_t)((has_partition ? FLAG_PARTITION : 0) | (has_clustering ? FLAG_CLUSTERING : 0) |
                                     (state->full_of_bytes ? FLAG_BYTES : 0)));
    buffer_append_be32(&out, state->remaining);
    buffer_append_be32(&out, state->left_in_partition);
    buffer_append_be32(&out, has_partition ? (uint32_t)state->partition_key.size : 0);
    if (has_partition)
        buffer_append_bytes(&out, state->partition_key);
    buffer_append_be32(&out, has_clustering ? (uint32_t)state->clustering.size : 0);
    if (has_clustering)
        buffer_append_bytes(&out, state->clustering);

    uint8_t mac[PAGING_MAC_BYTES];
    make_mac(scope, buffer_bytes(&out), mac);
    buffer_append(&out, mac, sizeof(mac));
    struct bytes result = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return result;
}

enum status paging_refuse(struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "Invalid value for the paging state");
}

/* Has it the form of a SELECT's state? Lengths are checked before anything is read behind
 * them. */
static bool is_of_select(struct bytes bytes)
{
    if (bytes.size < FIXED_BYTES + PAGING_MAC_BYTES || bytes.size > PAGING_STATE_BYTES_MAX || bytes.data[0] != VERSION)
        return false;
    size_t room = bytes.size - FIXED_BYTES - PAGING_MAC_BYTES;
    uint32_t key_size = load_be32(bytes.data + 10);
    return key_size <= room && load_be32(bytes.data + 14 + key_size) == room - key_size;
}

bool paging_has_form(struct bytes bytes)
{
    return bytes.size == 0 || bytes.size == PAGING_DESCRIBE_BYTES || is_of_select(bytes);
}

/* Decodes a state that a client brought. The MAC is compared in constant time, and before
 * anything of the content is used. */
enum status paging_decode(struct bytes bytes, const struct paging_scope *scope, struct paging_state *state,
                          struct error *err)
{
    uint8_t mac[PAGING_MAC_BYTES];

    if (!is_of_select(bytes))
        return paging_refuse(err);
    struct bytes content = { bytes.data, bytes.size - PAGING_MAC_BYTES };
    make_mac(scope, content, mac);
    if (CRYPTO_memcmp(mac, bytes.data + content.size, sizeof(mac)) != 0)
        return paging_refuse(err);

    uint8_t flags = content.data[1];
    uint32_t key_size = load_be32(content.data + 10);
    const uint8_t *at = content.data + 14 + key_size;
    uint32_t clustering_size = load_be32(at);
    assert(FIXED_BYTES + (size_t)key_size + clustering_size == content.size);
    *state = (struct paging_state){
        .partition_key = flags & FLAG_PARTITION ? bytes_of(content.data + 14, key_size) : bytes_of(NULL, 0),
        .clustering = flags & FLAG_CLUSTERING ? bytes_of(at + 4, clustering_size) : bytes_of(NULL, 0),
        .remaining = load_be32(content.data + 2),
        .left_in_partition = load_be32(content.data + 6),
        .full_of_bytes = flags & FLAG_BYTES,
    };
    return OK;
}

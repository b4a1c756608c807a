/* Paging states; the layout is drawn in paging.h. */
#include "query/paging.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <assert.h>
#include <stdlib.h>

enum { VERSION = 1, FLAG_PARTITION_DONE = 1, FLAG_STATIC_DONE = 2, FLAG_CLUSTERING = 4, FIXED_BYTES = 18 };

static void make_mac(const struct paging_scope *scope, struct bytes content, uint8_t mac[PAGING_MAC_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct buffer all = { 0 };

    buffer_append_bytes(&all, content);
    buffer_append_bytes(&all, scope->statement_text);
    buffer_append_be64(&all, scope->table_id);
    if (scope->keys) {
        static_assert((int)KEYS_MAC_BYTES >= (int)PAGING_MAC_BYTES && (int)KEYS_MAC_BYTES <= EVP_MAX_MD_SIZE,
                      "a MAC is cut, never padded");
        keys_mac(scope->keys, KEYS_PAGING, buffer_bytes(&all), digest);
    } else if (!HMAC(EVP_sha256(), scope->key.data, (int)scope->key.size, all.data, all.size, digest, &size))
        abort();
    buffer_fini(&all);
    memcpy(mac, digest, PAGING_MAC_BYTES);
}

struct bytes paging_encode(struct arena *arena, const struct paging_scope *scope, const struct paging_state *state)
{
    struct buffer out = { 0 };
    bool has_clustering = !bytes_is_null(state->clustering);

    buffer_append_u8(&out, VERSION);
    buffer_append_u8(&out,
                     (uint8_t)((state->partition_done ? FLAG_PARTITION_DONE : 0) |
                               (state->static_done ? FLAG_STATIC_DONE : 0) | (has_clustering ? FLAG_CLUSTERING : 0)));
    buffer_append_be32(&out, state->remaining);
    buffer_append_be32(&out, state->given_in_partition);
    buffer_append_be32(&out, (uint32_t)state->partition_key.size);
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

static enum status invalid(struct error *err)
{
    return error_set(err, ERR_INVALID, "Invalid value for the paging state");
}

enum status paging_decode(struct bytes bytes, const struct paging_scope *scope, struct paging_state *state,
                          struct error *err)
{
    uint8_t mac[PAGING_MAC_BYTES];

    if (bytes.size < FIXED_BYTES + PAGING_MAC_BYTES || bytes.size > PAGING_STATE_BYTES_MAX || bytes.data[0] != VERSION)
        return invalid(err);
    struct bytes content = { bytes.data, bytes.size - PAGING_MAC_BYTES };
    make_mac(scope, content, mac);
    if (CRYPTO_memcmp(mac, bytes.data + content.size, sizeof(mac)) != 0)
        return invalid(err);

    uint8_t flags = content.data[1];
    uint32_t key_size = load_be32(content.data + 10);
    if (key_size > content.size - FIXED_BYTES)
        return invalid(err);
    const uint8_t *at = content.data + 14 + key_size;
    uint32_t clustering_size = load_be32(at);
    if (clustering_size != content.size - FIXED_BYTES - key_size)
        return invalid(err);
    *state = (struct paging_state){
        .partition_key = { content.data + 14, key_size },
        .clustering = flags & FLAG_CLUSTERING ? bytes_of(at + 4, clustering_size) : bytes_of(NULL, 0),
        .partition_done = flags & FLAG_PARTITION_DONE,
        .static_done = flags & FLAG_STATIC_DONE,
        .remaining = load_be32(content.data + 2),
        .given_in_partition = load_be32(content.data + 6),
    };
    return OK;
}

/* base/hash.h: hashes of bytes.
 *
 * hash_keyed is SipHash-2-4: for tables whose keys a client chooses, with a key from random_bytes.
 * hash_seeded is quick, for tables that only become slower when keys collide.
 * hash_md5 is for ids that drivers see (prepared statements, schema versions), never for safety.
 *
 * Thread:  pure.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

#include <assert.h>

struct hash_key {
    uint64_t k0, k1;
};

void hash_key_random(struct hash_key *key);
uint64_t hash_keyed(const struct hash_key *key, struct bytes bytes);
static inline uint64_t hash_seeded(uint64_t seed, struct bytes bytes)
{
    uint64_t hash = seed ^ bytes.size * UINT64_C(0x9e3779b97f4a7c15), word;

    assert(bytes.data || !bytes.size);
    for (; bytes.size >= 8; bytes = bytes_of(bytes.data + 8, bytes.size - 8)) {
        memcpy(&word, bytes.data, 8);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    for (word = 0; bytes.size; bytes = bytes_of(bytes.data + 1, bytes.size - 1))
        word = word << 8 | *bytes.data;
    hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 29;
}
/* MD5 of the parts one after another. */
void hash_md5(const struct bytes *parts, size_t count, uint8_t digest[16]);

#endif

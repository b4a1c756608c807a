/* base/hash.h: hashes of bytes.
 *
 * hash_keyed is SipHash-2-4: for tables whose keys a client chooses, with a key from random_bytes.
 * hash_md5 is for ids that drivers see (prepared statements, schema versions), never for safety.
 *
 * Thread:  pure.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

struct hash_key {
    uint64_t k0, k1;
};

void hash_key_random(struct hash_key *key);
uint64_t hash_keyed(const struct hash_key *key, struct bytes bytes);
/* MD5 of the parts one after another. */
void hash_md5(const struct bytes *parts, size_t count, uint8_t digest[16]);

#endif

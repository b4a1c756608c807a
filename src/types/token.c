/* Murmur3 as Cassandra computes it: MurmurHash3_x64_128 with seed 0, of which the first half is the token. Cassandra
 * reads the bytes of the last, partial block as signed and xors them in sign-extended; drivers do the same, so it
 * is the format. */
#include "types/value.h"

#include <assert.h>

static inline uint64_t fmix(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdULL;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53ULL;
    return k ^ (k >> 33);
}

static const uint64_t c1 = 0x87c37b91114253d5ULL;
static const uint64_t c2 = 0x4cf5ad432745937fULL;

/* Up to 8 bytes of the tail, each sign-extended before it is shifted into place. Java has no
 * unsigned bytes, and the first version of this took none for it; by now tokens are on all disks. */
static inline uint64_t load_tail(const uint8_t *from, size_t size)
{
    uint64_t k = 0;

    assert(size > 0 && size <= 8);
    for (size_t i = size; i-- > 0;)
        k ^= (uint64_t)(int64_t)(int8_t)from[i] << (8 * i);
    return k;
}

/* The body is MurmurHash3's, 16 bytes at a step; it is read in the order of a small-endian machine
 * whatever ours is. */
int64_t token_of_partition_key(struct bytes serialized)
{
    const uint8_t *at = serialized.data;
    size_t size = serialized.size;
    uint64_t h1 = 0, h2 = 0;

    if (size == 0)
        return INT64_MIN; /* the partitioner's minimum token, the only key that has it */

    for (; size >= 16; size -= 16, at += 16) {
        h1 ^= rotate_left(load_le64(at) * c1, 31) * c2;
        h1 = (rotate_left(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotate_left(load_le64(at + 8) * c2, 33) * c1;
        h2 = (rotate_left(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    if (size > 8)
        h2 ^= rotate_left(load_tail(at + 8, size - 8) * c2, 33) * c1;
    if (size > 0)
        h1 ^= rotate_left(load_tail(at, size < 8 ? size : 8) * c1, 31) * c2;

    /* h2 is finished as well, as it goes into h1; its own value is not part of a token. */
    h1 ^= serialized.size;
    h2 ^= serialized.size;
    h1 += h2;
    h2 += h1;
    h1 = fmix(h1);
    h2 = fmix(h2);
    h1 += h2;
    /* Long.MIN_VALUE is the minimum token, which no other key may have. */
    return (int64_t)h1 == INT64_MIN ? INT64_MAX : (int64_t)h1;
}

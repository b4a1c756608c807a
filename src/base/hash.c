/* Three hashes for three purposes: SipHash-2-4 for tables whose keys a client chooses, MD5 for ids
 * that Cassandra computes that way and drivers compare; the quick one, for everything else, is
 * inline in the header. */
#include "base/hash.h"

#include "base/random.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* A fresh key for each table: who does not know it cannot choose keys that collide, and so cannot
 * make a lookup linear. */
void hash_key_random(struct hash_key *key)
{
    random_bytes(key, sizeof(*key));
}

/* SipHash-2-4 as its authors give it (Aumasson and Bernstein, 2012): two rounds for each word, four
 * at the end. The constants spell "somepseudorandomlygeneratedbytes". hash_test.c holds it to their
 * vectors. */
struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_keyed(const struct hash_key *key, struct bytes bytes)
{
    struct sip s = { key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                     key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573) };
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    /* The last word holds what is left, and in its top byte the length: keys that differ only in
     * zeros at their end differ here. */
    uint64_t last = (uint64_t)bytes.size << 56;

    assert(bytes.data || !bytes.size);
    for (; left >= 8; at += 8, left -= 8)
        sip_word(&s, load_le64(at));
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << (8 * i);
    sip_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Aborts where OpenSSL has no MD5: ids of prepared statements would not be Cassandra's, and no
 * driver could be served. */
void hash_md5(const struct bytes *parts, size_t count, uint8_t digest[16])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_md5(), NULL);

    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, parts[i].data, parts[i].size);
    if (!good || !EVP_DigestFinal_ex(context, digest, NULL))
        abort(); /* out of memory, or an OpenSSL without MD5, which cannot serve drivers */
    EVP_MD_CTX_free(context);
}

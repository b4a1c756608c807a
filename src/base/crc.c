/* Checksums of segments, log records and files. CRC32 is computed for each byte of every v5 frame
 * both ways, so it is worth a fast path: processors multiply polynomials in one instruction
 * (PCLMULQDQ), which folds 16 bytes at a time; zlib takes a byte at a step. The method is Intel's
 * "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ" (Gopal and others, 2009).
 * crc_test.c holds both ways to each other. */
#include "base/crc.h"

#include <zlib.h>

#ifdef __x86_64__
#include <immintrin.h>

/* Below the last of these, setting up costs as much as it saves. */
enum { FOLD_BYTES = 16, LANES = 4, FOLD_WORTH_BYTES = 48 };

/* Multiplying by x^n modulo the polynomial moves a block n bits further on without changing what
 * remains of the whole: so a block can be added (exclusive or) to one that stands further on. The
 * factors say how far, one for each half of the block. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i from, __m128i factors, __m128i onto)
{
    __m128i low = _mm_clmulepi64_si128(from, factors, 0x00), high = _mm_clmulepi64_si128(from, factors, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

static inline __m128i load_block(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

/* Factors are x^(8n+32) and x^(8n-32) modulo the polynomial for n bytes further on, bits reflected.
 * Four lanes, since one waits for each of its multiplications; then one. Folding leaves 16 bytes
 * that have the same remainder as all that they stand for; zlib does those and the rest. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc32_folded(uint32_t crc, struct bytes bytes)
{
    const __m128i by_16 = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0), by_64 = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
    /* The remainder so far goes into the first four bytes: crc32 begins with all bits set and ends
     * by flipping them, so zlib's register is the complement. */
    __m128i folded = _mm_xor_si128(load_block(bytes.data), _mm_cvtsi32_si128((int)~crc)), lanes[LANES - 1];
    size_t at = FOLD_BYTES;
    uint8_t left[FOLD_BYTES];

    /* Four lanes, each 64 bytes ahead of itself, as long as there is that much; then they become
     * one. */
    if (bytes.size >= 2 * LANES * FOLD_BYTES) {
        for (int i = 0; i < LANES - 1; i++, at += FOLD_BYTES)
            lanes[i] = load_block(bytes.data + at);
        for (; at + (size_t)LANES * FOLD_BYTES <= bytes.size; at += (size_t)LANES * FOLD_BYTES) {
            folded = fold(folded, by_64, load_block(bytes.data + at));
            for (int i = 0; i < LANES - 1; i++)
                lanes[i] = fold(lanes[i], by_64, load_block(bytes.data + at + (size_t)(i + 1) * FOLD_BYTES));
        }
        for (int i = 0; i < LANES - 1; i++)
            folded = fold(folded, by_16, lanes[i]);
    }
    for (; at + FOLD_BYTES <= bytes.size; at += FOLD_BYTES)
        folded = fold(folded, by_16, load_block(bytes.data + at));
    _mm_storeu_si128((__m128i *)left, folded);
    crc = (uint32_t)crc32_z(UINT32_MAX, left, FOLD_BYTES); /* zlib's register is then 0: what was folded has the rest */
    return (uint32_t)crc32_z(crc, bytes.data + at, bytes.size - at);
}
#endif

uint32_t crc32_more(uint32_t crc, struct bytes bytes)
{
/* Asked each time, as it is one load and a test: whether the processor has the instruction is found
 * out at start-up by the compiler's library. */
#ifdef __x86_64__
    if (bytes.size >= FOLD_WORTH_BYTES && __builtin_cpu_supports("pclmul"))
        return crc32_folded(crc, bytes);
#endif
    return (uint32_t)crc32_z(crc, bytes.data, bytes.size);
}

/* What four bits at the top become when they leave: headers have 3 or 5 bytes, so a small table is enough. */
static const uint32_t nibbles[16] = {
    0x000000, 0x974F0B, 0xB9D11D, 0x2E9E16, 0xE4ED31, 0x73A23A, 0x5D3C2C, 0xCA7327,
    0x5E9569, 0xC9DA62, 0xE74474, 0x700B7F, 0xBA7858, 0x2D3753, 0x03A945, 0x94E64E,
};

/* The checksum of a v5 segment's header, as Cassandra's Crc.crc24 computes it: with the highest bit
 * first, and Koopman's polynomial 0x1974F0B: in so few bytes any error of up to 7 bits is noticed. */
uint32_t crc24_more(uint32_t crc, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (uint32_t)bytes.data[i] << 16;
        crc = (crc << 4 & 0xFFFFFF) ^ nibbles[crc >> 20];
        crc = (crc << 4 & 0xFFFFFF) ^ nibbles[crc >> 20];
    }
    return crc;
}

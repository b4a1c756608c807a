/* Hashes against their published vectors; randomness that is even; a clock that does not run backwards; levels by name.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The first and some later of the vectors in the SipHash reference: key 00..0f, input 00, 01, ... */
static void siphash_has_the_reference_vectors(void **state)
{
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = { { 0, UINT64_C(0x726fdb47dd0e0e31) },
                    { 1, UINT64_C(0x74f839c593dc67fd) },
                    { 8, UINT64_C(0x93f5f5799a932462) },
                    { 15, UINT64_C(0xa129ca6149be45e5) } };
    struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    uint8_t input[16];

    for (uint8_t i = 0; i < sizeof(input); i++)
        input[i] = i;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
        assert_true(hash_keyed(&key, bytes_of(input, vectors[i].size)) == vectors[i].hash);
}

static void md5_has_the_vectors_of_rfc_1321(void **state)
{
    static const uint8_t abc[] = { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
                                   0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72 };
    static const uint8_t none[] = { 0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04,
                                    0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e };
    struct bytes parts[] = { BYTES_LITERAL("a"), BYTES_LITERAL(""), BYTES_LITERAL("bc") };
    uint8_t digest[16];

    hash_md5(parts, 3, digest);
    assert_memory_equal(digest, abc, 16);
    hash_md5(NULL, 0, digest);
    assert_memory_equal(digest, none, 16);
}

static void random_is_even_and_repeats_by_seed(void **state)
{
    struct random a, b;
    uint32_t counts[7] = { 0 };
    uint8_t x[32] = { 0 }, y[32] = { 0 };

    random_seed(&a, 42);
    random_seed(&b, 42);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = random_below(&a, 7);

        assert_true(v == random_below(&b, 7));
        counts[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    random_bytes(x, sizeof(x));
    random_bytes(y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));
}

static void time_goes_on(void **state)
{
    int64_t before = clock_monotonic_us(&clock_system);

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us(&clock_system);

        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_realtime_us(&clock_system) > INT64_C(1700000000000000));
}

static void levels_have_names(void **state)
{
    enum log_level level;

    assert_true(log_level_parse("warn", &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_false(log_level_parse("loud", &level));
    log_set_level(LOG_LEVEL_WARN);
    assert_false(log_is_on(LOG_LEVEL_INFO));
    assert_true(log_is_on(LOG_LEVEL_ERROR));
    log_set_level(LOG_LEVEL_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_has_the_reference_vectors),
        cmocka_unit_test(md5_has_the_vectors_of_rfc_1321),
        cmocka_unit_test(random_is_even_and_repeats_by_seed),
        cmocka_unit_test(time_goes_on),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

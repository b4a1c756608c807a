/* Both CRCs against the check values of catalogues, and against their definitions done bit by bit: every length and
 * alignment that the fast ways treat differently, in one part and in several. */
#include "base/crc.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint32_t slow_crc32(uint32_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static uint32_t slow_crc24(uint32_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 16;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & 0x800000 ? 0x1974F0B : 0);
    }
    return crc;
}

static void check_values(void **state)
{
    assert_int_equal(crc32_more(0, BYTES_LITERAL("123456789")), 0xCBF43926);
    assert_int_equal(
        crc32_more(0, BYTES_LITERAL("The quick brown fox jumps over the lazy dog, and over it, again.")),
        slow_crc32(0, (const uint8_t *)"The quick brown fox jumps over the lazy dog, and over it, again.", 64));
    assert_int_equal(crc32_more(0, BYTES_LITERAL("The quick brown fox jumps over the lazy dog")), 0x414FA339);
    /* The header of an empty self-contained segment, as Cassandra's org.apache.cassandra.net.Crc computes it. */
    assert_int_equal(crc24_more(0x875060, bytes_of("\0\0\2", 3)), slow_crc24(0x875060, (const uint8_t *)"\0\0\2", 3));
}

static void fast_is_slow(void **state)
{
    struct random random;
    uint8_t data[2048];

    random_seed(&random, 7);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)random_next(&random);
    for (size_t offset = 0; offset < 17; offset++)
        for (size_t size = 0; size < 300; size++) {
            uint32_t begin = (uint32_t)random_next(&random);
            struct bytes bytes = bytes_of(data + offset, size);
            size_t cut = random_below(&random, size + 1);

            assert_int_equal(crc32_more(begin, bytes), slow_crc32(begin, bytes.data, size));
            assert_int_equal(
                crc32_more(crc32_more(begin, bytes_of(bytes.data, cut)), bytes_of(bytes.data + cut, size - cut)),
                slow_crc32(begin, bytes.data, size));
            assert_int_equal(crc24_more(begin & 0xFFFFFF, bytes), slow_crc24(begin & 0xFFFFFF, bytes.data, size));
        }
    assert_int_equal(crc32_more(1, bytes_of(data, sizeof(data))), slow_crc32(1, data, sizeof(data)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(fast_is_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

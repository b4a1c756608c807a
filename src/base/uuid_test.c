/* UUIDs: text both ways, versions and variants, times, and that a source never makes the same one twice. */
#include "base/uuid.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t sample[UUID_BYTES] = { 0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4,
                                            0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0x00, 0x0f };

static void text_goes_both_ways(void **state)
{
    static const char *const wrong[] = { "",
                                         "550e8400-e29b-41d4-a716-44665544000",
                                         "550e8400-e29b-41d4-a716-44665544000f0",
                                         "550e8400e-29b-41d4-a716-44665544000f",
                                         "550e8400-e29b-41d4-a716-44665544000g",
                                         "550e8400-e29b-41d4-a716-446655440-0f" };
    uint8_t uuid[UUID_BYTES], same[UUID_BYTES] = { 7 };
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    uuid_print(&out, sample);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("550e8400-e29b-41d4-a716-44665544000f")));
    assert_true(uuid_parse(buffer_bytes(&out), uuid));
    assert_memory_equal(uuid, sample, UUID_BYTES);
    assert_true(uuid_parse(BYTES_LITERAL("550E8400-E29B-41D4-A716-44665544000F"), uuid));
    assert_memory_equal(uuid, sample, UUID_BYTES);
    memcpy(uuid, same, UUID_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(uuid_parse(bytes_of_string(wrong[i]), uuid));
    assert_memory_equal(uuid, same, UUID_BYTES);
}

static void versions_stand_where_they_should(void **state)
{
    uint8_t uuid[UUID_BYTES];

    for (int i = 0; i < 1000; i++) {
        random_bytes(uuid, UUID_BYTES);
        uuid_set_random(uuid);
        assert_int_equal(uuid[6] >> 4, 4);
        assert_int_equal(uuid[8] >> 6, 2);
        random_bytes(uuid, UUID_BYTES);
        uuid_set_time(uuid, (uint64_t)UUID_EPOCH_TICKS + UINT64_C(16000000001230000));
        assert_int_equal(uuid[6] >> 4, 1);
        assert_int_equal(uuid[8] >> 6, 2);
        assert_int_equal(uuid[10] & 1, 1);
        assert_true(uuid_time_ms(uuid) == INT64_C(1600000000123));
    }
}

static void a_source_makes_each_once(void **state)
{
    struct uuid_source source;
    uint8_t last[UUID_BYTES], uuid[UUID_BYTES];

    uuid_source_init(&source);
    uuid_make_time(&source, 1600000000123456, last);
    assert_true(uuid_time_ms(last) == INT64_C(1600000000123));
    for (int i = 0; i < 100; i++) { /* also where the clock goes back */
        uuid_make_time(&source, 1600000000123456 - i % 3, uuid);
        assert_true(load_be32(uuid) == load_be32(last) + 1);
        assert_memory_equal(uuid + 4, last + 4, UUID_BYTES - 4);
        memcpy(last, uuid, UUID_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_both_ways),
        cmocka_unit_test(versions_stand_where_they_should),
        cmocka_unit_test(a_source_makes_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

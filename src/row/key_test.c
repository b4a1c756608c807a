/* Keys: memcmp's order is (table, token, partition key bytes, kind, clustering), on random keys full of 00, 01 and FF; they come back;
 * keys of a partition begin with its prefix and no other's do; damage is told; golden bytes hold the format.
 */
#include "row/row_bed.h"

#include "row/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct bytes roll_run(struct dice *dice, struct arena *arena, uint32_t limit)
{
    static const uint8_t some[] = { 0, 1, 2, 0xFE, 0xFF, 'a' };
    uint32_t size = roll(dice, limit);
    uint8_t *at = arena_alloc(arena, size + 1);

    for (uint32_t i = 0; i < size; i++)
        at[i] = some[roll(dice, 6)];
    return bytes_of(at, size);
}

static struct key_parts roll_parts(struct dice *dice, struct arena *arena)
{
    static const int64_t tokens[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX };

    return (struct key_parts){ .table_id = 7 + roll(dice, 2),
                               .token = tokens[roll(dice, 6)],
                               .partition_key = roll_run(dice, arena, 5),
                               .kind = (enum key_kind)(1 + roll(dice, 3)),
                               .clustering = roll_run(dice, arena, 4) };
}

static int order_of(const struct key_parts *a, const struct key_parts *b)
{
    int order;

    if (a->table_id != b->table_id)
        return a->table_id < b->table_id ? -1 : 1;
    if (a->token != b->token)
        return a->token < b->token ? -1 : 1;
    order = bytes_compare(a->partition_key, b->partition_key);
    if (order)
        return order;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return bytes_compare(a->clustering, b->clustering);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void keys_order_as_their_parts_and_come_back(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 16);
    struct buffer scratch CLEANUP(buffer_fini) = { 0 }, a CLEANUP(buffer_fini) = { 0 }, b CLEANUP(buffer_fini) = { 0 };
    struct buffer prefix CLEANUP(buffer_fini) = { 0 };
    struct dice dice = { 2 };

    for (int i = 0; i < 200000; i++) {
        struct key_parts x = roll_parts(&dice, arena), y = roll_parts(&dice, arena), back;
        struct error err;

        if (roll(&dice, 2)) { /* closer */
            y.table_id = x.table_id;
            y.token = x.token;
        }
        buffer_reset(&a);
        buffer_reset(&b);
        buffer_reset(&prefix);
        key_encode(&a, &x);
        key_encode(&b, &y);
        assert_int_equal(sign(bytes_compare(buffer_bytes(&a), buffer_bytes(&b))), sign(order_of(&x, &y)));
        assert_int_equal(key_decode(buffer_bytes(&a), &scratch, &back, &err), OK);
        assert_int_equal(order_of(&x, &back), 0);
        assert_non_null(back.partition_key.data);
        key_encode_partition(&prefix, x.table_id, x.token, x.partition_key);
        assert_true(bytes_starts_with(buffer_bytes(&a), buffer_bytes(&prefix)));
        assert_int_equal(bytes_starts_with(buffer_bytes(&b), buffer_bytes(&prefix)),
                         x.table_id == y.table_id && x.token == y.token &&
                             bytes_equal(x.partition_key, y.partition_key));
        arena_reset(arena);
    }
}

static void the_format_is_laid_down(void **state)
{
    static const uint8_t golden[] = { 0,    0,    0,    0,    0,   0, 0,    7,    0x7F, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 'a', 0, 0xFF, 0xFF, 0,    1,    3,    'c' };
    struct key_parts parts = { 7, -1, bytes_of("a\0\xff", 3), KEY_ROW, BYTES_LITERAL("c") };
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    key_encode(&out, &parts);
    assert_int_equal(out.size, sizeof(golden));
    assert_memory_equal(out.data, golden, sizeof(golden));
}

static void damage_is_told(void **state)
{
    static const char *const bad[] = { "0000",
                                       "00000000000000070000000000000000",
                                       "000000000000000700000000000000006100",
                                       "0000000000000007000000000000000061000203",
                                       "0000000000000007000000000000000061000100",
                                       "0000000000000007000000000000000061000104",
                                       "00000000000000070000000000000000610001",
                                       "0000000000000007000000000000000000" };
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };
    struct key_parts parts;
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(key_decode(parse_hex(arena, bad[i]), &scratch, &parts, &err), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_order_as_their_parts_and_come_back),
        cmocka_unit_test(the_format_is_laid_down),
        cmocka_unit_test(damage_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

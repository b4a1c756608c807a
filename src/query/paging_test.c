/* A paging state comes back as it went out, and only for the table it was made for; any changed byte is refused. */
#include "query/paging.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t KEY[32] = "a key of thirty-two bytes, yes.";

static struct paging_scope scope_of(const char *table)
{
    return (struct paging_scope){ NULL, bytes_of(KEY, sizeof(KEY)), bytes_of_string(table) };
}

static struct paging_state example(void)
{
    return (struct paging_state){
        .partition_key = BYTES_LITERAL("partition"),
        .clustering = BYTES_LITERAL("\x01\x02"),
        .remaining = 41,
        .left_in_partition = 7,
        .full_of_bytes = true,
    };
}

static void a_state_returns_as_it_was(void **state)
{
    struct arena *arena = arena_new(1024);
    struct paging_scope scope = scope_of("one");
    struct paging_state from = example(), to;
    struct error err;

    assert_int_equal(paging_decode(paging_encode(arena, &scope, &from), &scope, &to, &err), OK);
    assert_true(bytes_equal(to.partition_key, from.partition_key));
    assert_true(bytes_equal(to.clustering, from.clustering));
    assert_int_equal(to.remaining, 41);
    assert_int_equal(to.left_in_partition, 7);
    assert_true(to.full_of_bytes);

    from = (struct paging_state){ .remaining = PAGING_NO_LIMIT };
    assert_int_equal(paging_decode(paging_encode(arena, &scope, &from), &scope, &to, &err), OK);
    assert_true(bytes_is_null(to.partition_key));
    assert_true(bytes_is_null(to.clustering));
    assert_int_equal(to.remaining, PAGING_NO_LIMIT);
    assert_false(to.full_of_bytes);
    arena_free(arena);
}

static void another_table_refuses_it(void **state)
{
    struct arena *arena = arena_new(1024);
    struct paging_scope scope = scope_of("one"), other = scope_of("two");
    struct paging_state from = example(), to;
    struct error err;

    assert_int_equal(paging_decode(paging_encode(arena, &scope, &from), &other, &to, &err), ERR_PROTOCOL);
    assert_string_equal(err.message, "Invalid value for the paging state");
    arena_free(arena);
}

static void every_changed_or_missing_byte_is_noticed(void **state)
{
    struct arena *arena = arena_new(1024);
    struct paging_scope scope = scope_of("one");
    struct paging_state from = example(), to;
    struct bytes encoded = paging_encode(arena, &scope, &from);
    uint8_t copy[256];
    struct error err;

    assert_true(encoded.size <= sizeof(copy));
    for (size_t i = 0; i < encoded.size; i++) {
        memcpy(copy, encoded.data, encoded.size);
        copy[i] ^= 0x40;
        assert_int_equal(paging_decode(bytes_of(copy, encoded.size), &scope, &to, &err), ERR_PROTOCOL);
        assert_int_equal(paging_decode(bytes_of(encoded.data, i), &scope, &to, &err), ERR_PROTOCOL);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_returns_as_it_was),
        cmocka_unit_test(another_table_refuses_it),
        cmocka_unit_test(every_changed_or_missing_byte_is_noticed),
    };

    return cmocka_run_group_tests_name("query/paging", tests, NULL, NULL);
}

/* The cache of prepared statements: how large one may be, and that contexts do not pile up large ones that it let go. */
#include "query/prepared.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* One reference, the caller's; as large as it says. */
static struct prepared *make(uint8_t id, uint64_t bytes)
{
    struct arena *arena = arena_new(1024);
    struct prepared *prepared = arena_new_struct(arena, struct prepared);

    prepared->arena = arena;
    prepared->refs = 1;
    prepared->id[0] = id;
    prepared->text = BYTES_LITERAL("SELECT");
    prepared->bytes = bytes;
    return prepared;
}

static void one_may_fill_half_of_the_cache(void **state)
{
    struct prepared_cache *cache = prepared_cache_new(64 << 20);
    struct prepared *too_large = make(2, (32 << 20) + 1);
    struct error err;

    assert_int_equal(prepared_insert(cache, make(1, 32 << 20), &err), OK);
    assert_int_equal(prepared_insert(cache, too_large, &err), ERR_INVALID);
    assert_string_equal(err.message,
                        "Prepared statement of size 33554433 bytes is larger than allowed maximum of 32 MB: SELECT...");
    prepared_unref(too_large);
    prepared_cache_free(cache);
}

static void a_context_holds_one_large_plan(void **state)
{
    struct prepared_cache *cache = prepared_cache_new(1 << 20);
    struct prepared *plans[8];
    struct prepared_lookaside lookaside;
    struct error err;

    prepared_lookaside_init(&lookaside);
    for (uint8_t i = 0; i < ARRAY_SIZE(plans); i++) {
        plans[i] = prepared_ref(make(i, 600 << 10)); /* the cache has room for one */
        plans[i]->id[7] = i;                         /* each in another slot */
        assert_int_equal(prepared_insert(cache, plans[i], &err), OK);
        assert_ptr_equal(prepared_find(cache, &lookaside, plans[i]->id), plans[i]);
        assert_ptr_equal(prepared_find(cache, &lookaside, plans[i]->id), plans[i]);
    }
    for (uint8_t i = 0; i < ARRAY_SIZE(plans); i++) {
        assert_int_equal(plans[i]->refs, i + 1 == ARRAY_SIZE(plans) ? 3 : 1);
        prepared_unref(plans[i]);
    }
    prepared_lookaside_fini(&lookaside);
    prepared_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_may_fill_half_of_the_cache),
        cmocka_unit_test(a_context_holds_one_large_plan),
    };

    return cmocka_run_group_tests_name("query/prepared", tests, NULL, NULL);
}

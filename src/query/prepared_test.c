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
        assert_ptr_equal(prepared_find(cache, &lookaside, NULL, plans[i]->id), plans[i]);
        assert_ptr_equal(prepared_find(cache, &lookaside, NULL, plans[i]->id), plans[i]);
    }
    for (uint8_t i = 0; i < ARRAY_SIZE(plans); i++) {
        assert_int_equal(plans[i]->refs, i + 1 == ARRAY_SIZE(plans) ? 3 : 1);
        prepared_unref(plans[i]);
    }
    prepared_lookaside_fini(&lookaside);
    prepared_cache_free(cache);
}

/* A text can be made whose digest is another's: each account finds its own all the same, and lets go of its own. */
static void one_id_in_two_accounts(void **state)
{
    struct prepared_cache *cache = prepared_cache_new(1 << 20);
    const struct catalog_account *const accounts[] = { (const void *)"a", (const void *)"b", (const void *)"c" };
    struct prepared_lookaside lookaside;
    struct prepared *plans[2];
    struct error err;

    prepared_lookaside_init(&lookaside);
    for (uint8_t i = 0; i < 2; i++) {
        plans[i] = make(7, 100);
        plans[i]->account = accounts[i];
        assert_int_equal(prepared_insert(cache, plans[i], &err), OK);
    }
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(prepared_find(cache, &lookaside, accounts[i % 2], plans[0]->id), plans[i % 2]);
        assert_null(prepared_find(cache, &lookaside, accounts[2], plans[0]->id));
    }
    prepared_forget(cache, plans[0]);
    assert_null(prepared_find(cache, &lookaside, accounts[0], plans[1]->id));
    assert_ptr_equal(prepared_find(cache, &lookaside, accounts[1], plans[1]->id), plans[1]);
    prepared_lookaside_fini(&lookaside);
    prepared_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_may_fill_half_of_the_cache),
        cmocka_unit_test(a_context_holds_one_large_plan),
        cmocka_unit_test(one_id_in_two_accounts),
    };

    return cmocka_run_group_tests_name("query/prepared", tests, NULL, NULL);
}

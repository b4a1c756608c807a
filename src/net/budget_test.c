/* What requests hold is counted where they hold it, in whatever order they end; who may begin, and who has taken too much. */
#include "net/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

enum { KIB = 1 << 10, MAX = 1024 * KIB, SHARE_MAX = 256 * KIB };

static size_t held(const struct budget *budget)
{
    return atomic_load(&budget->held);
}

static void what_an_arena_takes_is_charged_until_the_end(void **state)
{
    struct budget budget;
    struct budget_share share = { &budget, 0 };
    struct budget_charge charge;
    struct arena *arena = arena_new(8 * KIB);

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    budget_charge_begin(&charge, &share, arena);
    arena_alloc(arena, 7 * KIB);
    assert_int_equal(held(&budget), 0); /* the first chunk was there before */
    arena_alloc(arena, 2 * KIB);
    assert_int_equal(held(&budget), 16 * KIB); /* a chunk of twice the size */
    assert_int_equal(atomic_load(&share.held), 16 * KIB);
    arena_hold(arena, 10 * KIB);
    budget_charge_add(&charge, 6 * KIB);
    assert_int_equal(held(&budget), 32 * KIB);
    budget_charge_end(&charge, arena);
    assert_int_equal(held(&budget), 0);
    assert_int_equal(atomic_load(&share.held), 0);
    assert_int_equal(budget.freed, 32 * KIB);
    arena_hold(arena, KIB); /* nobody counts any more */
    assert_int_equal(held(&budget), 0);
    arena_free(arena);
}

static void what_is_set_aside_is_grown_into(void **state)
{
    struct budget budget;
    struct budget_share share = { &budget, 0 };
    struct budget_charge charge;
    struct arena *arena = arena_new(8 * KIB);

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    budget_charge_begin(&charge, &share, arena);
    budget_charge_add(&charge, 8 * KIB);
    budget_charge_set_aside(&charge, 64 * KIB);
    assert_int_equal(held(&budget), 64 * KIB);
    budget_charge_add(&charge, 56 * KIB);
    assert_int_equal(held(&budget), 64 * KIB);
    budget_charge_add(&charge, KIB);
    assert_int_equal(held(&budget), 65 * KIB);
    budget_charge_end(&charge, arena);
    assert_int_equal(held(&budget), 0);
    arena_free(arena);
}

static void who_holds_much_leaves_room_for_who_holds_nothing(void **state)
{
    struct budget budget;
    struct budget_share some = { &budget, 0 }, none = { &budget, 0 };

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    assert_true(budget_admits(&some));
    atomic_store(&some.held, SHARE_MAX - 1);
    atomic_store(&budget.held, MAX / 2 - 1);
    assert_true(budget_admits(&some));
    atomic_store(&some.held, SHARE_MAX); /* its share is full */
    assert_false(budget_admits(&some));
    assert_true(budget_admits(&none));
    atomic_store(&some.held, 1);
    atomic_store(&budget.held, MAX / 2); /* what is left is not for it */
    assert_false(budget_admits(&some));
    assert_true(budget_admits(&none));
    atomic_store(&budget.held, MAX - 1);
    assert_true(budget_admits(&none));
    atomic_store(&budget.held, MAX);
    assert_false(budget_admits(&none));
}

static void one_request_takes_no_more_than_a_share(void **state)
{
    struct budget budget;
    struct budget_share share = { &budget, 0 };
    struct budget_charge charge;
    struct arena *arena = arena_new(8 * KIB);
    struct error error;

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    budget_charge_begin(&charge, &share, arena);
    arena_alloc(arena, SHARE_MAX - KIB);
    assert_int_equal(arena_check(arena, &error), OK);
    arena_alloc(arena, 2 * KIB);
    assert_int_equal(arena_check(arena, &error), ERR_INVALID);
    assert_non_null(
        strstr(error.message, "more than 262144 bytes of memory, which is a connection's share of request-bytes"));
    budget_charge_end(&charge, arena);
    arena_free(arena);
}

static void where_all_is_held_only_what_was_set_aside_is_taken(void **state)
{
    struct budget budget;
    struct budget_share share = { &budget, 0 }, others = { &budget, 0 };
    struct budget_charge charge;
    struct arena *arena = arena_new(8 * KIB);
    struct error error;

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    budget_charge_begin(&charge, &share, arena);
    budget_charge_set_aside(&charge, 64 * KIB);
    atomic_store(&others.held, MAX);
    atomic_fetch_add(&budget.held, MAX);
    arena_alloc(arena, 60 * KIB);
    assert_int_equal(arena_check(arena, &error), OK);
    arena_alloc(arena, 60 * KIB);
    assert_int_equal(arena_check(arena, &error), ERR_OVERLOADED);
    assert_non_null(strstr(error.message, "Request breached limit on bytes in flight (connection: "));
    assert_non_null(strstr(error.message, "request-bytes"));
    budget_charge_end(&charge, arena);
    assert_int_equal(held(&budget), MAX);
    arena_free(arena);
}

static void replies_that_are_not_taken_are_charged(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    budget_change_output(&budget, 0, MAX / 2);
    assert_int_equal(held(&budget), MAX / 2);
    assert_false(budget_is_full_of_output(&budget)); /* there is room */
    atomic_fetch_add(&budget.held, MAX / 2);
    assert_true(budget_is_full_of_output(&budget));
    budget_change_output(&budget, MAX / 2, MAX / 2 - 1);
    atomic_fetch_add(&budget.held, 1);
    assert_false(budget_is_full_of_output(&budget)); /* requests hold the most of it */
    budget_change_output(&budget, MAX / 2 - 1, 0);
    assert_int_equal(atomic_load(&budget.output), 0);
    assert_int_equal(held(&budget), MAX / 2 + 1);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *grow(void *argument)
{
    struct budget_share *share = argument;

    for (int i = 0; i < ROUNDS; i++) {
        struct budget_charge charge;
        struct arena *arena = arena_new(256);

        budget_charge_begin(&charge, share, arena);
        for (int n = 0; n < 8; n++)
            arena_alloc(arena, 200);
        arena_set_meter(arena, NULL);
        atomic_fetch_sub(&share->held, charge.bytes); /* the end is the loop's */
        atomic_fetch_sub(&share->budget->held, charge.bytes);
        arena_free(arena);
    }
    return NULL;
}

static void requests_grow_on_many_threads(void **state)
{
    struct budget budget;
    struct budget_share share = { &budget, 0 };
    pthread_t threads[THREADS];

    (void)state;
    budget_init(&budget, MAX, SHARE_MAX);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, grow, &share), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(held(&budget), 0);
    assert_int_equal(atomic_load(&share.held), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_arena_takes_is_charged_until_the_end),
        cmocka_unit_test(what_is_set_aside_is_grown_into),
        cmocka_unit_test(who_holds_much_leaves_room_for_who_holds_nothing),
        cmocka_unit_test(one_request_takes_no_more_than_a_share),
        cmocka_unit_test(where_all_is_held_only_what_was_set_aside_is_taken),
        cmocka_unit_test(replies_that_are_not_taken_are_charged),
        cmocka_unit_test(requests_grow_on_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

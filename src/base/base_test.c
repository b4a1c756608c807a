/* The ground types: arenas reuse and align, and take out of use what is not given out, buffers grow, spans order as memcmp does, errors keep their words. */
#include "base/account_digits.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void arena_hands_out_aligned_memory_and_forgets(void **state)
{
    struct arena *arena = arena_new(256);

    for (int round = 0; round < 3; round++) {
        size_t total = 0;

        for (size_t size = 0; size < 5000; size += 37) {
            uint8_t *memory = arena_alloc(arena, size);

            assert_int_equal((uintptr_t)memory % 16, 0);
            memset(memory, 0xAB, size);
            total += (size + 15) & ~(size_t)15;
        }
        assert_int_equal(arena_used(arena), total);
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
    assert_string_equal(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_string(arena, BYTES_LITERAL("ab")), "ab");
    arena_free(arena);
}

static void array_keeps_its_items_while_it_grows(void **state)
{
    struct arena *arena = arena_new(256);
    uint32_t *items = NULL, *before = NULL, count = 0, capacity = 0, moves = 0;

    for (; count < 1000; count++) {
        items = arena_room(arena, items, count, &capacity, 3, sizeof(*items));
        moves += items != before;
        if (before)
            assert_int_equal(before[count - 1], count - 1); /* where the array stood it can be read still */
        items[count] = count;
        before = items;
    }
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(items[i], i);
    assert_int_equal(capacity, 3 << 9);
    assert_int_equal(moves, 10);
    arena_free(arena);
}

/* Of memory that nobody may use: as far as this build can say. */
static bool is_nobodys(const uint8_t *memory, size_t size)
{
#ifdef BUILT_WITH_ASAN
    for (size_t i = 0; i < size; i++)
        if (!__asan_address_is_poisoned(memory + i))
            return false;
#elif defined(HELENUS_DEBUG)
    for (size_t i = 0; i < size; i++)
        if (memory[i] != POISON_FILL)
            return false;
#else
    skip(); /* nothing is done there */
#endif
    return true;
}

static void arena_takes_memory_out_of_use(void **state)
{
    struct arena *arena = arena_new(4096);

    for (int round = 0; round < 3; round++) {
        /* volatile: gcc may believe that nobody but us changes what we were given */
        uint8_t *volatile first = arena_alloc(arena, 100), *volatile second = arena_alloc(arena, 5);

        assert_true(is_nobodys(first + 100, POISON_GAP_BYTES));
        assert_true(is_nobodys(second + 5, 200));
        memset(first, 1, 100);
        memset(second, 2, 5);
        arena_reset(arena);
        assert_true(is_nobodys(first, 100));
        assert_true(is_nobodys(second, 5));
    }
    arena_free(arena);
}

static void buffer_takes_memory_out_of_use(void **state)
{
    struct buffer buffer = { 0 };
    const uint8_t *volatile data; /* gcc sees that it is freed */

    memset(buffer_extend(&buffer, 100), 1, 100);
    data = buffer.data;
    assert_true(is_nobodys(data + 100, buffer.capacity - 100));
    memset(buffer_reserve(&buffer, 20), 2, 20);
    assert_true(is_nobodys(data + 120, buffer.capacity - 120));
    assert_int_equal(data[99], 1);
    buffer_reset(&buffer);
    assert_true(is_nobodys(data, 100));
    buffer_append(&buffer, "abc", 3);
    assert_memory_equal(buffer.data, "abc", 3);
    assert_true(is_nobodys(buffer.data + 3, 97));
    data = buffer.data;
    buffer_retire(&buffer);
    assert_true(is_nobodys(data, 3));
    assert_int_equal(buffer.size, 0);
    buffer_fini(&buffer);
}

static void buffer_keeps_bytes_while_it_grows(void **state)
{
    struct buffer buffer = { 0 };

    for (uint32_t i = 0; i < 10000; i++)
        buffer_append_be32(&buffer, i);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(load_be32(buffer.data + 4 * i), i);
    buffer_reset(&buffer);
    buffer_printf(&buffer, "%0300d", 5);
    assert_int_equal(buffer.size, 300);
    assert_int_equal(buffer.data[299], '5');
    buffer_fini(&buffer);
}

static void spans_order_bytewise_and_prefix_first(void **state)
{
    assert_true(bytes_compare(BYTES_LITERAL("a"), BYTES_LITERAL("ab")) < 0);
    assert_true(bytes_compare(BYTES_LITERAL("\xff"), BYTES_LITERAL("ab")) > 0);
    assert_int_equal(bytes_compare(BYTES_LITERAL(""), BYTES_LITERAL("")), 0);
    assert_true(bytes_starts_with(BYTES_LITERAL("abc"), BYTES_LITERAL("ab")));
    assert_false(bytes_starts_with(BYTES_LITERAL("a"), BYTES_LITERAL("ab")));
}

static void errors_say_no_space_for_a_full_disk(void **state)
{
    struct error error;

    assert_int_equal(error_set_os(&error, ENOSPC, "write"), ERR_NO_SPACE);
    assert_string_equal(error.message, "write: No space left on device");
    assert_int_equal(error_set_os(&error, EIO, "write"), ERR_IO);
    assert_int_equal(error.os_errno, EIO);
}

static void clock_ahead_moves_real_time_alone(void **state)
{
    struct clock_ahead clock;
    int64_t real, monotonic;

    clock_ahead_init(&clock);
    real = clock_realtime_us(&clock.base);
    monotonic = clock_monotonic_us(&clock.base);
    assert_true(real >= clock_realtime_us(&clock_system) - 60000000);
    assert_true(clock_ahead_advance(&clock, 0));
    assert_true(clock_ahead_advance(&clock, 86400000000));
    assert_true(clock_ahead_advance(&clock, 86400000000));
    assert_true(clock_realtime_us(&clock.base) >= real + 2 * 86400000000);
    assert_true(clock_monotonic_us(&clock.base) - monotonic < 86400000000);
    assert_false(clock_ahead_advance(&clock, INT64_MAX));
    assert_false(clock_ahead_advance(&clock, INT64_C(200) * 365 * 86400 * 1000000)); /* with the two days: too far */
    assert_true(clock_realtime_us(&clock.base) < real + 3 * 86400000000);
}

static void clock_waits_until(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    int64_t until = clock_monotonic_us(&clock_system) + 20000;

    pthread_mutex_lock(&lock);
    while (clock_wait(&clock_system, &changed, &lock, until))
        ;
    assert_true(clock_monotonic_us(&clock_system) >= until);
    assert_false(clock_wait(&clock_system, &changed, &lock, 0)); /* long ago */
    pthread_mutex_unlock(&lock);
}

static void accounts_have_twelve_digits(void **state)
{
    static const char *const accounts[] = { "000000000000", "000000000042", "123456789012", "999999999999" };
    static const uint64_t numbers[] = { 0, 42, 123456789012, 999999999999 };
    static const char *const none[] = {
        "", "12345678901", "1234567890123", "12345678901a", "+12345678901", " 12345678901", "-00000000001"
    };
    char digits[ACCOUNT_DIGITS + 1];
    uint64_t number;

    for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
        assert_true(account_parse(bytes_of_string(accounts[i]), &number));
        assert_int_equal(number, numbers[i]);
        account_print(number, digits);
        assert_string_equal(digits, accounts[i]);
    }
    number = 7;
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        assert_false(account_parse(bytes_of_string(none[i]), &number) || account_is_digits(bytes_of_string(none[i])));
    assert_false(account_is_digits(bytes_of("12345\06789012", 12)));
    assert_int_equal(number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_hands_out_aligned_memory_and_forgets),
        cmocka_unit_test(arena_takes_memory_out_of_use),
        cmocka_unit_test(buffer_takes_memory_out_of_use),
        cmocka_unit_test(array_keeps_its_items_while_it_grows),
        cmocka_unit_test(buffer_keeps_bytes_while_it_grows),
        cmocka_unit_test(spans_order_bytewise_and_prefix_first),
        cmocka_unit_test(clock_ahead_moves_real_time_alone),
        cmocka_unit_test(clock_waits_until),
        cmocka_unit_test(errors_say_no_space_for_a_full_disk),
        cmocka_unit_test(accounts_have_twelve_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

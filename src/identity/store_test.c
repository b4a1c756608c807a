/* The store over a space: what was committed is there after a new start, all accounts', pages of them too; what was not is not; a change is whole;
 * a write whose outcome is not known is looked at before the next change; sets that are held stay as they were.
 */
#include "catalog/bed.h"
#include "catalog/doubtful.h"
#include "identity/store.h"

#define TEXT(s) BYTES_LITERAL(s)
#define ONE     TEXT("000000000001")

static struct identity_store *store;

static void open_store(void)
{
    struct identity_store_options options = { .catalog = catalog, .space = space, .clock = &clock_system };
    struct error err;

    must(identity_open(&options, &store, &err), &err);
}

static int begin_over(const struct store_ops *ops)
{
    open_all(ops);
    open_store();
    return 0;
}

static int begin(void **state)
{
    return begin_over(&store_memory_ops);
}

static int begin_in_doubt(void **state)
{
    return setup(state) ? -1 : begin_over(doubtful_store());
}

static int end(void **state)
{
    identity_close(store);
    close_all();
    return 0;
}

static int end_in_doubt(void **state)
{
    end(state);
    return teardown(state);
}

static struct identity_parts user(const char *name)
{
    return (struct identity_parts){ .at = { IDENTITY_USER, TEXT(""), bytes_of_string(name) },
                                    .name = bytes_of_string(name) };
}

static enum status put(struct bytes account, const char *name)
{
    struct identity_parts parts = user(name);
    struct identity_change change;
    struct error err;
    enum status status;

    status = identity_begin(&change, store, account, &err);
    if (!status) {
        identity_put(&change, &parts);
        status = identity_commit(&change, &err);
    }
    identity_end(&change);
    return status;
}

static bool has(struct bytes account, const char *name)
{
    CLEANUP(identities_unref) struct identities *set = identity_set(store, account);

    return identities_find(set, IDENTITY_USER, TEXT(""), bytes_of_string(name)) != NULL;
}

static void drop(struct bytes account, const char *name)
{
    struct identity_change change;
    struct error err;

    must(identity_begin(&change, store, account, &err), &err);
    identity_drop(&change, identities_find(change.set, IDENTITY_USER, TEXT(""), bytes_of_string(name)));
    must(identity_commit(&change, &err), &err);
    identity_end(&change);
}

static void changes_are_kept(void **state)
{
    uint64_t epoch = identity_epoch(store);

    assert_false(has(ONE, "a"));
    assert_int_equal(put(ONE, "a"), OK);
    assert_int_equal(put(ONE, "b"), OK);
    assert_int_equal(put(TEXT("000000000002"), "c"), OK);
    drop(ONE, "b");
    assert_true(identity_epoch(store) > epoch);
    for (int i = 0; i < 2; i++) {
        assert_true(has(ONE, "a") && !has(ONE, "b") && !has(ONE, "c") && has(TEXT("000000000002"), "c"));
        identity_close(store);
        open_store();
    }
}

/* More accounts than one read of the list gives. */
static void many_accounts(void **state)
{
    char digits[13];

    for (int i = 0; i < 1300; i++) {
        snprintf(digits, sizeof(digits), "%012d", i);
        assert_int_equal(put(bytes_of_string(digits), digits), OK);
    }
    identity_close(store);
    open_store();
    for (int i = 0; i < 1300; i++) {
        snprintf(digits, sizeof(digits), "%012d", i);
        assert_true(has(bytes_of_string(digits), digits));
    }
}

static void a_set_that_is_held_stays(void **state)
{
    CLEANUP(identities_unref) struct identities *before = NULL;

    put(ONE, "a");
    before = identity_set(store, ONE);
    drop(ONE, "a");
    assert_non_null(identities_find(before, IDENTITY_USER, TEXT(""), TEXT("a")));
    assert_false(has(ONE, "a"));
}

static void who_commits_nothing_changes_nothing(void **state)
{
    struct identity_parts parts = user("a");
    struct identity_change change;
    struct error err;

    must(identity_begin(&change, store, ONE, &err), &err);
    identity_put(&change, &parts);
    identity_end(&change);
    assert_false(has(ONE, "a"));
    assert_int_equal(put(TEXT("12345"), "a"), ERR_INVALID);
}

/* Until the shard takes writes again. */
static void await_writes(void)
{
    for (uint32_t i = 0; i < table_space_shard_count(space); i++)
        for (int ms = 0; table_space_refuses_writes(space, i) && ms < 20000; ms++)
            usleep(1000);
}

/* As the shard goes on: with the write, or without. */
static void doubt(bool loses)
{
    assert_int_equal(put(ONE, "a"), OK);
    doubtful_loses = loses;
    doubtful_fails_next = true;
    assert_int_equal(put(ONE, "b"), ERR_WRITE_TIMEOUT);
    assert_int_equal(put(ONE, "c"), ERR_WRITE_FAILURE);
    assert_false(has(ONE, "b")); /* nobody is told what may not be */
    await_writes();
    assert_int_equal(put(ONE, "c"), OK);
    assert_true(has(ONE, "a") && has(ONE, "c"));
    assert_int_equal(has(ONE, "b"), !loses);
}

static void a_doubtful_write_that_is_there(void **state)
{
    doubt(false);
}

static void a_doubtful_write_that_is_lost(void **state)
{
    doubt(true);
}

/* A row that does not decode: who opens is told, and nothing is left open. */
static void a_damaged_row(void **state)
{
    const struct table_def *def = catalog_identities_table(catalog);
    struct identity_store_options options = { .catalog = catalog, .space = space, .clock = &clock_system };
    struct arena *arena = arena_new(1024);
    struct rows rows;
    struct error err;

    identity_close(store);
    rows_begin(&rows, def, arena, 1000, TTL_NONE);
    rows_put(&rows, "account", ONE);
    rows_add(&rows);
    rows_put_number(&rows, "kind", IDENTITY_USER);
    rows_put(&rows, "scope", TEXT(""));
    rows_put(&rows, "name", TEXT("a"));
    rows_put(&rows, "value", TEXT("nothing of ours"));
    must(rows_save(&rows, port, &err), &err);
    assert_int_equal(identity_open(&options, &store, &err), ERR_CORRUPT);
    store = NULL;
    arena_free(arena);
}

static void policies_of_aws(void **state)
{
    const struct identities *managed = identity_managed(store);
    const struct identity *administrator =
        identities_find(managed, IDENTITY_POLICY, TEXT(""), TEXT("administratoraccess"));
    struct identity_list versions;

    assert_non_null(administrator);
    versions = identities_in(managed, IDENTITY_POLICY_VERSION, administrator->is.id);
    assert_int_equal(versions.count, 1);
    assert_non_null(versions.items[0]->policy);
}

#define over(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        over(changes_are_kept),
        over(many_accounts),
        over(a_set_that_is_held_stays),
        over(who_commits_nothing_changes_nothing),
        cmocka_unit_test_setup_teardown(a_doubtful_write_that_is_there, begin_in_doubt, end_in_doubt),
        cmocka_unit_test_setup_teardown(a_doubtful_write_that_is_lost, begin_in_doubt, end_in_doubt),
        over(a_damaged_row),
        over(policies_of_aws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

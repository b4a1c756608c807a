/* Jobs: they are done behind the answer, step by step and in turn; killed at any moment they go on where they were; what fails is tried again
 * and holds nobody up; what this program doesn't know waits. And the first kind: rows of dropped tables. On store/rocksdb.
 */
#include "catalog/bed.h"
#include "catalog/doubtful.h"
#include "catalog/definitions.h"
#include "catalog/rows.h"
#include "catalog/state.h"
#include "schema/build.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What steps do and find, seen by parent and child. */
static struct shared {
    _Atomic int steps;
    _Atomic int dies_in;   /* the step; 0: none */
    _Atomic int fails;     /* so many steps fail */
    _Atomic int last_done; /* what the last step began with */
    _Atomic int is_added;
    char order[64]; /* which job's step it was, by the first byte of its state */
    bool blocks;
    sem_t begun, go_on;
} * shared;

/* Aborts where a broken promise would be waited for without end; also on threads, where cmocka cannot jump. */
static void await(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    if (sem_timedwait(sem, &until))
        abort();
}

/* State: a name, and a byte for each step that was done. */
static enum status count_step(void *context, struct table_port *with, struct job_work *work, struct error *err)
{
    int step = atomic_fetch_add(&shared->steps, 1);

    assert_ptr_equal(context, &shared);
    assert_non_null(with);
    assert_int_equal(work->state.size, 1 + work->done);
    atomic_store(&shared->last_done, (int)work->done);
    if (step < (int)sizeof(shared->order))
        shared->order[step] = (char)work->state.data[0];
    if (shared->blocks) {
        sem_post(&shared->begun);
        await(&shared->go_on);
    }
    if (step + 1 == atomic_load(&shared->dies_in))
        raise(SIGKILL);
    if (work->state.data[0] == 'f' && atomic_load(&shared->fails) > 0) {
        atomic_fetch_sub(&shared->fails, 1);
        return error_set(err, ERR_WRITE_FAILURE, "not yet");
    }
    buffer_append_u8(&work->state, '.');
    work->done++;
    return OK;
}

static const struct job_kind counting = { .name = "counting", .unit = "steps", .step = count_step, .context = &shared };
static const struct job_kind *const known[] = { &counting };

static int setup_jobs(void **state)
{
    memset(shared, 0, sizeof(*shared));
    sem_init(&shared->begun, 1, 0);
    sem_init(&shared->go_on, 1, 0);
    bed_job_kinds = known;
    bed_job_kind_count = 1;
    return setup(state);
}

static void add(const char *name, uint64_t total)
{
    struct error err;

    must(catalog_add_job(catalog, port, &counting, bytes_of_string(name), total, &err), &err);
}

static void end(void)
{
    struct error err;

    must(catalog_end_jobs(catalog, &err), &err);
}

/* What system_views.helenus_jobs would show, as text: kind, done/total unit, failure. */
struct shown {
    struct virtual_emit emit;
    uint32_t count;
    char text[512];
};

static void show_row(struct virtual_emit *emit, const struct bytes *values)
{
    struct shown *shown = CONTAINER_OF(emit, struct shown, emit);
    size_t at = strlen(shown->text);

    shown->count++;
    snprintf(shown->text + at, sizeof(shown->text) - at, "%.*s %d/%d %.*s%s%.*s%s;", BYTES(values[3]),
             (int)load_be64(values[1].data), (int)load_be64(values[5].data), BYTES(values[6]),
             values[2].size ? " " : "", BYTES(values[2]), values[4].data[0] ? " running" : "");
}

static struct shown show(void)
{
    struct shown shown = { .emit.row = show_row };
    const struct virtual_table *rows = catalog_jobs_table(catalog);

    rows->rows(rows, &shown.emit);
    return shown;
}

static void a_job_is_done_step_by_step(void **state)
{
    open_all(&store_rocksdb_ops);
    add("a", 5);
    end();
    assert_int_equal(shared->steps, 5);
    assert_int_equal(show().count, 0);
    close_all();
    open_all(&store_rocksdb_ops);
    end();
    assert_int_equal(shared->steps, 5);
    close_all();
}

static void jobs_take_turns(void **state)
{
    open_all(&store_rocksdb_ops);
    shared->blocks = true;
    add("a", 3);
    await(&shared->begun);
    add("b", 3);
    add("c", 1);
    assert_string_equal(show().text, "counting 0/3 steps running;counting 0/3 steps;counting 0/1 steps;");
    shared->blocks = false;
    sem_post(&shared->go_on);
    end();
    assert_string_equal(shared->order, "abcabab");
    close_all();
}

/* In the middle of a step, which is done once more; those before it are not. */
static void killed_in_any_step_it_goes_on(void **state)
{
    for (int step = 1; step <= 5; step++) {
        int status;
        pid_t child;

        setup_jobs(state);
        shared->dies_in = step;
        child = fork();
        if (child == 0) {
            open_all(&store_rocksdb_ops);
            add("a", 5);
            shared->is_added = true;
            end();
            _exit(1);
        }
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(shared->steps, step);
        shared->blocks = true;
        open_all(&store_rocksdb_ops);
        await(&shared->begun);
        assert_int_equal(shared->last_done, step - 1);
        shared->blocks = false;
        sem_post(&shared->go_on);
        end();
        assert_int_equal(shared->steps, 5 + 1);
        assert_int_equal(show().count, 0);
        close_all();
        teardown(state);
    }
}

/* A server that stops lets a step end, and what it did is saved. */
static void stopping_loses_no_step(void **state)
{
    open_all(&store_rocksdb_ops);
    shared->blocks = true;
    add("a", 2);
    await(&shared->begun);
    shared->blocks = false;
    sem_post(&shared->go_on);
    close_all();
    open_all(&store_rocksdb_ops);
    end();
    assert_int_equal(shared->steps, 2);
    close_all();
}

static void what_fails_is_tried_again_and_holds_nobody_up(void **state)
{
    struct error err;

    open_all(&store_rocksdb_ops);
    shared->fails = 1;
    shared->blocks = true;
    add("x", 1);
    await(&shared->begun);
    add("f", 1);
    add("b", 2);
    shared->blocks = false;
    sem_post(&shared->go_on);
    if (catalog_end_jobs(catalog, &err)) /* unless it had failed before we asked */
        assert_string_equal(err.message, "not yet");
    end();
    assert_string_equal(shared->order, "xfbbf");
    close_all();
}

static void a_failure_is_shown(void **state)
{
    struct error err;

    open_all(&store_rocksdb_ops);
    shared->fails = 1;
    add("f", 1);
    if (catalog_end_jobs(catalog, &err) == ERR_WRITE_FAILURE)
        assert_string_equal(show().text, "counting 0/1 steps write_failure;");
    end();
    assert_int_equal(shared->steps, 2);
    close_all();
}

static void a_kind_that_nobody_knows_waits(void **state)
{
    open_all(&store_rocksdb_ops);
    shared->fails = 1000;
    add("f", 2);
    close_all();
    shared->fails = shared->steps = 0;
    bed_job_kind_count = 0;
    open_all(&store_rocksdb_ops);
    end();
    assert_string_equal(show().text, "counting 0/2 ;");
    assert_int_equal(shared->steps, 0);
    run(CREATE_K);
    close_all();
    bed_job_kind_count = 1;
    open_all(&store_rocksdb_ops);
    end();
    assert_int_equal(shared->steps, 2);
    assert_int_equal(show().count, 0);
    close_all();
}

/* ---- a write whose outcome nobody knows ---- */

static void set_in_doubt(void)
{
    pthread_mutex_lock(&catalog->changing);
    catalog->in_doubt = true;
    pthread_mutex_unlock(&catalog->changing);
}

/* Meanwhile nothing of a job is written; what was over comes back when the definitions are read, and is done once more. */
static void in_doubt_a_job_is_done_once_more(void **state)
{
    open_all(&store_rocksdb_ops);
    shared->blocks = true;
    add("a", 1);
    await(&shared->begun);
    set_in_doubt();
    shared->blocks = false;
    sem_post(&shared->go_on);
    end();
    assert_int_equal(shared->steps, 1);
    run(CREATE_K);
    end();
    assert_int_equal(shared->steps, 2);
    close_all();
    open_all(&store_rocksdb_ops);
    end();
    assert_int_equal(shared->steps, 2);
    close_all();
}

/* The job on the disk is more than the one whose step goes on: what that step did does not end it. */
static void a_step_of_an_older_job_is_not_believed(void **state)
{
    struct arena *arena = arena_new(1024);
    struct buffer value = { 0 };
    char id[17];
    struct rows rows;
    struct error err;

    open_all(&store_rocksdb_ops);
    shared->blocks = true;
    add("a", 1);
    await(&shared->begun);
    buffer_append_u8(&value, 1);
    buffer_append_be64(&value, 0);
    buffer_append_be64(&value, 3);
    buffer_append_u8(&value, 'm');
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)catalog->jobs.list[0]->id);
    rows_begin(&rows, catalog->own_table, arena, clock_realtime_us(&clock_system) / 1000000, TTL_NONE);
    rows_put(&rows, "key", BYTES_LITERAL("definitions"));
    rows_add(&rows);
    rows_put_number(&rows, "kind", 200);
    rows_put(&rows, "scope", BYTES_LITERAL("counting"));
    rows_put(&rows, "name", bytes_of_string(id));
    rows_put(&rows, "value", buffer_bytes(&value));
    must(rows_save(&rows, port, &err), &err);
    set_in_doubt();
    run(CREATE_K); /* reads the definitions first */
    assert_string_equal(show().text, "counting 0/3 steps running;");
    shared->blocks = false;
    sem_post(&shared->go_on);
    end();
    assert_string_equal(shared->order, "ammm");
    close_all();
    buffer_fini(&value);
    arena_free(arena);
}

/* While the shard takes no writes the definitions say nothing of it: asked then, they would be believed when it has come. */
static void what_a_failed_change_left_is_asked_when_it_is_known(void **state)
{
    struct arena *arena = arena_new(1024);
    struct ddl_change change;
    struct table_def *a, *c;
    struct error err;

    open_all(doubtful_store());
    run(CREATE_K);
    atomic_store(&doubtful_fails_next, true);
    assert_int_equal(try_run("CREATE TABLE a (k int PRIMARY KEY)", &change, arena, &err), ERR_WRITE_TIMEOUT);
    assert_int_equal(try_run("CREATE TABLE b (k int PRIMARY KEY)", &change, arena, &err), ERR_WRITE_FAILURE);
    for (uint32_t i = 0; i < table_space_shard_count(space); i++)
        for (int ms = 0; table_space_refuses_writes(space, i) && ms < 20000; ms++)
            usleep(1000);
    run("CREATE TABLE c (k int PRIMARY KEY)");
    a = table("a");
    c = table("c");
    assert_non_null(a);
    assert_non_null(c);
    assert_int_not_equal(a->id, c->id);
    table_def_unref(a);
    table_def_unref(c);
    arena_free(arena);
    close_all();
}

/* ---- removals ---- */

static struct store_ops hooked_ops;
static _Atomic int writes_left; /* the last one of them kills; 0: nobody counts */

static enum status hooked_write(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    if (atomic_load(&writes_left) > 0 && atomic_fetch_sub(&writes_left, 1) == 1)
        raise(SIGKILL);
    return store_rocksdb_ops.write(store, batch, durable, err);
}

enum { TABLES = 5 };
static uint64_t ids[TABLES];

static void make_tables(void)
{
    char text[100];

    run(CREATE_K);
    for (int i = 0; i < TABLES; i++) {
        struct table_def *def;

        snprintf(text, sizeof(text), "CREATE TABLE t%d (a int PRIMARY KEY)", i);
        run(text);
        snprintf(text, sizeof(text), "t%d", i);
        def = table(text);
        ids[i] = def->id;
        for (int32_t j = 0; j < 10; j++)
            insert(ids[i], j);
        table_def_unref(def);
    }
}

static uint32_t rows_left(void)
{
    uint32_t count = 0;

    for (int i = 0; i < TABLES; i++)
        count += count_rows(ids[i]);
    return count;
}

/* Before and after each write that a DROP and its removal make. The child goes on with what the one before it left. */
static void killed_at_any_write_rows_go_with_their_tables(void **state)
{
    uint32_t shards;

    hooked_ops = store_rocksdb_ops;
    hooked_ops.write = hooked_write;
    open_all(&hooked_ops);
    shards = table_space_shard_count(space);
    close_all();
    teardown(state);
    for (uint32_t n = 1; n <= 2 + shards; n++) {
        struct table_def *def;
        bool is_dropped;
        int status;
        pid_t child;

        setup_jobs(state);
        open_all(&hooked_ops);
        make_tables();
        close_all();
        child = fork();
        if (child == 0) {
            open_all(&hooked_ops);
            atomic_store(&writes_left, (int)n);
            run("DROP KEYSPACE k");
            end();
            _exit(1);
        }
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        open_all(&hooked_ops);
        def = table("t0");
        is_dropped = !def;
        table_def_unref(def);
        assert_int_equal(is_dropped, n > 1);
        end();
        assert_int_equal(rows_left(), is_dropped ? 0 : 10 * TABLES);
        assert_int_equal(show().count, 0);
        assert_int_equal(catalog_removal_count(catalog), 0);
        close_all();
        teardown(state);
    }
    setup_jobs(state);
}

/* While another job's step goes on, what is dropped gathers in one job. */
static void tables_that_wait_are_removed_together(void **state)
{
    open_all(&store_rocksdb_ops);
    make_tables();
    shared->blocks = true;
    add("a", 1);
    await(&shared->begun);
    run("DROP TABLE t0");
    run("DROP TABLE t1");
    run("DROP TABLE t2");
    assert_int_equal(catalog_removal_count(catalog), 3);
    assert_string_equal(show().text, "counting 0/1 steps running;removal 0/3 tables;");
    shared->blocks = false;
    sem_post(&shared->go_on);
    end();
    assert_int_equal(rows_left(), 20);
    assert_int_equal(catalog_removal_count(catalog), 0);
    close_all();
}

/* All that the stores hold, once it is in as few files as can be. */
static uint64_t stored(void)
{
    struct store_properties properties;
    bool refuses;
    uint64_t count = 0;
    struct error err;

    must(table_flush(space, &err), &err);
    must(table_compact(space, &err), &err);
    for (uint32_t i = 0; i < table_space_shard_count(space); i++) {
        table_space_properties(space, i, &properties, &refuses);
        count += properties.key_count_estimate;
    }
    return count;
}

/* Not even for days: whoever truncates all day long would make each start look through what it has left. */
static void jobs_that_are_over_leave_nothing(void **state)
{
    uint64_t before, after;
    int tries = 0;

    open_all(&store_rocksdb_ops);
    make_tables();
    add("a", 1);
    end();
    sleep(2); /* what was deleted in this second is still kept */
    before = stored();
    /* On a busy machine that second may be over before it is looked at. */
    do {
        for (int i = 0; i < 20; i++)
            add("a", 1);
        end();
        after = stored();
    } while (after <= before && ++tries < 10);
    assert_true(after > before);
    sleep(2);
    assert_int_equal(stored(), before);
    close_all();
}

/* A DROP that is refused leaves nothing to remove, alone or beside others that wait. */
static void a_refused_drop_removes_nothing(void **state)
{
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    struct error err;
    uint32_t before;

    open_all(&store_rocksdb_ops);
    make_tables();
    shared->blocks = true;
    add("a", 1);
    await(&shared->begun);
    for (int i = 0; i < 2; i++) {
        struct table_def *own = catalog->own_table;

        before = show().count;
        catalog->own_table = table_def_clone(own, 0, 0); /* commands for a table that isn't there are refused */
        catalog->own_table->id = 999;
        table_def_finish(catalog->own_table);
        assert_int_not_equal(try_run("DROP TABLE t1", &change, arena, &err), OK);
        table_def_unref(catalog->own_table);
        catalog->own_table = own;
        assert_int_equal(show().count, before);
        assert_int_equal(catalog_removal_count(catalog), i);
        if (i == 0)
            run("DROP TABLE t0");
    }
    shared->blocks = false;
    sem_post(&shared->go_on);
    end();
    assert_int_equal(rows_left(), 40);
    run("DROP TABLE t1");
    end();
    assert_int_equal(rows_left(), 30);
    close_all();
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_any_write_rows_go_with_their_tables, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(a_job_is_done_step_by_step, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(jobs_take_turns, setup_jobs, teardown),
        cmocka_unit_test(killed_in_any_step_it_goes_on),
        cmocka_unit_test_setup_teardown(stopping_loses_no_step, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(what_fails_is_tried_again_and_holds_nobody_up, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_shown, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(a_kind_that_nobody_knows_waits, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(in_doubt_a_job_is_done_once_more, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(what_a_failed_change_left_is_asked_when_it_is_known, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(a_step_of_an_older_job_is_not_believed, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(tables_that_wait_are_removed_together, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(a_refused_drop_removes_nothing, setup_jobs, teardown),
        cmocka_unit_test_setup_teardown(jobs_that_are_over_leave_nothing, setup_jobs, teardown),
    };

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

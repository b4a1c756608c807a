/* Power cuts and failing disks under the owners, on the file system that forgets what was not synced.
 *
 * Each round three ports keep requests in flight over all shards, a reader looks at random keys, and the plug is pulled at a random
 * moment (sometimes with torn writes). After the restart no acknowledged write may be lost, none that was shown, and the two rows
 * of one command are both there or neither. With syncing switched off the same test must notice the loss: it can fail.
 *
 * A ledger is a partition whose commands each add to a counter, number themselves in a second one, and mostly write or delete something
 * besides: a row, one with a TTL, a range. Its state after a restart must be the one after some number of its commands, exactly: every
 * acknowledged addition is in the sum once, others once or not at all, and deletions and lives are those of the same commands.
 *
 * HELENUS_CRASH_ROUNDS: how many rounds (make crash: 200).
 */
#include "base/log.h"
#include "row/counter.h"
#include "table/bed.h"

#include <poll.h>
#include <pthread.h>

enum { WRITERS = 3, KEYS = 24, IN_FLIGHT = 32, ROUNDS_DEFAULT = 12, ROUNDS_OF_A_DISK = 20 };
enum { LEDGERS = 4, LEDGER_ROWS = 8, CHANGES_MAX = 4096, NOW_S = 1000000000, TTL_S = 1000 };

static struct table_bed bed = { .engine = &store_rocksdb_ops, .shards = 2 };

/* What is known of a key: versions are numbers that grow. */
struct known {
    uint32_t next;
    _Atomic uint32_t acknowledged, shown;
};
static struct known known[WRITERS][KEYS];

enum change_kind { CHANGE_NUMBERS, CHANGE_ROW, CHANGE_EXPIRING, CHANGE_DELETE_ROW, CHANGE_DELETE_RANGE, CHANGE_KINDS };

/* One command of a ledger. */
struct change {
    enum change_kind kind;
    uint32_t first, last; /* rows */
    int32_t delta;
};

struct ledger_state {
    uint32_t count; /* commands so far */
    int64_t sum;
    uint32_t values[LEDGER_ROWS]; /* which command wrote it; 0: not there */
    bool expires[LEDGER_ROWS];
};

static struct ledger {
    struct ledger_state base; /* as it was after the last restart */
    struct change changes[CHANGES_MAX];
    uint32_t change_count; /* since; the writer's */
    _Atomic uint32_t acknowledged, shown;
} ledgers[WRITERS][LEDGERS];

struct slot {
    struct table_request request;
    struct buffer command;
    struct error err;
    struct known *key;
    struct ledger *ledger; /* instead of a key */
    uint32_t version;
    bool busy;
};

struct writer {
    pthread_t thread;
    uint32_t index;
    uint64_t random;
    struct table_port *port;
    struct slot slots[IN_FLIGHT];
};

static _Atomic bool cut, reading;
static _Atomic uint32_t acknowledged_now;

static void set_key(uint8_t key[8], uint32_t writer, uint32_t number)
{
    store_be32(key, writer);
    store_be32(key + 4, number * 0x9e3779b9);
}

static void on_done(struct table_request *request)
{
    struct slot *slot = CONTAINER_OF(request, struct slot, request);

    slot->busy = false;
    if (request->status) {
        if (request->status != ERR_WRITE_TIMEOUT && request->status != ERR_WRITE_FAILURE)
            abort();
        return;
    }
    _Atomic uint32_t *acknowledged = slot->ledger ? &slot->ledger->acknowledged : &slot->key->acknowledged;
    if (slot->version > atomic_load(acknowledged))
        atomic_store(acknowledged, slot->version);
    atomic_fetch_add(&acknowledged_now, 1);
}

/* Two rows with the same version. */
static void submit(struct writer *w, struct slot *slot)
{
    uint32_t number = bed_below(&w->random, KEYS);
    uint8_t key[8], value[200] = { 0 };
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(value, sizeof(value)));
    struct table_fragment fragments[2] = { { .kind = KEY_ROW, .clustering = BYTES_LITERAL("a"), .row = ROW_EMPTY },
                                           { .kind = KEY_ROW, .clustering = BYTES_LITERAL("b"), .row = ROW_EMPTY } };

    set_key(key, w->index, number);
    slot->ledger = NULL;
    slot->key = &known[w->index][number];
    slot->version = ++slot->key->next;
    store_be32(value, slot->version);
    for (int i = 0; i < 2; i++) {
        fragments[i].row.cells = &cell;
        fragments[i].row.cell_count = 1;
    }
    buffer_reset(&slot->command);
    slot->request = (struct table_request){ .done = on_done, .error = &slot->err };
    slot->request.token = bed_encode(&slot->command, bytes_of(key, 8), fragments, 2);
    slot->request.command = buffer_bytes(&slot->command);
    slot->busy = true;
    bed_must(table_submit(w->port, &slot->request, &slot->err), &slot->err);
}

/* ---- ledgers ---- */

static const char row_names[] = "01234567cn"; /* rows, then the two counters: of commands, and the sum */

static void set_ledger_key(uint8_t key[8], uint32_t writer, uint32_t number)
{
    store_be32(key, writer + WRITERS);
    store_be32(key + 4, number * 0x9e3779b9);
}

static struct table_fragment counted(struct cell *cell, uint8_t bytes[8], const char *name, int64_t delta)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = bytes_of(name, 1), .row = ROW_EMPTY };

    store_be64(bytes, (uint64_t)delta);
    *cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(bytes, 8));
    cell->kind = CELL_COUNTER;
    fragment.row.cells = cell;
    fragment.row.cell_count = 1;
    return fragment;
}

/* What a command does besides counting. */
static struct table_fragment changed(struct cell *cell, uint8_t bytes[4], const struct change *change, uint32_t version)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = bytes_of(&row_names[change->first], 1) };

    fragment.row = ROW_EMPTY;
    if (change->kind == CHANGE_ROW || change->kind == CHANGE_EXPIRING) {
        store_be32(bytes, version);
        *cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(bytes, 4));
        if (change->kind == CHANGE_EXPIRING) {
            cell->kind = CELL_EXPIRING;
            cell->ttl_s = TTL_S;
            cell->local_s = NOW_S + TTL_S;
        }
        fragment.row.cells = cell;
        fragment.row.cell_count = 1;
        return fragment;
    }
    fragment.row.deletion = (struct deletion){ TIMESTAMP_SERVER, NOW_S };
    if (change->kind == CHANGE_DELETE_RANGE) {
        fragment.kind = KEY_RANGE;
        fragment.clustering_end = bytes_of(&row_names[change->last], 1);
        fragment.start_inclusive = fragment.end_inclusive = true;
    }
    return fragment;
}

static void apply_change(struct ledger_state *state, const struct change *change)
{
    bool writes = change->kind == CHANGE_ROW || change->kind == CHANGE_EXPIRING;

    state->count++;
    state->sum += change->delta;
    if (change->kind == CHANGE_NUMBERS)
        return;
    for (uint32_t i = change->first; i <= change->last; i++) {
        state->values[i] = writes ? state->count : 0;
        state->expires[i] = change->kind == CHANGE_EXPIRING;
    }
}

static bool submit_change(struct writer *w, struct slot *slot)
{
    uint32_t number = bed_below(&w->random, LEDGERS), count = 2;
    struct ledger *ledger = &ledgers[w->index][number];
    struct change *change = &ledger->changes[ledger->change_count];
    struct table_fragment fragments[3];
    struct cell cells[3];
    uint8_t key[8], bytes[3][8];
    struct apply_command command = { .table_id = BED_TABLE, .fragments = fragments, .now_s = NOW_S, .durable = true };

    if (ledger->change_count == CHANGES_MAX)
        return false;
    *change = (struct change){ .kind = (enum change_kind)bed_below(&w->random, CHANGE_KINDS),
                               .first = bed_below(&w->random, LEDGER_ROWS),
                               .delta = 1 + (int32_t)bed_below(&w->random, 1000) };
    change->last = change->first;
    if (change->kind == CHANGE_DELETE_RANGE)
        change->last += bed_below(&w->random, LEDGER_ROWS - change->first);
    slot->ledger = ledger;
    slot->version = ledger->base.count + ++ledger->change_count;
    fragments[0] = counted(&cells[0], bytes[0], &row_names[LEDGER_ROWS], 1);
    fragments[1] = counted(&cells[1], bytes[1], &row_names[LEDGER_ROWS + 1], change->delta);
    if (change->kind != CHANGE_NUMBERS)
        fragments[count++] = changed(&cells[2], bytes[2], change, slot->version);
    set_ledger_key(key, w->index, number);
    command.partition_key = bytes_of(key, 8);
    command.token = token_of_partition_key(command.partition_key);
    command.fragment_count = count;
    buffer_reset(&slot->command);
    table_encode_add(&slot->command, &command);
    slot->request = (struct table_request){ .done = on_done, .error = &slot->err, .token = command.token };
    slot->request.command = buffer_bytes(&slot->command);
    slot->busy = true;
    bed_must(table_submit(w->port, &slot->request, &slot->err), &slot->err);
    return true;
}

/* What a reader sees at NOW_S, and whether what is to expire is gone later. */
static enum status read_ledger(struct table_port *port, struct arena *arena, uint32_t writer, uint32_t number,
                               bool later, struct ledger_state *seen, struct error *err)
{
    struct read_command command;
    struct read_result result;
    uint8_t key[8];
    enum status status;

    set_ledger_key(key, writer, number);
    command = bed_read(bytes_of(key, 8));
    command.now_s = later ? NOW_S + TTL_S : NOW_S;
    arena_reset(arena);
    memset(seen, 0, sizeof(*seen));
    status = table_read(port, &command, true, arena, &result, err);
    if (status || !result.partition_count)
        return status;
    for (uint32_t i = 0; i < result.partitions[0].row_count; i++) {
        const struct read_row *row = &result.partitions[0].rows[i];
        const struct cell *cell = &row->row->cells[0];
        uint32_t at = (uint32_t)(strchr(row_names, row->clustering.data[0]) - row_names);

        if (at == LEDGER_ROWS) {
            seen->count = (uint32_t)counter_total(cell->value);
        } else if (at > LEDGER_ROWS) {
            seen->sum = counter_total(cell->value);
        } else {
            seen->values[at] = load_be32(cell->value.data);
            seen->expires[at] = cell->kind == CELL_EXPIRING;
        }
    }
    return OK;
}

static bool is_same(const struct ledger_state *a, const struct ledger_state *b)
{
    for (uint32_t i = 0; i < LEDGER_ROWS; i++)
        if (a->values[i] != b->values[i] || a->expires[i] != b->expires[i])
            return false;
    return a->count == b->count && a->sum == b->sum;
}

/* Whether what is there is what some of its commands make of it, all that were acknowledged or shown among them. */
static bool is_kept(struct table_port *port, struct arena *arena, uint32_t writer, uint32_t number)
{
    struct ledger *ledger = &ledgers[writer][number];
    struct ledger_state seen, late, wanted = ledger->base;
    struct error err;

    bed_must(read_ledger(port, arena, writer, number, false, &seen, &err), &err);
    bed_must(read_ledger(port, arena, writer, number, true, &late, &err), &err);
    assert_true(seen.count <= ledger->base.count + ledger->change_count);
    if (seen.count < ledger->base.count || seen.count < ledger->acknowledged || seen.count < ledger->shown)
        return false;
    for (uint32_t i = 0; wanted.count < seen.count; i++)
        apply_change(&wanted, &ledger->changes[i]);
    if (!is_same(&seen, &wanted))
        return false;
    ledger->base = wanted;
    ledger->change_count = 0;
    ledger->acknowledged = ledger->shown = wanted.count;
    for (uint32_t i = 0; i < LEDGER_ROWS; i++)
        if (wanted.expires[i])
            wanted.values[i] = wanted.expires[i] = 0;
    return is_same(&late, &wanted);
}

static void look_at_ledger(struct table_port *port, struct arena *arena, uint32_t writer, uint32_t number)
{
    struct ledger *ledger = &ledgers[writer][number];
    uint32_t acknowledged = atomic_load(&ledger->acknowledged);
    struct ledger_state seen;
    struct error err;

    if (read_ledger(port, arena, writer, number, false, &seen, &err))
        return; /* the disk is gone */
    if (seen.count < acknowledged)
        abort();
    if (seen.count > atomic_load(&ledger->shown))
        atomic_store(&ledger->shown, seen.count);
}

static void *write_on(void *context)
{
    struct writer *w = context;

    w->port = table_port_open(bed.space);
    while (!atomic_load(&cut) || table_port_pending(w->port)) {
        struct pollfd fd = { .fd = table_port_fd(w->port), .events = POLLIN };

        for (uint32_t i = 0; i < IN_FLIGHT && !atomic_load(&cut); i++)
            if (!w->slots[i].busy && (bed_below(&w->random, 3) || !submit_change(w, &w->slots[i])))
                submit(w, &w->slots[i]);
        table_port_flush(w->port);
        poll(&fd, 1, 100);
        table_port_reap(w->port);
    }
    table_port_close(w->port);
    return NULL;
}

/* The version of a key's two rows; 0: not there. Two different ones, or one row: *torn. */
static enum status read_version(struct table_port *port, struct arena *arena, uint32_t writer, uint32_t number,
                                uint32_t *version, bool *torn, struct error *err)
{
    struct read_command command;
    struct read_result result;
    uint8_t key[8];
    enum status status;

    set_key(key, writer, number);
    command = bed_read(bytes_of(key, 8));
    arena_reset(arena);
    *version = 0;
    *torn = false;
    status = table_read(port, &command, true, arena, &result, err);
    if (status || !result.partition_count)
        return status;
    *version = load_be32(result.partitions[0].rows[0].row->cells[0].value.data);
    *torn = result.partitions[0].row_count != 2 ||
            load_be32(result.partitions[0].rows[1].row->cells[0].value.data) != *version;
    return OK;
}

static void *read_on(void *context)
{
    struct table_port *port = table_port_open(bed.space);
    struct arena *arena = arena_new(4096);
    uint64_t state = 77;

    while (atomic_load(&reading)) {
        uint32_t writer = bed_below(&state, WRITERS), number = bed_below(&state, KEYS), version;
        struct known *key = &known[writer][number];
        uint32_t acknowledged = atomic_load(&key->acknowledged);
        struct error err;
        bool torn;

        if (number < LEDGERS)
            look_at_ledger(port, arena, writer, number);
        if (read_version(port, arena, writer, number, &version, &torn, &err))
            continue; /* the disk is gone */
        if (torn || version < acknowledged)
            abort();
        if (version > atomic_load(&key->shown))
            atomic_store(&key->shown, version);
    }
    table_port_close(port);
    arena_free(arena);
    return NULL;
}

/* How many keys and ledgers have lost what was acknowledged or shown. */
static uint32_t count_losses(void)
{
    struct table_port *port = table_port_open(bed.space);
    struct arena *arena = arena_new(4096);
    uint32_t lost = 0;

    for (uint32_t writer = 0; writer < WRITERS; writer++)
        for (uint32_t number = 0; number < KEYS; number++) {
            struct known *key = &known[writer][number];
            uint32_t version;
            struct error err;
            bool torn;

            bed_must(read_version(port, arena, writer, number, &version, &torn, &err), &err);
            assert_true(version <= key->next);
            if (torn || version < key->acknowledged || version < key->shown)
                lost++;
            key->acknowledged = key->shown = version; /* from here on that is the truth */
        }
    for (uint32_t writer = 0; writer < WRITERS; writer++)
        for (uint32_t number = 0; number < LEDGERS; number++)
            lost += !is_kept(port, arena, writer, number);
    table_port_close(port);
    arena_free(arena);
    return lost;
}

static uint32_t run_round(uint64_t *random)
{
    static struct writer writers[WRITERS];
    pthread_t reader;
    uint32_t goal = bed_below(random, 4) ? bed_below(random, 3000) : 0;

    atomic_store(&cut, false);
    atomic_store(&reading, true);
    atomic_store(&acknowledged_now, 0);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i].index = i;
        writers[i].random = bed_random(random) | 1;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    }
    assert_int_equal(pthread_create(&reader, NULL, read_on, NULL), 0);
    for (int waited = 0; atomic_load(&acknowledged_now) < goal && waited < 2000; waited++)
        usleep(100);
    usleep(bed_below(random, 2000));
    forgetful_cut(bed.files);
    usleep(bed_below(random, 500));
    atomic_store(&cut, true);
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        for (uint32_t s = 0; s < IN_FLIGHT; s++)
            buffer_fini(&writers[i].slots[s].command);
    }
    atomic_store(&reading, false);
    pthread_join(reader, NULL);
    bed_close_space(&bed);
    forgetful_restart(bed.files, bed_below(random, 2));
    bed_open_space(&bed);
    return count_losses();
}

static void new_disk(uint64_t seed)
{
    if (bed.files) {
        bed_close(&bed);
        forgetful_free(bed.files);
    }
    memset(known, 0, sizeof(known));
    memset(ledgers, 0, sizeof(ledgers));
    bed.files = forgetful_new(seed);
    bed_open(&bed);
}

static void forget_disk(void)
{
    bed_close(&bed);
    forgetful_free(bed.files);
    bed.files = NULL;
}

static int rounds_wanted(void)
{
    const char *rounds = getenv("HELENUS_CRASH_ROUNDS");

    return rounds && atoi(rounds) > 0 ? atoi(rounds) : ROUNDS_DEFAULT;
}

static void nothing_acknowledged_or_shown_is_lost(void **state)
{
    uint64_t random = 20240607, total = 0;

    for (int round = 0; round < rounds_wanted(); round++) {
        if (round % ROUNDS_OF_A_DISK == 0)
            new_disk(1000 + (uint64_t)round);
        if (run_round(&random))
            fail_msg("round %d lost writes", round);
        total += atomic_load(&acknowledged_now);
    }
    print_message("%llu writes acknowledged\n", (unsigned long long)total);
    assert_true(total > 100); /* it was not idle */
    forget_disk();
}

static void without_syncs_the_loss_is_noticed(void **state)
{
    uint64_t random = 4711;
    uint32_t lost = 0;

    bed.no_sync = true;
    for (int round = 0; round < 20 && !lost; round++) {
        new_disk(2000 + (uint64_t)round);
        lost = run_round(&random);
    }
    bed.no_sync = false;
    assert_true(lost > 0);
    forget_disk();
}

/* ---- a disk that fails and comes back ---- */

static enum status put(struct table_port *port, const char *key, uint32_t version, struct error *err)
{
    uint8_t value[4];
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(value, 4));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };

    store_be32(value, version);
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    return bed_apply(port, bytes_of_string(key), &fragment, err);
}

static uint32_t get(struct table_port *port, const char *key)
{
    struct read_command command = bed_read(bytes_of_string(key));
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;
    uint32_t version;

    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    version = result.partition_count ? load_be32(result.partitions[0].rows[0].row->cells[0].value.data) : 0;
    arena_free(arena);
    return version;
}

/* Writes until it is taken again; never later than a few seconds after the fault is gone. */
static void write_comes_back(struct table_port *port, const char *key, uint32_t version)
{
    enum status status = ERR_WRITE_FAILURE;
    struct error err;

    for (int tries = 0; status && tries < 1500; tries++) {
        status = put(port, key, version, &err);
        assert_true(status == OK || status == ERR_WRITE_FAILURE || status == ERR_WRITE_TIMEOUT);
        if (status)
            usleep(10000);
    }
    bed_must(status, &err);
    assert_int_equal(get(port, key), version);
}

static void a_failed_sync_is_survived(void **state)
{
    struct store_properties properties;
    struct table_port *port;
    struct error err;
    bool refuses;

    bed.shards = 1;
    new_disk(1);
    port = table_port_open(bed.space);
    bed_must(put(port, "k", 1, &err), &err);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(put(port, "k", 2, &err), ERR_WRITE_TIMEOUT); /* outcome unknown */
    assert_int_equal(put(port, "k", 3, &err), ERR_WRITE_FAILURE); /* not done */
    table_space_properties(bed.space, 0, &properties, &refuses);
    assert_true(refuses);
    assert_true(get(port, "k") == 1 || get(port, "k") == 2); /* reads go on */
    forgetful_fail_sync(bed.files, false);
    write_comes_back(port, "k", 4);
    table_space_properties(bed.space, 0, &properties, &refuses);
    assert_false(refuses);
    table_port_close(port);
    bed_close_space(&bed);
    forgetful_cut(bed.files);
    forgetful_restart(bed.files, true);
    bed_open_space(&bed);
    port = table_port_open(bed.space);
    assert_int_equal(get(port, "k"), 4);
    table_port_close(port);
    forget_disk();
    bed.shards = 2;
}

static void a_full_disk_is_survived(void **state)
{
    struct table_port *port;
    uint32_t acknowledged = 0;
    enum status status = OK;
    struct error err;

    bed.shards = 1;
    new_disk(2);
    port = table_port_open(bed.space);
    forgetful_capacity(bed.files, forgetful_used(bed.files) + 20000);
    for (uint32_t version = 1; version < 2000 && !status; version++) {
        status = put(port, "k", version, &err);
        if (!status)
            acknowledged = version;
    }
    assert_int_equal(status, ERR_WRITE_TIMEOUT);
    assert_true(acknowledged > 0);
    assert_true(get(port, "k") >= acknowledged);
    forgetful_capacity(bed.files, UINT64_MAX);
    write_comes_back(port, "k", 5000);
    table_port_close(port);
    forget_disk();
    bed.shards = 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_is_survived),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(nothing_acknowledged_or_shown_is_lost),
        cmocka_unit_test(without_syncs_the_loss_is_noticed),
    };

    log_set_level(LOG_LEVEL_NONE); /* that shards refuse writes is what is tested */
    return cmocka_run_group_tests(tests, NULL, NULL);
}

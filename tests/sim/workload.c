/* What will be asked, and what will happen; see workload.h. */
#include "workload.h"

#include "base/random.h"
#include "row/semantics.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS \
    "(p int, c int, s int static, a int, b int, m map<int, int>, e set<int>, l list<int>, PRIMARY KEY (p, c))"
const char *const workload_definitions[] = {
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE k.t " COLUMNS, "CREATE TABLE k.u " COLUMNS " WITH gc_grace_seconds = %lld",
    "CREATE TABLE k.n (p int, c int, x counter, y counter, PRIMARY KEY (p, c))", NULL
};

static struct random source;
static int64_t next_value;

static uint32_t below(uint32_t n)
{
    return (uint32_t)random_below(&source, n);
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

static void say(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char *text, const char *format, ...)
{
    size_t at = strlen(text), room = sizeof(((struct event *)NULL)->text) - at;
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(text + at, room, format, arguments);
    va_end(arguments);
    assert(written >= 0 && (size_t)written < room);
}

/* ---- writes ---- */

/* A statement, and what it means to its partition. */
struct making {
    struct workload *plan;
    struct event *event;
    uint32_t index; /* of the event: where elements of lists go is told by it */
    struct part *part;
    const char *table;
    uint32_t p, c;
    int64_t ttl_s, at;
    bool in_batch;
};

static struct mutation *mutate(struct making *m, enum mutation_kind kind, int64_t key, int64_t value)
{
    struct model_write *write = &m->part->write;
    struct mutation *mutation = &write->mutations[write->count++];

    assert(write->count <= MUTATIONS_MAX);
    *mutation = (struct mutation){ kind, m->c, key, value, m->ttl_s, m->at };
    return mutation;
}

static void say_using(struct making *m, bool with_ttl)
{
    char *text = m->event->text;

    if (m->ttl_s && with_ttl && m->at)
        say(text, " USING TTL %lld AND TIMESTAMP %lld", (long long)m->ttl_s, (long long)m->at);
    else if (m->ttl_s && with_ttl)
        say(text, " USING TTL %lld", (long long)m->ttl_s);
    else if (m->at)
        say(text, " USING TIMESTAMP %lld", (long long)m->at);
}

static void say_row(struct making *m)
{
    say(m->event->text, " WHERE p = %u AND c = %u", KEY_FROM + m->p, m->c);
}

static int64_t value(void)
{
    return ++next_value;
}

static void make_insert(struct making *m, bool is_conditional)
{
    int64_t a = is_conditional || one_in(3) ? (int64_t)below(3) : value(), b = value();
    bool with_b = one_in(3), with_a = !one_in(6);
    char *text = m->event->text;

    say(text, "INSERT INTO k.%s (p, c%s%s) VALUES (%u, %u", m->table, with_a ? ", a" : "", with_b ? ", b" : "",
        KEY_FROM + m->p, m->c);
    mutate(m, PUT_MARK, 0, 0);
    if (with_a) {
        say(text, ", %lld", (long long)a);
        mutate(m, PUT_A, 0, a);
    }
    if (with_b) {
        say(text, ", %lld", (long long)b);
        mutate(m, PUT_B, 0, b);
        m->event->uses_b = true;
    }
    say(text, ")%s", is_conditional ? " IF NOT EXISTS" : "");
    say_using(m, true);
}

static void begin_update(struct making *m)
{
    say(m->event->text, "UPDATE k.%s", m->table);
    say_using(m, true);
    say(m->event->text, " SET ");
}

static void make_update(struct making *m)
{
    int64_t v = one_in(3) ? (int64_t)below(3) : value();
    char *text = m->event->text;

    begin_update(m);
    switch (below(4)) {
    case 0:
        say(text, "s = %lld WHERE p = %u", (long long)v, KEY_FROM + m->p);
        mutate(m, PUT_S, 0, v);
        return;
    case 1:
        say(text, "b = %lld", (long long)v);
        mutate(m, PUT_B, 0, v);
        m->event->uses_b = true;
        break;
    case 2:
        say(text, "a = %lld, s = %lld", (long long)v, (long long)v);
        mutate(m, PUT_A, 0, v);
        mutate(m, PUT_S, 0, v);
        break;
    default: say(text, "a = %lld", (long long)v); mutate(m, PUT_A, 0, v);
    }
    say_row(m);
}

static void make_collection(struct making *m)
{
    int64_t key = below(ELEMENTS), v = value();
    char *text = m->event->text;

    switch (below(8)) {
    case 0:
    case 1:
        begin_update(m);
        say(text, "m[%lld] = %lld", (long long)key, (long long)v);
        mutate(m, MAP_PUT, key, v);
        break;
    case 2:
        begin_update(m);
        say(text, "m = {%lld: %lld}", (long long)key, (long long)v);
        mutate(m, MAP_CLEAR, 0, 0);
        mutate(m, MAP_PUT, key, v);
        break;
    case 3:
        say(text, "DELETE m[%lld] FROM k.%s", (long long)key, m->table);
        say_using(m, false);
        mutate(m, MAP_REMOVE, key, 0);
        break;
    case 4:
        say(text, "DELETE m FROM k.%s", m->table);
        say_using(m, false);
        mutate(m, MAP_DELETE, 0, 0);
        break;
    case 5:
        begin_update(m);
        say(text, "e = e + {%lld}", (long long)key);
        mutate(m, SET_PUT, key, 0);
        break;
    case 6:
        begin_update(m);
        say(text, "e = e - {%lld}", (long long)key);
        mutate(m, SET_REMOVE, key, 0);
        break;
    case 7:
        begin_update(m);
        say(text, "e = {%lld}", (long long)key);
        mutate(m, SET_CLEAR, 0, 0);
        mutate(m, SET_PUT, key, 0);
        break;
    }
    say_row(m);
}

/* Rows with such are kept by their owner. */
static void make_long_list(struct making *m, int64_t place)
{
    enum { LONG = 262 };

    for (int64_t i = 0; i < LONG; i++)
        say(m->event->text, "%s%lld", i ? "," : "l = [", (long long)model_fill(i));
    say(m->event->text, "]");
    mutate(m, LIST_CLEAR, 0, 0);
    mutate(m, LIST_FILL, place, LONG);
}

/* Where an element goes says the time of its request; so one session alone writes the lists of a partition. */
static void make_list(struct making *m)
{
    int64_t v = one_in(3) ? (int64_t)below(3) : value(), place = (int64_t)m->index * 1000 + 1;
    char *text = m->event->text;

    m->at = 0;
    m->c = 0;
    switch (below(9)) {
    case 0:
    case 1:
    case 2:
        begin_update(m);
        say(text, "l = l + [%lld]", (long long)v);
        mutate(m, LIST_PUT, place, v);
        break;
    case 3:
        begin_update(m);
        say(text, "l = [%lld] + l", (long long)v);
        mutate(m, LIST_PUT, -place, v);
        break;
    case 4:
        begin_update(m);
        if (m->plan->features.long_lists) {
            make_long_list(m, place);
            break;
        }
        say(text, "l = [%lld, %lld]", (long long)v, (long long)v + 1);
        mutate(m, LIST_CLEAR, 0, 0);
        mutate(m, LIST_PUT, place, v);
        mutate(m, LIST_PUT, place + 1, v + 1);
        break;
    case 5:
    case 6:
        m->event->has_place = true;
        v = value();
        begin_update(m);
        say(text, "l[%u] = %lld", (unsigned)place % 3, (long long)v);
        mutate(m, LIST_SET_AT, place % 3, v);
        break;
    case 7:
        m->event->has_place = true;
        m->ttl_s = 0;
        say(text, "DELETE l[%u] FROM k.%s", (unsigned)place % 2, m->table);
        mutate(m, LIST_REMOVE_AT, place % 2, 0);
        break;
    case 8:
        begin_update(m);
        say(text, "l = l - [%lld]", (long long)v);
        mutate(m, LIST_DISCARD, 0, v);
        break;
    }
    say_row(m);
}

static void make_delete(struct making *m)
{
    char *text = m->event->text;
    uint32_t to;

    m->ttl_s = 0;
    switch (below(8)) {
    case 0:
        say(text, "DELETE a FROM k.%s", m->table);
        say_using(m, false);
        say_row(m);
        mutate(m, DELETE_A, 0, 0);
        return;
    case 1:
        say(text, "DELETE s FROM k.%s", m->table);
        say_using(m, false);
        say(text, " WHERE p = %u", KEY_FROM + m->p);
        mutate(m, DELETE_S, 0, 0);
        return;
    case 2:
    case 3:
    case 4:
        say(text, "DELETE FROM k.%s", m->table);
        say_using(m, false);
        say_row(m);
        mutate(m, DELETE_ROW, 0, 0);
        return;
    case 5:
    case 6:
        to = m->c + below(ROWS - m->c);
        say(text, "DELETE FROM k.%s", m->table);
        say_using(m, false);
        if (one_in(2))
            say(text, " WHERE p = %u AND c >= %u AND c <= %u", KEY_FROM + m->p, m->c, to);
        else
            say(text, " WHERE p = %u AND c > %d AND c < %u", KEY_FROM + m->p, (int)m->c - 1, to + 1);
        mutate(m, DELETE_RANGE, m->c, to);
        return;
    default:
        say(text, "DELETE FROM k.%s", m->table);
        say_using(m, false);
        say(text, " WHERE p = %u", KEY_FROM + m->p);
        mutate(m, DELETE_PARTITION, 0, 0);
        return;
    }
}

static struct model_condition *add_condition(struct making *m, enum condition_kind kind)
{
    struct model_write *write = &m->part->write;
    struct model_condition *condition = &write->conditions[write->condition_count++];

    assert(write->condition_count <= CONDITIONS_MAX);
    *condition = (struct model_condition){ kind, m->c, below(3) };
    return condition;
}

static void make_conditional(struct making *m)
{
    struct model_condition *condition;
    char *text = m->event->text;
    int64_t v = below(3);

    m->at = 0;
    switch (below(5)) {
    case 0:
        add_condition(m, CONDITION_NOT_EXISTS);
        make_insert(m, true);
        return;
    case 1:
        add_condition(m, CONDITION_EXISTS);
        begin_update(m);
        say(text, "a = %lld", (long long)v);
        say_row(m);
        say(text, " IF EXISTS");
        mutate(m, PUT_A, 0, v);
        return;
    case 2:
        m->ttl_s = 0;
        add_condition(m, CONDITION_EXISTS);
        say(text, "DELETE FROM k.%s", m->table);
        say_row(m);
        say(text, " IF EXISTS");
        mutate(m, DELETE_ROW, 0, 0);
        return;
    case 3:
        if (m->part->write.condition_count) { /* of a batch, one is enough */
            make_update(m);
            return;
        }
        condition = add_condition(m, CONDITION_S_IS);
        begin_update(m);
        say(text, "s = %lld WHERE p = %u IF s = %lld", (long long)v, KEY_FROM + m->p, (long long)condition->value);
        mutate(m, PUT_S, 0, v);
        return;
    default:
        condition = add_condition(m, CONDITION_A_IS);
        begin_update(m);
        say(text, "a = %lld", (long long)v);
        say_row(m);
        say(text, " IF a = %lld", (long long)condition->value);
        mutate(m, PUT_A, 0, v);
        return;
    }
}

static struct part *add_part(struct event *event, uint32_t lane)
{
    struct part *part = &event->parts[event->part_count++];

    assert(event->part_count <= PARTS_MAX && lane < LANES);
    part->lane = lane;
    return part;
}

static void begin_statement(struct making *m, bool on_u)
{
    const struct features *features = &m->plan->features;

    m->table = on_u ? "u" : "t";
    m->ttl_s = features->ttl && one_in(3) ? 1 + below(20) : 0;
    /* What a purge leaves open is asked of neither: see workload.h. */
    m->at = features->client_times && !on_u && one_in(3) ? 2 * (500 * (1 + below(8)) + m->index) : 0;
}

static bool draw_u(const struct workload *plan)
{
    return plan->tables == 3 ? one_in(2) : plan->tables == 2;
}

static void make_write(struct making *m)
{
    const struct features *features = &m->plan->features;
    bool on_u = draw_u(m->plan);
    uint32_t kind = below(12);

    m->p = below(m->plan->partitions);
    m->c = below(m->plan->rows);
    m->part = add_part(m->event, (on_u ? LANE_U : LANE_T) + m->p);
    begin_statement(m, on_u);
    if (kind < 3 && features->deletes)
        make_delete(m);
    else if (kind < 6 && features->conditions)
        make_conditional(m);
    else if (kind < 8 && features->collections)
        make_collection(m);
    else if (kind < 10 && features->lists && m->p % m->plan->sessions == m->event->session)
        make_list(m);
    else if (one_in(2))
        make_insert(m, false);
    else
        make_update(m);
}

/* Of one partition, each statement of another row. */
static void make_conditional_batch(struct making *m)
{
    bool on_u = draw_u(m->plan);
    uint32_t count = 1 + below(CONDITIONS_MAX), c = below(ROWS);

    m->p = below(m->plan->partitions);
    m->part = add_part(m->event, (on_u ? LANE_U : LANE_T) + m->p);
    say(m->event->text, "BEGIN BATCH ");
    for (uint32_t i = 0; i < count; i++) {
        m->c = (c + i) % ROWS;
        begin_statement(m, on_u);
        m->at = 0;
        if (i && one_in(3))
            make_insert(m, false);
        else
            make_conditional(m);
        say(m->event->text, "; ");
    }
    say(m->event->text, "APPLY BATCH");
}

/* Partitions of either table, each once. */
static void make_batch(struct making *m)
{
    uint32_t count = 1 + below(4), first = below(2 * m->plan->partitions);
    bool is_logged = !one_in(4);

    if (count > 2 * m->plan->partitions)
        count = 2 * m->plan->partitions;
    say(m->event->text, "BEGIN %sBATCH ", is_logged ? "" : "UNLOGGED ");
    m->event->whole = is_logged;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t which = (first + i) % (2 * m->plan->partitions);
        bool on_u = which >= m->plan->partitions;
        uint32_t statements = 1 + (one_in(3) ? 1 : 0), c = below(ROWS);

        m->p = which % m->plan->partitions;
        m->part = add_part(m->event, (on_u ? LANE_U : LANE_T) + m->p);
        for (uint32_t k = 0; k < statements; k++) {
            m->c = (c + k) % ROWS;
            begin_statement(m, on_u);
            if (m->plan->features.deletes && one_in(3)) {
                make_delete(m);
            } else {
                make_insert(m, false);
            }
            say(m->event->text, "; ");
        }
    }
    say(m->event->text, "APPLY BATCH");
}

static void make_count(struct making *m)
{
    bool is_batch = m->plan->features.batches && one_in(3);
    uint32_t count = is_batch ? 1 + below(m->plan->partitions) : 1, first = below(m->plan->partitions);

    m->event->is_counter = true;
    if (is_batch)
        say(m->event->text, "BEGIN COUNTER BATCH ");
    for (uint32_t i = 0; i < count; i++) {
        int64_t by = (int64_t)below(9) - 4;
        bool x = one_in(2);

        m->p = (first + i) % m->plan->partitions;
        m->c = below(2);
        m->ttl_s = m->at = 0;
        m->part = add_part(m->event, LANE_N + m->p);
        say(m->event->text, "UPDATE k.n SET %c = %c %c %lld", x ? 'x' : 'y', x ? 'x' : 'y', by < 0 ? '-' : '+',
            (long long)(by < 0 ? -by : by));
        say_row(m);
        mutate(m, x ? ADD_X : ADD_Y, 0, by);
        if (is_batch)
            say(m->event->text, "; ");
    }
    if (is_batch)
        say(m->event->text, "APPLY BATCH");
}

/* ---- reads ---- */

static void make_read(struct making *m)
{
    struct event *event = m->event;
    bool counts = m->plan->features.counters && one_in(4);
    uint32_t first = counts ? LANE_N : draw_u(m->plan) ? LANE_U : LANE_T, kind = below(10);
    const char *table = first == LANE_N ? "n" : first == LANE_U ? "u" : "t";
    bool with_b = !m->plan->features.alters || one_in(2), is_in = false;
    struct model_read read = { .to = ROWS - 1 };

    m->p = below(m->plan->partitions);
    m->c = below(ROWS);
    event->ask = ASK_READ;
    event->is_counter = counts;
    event->first_lane = first;
    event->lane_count = m->plan->partitions;
    read.columns = counts ? WITH_X | WITH_Y : WITH_S | WITH_A | WITH_MAP | WITH_SET | WITH_LIST | (with_b ? WITH_B : 0);
    if (!counts && with_b)
        event->uses_b = true;
    if (!counts && kind == 9) {
        read.distinct = true;
        read.columns = WITH_S;
        event->uses_b = false;
        say(event->text, "SELECT DISTINCT p, s FROM k.%s WHERE p = %u", table, KEY_FROM + m->p);
    } else {
        say(event->text, "SELECT p, c, %s FROM k.%s",
            counts   ? "x, y"
            : with_b ? "s, a, b, m, e, l"
                     : "s, a, m, e, l",
            table);
        if (kind == 0) {
            event->is_scan = true;
            read.whole = true;
            if (m->plan->partitions > 1 && one_in(3)) { /* of two partitions */
                is_in = true;
                event->lane_count = 2;
                first += below(m->plan->partitions - 1);
                say(event->text, " WHERE p IN (%u, %u)", KEY_FROM + first % PARTITIONS,
                    KEY_FROM + 1 + first % PARTITIONS);
            }
        } else if (kind < 4) {
            read.whole = true;
            say(event->text, " WHERE p = %u", KEY_FROM + m->p);
        } else if (kind < 7) {
            read.from = read.to = (int32_t)m->c;
            say_row(m);
        } else {
            read.from = (int32_t)m->c;
            read.to = (int32_t)(m->c + below(ROWS - m->c));
            say(event->text, " WHERE p = %u AND c >= %d AND c <= %d", KEY_FROM + m->p, read.from, read.to);
        }
        if (!event->is_scan && one_in(3)) {
            read.reversed = true;
            say(event->text, " ORDER BY c DESC");
        }
        if (!event->is_scan && one_in(4)) {
            read.limit = 1 + below(3);
            say(event->text, " LIMIT %u", read.limit);
        } else if (m->plan->features.pages && !is_in && one_in(2)) {
            event->page_size = 1 + (int32_t)below(2);
        }
    }
    if (event->is_scan) {
        for (uint32_t i = 0; i < event->lane_count; i++) {
            struct part *part = add_part(event, first + i);

            part->is_read = true;
            part->read = read;
        }
    } else {
        struct part *part = add_part(event, first + m->p);

        part->is_read = true;
        part->read = read;
    }
}

void workload_create_u(char *text, const struct workload *plan)
{
    sprintf(text, workload_definitions[2], (long long)plan->grace_s);
}

/* The table u goes, or comes again; it may be there, or not. */
static void make_drop(struct making *m)
{
    struct event *event = m->event;

    event->ask = ASK_DEFINE;
    if (one_in(3))
        say(event->text, "DROP TABLE k.u");
    else
        workload_create_u(event->text, m->plan);
    for (uint32_t i = 0; i < m->plan->partitions; i++) {
        m->part = add_part(event, LANE_U + i);
        mutate(m, TRUNCATE, 0, 0);
    }
}

static void make_definition(struct making *m)
{
    const struct features *features = &m->plan->features;
    struct event *event = m->event;
    uint32_t which = below(features->alters ? 4 : 1), first, count = m->plan->partitions;

    event->ask = ASK_DEFINE;
    if (which == 0 || !features->definitions) {
        uint32_t table = below(3);

        if (!features->definitions)
            table = 3;
        if (table < 3) {
            first = table * PARTITIONS;
            say(event->text, "TRUNCATE k.%c", "tun"[table]);
            for (uint32_t i = 0; i < count; i++) {
                m->part = add_part(event, first + i);
                mutate(m, TRUNCATE, 0, 0);
            }
            return;
        }
        which = 1 + below(3);
    }
    event->uses_b = true;
    first = one_in(2) ? LANE_U : LANE_T;
    say(event->text, which == 1 ? "ALTER TABLE k.%s DROP b" : "ALTER TABLE k.%s ADD b int",
        first == LANE_U ? "u" : "t");
    for (uint32_t i = 0; i < count; i++) {
        m->part = add_part(event, first + i);
        if (which == 1)
            mutate(m, DROP_B, 0, 0);
    }
}

static void make_ask(struct workload *plan, struct event *event, uint32_t index)
{
    struct making m = { .plan = plan, .event = event, .index = index };
    const struct features *features = &plan->features;
    uint32_t kind = below(20);

    event->kind = EVENT_ASK;
    event->session = below(plan->sessions);
    event->prepared = one_in(3);
    if (kind < 7)
        make_read(&m);
    else if (kind < 10 && features->counters)
        make_count(&m);
    else if (kind < 12 && features->batches && features->conditions && one_in(3))
        make_conditional_batch(&m);
    else if (kind < 12 && features->batches)
        make_batch(&m);
    else if (kind == 12 && features->drops && one_in(2))
        make_drop(&m);
    else if (kind == 12 && (features->definitions || features->alters) && one_in(2))
        make_definition(&m);
    else
        make_write(&m);
    event->bound = event->prepared && features->bound && event->ask != ASK_DEFINE;
}

/* ---- what happens ---- */

static bool make_happening(struct workload *plan, struct event *event)
{
    const struct features *features = &plan->features;

    switch (below(10)) {
    case 0:
        event->kind = EVENT_ADVANCE;
        event->amount = 1 + below(one_in(4) ? 60 : 6);
        return features->advances;
    case 1:
        event->kind = EVENT_CLOCK;
        event->amount = (int64_t)below(40) - 30;
        return features->clock;
    case 2:
        event->kind = EVENT_COLD;
        event->amount = below(2) ? 0 : 1 + below(6);
        return features->cold;
    case 3:
    case 4:
        event->kind = !plan->on_rocksdb || one_in(3) ? EVENT_FAIL : one_in(2) ? EVENT_FULL : EVENT_SYNC_FAIL;
        event->amount = below(4);
        return features->fails;
    case 5:
    case 6: event->kind = EVENT_CUT; return features->cuts;
    case 7:
        event->kind = plan->on_rocksdb && one_in(2) ? EVENT_KILL : EVENT_RESTART;
        return features->restarts && one_in(2);
    case 8: event->kind = EVENT_SWEEP; return features->sweeps;
    default:
        event->kind = one_in(2) && plan->on_rocksdb ? EVENT_FLUSH : EVENT_COMPACT;
        /* Compactions find what has just come due, before the sweeper. */
        if (event->kind == EVENT_COMPACT && features->advances && plan->grace_s < 60)
            event->amount = plan->grace_s + 1 + (one_in(2) ? PURGE_AFTER_S : 0);
        return features->compactions && (!plan->on_rocksdb || one_in(2));
    }
}

static void draw_features(struct workload *plan)
{
    struct features *f = &plan->features;

    f->bound = one_in(2);
    f->ttl = one_in(3);
    f->client_times = one_in(3);
    f->conditions = one_in(2);
    f->batches = one_in(2);
    f->counters = one_in(3);
    f->deletes = one_in(2);
    f->collections = one_in(2);
    f->lists = one_in(3);
    f->definitions = one_in(5);
    f->alters = one_in(8);
    f->drops = one_in(8);
    f->cold = one_in(2);
    f->fails = one_in(3);
    f->cuts = one_in(2);
    f->restarts = one_in(3);
    f->sweeps = one_in(2);
    f->clock =
        one_in(4) && !f->ttl && !f->lists; /* what expires or is placed by time is not asked of a clock that jumps */
    f->compactions = one_in(2);
    f->advances = one_in(2);
    f->pages = one_in(2);
    f->long_lists = f->lists && one_in(2);
}

void workload_make(struct workload *plan, uint64_t seed, bool on_rocksdb, uint32_t asks)
{
    memset(plan, 0, offsetof(struct workload, events));
    random_seed(&source, seed * 2 + on_rocksdb);
    next_value = 10;
    plan->seed = seed;
    plan->on_rocksdb = on_rocksdb;
    draw_features(plan);
    plan->shards = 1 + below(3);
    plan->sessions = 1 + below(SESSIONS_MAX);
    plan->switch_one_in = 1 + below(12);
    plan->step_us_max = one_in(2) ? 12 : one_in(2) ? 300 : 3000;
    plan->partitions = one_in(4) ? 1 : 2 + below(PARTITIONS - 1);
    plan->rows = one_in(3) ? 1 + below(2) : ROWS;
    plan->tables = one_in(2) ? 3 : 1 + below(2);
    plan->row_cache_bytes = one_in(2) ? 2 << 20 : 0;
    plan->chunk_rows = one_in(2) ? 1 + below(2) : 0;
    /* A part of a batch may come later than what deletes it; if that was purged meanwhile, it stands. That is not asked. */
    plan->grace_s = plan->features.batches ? 864000 : below(3) * 5;
    for (uint32_t made = 0; made < asks && plan->count + 1 < EVENTS_MAX;) {
        struct event *event = &plan->events[plan->count];

        memset(event, 0, sizeof(*event));
        event->after = plan->count;
        if (one_in(6)) {
            plan->count += make_happening(plan, event);
            continue;
        }
        make_ask(plan, event, plan->count++);
        made++;
    }
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Columns are ints, but timestamps and what is added to counters. */
uint32_t event_bind(const struct event *event, char *text, uint8_t bytes[][8], uint32_t *sizes)
{
    const char *from = event->text;
    uint32_t count = 0;

    while (*from) {
        bool begins = from == event->text || !is_word(from[-1]),
             has_sign = *from == '-' && from[1] >= '0' && from[1] <= '9';
        bool is_number = begins && (has_sign || (*from >= '0' && *from <= '9'));
        long long number;
        char *end;

        if (!is_number) {
            *text++ = *from++;
            continue;
        }
        assert(count < VALUES_MAX);
        number = strtoll(from, &end, 10);
        sizes[count] = 4;
        if (from - event->text > 10 && !strncmp(from - 10, "TIMESTAMP ", 10))
            sizes[count] = 8;
        if (event->is_counter && from - event->text > 2 && (from[-2] == '+' || from[-2] == '-'))
            sizes[count] = 8;
        for (uint32_t i = 0; i < sizes[count]; i++)
            bytes[count][i] = (uint8_t)((uint64_t)number >> (8 * (sizes[count] - 1 - i)));
        count++;
        from = end;
        *text++ = '?';
    }
    *text = 0;
    return count;
}

static const char *name_of(const struct event *event)
{
    switch (event->kind) {
    case EVENT_ASK: return "ask";
    case EVENT_ADVANCE: return "time passes, seconds:";
    case EVENT_CLOCK: return "real time jumps, seconds:";
    case EVENT_COLD: return "not in memory, of reads one in";
    case EVENT_FAIL: return "a write fails";
    case EVENT_FULL: return "the disk is full for a while";
    case EVENT_SYNC_FAIL: return "syncs fail for a while";
    case EVENT_CUT: return "the power goes and comes back";
    case EVENT_KILL: return "the process is killed and started";
    case EVENT_RESTART: return "the server is stopped and started";
    case EVENT_SWEEP: return "sweep";
    case EVENT_FLUSH: return "flush";
    case EVENT_COMPACT: return "compact";
    }
    return "";
}

void event_print(FILE *out, const struct workload *plan, uint32_t index)
{
    const struct event *event = &plan->events[index];

    if (event->kind == EVENT_ASK)
        fprintf(out, "  #%-3u session %u: %s%s", index, event->session, event->text,
                event->bound      ? " (bound)"
                : event->prepared ? " (prepared)"
                                  : "");
    else
        fprintf(out, "  #%-3u %s %lld", index, name_of(event), (long long)event->amount);
    if (event->page_size)
        fprintf(out, " (pages of %d)", event->page_size);
    fprintf(out, "\n");
}

void workload_print_features(FILE *out, const struct workload *plan)
{
    const struct features *f = &plan->features;

    fprintf(out, "%s, %u shards, %u sessions, %u partitions, a switch in %u,%s%s grace %lld s:",
            plan->on_rocksdb ? "rocksdb" : "memory", plan->shards, plan->sessions, plan->partitions,
            plan->switch_one_in, plan->row_cache_bytes ? " row cache," : "", plan->chunk_rows ? " small chunks," : "",
            (long long)plan->grace_s);
#define SAY(name) fprintf(out, "%s", f->name ? " " #name : "")
    SAY(bound);
    SAY(ttl);
    SAY(client_times);
    SAY(conditions);
    SAY(batches);
    SAY(counters);
    SAY(deletes);
    SAY(collections);
    SAY(lists);
    SAY(definitions);
    SAY(alters);
    SAY(drops);
    SAY(cold);
    SAY(fails);
    SAY(cuts);
    SAY(restarts);
    SAY(sweeps);
    SAY(clock);
    SAY(compactions);
    SAY(advances);
    SAY(pages);
    SAY(long_lists);
#undef SAY
    fprintf(out, "\n");
}

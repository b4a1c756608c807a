/* Executes INSERT, UPDATE, DELETE and BATCH: values become fragments of rows (row/row.h),
 * fragments of one partition become one command to its owner. Nothing is read here but what
 * operations on lists in a batch over several partitions need; all else that depends on what
 * is there (conditions, counters, places in lists) is decided by the owner, which alone
 * writes.
 *
 * A statement is collected in full before any of it is sent. So it writes all or nothing as
 * far as errors of its values go, and on a loop it may still answer QUERY_WAITS. */
#include "query/write.h"

#include "base/debug.h"
#include "query/batch_warning.h"
#include "query/condition.h"
#include "query/json.h"
#include "query/operation.h"
#include "query/submit.h"
#include "row/key.h"
#include "row/merge.h"
#include "row/place.h"

#include <assert.h>

enum { FRAGMENTS_MAX = 1 << 20, BATCH_PARTITIONS_MAX = 65535, LOOP_KEYS_MAX = 20000 };
#define EXPIRES_MAX_S INT64_C(2147483646) /* as Cassandra 5.0 with its default storage compatibility mode */

/* ---- one statement ---- */

/* Hands a list of cells to a fragment: they share memory. */
static void put_cells(struct table_fragment *fragment, const struct cell_list *list)
{
    debug_assert(list->count <= list->capacity && list->complex_count <= list->complex_capacity);
    fragment->row.cells = list->cells;
    fragment->row.cell_count = list->count;
    fragment->row.complexes = list->complexes;
    fragment->row.complex_count = list->complex_count;
    fragment->has_places = list->has_places;
}

/* The timestamp that a client gave. The statement's own USING TIMESTAMP goes before the BATCH's,
 * and that before the protocol's; under a condition none of them counts, but a wrong one is still
 * an error. Where none was given the stamp stays as it is: the owner's time. */
static enum status stamp_time(struct execution *execution, const struct modify_plan *modify,
                              const int64_t *batch_timestamp_us, bool conditional, struct stamp *stamp)
{
    struct error *err = execution->err;
    struct bytes value;
    enum status status;
    bool given = execution->parameters->has_timestamp;

    if (given)
        stamp->timestamp_us = execution->parameters->timestamp_us;
    if (batch_timestamp_us) {
        stamp->timestamp_us = *batch_timestamp_us;
        given = true;
    }
    if (modify->timestamp) {
        status = expr_evaluate(modify->timestamp, &execution->eval, &value, err);
        if (status)
            return status;
        if (bytes_is_null(value))
            return error_set(err, ERR_INVALID, "Invalid null value of timestamp");
        if (!native_is_unset(value)) {
            if (value.size != 8)
                return error_set(err, ERR_INVALID, "Invalid timestamp value: 0x");
            stamp->timestamp_us = (int64_t)load_be64(value.data);
            given = true;
        }
    }
    if (conditional) { /* the owner's time, whatever a client or a driver says; in Cassandra it is the ballot's */
        stamp->timestamp_us = TIMESTAMP_SERVER;
        given = false;
    }
    /* Two values of a timestamp mean "the owner's time" in a command: no client may send
     * them. */
    if (given) {
        if (stamp->timestamp_us == INT64_MIN)
            return error_set(err, ERR_INVALID,
                             "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]");
        stamp->before_us = stamp->timestamp_us - 1;
        stamp->deletion_us = stamp->timestamp_us;
        if (timestamp_is_server(stamp->timestamp_us) || timestamp_is_server(stamp->before_us))
            return error_set(err, ERR_INVALID, "Timestamp %lld is reserved", (long long)stamp->timestamp_us);
    }
    return OK;
}

/* When the cells expire. USING TTL goes before the table's default; TTL null or 0 means that there
 * is none. */
static enum status stamp_ttl(struct execution *execution, const struct modify_plan *modify,
                             const struct table_def *table, struct stamp *stamp)
{
    struct error *err = execution->err;
    struct bytes value;
    int64_t ttl = table->params.default_time_to_live_s;

    if (modify->ttl) {
        enum status status = expr_evaluate(modify->ttl, &execution->eval, &value, err);
        if (status)
            return status;
        if (bytes_is_null(value)) {
            ttl = 0;
        } else if (!native_is_unset(value)) {
            if (value.size != 4)
                return error_set(err, ERR_INVALID, "Invalid TTL value: 0x");
            ttl = (int32_t)load_be32(value.data);
            if (ttl < 0)
                return error_set(err, ERR_INVALID, "A TTL must be greater or equal to 0, but was %d", (int)ttl);
            if (ttl > TTL_SECONDS_MAX)
                return error_set(err, ERR_INVALID, "ttl is too large. requested (%d) maximum (%d)", (int)ttl,
                                 (int)TTL_SECONDS_MAX);
        }
    }
    stamp->ttl_s = (int32_t)ttl;
    assert(ttl >= 0 && ttl <= TTL_SECONDS_MAX);
    if (ttl)
        stamp->expires_s = stamp->now_s + ttl;
    if (ttl && stamp->expires_s > EXPIRES_MAX_S)
        return error_set(
            err, ERR_INVALID,
            "Request on table %.*s.%.*s with ttl of %d seconds exceeds maximum supported expiration date of 2038-01-19T03:14:06+00:00. In order to avoid this use a lower TTL, change the expiration date overflow policy or upgrade to a version where this limitation is fixed. See CASSANDRA-14092 and CASSANDRA-14227 for more details.",
            BYTES(table->keyspace), BYTES(table->name), (int)ttl);
    return OK;
}

/* The timestamp, TTL and expiry that all cells of a statement get. Without a timestamp of a client's
 * the owner stamps (TIMESTAMP_SERVER), so that two writes are ordered as they are made. A
 * deletion that stands beside new values, of a collection that is overwritten, is one
 * microsecond older than they are. */
static enum status make_stamp(struct execution *execution, const struct modify_plan *modify,
                              const struct table_def *table, const int64_t *batch_timestamp_us, bool conditional,
                              struct stamp *stamp)
{
    enum status status;

    *stamp = (struct stamp){ .timestamp_us = TIMESTAMP_SERVER,
                             .before_us = TIMESTAMP_SERVER_BEFORE,
                             .deletion_us = conditional ? TIMESTAMP_SERVER_BEFORE : TIMESTAMP_SERVER,
                             .now_s = execution->eval.now_s,
                             .expires_s = TIME_NONE };
    status = stamp_time(execution, modify, batch_timestamp_us, conditional, stamp);
    return status ? status : stamp_ttl(execution, modify, table, stamp);
}

/* Reads the live cells of one row, which operations on lists look at. *row NULL: there is no
 * such row. */
static enum status read_row_first(struct execution *execution, const struct table_def *table, struct bytes key,
                                  struct bytes clustering, bool is_static, const struct row **row)
{
    struct slice slice = { clustering, clustering, true, true };
    struct read_command command = {
        .table_id = table->id,
        .schema_version = table->version,
        .def = table,
        .partition_key = key,
        .token = token_of_partition_key(key),
        .slices = &slice,
        .slice_count = !is_static,
        .slices_are_rows = !is_static,
        .rows_wanted = !is_static,
        .static_wanted = is_static,
        .row_limit = 1,
        .row_limit_per_partition = 1,
        .byte_limit = UINT32_MAX,
        .now_s = execution->eval.now_s,
    };
    struct read_result result;
    enum status status = execution_read(execution, &command, &result);

    *row = NULL;
    if (status || !result.partition_count)
        return status;
    assert(result.partition_count == 1 && result.partitions[0].row_count <= 1);
    if (is_static)
        *row = result.partitions[0].static_row;
    else if (result.partitions[0].row_count)
        *row = result.partitions[0].rows[0].row;
    return OK;
}

/* Static cells are made anew for each partition: what they append to a list needs paths of
 * its own. */
static enum status add_static(struct execution *execution, const struct modify_plan *modify, const struct stamp *stamp,
                              struct write_set *set, struct write_part *part)
{
    struct cell_list cells;
    enum status status = operations_make_cells(execution, modify, COLUMN_STATIC, stamp, &cells);

    if (status || (!cells.count && !cells.complex_count))
        return status;
    struct table_fragment *fragment = write_set_add_fragment(set, part);
    fragment->kind = KEY_PARTITION;
    put_cells(fragment, &cells);
    set->has_places |= cells.has_places;
    return OK;
}

/* One row's fragment. An UPDATE that sets nothing writes nothing; an INSERT writes its
 * liveness, by which the row exists without any cell; a DELETE of no column deletes the row. */
static void add_row(const struct modify_plan *modify, const struct stamp *stamp,
                    const struct clustering_value *clustering, const struct cell_list *cells, struct write_set *set,
                    struct write_part *part)
{
    bool deletes_row = modify->kind == MODIFY_DELETE && !modify->operation_count;

    assert(clustering->encoded.data);
    if (!cells->count && !cells->complex_count && modify->kind != MODIFY_INSERT && !deletes_row)
        return;
    struct table_fragment *fragment = write_set_add_fragment(set, part);
    fragment->kind = KEY_ROW;
    fragment->clustering = clustering->encoded;
    fragment->row.written_clustering = clustering->written;
    put_cells(fragment, cells);
    set->has_places |= cells->has_places;
    if (modify->kind == MODIFY_INSERT)
        fragment->row.liveness = (struct liveness){ stamp->timestamp_us, stamp->ttl_s, stamp->expires_s };
    if (deletes_row) /* hides what its batch writes to the row, before or after it */
        fragment->row.deletion = (struct deletion){ stamp->timestamp_us, stamp->now_s };
}

/* What a statement writes to one partition: its deletion, or ranges of rows, or rows. */
static enum status add_partition(struct execution *execution, const struct modify_plan *modify,
                                 const struct table_def *table, const struct stamp *stamp,
                                 const struct clustering_value *rows, uint32_t row_count, const struct slice *slices,
                                 uint32_t slice_count, struct cell_list *cells, struct write_set *set,
                                 struct write_part *part)
{
    enum status status = OK;

    if (modify->deletes_partitions) {
        struct table_fragment *fragment = write_set_add_fragment(set, part);

        fragment->kind = KEY_PARTITION;
        fragment->row.deletion = (struct deletion){ stamp->deletion_us, stamp->now_s };
        return OK;
    }
    for (uint32_t i = 0; i < slice_count; i++) {
        struct table_fragment *fragment = write_set_add_fragment(set, part);

        fragment->kind = KEY_RANGE;
        fragment->clustering = slices[i].start;
        fragment->clustering_end = slices[i].end;
        fragment->start_inclusive = slices[i].start_inclusive;
        fragment->end_inclusive = slices[i].end_inclusive;
        fragment->row.deletion = (struct deletion){ stamp->deletion_us, stamp->now_s };
    }
    if (modify->touches_static)
        status = add_static(execution, modify, stamp, set, part);
    for (uint32_t i = 0; i < row_count && !status; i++)
        add_row(modify, stamp, &rows[i], cells, set, part);
    return status;
}

/* A statement with IN writes the same to many partitions. Those that nothing else was written
 * to share the fragments of the first, until something is added to them: a thousand keys take
 * the memory of one. Not shared is what differs between them later: places in lists and
 * static cells. */
static enum status add_partitions(struct execution *execution, const struct modify_plan *modify,
                                  const struct table_def *table, const struct stamp *stamp,
                                  const struct clustering_value *rows, uint32_t row_count, const struct slice *slices,
                                  uint32_t slice_count, struct cell_list *cells, const struct partition_list *keys,
                                  struct write_set *set)
{
    bool is_first = set->count == 0, shares = !modify->touches_static && !cells->has_places;
    uint32_t shared = UINT32_MAX;
    enum status status = OK;

    assert(!row_count || !slice_count); /* rows are written, or ranges of them deleted */
    write_set_reserve(set, keys->count);
    for (uint32_t i = 0; i < keys->count && !status; i++) {
        struct write_part *part = is_first ? NULL : write_set_find(set, table, keys->keys[i]); /* keys are there once */

        if (!part)
            part = write_set_add(set, table, keys->keys[i]);
        if (shares && shared != UINT32_MAX && !part->count) {
            const struct write_part *same = &set->parts[shared];

            part->fragments = same->fragments;
            part->count = part->capacity = same->count; /* full: who adds to it copies it */
            set->fragment_count += same->count;
            continue;
        }
        if (!part->count)
            shared = (uint32_t)(part - set->parts);
        status = add_partition(execution, modify, table, stamp, rows, row_count, slices, slice_count, cells, set, part);
        if (!status)
            status = arena_check(set->arena, execution->err);
    }
    return status;
}

/* INSERT JSON: the members of the object are bound behind the statement's own values; the plan's
 * operations refer to them there. Only this statement's eval sees them. */
static enum status bind_json(struct execution *execution, const struct modify_plan *modify,
                             const struct table_def *table)
{
    struct eval *eval = &execution->eval;
    struct bytes *binds = arena_alloc(eval->arena, sizeof(*binds) * (eval->bind_count + table->column_count)), text;
    enum status status;

    if (eval->bind_count)
        memcpy(binds, eval->binds, sizeof(*binds) * eval->bind_count);
    status = expr_evaluate(modify->json, eval, &text, execution->err);
    if (!status)
        status =
            json_bind(table, text, modify->json_default_unset, eval->arena, binds + eval->bind_count, execution->err);
    if (!status)
        eval->binds = binds;
    return status;
}

/* Adds what one statement writes to the set: its values are evaluated, the partitions and
 * rows that it names are found, its operations become cells. Cells are made once and serve
 * all rows. */
static enum status collect(struct execution *execution, const struct plan *plan, const int64_t *batch_timestamp_us,
                           struct write_set *set)
{
    const struct modify_plan *modify = plan->modify;
    const struct table_def *table = plan->table;
    struct error *err = execution->err;
    struct eval *eval = &execution->eval;
    struct clustering_value none = { bytes_of("", 0), { NULL, 0 } }, *rows = &none;
    uint32_t row_count = 1, slice_count = 0;
    struct slice *slices = NULL;
    struct partition_list keys;
    struct stamp stamp;
    struct cell_list cells = { 0 };
    enum status status = modify->json ? bind_json(execution, modify, table) : OK;

    if (status)
        return status;
    /* Before anything is written: a worker runs the statement again from the beginning. */
    if (!execution->context->may_wait && access_is_long(&modify->where.access, table, eval, LOOP_KEYS_MAX))
        return ERR_WOULD_WAIT;
    status = make_stamp(execution, modify, table, batch_timestamp_us, set->is_conditional, &stamp);
    if (!status)
        status = access_partitions(&modify->where.access, table, eval, &keys, err);
    if (status)
        return status;
    if (modify->deletes_ranges) {
        bool nothing;

        row_count = 0;
        status = access_slices(&modify->where.access, table, eval, &slices, &slice_count, &nothing, err);
    } else if (!modify->touches_rows) {
        row_count = 0;
    } else if (table->clustering_count && !modify->deletes_partitions) {
        status = access_rows(&modify->where.access, table, eval, &rows, &row_count, err);
    }
    if (status)
        return status;
    /* IN on the partition key times IN on clustering columns: two short lists make a long
     * product. */
    if ((uint64_t)keys.count * (row_count + slice_count + 1) > FRAGMENTS_MAX)
        return error_set(err, ERR_INVALID, "The statement writes too many rows");
    if (row_count) {
        status = operations_make_cells(execution, modify, COLUMN_REGULAR, &stamp, &cells);
        for (uint32_t i = 0; i < cells.count && !status; i++)
            if (cells.cells[i].value.size > VALUE_BYTES_MAX)
                status = error_set(err, ERR_INVALID, "A value is too large");
        if (status)
            return status;
    }
    return add_partitions(execution, modify, table, &stamp, rows, row_count, slices, slice_count, &cells, &keys, set);
}

/* Operations that look at a list first, in a batch over several partitions. On one partition
 * its owner looks. Over several, an owner that finds a list too short would refuse when
 * others have written already, so the lists are read here, before any of it is sent, as
 * Cassandra does. What another client writes to the list meanwhile is not seen, as there. */
static enum status find_places(struct execution *execution, struct write_set *set)
{
    if (!set->has_places || set->count < 2)
        return OK;
    for (uint32_t p = 0; p < set->count; p++) {
        struct write_part *part = &set->parts[p];
        uint32_t kept = 0;

        for (uint32_t i = 0; i < part->count; i++) {
            struct table_fragment *fragment = &part->fragments[i];

            if (fragment->has_places) {
                const struct row *row;
                enum status status = read_row_first(execution, part->table, part->key, fragment->clustering,
                                                    fragment->kind == KEY_PARTITION, &row);

                if (!status)
                    status = place_find(set->arena, part->table, &fragment->row, row, NULL, execution->err);
                if (status)
                    return status;
                fragment->has_places = false;
                /* Deleting elements that are not there writes nothing. */
                if (row_is_empty(&fragment->row))
                    continue;
            }
            part->fragments[kept++] = *fragment;
        }
        part->count = kept;
        assert(kept <= part->capacity);
    }
    return OK;
}

/* ---- statements and batches ---- */

/* Which consistency levels a write may have. plan NULL: a batch of nothing. */
static enum status check_write_consistency(struct execution *execution, const struct plan *plan, bool conditional)
{
    const struct native_parameters *parameters = execution->parameters;

    if (plan && plan->table->is_counter) {
        if (parameters->consistency == CONSISTENCY_ANY)
            return error_set(execution->err, ERR_INVALID,
                             "Consistency level ANY is not yet supported for counter table %.*s",
                             BYTES(plan->table->name));
        if (consistency_is_serial(parameters->consistency))
            return error_set(execution->err, ERR_INVALID, "Counter operations are inherently non-serializable");
    }

    if (consistency_is_serial(parameters->consistency) && conditional)
        return error_set(
            execution->err, ERR_INVALID,
            "%s is not supported as conditional update commit consistency. Use ANY if you mean \"make sure it is accepted but I don't care how many replicas commit it for non-SERIAL reads\"",
            parameters->consistency == CONSISTENCY_SERIAL ? "SERIAL" : "LOCAL_SERIAL");
    if (consistency_is_serial(parameters->consistency))
        return error_set(execution->err, ERR_INVALID, "You must use conditional updates for serializable writes");
    if (conditional && !consistency_is_serial(parameters->serial_consistency))
        return error_set(execution->err, ERR_INVALID,
                         "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL");
    return OK;
}

/* Whether the statement writes rows, and not only static columns: what a refusal shows
 * depends on it. */
static bool names_rows(const struct plan *plan)
{
    const struct modify_plan *modify = plan->modify;

    return !plan->table->clustering_count || modify->where.access.clustering_is_complete || modify->deletes_ranges;
}

/* INSERT, UPDATE or DELETE. With IF the command asks its owner: the conditions come with the
 * write, because only the owner can look and write without another write between. */
enum query_result execute_modify(struct execution *execution)
{
    struct write_set set = { .arena = execution->request->arena, .hash_key = &execution->context->engine->hash_key };
    const struct plan *plan = execution->plan;
    bool conditional = plan_is_conditional(plan->modify);
    struct cas_set cas;
    enum status status = check_write_consistency(execution, plan, conditional);

    set.is_conditional = conditional;
    if (!status)
        status = collect(execution, plan, NULL, &set);
    if (!status && !conditional)
        status = find_places(execution, &set);
    if (!status && conditional) {
        cas_init(execution, plan->table, 1, &cas);
        cas.wants_static = plan->modify->touches_static;
        cas.wants_rows = names_rows(plan);
        status = cas_add(execution, plan, &cas);
        if (!status)
            cas_add_shown(&cas);
    }
    if (status)
        return execution_failed(execution, status);
    return write_set_submit(execution, &set, conditional ? &cas : NULL);
}

/* Whether a statement may stand in its batch, beside the first one and with the batch's timestamp.
 * Which of several faults is told is Cassandra's order. */
static enum status check_batch_part(const struct plan *plan, const struct plan *first, bool conditional,
                                    bool has_timestamp, struct error *err)
{
    const struct modify_plan *modify = plan->modify;

    if (conditional && has_timestamp)
        return error_set(err, ERR_INVALID, "Cannot provide custom timestamp for conditional BATCH");
    if (conditional && plan->table != first->table)
        return error_set(err, ERR_INVALID, "Batch with conditions cannot span multiple tables");
    if (conditional && modify->where.clustering_has_in)
        return error_set(err, ERR_INVALID, "IN on the clustering key columns is not supported with conditional %s",
                         modify->kind == MODIFY_DELETE ? "deletions" : "updates");
    if (has_timestamp && modify->timestamp)
        return error_set(err, ERR_INVALID, "Timestamp must be set either on BATCH or individual statements");
    return OK;
}

/* The statements of a batch in one set, so that what they write to one partition is one
 * command, with one timestamp. A conditional batch is of one partition of one table, as in
 * Cassandra, and then all its conditions must hold. Only a logged batch over shards needs the
 * batch log. */
enum query_result execute_batch(struct execution *execution, const struct plan *const *plans, const struct eval *evals,
                                uint32_t count, enum batch_kind kind, const int64_t *timestamp_us)
{
    struct write_set set = { .arena = execution->request->arena, .hash_key = &execution->context->engine->hash_key };
    bool conditional = false;
    struct cas_set cas;
    enum status status;

    for (uint32_t i = 0; i < count; i++)
        conditional |= plan_is_conditional(plans[i]->modify);
    assert(!count || (plans && evals));
    status = check_write_consistency(execution, count ? plans[0] : NULL, conditional);
    set.is_conditional = conditional;
    if (conditional) {
        cas_init(execution, plans[0]->table, count, &cas);
        cas.is_batch = true;
    }
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct modify_plan *modify = plans[i]->modify;

        execution->plan = plans[i];
        execution->eval = evals[i];
        /* What a refusal shows depends on all statements, see condition.c. */
        if (conditional && plan_is_conditional(modify))
            cas.wants_static |= modify->touches_static;
        if (conditional)
            cas.wants_rows |= names_rows(plans[i]);
        status = check_batch_part(plans[i], plans[0], conditional, timestamp_us != NULL, execution->err);
        if (!status)
            status = collect(execution, plans[i], timestamp_us, &set);
        if (!status && conditional && set.count > 1)
            status = error_set(execution->err, ERR_INVALID, "Batch with conditions cannot span multiple partitions");
        /* Bounds the memory of what is collected; Cassandra's native protocol allows 65535
         * statements. */
        if (!status && set.count > BATCH_PARTITIONS_MAX)
            status = error_set(execution->err, ERR_INVALID, "Batch too large");
        if (!status && plan_is_conditional(modify))
            status = cas_add(execution, plans[i], &cas);
    }
    if (!status && conditional)
        status = cas_check_mixed(set.arena, &cas, execution->err);
    if (!status && !conditional)
        status = find_places(execution, &set);
    if (!status)
        status = batch_check(execution, &set, kind, conditional);
    if (status)
        return execution_failed(execution, status);
    if (conditional)
        cas_add_shown(&cas);
    set.logged = kind == BATCH_LOGGED && !conditional;
    assert(!conditional || set.count <= 1);
    return write_set_submit(execution, &set, conditional ? &cas : NULL);
}

/* USING TIMESTAMP of the batch as a whole. *given NULL: it has none, or its marker is unset. */
static enum status batch_timestamp(struct execution *execution, int64_t *timestamp_us, const int64_t **given)
{
    const struct expr *expr = execution->plan->batch_timestamp;
    struct bytes value;
    enum status status;

    *given = NULL;
    if (!expr)
        return OK;
    status = expr_evaluate(expr, &execution->eval, &value, execution->err);
    if (status)
        return status;
    if (bytes_is_null(value))
        return error_set(execution->err, ERR_INVALID, "Invalid null value of timestamp");
    if (native_is_unset(value))
        return OK;
    *timestamp_us = (int64_t)load_be64(value.data);
    *given = timestamp_us;
    return OK;
}

/* BEGIN BATCH ... in one text: all its statements see the same bound values, so they share
 * one eval. */
enum query_result execute_batch_statement(struct execution *execution)
{
    const struct plan *plan = execution->plan;
    struct eval *evals = arena_new_array(execution->request->arena, struct eval, plan->part_count + 1);
    const int64_t *given;
    int64_t timestamp_us;
    enum status status = batch_timestamp(execution, &timestamp_us, &given);

    assert(plan->statement->kind == STATEMENT_BATCH);
    assert(!plan->part_count || plan->parts);
    if (status)
        return execution_failed(execution, status);
    for (uint32_t i = 0; i < plan->part_count; i++)
        evals[i] = execution->eval;
    return execute_batch(execution, (const struct plan *const *)plan->parts, evals, plan->part_count,
                         plan->statement->batch->kind, given);
}

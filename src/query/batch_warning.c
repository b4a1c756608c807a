/* What Cassandra warns of about batches, in its words: too large a batch, one with many
 * partitions that is not logged, one on tables with gc_grace_seconds = 0. The size is counted
 * as Cassandra counts a mutation in memory (dataSize), so that a client meets the same
 * warnings at the same batch; the sizes of parts below are those of its classes. */
#include "query/batch_warning.h"

#include "row/key.h"

#include <assert.h>

enum {
    LIVENESS_BYTES = 8,           /* as Cassandra's dataSize counts: a timestamp ... */
    EXPIRING_LIVENESS_BYTES = 20, /* ... and with a TTL, that and when it ends */
    ROW_DELETION_BYTES = 13,
    CELL_BYTES = 20,
    COMPLEX_BYTES = 12,
    PARTITION_BYTES =
        8 + LIVENESS_BYTES + ROW_DELETION_BYTES, /* its deletion, and the static row that is always there */
    RANGES_BYTES = 4,
    RANGE_BYTES = 12,
};

/* Bytes of clustering values, without what their encoding adds. Without scratch the encoded
 * size is taken, which is never smaller and quick to get. */
static uint64_t clustering_bytes(const struct table_def *table, struct bytes encoded, struct buffer *scratch)
{
    struct error err;

    if (!scratch)
        return encoded.size;
    buffer_reset(scratch);
    for (uint32_t i = 0; i < table->clustering_count && encoded.size; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + i];

        if (value_decode_key(&encoded, column->type, column->descending, scratch, &err))
            break;
    }
    return scratch->size;
}

/* Bytes of an element's key, as it was written; without scratch as it is encoded. */
static uint64_t path_bytes(const struct column_def *column, const struct cell *cell, struct buffer *scratch)
{
    struct bytes path = cell->path;
    struct error err;

    if (!bytes_is_null(cell->path_value))
        return cell->path_value.size;
    if (!scratch || !column || (column->type->kind != TYPE_SET && column->type->kind != TYPE_MAP))
        return path.size;
    buffer_reset(scratch);
    return value_decode_key(&path, column->type->params[0], false, scratch, &err) ? path.size : scratch->size;
}

/* Each cell has a fixed cost besides its value, and each collection one for its deletion. */
static uint64_t cells_bytes(const struct table_def *table, const struct row *row, struct buffer *scratch)
{
    uint64_t sum = 0;
    uint32_t complex_id = UINT32_MAX;

    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        bool is_complex = !bytes_is_null(cell->path);

        sum += CELL_BYTES + cell->value.size;
        if (!is_complex)
            continue;
        sum += path_bytes(table_def_column_by_id(table, cell->column_id), cell, scratch);
        if (cell->column_id != complex_id)
            sum += COMPLEX_BYTES;
        complex_id = cell->column_id;
    }
    return sum;
}

/* What Cassandra would say is the size of one partition's part of a batch. Statements for the
 * same row that follow one another are one row there; a column that they write twice is
 * counted twice. */
static uint64_t part_bytes(const struct write_part *part, struct buffer *scratch)
{
    uint64_t sum = PARTITION_BYTES;
    const struct table_fragment *last = NULL;
    bool has_ranges = false;

    assert(part->table && part->count <= part->capacity);
    for (uint32_t i = 0; i < part->count; i++) {
        const struct table_fragment *fragment = &part->fragments[i];

        if (fragment->kind == KEY_RANGE) {
            sum += RANGE_BYTES + (has_ranges ? 0 : RANGES_BYTES);
            sum += clustering_bytes(part->table, fragment->clustering, scratch);
            sum += clustering_bytes(part->table, fragment->clustering_end, scratch);
            has_ranges = true;
            continue;
        }
        if (fragment->kind == KEY_ROW && !(last && bytes_equal(last->clustering, fragment->clustering))) {
            sum += clustering_bytes(part->table, fragment->clustering, scratch) + ROW_DELETION_BYTES;
            sum += fragment->row.liveness.ttl_s ? EXPIRING_LIVENESS_BYTES : LIVENESS_BYTES;
            last = fragment;
        }
        sum += cells_bytes(part->table, &fragment->row, scratch);
    }
    return sum;
}

/* "ks.a, ks.b": the tables of the parts, each once. NULL which: all of them. */
static uint32_t name_tables(struct buffer *names, const struct write_set *set, bool (*which)(const struct table_def *))
{
    uint32_t tables = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct table_def *table = set->parts[i].table;
        bool known = which && !which(table);

        for (uint32_t k = 0; k < i && !known; k++)
            known = set->parts[k].table == table;
        if (!known)
            buffer_printf(names, "%s%.*s.%.*s", tables++ ? ", " : "", BYTES(table->keyspace), BYTES(table->name));
    }
    return tables;
}

static uint64_t set_bytes(const struct write_set *set, struct buffer *scratch)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < set->count; i++)
        sum += part_bytes(&set->parts[i], scratch);
    return sum;
}

/* Only a batch of several partitions is measured: one partition is written at once, however
 * large. It is measured twice: quickly and never too small, and exactly only if that passes a
 * threshold. So most batches pay little. */
static enum status check_size(struct execution *execution, const struct write_set *set)
{
    CLEANUP(buffer_fini) struct buffer names = { 0 }, scratch = { 0 };
    const struct query_engine *engine = execution->context->engine;
    uint64_t sum = set_bytes(set, NULL), limit;

    assert(set->count > 1);
    if (!is_past_threshold(&engine->batch_warn_bytes, sum) && !is_past_threshold(&engine->batch_fail_bytes, sum))
        return OK;
    sum = set_bytes(set, &scratch);
    assert(sum);
    if (is_past_threshold(&engine->batch_fail_bytes, sum))
        return error_set(execution->err, ERR_INVALID, "Batch too large");
    limit = atomic_load_explicit(&engine->batch_warn_bytes, memory_order_relaxed);
    if (!limit || sum <= limit)
        return OK;
    name_tables(&names, set, NULL);
    execution_warn(execution->request,
                   "Batch for [%.*s] is of size %llu, exceeding specified threshold of %llu by %llu.",
                   BYTES(buffer_bytes(&names)), (unsigned long long)sum, (unsigned long long)limit,
                   (unsigned long long)(sum - limit));
    return OK;
}

static bool has_no_grace(const struct table_def *table)
{
    return table->params.gc_grace_s == 0;
}

/* Cassandra's batch log expires with gc_grace_seconds. Ours does not, but the warning is part
 * of what clients see. */
static void warn_of_grace(struct execution *execution, const struct write_set *set)
{
    CLEANUP(buffer_fini) struct buffer names = { 0 };
    uint32_t tables = name_tables(&names, set, has_no_grace);

    if (tables)
        execution_warn(
            execution->request,
            "Executing a LOGGED BATCH on table%s [%.*s], configured with a gc_grace_seconds of 0. The gc_grace_seconds is used to TTL batchlog entries, so setting gc_grace_seconds too low on tables involved in an atomic batch might cause batchlog entries to expire before being replayed.",
            tables == 1 ? "" : "s", BYTES(buffer_bytes(&names)));
}

static void warn_of_partitions(struct execution *execution, const struct write_set *set)
{
    CLEANUP(buffer_fini) struct buffer names = { 0 };
    uint32_t tables = name_tables(&names, set, NULL);

    execution_warn(
        execution->request,
        "Unlogged batch covering %u partitions detected against table%s [%.*s]. You should use a logged batch for atomicity, or asynchronous writes for performance.",
        set->count, tables == 1 ? "" : "s", BYTES(buffer_bytes(&names)));
}

/* Warnings come in Cassandra's order. A conditional batch is of one partition and never
 * logged. */
enum status batch_check(struct execution *execution, const struct write_set *set, enum batch_kind kind,
                        bool conditional)
{
    enum status status = set->count > 1 ? check_size(execution, set) : OK;

    if (status)
        return status;
    if (kind == BATCH_LOGGED && !conditional)
        warn_of_grace(execution, set);
    if (kind == BATCH_UNLOGGED && is_past_threshold(&execution->context->engine->batch_warn_partitions, set->count))
        warn_of_partitions(execution, set);
    return OK;
}

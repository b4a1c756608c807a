/* Gathers live rows into the result of a read and stops at the command's limits.
 *
 * Readers of stored tables and of computed ones hand their rows to the same collector, so LIMIT, PER
 * PARTITION LIMIT and the size of a page are decided in one place. A reader calls begin, add for
 * each live row, end for each partition; it stops when add says so. Everything lies in the request's
 * arena. */
#include "table/collect.h"

#include "base/debug.h"

#include <assert.h>

void collector_init(struct collector *c, const struct read_command *command, struct arena *arena)
{
    *c = (struct collector){ .command = command, .arena = arena, .rows_left = command->row_limit };
}

/* A partition becomes part of the result only in collector_end, when it is known whether something
 * of it lives. */
void collector_begin(struct collector *c, int64_t token, struct bytes partition_key, const struct row *static_row,
                     bool static_stands)
{
    assert(!c->stopped);
    assert(!partition_key.size || partition_key.data);
    c->token = token;
    c->partition_key = partition_key;
    c->static_row = static_row;
    c->static_stands = static_stands;
    c->rows = NULL;
    c->row_count = c->row_capacity = 0;
    c->any_row = false;
}

/* What a row counts towards the size of a page: its values, and the keys of its collections'
 * elements. */
static size_t row_bytes(const struct row *row)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < row->cell_count; i++)
        bytes += row->cells[i].value.size + row->cells[i].path.size;
    return bytes;
}

/* Rows that were asked for by their keys come in known number: the first memory is for all of them. */
static void push_row(struct collector *c, struct bytes clustering, const struct row *row)
{
    uint32_t named = c->command->slices_are_rows ? c->command->slice_count : 0,
             first = named && named < 16 ? named : 16;

    c->rows = arena_room(c->arena, c->rows, c->row_count, &c->row_capacity, first, sizeof(*c->rows));
    debug_assert(!c->command->row_limit_per_partition || c->row_count < c->command->row_limit_per_partition);
    c->rows[c->row_count++] = (struct read_row){ clustering, row };
}

/* Where only partitions are wanted (SELECT DISTINCT) the first live row is enough to know that the
 * partition is there.
 *
 * The page ends behind a row, never before its first: a row that is larger than a page is given
 * alone. */
bool collector_add(struct collector *c, struct bytes clustering, const struct row *row)
{
    debug_assert(!c->stopped && c->rows_left);
    debug_assert(row->cells || !row->cell_count);
    c->work.rows_read++;
    if (!c->command->rows_wanted) {
        c->any_row = true;
        return true;
    }
    push_row(c, clustering, row);
    c->bytes += clustering.size + row_bytes(row);
    c->rows_left--;
    if (!c->rows_left || (c->command->byte_limit && c->bytes >= c->command->byte_limit)) {
        c->stopped = true;
        return true;
    }
    return c->command->row_limit_per_partition && c->row_count >= c->command->row_limit_per_partition;
}

/* A partition with neither rows nor a static row is left out. One with only a static row counts as a
 * row, as in Cassandra. */
void collector_end(struct collector *c)
{
    const struct row *static_row = c->command->static_wanted ? c->static_row : NULL;

    assert(c->row_count <= c->row_capacity && !(c->row_count && c->any_row));
    if (!c->row_count && !c->any_row && !(c->static_row && c->static_stands))
        return;
    c->partitions =
        arena_room(c->arena, c->partitions, c->partition_count, &c->partition_capacity, 1, sizeof(*c->partitions));
    c->partitions[c->partition_count++] =
        (struct read_partition){ c->partition_key, c->token, static_row, c->rows, c->row_count };
    if (!c->row_count && c->rows_left && !--c->rows_left)
        c->stopped = true;
    if (static_row) {
        c->bytes += row_bytes(static_row);
        if (c->command->byte_limit && c->bytes >= c->command->byte_limit)
            c->stopped = true;
    }
}

/* Not stopped means that the reader came to its end: there is no further page. */
void collector_finish(struct collector *c, struct read_result *result)
{
    assert(c->partition_count <= c->partition_capacity);
    assert(c->rows_left || c->stopped || !c->command->row_limit);
    c->work.bytes_read = c->bytes;
    *result = (struct read_result){ c->partitions, c->partition_count, c->stopped, c->work };
}

/* A bound is a prefix: all clusterings that begin with it are on the same side of it. An inclusive
 * bound lets them in, an exclusive one keeps them out. */
static bool slice_contains(const struct slice *slice, struct bytes clustering)
{
    if (slice->start.size) {
        bool inside = bytes_starts_with(clustering, slice->start);

        if (inside ? !slice->start_inclusive : bytes_compare(clustering, slice->start) < 0)
            return false;
    }
    if (slice->end.size) {
        bool inside = bytes_starts_with(clustering, slice->end);

        if (inside ? !slice->end_inclusive : bytes_compare(clustering, slice->end) > 0)
            return false;
    }
    return true;
}

/* For scans over partitions, which meet every row. Slices are few there, so they are tried one after
 * the other. */
bool slices_contain(const struct read_command *command, struct bytes clustering)
{
    if (!command->slice_count)
        return true;
    for (uint32_t i = 0; i < command->slice_count; i++)
        if (slice_contains(&command->slices[i], clustering))
            return true;
    return false;
}

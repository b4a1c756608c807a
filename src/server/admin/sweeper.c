/* Numbers of the shards' sweepers, asked for when somebody looks: a row for each shard, and their
 * sums as metrics. They are counts since the start, read without stopping anybody. */
#include "server/admin/sweeper.h"

#include "server/metrics.h"

const char sweeper_create_table[] =
    "CREATE TABLE system_views.helenus_sweeper (shard int PRIMARY KEY, blocked int, entries_dropped bigint, "
    "next_due timestamp, rows_deleted bigint, rows_shrunk bigint, steps bigint, tombstones_purged bigint) "
    "WITH comment = 'what deletions past gc_grace_seconds were swept since the start'";

/* In the order of SELECT *: the key, then the others by name. */
enum column {
    SHARD,
    BLOCKED,
    ENTRIES_DROPPED,
    NEXT_DUE,
    ROWS_DELETED,
    ROWS_SHRUNK,
    STEPS,
    TOMBSTONES_PURGED,
    COLUMN_COUNT,
};

/* From ENTRIES_DROPPED on all columns are of 8 bytes, so they are filled in one go. */
static void emit_shard(struct virtual_emit *emit, uint32_t shard, const struct sweep_progress *progress)
{
    const uint64_t counts[COLUMN_COUNT] = { [ENTRIES_DROPPED] = progress->entries_dropped,
                                            [NEXT_DUE] = (uint64_t)progress->next_due_s * 1000,
                                            [ROWS_DELETED] = progress->rows_deleted,
                                            [ROWS_SHRUNK] = progress->rows_shrunk,
                                            [STEPS] = progress->steps,
                                            [TOMBSTONES_PURGED] = progress->tombstones };
    struct bytes values[COLUMN_COUNT] = { 0 };
    uint8_t bytes[COLUMN_COUNT][8];

    store_be32(bytes[SHARD], shard);
    values[SHARD] = bytes_of(bytes[SHARD], 4);
    store_be32(bytes[BLOCKED], progress->blocked);
    values[BLOCKED] = bytes_of(bytes[BLOCKED], 4);
    for (int i = ENTRIES_DROPPED; i < COLUMN_COUNT; i++) {
        store_be64(bytes[i], counts[i]);
        values[i] = bytes_of(bytes[i], 8);
    }
    /* Nothing is due: null, and not 1970. */
    if (!progress->next_due_s)
        values[NEXT_DUE] = (struct bytes){ 0 };
    emit->row(emit, values);
}

/* Before the space is open there are no rows. */
static void rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    const struct sweeper_view *view = self->context;
    struct sweep_progress progress;

    for (uint32_t i = 0; view->space && i < table_space_shard_count(view->space); i++) {
        table_space_sweep_progress(view->space, i, &progress);
        emit_shard(emit, i, &progress);
    }
}

void sweeper_view_init(struct sweeper_view *view)
{
    view->table = (struct virtual_table){ .rows = rows, .context = view };
}

void sweeper_print_metrics(const struct sweeper_view *view, struct buffer *out)
{
    struct sweep_progress sum = { 0 }, progress;

    for (uint32_t i = 0; view->space && i < table_space_shard_count(view->space); i++) {
        table_space_sweep_progress(view->space, i, &progress);
        sum.steps += progress.steps;
        sum.rows_deleted += progress.rows_deleted;
        sum.rows_shrunk += progress.rows_shrunk;
        sum.tombstones += progress.tombstones;
        sum.blocked += progress.blocked;
        sum.failed += progress.failed;
    }
    metrics_print_value(out, "helenus_sweeper_steps_total", "counter", "Steps of the sweeper.", sum.steps);
    metrics_print_value(out, "helenus_sweeper_rows_deleted_total", "counter", "Rows swept whole.", sum.rows_deleted);
    metrics_print_value(out, "helenus_sweeper_rows_shrunk_total", "counter", "Rows swept in part.", sum.rows_shrunk);
    metrics_print_value(out, "helenus_sweeper_tombstones_total", "counter", "Tombstones purged with what they covered.",
                        sum.tombstones);
    metrics_print_value(out, "helenus_sweeper_blocked", "gauge", "Tombstones that could not be swept.", sum.blocked);
    metrics_print_value(out, "helenus_sweeper_failed", "gauge",
                        "Of the blocked tombstones, damaged ones and such as need too long a key; the others are over "
                        "rows that can't be read.",
                        sum.failed);
}

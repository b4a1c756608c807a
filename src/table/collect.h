/* table/collect.h: inside table/: rows of partitions into a read_result, under the command's limits.
 *
 * Owns:    nothing; all is in the command's arena.
 * Thread:  pure.
 */
#ifndef TABLE_COLLECT_H
#define TABLE_COLLECT_H

#include "table/table.h"

struct collector {
    const struct read_command *command;
    struct arena *arena;
    struct read_partition *partitions;
    uint32_t partition_count, partition_capacity;
    struct read_row *rows; /* of the partition at hand */
    uint32_t row_count, row_capacity;
    struct bytes partition_key;
    int64_t token;
    const struct row *static_row;
    bool static_stands; /* alone, without rows, for its partition: it was not delivered before */
    bool any_row;       /* a live row was met though rows are not wanted */
    uint32_t rows_left; /* of row_limit */
    uint64_t bytes;
    bool stopped; /* a limit was reached */
    struct work_done work;
};
void collector_init(struct collector *collector, const struct read_command *command, struct arena *arena);
/* static_stands: with no live row the partition is given for its static row. */
void collector_begin(struct collector *collector, int64_t token, struct bytes partition_key,
                     const struct row *static_row, bool static_stands);
/* True: give me no more rows of this partition. */
bool collector_add(struct collector *collector, struct bytes clustering, const struct row *row);
void collector_end(struct collector *collector);
void collector_finish(struct collector *collector, struct read_result *result);
bool slices_contain(const struct read_command *command, struct bytes clustering);

#endif

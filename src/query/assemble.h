/* query/assemble.h: cells become the values that clients see, and a row of a SELECT is put together, slot by slot.
 *
 * Shapes:  a slot is a column that the statement uses (struct select_plan); its value is wire bytes, NULL data: null.
 * Owns:    the request's arena. Values borrow from the row, from the scratch buffer until the next row, or, static ones of a partition,
 *          from the chunk's arena.
 * Errors:  ERR_CORRUPT.
 */
#ifndef QUERY_ASSEMBLE_H
#define QUERY_ASSEMBLE_H

#include "plan/plan.h"
#include "table/table.h"

/* Values of one multicell column, assembled to wire bytes appended to `out`. False: no live cell. */
bool assemble_collection(struct buffer *out, const struct type *type, const struct cell *cells, uint32_t count);

struct assembler {
    const struct select_plan *select;
    struct buffer *scratch;    /* the context's */
    struct bytes *slots;       /* the row as it is now */
    const struct cell **cells; /* by slot: the first cell of the column, NULL: none */
    uint32_t *cell_counts;
    size_t *offsets; /* of values in scratch, while a row is put together; SIZE_MAX: it is not there */
};

void assembler_init(struct assembler *assembler, struct arena *arena, const struct select_plan *select,
                    struct buffer *scratch);
/* The partition key and the static columns, for all rows of it that follow. */
void assemble_partition(struct assembler *assembler, const struct read_partition *partition, struct arena *chunk);
/* row NULL: the static row alone. */
enum status assemble_row(struct assembler *assembler, const struct read_row *row, struct error *err);

#endif

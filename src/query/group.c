/* Groups of rows, one open at a time: rows of a group follow one another, because GROUP BY
 * takes only columns of the primary key in their order. So the memory of a SELECT with groups
 * is that of one group, and a page may end between any two. */
#include "query/group.h"

#include <assert.h>
#include <stdlib.h>

void groups_init(struct groups *groups, const struct select_plan *select)
{
    assert(select->is_aggregate);
    *groups = (struct groups){ .select = select };
    groups->arena = arena_new(4096);
    groups->accumulators = xcalloc(select->aggregate_count + 1, sizeof(*groups->accumulators));
    for (uint32_t i = 0; i < select->aggregate_count; i++)
        accumulator_init(&groups->accumulators[i], &select->aggregates[i]);
}

void groups_fini(struct groups *groups)
{
    for (uint32_t i = 0; i < groups->select->aggregate_count; i++)
        accumulator_fini(&groups->accumulators[i]);
    free(groups->accumulators);
    arena_free(groups->arena);
}

/* Begins a group with its first row, whose values are copied: selectors outside of aggregates
 * show the first row, as in Cassandra, and its chunk is gone when the group ends. */
void groups_open(struct groups *groups, const struct row_view *row, struct bytes function_value)
{
    const struct select_plan *select = groups->select;
    struct arena *arena = groups->arena;

    assert(!groups->is_open);
    arena_reset(arena);
    groups->slots = arena_new_array(arena, struct bytes, select->slot_count + 1);
    groups->cells = arena_new_array(arena, const struct cell *, select->slot_count + 1);
    groups->cell_counts = arena_new_array(arena, uint32_t, select->slot_count + 1);
    groups->keys = arena_new_array(arena, struct bytes, select->group_count + 1);
    for (uint32_t i = 0; i < select->slot_count; i++) {
        if (!bytes_is_null(row->slots[i]))
            groups->slots[i] = arena_copy(arena, row->slots[i]);
        /* writetime() and ttl() look at cells, not at values. */
        if (select->wants_cells && row->cells[i]) {
            struct cell *cells = arena_alloc(arena, sizeof(*cells) * row->cell_counts[i]);

            memcpy(cells, row->cells[i], sizeof(*cells) * row->cell_counts[i]);
            for (uint32_t k = 0; k < row->cell_counts[i]; k++)
                if (!bytes_is_null(cells[k].path))
                    cells[k].path = arena_copy(arena, cells[k].path);
            groups->cells[i] = cells;
            groups->cell_counts[i] = row->cell_counts[i];
        }
    }
    assert(select->group_count <= select->slot_count);
    /* Slots of the key come first and in order, so those that are grouped by are the first
     * ones. */
    for (uint32_t i = 0; i < select->group_count; i++)
        groups->keys[i] = groups->slots[i];
    groups->function_value = bytes_is_null(function_value) ? function_value : arena_copy(arena, function_value);
    groups->is_open = true;
}

/* A null is equal to a null here: a static row alone is in the group of null clustering
 * columns. */
bool groups_hold(const struct groups *groups, const struct bytes *slots, struct bytes function_value)
{
    const struct select_plan *select = groups->select;
    uint32_t plain = select->group_count - (select->group_function ? 1 : 0);

    assert(!select->group_function || select->group_count);
    if (!groups->is_open)
        return false;
    for (uint32_t i = 0; i < plain; i++)
        if (bytes_is_null(groups->keys[i]) != bytes_is_null(slots[i]) || !bytes_equal(groups->keys[i], slots[i]))
            return false;
    if (!select->group_function)
        return true;
    return bytes_is_null(function_value) == bytes_is_null(groups->function_value) &&
           bytes_equal(function_value, groups->function_value);
}

/* Adds the row at hand to each accumulator. An unset value, which only a marker in an
 * argument can bring, counts as null. */
enum status groups_add(struct groups *groups, struct eval *eval, struct error *err)
{
    const struct select_plan *select = groups->select;
    enum status status = OK;

    assert(groups->is_open);
    for (uint32_t i = 0; i < select->aggregate_count && !status; i++) {
        struct bytes value = { NULL, 0 };

        if (select->aggregates[i].argument)
            status = expr_evaluate(select->aggregates[i].argument, eval, &value, err);
        if (!status && native_is_unset(value))
            value = bytes_of(NULL, 0);
        if (!status)
            status = work_add(eval->functions.work, accumulator_work(&groups->accumulators[i], value));
        if (!status)
            status = accumulator_add(&groups->accumulators[i], value, err);
    }
    return status;
}

/* The results lie in the group's arena until the next group is opened. */
enum status groups_show(struct groups *groups, struct row_view *view, struct error *err)
{
    const struct select_plan *select = groups->select;
    struct bytes *results = arena_new_array(groups->arena, struct bytes, select->aggregate_count + 1);
    enum status status = OK;

    assert(groups->is_open);
    for (uint32_t i = 0; i < select->aggregate_count && !status; i++)
        status = accumulator_result(&groups->accumulators[i], &results[i], err);
    *view = (struct row_view){
        .slots = groups->slots,
        .cells = (const struct cell *const *)groups->cells,
        .cell_counts = groups->cell_counts,
        .columns = select->slots,
        .aggregates = results,
    };
    return status;
}

void groups_close(struct groups *groups)
{
    for (uint32_t i = 0; i < groups->select->aggregate_count; i++)
        accumulator_reset(&groups->accumulators[i]);
    groups->is_open = false;
}

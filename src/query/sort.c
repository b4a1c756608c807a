/* The rows of a SELECT that are sorted after they are read: ORDER BY with IN on the partition
 * key. With a LIMIT only as many rows as it says are kept: the sorter fills an array, then
 * keeps a heap whose first row is the last in order, which a better row replaces. So LIMIT 10
 * of a million rows takes the memory of ten. Equal rows stay in the order in which they were
 * met, as a stable sort would have it. */
#include "query/sort.h"

#include <assert.h>
#include <stdlib.h>

/* No memory is taken before the first row. */
void sorter_init(struct sorter *sorter, const struct select_plan *select, struct arena *arena, uint32_t max)
{
    *sorter = (struct sorter){ .select = select, .arena = arena, .max = max };
}

/* Clustering columns by ORDER BY's direction, then the number by which a row was met. Nulls,
 * of a static row alone, come first however a column is ordered, as in Cassandra, and last
 * with a reversed read. */
static int compare(const void *a, const void *b, void *context)
{
    const struct select_plan *select = context;
    const struct sorted_row *left = a, *right = b;

    for (uint32_t i = 0; i < select->sort_count; i++) {
        struct bytes l = left->values[select->result_count + i], r = right->values[select->result_count + i];
        bool has_null = bytes_is_null(l) || bytes_is_null(r);
        int order = has_null ? bytes_is_null(r) - bytes_is_null(l) : value_compare(select->sort[i].type, l, r);

        if (order) /* nulls are first unless the clustering order is reversed */
            return (has_null ? select->reversed : select->sort[i].descending) ? -order : order;
    }
    return (left->number > right->number) - (left->number < right->number);
}

/* Copies a row's values into the block of the row that stood there, if they fit; else into a
 * new block of at least twice the size. The arena frees nothing, so blocks must be reused. */
static void put(struct sorter *sorter, struct sorted_row *to, const struct sorted_row *from)
{
    uint32_t width = sorter_width(sorter->select);
    size_t size = sizeof(*from->values) * width;

    for (uint32_t i = 0; i < width; i++)
        size += from->values[i].size;
    if (size > to->capacity) {
        to->capacity = size > 2 * to->capacity ? size : 2 * to->capacity;
        to->values = arena_alloc(sorter->arena, to->capacity);
    }
    assert(to->values);
    uint8_t *at = (uint8_t *)(to->values + width);
    for (uint32_t i = 0; i < width; i++) {
        struct bytes value = from->values[i];

        to->values[i] = bytes_is_null(value) ? value : bytes_of(at, value.size);
        if (value.size)
            memcpy(at, value.data, value.size);
        at += value.size;
    }
    to->number = from->number;
}

/* Restores the heap below `at`: each parent comes after its children in order. */
static void sift_down(struct sorter *sorter, uint32_t at)
{
    struct sorted_row *rows = sorter->rows, moved = rows[at];
    void *select = (void *)sorter->select;
    uint32_t child;

    assert(at < sorter->count);
    for (; (child = 2 * at + 1) < sorter->count; at = child) {
        if (child + 1 < sorter->count && compare(&rows[child + 1], &rows[child], select) > 0)
            child++;
        if (compare(&moved, &rows[child], select) >= 0)
            break;
        rows[at] = rows[child];
    }
    rows[at] = moved;
}

enum status sorter_add(struct sorter *sorter, const struct bytes *values, struct error *err)
{
    struct sorted_row row = { .values = (struct bytes *)values, .number = sorter->met++ };

    assert(sorter->count <= sorter->max && sorter->count <= SORTED_ROWS_MAX);
    /* Full: the row is kept only if it comes before the last one that is kept. */
    if (sorter->count == sorter->max) {
        if (compare(&row, &sorter->rows[0], (void *)sorter->select) < 0) {
            put(sorter, &sorter->rows[0], &row);
            sift_down(sorter, 0);
        }
        return arena_check(sorter->arena, err);
    }
    if (sorter->count == SORTED_ROWS_MAX)
        return error_set(err, ERR_INVALID,
                         "ORDER BY with IN restriction on the partition key: more than %d rows to sort",
                         SORTED_ROWS_MAX);
    sorter->rows = arena_room(sorter->arena, sorter->rows, sorter->count, &sorter->capacity, 64, sizeof(*sorter->rows));
    sorter->rows[sorter->count] = (struct sorted_row){ 0 };
    put(sorter, &sorter->rows[sorter->count++], &row);
    if (sorter->count == sorter->max)
        /* Just full: from now on a heap, so that the last row in order is found at once. */
        for (uint32_t i = sorter->count / 2; i > 0; i--)
            sift_down(sorter, i - 1);
    return arena_check(sorter->arena, err);
}

/* The heap's array is sorted in place; the order is total, so any sort gives the same. */
void sorter_finish(struct sorter *sorter)
{
    if (sorter->count)
        qsort_r(sorter->rows, sorter->count, sizeof(*sorter->rows), compare, (void *)sorter->select);
}

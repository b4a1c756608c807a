/* Hands row/'s meaning of values to the engine: merge folds, the filter purges by the table's
 * gc_grace.
 *
 * Here the key is looked at, which row/ does not know how to judge: whether it is a row's at all,
 * and of which table. Of a table that is not known nothing is purged. That is the safe answer: it
 * may have been dropped just now. */
#include "table/semantics.h"

#include "row/key.h"
#include "row/semantics.h"
#include "table/shard.h"

#include <assert.h>

/* Values are merged without their keys: a row means the same wherever it stands. */
static void merge(void *context, struct bytes key, struct bytes existing, const struct bytes *operands,
                  size_t operand_count, struct buffer *result)
{
    assert(result);
    row_semantics_merge(existing, operands, operand_count, result);
}

/* What lies below is not known, so the result is an operand again. */
static void merge_partial(void *context, struct bytes key, const struct bytes *operands, size_t operand_count,
                          struct buffer *result)
{
    row_semantics_merge((struct bytes){ 0 }, operands, operand_count, result);
}

/* The questions that cost least come first: nearly every value is kept by one of them. */
static enum store_verdict filter(void *context, const struct store_purge *purge, struct bytes key, struct bytes value,
                                 struct buffer *changed)
{
    struct table_space *space = context;
    struct table_def *def;
    int32_t gc_grace_s;

    if (!purge->whole || purge->family != STORE_DATA || key.size < KEY_PREFIX_BYTES || !load_be64(key.data) ||
        !row_semantics_can_shrink(value))
        return STORE_KEEP;
    assert(space); /* a directory at rest is not purged */
    def = space->options.table_by_id(space->options.context, load_be64(key.data));
    if (!def)
        return STORE_KEEP;
    gc_grace_s = def->params.gc_grace_s;
    table_def_unref(def);
    switch (row_semantics_filter(key, value, purge->now_us, purge->purge_before_us, gc_grace_s, changed)) {
    case ROW_REMOVE: return STORE_REMOVE;
    case ROW_CHANGE: return STORE_CHANGE;
    case ROW_KEEP: break;
    }
    return STORE_KEEP;
}

/* Records of table/'s own hold no cells: they keep no tombstone from going. */
static int64_t min_timestamp_us(void *context, enum store_family family, struct bytes key, struct bytes value)
{
    if (family != STORE_DATA || key.size < 8 || !load_be64(key.data))
        return INT64_MAX; /* table/'s own records have none */
    return row_semantics_min_timestamp_us(value);
}

/* space NULL: for a reshard, which takes the filter away. */
struct store_semantics space_semantics(struct table_space *space)
{
    return (struct store_semantics){ space, merge, merge_partial, filter, min_timestamp_us };
}

/* query/write_set.h: what a statement or a batch writes, before it is sent: one part per partition, and its fragments.
 *
 * Owns:    the arena it was given. A part's fragments may be those of another one as long as it is full (count == capacity): who adds to
 *          it copies them.
 * Errors:  none; how much may be written is its caller's to limit.
 * Thread:  the request's.
 */
#ifndef QUERY_WRITE_SET_H
#define QUERY_WRITE_SET_H

#include "base/hash.h"
#include "table/table.h"

struct write_part {
    const struct table_def *table;
    struct bytes key;
    int64_t token;
    struct table_fragment *fragments;
    uint32_t count, capacity;
};

struct write_set {
    struct arena *arena;
    const struct hash_key *hash_key;
    struct write_part *parts;
    uint32_t *slots; /* open addressing by key, once there are many: index + 1 */
    uint32_t slot_count;
    uint32_t count, capacity;
    uint32_t fragment_count;
    bool logged;         /* all of it or nothing, over shards too */
    bool is_conditional; /* has the owner's time; its deletions the moment before hide nothing of what it writes */
    bool has_places;     /* some fragments have asked cells: row/place.h */
};

/* NULL: nothing is written to this partition yet. What is looked for is most often what was added last. */
struct write_part *write_set_search(struct write_set *set, const struct table_def *table, struct bytes key);
static inline struct write_part *write_set_find(struct write_set *set, const struct table_def *table, struct bytes key)
{
    struct write_part *last;

    if (!set->count)
        return NULL;
    last = &set->parts[set->count - 1];
    return last->table == table && bytes_equal(last->key, key) ? last : write_set_search(set, table, key);
}
/* For so many more partitions. */
void write_set_grow(struct write_set *set, uint32_t more);
static inline void write_set_reserve(struct write_set *set, uint32_t more)
{
    if (set->capacity - set->count < more)
        write_set_grow(set, more);
}
/* A partition that is not there yet. What was found or added before may have moved. */
struct write_part *write_set_add(struct write_set *set, const struct table_def *table, struct bytes key);
/* An empty one, the part's last. */
struct table_fragment *write_set_add_fragment(struct write_set *set, struct write_part *part);

#endif

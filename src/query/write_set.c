/* What a statement or a batch writes, by partition. A few partitions are looked through, many
 * are hashed: both are found by table and key. The hash is keyed: whoever can make many keys
 * of one token, which is easy, must not be able to make all of them collide. */
#include "query/write_set.h"

#include "types/value.h"

#include <assert.h>

enum { PARTS_HASHED = 16 };

/* The place of a key in the hash table, or the free place where it goes. It ends, because a
 * place is always free. */
static uint32_t slot_for(const struct write_set *set, const struct table_def *table, struct bytes key)
{
    uint32_t at = (uint32_t)hash_keyed(set->hash_key, key) & (set->slot_count - 1);

    assert(set->slot_count && !(set->slot_count & (set->slot_count - 1)));
    while (set->slots[at]) {
        const struct write_part *part = &set->parts[set->slots[at] - 1];

        if (part->table == table && bytes_equal(part->key, key))
            break;
        at = (at + 1) & (set->slot_count - 1);
    }
    return at;
}

/* Makes the table anew, at most a quarter full. The old one stays in the arena; as sizes
 * double, all old ones together are smaller than the new one. */
static void hash_parts(struct write_set *set)
{
    set->slot_count = 64;
    while (set->slot_count < set->count * 4)
        set->slot_count *= 2;
    set->slots = arena_new_array(set->arena, uint32_t, set->slot_count);
    for (uint32_t i = 0; i < set->count; i++)
        set->slots[slot_for(set, set->parts[i].table, set->parts[i].key)] = i + 1;
    assert(set->count < set->slot_count); /* a place stays free: looking for what is not there ends */
}

/* The last part was looked at by write_set_find already. A set becomes hashed when it is
 * first searched with PARTS_HASHED parts: who writes one partition after another never
 * searches. */
struct write_part *write_set_search(struct write_set *set, const struct table_def *table, struct bytes key)
{
    if (set->count >= PARTS_HASHED) {
        if (set->slot_count < set->count * 2)
            hash_parts(set);
        uint32_t at = slot_for(set, table, key);
        return set->slots[at] ? &set->parts[set->slots[at] - 1] : NULL;
    }
    for (uint32_t i = 0; i < set->count; i++)
        if (set->parts[i].table == table && bytes_equal(set->parts[i].key, key))
            return &set->parts[i];
    return NULL;
}

/* At least doubles, so that adding one by one copies each part twice at most. */
void write_set_grow(struct write_set *set, uint32_t more)
{
    struct write_part *parts;

    set->capacity = set->count + more > set->capacity * 2 ? set->count + more : set->capacity * 2;
    parts = arena_alloc(set->arena, sizeof(*parts) * set->capacity);
    if (set->count)
        memcpy(parts, set->parts, sizeof(*parts) * set->count);
    set->parts = parts;
}

/* The caller has looked that the partition is not there. An open hash table gets it too. */
struct write_part *write_set_add(struct write_set *set, const struct table_def *table, struct bytes key)
{
    set->parts = arena_room(set->arena, set->parts, set->count, &set->capacity, 2, sizeof(*set->parts));
    struct write_part *part = &set->parts[set->count++];
    assert(set->count <= set->capacity);
    *part = (struct write_part){ .table = table, .key = key, .token = token_of_partition_key(key) };
    if (set->slot_count)
        set->slots[slot_for(set, table, key)] = set->count;
    return part;
}

struct table_fragment *write_set_add_fragment(struct write_set *set, struct write_part *part)
{
    assert(part->count <= part->capacity);
    part->fragments =
        arena_room(set->arena, part->fragments, part->count, &part->capacity, 2, sizeof(*part->fragments));
    struct table_fragment *fragment = &part->fragments[part->count++];
    *fragment = (struct table_fragment){ .row = ROW_EMPTY };
    set->fragment_count++;
    return fragment;
}

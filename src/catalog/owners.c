/* A hash table of open addressing, at most half full; see owners.h. Ids are counted, so nobody can
 * choose them: spreading them is enough.
 *
 * It follows schemas keyspace by keyspace: those that two versions share are passed over, so a change
 * costs what its one keyspace has. */
#include "catalog/owners.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void owners_fini(struct table_owners *owners)
{
    free(owners->slots);
    *owners = (struct table_owners){ 0 };
}

/* Where the id stands, or a free slot where it would. */
static uint32_t place_of(const struct table_owners *owners, uint64_t table_id)
{
    uint32_t mask = owners->capacity - 1;
    uint64_t hash = table_id * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 32) & mask;

    while (owners->slots[at].table_id && owners->slots[at].table_id != table_id)
        at = (at + 1) & mask;
    return at;
}

/* A free slot has no account. */
struct catalog_account *owners_find(const struct table_owners *owners, uint64_t table_id)
{
    return owners->count ? owners->slots[place_of(owners, table_id)].account : NULL;
}

/* Twice as many slots, into which all are put anew. It never becomes smaller: tables that were
 * dropped are mostly followed by others. */
static void grow(struct table_owners *owners)
{
    struct table_owners larger = { .capacity = owners->capacity ? owners->capacity * 2 : 64, .count = owners->count };

    larger.slots = xcalloc(larger.capacity, sizeof(*larger.slots));
    for (uint32_t i = 0; i < owners->capacity; i++)
        if (owners->slots[i].table_id)
            larger.slots[place_of(&larger, owners->slots[i].table_id)] = owners->slots[i];
    free(owners->slots);
    *owners = larger;
}

/* Of an id that is there already the account is replaced: it is the same one. */
static void put(struct table_owners *owners, uint64_t table_id, struct catalog_account *account)
{
    struct table_owner *slot;

    /* A free slot must always be met, or looking would not end. */
    if ((owners->count + 1) * 2 > owners->capacity)
        grow(owners);
    slot = &owners->slots[place_of(owners, table_id)];
    owners->count += !slot->table_id;
    *slot = (struct table_owner){ table_id, account };
}

/* What stands behind it up to the next free slot is put in anew, as it may have stood there only
 * because this one was in its way. */
static void take_out(struct table_owners *owners, uint64_t table_id)
{
    uint32_t at = place_of(owners, table_id), mask = owners->capacity - 1;

    assert(owners->slots[at].table_id == table_id && owners->count);
    owners->slots[at] = (struct table_owner){ 0 };
    owners->count--;
    for (at = (at + 1) & mask; owners->slots[at].table_id; at = (at + 1) & mask) {
        struct table_owner moved = owners->slots[at];

        owners->slots[at] = (struct table_owner){ 0 };
        owners->slots[place_of(owners, moved.table_id)] = moved;
    }
}

/* First all that go, then all that come: a keyspace that changed has most of its tables in both. */
void owners_follow(struct table_owners *owners, struct catalog_account *account, const struct schema *before,
                   const struct schema *after, uint64_t from_id, uint64_t to_id)
{
    for (uint32_t i = 0; i < schema_keyspace_count(before); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(before, i);

        /* The same pointer is the same definition, as nothing in a schema is ever changed. */
        if (schema_keyspace(after, keyspace->name) == keyspace)
            continue;
        for (uint32_t j = 0; j < keyspace->table_count; j++)
            if (keyspace->tables[j]->id >= from_id && keyspace->tables[j]->id < to_id)
                take_out(owners, keyspace->tables[j]->id);
    }
    for (uint32_t i = 0; i < schema_keyspace_count(after); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(after, i);

        if (schema_keyspace(before, keyspace->name) == keyspace)
            continue;
        for (uint32_t j = 0; j < keyspace->table_count; j++)
            if (keyspace->tables[j]->id >= from_id && keyspace->tables[j]->id < to_id)
                put(owners, keyspace->tables[j]->id, account);
    }
}

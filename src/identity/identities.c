/* Sorted arrays, asked by halves. They are copied for each change: some 100 000 pointers at most, which is less work than the sync that
 * the change waits for. Trees that share their branches would be copied faster, and asked slower: there are a thousand questions for each
 * change.
 *
 * Nothing here knows what an identity is about but its kind, its place, its id and whether it leads somewhere. */
#include "identity/identities.h"

#include <assert.h>
#include <stdlib.h>

/* One of two texts by which an identity is found. */
struct named {
    struct bytes id;
    const struct identity *identity;
};

struct identities {
    atomic_uint references;
    struct identity **all; /* owned, with a reference to each: by place */
    uint32_t count;
    struct named *by_id; /* owned */
    uint32_t id_count;
    const struct identity **relations; /* owned: by kind, key and scope */
    uint32_t relation_count;
};

/* ---- orders ---- */

/* As it stands among those that lead to the same. */
static struct identity_place turned(const struct identity_place *at)
{
    return (struct identity_place){ at->kind, at->key, at->scope };
}

/* For qsort: by place. */
static int compare_all(const void *left, const void *right)
{
    const struct identity *const *a = left, *const *b = right;

    return identity_compare(&(*a)->is.at, &(*b)->is.at);
}

/* For qsort and bsearch: by the text. */
static int compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;

    return bytes_compare(a->id, b->id);
}

/* For qsort: by what they lead to, then from where. */
static int compare_relations(const void *left, const void *right)
{
    const struct identity *const *a = left, *const *b = right;
    struct identity_place to_a = turned(&(*a)->is.at), to_b = turned(&(*b)->is.at);

    return identity_compare(&to_a, &to_b);
}

/* The first that is not before the place, in either order. */
static uint32_t place_in(const struct identity *const *items, uint32_t count, bool is_turned, struct identity_place at)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct identity_place there = is_turned ? turned(&items[middle]->is.at) : items[middle]->is.at;

        if (identity_compare(&there, &at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whoever asks changes none of them. */
static const struct identity *const *all_of(const struct identities *set)
{
    return (const struct identity *const *)set->all;
}

/* ---- making ---- */

/* Who has no id is found by place alone. */
static void add_name(struct identities *set, struct bytes id, const struct identity *identity)
{
    if (id.size)
        set->by_id[set->id_count++] = (struct named){ id, identity };
}

/* The other two arrays, of the first. Sorting what is nearly sorted costs a few milliseconds where there are most. */
static void index_all(struct identities *set)
{
    set->by_id = xmalloc((2 * (size_t)set->count + 1) * sizeof(struct named));
    set->relations = xmalloc(((size_t)set->count + 1) * sizeof(struct identity *));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct identity *identity = set->all[i];

        assert(!i || identity_compare(&set->all[i - 1]->is.at, &identity->is.at) < 0);
        add_name(set, identity->is.id, identity);
        add_name(set, identity->is.alias, identity);
        if (identity_is_relation(identity->is.at.kind))
            set->relations[set->relation_count++] = identity;
    }
    qsort(set->by_id, set->id_count, sizeof(struct named), compare_named);
    qsort(set->relations, set->relation_count, sizeof(struct identity *), compare_relations);
    for (uint32_t i = 1; i < set->id_count; i++)
        assert(compare_named(&set->by_id[i - 1], &set->by_id[i]) < 0); /* who makes one looks whether it is taken */
}

/* The array is taken over, in order. */
static struct identities *new_set(struct identity **all, uint32_t count)
{
    struct identities *set = xcalloc(1, sizeof(*set));

    atomic_init(&set->references, 1);
    set->all = all;
    set->count = count;
    index_all(set);
    return set;
}

/* Rows come in order from the disk, but not from who makes them by hand: sorted in any case. */
struct identities *identities_new(struct identity **all, uint32_t count)
{
    struct identity **kept = xmalloc(((size_t)count + 1) * sizeof(struct identity *));

    if (count)
        memcpy(kept, all, count * sizeof(struct identity *));
    qsort(kept, count, sizeof(struct identity *), compare_all);
    return new_set(kept, count);
}

/* Of what never changes a count is all that threads share. */
struct identities *identities_ref(struct identities *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

/* The last one lets go of each identity, which other sets may still have. */
void identities_unref(struct identities *set)
{
    if (atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        identity_unref(set->all[i]);
    free(set->all);
    free(set->by_id);
    free(set->relations);
    free(set);
}

/* ---- changing ---- */

/* In place: the array is the new set's alone, and has room for one more. */
static void edit_one(struct identity **all, uint32_t *count, const struct identity_edit *edit)
{
    uint32_t at = place_in((const struct identity *const *)all, *count, false, edit->at);
    bool is_there = at < *count && identity_compare(&all[at]->is.at, &edit->at) == 0;

    assert(edit->put || is_there);
    assert(!edit->put || identity_compare(&edit->put->is.at, &edit->at) == 0);
    /* The old one's reference was this set's. */
    if (is_there)
        identity_unref(all[at]);
    if (is_there && !edit->put)
        memmove(all + at, all + at + 1, (--*count - at) * sizeof(struct identity *));
    if (!is_there)
        memmove(all + at + 1, all + at, ((*count)++ - at) * sizeof(struct identity *));
    if (edit->put)
        all[at] = identity_ref(edit->put);
}

/* The old set stays as it is, for those who hold it. */
struct identities *identities_edit(const struct identities *set, const struct identity_edit *edits, uint32_t count)
{
    struct identity **all = xmalloc(((size_t)set->count + count + 1) * sizeof(struct identity *));
    uint32_t all_count = set->count;

    for (uint32_t i = 0; i < set->count; i++)
        all[i] = identity_ref(set->all[i]);
    for (uint32_t i = 0; i < count; i++)
        edit_one(all, &all_count, &edits[i]);
    return new_set(all, all_count);
}

/* ---- asking ---- */

/* By halves. */
const struct identity *identities_find(const struct identities *set, enum identity_kind kind, struct bytes scope,
                                       struct bytes key)
{
    struct identity_place at = { kind, scope, key };
    uint32_t index = place_in(all_of(set), set->count, false, at);

    return index < set->count && identity_compare(&set->all[index]->is.at, &at) == 0 ? set->all[index] : NULL;
}

/* Ids of all kinds are told apart by their first letters, so one array has them all. */
const struct identity *identities_by_id(const struct identities *set, struct bytes id)
{
    struct named wanted = { .id = id };
    const struct named *found = bsearch(&wanted, set->by_id, set->id_count, sizeof(wanted), compare_named);

    return found ? found->identity : NULL;
}

/* From the first in the scope up to the last: what it costs goes by what it gives. */
static struct identity_list list_of(const struct identity *const *items, uint32_t count, bool is_turned,
                                    enum identity_kind kind, struct bytes scope)
{
    uint32_t first = place_in(items, count, is_turned, (struct identity_place){ kind, scope, bytes_of(NULL, 0) });
    uint32_t end = first;

    /* The scope is the first part of what is compared, so its end is where another begins. */
    while (end < count) {
        struct identity_place there = is_turned ? turned(&items[end]->is.at) : items[end]->is.at;

        if (there.kind != kind || !bytes_equal(there.scope, scope))
            break;
        end++;
    }
    return (struct identity_list){ items + first, end - first };
}

/* What is in a scope stands together. */
struct identity_list identities_in(const struct identities *set, enum identity_kind kind, struct bytes scope)
{
    return list_of(all_of(set), set->count, false, kind, scope);
}

/* A kind stands together, too: up to where the next one would begin. */
struct identity_list identities_of(const struct identities *set, enum identity_kind kind)
{
    struct bytes nothing = bytes_of(NULL, 0);
    uint32_t first = place_in(all_of(set), set->count, false, (struct identity_place){ kind, nothing, nothing });
    uint32_t end = place_in(all_of(set), set->count, false,
                            (struct identity_place){ (enum identity_kind)(kind + 1), nothing, nothing });

    return (struct identity_list){ all_of(set) + first, end - first };
}

/* The third array is there for this: who has this policy, who is in this group? */
struct identity_list identities_to(const struct identities *set, enum identity_kind kind, struct bytes key)
{
    assert(identity_is_relation(kind));
    return list_of(set->relations, set->relation_count, true, kind, key);
}

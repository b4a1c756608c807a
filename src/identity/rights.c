/* What a user may is what any of his policies allows and none denies, within his boundary: so all of them are needed before anything can
 * be said.
 *
 * Gathered for each question: some dozen looks into sorted arrays, which cost less than what they would have to be kept up to date with. */
#include "identity/rights.h"

#include <assert.h>

struct gathering {
    struct arena *arena;
    const struct identities *set, *managed;
    struct policy **items;
    uint32_t count, capacity;
    bool is_broken;
};

/* One that is there and does not compile counts more than any that does. */
static void add(struct gathering *to, const struct identity *holder)
{
    if (!holder->policy) {
        to->is_broken = true;
        return;
    }
    to->items = arena_room(to->arena, to->items, to->count, &to->capacity, 16, sizeof(struct policy *));
    to->items[to->count++] = holder->policy;
}

/* The version in force, whoever's policy it is. */
static void add_managed(struct gathering *to, struct bytes policy_id)
{
    struct identity_list versions = identities_in(to->set, IDENTITY_POLICY_VERSION, policy_id);

    if (!versions.count)
        versions = identities_in(to->managed, IDENTITY_POLICY_VERSION, policy_id);
    assert(versions.count); /* a policy that is attached is not deleted */
    for (uint32_t i = 0; i < versions.count; i++)
        if (versions.items[i]->is.is_on)
            add(to, versions.items[i]);
}

/* What a user or a group has itself. */
static void add_holder(struct gathering *to, struct bytes id)
{
    struct identity_list own = identities_in(to->set, IDENTITY_INLINE, id);
    struct identity_list attached = identities_in(to->set, IDENTITY_ATTACHMENT, id);

    for (uint32_t i = 0; i < own.count; i++)
        add(to, own.items[i]);
    for (uint32_t i = 0; i < attached.count; i++)
        add_managed(to, attached.items[i]->is.at.key);
}

/* The gathered ones become a group of the set, and the next are gathered anew. */
static struct policy_group take(struct gathering *from, bool is_there)
{
    struct policy_group group = { .policies = from->items, .count = from->count, .is_there = is_there };

    from->items = NULL;
    from->count = from->capacity = 0;
    return group;
}

/* In the order: his own, then group by group, as a decision tells of the first that says so. */
void rights_of_user(struct arena *arena, const struct identities *set, const struct identities *managed,
                    const struct identity *user, struct rights *rights)
{
    struct gathering all = { .arena = arena, .set = set, .managed = managed };
    struct identity_list groups = identities_in(set, IDENTITY_MEMBERSHIP, user->is.id);
    struct identity_list bounds = identities_in(set, IDENTITY_BOUNDARY, user->is.id);

    assert(user->is.at.kind == IDENTITY_USER);
    *rights = (struct rights){ 0 };
    add_holder(&all, user->is.id);
    for (uint32_t i = 0; i < groups.count; i++)
        add_holder(&all, groups.items[i]->is.at.key);
    rights->policies.groups[IAM_IDENTITY_POLICY] = take(&all, true);
    /* One at most; if it is there, what it does not allow is not allowed. */
    for (uint32_t i = 0; i < bounds.count; i++)
        add_managed(&all, bounds.items[i]->is.at.key);
    rights->policies.groups[IAM_BOUNDARY] = take(&all, bounds.count);
    rights->is_broken = all.is_broken;
}

/* identity/identities.h: all identities of an account as they were at one moment; found, listed, and the set after a change.
 *
 * Three arrays of pointers: all by kind, scope and key; those that have an id, by it (a credential also by its alias); relations by what they
 * lead to. A change copies the arrays, and no identity.
 *
 * Owns:    a set is never changed, and counted. What it gives is borrowed for as long as the set is held.
 * Thread:  any.
 */
#ifndef IDENTITY_IDENTITIES_H
#define IDENTITY_IDENTITIES_H

#include "identity/identity.h"

struct identities;

/* By place; each is taken over. With none: an account that has nothing. */
struct identities *identities_new(struct identity **all, uint32_t count);
struct identities *identities_ref(struct identities *set);
void identities_unref(struct identities *set);
DEFINE_CLEANUP(struct identities *, identities_unref)

/* A change of one place: the identity that stands there afterwards (borrowed), or none. */
struct identity_edit {
    struct identity_place at;
    const struct identity *put; /* NULL: what is there goes */
};
/* What goes must be there. */
struct identities *identities_edit(const struct identities *set, const struct identity_edit *edits, uint32_t count);

/* NULL: there is none. */
const struct identity *identities_find(const struct identities *set, enum identity_kind kind, struct bytes scope,
                                       struct bytes key);
/* AIDA.., AKIA.., or a credential's user name. */
const struct identity *identities_by_id(const struct identities *set, struct bytes id);

struct identity_list {
    const struct identity *const *items;
    uint32_t count;
};

/* Of a kind in a scope, by their keys. */
struct identity_list identities_in(const struct identities *set, enum identity_kind kind, struct bytes scope);
/* Of a kind in any scope. */
struct identity_list identities_of(const struct identities *set, enum identity_kind kind);
/* Relations of a kind that lead there, by their scopes. */
struct identity_list identities_to(const struct identities *set, enum identity_kind kind, struct bytes key);

#endif

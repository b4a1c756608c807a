/* identity/rights.h: the policies that are about a user: his own, his groups', the managed ones of both, his boundary.
 *
 * Owns:    lists lie in the arena, policies are the sets': to be used while both sets are held.
 * Thread:  pure.
 */
#ifndef IDENTITY_RIGHTS_H
#define IDENTITY_RIGHTS_H

#include "base/arena.h"
#include "iam/decide.h"
#include "identity/identities.h"

struct rights {
    struct policy_set policies;
    bool is_broken; /* one of them is not understood any more: he may nothing, as it may be one that denies */
};

/* managed: AWS's. */
void rights_of_user(struct arena *arena, const struct identities *set, const struct identities *managed,
                    const struct identity *user, struct rights *rights);

#endif

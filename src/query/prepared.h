/* query/prepared.h: prepared statements: a shared cache of plans, bounded in bytes, and a lookaside per context.
 *
 * An id is the MD5 of keyspace and text, as Cassandra's; of an account that is not the default one its digits come first. Who asks finds
 * what its own account has prepared, whatever the id. EXECUTE finds its plan in the context's lookaside, which holds
 * references and takes no lock; a miss asks the cache, under its lock. When the cache is full the plan not used for longest
 * (second chance) is evicted; lookasides see that it was and let it go, so that its next use is answered UNPREPARED. So is one whose
 * tables have changed as clients must know (table_def_is_alike): when that is noticed, by who uses it or by who changed them. A plan of
 * many bytes is not kept there: each context holds one of them.
 *
 * Owns:    the cache and lookasides hold references; who gets a plan from prepared_find holds it until its next call with
 *          that lookaside, or takes a reference.
 * Thread:  the cache: any; a lookaside: its context's.
 */
#ifndef QUERY_PREPARED_H
#define QUERY_PREPARED_H

#include "plan/plan.h"

#include <stdatomic.h>

enum { PREPARED_ID_BYTES = 16, LOOKASIDE_SLOTS = 1024 };

struct catalog_account; /* catalog/catalog.h */

struct prepared {
    _Atomic uint32_t refs;
    _Atomic bool used; /* since the hand of the clock passed */
    _Atomic bool evicted;
    _Atomic uint64_t checked_version; /* schema_version_number in which its definitions are those in force */
    uint64_t number;                  /* no other one of the process has it, or had it; never 0 */
    uint8_t id[PREPARED_ID_BYTES];
    const struct catalog_account *account; /* borrowed: whose it is */
    struct bytes keyspace;                 /* of the session that prepared it; NULL data: none */
    struct bytes text;
    struct plan plan;
    uint64_t bytes;
    struct arena *arena;            /* owned */
    struct prepared *chain;         /* the cache's */
    struct prepared *newer, *older; /* the cache's ring */
};

struct prepared_cache;
struct prepared_lookaside {
    struct prepared **slots; /* owned; LOOKASIDE_SLOTS and one for a large plan; each holds a reference */
    uint64_t tidied_version; /* of all definitions, when evicted ones were let go */
};

struct prepared_cache *prepared_cache_new(uint64_t bytes_max);
void prepared_cache_free(struct prepared_cache *cache);
void prepared_lookaside_init(struct prepared_lookaside *lookaside);
void prepared_lookaside_fini(struct prepared_lookaside *lookaside);
/* Between two requests: once for each change of definitions (catalog_version), lets go of what was evicted, and so of the definitions it
 * keeps. */
void prepared_lookaside_tidy(struct prepared_lookaside *lookaside, uint64_t version);

/* account: "" for the default one. */
void prepared_id(struct bytes account, struct bytes keyspace, struct bytes text, uint8_t id[PREPARED_ID_BYTES]);
struct prepared *prepared_ref(struct prepared *prepared);
void prepared_unref(struct prepared *prepared);

/* NULL: unknown, or evicted. Borrowed until the lookaside's next call. */
struct prepared *prepared_find(struct prepared_cache *cache, struct prepared_lookaside *lookaside,
                               const struct catalog_account *account, const uint8_t *id);
/* Takes over the caller's reference; replaces the account's one with the same id. ERR_INVALID when it alone is too large. */
enum status prepared_insert(struct prepared_cache *cache, struct prepared *prepared, struct error *err);
/* From now on nobody finds it, unless another one has its id by now. */
void prepared_forget(struct prepared_cache *cache, struct prepared *prepared);
/* Is it known to fit this schema, or a later one? Who goes by an older one must leave it alone. */
static inline bool prepared_is_checked(const struct prepared *prepared, const struct schema *schema)
{
    return atomic_load_explicit(&prepared->checked_version, memory_order_relaxed) >= schema_version_number(schema);
}

/* All of the account that fit its schema no more: else they would keep definitions that were dropped or altered until their turn to be evicted. */
void prepared_forget_unfit(struct prepared_cache *cache, const struct catalog_account *account,
                           const struct schema *schema);
void prepared_stats(struct prepared_cache *cache, uint64_t *count, uint64_t *bytes, uint64_t *evicted);

#endif

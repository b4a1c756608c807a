/* net/budget.h: what the requests of one loop hold of memory, and who holds it.
 *
 *     budget         of a loop: everything its requests hold
 *     budget_share   of a connection: its requests' part of it
 *     budget_charge  of a request: what its arena grew by, what it holds besides, or what was set aside for it if that is more
 *
 * Nobody can tell how much a request will take: it begins while there is room (budget_admits), is charged as it grows, and the next one
 * finds less. So a loop holds at most its budget and what one request takes past it: the loop runs one at a time, which takes no more
 * than a connection's share; those that wait for a worker have something set aside, and where the budget is full take no more than
 * that. Whoever makes something long in a request's arena asks now and then (arena_check).
 *
 * A connection that holds something gets no more than its share, and leaves the second half of the loop's budget to those that hold
 * nothing. Who finds no room is not read further until there is, or is told, if it asked for that (THROW_ON_OVERLOAD).
 *
 * Replies that a client does not take are charged too, once the kernel takes no more of them. What is being received is not: a
 * connection that waits for room holds its request, and must not wait for itself (struct stream_budget limits it).
 *
 * Owns:    nothing.
 * Errors:  budget_charge's arena: ERR_INVALID: more than one request may take; ERR_OVERLOADED: more than there is now.
 * Thread:  begin and end: the loop's; the arena grows on whatever thread runs the request.
 */
#ifndef NET_BUDGET_H
#define NET_BUDGET_H

#include "base/arena.h"
#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>

struct budget {
    _Atomic size_t max;
    _Atomic size_t share_max; /* of one connection, and of one request */
    _Atomic size_t held;
    _Atomic size_t output; /* of these: replies that were not taken */
    size_t freed;          /* the loop's: since its memory was given back to the system; also of what was received */
};

struct budget_share {
    struct budget *budget; /* borrowed */
    _Atomic size_t held;
};

struct budget_charge {
    struct arena_meter meter;   /* the request's arena's */
    struct budget_share *share; /* borrowed */
    size_t set_aside;
    size_t bytes;
};

void budget_init(struct budget *budget, size_t max, size_t share_max);

/* May the connection begin one more request? */
static inline bool budget_admits(const struct budget_share *share)
{
    const struct budget *budget = share->budget;
    size_t max = atomic_load_explicit(&budget->max, memory_order_relaxed);
    size_t held = atomic_load_explicit(&budget->held, memory_order_relaxed);
    size_t own = atomic_load_explicit(&share->held, memory_order_relaxed);

    if (own == 0)
        return held < max;
    return held < max / 2 && own < atomic_load_explicit(&budget->share_max, memory_order_relaxed);
}

/* The arena's growth is charged from here on; what it has is not. */
static inline void budget_charge_begin(struct budget_charge *charge, struct budget_share *share, struct arena *arena);
void budget_charge_add(struct budget_charge *charge, size_t bytes);
/* It will take about so much: counted from now on. */
void budget_charge_set_aside(struct budget_charge *charge, size_t bytes);
/* Before the arena is reset. */
static inline void budget_charge_end(struct budget_charge *charge, struct arena *arena);

/* A connection's replies that wait for it: their memory was `before` and is `now`. */
void budget_change_output(struct budget *budget, size_t before, size_t now);
/* There is no room, and at least half of it is replies that clients do not take. */
bool budget_is_full_of_output(const struct budget *budget);

enum status budget_overloaded(const struct budget_share *share, struct error *err);

/* ---- the inlined ---- */

void budget_arena_grown(struct arena_meter *meter, size_t bytes);
enum status budget_arena_check(struct arena_meter *meter, struct error *err);
void budget_charge_give_back(struct budget_charge *charge);

static inline void budget_charge_begin(struct budget_charge *charge, struct budget_share *share, struct arena *arena)
{
    charge->meter.grown = budget_arena_grown;
    charge->meter.check = budget_arena_check;
    charge->meter.is_over = false;
    charge->share = share;
    charge->set_aside = charge->bytes = 0;
    arena_set_meter(arena, &charge->meter);
}

static inline void budget_charge_end(struct budget_charge *charge, struct arena *arena)
{
    arena_set_meter(arena, NULL);
    if (charge->bytes || charge->set_aside)
        budget_charge_give_back(charge);
}

#endif

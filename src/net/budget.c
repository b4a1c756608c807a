/* Counting what requests hold. The numbers are atomic because a request may run on a worker while
 * its loop begins others; relaxed, because nothing is read on the strength of them: a limit that is
 * found exceeded a moment late is exceeded by no more than what was taken in that moment.
 *
 * Freed bytes are counted by the loop alone, which gives memory back to the system when there are
 * enough of them. */
#include "net/budget.h"

#include <assert.h>

/* A request counts with what was set aside for it until it takes more: both at once would count the
 * same memory twice. */
static size_t charged(const struct budget_charge *charge)
{
    return charge->bytes > charge->set_aside ? charge->bytes : charge->set_aside;
}

void budget_init(struct budget *budget, size_t max, size_t share_max)
{
    *budget = (struct budget){ .max = max, .share_max = share_max };
}

/* The share first: who looks at both sees no more in the budget than in its shares. */
static void take(struct budget_share *share, size_t bytes)
{
    atomic_fetch_add_explicit(&share->held, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&share->budget->held, bytes, memory_order_relaxed);
}

/* What was counted before is `before`. */
static void take_growth(struct budget_charge *charge, size_t before)
{
    size_t now = charged(charge);

    assert(now >= before);
    if (now != before)
        take(charge->share, now - before);
}

void budget_charge_add(struct budget_charge *charge, size_t bytes)
{
    size_t before = charged(charge);

    charge->bytes += bytes;
    take_growth(charge, before);
}

/* Once for each request, before it waits for a worker. */
void budget_charge_set_aside(struct budget_charge *charge, size_t bytes)
{
    size_t before = charged(charge);

    assert(!charge->set_aside);
    charge->set_aside = bytes;
    take_growth(charge, before);
}

/* The loop's thread only: budget->freed is not atomic. The request's arena is still there, and is
 * reset next. */
void budget_charge_give_back(struct budget_charge *charge)
{
    struct budget *budget = charge->share->budget;
    size_t bytes = charged(charge);

    assert(atomic_load_explicit(&charge->share->held, memory_order_relaxed) >= bytes);
    atomic_fetch_sub_explicit(&charge->share->held, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&budget->held, bytes, memory_order_relaxed);
    budget->freed += bytes;
}

/* Called in the middle of an allocation, which cannot fail: it marks the request as over, and
 * whoever makes something long asks (arena_check). Over is who holds more than one connection may,
 * or more than was set aside for it while there is no room left: it then takes what others were
 * promised. */
void budget_arena_grown(struct arena_meter *meter, size_t bytes)
{
    struct budget_charge *charge = CONTAINER_OF(meter, struct budget_charge, meter);
    struct budget *budget = charge->share->budget;

    budget_charge_add(charge, bytes);
    meter->is_over = charge->bytes > atomic_load_explicit(&budget->share_max, memory_order_relaxed) ||
                     (charge->set_aside && charge->bytes > charge->set_aside &&
                      atomic_load_explicit(&budget->held, memory_order_relaxed) >
                          atomic_load_explicit(&budget->max, memory_order_relaxed));
}

/* The two reasons of above have different errors: the first is the client's to change, the second
 * passes. */
enum status budget_arena_check(struct arena_meter *meter, struct error *err)
{
    struct budget_charge *charge = CONTAINER_OF(meter, struct budget_charge, meter);
    size_t most = atomic_load_explicit(&charge->share->budget->share_max, memory_order_relaxed);

    if (charge->bytes > most)
        return error_set(
            err, ERR_INVALID,
            "The request takes more than %zu bytes of memory, which is a connection's share of request-bytes: "
            "ask for less at once",
            most);
    return budget_overloaded(charge->share, err);
}

/* Unsigned, so that a difference below zero is one too: it wraps around, and the sum is right
 * again. */
void budget_change_output(struct budget *budget, size_t before, size_t now)
{
    assert(atomic_load_explicit(&budget->output, memory_order_relaxed) >= before);
    atomic_fetch_add_explicit(&budget->output, now - before, memory_order_relaxed);
    atomic_fetch_add_explicit(&budget->held, now - before, memory_order_relaxed);
    if (now < before)
        budget->freed += before - now;
}

/* Then waiting would not help: requests end when clients take their replies, and these do not. */
bool budget_is_full_of_output(const struct budget *budget)
{
    size_t max = atomic_load_explicit(&budget->max, memory_order_relaxed);

    return atomic_load_explicit(&budget->held, memory_order_relaxed) >= max &&
           atomic_load_explicit(&budget->output, memory_order_relaxed) >= max / 2;
}

/* In the words of Cassandra's OverloadedException, with our option's name, so that an operator
 * finds what to change. */
enum status budget_overloaded(const struct budget_share *share, struct error *err)
{
    const struct budget *budget = share->budget;

    return error_set(err, ERR_OVERLOADED,
                     "Request breached limit on bytes in flight (connection: %zu/%zu bytes, loop: %zu/%zu bytes; "
                     "request-bytes). Server is currently in an overloaded state and cannot accept more requests.",
                     atomic_load(&share->held), atomic_load(&budget->share_max), atomic_load(&budget->held),
                     atomic_load(&budget->max));
}

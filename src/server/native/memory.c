/* What requests and replies of a loop hold is one budget: where it is full connections are not
 * read, and are let in again one by one, who came first first. Who takes nothing of the replies
 * that fill it loses them. What a burst took goes back to the system a second after it.
 *
 * The rules are net/budget.h's; here is who waits, and for how long. */
#include "server/native/memory.h"

#include "server/native/connection.h"

#include <assert.h>
#include <malloc.h>

/* ---- arenas ---- */

/* A request begins with an arena that has its first chunk already. */
struct arena *native_memory_arena(struct native_loop *loop)
{
    return loop->arena_count ? loop->arenas[--loop->arena_count] : arena_new(NATIVE_ARENA_BYTES);
}

/* At most so many are kept: a burst's arenas would otherwise stay for ever. */
void native_memory_release(struct native_loop *loop, struct arena *arena)
{
    assert(loop->arena_count <= NATIVE_ARENAS_MAX);
    if (loop->arena_count == NATIVE_ARENAS_MAX) {
        arena_free(arena);
        return;
    }
    arena_reset(arena);
    loop->arenas[loop->arena_count++] = arena;
}

/* ---- connections that wait for memory ---- */

enum {
    TRIM_BYTES = 32 << 20,            /* freed by requests: worth giving back to the system */
    TRIM_AFTER_US = 1000000,          /* ... once no more comes */
    HUNGER_US = 100000,               /* how often those are looked for who let others wait */
    TAKES_NOTHING_US = 5 * HUNGER_US, /* and who they are */
};

/* A connection is in the queue once. It is not read, so nothing of it comes before its turn. */
void native_memory_starve(struct native_loop *loop, struct connection *connection)
{
    assert(!connection->is_hungry && !connection->socket.is_closed);
    stream_socket_pause(&connection->socket, STREAM_PAUSE_MEMORY);
    metric_add(&loop->metrics.paused_for_memory, 1);
    connection->is_hungry = true;
    connection->hungry_next = NULL;
    *loop->hungry_last = connection;
    loop->hungry_last = &connection->hungry_next;
}

/* It is let in, or has ended. */
void native_memory_forget(struct native_loop *loop, struct connection *connection)
{
    if (!connection->is_hungry)
        return;
    connection->is_hungry = false;
    for (struct connection **at = &loop->hungry; *at; at = &(*at)->hungry_next) {
        if (*at != connection)
            continue;
        *at = connection->hungry_next;
        if (!*at)
            loop->hungry_last = at;
        return;
    }
}

/* One in each turn: what it takes is known before the next is let in. A connection that holds
 * something of its own may have to wait where another does not, so the queue is looked through. */
static void feed(struct native_loop *loop)
{
    for (struct connection *connection = loop->hungry; connection; connection = connection->hungry_next) {
        if (!budget_admits(&connection->share))
            continue;
        assert(connection->is_hungry);
        native_memory_forget(loop, connection);
        stream_socket_resume(&connection->socket, STREAM_PAUSE_MEMORY);
        return;
    }
}

/* The one that holds most of those that took nothing for a while. */
static struct connection *takes_nothing(const struct native_loop *loop, int64_t since_us)
{
    struct connection *worst = NULL;

    for (struct connection *connection = loop->connections; connection; connection = connection->next)
        if (connection->socket.output_charged && connection->socket.moved_us < since_us &&
            (!worst || connection->socket.output_charged > worst->socket.output_charged))
            worst = connection;
    return worst;
}

/* Others wait for memory that replies hold: those who take nothing of them lose them, who holds
 * most first. Only while replies fill the budget: requests end by themselves. */
static void hunger_fire(struct loop_timer *timer)
{
    struct native_loop *loop = CONTAINER_OF(timer, struct native_loop, hunger_timer);
    struct connection *worst;

    while (budget_is_full_of_output(&loop->requests) &&
           (worst = takes_nothing(loop, loop_now_us(loop->net_loop) - TAKES_NOTHING_US))) {
        metric_add(&loop->metrics.connections_over_memory, 1);
        connection_close(worst);
    }
    if (loop->hungry || budget_is_full_of_output(&loop->requests))
        loop_timer_set(loop->net_loop, timer, loop_now_us(loop->net_loop) + HUNGER_US);
}

/* ---- free memory goes back to the system ---- */

/* On a worker: malloc_trim walks all of the heap, for as long as that takes. */
static void trim_run(struct worker_job *job, void *local)
{
    struct native_service *service = CONTAINER_OF(job, struct native_service, trim_job);

    assert(atomic_load(&service->is_trimming));
    if (malloc_trim(0))
        atomic_fetch_add_explicit(&service->given_back_count, 1, memory_order_relaxed);
    atomic_store(&service->is_trimming, false);
}

/* When no more was freed for a while: what is in use all the time would only be fetched again. One
 * trim at a time for all loops, as the heap is one. */
static void trim_fire(struct loop_timer *timer)
{
    struct native_loop *loop = CONTAINER_OF(timer, struct native_loop, trim_timer);
    struct native_service *service = loop->service;

    if (loop->requests.freed != loop->trim_freed) {
        loop->trim_freed = loop->requests.freed;
        loop_timer_set(loop->net_loop, timer, loop_now_us(loop->net_loop) + TRIM_AFTER_US);
        return;
    }
    loop->requests.freed = 0;
    if (atomic_exchange(&service->is_trimming, true))
        return;
    service->trim_job = (struct worker_job){ .run = trim_run };
    if (!workers_submit(service->workers, &service->trim_job))
        atomic_store(&service->is_trimming, false);
}

/* ---- life ---- */

/* Before the loop's net_loop is opened. */
void native_memory_init(struct native_loop *loop)
{
    budget_init(&loop->requests, loop->limits.request_bytes_max, loop->limits.share_bytes_max);
    loop->budget.input_bytes_max = loop->limits.input_bytes_max;
    loop->budget.replies = &loop->requests;
    loop->hungry_last = &loop->hungry;
    loop->hunger_timer.fire = hunger_fire;
    loop->trim_timer.fire = trim_fire;
}

/* Takes effect with the next request: what is held is never taken away. */
void native_memory_limit(struct native_loop *loop, const struct native_limits *limits)
{
    loop->budget.input_bytes_max = limits->input_bytes_max;
    atomic_store(&loop->requests.max, limits->request_bytes_max);
    atomic_store(&loop->requests.share_max, limits->share_bytes_max);
}

/* At the end of each turn, so these are a few loads as long as nobody waits. */
void native_memory_turn_ends(struct native_loop *loop)
{
    if (__builtin_expect(loop->hungry != NULL, 0))
        feed(loop);
    if (__builtin_expect(loop->hungry != NULL || budget_is_full_of_output(&loop->requests), 0) &&
        !loop->hunger_timer.position)
        loop_timer_set(loop->net_loop, &loop->hunger_timer, loop_now_us(loop->net_loop) + HUNGER_US);
    if (__builtin_expect(loop->requests.freed >= TRIM_BYTES, 0) && !loop->trim_timer.position) {
        loop->trim_freed = loop->requests.freed;
        loop_timer_set(loop->net_loop, &loop->trim_timer, loop_now_us(loop->net_loop) + TRIM_AFTER_US);
    }
}

void native_memory_fini(struct native_loop *loop)
{
    assert(!loop->hungry);
    loop_timer_clear(loop->net_loop, &loop->hunger_timer);
    loop_timer_clear(loop->net_loop, &loop->trim_timer);
    while (loop->arena_count)
        arena_free(loop->arenas[--loop->arena_count]);
}

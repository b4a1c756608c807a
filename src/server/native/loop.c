#include "server/native/loop.h"

#include "base/log.h"
#include "server/native/connection.h"
#include "table/table.h"
#include "wire/native_segment.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- memory ---- */

struct arena *native_loop_arena(struct native_loop *home)
{
    return home->arena_count ? home->arenas[--home->arena_count] : arena_new(NATIVE_ARENA_BYTES);
}

void native_loop_release_arena(struct native_loop *home, struct arena *arena)
{
    if (home->arena_count == NATIVE_ARENAS_MAX) {
        arena_free(arena);
        return;
    }
    arena_reset(arena);
    home->arenas[home->arena_count++] = arena;
}

/* ---- connections that wait for memory ---- */

enum {
    TRIM_BYTES = 32 << 20,            /* freed by requests: worth giving back to the system */
    TRIM_AFTER_US = 1000000,          /* ... once no more comes */
    HUNGER_US = 100000,               /* how often those are looked for who let others wait */
    TAKES_NOTHING_US = 5 * HUNGER_US, /* and who they are */
};

void native_loop_starve(struct native_loop *home, struct connection *connection)
{
    stream_socket_pause(&connection->socket, STREAM_PAUSE_MEMORY);
    metric_add(&home->metrics.paused_for_memory, 1);
    connection->is_hungry = true;
    connection->hungry_next = NULL;
    *home->hungry_last = connection;
    home->hungry_last = &connection->hungry_next;
}

void native_loop_forget_hungry(struct native_loop *home, struct connection *connection)
{
    if (!connection->is_hungry)
        return;
    connection->is_hungry = false;
    for (struct connection **at = &home->hungry; *at; at = &(*at)->hungry_next) {
        if (*at != connection)
            continue;
        *at = connection->hungry_next;
        if (!*at)
            home->hungry_last = at;
        return;
    }
}

/* One in each turn: what it takes is known before the next is let in. */
static void feed(struct native_loop *home)
{
    for (struct connection *connection = home->hungry; connection; connection = connection->hungry_next) {
        if (!budget_admits(&connection->share))
            continue;
        native_loop_forget_hungry(home, connection);
        stream_socket_resume(&connection->socket, STREAM_PAUSE_MEMORY);
        return;
    }
}

static struct connection *takes_nothing(const struct native_loop *home, int64_t since_us)
{
    struct connection *worst = NULL;

    for (struct connection *connection = home->connections; connection; connection = connection->next)
        if (connection->socket.output_charged && connection->socket.moved_us < since_us &&
            (!worst || connection->socket.output_charged > worst->socket.output_charged))
            worst = connection;
    return worst;
}

/* Others wait for memory that replies hold: those who take nothing of them lose them, who holds most first. */
static void hunger_fire(struct loop_timer *timer)
{
    struct native_loop *home = CONTAINER_OF(timer, struct native_loop, hunger_timer);
    struct connection *worst;

    while (budget_is_full_of_output(&home->requests) &&
           (worst = takes_nothing(home, loop_now_us(home->loop) - TAKES_NOTHING_US))) {
        metric_add(&home->metrics.connections_over_memory, 1);
        connection_close(worst);
    }
    if (home->hungry || budget_is_full_of_output(&home->requests))
        loop_timer_set(home->loop, timer, loop_now_us(home->loop) + HUNGER_US);
}

/* ---- free memory goes back to the system ---- */

static void trim_run(struct worker_job *job, void *local)
{
    struct native_service *service = CONTAINER_OF(job, struct native_service, trim_job);

    malloc_trim(0);
    atomic_store(&service->is_trimming, false);
}

/* When no more was freed for a while: what is in use all the time would only be fetched again. */
static void trim_fire(struct loop_timer *timer)
{
    struct native_loop *home = CONTAINER_OF(timer, struct native_loop, trim_timer);
    struct native_service *service = home->service;

    if (home->requests.freed != home->trim_freed) {
        home->trim_freed = home->requests.freed;
        loop_timer_set(home->loop, timer, loop_now_us(home->loop) + TRIM_AFTER_US);
        return;
    }
    home->requests.freed = 0;
    if (atomic_exchange(&service->is_trimming, true))
        return;
    service->trim_job = (struct worker_job){ .run = trim_run };
    if (!workers_submit(service->workers, &service->trim_job))
        atomic_store(&service->is_trimming, false);
}

/* ---- the shards' answers ---- */

static void port_ready(struct loop_source *source, uint32_t events)
{
    struct native_loop *home = CONTAINER_OF(source, struct native_loop, port_source);

    home->clock_us = loop_now_us(home->loop);
    table_port_reap(home->port);
}

static void turn_ends(struct loop_hook *hook)
{
    struct native_loop *home = CONTAINER_OF(hook, struct native_loop, turn_hook);

    table_port_flush(home->port);
    if (__builtin_expect(home->hungry != NULL, 0))
        feed(home);
    if (__builtin_expect(home->hungry != NULL || budget_is_full_of_output(&home->requests), 0) &&
        !home->hunger_timer.position)
        loop_timer_set(home->loop, &home->hunger_timer, loop_now_us(home->loop) + HUNGER_US);
    if (__builtin_expect(home->requests.freed >= TRIM_BYTES, 0) && !home->trim_timer.position) {
        home->trim_freed = home->requests.freed;
        loop_timer_set(home->loop, &home->trim_timer, loop_now_us(home->loop) + TRIM_AFTER_US);
    }
}

/* ---- connections ---- */

static void accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct native_loop *home = CONTAINER_OF(listener, struct native_loop, listener);

    connection_open(home, fd, address);
}

/* ---- life ---- */

static void drain_run(struct loop_task *task);
static void drain_fire(struct loop_timer *timer);

enum status native_loop_open(struct native_service *service, struct sockaddr_storage *address,
                             struct native_loop **result, struct error *err)
{
    struct native_loop *home = xcalloc(1, sizeof(*home));
    struct loop_options options = { .clock = service->clock };
    enum status status;

    home->service = service;
    home->limits = service->limits;
    home->budget.input_bytes_max = home->limits.input_bytes_max;
    home->drain_task.run = drain_run;
    home->drain_timer.fire = drain_fire;
    budget_init(&home->requests, home->limits.request_bytes_max, home->limits.share_bytes_max);
    home->budget.replies = &home->requests;
    home->hungry_last = &home->hungry;
    home->hunger_timer.fire = hunger_fire;
    home->trim_timer.fire = trim_fire;
    home->segment_scratch = xmalloc(NATIVE_SEGMENT_PAYLOAD_MAX);
    status = loop_open(&options, &home->loop, err);
    if (status)
        goto free_home;
    home->context = query_context_new(service->engine, false);
    home->port = query_context_port(home->context);
    home->port_source = (struct loop_source){ table_port_fd(home->port), EPOLLIN, port_ready };
    home->turn_hook.run = turn_ends;
    status = loop_add(home->loop, &home->port_source, err);
    if (status)
        goto free_context;
    loop_add_hook(home->loop, &home->turn_hook);
    status = listener_open(&home->listener, home->loop, address, accepted, err);
    if (status)
        goto free_context;
    *result = home;
    return OK;

free_context:
    query_context_free(home->context);
    loop_close(home->loop);
free_home:
    free(home->segment_scratch);
    free(home);
    return status;
}

static void *run(void *argument)
{
    struct native_loop *home = argument;

    loop_run(home->loop);
    return NULL;
}

enum status native_loop_start(struct native_loop *home, unsigned index, struct error *err)
{
    char name[16];
    int failed = pthread_create(&home->thread, NULL, run, home);

    if (failed)
        return error_set_os(err, failed, "Cannot start loop %u", index + 1);
    snprintf(name, sizeof(name), "loop-%u", index % 10000);
    pthread_setname_np(home->thread, name);
    return OK;
}

void native_loop_idle(struct native_loop *home)
{
    if (home->is_draining && !home->connections && home->request_count == 0)
        loop_stop(home->loop);
}

static void drain_run(struct loop_task *task)
{
    struct native_loop *home = CONTAINER_OF(task, struct native_loop, drain_task);

    home->is_draining = true;
    listener_close(&home->listener);
    loop_timer_set(home->loop, &home->drain_timer, loop_now_us(home->loop) + home->limits.drain_us);
    for (struct connection *connection = home->connections, *next; connection; connection = next) {
        next = connection->next;
        connection_drain(connection);
    }
    native_loop_idle(home);
}

static void drain_fire(struct loop_timer *timer)
{
    struct native_loop *home = CONTAINER_OF(timer, struct native_loop, drain_timer);

    while (home->connections)
        connection_close(home->connections);
    loop_stop(home->loop);
}

void native_loop_drain(struct native_loop *home)
{
    loop_post(home->loop, &home->drain_task);
}

bool native_loop_join(struct native_loop *home)
{
    pthread_join(home->thread, NULL);
    return home->request_count == 0;
}

void native_loop_close(struct native_loop *home)
{
    if (!home)
        return;
    listener_close(&home->listener);
    while (home->connections)
        connection_close(home->connections);
    loop_remove(home->loop, &home->port_source);
    loop_timer_clear(home->loop, &home->drain_timer);
    loop_timer_clear(home->loop, &home->hunger_timer);
    loop_timer_clear(home->loop, &home->trim_timer);
    query_context_free(home->context);
    loop_close(home->loop);
    free(home->segment_scratch);
    buffer_fini(&home->segment_packed);
    while (home->arena_count)
        arena_free(home->arenas[--home->arena_count]);
    free(home);
}

/* ---- limits ---- */

struct new_limits {
    struct loop_task task;
    struct native_loop *home;
    struct native_limits limits;
};

static void new_limits_run(struct loop_task *task)
{
    struct new_limits *change = CONTAINER_OF(task, struct new_limits, task);

    change->home->limits = change->limits;
    change->home->budget.input_bytes_max = change->limits.input_bytes_max;
    atomic_store(&change->home->requests.max, change->limits.request_bytes_max);
    atomic_store(&change->home->requests.share_max, change->limits.share_bytes_max);
    free(change);
}

void native_loop_set_limits(struct native_loop *home, const struct native_limits *limits)
{
    struct new_limits *change = xmalloc(sizeof(*change));

    *change = (struct new_limits){ { .run = new_limits_run }, home, *limits };
    loop_post(home->loop, &change->task);
}

/* ---- workers ---- */

void *native_worker_start(void *engine)
{
    return query_context_new(engine, true);
}

void native_worker_stop(void *local)
{
    query_context_free(local);
}

/* ---- events ---- */

struct broadcast {
    struct loop_task task;
    struct native_loop *home;
    uint32_t event;
    size_t size;
    uint8_t body[];
};

static void broadcast_run(struct loop_task *task)
{
    struct broadcast *broadcast = CONTAINER_OF(task, struct broadcast, task);

    for (struct connection *connection = broadcast->home->connections, *next; connection; connection = next) {
        next = connection->next;
        if (connection->events & broadcast->event)
            connection_send_event(connection, bytes_of(broadcast->body, broadcast->size));
    }
    free(broadcast);
}

void native_service_broadcast(struct native_service *service, uint32_t event, struct bytes body)
{
    for (uint32_t i = 0; i < service->loop_count; i++) {
        struct broadcast *broadcast = xmalloc(sizeof(*broadcast) + body.size);

        *broadcast = (struct broadcast){ { .run = broadcast_run }, service->loops[i], event, body.size };
        memcpy(broadcast->body, body.data, body.size);
        loop_post(service->loops[i]->loop, &broadcast->task);
    }
}

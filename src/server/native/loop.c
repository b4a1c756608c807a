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

struct arena *native_loop_arena(struct native_loop *loop)
{
    return loop->arena_count ? loop->arenas[--loop->arena_count] : arena_new(NATIVE_ARENA_BYTES);
}

void native_loop_release_arena(struct native_loop *loop, struct arena *arena)
{
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

void native_loop_starve(struct native_loop *loop, struct connection *connection)
{
    stream_socket_pause(&connection->socket, STREAM_PAUSE_MEMORY);
    metric_add(&loop->metrics.paused_for_memory, 1);
    connection->is_hungry = true;
    connection->hungry_next = NULL;
    *loop->hungry_last = connection;
    loop->hungry_last = &connection->hungry_next;
}

void native_loop_forget_hungry(struct native_loop *loop, struct connection *connection)
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

/* One in each turn: what it takes is known before the next is let in. */
static void feed(struct native_loop *loop)
{
    for (struct connection *connection = loop->hungry; connection; connection = connection->hungry_next) {
        if (!budget_admits(&connection->share))
            continue;
        native_loop_forget_hungry(loop, connection);
        stream_socket_resume(&connection->socket, STREAM_PAUSE_MEMORY);
        return;
    }
}

static struct connection *takes_nothing(const struct native_loop *loop, int64_t since_us)
{
    struct connection *worst = NULL;

    for (struct connection *connection = loop->connections; connection; connection = connection->next)
        if (connection->socket.output_charged && connection->socket.moved_us < since_us &&
            (!worst || connection->socket.output_charged > worst->socket.output_charged))
            worst = connection;
    return worst;
}

/* Others wait for memory that replies hold: those who take nothing of them lose them, who holds most first. */
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

static void trim_run(struct worker_job *job, void *local)
{
    struct native_service *service = CONTAINER_OF(job, struct native_service, trim_job);

    malloc_trim(0);
    atomic_store(&service->is_trimming, false);
}

/* When no more was freed for a while: what is in use all the time would only be fetched again. */
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

/* ---- the shards' answers ---- */

static void port_ready(struct loop_source *source, uint32_t events)
{
    struct native_loop *loop = CONTAINER_OF(source, struct native_loop, port_source);

    loop->clock_us = loop_now_us(loop->net_loop);
    table_port_reap(loop->port);
}

static void turn_ends(struct loop_hook *hook)
{
    struct native_loop *loop = CONTAINER_OF(hook, struct native_loop, turn_hook);

    table_port_flush(loop->port);
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

/* ---- connections ---- */

static void accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct native_loop *loop = CONTAINER_OF(listener, struct native_loop, listener);

    connection_open(loop, fd, address);
}

/* ---- life ---- */

static void drain_run(struct loop_task *task);
static void drain_fire(struct loop_timer *timer);

enum status native_loop_open(struct native_service *service, struct sockaddr_storage *address,
                             struct native_loop **result, struct error *err)
{
    struct native_loop *loop = xcalloc(1, sizeof(*loop));
    struct loop_options options = { .clock = service->clock };
    enum status status;

    loop->service = service;
    loop->limits = service->limits;
    loop->budget.input_bytes_max = loop->limits.input_bytes_max;
    loop->drain_task.run = drain_run;
    loop->drain_timer.fire = drain_fire;
    budget_init(&loop->requests, loop->limits.request_bytes_max, loop->limits.share_bytes_max);
    loop->budget.replies = &loop->requests;
    loop->hungry_last = &loop->hungry;
    loop->hunger_timer.fire = hunger_fire;
    loop->trim_timer.fire = trim_fire;
    loop->segment_scratch = xmalloc(NATIVE_SEGMENT_PAYLOAD_MAX);
    status = loop_open(&options, &loop->net_loop, err);
    if (status)
        goto free_home;
    loop->context = query_context_new(service->engine, false);
    loop->port = query_context_port(loop->context);
    loop->port_source = (struct loop_source){ table_port_fd(loop->port), EPOLLIN, port_ready };
    loop->turn_hook.run = turn_ends;
    status = loop_add(loop->net_loop, &loop->port_source, err);
    if (status)
        goto free_context;
    loop_add_hook(loop->net_loop, &loop->turn_hook);
    status = listener_open(&loop->listener, loop->net_loop, address, accepted, err);
    if (status)
        goto free_context;
    *result = loop;
    return OK;

free_context:
    query_context_free(loop->context);
    loop_close(loop->net_loop);
free_home:
    free(loop->segment_scratch);
    free(loop);
    return status;
}

static void *run(void *argument)
{
    struct native_loop *loop = argument;

    loop_run(loop->net_loop);
    return NULL;
}

enum status native_loop_start(struct native_loop *loop, unsigned index, struct error *err)
{
    char name[16];
    int failed = pthread_create(&loop->thread, NULL, run, loop);

    if (failed)
        return error_set_os(err, failed, "Cannot start loop %u", index + 1);
    snprintf(name, sizeof(name), "loop-%u", index % 10000);
    pthread_setname_np(loop->thread, name);
    return OK;
}

void native_loop_idle(struct native_loop *loop)
{
    if (loop->is_draining && !loop->connections && loop->request_count == 0)
        loop_stop(loop->net_loop);
}

static void drain_run(struct loop_task *task)
{
    struct native_loop *loop = CONTAINER_OF(task, struct native_loop, drain_task);

    loop->is_draining = true;
    listener_close(&loop->listener);
    loop_timer_set(loop->net_loop, &loop->drain_timer, loop_now_us(loop->net_loop) + loop->limits.drain_us);
    for (struct connection *connection = loop->connections, *next; connection; connection = next) {
        next = connection->next;
        connection_drain(connection);
    }
    native_loop_idle(loop);
}

static void drain_fire(struct loop_timer *timer)
{
    struct native_loop *loop = CONTAINER_OF(timer, struct native_loop, drain_timer);

    while (loop->connections)
        connection_close(loop->connections);
    loop_stop(loop->net_loop);
}

void native_loop_drain(struct native_loop *loop)
{
    loop_post(loop->net_loop, &loop->drain_task);
}

bool native_loop_join(struct native_loop *loop)
{
    pthread_join(loop->thread, NULL);
    return loop->request_count == 0;
}

void native_loop_close(struct native_loop *loop)
{
    if (!loop)
        return;
    listener_close(&loop->listener);
    while (loop->connections)
        connection_close(loop->connections);
    loop_remove(loop->net_loop, &loop->port_source);
    loop_timer_clear(loop->net_loop, &loop->drain_timer);
    loop_timer_clear(loop->net_loop, &loop->hunger_timer);
    loop_timer_clear(loop->net_loop, &loop->trim_timer);
    query_context_free(loop->context);
    loop_close(loop->net_loop);
    free(loop->segment_scratch);
    buffer_fini(&loop->segment_packed);
    while (loop->arena_count)
        arena_free(loop->arenas[--loop->arena_count]);
    free(loop);
}

/* ---- limits ---- */

struct new_limits {
    struct loop_task task;
    struct native_loop *loop;
    struct native_limits limits;
};

static void new_limits_run(struct loop_task *task)
{
    struct new_limits *change = CONTAINER_OF(task, struct new_limits, task);

    change->loop->limits = change->limits;
    change->loop->budget.input_bytes_max = change->limits.input_bytes_max;
    atomic_store(&change->loop->requests.max, change->limits.request_bytes_max);
    atomic_store(&change->loop->requests.share_max, change->limits.share_bytes_max);
    free(change);
}

void native_loop_set_limits(struct native_loop *loop, const struct native_limits *limits)
{
    struct new_limits *change = xmalloc(sizeof(*change));

    *change = (struct new_limits){ { .run = new_limits_run }, loop, *limits };
    loop_post(loop->net_loop, &change->task);
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
    struct native_loop *loop;
    uint32_t event;
    size_t size;
    uint8_t body[];
};

static void broadcast_run(struct loop_task *task)
{
    struct broadcast *broadcast = CONTAINER_OF(task, struct broadcast, task);

    for (struct connection *connection = broadcast->loop->connections, *next; connection; connection = next) {
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
        loop_post(service->loops[i]->net_loop, &broadcast->task);
    }
}

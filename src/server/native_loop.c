#include "server/native_loop.h"

#include "base/log.h"
#include "server/native_connection.h"
#include "table/table.h"
#include "wire/native_segment.h"

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

/* ---- the shards' answers ---- */

static void port_ready(struct loop_source *source, uint32_t events)
{
    struct native_loop *home = CONTAINER_OF(source, struct native_loop, port_source);

    home->clock_us = loop_now_us(home->loop);
    table_port_reap(home->port);
}

static void port_flush(struct loop_hook *hook)
{
    table_port_flush(CONTAINER_OF(hook, struct native_loop, port_hook)->port);
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
    enum status status;

    home->service = service;
    home->limits = service->limits;
    home->budget.input_bytes_max = home->limits.input_bytes_max;
    home->drain_task.run = drain_run;
    home->drain_timer.fire = drain_fire;
    home->segment_scratch = xmalloc(NATIVE_SEGMENT_PAYLOAD_MAX);
    status = loop_open(NULL, &home->loop, err);
    if (status)
        goto free_home;
    home->context = query_context_new(service->engine, false);
    home->port = query_context_port(home->context);
    home->port_source = (struct loop_source){ table_port_fd(home->port), EPOLLIN, port_ready };
    home->port_hook.run = port_flush;
    status = loop_add(home->loop, &home->port_source, err);
    if (status)
        goto free_context;
    loop_add_hook(home->loop, &home->port_hook);
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

void native_loop_start(struct native_loop *home, unsigned index)
{
    char name[16];
    int failed = pthread_create(&home->thread, NULL, run, home);

    if (failed)
        abort(); /* at start-up: a machine that has no thread to give is out of memory */
    snprintf(name, sizeof(name), "loop-%u", index % 10000);
    pthread_setname_np(home->thread, name);
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

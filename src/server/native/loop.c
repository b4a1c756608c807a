/* The life of a loop that serves connections, and what reaches it from other threads: the shards'
 * answers, other limits, events, the wish to stop. A stop waits for each request that is with its
 * owner; past drain_us it waits no more, and says so.
 *
 * All that other threads want is posted as a task and done here, so connections need no lock. */
#include "server/native/loop.h"

#include "base/log.h"
#include "server/native/connection.h"
#include "server/native/memory.h"
#include "table/table.h"
#include "wire/native_segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the shards' answers ---- */

/* Owners have answered: each answer finishes its request within this call. */
static void port_ready(struct loop_source *source, uint32_t events)
{
    struct native_loop *loop = CONTAINER_OF(source, struct native_loop, port_source);

    loop->clock_us = loop_now_us(loop->net_loop);
    table_port_reap(loop->port);
}

/* Commands of a turn go to the owners together, and memory is looked at when the turn's replies are
 * known. */
static void turn_ends(struct loop_hook *hook)
{
    struct native_loop *loop = CONTAINER_OF(hook, struct native_loop, turn_hook);

    table_port_flush(loop->port);
    native_memory_turn_ends(loop);
}

/* ---- connections ---- */

static void accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct native_loop *loop = CONTAINER_OF(listener, struct native_loop, listener);

    connection_open(loop, fd, address, NULL);
}

/* Counted and limited as any other from here on, though it may never get as far as a request. */
static void tls_accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct native_loop *loop = CONTAINER_OF(listener, struct native_loop, tls_listener);

    connection_open(loop, fd, address, &loop->tls_gate);
}

/* ---- life ---- */

static void drain_run(struct loop_task *task);
static void drain_fire(struct loop_timer *timer);

/* Everything of a loop is made before its thread starts, so a failure has nobody to stop. */
enum status native_loop_open(struct native_service *service, struct sockaddr_storage *address,
                             struct native_loop **result, struct error *err)
{
    struct native_loop *loop = xcalloc(1, sizeof(*loop));
    struct loop_options options = { .clock = service->clock };
    enum status status;

    assert(service->clock && service->workers && service->clients);
    loop->service = service;
    loop->limits = service->limits;
    loop->drain_task.run = drain_run;
    loop->drain_timer.fire = drain_fire;
    native_memory_init(loop);
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
    status = address ? listener_open(&loop->listener, loop->net_loop, address, accepted, err) : OK;
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

/* A gate for each loop: how many handshakes are worked at is a matter of the loop's own time. Port 0
 * becomes a number with the first loop, as that of plain text does. */
enum status native_loop_secure(struct native_loop *loop, struct sockaddr_storage *address, struct error *err)
{
    assert(loop->service->tls && !loop->tls_gate.tls);
    tls_gate_init(&loop->tls_gate, loop->service->tls, loop->net_loop, loop->limits.handshake_us, &loop->tls_counts);
    return listener_open(&loop->tls_listener, loop->net_loop, address, tls_accepted, err);
}

static void *run(void *argument)
{
    struct native_loop *loop = argument;

    loop_run(loop->net_loop);
    return NULL;
}

/* Its name in a list of threads has its number, from 0 on. */
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

/* Draining ends with the last connection and the last request: whichever comes last calls this. */
void native_loop_idle(struct native_loop *loop)
{
    assert(!loop->connections || loop->connections->loop == loop);
    if (loop->is_draining && !loop->connections && loop->request_count == 0)
        loop_stop(loop->net_loop);
}

/* The listeners first: who connects from now on is refused by the kernel. */
static void drain_run(struct loop_task *task)
{
    struct native_loop *loop = CONTAINER_OF(task, struct native_loop, drain_task);

    assert(!loop->is_draining);
    loop->is_draining = true;
    listener_close(&loop->listener);
    listener_close(&loop->tls_listener);
    loop_timer_set(loop->net_loop, &loop->drain_timer, loop_now_us(loop->net_loop) + loop->limits.drain_us);
    for (struct connection *connection = loop->connections, *next; connection; connection = next) {
        next = connection->next;
        connection_drain(connection);
    }
    native_loop_idle(loop);
}

/* Time is up. Requests that are still at owners will find their connections closed. */
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

/* False: a request did not come back. What it uses must not be freed, so the process ends as it is. */
bool native_loop_join(struct native_loop *loop)
{
    pthread_join(loop->thread, NULL);
    return loop->request_count == 0;
}

/* After join, so all of it can be touched here. Connections that are left are those of a server
 * that could not start. */
void native_loop_close(struct native_loop *loop)
{
    if (!loop)
        return;
    assert(loop->net_loop && loop->context);
    listener_close(&loop->listener);
    listener_close(&loop->tls_listener);
    while (loop->connections)
        connection_close(loop->connections);
    loop_remove(loop->net_loop, &loop->port_source);
    loop_timer_clear(loop->net_loop, &loop->drain_timer);
    native_memory_fini(loop);
    query_context_free(loop->context);
    loop_close(loop->net_loop);
    free(loop->segment_scratch);
    buffer_fini(&loop->segment_packed);
    free(loop);
}

/* ---- limits: a reload ---- */
/* ---- limits ---- */

/* A copy goes to each loop, which takes it between two turns: nobody reads limits while they
 * change. */
struct new_limits {
    struct loop_task task;
    struct native_loop *loop;
    struct native_limits limits;
};

static void new_limits_run(struct loop_task *task)
{
    struct new_limits *change = CONTAINER_OF(task, struct new_limits, task);

    change->loop->limits = change->limits;
    change->loop->tls_gate.handshake_us = change->limits.handshake_us;
    native_memory_limit(change->loop, &change->limits);
    free(change);
}

void native_loop_set_limits(struct native_loop *loop, const struct native_limits *limits)
{
    struct new_limits *change = xmalloc(sizeof(*change));

    *change = (struct new_limits){ { .run = new_limits_run }, loop, *limits };
    loop_post(loop->net_loop, &change->task);
}

/* ---- workers: each has a context of its own, as caches and ports belong to one thread ---- */
/* ---- workers ---- */

void *native_worker_start(void *engine)
{
    return query_context_new(engine, true);
}

void native_worker_stop(void *local)
{
    query_context_free(local);
}

/* ---- events: one copy for each loop, freed when it was sent ---- */
/* ---- events ---- */

struct broadcast {
    struct loop_task task;
    struct native_loop *loop;
    const struct catalog_account *account;
    uint32_t event;
    size_t size;
    uint8_t body[];
};

static void broadcast_run(struct loop_task *task)
{
    struct broadcast *broadcast = CONTAINER_OF(task, struct broadcast, task);

    /* A connection may close while it is sent to, so the next one is known before. */
    for (struct connection *connection = broadcast->loop->connections, *next; connection; connection = next) {
        next = connection->next;
        if (connection->events & broadcast->event && connection->session.account == broadcast->account)
            connection_send_event(connection, bytes_of(broadcast->body, broadcast->size));
    }
    free(broadcast);
}

void native_service_broadcast(struct native_service *service, const struct catalog_account *account, uint32_t event,
                              struct bytes body)
{
    assert(service->loops || !service->loop_count);
    for (uint32_t i = 0; i < service->loop_count; i++) {
        struct broadcast *broadcast = xmalloc(sizeof(*broadcast) + body.size);

        *broadcast = (struct broadcast){ { .run = broadcast_run }, service->loops[i], account, event, body.size };
        memcpy(broadcast->body, body.data, body.size);
        loop_post(service->loops[i]->net_loop, &broadcast->task);
    }
}

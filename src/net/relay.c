/* What the client sends is decrypted on the way from outer to inner, and what the library answers is
 * encrypted on the way back. Nothing of HTTP is known here.
 *
 * Two sockets of a loop, each of which gives what it reads to the other. A side is not read while
 * the other has enough to send, and goes on in the turn after some of that has left. */
#include "net/relay.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* ---- life ---- */

static void list_add(struct relay *relay)
{
    struct relays *relays = relay->relays;

    relay->older = relays->newest;
    if (relays->newest)
        relays->newest->newer = relay;
    else
        relays->oldest = relay;
    relays->newest = relay;
}

/* From anywhere: connections end in any order. */
static void list_remove(struct relay *relay)
{
    struct relays *relays = relay->relays;

    if (relay->older)
        relay->older->newer = relay->newer;
    else
        relays->oldest = relay->newer;
    if (relay->newer)
        relay->newer->older = relay->older;
    else
        relays->newest = relay->older;
}

/* Deferred: sockets must live to the end of the turn in which they were closed. */
static void free_run(struct loop_task *task)
{
    struct relay *relay = CONTAINER_OF(task, struct relay, free_task);

    assert(!relay->outer.is_open && !relay->inner.is_open && !relay->is_held);
    free(relay);
}

/* With success or without: it does not count among those under way any more. */
static void shaking_ends(struct relay *relay)
{
    assert(relay->relays->shaking_count > 0 || !relay->is_shaking);
    relay->relays->shaking_count -= relay->is_shaking;
    relay->is_shaking = false;
}

/* Both sides are closed. */
static void end(struct relay *relay)
{
    struct relays *relays = relay->relays;

    shaking_ends(relay);
    list_remove(relay);
    if (!relay->is_held)
        loop_defer(relays->loop, &relay->free_task);
    relays->ended(relays);
}

/* The holder outlives the sockets or the other way around: whoever is last frees it. */
void relay_release(struct relay *relay)
{
    assert(relay->is_held);
    relay->is_held = false;
    if (!relay->outer.is_open && !relay->inner.is_open)
        loop_defer(relay->relays->loop, &relay->free_task);
}

/* ---- from one side to the other ---- */

/* The side of which the loop tells us. */
static struct relay_end *end_of(struct stream_socket *socket)
{
    return CONTAINER_OF(socket, struct relay_end, socket);
}

/* Only as much as the other side has room for; the rest stays with this socket, which keeps it and
 * is not read meanwhile. */
static size_t input(struct stream_socket *socket, struct bytes data)
{
    struct relay_end *from = end_of(socket);
    struct stream_socket *to = &from->other->socket;
    size_t room = RELAY_BYTES > to->output_bytes ? RELAY_BYTES - to->output_bytes : 0;
    size_t taken = data.size < room ? data.size : room;

    if (!from->other->is_open)
        return data.size; /* nobody is there to hear it: the end follows */
    if (taken) {
        buffer_append(stream_socket_output(to), data.data, taken);
        stream_socket_commit(to);
    }
    if (from == &from->relay->outer)
        from->relay->passed_bytes += taken;
    if (taken < data.size)
        stream_socket_pause(socket, STREAM_PAUSE_OWNER);
    return taken;
}

/* Some of what this side had to send has left, or is about to. */
static void leaving(struct stream_socket *socket)
{
    struct relay_end *end = end_of(socket);

    if (end->other->is_open && (end->other->socket.pauses & STREAM_PAUSE_OWNER))
        loop_again(socket->loop, &end->resume);
}

/* In the turn after something left. The limit is the same as in input, so a side is not woken for
 * nothing. */
static void resume_run(struct loop_task *task)
{
    struct relay_end *end = CONTAINER_OF(task, struct relay_end, resume);

    if (end->other->is_open && end->socket.output_bytes < RELAY_BYTES)
        stream_socket_resume(&end->other->socket, STREAM_PAUSE_OWNER);
}

/* One side has gone: the other gets what is on its way to it, and then its end. When both have,
 * the relay ends. */
static void closed(struct stream_socket *socket, enum stream_end reason)
{
    struct relay_end *end_here = end_of(socket);

    assert(end_here->is_open);
    end_here->is_open = false;
    loop_forget(socket->loop, &end_here->resume);
    if (end_here->other->is_open)
        stream_socket_close_when_sent(&end_here->other->socket);
    else
        end(end_here->relay);
}

static void secured(struct stream_socket *socket);

static const struct stream_ops relay_ops = { input, closed, leaving, secured };

/* Both sides are sockets of the same loop; only the outer one has a gate, and so TLS. */
static enum status open_end(struct relay *relay, struct relay_end *end, int fd, struct tls_gate *gate)
{
    struct relays *relays = relay->relays;
    struct stream_options options = {
        .output_bytes_max = RELAY_BYTES, .stall_us = relays->stall_us, .budget = &relays->budget, .gate = gate
    };
    struct error error;
    enum status status = stream_socket_open(&end->socket, relays->loop, fd, &relay_ops, &options, &error);

    end->is_open = !status;
    return status;
}

/* The handshake is done: from here on there is a plain side. */
static void secured(struct stream_socket *socket)
{
    struct relay *relay = end_of(socket)->relay;
    int pair[2];

    shaking_ends(relay);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        stream_socket_close(socket);
        return;
    }
    if (open_end(relay, &relay->inner, pair[0], NULL)) {
        close(pair[0]);
        close(pair[1]);
        stream_socket_close(socket);
        return;
    }
    relay->is_held = true;
    relay->relays->ready(relay, pair[1], &relay->address);
}

/* The oldest of those who have not ended their handshake has had more time than any other. */
static void end_oldest_shaking(struct relays *relays)
{
    for (struct relay *relay = relays->oldest; relay; relay = relay->newer)
        if (relay->is_shaking) {
            stream_socket_close(&relay->outer.socket);
            return;
        }
}

/* Until the handshake is done there is the outer side alone. */
void relay_open(struct relays *relays, int fd, const struct sockaddr *address)
{
    struct relay *relay = xcalloc(1, sizeof(*relay));

    assert(relays->gate && relays->ready && relays->ended && relays->shaking_max > 0);
    if (relays->shaking_count >= relays->shaking_max)
        end_oldest_shaking(relays);
    relay->relays = relays;
    relay->outer = (struct relay_end){ .relay = relay, .other = &relay->inner, .resume.run = resume_run };
    relay->inner = (struct relay_end){ .relay = relay, .other = &relay->outer, .resume.run = resume_run };
    relay->free_task.run = free_run;
    memcpy(&relay->address, address,
           address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    if (open_end(relay, &relay->outer, fd, relays->gate)) {
        close(fd);
        free(relay);
        return;
    }
    relay->is_shaking = true;
    relays->shaking_count++;
    list_add(relay);
}

/* Sockets close at once here, with whatever they hold: for the end of a server, and for those who
 * had not begun. */
void relays_close(struct relays *relays, bool all)
{
    for (struct relay *relay = relays->oldest, *next; relay; relay = next) {
        next = relay->newer;
        if (!all && !relay->is_shaking)
            continue;
        if (relay->inner.is_open)
            stream_socket_close(&relay->inner.socket);
        if (relay->outer.is_open)
            stream_socket_close(&relay->outer.socket);
    }
}

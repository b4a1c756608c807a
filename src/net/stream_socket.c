/* A connection's bytes, both ways. Reading takes what there is into memory that all sockets of the
 * loop share, and keeps a copy only of a message that has not come whole; replies of a turn leave
 * together in one sendmsg. So a thousand idle connections hold nothing, and a busy one costs two
 * system calls a turn.
 *
 * With TLS the same happens one step further in: what is read is decrypted into that memory, and
 * what leaves is sealed just before, so much ahead as one call may send. A socket without it pays a
 * comparison for each call.
 *
 * Whatever a peer can make grow has an end: input (one limit for all sockets of a loop), output
 * (reading stops while too much waits), and time (who takes nothing for stall_us is closed). */
#include "net/stream_socket.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    VECTORS_MAX = 64,
    CHUNK_FULL_BYTES = 64 << 10, /* past this, the next message begins a new buffer: nothing is copied to grow it */
    KEPT_IN_SCRATCH_BYTES_MAX = LOOP_SCRATCH_BYTES / 2,
    READ_BYTES = 64 << 10,
    SEALED_BYTES = 64 << 10, /* so much is sealed at once, and no more before it has left */
};

/* What a connection with TLS needs more. */
struct stream_tls {
    struct stream_socket *socket;
    struct tls_session *session; /* owned */
    struct tls_gate *gate;       /* borrowed */
    struct tls_waiter waiter;
    struct loop_timer deadline; /* of the handshake, while it is the client's turn */
    int64_t left_us;            /* while it is ours */
    enum tls_failure failure;   /* ours: what the session does not know */
    bool is_open;               /* the handshake is done */
};

/* Metrics are read by other threads. A plain load is enough here, since nobody else writes. */
static void count(uint64_t *counter, size_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED); /* one writer: the loop */
}

/* Writing is waited for only while the kernel takes nothing: a socket that can be written to is
 * always ready, and would be told each turn. */
static void update_events(struct stream_socket *socket)
{
    uint32_t events = 0;

    assert(!socket->is_closed);
    if (!socket->pauses)
        events |= EPOLLIN;
    if (socket->stall.position)
        events |= EPOLLOUT;
    loop_change(socket->loop, &socket->source, events);
}

/* What is freed here is counted, so that the loop gives memory back to the system after a wave of
 * large requests. */
static void input_free(struct stream_socket *socket)
{
    assert(socket->budget->input_bytes >= socket->input.capacity);
    socket->budget->input_bytes -= socket->input.capacity;
    if (socket->budget->replies)
        socket->budget->replies->freed += socket->input.capacity;
    buffer_fini(&socket->input);
}

/* Only what the kernel did not take is charged: what leaves in its turn is gone before anybody else
 * is asked to wait. */
static void charge_output(struct stream_socket *socket, size_t bytes)
{
    if (bytes == socket->output_charged)
        return;
    if (socket->budget->replies)
        budget_change_output(socket->budget->replies, socket->output_charged, bytes);
    socket->output_charged = bytes;
}

/* ---- TLS ---- */

/* What is sealed and not sent. */
static struct bytes sealed(const struct stream_socket *socket)
{
    return socket->tls ? tls_session_sealed(socket->tls->session) : bytes_of(NULL, 0);
}

/* What is owed to the other side: an alert that says why, or that nothing more will come. Nobody
 * waits for it to be taken. */
static void tls_end(struct stream_socket *socket)
{
    struct stream_tls *tls = socket->tls;
    struct bytes last;

    tls_gate_leave(tls->gate, &tls->waiter);
    loop_timer_clear(socket->loop, &tls->deadline);
    if (!tls->is_open) {
        enum tls_failure failure = tls->failure ? tls->failure : tls_session_failure(tls->session);

        tls_gate_count_failure(tls->gate, failure ? failure : TLS_FAILURE_GONE, tls_session_detail(tls->session),
                               socket->source.fd);
    } else if (!sealed(socket).size) { /* not in the middle of a record */
        tls_session_bye(tls->session);
    }
    last = sealed(socket);
    if (last.size)
        (void)send(socket->source.fd, last.data, last.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    tls_session_free(tls->session);
    free(tls);
    socket->tls = NULL;
}

/* The one way in which a socket ends, whoever wants it. It is out of the loop before its owner
 * hears of it, so that nothing is called afterwards; the struct itself is the owner's, to the end
 * of the turn. */
static void end(struct stream_socket *socket, enum stream_end reason)
{
    if (socket->is_closed)
        return;
    socket->is_closed = true;
    loop_remove(socket->loop, &socket->source);
    loop_timer_clear(socket->loop, &socket->stall);
    loop_forget(socket->loop, &socket->flush);
    loop_forget(socket->loop, &socket->again);
    if (socket->tls)
        tls_end(socket);
    close(socket->source.fd);
    input_free(socket);
    while (socket->first) {
        struct loop_buffer *next = socket->first->next;

        loop_give_back(socket->loop, socket->first);
        socket->first = next;
    }
    socket->last = NULL;
    socket->output_bytes = 0;
    charge_output(socket, 0);
    socket->ops->closed(socket, reason);
}

void stream_socket_close(struct stream_socket *socket)
{
    end(socket, STREAM_END_OWNER);
}

/* ---- output ---- */

/* A buffer that is full enough is followed by another: growing one would copy what stands in it,
 * and sendmsg takes many at once. */
struct buffer *stream_socket_output(struct stream_socket *socket)
{
    assert(!socket->is_closed);
    if (!socket->last || socket->last->buffer.size >= CHUNK_FULL_BYTES) {
        struct loop_buffer *fresh = loop_borrow(socket->loop);

        if (socket->last)
            socket->last->next = fresh;
        else
            socket->first = fresh;
        socket->last = fresh;
    }
    return &socket->last->buffer;
}

/* Bytes that left, from the front. */
static void forget_sent(struct stream_socket *socket, size_t sent)
{
    while (socket->first) { /* a buffer that nothing was appended to goes as well */
        struct loop_buffer *first = socket->first;
        size_t left = first->buffer.size - first->sent;

        assert(first->sent <= first->buffer.size);
        if (sent < left) {
            first->sent += sent;
            return;
        }
        sent -= left;
        socket->first = first->next;
        if (!socket->first)
            socket->last = NULL;
        loop_give_back(socket->loop, first);
    }
}

/* From the front of what waits, so much as fits. False: the session is broken. */
static bool seal_some(struct stream_socket *socket)
{
    size_t room = SEALED_BYTES;

    assert(socket->tls->is_open && !sealed(socket).size);
    while (socket->first && room) {
        struct loop_buffer *first = socket->first;
        size_t left = first->buffer.size - first->sent, size = left < room ? left : room;

        if (size && !tls_session_seal(socket->tls->session, bytes_of(first->buffer.data + first->sent, size)))
            return false;
        room -= size;
        forget_sent(socket, size);
    }
    return true;
}

/* As send_some, of a connection with TLS. */
static bool send_sealed(struct stream_socket *socket, bool *is_full, size_t *total)
{
    struct bytes waiting = sealed(socket);
    ssize_t sent;

    if (!waiting.size) {
        if (!seal_some(socket))
            return false;
        waiting = sealed(socket);
        if (!waiting.size) /* the buffers were empty */
            return true;
    }
    do {
        sent = send(socket->source.fd, waiting.data, waiting.size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        *is_full = true;
        return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    *is_full = (size_t)sent < waiting.size;
    *total += (size_t)sent;
    tls_session_sent(socket->tls->session, (size_t)sent);
    return true;
}

/* Sends what the kernel takes in one call; *is_full: it did not take all. False: the socket broke.
 * MSG_NOSIGNAL, as SIGPIPE would end the process because one client went away. */
static bool send_some(struct stream_socket *socket, bool *is_full, size_t *total)
{
    struct iovec vectors[VECTORS_MAX];
    struct msghdr message = { .msg_iov = vectors };
    size_t wanted = 0;
    ssize_t sent;

    if (__builtin_expect(socket->tls != NULL, 0))
        return send_sealed(socket, is_full, total);
    for (struct loop_buffer *at = socket->first; at && message.msg_iovlen < VECTORS_MAX; at = at->next) {
        struct iovec *vector = &vectors[message.msg_iovlen++];

        vector->iov_base = at->buffer.data + at->sent;
        vector->iov_len = at->buffer.size - at->sent;
        wanted += vector->iov_len;
    }
    do {
        sent = sendmsg(socket->source.fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        *is_full = true;
        return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    *is_full = (size_t)sent < wanted;
    *total += (size_t)sent;
    forget_sent(socket, (size_t)sent);
    return true;
}

/* Plain bytes that wait, or sealed ones. */
static bool has_output(const struct stream_socket *socket)
{
    return socket->first || (__builtin_expect(socket->tls != NULL, 0) && sealed(socket).size);
}

static size_t waiting_bytes(const struct stream_socket *socket)
{
    size_t bytes = __builtin_expect(socket->tls != NULL, 0) ? sealed(socket).size : 0;

    for (const struct loop_buffer *at = socket->first; at; at = at->next)
        bytes += at->buffer.size - at->sent;
    return bytes;
}

/* What waits for longer than this turn takes no more than it needs: a large buffer was doubled while it grew. */
static size_t shrink_waiting(struct stream_socket *socket)
{
    size_t bytes = __builtin_expect(socket->tls != NULL, 0) ? tls_session_held(socket->tls->session) : 0;

    for (struct loop_buffer *at = socket->first; at; at = at->next) {
        if (at->buffer.capacity - at->buffer.size >= CHUNK_FULL_BYTES)
            buffer_shrink(&at->buffer);
        bytes += at->buffer.capacity;
    }
    return bytes;
}

/* At the end of a turn, or when the kernel takes something again. While anything waits a timer
 * runs, which is set anew whenever the peer took something: slow is allowed, standing still is not. */
static void flush(struct stream_socket *socket)
{
    bool is_full = false;
    size_t total = 0;

    assert(!socket->is_closed);
    if (socket->ops->leaving)
        socket->ops->leaving(socket);
    while (has_output(socket) && !is_full) {
        if (!send_some(socket, &is_full, &total)) {
            end(socket, STREAM_END_PEER);
            return;
        }
    }
    count(&socket->budget->bytes_out, total);
    socket->output_bytes = waiting_bytes(socket);
    charge_output(socket, shrink_waiting(socket));
    if (!has_output(socket)) {
        loop_timer_clear(socket->loop, &socket->stall);
        if (socket->closes_when_sent) {
            end(socket, STREAM_END_OWNER);
            return;
        }
    } else if (total || !socket->stall.position) {
        socket->moved_us = loop_now_us(socket->loop);
        loop_timer_set(socket->loop, &socket->stall, socket->moved_us + socket->stall_us);
    }
    /* Reading stops above the limit and begins again below half of it, not at it: otherwise a slow
     * peer would make it change at every message. */
    if (socket->output_bytes > socket->output_bytes_max)
        stream_socket_pause(socket, STREAM_PAUSE_OUTPUT);
    else if (socket->output_bytes <= socket->output_bytes_max / 2)
        stream_socket_resume(socket, STREAM_PAUSE_OUTPUT);
    update_events(socket);
}

/* Deferred to the turn's end: all replies of a turn leave with one system call. */
static void flush_run(struct loop_task *task)
{
    flush(CONTAINER_OF(task, struct stream_socket, flush));
}

void stream_socket_commit(struct stream_socket *socket)
{
    /* One turn's replies may already be too much: what follows is read when they have left. */
    socket->output_bytes = waiting_bytes(socket);
    if (socket->output_bytes > socket->output_bytes_max)
        stream_socket_pause(socket, STREAM_PAUSE_OUTPUT);
    if (!socket->stall.position)
        loop_defer(socket->loop, &socket->flush);
    else /* the kernel takes nothing now, and EPOLLOUT will flush: what came to wait is held from now on */
        charge_output(socket, shrink_waiting(socket));
}

static void stall_fire(struct loop_timer *timer)
{
    end(CONTAINER_OF(timer, struct stream_socket, stall), STREAM_END_STALLED);
}

/* The peer gets what was promised; what it sends meanwhile is not read. */
void stream_socket_close_when_sent(struct stream_socket *socket)
{
    socket->closes_when_sent = true;
    stream_socket_pause(socket, STREAM_PAUSE_END);
    if (!socket->stall.position)
        loop_defer(socket->loop, &socket->flush);
}

/* ---- input ---- */

/* Hands `data` (the scratch buffer's, or all of socket->input) to the owner and keeps what is left
 * of it. The owner is not called before as much is there as it asked for: a large message that
 * comes in a thousand pieces would be looked at a thousand times. */
static void deliver(struct stream_socket *socket, struct bytes data)
{
    bool is_kept = data.data == socket->input.data;
    size_t taken = 0;

    assert(!socket->is_closed);
    if (data.size >= socket->wanted) {
        socket->wanted = 0;
        taken = socket->ops->input(socket, data);
        /* The owner may have closed it, and then nothing of it may be touched. */
        if (socket->is_closed)
            return;
        assert(taken <= data.size);
    }
    data.data += taken;
    data.size -= taken;
    if (data.size == 0) {
        input_free(socket);
        return;
    }
    if (is_kept) {
        if (taken)
            memmove(socket->input.data, data.data, data.size);
        socket->input.size = data.size;
        return;
    }
    socket->budget->input_bytes -= socket->input.capacity;
    buffer_reset(&socket->input);
    buffer_append_bytes(&socket->input, data);
    socket->budget->input_bytes += socket->input.capacity;
    if (socket->budget->input_bytes > socket->budget->input_bytes_max)
        end(socket, STREAM_END_MEMORY);
}

/* As read(2), of whichever kind the connection is: what is returned is plain. */
static ssize_t receive(struct stream_socket *socket, uint8_t *to, size_t room)
{
    if (__builtin_expect(socket->tls != NULL, 0))
        return tls_session_read(socket->tls->session, to, room);
    return read(socket->source.fd, to, room);
}

/* A large message grows as it comes, not as it claims: a client that says 256 MB and sends nothing
 * costs 64 KiB. */
static ssize_t read_large(struct stream_socket *socket, struct bytes *data)
{
    size_t room;
    ssize_t got;

    socket->budget->input_bytes -= socket->input.capacity;
    buffer_reserve(&socket->input, READ_BYTES);
    socket->budget->input_bytes += socket->input.capacity;
    room = socket->input.capacity - socket->input.size;
    got = receive(socket, buffer_reserve(&socket->input, room), room);
    if (got > 0)
        socket->input.size += (size_t)got;
    *data = buffer_bytes(&socket->input);
    return got;
}

/* What was kept is put in front only after the read brought something, so that a socket that is
 * told of for nothing copies nothing. It fits: more than half of the scratch is never kept here. */
static ssize_t read_small(struct stream_socket *socket, struct bytes *data)
{
    uint8_t *scratch = loop_scratch(socket->loop);
    size_t kept = socket->input.size;
    ssize_t got;

    assert(kept <= KEPT_IN_SCRATCH_BYTES_MAX);
    unpoison(scratch, LOOP_SCRATCH_BYTES);
    got = receive(socket, scratch + kept, LOOP_SCRATCH_BYTES - kept);
    if (got > 0 && kept) {
        memcpy(scratch, socket->input.data, kept);
        buffer_reset(&socket->input);
    }
    *data = bytes_of(scratch, kept + (got > 0 ? (size_t)got : 0));
    if (POISON_IS_SEEN)
        poison(scratch + data->size, LOOP_SCRATCH_BYTES - data->size);
    return got;
}

/* Bytes that no descriptor tells of any more. */
static bool has_more(const struct stream_socket *socket)
{
    return __builtin_expect(socket->tls != NULL, 0) && socket->tls->is_open &&
           tls_session_has_more(socket->tls->session);
}

static void shake(struct stream_socket *socket);

/* What a pass over a session leaves behind: words of its own that are to leave, and more to read. */
static void after_read(struct stream_socket *socket)
{
    if (sealed(socket).size)
        stream_socket_commit(socket);
    if (has_more(socket))
        stream_socket_again(socket);
}

/* One read a turn for each socket: who sends without end does not keep the others waiting. Nothing
 * is read while whole messages are left from before, as order must be kept. */
static void read_some(struct stream_socket *socket)
{
    uint8_t *scratch = loop_scratch(socket->loop);
    struct bytes data;
    ssize_t got;

    if (socket->pauses || socket->again.is_queued)
        return;
    if (__builtin_expect(socket->tls != NULL, 0) && !socket->tls->is_open) {
        shake(socket);
        return;
    }
    do {
        got = socket->input.size > KEPT_IN_SCRATCH_BYTES_MAX ? read_large(socket, &data) : read_small(socket, &data);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (__builtin_expect(socket->tls != NULL, 0))
            after_read(socket);
        return;
    }
    /* 0 is the peer's end. Half-closed connections are not served further: no driver uses them. */
    if (got <= 0) {
        end(socket, STREAM_END_PEER);
        return;
    }
    count(&socket->budget->bytes_in, (size_t)got);
    if (socket->budget->input_bytes > socket->budget->input_bytes_max) {
        end(socket, STREAM_END_MEMORY);
        return;
    }
    deliver(socket, data);
    if (data.data == scratch)
        poison(scratch, data.size);
    if (__builtin_expect(socket->tls != NULL, 0))
        after_read(socket);
}

/* ---- the handshake ---- */

/* It is set before the end, which counts it. */
static void end_handshake(struct stream_tls *tls, enum tls_failure failure)
{
    assert(!tls->is_open && !tls->failure);
    tls->failure = failure;
    end(tls->socket, STREAM_END_TLS);
}

/* Of the whole handshake: bytes that come now and then do not move it. */
static void deadline_fire(struct loop_timer *timer)
{
    end_handshake(CONTAINER_OF(timer, struct stream_tls, deadline), TLS_FAILURE_SLOW);
}

/* A newer handshake needs its place. */
static void crowded(struct tls_waiter *waiter)
{
    end_handshake(CONTAINER_OF(waiter, struct stream_tls, waiter), TLS_FAILURE_CROWDED);
}

/* From here on the socket is as any other. The owner hears of it before the first byte comes. */
static void handshake_done(struct stream_socket *socket)
{
    struct stream_tls *tls = socket->tls;

    tls->is_open = true;
    tls_gate_leave(tls->gate, &tls->waiter);
    loop_timer_clear(socket->loop, &tls->deadline);
    tls_gate_count_done(tls->gate, tls->session);
    socket->ops->secured(socket);
}

/* Its turn has come. */
static void shake_step(struct tls_waiter *waiter)
{
    struct stream_tls *tls = CONTAINER_OF(waiter, struct stream_tls, waiter);
    struct stream_socket *socket = tls->socket;

    if (socket->pauses & STREAM_PAUSE_GATE) {
        loop_timer_set(socket->loop, &tls->deadline, loop_now_us(socket->loop) + tls->left_us);
        stream_socket_resume(socket, STREAM_PAUSE_GATE);
    }
    if (!tls->waiter.shakes.is_in)
        tls_gate_begin(tls->gate, &tls->waiter);
    switch (tls_session_shake(tls->session)) {
    case TLS_STEP_WAITS: break;
    case TLS_STEP_DONE: handshake_done(socket); break;
    case TLS_STEP_FAILED: end_handshake(tls, tls_session_failure(tls->session)); break;
    }
    if (!socket->is_closed)
        after_read(socket);
}

/* Something came before the handshake is done. While it waits for longer than this turn it is not
 * told of more. */
static void shake(struct stream_socket *socket)
{
    struct stream_tls *tls = socket->tls;

    if (tls->waiter.waits.is_in)
        return;
    if (!tls->waiter.shakes.is_in) {
        switch (tls_session_hello(tls->session)) {
        case TLS_STEP_WAITS: return;
        case TLS_STEP_DONE: break;
        case TLS_STEP_FAILED: end_handshake(tls, tls_session_failure(tls->session)); return;
        }
    }
    if (tls_gate_wait(tls->gate, &tls->waiter))
        return;
    tls->left_us = tls->deadline.due_us - loop_now_us(socket->loop);
    loop_timer_clear(socket->loop, &tls->deadline);
    stream_socket_pause(socket, STREAM_PAUSE_GATE);
}

/* Before the handshake's end nothing is known that could be told. */
const struct tls_session *stream_socket_tls(const struct stream_socket *socket)
{
    return socket->tls && socket->tls->is_open ? socket->tls->session : NULL;
}

/* OpenSSL is not asked for anything yet: see tls_session_hello. */
static void tls_open(struct stream_socket *socket, struct tls_gate *gate)
{
    struct stream_tls *tls = xcalloc(1, sizeof(*tls));

    assert(socket->ops->secured && gate->handshake_us > 0);
    tls->socket = socket;
    tls->gate = gate;
    tls->session = tls_session_new(gate->tls, socket->loop, socket->source.fd);
    tls->waiter.step = shake_step;
    tls->waiter.crowded = crowded;
    tls->deadline.fire = deadline_fire;
    socket->tls = tls;
    loop_timer_set(socket->loop, &tls->deadline, loop_now_us(socket->loop) + gate->handshake_us);
}

/* ---- events ---- */

/* EPOLLHUP comes whether it was asked for or not: while reading is paused it would come in each
 * turn. */
static void ready(struct loop_source *source, uint32_t events)
{
    struct stream_socket *socket = CONTAINER_OF(source, struct stream_socket, source);

    if (events & EPOLLOUT)
        flush(socket);
    if (socket->is_closed)
        return;
    if ((events & (EPOLLERR | EPOLLHUP)) && socket->pauses) { /* nobody is there any more, and read will not tell us */
        end(socket, STREAM_END_PEER);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_some(socket);
}

/* What the owner left of the input comes again, without reading. If this turn is spent it waits for
 * the next. */
static void again_run(struct loop_task *task)
{
    struct stream_socket *socket = CONTAINER_OF(task, struct stream_socket, again);

    if (socket->pauses || (socket->input.size == 0 && !has_more(socket)))
        return;
    if (!loop_may_go_on(socket->loop)) {
        loop_again(socket->loop, task);
        return;
    }
    if (socket->input.size)
        deliver(socket, buffer_bytes(&socket->input));
    if (!socket->is_closed && has_more(socket))
        read_some(socket);
}

/* Reasons are bits: several may hold at once, and reading goes on when the last one is taken back. */
void stream_socket_pause(struct stream_socket *socket, uint8_t reason)
{
    if (socket->is_closed || (socket->pauses & reason))
        return;
    socket->pauses |= reason;
    update_events(socket);
}

void stream_socket_resume(struct stream_socket *socket, uint8_t reason)
{
    if (socket->is_closed || !(socket->pauses & reason))
        return;
    socket->pauses &= (uint8_t)~reason;
    if (socket->pauses)
        return;
    update_events(socket);
    /* Whole messages may lie in what was kept, and no event would tell of them. */
    stream_socket_again(socket);
}

void stream_socket_again(struct stream_socket *socket)
{
    loop_again(socket->loop, &socket->again);
}

void stream_socket_want(struct stream_socket *socket, size_t bytes)
{
    socket->wanted = bytes;
}

/* The struct is filled anew: nothing of an earlier connection is left. */
enum status stream_socket_open(struct stream_socket *socket, struct loop *loop, int fd, const struct stream_ops *ops,
                               const struct stream_options *options, struct error *err)
{
    assert(ops->input && ops->closed && options->budget);
    *socket = (struct stream_socket){
        .loop = loop,
        .ops = ops,
        .budget = options->budget,
        .source = { fd, EPOLLIN, ready },
        .flush = { .run = flush_run },
        .again = { .run = again_run },
        .stall = { .fire = stall_fire },
        .output_bytes_max = options->output_bytes_max,
        .stall_us = options->stall_us,
    };
    if (loop_add(loop, &socket->source, err))
        return err->status;
    if (options->gate)
        tls_open(socket, options->gate);
    return OK;
}

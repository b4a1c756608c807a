/* net/stream_socket.h: one TCP connection on a loop, plain or with TLS: all there is in, one writev per turn out.
 *
 * Input is read into the loop's scratch buffer; only what is left of an unfinished message is kept. Output is appended
 * to buffers borrowed from the loop and leaves at the end of the turn. An idle socket holds neither.
 *
 * Backpressure: nothing is read while more than output_bytes_max wait to leave, or while its owner pauses it.
 *
 * With TLS nothing else is different for the owner: what it is given is plain, after the handshake; what it appends is sealed when it
 * leaves, up to 64 KiB ahead of what the kernel takes. A handshake that fails closes the connection, and nothing is ever read of it as
 * if it were plain.
 *
 * Owns:    the file descriptor, and buffers while data is pending. The struct is its owner's; it must live until the
 *          end of the turn in which it was closed (free it from loop_defer).
 * Errors:  whatever the kernel says closes it: `closed` is called once, with the reason.
 * Thread:  the loop's.
 */
#ifndef NET_STREAM_SOCKET_H
#define NET_STREAM_SOCKET_H

#include "net/budget.h"
#include "net/loop.h"
#include "net/tls_gate.h"

struct stream_socket;
struct stream_tls;

enum stream_end {
    STREAM_END_PEER,    /* the other side closed it, or it broke */
    STREAM_END_OWNER,   /* stream_socket_close */
    STREAM_END_STALLED, /* the peer took nothing for stall_us */
    STREAM_END_MEMORY,  /* the loop's sockets hold too much input */
    STREAM_END_TLS,     /* there was no handshake, or it took too long */
};

/* What all sockets of one loop may hold together. */
struct stream_budget {
    size_t input_bytes;
    size_t input_bytes_max;
    struct budget *replies; /* borrowed: charged with output that the kernel does not take; NULL: nobody counts it */
    uint64_t bytes_in, bytes_out; /* ever: metrics; read by other threads with relaxed loads */
};

struct stream_ops {
    /* Takes messages from the front of data and returns how many bytes it took. It may leave whole messages if it
     * called stream_socket_pause or stream_socket_again. stream_socket_want spares it calls for a part of a message. */
    size_t (*input)(struct stream_socket *socket, struct bytes data);
    void (*closed)(struct stream_socket *socket, enum stream_end end);
    /* Called before output leaves, if not NULL: what was appended to the last buffer may be finished now. */
    void (*leaving)(struct stream_socket *socket);
    /* The handshake is done: stream_socket_tls tells of it. Not NULL where TLS is asked for. */
    void (*secured)(struct stream_socket *socket);
};

struct stream_socket {
    struct loop *loop; /* borrowed */
    const struct stream_ops *ops;
    struct stream_budget *budget; /* borrowed */
    struct stream_tls *tls;       /* owned; NULL: plain */
    struct loop_source source;
    struct loop_task flush;
    struct loop_task again;
    struct loop_timer stall;
    struct buffer input;              /* owned: the unfinished message */
    struct loop_buffer *first, *last; /* borrowed from the loop: output */
    size_t output_bytes;              /* waiting to leave */
    size_t output_charged;            /* memory of what the kernel did not take */
    size_t output_bytes_max;
    size_t wanted; /* input to gather before ops->input is called */
    int64_t stall_us;
    int64_t moved_us; /* when the peer last took something, if it does not take all */
    uint8_t pauses;   /* why it does not read */
    bool is_closed;
    bool closes_when_sent;
};

/* Reasons 1, 2 and 16 are the socket's own. */
enum {
    STREAM_PAUSE_OUTPUT = 1,
    STREAM_PAUSE_END = 2,
    STREAM_PAUSE_OWNER = 4,
    STREAM_PAUSE_MEMORY = 8,
    STREAM_PAUSE_GATE = 16, /* the next step of its handshake has to wait */
};

struct stream_options {
    size_t output_bytes_max;
    int64_t stall_us;
    struct stream_budget *budget;
    struct tls_gate *gate; /* borrowed, the loop's; NULL: plain */
};

/* Takes the (non-blocking) descriptor over, on success. */
enum status stream_socket_open(struct stream_socket *socket, struct loop *loop, int fd, const struct stream_ops *ops,
                               const struct stream_options *options, struct error *err);
void stream_socket_close(struct stream_socket *socket);
/* Reads no more; closes when all output has left. */
void stream_socket_close_when_sent(struct stream_socket *socket);

/* NULL: it is plain, or its handshake is not done. */
const struct tls_session *stream_socket_tls(const struct stream_socket *socket);

/* Where to append a whole message; then commit. Not across turns: the buffer is the loop's. */
struct buffer *stream_socket_output(struct stream_socket *socket);
void stream_socket_commit(struct stream_socket *socket);

void stream_socket_pause(struct stream_socket *socket, uint8_t reason);
void stream_socket_resume(struct stream_socket *socket, uint8_t reason);
/* Calls input in the next turn with what it left. */
void stream_socket_again(struct stream_socket *socket);
/* Input is not called until this many bytes are there. */
void stream_socket_want(struct stream_socket *socket, size_t bytes);

#endif

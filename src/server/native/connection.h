/* server/native/connection.h: one CQL connection: frames in, requests run, replies out in any order.
 *
 *     NEW --STARTUP--> READY                      (no authentication)
 *     NEW --STARTUP--> ASKED --AUTH_RESPONSE--> READY   (not read while the password is checked)
 *
 * OPTIONS is answered in every state; each other request in one.
 *
 * With v5, what follows the answer to STARTUP is in segments both ways: all replies of a turn go into one, or as few as hold
 * them, which is made when the output leaves.
 *
 * A frame's body is copied into the request's arena; decoding, plan, rows and values live there too, and go together
 * when the reply is in the socket's output.
 *
 * Owns:    itself: it is freed when it is closed and its last request has come back.
 * Thread:  its loop's.
 */
#ifndef SERVER_NATIVE_CONNECTION_H
#define SERVER_NATIVE_CONNECTION_H

#include "server/native/loop.h"
#include "wire/native_segment.h"

enum connection_state { CONNECTION_NEW, CONNECTION_ASKED, CONNECTION_READY };

/* What v5 needs more: what came is taken from segments, what goes is gathered into them. */
struct framing {
    struct native_segments in;
    size_t held;        /* of the loop's budget of input */
    struct buffer *out; /* borrowed from the socket: where a segment was begun; NULL: none is */
    size_t out_start;
};

struct connection {
    struct stream_socket socket;
    struct native_loop *loop;           /* borrowed */
    struct connection *next, *previous; /* the list of its loop */
    struct connection *hungry_next;     /* of those that wait for memory */
    struct budget_share share;          /* what its requests hold */
    struct loop_timer startup_timer;
    struct loop_task release;
    struct query_session session;
    struct client client; /* how it is listed */
    enum connection_state state;
    enum native_compression compression;
    struct framing *framing; /* owned: v5, once STARTUP was answered; else NULL */
    uint32_t events;         /* registered for: NATIVE_EVENT_ bits */
    size_t event_bytes;      /* of events since nothing waited to leave */
    uint32_t in_flight;      /* requests not yet answered */
    uint32_t waits;          /* of these, at workers */
    uint64_t skip_bytes;     /* of a refused frame, to be thrown away as they come */
    bool is_hungry;
    bool throws_on_overload; /* it wants an error where it would not be read for a while */
};

/* Takes the descriptor over; closes it if the connection cannot be made. gate: the loop's, for one with TLS; NULL: plain. */
void connection_open(struct native_loop *loop, int fd, const struct sockaddr *address, struct tls_gate *gate);
/* Reads no more; ends when its requests are answered and the replies have left. */
void connection_drain(struct connection *connection);
void connection_close(struct connection *connection);
/* One EVENT, encoded for v4 (v3 has the same). */
void connection_send_event(struct connection *connection, struct bytes body);

#endif

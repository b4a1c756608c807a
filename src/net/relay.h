/* net/relay.h: the plain side of a TLS connection as a descriptor, for a library that reads and writes sockets itself.
 *
 *     client --TLS-- outer | inner --socket pair-- descriptor of the library
 *
 * The pair is made when the handshake is done, and `ready` is called with the library's end. Each side waits for the other when
 * RELAY_BYTES are on their way; the end of one side ends the other when what is on its way has left.
 *
 * Owns:    itself: it is freed when both sides have ended and its holder has let go of it. Until `ready` nobody holds it.
 * Errors:  a handshake that fails, or a pair that cannot be made, ends it: `ended` is called once in any case, but never before `ready`
 *          returned.
 * Thread:  the loop's.
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include "net/stream_socket.h"

#include <sys/socket.h>

enum { RELAY_BYTES = 64 << 10 };

struct relay;

struct relay_end {
    struct stream_socket socket;
    struct relay *relay;
    struct relay_end *other;
    struct loop_task resume; /* the other may go on reading */
    bool is_open;
};

/* What all relays of a loop share. It stays until the last has ended. */
struct relays {
    struct loop *loop;           /* borrowed, as the next two */
    struct tls_gate *gate;       /* gate->tls and the time a handshake may take */
    struct stream_budget budget; /* what is on its way */
    int64_t stall_us;
    /* The connection's plain side: takes the descriptor over. From here on the relay is held, until relay_release. */
    void (*ready)(struct relay *relay, int fd, const struct sockaddr_storage *address);
    void (*ended)(struct relays *relays);
    struct relay *oldest, *newest; /* all that have not ended */
    uint32_t shaking_count;        /* of these, before their handshakes' end */
    uint32_t shaking_max;          /* one more ends the oldest of them */
};

struct relay {
    struct relays *relays;
    struct relay *older, *newer;
    struct relay_end outer, inner;
    struct sockaddr_storage address;
    struct loop_task free_task;
    uint64_t passed_bytes; /* from the client to the library */
    bool is_held;
    bool is_shaking;
};

/* Takes the descriptor over. */
void relay_open(struct relays *relays, int fd, const struct sockaddr *address);
/* Its holder does not look at it any more. */
void relay_release(struct relay *relay);
/* Ends those whose handshake is not done; all: every one, with whatever is on its way. */
void relays_close(struct relays *relays, bool all);

#endif

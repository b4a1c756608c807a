/* net/tls_gate.h: how many handshakes a loop works at, and what became of them.
 *
 * A step of a handshake takes a third of a millisecond, or three with RSA. Steps wait in two queues, who came first first: those that begin,
 * and those that go on. At the end of each turn, when requests have had theirs, one of each is done, or two of one. So whoever has a
 * session already has half of the loop at least while thousands connect, and waits for a step or two; and who has begun does not
 * wait behind those who come.
 *
 * A handshake that has begun holds tens of kilobytes: TLS_SHAKING_MAX of them may be under way, then a new one ends the oldest. Who did
 * not send a whole first record has not begun (tls_session_hello). To crowd out an honest client others must begin so many within the
 * time of its answer, and each of them costs a step.
 *
 * Owns:    nothing: waiters lie in their owners' structs.
 * Errors:  none.
 * Thread:  the loop's; counts: any thread reads.
 */
#ifndef NET_TLS_GATE_H
#define NET_TLS_GATE_H

#include "net/loop.h"
#include "net/tls_session.h"

enum { TLS_STEPS_PER_TURN = 2, TLS_SHAKING_MAX = 1024 };

struct tls_link {
    struct tls_link *older, *newer;
    bool is_in;
};

struct tls_list {
    struct tls_link *oldest, *newest;
    uint32_t count;
};

struct tls_waiter {
    struct tls_link waits, shakes;              /* the gate's */
    void (*step)(struct tls_waiter *waiter);    /* its turn has come */
    void (*crowded)(struct tls_waiter *waiter); /* it must end, and leave the gate */
};

/* Ever, relaxed: metrics. */
struct tls_counts {
    uint64_t done[2]; /* handshakes: 1.2, 1.3 */
    uint64_t resumed; /* of these, by a ticket */
    uint64_t failures[TLS_FAILURES];
    uint64_t waited; /* steps that were put off to a later turn */
};

struct tls_gate {
    struct tls *tls;                     /* borrowed */
    struct loop *loop;                   /* borrowed */
    int64_t handshake_us;                /* how long one may take; may be changed */
    struct tls_list beginning, going_on; /* the queues */
    struct tls_list shaking;             /* under way */
    struct loop_task task;               /* so that a loop with a queue does not sleep */
    struct loop_hook hook;
    struct tls_counts *counts; /* borrowed: one writer, this loop */
    int64_t second_us;         /* in which so many lines of failures were logged, */
    uint32_t lines;
    uint64_t unlogged; /* and so many were not since the last one */
};

/* It stays where it is until the loop is closed. */
void tls_gate_init(struct tls_gate *gate, struct tls *tls, struct loop *loop, int64_t handshake_us,
                   struct tls_counts *counts);
/* Step will be called once. True: at the end of this turn; else of a later one, and it need not be told of more that comes. */
bool tls_gate_wait(struct tls_gate *gate, struct tls_waiter *waiter);
/* Its first step is about to be done. */
void tls_gate_begin(struct tls_gate *gate, struct tls_waiter *waiter);
/* Its handshake has ended, or it has: it may be called at any time. */
void tls_gate_leave(struct tls_gate *gate, struct tls_waiter *waiter);

void tls_gate_count_done(struct tls_gate *gate, const struct tls_session *session);
/* A few lines of the log in a second at most. fd: the connection's, for its address. */
void tls_gate_count_failure(struct tls_gate *gate, enum tls_failure failure, const char *detail, int fd);
/* "client_certificate": for metrics. */
const char *tls_failure_name(enum tls_failure failure);
void tls_counts_add(struct tls_counts *sum, const struct tls_counts *from);

#endif

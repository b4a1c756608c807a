/* A queue of those whose next step waits, and a list of those who have begun, oldest first. Steps
 * are done by a hook of the loop's, at the end of its turn. */
#include "net/tls_gate.h"

#include "base/log.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { LINES_PER_S = 10, SECOND_US = 1000000 };

/* ---- lists ---- */

static void list_add(struct tls_list *list, struct tls_link *link)
{
    assert(!link->is_in);
    *link = (struct tls_link){ .older = list->newest, .is_in = true };
    if (list->newest)
        list->newest->newer = link;
    else
        list->oldest = link;
    list->newest = link;
    list->count++;
}

/* What is in no list is left as it is. */
static void list_remove(struct tls_list *list, struct tls_link *link)
{
    if (!link->is_in)
        return;
    assert(list->count > 0);
    if (link->older)
        link->older->newer = link->newer;
    else
        list->oldest = link->newer;
    if (link->newer)
        link->newer->older = link->older;
    else
        list->newest = link->older;
    list->count--;
    link->is_in = false;
}

/* ---- the queue ---- */

/* That it is there is enough: the next turn does not wait. */
static void run(struct loop_task *task)
{
}

/* It does not change its queue while it waits: it begins when it has left the one. */
static struct tls_list *queue_of(struct tls_gate *gate, const struct tls_waiter *waiter)
{
    return waiter->shakes.is_in ? &gate->going_on : &gate->beginning;
}

/* A step may end others, also of those who wait: the queues are looked at anew for each. Both have
 * their share, as a flood of either kind must not hold the other. */
static void turn_ends(struct loop_hook *hook)
{
    struct tls_gate *gate = CONTAINER_OF(hook, struct tls_gate, hook);

    for (int i = 0; i < TLS_STEPS_PER_TURN && gate->going_on.count + gate->beginning.count; i++) {
        bool goes_on = gate->going_on.count && (i % 2 == 0 || !gate->beginning.count);
        struct tls_list *queue = goes_on ? &gate->going_on : &gate->beginning;
        struct tls_waiter *waiter = CONTAINER_OF(queue->oldest, struct tls_waiter, waits);

        list_remove(queue, &waiter->waits);
        waiter->step(waiter);
    }
    if (__builtin_expect(gate->going_on.count + gate->beginning.count != 0, 0))
        loop_again(gate->loop, &gate->task);
}

/* The first of a queue is done in this turn already: for it it is not worth telling the kernel to be
 * silent. */
bool tls_gate_wait(struct tls_gate *gate, struct tls_waiter *waiter)
{
    struct tls_list *queue = queue_of(gate, waiter);

    assert(waiter->step);
    list_add(queue, &waiter->waits);
    if (queue->count == 1)
        return true;
    __atomic_store_n(&gate->counts->waited, gate->counts->waited + 1, __ATOMIC_RELAXED);
    return false;
}

/* ---- those under way ---- */

/* The oldest has had the most time of all. It ends itself within this call, and so leaves the
 * list. */
void tls_gate_begin(struct tls_gate *gate, struct tls_waiter *waiter)
{
    assert(waiter->crowded);
    if (gate->shaking.count >= TLS_SHAKING_MAX) {
        struct tls_waiter *oldest = CONTAINER_OF(gate->shaking.oldest, struct tls_waiter, shakes);

        oldest->crowded(oldest);
    }
    assert(gate->shaking.count < TLS_SHAKING_MAX);
    list_add(&gate->shaking, &waiter->shakes);
}

/* Whether it waits, shakes hands, both or neither. */
void tls_gate_leave(struct tls_gate *gate, struct tls_waiter *waiter)
{
    list_remove(queue_of(gate, waiter), &waiter->waits);
    list_remove(&gate->shaking, &waiter->shakes);
}

/* The hook stays in the loop for as long as that lives. */
void tls_gate_init(struct tls_gate *gate, struct tls *tls, struct loop *loop, int64_t handshake_us,
                   struct tls_counts *counts)
{
    assert(tls && counts && handshake_us > 0);
    *gate = (struct tls_gate){
        .tls = tls, .loop = loop, .handshake_us = handshake_us, .counts = counts, .task.run = run, .hook.run = turn_ends
    };
    loop_add_hook(loop, &gate->hook);
}

/* ---- counts ---- */

/* Read by other threads, for metrics. */
static void count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); /* one writer: the loop */
}

/* A resumed session is a handshake as well: a cheaper one. */
void tls_gate_count_done(struct tls_gate *gate, const struct tls_session *session)
{
    count(&gate->counts->done[tls_session_is_13(session)]);
    if (tls_session_is_resumed(session))
        count(&gate->counts->resumed);
}

/* For metrics and the log. */
const char *tls_failure_name(enum tls_failure failure)
{
    switch (failure) {
    case TLS_FAILURE_NONE: return "none";
    case TLS_FAILURE_NOT_TLS: return "not_tls";
    case TLS_FAILURE_VERSION: return "version";
    case TLS_FAILURE_CIPHER: return "cipher";
    case TLS_FAILURE_CLIENT_CERTIFICATE: return "client_certificate";
    case TLS_FAILURE_REFUSED: return "refused_by_client";
    case TLS_FAILURE_GONE: return "gone";
    case TLS_FAILURE_SLOW: return "slow";
    case TLS_FAILURE_CROWDED: return "crowded";
    case TLS_FAILURE_BROKEN: return "broken";
    case TLS_FAILURES: break;
    }
    return "none";
}

/* Numbers only; "" where nothing is known any more. */
static void address_of(int fd, char text[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);

    text[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
        return;
    if (address.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&address)->sin_addr, text, INET6_ADDRSTRLEN);
    else if (address.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&address)->sin6_addr, text, INET6_ADDRSTRLEN);
}

/* May one more line be written in this second? Whoever connects can make us write them. */
static bool may_log(struct tls_gate *gate)
{
    int64_t now_us = loop_now_us(gate->loop);

    assert(gate->lines <= LINES_PER_S);
    if (now_us - gate->second_us >= SECOND_US) {
        gate->second_us = now_us;
        gate->lines = 0;
    }
    if (gate->lines == LINES_PER_S)
        return false;
    gate->lines++;
    return true;
}

/* Who just went away says nothing about the server: that is counted, and not logged. */
void tls_gate_count_failure(struct tls_gate *gate, enum tls_failure failure, const char *detail, int fd)
{
    char address[INET6_ADDRSTRLEN];

    assert(failure > TLS_FAILURE_NONE && failure < TLS_FAILURES);
    count(&gate->counts->failures[failure]);
    if (failure == TLS_FAILURE_GONE)
        return;
    if (!may_log(gate)) {
        gate->unlogged++;
        return;
    }
    address_of(fd, address);
    log_warn("tls", "a handshake failed reason=%s address=%s not_logged=%llu%s%s", tls_failure_name(failure), address,
             (unsigned long long)gate->unlogged, detail ? ": " : "", detail ? detail : "");
    gate->unlogged = 0;
}

/* So that a count that is added to the struct is in the sum without a line here. */
static_assert(sizeof(struct tls_counts) % sizeof(uint64_t) == 0, "counts are added as words");

/* Of a running loop: each word is read whole, and all of them at no single moment. */
void tls_counts_add(struct tls_counts *sum, const struct tls_counts *from)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *word = (const uint64_t *)from;

    for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
        to[i] += __atomic_load_n(&word[i], __ATOMIC_RELAXED);
}

/* net/loop.h: one epoll loop, made for one thread per core.
 *
 * A turn: wait; fire timers; run what other threads posted; run what was put off to this turn; call the ready sources,
 * until the turn's budget is spent; then the hooks, then what was deferred to the turn's end (one writev per
 * connection).
 *
 * Shapes:  sources, timers and tasks are embedded in the caller's structs (CONTAINER_OF gets them back).
 * Owns:    nothing of the caller's. File descriptors are the caller's to close, after loop_remove.
 * Errors:  ERR_IO from epoll or eventfd when a loop is made or a source is added.
 * Thread:  everything belongs to the loop's thread, except loop_post and loop_stop: any thread.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/epoll.h>

struct loop;

struct loop_source {
    int fd;
    uint32_t events;                                            /* EPOLLIN | EPOLLOUT; level-triggered */
    void (*ready)(struct loop_source *source, uint32_t events); /* may remove any source, its own included; may
                                                                 * come without need */
};

struct loop_timer {
    int64_t due_us; /* monotonic */
    void (*fire)(struct loop_timer *timer);
    uint32_t position; /* the loop's: 1-based place in the heap, 0: not set */
};

struct loop_task {
    struct loop_task *next; /* the loop's */
    void (*run)(struct loop_task *task);
    bool is_queued; /* the loop's; not used by loop_post */
};

struct loop_hook {
    struct loop_hook *next; /* the loop's */
    void (*run)(struct loop_hook *hook);
};

struct loop_options {
    const struct clock *clock;  /* NULL: clock_system */
    uint32_t turn_requests_max; /* 0: 256 */
    int64_t turn_us_max;        /* 0: 1000 */
};

enum { LOOP_SCRATCH_BYTES = 64 << 10 };

enum status loop_open(const struct loop_options *options, struct loop **result, struct error *err);
/* After it has stopped, on any thread. Tasks still posted or deferred are run. */
void loop_close(struct loop *loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);
/* One turn, waiting at most wait_us (<0: as long as nothing happens). */
void loop_turn(struct loop *loop, int64_t wait_us);
void loop_stop(struct loop *loop);

enum status loop_add(struct loop *loop, struct loop_source *source, struct error *err);
/* What the source waits for; 0: nothing (errors are still told). */
void loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source);

/* Sets or moves a timer. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_us);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Runs the task on the loop's thread: once per call; a task may be posted again once it runs. */
void loop_post(struct loop *loop, struct loop_task *task);
/* Runs the task at the end of this turn, after the hooks; once, however often it is asked. */
void loop_defer(struct loop *loop, struct loop_task *task);
/* Runs the task in the next turn, which will not wait; once, however often it is asked. */
void loop_again(struct loop *loop, struct loop_task *task);
/* Forgets a deferred or put-off task. */
void loop_forget(struct loop *loop, struct loop_task *task);
/* Runs at the end of every turn. */
void loop_add_hook(struct loop *loop, struct loop_hook *hook);

/* Monotonic, read once a turn. */
int64_t loop_now_us(const struct loop *loop);
/* Realtime, read at most once a turn. */
int64_t loop_realtime_us(struct loop *loop);

/* Counts work against the turn; false: the turn is over, come back with loop_again. */
bool loop_spend(struct loop *loop, uint32_t requests);
bool loop_may_go_on(const struct loop *loop);

/* LOOP_SCRATCH_BYTES to read into; its contents last until the callback returns. */
uint8_t *loop_scratch(struct loop *loop);
/* A buffer from the loop's pool, empty; given back when its bytes have left. */
struct loop_buffer {
    struct buffer buffer;
    struct loop_buffer *next; /* the borrower's */
    size_t sent;              /* the borrower's */
};
struct loop_buffer *loop_borrow(struct loop *loop);
void loop_give_back(struct loop *loop, struct loop_buffer *borrowed);

#endif

/* A loop on epoll, one for each core. Nothing in it waits but epoll_wait, so everybody on it is
 * served as long as every callback is short: a turn ends after so many requests or microseconds,
 * and sources that had no turn come first in the next.
 *
 * Level-triggered: who does not read everything is simply told again. Other threads reach a loop by
 * posting tasks to a lock-free list; an eventfd wakes it. Timers are in a binary heap, whose places
 * the timers know, so that each can be moved or cleared in logarithmic time. */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What a turn may cost is a compromise: epoll_wait is a system call, so more than a few requests
 * should share one; and who comes last waits for the whole turn. */
enum {
    EVENTS_PER_TURN = 256,
    POOL_BUFFERS_MAX = 64,
    POOL_BUFFER_BYTES_MAX = 256 << 10, /* a buffer that grew past this is freed, not kept */
    TURN_REQUESTS_MAX = 256,
    TURN_US_MAX = 1000,
    CLOCK_EVERY = 16, /* requests between two looks at the clock */
};

struct task_list {
    struct loop_task *first;
    struct loop_task **last;
};

struct loop {
    int epoll_fd;
    const struct clock *clock;
    int64_t now_us;
    int64_t realtime_us; /* 0: not read in this turn */
    uint32_t turn_requests_max;
    int64_t turn_us_max;
    uint32_t turn_requests;
    uint32_t turn_unchecked;
    bool turn_is_over;

    struct epoll_event events[EVENTS_PER_TURN];
    int event_count;
    int event_next;

    struct loop_timer **timers; /* owned heap of borrowed timers; places are 1-based */
    uint32_t timer_count;
    uint32_t timer_capacity;

    struct loop_source wake;            /* eventfd */
    _Atomic(struct loop_task *) posted; /* last first */
    atomic_bool is_stopping;
    struct task_list again;     /* for the next turn */
    struct task_list again_now; /* of this turn */
    struct task_list deferred;
    struct loop_hook *hooks;

    struct loop_buffer *pool[POOL_BUFFERS_MAX]; /* owned */
    uint32_t pool_count;
    uint8_t scratch[LOOP_SCRATCH_BYTES];
};

/* ---- tasks ---- */

static void list_init(struct task_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(struct task_list *list, struct loop_task *task)
{
    assert(task->run);
    if (task->is_queued)
        return;
    task->is_queued = true;
    task->next = NULL;
    *list->last = task;
    list->last = &task->next;
}

/* The list is short: what one turn put off. */
static void list_remove(struct task_list *list, struct loop_task *task)
{
    for (struct loop_task **at = &list->first; *at; at = &(*at)->next) {
        if (*at != task)
            continue;
        *at = task->next;
        if (!*at)
            list->last = at;
        task->is_queued = false;
        return;
    }
}

/* A task that queues itself, or others, is run too: whoever needs the end of the turn gets this
 * one's. */
static void list_run_all(struct task_list *list)
{
    while (list->first) {
        struct loop_task *task = list->first;

        list->first = task->next;
        if (!list->first)
            list->last = &list->first;
        task->is_queued = false;
        task->run(task);
    }
}

/* A list that is pushed to at the front by anyone and taken whole by the loop needs no lock, and
 * has no ABA problem. The writer's release and the reader's acquire make visible what the task's
 * owner wrote before. After the exchange the task may run, and be freed, at any moment: it is not
 * touched again. */
void loop_post(struct loop *loop, struct loop_task *task)
{
    struct loop_task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);

    assert(task->run);
    do {
        task->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->posted, &head, task, memory_order_acq_rel, memory_order_relaxed));
    if (head)
        return; /* whoever found the list empty wakes the loop */
    for (uint64_t one = 1; write(loop->wake.fd, &one, sizeof(one)) < 0 && errno == EINTR;)
        continue;
}

/* The list is last first, so it is turned around: tasks run in the order in which they were posted.
 * A task may be posted again, or freed, once it runs: so `next` is read before. */
static void run_posted(struct loop *loop)
{
    struct loop_task *task = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acq_rel);
    struct loop_task *in_order = NULL;

    while (task) {
        struct loop_task *next = task->next;

        task->next = in_order;
        in_order = task;
        task = next;
    }
    while (in_order) {
        struct loop_task *next = in_order->next;

        in_order->run(in_order);
        in_order = next;
    }
}

/* What these tasks put off again waits for the next turn. */
static void run_again(struct loop *loop)
{
    if (!loop->again.first)
        return;
    loop->again_now = loop->again;
    list_init(&loop->again);
    list_run_all(&loop->again_now);
}

/* Read before the list is taken: a task that is posted in between wakes the loop once more, for
 * nothing; the other way around it would sleep until the next event. */
static void wake_ready(struct loop_source *source, uint32_t events)
{
    struct loop *loop = CONTAINER_OF(source, struct loop, wake);
    uint64_t count;

    while (read(source->fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    run_posted(loop);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    list_add(&loop->deferred, task);
}

void loop_again(struct loop *loop, struct loop_task *task)
{
    list_add(&loop->again, task);
}

/* A task is in one of three lists at most, and does not know in which. */
void loop_forget(struct loop *loop, struct loop_task *task)
{
    if (!task->is_queued)
        return;
    list_remove(&loop->again, task);
    if (task->is_queued)
        list_remove(&loop->again_now, task);
    if (task->is_queued)
        list_remove(&loop->deferred, task);
}

void loop_add_hook(struct loop *loop, struct loop_hook *hook)
{
    hook->next = loop->hooks;
    loop->hooks = hook;
}

/* ---- life ---- */

static void buffer_free(struct loop_buffer *borrowed)
{
    buffer_fini(&borrowed->buffer);
    free(borrowed);
}

/* The eventfd is a source like any other, so that posting needs no special case in waiting. */
enum status loop_open(const struct loop_options *options, struct loop **result, struct error *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    enum status status;

    loop->clock = options && options->clock ? options->clock : &clock_system;
    loop->turn_requests_max = options && options->turn_requests_max ? options->turn_requests_max : TURN_REQUESTS_MAX;
    loop->turn_us_max = options && options->turn_us_max ? options->turn_us_max : TURN_US_MAX;
    loop->now_us = clock_monotonic_us(loop->clock);
    list_init(&loop->again);
    list_init(&loop->again_now);
    list_init(&loop->deferred);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        status = error_set_os(err, errno, "Cannot make an epoll instance");
        goto free_loop;
    }
    loop->wake = (struct loop_source){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), EPOLLIN, wake_ready };
    if (loop->wake.fd < 0) {
        status = error_set_os(err, errno, "Cannot make an eventfd");
        goto close_epoll;
    }
    status = loop_add(loop, &loop->wake, err);
    if (status)
        goto close_wake;
    *result = loop;
    return OK;

close_wake:
    close(loop->wake.fd);
close_epoll:
    close(loop->epoll_fd);
free_loop:
    free(loop);
    return status;
}

/* On any thread, as the loop's has ended. What was posted is run all the same: a job's completion
 * may be what frees its memory. It may post or defer more, so both are looked at until nothing is
 * left. */
void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->deferred.first || atomic_load(&loop->posted)) {
        list_run_all(&loop->deferred);
        run_posted(loop);
    }
    close(loop->wake.fd);
    close(loop->epoll_fd);
    while (loop->pool_count)
        buffer_free(loop->pool[--loop->pool_count]);
    free(loop->timers);
    free(loop);
}

static void stop_run(struct loop_task *task)
{
    free(task);
}

/* The task wakes the loop out of epoll_wait; running it frees it. */
void loop_stop(struct loop *loop)
{
    struct loop_task *task = xcalloc(1, sizeof(*task));

    task->run = stop_run;
    atomic_store(&loop->is_stopping, true);
    loop_post(loop, task);
}

/* ---- sources ---- */

enum status loop_add(struct loop *loop, struct loop_source *source, struct error *err)
{
    struct epoll_event event = { .events = source->events, .data.ptr = source };

    assert(source->ready);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return error_set_os(err, errno, "Cannot watch a file descriptor");
    return OK;
}

/* A source that waits for nothing (0) stays with epoll: errors are still told. */
void loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    int failed;

    if (source->events == events)
        return;
    source->events = events;
    failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
    assert(failed == 0); /* it was added: only a wrong use can fail */
    (void)failed;
}

/* Events of this turn that were not delivered yet may name the source, whose memory is freed soon:
 * they are struck out. */
void loop_remove(struct loop *loop, struct loop_source *source)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    for (int i = loop->event_next; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == source)
            loop->events[i].data.ptr = NULL;
}

/* ---- timers: a binary heap, the earliest at place 1 ---- */

static void timer_put(struct loop *loop, uint32_t position, struct loop_timer *timer)
{
    assert(position > 0 && position <= loop->timer_count);
    loop->timers[position] = timer;
    timer->position = position;
}

static void timer_up(struct loop *loop, struct loop_timer *timer)
{
    uint32_t at = timer->position;

    for (; at > 1 && loop->timers[at / 2]->due_us > timer->due_us; at /= 2)
        timer_put(loop, at, loop->timers[at / 2]);
    timer_put(loop, at, timer);
}

/* The timer sinks below all that are due before it. */
static void timer_down(struct loop *loop, struct loop_timer *timer)
{
    uint32_t at = timer->position;

    for (;;) {
        uint32_t child = at * 2;

        if (child > loop->timer_count)
            break;
        if (child < loop->timer_count && loop->timers[child + 1]->due_us < loop->timers[child]->due_us)
            child++;
        if (loop->timers[child]->due_us >= timer->due_us)
            break;
        timer_put(loop, at, loop->timers[child]);
        at = child;
    }
    timer_put(loop, at, timer);
}

/* A timer that is set already is moved. It can have to go either way, so both are tried; one of
 * them does nothing. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_us)
{
    timer->due_us = due_us;
    if (!timer->position) {
        if (loop->timer_count + 2 > loop->timer_capacity) {
            loop->timer_capacity = loop->timer_capacity ? loop->timer_capacity * 2 : 64;
            loop->timers = xrealloc(loop->timers, sizeof(*loop->timers) * loop->timer_capacity);
        }
        timer_put(loop, ++loop->timer_count, timer);
    }
    timer_up(loop, timer);
    timer_down(loop, timer);
}

/* The last timer takes the place, and then its own way up or down. */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer *last;
    uint32_t hole = timer->position;

    if (!hole)
        return;
    assert(loop->timers[hole] == timer);
    timer->position = 0;
    last = loop->timers[loop->timer_count--];
    if (last == timer)
        return;
    timer_put(loop, hole, last);
    timer_up(loop, last);
    timer_down(loop, last);
}

/* Cleared before it fires: it may set itself again, or free its memory. One that is set to now or
 * before fires in this turn too, so it must set itself ahead. */
static void fire_timers(struct loop *loop)
{
    while (loop->timer_count && loop->timers[1]->due_us <= loop->now_us) {
        struct loop_timer *timer = loop->timers[1];

        loop_timer_clear(loop, timer);
        timer->fire(timer);
    }
}

/* ---- turns ---- */

/* For epoll_wait. Rounded up, or a loop would spin through the last part of a millisecond before a
 * timer is due. */
static int wait_ms(const struct loop *loop, int64_t wait_us)
{
    if (loop->again.first || atomic_load_explicit(&loop->is_stopping, memory_order_relaxed))
        return 0;
    if (loop->timer_count) {
        int64_t until = loop->timers[1]->due_us - clock_monotonic_us(loop->clock);

        if (until < 0)
            until = 0;
        if (wait_us < 0 || until < wait_us)
            wait_us = until;
    }
    if (wait_us < 0)
        return -1;
    return wait_us / 1000 >= INT32_MAX ? INT32_MAX : (int)((wait_us + 999) / 1000);
}

/* In the order in which epoll told them. Who removed itself or was removed is NULL now. */
static void call_sources(struct loop *loop)
{
    while (loop->event_next < loop->event_count) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        struct loop_source *source = event->data.ptr;

        if (source == &loop->wake || !source)
            continue;
        source->ready(source, event->events);
        if (!loop_may_go_on(loop))
            return; /* the rest comes first in the next turn, so that nobody waits behind the same few for ever */
    }
}

/* One turn. After a turn whose budget was spent epoll is not asked before the rest of its events is
 * done, so that those who come last in the list are served too; timers and posted tasks are not
 * kept waiting by them. */
void loop_turn(struct loop *loop, int64_t wait_us)
{
    bool is_rest = loop->event_next < loop->event_count;

    if (!is_rest) {
        int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, wait_ms(loop, wait_us));

        loop->event_next = 0;
        loop->event_count = count < 0 ? 0 : count;
    }
    assert(loop->event_next <= loop->event_count);
    loop->now_us = clock_monotonic_us(loop->clock);
    loop->realtime_us = 0;
    loop->turn_requests = 0;
    loop->turn_unchecked = 0;
    loop->turn_is_over = false;
    /* The clock was read after waiting, so no timer fires a turn late. */
    fire_timers(loop);
    if (is_rest)
        run_posted(loop);
    /* Before the sources: what workers finished is older than what clients sent meanwhile. */
    for (int i = loop->event_next; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == &loop->wake)
            wake_ready(&loop->wake, EPOLLIN);
    run_again(loop);
    call_sources(loop);
    /* A hook may take itself out while it runs. */
    for (struct loop_hook *hook = loop->hooks, *next; hook; hook = next) {
        next = hook->next;
        hook->run(hook);
    }
    list_run_all(&loop->deferred);
}

/* is_stopping is looked at between turns: what a turn began it ends. */
void loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire))
        loop_turn(loop, -1);
}

/* Of the turn's beginning: reading the clock for each request would cost more than it tells. */
int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

/* Only turns that ask pay for reading it. */
int64_t loop_realtime_us(struct loop *loop)
{
    if (!loop->realtime_us)
        loop->realtime_us = clock_realtime_us(loop->clock);
    return loop->realtime_us;
}

/* The clock is looked at only now and then, as requests are short; the number of them is counted
 * each time. */
bool loop_spend(struct loop *loop, uint32_t requests)
{
    assert(loop->turn_requests_max > 0);
    loop->turn_requests += requests;
    loop->turn_unchecked += requests;
    if (loop->turn_requests >= loop->turn_requests_max)
        loop->turn_is_over = true;
    if (loop->turn_unchecked >= CLOCK_EVERY) {
        loop->turn_unchecked = 0;
        if (clock_monotonic_us(loop->clock) - loop->now_us > loop->turn_us_max)
            loop->turn_is_over = true;
    }
    return !loop->turn_is_over;
}

bool loop_may_go_on(const struct loop *loop)
{
    return !loop->turn_is_over;
}

/* ---- memory ---- */

/* One for all: whoever fills it has used it up before it returns to the loop. */
uint8_t *loop_scratch(struct loop *loop)
{
    return loop->scratch;
}

/* A few buffers are kept, with the memory they grew to: a busy loop allocates nothing for its
 * replies. */
struct loop_buffer *loop_borrow(struct loop *loop)
{
    struct loop_buffer *borrowed;

    if (!loop->pool_count)
        return xcalloc(1, sizeof(*borrowed));
    borrowed = loop->pool[--loop->pool_count];
    borrowed->next = NULL;
    borrowed->sent = 0;
    return borrowed;
}

/* What grew large is freed: otherwise one long reply for each place in the pool would be kept for
 * ever. */
void loop_give_back(struct loop *loop, struct loop_buffer *borrowed)
{
    assert(loop->pool_count <= POOL_BUFFERS_MAX);
    if (loop->pool_count == POOL_BUFFERS_MAX || borrowed->buffer.capacity > POOL_BUFFER_BYTES_MAX) {
        buffer_free(borrowed);
        return;
    }
    buffer_retire(&borrowed->buffer);
    loop->pool[loop->pool_count++] = borrowed;
}

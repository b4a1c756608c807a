/* Fibers, their schedule, the clock, and what is called in the place of pthread's functions; see fiber.h. */
#include "fiber.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <stdatomic.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#ifndef __x86_64__
#include <ucontext.h>
#endif

enum { FIBERS_MAX = 256, STACK_BYTES = 512 << 10, MUTEXES = 1024, STACKS_KEPT = 64 };

struct fiber {
    char name[24];
    void (*run)(void *context);
    void *(*thread)(void *context);
    void *context, *result;
    void *stack;
#ifdef __x86_64__
    void *sp;
#else
    ucontext_t state;
#endif
    bool is_over, is_joined;
    uint32_t weight;
    /* What it waits for: NULL: nothing. True: it may go on. */
    bool (*is_ready)(struct fiber *fiber);
    const void *waits_for;
    uint32_t word;
    bool signaled;
    int64_t until_us;
};

static struct {
    bool runs;
    struct random random;
    uint32_t switch_one_in, step_us_max;
    uint64_t steps, digest;
    int64_t monotonic_us, ahead_us;
    struct fiber *fibers[FIBERS_MAX];
    uint32_t count;
    struct fiber *now;
    struct fiber home;
    const void *held[MUTEXES]; /* locks that a fiber holds */
    void *stacks[STACKS_KEPT];
    uint32_t stack_count;
} sim;
static _Thread_local bool is_here; /* the machine's thread that fibers run in */
void (*sim_deadlocked)(const char *fibers);

static bool in_fiber(void)
{
    return is_here && sim.runs;
}

/* ---- switching ---- */

#ifdef __x86_64__
void fiber_switch_stacks(void **from, void *to);
__asm__(".text\n.globl fiber_switch_stacks\n.type fiber_switch_stacks,@function\nfiber_switch_stacks:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".size fiber_switch_stacks,.-fiber_switch_stacks\n");
#endif

static void go_to(struct fiber *next)
{
    struct fiber *before = sim.now;

    if (next == before)
        return;
    sim.now = next;
#ifdef __x86_64__
    fiber_switch_stacks(&before->sp, next->sp);
#else
    swapcontext(&before->state, &next->state);
#endif
}

static void tell_deadlock(void)
{
    static char text[4096];
    size_t at = 0;

    for (uint32_t i = 0; i < sim.count && at < sizeof(text) - 64; i++)
        if (!sim.fibers[i]->is_over)
            at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", sim.fibers[i]->name);
    if (sim_deadlocked)
        sim_deadlocked(text);
    fprintf(stderr, "all wait for ever:%s\n", text);
    abort();
}

static bool may_go_on(struct fiber *fiber)
{
    return !fiber->is_ready || sim.monotonic_us >= fiber->until_us || fiber->is_ready(fiber);
}

/* Time passes until one of them may go on. */
static void jump(void)
{
    int64_t to_us = CLOCK_FOR_EVER;

    for (uint32_t i = 0; i < sim.count; i++)
        if (!sim.fibers[i]->is_over && sim.fibers[i]->until_us < to_us)
            to_us = sim.fibers[i]->until_us;
    if (to_us == CLOCK_FOR_EVER)
        tell_deadlock();
    assert(to_us >= sim.monotonic_us);
    sim.monotonic_us = to_us;
}

static struct fiber *draw_next(void)
{
    struct fiber *candidates[FIBERS_MAX];

    for (;;) {
        uint32_t count = 0, sum = 0;

        for (uint32_t i = 0; i < sim.count; i++)
            if (!sim.fibers[i]->is_over) {
                candidates[count++] = sim.fibers[i];
                sum += sim.fibers[i]->weight;
            }
        assert(count);
        while (count) {
            uint32_t at = 0, left = (uint32_t)random_below(&sim.random, sum);

            while (left >= candidates[at]->weight)
                left -= candidates[at++]->weight;
            if (may_go_on(candidates[at])) {
                sim.digest = (sim.digest ^ (at + 1)) * UINT64_C(0x100000001b3);
                return candidates[at];
            }
            sum -= candidates[at]->weight;
            memmove(candidates + at, candidates + at + 1, (--count - at) * sizeof(*candidates));
        }
        jump();
    }
}

void fiber_yield(void)
{
    if (!in_fiber())
        return;
    sim.steps++;
    sim.monotonic_us += 1 + (int64_t)random_below(&sim.random, sim.step_us_max);
    go_to(draw_next());
}

void fiber_may_switch(void)
{
    if (in_fiber() && random_below(&sim.random, sim.switch_one_in) == 0)
        fiber_yield();
}

/* False: it became late. */
static bool wait_until(bool (*is_ready)(struct fiber *fiber), const void *waits_for, int64_t until_us)
{
    struct fiber *me = sim.now;
    bool ready;

    assert(in_fiber() && !me->is_ready);
    me->is_ready = is_ready;
    me->waits_for = waits_for;
    me->until_us = until_us;
    fiber_yield();
    ready = is_ready(me);
    me->is_ready = NULL;
    me->until_us = CLOCK_FOR_EVER;
    return ready;
}

/* ---- life ---- */

static void *stack_new(void)
{
    void *stack;

    if (sim.stack_count)
        return sim.stacks[--sim.stack_count];
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        abort();
    mprotect(stack, 4096, PROT_NONE);
    return stack;
}

static void stack_free(void *stack)
{
    if (sim.stack_count < STACKS_KEPT)
        sim.stacks[sim.stack_count++] = stack;
    else
        munmap(stack, STACK_BYTES);
}

static void begin(void)
{
    struct fiber *me = sim.now;

    if (me->thread)
        me->result = me->thread(me->context);
    else
        me->run(me->context);
    me->is_over = true;
    if (me == sim.fibers[0]) { /* the first: all is over */
        go_to(&sim.home);
        abort();
    }
    sim.steps++;
    go_to(draw_next());
    abort(); /* nobody goes on with what is over */
}

static struct fiber *fiber_new(const char *name)
{
    struct fiber *fiber = xcalloc(1, sizeof(*fiber));

    assert(sim.count < FIBERS_MAX);
    snprintf(fiber->name, sizeof(fiber->name), "%s", name);
    fiber->stack = stack_new();
    fiber->until_us = CLOCK_FOR_EVER;
    fiber->weight = random_below(&sim.random, 4) ? 8 : random_below(&sim.random, 2) ? 1 : 40;
#ifdef __x86_64__
    void **top = (void **)((char *)fiber->stack + STACK_BYTES);

    *--top = NULL; /* where begin would return to; keeps the stack as the ABI wants it */
    *--top = (void *)begin;
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    fiber->sp = top;
#else
    getcontext(&fiber->state);
    fiber->state.uc_stack.ss_sp = fiber->stack;
    fiber->state.uc_stack.ss_size = STACK_BYTES;
    fiber->state.uc_link = NULL;
    makecontext(&fiber->state, begin, 0);
#endif
    sim.fibers[sim.count++] = fiber;
    return fiber;
}

static void fiber_free(struct fiber *fiber)
{
    for (uint32_t i = 0; i < sim.count; i++)
        if (sim.fibers[i] == fiber) {
            memmove(sim.fibers + i, sim.fibers + i + 1, (--sim.count - i) * sizeof(struct fiber *));
            break;
        }
    stack_free(fiber->stack);
    free(fiber);
}

struct fiber *fiber_start(const char *name, void (*run)(void *context), void *context)
{
    struct fiber *fiber = fiber_new(name);

    fiber->run = run;
    fiber->context = context;
    return fiber;
}

static bool is_over(struct fiber *me)
{
    return ((const struct fiber *)me->waits_for)->is_over;
}

void fiber_join(struct fiber *fiber)
{
    if (!fiber->is_over)
        wait_until(is_over, fiber, CLOCK_FOR_EVER);
    fiber_free(fiber);
}

const char *fiber_name(void)
{
    return in_fiber() ? sim.now->name : "";
}

void fibers_run(uint64_t seed, uint32_t switch_one_in, uint32_t step_us_max, void (*run)(void *context), void *context)
{
    struct fiber *first;

    is_here = true;
    random_seed(&sim.random, seed);
    sim.switch_one_in = switch_one_in ? switch_one_in : 1;
    sim.step_us_max = step_us_max ? step_us_max : 1;
    sim.steps = sim.digest = 0;
    sim.monotonic_us = INT64_C(1000000000);
    sim.ahead_us = INT64_C(1700000000000000);
    sim.now = &sim.home;
    sim.runs = true;
    first = fiber_start("main", run, context);
    go_to(first);
    sim.runs = false;
    assert(sim.count == 1 && first->is_over);
    fiber_free(first);
    for (uint32_t i = 0; i < MUTEXES; i++)
        assert(!sim.held[i]);
}

uint64_t sim_draw(uint64_t bound)
{
    return random_below(&sim.random, bound);
}

uint64_t sim_steps(void)
{
    return sim.steps;
}

uint64_t sim_digest(void)
{
    return sim.digest;
}

/* ---- waiting ---- */

static bool never(struct fiber *me)
{
    return false;
}

void fiber_sleep(int64_t us)
{
    wait_until(never, NULL, sim.monotonic_us + us);
}

static bool is_set(struct fiber *me)
{
    return *(const volatile bool *)me->waits_for;
}

void fiber_wait_flag(const bool *flag)
{
    if (!*flag)
        wait_until(is_set, flag, CLOCK_FOR_EVER);
}

static bool is_clear(struct fiber *me)
{
    return !*(const volatile bool *)me->waits_for;
}

void fiber_take(bool *held)
{
    while (*held)
        wait_until(is_clear, held, CLOCK_FOR_EVER);
    *held = true;
}

void fiber_give(bool *held)
{
    assert(*held);
    *held = false;
}

/* ---- the clock ---- */

int64_t sim_realtime_us(void)
{
    return sim.monotonic_us + sim.ahead_us;
}

static int64_t clock_realtime(const struct clock *self)
{
    return sim_realtime_us();
}

static int64_t clock_monotonic(const struct clock *self)
{
    return sim.monotonic_us;
}

void sim_move_realtime(int64_t by_us)
{
    sim.ahead_us += by_us;
}

void sim_advance(int64_t by_us)
{
    assert(by_us >= 0);
    sim.monotonic_us += by_us;
}

/* ---- locks: those that a fiber holds are known; another machine thread has its own for moments only ---- */

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

static uint32_t place_of(const void *mutex)
{
    uint32_t at = (uint32_t)((uintptr_t)mutex >> 3) % MUTEXES;

    while (sim.held[at] && sim.held[at] != mutex)
        at = (at + 1) % MUTEXES;
    return at;
}

static bool is_free(struct fiber *me)
{
    return !sim.held[place_of(me->waits_for)];
}

static void forget_held(uint32_t at)
{
    sim.held[at] = NULL;
    for (uint32_t next = (at + 1) % MUTEXES; sim.held[next]; next = (next + 1) % MUTEXES) {
        const void *mutex = sim.held[next];

        sim.held[next] = NULL;
        sim.held[place_of(mutex)] = mutex;
    }
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!in_fiber())
        return __real_pthread_mutex_lock(mutex);
    while (sim.held[place_of(mutex)])
        wait_until(is_free, mutex, CLOCK_FOR_EVER);
    sim.held[place_of(mutex)] = mutex;
    return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (in_fiber()) {
        uint32_t at = place_of(mutex);

        assert(sim.held[at]);
        forget_held(at);
    }
    return __real_pthread_mutex_unlock(mutex);
}

/* ---- conditions ---- */

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);

static bool is_signaled(struct fiber *me)
{
    return me->signaled;
}

static bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
    bool in_time;

    sim.now->signaled = false;
    __wrap_pthread_mutex_unlock(mutex);
    in_time = wait_until(is_signaled, cond, until_us);
    __wrap_pthread_mutex_lock(mutex);
    return in_time;
}

static void signal_waiting(pthread_cond_t *cond, bool all)
{
    uint32_t first = (uint32_t)random_below(&sim.random, sim.count);

    for (uint32_t i = 0; i < sim.count; i++) {
        struct fiber *fiber = sim.fibers[(first + i) % sim.count];

        if (fiber->is_over || fiber->is_ready != is_signaled || fiber->waits_for != cond || fiber->signaled)
            continue;
        fiber->signaled = true;
        if (!all)
            return;
    }
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!in_fiber())
        return __real_pthread_cond_wait(cond, mutex);
    (void)cond_wait(cond, mutex, CLOCK_FOR_EVER);
    return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    if (in_fiber())
        signal_waiting(cond, false);
    return __real_pthread_cond_signal(cond);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (in_fiber())
        signal_waiting(cond, true);
    return __real_pthread_cond_broadcast(cond);
}

static bool clock_waits(const struct clock *self, pthread_cond_t *changed, pthread_mutex_t *lock, int64_t until_us)
{
    return cond_wait(changed, lock, until_us);
}

static bool is_other_word(struct fiber *me)
{
    return atomic_load((const clock_word *)me->waits_for) != me->word;
}

static void clock_waits_word(const struct clock *self, clock_word *word, uint32_t value, int64_t until_us)
{
    if (atomic_load(word) != value)
        return;
    sim.now->word = value;
    (void)wait_until(is_other_word, (const void *)word, until_us);
}

const struct clock sim_clock = { clock_realtime, clock_monotonic, clock_waits, clock_waits_word };

/* ---- threads ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    struct fiber *fiber;

    if (!in_fiber())
        return __real_pthread_create(thread, attributes, run, context);
    fiber = fiber_new("thread");
    fiber->thread = run;
    fiber->context = context;
    static_assert(sizeof(pthread_t) == sizeof(fiber), "a fiber is known by what stands for a thread");
    memcpy(thread, &fiber, sizeof(fiber));
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct fiber *fiber;

    if (!in_fiber())
        return __real_pthread_join(thread, result);
    memcpy(&fiber, &thread, sizeof(fiber));
    if (!fiber->is_over)
        wait_until(is_over, fiber, CLOCK_FOR_EVER);
    if (result)
        *result = fiber->result;
    fiber_free(fiber);
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    if (in_fiber())
        snprintf(sim.now->name, sizeof(sim.now->name), "%s", name);
    return 0;
}

/* ---- sleeping, and waiting for a descriptor ---- */

int __wrap_sched_yield(void);
int __real_sched_yield(void);
int __wrap_sched_yield(void)
{
    if (!in_fiber())
        return __real_sched_yield();
    fiber_yield();
    return 0;
}

int __wrap_usleep(useconds_t us);
int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us)
{
    if (!in_fiber())
        return __real_usleep(us);
    fiber_sleep(us);
    return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (!in_fiber())
        return __real_nanosleep(time, left);
    fiber_sleep(time->tv_sec * INT64_C(1000000) + time->tv_nsec / 1000);
    return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

static bool is_readable(struct fiber *me)
{
    struct pollfd fd = *(const struct pollfd *)me->waits_for;

    return __real_poll(&fd, 1, 0) > 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!in_fiber())
        return __real_poll(fds, count, timeout_ms);
    assert(count == 1);
    (void)wait_until(is_readable, fds, timeout_ms < 0 ? CLOCK_FOR_EVER : sim.monotonic_us + timeout_ms * INT64_C(1000));
    return __real_poll(fds, 1, 0);
}

/* ---- what is not to depend on the machine ---- */

void __wrap_random_bytes(void *to, size_t size);
void __real_random_bytes(void *to, size_t size);
void __wrap_random_bytes(void *to, size_t size)
{
    uint8_t *at = to;

    if (!in_fiber()) {
        __real_random_bytes(to, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)random_next(&sim.random);
}

int64_t __wrap_clock_thread_cpu_ns(void);
int64_t __real_clock_thread_cpu_ns(void);
int64_t __wrap_clock_thread_cpu_ns(void)
{
    return in_fiber() ? sim.monotonic_us * 100 : __real_clock_thread_cpu_ns();
}

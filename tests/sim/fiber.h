/* fiber.h: threads that are none: all that the server starts with pthread_create runs here, one at a time, in one thread of the machine.
 *
 * The program is linked with --wrap: where the server starts a thread, locks, waits or sleeps, the functions of fiber.c are called. A
 * fiber runs until it waits for something, or comes to a place where it may be held up (fiber_may_switch). Who goes on then is drawn
 * from a seed, and so one seed is one schedule. Time is the simulation's: it moves a little with each switch, and jumps when all wait
 * for it. When all wait and none for a time, that is a deadlock, and said to be one.
 *
 * Thread:  the one that called fibers_run. RocksDB's own threads go through the wrapped functions as if they were not wrapped.
 */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* The simulation's clock: what the server is given. */
extern const struct clock sim_clock;

/* Runs `main` as the first fiber, until it returns; by then all others have ended. switch_one_in: how often fiber_may_switch switches;
 * step_us_max: what a switch takes at most. */
void fibers_run(uint64_t seed, uint32_t switch_one_in, uint32_t step_us_max, void (*main)(void *context),
                void *context);

struct fiber;
struct fiber *fiber_start(const char *name, void (*run)(void *context), void *context);
void fiber_join(struct fiber *fiber);
/* Another one may go on here. */
void fiber_may_switch(void);
/* Others go on here. */
void fiber_yield(void);
void fiber_sleep(int64_t us);
/* Until *word is not 0. */
void fiber_wait_flag(const bool *flag);
/* Until none holds it; then it is ours. */
void fiber_take(bool *held);
void fiber_give(bool *held);
const char *fiber_name(void);

/* From the schedule's own stream of numbers: as often as the schedule asks, so not for what is planned before. */
uint64_t sim_draw(uint64_t bound);
uint64_t sim_steps(void);  /* switches since the start */
uint64_t sim_digest(void); /* of all that was decided: two runs of one seed must agree */
/* Real time moves, also backwards; monotonic time does not. */
void sim_move_realtime(int64_t by_us);
/* All time moves. */
void sim_advance(int64_t by_us);
int64_t sim_realtime_us(void);
/* Called where all wait for what will never come. It does not return. */
extern void (*sim_deadlocked)(const char *fibers);

#endif

/* base/random.h: randomness: from the kernel for secrets, and a fast seeded generator for everything else.
 *
 * Errors:  random_bytes aborts if the kernel has none to give.
 * Thread:  random_bytes: any; a struct random belongs to one thread.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Unpredictable: keys, nonces, ids. */
void random_bytes(void *to, size_t size);

/* Predictable (xoshiro256**): tests, simulation, sampling. Never a secret. */
struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* Evenly from [0, bound); bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);

#endif

/* Randomness of two kinds that must not be mixed up: the kernel's, which nobody can guess, for
 * keys, nonces and ids; and xoshiro256** (Blackman and Vigna, 2018), which repeats itself from a
 * seed, for simulation, sampling and whatever a test must be able to play again. */
#include "base/random.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* A signal may interrupt a long read, and a short answer is one too: it goes on until all is there.
 * Any other failure ends the process, as a key that is not random is worse than none. */
void random_bytes(void *to, size_t size)
{
    uint8_t *at = to;

    assert(to || !size);
    while (size) {
        ssize_t got = getrandom(at, size, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        at += got;
        size -= (size_t)got;
    }
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64: no seed gives the all-zero state */
        uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);

        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        random->state[i] = z ^ (z >> 31);
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Rejects what lies above the largest multiple of bound: a plain remainder would draw small numbers
 * more often. On average less than two numbers are drawn. */
uint64_t random_below(struct random *random, uint64_t bound)
{
    uint64_t limit;

    assert(bound > 0);
    limit = UINT64_MAX - UINT64_MAX % bound;
    for (;;) {
        uint64_t v = random_next(random);

        if (v < limit)
            return v % bound;
    }
}

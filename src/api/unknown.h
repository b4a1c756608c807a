/* api/unknown.h: what was asked for and is not served, counted by name: the list of what users miss.
 *
 * Limits:  UNKNOWN_NAMES_MAX names, the first that came. Later ones, long ones (UNKNOWN_NAME_MAX) and those with characters that no name
 *          of AWS's has are counted together, as "other".
 * Owns:    copies of names, in place.
 * Errors:  none.
 * Thread:  any, many at once.
 */
#ifndef API_UNKNOWN_H
#define API_UNKNOWN_H

#include "base/buffer.h"

#include <pthread.h>

enum { UNKNOWN_NAMES_MAX = 64, UNKNOWN_NAME_MAX = 96 };

struct unknown {
    pthread_mutex_t lock; /* of all below */
    uint32_t count;
    uint64_t other;
    struct unknown_name {
        char text[UNKNOWN_NAME_MAX + 1]; /* "SERVICE.OPERATION" */
        uint64_t count;
    } names[UNKNOWN_NAMES_MAX];
};

void unknown_init(struct unknown *unknown);
void unknown_fini(struct unknown *unknown);
void unknown_count(struct unknown *unknown, struct bytes service, struct bytes operation);
/* Each name with its count, in the order in which they came first; last "other", also if there are none. Not under the lock: `each` may wait. */
void unknown_each(struct unknown *unknown, void (*each)(void *context, const char *name, uint64_t count),
                  void *context);
/* As Prometheus reads it. */
void unknown_print(struct unknown *unknown, struct buffer *out);

#endif

/* plan/uuid.h: version 1 uuids: making them, and the time in one.
 *
 * Thread:  a source belongs to one thread at a time.
 */
#ifndef PLAN_UUID_H
#define PLAN_UUID_H

#include "base/bytes.h"

/* Makes version 1 uuids that no other call of this process made. One per context. */
struct uuid_source {
    uint64_t node;       /* clock sequence and node: the low half */
    uint64_t last_ticks; /* 100 ns since 1582 */
};
void uuid_source_init(struct uuid_source *source);
void uuid_make_time(struct uuid_source *source, int64_t now_us, uint8_t out[16]);
/* Milliseconds since 1970 of a version 1 uuid. */
int64_t uuid_time_ms(struct bytes uuid);
/* 100 ns since 1582, and the low half, as a uuid. */
void uuid_write_time(uint8_t out[16], uint64_t ticks, uint64_t low);
/* 100 ns since 1582. */
int64_t uuid_ticks(struct bytes uuid);

#endif

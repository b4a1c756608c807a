/* base/uuid.h: UUIDs: made, read and written. The one place that knows where version, variant and time stand.
 *
 *     time low (32) - time middle (16) - version (4), time high (12) - variant (2), clock sequence (14) - node (48)
 *
 * Shapes:  16 bytes, big-endian, as they stand in the text. Ticks are of 100 ns, from 1582-10-15.
 * Errors:  uuid_parse: false, and nothing is written. uuid_source_init aborts where the system has no randomness.
 * Thread:  pure; a uuid_source has one user at a time.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/buffer.h"

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 36 };

/* From 1582-10-15, where ticks begin, to 1970-01-01. */
#define UUID_EPOCH_TICKS INT64_C(0x01b21dd213814000)

/* Makes 16 random bytes a UUID of version 4. */
void uuid_set_random(uint8_t uuid[UUID_BYTES]);
/* Makes 16 random bytes a UUID of version 1 of that time; its node is no network card. */
void uuid_set_time(uint8_t uuid[UUID_BYTES], uint64_t ticks);
/* Time and the rest as they are told. As in Cassandra, a time of more than 60 bits runs into the version: that is no UUID of version 1, and
 * only SELECT shows it. */
void uuid_write_time(uint8_t uuid[UUID_BYTES], uint64_t ticks, uint64_t low);
/* Milliseconds since 1970 of a version 1 UUID. */
int64_t uuid_time_ms(const uint8_t uuid[UUID_BYTES]);

/* "550e8400-e29b-41d4-a716-446655440000", digits in either case. */
bool uuid_parse(struct bytes text, uint8_t uuid[UUID_BYTES]);
void uuid_print(struct buffer *out, const uint8_t uuid[UUID_BYTES]);

/* Makes version 1 UUIDs that no other call of this process made. */
struct uuid_source {
    uint64_t node; /* variant, clock sequence and node */
    uint64_t last_ticks;
};
void uuid_source_init(struct uuid_source *source);
void uuid_make_time(struct uuid_source *source, int64_t now_us, uint8_t uuid[UUID_BYTES]);

#endif

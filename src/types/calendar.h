/* types/calendar.h: dates, times, timestamps and durations as text, in the forms Cassandra reads and writes.
 *
 * Shapes:  days since 1970-01-01 (proleptic Gregorian), milliseconds since then, nanoseconds of a day; all UTC: a
 *          timestamp that names no zone is UTC. Zones by name: types/zone.h.
 * Errors:  parsers return false for text that is none; ERR_INVALID where Cassandra has more to say.
 * Thread:  pure.
 */
#ifndef TYPES_CALENDAR_H
#define TYPES_CALENDAR_H

#include "base/buffer.h"
#include "base/error.h"

/* "2020-01-31"; years past 9999 as "+10000-01-31", before 0 as "-0001-01-31". */
void date_print(struct buffer *out, int64_t days);
/* "2020-01-31T04:05:06.789Z", with a space for the T in JSON. Years count in their era, as Java's 'y' does. */
void timestamp_print(struct buffer *out, int64_t ms, char separator);
/* "04:05:06.000000789" */
void time_print(struct buffer *out, int64_t nanoseconds);
/* "1y2mo3d4h5m6s7ms8us9ns" */
void duration_print(struct buffer *out, int64_t months, int64_t days, int64_t nanoseconds);

/* Days since 1970 of a date, and the year of such a day. */
int64_t calendar_days(int64_t year, int month, int day);
int64_t calendar_year(int64_t days);

bool date_parse(struct bytes text, int64_t *days);
/* ERR_INVALID; ERR_CONFIG (in words to show) where the rules of its zone are not on this server. */
enum status timestamp_parse(struct bytes text, int64_t *ms, struct error *err);
bool time_parse(struct bytes text, int64_t *nanoseconds);
enum status duration_parse(struct bytes text, int64_t *months, int64_t *days, int64_t *nanoseconds, struct error *err);

#endif

/* types/zone.h: time zones by name, for timestamps: "Europe/Berlin", "CEST", "Pacific Standard Time".
 *
 * Which names there are, and which zone each of them means, is what Cassandra's formats make of them (zone_names.inc, recorded). The zones'
 * rules are those of the system (tzdata), read when they are asked for: a literal with a zone is rare. Where tzdata is not installed, a
 * name of a zone is an error that says so; UTC, GMT and offsets need no rules.
 *
 * Shapes:  local time in seconds since 1970 as a clock in the zone shows it; the offset is what that clock is ahead of UTC.
 * Errors:  ERR_INVALID for what is no name of a zone; ERR_CONFIG, with words of its own, where rules are not on this server.
 * Thread:  no state; reads one file.
 */
#ifndef TYPES_ZONE_H
#define TYPES_ZONE_H

#include "base/bytes.h"
#include "base/error.h"

/* Local time that a clock shows twice is taken as the first; one that it skips, with the offset before that. */
enum status zone_offset(struct bytes name, int64_t local_s, int64_t *offset_s, struct error *err);
/* The same with rules that were read already: a TZif file (RFC 8536). ERR_CONFIG: these bytes are none. */
enum status zone_offset_in(struct bytes rules, int64_t local_s, int64_t *offset_s, struct error *err);

#endif

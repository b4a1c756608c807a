/* iam/operand.h: values of conditions as what they are: numbers, times, addresses. Texts of policies and of requests are read the same way.
 *
 *     number    -12.50       digits of any count; no exponent. Compared exactly.
 *     time      2026-01-31, 2026-01-31T12:00:00.5+01:00, 1767323045     W3C's forms of ISO 8601, or seconds since 1970; UTC if it does not say
 *     network   203.0.113.0/24, 2001:db8::/32, 203.0.113.7               without a prefix it is one address
 *     truth     true, false in any case
 *
 * Shapes:  an IPv4 address that is written as IPv6 (::ffff:203.0.113.7) is the IPv4 address. Bits behind a prefix do not count.
 * Owns:    nothing.
 * Errors:  false: it is none.
 * Thread:  pure.
 */
#ifndef IAM_OPERAND_H
#define IAM_OPERAND_H

#include "base/bytes.h"

bool number_is(struct bytes text);
/* Of two that are numbers. */
int number_compare(struct bytes a, struct bytes b);

struct moment {
    int64_t seconds; /* since 1970 */
    int32_t microseconds;
};

bool moment_read(struct bytes text, struct moment *moment);
int moment_compare(const struct moment *a, const struct moment *b);

struct network {
    uint8_t address[16]; /* IPv4: the first four */
    uint8_t bits;        /* of the prefix */
    bool is_v6;
};

bool network_read(struct bytes text, struct network *network);
/* Is all of `part` in it? */
bool network_has(const struct network *network, const struct network *part);

bool truth_read(struct bytes text, bool *is_true);

#endif

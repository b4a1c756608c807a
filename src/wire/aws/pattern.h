/* wire/aws/pattern.h: the regular expressions of AWS's models: does a whole text match?
 *
 * Formats: Java's, as far as models use it: what PCRE2 writes otherwise (\uXXXX, \p{Print}, [\w-]) is translated, the rest is
 *          the same. Of the 5000 patterns in AWS's models it refuses 21, most of them mistakes of theirs.
 * Shapes:  anchored at both ends; \w, \d and \s are ASCII; \p{L} and the like are Unicode's.
 * Owns:    the compiled pattern: pattern_free. The text of it is only read.
 * Errors:  pattern_new: ERR_INVALID with what is wrong and where: a fault of ours, since patterns come from our models.
 * Thread:  a pattern is never changed: any.
 */
#ifndef WIRE_AWS_PATTERN_H
#define WIRE_AWS_PATTERN_H

#include "base/bytes.h"
#include "base/error.h"

struct pattern;

enum status pattern_new(const char *text, struct pattern **result, struct error *err);
void pattern_free(struct pattern *pattern);
/* Takes a bounded number of steps and a bounded memory: what would take more does not match; nor does what is not UTF-8. */
bool pattern_matches(const struct pattern *pattern, struct bytes text);

#endif

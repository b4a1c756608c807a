/* wire/aws/percent.h: what stands in request lines, headers and forms: percent-encoding, the parts of a target, the normal
 * form of a path, blanks.
 *
 * Who is signed to do what must read a target as the signature does: a path is looked at in its normal form, and a '+' in a target's
 * query is a '+'. Only in a form it is a blank.
 *
 * Shapes:  a target is "/path?query" as it came.
 * Owns:    what is decoded lies in the arena, or is the text itself if nothing had to be done.
 * Errors:  percent_decode: false for a '%' without two hexadecimal digits behind it.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_PERCENT_H
#define WIRE_AWS_PERCENT_H

#include "base/arena.h"
#include "base/buffer.h"

bool percent_decode(struct arena *arena, struct bytes text, bool plus_is_blank, struct bytes *result);
/* All but A-Z a-z 0-9 - . _ ~ and, if it is kept, '/'. */
void percent_encode(struct buffer *out, struct bytes raw, bool keeps_slash);
/* Decoded and encoded once more, so that each text has one form; a '%' that encodes nothing stands for itself, a '+' too. */
void percent_recode(struct buffer *out, struct bytes text);

void target_split(struct bytes target, struct bytes *path, struct bytes *query);

/* "a=1&b" piece by piece: the next "a=1", as its name and value; false: that was all. An empty query has one empty piece, as signers have it. */
struct query_pieces {
    struct bytes rest;
    bool done;
};

bool query_piece_next(struct query_pieces *pieces, struct bytes *name, struct bytes *value);

/* RFC 3986, 5.2.4, without "." and ".." and empty segments: "/a/./b//../c/" is "/a/c/". A path that is empty is "/". */
void path_normalize(struct buffer *out, struct bytes path);

/* Without the blanks that HTTP lets stand around a value; what is inside stays. */
struct bytes blanks_trim(struct bytes text);

#endif

/* iam/glob.h: texts of policies that may hold wildcards and variables: made once, then matched.
 *
 *     *                 any run of characters, also none
 *     ?                 one character
 *     ${aws:username}   the key's value, letter by letter: what is a '*' in it stands for itself
 *     ${key, 'none'}    the same, or the text between the quotes if the key has no value
 *     ${*} ${?} ${$}    these characters themselves
 *
 * A glob is two rows of bytes: what stands there, and how it is meant. A variable is GLOB_VARIABLE (its byte: whether there is a default),
 * then the key, then the default. glob_expand puts values in their places, which leaves GLOB_LITERAL, GLOB_ONE and GLOB_RUN.
 *
 * Shapes:  UTF-8; a character is a code point. A text that is matched has at most IAM_TEXT_MAX bytes.
 * Owns:    nothing: a glob's bytes are the policy's, or the room's of who expands it.
 * Errors:  glob_make returns what is wrong with the text, in words; NULL: nothing.
 * Cost:    each run is looked for once, from where the one before it was found. A run without '?' costs what memmem takes, which is in
 *          proportion to the text; one with '?' an eighth of the product of both lengths at worst, in a text that is not ASCII half of it.
 *          Nothing is tried twice, nothing calls itself.
 * Thread:  pure.
 */
#ifndef IAM_GLOB_H
#define IAM_GLOB_H

#include "base/buffer.h"
#include "iam/context.h"

/* GLOB_ONE has no bit set and GLOB_LITERAL all of them, so that a mark is the mask under which its byte is compared. */
enum glob_mark {
    GLOB_ONE = 0x00,
    GLOB_RUN = 0x01,
    GLOB_VARIABLE = 0x02,
    GLOB_KEY = 0x03,
    GLOB_DEFAULT = 0x04,
    GLOB_LITERAL = 0xff
};

struct glob {
    const uint8_t *bytes, *marks;
    size_t size;
};

/* What is special in a text. */
enum glob_syntax { GLOB_WITH_WILDCARDS = 1, GLOB_WITH_VARIABLES = 2 };

/* Appends to both; of a text that is wrong some may have been appended. */
const char *glob_make(struct bytes text, unsigned syntax, struct buffer *bytes, struct buffer *marks);
/* Variable by variable: *at is where to look on. A default's data is NULL if there is none. */
bool glob_next_variable(struct glob glob, size_t *at, struct bytes *key, struct bytes *otherwise);

/* Of what is expanded, or has no variables. */
bool glob_matches(struct glob glob, struct bytes text);
/* ARN and ARN: part by part between the first five colons, so that no wildcard reaches over one. What has no five colons does not match,
 * but for the glob "*", which any text does. */
bool glob_matches_arn(struct glob glob, struct bytes text);

/* Where values are put in. A glob that is longer than the text it is to match cannot match. */
struct glob_room {
    uint8_t bytes[2 * IAM_TEXT_MAX + 1], marks[2 * IAM_TEXT_MAX + 1];
};

/* The one value that a key has; IAM_ABSENT: none. */
typedef enum iam_answer glob_value_fn(void *context, struct bytes key, struct bytes *value);

/* TRUTH_FALSE: a variable has no value, or the glob is longer than any text; it matches nothing. TRUTH_UNKNOWN: a value is not known. */
enum truth glob_expand(struct glob glob, glob_value_fn *ask, void *context, struct glob_room *room,
                       struct glob *result);

#endif

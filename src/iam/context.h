/* iam/context.h: what is known of a request: keys with values, asked for one by one; and truth with a third value.
 *
 * A request's context is a function that is asked for a key, not an array of all of them: most statements ask for none or one of some thirty
 * keys, and tags of a resource or the text of a time cost something to make. What was asked also says whether a decision holds for the next
 * request of the same caller (decide.h: depends_on_context). Who has an array gives iam_entries_ask.
 *
 * Shapes:  names of keys are compared in any case, also what stands behind the '/' of aws:ResourceTag/NAME; values are as they came. A
 *          binary value is its bytes, not base64.
 * Owns:    values lie where the asked one has them, until the decision is made. Asked twice it answers the same.
 * Thread:  pure.
 */
#ifndef IAM_CONTEXT_H
#define IAM_CONTEXT_H

#include "base/bytes.h"
#include "base/memory.h"

/* What a request can make long: a value, a resource's name, an action; values of one key, and all their bytes. What is longer cannot be
 * evaluated. */
enum { IAM_TEXT_MAX = 2048, IAM_ACTION_MAX = 256, IAM_VALUES_MAX = 256, IAM_VALUES_BYTES_MAX = 32 * 1024 };

/* TRUTH_UNKNOWN: it cannot be evaluated. A statement whose truth is unknown allows nothing, and denies. In this order "and" is the lesser of
 * two, "or" the greater. */
enum truth { TRUTH_FALSE, TRUTH_UNKNOWN, TRUTH_TRUE };

static inline enum truth truth_of(bool is_so)
{
    return is_so ? TRUTH_TRUE : TRUTH_FALSE;
}

static inline enum truth truth_and(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static inline enum truth truth_or(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

static inline enum truth truth_not(enum truth a)
{
    return (enum truth)(TRUTH_TRUE - a);
}

enum iam_answer {
    IAM_ABSENT,  /* this request has no such key */
    IAM_PRESENT, /* it has, with these values; no value at all is as if it were absent */
    IAM_UNKNOWN, /* nobody here can say whether it has */
};

struct iam_values {
    const struct bytes *values;
    uint32_t count;
};

typedef enum iam_answer iam_ask_fn(void *context, struct bytes key, struct iam_values *values);

/* An array as a context: what is not in it is absent. */
struct iam_entry {
    struct bytes name;
    struct iam_values values;
};

struct iam_entries {
    const struct iam_entry *entries;
    uint32_t count;
};

/* context: a struct iam_entries. */
enum iam_answer iam_entries_ask(void *context, struct bytes key, struct iam_values *values);

/* In any case, of ASCII letters. */
static inline bool iam_key_is(struct bytes a, struct bytes b)
{
    return a.size == b.size && (!a.size || strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0);
}

#endif

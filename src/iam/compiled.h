/* iam/compiled.h: what is inside a policy; for the files of this folder.
 *
 * Five arrays in one piece of memory, which name each other by index: nothing is to be followed or freed when a policy goes.
 *
 *     struct policy | tests | values | statements | keys | pool
 *
 * The pool has all texts; behind a text that is a glob its marks.
 *
 * Thread:  never changed, but for the count of references.
 */
#ifndef IAM_COMPILED_H
#define IAM_COMPILED_H

#include "iam/glob.h"
#include "iam/kind.h"
#include "iam/operand.h"

#include <assert.h>
#include <stdatomic.h>

struct policy_span { /* of the pool */
    uint32_t at, size;
};

struct policy_list { /* of values */
    uint32_t first, count;
};

/* Whom a value of Principal means. */
enum principal_match {
    MATCH_EVERYBODY, /* Principal "*" */
    MATCH_EVERY_AWS, /* {"AWS": "*"} */
    MATCH_ACCOUNT,   /* the text is its number */
    MATCH_ARN,
    MATCH_ID, /* AIDA.., AROA.. */
    MATCH_SERVICE,
    MATCH_FEDERATED
};

struct policy_value {
    struct policy_span text;
    bool has_marks;     /* it is a glob */
    bool is_plain;      /* of a glob: nothing in it is special */
    bool has_variables; /* of a glob: it is to be expanded */
    bool is_by_parts;   /* of a resource: no star stands at the end of a part, so none reaches over a colon */
    enum principal_match principal;
    union { /* as the test's operator has it */
        struct moment moment;
        struct network network;
        bool is_true;
    };
};

enum condition_set { SET_NONE, SET_FOR_ALL_VALUES, SET_FOR_ANY_VALUE };

struct condition_operator; /* condition.h */

/* An op, a key and the values beside it. */
struct policy_test {
    const struct condition_operator *op;
    enum condition_set set;
    bool if_exists;
    struct policy_span key;
    struct policy_list values;
};

struct policy_statement {
    bool denies, is_not_action, is_not_resource, is_not_principal;
    struct policy_list actions, resources, principals; /* none of the last two: it is about all */
    uint32_t first_test, test_count;
    struct policy_span sid;
    struct policy_position start, end;
};

struct policy_key_use {
    struct policy_span name;
    uint32_t statement;
    bool wants_one;
};

struct policy {
    atomic_uint references;
    enum policy_kind kind;
    uint32_t statement_count, test_count, value_count, key_count, pool_size;
    const struct policy_test *tests; /* these five point behind this struct */
    const struct policy_value *values;
    const struct policy_statement *statements;
    const struct policy_key_use *keys;
    const uint8_t *pool;
};

static inline struct bytes policy_text(const struct policy *policy, struct policy_span span)
{
    assert(span.at + (size_t)span.size <= policy->pool_size);
    return bytes_of(policy->pool + span.at, span.size);
}

static inline struct glob policy_glob(const struct policy *policy, const struct policy_value *value)
{
    assert(value->has_marks && value->text.at + 2 * (size_t)value->text.size <= policy->pool_size);
    return (struct glob){ policy->pool + value->text.at, policy->pool + value->text.at + value->text.size,
                          value->text.size };
}

static inline const struct policy_value *policy_value(const struct policy *policy, struct policy_list list,
                                                      uint32_t index)
{
    assert(index < list.count && list.first + index < policy->value_count);
    return &policy->values[list.first + index];
}

#endif

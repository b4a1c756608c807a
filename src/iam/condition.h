/* iam/condition.h: the operators of conditions, and whether a test of a statement holds for a request.
 *
 *     String...  Equals NotEquals EqualsIgnoreCase NotEqualsIgnoreCase Like NotLike     Bool BinaryEquals Null
 *     Numeric... and Date...  Equals NotEquals LessThan LessThanEquals GreaterThan GreaterThanEquals
 *     IpAddress NotIpAddress     Arn... Equals Like NotEquals NotLike (Equals is Like)
 *
 * before it ForAllValues: or ForAnyValue:, behind it IfExists; neither with Null. Variables stand in the values of String, Arn and Bool;
 * wildcards in those of Like and Arn.
 *
 * One value of the request holds if it fits one of the policy's values; with an operator that has Not in its name, if it fits none. Then
 *
 *                    key absent        one value      several
 *     plain          only Not holds    as it is       cannot be evaluated
 *     ForAllValues   holds             as it is       each holds
 *     ForAnyValue    does not          as it is       one holds
 *     ..IfExists     holds             the same       the same
 *
 * where a set whose one value is empty has no value. What the operator cannot read of a request (no number, no address, longer than IAM_TEXT_MAX)
 * cannot be evaluated. A variable without a value makes its value of the policy fit nothing.
 *
 * Thread:  pure.
 */
#ifndef IAM_CONDITION_H
#define IAM_CONDITION_H

#include "iam/compiled.h"

/* How values are compared; what a policy's value is made into. */
enum comparison {
    COMPARE_TEXT,
    COMPARE_TEXT_IGNORING_CASE,
    COMPARE_GLOB,
    COMPARE_ARN,
    COMPARE_NUMBER,
    COMPARE_TIME,
    COMPARE_TRUTH,
    COMPARE_BINARY,
    COMPARE_NETWORK,
    COMPARE_NULL
};

struct condition_operator {
    const char *name;
    enum comparison comparison;
    bool is_negated;
    bool less, equal, greater; /* of numbers and times: in which of these orders a value fits */
};

/* "ForAllValues:StringLikeIfExists"; false: there is none of that name. */
bool condition_operator_find(struct bytes name, const struct condition_operator **op, enum condition_set *set,
                             bool *if_exists);
unsigned condition_syntax(const struct condition_operator *op); /* enum glob_syntax, of its values */

/* Why a key could not be taken. */
enum iam_obstacle {
    OBSTACLE_ABSENT,     /* the request does not have it */
    OBSTACLE_UNKNOWN,    /* nobody here can say */
    OBSTACLE_SEVERAL,    /* it has several values where one is asked for, or more than there may be */
    OBSTACLE_UNREADABLE, /* what it has is too long, or nothing the operator is for */
};

/* One evaluation: who is asked, and who hears of keys that could not be taken. */
struct evaluation {
    iam_ask_fn *ask;
    void *context;
    void (*note)(void *noter, struct bytes key, enum iam_obstacle obstacle); /* NULL: nobody wants to know */
    void *noter;
    bool has_asked;
    struct glob_room room;
};

enum truth condition_holds(struct evaluation *evaluation, const struct policy *policy, const struct policy_test *test);
/* A policy's value with the request's in place of its variables: see glob_expand. */
enum truth condition_glob(struct evaluation *evaluation, const struct policy *policy, const struct policy_value *value,
                          struct glob *result);

#endif

/* A table of operators, and one loop over what a request has and what a policy has. Each answer
 * has three values, and both loops go to their ends unless the answer can no longer change, so
 * no order of values matters.
 *
 * What a policy's value is worth is worked out when the policy is made: numbers, times and
 * addresses are read there, so that only the request's side is read here, once for each value,
 * and compared with as many of the policy's as there are. */
#include "iam/condition.h"

#include "base/debug.h"

/* AWS's list, in its order. BinaryEquals, Bool and Null have no negated form; ArnEquals and
 * ArnLike are the same, as AWS says itself. */
static const struct condition_operator operators[] = {
    { "StringEquals", COMPARE_TEXT },
    { "StringNotEquals", COMPARE_TEXT, .is_negated = true },
    { "StringEqualsIgnoreCase", COMPARE_TEXT_IGNORING_CASE },
    { "StringNotEqualsIgnoreCase", COMPARE_TEXT_IGNORING_CASE, .is_negated = true },
    { "StringLike", COMPARE_GLOB },
    { "StringNotLike", COMPARE_GLOB, .is_negated = true },
    { "ArnEquals", COMPARE_ARN },
    { "ArnNotEquals", COMPARE_ARN, .is_negated = true },
    { "ArnLike", COMPARE_ARN },
    { "ArnNotLike", COMPARE_ARN, .is_negated = true },
    { "NumericEquals", COMPARE_NUMBER, .equal = true },
    { "NumericNotEquals", COMPARE_NUMBER, .is_negated = true, .equal = true },
    { "NumericLessThan", COMPARE_NUMBER, .less = true },
    { "NumericLessThanEquals", COMPARE_NUMBER, .less = true, .equal = true },
    { "NumericGreaterThan", COMPARE_NUMBER, .greater = true },
    { "NumericGreaterThanEquals", COMPARE_NUMBER, .greater = true, .equal = true },
    { "DateEquals", COMPARE_TIME, .equal = true },
    { "DateNotEquals", COMPARE_TIME, .is_negated = true, .equal = true },
    { "DateLessThan", COMPARE_TIME, .less = true },
    { "DateLessThanEquals", COMPARE_TIME, .less = true, .equal = true },
    { "DateGreaterThan", COMPARE_TIME, .greater = true },
    { "DateGreaterThanEquals", COMPARE_TIME, .greater = true, .equal = true },
    { "Bool", COMPARE_TRUTH },
    { "BinaryEquals", COMPARE_BINARY },
    { "IpAddress", COMPARE_NETWORK },
    { "NotIpAddress", COMPARE_NETWORK, .is_negated = true },
    { "Null", COMPARE_NULL },
};

/* Takes it off; false: it does not begin so. */
static bool take_prefix(struct bytes *name, struct bytes prefix)
{
    if (!bytes_starts_with(*name, prefix))
        return false;
    *name = bytes_of(name->data + prefix.size, name->size - prefix.size);
    return true;
}

/* The same at the end: names of operators are put together of three parts. */
static bool take_suffix(struct bytes *name, struct bytes suffix)
{
    if (name->size < suffix.size || !bytes_equal(bytes_of(name->data + name->size - suffix.size, suffix.size), suffix))
        return false;
    name->size -= suffix.size;
    return true;
}

/* To the letter, as in the documents. */
bool condition_operator_find(struct bytes name, const struct condition_operator **op, enum condition_set *set,
                             bool *if_exists)
{
    *set = take_prefix(&name, BYTES_LITERAL("ForAllValues:"))  ? SET_FOR_ALL_VALUES
           : take_prefix(&name, BYTES_LITERAL("ForAnyValue:")) ? SET_FOR_ANY_VALUE
                                                               : SET_NONE;
    *if_exists = take_suffix(&name, BYTES_LITERAL("IfExists"));
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
        if (bytes_is(name, operators[i].name)) {
            *op = &operators[i];
            return operators[i].comparison != COMPARE_NULL || (*set == SET_NONE && !*if_exists);
        }
    return false;
}

/* Where IAM's documents let variables and wildcards stand. Everywhere else they are plain
 * characters, which are then refused as no number, no date. */
unsigned condition_syntax(const struct condition_operator *op)
{
    switch (op->comparison) {
    case COMPARE_TEXT:
    case COMPARE_TEXT_IGNORING_CASE:
    case COMPARE_TRUTH: return GLOB_WITH_VARIABLES;
    case COMPARE_GLOB:
    case COMPARE_ARN: return GLOB_WITH_VARIABLES | GLOB_WITH_WILDCARDS;
    case COMPARE_NUMBER:
    case COMPARE_TIME:
    case COMPARE_BINARY:
    case COMPARE_NETWORK:
    case COMPARE_NULL: break;
    }
    return 0;
}

/* ---- what a request has ---- */

/* Most who decide want no list: then this is all that it costs. */
static void note(struct evaluation *evaluation, struct bytes key, enum iam_obstacle obstacle)
{
    if (evaluation->note)
        evaluation->note(evaluation->noter, key, obstacle);
}

/* What is compared with all that a policy has must not be long as a whole either. */
static bool are_too_many(const struct iam_values *values)
{
    size_t bytes = 0;

    if (values->count > IAM_VALUES_MAX)
        return true;
    for (uint32_t i = 0; i < values->count; i++)
        bytes += values->values[i].size;
    return bytes > IAM_VALUES_BYTES_MAX;
}

/* A key without a value is absent: there is nothing to compare. */
static enum iam_answer ask(struct evaluation *evaluation, struct bytes key, struct iam_values *values)
{
    enum iam_answer answer;

    *values = (struct iam_values){ 0 };
    /* A key that is absent now may be there in the next request, so it counts as asked too. */
    evaluation->has_asked = true;
    answer = evaluation->ask ? evaluation->ask(evaluation->context, key, values) : IAM_ABSENT;
    if (answer == IAM_PRESENT && !values->count)
        answer = IAM_ABSENT;
    if (answer == IAM_PRESENT && are_too_many(values)) {
        note(evaluation, key, OBSTACLE_SEVERAL);
        return IAM_UNKNOWN;
    }
    if (answer != IAM_PRESENT)
        note(evaluation, key, answer == IAM_ABSENT ? OBSTACLE_ABSENT : OBSTACLE_UNKNOWN);
    return answer;
}

/* For variables, which are about one value. */
static enum iam_answer ask_one(void *context, struct bytes key, struct bytes *value)
{
    struct evaluation *evaluation = context;
    struct iam_values values;
    enum iam_answer answer = ask(evaluation, key, &values);

    if (answer == IAM_PRESENT && values.count > 1) {
        note(evaluation, key, OBSTACLE_SEVERAL);
        return IAM_UNKNOWN;
    }
    if (answer == IAM_PRESENT)
        *value = values.values[0];
    return answer;
}

/* Most values have no variables: they are compared where they lie. */
enum truth condition_glob(struct evaluation *evaluation, const struct policy *policy, const struct policy_value *value,
                          struct glob *result)
{
    *result = policy_glob(policy, value);
    if (!value->has_variables)
        return TRUTH_TRUE;
    return glob_expand(*result, ask_one, evaluation, &evaluation->room, result);
}

/* ---- comparing ---- */

/* A value of a request, read as the operator has it. */
struct operand {
    struct bytes text;
    struct moment moment;
    struct network network;
    bool is_true;
};

/* False: it is nothing the operator is for. */
static bool read_operand(enum comparison comparison, struct bytes text, struct operand *operand)
{
    assert(text.data || !text.size);
    operand->text = text;
    if (text.size > IAM_TEXT_MAX)
        return false;
    switch (comparison) {
    case COMPARE_NUMBER: return number_is(text);
    case COMPARE_TIME: return moment_read(text, &operand->moment);
    case COMPARE_NETWORK: return network_read(text, &operand->network);
    case COMPARE_TRUTH: return truth_read(text, &operand->is_true);
    case COMPARE_TEXT:
    case COMPARE_TEXT_IGNORING_CASE:
    case COMPARE_GLOB:
    case COMPARE_ARN:
    case COMPARE_BINARY:
    case COMPARE_NULL: break;
    }
    return true;
}

/* Capital letters as small ones: ASCII's, and those of Latin-1, which are two bytes, C3 80 to C3
 * 9E; C3 97 is no letter. */
static uint8_t folded(struct bytes text, size_t at)
{
    uint8_t c = text.data[at];

    debug_assert(at < text.size);
    if (c >= 'A' && c <= 'Z')
        return c | 0x20;
    if (at && text.data[at - 1] == 0xc3 && c >= 0x80 && c <= 0x9e && c != 0x97)
        return c | 0x20;
    return c;
}

/* Folding changes no character's size, so texts of different sizes differ. */
static bool equal_ignoring_case(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (folded(a, i) != folded(b, i))
            return false;
    return true;
}

/* An operator says which orders it is for, so that six of them are one comparison. */
static bool fits_order(const struct condition_operator *op, int order)
{
    return order < 0 ? op->less : order > 0 ? op->greater : op->equal;
}

/* Texts may have variables, and are expanded first. */
static enum truth fits_text(struct evaluation *evaluation, const struct policy *policy,
                            const struct condition_operator *op, const struct policy_value *value,
                            const struct operand *operand)
{
    struct glob glob;
    bool is_true;
    enum truth truth = condition_glob(evaluation, policy, value, &glob);

    if (truth != TRUTH_TRUE)
        return truth;
    switch (op->comparison) {
    case COMPARE_GLOB: return truth_of(glob_matches(glob, operand->text));
    case COMPARE_ARN: return truth_of(glob_matches_arn(glob, operand->text));
    case COMPARE_TEXT_IGNORING_CASE:
        return truth_of(equal_ignoring_case(bytes_of(glob.bytes, glob.size), operand->text));
    case COMPARE_TRUTH:
        return truth_of(truth_read(bytes_of(glob.bytes, glob.size), &is_true) && is_true == operand->is_true);
    case COMPARE_TEXT:
    case COMPARE_NUMBER:
    case COMPARE_TIME:
    case COMPARE_BINARY:
    case COMPARE_NETWORK:
    case COMPARE_NULL: break;
    }
    assert(op->comparison == COMPARE_TEXT);
    return truth_of(bytes_equal(bytes_of(glob.bytes, glob.size), operand->text));
}

/* One value of the request and one of the policy's. What was read when the policy was made is
 * compared as it is. */
static enum truth fits(struct evaluation *evaluation, const struct policy *policy, const struct condition_operator *op,
                       const struct policy_value *value, const struct operand *operand)
{
    if (value->has_marks)
        return fits_text(evaluation, policy, op, value, operand);
    if (op->comparison == COMPARE_NUMBER)
        return truth_of(fits_order(op, number_compare(operand->text, policy_text(policy, value->text))));
    if (op->comparison == COMPARE_TIME)
        return truth_of(fits_order(op, moment_compare(&operand->moment, &value->moment)));
    if (op->comparison == COMPARE_NETWORK)
        return truth_of(network_has(&value->network, &operand->network));
    assert(op->comparison == COMPARE_BINARY);
    return truth_of(bytes_equal(policy_text(policy, value->text), operand->text));
}

/* ---- one test ---- */

/* Does one value of the request hold: does it fit one of the policy's, or, negated, none? */
static enum truth value_holds(struct evaluation *evaluation, const struct policy *policy,
                              const struct policy_test *test, struct bytes text)
{
    struct operand operand = { 0 };
    enum truth truth = TRUTH_FALSE;

    /* Neither does it fit nor does it not: a negated operator must not hold for what makes no
     * sense. */
    if (!read_operand(test->op->comparison, text, &operand)) {
        note(evaluation, policy_text(policy, test->key), OBSTACLE_UNREADABLE);
        return TRUTH_UNKNOWN;
    }
    /* Who wants to hear of all keys that are missing gets to hear of all. */
    for (uint32_t i = 0; i < test->values.count && (truth != TRUTH_TRUE || evaluation->note); i++)
        truth = truth_or(truth, fits(evaluation, policy, test->op, policy_value(policy, test->values, i), &operand));
    return test->op->is_negated ? truth_not(truth) : truth;
}

/* There is at least one. Without a set there may be one only: which of several would be meant,
 * nobody says. */
static enum truth values_hold(struct evaluation *evaluation, const struct policy *policy,
                              const struct policy_test *test, const struct iam_values *values)
{
    bool for_all = test->set == SET_FOR_ALL_VALUES;
    enum truth truth = truth_of(for_all), one;

    assert(values->count > 0);
    if (test->set == SET_NONE && values->count > 1) {
        note(evaluation, policy_text(policy, test->key), OBSTACLE_SEVERAL);
        return TRUTH_UNKNOWN;
    }
    if (test->set == SET_NONE)
        return value_holds(evaluation, policy, test, values->values[0]);
    /* An unknown one decides only if no other does: a set that has one that holds has one,
     * whatever the rest is. */
    for (uint32_t i = 0; i < values->count; i++) {
        one = value_holds(evaluation, policy, test, values->values[i]);
        truth = for_all ? truth_and(truth, one) : truth_or(truth, one);
    }
    return truth;
}

/* Null asks whether there is a value: "true" is that there is none. */
static enum truth null_holds(const struct policy *policy, const struct policy_test *test, bool is_absent)
{
    for (uint32_t i = 0; i < test->values.count; i++)
        if (policy_value(policy, test->values, i)->is_true == is_absent)
            return TRUTH_TRUE;
    return TRUTH_FALSE;
}

/* The first column of the table in condition.h. */
static enum truth holds_without_value(const struct policy_test *test)
{
    if (test->if_exists)
        return TRUTH_TRUE;
    switch (test->set) {
    case SET_FOR_ALL_VALUES: return TRUTH_TRUE;
    case SET_FOR_ANY_VALUE: return TRUTH_FALSE;
    case SET_NONE: break;
    }
    return truth_of(test->op->is_negated);
}

/* What is unknown stays so whatever the operator: not even Null can tell. */
enum truth condition_holds(struct evaluation *evaluation, const struct policy *policy, const struct policy_test *test)
{
    struct iam_values values;
    enum iam_answer answer = ask(evaluation, policy_text(policy, test->key), &values);

    /* Whether it is there is not known, so not even IfExists and Null know what to say. */
    if (answer == IAM_UNKNOWN)
        return TRUTH_UNKNOWN;
    if (test->op->comparison == COMPARE_NULL)
        return null_holds(policy, test, answer == IAM_ABSENT);
    /* As IAM has it, a set of one empty text is an empty set. */
    if (test->set != SET_NONE && answer == IAM_PRESENT && values.count == 1 && !values.values[0].size)
        answer = IAM_ABSENT;
    if (answer == IAM_ABSENT)
        return holds_without_value(test);
    return values_hold(evaluation, policy, test, &values);
}

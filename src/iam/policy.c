/* A document is checked as JSON once and then walked, down to its values and no deeper: what is
 * not known is refused where it stands. What is read grows in buffers, which become the policy's
 * one piece of memory when all is well.
 *
 * The order of the checks is the text's. AWS makes its own in rounds, so that of a document with
 * several mistakes it may tell another one first. */
#include "iam/policy.h"

#include "iam/condition.h"
#include "iam/wellformed.h"
#include "types/json.h"
#include "wire/aws/base64.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

/* IAM's documents have no characters past U+00FF, whose UTF-8 begins with C3 at most. */
enum { LEAD_BYTE_MAX = 0xc3, ARN_COLONS = 5 };

/* Up to where lines and columns are counted: a text with many statements is not counted through
 * from its beginning for each of them. */
struct counted {
    const uint8_t *at;
    struct policy_position position;
};

struct reading {
    struct bytes text;
    enum policy_kind kind;
    bool has_variables; /* of the Version that knows them */
    struct counted counted;
    struct buffer tests, values, statements, keys, pool; /* arrays of the structs of compiled.h, and bytes */
    uint32_t test_count, value_count, statement_count, key_count, variable_count;
    struct buffer word, marks; /* a string that is read, and the marks of a glob that is made */
    struct arena *arena;
    struct error *err;
};

/* ---- where ---- */

/* A CR LF is one line break, as is either alone. Columns count characters. */
static void count_to(struct counted *counted, const uint8_t *end)
{
    for (const uint8_t *at = counted->at; at < end; at++) {
        if (*at == '\n' || (*at == '\r' && at[1] != '\n'))
            counted->position = (struct policy_position){ counted->position.line + 1, 1 };
        else if (*at != '\r' && (*at & 0xc0) != 0x80)
            counted->position.column++;
    }
    if (end > counted->at)
        counted->at = end;
}

/* Places of statements are asked for from the front to the end, so that the text is counted
 * through once. */
static struct policy_position position_of(struct reading *reading, const uint8_t *at)
{
    assert(at >= reading->counted.at && at < reading->text.data + reading->text.size);
    count_to(&reading->counted, at);
    return reading->counted.position;
}

/* The error is set; says where. */
static enum status told_where(struct reading *reading, const uint8_t *at, enum status status)
{
    struct counted counted = { reading->text.data, { 1, 1 } };
    size_t size = strlen(reading->err->message);

    count_to(&counted, at);
    snprintf(reading->err->message + size, sizeof(reading->err->message) - size, " (line %u, column %u)",
             counted.position.line, counted.position.column);
    return status;
}

/* The words, and where. They may quote the document: it goes back to who sent it. */
static enum status __attribute__((format(printf, 3, 4)))
refuse(struct reading *reading, const uint8_t *at, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    error_set_list(reading->err, ERR_INVALID, format, list);
    va_end(list);
    return told_where(reading, at, ERR_INVALID);
}

/* A limit of ours, which AWS does not have by that name. */
static enum status refuse_more(struct reading *reading, const uint8_t *at, unsigned max, const char *what)
{
    error_set(reading->err, ERR_LIMIT, "A policy has at most %u %s", max, what);
    return told_where(reading, at, ERR_LIMIT);
}

/* ---- words ---- */

/* A string's characters, until the next is read. */
static struct bytes unescape(struct reading *reading, struct bytes string)
{
    buffer_reset(&reading->word);
    json_unescape(&reading->word, string);
    return buffer_bytes(&reading->word);
}

/* Nearly all values are. */
static bool is_string(struct bytes value)
{
    return json_kind_of(value) == JSON_STRING;
}

/* JSON lets them be escaped. In a name they would be invisible, and in a log they would do harm. */
static enum status check_characters(struct reading *reading, struct bytes string, struct bytes word)
{
    for (size_t i = 0; i < word.size; i++)
        if (word.data[i] < 0x20)
            return refuse(reading, string.data, "Syntax errors in policy. A control character in a text");
    return OK;
}

/* An element's name as a bit, so that one that comes again is seen. */
static enum status read_name(struct reading *reading, struct bytes name, const char *const *names, size_t count,
                             uint32_t *seen, unsigned *index)
{
    struct bytes word = unescape(reading, name), quote = wellformed_quote(word);

    for (size_t i = 0; i < count; i++)
        if (bytes_is(word, names[i])) {
            if (*seen & 1u << i)
                return refuse(reading, name.data, "Syntax errors in policy. %s comes twice", names[i]);
            *seen |= 1u << i;
            *index = (unsigned)i;
            return OK;
        }
    return refuse(reading, name.data, "Syntax errors in policy. Unknown element \"%.*s\"", BYTES(quote));
}

/* Elements are strings or objects; lists are looked at by who allows them. */
static enum status want(struct reading *reading, struct bytes value, enum json_kind kind, const char *what)
{
    if (json_kind_of(value) == kind)
        return OK;
    return refuse(reading, value.data, "Syntax errors in policy. %s must be %s", what,
                  kind == JSON_STRING ? "a string" : "an object");
}

/* ---- the pool ---- */

/* Texts stand in the pool one behind the other, and are found by their place. */
static struct policy_span pool_add(struct reading *reading, struct bytes text)
{
    struct policy_span span = { (uint32_t)reading->pool.size, (uint32_t)text.size };

    buffer_append_bytes(&reading->pool, text);
    return span;
}

/* Keys belong to the statement that is read just now. */
static void add_key(struct reading *reading, struct policy_span name, bool wants_one)
{
    struct policy_key_use use = { name, reading->statement_count, wants_one };

    buffer_append(&reading->keys, &use, sizeof(use));
    reading->key_count++;
}

/* At most so many in all: a list of a thousand names is a list, a million are an attack. */
static enum status add_value(struct reading *reading, const uint8_t *at, const struct policy_value *value)
{
    if (reading->value_count == POLICY_VALUES_MAX)
        return refuse_more(reading, at, POLICY_VALUES_MAX, "values");
    buffer_append(&reading->values, value, sizeof(*value));
    reading->value_count++;
    return OK;
}

/* Most texts of policies are, and are compared as they stand. */
static bool is_plain(const struct buffer *marks)
{
    for (size_t i = 0; i < marks->size; i++)
        if (marks->data[i] != GLOB_LITERAL)
            return false;
    return true;
}

/* Bytes and marks go into the pool, the keys of variables into their list. */
static enum status add_glob(struct reading *reading, const uint8_t *at, struct bytes text, unsigned syntax,
                            struct policy_value *value)
{
    struct glob glob;
    struct bytes key, otherwise;
    size_t begin = reading->pool.size;

    /* Of the old Version even "${" is a plain text. */
    if (!reading->has_variables)
        syntax &= ~(unsigned)GLOB_WITH_VARIABLES;
    buffer_reset(&reading->marks);
    const char *wrong = glob_make(text, syntax, &reading->pool, &reading->marks);
    if (wrong)
        return refuse(reading, at, "Syntax errors in policy. In \"%.*s\" %s", BYTES(wellformed_quote(text)), wrong);
    assert(reading->pool.size - begin == reading->marks.size);
    value->text = (struct policy_span){ (uint32_t)begin, (uint32_t)reading->marks.size };
    value->has_marks = true;
    value->is_plain = is_plain(&reading->marks);
    buffer_append_bytes(&reading->pool, buffer_bytes(&reading->marks));
    glob = (struct glob){ reading->pool.data + begin, reading->marks.data, reading->marks.size };
    /* The name is the glob's own piece of the pool: it is not kept twice. */
    for (size_t next = 0; glob_next_variable(glob, &next, &key, &otherwise);) {
        struct policy_span name = { (uint32_t)(key.data - reading->pool.data), (uint32_t)key.size };

        if (reading->variable_count++ == POLICY_VARIABLES_MAX)
            return refuse_more(reading, at, POLICY_VARIABLES_MAX, "variables");
        value->has_variables = true;
        add_key(reading, name, true);
    }
    return OK;
}

/* ---- lists ---- */

/* Takes one value of an element; a string's characters are in the word. `with` is the adder's
 * own. */
typedef enum status add_fn(struct reading *reading, struct bytes value, const void *with);

/* Strings are unescaped here, so that who adds them finds them in the word. */
static enum status add_one(struct reading *reading, struct bytes value, add_fn *add, const void *with)
{
    enum status status = OK;

    if (is_string(value))
        status = check_characters(reading, value, unescape(reading, value));
    return status ? status : add(reading, value, with);
}

/* One value, or a list of them. */
static enum status read_list(struct reading *reading, struct bytes value, add_fn *add, const void *with,
                             struct policy_list *list)
{
    struct bytes rest = value, element;
    enum status status = OK;

    assert(value.size);
    list->first = reading->value_count;
    /* One alone is a list of one. */
    if (json_kind_of(value) != JSON_ARRAY)
        status = add_one(reading, value, add, with);
    else
        while (!status && json_next_element(&rest, &element))
            status = add_one(reading, element, add, with);
    list->count = reading->value_count - list->first;
    return status;
}

/* Names of actions are in any case: they are kept small. */
static enum status add_action(struct reading *reading, struct bytes string, const void *with)
{
    struct policy_value value = { 0 };
    enum status status = want(reading, string, JSON_STRING, "Action");

    if (status)
        return status;
    status = wellformed_action(buffer_bytes(&reading->word), reading->kind, reading->err);
    if (status)
        return told_where(reading, string.data, status);
    for (size_t i = 0; i < reading->word.size; i++)
        if (reading->word.data[i] >= 'A' && reading->word.data[i] <= 'Z')
            reading->word.data[i] |= 0x20;
    status = add_glob(reading, string.data, buffer_bytes(&reading->word), GLOB_WITH_WILDCARDS, &value);
    return status ? status : add_value(reading, string.data, &value);
}

/* Does it have five colons, and before them no part that ends with a star? */
static bool keeps_to_parts(struct glob glob)
{
    int colons = 0;

    for (size_t i = 0; i < glob.size && colons < ARN_COLONS; i++)
        if (glob.bytes[i] == ':' && glob.marks[i] == GLOB_LITERAL) {
            if (i && glob.marks[i - 1] == GLOB_RUN)
                return false;
            colons++;
        }
    return colons == ARN_COLONS;
}

/* It is checked as a text, as its author sees it, and then made into a glob. */
static enum status add_resource(struct reading *reading, struct bytes string, const void *with)
{
    struct policy_value value = { 0 };
    enum status status = want(reading, string, JSON_STRING, "Resource");

    if (status)
        return status;
    status = wellformed_resource(buffer_bytes(&reading->word), reading->has_variables, reading->err);
    if (status)
        return told_where(reading, string.data, status);
    status =
        add_glob(reading, string.data, buffer_bytes(&reading->word), GLOB_WITH_WILDCARDS | GLOB_WITH_VARIABLES, &value);
    if (status)
        return status;
    value.is_by_parts =
        keeps_to_parts((struct glob){ reading->pool.data + value.text.at, reading->marks.data, value.text.size });
    return add_value(reading, string.data, &value);
}

/* with: the name of the kind, a C string. */
static enum status add_principal(struct reading *reading, struct bytes string, const void *with)
{
    struct policy_value value = { 0 };
    struct bytes text;
    enum status status = want(reading, string, JSON_STRING, "A principal");

    if (status)
        return status;
    status = wellformed_principal(bytes_of_string(with), buffer_bytes(&reading->word), &value.principal, &text,
                                  reading->err);
    if (status)
        return told_where(reading, string.data, status);
    value.text = pool_add(reading, text);
    return add_value(reading, string.data, &value);
}

/* ---- conditions ---- */

/* A glob of an ARN has its six parts, or it is "*", or a variable brings them. */
static bool is_arn_glob(struct glob glob)
{
    int colons = 0;

    for (size_t i = 0; i < glob.size; i++) {
        if (glob.marks[i] == GLOB_VARIABLE)
            return true;
        colons += glob.bytes[i] == ':' && glob.marks[i] == GLOB_LITERAL;
    }
    return colons >= ARN_COLONS || (glob.size == 1 && glob.marks[0] == GLOB_RUN);
}

/* The value's text, made into what the operator compares with. What can't be is refused: nothing
 * would ever fit it. */
static enum status make_operand(struct reading *reading, struct bytes at, struct bytes text,
                                const struct condition_operator *op, struct policy_value *value)
{
    struct bytes quote = wellformed_quote(text), raw;

    switch (op->comparison) {
    case COMPARE_TEXT:
    case COMPARE_TEXT_IGNORING_CASE:
    case COMPARE_GLOB:
    case COMPARE_ARN:
    case COMPARE_TRUTH: return add_glob(reading, at.data, text, condition_syntax(op), value);
    case COMPARE_NUMBER:
        value->text = pool_add(reading, text);
        if (!number_is(text))
            return refuse(reading, at.data, "Syntax errors in policy. \"%.*s\" of %s is no number", BYTES(quote),
                          op->name);
        break;
    case COMPARE_TIME:
        if (!moment_read(text, &value->moment))
            return refuse(reading, at.data, "The policy failed legacy parsing: \"%.*s\" of %s is no date", BYTES(quote),
                          op->name);
        break;
    case COMPARE_NETWORK:
        if (!network_read(text, &value->network))
            return refuse(reading, at.data, "Syntax errors in policy. \"%.*s\" of %s is no address and no CIDR block",
                          BYTES(quote), op->name);
        break;
    case COMPARE_BINARY:
        if (!base64_decode(reading->arena, text, &raw))
            return refuse(reading, at.data, "Syntax errors in policy. \"%.*s\" of %s is not base64", BYTES(quote),
                          op->name);
        value->text = pool_add(reading, raw);
        break;
    case COMPARE_NULL:
        if (!truth_read(text, &value->is_true))
            return refuse(reading, at.data, "Syntax errors in policy. %s is \"true\" or \"false\", not \"%.*s\"",
                          op->name, BYTES(quote));
        break;
    }
    return OK;
}

/* with: the operator. Numbers and booleans may stand without quotes. */
static enum status add_operand(struct reading *reading, struct bytes json, const void *with)
{
    const struct condition_operator *op = with;
    struct policy_value value = { 0 };
    struct bytes text = json;
    enum status status;
    bool is_true;

    switch (json_kind_of(json)) {
    case JSON_STRING: text = buffer_bytes(&reading->word); break;
    case JSON_BOOLEAN:
    case JSON_INTEGER:
    case JSON_FLOAT: break;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return refuse(reading, json.data, "Syntax errors in policy. A value of %s must be a string, number or boolean",
                      op->name);
    }
    status = make_operand(reading, json, text, op, &value);
    if (status)
        return status;
    if (op->comparison == COMPARE_ARN &&
        !is_arn_glob((struct glob){ reading->pool.data + value.text.at, reading->marks.data, value.text.size }))
        return refuse(reading, json.data, "Syntax errors in policy. \"%.*s\" of %s is no ARN",
                      BYTES(wellformed_quote(text)), op->name);
    if (op->comparison == COMPARE_TRUTH && !value.has_variables && !truth_read(text, &is_true))
        return refuse(reading, json.data, "Syntax errors in policy. %s is \"true\" or \"false\", not \"%.*s\"",
                      op->name, BYTES(wellformed_quote(text)));
    return add_value(reading, json.data, &value);
}

/* Until the policy is frozen its tests lie in a buffer, which moves. */
static const struct policy_test *test_at(const struct reading *reading, uint32_t index)
{
    assert(index < reading->test_count);
    return (const struct policy_test *)reading->tests.data + index;
}

/* A key and its values. The tests from `block` on are of the same operator. */
static enum status read_test(struct reading *reading, struct bytes name, struct bytes values, struct policy_test test,
                             uint32_t block)
{
    struct bytes key = unescape(reading, name);
    enum status status = wellformed_key(key, reading->err);

    if (status)
        return told_where(reading, name.data, status);
    status = check_characters(reading, name, key);
    if (status)
        return status;
    if (reading->test_count == POLICY_TESTS_MAX)
        return refuse_more(reading, name.data, POLICY_TESTS_MAX, "keys in conditions");
    /* There are few keys beside each other in real policies, and at most as many as the limit
     * lets. */
    for (uint32_t i = block; i < reading->test_count; i++) {
        struct policy_span other = test_at(reading, i)->key;

        if (iam_key_is(key, bytes_of(reading->pool.data + other.at, other.size)))
            return refuse(reading, name.data, "Syntax errors in policy. %.*s comes twice in %s",
                          BYTES(wellformed_quote(key)), test.op->name);
    }
    test.key = pool_add(reading, key);
    add_key(reading, test.key, test.set == SET_NONE && test.op->comparison != COMPARE_NULL);
    status = read_list(reading, values, add_operand, test.op, &test.values);
    if (status)
        return status;
    if (!test.values.count)
        return refuse(reading, values.data, "Syntax errors in policy. A key of %s has no values", test.op->name);
    assert(reading->tests.size == reading->test_count * sizeof(test));
    buffer_append(&reading->tests, &test, sizeof(test));
    reading->test_count++;
    return OK;
}

/* {"StringEquals": {key: values}} */
static enum status read_condition(struct reading *reading, struct bytes value, struct policy_statement *statement)
{
    struct bytes name, tests, key, values;
    enum status status = want(reading, value, JSON_OBJECT, "Condition");

    statement->first_test = reading->test_count;
    while (!status && json_next_member(&value, &name, &tests)) {
        struct policy_test test = { 0 };
        uint32_t block = reading->test_count;
        struct bytes word = unescape(reading, name);

        if (!condition_operator_find(word, &test.op, &test.set, &test.if_exists))
            return refuse(reading, name.data, "Syntax errors in policy. Unknown condition operator \"%.*s\"",
                          BYTES(wellformed_quote(word)));
        /* An operator without keys leaves no test: twice nothing is not noticed, and does no
         * harm. */
        for (uint32_t i = statement->first_test; i < block; i++) {
            const struct policy_test *other = test_at(reading, i);

            if (other->op == test.op && other->set == test.set && other->if_exists == test.if_exists)
                return refuse(reading, name.data, "Syntax errors in policy. %s comes twice", test.op->name);
        }
        status = want(reading, tests, JSON_OBJECT, "What a condition operator is for");
        while (!status && json_next_member(&tests, &key, &values))
            status = read_test(reading, key, values, test, block);
    }
    statement->test_count = reading->test_count - statement->first_test;
    return status;
}

/* ---- statements ---- */

enum element {
    ELEMENT_SID,
    ELEMENT_EFFECT,
    ELEMENT_ACTION,
    ELEMENT_NOT_ACTION,
    ELEMENT_RESOURCE,
    ELEMENT_NOT_RESOURCE,
    ELEMENT_PRINCIPAL,
    ELEMENT_NOT_PRINCIPAL,
    ELEMENT_CONDITION,
};

static const char *const element_names[] = { "Sid",         "Effect",    "Action",       "NotAction", "Resource",
                                             "NotResource", "Principal", "NotPrincipal", "Condition" };

static_assert(ARRAY_SIZE(element_names) == ELEMENT_CONDITION + 1, "each element has a name");

/* Was the element there? */
static bool has(uint32_t seen, unsigned element)
{
    return seen >> element & 1u;
}

/* "*", or kinds and values of principals. */
static enum status read_principals(struct reading *reading, struct bytes value, struct policy_list *list)
{
    static const char *const kinds[] = { "AWS", "Service", "Federated" };
    struct policy_value everybody = { .principal = MATCH_EVERYBODY };
    struct bytes name, values;
    struct policy_list part;
    uint32_t seen = 0;
    unsigned kind = 0;
    enum status status;

    /* All kinds stand in one list: each value says itself whom it means. */
    list->first = reading->value_count;
    if (is_string(value)) {
        struct bytes word = unescape(reading, value);

        if (!bytes_is(word, "*"))
            return refuse(reading, value.data, "Invalid principal in policy: \"%.*s\"", BYTES(wellformed_quote(word)));
        list->count = 1;
        return add_value(reading, value.data, &everybody);
    }
    status = want(reading, value, JSON_OBJECT, "Principal");
    while (!status && json_next_member(&value, &name, &values)) {
        status = read_name(reading, name, kinds, ARRAY_SIZE(kinds), &seen, &kind);
        if (!status)
            status = read_list(reading, values, add_principal, kinds[kind], &part);
    }
    list->count = reading->value_count - list->first;
    if (!status && !list->count)
        return refuse(reading, value.data, "Missing required field Principal");
    return status;
}

/* It has no default: who forgets it allows nothing. */
static enum status read_effect(struct reading *reading, struct bytes value, bool *denies)
{
    struct bytes word;
    enum status status = want(reading, value, JSON_STRING, "Effect");

    if (status)
        return status;
    word = unescape(reading, value);
    *denies = bytes_is(word, "Deny");
    if (*denies || bytes_is(word, "Allow"))
        return OK;
    /* AWS has another word for those that are only written otherwise. */
    bool is_case = bytes_is_ignoring_case(word, "Deny") || bytes_is_ignoring_case(word, "Allow");
    return refuse(reading, value.data, "%s Effect is \"Allow\" or \"Deny\", not \"%.*s\"",
                  is_case ? "The policy failed legacy parsing:" : "Syntax errors in policy.",
                  BYTES(wellformed_quote(word)));
}

/* Empty ones are as if they were not there. */
static enum status read_sid(struct reading *reading, struct bytes value, struct policy_span *sid)
{
    struct bytes word;
    enum status status = want(reading, value, JSON_STRING, "Sid");

    if (status)
        return status;
    word = unescape(reading, value);
    status = wellformed_sid(word, reading->kind, reading->err);
    if (status)
        return told_where(reading, value.data, status);
    for (uint32_t i = 0; word.size && i < reading->statement_count; i++) {
        struct policy_span other = ((const struct policy_statement *)reading->statements.data)[i].sid;

        if (bytes_equal(word, bytes_of(reading->pool.data + other.at, other.size)))
            return refuse(reading, value.data, "Statement IDs (SID) in a single policy must be unique.");
    }
    *sid = pool_add(reading, word);
    return OK;
}

/* What an element is called says who reads it. */
static enum status read_element(struct reading *reading, enum element element, struct bytes value,
                                struct policy_statement *statement)
{
    switch (element) {
    case ELEMENT_SID: return read_sid(reading, value, &statement->sid);
    case ELEMENT_EFFECT: return read_effect(reading, value, &statement->denies);
    case ELEMENT_NOT_ACTION:
    case ELEMENT_ACTION:
        statement->is_not_action = element == ELEMENT_NOT_ACTION;
        return read_list(reading, value, add_action, NULL, &statement->actions);
    case ELEMENT_NOT_RESOURCE:
    case ELEMENT_RESOURCE:
        statement->is_not_resource = element == ELEMENT_NOT_RESOURCE;
        return read_list(reading, value, add_resource, NULL, &statement->resources);
    case ELEMENT_NOT_PRINCIPAL:
    case ELEMENT_PRINCIPAL:
        statement->is_not_principal = element == ELEMENT_NOT_PRINCIPAL;
        return read_principals(reading, value, &statement->principals);
    case ELEMENT_CONDITION: return read_condition(reading, value, statement);
    }
    __builtin_unreachable();
}

/* What must be there, what must not, and what not together. */
static enum status check_elements(struct reading *reading, const uint8_t *at, uint32_t seen,
                                  const struct policy_statement *statement)
{
    bool has_resource = has(seen, ELEMENT_RESOURCE) || has(seen, ELEMENT_NOT_RESOURCE);
    bool has_principal = has(seen, ELEMENT_PRINCIPAL) || has(seen, ELEMENT_NOT_PRINCIPAL);

    for (unsigned element = ELEMENT_ACTION; element <= ELEMENT_PRINCIPAL; element += 2)
        if (has(seen, element) && has(seen, element + 1))
            return refuse(reading, at, "Syntax errors in policy. %s and %s stand in one statement",
                          element_names[element], element_names[element + 1]);
    /* From here on the words are AWS's, as far as they are known. */
    if (!has(seen, ELEMENT_EFFECT))
        return refuse(reading, at, "Syntax errors in policy. A statement has no Effect");
    if (!statement->actions.count)
        return refuse(reading, at, "Policy statement must contain actions.");
    if (reading->kind == POLICY_TRUST && statement->is_not_action)
        return refuse(reading, at, "AssumeRole policy may only specify STS AssumeRole actions.");
    if (reading->kind == POLICY_TRUST && has_resource)
        return refuse(reading, at, "Has prohibited field Resource");
    if (reading->kind == POLICY_IDENTITY && has_principal)
        return refuse(reading, at, "Policy document should not specify a principal.");
    if (reading->kind != POLICY_IDENTITY && !has_principal)
        return refuse(reading, at, "Missing required field Principal");
    if ((reading->kind == POLICY_IDENTITY || has_resource) && !statement->resources.count)
        return refuse(reading, at, "Policy statement must contain resources.");
    if (statement->is_not_principal && !statement->denies)
        return refuse(reading, at, "NotPrincipal may only be used with the Effect Deny.");
    return OK;
}

/* start: where the reader stood before it. */
static enum status read_statement(struct reading *reading, struct bytes value, const uint8_t *start)
{
    struct policy_statement statement = { 0 };
    struct bytes members = value, name, element;
    uint32_t seen = 0;
    unsigned index = 0;
    enum status status = want(reading, value, JSON_OBJECT, "A statement");

    if (!status && reading->statement_count == POLICY_STATEMENTS_MAX)
        return refuse_more(reading, value.data, POLICY_STATEMENTS_MAX, "statements");
    while (!status && json_next_member(&members, &name, &element)) {
        status = read_name(reading, name, element_names, ARRAY_SIZE(element_names), &seen, &index);
        if (!status)
            status = read_element(reading, (enum element)index, element, &statement);
    }
    if (!status)
        status = check_elements(reading, value.data, seen, &statement);
    if (status)
        return status;
    /* Only now, so that places are counted in the order of the text. */
    statement.start = position_of(reading, start);
    statement.end = position_of(reading, value.data + value.size);
    assert(reading->statements.size == reading->statement_count * sizeof(statement));
    buffer_append(&reading->statements, &statement, sizeof(statement));
    reading->statement_count++;
    return OK;
}

/* One alone may stand without brackets. AWS tells its place otherwise: see policy.h. */
static enum status read_statements(struct reading *reading, struct bytes value)
{
    struct bytes rest = value, element;
    const uint8_t *start = value.data + 1;
    enum status status = OK;

    if (json_kind_of(value) != JSON_ARRAY)
        return read_statement(reading, value, start);
    while (!status && json_next_element(&rest, &element)) {
        status = read_statement(reading, element, start);
        /* AWS's reader stands there when it sees the comma. */
        start = element.data + element.size;
    }
    if (!status && !reading->statement_count)
        return refuse(reading, value.data, "Syntax errors in policy. There is no statement");
    return status;
}

/* ---- documents ---- */

enum { TOP_VERSION, TOP_ID, TOP_STATEMENT };

/* There is nothing else at the top, though old documents of other services have more. */
static const char *const top_names[] = { "Version", "Id", "Statement" };

/* The Version says how all else is read, wherever it stands. */
static enum status read_version(struct reading *reading, struct bytes value)
{
    struct bytes word;
    enum status status = want(reading, value, JSON_STRING, "Version");

    if (status)
        return status;
    word = unescape(reading, value);
    reading->has_variables = bytes_is(word, "2012-10-17");
    if (reading->has_variables || bytes_is(word, "2008-10-17"))
        return OK;
    return refuse(reading, value.data,
                  "Syntax errors in policy. Version is \"2012-10-17\" or \"2008-10-17\", not \"%.*s\"",
                  BYTES(wellformed_quote(word)));
}

/* Version first, whatever stands before it. */
static enum status read_document(struct reading *reading, struct bytes document)
{
    struct bytes members = document, name, value, statements = { NULL, 0 };
    uint32_t seen = 0;
    unsigned index = 0;
    enum status status = want(reading, document, JSON_OBJECT, "A policy");

    while (!status && json_next_member(&members, &name, &value)) {
        status = read_name(reading, name, top_names, ARRAY_SIZE(top_names), &seen, &index);
        if (status)
            break;
        if (index == TOP_VERSION)
            status = read_version(reading, value);
        else if (index == TOP_ID)
            status = want(reading, value, JSON_STRING, "Id");
        else
            statements = value;
    }
    if (status)
        return status;
    if (bytes_is_null(statements))
        return refuse(reading, document.data, "Syntax errors in policy. There is no Statement");
    return read_statements(reading, statements);
}

/* Whole and strict, so that all that follows can walk spans without looking twice. */
static enum status check_text(struct reading *reading, struct bytes *document)
{
    struct bytes text = reading->text;
    struct error why;

    if (text.size > POLICY_TEXT_MAX)
        return error_set(reading->err, ERR_LIMIT, "A policy has at most %u bytes", POLICY_TEXT_MAX);
    /* It bounds the depth as well. */
    if (json_check(text, document, &why))
        return error_set(reading->err, ERR_INVALID, "This policy contains invalid Json: %s", why.message);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] > LEAD_BYTE_MAX)
            return refuse(reading, text.data + i, "Syntax errors in policy. A policy has no characters past U+00FF");
    return OK;
}

/* ---- one piece of memory ---- */

static_assert(alignof(struct policy) >= alignof(struct policy_test) &&
                  alignof(struct policy_test) >= alignof(struct policy_value) &&
                  alignof(struct policy_value) >= alignof(struct policy_statement) &&
                  alignof(struct policy_statement) >= alignof(struct policy_key_use),
              "what is behind another thing stands as it must");

/* Where the next one goes. */
static uint8_t *put(uint8_t *to, const struct buffer *from)
{
    if (from->size)
        memcpy(to, from->data, from->size);
    return to + from->size;
}

/* Sizes are known now, so all five arrays get exactly what they need. */
static struct policy *freeze(const struct reading *reading)
{
    size_t size = sizeof(struct policy) + reading->tests.size + reading->values.size + reading->statements.size +
                  reading->keys.size + reading->pool.size;
    struct policy *policy = xmalloc(size);
    uint8_t *tests = (uint8_t *)(policy + 1), *values = put(tests, &reading->tests);
    uint8_t *statements = put(values, &reading->values), *keys = put(statements, &reading->statements);
    uint8_t *pool = put(keys, &reading->keys), *end = put(pool, &reading->pool);

    assert(end == (uint8_t *)policy + size);
    *policy = (struct policy){
        .kind = reading->kind,
        .statement_count = reading->statement_count,
        .test_count = reading->test_count,
        .value_count = reading->value_count,
        .key_count = reading->key_count,
        .pool_size = (uint32_t)reading->pool.size,
        .tests = (const struct policy_test *)tests,
        .values = (const struct policy_value *)values,
        .statements = (const struct policy_statement *)statements,
        .keys = (const struct policy_key_use *)keys,
        .pool = pool,
    };
    /* The caller's. */
    atomic_init(&policy->references, 1);
    return policy;
}

/* All that was read; what is kept was copied. */
static void reading_fini(struct reading *reading)
{
    struct buffer *const buffers[] = { &reading->tests, &reading->values, &reading->statements, &reading->keys,
                                       &reading->pool,  &reading->word,   &reading->marks };

    for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
        buffer_fini(buffers[i]);
    arena_free(reading->arena);
}

/* Nothing is seen of a policy that was refused half-way. */
enum status policy_parse(struct bytes text, enum policy_kind kind, struct policy **result, struct error *err)
{
    struct reading reading = {
        .text = text, .kind = kind, .counted = { text.data, { 1, 1 } }, .arena = arena_new(256), .err = err
    };
    struct bytes document;
    enum status status = check_text(&reading, &document);

    if (!status)
        status = read_document(&reading, document);
    if (!status)
        *result = freeze(&reading);
    reading_fini(&reading);
    return status;
}

/* Who takes a reference has one, so the count cannot be at its end. */
struct policy *policy_ref(struct policy *policy)
{
    uint32_t before = atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);

    assert(before > 0 && before < UINT32_MAX);
    return policy;
}

/* The last one frees it, after all that others did with it. */
void policy_unref(struct policy *policy)
{
    if (policy && atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) == 1)
        free(policy);
}

/* ---- what is seen of it ---- */

/* As it was parsed. */
enum policy_kind policy_kind_of(const struct policy *policy)
{
    return policy->kind;
}

/* The pool is its end. */
size_t policy_bytes(const struct policy *policy)
{
    return (size_t)(policy->pool + policy->pool_size - (const uint8_t *)policy);
}

uint32_t policy_statement_count(const struct policy *policy)
{
    return policy->statement_count;
}

/* Made anew each time: it is five words. */
struct policy_statement_view policy_statement_at(const struct policy *policy, uint32_t index)
{
    const struct policy_statement *statement = &policy->statements[index];

    assert(index < policy->statement_count);
    return (struct policy_statement_view){ policy_text(policy, statement->sid), statement->denies, statement->start,
                                           statement->end };
}

uint32_t policy_key_count(const struct policy *policy)
{
    return policy->key_count;
}

/* In the order of the text, but that a test's own key comes before those of its variables. */
struct policy_key policy_key_at(const struct policy *policy, uint32_t index)
{
    const struct policy_key_use *use = &policy->keys[index];

    assert(index < policy->key_count);
    return (struct policy_key){ policy_text(policy, use->name), use->statement, use->wants_one };
}

/* Native functions: their names, their signatures, and which of them a call means. Cassandra
 * has two sorts: functions with fixed signatures (the tables below), and functions that are
 * made for the types of their arguments (map_keys, mask_*, count, ...). For a name all
 * candidates are collected and tried against the arguments and, where it is known, the type
 * that is to receive the result; the best wins, and two equally good ones are an error that
 * tells the user to cast. Operators are resolved by the same idea, over a table of operand
 * types.
 *
 * An argument may have no type of its own (a literal, a marker): then it is asked what it
 * could be. The rules of FunctionResolver decide which statements are accepted at all, so
 * they are followed closely. */
#include "plan/resolve.h"

#include "plan/function_body.h"
#include "plan/number.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* The functions of a name, while one is chosen. */
struct candidates {
    struct arena *arena;
    struct function *list; /* in the arena */
    uint32_t count, capacity;
};

/* One function with fixed types. legacy_name is that of before Cassandra 5.0; case does not count. */
struct signature {
    const char *name;
    const char *legacy_name;
    enum type_kind returns;
    int arg_count;
    enum type_kind args[3];
    function_body body;
    int64_t data;
    bool varies; /* not pure */
};

/* A line for each signature: floor has seven. `data` tells apart functions that share a body. */
static const struct signature SIGNATURES[] = {
    { "now", NULL, TYPE_TIMEUUID, 0, { 0 }, body_now, 0, true },
    { "current_timeuuid", "currenttimeuuid", TYPE_TIMEUUID, 0, { 0 }, body_now, 0, true },
    { "current_timestamp", "currenttimestamp", TYPE_TIMESTAMP, 0, { 0 }, body_current_timestamp, 0, true },
    { "current_date", "currentdate", TYPE_DATE, 0, { 0 }, body_current_date, 0, true },
    { "current_time", "currenttime", TYPE_TIME, 0, { 0 }, body_current_time, 0, true },
    { "uuid", NULL, TYPE_UUID, 0, { 0 }, body_uuid, 0, true },
    { "min_timeuuid", "mintimeuuid", TYPE_TIMEUUID, 1, { TYPE_TIMESTAMP }, body_bound_timeuuid, 0, false },
    { "max_timeuuid", "maxtimeuuid", TYPE_TIMEUUID, 1, { TYPE_TIMESTAMP }, body_bound_timeuuid, 1, false },
    { "to_date", "todate", TYPE_DATE, 1, { TYPE_TIMEUUID }, body_to_date, 0, false },
    { "to_date", "todate", TYPE_DATE, 1, { TYPE_TIMESTAMP }, body_to_date, 0, false },
    { "to_timestamp", "totimestamp", TYPE_TIMESTAMP, 1, { TYPE_TIMEUUID }, body_to_timestamp, 0, false },
    { "to_timestamp", "totimestamp", TYPE_TIMESTAMP, 1, { TYPE_DATE }, body_to_timestamp, 0, false },
    { "to_unix_timestamp", "tounixtimestamp", TYPE_BIGINT, 1, { TYPE_TIMEUUID }, body_to_timestamp, 0, false },
    { "to_unix_timestamp", "tounixtimestamp", TYPE_BIGINT, 1, { TYPE_TIMESTAMP }, body_to_timestamp, 0, false },
    { "to_unix_timestamp", "tounixtimestamp", TYPE_BIGINT, 1, { TYPE_DATE }, body_to_timestamp, 0, false },
    { "floor", NULL, TYPE_TIMESTAMP, 2, { TYPE_TIMEUUID, TYPE_DURATION }, body_floor_timestamp, 0, false },
    { "floor",
      NULL,
      TYPE_TIMESTAMP,
      3,
      { TYPE_TIMEUUID, TYPE_DURATION, TYPE_TIMESTAMP },
      body_floor_timestamp,
      0,
      false },
    { "floor", NULL, TYPE_TIMESTAMP, 2, { TYPE_TIMESTAMP, TYPE_DURATION }, body_floor_timestamp, 0, false },
    { "floor",
      NULL,
      TYPE_TIMESTAMP,
      3,
      { TYPE_TIMESTAMP, TYPE_DURATION, TYPE_TIMESTAMP },
      body_floor_timestamp,
      0,
      false },
    { "floor", NULL, TYPE_DATE, 2, { TYPE_DATE, TYPE_DURATION }, body_floor_date, 0, false },
    { "floor", NULL, TYPE_DATE, 3, { TYPE_DATE, TYPE_DURATION, TYPE_DATE }, body_floor_date, 0, false },
    { "floor", NULL, TYPE_TIME, 2, { TYPE_TIME, TYPE_DURATION }, body_floor_time, 0, false },
};

static const struct {
    const char *name;
    function_body body;
} MATH[] = {
    { "abs", body_abs }, { "exp", body_exp }, { "log", body_log }, { "log10", body_log10 }, { "round", body_round },
};

/* What arithmetic takes; where these are gone through a counter is added. */
static const enum type_kind NUMERIC[] = { TYPE_TINYINT, TYPE_SMALLINT, TYPE_INT,    TYPE_BIGINT,
                                          TYPE_FLOAT,   TYPE_DOUBLE,   TYPE_VARINT, TYPE_DECIMAL };

/* Every native type but blob has a pair of conversions to and from it. */
static const struct {
    const char *name;
    enum type_kind kind;
} NATIVE[] = {
    { "ascii", TYPE_ASCII },     { "bigint", TYPE_BIGINT },     { "boolean", TYPE_BOOLEAN },
    { "counter", TYPE_COUNTER }, { "decimal", TYPE_DECIMAL },   { "double", TYPE_DOUBLE },
    { "float", TYPE_FLOAT },     { "int", TYPE_INT },           { "timestamp", TYPE_TIMESTAMP },
    { "uuid", TYPE_UUID },       { "text", TYPE_TEXT },         { "varchar", TYPE_TEXT },
    { "varint", TYPE_VARINT },   { "timeuuid", TYPE_TIMEUUID }, { "inet", TYPE_INET },
    { "date", TYPE_DATE },       { "time", TYPE_TIME },         { "smallint", TYPE_SMALLINT },
    { "tinyint", TYPE_TINYINT }, { "duration", TYPE_DURATION }, { "empty", TYPE_EMPTY },
};

/* These look at bytes, so an empty value is a value for them. */
static bool body_keeps_empty(function_body body)
{
    return body == body_same || body == body_token || body == body_from_blob;
}

/* With argument types of its own: callers build theirs on their stacks. */
static struct function function_of(struct arena *arena, const char *name, const struct type *returns,
                                   const struct type *const *args, uint32_t count, function_body body)
{
    const struct type **copy = arena_new_array(arena, const struct type *, count ? count : 1);

    assert(returns && count <= FUNCTION_ARGUMENTS_MAX);
    if (count)
        memcpy(copy, args, sizeof(*args) * count);
    return (struct function){
        .name = bytes_of_string(name),
        .is_pure = true,
        .return_type = returns,
        .arg_types = copy,
        .arg_count = count,
        .body = body,
        .keeps_empty = body_keeps_empty(body),
    };
}

/* Adds a candidate with fixed argument types. The result is good until the next one is added. */
static struct function *candidate_add(struct candidates *candidates, const char *name, const struct type *returns,
                                      const struct type *const *args, uint32_t count, function_body body)
{
    struct function *function;

    candidates->list = arena_room(candidates->arena, candidates->list, candidates->count, &candidates->capacity, 4,
                                  sizeof(*candidates->list));
    function = &candidates->list[candidates->count++];
    *function = function_of(candidates->arena, name, returns, args, count, body);
    return function;
}

/* Exactly: names were folded by the parser, unless they were quoted. */
static bool name_is(struct bytes name, const char *is)
{
    return is && bytes_equal(name, bytes_of_string(is));
}

/* Time functions have a row for each signature; the mathematical ones exist for each type of
 * number, a counter included. */
static void add_fixed(struct candidates *candidates, struct bytes name)
{
    for (size_t i = 0; i < ARRAY_SIZE(SIGNATURES); i++) {
        const struct signature *row = &SIGNATURES[i];

        if (!name_is(name, row->name) && !name_is(name, row->legacy_name))
            continue;
        const struct type *args[3];
        assert(row->arg_count <= 3);
        for (int k = 0; k < row->arg_count; k++)
            args[k] = type_native(row->args[k]);
        /* The result is named as the function was called. */
        struct function *function = candidate_add(candidates, name_is(name, row->name) ? row->name : row->legacy_name,
                                                  type_native(row->returns), args, (uint32_t)row->arg_count, row->body);
        function->data = row->data;
        function->is_pure = !row->varies;
    }
    for (size_t i = 0; i < ARRAY_SIZE(MATH); i++) {
        if (!name_is(name, MATH[i].name))
            continue;
        for (size_t k = 0; k <= ARRAY_SIZE(NUMERIC); k++) {
            const struct type *type = type_native(k < ARRAY_SIZE(NUMERIC) ? NUMERIC[k] : TYPE_COUNTER);

            candidate_add(candidates, MATH[i].name, type, &type, 1, MATH[i].body);
        }
    }
}

/* int_as_blob, blob_as_int and their older names, for each native type. */
static void add_blob_conversions(struct candidates *candidates, struct bytes name)
{
    static const char *const forms[4] = { "%s_as_blob", "%sasblob", "blob_as_%s", "blobas%s" };
    char form[48];

    for (size_t i = 0; i < ARRAY_SIZE(NATIVE); i++) {
        const struct type *type = type_native(NATIVE[i].kind), *blob = type_native(TYPE_BLOB);

        for (int k = 0; k < 4; k++) {
            /* In both spellings, in both directions. */
            snprintf(form, sizeof(form), forms[k], NATIVE[i].name);
            if (!name_is(name, form))
                continue;
            const char *kept = arena_string(candidates->arena, bytes_of_string(form));
            if (k < 2)
                candidate_add(candidates, kept, blob, &type, 1, body_same);
            else
                candidate_add(candidates, kept, type, &blob, 1, body_from_blob);
        }
    }
}

/* Which type cast_as_int, or castAsInt (which must be quoted), casts to: the place in NATIVE,
 * or its size if the name is none of these. */
static size_t named_cast(struct bytes name)
{
    char form[48];

    for (size_t i = 0; i < ARRAY_SIZE(NATIVE); i++) {
        snprintf(form, sizeof(form), "cast_as_%s", NATIVE[i].name);
        if (name_is(name, form))
            return i;
        snprintf(form, sizeof(form), "castAs%c%s", NATIVE[i].name[0] - 'a' + 'A', NATIVE[i].name + 1);
        if (name_is(name, form))
            return i;
    }
    return ARRAY_SIZE(NATIVE);
}

/* NULL: the function is no cast. */
const char *function_cast_target(struct bytes name)
{
    size_t i = named_cast(name);

    return i < ARRAY_SIZE(NATIVE) ? NATIVE[i].name : NULL;
}

/* One candidate for each type that can be cast; varchar is left out, as it is text once more. */
static void add_named_casts(struct candidates *candidates, struct bytes name)
{
    size_t i = named_cast(name);

    if (i == ARRAY_SIZE(NATIVE))
        return;
    const char *kept = arena_string(candidates->arena, name);
    for (size_t from = 0; from < ARRAY_SIZE(NATIVE); from++) {
        const struct type *type = type_native(NATIVE[from].kind);

        if (strcmp(NATIVE[from].name, "varchar") && NATIVE[from].kind != NATIVE[i].kind &&
            cast_is_possible(NATIVE[from].kind, NATIVE[i].kind))
            candidate_add(candidates, kept, type_native(NATIVE[i].kind), &type, 1, body_cast)->is_cast = true;
    }
}

/* ---- functions made for the types they are called with ---- */

/* Cassandra shows the parameters of such a function in its own notation, which `parameters`
 * is. */
static enum status wrong_count(const char *name, const char *parameters, struct error *err)
{
    return error_set(err, ERR_INVALID, "Invalid number of arguments for function system.%s(%s)", name, parameters);
}

/* What functions that are made for their arguments accept. */
static bool is_collection(const struct type *type)
{
    return type_is_collection(type);
}

static bool is_list_or_set(const struct type *type)
{
    return type->kind == TYPE_LIST || type->kind == TYPE_SET;
}

static bool is_numeric_list_or_set(const struct type *type)
{
    return is_list_or_set(type) && number_kind_is_numeric(type->params[0]->kind);
}

static bool is_map(const struct type *type)
{
    return type->kind == TYPE_MAP;
}

static bool is_float_vector(const struct type *type)
{
    return type->kind == TYPE_VECTOR && type->params[0]->kind == TYPE_FLOAT;
}

/* A type's name for a message. */
static const char *type_text(struct arena *arena, const struct type *type)
{
    struct buffer out = { 0 };

    type_print(&out, type, false);
    char *text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

static const struct {
    const char *name, *legacy_name;
    bool (*accepts)(const struct type *type);
    const char *what, *parameter;
    function_body body;
} COLLECTION[] = {
    { "map_keys", NULL, is_map, "a map", "map", body_map_keys },
    { "map_values", NULL, is_map, "a map", "map", body_map_values },
    { "collection_count", NULL, is_collection, "a collection", "collection", body_collection_count },
    { "collection_min", NULL, is_list_or_set, "a set or list", "numeric_set_or_list", body_collection_min },
    { "collection_max", NULL, is_list_or_set, "a set or list", "numeric_set_or_list", body_collection_max },
    { "collection_sum", NULL, is_numeric_list_or_set, "a numeric set/list", "numeric_set_or_list",
      body_collection_sum },
    { "collection_avg", NULL, is_numeric_list_or_set, "a numeric set/list", "numeric_set_or_list",
      body_collection_avg },
};

/* Such a function must know the type of its argument. parameters: as Cassandra writes those
 * of a function that is made for its arguments. */
static enum status cannot_infer(const struct function_argument *arg, const char *name, const char *parameters,
                                struct error *err)
{
    return error_set(
        err, ERR_INVALID,
        "Cannot infer type of argument %.*s in call to function system.%s(%s): use type casts to disambiguate",
        BYTES(arg->text), name, parameters);
}

/* map_keys and the collection_* functions: the result's type follows from the argument's. */
static enum status add_collection(struct candidates *candidates, struct bytes name,
                                  const struct function_argument *args, uint32_t count, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(COLLECTION); i++) {
        if (!name_is(name, COLLECTION[i].name))
            continue;
        if (count != 1)
            return wrong_count(COLLECTION[i].name, COLLECTION[i].parameter, err);
        const struct type *type = args[0].guess;
        if (!type)
            return cannot_infer(&args[0], COLLECTION[i].name, COLLECTION[i].parameter, err);
        /* What such a function takes stands in its row of the table. */
        if (!COLLECTION[i].accepts(type))
            return error_set(
                err, ERR_INVALID, "Function system.%s requires %s argument, but found argument %.*s of type %s",
                COLLECTION[i].name, COLLECTION[i].what, BYTES(args[0].text), type_text(candidates->arena, type));
        /* Elements for minimum, maximum, sum and average; the others follow. */
        const struct type *returns = type->params[0];
        if (COLLECTION[i].body == body_map_keys)
            returns = type_set(candidates->arena, type->params[0], true);
        else if (COLLECTION[i].body == body_map_values)
            returns = type_list(candidates->arena, type->params[1], true);
        else if (COLLECTION[i].body == body_collection_count)
            returns = type_native(TYPE_INT);
        candidate_add(candidates, COLLECTION[i].name, returns, &type, 1, COLLECTION[i].body);
    }
    return OK;
}

/* Checks a parameter that has one type in a function that is made for its arguments. */
static enum status check_fixed(const struct function_scope *scope, const struct function_argument *arg,
                               const struct type *wanted, const char *name, struct error *err)
{
    if (!arg->guess || type_equal(wanted, arg->guess) || type_is_value_compatible(wanted, arg->guess))
        return OK;
    return error_set(err, ERR_INVALID,
                     "Function system.%s requires an argument of type %s, but found argument %.*s of type %s", name,
                     type_text(scope->arena, wanted), BYTES(arg->text), type_text(scope->arena, arg->guess));
}

/* to_json takes anything, from_json gives whatever receives it: in a SELECT clause nothing
 * does. */
static enum status add_json(struct candidates *candidates, const struct function_scope *scope, struct bytes name,
                            const struct function_argument *args, uint32_t count, struct error *err)
{
    const struct type *text = type_native(TYPE_TEXT);

    if (name_is(name, "to_json") || name_is(name, "tojson")) {
        const char *shown = name_is(name, "to_json") ? "to_json" : "tojson";

        if (count != 1)
            return wrong_count(shown, "any", err);
        if (!args[0].guess)
            return cannot_infer(&args[0], shown, "any", err);
        candidate_add(candidates, shown, text, &args[0].guess, 1, body_to_json)->takes_null = true;
    }
    if (name_is(name, "from_json") || name_is(name, "fromjson")) {
        const char *shown = name_is(name, "from_json") ? "from_json" : "fromjson";

        if (count != 1)
            return wrong_count(shown, "text", err);
        enum status status = check_fixed(scope, &args[0], text, shown, err);
        if (status)
            return status;
        if (!scope->receiver)
            return error_set(err, ERR_INVALID, "%s() cannot be used in the selection clause of a SELECT statement",
                             shown);
        /* It parses whatever is to receive it. */
        candidate_add(candidates, shown, scope->receiver, &text, 1, body_from_json);
    }
    return OK;
}

/* A list literal may be a vector; a marker takes the type of the other argument. */
static enum status add_vector(struct candidates *candidates, const struct function_scope *scope, struct bytes name,
                              const struct function_argument *args, uint32_t count, struct error *err)
{
    static const char *const names[] = { "similarity_cosine", "similarity_euclidean", "similarity_dot_product" };

    for (int i = 0; i < 3; i++) {
        if (!name_is(name, names[i]))
            continue;
        if (count != 2)
            return wrong_count(names[i], "vector<float, n>, vector<float, n>", err);
        const struct type *types[2] = { NULL, NULL };
        /* What each argument says by itself; a list literal has as many dimensions as
         * elements. */
        for (int k = 0; k < 2; k++) {
            if (args[k].is_list && args[k].item_count == 0)
                return error_set(err, ERR_INVALID, "vectors may only have positive dimensions; given 0");
            types[k] = args[k].is_list   ? type_vector(scope->arena, type_native(TYPE_FLOAT), args[k].item_count)
                       : args[k].guess   ? args[k].guess
                       : scope->receiver ? scope->receiver
                                         : NULL;
        }
        for (int k = 0; k < 2; k++) {
            /* A marker is a vector like the other one. */
            if (!args[k].is_list && !args[k].guess && types[1 - k])
                types[k] = types[1 - k];
            if (!types[k])
                return cannot_infer(&args[k], names[i], "vector<float, n>, vector<float, n>", err);
            if (!is_float_vector(types[k]))
                return error_set(
                    err, ERR_INVALID,
                    "Function system.%s requires a float vector argument, but found argument %.*s of type %s", names[i],
                    BYTES(args[k].text), type_text(scope->arena, types[k]));
        }
        if (types[0]->dimension != types[1]->dimension)
            return error_set(err, ERR_INVALID, "All arguments must have the same vector dimensions");
        candidate_add(candidates, names[i], type_native(TYPE_FLOAT), types, 2, body_similarity)->data = i;
    }
    return OK;
}

/* mask_inner and mask_outer hide a part of a text: how many characters at its two ends are
 * shown, or hidden, and optionally behind which sign. */
static enum status add_mask_part(struct candidates *candidates, const struct function_scope *scope, const char *shown,
                                 bool inner, const struct function_argument *args, uint32_t count, struct error *err)
{
    const struct type *number = type_native(TYPE_INT), *text = type_native(TYPE_TEXT);
    enum status status = OK;

    if (count != 3 && count != 4)
        return wrong_count(shown, "[text|varchar|ascii], int, int, [text]", err);
    const struct type *types[4] = { args[0].guess ? args[0].guess : text, number, number, text };
    if (types[0]->kind != TYPE_TEXT && types[0]->kind != TYPE_ASCII)
        return error_set(
            err, ERR_INVALID,
            "Function system.%s requires an argument of type [text|varchar|ascii], but found argument %.*s of type %s",
            shown, BYTES(args[0].text), type_text(scope->arena, types[0]));
    for (uint32_t i = 1; i < count && !status; i++)
        status = check_fixed(scope, &args[i], types[i], shown, err);
    if (status)
        return status;
    struct function *function = candidate_add(candidates, shown, types[0], types, count, body_mask_part);
    function->takes_null = true;
    function->data = inner;
    return OK;
}

/* The mask_* functions keep the type of their first argument, except mask_hash, which gives a
 * blob. */
static enum status add_masks(struct candidates *candidates, const struct function_scope *scope, struct bytes name,
                             const struct function_argument *args, uint32_t count, struct error *err)
{
    const struct type *types[4] = { count ? args[0].guess : NULL };
    enum status status = OK;

    if (name.size < 5 || memcmp(name.data, "mask_", 5))
        return OK;
    char *shown = arena_string(scope->arena, name);
    bool inner = name_is(name, "mask_inner");

    if (name_is(name, "mask_null") || name_is(name, "mask_default")) {
        if (count != 1)
            return wrong_count(shown, "any", err);
        if (!types[0])
            return cannot_infer(&args[0], shown, "any", err);
        /* They are called with null, which they mask as well. */
        candidate_add(candidates, shown, types[0], types, 1,
                      name_is(name, "mask_null") ? body_mask_null : body_mask_default)
            ->takes_null = true;
    } else if (name_is(name, "mask_replace")) {
        if (count != 2)
            return wrong_count(shown, "any, any", err);
        /* A literal alone takes the type that receives the result. */
        types[1] = types[0] = types[0] ? types[0] : scope->receiver;
        if (!types[0])
            return cannot_infer(&args[0], shown, "any, any", err);
        candidate_add(candidates, shown, types[0], types, 2, body_mask_replace)->takes_null = true;
    } else if (inner || name_is(name, "mask_outer")) {
        return add_mask_part(candidates, scope, shown, inner, args, count, err);
    } else if (name_is(name, "mask_hash")) {
        if (count != 1 && count != 2)
            return wrong_count(shown, "any, [text]", err);
        if (!types[0])
            return cannot_infer(&args[0], shown, "any, [text]", err);
        types[1] = type_native(TYPE_TEXT);
        if (count == 2)
            status = check_fixed(scope, &args[1], types[1], shown, err);
        if (status)
            return status;
        candidate_add(candidates, shown, type_native(TYPE_BLOB), types, count, body_mask_hash)->takes_null = true;
    }
    return OK;
}

/* token() has the types of the table's partition key. */
static void add_token(struct candidates *candidates, const struct function_scope *scope, struct bytes name)
{
    const struct type *types[FUNCTION_ARGUMENTS_MAX];

    if (!name_is(name, "token") || !scope->table || scope->table->partition_key_count > FUNCTION_ARGUMENTS_MAX)
        return;
    for (uint32_t i = 0; i < scope->table->partition_key_count; i++)
        types[i] = scope->table->columns[i].type;
    candidate_add(candidates, "token", type_native(TYPE_BIGINT), types, scope->table->partition_key_count, body_token);
}

/* Aggregates have no body: SELECT adds up what they are given (query/aggregate.c). sum and
 * avg exist for numbers, the others for any type. */
static enum status add_aggregates(struct candidates *candidates, struct bytes name,
                                  const struct function_argument *args, uint32_t count, struct error *err)
{
    static const struct {
        const char *name;
        enum aggregate_kind kind;
    } names[] = { { "count", AGGREGATE_COUNT },
                  { "min", AGGREGATE_MIN },
                  { "max", AGGREGATE_MAX },
                  { "sum", AGGREGATE_SUM },
                  { "avg", AGGREGATE_AVG } };

    if (name_is(name, "countrows")) {
        candidate_add(candidates, "count", type_native(TYPE_BIGINT), NULL, 0, NULL)->aggregate = AGGREGATE_COUNT_ROWS;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!name_is(name, names[i].name))
            continue;
        /* One for each type of number; the argument chooses. */
        if (names[i].kind == AGGREGATE_SUM || names[i].kind == AGGREGATE_AVG) {
            for (size_t k = 0; k <= ARRAY_SIZE(NUMERIC); k++) {
                const struct type *type = type_native(k < ARRAY_SIZE(NUMERIC) ? NUMERIC[k] : TYPE_COUNTER);
                candidate_add(candidates, names[i].name, type, &type, 1, NULL)->aggregate = names[i].kind;
            }
            continue;
        }
        if (count != 1 && names[i].kind == AGGREGATE_COUNT)
            return error_set(err, ERR_INVALID,
                             "Invalid number of arguments in call to function system.count: 1 required but %u provided",
                             count);
        if (count != 1)
            return wrong_count(names[i].name, "any", err);
        const struct type *type = args[0].guess;
        /* count(null) has no type, and counts nothing. */
        if (!type && names[i].kind == AGGREGATE_COUNT && !args[0].is_marker)
            type = type_native(TYPE_BLOB); /* of null, which is not counted */
        if (!type)
            return cannot_infer(&args[0], names[i].name, "any", err);
        const struct type *returns = names[i].kind == AGGREGATE_COUNT ? type_native(TYPE_BIGINT) : type;
        candidate_add(candidates, names[i].name, returns, &type, 1, NULL)->aggregate = names[i].kind;
    }
    return OK;
}

/* ---- resolution ---- */

/* Whether an argument may be passed for a parameter of this type: exactly, weakly (its bytes
 * can be read so), perhaps, or not. */
static enum assignability argument_test(const struct function_argument *arg, const struct type *receiver)
{
    assert(receiver && (arg->type || arg->test));
    if (!arg->type)
        return arg->test(arg->context, receiver);
    if (type_equal(arg->type, receiver))
        return ASSIGNABLE_EXACTLY;
    /* Frozen or not does not matter for a value. */
    if (arg->type->kind == receiver->kind && arg->type->kind >= TYPE_LIST &&
        type_is_value_compatible(receiver, arg->type))
        return ASSIGNABLE_EXACTLY;
    return type_is_value_compatible(receiver, arg->type) ? ASSIGNABLE_WEAKLY : ASSIGNABLE_NOT;
}

/* A function fits as badly as its worst argument. */
static enum assignability function_test(const struct function *function, const struct function_argument *args,
                                        uint32_t count)
{
    enum assignability worst = ASSIGNABLE_EXACTLY;

    if (count != function->arg_count)
        return ASSIGNABLE_NOT;
    for (uint32_t i = 0; i < count; i++) {
        enum assignability one = argument_test(&args[i], function->arg_types[i]);

        if (one < worst)
            worst = one;
    }
    return worst;
}

/* As Cassandra prints a function in its messages. */
static void print_signature(struct buffer *out, const struct function *function)
{
    buffer_printf(out, "system.%.*s : (", BYTES(function->name));
    for (uint32_t i = 0; i < function->arg_count; i++) {
        if (i)
            buffer_append_string(out, ", ");
        type_print(out, function->arg_types[i], false);
    }
    buffer_append_string(out, ") -> ");
    type_print(out, function->return_type, false);
}

/* The candidates among which nothing could be chosen. */
static char *print_signatures(struct arena *arena, const struct function *const *list, uint32_t count)
{
    struct buffer out = { 0 };

    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buffer_append_string(&out, ", ");
        print_signature(&out, list[i]);
    }
    char *text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

/* Copies the chosen function out of the candidates, and notes if an argument fits it only
 * perhaps. */
static const struct function *keep(struct arena *arena, const struct function *from,
                                   const struct function_argument *args)
{
    struct function *function = arena_alloc(arena, sizeof(*function));

    assert(from->return_type);
    *function = *from;
    for (uint32_t i = 0; i < function->arg_count; i++)
        function->is_doubted |= argument_test(&args[i], function->arg_types[i]) == ASSIGNABLE_PERHAPS;
    return function;
}

/* With one candidate Cassandra says which argument is wrong. */
static enum status check_only(const struct function_scope *scope, const struct function *function,
                              const struct function_argument *args, uint32_t count, struct error *err)
{
    if (count != function->arg_count)
        return error_set(err, ERR_INVALID,
                         "Invalid number of arguments in call to function system.%.*s: %u required but %u provided",
                         BYTES(function->name), function->arg_count, count);
    for (uint32_t i = 0; i < count; i++)
        if (argument_test(&args[i], function->arg_types[i]) == ASSIGNABLE_NOT)
            return error_set(
                err, ERR_INVALID, "Type error: %.*s cannot be passed as argument %u of function system.%.*s of type %s",
                BYTES(args[i].text), i, BYTES(function->name), type_text(scope->arena, function->arg_types[i]));
    return OK;
}

/* Of several candidates that fit weakly the only one that gives exactly the receiver's type; NULL:
 * there is none, or more than one. */
static const struct function *fitting_receiver(const struct type *receiver, const struct function *const *weak,
                                               uint32_t count)
{
    const struct function *fit = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (!type_equal(weak[i]->return_type, receiver))
            continue;
        if (fit)
            return NULL;
        fit = weak[i];
    }
    return fit;
}

/* Chooses among candidates as Cassandra's FunctionResolver: the first whose arguments all fit
 * exactly; else the only one that fits weakly; else, of several, the only one that gives
 * exactly what receives it. */
static enum status choose(const struct function_scope *scope, struct candidates *candidates,
                          const struct function_argument *args, uint32_t count, const struct function **result,
                          struct error *err)
{
    const struct function **weak = arena_new_array(scope->arena, const struct function *, candidates->count),
                          **all = arena_new_array(scope->arena, const struct function *, candidates->count);
    uint32_t weak_count = 0;

    assert(candidates->count);
    if (candidates->count == 1) {
        enum status status = check_only(scope, &candidates->list[0], args, count, err);

        if (!status)
            *result = keep(scope->arena, &candidates->list[0], args);
        return status;
    }
    for (uint32_t i = 0; i < candidates->count; i++) {
        const struct type *returns = candidates->list[i].return_type;
        /* A function whose result nothing here could receive is no candidate. */
        bool fits = !scope->receiver || type_equal(scope->receiver, returns) ||
                    type_is_value_compatible(scope->receiver, returns);
        enum assignability test = fits ? function_test(&candidates->list[i], args, count) : ASSIGNABLE_NOT;

        all[i] = &candidates->list[i];
        /* A function without arguments fits exactly in any case, so it decides nothing. */
        if (test == ASSIGNABLE_EXACTLY && count) {
            *result = keep(scope->arena, all[i], args);
            return OK;
        }
        if (test != ASSIGNABLE_NOT)
            weak[weak_count++] = all[i];
    }
    if (weak_count == 0)
        return error_set(
            err, ERR_INVALID,
            "Invalid call to function %s%.*s, none of its type signatures match (known type signatures: %s)",
            all[0]->is_cast ? "system." : "", BYTES(all[0]->name),
            print_signatures(scope->arena, all, candidates->count));
    /* Several fit: one that gives exactly the receiver's type is meant. */
    if (weak_count > 1 && scope->receiver) {
        const struct function *fit = fitting_receiver(scope->receiver, weak, weak_count);

        if (fit) {
            *result = keep(scope->arena, fit, args);
            return OK;
        }
    }
    if (weak_count > 1)
        return error_set(
            err, ERR_INVALID,
            "Ambiguous call to function %s%.*s (can be matched by following signatures: %s): use type casts to disambiguate",
            weak[0]->is_cast ? "system." : "", BYTES(weak[0]->name), print_signatures(scope->arena, weak, weak_count));
    *result = keep(scope->arena, weak[0], args);
    return OK;
}

/* All functions of a name. What is added behind `fixed` was made for the arguments, and fits
 * weakly. */
static enum status find_candidates(const struct function_scope *scope, struct bytes name,
                                   const struct function_argument *args, uint32_t count, struct candidates *candidates,
                                   struct error *err)
{
    enum status status;

    assert(!candidates->count);
    add_fixed(candidates, name);
    add_blob_conversions(candidates, name);
    add_named_casts(candidates, name);
    add_token(candidates, scope, name);
    /* The rest is made for the arguments at hand. */
    uint32_t fixed = candidates->count;
    status = add_collection(candidates, name, args, count, err);
    if (!status)
        status = add_json(candidates, scope, name, args, count, err);
    if (!status)
        status = add_vector(candidates, scope, name, args, count, err);
    if (!status)
        status = add_masks(candidates, scope, name, args, count, err);
    if (!status)
        status = add_aggregates(candidates, name, args, count, err);
    for (uint32_t i = fixed; i < candidates->count; i++)
        candidates->list[i].is_made = true;
    return status;
}

/* *result NULL and OK: there is no function of that name; the caller has the words for it. */
enum status function_resolve(const struct function_scope *scope, struct bytes name,
                             const struct function_argument *args, uint32_t count, const struct function **result,
                             struct error *err)
{
    struct candidates candidates = { .arena = scope->arena };
    enum status status = find_candidates(scope, name, args, count, &candidates, err);

    assert(count <= FUNCTION_ARGUMENTS_MAX);
    *result = NULL;
    if (!status && candidates.count)
        status = choose(scope, &candidates, args, count, result, err);
    assert(status || !*result || (*result)->arg_count == count);
    return status;
}

/* A function that is not one of several: operators, negation, casts. */
static struct function *make_function(struct arena *arena, const char *name, const struct type *returns,
                                      const struct type *const *args, uint32_t count, function_body body)
{
    struct function *function = arena_new_struct(arena, struct function);

    assert(body);
    *function = function_of(arena, name, returns, args, count, body);
    return function;
}

/* Results name operators so; "_substract" is Cassandra's spelling. */
static struct function *make_operator(const struct function_scope *scope, char op, const struct type *returns,
                                      const struct type *const args[2], function_body body)
{
    const char *name = op == '+'   ? "_add"
                       : op == '-' ? "_substract"
                       : op == '*' ? "_multiply"
                       : op == '/' ? "_divide"
                                   : "_modulo";
    assert(strchr("+-*/%", op) && op);
    struct function *function = make_function(scope->arena, name, returns, args, 2, body);

    function->is_operator = true;
    function->data = op;
    return function;
}

static const char *argument_text(struct arena *arena, const struct function_argument *arg)
{
    return arena_string(arena, arg->text);
}

/* Both operands may be of several types. */
static enum status ambiguous(const struct function_scope *scope, char op, const struct function_argument args[2],
                             struct error *err)
{
    return error_set(err, ERR_INVALID,
                     "Ambiguous '%c' operation with args %s and %s: use type hint to disambiguate, example '(int) ?'",
                     op, argument_text(scope->arena, &args[0]), argument_text(scope->arena, &args[1]));
}

/* What stands beside an operator: numbers, texts, times. */
enum { OPERAND_NUMBERS = 9, OPERANDS = 14 };
static const enum type_kind OPERAND[OPERANDS] = {
    TYPE_TINYINT, TYPE_SMALLINT, TYPE_INT,   TYPE_BIGINT, TYPE_FLOAT, TYPE_DOUBLE,    TYPE_VARINT,
    TYPE_DECIMAL, TYPE_COUNTER,  TYPE_ASCII, TYPE_TEXT,   TYPE_DATE,  TYPE_TIMESTAMP, TYPE_DURATION,
};

/* The type of `left op right`, TYPE_CUSTOM: there is no such operation. */
static enum type_kind operation_kind(char op, enum type_kind left, enum type_kind right)
{
    bool is_text = (left == TYPE_TEXT || left == TYPE_ASCII) && (right == TYPE_TEXT || right == TYPE_ASCII);

    if (is_text && op == '+')
        return left == TYPE_ASCII ? right : left;
    if ((left == TYPE_TIMESTAMP || left == TYPE_DATE) && right == TYPE_DURATION && (op == '+' || op == '-'))
        return left;
    /* TYPE_CUSTOM, unless both are numbers. */
    return number_result_kind(left, right);
}

/* Which body computes it; operation_kind has said that there is one. */
static function_body operation_body(enum type_kind left, enum type_kind right)
{
    if (right == TYPE_DURATION)
        return body_add_duration;
    return number_result_kind(left, right) == TYPE_CUSTOM ? body_concatenate : body_arithmetic;
}

/* Would the result fit what receives it? */
static bool may_give(const struct function_scope *scope, const struct type *type)
{
    return !scope->receiver || type_equal(scope->receiver, type) || type_is_value_compatible(scope->receiver, type);
}

/* What is tried for an operator. */
struct operands {
    enum assignability tests[2][OPERANDS];
    const struct type *types[2]; /* of the operation that was chosen */
    uint32_t possible;           /* how many there were; 1 as well when one of them stands out */
    bool has_marker;
};

/* As Cassandra chooses among functions: the one whose arguments are exactly those; the only one; with a receiver and no markers, the one whose
 * arguments are both of the receiver's type. */
static void choose_operation(struct operands *operands, const struct function_scope *scope, char op,
                             enum assignability least)
{
    bool has_own = false;

    operands->possible = 0;
    for (int i = 0; i < OPERANDS; i++) {
        for (int k = 0; k < OPERANDS; k++) {
            const struct type *left = type_native(OPERAND[i]), *right = type_native(OPERAND[k]);
            enum type_kind kind = operation_kind(op, left->kind, right->kind);

            /* Skips pairs that an operand does not fit, that have no operation, or whose
             * result is not wanted. */
            if (operands->tests[0][i] < least || operands->tests[1][k] < least || kind == TYPE_CUSTOM ||
                !may_give(scope, type_native(kind)))
                continue;
            bool is_exact = operands->tests[0][i] == ASSIGNABLE_EXACTLY && operands->tests[1][k] == ASSIGNABLE_EXACTLY;
            /* Both operands of the receiver's type: int_column = 1 + 2 is an addition of
             * ints. */
            bool is_own = i == k && scope->receiver && !operands->has_marker && type_equal(scope->receiver, left);
            if (!operands->possible++ || is_exact || is_own) {
                operands->types[0] = left;
                operands->types[1] = right;
            }
            has_own |= is_own;
            if (is_exact || (has_own && operands->possible > 1))
                operands->possible = 1;
            if (is_exact)
                return;
        }
    }
}

/* Tries all pairs of operand types. If none fits weakly, those count that fit perhaps: an
 * operand is a call that is wrong by itself, whose own error is to be told when it is
 * compiled. */
enum status function_resolve_operator(const struct function_scope *scope, char op,
                                      const struct function_argument args[2], const struct function **result,
                                      struct error *err)
{
    struct operands operands = { .has_marker = args[0].is_marker || args[1].is_marker };
    bool is_doubted = false;

    /* Each operand is asked once for each type: the pairs only combine the answers. */
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < OPERANDS; i++)
            operands.tests[side][i] = argument_test(&args[side], type_native(OPERAND[i]));
    /* First without operands that fit only perhaps. */
    choose_operation(&operands, scope, op, ASSIGNABLE_WEAKLY);
    if (!operands.possible) {
        is_doubted = true;
        choose_operation(&operands, scope, op, ASSIGNABLE_PERHAPS);
    }
    if (!operands.possible)
        return error_set(err, ERR_INVALID, "the '%c' operation is not supported between %s and %s", op,
                         argument_text(scope->arena, &args[0]), argument_text(scope->arena, &args[1]));
    if (operands.possible > 1 && !is_doubted)
        return ambiguous(scope, op, args, err);
    assert(operands.types[0] && operands.types[1]);
    enum type_kind left = operands.types[0]->kind, right = operands.types[1]->kind;
    struct function *function = make_operator(scope, op, type_native(operation_kind(op, left, right)), operands.types,
                                              operation_body(left, right));
    function->is_doubted = is_doubted;
    *result = function;
    return OK;
}

/* How many types of number the negation may have. *type is the first of them, or the one that
 * is exactly the argument's: then it is the only one. */
static uint32_t choose_negation(const struct function_scope *scope, const struct function_argument *arg,
                                enum assignability least, const struct type **type)
{
    uint32_t possible = 0;

    for (int i = 0; i < OPERAND_NUMBERS; i++) {
        const struct type *one = type_native(OPERAND[i]);
        enum assignability test = may_give(scope, one) ? argument_test(arg, one) : ASSIGNABLE_NOT;

        if (test == ASSIGNABLE_NOT || test < least)
            continue;
        /* The first stays, unless one is exact. */
        if (test == ASSIGNABLE_EXACTLY || !possible++)
            *type = one;
        if (test == ASSIGNABLE_EXACTLY)
            return 1;
    }
    return possible;
}

/* -x keeps the type of x. */
enum status function_resolve_negation(const struct function_scope *scope, const struct function_argument *arg,
                                      const struct function **result, struct error *err)
{
    const struct type *type = NULL;
    uint32_t possible = choose_negation(scope, arg, ASSIGNABLE_WEAKLY, &type);
    bool is_doubted = !possible && choose_negation(scope, arg, ASSIGNABLE_PERHAPS, &type);

    if (!type && (arg->type || scope->receiver))
        return error_set(err, ERR_INVALID, "the '-' operation is not supported on %s",
                         type_text(scope->arena, arg->type ? arg->type : scope->receiver));
    if (possible != 1 && !is_doubted)
        return error_set(err, ERR_INVALID, "Ambiguous negation: use type casts to disambiguate");
    assert(type);
    struct function *function = make_function(scope->arena, "_negate", type, &type, 1, body_negate);
    function->is_operator = true;
    function->is_doubted = is_doubted;
    *result = function;
    return OK;
}

/* What a value is read as before it is cast. Cassandra takes a time for its milliseconds where
 * the type behind AS is a whole number of that size or more, and a bigint for such a time where it
 * is a date. */
static const struct type *cast_from(const struct type *from, const struct type *to)
{
    if (from->kind == TYPE_TIMESTAMP && (to->kind == TYPE_BIGINT || to->kind == TYPE_VARINT))
        return type_native(TYPE_BIGINT);
    if (from->kind == TYPE_BIGINT && to->kind == TYPE_DATE)
        return type_native(TYPE_TIMESTAMP);
    return from;
}

/* CAST (x AS t). Between equal types it changes nothing. */
enum status function_resolve_cast(const struct function_scope *scope, const struct type *from, const struct type *to,
                                  struct bytes text, const struct function **result, struct error *err)
{
    assert(from && to);
    from = cast_from(from, to);
    if (!type_equal(from, to) && !cast_is_possible(from->kind, to->kind)) {
        /* To a type that casts lead to, the words are those of a call to castAs...: it knows other arguments. */
        const char *target = arena_printf(scope->arena, "cast_as_%s", type_text(scope->arena, to));
        struct function_argument arg = { .type = from, .guess = from, .text = text };
        enum status status = function_resolve(scope, bytes_of_string(target), &arg, 1, result, err);

        if (status)
            return status;
        return error_set(err, ERR_INVALID, "%.*s cannot be cast to %s", BYTES(text), type_text(scope->arena, to));
    }
    struct function *function =
        make_function(scope->arena, "cast", to, &from, 1, type_equal(from, to) ? body_same : body_cast);
    function->is_cast = true;
    *result = function;
    return OK;
}

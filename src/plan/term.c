/* Terms of the AST become typed expressions. A term is compiled against a receiver (a column,
 * a function's parameter, "[ttl]"), because CQL's literals and markers have no type of their
 * own: 1 may be an int, a decimal or a counter's increment. So each kind of term has two
 * functions: one that tests what it may be assigned to (term_test), by which functions are
 * chosen and errors worded, and one that compiles it. What is constant is computed while
 * compiling.
 *
 * Testing a call tests its arguments, which may be calls: it would multiply with nesting. So
 * what was found for a call is remembered (call_memo), and the number and depth of calls are
 * bounded. Source: org.apache.cassandra.cql3 (Constants, Lists, Sets, Maps, Tuples,
 * UserTypes, Vectors, FunctionCall), release 5.0. */
#include "plan/term.h"

#include "cql/print.h"
#include "types/number.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { CALLS_MAX = 4000, CALL_DEPTH_MAX = 200 };

/* User types must be shown with their keyspace. */
static bool has_udt(const struct type *type)
{
    if (type->kind == TYPE_UDT)
        return true;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (has_udt(type->params[i]))
            return true;
    return false;
}

/* Prints a type hint as it was written, except that user types have their keyspace. The
 * planner's error is kept: a type that does not resolve is not this function's to report. */
void term_print_hint(struct planner *planner, struct buffer *out, const struct term *term)
{
    struct error kept = *planner->err;
    const struct type *type;
    enum status status = term_resolve_type(
        planner, term->type, planner->table ? planner->table->keyspace : planner->session_keyspace, &type);

    *planner->err = kept;
    buffer_append_string(out, "(");
    if (!status && has_udt(type))
        type_print(out, type, true);
    else
        cql_print_type(out, term->type);
    buffer_append_string(out, ")");
}

struct bytes term_text(struct planner *planner, const struct term *term)
{
    struct buffer out = { 0 };

    if (term->kind == TERM_HINT) { /* as Cassandra words it, without a space */
        term_print_hint(planner, &out, term);
        term = term->items[0];
    }
    cql_print_term(&out, term);
    return buffer_to_arena(planner->arena, &out);
}

/* key(m), value(m), idx(l): how Cassandra names what receives a part of a column. Drivers are
 * told it as the name of a marker that stands there. */
struct receiver receiver_of(struct arena *arena, const char *prefix, struct bytes name, const struct type *type)
{
    return (struct receiver){ bytes_of_string(arena_printf(arena, "%s(%.*s)", prefix, BYTES(name))), type };
}

/* "in(name)" is how Cassandra names the marker of IN ?. */
struct receiver receiver_of_in(struct arena *arena, struct bytes name, const struct type *type)
{
    struct receiver in = receiver_of(arena, "in", name, type_list(arena, type, false));

    assert(type);
    in.is_list_of_in = true;
    return in;
}

/* As Cassandra's Constants.Type names them. */
const char *literal_kind_name(enum literal_kind kind)
{
    switch (kind) {
    case LITERAL_STRING: return "STRING";
    case LITERAL_INTEGER: return "INTEGER";
    case LITERAL_FLOAT: return "FLOAT";
    case LITERAL_BOOLEAN: return "BOOLEAN";
    case LITERAL_UUID: return "UUID";
    case LITERAL_HEX: return "HEX";
    case LITERAL_DURATION: return "DURATION";
    }
    return "";
}

/* ---- types ---- */

/* The type that a written type means: user types are looked up, and elements are frozen,
 * since values in a term are. `keyspace` is where user types without one are looked for. */
enum status term_resolve_type(struct planner *planner, const struct cql_type *written, struct bytes keyspace,
                              const struct type **result)
{
    const struct type **params = arena_new_array(planner->arena, const struct type *, written->param_count + 1);
    const struct type *type = NULL;

    for (uint32_t i = 0; i < written->param_count; i++) {
        enum status status = term_resolve_type(planner, written->params[i], keyspace, &params[i]);

        if (status)
            return status;
        if (written->kind != TYPE_TUPLE)
            params[i] = type_freeze(planner->arena, params[i]);
    }
    assert(written->kind != TYPE_MAP || written->param_count == 2);
    switch (written->kind) {
    case TYPE_LIST: type = type_list(planner->arena, params[0], written->frozen); break;
    case TYPE_SET: type = type_set(planner->arena, params[0], written->frozen); break;
    case TYPE_MAP: type = type_map(planner->arena, params[0], params[1], written->frozen); break;
    case TYPE_TUPLE: type = type_tuple(planner->arena, params, written->param_count); break;
    case TYPE_VECTOR: type = type_vector(planner->arena, params[0], written->dimension); break;
    case TYPE_UDT: {
        struct bytes where = bytes_is_null(written->name.keyspace) ? keyspace : written->name.keyspace;

        if (!bytes_is_null(where))
            type = schema_type(planner->schema, where, written->name.name);
        if (!type)
            return error_set(planner->err, ERR_INVALID, "Unknown type %.*s.%.*s", BYTES(where),
                             BYTES(written->name.name));
        type = type_copy(planner->arena, type);
        if (written->frozen)
            type = type_freeze(planner->arena, type);
        break;
    }
    case TYPE_CUSTOM: return error_set(planner->err, ERR_INVALID, "Custom types are not supported yet");
    default: type = type_native(written->kind); break;
    }
    *result = type;
    return OK;
}

/* ---- what a term may be assigned to ---- */

/* No byte above 127. */
static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] & 0x80)
            return false;
    return true;
}

/* Does the double nearest to the literal print as the same number? Else Cassandra takes it
 * for a decimal. */
static bool is_a_double(struct bytes text)
{
    struct buffer given = { 0 }, printed = { 0 }, nearest = { 0 };
    double real;
    bool is_same = true;

    if (decimal_parse(&given, text) && double_parse(text, &real)) { /* neither NaN nor infinite as written */
        double_print(&printed, real);
        is_same = decimal_parse(&nearest, buffer_bytes(&printed)) &&
                  decimal_compare(buffer_bytes(&given), buffer_bytes(&nearest)) == 0;
    }
    buffer_fini(&given);
    buffer_fini(&printed);
    buffer_fini(&nearest);
    return is_same;
}

/* The type that a constant would have if nothing asked for another: the least integer type
 * from int on that holds it, double or decimal, ascii or text. Functions are chosen by it.
 * Examples: 1 is an int, 3000000000 a bigint, 1.5 a double, 'a' ascii. */
static enum type_kind preferred_kind(const struct term *term)
{
    struct bytes text = term->literal.text;

    switch (term->literal.kind) {
    /* ascii where it can be: it is the narrower type. */
    case LITERAL_STRING: return is_ascii(text) ? TYPE_ASCII : TYPE_TEXT;
    case LITERAL_INTEGER: {
        char copy[24];

        /* More digits than any bigint has. */
        if (text.size > 20)
            return TYPE_VARINT;
        snprintf(copy, sizeof(copy), "%.*s", BYTES(text));
        /* Twenty digits may pass 64 bits. */
        __int128 v = 0;
        for (const char *at = copy + (copy[0] == '-'); *at; at++)
            v = v * 10 + (*at - '0');
        if (copy[0] == '-')
            v = -v;
        return v >= INT32_MIN && v <= INT32_MAX   ? TYPE_INT
               : v >= INT64_MIN && v <= INT64_MAX ? TYPE_BIGINT
                                                  : TYPE_VARINT;
    }
    case LITERAL_FLOAT: return is_a_double(text) ? TYPE_DOUBLE : TYPE_DECIMAL;
    case LITERAL_BOOLEAN: return TYPE_BOOLEAN;
    /* The version of a uuid stands in its 15th character. */
    case LITERAL_UUID: return text.size > 14 && text.data[14] == '1' ? TYPE_TIMEUUID : TYPE_UUID;
    case LITERAL_HEX: return TYPE_BLOB;
    case LITERAL_DURATION: return TYPE_DURATION;
    }
    return TYPE_CUSTOM;
}

/* ---- calls that were looked at ---- */

/* What a call means depends on what receives it and on what its arguments may mean. That is
 * asked again and again while functions are chosen, so each answer is found once. */
struct call_memo {
    const struct term *term;
    const struct function_argument *args;
    const struct type *natural; /* NULL: none by itself */
    bool natural_is_known;
    uint8_t
        tests[TYPE_EMPTY + 1]; /* by the native type that would receive it: an assignability and one; 0: not known */
};

/* The place of a term in an open hash table, or the free place where it goes. Terms are told
 * apart by their addresses, so the hash is of the address. */
static size_t memo_place(struct call_memo *const *memos, uint32_t capacity, const struct term *term)
{
    size_t at = ((uintptr_t)term >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32;

    assert(capacity && !(capacity & (capacity - 1)));
    while (memos[at & (capacity - 1)] && memos[at & (capacity - 1)]->term != term)
        at++;
    return at & (capacity - 1);
}

/* The memo of a term, a new one if it has none. The table grows at half full. */
static struct call_memo *memo_of(struct planner *planner, const struct term *term)
{
    enum { FIRST = 16 };
    struct call_memo **memos = planner->memos, *memo;
    uint32_t capacity = planner->memo_capacity;

    if (planner->memo_count >= capacity / 2) {
        capacity = capacity ? capacity * 2 : FIRST;
        memos = arena_new_array(planner->arena, struct call_memo *, capacity);
        for (uint32_t i = 0; i < planner->memo_capacity; i++)
            if (planner->memos[i])
                memos[memo_place(memos, capacity, planner->memos[i]->term)] = planner->memos[i];
        planner->memos = memos;
        planner->memo_capacity = capacity;
    }
    size_t at = memo_place(memos, capacity, term);
    assert(planner->memo_count < planner->memo_capacity); /* a place stays free: looking ends */
    if (memos[at])
        return memos[at];
    memo = memos[at] = arena_new_struct(planner->arena, struct call_memo);
    planner->memo_count++;
    memo->term = term;
    return memo;
}

static enum status resolve_call(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                const struct function **function);

static enum assignability test_type(const struct type *type, const struct type *receiver);

/* What a call may be assigned to, by resolving it. A call that cannot be resolved is taken
 * perhaps: its own error is the better one, and comes when it is compiled. The planner's
 * error is put back. */
static enum assignability ask_call(struct planner *planner, const struct term *term, const struct type *type)
{
    struct receiver receiver = { bytes_of("", 0), type };
    const struct function *function = NULL;
    struct error kept = *planner->err;

    if (resolve_call(planner, term, &receiver, &function)) {
        *planner->err = kept;
        return ASSIGNABLE_PERHAPS;
    }
    /* Unknown functions, too: the error that names them comes later. */
    if (!function || function->is_doubted)
        return ASSIGNABLE_PERHAPS;
    return function->is_made ? ASSIGNABLE_WEAKLY : test_type(function->return_type, type);
}

/* Remembers answers by native type; other types are asked each time. */
static enum assignability test_call(struct planner *planner, const struct term *term, const struct type *type)
{
    struct call_memo *memo;
    enum assignability result;

    if (type->kind == TYPE_CUSTOM || type->kind > TYPE_EMPTY)
        return ask_call(planner, term, type);
    memo = memo_of(planner, term);
    if (memo->tests[type->kind])
        return memo->tests[type->kind] - 1;
    result = ask_call(planner, term, type);
    assert(result <= ASSIGNABLE_EXACTLY);
    memo->tests[type->kind] = (uint8_t)(result + 1);
    return result;
}

/* ---- what a term is by itself ---- */

/* Assignabilities are ordered, the worst first. */
static enum assignability worst_of(enum assignability a, enum assignability b)
{
    return a < b ? a : b;
}

/* A collection fits as badly as its worst element. */
static enum assignability test_items(struct planner *planner, const struct term *term, const struct type *element)
{
    enum assignability worst = ASSIGNABLE_EXACTLY;

    for (uint32_t i = 0; i < term->item_count; i++)
        worst = worst_of(worst, term_test(planner, term->items[i], element));
    return worst;
}

/* NULL: the term has no type of its own, so it fits anything weakly. */
static enum assignability test_type(const struct type *type, const struct type *receiver)
{
    assert(receiver);
    if (!type)
        return ASSIGNABLE_WEAKLY;
    if (type_equal(type, receiver))
        return ASSIGNABLE_EXACTLY;
    return type_is_value_compatible(receiver, type) ? ASSIGNABLE_WEAKLY : ASSIGNABLE_NOT;
}

/* As a list, or as a vector of as many elements. */
static enum assignability test_list(struct planner *planner, const struct term *term, const struct type *type)
{
    if (type->kind == TYPE_VECTOR && type->dimension != term->item_count)
        return ASSIGNABLE_NOT;
    if (type->kind != TYPE_LIST && type->kind != TYPE_VECTOR)
        return ASSIGNABLE_NOT;
    return term->item_count ? test_items(planner, term, type->params[0]) : ASSIGNABLE_WEAKLY;
}

/* Keys and values alternate, in the term as in the type's parameters. */
static enum assignability test_map(struct planner *planner, const struct term *term, const struct type *type)
{
    enum assignability worst = ASSIGNABLE_EXACTLY;

    if (type->kind != TYPE_MAP)
        return ASSIGNABLE_NOT;
    for (uint32_t i = 0; i < term->item_count; i++)
        worst = worst_of(worst, term_test(planner, term->items[i], type->params[i % 2]));
    return worst;
}

/* Each field that is written must be one of the type's, and fit it. */
static enum assignability test_udt(struct planner *planner, const struct term *term, const struct type *type)
{
    if (type->kind != TYPE_UDT)
        return ASSIGNABLE_NOT;
    for (uint32_t i = 0; i < term->item_count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < type->param_count && !found; k++)
            found = bytes_equal(type->field_names[k], term->field_names[i]) &&
                    term_test(planner, term->items[i], type->params[k]) != ASSIGNABLE_NOT;
        if (!found)
            return ASSIGNABLE_NOT;
    }
    return ASSIGNABLE_WEAKLY;
}

/* A tuple may be shorter than its type: what is left out is null. */
static enum assignability test_tuple(struct planner *planner, const struct term *term, const struct type *type)
{
    enum assignability worst = ASSIGNABLE_EXACTLY;

    if (type->kind != TYPE_TUPLE || term->item_count > type->param_count)
        /* (x) may be a tuple of one, or x in parentheses. */
        return term->item_count == 1 ? term_test(planner, term->items[0], type) : ASSIGNABLE_NOT;
    for (uint32_t i = 0; i < term->item_count; i++)
        worst = worst_of(worst, term_test(planner, term->items[i], type->params[i]));
    return worst;
}

/* What a term may be assigned to. It never fails: what is wrong inside is found when it is
 * compiled. */
enum assignability term_test(struct planner *planner, const struct term *term, const struct type *type)
{
    switch (term->kind) {
    case TERM_LITERAL:
        /* Collections, UDTs and vectors have no constants. */
        if (type->kind >= TYPE_LIST && type->kind != TYPE_TUPLE)
            return ASSIGNABLE_NOT;
        if (type->kind == preferred_kind(term))
            return ASSIGNABLE_EXACTLY;
        return value_literal_is_assignable(type, term->literal.kind) ? ASSIGNABLE_WEAKLY : ASSIGNABLE_NOT;
    case TERM_NULL: return type->kind == TYPE_COUNTER ? ASSIGNABLE_NOT : ASSIGNABLE_WEAKLY;
    case TERM_MARKER: return ASSIGNABLE_WEAKLY;
    case TERM_LIST: return test_list(planner, term, type);
    /* {} may be an empty set or an empty map. */
    case TERM_SET:
        if (term->item_count == 0)
            return type->kind == TYPE_SET || type->kind == TYPE_MAP ? ASSIGNABLE_WEAKLY : ASSIGNABLE_NOT;
        return type->kind == TYPE_SET ? test_items(planner, term, type->params[0]) : ASSIGNABLE_NOT;
    case TERM_MAP: return test_map(planner, term, type);
    case TERM_UDT: return test_udt(planner, term, type);
    case TERM_TUPLE: return test_tuple(planner, term, type);
    case TERM_FUNCTION:
    case TERM_NEGATE:
    case TERM_OPERATION: return test_call(planner, term, type);
    default: return test_type(term_natural_type(planner, term), type);
    }
}

/* What resolve.c hands back when it asks about an argument. */
struct argument_context {
    struct planner *planner;
    const struct term *term;
};

static enum assignability test_argument(const void *context, const struct type *receiver)
{
    const struct argument_context *argument = context;

    return term_test(argument->planner, argument->term, receiver);
}

/* The type that all of several terms may be read as; NULL: there is none. `step` 2: the keys
 * or the values of a map. */
static const struct type *common_type(struct planner *planner, const struct term *term, uint32_t first, uint32_t step,
                                      bool is_selected)
{
    const struct type *common = NULL;

    assert(step);
    for (uint32_t i = first; i < term->item_count; i += step) {
        const struct type *type = term_guess_type(planner, term->items[i], is_selected);

        if (!type || (common && test_type(type, common) != ASSIGNABLE_NOT))
            continue;
        /* Neither can be read as the other. */
        if (common && test_type(common, type) == ASSIGNABLE_NOT)
            return NULL;
        common = type;
    }
    return common;
}

static const struct type *guess_tuple(struct planner *planner, const struct term *term, bool is_selected)
{
    const struct type **fields = arena_new_array(planner->arena, const struct type *, term->item_count);

    for (uint32_t i = 0; i < term->item_count; i++)
        if (!(fields[i] = term_guess_type(planner, term->items[i], is_selected)))
            return NULL;
    return type_tuple(planner->arena, fields, term->item_count);
}

/* The type that a term would have where nothing asks for another. Cassandra guesses less
 * where a literal could mean something else: a list could be a vector, a selected map a user
 * type. */
const struct type *term_guess_type(struct planner *planner, const struct term *term, bool is_selected)
{
    const struct type *key, *value;

    switch (term->kind) {
    case TERM_LITERAL: return type_native(preferred_kind(term));
    case TERM_LIST: /* elsewhere it may be a vector as well */
        value = is_selected ? common_type(planner, term, 0, 1, is_selected) : NULL;
        return value ? type_list(planner->arena, value, true) : NULL;
    case TERM_SET:
        value = common_type(planner, term, 0, 1, is_selected);
        return value ? type_set(planner->arena, value, true) : NULL;
    case TERM_MAP: /* selected it may be a user type as well */
        key = is_selected ? NULL : common_type(planner, term, 0, 2, is_selected);
        value = key ? common_type(planner, term, 1, 2, is_selected) : NULL;
        return value ? type_map(planner->arena, key, value, true) : NULL;
    case TERM_TUPLE:
        if (term->item_count == 1)
            return term_guess_type(planner, term->items[0], is_selected);
        return is_selected ? guess_tuple(planner, term, is_selected) : NULL;
    default: return term_natural_type(planner, term);
    }
}

/* The type that nothing changes. A call has none: its type may depend on what receives it. */
static const struct type *exact_type(struct planner *planner, const struct term *term)
{
    switch (term->kind) {
    case TERM_FUNCTION:
    case TERM_NEGATE:
    case TERM_OPERATION: return NULL;
    case TERM_TUPLE: return term->item_count == 1 ? exact_type(planner, term->items[0]) : NULL;
    default: return term_natural_type(planner, term);
    }
}

/* A call's arguments as resolve.c asks for them, made once for each call. */
static const struct function_argument *make_arguments(struct planner *planner, const struct term *term)
{
    struct call_memo *memo = memo_of(planner, term);

    if (memo->args)
        return memo->args;
    struct function_argument *args = arena_new_array(planner->arena, struct function_argument, term->item_count + 1);
    for (uint32_t i = 0; i < term->item_count; i++) {
        struct argument_context *context = arena_new_struct(planner->arena, struct argument_context);

        *context = (struct argument_context){ planner, term->items[i] };
        args[i] = (struct function_argument){
            .type = exact_type(planner, term->items[i]),
            .guess = term_guess_type(planner, term->items[i], false),
            .text = term_text(planner, term->items[i]),
            .is_marker = term->items[i]->kind == TERM_MARKER,
            .test = test_argument,
            .context = context,
        };
    }
    memo->args = args;
    return args;
}

/* An operator, a negation, or a function by name. Only functions of the keyspace system
 * exist. */
static enum status resolve_arguments(struct planner *planner, const struct term *term,
                                     const struct function_scope *scope, const struct function_argument *args,
                                     const struct function **function)
{
    switch (term->kind) {
    case TERM_NEGATE: return function_resolve_negation(scope, &args[0], function, planner->err);
    case TERM_OPERATION: return function_resolve_operator(scope, term->op, args, function, planner->err);
    default:
        if (!bytes_is_null(term->function.keyspace) && !bytes_equal(term->function.keyspace, BYTES_LITERAL("system"))) {
            *function = NULL;
            return OK;
        }
        return function_resolve(scope, term->function.name, args, term->item_count, function, planner->err);
    }
}

/* Finds the function of a call. receiver NULL: it is not known. call_depth and calls bound
 * the work: a call in a call in a call is tried for each candidate of each. */
static enum status resolve_call(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                const struct function **function)
{
    struct function_scope scope = {
        .arena = planner->arena,
        .receiver = receiver ? receiver->type : NULL,
        .receiver_name = receiver ? receiver->name : bytes_of(NULL, 0),
        .table = planner->table,
    };
    if (term->item_count > FUNCTION_ARGUMENTS_MAX)
        return error_set(planner->err, ERR_INVALID, "Too many arguments");
    /* What a call means depends on what its arguments may mean: trying that nests, and multiplies. */
    if (!planner->call_depth)
        planner->calls = 0;
    if (planner->call_depth >= CALL_DEPTH_MAX || ++planner->calls > CALLS_MAX) {
        planner->calls = CALLS_MAX + 1; /* whoever asked sees it too */
        return error_set(planner->err, ERR_INVALID, "The nesting of calls is too complex");
    }
    assert(planner->calls <= CALLS_MAX);
    planner->call_depth++;
    const struct function_argument *args = make_arguments(planner, term);
    assert(planner->call_depth <= CALL_DEPTH_MAX);
    enum status status = resolve_arguments(planner, term, &scope, args, function);
    planner->call_depth--;
    assert(status || !*function || (*function)->return_type);
    if (planner->calls > CALLS_MAX)
        return error_set(planner->err, ERR_INVALID, "The nesting of calls is too complex");
    return status;
}

/* The type of a call by itself. Its errors are left for when it is compiled. */
static const struct type *natural_type_of_call(struct planner *planner, const struct term *term)
{
    struct call_memo *memo = memo_of(planner, term);
    const struct function *function = NULL;
    struct error kept = *planner->err;

    if (!memo->natural_is_known) {
        memo->natural_is_known = true;
        if (resolve_call(planner, term, NULL, &function))
            *planner->err = kept;
        else if (function)
            memo->natural = function->return_type;
    }
    return memo->natural;
}

/* NULL: what receives it decides. A hint or cast is taken at its word here; whether what
 * stands behind it fits is found when it is compiled. */
const struct type *term_natural_type(struct planner *planner, const struct term *term)
{
    const struct type *type = NULL;

    switch (term->kind) {
    case TERM_HINT:
    case TERM_CAST:
        return term_resolve_type(planner, term->type,
                                 planner->table ? planner->table->keyspace : planner->session_keyspace, &type)
                   ? NULL
                   : type;
    case TERM_FUNCTION:
    case TERM_NEGATE:
    case TERM_OPERATION: return natural_type_of_call(planner, term);
    case TERM_COLUMN: {
        const struct column_def *column = planner->table ? table_def_column(planner->table, term->column) : NULL;

        return column ? column->type : NULL;
    }
    case TERM_TUPLE: return term->item_count == 1 ? term_natural_type(planner, term->items[0]) : NULL;
    default: return NULL;
    }
}

/* ---- compiling ---- */

/* field -1: it is of no field. */
static struct expr *new_expr(struct planner *planner, enum expr_kind kind, const struct type *type)
{
    struct expr *expr = arena_new_struct(planner->arena, struct expr);

    assert(type);
    expr->kind = kind;
    expr->type = type;
    expr->field = -1;
    return expr;
}

/* The value is copied: it may lie in a buffer or in another arena. */
const struct expr *term_constant(struct planner *planner, const struct type *type, struct bytes value)
{
    struct expr *expr = new_expr(planner, bytes_is_null(value) ? EXPR_NULL : EXPR_CONSTANT, type);

    if (!bytes_is_null(value))
        expr->constant = arena_copy(planner->arena, value);
    return expr;
}

/* Of a tuple that is written out it is the element itself. Of a constant one the component is
 * a constant, too. */
const struct expr *term_component(struct planner *planner, const struct expr *tuple, uint32_t index)
{
    assert(index < (tuple->kind == EXPR_PACK ? tuple->arg_count : tuple->type->param_count));
    if (tuple->kind == EXPR_PACK)
        return tuple->args[index];
    struct expr *expr = new_expr(planner, EXPR_COMPONENT, tuple->type->params[index]);

    expr->index = index;
    expr->args = arena_new_array(planner->arena, const struct expr *, 1);
    expr->args[0] = tuple;
    expr->arg_count = 1;
    if (expr_is_constant(tuple)) {
        struct eval eval = { .arena = planner->arena, .functions = *planner->functions };
        struct bytes value;

        if (!expr_evaluate_slow(expr, &eval, &value, planner->err))
            return term_constant(planner, expr->type, value);
    }
    return expr;
}

/* Computes what needs no bound value, no clock and no randomness, once for all executions. An
 * error in a constant is then an error of PREPARE, as in Cassandra. */
static enum status fold(struct planner *planner, struct expr *expr, const struct expr **result)
{
    bool constant = expr->kind == EXPR_PACK || (expr->kind == EXPR_CALL && expr->function->is_pure);
    struct bytes value;

    *result = expr;
    for (uint32_t i = 0; i < expr->arg_count && constant; i++)
        constant = expr_is_constant(expr->args[i]);
    if (!constant)
        return OK;
    struct eval eval = { .arena = planner->arena, .functions = *planner->functions };
    assert(!eval.row && !eval.binds);
    /* The value must live as long as the plan. */
    eval.functions.arena = planner->arena;
    enum status status = expr_evaluate_slow(expr, &eval, &value, planner->err);
    if (!status)
        *result = term_constant(planner, expr->type, value);
    /* The error is described by whoever made the plan. */
    planner->functions->failed = eval.functions.failed;
    return status;
}

/* 'now' as a timestamp: the time when the statement is planned. */
static bool is_now(const struct term *term)
{
    struct bytes text = term->literal.text;

    return term->literal.kind == LITERAL_STRING && text.size == 3 &&
           strncasecmp((const char *)text.data, "now", text.size) == 0;
}

/* Parses the constant as the receiver's type. */
static enum status compile_literal(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                   const struct expr **result)
{
    assert(term->kind == TERM_LITERAL && receiver->type);
    if (!value_literal_is_assignable(receiver->type, term->literal.kind))
        return error_set(planner->err, ERR_INVALID, "Invalid %s constant (%.*s) for \"%.*s\" of type %.*s",
                         literal_kind_name(term->literal.kind), BYTES(term->literal.text), BYTES(receiver->name),
                         BYTES(type_name(planner->arena, receiver->type)));
    struct buffer out = { 0 };
    enum status status = OK;
    if (receiver->type->kind == TYPE_TIMESTAMP && is_now(term))
        buffer_append_be64(&out, (uint64_t)(planner->functions->now_us / 1000));
    else
        status = value_parse(receiver->type, term->literal.kind, term->literal.text, &out, planner->err);
    if (!status)
        *result = term_constant(planner, receiver->type, out.data ? buffer_bytes(&out) : bytes_of("", 0));
    buffer_fini(&out);
    return status;
}

/* A marker's type and name are what receives it; `:name` keeps its own name. Drivers are told
 * these. */
static enum status compile_marker(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                  const struct expr **result)
{
    struct expr *expr = new_expr(planner, EXPR_BIND, receiver->type);
    bool has_table = planner->table != NULL;

    assert(term->marker.index < planner->statement->marker_count);
    expr->index = term->marker.index;
    planner->binds[term->marker.index] = (struct native_column){
        .keyspace = has_table ? planner->table->keyspace : planner->session_keyspace,
        .table = has_table ? planner->table->name : bytes_of("", 0),
        .name = bytes_is_null(term->marker.name) ? receiver->name : term->marker.name,
        .type = receiver->type,
        .is_list_of_in = receiver->is_list_of_in,
    };
    *result = expr;
    return OK;
}

/* The elements of a collection. Of a map keys and values alternate, so it has two receivers. */
static enum status compile_items(struct planner *planner, const struct term *term, struct expr *pack,
                                 const struct receiver *even, const struct receiver *odd)
{
    assert(even && odd);
    pack->arg_count = term->item_count;
    pack->args = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    for (uint32_t i = 0; i < term->item_count; i++) {
        enum status status = term_compile(planner, term->items[i], i % 2 ? odd : even, &pack->args[i]);
        assert(status || pack->args[i]);
        if (status)
            return status;
    }
    return OK;
}

/* A collection or user type where something else is asked for. */
static enum status invalid_literal(struct planner *planner, const char *what, const struct receiver *receiver)
{
    return error_set(planner->err, ERR_INVALID, "Invalid %s literal for %.*s of type %.*s", what, BYTES(receiver->name),
                     BYTES(type_name(planner->arena, receiver->type)));
}

/* A list, set or vector literal. Elements are tested first, so that the words name the
 * literal as a whole. */
static enum status compile_sequence(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                    const char *what, const struct expr **result)
{
    const struct type *type = receiver->type;
    struct receiver element = receiver_of(planner->arena, "value", receiver->name, type->params[0]);

    assert(type->kind == TYPE_LIST || type->kind == TYPE_SET || type->kind == TYPE_VECTOR);
    /* A vector has a fixed number of elements; lists and sets any. */
    if (type->kind == TYPE_VECTOR && term->item_count != type->dimension)
        return error_set(planner->err, ERR_INVALID,
                         "Invalid vector literal for %.*s of type %.*s; expected %u elements, but given %u",
                         BYTES(receiver->name), BYTES(type_name(planner->arena, type)), type->dimension,
                         term->item_count);
    for (uint32_t i = 0; i < term->item_count; i++)
        if (term_test(planner, term->items[i], type->params[0]) == ASSIGNABLE_NOT)
            return error_set(planner->err, ERR_INVALID, "Invalid %s literal for %.*s: value %.*s is not of type %.*s",
                             what, BYTES(receiver->name), BYTES(term_text(planner, term->items[i])),
                             BYTES(type_name(planner->arena, type->params[0])));
    struct expr *pack = new_expr(planner, EXPR_PACK, type);
    enum status status = compile_items(planner, term, pack, &element, &element);
    return status ? status : fold(planner, pack, result);
}

/* {k: v}: keys and values in turn, each against a receiver of its own. All are tested before
 * one is compiled, since the words of this error are the better ones. */
static enum status compile_map(struct planner *planner, const struct term *term, const struct receiver *receiver,
                               const struct expr **result)
{
    const struct type *type = receiver->type;
    struct receiver key = receiver_of(planner->arena, "key", receiver->name, type->params[0]);
    struct receiver value = receiver_of(planner->arena, "value", receiver->name, type->params[1]);

    assert(type->kind == TYPE_MAP && term->item_count % 2 == 0);
    for (uint32_t i = 0; i < term->item_count; i++)
        if (term_test(planner, term->items[i], type->params[i % 2]) == ASSIGNABLE_NOT)
            return error_set(planner->err, ERR_INVALID, "Invalid map literal for %.*s: %s %.*s is not of type %.*s",
                             BYTES(receiver->name), i % 2 ? "value" : "key", BYTES(term_text(planner, term->items[i])),
                             BYTES(type_name(planner->arena, type->params[i % 2])));
    struct expr *pack = new_expr(planner, EXPR_PACK, type);
    enum status status = compile_items(planner, term, pack, &key, &value);
    return status ? status : fold(planner, pack, result);
}

/* {a: 1, b: 2}: fields in any order; those that are not named are null. */
static enum status compile_udt(struct planner *planner, const struct term *term, const struct receiver *receiver,
                               const struct expr **result)
{
    const struct type *type = receiver->type;
    struct expr *pack = new_expr(planner, EXPR_PACK, type);

    pack->arg_count = type->param_count;
    assert(type->kind == TYPE_UDT && type->field_names);
    pack->args = arena_new_array(planner->arena, const struct expr *, type->param_count + 1);
    /* Fields that are not written are null. */
    for (uint32_t i = 0; i < type->param_count; i++)
        pack->args[i] = new_expr(planner, EXPR_NULL, type->params[i]);
    for (uint32_t i = 0; i < term->item_count; i++) {
        uint32_t at = 0;

        while (at < type->param_count && !bytes_equal(type->field_names[at], term->field_names[i]))
            at++;
        if (at == type->param_count)
            return error_set(planner->err, ERR_INVALID, "Unknown field '%.*s' in value of user defined type %.*s",
                             BYTES(term->field_names[i]), BYTES(type->name));
        if (term_test(planner, term->items[i], type->params[at]) == ASSIGNABLE_NOT)
            return error_set(planner->err, ERR_INVALID,
                             "Invalid user type literal for %.*s: field %.*s is not of type %.*s",
                             BYTES(receiver->name), BYTES(type->field_names[at]),
                             BYTES(type_name(planner->arena, type->params[at])));
        struct receiver field = {
            bytes_of_string(
                arena_printf(planner->arena, "%.*s.%.*s", BYTES(receiver->name), BYTES(type->field_names[at]))),
            type->params[at],
        };
        enum status status = term_compile(planner, term->items[i], &field, &pack->args[at]);
        if (status)
            return status;
    }
    return fold(planner, pack, result);
}

/* (1, 2): fewer fields than the type has are allowed. */
static enum status compile_tuple(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                 const struct expr **result)
{
    const struct type *type = receiver->type;
    struct expr *pack = new_expr(planner, EXPR_PACK, type);

    assert(type->kind == TYPE_TUPLE);
    if (term->item_count > type->param_count)
        return error_set(planner->err, ERR_INVALID,
                         "Invalid tuple literal for %.*s: too many elements. Type %.*s expects %u but got %u",
                         BYTES(receiver->name), BYTES(type_name(planner->arena, type)), type->param_count,
                         term->item_count);
    /* Fields that are not written are not stored. */
    pack->arg_count = term->item_count;
    pack->args = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    for (uint32_t i = 0; i < term->item_count; i++) {
        /* In a relation on several columns a marker has the column's name. */
        struct receiver component = {
            receiver->component_names
                ? receiver->component_names[i]
                : bytes_of_string(arena_printf(planner->arena, "%.*s[%u]", BYTES(receiver->name), i)),
            type->params[i],
            NULL,
        };

        if (term_test(planner, term->items[i], type->params[i]) == ASSIGNABLE_NOT)
            return error_set(planner->err, ERR_INVALID,
                             "Invalid tuple literal for %.*s: component %u is not of type %.*s", BYTES(receiver->name),
                             i, BYTES(type_name(planner->arena, type->params[i])));
        enum status status = term_compile(planner, term->items[i], &component, &pack->args[i]);
        if (status)
            return status;
    }
    return fold(planner, pack, result);
}

/* A function or operator in a term: outside of SELECT's clause, so no aggregate. */
static enum status compile_call(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                const struct expr **result)
{
    const struct function *function = NULL;
    enum status status = resolve_call(planner, term, receiver, &function);

    if (status)
        return status;
    if (!function)
        return error_set(planner->err, ERR_INVALID, "Unknown function %s%.*s called", "", BYTES(term->function.name));
    if (function->aggregate)
        return error_set(planner->err, ERR_INVALID, "Aggregation function are not supported in the where clause");
    /* resolve.c may have chosen it for its arguments alone. */
    if (test_type(function->return_type, receiver->type) == ASSIGNABLE_NOT)
        return error_set(planner->err, ERR_INVALID,
                         "Type error: cannot assign result of %s %s%.*s (type %.*s) to %.*s (type %.*s)",
                         function->is_operator ? "operation" : "function", function->is_operator ? "" : "system.",
                         BYTES(function->is_operator ? term_text(planner, term) : function->name),
                         BYTES(type_name(planner->arena, function->return_type)), BYTES(receiver->name),
                         BYTES(type_name(planner->arena, receiver->type)));
    struct expr *call = new_expr(planner, EXPR_CALL, function->return_type);
    assert(function->arg_count == term->item_count && function->body);
    call->function = function;
    /* Only these can return what is none of their type, see expr.c. */
    call->is_checked = function->return_type->kind == TYPE_TIMEUUID && function->arg_count == 1 && !function->is_cast;
    call->arg_count = term->item_count;
    call->args = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    for (uint32_t i = 0; i < term->item_count; i++) {
        /* A marker inside is named after function and argument. */
        struct receiver arg = {
            bytes_of_string(arena_printf(planner->arena, "arg%u(system.%.*s)", i, BYTES(function->name))),
            function->arg_types[i],
        };
        status = term_compile(planner, term->items[i], &arg, &call->args[i]);
        if (status)
            return status;
    }
    return fold(planner, call, result);
}

/* (int) ?: the hint is the type of the value, and what receives it must be able to read it
 * so. */
static enum status compile_hint(struct planner *planner, const struct term *term, const struct receiver *receiver,
                                const struct expr **result)
{
    const struct type *type;
    enum status status = term_resolve_type(
        planner, term->type, planner->table ? planner->table->keyspace : planner->session_keyspace, &type);

    if (status)
        return status;
    if (term_test(planner, term->items[0], type) == ASSIGNABLE_NOT)
        return error_set(planner->err, ERR_INVALID, "Cannot cast value %.*s to type %.*s",
                         BYTES(term_text(planner, term->items[0])), BYTES(type_name(planner->arena, type)));
    if (!type_is_value_compatible(receiver->type, type))
        return error_set(planner->err, ERR_INVALID, "Cannot assign value %.*s to %.*s of type %.*s",
                         BYTES(term_text(planner, term)), BYTES(receiver->name),
                         BYTES(type_name(planner->arena, receiver->type)));
    /* The value itself is compiled as of the hint's type. */
    struct receiver hinted = { receiver->name, type };
    return term_compile(planner, term->items[0], &hinted, result);
}

/* Types a term for its receiver. The expression has the receiver's type, or one whose bytes
 * mean the same. */
enum status term_compile(struct planner *planner, const struct term *term, const struct receiver *receiver,
                         const struct expr **result)
{
    const struct type *type = receiver->type;

    assert(type && planner->statement);
    switch (term->kind) {
    case TERM_LITERAL: return compile_literal(planner, term, receiver, result);
    case TERM_NULL: *result = new_expr(planner, EXPR_NULL, type); return OK;
    case TERM_MARKER: return compile_marker(planner, term, receiver, result);
    case TERM_LIST:
        if (type->kind != TYPE_LIST && type->kind != TYPE_VECTOR)
            return error_set(planner->err, ERR_INVALID,
                             "Unexpected receiver type '%.*s'; only list and vector are expected",
                             BYTES(type_name(planner->arena, type)));
        return compile_sequence(planner, term, receiver, type->kind == TYPE_LIST ? "list" : "vector", result);
    /* {} for a map is an empty map. */
    case TERM_SET:
        if (term->item_count == 0 && type->kind == TYPE_MAP)
            return compile_map(planner, term, receiver, result);
        if (type->kind != TYPE_SET)
            return invalid_literal(planner, "set", receiver);
        return compile_sequence(planner, term, receiver, "set", result);
    case TERM_MAP:
        if (type->kind != TYPE_MAP)
            return invalid_literal(planner, "map", receiver);
        return compile_map(planner, term, receiver, result);
    case TERM_UDT:
        if (type->kind != TYPE_UDT)
            return invalid_literal(planner, "user type", receiver);
        return compile_udt(planner, term, receiver, result);
    case TERM_TUPLE:
        /* (x) in parentheses is x. */
        if (type->kind != TYPE_TUPLE) {
            if (term->item_count == 1)
                return term_compile(planner, term->items[0], receiver, result);
            return error_set(planner->err, ERR_INVALID, "Invalid tuple type literal for %.*s of type %.*s",
                             BYTES(receiver->name), BYTES(type_name(planner->arena, type)));
        }
        return compile_tuple(planner, term, receiver, result);
    case TERM_HINT: return compile_hint(planner, term, receiver, result);
    case TERM_FUNCTION:
    case TERM_NEGATE:
    case TERM_OPERATION: return compile_call(planner, term, receiver, result);
    default: return error_set(planner->err, ERR_INVALID, "%.*s cannot be used here", BYTES(term_text(planner, term)));
    }
}

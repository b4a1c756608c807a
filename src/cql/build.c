/* The nodes of the AST, and what Cassandra's actions refuse with a sentence. The
 * grammar's actions call nothing else, so that grammar.y can be read as a grammar.
 *
 * Everything lies in the parse's arena and points into its copy of the text: a name is
 * folded, a string is unquoted, where it stands. An action never looks whether the one
 * before it failed: the first refusal is kept (parse_fail), later ones are ignored, and
 * each function returns something whole even then. */
#include "cql/build.h"

#include "cql/grammar.h"
#include "cql/print.h"

#include <assert.h>
#include <stdlib.h>

enum { VEC_FIRST = 8, OPTIONS_MAX = 1024 };

static_assert(T_NEGATIVE_INFINITY < 256, "a term's word holds a token");

static const struct bytes NOTHING = { NULL, 0 };

/* Appends to a vector by value: the caller's copy is old afterwards. Lemon moves values
 * around on its stack, so there is no place that a vector could be kept at. */
struct vec vec_append(struct parse *p, struct vec vec, const void *item, size_t size)
{
    assert(item && size && vec.count <= vec.capacity);
    vec.items = arena_room(p->arena, vec.items, vec.count, &vec.capacity, VEC_FIRST, size);
    /* Items are copied by their size: the macros know their type. */
    memcpy((uint8_t *)vec.items + vec.count * size, item, size);
    vec.count++;
    return vec;
}

/* ---- Names ---- */

/* Names without quotes are lower case. It is done in place; messages show the original
 * (parse.c). */
struct bytes fold(struct lexeme lexeme)
{
    assert(lexeme.start || !lexeme.size);
    for (uint32_t i = 0; i < lexeme.size; i++)
        if (lexeme.start[i] >= 'A' && lexeme.start[i] <= 'Z')
            lexeme.start[i] |= 0x20;
    return lexeme_bytes(lexeme);
}

/* The text of 'a''b' or "a""b", made in place: a doubled quote becomes one. Most have none,
 * and are not touched. */
static struct bytes unquote(struct lexeme lexeme)
{
    uint8_t quote = lexeme.start[0];
    uint8_t *from = lexeme.start + 1;
    uint8_t *end = lexeme.start + lexeme.size - 1;
    uint8_t *doubled = memchr(from, quote, (size_t)(end - from));
    uint8_t *to = doubled ? doubled : end;

    assert(lexeme.size >= 2 && *end == quote);
    /* From the first doubled quote on, the text moves left. */
    for (uint8_t *at = doubled; at && at < end; at++) {
        *to++ = *at;
        at += *at == quote;
    }
    return bytes_of(from, (size_t)(to - from));
}

/* The lexer lets only true and false through, in any case. */
enum option_flag truth(struct lexeme lexeme)
{
    assert(lexeme.token == T_TRUTH);
    return (lexeme.start[0] | 0x20) == 't' ? FLAG_TRUE : FLAG_FALSE;
}

/* A name as it is compared: quoted ones keep their case. */
struct bytes build_name(struct parse *p, struct lexeme lexeme)
{
    assert(lexeme.size);
    (void)p;
    return lexeme.token == T_QNAME ? unquote(lexeme) : fold(lexeme);
}

/* '...' or $$...$$; between dollars nothing is doubled. */
struct bytes build_string(struct parse *p, struct lexeme lexeme)
{
    (void)p;
    assert(lexeme.size >= 2);
    if (lexeme.start[0] == '$')
        return bytes_of(lexeme.start + 2, lexeme.size - 4);
    return unquote(lexeme);
}

/* Cassandra's grammar takes a marker for some names, only to refuse it with this sentence. */
struct bytes build_no_marker(struct parse *p, const char *what)
{
    parse_fail(p, "Bind variables cannot be used for %s names", what);
    return BYTES_LITERAL("?");
}

/* A word that is no keyword; its case is kept. */
struct bytes build_word(struct parse *p, struct lexeme lexeme, const char *refusal)
{
    if (lexeme.token == T_QNAME)
        parse_fail(p, "%s", refusal);
    else if (word_of(&lexeme) != WORD_PLAIN)
        parse_fail_at(p, lexeme);
    return lexeme_bytes(lexeme);
}

/* CREATE FUNCTION ... LANGUAGE: any word that is no keyword. */
struct bytes build_language(struct parse *p, struct lexeme lexeme)
{
    if (word_of(&lexeme) != WORD_PLAIN)
        parse_fail_at(p, lexeme);
    return fold(lexeme);
}

/* A user type's name. Native types and some words may not be one, unless they are quoted. */
struct qualified_name build_type_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    static const char *const refused[] = { "byte", "complex", "enum", "interval", "macaddr", "bitstring" };
    enum word word = word_of(&name);
    struct qualified_name result = { NOTHING, NOTHING };

    /* KEY is special elsewhere, but may name a type. */
    if (word == WORD_NATIVE || (word == WORD_SPECIAL && name.token != T_KEY))
        parse_fail_at(p, name);
    /* Cassandra keeps these names for types of its own to come. */
    if (word == WORD_PLAIN)
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
            if (bytes_equal(lexeme_bytes(name), bytes_of_string(refused[i])))
                parse_fail(p, "Invalid (reserved) user type name %s", refused[i]);
    /* Folded only now: the words are compared as they were written. */
    if (keyspace)
        result.keyspace = build_name(p, *keyspace);
    result.name = build_name(p, name);
    return result;
}

/* A function's name. Words with a syntax of their own (ttl, cast) may not be one; count may,
 * as it is one. */
struct qualified_name build_function_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    struct qualified_name result = { NOTHING, NOTHING };

    if (word_of(&name) == WORD_SPECIAL && name.token != T_COUNT)
        parse_fail_at(p, name);
    /* A keyspace of functions is system, or one of the user's. */
    if (keyspace)
        result.keyspace = build_name(p, *keyspace);
    result.name = build_name(p, name);
    return result;
}

/* ---- Types ---- */

/* The type that a keyword names; varchar is text. */
static bool native_kind(uint32_t token, enum type_kind *kind)
{
    switch (token) {
    case T_ASCII: *kind = TYPE_ASCII; return true;
    case T_BIGINT: *kind = TYPE_BIGINT; return true;
    case T_BLOB: *kind = TYPE_BLOB; return true;
    case T_BOOLEAN: *kind = TYPE_BOOLEAN; return true;
    case T_COUNTER: *kind = TYPE_COUNTER; return true;
    case T_DECIMAL: *kind = TYPE_DECIMAL; return true;
    case T_DOUBLE: *kind = TYPE_DOUBLE; return true;
    case T_DURATION: *kind = TYPE_DURATION; return true;
    case T_FLOAT: *kind = TYPE_FLOAT; return true;
    case T_INET: *kind = TYPE_INET; return true;
    case T_INT: *kind = TYPE_INT; return true;
    case T_SMALLINT: *kind = TYPE_SMALLINT; return true;
    case T_TEXT: *kind = TYPE_TEXT; return true;
    case T_TIMESTAMP: *kind = TYPE_TIMESTAMP; return true;
    case T_TINYINT: *kind = TYPE_TINYINT; return true;
    case T_UUID: *kind = TYPE_UUID; return true;
    case T_VARCHAR: *kind = TYPE_TEXT; return true;
    case T_VARINT: *kind = TYPE_VARINT; return true;
    case T_TIMEUUID: *kind = TYPE_TIMEUUID; return true;
    case T_DATE: *kind = TYPE_DATE; return true;
    case T_TIME: *kind = TYPE_TIME; return true;
    default: return false;
    }
}

/* depth counts nesting: walks over types recurse, so it is bounded. */
static struct cql_type *new_type(struct parse *p, enum type_kind kind)
{
    struct cql_type *type = NODE(p, cql_type);

    type->kind = kind;
    type->depth = 1;
    return type;
}

/* A native type or a user type: only a name without a keyspace can be native. */
const struct cql_type *build_named_type(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    struct cql_type *type = new_type(p, TYPE_UDT);

    if (!keyspace && native_kind(name.token, &type->kind))
        return type;
    type->name = build_type_name(p, keyspace, name);
    return type;
}

/* 'org.apache.cassandra.db.marshal.X': a Java class, which schema/ maps to a type if it knows
 * it. */
const struct cql_type *build_custom_type(struct parse *p, struct lexeme name)
{
    struct cql_type *type = new_type(p, TYPE_CUSTOM);

    type->name.name = build_string(p, name);
    return type;
}

/* The value of an integer, or false if it does not fit into 64 bits. */
static bool integer_of(struct bytes text, int64_t *value)
{
    bool negative = text.size && text.data[0] == '-';
    int64_t result = 0;

    /* The lexer lets digits through only. */
    for (size_t i = negative; i < text.size; i++) {
        if (__builtin_mul_overflow(result, 10, &result) || __builtin_sub_overflow(result, text.data[i] - '0', &result))
            return false;
    }
    /* It is counted below zero, where there is one number more than above. */
    if (!negative && __builtin_sub_overflow(0, result, &result))
        return false;
    *value = result;
    return true;
}

/* A type of types. A vector's dimension must be an int; a bad one is said in Java's words,
 * and one that is not positive is left to schema/ to refuse. */
const struct cql_type *build_type(struct parse *p, enum type_kind kind, struct vec params,
                                  const struct lexeme *dimension)
{
    struct cql_type *type = new_type(p, kind);

    assert(params.count && (kind != TYPE_MAP || params.count == 2));
    VEC_STORE(type, params, param_count, params);
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type->depth <= type->params[i]->depth)
            type->depth = (uint16_t)(type->params[i]->depth + 1);
    if (type->depth > CQL_DEPTH_MAX)
        parse_fail(p, "types are nested more than %d deep", CQL_DEPTH_MAX);
    /* Its text may be longer than any number. */
    if (dimension) {
        int64_t value;

        if (!integer_of(lexeme_bytes(*dimension), &value) || value > INT32_MAX || value < INT32_MIN)
            parse_fail(p, "For input string: \"%.*s\"", BYTES(lexeme_bytes(*dimension)));
        else
            type->dimension = value > 0 ? (uint32_t)value : 0;
    }
    return type;
}

/* frozen<...> is a property of the type inside, not a type of its own. */
const struct cql_type *build_frozen(struct parse *p, const struct cql_type *type)
{
    struct cql_type *frozen = NODE(p, cql_type);

    assert(type && type->kind != TYPE_EMPTY);
    *frozen = *type;
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_VECTOR:
    case TYPE_UDT:
    case TYPE_CUSTOM: frozen->frozen = true; break;
    /* The type is printed as it was written. */
    default: {
        struct buffer text = { 0 };

        cql_print_type(&text, type);
        parse_fail(p, "frozen<> is only allowed on collections, tuples, and user-defined types (got %.*s)",
                   BYTES(buffer_bytes(&text)));
        buffer_fini(&text);
    }
    }
    return frozen;
}

/* ---- Terms ---- */

/* A term without items; its depth is raised when it gets some. */
static struct term *new_term(struct parse *p, enum term_kind kind)
{
    struct term *term = NODE(p, term);

    term->kind = kind;
    term->depth = 1;
    return term;
}

/* Bounds nesting: planning, printing and evaluating recurse over terms. A chain of operators
 * nests to the left, so it counts as well. */
static void deepen(struct parse *p, struct term *term, uint16_t below)
{
    if (term->depth <= below)
        term->depth = (uint16_t)(below + 1);
    if (term->depth > CQL_DEPTH_MAX)
        parse_fail(p, "terms are nested more than %d deep", CQL_DEPTH_MAX);
}

/* A slice may lack one of its ends: then that item is NULL. */
static void set_items(struct parse *p, struct term *term, const struct term *const *items, uint32_t count)
{
    assert(items || !count);
    term->items = items;
    term->item_count = count;
    /* Deeper than the deepest of them. */
    for (uint32_t i = 0; i < count; i++)
        if (items[i])
            deepen(p, term, items[i]->depth);
}

/* The text of a constant. What it means depends on what receives it (plan/term.c). */
const struct term *build_literal(struct parse *p, enum literal_kind kind, struct bytes text)
{
    struct term *term = new_term(p, TERM_LITERAL);

    term->literal.kind = kind;
    term->literal.text = text;
    return term;
}

const struct term *build_null(struct parse *p)
{
    return new_term(p, TERM_NULL);
}

/* Markers are numbered as they are met. Names are kept for drivers; a name that comes twice
 * is two markers, as in Cassandra. */
const struct term *build_marker(struct parse *p, struct bytes name)
{
    struct term *term = new_term(p, TERM_MARKER);

    assert(p->markers.count < UINT32_MAX);
    term->marker.index = p->markers.count;
    term->marker.name = name;
    p->markers = vec_add(p, p->markers, name);
    return term;
}

/* A list, set, map or tuple: its parts in their order; of a map keys and values alternate. */
const struct term *build_items(struct parse *p, enum term_kind kind, struct vec items)
{
    struct term *term = new_term(p, kind);

    set_items(p, term, items.items, items.count);
    return term;
}

/* A term with one to three parts. */
static struct term *with_items(struct parse *p, enum term_kind kind, const struct term *a, const struct term *b,
                               const struct term *c, uint32_t count)
{
    struct term *term = new_term(p, kind);
    const struct term **items = arena_new_array(p->arena, const struct term *, count);
    const struct term *const given[] = { a, b, c };

    assert(count && count <= ARRAY_SIZE(given));
    memcpy(items, given, count * sizeof(*items));
    set_items(p, term, items, count);
    return term;
}

const struct term *build_one(struct parse *p, enum term_kind kind, const struct term *a)
{
    return with_items(p, kind, a, NULL, NULL, 1);
}

const struct term *build_two(struct parse *p, enum term_kind kind, const struct term *a, const struct term *b)
{
    return with_items(p, kind, a, b, NULL, 2);
}

const struct term *build_slice(struct parse *p, const struct term *of, const struct term *from, const struct term *to)
{
    return with_items(p, TERM_SLICE, of, from, to, 3);
}

const struct term *build_operation(struct parse *p, char op, const struct term *a, const struct term *b)
{
    struct term *term = with_items(p, TERM_OPERATION, a, b, NULL, 2);

    term->op = op;
    return term;
}

/* {a: 1, b: 2} with bare names as keys. */
const struct term *build_udt(struct parse *p, struct vec fields)
{
    struct term *term = new_term(p, TERM_UDT);
    const struct field *field = fields.items;
    struct bytes *names = arena_new_array(p->arena, struct bytes, fields.count);
    const struct term **values = arena_new_array(p->arena, const struct term *, fields.count);

    assert(fields.count);
    for (uint32_t i = 0; i < fields.count; i++) {
        names[i] = field[i].name;
        values[i] = field[i].value;
    }
    term->field_names = names;
    set_items(p, term, values, fields.count);
    return term;
}

const struct term *build_call(struct parse *p, struct qualified_name name, struct vec arguments)
{
    struct term *term = new_term(p, TERM_FUNCTION);

    term->function = name;
    set_items(p, term, arguments.items, arguments.count);
    return term;
}

/* CAST(a AS type). Outside of SELECT's clause Cassandra's grammar casts simple terms only;
 * operations are refused at the type, where its parser notices. Only native types can be cast
 * to. */
const struct term *build_cast(struct parse *p, const struct term *a, struct lexeme type, bool selector)
{
    struct term *term = with_items(p, TERM_CAST, a, NULL, NULL, 1);
    enum type_kind kind;

    if (!selector && (a->kind == TERM_OPERATION || a->kind == TERM_NEGATE))
        parse_fail_at(p, type);
    if (!native_kind(type.token, &kind)) {
        parse_fail_at(p, type);
        /* The statement is refused; the tree must still be whole. */
        kind = TYPE_BLOB;
    }
    term->type = new_type(p, kind);
    return term;
}

/* (type) a. The type's nesting counts with the term's. */
const struct term *build_hint(struct parse *p, const struct cql_type *type, const struct term *a)
{
    struct term *term = with_items(p, TERM_HINT, a, NULL, NULL, 1);

    term->type = type;
    deepen(p, term, type->depth);
    return term;
}

/* ---- Selectors ---- */

/* `word` keeps which keyword the name is, if it is one: a "(" behind it may show that it was
 * a function. */
const struct term *build_column(struct parse *p, struct lexeme name)
{
    struct term *term = new_term(p, TERM_COLUMN);

    term->word = (uint8_t)name.token;
    term->column = build_name(p, name);
    return term;
}

/* of.name; with a "(" behind it, it is keyspace.function. */
const struct term *build_field(struct parse *p, const struct term *of, struct lexeme name)
{
    struct term *term = with_items(p, TERM_FIELD, of, NULL, NULL, 1);

    term->word = (uint8_t)name.token;
    term->column = build_name(p, name);
    return term;
}

/* A column, or fields and elements of one: what has a write time. */
static bool is_column_path(const struct term *term)
{
    /* Down to where the path begins. */
    while (term->kind == TERM_FIELD || term->kind == TERM_ELEMENT || term->kind == TERM_SLICE)
        term = term->items[0];
    return term->kind == TERM_COLUMN;
}

/* The function that a selector before "(" names. The result is the selector with the type
 * hints that stand before it; NULL: the selector is no name at all. */
static const struct term *named_function(const struct term *callee, struct qualified_name *name, uint32_t *word)
{
    const struct term *outer = callee->kind == TERM_FIELD ? callee->items[0] : callee;
    const struct term *column = outer;

    assert(outer);
    while (column->kind == TERM_HINT)
        column = column->items[0];
    if (column->kind != TERM_COLUMN)
        return NULL;
    /* keyspace.function: the word that counts is the function's. */
    *word = callee->kind == TERM_FIELD ? callee->word : column->word;
    *name = callee->kind == TERM_FIELD ? (struct qualified_name){ column->column, callee->column }
                                       : (struct qualified_name){ NOTHING, column->column };
    return outer;
}

/* These look like functions, but take a column and not a value. */
static enum term_kind cell_function(uint32_t word)
{
    switch (word) {
    case T_TTL: return TERM_TTL;
    case T_WRITETIME: return TERM_WRITETIME;
    case T_MAXWRITETIME: return TERM_MAXWRITETIME;
    default: return TERM_FUNCTION;
    }
}

/* "(int) f(x)": before the "(" was read, "(int) f" was taken for a hint on a column. The hint
 * belongs to the call, so it is put around that. */
static const struct term *rehint(struct parse *p, const struct term *outer, const struct term *call)
{
    assert(outer && call);
    if (outer->kind != TERM_HINT)
        return call;
    return build_hint(p, outer->type, rehint(p, outer->items[0], call));
}

/* A selector with arguments behind it. In a SELECT clause a name may be a column or a
 * function: an LALR(1) parser cannot know before it meets "(". So the grammar takes any
 * selector there, and this function says whether it was a name; what Cassandra's grammar has
 * no rule for is refused at the "(". */
const struct term *build_selector_call(struct parse *p, const struct term *callee, struct lexeme paren,
                                       struct vec arguments)
{
    struct qualified_name name = { NOTHING, NOTHING };
    uint32_t word = 0;
    const struct term *outer = named_function(callee, &name, &word);
    const struct term *const *items = arguments.items;
    enum term_kind kind = cell_function(word);
    struct lexeme named = { .token = word };

    /* ttl(v), writetime(v): the argument must be a column, or a part of one. */
    if (kind != TERM_FUNCTION && outer && bytes_is_null(name.keyspace)) {
        if (arguments.count != 1 || !is_column_path(items[0]))
            parse_fail_at(p, paren);
        return rehint(p, outer, build_items(p, kind, arguments));
    }
    /* (a + b)(x), or a word that is no function's name. */
    if (!outer || (word_of(&named) == WORD_SPECIAL && word != T_COUNT)) {
        parse_fail_at(p, paren);
        return callee;
    }
    return rehint(p, outer, build_call(p, name, arguments));
}

/* count(*): `*` is allowed for no other function. */
const struct term *build_count_rows(struct parse *p, const struct term *callee, struct lexeme paren)
{
    struct qualified_name name = { NOTHING, NOTHING };
    uint32_t word = 0;
    const struct term *outer = named_function(callee, &name, &word);

    /* "count" may be quoted: then it is no keyword, and no function either. */
    if (!outer || word != T_COUNT || !bytes_is_null(name.keyspace)) {
        parse_fail_at(p, paren);
        return callee;
    }
    return rehint(p, outer, new_term(p, TERM_COUNT_ROWS));
}

/* One item of SELECT, with its alias. */
struct selector *build_selector(struct parse *p, const struct term *term, struct bytes alias)
{
    struct selector *selector = NODE(p, selector);

    *selector = (struct selector){ term, alias };
    return selector;
}

/* ---- WHERE, IF, SET ---- */

/* One conjunct of WHERE. What is not given is NULL or set by the action. */
struct relation *build_relation(struct parse *p, enum relation_kind kind, enum cql_operator op, struct vec columns,
                                const struct term *value)
{
    struct relation *relation = NODE(p, relation);

    relation->kind = kind;
    relation->op = op;
    VEC_STORE(relation, columns, column_count, columns);
    relation->value = value;
    return relation;
}

/* (a, b) IN (...): the list holds tuples, or markers that stand for tuples, but not both. */
struct relation *build_tuple_in(struct parse *p, struct vec columns, struct vec values, struct lexeme in)
{
    struct relation *relation = build_relation(p, RELATION_TUPLE, OPERATOR_IN, columns, NULL);

    VEC_STORE(relation, values, value_count, values);
    for (uint32_t i = 0; i < relation->value_count; i++) {
        enum term_kind kind = relation->values[i]->kind;

        if ((kind != TERM_TUPLE && kind != TERM_MARKER) || kind != relation->values[0]->kind)
            parse_fail_at(p, in);
    }
    return relation;
}

/* What IF or DELETE is about: a column; the action adds an element or a field. */
struct cql_deletion *build_target(struct parse *p, struct bytes column)
{
    struct cql_deletion *target = NODE(p, cql_deletion);

    target->column = column;
    return target;
}

/* One conjunct of IF, for the target that was read. */
struct cql_condition *build_condition(struct parse *p, const struct cql_deletion *target, enum cql_operator op,
                                      const struct term *value, struct vec values)
{
    struct cql_condition *condition = NODE(p, cql_condition);

    *condition = (struct cql_condition){
        .column = target->column, .element = target->element, .field = target->field, .op = op
    };
    condition->value = value;
    VEC_STORE(condition, values, value_count, values);
    return condition;
}

/* One assignment; the action adds key or field. */
struct assignment *build_assignment(struct parse *p, enum assignment_kind kind, struct bytes column,
                                    const struct term *value)
{
    struct assignment *assignment = NODE(p, assignment);

    *assignment = (struct assignment){ .kind = kind, .column = column, .value = value };
    return assignment;
}

/* SET a = a + 1: both columns must be the same, which a grammar cannot say. */
void build_same_column(struct parse *p, struct bytes column, struct bytes other, const char *form)
{
    if (!bytes_equal(column, other))
        parse_fail(p, "Only expressions of the form X = %s are supported.", form);
}

/* By column; of one column a whole value first, then fields, each field's together. So what
 * does not fit together stands side by side. */
static int compare_assignments(const void *a, const void *b)
{
    const struct assignment *x = *(const struct assignment *const *)a;
    const struct assignment *y = *(const struct assignment *const *)b;
    int order = bytes_compare(x->column, y->column);

    if (!order)
        order = (y->kind == ASSIGN_SET) - (x->kind == ASSIGN_SET);
    if (!order)
        order = (y->kind == ASSIGN_FIELD) - (x->kind == ASSIGN_FIELD);
    if (!order && x->kind == ASSIGN_FIELD)
        order = bytes_compare(x->field, y->field);
    return order;
}

/* A column that is set as a whole may not be assigned to again, and a field is set once.
 * Sorting keeps it quick for thousands of assignments. */
void build_check_assignments(struct parse *p, const struct update_statement *update)
{
    uint32_t count = update->assignment_count;
    const struct assignment **sorted;

    if (count < 2)
        return;
    sorted = arena_alloc(p->arena, count * sizeof(*sorted));
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &update->assignments[i];
    qsort(sorted, count, sizeof(*sorted), compare_assignments);
    for (uint32_t i = 1; i < count; i++) {
        const struct assignment *a = sorted[i - 1];
        const struct assignment *b = sorted[i];

        if (!bytes_equal(a->column, b->column))
            continue;
        /* Adding twice to one column is allowed: both are done. */
        if (a->kind == ASSIGN_SET ||
            (a->kind == ASSIGN_FIELD && b->kind == ASSIGN_FIELD && bytes_equal(a->field, b->field)))
            parse_fail(p, "Multiple incompatible setting of column %.*s", BYTES(a->column));
    }
}

/* ---- Options ---- */

/* One option of WITH; what it means is schema/'s to say. */
struct cql_option *build_option(struct parse *p, struct bytes name, const struct term *value)
{
    struct cql_option *option = NODE(p, cql_option);

    *option = (struct cql_option){ name, value };
    return option;
}

/* Options are few, so a new one is compared with all before it; OPTIONS_MAX keeps it so. */
struct vec build_add_option(struct parse *p, struct vec options, const struct cql_option *option)
{
    const struct cql_option *items = options.items;

    if (options.count >= OPTIONS_MAX) {
        parse_fail(p, "more than %d options", OPTIONS_MAX);
        return options;
    }
    for (uint32_t i = 0; i < options.count; i++)
        if (bytes_equal(items[i].name, option->name))
            parse_fail(p, "Multiple definitions for property '%.*s'", BYTES(option->name));
    return vec_append(p, options, option, sizeof(*option));
}

/* WITH a = word: Cassandra takes keywords for values here, but no other words. */
const struct term *build_keyword_value(struct parse *p, struct lexeme word)
{
    if (word.token == T_QNAME || word_of(&word) == WORD_PLAIN)
        parse_fail_at(p, word);
    return build_literal(p, LITERAL_STRING, build_name(p, word));
}

/* What may not stand in an option's map, in Cassandra's words. */
static void refuse_property(struct parse *p, const char *what, const struct term *term, const struct term *key)
{
    struct buffer text = { 0 };
    const char *note = term->kind == TERM_MARKER ? " (bind variables are not supported in DDL queries)" : "";

    buffer_append_string(&text, what);
    cql_print_term(&text, term);
    if (key) {
        buffer_append_string(&text, " for property: ");
        cql_print_term(&text, key);
    }
    buffer_append_string(&text, note);
    parse_fail(p, "%.*s", BYTES(buffer_bytes(&text)));
    buffer_fini(&text);
}

/* For qsort. */
static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Checks an option's map: keys are literals, and each is there once. nested: Keyspaces'
 * options have maps within maps. */
void build_check_map(struct parse *p, const struct term *map, bool nested)
{
    uint32_t count = map->item_count / 2;
    struct bytes *keys;

    if (map->kind != TERM_MAP)
        return;
    assert(map->item_count % 2 == 0);
    keys = arena_alloc(p->arena, count * sizeof(*keys));
    for (uint32_t i = 0; i < count; i++) {
        const struct term *key = map->items[2 * i];
        const struct term *value = map->items[2 * i + 1];
        /* {} is a set to the grammar. */
        bool is_map = value->kind == TERM_MAP || (value->kind == TERM_SET && value->item_count == 0);

        if (key->kind != TERM_LITERAL) {
            refuse_property(p, "Invalid property name: ", key, NULL);
            return;
        }
        if (nested && is_map) {
            build_check_map(p, value, true);
        } else if (value->kind != TERM_LITERAL) {
            refuse_property(p, "Invalid property value: ", value, key);
            return;
        }
        keys[i] = key->literal.text;
    }
    /* Maps come from clients: comparing each pair of keys could be slow. */
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (uint32_t i = 1; i < count; i++)
        if (bytes_equal(keys[i - 1], keys[i]))
            parse_fail(p, "Multiple definition for property %.*s", BYTES(keys[i]));
}

/* ---- Tables ---- */

/* While CREATE TABLE is read its arrays grow. They are kept in the statement as items and
 * count; the capacity follows from the count, because it doubles from VEC_FIRST. */
static struct vec reopen(const void *items, uint32_t count)
{
    uint32_t capacity = count ? VEC_FIRST : 0;

    assert(items || !count);
    while (capacity < count)
        capacity *= 2;
    return (struct vec){ (void *)(uintptr_t)items, count, capacity };
}

/* A column of CREATE TABLE, maybe with PRIMARY KEY behind it. */
void build_table_column(struct parse *p, struct create_table_statement *table, const struct column_spec *column)
{
    struct vec columns = vec_append(p, reopen(table->columns, table->column_count), column, sizeof(*column));

    VEC_STORE(table, columns, column_count, columns);
    if (column->is_primary_key) {
        struct vec key = vec_new(p, column->name);

        build_table_key(p, table, build_primary_key(p, key, VEC_EMPTY));
    }
}

/* Counts primary keys, so that schema/ can refuse a table with none or several. */
void build_table_key(struct parse *p, struct create_table_statement *table, const struct primary_key_spec *key)
{
    assert(key->partition_count);
    (void)p;
    table->primary_key_count++;
    table->primary_key = *key;
}

/* PRIMARY KEY ((partition), clustering). */
struct primary_key_spec *build_primary_key(struct parse *p, struct vec partition, struct vec clustering)
{
    struct primary_key_spec *key = NODE(p, primary_key_spec);

    assert(partition.count);
    VEC_STORE(key, partition, partition_count, partition);
    VEC_STORE(key, clustering, clustering_count, clustering);
    return key;
}

/* CLUSTERING ORDER BY may be written several times; the orders add up. */
void build_add_orders(struct parse *p, struct table_with *with, struct vec orders)
{
    const struct clustering_order *order = orders.items;

    for (uint32_t i = 0; i < orders.count; i++)
        with->orders = vec_append(p, with->orders, &order[i], sizeof(*order));
}

/* Moves what stands behind WITH into the statement. with NULL: nothing was written. */
void build_table_with(struct parse *p, const struct table_with *with, bool *compact, struct option_list *options,
                      const struct clustering_order **orders, uint32_t *order_count)
{
    (void)p;
    if (!with)
        return;
    *compact = with->compact;
    VEC_STORE(options, items, count, with->options);
    *orders = with->orders.items;
    *order_count = with->orders.count;
}

/* MASKED WITH function(arguments). */
const struct column_mask *build_mask(struct parse *p, struct qualified_name function, struct vec arguments)
{
    struct column_mask *mask = NODE(p, column_mask);

    mask->function = function;
    VEC_STORE(mask, arguments, argument_count, arguments);
    return mask;
}

/* One change of ALTER TABLE; the action fills in the rest. */
struct alter_table_statement *build_alter_table(struct parse *p, enum alter_table_kind kind)
{
    struct alter_table_statement *alter = NODE(p, alter_table_statement);

    alter->kind = kind;
    return alter;
}

/* ALTER TABLE ... ALTER column. */
struct alter_table_statement *build_alter_column(struct parse *p, enum alter_table_kind kind, struct bytes column,
                                                 const struct cql_type *type, const struct column_mask *mask,
                                                 bool if_exists)
{
    struct alter_table_statement *alter = build_alter_table(p, kind);
    struct column_spec spec = { .name = column, .type = type, .mask = mask };

    VEC_STORE(alter, columns, column_count, vec_new(p, spec));
    alter->if_column_exists = if_exists;
    return alter;
}

/* DROP column USING TIMESTAMP: no start means that it was not written. */
void build_drop_timestamp(struct parse *p, struct alter_table_statement *alter, struct lexeme timestamp)
{
    if (!timestamp.start)
        return;
    alter->has_timestamp = true;
    if (!integer_of(lexeme_bytes(timestamp), &alter->timestamp))
        parse_fail(p, "For input string: \"%.*s\"", BYTES(lexeme_bytes(timestamp)));
}

struct index_target *build_index_target(struct parse *p, enum index_target_kind kind, struct bytes column)
{
    struct index_target *target = NODE(p, index_target);

    *target = (struct index_target){ kind, column };
    return target;
}

/* Statements that are a name and perhaps IF EXISTS. */
struct cql_statement *build_named(struct parse *p, enum statement_kind kind, struct qualified_name name, bool if_exists)
{
    struct named_statement *s = NODE(p, named_statement);

    assert(kind == STATEMENT_TRUNCATE || kind == STATEMENT_DROP_TABLE || kind == STATEMENT_DROP_TYPE ||
           kind == STATEMENT_DROP_INDEX || kind == STATEMENT_DROP_VIEW);
    *s = (struct named_statement){ name, if_exists };
    return STATEMENT(p, kind, named, s);
}

/* arguments NULL: none were written, so any function of the name is meant. */
struct cql_statement *build_drop_function(struct parse *p, enum statement_kind kind, struct qualified_name name,
                                          bool if_exists, const struct vec *arguments)
{
    struct drop_function_statement *s = NODE(p, drop_function_statement);

    assert(kind == STATEMENT_DROP_FUNCTION || kind == STATEMENT_DROP_AGGREGATE);
    s->name = name;
    s->if_exists = if_exists;
    if (arguments) {
        s->has_arguments = true;
        VEC_STORE(s, arguments, argument_count, *arguments);
    }
    return STATEMENT(p, kind, drop_function, s);
}

/* ---- Roles ---- */

/* A role of which nothing is said yet. */
struct role_statement *build_no_role(struct parse *p)
{
    struct role_statement *role = NODE(p, role_statement);

    role->superuser = FLAG_UNSET;
    role->login = FLAG_UNSET;
    return role;
}

/* An option may be said once. */
static void once(struct parse *p, bool before, bool now, const char *name)
{
    if (before && now)
        parse_fail(p, "Multiple definition for property '%s'", name);
}

/* Joins two lists: ACCESS TO DATACENTERS may be written several times. */
static void append_strings(struct parse *p, struct string_list *list, const struct string_list *more)
{
    struct vec all = VEC_EMPTY;

    /* Neither list is changed: they are the grammar's values. */
    for (uint32_t i = 0; i < list->count; i++)
        all = vec_add(p, all, list->items[i]);
    for (uint32_t i = 0; i < more->count; i++)
        all = vec_add(p, all, more->items[i]);
    VEC_STORE(list, items, count, all);
}

/* Adds one option to those before it. Each option comes as a role of which only it is said,
 * so that the grammar needs one type for both. */
struct role_statement *build_role_options(struct parse *p, struct role_statement *role,
                                          const struct role_statement *option)
{
    if (!role)
        role = build_no_role(p);
    once(p, !bytes_is_null(role->password), !bytes_is_null(option->password), "PASSWORD");
    once(p, !bytes_is_null(role->hashed_password), !bytes_is_null(option->hashed_password), "HASHED_PASSWORD");
    once(p, role->superuser != FLAG_UNSET, option->superuser != FLAG_UNSET, "SUPERUSER");
    once(p, role->login != FLAG_UNSET, option->login != FLAG_UNSET, "LOGIN");
    once(p, role->options, option->options, "OPTIONS");
    if (!bytes_is_null(option->password))
        role->password = option->password;
    if (!bytes_is_null(option->hashed_password))
        role->hashed_password = option->hashed_password;
    if (option->superuser != FLAG_UNSET)
        role->superuser = option->superuser;
    if (option->login != FLAG_UNSET)
        role->login = option->login;
    if (option->options)
        role->options = option->options;
    role->all_datacenters |= option->all_datacenters;
    role->all_cidrs |= option->all_cidrs;
    if (option->datacenters.count)
        append_strings(p, &role->datacenters, &option->datacenters);
    if (option->cidrs.count)
        append_strings(p, &role->cidrs, &option->cidrs);
    return role;
}

/* CREATE and ALTER ROLE. role NULL: without options. */
struct cql_statement *build_role(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role)
{
    if (!role)
        role = build_no_role(p);
    /* Either could be meant. */
    if (!bytes_is_null(role->password) && !bytes_is_null(role->hashed_password))
        parse_fail(p, "Options 'password' and 'hashed password' are mutually exclusive");
    assert(kind == STATEMENT_CREATE_ROLE || kind == STATEMENT_ALTER_ROLE);
    role->name = name;
    role->if_exists = condition && kind == STATEMENT_ALTER_ROLE;
    role->if_not_exists = condition && kind == STATEMENT_CREATE_ROLE;
    return STATEMENT(p, kind, role, role);
}

/* CREATE USER is a role in older words; the printer must know which was written. */
struct cql_statement *build_user(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role)
{
    assert(role);
    role->is_user = true;
    return build_role(p, kind, name, condition, role);
}

struct cql_statement *build_drop_role(struct parse *p, struct bytes name, bool if_exists, bool is_user)
{
    struct drop_role_statement *s = NODE(p, drop_role_statement);

    *s = (struct drop_role_statement){ name, if_exists, is_user };
    return STATEMENT(p, STATEMENT_DROP_ROLE, drop_role, s);
}

/* LIST ROLES, LIST USERS. */
struct cql_statement *build_list_roles(struct parse *p, struct bytes grantee, bool users, bool no_recursive)
{
    struct list_roles_statement *s = NODE(p, list_roles_statement);

    *s = (struct list_roles_statement){ grantee, users, no_recursive };
    return STATEMENT(p, STATEMENT_LIST_ROLES, list_roles, s);
}

/* GRANT role TO role, REVOKE role FROM role. */
struct cql_statement *build_grant_role(struct parse *p, enum statement_kind kind, struct bytes role,
                                       struct bytes grantee)
{
    struct grant_role_statement *s = NODE(p, grant_role_statement);

    assert(kind == STATEMENT_GRANT_ROLE || kind == STATEMENT_REVOKE_ROLE);
    *s = (struct grant_role_statement){ role, grantee };
    return STATEMENT(p, kind, grant_role, s);
}

/* Which permissions there are on a resource, and Cassandra's name for the resource's class. */
static uint32_t applicable(enum resource_kind kind, const char **name)
{
    /* What Cassandra's DataResource, RoleResource, FunctionResource and JMXResource
     * list. */
    enum {
        TABLE = PERMISSION_ALTER | PERMISSION_DROP | PERMISSION_SELECT | PERMISSION_MODIFY | PERMISSION_AUTHORIZE |
                PERMISSION_UNMASK | PERMISSION_SELECT_MASKED,
        ROLE = PERMISSION_ALTER | PERMISSION_DROP | PERMISSION_AUTHORIZE | PERMISSION_DESCRIBE,
        FUNCTION = PERMISSION_ALTER | PERMISSION_DROP | PERMISSION_AUTHORIZE | PERMISSION_EXECUTE,
        MBEAN = PERMISSION_AUTHORIZE | PERMISSION_DESCRIBE | PERMISSION_EXECUTE | PERMISSION_MODIFY | PERMISSION_SELECT,
    };

    switch (kind) {
    case RESOURCE_NONE: break;
    case RESOURCE_ALL_KEYSPACES:
    case RESOURCE_KEYSPACE:
    case RESOURCE_ALL_TABLES: *name = "DataResource"; return TABLE | PERMISSION_CREATE;
    case RESOURCE_TABLE: *name = "DataResource"; return TABLE;
    case RESOURCE_ALL_ROLES: *name = "RoleResource"; return ROLE | PERMISSION_CREATE;
    case RESOURCE_ROLE: *name = "RoleResource"; return ROLE;
    case RESOURCE_ALL_FUNCTIONS:
    case RESOURCE_FUNCTIONS_IN: *name = "FunctionResource"; return FUNCTION | PERMISSION_CREATE;
    case RESOURCE_FUNCTION: *name = "FunctionResource"; return FUNCTION;
    case RESOURCE_ALL_MBEANS:
    case RESOURCE_MBEAN:
    case RESOURCE_MBEANS: *name = "JMXResource"; return MBEAN;
    }
    *name = "";
    return PERMISSION_ALL;
}

/* GRANT, REVOKE and LIST. At least one of the permissions must exist on the resource. */
struct cql_statement *build_permissions(struct parse *p, enum statement_kind kind, uint32_t permissions,
                                        const struct resource_spec *resource, struct bytes grantee, bool no_recursive)
{
    struct permissions_statement *s = NODE(p, permissions_statement);
    const char *name = "";

    assert(permissions);
    s->permissions = permissions;
    if (resource)
        s->resource = *resource;
    s->grantee = grantee;
    s->no_recursive = no_recursive;
    /* A permission that the resource does not have is left out silently, unless there
     * is no other. */
    if (kind != STATEMENT_LIST_PERMISSIONS && !(permissions & applicable(s->resource.kind, &name)))
        parse_fail(p, "Resource type %s does not support any of the requested permissions", name);
    return STATEMENT(p, kind, permissions, s);
}

/* What permissions are on; the action fills in its name. */
struct resource_spec *build_resource(struct parse *p, enum resource_kind kind)
{
    struct resource_spec *resource = NODE(p, resource_spec);

    resource->kind = kind;
    return resource;
}

/* domain:key=value,... perhaps with a * for the rest, as javax.management.ObjectName reads
 * it. */
static bool is_object_name(struct bytes name)
{
    const uint8_t *colon = name.size ? memchr(name.data, ':', name.size) : NULL;
    const uint8_t *end = name.data + name.size;
    const uint8_t *at = colon ? colon + 1 : NULL;

    if (!colon || at == end)
        return false;
    assert(at && at < end);
    for (;;) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
        const uint8_t *stop = comma ? comma : end;
        const uint8_t *equals = memchr(at, '=', (size_t)(stop - at));
        /* A star alone stands for the other keys. */
        bool rest = stop - at == 1 && *at == '*';

        if (!rest && (!equals || equals == at || equals + 1 == stop))
            return false;
        if (!comma)
            return true;
        at = comma + 1;
    }
}

/* Java's management objects, which helenus does not have; the statement is parsed to be
 * refused by name. */
struct resource_spec *build_mbean(struct parse *p, enum resource_kind kind, struct lexeme string)
{
    struct resource_spec *resource = build_resource(p, kind);
    struct bytes name = build_string(p, string);

    assert(kind == RESOURCE_MBEAN || kind == RESOURCE_MBEANS);
    resource->name.name = name;
    if (name.size == 0)
        parse_fail(p, "Empty JMX object name supplied");
    if (bytes_equal(name, BYTES_LITERAL("*:*")))
        parse_fail(p, "Please use ALL MBEANS instead of wildcard pattern");
    if (!is_object_name(name))
        parse_fail(p, "%.*s is not a valid JMX object name", BYTES(name));
    /* MBEANS is for patterns, MBEAN for one name. */
    if (kind == RESOURCE_MBEANS && !memchr(name.data, '*', name.size) && !memchr(name.data, '?', name.size))
        parse_fail(p, "Plural form used, but non-pattern JMX object name specified (%.*s)", BYTES(name));
    return resource;
}

/* ---- DESCRIBE ---- */

/* DESCRIBE of something; a name that is not given is NULL. */
struct describe_statement *build_describe(struct parse *p, enum describe_kind kind, struct qualified_name name)
{
    struct describe_statement *describe = NODE(p, describe_statement);

    describe->kind = kind;
    describe->name = name;
    return describe;
}

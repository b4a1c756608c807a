#include "cql/build.h"

#include "cql/grammar.h"
#include "cql/print.h"

#include <assert.h>
#include <stdlib.h>

enum { VEC_FIRST = 8, OPTIONS_MAX = 1024 };

static_assert(T_NEGATIVE_INFINITY < 256, "a term's word holds a token");

static const struct bytes NOTHING = { NULL, 0 };

struct vec vec_append(struct parse *p, struct vec vec, const void *item, size_t size)
{
    vec.items = arena_room(p->arena, vec.items, vec.count, &vec.capacity, VEC_FIRST, size);
    memcpy((uint8_t *)vec.items + vec.count * size, item, size);
    vec.count++;
    return vec;
}

/* ---- Names ---- */

struct bytes fold(struct lexeme lexeme)
{
    for (uint32_t i = 0; i < lexeme.size; i++)
        if (lexeme.start[i] >= 'A' && lexeme.start[i] <= 'Z')
            lexeme.start[i] |= 0x20;
    return lexeme_bytes(lexeme);
}

/* 'a''b' and "a""b", in place. */
static struct bytes unquote(struct lexeme lexeme)
{
    uint8_t quote = lexeme.start[0];
    uint8_t *from = lexeme.start + 1;
    uint8_t *end = lexeme.start + lexeme.size - 1;
    uint8_t *doubled = memchr(from, quote, (size_t)(end - from));
    uint8_t *to = doubled ? doubled : end;

    for (uint8_t *at = doubled; at && at < end; at++) {
        *to++ = *at;
        at += *at == quote;
    }
    return bytes_of(from, (size_t)(to - from));
}

enum option_flag truth(struct lexeme lexeme)
{
    return (lexeme.start[0] | 0x20) == 't' ? FLAG_TRUE : FLAG_FALSE;
}

struct bytes build_name(struct parse *p, struct lexeme lexeme)
{
    (void)p;
    return lexeme.token == T_QNAME ? unquote(lexeme) : fold(lexeme);
}

struct bytes build_string(struct parse *p, struct lexeme lexeme)
{
    (void)p;
    if (lexeme.start[0] == '$')
        return bytes_of(lexeme.start + 2, lexeme.size - 4);
    return unquote(lexeme);
}

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

struct bytes build_language(struct parse *p, struct lexeme lexeme)
{
    if (word_of(&lexeme) != WORD_PLAIN)
        parse_fail_at(p, lexeme);
    return fold(lexeme);
}

struct qualified_name build_type_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    static const char *const refused[] = { "byte", "complex", "enum", "interval", "macaddr", "bitstring" };
    enum word word = word_of(&name);
    struct qualified_name result = { NOTHING, NOTHING };

    if (word == WORD_NATIVE || (word == WORD_SPECIAL && name.token != T_KEY))
        parse_fail_at(p, name);
    if (word == WORD_PLAIN)
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
            if (bytes_equal(lexeme_bytes(name), bytes_of_string(refused[i])))
                parse_fail(p, "Invalid (reserved) user type name %s", refused[i]);
    if (keyspace)
        result.keyspace = build_name(p, *keyspace);
    result.name = build_name(p, name);
    return result;
}

struct qualified_name build_function_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    struct qualified_name result = { NOTHING, NOTHING };

    if (word_of(&name) == WORD_SPECIAL && name.token != T_COUNT)
        parse_fail_at(p, name);
    if (keyspace)
        result.keyspace = build_name(p, *keyspace);
    result.name = build_name(p, name);
    return result;
}

/* ---- Types ---- */

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

static struct cql_type *new_type(struct parse *p, enum type_kind kind)
{
    struct cql_type *type = NODE(p, cql_type);

    type->kind = kind;
    type->depth = 1;
    return type;
}

const struct cql_type *build_named_type(struct parse *p, const struct lexeme *keyspace, struct lexeme name)
{
    struct cql_type *type = new_type(p, TYPE_UDT);

    if (!keyspace && native_kind(name.token, &type->kind))
        return type;
    type->name = build_type_name(p, keyspace, name);
    return type;
}

const struct cql_type *build_custom_type(struct parse *p, struct lexeme name)
{
    struct cql_type *type = new_type(p, TYPE_CUSTOM);

    type->name.name = build_string(p, name);
    return type;
}

static bool integer_of(struct bytes text, int64_t *value)
{
    bool negative = text.size && text.data[0] == '-';
    int64_t result = 0;

    for (size_t i = negative; i < text.size; i++) {
        if (__builtin_mul_overflow(result, 10, &result) || __builtin_sub_overflow(result, text.data[i] - '0', &result))
            return false;
    }
    /* counted below zero, where there is one number more */
    if (!negative && __builtin_sub_overflow(0, result, &result))
        return false;
    *value = result;
    return true;
}

const struct cql_type *build_type(struct parse *p, enum type_kind kind, struct vec params,
                                  const struct lexeme *dimension)
{
    struct cql_type *type = new_type(p, kind);

    VEC_STORE(type, params, param_count, params);
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type->depth <= type->params[i]->depth)
            type->depth = (uint16_t)(type->params[i]->depth + 1);
    if (type->depth > CQL_DEPTH_MAX)
        parse_fail(p, "types are nested more than %d deep", CQL_DEPTH_MAX);
    if (dimension) {
        int64_t value;

        if (!integer_of(lexeme_bytes(*dimension), &value) || value > INT32_MAX || value < INT32_MIN)
            parse_fail(p, "For input string: \"%.*s\"", BYTES(lexeme_bytes(*dimension)));
        else
            type->dimension = value > 0 ? (uint32_t)value : 0;
    }
    return type;
}

const struct cql_type *build_frozen(struct parse *p, const struct cql_type *type)
{
    struct cql_type *frozen = NODE(p, cql_type);

    *frozen = *type;
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_VECTOR:
    case TYPE_UDT:
    case TYPE_CUSTOM: frozen->frozen = true; break;
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

static struct term *new_term(struct parse *p, enum term_kind kind)
{
    struct term *term = NODE(p, term);

    term->kind = kind;
    term->depth = 1;
    return term;
}

static void deepen(struct parse *p, struct term *term, uint16_t below)
{
    if (term->depth <= below)
        term->depth = (uint16_t)(below + 1);
    if (term->depth > CQL_DEPTH_MAX)
        parse_fail(p, "terms are nested more than %d deep", CQL_DEPTH_MAX);
}

static void set_items(struct parse *p, struct term *term, const struct term *const *items, uint32_t count)
{
    term->items = items;
    term->item_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (items[i])
            deepen(p, term, items[i]->depth);
}

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

const struct term *build_marker(struct parse *p, struct bytes name)
{
    struct term *term = new_term(p, TERM_MARKER);

    term->marker.index = p->markers.count;
    term->marker.name = name;
    p->markers = vec_add(p, p->markers, name);
    return term;
}

const struct term *build_items(struct parse *p, enum term_kind kind, struct vec items)
{
    struct term *term = new_term(p, kind);

    set_items(p, term, items.items, items.count);
    return term;
}

static struct term *with_items(struct parse *p, enum term_kind kind, const struct term *a, const struct term *b,
                               const struct term *c, uint32_t count)
{
    struct term *term = new_term(p, kind);
    const struct term **items = arena_new_array(p->arena, const struct term *, count);
    const struct term *const given[] = { a, b, c };

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

const struct term *build_udt(struct parse *p, struct vec fields)
{
    struct term *term = new_term(p, TERM_UDT);
    const struct field *field = fields.items;
    struct bytes *names = arena_new_array(p->arena, struct bytes, fields.count);
    const struct term **values = arena_new_array(p->arena, const struct term *, fields.count);

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

/* In WHERE and VALUES, Cassandra casts simple terms only. */
const struct term *build_cast(struct parse *p, const struct term *a, struct lexeme type, bool selector)
{
    struct term *term = with_items(p, TERM_CAST, a, NULL, NULL, 1);
    enum type_kind kind;

    if (!selector && (a->kind == TERM_OPERATION || a->kind == TERM_NEGATE))
        parse_fail_at(p, type);
    if (!native_kind(type.token, &kind)) {
        parse_fail_at(p, type);
        kind = TYPE_BLOB;
    }
    term->type = new_type(p, kind);
    return term;
}

const struct term *build_hint(struct parse *p, const struct cql_type *type, const struct term *a)
{
    struct term *term = with_items(p, TERM_HINT, a, NULL, NULL, 1);

    term->type = type;
    deepen(p, term, type->depth);
    return term;
}

/* ---- Selectors ---- */

const struct term *build_column(struct parse *p, struct lexeme name)
{
    struct term *term = new_term(p, TERM_COLUMN);

    term->word = (uint8_t)name.token;
    term->column = build_name(p, name);
    return term;
}

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
    while (term->kind == TERM_FIELD || term->kind == TERM_ELEMENT || term->kind == TERM_SLICE)
        term = term->items[0];
    return term->kind == TERM_COLUMN;
}

/* The function a selector before "(" names, and behind how many hints it stands. */
static const struct term *named_function(const struct term *callee, struct qualified_name *name, uint32_t *word)
{
    const struct term *outer = callee->kind == TERM_FIELD ? callee->items[0] : callee;
    const struct term *column = outer;

    while (column->kind == TERM_HINT)
        column = column->items[0];
    if (column->kind != TERM_COLUMN)
        return NULL;
    *word = callee->kind == TERM_FIELD ? callee->word : column->word;
    *name = callee->kind == TERM_FIELD ? (struct qualified_name){ column->column, callee->column }
                                       : (struct qualified_name){ NOTHING, column->column };
    return outer;
}

static enum term_kind cell_function(uint32_t word)
{
    switch (word) {
    case T_TTL: return TERM_TTL;
    case T_WRITETIME: return TERM_WRITETIME;
    case T_MAXWRITETIME: return TERM_MAXWRITETIME;
    default: return TERM_FUNCTION;
    }
}

/* "(int) f" before its "(" was read as a hint on a column: the hint is the call's. */
static const struct term *rehint(struct parse *p, const struct term *outer, const struct term *call)
{
    if (outer->kind != TERM_HINT)
        return call;
    return build_hint(p, outer->type, rehint(p, outer->items[0], call));
}

const struct term *build_selector_call(struct parse *p, const struct term *callee, struct lexeme paren,
                                       struct vec arguments)
{
    struct qualified_name name = { NOTHING, NOTHING };
    uint32_t word = 0;
    const struct term *outer = named_function(callee, &name, &word);
    const struct term *const *items = arguments.items;
    enum term_kind kind = cell_function(word);
    struct lexeme named = { .token = word };

    if (kind != TERM_FUNCTION && outer && bytes_is_null(name.keyspace)) {
        if (arguments.count != 1 || !is_column_path(items[0]))
            parse_fail_at(p, paren);
        return rehint(p, outer, build_items(p, kind, arguments));
    }
    if (!outer || (word_of(&named) == WORD_SPECIAL && word != T_COUNT)) {
        parse_fail_at(p, paren);
        return callee;
    }
    return rehint(p, outer, build_call(p, name, arguments));
}

const struct term *build_count_rows(struct parse *p, const struct term *callee, struct lexeme paren)
{
    struct qualified_name name = { NOTHING, NOTHING };
    uint32_t word = 0;
    const struct term *outer = named_function(callee, &name, &word);

    if (!outer || word != T_COUNT || !bytes_is_null(name.keyspace)) {
        parse_fail_at(p, paren);
        return callee;
    }
    return rehint(p, outer, new_term(p, TERM_COUNT_ROWS));
}

struct selector *build_selector(struct parse *p, const struct term *term, struct bytes alias)
{
    struct selector *selector = NODE(p, selector);

    *selector = (struct selector){ term, alias };
    return selector;
}

/* ---- WHERE, IF, SET ---- */

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

/* (a, b) IN (...): tuples or markers, not both. */
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

struct cql_deletion *build_target(struct parse *p, struct bytes column)
{
    struct cql_deletion *target = NODE(p, cql_deletion);

    target->column = column;
    return target;
}

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

struct assignment *build_assignment(struct parse *p, enum assignment_kind kind, struct bytes column,
                                    const struct term *value)
{
    struct assignment *assignment = NODE(p, assignment);

    *assignment = (struct assignment){ .kind = kind, .column = column, .value = value };
    return assignment;
}

void build_same_column(struct parse *p, struct bytes column, struct bytes other, const char *form)
{
    if (!bytes_equal(column, other))
        parse_fail(p, "Only expressions of the form X = %s are supported.", form);
}

static int compare_assignments(const void *a, const void *b)
{
    const struct assignment *x = *(const struct assignment *const *)a;
    const struct assignment *y = *(const struct assignment *const *)b;
    int order = bytes_compare(x->column, y->column);

    /* a whole value first, then fields, each field's together */
    if (!order)
        order = (y->kind == ASSIGN_SET) - (x->kind == ASSIGN_SET);
    if (!order)
        order = (y->kind == ASSIGN_FIELD) - (x->kind == ASSIGN_FIELD);
    if (!order && x->kind == ASSIGN_FIELD)
        order = bytes_compare(x->field, y->field);
    return order;
}

/* A column set as a whole, or a field, is set once. */
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
        if (a->kind == ASSIGN_SET ||
            (a->kind == ASSIGN_FIELD && b->kind == ASSIGN_FIELD && bytes_equal(a->field, b->field)))
            parse_fail(p, "Multiple incompatible setting of column %.*s", BYTES(a->column));
    }
}

/* ---- Options ---- */

struct cql_option *build_option(struct parse *p, struct bytes name, const struct term *value)
{
    struct cql_option *option = NODE(p, cql_option);

    *option = (struct cql_option){ name, value };
    return option;
}

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

const struct term *build_keyword_value(struct parse *p, struct lexeme word)
{
    if (word.token == T_QNAME || word_of(&word) == WORD_PLAIN)
        parse_fail_at(p, word);
    return build_literal(p, LITERAL_STRING, build_name(p, word));
}

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

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

void build_check_map(struct parse *p, const struct term *map, bool nested)
{
    uint32_t count = map->item_count / 2;
    struct bytes *keys;

    if (map->kind != TERM_MAP)
        return;
    keys = arena_alloc(p->arena, count * sizeof(*keys));
    for (uint32_t i = 0; i < count; i++) {
        const struct term *key = map->items[2 * i];
        const struct term *value = map->items[2 * i + 1];
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
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (uint32_t i = 1; i < count; i++)
        if (bytes_equal(keys[i - 1], keys[i]))
            parse_fail(p, "Multiple definition for property %.*s", BYTES(keys[i]));
}

/* ---- Tables ---- */

/* While a table is read, its arrays are vectors of a capacity that doubles from VEC_FIRST: what the count tells. */
static struct vec reopen(const void *items, uint32_t count)
{
    uint32_t capacity = count ? VEC_FIRST : 0;

    while (capacity < count)
        capacity *= 2;
    return (struct vec){ (void *)(uintptr_t)items, count, capacity };
}

void build_table_column(struct parse *p, struct create_table_statement *table, const struct column_spec *column)
{
    struct vec columns = vec_append(p, reopen(table->columns, table->column_count), column, sizeof(*column));

    VEC_STORE(table, columns, column_count, columns);
    if (column->is_primary_key) {
        struct vec key = vec_new(p, column->name);

        build_table_key(p, table, build_primary_key(p, key, VEC_EMPTY));
    }
}

void build_table_key(struct parse *p, struct create_table_statement *table, const struct primary_key_spec *key)
{
    (void)p;
    table->primary_key_count++;
    table->primary_key = *key;
}

struct primary_key_spec *build_primary_key(struct parse *p, struct vec partition, struct vec clustering)
{
    struct primary_key_spec *key = NODE(p, primary_key_spec);

    VEC_STORE(key, partition, partition_count, partition);
    VEC_STORE(key, clustering, clustering_count, clustering);
    return key;
}

void build_add_orders(struct parse *p, struct table_with *with, struct vec orders)
{
    const struct clustering_order *order = orders.items;

    for (uint32_t i = 0; i < orders.count; i++)
        with->orders = vec_append(p, with->orders, &order[i], sizeof(*order));
}

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

const struct column_mask *build_mask(struct parse *p, struct qualified_name function, struct vec arguments)
{
    struct column_mask *mask = NODE(p, column_mask);

    mask->function = function;
    VEC_STORE(mask, arguments, argument_count, arguments);
    return mask;
}

struct alter_table_statement *build_alter_table(struct parse *p, enum alter_table_kind kind)
{
    struct alter_table_statement *alter = NODE(p, alter_table_statement);

    alter->kind = kind;
    return alter;
}

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

struct cql_statement *build_named(struct parse *p, enum statement_kind kind, struct qualified_name name, bool if_exists)
{
    struct named_statement *s = NODE(p, named_statement);

    *s = (struct named_statement){ name, if_exists };
    return STATEMENT(p, kind, named, s);
}

struct cql_statement *build_drop_function(struct parse *p, enum statement_kind kind, struct qualified_name name,
                                          bool if_exists, const struct vec *arguments)
{
    struct drop_function_statement *s = NODE(p, drop_function_statement);

    s->name = name;
    s->if_exists = if_exists;
    if (arguments) {
        s->has_arguments = true;
        VEC_STORE(s, arguments, argument_count, *arguments);
    }
    return STATEMENT(p, kind, drop_function, s);
}

/* ---- Roles ---- */

struct role_statement *build_no_role(struct parse *p)
{
    struct role_statement *role = NODE(p, role_statement);

    role->superuser = FLAG_UNSET;
    role->login = FLAG_UNSET;
    return role;
}

static void once(struct parse *p, bool before, bool now, const char *name)
{
    if (before && now)
        parse_fail(p, "Multiple definition for property '%s'", name);
}

static void append_strings(struct parse *p, struct string_list *list, const struct string_list *more)
{
    struct vec all = VEC_EMPTY;

    for (uint32_t i = 0; i < list->count; i++)
        all = vec_add(p, all, list->items[i]);
    for (uint32_t i = 0; i < more->count; i++)
        all = vec_add(p, all, more->items[i]);
    VEC_STORE(list, items, count, all);
}

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

struct cql_statement *build_role(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role)
{
    if (!role)
        role = build_no_role(p);
    if (!bytes_is_null(role->password) && !bytes_is_null(role->hashed_password))
        parse_fail(p, "Options 'password' and 'hashed password' are mutually exclusive");
    role->name = name;
    role->if_exists = condition && kind == STATEMENT_ALTER_ROLE;
    role->if_not_exists = condition && kind == STATEMENT_CREATE_ROLE;
    return STATEMENT(p, kind, role, role);
}

struct cql_statement *build_user(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role)
{
    role->is_user = true;
    return build_role(p, kind, name, condition, role);
}

struct cql_statement *build_drop_role(struct parse *p, struct bytes name, bool if_exists, bool is_user)
{
    struct drop_role_statement *s = NODE(p, drop_role_statement);

    *s = (struct drop_role_statement){ name, if_exists, is_user };
    return STATEMENT(p, STATEMENT_DROP_ROLE, drop_role, s);
}

struct cql_statement *build_list_roles(struct parse *p, struct bytes grantee, bool users, bool no_recursive)
{
    struct list_roles_statement *s = NODE(p, list_roles_statement);

    *s = (struct list_roles_statement){ grantee, users, no_recursive };
    return STATEMENT(p, STATEMENT_LIST_ROLES, list_roles, s);
}

struct cql_statement *build_grant_role(struct parse *p, enum statement_kind kind, struct bytes role,
                                       struct bytes grantee)
{
    struct grant_role_statement *s = NODE(p, grant_role_statement);

    *s = (struct grant_role_statement){ role, grantee };
    return STATEMENT(p, kind, grant_role, s);
}

/* What may be granted on what, and Cassandra's name for the what. */
static uint32_t applicable(enum resource_kind kind, const char **name)
{
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

struct cql_statement *build_permissions(struct parse *p, enum statement_kind kind, uint32_t permissions,
                                        const struct resource_spec *resource, struct bytes grantee, bool no_recursive)
{
    struct permissions_statement *s = NODE(p, permissions_statement);
    const char *name = "";

    s->permissions = permissions;
    if (resource)
        s->resource = *resource;
    s->grantee = grantee;
    s->no_recursive = no_recursive;
    if (kind != STATEMENT_LIST_PERMISSIONS && !(permissions & applicable(s->resource.kind, &name)))
        parse_fail(p, "Resource type %s does not support any of the requested permissions", name);
    return STATEMENT(p, kind, permissions, s);
}

struct resource_spec *build_resource(struct parse *p, enum resource_kind kind)
{
    struct resource_spec *resource = NODE(p, resource_spec);

    resource->kind = kind;
    return resource;
}

/* domain:key=value,... or with a * for the rest, as javax.management.ObjectName reads it. */
static bool is_object_name(struct bytes name)
{
    const uint8_t *colon = name.size ? memchr(name.data, ':', name.size) : NULL;
    const uint8_t *end = name.data + name.size;
    const uint8_t *at = colon ? colon + 1 : NULL;

    if (!colon || at == end)
        return false;
    for (;;) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
        const uint8_t *stop = comma ? comma : end;
        const uint8_t *equals = memchr(at, '=', (size_t)(stop - at));
        bool rest = stop - at == 1 && *at == '*';

        if (!rest && (!equals || equals == at || equals + 1 == stop))
            return false;
        if (!comma)
            return true;
        at = comma + 1;
    }
}

struct resource_spec *build_mbean(struct parse *p, enum resource_kind kind, struct lexeme string)
{
    struct resource_spec *resource = build_resource(p, kind);
    struct bytes name = build_string(p, string);

    resource->name.name = name;
    if (name.size == 0)
        parse_fail(p, "Empty JMX object name supplied");
    if (bytes_equal(name, BYTES_LITERAL("*:*")))
        parse_fail(p, "Please use ALL MBEANS instead of wildcard pattern");
    if (!is_object_name(name))
        parse_fail(p, "%.*s is not a valid JMX object name", BYTES(name));
    if (kind == RESOURCE_MBEANS && !memchr(name.data, '*', name.size) && !memchr(name.data, '?', name.size))
        parse_fail(p, "Plural form used, but non-pattern JMX object name specified (%.*s)", BYTES(name));
    return resource;
}

/* ---- DESCRIBE ---- */

struct describe_statement *build_describe(struct parse *p, enum describe_kind kind, struct qualified_name name)
{
    struct describe_statement *describe = NODE(p, describe_statement);

    describe->kind = kind;
    describe->name = name;
    return describe;
}

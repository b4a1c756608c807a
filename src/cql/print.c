/* Statements as canonical text, for error messages and for the tests: parsing what is printed gives
 * the same statement, which parse_fuzz.c tries on anything. So whatever could be read otherwise is
 * written so that it cannot: a name that is a keyword at its place is quoted, and signs that would
 * join are kept apart. */
#include "cql/print.h"

#include "cql/parse.h"

#include <assert.h>
#include <inttypes.h>

/* ---- Words ---- */

/* Words and signs of CQL's own. */
static void put(struct buffer *out, const char *text)
{
    buffer_append_string(out, text);
}

/* A quote inside is doubled. */
static void put_quoted(struct buffer *out, struct bytes text, char quote)
{
    buffer_append_u8(out, (uint8_t)quote);
    /* As CQL does, not with a backslash. */
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == quote)
            buffer_append_u8(out, (uint8_t)quote);
        buffer_append_u8(out, text.data[i]);
    }
    buffer_append_u8(out, (uint8_t)quote);
}

void cql_print_string(struct buffer *out, struct bytes text)
{
    put_quoted(out, text, '\'');
}

/* keyspace.name, or name alone. */
static void put_name(struct buffer *out, struct qualified_name name)
{
    assert(name.name.data);
    if (!bytes_is_null(name.keyspace)) {
        identifier_print(out, name.keyspace);
        put(out, ".");
    }
    identifier_print(out, name.name);
}

/* Functions, types and columns before "(" may not be called as every unreserved word may;
 * quoted, they may have any name. `words` are those that must be quoted here. */
static void put_strict(struct buffer *out, struct bytes name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(name, bytes_of_string(words[i]))) {
            /* As a keyword it would mean something else here. */
            put_quoted(out, name, '"');
            return;
        }
    }
    identifier_print(out, name);
}

/* token is a keyword with a rule of its own: quoted it would be another function. */
static void put_function(struct buffer *out, struct qualified_name name)
{
    static const char *const words[] = {
        "ttl", "writetime", "maxwritetime", "key", "cast", "json", "distinct", "expr"
    };

    if (!bytes_is_null(name.keyspace)) {
        identifier_print(out, name.keyspace);
        put(out, ".");
    }
    if (bytes_equal(name.name, BYTES_LITERAL("token")))
        put(out, "token");
    else
        put_strict(out, name.name, words, ARRAY_SIZE(words));
}

/* Names of native types mean these unless they are quoted. */
static void put_type_name(struct buffer *out, struct qualified_name name)
{
    static const char *const words[] = {
        "ascii",    "bigint", "blob",     "boolean", "counter",   "decimal",   "double",       "duration", "float",
        "inet",     "int",    "smallint", "text",    "timestamp", "tinyint",   "uuid",         "varchar",  "varint",
        "timeuuid", "date",   "time",     "ttl",     "count",     "writetime", "maxwritetime", "cast",     "json",
        "distinct", "byte",   "complex",  "enum",    "interval",  "macaddr",   "bitstring",
    };

    if (!bytes_is_null(name.keyspace)) {
        identifier_print(out, name.keyspace);
        put(out, ".");
    }
    put_strict(out, name.name, words, ARRAY_SIZE(words));
}

/* Between the items of a list. */
static void put_comma(struct buffer *out, uint32_t i)
{
    if (i)
        put(out, ", ");
}

static void put_names(struct buffer *out, const struct bytes *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put_comma(out, i);
        identifier_print(out, names[i]);
    }
}

/* A word that stands there or not. */
static void put_if(struct buffer *out, bool condition, const char *text)
{
    if (condition)
        put(out, text);
}

/* ---- Types ---- */

/* Types with parameters bring their "<" along. */
static const char *native_name(enum type_kind kind)
{
    switch (kind) {
    case TYPE_ASCII: return "ascii";
    case TYPE_BIGINT: return "bigint";
    case TYPE_BLOB: return "blob";
    case TYPE_BOOLEAN: return "boolean";
    case TYPE_COUNTER: return "counter";
    case TYPE_DECIMAL: return "decimal";
    case TYPE_DOUBLE: return "double";
    case TYPE_FLOAT: return "float";
    case TYPE_INT: return "int";
    case TYPE_TIMESTAMP: return "timestamp";
    case TYPE_UUID: return "uuid";
    case TYPE_TEXT: return "text";
    case TYPE_VARINT: return "varint";
    case TYPE_TIMEUUID: return "timeuuid";
    case TYPE_INET: return "inet";
    case TYPE_DATE: return "date";
    case TYPE_TIME: return "time";
    case TYPE_SMALLINT: return "smallint";
    case TYPE_TINYINT: return "tinyint";
    case TYPE_DURATION: return "duration";
    case TYPE_LIST: return "list<";
    case TYPE_SET: return "set<";
    case TYPE_MAP: return "map<";
    case TYPE_TUPLE: return "tuple<";
    case TYPE_VECTOR: return "vector<";
    case TYPE_CUSTOM:
    case TYPE_EMPTY:
    case TYPE_UDT: break;
    }
    return "";
}

static void put_types(struct buffer *out, const struct cql_type *const *types, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put_comma(out, i);
        cql_print_type(out, types[i]);
    }
}

/* A type as it is written in CQL, with frozen<> where it was said. */
void cql_print_type(struct buffer *out, const struct cql_type *type)
{
    assert(!type->param_count || type->params);
    put_if(out, type->frozen, "frozen<");
    if (type->kind == TYPE_UDT)
        put_type_name(out, type->name);
    else if (type->kind == TYPE_CUSTOM)
        cql_print_string(out, type->name.name);
    else
        put(out, native_name(type->kind));
    if (type->param_count) {
        put_types(out, type->params, type->param_count);
        /* The dimension stands behind the element. */
        if (type->kind == TYPE_VECTOR)
            buffer_printf(out, ", %u", type->dimension);
        put(out, ">");
    }
    put_if(out, type->frozen, ">");
}

/* ---- Terms ---- */

static void put_terms(struct buffer *out, const struct term *const *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put_comma(out, i);
        cql_print_term(out, terms[i]);
    }
}

/* name(a, b); with an empty name a tuple. */
static void put_call(struct buffer *out, const char *name, const struct term *term)
{
    put(out, name);
    put(out, "(");
    put_terms(out, term->items, term->item_count);
    put(out, ")");
}

/* All constants but strings are kept as they were written. */
static void put_literal(struct buffer *out, enum literal_kind kind, struct bytes text)
{
    if (kind == LITERAL_STRING)
        cql_print_string(out, text);
    else
        buffer_append_bytes(out, text);
}

/* `?`, or `:name`. */
static void put_marker(struct buffer *out, struct bytes name)
{
    if (bytes_is_null(name)) {
        put(out, "?");
    } else {
        put(out, ":");
        identifier_print(out, name);
    }
}

/* {k: v}: keys and values alternate. */
static void put_map(struct buffer *out, const struct term *term)
{
    put(out, "{");
    for (uint32_t i = 0; i < term->item_count; i++) {
        put(out, i == 0 ? "" : i % 2 ? ": " : ", ");
        cql_print_term(out, term->items[i]);
    }
    put(out, "}");
}

/* {field: v}, with a name for each item. */
static void put_udt(struct buffer *out, const struct term *term)
{
    put(out, "{");
    for (uint32_t i = 0; i < term->item_count; i++) {
        put_comma(out, i);
        identifier_print(out, term->field_names[i]);
        put(out, ": ");
        cql_print_term(out, term->items[i]);
    }
    put(out, "}");
}

/* v[a..b]. Either end may be open: it is NULL then. */
static void put_slice(struct buffer *out, const struct term *term)
{
    assert(term->item_count == 3);
    cql_print_term(out, term->items[0]);
    put(out, "[");
    if (term->items[1])
        cql_print_term(out, term->items[1]);
    /* Apart: "1. .. 2" must not be read as "1 ... 2". */
    put(out, " .. ");
    if (term->items[2])
        cql_print_term(out, term->items[2]);
    put(out, "]");
}

/* CAST(x AS type) makes another value of x; the hint (type) x only says what x is. */
static void put_cast(struct buffer *out, const struct term *term)
{
    if (term->kind == TERM_CAST) {
        put(out, "CAST(");
        cql_print_term(out, term->items[0]);
        put(out, " AS ");
        cql_print_type(out, term->type);
        put(out, ")");
    } else {
        put(out, "(");
        cql_print_type(out, term->type);
        put(out, ") ");
        cql_print_term(out, term->items[0]);
    }
}

/* A term; parentheses of the text are tuples of one, so they are printed as such, and
 * operators need no more of them. */
void cql_print_term(struct buffer *out, const struct term *term)
{
    const struct term *const *items = term->items;

    assert(!term->item_count || items);
    switch (term->kind) {
    case TERM_LITERAL: put_literal(out, term->literal.kind, term->literal.text); break;
    case TERM_NULL: put(out, "NULL"); break;
    case TERM_MARKER: put_marker(out, term->marker.name); break;
    case TERM_LIST:
        put(out, "[");
        put_terms(out, items, term->item_count);
        put(out, "]");
        break;
    case TERM_SET:
        put(out, "{");
        put_terms(out, items, term->item_count);
        put(out, "}");
        break;
    case TERM_MAP: put_map(out, term); break;
    case TERM_UDT: put_udt(out, term); break;
    case TERM_TUPLE: put_call(out, "", term); break;
    case TERM_FUNCTION:
        put_function(out, term->function);
        put_call(out, "", term);
        break;
    case TERM_CAST:
    case TERM_HINT: put_cast(out, term); break;
    case TERM_NEGATE:
        /* Apart: "--" would begin a comment, and "-1" would be one number. */
        put(out, "- ");
        cql_print_term(out, items[0]);
        break;
    case TERM_OPERATION:
        cql_print_term(out, items[0]);
        buffer_printf(out, " %c ", term->op);
        cql_print_term(out, items[1]);
        break;
    case TERM_COLUMN: identifier_print(out, term->column); break;
    case TERM_FIELD:
        cql_print_term(out, items[0]);
        put(out, ".");
        identifier_print(out, term->column);
        break;
    case TERM_ELEMENT:
        cql_print_term(out, items[0]);
        put(out, "[");
        cql_print_term(out, items[1]);
        put(out, "]");
        break;
    case TERM_SLICE: put_slice(out, term); break;
    /* The only call with a star. */
    case TERM_COUNT_ROWS: put(out, "count(*)"); break;
    case TERM_WRITETIME: put_call(out, "writetime", term); break;
    case TERM_MAXWRITETIME: put_call(out, "maxwritetime", term); break;
    case TERM_TTL: put_call(out, "ttl", term); break;
    }
}

/* ---- WHERE and IF ---- */

/* With its spaces. */
static const char *operator_text(enum cql_operator op)
{
    switch (op) {
    case OPERATOR_EQ: return " = ";
    case OPERATOR_NE: return " != ";
    case OPERATOR_LT: return " < ";
    case OPERATOR_LE: return " <= ";
    case OPERATOR_GT: return " > ";
    case OPERATOR_GE: return " >= ";
    case OPERATOR_IN: return " IN ";
    case OPERATOR_CONTAINS: return " CONTAINS ";
    case OPERATOR_CONTAINS_KEY: return " CONTAINS KEY ";
    case OPERATOR_LIKE: return " LIKE ";
    case OPERATOR_IS_NOT_NULL: return " IS NOT NULL";
    }
    return "";
}

/* The operator and what stands on its right. */
static void put_operand(struct buffer *out, enum cql_operator op, const struct term *value,
                        const struct term *const *values, uint32_t count)
{
    assert(!value || !count);
    put(out, operator_text(op));
    if (value) {
        cql_print_term(out, value);
        /* A list in parentheses, which may be empty. */
    } else if (op == OPERATOR_IN) {
        put(out, "(");
        put_terms(out, values, count);
        put(out, ")");
    }
}

/* Error messages of the planner show relations, too. */
void cql_print_relation(struct buffer *out, const struct relation *relation)
{
    assert(relation->kind == RELATION_EXPRESSION || relation->column_count);
    switch (relation->kind) {
    case RELATION_COLUMN: identifier_print(out, relation->columns[0]); break;
    case RELATION_ELEMENT:
        identifier_print(out, relation->columns[0]);
        put(out, "[");
        cql_print_term(out, relation->key);
        put(out, "]");
        break;
    case RELATION_TUPLE:
    case RELATION_TOKEN:
        put(out, relation->kind == RELATION_TOKEN ? "token(" : "(");
        put_names(out, relation->columns, relation->column_count);
        put(out, ")");
        break;
    /* It has no operator. */
    case RELATION_EXPRESSION:
        put(out, "expr(");
        identifier_print(out, relation->index);
        put(out, ", ");
        cql_print_term(out, relation->value);
        put(out, ")");
        return;
    }
    put_operand(out, relation->op, relation->value, relation->values, relation->value_count);
}

static void put_where(struct buffer *out, const struct relation *relations, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(out, i ? " AND " : " WHERE ");
        cql_print_relation(out, &relations[i]);
    }
}

/* A column, or an element or a field of it. */
static void put_target(struct buffer *out, struct bytes column, const struct term *element, struct bytes field)
{
    identifier_print(out, column);
    if (element) {
        put(out, "[");
        cql_print_term(out, element);
        put(out, "]");
    }
    if (!bytes_is_null(field)) {
        put(out, ".");
        identifier_print(out, field);
    }
}

static void put_conditions(struct buffer *out, bool if_exists, const struct cql_condition *conditions, uint32_t count)
{
    put_if(out, if_exists, " IF EXISTS");
    for (uint32_t i = 0; i < count; i++) {
        const struct cql_condition *c = &conditions[i];

        put(out, i ? " AND " : " IF ");
        put_target(out, c->column, c->element, c->field);
        put_operand(out, c->op, c->value, c->values, c->value_count);
    }
}

/* USING TIMESTAMP comes first, in whichever order they were written. */
static void put_using(struct buffer *out, const struct using_clause *using_clause)
{
    if (using_clause->timestamp) {
        put(out, " USING TIMESTAMP ");
        cql_print_term(out, using_clause->timestamp);
    }
    if (using_clause->ttl) {
        put(out, using_clause->timestamp ? " AND TTL " : " USING TTL ");
        cql_print_term(out, using_clause->ttl);
    }
}

/* ---- Data ---- */

/* No selectors are `*`. */
static void put_selectors(struct buffer *out, const struct selector *selectors, uint32_t count)
{
    put_if(out, count == 0, "*");
    for (uint32_t i = 0; i < count; i++) {
        put_comma(out, i);
        cql_print_term(out, selectors[i].term);
        if (!bytes_is_null(selectors[i].alias)) {
            put(out, " AS ");
            identifier_print(out, selectors[i].alias);
        }
    }
}

/* The clauses in the only order that the grammar has. */
static void put_select(struct buffer *out, const struct select_statement *s)
{
    put(out, "SELECT ");
    put_if(out, s->json, "JSON ");
    put_if(out, s->distinct, "DISTINCT ");
    put_selectors(out, s->selectors, s->selector_count);
    put(out, " FROM ");
    put_name(out, s->table);
    put_where(out, s->relations, s->relation_count);
    if (s->group_count) {
        put(out, " GROUP BY ");
        put_terms(out, s->groups, s->group_count);
    }
    for (uint32_t i = 0; i < s->ordering_count; i++) {
        put(out, i ? ", " : " ORDER BY ");
        identifier_print(out, s->orderings[i].column);
        if (s->orderings[i].ann_of) {
            put(out, " ANN OF ");
            cql_print_term(out, s->orderings[i].ann_of);
        }
        /* The direction is written in any case, so that there is one form. */
        put(out, s->orderings[i].descending ? " DESC" : " ASC");
    }
    if (s->per_partition_limit) {
        put(out, " PER PARTITION LIMIT ");
        cql_print_term(out, s->per_partition_limit);
    }
    if (s->limit) {
        put(out, " LIMIT ");
        cql_print_term(out, s->limit);
    }
    put_if(out, s->allow_filtering, " ALLOW FILTERING");
}

/* VALUES or JSON. */
static void put_insert(struct buffer *out, const struct insert_statement *s)
{
    put(out, "INSERT INTO ");
    put_name(out, s->table);
    if (s->json) {
        put(out, " JSON ");
        cql_print_term(out, s->json);
        put_if(out, s->default_unset, " DEFAULT UNSET");
    } else {
        put(out, " (");
        put_names(out, s->columns, s->column_count);
        put(out, ") VALUES (");
        put_terms(out, s->values, s->value_count);
        put(out, ")");
    }
    /* DEFAULT NULL is what is meant without it. */
    put_if(out, s->if_not_exists, " IF NOT EXISTS");
    put_using(out, &s->using_clause);
}

/* a = a + 1 is printed as a += 1, which is the same statement; only what is added in front
 * has no such form. */
static void put_assignment(struct buffer *out, const struct assignment *a)
{
    put_target(out, a->column, a->key, a->field);
    switch (a->kind) {
    case ASSIGN_ADD: put(out, " += "); break;
    case ASSIGN_SUBTRACT: put(out, " -= "); break;
    case ASSIGN_SET:
    case ASSIGN_PREPEND:
    case ASSIGN_ELEMENT:
    case ASSIGN_FIELD: put(out, " = "); break;
    }
    cql_print_term(out, a->value);
    /* x + a: the column stands behind. */
    if (a->kind == ASSIGN_PREPEND) {
        put(out, " + ");
        identifier_print(out, a->column);
    }
}

static void put_update(struct buffer *out, const struct update_statement *s)
{
    put(out, "UPDATE ");
    put_name(out, s->table);
    /* UPDATE has USING before SET, INSERT and DELETE at their ends. */
    put_using(out, &s->using_clause);
    put(out, " SET ");
    for (uint32_t i = 0; i < s->assignment_count; i++) {
        put_comma(out, i);
        put_assignment(out, &s->assignments[i]);
    }
    put_where(out, s->relations, s->relation_count);
    put_conditions(out, s->if_exists, s->conditions, s->condition_count);
}

static void put_delete(struct buffer *out, const struct delete_statement *s)
{
    put(out, "DELETE ");
    for (uint32_t i = 0; i < s->deletion_count; i++) {
        put_comma(out, i);
        put_target(out, s->deletions[i].column, s->deletions[i].element, s->deletions[i].field);
    }
    put(out, s->deletion_count ? " FROM " : "FROM ");
    put_name(out, s->table);
    put_using(out, &s->using_clause);
    put_where(out, s->relations, s->relation_count);
    put_conditions(out, s->if_exists, s->conditions, s->condition_count);
}

/* Each statement ends with a semicolon. */
static void put_batch(struct buffer *out, const struct batch_statement *s)
{
    static const char *const kinds[] = { "", "UNLOGGED ", "COUNTER " };

    assert(s->kind < ARRAY_SIZE(kinds));
    put(out, "BEGIN ");
    put(out, kinds[s->kind]);
    put(out, "BATCH");
    put_using(out, &s->using_clause);
    for (uint32_t i = 0; i < s->statement_count; i++) {
        put(out, " ");
        /* A batch holds no batch, so this ends. */
        cql_print(out, s->statements[i]);
        put(out, ";");
    }
    put(out, " APPLY BATCH");
}

/* What is dropped or truncated by name. */
static void put_named(struct buffer *out, const char *what, const struct named_statement *s)
{
    put(out, what);
    put_if(out, s->if_exists, "IF EXISTS ");
    put_name(out, s->name);
}

/* ---- Definitions ---- */

static void put_options(struct buffer *out, const struct option_list *options, const char *first)
{
    for (uint32_t i = 0; i < options->count; i++) {
        put(out, i ? " AND " : first);
        identifier_print(out, options->items[i].name);
        put(out, " = ");
        cql_print_term(out, options->items[i].value);
    }
}

/* Keyspaces' ADD TAGS and DROP TAGS. */
static void put_tags(struct buffer *out, enum tags_action action, const char *what, const struct term *tags)
{
    put(out, action == TAGS_ADD ? " ADD " : " DROP ");
    put(out, what);
    put(out, " ");
    cql_print_term(out, tags);
}

/* CREATE and ALTER; of IF EXISTS and IF NOT EXISTS only one can be there. */
static void put_keyspace(struct buffer *out, const char *verb, const struct keyspace_statement *s)
{
    assert(!s->if_exists || !s->if_not_exists);
    put(out, verb);
    put_if(out, s->if_exists, "IF EXISTS ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    identifier_print(out, s->name);
    /* ADD TAGS excludes options. */
    if (s->tags_action != TAGS_NONE)
        put_tags(out, s->tags_action, "TAGS", s->tags);
    put_options(out, &s->options, " WITH ");
}

static void put_mask(struct buffer *out, const struct column_mask *mask)
{
    put(out, " MASKED WITH ");
    /* mask_default() is printed by its name, also where DEFAULT was written. */
    put_function(out, mask->function);
    put(out, "(");
    put_terms(out, mask->arguments, mask->argument_count);
    put(out, ")");
}

static void put_column(struct buffer *out, const struct column_spec *column)
{
    identifier_print(out, column->name);
    put(out, " ");
    cql_print_type(out, column->type);
    put_if(out, column->is_static, " STATIC");
    if (column->mask)
        put_mask(out, column->mask);
    /* The grammar has them in this order. */
    put_if(out, column->is_primary_key, " PRIMARY KEY");
}

/* A partition key of one column needs no parentheses of its own. */
static void put_primary_key(struct buffer *out, const struct primary_key_spec *key)
{
    assert(key->partition_count);
    put(out, "PRIMARY KEY (");
    put_if(out, key->partition_count != 1, "(");
    put_names(out, key->partition, key->partition_count);
    put_if(out, key->partition_count != 1, ")");
    for (uint32_t i = 0; i < key->clustering_count; i++) {
        put(out, ", ");
        identifier_print(out, key->clustering[i]);
    }
    put(out, ")");
}

/* What stands behind WITH: the first part has the word, the others AND. */
static void put_table_with(struct buffer *out, bool compact, const struct clustering_order *orders, uint32_t count,
                           const struct option_list *options)
{
    const char *next = " WITH ";

    if (compact) {
        put(out, " WITH COMPACT STORAGE");
        next = " AND ";
    }
    for (uint32_t i = 0; i < count; i++) {
        /* All orders are in one list, however they were written. */
        if (i == 0) {
            put(out, next);
            put(out, "CLUSTERING ORDER BY (");
            next = " AND ";
        }
        put_comma(out, i);
        identifier_print(out, orders[i].column);
        put(out, orders[i].descending ? " DESC" : " ASC");
        put_if(out, i == count - 1, ")");
    }
    put_options(out, options, next);
}

/* Was the last primary key written apart, and not behind a column? Then it must be printed
 * apart. A table with two keys, which schema/ refuses, must be printed as well. */
static bool has_key_apart(const struct create_table_statement *s)
{
    uint32_t inline_count = 0;

    for (uint32_t i = 0; i < s->column_count; i++)
        inline_count += s->columns[i].is_primary_key;
    return inline_count < s->primary_key_count;
}

/* CREATE TABLE; the keyword COLUMNFAMILY is the same. */
static void put_create_table(struct buffer *out, const struct create_table_statement *s)
{
    put(out, "CREATE TABLE ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    put_name(out, s->table);
    put(out, " (");
    for (uint32_t i = 0; i < s->column_count; i++) {
        put_comma(out, i);
        put_column(out, &s->columns[i]);
    }
    /* A table without columns may have a key. */
    if (has_key_apart(s)) {
        put_comma(out, s->column_count);
        put_primary_key(out, &s->primary_key);
    }
    put(out, ")");
    put_table_with(out, s->compact_storage, s->orders, s->order_count, &s->options);
}

static void put_renames(struct buffer *out, const struct rename_spec *renames, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(out, i ? " AND " : "");
        identifier_print(out, renames[i].from);
        put(out, " TO ");
        identifier_print(out, renames[i].to);
    }
}

/* Several columns are written in parentheses; one is, too. */
static void put_alter_columns(struct buffer *out, const struct alter_table_statement *s)
{
    assert(s->kind == ALTER_TABLE_ADD || s->kind == ALTER_TABLE_DROP);
    put(out, s->kind == ALTER_TABLE_ADD ? " ADD " : " DROP ");
    put_if(out, s->if_column_exists, "IF EXISTS ");
    put_if(out, s->if_column_not_exists, "IF NOT EXISTS ");
    put(out, "(");
    for (uint32_t i = 0; i < s->column_count; i++) {
        put_comma(out, i);
        if (s->kind == ALTER_TABLE_ADD)
            put_column(out, &s->columns[i]);
        else
            identifier_print(out, s->columns[i].name);
    }
    put(out, ")");
    /* Only DROP has one. */
    if (s->has_timestamp)
        buffer_printf(out, " USING TIMESTAMP %" PRId64, s->timestamp);
}

/* One change: the kinds exclude each other. */
static void put_alter_table(struct buffer *out, const struct alter_table_statement *s)
{
    put(out, "ALTER TABLE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    put_name(out, s->table);
    switch (s->kind) {
    case ALTER_TABLE_COLUMN_TYPE:
    case ALTER_TABLE_MASK:
    case ALTER_TABLE_DROP_MASK:
        put(out, " ALTER ");
        assert(s->column_count == 1);
        put_if(out, s->if_column_exists, "IF EXISTS ");
        identifier_print(out, s->columns[0].name);
        if (s->kind == ALTER_TABLE_COLUMN_TYPE) {
            put(out, " TYPE ");
            cql_print_type(out, s->columns[0].type);
        } else if (s->kind == ALTER_TABLE_MASK) {
            put_mask(out, s->columns[0].mask);
        } else {
            put(out, " DROP MASKED");
        }
        break;
    case ALTER_TABLE_ADD:
    case ALTER_TABLE_DROP: put_alter_columns(out, s); break;
    case ALTER_TABLE_RENAME:
        put(out, " RENAME ");
        put_if(out, s->if_column_exists, "IF EXISTS ");
        put_renames(out, s->renames, s->rename_count);
        break;
    case ALTER_TABLE_DROP_COMPACT: put(out, " DROP COMPACT STORAGE"); break;
    case ALTER_TABLE_OPTIONS: put_options(out, &s->options, " WITH "); break;
    case ALTER_TABLE_TAGS: put_tags(out, s->tags_action, "TAGS", s->tags); break;
    case ALTER_TABLE_CDC_TAGS: put_tags(out, s->tags_action, "TAGS_FOR_CDC", s->tags); break;
    }
}

/* The fields of a type, or the arguments of a function. */
static void put_fields(struct buffer *out, const struct field_spec *fields, uint32_t count)
{
    put(out, "(");
    for (uint32_t i = 0; i < count; i++) {
        put_comma(out, i);
        identifier_print(out, fields[i].name);
        put(out, " ");
        cql_print_type(out, fields[i].type);
    }
    put(out, ")");
}

/* One change of a type. */
static void put_alter_type(struct buffer *out, const struct alter_type_statement *s)
{
    put(out, "ALTER TYPE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    put_type_name(out, s->name);
    switch (s->kind) {
    case ALTER_TYPE_FIELD_TYPE:
    /* Both are about one field with a type. */
    case ALTER_TYPE_ADD:
        put(out, s->kind == ALTER_TYPE_ADD ? " ADD " : " ALTER ");
        put_if(out, s->if_field_not_exists, "IF NOT EXISTS ");
        identifier_print(out, s->field.name);
        put(out, s->kind == ALTER_TYPE_ADD ? " " : " TYPE ");
        cql_print_type(out, s->field.type);
        break;
    case ALTER_TYPE_RENAME:
        put(out, " RENAME ");
        put_if(out, s->if_field_exists, "IF EXISTS ");
        put_renames(out, s->renames, s->rename_count);
        break;
    }
}

/* kinds: what of a collection is indexed. */
static void put_create_index(struct buffer *out, const struct create_index_statement *s)
{
    static const char *const kinds[] = { "", "VALUES(", "KEYS(", "ENTRIES(", "FULL(" };

    put(out, s->custom ? "CREATE CUSTOM INDEX " : "CREATE INDEX ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    /* Without a name the server makes one. */
    if (!bytes_is_null(s->name)) {
        identifier_print(out, s->name);
        put(out, " ");
    }
    put(out, "ON ");
    put_name(out, s->table);
    put(out, " (");
    for (uint32_t i = 0; i < s->target_count; i++) {
        put_comma(out, i);
        put(out, kinds[s->targets[i].kind]);
        identifier_print(out, s->targets[i].column);
        put_if(out, s->targets[i].kind != INDEX_TARGET_SIMPLE, ")");
    }
    put(out, ")");
    if (!bytes_is_null(s->using_class)) {
        put(out, " USING ");
        cql_print_string(out, s->using_class);
    }
    put_options(out, &s->options, " WITH ");
}

/* A view's definition; helenus parses it, to refuse it by name. */
static void put_create_view(struct buffer *out, const struct create_view_statement *s)
{
    put(out, "CREATE MATERIALIZED VIEW ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    put_name(out, s->view);
    put(out, " AS SELECT ");
    put_selectors(out, s->selectors, s->selector_count);
    put(out, " FROM ");
    put_name(out, s->table);
    put_where(out, s->relations, s->relation_count);
    put(out, " ");
    put_primary_key(out, &s->primary_key);
    /* Views have no COMPACT STORAGE: the grammar's action refuses it. */
    put_table_with(out, false, s->orders, s->order_count, &s->options);
}

/* CREATE has a class, DROP has not. */
static void put_trigger(struct buffer *out, const char *verb, const struct trigger_statement *s)
{
    put(out, verb);
    put_if(out, s->if_exists, "IF EXISTS ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    identifier_print(out, s->name);
    put(out, " ON ");
    put_name(out, s->table);
    if (!bytes_is_null(s->class_name)) {
        put(out, " USING ");
        cql_print_string(out, s->class_name);
    }
}

/* The body is printed as a string in quotes, however it was written. */
static void put_create_function(struct buffer *out, const struct create_function_statement *s)
{
    put(out, s->or_replace ? "CREATE OR REPLACE FUNCTION " : "CREATE FUNCTION ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    put_function(out, s->name);
    put(out, " ");
    put_fields(out, s->arguments, s->argument_count);
    put(out, s->called_on_null_input ? " CALLED" : " RETURNS NULL");
    put(out, " ON NULL INPUT RETURNS ");
    cql_print_type(out, s->returns);
    put(out, " LANGUAGE ");
    /* A plain word: no keyword may stand there. */
    buffer_append_bytes(out, s->language);
    put(out, " AS ");
    cql_print_string(out, s->body);
}

/* State and final functions are names without a keyspace. */
static void put_create_aggregate(struct buffer *out, const struct create_aggregate_statement *s)
{
    put(out, s->or_replace ? "CREATE OR REPLACE AGGREGATE " : "CREATE AGGREGATE ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    put_function(out, s->name);
    put(out, " (");
    put_types(out, s->arguments, s->argument_count);
    put(out, ") SFUNC ");
    put_function(out, (struct qualified_name){ .name = s->state_function });
    put(out, " STYPE ");
    cql_print_type(out, s->state_type);
    if (!bytes_is_null(s->final_function)) {
        put(out, " FINALFUNC ");
        put_function(out, (struct qualified_name){ .name = s->final_function });
    }
    /* A state without INITCOND begins as null. */
    if (s->initial) {
        put(out, " INITCOND ");
        cql_print_term(out, s->initial);
    }
}

/* Without arguments any function of the name is meant, so "()" must be told from nothing. */
static void put_drop_function(struct buffer *out, const char *verb, const struct drop_function_statement *s)
{
    put(out, verb);
    put_if(out, s->if_exists, "IF EXISTS ");
    put_function(out, s->name);
    if (s->has_arguments) {
        put(out, " (");
        put_types(out, s->arguments, s->argument_count);
        put(out, ")");
    }
}

/* ---- Roles and permissions ---- */

/* An empty name can be written only as a string. */
static void put_role_name(struct buffer *out, struct bytes name)
{
    if (name.size == 0)
        put(out, "''");
    else
        identifier_print(out, name);
}

/* The first option stands behind WITH, the others behind AND. */
static void put_role_option(struct buffer *out, const char **next, const char *text)
{
    put(out, *next);
    put(out, text);
    *next = " AND ";
}

static void put_strings(struct buffer *out, const struct string_list *list)
{
    /* Braces as for a set. */
    put(out, " {");
    for (uint32_t i = 0; i < list->count; i++) {
        put_comma(out, i);
        cql_print_string(out, list->items[i]);
    }
    put(out, "}");
}

/* A user's options have a syntax of their own, without AND. */
static void put_user_options(struct buffer *out, const struct role_statement *s)
{
    if (!bytes_is_null(s->password)) {
        put(out, " WITH PASSWORD ");
        cql_print_string(out, s->password);
    }
    if (!bytes_is_null(s->hashed_password)) {
        put(out, " WITH HASHED PASSWORD ");
        cql_print_string(out, s->hashed_password);
    }
    put_if(out, s->superuser == FLAG_TRUE, " SUPERUSER");
    put_if(out, s->superuser == FLAG_FALSE, " NOSUPERUSER");
}

/* Only what was said is printed. */
static void put_role_options(struct buffer *out, const struct role_statement *s)
{
    const char *next = " WITH ";

    if (!bytes_is_null(s->password)) {
        put_role_option(out, &next, "PASSWORD = ");
        cql_print_string(out, s->password);
    }
    if (!bytes_is_null(s->hashed_password)) {
        put_role_option(out, &next, "HASHED PASSWORD = ");
        cql_print_string(out, s->hashed_password);
    }
    if (s->superuser != FLAG_UNSET)
        put_role_option(out, &next, s->superuser == FLAG_TRUE ? "SUPERUSER = true" : "SUPERUSER = false");
    if (s->login != FLAG_UNSET)
        put_role_option(out, &next, s->login == FLAG_TRUE ? "LOGIN = true" : "LOGIN = false");
    if (s->options) {
        put_role_option(out, &next, "OPTIONS = ");
        cql_print_term(out, s->options);
    }
    if (s->all_datacenters)
        put_role_option(out, &next, "ACCESS TO ALL DATACENTERS");
    if (s->datacenters.count) {
        put_role_option(out, &next, "ACCESS TO DATACENTERS");
        put_strings(out, &s->datacenters);
    }
    if (s->all_cidrs)
        put_role_option(out, &next, "ACCESS FROM ALL CIDRS");
    if (s->cidrs.count) {
        put_role_option(out, &next, "ACCESS FROM CIDRS");
        put_strings(out, &s->cidrs);
    }
}

/* A user's name is printed as a string, because its grammar takes no quoted name. */
static void put_role(struct buffer *out, const char *verb, const struct role_statement *s)
{
    assert(!s->if_exists || !s->if_not_exists);
    put(out, verb);
    put(out, s->is_user ? "USER " : "ROLE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    /* A user has no LOGIN and no options of roles. */
    if (s->is_user) {
        cql_print_string(out, s->name);
        put_user_options(out, s);
    } else {
        put_role_name(out, s->name);
        put_role_options(out, s);
    }
}

/* names: in the order of the bits of enum permission. */
static void put_permissions(struct buffer *out, uint32_t permissions)
{
    static const char *const names[] = { "CREATE",    "ALTER",    "DROP",    "SELECT", "MODIFY",
                                         "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED" };
    uint32_t printed = 0;

    /* ALL means also those that are yet to come. */
    if (permissions == PERMISSION_ALL) {
        put(out, "ALL PERMISSIONS");
        return;
    }
    assert(permissions < 1u << ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (permissions & (1u << i)) {
            put_comma(out, printed++);
            put(out, names[i]);
        }
    }
}

/* The kinds of resources, with their names. */
static void put_resource(struct buffer *out, const struct resource_spec *resource)
{
    switch (resource->kind) {
    case RESOURCE_NONE: break;
    case RESOURCE_ALL_KEYSPACES: put(out, "ALL KEYSPACES"); break;
    case RESOURCE_KEYSPACE:
        put(out, "KEYSPACE ");
        identifier_print(out, resource->name.keyspace);
        break;
    case RESOURCE_ALL_TABLES:
        put(out, "ALL TABLES IN KEYSPACE ");
        identifier_print(out, resource->name.keyspace);
        break;
    case RESOURCE_TABLE:
        put(out, "TABLE ");
        put_name(out, resource->name);
        break;
    case RESOURCE_ALL_ROLES: put(out, "ALL ROLES"); break;
    case RESOURCE_ROLE:
        put(out, "ROLE ");
        put_role_name(out, resource->name.name);
        break;
    case RESOURCE_ALL_FUNCTIONS: put(out, "ALL FUNCTIONS"); break;
    case RESOURCE_FUNCTIONS_IN:
        put(out, "ALL FUNCTIONS IN KEYSPACE ");
        identifier_print(out, resource->name.keyspace);
        break;
    case RESOURCE_FUNCTION:
        put(out, "FUNCTION ");
        put_function(out, resource->name);
        put(out, "(");
        put_types(out, resource->arguments, resource->argument_count);
        put(out, ")");
        break;
    case RESOURCE_ALL_MBEANS: put(out, "ALL MBEANS"); break;
    case RESOURCE_MBEAN:
    case RESOURCE_MBEANS:
        put(out, resource->kind == RESOURCE_MBEAN ? "MBEAN " : "MBEANS ");
        cql_print_string(out, resource->name.name);
        break;
    }
}

/* GRANT ... TO, REVOKE ... FROM, LIST ... OF. */
static void put_grant(struct buffer *out, const char *verb, const char *to, const struct permissions_statement *s)
{
    put(out, verb);
    put_permissions(out, s->permissions);
    /* LIST may leave it out. */
    if (s->resource.kind != RESOURCE_NONE) {
        put(out, " ON ");
        put_resource(out, &s->resource);
    }
    if (!bytes_is_null(s->grantee)) {
        put(out, to);
        put_role_name(out, s->grantee);
    }
    put_if(out, s->no_recursive, " NORECURSIVE");
}

static void put_grant_role(struct buffer *out, const char *verb, const char *to, const struct grant_role_statement *s)
{
    put(out, verb);
    put_role_name(out, s->role);
    put(out, to);
    put_role_name(out, s->grantee);
}

static void put_list_roles(struct buffer *out, const struct list_roles_statement *s)
{
    put(out, s->users ? "LIST USERS" : "LIST ROLES");
    if (!bytes_is_null(s->grantee)) {
        put(out, " OF ");
        put_role_name(out, s->grantee);
    }
    put_if(out, s->no_recursive, " NORECURSIVE");
}

/* kinds: those that go on with a name have a space behind them. */
static void put_describe(struct buffer *out, const struct describe_statement *s)
{
    static const char *const kinds[] = {
        "CLUSTER",   "SCHEMA",    "FULL SCHEMA", "KEYSPACES",          "KEYSPACE", "ONLY KEYSPACE",
        "TABLES",    "TABLE ",    "INDEX ",      "MATERIALIZED VIEW ", "TYPES",    "TYPE ",
        "FUNCTIONS", "FUNCTION ", "AGGREGATES",  "AGGREGATE ",         "",
    };

    assert(s->kind < ARRAY_SIZE(kinds));
    put(out, "DESCRIBE ");
    put(out, kinds[s->kind]);
    switch (s->kind) {
    /* Without a name it is the session's keyspace. */
    case DESCRIBE_KEYSPACE:
    case DESCRIBE_ONLY_KEYSPACE:
        if (!bytes_is_null(s->name.keyspace)) {
            put(out, " ");
            identifier_print(out, s->name.keyspace);
        }
        break;
    case DESCRIBE_TABLE:
    case DESCRIBE_INDEX:
    case DESCRIBE_VIEW: put_name(out, s->name); break;
    case DESCRIBE_TYPE: put_type_name(out, s->name); break;
    case DESCRIBE_FUNCTION:
    case DESCRIBE_AGGREGATE: put_function(out, s->name); break;
    case DESCRIBE_ANY: {
        /* Without quotes these would be the plural forms. */
        static const char *const words[] = { "cluster", "keyspaces", "tables", "types", "functions", "aggregates" };
        /* Only the first word can be taken for a keyword. */
        bool qualified = !bytes_is_null(s->name.keyspace);

        put_strict(out, qualified ? s->name.keyspace : s->name.name, words, ARRAY_SIZE(words));
        if (qualified) {
            put(out, ".");
            identifier_print(out, s->name.name);
        }
        break;
    }
    case DESCRIBE_CLUSTER:
    case DESCRIBE_SCHEMA:
    case DESCRIBE_FULL_SCHEMA:
    case DESCRIBE_KEYSPACES:
    case DESCRIBE_TABLES:
    case DESCRIBE_TYPES:
    case DESCRIBE_FUNCTIONS:
    case DESCRIBE_AGGREGATES: break;
    }
    put_if(out, s->with_internals, " WITH INTERNALS");
}

/* ---- The statement ---- */

static void put_drop_keyspace(struct buffer *out, const struct drop_keyspace_statement *s)
{
    put(out, "DROP KEYSPACE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    identifier_print(out, s->name);
}

/* The new table's name stands before that of the one it is made of. */
static void put_restore_table(struct buffer *out, const struct restore_table_statement *s)
{
    put(out, "RESTORE TABLE ");
    put_name(out, s->table);
    put(out, " FROM TABLE ");
    put_name(out, s->source);
    put_options(out, &s->options, " WITH ");
}

static void put_create_type(struct buffer *out, const struct create_type_statement *s)
{
    put(out, "CREATE TYPE ");
    put_if(out, s->if_not_exists, "IF NOT EXISTS ");
    put_type_name(out, s->name);
    put(out, " ");
    put_fields(out, s->fields, s->field_count);
}

/* Not put_named(): names of types have rules of their own, see put_type_name(). */
static void put_drop_type(struct buffer *out, const struct named_statement *s)
{
    put(out, "DROP TYPE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    put_type_name(out, s->name);
}

static void put_alter_view(struct buffer *out, const struct alter_view_statement *s)
{
    put(out, "ALTER MATERIALIZED VIEW ");
    put_if(out, s->if_exists, "IF EXISTS ");
    put_name(out, s->view);
    put_options(out, &s->options, " WITH ");
}

/* Users are named by strings, roles by identifiers. */
static void put_drop_role(struct buffer *out, const struct drop_role_statement *s)
{
    put(out, s->is_user ? "DROP USER " : "DROP ROLE ");
    put_if(out, s->if_exists, "IF EXISTS ");
    if (s->is_user)
        cql_print_string(out, s->name);
    else
        put_role_name(out, s->name);
}

/* Identities, and the role of one, are strings here, whatever was written. */
static void put_identity(struct buffer *out, const struct identity_statement *s, bool adds)
{
    put(out, adds ? "ADD IDENTITY " : "DROP IDENTITY ");
    put_if(out, adds && s->if_not_exists, "IF NOT EXISTS ");
    put_if(out, !adds && s->if_exists, "IF EXISTS ");
    cql_print_string(out, s->identity);
    if (adds) {
        put(out, " TO ROLE ");
        cql_print_string(out, s->role);
    }
}

/* One statement, without a semicolon. */
void cql_print(struct buffer *out, const struct cql_statement *s)
{
    switch (s->kind) {
    case STATEMENT_SELECT: put_select(out, s->select); break;
    case STATEMENT_INSERT: put_insert(out, s->insert); break;
    case STATEMENT_UPDATE: put_update(out, s->update); break;
    case STATEMENT_DELETE: put_delete(out, s->delete_); break;
    case STATEMENT_BATCH: put_batch(out, s->batch); break;
    case STATEMENT_USE:
        put(out, "USE ");
        identifier_print(out, s->use->keyspace);
        break;
    case STATEMENT_TRUNCATE: put_named(out, "TRUNCATE TABLE ", s->named); break;
    case STATEMENT_CREATE_KEYSPACE: put_keyspace(out, "CREATE KEYSPACE ", s->keyspace); break;
    case STATEMENT_ALTER_KEYSPACE: put_keyspace(out, "ALTER KEYSPACE ", s->keyspace); break;
    case STATEMENT_DROP_KEYSPACE: put_drop_keyspace(out, s->drop_keyspace); break;
    case STATEMENT_CREATE_TABLE: put_create_table(out, s->create_table); break;
    case STATEMENT_ALTER_TABLE: put_alter_table(out, s->alter_table); break;
    case STATEMENT_DROP_TABLE: put_named(out, "DROP TABLE ", s->named); break;
    case STATEMENT_RESTORE_TABLE: put_restore_table(out, s->restore_table); break;
    case STATEMENT_CREATE_TYPE: put_create_type(out, s->create_type); break;
    case STATEMENT_ALTER_TYPE: put_alter_type(out, s->alter_type); break;
    case STATEMENT_DROP_TYPE: put_drop_type(out, s->named); break;
    case STATEMENT_CREATE_INDEX: put_create_index(out, s->create_index); break;
    case STATEMENT_DROP_INDEX: put_named(out, "DROP INDEX ", s->named); break;
    case STATEMENT_CREATE_VIEW: put_create_view(out, s->create_view); break;
    case STATEMENT_ALTER_VIEW: put_alter_view(out, s->alter_view); break;
    case STATEMENT_DROP_VIEW: put_named(out, "DROP MATERIALIZED VIEW ", s->named); break;
    case STATEMENT_CREATE_TRIGGER: put_trigger(out, "CREATE TRIGGER ", s->trigger); break;
    case STATEMENT_DROP_TRIGGER: put_trigger(out, "DROP TRIGGER ", s->trigger); break;
    case STATEMENT_CREATE_FUNCTION: put_create_function(out, s->create_function); break;
    case STATEMENT_DROP_FUNCTION: put_drop_function(out, "DROP FUNCTION ", s->drop_function); break;
    case STATEMENT_CREATE_AGGREGATE: put_create_aggregate(out, s->create_aggregate); break;
    case STATEMENT_DROP_AGGREGATE: put_drop_function(out, "DROP AGGREGATE ", s->drop_function); break;
    case STATEMENT_CREATE_ROLE: put_role(out, "CREATE ", s->role); break;
    case STATEMENT_ALTER_ROLE: put_role(out, "ALTER ", s->role); break;
    case STATEMENT_DROP_ROLE: put_drop_role(out, s->drop_role); break;
    case STATEMENT_GRANT_ROLE: put_grant_role(out, "GRANT ", " TO ", s->grant_role); break;
    case STATEMENT_REVOKE_ROLE: put_grant_role(out, "REVOKE ", " FROM ", s->grant_role); break;
    case STATEMENT_LIST_ROLES: put_list_roles(out, s->list_roles); break;
    case STATEMENT_GRANT_PERMISSIONS: put_grant(out, "GRANT ", " TO ", s->permissions); break;
    case STATEMENT_REVOKE_PERMISSIONS: put_grant(out, "REVOKE ", " FROM ", s->permissions); break;
    case STATEMENT_LIST_PERMISSIONS: put_grant(out, "LIST ", " OF ", s->permissions); break;
    case STATEMENT_ADD_IDENTITY: put_identity(out, s->identity, true); break;
    case STATEMENT_DROP_IDENTITY: put_identity(out, s->identity, false); break;
    case STATEMENT_DESCRIBE: put_describe(out, s->describe); break;
    }
}

/* WHERE clauses are checked and sorted into what reaches rows (access.c) and what filters
 * them. It goes in two steps. First each relation is collected: what relations say about one
 * column, or about a run of clustering columns, is joined into one restriction. Then
 * restrictions are sorted out by the kind of column: partition key, clustering, others. What
 * cannot be looked up becomes a filter, which asks for ALLOW FILTERING. Which combinations
 * are errors, and with what words, is Cassandra's. Source:
 * org.apache.cassandra.cql3.restrictions.StatementRestrictions, release 5.0. */
#include "plan/where.h"

#include "cql/print.h"

#include <assert.h>

#define FILTERING_MESSAGE                                                                                               \
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you " \
    "want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

/* The statement, for errors. */
static const char *use_name(enum where_use use)
{
    return use == WHERE_SELECT ? "SELECT" : use == WHERE_UPDATE ? "UPDATE" : "DELETE";
}

/* What all relations together say about one column, or about a run of clustering columns.
 * `values` are those of = and IN; of IN over several columns they stand tuple by tuple. A
 * slice has its bounds instead. */
struct restriction {
    const struct column_def *const *columns; /* NULL: not restricted */
    uint32_t width;
    enum part_kind kind;
    const struct expr **values;
    uint32_t value_count;
    const struct expr *in_marker;
    struct bound start, end;
    bool multi;
};

/* A WHERE clause while it is collected. There is a place for each column's restriction; one
 * over (b, c) stands at b, and c's place stays empty. */
struct collector {
    struct planner *planner;
    struct where *where;
    const struct where_options *options;
    struct restriction *restrictions; /* by table_def.columns index of the first column */
    struct filter *contains;          /* CONTAINS and entries, which add up */
    uint32_t contains_count;
    bool partition_contains, clustering_contains;
};

/* The relation as Cassandra prints it in errors. */
static struct bytes relation_text(struct planner *planner, const struct relation *relation)
{
    struct buffer out = { 0 };

    cql_print_relation(&out, relation);
    return buffer_to_arena(planner->arena, &out);
}

/* The column, or the error that there is none. */
static enum status find_column(struct planner *planner, struct bytes name, const struct column_def **column)
{
    *column = table_def_column(planner->table, name);
    if (!*column)
        return planner_undefined_column(planner, name);
    return OK;
}

/* As it is written in CQL, for errors. */
const char *operator_text(enum cql_operator op)
{
    switch (op) {
    case OPERATOR_EQ: return "=";
    case OPERATOR_NE: return "!=";
    case OPERATOR_LT: return "<";
    case OPERATOR_LE: return "<=";
    case OPERATOR_GT: return ">";
    case OPERATOR_GE: return ">=";
    case OPERATOR_IN: return "IN";
    case OPERATOR_CONTAINS: return "CONTAINS";
    case OPERATOR_CONTAINS_KEY: return "CONTAINS KEY";
    case OPERATOR_LIKE: return "LIKE";
    case OPERATOR_IS_NOT_NULL: return "IS NOT";
    }
    return "";
}

/* Operators that bound one side. */
bool operator_is_slice(enum cql_operator op)
{
    return op == OPERATOR_LT || op == OPERATOR_LE || op == OPERATOR_GT || op == OPERATOR_GE;
}

/* "a, b, c", for errors. */
static struct bytes column_list(struct planner *planner, const struct column_def *const *columns, uint32_t count)
{
    struct buffer out = { 0 };

    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&out, "%s%.*s", i ? ", " : "", BYTES(columns[i]->name));
    return buffer_to_arena(planner->arena, &out);
}

/* Does the restriction speak of the column? */
static bool restricts(const struct restriction *restriction, const struct column_def *column)
{
    for (uint32_t i = 0; restriction->columns && i < restriction->width; i++)
        if (restriction->columns[i] == column)
            return true;
    return false;
}

/* The columns that both speak of. */
static struct bytes common_columns(struct planner *planner, const struct restriction *a, const struct restriction *b)
{
    const struct column_def **columns = arena_new_array(planner->arena, const struct column_def *, a->width);
    uint32_t count = 0;

    assert(a->columns && b->columns);
    /* In the order of the new restriction, as Cassandra names them. */
    for (uint32_t i = 0; i < a->width; i++)
        if (restricts(b, a->columns[i]))
            columns[count++] = a->columns[i];
    return column_list(planner, columns, count);
}

/* Joins a second restriction on the same column with the first: only two bounds of a slice
 * fit together, one at its start and one at its end. Of bounds on several columns the wider
 * one names the columns. So c > 1 AND c < 5 is one slice, while c = 1 AND c > 0 and c > 1 AND
 * c > 2 are errors. */
static enum status join(struct planner *planner, struct restriction *old, const struct restriction *added)
{
    struct bytes names = common_columns(planner, added, old);

    assert(names.size && old->kind != PART_NONE && added->kind != PART_NONE);
    /* The first relation decides the words. */
    if (old->kind == PART_EQ || old->kind == PART_IN)
        return error_set(planner->err, ERR_INVALID,
                         "%.*s cannot be restricted by more than one relation if it includes %s", BYTES(names),
                         old->kind == PART_EQ ? "an Equal" : "a IN");
    if (added->kind != PART_SLICE)
        return error_set(planner->err, ERR_INVALID,
                         "Column \"%.*s\" cannot be restricted by both an equality and an inequality relation",
                         BYTES(added->columns[0]->name));
    /* (a, b) > ? and (b) < ? would not be one slice. */
    if (old->columns[0] != added->columns[0])
        return error_set(
            planner->err, ERR_INVALID,
            "Column \"%.*s\" cannot be restricted by two inequalities not starting with the same column",
            BYTES((old->columns[0]->position > added->columns[0]->position ? old : added)->columns[0]->name));
    if (old->start.values && added->start.values)
        return error_set(planner->err, ERR_INVALID, "More than one restriction was found for the start bound on %.*s",
                         BYTES(names));
    if (old->end.values && added->end.values)
        return error_set(planner->err, ERR_INVALID, "More than one restriction was found for the end bound on %.*s",
                         BYTES(names));
    if (added->start.values)
        old->start = added->start;
    if (added->end.values)
        old->end = added->end;
    /* (a) > 1 AND (a, b) < (2, 3): the slice is over both columns, and one bound is
     * shorter. */
    if (added->width > old->width) {
        old->width = added->width;
        old->columns = added->columns;
    }
    old->multi |= added->multi;
    return OK;
}

/* Joins a new restriction with all that is said about its columns already. If it meets two
 * different ones they do not fit together, and the second join says so. */
static enum status merge(struct collector *collector, const struct restriction *added)
{
    uint32_t none = collector->planner->table->column_count, last = none;

    assert(added->width && added->columns);
    for (uint32_t i = 0; i < added->width; i++)
        /* A restriction stands at the place of its first column and may reach over several. */
        for (uint32_t k = 0; k < none; k++) {
            struct restriction *old = &collector->restrictions[k];
            enum status status;

            if (k == last || !restricts(old, added->columns[i]))
                continue;
            status = join(collector->planner, old, added);
            if (status)
                return status;
            last = k;
        }
    if (last == none)
        collector->restrictions[added->columns[0]->index] = *added;
    return OK;
}

/* May the column be restricted by this operator? The order of the checks is Cassandra's. */
static enum status check_column_operator(struct collector *collector, const struct relation *relation,
                                         const struct column_def *column)
{
    struct planner *planner = collector->planner;
    const struct type *type = column->type;

    if (relation->op == OPERATOR_NE)
        return error_set(planner->err, ERR_INVALID, "Unsupported \"!=\" relation: %.*s",
                         BYTES(relation_text(planner, relation)));
    if (relation->op == OPERATOR_IS_NOT_NULL)
        return error_set(planner->err, ERR_INVALID, "Unsupported restriction: %.*s",
                         BYTES(relation_text(planner, relation)));
    /* The value is typed first, since a wrong one is the error that Cassandra meets first. */
    if (relation->op == OPERATOR_LIKE && !column->multicell) {
        struct receiver receiver = { column->name, type };
        const struct expr *ignored;
        enum status status = term_compile(planner, relation->value, &receiver, &ignored);

        if (status)
            return status;
        return error_set(planner->err, ERR_INVALID,
                         "LIKE restriction is only supported on properly indexed columns. %.*s is not valid.",
                         BYTES(relation_text(planner, relation)));
    }
    if (relation->op == OPERATOR_CONTAINS || relation->op == OPERATOR_CONTAINS_KEY) {
        if (relation->op == OPERATOR_CONTAINS && !type_is_collection(type))
            return error_set(planner->err, ERR_INVALID, "Cannot use CONTAINS on non-collection column %.*s",
                             BYTES(column->name));
        if (relation->op == OPERATOR_CONTAINS_KEY && type->kind != TYPE_MAP)
            return error_set(planner->err, ERR_INVALID, "Cannot use CONTAINS KEY on non-map column %.*s",
                             BYTES(column->name));
        return OK;
    }
    /* Values of several cells cannot be compared as a whole. */
    if (column->multicell && type->kind == TYPE_UDT)
        return error_set(planner->err, ERR_INVALID,
                         "Non-frozen UDT column '%.*s' (%.*s) cannot be restricted by any relation",
                         BYTES(column->name), BYTES(type_name(planner->arena, type)));
    if (column->multicell)
        return error_set(planner->err, ERR_INVALID,
                         "Collection column '%.*s' (%.*s) cannot be restricted by a '%s' relation", BYTES(column->name),
                         BYTES(type_name(planner->arena, type)), operator_text(relation->op));
    /* Durations have no order: a month is longer or shorter than 30 days. */
    if (operator_is_slice(relation->op) && type_references_duration(type)) {
        const char *what = type->kind == TYPE_DURATION ? "duration columns"
                           : type->kind == TYPE_TUPLE  ? "tuples containing durations"
                           : type->kind == TYPE_UDT    ? "UDTs containing durations"
                                                       : "collections containing durations";

        return error_set(planner->err, ERR_INVALID, "Slice restrictions are not supported on %s", what);
    }
    return OK;
}

/* One side of a slice. c >= 5 sets its start and c < 9 its end; a side that nobody sets is
 * open. */
static void set_bound(struct restriction *restriction, enum cql_operator op, const struct expr **values, uint32_t count)
{
    struct bound bound = { values, count, op == OPERATOR_LE || op == OPERATOR_GE };

    assert(operator_is_slice(op) && count);
    restriction->kind = PART_SLICE;
    if (op == OPERATOR_GT || op == OPERATOR_GE)
        restriction->start = bound;
    else
        restriction->end = bound;
}

/* CONTAINS, CONTAINS KEY and m[k] = v always filter: there are no indexes. Several on one
 * column add up. Whether the statement may filter is asked later, where restrictions are
 * sorted out. */
static enum status collect_contains(struct collector *collector, const struct relation *relation,
                                    const struct column_def *column)
{
    struct planner *planner = collector->planner;
    const struct type *type = column->type;
    struct filter *filter = &collector->contains[collector->contains_count];
    bool key = relation->op == OPERATOR_CONTAINS_KEY;
    const struct type *element = type->kind == TYPE_MAP && !key ? type->params[1] : type->params[0];
    struct receiver receiver = receiver_of(planner->arena, key ? "key" : "value", column->name, element);
    enum status status = OK;

    *filter = (struct filter){ .column = column, .op = relation->op };
    assert(type_is_collection(type) && (!key || type->kind == TYPE_MAP));
    /* m[k] = v: the entry. */
    if (relation->key) {
        struct receiver key_receiver = receiver_of(planner->arena, "key", column->name, type->params[0]);

        status = term_compile(planner, relation->key, &key_receiver, &filter->key);
        if (status)
            return status;
    }
    status = term_compile(planner, relation->value, &receiver, &filter->value);
    collector->contains_count++;
    collector->partition_contains |= column->kind == COLUMN_PARTITION_KEY;
    collector->clustering_contains |= column->kind == COLUMN_CLUSTERING;
    return status;
}

/* A relation on one column. IN with one value is the same as `=`. */
static enum status collect_column(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    const struct column_def *column;
    enum status status = find_column(planner, relation->columns[0], &column);
    bool contains = relation->op == OPERATOR_CONTAINS || relation->op == OPERATOR_CONTAINS_KEY;

    assert(relation->column_count == 1);
    if (!status && contains && collector->options->use != WHERE_SELECT)
        return error_set(planner->err, ERR_INVALID, "Cannot use %s with %s", use_name(collector->options->use),
                         operator_text(relation->op));
    if (!status)
        status = check_column_operator(collector, relation, column);
    if (status)
        return status;
    if (contains)
        return collect_contains(collector, relation, column);

    /* A restriction has a list of columns, also when it is one. */
    const struct column_def **columns = arena_new_array(planner->arena, const struct column_def *, 1);
    columns[0] = column;
    struct restriction added = { .columns = columns, .width = 1 };
    struct receiver receiver = { column->name, column->type };

    if (relation->op == OPERATOR_IN) {
        added.kind = PART_IN;
        /* IN ?: the marker brings the list. */
        if (relation->value) {
            struct receiver in = receiver_of_in(planner->arena, column->name, column->type);

            status = term_compile(planner, relation->value, &in, &added.in_marker);
            return status ? status : merge(collector, &added);
        }
        added.values = arena_new_array(planner->arena, const struct expr *, relation->value_count + 1);
        added.value_count = relation->value_count;
        for (uint32_t i = 0; i < relation->value_count && !status; i++)
            status = term_compile(planner, relation->values[i], &receiver, &added.values[i]);
        if (relation->value_count == 1)
            added.kind = PART_EQ;
        return status ? status : merge(collector, &added);
    }
    added.values = arena_new_array(planner->arena, const struct expr *, 1);
    added.value_count = 1;
    status = term_compile(planner, relation->value, &receiver, &added.values[0]);
    if (status)
        return status;
    /* What is left is = or a bound. */
    if (relation->op == OPERATOR_EQ)
        added.kind = PART_EQ;
    else
        set_bound(&added, relation->op, added.values, 1);
    return merge(collector, &added);
}

/* m[k] = v. */
static enum status collect_element(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    const struct column_def *column;
    enum status status = find_column(planner, relation->columns[0], &column);

    if (status)
        return status;
    if (column->type->kind == TYPE_LIST)
        return error_set(planner->err, ERR_INVALID,
                         "Indexes on list entries (%.*s[index] = value) are not currently supported.",
                         BYTES(column->name));
    if (column->type->kind != TYPE_MAP)
        return error_set(planner->err, ERR_INVALID, "Column %.*s cannot be used as a map", BYTES(column->name));
    if (!column->multicell)
        return error_set(planner->err, ERR_INVALID,
                         "Map-entry equality predicates on frozen map column %.*s are not supported",
                         BYTES(column->name));
    if (relation->op != OPERATOR_EQ)
        return error_set(planner->err, ERR_INVALID, "Only EQ relations are supported on map entries");
    return collect_contains(collector, relation, column);
}

/* The values of one tuple, one for each column. Of (1, ?) they are its parts; of one marker
 * for all, what is taken out of the bound tuple at each execution. */
static enum status tuple_values(struct collector *collector, const struct term *term, const struct receiver *receiver,
                                uint32_t width, const struct expr **values)
{
    struct planner *planner = collector->planner;
    const struct expr *tuple;

    assert(receiver->type->kind == TYPE_TUPLE && receiver->type->param_count == width);
    if (term->kind == TERM_TUPLE && term->item_count != width)
        return error_set(planner->err, ERR_INVALID, "Expected %u elements in value tuple, but got %u: %.*s", width,
                         term->item_count, BYTES(term_text(planner, term)));
    /* A marker brings the whole tuple: each column's value is a component of it. */
    enum status status = term_compile(planner, term, receiver, &tuple);
    for (uint32_t i = 0; i < width && !status; i++)
        values[i] = term_component(planner, tuple, i);
    return status;
}

/* The columns of (a, b) = ...: clustering columns that follow one another in the key, each once. The order
 * of the checks is Cassandra's. */
static enum status find_tuple_columns(struct planner *planner, const struct relation *relation,
                                      const struct column_def **columns)
{
    for (uint32_t i = 0; i < relation->column_count; i++) {
        enum status status = find_column(planner, relation->columns[i], &columns[i]);

        if (status)
            return status;
        if (columns[i]->kind != COLUMN_CLUSTERING)
            return error_set(
                planner->err, ERR_INVALID,
                "Multi-column relations can only be applied to clustering columns but was applied to: %.*s",
                BYTES(columns[i]->name));
        /* Twice in one relation; in two relations join() sees it. */
        for (uint32_t k = 0; k < i; k++)
            if (columns[k] == columns[i])
                return error_set(planner->err, ERR_INVALID, "Column \"%.*s\" appeared twice in a relation: %.*s",
                                 BYTES(columns[i]->name), BYTES(relation_text(planner, relation)));
        if (i && columns[i]->position != columns[i - 1]->position + 1)
            return error_set(planner->err, ERR_INVALID,
                             "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: %.*s",
                             BYTES(relation_text(planner, relation)));
    }
    if (relation->op != OPERATOR_EQ && relation->op != OPERATOR_IN && !operator_is_slice(relation->op))
        return error_set(planner->err, ERR_INVALID, "%s cannot be used for multi-column relations",
                         operator_text(relation->op));
    return OK;
}

/* What receives a tuple that is compared with these columns. A marker for the whole tuple is named "(a,b)",
 * markers inside have the names of their columns. */
static struct receiver receiver_of_columns(struct planner *planner, const struct column_def *const *columns,
                                           uint32_t width)
{
    const struct type **types = arena_new_array(planner->arena, const struct type *, width);
    struct bytes *names = arena_new_array(planner->arena, struct bytes, width);
    struct buffer name = { 0 };

    assert(width);
    for (uint32_t i = 0; i < width; i++) {
        types[i] = columns[i]->type;
        names[i] = columns[i]->name;
        buffer_printf(&name, "%s%.*s", i ? "," : "(", BYTES(columns[i]->name));
    }
    buffer_append_string(&name, ")");
    return (struct receiver){ buffer_to_arena(planner->arena, &name), type_tuple(planner->arena, types, width), names };
}

/* (a, b) IN (...) or IN ?: a list of tuples. With one tuple it is the same as `=`. */
static enum status collect_tuple_in(struct collector *collector, const struct relation *relation,
                                    const struct receiver *receiver, struct restriction *added)
{
    struct planner *planner = collector->planner;
    uint32_t width = added->width;
    enum status status = OK;

    added->kind = PART_IN;
    if (relation->value) {
        struct receiver in = {
            bytes_of_string(arena_printf(planner->arena, "in%.*s", BYTES(receiver->name))),
            type_list(planner->arena, receiver->type, false),
            .is_list_of_in = true,
        };
        status = term_compile(planner, relation->value, &in, &added->in_marker);
        return status ? status : merge(collector, added);
    }
    added->value_count = relation->value_count;
    added->values = arena_new_array(planner->arena, const struct expr *, (size_t)width * relation->value_count + 1);
    for (uint32_t i = 0; i < relation->value_count && !status; i++)
        status = tuple_values(collector, relation->values[i], receiver, width, &added->values[(size_t)i * width]);
    if (relation->value_count == 1)
        added->kind = PART_EQ;
    return status ? status : merge(collector, added);
}

/* (a, b) = (1, 2), (a, b) > ?, (a, b) IN (...). */
static enum status collect_tuple(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    uint32_t width = relation->column_count;
    const struct column_def **columns = arena_new_array(planner->arena, const struct column_def *, width);
    struct restriction added = { .columns = columns, .width = width, .multi = true };
    enum status status = find_tuple_columns(planner, relation, columns);

    if (status)
        return status;
    struct receiver receiver = receiver_of_columns(planner, columns, width);
    if (relation->op == OPERATOR_IN)
        return collect_tuple_in(collector, relation, &receiver, &added);
    added.value_count = 1;
    added.values = arena_new_array(planner->arena, const struct expr *, width);
    status = tuple_values(collector, relation->value, &receiver, width, added.values);
    if (status)
        return status;
    if (relation->op == OPERATOR_EQ)
        added.kind = PART_EQ;
    else
        set_bound(&added, relation->op, added.values, width);
    return merge(collector, &added);
}

/* "a, b", for errors. */
static struct bytes partition_key_names(struct planner *planner)
{
    const struct table_def *table = planner->table;
    struct buffer names = { 0 };

    for (uint32_t i = 0; i < table->partition_key_count; i++)
        buffer_printf(&names, "%s%.*s", i ? ", " : "", BYTES(table->columns[i].name));
    return buffer_to_arena(planner->arena, &names);
}

/* token() must have the whole partition key as its arguments, in its order. */
static enum status check_token_columns(struct planner *planner, const struct relation *relation)
{
    bool in_order = true;
    uint32_t found = 0;

    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct column_def *column;
        enum status status = find_column(planner, relation->columns[i], &column);

        if (status)
            return status;
        for (uint32_t k = 0; k < i; k++)
            if (bytes_equal(relation->columns[k], relation->columns[i]))
                return error_set(planner->err, ERR_INVALID,
                                 "The token() function contains duplicate partition key components");
        found += column->kind == COLUMN_PARTITION_KEY;
        in_order &= column->position == i;
    }
    if (found != planner->table->partition_key_count)
        return error_set(planner->err, ERR_INVALID,
                         "The token() function must be applied to all partition key components or none of them");
    if (relation->column_count != found)
        return error_set(planner->err, ERR_INVALID, "The token() function must contains only partition key components");
    if (!in_order)
        return error_set(planner->err, ERR_INVALID,
                         "The token function arguments must be in the partition key order: %.*s",
                         BYTES(partition_key_names(planner)));
    if (relation->op != OPERATOR_EQ && !operator_is_slice(relation->op))
        return error_set(planner->err, ERR_INVALID, "%s cannot be used with the token function",
                         operator_text(relation->op));
    return OK;
}

/* Joins a relation on the token with what others said of it: one equality, or at most one bound on each side. */
static enum status bound_token(struct planner *planner, struct token_range *tokens, enum cql_operator op,
                               const struct expr *value)
{
    struct bytes shown = partition_key_names(planner);

    assert(op == OPERATOR_EQ || operator_is_slice(op));
    if (tokens->eq)
        return error_set(planner->err, ERR_INVALID,
                         "%.*s cannot be restricted by more than one relation if it includes an Equal", BYTES(shown));
    tokens->is_restricted = true;
    switch (op) {
    case OPERATOR_EQ:
        if (tokens->start || tokens->end)
            return error_set(planner->err, ERR_INVALID,
                             "Columns \"%.*s\" cannot be restricted by both an equality and an inequality relation",
                             BYTES(shown));
        tokens->eq = value;
        break;
    case OPERATOR_GT:
    case OPERATOR_GE:
        if (tokens->start)
            return error_set(planner->err, ERR_INVALID,
                             "More than one restriction was found for the start bound on %.*s", BYTES(shown));
        tokens->start = value;
        tokens->start_inclusive = op == OPERATOR_GE;
        break;
    default:
        if (tokens->end)
            return error_set(planner->err, ERR_INVALID, "More than one restriction was found for the end bound on %.*s",
                             BYTES(shown));
        tokens->end = value;
        tokens->end_inclusive = op == OPERATOR_LE;
        break;
    }
    return OK;
}

/* token(a, b) > x: a relation on where partitions lie, not on their keys. */
static enum status collect_token(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    struct receiver receiver = { BYTES_LITERAL("partition key token"), type_native(TYPE_BIGINT) };
    const struct expr *value;

    if (collector->options->use != WHERE_SELECT)
        return error_set(planner->err, ERR_INVALID,
                         "The token function cannot be used in WHERE clauses for %s statements",
                         use_name(collector->options->use));
    enum status status = check_token_columns(planner, relation);
    if (!status)
        status = term_compile(planner, relation->value, &receiver, &value);
    if (status)
        return status;
    return bound_token(planner, &collector->where->access.tokens, relation->op, value);
}

/* ---- sorting out ---- */

/* where_compile has made room for two filters of each column that a relation names. */
static void add_filter(struct where *where, const struct filter *filter)
{
    where->filters[where->filter_count++] = *filter;
}

/* A restriction on one column, checked row by row. */
static void restriction_to_filters(struct where *where, const struct restriction *restriction)
{
    struct filter filter = { .column = restriction->columns[0] };

    assert(restriction->width == 1 && restriction->kind != PART_NONE);
    assert(restriction->columns[0]->kind != COLUMN_CLUSTERING || where->has_clustering);
    if (restriction->kind == PART_EQ) {
        filter.op = OPERATOR_EQ;
        filter.value = restriction->values[0];
        add_filter(where, &filter);
    } else if (restriction->kind == PART_IN) {
        filter.op = OPERATOR_IN;
        filter.value = restriction->in_marker;
        filter.values = restriction->values;
        filter.value_count = restriction->value_count;
        add_filter(where, &filter);
    } else {
        /* A slice with two bounds is two filters. */
        if (restriction->start.values) {
            filter.op = restriction->start.inclusive ? OPERATOR_GE : OPERATOR_GT;
            filter.value = restriction->start.values[0];
            add_filter(where, &filter);
        }
        if (restriction->end.values) {
            filter.op = restriction->end.inclusive ? OPERATOR_LE : OPERATOR_LT;
            filter.value = restriction->end.values[0];
            add_filter(where, &filter);
        }
    }
}

/* A restriction that finds rows, by the places of its columns in the key. */
static void restriction_to_part(const struct restriction *restriction, struct key_part *part)
{
    assert(restriction->columns && restriction->width && part->kind == PART_NONE);
    *part = (struct key_part){
        .kind = restriction->kind,
        .first = restriction->columns[0]->position,
        .width = restriction->width,
        .values = restriction->values,
        .value_count = restriction->value_count,
        .in_marker = restriction->in_marker,
        .start = restriction->start,
        .end = restriction->end,
    };
}

/* Decides how partitions are reached: by their keys, if all of them are given by = or IN;
 * else all partitions of the token range are scanned, and what is said of key columns
 * filters. With the key (a, b): a = 1 AND b IN (2, 3) are two partitions; a = 1 alone scans
 * all of them and filters; token(a, b) > 0 scans a part of them. */
static enum status sort_partition(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    struct where *where = collector->where;
    const struct where_options *options = collector->options;
    uint32_t restricted = 0, missing_count = 0;
    bool slice = false;
    const struct column_def **missing =
        arena_new_array(planner->arena, const struct column_def *, table->partition_key_count + 1);

    for (uint32_t i = 0; i < table->partition_key_count; i++) {
        const struct restriction *restriction = &collector->restrictions[i];

        if (!restriction->columns) {
            missing[missing_count++] = &table->columns[i];
            continue;
        }
        restricted++;
        slice |= restriction->kind == PART_SLICE;
        where->partition_has_in |= restriction->kind == PART_IN;
    }
    /* Writes must name whole partitions. */
    if (options->use != WHERE_SELECT) {
        if (missing_count)
            return error_set(planner->err, ERR_INVALID, "Some partition key parts are missing: %.*s",
                             BYTES(column_list(planner, missing, missing_count)));
        if (slice)
            return error_set(
                planner->err, ERR_INVALID,
                "Only EQ and IN relation are supported on the partition key (unless you use the token() function) for %s statements",
                use_name(options->use));
    }
    /* A part of the key, or a slice of it, finds no partition: tokens are hashes. */
    bool filtering = (restricted && (missing_count || slice)) || collector->partition_contains;
    if (filtering && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID, FILTERING_MESSAGE);
    /* With token() beside a whole partition key, its partitions are read if their tokens are inside. */
    where->access.kind = !restricted || filtering ? ACCESS_RANGE : ACCESS_PARTITIONS;
    where->partition_is_restricted = restricted || where->access.tokens.is_restricted || collector->partition_contains;
    assert(where->access.kind == ACCESS_RANGE || restricted == table->partition_key_count);
    /* Of a scan the parts stay empty: what was said of key columns filters. */
    where->access.partition = arena_new_array(planner->arena, struct key_part, table->partition_key_count);
    for (uint32_t i = 0; i < table->partition_key_count; i++) {
        const struct restriction *restriction = &collector->restrictions[i];

        if (!restriction->columns)
            continue;
        if (where->access.kind == ACCESS_PARTITIONS)
            restriction_to_part(restriction, &where->access.partition[i]);
        else
            restriction_to_filters(where, restriction);
    }
    return OK;
}

/* Clustering columns must be restricted from the first on, without a gap, and nothing may
 * follow a slice, unless filtering is allowed. Cassandra checks relations in the order in
 * which they were written; the order of columns is close to it, and gives the same words
 * where one column stands behind a slice. */
static enum status check_clustering(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    const struct column_def *sliced = NULL, *skipped = NULL;
    bool allow = collector->options->allow_filtering;

    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + i];
        const struct restriction *restriction = &collector->restrictions[column->index];

        if (!restriction->columns) {
            if (!skipped)
                skipped = column;
            continue;
        }
        if (sliced && !allow)
            return error_set(
                planner->err, ERR_INVALID,
                "Clustering column \"%.*s\" cannot be restricted (preceding column \"%.*s\" is restricted by a non-EQ relation)",
                BYTES(column->name), BYTES(sliced->name));
        if (skipped && !allow)
            return error_set(
                planner->err, ERR_INVALID,
                "PRIMARY KEY column \"%.*s\" cannot be restricted as preceding column \"%.*s\" is not restricted",
                BYTES(column->name), BYTES(skipped->name));
        if (restriction->kind == PART_SLICE)
            sliced = column;
        /* A restriction on several columns stands at its first one. */
        i += restriction->width - 1;
    }
    return OK;
}

/* Whether the statement may restrict clustering columns in this way at all. Sets what `where` says of them. */
static enum status check_clustering_use(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    struct where *where = collector->where;
    const struct where_options *options = collector->options;
    const struct column_def **missing =
        arena_new_array(planner->arena, const struct column_def *, table->clustering_count + 1);
    uint32_t missing_count = 0;
    bool slice = false;

    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct restriction *restriction = &collector->restrictions[table->partition_key_count + i];

        if (!restriction->columns) {
            missing[missing_count++] = &table->columns[table->partition_key_count + i];
            continue;
        }
        where->has_clustering = true;
        slice |= restriction->kind == PART_SLICE;
        where->clustering_has_in |= restriction->kind == PART_IN;
        i += restriction->width - 1;
    }
    /* A table without static columns cannot select only these, whatever the options
     * say. */
    if (options->only_static && where->has_clustering && table->static_count && options->use == WHERE_SELECT)
        return error_set(planner->err, ERR_INVALID,
                         "Cannot restrict clustering columns when selecting only static columns");
    if (options->only_static && where->has_clustering && table->static_count)
        return error_set(
            planner->err, ERR_INVALID,
            "Invalid restrictions on clustering columns since the %s statement modifies only static columns",
            use_name(options->use));
    if (options->use == WHERE_UPDATE) {
        if (slice)
            return error_set(planner->err, ERR_INVALID,
                             "Slice restrictions are not supported on the clustering columns in %s statements",
                             use_name(options->use));
        if (missing_count && !(options->only_static && !where->has_clustering))
            return error_set(planner->err, ERR_INVALID, "Some clustering keys are missing: %.*s",
                             BYTES(column_list(planner, missing, missing_count)));
    }
    if (collector->clustering_contains && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID,
                         "Clustering columns can only be restricted with CONTAINS with a secondary index or filtering");
    return OK;
}

/* A restriction behind a column that is not restricted, or behind a slice: rows are filtered by it. */
static enum status filter_clustering(struct collector *collector, const struct restriction *restriction)
{
    struct planner *planner = collector->planner;

    assert(restriction->width && restriction->kind != PART_NONE);
    if (restriction->width == 1) {
        restriction_to_filters(collector->where, restriction);
        return OK;
    }
    if (restriction->kind == PART_SLICE)
        return error_set(planner->err, ERR_INVALID, "Multi-column slice restrictions cannot be used for filtering.");
    if (restriction->kind == PART_IN)
        return error_set(planner->err, ERR_INVALID, "Multicolumn IN filters are not supported");
    for (uint32_t c = 0; c < restriction->width; c++)
        add_filter(
            collector->where,
            &(struct filter){ .column = restriction->columns[c], .op = OPERATOR_EQ, .value = restriction->values[c] });
    return OK;
}

/* The restrictions that are a prefix of the clustering, with a slice at most at its end, find
 * rows; those behind a gap or a slice filter. With the clustering (c, d, e): c = 1 AND d > 2
 * finds rows; c = 1 AND e = 3 finds those of c and filters by e; d = 2 filters only. */
static enum status sort_clustering(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    struct access *access = &collector->where->access;
    uint32_t covered = 0;
    bool broken = false;
    enum status status = check_clustering_use(collector);

    if (!status)
        status = check_clustering(collector);
    if (status)
        return status;
    access->clustering = arena_new_array(planner->arena, struct key_part, table->clustering_count + 1);
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct restriction *restriction = &collector->restrictions[table->partition_key_count + i];

        if (!restriction->columns) {
            broken = true;
            continue;
        }
        if (broken) {
            status = filter_clustering(collector, restriction);
            if (status)
                return status;
        } else {
            /* The prefix goes on, unless this is its slice. */
            restriction_to_part(restriction, &access->clustering[access->clustering_count++]);
            if (restriction->kind == PART_SLICE)
                broken = true;
            else
                covered += restriction->width;
        }
        i += restriction->width - 1;
    }
    access->clustering_is_complete = covered == table->clustering_count;
    assert(covered <= table->clustering_count && access->clustering_count <= table->clustering_count);
    return OK;
}

/* A scan by the clustering of its rows reads every partition. */
enum status where_check_filtering(struct planner *planner, const struct where_options *options,
                                  const struct where *where)
{
    if (where->access.kind == ACCESS_RANGE && where->has_clustering && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID, FILTERING_MESSAGE);
    return OK;
}

/* Restrictions on regular and static columns, and CONTAINS: only SELECT may have them, and
 * they filter. */
static enum status sort_others(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    const struct where_options *options = collector->options;
    uint32_t keys = table->partition_key_count + table->clustering_count;
    const struct column_def **found =
        arena_new_array(planner->arena, const struct column_def *, table->column_count + collector->contains_count + 1);
    uint32_t count = 0;

    for (uint32_t i = keys; i < table->column_count; i++)
        if (collector->restrictions[i].columns)
            found[count++] = &table->columns[i];
    /* CONTAINS on a key column was counted with the keys. */
    for (uint32_t i = 0; i < collector->contains_count; i++) {
        bool is_key = collector->contains[i].column->index < keys, known = false;

        for (uint32_t k = 0; k < count; k++)
            known |= found[k] == collector->contains[i].column;
        if (!is_key && !known)
            found[count++] = collector->contains[i].column;
    }
    if (count && options->use != WHERE_SELECT)
        return error_set(planner->err, ERR_INVALID, "Non PRIMARY KEY columns found in where clause: %.*s ",
                         BYTES(column_list(planner, found, count)));
    if (count && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID, FILTERING_MESSAGE);
    for (uint32_t i = keys; i < table->column_count; i++)
        if (collector->restrictions[i].columns)
            restriction_to_filters(collector->where, &collector->restrictions[i]);
    for (uint32_t i = 0; i < collector->contains_count; i++)
        add_filter(collector->where, &collector->contains[i]);
    return OK;
}

/* Compiles the relations of a WHERE clause. `where` is complete only if it returns OK.
 * Relations are collected in the order in which they were written, so of two that are wrong
 * the first is told, as in Cassandra. */
enum status where_compile(struct planner *planner, const struct relation *relations, uint32_t count,
                          const struct where_options *options, struct where *where)
{
    const struct table_def *table = planner->table;
    struct collector collector = {
        .planner = planner,
        .where = where,
        .options = options,
        .restrictions = arena_new_array(planner->arena, struct restriction, table->column_count + 1),
        .contains = arena_new_array(planner->arena, struct filter, count + 1),
    };
    enum status status = OK;
    uint32_t columns = 0;

    assert(table && planner->statement);
    *where = (struct where){ 0 };
    for (uint32_t i = 0; i < count && !status; i++) {
        columns += relations[i].column_count;
        switch (relations[i].kind) {
        case RELATION_COLUMN: status = collect_column(&collector, &relations[i]); break;
        case RELATION_ELEMENT: status = collect_element(&collector, &relations[i]); break;
        case RELATION_TUPLE: status = collect_tuple(&collector, &relations[i]); break;
        case RELATION_TOKEN: status = collect_token(&collector, &relations[i]); break;
        case RELATION_EXPRESSION:
            status = error_set(planner->err, ERR_INVALID, "Custom index expressions are not supported yet");
            break;
        }
    }
    /* Each column of a relation makes at most two filters, one for each bound. */
    where->filters = arena_new_array(planner->arena, struct filter, 2 * (columns + count) + 1);
    if (!status)
        status = sort_partition(&collector);
    if (!status)
        status = sort_clustering(&collector);
    if (!status)
        status = sort_others(&collector);
    /* Whoever runs it looks before a long list whether it may take the time. */
    where->access.has_in = where->partition_has_in || where->clustering_has_in;
    assert(where->filter_count <= 2 * (columns + count));
    return status;
}

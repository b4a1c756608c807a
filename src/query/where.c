/* WHERE clauses; see where.h. Source: org.apache.cassandra.cql3.restrictions.StatementRestrictions, release 5.0. */
#include "query/where.h"

#include "cql/print.h"

#include <assert.h>
#include <stdlib.h>

#define FILTERING_MESSAGE                                                                                               \
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you " \
    "want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

static const char *use_name(enum where_use use)
{
    return use == WHERE_SELECT ? "SELECT" : use == WHERE_UPDATE ? "UPDATE" : "DELETE";
}

/* What relations say about one column, or about a run of clustering columns, before it is sorted out. */
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

struct collector {
    struct planner *planner;
    struct where *where;
    const struct where_options *options;
    struct restriction *restrictions; /* by table_def.columns index of the first column */
    struct filter *contains;          /* CONTAINS and entries, which add up */
    uint32_t contains_count;
    bool partition_contains, clustering_contains;
};

static struct bytes relation_text(struct planner *planner, const struct relation *relation)
{
    struct buffer out = { 0 };

    cql_print_relation(&out, relation);
    return buffer_to_arena(planner->arena, &out);
}

static enum status find_column(struct planner *planner, struct bytes name, const struct column_def **column)
{
    *column = table_def_column(planner->table, name);
    if (!*column)
        return term_undefined_column(planner, name);
    return OK;
}

static const char *operator_text(enum cql_operator op)
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

static bool is_slice(enum cql_operator op)
{
    return op == OPERATOR_LT || op == OPERATOR_LE || op == OPERATOR_GT || op == OPERATOR_GE;
}

static struct bytes column_list(struct planner *planner, const struct column_def *const *columns, uint32_t count)
{
    struct buffer out = { 0 };

    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&out, "%s%.*s", i ? ", " : "", BYTES(columns[i]->name));
    return buffer_to_arena(planner->arena, &out);
}

/* Joins a new restriction with what is already said about its columns. */
static enum status merge(struct collector *collector, const struct restriction *added)
{
    struct planner *planner = collector->planner;
    struct restriction *old = NULL;

    for (uint32_t i = 0; i < added->width && !old; i++)
        for (uint32_t k = 0; k < planner->table->column_count && !old; k++) {
            struct restriction *candidate = &collector->restrictions[k];

            for (uint32_t c = 0; candidate->columns && c < candidate->width; c++)
                if (candidate->columns[c] == added->columns[i])
                    old = candidate;
        }
    if (!old) {
        collector->restrictions[added->columns[0]->index] = *added;
        return OK;
    }

    struct bytes names = column_list(planner, added->columns, added->width);
    if (old->kind == PART_EQ || old->kind == PART_IN)
        return error_set(planner->err, ERR_INVALID,
                         "%.*s cannot be restricted by more than one relation if it includes %s", BYTES(names),
                         old->kind == PART_EQ ? "an Equal" : "a IN");
    if (added->kind != PART_SLICE)
        return error_set(planner->err, ERR_INVALID,
                         "Column \"%.*s\" cannot be restricted by both an equality and an inequality relation",
                         BYTES(added->columns[0]->name));
    if (old->columns[0] != added->columns[0])
        return error_set(planner->err, ERR_INVALID,
                         "Column \"%.*s\" cannot be restricted by two inequalities not starting with the same column",
                         BYTES(added->columns[0]->name));
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
    if (added->width > old->width) {
        old->width = added->width;
        old->columns = added->columns;
    }
    old->multi |= added->multi;
    return OK;
}

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
    if (relation->op == OPERATOR_LIKE) {
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
    if (column->multicell && type->kind == TYPE_UDT)
        return error_set(planner->err, ERR_INVALID,
                         "Non-frozen UDT column '%.*s' (%.*s) cannot be restricted by any relation",
                         BYTES(column->name), BYTES(type_name(planner->arena, type)));
    if (column->multicell)
        return error_set(planner->err, ERR_INVALID,
                         "Collection column '%.*s' (%.*s) cannot be restricted by a '%s' relation", BYTES(column->name),
                         BYTES(type_name(planner->arena, type)), operator_text(relation->op));
    if (is_slice(relation->op) && type_references_duration(type)) {
        const char *what = type->kind == TYPE_DURATION ? "duration columns"
                           : type->kind == TYPE_TUPLE  ? "tuples containing durations"
                           : type->kind == TYPE_UDT    ? "UDTs containing durations"
                                                       : "collections containing durations";

        return error_set(planner->err, ERR_INVALID, "Slice restrictions are not supported on %s", what);
    }
    return OK;
}

static void set_bound(struct restriction *restriction, enum cql_operator op, const struct expr **values, uint32_t count)
{
    struct bound bound = { values, count, op == OPERATOR_LE || op == OPERATOR_GE };

    restriction->kind = PART_SLICE;
    if (op == OPERATOR_GT || op == OPERATOR_GE)
        restriction->start = bound;
    else
        restriction->end = bound;
}

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

static enum status collect_column(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    const struct column_def *column;
    enum status status = find_column(planner, relation->columns[0], &column);

    if (!status)
        status = check_column_operator(collector, relation, column);
    if (status)
        return status;
    if (relation->op == OPERATOR_CONTAINS || relation->op == OPERATOR_CONTAINS_KEY)
        return collect_contains(collector, relation, column);

    const struct column_def **columns = arena_new_array(planner->arena, const struct column_def *, 1);
    columns[0] = column;
    struct restriction added = { .columns = columns, .width = 1 };
    struct receiver receiver = { column->name, column->type };

    if (relation->op == OPERATOR_IN) {
        added.kind = PART_IN;
        if (relation->value) {
            struct receiver in =
                receiver_of(planner->arena, "in", column->name, type_list(planner->arena, column->type, false));

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
    if (relation->op == OPERATOR_EQ)
        added.kind = PART_EQ;
    else
        set_bound(&added, relation->op, added.values, 1);
    return merge(collector, &added);
}

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

static enum status tuple_values(struct collector *collector, const struct term *term, const struct receiver *receiver,
                                uint32_t width, const struct expr **values)
{
    struct planner *planner = collector->planner;
    const struct expr *tuple;

    if (term->kind == TERM_TUPLE && term->item_count != width)
        return error_set(planner->err, ERR_INVALID, "Expected %u elements in value tuple, but got %u: %.*s", width,
                         term->item_count, BYTES(term_text(planner, term)));
    enum status status = term_compile(planner, term, receiver, &tuple);
    for (uint32_t i = 0; i < width && !status; i++)
        values[i] = term_component(planner, tuple, i);
    return status;
}

static enum status collect_tuple(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    uint32_t width = relation->column_count;
    const struct column_def **columns = arena_new_array(planner->arena, const struct column_def *, width);
    const struct type **types = arena_new_array(planner->arena, const struct type *, width);
    struct restriction added = { .columns = columns, .width = width, .multi = true };

    for (uint32_t i = 0; i < width; i++) {
        enum status status = find_column(planner, relation->columns[i], &columns[i]);

        if (status)
            return status;
        if (columns[i]->kind != COLUMN_CLUSTERING)
            return error_set(
                planner->err, ERR_INVALID,
                "Multi-column relations can only be applied to clustering columns but was applied to: %.*s",
                BYTES(columns[i]->name));
        for (uint32_t k = 0; k < i; k++)
            if (columns[k] == columns[i])
                return error_set(planner->err, ERR_INVALID, "Column \"%.*s\" appeared twice in a relation: %.*s",
                                 BYTES(columns[i]->name), BYTES(relation_text(planner, relation)));
        if (i && columns[i]->position != columns[i - 1]->position + 1)
            return error_set(planner->err, ERR_INVALID,
                             "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: %.*s",
                             BYTES(relation_text(planner, relation)));
        types[i] = columns[i]->type;
    }
    if (relation->op != OPERATOR_EQ && relation->op != OPERATOR_IN && !is_slice(relation->op))
        return error_set(planner->err, ERR_INVALID, "%s cannot be used for multi-column relations",
                         operator_text(relation->op));

    const struct type *tuple = type_tuple(planner->arena, types, width);
    struct buffer name = { 0 };
    buffer_append_string(&name, "(");
    for (uint32_t i = 0; i < width; i++)
        buffer_printf(&name, "%s%.*s", i ? "," : "", BYTES(columns[i]->name));
    buffer_append_string(&name, ")");
    struct receiver receiver = { buffer_to_arena(planner->arena, &name), tuple };
    enum status status = OK;

    if (relation->op == OPERATOR_IN) {
        added.kind = PART_IN;
        if (relation->value) {
            struct receiver in = {
                bytes_of_string(arena_printf(planner->arena, "in%.*s", BYTES(receiver.name))),
                type_list(planner->arena, tuple, false),
            };
            status = term_compile(planner, relation->value, &in, &added.in_marker);
            return status ? status : merge(collector, &added);
        }
        added.value_count = relation->value_count;
        added.values = arena_new_array(planner->arena, const struct expr *, (size_t)width * relation->value_count + 1);
        for (uint32_t i = 0; i < relation->value_count && !status; i++)
            status = tuple_values(collector, relation->values[i], &receiver, width, &added.values[(size_t)i * width]);
        if (relation->value_count == 1)
            added.kind = PART_EQ;
        return status ? status : merge(collector, &added);
    }
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

static enum status collect_token(struct collector *collector, const struct relation *relation)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    struct where *where = collector->where;
    struct receiver receiver = { BYTES_LITERAL("partition key token"), type_native(TYPE_BIGINT) };
    const struct expr *value;
    bool in_order = true;
    uint32_t found = 0;

    if (collector->options->use != WHERE_SELECT)
        return error_set(planner->err, ERR_INVALID,
                         "The token function cannot be used in WHERE clauses for %s statements",
                         use_name(collector->options->use));
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
    if (found != table->partition_key_count)
        return error_set(planner->err, ERR_INVALID,
                         "The token() function must be applied to all partition key components or none of them");
    if (relation->column_count != found)
        return error_set(planner->err, ERR_INVALID, "The token() function must contains only partition key components");
    if (!in_order) {
        struct buffer names = { 0 };

        for (uint32_t i = 0; i < table->partition_key_count; i++)
            buffer_printf(&names, "%s%.*s", i ? ", " : "", BYTES(table->columns[i].name));
        struct bytes shown = buffer_to_arena(planner->arena, &names);
        return error_set(planner->err, ERR_INVALID,
                         "The token function arguments must be in the partition key order: %.*s", BYTES(shown));
    }
    if (relation->op != OPERATOR_EQ && !is_slice(relation->op))
        return error_set(planner->err, ERR_INVALID, "%s cannot be used with the token function",
                         operator_text(relation->op));
    enum status status = term_compile(planner, relation->value, &receiver, &value);
    if (status)
        return status;

    struct buffer names = { 0 };
    for (uint32_t i = 0; i < table->partition_key_count; i++)
        buffer_printf(&names, "%s%.*s", i ? ", " : "", BYTES(table->columns[i].name));
    struct bytes shown = buffer_to_arena(planner->arena, &names);
    if (where->token_eq)
        return error_set(planner->err, ERR_INVALID,
                         "%.*s cannot be restricted by more than one relation if it includes an Equal", BYTES(shown));
    where->has_token = true;
    switch (relation->op) {
    case OPERATOR_EQ:
        if (where->token_start || where->token_end)
            return error_set(planner->err, ERR_INVALID,
                             "Columns \"%.*s\" cannot be restricted by both an equality and an inequality relation",
                             BYTES(shown));
        where->token_eq = value;
        break;
    case OPERATOR_GT:
    case OPERATOR_GE:
        if (where->token_start)
            return error_set(planner->err, ERR_INVALID,
                             "More than one restriction was found for the start bound on %.*s", BYTES(shown));
        where->token_start = value;
        where->token_start_inclusive = relation->op == OPERATOR_GE;
        break;
    default:
        if (where->token_end)
            return error_set(planner->err, ERR_INVALID, "More than one restriction was found for the end bound on %.*s",
                             BYTES(shown));
        where->token_end = value;
        where->token_end_inclusive = relation->op == OPERATOR_LE;
        break;
    }
    return OK;
}

/* ---- sorting out ---- */

static void add_filter(struct where *where, const struct filter *filter)
{
    where->filters[where->filter_count++] = *filter;
}

/* A restriction on one column, checked row by row. */
static void restriction_to_filters(struct where *where, const struct restriction *restriction)
{
    struct filter filter = { .column = restriction->columns[0] };

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

static void restriction_to_part(const struct restriction *restriction, struct key_part *part)
{
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
    bool filtering = (restricted && (missing_count || slice)) || collector->partition_contains;
    if (filtering && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID, FILTERING_MESSAGE);
    /* With token() beside a whole partition key, its partitions are read if their tokens are inside. */
    where->is_key_range = !restricted || filtering;
    where->partition_is_complete = !where->is_key_range;
    where->partition = arena_new_array(planner->arena, struct key_part, table->partition_key_count);
    for (uint32_t i = 0; i < table->partition_key_count; i++) {
        const struct restriction *restriction = &collector->restrictions[i];

        if (!restriction->columns)
            continue;
        if (where->partition_is_complete)
            restriction_to_part(restriction, &where->partition[i]);
        else
            restriction_to_filters(where, restriction);
    }
    return OK;
}

/* Cassandra refuses by the order in which relations were written; the order of columns is close enough here, and the words are
 * the same for the common case of a column restricted behind a slice. */
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
        i += restriction->width - 1;
    }
    return OK;
}

static enum status sort_clustering(struct collector *collector)
{
    struct planner *planner = collector->planner;
    const struct table_def *table = planner->table;
    struct where *where = collector->where;
    const struct where_options *options = collector->options;
    const struct column_def **missing =
        arena_new_array(planner->arena, const struct column_def *, table->clustering_count + 1);
    uint32_t missing_count = 0, covered = 0;
    bool slice = false, broken = false;

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
    enum status status = check_clustering(collector);
    if (status)
        return status;

    where->clustering = arena_new_array(planner->arena, struct key_part, table->clustering_count + 1);
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct restriction *restriction = &collector->restrictions[table->partition_key_count + i];

        if (!restriction->columns) {
            broken = true;
            continue;
        }
        if (!broken) {
            restriction_to_part(restriction, &where->clustering[where->clustering_count++]);
            if (restriction->kind == PART_SLICE)
                broken = true;
            else
                covered += restriction->width;
        } else if (restriction->width == 1) {
            restriction_to_filters(where, restriction);
            broken = true;
        } else if (restriction->kind == PART_SLICE) {
            return error_set(planner->err, ERR_INVALID,
                             "Multi-column slice restrictions cannot be used for filtering.");
        } else if (restriction->kind == PART_IN) {
            return error_set(planner->err, ERR_INVALID, "Multicolumn IN filters are not supported");
        } else {
            for (uint32_t c = 0; c < restriction->width; c++)
                add_filter(where, &(struct filter){ .column = restriction->columns[c],
                                                    .op = OPERATOR_EQ,
                                                    .value = restriction->values[c] });
        }
        i += restriction->width - 1;
    }
    where->clustering_is_complete = covered == table->clustering_count;
    if (where->is_key_range && where->has_clustering && !options->allow_filtering)
        return error_set(planner->err, ERR_INVALID, FILTERING_MESSAGE);
    return OK;
}

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
    where->filters = arena_new_array(planner->arena, struct filter, 2 * (columns + count) + 1);
    if (!status)
        status = sort_partition(&collector);
    if (!status)
        status = sort_clustering(&collector);
    if (!status)
        status = sort_others(&collector);
    return status;
}

/* ---- evaluation ---- */

static enum status bad_value(const struct column_def *column, struct bytes value, struct error *err)
{
    if (native_is_unset(value))
        return error_set(err, ERR_INVALID, "Invalid unset value for column %.*s", BYTES(column->name));
    return error_set(err, ERR_INVALID, "Invalid null value in condition for column %.*s", BYTES(column->name));
}

static bool is_bad(struct bytes value)
{
    return bytes_is_null(value) || native_is_unset(value);
}

/* The values of an EQ or IN part: `*count` groups of `width`. */
static enum status part_values(const struct key_part *part, const struct column_def *columns, struct eval *eval,
                               struct bytes **values, uint32_t *count, struct error *err)
{
    uint32_t total = part->value_count;
    struct bytes *list;
    enum status status;

    if (!part->in_marker) {
        list = arena_alloc(eval->arena, sizeof(*list) * ((size_t)total * part->width + 1));
        for (size_t i = 0; i < (size_t)total * part->width; i++) {
            status = expr_evaluate(part->values[i], eval, &list[i], err);
            if (status)
                return status;
            if (is_bad(list[i]))
                return bad_value(&columns[part->first + i % part->width], list[i], err);
        }
    } else {
        struct value_iterator iterator;
        struct bytes marker, element;
        const struct type *type = part->in_marker->type;

        status = expr_evaluate(part->in_marker, eval, &marker, err);
        if (status)
            return status;
        if (native_is_unset(marker))
            return bad_value(&columns[part->first], marker, err);
        if (bytes_is_null(marker))
            return error_set(err, ERR_INVALID, "Invalid null value for column %.*s", BYTES(columns[part->first].name));
        total = marker.size >= 4 ? load_be32(marker.data) : 0;
        if (total > KEYS_MAX)
            return error_set(err, ERR_INVALID, "Too many values in an IN restriction: %u", total);
        list = arena_alloc(eval->arena, sizeof(*list) * ((size_t)total * part->width + 1));
        uint32_t at = 0;
        value_iterator_init(&iterator, type, marker);
        while (at < total && value_iterator_next(&iterator, &element)) {
            if (part->width == 1 && type->params[0]->kind != TYPE_TUPLE) {
                list[at] = element;
            } else if (part->width == 1 && !columns[part->first].type) {
                list[at] = element;
            } else if (type_equal(type->params[0], columns[part->first].type) && part->width == 1) {
                list[at] = element;
            } else {
                struct value_iterator inner;

                value_iterator_init(&inner, type->params[0], element);
                for (uint32_t c = 0; c < part->width; c++)
                    if (!value_iterator_next(&inner, &list[(size_t)at * part->width + c]))
                        list[(size_t)at * part->width + c] = bytes_of(NULL, 0);
            }
            at++;
        }
        total = at;
        for (size_t i = 0; i < (size_t)total * part->width; i++)
            if (is_bad(list[i]))
                return bad_value(&columns[part->first + i % part->width], list[i], err);
    }
    *values = list;
    *count = total;
    return OK;
}

enum status partition_key_check(const struct table_def *table, struct bytes serialized, struct error *err)
{
    if (table->partition_key_count == 1 && serialized.size == 0)
        return error_set(err, ERR_INVALID, "Key may not be empty");
    if (serialized.size > UINT16_MAX)
        return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of 65535", serialized.size);
    return OK;
}

static uint8_t *append_component(uint8_t *at, struct bytes value)
{
    store_be16(at, (uint16_t)value.size);
    memcpy(at + 2, value.data, value.size);
    at[2 + value.size] = 0;
    return at + 3 + value.size;
}

static enum status serialize_key(const struct table_def *table, struct eval *eval, const struct bytes *components,
                                 struct bytes *key, struct error *err)
{
    size_t size = 0;

    if (table->partition_key_count == 1) {
        *key = components[0];
        return partition_key_check(table, *key, err);
    }
    for (uint32_t i = 0; i < table->partition_key_count; i++) {
        if (components[i].size > UINT16_MAX)
            return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of 65535", components[i].size);
        size += components[i].size + 3;
    }
    uint8_t *data = arena_alloc(eval->arena, size), *at = data;
    for (uint32_t i = 0; i < table->partition_key_count; i++)
        at = append_component(at, components[i]);
    *key = bytes_of(data, size);
    return partition_key_check(table, *key, err);
}

static int compare_values(const void *a, const void *b, void *type)
{
    return value_compare(type, *(const struct bytes *)a, *(const struct bytes *)b);
}

/* IN values in the column's order, each once. */
static uint32_t sort_values(const struct type *type, struct bytes *values, uint32_t count)
{
    uint32_t kept = 0;

    qsort_r(values, count, sizeof(*values), compare_values, (void *)type);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || value_compare(type, values[kept - 1], values[i]))
            values[kept++] = values[i];
    return kept;
}

enum status where_partitions(const struct where *where, const struct table_def *table, struct eval *eval,
                             struct partition_list *list, struct error *err)
{
    uint32_t parts = table->partition_key_count;
    struct bytes **values = arena_alloc(eval->arena, sizeof(*values) * parts);
    struct bytes *components = arena_alloc(eval->arena, sizeof(*components) * parts);
    uint32_t *counts = arena_alloc(eval->arena, sizeof(*counts) * parts);
    uint64_t total = 1;

    for (uint32_t i = 0; i < parts; i++) {
        enum status status = part_values(&where->partition[i], table->columns, eval, &values[i], &counts[i], err);

        if (status)
            return status;
        if (counts[i] > 1)
            counts[i] = sort_values(table->columns[i].type, values[i], counts[i]);
        total *= counts[i];
        if (total > KEYS_MAX)
            return error_set(err, ERR_INVALID, "The IN restrictions name more than %d partitions", KEYS_MAX);
    }
    list->keys = arena_alloc(eval->arena, sizeof(*list->keys) * (total + 1));
    list->count = (uint32_t)total;
    for (uint32_t n = 0; n < total; n++) {
        uint32_t rest = n;

        for (uint32_t i = parts; i-- > 0;) {
            components[i] = values[i][rest % counts[i]];
            rest /= counts[i];
        }
        enum status status = serialize_key(table, eval, components, &list->keys[n], err);
        if (status)
            return status;
    }
    return OK;
}

struct prefix {
    struct bytes encoded;
    struct bytes written; /* as far as it is needed */
};

static void extend_prefix(const struct table_def *table, struct eval *eval, const struct prefix *from, uint32_t first,
                          const struct bytes *values, uint32_t width, bool keep_written, struct prefix *to)
{
    struct buffer *out = eval->scratch;

    buffer_reset(out);
    buffer_append_bytes(out, from->encoded);
    for (uint32_t i = 0; i < width; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + first + i];

        value_encode_key(out, column->type, values[i], column->descending);
    }
    to->encoded = arena_copy(eval->arena, buffer_bytes(out));
    to->written = bytes_of(NULL, 0);
    if (keep_written) {
        buffer_reset(out);
        buffer_append_bytes(out, from->written);
        for (uint32_t i = 0; i < width; i++) {
            buffer_append_be32(out, (uint32_t)values[i].size);
            buffer_append_bytes(out, values[i]);
        }
        to->written = arena_copy(eval->arena, buffer_bytes(out));
    }
}

static int compare_prefixes(const void *a, const void *b)
{
    return bytes_compare(((const struct prefix *)a)->encoded, ((const struct prefix *)b)->encoded);
}

static bool table_keeps_written(const struct table_def *table)
{
    for (uint32_t i = 0; i < table->clustering_count; i++)
        if (!value_key_is_injective(table->columns[table->partition_key_count + i].type))
            return true;
    return false;
}

/* Every prefix that the EQ and IN parts make, in clustering order. */
static enum status make_prefixes(const struct where *where, const struct table_def *table, struct eval *eval,
                                 bool keep_written, struct prefix **result, uint32_t *result_count, struct error *err)
{
    struct prefix *prefixes = arena_alloc(eval->arena, sizeof(*prefixes));
    uint32_t count = 1;

    prefixes[0] = (struct prefix){ bytes_of("", 0), bytes_of("", 0) };
    for (uint32_t p = 0; p < where->clustering_count && where->clustering[p].kind != PART_SLICE; p++) {
        const struct key_part *part = &where->clustering[p];
        struct bytes *values;
        uint32_t value_count;
        enum status status =
            part_values(part, table->columns + table->partition_key_count, eval, &values, &value_count, err);

        if (status)
            return status;
        if ((uint64_t)count * value_count > KEYS_MAX)
            return error_set(err, ERR_INVALID, "The IN restrictions name more than %d rows", KEYS_MAX);
        struct prefix *next = arena_alloc(eval->arena, sizeof(*next) * ((size_t)count * value_count + 1));
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t v = 0; v < value_count; v++)
                extend_prefix(table, eval, &prefixes[i], part->first, &values[(size_t)v * part->width], part->width,
                              keep_written, &next[i * value_count + v]);
        prefixes = next;
        count *= value_count;
    }
    if (count > 1) {
        uint32_t kept = 0;

        qsort(prefixes, count, sizeof(*prefixes), compare_prefixes);
        for (uint32_t i = 0; i < count; i++)
            if (!kept || !bytes_equal(prefixes[kept - 1].encoded, prefixes[i].encoded))
                prefixes[kept++] = prefixes[i];
        count = kept;
    }
    *result = prefixes;
    *result_count = count;
    return OK;
}

enum status where_rows(const struct where *where, const struct table_def *table, struct eval *eval,
                       struct clustering_value **rows, uint32_t *count, struct error *err)
{
    static_assert(sizeof(struct prefix) == sizeof(struct clustering_value), "a prefix of all columns is a clustering");
    bool keep = table_keeps_written(table);
    struct prefix *prefixes;
    enum status status = make_prefixes(where, table, eval, keep, &prefixes, count, err);

    if (status)
        return status;
    *rows = arena_alloc(eval->arena, sizeof(**rows) * (*count + 1));
    for (uint32_t i = 0; i < *count; i++)
        (*rows)[i] = (struct clustering_value){ prefixes[i].encoded, keep ? prefixes[i].written : bytes_of(NULL, 0) };
    return OK;
}

static enum status bound_values(const struct bound *bound, const struct key_part *part, const struct table_def *table,
                                struct eval *eval, struct bytes **values, struct error *err)
{
    *values = arena_alloc(eval->arena, sizeof(**values) * (bound->count + 1));
    for (uint32_t i = 0; i < bound->count; i++) {
        enum status status = expr_evaluate(bound->values[i], eval, &(*values)[i], err);

        if (status)
            return status;
        if (is_bad((*values)[i]))
            return bad_value(&table->columns[table->partition_key_count + part->first + i], (*values)[i], err);
    }
    return OK;
}

/* One part's bounds with their values, and where the slices go. */
struct slicing {
    const struct table_def *table;
    struct eval *eval;
    const struct key_part *part;
    const struct bytes *start, *end; /* NULL: open */
    struct slice *slices;
    uint32_t count;
};

static bool part_has_one_direction(const struct table_def *table, const struct key_part *part)
{
    const struct column_def *columns = &table->columns[table->partition_key_count + part->first];

    for (uint32_t i = 1; i < part->width; i++)
        if (columns[i].descending != columns[0].descending)
            return false;
    return true;
}

/* A whole part in one direction is one slice. */
static void slice_straight(struct slicing *slicing, const struct prefix *prefix)
{
    const struct key_part *part = slicing->part;
    bool descending = slicing->table->columns[slicing->table->partition_key_count + part->first].descending;
    const struct bound *low = descending ? &part->end : &part->start, *high = descending ? &part->start : &part->end;
    const struct bytes *low_values = descending ? slicing->end : slicing->start,
                       *high_values = descending ? slicing->start : slicing->end;
    struct slice slice = { prefix->encoded, prefix->encoded, true, true };
    struct prefix extended;

    if (low_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, low_values, low->count, false, &extended);
        slice.start = extended.encoded;
        slice.start_inclusive = low->inclusive;
    }
    if (high_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, high_values, high->count, false, &extended);
        slice.end = extended.encoded;
        slice.end_inclusive = high->inclusive;
    }
    /* Nothing lies between bounds that have passed each other. */
    size_t shorter = slice.start.size < slice.end.size ? slice.start.size : slice.end.size;
    int order = shorter ? memcmp(slice.start.data, slice.end.data, shorter) : 0;
    bool both = low_values && high_values;
    if (order > 0)
        return;
    if (order == 0 && both && slice.start.size == slice.end.size && !(slice.start_inclusive && slice.end_inclusive))
        return;
    if (order == 0 && both && slice.start.size < slice.end.size && !slice.start_inclusive)
        return;
    if (order == 0 && both && slice.end.size < slice.start.size && !slice.end_inclusive)
        return;
    slicing->slices[slicing->count++] = slice;
}

/* Columns in different directions: what lies between the bounds in the order of values is several slices. Column by column:
 * strictly between the two bounds everything is inside; at a bound the next column decides. At most 2 * width + 1 slices. */
static void slice_mixed(struct slicing *slicing, const struct prefix *prefix, uint32_t depth, bool at_start,
                        bool at_end)
{
    const struct key_part *part = slicing->part;
    const struct column_def *column =
        &slicing->table->columns[slicing->table->partition_key_count + part->first + depth];

    if (at_start && depth == part->start.count) {
        if (!part->start.inclusive)
            return;
        at_start = false;
    }
    if (at_end && depth == part->end.count) {
        if (!part->end.inclusive)
            return;
        at_end = false;
    }
    if (!at_start && !at_end) {
        slicing->slices[slicing->count++] = (struct slice){ prefix->encoded, prefix->encoded, true, true };
        return;
    }
    const struct bytes *low = at_start ? &slicing->start[depth] : NULL, *high = at_end ? &slicing->end[depth] : NULL;
    struct prefix low_prefix = { 0 }, high_prefix = { 0 };
    int order = low && high ? value_compare(column->type, *low, *high) : -1;

    if (order > 0)
        return;
    if (low)
        extend_prefix(slicing->table, slicing->eval, prefix, part->first + depth, low, 1, false, &low_prefix);
    if (high)
        extend_prefix(slicing->table, slicing->eval, prefix, part->first + depth, high, 1, false, &high_prefix);
    if (order == 0) {
        slice_mixed(slicing, &low_prefix, depth + 1, true, true);
        return;
    }
    struct slice between = { low ? low_prefix.encoded : prefix->encoded, high ? high_prefix.encoded : prefix->encoded,
                             !low, !high };
    if (column->descending)
        between = (struct slice){ between.end, between.start, between.end_inclusive, between.start_inclusive };
    slicing->slices[slicing->count++] = between;
    if (low)
        slice_mixed(slicing, &low_prefix, depth + 1, true, false);
    if (high)
        slice_mixed(slicing, &high_prefix, depth + 1, false, true);
}

/* An exclusive bound stands behind everything that begins with it. */
static int compare_slices(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    size_t shorter = left->start.size < right->start.size ? left->start.size : right->start.size;
    int order = shorter ? memcmp(left->start.data, right->start.data, shorter) : 0;

    if (order)
        return order;
    if (left->start.size == right->start.size)
        return right->start_inclusive - left->start_inclusive;
    if (left->start.size < right->start.size)
        return left->start_inclusive ? -1 : 1;
    return right->start_inclusive ? 1 : -1;
}

enum status where_slices(const struct where *where, const struct table_def *table, struct eval *eval,
                         struct slice **slices, uint32_t *count, bool *nothing, struct error *err)
{
    struct slicing slicing = { .table = table, .eval = eval };
    struct bytes *start = NULL, *end = NULL;
    struct prefix *prefixes;
    uint32_t prefix_count;
    enum status status;

    *count = 0;
    *slices = NULL;
    *nothing = false;
    if (!where->clustering_count)
        return OK;
    status = make_prefixes(where, table, eval, false, &prefixes, &prefix_count, err);
    if (status)
        return status;
    slicing.part = &where->clustering[where->clustering_count - 1];
    if (slicing.part->kind != PART_SLICE) {
        slicing.slices = arena_alloc(eval->arena, sizeof(struct slice) * ((size_t)prefix_count + 1));
        for (uint32_t i = 0; i < prefix_count; i++)
            slicing.slices[slicing.count++] = (struct slice){ prefixes[i].encoded, prefixes[i].encoded, true, true };
    } else {
        bool straight = part_has_one_direction(table, slicing.part);

        if (slicing.part->start.values)
            status = bound_values(&slicing.part->start, slicing.part, table, eval, &start, err);
        if (!status && slicing.part->end.values)
            status = bound_values(&slicing.part->end, slicing.part, table, eval, &end, err);
        if (status)
            return status;
        slicing.start = start;
        slicing.end = end;
        slicing.slices =
            arena_alloc(eval->arena, sizeof(struct slice) *
                                         ((size_t)prefix_count * (straight ? 1 : 2 * slicing.part->width + 1) + 1));
        for (uint32_t i = 0; i < prefix_count; i++) {
            if (straight)
                slice_straight(&slicing, &prefixes[i]);
            else
                slice_mixed(&slicing, &prefixes[i], 0, start != NULL, end != NULL);
        }
        if (!straight)
            qsort(slicing.slices, slicing.count, sizeof(struct slice), compare_slices);
    }
    *slices = slicing.slices;
    *count = slicing.count;
    *nothing = slicing.count == 0;
    return OK;
}

static enum status token_value(const struct expr *expr, struct eval *eval, int64_t *token, struct error *err)
{
    struct bytes value;
    enum status status = expr_evaluate(expr, eval, &value, err);

    if (status)
        return status;
    if (is_bad(value) || value.size != 8)
        return error_set(err, ERR_INVALID, "Invalid null token value");
    *token = (int64_t)load_be64(value.data);
    return OK;
}

enum status where_tokens(const struct where *where, struct eval *eval, int64_t *first, int64_t *last, bool *nothing,
                         struct error *err)
{
    enum status status = OK;

    *first = INT64_MIN;
    *last = INT64_MAX;
    *nothing = false;
    if (where->token_eq) {
        status = token_value(where->token_eq, eval, first, err);
        *last = *first;
        return status;
    }
    if (where->token_start) {
        status = token_value(where->token_start, eval, first, err);
        if (status)
            return status;
        if (!where->token_start_inclusive) {
            *nothing = *first == INT64_MAX;
            if (*first != INT64_MAX)
                ++*first;
        }
    }
    if (where->token_end) {
        status = token_value(where->token_end, eval, last, err);
        if (status)
            return status;
        /* The least token, as an end, means the end of the ring: drivers' last range is (t, MIN]. */
        if (*last == INT64_MIN) {
            *last = INT64_MAX;
        } else if (!where->token_end_inclusive) {
            --*last;
        }
    }
    *nothing |= *first > *last;
    return OK;
}

/* SELECT becomes a plan: its results as expressions over slots (columns that are read), its
 * WHERE clause, its groups, its order, its limits. Slots of key columns come first, so that
 * rows are put together without asking what a slot is. The clauses are checked in Cassandra's
 * order (compile_clauses), which decides what error a client sees. Source:
 * org.apache.cassandra.cql3.statements.SelectStatement, release 5.0. */
#include "plan/select.h"

#include "plan/selector.h"
#include "schema/ddl.h"

#include <assert.h>
#include <stdlib.h>

/* What drivers are told of a result. */
static void set_result_column(struct plan *plan, const struct table_def *table, uint32_t at, struct bytes name,
                              const struct type *type)
{
    plan->columns[at] = (struct native_column){ table->keyspace, table->name, name, type };
}

/* The selectors, or for * all columns in their order. */
static enum status compile_results(struct selection *selection, const struct select_statement *statement,
                                   struct plan *plan)
{
    struct planner *planner = selection->planner;
    const struct table_def *table = planner->table;
    struct select_plan *select = selection->select;
    uint32_t count = statement->selector_count ? statement->selector_count : table->column_count;

    assert(count);
    select->results = arena_new_array(planner->arena, const struct expr *, count + table->clustering_count + 1);
    plan->columns = arena_new_array(planner->arena, struct native_column, count + table->clustering_count + 1);
    /* SELECT *: all columns, in the order of the definition. */
    if (!statement->selector_count) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            select->results[i] = selection_column_expr(selection, &table->columns[i]);
            set_result_column(plan, table, i, table->columns[i].name, table->columns[i].type);
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const struct selector *selector = &statement->selectors[i];
            /* (x) alone may be a tuple of one. */
            bool unclear = selector->term->kind == TERM_TUPLE && selector->term->item_count == 1;
            enum status status = unclear ? selector_cannot_infer(selection, selector->term)
                                         : selector_compile(selection, selector->term, NULL, &select->results[i]);

            if (status)
                return status;
            struct bytes name =
                bytes_is_null(selector->alias) ? selector_name(planner, selector->term) : selector->alias;
            /* COUNT(1) is shown as Cassandra shows COUNT(*). */
            if (selector->term->kind == TERM_FUNCTION && bytes_is_null(selector->alias) &&
                select->results[i]->kind == EXPR_AGGREGATE &&
                select->aggregates[select->results[i]->index].kind == AGGREGATE_COUNT_ROWS)
                name = BYTES_LITERAL("count");
            set_result_column(plan, table, i, name, select->results[i]->type);
        }
    }
    select->result_count = plan->column_count = count;
    for (uint32_t i = 0; i < count; i++)
        assert(select->results[i] && plan->columns[i].type);
    return OK;
}

/* The columns that results are made of, in the order in which they are named: as columns, in
 * functions, in aggregates or in writetime(). */
struct used_columns {
    const struct column_def **list;
    uint32_t count;
};

/* There are few columns, so the list is looked through. */
static bool is_used(const struct used_columns *used, const struct column_def *column)
{
    for (uint32_t i = 0; i < used->count; i++)
        if (used->list[i] == column)
            return true;
    return false;
}

/* Adds the columns of one expression. */
static void add_used(struct used_columns *used, const struct select_plan *select, const struct expr *expr)
{
    const struct column_def *column = NULL;

    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_WRITETIME:
    case EXPR_MAXWRITETIME:
    case EXPR_TTL: column = select->slots[expr->index]; break;
    /* An aggregate uses what its argument uses. */
    case EXPR_AGGREGATE:
        if (select->aggregates[expr->index].argument)
            add_used(used, select, select->aggregates[expr->index].argument);
        break;
    default: break;
    }
    assert(expr->kind != EXPR_COLUMN || expr->index < select->slot_count);
    if (column && !is_used(used, column))
        used->list[used->count++] = column;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i])
            add_used(used, select, expr->args[i]);
}

/* Of all results, each column once. */
static struct used_columns find_used(const struct selection *selection)
{
    const struct select_plan *select = selection->select;
    struct arena *arena = selection->planner->arena;
    struct used_columns used = { .list = arena_new_array(arena, const struct column_def *,
                                                         selection->planner->table->column_count + 1) };

    for (uint32_t i = 0; i < select->result_count; i++)
        add_used(&used, select, select->results[i]);
    return used;
}

/* The column of a row, in a SELECT of partitions. */
static enum status refuse_distinct_column(struct planner *planner, const struct column_def *column)
{
    return error_set(planner->err, ERR_INVALID,
                     "SELECT DISTINCT queries must only request partition key columns and/or static columns (not %.*s)",
                     BYTES(column->name));
}

/* SELECT DISTINCT gives partitions: only their key and static columns may be asked for or
 * restricted. */
static enum status check_distinct(const struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    const struct select_plan *select = selection->select;
    const struct table_def *table = planner->table;
    struct used_columns used = find_used(selection);

    if (statement->per_partition_limit)
        return error_set(planner->err, ERR_INVALID, "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries");
    /* Rows are not looked at, so they cannot be restricted. */
    if (select->where.has_clustering)
        return error_set(
            planner->err, ERR_INVALID,
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.");
    for (uint32_t i = 0; i < select->where.filter_count; i++)
        if (select->where.filters[i].column->kind == COLUMN_REGULAR)
            return error_set(
                planner->err, ERR_INVALID,
                "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.");
    /* Rows are not read, so nothing of a row can be shown. */
    for (uint32_t i = 0; i < used.count; i++)
        if (used.list[i]->kind == COLUMN_REGULAR || used.list[i]->kind == COLUMN_CLUSTERING)
            return refuse_distinct_column(planner, used.list[i]);
    /* What is sorted by is selected too, where it is sorted after reading. */
    for (uint32_t i = 0; i < statement->ordering_count && select->where.partition_has_in; i++) {
        const struct column_def *column = table_def_column(table, statement->orderings[i].column);

        if (column && column->kind == COLUMN_CLUSTERING)
            return refuse_distinct_column(planner, column);
    }
    /* A whole partition key by EQ need not be selected. */
    for (uint32_t k = 0; k < table->partition_key_count && select->where.access.kind == ACCESS_RANGE; k++)
        if (!is_used(&used, &table->columns[k]))
            return error_set(planner->err, ERR_INVALID,
                             "SELECT DISTINCT queries must request all the partition key columns (missing %.*s)",
                             BYTES(table->columns[k].name));
    return OK;
}

/* Is the clustering column fixed to one value? */
static bool is_eq_restricted(const struct where *where, uint32_t position)
{
    for (uint32_t i = 0; i < where->access.clustering_count; i++) {
        const struct key_part *part = &where->access.clustering[i];

        if (part->kind == PART_EQ && position >= part->first && position < part->first + part->width)
            return true;
    }
    return false;
}

struct ordered { /* a column of an ORDER BY */
    const struct column_def *column;
    bool descending;
};

/* Each column stands where it was named first, and goes the way that was said last, because
 * Cassandra keeps them in a map. */
static enum status unite_orderings(struct selection *selection, const struct select_statement *statement,
                                   struct ordered *ordered, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < statement->ordering_count; i++) {
        const struct column_def *column;
        enum status status = selection_column(selection, statement->orderings[i].column, &column);
        uint32_t k = 0;

        if (status)
            return status;
        while (k < *count && ordered[k].column != column)
            k++;
        ordered[k] = (struct ordered){ column, statement->orderings[i].descending };
        *count += k == *count;
    }
    return OK;
}

/* ORDER BY must follow the clustering, forward or backward: then it is the order of reading.
 * Only with IN on the partition key is anything sorted afterwards, since then rows of several
 * partitions are mixed. */
static enum status compile_ordering(struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    struct select_plan *select = selection->select;
    uint32_t next = 0, count;
    struct ordered *ordered;
    int reversed = -1;
    enum status status;

    if (!statement->ordering_count)
        return OK;
    if (statement->orderings[0].ann_of)
        return error_set(planner->err, ERR_INVALID, "ANN ordering by vector requires the column to be indexed");
    /* A scan goes by tokens: rows of all partitions in one order would have to be sorted in
     * memory. */
    if (select->where.access.kind == ACCESS_RANGE)
        return error_set(planner->err, ERR_INVALID,
                         "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.");
    ordered = arena_new_array(planner->arena, struct ordered, statement->ordering_count);
    status = unite_orderings(selection, statement, ordered, &count);
    if (status)
        return status;
    select->sort = arena_new_array(planner->arena, struct select_ordering, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct column_def *column = ordered[i].column;

        assert(column);
        if (column->kind != COLUMN_CLUSTERING)
            return error_set(
                planner->err, ERR_INVALID,
                "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got %.*s",
                BYTES(column->name));
        /* A column with one value does not change the order, so it may be left out. */
        while (next < column->position && is_eq_restricted(&select->where, next))
            next++;
        if (next != column->position)
            return error_set(
                planner->err, ERR_INVALID,
                "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY");
        next++;
        /* The whole order is the table's, or the reverse of it. */
        int this_reversed = ordered[i].descending != column->descending;
        if (reversed >= 0 && reversed != this_reversed)
            return error_set(planner->err, ERR_INVALID, "Unsupported order by relation");
        reversed = this_reversed;
        select->sort[i] =
            (struct select_ordering){ selection_slot(selection, column), column->type, ordered[i].descending };
    }
    /* Reading runs backward then, also where it is sorted afterwards. */
    select->reversed = reversed == 1;
    assert(!select->reversed || select->where.access.kind == ACCESS_PARTITIONS);
    select->sort_count = select->where.partition_has_in ? count : 0;
    return OK;
}

/* A function in GROUP BY, such as floor(time, 1h), of one clustering column. */
static enum status compile_group_function(struct selection *selection, const struct term *term,
                                          const struct column_def **column)
{
    struct planner *planner = selection->planner;
    struct select_plan *select = selection->select;
    const struct term *of = NULL;
    enum status status;

    assert(term->kind == TERM_FUNCTION && !select->group_function);
    for (uint32_t k = 0; k < term->item_count; k++)
        if (term->items[k]->kind == TERM_COLUMN)
            of = term->items[k];
    if (!of)
        return error_set(planner->err, ERR_INVALID,
                         "GROUP BY functions must have one clustering column name as parameter");
    status = selector_compile(selection, term, NULL, &select->group_function);
    if (!status)
        status = selection_column(selection, of->column, column);
    if (status)
        return status;
    if (select->group_function->kind == EXPR_AGGREGATE)
        return error_set(planner->err, ERR_INVALID,
                         "Aggregate functions are not supported within the GROUP BY clause, got: %.*s",
                         BYTES(selector_name(planner, term)));
    if ((*column)->kind != COLUMN_CLUSTERING)
        return error_set(planner->err, ERR_INVALID,
                         "Group by functions are only supported on clustering columns, got %.*s",
                         BYTES((*column)->name));
    return OK;
}

/* The column that one item of GROUP BY names, or that its function is of. */
static enum status find_group_column(struct selection *selection, const struct term *term,
                                     const struct column_def **column)
{
    struct planner *planner = selection->planner;
    enum status status;

    if (selection->select->group_function)
        return error_set(planner->err, ERR_INVALID,
                         "Functions are only supported on the last element of the GROUP BY clause");
    if (term->kind == TERM_FUNCTION)
        status = compile_group_function(selection, term, column);
    else if (term->kind == TERM_COLUMN)
        status = selection_column(selection, term->column, column);
    else
        status = error_set(planner->err, ERR_INVALID,
                           "Group by is currently only supported on the columns of the PRIMARY KEY, got %.*s",
                           BYTES(selector_name(planner, term)));
    if (status)
        return status;
    if ((*column)->kind != COLUMN_PARTITION_KEY && (*column)->kind != COLUMN_CLUSTERING)
        return error_set(planner->err, ERR_INVALID,
                         "Group by is currently only supported on the columns of the PRIMARY KEY, got %.*s",
                         BYTES((*column)->name));
    return OK;
}

/* Is the key column fixed to one value by WHERE? Then all rows are in one group of it. */
static bool is_one_value(const struct where *where, const struct column_def *column)
{
    if (column->kind == COLUMN_CLUSTERING)
        return is_eq_restricted(where, column->position);
    return where->access.kind == ACCESS_PARTITIONS && where->access.partition[column->position].kind == PART_EQ;
}

/* GROUP BY takes a prefix of the primary key, so that rows of a group follow one another.
 * Columns that are fixed to one value may be left out: they count as grouped by. */
static enum status compile_groups(struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    const struct table_def *table = planner->table;
    struct select_plan *select = selection->select;
    uint32_t next = 0;

    for (uint32_t i = 0; i < statement->group_count; i++) {
        const struct column_def *column;
        enum status status = find_group_column(selection, statement->groups[i], &column);

        if (status)
            return status;
        /* Columns that are fixed to one value may be passed over. */
        while (next < column->index && is_one_value(&select->where, &table->columns[next]))
            next++;
        if (next != column->index)
            return error_set(
                planner->err, ERR_INVALID,
                "Group by currently only support groups of columns following their declared order in the PRIMARY KEY");
        next++;
    }
    if (!statement->group_count)
        return OK;
    if (next < table->partition_key_count)
        return error_set(planner->err, ERR_INVALID, "Group by is not supported on only a part of the partition key");
    if (statement->distinct && next > table->partition_key_count)
        return error_set(planner->err, ERR_INVALID,
                         "Grouping on clustering columns is not allowed for SELECT DISTINCT queries");
    assert(next <= table->partition_key_count + table->clustering_count);
    select->group_count = next;
    select->is_aggregate = true;
    return OK;
}

/* Does it select static columns, and otherwise only the partition key? Such a SELECT gives
 * one row for each partition. */
static bool uses_only_static(const struct selection *selection, const struct select_statement *statement)
{
    struct used_columns used = find_used(selection);
    bool any = false;

    /* SELECT * reads rows; without clustering columns a row is as good as the partition. */
    if (!statement->selector_count || !selection->planner->table->clustering_count)
        return false;
    for (uint32_t i = 0; i < used.count; i++) {
        if (used.list[i]->kind == COLUMN_STATIC)
            any = true;
        else if (used.list[i]->kind != COLUMN_PARTITION_KEY)
            return false;
    }
    return any;
}

/* By column id, the order in which a row's cells lie. */
static int compare_ids(const void *a, const void *b, void *context)
{
    const struct column_def *const *slots = context;
    uint32_t left = slots[*(const uint32_t *)a]->id, right = slots[*(const uint32_t *)b]->id;

    return (left > right) - (left < right);
}

/* Sorts the slots of regular and static columns as cells are sorted: assembling a row is one
 * walk over both. */
static void index_cell_slots(struct planner *planner, struct select_plan *select)
{
    uint32_t first = select->partition_slots + select->clustering_slots;

    assert(first <= select->slot_count);
    /* Slots behind those of the key are of static and regular columns. */
    select->cell_slot_count = select->slot_count - first;
    select->slot_of_id_index = arena_new_array(planner->arena, uint32_t, select->cell_slot_count + 1);
    for (uint32_t i = 0; i < select->cell_slot_count; i++)
        select->slot_of_id_index[i] = first + i;
    qsort_r(select->slot_of_id_index, select->cell_slot_count, sizeof(uint32_t), compare_ids, select->slots);
}

/* PER PARTITION LIMIT first, as Cassandra: the markers are numbered by their places anyhow. */
static enum status compile_limits(struct planner *planner, const struct select_statement *statement,
                                  struct select_plan *select)
{
    /* Their markers have these names in Cassandra. */
    struct receiver limit = { BYTES_LITERAL("[limit]"), type_native(TYPE_INT) };
    struct receiver per_partition = { BYTES_LITERAL("[per_partition_limit]"), type_native(TYPE_INT) };
    enum status status = OK;

    if (statement->per_partition_limit)
        status = term_compile(planner, statement->per_partition_limit, &per_partition, &select->per_partition_limit);
    if (!status && statement->limit)
        status = term_compile(planner, statement->limit, &limit, &select->limit);
    return status;
}

/* SELECT JSON: one result, [json], made of the others. Names with capitals are quoted within
 * their quotes, so that INSERT JSON takes them back as they are. */
static void make_json(struct planner *planner, struct select_plan *select, struct plan *plan)
{
    select->is_json = true;
    assert(plan->column_count == select->result_count);
    select->json_names = arena_new_array(planner->arena, struct bytes, plan->column_count);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        struct bytes name = plan->columns[i].name;
        struct buffer out = { 0 };
        bool quoted = false;

        for (size_t c = 0; c < name.size; c++)
            quoted |= name.data[c] >= 'A' && name.data[c] <= 'Z';
        if (quoted)
            name = bytes_of_string(arena_printf(planner->arena, "\"%.*s\"", BYTES(name)));
        value_print_json(&out, type_native(TYPE_TEXT), name);
        buffer_append_string(&out, ": ");
        select->json_names[i] = buffer_to_arena(planner->arena, &out);
    }
    set_result_column(plan, planner->table, 0, BYTES_LITERAL("[json]"), type_native(TYPE_TEXT));
    plan->column_count = 1;
}

/* Has the statement this column with =, by itself? */
static bool restricts(const struct select_statement *statement, const char *column)
{
    for (uint32_t i = 0; i < statement->relation_count; i++) {
        const struct relation *relation = &statement->relations[i];

        if (relation->kind == RELATION_COLUMN && relation->op == OPERATOR_EQ &&
            bytes_equal(relation->columns[0], bytes_of_string(column)))
            return true;
    }
    return false;
}

/* A table that may be asked in some ways only: which are they? Whatever else the statement has filters what is found. */
static enum status check_ways(struct planner *planner, const struct select_statement *statement)
{
    const struct table_def *table = planner->table;
    struct buffer words CLEANUP(buffer_fini) = { 0 };

    for (const struct table_way *way = table->ways; way->columns[0]; way++) {
        /* The words for the refusal are gathered on the way. */
        bool is_this = true;

        buffer_append_string(&words, way == table->ways ? "" : ", or ");
        for (int i = 0; i < TABLE_WAY_COLUMNS && way->columns[i]; i++) {
            is_this = is_this && restricts(statement, way->columns[i]);
            buffer_printf(&words, "%s%s", i ? " and " : "", way->columns[i]);
        }
        if (is_this)
            return OK;
    }
    return error_set(planner->err, ERR_INVALID, "SELECT from %.*s.%.*s must restrict with =: %.*s",
                     BYTES(table->keyspace), BYTES(table->name), BYTES(buffer_bytes(&words)));
}

/* The clauses in the order in which Cassandra finds what is wrong with them. */
static enum status compile_clauses(struct selection *selection, const struct select_statement *statement,
                                   struct plan *plan)
{
    struct planner *planner = selection->planner;
    struct select_plan *select = selection->select;
    const struct table_def *table = planner->table;
    enum status status;

    select->slots = arena_new_array(planner->arena, const struct column_def *, table->column_count + 1);
    assert(!select->slot_count && table->partition_key_count);
    select->partition_slots = table->partition_key_count;
    select->clustering_slots = table->clustering_count;
    /* All key columns get a slot, in order, whether they are selected or not. */
    for (uint32_t i = 0; i < table->partition_key_count + table->clustering_count; i++)
        selection_slot(selection, &table->columns[i]);
    select->distinct = statement->distinct;
    select->allow_filtering = statement->allow_filtering;
    status = compile_results(selection, statement, plan);
    if (status)
        return status;
    select->selects_static_only = uses_only_static(selection, statement);
    /* The virtual system keyspaces are small, so filtering them needs no permission, as in
     * Cassandra. */
    struct where_options options = {
        .use = WHERE_SELECT,
        .allow_filtering = statement->allow_filtering || table->ways || ddl_is_virtual_system_keyspace(table->keyspace),
        .only_static = select->selects_static_only,
    };
    status = where_compile(planner, statement->relations, statement->relation_count, &options, &select->where);
    if (!status && table->ways)
        status = check_ways(planner, statement);
    if (!status && statement->distinct)
        status = check_distinct(selection, statement);
    if (!status)
        status = compile_groups(selection, statement);
    if (!status && statement->per_partition_limit && select->is_aggregate && !select->group_count)
        status = error_set(planner->err, ERR_INVALID, "PER PARTITION LIMIT is not allowed with aggregate queries.");
    if (!status)
        status = compile_ordering(selection, statement);
    if (!status)
        status = where_check_filtering(planner, &options, &select->where);
    if (!status)
        status = compile_limits(planner, statement, select);
    return status;
}

/* Plans a SELECT. is_plain marks the most frequent kind, whose values go from cells into the
 * reply without an expression being evaluated. */
enum status plan_select(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    struct select_plan *select = arena_new_struct(planner->arena, struct select_plan);
    struct selection selection = { .planner = planner, .select = select };
    enum status status = plan_use_table(planner, &statement->select->table, plan);

    assert(statement->kind == STATEMENT_SELECT);
    plan->select = select;
    if (!status)
        assert(planner->table == plan->table);
    if (!status)
        status = compile_clauses(&selection, statement->select, plan);
    if (status)
        return status;
    /* Columns that are only filtered by are read too. */
    for (uint32_t i = 0; i < select->where.filter_count; i++)
        select->where.filters[i].slot = selection_slot(&selection, select->where.filters[i].column);
    /* The static row is read with the partition anyhow. */
    select->static_wanted = plan->table->static_count > 0;
    select->rows_wanted = true;
    select->is_plain = !statement->select->json && !select->is_aggregate && !select->sort_count;
    for (uint32_t i = 0; i < select->result_count; i++)
        select->is_plain &= select->results[i]->kind == EXPR_COLUMN;
    if (statement->select->json)
        make_json(planner, select, plan);
    index_cell_slots(planner, select);
    /* Cassandra warns of aggregates that read more than one partition. */
    if (select->is_aggregate) {
        if (!select->where.partition_is_restricted)
            planner_warn(planner, "Aggregation query used without partition key");
        else if (select->where.partition_has_in)
            planner_warn(planner, "Aggregation query used on multiple partition keys (IN restriction)");
    }
    return OK;
}

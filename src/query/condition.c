/* IF: what a conditional statement asks of its partition, and the answer when it was refused.
 * A question is a part: a row (or the static row) and what must hold of it; a statement with
 * conditions on regular and static columns makes two. The owner looks at all parts of a
 * command, and writes only if all hold. A refusal brings back what it saw, from which the
 * rows of the answer are made here. Source:
 * org.apache.cassandra.cql3.statements.CQL3CasRequest, release 5.0. */
#include "query/condition.h"

#include "query/assemble.h"
#include "query/operation.h"

#include <assert.h>
#include <stdlib.h>

static const enum condition_op operators[] = {
    [OPERATOR_EQ] = CONDITION_EQ,
    [OPERATOR_NE] = CONDITION_NE,
    [OPERATOR_LT] = CONDITION_LT,
    [OPERATOR_LE] = CONDITION_LE,
    [OPERATOR_GT] = CONDITION_GT,
    [OPERATOR_GE] = CONDITION_GE,
    [OPERATOR_IN] = CONDITION_IN,
    [OPERATOR_CONTAINS] = CONDITION_CONTAINS,
    [OPERATOR_CONTAINS_KEY] = CONDITION_CONTAINS_KEY,
};

bool plan_is_conditional(const struct modify_plan *modify)
{
    return modify->if_exists || modify->if_not_exists || modify->condition_count;
}

/* The values that a condition compares with. How null and unset are taken differs from
 * operator to operator, and is in each case what Cassandra 5.0 does. What cannot be compared
 * (IF v < null) is refused by the owner, if it comes to look: not behind a condition that
 * does not hold. */
static enum status condition_values(struct execution *execution, const struct plan_condition *from,
                                    struct condition *to)
{
    struct eval *eval = &execution->eval;
    struct error *err = execution->err;
    struct bytes *values;
    enum status status = OK;

    /* IN ?: one marker brings the whole list. */
    if (from->op == OPERATOR_IN && from->value) {
        struct value_iterator iterator;
        struct bytes list, element;

        status = expr_evaluate(from->value, eval, &list, err);
        if (status)
            return status;
        if (native_is_unset(list))
            return error_set(err, ERR_INVALID, "Invalid 'unset' value in condition");
        if (bytes_is_null(list))
            return error_set(err, ERR_INVALID, "Invalid null list in IN condition");
        uint32_t count = list.size >= 4 ? load_be32(list.data) : 0, kept = 0;
        values = arena_alloc(eval->arena, sizeof(*values) * ((size_t)count + 1));
        value_iterator_init(&iterator, from->value->type, list);
        while (kept < count && value_iterator_next(&iterator, &element))
            values[kept++] = value_of_in(from->value->type->params[0], element);
        to->value_count = kept;
    } else {
        uint32_t count = from->value ? 1 : from->value_count, kept = 0;

        values = arena_alloc(eval->arena, sizeof(*values) * ((size_t)count + 1));
        for (uint32_t i = 0; i < count && !status; i++) {
            status = expr_evaluate(from->value ? from->value : from->values[i], eval, &values[kept], err);
            if (!status && native_is_unset(values[kept]) && from->op == OPERATOR_IN)
                continue; /* as if it were not in the list */
            if (!status && native_is_unset(values[kept]) &&
                (from->op == OPERATOR_CONTAINS || from->op == OPERATOR_CONTAINS_KEY))
                values[kept] = bytes_of("", 0); /* as Cassandra has it: an element that is not there */
            else if (!status && native_is_unset(values[kept])) {
                values[kept] = (struct bytes){ 0 };
                to->op = CONDITION_UNSET;
            }
            kept++;
        }
        to->value_count = kept;
    }
    to->values = values;
    return status;
}

/* One condition with its values: on a column, a field of a UDT, or an element of a map or
 * list. */
static enum status make_condition(struct execution *execution, const struct plan_condition *from, struct condition *to)
{
    struct eval *eval = &execution->eval;

    assert((size_t)from->op < sizeof(operators) / sizeof(*operators));
    assert(from->field < 0 || !from->element);
    *to = (struct condition){ .column_id = from->column->id, .op = operators[from->op] };
    if (from->field >= 0) {
        uint8_t *path = arena_alloc(eval->arena, 2);

        store_be16(path, (uint16_t)from->field);
        to->path = bytes_of(path, 2);
    } else if (from->element) {
        struct buffer path = { 0 };
        struct bytes element;
        enum status status = expr_evaluate(from->element, eval, &element, execution->err);

        if (status)
            return status;
        bool list = from->column->type->kind == TYPE_LIST;
        if (native_is_unset(element) && !list)
            element = bytes_of("", 0); /* as Cassandra has it: a key that is not there */
        if (bytes_is_null(element) || native_is_unset(element) || (list && element.size != 4))
            return error_set(execution->err, ERR_INVALID, "Invalid null value for %s element access",
                             list ? "list" : "map");
        if (list) { /* the owner counts to it: the path is its place */
            if ((int32_t)load_be32(element.data) < 0)
                return error_set(execution->err, ERR_INVALID, "Invalid negative list index %d",
                                 (int32_t)load_be32(element.data));
            to->path = element;
            return condition_values(execution, from, to);
        }
        value_encode_key(&path, from->column->type->params[0], element, false);
        to->path = buffer_to_arena(eval->arena, &path);
    }
    return condition_values(execution, from, to);
}

/* Adds the parts of one statement. Which row they look at is the statement's own: one row, or
 * the static row if it names no clustering. */
enum status cas_add(struct execution *execution, const struct plan *plan, struct cas_set *cas)
{
    const struct modify_plan *modify = plan->modify;
    const struct table_def *table = plan->table;
    struct arena *arena = execution->request->arena;
    struct bytes clustering = bytes_of("", 0);
    enum status status = OK;

    assert(plan_is_conditional(modify));
    if (table->clustering_count && modify->where.access.clustering_is_complete) {
        struct clustering_value *rows;
        uint32_t row_count;

        status = access_rows(&modify->where.access, table, &execution->eval, &rows, &row_count, execution->err);
        if (status)
            return status;
        if (row_count != 1)
            return error_set(execution->err, ERR_INVALID, "A conditional statement must name one row");
        clustering = rows[0].encoded;
    }
    if (modify->if_exists || modify->if_not_exists) {
        cas->whole_rows = true;
        cas->parts[cas->count++] = (struct cas_part){
            .clustering = clustering,
            .is_static = table->clustering_count && !modify->where.access.clustering_is_complete,
            .kind = modify->if_exists ? CAS_IF_EXISTS : CAS_IF_NOT_EXISTS,
        };
        return OK;
    }
    /* Conditions on regular columns make one part, those on static columns another. */
    for (int is_static = 0; is_static < 2; is_static++) {
        struct condition *conditions = arena_new_array(arena, struct condition, modify->condition_count);
        uint32_t kept = 0;

        for (uint32_t i = 0; i < modify->condition_count && !status; i++)
            if ((modify->conditions[i].column->kind == COLUMN_STATIC) == is_static)
                status = make_condition(execution, &modify->conditions[i], &conditions[kept++]);
        if (status)
            return status;
        if (kept)
            cas->parts[cas->count++] = (struct cas_part){
                .clustering = is_static ? bytes_of("", 0) : clustering,
                .is_static = is_static,
                .kind = CAS_IF_CONDITIONS,
                .conditions = conditions,
                .condition_count = kept,
            };
    }
    for (uint32_t i = 0; i < 2 * modify->condition_count; i++) { /* of a statement regular ones first, as Cassandra */
        const struct column_def *column = modify->conditions[i % modify->condition_count].column;
        bool known = (column->kind == COLUMN_STATIC) != (i >= modify->condition_count);

        for (uint32_t k = 0; k < cas->column_count; k++)
            known |= cas->columns[k] == column;
        if (!known)
            cas->columns[cas->column_count++] = column;
        assert(cas->column_count <= table->column_count);
    }
    return OK;
}

/* Room for two parts of each statement, and the two that cas_add_shown may add. */
void cas_init(struct execution *execution, const struct table_def *table, uint32_t statements, struct cas_set *cas)
{
    *cas = (struct cas_set){
        .parts = arena_new_array(execution->request->arena, struct cas_part, (size_t)statements * 2 + 2),
        .columns = arena_new_array(execution->request->arena, const struct column_def *, table->column_count + 1),
    };
}

/* Adds parts without a condition, which always hold: through them the owner tells also of
 * rows that a refusal shows but that nobody asked about. What Cassandra reads and shows
 * depends on which columns the statement writes. */
void cas_add_shown(struct cas_set *cas)
{
    bool only_static = true;

    assert(cas->count); /* who asks nothing is not here */
    for (uint32_t i = 0; i < cas->count; i++)
        only_static &= cas->parts[i].is_static;
    if (cas->wants_static)
        cas->parts[cas->count++] =
            (struct cas_part){ .clustering = bytes_of("", 0), .is_static = true, .kind = CAS_IF_CONDITIONS };
    if (only_static) /* Cassandra reads no regular column for who writes none: then a row is there if an INSERT made it */
        cas->parts[cas->count++] = (struct cas_part){
            .clustering = bytes_of("", 0),
            .kind = cas->wants_rows ? CAS_FIRST_ROW : CAS_FIRST_MARKED_ROW,
        };
}

/* ---- answers ---- */

struct cas_answer {
    const struct cas_outcome *outcome;
    const struct column_def **shown;
    uint32_t count;
    const struct row *static_row; /* the same for every static part; NULL: there is none */
};

/* A value of the partition key, which is stored as one string: alone as it is, else each
 * value with its size in two bytes and a zero byte behind it. */
static struct bytes key_component(const struct cas_outcome *outcome, uint32_t position)
{
    size_t at = 0;

    assert(position < outcome->table->partition_key_count);
    if (outcome->table->partition_key_count == 1)
        return outcome->key;
    for (uint32_t k = 0; k < position; k++)
        at += 3 + (size_t)load_be16(outcome->key.data + at);
    return bytes_of(outcome->key.data + at + 2, load_be16(outcome->key.data + at));
}

/* The same of what was written beside the key: each value with its size in four bytes. */
static struct bytes written_component(struct bytes written, uint32_t position)
{
    size_t at = 0;

    for (uint32_t k = 0; k < position && at + 4 <= written.size; k++)
        at += 4 + (size_t)load_be32(written.data + at);
    if (at + 4 > written.size || load_be32(written.data + at) > written.size - at - 4)
        return bytes_of(NULL, 0);
    return bytes_of(written.data + at + 4, load_be32(written.data + at));
}

/* A value of the clustering that a part looked at; null for the static row. It is the row's, as
 * it was written (1.0), and not the statement's (1.00). Values before it must be decoded to find
 * its beginning. */
static struct bytes clustering_component(const struct cas_outcome *outcome, uint32_t part, uint32_t position,
                                         struct buffer *scratch)
{
    const struct table_def *table = outcome->table;
    const struct cas_part *from = &outcome->set.parts[part];
    struct bytes rest = cas_is_first_row(from->kind) ? outcome->seen[part].clustering : from->clustering;
    struct error err;

    if (from->is_static)
        return bytes_of(NULL, 0);
    assert(position < table->clustering_count);
    if (outcome->seen[part].row && !bytes_is_null(outcome->seen[part].row->written_clustering))
        return written_component(outcome->seen[part].row->written_clustering, position);
    for (uint32_t k = 0; k <= position; k++) {
        const struct column_def *component = &table->columns[table->partition_key_count + k];

        buffer_reset(scratch);
        if (value_decode_key(&rest, component->type, component->descending, scratch, &err))
            return bytes_of(NULL, 0);
    }
    return scratch->data ? buffer_bytes(scratch) : bytes_of("", 0);
}

/* One row of a refusal: false, then what the part saw of each shown column. Static columns
 * are the same in every row. */
static void write_seen_row(struct native_rows *rows, const struct cas_answer *answer, uint32_t part)
{
    const struct cas_outcome *outcome = answer->outcome;
    uint8_t flag = 0;

    native_rows_value(rows, bytes_of(&flag, 1));
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct column_def *column = answer->shown[i];
        struct bytes value = { NULL, 0 };
        struct buffer scratch = { 0 };
        uint32_t cell_count = 0;
        const struct cell *cells = NULL;

        if (column->kind == COLUMN_PARTITION_KEY) {
            value = key_component(outcome, column->position);
        } else if (column->kind == COLUMN_CLUSTERING) {
            value = clustering_component(outcome, part, column->position, &scratch);
        } else if (column->kind == COLUMN_STATIC) {
            cells = row_cells_of(answer->static_row, column->id, &cell_count);
        } else if (outcome->set.wants_rows || !outcome->set.whole_rows) {
            cells = row_cells_of(outcome->seen[part].row, column->id, &cell_count);
        }
        if (cell_count && !column->multicell)
            value = cells[0].value;
        else if (cell_count && assemble_collection(&scratch, column->type, cells, cell_count))
            value = buffer_bytes(&scratch);
        native_rows_value(rows, value);
        buffer_fini(&scratch);
    }
    native_rows_end_row(rows);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* Orders parts by the rows that they look at, then as they were written. */
static int compare_places(const void *a, const void *b, void *parts)
{
    const struct cas_part *left = (const struct cas_part *)parts + *(const uint32_t *)a,
                          *right = (const struct cas_part *)parts + *(const uint32_t *)b;
    int order = bytes_compare(left->clustering, right->clustering);

    return order ? order : compare_numbers(a, b);
}

/* In a batch one row may not be asked to exist, not to exist, and to hold values. Sorted by
 * row, parts of one row stand side by side, so neighbours are compared. Which pair is named
 * follows Cassandra. */
enum status cas_check_mixed(struct arena *arena, const struct cas_set *cas, struct error *err)
{
    uint32_t *list = arena_new_array(arena, uint32_t, cas->count + 1);

    for (uint32_t i = 0; i < cas->count; i++)
        list[i] = i;
    qsort_r(list, cas->count, sizeof(*list), compare_places, cas->parts);
    for (uint32_t i = 1; i < cas->count; i++) {
        const struct cas_part *first = &cas->parts[list[i - 1]], *second = &cas->parts[list[i]];

        if (first->kind == second->kind || first->is_static != second->is_static ||
            !bytes_equal(first->clustering, second->clustering))
            continue;
        if (second->kind == CAS_IF_CONDITIONS)
            return error_set(err, ERR_INVALID, "Cannot mix IF conditions and IF NOT EXISTS for the same row");
        if (first->kind == CAS_IF_CONDITIONS)
            return error_set(err, ERR_INVALID, "Cannot mix IF conditions and IF %sEXISTS for the same row",
                             second->kind == CAS_IF_NOT_EXISTS ? "NOT " : "");
        return error_set(err, ERR_INVALID, "Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row");
    }
    return OK;
}

/* Whether a refusal shows the static row although no other row is there. For a statement that
 * writes no static column Cassandra reads only the static columns that conditions name. */
static bool shows_static(const struct cas_outcome *outcome, uint32_t part)
{
    const struct cas_set *cas = &outcome->set;
    const struct row *row = outcome->seen[part].row;
    bool asked = cas->wants_static;
    uint32_t cell_count;

    assert(part < cas->count);
    if (!row || !cas->parts[part].is_static)
        return false;
    for (uint32_t i = 0; i < cas->column_count && !asked; i++) {
        row_cells_of(row, cas->columns[i]->id, &cell_count);
        asked = cell_count;
    }
    return asked;
}

/* The parts whose rows a refusal shows, in the order of the rows: those whose row exists,
 * each row once; the static row if there is no other. Returns how many. */
static uint32_t parts_to_show(const struct cas_outcome *outcome, uint32_t *list)
{
    const struct cas_set *cas = &outcome->set;
    uint32_t count = 0, kept = 0;

    for (uint32_t i = 0; i < cas->count; i++)
        if (!cas->parts[i].is_static && outcome->seen[i].row)
            list[count++] = i;
    qsort_r(list, count, sizeof(*list), compare_places, cas->parts);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || !bytes_equal(cas->parts[list[kept - 1]].clustering, cas->parts[list[i]].clustering))
            list[kept++] = list[i];
    count = kept;
    for (uint32_t i = 0; i < cas->count && !count; i++)
        if (shows_static(outcome, i))
            list[count++] = i;
    return count;
}

/* The answer to a conditional statement: [applied], and for a refusal the rows that it saw.
 * The columns depend on what was found, so PREPARE could not tell them and they are always
 * sent. */
void cas_encode_result(struct query_request *request, const struct cas_outcome *outcome, struct buffer *out)
{
    const struct table_def *table = outcome->table;
    const struct cas_set *cas = &outcome->set;
    struct native_column *columns = arena_new_array(request->arena, struct native_column, table->column_count + 1);
    uint32_t *list = arena_new_array(request->arena, uint32_t, cas->count + 1), row_count = 0;
    struct cas_answer answer = {
        .outcome = outcome, .shown = arena_new_array(request->arena, const struct column_def *, table->column_count + 1)
    };
    struct native_metadata metadata;
    struct native_rows rows;
    uint8_t flag = outcome->applied;

    assert(table && (!outcome->applied || !outcome->seen));
    if (outcome->seen)
        row_count = parts_to_show(outcome, list);
    assert(row_count <= cas->count);
    for (uint32_t i = 0; row_count && i < cas->count && !answer.static_row; i++)
        if (cas->parts[i].is_static)
            answer.static_row = outcome->seen[i].row;
    for (uint32_t i = 0; row_count && i < table->column_count; i++) {
        const struct column_def *column = &table->columns[i];
        bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING,
             wanted = cas->whole_rows || (cas->is_batch && is_key);

        if (wanted)
            answer.shown[answer.count++] = column;
    }
    for (uint32_t i = 0; row_count && !cas->whole_rows && i < cas->column_count; i++)
        answer.shown[answer.count++] = cas->columns[i];
    columns[0] =
        (struct native_column){ table->keyspace, table->name, BYTES_LITERAL("[applied]"), type_native(TYPE_BOOLEAN) };
    for (uint32_t i = 0; i < answer.count; i++)
        columns[i + 1] =
            (struct native_column){ table->keyspace, table->name, answer.shown[i]->name, answer.shown[i]->type };
    native_metadata_build(&metadata, request->arena, request->session->protocol_version, columns, answer.count + 1);
    /* Never skipped and never told as changed: the next answer may have other columns. */
    native_rows_begin(&rows, out, &metadata, NATIVE_METADATA_SENT, bytes_of(NULL, 0));
    if (!row_count) {
        native_rows_value(&rows, bytes_of(&flag, 1));
        native_rows_end_row(&rows);
    }
    for (uint32_t i = 0; i < row_count; i++)
        write_seen_row(&rows, &answer, list[i]);
    native_rows_end(&rows);
}

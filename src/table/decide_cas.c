/* Compare and set (IF ...), on the owner: looks at the rows of the conditions (look.h), and decides
 * whether the command's fragments are applied.
 *
 * Cassandra needs Paxos for this; here the owner is the only writer of its shard, so to look and
 * then to write in one turn is enough. The commands before it in the turn have written to the batch
 * only, and the look goes through the batch.
 *
 * What a refused client is shown goes back as flat bytes, since the owner's memory is not the
 * client's:
 *
 *     part count (4) | per part: exists (1) | clustering: size (4), bytes (of a first row) |
 *     fragment: size (4), bytes (live cells only) */
#include "table/decide.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

/* ---- conditions ---- */

/* The element or key that a cell's path stands for, as it goes over the wire. Where the encoding
 * loses how it was written (1.0 and 1.00 are one key), the cell has it beside. */
static enum status path_value(const struct type *type, const struct cell *cell, struct arena *arena,
                              struct bytes *value, struct error *err)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };
    struct bytes path = cell->path;
    enum status status;

    if (!bytes_is_null(cell->path_value)) {
        *value = cell->path_value;
        return OK;
    }
    status = value_decode_key(&path, type->params[0], false, &out, err);
    if (!status)
        *value = arena_copy(arena, buffer_bytes(&out));
    return status;
}

/* The value of a column of a live row, as a condition compares it: packed if it is stored cell by
 * cell. NULL data: null. */
static enum status column_value(struct look *look, const struct row *row, const struct column_def *column,
                                struct bytes *value)
{
    uint32_t first = row ? row_find_column(row, column->id) : 0,
             count = row ? row_find_column(row, column->id + 1) - first : 0, packed = 0;
    struct buffer out CLEANUP(buffer_fini) = { 0 };
    struct bytes *elements;

    *value = (struct bytes){ 0 };
    if (!count)
        return OK;
    if (!column->multicell) {
        *value = row->cells[first].value;
        return OK;
    }
    assert(row && first + count <= row->cell_count);
    elements = arena_new_array(look->arena, struct bytes, 2 * count + column->type->param_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = &row->cells[first + i];
        enum status status = OK;

        switch (column->type->kind) {
        case TYPE_LIST: elements[packed++] = cell->value; break;
        case TYPE_SET: status = path_value(column->type, cell, look->arena, &elements[packed++], look->err); break;
        case TYPE_MAP:
            status = path_value(column->type, cell, look->arena, &elements[packed++], look->err);
            elements[packed++] = cell->value;
            break;
        default: /* udt: the path is the field's number */
            packed = column->type->param_count;
            if (cell->path.size == 2 && load_be16(cell->path.data) < packed)
                elements[load_be16(cell->path.data)] = cell->value;
            break;
        }
        if (status)
            return status;
    }
    assert(packed <= 2 * count + column->type->param_count);
    value_pack(&out, column->type, elements, packed);
    *value = arena_copy(look->arena, buffer_bytes(&out));
    return OK;
}

/* One element of a frozen collection or UDT, whose value is one cell: it is gone through until the
 * element is found. */
static struct bytes packed_element(const struct type *type, struct bytes packed, struct bytes path)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    struct value_iterator iterator;
    struct bytes element, value;

    if (!packed.size)
        return (struct bytes){ 0 };
    value_iterator_init(&iterator, type, packed);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++) {
        bool found;

        value = element;
        if (type->kind == TYPE_MAP) {
            if (!value_iterator_next(&iterator, &value))
                break;
            buffer_reset(&key);
            value_encode_key(&key, type->params[0], element, false);
            found = bytes_equal(buffer_bytes(&key), path);
        } else {
            found = i == (type->kind == TYPE_UDT ? load_be16(path.data) : load_be32(path.data));
        }
        if (found)
            return value;
    }
    return (struct bytes){ 0 };
}

/* One element of a column (map: by byte-comparable key; list: by 4-byte position; udt: by field
 * number). */
static struct bytes element_value(const struct row *row, const struct column_def *column, struct bytes path)
{
    struct cell asked = { .column_id = column->id, .path = path };
    uint32_t first = row ? row_find_column(row, column->id) : 0, end = row ? row_find_column(row, column->id + 1) : 0;

    if (first == end)
        return (struct bytes){ 0 };
    assert(first < end && end <= row->cell_count);
    if (!column->multicell)
        return packed_element(column->type, row->cells[first].value, path);
    if (column->type->kind == TYPE_LIST)
        return load_be32(path.data) < end - first ? row->cells[first + load_be32(path.data)].value
                                                  : (struct bytes){ 0 };
    first = row_find_cell(row, &asked);
    return first < end && bytes_equal(row->cells[first].path, path) ? row->cells[first].value : (struct bytes){ 0 };
}

/* A command is not believed: a path that its column cannot have would be read beyond its end. */
static bool is_path_of(const struct column_def *column, struct bytes path)
{
    switch (column->type->kind) {
    case TYPE_LIST: return path.size == 4;
    case TYPE_UDT: return path.size == 2 && load_be16(path.data) < column->type->param_count;
    case TYPE_MAP:
    case TYPE_SET: return true;
    default: return false;
    }
}

/* What the element is compared as. */
static const struct type *element_type(const struct column_def *column, struct bytes path)
{
    assert(is_path_of(column, path));
    switch (column->type->kind) {
    case TYPE_MAP: return column->type->params[1];
    case TYPE_UDT: return column->type->params[load_be16(path.data)];
    default: return column->type->params[0];
    }
}

/* CONTAINS and CONTAINS KEY. Elements are compared by value, not by bytes. */
static bool contains(const struct type *type, struct bytes value, struct bytes wanted, bool keys)
{
    struct value_iterator iterator;
    struct bytes element;
    uint32_t i = 0;

    if (bytes_is_null(value) || bytes_is_null(wanted))
        return false;
    value_iterator_init(&iterator, type, value);
    for (; value_iterator_next(&iterator, &element); i++) {
        bool is_key = type->kind == TYPE_MAP && i % 2 == 0;
        const struct type *of = type->kind == TYPE_MAP && !is_key ? type->params[1] : type->params[0];

        if ((type->kind != TYPE_MAP || is_key == keys) && value_compare(of, element, wanted) == 0)
            return true;
    }
    return false;
}

/* Null equals null in a condition (IF v = null), unlike in WHERE. */
static bool is_equal(const struct type *type, struct bytes a, struct bytes b)
{
    if (bytes_is_null(a) || bytes_is_null(b))
        return bytes_is_null(a) && bytes_is_null(b);
    return value_compare(type, a, b) == 0;
}

/* An empty collection stored cell by cell cannot be told from none: it is null, as in Cassandra. */
static struct bytes empty_is_null(const struct column_def *column, struct bytes value)
{
    if (column->multicell && type_is_collection(column->type) && value.size == 4 && load_be32(value.data) == 0)
        return (struct bytes){ 0 };
    return value;
}

/* Whether a value meets a condition. Null is neither less nor greater than anything. So IF v < 5
 * does not hold where there is no v, and IF v != 5 does. */
static bool holds(const struct type *type, enum condition_op op, struct bytes value, const struct bytes *wanted,
                  uint32_t count)
{
    int order;

    switch (op) {
    case CONDITION_EQ: return is_equal(type, value, wanted[0]);
    case CONDITION_NE: return !is_equal(type, value, wanted[0]);
    case CONDITION_IN:
        for (uint32_t i = 0; i < count; i++)
            if (is_equal(type, value, wanted[i]))
                return true;
        return false;
    case CONDITION_CONTAINS: return contains(type, value, wanted[0], false);
    case CONDITION_CONTAINS_KEY: return contains(type, value, wanted[0], true);
    case CONDITION_LT:
    case CONDITION_LE:
    case CONDITION_GT:
    case CONDITION_GE: break;
    case CONDITION_UNSET: abort(); /* was refused */
    }
    assert(!bytes_is_null(wanted[0])); /* as was this */
    if (bytes_is_null(value))
        return false;
    order = value_compare(type, value, wanted[0]);
    switch (op) {
    case CONDITION_LT: return order < 0;
    case CONDITION_LE: return order <= 0;
    case CONDITION_GT: return order > 0;
    default: return order >= 0;
    }
}

/* What no value can be compared with: IF v < null, IF v = ? left unset, and the empty collection
 * stored cell by cell, which is null, in IF s > {}. A null equals null, and may be an element of
 * IN. */
static enum status check_comparable(const struct column_def *column, enum condition_op op, bool of_column,
                                    struct bytes wanted, struct error *err)
{
    static const char *const names[] = {
        [CONDITION_LT] = "<",
        [CONDITION_LE] = "<=",
        [CONDITION_GT] = ">",
        [CONDITION_GE] = ">=",
        [CONDITION_CONTAINS] = "CONTAINS",
        [CONDITION_CONTAINS_KEY] = "CONTAINS KEY",
    };
    enum type_kind kind = column->type->kind;
    bool is_slice = op == CONDITION_LT || op == CONDITION_LE || op == CONDITION_GT || op == CONDITION_GE;

    if (op == CONDITION_UNSET)
        return error_set(err, ERR_INVALID, "Invalid 'unset' value in condition");
    if (!is_slice && op != CONDITION_CONTAINS && op != CONDITION_CONTAINS_KEY)
        return OK;
    if (bytes_is_null(wanted))
        return error_set(err, ERR_INVALID, "Invalid comparison with null for operator \"%s\"", names[op]);
    if (is_slice && of_column && bytes_is_null(empty_is_null(column, wanted)))
        return error_set(err, ERR_INVALID, "Invalid comparison with an empty %s for operator \"%s\"",
                         kind == TYPE_SET   ? "set"
                         : kind == TYPE_MAP ? "map"
                                            : "list",
                         names[op]);
    return OK;
}

/* Reads one condition from the command and checks it. One that `matters` not, because one before
 * it did not hold, is only gone past. A column that was dropped since the statement
 * was planned makes the command stale: it is planned anew. */
static enum status check_condition(struct look *look, struct command_reader *reader, const struct row *row,
                                   bool matters, bool *result)
{
    uint32_t id = command_read_u32(reader);
    enum condition_op op = (enum condition_op)command_read_u8(reader);
    struct bytes path = command_read_bytes(reader), value;
    uint32_t count = command_read_u32(reader);
    const struct column_def *column = table_def_column_by_id(look->def, id);
    const struct type *type;
    struct bytes *wanted;
    enum status status;

    if (reader->failed || count > (size_t)(reader->end - reader->at) || (!count && op != CONDITION_IN))
        return error_set(look->err, ERR_CORRUPT, "a condition is cut short");
    wanted = arena_new_array(look->arena, struct bytes, count + 1);
    for (uint32_t i = 0; i < count; i++)
        wanted[i] = command_read_bytes(reader);
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a condition is cut short");
    if (!column)
        return error_set(look->err, ERR_STALE, "a column in a condition was dropped");
    if (!bytes_is_null(path) && !is_path_of(column, path))
        return error_set(look->err, ERR_CORRUPT, "a condition on an element that its column cannot have");
    if (!matters)
        return OK;
    status = op == CONDITION_IN ? OK : check_comparable(column, op, bytes_is_null(path), wanted[0], look->err);
    if (status)
        return status;
    if (!bytes_is_null(path)) {
        value = element_value(row, column, path);
        type = element_type(column, path);
    } else {
        status = column_value(look, row, column, &value);
        if (status)
            return status;
        type = column->type;
        value = empty_is_null(column, value);
        for (uint32_t i = 0; i < count; i++)
            wanted[i] =
                op == CONDITION_CONTAINS || op == CONDITION_CONTAINS_KEY ? wanted[i] : empty_is_null(column, wanted[i]);
    }
    *result = holds(type, op, value, wanted, count);
    return OK;
}

/* The part that decides: of those that do not hold, or that ask for what nothing can be compared
 * with, the first one by its row, the static row before all others. So it is the same one in
 * whatever order a batch was written; of one row's conditions the first that was written. */
struct decision {
    bool is_made; /* else all hold */
    bool is_static;
    struct bytes clustering;
    enum status status; /* OK: it does not hold; else `error` says what is wrong with it */
    struct error error;
};

static void decide(struct decision *decision, bool is_static, struct bytes clustering, enum status status,
                   const struct error *error)
{
    bool is_first = is_static == decision->is_static ? bytes_compare(clustering, decision->clustering) < 0 : is_static;

    if (decision->is_made && !is_first)
        return;
    *decision =
        (struct decision){ .is_made = true, .is_static = is_static, .clustering = clustering, .status = status };
    if (status)
        decision->error = *error;
}

/* All the conditions of one row, up to the first that does not hold. A first row is looked for
 * only if the others did not hold: nobody asks for it else. */
static enum status check_part(struct look *look, struct buffer *key, struct command_reader *reader,
                              struct decision *decision, int64_t *newest_us, struct cas_seen *seen)
{
    bool has_record = true, good = true;
    enum cas_kind kind = (enum cas_kind)command_read_u8(reader);
    bool is_static = command_read_u8(reader);
    struct bytes clustering = command_read_bytes(reader);
    uint32_t count = command_read_u32(reader);
    enum status status = OK;

    *seen = (struct cas_seen){ 0 };
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (!cas_is_first_row(kind))
        status = look_read_live(look, key, &has_record, is_static, clustering, &seen->row, newest_us);
    else if (decision->is_made)
        status = look_first_row(look, key, kind, seen);
    if (status)
        return status;
    if (kind == CAS_IF_NOT_EXISTS && seen->row)
        good = false;
    if (kind == CAS_IF_EXISTS && !seen->row)
        good = false;
    for (uint32_t i = 0; i < count; i++) {
        bool matters = good && !status;
        enum status found = check_condition(look, reader, seen->row, matters, &good);

        if (found && found != ERR_INVALID)
            return found;
        status = matters ? found : status;
    }
    if (!good || status)
        decide(decision, is_static, clustering, status, look->err);
    return OK;
}

/* One part of the answer to a client that was refused. The head of this file draws it. */
static void encode_seen(struct buffer *result, const struct cas_seen *seen)
{
    size_t at;

    buffer_append_u8(result, seen->row != NULL);
    buffer_append_be32(result, (uint32_t)seen->clustering.size);
    buffer_append_bytes(result, seen->clustering);
    at = result->size;
    buffer_append_be32(result, 0);
    if (seen->row)
        fragment_encode(result, seen->row);
    assert(result->size >= at + 4);
    store_be32(result->data + at, (uint32_t)(result->size - at - 4));
}

/* Looks at all rows that the command names. *applied says whether the conditions hold; *newest_us is
 * the newest timestamp read. When they do not hold, *result gets what was seen. The reader stands at
 * the fragments; the conditions are behind them. */
static enum status check(struct look *look, struct command_reader *reader, bool *applied, int64_t *newest_us,
                         struct buffer *result)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    struct decision decision = { 0 };
    struct cas_seen *seen;
    enum status status;
    uint32_t count;

    for (uint32_t i = 0; i < look->header->fragment_count; i++) {
        struct command_fragment skipped;

        command_read_fragment(reader, &skipped);
        if (reader->failed)
            break;
    }
    count = command_read_u32(reader);
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (count > (size_t)(reader->end - reader->at))
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (count > 1)
        look->kept = NULL; /* to keep one row may be to forget another, which is borrowed */
    seen = arena_new_array(look->arena, struct cas_seen, count + 1);
    status = look_read_partition(look, &key, newest_us);
    for (uint32_t i = 0; i < count && !status; i++)
        status = check_part(look, &key, reader, &decision, newest_us, &seen[i]);
    *applied = !decision.is_made;
    if (!status && decision.status) {
        *look->err = decision.error;
        return decision.status;
    }
    if (status || *applied)
        return status;
    buffer_append_be32(result, count);
    for (uint32_t i = 0; i < count; i++)
        encode_seen(result, &seen[i]);
    return OK;
}

/* The new timestamp is above all that were read: otherwise the write could lose against the very
 * row that it was allowed to replace. The fragments are read a second time from where they begin:
 * `check` has gone past them to the conditions, which stand behind. */
enum status decide_cas(struct turn *turn, struct table_request *request, struct command_header *header,
                       struct command_reader *reader)
{
    struct command_reader fragments = *reader;
    const struct table_def *def = turn_definition(turn, header->table_id);
    struct buffer result = { 0 };
    struct look look = turn_look(turn, header, def, request->error);
    int64_t newest_us = INT64_MIN;
    enum status status;

    assert(header->kind == COMMAND_CAS && !turn->counts);
    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    arena_reset(turn->arena);
    status = check(&look, reader, &request->applied, &newest_us, &result);
    if (!status && request->applied) {
        request->timestamp_us = space_stamp_us(turn->shard->space, newest_us);
        status = decide_fragments(turn, def, header, &fragments, request->timestamp_us, request->error);
    }
    assert(status || request->applied || result.size); /* who is refused is told why */
    if (status || request->applied) {
        buffer_fini(&result);
        return status;
    }
    request->result = buffer_bytes(&result); /* the port frees it */
    return OK;
}

/* On the port's thread: what decide_cas encoded. */
enum status table_decode_cas_result(struct arena *arena, struct bytes result, struct cas_seen *seen,
                                    uint32_t part_count, struct error *err)
{
    struct command_reader reader = { result.data, result.data + result.size, false };
    uint32_t count = command_read_u32(&reader);

    if (count != part_count)
        return error_set(err, ERR_CORRUPT, "the result of a condition has %u parts instead of %u", count, part_count);
    for (uint32_t i = 0; i < count; i++) {
        bool exists = command_read_u8(&reader);
        struct bytes clustering = command_read_bytes(&reader), fragment = command_read_bytes(&reader);
        struct row *row = NULL;
        enum status status;

        if (reader.failed)
            return error_set(err, ERR_CORRUPT, "the result of a condition is cut short");
        if (exists) {
            row = arena_new_struct(arena, struct row);
            status = row_decode(arena, fragment, row, err);
            if (status)
                return status;
        }
        assert(!exists == !row);
        seen[i] = (struct cas_seen){ row, clustering };
    }
    return OK;
}

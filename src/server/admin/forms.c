/* A value in the form that is looked for is the value itself again when it is brought to that form:
 * where it is not, it was written before (by a version that stored sets and maps as clients sent
 * them). Such a value is sound, but is not found by its canonical form. */
#include "server/admin/forms.h"

#include "types/value.h"

#include <assert.h>

/* Of a collection cell by cell: what its elements are. A map's last parameter is its value. */
static const struct type *element_of(const struct type *type)
{
    assert(type->param_count > 0);
    return type->params[type->param_count - 1];
}

/* Types whose values have one form only are not looked at. */
static bool concerns(const struct column_def *column)
{
    const struct type *type = column->type;

    if (!column->multicell)
        return value_has_forms(type);
    return type_is_collection(type) && (value_has_forms(type->params[0]) || value_has_forms(element_of(type)));
}

/* So most tables cost nothing. */
bool forms_concern(const struct table_def *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (concerns(&table->columns[i]))
            return true;
    return false;
}

/* Several columns stand in the key each behind its length (types/value.h). What does not fit is
 * damage, and told elsewhere. */
static bool partition_differs(const struct table_def *table, struct bytes key)
{
    if (table->partition_key_count == 1)
        return !value_is_canonical(table->columns[0].type, key);
    for (uint32_t i = 0; i < table->partition_key_count && key.size >= 3; i++) {
        size_t size = load_be16(key.data);

        if (size > key.size - 3)
            return false;
        if (!value_is_canonical(table->columns[i].type, bytes_of(key.data + 2, size)))
            return true;
        key = bytes_of(key.data + size + 3, key.size - size - 3);
    }
    return false;
}

/* The next component of a byte-comparable key; one that does not decode is damage, and told
 * elsewhere. */
static bool component_differs(const struct type *type, struct bytes *rest, bool descending, struct buffer *scratch)
{
    struct error none;

    buffer_reset(scratch);
    buffer_reserve(scratch, 1);
    if (value_decode_key(rest, type, descending, scratch, &none)) {
        *rest = bytes_of(NULL, 0);
        return false;
    }
    return !value_is_canonical(type, buffer_bytes(scratch));
}

/* A set's elements and a map's keys are in the cell's path. */
static bool cell_differs(const struct column_def *column, const struct cell *cell, struct buffer *scratch)
{
    const struct type *type = column->type;
    struct bytes path = cell->path;

    if (cell->kind == CELL_TOMBSTONE)
        return false;
    if (!column->multicell)
        return !value_is_canonical(type, cell->value);
    if (type->kind != TYPE_LIST && component_differs(type->params[0], &path, false, scratch))
        return true;
    return type->kind != TYPE_SET && !value_is_canonical(element_of(type), cell->value);
}

/* Any part of a row may be of an older form: its keys or its cells. */
bool forms_differ(const struct table_def *table, const struct key_parts *key, const struct row *row,
                  struct buffer *scratch)
{
    struct bytes rest = key->clustering;

    assert(table->clustering_count <= table->column_count);
    if (partition_differs(table, key->partition_key))
        return true;
    for (uint32_t i = 0; i < table->clustering_count && rest.size; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + i];

        if (component_differs(column->type, &rest, column->descending, scratch))
            return true;
    }
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct column_def *column = table_def_column_by_id(table, row->cells[i].column_id);

        if (column && concerns(column) && cell_differs(column, &row->cells[i], scratch))
            return true;
    }
    return false;
}

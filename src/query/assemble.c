/* Cells become values, and a row of a SELECT is put together, slot by slot. What no cell
 * holds as it is (a collection, a counter's total, a decoded clustering value) is written to
 * a scratch buffer, which may move while it grows. So while a row is put together a slot only
 * notes its offset in the scratch; the pointers are set when the row is complete
 * (resolve_offsets). What a cell holds as it is is not copied: slots point to it. */
#include "query/assemble.h"

#include "base/debug.h"
#include "row/counter.h"
#include "wire/native.h"

#include <assert.h>

/* The wire form of a multicell column: the count and elements with their sizes, or a UDT's
 * fields in their order. Cells come sorted by path, which for sets and maps is the order of
 * their elements. A path that is not injective (decimal, varint: 1.0 and 1.00 are one
 * element) brings the written element along as path_value. */
bool assemble_collection(struct buffer *out, const struct type *type, const struct cell *cells, uint32_t count)
{
    size_t at = out->size;
    struct error err;
    uint32_t kept = 0;

    if (type->kind == TYPE_UDT) {
        /* A field's path is its number. Fields that were never written are null; a UDT of
         * nulls is null. */
        uint32_t next = 0;

        for (uint32_t i = 0; i < type->param_count; i++) {
            struct bytes value = { NULL, 0 };

            while (next < count && cells[next].path.size == 2 && load_be16(cells[next].path.data) < i)
                next++;
            if (next < count && cells[next].path.size == 2 && load_be16(cells[next].path.data) == i)
                value = cells[next].value;
            kept += !bytes_is_null(value);
            native_append_value(out, value);
        }
        if (!kept)
            out->size = at;
        return kept > 0;
    }
    if (!count)
        return false;
    assert(type_is_collection(type));
    buffer_append_be32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (type->kind != TYPE_LIST) {
            size_t size_at = out->size;

            buffer_append_be32(out, 0);
            if (!bytes_is_null(cells[i].path_value)) {
                buffer_append_bytes(out, cells[i].path_value);
            } else {
                struct bytes path = cells[i].path;

                /* Cells are checked when they are read; an element that cannot be decoded is
                 * shown empty. */
                if (value_decode_key(&path, type->params[0], false, out, &err))
                    out->size = size_at + 4;
            }
            store_be32(out->data + size_at, (uint32_t)(out->size - size_at - 4));
        }
        if (type->kind != TYPE_SET)
            native_append_value(out, cells[i].value);
    }
    return true;
}

/* All arrays lie in one block: one allocation for each SELECT instead of four. The offsets
 * are set to SIZE_MAX, the rest to zero. */
void assembler_init(struct assembler *assembler, struct arena *arena, const struct select_plan *select,
                    struct buffer *scratch)
{
    size_t slots = select->slot_count + 1, each = sizeof(struct bytes) + sizeof(struct cell *) + sizeof(uint32_t);
    uint8_t *block = arena_alloc(arena, slots * (each + sizeof(size_t)));

    assert(select->partition_slots + select->clustering_slots + select->cell_slot_count == select->slot_count);
    memset(block, 0xff, slots * sizeof(size_t));
    memset(block + slots * sizeof(size_t), 0, slots * each);
    assembler->select = select;
    assembler->scratch = scratch;
    assembler->offsets = (size_t *)block; /* the widest first, so that all are aligned */
    assembler->slots = (struct bytes *)(assembler->offsets + slots);
    assembler->cells = (const struct cell **)(assembler->slots + slots);
    assembler->cell_counts = (uint32_t *)(assembler->cells + slots);
}

/* Fills the slots of regular, or of static columns from a row's cells. Both are sorted by
 * column id, so one walk over each is enough. row NULL: all are null. */
static void fill_cells(struct assembler *assembler, const struct row *row, bool is_static)
{
    const struct select_plan *select = assembler->select;
    struct buffer *scratch = assembler->scratch;
    uint32_t at = 0, count = row ? row->cell_count : 0;

    for (uint32_t i = 0; i < select->cell_slot_count; i++) {
        uint32_t slot = select->slot_of_id_index[i], first, end;
        const struct column_def *column = select->slots[slot];

        debug_assert(slot < select->slot_count);
        /* Static and regular columns are filled at different times and must not clear each
         * other. */
        if ((column->kind == COLUMN_STATIC) != is_static)
            continue;
        while (at < count && row->cells[at].column_id < column->id)
            at++;
        for (first = at, end = at; end < count && row->cells[end].column_id == column->id; end++)
            ;
        at = end;
        assembler->offsets[slot] = SIZE_MAX;
        assembler->slots[slot] = bytes_of(NULL, 0);
        assembler->cells[slot] = first < end ? &row->cells[first] : NULL;
        assembler->cell_counts[slot] = end - first;
        if (first == end)
            continue;
        if (row->cells[first].kind == CELL_COUNTER) {
            assembler->offsets[slot] = scratch->size;
            assembler->slots[slot].size = 8;
            buffer_append_be64(scratch, (uint64_t)counter_total(row->cells[first].value));
        } else if (!column->multicell) {
            assembler->slots[slot] = row->cells[first].value;
        } else {
            size_t offset = scratch->size;

            if (assemble_collection(scratch, column->type, &row->cells[first], end - first)) {
                assembler->offsets[slot] = offset;
                assembler->slots[slot].size = scratch->size - offset;
            }
        }
    }
}

/* Sets the pointers of slots whose values lie in the scratch, now that it no longer moves; of columns only those that were
 * filled just now. */
static void resolve_offsets(struct assembler *assembler, uint32_t first, uint32_t end, enum column_kind filled)
{
    const struct select_plan *select = assembler->select;
    const uint8_t *scratch = assembler->scratch->data ? assembler->scratch->data : (const uint8_t *)"";

    assert(first <= end && end <= select->slot_count);
    for (uint32_t i = first; i < end; i++)
        if (assembler->offsets[i] != SIZE_MAX && select->slots[i]->kind == filled)
            assembler->slots[i].data = scratch + assembler->offsets[i];
}

/* Fills the slots that all rows of a partition share. A partition key of several columns is
 * stored as Cassandra does: for each its size in two bytes, the value, and a zero byte. */
void assemble_partition(struct assembler *assembler, const struct read_partition *partition, struct arena *chunk)
{
    const struct select_plan *select = assembler->select;
    struct buffer *scratch = assembler->scratch;
    struct bytes key = partition->partition_key;
    size_t at = 0;

    assert(select->partition_slots);
    if (select->partition_slots == 1) {
        assembler->slots[0] = key;
    } else {
        for (uint32_t i = 0; i < select->partition_slots && at + 3 <= key.size; i++) {
            uint16_t size = load_be16(key.data + at);

            assembler->slots[i] = bytes_of(key.data + at + 2, size);
            at += 3 + (size_t)size;
        }
    }
    if (!select->static_wanted)
        return;
    buffer_reset(scratch);
    fill_cells(assembler, partition->static_row, true);
    resolve_offsets(assembler, select->partition_slots + select->clustering_slots, select->slot_count, COLUMN_STATIC);
    for (uint32_t i = select->partition_slots + select->clustering_slots; i < select->slot_count; i++)
        if (select->slots[i]->kind == COLUMN_STATIC && assembler->offsets[i] != SIZE_MAX) {
            assembler->slots[i] = arena_copy(chunk, assembler->slots[i]); /* rows reuse the scratch */
            assembler->offsets[i] = SIZE_MAX;
        }
}

/* Puts one row together: the clustering, then the regular columns. Clustering values are
 * decoded from the row's key, or taken from written_clustering where the key's encoding loses
 * how it was written. */
enum status assemble_row(struct assembler *assembler, const struct read_row *row, struct error *err)
{
    const struct select_plan *select = assembler->select;
    struct buffer *scratch = assembler->scratch;
    uint32_t first = select->partition_slots, end = first + select->clustering_slots;
    size_t before_cells;

    assert(end <= select->slot_count);
    buffer_reset(scratch);
    /* The static row alone has no clustering: null in each. */
    if (!row) {
        for (uint32_t i = first; i < end; i++) {
            assembler->slots[i] = bytes_of(NULL, 0);
            assembler->offsets[i] = SIZE_MAX;
        }
    } else if (!bytes_is_null(row->row->written_clustering)) {
        struct bytes written = row->row->written_clustering;

        for (uint32_t i = first; i < end && written.size >= 4; i++) {
            uint32_t size = load_be32(written.data);

            if (size > written.size - 4)
                return error_set(err, ERR_CORRUPT, "A row's clustering is cut");
            assembler->slots[i] = bytes_of(written.data + 4, size);
            assembler->offsets[i] = SIZE_MAX;
            written = bytes_of(written.data + 4 + size, written.size - 4 - size);
        }
    } else {
        struct bytes rest = row->clustering;

        for (uint32_t i = first; i < end; i++) {
            const struct column_def *column = select->slots[i];
            size_t offset = scratch->size;
            enum status status = value_decode_key(&rest, column->type, column->descending, scratch, err);

            if (status)
                return status;
            assembler->offsets[i] = offset;
            assembler->slots[i].size = scratch->size - offset;
        }
    }
    before_cells = scratch->size;
    fill_cells(assembler, row ? row->row : NULL, false);
    resolve_offsets(assembler, first, end, COLUMN_CLUSTERING);
    /* Most rows have no collection and no counter: their values lie where the cells are. */
    if (scratch->size > before_cells)
        resolve_offsets(assembler, end, select->slot_count, COLUMN_REGULAR);
    return OK;
}

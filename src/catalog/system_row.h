/* catalog/system_row.h: inside catalog/: a row of a computed system table, value by value, and who calls for rows of which definitions.
 *
 *     put(w, name); put_int(w, 1); end_row(w);       values in the order of SELECT *: key columns first, then the others by name
 *
 * Owns:    values lie in the writer's arena, or with who puts them, until end_row.
 * Thread:  one for each writer.
 */
#ifndef CATALOG_SYSTEM_ROW_H
#define CATALOG_SYSTEM_ROW_H

#include "catalog/state.h"
#include "schema/schema.h"

#include <assert.h>

/* One row at a time: values in SELECT * order. 40 is more than any of these tables has columns. */
struct row_writer {
    struct virtual_emit *emit;
    struct arena *arena;
    struct bytes values[40];
    uint32_t count;
};

/* The bytes must live until end_row; numbers lie in the arena. */
static inline void put(struct row_writer *w, struct bytes value)
{
    assert(w->count < ARRAY_SIZE(w->values));
    w->values[w->count++] = value;
}

static inline void put_null(struct row_writer *w)
{
    put(w, bytes_of(NULL, 0));
}

/* Absent or empty is told apart: null is NULL data. */
static inline void put_string(struct row_writer *w, const char *text)
{
    put(w, bytes_of_string(text));
}

static inline void put_int(struct row_writer *w, int32_t value)
{
    /* The arena keeps it until the row is written. */
    uint8_t *at = arena_alloc(w->arena, 4);

    store_be32(at, (uint32_t)value);
    put(w, bytes_of(at, 4));
}

static inline void put_bigint(struct row_writer *w, int64_t value)
{
    uint8_t *at = arena_alloc(w->arena, 8);

    store_be64(at, (uint64_t)value);
    put(w, bytes_of(at, 8));
}

/* As the native protocol has it: the bits, big-endian. */
static inline void put_double(struct row_writer *w, double value)
{
    int64_t bits;

    memcpy(&bits, &value, 8);
    put_bigint(w, bits);
}

/* Constant bytes: nothing to allocate. */
static inline void put_boolean(struct row_writer *w, bool value)
{
    put(w, value ? bytes_of("\1", 1) : bytes_of("\0", 1));
}

/* A list or set, or with pairs a map: each element with its size, as the native protocol has them
 * from v3 on. Sets and maps: in the order of their type. */
static inline struct bytes make_collection(struct row_writer *w, const struct bytes *elements, uint32_t count,
                                           bool is_map)
{
    size_t size = 4;
    uint8_t *at, *from;

    assert(!is_map || count % 2 == 0);
    for (uint32_t i = 0; i < count; i++)
        size += 4 + elements[i].size;
    /* The size is known before, so it is allocated once. */
    from = at = arena_alloc(w->arena, size);
    store_be32(at, is_map ? count / 2 : count);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        store_be32(at, (uint32_t)elements[i].size);
        if (elements[i].size)
            memcpy(at + 4, elements[i].data, elements[i].size);
        at += 4 + elements[i].size;
    }
    return bytes_of(from, size);
}

static inline void put_collection(struct row_writer *w, const struct bytes *elements, uint32_t count, bool is_map)
{
    put(w, make_collection(w, elements, count, is_map));
}

static inline void put_options(struct row_writer *w, const struct option_map *map)
{
    /* Names and values alternate. */
    struct bytes *elements = arena_new_array(w->arena, struct bytes, map->count * 2 + 1);

    for (uint32_t i = 0; i < map->count; i++) {
        elements[2 * i] = map->options[i].name;
        elements[2 * i + 1] = map->options[i].value;
    }
    put_collection(w, elements, map->count * 2, true);
}

/* As CQL writes it, with frozen<> where it is said: drivers parse this text. */
static inline void put_type(struct row_writer *w, const struct type *type)
{
    struct buffer out = { 0 };

    type_print(&out, type, false);
    put(w, arena_copy(w->arena, buffer_bytes(&out)));
    buffer_fini(&out);
    /* The text is copied, as the buffer goes. */
}

/* A user type's fields: their names, then their types as put_type writes them. */
static inline void put_fields(struct row_writer *w, const struct type *type)
{
    struct bytes *texts = arena_new_array(w->arena, struct bytes, type->param_count + 1);

    put_collection(w, type->field_names, type->param_count, false);
    for (uint32_t i = 0; i < type->param_count; i++) {
        put_type(w, type->params[i]);
        /* Takes back what was just put, to gather it. */
        texts[i] = w->values[--w->count];
    }
    put_collection(w, texts, type->param_count, false);
}

static inline void end_row(struct row_writer *w)
{
    assert(w->count > 0);
    w->emit->row(w->emit, w->values);
    w->count = 0;
}

/* Who reads sees the definitions of its own account. */
static inline struct schema *ref_viewers_schema(struct catalog *catalog, const struct virtual_emit *emit)
{
    assert(emit->viewer);
    return catalog_ref_schema(catalog, emit->viewer);
}

/* Calls `rows` with a writer and the schema in force. All rows of one reading are of one schema. */
static inline void with_schema(const struct virtual_table *self, struct virtual_emit *emit,
                               void (*rows)(struct row_writer *w, const struct schema *schema))
{
    /* The reference keeps the schema while its rows are read, whatever changes meanwhile. */
    struct row_writer w = { .emit = emit, .arena = arena_new(4096) };
    struct schema *schema = ref_viewers_schema(self->context, emit);

    rows(&w, schema);
    schema_unref(schema);
    arena_free(w.arena);
}

/* A client that asks for one keyspace (drivers do, after an event) has only that one computed. */
static inline void each_keyspace(struct row_writer *w, const struct schema *schema, bool is_virtual,
                                 void (*rows)(struct row_writer *w, const struct keyspace_def *keyspace))
{
    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        if (keyspace->is_virtual == is_virtual && virtual_wants(w->emit, &keyspace->name, 1))
            rows(w, keyspace);
    }
}

/* The same for tables, by both parts of the key. */
static inline void each_table(struct row_writer *w, const struct schema *schema, bool is_virtual,
                              void (*rows)(struct row_writer *w, const struct table_def *table))
{
    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        if (keyspace->is_virtual != is_virtual || !virtual_wants(w->emit, &keyspace->name, 1))
            continue;
        for (uint32_t j = 0; j < keyspace->table_count; j++) {
            struct bytes names[2] = { keyspace->name, keyspace->tables[j]->name };

            if (virtual_wants(w->emit, names, 2))
                rows(w, keyspace->tables[j]);
        }
    }
}

/* ---- system_mcs_rows.c ---- */

/* A map of maps with what holds for the table. */
void put_custom_properties(struct row_writer *w, const struct table_def *table);
/* Null: not known. */
void put_creation_time(struct row_writer *w, const struct table_def *table);

#endif

/* Definitions under construction. A definition owns all that it points to, in one
 * arena, so that it can be freed at once and never holds on to a request's memory;
 * asserts look whether that is so (is_owned). A definition is made, filled, finished,
 * and then immutable: a change begins with a copy. */
#include "schema/build.h"

#include "schema/option.h"

#include <assert.h>
#include <stdlib.h>

/* ---- option maps ---- */

/* Maps are copied with their names and values. */
void option_map_copy(struct arena *arena, struct option_map *to, const struct option_map *from)
{
    struct option *options = arena_new_array(arena, struct option, from->count + 1);

    for (uint32_t i = 0; i < from->count; i++) {
        options[i].name = arena_copy(arena, from->options[i].name);
        options[i].value = arena_copy(arena, from->options[i].value);
    }
    *to = (struct option_map){ options, from->count };
}

/* Maps have a handful of entries. */
const struct option *option_map_find(const struct option_map *map, struct bytes name)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (bytes_equal(map->options[i].name, name))
            return &map->options[i];
    return NULL;
}

/* Sets an entry, in order of names. The map's array is made anew, since others may
 * share it. */
void option_map_set(struct arena *arena, struct option_map *map, struct bytes name, struct bytes value)
{
    struct option *options = arena_new_array(arena, struct option, map->count + 1);
    uint32_t count = 0;
    bool is_set = false;

    assert(name.data || !name.size);
    for (uint32_t i = 0; i < map->count; i++) {
        int order = bytes_compare(map->options[i].name, name);

        /* Before the first that is not smaller; an equal one is left out below. */
        if (order >= 0 && !is_set) {
            options[count++] = (struct option){ arena_copy(arena, name), arena_copy(arena, value) };
            is_set = true;
        }
        if (order != 0)
            options[count++] = map->options[i];
    }
    if (!is_set)
        options[count++] = (struct option){ arena_copy(arena, name), arena_copy(arena, value) };
    *map = (struct option_map){ options, count };
}

/* ---- who owns what a definition points to ---- */

/* Nothing that is empty needs an owner. */
static bool is_owned(const struct arena *arena, struct bytes text)
{
    return text.size == 0 || arena_owns(arena, text.data);
}

/* Names, values and the array itself. */
static bool map_is_owned(const struct arena *arena, const struct option_map *map)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (!is_owned(arena, map->options[i].name) || !is_owned(arena, map->options[i].value))
            return false;
    return map->count == 0 || arena_owns(arena, map->options);
}

/* Goes through the table of options, so a new option is looked at as well. */
static bool params_are_owned(const struct arena *arena, const struct table_params *params)
{
    for (size_t i = 0; i < table_option_count; i++) {
        const void *at = table_option_get(&table_options[i], params);
        enum option_kind kind = table_options[i].kind;

        if ((kind == OPTION_TEXT || kind == OPTION_NESTED) && !is_owned(arena, *(const struct bytes *)at))
            return false;
        if (kind == OPTION_MAP && !map_is_owned(arena, at))
            return false;
    }
    return true;
}

/* Before a table is finished: a name in a request's arena would be gone when the
 * request is. */
static bool table_is_owned(const struct table_def *def)
{
    const struct arena *arena = def->arena;

    for (uint32_t i = 0; i < def->column_count; i++)
        if (!is_owned(arena, def->columns[i].name) || !type_is_owned(arena, def->columns[i].type))
            return false;
    for (uint32_t i = 0; i < def->dropped_count; i++)
        if (!is_owned(arena, def->dropped[i].name) || !type_is_owned(arena, def->dropped[i].type))
            return false;
    return params_are_owned(arena, &def->params);
}

bool keyspace_def_is_owned(const struct keyspace_def *def)
{
    for (uint32_t i = 0; i < def->type_count; i++)
        if (!type_is_owned(def->arena, def->types[i]))
            return false;
    return map_is_owned(def->arena, &def->replication) && map_is_owned(def->arena, &def->tags);
}

/* ---- tables ---- */

/* An empty table with one reference. Tables of virtual keyspaces are durable like
 * others: nobody asks. */
struct table_def *table_def_new(struct bytes keyspace, struct bytes name)
{
    struct arena *arena = arena_new(2048);
    struct table_def *def = arena_new_struct(arena, struct table_def);

    assert(name.data || !name.size);
    atomic_init(&def->refs, 1);
    def->arena = arena;
    def->keyspace = arena_copy(arena, keyspace);
    def->name = arena_copy(arena, name);
    def->durable_writes = true;
    return def;
}

/* Numbers are copied by the struct, texts and maps one by one. */
void table_params_copy(struct arena *arena, struct table_params *to, const struct table_params *from)
{
    *to = *from;
    for (size_t i = 0; i < table_option_count; i++) {
        const void *was = table_option_get(&table_options[i], from);
        void *at = table_option_at(&table_options[i], to);
        enum option_kind kind = table_options[i].kind;

        if (kind == OPTION_TEXT || kind == OPTION_NESTED)
            *(struct bytes *)at = arena_copy(arena, *(const struct bytes *)was);
        else if (kind == OPTION_MAP)
            option_map_copy(arena, at, was);
    }
}

/* A copy to be changed, with room for more columns. Ids stay: they are what stored
 * cells go by. */
struct table_def *table_def_clone(const struct table_def *from, uint32_t columns_more, uint32_t dropped_more)
{
    struct table_def *def = table_def_new(from->keyspace, from->name);
    struct arena *arena = def->arena;

    assert(from->column_count <= from->column_id_next);
    def->id = from->id;
    memcpy(def->uuid, from->uuid, 16);
    def->version = from->version;
    def->created_us = from->created_us;
    def->columns = arena_new_array(arena, struct column_def, from->column_count + columns_more + 1);
    for (uint32_t i = 0; i < from->column_count; i++) {
        def->columns[i] = from->columns[i];
        def->columns[i].name = arena_copy(arena, from->columns[i].name);
        def->columns[i].type = type_copy(arena, from->columns[i].type);
    }
    def->column_count = from->column_count;
    def->column_id_next = from->column_id_next;
    /* Types of dropped columns have no user types in them (type_expand_udts). */
    def->dropped = arena_new_array(arena, struct dropped_column, from->dropped_count + dropped_more + 1);
    for (uint32_t i = 0; i < from->dropped_count; i++) {
        def->dropped[i] = from->dropped[i];
        def->dropped[i].name = arena_copy(arena, from->dropped[i].name);
        def->dropped[i].type = type_copy(arena, from->dropped[i].type);
    }
    def->dropped_count = from->dropped_count;
    def->durable_writes = from->durable_writes;
    def->virtual_table = from->virtual_table;
    def->ways = from->ways;
    table_params_copy(arena, &def->params, &from->params);
    return def;
}

/* A copy of the struct, which keeps alive what it points to. A clone of it is a whole table again. */
struct table_def *table_def_twin(struct table_def *from, uint64_t id)
{
    struct arena *arena = arena_new(sizeof(struct table_def) + 16);
    struct table_def *def = arena_new_struct(arena, struct table_def);

    /* Its memory is the struct alone: what is borrowed stays as long as the first of all twins does. */
    assert(from->index_by_id && id != from->id);
    *def = *from;
    atomic_init(&def->refs, 1);
    def->id = id;
    def->original = table_def_ref(from->original ? from->original : from);
    def->arena = arena;
    return def;
}

/* A new column gets the next id, which is never given again: cells of a dropped column
 * must not appear in a new one of its name. The caller has made room. */
struct column_def *table_def_add_column(struct table_def *def, enum column_kind kind, uint32_t position,
                                        struct bytes name, const struct type *type, bool descending)
{
    struct column_def *column = &def->columns[def->column_count++];

    assert(def->column_id_next < COLUMN_ID_NONE);
    *column = (struct column_def){ .id = def->column_id_next++,
                                   .kind = kind,
                                   .position = position,
                                   .name = arena_copy(def->arena, name),
                                   .type = type_copy(def->arena, type),
                                   .descending = descending };
    return column;
}

/* Cassandra's order: keys by position, then static and regular columns by name. SELECT
 * * shows it. */
static int compare_columns(const void *a, const void *b)
{
    const struct column_def *x = a, *y = b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == COLUMN_PARTITION_KEY || x->kind == COLUMN_CLUSTERING)
        return (x->position > y->position) - (x->position < y->position);
    return bytes_compare(x->name, y->name);
}

/* Sorts the columns and fills in what follows from them. Afterwards the definition does
 * not change. */
void table_def_finish(struct table_def *def)
{
    uint32_t counts[4] = { 0 };

    assert(table_is_owned(def));

    if (def->column_count > 1)
        qsort(def->columns, def->column_count, sizeof(*def->columns), compare_columns);
    def->index_by_id = arena_alloc(def->arena, (def->column_id_next + 1) * sizeof(uint32_t));
    /* UINT32_MAX: no column has the id any more. */
    memset(def->index_by_id, 0xff, (def->column_id_next + 1) * sizeof(uint32_t));
    def->is_counter = false;
    for (uint32_t i = 0; i < def->column_count; i++) {
        struct column_def *column = &def->columns[i];

        assert(column->id < def->column_id_next);
        column->index = i;
        column->position = counts[column->kind]++;
        column->multicell = type_is_multicell(column->type);
        column->hidden_until_us = INT64_MIN;
        def->index_by_id[column->id] = i;
        /* One counter is enough: tables are checked to have no mixture. */
        if (column->kind >= COLUMN_STATIC && column->type->kind == TYPE_COUNTER)
            def->is_counter = true;
    }
    /* A column that came back with its id: cells up to the drop stay hidden. */
    for (uint32_t i = 0; i < def->dropped_count; i++)
        if (def->dropped[i].id < def->column_id_next && def->index_by_id[def->dropped[i].id] != UINT32_MAX)
            def->columns[def->index_by_id[def->dropped[i].id]].hidden_until_us = def->dropped[i].dropped_us;
    def->partition_key_count = counts[COLUMN_PARTITION_KEY];
    def->clustering_count = counts[COLUMN_CLUSTERING];
    def->static_count = counts[COLUMN_STATIC];
    def->regular_count = counts[COLUMN_REGULAR];
}

/* ---- keyspaces ---- */

/* With room for tables and types that are to be added. */
static struct keyspace_def *new_keyspace(struct bytes name, const struct option_map *replication, bool durable_writes,
                                         uint32_t table_room, uint32_t type_room)
{
    struct arena *arena = arena_new(1024);
    struct keyspace_def *def = arena_new_struct(arena, struct keyspace_def);

    atomic_init(&def->refs, 1);
    def->arena = arena;
    def->name = arena_copy(arena, name);
    option_map_copy(arena, &def->replication, replication);
    def->durable_writes = durable_writes;
    def->tables = arena_new_array(arena, struct table_def *, table_room + 1);
    def->types = arena_new_array(arena, const struct type *, type_room + 1);
    def->type_changed_us = arena_new_array(arena, int64_t, type_room + 1);
    return def;
}

struct keyspace_def *keyspace_def_new(struct bytes name, const struct option_map *replication, bool durable_writes)
{
    return new_keyspace(name, replication, durable_writes, 0, 0);
}

/* Shares the tables, copies the types: those lie in the keyspace's own arena. */
struct keyspace_def *keyspace_def_clone(const struct keyspace_def *from, uint32_t tables_more, uint32_t types_more)
{
    struct keyspace_def *def = new_keyspace(from->name, &from->replication, from->durable_writes,
                                            from->table_count + tables_more, from->type_count + types_more);

    def->is_virtual = from->is_virtual;
    option_map_copy(def->arena, &def->tags, &from->tags);
    for (uint32_t i = 0; i < from->table_count; i++)
        /* Unchanged tables are shared by all versions. */
        def->tables[i] = table_def_ref(from->tables[i]);
    def->table_count = from->table_count;
    for (uint32_t i = 0; i < from->type_count; i++) {
        def->types[i] = type_copy(def->arena, from->types[i]);
        def->type_changed_us[i] = from->type_changed_us[i];
    }
    def->type_count = from->type_count;
    return def;
}

/* Adds a table or replaces that of its name, taking over a reference. There must be
 * room for one more. */
void keyspace_def_put_table(struct keyspace_def *def, struct table_def *table)
{
    uint32_t index;

    assert(bytes_equal(table->keyspace, def->name));
    if (keyspace_def_find_table(def, table->name, &index)) {
        table_def_unref(def->tables[index]);
    } else {
        memmove(def->tables + index + 1, def->tables + index, (def->table_count - index) * sizeof(*def->tables));
        def->table_count++;
    }
    def->tables[index] = table;
}

void keyspace_def_remove_table(struct keyspace_def *def, struct bytes name)
{
    uint32_t index;
    bool found = keyspace_def_find_table(def, name, &index);

    assert(found);
    table_def_unref(def->tables[index]);
    def->table_count--;
    memmove(def->tables + index, def->tables + index + 1, (def->table_count - index) * sizeof(*def->tables));
}

/* Copies the type into the keyspace. */
void keyspace_def_put_type(struct keyspace_def *def, const struct type *type, int64_t changed_us)
{
    uint32_t index;

    assert(type->kind == TYPE_UDT && !type->frozen);
    if (!keyspace_def_find_type(def, type->name, &index)) {
        memmove(def->types + index + 1, def->types + index, (def->type_count - index) * sizeof(*def->types));
        memmove(def->type_changed_us + index + 1, def->type_changed_us + index,
                (def->type_count - index) * sizeof(*def->type_changed_us));
        def->type_count++;
    }
    def->types[index] = type_copy(def->arena, type);
    def->type_changed_us[index] = changed_us;
}

void keyspace_def_remove_type(struct keyspace_def *def, struct bytes name)
{
    uint32_t index;
    bool found = keyspace_def_find_type(def, name, &index);

    assert(found);
    def->type_count--;
    memmove(def->types + index, def->types + index + 1, (def->type_count - index) * sizeof(*def->types));
    memmove(def->type_changed_us + index, def->type_changed_us + index + 1,
            (def->type_count - index) * sizeof(*def->type_changed_us));
}

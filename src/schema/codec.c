/* Definitions as bytes, and back; the layout is drawn in codec.h. Encoding walks over a
 * definition in a fixed order, so equal definitions are equal bytes, which ALTER TABLE
 * relies on to see that nothing changed.
 *
 * What is decoded comes from the disk: it is checked, never asserted. A reader that was
 * cut short goes on with zeros (base/cursor.h) and its flag says so at the end, so no
 * step in between has to look. */
#include "schema/codec.h"

#include "base/cursor.h"
#include "schema/build.h"
#include "schema/ddl.h"
#include "schema/resolve.h"

#include <assert.h>
#include <stdlib.h>

/* Codes of nodes that have no option id of their own. They are in files: never change them. */
enum { NODE_VECTOR = 0x0100, NODE_EMPTY = 0x0101, NODE_DURATION = 0x0102 };

/* Tags are in files: new ones go at the end, none is ever used for something else. */
enum param_tag {
    PARAM_COMMENT = 1,
    PARAM_BLOOM,
    PARAM_CRC,
    PARAM_DEFAULT_TTL,
    PARAM_GC_GRACE,
    PARAM_FLUSH_PERIOD,
    PARAM_MIN_INDEX,
    PARAM_MAX_INDEX,
    PARAM_SPECULATIVE,
    PARAM_ADDITIONAL,
    PARAM_READ_REPAIR,
    PARAM_MEMTABLE,
    PARAM_FLAGS, /* cdc, allow_auto_snapshot, incremental_backups */
    PARAM_CACHING,
    PARAM_COMPACTION,
    PARAM_COMPRESSION,
    PARAM_EXTENSIONS,
    PARAM_CUSTOM_PROPERTIES,
    PARAM_AUTOSCALING,
    PARAM_TAGS,
    PARAM_CREATED,
    PARAM_LAST = PARAM_CREATED,
};
/* Of types: as those of tables. */
enum type_tag { TYPE_CHANGED = 1, TYPE_LAST = TYPE_CHANGED };
/* Bits of PARAM_FLAGS: in files, as the tags are. */
enum { FLAG_CDC = 1, FLAG_SNAPSHOT = 2, FLAG_BACKUPS = 4 };

/* ---- encoding ---- */

/* A text may be empty; null is not told from it, as no definition needs that. */
static void put_text(struct buffer *out, struct bytes text)
{
    buffer_append_be32(out, (uint32_t)text.size);
    buffer_append_bytes(out, text);
}

/* The map's entries in their order. */
static void put_map(struct buffer *out, const struct option_map *map)
{
    buffer_append_be32(out, map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        put_text(out, map->options[i].name);
        put_text(out, map->options[i].value);
    }
}

/* The option ids of the native protocol, and codes of our own where it has none. */
static uint16_t node_code(const struct type *type)
{
    switch (type->kind) {
    case TYPE_VECTOR: return NODE_VECTOR;
    case TYPE_EMPTY: return NODE_EMPTY;
    case TYPE_DURATION: return NODE_DURATION;
    default: return type_wire_id(type);
    }
}

/* A type as a tree. User types are put by name: they are decoded before. */
static void put_node(struct buffer *out, const struct type *type)
{
    assert(type);
    buffer_append_be16(out, node_code(type));
    buffer_append_u8(out, type->frozen);
    /* Their parts are not put: a user type's are in its own value. */
    if (type->kind == TYPE_UDT || type->kind == TYPE_CUSTOM) {
        put_text(out, type->name);
        return;
    }
    if (type->kind == TYPE_VECTOR)
        buffer_append_be32(out, type->dimension);
    /* Only of a tuple the number of parts does not follow from the kind. */
    if (type->kind == TYPE_TUPLE)
        buffer_append_be32(out, type->param_count);
    for (uint32_t i = 0; i < type->param_count; i++)
        put_node(out, type->params[i]);
}

/* A tag and a size, so that a reader can pass over tags that it does not know. */
static void put_param(struct buffer *out, uint8_t tag, struct bytes value)
{
    assert(tag);
    buffer_append_u8(out, tag);
    put_text(out, value);
}

/* Four bytes, so that the size tells a damaged one. */
static void put_int_param(struct buffer *out, uint8_t tag, int32_t value)
{
    uint8_t bytes[4];

    store_be32(bytes, (uint32_t)value);
    put_param(out, tag, bytes_of(bytes, 4));
}

/* The bits of the number, whatever it is. */
static void put_double_param(struct buffer *out, uint8_t tag, double value)
{
    uint64_t bits;
    uint8_t bytes[8];

    memcpy(&bits, &value, 8);
    store_be64(bytes, bits);
    put_param(out, tag, bytes_of(bytes, 8));
}

/* Microseconds since 1970; 0 where nobody knows, which is told from no time at all by nobody. */
static void put_time_param(struct buffer *out, uint8_t tag, int64_t value)
{
    uint8_t bytes[8];

    store_be64(bytes, (uint64_t)value);
    put_param(out, tag, bytes_of(bytes, 8));
}

/* A map with its size before it. */
static void put_map_param(struct buffer *out, uint8_t tag, const struct option_map *map)
{
    struct buffer encoded = { 0 };

    put_map(&encoded, map);
    put_param(out, tag, buffer_bytes(&encoded));
    buffer_fini(&encoded);
}

/* All options, also those that have their default: a later server may have another
 * default. */
static void put_params(struct buffer *out, const struct table_def *table)
{
    const struct table_params *params = &table->params;
    /* Booleans share one byte. */
    uint8_t flags = (uint8_t)((params->cdc ? FLAG_CDC : 0) | (params->allow_auto_snapshot ? FLAG_SNAPSHOT : 0) |
                              (params->incremental_backups ? FLAG_BACKUPS : 0));

    /* The last tag is also how many follow: all of them. */
    buffer_append_u8(out, PARAM_LAST);
    put_param(out, PARAM_COMMENT, params->comment);
    put_double_param(out, PARAM_BLOOM, params->bloom_filter_fp_chance);
    put_double_param(out, PARAM_CRC, params->crc_check_chance);
    put_int_param(out, PARAM_DEFAULT_TTL, params->default_time_to_live_s);
    put_int_param(out, PARAM_GC_GRACE, params->gc_grace_s);
    put_int_param(out, PARAM_FLUSH_PERIOD, params->memtable_flush_period_ms);
    put_int_param(out, PARAM_MIN_INDEX, params->min_index_interval);
    put_int_param(out, PARAM_MAX_INDEX, params->max_index_interval);
    put_param(out, PARAM_SPECULATIVE, params->speculative_retry);
    put_param(out, PARAM_ADDITIONAL, params->additional_write_policy);
    put_param(out, PARAM_READ_REPAIR, params->read_repair);
    put_param(out, PARAM_MEMTABLE, params->memtable);
    put_param(out, PARAM_FLAGS, bytes_of(&flags, 1));
    put_map_param(out, PARAM_CACHING, &params->caching);
    put_map_param(out, PARAM_COMPACTION, &params->compaction);
    put_map_param(out, PARAM_COMPRESSION, &params->compression);
    put_map_param(out, PARAM_EXTENSIONS, &params->extensions);
    put_param(out, PARAM_CUSTOM_PROPERTIES, params->custom_properties);
    put_param(out, PARAM_AUTOSCALING, params->autoscaling_settings);
    put_map_param(out, PARAM_TAGS, &params->tags);
    put_time_param(out, PARAM_CREATED, table->created_us);
}

/* A table by itself; its keyspace is where it is saved. Columns are put with their ids, by
 * which stored rows know them; a name may change. */
void schema_encode_table(struct buffer *out, const struct table_def *table)
{
    assert(table->column_count <= table->column_id_next);
    buffer_append_u8(out, SCHEMA_TABLE_ENCODING);
    buffer_append_be64(out, table->id);
    buffer_append(out, table->uuid, 16);
    buffer_append_be64(out, table->version);
    put_text(out, table->name);
    buffer_append_be32(out, table->column_id_next);
    buffer_append_be32(out, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_def *column = &table->columns[i];

        buffer_append_be32(out, column->id);
        buffer_append_u8(out, (uint8_t)column->kind);
        buffer_append_be32(out, column->position);
        buffer_append_u8(out, column->descending);
        put_text(out, column->name);
        put_node(out, column->type);
    }
    buffer_append_be32(out, table->dropped_count);
    for (uint32_t i = 0; i < table->dropped_count; i++) {
        /* What was dropped is kept, so that DESCRIBE can show it and a column can come
         * back. */
        const struct dropped_column *dropped = &table->dropped[i];

        buffer_append_be32(out, dropped->id);
        buffer_append_u8(out, (uint8_t)dropped->kind);
        buffer_append_be64(out, (uint64_t)dropped->dropped_us);
        put_text(out, dropped->name);
        put_node(out, dropped->type);
    }
    put_params(out, table);
}

/* A walk over the types of a keyspace. It finds an order in which each stands behind
 * those it uses, and their levels (0: not visited yet). */
struct type_walk {
    const struct keyspace_def *keyspace;
    const struct type **order; /* NULL: not wanted */
    uint32_t *levels;
    uint32_t count;
};

/* Places of types in the keyspace. User types form no cycle: ALTER TYPE refuses one. */
struct used_types {
    uint32_t *items; /* owned */
    uint32_t count, capacity;
};

/* Adds the user types in a type, also those within them, since a user type has its fields'
 * types at hand. One may be added several times. */
static void find_used(const struct keyspace_def *keyspace, const struct type *type, struct used_types *used)
{
    uint32_t index;

    if (type->kind == TYPE_UDT && keyspace_def_find_type(keyspace, type->name, &index)) {
        if (used->count == used->capacity) {
            used->capacity = used->capacity ? used->capacity * 2 : 16;
            used->items = xrealloc(used->items, used->capacity * sizeof(*used->items));
        }
        used->items[used->count++] = index;
    }
    for (uint32_t i = 0; i < type->param_count; i++)
        find_used(keyspace, type->params[i], used);
}

/* By place, and so by name: what order comes out depends on nothing else. */
static int compare_places(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* Those it uses, near and far, by name; not each of the keyspace's with each: there may be thousands, and every change asks. */
static void visit_type(struct type_walk *walk, uint32_t index)
{
    const struct type *type = walk->keyspace->types[index];
    struct used_types used = { 0 };
    uint32_t level = 1;

    assert(index < walk->keyspace->type_count);
    if (walk->levels[index])
        return;
    walk->levels[index] = level; /* seen */
    for (uint32_t i = 0; i < type->param_count; i++)
        find_used(walk->keyspace, type->params[i], &used);
    if (used.count)
        qsort(used.items, used.count, sizeof(*used.items), compare_places);
    for (uint32_t i = 0; i < used.count; i++) {
        assert(used.items[i] != index); /* no type is in itself */
        visit_type(walk, used.items[i]);
        if (level <= walk->levels[used.items[i]])
            level = walk->levels[used.items[i]] + 1;
    }
    free(used.items);
    walk->levels[index] = level;
    if (walk->order)
        walk->order[walk->count] = type;
    walk->count++;
}

/* Each once, however many use it. */
static void visit_types(struct type_walk *walk)
{
    for (uint32_t i = 0; i < walk->keyspace->type_count; i++)
        visit_type(walk, i);
    assert(walk->count == walk->keyspace->type_count);
}

/* The order in which types can be created again, for DESCRIBE. */
void schema_types_in_order(const struct keyspace_def *keyspace, const struct type **order)
{
    uint32_t *levels = xcalloc(keyspace->type_count + 1, sizeof(*levels));

    visit_types(&(struct type_walk){ .keyspace = keyspace, .order = order, .levels = levels });
    free(levels);
}

/* The order in which types can be decoded, for catalog/. */
void schema_type_levels(const struct keyspace_def *keyspace, uint32_t *levels)
{
    memset(levels, 0, keyspace->type_count * sizeof(*levels));
    visit_types(&(struct type_walk){ .keyspace = keyspace, .levels = levels });
}

/* Types and tables are values of their own, so that a change writes only what it
 * changes. */
void schema_encode_keyspace(struct buffer *out, const struct keyspace_def *keyspace)
{
    assert(keyspace->name.size);
    buffer_append_u8(out, SCHEMA_KEYSPACE_ENCODING);
    put_text(out, keyspace->name);
    buffer_append_u8(out, keyspace->durable_writes);
    put_map(out, &keyspace->replication);
    put_map(out, &keyspace->tags);
}

/* A user type: names and types of its fields, and what is to be known of it besides. */
void schema_encode_type(struct buffer *out, const struct type *type, uint32_t level, int64_t changed_us)
{
    assert(type->kind == TYPE_UDT && !type->frozen && level > 0);
    buffer_append_u8(out, SCHEMA_TYPE_ENCODING);
    buffer_append_be32(out, level);
    put_text(out, type->name);
    buffer_append_be32(out, type->param_count);
    for (uint32_t i = 0; i < type->param_count; i++) {
        put_text(out, type->field_names[i]);
        put_node(out, type->params[i]);
    }
    buffer_append_u8(out, TYPE_LAST);
    put_time_param(out, TYPE_CHANGED, changed_us);
}

/* ---- decoding ---- */

/* What is left to decode. */
struct reader {
    struct cursor in;
    const struct keyspace_def *keyspace; /* where user types are looked up */
};

/* Takes so many bytes; once cut short it gives zeros. */
static const uint8_t *take(struct reader *r, size_t size)
{
    static const uint8_t zeros[16];
    struct bytes taken = cursor_take(&r->in, size);

    assert(size <= sizeof(zeros));
    return taken.data ? taken.data : zeros;
}

/* A number that was cut short is 0, and the cursor has failed. */
static uint8_t get_u8(struct reader *r)
{
    return cursor_u8(&r->in);
}

static uint32_t get_be32(struct reader *r)
{
    return cursor_be32(&r->in);
}

static uint64_t get_be64(struct reader *r)
{
    return cursor_be64(&r->in);
}

/* Borrowed from what is decoded: whoever keeps it copies it. */
static struct bytes get_text(struct reader *r)
{
    uint32_t size = get_be32(r);
    struct bytes text = cursor_take(&r->in, size);

    return r->in.failed ? BYTES_LITERAL("") : text;
}

/* A count of things that take at least `least` bytes each: a damaged count must not ask
 * for memory that the rest of the value could never fill. */
static uint32_t get_count(struct reader *r, size_t least)
{
    uint32_t count = get_be32(r);

    assert(least);
    if (count > r->in.left / least)
        cursor_fail(&r->in);
    return r->in.failed ? 0 : count;
}

/* Copied into the arena. */
static void get_map(struct reader *r, struct arena *arena, struct option_map *map)
{
    uint32_t count = get_count(r, 8);

    map->options = arena_new_array(arena, struct option, count + 1);
    map->count = count;
    for (uint32_t i = 0; i < count; i++) {
        map->options[i].name = arena_copy(arena, get_text(r));
        map->options[i].value = arena_copy(arena, get_text(r));
    }
}

static const struct type *get_node(struct reader *r, struct arena *arena, int depth);

/* list, set or map, by the codes of the native protocol. */
static const struct type *get_params(struct reader *r, struct arena *arena, uint16_t code, bool frozen, int depth)
{
    const struct type *a = get_node(r, arena, depth), *b;

    assert(code == 0x20 || code == 0x21 || code == 0x22);
    switch (code) {
    case 0x20: return type_list(arena, a, frozen);
    case 0x22: return type_set(arena, a, frozen);
    default: b = get_node(r, arena, depth); return type_map(arena, a, b, frozen);
    }
}

/* A field takes 3 bytes at least. */
static const struct type *get_tuple(struct reader *r, struct arena *arena, int depth)
{
    uint32_t count = get_count(r, 3);
    const struct type **fields = arena_new_array(arena, const struct type *, count + 1);

    for (uint32_t i = 0; i < count; i++)
        fields[i] = get_node(r, arena, depth);
    return type_tuple(arena, fields, count);
}

/* Looked up by name among the types of the keyspace, which were decoded before. */
static const struct type *get_udt(struct reader *r, struct arena *arena, bool frozen)
{
    struct bytes name = get_text(r);
    uint32_t index;

    assert(r->keyspace);
    if (keyspace_def_find_type(r->keyspace, name, &index))
        return frozen ? type_freeze(arena, r->keyspace->types[index]) : r->keyspace->types[index];
    /* A type that is not there: the value is of another keyspace, or damaged. A blob
     * stands for it until the caller sees that reading has failed. */
    cursor_fail(&r->in);
    return type_native(TYPE_BLOB);
}

/* A class that is kept by its name. */
static const struct type *get_custom(struct reader *r, struct arena *arena)
{
    struct type *type = arena_new_struct(arena, struct type);

    type->kind = TYPE_CUSTOM;
    type->name = arena_copy(arena, get_text(r));
    return type;
}

/* A type. Depth is bounded, since what is damaged may be nested at will. */
static const struct type *get_node(struct reader *r, struct arena *arena, int depth)
{
    const uint8_t *head = take(r, 3);
    uint16_t code = load_be16(head);
    bool frozen = head[2];
    uint32_t dimension;

    /* Something whole is returned in any case, so that callers need not look. */
    if (r->in.failed || depth > RESOLVE_DEPTH_MAX) {
        cursor_fail(&r->in);
        return type_native(TYPE_BLOB);
    }
    switch (code) {
    case 0x00: return get_custom(r, arena);
    case 0x20:
    case 0x21:
    case 0x22: return get_params(r, arena, code, frozen, depth + 1);
    case 0x30: return get_udt(r, arena, frozen);
    case 0x31: return get_tuple(r, arena, depth + 1);
    case NODE_VECTOR: dimension = get_be32(r); return type_vector(arena, get_node(r, arena, depth + 1), dimension);
    case NODE_EMPTY: return type_native(TYPE_EMPTY);
    case NODE_DURATION: return type_native(TYPE_DURATION);
    default:
        /* Native types are few, and this is done at start only. */
        for (int kind = TYPE_ASCII; kind < TYPE_EMPTY; kind++)
            if (kind != TYPE_DURATION && type_wire_id(type_native((enum type_kind)kind)) == code)
                return type_native((enum type_kind)kind);
        cursor_fail(&r->in);
        return type_native(TYPE_BLOB);
    }
}

/* A size that is not the number's is damage. */
static int64_t time_param(struct bytes value, struct reader *r)
{
    if (value.size != 8) {
        cursor_fail(&r->in);
        return 0;
    }
    return (int64_t)load_be64(value.data);
}

/* What is to be known of a type besides its fields: when it was made or altered. An unknown tag is passed over: it
 * is of a later server. */
static int64_t get_type_params(struct reader *r)
{
    uint8_t count = get_u8(r);
    int64_t changed_us = 0;

    for (uint32_t i = 0; i < count && !r->in.failed; i++) {
        uint8_t tag = get_u8(r);
        struct bytes value = get_text(r);

        if (tag == TYPE_CHANGED)
            changed_us = time_param(value, r);
    }
    return changed_us;
}

/* A user type, put into the keyspace unless it was cut short. */
static void get_type(struct reader *r, struct keyspace_def *keyspace, bool has_params)
{
    int64_t changed_us;
    struct arena *arena = keyspace->arena;
    struct bytes name = get_text(r);
    uint32_t count = get_count(r, 7);
    const struct type **fields = arena_new_array(arena, const struct type *, count + 1);
    struct bytes *names = arena_new_array(arena, struct bytes, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        names[i] = get_text(r);
        fields[i] = get_node(r, arena, 0);
    }
    changed_us = has_params ? get_type_params(r) : 0;
    if (!r->in.failed)
        keyspace_def_put_type(keyspace, type_udt(arena, keyspace->name, name, names, fields, count, false), changed_us);
}

/* A size that is not the number's is damage. */
static int32_t int_param(struct bytes value, struct reader *r)
{
    if (value.size != 4) {
        cursor_fail(&r->in);
        return 0;
    }
    return (int32_t)load_be32(value.data);
}

/* Any bits are a number; whether it makes sense was checked when it was set. */
static double double_param(struct bytes value, struct reader *r)
{
    uint64_t bits;
    double result;

    if (value.size != 8) {
        cursor_fail(&r->in);
        return 0;
    }
    bits = load_be64(value.data);
    memcpy(&result, &bits, 8);
    return result;
}

/* A map that must fill its param to the end. */
static void map_param(struct bytes value, struct arena *arena, struct option_map *map, struct reader *r)
{
    struct reader inner = { .in = cursor_of(value) };

    get_map(&inner, arena, map);
    if (inner.in.failed || inner.in.left)
        cursor_fail(&r->in);
}

/* An unknown tag is passed over: it is of a later server. */
static void get_param(struct reader *r, struct table_def *def)
{
    struct arena *arena = def->arena;
    struct table_params *params = &def->params;
    uint8_t tag = get_u8(r);
    struct bytes value = get_text(r);

    switch (tag) {
    case PARAM_COMMENT: params->comment = arena_copy(arena, value); break;
    case PARAM_BLOOM: params->bloom_filter_fp_chance = double_param(value, r); break;
    case PARAM_CRC: params->crc_check_chance = double_param(value, r); break;
    case PARAM_DEFAULT_TTL: params->default_time_to_live_s = int_param(value, r); break;
    case PARAM_GC_GRACE: params->gc_grace_s = int_param(value, r); break;
    case PARAM_FLUSH_PERIOD: params->memtable_flush_period_ms = int_param(value, r); break;
    case PARAM_MIN_INDEX: params->min_index_interval = int_param(value, r); break;
    case PARAM_MAX_INDEX: params->max_index_interval = int_param(value, r); break;
    case PARAM_SPECULATIVE: params->speculative_retry = arena_copy(arena, value); break;
    case PARAM_ADDITIONAL: params->additional_write_policy = arena_copy(arena, value); break;
    case PARAM_READ_REPAIR: params->read_repair = arena_copy(arena, value); break;
    case PARAM_MEMTABLE: params->memtable = arena_copy(arena, value); break;
    case PARAM_FLAGS:
        if (value.size != 1) {
            cursor_fail(&r->in);
            break;
        }
        params->cdc = value.data[0] & FLAG_CDC;
        params->allow_auto_snapshot = value.data[0] & FLAG_SNAPSHOT;
        params->incremental_backups = value.data[0] & FLAG_BACKUPS;
        break;
    case PARAM_CACHING: map_param(value, arena, &params->caching, r); break;
    case PARAM_COMPACTION: map_param(value, arena, &params->compaction, r); break;
    case PARAM_COMPRESSION: map_param(value, arena, &params->compression, r); break;
    case PARAM_EXTENSIONS: map_param(value, arena, &params->extensions, r); break;
    case PARAM_CUSTOM_PROPERTIES: params->custom_properties = arena_copy(arena, value); break;
    case PARAM_AUTOSCALING: params->autoscaling_settings = arena_copy(arena, value); break;
    case PARAM_TAGS: map_param(value, arena, &params->tags, r); break;
    case PARAM_CREATED: def->created_us = time_param(value, r); break;
    default: break;
    }
}

/* table_def_finish takes for granted that ids are in range and a partition key is
 * there. Bytes from the disk may say otherwise. */
static bool columns_are_sound(const struct table_def *def)
{
    bool has_key = false;

    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].kind > COLUMN_REGULAR || def->columns[i].id >= def->column_id_next)
            return false;
        has_key |= def->columns[i].kind == COLUMN_PARTITION_KEY;
    }
    return has_key && def->column_id_next <= 4 * (SCHEMA_TABLE_COLUMNS_MAX + SCHEMA_TABLE_DROPPED_MAX);
}

/* NULL: it is damaged. It is read to its end all the same: what was cut short reads as zeros,
 * and is thrown away whole. */
static struct table_def *get_table(struct reader *r)
{
    uint64_t id = get_be64(r);
    const uint8_t *uuid = take(r, 16);
    uint64_t version = get_be64(r);
    struct table_def *def = table_def_new(r->keyspace->name, get_text(r));
    struct arena *arena = def->arena;
    uint32_t params;

    def->id = id;
    memcpy(def->uuid, uuid, 16);
    def->version = version;
    def->durable_writes = r->keyspace->durable_writes;
    def->column_id_next = get_be32(r);
    def->column_count = get_count(r, 17);
    def->columns = arena_new_array(arena, struct column_def, def->column_count + 1);
    for (uint32_t i = 0; i < def->column_count; i++) {
        struct column_def *column = &def->columns[i];

        column->id = get_be32(r);
        /* Any byte may stand there: columns_are_sound looks before it is used. */
        column->kind = (enum column_kind)get_u8(r);
        column->position = get_be32(r);
        column->descending = get_u8(r);
        column->name = arena_copy(arena, get_text(r));
        column->type = type_copy(arena, get_node(r, arena, 0));
    }
    def->dropped_count = get_count(r, 20);
    def->dropped = arena_new_array(arena, struct dropped_column, def->dropped_count + 1);
    for (uint32_t i = 0; i < def->dropped_count; i++) {
        struct dropped_column *dropped = &def->dropped[i];

        dropped->id = get_be32(r);
        dropped->kind = (enum column_kind)get_u8(r);
        dropped->dropped_us = (int64_t)get_be64(r);
        dropped->name = arena_copy(arena, get_text(r));
        dropped->type = type_copy(arena, get_node(r, arena, 0));
    }
    /* A reader of an older server skips what it does not know. */
    params = get_u8(r);
    for (uint32_t i = 0; i < params; i++)
        get_param(r, def);
    if (r->in.failed || !columns_are_sound(def)) {
        table_def_unref(def);
        return NULL;
    }
    table_def_finish(def);
    return def;
}

/* A newer encoding is an error of its own, since the data is not damaged. */
static enum status check_encoding(const char *what, uint8_t encoding, uint8_t least, uint8_t most, struct error *err)
{
    assert(least <= most);
    if (encoding >= least && encoding <= most)
        return OK;
    return error_set(err, ERR_CORRUPT, "The definition of a %s is of encoding %u; this server reads up to %u%s", what,
                     encoding, most, encoding > most ? ": the data is of a newer version" : "");
}

/* The types that stood in a keyspace of encoding 1. */
static struct keyspace_def *get_types(struct reader *r, struct keyspace_def *bare)
{
    uint32_t count = get_count(r, 8);
    struct keyspace_def *def = keyspace_def_clone(bare, 0, count);

    keyspace_def_unref(bare);
    r->keyspace = def;
    for (uint32_t i = 0; i < count && !r->in.failed; i++)
        get_type(r, def, false);
    return def;
}

/* Encoding 1 had the types inside; it is still read, never written. */
enum status schema_decode_keyspace(struct bytes encoded, struct keyspace_def **result, struct error *err)
{
    struct reader r = { .in = cursor_of(encoded) };
    struct option_map replication, tags;
    struct keyspace_def *def;
    uint8_t encoding = get_u8(&r);
    enum status status = check_encoding("keyspace", encoding, 1, SCHEMA_KEYSPACE_ENCODING, err);
    struct bytes name;
    bool durable;

    if (status)
        return status;
    name = get_text(&r);
    durable = get_u8(&r);
    /* The maps are decoded into the definition's own arena, which exists only now. */
    def = keyspace_def_new(name, &(struct option_map){ 0 }, durable);
    get_map(&r, def->arena, &replication);
    get_map(&r, def->arena, &tags);
    option_map_copy(def->arena, &def->replication, &replication);
    option_map_copy(def->arena, &def->tags, &tags);
    if (encoding == 1)
        def = get_types(&r, def);
    if (r.in.failed || r.in.left) {
        keyspace_def_unref(def);
        return error_set(err, ERR_CORRUPT, "The definition of a keyspace is damaged");
    }
    *result = def;
    return OK;
}

/* The level alone, to sort by before anything is decoded. 0: it is too short to have one,
 * which decoding will tell. */
uint32_t schema_type_level(struct bytes encoded)
{
    return encoded.size < 5 ? 0 : load_be32(encoded.data + 1);
}

/* The keyspace is under construction and has room. */
enum status schema_decode_type(struct bytes encoded, struct keyspace_def *keyspace, struct error *err)
{
    struct reader r = { .in = cursor_of(encoded), .keyspace = keyspace };
    uint8_t encoding = get_u8(&r);
    enum status status = check_encoding("type", encoding, 1, SCHEMA_TYPE_ENCODING, err);

    assert(keyspace);
    if (status)
        return status;
    get_be32(&r); /* its level */
    get_type(&r, keyspace, encoding > 1);
    return r.in.failed || r.in.left ? error_set(err, ERR_CORRUPT, "The definition of a type is damaged") : OK;
}

/* The keyspace has all its types. */
enum status schema_decode_table(struct bytes encoded, const struct keyspace_def *keyspace, struct table_def **result,
                                struct error *err)
{
    struct reader r = { .in = cursor_of(encoded), .keyspace = keyspace };
    enum status status = check_encoding("table", get_u8(&r), SCHEMA_TABLE_ENCODING, SCHEMA_TABLE_ENCODING, err);
    struct table_def *def;

    if (status)
        return status;
    def = get_table(&r);
    /* Bytes behind the end are damage as well. */
    if (!def || r.in.left) {
        table_def_unref(def);
        return error_set(err, ERR_CORRUPT, "The definition of a table is damaged");
    }
    *result = def;
    return OK;
}

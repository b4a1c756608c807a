/* Replies: their bodies. Each function appends to a buffer that may hold other replies before this
 * one, so positions are kept as offsets: the data moves when it grows.
 *
 * What depends only on a statement (names and types of columns) is encoded once, when the statement
 * is prepared, and is copied in one piece into each reply. The layouts are those of the
 * specification, section 4.2. */
#include "base/hash.h"
#include "wire/native.h"
#include "wire/writer.h"

#include <assert.h>

/* Flags of rows' metadata. */
enum { GLOBAL_TABLE = 0x1, HAS_MORE_PAGES = 0x2, NO_METADATA = 0x4, METADATA_CHANGED = 0x8 };

/* Its id is the MD5 of nothing. */
const struct native_metadata native_metadata_none = {
    .id = { 0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e },
};

/* READY has no body. The function is there so that each reply has one. */
void native_encode_ready(struct buffer *out)
{
}

void native_encode_authenticate(struct buffer *out, const char *authenticator)
{
    write_word(out, authenticator);
}

void native_encode_auth_success(struct buffer *out, struct bytes token)
{
    native_append_value(out, token);
}

/* [string multimap]. Its count is known at its end, and stored then. */
void native_encode_supported(struct buffer *out, const struct native_supported *options)
{
    uint16_t count = 0;
    size_t count_at = out->size;

    buffer_append_be16(out, 0);
    for (; options->name; options++, count++) {
        uint16_t value_count = 0;

        while (options->values[value_count])
            value_count++;
        write_word(out, options->name);
        buffer_append_be16(out, value_count);
        for (uint16_t i = 0; i < value_count; i++)
            write_word(out, options->values[i]);
    }
    assert(count_at + 2 <= out->size);
    store_be16(out->data + count_at, count);
}

/* ---- types ---- */

static void append_type(struct buffer *out, uint8_t version, const struct type *type);

/* Option 0x0000 of the specification: the name of Cassandra's Java class, for what has no number of
 * its own.
 *
 * A name too long for a [string] (a vector of a type of a thousand fields) can't be told: its
 * values are then bytes to the client. */
static void append_custom_type(struct buffer *out, const struct type *type)
{
    size_t size_at;

    buffer_append_be16(out, 0x0000);
    size_at = out->size;
    buffer_append_be16(out, 0);
    type_print_java(out, type);
    if (out->size - size_at - 2 > UINT16_MAX) {
        out->size = size_at;
        write_word(out, "org.apache.cassandra.db.marshal.BytesType");
        return;
    }
    store_be16(out->data + size_at, (uint16_t)(out->size - size_at - 2));
}

/* 0x0030. The fields' names and types are told too, as a client decodes values with nothing else at
 * hand. */
static void append_udt(struct buffer *out, uint8_t version, const struct type *type)
{
    buffer_append_be16(out, 0x0030);
    write_string(out, type->keyspace);
    write_string(out, type->name);
    assert(type->param_count <= UINT16_MAX);
    buffer_append_be16(out, (uint16_t)type->param_count);
    for (uint32_t i = 0; i < type->param_count; i++) {
        write_string(out, type->field_names[i]);
        append_type(out, version, type->params[i]);
    }
}

static void append_with_params(struct buffer *out, uint8_t version, uint16_t id, const struct type *type)
{
    buffer_append_be16(out, id);
    for (uint32_t i = 0; i < type->param_count; i++)
        append_type(out, version, type->params[i]);
}

/* A type that came with a later version is a custom one to earlier clients. */
static void append_native(struct buffer *out, uint8_t version, uint8_t since, uint16_t id, const struct type *type)
{
    if (version < since)
        append_custom_type(out, type);
    else
        buffer_append_be16(out, id);
}

/* The specification's numbers. No default: the compiler names the type that was forgotten. */
static void append_type(struct buffer *out, uint8_t version, const struct type *type)
{
    switch (type->kind) {
    case TYPE_ASCII: append_native(out, version, NATIVE_V3, 0x0001, type); return;
    case TYPE_BIGINT: append_native(out, version, NATIVE_V3, 0x0002, type); return;
    case TYPE_BLOB: append_native(out, version, NATIVE_V3, 0x0003, type); return;
    case TYPE_BOOLEAN: append_native(out, version, NATIVE_V3, 0x0004, type); return;
    case TYPE_COUNTER: append_native(out, version, NATIVE_V3, 0x0005, type); return;
    case TYPE_DECIMAL: append_native(out, version, NATIVE_V3, 0x0006, type); return;
    case TYPE_DOUBLE: append_native(out, version, NATIVE_V3, 0x0007, type); return;
    case TYPE_FLOAT: append_native(out, version, NATIVE_V3, 0x0008, type); return;
    case TYPE_INT: append_native(out, version, NATIVE_V3, 0x0009, type); return;
    case TYPE_TIMESTAMP: append_native(out, version, NATIVE_V3, 0x000B, type); return;
    case TYPE_UUID: append_native(out, version, NATIVE_V3, 0x000C, type); return;
    case TYPE_TEXT: append_native(out, version, NATIVE_V3, 0x000D, type); return;
    case TYPE_VARINT: append_native(out, version, NATIVE_V3, 0x000E, type); return;
    case TYPE_TIMEUUID: append_native(out, version, NATIVE_V3, 0x000F, type); return;
    case TYPE_INET: append_native(out, version, NATIVE_V3, 0x0010, type); return;
    case TYPE_DATE: append_native(out, version, NATIVE_V4, 0x0011, type); return;
    case TYPE_TIME: append_native(out, version, NATIVE_V4, 0x0012, type); return;
    case TYPE_SMALLINT: append_native(out, version, NATIVE_V4, 0x0013, type); return;
    case TYPE_TINYINT: append_native(out, version, NATIVE_V4, 0x0014, type); return;
    case TYPE_DURATION: append_native(out, version, NATIVE_V5, 0x0015, type); return;
    case TYPE_LIST: append_with_params(out, version, 0x0020, type); return;
    case TYPE_MAP: append_with_params(out, version, 0x0021, type); return;
    case TYPE_SET: append_with_params(out, version, 0x0022, type); return;
    case TYPE_UDT: append_udt(out, version, type); return;
    case TYPE_TUPLE:
        buffer_append_be16(out, 0x0031);
        buffer_append_be16(out, (uint16_t)type->param_count);
        for (uint32_t i = 0; i < type->param_count; i++)
            append_type(out, version, type->params[i]);
        return;
    case TYPE_CUSTOM:
    case TYPE_EMPTY:
    case TYPE_VECTOR: append_custom_type(out, type); return;
    }
}

/* ---- results ---- */

void native_encode_result_void(struct buffer *out)
{
    buffer_append_be32(out, NATIVE_RESULT_VOID);
}

void native_encode_result_set_keyspace(struct buffer *out, struct bytes keyspace)
{
    buffer_append_be32(out, NATIVE_RESULT_SET_KEYSPACE);
    write_string(out, keyspace);
}

/* Where all columns are of one table its name is told once. Cassandra does so too, and drivers take
 * both. */
static bool share_a_table(const struct native_column *columns, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (!bytes_equal(columns[i].table, columns[0].table) || !bytes_equal(columns[i].keyspace, columns[0].keyspace))
            return false;
    return count > 0;
}

/* As Cassandra computes it: clients may bring an id from one server to another. Name, type and two
 * bytes of zero stand for each column. */
static void digest(const struct native_column *columns, uint32_t count, uint8_t id[16])
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    struct bytes whole;

    for (uint32_t i = 0; i < count; i++) {
        buffer_append_bytes(&text, columns[i].name);
        buffer_append_u8(&text, 0);
        type_print_java(&text, columns[i].type);
        buffer_append_be16(&text, 0);
    }
    whole = buffer_bytes(&text);
    hash_md5(&whole, 1, id);
}

/* One for each version that clients speak: a type that came with v4 or v5 is told otherwise to
 * older ones. The id does not depend on the version. */
void native_metadata_build(struct native_metadata *metadata, struct arena *arena, uint8_t version,
                           const struct native_column *columns, uint32_t count)
{
    CLEANUP(buffer_fini) struct buffer specs = { 0 };
    bool is_global = share_a_table(columns, count);

    if (is_global) {
        write_string(&specs, columns[0].keyspace);
        write_string(&specs, columns[0].table);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_global) {
            write_string(&specs, columns[i].keyspace);
            write_string(&specs, columns[i].table);
        }
        write_string(&specs, columns[i].name);
        append_type(&specs, version, columns[i].type);
    }
    *metadata = (struct native_metadata){ .column_count = count,
                                          .has_global_table = is_global,
                                          .specs = arena_copy(arena, buffer_bytes(&specs)) };
    digest(columns, count, metadata->id);
}

/* Flags first, then what they announce. MORE_PAGES has no other sign than a paging state. */
static void append_metadata(struct buffer *out, const struct native_metadata *metadata, enum native_rows_metadata said,
                            struct bytes paging_state)
{
    uint32_t flags =
        (metadata->has_global_table ? GLOBAL_TABLE : 0) | (said == NATIVE_METADATA_SKIPPED ? NO_METADATA : 0) |
        (said == NATIVE_METADATA_CHANGED ? METADATA_CHANGED : 0) | (paging_state.data ? HAS_MORE_PAGES : 0);

    assert(said != NATIVE_METADATA_CHANGED || metadata->specs.size || !metadata->column_count);
    buffer_append_be32(out, flags);
    buffer_append_be32(out, metadata->column_count);
    if (paging_state.data)
        native_append_value(out, paging_state);
    if (said == NATIVE_METADATA_CHANGED)
        write_string(out, bytes_of(metadata->id, sizeof(metadata->id)));
    if (said != NATIVE_METADATA_SKIPPED)
        buffer_append_bytes(out, metadata->specs);
}

/* PREPARED has two metadata: of the markers, with the partition key's from v4 on, so that a driver
 * can send a request to a replica; and of the result. */
void native_encode_result_prepared(struct buffer *out, uint8_t version, struct bytes id,
                                   const struct native_metadata *markers, const uint16_t *pk_indexes, uint32_t pk_count,
                                   const struct native_metadata *result)
{
    static const struct bytes no_state = { NULL, 0 };

    buffer_append_be32(out, NATIVE_RESULT_PREPARED);
    write_string(out, id);
    if (version >= NATIVE_V5)
        write_string(out, bytes_of(result->id, sizeof(result->id)));
    assert(pk_count <= markers->column_count);
    buffer_append_be32(out, markers->has_global_table ? GLOBAL_TABLE : 0);
    buffer_append_be32(out, markers->column_count);
    if (version >= NATIVE_V4) {
        buffer_append_be32(out, pk_count);
        for (uint32_t i = 0; i < pk_count; i++)
            buffer_append_be16(out, pk_indexes[i]);
    }
    buffer_append_bytes(out, markers->specs);
    /* A statement without rows has no columns; Cassandra says so with NO_METADATA. */
    append_metadata(out, result, result->column_count == 0 ? NATIVE_METADATA_SKIPPED : NATIVE_METADATA_SENT, no_state);
}

/* The number of rows is stored at the end, when it is known. */
void native_rows_begin(struct native_rows *rows, struct buffer *out, const struct native_metadata *metadata,
                       enum native_rows_metadata said, struct bytes paging_state)
{
    buffer_append_be32(out, NATIVE_RESULT_ROWS);
    append_metadata(out, metadata, said, paging_state);
    *rows = (struct native_rows){ .out = out, .count_at = out->size };
    buffer_append_be32(out, 0);
}

/* ---- schema changes and events ---- */

static const char *const change_words[] = { "CREATED", "UPDATED", "DROPPED" };
static const char *const target_words[] = { "KEYSPACE", "TABLE", "TYPE", "FUNCTION", "AGGREGATE" };

/* The same for a RESULT and for an EVENT. A keyspace has no name but its own, functions have their
 * arguments' types. */
static void append_schema_change(struct buffer *out, const struct native_schema_change *change)
{
    assert((size_t)change->change < ARRAY_SIZE(change_words) && (size_t)change->target < ARRAY_SIZE(target_words));
    write_word(out, change_words[change->change]);
    write_word(out, target_words[change->target]);
    write_string(out, change->keyspace);
    if (change->target == NATIVE_TARGET_KEYSPACE)
        return;
    write_string(out, change->name);
    if (change->target != NATIVE_TARGET_FUNCTION && change->target != NATIVE_TARGET_AGGREGATE)
        return;
    buffer_append_be16(out, (uint16_t)change->argument_count);
    for (uint32_t i = 0; i < change->argument_count; i++)
        write_string(out, change->argument_types[i]);
}

void native_encode_result_schema_change(struct buffer *out, const struct native_schema_change *change)
{
    buffer_append_be32(out, NATIVE_RESULT_SCHEMA_CHANGE);
    append_schema_change(out, change);
}

void native_encode_event_schema(struct buffer *out, const struct native_schema_change *change)
{
    write_word(out, "SCHEMA_CHANGE");
    append_schema_change(out, change);
}

/* Requests: the body of a frame becomes a struct native_request. Sections of the specification: 4.1
 * for messages, 3 for notations.
 *
 * Nothing of a client is copied: texts and values are spans into the frame, which lives as long as
 * the request. A cursor that ran out stays failed and gives zeros, so a decoder looks once, at its
 * end. But each count is held against the bytes that are left before an array is made for it: a
 * frame of a few bytes must not take megabytes. Where both can be told, what is wrong is told in
 * Cassandra's words, as drivers show them. */
#include "wire/native.h"
#include "wire/reader.h"

#include <assert.h>
#include <strings.h>

/* Its address is what says "unset"; nobody reads the byte. */
const uint8_t native_unset_mark[1] = { 0 };

/* Flags of <query_parameters>. */
enum {
    HAS_VALUES = 0x01,
    SKIP_METADATA = 0x02,
    HAS_PAGE_SIZE = 0x04,
    HAS_PAGING_STATE = 0x08,
    HAS_SERIAL_CONSISTENCY = 0x10,
    HAS_TIMESTAMP = 0x20,
    HAS_NAMES = 0x40,
    HAS_KEYSPACE = 0x80, /* v5 */
    HAS_NOW = 0x100,     /* v5 */
    FLAGS_V4 = 0x7F,
    FLAGS_V5 = 0x1FF,
    PREPARE_HAS_KEYSPACE = 0x01,
};

static const struct bytes no_bytes = { NULL, 0 };

static enum status truncated(struct error *err)
{
    return error_set(err, ERR_PROTOCOL, "Message body is shorter than its contents say");
}

/* [string map] or [bytes map]. The least that a pair can have: two lengths, of 2 and 2 bytes or 2
 * and 4. */
static enum status decode_pairs(struct cursor *in, struct arena *arena, bool are_bytes, uint32_t *count,
                                const struct native_pair **pairs, struct error *err)
{
    uint32_t n = cursor_be16(in);
    size_t least = are_bytes ? 6 : 4;
    struct native_pair *list;

    if (in->failed || n > in->left / least)
        return truncated(err);
    list = arena_new_array(arena, struct native_pair, n);
    for (uint32_t i = 0; i < n; i++) {
        list[i].name = read_string(in);
        list[i].value = are_bytes ? read_bytes(in) : read_string(in);
    }
    if (in->failed)
        return truncated(err);
    *count = n;
    *pairs = list;
    return OK;
}

/* [value]: -1 is null, -2 is unset (v4), other negative lengths are an error. It is inline and
 * takes the likely case first, since each value of each request goes through here. */
static inline enum status decode_value(struct cursor *in, uint8_t version, struct bytes *value, struct error *err)
{
    uint32_t size = cursor_be32(in);

    if (__builtin_expect(size <= INT32_MAX, 1)) {
        *value = cursor_take(in, size);
        return OK; /* whether it was there at all is checked once, at the end */
    }
    if (size == (uint32_t)-1) {
        *value = no_bytes;
        return OK;
    }
    if (size == (uint32_t)-2 && version >= NATIVE_V4) {
        *value = NATIVE_UNSET;
        return OK;
    }
    if (version >= NATIVE_V4)
        return error_set(err, ERR_PROTOCOL, "Invalid ByteBuf length %d", (int32_t)size);
    *value = no_bytes; /* v3: any negative length is null */
    return OK;
}

/* Values of QUERY, EXECUTE or one statement of a BATCH. With names each has a [string] before it. */
static enum status decode_values(struct cursor *in, struct arena *arena, uint8_t version, bool has_names,
                                 struct native_values *values, struct error *err)
{
    uint32_t count = cursor_be16(in);
    size_t least = has_names ? 6 : 4;
    struct bytes *list, *names = NULL;

    assert(!values->count);
    if (in->failed || count > in->left / least)
        return truncated(err);
    if (count == 0)
        return OK;
    list = arena_alloc(arena, sizeof(*list) * count);
    if (has_names)
        names = arena_alloc(arena, sizeof(*names) * count);
    for (uint32_t i = 0; i < count; i++) {
        enum status status;

        if (names)
            names[i] = read_string(in);
        status = decode_value(in, version, &list[i], err);
        if (status)
            return status;
    }
    if (in->failed)
        return truncated(err);
    *values = (struct native_values){ count, list, names };
    return OK;
}

static enum status decode_consistency(struct cursor *in, enum consistency *consistency, struct error *err)
{
    uint16_t code = cursor_be16(in);

    if (in->failed)
        return truncated(err);
    if (!consistency_name((enum consistency)code))
        return error_set(err, ERR_PROTOCOL, "Unknown code %u for a consistency level", code);
    *consistency = (enum consistency)code;
    return OK;
}

/* The one 64-bit number that Cassandra's timestamps exclude: it stands for "none" there. */
static enum status decode_timestamp(struct cursor *in, struct native_parameters *parameters, struct error *err)
{
    parameters->has_timestamp = true;
    parameters->timestamp_us = (int64_t)cursor_be64(in);
    if (parameters->timestamp_us == INT64_MIN)
        return error_set(err, ERR_PROTOCOL, "Out of bound timestamp, must be in [%lld, %lld] (got %lld)",
                         (long long)INT64_MIN + 1, (long long)INT64_MAX, (long long)INT64_MIN);
    return OK;
}

/* What follows paging in QUERY and EXECUTE, and ends BATCH. */
static enum status decode_tail(struct cursor *in, uint8_t version, uint32_t flags, struct native_parameters *parameters,
                               struct error *err)
{
    enum status status;

    if (flags & HAS_SERIAL_CONSISTENCY) {
        status = decode_consistency(in, &parameters->serial_consistency, err);
        if (status)
            return status;
    }
    if (flags & HAS_TIMESTAMP) {
        status = decode_timestamp(in, parameters, err);
        if (status)
            return status;
    }
    if (version >= NATIVE_V5 && (flags & HAS_KEYSPACE))
        parameters->keyspace = read_string(in);
    /* Unsigned here, though the specification has an [int]: Cassandra reads it so, and TTLs go by
     * it. */
    if (version >= NATIVE_V5 && (flags & HAS_NOW)) {
        parameters->has_now = true;
        parameters->now_s = cursor_be32(in);
    }
    return in->failed ? truncated(err) : OK;
}

/* One byte up to v4, four from v5 on. */
static uint32_t decode_flags(struct cursor *in, uint8_t version)
{
    /* Cassandra ignores bits it does not know; so do we. */
    return version >= NATIVE_V5 ? cursor_be32(in) & FLAGS_V5 : cursor_u8(in) & FLAGS_V4;
}

/* <query_parameters>: consistency, flags, and then what the flags announce, in this order. */
static enum status decode_parameters(struct cursor *in, struct arena *arena, uint8_t version,
                                     struct native_parameters *parameters, struct error *err)
{
    enum status status = decode_consistency(in, &parameters->consistency, err);
    uint32_t flags;

    if (status)
        return status;
    flags = decode_flags(in, version);
    if (flags & HAS_VALUES) {
        status = decode_values(in, arena, version, flags & HAS_NAMES, &parameters->values, err);
        if (status)
            return status;
    }
    parameters->skip_metadata = flags & SKIP_METADATA;
    if (flags & HAS_PAGE_SIZE)
        parameters->page_size = (int32_t)cursor_be32(in);
    /* Less than 0 means that the client wants all rows at once, and is what is there if it sent
     * none; 0 would be a page that never ends. */
    if (parameters->page_size == 0 && !in->failed)
        return error_set(err, ERR_PROTOCOL, "The page size cannot be 0");
    if (flags & HAS_PAGING_STATE)
        parameters->paging_state = read_bytes(in);
    return decode_tail(in, version, flags, parameters, err);
}

static enum status decode_startup(struct cursor *in, struct arena *arena, struct native_request *request,
                                  struct error *err)
{
    return decode_pairs(in, arena, false, &request->startup.option_count, &request->startup.options, err);
}

static enum status decode_query(struct cursor *in, struct arena *arena, struct native_request *request,
                                struct error *err)
{
    request->query.statement = read_long_string(in);
    return decode_parameters(in, arena, request->version, &request->parameters, err);
}

/* v5 added flags to PREPARE; one of them brings a keyspace for names that have none. */
static enum status decode_prepare(struct cursor *in, struct native_request *request, struct error *err)
{
    request->prepare.statement = read_long_string(in);
    request->prepare.keyspace = no_bytes;
    if (request->version >= NATIVE_V5 && (cursor_be32(in) & PREPARE_HAS_KEYSPACE))
        request->prepare.keyspace = read_string(in);
    return in->failed ? truncated(err) : OK;
}

/* v5 has the id of the metadata that the client knows: the reply then leaves the columns out unless
 * they changed. */
static enum status decode_execute(struct cursor *in, struct arena *arena, struct native_request *request,
                                  struct error *err)
{
    request->execute.id = read_string(in);
    request->execute.metadata_id = request->version >= NATIVE_V5 ? read_string(in) : no_bytes;
    return decode_parameters(in, arena, request->version, &request->parameters, err);
}

/* One statement of a batch: text, or the id of a prepared one. Its values have no names. */
static enum status decode_batch_entry(struct cursor *in, struct arena *arena, uint8_t version,
                                      struct native_batch_entry *entry, struct error *err)
{
    uint8_t kind = cursor_u8(in);

    *entry = (struct native_batch_entry){ 0 };
    if (kind == 0)
        entry->statement = read_long_string(in);
    else if (kind == 1)
        entry->id = read_string(in);
    else
        return error_set(err, ERR_PROTOCOL, "Invalid query kind in BATCH messages. Must be 0 or 1 but got %u", kind);
    return decode_values(in, arena, version, false, &entry->values, err);
}

/* Unlike the others, a batch has its parameters at the end. A statement of it has at least 5 bytes:
 * its kind and the length of a text, or 1, 2 and 2. */
static enum status decode_batch(struct cursor *in, struct arena *arena, struct native_request *request,
                                struct error *err)
{
    uint8_t kind = cursor_u8(in);
    uint32_t count = cursor_be16(in);
    struct native_batch_entry *entries;
    enum status status;
    uint32_t flags;

    assert(request->version >= NATIVE_VERSION_MIN && request->version <= NATIVE_VERSION_MAX);
    if (in->failed || count > in->left / 5)
        return truncated(err);
    if (kind > NATIVE_BATCH_COUNTER)
        return error_set(err, ERR_PROTOCOL, "Invalid BATCH message type %u", kind);
    entries = arena_alloc(arena, sizeof(*entries) * (count ? count : 1));
    for (uint32_t i = 0; i < count; i++) {
        status = decode_batch_entry(in, arena, request->version, &entries[i], err);
        if (status)
            return status;
    }
    request->batch.kind = (enum native_batch_kind)kind;
    request->batch.entry_count = count;
    request->batch.entries = entries;
    status = decode_consistency(in, &request->parameters.consistency, err);
    if (status)
        return status;
    flags = decode_flags(in, request->version);
    if (flags & HAS_NAMES) /* the protocol has the flag, and no sound place for the names: as Cassandra says */
        return error_set(err, ERR_PROTOCOL, "BATCH messages do not support named values");
    return decode_tail(in, request->version, flags, &request->parameters, err);
}

static const struct {
    const char *name;
    uint32_t bit;
    uint8_t version; /* from which on */
} event_kinds[] = {
    { "TOPOLOGY_CHANGE", NATIVE_EVENT_TOPOLOGY, 3 },
    { "STATUS_CHANGE", NATIVE_EVENT_STATUS, 3 },
    { "SCHEMA_CHANGE", NATIVE_EVENT_SCHEMA, 3 },
    { "TRACE_COMPLETE", NATIVE_EVENT_TRACE, 4 }, /* Cassandra takes it and never sends one */
};

/* Cassandra checks a kind of event against the version only when it has read all, so an unknown
 * name is told first. */
static enum status decode_register(struct cursor *in, struct native_request *request, struct error *err)
{
    uint32_t count = cursor_be16(in);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        struct bytes name = read_string(in);
        uint32_t bit = 0;

        for (size_t k = 0; k < ARRAY_SIZE(event_kinds); k++)
            if (strlen(event_kinds[k].name) == name.size &&
                strncasecmp(event_kinds[k].name, (const char *)name.data, name.size) == 0)
                bit = event_kinds[k].bit;
        if (!bit && !in->failed)
            return error_set(err, ERR_PROTOCOL, "Invalid value '%.*s' for Type", BYTES(name));
        request->registration.events |= bit;
    }
    for (size_t k = 0; k < ARRAY_SIZE(event_kinds) && !in->failed; k++)
        if (request->registration.events & event_kinds[k].bit && request->version < event_kinds[k].version)
            return error_set(err, ERR_PROTOCOL, "Event %s not valid for protocol version %u/v%u", event_kinds[k].name,
                             request->version, request->version);
    return in->failed ? truncated(err) : OK;
}

/* The opcode was not looked at before this: frames of any opcode are found and counted alike. */
static enum status decode_body(struct cursor *in, struct arena *arena, struct native_request *request,
                               struct error *err)
{
    uint8_t opcode = request->header.opcode;

    switch (opcode) {
    case NATIVE_STARTUP: return decode_startup(in, arena, request, err);
    case NATIVE_OPTIONS: return OK;
    case NATIVE_QUERY: return decode_query(in, arena, request, err);
    case NATIVE_PREPARE: return decode_prepare(in, request, err);
    case NATIVE_EXECUTE: return decode_execute(in, arena, request, err);
    case NATIVE_BATCH: return decode_batch(in, arena, request, err);
    case NATIVE_REGISTER: return decode_register(in, request, err);
    case NATIVE_AUTH_RESPONSE: request->auth_response.token = read_bytes(in); return in->failed ? truncated(err) : OK;
    }
    if (native_opcode_name((enum native_opcode)opcode))
        return error_set(err, ERR_PROTOCOL, "Wrong protocol direction, expected a request, got opcode %u (%s)", opcode,
                         native_opcode_name((enum native_opcode)opcode));
    return error_set(err, ERR_PROTOCOL, "Unknown opcode %u", opcode);
}

/* What a client left out has the default that Cassandra gives it. The version was checked when the
 * frame was found. */
enum status native_decode(const struct native_header *header, struct bytes body, struct arena *arena,
                          struct native_request *request, struct error *err)
{
    struct cursor in = cursor_of(body);
    enum status status;

    assert(header->version >= NATIVE_VERSION_MIN && header->version <= NATIVE_VERSION_MAX);
    memset(request, 0, sizeof(*request));
    request->header = *header;
    request->version = header->version;
    request->tracing = header->flags & NATIVE_FLAG_TRACING;
    request->parameters.consistency = CONSISTENCY_ONE;
    request->parameters.serial_consistency = CONSISTENCY_SERIAL;
    request->parameters.page_size = -1;
    /* Before the message itself, in any request: "custom payload", which nothing here reads but the
     * client may send. */
    if (header->flags & NATIVE_FLAG_CUSTOM_PAYLOAD) {
        if (header->version < NATIVE_V4)
            return error_set(err, ERR_PROTOCOL,
                             "Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4");
        status = decode_pairs(&in, arena, true, &request->payload_count, &request->payload, err);
        if (status)
            return status;
    }
    return decode_body(&in, arena, request, err);
}

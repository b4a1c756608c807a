/* wire/native.h: bytes <-> messages of the native protocol, v3, v4 and v5.
 *
 * A frame (v5 calls it an envelope, and carries it in segments once a session has begun: native_segment.h):
 *     | version (1, 0x80: from the server) | flags (1) | stream id (2) | opcode (1) | length (4) | body ... |
 * and, before the message, the body of a request with flag CUSTOM_PAYLOAD holds a bytes map; the body of a reply holds,
 * as its flags say: tracing id (16), warnings (string list), custom payload (bytes map).
 * With flag COMPRESSED the body is compressed as STARTUP agreed: LZ4 (4-byte big-endian length, then a block) or Snappy.
 *
 * Shapes:  decoding copies nothing but arrays of spans: all spans point into the frame's body, which must live as long
 *          as the request. A null value is a span with NULL data; an unset one is native_is_unset.
 * Owns:    nothing; what is decoded lies in the caller's arena.
 * Errors:  ERR_PROTOCOL with Cassandra's words, ERR_INVALID for frames past a limit. Every count is checked against the
 *          bytes left before memory is taken for it.
 * Thread:  pure.
 * Source:  Cassandra's doc/native_protocol_v3, v4 and v5.spec, and org.apache.cassandra.transport, release 5.0.
 */
#ifndef WIRE_NATIVE_H
#define WIRE_NATIVE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "types/type.h"

enum {
    NATIVE_V3 = 3,
    NATIVE_V4 = 4,
    NATIVE_V5 = 5,
    NATIVE_VERSION_MIN = NATIVE_V3,
    NATIVE_VERSION_MAX = NATIVE_V5,
    NATIVE_HEADER_BYTES = 9,
    NATIVE_FRAME_BYTES_MAX = 16 << 20,    /* default of native_transport_max_frame_size */
    NATIVE_FRAME_BYTES_LIMIT = 256 << 20, /* what the setting may be at most */
    NATIVE_REPLY_BYTES_MAX = 0x7E000000,  /* what LZ4 takes at once; less than a frame's length can say */
};

/* ---- constants: one table each ---- */

/* clang-format off */
#define NATIVE_OPCODES(X)                                                                                         \
    X(ERROR, 0x00)                                                                                                \
    X(STARTUP, 0x01)                                                                                              \
    X(READY, 0x02) X(AUTHENTICATE, 0x03) X(OPTIONS, 0x05) X(SUPPORTED, 0x06) X(QUERY, 0x07) X(RESULT, 0x08)       \
        X(PREPARE, 0x09) X(EXECUTE, 0x0A) X(REGISTER, 0x0B) X(EVENT, 0x0C) X(BATCH, 0x0D) X(AUTH_CHALLENGE, 0x0E) \
            X(AUTH_RESPONSE, 0x0F) X(AUTH_SUCCESS, 0x10)
/* clang-format on */

enum native_opcode {
#define X(name, value) NATIVE_##name = value,
    NATIVE_OPCODES(X)
#undef X
};
const char *native_opcode_name(enum native_opcode opcode); /* "QUERY"; NULL if there is none */

/* clang-format off */
#define NATIVE_CONSISTENCIES(X)                                                                                  \
    X(ANY, 0x0)                                                                                                  \
    X(ONE, 0x1)                                                                                                  \
    X(TWO, 0x2) X(THREE, 0x3) X(QUORUM, 0x4) X(ALL, 0x5) X(LOCAL_QUORUM, 0x6) X(EACH_QUORUM, 0x7) X(SERIAL, 0x8) \
        X(LOCAL_SERIAL, 0x9) X(LOCAL_ONE, 0xA) X(NODE_LOCAL, 0xB)
/* clang-format on */

enum consistency {
#define X(name, value) CONSISTENCY_##name = value,
    NATIVE_CONSISTENCIES(X)
#undef X
};
/* The versions we speak, as SUPPORTED lists them and errors quote them. */
#define NATIVE_VERSION_LIST(X) X("3/v3") X("4/v4") X("5/v5")

const char *consistency_name(enum consistency consistency); /* "LOCAL_QUORUM"; NULL if there is none */
static inline bool consistency_is_serial(enum consistency consistency)
{
    return consistency == CONSISTENCY_SERIAL || consistency == CONSISTENCY_LOCAL_SERIAL;
}

/* Flags of a frame. */
enum {
    NATIVE_FLAG_COMPRESSED = 0x01,
    NATIVE_FLAG_TRACING = 0x02,
    NATIVE_FLAG_CUSTOM_PAYLOAD = 0x04,
    NATIVE_FLAG_WARNING = 0x08,
    NATIVE_FLAG_BETA = 0x10,
};

/* Error codes. */
/* clang-format off */
#define NATIVE_ERRORS(X)                                                                                  \
    X(SERVER, 0x0000)                                                                                     \
    X(PROTOCOL, 0x000A)                                                                                   \
    X(BAD_CREDENTIALS, 0x0100) X(UNAVAILABLE, 0x1000) X(OVERLOADED, 0x1001) X(IS_BOOTSTRAPPING, 0x1002)   \
        X(TRUNCATE, 0x1003) X(WRITE_TIMEOUT, 0x1100) X(READ_TIMEOUT, 0x1200) X(READ_FAILURE, 0x1300)      \
            X(FUNCTION_FAILURE, 0x1400) X(WRITE_FAILURE, 0x1500) X(CDC_WRITE_FAILURE, 0x1600)             \
                X(CAS_WRITE_UNKNOWN, 0x1700) X(SYNTAX, 0x2000) X(UNAUTHORIZED, 0x2100) X(INVALID, 0x2200) \
                    X(CONFIG, 0x2300) X(ALREADY_EXISTS, 0x2400) X(UNPREPARED, 0x2500)
/* clang-format on */

enum native_error {
#define X(name, value) NATIVE_ERROR_##name = value,
    NATIVE_ERRORS(X)
#undef X
};

/* ---- frames ---- */

struct native_header {
    uint8_t version; /* without the direction bit */
    uint8_t flags;
    int16_t stream_id;
    uint8_t opcode;
    uint32_t length; /* of the body */
};

enum native_frame_result {
    NATIVE_FRAME_READY, /* a whole frame stands at the front of the input: NATIVE_HEADER_BYTES + header.length bytes */
    NATIVE_FRAME_INCOMPLETE, /* *wanted: bytes the input must have before it is worth asking again */
    NATIVE_FRAME_BROKEN,     /* err says why; header.stream_id (0 if unknown) and *skip: bytes to drop after answering,
                              * or 0: the connection cannot go on and must be closed after the answer */
};

/* ERR_PROTOCOL, in the words that drivers step down at, unless we speak it. */
enum status native_version_check(uint8_t version, struct error *err);
/* Looks at the front of the input. body_bytes_max: the frame limit. */
enum native_frame_result native_frame_peek(struct bytes input, uint32_t body_bytes_max, struct native_header *header,
                                           size_t *wanted, uint64_t *skip, struct error *err);

enum native_compression { NATIVE_COMPRESSION_NONE, NATIVE_COMPRESSION_LZ4, NATIVE_COMPRESSION_SNAPPY };
bool native_compression_parse(struct bytes name, enum native_compression *compression); /* "lz4", "snappy", any case */
/* The body of a frame with flag COMPRESSED, in the arena. A body that would grow past body_bytes_max is refused before
 * memory is taken for it. */
enum status native_decompress(enum native_compression compression, struct bytes body, uint32_t body_bytes_max,
                              struct arena *arena, struct bytes *result, struct error *err);
/* Appends the compressed form. */
void native_compress(enum native_compression compression, struct bytes body, struct buffer *out);

/* ---- requests ---- */

extern const uint8_t native_unset_mark[1];
#define NATIVE_UNSET ((struct bytes){ native_unset_mark, 0 })
static inline bool native_is_unset(struct bytes value)
{
    return value.data == native_unset_mark;
}

struct native_pair {
    struct bytes name;
    struct bytes value; /* may be null in a bytes map */
};

/* Values bound to the markers of one statement. */
struct native_values {
    uint32_t count;
    const struct bytes *values; /* null: NULL data; unset: native_is_unset */
    const struct bytes *names;  /* one per value, or NULL: by position */
};

/* <query_parameters> of QUERY and EXECUTE; BATCH fills those it has. */
struct native_parameters {
    struct native_values values;
    enum consistency consistency;
    enum consistency serial_consistency; /* SERIAL unless sent */
    bool skip_metadata;
    bool has_timestamp;
    bool has_now;              /* v5 */
    int32_t page_size;         /* less than 0: not paged; never 0 */
    int64_t now_s;             /* v5, with has_now: unsigned, as Cassandra reads it */
    int64_t timestamp_us;      /* with has_timestamp */
    struct bytes paging_state; /* NULL data: from the start */
    struct bytes keyspace;     /* v5; NULL data: the session's */
};

enum native_batch_kind { NATIVE_BATCH_LOGGED = 0, NATIVE_BATCH_UNLOGGED = 1, NATIVE_BATCH_COUNTER = 2 };

struct native_batch_entry {
    struct bytes statement; /* text; NULL data: prepared, by id */
    struct bytes id;
    struct native_values values;
};

struct native_request {
    struct native_header header;
    uint8_t version;
    bool tracing;           /* the client wants a trace */
    uint32_t payload_count; /* custom payload */
    const struct native_pair *payload;
    struct native_parameters parameters; /* QUERY, EXECUTE, BATCH */
    union {
        struct {
            uint32_t option_count;
            const struct native_pair *options; /* CQL_VERSION, COMPRESSION, DRIVER_NAME, ... */
        } startup;
        struct {
            struct bytes token; /* may be null */
        } auth_response;
        struct {
            struct bytes statement;
        } query;
        struct {
            struct bytes statement;
            struct bytes keyspace; /* v5; NULL data: the session's */
        } prepare;
        struct {
            struct bytes id;
            struct bytes metadata_id; /* v5; else NULL data */
        } execute;
        struct {
            enum native_batch_kind kind;
            uint32_t entry_count;
            const struct native_batch_entry *entries;
        } batch;
        struct {
            uint32_t events; /* NATIVE_EVENT_ bits */
        } registration;
    };
};

enum { NATIVE_EVENT_TOPOLOGY = 1, NATIVE_EVENT_STATUS = 2, NATIVE_EVENT_SCHEMA = 4, NATIVE_EVENT_TRACE = 8 };

/* Decodes the (decompressed) body of a frame. An opcode that no client may send is ERR_PROTOCOL. */
enum status native_decode(const struct native_header *header, struct bytes body, struct arena *arena,
                          struct native_request *request, struct error *err);

/* ---- replies: bodies ----
 * Each function appends a body to `out`; the frame around it is native_reply_begin and _end. */

void native_encode_ready(struct buffer *out);
void native_encode_authenticate(struct buffer *out, const char *authenticator);
void native_encode_auth_success(struct buffer *out, struct bytes token);
/* name, then its values; ends with a NULL name. */
struct native_supported {
    const char *name;
    const char *const *values; /* ends with NULL */
};
void native_encode_supported(struct buffer *out, const struct native_supported *options);

/* What ERROR carries besides code and message, for the codes that have more. Zero values are sensible. */
/* Why a replica failed; Cassandra's RequestFailureReason. */
enum { NATIVE_FAILURE_UNKNOWN = 0, NATIVE_FAILURE_TOO_MANY_TOMBSTONES = 1 };

struct native_error_detail {
    enum consistency consistency; /* of the request */
    int32_t received;             /* UNAVAILABLE: alive */
    int32_t block_for;            /* UNAVAILABLE: required; 0 reads as 1 */
    int32_t failures;
    uint16_t failure_reason; /* NATIVE_FAILURE_...: told from v5 on */
    bool data_present;
    const char
        *write_type; /* "SIMPLE" (NULL), "BATCH", "UNLOGGED_BATCH", "COUNTER", "BATCH_LOG", "CAS", "VIEW", "CDC" */
    struct bytes function_keyspace, function_name; /* FUNCTION_FAILURE */
    const struct bytes *argument_types;
    uint32_t argument_count;
};
enum native_error native_error_code(enum status status, uint8_t version);
void native_encode_error(struct buffer *out, uint8_t version, const struct error *error,
                         const struct native_error_detail *detail /* may be NULL */);

/* RESULT */
enum native_result_kind {
    NATIVE_RESULT_VOID = 1,
    NATIVE_RESULT_ROWS = 2,
    NATIVE_RESULT_SET_KEYSPACE = 3,
    NATIVE_RESULT_PREPARED = 4,
    NATIVE_RESULT_SCHEMA_CHANGE = 5,
};

void native_encode_result_void(struct buffer *out);
void native_encode_result_set_keyspace(struct buffer *out, struct bytes keyspace);

struct native_column {
    struct bytes keyspace;
    struct bytes table;
    struct bytes name;
    const struct type *type;
    bool is_list_of_in; /* of a marker: the list that follows IN */
};

/* Columns of a result or of markers, encoded once per statement and protocol version (global table spec where all
 * columns share a table). */
struct native_metadata {
    uint32_t column_count;
    bool has_global_table;
    struct bytes specs; /* [keyspace, table]? then per column; borrowed */
    uint8_t id[16];     /* v5: digest of the columns' names and types, the same for all versions */
};
/* specs lies in `arena`. */
void native_metadata_build(struct native_metadata *metadata, struct arena *arena, uint8_t version,
                           const struct native_column *columns, uint32_t count);

/* Markers of a prepared statement: pk_indexes says which marker is the i-th partition key column (v4); count 0: not all
 * are. */
void native_encode_result_prepared(struct buffer *out, uint8_t version, struct bytes id,
                                   const struct native_metadata *markers, const uint16_t *pk_indexes, uint32_t pk_count,
                                   const struct native_metadata *result);
/* The result part of statements that return no rows. */
extern const struct native_metadata native_metadata_none;

/* Rows: begin, then for each row its values and native_rows_end_row, then end.
 *     struct native_rows rows;
 *     native_rows_begin(&rows, out, metadata, NATIVE_METADATA_SENT, paging_state);
 *     native_rows_value(&rows, value); ... native_rows_end_row(&rows);
 *     native_rows_end(&rows); */
struct native_rows {
    struct buffer *out;
    size_t count_at;
    uint32_t row_count;
};
/* What is said of the columns. */
enum native_rows_metadata {
    NATIVE_METADATA_SENT,
    NATIVE_METADATA_SKIPPED,
    NATIVE_METADATA_CHANGED, /* v5: sent, with its id: not the one that EXECUTE brought */
};
/* paging_state NULL data: the last page. */
void native_rows_begin(struct native_rows *rows, struct buffer *out, const struct native_metadata *metadata,
                       enum native_rows_metadata said, struct bytes paging_state);

static inline void native_append_value(struct buffer *out, struct bytes value)
{
    uint8_t *at;

    if (!value.data) {
        store_be32(buffer_extend(out, 4), UINT32_MAX);
        return;
    }
    at = buffer_extend(out, 4 + value.size);
    store_be32(at, (uint32_t)value.size);
    memcpy(at + 4, value.data, value.size);
}

static inline void native_rows_value(struct native_rows *rows, struct bytes value)
{
    native_append_value(rows->out, value);
}

/* A value the caller fills: `size` bytes after its length. */
static inline uint8_t *native_rows_reserve(struct native_rows *rows, uint32_t size)
{
    uint8_t *at = buffer_extend(rows->out, 4 + (size_t)size);

    store_be32(at, size);
    return at + 4;
}

static inline void native_rows_end_row(struct native_rows *rows)
{
    rows->row_count++;
}

static inline void native_rows_end(struct native_rows *rows)
{
    store_be32(rows->out->data + rows->count_at, rows->row_count);
}

/* RESULT schema_change, and the EVENT of the same. */
enum native_change { NATIVE_CREATED, NATIVE_UPDATED, NATIVE_DROPPED };
enum native_target {
    NATIVE_TARGET_KEYSPACE,
    NATIVE_TARGET_TABLE,
    NATIVE_TARGET_TYPE,
    NATIVE_TARGET_FUNCTION,
    NATIVE_TARGET_AGGREGATE
};
struct native_schema_change {
    enum native_change change;
    enum native_target target;
    struct bytes keyspace;
    struct bytes name;                  /* not with KEYSPACE */
    const struct bytes *argument_types; /* FUNCTION, AGGREGATE: CQL types */
    uint32_t argument_count;
};
void native_encode_result_schema_change(struct buffer *out, const struct native_schema_change *change);

/* EVENT */
void native_encode_event_schema(struct buffer *out, const struct native_schema_change *change);

/* ---- replies: frames ---- */

struct native_reply {
    uint8_t version;
    int16_t stream_id; /* -1: an event */
    enum native_opcode opcode;
    enum native_compression compression; /* agreed at STARTUP; used if it makes the body smaller */
    const uint8_t *tracing_id;           /* 16 bytes or NULL */
    const struct bytes *warnings;
    uint32_t warning_count;
    const struct native_pair *payload;
    uint32_t payload_count;
};
/* Room for the header at the end of `out`; returns where the frame starts. Then the body is appended; then _end is
 * called. To drop the reply instead: out->size = start. */
size_t native_reply_begin(struct buffer *out);
void native_reply_end(struct buffer *out, size_t start, const struct native_reply *reply);

#endif

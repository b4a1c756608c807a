/* ERROR: from helenus' own statuses to the protocol's codes, and what each code carries
 * (specification, section 9).
 *
 * This is the one place that knows the codes, so that no other folder can invent one. Drivers
 * decide by the code whether to retry, and where: a write whose outcome is unknown must never be
 * told as one that was refused. */
#include "types/text.h"
#include "wire/native.h"
#include "wire/writer.h"

#include <assert.h>

enum native_error native_error_code(enum status status, uint8_t version)
{
    switch (status) { /* no default: the compiler names the status we forgot */
    case OK: return NATIVE_ERROR_SERVER;
    case ERR_SERVER: return NATIVE_ERROR_SERVER;
    case ERR_PROTOCOL: return NATIVE_ERROR_PROTOCOL;
    case ERR_CREDENTIALS: return NATIVE_ERROR_BAD_CREDENTIALS;
    case ERR_UNAVAILABLE: return NATIVE_ERROR_UNAVAILABLE;
    case ERR_OVERLOADED: return NATIVE_ERROR_OVERLOADED;
    case ERR_BOOTSTRAPPING: return NATIVE_ERROR_IS_BOOTSTRAPPING;
    case ERR_TRUNCATE: return NATIVE_ERROR_TRUNCATE;
    case ERR_WRITE_TIMEOUT: return NATIVE_ERROR_WRITE_TIMEOUT;
    case ERR_READ_TIMEOUT: return NATIVE_ERROR_READ_TIMEOUT;
    /* v3 knows no failures; Cassandra tells its clients of timeouts instead. */
    case ERR_READ_FAILURE: return version < NATIVE_V4 ? NATIVE_ERROR_READ_TIMEOUT : NATIVE_ERROR_READ_FAILURE;
    case ERR_FUNCTION_FAILURE: return version < NATIVE_V4 ? NATIVE_ERROR_INVALID : NATIVE_ERROR_FUNCTION_FAILURE;
    case ERR_CDC_WRITE_FAILURE: return version < NATIVE_V4 ? NATIVE_ERROR_INVALID : NATIVE_ERROR_CDC_WRITE_FAILURE;
    case ERR_WRITE_FAILURE: return version < NATIVE_V4 ? NATIVE_ERROR_WRITE_TIMEOUT : NATIVE_ERROR_WRITE_FAILURE;
    case ERR_SYNTAX: return NATIVE_ERROR_SYNTAX;
    case ERR_UNAUTHORIZED: return NATIVE_ERROR_UNAUTHORIZED;
    case ERR_INVALID: return NATIVE_ERROR_INVALID;
    case ERR_LIMIT: return NATIVE_ERROR_INVALID;
    case ERR_CONFIG: return NATIVE_ERROR_CONFIG;
    case ERR_ALREADY_EXISTS: return NATIVE_ERROR_ALREADY_EXISTS;
    case ERR_UNPREPARED: return NATIVE_ERROR_UNPREPARED;
    /* Ours alone. One that leaks out is our fault; nothing was answered wrongly. */
    case ERR_WOULD_WAIT: return NATIVE_ERROR_OVERLOADED;
    case ERR_STALE: return NATIVE_ERROR_OVERLOADED;
    case ERR_NOT_FOUND: return NATIVE_ERROR_SERVER;
    case ERR_IO: return NATIVE_ERROR_SERVER;
    case ERR_CLOSED: return NATIVE_ERROR_SERVER;
    case ERR_NO_SPACE: return native_error_code(ERR_WRITE_FAILURE, version);
    case ERR_CORRUPT: return native_error_code(ERR_READ_FAILURE, version);
    }
    return NATIVE_ERROR_SERVER;
}

/* A message may quote what a client sent and is cut at its maximum: what is not UTF-8 would break
 * the client's decoder, so each such byte becomes a question mark. */
static void write_message(struct buffer *out, const char *lost, struct bytes text)
{
    size_t size_at = out->size;

    buffer_append_be16(out, 0);
    if (lost)
        buffer_printf(out, "ERROR %s: ", lost);
    for (;;) {
        size_t size = text_utf8_size(text);

        buffer_append(out, text.data, size);
        if (size == text.size)
            break;
        buffer_append_u8(out, '?');
        text = bytes_of(text.data + size + 1, text.size - size - 1);
    }
    assert(out->size - size_at - 2 <= UINT16_MAX);
    store_be16(out->data + size_at, (uint16_t)(out->size - size_at - 2));
}

/* <cl><received><blockfor>, which begin all timeouts and failures; UNAVAILABLE has required before alive. */
static void append_counts(struct buffer *out, const struct native_error_detail *detail)
{
    buffer_append_be16(out, (uint16_t)detail->consistency);
    buffer_append_be32(out, (uint32_t)detail->received);
    buffer_append_be32(out, (uint32_t)(detail->block_for ? detail->block_for : 1));
}

/* v4: how many failed. v5: a map from address to reason; ours is one node, itself. */
static void append_failures(struct buffer *out, uint8_t version, const struct native_error_detail *detail)
{
    static const uint8_t self[] = { 4, 127, 0, 0, 1 };

    buffer_append_be32(out, (uint32_t)(detail->failures ? detail->failures : 1));
    if (version >= NATIVE_V5)
        for (int32_t i = 0; i < (detail->failures ? detail->failures : 1); i++) {
            buffer_append(out, self, sizeof(self));
            buffer_append_be16(out, detail->failure_reason);
        }
}

/* What kind of write it was, as a word. Drivers retry a BATCH_LOG and no other. */
static void append_write_type(struct buffer *out, const struct native_error_detail *detail)
{
    write_word(out, detail->write_type ? detail->write_type : "SIMPLE");
}

/* What follows the message; most codes have nothing. No default: the compiler names the code that
 * was forgotten. */
static void append_detail(struct buffer *out, uint8_t version, enum native_error code, const struct error *error,
                          const struct native_error_detail *detail)
{
    switch (code) {
    case NATIVE_ERROR_UNAVAILABLE:
        buffer_append_be16(out, (uint16_t)detail->consistency);
        buffer_append_be32(out, (uint32_t)(detail->block_for ? detail->block_for : 1));
        buffer_append_be32(out, (uint32_t)detail->received);
        return;
    case NATIVE_ERROR_WRITE_TIMEOUT:
        append_counts(out, detail);
        append_write_type(out, detail);
        return;
    case NATIVE_ERROR_READ_TIMEOUT:
        append_counts(out, detail);
        buffer_append_u8(out, detail->data_present);
        return;
    case NATIVE_ERROR_READ_FAILURE:
        append_counts(out, detail);
        append_failures(out, version, detail);
        buffer_append_u8(out, detail->data_present);
        return;
    case NATIVE_ERROR_WRITE_FAILURE:
        append_counts(out, detail);
        append_failures(out, version, detail);
        append_write_type(out, detail);
        return;
    case NATIVE_ERROR_CAS_WRITE_UNKNOWN: append_counts(out, detail); return;
    case NATIVE_ERROR_FUNCTION_FAILURE:
        write_string(out, detail->function_keyspace);
        write_string(out, detail->function_name);
        buffer_append_be16(out, (uint16_t)detail->argument_count);
        for (uint32_t i = 0; i < detail->argument_count; i++)
            write_string(out, detail->argument_types[i]);
        return;
    case NATIVE_ERROR_ALREADY_EXISTS:
        write_word(out, error->keyspace);
        write_word(out, error->name);
        return;
    case NATIVE_ERROR_UNPREPARED: write_string(out, bytes_of(error->id, sizeof(error->id))); return;
    case NATIVE_ERROR_SERVER:
    case NATIVE_ERROR_PROTOCOL:
    case NATIVE_ERROR_BAD_CREDENTIALS:
    case NATIVE_ERROR_OVERLOADED:
    case NATIVE_ERROR_IS_BOOTSTRAPPING:
    case NATIVE_ERROR_TRUNCATE:
    case NATIVE_ERROR_CDC_WRITE_FAILURE:
    case NATIVE_ERROR_SYNTAX:
    case NATIVE_ERROR_UNAUTHORIZED:
    case NATIVE_ERROR_INVALID:
    case NATIVE_ERROR_CONFIG: return;
    }
}

/* What v3 has no code for is told in words, as Cassandra does: the name of the code that it would have been. */
static const char *lost_name(enum status status, enum native_error code)
{
    if (code != NATIVE_ERROR_INVALID)
        return NULL;
    return status == ERR_FUNCTION_FAILURE    ? "FUNCTION_FAILURE"
           : status == ERR_CDC_WRITE_FAILURE ? "CDC_WRITE_FAILURE"
                                             : NULL;
}

/* The message is told as it is, but for a read that gave up on tombstones where v3 has no code for
 * it: Cassandra tells v3 of a timeout then, in these words. */
void native_encode_error(struct buffer *out, uint8_t version, const struct error *error,
                         const struct native_error_detail *detail)
{
    static const struct native_error_detail none = { .consistency = CONSISTENCY_ONE };
    enum native_error code = native_error_code(error->status, version);
    const char *lost = lost_name(error->status, code);

    assert(error->status != OK);
    detail = detail ? detail : &none;
    /* Our write timeouts say that nobody knows; v5 has a code for that where a condition was decided. */
    if (code == NATIVE_ERROR_WRITE_TIMEOUT && version >= NATIVE_V5 && detail->write_type &&
        strcmp(detail->write_type, "CAS") == 0)
        code = NATIVE_ERROR_CAS_WRITE_UNKNOWN;
    buffer_append_be32(out, (uint32_t)code);
    if (code == NATIVE_ERROR_READ_TIMEOUT && detail->failure_reason)
        write_message(out, NULL, BYTES_LITERAL("Operation timed out - received only 0 responses."));
    else
        write_message(out, lost, bytes_of_string(error->message));
    append_detail(out, version, code, error, detail);
}

/* SigV4's second half: canonical request, string to sign, key, comparison. What a request says of its signature: sigv4_parse.c.
 *
 * All that is hashed here is bounded: the target and the headers by sigv4_parse, the body by who read it.
 */
#include "wire/aws/sigv4.h"
#include "wire/aws/percent.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define ALGORITHM  "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"

enum { SHA256_BYTES = 32, HEX_BYTES = 2 * SHA256_BYTES };

static_assert((int)SIGV4_KEY_BYTES == (int)SHA256_BYTES, "a key is what HMAC-SHA256 gives");

/* Lower case, which is signed: a hash in upper case would be another text. */
static void to_hex(const uint8_t raw[SHA256_BYTES], char hex[HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < SHA256_BYTES; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
}

/* libcrypto fails here only if it has no memory or no SHA-256: neither leaves anything to answer
 * with. */
static void hash_hex(struct bytes data, char hex[HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    if (EVP_Digest(data.data ? (const void *)data.data : "", data.size, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    to_hex(digest, hex);
}

/* HMAC-SHA256. The result may stand where the key stood: the key is taken in before the result
 * is written. */
static void mac(const void *key, size_t key_size, struct bytes data, uint8_t result[SHA256_BYTES])
{
    unsigned size = SHA256_BYTES;

    if (!HMAC(EVP_sha256(), key, (int)key_size, data.data, data.size, result, &size))
        abort();
    assert(size == SHA256_BYTES);
}

/* Each key signs the next part of the scope: whoever gets the last one can sign for one service
 * in one region on one day, no more. The secret must not stay on the stack. */
void sigv4_key(struct bytes secret, struct bytes date, struct bytes region, struct bytes service,
               uint8_t key[SIGV4_KEY_BYTES])
{
    uint8_t first[4 + SIGV4_SECRET_MAX] = "AWS4";

    assert(secret.size <= SIGV4_SECRET_MAX);
    if (secret.size)
        memcpy(first + 4, secret.data, secret.size);
    mac(first, 4 + secret.size, date, key);
    mac(key, SHA256_BYTES, region, key);
    mac(key, SHA256_BYTES, service, key);
    mac(key, SHA256_BYTES, BYTES_LITERAL(TERMINATOR), key);
    OPENSSL_cleanse(first, sizeof(first));
}

/* ---- the canonical request ---- */

/* By the scope, which is signed and was compared with who the request is for. */
static bool is_s3(const struct sigv4 *sigv4)
{
    return bytes_equal(sigv4->service, BYTES_LITERAL("s3"));
}

/* The form that is signed is encoded once more, though what came was encoded already: "%3A"
 * becomes "%253A". That is what keeps "%2F" and '/' apart. s3's keys may be "a//b" and "..", so
 * its paths are left alone. */
static void append_path(struct buffer *out, struct bytes path, const struct sigv4 *sigv4)
{
    CLEANUP(buffer_fini) struct buffer normal = { 0 };

    if (is_s3(sigv4)) {
        buffer_append_bytes(out, path);
        return;
    }
    path_normalize(&normal, path);
    percent_encode(out, buffer_bytes(&normal), true);
}

/* Of the query, encoded. All lie in one buffer, which moves while it grows, so what is kept is
 * where in it. */
struct parameter {
    size_t name, value; /* where they begin among the encoded ones */
    size_t name_size, value_size;
    const struct buffer *encoded;
};

static struct bytes name_of(const struct parameter *parameter)
{
    return bytes_of(parameter->encoded->data + parameter->name, parameter->name_size);
}

static struct bytes value_of(const struct parameter *parameter)
{
    return bytes_of(parameter->encoded->data + parameter->value, parameter->value_size);
}

/* By the encoded name, then by the encoded value. */
static int compare_parameters(const void *left, const void *right)
{
    int order = bytes_compare(name_of(left), name_of(right));

    return order ? order : bytes_compare(value_of(left), value_of(right));
}

/* Compared by the two parts, not by "name=value" as one text: '=' sorts behind some characters
 * that names can have. */
static void append_sorted(struct buffer *out, struct parameter *parameters, size_t count)
{
    qsort(parameters, count, sizeof(*parameters), compare_parameters);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_u8(out, '&');
        buffer_append_bytes(out, name_of(&parameters[i]));
        buffer_append_u8(out, '=');
        buffer_append_bytes(out, value_of(&parameters[i]));
    }
}

/* The signature itself is the one parameter that is not signed. */
static void append_query(struct arena *arena, struct buffer *out, struct bytes query, const struct sigv4 *sigv4)
{
    CLEANUP(buffer_fini) struct buffer encoded = { 0 };
    struct query_pieces pieces = { .rest = query };
    struct parameter *parameters = NULL;
    uint32_t count = 0, capacity = 0;
    struct bytes name, value;

    if (!query.size)
        return;
    while (query_piece_next(&pieces, &name, &value)) {
        struct parameter parameter = { .encoded = &encoded, .name = encoded.size };

        percent_recode(&encoded, name);
        parameter.name_size = encoded.size - parameter.name;
        parameter.value = encoded.size;
        percent_recode(&encoded, value);
        parameter.value_size = encoded.size - parameter.value;
        if (sigv4->is_query && bytes_equal(name_of(&parameter), BYTES_LITERAL("X-Amz-Signature")))
            continue;
        parameters = arena_room(arena, parameters, count, &capacity, 16, sizeof(*parameters));
        parameters[count++] = parameter;
    }
    append_sorted(out, parameters, count);
}

/* What signers strip, Python's split() the most of them: line ends too, since old clients fold
 * lines. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks at its ends, runs of blanks as one: a folded line too. */
static void append_value(struct buffer *out, struct bytes value)
{
    size_t from = out->size;
    bool blank = false;

    for (size_t i = 0; i < value.size; i++) {
        if (is_blank(value.data[i])) {
            blank = true;
            continue;
        }
        if (blank && out->size > from)
            buffer_append_u8(out, ' ');
        blank = false;
        buffer_append_u8(out, value.data[i]);
    }
}

/* One line for each name: the values of a header that comes again are joined in the order in
 * which they came. */
static void append_headers(struct buffer *out, const struct sigv4 *sigv4)
{
    const struct sigv4_header *before = NULL;

    for (uint32_t i = 0; i < sigv4->header_count; i++) {
        const struct sigv4_header *header = &sigv4->headers[i];

        if (!header->is_signed)
            continue;
        if (before && bytes_equal(before->name, header->name)) {
            buffer_append_u8(out, ',');
        } else {
            assert(!before || bytes_compare(before->name, header->name) < 0);
            if (before)
                buffer_append_u8(out, '\n');
            buffer_append_bytes(out, header->name);
            buffer_append_u8(out, ':');
        }
        append_value(out, header->value);
        before = header;
    }
    assert(before); /* at least host */
    buffer_append_string(out, "\n\n");
}

/* Six lines, the last without an end. Method and names can have no line ends in them
 * (sigv4_parse), path and query are encoded, values are without blanks but ' ': so no line can
 * pass for two, and no two requests have the same text. */
void sigv4_canonical(struct arena *arena, const struct sigv4_request *request, const struct sigv4 *sigv4,
                     struct buffer *canonical, struct buffer *to_sign)
{
    size_t from = canonical->size;
    struct bytes path, query;
    char hash[HEX_BYTES];

    assert(sigv4->scope.data && sigv4->signature.size == HEX_BYTES);
    target_split(request->target, &path, &query);
    buffer_append_bytes(canonical, request->method);
    buffer_append_u8(canonical, '\n');
    append_path(canonical, path, sigv4);
    buffer_append_u8(canonical, '\n');
    append_query(arena, canonical, query, sigv4);
    buffer_append_u8(canonical, '\n');
    append_headers(canonical, sigv4);
    buffer_append_bytes(canonical, sigv4->signed_headers);
    buffer_append_u8(canonical, '\n');
    if (!sigv4->payload_hash.data)
        hash_hex(request->body, hash);
    buffer_append_bytes(canonical, sigv4->payload_hash.data ? sigv4->payload_hash : bytes_of(hash, HEX_BYTES));

    hash_hex(bytes_of(canonical->data + from, canonical->size - from), hash);
    buffer_append_string(to_sign, ALGORITHM "\n");
    buffer_append_bytes(to_sign, sigv4->timestamp);
    buffer_append_u8(to_sign, '\n');
    buffer_append_bytes(to_sign, sigv4->scope);
    buffer_append_u8(to_sign, '\n');
    buffer_append(to_sign, hash, HEX_BYTES);
}

/* ---- is it so? ---- */

static enum sigv4_result fail(struct sigv4 *sigv4, enum sigv4_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum sigv4_result fail(struct sigv4 *sigv4, enum sigv4_result result, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(sigv4->message, sizeof(sigv4->message), format, list);
    va_end(list);
    return result;
}

/* The region is not looked at: whether it is one of ours is for whoever dispatches to say. */
static enum sigv4_result check_scope(struct sigv4 *sigv4, const char *service)
{
    struct bytes day = bytes_of(sigv4->timestamp.data, 8);

    assert(sigv4->timestamp.size == 16);
    if (!bytes_equal(sigv4->date, day))
        return fail(sigv4, SIGV4_SCOPE,
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                    "'%.*s' != '%.*s', from '%.*s'.",
                    BYTES(sigv4->date), BYTES(day), BYTES(sigv4->timestamp));
    if (!bytes_equal(sigv4->service, bytes_of_string(service)))
        return fail(sigv4, SIGV4_SCOPE, "Credential should be scoped to correct service: '%s'. ", service);
    return SIGV4_OK;
}

/* AWS's words have the three times: signed; earliest or latest; now. */
static enum sigv4_result tell_time(struct sigv4 *sigv4, enum sigv4_result result, int64_t limit_s, int64_t now_s,
                                   const char *distance)
{
    CLEANUP(buffer_fini) struct buffer times = { 0 };
    bool is_late = result == SIGV4_EXPIRED;

    time_write_basic(&times, limit_s);
    time_write_basic(&times, now_s);
    assert(times.size == 32);
    return fail(sigv4, result, "Signature %s: %.*s is %s than %.16s (%.16s %c %s.)",
                is_late ? "expired" : "not yet current", BYTES(sigv4->timestamp),
                is_late ? "now earlier" : "still later", (const char *)times.data, (const char *)times.data + 16,
                is_late ? '-' : '+', distance);
}

/* The query form says itself how long it is good; into the future both may be off by the same. */
static enum sigv4_result check_time(struct sigv4 *sigv4, int64_t now_s)
{
    int64_t good_s = sigv4->is_query ? sigv4->expires_s : SIGV4_SKEW_S;
    char seconds[32];

    assert(good_s > 0 && good_s <= SIGV4_EXPIRES_MAX_S);
    snprintf(seconds, sizeof(seconds), "%d s", (int)good_s);
    if (sigv4->signed_at_s < now_s - good_s)
        return tell_time(sigv4, SIGV4_EXPIRED, now_s - good_s, now_s, sigv4->is_query ? seconds : "15 min");
    if (sigv4->signed_at_s > now_s + SIGV4_SKEW_S)
        return tell_time(sigv4, SIGV4_NOT_YET, now_s + SIGV4_SKEW_S, now_s, "15 min");
    return SIGV4_OK;
}

/* A hash that the request names and signs must be that of the body, else the body would not be
 * signed at all. */
static enum sigv4_result check_payload(const struct sigv4_request *request, struct sigv4 *sigv4)
{
    char hash[HEX_BYTES];

    if (!sigv4->payload_hash.data)
        return SIGV4_OK;
    if (sigv4->is_payload_unsigned)
        return is_s3(sigv4)
                   ? SIGV4_OK
                   : fail(sigv4, SIGV4_UNSUPPORTED, "A payload must be signed: UNSIGNED-PAYLOAD is only for s3.");
    hash_hex(request->body, hash);
    if (!bytes_equal(sigv4->payload_hash, bytes_of(hash, HEX_BYTES)))
        return fail(sigv4, SIGV4_MISMATCH,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.");
    return SIGV4_OK;
}

/* What is cheap first. A request that is refused for its time or scope costs no hash of its
 * body, which may be large. */
enum sigv4_result sigv4_verify(struct arena *arena, const struct sigv4_request *request, struct sigv4 *sigv4,
                               const uint8_t key[SIGV4_KEY_BYTES], const char *service, int64_t now_s)
{
    CLEANUP(buffer_fini) struct buffer canonical = { 0 }, to_sign = { 0 };
    enum sigv4_result result = check_scope(sigv4, service);
    uint8_t signature[SHA256_BYTES];
    char hex[HEX_BYTES];

    if (result == SIGV4_OK)
        result = check_time(sigv4, now_s);
    if (result == SIGV4_OK)
        result = check_payload(request, sigv4);
    if (result != SIGV4_OK)
        return result;
    sigv4_canonical(arena, request, sigv4, &canonical, &to_sign);
    mac(key, SIGV4_KEY_BYTES, buffer_bytes(&to_sign), signature);
    to_hex(signature, hex);
    /* In constant time: how many digits are right must not be told. */
    if (CRYPTO_memcmp(hex, sigv4->signature.data, HEX_BYTES))
        return fail(sigv4, SIGV4_MISMATCH,
                    "The request signature we calculated does not match the signature you provided. Check your AWS "
                    "Secret Access Key and signing method. Consult the service documentation for details.");
    return SIGV4_OK;
}

/* What a request says of its signature, taken apart: the header or the query form, one of them, once, whole.
 *
 * Nothing here needs the secret. Whatever is refused here is told in words that quote the client only as printable ASCII.
 */
#include "wire/aws/sigv4.h"
#include "wire/aws/percent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUOTE_MAX = 96, METHOD_MAX = 32, AUTHORIZATION_MAX = 16384, SIGNATURE_DIGITS = 64, DATE_DIGITS = 8 };

/* The parts of a signature, by their names in the query form; the first three of the header form
 * have the same meaning. */
enum part {
    PART_CREDENTIAL,
    PART_SIGNED_HEADERS,
    PART_SIGNATURE,
    PART_ALGORITHM,
    PART_DATE,
    PART_EXPIRES,
    PART_TOKEN,
    PART_PAYLOAD,
    PART_COUNT,
};

static const char *const part_names[PART_COUNT] = {
    "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature",      "X-Amz-Algorithm",
    "X-Amz-Date",       "X-Amz-Expires",       "X-Amz-Security-Token", "X-Amz-Content-Sha256",
};

/* What was found in the request, not looked at yet; in the query form decoded. */
struct parts {
    struct bytes values[PART_COUNT]; /* data NULL: not there */
};

/* What all steps need. They write into the caller's struct sigv4, of which nothing counts unless
 * all steps say OK. */
struct parsing {
    struct arena *arena;
    const struct sigv4_request *request;
    struct sigv4 *sigv4;
    struct sigv4_header *headers; /* the same as sigv4->headers, while they are made */
};

/* A client's bytes for a message: a short beginning, without what cannot be printed. */
struct quoted {
    char text[QUOTE_MAX + 4];
};

/* A message goes into JSON, XML or CBOR, which have rules for bytes, and perhaps onto a
 * terminal. So what a client sent is cut short and comes as ASCII, whatever it was. */
static struct quoted quote(struct bytes bytes)
{
    struct quoted quoted = { 0 };
    size_t size = bytes.size < QUOTE_MAX ? bytes.size : QUOTE_MAX;

    for (size_t i = 0; i < size; i++)
        quoted.text[i] = bytes.data[i] >= ' ' && bytes.data[i] < 127 ? (char)bytes.data[i] : '?';
    if (size < bytes.size)
        memcpy(quoted.text + size, "...", 3);
    return quoted;
}

static enum sigv4_result fail(struct parsing *parsing, enum sigv4_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum sigv4_result fail(struct parsing *parsing, enum sigv4_result result, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(parsing->sigv4->message, sizeof(parsing->sigv4->message), format, list);
    va_end(list);
    assert(result != SIGV4_OK && result != SIGV4_NONE);
    return result;
}

static bool begins(struct bytes bytes, const char *text)
{
    return bytes_starts_with(bytes, bytes_of_string(text));
}

/* What stands before the mark; `rest` is what stands behind it, or nothing. */
static struct bytes cut(struct bytes *rest, char mark)
{
    struct bytes all = *rest;
    const uint8_t *at = all.size ? memchr(all.data, mark, all.size) : NULL;
    size_t size = at ? (size_t)(at - all.data) : all.size;

    assert(size <= all.size);
    *rest = at ? bytes_of(at + 1, all.size - size - 1) : bytes_of("", 0);
    return bytes_of(all.data, size);
}

/* ---- the request's headers ---- */

/* A name that comes again keeps the order of its values, which is signed: qsort alone would not. */
static int compare_headers(const void *left, const void *right)
{
    const struct sigv4_header *a = left, *b = right;
    int order = bytes_compare(a->name, b->name);

    return order ? order : (a->position > b->position) - (a->position < b->position);
}

/* Names of headers are the same in any case; they are signed in lower case. */
static struct bytes lower_case(struct arena *arena, struct bytes text)
{
    uint8_t *to = arena_alloc(arena, text.size);

    for (size_t i = 0; i < text.size; i++)
        to[i] = text.data[i] >= 'A' && text.data[i] <= 'Z' ? (uint8_t)(text.data[i] + 32) : text.data[i];
    return bytes_of(to, text.size);
}

/* Sorted once, so that what follows walks through both lists and never searches: a client
 * chooses how long they are. */
static enum sigv4_result sort_headers(struct parsing *parsing)
{
    const struct sigv4_request *request = parsing->request;

    if (request->header_count > SIGV4_HEADERS_MAX)
        return fail(parsing, SIGV4_INCOMPLETE, "A request that is signed has at most %d headers.", SIGV4_HEADERS_MAX);
    parsing->headers = arena_new_array(parsing->arena, struct sigv4_header, request->header_count);
    for (uint32_t i = 0; i < request->header_count; i++)
        parsing->headers[i] = (struct sigv4_header){
            .name = lower_case(parsing->arena, request->headers[i].name),
            .value = request->headers[i].value,
            .position = i,
        };
    qsort(parsing->headers, request->header_count, sizeof(*parsing->headers), compare_headers);
    parsing->sigv4->headers = parsing->headers;
    parsing->sigv4->header_count = request->header_count;
    return SIGV4_OK;
}

/* The value of a header that may come once; data NULL: it does not come. */
static enum sigv4_result only_header(struct parsing *parsing, const char *name, struct bytes *value)
{
    *value = (struct bytes){ NULL, 0 };
    for (uint32_t i = 0; i < parsing->sigv4->header_count; i++) {
        if (!bytes_is(parsing->headers[i].name, name))
            continue;
        if (value->data)
            return fail(parsing, SIGV4_INCOMPLETE, "Header '%s' comes more than once.", name);
        *value = blanks_trim(parsing->headers[i].value);
        if (!value->data)
            *value = bytes_of("", 0);
    }
    return SIGV4_OK;
}

/* Changes nothing of what a request does, and is added on its way by browsers' clients and
 * CloudFront. */
static bool may_be_unsigned(struct bytes name)
{
    return !begins(name, "x-amz-") || bytes_is(name, "x-amz-user-agent") || bytes_is(name, "x-amz-cf-id");
}

/* Marks the headers that are signed: one step for each name and each header, since both are
 * sorted. */
/* The names must be as AWS's signers write them, since they are signed as written: sorted and
 * each once, so that no two lists mean the same. A header of that name in another case is found,
 * for the request's names were put in lower case. */
static enum sigv4_result mark_signed(struct parsing *parsing)
{
    struct sigv4 *sigv4 = parsing->sigv4;
    struct bytes rest = sigv4->signed_headers, before = { NULL, 0 };
    bool host = false;
    uint32_t i = 0;

    /* `i` only goes forward. */
    while (rest.size) {
        struct bytes name = cut(&rest, ';');

        if (!name.size || (before.data && bytes_compare(before, name) >= 0))
            return fail(parsing, SIGV4_INCOMPLETE,
                        "SignedHeaders must be names in lower case, sorted, each once, with ';' between them: '%s'.",
                        quote(sigv4->signed_headers).text);
        before = name;
        host = host || bytes_is(name, "host");
        while (i < sigv4->header_count && bytes_compare(parsing->headers[i].name, name) < 0)
            i++;
        if (i == sigv4->header_count || !bytes_equal(parsing->headers[i].name, name))
            return fail(parsing, SIGV4_INCOMPLETE, "Header '%s' is among SignedHeaders but not in the request.",
                        quote(name).text);
        for (; i < sigv4->header_count && bytes_equal(parsing->headers[i].name, name); i++)
            parsing->headers[i].is_signed = true;
    }
    /* Else a request could be sent on to whoever has the same secrets, such as a test system. */
    if (!host)
        return fail(parsing, SIGV4_INCOMPLETE,
                    "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    /* What was not signed could be anybody's: a proxy's, or that of whoever changed the request. */
    for (i = 0; i < sigv4->header_count; i++)
        if (!parsing->headers[i].is_signed && !may_be_unsigned(parsing->headers[i].name))
            return fail(parsing, SIGV4_INCOMPLETE, "Header '%s' is in the request but not among SignedHeaders.",
                        quote(parsing->headers[i].name).text);
    return SIGV4_OK;
}

/* ---- where the parts stand ---- */

/* One algorithm. Who signs for several regions (SigV4A) did so because a client was told to: say
 * what to change. */
static enum sigv4_result check_algorithm(struct parsing *parsing, struct bytes algorithm)
{
    if (bytes_is(algorithm, "AWS4-HMAC-SHA256"))
        return SIGV4_OK;
    if (begins(algorithm, "AWS4-ECDSA-"))
        return fail(parsing, SIGV4_UNSUPPORTED,
                    "SigV4A ('%s') is not supported here. Sign with SigV4, AWS4-HMAC-SHA256, for one region.",
                    quote(algorithm).text);
    return fail(parsing, SIGV4_UNSUPPORTED, "Unsupported AWS 'algorithm': '%s'.", quote(algorithm).text);
}

/* "AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..": in any order, and s3cmd puts
 * no blank behind the commas. A parameter that is not known is refused rather than passed over,
 * since nobody signs it. */
static enum sigv4_result parts_of_header(struct parsing *parsing, struct bytes authorization, struct parts *parts)
{
    static const char *const names[] = { "Credential", "SignedHeaders", "Signature" };
    struct bytes rest = authorization;
    enum sigv4_result result;

    static_assert(PART_SIGNATURE == ARRAY_SIZE(names) - 1, "the header form's parts are the first ones");
    if (authorization.size > AUTHORIZATION_MAX)
        return fail(parsing, SIGV4_INCOMPLETE, "Authorization has at most %d bytes.", AUTHORIZATION_MAX);
    result = check_algorithm(parsing, cut(&rest, ' '));
    while (result == SIGV4_OK && rest.size) {
        struct bytes value = blanks_trim(cut(&rest, ',')), name = cut(&value, '=');
        size_t i = 0;

        while (i < ARRAY_SIZE(names) && !bytes_is(name, names[i]))
            i++;
        if (i == ARRAY_SIZE(names))
            return fail(parsing, SIGV4_INCOMPLETE, "'%s' is not a parameter of the Authorization header.",
                        quote(name).text);
        if (parts->values[i].data)
            return fail(parsing, SIGV4_INCOMPLETE, "Authorization has '%s' more than once.", names[i]);
        parts->values[i] = value;
    }
    for (size_t i = 0; result == SIGV4_OK && i < ARRAY_SIZE(names); i++)
        if (!parts->values[i].data)
            return fail(parsing, SIGV4_INCOMPLETE, "Authorization header requires '%s' parameter.", names[i]);
    return result;
}

/* Of ASCII letters; the names have only these and '-', which has no other case. */
static bool equal_ignoring_case(struct bytes text, const char *other)
{
    size_t size = strlen(other);
    bool equal = text.size == size;

    for (size_t i = 0; equal && i < size; i++)
        equal = (text.data[i] | 32) == (other[i] | 32);
    return equal;
}

/* A name that is one of them but for its case would be a part to some and none to others. */
/* All pieces are looked at, also if the request has an Authorization header: a request that is
 * signed in both ways is one of which two readers could believe different halves. Names are
 * decoded before they are compared, as whoever reads them later does. */
static enum sigv4_result parts_of_query(struct parsing *parsing, struct bytes query, struct parts *parts)
{
    struct query_pieces pieces = { .rest = query };
    struct bytes name, value;

    while (query_piece_next(&pieces, &name, &value)) {
        struct bytes decoded;

        if (!percent_decode(parsing->arena, name, false, &decoded))
            continue;
        for (int i = 0; i < PART_COUNT; i++) {
            if (!equal_ignoring_case(decoded, part_names[i]))
                continue;
            if (parts->values[i].data || !bytes_is(decoded, part_names[i]))
                return fail(parsing, SIGV4_INCOMPLETE,
                            "The query-string parameter '%s' must come once, and so written.", part_names[i]);
            if (!percent_decode(parsing->arena, value, false, &parts->values[i]))
                return fail(parsing, SIGV4_INCOMPLETE, "The query-string parameter '%s' cannot be decoded.",
                            part_names[i]);
        }
    }
    return SIGV4_OK;
}

/* ---- what the parts say ---- */

/* An access key, a region or a service: printable ASCII that needs no quoting in a log. */
static bool is_name(struct bytes text)
{
    bool good = text.size && text.size <= SIGV4_NAME_MAX;

    for (size_t i = 0; good && i < text.size; i++)
        good = text.data[i] > ' ' && text.data[i] < 127 && text.data[i] != '"';
    return good;
}

/* A text of digits alone, and at least one. */
static bool are_digits(struct bytes text)
{
    bool good = text.size > 0;

    for (size_t i = 0; good && i < text.size; i++)
        good = text.data[i] >= '0' && text.data[i] <= '9';
    return good;
}

/* AKID/20260102/us-east-1/cassandra/aws4_request: the first part says whose secret to look up,
 * the others are the scope, which is signed. */
static enum sigv4_result take_credential(struct parsing *parsing, struct bytes credential)
{
    struct sigv4 *sigv4 = parsing->sigv4;
    struct bytes rest = credential, terminator;

    sigv4->access_key = cut(&rest, '/');
    sigv4->scope = rest;
    sigv4->date = cut(&rest, '/');
    sigv4->region = cut(&rest, '/');
    sigv4->service = cut(&rest, '/');
    terminator = rest;
    if (!is_name(sigv4->access_key) || !is_name(sigv4->region) || !is_name(sigv4->service) || !terminator.size ||
        memchr(terminator.data, '/', terminator.size))
        return fail(parsing, SIGV4_INCOMPLETE,
                    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                    "got '%s'",
                    quote(credential).text);
    if (!bytes_is(terminator, "aws4_request"))
        return fail(parsing, SIGV4_SCOPE,
                    "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.",
                    quote(terminator).text);
    if (sigv4->date.size != DATE_DIGITS || !are_digits(sigv4->date))
        return fail(parsing, SIGV4_SCOPE, "The date of a Credential's scope is of the form YYYYMMDD, not '%s'.",
                    quote(sigv4->date).text);
    return SIGV4_OK;
}

/* Exactly as it will be computed, so that comparing it takes no second look. */
static enum sigv4_result take_signature(struct parsing *parsing, struct bytes signature)
{
    bool good = signature.size == SIGNATURE_DIGITS;

    for (size_t i = 0; good && i < signature.size; i++)
        good = (signature.data[i] >= '0' && signature.data[i] <= '9') ||
               (signature.data[i] >= 'a' && signature.data[i] <= 'f');
    if (!good)
        return fail(parsing, SIGV4_INCOMPLETE, "A signature is %d hexadecimal digits in lower case, not '%s'.",
                    SIGNATURE_DIGITS, quote(signature).text);
    parsing->sigv4->signature = signature;
    return SIGV4_OK;
}

/* The text is kept as well: it is signed as it came. */
static enum sigv4_result take_time(struct parsing *parsing, struct bytes time)
{
    struct sigv4 *sigv4 = parsing->sigv4;

    if (!time_read_basic(time, &sigv4->signed_at_s))
        return fail(parsing, SIGV4_INCOMPLETE,
                    "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601",
                    quote(time).text);
    sigv4->timestamp = time;
    return SIGV4_OK;
}

/* HTTP's form, where mail's "-0000" stands for GMT with some. */
static bool read_date(struct arena *arena, struct bytes text, int64_t *microseconds)
{
    enum { ZONE_SIZE = 6 };
    bool is_mail = text.size > ZONE_SIZE && (!memcmp(text.data + text.size - ZONE_SIZE, " -0000", ZONE_SIZE) ||
                                             !memcmp(text.data + text.size - ZONE_SIZE, " +0000", ZONE_SIZE));

    if (is_mail && text.size < QUOTE_MAX)
        text = bytes_of_string(arena_printf(arena, "%.*s GMT", (int)text.size - ZONE_SIZE, (const char *)text.data));
    return time_read_http(text, microseconds);
}

/* X-Amz-Date; without it Date, in either form: what is signed is its basic form. */
static enum sigv4_result take_time_of_headers(struct parsing *parsing)
{
    CLEANUP(buffer_fini) struct buffer basic = { 0 };
    struct bytes time;
    int64_t microseconds;
    enum sigv4_result result = only_header(parsing, "x-amz-date", &time);

    if (result != SIGV4_OK || time.data)
        return result != SIGV4_OK ? result : take_time(parsing, time);
    result = only_header(parsing, "date", &time);
    if (result != SIGV4_OK)
        return result;
    if (!time.data)
        return fail(parsing, SIGV4_INCOMPLETE,
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    if (!read_date(parsing->arena, time, &microseconds))
        return take_time(parsing, time);
    time_write_basic(&basic, microseconds / 1000000);
    return take_time(parsing, arena_copy(parsing->arena, buffer_bytes(&basic)));
}

/* The hash of the payload as it is signed. Only s3 signs URLs without it, and says so only if it
 * wants to. */
static enum sigv4_result take_payload(struct parsing *parsing, struct bytes of_query)
{
    struct sigv4 *sigv4 = parsing->sigv4;
    struct bytes hash;
    enum sigv4_result result = only_header(parsing, "x-amz-content-sha256", &hash);

    if (result != SIGV4_OK)
        return result;
    if (!hash.data)
        hash = of_query;
    if (!hash.data && sigv4->is_query && bytes_is(sigv4->service, "s3"))
        hash = BYTES_LITERAL("UNSIGNED-PAYLOAD");
    if (!hash.data)
        return SIGV4_OK;
    sigv4->payload_hash = hash;
    sigv4->is_payload_unsigned = bytes_is(hash, "UNSIGNED-PAYLOAD");
    if (begins(hash, "STREAMING-"))
        return fail(parsing, SIGV4_UNSUPPORTED,
                    "A payload in signed chunks ('%s') is not supported here. Sign the whole payload.",
                    quote(hash).text);
    if (!sigv4->is_payload_unsigned && hash.size != SIGNATURE_DIGITS)
        return fail(parsing, SIGV4_INCOMPLETE, "'x-amz-content-sha256' is no SHA-256: '%s'.", quote(hash).text);
    return SIGV4_OK;
}

/* What both forms have, in the order in which a reader of the message would correct it. */
static enum sigv4_result take_common(struct parsing *parsing, const struct parts *parts)
{
    struct sigv4 *sigv4 = parsing->sigv4;
    enum sigv4_result result = take_credential(parsing, parts->values[PART_CREDENTIAL]);

    sigv4->signed_headers = parts->values[PART_SIGNED_HEADERS];
    if (result == SIGV4_OK)
        result = take_signature(parsing, parts->values[PART_SIGNATURE]);
    if (result == SIGV4_OK)
        result = mark_signed(parsing);
    if (result == SIGV4_OK)
        result = take_payload(parsing, parts->values[PART_PAYLOAD]);
    if (result == SIGV4_OK)
        result = only_header(parsing, "x-amz-security-token", &sigv4->session_token);
    return result;
}

/* Its time stands in a header. */
static enum sigv4_result parse_header_form(struct parsing *parsing, struct bytes authorization)
{
    struct parts parts = { 0 };
    enum sigv4_result result = parts_of_header(parsing, authorization, &parts);

    if (result == SIGV4_OK)
        result = take_time_of_headers(parsing);
    return result == SIGV4_OK ? take_common(parsing, &parts) : result;
}

/* Digits alone, and never more of them than fit. */
static enum sigv4_result take_expiry(struct parsing *parsing, struct bytes text)
{
    int64_t seconds = 0;

    for (size_t i = 0; are_digits(text) && i < text.size && seconds <= SIGV4_EXPIRES_MAX_S; i++)
        seconds = seconds * 10 + (text.data[i] - '0');
    if (seconds < 1 || seconds > SIGV4_EXPIRES_MAX_S)
        return fail(parsing, SIGV4_INCOMPLETE, "X-Amz-Expires must be a number of seconds, 1 to %d, not '%s'.",
                    SIGV4_EXPIRES_MAX_S, quote(text).text);
    parsing->sigv4->expires_s = seconds;
    return SIGV4_OK;
}

/* A URL that someone signed and someone else uses: everything but the headers stands in it. A
 * token may be a header instead, if that was signed, but not both. */
static enum sigv4_result parse_query_form(struct parsing *parsing, const struct parts *parts)
{
    struct sigv4 *sigv4 = parsing->sigv4;
    enum sigv4_result result;

    for (int i = 0; i <= PART_EXPIRES; i++)
        if (!parts->values[i].data)
            return fail(parsing, SIGV4_INCOMPLETE,
                        "AWS query-string parameters must include '%s'. Re-examine the query-string parameters.",
                        part_names[i]);
    sigv4->is_query = true;
    result = check_algorithm(parsing, parts->values[PART_ALGORITHM]);
    if (result == SIGV4_OK)
        result = take_time(parsing, parts->values[PART_DATE]);
    if (result == SIGV4_OK)
        result = take_expiry(parsing, parts->values[PART_EXPIRES]);
    if (result == SIGV4_OK)
        result = take_common(parsing, parts);
    if (result == SIGV4_OK && sigv4->session_token.data && parts->values[PART_TOKEN].data)
        return fail(parsing, SIGV4_INCOMPLETE, "'X-Amz-Security-Token' is both a header and a parameter.");
    if (result == SIGV4_OK && parts->values[PART_TOKEN].data)
        sigv4->session_token = parts->values[PART_TOKEN];
    return result;
}

/* What is signed line by line must have no line ends: a method is a word of capitals. An
 * absolute target ("http://..") is for proxies, and nobody signs it in that form. */
static enum sigv4_result check_request(struct parsing *parsing)
{
    struct bytes method = parsing->request->method, target = parsing->request->target;
    bool good = method.size && method.size <= METHOD_MAX;

    for (size_t i = 0; good && i < method.size; i++)
        good = (method.data[i] >= 'A' && method.data[i] <= 'Z') || method.data[i] == '-';
    if (!good)
        return fail(parsing, SIGV4_INCOMPLETE, "'%s' is no method.", quote(method).text);
    if (target.size > SIGV4_TARGET_MAX)
        return fail(parsing, SIGV4_INCOMPLETE, "A target that is signed has at most %d bytes.", SIGV4_TARGET_MAX);
    if (!begins(target, "/"))
        return fail(parsing, SIGV4_INCOMPLETE, "A target that is signed begins with '/'.");
    return SIGV4_OK;
}

/* Unsigned is what has neither an Authorization header nor one of the parameters that only a
 * signature has: a lone X-Amz-Date is nothing to refuse. */
enum sigv4_result sigv4_parse(struct arena *arena, const struct sigv4_request *request, struct sigv4 *result)
{
    struct parsing parsing = { arena, request, result, NULL };
    struct parts parts = { 0 };
    struct bytes path, query, authorization;

    *result = (struct sigv4){ 0 };

    enum sigv4_result outcome = check_request(&parsing);

    if (outcome == SIGV4_OK)
        outcome = sort_headers(&parsing);
    if (outcome == SIGV4_OK)
        outcome = only_header(&parsing, "authorization", &authorization);
    target_split(request->target, &path, &query);
    if (outcome == SIGV4_OK)
        outcome = parts_of_query(&parsing, query, &parts);
    if (outcome != SIGV4_OK)
        return outcome;

    bool has_parts =
        parts.values[PART_ALGORITHM].data || parts.values[PART_SIGNATURE].data || parts.values[PART_CREDENTIAL].data;

    /* Two signatures could be of two callers. */
    if (authorization.data && has_parts)
        return fail(&parsing, SIGV4_INCOMPLETE,
                    "A request is signed either in its Authorization header or in its query.");
    if (!authorization.data && !has_parts)
        return SIGV4_NONE;
    return has_parts ? parse_query_form(&parsing, &parts) : parse_header_form(&parsing, authorization);
}

/* Signatures for tests/api/sigv4.py: records of requests on stdin, what helenus makes of each on stdout.
 *
 *     in    fields, each a length (4 bytes, big-endian) and that many bytes: method, target, body, secret, service that it is for,
 *           seconds since 1970 in decimal, the number of headers in decimal; then a name and a value for each header
 *     out   fields of the same form: result in decimal, message, canonical request, string to sign, access key, session token
 *
 * Canonical request and string to sign are empty if the signature could not be taken apart.
 */
#include "records.h"
#include "wire/aws/sigv4.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t number(struct arena *arena, struct bytes text)
{
    return strtoll(arena_string(arena, text), NULL, 10);
}

static void answer(struct arena *arena, struct cursor *input)
{
    CLEANUP(buffer_fini) struct buffer canonical = { 0 }, to_sign = { 0 };
    struct sigv4_request request = { .method = field(input), .target = field(input), .body = field(input) };
    struct bytes secret = field(input), service = field(input);
    int64_t now_s = number(arena, field(input));
    uint8_t key[SIGV4_KEY_BYTES];
    struct sigv4 sigv4;

    request.header_count = (uint32_t)number(arena, field(input));

    struct bytes_pair *headers = arena_new_array(arena, struct bytes_pair, request.header_count);

    for (uint32_t i = 0; i < request.header_count; i++) {
        headers[i].name = field(input);
        headers[i].value = field(input);
    }
    request.headers = headers;

    enum sigv4_result result = sigv4_parse(arena, &request, &sigv4);

    if (result == SIGV4_OK) {
        sigv4_canonical(arena, &request, &sigv4, &canonical, &to_sign);
        sigv4_key(secret, sigv4.date, sigv4.region, sigv4.service, key);
        result = sigv4_verify(arena, &request, &sigv4, key, arena_string(arena, service), now_s);
    }
    tell(bytes_of_string(arena_printf(arena, "%d", (int)result)));
    tell(bytes_of_string(sigv4.message));
    tell(buffer_bytes(&canonical));
    tell(buffer_bytes(&to_sign));
    tell(sigv4.access_key);
    tell(sigv4.session_token);
}

int main(void)
{
    CLEANUP(buffer_fini) struct buffer input = { 0 };
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    size_t size;

    while ((size = fread(buffer_reserve(&input, 1 << 20), 1, 1 << 20, stdin)) > 0)
        input.size += size;

    struct cursor cursor = cursor_of(buffer_bytes(&input));

    while (cursor.left) {
        arena_reset(arena);
        answer(arena, &cursor);
        if (cursor.failed) {
            fprintf(stderr, "a record is cut\n");
            return 1;
        }
    }
    return 0;
}

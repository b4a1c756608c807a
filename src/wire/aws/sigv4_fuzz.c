/* Any bytes as a signed request: it is taken apart or refused with a message; what is signed has as many lines as it must have, so no
 * value passes for two; nobody without the key is believed, and whoever has it is. */
#include "types/text.h"
#include "wire/aws/percent.h"
#include "wire/aws/request_bed.h"
#include "wire/aws/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t lines_wanted(const struct sigv4 *sigv4)
{
    uint32_t names = 0;

    for (uint32_t i = 0; i < sigv4->header_count; i++)
        if (sigv4->headers[i].is_signed && (!i || !bytes_equal(sigv4->headers[i - 1].name, sigv4->headers[i].name)))
            names++;
    return names + 6;
}

static void check_canonical(struct arena *arena, const struct sigv4_request *request, const struct sigv4 *sigv4)
{
    CLEANUP(buffer_fini) struct buffer canonical = { 0 }, to_sign = { 0 };
    uint32_t lines = 1;

    sigv4_canonical(arena, request, sigv4, &canonical, &to_sign);
    for (size_t i = 0; i < canonical.size; i++)
        lines += canonical.data[i] == '\n';
    /* s3's paths are signed as they came, and what came in a line has no line's end. */
    if (lines != lines_wanted(sigv4))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    static struct request_bed bed;
    static const uint8_t key[SIGV4_KEY_BYTES];
    struct sigv4 sigv4;

    request_bed_split(bytes_of(data, size), &bed);

    struct sigv4_request request = { bed.method, bed.target, bed.headers, bed.header_count, bed.body };
    enum sigv4_result result = sigv4_parse(arena, &request, &sigv4);

    if ((result == SIGV4_OK || result == SIGV4_NONE) != !sigv4.message[0])
        __builtin_trap();
    if (!text_is_utf8(bytes_of_string(sigv4.message)))
        __builtin_trap();
    if (result != SIGV4_OK)
        return 0;
    check_canonical(arena, &request, &sigv4);
    const char *service = arena_string(arena, sigv4.service);
    if (sigv4_verify(arena, &request, &sigv4, key, service, sigv4.signed_at_s) == SIGV4_OK)
        __builtin_trap();
    return 0;
}

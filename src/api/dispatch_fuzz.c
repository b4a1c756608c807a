/* Any bytes as a request to the API: it is answered with a status below 500 and whole headers, or is no
 * request for an API and leaves the response as it was; names are counted within their bound. */
#include "api/api.h"
#include "wire/aws/request_bed.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_id(void *to, size_t size)
{
    memset(to, 7, size);
}

/* Opened at the first call, and kept. */
static struct api *the_api(void)
{
    static struct api *api; /* kept where leaks are looked for */
    struct api_options options = { .random = same_id };
    struct error err;

    if (!api && api_open(&options, &api, &err)) {
        fprintf(stderr, "%s\n", err.message);
        __builtin_trap();
    }
    return api;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    static struct request_bed bed;
    static struct bytes_pair headers[REQUEST_BED_HEADERS];
    struct http_request request = { .headers = headers, .arena = arena };
    struct http_response response = { .status = 0, .arena = arena };
    bool is_ours;

    request_bed_split(bytes_of(data, size), &bed);
    request.method = bed.method;
    request.body = bed.body;
    request.header_count = bed.header_count;
    for (uint32_t i = 0; i < bed.header_count; i++)
        headers[i] = (struct bytes_pair){ bed.headers[i].name, bed.headers[i].value };
    if (http_request_parse_target(&request, bed.target, 1000))
        return 0; /* the server has refused it */
    is_ours = api_handle(the_api(), &request, &response);
    if (is_ours ? response.status < 200 || response.status >= 500 || response.header_count < 2 || response.is_broken
                : response.status || response.header_count || response.body.size)
        __builtin_trap();
    buffer_fini(&response.body);
    api_print_metrics(the_api(), &response.body);
    if (response.body.size > 16384)
        __builtin_trap();
    buffer_fini(&response.body);
    return 0;
}

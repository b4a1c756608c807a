/* Any bytes as a request to the API: it is answered with a status below 500 and whole headers, or is no
 * request for an API and leaves the response as it was; names are counted within their bound. */
#include "api/api.h"
#include "wire/aws/request_bed.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With ids and names of real ones, which the seeds have. */
#define MODEL                                                                                                               \
    "namespace com.example\nstructure In keyspaceName!:String\nstructure Out said:String\noperation ListTables In -> Out\n" \
    "operation GetCallerIdentity -> Out\n"

static bool answer(struct api_call *call)
{
    tree_set_string(call->arena, call->output, "said", call->caller.region);
    return true;
}

static const struct api_handler handlers[] = { { "ListTables", answer, true }, { "GetCallerIdentity", answer, false } };
static const struct api_service services[] = {
    { "service keyspaces\nid KeyspacesService\nsigning cassandra\nversion 2022-02-10\nprotocols json-1.0 cbor\n" MODEL,
      handlers, 2 },
    { "service sts\nid AWSSecurityTokenServiceV20110615\nsigning sts\nversion 2011-06-15\nprotocols query\nxmlns urn:s\n" MODEL,
      handlers, 2 },
};

static void same_id(void *to, size_t size)
{
    memset(to, 7, size);
}

/* Opened at the first call, and kept. */
static struct api *the_api(void)
{
    static struct api *api; /* kept where leaks are looked for */
    struct api_options options = { .services = services, .service_count = ARRAY_SIZE(services), .random = same_id };
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

/* Any bytes as a request of restJson1: an operation is found or not, its members are read or refused; what was read is written as an
 * answer none of whose headers has a line's end in it. */
#include "wire/aws/percent.h"
#include "wire/aws/request_bed.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char model[] =
    "service s\nid S\nsigning s\nprotocols rest-json\n"
    "list Names of String\nlist Times of Timestamp\nlist Numbers of Integer\nmap Texts of String to String\n"
    "map Parameters of String to Names\ntimestamp Iso iso8601\nstructure Inner a:String b:Blob inner:Inner\n"
    "structure All Name@uri:String q@query(q):String n@query(n):Integer t@query(t):Timestamp d@query(d):Double\n"
    "    l@query(l):Names p@query:Parameters h@header(H):String i@header(I):Long w@header(W):Timestamp s@header(S):Iso\n"
    "    names@header(N):Names times@header(T):Times numbers@header(L):Numbers m@headers(M-):Texts b@header(B):Blob\n"
    "    text:String inner:Inner any:Document\n"
    "structure Payload Name@uri:String data@payload:Blob\nstructure Structured Name@uri:String inner@payload:Inner\n"
    "operation A All at GET /a/{Name} 200 -> All\noperation B All at POST /a/{Name+}/b 200 -> All\n"
    "operation C Payload at POST /c/{Name} 200 -> Payload\noperation D Structured at POST /d/{Name} 200 -> Structured\n";

/* Parsed at the first call, and kept with its arena. */
static struct model_service *service_of(void)
{
    static struct model_service *service;
    static struct arena *arena;
    struct error err;

    if (service)
        return service;
    arena = arena_new(4096);
    if (model_parse(arena, bytes_of_string(model), &service, &err)) {
        fprintf(stderr, "%s\n", err.message);
        __builtin_trap();
    }
    return service;
}

static void check_answer(struct arena *arena, const struct model_operation *operation, const struct tree *tree)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct rest_answer answer;

    rest_write(arena, &body, &answer, operation, tree);
    for (uint32_t i = 0; i < answer.header_count; i++) {
        struct bytes parts[] = { answer.headers[i].name, answer.headers[i].value };

        for (int part = 0; part < 2; part++)
            for (size_t at = 0; at < parts[part].size; at++)
                if (parts[part].data[at] < ' ' || (!part && parts[part].data[at] == ':'))
                    __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    static struct request_bed bed;
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;
    struct bytes query;

    request_bed_split(bytes_of(data, size), &bed);

    struct rest_message message = {
        .method = bed.method, .headers = bed.headers, .header_count = bed.header_count, .body = bed.body
    };

    target_split(bed.target, &message.raw_path, &query);

    const struct model_operation *operation =
        rest_operation_find(arena, service_of(), message.method, message.raw_path);

    if (!operation)
        return 0;

    bool is_read = rest_parameters(arena, query, &message.parameters, &message.parameter_count, &fault) &&
                   rest_read(arena, operation, &message, &tree, &fault);

    if (is_read != (tree != NULL) || is_read == (fault.name != NULL))
        __builtin_trap();
    if (is_read)
        check_answer(arena, operation, tree);
    return 0;
}

/* Any bytes as the body of any request, of every version: decoded or refused; every span lies within the body, and the
 * memory taken is a small multiple of it. */
#include "wire/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes body;

static void check(struct bytes span)
{
    if (!span.data || native_is_unset(span))
        return;
    if (span.data < body.data || span.data + span.size > body.data + body.size)
        __builtin_trap();
}

static void check_values(const struct native_values *values)
{
    for (uint32_t i = 0; i < values->count; i++) {
        check(values->values[i]);
        if (values->names)
            check(values->names[i]);
    }
}

static void check_request(const struct native_request *request)
{
    for (uint32_t i = 0; i < request->payload_count; i++) {
        check(request->payload[i].name);
        check(request->payload[i].value);
    }
    check_values(&request->parameters.values);
    check(request->parameters.paging_state);
    check(request->parameters.keyspace);
    switch (request->header.opcode) {
    case NATIVE_STARTUP:
        for (uint32_t i = 0; i < request->startup.option_count; i++) {
            check(request->startup.options[i].name);
            check(request->startup.options[i].value);
        }
        break;
    case NATIVE_AUTH_RESPONSE: check(request->auth_response.token); break;
    case NATIVE_QUERY: check(request->query.statement); break;
    case NATIVE_PREPARE:
        check(request->prepare.statement);
        check(request->prepare.keyspace);
        break;
    case NATIVE_EXECUTE:
        check(request->execute.id);
        check(request->execute.metadata_id);
        break;
    case NATIVE_BATCH:
        for (uint32_t i = 0; i < request->batch.entry_count; i++) {
            check(request->batch.entries[i].statement);
            check(request->batch.entries[i].id);
            check_values(&request->batch.entries[i].values);
        }
        break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    struct native_request request;
    struct native_header header = { 0 };
    struct error error = { 0 };

    if (size < 3)
        return 0;
    header.version = (uint8_t)(3 + data[0] % 3);
    header.flags = data[1];
    header.opcode = data[2] % 17;
    body = bytes_of(data + 3, size - 3);
    if (native_decode(&header, body, arena, &request, &error) == OK)
        check_request(&request);
    else if (error.status != ERR_PROTOCOL && error.status != ERR_INVALID)
        __builtin_trap();
    if (arena_used(arena) > 4096 + 16 * size)
        __builtin_trap();
    return 0;
}

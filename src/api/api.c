/* The table of services, as it is given: models are parsed, and each operation finds its handler. */
#include "api/api.h"

#include "api/call.h"

#include <assert.h>

enum { ARENA_BYTES = 64 << 10 };

struct api {
    struct arena *arena; /* owned; models and tables lie in it */
    struct model_service **services;
    size_t service_count; /* of those that are parsed */
    struct call_context context;
};

/* A service without handlers is known all the same: what is asked of it is counted by its name, and told
 * in its namespace. By the operations' places in the model, so that a handler is found without a search. A handler whose
 * operation the model does not have is a fault of ours. */
static const struct api_handler *const *table_of(struct arena *arena, const struct model_service *model,
                                                 const struct api_service *service)
{
    const struct api_handler **table = arena_new_array(arena, const struct api_handler *, model->operation_count);

    for (size_t i = 0; i < service->handler_count; i++) {
        const struct model_operation *operation =
            model_operation_find(model, bytes_of_string(service->handlers[i].operation));

        assert(operation && service->handlers[i].handle);
        table[operation->index] = &service->handlers[i];
    }
    return table;
}

/* All or nothing: a server that has half of its services would be taken for one that lost the others. */
enum status api_open(const struct api_options *options, struct api **result, struct error *err)
{
    const struct api_service *services = options->services;
    size_t count = options->service_count;
    struct api *api = xcalloc(1, sizeof(*api));
    const struct api_handler *const **handlers;
    enum status status = OK;

    assert(options->random && services && count);
    api->arena = arena_new(ARENA_BYTES);
    api->services = arena_new_array(api->arena, struct model_service *, count);
    handlers = arena_new_array(api->arena, const struct api_handler *const *, count);
    unknown_init(&api->context.unknown);
    while (!status && api->service_count < count) {
        size_t i = api->service_count;

        status = model_parse(api->arena, bytes_of_string(services[i].model), &api->services[i], err);
        if (!status)
            handlers[api->service_count++] = table_of(api->arena, api->services[i], &services[i]);
    }
    if (status) {
        api_close(api);
        return status;
    }
    api->context.services = (struct dispatch_services){ (const struct model_service *const *)api->services, count };
    api->context.handlers = handlers;
    api->context.body_bytes_max = API_BODY_MAX;
    api->context.random = options->random;
    api->context.of_handlers = options->context;
    api->context.gate = options->gate;
    *result = api;
    return OK;
}

/* What it needs of the table never changes. */
bool api_handle(struct api *api, const struct http_request *request, struct http_response *response)
{
    return call_run(&api->context, request, response);
}

/* What users miss is all that is counted here. */
void api_print_metrics(struct api *api, struct buffer *out)
{
    unknown_print(&api->context.unknown, out);
}

/* The same, name by name. */
void api_each_unknown(struct api *api, void (*each)(void *context, const char *name, uint64_t count), void *context)
{
    unknown_each(&api->context.unknown, each, context);
}

/* Also what api_open could not finish. */
void api_close(struct api *api)
{
    if (!api)
        return;
    for (size_t i = 0; i < api->service_count; i++)
        model_release(api->services[i]);
    unknown_fini(&api->context.unknown);
    arena_free(api->arena);
    free(api);
}

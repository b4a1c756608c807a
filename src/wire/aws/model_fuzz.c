/* Any bytes as a model: read, or refused with a line. Models are ours, but a script writes them. */
#include "wire/aws/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096);
    struct model_service *service = NULL;
    struct error err;

    if (model_parse(arena, bytes_of(data, size), &service, &err)) {
        if (service || memcmp(err.message, "line ", 5) != 0)
            __builtin_trap();
    } else {
        model_release(service);
    }
    arena_free(arena);
    return 0;
}

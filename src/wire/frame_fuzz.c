/* Any bytes as a stream of frames: each is answered, skipped, or waits for more; none is read past its end. */
#include "wire/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    struct bytes input = { data, size };

    for (;;) {
        struct native_header header;
        struct native_request request;
        struct error error = { 0 };
        size_t wanted;
        uint64_t skip;

        if (native_frame_peek(input, 1 << 20, &header, &wanted, &skip, &error) != NATIVE_FRAME_READY)
            break;
        if (wanted > input.size)
            __builtin_trap();
        arena_reset(arena);
        native_decode(&header, bytes_of(input.data + NATIVE_HEADER_BYTES, header.length), arena, &request, &error);
        input = bytes_of(input.data + wanted, input.size - wanted);
    }
    return 0;
}

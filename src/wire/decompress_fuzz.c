/* Any bytes as a compressed body: opened within the limit or refused; what we compress opens to the same bytes. */
#include "wire/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    CLEANUP(buffer_fini) struct buffer packed = { 0 };
    struct error error = { 0 };
    struct bytes result;
    enum native_compression compression;

    if (!size)
        return 0;
    compression = (enum native_compression)(data[0] % 3);
    if (native_decompress(compression, bytes_of(data + 1, size - 1), BODY_BYTES_MAX, arena, &result, &error) == OK &&
        result.size > BODY_BYTES_MAX)
        __builtin_trap();
    if (compression == NATIVE_COMPRESSION_NONE)
        return 0;
    native_compress(compression, bytes_of(data + 1, size - 1), &packed);
    if (native_decompress(compression, buffer_bytes(&packed), BODY_BYTES_MAX, arena, &result, &error) != OK ||
        !bytes_equal(result, bytes_of(data + 1, size - 1)))
        __builtin_trap();
    return 0;
}

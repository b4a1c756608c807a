/* Foreign bytes as a key: what decodes comes back byte for byte when encoded. */
#include "row/key.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer scratch CLEANUP(buffer_fini) = { 0 }, again CLEANUP(buffer_fini) = { 0 };
    struct key_parts parts;
    struct error err;

    if (key_decode(bytes_of(data, size), &scratch, &parts, &err))
        return 0;
    key_encode(&again, &parts);
    assert(bytes_equal(buffer_bytes(&again), bytes_of(data, size)));
    return 0;
}

/* Any bytes as the body of an RPC v2 CBOR request. */
#include "wire/aws/codec_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    codec_bed_round(codec_bed_shape("All"), bytes_of(data, size), cbor_read, cbor_write);
    return 0;
}

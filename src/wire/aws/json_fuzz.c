/* Any bytes as the body of an awsJson request. */
#include "wire/aws/codec_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    codec_bed_round(codec_bed_shape("WithDocument"), bytes_of(data, size), json_read, json_write);
    return 0;
}

/* Any bytes as a log, plain and "encrypted": read to an end or called damaged, never a crash, never outside; and what is written over
 * the beginning is read back. */
#include "store/rocksdb/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status read_bytes(void *context, uint64_t place, uint8_t *raw, uint8_t *plain, size_t size, size_t *got,
                              struct error *err)
{
    const struct bytes *file = context;

    *got = place >= file->size ? 0 : file->size - place < size ? file->size - place : size;
    if (*got) {
        memcpy(raw, file->data + place, *got);
        memcpy(plain, file->data + place, *got);
    }
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    struct bytes file = bytes_of(copy, size);
    struct frame_source source = { read_bytes, &file };
    struct frame_reader reader;
    struct bytes payload;
    struct error err;
    uint64_t bytes;

    memcpy(copy, data, size);
    if (size > FRAME_HEAD_BYTES && size - FRAME_HEAD_BYTES <= FRAME_PAYLOAD_MAX && data[0] & 1)
        frame_write_head(copy, 0, bytes_of(copy + FRAME_HEAD_BYTES, size - FRAME_HEAD_BYTES), 0);
    frame_reader_init(&reader, &source, size);
    while (frame_reader_next(&reader, &payload, &err) == OK && payload.data)
        ;
    frame_reader_fini(&reader);
    frame_reader_init(&reader, &source, size);
    if (frame_reader_payload_bytes(&reader, &bytes, &err) || bytes > size)
        abort();
    frame_reader_fini(&reader);
    free(copy);
    return 0;
}

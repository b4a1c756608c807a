/* Any 4096 bytes as a header: refused, never a crash. Half of the inputs get a right MAC, so that what lies behind it is
 * reached as well. */
#include "store/rocksdb/header.h"

#include <assert.h>
#include <stdlib.h>

static enum status zero_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, 0, KEYS_KEY_BYTES);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys *keys;
    struct keys_provider provider = { zero_master, NULL };
    uint8_t header[FILE_HEADER_BYTES] = { 0 };
    struct file_cipher cipher;
    struct error err;

    if (!keys && keys_open_provider(&provider, &keys, &err))
        abort();
    if (!size)
        return 0;
    memcpy(header, data + 1, size - 1 < sizeof(header) ? size - 1 : sizeof(header));
    if (data[0] & 1) {
        if (file_header_make(keys, data[0] & 2, header, &cipher, &err))
            abort();
        for (size_t i = 1; i < size && i < sizeof(header) - KEYS_MAC_BYTES; i++)
            header[i] ^= data[i];
        keys_mac(keys, KEYS_STORE_FILES, bytes_of(header, sizeof(header) - KEYS_MAC_BYTES),
                 header + sizeof(header) - KEYS_MAC_BYTES);
    }
    (void)file_header_read(keys, header, &cipher, &err);
    file_header_is_unborn(data, size, size);
    return 0;
}

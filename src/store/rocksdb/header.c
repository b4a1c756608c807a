/* The first block of every encrypted file: made when the file is created, checked when it is opened.
 * header.h draws it.
 *
 * Each file has a data key of its own, drawn at random, and the header holds it wrapped under the
 * master key. So the master key encrypts nothing but 32 bytes per file, and a file that is created
 * again over an old name gets another key: no key stream is ever used twice.
 *
 * The checks stand in the order that gives the most useful message: a file of something else, a file
 * of a newer program, another master key, and only then a header that was changed. All but the MAC
 * look at bytes that anybody could have changed; they only choose the words, since nothing is
 * decrypted before the MAC was right. */
#include "store/rocksdb/header.h"

#include <assert.h>

static const uint8_t magic[8] = { 'h', 'e', 'l', 'e', 'n', 'u', 's', 'F' };

enum {
    VERSION_AT = 8,
    KEY_ID_AT = 16,
    WRAPPED_AT = 32,
    IV_AT = 72,
    MAC_AT = FILE_HEADER_BYTES - KEYS_MAC_BYTES,
    VERSION = 1,
    VERSION_FRAMED = 2,
};
static_assert(WRAPPED_AT + KEYS_WRAPPED_BYTES == IV_AT, "the wrapped key ends where the IV begins");

/* Randomness, not a counter, makes keys differ: a directory may be copied, and both copies go on. */
enum status file_header_make(const struct keys *keys, bool framed, uint8_t header[FILE_HEADER_BYTES],
                             struct file_cipher *cipher, struct error *err)
{
    enum status status;

    assert(keys && header && cipher);
    memset(header, 0, FILE_HEADER_BYTES);
    memcpy(header, magic, sizeof(magic));
    store_be32(header + VERSION_AT, framed ? VERSION_FRAMED : VERSION);
    memcpy(header + KEY_ID_AT, keys_id(keys), KEYS_ID_BYTES);
    cipher->framed = framed;
    keys_random(cipher->key, sizeof(cipher->key));
    keys_random(cipher->iv, sizeof(cipher->iv));
    status = keys_wrap(keys, KEYS_STORE_FILES, cipher->key, header + WRAPPED_AT, err);
    if (status)
        return status;
    memcpy(header + IV_AT, cipher->iv, sizeof(cipher->iv));
    keys_mac(keys, KEYS_STORE_FILES, bytes_of(header, MAC_AT), header + MAC_AT);
    return OK;
}

/* *cipher holds a key only if this returns OK. */
enum status file_header_read(const struct keys *keys, const uint8_t header[FILE_HEADER_BYTES],
                             struct file_cipher *cipher, struct error *err)
{
    uint8_t mac[KEYS_MAC_BYTES];
    uint32_t version = load_be32(header + VERSION_AT);

    assert(keys && header && cipher);
    if (memcmp(header, magic, sizeof(magic)))
        return error_set(err, ERR_CORRUPT, "A file of the store does not begin as an encrypted file does");
    if (version != VERSION && version != VERSION_FRAMED)
        return error_set(err, ERR_CONFIG, "A file of the store has format %u: written by a newer program", version);
    if (memcmp(header + KEY_ID_AT, keys_id(keys), KEYS_ID_BYTES))
        return error_set(err, ERR_CONFIG, "The master key is not the one this data was encrypted with");
    keys_mac(keys, KEYS_STORE_FILES, bytes_of(header, MAC_AT), mac);
    if (!keys_mac_equal(mac, header + MAC_AT))
        return error_set(err, ERR_CORRUPT, "The header of a file of the store was changed");
    memcpy(cipher->iv, header + IV_AT, sizeof(cipher->iv));
    cipher->framed = version == VERSION_FRAMED;
    return keys_unwrap(keys, KEYS_STORE_FILES, header + WRAPPED_AT, cipher->key, err);
}

/* What a crash leaves of a file whose creation was not synced: less than a header, or a header's
 * size in zeros. With anything behind the header the file was written, and then its header counts:
 * it may only be damaged. */
bool file_header_is_unborn(const uint8_t *data, size_t size, uint64_t file_bytes)
{
    if (file_bytes < FILE_HEADER_BYTES)
        return true;
    if (file_bytes > FILE_HEADER_BYTES)
        return false;
    assert(size <= FILE_HEADER_BYTES);
    for (size_t i = 0; i < size; i++)
        if (data[i])
            return false;
    return true;
}

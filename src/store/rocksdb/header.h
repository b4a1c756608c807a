/* store/rocksdb/header.h: the first block of every encrypted file.
 *
 *      0  magic "helenusF" (8)
 *      8  version (4, big-endian): 1, or 2: what follows is frames (frame.h)
 *     12  zero (4)
 *     16  key id (16): which master key
 *     32  wrapped data key (40): RFC 3394
 *     72  IV (16): the counter of the first 16 bytes after this block
 *     88  zero
 *   4064  HMAC-SHA256 over the bytes before (32)
 *   4096  the file's bytes, AES-256-CTR
 *
 * Laid down: a change is a new version. The data key is drawn when the file is created (also when it is
 * created over an old one), so no (key, IV) pair occurs twice; and a file's bytes are never written twice at
 * one offset.
 *
 * Errors:  ERR_CONFIG: another master key. ERR_CORRUPT: not such a header, or changed.
 * Thread:  pure.
 */
#ifndef STORE_ROCKSDB_HEADER_H
#define STORE_ROCKSDB_HEADER_H

#include "keys/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FILE_HEADER_BYTES = 4096, FILE_IV_BYTES = 16 };

struct file_cipher {
    uint8_t key[KEYS_KEY_BYTES];
    uint8_t iv[FILE_IV_BYTES];
    bool framed;
};

/* Draws a new data key and IV. */
enum status file_header_make(const struct keys *keys, bool framed, uint8_t header[FILE_HEADER_BYTES],
                             struct file_cipher *cipher, struct error *err);
enum status file_header_read(const struct keys *keys, const uint8_t header[FILE_HEADER_BYTES],
                             struct file_cipher *cipher, struct error *err);
/* A crash between the creation of a file and its first sync leaves less than a header, or zeros in its place:
 * such a file holds nothing that was acknowledged, and counts as empty. */
bool file_header_is_unborn(const uint8_t *data, size_t size, uint64_t file_bytes);

#ifdef __cplusplus
}
#endif

#endif

/* store/rocksdb/frame.h: how a log's bytes lie in its file, so that damage is never taken for a torn end.
 *
 * A log (a WAL, a MANIFEST) is read after a crash though it was never finished. What an append brings is a
 * frame, written in one call:
 *
 *      0  payload bytes (4), 1 to FRAME_PAYLOAD_MAX
 *      4  unsynced bytes (4): how many before this frame were not known to be on the disk when it was written;
 *         2^32 - 1: not said
 *      8  CRC-32 of the payload (4)
 *     12  CRC-32 of the frame's place (8) and the 12 bytes before (4)
 *     16  payload
 *
 * Numbers are big-endian; a place is an offset behind the file's header block. All of it is encrypted as any
 * file's bytes are.
 *
 * A frame that does not pass its checks is
 *   damaged  if a frame behind it says that it was synced;
 *   torn     else, if the file ends in it, or one of its 512-byte sectors is missing: all zeros, as what was
 *            never written reads (of what was encrypted they are the bytes with a chance of 2^-4096; a file
 *            system that shows old bytes instead makes it damaged);
 *   damaged  else: it was written whole.
 * A torn frame was never acknowledged: it is the end. Not seen: a log cut at the end of a frame, and zeros
 * over its last frames.
 *
 * Shapes:  a reader goes through a file once, in windows; what it gives is valid until the next call.
 * Errors:  ERR_CORRUPT: damaged. Else what the source says.
 * Thread:  one per reader.
 */
#ifndef STORE_ROCKSDB_FRAME_H
#define STORE_ROCKSDB_FRAME_H

#include "base/bytes.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FRAME_HEAD_BYTES = 16, FRAME_PAYLOAD_MAX = 64 * 1024, FRAME_SECTOR_BYTES = 512 };
enum { FRAME_WINDOW_BYTES = 4 * FRAME_PAYLOAD_MAX };

/* `unsynced`: place less what is known to be synced. */
void frame_write_head(uint8_t head[FRAME_HEAD_BYTES], uint64_t place, struct bytes payload, uint64_t unsynced);

struct frame_source {
    /* As the file has it, and decrypted. *got < size only at the end. */
    enum status (*read)(void *context, uint64_t place, uint8_t *raw, uint8_t *plain, size_t size, size_t *got,
                        struct error *err);
    void *context; /* borrowed */
};

struct frame_reader {
    struct frame_source source;
    uint64_t size;   /* of the file behind its header block */
    uint64_t place;  /* of the next frame */
    uint64_t window; /* place of the window's first byte */
    size_t window_size;
    uint8_t *raw, *plain; /* owned: the window */
    bool ended;
};

void frame_reader_init(struct frame_reader *reader, const struct frame_source *source, uint64_t size);
void frame_reader_fini(struct frame_reader *reader);
/* The next payload; data NULL: the end, whole or torn. */
enum status frame_reader_next(struct frame_reader *reader, struct bytes *payload, struct error *err);
/* The file has `size` bytes by now. False: no more than before. A reader that had ended, be it in a torn
 * frame, goes on. */
bool frame_reader_grow(struct frame_reader *reader, uint64_t size);
/* How many bytes the payloads of the frames from here on have, as their heads say, up to the first that is
 * not in order. */
enum status frame_reader_payload_bytes(struct frame_reader *reader, uint64_t *bytes, struct error *err);

#ifdef __cplusplus
}
#endif

#endif

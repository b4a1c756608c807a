/* Reads the frames of a log, and tells a torn end from damage; frame.h draws a frame and says the
 * rule.
 *
 * RocksDB's own log cannot tell the two apart: a record's length has no checksum that is checked
 * before it is believed, so one flipped bit makes a record reach beyond the file, which looks as if
 * the machine had stopped while writing it. RocksDB would then open without the rows behind it and
 * say nothing. Frames say how much before them was synced, so a frame that fails its check and is
 * vouched for by a later one is damage, and a start is refused.
 *
 * Two copies of each byte are looked at: as it lies in the file, because only there "never written"
 * shows as zeros, and decrypted. A reader sees a file through a window and never holds all of it. */
#include "store/rocksdb/frame.h"

#include "base/crc.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

enum { SIZE_AT = 0, UNSYNCED_AT = 4, PAYLOAD_CRC_AT = 8, HEAD_CRC_AT = 12 };

/* What a head says, behind its own checksum. */
struct head {
    uint32_t size, unsynced, payload_crc;
};

/* The place is part of it: a frame that a disk put somewhere else, or an old one at the same place,
 * does not pass. */
static uint32_t head_crc(const uint8_t *head, uint64_t place)
{
    uint8_t where[8];

    store_be64(where, place);
    return crc32_more(crc32_more(0, bytes_of(where, sizeof(where))), bytes_of(head, HEAD_CRC_AT));
}

/* Distances of 4 GiB and more are "not said": such a frame vouches for nothing, which is always
 * safe. */
void frame_write_head(uint8_t head[FRAME_HEAD_BYTES], uint64_t place, struct bytes payload, uint64_t unsynced)
{
    assert(payload.size > 0 && payload.size <= FRAME_PAYLOAD_MAX && unsynced <= place);
    store_be32(head + SIZE_AT, (uint32_t)payload.size);
    store_be32(head + UNSYNCED_AT, unsynced < UINT32_MAX ? (uint32_t)unsynced : UINT32_MAX);
    store_be32(head + PAYLOAD_CRC_AT, crc32_more(0, payload));
    store_be32(head + HEAD_CRC_AT, head_crc(head, place));
}

/* False for anything that is not surely a head: sizes are believed only after the checksum. */
static bool read_head(const uint8_t *bytes, uint64_t place, struct head *head)
{
    *head =
        (struct head){ load_be32(bytes + SIZE_AT), load_be32(bytes + UNSYNCED_AT), load_be32(bytes + PAYLOAD_CRC_AT) };
    return head->size > 0 && head->size <= FRAME_PAYLOAD_MAX &&
           load_be32(bytes + HEAD_CRC_AT) == head_crc(bytes, place) &&
           (head->unsynced == UINT32_MAX || head->unsynced <= place);
}

void frame_reader_init(struct frame_reader *reader, const struct frame_source *source, uint64_t size)
{
    *reader = (struct frame_reader){ .source = *source, .size = size };
    assert(source->read && !reader->place);
    reader->raw = xmalloc(FRAME_WINDOW_BYTES);
    reader->plain = xmalloc(FRAME_WINDOW_BYTES);
}

void frame_reader_fini(struct frame_reader *reader)
{
    free(reader->raw);
    free(reader->plain);
}

/* Brings `size` bytes (no more than a window) from `place` on, or those there are, into the window;
 * *at is where in it they stand. A read goes on to the end of a window: frames follow each other. */
static enum status look_at(struct frame_reader *reader, uint64_t place, size_t size, size_t *at, size_t *got,
                           struct error *err)
{
    enum status status = OK;

    assert(size <= FRAME_WINDOW_BYTES);
    if (place >= reader->size)
        size = 0;
    else if (size > reader->size - place)
        size = (size_t)(reader->size - place);
    if (place < reader->window || place + size > reader->window + reader->window_size) {
        reader->window = place;
        reader->window_size = 0;
        status = reader->source.read(reader->source.context, place, reader->raw, reader->plain, FRAME_WINDOW_BYTES,
                                     &reader->window_size, err);
    }
    assert(place >= reader->window && reader->window_size <= FRAME_WINDOW_BYTES);
    *at = (size_t)(place - reader->window);
    *got = size < reader->window_size - *at ? size : reader->window_size - *at;
    return status;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Whether one of the sectors that [place, place + size) lies in was never written, as far as it lies
 * there. A disk writes whole sectors: one of a frame that was on its way reads as zeros. Encrypted
 * bytes are not zeros, so a sector of zeros was never written. */
static enum status misses_sector(struct frame_reader *reader, uint64_t place, size_t size, bool *misses,
                                 struct error *err)
{
    size_t at, got;
    enum status status = look_at(reader, place, size, &at, &got, err);

    *misses = got < size;
    for (size_t done = 0; !status && !*misses && done < size;) {
        size_t part = FRAME_SECTOR_BYTES - (size_t)((place + done) % FRAME_SECTOR_BYTES);

        assert(part > 0 && part <= FRAME_SECTOR_BYTES);
        part = part < size - done ? part : size - done;
        *misses = is_zero(reader->raw + at + done, part);
        done += part;
    }
    return status;
}

/* Whether a frame behind `place` says that what stands there was synced. The size of the damaged
 * frame cannot be believed, so a head is looked for at every byte: its checksum makes a false find
 * one in four billion, and it must also be about this place. Slow, and only done for a file that is
 * damaged or torn. */
static enum status is_testified(struct frame_reader *reader, uint64_t place, bool *testified, struct error *err)
{
    *testified = false;
    for (uint64_t from = place + 1; from + FRAME_HEAD_BYTES <= reader->size;) {
        size_t at, got;
        enum status status = look_at(reader, from, FRAME_WINDOW_BYTES, &at, &got, err);

        if (status || got < FRAME_HEAD_BYTES)
            return status;
        for (size_t i = 0; i + FRAME_HEAD_BYTES <= got; i++) {
            struct head head;

            if (!read_head(reader->plain + at + i, from + i, &head) || head.unsynced == UINT32_MAX)
                continue;
            *testified = from + i - head.unsynced > place;
            if (*testified)
                return OK;
        }
        /* The last bytes of a window may be the begin of a head: they are looked at again. */
        from += got - FRAME_HEAD_BYTES + 1;
    }
    return OK;
}

/* The frame at reader->place does not pass its checks; its first `size` bytes are what is known of
 * it. frame.h has the rule as three cases. */
static enum status end_or_damage(struct frame_reader *reader, size_t size, struct error *err)
{
    uint64_t place = reader->place;
    bool testified, torn;
    enum status status = is_testified(reader, place, &testified, err);

    if (!status)
        status = misses_sector(reader, place, size, &torn, err);
    if (status)
        return status;
    assert(reader->place == place && !reader->ended);
    if (testified || !torn)
        return error_set(err, ERR_CORRUPT, "A log of the store is damaged at byte %llu", (unsigned long long)place);
    reader->ended = true;
    return OK;
}

/* *whole: it passes; else reader->ended, or damage. */
static enum status next_head(struct frame_reader *reader, struct head *head, bool *whole, struct error *err)
{
    size_t at, got;
    enum status status = look_at(reader, reader->place, FRAME_HEAD_BYTES, &at, &got, err);

    *whole = !status && got == FRAME_HEAD_BYTES && read_head(reader->plain + at, reader->place, head);
    return status;
}

/* A payload is given only after both checks, so what RocksDB reads from a log is what was written
 * there. */
enum status frame_reader_next(struct frame_reader *reader, struct bytes *payload, struct error *err)
{
    struct head head;
    bool whole;
    size_t at, got;
    enum status status;

    *payload = (struct bytes){ 0 };
    if (reader->ended || reader->place >= reader->size)
        return OK;
    status = next_head(reader, &head, &whole, err);
    if (status)
        return status;
    if (!whole)
        return end_or_damage(reader, FRAME_HEAD_BYTES, err);
    status = look_at(reader, reader->place, FRAME_HEAD_BYTES + head.size, &at, &got, err);
    if (status)
        return status;
    if (got < FRAME_HEAD_BYTES + head.size ||
        crc32_more(0, bytes_of(reader->plain + at + FRAME_HEAD_BYTES, head.size)) != head.payload_crc)
        return end_or_damage(reader, FRAME_HEAD_BYTES + head.size, err);
    assert(payload->data == NULL && head.size > 0 && head.size <= FRAME_PAYLOAD_MAX);
    *payload = bytes_of(reader->plain + at + FRAME_HEAD_BYTES, head.size);
    reader->place += FRAME_HEAD_BYTES + head.size;
    return OK;
}

/* For who reads the log behind its writer: what looked like a torn end may only have been half of a
 * write. */
bool frame_reader_grow(struct frame_reader *reader, uint64_t size)
{
    assert(reader->place <= reader->size);
    if (size <= reader->size)
        return false;
    reader->size = size;
    reader->ended = false;
    reader->window_size = 0; /* its end may have been half of what is there now */
    return true;
}

/* RocksDB asks for the size of a log as it wrote it, without heads. Heads are believed here,
 * payloads not read. */
enum status frame_reader_payload_bytes(struct frame_reader *reader, uint64_t *bytes, struct error *err)
{
    *bytes = 0;
    while (reader->place < reader->size) {
        struct head head;
        bool whole;
        enum status status = next_head(reader, &head, &whole, err);

        if (status)
            return status;
        if (!whole || head.size + FRAME_HEAD_BYTES > reader->size - reader->place)
            return OK;
        assert(whole);
        *bytes += head.size;
        reader->place += FRAME_HEAD_BYTES + head.size;
    }
    return OK;
}

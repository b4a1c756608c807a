/* table/command.h: shard commands as flat bytes.
 *
 *     apply: kind (1) | flags (1) | table id (8) | schema version (8) | token (8) | now_s (8) |
 *            partition key: size (4), bytes | fragment count (4) |
 *            per fragment: key kind (1) | bounds (1) | clustering: size (4), bytes |
 *                          end: size (4), bytes | fragment: size (4), bytes
 *     cas:   the same, then part count (4) |
 *            per part: kind (1) | is_static (1) | clustering: size (4), bytes | condition count (4) |
 *            per condition: column id (4) | op (1) | path: size (4; -1: none), bytes | value count (4) |
 *                           values: size (4; -1: null), bytes
 *     add:   as apply; cells of kind counter carry what to add: 8 bytes, signed
 *     group: kind (1) | flags (1; GROUP_...) | timestamp (8) | part count (4) |
 *            per part: size (4), an apply; or an add, without flags |
 *            with GROUP_INTENT: the parts of other shards: size (4), then per part: size (4), an apply
 *     forget intent, forget marker: kind (1) | flags (1) | the batch's timestamp (8); see batch_log.h
 *     remove: kind (1) | flags (1) | table id (8)
 *     read:  kind (1) | flags (1; READ_...) | table id (8) | schema version (8) | token (8) |
 *            last token (8) | now_s (8) |
 *            partition key, after partition, after clustering: size (4; -1: none), bytes |
 *            rows (4) | rows per partition (4) | bytes (4) | tombstones (4) | slice count (4) |
 *            per slice: bounds (1) | start: size (4; -1: none), bytes | end: size (4; -1: none), bytes
 *     sweep: kind (1) | flags (1) | a number (8): 0 goes on, else a round begins. One step; `applied` says
 *            whether the round goes on
 *
 * Fragments are encoded when the command is built (row/fragment.h): the owner only copies them, and stamps the copy.
 *
 * Errors:  decoding: ERR_CORRUPT for what does not fit.
 * Thread:  pure.
 */
#ifndef TABLE_COMMAND_H
#define TABLE_COMMAND_H

#include "table/table.h"

enum command_kind {
    COMMAND_APPLY = 1,
    COMMAND_CAS,
    COMMAND_REMOVE,
    COMMAND_READ = 6,
    COMMAND_SWEEP,
    COMMAND_ADD,
    COMMAND_GROUP,
    COMMAND_FORGET_INTENT,
    COMMAND_FORGET_MARKER
};
enum {
    COMMAND_DURABLE = 1,
    GROUP_INTENT = 2,   /* other shards have parts too: they are to be remembered */
    GROUP_MARKED = 4,   /* a part of a batch that was remembered under this timestamp; else the owner stamps */
    COMMAND_PLACES = 8, /* some fragments have asked cells: row/place.h */
    GROUP_LOOSE = 16,   /* parts of tables that are gone are left out; else they refuse the group */
};
enum { GROUP_HEADER_BYTES = 1 + 1 + 8 + 4 };
enum {
    READ_AFTER_PARTITION_INCLUSIVE = 1,
    READ_AFTER_STATIC = 2,
    READ_SLICES_ARE_ROWS = 4,
    READ_REVERSED = 8,
    READ_ROWS = 16,
    READ_STATIC = 32,
    READ_FLAGS_ALL = 63
};
enum { BOUND_START_INCLUSIVE = 1, BOUND_END_INCLUSIVE = 2, BOUND_PLACES = 4 /* of a row: it has asked cells */ };

/* A cursor over a command; failed is set by the first read past the end, and everything after it is zero. */
struct command_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct command_header {
    enum command_kind kind;
    bool durable;
    bool has_places;
    uint8_t flags;
    uint64_t table_id; /* or what stands in its place */
    uint64_t schema_version;
    int64_t token;
    int64_t now_s;
    struct bytes partition_key;
    uint32_t fragment_count;
    bool may_wait;       /* not of the bytes: whether who runs it waits for what it reads, or answers ERR_WOULD_WAIT */
    uint32_t part_count; /* of a group; of a removal, ranges of table ids: first (8), end (8) */
};

struct command_fragment {
    uint8_t kind;
    uint8_t bounds;
    struct bytes clustering;
    struct bytes clustering_end;
    struct bytes fragment; /* encoded */
};

uint8_t command_read_u8(struct command_reader *reader);
uint32_t command_read_u32(struct command_reader *reader);
struct bytes command_read_bytes(struct command_reader *reader); /* size -1: NULL data */

enum status command_read_header(struct command_reader *reader, struct bytes command, struct command_header *header,
                                struct error *err);
/* An apply into a group, which is begun if it is empty. */
void table_group_add_encoded(struct buffer *group, struct bytes apply, bool durable);

uint64_t command_read_u64(struct command_reader *reader);
void command_read_fragment(struct command_reader *reader, struct command_fragment *fragment);
/* Appends one as it was read, but its contents. */
void command_append_fragment(struct buffer *out, const struct command_fragment *fragment, const struct row *row);

#endif

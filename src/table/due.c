/* Keys and entries of the due list: how the sweeper finds tombstones in the order in which they
 * become old enough. due.h draws them and says why the order is by table, then by age.
 *
 * An entry's key holds all of the tombstone's own key but its table, which stands in front already.
 * So an entry can be made from the tombstone and the tombstone from the entry, and neither can be
 * lost alone: they are written in one batch. */
#include "table/due.h"

#include <assert.h>
#include <string.h>

enum { DUE_HEAD_BYTES = 12, DUE_VERSION = 1 };
static_assert(DUE_HEAD_BYTES + 8 == DUE_KEY_BYTES, "an entry is longer than its tombstone's key by this");

/* Table id 0 is no table's: there lie the shard's own records. */
static const uint8_t due_head[DUE_HEAD_BYTES] = { 0, 0, 0, 0, 0, 0, 0, 0, 'd', 'u', 'e', 0 };

void due_encode_table(struct buffer *out, uint64_t table_id)
{
    buffer_append(out, due_head, DUE_HEAD_BYTES);
    buffer_append_be64(out, table_id);
}

/* The sign is flipped so that seconds before 1970, which a test or a wrong clock may give, sort
 * first. */
void due_encode(struct buffer *out, struct bytes tombstone_key, int64_t deleted_s)
{
    assert(tombstone_key.size >= KEY_PREFIX_BYTES);
    due_encode_table(out, load_be64(tombstone_key.data));
    buffer_append_be64(out, (uint64_t)deleted_s ^ (UINT64_C(1) << 63));
    buffer_append(out, tombstone_key.data + 8, tombstone_key.size - 8);
}

struct bytes due_value(void)
{
    static const uint8_t version = DUE_VERSION;

    return bytes_of(&version, 1);
}

/* The end is the head with its last byte one higher. */
void due_encode_bounds(struct buffer *first, struct buffer *end)
{
    assert(!first->size && !end->size);
    buffer_append(first, due_head, DUE_HEAD_BYTES);
    buffer_append(end, due_head, DUE_HEAD_BYTES);
    end->data[DUE_HEAD_BYTES - 1]++;
}

/* For entries from the store. Of a version that is not ours an entry is left alone: a later program
 * may need it. */
bool due_decode(struct arena *arena, struct bytes key, struct bytes value, struct due_entry *entry)
{
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };
    struct key_parts parts;
    struct error ignored;
    uint8_t *tombstone;

    if (key.size < DUE_KEY_BYTES + KEY_PREFIX_BYTES || value.size != 1 || value.data[0] != DUE_VERSION)
        return false;
    entry->key = arena_copy(arena, key);
    entry->table_id = load_be64(key.data + DUE_HEAD_BYTES);
    entry->deleted_s = (int64_t)(load_be64(key.data + DUE_HEAD_BYTES + 8) ^ (UINT64_C(1) << 63));
    tombstone = arena_alloc(arena, key.size - DUE_KEY_BYTES);
    store_be64(tombstone, entry->table_id);
    memcpy(tombstone + 8, key.data + DUE_KEY_BYTES + 8, key.size - DUE_KEY_BYTES - 8);
    entry->tombstone = bytes_of(tombstone, key.size - DUE_KEY_BYTES);
    if (key_decode(entry->tombstone, &scratch, &parts, &ignored))
        return false;
    assert(parts.kind >= KEY_PARTITION && parts.kind <= KEY_ROW);
    entry->kind = parts.kind;
    entry->partition = bytes_of(tombstone, entry->tombstone.size - parts.clustering.size - 1);
    return true;
}

/* For a reshard, which moves an entry to the shard where its tombstone goes. */
bool due_position(struct bytes key, uint64_t *position)
{
    if (key.size < DUE_KEY_BYTES + KEY_PREFIX_BYTES || memcmp(key.data, due_head, DUE_HEAD_BYTES))
        return false;
    *position = load_be64(key.data + DUE_KEY_BYTES + 8);
    return true;
}

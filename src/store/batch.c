/* A batch: the operations of one write, in their order, and reading through a batch that is not yet
 * written.
 *
 * All operations lie one after another in one buffer, because a batch is built, written and cleared
 * for each turn of an owner: no memory is taken for a single operation. Both bodies of the store
 * take the same batch, so a test can give one to each and compare.
 *
 * An owner decides each command on what the commands before it in its turn have written. Those lie
 * only in the batch, so reads go through it: store_get_through. An index of key hashes makes that
 * cheap; it is built only when somebody looks something up, since most turns never do. */
#include "store/store.h"

#include "base/debug.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>

/* One operation. Offsets, not pointers: the buffer moves when it grows. */
struct op_entry {
    uint32_t kind : 8;
    uint32_t family : 8;
    uint32_t key_size;
    uint32_t value_size;
    size_t offset; /* of the key in the buffer; the value follows */
};

struct store_batch {
    struct buffer bytes;      /* owned */
    struct op_entry *entries; /* owned */
    size_t count;
    size_t capacity;
    bool has_range; /* some delete_range was added since the last clear */
    /* Chains of operations with the same hash, newest first; built up to `indexed` by lookups. Values are index + 1. */
    uint32_t *heads; /* owned, head_count of them, a power of two */
    uint32_t *chain; /* owned, capacity of them */
    size_t head_count;
    size_t chain_capacity;
    size_t indexed;
    uint64_t seed; /* of the hashes: clients choose keys, and shall not choose which of them share a chain */
};

/* The seed is random for each batch: the keys are clients' own. */
struct store_batch *store_batch_new(void)
{
    struct store_batch *batch = xcalloc(1, sizeof(*batch));

    random_bytes(&batch->seed, sizeof(batch->seed));
    return batch;
}

void store_batch_free(struct store_batch *batch)
{
    if (!batch)
        return;
    buffer_fini(&batch->bytes);
    free(batch->entries);
    free(batch->heads);
    free(batch->chain);
    free(batch);
}

/* The index is thrown away whenever operations go: chains have no way back. */
static void forget_index(struct store_batch *batch)
{
    if (batch->indexed)
        memset(batch->heads, 0, batch->head_count * sizeof(*batch->heads));
    assert(batch->indexed <= batch->chain_capacity);
    batch->indexed = 0;
}

void store_batch_clear(struct store_batch *batch)
{
    buffer_reset(&batch->bytes);
    batch->count = 0;
    batch->has_range = false;
    forget_index(batch);
}

/* Every operation comes through here. Key and value are copied: the caller's bytes may be of a
 * command that is released before the batch is written. */
static void add(struct store_batch *batch, enum store_op_kind kind, enum store_family family, struct bytes key,
                struct bytes value)
{
    struct op_entry *entry;

    assert(key.size <= UINT32_MAX && value.size <= UINT32_MAX);
    assert(kind <= STORE_LOG_DATA && (int)family < STORE_FAMILY_COUNT);
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? batch->capacity * 2 : 64;
        batch->entries = xrealloc(batch->entries, batch->capacity * sizeof(*batch->entries));
    }
    assert(batch->count < batch->capacity);
    entry = &batch->entries[batch->count++];
    *entry = (struct op_entry){ kind, family, (uint32_t)key.size, (uint32_t)value.size, batch->bytes.size };
    buffer_append_bytes(&batch->bytes, key);
    buffer_append_bytes(&batch->bytes, value);
}

void store_batch_put(struct store_batch *batch, enum store_family family, struct bytes key, struct bytes value)
{
    add(batch, STORE_PUT, family, key, value);
}

void store_batch_merge(struct store_batch *batch, enum store_family family, struct bytes key, struct bytes operand)
{
    add(batch, STORE_MERGE, family, key, operand);
}

void store_batch_delete(struct store_batch *batch, enum store_family family, struct bytes key)
{
    add(batch, STORE_DELETE, family, key, bytes_of(NULL, 0));
}

/* The flag keeps lookups right and cheap: a range touches keys that no hash leads to, so with one in
 * the batch the index is not used. */
void store_batch_delete_range(struct store_batch *batch, enum store_family family, struct bytes first, struct bytes end)
{
    assert(bytes_compare(first, end) <= 0);
    batch->has_range = true;
    add(batch, STORE_DELETE_RANGE, family, first, end);
}

/* Without a key and in no family: who reads the log gets it, the key space knows nothing of it. */
void store_batch_log_data(struct store_batch *batch, struct bytes data)
{
    add(batch, STORE_LOG_DATA, STORE_DATA, bytes_of(NULL, 0), data);
}

/* An operation as it is, of another batch or of the log. */
void store_batch_add(struct store_batch *batch, const struct store_op *op)
{
    assert(op->kind != STORE_LOG_DATA || !op->key.size);
    batch->has_range |= op->kind == STORE_DELETE_RANGE;
    add(batch, op->kind, op->family, op->key, op->value);
}

size_t store_batch_count(const struct store_batch *batch)
{
    return batch->count;
}

/* Keys and values alone: what a turn is bounded by. */
size_t store_batch_bytes(const struct store_batch *batch)
{
    return batch->bytes.size;
}

/* Borrowed until something is added: the bytes may move then. */
struct store_op store_batch_at(const struct store_batch *batch, size_t index)
{
    const struct op_entry *entry = &batch->entries[index];
    const uint8_t *at = batch->bytes.data ? batch->bytes.data + entry->offset : NULL;

    debug_assert(index < batch->count);
    debug_assert(entry->offset + entry->key_size + entry->value_size <= batch->bytes.size);
    return (struct store_op){ entry->kind, entry->family, bytes_of(at, entry->key_size),
                              bytes_of(at ? at + entry->key_size : NULL, entry->value_size) };
}

/* How a command that failed leaves no trace: its operations were the last. has_range stays set,
 * though a range may have gone: that only makes lookups slower until the batch is cleared. */
void store_batch_truncate(struct store_batch *batch, size_t count)
{
    assert(count <= batch->count);
    if (count == batch->count)
        return;
    assert(batch->entries[count].offset <= batch->bytes.size);
    batch->bytes.size = batch->entries[count].offset;
    batch->count = count;
    forget_index(batch);
}

/* For who must know whether a partition was written in this turn. Goes through all of the batch: it
 * is asked seldom. */
bool store_batch_touches(const struct store_batch *batch, enum store_family family, struct bytes prefix)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_op op = store_batch_at(batch, i);

        if (op.family != family || op.kind == STORE_LOG_DATA)
            continue;
        if (bytes_starts_with(op.key, prefix))
            return true;
        /* Keys with the prefix begin at `prefix`: the range covers some of them if it starts before and ends
         * behind it. */
        if (op.kind == STORE_DELETE_RANGE && bytes_compare(op.key, prefix) < 0 && bytes_compare(prefix, op.value) < 0)
            return true;
    }
    return false;
}

/* Folded to 32 bits: the chains' heads are numbers of 32 bits. */
static uint32_t hash_key(const struct store_batch *batch, enum store_family family, struct bytes key)
{
    uint64_t hash = hash_seeded(batch->seed + family, key);

    return (uint32_t)(hash ^ hash >> 32);
}

/* Enters what was added since the last lookup. The index is a cache of the batch: looking up does
 * not change what the batch says, so it is allowed on a batch that is const to its reader (collect). */
static void extend_index(struct store_batch *batch)
{
    if (batch->chain_capacity < batch->capacity) {
        batch->chain = xrealloc(batch->chain, batch->capacity * sizeof(*batch->chain));
        batch->chain_capacity = batch->capacity;
    }
    if (batch->head_count < batch->capacity) {
        free(batch->heads);
        batch->head_count = batch->capacity; /* 64 doubled: a power of two */
        batch->heads = xcalloc(batch->head_count, sizeof(*batch->heads));
        batch->indexed = 0;
    }
    assert(batch->head_count >= batch->capacity && (batch->head_count & (batch->head_count - 1)) == 0);
    for (; batch->indexed < batch->count; batch->indexed++) {
        struct store_op op = store_batch_at(batch, batch->indexed);
        uint32_t *head = &batch->heads[hash_key(batch, op.family, op.key) & (batch->head_count - 1)];

        batch->chain[batch->indexed] = *head;
        *head = (uint32_t)batch->indexed + 1;
    }
}

/* The operations on one key, oldest first, that count: those after the last put or delete. */
struct key_ops {
    bool replaced; /* a put or delete hides what the store has */
    bool has_base; /* base is the put's value */
    struct bytes base;
    struct bytes *operands; /* owned */
    size_t operand_count;
};

/* Finds what the batch says of one key, from the newest operation back to the last put or delete:
 * what lies before that one no longer counts. The operands are found newest first and turned round
 * at the end. */
static void collect(struct store_batch *batch, enum store_family family, struct bytes key, struct key_ops *ops)
{
    size_t capacity = 0;
    uint32_t at = 0;

    *ops = (struct key_ops){ 0 };
    if (!batch->count)
        return;
    if (!batch->has_range) {
        extend_index(batch);
        at = batch->heads[hash_key(batch, family, key) & (batch->head_count - 1)];
    }
    /* With ranges in it (DROP, TRUNCATE: rare) the batch is read back to front. */
    for (size_t i = batch->has_range ? batch->count : at; i; i = batch->has_range ? i - 1 : batch->chain[i - 1]) {
        struct store_op op = store_batch_at(batch, i - 1);

        if (op.family != family || op.kind == STORE_LOG_DATA)
            continue;
        if (op.kind == STORE_DELETE_RANGE) {
            if (bytes_compare(op.key, key) > 0 || bytes_compare(key, op.value) >= 0)
                continue;
            ops->replaced = true;
            break;
        }
        if (!bytes_equal(op.key, key))
            continue;
        if (op.kind == STORE_MERGE) {
            if (ops->operand_count == capacity) {
                capacity = capacity ? capacity * 2 : 8;
                ops->operands = xrealloc(ops->operands, capacity * sizeof(*ops->operands));
            }
            ops->operands[ops->operand_count++] = op.value;
            continue;
        }
        ops->replaced = true;
        ops->has_base = op.kind == STORE_PUT;
        ops->base = op.value;
        break;
    }
    assert(ops->operand_count <= batch->count && (!ops->has_base || ops->replaced));
    for (size_t i = 0; i < ops->operand_count / 2; i++) {
        struct bytes swap = ops->operands[i];
        ops->operands[i] = ops->operands[ops->operand_count - 1 - i];
        ops->operands[ops->operand_count - 1 - i] = swap;
    }
}

/* The store is asked only if the batch does not hide what it has. An empty value is a value: it gets
 * a pointer that is not NULL, since NULL means "there is none" to the semantics. */
enum status store_get_through(const struct store_ops *ops, struct store *store, const struct store_semantics *semantics,
                              const struct store_batch *batch, enum store_family family, struct bytes key,
                              const struct store_read_options *options, struct buffer *result, bool *found,
                              struct error *err)
{
    struct key_ops pending;
    struct store_value value = { 0 };
    struct bytes base = { NULL, 0 };
    enum status status = OK;

    collect((struct store_batch *)batch, family, key, &pending);
    *found = false;
    if (pending.replaced) {
        if (pending.has_base)
            base = pending.base.size ? pending.base : bytes_of("", 0);
    } else {
        status = ops->get(store, family, key, options, &value, err);
        if (status == OK)
            base = value.bytes.size ? value.bytes : bytes_of("", 0);
        else if (status != ERR_NOT_FOUND)
            goto release;
        status = OK;
    }
    assert(!pending.operand_count || semantics->merge);
    if (pending.operand_count) {
        semantics->merge(semantics->context, key, base, pending.operands, pending.operand_count, result);
        *found = true;
    } else if (base.data) {
        buffer_append_bytes(result, base);
        *found = true;
    }
release:
    store_value_release(&value);
    free(pending.operands);
    return status;
}

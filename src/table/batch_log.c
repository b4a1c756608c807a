/* Makes a logged batch over several shards all or nothing: its records, forgetting one that is done,
 * and finishing what was left. batch_log.h draws the records and the order of the steps, and says
 * why that order is enough.
 *
 * In short: the first shard writes its part together with an intent that holds all other parts. From
 * that one synced write on the batch will be whole, whatever happens: whoever finds the intent
 * applies the parts that have no marker yet. A marker beside each applied part keeps it from being
 * applied again. */
#include "table/batch_log.h"

#include "base/log.h"
#include "base/memory.h"
#include "table/command.h"
#include "table/shard.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PREFIX_BYTES = 16, ID_BYTES = 8, FORMAT = 1 };
static_assert(PREFIX_BYTES + ID_BYTES == BATCH_LOG_KEY_BYTES, "a key is a prefix and an id");

/* Table id 0: the shard's own records. The prefixes are part of the format on disk. */
static const uint8_t intents[PREFIX_BYTES] = { 0, 0, 0, 0, 0, 0, 0, 0, 'b', 'a', 't', 'c', 'h' };
static const uint8_t markers[PREFIX_BYTES] = { 0, 0, 0, 0, 0, 0, 0, 0, 'a', 'p', 'p', 'l', 'i', 'e', 'd' };

/* ---- records ---- */

/* In the order of timestamps, so a scan meets the oldest batch first. */
static struct bytes key_of(const uint8_t *prefix, int64_t timestamp_us, uint8_t key[BATCH_LOG_KEY_BYTES])
{
    memcpy(key, prefix, PREFIX_BYTES);
    store_be64(key + PREFIX_BYTES, (uint64_t)timestamp_us);
    return bytes_of(key, BATCH_LOG_KEY_BYTES);
}

struct bytes batch_log_intent_key(int64_t timestamp_us, uint8_t key[BATCH_LOG_KEY_BYTES])
{
    return key_of(intents, timestamp_us, key);
}

struct bytes batch_log_marker_key(int64_t timestamp_us, uint8_t key[BATCH_LOG_KEY_BYTES])
{
    return key_of(markers, timestamp_us, key);
}

/* The parts follow as they came from the port. */
void batch_log_encode_intent(struct buffer *value, struct bytes parts)
{
    assert(!value->size);
    buffer_append_u8(value, FORMAT);
    buffer_append_bytes(value, parts);
}

struct bytes batch_log_marker_value(void)
{
    static const uint8_t format = FORMAT;

    return bytes_of(&format, 1);
}

/* Through the batch: the same part may come twice in one turn. */
enum status batch_log_has_marker(struct shard *shard, const struct store_batch *batch, int64_t timestamp_us,
                                 bool may_wait, bool *has, struct error *err)
{
    struct store_read_options options = { .may_wait = may_wait };
    struct buffer value CLEANUP(buffer_fini) = { 0 };
    uint8_t key[BATCH_LOG_KEY_BYTES];

    return store_get_through(shard->ops, shard->store, &shard->space->semantics, batch, STORE_DATA,
                             key_of(markers, timestamp_us, key), &options, &value, has, err);
}

/* For a reshard, which refuses a directory where a batch is not finished. */
bool batch_log_has_key(struct bytes key)
{
    struct bytes prefix = bytes_of(key.data, PREFIX_BYTES);

    return key.size == BATCH_LOG_KEY_BYTES && (bytes_equal(prefix, bytes_of(intents, PREFIX_BYTES)) ||
                                               bytes_equal(prefix, bytes_of(markers, PREFIX_BYTES)));
}

/* For tests that end the process at each step. */
void table_batch_reached(struct table_port *port, const char *step)
{
    const struct table_space_options *options = &port->space->options;

    if (__builtin_expect(options->reached != NULL, 0))
        options->reached(options->context, step);
}

/* ---- forgetting a finished batch ---- */

/* Owned by the requests that are under way: the intent's, then the markers'. */
struct forgetting {
    struct table_port *port;
    uint32_t shard_count, left;
    bool intent_is_gone;
    struct error err;
    struct forget_part {
        struct table_request request;
        struct forgetting *whole;
        uint8_t command[1 + 1 + ID_BYTES];
        struct error err;
    } parts[]; /* [shard_count]; the first is the intent's */
};

static void forget(struct forgetting *forgetting, uint32_t i, enum command_kind kind);

/* One of the records is gone. The markers may go only after the intent: as long as it is there, a
 * start would apply the parts again, and needs them to know that it need not. */
static void forgotten(struct table_request *request)
{
    struct forgetting *forgetting = CONTAINER_OF(request, struct forget_part, request)->whole;
    bool failed = request->status != OK;

    assert(forgetting->left);
    forgetting->left--;
    if (failed) /* an intent that stays is met again; a marker that stays is met at the next start */
        table_batch_is_unfinished(forgetting->port);
    if (!failed)
        table_batch_reached(forgetting->port, forgetting->intent_is_gone ? "unmarked" : "forgotten");
    if (!failed && !forgetting->intent_is_gone) {
        forgetting->intent_is_gone = true;
        for (uint32_t i = 1; i < forgetting->shard_count; i++)
            forget(forgetting, i, COMMAND_FORGET_MARKER);
    }
    if (!forgetting->left)
        free(forgetting);
}

static void forget(struct forgetting *forgetting, uint32_t i, enum command_kind kind)
{
    assert(i < forgetting->shard_count && (i == 0) == (kind == COMMAND_FORGET_INTENT));
    forgetting->parts[i].command[0] = (uint8_t)kind;
    forgetting->parts[i].command[1] = kind == COMMAND_FORGET_INTENT ? COMMAND_DURABLE : 0;
    if (table_submit(forgetting->port, &forgetting->parts[i].request, &forgetting->err) == OK)
        forgetting->left++;
    else
        table_batch_is_unfinished(forgetting->port);
}

/* Goes on by itself after the client was answered: nobody waits for it. What cannot be forgotten now
 * (a full ring, a full disk) does no harm, and is met again. */
void table_batch_forget(struct table_port *port, int64_t timestamp_us, const int64_t *tokens, uint32_t count)
{
    struct forgetting *forgetting = xcalloc(1, sizeof(*forgetting) + count * sizeof(forgetting->parts[0]));

    assert(count > 1); /* what one shard has whole needs no intent */
    forgetting->port = port;
    forgetting->shard_count = count;
    for (uint32_t i = 0; i < count; i++) {
        store_be64(forgetting->parts[i].command + 2, (uint64_t)timestamp_us);
        forgetting->parts[i].whole = forgetting;
        forgetting->parts[i].request = (struct table_request){
            .command = bytes_of(forgetting->parts[i].command, sizeof(forgetting->parts[i].command)),
            .token = tokens[i],
            .done = forgotten,
            .error = &forgetting->parts[i].err,
        };
    }
    forget(forgetting, 0, COMMAND_FORGET_INTENT);
    if (!forgetting->left)
        free(forgetting);
}

/* ---- finishing what was left ---- */

/* Any token of the shard. */
static int64_t token_in(const struct table_space *space, uint32_t shard)
{
    return (int64_t)(shard_first_position(space->shard_count, shard) ^ UINT64_C(1) << 63);
}

/* As table_batch_forget does it, for who may wait. */
static enum status send_forget(struct table_port *port, uint32_t shard, enum command_kind kind, int64_t timestamp_us,
                               bool durable, struct error *err)
{
    uint8_t command[1 + 1 + ID_BYTES] = { (uint8_t)kind, durable ? COMMAND_DURABLE : 0 };

    store_be64(command + 2, (uint64_t)timestamp_us);
    return table_apply_wait(port, bytes_of(command, sizeof(command)), token_in(port->space, shard), err);
}

/* The parts of an intent into a group for each shard. Where a part belongs follows from its token:
 * the number of shards may be another one since (reshard). */
static enum status divide(const struct table_space *space, struct bytes value, struct buffer *groups, struct error *err)
{
    struct command_reader reader = { value.data + 1, value.data + value.size, false };

    if (!value.size || value.data[0] != FORMAT)
        return error_set(err, ERR_CORRUPT, "an intent of a batch of format %d", value.size ? value.data[0] : -1);
    while (reader.at < reader.end) {
        struct bytes command = command_read_bytes(&reader);
        struct command_reader part;
        struct command_header header;
        enum status status = command_read_header(&part, command, &header, err);

        if (status || reader.failed || header.kind != COMMAND_APPLY)
            return status ? status : error_set(err, ERR_CORRUPT, "an intent of a batch is cut short");
        table_group_add_encoded(&groups[shard_of_token(space, header.token)], command, header.durable);
    }
    return OK;
}

/* Each shard applies its group in one write, or finds its marker and does nothing. */
static enum status apply_groups(struct table_port *port, int64_t timestamp_us, struct buffer *groups, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < port->space->shard_count && !status; i++) {
        if (!groups[i].size)
            continue;
        assert(groups[i].size > GROUP_HEADER_BYTES);
        table_group_set_batch(&groups[i], timestamp_us);
        status = table_apply_wait(port, buffer_bytes(&groups[i]), token_in(port->space, i), err);
        if (!status)
            table_batch_reached(port, "finished part");
    }
    return status;
}

/* Finishes one batch, up to forgetting its records. */
static enum status apply_intent(struct table_port *port, int64_t timestamp_us, struct bytes value, struct error *err)
{
    uint32_t count = port->space->shard_count;
    struct buffer *groups = xcalloc(count, sizeof(*groups));
    enum status status = divide(port->space, value, groups, err);

    if (!status)
        status = apply_groups(port, timestamp_us, groups, err);
    for (uint32_t i = 0; i < count; i++)
        buffer_fini(&groups[i]);
    free(groups);
    return status;
}

/* Forgets the intents of a shard whose parts are all applied. Only the last of them is synced: a
 * later sync brings the earlier ones along. Then their markers, which need none. */
static enum status forget_applied(struct table_port *port, uint32_t shard, struct bytes timestamps, struct error *err)
{
    enum status status = OK;

    assert(timestamps.size % ID_BYTES == 0);
    if (timestamps.size)
        table_batch_reached(port, "finished");
    for (size_t at = 0; at < timestamps.size && !status; at += ID_BYTES) {
        status = send_forget(port, shard, COMMAND_FORGET_INTENT, (int64_t)load_be64(timestamps.data + at),
                             at + ID_BYTES == timestamps.size, err);
        table_batch_reached(port, "finished and forgotten");
    }
    for (uint32_t i = 0; i < port->space->shard_count; i++)
        for (size_t at = 0; at < timestamps.size && !status && i != shard; at += ID_BYTES) {
            status = send_forget(port, i, COMMAND_FORGET_MARKER, (int64_t)load_be64(timestamps.data + at), false, err);
            table_batch_reached(port, "finished and unmarked");
        }
    return status;
}

/* The first record of a kind from `from` on; *found false: none. A scan for each record: between two
 * of them the batch log changes, and a scan would show it as it was. */
static enum status next_record(struct shard *shard, const uint8_t *prefix, uint64_t from, bool *found,
                               uint64_t *timestamp_us, struct buffer *value, struct error *err)
{
    uint8_t lower[BATCH_LOG_KEY_BYTES], upper[PREFIX_BYTES];
    struct store_scan_options options = { .family = STORE_DATA,
                                          .lower = key_of(prefix, (int64_t)from, lower),
                                          .upper = bytes_of(upper, sizeof(upper)),
                                          .may_wait = true };
    struct store_scan *scan;
    enum status status;

    *found = false;
    memcpy(upper, prefix, PREFIX_BYTES);
    upper[PREFIX_BYTES - 1]++;
    status = shard->ops->scan_open(shard->store, &options, &scan, err);
    if (status)
        return status;
    status = shard->ops->scan_first(scan, err);
    if (!status && scan->valid && scan->key.size == BATCH_LOG_KEY_BYTES) {
        *found = true;
        *timestamp_us = load_be64(scan->key.data + PREFIX_BYTES);
        buffer_reset(value);
        buffer_append_bytes(value, scan->value);
    }
    store_scan_close(scan);
    return status;
}

/* The first error is what the caller hears, and the rest goes on. */
static void keep_first(enum status *first, enum status status, struct error *err, const struct error *error)
{
    if (!status || *first)
        return;
    *first = status;
    *err = *error;
}

struct finishing {
    uint64_t finished, younger;
};

/* Finishes the intents of a shard that are as old as until_us. Younger ones are of batches that
 * their ports are just finishing. One that cannot be finished stays, and keeps none of the others. */
static enum status finish_shard(struct table_port *port, uint32_t shard, int64_t until_us, struct finishing *sum,
                                struct error *err)
{
    struct buffer value CLEANUP(buffer_fini) = { 0 }, applied CLEANUP(buffer_fini) = { 0 };
    uint64_t from = 0, timestamp_us = 0;
    enum status first = OK, status;
    struct error error;
    bool found;

    for (;;) {
        status = next_record(&port->space->shards[shard], intents, from, &found, &timestamp_us, &value, &error);
        if (status || !found)
            break;
        assert(timestamp_us >= from); /* each is met once */
        if ((int64_t)timestamp_us > until_us) {
            sum->younger++; /* and those behind it */
            break;
        }
        status = apply_intent(port, (int64_t)timestamp_us, buffer_bytes(&value), &error);
        if (!status)
            buffer_append_be64(&applied, timestamp_us);
        keep_first(&first, status, err, &error);
        from = timestamp_us + 1;
    }
    keep_first(&first, status, err, &error);
    keep_first(&first, forget_applied(port, shard, buffer_bytes(&applied), &error), err, &error);
    sum->finished += applied.size / ID_BYTES;
    return first;
}

/* *any_left: somebody has to look again. */
static enum status finish_all(struct table_port *port, int64_t until_us, bool *any_left, struct error *err)
{
    struct finishing sum = { 0 };
    enum status status = OK;

    for (uint32_t i = 0; i < port->space->shard_count; i++) {
        struct error error;

        keep_first(&status, finish_shard(port, i, until_us, &sum, &error), err, &error);
    }
    if (sum.finished)
        log_info("table", "finished batches count=%llu", (unsigned long long)sum.finished);
    *any_left = status || sum.younger;
    return status;
}

/* At a start, when all intents are gone: markers without one are left over from a crash between two
 * steps, and nobody asks for them. */
static enum status forget_markers(struct table_port *port, struct error *err)
{
    struct buffer value CLEANUP(buffer_fini) = { 0 };

    for (uint32_t i = 0; i < port->space->shard_count; i++) {
        uint64_t from = 0, timestamp_us = 0;
        bool found = true;

        while (found) {
            enum status status =
                next_record(&port->space->shards[i], markers, from, &found, &timestamp_us, &value, err);

            if (!status && found)
                status = send_forget(port, i, COMMAND_FORGET_MARKER, (int64_t)timestamp_us, false, err);
            if (status)
                return status;
            from = timestamp_us + 1;
        }
    }
    return OK;
}

/* ---- the thread ---- */

/* One thread waits on this word. */
static void wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

enum { BATCHES_DONE, BATCHES_UNFINISHED, BATCHES_STOP };

/* The thread that finishes what was left while the server runs. It sleeps until somebody says that a
 * batch is unfinished, and then tries again and again until none is. */
static void *finish(void *context)
{
    struct table_space *space = context;
    struct table_port *port = table_port_open(space);
    const struct clock *clock = space->options.clock;
    const uint32_t ms = space->options.batch_retry_ms ? space->options.batch_retry_ms : FINISH_SECONDS * 1000;

    pthread_setname_np(pthread_self(), "batches");
    for (;;) {
        uint32_t state = atomic_load(&space->batches);
        struct error err;
        enum status status;
        bool any_left;

        if (state == BATCHES_STOP)
            break;
        clock_wait_word(clock, &space->batches, state,
                        state == BATCHES_DONE ? CLOCK_FOR_EVER : clock_monotonic_us(clock) + ms * INT64_C(1000));
        if (state == BATCHES_DONE || atomic_load(&space->batches) == BATCHES_STOP)
            continue;
        if (!atomic_compare_exchange_strong(&space->batches, &state, BATCHES_DONE))
            continue;
        /* Younger ones are under way. */
        status =
            finish_all(port, space_stamp_us(space, INT64_MIN) - FINISH_SECONDS * INT64_C(1000000), &any_left, &err);
        if (!any_left)
            continue;
        if (status)
            log_warn("table", "batches stay unfinished status=%s", status_name(status));
        state = BATCHES_DONE;
        atomic_compare_exchange_strong(&space->batches, &state, BATCHES_UNFINISHED);
    }
    table_port_close(port);
    return NULL;
}

/* Any thread. Only the change from "done" wakes the thread. */
void table_batch_is_unfinished(struct table_port *port)
{
    uint32_t done = BATCHES_DONE;

    if (atomic_compare_exchange_strong(&port->space->batches, &done, BATCHES_UNFINISHED))
        wake(&port->space->batches);
}

/* At the start, before any client is answered: what a crash left in part is whole by then, if it can
 * be made so now. */
enum status table_space_finish_batches(struct table_space *space, struct error *err)
{
    struct table_port *port = table_port_open(space);
    bool any_left;
    enum status status = finish_all(port, INT64_MAX, &any_left, err);
    int failed;

    assert(!space->finisher_runs);
    if (!status)
        status = forget_markers(port, err);
    if (status) {
        log_warn("table", "batches stay unfinished status=%s", status_name(status));
        table_batch_is_unfinished(port);
    }
    table_port_close(port);
    failed = pthread_create(&space->finisher, NULL, finish, space);
    if (failed)
        return error_set_os(err, failed, "cannot start the thread that finishes batches");
    space->finisher_runs = true;
    return OK;
}

/* Before the owners stop: the thread may be waiting for one of them. */
void batch_log_stop(struct table_space *space)
{
    if (!space->finisher_runs)
        return;
    atomic_store(&space->batches, BATCHES_STOP);
    wake(&space->batches);
    pthread_join(space->finisher, NULL);
    space->finisher_runs = false;
}

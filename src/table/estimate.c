/* How many partitions a table has and how large they are, without reading all of it: tokens are spread
 * evenly, so the first thousands of keys of each shard, and how far along its tokens they reach, tell the
 * rest. What is small is counted. Rows that merging would hide are counted as well. */
#include "row/key.h"
#include "table/shard.h"

#include <assert.h>

enum { SAMPLE_KEYS = 4096, SKIPPED_PARTITIONS = 64 };

/* What was seen of one shard, from its first token on. */
struct sample {
    uint64_t partitions, bytes; /* ended ones */
    uint64_t open_bytes;        /* of the one that was being read */
    uint64_t last_position;     /* of the last one that ended */
    bool is_all;
};

struct sampling {
    struct store_scan *scan;
    const struct store_ops *ops;
    struct buffer scratch, key; /* key: of the partition at hand, what its keys begin with; size 0: none yet */
    uint64_t position;
    struct sample *sample;
    struct error *err;
};

/* The scan stands on the first key of a partition. What its keys begin with is kept, so that the
 * others are told by comparing bytes, not by taking each apart. */
static enum status begin_partition(struct sampling *s)
{
    struct key_parts parts;
    enum status status;

    assert(s->scan->valid && !s->sample->is_all);
    status = key_decode(s->scan->key, &s->scratch, &parts, s->err);

    if (status)
        return status;
    s->position = (uint64_t)parts.token ^ (UINT64_C(1) << 63);
    buffer_reset(&s->key);
    key_encode_partition(&s->key, parts.table_id, parts.token, parts.partition_key);
    return OK;
}

/* All of it was seen: it counts. */
static void end_partition(struct sampling *s)
{
    assert(s->key.size);
    assert(!s->sample->is_all);
    s->sample->partitions++;
    s->sample->bytes += s->sample->open_bytes;
    s->sample->open_bytes = 0;
    s->sample->last_position = s->position;
}

static bool is_in_partition(const struct sampling *s)
{
    return s->key.size && s->scan->key.size >= s->key.size && memcmp(s->scan->key.data, s->key.data, s->key.size) == 0;
}

/* The first partition alone was larger than the sample. It is taken for as large as what was seen of
 * it, and so are the next ones, of which only the first key is looked at: they tell how many there
 * are. */
static enum status skip_partitions(struct sampling *s)
{
    enum status status = OK;

    for (uint32_t i = 0; i < SKIPPED_PARTITIONS && s->scan->valid && !status; i++) {
        uint64_t bytes = s->sample->open_bytes;

        buffer_append_u8(&s->key, KEY_ROW + 1);
        status = s->ops->scan_seek(s->scan, buffer_bytes(&s->key), s->err);
        if (status)
            return status;
        end_partition(s);
        if (s->scan->valid) {
            s->sample->open_bytes = bytes;
            status = begin_partition(s);
        }
    }
    s->sample->is_all = !s->scan->valid;
    return status;
}

/* Reads the first keys of the table in this shard, a bounded number of them. The partition in
 * which the sample ends counts for nothing, unless it is the only one: of the others the whole is
 * known. */
static enum status sample_keys(struct sampling *s)
{
    enum status status = s->ops->scan_first(s->scan, s->err);

    for (uint32_t i = 0; i < SAMPLE_KEYS && s->scan->valid && !status; i++) {
        if (!is_in_partition(s)) {
            if (s->key.size)
                end_partition(s);
            status = begin_partition(s);
            if (status)
                return status;
        }
        s->sample->open_bytes += s->scan->key.size + s->scan->value.size;
        status = s->ops->scan_next(s->scan, s->err);
    }
    if (status)
        return status;
    if (s->scan->valid)
        return s->sample->partitions ? OK : skip_partitions(s);
    if (s->key.size)
        end_partition(s);
    s->sample->is_all = true;
    return OK;
}

/* Without a snapshot: an estimate need not be of one moment. */
static enum status sample_shard(struct shard *shard, uint64_t table_id, struct sample *sample, struct error *err)
{
    uint8_t first[8], end[8];
    struct store_scan_options options = {
        .family = STORE_DATA, .lower = bytes_of(first, 8), .upper = bytes_of(end, 8), .may_wait = true, .bulk = true
    };
    struct sampling s = { .ops = shard->ops, .sample = sample, .err = err };
    enum status status;

    store_be64(first, table_id);
    store_be64(end, table_id + 1);
    status = shard->ops->scan_open(shard->store, &options, &s.scan, err);
    if (status)
        return status;
    status = sample_keys(&s);
    shard->ops->scan_close(s.scan);
    buffer_fini(&s.scratch);
    buffer_fini(&s.key);
    return status;
}

/* The part of the shard's tokens that the sample reached, and what was found there, give the
 * whole. Example: 1000 partitions were seen when a quarter of the shard's tokens was passed, so
 * it has 4000. */
enum status table_space_estimate(struct table_space *space, uint64_t table_id, struct table_estimate *estimate,
                                 struct error *err)
{
    double partitions = 0, bytes = 0;

    for (uint32_t i = 0; i < space->shard_count; i++) {
        uint64_t first = shard_first_position(space->shard_count, i);
        double span = (double)(shard_last_position(space->shard_count, i) - first), more = 1;
        struct sample sample = { 0 };
        enum status status = sample_shard(&space->shards[i], table_id, &sample, err);

        if (status)
            return status;
        assert(sample.is_all || sample.partitions); /* or nothing tells how many there are */
        if (!sample.is_all)
            more = span / ((double)(sample.last_position - first) + 1);
        partitions += (double)sample.partitions * more;
        bytes += (double)sample.bytes * more;
    }
    estimate->partition_count = (uint64_t)(partitions + 0.5);
    estimate->partition_bytes_mean = partitions > 0 ? (uint64_t)(bytes / partitions + 0.5) : 0;
    return OK;
}

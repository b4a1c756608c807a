/* A body for tests: refuses reads that may not wait, as if the disk had to be asked, and hands all
 * else to the body below.
 *
 * A statement whose read would wait starts again from the beginning on a worker. Whether it does the
 * same thing twice is a kind of fault that warm tests never see: every recorded statement is
 * therefore also run over this body (HELENUS_TEST_COLD).
 *
 * The operations have no argument of their own where the body below could be kept, so there is one
 * per process. */
#include "store/cold.h"

#include "base/error.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

/* A scan of the body below, behind one of our own that may say "would wait". */
struct cold_scan {
    struct store_scan base; /* first */
    struct store_scan *scan;
    bool may_wait;
};

static const struct store_ops *below;
static struct store_ops ops; /* the body's, but for what is below */
static unsigned one_in;

/* Whether this read is refused. Each thread counts for itself, so no lock changes the timing of what is
 * tested. The numbers are those of a simple generator: a fixed step could always hit the same read of a
 * statement. */
static bool is_refused(bool may_wait)
{
    static _Thread_local uint32_t state = 1;

    if (may_wait)
        return false;
    state = state * 1664525 + 1013904223;
    assert(one_in > 0);
    return (state >> 16) % one_in == 0;
}

static enum status refuse(struct error *err)
{
    return error_set(err, ERR_WOULD_WAIT, "cold");
}

static enum status cold_get(struct store *store, enum store_family family, struct bytes key,
                            const struct store_read_options *options, struct store_value *value, struct error *err)
{
    return is_refused(options->may_wait) ? refuse(err) : below->get(store, family, key, options, value, err);
}

static enum status cold_snapshot(struct store *store, bool may_wait, struct store_snapshot **snapshot,
                                 struct error *err)
{
    return is_refused(may_wait) ? refuse(err) : below->snapshot(store, may_wait, snapshot, err);
}

/* Opening is never refused: the first move is where a scan reads. */
static enum status cold_scan_open(struct store *store, const struct store_scan_options *options,
                                  struct store_scan **result, struct error *err)
{
    struct store_scan *scan;
    enum status status = below->scan_open(store, options, &scan, err);
    struct cold_scan *cold;

    if (status)
        return status;
    cold = xcalloc(1, sizeof(*cold));
    assert(scan && !scan->valid);
    cold->base.ops = &ops;
    cold->scan = scan;
    cold->may_wait = options->may_wait;
    *result = &cold->base;
    return OK;
}

static void cold_scan_close(struct store_scan *base)
{
    struct cold_scan *cold = (struct cold_scan *)base;

    below->scan_close(cold->scan);
    free(cold);
}

/* A refused move leaves a scan that stands nowhere, as a failed one does: nobody may go on from
 * there. */
static bool is_refused_move(struct cold_scan *cold)
{
    if (!is_refused(cold->may_wait))
        return false;
    cold->base.valid = false;
    return true;
}

/* What the scan below shows is shown as ours. Key and value are borrowed from it until its next
 * move. */
static enum status moved(struct cold_scan *cold, enum status status)
{
    assert(cold->scan->ops != &ops);
    cold->base.valid = cold->scan->valid;
    cold->base.key = cold->scan->key;
    cold->base.value = cold->scan->value;
    return status;
}

/* The moves differ in nothing but which one is handed on. */
#define MOVE(name)                                                             \
    static enum status cold_##name(struct store_scan *base, struct error *err) \
    {                                                                          \
        struct cold_scan *cold = (struct cold_scan *)base;                     \
                                                                               \
        if (is_refused_move(cold))                                             \
            return refuse(err);                                                \
        return moved(cold, below->name(cold->scan, err));                      \
    }
#define MOVE_TO(name)                                                                            \
    static enum status cold_##name(struct store_scan *base, struct bytes key, struct error *err) \
    {                                                                                            \
        struct cold_scan *cold = (struct cold_scan *)base;                                       \
                                                                                                 \
        if (is_refused_move(cold))                                                               \
            return refuse(err);                                                                  \
        return moved(cold, below->name(cold->scan, key, err));                                   \
    }
MOVE(scan_first)
MOVE(scan_last)
MOVE(scan_next)
MOVE(scan_prev)
MOVE_TO(scan_seek)
MOVE_TO(scan_seek_back)

/* All operations that are not replaced here are the body's: writes, flushes and reads of the log
 * never refuse. */
const struct store_ops *cold_over(const struct store_ops *body, unsigned refused_one_in)
{
    assert(body && body != &ops && refused_one_in > 0);
    below = body;
    one_in = refused_one_in;
    ops = *body;
    ops.get = cold_get;
    ops.snapshot = cold_snapshot;
    ops.scan_open = cold_scan_open;
    ops.scan_first = cold_scan_first;
    ops.scan_last = cold_scan_last;
    ops.scan_seek = cold_scan_seek;
    ops.scan_seek_back = cold_scan_seek_back;
    ops.scan_next = cold_scan_next;
    ops.scan_prev = cold_scan_prev;
    ops.scan_close = cold_scan_close;
    return &ops;
}

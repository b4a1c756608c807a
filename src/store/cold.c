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
#include "store/over.h"

#include <assert.h>

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

static enum status may_read(bool may_wait, struct error *err)
{
    return is_refused(may_wait) ? error_set(err, ERR_WOULD_WAIT, "cold") : OK;
}

static enum status cold_get(struct store *store, enum store_family family, struct bytes key,
                            const struct store_read_options *options, struct store_value *value, struct error *err)
{
    enum status status = may_read(options->may_wait, err);

    return status ? status : below->get(store, family, key, options, value, err);
}

static enum status cold_snapshot(struct store *store, bool may_wait, struct store_snapshot **snapshot,
                                 struct error *err)
{
    enum status status = may_read(may_wait, err);

    return status ? status : below->snapshot(store, may_wait, snapshot, err);
}

/* Opening is never refused: the first move is where a scan reads. */
static enum status cold_scan_open(struct store *store, const struct store_scan_options *options,
                                  struct store_scan **result, struct error *err)
{
    struct store_scan *scan;
    enum status status = below->scan_open(store, options, &scan, err);

    if (!status)
        *result = over_scan(&ops, scan, options->may_wait, may_read);
    return status;
}

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
    over_set_scans(&ops);
    return &ops;
}

/* A scan over another body's scan; see over.h. */
#include "store/over.h"

#include "base/error.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct over_scan {
    struct store_scan base;   /* first */
    struct store_scan *below; /* owned */
    bool may_wait;
    over_before_move *before;
};

static struct over_scan *of(struct store_scan *base)
{
    return (struct over_scan *)base;
}

struct store_scan *over_scan(const struct store_ops *ops, struct store_scan *below, bool may_wait,
                             over_before_move *before)
{
    struct over_scan *over = xcalloc(1, sizeof(*over));

    assert(below && !below->valid && below->ops != ops);
    over->base.ops = ops;
    over->below = below;
    over->may_wait = may_wait;
    over->before = before;
    return &over->base;
}

static void over_scan_close(struct store_scan *base)
{
    store_scan_close(of(base)->below);
    free(of(base));
}

/* A refused move leaves a scan that stands nowhere, as a failed one does: nobody may go on from
 * there. */
static enum status before_move(struct over_scan *over, struct error *err)
{
    enum status status = over->before(over->may_wait, err);

    if (status)
        over->base.valid = false;
    return status;
}

/* What the scan below shows is shown as ours. Key and value are borrowed from it until its next
 * move. */
static enum status moved(struct over_scan *over, enum status status)
{
    assert(!status || !over->below->valid);
    over->base.valid = over->below->valid;
    over->base.key = over->below->key;
    over->base.value = over->below->value;
    return status;
}

/* The moves differ in nothing but which one is handed on. */
#define MOVE(name)                                                                      \
    static enum status over_##name(struct store_scan *base, struct error *err)          \
    {                                                                                   \
        struct over_scan *over = of(base);                                              \
        enum status status = before_move(over, err);                                    \
                                                                                        \
        return status ? status : moved(over, over->below->ops->name(over->below, err)); \
    }
#define MOVE_TO(name)                                                                            \
    static enum status over_##name(struct store_scan *base, struct bytes key, struct error *err) \
    {                                                                                            \
        struct over_scan *over = of(base);                                                       \
        enum status status = before_move(over, err);                                             \
                                                                                                 \
        return status ? status : moved(over, over->below->ops->name(over->below, key, err));     \
    }
MOVE(scan_first)
MOVE(scan_last)
MOVE(scan_next)
MOVE(scan_prev)
MOVE_TO(scan_seek)
MOVE_TO(scan_seek_back)

void over_set_scans(struct store_ops *ops)
{
    ops->scan_first = over_scan_first;
    ops->scan_last = over_scan_last;
    ops->scan_seek = over_scan_seek;
    ops->scan_seek_back = over_scan_seek_back;
    ops->scan_next = over_scan_next;
    ops->scan_prev = over_scan_prev;
    ops->scan_close = over_scan_close;
}

/* When a write of a shard failed. Its outcome is unknown: the shard refuses writes from then on, and a thread
 * of its own tries to resume the store every second, which may take closing and opening it, and waiting for
 * its readers. Meanwhile the owner answers, and reads go on.
 *
 *     failure_begin -> refuses -> resumer: ops->resume, until it works -> resumed -> failure_mind: takes writes again
 */
#include "table/failure.h"

#include "base/log.h"
#include "table/shard.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

enum { RESUME_LOOK_MS = 20 }; /* how soon a resumer that waits sees that the shard stops */

/* Whatever the failed write left behind may be there when the store was opened again: no row that a port
 * keeps stays good. */
static enum status resume_once(struct shard *shard, struct error *err)
{
    enum status status;

    assert(atomic_load(&shard->refuses)); /* the owner does not touch the store meanwhile */
    versions_begin_all(&shard->versions);
    status = shard->ops->resume(shard->store, err);
    versions_end_all(&shard->versions);
    return status;
}

/* From the owner, when the write of a turn has failed. From here on each command is refused before
 * anything of it is done, so its client knows that nothing was written. */
void failure_begin(struct shard *shard, enum status status)
{
    assert(status && !atomic_load(&shard->refuses) && !shard->resumer_runs);
    atomic_store(&shard->refuses, true);
    log_error("table", "shard refuses writes shard=%u status=%s", shard->index, status_name(status));
}

/* A thread of its own, since a try may wait for readers and for the disk. It looks often whether the
 * shard stops, so that a server on a full disk can still be stopped. */
static void *resume(void *context)
{
    struct shard *shard = context;
    enum status status;
    struct error err;
    char name[16];

    snprintf(name, sizeof(name), "resumer-%u", shard->index);
    pthread_setname_np(pthread_self(), name);
    do {
        for (int ms = 0; ms < RESUME_MS; ms += RESUME_LOOK_MS) {
            if (atomic_load(&shard->stops))
                return NULL;
            usleep(RESUME_LOOK_MS * 1000);
        }
        status = resume_once(shard, &err);
    } while (status);
    atomic_store(&shard->resumed, true);
    shard_wake(shard);
    return NULL;
}

/* The owner's, once a turn while the shard refuses writes. Only the owner changes `refuses` back: it
 * sees a whole turn either refused or not. */
void failure_mind(struct shard *shard)
{
    assert(atomic_load(&shard->refuses));
    if (!shard->resumer_runs) { /* if it can't be started now, the next turn tries again */
        shard->resumer_runs = pthread_create(&shard->resumer, NULL, resume, shard) == 0;
        return;
    }
    if (!atomic_load(&shard->resumed))
        return;
    pthread_join(shard->resumer, NULL);
    shard->resumer_runs = false;
    atomic_store(&shard->resumed, false);
    atomic_store(&shard->refuses, false);
    log_info("table", "shard takes writes again shard=%u", shard->index);
}

/* Whoever closes the shard waits for the thread: it uses the store. */
void failure_stop(struct shard *shard)
{
    assert(atomic_load(&shard->stops) && !shard->owner_runs);
    if (shard->resumer_runs)
        pthread_join(shard->resumer, NULL);
    shard->resumer_runs = false;
}

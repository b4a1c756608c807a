/* Commands that read before they write (conditions, counters, range tombstones), whose rows are on the disk. The owner tries each
 * without waiting; one that would wait goes to a warmer, which reads the same rows, waiting, into the store's cache, and gives it
 * back. Then the owner runs it as if it had come only now: what it decides, it decides on what there is then.
 *
 *     owner -- warm_begin --> queue -> warmer -> done (a stack) -- warm_take --> owner
 *
 * So a disk that stands still holds the commands that need it and no others. How many there are is bounded by the rings: a command
 * counts as its port's until it is answered.
 */
#include "table/warm.h"

#include "base/log.h"
#include "row/key.h"
#include "table/batch_log.h"
#include "table/look.h"
#include "table/shard.h"

#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

struct warmers {
    struct shard *shard;
    pthread_mutex_t lock; /* guards the queue and the threads */
    pthread_cond_t has_work;
    struct warming *first, **last;
    uint32_t queued, idle;
    pthread_t threads[WARMERS_MAX];
    uint32_t thread_count;
    bool stops;
    _Atomic(struct warming *) done; /* newest first */
    _Atomic uint64_t count;
};

/* What a warmer works with. Nothing of it is written. */
struct warmer {
    struct shard *shard;
    struct arena *arena;
    struct store_batch *nothing;
    struct range_overlay overlay;
};

/* ---- reading what a command will read; errors are the owner's to meet and to tell ---- */

static struct look begin_look(struct warmer *w, const struct command_header *header, struct error *ignored)
{
    arena_reset(w->arena);
    range_overlay_reset(&w->overlay);
    return (struct look){ .shard = w->shard,
                          .batch = w->nothing,
                          .overlay = &w->overlay,
                          .header = header,
                          .arena = w->arena,
                          .err = ignored };
}

static void read_row(struct warmer *w, const struct command_header *header, uint8_t kind, struct bytes clustering)
{
    struct error ignored;
    struct look look = begin_look(w, header, &ignored);
    struct deletion cover;
    struct row row;

    (void)look_read_row(&look, kind, clustering, &row, &cover);
}

static void read_range(struct warmer *w, const struct command_header *header, const struct command_fragment *fragment)
{
    struct buffer partition CLEANUP(buffer_fini) = { 0 };
    struct range_segment range = { .deletion = DELETION_NONE };
    struct range_changes changes = { 0 };
    struct error ignored;
    struct range_owner owner = {
        w->shard->ops, w->shard->store, w->nothing, &w->overlay, w->arena, &ignored, true, NULL
    };

    arena_reset(w->arena);
    range_overlay_reset(&w->overlay);
    key_encode_partition(&partition, header->table_id, header->token, header->partition_key);
    if (range_of_bounds(w->arena, fragment->clustering, fragment->clustering_end, fragment->bounds, &range))
        (void)range_add(&owner, buffer_bytes(&partition), range, 0, NULL, &changes);
}

static void read_first_row(struct warmer *w, const struct command_header *header, enum cas_kind kind)
{
    struct error ignored;
    struct look look = begin_look(w, header, &ignored);

    (void)look_read_first_row(&look, kind);
}

static void skip_conditions(struct command_reader *reader, uint32_t count)
{
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        uint32_t values;

        command_read_u32(reader);
        command_read_u8(reader);
        command_read_bytes(reader);
        values = command_read_u32(reader);
        for (uint32_t k = 0; k < values && !reader->failed; k++)
            command_read_bytes(reader);
    }
}

static void read_parts(struct warmer *w, const struct command_header *header, struct command_reader *reader)
{
    uint32_t count = command_read_u32(reader);

    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        enum cas_kind kind = (enum cas_kind)command_read_u8(reader);
        bool is_static = command_read_u8(reader);
        struct bytes clustering = command_read_bytes(reader);

        skip_conditions(reader, command_read_u32(reader));
        if (reader->failed)
            return;
        if (cas_is_first_row(kind))
            read_first_row(w, header, kind);
        else
            read_row(w, header, is_static ? KEY_PARTITION : KEY_ROW, clustering);
    }
}

static void read_all(struct warmer *w, struct bytes command);

static void read_group(struct warmer *w, const struct command_header *header, struct command_reader *reader)
{
    struct error ignored;
    bool has_marker;

    if (header->flags & GROUP_MARKED)
        (void)batch_log_has_marker(w->shard, w->nothing, (int64_t)header->table_id, true, &has_marker, &ignored);
    for (uint32_t i = 0; i < header->part_count && !reader->failed; i++)
        read_all(w, command_read_bytes(reader));
}

static void read_all(struct warmer *w, struct bytes command)
{
    struct command_reader reader;
    struct command_header header;
    struct error ignored;

    if (command_read_header(&reader, command, &header, &ignored))
        return;
    header.may_wait = true;
    for (uint32_t i = 0; i < header.fragment_count; i++) {
        struct command_fragment fragment;

        command_read_fragment(&reader, &fragment);
        if (reader.failed)
            return;
        if (fragment.kind == KEY_RANGE)
            read_range(w, &header, &fragment);
        else if (header.kind == COMMAND_ADD || fragment.bounds & BOUND_PLACES)
            read_row(w, &header, fragment.kind, fragment.clustering);
    }
    if (header.kind == COMMAND_CAS)
        read_parts(w, &header, &reader);
    if (header.kind == COMMAND_GROUP)
        read_group(w, &header, &reader);
}

/* ---- threads ---- */

static struct warming *next_work(struct warmers *warmers)
{
    struct warming *work;

    pthread_mutex_lock(&warmers->lock);
    warmers->idle++;
    while (!warmers->first && !warmers->stops)
        pthread_cond_wait(&warmers->has_work, &warmers->lock);
    warmers->idle--;
    work = warmers->first;
    if (work) {
        warmers->first = work->next;
        if (!warmers->first)
            warmers->last = &warmers->first;
        warmers->queued--;
    }
    pthread_mutex_unlock(&warmers->lock);
    return work;
}

/* The owner may sleep: woken as by a port, see sleep_until_work. */
static void give_back(struct warmers *warmers, struct warming *work)
{
    struct shard *shard = warmers->shard;

    work->next = atomic_load(&warmers->done);
    while (!atomic_compare_exchange_weak(&warmers->done, &work->next, work))
        ;
    if (atomic_exchange(&shard->sleeps, 0))
        syscall(SYS_futex, &shard->sleeps, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *warm(void *context)
{
    struct warmers *warmers = context;
    struct warmer w = {
        .shard = warmers->shard,
        .arena = arena_new(4096),
        .nothing = store_batch_new(),
    };
    struct warming *work;
    char name[16];

    snprintf(name, sizeof(name), "warmer-%u", warmers->shard->index);
    pthread_setname_np(pthread_self(), name);
    while ((work = next_work(warmers))) {
        read_all(&w, work->request->command);
        arena_reset(w.arena);
        give_back(warmers, work);
    }
    range_overlay_fini(&w.overlay);
    store_batch_free(w.nothing);
    arena_free(w.arena);
    return NULL;
}

/* False: there is none, and none can be started. The lock is held. */
static bool have_thread(struct warmers *warmers)
{
    if (warmers->queued <= warmers->idle || warmers->thread_count == WARMERS_MAX)
        return true;
    if (pthread_create(&warmers->threads[warmers->thread_count], NULL, warm, warmers) == 0)
        warmers->thread_count++;
    return warmers->thread_count > 0;
}

void warm_begin(struct shard *shard, struct table_request *request, uint32_t port)
{
    struct warmers *warmers = shard->warmers;
    struct warming *work = xcalloc(1, sizeof(*work));
    bool has_thread;

    work->request = request;
    work->port = port;
    atomic_fetch_add_explicit(&warmers->count, 1, memory_order_relaxed);
    pthread_mutex_lock(&warmers->lock);
    warmers->queued++;
    has_thread = have_thread(warmers);
    if (has_thread) {
        *warmers->last = work;
        warmers->last = &work->next;
        pthread_cond_signal(&warmers->has_work);
    } else {
        warmers->queued--;
    }
    pthread_mutex_unlock(&warmers->lock);
    if (has_thread)
        return;
    log_warn("table", "no thread to read for a write: its owner waits shard=%u", shard->index);
    give_back(warmers, work);
}

struct warming *warm_take(struct shard *shard)
{
    struct warmers *warmers = shard->warmers;
    struct warming *newest, *oldest = NULL;

    if (__builtin_expect(!warm_is_done(shard), 1))
        return NULL;
    newest = atomic_exchange(&warmers->done, NULL);
    while (newest) {
        struct warming *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool warm_is_done(const struct shard *shard)
{
    return atomic_load_explicit(&shard->warmers->done, memory_order_acquire) != NULL;
}

uint64_t warm_count(const struct shard *shard)
{
    return atomic_load_explicit(&shard->warmers->count, memory_order_relaxed);
}

struct warmers *warmers_new(struct shard *shard)
{
    struct warmers *warmers = xcalloc(1, sizeof(*warmers));

    warmers->shard = shard;
    warmers->last = &warmers->first;
    pthread_mutex_init(&warmers->lock, NULL);
    pthread_cond_init(&warmers->has_work, NULL);
    return warmers;
}

void warmers_free(struct warmers *warmers)
{
    if (!warmers)
        return;
    pthread_mutex_lock(&warmers->lock);
    warmers->stops = true;
    pthread_cond_broadcast(&warmers->has_work);
    pthread_mutex_unlock(&warmers->lock);
    for (uint32_t i = 0; i < warmers->thread_count; i++)
        pthread_join(warmers->threads[i], NULL);
    pthread_cond_destroy(&warmers->has_work);
    pthread_mutex_destroy(&warmers->lock);
    free(warmers);
}

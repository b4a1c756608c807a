/* Commands that read before they write (conditions, counters, range tombstones), whose rows are on the disk.
 * The owner tries each without waiting; one that would wait goes to a prefetcher, which reads the same rows,
 * waiting, into the store's cache, and gives it back. Then the owner runs it as if it had come only now: what
 * it decides, it decides on what there is then.
 *
 *     owner -- prefetch_begin --> queue -> prefetcher -> done (a stack) -- prefetch_take --> owner
 *
 * So a disk that stands still holds the commands that need it and no others. How many there are is bounded by
 * the rings: a command counts as its port's until it is answered.
 */
#include "table/prefetch.h"

#include "base/log.h"
#include "row/key.h"
#include "table/batch_log.h"
#include "table/look.h"
#include "table/shard.h"

#include <assert.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

struct prefetchers {
    struct shard *shard;
    pthread_mutex_t lock; /* guards the queue and the threads */
    pthread_cond_t has_work;
    struct prefetch *first, **last;
    uint32_t queued, idle;
    pthread_t threads[PREFETCHERS_MAX];
    uint32_t thread_count;
    bool stops;
    _Atomic(struct prefetch *) done; /* newest first */
    _Atomic uint64_t count;
};

/* What a prefetcher works with. Nothing of it is written. */
struct prefetcher {
    struct shard *shard;
    struct arena *arena;
    struct store_batch *nothing;
    struct range_overlay overlay;
};

/* ---- reading what a command will read ----
 *
 * A prefetcher reads so that the bytes are in the store's cache. It ignores the errors that it meets: the
 * owner reads the same again, meets the same error, and answers the client with it. */

static struct look begin_look(struct prefetcher *w, const struct command_header *header, struct error *ignored)
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

/* A row as counters and conditions look at it: the partition's record, the ranges over it, and the
 * row. */
static void read_row(struct prefetcher *w, const struct command_header *header, uint8_t kind, struct bytes clustering)
{
    struct error ignored;
    struct look look = begin_look(w, header, &ignored);
    struct deletion cover;
    struct row row;

    (void)look_read_row(&look, kind, clustering, &row, &cover);
}

/* What a deletion of a range will read: the segments around it. Nothing is known and nothing is
 * written here. */
static void read_range(struct prefetcher *w, const struct command_header *header,
                       const struct command_fragment *fragment)
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

/* For conditions that show the partition's first row if they fail. */
static void read_first_row(struct prefetcher *w, const struct command_header *header, enum cas_kind kind)
{
    struct error ignored;
    struct look look = begin_look(w, header, &ignored);

    (void)look_read_first_row(&look, kind);
}

/* Which values they ask for does not matter: the row is read whole. */
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

/* The rows of a compare and set. */
static void read_parts(struct prefetcher *w, const struct command_header *header, struct command_reader *reader)
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

static void read_all(struct prefetcher *w, struct bytes command);

/* A part of a remembered batch asks for its marker first; then each part as it is alone. */
static void read_group(struct prefetcher *w, const struct command_header *header, struct command_reader *reader)
{
    struct error ignored;
    bool has_marker;

    if (header->flags & GROUP_MARKED)
        (void)batch_log_has_marker(w->shard, w->nothing, (int64_t)header->table_id, true, &has_marker, &ignored);
    for (uint32_t i = 0; i < header->part_count && !reader->failed; i++)
        read_all(w, command_read_bytes(reader));
}

/* Reads what a command will read. Commands that only write have nothing here. */
static void read_all(struct prefetcher *w, struct bytes command)
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
    assert(!store_batch_count(w->nothing));
    if (header.kind == COMMAND_CAS)
        read_parts(w, &header, &reader);
    if (header.kind == COMMAND_GROUP)
        read_group(w, &header, &reader);
}

/* ---- threads ---- */

/* Waits for work. NULL: the shard closes and nothing is left. */
static struct prefetch *next_work(struct prefetchers *prefetchers)
{
    struct prefetch *work;

    pthread_mutex_lock(&prefetchers->lock);
    prefetchers->idle++;
    while (!prefetchers->first && !prefetchers->stops)
        pthread_cond_wait(&prefetchers->has_work, &prefetchers->lock);
    prefetchers->idle--;
    assert(prefetchers->idle < PREFETCHERS_MAX && !prefetchers->first == !prefetchers->queued);
    work = prefetchers->first;
    if (work) {
        prefetchers->first = work->next;
        if (!prefetchers->first)
            prefetchers->last = &prefetchers->first;
        prefetchers->queued--;
    }
    pthread_mutex_unlock(&prefetchers->lock);
    return work;
}

/* Back to the owner, on a stack that needs no lock. The owner may sleep: it is woken as by a port,
 * see sleep_until_work. */
static void give_back(struct prefetchers *prefetchers, struct prefetch *work)
{
    struct shard *shard = prefetchers->shard;

    assert(work->request);
    work->next = atomic_load(&prefetchers->done);
    while (!atomic_compare_exchange_weak(&prefetchers->done, &work->next, work))
        ;
    if (atomic_exchange(&shard->sleeps, 0))
        syscall(SYS_futex, &shard->sleeps, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* One thread. It has an arena and an empty batch of its own, through which it looks as the owner
 * would. */
static void *prefetch(void *context)
{
    struct prefetchers *prefetchers = context;
    struct prefetcher w = {
        .shard = prefetchers->shard,
        .arena = arena_new(4096),
        .nothing = store_batch_new(),
    };
    struct prefetch *work;
    char name[16];

    snprintf(name, sizeof(name), "prefetch-%u", prefetchers->shard->index);
    pthread_setname_np(pthread_self(), name);
    while ((work = next_work(prefetchers))) {
        read_all(&w, work->request->command);
        arena_reset(w.arena);
        give_back(prefetchers, work);
    }
    range_overlay_fini(&w.overlay);
    store_batch_free(w.nothing);
    arena_free(w.arena);
    return NULL;
}

/* Threads are started when there is more work than idle ones, up to PREFETCHERS_MAX. False: there is
 * none, and none can be started. The lock is held. */
static bool have_thread(struct prefetchers *prefetchers)
{
    assert(prefetchers->idle <= prefetchers->thread_count && prefetchers->thread_count <= PREFETCHERS_MAX);
    if (prefetchers->queued <= prefetchers->idle || prefetchers->thread_count == PREFETCHERS_MAX)
        return true;
    if (pthread_create(&prefetchers->threads[prefetchers->thread_count], NULL, prefetch, prefetchers) == 0)
        prefetchers->thread_count++;
    return prefetchers->thread_count > 0;
}

/* The owner goes on with other commands. Without a thread the command comes back at once, and the
 * owner itself waits for the disk: slow, but answered. */
void prefetch_begin(struct shard *shard, struct table_request *request, uint32_t port)
{
    struct prefetchers *prefetchers = shard->prefetchers;
    struct prefetch *work = xcalloc(1, sizeof(*work));
    bool has_thread;

    work->request = request;
    work->port = port;
    atomic_fetch_add_explicit(&prefetchers->count, 1, memory_order_relaxed);
    pthread_mutex_lock(&prefetchers->lock);
    prefetchers->queued++;
    has_thread = have_thread(prefetchers);
    if (has_thread) {
        *prefetchers->last = work;
        prefetchers->last = &work->next;
        pthread_cond_signal(&prefetchers->has_work);
    } else {
        prefetchers->queued--;
    }
    pthread_mutex_unlock(&prefetchers->lock);
    if (has_thread)
        return;
    log_warn("table", "no thread to read for a write: its owner waits shard=%u", shard->index);
    give_back(prefetchers, work);
}

/* The stack has the newest on top: it is turned round, so that who came first is served first. */
struct prefetch *prefetch_take(struct shard *shard)
{
    struct prefetchers *prefetchers = shard->prefetchers;
    struct prefetch *newest, *oldest = NULL;

    if (__builtin_expect(!prefetch_is_done(shard), 1))
        return NULL;
    newest = atomic_exchange(&prefetchers->done, NULL);
    while (newest) {
        struct prefetch *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool prefetch_is_done(const struct shard *shard)
{
    return atomic_load_explicit(&shard->prefetchers->done, memory_order_acquire) != NULL;
}

uint64_t prefetch_count(const struct shard *shard)
{
    return atomic_load_explicit(&shard->prefetchers->count, memory_order_relaxed);
}

struct prefetchers *prefetchers_new(struct shard *shard)
{
    struct prefetchers *prefetchers = xcalloc(1, sizeof(*prefetchers));

    prefetchers->shard = shard;
    prefetchers->last = &prefetchers->first;
    pthread_mutex_init(&prefetchers->lock, NULL);
    pthread_cond_init(&prefetchers->has_work, NULL);
    return prefetchers;
}

/* The owner has ended, so all commands were answered. */
void prefetchers_free(struct prefetchers *prefetchers)
{
    if (!prefetchers)
        return;
    pthread_mutex_lock(&prefetchers->lock);
    prefetchers->stops = true;
    pthread_cond_broadcast(&prefetchers->has_work);
    pthread_mutex_unlock(&prefetchers->lock);
    for (uint32_t i = 0; i < prefetchers->thread_count; i++)
        pthread_join(prefetchers->threads[i], NULL);
    assert(!prefetchers->first && !prefetchers->queued && !atomic_load(&prefetchers->done));
    pthread_cond_destroy(&prefetchers->has_work);
    pthread_mutex_destroy(&prefetchers->lock);
    free(prefetchers);
}

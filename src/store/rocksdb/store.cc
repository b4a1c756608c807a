/* A store's durable body: one RocksDB instance per shard, opened, written, read, resumed and
 * checked.
 *
 * C++ where the plan was RocksDB's C API: that one has neither status codes (errors are strings) nor
 * Env, FileSystem, listeners, properties collectors, Resume or values without malloc, which is most
 * of what is needed here.
 *
 * What is promised above RocksDB's own words. A batch is synced before it is visible. A failed write
 * makes the store refuse all further ones, since nobody knows how much of it is in the log, and
 * reads go on. resume then makes it writable again in place.
 *
 * So an instance can be replaced while the process serves. Readers hold it by counters that each
 * thread has for itself, so that they share no cache line; who replaces it takes the pointer away
 * and waits for the counters to reach zero. */
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <set>
#include <thread>

#include "store/rocksdb/encrypted.h"
#include "store/rocksdb/load.h"
#include "store/rocksdb/options.h"
#include "store/rocksdb/semantics.h"
#include "store/rocksdb/updates.h"

extern "C" {
#include "store/rocksdb/rocksdb.h"
}

using rocksdb::Slice;
using rocksdb::Status;

/* RocksDB's handles of one opening of the store. resume replaces it by another. */
struct instance {
    rocksdb::DB *db = nullptr;
    rocksdb::ColumnFamilyHandle *families[STORE_FAMILY_COUNT] = {};
    bool read_only = false;
};

namespace
{

enum {
    COUNTERS = 16,
    RESUME_WAIT_MIN_MS = 100,
    RESUME_WAIT_MAX_MS = 10000,
    SKIPPED_INLINE_MAX = 300000, /* some milliseconds: going to a worker costs all of it again */
    OPERANDS_INLINE_MAX = 8192   /* the same: of one key, to be merged */
};

/* One cache line each. A thread keeps to its own, chosen by turns. */
struct alignas(64) counter {
    std::atomic<int64_t> held{ 0 };
};

} // namespace

/* One shard's. What belongs to the writer says so; the rest is atomic, has a lock of its own, or
 * is guarded by this one. */
struct store {
    struct environment *environment;
    const struct store_semantics *semantics;
    std::string path;
    struct store_options options;
    std::shared_ptr<PurgeTracker> tracker;

    std::atomic<struct instance *> instance{ nullptr };
    struct counter counters[COUNTERS];
    std::mutex lock; /* guards what `changed` tells: instance and reopening */
    std::condition_variable changed;
    bool reopening = false;
    std::atomic<int> refused{ OK }; /* enum status: why writes are refused */
    std::atomic<bool> stops_compactions{ false };
    int resume_wait_ms = RESUME_WAIT_MIN_MS; /* the writer's */
    rocksdb::WriteBatch writing;             /* the writer's; kept for its memory */

    LogTail tail;
    std::unique_ptr<KeptLogs> kept;
    std::set<Updates *> readers; /* guarded by lock: of the log; each belongs to who opened it */
};

struct store_snapshot {
    const rocksdb::Snapshot *snapshot;
    struct instance *instance; /* held */
};

/* RocksDB's codes in our terms. Incomplete is how our file system and its limits say "would wait". */
enum status status_code(const Status &status)
{
    if (status.ok())
        return OK;
    if (status.IsNotFound())
        return ERR_NOT_FOUND;
    if (status.IsIncomplete())
        return ERR_WOULD_WAIT;
    if (status.IsCorruption())
        return ERR_CORRUPT;
    if (status.IsNoSpace() || status.subcode() == Status::kSpaceLimit)
        return ERR_NO_SPACE;
    if (status.IsIOError())
        return ERR_IO;
    if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut())
        return ERR_OVERLOADED;
    if (status.IsShutdownInProgress() || status.IsAborted())
        return ERR_CLOSED;
    return ERR_SERVER;
}

namespace
{

/* Our scan and RocksDB's iterator. The bounds are kept here: RocksDB holds pointers to them. */
struct Scan {
    struct store_scan base; /* first */
    struct store *store;
    struct store_scan_options options;
    Slice lower, upper;
    rocksdb::Iterator *iterator;
};

/* A reader of the log (updates.h), as the interface's struct store_updates. */
struct Reader {
    struct store_updates base; /* first */
    struct store *store;
    Updates updates;
};

/* A pinned value, which lies in the caller's store_value: a read takes no memory of its own. */
struct Value {
    struct store *store;
    rocksdb::PinnableSlice slice;
};
static_assert(sizeof(Value) <= sizeof(((struct store_value *)nullptr)->opaque), "a pinned value fits");

Slice slice_of(struct bytes bytes)
{
    return Slice((const char *)bytes.data, bytes.size);
}

/* ---- errors ---- */

/* "Would wait" and "not found" are usual answers: no message is made for them. */
enum status translate(const Status &status, const char *what, struct error *err)
{
    enum status code = status_code(status);

    if (code == OK || code == ERR_WOULD_WAIT || code == ERR_NOT_FOUND)
        return code;
    return error_set(err, code, "%s: %s", what, status.ToString().c_str());
}

/* To the environment's log. RocksDB's words at this level name files and codes, no keys
 * (options.cc). */
void say(struct store *store, enum store_log_level level, const char *what, const Status &status)
{
    char message[512];

    if (!store->environment->options.log)
        return;
    snprintf(message, sizeof(message), "%s: %s", what, status.ToString().c_str());
    store->environment->options.log(store->environment->options.log_context, level, message);
}

/* From now on no write is taken. The first reason stays: what fails afterwards follows from it. Any
 * thread may come here, since flushes and compactions fail too. */
void refuse(struct store *store, const Status &status)
{
    enum status code = status_code(status);
    int none = OK;

    if (code != ERR_NO_SPACE && code != ERR_CORRUPT)
        code = ERR_IO;
    if (store->refused.compare_exchange_strong(none, code))
        say(store, STORE_LOG_ERROR, "The store refuses writes", status);
}

/* Nothing was done, and the client is told so: it may repeat the write elsewhere or later. */
enum status refused_error(struct store *store, struct error *err)
{
    enum status refused = (enum status)store->refused.load();

    assert(refused != OK);
    if (store->options.read_only)
        return error_set(err, refused, "The store is open for reading only");
    if (refused == ERR_NO_SPACE)
        return error_set(err, refused, "The disk is full: the store refuses writes until it is resumed");
    return error_set(err, refused, "An earlier write failed: the store refuses writes until it is resumed");
}

/* ---- holding the instance ---- */

/* Threads take the counters in turn: two share one only where there are more threads than counters. */
unsigned counter_of_thread()
{
    static std::atomic<unsigned> next{ 0 };
    static thread_local unsigned mine = next++ % COUNTERS;

    return mine;
}

/* The count may be another thread's than the one that acquired: only the sum matters. */
void release(struct store *store)
{
    store->counters[counter_of_thread()].held.fetch_sub(1);
}

/* Gets the instance and holds it until release, which this or another thread may do. The count is
 * raised before the pointer is read: so whoever took the pointer away and then finds all counts at
 * zero knows that nobody has it. */
enum status acquire(struct store *store, bool may_wait, struct instance **result, struct error *err)
{
    std::atomic<int64_t> &held = store->counters[counter_of_thread()].held;

    for (;;) {
        held.fetch_add(1);
        *result = store->instance.load();
        if (*result)
            return OK;
        held.fetch_sub(1);
        if (!may_wait)
            return ERR_WOULD_WAIT;
        /* It is being replaced. Waiting is for workers and owners only. */
        std::unique_lock<std::mutex> guard(store->lock);
        store->changed.wait(guard, [store] { return !store->reopening || store->instance.load(); });
        if (!store->instance.load())
            return error_set(err, ERR_IO, "The store could not be opened again");
    }
}

/* For what changes files: not while writes are refused. Held until release. */
enum status acquire_healthy(struct store *store, struct instance **result, struct error *err)
{
    return store->refused.load() ? refused_error(store, err) : acquire(store, true, result, err);
}

/* Waits until no reader holds the instance, but not for ever: a client's scan may stay open, and the
 * owner does this. Readers and the owner wait as long: not long at first, and longer each time that
 * somebody did not let go. Each count that is held was added before the pointer was taken away, so
 * the sum can only be too high. */
bool wait_until_free(struct store *store)
{
    for (int waited = 0;; waited++) {
        int64_t held = 0;

        for (struct counter &counter : store->counters)
            held += counter.held.load();
        if (held == 0)
            return true;
        if (waited == store->resume_wait_ms) {
            store->resume_wait_ms = std::min(2 * waited, (int)RESUME_WAIT_MAX_MS);
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

/* ---- open and close ---- */

/* Closing may fail, and what was acknowledged is safe all the same: it was synced when it was
 * written. */
void instance_close(struct store *store, struct instance *instance)
{
    if (!instance)
        return;
    assert(instance->db);
    store->tracker->set_families(nullptr, nullptr);
    /* Nothing may still use a family's handle: background work first. */
    rocksdb::CancelAllBackgroundWork(instance->db, true);
    for (rocksdb::ColumnFamilyHandle *family : instance->families)
        if (family)
            instance->db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    /* What was written without a sync survives at least an orderly end. */
    Status status;
    if (!instance->read_only && !store->refused.load() && !store->environment->options.test_no_sync)
        status = instance->db->FlushWAL(true);
    Status closed = instance->db->Close();
    if (status.ok())
        status = closed;
    if (!status.ok() && !store->refused.load())
        say(store, STORE_LOG_WARN, "Closing a store", status);
    delete instance->db;
    delete instance;
}

/* The file system may know better than RocksDB why: a wrong key, or which byte is damaged. */
enum status open_failure(const Status &status, struct error *err)
{
    enum status ours = encrypted_last_failure(err);

    return ours ? ours : translate(status, "The store can't be opened", err);
}

/* Opens the store: replays the log, and makes what does not exist yet. For reading only, nothing is
 * written, and nothing of the log is kept in files. */
enum status instance_open(struct store *store, bool read_only, struct instance **result, struct error *err)
{
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    rocksdb::DBOptions options;
    rocksdb::DB *db = nullptr;
    Status status;

    store->tracker = std::make_shared<PurgeTracker>(store->semantics, store->environment->options.clock,
                                                    [store](const Status &failure) { refuse(store, failure); });
    if (store->options.log_bytes_max)
        store->tracker->on_flushed = [store](rocksdb::DB *flushed) { store->kept->trim(flushed); };
    options = instance_options(store->environment, &store->options, store->tracker);
    families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                          family_options(store->environment, &store->options, STORE_DATA, store->tracker));
    families.emplace_back(journal_family_name,
                          family_options(store->environment, &store->options, STORE_JOURNAL, store->tracker));
    encrypted_forget_failure();
    status = read_only ? rocksdb::DB::OpenForReadOnly(options, store->path, families, &handles, &db)
                       : rocksdb::DB::Open(options, store->path, families, &handles, &db);
    if (!status.ok())
        return open_failure(status, err);
    assert(db && handles.size() == STORE_FAMILY_COUNT);
    struct instance *instance = new struct instance;
    instance->db = db;
    instance->read_only = read_only;
    for (int i = 0; i < STORE_FAMILY_COUNT; i++)
        instance->families[i] = handles[i];
    store->tracker->set_families(handles[STORE_DATA], handles[STORE_JOURNAL]);
    store->tail.find(db, store->kept.get(), store->tracker->replayed_last());
    if (!read_only)
        store->kept->trim(db);
    *result = instance;
    return OK;
}

/* Makes the store's directory and syncs the one above it: its name must survive a crash as well. */
enum status make_directory(struct store *store, struct error *err)
{
    struct file_system *files = store->environment->files;
    size_t slash = store->path.find_last_not_of('/');
    bool is_directory = false;

    if (files->ops->is_directory(files, store->path.c_str(), &is_directory, err) == OK) {
        if (is_directory)
            return OK;
        return error_set(err, ERR_CONFIG, "%s is not a directory", store->path.c_str());
    }
    enum status status = files->ops->make_directory(files, store->path.c_str(), err);
    if (status)
        return status;
    slash = store->path.rfind('/', slash);
    std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : store->path.substr(0, slash);
    return files->ops->sync_directory(files, parent.c_str(), err);
}

/* A directory without CURRENT is a new store to RocksDB, which deletes what else it finds there: so
 * a lost CURRENT would lose everything. A creation that a crash ended has neither rows nor a log,
 * and may be made again. */
enum status check_not_lost(struct store *store, struct error *err)
{
    struct found {
        bool is_current, is_used;
    } found = {};
    enum status status = store->environment->files->ops->list(
        store->environment->files, store->path.c_str(),
        [](void *context, const char *name) {
            struct found *found = static_cast<struct found *>(context);
            const char *suffix = strrchr(name, '.');

            found->is_current |= !strcmp(name, "CURRENT");
            found->is_used |= suffix && (!strcmp(suffix, ".sst") || !strcmp(suffix, ".log"));
        },
        &found, err);

    if (status == OK && found.is_used && !found.is_current)
        return error_set(err, ERR_CORRUPT, "%s/CURRENT is missing: put it back", store->path.c_str());
    return status;
}

/* Of a log that a process left when it was killed, or whose sync failed, the end may be in the machine's memory alone. It is read back and
 * shown: so it goes to the disk first. */
enum status sync_logs(struct store *store, struct error *err)
{
    struct file_system *files = store->environment->files;
    std::vector<std::string> names;
    enum status status = files->ops->list(
        files, store->path.c_str(),
        [](void *context, const char *name) { static_cast<std::vector<std::string> *>(context)->push_back(name); },
        &names, err);

    for (const std::string &name : names) {
        struct file *file;

        if (status != OK || name.size() < 4 || name.compare(name.size() - 4, 4, ".log") != 0)
            continue;
        status = files->ops->open(files, (store->path + "/" + name).c_str(), FILE_READ, &file, err);
        if (status != OK)
            break;
        status = files->ops->sync(file, err);
        files->ops->close(file);
    }
    return status;
}

/* Says once that reads are slower than they could be. Overlays, some network file systems, kernels
 * before 4.14: the server is right there, and slower. */
void tell_of_waits(struct store *store)
{
    struct environment *environment = store->environment;
    struct file_system *files = environment->files;
    std::string path = store->path + "/CURRENT";
    struct file *file;
    struct error ignored;

    if (!environment->options.log || files->ops->open(files, path.c_str(), FILE_READ, &file, &ignored))
        return;
    if (!files->ops->reads_now(file) && !environment->told_of_waits.exchange(true))
        environment->options.log(environment->options.log_context, STORE_LOG_WARN,
                                 "The file system cannot tell what is in memory (RWF_NOWAIT): every read of a file "
                                 "is left to workers, which is right and slower");
    files->ops->close(file);
}

/* Each step leaves a store that can be thrown away: it is only given to the caller when all of them
 * were done. */
enum status rocks_open(const struct store_options *options, struct store **result, struct error *err)
{
    std::unique_ptr<struct store> store(new struct store);
    struct instance *instance;
    enum status status;

    assert(options->environment && options->semantics && options->path);
    store->environment = static_cast<struct environment *>(options->environment);
    store->semantics = options->semantics;
    store->options = *options;
    store->path = options->path;
    store->options.path = nullptr; /* the caller's memory */
    store->kept = std::make_unique<KeptLogs>(store->environment, store->path, options->log_bytes_max);
    status = options->read_only ? OK : make_directory(store.get(), err);
    if (status == OK)
        status = check_not_lost(store.get(), err);
    if (status == OK && !options->read_only && !store->environment->options.test_no_sync)
        status = sync_logs(store.get(), err);
    if (status == OK)
        status = instance_open(store.get(), options->read_only, &instance, err);
    if (status)
        return status;
    store->instance = instance;
    if (options->read_only)
        store->refused = ERR_IO;
    tell_of_waits(store.get());
    *result = store.release();
    return OK;
}

/* Whoever still holds a scan, a value or a reader of the log would use it after its end. */
void rocks_close(struct store *store)
{
    int64_t held = 0;

    for (struct counter &counter : store->counters)
        held += counter.held.load();
    assert(held == 0);
    assert(store->readers.empty());
    instance_close(store, store->instance.load());
    delete store;
}

/* ---- writing ---- */

/* Makes RocksDB's batch out of ours. The bytes it will copy into its log anyway are copied once more
 * here: 30 ns a row against 2 us of the insert. All is checked here, so a batch that is refused has
 * changed nothing. */
enum status translate_batch(struct store *store, struct instance *instance, const struct store_batch *batch,
                            struct error *err)
{
    rocksdb::WriteBatch &writing = store->writing;
    Status status;

    writing.Clear();
    status = store->tail.mark_gap(instance->db, &writing);
    for (size_t i = 0; i < store_batch_count(batch) && status.ok(); i++) {
        struct store_op op = store_batch_at(batch, i);
        rocksdb::ColumnFamilyHandle *family = instance->families[op.family];

        if (op.kind != STORE_LOG_DATA && (!op.key.size || op.key.size > STORE_KEY_BYTES_MAX))
            return error_set(err, ERR_INVALID, "A key of %zu bytes", op.key.size);
        assert((int)op.family < STORE_FAMILY_COUNT);
        switch (op.kind) {
        case STORE_PUT: status = writing.Put(family, slice_of(op.key), slice_of(op.value)); break;
        case STORE_MERGE: status = writing.Merge(family, slice_of(op.key), slice_of(op.value)); break;
        case STORE_DELETE: status = writing.Delete(family, slice_of(op.key)); break;
        case STORE_DELETE_RANGE: status = writing.DeleteRange(family, slice_of(op.key), slice_of(op.value)); break;
        case STORE_LOG_DATA: status = put_log_data(&writing, op.value); break;
        }
    }
    /* Without an operation it has no number, and could not be told from the batch after it. */
    if (status.ok() && store_batch_count(batch) && !writing.Count())
        return error_set(err, ERR_INVALID, "A batch of log data alone");
    return translate(status, "A batch", err);
}

/* Readers see the batch when this returns OK, and not before its sync. RocksDB writes its log,
 * syncs it, then inserts into the memtable, in this order. An error leaves the outcome unknown:
 * the batch may be in the log. `durable` false leaves out only the sync: the batch is in the log
 * all the same, and a killed process loses nothing of it. */
enum status rocks_write(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    enum { WRITING_KEEP_MAX = 4 * 1024 * 1024 };
    rocksdb::WriteOptions options;
    struct instance *instance = store->instance.load(); /* the writer is who replaces it: no need to hold it */
    Status status;

    if (store->refused.load())
        return refused_error(store, err);
    enum status prepared = translate_batch(store, instance, batch, err);
    if (prepared)
        return prepared;
    assert(instance && !instance->read_only);
    options.sync = durable && !store->environment->options.test_no_sync;
    store->tracker->begin_write(batch);
    status = instance->db->Write(options, &store->writing);
    store->tracker->end_write();
    if (store->writing.GetDataSize() > WRITING_KEEP_MAX)
        store->writing = rocksdb::WriteBatch();
    if (status.ok()) {
        if (store_batch_count(batch))
            store->tail.advance(instance->db);
        return OK;
    }
    refuse(store, status);
    translate(status, "A write", err);
    return error_set(err, (enum status)store->refused.load(), "A write failed: %s", status.ToString().c_str());
}

/* ---- reading ---- */

/* The instance may go when the last value of it was released. */
void value_release(struct store_value *value)
{
    Value *mine = reinterpret_cast<Value *>(value->opaque);
    struct store *store = mine->store;

    mine->~Value();
    release(store);
}

/* The value is pinned where it lies, in a block or a memtable, and copied nowhere. Of who may not
 * wait neither the disk nor very many operands of a key are asked. */
enum status rocks_get(struct store *store, enum store_family family, struct bytes key,
                      const struct store_read_options *options, struct store_value *value, struct error *err)
{
    rocksdb::ReadOptions read;
    struct instance *instance;
    enum status held = acquire(store, options->may_wait, &instance, err);
    Value *mine;

    if (held)
        return held;
    assert((int)family < STORE_FAMILY_COUNT && !value->release);
    mine = new (value->opaque) Value;
    mine->store = store;
    value->release = value_release;
    if (options->snapshot)
        read.snapshot = options->snapshot->snapshot;
    MayNotWait scope(!options->may_wait);
    OperandLimit limit(options->may_wait ? SIZE_MAX : size_t(OPERANDS_INLINE_MAX));
    Status status = instance->db->Get(read, instance->families[family], slice_of(key), &mine->slice);
    if (limit.was_exceeded())
        status = Status::Incomplete();
    if (!status.ok()) {
        store_value_release(value);
        return translate(status, "A read", err);
    }
    value->bytes = bytes_of(mine->slice.data(), mine->slice.size());
    return OK;
}

/* Holds the instance as well: a snapshot of an instance that is gone would be none. */
enum status rocks_snapshot(struct store *store, bool may_wait, struct store_snapshot **result, struct error *err)
{
    struct instance *instance;
    enum status status = acquire(store, may_wait, &instance, err);

    if (status)
        return status;
    *result = new store_snapshot{ instance->db->GetSnapshot(), instance };
    return OK;
}

/* The instance is still the one that it was taken of: while somebody holds it, nobody replaces
 * it. */
void rocks_snapshot_release(struct store *store, struct store_snapshot *snapshot)
{
    assert(snapshot->snapshot && snapshot->instance);
    snapshot->instance->db->ReleaseSnapshot(snapshot->snapshot);
    delete snapshot;
    release(store);
}

/* RocksDB's number of the last operation that is visible. 0 while the instance is being replaced:
 * then nothing can be told. */
uint64_t rocks_sequence(struct store *store)
{
    struct error ignored;
    struct instance *instance;
    uint64_t sequence;

    if (acquire(store, false, &instance, &ignored))
        return 0;
    sequence = instance->db->GetLatestSequenceNumber();
    release(store);
    return sequence;
}

/* Keys of one (table, token) prefix: files without it are skipped by their filters. */
bool has_one_prefix(const struct store_scan_options *options)
{
    return options->lower.size >= STORE_PREFIX_BYTES && options->upper.size >= STORE_PREFIX_BYTES &&
           memcmp(options->lower.data, options->upper.data, STORE_PREFIX_BYTES) == 0;
}

/* Opening reads nothing yet. Bounds are given to RocksDB, so that it stops by itself and does not
 * walk into a neighbour's deleted keys. */
enum status rocks_scan_open(struct store *store, const struct store_scan_options *options, struct store_scan **result,
                            struct error *err)
{
    rocksdb::ReadOptions read;
    struct instance *instance;
    enum status status = acquire(store, options->may_wait, &instance, err);
    Scan *scan;

    if (status)
        return status;
    scan = new Scan{};
    assert((int)options->family < STORE_FAMILY_COUNT);
    scan->base.ops = &store_rocksdb_ops;
    scan->store = store;
    scan->options = *options;
    scan->lower = slice_of(options->lower);
    scan->upper = slice_of(options->upper);
    if (options->lower.size)
        read.iterate_lower_bound = &scan->lower;
    if (options->upper.size)
        read.iterate_upper_bound = &scan->upper;
    if (options->snapshot)
        read.snapshot = options->snapshot->snapshot;
    /* A prefix filter may only be used if all that the scan can meet has one prefix. */
    read.total_order_seek = options->family != STORE_DATA || !has_one_prefix(options);
    if (!options->may_wait)
        read.max_skippable_internal_keys = SKIPPED_INLINE_MAX; /* past this: Incomplete, as for the disk */
    if (options->bulk) {
        read.fill_cache = false;
        read.readahead_size = 256 * 1024;
    }
    /* A file that only this iterator still holds is removed by a background thread, not by a loop. */
    read.background_purge_on_iterator_cleanup = true;
    MayNotWait scope(!options->may_wait);
    scan->iterator = instance->db->NewIterator(read, instance->families[options->family]);
    *result = &scan->base;
    return OK;
}

/* Shows where the iterator stands. Key and value are borrowed from it until its next move. */
enum status moved(Scan *scan, struct error *err)
{
    scan->base.valid = scan->iterator->Valid();
    if (scan->base.valid) {
        Slice key = scan->iterator->key(), value = scan->iterator->value();

        scan->base.key = bytes_of(key.data(), key.size());
        scan->base.value = bytes_of(value.data(), value.size());
        return OK;
    }
    return translate(scan->iterator->status(), "A scan", err);
}

/* Without a lower bound to the first key of the family. */
enum status rocks_scan_first(struct store_scan *base, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);
    MayNotWait scope(!scan->options.may_wait);

    if (scan->lower.size())
        scan->iterator->Seek(scan->lower);
    else
        scan->iterator->SeekToFirst();
    return moved(scan, err);
}

/* RocksDB stops at the upper bound by itself. */
enum status rocks_scan_last(struct store_scan *base, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);
    MayNotWait scope(!scan->options.may_wait);

    scan->iterator->SeekToLast();
    return moved(scan, err);
}

/* Onto the key, or the first behind it. */
enum status rocks_scan_seek(struct store_scan *base, struct bytes key, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);

    /* Outside the bounds a key may have another prefix, which no filter here would know. */
    if (bytes_compare(key, scan->options.lower) <= 0)
        return rocks_scan_first(base, err);
    if (scan->upper.size() && bytes_compare(key, scan->options.upper) >= 0) {
        base->valid = false;
        return OK;
    }
    MayNotWait scope(!scan->options.may_wait);
    scan->iterator->Seek(slice_of(key));
    return moved(scan, err);
}

/* Onto the key, or the last before it; bounded as rocks_scan_seek. */
enum status rocks_scan_seek_back(struct store_scan *base, struct bytes key, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);

    if (bytes_compare(key, scan->options.lower) < 0) {
        base->valid = false;
        return OK;
    }
    if (scan->upper.size() && bytes_compare(key, scan->options.upper) >= 0)
        return rocks_scan_last(base, err);
    MayNotWait scope(!scan->options.may_wait);
    scan->iterator->SeekForPrev(slice_of(key));
    return moved(scan, err);
}

enum status rocks_scan_next(struct store_scan *base, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);
    MayNotWait scope(!scan->options.may_wait);

    assert(base->valid);
    scan->iterator->Next();
    return moved(scan, err);
}

enum status rocks_scan_prev(struct store_scan *base, struct error *err)
{
    Scan *scan = reinterpret_cast<Scan *>(base);
    MayNotWait scope(!scan->options.may_wait);

    assert(base->valid);
    scan->iterator->Prev();
    return moved(scan, err);
}

/* The iterator holds blocks and files of the instance, so it goes before the instance is let go. */
void rocks_scan_close(struct store_scan *base)
{
    Scan *scan = reinterpret_cast<Scan *>(base);
    struct store *store = scan->store;

    delete scan->iterator;
    delete scan;
    release(store);
}

/* ---- the log ---- */

/* The reader is only noted: its first move looks into the log. It is noted so that a resume can make
 * it let go of the instance. */
enum status rocks_updates_since(struct store *store, uint64_t from, struct store_updates **result, struct error *err)
{
    Reader *reader = new Reader{ {}, store, { from, &store->tail, store->kept.get() } };
    std::lock_guard<std::mutex> guard(store->lock);

    reader->base.ops = &store_rocksdb_ops;
    store->readers.insert(&reader->updates);
    *result = &reader->base;
    return OK;
}

/* The instance is held for this move alone: a reader that waits at the live end stands in nobody's
 * way. */
enum status rocks_updates_next(struct store_updates *base, struct error *err)
{
    Reader *reader = reinterpret_cast<Reader *>(base);
    struct instance *instance;
    enum status status = acquire(reader->store, true, &instance, err);

    base->valid = false;
    if (status)
        return status;
    status = reader->updates.next(instance->db, base, err);
    release(reader->store);
    return status;
}

/* Under the lock, as it was noted: a resume goes through the readers (reopen). */
void rocks_updates_close(struct store_updates *base)
{
    Reader *reader = reinterpret_cast<Reader *>(base);

    {
        std::lock_guard<std::mutex> guard(reader->store->lock);
        assert(reader->store->readers.count(&reader->updates) == 1);
        reader->store->readers.erase(&reader->updates);
    }
    delete reader;
}

/* From any thread: finished logs have a lock of their own (KeptLogs). */
enum status rocks_updates_forget(struct store *store, uint64_t before, struct error *err)
{
    struct instance *instance;
    enum status status = acquire_healthy(store, &instance, err);

    if (status)
        return status;
    Status forgot = store->kept->forget(instance->db, before, store->tail.last());
    release(store);
    return translate(forgot, "Forgetting logs", err);
}

/* ---- upkeep ---- */

/* Both families together: then the log of before is finished. It waits until the files are there;
 * writes go on meanwhile, into new memtables. */
enum status rocks_flush(struct store *store, struct error *err)
{
    struct instance *instance;
    enum status status = acquire_healthy(store, &instance, err);

    if (status)
        return status;
    Status flushed = instance->db->Flush(rocksdb::FlushOptions(),
                                         { instance->families[STORE_DATA], instance->families[STORE_JOURNAL] });
    release(store);
    return translate(flushed, "A flush", err);
}

/* Other compactions may run beside it. It can be stopped from outside, since it may take hours. */
enum status rocks_compact(struct store *store, enum store_family family, struct bytes first, struct bytes end,
                          struct error *err)
{
    rocksdb::CompactRangeOptions options;
    Slice from = slice_of(first), to = slice_of(end);
    struct instance *instance;
    enum status status = acquire_healthy(store, &instance, err);

    if (status)
        return status;
    options.exclusive_manual_compaction = false;
    options.canceled = &store->stops_compactions;
    Status compacted;
    /* Values that the first pass merges meet the filter only in the second. */
    for (int pass = 0; pass < 2 && compacted.ok(); pass++) {
        options.bottommost_level_compaction =
            pass ? rocksdb::BottommostLevelCompaction::kForce : rocksdb::BottommostLevelCompaction::kSkip;
        compacted = instance->db->CompactRange(options, instance->families[family], first.size ? &from : nullptr,
                                               end.size ? &to : nullptr);
    }
    release(store);
    if (compacted.IsIncomplete())
        return error_set(err, ERR_CLOSED, "The compaction was stopped");
    return translate(compacted, "A compaction", err);
}

/* Those that were asked for. RocksDB's own end when the store is closed. */
void rocks_stop_compactions(struct store *store, bool stop)
{
    store->stops_compactions = stop;
}

/* Sorted files are linked, the log is copied. What was written before the call is in it. */
enum status rocks_checkpoint(struct store *store, const char *path, struct error *err)
{
    rocksdb::Checkpoint *checkpoint = nullptr;
    struct instance *instance;
    enum status status;

    if (store->refused.load())
        return refused_error(store, err);
    status = acquire(store, true, &instance, err);
    if (status)
        return status;
    assert(path && path != store->path);
    Status made = rocksdb::Checkpoint::Create(instance->db, &checkpoint);
    if (made.ok()) /* the log is copied, not flushed: the writer waits */
        made = checkpoint->CreateCheckpoint(path, UINT64_MAX);
    delete checkpoint;
    release(store);
    return translate(made, "A checkpoint", err);
}

/* Only gives room back early. That the rows are gone is what the delete_range in the log says. */
enum status rocks_remove_files(struct store *store, enum store_family family, struct bytes first, struct bytes end,
                               struct error *err)
{
    Slice from = slice_of(first), to = slice_of(end);
    rocksdb::RangePtr range(first.size ? &from : nullptr, end.size ? &to : nullptr);
    struct instance *instance;
    enum status status = acquire_healthy(store, &instance, err);

    if (status)
        return status;
    Status removed = rocksdb::DeleteFilesInRanges(instance->db, instance->families[family], &range, 1, false);
    release(store);
    return translate(removed, "Removing files", err);
}

/* The sizes of files, summed up: RocksDB's own numbers leave out logs and manifests. */
struct listing {
    struct file_system *files;
    const std::string *path;
    struct store_properties *properties;
};

/* One name of the store's directory. */
void add_file(void *context, const char *name)
{
    listing *list = static_cast<listing *>(context);

    if (!strcmp(name, "archive"))
        return; /* KeptLogs counts it */
    std::string path = *list->path + "/" + name;
    size_t length = strlen(name);
    struct error err;
    uint64_t size = 0;

    if (list->files->ops->size(list->files, path.c_str(), &size, &err) != OK)
        return; /* gone meanwhile */
    list->properties->disk_bytes += size;
    if (length > 4 && !strcmp(name + length - 4, ".log"))
        list->properties->log_bytes += size;
}

/* For metrics: numbers of a moment, none of them exact. Never waits for an instance that is being
 * replaced. */
void rocks_properties(struct store *store, struct store_properties *properties)
{
    struct instance *instance;
    struct error err;

    *properties = {};
    std::vector<std::string> names;
    if (store->environment->files->ops->list(
            store->environment->files, store->path.c_str(),
            [](void *context, const char *name) { static_cast<std::vector<std::string> *>(context)->push_back(name); },
            &names, &err) == OK) {
        listing list = { store->environment->files, &store->path, properties };
        for (const std::string &name : names)
            add_file(&list, name.c_str());
    }
    properties->kept_log_bytes = store->kept->bytes();
    properties->disk_bytes += properties->kept_log_bytes;
    properties->logs_lost = store->kept->lost();
    if (acquire(store, false, &instance, &err))
        return;
    for (rocksdb::ColumnFamilyHandle *family : instance->families) {
        auto number = [&](const std::string &name) {
            uint64_t value = 0;
            return instance->db->GetIntProperty(family, name, &value) ? value : 0;
        };
        std::string count;

        properties->memtable_bytes += number(rocksdb::DB::Properties::kCurSizeAllMemTables);
        properties->pending_compaction_bytes += number(rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
        properties->key_count_estimate += number(rocksdb::DB::Properties::kEstimateNumKeys);
        /* RocksDB's estimate knows files since they were written, not since they were opened. */
        rocksdb::TablePropertiesCollection files;
        if (instance->read_only && instance->db->GetPropertiesOfAllTables(family, &files).ok())
            for (const auto &file : files)
                properties->key_count_estimate += file.second->num_entries;
        for (int level = 0; level < instance->db->NumberLevels(family); level++) {
            if (!instance->db->GetProperty(
                    family, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + std::to_string(level), &count))
                continue;
            properties->file_count += strtoull(count.c_str(), nullptr, 10);
            if (level == 0)
                properties->level0_file_count += strtoull(count.c_str(), nullptr, 10);
        }
    }
    release(store);
}

/* What each write looks at: OK, or the first reason why none is taken. */
enum status rocks_health(struct store *store)
{
    return (enum status)store->refused.load();
}

/* Takes the instance away from readers, closes it and opens it again. A failed write leaves
 * RocksDB in a state it cannot come back from by itself, and its log may hold a part of the
 * batch: a start reads the log and settles what is in it. If that fails too (the disk is still
 * bad), the store is opened for reading only, so that reads go on. Readers that come meanwhile
 * wait in acquire, or are told that they would; those that do not let go in time get it back, and
 * the next try waits longer. */
enum status reopen(struct store *store, struct error *err)
{
    struct instance *old, *fresh = nullptr;
    enum status status = sync_logs(store, err);

    if (status) /* what is open shows only what is synced: a disk that can't sync is no reason to take it away */
        return status;
    {
        std::lock_guard<std::mutex> guard(store->lock);
        store->reopening = true;
        old = store->instance.exchange(nullptr);
    }
    if (!wait_until_free(store)) {
        std::lock_guard<std::mutex> guard(store->lock);
        store->instance = old;
        store->reopening = false;
        store->changed.notify_all();
        return error_set(err, ERR_OVERLOADED, "Readers hold the store: it can't be reopened now");
    }
    store->resume_wait_ms = RESUME_WAIT_MIN_MS;
    {
        std::lock_guard<std::mutex> guard(store->lock);
        for (Updates *reader : store->readers) /* none of them is at work: the counters are zero */
            reader->let_go();
    }
    assert(store->instance.load() == nullptr && store->reopening);
    instance_close(store, old);
    store->refused = OK; /* from here on failures are the new instance's */
    status = instance_open(store, false, &fresh, err);
    if (status) {
        struct error second;

        store->refused = status;
        if (instance_open(store, true, &fresh, &second))
            fresh = nullptr; /* not even readable: readers get ERR_IO until the next resume */
    }
    std::lock_guard<std::mutex> guard(store->lock);
    store->instance = fresh;
    store->reopening = false;
    store->changed.notify_all();
    return status;
}

/* Whether there is room for what is in memory, a log and some more: trying without it would only
 * take the store away from its readers, and fail. */
bool has_space(struct store *store, struct instance *instance)
{
    constexpr uint64_t MARGIN_BYTES = 4 * 1024 * 1024;
    struct file_system *files = store->environment->files;
    uint64_t free_bytes, held = 0;
    struct error err;

    if (files->ops->free_bytes(files, store->path.c_str(), &free_bytes, &err))
        return true; /* not known: try */
    for (rocksdb::ColumnFamilyHandle *family : instance->families) {
        uint64_t bytes;

        if (instance->db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes))
            held += bytes;
    }
    return free_bytes >= held + MARGIN_BYTES;
}

/* Called again and again until it succeeds (table/failure.c). From a thread of its own, while the
 * owner, which refuses all commands, leaves the store alone. */
enum status rocks_resume(struct store *store, struct error *err)
{
    struct instance *instance = store->instance.load();
    enum status refused = (enum status)store->refused.load();

    if (refused == OK)
        return OK;
    if (store->options.read_only)
        return refused_error(store, err);
    /* Without room it would only be taken away from its readers, and fail. Kept logs make room. RocksDB's own Resume() is not asked: it
     * waits without an end for a flush that nobody has scheduled, where one failed for want of room and another one waited behind it. */
    if (refused == ERR_NO_SPACE && instance && !instance->read_only)
        while (!has_space(store, instance))
            if (!store->kept->give_up_oldest(instance->db))
                return error_set(err, ERR_NO_SPACE, "The disk is still full: the store can't be resumed");
    assert(refused != OK && !store->options.read_only);
    return reopen(store, err);
}
/* ---- loading ---- */

/* A load under way, as the interface's opaque struct store_load. */
struct Load {
    struct store *store;
    Loader loader;
};

/* The options are those of the instance and the family, so files are encrypted and know their
 * smallest timestamp. */
enum status rocks_load_open(struct store *store, enum store_family family, struct store_load **result,
                            struct error *err)
{
    struct instance *instance = store->instance.load(); /* the writer's: see rocks_write */
    uint64_t file_bytes = store->options.target_file_bytes;

    if (store->refused.load())
        return refused_error(store, err);
    assert(instance && (int)family < STORE_FAMILY_COUNT);
    rocksdb::Options options(instance_options(store->environment, &store->options, store->tracker),
                             family_options(store->environment, &store->options, family, store->tracker));
    *result = reinterpret_cast<struct store_load *>(
        new Load{ store, Loader(instance->db, instance->families[family], options, store->path,
                                file_bytes ? file_bytes : options.target_file_size_base) });
    return OK;
}

/* A key that a write would refuse is refused here as well. */
enum status rocks_load_put(struct store_load *base, struct bytes key, struct bytes value, struct error *err)
{
    if (!key.size || key.size > STORE_KEY_BYTES_MAX)
        return error_set(err, ERR_INVALID, "A key of %zu bytes", key.size);
    return translate(reinterpret_cast<Load *>(base)->loader.put(slice_of(key), slice_of(value)), "A load", err);
}

/* The load is freed, whatever comes of it. */
enum status rocks_load_end(struct store_load *base, struct error *err)
{
    std::unique_ptr<Load> load(reinterpret_cast<Load *>(base));

    return translate(load->loader.end(), "A load", err);
}

void rocks_load_abandon(struct store_load *base)
{
    delete reinterpret_cast<Load *>(base);
}

/* ---- a check of a store at rest ---- */

enum { CHECK_READ_BYTES = 1 << 20 };

/* Looks at a store that nobody has open and goes on after what it finds: whoever has damage wants to
 * know all of it. Each byte is read twice, once as files and blocks with their checksums, once as
 * rows. */
class Checker
{
  public:
    Checker(struct store *store, const struct store_check *check) : store_(store), check_(check)
    {
    }

    /* Files first, then rows. OK says that everything was looked at, not that it was sound. */
    enum status run(struct error *err)
    {
        enum status status = list(err);

        if (status == OK)
            status = open_files(err);
        if (status != OK)
            return status;
        open_store();
        for (const File &file : files_)
            check_file(file);
        for (int family = 0; family < STORE_FAMILY_COUNT; family++)
            scan(static_cast<enum store_family>(family));
        if (instance_)
            instance_close(store_, instance_);
        check_->progress(check_->context, total_, total_);
        return OK;
    }

  private:
    struct File {
        std::string name;
        uint64_t bytes;
    };

    rocksdb::Env *env() const
    {
        return store_->environment->env.get();
    }

    std::string path_of(const std::string &name) const
    {
        return store_->path + "/" + name;
    }

    void damaged(const std::string &name, const char *what)
    {
        check_->damaged(check_->context, name.c_str(), what);
    }

    /* Rows count by their own size, files by theirs, which is after compression: so it is held
     * below the total. */
    void progress(uint64_t bytes)
    {
        done_ = std::min(total_, done_ + bytes);
        check_->progress(check_->context, done_, total_);
    }

    /* Everything in the directory, also what a crash left behind: check_file leaves that out. */
    enum status list(struct error *err)
    {
        std::vector<std::string> names;
        std::vector<std::string> archived;
        Status status = env()->GetChildren(store_->path, &names);

        if (!status.ok())
            return translate(status, "The store can't be listed", err);
        if (env()->GetChildren(path_of("archive"), &archived).ok()) /* there if logs were ever kept */
            for (const std::string &name : archived)
                if (name != "." && name != "..")
                    names.push_back("archive/" + name);
        for (const std::string &name : names) {
            uint64_t bytes = 0;

            if (name == "." || name == ".." || name == "LOCK" || name == "archive")
                continue;
            if (!env()->GetFileSize(path_of(name), &bytes).ok())
                bytes = 0; /* told when it is read */
            files_.push_back({ name, bytes });
            total_ += 2 * bytes; /* once as it lies, once as rows */
        }
        return files_.empty() ? error_set(err, ERR_NOT_FOUND, "%s is empty", store_->path.c_str()) : OK;
    }

    /* A wrong master key fits no file; one that it does not fit among others is damaged. */
    enum status open_files(struct error *err)
    {
        size_t strange = 0;
        struct error first = {};

        for (const File &file : files_) {
            std::unique_ptr<rocksdb::RandomAccessFile> opened;

            encrypted_forget_failure();
            if (env()->NewRandomAccessFile(path_of(file.name), &opened, rocksdb::EnvOptions()).ok())
                continue;
            strange += encrypted_last_failure(&first) == ERR_CONFIG;
        }
        if (strange == files_.size())
            return error_set(err, ERR_CONFIG, "%s", first.message);
        return OK;
    }

    /* Reads the log, too. Not opened: its files are looked at all the same. */
    void open_store()
    {
        struct error error = {};
        std::vector<rocksdb::LiveFileMetaData> live;

        if (instance_open(store_, true, &instance_, &error) != OK) {
            instance_ = nullptr;
            damaged("", error.message);
            return;
        }
        instance_->db->GetLiveFilesMetaData(&live);
        for (const rocksdb::LiveFileMetaData &file : live)
            live_.insert(file.name.substr(file.name.rfind('/') + 1));
    }

    static bool is_sorted_file(const std::string &name)
    {
        return name.size() > 4 && name.compare(name.size() - 4, 4, ".sst") == 0;
    }

    /* One file, whatever it is: all its bytes can be read and its header fits the key. The blocks
     * of a sorted file have checksums besides; the frames of the log and the manifest were
     * checked when the store was opened. */
    void check_file(const File &file)
    {
        std::unique_ptr<rocksdb::RandomAccessFile> opened;
        std::vector<char> scratch(CHECK_READ_BYTES);
        struct error error = {};
        Slice got;
        Status status;

        if (instance_ && is_sorted_file(file.name) && !live_.count(file.name))
            return progress(file.bytes); /* of a flush or compaction that a crash ended: nothing refers to it */
        encrypted_forget_failure();
        status = env()->NewRandomAccessFile(path_of(file.name), &opened, rocksdb::EnvOptions());
        if (!status.ok()) {
            damaged(file.name, encrypted_last_failure(&error) ? error.message : status.ToString().c_str());
            return progress(file.bytes);
        }
        for (uint64_t at = 0; status.ok(); at += got.size()) {
            status = opened->Read(at, scratch.size(), &got, scratch.data());
            if (!status.ok() || got.empty())
                break;
            progress(got.size());
        }
        if (status.ok() && is_sorted_file(file.name)) {
            rocksdb::Options options(
                instance_options(store_->environment, &store_->options, store_->tracker),
                family_options(store_->environment, &store_->options, STORE_DATA, store_->tracker));

            status = rocksdb::VerifySstFileChecksum(options, rocksdb::EnvOptions(), path_of(file.name));
        }
        if (!status.ok())
            damaged(file.name, status.ToString().c_str());
    }

    /* All values of a family as a reader gets them, merged. Damage ends it: RocksDB's iterator
     * does not go on behind it. */
    void scan(enum store_family family)
    {
        rocksdb::ReadOptions options;

        if (!instance_)
            return;
        options.verify_checksums = true;
        options.fill_cache = false;
        options.total_order_seek = true;
        std::unique_ptr<rocksdb::Iterator> at(instance_->db->NewIterator(options, instance_->families[family]));
        for (at->SeekToFirst(); at->Valid(); at->Next()) {
            check_->value(check_->context, family, bytes_of(at->key().data(), at->key().size()),
                          bytes_of(at->value().data(), at->value().size()));
            progress(at->key().size() + at->value().size());
        }
        if (!at->status().ok())
            damaged("", at->status().ToString().c_str());
    }

    struct store *store_;
    const struct store_check *check_;
    struct instance *instance_ = nullptr;
    std::vector<File> files_;
    std::set<std::string> live_;
    uint64_t done_ = 0, total_ = 0;
};

/* Nothing is locked here and nothing written: the caller holds the directory (server/admin/at_rest.c). */
enum status rocks_check(const struct store_options *options, const struct store_check *check, struct error *err)
{
    struct store store;

    store.environment = static_cast<struct environment *>(options->environment);
    store.semantics = options->semantics;
    store.options = *options;
    store.path = options->path;
    store.options.path = nullptr;
    store.kept = std::make_unique<KeptLogs>(store.environment, store.path, options->log_bytes_max);
    return Checker(&store, check).run(err);
}

} // namespace

/* In the order of struct store_ops: C++17 has no designators. */
const struct store_ops store_rocksdb_ops = {
    "rocksdb",
    environment_open,
    environment_close,
    environment_counts,
    rocks_open,
    rocks_close,
    rocks_write,
    rocks_get,
    rocks_scan_open,
    rocks_scan_first,
    rocks_scan_last,
    rocks_scan_seek,
    rocks_scan_seek_back,
    rocks_scan_next,
    rocks_scan_prev,
    rocks_scan_close,
    rocks_snapshot,
    rocks_snapshot_release,
    rocks_sequence,
    rocks_updates_since,
    rocks_updates_next,
    rocks_updates_close,
    rocks_updates_forget,
    rocks_flush,
    rocks_compact,
    rocks_stop_compactions,
    rocks_checkpoint,
    rocks_remove_files,
    rocks_properties,
    rocks_health,
    rocks_resume,
    rocks_check,
    rocks_load_open,
    rocks_load_put,
    rocks_load_end,
    rocks_load_abandon,
};

/* Every setting of RocksDB that is not its default, with the reason, and what all instances of a
 * process share: cache, threads, memory for writes, and the log of what happens.
 *
 * The settings serve three aims. A write is durable when it is answered, and damage is an error and
 * never a missing row. A loop never waits: files stay open, their indexes and filters stay in
 * memory, removal goes to background threads. Many shards fit into a small machine: what can be
 * shared is, and an idle shard costs little. */
#include "store/rocksdb/options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/system_clock.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cassert>
#include <cstdarg>
#include <cstdio>

namespace
{

constexpr uint64_t MIB = 1024 * 1024;

/* RocksDB's info log. At WARN and above it carries no keys (allow_data_in_errors is false); below, it does: manual
 * compactions print their bounds. */
class Logger : public rocksdb::Logger
{
  public:
    Logger(void (*log)(void *, enum store_log_level, const char *), void *context)
        : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(log), context_(context)
    {
    }
    using rocksdb::Logger::Logv;
    void Logv(const char *format, va_list list) override
    {
        Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, list);
    }
    void Logv(const rocksdb::InfoLogLevel level, const char *format, va_list list) override
    {
        char message[1024];

        if (!log_ || level < rocksdb::InfoLogLevel::WARN_LEVEL || level >= rocksdb::InfoLogLevel::HEADER_LEVEL)
            return;
        vsnprintf(message, sizeof(message), format, list);
        log_(context_, level == rocksdb::InfoLogLevel::WARN_LEVEL ? STORE_LOG_WARN : STORE_LOG_ERROR, message);
    }

  private:
    void (*log_)(void *, enum store_log_level, const char *);
    void *context_;
};

/* After a failed flush or compaction RocksDB's thread sleeps a second before it looks again, and whoever
 * closes or reopens the store waits for it. Here a failure stops the store until it is resumed, so there is
 * nothing to wait for. */
class ShortSleeps : public rocksdb::SystemClockWrapper
{
  public:
    explicit ShortSleeps(const std::shared_ptr<rocksdb::SystemClock> &below) : SystemClockWrapper(below)
    {
    }
    const char *Name() const override
    {
        return "helenus";
    }
    void SleepForMicroseconds(int us) override
    {
        SystemClockWrapper::SleepForMicroseconds(std::min(us, 10000));
    }
};

/* RocksDB's environment as ours: our file system, and the clock with short sleeps. */
class Environment : public rocksdb::EnvWrapper
{
  public:
    explicit Environment(std::unique_ptr<rocksdb::Env> below) : EnvWrapper(below.get()), below_(std::move(below))
    {
        system_clock_ = std::make_shared<ShortSleeps>(below_->GetSystemClock());
    }

  private:
    std::unique_ptr<rocksdb::Env> below_;
};

} // namespace

/* Fills the defaults in and makes what is shared. Without a clock or a key it is refused: a store
 * that is not encrypted is for tests alone, which say so. */
enum status environment_open(const struct store_environment_options *options, void **result, struct error *err)
{
    std::unique_ptr<struct environment> environment(new struct environment);
    struct store_environment_options &filled = environment->options;

    filled = *options;
    if (!filled.cache_bytes)
        filled.cache_bytes = 64 * MIB;
    if (!filled.write_buffer_bytes)
        filled.write_buffer_bytes = 256 * MIB;
    if (!filled.background_threads)
        filled.background_threads = 2;
    if (!filled.clock)
        return error_set(err, ERR_CONFIG, "The store needs a clock");
    if (!filled.keys && !filled.test_plain)
        return error_set(err, ERR_CONFIG, "The store needs a master key");
    environment->files = filled.files ? filled.files : file_system_posix();
    environment->env.reset(new Environment(rocksdb::NewCompositeEnv(
        encrypted_file_system(environment->files, filled.test_plain ? nullptr : filled.keys, &environment->reads))));
    /* Threads are started when there is work, and shared by all instances: flushes must not wait behind compactions. */
    environment->env->SetBackgroundThreads((int)filled.background_threads, rocksdb::Env::LOW);
    environment->env->SetBackgroundThreads(1, rocksdb::Env::HIGH);
    assert(environment->files && environment->env);
    rocksdb::LRUCacheOptions cache;
    cache.capacity = filled.cache_bytes;
    cache.num_shard_bits = 4; /* few cores; each shard has tables of its own */
    cache.high_pri_pool_ratio = 0.3;
    environment->cache = rocksdb::NewLRUCache(cache);
    environment->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(filled.write_buffer_bytes);
    environment->logger = std::make_shared<Logger>(filled.log, filled.log_context);
    *result = environment.release();
    return OK;
}

void environment_close(void *environment)
{
    delete static_cast<struct environment *>(environment);
}

/* Each number by itself: they are of no one moment. */
void environment_counts(void *context, struct store_counts *counts)
{
    struct environment *environment = static_cast<struct environment *>(context);
    const ReadCounts &reads = environment->reads;

    counts->reads_at_once = reads.at_once.load(std::memory_order_relaxed);
    counts->reads_refused = reads.refused.load(std::memory_order_relaxed);
    counts->reads_waiting = reads.waited.load(std::memory_order_relaxed);
    counts->read_bytes = reads.bytes.load(std::memory_order_relaxed);
    counts->cache_bytes = environment->cache->GetUsage();
    counts->cache_pinned_bytes = environment->cache->GetPinnedUsage();
    counts->cache_bytes_max = environment->cache->GetCapacity();
}

/* One instance's settings. The tracker listens to it and filters its log at a start, so it lives as
 * long as the instance. */
rocksdb::DBOptions instance_options(struct environment *environment, const struct store_options *store,
                                    std::shared_ptr<PurgeTracker> tracker)
{
    uint64_t write_buffer = store->write_buffer_bytes ? store->write_buffer_bytes : 32 * MIB;
    rocksdb::DBOptions options;

    assert(environment->env && tracker);
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.env = environment->env.get();
    options.info_log = environment->logger;
    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.wal_filter = tracker->recovery(); /* lives as long as the listener */
    options.listeners.push_back(std::move(tracker));
    /* The default (point in time) drops everything behind a damaged record, acknowledged rows too, and says
     * nothing. This one takes only a torn tail, which was never acknowledged, and refuses damage in the
     * middle. */
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    /* What is replayed stays in memory. A flush at every open would leave a small file each time: a process
     * that is killed again and again would pile up level-0 files faster than compaction takes them, until
     * writes are stopped. */
    options.avoid_flush_during_recovery = true;
    /* Bounds the replay at start, where one family is written and the other keeps the log alive. */
    options.max_total_wal_size = 3 * write_buffer;
    /* Finished logs go to archive/ and stay: RocksDB would look for what is too old after half of this.
     * KeptLogs removes them. */
    if (store->log_bytes_max)
        options.WAL_ttl_seconds = uint64_t(1) << 40;
    options.max_background_jobs = (int)environment->options.background_threads + 1;
    options.max_subcompactions = 1; /* semantics.cc relies on it */
    options.write_buffer_manager = environment->write_buffers;
    options.max_open_files = -1; /* a read never opens a file */
    options.max_file_opening_threads = 4;
    options.allow_concurrent_memtable_write = false; /* one writer */
    options.enable_write_thread_adaptive_yield = false;
    options.avoid_unnecessary_blocking_io = true; /* files are removed in the background, never by who reads */
    options.allow_data_in_errors = false;
    options.paranoid_checks = true;
    options.max_bgerror_resume_count = 0; /* store_ops->resume decides */
    /* No threads and files for statistics nobody reads. */
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.skip_stats_update_on_db_open = true;
    return options;
}

/* How a sorted file is laid out. Blocks of 4 KiB: most reads are of one row, and a block is what
 * each of them decodes. */
static rocksdb::BlockBasedTableOptions table_options(struct environment *environment)
{
    rocksdb::BlockBasedTableOptions table;

    table.block_cache = environment->cache;
    table.block_size = 4096;
    table.format_version = 5;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
    /* Indexes and filters count as cache, so that memory has one bound; held as long as the file is, so that a read
     * never waits for them and never looks them up. */
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kAll;
    return table;
}

/* One family's settings. Both have the same, but for the filters of prefixes, which only rows' keys
 * have. */
rocksdb::ColumnFamilyOptions family_options(struct environment *environment, const struct store_options *store,
                                            enum store_family family, std::shared_ptr<PurgeTracker> tracker)
{
    rocksdb::ColumnFamilyOptions options;

    assert(store->semantics && environment->cache);
    options.write_buffer_size = store->write_buffer_bytes ? store->write_buffer_bytes : 32 * MIB;
    options.max_write_buffer_number = 2;
    options.arena_block_size = 128 * 1024; /* an idle shard holds one */
    options.level0_file_num_compaction_trigger = 4;
    options.level_compaction_dynamic_level_bytes = true;
    options.target_file_size_base = store->target_file_bytes ? store->target_file_bytes : 64 * MIB;
    options.max_bytes_for_level_base = 4 * options.target_file_size_base;
    options.periodic_compaction_seconds = store->periodic_compaction_s ? store->periodic_compaction_s : 7 * 86400;
    /* Fast above; small at the last level, where nine tenths of the bytes are and files are written
     * seldom. */
    options.compression = rocksdb::kLZ4Compression;
    options.bottommost_compression = rocksdb::kZSTD;
    if (environment->options.test_plain)
        options.compression = options.bottommost_compression = rocksdb::kNoCompression;
    options.merge_operator = semantics_merge_operator(store->semantics);
    options.compaction_filter_factory = semantics_filter_factory(store->semantics, std::move(tracker));
    options.table_properties_collector_factories.push_back(semantics_collector_factory(store->semantics));
    if (family == STORE_DATA) {
        options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(STORE_PREFIX_BYTES));
        /* Most point reads ask first for a partition's own record, which is seldom there: the memtable's filter spares
         * them a walk down the skip list. */
        options.memtable_prefix_bloom_size_ratio = 0.01;
        options.memtable_whole_key_filtering = true;
    }
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(environment)));
    return options;
}

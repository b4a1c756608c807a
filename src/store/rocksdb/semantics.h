/* store/rocksdb/semantics.h: struct store_semantics as RocksDB's merge operator, compaction filter and table
 * properties.
 *
 * What a compaction may purge is known by PurgeTracker: the smallest write timestamp in any memtable
 * (followed as they are filled by a start from the log, written, sealed and flushed) and in every file (a
 * property that each file carries). When a compaction begins, it takes the smallest over all memtables and
 * all overlapping files that are not among its inputs. Anything not known for certain means "purge nothing".
 *
 * C++; only for the files of this folder.
 * Thread:  callbacks come from any thread; PurgeTracker has its own lock.
 */
#ifndef STORE_ROCKSDB_SEMANTICS_H
#define STORE_ROCKSDB_SEMANTICS_H

#include <rocksdb/compaction_filter.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table_properties.h>
#include <rocksdb/wal_filter.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

extern "C" {
#include "store/store.h"
}

/* The name of the file property: the smallest timestamp, 8 bytes, big-endian two's complement. */
extern const char min_timestamp_property[];
extern const char journal_family_name[];

/* While one lives, a Get on this thread that meets more operands of its key than this gives up: its value is
 * void then. */
class OperandLimit
{
  public:
    explicit OperandLimit(size_t max);
    ~OperandLimit();
    bool was_exceeded() const;
};

class PurgeTracker : public rocksdb::EventListener
{
  public:
    /* on_error: a background job failed. */
    PurgeTracker(const struct store_semantics *semantics, const struct clock *clock,
                 std::function<void(const rocksdb::Status &)> on_error)
        : semantics_(semantics), clock_(clock), on_error_(std::move(on_error)), recovery_(this)
    {
    }

    /* For DBOptions: sees what a start reads from the log, which comes into memtables without begin_write. */
    rocksdb::WalFilter *recovery()
    {
        return &recovery_;
    }

    /* The last number that a start read from the log; 0: none. */
    uint64_t replayed_last() const
    {
        return replayed_last_;
    }
    /* Called after each flush, from its thread, if set before the instance is opened. */
    std::function<void(rocksdb::DB *)> on_flushed;

    /* The writer calls these around each write. */
    void begin_write(const struct store_batch *batch);
    void end_write();
    /* The handles, once the instance is open; nullptr before it closes. Without them nothing is purged. */
    void set_families(rocksdb::ColumnFamilyHandle *data, rocksdb::ColumnFamilyHandle *journal);
    /* What the compaction that runs on this thread may purge. */
    struct store_purge purge_now(uint32_t family_id) const;

    void OnMemTableSealed(const rocksdb::MemTableInfo &info) override;
    void OnFlushCompleted(rocksdb::DB *db, const rocksdb::FlushJobInfo &info) override;
    void OnCompactionBegin(rocksdb::DB *db, const rocksdb::CompactionJobInfo &info) override;
    void OnCompactionCompleted(rocksdb::DB *db, const rocksdb::CompactionJobInfo &info) override;
    void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status *status) override;
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status status, bool *automatic) override;

  private:
    struct Sealed {
        rocksdb::SequenceNumber first;
        int64_t min_us;
    };
    struct Family {
        int64_t active_us = INT64_MAX;  /* the memtable that is written to */
        int64_t writing_us = INT64_MAX; /* the write under way, which may land in the next memtable */
        std::deque<Sealed> sealed;      /* not yet flushed */
        rocksdb::ColumnFamilyHandle *handle = nullptr;
    };

    class Recovery : public rocksdb::WalFilter
    {
      public:
        explicit Recovery(PurgeTracker *tracker) : tracker_(tracker)
        {
        }
        const char *Name() const override
        {
            return "helenus.recovery";
        }
        WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string &log_name,
                                           const rocksdb::WriteBatch &batch, rocksdb::WriteBatch *changed,
                                           bool *is_changed) override;

      private:
        PurgeTracker *tracker_;
    };

    int64_t memtables_min(enum store_family family);

    const struct store_semantics *semantics_;
    const struct clock *clock_;
    std::function<void(const rocksdb::Status &)> on_error_;
    std::mutex lock_;
    Family families_[STORE_FAMILY_COUNT];
    Recovery recovery_;
    uint64_t replayed_last_ = 0; /* the thread's that opens */
};

std::shared_ptr<rocksdb::MergeOperator> semantics_merge_operator(const struct store_semantics *semantics);
std::shared_ptr<rocksdb::CompactionFilterFactory> semantics_filter_factory(const struct store_semantics *semantics,
                                                                           std::shared_ptr<PurgeTracker> tracker);
std::shared_ptr<rocksdb::TablePropertiesCollectorFactory>
semantics_collector_factory(const struct store_semantics *semantics);

#endif

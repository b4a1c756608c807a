/* store/rocksdb/updates.h: the log (RocksDB's WAL) read back, and finished logs kept: what store.h calls updates.
 *
 * Finished logs are moved by RocksDB to archive/ and stay there (WAL_ttl_seconds without end); KeptLogs
 * removes them. What a batch has of log data is written with a kind before it (1 byte): 'd', the caller's
 * bytes; 'g', a gap: the last number (8, big-endian) of the batch before, where numbers between were used by
 * no batch of the log. So whatever else lacks is damage and is told.
 *
 * RocksDB 7.8's iterator asserts that it meets no record that is not yet visible, and does meet one where the
 * number asked for lies before it in no log. So it is only asked for what is known to be there: up to
 * LogTail, from the first log's first number.
 *
 * C++; only for the files of this folder.
 * Thread:  LogTail: one writer, any reader. KeptLogs: any. Updates: one at a time.
 */
#ifndef STORE_ROCKSDB_UPDATES_H
#define STORE_ROCKSDB_UPDATES_H

#include <rocksdb/db.h>
#include <rocksdb/transaction_log.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/rocksdb/options.h"

/* The last number of the last batch in the log that is visible. RocksDB's own last number may be larger. */
class LogTail
{
  public:
    /* Of a store just opened; replayed: the last number that the start read from logs, 0: none. */
    void find(rocksdb::DB *db, class KeptLogs *kept, uint64_t replayed);
    /* Before a batch is written: says in it which numbers no batch has. */
    rocksdb::Status mark_gap(rocksdb::DB *db, rocksdb::WriteBatch *writing) const;
    /* It was written and is visible. */
    void advance(rocksdb::DB *db);
    uint64_t last() const
    {
        return last_.load(std::memory_order_acquire);
    }

  private:
    std::atomic<uint64_t> last_{ 0 };
};

/* As a part of a batch that is written. */
rocksdb::Status put_log_data(rocksdb::WriteBatch *writing, struct bytes data);

class KeptLogs
{
  public:
    KeptLogs(struct environment *environment, const std::string &directory, uint64_t bytes_max)
        : environment_(environment), directory_(directory), bytes_max_(bytes_max)
    {
    }
    /* After a flush and at a start: what is past the bound, or may go. From any thread, also RocksDB's. */
    void trim(rocksdb::DB *db);
    rocksdb::Status forget(rocksdb::DB *db, uint64_t before, uint64_t tail);
    /* The disk is full: the oldest goes. False: there is none. */
    bool give_up_oldest(rocksdb::DB *db);
    uint64_t bytes();
    uint64_t lost() const
    {
        return lost_;
    }
    /* While it is held no log goes. */
    std::mutex &lock()
    {
        return lock_;
    }

    struct Log {
        uint64_t number;
        bool is_archived; /* finished */
        std::string name;
        uint64_t bytes;
        uint64_t first; /* the number of its first batch, by list_all */
    };
    /* All that are not empty, oldest first, finished or not. */
    rocksdb::Status list_all(std::vector<Log> *logs);

  private:
    std::vector<Log> list(); /* the finished ones, oldest first */
    enum status list_in(const std::string &directory, bool is_archived, std::vector<Log> *logs, struct error *err);
    rocksdb::Status read_first(Log *log);
    rocksdb::Status remove(rocksdb::DB *db, const Log &log);
    void say_lost(const Log &log, const char *why);

    struct environment *environment_;
    const std::string directory_;
    const uint64_t bytes_max_;
    std::atomic<uint64_t> lost_{ 0 };
    std::atomic<bool> forgets_all_{ false };
    std::map<uint64_t, uint64_t> firsts_; /* of logs that were looked at; guarded by lock once the store is open */
    std::mutex lock_;
};

class Updates
{
  public:
    Updates(uint64_t from, const LogTail *tail, KeptLogs *kept)
        : position_(from), tail_(tail), kept_(kept), batch_(store_batch_new())
    {
    }
    ~Updates()
    {
        store_batch_free(batch_);
    }
    /* Fills what is shown. The instance is held by the caller. */
    enum status next(rocksdb::DB *db, struct store_updates *shown, struct error *err);
    /* The instance is going to be closed. */
    void let_go()
    {
        iterator_.reset();
    }

  private:
    rocksdb::Status begin(rocksdb::DB *db);
    enum status take(const rocksdb::BatchResult &found, struct store_updates *shown, struct error *err);
    enum status missing(const rocksdb::Status &status, struct error *err) const;

    uint64_t position_;
    uint64_t first_ = 0; /* of the oldest log when the iterator was made */
    const LogTail *tail_;
    KeptLogs *kept_;
    struct store_batch *batch_; /* owned */
    std::unique_ptr<rocksdb::TransactionLogIterator> iterator_;
};

#endif

/* store/rocksdb/encrypted.h: the file system RocksDB is handed: file_ops below, encryption between.
 *
 * Every file is encrypted (header.h), whatever it is for. C++; only for the files of this folder.
 *
 * Thread:  any.
 */
#ifndef STORE_ROCKSDB_ENCRYPTED_H
#define STORE_ROCKSDB_ENCRYPTED_H

#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>

extern "C" {
#include "keys/keys.h"
#include "store/files/files.h"
}

/* Reads of files, as struct store_counts tells them. Each is at least a system call: an atomic addition is not felt. */
struct ReadCounts {
    std::atomic<uint64_t> at_once{ 0 }, refused{ 0 }, waited{ 0 }, bytes{ 0 };

    void count(enum status status, bool may_not_wait, size_t got)
    {
        std::atomic<uint64_t> &kind = status == ERR_WOULD_WAIT ? refused : may_not_wait ? at_once : waited;

        kind.fetch_add(1, std::memory_order_relaxed);
        bytes.fetch_add(got, std::memory_order_relaxed);
    }
};

/* keys NULL: nothing is encrypted, there is no header (tests only). All are borrowed. */
std::shared_ptr<rocksdb::FileSystem> encrypted_file_system(struct file_system *files, const struct keys *keys,
                                                           ReadCounts *counts);

/* While it lives, reads of this thread that would wait for the disk come back as Status::Incomplete. */
class MayNotWait
{
  public:
    explicit MayNotWait(bool may_not_wait);
    ~MayNotWait();

  private:
    bool before_;
};

/* While it lives, sizes of logs that this thread asks for are those of their files. What RocksDB wrote into
 * one is less, and known only by reading it. */
class RoughSizes
{
  public:
    RoughSizes();
    ~RoughSizes();

  private:
    bool before_;
};

/* Why the last call of this thread that opened a file failed, in our terms (RocksDB's status has no "wrong key"). */
enum status encrypted_last_failure(struct error *err);
void encrypted_forget_failure();

#endif

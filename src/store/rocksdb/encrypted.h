/* store/rocksdb/encrypted.h: the file system RocksDB is handed: file_ops below, encryption between.
 *
 * Every file is encrypted (header.h), whatever it is for. C++; only for the files of this folder.
 *
 * Thread:  any.
 */
#ifndef STORE_ROCKSDB_ENCRYPTED_H
#define STORE_ROCKSDB_ENCRYPTED_H

#include <rocksdb/file_system.h>

#include <memory>

extern "C" {
#include "keys/keys.h"
#include "store/files/files.h"
}

/* keys NULL: nothing is encrypted, there is no header (tests only). Both are borrowed. */
std::shared_ptr<rocksdb::FileSystem> encrypted_file_system(struct file_system *files, const struct keys *keys);

/* While it lives, reads of this thread that would wait for the disk come back as Status::Incomplete. */
class MayNotWait
{
  public:
    explicit MayNotWait(bool may_not_wait);
    ~MayNotWait();

  private:
    bool before_;
};

/* Why the last call of this thread that opened a file failed, in our terms (RocksDB's status has no "wrong key"). */
enum status encrypted_last_failure(struct error *err);
void encrypted_forget_failure();

#endif

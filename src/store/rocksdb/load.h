/* store/rocksdb/load.h: sorted keys into sorted files, which the instance then takes as its own: neither log
 * nor memtable.
 *
 * Files are written in the store's directory under names that RocksDB does not know (load-000001), and linked
 * to its own at the end. All get the options of the family, so they are encrypted, compressed as the last
 * level is, and know their smallest timestamp.
 *
 * C++; only for the files of this folder. Thread: one.
 */
#ifndef STORE_ROCKSDB_LOAD_H
#define STORE_ROCKSDB_LOAD_H

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include <memory>
#include <string>
#include <vector>

class Loader
{
  public:
    Loader(rocksdb::DB *db, rocksdb::ColumnFamilyHandle *family, const rocksdb::Options &options, std::string directory,
           uint64_t file_bytes);
    /* What was not ended is removed. */
    ~Loader();

    rocksdb::Status put(const rocksdb::Slice &key, const rocksdb::Slice &value);
    rocksdb::Status end();

  private:
    rocksdb::Status begin_file();
    rocksdb::Status end_file();

    rocksdb::DB *db_;
    rocksdb::ColumnFamilyHandle *family_;
    rocksdb::Options options_;
    std::string directory_;
    uint64_t file_bytes_;
    std::unique_ptr<rocksdb::SstFileWriter> writer_; /* of the file being written */
    std::vector<std::string> paths_;                 /* of all files, that one too */
};

#endif

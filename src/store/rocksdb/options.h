/* store/rocksdb/options.h: what instances share, and every setting of RocksDB with its reason.
 *
 * C++; only for the files of this folder.
 */
#ifndef STORE_ROCKSDB_OPTIONS_H
#define STORE_ROCKSDB_OPTIONS_H

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_buffer_manager.h>

#include "store/rocksdb/encrypted.h"
#include "store/rocksdb/semantics.h"

struct environment {
    struct store_environment_options options; /* defaults filled in */
    struct file_system *files;                /* borrowed */
    ReadCounts reads;
    std::atomic<bool> told_of_waits{ false }; /* that the file system cannot tell what is in memory */
    std::unique_ptr<rocksdb::Env> env;
    std::shared_ptr<rocksdb::Cache> cache;
    std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
    std::shared_ptr<rocksdb::Logger> logger;
};

/* What RocksDB's status is in our terms. */
enum status status_code(const rocksdb::Status &status);

enum status environment_open(const struct store_environment_options *options, void **environment, struct error *err);
void environment_close(void *environment);
void environment_counts(void *environment, struct store_counts *counts);

rocksdb::DBOptions instance_options(struct environment *environment, const struct store_options *options,
                                    std::shared_ptr<PurgeTracker> tracker);
rocksdb::ColumnFamilyOptions family_options(struct environment *environment, const struct store_options *options,
                                            enum store_family family, std::shared_ptr<PurgeTracker> tracker);

#endif

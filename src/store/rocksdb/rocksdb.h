/* store/rocksdb/rocksdb.h: the durable body of store.h: one RocksDB instance per shard.
 *
 * The environment is shared by all instances of a process: one block cache, one write buffer budget, the background
 * threads, the encrypted files (encrypted.h). Settings and their reasons: options.cc.
 *
 * Thread:  as store.h says.
 */
#ifndef STORE_ROCKSDB_ROCKSDB_H
#define STORE_ROCKSDB_ROCKSDB_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct store_ops store_rocksdb_ops;

#ifdef __cplusplus
}
#endif

#endif

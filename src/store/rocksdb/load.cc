/* Sorted keys straight into sorted files: for who makes a copy of a store (table/reshard.c).
 *
 * Through the log and the memtable each byte would be written three times or more, and compactions
 * would follow. Here a file is written once, in its final order, at the last level. Nothing is
 * visible, or there after a crash, before end(): the files have names that RocksDB does not know
 * until it links them to its own. */
#include "store/rocksdb/load.h"

#include <rocksdb/env.h>

#include <cassert>
#include <cstdio>

using rocksdb::Slice;
using rocksdb::Status;

Loader::Loader(rocksdb::DB *db, rocksdb::ColumnFamilyHandle *family, const rocksdb::Options &options,
               std::string directory, uint64_t file_bytes)
    : db_(db), family_(family), options_(options), directory_(std::move(directory)), file_bytes_(file_bytes)
{
}

/* Takes its own names away. Files that were ingested are the instance's by then, under names of its
 * own. */
Loader::~Loader()
{
    writer_.reset();
    for (const std::string &path : paths_)
        options_.env->DeleteFile(path).PermitUncheckedError(); /* most are the instance's by now, under its names */
}

/* The name must not be one of RocksDB's, or a start after a crash could take the file for one of the
 * store's. */
Status Loader::begin_file()
{
    char name[32];

    assert(!writer_);
    snprintf(name, sizeof(name), "/load-%06zu", paths_.size() + 1);
    /* With the family: without it the collector takes the rows for records without timestamps, and a
     * compaction purges too much. */
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_, family_);
    paths_.push_back(directory_ + name);
    return writer_->Open(paths_.back());
}

Status Loader::end_file()
{
    Status status = writer_->Finish(); /* syncs */

    assert(!paths_.empty());
    writer_.reset();
    return status;
}

/* Files are ended at a size, so that compactions have pieces to work on later. The keys come in
 * order: the writer refuses others. */
Status Loader::put(const Slice &key, const Slice &value)
{
    Status status = writer_ ? Status::OK() : begin_file();

    if (status.ok())
        status = writer_->Put(key, value);
    if (status.ok() && writer_->FileSize() >= file_bytes_)
        status = end_file();
    return status;
}

/* RocksDB takes all files in one step, in its manifest: there after a crash whole, or not at all. */
Status Loader::end()
{
    rocksdb::IngestExternalFileOptions options;
    Status status = writer_ ? end_file() : Status::OK();

    if (!status.ok() || paths_.empty())
        return status;
    assert(!writer_);
    /* A link, no copy: the files lie in the store's own directory. */
    options.move_files = true;
    options.failed_move_fall_back_to_copy = false;
    options.snapshot_consistency = false; /* nobody reads yet */
    options.write_global_seqno = false;   /* bytes of an encrypted file are never written twice */
    return db_->IngestExternalFile(family_, paths_, options);
}

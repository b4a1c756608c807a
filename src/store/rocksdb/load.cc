#include "store/rocksdb/load.h"

#include <rocksdb/env.h>

#include <cstdio>

using rocksdb::Slice;
using rocksdb::Status;

Loader::Loader(rocksdb::DB *db, rocksdb::ColumnFamilyHandle *family, const rocksdb::Options &options,
               std::string directory, uint64_t file_bytes)
    : db_(db), family_(family), options_(options), directory_(std::move(directory)), file_bytes_(file_bytes)
{
}

Loader::~Loader()
{
    writer_.reset();
    for (const std::string &path : paths_)
        options_.env->DeleteFile(path).PermitUncheckedError(); /* most are the instance's by now, under its names */
}

Status Loader::begin_file()
{
    char name[32];

    snprintf(name, sizeof(name), "/load-%06zu", paths_.size() + 1);
    /* With the family: without it the collector takes the rows for records without timestamps, and a compaction purges too much. */
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_, family_);
    paths_.push_back(directory_ + name);
    return writer_->Open(paths_.back());
}

Status Loader::end_file()
{
    Status status = writer_->Finish(); /* syncs */

    writer_.reset();
    return status;
}

Status Loader::put(const Slice &key, const Slice &value)
{
    Status status = writer_ ? Status::OK() : begin_file();

    if (status.ok())
        status = writer_->Put(key, value);
    if (status.ok() && writer_->FileSize() >= file_bytes_)
        status = end_file();
    return status;
}

Status Loader::end()
{
    rocksdb::IngestExternalFileOptions options;
    Status status = writer_ ? end_file() : Status::OK();

    if (!status.ok() || paths_.empty())
        return status;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = false;
    options.snapshot_consistency = false; /* nobody reads yet */
    options.write_global_seqno = false;   /* bytes of an encrypted file are never written twice */
    return db_->IngestExternalFile(family_, paths_, options);
}

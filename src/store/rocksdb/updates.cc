/* RocksDB's own iterator over its log does the reading. What it is asked, and what it gives, is checked here:
 * it passes over damage with a word to its logger, and gives the next batch where the one asked for is gone. */
#include "store/rocksdb/updates.h"

#include <algorithm>
#include <cassert>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "store/rocksdb/encrypted.h"

using rocksdb::Slice;
using rocksdb::Status;

namespace
{

/* Log data of ours begins with one of these; updates.h draws it. */
constexpr char KIND_DATA = 'd';
constexpr char KIND_GAP = 'g';
constexpr size_t GAP_BYTES = 1 + 8;

struct bytes bytes_of_slice(const Slice &slice)
{
    return bytes_of(slice.data(), slice.size());
}

/* Makes a batch of ours again out of one of RocksDB's, with what only the log keeps. */
class Copy : public rocksdb::WriteBatch::Handler
{
  public:
    explicit Copy(struct store_batch *to) : to_(to)
    {
    }
    Status PutCF(uint32_t family, const Slice &key, const Slice &value) override
    {
        return add(STORE_PUT, family, key, value);
    }
    Status MergeCF(uint32_t family, const Slice &key, const Slice &operand) override
    {
        return add(STORE_MERGE, family, key, operand);
    }
    Status DeleteCF(uint32_t family, const Slice &key) override
    {
        return add(STORE_DELETE, family, key, Slice());
    }
    Status DeleteRangeCF(uint32_t family, const Slice &first, const Slice &end) override
    {
        return add(STORE_DELETE_RANGE, family, first, end);
    }
    /* Blobs of another kind are not ours. A reader that passed over one could pass over anything. */
    void LogData(const Slice &blob) override
    {
        if (blob.size() && blob[0] == KIND_DATA) {
            store_batch_log_data(to_, bytes_of(blob.data() + 1, blob.size() - 1));
        } else if (blob.size() == GAP_BYTES && blob[0] == KIND_GAP) {
            follows_gap = true;
            before_gap = load_be64((const uint8_t *)blob.data() + 1);
        } else {
            is_foreign = true;
        }
    }

    bool follows_gap = false, is_foreign = false;
    uint64_t before_gap = 0;

  private:
    /* RocksDB numbers families in the order in which they were made: the data, the journal. */
    Status add(enum store_op_kind kind, uint32_t family, const Slice &key, const Slice &value)
    {
        struct store_op op = { kind, family == 0 ? STORE_DATA : STORE_JOURNAL, bytes_of_slice(key),
                               bytes_of_slice(value) };

        if (family >= STORE_FAMILY_COUNT)
            return Status::Corruption("a family that is not ours");
        assert(kind != STORE_LOG_DATA);
        store_batch_add(to_, &op);
        return Status::OK();
    }

    struct store_batch *to_;
};

} // namespace

/* ---- the tail ---- */

/* Where the log ends, of a store just opened: the last number that a start replayed. If nothing was
 * replayed, all was flushed before, and the last finished log is read to its end. */
void LogTail::find(rocksdb::DB *db, KeptLogs *kept, uint64_t replayed)
{
    uint64_t last = replayed;

    assert(replayed <= db->GetLatestSequenceNumber());
    if (!replayed && db->GetLatestSequenceNumber()) {
        /* All was flushed: the last batch is in a finished log, if one is there. */
        RoughSizes rough;
        std::vector<KeptLogs::Log> logs;
        std::unique_ptr<rocksdb::TransactionLogIterator> at;

        if (kept->list_all(&logs).ok() && !logs.empty() && logs.back().first <= db->GetLatestSequenceNumber() &&
            db->GetUpdatesSince(logs.back().first, &at).ok())
            for (; at->Valid(); at->Next()) {
                rocksdb::BatchResult found = at->GetBatch();

                assert(found.writeBatchPtr);
                last = std::max(last, found.sequence + found.writeBatchPtr->Count() - 1);
            }
    }
    /* None at all: who asks for what was before is told that it is gone. */
    last_.store(last ? last : db->GetLatestSequenceNumber(), std::memory_order_release);
}

/* Numbers may be skipped: a load takes some, and so does a batch that failed. A reader must not take
 * that for a batch that lacks, so the next batch says in itself which number was the last one used. */
Status LogTail::mark_gap(rocksdb::DB *db, rocksdb::WriteBatch *writing) const
{
    uint64_t last = last_.load(std::memory_order_relaxed);
    uint8_t mark[GAP_BYTES] = { (uint8_t)KIND_GAP };

    assert(last <= db->GetLatestSequenceNumber());
    if (last == db->GetLatestSequenceNumber())
        return Status::OK();
    store_be64(mark + 1, last);
    return writing->PutLogData(Slice((const char *)mark, sizeof(mark)));
}

/* After the write: readers may go this far from now on. */
void LogTail::advance(rocksdb::DB *db)
{
    assert(db->GetLatestSequenceNumber() >= last_.load(std::memory_order_relaxed));
    last_.store(db->GetLatestSequenceNumber(), std::memory_order_release);
}

/* The kind in front tells it from a gap's mark. */
Status put_log_data(rocksdb::WriteBatch *writing, struct bytes data)
{
    std::string blob(1, KIND_DATA);

    assert(data.data || !data.size);
    blob.append((const char *)data.data, data.size);
    return writing->PutLogData(blob);
}

/* ---- finished logs ---- */

/* What lies in a directory under a log's name, with sizes as the file system has them. A log that
 * goes meanwhile counts as having no bytes. */
enum status KeptLogs::list_in(const std::string &directory, bool is_archived, std::vector<Log> *logs, struct error *err)
{
    struct file_system *files = environment_->files;
    std::vector<std::string> names;
    enum status status = files->ops->list(
        files, directory.c_str(),
        [](void *context, const char *name) { static_cast<std::vector<std::string> *>(context)->push_back(name); },
        &names, err);

    for (const std::string &name : names) {
        char *end;
        uint64_t number = strtoull(name.c_str(), &end, 10);
        Log log = { number, is_archived, name, 0, 0 };

        if (end == name.c_str() || strcmp(end, ".log") != 0)
            continue;
        if (files->ops->size(files, (directory + "/" + name).c_str(), &log.bytes, err) != OK)
            log.bytes = 0;
        logs->push_back(log);
    }
    return status == ERR_NOT_FOUND ? OK : status; /* archive: none was ever finished */
}

/* A log that was seen twice, before it was finished and after, stands twice in the list: the
 * finished one first, and the second is dropped. */
static bool is_older(uint64_t number, bool is_archived, uint64_t other_number, bool other_is_archived)
{
    return number != other_number ? number < other_number : is_archived && !other_is_archived;
}

/* Finished logs, oldest first, as the file system lists them: RocksDB is not asked, for it may be
 * waiting for who asks here (trim). */
std::vector<KeptLogs::Log> KeptLogs::list()
{
    std::vector<Log> logs;
    struct error err;

    if (list_in(directory_ + "/archive", true, &logs, &err))
        logs.clear(); /* the next flush looks again */
    std::sort(logs.begin(), logs.end(), [](const Log &a, const Log &b) { return a.number < b.number; });
    return logs;
}

/* Reads the number of a log's first batch, once for each log. A record begins with its checksum (4),
 * size (2) and kind (1); a batch with the number of its first operation (8, little-endian). */
Status KeptLogs::read_first(Log *log)
{
    enum { RECORD_HEAD_BYTES = 7, BYTES = RECORD_HEAD_BYTES + 8 };
    char scratch[BYTES];
    std::unique_ptr<rocksdb::SequentialFile> file;
    rocksdb::Env *env = environment_->env.get();
    Slice got;
    Status status = Status::PathNotFound();

    if (!log->is_archived)
        status = env->NewSequentialFile(directory_ + "/" + log->name, &file, rocksdb::EnvOptions());
    if (status.IsPathNotFound()) { /* or it was finished meanwhile */
        log->is_archived = true;
        status = env->NewSequentialFile(directory_ + "/archive/" + log->name, &file, rocksdb::EnvOptions());
    }
    if (status.ok())
        status = file->Read(BYTES, &got, scratch);
    if (status.ok() && got.size() == BYTES)
        log->first = load_le64(got.data() + RECORD_HEAD_BYTES);
    return status;
}

/* All logs that are not empty, oldest first. Not by RocksDB's GetSortedWalFiles, which waits for
 * threads of RocksDB that may wait for our lock in trim, and can miss their end. */
Status KeptLogs::list_all(std::vector<Log> *logs)
{
    std::vector<Log> found;
    struct error err;

    /* In this order: what is finished meanwhile is seen twice, and not never. */
    if (list_in(directory_, false, &found, &err) || list_in(directory_ + "/archive", true, &found, &err))
        return Status::IOError(err.message);
    std::sort(found.begin(), found.end(),
              [](const Log &a, const Log &b) { return is_older(a.number, a.is_archived, b.number, b.is_archived); });
    for (Log &log : found) {
        Status status;

        if (!logs->empty() && logs->back().number == log.number)
            continue;
        auto known = firsts_.find(log.number);
        if (known != firsts_.end())
            log.first = known->second;
        else
            status = read_first(&log);
        if (status.IsPathNotFound())
            continue; /* nothing is kept, and it went */
        if (!status.ok())
            return status;
        if (!log.first)
            continue; /* it is empty */
        assert(logs->empty() || logs->back().number < log.number);
        firsts_[log.number] = log.first;
        logs->push_back(log);
    }
    return Status::OK();
}

/* Through RocksDB, which alone knows whether it still reads the log. */
Status KeptLogs::remove(rocksdb::DB *db, const Log &log)
{
    assert(log.is_archived);
    firsts_.erase(log.number);
    return db->DeleteFile("/archive/" + log.name);
}

/* Whoever reads updates will be told that they are gone; an operator should hear it when it happens. */
void KeptLogs::say_lost(const Log &log, const char *why)
{
    char message[160];

    lost_++;
    if (!environment_->options.log)
        return;
    snprintf(message, sizeof(message),
             "Log %" PRIu64 " (%" PRIu64 " bytes) was kept for who reads updates, and went: %s", log.number, log.bytes,
             why);
    environment_->options.log(environment_->options.log_context, STORE_LOG_WARN, message);
}

/* Removes the oldest finished logs until the rest fits into the bound. Neither lists through RocksDB
 * nor waits for it: the flush that calls this may be what RocksDB waits for. */
void KeptLogs::trim(rocksdb::DB *db)
{
    std::lock_guard<std::mutex> guard(lock_);
    std::vector<Log> logs = list();
    bool all = !bytes_max_ || forgets_all_;
    uint64_t total = 0;

    for (const Log &log : logs)
        total += log.bytes;
    for (const Log &log : logs) {
        if (!all && total <= bytes_max_)
            return;
        assert(total >= log.bytes);
        total -= log.bytes;
        if (remove(db, log).ok() && !all)
            say_lost(log, "all of them have more bytes than the bound");
    }
    assert(total == 0);
}

/* Whoever reads updates says how far it has come. A log goes only if all of it lies before that. */
Status KeptLogs::forget(rocksdb::DB *db, uint64_t before, uint64_t tail)
{
    std::vector<Log> logs;
    std::lock_guard<std::mutex> guard(lock_);
    Status status = list_all(&logs);

    forgets_all_ = before == UINT64_MAX;
    for (size_t i = 0; i < logs.size() && status.ok() && logs[i].is_archived; i++) {
        /* A log ends where the next begins, if numbers lie between or not. */
        uint64_t end = i + 1 < logs.size() ? logs[i + 1].first : tail + 1;

        if (end > before)
            break;
        status = remove(db, logs[i]);
    }
    return status;
}

/* The disk is full, and writes are worth more than logs that somebody might still read. */
bool KeptLogs::give_up_oldest(rocksdb::DB *db)
{
    std::lock_guard<std::mutex> guard(lock_);
    std::vector<Log> logs = list();
    struct error err;

    if (logs.empty() || !remove(db, logs[0]).ok())
        return false;
    /* A file system may keep its room until it is sure that no crash brings the name back. */
    (void)environment_->files->ops->sync_directory(environment_->files, (directory_ + "/archive").c_str(), &err);
    say_lost(logs[0], "the disk is full");
    return true;
}

/* What they take on the disk, headers and heads of frames included. */
uint64_t KeptLogs::bytes()
{
    uint64_t total = 0;

    for (const Log &log : list())
        total += log.bytes;
    return total;
}

/* ---- a reader ---- */

/* Stands at the first batch at or behind the position. Without an error and without an iterator: there is no
 * log at all. */
Status Updates::begin(rocksdb::DB *db)
{
    RoughSizes rough;
    std::vector<KeptLogs::Log> logs;
    std::lock_guard<std::mutex> guard(kept_->lock());
    Status status = kept_->list_all(&logs);

    assert(!iterator_);
    first_ = 0;
    if (!status.ok())
        return status;
    first_ = logs.empty() ? UINT64_MAX : logs[0].first;
    /* A log whose first batch is not visible yet: RocksDB must not be sent there. */
    if (first_ > tail_->last()) {
        if (position_)
            return Status::NotFound("no log goes as far back");
        position_ = tail_->last() + 1;
        return Status::OK();
    }
    if (!position_)
        position_ = first_;
    return db->GetUpdatesSince(position_, &iterator_);
}

/* Why the iterator stands nowhere, or behind the position: the log does not go back that far, it
 * cannot be read, or a part of it lacks. */
enum status Updates::missing(const Status &status, struct error *err) const
{
    enum status code = status_code(status);

    if (first_ > position_)
        return error_set(err, ERR_NOT_FOUND, "The log does not go back to %" PRIu64, position_);
    if (code == ERR_IO)
        return error_set(err, code, "The log can't be read: %s", status.ToString().c_str());
    return error_set(err, ERR_CORRUPT, "The log lacks what should follow at %" PRIu64 ": %s", position_,
                     status.ToString().c_str());
}

/* Shows the batch that the iterator found, if it is the one that must follow. RocksDB gives the next
 * one it can read where the right one is gone, so the numbers decide: either they join, or the batch
 * says itself which numbers nobody used. */
enum status Updates::take(const rocksdb::BatchResult &found, struct store_updates *shown, struct error *err)
{
    uint64_t next = found.sequence + found.writeBatchPtr->Count();
    Copy copy(batch_);

    assert(next > position_ && next <= tail_->last() + 1);
    if (found.sequence < position_)
        return error_set(err, ERR_INVALID, "%" PRIu64 " is inside a batch", position_);
    store_batch_clear(batch_);
    Status status = found.writeBatchPtr->Iterate(&copy);
    if (!status.ok() || copy.is_foreign)
        return error_set(err, ERR_CORRUPT, "A batch of the log can't be read: %s", status.ToString().c_str());
    if (found.sequence > position_ && !(copy.follows_gap && copy.before_gap < position_))
        return missing(Status::OK(), err);
    assert(found.sequence >= position_ && store_batch_count(batch_) > 0);
    shown->valid = true;
    shown->sequence = found.sequence;
    shown->next = position_ = next;
    shown->batch = batch_;
    return OK;
}

/* The next batch, or the live end. An iterator may be of a time before the last log began, so what
 * it does not find is looked for once more with a new one before it counts as missing. */
enum status Updates::next(rocksdb::DB *db, struct store_updates *shown, struct error *err)
{
    shown->valid = false;
    while (position_ <= tail_->last()) {
        bool is_fresh = !iterator_;
        Status status;
        struct error damage;

        encrypted_forget_failure();
        if (is_fresh)
            status = begin(db);
        else
            iterator_->Next();
        if (encrypted_last_failure(&damage)) {
            let_go();
            return error_set(err, damage.status, "%s", damage.message);
        }
        if (status.ok() && iterator_ && iterator_->Valid()) {
            rocksdb::BatchResult found = iterator_->GetBatch();

            if (!found.writeBatchPtr->Count())
                continue; /* an empty batch */
            enum status taken = take(found, shown, err);
            if (taken)
                let_go();
            return taken;
        }
        if (status.ok() && iterator_)
            status = iterator_->status();
        else if (status.ok())
            continue; /* from the oldest, and there is none: the live end */
        let_go();
        /* What is open may be of a time before the last log began, or went: it is looked for once more. */
        if (is_fresh)
            return missing(status, err);
    }
    return OK;
}

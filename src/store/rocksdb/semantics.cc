/* Gives RocksDB the meaning of values: how versions merge, what a compaction may drop, and how it
 * can know.
 *
 * Merging and filtering are row/'s; what is RocksDB's is the question when a tombstone may go. It
 * may only if nothing older lies anywhere else: in a memtable, or in a file that is not part of the
 * compaction. RocksDB knows sequence numbers, but our order is by timestamp. So each file carries
 * the smallest timestamp in it as a property, memtables are followed as they fill, and each
 * compaction that begins is told the smallest of all that it does not read (PurgeTracker;
 * semantics.h).
 *
 * The safe answer is always "purge nothing": INT64_MIN. Whatever cannot be known for certain ends
 * there. */
#include "store/rocksdb/semantics.h"

#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cassert>
#include <vector>

extern "C" {
#include "base/clock.h"
}

using rocksdb::Slice;

const char min_timestamp_property[] = "helenus.min_timestamp_us";
const char journal_family_name[] = "journal";

namespace
{

/* An empty slice may have no pointer; to row/, NULL means that there is no value. */
struct bytes bytes_of_slice(const Slice &slice)
{
    return bytes_of(slice.data() ? slice.data() : "", slice.size());
}

/* A buffer per thread for results of row/, which then are copied once to where RocksDB wants them.
 * One that grew large is given back: a thread that merged a large row once need not keep its memory. */
class Scratch
{
  public:
    Scratch()
    {
        buffer_reset(&buffer());
    }
    ~Scratch()
    {
        if (buffer().capacity > KEEP_MAX)
            buffer_fini(&buffer());
    }
    struct buffer &buffer()
    {
        static thread_local Owner owner;
        return owner.buffer;
    }

  private:
    enum { KEEP_MAX = 1024 * 1024 };
    struct Owner {
        struct buffer buffer = {};
        ~Owner()
        {
            buffer_fini(&buffer);
        }
    };
};

/* The family's number is RocksDB's for it: the default one is the data, the only other one the journal. */
enum store_family family_of(uint32_t family_id)
{
    return family_id == 0 ? STORE_DATA : STORE_JOURNAL;
}

/* ---- merging ---- */

/* How many operands the Get that runs on this thread puts up with (OperandLimit). A key with very
 * many operands would hold a loop for long; it gives up, and a worker does it. RocksDB has no
 * argument for this, so it is the thread's. */
struct Patience {
    size_t operands_max = SIZE_MAX;
    bool exceeded = false;
};
thread_local Patience patience;

class Merge : public rocksdb::MergeOperator
{
  public:
    explicit Merge(const struct store_semantics *semantics) : semantics_(semantics)
    {
    }
    const char *Name() const override
    {
        return "helenus.merge";
    }

    /* Asked by a Get after each operand, newest first: true ends its search. */
    bool ShouldMerge(const std::vector<Slice> &operands) const override
    {
        if (operands.size() <= patience.operands_max)
            return false;
        patience.exceeded = true;
        return true;
    }

    bool FullMergeV2(const MergeOperationInput &in, MergeOperationOutput *out) const override
    {
        if (patience.exceeded)
            return true; /* nobody will look at the value */
        /* Most rows are one operand until they are compacted: it is its own value. */
        if (!in.existing_value && in.operand_list.size() == 1) {
            out->existing_operand = in.operand_list[0];
            return true;
        }
        Scratch scratch;
        std::vector<struct bytes> operands;

        assert(!in.operand_list.empty());
        operands.reserve(in.operand_list.size());
        for (const Slice &operand : in.operand_list)
            operands.push_back(bytes_of_slice(operand));
        semantics_->merge(semantics_->context, bytes_of_slice(in.key),
                          in.existing_value ? bytes_of_slice(*in.existing_value) : bytes_of(nullptr, 0),
                          operands.data(), operands.size(), &scratch.buffer());
        out->new_value.assign((const char *)scratch.buffer().data, scratch.buffer().size);
        return true;
    }

    /* Folds operands without knowing what lies below them, which keeps a key that is written often
     * from growing in operands. */
    bool PartialMergeMulti(const Slice &key, const std::deque<Slice> &list, std::string *value,
                           rocksdb::Logger *) const override
    {
        Scratch scratch;
        std::vector<struct bytes> operands;

        assert(!list.empty());
        operands.reserve(list.size());
        for (const Slice &operand : list)
            operands.push_back(bytes_of_slice(operand));
        if (semantics_->merge_partial)
            semantics_->merge_partial(semantics_->context, bytes_of_slice(key), operands.data(), operands.size(),
                                      &scratch.buffer());
        else
            semantics_->merge(semantics_->context, bytes_of_slice(key), bytes_of(nullptr, 0), operands.data(),
                              operands.size(), &scratch.buffer());
        value->assign((const char *)scratch.buffer().data, scratch.buffer().size);
        return true;
    }

  private:
    const struct store_semantics *semantics_;
};

/* ---- purging ---- */

/* RocksDB tells a listener what a compaction reads, and the filter factory only that there is one; both on the thread
 * that runs it (max_subcompactions is 1). */
struct Running {
    bool known = false;
    struct store_purge purge = {};
};
thread_local Running running;

/* Only whole values are looked at. Operands that compaction could not merge into a value say nothing
 * alone. */
class Filter : public rocksdb::CompactionFilter
{
  public:
    Filter(const struct store_semantics *semantics, const struct store_purge &purge)
        : semantics_(semantics), purge_(purge)
    {
    }
    const char *Name() const override
    {
        return "helenus.filter";
    }

    Decision FilterV2(int, const Slice &key, ValueType type, const Slice &value, std::string *changed,
                      std::string *) const override
    {
        if (type != ValueType::kValue)
            return Decision::kKeep;
        Scratch scratch;
        switch (semantics_->filter(semantics_->context, &purge_, bytes_of_slice(key), bytes_of_slice(value),
                                   &scratch.buffer())) {
        case STORE_KEEP: return Decision::kKeep;
        case STORE_REMOVE: return Decision::kRemove;
        case STORE_CHANGE:
            changed->assign((const char *)scratch.buffer().data, scratch.buffer().size);
            return Decision::kChangeValue;
        }
        return Decision::kKeep;
    }

  private:
    const struct store_semantics *semantics_;
    const struct store_purge purge_;
};

/* Decides for each compaction whether it needs a filter at all. */
class FilterFactory : public rocksdb::CompactionFilterFactory
{
  public:
    FilterFactory(const struct store_semantics *semantics, std::shared_ptr<PurgeTracker> tracker)
        : semantics_(semantics), tracker_(std::move(tracker))
    {
    }
    const char *Name() const override
    {
        return "helenus.filter";
    }

    std::unique_ptr<rocksdb::CompactionFilter>
    CreateCompactionFilter(const rocksdb::CompactionFilter::Context &context) override
    {
        struct store_purge purge = tracker_->purge_now(context.column_family_id);

        /* A row's value above the last level says nothing; a journal record stands alone wherever it is. */
        if (!semantics_->filter || (purge.family == STORE_DATA && !purge.whole))
            return nullptr;
        return std::make_unique<Filter>(semantics_, purge);
    }

  private:
    const struct store_semantics *semantics_;
    std::shared_ptr<PurgeTracker> tracker_;
};

/* ---- what a file knows of its timestamps ---- */

/* Unknown is "as old as can be". */
int64_t min_timestamp(const struct store_semantics *semantics, enum store_family family, struct bytes key,
                      struct bytes value)
{
    return semantics->min_timestamp_us ? semantics->min_timestamp_us(semantics->context, family, key, value)
                                       : INT64_MIN;
}

/* The smallest of a batch that the log brings back, as begin_write told it when it was written. */
class LoggedMin : public rocksdb::WriteBatch::Handler
{
  public:
    explicit LoggedMin(const struct store_semantics *semantics) : semantics_(semantics)
    {
    }
    rocksdb::Status PutCF(uint32_t family_id, const Slice &key, const Slice &value) override
    {
        int64_t &least = min_us[family_of(family_id)];

        least = std::min(least,
                         min_timestamp(semantics_, family_of(family_id), bytes_of_slice(key), bytes_of_slice(value)));
        return rocksdb::Status::OK();
    }
    rocksdb::Status MergeCF(uint32_t family_id, const Slice &key, const Slice &value) override
    {
        return PutCF(family_id, key, value);
    }
    rocksdb::Status DeleteCF(uint32_t, const Slice &) override
    {
        return rocksdb::Status::OK();
    }
    rocksdb::Status DeleteRangeCF(uint32_t, const Slice &, const Slice &) override
    {
        return rocksdb::Status::OK();
    }

    int64_t min_us[STORE_FAMILY_COUNT] = { INT64_MAX, INT64_MAX };

  private:
    const struct store_semantics *semantics_;
};

/* Notes the smallest timestamp of a file while it is written, as a property of the file. So it is
 * known after a restart too, without reading the file. */
class Collector : public rocksdb::TablePropertiesCollector
{
  public:
    Collector(const struct store_semantics *semantics, enum store_family family)
        : semantics_(semantics), family_(family)
    {
    }
    const char *Name() const override
    {
        return "helenus.timestamps";
    }

    rocksdb::Status AddUserKey(const Slice &key, const Slice &value, rocksdb::EntryType type, rocksdb::SequenceNumber,
                               uint64_t) override
    {
        switch (type) {
        case rocksdb::kEntryPut:
        case rocksdb::kEntryMerge:
            /* Once unknown it stays so, and nothing more is decoded. */
            if (min_us_ != INT64_MIN)
                min_us_ =
                    std::min(min_us_, min_timestamp(semantics_, family_, bytes_of_slice(key), bytes_of_slice(value)));
            break;
        case rocksdb::kEntryDelete:
        case rocksdb::kEntrySingleDelete:
        case rocksdb::kEntryRangeDeletion: break; /* has no timestamp, covers only what is older in sequence */
        default: min_us_ = INT64_MIN;
        }
        return rocksdb::Status::OK();
    }
    rocksdb::Status Finish(rocksdb::UserCollectedProperties *properties) override
    {
        char value[8];

        store_be64(value, (uint64_t)min_us_);
        properties->emplace(min_timestamp_property, std::string(value, sizeof(value)));
        return rocksdb::Status::OK();
    }
    rocksdb::UserCollectedProperties GetReadableProperties() const override
    {
        return {};
    }

  private:
    const struct store_semantics *semantics_;
    const enum store_family family_;
    int64_t min_us_ = INT64_MAX;
};

/* RocksDB makes a collector for each file. */
class CollectorFactory : public rocksdb::TablePropertiesCollectorFactory
{
  public:
    explicit CollectorFactory(const struct store_semantics *semantics) : semantics_(semantics)
    {
    }
    const char *Name() const override
    {
        return "helenus.timestamps";
    }
    rocksdb::TablePropertiesCollector *CreateTablePropertiesCollector(Context context) override
    {
        return new Collector(semantics_, family_of(context.column_family_id));
    }

  private:
    const struct store_semantics *semantics_;
};

/* The property of one file; a file without it (of another program, damaged) counts as unknown. */
int64_t file_min(const rocksdb::TablePropertiesCollection &properties, const std::string &name)
{
    /* The collection is keyed by path; file names are unique within a shard's directory. */
    for (const auto &entry : properties) {
        const std::string &path = entry.first;

        if (path.size() < name.size() || path.compare(path.size() - name.size(), name.size(), name) != 0)
            continue;
        auto found = entry.second->user_collected_properties.find(min_timestamp_property);
        if (found == entry.second->user_collected_properties.end() || found->second.size() != 8)
            return INT64_MIN;
        return (int64_t)load_be64(found->second.data());
    }
    return INT64_MIN;
}

} // namespace

/* Before the write, so that a compaction which begins in the middle of it already knows of the
 * batch. What the write fails with does not matter: a minimum that is too small only purges less. */
void PurgeTracker::begin_write(const struct store_batch *batch)
{
    int64_t min_us[STORE_FAMILY_COUNT] = { INT64_MAX, INT64_MAX };

    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);

        if (op.kind == STORE_PUT || op.kind == STORE_MERGE)
            min_us[op.family] = std::min(min_us[op.family], min_timestamp(semantics_, op.family, op.key, op.value));
    }
    std::lock_guard<std::mutex> guard(lock_);
    assert(families_[STORE_DATA].writing_us == INT64_MAX && families_[STORE_JOURNAL].writing_us == INT64_MAX);
    for (int i = 0; i < STORE_FAMILY_COUNT; i++) {
        families_[i].writing_us = min_us[i];
        families_[i].active_us = std::min(families_[i].active_us, min_us[i]);
    }
}

/* For each record that a start reads from the log: what it brings goes into memtables without
 * begin_write. What lies in files already is read again as well: too small a minimum only purges
 * less, until the memtable is flushed. */
rocksdb::WalFilter::WalProcessingOption PurgeTracker::Recovery::LogRecordFound(unsigned long long, const std::string &,
                                                                               const rocksdb::WriteBatch &batch,
                                                                               rocksdb::WriteBatch *, bool *)
{
    LoggedMin logged(tracker_->semantics_);
    bool is_known = batch.Iterate(&logged).ok();

    /* A record begins with the number of its first operation (8, little-endian); an empty one has none of its own. */
    if (batch.Count())
        tracker_->replayed_last_ = load_le64(batch.Data().data()) + batch.Count() - 1;

    std::lock_guard<std::mutex> guard(tracker_->lock_);
    for (int i = 0; i < STORE_FAMILY_COUNT; i++) {
        int64_t &active_us = tracker_->families_[i].active_us;

        active_us = is_known ? std::min(active_us, logged.min_us[i]) : INT64_MIN;
    }
    return WalProcessingOption::kContinueProcessing;
}

/* The write has landed in a memtable, whose minimum has it. */
void PurgeTracker::end_write()
{
    std::lock_guard<std::mutex> guard(lock_);
    for (Family &family : families_)
        family.writing_us = INT64_MAX;
}

/* A compaction may begin while the instance is still being opened: without handles it purges
 * nothing. */
void PurgeTracker::set_families(rocksdb::ColumnFamilyHandle *data, rocksdb::ColumnFamilyHandle *journal)
{
    std::lock_guard<std::mutex> guard(lock_);
    assert(!data == !journal);
    families_[STORE_DATA].handle = data;
    families_[STORE_JOURNAL].handle = journal;
}

/* For the thread that runs the compaction: OnCompactionBegin ran on it just before. If it did not,
 * nothing is purged. */
struct store_purge PurgeTracker::purge_now(uint32_t family_id) const
{
    enum store_family family = family_of(family_id);

    if (running.known && running.purge.family == family)
        return running.purge;
    struct store_purge nothing = { family, false, INT64_MIN, clock_realtime_us(clock_) };
    return nothing;
}

/* A full memtable waits for its flush, and another one is written to. A write under way may land in
 * either. */
void PurgeTracker::OnMemTableSealed(const rocksdb::MemTableInfo &info)
{
    Family &family = families_[info.cf_name == journal_family_name ? STORE_JOURNAL : STORE_DATA];
    std::lock_guard<std::mutex> guard(lock_);

    family.sealed.push_back({ info.first_seqno, family.active_us });
    family.active_us = family.writing_us; /* the write under way may be in the new one */
}

/* Sealed memtables go in the order in which they were sealed: their minimum is the file's from now
 * on. */
void PurgeTracker::OnFlushCompleted(rocksdb::DB *db, const rocksdb::FlushJobInfo &info)
{
    Family &family = families_[info.cf_name == journal_family_name ? STORE_JOURNAL : STORE_DATA];

    {
        std::lock_guard<std::mutex> guard(lock_);

        /* Its file is in place: whoever looks at memtables first and files second misses nothing. */
        while (!family.sealed.empty() && family.sealed.front().first <= info.largest_seqno)
            family.sealed.pop_front();
    }
    if (on_flushed)
        on_flushed(db);
}

/* The smallest timestamp of all that is only in memory. */
int64_t PurgeTracker::memtables_min(enum store_family which)
{
    std::lock_guard<std::mutex> guard(lock_);
    assert(which == STORE_DATA || which == STORE_JOURNAL);
    const Family &family = families_[which];
    int64_t min_us = std::min(family.active_us, family.writing_us);

    for (const Sealed &sealed : family.sealed)
        min_us = std::min(min_us, sealed.min_us);
    return min_us;
}

void PurgeTracker::OnCompactionBegin(rocksdb::DB *db, const rocksdb::CompactionJobInfo &info)
{
    enum store_family which = family_of(info.cf_id);
    int64_t min_us = memtables_min(which); /* before the files, see OnFlushCompleted */
    bool whole = info.output_level > 0;
    rocksdb::ColumnFamilyHandle *handle;
    rocksdb::ColumnFamilyMetaData meta;
    rocksdb::TablePropertiesCollection properties;
    std::string smallest, largest;
    size_t inputs_found = 0;

    /* Computes what this compaction may purge. The order matters: memtables first, files second. A
     * memtable that is flushed in between is then seen in both, and never in neither.
     *
     * "whole" says that a key's value in this compaction is all there is of it below: no file of a
     * deeper level overlaps. */
    running = Running();
    {
        std::lock_guard<std::mutex> guard(lock_);
        handle = families_[which].handle;
    }
    /* The instance is just being opened or closed. */
    if (!handle)
        return;
    db->GetColumnFamilyMetaData(handle, &meta);
    if (!db->GetPropertiesOfAllTables(handle, &properties).ok())
        return;
    auto is_input = [&info](uint64_t number) {
        return std::any_of(info.input_file_infos.begin(), info.input_file_infos.end(),
                           [number](const rocksdb::CompactionFileInfo &input) { return input.file_number == number; });
    };
    for (const rocksdb::LevelMetaData &level : meta.levels)
        for (const rocksdb::SstFileMetaData &file : level.files) {
            if (!is_input(file.file_number))
                continue;
            if (!inputs_found || file.smallestkey < smallest)
                smallest = file.smallestkey;
            if (!inputs_found || file.largestkey > largest)
                largest = file.largestkey;
            inputs_found++;
        }
    /* Files that are not listed any more, or not yet: then nothing is certain. */
    if (inputs_found != info.input_file_infos.size())
        return;
    for (const rocksdb::LevelMetaData &level : meta.levels)
        for (const rocksdb::SstFileMetaData &file : level.files) {
            if (is_input(file.file_number) || file.smallestkey > largest || file.largestkey < smallest)
                continue;
            min_us = std::min(min_us, file_min(properties, file.name));
            if (level.level > info.base_input_level)
                whole = false; /* older data of these keys may lie there */
        }
    assert(smallest <= largest);
    running.known = true;
    running.purge = { which, whole, min_us, clock_realtime_us(clock_) };
}

void PurgeTracker::OnCompactionCompleted(rocksdb::DB *, const rocksdb::CompactionJobInfo &)
{
    running = Running();
}

/* A failed flush or compaction stops writes, as a failed write does: what is acknowledged must reach
 * files some day. */
void PurgeTracker::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status *status)
{
    on_error_(*status);
}

/* store_ops->resume decides when, so that the store's state and RocksDB's never differ. */
void PurgeTracker::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool *automatic)
{
    *automatic = false;
}

/* Limits of one thread do not nest. */
OperandLimit::OperandLimit(size_t max)
{
    assert(max > 0 && patience.operands_max == SIZE_MAX);
    patience = Patience();
    patience.operands_max = max;
}

OperandLimit::~OperandLimit()
{
    patience = Patience();
}

bool OperandLimit::was_exceeded() const
{
    return patience.exceeded;
}

std::shared_ptr<rocksdb::MergeOperator> semantics_merge_operator(const struct store_semantics *semantics)
{
    return std::make_shared<Merge>(semantics);
}

std::shared_ptr<rocksdb::CompactionFilterFactory> semantics_filter_factory(const struct store_semantics *semantics,
                                                                           std::shared_ptr<PurgeTracker> tracker)
{
    return std::make_shared<FilterFactory>(semantics, std::move(tracker));
}

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory>
semantics_collector_factory(const struct store_semantics *semantics)
{
    return std::make_shared<CollectorFactory>(semantics);
}

/* The file system that RocksDB is handed: store/files below, and encryption and frames between.
 *
 * RocksDB opens, reads and writes all its files through this, so nothing of a row is ever readable
 * on a disk. A file begins with a header block (header.h) that RocksDB never sees: offsets and sizes
 * are moved by it. What follows is AES-256 in counter mode, which can be read at any place and does
 * not grow the bytes. Its one condition: no byte of key stream is ever used for two different bytes.
 * So a file is only appended to, never after it was cut, and never in a later run.
 *
 * Logs and manifests lie in frames as well (frame.h): RocksDB reads and writes the payloads.
 *
 * A status of RocksDB cannot say "wrong key" and loses our words for damage. So the last such
 * failure of a thread is kept beside, and whoever asked RocksDB looks there first. Whether a read
 * may wait is also the thread's: RocksDB hands no argument of ours down to its files. */
#include "store/rocksdb/encrypted.h"

#include <openssl/evp.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "store/rocksdb/frame.h"
#include "store/rocksdb/header.h"
}

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace
{

/* The thread's, as the head of this file says: calls into RocksDB come out below on the same
 * thread. */
thread_local bool may_not_wait = false;
thread_local bool sizes_may_be_rough = false;
thread_local enum status last_failure = OK;
thread_local std::string last_message;

/* In RocksDB's words. "Would wait" has none: Incomplete is what its own block-cache-only reads
 * answer. */
IOStatus translate(enum status status, const struct error &err)
{
    switch (status) {
    case OK: return IOStatus::OK();
    case ERR_NOT_FOUND: return IOStatus::PathNotFound(err.message);
    case ERR_NO_SPACE: return IOStatus::NoSpace(err.message);
    case ERR_WOULD_WAIT: return rocksdb::status_to_io_status(rocksdb::Status::Incomplete("would wait for the disk"));
    case ERR_CORRUPT: return IOStatus::Corruption(err.message);
    default: return IOStatus::IOError(err.message);
    }
}

/* What the store's caller should hear, rather than what RocksDB makes of it. */
IOStatus note(enum status status, const struct error &err)
{
    if (status == ERR_CONFIG || status == ERR_CORRUPT) {
        last_failure = status;
        last_message = err.message;
    }
    return translate(status, err);
}

/* ---- the cipher ---- */

/* The counter that belongs to an offset: IV + offset / 16, 128 bits, big-endian. It wraps as
 * OpenSSL's does. Example: byte 100 is of block 6 (100 = 6 * 16 + 4), so its counter is IV + 6,
 * and four bytes of key stream are skipped. */
void counter_at(const uint8_t iv[FILE_IV_BYTES], uint64_t offset, uint8_t counter[FILE_IV_BYTES])
{
    unsigned __int128 n = 0;

    for (int i = 0; i < FILE_IV_BYTES; i++)
        n = n << 8 | iv[i];
    n += offset / 16;
    for (int i = FILE_IV_BYTES - 1; i >= 0; i--, n >>= 8)
        counter[i] = (uint8_t)n;
}

/* A failure here leaves nothing to go on with: no file could be read or written. */
EVP_CIPHER_CTX *context_new()
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (!context || EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), nullptr, nullptr, nullptr) != 1)
        abort(); /* out of memory, or no AES: nothing can be stored */
    return context;
}

/* Encrypts or decrypts (the same in CTR) from wherever the context stands. OpenSSL counts in int:
 * large spans go in parts. */
void crypt(EVP_CIPHER_CTX *context, const uint8_t *from, uint8_t *to, size_t size)
{
    while (size) {
        int done, part = size > (1u << 30) ? 1 << 30 : (int)size;

        if (EVP_EncryptUpdate(context, to, &done, from, part) != 1 || done != part)
            abort();
        assert((size_t)part <= size);
        from += part;
        to += part;
        size -= (size_t)part;
    }
}

/* Places the context at any byte. A counter is of 16 bytes: the rest of the way is gone by
 * encrypting bytes that nobody wants. key null: the context has it already. */
void stand_at(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t iv[FILE_IV_BYTES], uint64_t offset)
{
    uint8_t counter[FILE_IV_BYTES], skipped[16] = { 0 };

    counter_at(iv, offset, counter);
    if (EVP_EncryptInit_ex(context, nullptr, nullptr, key, counter) != 1)
        abort();
    assert(context && offset % 16 < sizeof(skipped));
    crypt(context, skipped, skipped, offset % 16);
}

/* Readers of one file run side by side, so the context belongs to the thread. Keying takes
 * time of its own, so it is done again only when the file changes. */
class ThreadContext
{
  public:
    ThreadContext() : context_(context_new())
    {
    }
    ~ThreadContext()
    {
        EVP_CIPHER_CTX_free(context_);
    }
    void decrypt(uint64_t file_number, const struct file_cipher &cipher, uint64_t offset, uint8_t *data, size_t size)
    {
        assert(file_number != 0);
        stand_at(context_, file_number == keyed_for_ ? nullptr : cipher.key, cipher.iv, offset);
        keyed_for_ = file_number;
        crypt(context_, data, data, size);
    }

  private:
    EVP_CIPHER_CTX *context_;
    uint64_t keyed_for_ = 0;
};

/* A number for each opened file, never used again: a pointer could be another file's by then. */
std::atomic<uint64_t> next_file_number{ 1 };

/* What opened files share: the file below and its cipher. The key is wiped when it is closed. */
class Opened
{
  public:
    Opened(struct file *file, bool encrypted, ReadCounts *counts)
        : file_(file), encrypted_(encrypted), number_(next_file_number++), counts_(counts)
    {
    }
    ~Opened()
    {
        file_->ops->close(file_);
        keys_wipe(&cipher_, sizeof(cipher_));
    }

    /* A read at any place, from any thread, as sorted files are read. */
    IOStatus read(uint64_t offset, size_t n, Slice *result, char *scratch) const
    {
        struct error err;
        size_t got = 0;

        /* What a crash left of a file's creation reads as an empty file. */
        if (empty_) {
            *result = Slice(scratch, 0);
            return IOStatus::OK();
        }
        enum status status = file_->ops->read(file_, offset + header_bytes(), scratch, n, !may_not_wait, &got, &err);
        counts_->count(status, may_not_wait, got);
        if (status) {
            *result = Slice(scratch, 0);
            return translate(status, err);
        }
        /* Decrypted where it lies, in the caller's memory. */
        if (encrypted_ && got) {
            static thread_local ThreadContext context;
            context.decrypt(number_, cipher_, offset, (uint8_t *)scratch, got);
        }
        assert(got <= n);
        *result = Slice(scratch, got);
        return IOStatus::OK();
    }
    uint64_t header_bytes() const
    {
        return encrypted_ ? FILE_HEADER_BYTES : 0;
    }
    /* Its header says so, not its name: a log of before there were frames is read as it lies. */
    bool framed() const
    {
        return encrypted_ && cipher_.framed && !empty_;
    }
    /* What frame.c reads. Also as the file has it, since a sector that was never written is all
     * zeros there, and anything when it was decrypted. */
    enum status read_both(uint64_t place, uint8_t *raw, uint8_t *plain, size_t size, size_t *got, struct error *err)
    {
        static thread_local ThreadContext context;
        enum status status = file_->ops->read(file_, place + header_bytes(), raw, size, !may_not_wait, got, err);

        if (status)
            return status;
        assert(encrypted_ && *got <= size);
        memcpy(plain, raw, *got);
        context.decrypt(number_, cipher_, place, plain, *got);
        return OK;
    }
    enum status bytes_behind_header(uint64_t *size, struct error *err) const
    {
        enum status status = file_->ops->file_size(file_, size, err);

        /* A file shorter than its header is one that was never finished: it holds nothing. */
        if (status == OK)
            *size = *size > header_bytes() ? *size - header_bytes() : 0;
        return status;
    }

    struct file *file_;
    const bool encrypted_;
    bool empty_ = false; /* created, but never synced before a crash */
    const uint64_t number_;
    struct file_cipher cipher_ = {};
    ReadCounts *counts_; /* the file system's */
};

/* ---- files ---- */

/* The payloads of a log one after another: the log as it was before it was laid into frames. */
class Frames
{
  public:
    Frames(Opened *opened, uint64_t size) : opened_(opened)
    {
        struct frame_source source = { [](void *context, uint64_t place, uint8_t *raw, uint8_t *plain, size_t size,
                                          size_t *got, struct error *err) {
                                          return static_cast<Opened *>(context)->read_both(place, raw, plain, size, got,
                                                                                           err);
                                      },
                                       opened };

        frame_reader_init(&reader_, &source, size);
    }
    ~Frames()
    {
        frame_reader_fini(&reader_);
    }
    /* Fewer than n bytes only at the end. to null: they are skipped. */
    enum status read(size_t n, char *to, size_t *got, struct error *err)
    {
        for (*got = 0; *got < n;) {
            if (!left_.size) {
                enum status status = frame_reader_next(&reader_, &left_, err);

                if (status == OK && !left_.data && has_grown(err))
                    status = frame_reader_next(&reader_, &left_, err);
                if (status || !left_.data)
                    return status;
            }
            assert(*got < n && left_.size > 0);
            size_t part = std::min(n - *got, left_.size);
            if (to)
                memcpy(to + *got, left_.data, part);
            left_ = bytes_of(left_.data + part, left_.size - part);
            *got += part;
        }
        return OK;
    }
    enum status payload_bytes(uint64_t *size, struct error *err)
    {
        return frame_reader_payload_bytes(&reader_, size, err);
    }

  private:
    /* Who reads the log behind its writer goes on where it ended. */
    bool has_grown(struct error *err)
    {
        uint64_t size;

        return opened_->bytes_behind_header(&size, err) == OK && frame_reader_grow(&reader_, size);
    }

    Opened *opened_;
    struct frame_reader reader_;
    struct bytes left_ = {};
};

/* How many bytes RocksDB wrote into a file. Of a log that is what its frames hold, known only by
 * reading their heads. */
enum status logical_size(Opened *opened, uint64_t *size, struct error *err)
{
    enum status status = opened->empty_ ? OK : opened->bytes_behind_header(size, err);

    if (opened->empty_)
        *size = 0;
    if (status || !opened->framed())
        return status;
    return Frames(opened, *size).payload_bytes(size, err);
}

/* A log as RocksDB reads it at a start, or while it reads updates. */
class FramedFile : public rocksdb::FSSequentialFile
{
  public:
    FramedFile(std::unique_ptr<Opened> opened, uint64_t size, const std::string &path)
        : opened_(std::move(opened)), frames_(opened_.get(), size), path_(path)
    {
    }
    IOStatus Read(size_t n, const IOOptions &, Slice *result, char *scratch, IODebugContext *) override
    {
        return take(n, scratch, result);
    }
    /* RocksDB counts in its own bytes, the payloads: frames are read and left out. */
    IOStatus Skip(uint64_t n) override
    {
        Slice skipped;

        return take(n, nullptr, &skipped);
    }
    IOStatus InvalidateCache(size_t, size_t) override
    {
        return IOStatus::OK();
    }

  private:
    IOStatus take(size_t n, char *to, Slice *result)
    {
        struct error err;
        size_t got = 0;
        enum status status = frames_.read(n, to, &got, &err);

        *result = Slice(to, to && !status ? got : 0);
        if (status == ERR_CORRUPT)
            error_set(&err, ERR_CORRUPT, "%s: %s", path_.c_str() + path_.rfind('/') + 1,
                      std::string(err.message).c_str());
        if (status) { /* who reads the log of an open store hears of it as of an end */
            last_failure = status;
            last_message = err.message;
        }
        return translate(status, err);
    }

    std::unique_ptr<Opened> opened_;
    Frames frames_;
    std::string path_;
};

/* Any other file that is read from front to back. */
class SequentialFile : public rocksdb::FSSequentialFile
{
  public:
    explicit SequentialFile(std::unique_ptr<Opened> opened) : opened_(std::move(opened))
    {
    }
    IOStatus Read(size_t n, const IOOptions &, Slice *result, char *scratch, IODebugContext *) override
    {
        IOStatus status = opened_->read(offset_, n, result, scratch);
        offset_ += result->size();
        return status;
    }
    IOStatus Skip(uint64_t n) override
    {
        offset_ += n;
        return IOStatus::OK();
    }
    IOStatus InvalidateCache(size_t, size_t) override
    {
        return IOStatus::OK();
    }

  private:
    std::unique_ptr<Opened> opened_;
    uint64_t offset_ = 0;
};

/* A sorted file, read by many threads at once. */
class RandomAccessFile : public rocksdb::FSRandomAccessFile
{
  public:
    explicit RandomAccessFile(std::unique_ptr<Opened> opened) : opened_(std::move(opened))
    {
    }
    IOStatus Read(uint64_t offset, size_t n, const IOOptions &, Slice *result, char *scratch,
                  IODebugContext *) const override
    {
        return opened_->read(offset, n, result, scratch);
    }
    IOStatus Prefetch(uint64_t offset, size_t n, const IOOptions &, IODebugContext *) override
    {
        /* Asking for pages may itself wait, for their places on the disk; and whoever may not wait reads what
         * is there. */
        if (!may_not_wait)
            opened_->file_->ops->prefetch(opened_->file_, offset + opened_->header_bytes(), n);
        return IOStatus::OK();
    }
    /* RocksDB's, of tables: random when one is opened, normal when a compaction begins to read it. A cold
     * point read costs the disk its block and not the 128 KiB around it; a scan asks for more by itself
     * (Prefetch). */
    void Hint(AccessPattern pattern) override
    {
        opened_->file_->ops->expect_random(opened_->file_, pattern == kRandom);
    }
    IOStatus InvalidateCache(size_t, size_t) override
    {
        return IOStatus::OK();
    }

  private:
    std::unique_ptr<Opened> opened_;
};

/* A file that grows. What was written to it once is never written again (see the head comment). */
class WritableFile : public rocksdb::FSWritableFile
{
  public:
    WritableFile(std::unique_ptr<Opened> opened, const FileOptions &options, uint64_t size)
        : FSWritableFile(options), opened_(std::move(opened)), size_(size), written_to_(size)
    {
        if (opened_->encrypted_) {
            context_ = context_new();
            stand_at(context_, opened_->cipher_.key, opened_->cipher_.iv, size);
        }
    }
    ~WritableFile() override
    {
        if (context_)
            EVP_CIPHER_CTX_free(context_);
    }
    using FSWritableFile::Append;
    using FSWritableFile::PositionedAppend;

    IOStatus Append(const Slice &data, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        if (broken_)
            return IOStatus::IOError("append: an earlier write of this file failed");
        if (!context_)
            return account(opened_->file_->ops->append(opened_->file_, data.data(), data.size(), &err), err,
                           data.size());
        /* Bytes once encrypted for an offset may never be others: that would be the same key stream twice. */
        assert(size_ <= written_to_);
        if (size_ != written_to_)
            return IOStatus::NotSupported("append after truncate");
        /* In parts, so that a large append takes no large memory. Of a log each part is a frame. */
        for (size_t at = 0; at < data.size();) {
            size_t part = std::min(data.size() - at, (size_t)SCRATCH_MAX);
            size_t head = opened_->framed() ? FRAME_HEAD_BYTES : 0;

            if (scratch_.size() < head + part)
                scratch_.resize(head + part);
            if (head)
                crypt_head(bytes_of(data.data() + at, part));
            crypt(context_, (const uint8_t *)data.data() + at, scratch_.data() + head, part);
            IOStatus status =
                account(opened_->file_->ops->append(opened_->file_, scratch_.data(), head + part, &err), err, part);
            if (!status.ok())
                return status;
            assert(!head || part <= FRAME_PAYLOAD_MAX);
            place_.store(place_.load(std::memory_order_relaxed) + head + part, std::memory_order_release);
            at += part;
        }
        return IOStatus::OK();
    }
    /* RocksDB cuts a file whose buffers it had rounded up. A log is never cut: its frames would no
     * longer fit. */
    IOStatus Truncate(uint64_t size, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        if (size == size_)
            return IOStatus::OK();
        if (opened_->framed())
            return IOStatus::NotSupported("a log is not cut");
        enum status status = opened_->file_->ops->truncate(opened_->file_, size + opened_->header_bytes(), &err);
        if (status == OK)
            size_ = size;
        if (status == OK && !opened_->encrypted_)
            written_to_ = size;
        return translate(status, err);
    }
    /* The file below is closed when the object goes. */
    IOStatus Close(const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }
    /* Nothing is held back here: each append has reached the file below. */
    IOStatus Flush(const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }
    /* Notes how much is surely on the disk: frames written from now on say so. */
    IOStatus Sync(const IOOptions &, IODebugContext *) override
    {
        struct error err;
        uint64_t place = place_.load(std::memory_order_acquire); /* what is appended meanwhile is not promised */
        enum status status = opened_->file_->ops->sync(opened_->file_, &err);

        assert(place <= place_.load(std::memory_order_acquire));
        if (status == OK)
            synced_.store(place, std::memory_order_release);
        return translate(status, err);
    }
    bool IsSyncThreadSafe() const override
    {
        return true;
    }
    uint64_t GetFileSize(const IOOptions &, IODebugContext *) override
    {
        return size_;
    }
    IOStatus InvalidateCache(size_t, size_t) override
    {
        return IOStatus::OK();
    }

  private:
    enum { SCRATCH_MAX = 64 * 1024 };
    static_assert((int)SCRATCH_MAX <= (int)FRAME_PAYLOAD_MAX, "an append is a frame");

    /* A head in front of the payload, encrypted as all bytes are. */
    void crypt_head(struct bytes payload)
    {
        uint64_t place = place_.load(std::memory_order_relaxed);

        assert(payload.size > 0 && scratch_.size() >= FRAME_HEAD_BYTES + payload.size);
        frame_write_head(scratch_.data(), place, payload, place - synced_.load(std::memory_order_acquire));
        crypt(context_, scratch_.data(), scratch_.data(), FRAME_HEAD_BYTES);
    }

    /* After a failed append nobody knows how much of it is in the file: nothing is added to it. */
    IOStatus account(enum status status, const struct error &err, size_t size)
    {
        if (status == OK) {
            assert(size_ == written_to_);
            size_ += size;
            written_to_ = size_;
        } else
            broken_ = true;
        return translate(status, err);
    }

    std::unique_ptr<Opened> opened_;
    EVP_CIPHER_CTX *context_ = nullptr; /* owned; stands at written_to_ */
    std::vector<uint8_t> scratch_;
    uint64_t size_;
    uint64_t written_to_; /* the highest offset that was ever written */
    /* Of a log: behind the header block, heads of frames included. Syncs come from other threads. */
    std::atomic<uint64_t> place_{ 0 };
    std::atomic<uint64_t> synced_{ 0 };
    bool broken_ = false;
};

/* Only synced: names are kept by the calls on paths. */
class Directory : public rocksdb::FSDirectory
{
  public:
    Directory(struct file_system *files, const std::string &path) : files_(files), path_(path)
    {
    }
    IOStatus Fsync(const IOOptions &, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->sync_directory(files_, path_.c_str(), &err), err);
    }
    IOStatus Close(const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }

  private:
    struct file_system *files_;
    std::string path_;
};

/* What RocksDB holds for as long as a store is open, so that no second process opens it. */
class Lock : public rocksdb::FileLock
{
  public:
    explicit Lock(struct file *file) : file_(file)
    {
    }
    struct file *file_;
};

/* ---- the file system ---- */

/* RocksDB's calls, each with its arguments moved by the header and its answer in RocksDB's words.
 * Without keys, in tests, no file has a header and nothing is encrypted. */
class EncryptedFileSystem : public rocksdb::FileSystem
{
  public:
    EncryptedFileSystem(struct file_system *files, const struct keys *keys, ReadCounts *counts)
        : files_(files), keys_(keys), counts_(counts)
    {
    }
    const char *Name() const override
    {
        return "helenus";
    }

    /* The size is that of now. Of a log that is still written Frames asks again at its end. */
    IOStatus NewSequentialFile(const std::string &path, const FileOptions &,
                               std::unique_ptr<rocksdb::FSSequentialFile> *result, IODebugContext *) override
    {
        std::unique_ptr<Opened> opened;
        struct error err;
        uint64_t size = 0;
        IOStatus status = open(path, FILE_READ, &opened);

        if (!status.ok())
            return status;
        if (!opened->framed()) {
            result->reset(new SequentialFile(std::move(opened)));
            return status;
        }
        enum status got = opened->bytes_behind_header(&size, &err);
        if (got)
            return translate(got, err);
        result->reset(new FramedFile(std::move(opened), size, path));
        return status;
    }
    IOStatus NewRandomAccessFile(const std::string &path, const FileOptions &,
                                 std::unique_ptr<rocksdb::FSRandomAccessFile> *result, IODebugContext *) override
    {
        std::unique_ptr<Opened> opened;
        IOStatus status = open(path, FILE_READ, &opened);

        if (status.ok())
            result->reset(new RandomAccessFile(std::move(opened)));
        return status;
    }
    IOStatus NewWritableFile(const std::string &path, const FileOptions &options,
                             std::unique_ptr<rocksdb::FSWritableFile> *result, IODebugContext *) override
    {
        std::unique_ptr<Opened> opened;
        IOStatus status = create(path, &opened);

        if (status.ok())
            result->reset(new WritableFile(std::move(opened), options, 0));
        return status;
    }
    /* RocksDB opens a log or manifest of an earlier run again to sync or cut it. */
    IOStatus ReopenWritableFile(const std::string &path, const FileOptions &options,
                                std::unique_ptr<rocksdb::FSWritableFile> *result, IODebugContext *dbg) override
    {
        std::unique_ptr<Opened> opened;
        struct error err;
        uint64_t size = 0;
        IOStatus status = open(path, FILE_APPEND, &opened);

        if (status.IsPathNotFound())
            return NewWritableFile(path, options, result, dbg);
        if (!status.ok())
            return status;
        if (opened->empty_)
            return NewWritableFile(path, options, result, dbg);
        enum status got = logical_size(opened.get(), &size, &err);
        if (got)
            return translate(got, err);
        /* What was cut off behind the end before is not known here: such a file may be synced and shortened, not grown,
         * or the key stream would be used twice. So it starts as if it had been truncated. */
        result->reset(new ReopenedFile(std::move(opened), options, size));
        return IOStatus::OK();
    }
    IOStatus NewDirectory(const std::string &path, const IOOptions &, std::unique_ptr<rocksdb::FSDirectory> *result,
                          IODebugContext *) override
    {
        struct error err;
        bool is = false;
        enum status status = files_->ops->is_directory(files_, path.c_str(), &is, &err);

        if (status)
            return translate(status, err);
        result->reset(new Directory(files_, path));
        return IOStatus::OK();
    }
    /* Not there is an answer, not a failure. */
    IOStatus FileExists(const std::string &path, const IOOptions &, IODebugContext *) override
    {
        struct error err;
        bool is;
        enum status status = files_->ops->is_directory(files_, path.c_str(), &is, &err);

        /* RocksDB 7.8 takes any failure here for "no finished logs" (its assert looks at another status): the
         * listing will fail. */
        if (status && status != ERR_NOT_FOUND && is_archive(path))
            return IOStatus::OK();
        return status == ERR_NOT_FOUND ? IOStatus::NotFound() : translate(status, err);
    }
    IOStatus GetChildren(const std::string &path, const IOOptions &, std::vector<std::string> *result,
                         IODebugContext *) override
    {
        struct error err;

        result->clear();
        return translate(files_->ops->list(
                             files_, path.c_str(),
                             [](void *context, const char *name) {
                                 static_cast<std::vector<std::string> *>(context)->push_back(name);
                             },
                             result, &err),
                         err);
    }
    IOStatus DeleteFile(const std::string &path, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->remove(files_, path.c_str(), &err), err);
    }
    /* Of a file by its name. One that was never finished has nothing to be cut. */
    IOStatus Truncate(const std::string &path, size_t size, const IOOptions &, IODebugContext *) override
    {
        std::unique_ptr<Opened> opened;
        struct error err;
        IOStatus status = open(path, FILE_APPEND, &opened);

        if (!status.ok() || opened->empty_)
            return status;
        return translate(opened->file_->ops->truncate(opened->file_, size + opened->header_bytes(), &err), err);
    }
    IOStatus CreateDir(const std::string &path, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->make_directory(files_, path.c_str(), &err), err);
    }
    IOStatus CreateDirIfMissing(const std::string &path, const IOOptions &, IODebugContext *) override
    {
        struct error err;
        enum status status = files_->ops->make_directory(files_, path.c_str(), &err);

        return status == ERR_ALREADY_EXISTS ? IOStatus::OK() : translate(status, err);
    }
    IOStatus DeleteDir(const std::string &path, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->remove_directory(files_, path.c_str(), &err), err);
    }
    /* As RocksDB counts: without the header, and of a log without the heads of frames. */
    IOStatus GetFileSize(const std::string &path, const IOOptions &, uint64_t *size, IODebugContext *) override
    {
        struct error err;
        enum status status;
        uint64_t header = keys_ ? FILE_HEADER_BYTES : 0;

        if (keys_ && is_log(path) && !sizes_may_be_rough) {
            std::unique_ptr<Opened> opened;
            IOStatus found = open(path, FILE_READ, &opened);

            return found.ok() ? translate(logical_size(opened.get(), size, &err), err) : found;
        }
        status = files_->ops->size(files_, path.c_str(), size, &err);

        if (status == OK)
            *size = *size > header ? *size - header : 0;
        return translate(status, err);
    }
    IOStatus GetFileModificationTime(const std::string &path, const IOOptions &, uint64_t *seconds,
                                     IODebugContext *) override
    {
        struct error err;
        int64_t modified = 0;
        enum status status = files_->ops->modified_s(files_, path.c_str(), &modified, &err);

        *seconds = (uint64_t)modified;
        return translate(status, err);
    }
    IOStatus RenameFile(const std::string &from, const std::string &to, const IOOptions &, IODebugContext *) override
    {
        struct error err;
        std::string directory = to.substr(0, to.rfind('/'));

        if (directory == from.substr(0, from.rfind('/')))
            return translate(files_->ops->rename(files_, from.c_str(), to.c_str(), &err), err);
        return translate(move(from, to, directory, &err), err);
    }
    IOStatus LinkFile(const std::string &from, const std::string &to, const IOOptions &, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->link(files_, from.c_str(), to.c_str(), &err), err);
    }
    /* The file stays when it is unlocked: were it removed, two others could each lock a file of
     * this name. */
    IOStatus LockFile(const std::string &path, const IOOptions &, rocksdb::FileLock **lock, IODebugContext *) override
    {
        struct error err;
        struct file *file;
        enum status status = files_->ops->lock(files_, path.c_str(), &file, &err);

        *lock = status ? nullptr : new Lock(file);
        return translate(status, err);
    }
    IOStatus UnlockFile(rocksdb::FileLock *base, const IOOptions &, IODebugContext *) override
    {
        Lock *lock = static_cast<Lock *>(base);

        lock->file_->ops->unlock(lock->file_);
        delete lock;
        return IOStatus::OK();
    }
    IOStatus GetTestDirectory(const IOOptions &, std::string *, IODebugContext *) override
    {
        return IOStatus::NotSupported("test directory");
    }
    /* RocksDB would write a plain file past us. */
    IOStatus NewLogger(const std::string &, const IOOptions &, std::shared_ptr<rocksdb::Logger> *,
                       IODebugContext *) override
    {
        return IOStatus::NotSupported("log file");
    }
    /* Paths are compared as they are written (files.h), so none is changed. */
    IOStatus GetAbsolutePath(const std::string &path, const IOOptions &, std::string *result, IODebugContext *) override
    {
        *result = path;
        return IOStatus::OK();
    }
    IOStatus GetFreeSpace(const std::string &path, const IOOptions &, uint64_t *bytes, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->free_bytes(files_, path.c_str(), bytes, &err), err);
    }
    IOStatus IsDirectory(const std::string &path, const IOOptions &, bool *is, IODebugContext *) override
    {
        struct error err;

        return translate(files_->ops->is_directory(files_, path.c_str(), is, &err), err);
    }

  private:
    /* A file of an earlier run: it is synced or cut, and never grows. What it grew by could be
     * encrypted with key stream that was used already, for bytes that a crash or a cut took off
     * its end. */
    class ReopenedFile : public WritableFile
    {
      public:
        ReopenedFile(std::unique_ptr<Opened> opened, const FileOptions &options, uint64_t size)
            : WritableFile(std::move(opened), options, size)
        {
        }
        using WritableFile::Append;
        IOStatus Append(const Slice &data, const IOOptions &, IODebugContext *) override
        {
            return data.empty() ? IOStatus::OK() : IOStatus::NotSupported("append to a file of an earlier run");
        }
    };

    /* A log that is finished goes to another directory. RocksDB syncs the one it came from at any time; after a
     * crash the log must not be in neither. So it has both names until the new one is on the disk. What a crash
     * left with both is moved again: the new name is there, and leads to the same file. */
    enum status move(const std::string &from, const std::string &to, const std::string &directory, struct error *err)
    {
        enum status status = files_->ops->link(files_, from.c_str(), to.c_str(), err);
        bool has_both = status == OK || status == ERR_ALREADY_EXISTS;

        if (!has_both) /* a file system that has no second names */
            status = files_->ops->rename(files_, from.c_str(), to.c_str(), err);
        if (has_both || status == OK)
            status = files_->ops->sync_directory(files_, directory.c_str(), err);
        if (has_both && status == OK)
            status = files_->ops->remove(files_, from.c_str(), err);
        return status;
    }

    /* Opens a file and learns its key from its header. */
    IOStatus open(const std::string &path, enum file_mode mode, std::unique_ptr<Opened> *result)
    {
        uint8_t header[FILE_HEADER_BYTES];
        struct error err;
        struct file *file;
        uint64_t size = 0;
        size_t got = 0;
        enum status status = files_->ops->open(files_, path.c_str(), mode, &file, &err);

        if (status)
            return translate(status, err);
        std::unique_ptr<Opened> opened(new Opened(file, keys_ != nullptr, counts_));
        if (keys_) {
            status = file->ops->file_size(file, &size, &err);
            if (status == OK)
                status = file->ops->read(file, 0, header, sizeof(header), !may_not_wait, &got, &err);
            if (status == OK && file_header_is_unborn(header, got, size))
                opened->empty_ = true;
            else if (status == OK)
                status = file_header_read(keys_, header, &opened->cipher_, &err);
            if (status)
                return note(status, err);
        }
        *result = std::move(opened);
        return IOStatus::OK();
    }

    /* Creates a file, also over an old one, under a new key. */
    IOStatus create(const std::string &path, std::unique_ptr<Opened> *result)
    {
        uint8_t header[FILE_HEADER_BYTES];
        struct error err;
        struct file *file;
        enum status status = files_->ops->open(files_, path.c_str(), FILE_CREATE, &file, &err);

        if (status)
            return translate(status, err);
        std::unique_ptr<Opened> opened(new Opened(file, keys_ != nullptr, counts_));
        if (keys_) {
            status = file_header_make(keys_, is_log(path), header, &opened->cipher_, &err);
            if (status == OK)
                status = file->ops->append(file, header, sizeof(header), &err);
            /* The WAL is read after a crash though it was never finished: with its header on the disk before anything
             * else, a bad header is always damage and never a torn creation with rows behind it. */
            if (status == OK && is_wal(path))
                status = file->ops->sync(file, &err);
            if (status)
                return note(status, err);
        }
        *result = std::move(opened);
        return IOStatus::OK();
    }

    static bool is_archive(const std::string &path)
    {
        static const char name[] = "/archive";
        size_t size = sizeof(name) - 1;

        return path.size() > size && path.compare(path.size() - size, size, name) == 0;
    }
    static bool is_wal(const std::string &path)
    {
        static const char suffix[] = ".log";

        return path.size() >= sizeof(suffix) &&
               path.compare(path.size() - sizeof(suffix) + 1, std::string::npos, suffix) == 0;
    }
    /* What is read though a crash may have ended it. */
    static bool is_log(const std::string &path)
    {
        return is_wal(path) || path.compare(path.rfind('/') + 1, strlen("MANIFEST-"), "MANIFEST-") == 0;
    }

    struct file_system *files_;
    const struct keys *keys_;
    ReadCounts *counts_;
};

} // namespace

/* Scopes nest: each gives back what it found, so a scan that may wait can be moved from within a
 * read that may not. */
MayNotWait::MayNotWait(bool value) : before_(may_not_wait)
{
    may_not_wait = value;
}

MayNotWait::~MayNotWait()
{
    may_not_wait = before_;
}

RoughSizes::RoughSizes() : before_(sizes_may_be_rough)
{
    sizes_may_be_rough = true;
}

RoughSizes::~RoughSizes()
{
    sizes_may_be_rough = before_;
}

/* Told until it is forgotten: whoever calls RocksDB forgets before, and asks behind. */
enum status encrypted_last_failure(struct error *err)
{
    if (last_failure)
        error_set(err, last_failure, "%s", last_message.c_str());
    return last_failure;
}

void encrypted_forget_failure()
{
    last_failure = OK;
}

std::shared_ptr<rocksdb::FileSystem> encrypted_file_system(struct file_system *files, const struct keys *keys,
                                                           ReadCounts *counts)
{
    return std::make_shared<EncryptedFileSystem>(files, keys, counts);
}

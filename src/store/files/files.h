/* store/files/files.h: the files under a store, as an interface with several bodies.
 *
 *     posix      the machine's file system
 *     forgetful  memory that forgets, when it is cut, every byte and name that was not synced; also fails on demand
 *     stalling   another body with a directory whose disk stands still when told to
 *
 * Shapes:  paths are NUL-terminated and compared as written (no "..", one '/' between names). Files only grow
 *          by append, shrink by truncate and are read at any offset. A name survives a crash once its
 *          directory was synced, a file's bytes once the file was.
 * Owns:    an open file belongs to its opener until file_close.
 * Errors:  ERR_NOT_FOUND (no such name), ERR_ALREADY_EXISTS, ERR_WOULD_WAIT, ERR_NO_SPACE, ERR_IO. Messages
 *          name no user's data.
 * Thread:  the system: any. One file: reads by any thread at once; append, sync, truncate by one at a time.
 */
#ifndef STORE_FILES_FILES_H
#define STORE_FILES_FILES_H

#include "base/bytes.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum file_mode {
    FILE_READ,
    FILE_CREATE, /* empty, whatever was there before; for append */
    FILE_APPEND, /* what is there, to grow or truncate; ERR_NOT_FOUND */
};

struct file_system;

struct file {
    const struct file_ops *ops;
};

struct file_ops {
    enum status (*open)(struct file_system *fs, const char *path, enum file_mode mode, struct file **file,
                        struct error *err);
    void (*close)(struct file *file); /* not a sync */
    enum status (*append)(struct file *file, const void *data, size_t size, struct error *err);
    /* *got < size only at the end of the file. may_wait false: ERR_WOULD_WAIT if not all of it is in memory. */
    enum status (*read)(struct file *file, uint64_t offset, void *data, size_t size, bool may_wait, size_t *got,
                        struct error *err);
    enum status (*sync)(struct file *file, struct error *err); /* bytes and size, not the name */
    enum status (*truncate)(struct file *file, uint64_t size, struct error *err);
    enum status (*file_size)(struct file *file, uint64_t *size, struct error *err);
    /* What will be read soon. A hint, which may wait for the disk. */
    void (*prefetch)(struct file *file, uint64_t offset, uint64_t size);
    /* Reads will be of single places: what lies beside them is not to be read along. A hint. */
    void (*expect_random)(struct file *file, bool random);
    /* False: its file system cannot tell what is in memory, so every read that may not wait is answered
     * ERR_WOULD_WAIT. */
    bool (*reads_now)(struct file *file);

    enum status (*rename)(struct file_system *fs, const char *from, const char *to,
                          struct error *err); /* replaces `to` */
    enum status (*remove)(struct file_system *fs, const char *path, struct error *err);
    enum status (*link)(struct file_system *fs, const char *from, const char *to, struct error *err);
    enum status (*size)(struct file_system *fs, const char *path, uint64_t *size, struct error *err);
    enum status (*modified_s)(struct file_system *fs, const char *path, int64_t *seconds, struct error *err);
    enum status (*is_directory)(struct file_system *fs, const char *path, bool *is,
                                struct error *err); /* ERR_NOT_FOUND */
    enum status (*make_directory)(struct file_system *fs, const char *path, struct error *err);
    enum status (*remove_directory)(struct file_system *fs, const char *path, struct error *err);
    enum status (*sync_directory)(struct file_system *fs, const char *path, struct error *err);
    /* Calls `name` for each entry but . and .. */
    enum status (*list)(struct file_system *fs, const char *path, void (*name)(void *context, const char *name),
                        void *context, struct error *err);
    /* One holder, process or not; made if missing. ERR_IO: somebody has it. */
    enum status (*lock)(struct file_system *fs, const char *path, struct file **lock, struct error *err);
    void (*unlock)(struct file *lock);
    enum status (*free_bytes)(struct file_system *fs, const char *path, uint64_t *bytes, struct error *err);
};

struct file_system {
    const struct file_ops *ops;
};

/* ---- posix ---- */

/* Borrowed; nothing to close. */
struct file_system *file_system_posix(void);

/* ---- forgetful ---- */

struct file_system *forgetful_new(uint64_t seed);
void forgetful_free(struct file_system *fs); /* all files are closed */
/* Pulls the plug: from now on every call fails with ERR_IO. */
void forgetful_cut(struct file_system *fs);
/* Power is back: there is what was synced. With torn, some (chosen by the seed) of what was not synced is
 * there as well, as a disk may have it: a prefix of appended bytes, a name. Files opened before stay dead. */
void forgetful_restart(struct file_system *fs, bool torn);
/* Faults. The nth call from now that can fail (1: the next) fails with ERR_IO; 0: none. sticky: and all after it. */
void forgetful_fail_nth(struct file_system *fs, uint64_t n, bool sticky);
/* Whether that call has come. */
bool forgetful_failed(struct file_system *fs);
/* Every sync fails (and syncs nothing), as long as set: with ERR_IO, of files on a disk that has an end with
 * ERR_NO_SPACE. */
void forgetful_fail_sync(struct file_system *fs, bool fail);
/* The disk has this many bytes; UINT64_MAX: endless. */
void forgetful_capacity(struct file_system *fs, uint64_t bytes);
uint64_t forgetful_used(struct file_system *fs);
/* Reads that may not wait find nothing in memory. */
void forgetful_cold(struct file_system *fs, bool cold);
/* Sync calls that were made. */
uint64_t forgetful_syncs(struct file_system *fs);
/* Every file there is, and every byte of it: the test looks for what must not be there. */
void forgetful_each(struct file_system *fs, void (*each)(void *context, const char *path, struct bytes content),
                    void *context);
/* Flips bits of one byte, in what is there and what is synced. */
void forgetful_damage(struct file_system *fs, const char *path, uint64_t offset, uint8_t bits);
/* Cuts bytes from the end of a file, as a torn write would. */
void forgetful_tear(struct file_system *fs, const char *path, uint64_t size);

/* ---- stalling: for tests ---- */

/* Stalled, reads of the files in `directory` that may wait stand still, and those that may not are told that
 * they would: by stalling_set, or for as long as the machine has a file named `control` (NULL: none). `below`
 * is borrowed; paths are copied. */
struct file_system *stalling_new(struct file_system *below, const char *directory, const char *control);
void stalling_free(struct file_system *fs); /* all files are closed; not `below` */
void stalling_set(struct file_system *fs, bool stalled);
/* Reads that stand still now. */
uint32_t stalling_standing(struct file_system *fs);

#ifdef __cplusplus
}
#endif

#endif

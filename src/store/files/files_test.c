/* The contract of files.h on both bodies; then what only forgetful does: forgetting, faults, a full disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/memory.h"
#include "store/files/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct error err;
static struct file_system *fs;
static int file_syncs, directory_syncs;
static char root[64];

static const char *at(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

/* In place of the C library's: nothing but the kernel can tell whether a sync reached the disk, so the calls are counted. */
int fdatasync(int fd)
{
    file_syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    struct stat info;

    directory_syncs += fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    return (int)syscall(SYS_fsync, fd);
}

static int forgetful_setup(void **state)
{
    fs = forgetful_new(1);
    snprintf(root, sizeof(root), "/root");
    return fs->ops->make_directory(fs, root, &err) || fs->ops->sync_directory(fs, "/", &err);
}

static int forgetful_teardown(void **state)
{
    forgetful_free(fs);
    return 0;
}

static int posix_setup(void **state)
{
    fs = file_system_posix();
    snprintf(root, sizeof(root), "/tmp/helenus-files-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int posix_teardown(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r '%s'", root);
    return system(command);
}

static struct file *open_file(const char *name, enum file_mode mode)
{
    struct file *file = NULL;

    assert_int_equal(fs->ops->open(fs, at(name), mode, &file, &err), OK);
    return file;
}

static void write_file(const char *name, const char *text, bool sync)
{
    struct file *file = open_file(name, FILE_CREATE);

    assert_int_equal(file->ops->append(file, text, strlen(text), &err), OK);
    if (sync)
        assert_int_equal(file->ops->sync(file, &err), OK);
    file->ops->close(file);
}

/* "-": there is no such file. */
static const char *content(const char *name)
{
    static char text[128];
    struct file *file;
    size_t got;
    enum status status = fs->ops->open(fs, at(name), FILE_READ, &file, &err);

    if (status == ERR_NOT_FOUND)
        return "-";
    assert_int_equal(status, OK);
    assert_int_equal(file->ops->read(file, 0, text, sizeof(text) - 1, true, &got, &err), OK);
    text[got] = 0;
    file->ops->close(file);
    return text;
}

static void count_name(void *context, const char *name)
{
    *(int *)context += 1;
}

static void test_contract(void **state)
{
    struct file *file, *lock, *second;
    char text[16];
    uint64_t size;
    int64_t seconds;
    size_t got;
    bool is;
    int names = 0;

    assert_int_equal(fs->ops->open(fs, at("none"), FILE_READ, &file, &err), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->open(fs, at("none"), FILE_APPEND, &file, &err), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->open(fs, at("none/file"), FILE_CREATE, &file, &err), ERR_NOT_FOUND);
    write_file("a", "hello", true);
    file = open_file("a", FILE_APPEND);
    assert_int_equal(file->ops->append(file, " world", 6, &err), OK);
    assert_int_equal(file->ops->file_size(file, &size, &err), OK);
    assert_int_equal(size, 11);
    assert_int_equal(file->ops->read(file, 6, text, 16, true, &got, &err), OK);
    assert_int_equal(got, 5);
    assert_memory_equal(text, "world", 5);
    /* Just written, so in memory. */
    assert_int_equal(file->ops->read(file, 0, text, 5, false, &got, &err), OK);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(file->ops->read(file, 20, text, 5, true, &got, &err), OK);
    assert_int_equal(got, 0);
    assert_int_equal(file->ops->truncate(file, 4, &err), OK);
    file->ops->close(file);
    assert_string_equal(content("a"), "hell");
    write_file("a", "new", false); /* FILE_CREATE empties */
    assert_string_equal(content("a"), "new");

    assert_int_equal(fs->ops->link(fs, at("a"), at("b"), &err), OK);
    assert_int_equal(fs->ops->link(fs, at("a"), at("b"), &err), ERR_ALREADY_EXISTS);
    write_file("c", "c", false);
    assert_int_equal(fs->ops->rename(fs, at("c"), at("a"), &err), OK);
    assert_string_equal(content("a"), "c");
    assert_string_equal(content("b"), "new");
    assert_string_equal(content("c"), "-");
    assert_int_equal(fs->ops->rename(fs, at("c"), at("a"), &err), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->size(fs, at("b"), &size, &err), OK);
    assert_int_equal(size, 3);
    assert_int_equal(fs->ops->modified_s(fs, at("b"), &seconds, &err), OK);
    assert_true(seconds > 1600000000);

    assert_int_equal(fs->ops->make_directory(fs, at("d"), &err), OK);
    assert_int_equal(fs->ops->make_directory(fs, at("d"), &err), ERR_ALREADY_EXISTS);
    assert_int_equal(fs->ops->is_directory(fs, at("d"), &is, &err), OK);
    assert_true(is);
    assert_int_equal(fs->ops->is_directory(fs, at("b"), &is, &err), OK);
    assert_false(is);
    assert_int_equal(fs->ops->is_directory(fs, at("none"), &is, &err), ERR_NOT_FOUND);
    write_file("d/inside", "x", false);
    assert_int_not_equal(fs->ops->remove_directory(fs, at("d"), &err), OK);
    assert_int_equal(fs->ops->list(fs, root, count_name, &names, &err), OK);
    assert_int_equal(names, 3); /* a, b, d */
    assert_int_equal(fs->ops->remove(fs, at("d/inside"), &err), OK);
    assert_int_equal(fs->ops->remove_directory(fs, at("d"), &err), OK);
    assert_int_equal(fs->ops->remove(fs, at("none"), &err), ERR_NOT_FOUND);
    /* An open file outlives its name. */
    file = open_file("b", FILE_READ);
    assert_int_equal(fs->ops->remove(fs, at("b"), &err), OK);
    assert_int_equal(file->ops->read(file, 0, text, 3, true, &got, &err), OK);
    assert_memory_equal(text, "new", 3);
    file->ops->close(file);

    assert_int_equal(fs->ops->lock(fs, at("LOCK"), &lock, &err), OK);
    assert_int_equal(fs->ops->lock(fs, at("LOCK"), &second, &err), ERR_IO);
    lock->ops->unlock(lock);
    assert_int_equal(fs->ops->lock(fs, at("LOCK"), &lock, &err), OK);
    lock->ops->unlock(lock);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    assert_int_equal(fs->ops->free_bytes(fs, root, &size, &err), OK);
    assert_true(size > 1000000);
}

static void crash(bool torn)
{
    forgetful_cut(fs);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), ERR_IO); /* the power is off */
    forgetful_restart(fs, torn);
}

static void test_forgets(void **state)
{
    struct file *file, *old;
    size_t got;
    char text[8];

    write_file("unnamed", "synced bytes, unsynced name", true);
    crash(false);
    assert_string_equal(content("unnamed"), "-");

    write_file("a", "synced", true);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    old = file = open_file("a", FILE_APPEND);
    assert_int_equal(file->ops->append(file, " and not", 8, &err), OK);
    write_file("b", "unsynced bytes, synced name", false);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    crash(false);
    assert_string_equal(content("a"), "synced");
    assert_string_equal(content("b"), "");
    /* Files of before the crash are dead. */
    assert_int_equal(old->ops->append(old, "x", 1, &err), ERR_IO);
    assert_int_equal(old->ops->read(old, 0, text, 1, true, &got, &err), ERR_IO);
    old->ops->close(old);

    /* Renames and removals come back, until the directory is synced. */
    write_file("tmp", "new", true);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    assert_int_equal(fs->ops->rename(fs, at("tmp"), at("a"), &err), OK);
    assert_int_equal(fs->ops->remove(fs, at("b"), &err), OK);
    crash(false);
    assert_string_equal(content("a"), "synced");
    assert_string_equal(content("tmp"), "new");
    assert_string_equal(content("b"), "");
    assert_int_equal(fs->ops->rename(fs, at("tmp"), at("a"), &err), OK);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    crash(false);
    assert_string_equal(content("a"), "new");
    assert_string_equal(content("tmp"), "-");

    /* Emptied and written again, not synced: the old bytes. */
    write_file("a", "other", false);
    crash(false);
    assert_string_equal(content("a"), "new");

    /* A directory whose name was not synced takes all below it along. */
    assert_int_equal(fs->ops->make_directory(fs, at("d"), &err), OK);
    write_file("d/x", "x", true);
    assert_int_equal(fs->ops->sync_directory(fs, at("d"), &err), OK);
    crash(false);
    assert_string_equal(content("d/x"), "-");
}

static void test_torn(void **state)
{
    bool seen[9] = { 0 };

    /* Whatever was not synced is there in part: every length comes up. */
    for (int i = 0; i < 400; i++) {
        struct file *file;
        const char *text;

        write_file("t", "ABCD", true);
        assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
        file = open_file("t", FILE_APPEND);
        assert_int_equal(file->ops->append(file, "efgh", 4, &err), OK);
        file->ops->close(file);
        crash(true);
        text = content("t");
        assert_memory_equal(text, "ABCDefgh", strlen(text));
        seen[strlen(text)] = true;
    }
    for (int size = 0; size <= 8; size++)
        assert_int_equal(seen[size], size >= 4);
}

static void test_faults(void **state)
{
    struct file *file = open_file("f", FILE_CREATE);

    forgetful_fail_nth(fs, 2, false);
    assert_int_equal(file->ops->append(file, "1", 1, &err), OK);
    assert_false(forgetful_failed(fs));
    assert_int_equal(file->ops->append(file, "2", 1, &err), ERR_IO);
    assert_true(forgetful_failed(fs));
    assert_int_equal(file->ops->append(file, "3", 1, &err), OK);
    forgetful_fail_nth(fs, 1, true);
    assert_int_equal(file->ops->append(file, "4", 1, &err), ERR_IO);
    assert_int_equal(file->ops->sync(file, &err), ERR_IO);
    forgetful_fail_nth(fs, 0, false);
    forgetful_fail_sync(fs, true);
    assert_int_equal(file->ops->sync(file, &err), ERR_IO);
    forgetful_fail_sync(fs, false);
    assert_int_equal(file->ops->sync(file, &err), OK);
    assert_string_equal(content("f"), "13");

    forgetful_capacity(fs, forgetful_used(fs) + 3);
    assert_int_equal(file->ops->append(file, "abcde", 5, &err), ERR_NO_SPACE);
    assert_string_equal(content("f"), "13abc"); /* what fits is there */
    file->ops->close(file);
    assert_int_equal(fs->ops->remove(fs, at("f"), &err), OK);
    assert_int_equal(forgetful_used(fs), 0);
    forgetful_capacity(fs, UINT64_MAX);
}

static void test_syncs_reach_the_kernel(void **state)
{
    struct file *file = open_file("s", FILE_CREATE);
    int files_before = file_syncs, directories_before = directory_syncs;

    assert_int_equal(file->ops->append(file, "1", 1, &err), OK);
    assert_int_equal(file_syncs, files_before);
    assert_int_equal(file->ops->sync(file, &err), OK);
    assert_int_equal(file_syncs, files_before + 1);
    file->ops->close(file);
    assert_int_equal(fs->ops->sync_directory(fs, root, &err), OK);
    assert_int_equal(directory_syncs, directories_before + 1);
}

int main(void)
{
#define POSIX(test) cmocka_unit_test_setup_teardown(test, posix_setup, posix_teardown)
    const struct CMUnitTest posix[] = { POSIX(test_contract), POSIX(test_syncs_reach_the_kernel) };
#define FORGETFUL(test) cmocka_unit_test_setup_teardown(test, forgetful_setup, forgetful_teardown)
    const struct CMUnitTest forgetful[] = { FORGETFUL(test_contract), FORGETFUL(test_forgets), FORGETFUL(test_torn),
                                            FORGETFUL(test_faults) };

    return cmocka_run_group_tests(posix, NULL, NULL) + cmocka_run_group_tests(forgetful, NULL, NULL);
}

/* A table of commands: those for a server at work ask it through the control socket and show what it says; those
 * that copy do it themselves, of a server's stage or of a directory at rest. What they make has another name, or a
 * mark in it, until it is whole. */
#include "server/admin/operate.h"

#include "base/memory.h"
#include "catalog/format.h"
#include "server/admin/at_rest.h"
#include "server/admin/check.h"
#include "server/admin/control.h"
#include "server/admin/progress.h"
#include "server/step.h"
#include "server/admin/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SNAPSHOT_FILE   "SNAPSHOT"
#define SNAPSHOT_FORMAT "helenus snapshot 1\nfiles %" PRIu32 "\nbytes %" PRIu64 "\n"

struct operator
{
    const char *command;
    const char *words[2]; /* the first two that are no options; NULL: not given */
    const char *key_file;
    bool without_key;
    const char *advance; /* NULL: not given */
    struct progress progress;
    int fd; /* to the server; -1: none */
    char line[CONTROL_LINE_MAX + 1];
    size_t line_bytes;               /* received, and not yet looked at */
    char done[CONTROL_LINE_MAX + 1]; /* what the server says it did */
};

static int cannot(struct operator* operator, const struct error * error)
{
    progress_clear(&operator->progress);
    fprintf(stderr, "helenus: cannot %s: %s\n", operator->command, error->message);
    return OPERATE_CANNOT;
}

static int failed(struct operator* operator, const char * why)
{
    progress_clear(&operator->progress);
    fprintf(stderr, "helenus: %s failed: %s\n", operator->command, why);
    return OPERATE_FAILED;
}

/* ---- asking a server ---- */

/* ERR_NOT_FOUND: nobody listens there. */
static enum status connect_to(struct operator* operator, const char * directory, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), failure;

    if (directory_fd < 0)
        return error_set_os(err, errno, "%s", directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, directory_fd);
    operator->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (operator->fd >= 0 && connect(operator->fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        close(directory_fd);
        return OK;
    }
    failure = errno;
    close(directory_fd);
    if (operator->fd >= 0)
        close(operator->fd);
    operator->fd = - 1;
    if (failure == ENOENT || failure == ECONNREFUSED)
        return error_set(err, ERR_NOT_FOUND, "no server has %s open", directory);
    return error_set_os(err, failure, "%s/" CONTROL_SOCKET, directory);
}

/* Takes the next line out of what comes. False: the server has gone. */
static bool next_line(struct operator* operator, char line[CONTROL_LINE_MAX + 1])
{
    for (;;) {
        char *end = memchr(operator->line, '\n', operator->line_bytes);
        ssize_t got;

        if (end) {
            size_t size = (size_t)(end - operator->line);

            memcpy(line, operator->line, size);
            line[size] = '\0';
            operator->line_bytes -= size + 1;
            memmove(operator->line, end + 1, operator->line_bytes);
            return true;
        }
        if (operator->line_bytes == CONTROL_LINE_MAX)
            return false;
        got = recv(operator->fd, operator->line + operator->line_bytes, CONTROL_LINE_MAX - operator->line_bytes, 0);
        if (got <= 0)
            return false;
        operator->line_bytes +=(size_t) got;
    }
}

static void show_line(struct operator* operator, const char * line)
{
    uint64_t done, total;
    char unit[32];

    if (sscanf(line, "progress %" SCNu64 " %" SCNu64 " %31s", &done, &total, unit) == 3 && done <= total)
        progress_show(&operator->progress, done, total, unit);
}

/* Returns at the end of what was asked; the connection stays. */
static int ask(struct operator* operator, const char * question)
{
    char line[CONTROL_LINE_MAX + 1];
    int size = snprintf(line, sizeof(line), "%s\n", question);

    if (size > CONTROL_LINE_MAX)
        return failed(operator, "the names are too long");
    if (send(operator->fd, line, (size_t)size, MSG_NOSIGNAL) != size && errno != EPIPE) /* it may have said why */
        return failed(operator, strerror(errno));
    while (next_line(operator, line)) {
        if (strncmp(line, "error ", 6) == 0)
            return failed(operator, line + 6);
        if (strncmp(line, "done ", 5) == 0) {
            snprintf(operator->done, sizeof(operator->done), "%s", line + 5);
            return OPERATE_DONE;
        }
        show_line(operator, line);
    }
    return failed(operator, "the server has gone");
}

static int run_online(struct operator* operator, const char * question)
{
    struct error error = { 0 };
    int code;

    operator->progress.is_bar_only = true;
    if (connect_to(operator, operator->words[0], &error))
        return cannot(operator, & error);
    code = ask(operator, question);
    close(operator->fd);
    progress_clear(&operator->progress);
    if (code == OPERATE_DONE)
        printf("%s is %s\n", operator->words[0], operator->done);
    return code;
}

static int run_compact(struct operator* operator)
{
    char question[CONTROL_LINE_MAX];

    if (!operator->words[1])
        return run_online(operator, "compact");
    snprintf(question, sizeof(question), "compact %s", operator->words[1]);
    return run_online(operator, question);
}

/* Numbers with their units, e.g. 1d12h. False: it is not that. */
static bool parse_duration(const char *text, uint64_t *seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = { { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

    *seconds = 0;
    for (char *end; *text; text = end + 1) {
        size_t digits = strspn(text, "0123456789"), i = 0;
        uint64_t number;

        if (!digits || digits > 10)
            return false;
        number = strtoull(text, &end, 10);
        while (i < ARRAY_SIZE(units) && units[i].unit != *end)
            i++;
        if (i == ARRAY_SIZE(units))
            return false;
        *seconds += number * units[i].seconds;
    }
    return *seconds > 0 && *seconds <= CONTROL_ADVANCE_MAX_S;
}

static int run_clock(struct operator* operator)
{
    char question[CONTROL_LINE_MAX] = "clock";
    struct error error = { 0 };
    uint64_t seconds;

    if (operator->advance && !parse_duration(operator->advance, &seconds)) {
        error_set(&error, ERR_CONFIG, "%s is no duration such as 30d, 12h, 90m, 45s or 1d12h", operator->advance);
        return cannot(operator, & error);
    }
    if (operator->advance)
        snprintf(question, sizeof(question), "clock %" PRIu64, seconds);
    return run_online(operator, question);
}

/* ---- snapshot ---- */

static void show_bytes(void *context, uint64_t done, uint64_t total)
{
    struct operator* operator= context;

    progress_show(&operator->progress, done, total, "bytes");
}

/* Shards and the rest may lie in two places: in a server's stage, and in its directory. */
static enum status copy_to(struct operator* operator, struct tree_copy * copy, const char *shards, const char *rest,
                           const char *target, struct error *err)
{
    enum status status = tree_measure(copy, shards, TREE_SHARDS, err);

    copy->progress = show_bytes;
    copy->context = operator;
    if (!status)
        status = tree_measure(copy, rest, TREE_FILES, err);
    if (!status)
        status = tree_copy(copy, shards, target, TREE_SHARDS, err);
    step_reached(NULL, "copied");
    if (!status)
        status = tree_copy(copy, rest, target, TREE_FILES, err);
    return status;
}

/* From here on `part` is ours, and goes when it fails. */
static enum status fill_part(struct operator* operator, const char * shards, const char *part, const char *target,
                             struct error *err)
{
    struct tree_copy copy = { .may_link = true, .without_key = operator->without_key };
    char text[128];
    enum status status = copy_to(operator, & copy, shards, operator->words[0], part, err);

    snprintf(text, sizeof(text), SNAPSHOT_FORMAT, copy.file_count, copy.done_bytes);
    if (!status)
        status = tree_write(part, SNAPSHOT_FILE, text, err);
    step_reached(NULL, "filled");
    if (!status && rename(part, target) < 0)
        status = error_set_os(err, errno, "%s", target);
    if (!status)
        status = tree_sync_above(target, err);
    if (status)
        return status;
    progress_clear(&operator->progress);
    printf("%s is a snapshot of %s: files=%" PRIu32 " bytes=%" PRIu64 "\n", target, operator->words[0], copy.file_count,
           copy.done_bytes);
    if (at_rest_has(target, "master.key"))
        printf("it holds the master key: whoever can read it can read the data\n");
    return OK;
}

static int make_snapshot(struct operator* operator, const char * shards, const char *target)
{
    char part[PATH_MAX];
    struct error error = { 0 }, second;
    struct stat facts;

    if (snprintf(part, sizeof(part), "%s.part", target) >= (int)sizeof(part))
        error_set(&error, ERR_CONFIG, "%s: the name is too long", target);
    else if (lstat(target, &facts) == 0)
        error_set(&error, ERR_CONFIG, "%s is there already", target);
    else if (lstat(part, &facts) == 0)
        error_set(&error, ERR_CONFIG, "%s is left by a snapshot that did not end: remove it", part);
    else if (mkdir(part, 0700) < 0)
        error_set_os(&error, errno, "%s", part);
    if (error.status)
        return cannot(operator, & error);
    if (fill_part(operator, shards, part, target, &error) == OK)
        return OPERATE_DONE;
    if (tree_remove(part, &second))
        fprintf(stderr, "helenus: %s could not be removed\n", part);
    return failed(operator, error.message);
}

static int snapshot_online(struct operator* operator, const char * target)
{
    char stage[PATH_MAX];
    int code = ask(operator, "snapshot");

    if (code)
        return code;
    if (snprintf(stage, sizeof(stage), "%s/" CONTROL_STAGE, operator->words[0]) >= (int)sizeof(stage))
        return failed(operator, "the directory's name is too long");
    progress_clear(&operator->progress);
    progress_begin(&operator->progress, "copy");
    return make_snapshot(operator, stage, target);
}

static int snapshot_offline(struct operator* operator, const char * target)
{
    struct error error = { 0 };
    int lock_fd = -1, code;

    if (at_rest_has(operator->words[0], RESTORE_MARK))
        error_set(&error, ERR_CONFIG, "a restore into %s did not end", operator->words[0]);
    else if (!at_rest_has(operator->words[0], "FORMAT"))
        error_set(&error, ERR_CONFIG, "%s is not a data directory of helenus", operator->words[0]);
    else if (at_rest_lock(operator->words[0], &lock_fd, &error) == OK)
        error.status = OK;
    code = error.status ? cannot(operator, & error) : make_snapshot(operator, operator->words[0], target);
    if (lock_fd >= 0)
        close(lock_fd);
    return code;
}

static int run_snapshot(struct operator* operator)
{
    const char *target = operator->words[1];
    struct error error = { 0 };
    struct stat facts;
    enum status status;
    int code;

    /* Before a server is put to work. */
    if (lstat(target, &facts) == 0) {
        error_set(&error, ERR_CONFIG, "%s is there already", target);
        return cannot(operator, & error);
    }
    status = connect_to(operator, operator->words[0], &error);
    if (status == ERR_NOT_FOUND)
        return snapshot_offline(operator, target);
    if (status)
        return cannot(operator, & error);
    code = snapshot_online(operator, target);
    close(operator->fd); /* the server removes its stage */
    return code;
}

/* ---- restore ---- */

static enum status read_snapshot_file(const char *directory, uint32_t *file_count, uint64_t *bytes, struct error *err)
{
    char path[PATH_MAX];
    FILE *file;
    int read;

    if (snprintf(path, sizeof(path), "%s/" SNAPSHOT_FILE, directory) >= (int)sizeof(path))
        return error_set(err, ERR_CONFIG, "%s: the name is too long", directory);
    file = fopen(path, "re");
    if (!file)
        return error_set(err, ERR_CONFIG, "%s is not a whole snapshot: it has no file " SNAPSHOT_FILE, directory);
    read = fscanf(file, "helenus snapshot 1 files %" SCNu32 " bytes %" SCNu64, file_count, bytes);
    fclose(file);
    return read == 2 ? OK : error_set(err, ERR_CONFIG, "%s is not of this version of helenus", path);
}

/* Empty, or made here. */
static enum status take_target(const char *directory, struct error *err)
{
    bool is_empty;
    enum status status;

    if (mkdir(directory, 0700) == 0)
        return tree_sync_above(directory, err);
    if (errno != EEXIST)
        return error_set_os(err, errno, "%s", directory);
    if (at_rest_has(directory, RESTORE_MARK))
        return error_set(err, ERR_CONFIG, "a restore into %s did not end: remove it, and restore again", directory);
    status = tree_is_empty(directory, &is_empty, err);
    if (!status && !is_empty)
        return error_set(err, ERR_CONFIG, "%s is not empty", directory);
    return status;
}

static int fill_target(struct operator* operator, uint32_t file_count, uint64_t bytes)
{
    const char *snapshot = operator->words[0], *target = operator->words[1];
    char mark[PATH_MAX];
    struct tree_copy copy = { 0 };
    struct error error = { 0 };

    if (snprintf(mark, sizeof(mark), "%s/" RESTORE_MARK, target) >= (int)sizeof(mark))
        return failed(operator, "the directory's name is too long");
    if (tree_write(target, RESTORE_MARK, "helenus restore\n", &error) ||
        copy_to(operator, & copy, snapshot, snapshot, target, &error))
        return failed(operator, error.message);
    if (copy.file_count != file_count || copy.done_bytes != bytes)
        return failed(operator, "files of the snapshot are missing or cut short");
    progress_clear(&operator->progress);
    step_reached(NULL, "filled");
    if (check_directory(target, operator->key_file) != CHECK_SOUND)
        return failed(operator, "the copy is not sound, and not to be served");
    if (unlink(mark) < 0)
        return failed(operator, strerror(errno));
    /* Its name gone, synced: the restore has ended. */
    if (tree_sync_above(mark, &error))
        return failed(operator, error.message);
    printf("%s is restored from %s: files=%" PRIu32 " bytes=%" PRIu64 "\n", target, snapshot, file_count, bytes);
    return OPERATE_DONE;
}

static int run_restore(struct operator* operator)
{
    struct error error = { 0 };
    uint32_t file_count = 0;
    uint64_t bytes = 0;

    if (read_snapshot_file(operator->words[0], &file_count, &bytes, &error))
        return cannot(operator, & error);
    if (!operator->key_file && !at_rest_has(operator->words[0], "master.key")) {
        error_set(&error, ERR_CONFIG, "%s holds no master key: say --key-file", operator->words[0]);
        return cannot(operator, & error);
    }
    if (take_target(operator->words[1], &error))
        return cannot(operator, & error);
    return fill_target(operator, file_count, bytes);
}

/* ---- the command line ---- */

static const struct command {
    const char *name;
    const char *usage;
    int words_min, words_max;
    bool takes_key_file, takes_without_key, takes_advance;
} commands[] = {
    { "flush", "flush DIR", 1, 1, false, false, false },
    { "compact", "compact DIR [KEYSPACE[.TABLE]]", 1, 2, false, false, false },
    { "sweep", "sweep DIR", 1, 1, false, false, false },
    { "clock", "clock DIR [--advance DURATION]", 1, 1, false, false, true },
    { "snapshot", "snapshot DIR TARGET [--without-key]", 2, 2, false, true, false },
    { "restore", "restore SNAPSHOT DIR [--key-file FILE]", 2, 2, true, false, false },
};

static bool parse(struct operator* operator, const struct command * command, int argc, char *const *argv)
{
    int words = 0;

    for (int i = 0; i < argc; i++) {
        if (command->takes_key_file && strncmp(argv[i], "--key-file=", 11) == 0)
            operator->key_file = argv[i] + 11;
        else if (command->takes_key_file && strcmp(argv[i], "--key-file") == 0 && i + 1 < argc)
            operator->key_file = argv[++i];
        else if (command->takes_advance && strncmp(argv[i], "--advance=", 10) == 0)
            operator->advance = argv[i] + 10;
        else if (command->takes_advance && strcmp(argv[i], "--advance") == 0 && i + 1 < argc)
            operator->advance = argv[++i];
        else if (command->takes_without_key && strcmp(argv[i], "--without-key") == 0)
            operator->without_key = true;
        else if (argv[i][0] != '-' && argv[i][0] && words < command->words_max)
            operator->words[words++] = argv[i];
        else
            return false;
    }
    return words >= command->words_min;
}

static int run(struct operator* operator, const struct command * command, int argc, char *const *argv)
{
    struct error error = { 0 };

    if (!parse(operator, command, argc, argv)) {
        error_set(&error, ERR_CONFIG, "usage: helenus %s", command->usage);
        return cannot(operator, & error);
    }
    if (strcmp(command->name, "compact") == 0)
        return run_compact(operator);
    if (strcmp(command->name, "clock") == 0)
        return run_clock(operator);
    if (strcmp(command->name, "snapshot") == 0)
        return run_snapshot(operator);
    if (strcmp(command->name, "restore") == 0)
        return run_restore(operator);
    return run_online(operator, command->name);
}

bool operate_run(const char *command, int argc, char *const *argv, int *code)
{
    struct operator operator= { .command = command, .fd = -1 };

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(command, commands[i].name) != 0)
            continue;
        progress_begin(&operator.progress, command);
        *code = run(&operator, & commands[i], argc, argv);
        return true;
    }
    return false;
}

/* A table of commands: those for a server at work ask it through the control socket and show what
 * it says; those that copy do it themselves, of a server's stage or of a directory at rest. What
 * they make has another name, or a mark in it, until it is whole: a snapshot or restore that was
 * cut off cannot be mistaken for one that ended.
 *
 * Results go to stdout, all else to stderr. Exit codes tell whether anything was begun (operate.h). */
#include "server/admin/operate.h"

#include "base/memory.h"
#include "catalog/format.h"
#include "server/admin/at_rest.h"
#include "server/admin/check.h"
#include "server/admin/admin.h"
#include "server/admin/missing.h"
#include "server/admin/progress.h"
#include "server/step.h"
#include "server/admin/tree.h"

#include <assert.h>
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

/* The file that makes a snapshot one: written last, with what a restore must find. */
#define SNAPSHOT_FILE   "SNAPSHOT"
#define SNAPSHOT_FORMAT "helenus snapshot 1\nfiles %" PRIu32 "\nbytes %" PRIu64 "\n"

/* One command on its way: what was asked, and how far it is. */
struct operation {
    const char *command;
    const char *words[2]; /* the first two that are no options; NULL: not given */
    const char *key_file;
    bool without_key;
    const char *advance;     /* NULL: not given */
    struct missing *missing; /* where counts go that a server tells; NULL: nobody asked for any */
    struct progress progress;
    int fd; /* to the server; -1: none */
    char line[ADMIN_LINE_MAX + 1];
    size_t line_bytes;             /* received, and not yet looked at */
    char done[ADMIN_LINE_MAX + 1]; /* what the server says it did */
};

/* Nothing was done. */
static int cannot(struct operation *operation, const struct error *error)
{
    progress_clear(&operation->progress);
    fprintf(stderr, "helenus: cannot %s: %s\n", operation->command, error->message);
    return OPERATE_CANNOT;
}

/* It was begun: what is there is told, or taken away. */
static int failed(struct operation *operation, const char *why)
{
    progress_clear(&operation->progress);
    fprintf(stderr, "helenus: %s failed: %s\n", operation->command, why);
    return OPERATE_FAILED;
}

/* ---- asking a server ---- */

/* ERR_NOT_FOUND: nobody listens there. By the directory's descriptor, as a socket's path has 107
 * bytes at most and a data directory may have more. */
static enum status connect_to(struct operation *operation, const char *directory, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), failure;

    if (directory_fd < 0)
        return error_set_os(err, errno, "%s", directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" ADMIN_SOCKET, directory_fd);
    operation->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (operation->fd >= 0 && connect(operation->fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        close(directory_fd);
        return OK;
    }
    failure = errno;
    close(directory_fd);
    if (operation->fd >= 0)
        close(operation->fd);
    operation->fd = -1;
    /* Nobody has the socket, or nobody listens to it: a server that was killed leaves it behind. */
    if (failure == ENOENT || failure == ECONNREFUSED)
        return error_set(err, ERR_NOT_FOUND, "no server has %s open", directory);
    return error_set_os(err, failure, "%s/" ADMIN_SOCKET, directory);
}

/* Takes the next line out of what comes. False: the server has gone, or sends what is no line. */
static bool next_line(struct operation *operation, char line[ADMIN_LINE_MAX + 1])
{
    for (;;) {
        assert(operation->line_bytes <= ADMIN_LINE_MAX);
        char *end = memchr(operation->line, '\n', operation->line_bytes);
        ssize_t got;

        if (end) {
            size_t size = (size_t)(end - operation->line);

            memcpy(line, operation->line, size);
            line[size] = '\0';
            operation->line_bytes -= size + 1;
            memmove(operation->line, end + 1, operation->line_bytes);
            return true;
        }
        if (operation->line_bytes == ADMIN_LINE_MAX)
            return false;
        got = recv(operation->fd, operation->line + operation->line_bytes, ADMIN_LINE_MAX - operation->line_bytes, 0);
        if (got <= 0)
            return false;
        operation->line_bytes += (size_t)got;
    }
}

/* Lines that are not understood are skipped: a newer server may say more. */
static void show_line(struct operation *operation, const char *line)
{
    uint64_t done, total;
    char unit[32];

    if (operation->missing && strncmp(line, "count ", 6) == 0)
        missing_take(operation->missing, line + 6);
    if (sscanf(line, "progress %" SCNu64 " %" SCNu64 " %31s", &done, &total, unit) == 3 && done <= total)
        progress_show(&operation->progress, done, total, unit);
}

/* Asks, shows progress, and returns at the end of what was asked; the connection stays, as a
 * server's stage lives as long as it. */
static int ask(struct operation *operation, const char *question)
{
    char line[ADMIN_LINE_MAX + 1];
    int size = snprintf(line, sizeof(line), "%s\n", question);

    /* Whatever the other side says of an error is the operator's to read. */
    if (size > ADMIN_LINE_MAX)
        return failed(operation, "the names are too long");
    /* A server that is full answers and closes before it reads: then sending fails, and what it
     * said is still to be read. */
    if (send(operation->fd, line, (size_t)size, MSG_NOSIGNAL) != size && errno != EPIPE) /* it may have said why */
        return failed(operation, strerror(errno));
    while (next_line(operation, line)) {
        if (strncmp(line, "error ", 6) == 0)
            return failed(operation, line + 6);
        if (strncmp(line, "done ", 5) == 0) {
            /* The text is kept until the bar is wiped. */
            snprintf(operation->done, sizeof(operation->done), "%s", line + 5);
            return OPERATE_DONE;
        }
        show_line(operation, line);
    }
    return failed(operation, "the server has gone");
}

/* For what a server does by itself: flush, compact, sweep, clock. */
static int run_online(struct operation *operation, const char *question)
{
    struct error error = { 0 };
    int code;

    /* Without a terminal nothing is shown: these are short, and scripts want one line. */
    operation->progress.is_bar_only = true;
    if (connect_to(operation, operation->words[0], &error))
        return cannot(operation, &error);
    code = ask(operation, question);
    close(operation->fd);
    progress_clear(&operation->progress);
    if (code == OPERATE_DONE)
        printf("%s is %s\n", operation->words[0], operation->done);
    return code;
}

/* ---- password ---- */

/* The server makes the password, so that none stands on a command line, where others of the machine
 * see it. Printed for who asked, and kept nowhere: the server has only its hash. */
static int run_password(struct operation *operation)
{
    char question[ADMIN_LINE_MAX];
    struct error error = { 0 };
    int code;

    operation->progress.is_bar_only = true;
    if (connect_to(operation, operation->words[0], &error))
        return cannot(operation, &error);
    snprintf(question, sizeof(question), "password %s", operation->words[1]);
    code = ask(operation, question);
    close(operation->fd);
    progress_clear(&operation->progress);
    if (code == OPERATE_DONE)
        printf("%s is a superuser with the password %s\n", operation->words[1], operation->done);
    return code;
}

static int run_compact(struct operation *operation)
{
    char question[ADMIN_LINE_MAX];

    if (!operation->words[1])
        return run_online(operation, "compact");
    snprintf(question, sizeof(question), "compact %s", operation->words[1]);
    return run_online(operation, question);
}

/* Numbers with their units, e.g. 1d12h. False: it is not that. Ten digits of weeks do not overflow
 * 64 bits. */
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

        /* More digits than a time has are no duration. */
        if (!digits || digits > 10)
            return false;
        number = strtoull(text, &end, 10);
        while (i < ARRAY_SIZE(units) && units[i].unit != *end)
            i++;
        if (i == ARRAY_SIZE(units))
            return false;
        *seconds += number * units[i].seconds;
    }
    return *seconds > 0 && *seconds <= ADMIN_ADVANCE_MAX_S;
}

/* Whether this server lets its clock be moved is the server's to say. */
static int run_clock(struct operation *operation)
{
    char question[ADMIN_LINE_MAX] = "clock";
    struct error error = { 0 };
    uint64_t seconds;

    if (operation->advance && !parse_duration(operation->advance, &seconds)) {
        error_set(&error, ERR_CONFIG, "%s is no duration such as 30d, 12h, 90m, 45s or 1d12h", operation->advance);
        return cannot(operation, &error);
    }
    if (operation->advance)
        snprintf(question, sizeof(question), "clock %" PRIu64, seconds);
    return run_online(operation, question);
}

/* ---- api missing ---- */

/* Of the server that has a directory open, or of any by its HTTP port. */
static int run_api(struct operation *operation)
{
    struct missing missing = { 0 };
    struct error error = { 0 };
    int code = OPERATE_DONE;

    /* There is one word so far, and more may come. */
    if (strcmp(operation->words[0], "missing") != 0) {
        error_set(&error, ERR_CONFIG, "usage: helenus api missing DIR|URL");
        return cannot(operation, &error);
    }
    if (missing_is_url(operation->words[1])) {
        if (missing_fetch(&missing, operation->words[1], &error))
            return cannot(operation, &error);
    } else {
        if (connect_to(operation, operation->words[1], &error))
            return cannot(operation, &error);
        operation->missing = &missing;
        code = ask(operation, "missing");
        close(operation->fd);
    }
    if (code == OPERATE_DONE)
        missing_print(&missing, stdout);
    return code;
}

/* ---- tls reload ---- */

/* `tls init` asks no server, and is not one of these commands (tls_init.h). The server reads the files
 * itself, with its own rights, from where it was told at its start: nothing of a certificate or key
 * goes through the socket. */
static int run_tls(struct operation *operation)
{
    struct error error = { 0 };

    if (strcmp(operation->words[0], "reload") != 0) {
        error_set(&error, ERR_CONFIG, "usage: helenus tls reload DIR");
        return cannot(operation, &error);
    }
    operation->command = "reload certificates";
    operation->words[0] = operation->words[1];
    return run_online(operation, "tls reload");
}

/* ---- snapshot ---- */

static void show_bytes(void *context, uint64_t done, uint64_t total)
{
    struct operation *operation = context;

    progress_show(&operation->progress, done, total, "bytes");
}

/* Shards and the rest may lie in two places: in a server's stage, and in its directory. Measured
 * first, so that progress has an end. */
static enum status copy_to(struct operation *operation, struct tree_copy *copy, const char *shards, const char *rest,
                           const char *target, struct error *err)
{
    enum status status = tree_measure(copy, shards, TREE_SHARDS, err);

    assert(shards && rest && target);
    copy->progress = show_bytes;
    copy->context = operation;
    if (!status)
        status = tree_measure(copy, rest, TREE_FILES, err);
    /* Shards first: in a server's stage they are of one moment, and nothing of the rest changes
     * while it serves. */
    if (!status)
        status = tree_copy(copy, shards, target, TREE_SHARDS, err);
    /* For tests, which end the process there. */
    step_reached(NULL, "copied");
    if (!status)
        status = tree_copy(copy, rest, target, TREE_FILES, err);
    return status;
}

/* From here on `part` is ours, and goes when it fails. The name without ".part" is given last, when
 * all of it is synced. */
static enum status fill_part(struct operation *operation, const char *shards, const char *part, const char *target,
                             struct error *err)
{
    struct tree_copy copy = { .may_link = true, .without_key = operation->without_key };
    char text[128];
    enum status status = copy_to(operation, &copy, shards, operation->words[0], part, err);

    /* The number of files and of bytes: a restore looks whether it has them all. */
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
    progress_clear(&operation->progress);
    printf("%s is a snapshot of %s: files=%" PRIu32 " bytes=%" PRIu64 "\n", target, operation->words[0],
           copy.file_count, copy.done_bytes);
    /* Told to whoever copies it elsewhere. */
    if (at_rest_has(target, "master.key"))
        printf("it holds the master key: whoever can read it can read the data\n");
    return OK;
}

/* Both names are looked at before anything is made: nothing of another snapshot is touched. */
static int make_snapshot(struct operation *operation, const char *shards, const char *target)
{
    char part[PATH_MAX];
    struct error error = { 0 }, second;
    struct stat facts;

    /* PATH_MAX is what the system takes; longer names would be cut. */
    if (snprintf(part, sizeof(part), "%s.part", target) >= (int)sizeof(part))
        error_set(&error, ERR_CONFIG, "%s: the name is too long", target);
    else if (lstat(target, &facts) == 0)
        error_set(&error, ERR_CONFIG, "%s is there already", target);
    else if (lstat(part, &facts) == 0)
        error_set(&error, ERR_CONFIG, "%s is left by a snapshot that did not end: remove it", part);
    else if (mkdir(part, 0700) < 0)
        error_set_os(&error, errno, "%s", part);
    if (error.status)
        return cannot(operation, &error);
    if (fill_part(operation, shards, part, target, &error) == OK)
        return OPERATE_DONE;
    /* What is left of it would stand in the way of the next one. */
    if (tree_remove(part, &second))
        fprintf(stderr, "helenus: %s could not be removed\n", part);
    return failed(operation, error.message);
}

/* The server makes a stage of links to files that no longer change, while its owners stand still;
 * the copying is done here and costs the server nothing. */
static int snapshot_online(struct operation *operation, const char *target)
{
    char stage[PATH_MAX];
    int code = ask(operation, "snapshot");

    if (code)
        return code;
    if (snprintf(stage, sizeof(stage), "%s/" ADMIN_STAGE, operation->words[0]) >= (int)sizeof(stage))
        return failed(operation, "the directory's name is too long");
    progress_clear(&operation->progress);
    progress_begin(&operation->progress, "copy");
    return make_snapshot(operation, stage, target);
}

/* With the directory's lock, so that no server starts meanwhile. */
static int snapshot_offline(struct operation *operation, const char *target)
{
    struct error error = { 0 };
    int lock_fd = -1, code;

    if (at_rest_has(operation->words[0], RESTORE_MARK))
        error_set(&error, ERR_CONFIG, "a restore into %s did not end", operation->words[0]);
    else if (!at_rest_has(operation->words[0], "FORMAT"))
        /* Another directory by mistake must not become a snapshot. */
        error_set(&error, ERR_CONFIG, "%s is not a data directory of helenus", operation->words[0]);
    else if (at_rest_lock(operation->words[0], &lock_fd, &error) == OK)
        /* One that this program cannot serve it could not restore either. */
        error.status = format_check(operation->words[0], &error);
    code = error.status ? cannot(operation, &error) : make_snapshot(operation, operation->words[0], target);
    if (lock_fd >= 0)
        close(lock_fd);
    return code;
}

static int run_snapshot(struct operation *operation)
{
    const char *target = operation->words[1];
    struct error error = { 0 };
    struct stat facts;
    enum status status;
    int code;

    /* Before a server is put to work. */
    if (lstat(target, &facts) == 0) {
        error_set(&error, ERR_CONFIG, "%s is there already", target);
        return cannot(operation, &error);
    }
    status = connect_to(operation, operation->words[0], &error);
    if (status == ERR_NOT_FOUND)
        /* Nobody serves it: its files stand still, and can be copied as they are. */
        return snapshot_offline(operation, target);
    if (status)
        return cannot(operation, &error);
    code = snapshot_online(operation, target);
    close(operation->fd); /* the server removes its stage */
    return code;
}

/* ---- restore ---- */
/* ---- restore ---- */

/* A snapshot without this file did not end. */
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
    /* The version of this format, and not the server's. */
    read = fscanf(file, "helenus snapshot 1 files %" SCNu32 " bytes %" SCNu64, file_count, bytes);
    fclose(file);
    return read == 2 ? OK : error_set(err, ERR_CONFIG, "%s is not of this version of helenus", path);
}

/* Empty, or made here: a restore never writes into what is there. */
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

/* The mark is the first file and goes last: a server refuses a directory that has it. The copy is
 * checked whole before, as a snapshot that cannot be served is better found now. */
static int fill_target(struct operation *operation, uint32_t file_count, uint64_t bytes)
{
    const char *snapshot = operation->words[0], *target = operation->words[1];
    char mark[PATH_MAX];
    struct tree_copy copy = { 0 };
    /* Nothing is linked: a restored directory is written to, and a snapshot must not change with
     * it. */
    struct error error = { 0 };

    if (snprintf(mark, sizeof(mark), "%s/" RESTORE_MARK, target) >= (int)sizeof(mark))
        return failed(operation, "the directory's name is too long");
    if (tree_write(target, RESTORE_MARK, "helenus restore\n", &error) ||
        copy_to(operation, &copy, snapshot, snapshot, target, &error))
        return failed(operation, error.message);
    assert(!error.status);
    if (copy.file_count != file_count || copy.done_bytes != bytes)
        return failed(operation, "files of the snapshot are missing or cut short");
    progress_clear(&operation->progress);
    step_reached(NULL, "filled");
    /* The same check as `helenus check`, with its output. */
    if (check_directory(target, operation->key_file) != CHECK_SOUND)
        return failed(operation, "the copy is not sound, and not to be served");
    if (unlink(mark) < 0)
        return failed(operation, strerror(errno));
    /* Its name gone, synced: the restore has ended. */
    if (tree_sync_above(mark, &error))
        return failed(operation, error.message);
    printf("%s is restored from %s: files=%" PRIu32 " bytes=%" PRIu64 "\n", target, snapshot, file_count, bytes);
    return OPERATE_DONE;
}

/* The key is looked for before anything is copied. */
static int run_restore(struct operation *operation)
{
    struct error error = { 0 };
    uint32_t file_count = 0;
    uint64_t bytes = 0;

    if (read_snapshot_file(operation->words[0], &file_count, &bytes, &error))
        return cannot(operation, &error);
    if (!operation->key_file && !at_rest_has(operation->words[0], "master.key")) {
        error_set(&error, ERR_CONFIG, "%s holds no master key: say --key-file", operation->words[0]);
        return cannot(operation, &error);
    }
    if (take_target(operation->words[1], &error))
        return cannot(operation, &error);
    return fill_target(operation, file_count, bytes);
}

/* ---- the command line ---- */
/* ---- the command line ---- */

static const struct command {
    const char *name;
    const char *usage;
    int words_min, words_max;
    bool takes_key_file, takes_without_key, takes_advance;
} commands[] = {
    { "flush", "flush DIR", 1, 1, false, false, false },
    { "compact", "compact DIR [[ACCOUNT/]KEYSPACE[.TABLE]]", 1, 2, false, false, false },
    { "sweep", "sweep DIR", 1, 1, false, false, false },
    { "clock", "clock DIR [--advance DURATION]", 1, 1, false, false, true },
    { "password", "password DIR USER", 2, 2, false, false, false },
    { "api", "api missing DIR|URL", 2, 2, false, false, false },
    { "tls", "tls reload DIR", 2, 2, false, false, false },
    { "snapshot", "snapshot DIR TARGET [--without-key]", 2, 2, false, true, false },
    { "restore", "restore SNAPSHOT DIR [--key-file FILE]", 2, 2, true, false, false },
};

/* False: not as its usage says. */
static bool parse(struct operation *operation, const struct command *command, int argc, char *const *argv)
{
    int words = 0;

    assert(command->words_max <= (int)ARRAY_SIZE(operation->words));
    for (int i = 0; i < argc; i++) {
        if (command->takes_key_file && strncmp(argv[i], "--key-file=", 11) == 0)
            operation->key_file = argv[i] + 11;
        else if (command->takes_key_file && strcmp(argv[i], "--key-file") == 0 && i + 1 < argc)
            operation->key_file = argv[++i];
        else if (command->takes_advance && strncmp(argv[i], "--advance=", 10) == 0)
            operation->advance = argv[i] + 10;
        else if (command->takes_advance && strcmp(argv[i], "--advance") == 0 && i + 1 < argc)
            operation->advance = argv[++i];
        else if (command->takes_without_key && strcmp(argv[i], "--without-key") == 0)
            operation->without_key = true;
        else if (argv[i][0] != '-' && argv[i][0] && words < command->words_max)
            operation->words[words++] = argv[i];
        else
            return false;
    }
    return words >= command->words_min;
}

static int run(struct operation *operation, const struct command *command, int argc, char *const *argv)
{
    struct error error = { 0 };

    if (!parse(operation, command, argc, argv)) {
        error_set(&error, ERR_CONFIG, "usage: helenus %s", command->usage);
        return cannot(operation, &error);
    }
    if (strcmp(command->name, "compact") == 0)
        return run_compact(operation);
    if (strcmp(command->name, "password") == 0)
        return run_password(operation);
    if (strcmp(command->name, "clock") == 0)
        return run_clock(operation);
    if (strcmp(command->name, "api") == 0)
        return run_api(operation);
    if (strcmp(command->name, "tls") == 0)
        return run_tls(operation);
    if (strcmp(command->name, "snapshot") == 0)
        return run_snapshot(operation);
    if (strcmp(command->name, "restore") == 0)
        return run_restore(operation);
    return run_online(operation, command->name);
}

/* False: it is no command of ours. *code is what the process ends with. */
bool operate_run(const char *command, int argc, char *const *argv, int *code)
{
    struct operation operation = { .command = command, .fd = -1 };

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(command, commands[i].name) != 0)
            continue;
        progress_begin(&operation.progress, command);
        *code = run(&operation, &commands[i], argc, argv);
        return true;
    }
    return false;
}

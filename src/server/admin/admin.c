/* A thread listens, and one for each who asks: what they ask for takes long, and none of it is done
 * by threads that serve. Who has asked and goes away has what it asked for ended, where that can
 * be; a snapshot's stage goes with its connection.
 *
 * Only root and the server's own user are answered: the socket's mode says so, and the kernel tells
 * who is asking. A question is one line, an answer is lines of "progress" and at its end one of
 * "done" or "error". */
#include "server/admin/admin.h"

#include "api/api.h"
#include "auth/auth.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/random.h"
#include "base/uuid.h"
#include "net/tls.h"
#include "server/admin/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Who connects has so long to ask, and to take what it is told. */
enum { ASK_S = 10, BACKLOG = 8 };

/* One who asks. Its thread ends with the answer; the acceptor joins it. */
struct asker {
    struct admin *admin;
    pthread_t thread;
    bool is_used;       /* the acceptor's */
    _Atomic bool ended; /* the thread may be joined */
    int fd;
    bool is_deaf; /* it did not take what it was told */
    struct admin_task *task;
};

struct admin {
    struct clock_ahead *clock;
    bool may_advance;
    const char *directory;
    struct table_space *space;
    struct catalog *catalog;
    struct admin_view *view;
    struct api *api;   /* NULL: none is served */
    struct tls *tls;   /* NULL: plain text alone */
    struct auth *auth; /* NULL: there are no roles */
    int listen_fd;
    int stop_fd; /* readable: everything ends */
    pthread_t thread;
    bool thread_runs;
    _Atomic bool snapshots; /* one is under way */
    struct asker askers[ADMIN_ASKED_MAX];
};

/* ---- system_views.sstable_tasks ---- */

const char admin_create_table[] =
    "CREATE TABLE system_views.sstable_tasks (keyspace_name text, table_name text, task_id timeuuid, completion_ratio "
    "double, kind text, progress bigint, sstables int, target_directory text, total bigint, unit text, PRIMARY KEY "
    "(keyspace_name, table_name, task_id)) WITH comment = 'current sstable tasks'";

/* In the order of SELECT *: keys, then the others by name. */
enum column {
    KEYSPACE_NAME,
    TABLE_NAME,
    TASK_ID,
    COMPLETION_RATIO,
    KIND,
    PROGRESS,
    SSTABLES,
    TARGET_DIRECTORY,
    TOTAL,
    UNIT,
    COLUMN_COUNT,
};

/* Nothing is told of SSTables: the engine's files are not the table's alone. */
static void emit_task(struct virtual_emit *emit, const struct admin_task *task)
{
    struct bytes values[COLUMN_COUNT] = { 0 };
    uint8_t ratio[8], done[8], total[8];
    double part = task->total ? (double)task->done / (double)task->total : 1;
    uint64_t bits;

    assert(task->done <= task->total);
    memcpy(&bits, &part, sizeof(bits));
    store_be64(ratio, bits);
    store_be64(done, task->done);
    store_be64(total, task->total);
    values[KEYSPACE_NAME] = bytes_of_string(task->keyspace);
    values[TABLE_NAME] = bytes_of_string(task->table);
    /* Both of them "*" where a task is about the whole server. */
    values[TASK_ID] = bytes_of(task->id, sizeof(task->id));
    values[COMPLETION_RATIO] = bytes_of(ratio, sizeof(ratio));
    values[KIND] = bytes_of_string(task->kind);
    values[PROGRESS] = bytes_of(done, sizeof(done));
    values[TOTAL] = bytes_of(total, sizeof(total));
    values[UNIT] = bytes_of_string(task->unit);
    emit->row(emit, values);
}

/* The lock is held for as long as a few rows take. */
static void rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct admin_view *view = self->context;

    pthread_mutex_lock(&view->lock);
    for (int i = 0; i < ADMIN_ASKED_MAX; i++)
        if (view->tasks[i].is_used && (!view->tasks[i].account || view->tasks[i].account == emit->viewer))
            emit_task(emit, &view->tasks[i]);
    pthread_mutex_unlock(&view->lock);
}

void admin_view_init(struct admin_view *view)
{
    *view = (struct admin_view){ .table = { .rows = rows, .context = view } };
    pthread_mutex_init(&view->lock, NULL);
}

void admin_view_fini(struct admin_view *view)
{
    pthread_mutex_destroy(&view->lock);
}

/* A UUID of this moment, so that tasks sort by when they began. */
static void new_timeuuid(const struct clock *clock, uint8_t uuid[UUID_BYTES])
{
    random_bytes(uuid, UUID_BYTES);
    uuid_set_time(uuid, (uint64_t)(clock_realtime_us(clock) * 10 + UUID_EPOCH_TICKS));
}

/* Shown from here on, under a name that says all of the server until name_task knows better. */
static void begin_task(struct asker *asker, const char *kind, const char *unit, uint64_t total)
{
    struct admin_view *view = asker->admin->view;

    pthread_mutex_lock(&view->lock);
    assert(!asker->task);
    asker->task = &view->tasks[asker - asker->admin->askers];
    *asker->task = (struct admin_task){ .is_used = true, .keyspace = "*", .table = "*", .unit = unit, .total = total };
    snprintf(asker->task->kind, sizeof(asker->task->kind), "%s", kind);
    new_timeuuid(&asker->admin->clock->base, asker->task->id);
    pthread_mutex_unlock(&view->lock);
}

static void end_task(struct asker *asker)
{
    struct admin_view *view = asker->admin->view;

    pthread_mutex_lock(&view->lock);
    if (asker->task)
        asker->task->is_used = false;
    asker->task = NULL;
    pthread_mutex_unlock(&view->lock);
}

/* ---- telling ---- */

/* Whoever does not take it is told nothing more; the work goes on. One line whatever the message
 * holds: a line break would end it early. */
static void __attribute__((format(printf, 2, 3))) tell(struct asker *asker, const char *format, ...)
{
    char line[ADMIN_LINE_MAX];
    va_list list;
    int size;

    va_start(list, format);
    /* Cut where it is longer than a line may be. */
    size = vsnprintf(line, sizeof(line) - 1, format, list);
    va_end(list);
    if (size > (int)sizeof(line) - 2)
        size = (int)sizeof(line) - 2;
    for (int i = 0; i < size; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    assert(size >= 0 && size < (int)sizeof(line));
    line[size++] = '\n';
    if (!asker->is_deaf && send(asker->fd, line, (size_t)size, MSG_NOSIGNAL) != size)
        asker->is_deaf = true;
}

/* For the view and for who asked; only its own thread changes a task. */
static void advance(struct asker *asker, uint64_t done)
{
    struct admin_view *view = asker->admin->view;

    assert(asker->task && done <= asker->task->total);
    pthread_mutex_lock(&view->lock);
    asker->task->done = done;
    pthread_mutex_unlock(&view->lock);
    tell(asker, "progress %" PRIu64 " %" PRIu64 " %s", done, asker->task->total, asker->task->unit);
}

/* An operator gets the whole message: it is their data. */
static void tell_error(struct asker *asker, enum status status, const struct error *err)
{
    assert(status);
    tell(asker, "error %s", err->message[0] ? err->message : status_name(status));
}

/* ---- what can be asked ---- */

/* Shard after shard, so that writes elsewhere go on. */
static enum status flush(struct asker *asker, struct error *err)
{
    struct table_space *space = asker->admin->space;
    uint32_t count = table_space_shard_count(space);
    /* The first one that fails ends it. */
    enum status status = OK;

    for (uint32_t i = 0; i < count && !status; i++) {
        advance(asker, i);
        status = table_flush_shard(space, i, err);
        /* So that the bar reaches its end. */
    }
    if (!status)
        advance(asker, count);
    return status;
}

/* Each of the ask_ functions begins a task, works, and tells one line at its end. */
static void ask_flush(struct asker *asker)
{
    uint32_t shards = table_space_shard_count(asker->admin->space);
    struct error err = { 0 };
    enum status status;

    begin_task(asker, "flush", "shards", shards);
    status = flush(asker, &err);
    if (status)
        tell_error(asker, status, &err);
    else
        tell(asker, "done flushed: shards=%" PRIu32, shards);
}

/* A sweep is one round of all shards, so there is nothing to tell in between. */
static void ask_sweep(struct asker *asker)
{
    struct error err = { 0 };
    enum status status;

    begin_task(asker, "sweep", "rounds", 1);
    advance(asker, 0);
    status = table_sweep(asker->admin->space, &err);
    if (status) {
        tell_error(asker, status, &err);
        return;
    }
    advance(asker, 1);
    tell(asker, "done swept: shards=%" PRIu32, table_space_shard_count(asker->admin->space));
}

/* The tables that are meant: count 0 and NULL ids: all there are. By id, so that a table that is
 * dropped meanwhile is simply not there. */
struct chosen {
    const struct catalog_account *account;
    const char *name; /* without its account */
    uint64_t *ids;    /* owned */
    uint32_t count;
};

/* ACCOUNT/NAME, or a name of the default account. */
static enum status choose_account(struct admin *admin, const char *name, struct chosen *chosen, struct error *err)
{
    const char *slash = strchr(name, '/');

    /* None is made: an operator's slip names nobody. */
    chosen->name = slash ? slash + 1 : name;
    chosen->account = slash ? catalog_find_account(admin->catalog, bytes_of(name, (size_t)(slash - name)))
                            : catalog_account_default(admin->catalog);
    if (!chosen->account)
        return error_set(err, ERR_NOT_FOUND, "There is no account %.*s that has anything", (int)(slash - name), name);
    return OK;
}

/* A keyspace, or one table of it. Computed tables have nothing to compact. */
static enum status choose_tables(struct admin *admin, struct chosen *chosen, struct error *err)
{
    const char *name = chosen->name, *dot = strchr(name, '.');
    struct bytes keyspace_name = bytes_of(name, dot ? (size_t)(dot - name) : strlen(name));
    struct schema *schema = catalog_ref_schema(admin->catalog, chosen->account);
    const struct keyspace_def *keyspace = schema_keyspace(schema, keyspace_name);
    enum status status = OK;

    /* A name that is not there is told before any work is begun. */
    if (!keyspace)
        status = error_set(err, ERR_NOT_FOUND, "There is no keyspace %.*s", (int)keyspace_name.size,
                           (const char *)keyspace_name.data);
    else
        chosen->ids = xcalloc(keyspace->table_count + 1, sizeof(*chosen->ids));
    for (uint32_t i = 0; keyspace && i < keyspace->table_count; i++)
        if (!keyspace->tables[i]->virtual_table &&
            (!dot || bytes_equal(keyspace->tables[i]->name, bytes_of_string(dot + 1))))
            chosen->ids[chosen->count++] = keyspace->tables[i]->id;
    if (keyspace && dot && !chosen->count)
        status = error_set(err, ERR_NOT_FOUND, "There is no table %s that is stored", name);
    schema_unref(schema);
    return status;
}

static void name_task(struct asker *asker, const struct chosen *chosen)
{
    const char *name = chosen->name, *dot = strchr(name, '.');

    pthread_mutex_lock(&asker->admin->view->lock);
    /* From here on nobody else sees the task. */
    asker->task->account = chosen->account;
    snprintf(asker->task->keyspace, sizeof(asker->task->keyspace), "%.*s", dot ? (int)(dot - name) : (int)strlen(name),
             name);
    if (dot)
        snprintf(asker->task->table, sizeof(asker->task->table), "%s", dot + 1);
    pthread_mutex_unlock(&asker->admin->view->lock);
}

/* Of each table that is meant by itself, or of all at once, in every shard: one compaction each. */
static enum status compact(struct asker *asker, const struct chosen *chosen, uint32_t count, struct error *err)
{
    struct table_space *space = asker->admin->space;
    uint32_t shards = table_space_shard_count(space);
    enum status status = OK;

    assert(asker->task && count == asker->task->total);
    for (uint32_t i = 0; i < count && !status; i++) {
        advance(asker, i);
        status = table_compact_shard(space, i % shards, chosen->ids ? chosen->ids[i / shards] : 0, err);
    }
    if (!status)
        advance(asker, count);
    return status;
}

static void ask_compact(struct asker *asker, const char *name)
{
    uint32_t shards = table_space_shard_count(asker->admin->space), count;
    struct chosen chosen = { 0 };
    struct error err = { 0 };
    enum status status = *name ? choose_account(asker->admin, name, &chosen, &err) : OK;

    if (!status && *name)
        status = choose_tables(asker->admin, &chosen, &err);
    if (status) {
        /* Told before a task is shown. */
        tell_error(asker, status, &err);
        free(chosen.ids);
        return;
    }
    count = shards * (chosen.ids ? chosen.count : 1);
    begin_task(asker, "compaction", "compactions", count);
    if (*name)
        name_task(asker, &chosen);
    status = compact(asker, &chosen, count, &err);
    if (status)
        tell_error(asker, status, &err);
    else if (*name)
        tell(asker, "done compacted: %s tables=%" PRIu32 " shards=%" PRIu32, name, chosen.count, shards);
    else
        tell(asker, "done compacted: shards=%" PRIu32, shards);
    free(chosen.ids);
}

/* ---- snapshot: a stage of links, for operate.c to copy ---- */
/* ---- snapshot ---- */

static void stage_path(const struct admin *admin, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" ADMIN_STAGE, admin->directory);
}

/* Also at a start: one that was left by a crash would hold its files for ever. */
static enum status remove_stage(const struct admin *admin, struct error *err)
{
    char path[PATH_MAX];

    stage_path(admin, path);
    return tree_remove(path, err);
}

/* Flushed before owners stand still, so that little is left for the moment in which they do: how
 * long writes waited is logged. */
static enum status make_stage(struct asker *asker, struct error *err)
{
    struct admin *admin = asker->admin;
    char path[PATH_MAX];
    /* What a snapshot before this one left would be in its way. */
    int64_t stood_us;
    enum status status = remove_stage(admin, err);

    stage_path(admin, path);
    if (!status && mkdir(path, 0700) < 0)
        status = error_set_os(err, errno, "%s", path);
    if (!status)
        status = flush(asker, err); /* so that there is little to copy while owners stand */
    if (!status)
        status = table_checkpoint(admin->space, path, &stood_us, err);
    if (!status)
        log_info("control", "snapshot writes_waited_us=%" PRId64, stood_us);
    return status;
}

/* Until the asker has copied it, or is gone, or we stop. Its line, or the end of the connection,
 * makes the descriptor readable. */
static void wait_for_end(struct asker *asker)
{
    /* poll, so that a stop wakes it as well. */
    struct pollfd fds[] = { { .fd = asker->fd, .events = POLLIN }, { .fd = asker->admin->stop_fd, .events = POLLIN } };

    while (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
        ;
}

/* One at a time: each has the same place. */
static void ask_snapshot(struct asker *asker)
{
    struct admin *admin = asker->admin;
    struct error err = { 0 };
    enum status status;

    if (atomic_exchange(&admin->snapshots, true)) {
        tell(asker, "error another snapshot is under way");
        return;
    }
    begin_task(asker, "snapshot", "shards", table_space_shard_count(admin->space));
    status = make_stage(asker, &err);
    if (status) {
        tell_error(asker, status, &err);
    } else {
        tell(asker, "done " ADMIN_STAGE);
        wait_for_end(asker);
    }
    /* A stage that stays costs disk space: it goes with the next snapshot or start. */
    if (remove_stage(admin, &err))
        log_warn("control", "a snapshot's files can't be removed status=%s", status_name(err.status));
    atomic_store(&admin->snapshots, false);
}

/* ---- clock ---- */

/* Only forwards, and only where a server was started for development: rows written meanwhile have
 * timestamps of the future. */
static enum status advance_clock(struct admin *admin, uint64_t seconds, struct error *err)
{
    if (!admin->may_advance)
        return error_set(err, ERR_INVALID, "only a server in developer mode (--dev) lets its clock be moved");
    if (seconds > ADMIN_ADVANCE_MAX_S || !clock_ahead_advance(admin->clock, (int64_t)seconds * 1000000))
        return error_set(err, ERR_INVALID, "this is too far ahead");
    log_warn("control", "the clock was moved ahead seconds=%" PRIu64, seconds);
    /* What has come due is swept before the answer, so that who asked sees all that time has
     * brought. */
    return table_sweep(admin->space, err);
}

/* The answer is the time that the server has now. */
static void ask_clock(struct asker *asker, const char *seconds)
{
    struct admin *admin = asker->admin;
    struct error err = { 0 };
    enum status status = *seconds ? advance_clock(admin, strtoull(seconds, NULL, 10), &err) : OK;
    time_t now_s = (time_t)(clock_realtime_us(&admin->clock->base) / 1000000);
    char text[64];
    struct tm utc;

    if (status) {
        tell_error(asker, status, &err);
        return;
    }
    gmtime_r(&now_s, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    tell(asker, "done at %s", text);
}

/* ---- missing ---- */

static void tell_count(void *context, const char *name, uint64_t count)
{
    tell(context, "count %" PRIu64 " %s", count, name);
}

/* A line for each name; there is a bound on both. */
static void ask_missing(struct asker *asker)
{
    struct api *api = asker->admin->api;

    if (!api) {
        tell(asker, "error this server serves no API of AWS");
        return;
    }
    api_each_unknown(api, tell_count, asker);
    tell(asker, "done told");
}

/* ---- tls ---- */

/* The same as a SIGHUP does, and the asker is told how it went. Both are logged: what is served
 * changed, or was meant to. */
static void ask_tls(struct asker *asker)
{
    struct tls *tls = asker->admin->tls;
    struct error err = { 0 };
    time_t until_s;
    char text[64];
    struct tm utc;

    if (!tls) {
        tell(asker, "error this server serves no TLS: it was started without --tls-certificate");
        return;
    }
    if (tls_reload(tls, &err)) {
        log_error("tls", "the certificate in use stays: %s", err.message);
        tell(asker, "error the certificate in use stays: %s", err.message);
        return;
    }
    until_s = (time_t)tls_until_s(tls);
    gmtime_r(&until_s, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    log_info("tls", "certificate read again until_s=%lld", (long long)until_s);
    tell(asker, "done served with the certificate as it is now, until %s", text);
}

/* ---- asking ---- */

/* The socket's mode keeps others out already; this holds also where a directory's modes were
 * changed. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    /* The kernel says who connected, whatever that process says of itself. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

/* NUL-terminated, without its end of line. False: too long, or nothing came in time. */
static bool read_line(int fd, char line[ADMIN_LINE_MAX])
{
    size_t size = 0;

    while (size < ADMIN_LINE_MAX) {
        ssize_t got = recv(fd, line + size, ADMIN_LINE_MAX - size, 0);
        char *end;

        if (got <= 0)
            return false;
        size += (size_t)got;
        end = memchr(line, '\n', size);
        if (end) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

/* ---- password ---- */

/* Asked by who may read the data directory anyway, so it gives nothing that they could not take.
 * The way back for who has lost all passwords, and the way to the first role. Neither the name nor
 * the password is logged. */
static void ask_password(struct asker *asker, const char *user)
{
    char password[PASSWORD_GENERATED_BYTES + 1];
    struct error err;

    if (!asker->admin->auth) {
        tell(asker, "error this server has no roles: --auth roles");
        return;
    }
    password_generate(password);
    if (auth_rescue(asker->admin->auth, bytes_of_string(user), bytes_of_string(password), &err)) {
        tell(asker, "error %s", err.message);
    } else {
        log_info("control", "a role has a new password");
        tell(asker, "done %s", password);
    }
    OPENSSL_cleanse(password, sizeof(password));
}

/* A table would need one shape for all questions; there are a few, and they have arguments of their
 * own. */
static void answer(struct asker *asker)
{
    char line[ADMIN_LINE_MAX];

    /* The line is read also of who is refused: what is not read when we close takes our answer
     * away. */
    if (!read_line(asker->fd, line)) {
        tell(asker, "error no line was sent");
    } else if (!is_allowed(asker->fd)) {
        log_warn("control", "refused: neither root nor the server's user");
        tell(asker, "error only root and the server's own user may ask");
    } else if (strcmp(line, "flush") == 0) {
        ask_flush(asker);
    } else if (strcmp(line, "sweep") == 0) {
        ask_sweep(asker);
    } else if (strcmp(line, "compact") == 0) {
        ask_compact(asker, "");
    } else if (strncmp(line, "compact ", 8) == 0 && line[8]) {
        ask_compact(asker, line + 8);
    } else if (strcmp(line, "snapshot") == 0) {
        ask_snapshot(asker);
    } else if (strcmp(line, "missing") == 0) {
        ask_missing(asker);
    } else if (strcmp(line, "tls reload") == 0) {
        ask_tls(asker);
    } else if (strncmp(line, "password ", 9) == 0 && line[9]) {
        ask_password(asker, line + 9);
    } else if (strcmp(line, "clock") == 0) {
        ask_clock(asker, "");
    } else if (strncmp(line, "clock ", 6) == 0 && line[6] && !line[6 + strspn(line + 6, "0123456789")]) {
        ask_clock(asker, line + 6);
    } else {
        tell(asker, "error this server does not know what is asked");
    }
}

static void *serve_asker(void *context)
{
    struct asker *asker = context;

    pthread_setname_np(pthread_self(), "control-ask");
    assert(!asker->ended && asker->admin);
    answer(asker);
    end_task(asker);
    close(asker->fd);
    atomic_store(&asker->ended, true);
    return NULL;
}

/* ---- accepting ---- */

/* Threads are joined by the acceptor when the next one comes, so that none is left at the end and
 * places are free again. */
static void join_ended(struct admin *admin)
{
    for (int i = 0; i < ADMIN_ASKED_MAX; i++)
        if (admin->askers[i].is_used && atomic_load(&admin->askers[i].ended)) {
            pthread_join(admin->askers[i].thread, NULL);
            admin->askers[i].is_used = false;
        }
}

/* No more at once than have a place: they share the disk. */
static void take(struct admin *admin, int fd)
{
    static const char busy[] = "error too much is under way: try again\n";
    struct timeval limit = { .tv_sec = ASK_S };
    struct asker *asker = NULL;

    /* A peer that says nothing, or takes nothing, does not hold its place for ever. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    for (int i = 0; i < ADMIN_ASKED_MAX && !asker; i++)
        if (!admin->askers[i].is_used)
            asker = &admin->askers[i];
    if (asker) {
        *asker = (struct asker){ .admin = admin, .fd = fd };
        asker->is_used = pthread_create(&asker->thread, NULL, serve_asker, asker) == 0;
    }
    if (asker && asker->is_used)
        return;
    /* It is told so, and may try again. */
    if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL) < 0)
        log_warn("control", "too much is under way");
    close(fd);
}

/* poll waits for both, so that a stop is seen at once. */
static void *accept_askers(void *context)
{
    struct admin *admin = context;
    struct pollfd fds[] = { { .fd = admin->listen_fd, .events = POLLIN }, { .fd = admin->stop_fd, .events = POLLIN } };

    pthread_setname_np(pthread_self(), "control");
    for (;;) {
        /* Interrupted by a signal. */
        if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
            continue;
        /* Places of those who have ended are free from here on. */
        join_ended(admin);
        if (fds[1].revents)
            return NULL;
        if (fds[0].revents) {
            int fd = accept4(admin->listen_fd, NULL, NULL, SOCK_CLOEXEC);

            if (fd >= 0)
                take(admin, fd);
            else if (errno == EMFILE || errno == ENFILE)
                usleep(100000); /* it stays readable */
        }
    }
}

/* ---- life ---- */

/* By the descriptor of its directory: a socket's path has 107 bytes at most. A socket of an earlier
 * run is removed, which is safe as the directory is locked. */
static enum status listen_in(struct admin *admin, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int directory_fd = open(admin->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool listens = false;

    if (directory_fd < 0)
        return error_set_os(err, errno, "%s", admin->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" ADMIN_SOCKET, directory_fd);
    admin->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The name is removed first, as bind does not replace one. */
    if (admin->listen_fd >= 0 && (unlink(address.sun_path) == 0 || errno == ENOENT))
        listens = fchmod(admin->listen_fd, 0600) == 0 && /* before it has a name */
                  bind(admin->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                  listen(admin->listen_fd, BACKLOG) == 0;
    if (!listens)
        error_set_os(err, errno, "cannot make the control socket %s/" ADMIN_SOCKET, admin->directory);
    close(directory_fd);
    return listens ? OK : err->status;
}

/* The stage of an earlier run goes first. */
enum status admin_open(const struct admin_options *options, struct admin **result, struct error *err)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));
    enum status status;
    int failed;

    assert(options->space && options->catalog && options->view && options->clock);
    *admin = (struct admin){ .clock = options->clock,
                             .may_advance = options->may_advance,
                             .directory = options->directory,
                             .space = options->space,
                             .catalog = options->catalog,
                             .view = options->view,
                             .api = options->api,
                             .tls = options->tls,
                             .auth = options->auth,
                             .listen_fd = -1 };
    admin->stop_fd = eventfd(0, EFD_CLOEXEC);
    /* Before anybody can ask for another. */
    status = admin->stop_fd < 0 ? error_set_os(err, errno, "eventfd") : remove_stage(admin, err);
    if (!status)
        status = listen_in(admin, err);
    if (!status) {
        failed = pthread_create(&admin->thread, NULL, accept_askers, admin);
        if (failed)
            status = error_set_os(err, failed, "cannot start the control thread");
        admin->thread_runs = !failed;
    }
    if (status) {
        admin_close(admin);
        return status;
    }
    *result = admin;
    return OK;
}

/* Compactions are told to stop, as they may take hours; what else is asked ends by itself, and is
 * waited for. */
void admin_close(struct admin *admin)
{
    char path[PATH_MAX];
    uint64_t one = 1;

    if (!admin)
        return;
    if (admin->thread_runs) {
        /* Without this the thread could never be joined. */
        if (write(admin->stop_fd, &one, sizeof(one)) < 0)
            abort();
        pthread_join(admin->thread, NULL);
        table_stop_compactions(admin->space);
        for (int i = 0; i < ADMIN_ASKED_MAX; i++)
            if (admin->askers[i].is_used)
                pthread_join(admin->askers[i].thread, NULL);
        /* Nobody can ask any more, so the name goes. */
        snprintf(path, sizeof(path), "%s/" ADMIN_SOCKET, admin->directory);
        unlink(path);
    }
    if (admin->listen_fd >= 0)
        close(admin->listen_fd);
    if (admin->stop_fd >= 0)
        close(admin->stop_fd);
    free(admin);
}

/* The simulation: seeds are run, one after another; what a seed answered is held to the model; a seed that fails is run again and shrinks.
 * README.md says how it works.
 *
 *     sim [--store memory|rocksdb] [--seeds N] [--first N] [--asks N] [--jobs N]     many seeds; each fifth on RocksDB, if no store is named
 *     sim --seed N [--store S] [--trace]                                            one; it is made smaller if it fails
 *     --as-it-is: what fails is told, and not made smaller
 */
#include "disk.h"
#include "fiber.h"
#include "history.h"
#include "workload.h"
#include "reply.h"
#include "world.h"

#include "base/log.h"
#include "base/memory.h"
#include "row/semantics.h"
#include "store/files/files.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGES_MAX = 12, WORDS_MAX = 16384 };

struct options {
    enum { BOTH, MEMORY, ROCKSDB } store;
    bool traces, only_says;
    uint64_t first, seeds, seed;
    bool one;
    uint32_t asks, jobs;
};

/* One seed. */
struct run {
    const struct workload *plan;
    const bool *left_out; /* by event; NULL: none */
    struct world *world;
    struct history *history;
    uint64_t schedule;
    bool traces;
    int64_t moved_s; /* time was moved by so much since all requests were answered */
    bool gate_is_open, was_refused;
    uint32_t asking; /* sessions that have something under way */
    uint32_t sessions_left;
    uint32_t done; /* events before this one are done, or will be by others */
    bool is_done[EVENTS_MAX];
    uint64_t harms; /* how often something was done that an error may come of */
    bool harmed_lastingly;
    char *words; /* owned: what was wrong; NULL: nothing yet */
    uint32_t too_open;
};

static void blame(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void blame(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (run->words)
        return;
    va_start(arguments, format);
    if (vasprintf(&run->words, format, arguments) < 0)
        abort();
    va_end(arguments);
}

static void trace(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void trace(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (!run->traces)
        return;
    printf("%7llu %-10s ", (unsigned long long)sim_steps(), fiber_name());
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* ---- asking ---- */

static bool is_nothing(enum status status)
{
    switch (status) {
    case ERR_OVERLOADED:
    case ERR_WRITE_FAILURE:
    case ERR_BOOTSTRAPPING:
    case ERR_SYNTAX:
    case ERR_INVALID:
    case ERR_CONFIG:
    case ERR_ALREADY_EXISTS:
    case ERR_UNPREPARED: return true;
    default: return false;
    }
}

/* What is refused without harm is a fault of the server, but for what the plan knows may be refused. */
static void check_refusal(struct run *run, const struct event *event, const struct ask *ask, uint64_t harms,
                          struct operation *operation)
{
    const struct features *features = &run->plan->features;
    bool may_lack = event->uses_b && features->alters;
    bool may_be_gone = ask->status == ERR_UNPREPARED && (features->alters || features->definitions || features->drops);
    bool may_lack_u = features->drops && strstr(event->text, "k.u") &&
                      (ask->status == ERR_INVALID || ask->status == ERR_CONFIG || ask->status == ERR_ALREADY_EXISTS);

    if (ask->status == ERR_INVALID && (may_lack || event->has_place))
        return;
    if (may_be_gone || may_lack_u || run->harmed_lastingly || run->harms != harms)
        return;
    blame(run, "#%u was refused for no reason: %s: %s\n  %s\n", operation->event, status_name(ask->status),
          ask->message, event->text);
}

static void set_now(struct operation *operation, int64_t now_us)
{
    for (uint32_t i = 0; i < operation->part_count; i++) {
        operation->parts[i].write.now_s = now_us / 1000000;
        operation->parts[i].read.now_s = now_us / 1000000;
    }
}

static struct operation *begin_operation(struct run *run, uint32_t index)
{
    const struct event *event = &run->plan->events[index];
    struct operation *operation = history_begin(run->history, index);

    operation->whole = event->whole;
    operation->part_count = event->part_count;
    memcpy(operation->parts, event->parts, event->part_count * sizeof(operation->parts[0]));
    snprintf(operation->text, sizeof(operation->text), "%s", event->text);
    return operation;
}

static void say_shown(struct operation *operation)
{
    FILE *out = fmemopen(operation->answered, sizeof(operation->answered) - 1, "w");

    for (uint32_t i = 0; i < operation->part_count; i++) {
        model_print_shown(out, &operation->parts[i].shown, operation->parts[i].read.columns);
        fprintf(out, "%s; ", operation->parts[i].has_more ? " ..." : "");
    }
    fclose(out);
}

/* An event's request, and what it is made of. */
struct asking {
    struct ask ask;
    char text[sizeof(((struct event *)NULL)->text)];
    uint8_t bytes[VALUES_MAX][8];
    uint32_t sizes[VALUES_MAX];
    struct bytes values[VALUES_MAX];
};

static struct asking *asking_new(const struct event *event)
{
    struct asking *asking = xmalloc(sizeof(*asking));

    asking->ask = (struct ask){
        .loop = event->session % LOOPS, .text = event->text, .prepared = event->prepared, .page_size = event->page_size
    };
    if (!event->bound)
        return asking;
    asking->ask.text = asking->text;
    asking->ask.value_count = event_bind(event, asking->text, asking->bytes, asking->sizes);
    asking->ask.values = asking->values;
    for (uint32_t i = 0; i < asking->ask.value_count; i++)
        asking->values[i] = bytes_of(asking->bytes[i], asking->sizes[i]);
    return asking;
}

static void asking_free(struct asking *asking)
{
    buffer_fini(&asking->ask.reply);
    free(asking);
}

/* Where the pages of a read have come to. */
struct reading {
    struct model_read rest; /* of one partition: what the next page is to show */
    int32_t p, c;           /* of a scan: its last row; p -1: it has not begun */
};

/* Partitions in the order in which a scan meets them: that of their tokens. */
static int32_t rank_of(int32_t p)
{
    return p < 0 ? -1 : KEY_FROM + PARTITIONS - p;
}

/* What a page of a scan tells of each partition: all of it, or what lies before or behind a place, or nothing. */
static void divide_scan(const struct event *event, const struct reading *reading, const struct reply *reply,
                        struct operation *operation)
{
    operation->part_count = 0;
    for (uint32_t i = 0; i < event->part_count; i++) {
        struct part *part = &operation->parts[operation->part_count];
        int32_t p = KEY_FROM + (int32_t)(event->parts[i].lane % PARTITIONS);

        if (rank_of(p) < rank_of(reading->p) || (p == reading->p && reading->c < 0))
            continue;
        if (reply->has_more && rank_of(p) > rank_of(reply->last_p))
            continue;
        *part = event->parts[i];
        if (p == reading->p) {
            part->read.from = reading->c + 1;
            part->read.whole = false;
        }
        part->shown = reply->shown[p];
        part->has_more = reply->has_more && p == reply->last_p;
        operation->part_count++;
    }
}

/* False: there is no next page. */
static bool go_on(struct reading *reading, const struct event *event, const struct reply *reply)
{
    struct model_read *rest = &reading->rest;

    if (!reply->has_more)
        return false;
    if (event->is_scan) {
        reading->p = reply->row_count ? reply->last_p : reading->p;
        reading->c = reply->row_count ? reply->last_c : reading->c;
        return true;
    }
    if (reply->last_c >= 0 && rest->reversed)
        rest->to = reply->last_c - 1;
    else if (reply->last_c >= 0)
        rest->from = reply->last_c + 1;
    rest->whole &= !reply->row_count;
    if (!rest->limit)
        return true;
    rest->limit -= reply->row_count;
    return rest->limit > 0;
}

/* Each page is a read of its own: of what follows the page before. False: it was the last one. */
static bool read_page(struct run *run, uint32_t index, struct ask *ask, struct reading *reading, struct reply *reply)
{
    const struct event *event = &run->plan->events[index];
    struct operation *operation = begin_operation(run, index);
    uint64_t harms = run->harms;

    world_ask(run->world, ask);
    if (ask->status) {
        snprintf(operation->answered, sizeof(operation->answered), "%s: %s", status_name(ask->status), ask->message);
        check_refusal(run, event, ask, harms, operation);
        history_end(run->history, operation, ANSWER_NOTHING);
        trace(run, "#%u %s -> %s", index, event->text, operation->answered);
        return false;
    }
    if (!reply_decode(ask->reply.data, (uint32_t)ask->reply.size, reply) || !reply->is_rows ||
        (reply->has_more && !event->page_size) || (event->page_size && reply->row_count > (uint32_t)event->page_size)) {
        blame(run, "#%u has a reply that can't be: %s\n", index, event->text);
        history_end(run->history, operation, ANSWER_NOTHING);
        return false;
    }
    if (event->is_scan) {
        divide_scan(event, reading, reply, operation);
    } else {
        operation->parts[0].read = reading->rest;
        operation->parts[0].shown = reply->shown[KEY_FROM + operation->parts[0].lane % PARTITIONS];
        operation->parts[0].has_more = reply->has_more;
    }
    set_now(operation, ask->now_us);
    say_shown(operation);
    history_end(run->history, operation, ANSWER_DONE);
    trace(run, "#%u %s -> %s", index, event->text, operation->answered);
    return go_on(reading, event, reply);
}

static void do_read(struct run *run, uint32_t index)
{
    const struct event *event = &run->plan->events[index];
    struct asking *asking = asking_new(event);
    struct reading reading = { .rest = event->parts[0].read, .p = -1 };
    struct reply *reply = xmalloc(sizeof(*reply));
    uint8_t paging[PAGING_MAX];

    for (uint32_t page = 0; read_page(run, index, &asking->ask, &reading, reply); page++) {
        memcpy(paging, reply->paging, reply->paging_size);
        asking->ask.paging_state = bytes_of(paging, reply->paging_size);
        if (page == PAGES_MAX) {
            blame(run, "#%u never ends: %s\n", index, event->text);
            break;
        }
    }
    free(reply);
    asking_free(asking);
}

static void do_write(struct run *run, uint32_t index)
{
    const struct event *event = &run->plan->events[index];
    struct operation *operation = begin_operation(run, index);
    struct asking *asking = asking_new(event);
    struct ask *ask = &asking->ask;
    struct part *part = &operation->parts[0];
    uint64_t harms = run->harms;
    enum answer answer = ANSWER_DONE;

    world_ask(run->world, ask);
    set_now(operation, ask->now_us);
    for (uint32_t i = 0; i < operation->part_count; i++)
        operation->parts[i].outcome = OUTCOME_APPLIED;
    if (ask->status) {
        run->was_refused = true;
        check_refusal(run, event, ask, harms, operation);
        answer = is_nothing(ask->status) ? ANSWER_NOTHING : ANSWER_UNKNOWN;
        if (answer == ANSWER_UNKNOWN)
            for (uint32_t i = 0; i < operation->part_count; i++)
                operation->parts[i].outcome = OUTCOME_ANY;
        if (ask->status == ERR_INVALID && event->has_place && strstr(ask->message, "ist")) {
            answer = ANSWER_DONE;
            part->outcome = OUTCOME_NO_PLACE;
        }
        snprintf(operation->answered, sizeof(operation->answered), "%s: %s", status_name(ask->status), ask->message);
    } else if (part->write.condition_count) {
        struct reply *reply = xmalloc(sizeof(*reply));

        if (!reply_decode(ask->reply.data, (uint32_t)ask->reply.size, reply) || !reply->is_condition)
            blame(run, "#%u has a reply that can't be read: %s\n", index, event->text);
        part->outcome = reply->applied ? OUTCOME_APPLIED : OUTCOME_REFUSED;
        if (part->write.condition_count == 1)
            part->seen = reply->seen;
        snprintf(operation->answered, sizeof(operation->answered), "%s",
                 reply->applied        ? "applied"
                 : !reply->seen.known  ? "not applied"
                 : reply->seen.is_null ? "not applied: null"
                                       : "not applied");
        free(reply);
    } else {
        snprintf(operation->answered, sizeof(operation->answered), "done");
    }
    history_end(run->history, operation, answer);
    trace(run, "#%u %s -> %s", index, event->text, operation->answered);
    asking_free(asking);
}

struct session {
    struct run *run;
    uint32_t number;
};

static void finish_event(struct run *run, uint32_t index)
{
    run->is_done[index] = true;
    while (run->done < run->plan->count && (run->is_done[run->done] || (run->left_out && run->left_out[run->done])))
        run->done++;
}

/* Between two requests a session may wait; who was refused does, or all that is left would be refused before the disk is tried again. */
static void think(struct run *run)
{
    if (run->was_refused && sim_draw(4))
        fiber_sleep((int64_t)sim_draw(3000000));
    else if (sim_draw(16) == 0)
        fiber_sleep((int64_t)sim_draw(sim_draw(4) ? 20000 : 12000000));
    run->was_refused = false;
}

static void run_session(void *context)
{
    struct session *session = context;
    struct run *run = session->run;

    for (uint32_t i = 0; i < run->plan->count; i++) {
        const struct event *event = &run->plan->events[i];

        if (event->kind != EVENT_ASK || event->session != session->number || (run->left_out && run->left_out[i]))
            continue;
        while (!run->gate_is_open)
            fiber_wait_flag(&run->gate_is_open);
        run->asking++;
        if (!run->words) {
            trace(run, "#%u %s ...", i, event->text);
            if (event->ask == ASK_READ)
                do_read(run, i);
            else
                do_write(run, i);
        }
        run->asking--;
        finish_event(run, i);
        think(run);
    }
    run->sessions_left--;
}

/* ---- what happens ---- */

static void quiet(struct run *run)
{
    run->gate_is_open = false;
    while (run->asking)
        fiber_sleep(100);
}

enum ending { BY_CUT, BY_KILL, IN_ORDER };

static void start_anew(struct run *run, enum ending ending)
{
    struct disk *disk = world_disk(run->world);
    struct file_system *files = world_files(run->world);
    struct error err;
    enum status status;

    if (ending != IN_ORDER) {
        for (uint64_t i = sim_draw(40); i; i--)
            fiber_yield();
        run->harmed_lastingly = true;
        run->harms++;
    }
    if (ending == BY_CUT) {
        trace(run, "the power goes");
        disk_cut(disk);
        if (files)
            forgetful_cut(files);
    }
    if (ending == BY_KILL) { /* what was written and not yet synced is there, and is not synced by closing */
        trace(run, "the process is killed");
        if (files)
            forgetful_fail_sync(files, true);
    }
    quiet(run);
    world_close(run->world);
    disk_fail_writes(disk, 0, 0, 0);
    if (files) {
        forgetful_capacity(files, UINT64_MAX);
        forgetful_fail_sync(files, false);
    }
    if (ending == BY_CUT && files)
        forgetful_restart(files, sim_draw(2));
    if (ending == BY_CUT)
        disk_restore(disk);
    status = world_open(run->world, &err);
    if (status) {
        blame(run, "the server did not start: %s: %s\n", status_name(status), err.message);
        fprintf(stderr, "%s", run->words);
        abort();
    }
    run->harmed_lastingly = false;
    run->harms++;
    history_restarted(run->history);
    trace(run, "started anew");
    run->gate_is_open = true;
}

/* No request lives for as long as compaction leaves what has expired (row/semantics.h): before time has moved so far since some may have
 * begun, all of them are answered. */
static void let_go_on(struct run *run, int64_t seconds)
{
    run->moved_s += seconds > 0 ? seconds : 0;
    if (run->moved_s <= PURGE_AFTER_S * 3 / 4)
        return;
    quiet(run);
    run->gate_is_open = true;
    run->moved_s = 0;
}

static void advance(struct run *run, int64_t seconds)
{
    let_go_on(run, seconds);
    sim_advance(seconds * 1000000);
}

static void harm_disk(struct run *run, const struct event *event)
{
    struct disk *disk = world_disk(run->world);
    struct file_system *files = world_files(run->world);

    run->harmed_lastingly = true;
    run->harms++;
    if (event->kind == EVENT_FAIL) {
        disk_fail_writes(disk, (uint32_t)event->amount, 1, (uint32_t)sim_draw(3));
        return;
    }
    if (event->kind == EVENT_FULL)
        forgetful_capacity(files, forgetful_used(files) + sim_draw(2000));
    else
        forgetful_fail_sync(files, true);
    fiber_sleep((int64_t)sim_draw(3000000));
    forgetful_capacity(files, UINT64_MAX);
    forgetful_fail_sync(files, false);
}

static void happen(struct run *run, const struct event *event)
{
    struct error err;

    switch (event->kind) {
    case EVENT_ASK: abort();
    case EVENT_ADVANCE: advance(run, event->amount); break;
    case EVENT_CLOCK:
        let_go_on(run, event->amount);
        sim_move_realtime(event->amount * 1000000);
        break;
    case EVENT_COLD: disk_set_cold(world_disk(run->world), (uint32_t)event->amount); break;
    case EVENT_FAIL:
    case EVENT_FULL:
    case EVENT_SYNC_FAIL: harm_disk(run, event); break;
    case EVENT_CUT: start_anew(run, BY_CUT); break;
    case EVENT_KILL: start_anew(run, BY_KILL); break;
    case EVENT_RESTART: start_anew(run, IN_ORDER); break;
    case EVENT_SWEEP: (void)world_sweep(run->world, &err); break;
    case EVENT_FLUSH: (void)world_flush(run->world, &err); break;
    case EVENT_COMPACT:
        advance(run, event->amount);
        (void)world_compact(run->world, &err);
        break;
    }
}

static void run_happenings(struct run *run)
{
    for (uint32_t i = 0; i < run->plan->count; i++) {
        const struct event *event = &run->plan->events[i];

        if (event->kind == EVENT_ASK || (run->left_out && run->left_out[i]))
            continue;
        while (run->done + 2 * run->plan->sessions < event->after && run->done < i && run->sessions_left && !run->words)
            fiber_sleep(300);
        trace(run, "#%u:", i);
        if (run->traces)
            event_print(stdout, run->plan, i);
        happen(run, event);
        finish_event(run, i);
    }
}

/* ---- a seed ---- */

static bool define(struct run *run)
{
    bool ok = true;

    for (uint32_t i = 0; workload_definitions[i] && ok; i++) {
        char text[600];
        struct ask ask = { .text = text };

        snprintf(text, sizeof(text), workload_definitions[i], (long long)run->plan->grace_s);
        world_ask(run->world, &ask);
        ok = !ask.status;
        if (!ok)
            blame(run, "%s: %s: %s\n", text, status_name(ask.status), ask.message);
        buffer_fini(&ask.reply);
    }
    return ok;
}

/* Everything is read once more, with nothing in the way. */
static void read_all(struct run *run)
{
    struct workload *last = xmalloc(sizeof(*last));
    const struct workload *plan = run->plan;

    memcpy(last, plan, offsetof(struct workload, events));
    run->plan = last;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        struct event *event = &last->events[last->count];
        bool counts = lane >= LANE_N;

        if (lane % PARTITIONS >= plan->partitions)
            continue;
        memset(event, 0, sizeof(*event));
        event->part_count = 1;
        event->parts[0] =
            (struct part){ .lane = lane,
                           .is_read = true,
                           .read = { .to = ROWS - 1,
                                     .whole = true,
                                     .columns = counts ? WITH_X | WITH_Y
                                                       : WITH_S | WITH_A | WITH_MAP | WITH_SET | WITH_LIST |
                                                             (plan->features.alters ? 0 : WITH_B) } };
        snprintf(event->text, sizeof(event->text), "SELECT p, c, %s FROM k.%c WHERE p = %u",
                 counts                  ? "x, y"
                 : plan->features.alters ? "s, a, m, e, l"
                                         : "s, a, b, m, e, l",
                 "tun"[lane / PARTITIONS], KEY_FROM + lane % PARTITIONS);
        do_read(run, last->count);
    }
    run->plan = plan;
    free(last);
}

static void run_seed(void *context)
{
    struct run *run = context;
    const struct workload *plan = run->plan;
    struct session sessions[SESSIONS_MAX];
    struct fiber *fibers[SESSIONS_MAX];
    struct error err;
    enum status status;

    run->world = world_new(&(struct world_options){ .on_rocksdb = plan->on_rocksdb,
                                                    .shards = plan->shards,
                                                    .seed = plan->seed,
                                                    .row_cache_bytes = plan->row_cache_bytes,
                                                    .chunk_rows = plan->chunk_rows });
    status = world_open(run->world, &err);
    if (status) {
        fprintf(stderr, "the server did not start: %s: %s\n", status_name(status), err.message);
        abort();
    }
    if (define(run)) {
        run->gate_is_open = true;
        run->sessions_left = plan->sessions;
        for (uint32_t i = 0; i < plan->sessions; i++) {
            char name[16];

            snprintf(name, sizeof(name), "session %u", i);
            sessions[i] = (struct session){ run, i };
            fibers[i] = fiber_start(name, run_session, &sessions[i]);
        }
        run_happenings(run);
        for (uint32_t i = 0; i < plan->sessions; i++)
            fiber_join(fibers[i]);
        disk_set_cold(world_disk(run->world), 0);
        if (!run->words)
            start_anew(run, plan->features.cuts ? BY_CUT : IN_ORDER);
        if (!run->words)
            read_all(run);
    }
    world_close(run->world);
    world_free(run->world);
}

/* Words of what was wrong (the caller's to free), or NULL. */
static char *try_plan(const struct workload *plan, const bool *left_out, uint64_t schedule, bool traces,
                      uint64_t *digest, uint32_t *too_open)
{
    struct run run = {
        .plan = plan, .left_out = left_out, .history = history_new(), .schedule = schedule, .traces = traces
    };

    fibers_run(schedule, plan->switch_one_in, plan->step_us_max, run_seed, &run);
    if (digest)
        *digest = sim_digest();
    if (!run.words)
        run.words = history_check(run.history, &run.too_open);
    if (too_open)
        *too_open += run.too_open;
    if (traces && run.words)
        history_print(stdout, run.history);
    history_free(run.history);
    return run.words;
}

/* ---- in a process of its own: it may end in an assertion ---- */

struct verdict {
    bool failed;
    char words[WORDS_MAX];
    uint64_t digest;
};
static struct verdict *verdict; /* shared with the child */

static bool try_apart(const struct workload *plan, const bool *left_out, uint64_t schedule, bool traces)
{
    pid_t child;
    int status;

    memset(verdict, 0, sizeof(*verdict));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        char *words;

        if (!traces && !freopen("/dev/null", "w", stderr))
            _exit(2);
        words = try_plan(plan, left_out, schedule, traces, &verdict->digest, NULL);
        if (words)
            snprintf(verdict->words, sizeof(verdict->words), "%s", words);
        fflush(stdout);
        _exit(words ? 1 : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    verdict->failed = status != 0;
    if (WIFSIGNALED(status))
        snprintf(verdict->words, sizeof(verdict->words), "it ended by signal %d (%s), in an assertion or worse\n",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    return verdict->failed;
}

/* ---- shrinking: what can be left out is, in ever smaller pieces ---- */

enum { SCHEDULES = 12, TRIES_MAX = 3000 };

static bool still_fails(const struct workload *plan, const bool *left_out, uint64_t *schedule)
{
    for (uint64_t i = 0; i < SCHEDULES; i++) {
        uint64_t other = i ? *schedule + i : *schedule;

        if (try_apart(plan, left_out, other, false)) {
            *schedule = other;
            return true;
        }
    }
    return false;
}

static void shrink(const struct workload *plan, uint64_t schedule)
{
    static bool left_out[EVENTS_MAX], tried[EVENTS_MAX];
    uint32_t left = plan->count, tries = 0;
    time_t until = time(NULL) + 60;

    memset(left_out, 0, sizeof(left_out));
    for (uint32_t size = (plan->count + 1) / 2; size; size /= 2) {
        bool any = true;

        while (any && tries < TRIES_MAX && time(NULL) < until) {
            any = false;
            for (uint32_t from = 0; from < plan->count && time(NULL) < until; from += size) {
                uint32_t more = 0;

                memcpy(tried, left_out, sizeof(tried));
                for (uint32_t i = from; i < from + size && i < plan->count; i++) {
                    more += !tried[i];
                    tried[i] = true;
                }
                if (!more)
                    continue;
                tries++;
                if (still_fails(plan, tried, &schedule)) {
                    memcpy(left_out, tried, sizeof(left_out));
                    left -= more;
                    any = true;
                }
            }
        }
    }
    printf("---- shrunk from %u events to %u (schedule %llu):\n", plan->count, left, (unsigned long long)schedule);
    for (uint32_t i = 0; i < plan->count; i++)
        if (!left_out[i])
            event_print(stdout, plan, i);
    printf("---- what happens then:\n");
    try_apart(plan, left_out, schedule, true);
    printf("%s", verdict->words);
}

/* ---- seeds ---- */

enum { ROCKSDB_ONE_IN = 5 };

/* Without a word each fifth seed is on RocksDB. */
static bool is_on_rocksdb(const struct options *options, uint64_t seed)
{
    return options->store == BOTH ? seed % ROCKSDB_ONE_IN == 0 : options->store == ROCKSDB;
}

static uint64_t schedule_of(uint64_t seed)
{
    return seed * 1000;
}

static int run_one(const struct options *options)
{
    static struct workload plan;
    uint64_t digest;

    workload_make(&plan, options->seed, is_on_rocksdb(options, options->seed), options->asks);
    printf("seed %llu: ", (unsigned long long)options->seed);
    workload_print_features(stdout, &plan);
    if (!try_apart(&plan, NULL, schedule_of(options->seed), options->traces)) {
        digest = verdict->digest;
        try_apart(&plan, NULL, schedule_of(options->seed), false);
        printf("seed %llu: passed; run again it went %s\n", (unsigned long long)options->seed,
               digest == verdict->digest ? "the same way" : "ANOTHER WAY");
        return 0;
    }
    printf("%s", verdict->words);
    if (!options->only_says)
        shrink(&plan, schedule_of(options->seed));
    return 1;
}

struct progress {
    uint64_t at; /* the seed that is run */
    uint64_t passed, too_open;
    bool failed;
};

static void run_many(const struct options *options, uint32_t job, struct progress *progress)
{
    static struct workload plan;

    for (uint64_t i = job; i < options->seeds; i += options->jobs) {
        uint32_t too_open = 0;
        char *words;

        progress->at = options->first + i;
        workload_make(&plan, progress->at, is_on_rocksdb(options, progress->at), options->asks);
        words = try_plan(&plan, NULL, schedule_of(progress->at), false, NULL, &too_open);
        progress->too_open += too_open;
        if (words) {
            progress->failed = true;
            _exit(1);
        }
        progress->passed++;
    }
    _exit(0);
}

static int run_jobs(const struct options *options)
{
    struct progress *progress =
        mmap(NULL, options->jobs * sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[64];
    uint64_t passed = 0, too_open = 0, failed_at = UINT64_MAX;
    struct timespec began, ended;

    assert(progress != MAP_FAILED);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint32_t i = 0; i < options->jobs; i++) {
        children[i] = fork();
        if (children[i] == 0)
            run_many(options, i, &progress[i]);
    }
    for (uint32_t i = 0; i < options->jobs; i++) {
        int status;

        waitpid(children[i], &status, 0);
        passed += progress[i].passed;
        too_open += progress[i].too_open;
        if (status && progress[i].at < failed_at)
            failed_at = progress[i].at;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    fprintf(stderr, "%llu seeds in %.1f s; partitions given up because too much was possible: %llu\n",
            (unsigned long long)passed,
            (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9,
            (unsigned long long)too_open);
    if (failed_at != UINT64_MAX) {
        struct options one = *options;

        one.seed = failed_at;
        printf("FAILED seed %llu: make sim SEED=%llu%s\n", (unsigned long long)failed_at, (unsigned long long)failed_at,
               options->store == BOTH      ? ""
               : options->store == ROCKSDB ? " STORE=rocksdb"
                                           : " STORE=memory");
        if (!run_one(&one))
            printf("alone it passes: it depends on what ran before it in its process\n");
        printf("%llu passed, 1 failed, 0 skipped\n", (unsigned long long)passed);
        return 1;
    }
    printf("%llu passed, 0 failed, 0 skipped\n", (unsigned long long)passed);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option known[] = { { "store", 1, NULL, 's' }, { "seeds", 1, NULL, 'n' },
                                           { "first", 1, NULL, 'f' }, { "seed", 1, NULL, 'o' },
                                           { "asks", 1, NULL, 'a' },  { "jobs", 1, NULL, 'j' },
                                           { "trace", 0, NULL, 't' }, { "as-it-is", 0, NULL, 'i' },
                                           { NULL, 0, NULL, 0 } };
    struct options options = { .first = 1, .seeds = 200, .asks = 40, .jobs = 2 };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
        switch (option) {
        case 's':
            options.store = !strcmp(optarg, "rocksdb") ? ROCKSDB : !strcmp(optarg, "memory") ? MEMORY : BOTH;
            break;
        case 'n': options.seeds = strtoull(optarg, NULL, 10); break;
        case 'f': options.first = strtoull(optarg, NULL, 10); break;
        case 'o':
            options.one = true;
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'a': options.asks = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'j': options.jobs = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'i': options.only_says = true; break;
        case 't': options.traces = true; break;
        default: return 2;
        }
    }
    if (!options.jobs || options.jobs > 64 || options.asks > 300)
        return 2;
    log_set_level(LOG_LEVEL_NONE);
    verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(verdict != MAP_FAILED);
    return options.one ? run_one(&options) : run_jobs(&options);
}

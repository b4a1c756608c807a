/* The owner thread of a shard: gathers commands, decides, stamps, writes one batch, syncs once, answers.
 *
 *     rings of the ports -> turn -> one store_batch -> ops->write (synced) -> rings back -> one eventfd per waiting port
 *
 * A write whose sync failed has an unknown outcome: its clients get a write timeout, and failure.c sees to the rest. Reads never pass
 * here.
 */
#include "table/owner.h"

#include "base/log.h"
#include "table/decide.h"
#include "table/failure.h"
#include "table/checkpoint.h"
#include "table/sweep.h"
#include "table/prefetch.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    GATHER_US = 50,   /* wait no longer than this for what is coming */
    GATHER_ROWS = 32, /* nor when this much is here */
    TURN_REQUESTS = 4096,
    TURN_BYTES = 8 << 20,
    SWEEP_LOOK_US = 60000000, /* how long an entry that is due by an ALTER may wait to be noticed */
    FLOW_NS = 1500000,        /* of dear commands, one flow has at most as many here as take this */
    TURN_FIXED_NS = 50000,    /* what a turn costs besides */
    DEAR_NS = 15000,
    COST_COMMANDS = 256, /* that a command's cost is the mean of */
    WINDOW_MIN = 8,
    SWEEP_SHARE = 4, /* of a busy owner the sweeper gets at most one part in so many and one */
};

struct owner {
    struct shard *shard;
    struct turn turn;
    struct {
        struct table_request *request;
        uint32_t port;
    } * requests; /* owned: [TURN_REQUESTS] of the turn: in its batch, unanswered */
    uint32_t request_count;
    bool *answered;     /* owned: [port_count_max] whose port is to be woken */
    uint32_t ports_end; /* the space's, at the turn's begin */
    uint32_t first_port;
    struct prefetch *prefetched;    /* commands that come from prefetchers, oldest first */
    bool has_reports;               /* one of the requests wants to be told how it went */
    bool sweeps, sweeps_from_start; /* a command asks for a step */
    int64_t cpu_ns;                 /* of this thread, when the last turn ended */
    uint64_t cost_ns;               /* of a command, lately */
};

/* ---- work and sleep ---- */

/* How much there is to do: requests in the rings, and commands that prefetchers gave back. A
 * snapshot that is old at once: it may only say too little, and what comes later finds `sleeps`
 * set or the owner looking again. */
static uint32_t waiting(struct shard *shard)
{
    uint32_t count = prefetch_is_done(shard), end = atomic_load(&shard->space->ports_end);

    for (uint32_t i = 0; i < end; i++) {
        struct table_port *port = atomic_load(&shard->space->ports[i]);
        struct channel *channel =
            port ? atomic_load_explicit(&port->channels[shard->index], memory_order_acquire) : NULL;

        if (channel)
            count += ring_count(&channel->to_owner);
    }
    return count;
}

/* When the disk is tried again, or the sweeper has something to do. A shard that refuses writes
 * does not sweep either. Without the sweeper nothing but work ends the sleep. */
static int64_t sleep_until_us(struct shard *shard)
{
    if (atomic_load(&shard->refuses))
        return space_monotonic_us(shard->space) + RESUME_MS * INT64_C(1000);
    return atomic_load(&shard->space->sweeps) ? shard->sweep.next_us : CLOCK_FOR_EVER;
}

/* No wake-up is lost: a port pushes, then exchanges `sleeps` for 0; we exchange it for 1, then look. Whichever exchange comes second
 * reads what the first wrote, directly or through exchanges in between, and so sees what was done before it. */
static void sleep_until_work(struct shard *shard)
{
    assert(atomic_load_explicit(&shard->epoch, memory_order_relaxed) % 2);
    atomic_exchange(&shard->sleeps, 1);
    if (!waiting(shard) && !atomic_load(&shard->stops) && !atomic_load(&shard->resumed) &&
        !atomic_load(&shard->space->checkpoint.wanted)) {
        atomic_fetch_add(&shard->epoch, 1); /* asleep, no port is looked at: they may close */
        clock_wait_word(shard->space->options.clock, &shard->sleeps, 1, sleep_until_us(shard));
        atomic_fetch_add(&shard->epoch, 1);
    }
    atomic_exchange(&shard->sleeps, 0);
}

/* The clients whose writes were just answered are about to send the next ones: waiting for most
 * of them saves syncs. Seven of eight are enough, for one slow client should hold up nobody; a
 * lone one (target 1) is not waited for. It yields and looks again: a sleep so short would be
 * lengthened by the kernel's timer slack, 50 us by default. */
static void gather(struct shard *shard, uint32_t completed)
{
    uint32_t there = waiting(shard), target = completed + there;
    int64_t end;

    if (target <= 1)
        return;
    end = space_monotonic_us(shard->space) + GATHER_US;
    while (there < target - target / 8 && there < GATHER_ROWS && space_monotonic_us(shard->space) < end) {
        sched_yield();
        there = waiting(shard);
    }
}

/* ---- answers ---- */

/* Gives a request back to its port. From here on it is the port's and may be gone at any moment:
 * nothing of it is looked at again. The port sees it when it is woken, or before that when it
 * reaps for another answer. */
static void answer(struct owner *owner, uint32_t port_index, struct table_request *request)
{
    struct table_port *port = atomic_load_explicit(&owner->shard->space->ports[port_index], memory_order_acquire);
    struct channel *channel = atomic_load_explicit(&port->channels[owner->shard->index], memory_order_acquire);
    bool pushed;

    assert(port_index < owner->ports_end && channel); /* it has a request here: it can't be closed */
    pushed = ring_push(&channel->to_port, request);
    assert(pushed); /* of at most RING_SLOTS */
    (void)pushed;
}

/* One write for each port of the turn, however many answers it gets. */
static void wake_ports(struct owner *owner, const bool *answered)
{
    for (uint32_t i = 0; i < owner->ports_end; i++) {
        struct table_port *port = answered[i] ? atomic_load(&owner->shard->space->ports[i]) : NULL;
        uint64_t one = 1;

        if (port)
            while (write(port->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
    }
}

/* ---- commands ---- */

/* OK: it is in the batch (or needs none) and will be answered with the turn. ERR_WOULD_WAIT:
 * nothing of it was done. Whatever a command that fails has put into the batch is taken out
 * again, so a turn holds only whole commands. `mark` is moved by decide_counter alone: what
 * others have gathered is put into the batch before the command's own, and must stay. */
static enum status run_command(struct owner *owner, struct table_request *request, bool may_wait)
{
    struct turn *turn = &owner->turn;
    struct command_reader reader;
    struct command_header header;
    size_t mark;
    enum status status;

    request->applied = true;
    request->result = (struct bytes){ 0 };
    status = command_read_header(&reader, request->command, &header, request->error);
    if (status)
        return status;
    if (atomic_load_explicit(&owner->shard->refuses, memory_order_relaxed))
        return error_set(request->error, ERR_WRITE_FAILURE,
                         "Shard %u takes no writes: the disk is full or failed; reads go on", owner->shard->index);
    header.may_wait = turn->may_wait = may_wait;
    turn->durable |= header.durable;
    if (header.kind != COMMAND_ADD && turn->counts) /* it may look at rows of counters, or remove them */
        decide_gathered(turn);
    mark = turn_mark(turn);
    status = OK;
    switch (header.kind) {
    case COMMAND_APPLY: status = decide_apply(turn, request, &header, &reader); break;
    case COMMAND_GROUP: status = decide_group(turn, request, &header, &reader); break;
    case COMMAND_FORGET_INTENT:
    case COMMAND_FORGET_MARKER: decide_forget(turn, &header); break;
    case COMMAND_CAS: status = decide_cas(turn, request, &header, &reader); break;
    case COMMAND_ADD: status = decide_counter(turn, request, &header, &reader, &mark); break;
    case COMMAND_REMOVE: status = decide_remove(turn, &header, &reader, request->error); break;
    case COMMAND_READ: abort(); /* the header's reader refused it: reads do not come to owners */
    case COMMAND_SWEEP:         /* when the turn is written: it looks at the store */
        owner->sweeps = true;
        owner->sweeps_from_start |= header.table_id != 0;
        break;
    }
    assert(turn_mark(turn) >= mark);
    if (status)
        turn_take_back(turn, mark);
    return status;
}

/* Runs one command and notes it for the answers of the turn, whatever came of it. But one that
 * would wait for the disk goes to a prefetcher and is no part of this turn: it is run again, from
 * the beginning, when it comes back, and others overtake it meanwhile. */
static void take(struct owner *owner, struct table_request *request, uint32_t port, bool may_wait, bool *answered)
{
    enum status status;

    assert(owner->request_count < TURN_REQUESTS && port < owner->ports_end);
    if (__builtin_expect(request->report != NULL, 0)) {
        request->report->taken_us = space_monotonic_us(owner->shard->space);
        owner->has_reports = true;
    }
    status = run_command(owner, request, may_wait);
    if (__builtin_expect(status == ERR_WOULD_WAIT, 0) && !may_wait) {
        prefetch_begin(owner->shard, request, port);
        return;
    }
    request->status = status;
    answered[port] = true;
    owner->requests[owner->request_count].request = request;
    owner->requests[owner->request_count++].port = port;
}

/* A turn is bounded in requests and bytes, so that its sync and its answers do not wait for ever.
 * The last command may pass TURN_BYTES: it is looked at before one is taken, not after. */
static bool has_room(const struct owner *owner)
{
    return owner->request_count < TURN_REQUESTS && store_batch_bytes(owner->turn.batch) < TURN_BYTES;
}

/* What it reads is in memory now, or was a moment ago: it is not sent off again. */
static uint32_t take_prefetched(struct owner *owner, bool *answered)
{
    uint32_t taken = 0;

    if (!owner->prefetched)
        owner->prefetched = prefetch_take(owner->shard);
    while (__builtin_expect(owner->prefetched != NULL, 0) && has_room(owner)) {
        struct prefetch *prefetched = owner->prefetched;

        owner->prefetched = prefetched->next;
        take(owner, prefetched->request, prefetched->port, true, answered);
        free(prefetched);
        taken++;
    }
    return taken;
}

/* Takes what the rings hold, up to the turn's limits. Returns how many requests were taken. */
static uint32_t take_requests(struct owner *owner, bool *answered)
{
    struct shard *shard = owner->shard;
    uint32_t taken = take_prefetched(owner, answered);

    assert(owner->ports_end <= shard->space->options.port_count_max);
    for (uint32_t n = 0; n < owner->ports_end; n++) {
        uint32_t i = (owner->first_port + n) %
                     owner->ports_end; /* another port begins each turn: none starves behind a full one */
        struct table_port *port = atomic_load(&shard->space->ports[i]);
        struct channel *channel =
            port ? atomic_load_explicit(&port->channels[shard->index], memory_order_acquire) : NULL;
        struct table_request *request;

        while (channel && has_room(owner) && (request = ring_pop(&channel->to_owner))) {
            taken++;
            take(owner, request, i, false, answered);
        }
    }
    owner->first_port++;
    return taken;
}

/* Before the answers: an answered request is its port's again. */
static void fill_reports(struct owner *owner, int64_t began_us)
{
    int64_t written_us = space_monotonic_us(owner->shard->space);

    assert(owner->has_reports && written_us >= began_us);
    for (uint32_t i = 0; i < owner->request_count; i++) {
        struct commit_report *report = owner->requests[i].request->report;

        if (!report)
            continue;
        report->began_us = began_us;
        report->written_us = written_us;
        report->batch_bytes = store_batch_bytes(owner->turn.batch);
        report->command_count = owner->request_count;
        report->shard = owner->shard->index;
        report->durable = owner->turn.durable;
    }
}

/* One step of the sweeper, in a batch of its own: what was taken is written and not yet answered, or there was nothing. No command pays
 * for its time: see weigh. */
static enum status sweep(struct owner *owner, bool from_start, bool *more, struct error *err)
{
    struct turn *turn = &owner->turn;
    int64_t began_ns = clock_thread_cpu_ns();
    enum status status;

    turn_begin(turn);
    arena_reset(turn->arena);
    status = sweep_run(turn, from_start, more, err);
    if (!status)
        status = turn_write(turn, err);
    sweep_end(owner->shard, !status);
    owner->cpu_ns += clock_thread_cpu_ns() - began_ns;
    return status;
}

/* Sweeps a step if it is time. True: there is more to do at once, if nothing else is. While
 * requests come, a step that took t is followed by a pause of four t. Otherwise the steps follow
 * each other until the round is over; the next one begins when the first entry is due, but an
 * ALTER may make one due sooner (gc_grace_seconds), so somebody looks each minute as long as
 * there is any. */
static bool sweep_if_due(struct owner *owner, bool busy)
{
    struct sweep *state = &owner->shard->sweep;
    struct table_space *space = owner->shard->space;
    int64_t began_us = space_monotonic_us(space), now_s, end_us;
    enum status status;
    struct error err;
    bool more;

    if (began_us < state->next_us || !atomic_load_explicit(&space->sweeps, memory_order_relaxed) ||
        atomic_load_explicit(&owner->shard->refuses, memory_order_relaxed))
        return false;
    status = sweep(owner, false, &more, &err);
    turn_forget_definitions(&owner->turn);
    end_us = space_monotonic_us(space);
    if (status) {
        log_warn("table", "sweeping stopped shard=%u status=%s", owner->shard->index, status_name(status));
        state->next_us = end_us + SWEEP_LOOK_US;
        return false;
    }
    if (more) {
        state->next_us = busy ? end_us + SWEEP_SHARE * (end_us - began_us) : end_us;
        return !busy;
    }
    now_s = space_realtime_us(space) / 1000000;
    state->next_us = INT64_MAX;
    if (state->earliest_s != INT64_MAX || state->blocked)
        state->next_us = end_us + SWEEP_LOOK_US;
    if (state->earliest_s - now_s < SWEEP_LOOK_US / 1000000)
        state->next_us = end_us + (state->earliest_s > now_s ? state->earliest_s - now_s : 1) * INT64_C(1000000);
    return false;
}

/* Tells those of the turn's commands that asked for a step how it went. They were noted as
 * applied when they were run, before the step. */
static void answer_sweeps(struct owner *owner, enum status status, bool more, const struct error *err)
{
    for (uint32_t i = 0; i < owner->request_count; i++) {
        struct table_request *request = owner->requests[i].request;

        if (request->status || request->command.data[0] != COMMAND_SWEEP)
            continue;
        assert(request->command.size); /* it was run */
        request->applied = more;
        request->status = status;
        if (status)
            *request->error = *err;
    }
}

/* What commands cost lately says how many of a flow may be with the owner at once. The cost is a
 * mean over the last 256 or so, sweeping and a turn's fixed part left out. Examples: at 30 us one
 * flow has 50 with the owner (1.5 ms of work), at 1 ms still 8, and at 15 us or less as many as
 * the ring holds. */
static void weigh(struct owner *owner, uint32_t taken)
{
    int64_t cpu_ns = clock_thread_cpu_ns(), spent_ns = cpu_ns - owner->cpu_ns - TURN_FIXED_NS;
    uint64_t window = RING_SLOTS;

    assert(taken);
    owner->cpu_ns = cpu_ns;
    owner->cost_ns =
        (owner->cost_ns * COST_COMMANDS + (uint64_t)(spent_ns > 0 ? spent_ns : 0)) / (COST_COMMANDS + taken);
    if (owner->cost_ns > DEAR_NS)
        window = FLOW_NS / owner->cost_ns > WINDOW_MIN ? FLOW_NS / owner->cost_ns : WINDOW_MIN;
    assert(window && window <= RING_SLOTS); /* or a port would wait for ever, or overflow a ring */
    atomic_store_explicit(&owner->shard->window, (uint32_t)window, memory_order_relaxed);
}

/* The turn's write failed: all that was decided is answered with the failure. What was refused may have been so for what the turn's
 * other commands did, by a list that one of them had deleted: it was not done, which is all that is still true. */
static void fail(struct table_request *request, enum status status, const struct error *err)
{
    if (request->status == ERR_INVALID) {
        request->status = error_set(request->error, ERR_WRITE_FAILURE, "Nothing was done: writes before it failed");
    } else if (!request->status) {
        free((void *)request->result.data);
        request->result = (struct bytes){ 0 };
        *request->error = *err;
        request->status = status;
    }
}

/* One turn: take what is there, decide it, write it with one sync, answer. Answers come after the
 * write in any case: so a client that was answered will find its write after a crash. */
static uint32_t run_turn(struct owner *owner)
{
    bool *answered = owner->answered;
    uint32_t taken;
    int64_t began_us;
    struct error err;
    enum status status;

    turn_begin(&owner->turn);
    owner->request_count = 0;
    owner->has_reports = owner->sweeps = owner->sweeps_from_start = false;
    owner->ports_end = atomic_load(&owner->shard->space->ports_end);
    memset(answered, 0, owner->ports_end * sizeof(*answered));
    taken = take_requests(owner, answered);
    assert(owner->request_count <= taken);
    decide_gathered(&owner->turn);
    if (!taken)
        return 0;
    began_us = owner->has_reports ? space_monotonic_us(owner->shard->space) : 0;
    status = turn_write(&owner->turn, &err);
    if (owner->has_reports)
        fill_reports(owner, began_us);
    if (!status && owner->sweeps) {
        bool more = false;
        struct error sweep_err;
        enum status sweep_status = sweep(owner, owner->sweeps_from_start, &more, &sweep_err);

        answer_sweeps(owner, sweep_status, more, &sweep_err);
        if (!more) /* real time may have moved: when to look next is found anew */
            owner->shard->sweep.next_us = space_monotonic_us(owner->shard->space);
    }
    for (uint32_t i = 0; i < owner->request_count; i++) {
        struct table_request *request = owner->requests[i].request;

        if (status)
            fail(request, status, &err);
        answer(owner, owner->requests[i].port, request);
    }
    weigh(owner, taken); /* before ports are woken, which send what waits */
    wake_ports(owner, answered);
    turn_forget_definitions(&owner->turn);
    arena_reset(owner->turn.arena); /* a large list was in it */
    return taken;
}

/* The owner's life. The epoch is odd while it may look at ports and even while it does not: port.c
 * waits for that before it frees one. */
static void *own(void *context)
{
    struct shard *shard = context;
    struct owner owner = { .shard = shard };
    uint32_t taken = 0;
    char name[16];

    snprintf(name, sizeof(name), "owner-%u", shard->index);
    pthread_setname_np(pthread_self(), name);
    turn_init(&owner.turn, shard);
    owner.requests = xmalloc(sizeof(*owner.requests) * TURN_REQUESTS);
    owner.answered = xcalloc(shard->space->options.port_count_max, sizeof(*owner.answered));
    atomic_fetch_add(&shard->epoch, 1);
    for (;;) {
        atomic_fetch_add(&shard->epoch, 2); /* no port is at hand here */
        if (__builtin_expect(atomic_load_explicit(&shard->space->checkpoint.wanted, memory_order_relaxed), 0))
            checkpoint_stand(shard);
        gather(shard, taken);
        taken = run_turn(&owner);
        if (__builtin_expect(atomic_load_explicit(&shard->refuses, memory_order_relaxed), 0))
            failure_mind(shard);
        if (sweep_if_due(&owner, taken > 0) || taken)
            continue;
        if (atomic_load(&shard->stops))
            break;
        sleep_until_work(shard);
    }
    atomic_fetch_add(&shard->epoch, 1);
    assert(!owner.prefetched);
    free(owner.requests);
    free(owner.answered);
    turn_fini(&owner.turn);
    return NULL;
}

/* From here on only the owner's thread writes to the store, until shard_stop has joined it. */
enum status shard_start(struct shard *shard, struct error *err)
{
    int failed;

    assert(shard->store && !shard->owner_runs);
    failed = pthread_create(&shard->owner, NULL, own, shard);
    if (failed)
        return error_set_os(err, failed, "cannot start a shard's thread");
    shard->owner_runs = true;
    return OK;
}

/* What is in the rings is answered first: the owner ends when a turn has found nothing. Ports
 * must not submit any more. */
void shard_stop(struct shard *shard)
{
    if (!shard->owner_runs)
        return;
    atomic_store(&shard->stops, true);
    shard_wake(shard);
    pthread_join(shard->owner, NULL);
    assert(atomic_load(&shard->epoch) % 2 == 0);
    shard->owner_runs = false;
    failure_stop(shard);
}

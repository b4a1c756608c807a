/* Groups of commands, one per shard, on their way to the owners and back; see pending.h. */
#include "query/pending.h"

#include "query/trace.h"

#include <assert.h>
#include <poll.h>

/* Of one shard, how much goes in one command: an owner has others to serve between two of them. A command past COMMAND_COUNTED_BYTES is
 * counted with its request's arena. */
enum { GROUP_PARTITIONS_MAX = 64, GROUP_BYTES_MAX = 64 << 10, COMMAND_COUNTED_BYTES = 8 << 10 };

struct pending_command {
    struct pending_command *next; /* of its group: sent when this one is answered */
    struct pending_group *group;
    struct table_request request; /* its token is set from the beginning */
    struct pooled_buffer *buffer; /* NULL: it was answered, or will not be sent */
    const char *told;             /* what a trace will say of it; NULL: there is none */
    uint32_t partition_count;     /* in it */
    bool is_sent;
};

struct pending_group { /* of one shard; one of its commands at most is with its owner */
    struct pending_group *next;
    struct pending *pending;
    struct pending_command *first, *last;
    struct error *error; /* where its owner says what went wrong: the request's if there is no other group */
};

/* Nothing here points into the plan or the schema, which may go while it waits, except what
 * `held` and the outcome's table keep alive. */
struct pending {
    struct query_request *request;
    struct query_context *context;
    struct pending_group **by_shard;     /* NULL: there is one group */
    struct pending_group *groups, **end; /* the list, as they were begun */
    uint32_t group_count, command_count;
    uint32_t left;          /* sent and not answered */
    uint32_t written_count; /* answered well */
    bool is_sending;
    bool is_cas;
    bool is_counter;
    const char *write_type; /* of an error */
    /* A logged batch over several shards. */
    struct pending_group *first; /* remembers the others; NULL: not such a batch */
    bool remembered, unfinished;
    int64_t batch_us;
    struct cas_outcome outcome; /* conditional only; holds a reference to the table */
    struct prepared **held;     /* conditional only: references to the statements whose values the outcome names */
    uint32_t held_count;
    struct pending_group first_group; /* most have no other */
    struct pending_command first_command;
};

/* ---- what is sent ---- */

/* Begins the writes of a request: one at a time, kept in request->state until pending_finish. */
struct pending *pending_new(struct execution *execution, bool is_several, const char *write_type)
{
    struct query_request *request = execution->request;
    struct pending *pending = arena_alloc(request->arena, sizeof(*pending));

    assert(!request->state);
    *pending = (struct pending){
        .request = request,
        .context = execution->context,
        .end = &pending->groups,
        .write_type = write_type,
    };
    if (is_several)
        pending->by_shard = arena_new_array(request->arena, struct pending_group *,
                                            table_space_shard_count(execution->context->engine->space));
    request->state = pending;
    return pending;
}

/* The command asks conditions, so its answer may have to name columns and values of the
 * statement: the table and the prepared statements are kept until then. */
void pending_expect(struct pending *pending, const struct execution *execution, const struct cas_set *cas,
                    struct bytes key)
{
    assert(!pending->by_shard && !pending->is_cas);
    pending->is_cas = true;
    pending->outcome.set = *cas;
    pending->outcome.table = table_def_ref(execution->plan->table);
    pending->outcome.key = key;
    pending->held_count = execution->prepared_count;
    pending->held = arena_new_array(execution->request->arena, struct prepared *, execution->prepared_count + 1);
    for (uint32_t i = 0; i < execution->prepared_count; i++)
        pending->held[i] = prepared_ref(execution->prepared[i]);
}

/* The first group lies in the struct itself: most requests have no other. */
static struct pending_group *add_group(struct pending *pending)
{
    struct pending_group *group = &pending->first_group;

    if (pending->groups)
        group = arena_new_struct(pending->request->arena, struct pending_group);
    assert(!group->pending);
    group->pending = pending;
    *pending->end = group;
    pending->end = &group->next;
    pending->group_count++;
    return group;
}

/* The group of the shard that owns the token; begun if there is none yet. */
static struct pending_group *group_of(struct pending *pending, int64_t token)
{
    struct pending_group **at;

    if (!pending->by_shard) {
        assert(!pending->groups); /* one partition, one command */
        return add_group(pending);
    }
    at = &pending->by_shard[table_shard_of(pending->context->port, token)];
    if (!*at)
        *at = add_group(pending);
    return *at;
}

/* Another command of the group, behind its last one. The token of its first partition says
 * where it goes; all its partitions are of the same shard. */
static struct pending_command *add_command(struct pending_group *group, const struct write_part *part)
{
    struct pending *pending = group->pending;
    struct arena *arena = pending->request->arena;
    struct pending_command *command = &pending->first_command;

    if (pending->command_count++)
        command = arena_new_struct(arena, struct pending_command);
    command->group = group;
    command->request.token = part->token;
    if (__builtin_expect(pending->request->trace != NULL, 0))
        command->told = arena_printf(arena, "%u fragments for %.*s", part->count, BYTES(part->table->name));
    command->buffer = buffer_pool_take(&pending->context->buffers);
    assert(!command->buffer->buffer.size && !command->next);
    if (group->last)
        group->last->next = command;
    else
        group->first = command;
    group->last = command;
    return command;
}

static bool is_full(const struct pending_command *command)
{
    return command->partition_count >= GROUP_PARTITIONS_MAX || command->buffer->buffer.size >= GROUP_BYTES_MAX;
}

struct buffer *pending_command(struct pending *pending, const struct write_part *part, bool is_whole)
{
    struct pending_group *group = group_of(pending, part->token);
    struct pending_command *command = group->last;

    assert(!pending->left && !pending->first);
    /* A logged batch must be one command for each shard, however large: only a command is
     * atomic. */
    if (!command || (!is_whole && is_full(command)))
        command = add_command(group, part);
    command->partition_count++;
    pending->is_counter |= part->table->is_counter;
    return &command->buffer->buffer;
}

/* Encodes the commands of all other shards into the first shard's command. That one writes
 * the intent and its own part in one synced batch; if we crash then, the others are written
 * from the intent. */
void pending_remember(struct pending *pending)
{
    struct bytes *others = arena_new_array(pending->request->arena, struct bytes, pending->group_count + 1);
    uint32_t count = 0;

    assert(pending->command_count == pending->group_count);
    if (pending->group_count < 2)
        return;
    for (const struct pending_group *group = pending->groups->next; group; group = group->next)
        others[count++] = buffer_bytes(&group->first->buffer->buffer);
    pending->first = pending->groups;
    table_group_remember(&pending->first->first->buffer->buffer, others, count);
}

/* ---- sending ---- */

/* Gives the buffer back. NULL tells that the command needs no more care. */
static void end_command(struct pending_command *command)
{
    assert(command->buffer);
    buffer_pool_give(&command->group->pending->context->buffers, command->buffer);
    command->buffer = NULL;
}

/* What was not sent will not be: an error ends the request. */
static void give_unsent(struct pending *pending)
{
    for (struct pending_group *group = pending->groups; group; group = group->next)
        for (struct pending_command *command = group->first; command; command = command->next)
            if (command->buffer && !command->is_sent)
                end_command(command);
}

static void trace_command(struct query_request *request, struct pending_command *command)
{
    command->request.report = arena_new_struct(request->arena, struct commit_report);
    trace_event(request->trace, "Sending %zu bytes to the owner of token %lld: %s", command->buffer->buffer.size,
                (long long)command->request.token, command->told);
}

static void command_done(struct table_request *table_request);

/* Hands a command to its owner. False: the owner's ring is full, and the request has the
 * error. `done` is never called from inside of table_submit. */
static bool send_command(struct pending *pending, struct pending_command *command)
{
    struct query_request *request = pending->request;

    assert(command->buffer && !command->is_sent);
    command->request = (struct table_request){
        .command = buffer_bytes(&command->buffer->buffer),
        .token = command->request.token,
        .flow = request->session->flow,
        .done = command_done,
        .error = command->group->error,
        .arena = request->arena,
    };
    if (__builtin_expect(request->trace != NULL, 0))
        trace_command(request, command);
    command->is_sent = true;
    if (table_submit(pending->context->port, &command->request, &request->error) == OK) {
        pending->left++;
        return true;
    }
    end_command(command);
    return false;
}

/* Owners of several shards may fail at the same time, on their own threads: each group has a
 * place of its own for the error. With one group it is the request's. */
static void give_errors(struct pending *pending)
{
    for (struct pending_group *group = pending->groups; group; group = group->next) {
        group->error = &pending->request->error;
        if (pending->group_count == 1)
            break;
        group->error = arena_alloc(pending->request->arena, sizeof(*group->error));
        error_clear(group->error);
    }
}

/* Large commands count against the memory of the request, so that a client cannot pile them
 * up. */
static void count_commands(struct pending *pending)
{
    for (const struct pending_group *group = pending->groups; group; group = group->next)
        for (const struct pending_command *command = group->first; command; command = command->next)
            if (command->buffer->buffer.size > COMMAND_COUNTED_BYTES)
                arena_hold(pending->request->arena, command->buffer->buffer.capacity);
}

/* All shards take their first command, or none: what is refused was not begun. */
static bool have_room(const struct pending *pending)
{
    for (const struct pending_group *group = pending->groups; group; group = group->next)
        if (!table_has_room(pending->context->port, group->first->request.token))
            return false;
    return true;
}

/* With several commands a later one could be refused because the schema changed when others
 * were written already. Such commands are marked: their owner then skips only what was
 * dropped. */
static void loosen_commands(struct pending *pending)
{
    for (struct pending_group *group = pending->groups; group; group = group->next)
        for (struct pending_command *command = group->first; command; command = command->next)
            table_group_loosen(&command->buffer->buffer);
}

/* Sends what can be sent at once: of a remembered batch the first command, else each shard's
 * first. A request that finds no room anywhere is refused before anything is written, with
 * OVERLOADED. */
static void send_groups(struct pending *pending)
{
    if (pending->first) {
        if (!send_command(pending, pending->first->first))
            give_unsent(pending);
        table_batch_reached(pending->context->port, "sent");
        return;
    }
    if (!have_room(pending)) {
        error_set(&pending->request->error, ERR_OVERLOADED, "Too many writes in flight: try again");
        give_unsent(pending);
        return;
    }
    if (pending->command_count > 1)
        loosen_commands(pending);
    for (struct pending_group *group = pending->groups; group; group = group->next)
        send_command(pending, group->first);
}

/* Only a worker waits here: its port is its own, so answers are its own too. */
static void wait_for_answers(struct pending *pending)
{
    struct table_port *port = pending->context->port;

    assert(pending->context->may_wait);
    table_port_flush(port);
    while (pending->left) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        poll(&fd, 1, 1000);
        table_port_reap(port);
        table_port_flush(port);
    }
}

/* is_sending keeps an answer that comes while we send from ending the request under our feet. */
enum query_result pending_send(struct pending *pending)
{
    assert(!pending->is_sending && !pending->left);
    pending->is_sending = true;
    give_errors(pending);
    count_commands(pending);
    send_groups(pending);
    pending->is_sending = false;
    if (pending->context->may_wait)
        wait_for_answers(pending);
    return pending->left ? QUERY_PENDING : QUERY_DONE;
}

/* ---- answers ---- */

/* The intent is on the disk, so the batch will be whole. A command that cannot be sent now is
 * written later from the intent. */
static void send_others(struct pending *pending)
{
    for (struct pending_group *group = pending->groups; group; group = group->next) {
        if (group == pending->first)
            continue;
        table_group_set_batch(&group->first->buffer->buffer, pending->batch_us);
        if (!send_command(pending, group->first))
            pending->unfinished = true;
    }
}

/* The first shard of a remembered batch answered. If it failed nothing was written anywhere,
 * and the error names the batch log, as in Cassandra. */
static void first_done(struct pending *pending, const struct table_request *table_request)
{
    assert(!pending->remembered && !pending->left);
    pending->remembered = table_request->status == OK;
    pending->batch_us = table_request->timestamp_us;
    if (pending->remembered) {
        table_batch_reached(pending->context->port, "remembered");
        send_others(pending);
        return;
    }
    pending->write_type = "BATCH_LOG";
    give_unsent(pending);
}

/* All shards have answered. If one could not write its part the client is told a timeout: the
 * batch will be whole, but is not yet. Else the intent is no longer needed. */
static void end_batch(struct pending *pending)
{
    uint32_t count = 0;
    int64_t *tokens;

    assert(pending->first && pending->first == pending->groups);
    if (pending->unfinished) { /* whatever an owner said: it will be there, later */
        error_set(&pending->request->error, ERR_WRITE_TIMEOUT,
                  "Operation timed out - a part of the batch could not be written yet, it is finished later");
        table_batch_is_unfinished(pending->context->port);
        return;
    }
    table_batch_reached(pending->context->port, "whole");
    tokens = arena_new_array(pending->request->arena, int64_t, pending->group_count);
    for (const struct pending_group *group = pending->groups; group; group = group->next)
        tokens[count++] = group->first->request.token;
    assert(count == pending->group_count);
    table_batch_forget(pending->context->port, pending->batch_us, tokens, count);
}

/* After an answer outside of a remembered batch: sends the shard's next command, or ends. */
static void go_on(struct pending *pending, struct pending_command *command)
{
    struct error *error = &pending->request->error;

    if (error->status)
        give_unsent(pending);
    else if (command->next)
        send_command(pending, command->next);
    if (pending->left || !error->status || !pending->written_count)
        return;
    /* A part was written, so the error must not be one that says nothing was done. */
    error_set(error, ERR_WRITE_TIMEOUT, "Operation timed out - some of the partitions were written, others were not");
}

/* The first error that is answered becomes the request's. But one that says that its outcome is
 * unknown goes before those that say that nothing was done, which then is not so. An owner may have
 * left an error in the place it was given and then succeeded; that is cleared. */
static void take_error(struct pending *pending, const struct pending_group *group, enum status status)
{
    struct error *error = &pending->request->error;
    bool is_less_known = status == ERR_WRITE_TIMEOUT && error->status != ERR_WRITE_TIMEOUT;

    if (group->error != error && status && (error->status == OK || is_less_known))
        *error = *group->error;
    if (group->error == error && !status)
        error_clear(error);
    if (status && error->status == OK)
        error_set(error, status, "The write failed");
}

/* A conditional command was decided: whether it applied, and if not, what its owner saw. */
static void take_outcome(struct pending *pending, const struct table_request *table_request)
{
    struct cas_outcome *outcome = &pending->outcome;
    struct arena *arena = pending->request->arena;
    struct error err;

    assert(outcome->table && !outcome->seen);
    outcome->applied = table_request->applied;
    if (outcome->applied)
        return;
    outcome->seen = arena_new_array(arena, struct cas_seen, outcome->set.count);
    if (table_decode_cas_result(arena, table_request->result, outcome->seen, outcome->set.count, &err))
        pending->request->error = err;
}

/* What a trace tells of an answer. */
static void trace_answer(struct query_request *request, const struct table_request *table_request, bool is_cas)
{
    const char *answer = "done";

    if (table_request->status)
        answer = status_name(table_request->status);
    else if (is_cas)
        answer = table_request->applied ? "the conditions held" : "the conditions did not hold";
    trace_commit(request->trace, table_request->report);
    trace_event(request->trace, "Answered by its owner: %s", answer);
}

/* An owner has answered one command. Called on the context's thread, from table_port_reap. */
static void command_done(struct table_request *table_request)
{
    struct pending_command *command = CONTAINER_OF(table_request, struct pending_command, request);
    struct pending_group *group = command->group;
    struct pending *pending = group->pending;
    struct query_request *request = pending->request;

    assert(pending->left && command->buffer && request->state == pending);
    if (__builtin_expect(table_request->report != NULL, 0))
        trace_answer(request, table_request, pending->is_cas);
    take_error(pending, group, table_request->status);
    if (pending->is_cas && table_request->status == OK)
        take_outcome(pending, table_request);
    end_command(command);
    pending->left--;
    pending->written_count += table_request->status == OK;
    if (group == pending->first)
        first_done(pending, table_request);
    else if (!pending->first)
        go_on(pending, command);
    else if (table_request->status)
        pending->unfinished = true;
    else if (pending->remembered)
        table_batch_reached(pending->context->port, "part");
    if (pending->left)
        return;
    if (pending->remembered)
        end_batch(pending);
    if (!pending->is_sending && !pending->context->may_wait)
        request->done(request);
}

/* ---- the end ---- */

/* table_def_unref(NULL) does nothing: only conditional writes hold a table. */
static void pending_fini(struct pending *pending)
{
    table_def_unref(pending->outcome.table);
    for (uint32_t i = 0; i < pending->held_count; i++)
        prepared_unref(pending->held[i]);
}

/* Writes the answer: VOID, the rows of a conditional write, or what the error carries besides
 * its words. */
void pending_finish(struct query_request *request, struct buffer *out)
{
    struct pending *pending = request->state;

    if (!pending)
        return;
    assert(!pending->left && !pending->is_sending);
    request->state = NULL;
    if (!out) {
        /* nobody is there to hear it */
    } else if (request->error.status) {
        request->detail.write_type = pending->is_cas ? "CAS" : pending->is_counter ? "COUNTER" : pending->write_type;
        if (pending->is_cas)
            request->detail.consistency = request->message->parameters.serial_consistency;
    } else if (pending->is_cas) {
        cas_encode_result(request, &pending->outcome, out);
    } else {
        native_encode_result_void(out);
    }
    pending_fini(pending);
}

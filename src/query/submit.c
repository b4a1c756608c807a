/* A statement's writes go to the owners of their partitions; see submit.h. */
#include "query/submit.h"

#include "query/trace.h"

#include <assert.h>
#include <poll.h>

/* Of one shard, how much goes in one command: an owner has others to serve between two of them. */
enum { GROUP_PARTITIONS_MAX = 256, GROUP_BYTES_MAX = 256 << 10 };

/* A command past the first is counted with its request's arena; buffers that are kept for the next commands are no larger than the
 * second, and all of a context's than the third. */
enum { COMMAND_COUNTED_BYTES = 8 << 10, BUFFER_KEPT_BYTES = 2 * GROUP_BYTES_MAX, BUFFERS_KEPT_BYTES = 4 << 20 };

struct pending_part { /* one command */
    struct pending_part *next;
    struct pending_part *after;   /* the next of its shard, sent when this one is answered */
    struct table_request request; /* its token is set from the beginning */
    struct pending *pending;      /* NULL: not sent yet */
    struct pooled_buffer *buffer; /* NULL: it was answered, or will not be sent */
    const char *told;             /* what a trace will say of it; NULL: there is none */
    uint32_t partition_count;     /* in it */
    bool is_after;                /* another one */
    struct error error;
};

/* Nothing that it points to is the plan's or the schema's but by `held` and the outcome's table: those may change, and go, while it
 * waits. */
struct pending {
    struct query_request *request;
    struct query_context *context;
    uint32_t left;          /* sent and not answered */
    uint32_t written_count; /* answered well */
    uint32_t part_count;
    struct pending_part *parts, **end; /* the list */
    bool submitting;
    bool is_cas;
    bool is_counter;
    const char *write_type; /* of an error */
    /* A logged batch over several shards: the first part remembers the others, which follow when it is written. */
    struct pending_part *first; /* NULL: not such a batch */
    bool remembered, unfinished;
    int64_t batch_us;
    struct cas_outcome outcome; /* conditional only; holds a reference to the table */
    struct prepared **held;     /* conditional only: references to the statements whose values the outcome names */
    uint32_t held_count;
};

static struct pooled_buffer *buffer_take(struct query_context *context)
{
    struct pooled_buffer *pooled = context->buffers;

    if (!pooled)
        return xcalloc(1, sizeof(*pooled));
    context->buffers = pooled->next;
    context->buffers_bytes -= pooled->buffer.capacity;
    return pooled;
}

static void buffer_give(struct query_context *context, struct pooled_buffer *pooled)
{
    if (pooled->buffer.capacity > BUFFER_KEPT_BYTES ||
        context->buffers_bytes + pooled->buffer.capacity > BUFFERS_KEPT_BYTES) {
        buffer_fini(&pooled->buffer);
        free(pooled);
        return;
    }
    buffer_retire(&pooled->buffer);
    context->buffers_bytes += pooled->buffer.capacity;
    pooled->next = context->buffers;
    context->buffers = pooled;
}

static void trace_answer(struct query_request *request, const struct table_request *part, bool is_cas)
{
    const char *answer = "done";

    if (part->status)
        answer = status_name(part->status);
    else if (is_cas)
        answer = part->applied ? "the conditions held" : "the conditions did not hold";
    trace_commit(request->trace, part->report);
    trace_event(request->trace, "Answered by its owner: %s", answer);
}

static void trace_part(struct query_request *request, struct pending_part *part)
{
    part->request.report = arena_new_struct(request->arena, struct commit_report);
    trace_event(request->trace, "Sending %zu bytes to the owner of token %lld: %s", part->buffer->buffer.size,
                (long long)part->request.token, part->told);
}

static void part_done(struct table_request *table_request);

/* False: the request has the error. */
static bool submit_part(struct pending *pending, struct pending_part *part)
{
    struct query_request *request = pending->request;

    part->request = (struct table_request){
        .command = buffer_bytes(&part->buffer->buffer),
        .token = part->request.token,
        .flow = request->session->flow,
        .done = part_done,
        .error = &part->error,
        .arena = request->arena,
    };
    if (__builtin_expect(request->trace != NULL, 0))
        trace_part(request, part);
    if (table_submit(pending->context->port, &part->request, &part->error) == OK) {
        pending->left++;
        return true;
    }
    request->error = part->error;
    buffer_give(pending->context, part->buffer);
    part->buffer = NULL;
    return false;
}

/* What was not sent will not be. */
static void give_unsent(struct pending *pending)
{
    for (struct pending_part *part = pending->parts; part; part = part->next) {
        if (part->buffer && !part->pending)
            buffer_give(pending->context, part->buffer);
        if (!part->pending)
            part->buffer = NULL;
    }
}

/* The intent is on the disk. What can't be sent now is finished later. */
static void submit_others(struct pending *pending)
{
    for (struct pending_part *part = pending->parts; part; part = part->next) {
        if (part == pending->first)
            continue;
        table_group_set_batch(&part->buffer->buffer, pending->batch_us);
        part->pending = pending;
        if (!submit_part(pending, part))
            pending->unfinished = true;
    }
}

static void first_done(struct pending *pending, const struct table_request *table_request)
{
    pending->remembered = table_request->status == OK;
    pending->batch_us = table_request->timestamp_us;
    if (pending->remembered) {
        table_batch_reached(pending->context->port, "remembered");
        submit_others(pending);
        return;
    }
    pending->write_type = "BATCH_LOG";
    give_unsent(pending);
}

/* All parts are answered. */
static void end_batch(struct pending *pending)
{
    uint32_t count = 0;
    int64_t *tokens;

    assert(pending->first);
    if (pending->unfinished) { /* whatever a part said: it will be there, later */
        error_set(&pending->request->error, ERR_WRITE_TIMEOUT,
                  "Operation timed out - a part of the batch could not be written yet, it is finished later");
        table_batch_is_unfinished(pending->context->port);
        return;
    }
    table_batch_reached(pending->context->port, "whole");
    tokens = arena_new_array(pending->request->arena, int64_t, pending->part_count);
    tokens[count++] = pending->first->request.token;
    for (const struct pending_part *part = pending->parts; part; part = part->next)
        if (part != pending->first)
            tokens[count++] = part->request.token;
    table_batch_forget(pending->context->port, pending->batch_us, tokens, count);
}

/* Not a batch that is remembered: goes on with the shard, or ends. */
static void go_on(struct pending *pending, struct pending_part *part)
{
    struct error *error = &pending->request->error;

    if (error->status) {
        give_unsent(pending);
    } else if (part->after) {
        part->after->pending = pending;
        submit_part(pending, part->after);
    }
    if (pending->left || !error->status || !pending->written_count)
        return;
    /* No error may say that nothing was done. */
    error_set(error, ERR_WRITE_TIMEOUT, "Operation timed out - some of the partitions were written, others were not");
}

static void part_done(struct table_request *table_request)
{
    struct pending_part *part = CONTAINER_OF(table_request, struct pending_part, request);
    struct pending *pending = part->pending;
    struct query_request *request = pending->request;

    if (__builtin_expect(table_request->report != NULL, 0))
        trace_answer(request, table_request, pending->is_cas);
    if (table_request->status && request->error.status == OK)
        request->error = part->error;
    if (table_request->status && request->error.status == OK)
        error_set(&request->error, table_request->status, "The write failed");
    if (pending->is_cas && table_request->status == OK) {
        pending->outcome.applied = table_request->applied;
        if (!pending->outcome.applied) {
            struct error err;

            pending->outcome.seen = arena_new_array(request->arena, struct cas_seen, pending->outcome.set.count);
            if (table_decode_cas_result(request->arena, table_request->result, pending->outcome.seen,
                                        pending->outcome.set.count, &err))
                request->error = err;
        }
    }
    buffer_give(pending->context, part->buffer);
    part->buffer = NULL;
    pending->left--;
    pending->written_count += table_request->status == OK;
    if (part == pending->first)
        first_done(pending, table_request);
    else if (!pending->first)
        go_on(pending, part);
    else if (table_request->status)
        pending->unfinished = true;
    else if (pending->remembered)
        table_batch_reached(pending->context->port, "part");
    if (pending->left)
        return;
    if (pending->remembered)
        end_batch(pending);
    if (!pending->submitting && !pending->context->may_wait)
        request->done(request);
}

static void wait_for_parts(struct query_context *context, struct pending *pending)
{
    table_port_flush(context->port);
    while (pending->left) {
        struct pollfd fd = { .fd = table_port_fd(context->port), .events = POLLIN };

        poll(&fd, 1, 1000);
        table_port_reap(context->port);
        table_port_flush(context->port);
    }
}

static struct pending_part *add_part(struct pending *pending, const struct write_part *from)
{
    struct arena *arena = pending->request->arena;
    struct pending_part *part = arena_zalloc(arena, sizeof(*part));

    part->request.token = from->token;
    if (__builtin_expect(pending->request->trace != NULL, 0))
        part->told = arena_printf(arena, "%u fragments for %.*s", from->count, BYTES(from->table->name));
    part->buffer = buffer_take(pending->context);
    *pending->end = part;
    pending->end = &part->next;
    pending->part_count++;
    return part;
}

static bool is_full(const struct pending_part *part)
{
    return part->partition_count >= GROUP_PARTITIONS_MAX || part->buffer->buffer.size >= GROUP_BYTES_MAX;
}

/* A partition's share of its shard's command at hand. What is logged is one command: it is there whole or not at all. */
static void encode_share(struct pending *pending, struct pending_part **group, const struct write_part *from,
                         const struct apply_command *apply, bool logged)
{
    struct pending_part *before = *group;

    if (!before || (!logged && is_full(before))) {
        *group = add_part(pending, from);
        (*group)->is_after = before != NULL;
        if (before)
            before->after = *group;
    }
    (*group)->partition_count++;
    if (from->table->is_counter)
        table_group_add_numbers(&(*group)->buffer->buffer, apply);
    else
        table_group_add(&(*group)->buffer->buffer, apply);
}

/* The command for the only partition. */
static void encode_only(struct pending *pending, const struct write_part *from, const struct apply_command *apply,
                        const struct cas_set *cas)
{
    struct buffer *out = &add_part(pending, from)->buffer->buffer;

    if (cas)
        table_encode_cas(out, &(struct cas_command){ cas->parts, cas->count, *apply });
    else if (from->table->is_counter)
        table_encode_add(out, apply);
    else
        table_encode_apply(out, apply);
}

/* If there is more than one group, the first is made to remember the others. */
static void remember_others(struct pending *pending)
{
    struct bytes *others = arena_new_array(pending->request->arena, struct bytes, pending->part_count);
    uint32_t count = 0;

    if (pending->part_count < 2)
        return;
    for (const struct pending_part *part = pending->parts->next; part; part = part->next)
        others[count++] = buffer_bytes(&part->buffer->buffer);
    pending->first = pending->parts;
    table_group_remember(&pending->first->buffer->buffer, others, count);
}

/* All shards take their first part, or none: what is refused was not begun. */
static bool have_room(struct pending *pending)
{
    for (const struct pending_part *part = pending->parts; part; part = part->next)
        if (!part->is_after && !table_has_room(pending->context->port, part->request.token))
            return false;
    return true;
}

static void count_commands(struct pending *pending)
{
    for (const struct pending_part *part = pending->parts; part; part = part->next)
        if (part->buffer->buffer.size > COMMAND_COUNTED_BYTES)
            arena_hold(pending->request->arena, part->buffer->buffer.capacity);
}

static void submit_parts(struct pending *pending)
{
    count_commands(pending);
    if (pending->first) {
        pending->first->pending = pending;
        if (!submit_part(pending, pending->first))
            give_unsent(pending);
        table_batch_reached(pending->context->port, "sent");
        return;
    }
    if (!have_room(pending)) {
        error_set(&pending->request->error, ERR_OVERLOADED, "Too many writes in flight: try again");
        give_unsent(pending);
        return;
    }
    for (struct pending_part *part = pending->parts; part; part = part->next) {
        if (pending->part_count > 1) /* what was refused after others were written could not be done again */
            table_group_loosen(&part->buffer->buffer);
        if (part->is_after)
            continue;
        part->pending = pending;
        submit_part(pending, part);
    }
}

/* The answer of a refusal tells of columns, and of values that may stand in a statement: they must be there when it is written. */
static void keep_outcome(struct pending *pending, const struct execution *execution, const struct write_set *set,
                         const struct cas_set *cas)
{
    pending->outcome.set = *cas;
    pending->outcome.table = table_def_ref(execution->plan->table);
    pending->outcome.key = set->count ? set->parts[0].key : bytes_of(NULL, 0);
    pending->held_count = execution->prepared_count;
    pending->held = arena_new_array(execution->request->arena, struct prepared *, execution->prepared_count + 1);
    for (uint32_t i = 0; i < execution->prepared_count; i++)
        pending->held[i] = prepared_ref(execution->prepared[i]);
}

static void pending_fini(struct pending *pending)
{
    table_def_unref(pending->outcome.table);
    for (uint32_t i = 0; i < pending->held_count; i++)
        prepared_unref(pending->held[i]);
}

enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas)
{
    struct query_context *context = execution->context;
    struct query_request *request = execution->request;
    struct arena *arena = request->arena;
    struct pending_part **groups = NULL; /* [shard] */
    struct pending *pending = arena_zalloc(arena, sizeof(*pending));

    *pending = (struct pending){
        .request = request,
        .context = context,
        .end = &pending->parts,
        .submitting = true,
        .is_cas = cas != NULL,
        .write_type = set->count <= 1 ? "SIMPLE"
                      : set->logged   ? "BATCH"
                                      : "UNLOGGED_BATCH", /* as StorageProxy's */
    };
    if (cas)
        keep_outcome(pending, execution, set, cas);
    request->state = pending;
    if (set->count > 1 && !cas)
        groups = arena_zalloc(arena, sizeof(struct pending_part *) * table_space_shard_count(context->engine->space));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct write_part *from = &set->parts[i];
        struct apply_command apply = {
            .table_id = from->table->id,
            .schema_version = from->table->version,
            .token = from->token,
            .partition_key = from->key,
            .fragments = from->fragments,
            .fragment_count = from->count,
            .now_s = execution->eval.now_s,
            .durable = from->table->durable_writes,
        };

        if (!from->count && !cas)
            continue;
        pending->is_counter |= from->table->is_counter;
        if (groups)
            encode_share(pending, &groups[table_shard_of(context->port, from->token)], from, &apply, set->logged);
        else
            encode_only(pending, from, &apply, cas);
    }
    if (set->logged && groups)
        remember_others(pending);
    submit_parts(pending);
    pending->submitting = false;
    if (context->may_wait)
        wait_for_parts(context, pending);
    return pending->left ? QUERY_PENDING : query_finish(context, request, execution->out);
}

void execute_modify_finish(struct query_request *request, struct buffer *out)
{
    struct pending *pending = request->state;

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

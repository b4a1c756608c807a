/* A statement's writes go to the owners of their partitions; see submit.h. */
#include "query/submit.h"

#include "query/trace.h"

#include <poll.h>

struct pending_part {
    struct table_request request;
    struct pending *pending;
    struct pooled_buffer *buffer; /* NULL: there is nothing to send, or it was answered */
    const struct write_part *from;
    struct error error;
};

struct pending {
    struct query_request *request;
    struct query_context *context;
    uint32_t left;
    uint32_t part_count;
    bool submitting;
    bool is_cas;
    bool is_counter;
    const char *write_type; /* of an error */
    /* A logged batch over several shards: the first part remembers the others, which follow when it is written. */
    struct pending_part *first; /* NULL: not such a batch */
    bool remembered, unfinished;
    int64_t batch_us;
    struct cas_outcome outcome; /* conditional only; holds a reference to the table */
    struct pending_part parts[];
};

static struct pooled_buffer *buffer_take(struct query_context *context)
{
    struct pooled_buffer *pooled = context->buffers;

    if (!pooled)
        return xcalloc(1, sizeof(*pooled));
    context->buffers = pooled->next;
    return pooled;
}

static void buffer_give(struct query_context *context, struct pooled_buffer *pooled)
{
    if (pooled->buffer.capacity > 1 << 20)
        buffer_fini(&pooled->buffer); /* a big one is not kept */
    buffer_retire(&pooled->buffer);
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
    trace_event(request->trace, "Sending %zu bytes to the owner of token %lld: %u fragments for %.*s",
                part->buffer->buffer.size, (long long)part->from->token, part->from->count,
                BYTES(part->from->table->name));
}

static void part_done(struct table_request *table_request);

/* False: the request has the error. */
static bool submit_part(struct pending *pending, struct pending_part *part)
{
    struct query_request *request = pending->request;

    part->request = (struct table_request){
        .command = buffer_bytes(&part->buffer->buffer),
        .token = part->from->token,
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

static void give_others(struct pending *pending)
{
    for (uint32_t i = 0; i < pending->part_count; i++) {
        struct pending_part *part = &pending->parts[i];

        if (part->buffer && !part->pending)
            buffer_give(pending->context, part->buffer);
        if (!part->pending)
            part->buffer = NULL;
    }
}

/* The intent is on the disk. What can't be sent now is finished later. */
static void submit_others(struct pending *pending)
{
    for (uint32_t i = 0; i < pending->part_count; i++) {
        struct pending_part *part = &pending->parts[i];

        if (!part->buffer || part == pending->first)
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
    give_others(pending);
}

/* All parts are answered. */
static void end_batch(struct pending *pending)
{
    uint32_t count = 0;
    int64_t *tokens;

    if (pending->unfinished) { /* whatever a part said: it will be there, later */
        error_set(&pending->request->error, ERR_WRITE_TIMEOUT,
                  "Operation timed out - a part of the batch could not be written yet, it is finished later");
        table_batch_is_unfinished(pending->context->port);
        return;
    }
    table_batch_reached(pending->context->port, "whole");
    tokens = arena_new_array(pending->request->arena, int64_t, pending->part_count);
    tokens[count++] = pending->first->from->token;
    for (uint32_t i = 0; i < pending->part_count; i++)
        if (pending->parts[i].pending && &pending->parts[i] != pending->first)
            tokens[count++] = pending->parts[i].from->token;
    table_batch_forget(pending->context->port, pending->batch_us, tokens, count);
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
    if (part == pending->first)
        first_done(pending, table_request);
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

/* A command for one partition, or its share of its shard's group. groups NULL: each for itself. */
static void encode_part(struct pending *pending, struct pending_part *part, const struct apply_command *apply,
                        struct pending_part **groups, const struct cas_set *cas)
{
    struct pending_part **group = groups ? &groups[table_shard_of(pending->context->port, apply->token)] : NULL;

    if (group && *group) {
        table_group_add(&(*group)->buffer->buffer, apply);
        return;
    }
    part->buffer = buffer_take(pending->context);
    if (group) {
        *group = part;
        table_group_add(&part->buffer->buffer, apply);
    } else if (cas) {
        table_encode_cas(&part->buffer->buffer, &(struct cas_command){ cas->parts, cas->count, *apply });
    } else if (part->from->table->is_counter) {
        table_encode_add(&part->buffer->buffer, apply);
    } else {
        table_encode_apply(&part->buffer->buffer, apply);
    }
}

/* If there is more than one group, the first is made to remember the others. */
static void remember_others(struct pending *pending)
{
    struct bytes *others = arena_new_array(pending->request->arena, struct bytes, pending->part_count);
    struct pending_part *first = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < pending->part_count; i++) {
        struct pending_part *part = &pending->parts[i];

        if (!part->buffer)
            continue;
        if (first)
            others[count++] = buffer_bytes(&part->buffer->buffer);
        else
            first = part;
    }
    if (!count)
        return;
    table_group_remember(&first->buffer->buffer, others, count);
    pending->first = first;
}

static void submit_parts(struct pending *pending)
{
    bool failed = false;

    if (pending->first) {
        pending->first->pending = pending;
        if (!submit_part(pending, pending->first))
            give_others(pending);
        table_batch_reached(pending->context->port, "sent");
        return;
    }
    for (uint32_t i = 0; i < pending->part_count; i++) {
        struct pending_part *part = &pending->parts[i];

        if (!part->buffer)
            continue;
        if (failed) {
            buffer_give(pending->context, part->buffer);
            part->buffer = NULL;
            continue;
        }
        part->pending = pending;
        failed = !submit_part(pending, part);
    }
}

enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas)
{
    struct query_context *context = execution->context;
    struct query_request *request = execution->request;
    struct arena *arena = request->arena;
    struct pending_part **groups = NULL; /* [shard] */
    struct pending *pending = arena_zalloc(arena, sizeof(*pending) + sizeof(pending->parts[0]) * set->count);

    *pending = (struct pending){
        .request = request,
        .context = context,
        .part_count = set->count,
        .submitting = true,
        .is_cas = cas != NULL,
        .write_type = set->count <= 1 ? "SIMPLE"
                      : set->logged   ? "BATCH"
                                      : "UNLOGGED_BATCH", /* as StorageProxy's */
    };
    if (cas) {
        pending->outcome.set = *cas;
        pending->outcome.table = table_def_ref(execution->plan->table);
        pending->outcome.key = set->count ? set->parts[0].key : bytes_of(NULL, 0);
    }
    request->state = pending;
    if (set->count > 1 && !cas && !set->parts[0].table->is_counter)
        groups = arena_zalloc(arena, sizeof(struct pending_part *) * table_space_shard_count(context->engine->space));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct write_part *from = &set->parts[i];
        struct pending_part *part = &pending->parts[i];
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
        part->from = from;
        encode_part(pending, part, &apply, groups, cas);
    }
    if (set->logged && groups)
        remember_others(pending);
    submit_parts(pending);
    pending->submitting = false;
    if (context->may_wait)
        wait_for_parts(context, pending);
    if (pending->left == 0) {
        query_finish(context, request, execution->out);
        return QUERY_DONE;
    }
    return QUERY_PENDING;
}

void execute_modify_finish(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct pending *pending = request->state;

    if (request->error.status) {
        request->detail.write_type = pending->is_cas ? "CAS" : pending->is_counter ? "COUNTER" : pending->write_type;
        if (pending->is_cas)
            request->detail.consistency = request->message->parameters.serial_consistency;
    } else if (pending->is_cas) {
        cas_encode_result(request, &pending->outcome, out);
    } else {
        native_encode_result_void(out);
    }
    if (pending->outcome.table)
        table_def_unref(pending->outcome.table);
    pending->outcome.table = NULL;
}

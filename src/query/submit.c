/* A statement's writes go to the owners of their partitions; see submit.h. */
#include "query/submit.h"

#include "query/trace.h"

#include <poll.h>

struct pending_part {
    struct table_request request;
    struct pending *pending;
    struct pooled_buffer *buffer;
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
    struct cas_outcome outcome; /* conditional only; holds a reference to the table */
    struct pending_part parts[];
};

static struct pooled_buffer *buffer_take(struct query_context *context)
{
    struct pooled_buffer *pooled = context->buffers;

    if (!pooled)
        return xcalloc(1, sizeof(*pooled));
    context->buffers = pooled->next;
    buffer_reset(&pooled->buffer);
    return pooled;
}

static void buffer_give(struct query_context *context, struct pooled_buffer *pooled)
{
    if (pooled->buffer.capacity > 1 << 20)
        buffer_fini(&pooled->buffer); /* a big one is not kept */
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

            pending->outcome.current = arena_new_array(request->arena, const struct row *, pending->outcome.set.count);
            if (table_decode_cas_result(request->arena, table_request->result, pending->outcome.current,
                                        pending->outcome.set.count, &err))
                request->error = err;
        }
    }
    buffer_give(pending->context, part->buffer);
    part->buffer = NULL;
    pending->left--;
    if (pending->left == 0 && !pending->submitting && !pending->context->may_wait)
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

static void trace_part(struct query_request *request, struct pending_part *part, const struct write_part *from)
{
    part->request.report = arena_new_struct(request->arena, struct commit_report);
    trace_event(request->trace, "Sending %zu bytes to the owner of token %lld: %u fragments for %.*s",
                part->buffer->buffer.size, (long long)from->token, from->count, BYTES(from->table->name));
}

enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas)
{
    struct query_context *context = execution->context;
    struct query_request *request = execution->request;
    struct arena *arena = request->arena;
    struct pending *pending = arena_zalloc(arena, sizeof(*pending) + sizeof(pending->parts[0]) * set->count);

    *pending = (struct pending){
        .request = request,
        .context = context,
        .part_count = set->count,
        .submitting = true,
        .is_cas = cas != NULL,
    };
    if (cas) {
        pending->outcome.set = *cas;
        pending->outcome.table = table_def_ref(execution->plan->table);
        pending->outcome.key = set->count ? set->parts[0].key : bytes_of(NULL, 0);
    }
    request->state = pending;
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
        part->pending = pending;
        pending->is_counter |= from->table->is_counter;
        part->buffer = buffer_take(context);
        if (cas)
            table_encode_cas(&part->buffer->buffer, &(struct cas_command){ cas->parts, cas->count, apply });
        else if (from->table->is_counter)
            table_encode_add(&part->buffer->buffer, &apply);
        else
            table_encode_apply(&part->buffer->buffer, &apply);
        part->request = (struct table_request){
            .command = buffer_bytes(&part->buffer->buffer),
            .token = from->token,
            .done = part_done,
            .error = &part->error,
            .arena = arena,
        };
        if (__builtin_expect(request->trace != NULL, 0))
            trace_part(request, part, from);
        pending->left++;
        enum status status = table_submit(context->port, &part->request, &part->error);
        if (status) {
            pending->left--;
            buffer_give(context, part->buffer);
            request->error = part->error;
            break;
        }
    }
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

    if (request->error.status == OK) {
        if (pending->is_cas)
            cas_encode_result(request, &pending->outcome, out);
        else
            native_encode_result_void(out);
    } else if (pending->is_cas) {
        request->detail.write_type = "CAS";
        request->detail.consistency = request->message->parameters.serial_consistency;
    } else if (pending->is_counter) {
        request->detail.write_type = "COUNTER";
    }
    if (pending->outcome.table)
        table_def_unref(pending->outcome.table);
    pending->outcome.table = NULL;
}

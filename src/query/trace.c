/* A trace's memory, and its rows; see trace.h. Events wait in an arena until the reply has left; then two commands write them: the
 * events, and when they stand the session, which is what a client asks for first. */
#include "query/trace.h"

#include "base/clock.h"
#include "catalog/rows.h"
#include "cql/secret.h"
#include "query/context.h"
#include "table/table.h"
#include "types/text.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACTIVITY_BYTES_MAX = 1200, THREAD_NAME_BYTES = 16, WHOLE_VALUE_BYTES_MAX = 64 << 10 };

/* One line of a trace. */
struct event {
    int64_t at_us;
    uint32_t number; /* of events of the same microsecond, the first added comes first */
    struct bytes activity;
    char thread[THREAD_NAME_BYTES];
};

struct trace {
    struct arena *arena; /* owned; holds the trace too */
    uint8_t id[16];
    const struct catalog_account *account; /* whose system_traces it is written to */
    const struct clock *clock;             /* the space's: what owners report is its time, too */
    int64_t started_us;                    /* real time */
    int64_t began_us;
    int64_t ended_us;
    uint8_t client[16];
    uint8_t client_bytes;
    const char *request; /* NULL: it failed before one could say what it was */
    struct native_pair *parameters;
    uint32_t parameter_count, parameter_capacity;
    struct event *events; /* [TRACE_EVENTS_MAX] */
    uint32_t event_count;
    /* While it is written: */
    struct query_context *context;
    struct table_request command;
    struct buffer bytes;
    struct error error;
    void (*done)(void *argument, bool written);
    void *argument;
};

/* ---- begin ---- */

/* The trace lives in an arena of its own, because it is written after its request is gone.
 * Its id is a time uuid of the moment it began, as clients expect of a session's id. */
struct trace *trace_new(struct query_context *context, const struct query_session *session, int64_t started_us,
                        int64_t began_us)
{
    struct arena *arena = arena_new(8192);
    struct trace *trace = arena_new_struct(arena, struct trace);

    trace->arena = arena;
    trace->account = session->account;
    trace->clock = table_space_clock(context->engine->space);
    trace->started_us = started_us;
    trace->began_us = began_us;
    trace->client_bytes = session->client_is_ipv6 ? 16 : 4;
    static_assert(sizeof(trace->client) == sizeof(session->client_address), "an address is copied whole");
    memcpy(trace->client, session->client_address, trace->client_bytes);
    uuid_make_time(&context->uuids, started_us, trace->id);
    return trace;
}

void trace_free(struct trace *trace)
{
    buffer_fini(&trace->bytes);
    arena_free(trace->arena);
}

const uint8_t *trace_id(const struct trace *trace)
{
    return trace->id;
}

/* ---- events ---- */

/* Adds a line. What comes after the trace is full is dropped: a trace must not grow with its
 * request. The array is taken at once and in full, since most traces have a few dozen events. */
static void add_event(struct trace *trace, int64_t at_us, const char *thread, struct bytes activity)
{
    struct event *event;

    assert(trace->event_count <= TRACE_EVENTS_MAX);
    if (trace->event_count == TRACE_EVENTS_MAX || arena_used(trace->arena) > TRACE_BYTES_MAX)
        return;
    if (!trace->events)
        trace->events = arena_new_array(trace->arena, struct event, TRACE_EVENTS_MAX);
    assert(trace->event_count < TRACE_EVENTS_MAX);
    event = &trace->events[trace->event_count];
    event->number = trace->event_count++;
    event->at_us = at_us;
    event->activity = arena_copy(trace->arena, text_cut(activity, ACTIVITY_BYTES_MAX - 4));
    snprintf(event->thread, sizeof(event->thread), "%s", thread);
}

void trace_event(struct trace *trace, const char *format, ...)
{
    char text[ACTIVITY_BYTES_MAX], thread[THREAD_NAME_BYTES] = "";
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    pthread_getname_np(pthread_self(), thread, sizeof(thread));
    add_event(trace, clock_monotonic_us(trace->clock), thread, bytes_of_string(text));
}

/* What an owner did with a write comes from its report, with the owner's times. So events are
 * not added in the order of time, and are sorted before they are written. */
void trace_commit(struct trace *trace, const struct commit_report *report)
{
    char owner[THREAD_NAME_BYTES], text[256];

    if (!report->taken_us)
        return;
    snprintf(owner, sizeof(owner), "owner-%u", report->shard % 10000);
    snprintf(text, sizeof(text), "Shard %u took the command", report->shard);
    add_event(trace, report->taken_us, owner, bytes_of_string(text));
    snprintf(text, sizeof(text), "Writing a group of %u commands, %llu bytes", report->command_count,
             (unsigned long long)report->batch_bytes);
    add_event(trace, report->began_us, owner, bytes_of_string(text));
    snprintf(text, sizeof(text), "%s after %lld us", report->durable ? "Written and synced" : "Written, not synced",
             (long long)(report->written_us - report->began_us));
    add_event(trace, report->written_us, owner, bytes_of_string(text));
}

/* ---- the session's parameters ---- */

/* An entry of the session's map `parameters`, if there is room for it. */
static void add_parameter(struct trace *trace, const char *name, struct bytes value)
{
    struct native_pair *pair;

    if (arena_used(trace->arena) + strlen(name) + value.size > TRACE_BYTES_MAX)
        return;
    trace->parameters = arena_room(trace->arena, trace->parameters, trace->parameter_count, &trace->parameter_capacity,
                                   8, sizeof(*trace->parameters));
    pair = &trace->parameters[trace->parameter_count++];
    pair->name = arena_copy(trace->arena, bytes_of_string(name));
    pair->value = arena_copy(trace->arena, value);
}

/* A worker that runs the request again says the same again: the earlier parameters are
 * replaced. */
void trace_query(struct trace *trace, const char *request, struct bytes text,
                 const struct native_parameters *parameters)
{
    char number[16];

    trace->request = request;
    trace->parameter_count = 0;
    if (parameters) {
        if (parameters->page_size > 0) {
            snprintf(number, sizeof(number), "%d", parameters->page_size);
            add_parameter(trace, "page_size", bytes_of_string(number));
        }
        add_parameter(trace, "consistency_level", bytes_of_string(consistency_name(parameters->consistency)));
        add_parameter(trace, "serial_consistency_level",
                      bytes_of_string(consistency_name(parameters->serial_consistency)));
    }
    if (bytes_is_null(text))
        return;
    add_parameter(trace, "query", text_cut(cql_hide_password(trace->arena, text), TRACE_QUERY_BYTES_MAX));
}

/* How many bytes of the text are TRACE_VALUE_UNITS_MAX UTF-16 units, the units of a Java
 * string. A character outside of the basic plane has two. */
static size_t cut_units(struct bytes text)
{
    size_t at = 0;
    unsigned units = 0;

    while (at < text.size) {
        uint8_t lead = text.data[at];

        units += lead >= 0xF0 ? 2 : 1;
        if (units > TRACE_VALUE_UNITS_MAX)
            return at;
        at += lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    }
    return text.size;
}

/* Prints a bound value as a CQL literal. Of a long text or blob no more is printed than will
 * be shown. */
static void print_value(struct buffer *out, const struct type *type, struct bytes value)
{
    bool is_string = type->kind == TYPE_TEXT || type->kind == TYPE_ASCII || type->kind == TYPE_BLOB;

    if (is_string && value.size > 4 * TRACE_VALUE_UNITS_MAX)
        value = text_cut(value, 4 * TRACE_VALUE_UNITS_MAX);
    if (value.size > WHOLE_VALUE_BYTES_MAX)
        buffer_printf(out, "<%zu bytes>", value.size);
    else
        value_print(out, type, value);
}

void trace_bind(struct trace *trace, uint32_t index, const struct native_column *marker, struct bytes value)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 }, name = { 0 };
    size_t shown;

    if (arena_used(trace->arena) > TRACE_BYTES_MAX)
        return;
    buffer_printf(&name, "bound_var_%u_%.*s", index, BYTES(marker->name));
    buffer_append_u8(&name, 0);
    if (native_is_unset(value))
        buffer_append_string(&text, "<unset>");
    else if (bytes_is_null(value))
        buffer_append_string(&text, "null");
    else
        print_value(&text, marker->type, value);
    shown = cut_units(buffer_bytes(&text));
    if (shown < text.size) {
        text.size = shown;
        buffer_append_string(&text, "...'");
    }
    add_parameter(trace, (const char *)name.data, buffer_bytes(&text));
}

/* ---- rows ---- */

/* The session's row. A request that failed before it could say what it was has only its
 * duration. */
static void put_session(struct rows *rows, const struct trace *trace)
{
    struct catalog *catalog = trace->context->engine->catalog;
    int64_t duration_us = trace->ended_us - trace->began_us;

    rows_add(rows);
    rows_put_number(rows, "duration", duration_us > INT32_MAX ? INT32_MAX : duration_us);
    if (!trace->request)
        return;
    rows_put(rows, "client", bytes_of(trace->client, trace->client_bytes));
    rows_put(rows, "command", BYTES_LITERAL("QUERY"));
    rows_put(rows, "coordinator", catalog_address(catalog));
    rows_put_number(rows, "coordinator_port", CATALOG_STORAGE_PORT);
    rows_put(rows, "request", bytes_of_string(trace->request));
    rows_put_number(rows, "started_at", trace->started_us / 1000);
    for (uint32_t i = 0; i < trace->parameter_count; i++)
        rows_put_entry(rows, "parameters", trace->parameters[i].name, trace->parameters[i].value);
}

/* An event's id is a time uuid, so that events are read in the order of time. */
static void put_event(struct rows *rows, const struct trace *trace, const struct event *event,
                      struct uuid_source *uuids)
{
    int64_t elapsed_us = event->at_us > trace->began_us ? event->at_us - trace->began_us : 0;
    uint8_t id[16];

    assert(elapsed_us >= 0);
    uuid_make_time(uuids, trace->started_us + elapsed_us, id);
    rows_add(rows);
    rows_put(rows, "event_id", bytes_of(id, 16));
    rows_put(rows, "activity", event->activity);
    rows_put(rows, "source", catalog_address(trace->context->engine->catalog));
    rows_put_number(rows, "source_elapsed", elapsed_us > INT32_MAX ? INT32_MAX : elapsed_us);
    rows_put_number(rows, "source_port", CATALOG_STORAGE_PORT);
    rows_put(rows, "thread", bytes_of_string(event->thread));
}

/* By time, then as they were added. */
static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;

    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

/* ---- writing ---- */

/* Ends the trace and tells its owner. The trace is freed first: `done` may end the loop. */
static void finish(struct trace *trace, bool written)
{
    void (*done)(void *, bool) = trace->done;
    void *argument = trace->argument;

    assert(done);
    trace_free(trace);
    done(argument, written);
}

/* Sends the rows as one command; all rows of a trace are of one partition. */
static void submit(struct trace *trace, struct rows *rows, void (*done)(struct table_request *))
{
    int64_t token;

    buffer_reset(&trace->bytes);
    token = rows_encode(rows, &trace->bytes);
    trace->command = (struct table_request){
        .command = buffer_bytes(&trace->bytes), .token = token, .done = done, .error = &trace->error
    };
    if (table_submit(trace->context->port, &trace->command, &trace->error))
        finish(trace, false);
}

/* Begins rows of the trace, which expire a day after its end. */
static void begin_rows(struct rows *rows, struct trace *trace, struct bytes table)
{
    struct query_context *context = trace->context;
    const struct schema *schema = catalog_view_schema(context->engine->catalog, &context->view, trace->account);
    int64_t end_s = (trace->started_us + trace->ended_us - trace->began_us) / 1000000;

    rows_begin(rows, schema_table(schema, BYTES_LITERAL("system_traces"), table), trace->arena, end_s, TRACE_TTL_S);
    rows_put(rows, "session_id", bytes_of(trace->id, 16));
}

static void session_written(struct table_request *request)
{
    finish(CONTAINER_OF(request, struct trace, command), request->status == OK);
}

static void write_session(struct trace *trace)
{
    struct rows rows;

    begin_rows(&rows, trace, BYTES_LITERAL("sessions"));
    put_session(&rows, trace);
    submit(trace, &rows, session_written);
}

static void events_written(struct table_request *request)
{
    struct trace *trace = CONTAINER_OF(request, struct trace, command);

    if (request->status)
        finish(trace, false);
    else
        write_session(trace);
}

void trace_write(struct trace *trace, struct query_context *context, int64_t ended_us,
                 void (*done)(void *argument, bool written), void *argument)
{
    struct rows rows;
    struct uuid_source uuids; /* its own: what others made since would push the events' times on */

    assert(!trace->context && done); /* it is written once */
    trace->context = context;
    trace->ended_us = ended_us;
    trace->done = done;
    trace->argument = argument;
    if (!trace->event_count) {
        write_session(trace);
        return;
    }
    begin_rows(&rows, trace, BYTES_LITERAL("events"));
    uuid_source_init(&uuids);
    qsort(trace->events, trace->event_count, sizeof(*trace->events), compare_events);
    for (uint32_t i = 0; i < trace->event_count; i++)
        put_event(&rows, trace, &trace->events[i], &uuids);
    submit(trace, &rows, events_written);
}

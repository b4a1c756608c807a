/* Executing SELECT: partitions and slices are read in chunks, until a page is full; see read.h. A row on its way: assemble.h puts it
 * together, filter.h lets it pass, group.h adds it to its group, result.h writes it, page.h counts it.
 *
 * A page ends by rows or by bytes; where it ended goes to the client as a paging state. The first chunk lies in the request's arena; later
 * ones in an arena that is emptied for each, so that a scan of any length takes the memory of one chunk. On a loop a scan that needs many
 * chunks is handed to a worker.
 *
 * Of a partition a page shows one state, also where the page is put together from several chunks. On a worker these read through a
 * view, which is let go at the partition's end. A loop has none: where a chunk ends inside a partition, a worker begins again. */
#include "query/read.h"

#include "base/debug.h"
#include "query/assemble.h"
#include "query/filter.h"
#include "query/group.h"
#include "query/page.h"
#include "query/result.h"
#include "query/trace.h"
#include "types/text.h"

#include <assert.h>

enum {
    CHUNK_BYTES = 4 << 20,
    LOOP_CHUNKS_MAX = 8,
    LOOP_ROWS_MAX = 1000, /* a request that meets more goes to a worker: others wait meanwhile */
    LOOP_BYTES = 1 << 20,
    LOOP_KEYS_MAX = 256, /* that INs name */
};

/* What was met, over all chunks of this request: for the warning about tombstones and for the
 * limits of a loop. */
struct read_work {
    uint64_t tombstones, rows;
    int64_t last_token;
};

struct reader {
    struct execution *execution;
    const struct table_def *table;
    const struct select_plan *select;
    struct assembler row; /* the row at hand ... */
    struct row_view view; /* ... as expressions see it */
    struct filters filters;
    struct groups groups; /* where there are any */
    struct result result;
    struct page page;
    struct buffer
        *next_clustering;      /* of the last row that was looked at: the next chunk begins behind it; the context's */
    struct arena *chunk;       /* what lives as long as the rows just read */
    struct arena *owned_chunk; /* owned; NULL until a second chunk is read */
    struct table_view held;    /* of the partition at hand; a worker's */
    struct read_work work;
};

/* Has this page taken as long as one may? Its worker has others to serve, and its client asks for the next one. */
static bool is_long_page(const struct reader *reader)
{
    return reader->execution->work.done > reader->execution->context->engine->page_work_max;
}

/* ---- groups ---- */

/* The open group is complete: its row is given, and it counts for LIMIT and the page. The
 * evaluator sees the group's own row meanwhile, then again the row that is being read. */
static enum status close_group(struct reader *reader)
{
    struct eval *eval = &reader->execution->eval;
    const struct row_view *kept = eval->row;
    struct row_view view;
    enum status status = groups_show(&reader->groups, &view, reader->execution->err);

    if (status)
        return status;
    assert(view.slots && view.aggregates);
    eval->row = &view;
    status = result_give(&reader->result, view.slots, reader->groups.arena);
    eval->row = kept;
    groups_close(&reader->groups);
    if (reader->select->group_count)
        page_count(&reader->page, result_bytes(&reader->result), is_long_page(reader));
    return status;
}

/* Groups of GROUP BY lie within a partition, so its end ends the open group. The one group of
 * an aggregate without GROUP BY goes on over partitions. */
static enum status close_groups_of_partition(struct reader *reader)
{
    return reader->groups.is_open && reader->select->group_count ? close_group(reader) : OK;
}

/* Finds the group of the row at hand. Afterwards one of three holds: the group is open, and
 * the row may be added; *stopped, the page is full and the row belongs to the next one;
 * *skipped, the row's group is not given at all, because PER PARTITION LIMIT is reached. */
static enum status find_group(struct reader *reader, bool *skipped, bool *stopped)
{
    const struct select_plan *select = reader->select;
    struct bytes function_value = { NULL, 0 };
    enum status status = OK;

    if (!select->group_count) {
        if (!reader->groups.is_open)
            groups_open(&reader->groups, &reader->view, function_value);
        return OK;
    }
    /* The last column of GROUP BY may be a function of a column, floor(t, 1h): its value is
     * compared too. */
    if (select->group_function)
        status =
            expr_evaluate(select->group_function, &reader->execution->eval, &function_value, reader->execution->err);
    if (status || groups_hold(&reader->groups, reader->row.slots, function_value))
        return status;
    if (reader->groups.is_open) {
        status = close_group(reader);
        *stopped = !status && page_is_full(&reader->page);             /* this row belongs to the next page */
        *skipped = *stopped || !reader->page.limits.left_in_partition; /* PER PARTITION LIMIT counts groups */
        if (status || *skipped)
            return status;
    }
    groups_open(&reader->groups, &reader->view, function_value);
    return OK;
}

/* Adds the row at hand to its group. Of SELECT DISTINCT only the first row of each partition
 * counts. */
static enum status group_row(struct reader *reader, bool *taken, bool *stopped)
{
    bool skipped = false;
    enum status status = find_group(reader, &skipped, stopped);

    if (status || skipped)
        return status;
    *taken = true;
    if (reader->select->distinct && reader->page.position.distinct_met)
        return OK;
    reader->page.position.distinct_met = true;
    if (!reader->select->group_count) { /* a state of another statement may bring limits */
        limit_count_down(&reader->page.limits.remaining);
        limit_count_down(&reader->page.limits.left_in_partition);
        *stopped = reader->page.limits.remaining == 0;
    }
    return groups_add(&reader->groups, &reader->execution->eval, reader->execution->err);
}

/* ---- rows and partitions ---- */

/* One row that was read and assembled, or a static row alone. Sets *taken if it was given or
 * became part of a group, *stopped if nothing more may be given on this page. A row that no
 * filter lets pass counts for nothing. */
static enum status take_row(struct reader *reader, bool *taken, bool *stopped)
{
    enum status status;

    debug_assert(!*stopped);
    *taken = false;
    if (!reader->page.limits.left_in_partition)
        return OK;
    if (!filters_pass(&reader->filters, reader->row.slots))
        return work_is_over(&reader->execution->work) ? ERR_WOULD_WAIT : OK;
    if (reader->select->is_aggregate)
        return group_row(reader, taken, stopped);
    status = result_give(&reader->result, reader->row.slots, reader->chunk);
    if (status)
        return status;
    *taken = true;
    page_count(&reader->page, result_bytes(&reader->result), is_long_page(reader));
    *stopped = page_is_full(&reader->page);
    return OK;
}

/* A partition that has static columns and no row: Cassandra answers one row with null
 * clustering columns, which counts for LIMIT like any other. */
static enum status take_static_row(struct reader *reader, bool *stopped)
{
    bool taken;
    enum status status = assemble_row(&reader->row, NULL, reader->execution->err);

    if (!status)
        status = take_row(reader, &taken, stopped);
    if (!status)
        status = close_groups_of_partition(reader);
    if (status)
        return status;
    *stopped |= page_is_full(&reader->page);
    reader->page.limits.left_in_partition = 0; /* there is nothing more in it */
    return OK;
}

/* One partition of a chunk. It may be the one that the last chunk ended in, or that the last
 * page ended in: then its groups and limits go on. */
static enum status take_partition(struct reader *reader, const struct read_partition *partition, bool *stopped)
{
    enum status status = OK;

    if (!reader->page.position.in_partition ||
        !bytes_equal(buffer_bytes(reader->page.position.key), partition->partition_key)) {
        status = close_groups_of_partition(reader);
        if (!status && page_is_full(&reader->page))
            *stopped = true; /* this partition belongs to the next page */
        if (status || *stopped)
            return status;
        page_begin_partition(&reader->page, partition->partition_key);
    }
    /* Also for a partition that goes on: what was assembled before lay in the last chunk's
     * arena. */
    assemble_partition(&reader->row, partition, reader->chunk);
    /* rows_met: on an earlier page or chunk the partition had rows, so its static row is not
     * alone. */
    if (!partition->row_count && partition->static_row && !reader->page.position.rows_met &&
        !filters_ask_rows(&reader->select->where))
        return take_static_row(reader, stopped);
    const struct read_row *last = NULL;
    for (uint32_t i = 0; i < partition->row_count && !*stopped; i++) {
        bool taken;

        reader->page.position.rows_met = true;
        status = assemble_row(&reader->row, &partition->rows[i], reader->execution->err);
        if (!status)
            status = take_row(reader, &taken, stopped);
        if (status)
            return status;
        if (taken)
            last = &partition->rows[i];
    }
    /* Where the next page begins. It is copied once for a partition, not once for a row. */
    if (last)
        page_remember(&reader->page, last->clustering);
    return OK;
}

/* ---- commands ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What is left of tombstone_fail: a page may take several commands, which count together. At
 * least 1, since 0 would mean no limit. */
static uint32_t tombstone_limit(const struct reader *reader)
{
    uint64_t limit = atomic_load_explicit(&reader->execution->context->engine->tombstone_fail, memory_order_relaxed);

    if (limit)
        limit = limit > reader->work.tombstones ? limit - reader->work.tombstones : 1;
    return limit < UINT32_MAX ? (uint32_t)limit : 0;
}

/* Cassandra's words, with the token in place of the key: a key is data, and clients log
 * warnings. */
static void warn_of_tombstones(const struct reader *reader)
{
    struct execution *execution = reader->execution;

    if (!is_past_threshold(&execution->context->engine->tombstone_warn, reader->work.tombstones))
        return;
    execution_warn(
        execution->request,
        "Read %llu live rows and %llu tombstone cells for query %.*s; token %lld (see tombstone_warn_threshold)",
        (unsigned long long)reader->work.rows, (unsigned long long)reader->work.tombstones,
        BYTES(text_cut(execution->statement_text, STATEMENT_SHOWN_BYTES)), (long long)reader->work.last_token);
}

/* Cassandra's coordinator says this when the one replica that it asked has given up; the
 * address is the storage address that system.local shows. The warning comes besides, as
 * there. */
static void tell_too_many_tombstones(struct reader *reader, const struct read_result *result)
{
    struct query_request *request = reader->execution->request;

    reader->work.tombstones += result->work.tombstones_read;
    reader->work.last_token = result->work.last_token;
    warn_of_tombstones(reader);
    request->detail.failure_reason = NATIVE_FAILURE_TOO_MANY_TOMBSTONES;
    error_set(reader->execution->err, ERR_READ_FAILURE,
              "Operation failed - received 0 responses and 1 failures: READ_TOO_MANY_TOMBSTONES from /127.0.0.1:7000");
}

/* How much the next command may read. Without filters and groups each live row that is read
 * is given, so LIMIT and the page bound the reading itself. With them only the chunk does:
 * how many rows must be read to give one is not known. */
static void set_limits(const struct reader *reader, struct read_command *command)
{
    const struct where *where = &reader->select->where;
    bool counts_rows = !reader->select->is_aggregate && !where->filter_count;
    uint32_t per_partition = reader->page.limits.per_partition;

    bool may_wait = reader->execution->context->may_wait;

    /* read_all stops at LOOP_ROWS_MAX on a loop, so this is at least 1. */
    command->row_limit = reader->execution->context->engine->chunk_rows;
    if (!may_wait)
        command->row_limit = least(command->row_limit, LOOP_ROWS_MAX - (uint32_t)reader->work.rows);
    assert(may_wait || reader->work.rows < LOOP_ROWS_MAX);
    command->row_limit_per_partition = UINT32_MAX;
    command->byte_limit = may_wait ? CHUNK_BYTES : LOOP_BYTES;
    command->tombstone_limit = tombstone_limit(reader);
    /* A state that another SELECT made may leave more in its partition than this one's own
     * limit. */
    if (counts_rows) {
        command->row_limit = least(command->row_limit, reader->page.limits.remaining);
        if (reader->page.limits.is_paged)
            command->row_limit = least(command->row_limit, reader->page.limits.page_left);
        if (reader->page.position.in_partition && reader->page.limits.left_in_partition > per_partition)
            per_partition = reader->page.limits.left_in_partition; /* of the first one; take_row counts */
        if (per_partition != PAGING_NO_LIMIT)
            command->row_limit_per_partition = per_partition;
    }
}

/* Adds what the command read to the work of the request, for the warning and the limits; who
 * traces sees each command. */
static void count_work(struct reader *reader, const struct read_command *command, const struct read_result *result)
{
    struct trace *trace = reader->execution->request->trace;

    reader->work.tombstones += result->work.tombstones_read;
    reader->work.rows += result->work.rows_read;
    reader->work.last_token = result->work.last_token;
    if (__builtin_expect(!trace, 1))
        return;
    if (bytes_is_null(command->partition_key))
        trace_event(trace, "Scanned tokens from %lld to %lld: %u partitions of %.*s", (long long)command->token,
                    (long long)command->token_last, result->partition_count, BYTES(reader->table->name));
    else
        trace_event(trace, "Executed single-partition query on %.*s, token %lld", BYTES(reader->table->name),
                    (long long)command->token);
    trace_event(trace, "Read %u live rows and %u tombstone cells, %llu bytes", result->work.rows_read,
                result->work.tombstones_read, (unsigned long long)result->work.bytes_read);
}

/* Makes the command go on inside the partition that the last one ended in: behind the last row that
 * was looked at, which is not always the last one that was given, for filters may have refused it. A
 * scan ends with the partition's token, so that the view can be let go before others are read. */
static void enter_again(struct reader *reader, struct read_command *command, struct bytes clustering)
{
    /* The clustering lies in the chunk's arena, which is emptied before the next chunk is read. A
     * clustering of no bytes must not become NULL, which would mean the partition's beginning. */
    buffer_reset(reader->next_clustering);
    buffer_reserve(reader->next_clustering, clustering.size + 1);
    buffer_append_bytes(reader->next_clustering, clustering);
    command->after_clustering = buffer_bytes(reader->next_clustering);
    command->after_static = true;
    if (!bytes_is_null(command->partition_key))
        return;
    command->after_partition = buffer_bytes(reader->page.position.key);
    command->after_partition_inclusive = true;
    command->token = command->token_last = token_of_partition_key(command->after_partition);
}

/* Makes a scan go on behind the partition that was read last, up to its own last token. */
static void pass_on(struct reader *reader, struct read_command *command, int64_t token_last)
{
    table_view_release(&reader->held);
    command->after_clustering = (struct bytes){ 0 };
    command->after_static = false;
    command->after_partition = buffer_bytes(reader->page.position.key);
    command->after_partition_inclusive = false;
    command->token = token_of_partition_key(command->after_partition);
    command->token_last = token_last;
}

/* What is left to read after a chunk. *more: the command goes on with it. */
static enum status go_on(struct reader *reader, struct read_command *command, const struct read_result *result,
                         int64_t token_last, bool *more)
{
    const struct read_partition *last = NULL;
    bool is_scan = bytes_is_null(command->partition_key);

    if (result->has_more && result->partition_count)
        last = &result->partitions[result->partition_count - 1];
    if (last && last->row_count && reader->page.limits.left_in_partition) {
        if (!reader->execution->context->may_wait)
            return ERR_WOULD_WAIT;
        enter_again(reader, command, last->rows[last->row_count - 1].clustering);
        *more = true;
        return OK;
    }
    *more = is_scan && (last || command->token_last != token_last);
    if (*more)
        pass_on(reader, command, token_last);
    return OK;
}

/* Reads from one command's beginning, or from where reading stands, to its end or until the
 * page is full. On a loop it gives up (ERR_WOULD_WAIT) after LOOP_CHUNKS_MAX chunks or
 * LOOP_ROWS_MAX rows, or inside a partition: a worker then begins again, whole, while others are
 * served here. *chunks counts over the partitions of an IN. */
static enum status read_all(struct reader *reader, struct read_command *command, uint32_t *chunks, bool *stopped)
{
    struct execution *execution = reader->execution;
    const int64_t token_last = command->token_last;
    struct read_result result;
    bool more = false;

    command->view = execution->context->may_wait ? &reader->held : NULL;
    do {
        if ((++*chunks > LOOP_CHUNKS_MAX || reader->work.rows >= LOOP_ROWS_MAX) && !execution->context->may_wait)
            return ERR_WOULD_WAIT;
        /* The first chunk lies in the request's arena, so that a point read makes no arena of
         * its own. */
        if (*chunks == 2) {
            reader->owned_chunk = arena_new(1 << 16);
            reader->chunk = reader->owned_chunk;
        } else if (*chunks > 2) {
            arena_reset(reader->chunk);
        }
        /* What expressions make of a row lives as long as its chunk. */
        execution->eval.arena = execution->eval.functions.arena = reader->chunk;
        set_limits(reader, command);
        assert(command->row_limit && reader->chunk);
        enum status status = table_read(execution->context->port, command, execution->context->may_wait, reader->chunk,
                                        &result, execution->err);
        if (!status)
            count_work(reader, command, &result);
        else if (status == ERR_READ_FAILURE && command->tombstone_limit &&
                 result.work.tombstones_read > command->tombstone_limit)
            tell_too_many_tombstones(reader, &result);
        for (uint32_t i = 0; i < result.partition_count && !status && !*stopped; i++)
            status = take_partition(reader, &result.partitions[i], stopped);
        if (!status && !*stopped)
            status = go_on(reader, command, &result, token_last, &more);
        if (status)
            return status;
    } while (more && !*stopped);
    return OK;
}

/* The partitions that `=` and IN name, in the order that access_partitions gave them. A
 * restriction of token() beside them leaves out those whose token lies outside. */
static enum status read_partitions(struct reader *reader, const struct partition_list *keys, uint32_t first_key,
                                   struct read_command *command, bool *stopped)
{
    struct execution *execution = reader->execution;
    int64_t first = INT64_MIN, last = INT64_MAX;
    uint32_t chunks = 0;
    enum status status = OK;

    assert(keys); /* who reads by keys has named some, or none */
    if (reader->select->where.access.tokens.is_restricted) {
        bool nothing;

        status =
            access_tokens(&reader->select->where.access, &execution->eval, &first, &last, &nothing, execution->err);
        if (status || nothing)
            return status;
    }
    assert(first_key <= keys->count);
    for (uint32_t i = first_key; i < keys->count && !*stopped && !status; i++) {
        command->partition_key = keys->keys[i];
        command->token = token_of_partition_key(keys->keys[i]);
        if (command->token < first || command->token > last)
            continue;
        /* Only the first one can be the partition that a paging state has begun. */
        if (!reader->page.position.in_partition || !bytes_equal(buffer_bytes(reader->page.position.key), keys->keys[i]))
            page_begin_partition(&reader->page, keys->keys[i]);
        command->after_clustering =
            reader->page.position.has_clustering ? buffer_bytes(reader->page.position.clustering) : bytes_of(NULL, 0);
        command->after_static = reader->page.position.has_clustering;
        status = read_all(reader, command, &chunks, stopped);
        if (!status && !*stopped)
            status = close_groups_of_partition(reader);
        *stopped |= page_is_full(&reader->page);
    }
    return status;
}

/* A scan: the partitions of a range of tokens, in the order of their tokens. A page goes on
 * in, or behind, the partition where the last one ended. */
static enum status read_range(struct reader *reader, struct read_command *command, bool *stopped)
{
    struct execution *execution = reader->execution;
    uint32_t chunks = 0;
    bool nothing;
    enum status status = access_tokens(&reader->select->where.access, &execution->eval, &command->token,
                                       &command->token_last, &nothing, execution->err);

    if (status || nothing)
        return status;
    if (reader->page.position.in_partition) {
        int64_t token = token_of_partition_key(buffer_bytes(reader->page.position.key));

        /* The state may come from a SELECT with other tokens: beyond ours there is nothing,
         * before ours we begin at our own start. */
        if (token > command->token_last)
            return OK;
        if (token >= command->token) {
            command->token = token;
            command->after_partition = buffer_bytes(reader->page.position.key);
            /* With rows left the partition is entered again, behind its last row; otherwise
             * it is passed over. */
            command->after_partition_inclusive =
                reader->page.position.has_clustering && reader->page.limits.left_in_partition;
            command->after_static = command->after_partition_inclusive;
            if (command->after_partition_inclusive)
                command->after_clustering = buffer_bytes(reader->page.position.clustering);
        }
    }
    status = read_all(reader, command, &chunks, stopped);
    if (!status && !*stopped)
        status = close_groups_of_partition(reader);
    return status;
}

/* ---- the whole ---- */

/* The end of reading: gives the group that is still open, and the sorted rows. An aggregate
 * without GROUP BY answers one row even if there was none to add: count(*) is 0. */
static enum status finish_rows(struct reader *reader)
{
    const struct select_plan *select = reader->select;
    enum status status = OK;

    if (select->is_aggregate && !select->group_count) {
        if (!reader->groups.is_open) {
            memset(reader->row.slots, 0, sizeof(*reader->row.slots) * select->slot_count);
            groups_open(&reader->groups, &reader->view, bytes_of(NULL, 0));
        }
        status = close_group(reader);
    }
    return status ? status : result_finish(&reader->result);
}

/* Rows that are sorted afterwards cannot be paged. Cassandra refuses that only when it really
 * reads: not where nothing can be found, and always for an aggregate, which it reads for in
 * any case. `named` is NULL where the partitions were not looked up, because no slice holds
 * anything; then they are looked up here. */
static enum status check_sorted_pages(struct reader *reader, bool nothing, const struct partition_list *named,
                                      uint32_t page_size)
{
    struct execution *execution = reader->execution;
    const struct where *where = &reader->select->where;
    struct partition_list keys = { 0 };

    if (!reader->select->sort_count || !page_size)
        return OK;
    assert(where->access.kind != ACCESS_RANGE); /* rows of one partition, and of a range of tokens, come in order */
    if (nothing && !reader->select->is_aggregate) {
        bool is_slice = where->access.clustering_count &&
                        where->access.clustering[where->access.clustering_count - 1].kind == PART_SLICE;

        if (named || is_slice)
            return OK;
        enum status status = access_partitions(&where->access, reader->table, &execution->eval, &keys, execution->err);
        if (status || !keys.count)
            return status;
    }
    return error_set(
        execution->err, ERR_INVALID,
        "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query");
}

/* Decodes the paging state of the request. A client whose state is refused gets no warnings
 * besides. */
static enum status take_state(struct reader *reader, const struct paging_scope *scope, struct paging_state *state)
{
    struct execution *execution = reader->execution;
    enum status status = paging_decode(execution->parameters->paging_state, scope, state, execution->err);

    if (status)
        execution->request->warning_count = 0;
    return status;
}

/* Sets LIMIT, PER PARTITION LIMIT and the size of a page, before a state narrows them. LIMIT
 * does not bound what is sorted afterwards or aggregated to one row: then all rows must be
 * read. */
static void set_page(struct reader *reader, uint32_t limit, uint32_t page_size)
{
    const struct select_plan *select = reader->select;
    struct limits *limits = &reader->page.limits;
    bool limits_rows = !select->sort_count && !(select->is_aggregate && !select->group_count);

    assert(limit && limits->per_partition);
    limits->remaining = limits_rows ? limit : PAGING_NO_LIMIT;
    if (select->distinct && !select->is_aggregate)
        limits->per_partition = 1;
    limits->left_in_partition = limits->per_partition;
    limits->is_paged = page_size && !(select->is_aggregate && (!select->group_count || select->distinct));
    limits->page_left = limits->is_paged ? page_size : 0;
}

/* Fills in what all commands of the statement have in common: the table, the slices within
 * partitions, what is wanted of rows. `nothing`: the slices are empty, so no row can be
 * found. */
static enum status make_command(struct reader *reader, struct read_command *command, bool *nothing)
{
    static const struct slice only = { { (const uint8_t *)"", 0 }, { (const uint8_t *)"", 0 }, true, true };
    const struct select_plan *select = reader->select;
    const struct access *access = &select->where.access;
    const struct table_def *table = reader->table;
    struct slice *slices;

    *command = (struct read_command){
        .table_id = table->id,
        .schema_version = table->version,
        .def = table,
        .virtual_def = table->virtual_table ? table : NULL,
        .viewer = reader->execution->request->session->account,
        .reversed = select->reversed,
        .rows_wanted = select->rows_wanted,
        .static_wanted = select->static_wanted,
        .now_s = reader->execution->eval.now_s,
    };
    enum status status = access_slices(access, table, &reader->execution->eval, &slices, &command->slice_count, nothing,
                                       reader->execution->err);
    if (status)
        return status;
    command->slices = slices;
    if (access->kind != ACCESS_PARTITIONS || !access->clustering_is_complete)
        return OK;
    command->slices_are_rows = true;
    /* A table without clustering columns has one row in each partition, whose clustering is
     * empty. */
    if (!table->clustering_count) {
        command->slices = &only;
        command->slice_count = 1;
    }
    return OK;
}

/* The keys that the statement names. Serial reads are of one partition, as in Cassandra: its
 * owner orders them with the conditional writes. */
static enum status name_partitions(struct reader *reader, struct partition_list *keys)
{
    struct execution *execution = reader->execution;
    enum status status =
        access_partitions(&reader->select->where.access, reader->table, &execution->eval, keys, execution->err);

    if (!status && keys->count > 1 && consistency_is_serial(execution->parameters->consistency))
        status = error_set(execution->err, ERR_INVALID,
                           "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time");
    return status;
}

/* Goes the way that the plan's access names. named is set for ACCESS_PARTITIONS. */
static enum status read_rows(struct reader *reader, const struct partition_list *named, uint32_t first_key,
                             struct read_command *command)
{
    bool stopped = false;

    assert(named || reader->select->where.access.kind == ACCESS_RANGE);
    switch (reader->select->where.access.kind) {
    case ACCESS_PARTITIONS: return read_partitions(reader, named, first_key, command, &stopped);
    case ACCESS_RANGE: return read_range(reader, command, &stopped);
    }
    return OK;
}

/* What the values say before any key is looked at: both limits, the filters, and where the page
 * begins. *state is set if has_state. */
static enum status take_values(struct reader *reader, const struct paging_scope *scope, bool has_state, uint32_t *limit,
                               struct paging_state *state)
{
    struct execution *execution = reader->execution;
    const struct select_plan *select = reader->select;
    enum status status = limit_evaluate(select->per_partition_limit, &execution->eval,
                                        &reader->page.limits.per_partition, execution->err);

    if (!status)
        status = limit_evaluate(select->limit, &execution->eval, limit, execution->err);
    if (!status)
        status = filters_prepare(&reader->filters, &select->where, &execution->eval, execution->err);
    if (!status && has_state)
        status = take_state(reader, scope, state);
    return status;
}

/* The whole SELECT with its values. The order of the steps is the order in which Cassandra
 * finds errors: limits, filters, the paging state, the clustering, the partition keys,
 * sorting with pages. */
static enum status read_with(struct reader *reader)
{
    struct execution *execution = reader->execution;
    const struct select_plan *select = reader->select;
    const struct native_parameters *parameters = execution->parameters;
    struct paging_scope scope = {
        .keys = execution->context->engine->keys,
        .key = bytes_of(execution->context->engine->mac_key, MAC_KEY_BYTES),
        .table = bytes_of(reader->table->uuid, sizeof(reader->table->uuid)),
    };
    struct paging_state state;
    struct read_command command;
    struct partition_list keys, *named = NULL;
    bool has_state = parameters->paging_state.size > 0, nothing = false;
    uint32_t limit, page_size = parameters->page_size > 0 ? (uint32_t)parameters->page_size : 0, first_key = 0;
    enum status status = take_values(reader, &scope, has_state, &limit, &state);

    if (status)
        return status;
    /* When this request asks for no page, a state is ignored and reading begins anew, as in
     * Cassandra. It also is if all that LIMIT allows fits in one page, unless the last page
     * ended by its bytes. */
    if (has_state)
        has_state = select->is_aggregate || state.full_of_bytes || (page_size && limit > page_size);
    set_page(reader, limit, page_size);
    status = make_command(reader, &command, &nothing);
    if (!status && !nothing && select->where.access.kind == ACCESS_PARTITIONS) {
        status = name_partitions(reader, &keys);
        named = &keys;
        nothing = !status && !keys.count;
    }
    if (!status)
        status = check_sorted_pages(reader, nothing, named, page_size);
    if (status)
        return status;
    /* A state of one named partition leaves the key out: a scan cannot begin at it. */
    if (!nothing && has_state && !named && bytes_is_null(state.partition_key))
        return paging_refuse(execution->err);
    if (!nothing && has_state)
        first_key = page_resume(&reader->page, &state, named);
    result_begin(&reader->result, execution, select, limit);
    execution->eval.row = &reader->view;
    if (!nothing && reader->page.limits.remaining)
        status = read_rows(reader, named, first_key, &command);
    if (!status)
        status = finish_rows(reader);
    if (status)
        return status;
    warn_of_tombstones(reader);
    TRACE(execution->request->trace, "Answering %u rows", reader->result.rows.row_count);
    /* The paging state stands before the rows, but is known only now. */
    if (page_has_more(&reader->page, named, &state))
        result_put_state(&reader->result, paging_encode(execution->request->arena, &scope, &state));
    native_rows_end(&reader->result.rows);
    return OK;
}

/* There is one replica, so every other level is the same here. */
static enum status check_read_consistency(struct execution *execution)
{
    if (execution->parameters->consistency == CONSISTENCY_ANY)
        return error_set(execution->err, ERR_INVALID, "ANY ConsistencyLevel is only supported for writes");
    return OK;
}

/* An IN of many keys is handed to a worker before anything is done: what a loop did until it
 * gave up would be done a second time. */
static enum status check_length(struct execution *execution)
{
    const struct plan *plan = execution->plan;

    if (execution->context->may_wait ||
        !access_is_long(&plan->select->where.access, plan->table, &execution->eval, LOOP_KEYS_MAX))
        return OK;
    return ERR_WOULD_WAIT;
}

/* The position of reading lies in buffers of the context, which keep their size: no request
 * for memory per read. One context runs one request at a time. */
static void reader_init(struct reader *reader, struct execution *execution)
{
    const struct select_plan *select = execution->plan->select;
    struct query_context *context = execution->context;
    struct arena *arena = execution->request->arena;

    *reader = (struct reader){
        .execution = execution,
        .table = execution->plan->table,
        .select = select,
        .page = { .select = select,
                  .position = { .key = &context->last_key, .clustering = &context->last_clustering } },
        .next_clustering = &context->next_clustering,
        .chunk = arena,
    };
    buffer_reset(reader->page.position.key);
    buffer_reset(reader->page.position.clustering);
    assembler_init(&reader->row, arena, select, &context->scratch);
    if (select->is_aggregate)
        groups_init(&reader->groups, select);
    reader->view = (struct row_view){
        .slots = reader->row.slots,
        .cells = reader->row.cells,
        .cell_counts = reader->row.cell_counts,
        .columns = select->slots,
    };
}

static void reader_fini(struct reader *reader)
{
    if (reader->select->is_aggregate)
        groups_fini(&reader->groups);
    table_view_release(&reader->held);
    if (reader->owned_chunk)
        arena_free(reader->owned_chunk);
}

/* Runs a SELECT. A failure takes back what was written to the reply: it may fail in its last
 * row. */
enum query_result execute_select(struct execution *execution)
{
    size_t body_at = execution->out->size;
    struct reader reader;
    enum status status = check_read_consistency(execution);

    if (!status)
        status = check_length(execution);
    if (!status) {
        reader_init(&reader, execution);
        status = read_with(&reader);
        reader_fini(&reader);
    }
    if (status) {
        execution->out->size = body_at;
        return execution_failed(execution, status);
    }
    return QUERY_DONE;
}

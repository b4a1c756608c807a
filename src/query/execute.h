/* query/execute.h: what the executing files share: one execution of one plan.
 *
 * Owns:    an execution lives on the stack of query_run.
 * Thread:  its context's.
 */
#ifndef QUERY_EXECUTE_H
#define QUERY_EXECUTE_H

#include "query/context.h"
#include "query/request.h"

enum { STATEMENT_SHOWN_BYTES = 800 /* of a text in warnings and events */ };

struct execution {
    struct query_context *context;
    struct query_request *request;
    const struct plan *plan;
    struct prepared **prepared; /* whose plans are executed; borrowed while query_run lasts */
    uint32_t prepared_count;
    struct prepared *only_prepared; /* of EXECUTE */
    const struct schema *schema;
    const struct native_parameters *parameters;
    struct buffer *out;
    struct error *err;
    struct eval eval;
    struct work work;            /* that planning and running have taken so far */
    uint8_t version;             /* of the protocol */
    struct bytes keyspace;       /* of names that have none; NULL data: there is none */
    struct bytes statement_text; /* for warnings */
};

/* Another warning for the client, if it has not had its fill of them. */
void execution_warn(struct query_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads, or says that somebody who may wait must do it. */
enum status execution_read(struct execution *execution, const struct read_command *command, struct read_result *result);
/* QUERY_DONE with request.error, or QUERY_WAITS. */
enum query_result execution_failed(struct execution *execution, enum status status);

/* error.detail of a function that failed, which may be a plan's that goes before the error is told. */
void execution_describe_failure(struct query_request *request, const struct function *function);

/* Rows of named columns that no table holds: DESCRIBE, [applied]. */
void execution_begin_rows(struct execution *execution, struct native_rows *rows, const struct native_column *columns,
                          uint32_t count, struct bytes paging_state);

#endif

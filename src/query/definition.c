/* CREATE, ALTER and DROP. catalog/ decides what the change is and has it on the disk before
 * it returns, and has told all who listen; here its warnings and its result are told to the
 * client. */
#include "query/definition.h"

#include "cql/print.h"
#include "query/grant.h"
#include "schema/ddl.h"

#include <assert.h>

/* A statement that changed nothing (IF NOT EXISTS) is answered VOID. A change is answered
 * SCHEMA_CHANGE with what and how, from which drivers know what to read again. */
enum query_result execute_definition(struct execution *execution)
{
    struct query_context *context = execution->context;
    struct ddl_change change = { 0 };
    enum status status;

    assert(context->may_wait);
    status = catalog_change(context->engine->catalog, execution->request->session->account, context->port,
                            execution->plan->statement, execution->keyspace, execution->request->arena, &change,
                            execution->err);
    if (status)
        return execution_failed(execution, status);
    for (uint32_t i = 0; i < change.warning_count; i++)
        execution_warn(execution->request, "%.*s", BYTES(change.warnings[i]));
    status = change.happened ? grant_to_creator(execution, &change) : OK;
    if (status)
        return execution_failed(execution, status);
    if (!change.happened) {
        native_encode_result_void(execution->out);
        return QUERY_DONE;
    }
    assert(change.keyspace.data);
    struct native_schema_change told = {
        .change = change.action == DDL_CREATED   ? NATIVE_CREATED
                  : change.action == DDL_UPDATED ? NATIVE_UPDATED
                                                 : NATIVE_DROPPED,
        .target = change.target == DDL_KEYSPACE ? NATIVE_TARGET_KEYSPACE
                  : change.target == DDL_TABLE  ? NATIVE_TARGET_TABLE
                                                : NATIVE_TARGET_TYPE,
        .keyspace = change.keyspace,
        .name = change.name,
    };
    native_encode_result_schema_change(execution->out, &told);
    return QUERY_DONE;
}

/* What a DROP names, as Cassandra calls it when it is not there. */
struct missing {
    struct bytes keyspace; /* as it was written; null: the session's */
    bool if_exists;
    const char *what;
    struct bytes name;      /* with the arguments of a function */
    struct bytes of_table;  /* that a trigger was said to be on */
    const char *apostrophe; /* the message about indexes has one more */
};

/* The function with its arguments: nope(int, text). Without parentheses, whatever it takes. */
static struct bytes signature(struct arena *arena, const struct drop_function_statement *statement)
{
    struct buffer out = { 0 };

    buffer_append_bytes(&out, statement->name.name);
    if (statement->has_arguments) {
        buffer_append_string(&out, "(");
        for (uint32_t i = 0; i < statement->argument_count; i++) {
            if (i)
                buffer_append_string(&out, ", ");
            cql_print_type(&out, statement->arguments[i]);
        }
        buffer_append_string(&out, ")");
    }
    return buffer_to_arena(arena, &out);
}

static struct missing missing_of(struct arena *arena, const struct cql_statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_DROP_INDEX:
    case STATEMENT_DROP_VIEW: {
        const struct named_statement *named = statement->named;
        bool is_index = statement->kind == STATEMENT_DROP_INDEX;

        return (struct missing){ .keyspace = named->name.keyspace,
                                 .if_exists = named->if_exists,
                                 .what = is_index ? "Index" : "Materialized view",
                                 .name = named->name.name,
                                 .apostrophe = is_index ? "'" : "" };
    }
    case STATEMENT_DROP_TRIGGER:
        return (struct missing){ .keyspace = statement->trigger->table.keyspace,
                                 .if_exists = statement->trigger->if_exists,
                                 .what = "Trigger",
                                 .name = statement->trigger->name,
                                 .of_table = statement->trigger->table.name };
    default: {
        const struct drop_function_statement *function = statement->drop_function;

        assert(statement->kind == STATEMENT_DROP_FUNCTION || statement->kind == STATEMENT_DROP_AGGREGATE);
        return (struct missing){ .keyspace = function->name.keyspace,
                                 .if_exists = function->if_exists,
                                 .what = statement->kind == STATEMENT_DROP_FUNCTION ? "Function" : "Aggregate",
                                 .name = signature(arena, function),
                                 .apostrophe = "" };
    }
    }
}

/* Tools that migrate schemas send these with IF EXISTS. The order of the checks is Cassandra's. */
enum query_result execute_drop_of_nothing(struct execution *execution)
{
    struct missing missing = missing_of(execution->request->arena, execution->plan->statement);
    struct bytes keyspace = bytes_is_null(missing.keyspace) ? execution->keyspace : missing.keyspace;
    struct error *err = execution->err;

    if (bytes_is_null(keyspace))
        return execution_failed(
            execution,
            error_set(err, ERR_INVALID,
                      "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"));
    if (ddl_is_local_system_keyspace(keyspace))
        return execution_failed(
            execution, error_set(err, ERR_INVALID, "System keyspace '%.*s' is not user-modifiable", BYTES(keyspace)));
    if (missing.if_exists) {
        native_encode_result_void(execution->out);
        return QUERY_DONE;
    }
    if (!bytes_is_null(missing.of_table))
        return execution_failed(execution,
                                error_set(err, ERR_INVALID, "%s '%.*s' on '%.*s.%.*s' doesn't exist", missing.what,
                                          BYTES(missing.name), BYTES(keyspace), BYTES(missing.of_table)));
    return execution_failed(execution, error_set(err, ERR_INVALID, "%s '%.*s.%.*s' doesn't exist%s", missing.what,
                                                 BYTES(keyspace), BYTES(missing.name), missing.apostrophe));
}

/* Changes are decided by schema/ and saved by catalog/, for CQL and for this alike. What they refuse is told in
 * AWS's terms here; only what is missing, or there already, AWS tells apart where Cassandra does not, so it is
 * looked up in the definitions. */
#include "control/action.h"

#include "control/state.h"
#include "schema/ddl.h"

#include <assert.h>

#define INTERNAL "InternalServerException"

/* ---- definitions of the caller's account ---- */

/* The lock that is taken for it nobody holds for longer than a count takes: reading never waits for a change
 * that waits for the disk. */
struct schema *action_schema(const struct api_call *call)
{
    return catalog_ref_schema_of(control_of(call)->catalog, call->caller.account);
}

/* Under the lock of the port, which belongs to one thread at a time. An account that nobody has named has nothing that
 * could be changed, and is not made for what is refused: its first keyspace makes it. */
static enum status change(const struct api_call *call, const struct cql_statement *statement, struct error *err)
{
    struct control *control = control_of(call);
    struct catalog_account *account = catalog_find_account(control->catalog, call->caller.account);
    struct ddl_change made;
    enum status status = OK;

    assert(control->port);
    if (!account && statement->kind != STATEMENT_CREATE_KEYSPACE)
        return error_set(err, ERR_INVALID, "The account has no keyspaces");
    if (!account)
        status = catalog_account(control->catalog, call->caller.account, &account, err);
    /* Of what it may say to digits only this is left: there are as many accounts as there may be. */
    if (status)
        return err->status = ERR_LIMIT;
    pthread_mutex_lock(&control->changing);
    status =
        catalog_change(control->catalog, account, control->port, statement, bytes_of(NULL, 0), call->arena, &made, err);
    pthread_mutex_unlock(&control->changing);
    return status;
}

/* CQL's text ends at a NUL: no definition that it can show or make again has one. */
static bool has_nul(const struct tree *tree)
{
    bool found = false;

    if (!tree)
        return false;
    switch (tree->shape->kind) {
    case SHAPE_STRING: return tree->bytes.size && memchr(tree->bytes.data, 0, tree->bytes.size);
    case SHAPE_STRUCTURE:
        for (uint32_t i = 0; i < tree->shape->member_count && !found; i++)
            found = has_nul(tree->members[i]);
        return found;
    case SHAPE_LIST:
    case SHAPE_MAP:
        for (uint32_t i = 0; i < tree->count && !found; i++)
            found = has_nul(tree->entries[i].value) ||
                    (tree->entries[i].key.size && memchr(tree->entries[i].key.data, 0, tree->entries[i].key.size));
        return found;
    case SHAPE_BLOB:
    case SHAPE_BOOLEAN:
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
    case SHAPE_TIMESTAMP:
    case SHAPE_DOCUMENT: break;
    }
    return false;
}

/* The definition is durable, and in force, when this is OK. Warnings that CQL's clients get have no place in an
 * answer of AWS. */
enum status action_change(const struct api_call *call, const struct cql_statement *statement, struct error *err)
{
    if (has_nul(call->input))
        return error_set(err, ERR_INVALID, "A text cannot have the character U+0000");
    return change(call, statement, err);
}

static struct arn_owner owner_of(const struct api_call *call)
{
    return (struct arn_owner){ .account = call->caller.account, .region = call->caller.region };
}

struct bytes action_arn(const struct api_call *call, struct bytes keyspace, struct bytes table)
{
    struct arn_owner owner = owner_of(call);

    return arn_print(call->arena, &owner, keyspace, table);
}

bool action_owns(const struct api_call *call, const struct arn *arn)
{
    struct arn_owner owner = owner_of(call);

    return arn_is_of(arn, &owner);
}

/* ---- what is refused ---- */

/* Those that a client of CQL may alter (system_auth) as well: AWS has nothing like it. */
bool action_is_system(struct bytes keyspace)
{
    return ddl_is_local_system_keyspace(keyspace) || ddl_is_replicated_system_keyspace(keyspace) ||
           ddl_is_virtual_system_keyspace(keyspace);
}

/* Looked at before all else, so that nothing is told of what a change would have met. */
bool action_may_change(struct api_call *call, struct bytes keyspace)
{
    if (!action_is_system(keyspace))
        return true;
    return api_fail(call, "AccessDeniedException", "%.*s is a system keyspace, which cannot be changed",
                    BYTES(keyspace));
}

/* With the name that clients know it by; types have none of their own. */
static bool fail_missing(struct api_call *call, const struct subject *subject, bool has_keyspace)
{
    struct bytes keyspace = subject->keyspace, table = has_keyspace ? subject->table : bytes_of(NULL, 0);

    if (!has_keyspace)
        api_fail(call, "ResourceNotFoundException", "Keyspace '%.*s' does not exist", BYTES(keyspace));
    else if (table.data)
        api_fail(call, "ResourceNotFoundException", "Table '%.*s' does not exist in keyspace '%.*s'", BYTES(table),
                 BYTES(keyspace));
    else
        api_fail(call, "ResourceNotFoundException", "Type '%.*s' does not exist in keyspace '%.*s'",
                 BYTES(subject->type), BYTES(keyspace));
    api_fail_detail(call, "resourceArn", action_arn(call, keyspace, table));
    return false;
}

/* The keyspace first: of what is in one that is not there nothing can be said. */
bool action_find(struct api_call *call, const struct schema *schema, const struct subject *subject)
{
    const struct keyspace_def *keyspace = schema_keyspace(schema, subject->keyspace);
    uint32_t at;

    assert(subject->keyspace.data);
    if (!keyspace)
        return fail_missing(call, subject, false);
    if (subject->table.data && !keyspace_def_find_table(keyspace, subject->table, &at))
        return fail_missing(call, subject, true);
    return !subject->type.data || keyspace_def_find_type(keyspace, subject->type, &at) ||
           fail_missing(call, subject, true);
}

/* Whose fault it is. What is ours may be asked again by clients: 5xx. Nobody is told less than happened: a change
 * of unknown outcome is never told as done, nor as refused. */
static const char *fault_of(enum status status)
{
    switch (status) { /* no default: the compiler names the status that was forgotten */
    case ERR_PROTOCOL:
    case ERR_SYNTAX:
    case ERR_INVALID:
    case ERR_CONFIG: return "ValidationException";
    case ERR_LIMIT: return "ServiceQuotaExceededException";
    case ERR_UNAUTHORIZED: return "AccessDeniedException";
    case ERR_ALREADY_EXISTS: return "ConflictException";
    case OK:
    case ERR_SERVER:
    case ERR_CREDENTIALS:
    case ERR_UNAVAILABLE:
    case ERR_OVERLOADED:
    case ERR_BOOTSTRAPPING:
    case ERR_TRUNCATE:
    case ERR_WRITE_TIMEOUT:
    case ERR_READ_TIMEOUT:
    case ERR_READ_FAILURE:
    case ERR_FUNCTION_FAILURE:
    case ERR_WRITE_FAILURE:
    case ERR_CDC_WRITE_FAILURE:
    case ERR_UNPREPARED:
    case ERR_WOULD_WAIT:
    case ERR_NOT_FOUND:
    case ERR_IO:
    case ERR_NO_SPACE:
    case ERR_CORRUPT:
    case ERR_STALE:
    case ERR_CLOSED: break;
    }
    return INTERNAL;
}

bool action_is_ours(enum status status)
{
    return strcmp(fault_of(status), INTERNAL) == 0;
}

/* Cassandra calls what is missing invalid, as it does all that is wrong with a statement. */
bool action_end(struct api_call *call, enum status status, const struct subject *subject, const struct error *err)
{
    if (!status)
        return true;
    /* Looked up now, when it is known that nothing was changed. */
    if (status == ERR_INVALID && subject->keyspace.data) {
        CLEANUP(schema_unref) struct schema *schema = action_schema(call);

        if (!action_find(call, schema, subject))
            return false;
    }
    return api_fail(call, fault_of(status), "%s", err->message);
}

/* For whoever has nothing to say of what was refused. */
bool action_run(struct api_call *call, const struct cql_statement *statement, const struct subject *subject)
{
    struct error err;

    return action_end(call, action_change(call, statement, &err), subject, &err);
}

/* An operation has those of the members that its shape has. */
static struct bytes name_of(const struct tree *input, const char *member)
{
    return shape_member_find(input->shape, bytes_of_string(member)) ? tree_string(input, member) : bytes_of(NULL, 0);
}

/* Names are final: no operation but CreateType changes them. */
struct subject action_subject(const struct api_call *call)
{
    return (struct subject){ .keyspace = name_of(call->input, "keyspaceName"),
                             .table = name_of(call->input, "tableName"),
                             .type = name_of(call->input, "typeName") };
}

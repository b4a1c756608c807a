/* control/action.h: what every action does with definitions: takes those of the caller's account, changes them, and tells why it could not.
 *
 * Shapes:  a subject says what an action is about: a keyspace, a table or a type in it; data NULL: not that.
 * Owns:    action_schema gives a reference, to be released: CLEANUP(schema_unref).
 * Errors:  of AWS, as docs/apis.md lists them; those of the catalog become them in action_refuse.
 * Thread:  any. action_schema waits for nobody but who takes a reference too; action_change waits for the disk.
 */
#ifndef CONTROL_ACTION_H
#define CONTROL_ACTION_H

#include "api/handler.h"
#include "base/memory.h"
#include "cql/ast.h"
#include "schema/arn.h"
#include "schema/schema.h"

DEFINE_CLEANUP(struct schema *, schema_unref)

struct subject {
    struct bytes keyspace, table, type;
};

/* The definitions in force. Others, made later, are not seen. */
struct schema *action_schema(const struct api_call *call);
/* Makes the change that the statement asks, durably. */
enum status action_change(const struct api_call *call, const struct cql_statement *statement, struct error *err);

/* What became of it, told to the client: returns whether it was OK. ResourceNotFoundException if the subject, or what it is in, is not
 * there. */
bool action_end(struct api_call *call, enum status status, const struct subject *subject, const struct error *err);
/* Is it a fault of ours, and not of what was asked? */
bool action_is_ours(enum status status);
/* Both of action_change and action_end. */
bool action_run(struct api_call *call, const struct cql_statement *statement, const struct subject *subject);
/* False, and ResourceNotFoundException with its name: the subject is not in the schema. */
bool action_find(struct api_call *call, const struct schema *schema, const struct subject *subject);
/* False, and AccessDeniedException: the keyspace is the server's own. */
bool action_may_change(struct api_call *call, struct bytes keyspace);
bool action_is_system(struct bytes keyspace);

/* What a keyspace, or its table, is called elsewhere in AWS: of the caller's account and region. */
struct bytes action_arn(const struct api_call *call, struct bytes keyspace, struct bytes table);
/* Is what is called so the caller's, and in the region that was asked? */
bool action_owns(const struct api_call *call, const struct arn *arn);

/* Members of the input as subjects: their names, as they are given. */
struct subject action_subject(const struct api_call *call);

#endif

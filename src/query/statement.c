/* The table of statements: one line for each kind of the AST says what plans it, what runs
 * it, whether it takes values, whether a loop may run it, and which permission it needs. It
 * is one table so that nobody has to look for a switch: a kind without `run` is refused by
 * its name (query.c), one without `plan` has nothing to plan. Permissions follow Cassandra's
 * authorize(); authorize.c asks for them. */
#include "query/statement.h"

#include "plan/batch.h"
#include "plan/modify.h"
#include "plan/select.h"
#include "query/definition.h"
#include "query/describe.h"
#include "query/grant.h"
#include "query/read.h"
#include "query/role.h"
#include "query/truncate.h"
#include "query/use.h"
#include "query/write.h"

const struct statement statements[STATEMENT_KINDS] = {
    [STATEMENT_SELECT] = { STATEMENT_SELECT, "SELECT", .plan = plan_select, .run = execute_select, .takes_values = true,
                           .runs_on_loop = true, .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_SELECT } },
    [STATEMENT_INSERT] = { STATEMENT_INSERT, "INSERT", .plan = plan_modify, .run = execute_modify, .takes_values = true,
                           .runs_on_loop = true, .is_write = true,
                           .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_MODIFY, PERMISSION_SELECT } },
    [STATEMENT_UPDATE] = { STATEMENT_UPDATE, "UPDATE", .plan = plan_modify, .run = execute_modify, .takes_values = true,
                           .runs_on_loop = true, .is_write = true,
                           .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_MODIFY, PERMISSION_SELECT } },
    [STATEMENT_DELETE] = { STATEMENT_DELETE, "DELETE", .plan = plan_modify, .run = execute_modify, .takes_values = true,
                           .runs_on_loop = true, .is_write = true,
                           .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_MODIFY, PERMISSION_SELECT } },
    [STATEMENT_BATCH] = { STATEMENT_BATCH, "BATCH", .plan = plan_batch, .run = execute_batch_statement,
                          .takes_values = true, .runs_on_loop = true, .is_write = true, .need = { NEED_OF_PARTS } },
    [STATEMENT_USE] = { STATEMENT_USE, "USE", .run = execute_use, .runs_on_loop = true, .need = { NEED_LOGIN } },
    [STATEMENT_TRUNCATE] = { STATEMENT_TRUNCATE, "TRUNCATE", .plan = plan_truncate, .run = execute_truncate,
                             .is_write = true, .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_MODIFY } },
    [STATEMENT_CREATE_KEYSPACE] = { STATEMENT_CREATE_KEYSPACE, "CREATE KEYSPACE", .run = execute_definition,
                                    .need = { NEED_PERMISSION, RESOURCE_ALL_KEYSPACES, PERMISSION_CREATE } },
    [STATEMENT_ALTER_KEYSPACE] = { STATEMENT_ALTER_KEYSPACE, "ALTER KEYSPACE", .run = execute_definition,
                                   .need = { NEED_PERMISSION, RESOURCE_KEYSPACE, PERMISSION_ALTER } },
    [STATEMENT_DROP_KEYSPACE] = { STATEMENT_DROP_KEYSPACE, "DROP KEYSPACE", .run = execute_definition,
                                  .need = { NEED_PERMISSION, RESOURCE_KEYSPACE, PERMISSION_DROP } },
    [STATEMENT_CREATE_TABLE] = { STATEMENT_CREATE_TABLE, "CREATE TABLE", .run = execute_definition,
                                 .need = { NEED_PERMISSION, RESOURCE_ALL_TABLES, PERMISSION_CREATE } },
    [STATEMENT_ALTER_TABLE] = { STATEMENT_ALTER_TABLE, "ALTER TABLE", .run = execute_definition,
                                .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_DROP_TABLE] = { STATEMENT_DROP_TABLE, "DROP TABLE", .run = execute_definition,
                               .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_DROP } },
    /* and SELECT on the table that is read, which is not the one that is made */
    [STATEMENT_RESTORE_TABLE] = { STATEMENT_RESTORE_TABLE, "RESTORE TABLE",
                                  .need = { NEED_PERMISSION, RESOURCE_ALL_TABLES, PERMISSION_CREATE } },
    [STATEMENT_CREATE_TYPE] = { STATEMENT_CREATE_TYPE, "CREATE TYPE", .run = execute_definition,
                                .need = { NEED_PERMISSION, RESOURCE_ALL_TABLES, PERMISSION_CREATE } },
    [STATEMENT_ALTER_TYPE] = { STATEMENT_ALTER_TYPE, "ALTER TYPE", .run = execute_definition,
                               .need = { NEED_PERMISSION, RESOURCE_ALL_TABLES, PERMISSION_ALTER } },
    [STATEMENT_DROP_TYPE] = { STATEMENT_DROP_TYPE, "DROP TYPE", .run = execute_definition,
                              .need = { NEED_PERMISSION, RESOURCE_ALL_TABLES, PERMISSION_DROP } },
    /* of the table that has the index or the view */
    [STATEMENT_CREATE_INDEX] = { STATEMENT_CREATE_INDEX, "CREATE INDEX",
                                 .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_DROP_INDEX] = { STATEMENT_DROP_INDEX, "DROP INDEX", .run = execute_drop_of_nothing, .runs_on_loop = true,
                               .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_CREATE_VIEW] = { STATEMENT_CREATE_VIEW, "CREATE MATERIALIZED VIEW",
                                .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_ALTER_VIEW] = { STATEMENT_ALTER_VIEW, "ALTER MATERIALIZED VIEW",
                               .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_DROP_VIEW] = { STATEMENT_DROP_VIEW, "DROP MATERIALIZED VIEW", .run = execute_drop_of_nothing,
                              .runs_on_loop = true, .need = { NEED_PERMISSION, RESOURCE_TABLE, PERMISSION_ALTER } },
    [STATEMENT_CREATE_TRIGGER] = { STATEMENT_CREATE_TRIGGER, "CREATE TRIGGER", .need = { NEED_SUPERUSER } },
    [STATEMENT_DROP_TRIGGER] = { STATEMENT_DROP_TRIGGER, "DROP TRIGGER", .run = execute_drop_of_nothing,
                                 .runs_on_loop = true, .need = { NEED_SUPERUSER } },
    /* OR REPLACE of one that is there: ALTER on it */
    [STATEMENT_CREATE_FUNCTION] = { STATEMENT_CREATE_FUNCTION, "CREATE FUNCTION",
                                    .need = { NEED_PERMISSION, RESOURCE_FUNCTIONS_IN, PERMISSION_CREATE } },
    [STATEMENT_DROP_FUNCTION] = { STATEMENT_DROP_FUNCTION, "DROP FUNCTION", .run = execute_drop_of_nothing,
                                  .runs_on_loop = true,
                                  .need = { NEED_PERMISSION, RESOURCE_FUNCTION, PERMISSION_DROP } },
    [STATEMENT_CREATE_AGGREGATE] = { STATEMENT_CREATE_AGGREGATE, "CREATE AGGREGATE",
                                     .need = { NEED_PERMISSION, RESOURCE_FUNCTIONS_IN, PERMISSION_CREATE } },
    [STATEMENT_DROP_AGGREGATE] = { STATEMENT_DROP_AGGREGATE, "DROP AGGREGATE", .run = execute_drop_of_nothing,
                                   .runs_on_loop = true,
                                   .need = { NEED_PERMISSION, RESOURCE_FUNCTION, PERMISSION_DROP } },
    [STATEMENT_CREATE_ROLE] = { STATEMENT_CREATE_ROLE, "CREATE ROLE", .run = execute_create_role,
                                .need = { NEED_PERMISSION, RESOURCE_ALL_ROLES, PERMISSION_CREATE } },
    /* its own password anybody may change */
    [STATEMENT_ALTER_ROLE] = { STATEMENT_ALTER_ROLE, "ALTER ROLE", .run = execute_alter_role,
                               .need = { NEED_PERMISSION, RESOURCE_ROLE, PERMISSION_ALTER } },
    [STATEMENT_DROP_ROLE] = { STATEMENT_DROP_ROLE, "DROP ROLE", .run = execute_drop_role,
                              .need = { NEED_PERMISSION, RESOURCE_ROLE, PERMISSION_DROP } },
    [STATEMENT_GRANT_ROLE] = { STATEMENT_GRANT_ROLE, "GRANT ROLE", .run = execute_grant_role,
                               .need = { NEED_PERMISSION, RESOURCE_ROLE, PERMISSION_AUTHORIZE } },
    [STATEMENT_REVOKE_ROLE] = { STATEMENT_REVOKE_ROLE, "REVOKE ROLE", .run = execute_grant_role,
                                .need = { NEED_PERMISSION, RESOURCE_ROLE, PERMISSION_AUTHORIZE } },
    /* its own anybody may see */
    [STATEMENT_LIST_ROLES] = { STATEMENT_LIST_ROLES, "LIST ROLES", .run = execute_list_roles,
                               .need = { NEED_PERMISSION, RESOURCE_ALL_ROLES, PERMISSION_DESCRIBE } },
    /* and the permissions themselves */
    [STATEMENT_GRANT_PERMISSIONS] = { STATEMENT_GRANT_PERMISSIONS, "GRANT", .run = execute_grant_permissions,
                                      .need = { NEED_ON_WRITTEN, RESOURCE_NONE, PERMISSION_AUTHORIZE } },
    [STATEMENT_REVOKE_PERMISSIONS] = { STATEMENT_REVOKE_PERMISSIONS, "REVOKE", .run = execute_grant_permissions,
                                       .need = { NEED_ON_WRITTEN, RESOURCE_NONE, PERMISSION_AUTHORIZE } },
    /* its own anybody may see */
    [STATEMENT_LIST_PERMISSIONS] = { STATEMENT_LIST_PERMISSIONS, "LIST PERMISSIONS", .run = execute_list_permissions,
                                     .need = { NEED_PERMISSION, RESOURCE_ROLE, PERMISSION_DESCRIBE } },
    [STATEMENT_ADD_IDENTITY] = { STATEMENT_ADD_IDENTITY, "ADD IDENTITY", .run = execute_identity,
                                 .need = { NEED_PERMISSION, RESOURCE_ALL_ROLES, PERMISSION_CREATE } },
    [STATEMENT_DROP_IDENTITY] = { STATEMENT_DROP_IDENTITY, "DROP IDENTITY", .run = execute_identity,
                                  .need = { NEED_PERMISSION, RESOURCE_ALL_ROLES, PERMISSION_DROP } },
    [STATEMENT_DESCRIBE] = { STATEMENT_DESCRIBE, "DESCRIBE", .run = execute_describe, .runs_on_loop = true,
                             .need = { NEED_LOGIN } },
};

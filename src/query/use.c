/* USE: the session gets a keyspace for names that have none. The connection keeps a copy of
 * the name and not the definition: the keyspace may be dropped while the session uses it, and
 * then names are not found, as in Cassandra. The reply SET_KEYSPACE tells drivers to use it
 * for their other connections. */
#include "query/use.h"

#include <assert.h>
#include <stdlib.h>

/* was_use tells the connection that its keyspace was replaced; it is set even if the name is
 * the same. */
enum query_result execute_use(struct execution *execution)
{
    struct query_session *session = execution->request->session;
    struct bytes keyspace = execution->plan->statement->use->keyspace;

    if (!schema_keyspace(execution->schema, keyspace))
        return execution_failed(
            execution, error_set(execution->err, ERR_INVALID, "Keyspace '%.*s' does not exist", BYTES(keyspace)));
    assert(session && execution->plan->statement->kind == STATEMENT_USE);
    assert(keyspace.data);
    char *copy = xstrndup(keyspace.data, keyspace.size);
    free((void *)session->keyspace.data);
    session->keyspace = bytes_of(copy, keyspace.size);
    execution->request->was_use = true;
    native_encode_result_set_keyspace(execution->out, keyspace);
    return QUERY_DONE;
}

/* USE; see use.h. The connection keeps a copy of the name: its keyspace may be dropped, and then names are not found. */
#include "query/use.h"

#include <assert.h>
#include <stdlib.h>

enum query_result execute_use(struct execution *execution)
{
    struct query_session *session = execution->request->session;
    struct bytes keyspace = execution->plan->statement->use->keyspace;

    if (!schema_keyspace(execution->schema, keyspace))
        return execution_failed(
            execution, error_set(execution->err, ERR_INVALID, "Keyspace '%.*s' does not exist", BYTES(keyspace)));
    assert(keyspace.data);
    char *copy = xstrndup(keyspace.data, keyspace.size);
    free((void *)session->keyspace.data);
    session->keyspace = bytes_of(copy, keyspace.size);
    execution->request->was_use = true;
    native_encode_result_set_keyspace(execution->out, keyspace);
    return QUERY_DONE;
}

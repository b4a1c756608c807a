/* The turn begins with the newest roles and ends when what was written is in force. */
#include "query/role_change.h"

enum status role_change_refuse(struct execution *execution)
{
    return error_set(execution->err, ERR_INVALID, "Statements of roles need a server that has them: --auth roles");
}

enum status role_change_begin(struct execution *execution, struct role_change *change)
{
    struct auth_login *login = execution->request->session->login;
    enum status status;

    if (!login)
        return role_change_refuse(execution);
    status = auth_change_begin(login->account, &change->change, execution->err);
    if (!status)
        asker_init(&change->asker, execution, change->change.roles);
    return status;
}

/* What was written is in force before it is answered; where it can't be read again the client is
 * told. */
enum query_result role_change_end(struct execution *execution, struct role_change *change, enum status status)
{
    struct error error;
    enum status ended = auth_change_end(&change->change, &error);

    if (!status && ended) {
        *execution->err = error;
        status = ended;
    }
    if (status)
        return execution_failed(execution, status);
    native_encode_result_void(execution->out);
    return QUERY_DONE;
}

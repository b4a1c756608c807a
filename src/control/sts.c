/* Tools ask this first, to learn whose account they are about to change, and in which of AWS's partitions. */
#include "control/sts.h"

#include "iam/decide.h"
#include "schema/arn.h"

#include <assert.h>

/* Whoever has an account's key is its root, until there are users. A token is to be had from nobody yet: the rest
 * of the service comes with identities. */
bool sts_get_caller_identity(struct api_call *call)
{
    struct bytes account = call->caller.account;

    const struct iam_principal *principal = call->caller.principal;

    assert(account.size == 12 && call->output);
    tree_set_string(call->arena, call->output, "UserId", principal ? principal->id : account);
    tree_set_string(call->arena, call->output, "Account", account);
    if (principal) {
        tree_set_string(call->arena, call->output, "Arn", principal->arn);
        return true;
    }
    tree_set_text(
        call->arena, call->output, "Arn",
        arena_printf(call->arena, "arn:%s:iam::%.*s:root", arn_partition(call->caller.region), BYTES(account)));
    return true;
}

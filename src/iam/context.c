/* A context that is an array. It is short, so it is looked through: a table would cost more to make than it saves. */
#include "iam/context.h"

#include <assert.h>

/* The first of a name counts. */
enum iam_answer iam_entries_ask(void *context, struct bytes key, struct iam_values *values)
{
    const struct iam_entries *entries = context;

    assert(entries && values);
    for (uint32_t i = 0; i < entries->count; i++)
        if (iam_key_is(entries->entries[i].name, key)) {
            *values = entries->entries[i].values;
            return IAM_PRESENT;
        }
    return IAM_ABSENT;
}

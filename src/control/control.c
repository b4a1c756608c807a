/* Opening and closing, and the one table of services: models from the binary, and their handlers.
 *
 * A handler is found by its operation's name, which must be one of the model; an operation without a handler is
 * answered as one that is not known, and counted. */
#include "control/control.h"

#include "control/keyspaces.h"
#include "control/state.h"
#include "control/sts.h"
#include "control/tables.h"
#include "control/tagging.h"
#include "control/tags.h"
#include "control/types.h"

#include <assert.h>

/* ---- services ---- */

/* Texts: they are parsed at start. */
static const char keyspaces_model[] =
#include "control/keyspaces.model.inc"
    ;
static const char tagging_model[] =
#include "control/resourcegroupstaggingapi.model.inc"
    ;
static const char sts_model[] =
#include "control/sts.model.inc"
    ;

/* Those that only read may be asked for by another site's web page: it is not shown the answer. */
static const struct api_handler keyspaces_handlers[] = {
    { "CreateKeyspace", keyspaces_create, true },
    { "CreateTable", tables_create, true },
    { "CreateType", types_create, true },
    { "DeleteKeyspace", keyspaces_delete, true },
    { "DeleteTable", tables_delete, true },
    { "DeleteType", types_delete, true },
    { "GetKeyspace", keyspaces_get, false },
    { "GetTable", tables_get, false },
    { "GetTableAutoScalingSettings", tables_get_auto_scaling, false },
    { "GetType", types_get, false },
    { "ListKeyspaces", keyspaces_list, false },
    { "ListTables", tables_list, false },
    { "ListTagsForResource", tags_list, false },
    { "ListTypes", types_list, false },
    { "RestoreTable", tables_restore, true },
    { "TagResource", tags_add, true },
    { "UntagResource", tags_remove, true },
    { "UpdateKeyspace", keyspaces_update, true },
    { "UpdateTable", tables_update, true },
};

/* The other four of AWS's are of reports and policies, which are not here. */
static const struct api_handler tagging_handlers[] = {
    { "GetResources", tagging_get_resources, false }, { "GetTagKeys", tagging_get_keys, false },
    { "GetTagValues", tagging_get_values, false },    { "TagResources", tagging_tag, true },
    { "UntagResources", tagging_untag, true },
};

/* The rest of the service gives tokens to users: there are none yet. */
static const struct api_handler sts_handlers[] = { { "GetCallerIdentity", sts_get_caller_identity, false } };

/* A service more is a line here, a model, and its handlers above. */
const struct api_service control_services[] = {
    { keyspaces_model, keyspaces_handlers, ARRAY_SIZE(keyspaces_handlers) },
    { tagging_model, tagging_handlers, ARRAY_SIZE(tagging_handlers) },
    { sts_model, sts_handlers, ARRAY_SIZE(sts_handlers) },
};
const size_t control_service_count = ARRAY_SIZE(control_services);

/* ---- life ---- */

/* A master key of this process, for a server that keeps nothing on a disk. */
static enum status random_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    keys_random(master, KEYS_KEY_BYTES);
    return OK;
}

/* The port is opened last: what fails before it leaves nothing that has to be closed. The space was made for it
 * (CONTROL_PORTS). */
enum status control_open(const struct control_options *options, struct control **result, struct error *err)
{
    struct control *control = xcalloc(1, sizeof(*control));
    const struct keys_provider provider = { .master = random_master };

    assert(options->catalog && options->space);
    control->catalog = options->catalog;
    control->keys = options->keys;
    if (!control->keys) {
        enum status status = keys_open_provider(&provider, &control->own_keys, err);

        if (status) {
            free(control);
            return status;
        }
        control->keys = control->own_keys;
    }
    pthread_mutex_init(&control->changing, NULL);
    control->port = table_port_open(options->space);
    *result = control;
    return OK;
}

/* No handler runs any more: HTTP was closed before. */
void control_close(struct control *control)
{
    if (!control)
        return;
    table_port_close(control->port);
    pthread_mutex_destroy(&control->changing);
    if (control->own_keys)
        keys_close(control->own_keys);
    free(control);
}

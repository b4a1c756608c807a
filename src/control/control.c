/* Opening and closing, and the one table of services: models from the binary, and their handlers.
 *
 * A handler is found by its operation's name, which must be one of the model; an operation without a handler is
 * answered as one that is not known, and counted. */
#include "control/control.h"

#include "control/iam.h"
#include "control/keyspaces.h"
#include "control/state.h"
#include "control/sts.h"
#include "control/tables.h"
#include "control/tagging.h"
#include "control/tags.h"
#include "control/types.h"
#include "identity/signing.h"

#include <assert.h>

/* ---- services ---- */

/* Texts: they are parsed at start. */
static const char keyspaces_model[] =
#include "control/keyspaces.model.inc"
    ;
static const char tagging_model[] =
#include "control/resourcegroupstaggingapi.model.inc"
    ;
static const char iam_model[] =
#include "control/iam.model.inc"
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

/* What there is once for users, groups and roles has one handler. */
static const struct api_handler iam_handlers[] = {
    { "AddUserToGroup", iam_add_user_to_group, true },
    { "AttachGroupPolicy", iam_attach, true },
    { "AttachRolePolicy", iam_attach, true },
    { "AttachUserPolicy", iam_attach, true },
    /* Whoever names a user, a group or a role is served by one function for the three: it sees which by its input. */
    { "CreateAccessKey", iam_create_key, true },
    { "CreateGroup", iam_create_group, true },
    { "CreatePolicy", iam_create_policy, true },
    { "CreatePolicyVersion", iam_create_version, true },
    { "CreateRole", iam_create_role, true },
    { "CreateServiceSpecificCredential", iam_create_credential, true },
    { "CreateUser", iam_create_user, true },
    { "DeleteAccessKey", iam_delete_key, true },
    { "DeleteGroup", iam_delete_group, true },
    { "DeleteGroupPolicy", iam_delete_inline, true },
    { "DeletePolicy", iam_delete_policy, true },
    { "DeletePolicyVersion", iam_delete_version, true },
    { "DeleteRole", iam_delete_role, true },
    { "DeleteRolePermissionsBoundary", iam_delete_boundary, true },
    { "DeleteRolePolicy", iam_delete_inline, true },
    { "DeleteServiceSpecificCredential", iam_delete_credential, true },
    { "DeleteUser", iam_delete_user, true },
    { "DeleteUserPermissionsBoundary", iam_delete_boundary, true },
    { "DeleteUserPolicy", iam_delete_inline, true },
    { "DetachGroupPolicy", iam_detach, true },
    { "DetachRolePolicy", iam_detach, true },
    { "DetachUserPolicy", iam_detach, true },
    { "GetAccessKeyLastUsed", iam_get_key_last_used, false },
    { "GetGroup", iam_get_group, false },
    { "GetGroupPolicy", iam_get_inline, false },
    { "GetPolicy", iam_get_policy, false },
    { "GetPolicyVersion", iam_get_version, false },
    { "GetRole", iam_get_role, false },
    { "GetRolePolicy", iam_get_inline, false },
    { "GetUser", iam_get_user, false },
    { "GetUserPolicy", iam_get_inline, false },
    { "ListAccessKeys", iam_list_keys, false },
    { "ListAttachedGroupPolicies", iam_list_attached, false },
    { "ListAttachedRolePolicies", iam_list_attached, false },
    { "ListAttachedUserPolicies", iam_list_attached, false },
    { "ListEntitiesForPolicy", iam_list_entities, false },
    { "ListGroupPolicies", iam_list_inline, false },
    { "ListGroups", iam_list_groups, false },
    { "ListGroupsForUser", iam_list_groups_for_user, false },
    { "ListPolicies", iam_list_policies, false },
    { "ListPolicyTags", iam_list_tags, false },
    { "ListPolicyVersions", iam_list_versions, false },
    { "ListRolePolicies", iam_list_inline, false },
    { "ListRoleTags", iam_list_tags, false },
    { "ListRoles", iam_list_roles, false },
    { "ListServiceSpecificCredentials", iam_list_credentials, false },
    { "ListUserPolicies", iam_list_inline, false },
    { "ListUserTags", iam_list_tags, false },
    { "ListUsers", iam_list_users, false },
    { "PutGroupPolicy", iam_put_inline, true },
    { "PutRolePermissionsBoundary", iam_set_boundary, true },
    { "PutRolePolicy", iam_put_inline, true },
    { "PutUserPermissionsBoundary", iam_set_boundary, true },
    { "PutUserPolicy", iam_put_inline, true },
    { "RemoveUserFromGroup", iam_remove_user_from_group, true },
    { "ResetServiceSpecificCredential", iam_reset_credential, true },
    { "SetDefaultPolicyVersion", iam_set_default_version, true },
    { "TagPolicy", iam_tag, true },
    { "TagRole", iam_tag, true },
    { "TagUser", iam_tag, true },
    { "UntagPolicy", iam_untag, true },
    { "UntagRole", iam_untag, true },
    { "UntagUser", iam_untag, true },
    { "UpdateAccessKey", iam_update_key, true },
    { "UpdateAssumeRolePolicy", iam_update_trust, true },
    { "UpdateGroup", iam_update_group, true },
    { "UpdateRole", iam_update_role, true },
    { "UpdateRoleDescription", iam_update_role_description, true },
    { "UpdateServiceSpecificCredential", iam_update_credential, true },
    { "UpdateUser", iam_update_user, true },
};

/* The rest of the service gives tokens to users: there are none yet. */
static const struct api_handler sts_handlers[] = { { "GetCallerIdentity", sts_get_caller_identity, false } };

/* A service more is a line here, a model, and its handlers above. */
const struct api_service control_services[] = {
    { keyspaces_model, keyspaces_handlers, ARRAY_SIZE(keyspaces_handlers) },
    { tagging_model, tagging_handlers, ARRAY_SIZE(tagging_handlers) },
    { iam_model, iam_handlers, ARRAY_SIZE(iam_handlers) },
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

/* The port is opened last: what fails before it leaves nothing but keys that has to be closed. The space was made for
 * it (CONTROL_PORTS). */
enum status control_open(const struct control_options *options, struct control **result, struct error *err)
{
    struct control *control = xcalloc(1, sizeof(*control));
    const struct keys_provider provider = { .master = random_master };
    const struct identity_store_options identities = { .catalog = options->catalog,
                                                       .space = options->space,
                                                       .clock = table_space_clock(options->space) };
    enum status status = OK;

    assert(options->catalog && options->space && options->region);
    control->catalog = options->catalog;
    control->region = options->region;
    control->keys = options->keys;
    if (!control->keys) {
        status = keys_open_provider(&provider, &control->own_keys, err);
        control->keys = control->own_keys;
    }
    if (!status)
        status = identity_open(&identities, &control->identities, err);
    control->clock = identities.clock;
    control->signing = signing_new(control->keys);
    if (status) {
        signing_free(control->signing);
        keys_close(control->own_keys);
        free(control);
        return status;
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
    identity_close(control->identities);
    signing_free(control->signing);
    keys_close(control->own_keys);
    free(control);
}

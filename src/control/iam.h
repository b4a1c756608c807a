/* control/iam.h: AWS's Identity and Access Management: users, groups, roles, policies, keys, by their operations.
 *
 * What there is once for users, groups and roles finds by the input's members which of them it is about.
 *
 * Errors:  as AWS's model has them: NoSuchEntity, EntityAlreadyExists, DeleteConflict, LimitExceeded, MalformedPolicyDocument, ...
 */
#ifndef CONTROL_IAM_H
#define CONTROL_IAM_H

#include "api/handler.h"

/* iam_users.c */
api_handler_fn iam_create_user, iam_get_user, iam_list_users, iam_update_user, iam_delete_user;
api_handler_fn iam_create_group, iam_get_group, iam_list_groups, iam_update_group, iam_delete_group;
api_handler_fn iam_add_user_to_group, iam_remove_user_from_group, iam_list_groups_for_user;

/* iam_roles.c */
api_handler_fn iam_create_role, iam_get_role, iam_list_roles, iam_update_role, iam_update_role_description;
api_handler_fn iam_update_trust, iam_delete_role;

/* iam_policies.c: managed ones */
api_handler_fn iam_create_policy, iam_get_policy, iam_list_policies, iam_delete_policy;
api_handler_fn iam_create_version, iam_get_version, iam_list_versions, iam_set_default_version, iam_delete_version;
api_handler_fn iam_list_entities;

/* iam_holders.c: what users, groups and roles have */
api_handler_fn iam_put_inline, iam_get_inline, iam_list_inline, iam_delete_inline;
api_handler_fn iam_attach, iam_detach, iam_list_attached;
api_handler_fn iam_set_boundary, iam_delete_boundary;
api_handler_fn iam_tag, iam_untag, iam_list_tags;

/* iam_keys.c */
api_handler_fn iam_create_key, iam_list_keys, iam_update_key, iam_delete_key, iam_get_key_last_used;
api_handler_fn iam_create_credential, iam_list_credentials, iam_reset_credential, iam_update_credential,
    iam_delete_credential;

#endif

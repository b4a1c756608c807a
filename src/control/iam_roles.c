/* Roles: who may assume them stands in their trust policy, which is a policy of a resource: the role. What they may then stands in
 * policies as users have them (iam_holders.c). */
#include "control/iam.h"

#include "control/iam_common.h"

#include <assert.h>

enum { SESSION_DEFAULT_S = 3600 };

/* Sessions of a console, which is not here. */
static bool check_signin(struct api_call *call)
{
    return !tree_get(call->input, "MaxSigninSessionDuration") ||
           iam_fail(call, "InvalidInputException",
                    "MaxSigninSessionDuration is not supported yet by this server: it has no console to sign in to");
}

/* A quota of AWS's for what stands in a role, smaller than that of policies. */
static bool check_trust(struct api_call *call, struct bytes text)
{
    if (iam_document_size(text) > IAM_TRUST_BYTES_MAX)
        return iam_fail(call, "LimitExceededException", "Cannot exceed quota for ACLSizePerRole: %d",
                        IAM_TRUST_BYTES_MAX);
    return iam_check_document(call, text, POLICY_TRUST);
}

/* With tags and boundary in one change; an hour is what sessions last if it does not say. */
bool iam_create_role(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes text = tree_string(call->input, "AssumeRolePolicyDocument");
    struct bytes boundary = tree_string(call->input, "PermissionsBoundary");
    struct identity_parts parts;
    const struct identity *role;

    if (!iam_begin(&iam, call) || !iam_make(&iam, &iam_role, tree_string(call->input, "RoleName"), &parts) ||
        !check_signin(call) || !check_trust(call, text) ||
        !iam_set_tags(call, NULL, tree_get(call->input, "Tags"), &parts) ||
        (boundary.size && !iam_put_boundary(&iam, parts.id, boundary)))
        return false;
    parts.text = text;
    parts.note = tree_string(call->input, "Description");
    parts.number = tree_integer(call->input, "MaxSessionDuration", SESSION_DEFAULT_S);
    role = identity_put(&iam.change, &parts);
    iam_show(&iam, tree_member(call->arena, call->output, "Role"), role);
    iam_show_tags(call, tree_member(call->arena, call->output, "Role"), role);
    return iam_commit(&iam);
}

/* With what lists leave out. */
bool iam_get_role(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *role;

    if (!iam_look(&iam, call) || !(role = iam_subject(&iam, &iam_role)))
        return false;
    iam_show_whole(&iam, tree_member(call->arena, call->output, "Role"), role);
    /* When it was used is not noted yet: as of a role that never was. */
    tree_member(call->arena, tree_member(call->arena, call->output, "Role"), "RoleLastUsed");
    return true;
}

/* Each with its trust policy, so the size of a page goes by those. */
bool iam_list_roles(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes prefix = tree_string(call->input, "PathPrefix");
    struct tree *shown = tree_member(call->arena, call->output, "Roles");
    struct identity_list all;
    struct iam_page page;

    if (!iam_look(&iam, call) || !iam_page_begin(&page, call, prefix))
        return false;
    all = identities_in(iam.set, IDENTITY_ROLE, bytes_of(NULL, 0));
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *role = all.items[i];
        int taken;

        if (!bytes_starts_with(role->is.path, prefix))
            continue;
        taken = iam_page_take(&page, role->is.at.key, role->is.name.size + role->is.text.size + role->is.note.size);
        if (taken < 0)
            break;
        if (taken)
            iam_show(&iam, tree_append(call->arena, shown), role);
    }
    return iam_page_end(&page, call);
}

/* ---- changing ----
 *
 * Each operation changes a part of the role, and writes it whole: two that change different parts at once come one after the other, as
 * whoever changes holds the store. So neither takes back what the other did. */

/* A copy of it to be changed; false: there is none. */
static bool begin_update(struct iam *iam, struct api_call *call, const struct identity **role,
                         struct identity_parts *parts)
{
    if (!iam_begin(iam, call) || !(*role = iam_subject(iam, &iam_role)))
        return false;
    assert(iam->changes);
    *parts = (*role)->is;
    parts->changed_us = iam->change.now_us;
    return true;
}

/* What is not in the request stays. */
bool iam_update_role(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts;
    const struct identity *role;

    if (!begin_update(&iam, call, &role, &parts) || !check_signin(call))
        return false;
    if (tree_get(call->input, "Description"))
        parts.note = tree_string(call->input, "Description");
    parts.number = tree_integer(call->input, "MaxSessionDuration", parts.number);
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* An older operation of AWS's, which answers with the role. */
bool iam_update_role_description(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts;
    const struct identity *role;

    if (!begin_update(&iam, call, &role, &parts))
        return false;
    parts.note = tree_string(call->input, "Description");
    iam_show_whole(&iam, tree_member(call->arena, call->output, "Role"), identity_put(&iam.change, &parts));
    return iam_commit(&iam);
}

/* Sessions that there are go on; the next one is asked by the new text. */
bool iam_update_trust(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts;
    const struct identity *role;

    if (!begin_update(&iam, call, &role, &parts))
        return false;
    parts.text = tree_string(call->input, "PolicyDocument");
    if (!check_trust(call, parts.text))
        return false;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* As users: only what has nothing. A boundary goes with it. */
bool iam_delete_role(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *role;
    struct identity_list boundary;

    if (!iam_begin(&iam, call) || !(role = iam_subject(&iam, &iam_role)) ||
        !iam_has_none(&iam, role, IDENTITY_ATTACHMENT, "detach all policies") ||
        !iam_has_none(&iam, role, IDENTITY_INLINE, "delete policies"))
        return false;
    boundary = identities_in(iam.set, IDENTITY_BOUNDARY, role->is.id);
    for (uint32_t i = 0; i < boundary.count; i++)
        identity_drop(&iam.change, boundary.items[i]);
    identity_drop(&iam.change, role);
    return iam_commit(&iam);
}

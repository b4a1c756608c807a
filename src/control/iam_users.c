/* Users and groups, and who is in which. A user is in a group by a relation of its own, which both are asked for: so neither has a list
 * that two changes could want to write. */
#include "control/iam.h"

#include "control/iam_common.h"

#include <assert.h>

/* ---- users ----
 *
 * A name is what people call a user by, and may change. What is the user's for good is the id: a new user of an old name has none of
 * what the old one had. */

/* With its tags and boundary in one change, so that there is no moment in which it has rights without its boundary. */
bool iam_create_user(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes boundary = tree_string(call->input, "PermissionsBoundary");
    struct identity_parts parts;
    const struct identity *user;

    if (!iam_begin(&iam, call) || !iam_make(&iam, &iam_user, tree_string(call->input, "UserName"), &parts) ||
        !iam_set_tags(call, NULL, tree_get(call->input, "Tags"), &parts) ||
        (boundary.size && !iam_put_boundary(&iam, parts.id, boundary)))
        return false;
    user = identity_put(&iam.change, &parts);
    iam_show(&iam, tree_member(call->arena, call->output, "User"), user);
    iam_show_tags(call, tree_member(call->arena, call->output, "User"), user);
    return iam_commit(&iam);
}

/* Who names nobody asks for himself: an account's root, which is no user and has no path. */
static bool show_root(struct api_call *call)
{
    struct tree *to = tree_member(call->arena, call->output, "User");

    assert(call->caller.account.size);
    tree_set_string(call->arena, to, "UserId", call->caller.account);
    tree_set_string(call->arena, to, "Arn", iam_arn(call, "root", bytes_of(NULL, 0), bytes_of(NULL, 0)));
    return true;
}

/* Whoever names nobody asks for himself. */
bool iam_get_user(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    if (!iam_look(&iam, call))
        return false;
    if (!iam_find_user(&iam, &user))
        return false;
    if (!user)
        return show_root(call);
    iam_show_whole(&iam, tree_member(call->arena, call->output, "User"), user);
    return true;
}

/* Those whose path begins so, by their names. */
static bool list(struct api_call *call, const struct iam_sort *sort, const char *member)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes prefix = tree_string(call->input, "PathPrefix");
    struct iam_page page;
    struct identity_list all;
    struct tree *shown = tree_member(call->arena, call->output, member);

    if (!iam_look(&iam, call) || !iam_page_begin(&page, call, prefix))
        return false;
    all = identities_in(iam.set, sort->kind, bytes_of(NULL, 0));
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *item = all.items[i];
        int taken;

        if (!bytes_starts_with(item->is.path, prefix))
            continue;
        taken = iam_page_take(&page, item->is.at.key, item->is.name.size + item->is.path.size);
        if (taken < 0)
            break;
        if (taken)
            iam_show(&iam, tree_append(call->arena, shown), item);
    }
    return iam_page_end(&page, call);
}

/* In the order of names in small letters. */
bool iam_list_users(struct api_call *call)
{
    return list(call, &iam_user, "Users");
}

/* Keys, groups and policies know the user by id: nothing of them changes. */
bool iam_update_user(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    return iam_begin(&iam, call) && (user = iam_subject(&iam, &iam_user)) &&
           iam_rename(&iam, &iam_user, user, "NewUserName");
}

/* Only what has nothing goes: nobody loses a key without having been asked. */
bool iam_delete_user(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;
    struct identity_list boundary;

    if (!iam_begin(&iam, call) || !(user = iam_subject(&iam, &iam_user)) ||
        !iam_has_none(&iam, user, IDENTITY_ACCESS_KEY, "delete access keys") ||
        !iam_has_none(&iam, user, IDENTITY_CREDENTIAL, "delete service specific credentials") ||
        !iam_has_none(&iam, user, IDENTITY_ATTACHMENT, "detach all policies") ||
        !iam_has_none(&iam, user, IDENTITY_INLINE, "delete policies") ||
        !iam_has_none(&iam, user, IDENTITY_MEMBERSHIP, "remove users from group"))
        return false;
    boundary = identities_in(iam.set, IDENTITY_BOUNDARY, user->is.id);
    for (uint32_t i = 0; i < boundary.count; i++)
        identity_drop(&iam.change, boundary.items[i]);
    identity_drop(&iam.change, user);
    return iam_commit(&iam);
}

/* ---- groups ----
 *
 * Names for what several users have. A group is nobody: it has no keys, nobody can be it, and no policy can name it as a principal. */

/* Groups have neither tags nor a boundary. */
bool iam_create_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts;

    if (!iam_begin(&iam, call) || !iam_make(&iam, &iam_group, tree_string(call->input, "GroupName"), &parts))
        return false;
    iam_show(&iam, tree_member(call->arena, call->output, "Group"), identity_put(&iam.change, &parts));
    return iam_commit(&iam);
}

/* And who is in it, page by page, in the order of ids: a name may change between two pages. */
bool iam_get_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *group;
    struct identity_list members;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "Users");

    if (!iam_look(&iam, call) || !(group = iam_subject(&iam, &iam_group)) || !iam_page_begin(&page, call, group->is.id))
        return false;
    iam_show(&iam, tree_member(call->arena, call->output, "Group"), group);
    members = identities_to(iam.set, IDENTITY_MEMBERSHIP, group->is.id);
    for (uint32_t i = 0; i < members.count; i++) {
        const struct identity *user = identities_by_id(iam.set, members.items[i]->is.at.scope);
        int taken;

        assert(user); /* a user goes when he is in no group */
        taken = iam_page_take(&page, user->is.id, user->is.name.size + user->is.path.size);
        if (taken < 0)
            break;
        if (taken)
            iam_show(&iam, tree_append(call->arena, shown), user);
    }
    return iam_page_end(&page, call);
}

/* As users are listed. */
bool iam_list_groups(struct api_call *call)
{
    return list(call, &iam_group, "Groups");
}

/* Its members stay. */
bool iam_update_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *group;

    return iam_begin(&iam, call) && (group = iam_subject(&iam, &iam_group)) &&
           iam_rename(&iam, &iam_group, group, "NewGroupName");
}

/* A group that somebody is in gives rights: it stays until nobody is. */
bool iam_delete_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *group;

    if (!iam_begin(&iam, call) || !(group = iam_subject(&iam, &iam_group)) ||
        !iam_has_none(&iam, group, IDENTITY_ATTACHMENT, "detach all policies") ||
        !iam_has_none(&iam, group, IDENTITY_INLINE, "delete policies"))
        return false;
    if (identities_to(iam.set, IDENTITY_MEMBERSHIP, group->is.id).count)
        return iam_fail(call, "DeleteConflictException", "Cannot delete entity, must remove users from group first.");
    identity_drop(&iam.change, group);
    return iam_commit(&iam);
}

/* ---- memberships ----
 *
 * A user has what the groups have that it is in: ten at most, so that a decision never looks at more than eleven lists
 * of policies. */

/* The group is looked for first, as AWS does. */
static bool find_both(const struct iam *iam, const struct identity **group, const struct identity **user)
{
    *group = iam_subject(iam, &iam_group);
    *user = *group ? iam_subject(iam, &iam_user) : NULL;
    return *user != NULL;
}

/* Who is in it already is so still. */
bool iam_add_user_to_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts = { 0 };
    const struct identity *group, *user;

    if (!iam_begin(&iam, call) || !find_both(&iam, &group, &user))
        return false;
    if (identities_find(iam.set, IDENTITY_MEMBERSHIP, user->is.id, group->is.id))
        return true;
    if (!iam_check_quota(call, "GroupsPerUser", identities_in(iam.set, IDENTITY_MEMBERSHIP, user->is.id).count,
                         IAM_GROUPS_OF_USER_MAX))
        return false;
    parts.at = (struct identity_place){ IDENTITY_MEMBERSHIP, user->is.id, group->is.id };
    parts.created_us = iam.change.now_us;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* Who is not in it is told. */
bool iam_remove_user_from_group(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *group, *user, *membership;

    if (!iam_begin(&iam, call) || !find_both(&iam, &group, &user))
        return false;
    membership = identities_find(iam.set, IDENTITY_MEMBERSHIP, user->is.id, group->is.id);
    if (!membership)
        return iam_fail(call, "NoSuchEntityException", "User %.*s is not in group %.*s.", BYTES(user->is.name),
                        BYTES(group->is.name));
    identity_drop(&iam.change, membership);
    return iam_commit(&iam);
}

/* In the order of groups' ids, which never change. */
bool iam_list_groups_for_user(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;
    struct identity_list groups;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "Groups");

    if (!iam_look(&iam, call) || !(user = iam_subject(&iam, &iam_user)) || !iam_page_begin(&page, call, user->is.id))
        return false;
    groups = identities_in(iam.set, IDENTITY_MEMBERSHIP, user->is.id);
    for (uint32_t i = 0; i < groups.count; i++) {
        const struct identity *group = identities_by_id(iam.set, groups.items[i]->is.at.key);
        int taken;

        assert(group); /* a group goes when nobody is in it */
        taken = iam_page_take(&page, group->is.id, group->is.name.size + group->is.path.size);
        if (taken < 0)
            break;
        if (taken)
            iam_show(&iam, tree_append(call->arena, shown), group);
    }
    return iam_page_end(&page, call);
}

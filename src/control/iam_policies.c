/* Managed policies, the account's own and AWS's, and their versions: one of up to five is in force.
 *
 * A policy and its versions are identities of their own, since a text may be large and most are never asked: a change of one writes
 * that one. Which version is in force stands in the version, as that is what those who decide look for. */
#include "control/iam.h"

#include "control/iam_common.h"
#include "control/state.h"

#include <assert.h>

/* ---- versions ----
 *
 * "v1", "v2" and so on are numbers here. A policy counts them, also those that were deleted: whoever knows a version by its name never
 * meets another text there. */

/* Of five at most, so it is looked for. */
static const struct identity *default_version(const struct iam *iam, const struct identity *policy)
{
    struct identity_list versions = iam_versions(iam, policy);

    for (uint32_t i = 0; i < versions.count; i++)
        if (versions.items[i]->is.is_on)
            return versions.items[i];
    assert(!"a policy has a version that is in force");
    return NULL;
}

/* Numbers are counted for each policy, and never used again. */
static const char *version_name(const struct api_call *call, const struct identity *version)
{
    return arena_printf(call->arena, "v%lld", (long long)version->is.number);
}

/* "v12"; NULL, and NoSuchEntity. */
static const struct identity *find_version(const struct iam *iam, const struct identity *policy)
{
    struct bytes wanted = tree_string(iam->call->input, "VersionId");
    struct identity_list versions = iam_versions(iam, policy);

    for (uint32_t i = 0; i < versions.count; i++)
        if (bytes_is(wanted, version_name(iam->call, versions.items[i])))
            return versions.items[i];
    iam_fail(iam->call, "NoSuchEntityException", "Policy %.*s version %.*s does not exist or is not attachable.",
             BYTES(tree_string(iam->call->input, "PolicyArn")), BYTES(wanted));
    return NULL;
}

/* Without its document, which only GetPolicyVersion tells. */
static void show_version(struct api_call *call, struct tree *to, const struct identity *version)
{
    tree_set_text(call->arena, to, "VersionId", version_name(call, version));
    tree_set_boolean(call->arena, to, "IsDefaultVersion", version->is.is_on);
    tree_set_time(call->arena, to, "CreateDate", version->is.created_us);
}

/* The parts of a policy's next version, whose number is the policy's. */
static void make_version(const struct iam *iam, const struct identity_parts *policy, bool is_default,
                         struct identity_parts *version)
{
    /* Padded, so that they stand in the order of their numbers. */
    const char *key = arena_printf(iam->call->arena, "%0*lld", IDENTITY_VERSION_KEY, (long long)policy->number);

    assert(policy->id.size && policy->number > 0);
    *version = (struct identity_parts){ .at = { IDENTITY_POLICY_VERSION, policy->id, bytes_of_string(key) },
                                        .text = tree_string(iam->call->input, "PolicyDocument"),
                                        .created_us = iam->change.now_us,
                                        .number = policy->number,
                                        .is_on = is_default };
}

/* ---- policies ----
 *
 * AWS's own are asked for and attached like an account's, and nobody changes them. */

/* Counts are those of this account, of AWS's policies too. */
static void show(const struct iam *iam, struct tree *to, const struct identity *policy, const char *version)
{
    struct arena *arena = iam->call->arena;

    assert(policy->is.at.kind == IDENTITY_POLICY);
    tree_set_string(arena, to, "PolicyName", policy->is.name);
    tree_set_string(arena, to, "PolicyId", policy->is.id);
    tree_set_string(arena, to, "Arn", iam_policy_arn(iam->call, iam, policy));
    tree_set_string(arena, to, "Path", policy->is.path);
    tree_set_text(arena, to, "DefaultVersionId", version);
    tree_set_integer(arena, to, "AttachmentCount", identities_to(iam->set, IDENTITY_ATTACHMENT, policy->is.id).count);
    tree_set_integer(arena, to, "PermissionsBoundaryUsageCount",
                     identities_to(iam->set, IDENTITY_BOUNDARY, policy->is.id).count);
    tree_set_boolean(arena, to, "IsAttachable", true);
    tree_set_time(arena, to, "CreateDate", policy->is.created_us);
    tree_set_time(arena, to, "UpdateDate", policy->is.changed_us);
}

/* The size that counts is that without blanks. */
static bool check_document(struct api_call *call)
{
    struct bytes text = tree_string(call->input, "PolicyDocument");

    if (iam_document_size(text) > IAM_POLICY_BYTES_MAX)
        return iam_fail(call, "LimitExceededException", "Cannot exceed quota for PolicySize: %d", IAM_POLICY_BYTES_MAX);
    return iam_check_document(call, text, POLICY_IDENTITY);
}

/* With its first version, in one change: there is no policy that says nothing. Names are the account's, in whatever path: two policies of
 * one name in two paths AWS does not have either. */
bool iam_create_policy(struct api_call *call)
{
    static const struct iam_sort sort = {
        .kind = IDENTITY_POLICY, .title = "Policy", .quota = "PoliciesPerAccount", .count_max = IAM_POLICIES_MAX
    };
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts, version;
    const struct identity *policy;
    struct tree *shown = tree_member(call->arena, call->output, "Policy");

    if (!iam_begin(&iam, call) || !iam_make(&iam, &sort, tree_string(call->input, "PolicyName"), &parts) ||
        !check_document(call) || !iam_set_tags(call, NULL, tree_get(call->input, "Tags"), &parts))
        return false;
    parts.note = tree_string(call->input, "Description");
    parts.number = 1;
    parts.changed_us = parts.created_us;
    make_version(&iam, &parts, true, &version);
    identity_put(&iam.change, &version);
    policy = identity_put(&iam.change, &parts);
    show(&iam, shown, policy, "v1");
    iam_show_tags(call, shown, policy);
    return iam_commit(&iam);
}

/* AWS's policies are there for everybody. */
bool iam_get_policy(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy;
    struct tree *shown = tree_member(call->arena, call->output, "Policy");

    if (!iam_look(&iam, call) || !(policy = iam_find_policy(&iam, tree_string(call->input, "PolicyArn"))))
        return false;
    show(&iam, shown, policy, version_name(call, default_version(&iam, policy)));
    if (policy->is.note.size)
        tree_set_string(call->arena, shown, "Description", policy->is.note);
    iam_show_tags(call, shown, policy);
    return true;
}

/* What ListPolicies is asked for. */
struct wish {
    bool only_attached, as_permissions, as_boundary;
    struct bytes prefix;
};

/* Filters narrow together; a filter by use takes the place of OnlyAttached. */
static bool is_wanted(const struct iam *iam, const struct wish *wish, const struct identity *policy)
{
    uint32_t attached = identities_to(iam->set, IDENTITY_ATTACHMENT, policy->is.id).count;
    uint32_t bounds = identities_to(iam->set, IDENTITY_BOUNDARY, policy->is.id).count;

    if (!bytes_starts_with(policy->is.path, wish->prefix))
        return false;
    /* As AWS says of it: a use that is asked for is one that there is. */
    if (wish->as_permissions || wish->as_boundary)
        return (wish->as_permissions && attached) || (wish->as_boundary && bounds);
    return !wish->only_attached || attached || bounds;
}

/* Positions begin with who has it, so that AWS's come first. False: the page is full. */
static bool list_set(const struct iam *iam, const struct identities *set, const char *whose, const struct wish *wish,
                     struct iam_page *page, struct tree *to)
{
    struct identity_list all = identities_in(set, IDENTITY_POLICY, bytes_of(NULL, 0));

    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *policy = all.items[i];
        const char *position;
        int taken;

        if (!is_wanted(iam, wish, policy))
            continue;
        position = arena_printf(iam->call->arena, "%s%.*s", whose, BYTES(policy->is.at.key));
        taken = iam_page_take(page, bytes_of_string(position), policy->is.name.size + policy->is.path.size);
        if (taken < 0)
            return false;
        if (taken)
            show(iam, tree_append(iam->call->arena, to), policy, version_name(iam->call, default_version(iam, policy)));
    }
    return true;
}

/* What is asked goes into the marker, so that no page goes on with another question. */
bool iam_list_policies(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes scope = tree_string(call->input, "Scope"), usage = tree_string(call->input, "PolicyUsageFilter");
    struct wish wish = { .only_attached = tree_boolean(call->input, "OnlyAttached", false),
                         .as_permissions = bytes_is(usage, "PermissionsPolicy"),
                         .as_boundary = bytes_is(usage, "PermissionsBoundary"),
                         .prefix = tree_string(call->input, "PathPrefix") };
    const char *about = arena_printf(call->arena, "%.*s %.*s %d %.*s", BYTES(scope), BYTES(usage), wish.only_attached,
                                     BYTES(wish.prefix));
    struct tree *shown = tree_member(call->arena, call->output, "Policies");
    struct iam_page page;

    if (!iam_look(&iam, call) || !iam_page_begin(&page, call, bytes_of_string(about)))
        return false;
    if (bytes_is(scope, "Local") ||
        list_set(&iam, identity_managed(control_of(call)->identities), "a", &wish, &page, shown)) {
        if (!bytes_is(scope, "AWS"))
            list_set(&iam, iam.set, "l", &wish, &page, shown);
    }
    return iam_page_end(&page, call);
}

/* ---- changing ----
 *
 * At each moment one version is in force, and a change of which is one change: nobody's rights are gone for a moment, or are those of
 * two versions. */

/* One of the account's own; AWS's are nobody's to change. */
static const struct identity *find_own(const struct iam *iam)
{
    struct bytes arn = tree_string(iam->call->input, "PolicyArn");
    const struct identity *policy = iam_find_policy(iam, arn);

    if (policy && identities_by_id(iam->set, policy->is.id) != policy) {
        iam_fail(iam->call, "InvalidInputException", "The policy %.*s is managed by AWS and cannot be changed.",
                 BYTES(arn));
        return NULL;
    }
    return policy;
}

/* Is nobody bound to it, and is its one version the one in force? */
bool iam_delete_policy(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy;
    struct identity_list versions;

    if (!iam_begin(&iam, call) || !(policy = find_own(&iam)))
        return false;
    if (identities_to(iam.set, IDENTITY_ATTACHMENT, policy->is.id).count ||
        identities_to(iam.set, IDENTITY_BOUNDARY, policy->is.id).count)
        return iam_fail(call, "DeleteConflictException", "Cannot delete a policy attached to entities.");
    versions = iam_versions(&iam, policy);
    if (versions.count > 1)
        return iam_fail(
            call, "DeleteConflictException",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's "
            "versions. The default version is deleted with the policy.");
    assert(versions.count == 1 && versions.items[0]->is.is_on);
    identity_drop(&iam.change, versions.items[0]);
    identity_drop(&iam.change, policy);
    return iam_commit(&iam);
}

/* Of the two one is in force. */
static void exchange_default(struct iam *iam, const struct identity *policy)
{
    struct identity_parts old = default_version(iam, policy)->is;

    assert(iam->changes && old.is_on);
    old.is_on = false;
    identity_put(&iam->change, &old);
}

/* The new one, the old default if that changes, and the policy, in one change: at each moment exactly one is in
 * force. */
bool iam_create_version(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts, version;
    const struct identity *policy, *made;
    bool is_default = tree_boolean(call->input, "SetAsDefault", false);
    struct tree *shown = tree_member(call->arena, call->output, "PolicyVersion");

    if (!iam_begin(&iam, call) || !(policy = find_own(&iam)) || !check_document(call))
        return false;
    if (iam_versions(&iam, policy).count >= IAM_VERSIONS_MAX)
        return iam_fail(
            call, "LimitExceededException",
            "A managed policy can have up to %d versions. Before you create a new version, you must delete an "
            "existing version.",
            IAM_VERSIONS_MAX);
    parts = policy->is;
    parts.number++;
    parts.changed_us = iam.change.now_us;
    make_version(&iam, &parts, is_default, &version);
    if (is_default)
        exchange_default(&iam, policy);
    made = identity_put(&iam.change, &version);
    identity_put(&iam.change, &parts);
    show_version(call, shown, made);
    return iam_commit(&iam);
}

/* The one operation that tells a managed policy's document. */
bool iam_get_version(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy, *version;
    struct tree *shown = tree_member(call->arena, call->output, "PolicyVersion");

    if (!iam_look(&iam, call) || !(policy = iam_find_policy(&iam, tree_string(call->input, "PolicyArn"))) ||
        !(version = find_version(&iam, policy)))
        return false;
    show_version(call, shown, version);
    iam_show_document(call, shown, "Document", version->is.text);
    return true;
}

/* The newest first, as AWS lists them. */
bool iam_list_versions(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy;
    struct identity_list versions;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "Versions");

    if (!iam_look(&iam, call) || !(policy = iam_find_policy(&iam, tree_string(call->input, "PolicyArn"))) ||
        !iam_page_begin(&page, call, policy->is.id))
        return false;
    versions = iam_versions(&iam, policy);
    for (uint32_t i = versions.count; i > 0; i--) {
        const struct identity *version = versions.items[i - 1];
        /* Positions grow as pages do, numbers here the other way. */
        const char *position = arena_printf(call->arena, "%08lld", 99999999 - (long long)version->is.number);
        int taken = iam_page_take(&page, bytes_of_string(position), 1);

        if (taken < 0)
            break;
        if (taken)
            show_version(call, tree_append(call->arena, shown), version);
    }
    return iam_page_end(&page, call);
}

/* Both versions in one change; what is in force already is no change. */
bool iam_set_default_version(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy, *version;
    struct identity_parts parts;

    if (!iam_begin(&iam, call) || !(policy = find_own(&iam)) || !(version = find_version(&iam, policy)))
        return false;
    if (version->is.is_on)
        return true;
    exchange_default(&iam, policy);
    parts = version->is;
    parts.is_on = true;
    identity_put(&iam.change, &parts);
    parts = policy->is;
    parts.changed_us = iam.change.now_us;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* The one in force goes only with its policy. */
bool iam_delete_version(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *policy, *version;

    if (!iam_begin(&iam, call) || !(policy = find_own(&iam)) || !(version = find_version(&iam, policy)))
        return false;
    if (version->is.is_on)
        return iam_fail(call, "DeleteConflictException", "Cannot delete the default version of a policy.");
    identity_drop(&iam.change, version);
    return iam_commit(&iam);
}

/* ---- who has it ----
 *
 * Attached to somebody, or as somebody's boundary: relations that lead to the policy. */

struct entities {
    const struct iam *iam;
    struct iam_page page;
    struct bytes filter, prefix; /* EntityFilter, PathPrefix */
};

/* PolicyUsers, PolicyGroups, PolicyRoles: each has its list, also an empty one. */
static struct tree *entity_list(const struct entities *entities, const struct iam_sort *sort)
{
    const struct api_call *call = entities->iam->call;

    return tree_member(call->arena, call->output, arena_printf(call->arena, "Policy%ss", sort->title));
}

/* False: the page is full. */
static bool list_relations(struct entities *entities, const struct identity *policy, enum identity_kind kind)
{
    const struct iam *iam = entities->iam;
    struct arena *arena = iam->call->arena;
    struct identity_list all = identities_to(iam->set, kind, policy->is.id);

    assert(identity_is_relation(kind));
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *holder = identities_by_id(iam->set, all.items[i]->is.at.scope);
        const struct iam_sort *sort = iam_sort_of(holder);
        const char *position = arena_printf(arena, "%d%.*s", (int)kind, BYTES(holder->is.id));
        struct tree *shown;
        int taken;

        if ((entities->filter.size && !bytes_is(entities->filter, sort->title)) ||
            !bytes_starts_with(holder->is.path, entities->prefix))
            continue;
        taken = iam_page_take(&entities->page, bytes_of_string(position), holder->is.name.size);
        if (taken < 0)
            return false;
        if (!taken)
            continue;
        shown = tree_append(arena, entity_list(entities, sort));
        tree_set_string(arena, shown, sort->name_member, holder->is.name);
        tree_set_string(arena, shown, sort->id_member, holder->is.id);
    }
    return true;
}

/* One order over all three lists and both uses, so that a page can end anywhere. */
bool iam_list_entities(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes usage = tree_string(call->input, "PolicyUsageFilter");
    struct entities entities = { .iam = &iam,
                                 .filter = tree_string(call->input, "EntityFilter"),
                                 .prefix = tree_string(call->input, "PathPrefix") };
    const struct identity *policy;
    const char *about;

    if (!iam_look(&iam, call) || !(policy = iam_find_policy(&iam, tree_string(call->input, "PolicyArn"))))
        return false;
    about = arena_printf(call->arena, "%.*s %.*s %.*s %.*s", BYTES(policy->is.id), BYTES(usage), BYTES(entities.filter),
                         BYTES(entities.prefix));
    if (!iam_page_begin(&entities.page, call, bytes_of_string(about)))
        return false;
    entity_list(&entities, &iam_group);
    entity_list(&entities, &iam_user);
    entity_list(&entities, &iam_role);
    if ((bytes_is(usage, "PermissionsBoundary") || list_relations(&entities, policy, IDENTITY_ATTACHMENT)) &&
        !bytes_is(usage, "PermissionsPolicy"))
        list_relations(&entities, policy, IDENTITY_BOUNDARY);
    return iam_page_end(&entities.page, call);
}

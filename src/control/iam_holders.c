/* What users, groups and roles have, by the operations that there are of each for all three. An operation of AWS is named after one of
 * them (PutUserPolicy, PutRolePolicy), and its input has that one's name: so one handler serves the three.
 *
 * Here are policies of their own, managed ones, a boundary; and what carries tags. */
#include "control/iam.h"

#include "control/iam_common.h"

#include <assert.h>

/* The one that the operation is about, and what it is. */
static const struct identity *subject(const struct iam *iam, const struct iam_sort **sort)
{
    *sort = iam_sort(iam->call);
    return iam_subject(iam, *sort);
}

/* ---- inline policies ----
 *
 * They are their holder's alone and go with it; in AWS, as here, nobody can point to one from elsewhere. */

/* All of a holder's together, the one that is put in place of its old text. */
static bool check_size(const struct iam *iam, const struct iam_sort *sort, const struct identity *holder,
                       struct bytes name, struct bytes text)
{
    struct identity_list all = identities_in(iam->set, IDENTITY_INLINE, holder->is.id);
    size_t size = iam_document_size(text);

    assert(holder->is.id.size && name.size);
    for (uint32_t i = 0; i < all.count; i++)
        if (!bytes_equal(all.items[i]->is.at.key, name))
            size += iam_document_size(all.items[i]->is.text);
    return size <= sort->inline_bytes_max ||
           iam_fail(iam->call, "LimitExceededException", "Maximum policy size of %u bytes exceeded for %s %.*s",
                    sort->inline_bytes_max, sort->word, BYTES(holder->is.name));
}

/* In place of the one of that name. */
bool iam_put_inline(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts = { .name = tree_string(call->input, "PolicyName"),
                                    .text = tree_string(call->input, "PolicyDocument") };
    const struct iam_sort *sort;
    const struct identity *holder, *old;

    if (!iam_begin(&iam, call) || !(holder = subject(&iam, &sort)) ||
        !check_size(&iam, sort, holder, parts.name, parts.text) ||
        !iam_check_document(call, parts.text, POLICY_IDENTITY))
        return false;
    /* Its time is kept: what is put again is the same policy with another text. */
    old = identities_find(iam.set, IDENTITY_INLINE, holder->is.id, parts.name);
    parts.at = (struct identity_place){ IDENTITY_INLINE, holder->is.id, parts.name };
    parts.created_us = old ? old->is.created_us : iam.change.now_us;
    parts.changed_us = iam.change.now_us;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* NULL, and NoSuchEntity: of the holder, or of its policy. */
static const struct identity *find_inline(const struct iam *iam, const struct iam_sort **sort,
                                          const struct identity **holder)
{
    struct bytes name = tree_string(iam->call->input, "PolicyName");
    const struct identity *found;

    *holder = subject(iam, sort);
    if (!*holder)
        return NULL;
    found = identities_find(iam->set, IDENTITY_INLINE, (*holder)->is.id, name);
    if (!found)
        iam_fail(iam->call, "NoSuchEntityException", "The %s policy with name %.*s cannot be found.", (*sort)->word,
                 BYTES(name));
    return found;
}

/* Under the name that the holder has now, whatever was asked by. */
bool iam_get_inline(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder, *found;

    if (!iam_look(&iam, call) || !(found = find_inline(&iam, &sort, &holder)))
        return false;
    tree_set_string(call->arena, call->output, sort->name_member, holder->is.name);
    tree_set_string(call->arena, call->output, "PolicyName", found->is.name);
    iam_show_document(call, call->output, "PolicyDocument", found->is.text);
    return true;
}

/* Names alone, as AWS lists them: in the order of names. */
bool iam_list_inline(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder;
    struct identity_list all;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "PolicyNames");

    if (!iam_look(&iam, call) || !(holder = subject(&iam, &sort)) || !iam_page_begin(&page, call, holder->is.id))
        return false;
    all = identities_in(iam.set, IDENTITY_INLINE, holder->is.id);
    for (uint32_t i = 0; i < all.count; i++) {
        int taken = iam_page_take(&page, all.items[i]->is.at.key, all.items[i]->is.name.size);

        if (taken < 0)
            break;
        if (taken)
            tree_append(call->arena, shown)->bytes = arena_copy(call->arena, all.items[i]->is.name);
    }
    return iam_page_end(&page, call);
}

/* It goes at once: nobody else can have it. */
bool iam_delete_inline(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder, *found;

    if (!iam_begin(&iam, call) || !(found = find_inline(&iam, &sort, &holder)))
        return false;
    identity_drop(&iam.change, found);
    return iam_commit(&iam);
}

/* ---- managed policies ----
 *
 * A relation of a holder to a policy, and nothing in either: both can be shown, renamed and listed without it. */

/* The holder is looked for first, as AWS does. */
static bool find_both(const struct iam *iam, const struct iam_sort **sort, const struct identity **holder,
                      const struct identity **policy)
{
    *holder = subject(iam, sort);
    *policy = *holder ? iam_find_policy(iam, tree_string(iam->call->input, "PolicyArn")) : NULL;
    return *policy != NULL;
}

/* What is attached already is so still. */
bool iam_attach(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder, *policy;

    if (!iam_begin(&iam, call) || !find_both(&iam, &sort, &holder, &policy))
        return false;
    if (identities_find(iam.set, IDENTITY_ATTACHMENT, holder->is.id, policy->is.id))
        return true;
    if (!iam_check_quota(call, arena_printf(call->arena, "PoliciesPer%s", sort->title),
                         identities_in(iam.set, IDENTITY_ATTACHMENT, holder->is.id).count, IAM_ATTACHED_MAX))
        return false;
    parts.at = (struct identity_place){ IDENTITY_ATTACHMENT, holder->is.id, policy->is.id };
    parts.created_us = iam.change.now_us;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* What is not attached is told, unlike what is attached twice. */
bool iam_detach(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder, *policy, *attachment;

    if (!iam_begin(&iam, call) || !find_both(&iam, &sort, &holder, &policy))
        return false;
    attachment = identities_find(iam.set, IDENTITY_ATTACHMENT, holder->is.id, policy->is.id);
    if (!attachment)
        return iam_fail(call, "NoSuchEntityException", "Policy %.*s was not found.",
                        BYTES(tree_string(call->input, "PolicyArn")));
    identity_drop(&iam.change, attachment);
    return iam_commit(&iam);
}

/* In the order of policies' ids, which never change, so no page loses one to a new name. */
bool iam_list_attached(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes prefix = tree_string(call->input, "PathPrefix");
    const struct iam_sort *sort;
    const struct identity *holder;
    struct identity_list all;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "AttachedPolicies");

    if (!iam_look(&iam, call) || !(holder = subject(&iam, &sort)) ||
        !iam_page_begin(&page, call,
                        bytes_of_string(arena_printf(call->arena, "%.*s %.*s", BYTES(holder->is.id), BYTES(prefix)))))
        return false;
    all = identities_in(iam.set, IDENTITY_ATTACHMENT, holder->is.id);
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *policy = iam_policy_by_id(&iam, all.items[i]->is.at.key);
        struct tree *item;
        int taken;

        assert(policy); /* it goes when nobody has it */
        if (!bytes_starts_with(policy->is.path, prefix))
            continue;
        taken = iam_page_take(&page, policy->is.id, policy->is.name.size + policy->is.path.size);
        if (taken < 0)
            break;
        if (!taken)
            continue;
        item = tree_append(call->arena, shown);
        tree_set_string(call->arena, item, "PolicyName", policy->is.name);
        tree_set_string(call->arena, item, "PolicyArn", iam_policy_arn(call, &iam, policy));
    }
    return iam_page_end(&page, call);
}

/* ---- boundaries ----
 *
 * What its holder may at most, whatever its own policies say. It is a managed policy, and in use for as long as it is one. */

/* There is one, which the new one replaces. */
bool iam_set_boundary(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder;

    if (!iam_begin(&iam, call) || !(holder = subject(&iam, &sort)) ||
        !iam_put_boundary(&iam, holder->is.id, tree_string(call->input, "PermissionsBoundary")))
        return false;
    return iam_commit(&iam);
}

/* From then on only its own policies say what it may. */
bool iam_delete_boundary(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct iam_sort *sort;
    const struct identity *holder;
    struct identity_list all;

    if (!iam_begin(&iam, call) || !(holder = subject(&iam, &sort)))
        return false;
    all = identities_in(iam.set, IDENTITY_BOUNDARY, holder->is.id);
    if (!all.count)
        return iam_fail(call, "NoSuchEntityException", "The %s with name %.*s has no permissions boundary.", sort->word,
                        BYTES(holder->is.name));
    for (uint32_t i = 0; i < all.count; i++)
        identity_drop(&iam.change, all.items[i]);
    return iam_commit(&iam);
}

/* ---- tags: of users, roles, policies ----
 *
 * Conditions of policies ask for them (aws:PrincipalTag, iam:ResourceTag), so keys that begin with "aws:" are AWS's to give. */

/* A policy is named by its ARN, the others by their names. AWS's policies have tags for nobody to change. */
static const struct identity *tagged(const struct iam *iam)
{
    struct bytes arn = bytes_of(NULL, 0);
    const struct iam_sort *sort;
    const struct identity *policy;

    if (!shape_member_find(iam->call->input->shape, BYTES_LITERAL("PolicyArn")))
        return subject(iam, &sort);
    arn = tree_string(iam->call->input, "PolicyArn");
    policy = iam_find_policy(iam, arn);
    if (policy && iam->changes && identities_by_id(iam->set, policy->is.id) != policy) {
        iam_fail(iam->call, "InvalidInputException", "The policy %.*s is managed by AWS and cannot be changed.",
                 BYTES(arn));
        return NULL;
    }
    return policy;
}

/* All of them, or none. */
bool iam_tag(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct identity_parts parts;
    const struct identity *old;

    if (!iam_begin(&iam, call) || !(old = tagged(&iam)))
        return false;
    parts = old->is;
    if (!iam_set_tags(call, old, tree_get(call->input, "Tags"), &parts))
        return false;
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* In any case, as keys are. */
static bool is_in(const struct tree *keys, struct bytes key)
{
    assert(keys); /* required */
    for (uint32_t i = 0; i < keys->count; i++) {
        struct bytes other = keys->entries[i].value->bytes;

        if (key.size == other.size && strncasecmp((const char *)key.data, (const char *)other.data, key.size) == 0)
            return true;
    }
    return false;
}

/* Keys that it does not have are no fault. */
bool iam_untag(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct tree *keys = tree_get(call->input, "TagKeys");
    struct bytes_pair kept[IDENTITY_TAGS_MAX];
    struct identity_parts parts;
    const struct identity *old;

    if (!iam_begin(&iam, call) || !(old = tagged(&iam)))
        return false;
    parts = old->is;
    parts.tags = kept;
    parts.tag_count = 0;
    for (uint32_t i = 0; i < old->is.tag_count; i++)
        if (!is_in(keys, old->is.tags[i].name))
            kept[parts.tag_count++] = old->is.tags[i];
    identity_put(&iam.change, &parts);
    return iam_commit(&iam);
}

/* A key may be longer than a marker: a position is a tag's number, so what is taken away between two pages moves others. */
bool iam_list_tags(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *identity;
    struct iam_page page;
    struct tree *shown = tree_member(call->arena, call->output, "Tags");

    if (!iam_look(&iam, call) || !(identity = tagged(&iam)) || !iam_page_begin(&page, call, identity->is.id))
        return false;
    for (uint32_t i = 0; i < identity->is.tag_count; i++) {
        const struct bytes_pair *tag = &identity->is.tags[i];
        const char *position = arena_printf(call->arena, "%02u", i);
        int taken = iam_page_take(&page, bytes_of_string(position), tag->name.size + tag->value.size);
        struct tree *item;

        if (taken < 0)
            break;
        if (!taken)
            continue;
        item = tree_append(call->arena, shown);
        tree_set_string(call->arena, item, "Key", tag->name);
        tree_set_string(call->arena, item, "Value", tag->value);
    }
    return iam_page_end(&page, call);
}

/* One table for keyspaces, tagging and sts; a rule for IAM. Resources are named as policies have them, whether they are there or not: who may
 * not do something is not told whether it could be done. */
#include "control/needs.h"

#include "control/action.h"
#include "control/iam_common.h"
#include "iam/decide.h"

#include <assert.h>

enum { NEEDS_MAX = 3, ARNS_MAX = 64 };

enum about {
    NOTHING,  /* "*" */
    KEYSPACE, /* keyspaceName */
    TABLE,    /* and tableName */
    TARGET,   /* targetKeyspaceName, targetTableName */
    SOURCE,   /* sourceKeyspaceName, sourceTableName */
    SYSTEM,   /* the keyspaces that have the definitions */
    ARN,      /* resourceArn */
    ARNS      /* each of ResourceARNList */
};

/* An operation's needs, up to the first without an action; `with_tags`: once more if it sets tags. */
static const struct line {
    const char *service, *operation;
    struct {
        const char *action;
        enum about about;
    } needs[NEEDS_MAX];
    bool with_tags; /* cassandra:TagResource too, where it has tags */
} lines[] = {
    { "cassandra", "CreateKeyspace", { { "cassandra:Create", KEYSPACE } }, true },
    { "cassandra", "CreateTable", { { "cassandra:Create", TABLE } }, true },
    { "cassandra", "CreateType", { { "cassandra:Create", KEYSPACE } } },
    { "cassandra", "DeleteKeyspace", { { "cassandra:Drop", KEYSPACE } } },
    { "cassandra", "DeleteTable", { { "cassandra:Drop", TABLE } } },
    { "cassandra", "DeleteType", { { "cassandra:Drop", KEYSPACE } } },
    { "cassandra", "GetKeyspace", { { "cassandra:Select", KEYSPACE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra", "GetTable", { { "cassandra:Select", TABLE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra",
      "GetTableAutoScalingSettings",
      { { "application-autoscaling:DescribeScalableTargets", NOTHING },
        { "application-autoscaling:DescribeScalingPolicies", NOTHING } } },
    { "cassandra", "GetType", { { "cassandra:Select", KEYSPACE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra", "ListKeyspaces", { { "cassandra:Select", SYSTEM } } },
    { "cassandra", "ListTables", { { "cassandra:Select", KEYSPACE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra", "ListTagsForResource", { { "cassandra:Select", ARN }, { "cassandra:Select", SYSTEM } } },
    { "cassandra", "ListTypes", { { "cassandra:Select", KEYSPACE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra",
      "RestoreTable",
      { { "cassandra:Restore", TARGET }, { "cassandra:Select", SOURCE }, { "cassandra:Select", SYSTEM } } },
    { "cassandra", "TagResource", { { "cassandra:TagResource", ARN } } },
    { "cassandra", "UntagResource", { { "cassandra:UntagResource", ARN } } },
    { "cassandra", "UpdateKeyspace", { { "cassandra:Alter", KEYSPACE } } },
    { "cassandra", "UpdateTable", { { "cassandra:Alter", TABLE } } },
    { "tagging", "GetResources", { { "tag:GetResources", NOTHING } } },
    { "tagging", "GetTagKeys", { { "tag:GetTagKeys", NOTHING } } },
    { "tagging", "GetTagValues", { { "tag:GetTagValues", NOTHING } } },
    { "tagging", "TagResources", { { "tag:TagResources", NOTHING }, { "cassandra:TagResource", ARNS } } },
    { "tagging", "UntagResources", { { "tag:UntagResources", NOTHING }, { "cassandra:UntagResource", ARNS } } },
    { "sts", "GetCallerIdentity" }, /* who am I: everybody may ask, whatever denies it */
};

struct needs {
    const struct api_call *call;
    struct need *items;
    uint32_t count, capacity;
};

/* ---- resources ----
 *
 * By names of the input's members, which its model has: a line about a table is only of operations that name one. */

/* Required, or of no use here. */
static struct bytes member(const struct api_call *call, const char *name)
{
    return tree_string(call->input, name);
}

/* The same action may be needed on several. */
static void add(struct needs *needs, struct bytes action, struct bytes resource)
{
    needs->items = arena_room(needs->call->arena, needs->items, needs->count, &needs->capacity, 4, sizeof(struct need));
    needs->items[needs->count++] = (struct need){ action, resource };
}

/* Of what has several spellings the one that policies have: none of them is a way around what is denied. Of what is nobody's, or
 * another's, the text. */
static struct bytes arn_as_told(const struct api_call *call, struct bytes text)
{
    struct arn arn;

    if (!arn_parse(text, &arn) || arn.stream.data || !action_owns(call, &arn))
        return text;
    return action_arn(call, arn.keyspace, arn.table);
}

/* All of them must be allowed: the caller is refused as a whole. */
static void add_each(struct needs *needs, struct bytes action)
{
    const struct tree *list = tree_get(needs->call->input, "ResourceARNList");

    assert(list && list->count <= ARNS_MAX); /* the model's bound is less */
    for (uint32_t i = 0; i < list->count; i++)
        add(needs, action, arn_as_told(needs->call, list->entries[i].value->bytes));
}

/* A keyspace's ARN ends with '/', the system's too: a policy for /keyspace/system* is for it. */
static void add_about(struct needs *needs, const char *name, enum about about)
{
    const struct api_call *call = needs->call;
    struct bytes action = bytes_of_string(name), none = bytes_of(NULL, 0);

    switch (about) { /* no default: the compiler names what was forgotten */
    case NOTHING: add(needs, action, BYTES_LITERAL("*")); return;
    case KEYSPACE: add(needs, action, action_arn(call, member(call, "keyspaceName"), none)); return;
    case TABLE: add(needs, action, action_arn(call, member(call, "keyspaceName"), member(call, "tableName"))); return;
    case TARGET:
        add(needs, action, action_arn(call, member(call, "targetKeyspaceName"), member(call, "targetTableName")));
        return;
    case SOURCE:
        add(needs, action, action_arn(call, member(call, "sourceKeyspaceName"), member(call, "sourceTableName")));
        return;
    case SYSTEM: add(needs, action, action_arn(call, BYTES_LITERAL("system"), none)); return;
    case ARN: add(needs, action, arn_as_told(call, member(call, "resourceArn"))); return;
    case ARNS: add_each(needs, action); return;
    }
}

/* ---- IAM ----
 *
 * Its actions are called as its operations are, and AWS's reference has one resource for each: whom it is about. Of two that an input
 * names, a group and who is to be in it, it is the first of this order. */

/* As it stands in the account, with its path; of what is not there with none. new_name, new_path: what it is to be called, empty where that
 * stays. */
static struct bytes holder_arn(const struct api_call *call, const struct iam_sort *sort, struct bytes name,
                               struct bytes new_name, struct bytes new_path)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    char key[IDENTITY_KEY_MAX];
    const struct identity *found;
    struct bytes path = BYTES_LITERAL("/");

    if (!iam_look(&iam, (struct api_call *)call))
        return BYTES_LITERAL("*");
    /* By the name that it has, so that another case of it is no way around a policy. */
    found = identities_find(iam.set, sort->kind, bytes_of(NULL, 0), identity_key(name, key));
    if (found)
        path = arena_copy(call->arena, found->is.path);
    else if (shape_member_find(call->input->shape, BYTES_LITERAL("Path")))
        path = iam_path(call, "Path");
    if (new_path.size)
        path = new_path;
    if (new_name.size)
        name = new_name;
    else if (found)
        name = arena_copy(call->arena, found->is.name);
    return iam_arn(call, sort->word, path, name);
}

/* Names of policies are the same in any case, too. */
static struct bytes policy_arn(const struct api_call *call, struct bytes arn)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *found;
    bool is_arn;

    if (!iam_look(&iam, (struct api_call *)call))
        return BYTES_LITERAL("*");
    found = iam_policy_of_arn(&iam, arn, &is_arn);
    return found ? iam_policy_arn(call, &iam, found) : arn;
}

/* Who or what an operation is about. */
static struct bytes iam_resource(const struct api_call *call)
{
    static const struct iam_sort *const order[] = { &iam_group, &iam_role, &iam_user };
    const struct shape *input = call->input->shape;
    const struct bytes none = { NULL, 0 };

    /* Then no name counts that may stand beside it. */
    if (shape_member_find(input, BYTES_LITERAL("AllUsers")) && tree_boolean(call->input, "AllUsers", false))
        return BYTES_LITERAL("*");
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        struct bytes name = BYTES_LITERAL("");

        if (!shape_member_find(input, bytes_of_string(order[i]->name_member)))
            continue;
        name = member(call, order[i]->name_member);
        if (name.size)
            return holder_arn(call, order[i], name, none, none);
        /* Who names nobody asks for himself. */
        return call->caller.principal->arn;
    }
    /* What is about a policy alone. */
    if (shape_member_find(input, BYTES_LITERAL("PolicyArn")))
        return policy_arn(call, member(call, "PolicyArn"));
    if (shape_member_find(input, BYTES_LITERAL("PolicyName")))
        return iam_arn(call, "policy", iam_path(call, "Path"), member(call, "PolicyName"));
    return BYTES_LITERAL("*");
}

/* Who gives a user or a group another name or path needs the same for what it becomes: else it could be brought to where policies let it
 * do more. */
static void add_renamed(struct needs *needs, struct bytes action)
{
    const struct api_call *call = needs->call;
    const struct iam_sort *sort = strcmp(call->operation->name, "UpdateGroup") == 0 ? &iam_group : &iam_user;
    struct bytes name, path;

    if (!shape_member_find(call->input->shape, BYTES_LITERAL("NewPath")))
        return;
    assert(needs->count == 1); /* the old one's */
    name = member(call, sort == &iam_group ? "NewGroupName" : "NewUserName");
    path = member(call, "NewPath");
    if (name.size || path.size)
        add(needs, action, holder_arn(call, sort, member(call, sort->name_member), name, path));
}

/* An operation's action is called as it is. */
static void add_named(struct needs *needs)
{
    const struct api_call *call = needs->call;
    bool is_iam = strcmp(call->service->signing, "iam") == 0;
    struct bytes action =
        bytes_of_string(arena_printf(call->arena, "%s:%s", call->service->signing, call->operation->name));

    add(needs, action, is_iam ? iam_resource(call) : BYTES_LITERAL("*"));
    if (is_iam)
        add_renamed(needs, action);
}

/* ---- all ---- */

/* A few dozen: looking through them costs less than a policy. */
static const struct line *find_line(const struct api_call *call)
{
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (strcmp(lines[i].service, call->service->signing) == 0 &&
            strcmp(lines[i].operation, call->operation->name) == 0)
            return &lines[i];
    return NULL;
}

/* Setting tags while something is made is an action of its own, on the same resource. */
static void add_line(struct needs *needs, const struct line *line)
{
    for (uint32_t i = 0; i < NEEDS_MAX && line->needs[i].action; i++)
        add_about(needs, line->needs[i].action, line->needs[i].about);
    if (line->with_tags && tree_get(needs->call->input, "tags"))
        add(needs, BYTES_LITERAL("cassandra:TagResource"), needs->items[0].resource);
}

/* At least one but for who may be asked by everybody. */
const struct need *needs_of(const struct api_call *call, uint32_t *count)
{
    struct needs needs = { .call = call };
    const struct line *line = find_line(call);

    assert(call->service && call->caller.principal);
    if (line)
        add_line(&needs, line);
    else
        add_named(&needs);
    *count = needs.count;
    return needs.items;
}

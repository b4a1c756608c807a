/* Keyspaces. What CQL made has whatever replication it asked for; here all of them are of a single region, which is
 * what there is. A keyspace of several regions would be told with its regions, and their states: none of that can
 * be made yet, so none of it is shown. */
#include "control/keyspaces.h"

#include "control/action.h"
#include "control/clause.h"
#include "control/page.h"

#include <assert.h>

/* What a keyspace is called elsewhere in AWS: in policies, in tags, in what other services are told. It is of the
 * region and account that ask. */
static void tell_arn(struct api_call *call, struct tree *to, struct bytes keyspace)
{
    tree_set_string(call->arena, to, "resourceArn", action_arn(call, keyspace, bytes_of(NULL, 0)));
}

/* SINGLE_REGION, spelt out or not. A list of regions with it says nothing that could be kept. */
static bool check_replication(struct api_call *call)
{
    const struct tree *replication = tree_get(call->input, "replicationSpecification");

    if (!replication)
        return true;
    if (!bytes_is(tree_string(replication, "replicationStrategy"), "SINGLE_REGION"))
        return api_fail(call, "ValidationException",
                        "replicationStrategy MULTI_REGION is not supported yet by this server: only SINGLE_REGION");
    if (tree_get(replication, "regionList"))
        return api_fail(call, "ValidationException",
                        "regionList is not supported yet by this server: a keyspace is of one region");
    return true;
}

/* CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'} AND tags = {...} */
bool keyspaces_create(struct api_call *call)
{
    struct bytes name = tree_string(call->input, "keyspaceName");
    const struct tree *tags = tree_get(call->input, "tags");
    struct keyspace_statement keyspace = { .name = name };
    struct cql_statement statement = { .kind = STATEMENT_CREATE_KEYSPACE, .keyspace = &keyspace };
    const struct subject none = { 0 }; /* nothing that would be missing */
    struct pairs replication = { 0 };
    struct clause clause = { 0 };
    const struct term *map;

    clause_pair(call->arena, &replication, BYTES_LITERAL("class"),
                clause_text(call->arena, BYTES_LITERAL("SingleRegionStrategy")));
    clause_option(call->arena, &clause, "replication", clause_map(call->arena, &replication));
    if (!action_may_change(call, name) || !check_replication(call) || (tags && !clause_tags(call, tags, &map)))
        return false;
    /* An empty list the model refuses. */
    if (tags)
        clause_option(call->arena, &clause, "tags", map);
    keyspace.options = clause_options(&clause);
    if (!action_run(call, &statement, &none))
        return false;
    tell_arn(call, call->output, name);
    return true;
}

/* Regions are told of a keyspace that has several. The class and factor that CQL shows are not: they say nothing in
 * AWS's terms. */
static void show(struct api_call *call, struct tree *to, struct bytes name)
{
    tree_set_string(call->arena, to, "keyspaceName", name);
    tree_set_text(call->arena, to, "replicationStrategy", "SINGLE_REGION");
    tell_arn(call, to, name);
}

/* Nothing of it is under way: what is there is ready. */
bool keyspaces_get(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);

    if (!action_find(call, schema, &subject))
        return false;
    show(call, call->output, subject.keyspace);
    return true;
}

/* The server's own too, as Keyspaces does: who lists keyspaces to delete them is refused those. */
bool keyspaces_list(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct page_question question = page_question(call, bytes_of(NULL, 0)); /* about nothing but who asks */
    struct tree *list = tree_member(call->arena, call->output, "keyspaces");
    struct page page;

    if (!page_begin(&page, call, &question))
        return false;
    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        struct bytes name = schema_keyspace_at(schema, i)->name;

        if (!page_is_behind(&page, name))
            continue;
        if (!page_take(&page, name, name.size))
            break;
        show(call, tree_append(call->arena, list), name);
    }
    page_end(&page, call, &question);
    return true;
}

/* Its one use is to add a region, which is not built yet; what is so already is taken. */
bool keyspaces_update(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);

    if (!action_may_change(call, subject.keyspace) || !action_find(call, schema, &subject) || !check_replication(call))
        return false;
    if (tree_get(call->input, "clientSideTimestamps"))
        return api_fail(call, "ValidationException",
                        "clientSideTimestamps is not supported yet by this server: it is for keyspaces of several "
                        "regions");
    tell_arn(call, call->output, subject.keyspace);
    return true;
}

/* With all that is in it: tables, their rows, types and tags. */
bool keyspaces_delete(struct api_call *call)
{
    struct subject subject = action_subject(call);
    struct drop_keyspace_statement drop = { .name = subject.keyspace };
    struct cql_statement statement = { .kind = STATEMENT_DROP_KEYSPACE, .drop_keyspace = &drop };

    assert(!call->output);
    return action_may_change(call, subject.keyspace) && action_run(call, &statement, &subject);
}

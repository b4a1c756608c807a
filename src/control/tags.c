/* Tags are a part of the definition that they are on, so a change of tags is a change of that, and drivers hear of
 * it as of any other; no prepared statement is lost by it. */
#include "control/tags.h"

#include "control/clause.h"
#include "control/page.h"

#include <assert.h>

/* Streams have none yet, as there are none. */
const struct option_map *tags_of(const struct schema *schema, const struct arn *arn)
{
    const struct keyspace_def *keyspace = schema_keyspace(schema, arn->keyspace);
    uint32_t at;

    if (!keyspace || arn->stream.data)
        return NULL;
    if (!arn->table.data)
        return &keyspace->tags;
    return keyspace_def_find_table(keyspace, arn->table, &at) ? &keyspace->tables[at]->params.tags : NULL;
}

/* The statement of CQL for either, which decides and saves: ADD TAGS sets values anew, DROP TAGS leaves a key
 * whose value is another. */
enum status tags_change(const struct api_call *call, const struct arn *arn, enum tags_action action,
                        const struct term *tags, struct error *err)
{
    const struct keyspace_statement keyspace = { .name = arn->keyspace, .tags_action = action, .tags = tags };
    const struct alter_table_statement table = {
        .table = { arn->keyspace, arn->table }, .kind = ALTER_TABLE_TAGS, .tags_action = action, .tags = tags
    };
    struct cql_statement statement;

    assert(!arn->stream.data);
    if (arn->table.data)
        statement = (struct cql_statement){ .kind = STATEMENT_ALTER_TABLE, .alter_table = &table };
    else
        statement = (struct cql_statement){ .kind = STATEMENT_ALTER_KEYSPACE, .keyspace = &keyspace };
    return action_change(call, &statement, err);
}

/* A resource by its ARN, or why it is not one of the caller's.
 *
 * What is of another account is denied, whether it is there or not; what is of another region is not here. */
static bool read_arn(struct api_call *call, struct arn *arn)
{
    struct bytes text = tree_string(call->input, "resourceArn");

    if (!arn_parse(text, arn))
        return api_fail(call, "ValidationException", "The resourceArn '%.*s' is not one of a keyspace or table",
                        BYTES(text));
    if (!bytes_equal(arn->owner.account, call->caller.account))
        return api_fail(call, "AccessDeniedException", "'%.*s' is a resource of another account", BYTES(text));
    if (arn->stream.data || !action_owns(call, arn)) {
        api_fail(call, "ResourceNotFoundException", "'%.*s' does not exist in region %.*s", BYTES(text),
                 BYTES(call->caller.region));
        api_fail_detail(call, "resourceArn", text);
        return false;
    }
    return true;
}

/* Both ways have the same request and answer nothing. */
static bool change(struct api_call *call, enum tags_action action)
{
    const struct term *tags;
    struct subject subject;
    enum status status;
    struct error err;
    struct arn arn;

    if (!read_arn(call, &arn) || !action_may_change(call, arn.keyspace) ||
        !clause_tags(call, tree_get(call->input, "tags"), &tags))
        return false;
    subject = (struct subject){ .keyspace = arn.keyspace, .table = arn.table };
    status = tags_change(call, &arn, action, tags, &err);
    return action_end(call, status, &subject, &err);
}

/* 50 are the most; those that are there count. */
bool tags_add(struct api_call *call)
{
    return change(call, TAGS_ADD);
}

/* Pairs that it does not have are no fault, as in CQL. */
bool tags_remove(struct api_call *call)
{
    return change(call, TAGS_DROP);
}

/* In the order of keys, which is how definitions keep them: a page goes on behind the last key that was told. The
 * model wants one tag at least in the list; AWS answers none as an empty list, too. */
bool tags_list(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct page_question question;
    struct subject subject;
    const struct option_map *tags;
    struct page page;
    struct tree *list;
    struct arn arn;

    if (!read_arn(call, &arn))
        return false;
    subject = (struct subject){ .keyspace = arn.keyspace, .table = arn.table };
    question = page_question(call, action_arn(call, arn.keyspace, arn.table));
    if (!action_find(call, schema, &subject) || !page_begin(&page, call, &question))
        return false;
    /* There: it was found. */
    tags = tags_of(schema, &arn);
    list = tree_member(call->arena, call->output, "tags");
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct option *tag = &tags->options[i];

        if (!page_is_behind(&page, tag->name))
            continue;
        if (!page_take(&page, tag->name, tag->name.size + tag->value.size))
            break;
        struct tree *shown = tree_append(call->arena, list);
        tree_set_string(call->arena, shown, "key", tag->name);
        tree_set_string(call->arena, shown, "value", tag->value);
    }
    page_end(&page, call, &question);
    return true;
}

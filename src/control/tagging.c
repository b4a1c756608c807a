/* What the definitions have of tags, walked over in one order; changes go through tags.h, resource by resource.
 *
 * Nothing is kept beside the definitions, so nothing can differ from them: a question looks at all keyspaces and
 * tables, which are in memory. A page begins where its token says, by a search, so that going through all pages
 * costs what looking at everything once does. */
#include "control/tagging.h"

#include "control/clause.h"
#include "control/page.h"
#include "control/tags.h"
#include "wire/aws/codec.h"

#include <assert.h>

enum {
    RESOURCES_DEFAULT = 50,
    RESOURCES_MAX = 100,
    TAGS_PER_PAGE_MIN = 100,
    TAGS_PER_PAGE_MAX = 500,
    UNTAG_TRIES = 3, /* a value may change between two looks */
    REFUSED = 400,
    FAILED = 500,
};

/* All that a client can get wrong has this one name here. */
static bool fail_parameter(struct api_call *call, const char *message)
{
    return api_fail(call, "InvalidParameterException", "%s", message);
}

/* ---- all that has tags ---- */

/* Where a walk over all resources is: at a keyspace, then at its tables. */
struct walk_resources {
    const struct schema *schema;
    uint32_t keyspace, table; /* table 0: the keyspace itself; else the table before it */
};

struct resource {
    struct bytes keyspace, table; /* table, data NULL: the keyspace */
    const struct option_map *tags;
};

/* Those without tags are passed by: AWS lists what has tags. (It lists what had some as well; nothing remembers
 * that here.) */
static bool next_resource(struct walk_resources *walk, struct resource *resource)
{
    while (walk->keyspace < schema_keyspace_count(walk->schema)) {
        const struct keyspace_def *keyspace = schema_keyspace_at(walk->schema, walk->keyspace);
        uint32_t at = walk->table++;

        if (at > keyspace->table_count) {
            walk->keyspace++;
            walk->table = 0;
            continue;
        }
        *resource = (struct resource){ .keyspace = keyspace->name, .tags = &keyspace->tags };
        if (at) {
            resource->table = keyspace->tables[at - 1]->name;
            resource->tags = &keyspace->tables[at - 1]->params.tags;
        }
        if (resource->tags->count)
            return true;
    }
    return false;
}

/* KEYSPACE 0 TABLE: bytes in the order of the walk, as names have no 0. */
static struct bytes position_of(struct arena *arena, const struct resource *resource)
{
    uint8_t *position = arena_alloc(arena, resource->keyspace.size + 1 + resource->table.size);

    memcpy(position, resource->keyspace.data, resource->keyspace.size);
    position[resource->keyspace.size] = 0;
    if (resource->table.size)
        memcpy(position + resource->keyspace.size + 1, resource->table.data, resource->table.size);
    return bytes_of(position, resource->keyspace.size + 1 + resource->table.size);
}

/* Behind this position, whether what stood there is still there or not. */
static void walk_to(struct walk_resources *walk, struct bytes position)
{
    const uint8_t *end = memchr(position.data, 0, position.size);
    struct bytes keyspace, table;
    uint32_t at;

    assert(end); /* the position is ours: its token said so */
    keyspace = bytes_of(position.data, (size_t)(end - position.data));
    table = bytes_of(end + 1, position.size - keyspace.size - 1);
    /* Keyspaces are looked at one by one: there are far fewer than tables. */
    while (walk->keyspace < schema_keyspace_count(walk->schema) &&
           bytes_compare(schema_keyspace_at(walk->schema, walk->keyspace)->name, keyspace) < 0)
        walk->keyspace++;
    if (walk->keyspace == schema_keyspace_count(walk->schema))
        return;
    const struct keyspace_def *def = schema_keyspace_at(walk->schema, walk->keyspace);
    if (!bytes_equal(def->name, keyspace))
        return;
    /* Behind the keyspace itself; behind the table, if it is still there. */
    walk->table = 1;
    if (table.size)
        walk->table += keyspace_def_find_table(def, table, &at) ? at + 1 : at;
}

/* ---- filters ---- */

/* Lists of requests are short: the model bounds them. */
static bool is_among(struct bytes text, const struct tree *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (bytes_equal(list->entries[i].value->bytes, text))
            return true;
    return false;
}

/* Filters are few (50), and so are tags (50): each is compared with each.
 *
 * Every filter must be met: by its key and, if it names values, by one of them. */
static bool has_tags(const struct option_map *tags, const struct tree *filters)
{
    for (uint32_t i = 0; filters && i < filters->count; i++) {
        const struct tree *filter = filters->entries[i].value, *values = tree_get(filter, "Values");
        struct bytes key = tree_string(filter, "Key");
        bool found = false;

        for (uint32_t j = 0; j < tags->count && !found; j++)
            found = bytes_equal(tags->options[j].name, key) &&
                    (!values || !values->count || is_among(tags->options[j].value, values));
        if (!found)
            return false;
    }
    return true;
}

/* Of another service there is nothing here, which is no fault. */
static bool has_type(const struct resource *resource, const struct tree *types)
{
    bool found = !types || !types->count;

    for (uint32_t i = 0; !found && i < types->count; i++) {
        struct bytes type = types->entries[i].value->bytes;

        found = bytes_is(type, "cassandra") ||
                bytes_is(type, resource->table.data ? "cassandra:table" : "cassandra:keyspace");
    }
    return found;
}

/* What the model cannot say of them. A type of ours that is none is a slip; one of another service is another
 * tool's. */
static bool check_filters(struct api_call *call)
{
    const struct tree *filters = tree_get(call->input, "TagFilters"),
                      *types = tree_get(call->input, "ResourceTypeFilters");

    for (uint32_t i = 0; filters && i < filters->count; i++)
        if (!tree_get(filters->entries[i].value, "Key"))
            return fail_parameter(call, "A tag filter needs a Key");
    for (uint32_t i = 0; types && i < types->count; i++) {
        struct bytes type = types->entries[i].value->bytes;

        if (!type.size || (bytes_starts_with(type, BYTES_LITERAL("cassandra:")) &&
                           !bytes_is(type, "cassandra:keyspace") && !bytes_is(type, "cassandra:table")))
            return api_fail(call, "InvalidParameterException",
                            "The resource type '%.*s' is none of cassandra, cassandra:keyspace and cassandra:table",
                            BYTES(type));
    }
    if (tree_boolean(call->input, "IncludeComplianceDetails", false) ||
        tree_boolean(call->input, "ExcludeCompliantResources", false))
        return fail_parameter(call, "IncludeComplianceDetails and ExcludeCompliantResources are not supported yet by "
                                    "this server: there are no tag policies");
    return true;
}

/* ---- GetResources ---- */

/* With all its tags, also those that no filter named. */
static void show_resource(struct api_call *call, const struct resource *resource)
{
    struct tree *list = tree_member(call->arena, call->output, "ResourceTagMappingList");
    struct tree *shown = tree_append(call->arena, list), *tags = tree_member(call->arena, shown, "Tags");

    tree_set_string(call->arena, shown, "ResourceARN", action_arn(call, resource->keyspace, resource->table));
    assert(resource->tags->count);
    for (uint32_t i = 0; i < resource->tags->count; i++) {
        struct tree *tag = tree_append(call->arena, tags);

        tree_set_string(call->arena, tag, "Key", resource->tags->options[i].name);
        tree_set_string(call->arena, tag, "Value", resource->tags->options[i].value);
    }
}

/* Both kinds of filters, as they are given. */
static bool passes(const struct api_call *call, const struct resource *resource)
{
    return has_type(resource, tree_get(call->input, "ResourceTypeFilters")) &&
           has_tags(resource->tags, tree_get(call->input, "TagFilters"));
}

/* A list of none asks for nothing: some SDKs send it where nothing was said. */
static bool has_elements(const struct api_call *call, const char *member)
{
    const struct tree *list = tree_get(call->input, member);

    return list && list->count;
}

/* Those that are named, in that order; what is not here, or has no tags, is left out. */
static bool get_named(struct api_call *call, const struct schema *schema, const struct tree *list)
{
    if (tree_get(call->input, "ResourcesPerPage") || tree_get(call->input, "TagsPerPage") ||
        tree_string(call->input, "PaginationToken").size)
        return fail_parameter(call, "ResourceARNList and pages cannot be asked for together");
    if (has_elements(call, "TagFilters") || has_elements(call, "ResourceTypeFilters"))
        return fail_parameter(call, "ResourceARNList and filters cannot be asked for together");
    for (uint32_t i = 0; i < list->count; i++) {
        struct resource resource = { 0 };
        struct arn arn;

        if (!arn_parse(list->entries[i].value->bytes, &arn) || !action_owns(call, &arn))
            continue;
        resource.keyspace = arn.keyspace;
        resource.table = arn.table;
        resource.tags = tags_of(schema, &arn);
        if (resource.tags && resource.tags->count)
            show_resource(call, &resource);
    }
    tree_set_text(call->arena, call->output, "PaginationToken", "");
    return true;
}

/* The filters as JSON: the same ones give the same bytes. */
static struct bytes print_filters(const struct api_call *call)
{
    static const char *const members[] = { "TagFilters", "ResourceTypeFilters" };
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const struct tree *value = tree_get(call->input, members[i]);

        buffer_append_u8(&text, ' ');
        if (value)
            json_write(&text, value);
    }
    return arena_copy(call->arena, buffer_bytes(&text));
}

/* This service's pages end with an empty token, where others leave it out. */
static struct page_question question_of(const struct api_call *call, struct bytes about, uint32_t elements)
{
    return (struct page_question){ .token = "PaginationToken",
                                   .fault = "InvalidParameterException",
                                   .elements = elements,
                                   .scope = page_scope(call, &about, 1),
                                   .is_always_told = true };
}

static size_t bytes_of_tags(const struct option_map *tags)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < tags->count; i++)
        bytes += tags->options[i].name.size + tags->options[i].value.size;
    return bytes;
}

/* A resource is never cut in two: a page has more tags than asked for only if its first resource has. */
static bool get_page(struct api_call *call, const struct schema *schema, uint32_t resources, uint32_t tags_left)
{
    struct walk_resources walk = { .schema = schema };
    struct page_question question = question_of(call, print_filters(call), resources);
    struct resource resource;
    struct page page;

    assert(resources && tags_left);
    if (!page_begin(&page, call, &question))
        return false;
    if (page.after.data)
        walk_to(&walk, page.after);
    while (next_resource(&walk, &resource)) {
        if (!passes(call, &resource))
            continue;
        /* Too many tags for this page; by itself it may have more than a page should. */
        if (page.has_any && resource.tags->count > tags_left) {
            page.is_full = true;
            break;
        }
        if (!page_take(&page, position_of(call->arena, &resource), bytes_of_tags(resource.tags)))
            break;
        tags_left -= resource.tags->count < tags_left ? resource.tags->count : tags_left;
        show_resource(call, &resource);
    }
    page_end(&page, call, &question);
    return true;
}

/* By name, or page by page; filters hold for both. */
bool tagging_get_resources(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    const struct tree *named = tree_get(call->input, "ResourceARNList");
    bool has_tags_per_page = tree_get(call->input, "TagsPerPage");
    int64_t resources =
        tree_integer(call->input, "ResourcesPerPage", has_tags_per_page ? RESOURCES_MAX : RESOURCES_DEFAULT);
    int64_t tags = tree_integer(call->input, "TagsPerPage", TAGS_PER_PAGE_MAX);

    if (!check_filters(call))
        return false;
    tree_member(call->arena, call->output, "ResourceTagMappingList"); /* also if it stays empty */
    if (named)
        return get_named(call, schema, named);
    if (resources < 1 || resources > RESOURCES_MAX)
        return fail_parameter(call, "ResourcesPerPage is 1 to 100");
    if (tags < TAGS_PER_PAGE_MIN || tags > TAGS_PER_PAGE_MAX)
        return fail_parameter(call, "TagsPerPage is 100 to 500");
    return get_page(call, schema, (uint32_t)resources, has_tags_per_page ? (uint32_t)tags : UINT32_MAX);
}

/* ---- GetTagKeys, GetTagValues ---- */

/* The first of all texts, each once, in their order: one more than a page has, to know whether there is another. */
struct firsts {
    struct bytes items[PAGE_ELEMENTS + 1];
    uint32_t count;
};

/* Kept sorted. What would come behind all of a full list is of a later page. */
static void firsts_add(struct firsts *firsts, struct bytes text)
{
    uint32_t low = 0, high = firsts->count;

    assert(firsts->count <= ARRAY_SIZE(firsts->items));
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = bytes_compare(firsts->items[middle], text);

        if (!order)
            return;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ARRAY_SIZE(firsts->items))
        return;
    if (firsts->count == ARRAY_SIZE(firsts->items))
        firsts->count--;
    memmove(firsts->items + low + 1, firsts->items + low, (firsts->count - low) * sizeof(*firsts->items));
    firsts->items[low] = text;
    firsts->count++;
}

/* Keys, or values of the key (data NULL: keys), each once, into the list. They are not kept anywhere by
 * themselves: each page looks at all tags, and keeps the first that are behind the one before. */
static bool get_texts(struct api_call *call, struct bytes key, const char *list)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct firsts *firsts = arena_new_struct(call->arena, struct firsts);
    struct walk_resources walk = { .schema = schema };
    struct page_question question = question_of(call, key, PAGE_ELEMENTS);
    struct tree *told = tree_member(call->arena, call->output, list);
    struct resource resource;
    struct page page;

    if (!page_begin(&page, call, &question))
        return false;
    while (next_resource(&walk, &resource))
        for (uint32_t i = 0; i < resource.tags->count; i++) {
            const struct option *tag = &resource.tags->options[i];
            struct bytes text = key.data ? tag->value : tag->name;

            if ((!key.data || bytes_equal(tag->name, key)) && page_is_behind(&page, text))
                firsts_add(firsts, text);
        }
    for (uint32_t i = 0; i < firsts->count && page_take(&page, firsts->items[i], firsts->items[i].size); i++)
        tree_append(call->arena, told)->bytes = arena_copy(call->arena, firsts->items[i]);
    page_end(&page, call, &question);
    return true;
}

/* Of all resources of the account, and none of them twice. */
bool tagging_get_keys(struct api_call *call)
{
    return get_texts(call, bytes_of(NULL, 0), "TagKeys");
}

/* Of a key that nobody has there are none, which is no fault. */
bool tagging_get_values(struct api_call *call)
{
    return get_texts(call, tree_string(call->input, "Key"), "TagValues");
}

/* ---- TagResources, UntagResources ---- */

/* One resource of several: the call itself has not failed. */
static void tell_failure(struct api_call *call, struct bytes resource, enum status status, const char *message)
{
    struct tree *failure =
        tree_put(call->arena, tree_member(call->arena, call->output, "FailedResourcesMap"), resource);
    bool is_ours = action_is_ours(status);

    tree_set_integer(call->arena, failure, "StatusCode", is_ours ? FAILED : REFUSED);
    tree_set_text(call->arena, failure, "ErrorCode",
                  is_ours ? "InternalServiceException" : "InvalidParameterException");
    tree_set_text(call->arena, failure, "ErrorMessage", message);
}

/* Keys of a map are each there once. */
static enum status add_tags(struct api_call *call, const struct arn *arn, struct error *err)
{
    const struct tree *tags = tree_get(call->input, "Tags");
    struct pairs pairs = { 0 };

    for (uint32_t i = 0; i < tags->count; i++)
        clause_pair(call->arena, &pairs, tags->entries[i].key, clause_text(call->arena, tags->entries[i].value->bytes));
    return tags_change(call, arn, TAGS_ADD, clause_map(call->arena, &pairs), err);
}

/* CQL takes away pairs: those that the resource has of the keys. */
static enum status remove_tags(struct api_call *call, const struct arn *arn, struct error *err)
{
    const struct tree *keys = tree_get(call->input, "TagKeys");

    assert(keys->count);
    for (int i = 0; i < UNTAG_TRIES; i++) {
        CLEANUP(schema_unref) struct schema *schema = action_schema(call);
        const struct option_map *tags = tags_of(schema, arn);
        struct pairs pairs = { 0 };
        enum status status;

        for (uint32_t j = 0; tags && j < tags->count; j++)
            if (is_among(tags->options[j].name, keys))
                clause_pair(call->arena, &pairs, tags->options[j].name,
                            clause_text(call->arena, tags->options[j].value));
        /* Nothing of the keys is left, or was ever there. */
        if (!pairs.count)
            return OK;
        status = tags_change(call, arn, TAGS_DROP, clause_map(call->arena, &pairs), err);
        if (status)
            return status;
    }
    return error_set(err, ERR_OVERLOADED, "The tags are changed by others at the same time: try again");
}

/* One after another, each a change by itself; what fails with one is told, and the others are done. A client that
 * asks again does no harm: what is set is set again, what is gone is gone. */
static bool change_each(struct api_call *call,
                        enum status (*change)(struct api_call *call, const struct arn *arn, struct error *err))
{
    const struct tree *list = tree_get(call->input, "ResourceARNList");

    /* Empty, not absent, where all went well. */
    tree_member(call->arena, call->output, "FailedResourcesMap");
    for (uint32_t i = 0; i < list->count; i++) {
        struct bytes text = list->entries[i].value->bytes;
        CLEANUP(schema_unref) struct schema *schema = action_schema(call);
        struct error err;
        struct arn arn;
        enum status status;

        if (!arn_parse(text, &arn))
            tell_failure(call, text, ERR_INVALID, "This is not the ARN of a keyspace or table");
        else if (!action_owns(call, &arn) || !tags_of(schema, &arn))
            tell_failure(call, text, ERR_INVALID, "There is no such keyspace or table in this account and region");
        else if (action_is_system(arn.keyspace))
            tell_failure(call, text, ERR_INVALID, "A system keyspace cannot be changed");
        else if ((status = change(call, &arn, &err)))
            tell_failure(call, text, status, err.message);
    }
    return true;
}

/* A wrong key is wrong for every resource: nothing is done. */
bool tagging_tag(struct api_call *call)
{
    const struct tree *tags = tree_get(call->input, "Tags");

    for (uint32_t i = 0; i < tags->count; i++)
        if (clause_tag_fault(tags->entries[i].key))
            return fail_parameter(call, clause_tag_fault(tags->entries[i].key));
    return change_each(call, add_tags);
}

/* A key that a resource does not have is gone already. */
bool tagging_untag(struct api_call *call)
{
    return change_each(call, remove_tags);
}

/* User types. They have no names among resources: their keyspace's stands for them.
 *
 * A type knows those that it is made of, as they are spelt out in it; who uses it is looked for. */
#include "control/types.h"

#include "control/action.h"
#include "control/clause.h"
#include "control/page.h"
#include "control/token.h"
#include "cql/parse.h"
#include "schema/ddl.h"
#include "schema/uses.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/sha.h>

/* Of a type's name as much goes into a token as is, and of a longer one its beginning and a digest. */
enum { NAME_HEAD_BYTES = 1024 };

/* A type has no name among resources: its keyspace's is told. */
static void tell_arn(struct api_call *call, struct bytes keyspace)
{
    tree_set_string(call->arena, call->output, "keyspaceArn", action_arn(call, keyspace, bytes_of(NULL, 0)));
}

/* The formatted name, by which it is asked for from now on. */
static bool tell_subject(struct api_call *call, const struct subject *subject)
{
    tell_arn(call, subject->keyspace);
    tree_set_string(call->arena, call->output, "typeName", subject->type);
    return true;
}

/* ---- names ---- */

/* Between quotes each quote stands twice. */
static bool unquote(struct arena *arena, struct bytes text, struct bytes *name)
{
    uint8_t *to = arena_alloc(arena, text.size);
    size_t size = 0;

    assert(text.size && text.data[0] == '"');
    for (size_t i = 1; i + 1 < text.size; i++) {
        if (text.data[i] == '"' && (i + 2 >= text.size || text.data[++i] != '"'))
            return false;
        to[size++] = text.data[i];
    }
    *name = bytes_of(to, size);
    return text.size > 2 && text.data[text.size - 1] == '"' && size;
}

/* Letters, digits and '_', a letter first; in small letters, as CQL reads it. Words that CQL keeps for itself are
 * taken: they are quoted where types are printed. */
static bool fold(struct arena *arena, struct bytes text, struct bytes *name)
{
    uint8_t *to = arena_alloc(arena, text.size);

    for (size_t i = 0; i < text.size; i++) {
        if (!isalpha(text.data[i]) && (!i || (!isdigit(text.data[i]) && text.data[i] != '_')))
            return false;
        to[i] = (uint8_t)tolower(text.data[i]);
    }
    *name = bytes_of(to, text.size);
    return true;
}

/* As a column's type it would be read as one of CQL's own: where Cassandra prints it, as `int`, it has no quotes. */
static bool is_native(struct api_call *call, struct bytes name)
{
    CLEANUP(buffer_fini) struct buffer printed = { 0 };
    const struct cql_type *type;
    struct error err;

    identifier_print(&printed, name);
    return !cql_parse_type(call->arena, buffer_bytes(&printed), &type, &err) && type->kind != TYPE_UDT;
}

/* 1 to 48 characters, as the model has it. */
static bool format_name(struct api_call *call, struct bytes text, struct bytes *name)
{
    bool good = text.data[0] == '"' ? unquote(call->arena, text, name) : fold(call->arena, text, name);

    if (!good)
        return api_fail(call, "ValidationException",
                        "The typeName begins with a letter and has letters, digits and '_' only, unless it is in "
                        "double quotes");
    return !is_native(call, *name) ||
           api_fail(call, "ValidationException", "The typeName '%.*s' is the name of one of CQL's own types",
                    BYTES(*name));
}

/* ---- CREATE TYPE, DROP TYPE ---- */

/* Their types are looked up where the type is made, in its keyspace. */
static bool read_fields(struct api_call *call, struct create_type_statement *create)
{
    const struct tree *list = tree_get(call->input, "fieldDefinitions");
    struct field_spec *fields;

    if (list->count > SCHEMA_TYPE_FIELDS_MAX)
        return api_fail(call, "ServiceQuotaExceededException", "Too many fields: the limit is %d",
                        SCHEMA_TYPE_FIELDS_MAX);
    fields = arena_new_array(call->arena, struct field_spec, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++)
        if (!clause_typed(call, list->entries[i].value, "field", &fields[i].name, &fields[i].type))
            return false;
    create->fields = fields;
    create->field_count = list->count;
    return true;
}

/* Cassandra calls a type that is there already invalid; AWS has a word for it. */
static bool is_there(struct api_call *call, const struct subject *subject)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);

    return schema_type(schema, subject->keyspace, subject->type) != NULL;
}

/* Refused as invalid and there: it is there. Whatever else was wrong, that is what AWS tells first. */
bool types_create(struct api_call *call)
{
    struct subject subject = action_subject(call), of = { .keyspace = subject.keyspace };
    struct create_type_statement create = { 0 };
    struct cql_statement statement = { .kind = STATEMENT_CREATE_TYPE, .create_type = &create };
    enum status status;
    struct error err;

    if (!action_may_change(call, subject.keyspace) || !format_name(call, subject.type, &subject.type) ||
        !read_fields(call, &create))
        return false;
    create.name = (struct qualified_name){ subject.keyspace, subject.type };
    /* Looked up afterwards: before it, somebody else could still make it. */
    status = action_change(call, &statement, &err);
    if (status == ERR_INVALID && is_there(call, &subject))
        return api_fail(call, "ConflictException", "Type '%.*s' already exists in keyspace '%.*s'", BYTES(subject.type),
                        BYTES(subject.keyspace));
    return action_end(call, status, &of, &err) && tell_subject(call, &subject);
}

/* Not while anything uses it. */
bool types_delete(struct api_call *call)
{
    struct subject subject = action_subject(call);
    struct named_statement drop = { .name = { subject.keyspace, subject.type } };
    struct cql_statement statement = { .kind = STATEMENT_DROP_TYPE, .named = &drop };

    return action_may_change(call, subject.keyspace) && action_run(call, &statement, &subject) &&
           tell_subject(call, &subject);
}

/* ---- what there is ---- */

/* Tables with a column of the type; types with a field of it. All types of the keyspace are looked at for it. */
static void show_users(struct api_call *call, const struct type_uses *uses)
{
    struct tree *tables = tree_member(call->arena, call->output, "directReferringTables");
    struct tree *types = tree_member(call->arena, call->output, "directParentTypes");

    for (uint32_t i = 0; i < uses->tables.count; i++)
        tree_append(call->arena, tables)->bytes = arena_copy(call->arena, uses->tables.names[i]);
    for (uint32_t i = 0; i < uses->parents.count; i++)
        tree_append(call->arena, types)->bytes = arena_copy(call->arena, uses->parents.names[i]);
    tree_set_integer(call->arena, call->output, "maxNestingDepth", uses->depth);
}

/* In their order, which is that of values. */
static void show_fields(struct api_call *call, const struct type *type)
{
    struct tree *list = tree_member(call->arena, call->output, "fieldDefinitions");
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    for (uint32_t i = 0; i < type->param_count; i++) {
        struct tree *field = tree_append(call->arena, list);

        buffer_reset(&text);
        type_print(&text, type->params[i], false);
        tree_set_string(call->arena, field, "name", type->field_names[i]);
        tree_set_string(call->arena, field, "type", buffer_bytes(&text));
    }
}

/* Its users are looked for among all tables of the keyspace, without any lock. */
bool types_get(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);
    const struct keyspace_def *keyspace;
    uint32_t at;
    bool found;

    if (!action_find(call, schema, &subject))
        return false;
    keyspace = schema_keyspace(schema, subject.keyspace);
    found = keyspace_def_find_type(keyspace, subject.type, &at);
    assert(found); /* action_find has found it */
    tree_set_string(call->arena, call->output, "keyspaceName", subject.keyspace);
    tell_subject(call, &subject);
    show_fields(call, keyspace->types[at]);
    if (keyspace->type_changed_us[at])
        tree_set_time(call->arena, call->output, "lastModifiedTimestamp", keyspace->type_changed_us[at]);
    tree_set_text(call->arena, call->output, "status", "ACTIVE");
    show_users(call, &schema_type_uses(call->arena, keyspace)[at]);
    return true;
}

/* A type's place in the list. Names of CQL may be long, tokens may not. */
static struct bytes position_of(struct arena *arena, struct bytes name)
{
    uint8_t *position;

    if (name.size <= NAME_HEAD_BYTES)
        return name;
    static_assert((int)NAME_HEAD_BYTES + SHA256_DIGEST_LENGTH <= (int)TOKEN_POSITION_MAX, "a position fits a token");
    position = arena_alloc(arena, NAME_HEAD_BYTES + SHA256_DIGEST_LENGTH);
    memcpy(position, name.data, NAME_HEAD_BYTES);
    SHA256(name.data, name.size, position + NAME_HEAD_BYTES);
    return bytes_of(position, NAME_HEAD_BYTES + SHA256_DIGEST_LENGTH);
}

/* By position. */
static int compare_pairs(const void *a, const void *b)
{
    const struct bytes_pair *left = a, *right = b;

    return bytes_compare(left->name, right->name);
}

/* Positions and names. They are in the order of names but for very long ones that begin alike. */
static const struct bytes_pair *in_order(struct arena *arena, const struct keyspace_def *keyspace)
{
    struct bytes_pair *order = arena_new_array(arena, struct bytes_pair, keyspace->type_count + 1);

    for (uint32_t i = 0; i < keyspace->type_count; i++)
        order[i] = (struct bytes_pair){ position_of(arena, keyspace->types[i]->name), keyspace->types[i]->name };
    if (keyspace->type_count)
        qsort(order, keyspace->type_count, sizeof(*order), compare_pairs);
    return order;
}

/* All are taken in order first: a keyspace has 10 000 types at most. */
bool types_list(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);
    struct page_question question = page_question(call, subject.keyspace);
    struct tree *list = tree_member(call->arena, call->output, "types");
    const struct bytes_pair *order;
    uint32_t count;
    struct page page;

    if (!action_find(call, schema, &subject) || !page_begin(&page, call, &question))
        return false;
    count = schema_keyspace(schema, subject.keyspace)->type_count;
    order = in_order(call->arena, schema_keyspace(schema, subject.keyspace));
    for (uint32_t i = 0; i < count; i++) {
        if (!page_is_behind(&page, order[i].name))
            continue;
        if (!page_take(&page, order[i].name, order[i].value.size))
            break;
        tree_append(call->arena, list)->bytes = arena_copy(call->arena, order[i].value);
    }
    page_end(&page, call, &question);
    return true;
}

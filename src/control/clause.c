/* Nodes of an AST as the grammar makes them, so that whoever takes a statement cannot tell who made it. */
#include "control/clause.h"

#include "cql/parse.h"

#include <assert.h>

/* ---- terms ---- */

/* The text is borrowed from the request, which lives as long as the statement. */
static const struct term *literal(struct arena *arena, enum literal_kind kind, struct bytes text)
{
    struct term *term = arena_new_struct(arena, struct term);

    term->kind = TERM_LITERAL;
    term->depth = 1;
    term->literal.kind = kind;
    term->literal.text = text;
    return term;
}

/* Between quotes in CQL, so anything may stand in it. */
const struct term *clause_text(struct arena *arena, struct bytes text)
{
    assert(text.data);
    return literal(arena, LITERAL_STRING, text);
}

/* As digits: options are read from texts. */
const struct term *clause_number(struct arena *arena, int64_t number)
{
    return literal(arena, LITERAL_INTEGER, bytes_of_string(arena_printf(arena, "%lld", (long long)number)));
}

/* One more item, whatever it is to be. */
static void add(struct arena *arena, struct pairs *pairs, const struct term *term)
{
    pairs->items = arena_room(arena, pairs->items, pairs->count, &pairs->capacity, 8, sizeof(const struct term *));
    pairs->items[pairs->count++] = term;
}

/* The caller sees to it that no key comes twice: the grammar does. */
void clause_pair(struct arena *arena, struct pairs *pairs, struct bytes key, const struct term *value)
{
    add(arena, pairs, clause_text(arena, key));
    add(arena, pairs, value);
}

/* {} is a set to the grammar. */
const struct term *clause_map(struct arena *arena, const struct pairs *pairs)
{
    struct term *term = arena_new_struct(arena, struct term);

    assert(pairs->count % 2 == 0);
    term->kind = pairs->count ? TERM_MAP : TERM_SET;
    term->depth = 1;
    for (uint32_t i = 0; i < pairs->count; i++)
        if (term->depth <= pairs->items[i]->depth)
            term->depth = (uint16_t)(pairs->items[i]->depth + 1);
    term->items = pairs->items;
    term->item_count = pairs->count;
    return term;
}

/* ---- WITH ---- */

/* Each name once, as the grammar has it: who calls adds each in one place. */
void clause_option(struct arena *arena, struct clause *clause, const char *name, const struct term *value)
{
    clause->items = arena_room(arena, clause->items, clause->count, &clause->capacity, 4, sizeof(struct cql_option));
    clause->items[clause->count++] = (struct cql_option){ bytes_of_string(name), value };
}

/* Empty is what a statement without WITH has. */
struct option_list clause_options(const struct clause *clause)
{
    return (struct option_list){ clause->count, clause->items };
}

/* ---- tags ---- */

/* In any case of the letters, as AWS has it. */
const char *clause_tag_fault(struct bytes key)
{
    if (key.size >= 4 && bytes_is_ignoring_case(bytes_of(key.data, 4), "aws:"))
        return "Keys of tags that begin with aws: are AWS's own";
    return NULL;
}

/* A request has 60 at most. */
static bool has_key(const struct pairs *pairs, struct bytes key)
{
    for (uint32_t i = 0; i < pairs->count; i += 2)
        if (bytes_equal(pairs->items[i]->literal.text, key))
            return true;
    return false;
}

/* A key that comes twice would say two things; CQL refuses it as well. */
bool clause_tags(struct api_call *call, const struct tree *tags, const struct term **result)
{
    struct pairs pairs = { 0 };

    for (uint32_t i = 0; i < tags->count; i++) {
        struct bytes key = tree_string(tags->entries[i].value, "key");
        const char *fault = clause_tag_fault(key);

        if (fault)
            return api_fail(call, "ValidationException", "%s", fault);
        if (has_key(&pairs, key))
            return api_fail(call, "ValidationException", "The tag '%.*s' is given twice", BYTES(key));
        clause_pair(call->arena, &pairs, key, clause_text(call->arena, tree_string(tags->entries[i].value, "value")));
    }
    *result = clause_map(call->arena, &pairs);
    return true;
}

/* ---- columns ---- */

/* A column without a name CQL cannot write. The parser's words say where in the type it stopped. */
bool clause_typed(struct api_call *call, const struct tree *item, const char *what, struct bytes *name,
                  const struct cql_type **type)
{
    struct error err;

    *name = tree_string(item, "name");
    if (!name->size)
        return api_fail(call, "ValidationException", "The name of a %s cannot be empty", what);
    if (cql_parse_type(call->arena, tree_string(item, "type"), type, &err))
        return api_fail(call, "ValidationException", "The type of %s '%.*s': %s", what, BYTES(*name), err.message);
    return true;
}

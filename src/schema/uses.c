/* Each table and each type is looked at once, and noted with the types that it names. So to ask for one type costs as
 * much as to ask for all, and to ask for all does not grow with their number squared. */
#include "schema/uses.h"

#include "schema/codec.h"

#include <assert.h>

struct finding {
    struct arena *arena;
    const struct keyspace_def *keyspace;
    struct type_uses *uses; /* by the keyspace's types */
};

/* A user that names a type twice is noted once: all its names come one behind the other. */
static void note(struct arena *arena, struct use_list *list, struct bytes user)
{
    if (list->count && bytes_equal(list->names[list->count - 1], user))
        return;
    list->names = arena_room(arena, list->names, list->count, &list->capacity, 4, sizeof(*list->names));
    list->names[list->count++] = user;
}

/* Not into a user type: what is in it, it uses itself. */
static void find_in(const struct finding *finding, const struct type *type, struct bytes user, bool is_table)
{
    uint32_t index;

    if (type->kind == TYPE_UDT) {
        bool found = keyspace_def_find_type(finding->keyspace, type->name, &index);

        assert(found); /* DROP TYPE refuses one that is used */
        note(finding->arena, is_table ? &finding->uses[index].tables : &finding->uses[index].parents, user);
        return;
    }
    for (uint32_t i = 0; i < type->param_count; i++)
        find_in(finding, type->params[i], user, is_table);
}

/* Tables and types are sorted by name in their keyspace, so the lists are too. */
const struct type_uses *schema_type_uses(struct arena *arena, const struct keyspace_def *keyspace)
{
    struct type_uses *uses = arena_new_array(arena, struct type_uses, keyspace->type_count + 1);
    uint32_t *levels = arena_new_array(arena, uint32_t, keyspace->type_count + 1);
    struct finding finding = { arena, keyspace, uses };

    for (uint32_t i = 0; i < keyspace->table_count; i++)
        for (uint32_t j = 0; j < keyspace->tables[i]->column_count; j++)
            find_in(&finding, keyspace->tables[i]->columns[j].type, keyspace->tables[i]->name, true);
    for (uint32_t i = 0; i < keyspace->type_count; i++)
        for (uint32_t j = 0; j < keyspace->types[i]->param_count; j++)
            find_in(&finding, keyspace->types[i]->params[j], keyspace->types[i]->name, false);
    schema_type_levels(keyspace, levels);
    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        assert(levels[i]); /* they begin at 1 */
        uses[i].depth = levels[i] - 1;
    }
    return uses;
}

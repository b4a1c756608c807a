/* Values of a request are bound to the markers of a plan. Each value is checked against the
 * type of its marker before anything is executed, so whatever runs afterwards may trust the
 * bytes: lengths inside of a collection, UTF-8 of a text, the size of a number. Collections
 * are brought to the one form that is compared and stored, because drivers send the elements
 * of sets and maps in any order. */
#include "query/values.h"

#include <assert.h>

/* Values by name: a marker that no value names is unset, which Cassandra allows. The list is
 * short, so it is looked through. */
static struct bytes find_named(const struct native_values *given, struct bytes name)
{
    for (uint32_t i = 0; i < given->count; i++)
        if (bytes_equal(given->names[i], name))
            return given->values[i];
    return NATIVE_UNSET;
}

/* The values with each collection in the one form that is compared and stored: sets and maps
 * sorted, without duplicates. It is the same array if all were so already, which is the
 * common case and costs no copy; the array may be part of the frame, so it is never changed
 * in place. */
static const struct bytes *bring_to_form(struct arena *arena, const struct plan *plan, const struct bytes *values)
{
    struct bytes *changed = NULL;

    for (uint32_t i = 0; i < plan->formed_count; i++) {
        uint32_t at = plan->formed_binds[i];
        const struct type *type = plan->binds[at].type;
        struct buffer out = { 0 };

        assert(at < plan->bind_count);
        if (bytes_is_null(values[at]) || native_is_unset(values[at]) || value_is_canonical(type, values[at]))
            continue;
        if (!changed) {
            changed = arena_new_array(arena, struct bytes, plan->bind_count);
            memcpy(changed, values, plan->bind_count * sizeof(*changed));
        }
        value_append_canonical(&out, type, values[at]);
        changed[at] = buffer_to_arena(arena, &out);
    }
    return changed ? changed : values;
}

/* Sets the binds of `eval`: an array with one entry per marker, which the request's arena or
 * the frame holds. The words of the first error differ between EXECUTE and QUERY, as in
 * Cassandra. */
enum status values_bind(struct execution *execution, const struct plan *plan, const struct native_values *given,
                        struct eval *eval)
{
    struct error *err = execution->err;
    const struct bytes *values = given->values;

    if (!given->names && given->count != plan->bind_count)
        return execution->request->message->header.opcode == NATIVE_EXECUTE
                   ? error_set(err, ERR_INVALID, "there were %u markers(?) in CQL but %u bound variables",
                               plan->bind_count, given->count)
                   : error_set(err, ERR_INVALID, "Invalid amount of bind variables");
    /* Named values come in any order: they are put in the order of the markers. */
    if (given->names) {
        struct bytes *sorted = arena_new_array(execution->request->arena, struct bytes, plan->bind_count + 1);

        for (uint32_t i = 0; i < plan->bind_count; i++)
            sorted[i] = find_named(given, plan->binds[i].name);
        values = sorted;
    }
    for (uint32_t i = 0; i < plan->bind_count; i++) {
        if (bytes_is_null(values[i]) || native_is_unset(values[i]))
            continue;
        /* A negative count is an error of its own in Cassandra; value_validate would take it
         * for a wrong size. */
        const struct type *type = plan->binds[i].type;
        if (type_is_collection(type) && values[i].size >= 4 && (int32_t)load_be32(values[i].data) < 0)
            return error_set(err, ERR_INVALID, "The data cannot be deserialized as a %s",
                             type->kind == TYPE_LIST  ? "list"
                             : type->kind == TYPE_SET ? "set"
                                                      : "map");
        enum status status = plan->binds[i].is_list_of_in ? value_validate_list_of_in(type, values[i], err)
                                                          : value_validate(type, values[i], err);
        if (status)
            return status;
    }
    assert(!plan->bind_count || values);
    eval->binds = plan->formed_count ? bring_to_form(execution->request->arena, plan, values) : values;
    eval->bind_count = plan->bind_count;
    return OK;
}

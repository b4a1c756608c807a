/* iam/bed.h: what the tests of this folder share: policies from texts, contexts from pairs of words. Only for tests, which include cmocka
 * with it.
 */
#ifndef IAM_BED_H
#define IAM_BED_H

#include "base/arena.h"
#include "iam/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { BED_ENTRIES_MAX = 40 };

static inline struct policy *bed_policy(enum policy_kind kind, struct bytes text)
{
    struct policy *policy = NULL;
    struct error err;

    if (policy_parse(text, kind, &policy, &err))
        fail_msg("%s\n%.*s", err.message, BYTES(text));
    return policy;
}

/* Keys and their values, in an arena. */
struct bed_context {
    struct arena *arena;
    struct iam_entry items[BED_ENTRIES_MAX];
    struct iam_entries entries;
    struct bytes unknown; /* a key that nobody can say anything of; empty: none */
};

/* "a,b": two values; NULL: a key with none. */
static inline void bed_put(struct bed_context *context, const char *name, const char *values)
{
    uint32_t count = values ? 1 : 0;
    struct bytes *items;

    assert_true(context->entries.count < BED_ENTRIES_MAX);
    for (const char *at = values; at && *at; at++)
        count += *at == ',';
    items = arena_new_array(context->arena, struct bytes, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = strcspn(values, ",");

        items[i] = arena_copy(context->arena, bytes_of(values, size));
        values += size + (values[size] == ',');
    }
    context->items[context->entries.count++] = (struct iam_entry){
        .name = arena_copy(context->arena, bytes_of_string(name)),
        .values = { items, count },
    };
    context->entries.entries = context->items;
}

static inline enum iam_answer bed_ask(void *from, struct bytes key, struct iam_values *values)
{
    struct bed_context *context = from;

    if (context->unknown.size && iam_key_is(context->unknown, key))
        return IAM_UNKNOWN;
    return iam_entries_ask(&context->entries, key, values);
}

#endif

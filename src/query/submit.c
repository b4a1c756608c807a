/* A statement's writes become commands to the owners of their partitions; see submit.h. */
#include "query/submit.h"

#include "query/pending.h"

#include <assert.h>

/* The command for the only partition. */
static void encode_only(struct buffer *out, const struct write_part *part, const struct apply_command *apply,
                        const struct cas_set *cas)
{
    if (cas)
        table_encode_cas(out, &(struct cas_command){ cas->parts, cas->count, *apply });
    else if (part->table->is_counter)
        table_encode_add(out, apply);
    else
        table_encode_apply(out, apply);
}

/* A partition's share of its shard's command at hand. */
static void encode_share(struct buffer *out, const struct write_part *part, const struct apply_command *apply)
{
    if (part->table->is_counter)
        table_group_add_numbers(out, apply);
    else
        table_group_add(out, apply);
}

static const char *write_type_of(const struct write_set *set) /* as StorageProxy's */
{
    return set->count <= 1 ? "SIMPLE" : set->logged ? "BATCH" : "UNLOGGED_BATCH";
}

enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas)
{
    bool is_several = set->count > 1;
    struct pending *pending = pending_new(execution, is_several, write_type_of(set));

    assert(!cas || (!is_several && !set->logged)); /* one owner decides, and only of its own partition */
    if (cas)
        pending_expect(pending, execution, cas, set->count ? set->parts[0].key : bytes_of(NULL, 0));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct write_part *part = &set->parts[i];
        struct apply_command apply = {
            .table_id = part->table->id,
            .schema_version = part->table->version,
            .token = part->token,
            .partition_key = part->key,
            .fragments = part->fragments,
            .fragment_count = part->count,
            .now_s = execution->eval.now_s,
            .durable = part->table->durable_writes,
        };

        if (!part->count && !cas)
            continue;
        if (is_several)
            encode_share(pending_command(pending, part, set->logged), part, &apply);
        else
            encode_only(pending_command(pending, part, set->logged), part, &apply, cas);
    }
    if (set->logged && is_several)
        pending_remember(pending);
    return pending_send(pending);
}

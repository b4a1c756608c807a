/* What a statement or a batch writes becomes commands to the owners of its partitions. One
 * partition is one command of its own kind: conditions, counters or plain fragments. Several
 * partitions share commands by shard, which saves the owner a turn for each of them. */
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

/* How errors name the write; the names are those of Cassandra's StorageProxy. Counters and
 * conditions have names of their own, see pending_finish. */
static const char *write_type_of(const struct write_set *set) /* as StorageProxy's */
{
    return set->count <= 1 ? "SIMPLE" : set->logged ? "BATCH" : "UNLOGGED_BATCH";
}

/* Encodes the commands and sends them. A part without fragments asks nothing of its owner,
 * unless it carries conditions: an UPDATE that changes nothing is still refused or applied. */
enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas)
{
    bool is_several = set->count > 1;
    struct pending *pending = pending_new(execution, is_several, write_type_of(set));

    assert(!cas || (!is_several && !set->logged)); /* one owner decides, and only of its own partition */
    assert(!set->count || set->parts);
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
    /* On one shard a command is atomic by itself; pending_remember looks whether there are
     * more. */
    if (set->logged && is_several)
        pending_remember(pending);
    return pending_send(pending);
}

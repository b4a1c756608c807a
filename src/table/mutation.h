/* table/mutation.h: inside table/: a change of what a shard holds, on its way from who decides it (decide.h,
 * the sweeper, folding) to the one door into the store's batch (turn_apply, turn.h).
 *
 * A command is not gathered into a list of changes: the mutation of a command passes through the door once
 * for each fragment, and what stands in `at` is that fragment only. It borrows: the key lies in the turn's
 * `key`, a fragment that the owner stamped in the turn's `stamped`, all else in the command's bytes. Nothing
 * is copied for the mutation's sake, and all of it is good until the next fragment.
 *
 * What later readers get, in turn_apply:
 *     log data    the origin, the table, the timestamp, and each fragment as it is asked for, before it becomes
 *                 operations of the batch: a fragment that is folded has no operation of its own, a range
 *                 becomes segments, a counter's number a sum. Operations whose origin is not a client's are
 *                 no mutation of anybody's
 *     indexes,    the definition, the key and the stamped fragment, while nothing of it is in the batch yet:
 *     views       what the row was before is read through that batch, as look.h does. Where who made the
 *                 mutation has read it anyway, it is `before`
 *     work_done   the sizes of what goes through, by table and origin
 *
 * Owns:    nothing.
 * Thread:  the owner's.
 */
#ifndef TABLE_MUTATION_H
#define TABLE_MUTATION_H

#include "table/command.h"

enum mutation_kind {
    MUTATION_ADD,        /* a fragment: to a row or a partition's record; or a deletion of a range (at.kind) */
    MUTATION_PUT,        /* at.fragment takes the place of all that the key holds */
    MUTATION_DELETE,     /* all that the key holds goes */
    MUTATION_SEGMENTS,   /* segments of range tombstones come and go (range.h) */
    MUTATION_DELETE_KEYS /* all keys from `key` on, before `end`: whatever they hold */
};

enum mutation_origin {
    ORIGIN_CLIENT,  /* a command asked for it */
    ORIGIN_SWEEPER, /* it takes away what nobody sees any more, and tombstones that have done their work */
    ORIGIN_FOLDING, /* the same row, in one value */
    ORIGIN_SHARD    /* the shard's own records, and the rows of dropped tables */
};

struct range_changes;

struct mutation {
    enum mutation_kind kind;
    enum mutation_origin origin;
    const struct table_def *def; /* borrowed; NULL: of the shard's own, or a counter's sum: the key says the table */
    int64_t token;
    int64_t timestamp_us;       /* the command's, where a fragment brings none of its own */
    size_t prefix;              /* how much of the key is the partition's */
    struct bytes key;           /* in the store; of a deletion of a range the partition's */
    struct command_fragment at; /* the fragment at hand, stamped */
    struct bytes end;           /* MUTATION_DELETE_KEYS */
    struct bytes before; /* all that the key held, where it was read to decide this. NULL data: it was not asked for */
    const struct range_changes *segments; /* MUTATION_SEGMENTS */
    /* turn_apply's, of the fragments so far; turn_end_command tells of them. wants_flag: the partition's
     * record may not say yet that there are range tombstones. */
    bool has_ranges, has_deletion, wants_flag;
};

#endif

/* table/decide.h: inside table/: what a command changes. Each kind of command has a file that looks, decides,
 * and hands mutations to the turn's door (turn.h); none writes to the batch.
 *
 * Errors:  the caller takes back what the command has added so far (turn_take_back). ERR_STALE: the table was
 *          dropped. ERR_WOULD_WAIT: it is to run again, as it came. ERR_CORRUPT: the command is damaged.
 * Thread:  the owner's.
 */
#ifndef TABLE_DECIDE_H
#define TABLE_DECIDE_H

#include "table/turn.h"

/* decide_apply.c */
enum status decide_apply(struct turn *turn, struct table_request *request, struct command_header *header,
                         struct command_reader *reader);
/* A command's fragments, stamped; first those that ask for places in lists are given them. The reader stands
 * at the first. */
enum status decide_fragments(struct turn *turn, const struct table_def *def, struct command_header *header,
                             struct command_reader *reader, int64_t timestamp_us, struct error *err);
/* Rows of dropped tables. */
enum status decide_remove(struct turn *turn, const struct command_header *header, struct command_reader *reader,
                          struct error *err);

/* decide_cas.c */
enum status decide_cas(struct turn *turn, struct table_request *request, struct command_header *header,
                       struct command_reader *reader);

/* decide_counter.c. *mark: where the batch is cut if the command fails: it moves behind what others have gathered. */
enum status decide_counter(struct turn *turn, struct table_request *request, const struct command_header *header,
                           struct command_reader *reader, size_t *mark);
/* As a part of a group, where nothing of others is gathered. */
enum status decide_numbers(struct turn *turn, const struct table_def *def, const struct command_header *header,
                           struct command_reader *reader, int64_t timestamp_us, struct error *err);
/* What was added to counters goes through the door: before the turn is written, and before any command that
 * may look. */
void decide_gathered(struct turn *turn);
/* It goes nowhere. */
void decide_forget_gathered(struct turn *turn);

/* decide_group.c */
enum status decide_group(struct turn *turn, struct table_request *request, const struct command_header *group,
                         struct command_reader *reader);
/* A finished batch is forgotten: the header's kind says whether its intent or its marker. */
void decide_forget(struct turn *turn, const struct command_header *header);

#endif

/* history.h: what was asked and answered, and whether one partition after another could have gone through it (Wing and Gong, with the
 * states that are possible kept side by side).
 *
 * An operation has parts, each of one partition (a lane), and each takes effect at one moment between the request and its answer. A write
 * whose answer says that it is not known how it went may take effect at any time from then on, or never, until the server is started
 * anew: from then on it has or it has not. A logged batch that was started by a server that is gone has done so in all of its partitions
 * or in none.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "model.h"

enum { LANES_MAX = 16, PARTS_MAX = 8 };

enum answer {
    ANSWER_OPEN,    /* it is on its way */
    ANSWER_DONE,    /* it has happened */
    ANSWER_NOTHING, /* nothing of it was done */
    ANSWER_UNKNOWN
};

struct part {
    uint32_t lane;
    bool is_read;
    /* a read's */
    struct model_read read;
    struct shown shown;
    bool has_more;
    /* a write's */
    struct model_write write;
    enum outcome outcome;
    struct model_seen seen;
};

struct operation {
    uint32_t event;    /* of the plan */
    uint64_t from, to; /* when: the history's own count. to 0: unknown */
    enum answer answer;
    bool whole; /* its parts all or none: a logged batch */
    uint32_t part_count;
    struct part parts[PARTS_MAX];
    char text[1400];
    char answered[300];
};

struct history;
struct history *history_new(void);
void history_free(struct history *history);
/* The pointer is good for the history's life. */
struct operation *history_begin(struct history *history, uint32_t event);
void history_end(struct history *history, struct operation *operation, enum answer answer);
/* The server was started anew. */
void history_restarted(struct history *history);
/* NULL: all of it could have been. Else what could not: words, the caller's to free. *too_open: lanes that were given up, too much was possible. */
char *history_check(const struct history *history, uint32_t *too_open);
void history_print(FILE *out, const struct history *history);

#endif

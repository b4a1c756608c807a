/* server/admin/progress.h: how far a command of the command line is: a bar on stderr if that is a terminal, else a line for every tenth,
 * or nothing.
 *
 * Thread:  the command's.
 */
#ifndef SERVER_ADMIN_PROGRESS_H
#define SERVER_ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "compact" */
    bool has_terminal;
    bool is_bar_only; /* nothing where there is no terminal */
    int shown;        /* permille; -1: nothing yet */
};

void progress_begin(struct progress *progress, const char *what);
/* unit: "shards", "bytes"; NULL: only the part is told. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *unit);
/* The bar goes: before other output, and at the end. */
void progress_clear(struct progress *progress);

#endif

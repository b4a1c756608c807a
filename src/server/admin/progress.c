/* What is shown goes to stderr: stdout is what a command was asked for. On a terminal it is a bar
 * that is drawn over; elsewhere a line for each tenth, which a log can hold. */
#include "server/admin/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR_CELLS = 40, BESIDE_BAR = 64, PERMILLE_A_LINE = 100 };

void progress_begin(struct progress *progress, const char *what)
{
    *progress = (struct progress){ .what = what, .has_terminal = isatty(STDERR_FILENO), .shown = -1 };
}

/* The bar is wiped before anything else is written there. */
void progress_clear(struct progress *progress)
{
    if (progress->has_terminal && progress->shown >= 0)
        fprintf(stderr, "\r%*s\r", BAR_CELLS + BESIDE_BAR, "");
    progress->shown = -1;
}

/* Called often: nothing is written unless a thousandth more is done. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total, const char *unit)
{
    double part = total ? (double)done / (double)total : 1;
    int permille = (int)(part * 1000), cells = (int)(part * BAR_CELLS);

    if (permille == progress->shown || (progress->is_bar_only && !progress->has_terminal))
        return;
    assert(done <= total && cells <= BAR_CELLS);
    if (!progress->has_terminal && progress->shown >= 0 && permille < progress->shown + PERMILLE_A_LINE &&
        permille < 1000)
        return;
    progress->shown = permille;
    if (progress->has_terminal)
        fprintf(stderr, "\r%s [%.*s%*s] %3d %%", progress->what, cells, "########################################",
                BAR_CELLS - cells, "", permille / 10);
    else if (!unit)
        fprintf(stderr, "%s %d %%\n", progress->what, permille / 10);
    else
        fprintf(stderr, "%s %d %%: %" PRIu64 " of %" PRIu64 " %s\n", progress->what, permille / 10, done, total, unit);
}

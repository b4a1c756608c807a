/* Ends the process at a step; see step.h. SIGKILL, so that nothing is flushed, closed or freed: as
 * a crash would. In the binary that is shipped this does nothing, whatever the environment says. */
#include "server/step.h"

#ifdef HELENUS_TEST_SWITCHES

#include <ctype.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* HELENUS_TEST_KILL="copied 2": the second time that this step is reached. */
void step_reached(void *context, const char *step)
{
    const char *wanted = getenv("HELENUS_TEST_KILL");
    size_t size = strlen(step);
    static _Atomic int times;

    if (!wanted || strncmp(wanted, step, size) != 0)
        return;
    if (!wanted[size] || (wanted[size] == ' ' && isdigit((unsigned char)wanted[size + 1]) &&
                          atomic_fetch_add(&times, 1) + 1 == atoi(wanted + size)))
        raise(SIGKILL);
}

#else

void step_reached(void *context, const char *step)
{
}

#endif

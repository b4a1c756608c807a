/* base/debug.h: asserts for what is passed with each cell, value or byte of a request.
 *
 * assert() is on in every build, what is shipped too: a server that goes on from a state that cannot be would write it
 * to the disk. Its cost is a compare where a request, a batch or a page goes by. Where it would be one for each cell or
 * allocation (they were 1 to 5 % of a request's instructions, docs/performance.md) it is a debug_assert, which only builds with
 * HELENUS_DEBUG look at: those of the sanitizers and of the fuzzers. */
#ifndef BASE_DEBUG_H
#define BASE_DEBUG_H

#include <assert.h>

#ifdef HELENUS_DEBUG
#define debug_assert(condition) assert(condition)
#else
#define debug_assert(condition) ((void)sizeof(condition)) /* is compiled, and never asked */
#endif

#endif

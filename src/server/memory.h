/* server/memory.h: how much memory this process was given: the machine's, or what its cgroups (v1 or v2) leave of it.
 *
 * Thread:  any.
 */
#ifndef SERVER_MEMORY_H
#define SERVER_MEMORY_H

#include <stdint.h>

/* The smallest limit of the process's cgroup and those above it, at most `machine_bytes`. root: "", or where a test has its /proc
 * and /sys. */
uint64_t memory_given(const char *root, uint64_t machine_bytes);

#endif

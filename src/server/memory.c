/* A process may have less than the machine: each cgroup from its own up to the root may limit it,
 * and the least counts. v2 has one tree; of v1 the controller "memory" has its own. A server that
 * took its sizes from the machine would be killed in a container. */
#include "server/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A file that is missing or says "max" limits nothing. */
static uint64_t limit_in(const char *path, uint64_t bytes)
{
    FILE *file = fopen(path, "re");
    uint64_t limit;

    if (!file)
        return bytes;
    if (fscanf(file, "%" SCNu64, &limit) == 1 && limit < bytes) /* "max": none */
        bytes = limit;
    fclose(file);
    return bytes;
}

/* From the group up to the root of what is mounted. In a container the path may be the host's, of
 * which nothing is there but the root: then that is the group. */
static uint64_t limit_of(const char *root, const char *mount, char *group, const char *name, uint64_t bytes)
{
    char path[2 * PATH_MAX];

    for (;;) {
        char *slash;

        snprintf(path, sizeof(path), "%s%s%s/%s", root, mount, strcmp(group, "/") ? group : "", name);
        bytes = limit_in(path, bytes);
        slash = strrchr(group, '/');
        if (!slash || !strcmp(group, "/"))
            return bytes;
        slash[slash == group] = '\0';
    }
}

/* "memory" in a list separated by commas, and no other word that has it within. */
static int names_memory(const char *controllers)
{
    const char *at = strstr(controllers, "memory");

    return at && (at == controllers || at[-1] == ',') && (at[6] == '\0' || at[6] == ',');
}

/* `root` is for tests, which bring a tree of their own. */
uint64_t memory_given(const char *root, uint64_t machine_bytes)
{
    char line[PATH_MAX + 256];
    uint64_t bytes = machine_bytes;
    FILE *file;

    snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
    file = fopen(line, "re");
    while (file && fgets(line, sizeof(line), file)) { /* number:controllers:path */
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (!controllers[1])
            bytes = limit_of(root, "/sys/fs/cgroup", group, "memory.max", bytes);
        else if (names_memory(controllers + 1))
            bytes = limit_of(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", bytes);
    }
    if (file)
        fclose(file);
    return bytes;
}

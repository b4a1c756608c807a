/* What the kernel's files say, in a root of the test's own, written as Linux 6 writes them. */
#include "server/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static char root[64];

static void put(const char *path, const char *text)
{
    char command[512];

    snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s/%s')\" && printf '%s' > '%s/%s'", root, path, text,
             root, path);
    assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
    snprintf(root, sizeof(root), "/tmp/helenus-memory-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static void without_groups_it_is_the_machines(void **state)
{
    assert_true(memory_given(root, 512 * MIB) == 512 * MIB);
    put("proc/self/cgroup", "0::/\n");
    assert_true(memory_given(root, 512 * MIB) == 512 * MIB);
}

static void of_v2_the_smallest_above_counts(void **state)
{
    put("proc/self/cgroup", "0::/system.slice/helenus.service\n");
    put("sys/fs/cgroup/system.slice/helenus.service/memory.max", "max\n");
    assert_true(memory_given(root, 512 * MIB) == 512 * MIB);
    put("sys/fs/cgroup/system.slice/memory.max", "134217728\n");
    assert_true(memory_given(root, 512 * MIB) == 128 * MIB);
    put("sys/fs/cgroup/system.slice/helenus.service/memory.max", "67108864\n");
    assert_true(memory_given(root, 512 * MIB) == 64 * MIB);
    assert_true(memory_given(root, 32 * MIB) == 32 * MIB);
}

/* A container without a namespace of its own: the path is the host's, the mount is the container's. */
static void a_hosts_path_in_a_container(void **state)
{
    put("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    put("sys/fs/cgroup/memory.max", "268435456\n");
    assert_true(memory_given(root, 512 * MIB) == 256 * MIB);
}

static void of_v1_only_memory_counts(void **state)
{
    put("proc/self/cgroup", "9:name=systemd:/a\n5:cpu,cpuacct:/b\n4:memory:/process/one\n0::/\n");
    put("sys/fs/cgroup/memory/process/one/memory.limit_in_bytes", "104857600\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/b/memory.limit_in_bytes", "1\n");
    assert_true(memory_given(root, 512 * MIB) == 100 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_groups_it_is_the_machines, begin, end),
        cmocka_unit_test_setup_teardown(of_v2_the_smallest_above_counts, begin, end),
        cmocka_unit_test_setup_teardown(a_hosts_path_in_a_container, begin, end),
        cmocka_unit_test_setup_teardown(of_v1_only_memory_counts, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

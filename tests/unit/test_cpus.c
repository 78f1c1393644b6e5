/* base/cpus.c, on machines that are written down as files: topologies, and cgroups of both versions. */
#include "temporary_folder.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/cpus.h"

typedef struct fake_file {
    const char *path, *text;
} fake_file;

/* Writes a file below the machine's root, and the folders that lead to it. */
static void put_file(const char *root, const fake_file *file)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s%s", root, file->path);
    assert_in_range(length, 1, sizeof path - 1);
    for (char *at = path + strlen(root); (at = strchr(at + 1, '/')) != NULL; *at = '/') {
        *at = 0;
        mkdir(path, 0700);
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(file->text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* A machine of these files, where the CPUs `first` .. `last` may be used. */
static int count_on(const fake_file *files, int first, int last)
{
    static int number;
    char name[32];
    snprintf(name, sizeof name, "machine%d", number++);
    const char *root = folder_file(name);
    assert_int_equal(mkdir(root, 0700), 0);
    for (; files->path; files++)
        put_file(root, files);
    pg_cpus allowed;
    CPU_ZERO_S(sizeof allowed, allowed.sets);
    for (int cpu = first; cpu <= last; cpu++)
        CPU_SET_S(cpu, sizeof allowed, allowed.sets);
    return pg_cpus_count(root, &allowed);
}

#define SIBLINGS(cpu, text)                                                       \
    {                                                                             \
        "/sys/devices/system/cpu/cpu" #cpu "/topology/thread_siblings_list", text \
    }

static void one_thread_for_a_core(void **state)
{
    (void)state;
    const fake_file nothing[] = {{0}};
    const fake_file four[] = {SIBLINGS(0, "0,4\n"), SIBLINGS(1, "1,5\n"), SIBLINGS(2, "2,6\n"),
                              SIBLINGS(3, "3,7\n"), SIBLINGS(4, "0,4\n"), SIBLINGS(5, "1,5\n"),
                              SIBLINGS(6, "2,6\n"), SIBLINGS(7, "3,7\n"), {0}};
    const fake_file pairs[] = {
        SIBLINGS(0, "0-1\n"), SIBLINGS(1, "0-1\n"), SIBLINGS(2, "2-3\n"), SIBLINGS(3, "2-3\n"), {0}};
    const fake_file strange[] = {
        SIBLINGS(0, "none"), SIBLINGS(1, "-7\n"), SIBLINGS(2, "99999999999\n"), SIBLINGS(3, ""), {0}};
    assert_int_equal(count_on(nothing, 0, 4), 5);
    assert_int_equal(count_on(nothing, 1500, 1501), 2);
    assert_int_equal(count_on(nothing, 0, -1), 1);
    assert_int_equal(count_on(four, 0, 7), 4);
    assert_int_equal(count_on(four, 0, 3), 4);
    assert_int_equal(count_on(four, 3, 4), 2);
    assert_int_equal(count_on(four, 5, 6), 2); /* their first siblings may not be used, which changes nothing */
    assert_int_equal(count_on(pairs, 0, 3), 2);
    assert_int_equal(count_on(pairs, 0, 1), 2); /* one core: all that there is */
    assert_int_equal(count_on(strange, 0, 3), 4);
}

static void quotas_of_version_2(void **state)
{
    (void)state;
    const fake_file top[] = {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "150000 100000\n"}, {0}};
    const fake_file none[] = {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "max 100000\n"}, {0}};
    const fake_file own[] = {{"/proc/self/cgroup", "0::/work/job.slice/a\n"},
                             {"/sys/fs/cgroup/work/job.slice/a/cpu.max", "300000 100000\n"},
                             {"/sys/fs/cgroup/work/job.slice/cpu.max", "max 100000\n"},
                             {"/sys/fs/cgroup/work/cpu.max", "500000 100000\n"},
                             {0}};
    const fake_file above[] = {{"/proc/self/cgroup", "0::/work/a\n"},
                               {"/sys/fs/cgroup/work/a/cpu.max", "max 100000\n"},
                               {"/sys/fs/cgroup/work/cpu.max", "20000 10000\n"},
                               {"/sys/fs/cgroup/work/b/cpu.max", "10000 10000\n"},
                               {0}};
    const fake_file container[] = {{"/proc/self/cgroup", "0::/docker/0123456789ab\n"},
                                   {"/sys/fs/cgroup/cpu.max", "400000 100000\n"},
                                   {0}};
    const fake_file strange[] = {{"/proc/self/cgroup", "0::\n::\n:\n\nabc\n0:::/\n0::relative\n"},
                                 {"/sys/fs/cgroup/cpu.max", "-5 0\n"},
                                 {0}};
    assert_int_equal(count_on(top, 0, 7), 2);
    assert_int_equal(count_on(top, 0, 0), 1);
    assert_int_equal(count_on(none, 0, 7), 8);
    assert_int_equal(count_on(own, 0, 7), 3);
    assert_int_equal(count_on(above, 0, 7), 2);
    assert_int_equal(count_on(container, 0, 7), 4);
    assert_int_equal(count_on(strange, 0, 7), 8);
}

static void quotas_of_version_1(void **state)
{
    (void)state;
    const fake_file own[] = {{"/proc/self/cgroup", "12:cpuset:/z\n4:cpuacct,cpu:/jobs/a\n1:name=systemd:/user\n"},
                             {"/sys/fs/cgroup/cpu/jobs/a/cpu.cfs_quota_us", "-1\n"},
                             {"/sys/fs/cgroup/cpu/jobs/a/cpu.cfs_period_us", "100000\n"},
                             {"/sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us", "250000\n"},
                             {"/sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us", "100000\n"},
                             {0}};
    const fake_file other[] = {{"/proc/self/cgroup", "12:cpuset,cpuacct:/z\n"},
                               {"/sys/fs/cgroup/cpu/z/cpu.cfs_quota_us", "100000\n"},
                               {"/sys/fs/cgroup/cpu/z/cpu.cfs_period_us", "100000\n"},
                               {0}};
    const fake_file mixed[] = {{"/proc/self/cgroup", "2:cpu:/\n0::/user\n"},
                               {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "500000\n"},
                               {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                               {"/sys/fs/cgroup/unified/user/cpu.max", "400000 100000\n"},
                               {0}};
    assert_int_equal(count_on(own, 0, 7), 3);
    assert_int_equal(count_on(other, 0, 7), 8);
    assert_int_equal(count_on(mixed, 0, 7), 4);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    pg_cpus allowed;
    pg_cpus_allowed(&allowed);
    assert_in_range(pg_cpus_count("", &allowed), 1, CPU_COUNT_S(sizeof allowed, allowed.sets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_for_a_core),
        cmocka_unit_test(quotas_of_version_2),
        cmocka_unit_test(quotas_of_version_1),
        cmocka_unit_test(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

/* Linux says it in files: cpuN/topology/thread_siblings_list; /proc/self/cgroup with the names of the process's
 * cgroups; cpu.max (version 2) or cpu.cfs_quota_us and cpu.cfs_period_us (version 1) in the cgroup's folder and in
 * those above it. What is not there limits nothing. */
#include "base/cpus.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4352 /* longer than any path that the kernel opens */

void pg_cpus_allowed(pg_cpus *out)
{
    CPU_ZERO_S(sizeof *out, out->sets);
    if (sched_getaffinity(0, sizeof *out, out->sets) == 0)
        return;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    for (int cpu = 0; cpu < (online < 1 ? 1 : online) && cpu < PG_CPUS_MAX; cpu++)
        CPU_SET_S(cpu, sizeof *out, out->sets);
}

/* The first line of root/path, without its end; false if there is none. */
static bool read_line(char *line, int size, const char *root, const char *path)
{
    char whole[PATH_SIZE];
    if (snprintf(whole, sizeof whole, "%s%s", root, path) >= (int)sizeof whole)
        return false;
    FILE *file = fopen(whole, "re");
    if (!file)
        return false;
    bool found = fgets(line, size, file) != NULL;
    fclose(file);
    return found;
}

/* ---------------------------------------------------------------- cores */

/* The first CPU of the physical core that `cpu` belongs to; `cpu` itself where this is not known. */
static int first_sibling(const char *root, int cpu)
{
    char path[96], line[64];
    int first;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!read_line(line, sizeof line, root, path) || sscanf(line, "%d", &first) != 1)
        return cpu;
    return first >= 0 && first < PG_CPUS_MAX ? first : cpu;
}

static int count_cores(const char *root, const pg_cpus *allowed)
{
    pg_cpus cores;
    CPU_ZERO_S(sizeof cores, cores.sets);
    for (int cpu = 0; cpu < PG_CPUS_MAX; cpu++)
        if (CPU_ISSET_S(cpu, sizeof *allowed, allowed->sets))
            CPU_SET_S(first_sibling(root, cpu), sizeof cores, cores.sets);
    int count = CPU_COUNT_S(sizeof cores, cores.sets);
    return count > 1 ? count : CPU_COUNT_S(sizeof *allowed, allowed->sets);
}

/* ---------------------------------------------------------------- quotas */

static int cpus_of(double quota, double period)
{
    if (!(quota > 0 && period > 0 && quota / period < PG_CPUS_MAX))
        return INT_MAX;
    int whole = (int)(quota / period);
    return whole < quota / period ? whole + 1 : whole;
}

/* What a cgroup's folder says itself. */
static int quota_of(const char *root, const char *folder)
{
    char path[PATH_SIZE], line[64];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%.4000s/cpu.max", folder);
    if (read_line(line, sizeof line, root, path)) /* "max 100000", or "150000 100000" */
        return sscanf(line, "%lf %lf", &quota, &period) == 2 ? cpus_of(quota, period) : INT_MAX;
    snprintf(path, sizeof path, "%.4000s/cpu.cfs_quota_us", folder);
    if (!read_line(line, sizeof line, root, path) || sscanf(line, "%lf", &quota) != 1) /* -1: none */
        return INT_MAX;
    snprintf(path, sizeof path, "%.4000s/cpu.cfs_period_us", folder);
    if (!read_line(line, sizeof line, root, path) || sscanf(line, "%lf", &period) != 1)
        return INT_MAX;
    return cpus_of(quota, period);
}

/* The smallest quota of the cgroup `group` of a hierarchy and of those above it. In a container the names may be the
 * host's, of which only the last folders are there, or none: then the hierarchy's top is the container. */
static int quota_up(const char *root, const char *mount, const char *group)
{
    char folder[PATH_SIZE];
    size_t top = strlen(mount);
    int least = INT_MAX;
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= 4000)
        return least;
    for (;;) {
        int own = quota_of(root, folder);
        least = own < least ? own : least;
        if (strlen(folder) <= top)
            return least;
        *strrchr(folder, '/') = 0;
    }
}

/* True if the comma-separated list has the word. */
static bool has_word(const char *list, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at + length <= list + size;) {
        if (!strncmp(at, word, length) && (at + length == list + size || at[length] == ','))
            return true;
        const char *comma = memchr(at, ',', (size_t)(list + size - at));
        if (!comma)
            return false;
        at = comma + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup, "number:controllers:group"; version 2 has no controllers in it. */
static int quota_of_line(const char *root, char *line)
{
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return INT_MAX;
    size_t size = (size_t)(group - ++controllers);
    group++;
    if (size == 0) {
        int whole = quota_up(root, "/sys/fs/cgroup", group), mixed = quota_up(root, "/sys/fs/cgroup/unified", group);
        return whole < mixed ? whole : mixed;
    }
    return has_word(controllers, size, "cpu") ? quota_up(root, "/sys/fs/cgroup/cpu", group) : INT_MAX;
}

static int cgroup_cpus(const char *root)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    int least = INT_MAX;
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path)
        return least;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        int own = quota_of_line(root, line);
        least = own < least ? own : least;
    }
    if (file)
        fclose(file);
    return least;
}

int pg_cpus_count(const char *root, const pg_cpus *allowed)
{
    int cores = count_cores(root, allowed), quota = cgroup_cpus(root);
    int count = cores < quota ? cores : quota;
    return count < 1 ? 1 : count;
}

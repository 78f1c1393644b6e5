/* Which CPUs there are for this process. */
#ifndef PG_BASE_CPUS_H
#define PG_BASE_CPUS_H

#include <sched.h>

/* CPUs as sched_getaffinity gives them, for more than cpu_set_t has room for. */
#define PG_CPUS_MAX 8192
typedef struct pg_cpus {
    cpu_set_t sets[PG_CPUS_MAX / CPU_SETSIZE];
} pg_cpus;

/* Those that this thread may run on. */
void pg_cpus_allowed(pg_cpus *out);

/* How many threads keep these CPUs busy: one per physical core, since the threads of a core share what multiplies; all
 * of them if they are one core, as virtual machines have it, where it says little. At most as many as the CPU quotas of
 * the process's cgroup and of those above it pay for, rounded up. At least 1. `root` stands before /proc and /sys: "",
 * but in tests. */
int pg_cpus_count(const char *root, const pg_cpus *allowed);

#endif

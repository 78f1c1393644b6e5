/* What benchmarks share: a clock, an end on failure, the middle of several times. */
#ifndef PG_BENCH_STOPWATCH_H
#define PG_BENCH_STOPWATCH_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <paligemma.h>

static inline double read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds. */
static inline double now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Seconds that the process has had a processor. */
static inline double worked(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void stop_on(pg_status status)
{
    if (status == PG_OK)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, pg_error_last());
    exit(1);
}

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

#endif

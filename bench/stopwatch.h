/* What benchmarks share: a clock, an end on failure, the middle of several times. */
#ifndef PG_BENCH_STOPWATCH_H
#define PG_BENCH_STOPWATCH_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <paligemma.h>

/* Seconds. */
static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
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

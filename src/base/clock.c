#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

double pg_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct timespec pg_moment_after(clockid_t clock, double seconds)
{
    struct timespec at;
    clock_gettime(clock, &at);
    double whole = floor(seconds < 1e9 ? seconds : 1e9);
    at.tv_sec += (time_t)whole;
    at.tv_nsec += (long)((seconds < 1e9 ? seconds - whole : 0) * 1e9);
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double pg_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

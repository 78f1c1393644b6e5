/* Time and medians of it. */
#ifndef PG_BASE_CLOCK_H
#define PG_BASE_CLOCK_H

#include <stddef.h>
#include <time.h>

/* Seconds on a clock that only goes forward. */
double pg_clock(void);

/* A moment so many seconds (at least 0) from now, as condition variables of that clock take it. */
struct timespec pg_moment_after(clockid_t clock, double seconds);

/* The median of `count` values, at least one: the mean of the middle two where count is even. Sorts them, so that the
 * smallest is values[0] afterwards and the largest values[count - 1]. */
double pg_median(double *values, size_t count);

#endif

/* Small sums that are needed everywhere. */
#ifndef PG_BASE_NUMBERS_H
#define PG_BASE_NUMBERS_H

#include "base/memory.h"

static inline int64_t pg_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next multiple of `step`, or n itself. */
static inline int64_t pg_round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* The next even number, or n itself. */
static inline int64_t pg_even(int64_t n)
{
    return pg_round_up(n, 2);
}

/* Bytes made whole cache lines. */
static inline size_t pg_align(size_t bytes)
{
    return (bytes + PG_ALIGNMENT - 1) / PG_ALIGNMENT * PG_ALIGNMENT;
}

#endif

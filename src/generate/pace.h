/* How long steps take by their number of rows: what more rows cost decides how many tokens are worth proposing. */
#ifndef PG_GENERATE_PACE_H
#define PG_GENERATE_PACE_H

#include <stdint.h>

/* Weighted sums over the steps so far, the latest counting most: those of a straight line fitted to (rows, seconds). */
typedef struct pg_pace {
    double weight, rows, seconds, rows_rows, rows_seconds;
} pg_pace;

void pg_pace_add(pg_pace *pace, int64_t rows, double seconds);

/* What a step of so many rows is expected to take; in no unit of its own before the first step. */
double pg_pace_seconds(const pg_pace *pace, int64_t rows);

#endif

/* How often something took how long, in buckets as wide as what they hold is long. */
#include <math.h>

#include "generate/work.h"

static const double bounds[PG_TIME_BUCKETS] = {.001, .0025, .005, .01, .025, .05, .1,  .25, .5,
                                               1,    2.5,   5,    10,  25,   50,  100, 250, INFINITY};

double pg_time_bound(size_t bucket)
{
    return bucket < PG_TIME_BUCKETS ? bounds[bucket] : INFINITY;
}

void pg_times_add(pg_times *times, double seconds)
{
    size_t bucket = 0;
    while (seconds > bounds[bucket])
        bucket++;
    times->buckets[bucket]++;
    times->count++;
    times->sum += seconds;
}

#include "serve/moment.h"

#include "base/clock.h"

struct timespec pg_moment_end(double seconds)
{
    return pg_moment_after(CLOCK_REALTIME, seconds);
}

void pg_moment_wait(pthread_cond_t *changed, pthread_mutex_t *lock)
{
    struct timespec until = pg_moment_end(PG_MOMENT);
    pthread_cond_timedwait(changed, lock, &until);
}

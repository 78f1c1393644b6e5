#include "serve/moment.h"

struct timespec pg_moment_after(double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

void pg_moment_wait(pthread_cond_t *changed, pthread_mutex_t *lock)
{
    struct timespec until = pg_moment_after(PG_MOMENT);
    pthread_cond_timedwait(changed, lock, &until);
}

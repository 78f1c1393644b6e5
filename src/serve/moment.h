/* Waiting with an end. */
#ifndef PG_SERVE_MOMENT_H
#define PG_SERVE_MOMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* Of waits that look around now and then: is the client still there, is anybody late? */
#define PG_MOMENT 0.25

/* So many seconds from now, for pthread_cond_timedwait. */
struct timespec pg_moment_end(double seconds);

/* Waits for the condition, but no longer than PG_MOMENT. */
void pg_moment_wait(pthread_cond_t *changed, pthread_mutex_t *lock);

#endif

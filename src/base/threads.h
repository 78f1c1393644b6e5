/* One pool of threads for the whole process, whatever models it has open: where two of them compute at the same time,
 * one has the pool and the other its own thread, so there are never more threads than were asked for. Work is cut into
 * tasks whose results do not depend on who runs them or when, so that any number of threads gives the same bits. */
#ifndef PG_BASE_THREADS_H
#define PG_BASE_THREADS_H

#include <stdint.h>

#define PG_THREADS_MAX 256

/* Runs task `index`. `worker` (0 .. threads - 1) is the same for no two tasks that run at the same time: use it to
 * choose scratch memory, never to choose what is computed. */
typedef void pg_task(void *context, int64_t index, int worker);

/* Runs tasks 0 .. count - 1 on at most `threads` threads, the calling one among them, and returns when all are done.
 * Called from inside a task, or while another thread uses the pool, it runs the tasks itself. Never fails: if no thread
 * can be started there are fewer. Safe in a child after fork(). */
void pg_parallel(int threads, int64_t count, pg_task *task, void *context);

/* One per physical core that affinity and the cgroups' CPU quotas allow: see cpus.h. */
int pg_threads_default(void);

#endif

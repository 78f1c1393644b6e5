/*
 * A scheduler from inside. Its thread goes round: orders are taken (jobs that came, cancellations, deadlines), a slice
 * of time goes to the prompts of jobs that start, every running answer gets a token, and jobs that are done leave.
 *
 *   waiting:  in the queue, until there is a place for each of its answers
 *   starting: its prompt is computed, until all of it is in the cache
 *   running:  its answers are made, until all of them are given
 *
 * From each of them a job ends at once when it is cancelled, expires or fails.
 */
#ifndef PG_GENERATE_SCHEDULER_H
#define PG_GENERATE_SCHEDULER_H

#include <pthread.h>

#include "generate/job_queue.h"

struct pg_scheduler {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;  /* for the thread: there are orders */
    pthread_cond_t ended; /* for those who drain: a job is gone */

    /* as they were made */
    pg_session plain; /* a session's configuration without its memory */
    size_t queue_limit;
    double slice;

    /* under the lock */
    pg_job_queue queue;
    pg_served_models models;
    size_t coming;     /* jobs that are being copied into the queue */
    size_t unfinished; /* jobs without their last event, those included */
    uint64_t last_ticket;
    bool draining, cancelling, stop; /* cancelling: what is submitted is cancelled */
    pg_scheduler_figures figures;

    /* changed by the thread, under the lock */
    pg_work **active; /* [plain.sequences]: starting and running */
    size_t active_count;

    /* the thread's own */
    pg_session *session;
    bool *taken; /* [plain.sequences]: cache rows that belong to an answer */
    size_t taken_count;
    pg_sequence **running; /* [plain.sequences]: room for those of a pass */
    pg_kept features, prefixes;
    pg_prefill_pace pace;
    double step;           /* seconds of a step of tokens lately; 0: there was none */
    double started_for;    /* seconds that went to prompts, ever */
    double second_of_work; /* of pg_prefill_work, lately; 0: not known */
    pg_scheduler_figures now;
};

/* The thread. */
void *pg_scheduler_run(void *scheduler);

#endif

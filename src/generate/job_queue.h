/* Jobs that wait. Of the highest priority, the keys take turns: next comes the earliest job of the key that was served
 * longest ago. Belongs to whoever holds its lock. */
#ifndef PG_GENERATE_JOB_QUEUE_H
#define PG_GENERATE_JOB_QUEUE_H

#include "generate/work.h"

/* Keys whose last turn is remembered. One that is forgotten because so many were served since is as one that never
 * was. */
#define PG_JOB_TURNS 256

typedef struct pg_job_turn {
    char key[PG_WORK_KEY];
    uint64_t at; /* 0: none yet */
} pg_job_turn;

typedef struct pg_job_queue {
    pg_work *first; /* in the order in which they came */
    size_t count;
    pg_job_turn turns[PG_JOB_TURNS];
    uint64_t served;
} pg_job_queue;

void pg_job_queue_put(pg_job_queue *queue, pg_work *work);

/* Whose turn it is; NULL: nobody waits. */
pg_work *pg_job_queue_next(const pg_job_queue *queue);

/* Takes a job out; `served`: its key has had its turn. */
void pg_job_queue_take(pg_job_queue *queue, pg_work *work, bool served);

#endif

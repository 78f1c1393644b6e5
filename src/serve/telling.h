/*
 * A job of the scheduler as the thread of its connection sees it. The scheduler's thread notes what it made; the
 * connection's waits for more, and sees to it that a job nobody waits for any more is cancelled.
 */
#ifndef PG_SERVE_TELLING_H
#define PG_SERVE_TELLING_H

#include <pthread.h>

#include "serve/exchange.h"

typedef struct pg_told_token {
    int32_t id;
    float logprob;
    size_t text_end; /* bytes of the answer's text up to this token's end, as far as it was certain then */
} pg_told_token;

typedef struct pg_told_answer {
    pg_buffer text;
    pg_told_token *tokens;
    size_t count, capacity;
    pg_candidate *top; /* [count][top_count], best first */
    size_t top_count, top_capacity;
    double *totals; /* [total_count], where top_count is not 0: pg_step's, of each token */
    size_t total_count, total_capacity;
    bool complete;
    pg_finish finish;
} pg_told_answer;

typedef struct pg_telling {
    pg_exchange *exchange;
    pg_scheduler *scheduler;
    uint64_t ticket;
    pthread_mutex_t lock; /* of all below, until `ended` */
    pthread_cond_t changed;
    pg_told_answer *answers;
    size_t count;
    size_t events; /* so far */
    bool ended;
    pg_status status;
    char reason[600];
    pg_usage usage;
} pg_telling;

/* Submits the job (its callback, key and deadline are set here). After PG_OK, pg_telling_finish is due. `out` must stay
 * where it is. */
pg_status pg_telling_start(pg_telling *out, pg_exchange *exchange, const pg_job *job);

/* Waits until there are more than `seen` events or the job has ended. Holds the lock afterwards: pg_telling_release. */
void pg_telling_wait(pg_telling *telling, size_t seen);
void pg_telling_release(pg_telling *telling);

/* Waits for the end. A job that failed is a failure, with its reason. Afterwards the answers may be read freely. */
pg_status pg_telling_complete(pg_telling *telling);

/* Cancels what still runs, waits for the end and frees everything. */
void pg_telling_finish(pg_telling *telling);

#endif

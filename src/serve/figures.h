/* What the server counts, and how it is shown: to Prometheus as text (format 0.0.4), to the page as JSON. Names are
 * those that other servers of language models use, with "paligemma_" in front. */
#ifndef PG_SERVE_FIGURES_H
#define PG_SERVE_FIGURES_H

#include <pthread.h>

#include "base/json.h"

#define PG_STATUS_CODES 600

/* Times in the scheduler's buckets. */
typedef struct pg_figures {
    pthread_mutex_t lock;
    uint64_t answers[3];                /* by pg_finish */
    uint64_t requests[PG_STATUS_CODES]; /* by status of HTTP */
    uint64_t unsent;                    /* clients that went before they had their answer */
    pg_times request_seconds;
    size_t active; /* requests that are not over */
    double started;
} pg_figures;

void pg_figures_init(pg_figures *figures);
void pg_figures_reset(pg_figures *figures); /* frees what init made */
void pg_figures_count_answer(pg_figures *figures, pg_finish finish);
void pg_figures_begin_request(pg_figures *figures);
void pg_figures_end_request(pg_figures *figures, int status, double seconds, bool sent);

/* scheduler: NULL where there is none. */
pg_status pg_figures_print(pg_buffer *out, pg_figures *figures, const pg_scheduler_figures *scheduler);
json_t *pg_figures_describe(pg_figures *figures, const pg_scheduler_figures *scheduler);

#endif

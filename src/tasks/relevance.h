/* What part the patches of pictures have in a result: shares of it, taken back through the attentions of a model from
 * the last to the first (ops.h: pg_attention_flow), the residual stream added at each. */
#ifndef PG_TASKS_RELEVANCE_H
#define PG_TASKS_RELEVANCE_H

#include "ops/ops.h"

struct pg_kept_attention;

typedef struct pg_relevance {
    pg_explain_method method;
    int64_t layers; /* PG_EXPLAIN_ATTENTION: the last ones that count */

    int64_t joint;          /* so many attentions from the last are the decoder's; 0: there is none */
    const int64_t *columns; /* [column_count], ascending: the rows of the decoder that are pictures' */
    int64_t column_count;

    int64_t results, width;
    float *shares;    /* [results][width], of the rows where we are */
    int64_t *own;     /* [results]: the row that each began with */
    double *pictures; /* [results]: what pictures had in the decoder, as a part of what all rows but that one had */
    int64_t passed;   /* attentions, from the last on */
    struct pg_kept_attention *kept; /* of a forward pass, in its order */
    size_t kept_count, kept_capacity;
} pg_relevance;

/* `results` results, each of which begins with all of its share in one row of `width`. The other fields are set before.
 */
pg_status pg_relevance_start(pg_relevance *relevance, const int64_t *rows, int64_t results, int64_t width);

/* Starts as {.method = ...}; free gives back what start and the callback took. */
void pg_relevance_free(pg_relevance *relevance);

/* A pg_attention_callback, whose user is the pg_relevance. PG_EXPLAIN_GRADIENT goes through each attention as the tape
 * does; the other methods keep copies of queries and keys, 4 bytes each, as the model is run. */
void pg_relevance_see(void *relevance, pg_context *g, const pg_attention_view *view);

/* Goes back through what was kept, and gives that memory back. */
void pg_relevance_run(pg_relevance *relevance, pg_context *g);

/* The shares of one result over the patches, divided by their sum: map [width]. */
void pg_relevance_map(float *map, const pg_relevance *relevance, int64_t result);

#endif

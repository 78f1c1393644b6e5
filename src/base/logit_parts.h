/* What draws need of a row of logits that lies on a device: kernels find it there, generate/drawing.c reads it. */
#ifndef PG_BASE_LOGIT_PARTS_H
#define PG_BASE_LOGIT_PARTS_H

#include <stdint.h>

/* A piece of a row of logits: the sum of its weights, in double, and its largest logit (-infinity: it has no weight).
 */
#define PG_WEIGHED_LOGITS 512
typedef struct pg_weighed {
    double sum;
    float top;
} pg_weighed;

/* Pieces of a row. */
static inline int64_t pg_weighed_count(int64_t width)
{
    return (width + PG_WEIGHED_LOGITS - 1) / PG_WEIGHED_LOGITS;
}

/* Some logits of a row, in no particular order; count says how many there are, even if not all of them had room. */
#define PG_LISTED_MOST 4096
typedef struct pg_listed {
    int32_t count;
    int32_t ids[PG_LISTED_MOST];
    float logits[PG_LISTED_MOST];
} pg_listed;

#endif

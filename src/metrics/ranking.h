/* Retrieval and classification: where the right ones stand among all, by score. */
#ifndef PG_METRICS_RANKING_H
#define PG_METRICS_RANKING_H

#include "base/memory.h"

/* The place, from 0, of the best of those items that belong to `group`: how many of the others score higher; of equal
 * scores the item of lower number comes first. groups NULL: every item is its own. `count` where none belongs to it, or
 * none has a score but NaN. */
size_t pg_rank_of(const float *scores, const uint32_t *groups, size_t count, uint32_t group);

/* Rows of embeddings, each of a group: pictures and the texts about them have the picture's number; a class has its
 * own, and a picture that of its class. */
typedef struct pg_embedded {
    const float *rows; /* [count, width] */
    const uint32_t *groups;
    size_t count;
} pg_embedded;

/* The rank of each query's group among the items; scores are products of rows. threads: 0 for one per physical core. */
pg_status pg_ranks(size_t *ranks, const pg_embedded *queries, const pg_embedded *items, size_t width, int threads);

/* Share of the ranks that are below k: recall@k, top-k accuracy. */
double pg_rank_share(const size_t *ranks, size_t count, size_t k);

#endif

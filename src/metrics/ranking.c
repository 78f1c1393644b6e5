#include "metrics/ranking.h"

#include "base/threads.h"

#define LANES 16 /* sums of a product, so that they become vector instructions */

size_t pg_rank_of(const float *scores, const uint32_t *groups, size_t count, uint32_t group)
{
    size_t best = count, rank = 0;
    for (size_t i = 0; i < count; i++)
        if ((groups ? groups[i] == group : i == group) && scores[i] == scores[i] &&
            (best == count || scores[i] > scores[best]))
            best = i;
    if (best == count)
        return count;
    for (size_t i = 0; i < count; i++)
        rank += scores[i] > scores[best] || (scores[i] == scores[best] && i < best);
    return rank;
}

static float product(const float *a, const float *b, size_t width)
{
    float sums[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < width; i++)
        sums[i % LANES] += a[i] * b[i];
    float sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

typedef struct ranking {
    size_t *ranks, width;
    const pg_embedded *queries, *items;
    float *scores; /* [threads, items] */
} ranking;

static void rank_one(void *context, int64_t index, int worker)
{
    const ranking *r = context;
    float *scores = r->scores + (size_t)worker * r->items->count;
    for (size_t i = 0; i < r->items->count; i++)
        scores[i] = product(r->queries->rows + (size_t)index * r->width, r->items->rows + i * r->width, r->width);
    r->ranks[index] = pg_rank_of(scores, r->items->groups, r->items->count, r->queries->groups[index]);
}

pg_status pg_ranks(size_t *ranks, const pg_embedded *queries, const pg_embedded *items, size_t width, int threads)
{
    int count = threads > 0 ? threads : pg_threads_default();
    ranking r = {ranks, width, queries, items, pg_alloc((size_t)count * items->count, sizeof *r.scores)};
    if (!r.scores)
        return PG_ERROR_MEMORY;
    pg_parallel(count, (int64_t)queries->count, rank_one, &r);
    pg_free(r.scores);
    return PG_OK;
}

double pg_rank_share(const size_t *ranks, size_t count, size_t k)
{
    size_t within = 0;
    for (size_t i = 0; i < count; i++)
        within += ranks[i] < k;
    return count ? (double)within / (double)count : 0;
}

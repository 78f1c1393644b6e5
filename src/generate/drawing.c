/*
 * The device weighs the row in pieces. Without filters that says in which piece the number falls, which is fetched and
 * gone through as the host does it. With filters it gives a bound below which nothing is kept, and what is not below it
 * is fetched: of top_k logits, none is below the k-th largest of the pieces' largest; of a nucleus of the probability
 * p, none has less than (1 - p) / count.
 */
#include "generate/drawing.h"

#include <math.h>
#include <stdlib.h>

#include "base/logit_parts.h"
#include "ops/ops.h"

typedef struct drawing {
    pg_context *g;
    pg_tensor row; /* [1, width] on the device */
    const pg_sampling *sampling;
    const pg_weighed *pieces;
    int64_t count; /* of pieces */
    double total;  /* of all weights */
    float top;     /* the largest logit */
} drawing;

/* False if there are no weights to speak of, or on failure. */
static bool weigh(drawing *d, int64_t best)
{
    d->pieces = pg_weigh_logits(d->g, &d->row, d->sampling->temperature, best);
    d->count = pg_weighed_count(d->row.width);
    d->top = -INFINITY;
    for (int64_t i = 0; d->pieces && i < d->count; i++) {
        d->total += d->pieces[i].sum;
        d->top = d->pieces[i].top > d->top ? d->pieces[i].top : d->top;
    }
    return d->pieces && isfinite(d->total);
}

/* ---------------------------------------------------------------- all of them */

/* The piece that the weight `left`, counted from the first one, falls into; the weight within it. The last one that has
 * any, if rounding carries it beyond. */
static int64_t find_piece(const drawing *d, double *left)
{
    int64_t found = 0;
    for (int64_t i = 0; i < d->count; i++) {
        if (d->pieces[i].sum <= 0)
            continue;
        found = i;
        if (*left < d->pieces[i].sum)
            break;
        *left -= d->pieces[i].sum;
    }
    return found;
}

static float draw_of_all(pg_drawn *out, const drawing *d, double number)
{
    double left = number * d->total;
    int64_t first = find_piece(d, &left) * PG_WEIGHED_LOGITS, more = d->row.width - first;
    int64_t count = more < PG_WEIGHED_LOGITS ? more : PG_WEIGHED_LOGITS, last = 0;
    const float *logits = pg_to_host(d->g, (const float *)d->row.data + first, (size_t)count * sizeof *logits);
    float top = pg_sampling_scaled(d->top, d->sampling);
    for (int64_t i = 0; logits && i < count; i++) {
        if (!(logits[i] > -INFINITY))
            continue;
        double weight = exp((double)pg_sampling_scaled(logits[i], d->sampling) - top);
        last = i;
        if (left < weight)
            break;
        left -= weight;
    }
    out->found = logits != NULL;
    out->place = (int32_t)(first + last);
    return logits ? logits[last] : 0;
}

/* ---------------------------------------------------------------- what filters keep */

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The k-th largest of the pieces' largest; -infinity: there are not as many. */
static float kth_top(const drawing *d, int64_t k)
{
    float *tops = k <= d->count ? pg_scratch(d->g, (size_t)d->count * sizeof *tops) : NULL;
    if (!tops)
        return -INFINITY;
    for (int64_t i = 0; i < d->count; i++)
        tops[i] = d->pieces[i].top;
    qsort(tops, (size_t)d->count, sizeof *tops, descending);
    return tops[k - 1];
}

#define SLACK 1e-3 /* of a bound, for its rounding: a few more in the list */

/* The scaled logit below which no filter keeps anything; -infinity: nobody knows. */
static float find_bound(const drawing *d)
{
    const pg_sampling *s = d->sampling;
    double top = pg_sampling_scaled(d->top, s), least = 0;
    if (s->top_k > 0)
        return pg_sampling_scaled(kth_top(d, s->top_k), s);
    if (s->top_p < 1)
        least = (1 - s->top_p) / (double)d->row.width * d->total;
    if (s->min_p > least)
        least = s->min_p;
    return (float)(top + log(least) - SLACK * (1 + fabs(top)));
}

static int by_id(const void *a, const void *b)
{
    const pg_choice *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static float logit_of(const pg_listed *listed, int32_t id)
{
    int32_t i = 0;
    while (listed->ids[i] != id)
        i++;
    return listed->logits[i];
}

static float draw_of_some(pg_drawn *out, const drawing *d, double number, pg_choice *choices)
{
    float bound = find_bound(d);
    const pg_listed *listed = bound > -INFINITY ? pg_list_logits(d->g, &d->row, d->sampling->temperature, bound) : NULL;
    if (!listed || listed->count < 1 || listed->count > PG_LISTED_MOST)
        return 0;
    size_t count = (size_t)listed->count;
    for (size_t i = 0; i < count; i++)
        choices[i] = (pg_choice){listed->ids[i], pg_sampling_scaled(listed->logits[i], d->sampling), 0};
    qsort(choices, count, sizeof *choices, by_id);
    count = pg_sampling_filter_some(choices, count, d->sampling, d->total);
    out->found = true;
    out->place = choices[pg_sampling_draw(choices, count, number)].id;
    return logit_of(listed, out->place);
}

/* ---------------------------------------------------------------- a draw */

pg_status pg_draw_on_device(pg_drawn *out, pg_context *g, const pg_logits *logits, const pg_sampling *sampling,
                            double number, pg_choice *choices)
{
    *out = (pg_drawn){0};
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    drawing d = {.g = g,
                 .row = {.dtype = PG_F32, .rows = 1, .width = logits->count, .data = (void *)logits->on_device},
                 .sampling = sampling};
    bool filtered = sampling->top_k > 0 || sampling->top_p < 1 || sampling->min_p > 0;
    if (weigh(&d, logits->best)) {
        float logit = filtered ? draw_of_some(out, &d, number, choices) : draw_of_all(out, &d, number);
        out->logprob = (float)((double)logit - d.top + logits->best_logprob);
    }
    pg_arena_release(&g->arena, mark);
    return g->status;
}

/* From the logits of one step to the next token: penalties, filters and the draw, in the order of the reference
 * (transformers). */
#ifndef PG_GENERATE_SAMPLING_H
#define PG_GENERATE_SAMPLING_H

#include "base/status.h"

typedef struct pg_sampling {
    double repetition_penalty; /* 1: off */
    int64_t no_repeat_ngram;   /* 0: off */
    double temperature;        /* 0: the best token */
    int64_t top_k;             /* 0: off */
    double top_p, min_p;       /* 1 and 0: off */
    uint64_t seed;
} pg_sampling;

typedef struct pg_choice {
    int32_t id;
    float logit;
    double probability;
} pg_choice;

/* The logits of a step: of every token, or of some. */
typedef struct pg_logits {
    const float *values; /* NULL: only on the device (pg_logits_fetch) */
    const int32_t *ids;  /* whose they are, ascending; NULL: value i is token i's */
    int64_t count;

    const float *on_device; /* the values there; NULL: not on a device */
    int32_t best;           /* with on_device: the place of the largest, the first one among equals */
    float best_logprob;     /* its logit - log(sum of exp(x)) */
} pg_logits;

/* The place of a token among the logits; -1: it has none. The token at a place. */
int64_t pg_logits_place(const pg_logits *logits, int32_t id);

static inline int32_t pg_logits_id(const pg_logits *logits, int64_t place)
{
    return logits->ids ? logits->ids[place] : (int32_t)place;
}

/* Changes scores, which are logits minus `shift` on entry: tokens that occur in `history` are made less likely, tokens
 * that would repeat an n-gram of it are ruled out. */
void pg_sampling_penalize(float *scores, const pg_logits *logits, float shift, const pg_sampling *sampling,
                          const int32_t *history, size_t count);

/* The distribution to draw from: temperature, top_k, top_p, min_p, then the softmax of what is left. `out` has room for
 * the whole vocabulary; returns how many choices it holds (0 if everything is ruled out), in no particular order.
 * temperature > 0. */
size_t pg_sampling_filter(pg_choice *out, const float *logits, int64_t vocabulary, const pg_sampling *sampling);

/* The same of choices with their scaled logits, from which some may be missing if no filter would keep them: `total`
 * is the sum of exp(logit - the largest) over all that there are; 0: they are all here, or the best top_k at least. */
size_t pg_sampling_filter_some(pg_choice *choices, size_t count, const pg_sampling *sampling, double total);

static inline float pg_sampling_scaled(float logit, const pg_sampling *sampling)
{
    return (float)(logit / sampling->temperature);
}

/* Which of the choices a number from 0 to 1 stands for. */
size_t pg_sampling_draw(const pg_choice *choices, size_t count, double number);

/* The next token: the best one, or drawn with the random number of (seed, stream, step); the first one where everything
 * is ruled out. choices: scratch for the vocabulary. */
int32_t pg_sampling_next(const float *logits, int64_t vocabulary, const pg_sampling *sampling, pg_choice *choices,
                         uint64_t stream, uint64_t step);

/* The best `count` logits, best first; lower ids first among equals. */
void pg_best_logits(pg_candidate *out, size_t count, const float *logits, int64_t vocabulary);

#endif

#include "generate/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

int64_t pg_logits_place(const pg_logits *logits, int32_t id)
{
    if (!logits->ids)
        return id < logits->count ? id : -1;
    int64_t first = 0, end = logits->count;
    while (first < end) {
        int64_t middle = first + (end - first) / 2;
        if (logits->ids[middle] < id)
            first = middle + 1;
        else
            end = middle;
    }
    return first < logits->count && logits->ids[first] == id ? first : -1;
}

/* A token that occurs often is penalised once: its score is made anew from the logit each time. */
static void penalize_repetition(float *scores, const pg_logits *logits, float shift, double penalty,
                                const int32_t *history, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t place = pg_logits_place(logits, history[i]);
        if (place < 0)
            continue;
        double score = logits->values[place] - shift;
        scores[place] = (float)(score < 0 ? score * penalty : score / penalty);
    }
}

static void forbid_ngrams(float *scores, const pg_logits *logits, size_t n, const int32_t *history, size_t count)
{
    const int32_t *tail =
        history + count - (n - 1); /* the last n - 1 tokens: what may follow them once may not again */
    for (size_t i = 0; i + n <= count; i++)
        if (!memcmp(history + i, tail, (n - 1) * sizeof *tail)) {
            int64_t place = pg_logits_place(logits, history[i + n - 1]);
            if (place >= 0)
                scores[place] = -INFINITY;
        }
}

void pg_sampling_penalize(float *scores, const pg_logits *logits, float shift, const pg_sampling *sampling,
                          const int32_t *history, size_t count)
{
    if (sampling->repetition_penalty != 1)
        penalize_repetition(scores, logits, shift, sampling->repetition_penalty, history, count);
    if (sampling->no_repeat_ngram > 0 && count >= (size_t)sampling->no_repeat_ngram)
        forbid_ngrams(scores, logits, (size_t)sampling->no_repeat_ngram, history, count);
}

/* ---------------------------------------------------------------- filters */

/* Best first. */
static int compare_choices(const void *a, const void *b)
{
    const pg_choice *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Restores a heap whose root, the worst of its `k` choices, has been replaced. */
static void sift_down(pg_choice *heap, size_t k, size_t root)
{
    for (size_t child; (child = 2 * root + 1) < k; root = child) {
        if (child + 1 < k && compare_choices(&heap[child + 1], &heap[child]) > 0)
            child++;
        if (compare_choices(&heap[root], &heap[child]) >= 0)
            return;
        pg_choice swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

/* Moves the `k` best choices to the front, the worst of them first, and then those equal to it; returns how many. */
static size_t keep_best(pg_choice *choices, size_t count, size_t k)
{
    for (size_t i = k / 2; i-- > 0;)
        sift_down(choices, k, i);
    for (size_t i = k; i < count; i++)
        if (compare_choices(&choices[i], &choices[0]) < 0) {
            pg_choice swap = choices[i];
            choices[i] = choices[0];
            choices[0] = swap;
            sift_down(choices, k, 0);
        }
    size_t kept = k;
    for (size_t i = k; i < count; i++)
        if (choices[i].logit == choices[0].logit)
            choices[kept++] = choices[i];
    return kept;
}

/* total: what the weights have together with those of choices that are not here; 0: these are all. */
static void softmax(pg_choice *choices, size_t count, double total)
{
    float top = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        top = choices[i].logit > top ? choices[i].logit : top;
    for (size_t i = 0; i < count; i++)
        sum += choices[i].probability = exp((double)choices[i].logit - top);
    for (size_t i = 0; i < count; i++)
        choices[i].probability /= total > 0 ? total : sum;
}

/* Keeps choices of at least this probability; returns how many. */
static size_t keep_likely(pg_choice *choices, size_t count, double least)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (choices[i].probability >= least)
            choices[kept++] = choices[i];
    return kept;
}

/* The smallest set of best choices that has the probability p together, of choices that are at least this likely. */
static size_t keep_nucleus(pg_choice *choices, size_t count, double p, double least)
{
    count = keep_likely(choices, count, least);
    qsort(choices, count, sizeof *choices, compare_choices);
    double before = 0;
    size_t kept = 0;
    while (kept < count && (kept == 0 || before < p))
        before += choices[kept++].probability;
    return kept;
}

/* Best first, so that a draw does not depend on which others there were. */
static size_t keep_best_sorted(pg_choice *choices, size_t count, size_t k)
{
    count = keep_best(choices, count, k);
    qsort(choices, count, sizeof *choices, compare_choices);
    return count;
}

size_t pg_sampling_filter_some(pg_choice *choices, size_t count, const pg_sampling *sampling, double total)
{
    bool limited = sampling->top_k > 0 && (size_t)sampling->top_k <= count;
    if (limited)
        count = keep_best_sorted(choices, count, (size_t)sampling->top_k);
    softmax(choices, count, limited ? 0 : total);
    /* All choices below (1 - p) / count weigh less than 1 - p together: they are never in the nucleus, and need not be
     * sorted. */
    if (sampling->top_p < 1)
        count = keep_nucleus(choices, count, sampling->top_p, total > 0 ? 0 : (1 - sampling->top_p) / (double)count);
    if (sampling->min_p > 0) {
        double top = 0;
        for (size_t i = 0; i < count; i++)
            top = choices[i].probability > top ? choices[i].probability : top;
        count = keep_likely(choices, count, sampling->min_p * top);
    }
    softmax(choices, count, 0);
    return count;
}

size_t pg_sampling_filter(pg_choice *out, const float *logits, int64_t vocabulary, const pg_sampling *sampling)
{
    size_t count = 0;
    for (int32_t id = 0; id < vocabulary; id++)
        if (logits[id] > -INFINITY)
            out[count++] = (pg_choice){id, pg_sampling_scaled(logits[id], sampling), 0};
    return pg_sampling_filter_some(out, count, sampling, 0);
}

static int32_t best_token(const float *logits, int64_t vocabulary)
{
    int32_t best = 0;
    for (int32_t id = 1; id < vocabulary; id++)
        if (logits[id] > logits[best])
            best = id;
    return best;
}

int32_t pg_sampling_next(const float *logits, int64_t vocabulary, const pg_sampling *sampling, pg_choice *choices,
                         uint64_t stream, uint64_t step)
{
    if (sampling->temperature <= 0)
        return best_token(logits, vocabulary);
    size_t count = pg_sampling_filter(choices, logits, vocabulary, sampling);
    if (!count)
        return 0;
    return choices[pg_sampling_draw(choices, count, pg_random_uniform(sampling->seed, stream, step))].id;
}

size_t pg_sampling_draw(const pg_choice *choices, size_t count, double number)
{
    size_t i = 0;
    while (i + 1 < count && number >= choices[i].probability)
        number -= choices[i++].probability;
    return i;
}

static bool is_better(const pg_candidate *one, const pg_candidate *other)
{
    return one->logit != other->logit ? one->logit > other->logit : one->id < other->id;
}

static int compare_candidates(const void *a, const void *b)
{
    return is_better(b, a) - is_better(a, b);
}

/* Puts what is at `at` below all that are worse: the worst one of a heap is its first. */
static void sink(pg_candidate *heap, size_t count, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_better(&heap[child], &heap[child + 1]))
            child++;
        if (!is_better(&heap[at], &heap[child]))
            return;
        pg_candidate swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

void pg_best_logits(pg_candidate *out, size_t count, const float *logits, int64_t vocabulary)
{
    size_t have = count < (size_t)vocabulary ? count : (size_t)vocabulary;
    for (size_t i = 0; i < have; i++)
        out[i] = (pg_candidate){(int32_t)i, logits[i]};
    for (size_t i = have / 2; i-- > 0;)
        sink(out, have, i);
    for (int32_t id = (int32_t)have; have && id < vocabulary; id++)
        if (logits[id] > out[0].logit) {
            out[0] = (pg_candidate){id, logits[id]};
            sink(out, have, 0);
        }
    if (have)
        qsort(out, have, sizeof *out, compare_candidates);
}

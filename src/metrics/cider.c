/*
 * CIDEr-D (Vedantam et al. 2015): cosines of texts as vectors of weighted runs of words. A run weighs less the more
 * pictures have it in a reference; repetitions and other lengths than the reference's are punished. As pycocoevalcap
 * computes it: sigma 6, mean over runs of 1 to 4 words, times 10; a text's length is its number of pairs of words.
 */
#include <math.h>

#include "metrics/grams.h"

#define SIGMA 6.0

typedef struct weights {
    uint32_t *pictures; /* of every run: pictures that have it in a reference */
    uint32_t *seen;     /* the last of them, from 1 */
    double log_count;   /* of all pictures */
} weights;

static void see(weights *w, const pg_text_grams *text, uint32_t picture)
{
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++)
        for (size_t i = 0; i < text->orders[order].count; i++) {
            uint32_t number = text->orders[order].items[i].number;
            w->pictures[number] += w->seen[number] != picture;
            w->seen[number] = picture;
        }
}

static double weigh(const weights *w, const pg_gram *gram)
{
    uint32_t pictures = w->pictures[gram->number];
    return gram->count * (w->log_count - log(pictures > 1 ? pictures : 1));
}

static double norm(const weights *w, const pg_gram_list *list)
{
    double sum = 0;
    for (size_t i = 0; i < list->count; i++)
        sum += weigh(w, &list->items[i]) * weigh(w, &list->items[i]);
    return sqrt(sum);
}

/* Sum over the runs of both: what the prediction has, but no more than the reference, times the reference. */
static double clipped_product(const weights *w, const pg_gram_list *prediction, const pg_gram_list *reference)
{
    double sum = 0;
    for (size_t i = 0, j = 0; i < prediction->count && j < reference->count;) {
        const pg_gram *found = &prediction->items[i], *wanted = &reference->items[j];
        if (found->number == wanted->number) {
            double weight = weigh(w, wanted);
            sum += fmin(weigh(w, found), weight) * weight;
        }
        i += found->number <= wanted->number;
        j += wanted->number <= found->number;
    }
    return sum;
}

static double pairs(const pg_text_grams *text)
{
    return text->word_count > 1 ? (double)(text->word_count - 1) : 0;
}

static double similarity(const weights *w, const pg_text_grams *prediction, const pg_text_grams *reference)
{
    double sum = 0, longer = pairs(prediction) - pairs(reference);
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++) {
        const pg_gram_list *found = &prediction->orders[order], *wanted = &reference->orders[order];
        double norms = norm(w, found) * norm(w, wanted), product = clipped_product(w, found, wanted);
        sum += norms != 0 ? product / norms : product;
    }
    return sum / PG_GRAM_ORDERS * exp(-longer * longer / (2 * SIGMA * SIGMA));
}

static double score(const weights *w, const pg_caption_grams *item)
{
    double sum = 0;
    for (size_t i = 0; i < item->reference_count; i++)
        sum += similarity(w, &item->prediction, &item->references[i]);
    return 10 * sum / (double)item->reference_count;
}

pg_status pg_cider(double *each, const pg_corpus_grams *corpus)
{
    weights w = {pg_alloc(corpus->numbers, sizeof *w.pictures), pg_alloc(corpus->numbers, sizeof *w.seen),
                 log((double)corpus->count)};
    pg_status status = w.pictures && w.seen ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < corpus->count && status == PG_OK; i++)
        for (size_t j = 0; j < corpus->items[i].reference_count; j++)
            see(&w, &corpus->items[i].references[j], (uint32_t)i + 1);
    for (size_t i = 0; i < corpus->count && status == PG_OK; i++)
        each[i] = score(&w, &corpus->items[i]);
    pg_free(w.pictures);
    pg_free(w.seen);
    return status;
}

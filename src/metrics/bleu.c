/*
 * BLEU (Papineni et al. 2002): the geometric mean of the shares of runs of 1 to n words that a reference has, as often
 * as it has them, with a penalty for texts that are shorter than the reference nearest in length. With pycocoevalcap's
 * small numbers, which keep what is divided by from being 0.
 */
#include <math.h>

#include "metrics/grams.h"

#define SMALL 1e-9
#define TINY  1e-15

typedef struct counts {
    double runs[PG_GRAM_ORDERS], found[PG_GRAM_ORDERS]; /* of the prediction; those that a reference has */
    double length, reference_length;
} counts;

static uint32_t count_of(const pg_gram_list *list, uint32_t number)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count && list->items[low].number == number ? list->items[low].count : 0;
}

/* How many of a run of the prediction some one reference has. */
static uint32_t found_of(const pg_caption_grams *item, size_t order, const pg_gram *gram)
{
    uint32_t most = 0;
    for (size_t i = 0; i < item->reference_count && most < gram->count; i++) {
        uint32_t here = count_of(&item->references[i].orders[order], gram->number);
        most = here > most ? here : most;
    }
    return most < gram->count ? most : gram->count;
}

/* The length of the nearest reference, the shorter one of two. */
static size_t nearest_length(const pg_caption_grams *item)
{
    size_t best = item->references[0].word_count, length = item->prediction.word_count;
    for (size_t i = 1; i < item->reference_count; i++) {
        size_t other = item->references[i].word_count;
        size_t far = best > length ? best - length : length - best;
        size_t near = other > length ? other - length : length - other;
        if (near < far || (near == far && other < best))
            best = other;
    }
    return best;
}

static counts count_item(const pg_caption_grams *item)
{
    counts c = {.length = (double)item->prediction.word_count, .reference_length = (double)nearest_length(item)};
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++) {
        const pg_gram_list *list = &item->prediction.orders[order];
        for (size_t i = 0; i < list->count; i++) {
            c.runs[order] += list->items[i].count;
            c.found[order] += found_of(item, order, &list->items[i]);
        }
    }
    return c;
}

static void score(double out[PG_GRAM_ORDERS], const counts *c)
{
    double product = 1, ratio = (c->length + TINY) / (c->reference_length + SMALL);
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++) {
        product *= (c->found[order] + TINY) / (c->runs[order] + SMALL);
        out[order] = pow(product, 1 / (double)(order + 1)) * (ratio < 1 ? exp(1 - 1 / ratio) : 1);
    }
}

void pg_bleu(double out[PG_GRAM_ORDERS], double (*each)[PG_GRAM_ORDERS], const pg_corpus_grams *corpus)
{
    counts all = {0};
    for (size_t i = 0; i < corpus->count; i++) {
        counts one = count_item(&corpus->items[i]);
        for (size_t order = 0; order < PG_GRAM_ORDERS; order++) {
            all.runs[order] += one.runs[order];
            all.found[order] += one.found[order];
        }
        all.length += one.length;
        all.reference_length += one.reference_length;
        score(each[i], &one);
    }
    score(out, &all);
}

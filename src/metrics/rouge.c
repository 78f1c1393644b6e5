/*
 * ROUGE-L (Lin 2004): the longest common subsequence of words as a share of the prediction (precision) and of the
 * reference (recall), the best over references each, and their F value with beta 1.2, as pycocoevalcap computes it.
 */
#include "metrics/grams.h"

#define BETA 1.2

/* row[j]: longest common subsequence of what was seen of the prediction and the first j words of the reference. */
static pg_status common(size_t *out, const pg_text_grams *prediction, const pg_text_grams *reference)
{
    size_t *row = pg_alloc(reference->word_count + 1, sizeof *row);
    if (!row)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < prediction->word_count; i++)
        for (size_t j = 0, diagonal = 0; j < reference->word_count; j++) {
            size_t above = row[j + 1], longer = above > row[j] ? above : row[j];
            row[j + 1] = prediction->words[i] == reference->words[j] ? diagonal + 1 : longer;
            diagonal = above;
        }
    *out = row[reference->word_count];
    pg_free(row);
    return PG_OK;
}

/* A text without words counts as one empty word. */
static double share(size_t common, const pg_text_grams *text, const pg_text_grams *other)
{
    if (text->word_count == 0)
        return other->word_count == 0;
    return (double)common / (double)text->word_count;
}

static pg_status score(double *out, const pg_caption_grams *item)
{
    double precision = 0, recall = 0;
    for (size_t i = 0; i < item->reference_count; i++) {
        size_t shared;
        const pg_text_grams *reference = &item->references[i];
        PG_TRY(common(&shared, &item->prediction, reference));
        double p = share(shared, &item->prediction, reference), r = share(shared, reference, &item->prediction);
        precision = p > precision ? p : precision;
        recall = r > recall ? r : recall;
    }
    bool any = precision > 0 && recall > 0;
    *out = any ? (1 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision) : 0;
    return PG_OK;
}

pg_status pg_rouge_l(double *each, const pg_corpus_grams *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        PG_TRY(score(&each[i], &corpus->items[i]));
    return PG_OK;
}

/* Captions against references: the words they are compared by, and all metrics of a set of them. */
#include <string.h>

#include "metrics/grams.h"
#include "metrics/ptb_words.h"

pg_status pg_caption_words(char **out, const char *text)
{
    pg_buffer words = {0};
    *out = NULL;
    pg_status status = pg_ptb_words(&words, text, strlen(text));
    if (status == PG_OK)
        status = (*out = pg_copy_text(words.size ? words.data : "", words.size)) ? PG_OK : PG_ERROR_MEMORY;
    pg_buffer_free(&words);
    return status;
}

/* Room for the scores of every item. */
typedef struct columns {
    double *cider, *rouge_l;
    double (*bleu)[PG_GRAM_ORDERS];
} columns;

static pg_status compute(pg_caption_scores *out, const columns *each, const pg_corpus_grams *corpus)
{
    if (!each->cider || !each->rouge_l || !each->bleu)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_cider(each->cider, corpus));
    PG_TRY(pg_rouge_l(each->rouge_l, corpus));
    pg_bleu(out->bleu, each->bleu, corpus);
    for (size_t i = 0; i < corpus->count; i++) {
        out->cider += each->cider[i] / (double)corpus->count;
        out->rouge_l += each->rouge_l[i] / (double)corpus->count;
    }
    return PG_OK;
}

static pg_status score_corpus(pg_caption_scores *out, pg_caption_scores *each, const pg_corpus_grams *corpus)
{
    size_t count = corpus->count;
    columns scores = {pg_alloc(count, sizeof *scores.cider), pg_alloc(count, sizeof *scores.rouge_l),
                      pg_alloc(count, sizeof *scores.bleu)};
    pg_status status = compute(out, &scores, corpus);
    for (size_t i = 0; each && i < count && status == PG_OK; i++) {
        each[i].cider = scores.cider[i];
        each[i].rouge_l = scores.rouge_l[i];
        memcpy(each[i].bleu, scores.bleu[i], sizeof each[i].bleu);
    }
    pg_free(scores.cider);
    pg_free(scores.rouge_l);
    pg_free(scores.bleu);
    return status;
}

pg_status pg_caption_score(pg_caption_scores *out, pg_caption_scores *each, const pg_comparison *items, size_t count)
{
    pg_corpus_grams corpus;
    *out = (pg_caption_scores){0};
    if (count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "no texts to compare");
    pg_status status = pg_corpus_grams_count(&corpus, items, count);
    if (status == PG_OK)
        status = score_corpus(out, each, &corpus);
    pg_corpus_grams_free(&corpus);
    return status;
}

/* Figures of tasks whose answers are texts. */
#include <math.h>
#include <string.h>

#include "metrics/ranking.h"
#include "metrics/reliability.h"
#include "tasks/evaluation.h"

static pg_comparison compare(const pg_eval_item *item)
{
    return (pg_comparison){item->prediction, (const char *const *)item->references.items, item->references.count};
}

static pg_status fail_at(pg_status status, const pg_eval_item *item)
{
    return status == PG_OK || status == PG_ERROR_MEMORY ? status : pg_fail_context(status, "%s", item->place);
}

/* ---------------------------------------------------------------- means */

typedef pg_status pg_item_value(double *out, const pg_eval_item *item);

/* Mean of a value over all cases; scores: it is also each case's score. */
static pg_status add_mean(pg_evaluation *evaluation, const char *name, pg_item_value *value, bool scores)
{
    double sum = 0;
    for (size_t i = 0; i < evaluation->count; i++) {
        double one = 0;
        PG_TRY(fail_at(value(&one, &evaluation->items[i]), &evaluation->items[i]));
        sum += one;
        if (scores)
            evaluation->items[i].score = one;
    }
    return pg_evaluation_add_figure(evaluation, sum / (double)evaluation->count, "%s", name);
}

static pg_status is_same(double *out, const pg_eval_item *item)
{
    for (size_t i = 0; i < item->references.count && *out == 0; i++)
        *out = !strcmp(item->prediction, item->references.items[i]);
    return PG_OK;
}

static pg_status is_same_set(double *out, const pg_eval_item *item)
{
    for (size_t i = 0; i < item->references.count && *out == 0; i++) {
        bool same;
        PG_TRY(pg_phrases_match(&same, item->prediction, item->references.items[i]));
        *out = same;
    }
    return PG_OK;
}

static pg_status vqa_accuracy(double *out, const pg_eval_item *item)
{
    pg_comparison texts = compare(item);
    return pg_vqa_accuracy(out, &texts);
}

static pg_status anls(double *out, const pg_eval_item *item)
{
    pg_comparison texts = compare(item);
    return pg_anls(out, &texts, 0);
}

static pg_status folded_anls(double *out, const pg_eval_item *item)
{
    pg_comparison texts = compare(item);
    return pg_anls(out, &texts, PG_ANLS_FOLD);
}

static pg_status official_anls(double *out, const pg_eval_item *item)
{
    pg_comparison texts = compare(item);
    return pg_anls(out, &texts, PG_ANLS_KEEP_HALF);
}

static pg_status relaxed_accuracy(double *out, const pg_eval_item *item)
{
    for (size_t i = 0; i < item->references.count && *out == 0; i++)
        *out = pg_relaxed_match(item->prediction, item->references.items[i]);
    return PG_OK;
}

/* ---------------------------------------------------------------- captions */

static pg_status tokenize(pg_text_list *out, const char *text)
{
    char *words;
    PG_TRY(pg_caption_words(&words, text));
    pg_status status = pg_text_list_add(out, words);
    pg_free(words);
    return status;
}

/* The words of every case: the prediction's, then the references'. */
static pg_status tokenize_all(pg_text_list *words, const pg_evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->count; i++) {
        const pg_eval_item *item = &evaluation->items[i];
        PG_TRY(fail_at(tokenize(words, item->prediction), item));
        for (size_t j = 0; j < item->references.count; j++)
            PG_TRY(fail_at(tokenize(words, item->references.items[j]), item));
    }
    return PG_OK;
}

static pg_status score_captions(pg_caption_scores *out, pg_evaluation *evaluation, const pg_text_list *words)
{
    pg_comparison *texts = pg_alloc(evaluation->count, sizeof *texts);
    pg_caption_scores *each = pg_alloc(evaluation->count, sizeof *each);
    pg_status status = texts && each ? PG_OK : PG_ERROR_MEMORY;
    char *const *at = words->items;
    for (size_t i = 0; at && i < evaluation->count && status == PG_OK; i++) {
        size_t references = evaluation->items[i].references.count;
        texts[i] = (pg_comparison){at[0], (const char *const *)at + 1, references};
        at += 1 + references;
    }
    if (status == PG_OK)
        status = pg_caption_score(out, each, texts, evaluation->count);
    for (size_t i = 0; i < evaluation->count && status == PG_OK; i++)
        evaluation->items[i].score = each[i].cider;
    pg_free(texts);
    pg_free(each);
    return status;
}

static pg_status measure_captions(pg_evaluation *evaluation)
{
    pg_text_list words = {0};
    pg_caption_scores scores;
    pg_status status = tokenize_all(&words, evaluation);
    if (status == PG_OK)
        status = score_captions(&scores, evaluation, &words);
    pg_text_list_free(&words);
    PG_TRY(status);
    PG_TRY(pg_evaluation_add_figure(evaluation, scores.cider, "CIDEr"));
    for (int i = 0; i < 4; i++)
        PG_TRY(pg_evaluation_add_figure(evaluation, scores.bleu[i], "BLEU-%d", i + 1));
    PG_TRY(pg_evaluation_add_figure(evaluation, scores.rouge_l, "ROUGE-L"));
    PG_TRY(add_mean(evaluation, "exact match", is_same, false));
    return add_mean(evaluation, "set match", is_same_set, false);
}

/* ---------------------------------------------------------------- questions */

/* Mean of scores of one type of answer. */
static pg_status add_kind(pg_evaluation *evaluation, const char *kind)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < evaluation->count; i++) {
        const pg_eval_item *item = &evaluation->items[i];
        bool one = item->kind && !strcmp(item->kind, kind);
        sum += one ? item->score : 0;
        count += one;
    }
    return pg_evaluation_add_figure(evaluation, sum / (double)count, "accuracy %s", kind);
}

static bool seen_before(const pg_evaluation *evaluation, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (evaluation->items[i].kind && !strcmp(evaluation->items[i].kind, evaluation->items[at].kind))
            return true;
    return false;
}

/* Types in the order of their first case; there are three in VQA. */
static pg_status measure_questions(pg_evaluation *evaluation)
{
    PG_TRY(add_mean(evaluation, "accuracy", vqa_accuracy, true));
    for (size_t i = 0, kinds = 0; i < evaluation->count && kinds < 16; i++)
        if (evaluation->items[i].kind && !seen_before(evaluation, i)) {
            PG_TRY(add_kind(evaluation, evaluation->items[i].kind));
            kinds++;
        }
    return add_mean(evaluation, "exact match", is_same, false);
}

static pg_status measure_documents(pg_evaluation *evaluation)
{
    PG_TRY(add_mean(evaluation, "ANLS", anls, true));
    PG_TRY(add_mean(evaluation, "ANLS official", official_anls, false));
    PG_TRY(add_mean(evaluation, "ANLS small letters", folded_anls, false));
    return add_mean(evaluation, "exact match", is_same, false);
}

static pg_status measure_charts(pg_evaluation *evaluation)
{
    PG_TRY(add_mean(evaluation, "relaxed accuracy", relaxed_accuracy, true));
    return add_mean(evaluation, "exact match", is_same, false);
}

/* ---------------------------------------------------------------- reading */

/* Against the reference that is nearest in characters. */
static pg_status nearest_errors(pg_reading_errors *out, const pg_eval_item *item)
{
    for (size_t i = 0; i < item->references.count; i++) {
        pg_reading_errors one;
        PG_TRY(pg_reading_compare(&one, item->prediction, item->references.items[i]));
        if (i == 0 || one.character_edits < out->character_edits)
            *out = one;
    }
    return PG_OK;
}

static double rate(size_t edits, size_t length)
{
    return length ? (double)edits / (double)length : edits > 0;
}

static pg_status measure_reading(pg_evaluation *evaluation)
{
    pg_reading_errors sum = {0};
    for (size_t i = 0; i < evaluation->count; i++) {
        pg_eval_item *item = &evaluation->items[i];
        pg_reading_errors one = {0};
        PG_TRY(fail_at(nearest_errors(&one, item), item));
        item->score = fmax(0, 1 - rate(one.character_edits, one.characters));
        sum.character_edits += one.character_edits;
        sum.characters += one.characters;
        sum.word_edits += one.word_edits;
        sum.words += one.words;
    }
    PG_TRY(pg_evaluation_add_figure(evaluation, rate(sum.character_edits, sum.characters), "CER"));
    PG_TRY(pg_evaluation_add_figure(evaluation, rate(sum.word_edits, sum.words), "WER"));
    return add_mean(evaluation, "exact match", is_same, false);
}

/* ---------------------------------------------------------------- rankings */

static bool is_reference(const pg_eval_item *item, const char *text)
{
    for (size_t i = 0; i < item->references.count; i++)
        if (!strcmp(text, item->references.items[i]))
            return true;
    return false;
}

/* The place of the first right one among what was predicted, the best first. */
static size_t rank_of(const pg_eval_item *item)
{
    if (item->rank)
        return item->rank - 1;
    if (!item->ranking.count)
        return is_reference(item, item->prediction) ? 0 : SIZE_MAX;
    for (size_t i = 0; i < item->ranking.count; i++)
        if (is_reference(item, item->ranking.items[i]))
            return i;
    return SIZE_MAX;
}

static bool has_rankings(const pg_evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->count; i++)
        if (evaluation->items[i].ranking.count > 1)
            return true;
    return false;
}

static pg_status add_recall(pg_evaluation *evaluation, const char *name, const size_t *ranks, size_t count)
{
    static const size_t places[] = {1, 5, 10};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        PG_TRY(pg_evaluation_add_figure(evaluation, pg_rank_share(ranks, count, places[i]), "%s recall@%zu", name,
                                        places[i]));
    return PG_OK;
}

/* Texts for pictures; pictures for texts where a model has been asked. */
static pg_status add_retrieval(pg_evaluation *evaluation, const size_t *ranks)
{
    PG_TRY(add_recall(evaluation, "image-to-text", ranks, evaluation->count));
    if (!evaluation->text_ranks)
        return PG_OK;
    return add_recall(evaluation, "text-to-image", evaluation->text_ranks, evaluation->text_count);
}

static pg_status add_accuracy(pg_evaluation *evaluation, const size_t *ranks)
{
    PG_TRY(pg_evaluation_add_figure(evaluation, pg_rank_share(ranks, evaluation->count, 1), "top-1"));
    if (!has_rankings(evaluation))
        return PG_OK;
    return pg_evaluation_add_figure(evaluation, pg_rank_share(ranks, evaluation->count, 5), "top-5");
}

static pg_status measure_ranks(pg_evaluation *evaluation)
{
    size_t *ranks = pg_alloc(evaluation->count, sizeof *ranks);
    if (!ranks)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < evaluation->count; i++) {
        ranks[i] = rank_of(&evaluation->items[i]);
        evaluation->items[i].score = ranks[i] == SIZE_MAX ? 0 : 1 / (double)(1 + ranks[i]);
    }
    pg_status status =
        evaluation->task == PG_EVAL_CLASSIFY ? add_accuracy(evaluation, ranks) : add_retrieval(evaluation, ranks);
    pg_free(ranks);
    return status;
}

/* ---------------------------------------------------------------- confidence */

/* Whether the answers' probabilities can be believed; an answer is right where its score is above 1/2. */
static pg_status measure_confidence(pg_evaluation *evaluation)
{
    double *confidences = pg_alloc(evaluation->count, sizeof *confidences);
    bool *right = pg_alloc(evaluation->count, sizeof *right);
    size_t count = 0;
    pg_reliability_scores scores;
    pg_status status = confidences && right ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < evaluation->count && status == PG_OK; i++)
        if (isfinite(evaluation->items[i].probability)) {
            confidences[count] = evaluation->items[i].probability;
            right[count++] = evaluation->items[i].score > 0.5;
        }
    if (status == PG_OK && count)
        status = pg_reliability(&scores, confidences, right, count);
    if (status == PG_OK && count)
        status = pg_evaluation_add_figure(evaluation, scores.calibration_error, "calibration error");
    pg_free(confidences);
    pg_free(right);
    return status;
}

static pg_status measure(pg_evaluation *evaluation)
{
    switch (evaluation->task) {
    case PG_EVAL_CAPTION: return measure_captions(evaluation);
    case PG_EVAL_VQA:
    case PG_EVAL_TEXTVQA: return measure_questions(evaluation);
    case PG_EVAL_DOCVQA: return measure_documents(evaluation);
    case PG_EVAL_CHARTQA: return measure_charts(evaluation);
    case PG_EVAL_OCR: return measure_reading(evaluation);
    default: return measure_ranks(evaluation);
    }
}

pg_status pg_evaluation_measure_texts(pg_evaluation *evaluation)
{
    PG_TRY(measure(evaluation));
    return evaluation->task == PG_EVAL_CAPTION || evaluation->task == PG_EVAL_RETRIEVAL
               ? PG_OK
               : measure_confidence(evaluation);
}

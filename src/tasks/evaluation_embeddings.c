/* Evaluations that SigLIP's embeddings answer: classes of pictures by name; texts for pictures, and pictures for texts.
 */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "data/dataset.h"
#include "generate/session.h"
#include "metrics/ranking.h"
#include "tasks/evaluation_run.h"

#define TOGETHER 64 /* pictures or texts that are in memory at a time */
#define RANKING  5  /* classes of a picture that are kept */

/* ---------------------------------------------------------------- classes */

static bool holds(const pg_text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], text))
            return true;
    return false;
}

pg_status pg_eval_classes(pg_text_list *out, const pg_eval_run *run)
{
    const pg_evaluation *evaluation = run->evaluation;
    for (size_t i = 0; i < run->options->label_count; i++)
        PG_TRY(pg_text_list_add(out, run->options->labels[i]));
    for (size_t i = 0; !run->options->label_count && i < pg_dataset_label_count(evaluation->dataset); i++)
        PG_TRY(pg_text_list_add(out, pg_dataset_label(evaluation->dataset, i)));
    if (out->count)
        return PG_OK;
    for (size_t i = 0; i < evaluation->count; i++)
        for (size_t k = 0; k < evaluation->items[i].references.count; k++)
            if (!holds(out, evaluation->items[i].references.items[k]))
                PG_TRY(pg_text_list_add(out, evaluation->items[i].references.items[k]));
    return PG_OK;
}

static size_t best_of(const float *scores, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* The best few classes of a picture; scores are used up. */
static pg_status take_classes(pg_eval_item *item, float *logits, const pg_recognizer *recognizer)
{
    size_t count = pg_recognizer_count(recognizer), best = best_of(logits, count);
    pg_class_scores(logits, logits, count, true);
    item->probability = (double)logits[best];
    item->prediction = pg_copy_text(pg_recognizer_label(recognizer, best), SIZE_MAX);
    for (size_t i = 0; i < RANKING && i < count && item->prediction; i++) {
        best = best_of(logits, count);
        PG_TRY(pg_text_list_add(&item->ranking, pg_recognizer_label(recognizer, best)));
        logits[best] = -INFINITY;
    }
    return item->prediction ? PG_OK : PG_ERROR_MEMORY;
}

/* Pictures of cases, without those that cannot be read, whose cases have failed. */
typedef struct picture_batch {
    pg_eval_item *items[TOGETHER];
    pg_eval_pictures pictures[TOGETHER];
    const pg_image *images[TOGETHER];
    pg_eval_item *good[TOGETHER];
    size_t count, good_count;
} picture_batch;

static pg_status load_batch(picture_batch *batch, const pg_eval_run *run)
{
    batch->good_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        pg_status status = pg_eval_run_load(&batch->pictures[i], run, batch->items[i]);
        if (status == PG_OK && batch->pictures[i].count != 1)
            status = pg_fail(PG_ERROR_FORMAT, "%zu pictures, expected one", batch->pictures[i].count);
        if (status != PG_OK) {
            PG_TRY(pg_eval_item_fail(batch->items[i], status));
            continue;
        }
        batch->images[batch->good_count] = batch->pictures[i].images[0];
        batch->good[batch->good_count++] = batch->items[i];
    }
    return PG_OK;
}

static void clear_batch(picture_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        pg_eval_pictures_free(&batch->pictures[i]);
    batch->count = batch->good_count = 0;
}

static pg_status classify_batch(picture_batch *batch, pg_eval_run *run, const pg_recognizer *recognizer)
{
    size_t classes = pg_recognizer_count(recognizer);
    float *logits = pg_alloc(batch->count * classes, sizeof *logits);
    pg_status status = logits ? load_batch(batch, run) : PG_ERROR_MEMORY;
    if (status == PG_OK && batch->good_count)
        status = pg_recognize(logits, run->session, recognizer, batch->images, batch->good_count);
    for (size_t i = 0; i < batch->good_count && status == PG_OK; i++)
        status = take_classes(batch->good[i], logits + i * classes, recognizer);
    if (status == PG_OK)
        status = pg_eval_run_save(run, batch->items, batch->count);
    run->done += status == PG_OK ? batch->count : 0;
    clear_batch(batch);
    pg_free(logits);
    return status == PG_OK && !pg_eval_run_goes_on(run) ? PG_ERROR_CANCELLED : status;
}

static pg_status classify_all(pg_eval_run *run, const pg_recognizer *recognizer)
{
    picture_batch batch = {0};
    for (size_t i = 0; i < run->evaluation->count; i++) {
        if (!run->evaluation->items[i].prediction)
            batch.items[batch.count++] = &run->evaluation->items[i];
        if (batch.count == TOGETHER)
            PG_TRY(classify_batch(&batch, run, recognizer));
    }
    return batch.count ? classify_batch(&batch, run, recognizer) : PG_OK;
}

pg_status pg_eval_run_classify(pg_eval_run *run)
{
    pg_text_list labels = {0};
    pg_recognizer *recognizer = NULL;
    pg_status status = pg_eval_classes(&labels, run);
    if (status == PG_OK)
        status = pg_recognizer_new(&recognizer, run->session, (const char *const *)labels.items, labels.count,
                                   run->options->templates, run->options->template_count);
    if (status == PG_OK)
        status = classify_all(run, recognizer);
    pg_recognizer_free(recognizer);
    pg_text_list_free(&labels);
    return status;
}

/* ---------------------------------------------------------------- retrieval */

/* Embeddings of all pictures and of all texts; of each, the number of its case. */
typedef struct retrieval {
    pg_eval_run *run;
    size_t width, text_count;
    float *images, *texts;
    uint32_t *image_groups, *text_groups;
    const char **text_items;
    size_t *ranks; /* of the right text for every picture */
} retrieval;

static pg_status allocate(retrieval *r)
{
    size_t cases = r->run->evaluation->count;
    for (size_t i = 0; i < cases; i++)
        r->text_count += r->run->evaluation->items[i].references.count;
    r->images = pg_alloc(cases * r->width, sizeof *r->images);
    r->texts = pg_alloc(r->text_count * r->width, sizeof *r->texts);
    r->image_groups = pg_alloc(cases, sizeof *r->image_groups);
    r->text_groups = pg_alloc(r->text_count, sizeof *r->text_groups);
    r->text_items = pg_alloc(r->text_count, sizeof *r->text_items);
    r->ranks = pg_alloc(cases, sizeof *r->ranks);
    return r->images && r->texts && r->image_groups && r->text_groups && r->text_items && r->ranks ? PG_OK
                                                                                                   : PG_ERROR_MEMORY;
}

static pg_status embed_texts(retrieval *r)
{
    for (size_t i = 0, text = 0; i < r->run->evaluation->count; i++)
        for (size_t k = 0; k < r->run->evaluation->items[i].references.count; k++, text++) {
            r->text_items[text] = r->run->evaluation->items[i].references.items[k];
            r->text_groups[text] = (uint32_t)i;
        }
    for (size_t i = 0; i < r->text_count; i += TOGETHER) {
        size_t step = r->text_count - i < TOGETHER ? r->text_count - i : TOGETHER;
        PG_TRY(pg_embed_texts(r->texts + i * r->width, r->run->session, r->text_items + i, step));
        if (!pg_eval_run_goes_on(r->run))
            return PG_ERROR_CANCELLED;
    }
    return PG_OK;
}

/* A picture that cannot be read fits every text equally badly: its row stays 0. */
static pg_status embed_images(retrieval *r)
{
    pg_evaluation *evaluation = r->run->evaluation;
    for (size_t i = 0; i < evaluation->count; i++)
        r->image_groups[i] = (uint32_t)i;
    for (size_t i = 0; i < evaluation->count; i++) {
        pg_eval_pictures pictures;
        pg_status status = pg_eval_run_load(&pictures, r->run, &evaluation->items[i]);
        if (status == PG_OK && pictures.count != 1)
            status = pg_fail(PG_ERROR_FORMAT, "%zu pictures, expected one", pictures.count);
        if (status == PG_OK)
            status =
                pg_embed_images(r->images + i * r->width, r->run->session, (const pg_image *const *)pictures.images, 1);
        pg_eval_pictures_free(&pictures);
        if (status != PG_OK)
            PG_TRY(pg_eval_item_fail(&evaluation->items[i], status));
        r->run->done = i + 1;
        if (!pg_eval_run_goes_on(r->run))
            return PG_ERROR_CANCELLED;
    }
    return PG_OK;
}

/* The text that is most like a picture. */
static void find_best(void *context, int64_t index, int worker)
{
    retrieval *r = context;
    const float *image = r->images + (size_t)index * r->width;
    float most = -INFINITY;
    size_t best = 0;
    (void)worker;
    for (size_t i = 0; i < r->text_count; i++) {
        const float *text = r->texts + i * r->width;
        float sum = 0;
        for (size_t k = 0; k < r->width; k++)
            sum += image[k] * text[k];
        best = sum > most ? i : best;
        most = sum > most ? sum : most;
    }
    r->ranks[index] = best;
}

static pg_status take_best(retrieval *r)
{
    pg_evaluation *evaluation = r->run->evaluation;
    pg_parallel(r->run->session->g.threads, (int64_t)evaluation->count, find_best, r);
    for (size_t i = 0; i < evaluation->count; i++) {
        if (evaluation->items[i].prediction)
            continue;
        evaluation->items[i].prediction = pg_copy_text(r->text_items[r->ranks[i]], SIZE_MAX);
        if (!evaluation->items[i].prediction)
            return PG_ERROR_MEMORY;
    }
    return PG_OK;
}

static pg_status rank(retrieval *r)
{
    pg_evaluation *evaluation = r->run->evaluation;
    pg_embedded images = {r->images, r->image_groups, evaluation->count};
    pg_embedded texts = {r->texts, r->text_groups, r->text_count};
    int threads = r->run->session->g.threads;
    PG_TRY(take_best(r));
    PG_TRY(pg_ranks(r->ranks, &images, &texts, r->width, threads));
    for (size_t i = 0; i < evaluation->count; i++)
        evaluation->items[i].rank = evaluation->items[i].error ? 0 : r->ranks[i] + 1;
    pg_free(evaluation->text_ranks);
    evaluation->text_ranks = pg_alloc(r->text_count, sizeof *evaluation->text_ranks);
    evaluation->text_count = r->text_count;
    return evaluation->text_ranks ? pg_ranks(evaluation->text_ranks, &texts, &images, r->width, threads)
                                  : PG_ERROR_MEMORY;
}

pg_status pg_eval_run_retrieve(pg_eval_run *run)
{
    retrieval r = {.run = run, .width = pg_model_embedding_size(run->session->model)};
    pg_status status;
    for (size_t i = 0; i < run->evaluation->count; i++)
        pg_eval_item_forget(&run->evaluation->items[i]);
    PG_TRY_GOTO(allocate(&r));
    PG_TRY_GOTO(embed_texts(&r));
    PG_TRY_GOTO(embed_images(&r));
    status = rank(&r);
done:
    pg_free(r.images);
    pg_free(r.texts);
    pg_free(r.image_groups);
    pg_free(r.text_groups);
    pg_free(r.text_items);
    pg_free(r.ranks);
    return status;
}

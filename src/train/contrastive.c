#include "train/contrastive.h"

#include "model/siglip.h"
#include "ops/ops.h"
#include "tensor/tape.h"

/* What the towers make of some pairs: rows of length one. */
typedef struct encoded_pairs {
    pg_tensor *images, *texts;
} encoded_pairs;

/* Pairs `first` .. first + count - 1. */
static encoded_pairs encode(pg_context *g, const pg_weights *weights, const pg_contrastive_batch *batch, int64_t first,
                            int64_t count)
{
    const pg_siglip_config *c = &weights->vision.config;
    const float *pixels = batch->pixels + first * c->channels * c->side * c->side;
    pg_tensor *hidden = pg_siglip_vision_forward(g, &weights->vision, pixels, count);
    pg_tensor *images = pg_siglip_pool(g, &weights->vision, hidden, count);
    const int32_t *ids = batch->ids + first * weights->words.config.context;
    pg_tensor *texts = pg_siglip_words_forward(g, &weights->words, ids, count);
    return (encoded_pairs){pg_unit_rows(g, images), pg_unit_rows(g, texts)};
}

/* Which pictures find their text, of rows of length one. */
static void find_texts(float *hits, pg_context *g, const encoded_pairs *all)
{
    if (!hits || !all->images || !all->texts)
        return;
    struct pg_tape *tape = g->tape;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_parameter texts = {.name = "texts",
                          .dtype = PG_F32,
                          .rows = all->texts->rows,
                          .width = all->texts->width,
                          .data = all->texts->data};
    g->tape = NULL;
    pg_largest_on_diagonal(g, hits, pg_linear(g, all->images, &texts, NULL));
    g->tape = tape;
    pg_arena_release(&g->arena, mark);
}

pg_tensor *pg_contrastive(pg_context *g, const pg_weights *weights, const pg_contrastive_batch *batch, float *hits)
{
    encoded_pairs all = encode(g, weights, batch, 0, batch->count);
    find_texts(hits, g, &all);
    return pg_contrastive_loss(g, all.images, all.texts, &weights->logit_scale, &weights->logit_bias);
}

/* ---------------------------------------------------------------- in parts */

typedef struct part_run {
    const pg_weights *weights;
    const pg_contrastive_batch *batch;
    int64_t at_once;
    uint64_t step; /* of the first part; the others count on, so that each draws its own dropout */
} part_run;

static encoded_pairs encode_part(pg_context *g, const part_run *run, int64_t first)
{
    int64_t left = run->batch->count - first;
    g->tape->step = run->step + (uint64_t)(first / run->at_once);
    return encode(g, run->weights, run->batch, first, left < run->at_once ? left : run->at_once);
}

static void copy_rows(pg_context *g, const pg_tensor *to, int64_t first, const pg_tensor *from)
{
    pg_values_move(g->device, (float *)to->data + first * to->width, from->data,
                   (size_t)(from->rows * from->width) * sizeof(float));
}

/* The rows of all pairs. Parts are recorded as they will be for the way back, so that dropout leaves out the same
 * values, and then forgotten. */
static void encode_parts(pg_context *g, const part_run *run, const encoded_pairs *all)
{
    for (int64_t first = 0; first < run->batch->count && g->status == PG_OK; first += run->at_once) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        encoded_pairs part = encode_part(g, run, first);
        if (part.images && part.texts) {
            copy_rows(g, all->images, first, part.images);
            copy_rows(g, all->texts, first, part.texts);
        }
        pg_tape_clear(g->tape);
        pg_arena_release(&g->arena, mark);
    }
}

/* The towers again, part by part, each going back from the derivatives of its rows. */
static void go_back_in_parts(pg_context *g, const part_run *run, const float *dimages, const float *dtexts)
{
    int64_t image_width = run->weights->vision.config.width, text_width = run->weights->words.config.projection;
    for (int64_t first = 0; first < run->batch->count && g->status == PG_OK; first += run->at_once) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        encoded_pairs part = encode_part(g, run, first);
        pg_tensor *images = pg_weighted_sum(g, part.images, dimages + first * image_width);
        pg_tensor *texts = pg_weighted_sum(g, part.texts, dtexts + first * text_width);
        pg_tape_backward(g, pg_add(g, images, texts), 1);
        pg_arena_release(&g->arena, mark);
    }
}

/* A copy of the derivative of x, whose own memory the tape takes back; zeros if there is none. */
static float *keep_gradient(pg_context *g, const pg_tensor *x)
{
    size_t bytes = (size_t)(x->rows * x->width) * sizeof(float);
    float *kept = pg_scratch_values(g, bytes);
    if (kept && x->grad)
        pg_values_move(g->device, kept, x->grad, bytes);
    else if (kept)
        pg_values_clear(g->device, kept, bytes);
    return kept;
}

static void run_parts(float *loss, pg_context *g, const part_run *run, float weight, float *hits)
{
    int64_t count = run->batch->count;
    encoded_pairs all = {pg_tensor_new(g, count, run->weights->vision.config.width),
                         pg_tensor_new(g, count, run->weights->words.config.projection)};
    if (!all.images || !all.texts)
        return;
    encode_parts(g, run, &all);
    find_texts(hits, g, &all);
    all.images->tracked = all.texts->tracked = true;
    pg_tensor *total =
        pg_contrastive_loss(g, all.images, all.texts, &run->weights->logit_scale, &run->weights->logit_bias);
    if (!total || pg_tape_backward(g, total, weight) != PG_OK)
        return;
    pg_values_move(g->device, loss, total->data, sizeof *loss);
    const float *dimages = keep_gradient(g, all.images), *dtexts = keep_gradient(g, all.texts);
    if (dimages && dtexts)
        go_back_in_parts(g, run, dimages, dtexts);
}

pg_status pg_contrastive_in_parts(float *loss, pg_context *g, const pg_weights *weights,
                                  const pg_contrastive_batch *batch, int64_t at_once, float weight, float *hits)
{
    part_run run = {weights, batch, at_once, g->tape->step};
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    run_parts(loss, g, &run, weight, hits);
    pg_tape_clear(g->tape);
    g->tape->step = run.step;
    pg_arena_release(&g->arena, mark);
    return g->status;
}

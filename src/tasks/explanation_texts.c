/* Where in a picture a SigLIP model finds a text: patches in the space of texts, and what the pooling head's probe took
 * the picture's embedding from. */
#include <string.h>

#include "model/siglip.h"
#include "tasks/explanation.h"

typedef struct text_run {
    pg_session *session;
    const pg_image *image;
    pg_explain_options options;
    float *texts; /* [texts][width], of length one */
    pg_tape tape;
    pg_relevance relevance;
    pg_tensor *hidden; /* the patches' last hidden states, where the way back ends without the tower */
    pg_explanation *out;
} text_run;

static const pg_siglip_vision *vision_of(const text_run *run)
{
    return &run->session->model->weights->vision;
}

static pg_status make_parts(text_run *run, const char *const *texts, size_t count)
{
    pg_explanation *out = run->out;
    out->parts = pg_alloc(count, sizeof *out->parts);
    if (!out->parts)
        return PG_ERROR_MEMORY;
    for (out->part_count = 0; out->part_count < count; out->part_count++) {
        char *text = pg_copy_text(texts[out->part_count], SIZE_MAX);
        if (!text)
            return PG_ERROR_MEMORY;
        out->parts[out->part_count] = (pg_explained){.kind = PG_EXPLAINED_TEXT, .text = text, .share = 1};
    }
    return pg_explanation_add_maps(out);
}

/* ---------------------------------------------------------------- similarity */

static pg_tensor *last_hidden(text_run *run)
{
    pg_context *g = &run->session->g;
    pg_arena_mark scope = pg_scope_begin(g);
    float *pixels = pg_input_pixels(run->session, &run->image, 1);
    return pixels ? pg_scope_end(g, scope, pg_siglip_vision_forward(g, vision_of(run), pixels, 1)) : NULL;
}

static float dot(const float *a, const float *b, int64_t width)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

static pg_status compare_patches(text_run *run)
{
    pg_context *g = &run->session->g;
    int64_t patches = (int64_t)pg_explanation_places(run->out);
    pg_tensor *unit = pg_unit_rows(g, pg_siglip_pool(g, vision_of(run), last_hidden(run), patches)); /* [P, D] */
    for (size_t t = 0; unit && t < run->out->part_count; t++)
        for (int64_t p = 0; p < patches; p++)
            run->out->maps[(int64_t)t * patches + p] =
                dot((const float *)unit->data + p * unit->width, run->texts + (int64_t)t * unit->width, unit->width);
    return g->status;
}

/* ---------------------------------------------------------------- by way of the probe */

/* The picture's embedding, recorded from the patches or from the pixels on. */
static pg_tensor *record_picture(text_run *run)
{
    pg_context *g = &run->session->g;
    if (run->options.tower) {
        float *pixels = pg_input_pixels(run->session, &run->image, 1);
        const pg_weights *weights = pg_explain_recorded_tower(g, run->session->model->weights);
        if (!pixels || !weights)
            return NULL;
        g->tape = &run->tape;
        run->hidden = pg_siglip_vision_forward(g, &weights->vision, pixels, 1);
    } else {
        run->hidden = last_hidden(run);
        g->tape = &run->tape;
        if (run->hidden)
            run->hidden->tracked = true;
    }
    return pg_unit_rows(g, pg_siglip_pool(g, vision_of(run), run->hidden, 1));
}

static pg_status explain_by_gradient(text_run *run)
{
    pg_context *g = &run->session->g;
    size_t places = pg_explanation_places(run->out), count = run->out->part_count;
    run->tape.checkpoint = true;
    run->tape.keep_all = true;
    pg_tensor *embedding = record_picture(run);
    pg_tape_entry *last = run->tape.last;
    g->see_attention = pg_relevance_see;
    for (size_t t = 0; embedding && t < count; t++) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        const int64_t probe = 0;
        run->tape.last = last;
        PG_TRY(pg_relevance_start(&run->relevance, &probe, 1, 1));
        PG_TRY(pg_tape_backward(g, pg_weighted_sum(g, embedding, run->texts + t * (size_t)embedding->width), 1));
        run->hidden->grad = NULL; /* it has gone back to the tape's pool */
        pg_arena_release(&g->arena, mark);
        pg_relevance_map(run->out->maps + t * places, &run->relevance, 0);
        PG_TRY(pg_explain_report(&run->options, t + 1, count));
    }
    return g->status;
}

/* The same for every text: no text has a part in it. */
static pg_status explain_forward(text_run *run)
{
    pg_context *g = &run->session->g;
    size_t places = pg_explanation_places(run->out);
    const int64_t probe = 0;
    g->see_attention = run->options.tower ? pg_relevance_see : NULL;
    pg_tensor *hidden = last_hidden(run);
    g->see_attention = pg_relevance_see;
    pg_siglip_pool(g, vision_of(run), hidden, 1);
    PG_TRY(g->status);
    PG_TRY(pg_relevance_start(&run->relevance, &probe, 1, 1));
    pg_relevance_run(&run->relevance, g);
    for (size_t t = 0; g->status == PG_OK && t < run->out->part_count; t++)
        pg_relevance_map(run->out->maps + t * places, &run->relevance, 0);
    return g->status;
}

static pg_status explain(text_run *run)
{
    pg_context *g = &run->session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_status status;
    g->status = PG_OK;
    g->attention_user = &run->relevance;
    run->relevance = (pg_relevance){.method = run->options.method};
    if (run->options.method == PG_EXPLAIN_SIMILARITY)
        status = compare_patches(run);
    else
        status = run->options.method == PG_EXPLAIN_GRADIENT ? explain_by_gradient(run) : explain_forward(run);
    g->tape = NULL;
    g->see_attention = NULL;
    pg_arena_release(&g->arena, mark);
    pg_relevance_free(&run->relevance);
    pg_tape_free(&run->tape);
    return status;
}

pg_status pg_explain_texts(pg_explanation **out, pg_session *session, const pg_image *image, const char *const *texts,
                           size_t count, const pg_explain_options *options)
{
    text_run run = {.session = session, .image = image};
    const pg_model *model = session->model;
    pg_status status;
    *out = NULL;
    PG_TRY(pg_model_require(model, model->weights->config.kind == PG_MODEL_SIGLIP, "find texts in a picture"));
    PG_TRY(pg_model_require_host(model, "an explanation"));
    PG_TRY(pg_explain_options_complete(&run.options, options, PG_EXPLAIN_SIMILARITY));
    if (!count)
        return pg_fail(PG_ERROR_ARGUMENT, "there is no text to find in the picture");
    run.texts = pg_alloc(count * (size_t)vision_of(&run)->config.width, sizeof *run.texts);
    PG_TRY_GOTO(run.texts ? PG_OK : PG_ERROR_MEMORY);
    PG_TRY_GOTO(pg_embed_texts(run.texts, session, texts, count));
    PG_TRY_GOTO(pg_explanation_new(&run.out, model, run.options.method, 1, 0));
    PG_TRY_GOTO(make_parts(&run, texts, count));
    PG_TRY_GOTO(explain(&run));
    *out = run.out;
done:
    if (status != PG_OK)
        pg_explanation_free(run.out);
    pg_free(run.texts);
    return status;
}

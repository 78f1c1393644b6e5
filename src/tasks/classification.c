/*
 * Classes of pictures. By name: SigLIP's embedding of a picture beside those of the labels in their templates, logit =
 * cosine * scale + bias (Zhai et al. 2023); a label is the mean of its templates' unit embeddings, of length 1 (Radford
 * et al. 2021, section 3.1.4). By a trained head: a linear layer on the mean of the vision tower's last hidden states.
 */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "model/siglip.h"
#include "ops/ops.h"
#include "tasks/at_once.h"
#include "tasks/recognizer.h"

#define PLACE     "{}"
#define TEXTS     64 /* that are embedded at a time */
#define HEAD_FILE "head.safetensors"

/* ---------------------------------------------------------------- labels and templates */

static pg_status check_labels(const char *const *labels, size_t count)
{
    if (count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "no labels: expected the name of at least one class");
    for (size_t i = 0; i < count; i++) {
        if (!labels[i][strspn(labels[i], " \t\r\n")])
            return pg_fail(PG_ERROR_ARGUMENT, "label %zu of %zu is empty", i + 1, count);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(labels[i], labels[k]))
                return pg_fail(PG_ERROR_ARGUMENT, "labels %zu and %zu are both \"%.80s\"", k + 1, i + 1, labels[i]);
    }
    return PG_OK;
}

static pg_status check_templates(const char *const *templates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *place = strstr(templates[i], PLACE);
        if (!place || strstr(place + 1, PLACE))
            return pg_fail(PG_ERROR_ARGUMENT,
                           "template \"%.80s\": expected one {} for the label, as in \"a photo of a {}\"",
                           templates[i]);
    }
    return PG_OK;
}

/* What all labels in all templates are embedded with; text i * templates + t is label i in template t. */
typedef struct text_maker {
    const char *const *labels, *const *templates;
    size_t template_count; /* at least 1 */
} text_maker;

static pg_status make_text(char **out, const text_maker *maker, size_t i)
{
    const char *text = maker->templates[i % maker->template_count], *place = strstr(text, PLACE);
    pg_buffer buffer = {0};
    PG_TRY(pg_buffer_print(&buffer, "%.*s%s%s", (int)(place - text), text, maker->labels[i / maker->template_count],
                           place + strlen(PLACE)));
    *out = buffer.data;
    return PG_OK;
}

/* ---------------------------------------------------------------- embeddings of labels */

static void add_row(float *sum, const float *row, size_t width)
{
    for (size_t k = 0; k < width; k++)
        sum[k] += row[k];
}

/* Embeds texts first .. first + count - 1 and adds each to its label's row. */
static pg_status add_texts(const pg_recognizer *r, pg_session *session, const text_maker *maker, size_t first,
                           size_t count, float *embeddings)
{
    char *texts[TEXTS] = {0};
    size_t width = (size_t)r->rows.width;
    pg_status status = PG_OK;
    for (size_t i = 0; i < count && status == PG_OK; i++)
        status = make_text(&texts[i], maker, first + i);
    if (status == PG_OK)
        status = pg_embed_texts(embeddings, session, (const char *const *)texts, count);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        add_row((float *)r->rows.data + (first + i) / maker->template_count * width, embeddings + i * width, width);
    for (size_t i = 0; i < count; i++)
        pg_free(texts[i]);
    return status;
}

static pg_status make_unit_rows(const pg_recognizer *r)
{
    for (size_t i = 0; i < r->count; i++) {
        float *row = (float *)r->rows.data + i * (size_t)r->rows.width;
        double sum = 0;
        for (int64_t k = 0; k < r->rows.width; k++)
            sum += (double)row[k] * (double)row[k];
        if (!(sum > 0) || !isfinite(sum))
            return pg_fail(PG_ERROR_FORMAT, "%s: the embedding of \"%.80s\" has no direction; are the weights damaged?",
                           r->model->folder, r->labels[i]);
        for (int64_t k = 0; k < r->rows.width; k++)
            row[k] = (float)((double)row[k] / sqrt(sum));
    }
    return PG_OK;
}

static pg_status embed_labels(pg_recognizer *r, pg_session *session, const text_maker *maker)
{
    size_t width = pg_model_embedding_size(r->model), all = r->count * maker->template_count;
    r->rows = (pg_parameter){.name = "labels", .dtype = PG_F32, .rows = (int64_t)r->count, .width = (int64_t)width};
    r->rows.data = pg_alloc(r->count, width * sizeof(float));
    float *embeddings = pg_alloc(TEXTS, width * sizeof *embeddings);
    pg_status status = r->rows.data && embeddings ? PG_OK : PG_ERROR_MEMORY;
    for (size_t first = 0; first < all && status == PG_OK; first += TEXTS)
        status = add_texts(r, session, maker, first, all - first < TEXTS ? all - first : TEXTS, embeddings);
    pg_free(embeddings);
    return status == PG_OK ? make_unit_rows(r) : status;
}

static pg_status copy_labels(pg_recognizer *r, const char *const *labels, size_t count)
{
    r->labels = pg_alloc(count, sizeof *r->labels);
    if (!r->labels)
        return PG_ERROR_MEMORY;
    for (; r->count < count; r->count++)
        if (!(r->labels[r->count] = pg_copy_text(labels[r->count], SIZE_MAX)))
            return PG_ERROR_MEMORY;
    return PG_OK;
}

pg_status pg_recognizer_new(pg_recognizer **out, pg_session *session, const char *const *labels, size_t count,
                            const char *const *templates, size_t template_count)
{
    static const char *const bare = PLACE;
    text_maker maker = {labels, template_count ? templates : &bare, template_count ? template_count : 1};
    *out = NULL;
    PG_TRY(check_labels(labels, count));
    PG_TRY(check_templates(templates, template_count));
    pg_recognizer *r = pg_alloc(1, sizeof *r);
    if (!r)
        return PG_ERROR_MEMORY;
    pg_status status;
    r->model = session->model;
    PG_TRY_GOTO(pg_model_logit_scale(&r->scale, &r->bias, r->model));
    PG_TRY_GOTO(copy_labels(r, labels, count));
    PG_TRY_GOTO(embed_labels(r, session, &maker));
    *out = r;
done:
    if (status != PG_OK)
        pg_recognizer_free(r);
    return status;
}

/* ---------------------------------------------------------------- trained heads */

static pg_status load_head(pg_classifier **out, const char *path)
{
    pg_buffer file = {0};
    pg_status status =
        pg_file_is_folder(path) ? pg_file_join(&file, path, HEAD_FILE) : pg_buffer_print(&file, "%s", path);
    if (status == PG_OK)
        status = pg_classifier_load(out, file.data);
    pg_buffer_free(&file);
    return status;
}

static pg_status check_head(const pg_recognizer *r, const char *path)
{
    const pg_weights *weights = r->model->weights;
    int64_t found = r->head->weight.width, expected = pg_pooled_width(weights, weights, true, false);
    if (found == expected)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT,
                   "%s: a head for %lld features, but pictures have %lld in this model: was it trained with another "
                   "model, or on texts?",
                   path, (long long)found, (long long)expected);
}

pg_status pg_recognizer_open(pg_recognizer **out, const pg_model *model, const char *path)
{
    *out = NULL;
    PG_TRY(pg_model_require(model, model->weights->config.kind != PG_MODEL_GEMMA, "see pictures"));
    pg_recognizer *r = pg_alloc(1, sizeof *r);
    if (!r)
        return PG_ERROR_MEMORY;
    r->model = model;
    pg_status status = load_head(&r->head, path);
    if (status == PG_OK) {
        r->labels = r->head->labels;
        r->count = r->head->label_count;
        status = check_head(r, path);
    }
    if (status == PG_OK)
        *out = r;
    else
        pg_recognizer_free(r);
    return status;
}

void pg_recognizer_free(pg_recognizer *r)
{
    if (!r)
        return;
    for (size_t i = 0; !r->head && i < r->count; i++)
        pg_free(r->labels[i]);
    if (!r->head)
        pg_free(r->labels);
    pg_classifier_free(r->head);
    pg_free((void *)r->rows.data);
    pg_free(r);
}

size_t pg_recognizer_count(const pg_recognizer *recognizer)
{
    return recognizer->count;
}

const char *pg_recognizer_label(const pg_recognizer *recognizer, size_t i)
{
    return i < recognizer->count ? recognizer->labels[i] : NULL;
}

bool pg_recognizer_exclusive(const pg_recognizer *recognizer)
{
    return recognizer->head;
}

bool pg_recognizer_find(size_t *out, const pg_recognizer *recognizer, const char *name)
{
    for (*out = 0; *out < recognizer->count; ++*out)
        if (!strcmp(recognizer->labels[*out], name))
            return true;
    return false;
}

/* ---------------------------------------------------------------- pictures */

pg_status pg_recognizer_check(const pg_recognizer *recognizer, const pg_session *session)
{
    if (recognizer->model == session->model)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "the recognizer was made for the model %s, the session is one of %s",
                   recognizer->model->folder, session->model->folder);
}

/* Unit embeddings of pictures, or the head's features: [count][width]. */
static pg_tensor *look(pg_session *session, const pg_recognizer *r, const float *pixels, int64_t count)
{
    pg_context *g = &session->g;
    const pg_weights *weights = session->model->weights;
    if (r->head)
        return pg_pooled_features(g, weights, weights, &(pg_pooled_batch){.pixels = pixels, .count = count});
    pg_tensor *hidden = pg_siglip_vision_forward(g, &weights->vision, pixels, count);
    return pg_unit_rows(g, pg_siglip_pool(g, &weights->vision, hidden, count));
}

static void copy_logits(float *logits, const pg_recognizer *r, const pg_tensor *product)
{
    const float *values = product->data;
    for (int64_t i = 0; i < product->rows * product->width; i++)
        logits[i] = r->head ? values[i] : values[i] * r->scale + r->bias;
}

/* In f32 on the host whatever the session computes in and where: it costs nothing beside the tower. [count][labels]. */
static pg_status compare(float *logits, const pg_context *g, const pg_recognizer *r, pg_tensor *features)
{
    pg_context host = {.kernels = g->kernels, .threads = g->threads, .compute = PG_COMPUTE_F32};
    pg_tensor *product =
        r->head ? pg_classifier_logits(&host, r->head, features) : pg_linear(&host, features, &r->rows, NULL);
    if (product)
        copy_logits(logits, r, product);
    pg_arena_free(&host.arena);
    return host.status;
}

static pg_status recognize_some(float *logits, pg_session *session, const pg_recognizer *r,
                                const pg_image *const *images, size_t count)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    float *pixels = pg_input_pixels(session, images, count);
    pg_tensor *seen = pixels ? look(session, r, pixels, (int64_t)count) : NULL, features = {0};
    if (seen) {
        features = *seen;
        features.data = (void *)pg_to_host(g, seen->data, (size_t)(seen->rows * seen->width) * sizeof(float));
    }
    if (g->status == PG_OK && features.data)
        g->status = compare(logits, g, r, &features);
    pg_arena_release(&g->arena, mark);
    return g->status;
}

pg_status pg_recognize(float *logits, pg_session *session, const pg_recognizer *recognizer,
                       const pg_image *const *images, size_t count)
{
    PG_TRY(pg_recognizer_check(recognizer, session));
    int64_t patches = pg_config_patches(&session->model->weights->vision.config);
    session->g.status = PG_OK;
    for (size_t i = 0, some; i < count; i += some) {
        some = pg_at_once(count - i, patches);
        PG_TRY(recognize_some(logits + i * recognizer->count, session, recognizer, images + i, some));
    }
    return PG_OK;
}

void pg_class_scores(float *scores, const float *logits, size_t count, bool softmax)
{
    float best = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        if (logits[i] > best)
            best = logits[i];
    for (size_t i = 0; softmax && i < count; i++)
        sum += exp((double)logits[i] - (double)best);
    for (size_t i = 0; i < count; i++)
        scores[i] = (float)(softmax ? exp((double)logits[i] - (double)best) / sum : 1 / (1 + exp(-(double)logits[i])));
}

#include "model/classifier.h"

#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "model/gemma.h"
#include "model/siglip.h"
#include "ops/ops.h"
#include "tensor/safetensors.h"

#define LABELS "labels" /* of the metadata */

/* ---------------------------------------------------------------- the head */

void pg_classifier_free(pg_classifier *classifier)
{
    if (!classifier)
        return;
    for (size_t i = 0; classifier->labels && i < classifier->label_count; i++)
        pg_free(classifier->labels[i]);
    pg_free(classifier->labels);
    pg_free((void *)classifier->weight.data);
    pg_free((void *)classifier->bias.data);
    pg_free(classifier);
}

static pg_status check_labels(char *const *labels, size_t count)
{
    if (count < 2)
        return pg_fail(PG_ERROR_ARGUMENT, "a classifier has at least 2 labels, not %zu", count);
    for (size_t i = 0; i < count; i++) {
        if (!*labels[i] || strchr(labels[i], '\n'))
            return pg_fail(PG_ERROR_ARGUMENT, "label %zu is empty or has a line break; give it a name of one line", i);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(labels[i], labels[j]))
                return pg_fail(PG_ERROR_ARGUMENT, "labels %zu and %zu are both \"%s\"; each needs its own name", j, i,
                               labels[i]);
    }
    return PG_OK;
}

/* A head of zeros; its labels are to come. */
static pg_classifier *make_head(size_t labels, int64_t features)
{
    pg_classifier *head = pg_alloc(1, sizeof *head);
    if (!head)
        return NULL;
    pg_parameter all = {.dtype = PG_F32, .rows = (int64_t)labels, .width = features};
    head->weight = head->bias = all;
    head->weight.name = "head.weight";
    head->weight.data = pg_alloc(labels, (size_t)features * sizeof(float));
    head->bias.name = "head.bias";
    head->bias.rows = 1;
    head->bias.width = all.rows;
    head->bias.data = pg_alloc(labels, sizeof(float));
    head->labels = pg_alloc(labels, sizeof *head->labels);
    head->label_count = labels;
    if (head->weight.data && head->bias.data && head->labels)
        return head;
    pg_classifier_free(head);
    return NULL;
}

/* Uniform within 1 / sqrt(features), as torch.nn.Linear begins. */
static void draw_weights(const pg_classifier *head, uint64_t seed)
{
    float *weights = (float *)head->weight.data;
    double bound = 1 / sqrt((double)head->weight.width);
    for (int64_t i = 0; i < head->weight.rows * head->weight.width; i++)
        weights[i] = (float)((2 * pg_random_uniform(seed, pg_place(head->weight.name), (uint64_t)i) - 1) * bound);
}

pg_status pg_classifier_new(pg_classifier **out, const char *const *labels, size_t count, int64_t features,
                            uint64_t seed)
{
    *out = NULL;
    pg_classifier *head = make_head(count, features);
    if (!head)
        return PG_ERROR_MEMORY;
    pg_status status = PG_OK;
    for (size_t i = 0; i < count && status == PG_OK; i++) {
        head->labels[i] = pg_copy_text(labels[i], SIZE_MAX);
        status = head->labels[i] ? PG_OK : PG_ERROR_MEMORY;
    }
    PG_TRY_GOTO(status);
    PG_TRY_GOTO(check_labels(head->labels, count));
    draw_weights(head, seed);
    *out = head;
done:
    if (status != PG_OK)
        pg_classifier_free(head);
    return status;
}

/* ---------------------------------------------------------------- files */

static pg_array array_of(const pg_parameter *p, bool vector)
{
    pg_array array = {.name = p->name, .dtype = PG_F32, .dimensions = vector ? 1 : 2, .data = p->data};
    array.shape[0] = vector ? p->width : p->rows;
    array.shape[1] = p->width;
    array.bytes = (size_t)(p->rows * p->width) * sizeof(float);
    return array;
}

pg_status pg_classifier_save(const pg_classifier *classifier, const char *path)
{
    pg_status status = PG_OK;
    pg_buffer labels = {0};
    pg_safetensors_writer *writer = NULL;
    pg_parameter weight, bias;
    void *memory[2] = {NULL};
    PG_TRY_GOTO(pg_parameter_to_host(&weight, &memory[0], &classifier->weight));
    PG_TRY_GOTO(pg_parameter_to_host(&bias, &memory[1], &classifier->bias));
    pg_array arrays[] = {array_of(&weight, false), array_of(&bias, true)};
    for (size_t i = 0; i < classifier->label_count; i++) {
        PG_TRY_GOTO(pg_buffer_append(&labels, "\n", i ? 1 : 0));
        PG_TRY_GOTO(pg_buffer_append(&labels, classifier->labels[i], strlen(classifier->labels[i])));
    }
    const char *const metadata[][2] = {{"format", "pt"}, {LABELS, labels.data}};
    PG_TRY_GOTO(pg_safetensors_writer_open(&writer, path, arrays, 2, metadata, 2));
    for (int i = 0; i < 2; i++)
        PG_TRY_GOTO(pg_safetensors_writer_write(writer, arrays[i].data, arrays[i].bytes));
    status = pg_safetensors_writer_commit(writer);
    writer = NULL;
done:
    pg_safetensors_writer_abort(writer);
    pg_buffer_free(&labels);
    pg_free(memory[0]);
    pg_free(memory[1]);
    return status;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

static pg_status split_labels(const pg_classifier *head, const char *text)
{
    for (size_t i = 0; i < head->label_count; i++) {
        size_t length = strcspn(text, "\n");
        head->labels[i] = pg_copy_text(text, length);
        if (!head->labels[i])
            return PG_ERROR_MEMORY;
        text += length + (text[length] != 0);
    }
    return check_labels(head->labels, head->label_count);
}

/* The file's two tensors and labels, checked against each other. */
static pg_status check_file(const pg_array **weight, const pg_array **bias, const char **labels,
                            const pg_safetensors *file, const char *path)
{
    *weight = pg_safetensors_find(file, "head.weight");
    *bias = pg_safetensors_find(file, "head.bias");
    *labels = pg_safetensors_metadata(file, LABELS);
    if (!*weight || !*bias || !*labels || pg_safetensors_count(file) != 2)
        return pg_fail(
            PG_ERROR_FORMAT,
            "%s: not a classifier head: expected the tensors head.weight and head.bias and nothing else, and "
            "\"" LABELS "\" in the metadata",
            path);
    bool shaped = (*weight)->dimensions == 2 && (*bias)->dimensions == 1 && (*weight)->dtype == PG_F32 &&
                  (*bias)->dtype == PG_F32 && (*weight)->shape[1] > 0;
    int64_t lines = (int64_t)count_lines(*labels);
    if (!shaped || (*weight)->shape[0] != (*bias)->shape[0] || (*weight)->shape[0] != lines) {
        char found[PG_SHAPE_TEXT], beside[PG_SHAPE_TEXT];
        return pg_fail(
            PG_ERROR_FORMAT,
            "%s: head.weight %s %s and head.bias %s %s, expected F32 [%lld, features] and F32 [%lld] for the "
            "labels of the metadata",
            path, pg_dtype_name((*weight)->dtype), pg_array_shape_text(found, *weight), pg_dtype_name((*bias)->dtype),
            pg_array_shape_text(beside, *bias), (long long)lines, (long long)lines);
    }
    return PG_OK;
}

pg_status pg_classifier_load(pg_classifier **out, const char *path)
{
    *out = NULL;
    pg_safetensors *file = NULL;
    pg_classifier *head = NULL;
    const pg_array *weight, *bias;
    const char *labels;
    pg_status status = PG_OK;
    PG_TRY_GOTO(pg_safetensors_open(&file, path));
    PG_TRY_GOTO(check_file(&weight, &bias, &labels, file, path));
    head = make_head((size_t)weight->shape[0], weight->shape[1]);
    PG_TRY_GOTO(head ? PG_OK : PG_ERROR_MEMORY);
    memcpy((void *)head->weight.data, weight->data, weight->bytes);
    memcpy((void *)head->bias.data, bias->data, bias->bytes);
    PG_TRY_GOTO(split_labels(head, labels));
    *out = head;
done:
    if (status != PG_OK)
        pg_classifier_free(head);
    pg_safetensors_close(file);
    return status;
}

/* ---------------------------------------------------------------- features */

int64_t pg_pooled_width(const pg_weights *vision, const pg_weights *text, bool pictures, bool texts)
{
    return (pictures ? vision->vision.config.width : 0) + (texts ? text->text.config.width : 0);
}

pg_tensor *pg_patch_features(pg_context *g, const pg_weights *vision, const float *pixels, int64_t count)
{
    return pg_siglip_vision_forward(g, &vision->vision, pixels, count);
}

static pg_tensor *pool_pictures(pg_context *g, const pg_weights *weights, const pg_pooled_batch *batch)
{
    int64_t patches = pg_config_patches(&weights->vision.config);
    pg_span *spans = pg_scratch(g, (size_t)batch->count * sizeof *spans);
    for (int64_t i = 0; spans && i < batch->count; i++)
        spans[i] = (pg_span){i * patches, patches};
    pg_tensor *hidden = pg_siglip_vision_forward(g, &weights->vision, batch->pixels, batch->count);
    return spans ? pg_mean_rows(g, hidden, spans, batch->count) : NULL;
}

/* The texts laid end to end. */
typedef struct laid_texts {
    pg_batch batch;
    int32_t *ids, *positions;
    pg_segment *segments;
    pg_span *spans;
} laid_texts;

static bool lay_texts(laid_texts *out, pg_context *g, const pg_pooled_batch *batch)
{
    size_t rows = 0, count = (size_t)batch->count;
    for (size_t i = 0; i < count; i++)
        rows += (size_t)batch->lengths[i];
    out->ids = pg_scratch(g, rows * sizeof *out->ids);
    out->positions = pg_scratch(g, rows * sizeof *out->positions);
    out->segments = pg_scratch(g, count * sizeof *out->segments);
    out->spans = pg_scratch(g, count * sizeof *out->spans);
    int64_t at = 0;
    for (size_t i = 0; out->spans && i < count; at += batch->lengths[i], i++) {
        pg_span span = {at, batch->lengths[i]};
        memcpy(out->ids + at, batch->ids[i], (size_t)span.count * sizeof *out->ids);
        for (int64_t t = 0; t < span.count; t++)
            out->positions[at + t] = (int32_t)t;
        out->spans[i] = span;
        out->segments[i] = (pg_segment){.first = at, .count = span.count, .spans = {span}, .span_count = 1};
    }
    out->batch = (pg_batch){.rows = at, .positions = out->positions, .segments = out->segments, .segment_count = count};
    return out->spans;
}

static pg_tensor *pool_texts(pg_context *g, const pg_weights *weights, const pg_pooled_batch *batch)
{
    laid_texts laid = {0};
    if (!lay_texts(&laid, g, batch))
        return NULL;
    pg_tensor *x = pg_gemma_embed(g, &weights->text, laid.ids, laid.batch.rows, 0);
    return pg_mean_rows(g, pg_gemma_forward(g, &weights->text, x, &laid.batch, NULL), laid.spans, batch->count);
}

pg_tensor *pg_pooled_features(pg_context *g, const pg_weights *vision, const pg_weights *text,
                              const pg_pooled_batch *batch)
{
    if (!batch->ids)
        return pool_pictures(g, vision, batch);
    if (!batch->pixels)
        return pool_texts(g, text, batch);
    pg_tensor *pictures = pool_pictures(g, vision, batch); /* first, as their columns are */
    return pg_concatenate(g, pictures, pool_texts(g, text, batch));
}

pg_tensor *pg_classifier_logits(pg_context *g, const pg_classifier *classifier, pg_tensor *features)
{
    return pg_linear(g, features, &classifier->weight, &classifier->bias);
}

pg_tensor *pg_classifier_losses(pg_context *g, const pg_classifier *classifier, pg_tensor *features,
                                const int32_t *targets, double smoothing, float *hits)
{
    return pg_output_losses(g, features, &classifier->weight, &classifier->bias, targets, smoothing, hits);
}

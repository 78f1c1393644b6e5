/* Losses and gradients of whole models against the reference: tests/golden/training, with the tolerances that its
 * README states (tests/golden/MANIFEST.md). */
#include "golden_case.h"

#include <math.h>

#include "base/memory.h"
#include "generate/model.h"
#include "kernels/kernels.h"
#include "model/gemma.h"
#include "model/paligemma.h"
#include "ops/ops.h"
#include "tensor/tape.h"
#include "train/classifier.h"
#include "train/contrastive.h"
#include "train/preference.h"
#include "train/teacher_forcing.h"
#include "trained_model.h"

#define LOSS     1e-5 /* absolute */
#define GRADIENT 1e-4 /* of a tensor's largest value */
#define WHOLE    5e-5 /* of the whole gradient's length */
#define NOTHING  1e-6 /* where the true gradient is zero: the softmax does not see a key's bias */
#define ROWS     8
#define WIDTH    64

typedef struct fixture {
    pg_golden golden;
    pg_model *model, *other;
    pg_safetensors *inputs;
    pg_context g;
    pg_tape tape;
    /* sums over the tensors compared since start_sums() */
    double difference, size, product, own_size;
    size_t compared;
} fixture;

/* ---------------------------------------------------------------- opening */

static pg_model *open_checkpoint(fixture *f, const char *fact)
{
    const char *name = json_string_value(json_object_get(f->golden.facts, fact));
    assert_non_null(name);
    char *path = pg_golden_checkpoint(&f->golden, name);
    pg_model *model = NULL;
    CHECK_OK(pg_model_open(&model, path));
    pg_free(path);
    return model;
}

static pg_safetensors *open_file(const fixture *f, const char *name)
{
    char *path = pg_golden_path(f->golden.folder, name);
    pg_safetensors *file = NULL;
    CHECK_OK(pg_safetensors_open(&file, path));
    pg_free(path);
    return file;
}

static void open_case(fixture *f, const char *name, const char *checkpoint)
{
    *f = (fixture){0};
    char *folder = pg_golden_path(PG_TESTS_FOLDER "/golden/training", name);
    pg_golden_open(&f->golden, folder);
    pg_free(folder);
    f->inputs = open_file(f, "inputs.safetensors");
    f->model = open_checkpoint(f, checkpoint);
    f->g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &f->tape};
}

static void close_case(fixture *f)
{
    pg_trained_model_close(f->model);
    pg_trained_model_close(f->other);
    pg_safetensors_close(f->inputs);
    pg_golden_close(&f->golden);
    pg_arena_free(&f->g.arena);
    pg_tape_free(&f->tape);
}

static void reset(fixture *f)
{
    pg_trained_model_clear(f->model);
    pg_arena_release(&f->g.arena, (pg_arena_mark){0, 0});
}

static double fact(const json_t *facts, const char *key)
{
    const json_t *value = json_object_get(facts, key);
    if (!json_is_number(value))
        fail_msg("expected.json has no number \"%s\"", key);
    return json_number_value(value);
}

static double loss_of(const fixture *f, const pg_tensor *loss)
{
    if (!loss)
        fail_msg("no loss: %s", f->g.status == PG_OK ? "?" : pg_error_last());
    assert_non_null(loss);
    return *(const float *)loss->data;
}

static void check_loss(const fixture *f, double loss, const char *key)
{
    double expected = fact(f->golden.facts, key);
    if (!(fabs(loss - expected) <= LOSS))
        fail_msg("%s: %.8g, expected %.8g", key, loss, expected);
}

/* ---------------------------------------------------------------- comparing */

static void start_sums(fixture *f)
{
    f->difference = f->size = f->product = f->own_size = 0;
    f->compared = 0;
}

static void add_to_sums(fixture *f, const float *grad, const pg_array *want)
{
    f->compared++;
    for (size_t i = 0; i < pg_golden_count(want); i++) {
        double expected = pg_golden_number(want, i);
        f->difference += (grad[i] - expected) * (grad[i] - expected);
        f->size += expected * expected;
        f->product += grad[i] * expected;
        f->own_size += (double)grad[i] * grad[i];
    }
}

static void check_nothing(const char *name, const float *grad, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(grad[i]) <= NOTHING))
            fail_msg("%s[%zu]: %g, expected 0", name, i, grad[i]);
}

static void compare(fixture *f, const char *name, const float *grad, const pg_array *want)
{
    size_t count = pg_golden_count(want), worst;
    assert_non_null(grad);
    add_to_sums(f, grad, want);
    if (strstr(name, "k_proj.bias")) {
        check_nothing(name, grad, count);
        return;
    }
    if (strstr(name, "in_proj_bias"))
        check_nothing(name, grad + count / 3, count / 3);
    double error = pg_golden_error(grad, want, &worst);
    if (!(error <= GRADIENT))
        fail_msg("%s: error %.3g at %zu: %g, expected %g", name, error, worst, grad[worst],
                 pg_golden_number(want, worst));
}

/* Which of a case's arrays are compared: "PREFIX" + the published name without the `cut` that it begins with. */
typedef struct comparison {
    fixture *f;
    const char *prefix, *cut;
} comparison;

static void compare_parameter(void *user, const pg_parameter *p)
{
    const comparison *c = user;
    const char *name = p->stored->name;
    name += strncmp(name, c->cut, strlen(c->cut)) ? 0 : strlen(c->cut);
    const pg_array *want = pg_golden_find(&c->f->golden, "%s%s", c->prefix, name);
    if (want)
        compare(c->f, name, p->grad, want);
    else if (p->grad)
        fail_msg("%s%s: the reference has no gradient for it", c->prefix, name);
}

static size_t count_arrays(const fixture *f, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < pg_safetensors_count(f->golden.arrays); i++)
        count += !strncmp(pg_safetensors_at(f->golden.arrays, i)->name, prefix, strlen(prefix));
    return count;
}

static void check_whole(const fixture *f)
{
    double error = sqrt(f->difference / f->size);
    if (!(error <= WHOLE))
        fail_msg("the whole gradient: relative error %.3g", error);
}

/* Every gradient of the model, and every array with the prefix. */
static void check_gradients(fixture *f, const char *prefix)
{
    comparison c = {f, prefix, ""};
    start_sums(f);
    pg_weights_each(f->model->weights, compare_parameter, &c);
    assert_int_equal(f->compared, count_arrays(f, prefix));
    check_whole(f);
}

/* Against sums, lengths and largest values of tensors: {name: [sum, l2 norm, largest]}. */
typedef struct summary {
    const json_t *values;
    size_t compared;
} summary;

static void compare_summary(void *user, const pg_parameter *p)
{
    summary *s = user;
    char name[160];
    snprintf(name, sizeof name, "grad.%s", p->stored->name);
    const json_t *want = json_object_get(s->values, name);
    if (!want || strstr(name, "k_proj.bias"))
        return;
    double square = 0, largest = 0, sum = 0, length = json_number_value(json_array_get(want, 1));
    for (int64_t i = 0; i < p->rows * p->width; i++) {
        square += (double)p->grad[i] * p->grad[i];
        sum += p->grad[i];
        largest = fmax(largest, fabsf(p->grad[i]));
    }
    double values = sqrt((double)(p->rows * p->width));
    s->compared++;
    if (!(fabs(sqrt(square) - length) <= GRADIENT * length) ||
        !(fabs(largest - json_number_value(json_array_get(want, 2))) <= GRADIENT * largest) ||
        !(fabs(sum - json_number_value(json_array_get(want, 0))) <= GRADIENT * largest * values))
        fail_msg("%s: sum %g, length %g, largest %g; expected %s", name, sum, sqrt(square), largest,
                 json_dumps(want, JSON_COMPACT));
}

static void check_summary(const fixture *f, const char *key, size_t at_least)
{
    summary s = {json_object_get(f->golden.facts, key), 0};
    pg_weights_each(f->model->weights, compare_summary, &s);
    assert_in_range(s.compared, at_least, json_object_size(s.values));
}

/* ---------------------------------------------------------------- rows of tokens */

typedef struct token_rows {
    int32_t ids[ROWS][WIDTH];
    pg_token_row rows[ROWS];
    pg_token_batch batch;
} token_rows;

/* The rows of a padded batch, without their padding. token_type_ids, if there are any, say where the answer begins;
 * else every token but the first is scored. */
static void read_rows(token_rows *out, const pg_safetensors *file)
{
    const pg_array *ids = pg_safetensors_find(file, "input_ids"), *mask = pg_safetensors_find(file, "attention_mask");
    const pg_array *types = pg_safetensors_find(file, "token_type_ids");
    const pg_array *pixels = pg_safetensors_find(file, "pixel_values");
    assert_true(ids->shape[0] <= ROWS && ids->shape[1] <= WIDTH);
    *out = (token_rows){.batch = {.rows = out->rows, .row_count = ids->shape[0]}};
    for (int64_t r = 0; r < ids->shape[0]; r++) {
        pg_token_row *row = &out->rows[r];
        row->ids = out->ids[r];
        for (int64_t i = 0; i < ids->shape[1]; i++) {
            size_t at = (size_t)(r * ids->shape[1] + i);
            if (mask && pg_golden_number(mask, at) == 0)
                continue;
            row->prefix += types && pg_golden_number(types, at) == 0;
            out->ids[r][row->count++] = (int32_t)pg_golden_number(ids, at);
        }
        row->scored = types ? row->prefix : 1;
    }
    if (pixels) {
        out->batch.pixels = pixels->data;
        out->batch.pictures = pixels->shape[0];
    }
}

typedef enum reduction { OVER_TOKENS, OVER_EXAMPLES } reduction;

/* The weight of every scored token, times `factor`. */
static float *token_weights(fixture *f, const pg_token_batch *batch, reduction how, double factor)
{
    int64_t scored = pg_token_batch_scored(batch), at = 0;
    float *weights = pg_scratch(&f->g, (size_t)scored * sizeof *weights);
    for (int64_t r = 0; r < batch->row_count; r++) {
        int64_t count = batch->rows[r].count - batch->rows[r].scored;
        int64_t all = how == OVER_TOKENS ? scored : count * batch->row_count;
        for (int64_t i = 0; i < count; i++)
            weights[at++] = (float)(factor / (double)all);
    }
    return weights;
}

/* Loss and gradients of the rows. */
static double run_rows(fixture *f, const pg_token_batch *batch, reduction how, double factor)
{
    pg_tensor *losses = pg_teacher_forcing(&f->g, f->model->weights, batch, NULL);
    pg_tensor *loss = pg_weighted_sum(&f->g, losses, token_weights(f, batch, how, factor));
    double value = loss_of(f, loss);
    CHECK_OK(pg_tape_backward(&f->g, loss, 1));
    return value;
}

/* ---------------------------------------------------------------- PaliGemma */

static void check_same_bits(const fixture *f, const pg_kept_gradients *before)
{
    pg_kept_gradients now = pg_trained_model_keep(f->model);
    assert_int_equal(now.count, before->count);
    assert_memory_equal(now.values, before->values, now.count * sizeof *now.values);
    pg_free(now.values);
}

/* The whole model; then again with padding on the other side, with every block computed twice, and with other numbers
 * of threads: the same bits. */
static void supervised(void **state)
{
    (void)state;
    fixture f;
    token_rows rows, right;
    open_case(&f, "paligemma-sft", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    read_rows(&rows, f.inputs);
    check_loss(&f, run_rows(&f, &rows.batch, OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    check_summary(&f, "grad_summary", 57);
    pg_kept_gradients kept = pg_trained_model_keep(f.model);

    pg_safetensors *padded = open_file(&f, "inputs_right_padded.safetensors");
    read_rows(&right, padded);
    for (int again = 0; again < 3; again++) {
        reset(&f);
        f.tape.checkpoint = again > 0;
        f.g.threads = 1 + 2 * again;
        check_loss(&f, run_rows(&f, &right.batch, OVER_TOKENS, 1), "loss_right_padded");
        check_same_bits(&f, &kept);
    }
    reset(&f);
    check_loss(&f, run_rows(&f, &rows.batch, OVER_EXAMPLES, 1), "loss_mean_of_examples");
    pg_safetensors_close(padded);
    pg_free(kept.values);
    close_case(&f);
}

static void attention_only(void **state)
{
    (void)state;
    fixture f;
    token_rows rows;
    open_case(&f, "paligemma-attention-only", "checkpoint");
    pg_weights *w = f.model->weights;
    for (int64_t i = 0; i < w->config.text.layers; i++) {
        pg_parameter *trained[] = {&w->text.layers[i].q, &w->text.layers[i].k, &w->text.layers[i].v,
                                   &w->text.layers[i].o};
        for (int j = 0; j < 4; j++)
            pg_trained_weight_give(trained[j]);
    }
    read_rows(&rows, f.inputs);
    assert_false(pg_paligemma_features(&f.g, w, rows.batch.pixels, rows.batch.pictures)->tracked);
    assert_null(f.tape.last); /* nothing of the vision tower is recorded */
    check_loss(&f, run_rows(&f, &rows.batch, OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    reset(&f);
    check_loss(&f, run_rows(&f, &rows.batch, OVER_EXAMPLES, 1), "loss_mean_of_examples");
    check_gradients(&f, "grad_per_example.");
    close_case(&f);
}

static void check_accumulated(fixture *f, const char *prefix, const char *key, const char *loss_key, double loss)
{
    check_loss(f, loss, loss_key);
    check_summary(f, key, 57);
    start_sums(f);
    for (size_t i = 0; i < pg_safetensors_count(f->golden.arrays); i++) { /* only some tensors are there in full */
        const pg_array *want = pg_safetensors_at(f->golden.arrays, i);
        if (strncmp(want->name, prefix, strlen(prefix)) != 0)
            continue;
        const float *found = NULL;
        pg_weights *w = f->model->weights;
        for (int64_t l = 0; l < w->config.text.layers; l++) {
            pg_parameter *some[] = {&w->text.layers[l].q, &w->text.layers[l].k, &w->text.layers[l].v,
                                    &w->text.layers[l].o, &w->projector,        &w->projector_bias};
            for (int j = 0; j < 6; j++)
                if (!strcmp(some[j]->stored->name, want->name + strlen(prefix)))
                    found = some[j]->grad;
        }
        compare(f, want->name, found, want);
    }
    assert_int_equal(f->compared, 10);
    check_whole(f);
}

/* Four rows one by one: weighted by their tokens they are the batch; equally weighted they are something else. */
static void accumulation(void **state)
{
    (void)state;
    fixture f;
    token_rows all;
    open_case(&f, "gradient-accumulation", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    read_rows(&all, f.inputs);
    const json_t *micro_losses = json_object_get(f.golden.facts, "micro_losses");
    int64_t tokens = pg_token_batch_scored(&all.batch), side = f.model->weights->config.vision.side;
    for (int equal = 0; equal < 2; equal++) {
        double total = 0;
        reset(&f);
        for (int64_t r = 0; r < 4; r++) {
            pg_token_batch one = {.rows = &all.rows[r],
                                  .row_count = 1,
                                  .pixels = all.batch.pixels + r * 3 * side * side,
                                  .pictures = 1};
            double factor = equal ? 0.25 : (double)pg_token_batch_scored(&one) / (double)tokens;
            double loss = run_rows(&f, &one, OVER_TOKENS, factor);
            assert_true(fabs(loss / factor - json_number_value(json_array_get(micro_losses, (size_t)r))) <= LOSS);
            total += loss;
        }
        check_accumulated(&f, equal ? "mean_of_means.grad." : "grad.",
                          equal ? "grad_summary_mean_of_means" : "grad_summary",
                          equal ? "loss_mean_of_means" : "loss_token_weighted", total);
    }
    reset(&f);
    check_accumulated(&f, "grad.", "grad_summary", "loss", run_rows(&f, &all.batch, OVER_TOKENS, 1));
    close_case(&f);
}

/* ---------------------------------------------------------------- low-rank additions */

typedef struct adapter {
    fixture *f;
    pg_safetensors *file;
    const char *name; /* of the case's part */
    double scale;
    pg_lora loras[128];
    size_t count;
} adapter;

/* PEFT's name of a layer's factor: module names of transformers, not names in files. */
static void factor_key(char out[160], const pg_parameter *p, const char *factor)
{
    const char *name = p->stored->name, *language = "language_model.model.";
    bool text = !strncmp(name, language, strlen(language));
    name += text ? strlen(language) : 0;
    snprintf(out, 160, "base_model.model.model.%s%.*s.%s.weight", text ? "language_model." : "",
             (int)(strlen(name) - strlen(".weight")), name, factor);
}

static pg_parameter factor_of(const pg_array *array)
{
    return (pg_parameter){.name = array->name,
                          .dtype = PG_F32,
                          .rows = array->shape[0],
                          .width = array->shape[1],
                          .data = array->data,
                          .grad = pg_alloc(array->bytes, 1)};
}

static void add_factors(void *user, const pg_parameter *p)
{
    adapter *a = user;
    char key[160];
    size_t length = strlen(p->stored->name);
    if (length < 8 || strcmp(p->stored->name + length - 7, ".weight") != 0)
        return;
    factor_key(key, p, "lora_A");
    const pg_array *low = pg_safetensors_find(a->file, key);
    if (!low)
        return;
    factor_key(key, p, "lora_B");
    pg_lora *lora = &a->loras[a->count++];
    *lora = (pg_lora){factor_of(low), factor_of(pg_safetensors_find(a->file, key)), a->scale, 0};
    ((pg_parameter *)p)->lora = lora;
}

static void take_factors(void *user, const pg_parameter *p)
{
    (void)user;
    ((pg_parameter *)p)->lora = NULL;
}

static void check_factor(const adapter *a, const pg_parameter *factor)
{
    const pg_array *want = pg_golden_find(&a->f->golden, "%s.grad.%s", a->name, factor->name);
    assert_non_null(want);
    compare(a->f, factor->name, factor->grad, want);
}

static void adapter_case(fixture *f, const char *name)
{
    token_rows rows;
    char prefix[64], path[128];
    const json_t *facts = json_object_get(f->golden.facts, name);
    snprintf(path, sizeof path, "%s/adapter_initial/adapter_model.safetensors", name);
    snprintf(prefix, sizeof prefix, "%s.grad.", name);
    adapter a = {.f = f, .file = open_file(f, path), .name = name, .scale = fact(facts, "scaling")};
    pg_weights_each(f->model->weights, add_factors, &a);
    assert_int_equal(2 * a.count, pg_safetensors_count(a.file));
    read_rows(&rows, f->inputs);
    double loss = run_rows(f, &rows.batch, OVER_TOKENS, 1);
    assert_true(fabs(loss - fact(facts, "loss")) <= LOSS);
    start_sums(f);
    for (size_t i = 0; i < a.count; i++) {
        check_factor(&a, &a.loras[i].a);
        check_factor(&a, &a.loras[i].b);
    }
    assert_int_equal(f->compared, count_arrays(f, prefix));
    check_whole(f);
    pg_weights_each(f->model->weights, take_factors, NULL);
    for (size_t i = 0; i < a.count; i++) {
        pg_free(a.loras[i].a.grad);
        pg_free(a.loras[i].b.grad);
    }
    pg_safetensors_close(a.file);
    reset(f);
}

static void low_rank(void **state)
{
    (void)state;
    fixture f;
    open_case(&f, "paligemma-lora", "checkpoint");
    adapter_case(&f, "language");
    adapter_case(&f, "both");
    adapter_case(&f, "rslora");
    close_case(&f);
}

/* ---------------------------------------------------------------- bf16 */

static void round_weight(void *user, const pg_parameter *p)
{
    (void)user;
    pg_parameter *w = (pg_parameter *)p;
    void *rounded = pg_alloc((size_t)(p->rows * p->width), sizeof(uint16_t));
    pg_kernels_at(0)->narrow(rounded, PG_BF16, p->data, p->rows * p->width);
    w->data = rounded;
    w->dtype = PG_BF16;
}

static void free_rounded(void *user, const pg_parameter *p)
{
    (void)user;
    pg_free((void *)p->data);
}

typedef struct cosines {
    fixture *f;
    const pg_golden *exact;
    double least;
} cosines;

static void compare_direction(void *user, const pg_parameter *p)
{
    cosines *c = user;
    const pg_array *want = pg_golden_find(c->exact, "grad.%s", p->stored->name);
    assert_non_null(want);
    if (strstr(p->stored->name, "k_proj.bias"))
        return;
    fixture one = {0};
    add_to_sums(&one, p->grad, want);
    add_to_sums(c->f, p->grad, want);
    double cosine = one.product / sqrt(one.size * one.own_size);
    if (!(cosine >= c->least))
        fail_msg("%s: cosine %.4f, expected at least %.2f", p->stored->name, cosine, c->least);
}

static void check_directions(fixture *f, const pg_golden *exact, double least, double loss)
{
    cosines c = {f, exact, least};
    assert_true(fabs(loss - fact(f->golden.facts, "loss")) <= 0.03);
    start_sums(f);
    pg_weights_each(f->model->weights, compare_direction, &c);
    double cosine = f->product / sqrt(f->size * f->own_size);
    if (!(cosine >= 0.98))
        fail_msg("the whole gradient: cosine %.4f", cosine);
}

/* f32 weights multiplied in bf16; bf16 weights in f32, which is exact; bf16 weights in bf16. */
static void half_precision(void **state)
{
    (void)state;
    fixture f;
    token_rows rows;
    pg_golden exact;
    pg_golden_open(&exact, PG_TESTS_FOLDER "/golden/training/paligemma-sft");
    open_case(&f, "bf16", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    read_rows(&rows, f.inputs);
    f.g.compute = PG_COMPUTE_BF16;
    check_directions(&f, &exact, 0.95, run_rows(&f, &rows.batch, OVER_TOKENS, 1));

    pg_weights *w = f.model->weights;
    pg_weights_each(w, round_weight, NULL);
    w->text.output = w->text.embed;
    reset(&f);
    f.g.compute = PG_COMPUTE_F32;
    double loss = run_rows(&f, &rows.batch, OVER_TOKENS, 1);
    assert_true(fabs(loss - fact(json_object_get(f.golden.facts, "bf16_weights_f32_arithmetic"), "loss")) <= LOSS);
    pg_trained_weight_take(&w->text.embed); /* which the case leaves out */
    check_gradients(&f, "rounded_weights.grad.");
    pg_trained_weight_give(&w->text.embed);
    w->text.output.grad = w->text.embed.grad;
    reset(&f);
    f.g.compute = PG_COMPUTE_BF16;
    check_directions(&f, &exact, 0.94, run_rows(&f, &rows.batch, OVER_TOKENS, 1));
    pg_weights_each(w, free_rounded, NULL);
    pg_golden_close(&exact);
    close_case(&f);
}

/* ---------------------------------------------------------------- Gemma */

/* Where each document of the two rows begins and ends, one after another. */
static int64_t find_documents(pg_span out[WIDTH], const pg_safetensors *inputs)
{
    const pg_array *places = pg_safetensors_find(inputs, "document_position");
    int64_t count = 0, width = places->shape[1];
    for (int64_t i = 0; i < places->shape[0] * width; i++) {
        if (i % width == 0 || pg_golden_number(places, (size_t)i) == 0)
            out[count++] = (pg_span){i, 0};
        out[count - 1].count++;
    }
    return count;
}

/* Rows that hold several documents which do not see each other are rows of their own here. A document's first token has
 * no prediction then; the reference lets the end of the one before predict it, as is done here by hand. */
static void documents(fixture *f, const token_rows *whole)
{
    pg_span spans[WIDTH];
    int64_t count = find_documents(spans, f->inputs), width = whole->rows[0].count;
    int32_t flat[ROWS * WIDTH], positions[ROWS * WIDTH], targets[ROWS * WIDTH];
    pg_token_row rows[WIDTH];
    pg_segment segments[WIDTH];
    int64_t sources[ROWS * WIDTH], scored = 0;
    float weights[ROWS * WIDTH];
    for (int64_t i = 0; i < 2 * width; i++)
        flat[i] = whole->ids[i / width][i % width];
    for (int64_t d = 0; d < count; d++) {
        rows[d] = (pg_token_row){.ids = flat + spans[d].first, .count = spans[d].count, .scored = 1};
        segments[d] =
            (pg_segment){.first = spans[d].first, .count = spans[d].count, .spans = {spans[d]}, .span_count = 1};
        for (int64_t i = 0; i < spans[d].count; i++)
            positions[spans[d].first + i] = (int32_t)i;
    }
    reset(f);
    check_loss(f, run_rows(f, &(pg_token_batch){.rows = rows, .row_count = count}, OVER_TOKENS, 1),
               "loss_document_mask_first_tokens_unscored");
    for (int64_t i = 0; i + 1 < 2 * width; i++)
        if ((i + 1) % width) {
            sources[scored] = i;
            targets[scored++] = flat[i + 1];
        }
    for (int64_t i = 0; i < scored; i++)
        weights[i] = 1 / (float)scored;
    reset(f);
    const pg_gemma *model = &f->model->weights->text;
    pg_batch batch = {.rows = 2 * width, .positions = positions, .segments = segments, .segment_count = (size_t)count};
    pg_tensor *x = pg_gemma_forward(&f->g, model, pg_gemma_embed(&f->g, model, flat, 2 * width, 0), &batch, NULL);
    x = pg_take_rows(&f->g, x, sources, scored);
    pg_tensor *loss =
        pg_weighted_sum(&f->g, pg_output_losses(&f->g, x, &model->output, NULL, targets, 0, NULL), weights);
    check_loss(f, loss_of(f, loss), "loss_document_mask");
    CHECK_OK(pg_tape_backward(&f->g, loss, 1));
    check_summary(f, "document_grad_summary", 20);
}

static void pretraining(void **state)
{
    (void)state;
    fixture f;
    token_rows rows;
    open_case(&f, "gemma-pretrain", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    read_rows(&rows, f.inputs);
    assert_int_equal(pg_token_batch_scored(&rows.batch), (int64_t)fact(f.golden.facts, "scored_tokens"));
    check_loss(&f, run_rows(&f, &rows.batch, OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    documents(&f, &rows);
    close_case(&f);
}

/* ---------------------------------------------------------------- preferences */

/* Rows chosen 0 .. n - 1, rejected 0 .. n - 1, each a prompt and a completion. */
static void read_pairs(pg_preference out[ROWS], const token_rows *rows, const pg_safetensors *inputs)
{
    const pg_array *mask = pg_safetensors_find(inputs, "completion_mask");
    int64_t pairs = rows->batch.row_count / 2;
    for (int64_t r = 0; r < 2 * pairs; r++) {
        const pg_token_row *row = &rows->rows[r];
        int64_t prompt = 0;
        while (pg_golden_number(mask, (size_t)(r * mask->shape[1] + prompt)) == 0)
            prompt++;
        pg_completion completion = {row->ids + prompt, row->count - prompt};
        pg_preference *pair = &out[r % pairs];
        *(r < pairs ? &pair->chosen : &pair->rejected) = completion;
        pair->prompt = row->ids;
        pair->prompt_count = prompt;
    }
}

static void preferences(void **state)
{
    (void)state;
    fixture f;
    token_rows rows;
    pg_preference pairs[ROWS] = {{0}};
    float reference[4], hits[2];
    const float halves[] = {0.5f, 0.5f};
    open_case(&f, "dpo", "checkpoint");
    f.other = open_checkpoint(&f, "reference_checkpoint");
    pg_trained_model_train(f.model, NULL);
    read_rows(&rows, f.inputs);
    read_pairs(pairs, &rows, f.inputs);
    pg_preference_batch batch = {.pairs = pairs, .pair_count = 2};
    CHECK_OK(pg_reference_losses(reference, &f.g, f.other->weights, &batch, false));
    assert_null(f.tape.last);
    const pg_array *expected = pg_golden_find(&f.golden, "reference_logps");
    for (size_t i = 0; i < 4; i++) /* ours are pair by pair */
        assert_true(fabs(reference[i] + pg_golden_number(expected, i / 2 + i % 2 * 2)) < 1e-4);
    pg_tensor *losses =
        pg_preference_training(&f.g, f.model->weights, &batch, reference, fact(f.golden.facts, "beta"), hits);
    pg_tensor *loss = pg_weighted_sum(&f.g, losses, halves);
    check_loss(&f, loss_of(&f, loss), "loss");
    assert_true(hits[0] == 1 && hits[1] == 1);
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    check_gradients(&f, "grad.");
    close_case(&f);
}

/* ---------------------------------------------------------------- SigLIP */

static void contrast(void **state)
{
    (void)state;
    fixture f;
    int32_t ids[ROWS * WIDTH];
    open_case(&f, "siglip-pretrain", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    const pg_array *stored = pg_safetensors_find(f.inputs, "input_ids");
    for (size_t i = 0; i < pg_golden_count(stored); i++)
        ids[i] = (int32_t)pg_golden_number(stored, i);
    pg_contrastive_batch batch = {pg_safetensors_find(f.inputs, "pixel_values")->data, ids, stored->shape[0]};
    pg_tensor *loss = pg_contrastive(&f.g, f.model->weights, &batch);
    check_loss(&f, loss_of(&f, loss), "loss");
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    check_gradients(&f, "grad.");
    for (int64_t at_once = 1; at_once < 5; at_once++) { /* in parts, of which the last may be smaller */
        float value = 0;
        reset(&f);
        f.tape.checkpoint = at_once == 2;
        CHECK_OK(pg_contrastive_in_parts(&value, &f.g, f.model->weights, &batch, at_once, 1));
        check_loss(&f, value, "loss");
        check_gradients(&f, "grad.");
    }
    close_case(&f);
}

/* ---------------------------------------------------------------- classifier */

static void compare_pooled(fixture *f, const pg_classifier *head)
{
    comparison vision = {f, "grad.vision.", ""}, text = {f, "grad.text.", "model."};
    const pg_weights *w = f->other->weights;
    start_sums(f);
    pg_weights_each(f->model->weights, compare_parameter, &vision);
    pg_weights_each(w, compare_parameter, &text);
    compare(f, "head.weight", head->weight.grad, pg_golden_find(&f->golden, "grad.head.weight"));
    compare(f, "head.bias", head->bias.grad, pg_golden_find(&f->golden, "grad.head.bias"));
    assert_int_equal(f->compared + 2, count_arrays(f, "grad."));
}

/* Rows of the embedding that a text uses are compared; all others have none. */
static void compare_used_rows(fixture *f, float *grad, const pg_parameter *embed)
{
    const pg_array *rows = pg_golden_find(&f->golden, "grad.text.embed_tokens.rows");
    const pg_array *values = pg_golden_find(&f->golden, "grad.text.embed_tokens.values");
    int64_t width = embed->width;
    float *used = pg_alloc(values->bytes, 1);
    for (size_t i = 0; i < pg_golden_count(rows); i++) {
        float *row = grad + (int64_t)pg_golden_number(rows, i) * width;
        memcpy(used + (int64_t)i * width, row, (size_t)width * sizeof *row);
        memset(row, 0, (size_t)width * sizeof *row);
    }
    compare(f, "embed_tokens", used, values);
    for (int64_t i = 0; i < embed->rows * width; i++)
        assert_true(grad[i] == 0);
    pg_free(used);
}

/* Puts head.weight and head.bias of the inputs into a head. */
static pg_classifier *golden_head(const fixture *f)
{
    static const char *const labels[] = {"one", "two", "three", "four", "five"};
    const pg_array *weight = pg_safetensors_find(f->inputs, "head.weight");
    const pg_array *bias = pg_safetensors_find(f->inputs, "head.bias");
    pg_classifier *head = NULL;
    int64_t features = pg_pooled_width(f->model->weights, f->other->weights, true, true);
    assert_int_equal(features, weight->shape[1]);
    CHECK_OK(pg_classifier_new(&head, labels, 5, features, 1));
    memcpy((void *)head->weight.data, weight->data, weight->bytes);
    memcpy((void *)head->bias.data, bias->data, bias->bytes);
    head->weight.grad = pg_alloc(weight->bytes, 1);
    head->bias.grad = pg_alloc(bias->bytes, 1);
    return head;
}

static pg_tensor *classify(fixture *f, const pg_classifier *head, const pg_pooled_batch *batch)
{
    static const float halves[] = {0.5f, 0.5f};
    static const int32_t targets[] = {3, 0}; /* as inputs.safetensors has them */
    float hits[2];
    pg_tensor *features = pg_pooled_features(&f->g, f->model->weights, f->other->weights, batch);
    pg_tensor *logits = pg_classifier_logits(&f->g, head, features);
    assert_non_null(logits);
    assert_true(pg_golden_error(logits->data, pg_golden_find(&f->golden, "logits"), NULL) < 2e-5);
    return pg_weighted_sum(&f->g, pg_classifier_losses(&f->g, head, features, targets, 0, hits), halves);
}

static void pooled_classifier(void **state)
{
    (void)state;
    fixture f;
    token_rows rows;
    open_case(&f, "pooled-classifier", "vision_checkpoint");
    f.other = open_checkpoint(&f, "text_checkpoint");
    read_rows(&rows, f.inputs);
    const int32_t *ids[] = {rows.ids[0], rows.ids[1]};
    const int64_t lengths[] = {rows.rows[0].count, rows.rows[1].count};
    pg_pooled_batch batch = {rows.batch.pixels, ids, lengths, 2};
    pg_classifier *head = golden_head(&f);

    pg_tensor *loss = classify(&f, head, &batch); /* a linear probe: only the head is trained */
    check_loss(&f, loss_of(&f, loss), "loss");
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    start_sums(&f);
    compare(&f, "head.weight", head->weight.grad, pg_golden_find(&f.golden, "grad.head.weight"));
    memset(head->weight.grad, 0, (size_t)(head->weight.rows * head->weight.width) * sizeof(float));
    memset(head->bias.grad, 0, (size_t)head->bias.width * sizeof(float));

    pg_weights *vision = f.model->weights, *text = f.other->weights;
    pg_trained_model_train(f.model, "vision.");
    pg_parameter *pooling[] = {&vision->vision.head.probe,     &vision->vision.head.in,
                               &vision->vision.head.in_bias,   &vision->vision.head.out,
                               &vision->vision.head.norm,      &vision->vision.head.out_bias,
                               &vision->vision.head.norm_bias, &vision->vision.head.fc1,
                               &vision->vision.head.fc1_bias,  &vision->vision.head.fc2,
                               &vision->vision.head.fc2_bias};
    for (size_t i = 0; i < sizeof pooling / sizeof *pooling; i++)
        pg_trained_weight_take(pooling[i]); /* which has no part in it */
    pg_trained_model_train(f.other, NULL);
    loss = classify(&f, head, &batch);
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    float *embed = text->text.embed.grad;
    text->text.embed.grad = text->text.output.grad = NULL; /* compared by rows */
    compare_pooled(&f, head);
    compare_used_rows(&f, embed, &text->text.embed);
    check_whole(&f);
    pg_free(embed);
    pg_free(head->weight.grad);
    pg_free(head->bias.grad);
    pg_classifier_free(head);
    close_case(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(supervised),  cmocka_unit_test(attention_only), cmocka_unit_test(accumulation),
        cmocka_unit_test(low_rank),    cmocka_unit_test(half_precision), cmocka_unit_test(pretraining),
        cmocka_unit_test(preferences), cmocka_unit_test(contrast),       cmocka_unit_test(pooled_classifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Losses and gradients of whole models against the reference: tests/golden/training, with the tolerances that its
 * README states (tests/golden/MANIFEST.md). */
#include "training_case.h"

#include <math.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "model/gemma.h"
#include "model/fusion.h"
#include "ops/ops.h"
#include "model/classifier.h"
#include "train/contrastive.h"
#include "train/preference.h"
#include "tensor/placement.h"
#include "trained_model.h"

#define LOSS     1e-5 /* absolute */
#define GRADIENT 1e-4 /* of a tensor's largest value */
#define WHOLE    5e-5 /* of the whole gradient's length */
#define NOTHING  1e-6 /* where the true gradient is zero: the softmax does not see a key's bias */

static void check_loss(const pg_training_case *f, double loss, const char *key)
{
    double expected = pg_training_fact(f->golden.facts, key);
    if (!(fabs(loss - expected) <= LOSS))
        fail_msg("%s: %.8g, expected %.8g", key, loss, expected);
}

/* ---------------------------------------------------------------- comparing */

static void start_sums(pg_training_case *f)
{
    f->difference = f->size = f->product = f->own_size = 0;
    f->compared = 0;
}

static void add_to_sums(pg_training_case *f, const float *grad, const pg_array *want)
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

static void compare(pg_training_case *f, const char *name, const float *grad, const pg_array *want)
{
    size_t count = pg_golden_count(want), worst;
    if (!grad) {
        fail_msg("%s has no gradient", name);
        return;
    }
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

/* A weight's gradient, wherever it lies. */
static void compare_weight(pg_training_case *f, const char *name, const pg_parameter *p, const pg_array *want)
{
    float *grad = pg_trained_gradient(p);
    compare(f, name, grad, want);
    pg_free(grad);
}

/* Which of a case's arrays are compared: "PREFIX" + the published name without the `cut` that it begins with. */
typedef struct comparison {
    pg_training_case *f;
    const char *prefix, *cut;
} comparison;

static void compare_parameter(void *user, const pg_parameter *p)
{
    const comparison *c = user;
    const char *name = p->stored->name;
    name += strncmp(name, c->cut, strlen(c->cut)) ? 0 : strlen(c->cut);
    const pg_array *want = pg_golden_find(&c->f->golden, "%s%s", c->prefix, name);
    if (want)
        compare_weight(c->f, name, p, want);
    else if (p->grad)
        fail_msg("%s%s: the reference has no gradient for it", c->prefix, name);
}

static size_t count_arrays(const pg_training_case *f, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < pg_safetensors_count(f->golden.arrays); i++)
        count += !strncmp(pg_safetensors_at(f->golden.arrays, i)->name, prefix, strlen(prefix));
    return count;
}

static void check_whole(const pg_training_case *f)
{
    double error = sqrt(f->difference / f->size);
    if (!(error <= WHOLE))
        fail_msg("the whole gradient: relative error %.3g", error);
}

/* Every gradient of the model, and every array with the prefix. */
static void check_gradients(pg_training_case *f, const char *prefix)
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
    float *grad = pg_trained_gradient(p);
    for (int64_t i = 0; i < p->rows * p->width; i++) {
        square += (double)grad[i] * grad[i];
        sum += grad[i];
        largest = fmax(largest, fabsf(grad[i]));
    }
    pg_free(grad);
    double values = sqrt((double)(p->rows * p->width));
    s->compared++;
    if (!(fabs(sqrt(square) - length) <= GRADIENT * length) ||
        !(fabs(largest - json_number_value(json_array_get(want, 2))) <= GRADIENT * largest) ||
        !(fabs(sum - json_number_value(json_array_get(want, 0))) <= GRADIENT * largest * values))
        fail_msg("%s: sum %g, length %g, largest %g; expected %s", name, sum, sqrt(square), largest,
                 json_dumps(want, JSON_COMPACT));
}

static void check_summary(const pg_training_case *f, const char *key, size_t at_least)
{
    summary s = {json_object_get(f->golden.facts, key), 0};
    pg_weights_each(f->model->weights, compare_summary, &s);
    assert_in_range(s.compared, at_least, json_object_size(s.values));
}

/* ---------------------------------------------------------------- PaliGemma */

static void check_same_bits(const pg_training_case *f, const pg_kept_gradients *before)
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
    pg_training_case f;
    pg_training_rows rows, right;
    pg_training_case_open(&f, "paligemma-sft", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    pg_training_rows_read(&rows, f.inputs);
    check_loss(&f, pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    check_summary(&f, "grad_summary", 57);
    pg_kept_gradients kept = pg_trained_model_keep(f.model);

    pg_safetensors *padded = pg_training_case_file(&f, "inputs_right_padded.safetensors");
    pg_training_rows_read(&right, padded);
    for (int again = 0; again < 3; again++) {
        pg_training_case_reset(&f);
        f.tape.checkpoint = again > 0;
        f.g.threads = 1 + 2 * again;
        check_loss(&f, pg_training_rows_run(&f, &right.batch, PG_OVER_TOKENS, 1), "loss_right_padded");
        check_same_bits(&f, &kept);
    }
    pg_training_case_reset(&f);
    check_loss(&f, pg_training_rows_run(&f, &rows.batch, PG_OVER_EXAMPLES, 1), "loss_mean_of_examples");
    pg_safetensors_close(padded);
    pg_free(kept.values);
    pg_training_case_close(&f);
}

static void attention_only(void **state)
{
    (void)state;
    pg_training_case f;
    pg_training_rows rows;
    pg_training_case_open(&f, "paligemma-attention-only", "checkpoint");
    pg_weights *w = f.model->weights;
    for (int64_t i = 0; i < w->config.text.layers; i++) {
        pg_parameter *trained[] = {&w->text.layers[i].q, &w->text.layers[i].k, &w->text.layers[i].v,
                                   &w->text.layers[i].o};
        for (int j = 0; j < 4; j++)
            pg_trained_weight_give(trained[j]);
    }
    pg_training_rows_read(&rows, f.inputs);
    assert_false(pg_paligemma_features(&f.g, w, rows.batch.pixels, rows.batch.pictures)->tracked);
    assert_null(f.tape.last); /* nothing of the vision tower is recorded */
    check_loss(&f, pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    pg_training_case_reset(&f);
    check_loss(&f, pg_training_rows_run(&f, &rows.batch, PG_OVER_EXAMPLES, 1), "loss_mean_of_examples");
    check_gradients(&f, "grad_per_example.");
    pg_training_case_close(&f);
}

static void check_accumulated(pg_training_case *f, const char *prefix, const char *key, const char *loss_key,
                              double loss)
{
    check_loss(f, loss, loss_key);
    check_summary(f, key, 57);
    start_sums(f);
    for (size_t i = 0; i < pg_safetensors_count(f->golden.arrays); i++) { /* only some tensors are there in full */
        const pg_array *want = pg_safetensors_at(f->golden.arrays, i);
        if (strncmp(want->name, prefix, strlen(prefix)) != 0)
            continue;
        const pg_parameter *found = NULL;
        pg_weights *w = f->model->weights;
        for (int64_t l = 0; l < w->config.text.layers; l++) {
            pg_parameter *some[] = {&w->text.layers[l].q, &w->text.layers[l].k, &w->text.layers[l].v,
                                    &w->text.layers[l].o, &w->projector,        &w->projector_bias};
            for (int j = 0; j < 6; j++)
                if (!strcmp(some[j]->stored->name, want->name + strlen(prefix)))
                    found = some[j];
        }
        assert_non_null(found);
        compare_weight(f, want->name, found, want);
    }
    assert_int_equal(f->compared, 10);
    check_whole(f);
}

/* Four rows one by one: weighted by their tokens they are the batch; equally weighted they are something else. */
static void accumulation(void **state)
{
    (void)state;
    pg_training_case f;
    pg_training_rows all;
    pg_training_case_open(&f, "gradient-accumulation", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    pg_training_rows_read(&all, f.inputs);
    const json_t *micro_losses = json_object_get(f.golden.facts, "micro_losses");
    int64_t tokens = pg_token_batch_scored(&all.batch), side = f.model->weights->config.vision.side;
    for (int equal = 0; equal < 2; equal++) {
        double total = 0;
        pg_training_case_reset(&f);
        for (int64_t r = 0; r < 4; r++) {
            pg_token_batch one = {.rows = &all.rows[r],
                                  .row_count = 1,
                                  .pixels = all.batch.pixels + r * 3 * side * side,
                                  .pictures = 1};
            double factor = equal ? 0.25 : (double)pg_token_batch_scored(&one) / (double)tokens;
            double loss = pg_training_rows_run(&f, &one, PG_OVER_TOKENS, factor);
            assert_true(fabs(loss / factor - json_number_value(json_array_get(micro_losses, (size_t)r))) <= LOSS);
            total += loss;
        }
        check_accumulated(&f, equal ? "mean_of_means.grad." : "grad.",
                          equal ? "grad_summary_mean_of_means" : "grad_summary",
                          equal ? "loss_mean_of_means" : "loss_token_weighted", total);
    }
    pg_training_case_reset(&f);
    check_accumulated(&f, "grad.", "grad_summary", "loss", pg_training_rows_run(&f, &all.batch, PG_OVER_TOKENS, 1));
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- low-rank additions */

static void check_factor(pg_training_case *f, const char *name, const pg_parameter *factor)
{
    const pg_array *want = pg_golden_find(&f->golden, "%s.grad.%s", name, factor->name);
    assert_non_null(want);
    compare_weight(f, factor->name, factor, want);
}

static void adapter_case(pg_training_case *f, const char *name)
{
    pg_training_rows rows;
    pg_training_adapter adapter;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.grad.", name);
    pg_training_adapter_add(&adapter, f, name);
    pg_training_rows_read(&rows, f->inputs);
    double loss = pg_training_rows_run(f, &rows.batch, PG_OVER_TOKENS, 1);
    assert_true(fabs(loss - pg_training_fact(json_object_get(f->golden.facts, name), "loss")) <= LOSS);
    start_sums(f);
    for (size_t i = 0; i < adapter.count; i++) {
        check_factor(f, name, &adapter.loras[i].a);
        check_factor(f, name, &adapter.loras[i].b);
    }
    assert_int_equal(f->compared, count_arrays(f, prefix));
    check_whole(f);
    pg_training_adapter_remove(&adapter);
    pg_training_case_reset(f);
}

static void low_rank(void **state)
{
    (void)state;
    pg_training_case f;
    pg_training_case_open(&f, "paligemma-lora", "checkpoint");
    adapter_case(&f, "language");
    adapter_case(&f, "both");
    adapter_case(&f, "rslora");
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- bf16 */

static void round_weight(void *user, const pg_parameter *p)
{
    (void)user;
    pg_parameter *w = (pg_parameter *)p;
    size_t count = (size_t)(p->rows * p->width), bytes = count * sizeof(uint16_t);
    void *rounded = pg_alloc(count, sizeof(uint16_t)), *values = pg_values_alloc(p->device, bytes);
    assert_non_null(values);
    pg_kernels_at(0)->narrow(rounded, PG_BF16, p->stored->data, p->rows * p->width);
    pg_values_upload(p->device, values, rounded, bytes);
    pg_free(rounded);
    w->data = values;
    w->dtype = PG_BF16;
}

static void free_rounded(void *user, const pg_parameter *p)
{
    (void)user;
    pg_values_free(p->device, (void *)p->data, (size_t)(p->rows * p->width) * sizeof(uint16_t));
}

typedef struct cosines {
    pg_training_case *f;
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
    pg_training_case one = {0};
    float *grad = pg_trained_gradient(p);
    add_to_sums(&one, grad, want);
    add_to_sums(c->f, grad, want);
    pg_free(grad);
    double cosine = one.product / sqrt(one.size * one.own_size);
    if (!(cosine >= c->least))
        fail_msg("%s: cosine %.4f, expected at least %.2f", p->stored->name, cosine, c->least);
}

static void check_directions(pg_training_case *f, const pg_golden *exact, double least, double loss)
{
    cosines c = {f, exact, least};
    assert_true(fabs(loss - pg_training_fact(f->golden.facts, "loss")) <= 0.03);
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
    pg_training_case f;
    pg_training_rows rows;
    pg_golden exact;
    pg_golden_open(&exact, PG_TESTS_FOLDER "/golden/training/paligemma-sft");
    pg_training_case_open(&f, "bf16", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    pg_training_rows_read(&rows, f.inputs);
    f.g.compute = PG_COMPUTE_BF16;
    check_directions(&f, &exact, 0.95, pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1));

    pg_weights *w = f.model->weights;
    pg_weights_each(w, round_weight, NULL);
    w->text.output = w->text.embed;
    pg_training_case_reset(&f);
    f.g.compute = PG_COMPUTE_F32;
    double loss = pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1);
    assert_true(fabs(loss - pg_training_fact(json_object_get(f.golden.facts, "bf16_weights_f32_arithmetic"), "loss")) <=
                LOSS);
    pg_trained_weight_take(&w->text.embed); /* which the case leaves out */
    check_gradients(&f, "rounded_weights.grad.");
    pg_trained_weight_give(&w->text.embed);
    w->text.output.grad = w->text.embed.grad;
    pg_training_case_reset(&f);
    f.g.compute = PG_COMPUTE_BF16;
    check_directions(&f, &exact, 0.94, pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1));
    pg_weights_each(w, free_rounded, NULL);
    pg_golden_close(&exact);
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- Gemma */

/* Where each document of the two rows begins and ends, one after another. */
static int64_t find_documents(pg_span out[PG_TRAINING_WIDTH], const pg_safetensors *inputs)
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
static void documents(pg_training_case *f, const pg_training_rows *whole)
{
    pg_span spans[PG_TRAINING_WIDTH];
    int64_t count = find_documents(spans, f->inputs), width = whole->rows[0].count;
    int32_t flat[PG_TRAINING_ROWS * PG_TRAINING_WIDTH], positions[PG_TRAINING_ROWS * PG_TRAINING_WIDTH],
        targets[PG_TRAINING_ROWS * PG_TRAINING_WIDTH];
    pg_token_row rows[PG_TRAINING_WIDTH];
    pg_segment segments[PG_TRAINING_WIDTH];
    int64_t sources[PG_TRAINING_ROWS * PG_TRAINING_WIDTH], scored = 0;
    float weights[PG_TRAINING_ROWS * PG_TRAINING_WIDTH];
    for (int64_t i = 0; i < 2 * width; i++)
        flat[i] = whole->ids[i / width][i % width];
    for (int64_t d = 0; d < count; d++) {
        rows[d] = (pg_token_row){.ids = flat + spans[d].first, .count = spans[d].count, .scored = 1};
        segments[d] =
            (pg_segment){.first = spans[d].first, .count = spans[d].count, .spans = {spans[d]}, .span_count = 1};
        for (int64_t i = 0; i < spans[d].count; i++)
            positions[spans[d].first + i] = (int32_t)i;
    }
    pg_training_case_reset(f);
    check_loss(f, pg_training_rows_run(f, &(pg_token_batch){.rows = rows, .row_count = count}, PG_OVER_TOKENS, 1),
               "loss_document_mask_first_tokens_unscored");
    for (int64_t i = 0; i + 1 < 2 * width; i++)
        if ((i + 1) % width) {
            sources[scored] = i;
            targets[scored++] = flat[i + 1];
        }
    for (int64_t i = 0; i < scored; i++)
        weights[i] = 1 / (float)scored;
    pg_training_case_reset(f);
    const pg_gemma *model = &f->model->weights->text;
    pg_batch batch = {.rows = 2 * width, .positions = positions, .segments = segments, .segment_count = (size_t)count};
    pg_tensor *x = pg_gemma_forward(&f->g, model, pg_gemma_embed(&f->g, model, flat, 2 * width, 0), &batch, NULL);
    x = pg_take_rows(&f->g, x, sources, scored);
    pg_tensor *loss =
        pg_weighted_sum(&f->g, pg_output_losses(&f->g, x, &model->output, NULL, targets, 0, NULL), weights);
    check_loss(f, pg_training_loss(f, loss), "loss_document_mask");
    CHECK_OK(pg_tape_backward(&f->g, loss, 1));
    check_summary(f, "document_grad_summary", 20);
}

static void pretraining(void **state)
{
    (void)state;
    pg_training_case f;
    pg_training_rows rows;
    pg_training_case_open(&f, "gemma-pretrain", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    pg_training_rows_read(&rows, f.inputs);
    assert_int_equal(pg_token_batch_scored(&rows.batch), (int64_t)pg_training_fact(f.golden.facts, "scored_tokens"));
    check_loss(&f, pg_training_rows_run(&f, &rows.batch, PG_OVER_TOKENS, 1), "loss");
    check_gradients(&f, "grad.");
    documents(&f, &rows);
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- preferences */

/* Rows chosen 0 .. n - 1, rejected 0 .. n - 1, each a prompt and a completion. */
static void read_pairs(pg_preference out[PG_TRAINING_ROWS], const pg_training_rows *rows, const pg_safetensors *inputs)
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
    pg_training_case f;
    pg_training_rows rows;
    pg_preference pairs[PG_TRAINING_ROWS] = {{0}};
    const float halves[] = {0.5f, 0.5f};
    pg_training_case_open(&f, "dpo", "checkpoint");
    f.other = pg_training_case_model(&f, "reference_checkpoint");
    pg_trained_model_train(f.model, NULL);
    pg_training_rows_read(&rows, f.inputs);
    read_pairs(pairs, &rows, f.inputs);
    pg_preference_batch batch = {.pairs = pairs, .pair_count = 2};
    float *reference = pg_scratch_values(&f.g, 4 * sizeof *reference),
          *hits = pg_scratch_values(&f.g, 2 * sizeof *hits);
    CHECK_OK(pg_reference_losses(reference, &f.g, f.other->weights, &batch, false));
    assert_null(f.tape.last);
    const pg_array *expected = pg_golden_find(&f.golden, "reference_logps");
    float *losses_found = pg_trained_values(reference, 4);
    for (size_t i = 0; i < 4; i++) /* ours are pair by pair */
        assert_true(fabs(losses_found[i] + pg_golden_number(expected, i / 2 + i % 2 * 2)) < 1e-4);
    pg_free(losses_found);
    pg_tensor *losses = pg_preference_training(&f.g, f.model->weights, &batch, reference,
                                               pg_training_fact(f.golden.facts, "beta"), hits);
    pg_tensor *loss = pg_weighted_sum(&f.g, losses, halves);
    check_loss(&f, pg_training_loss(&f, loss), "loss");
    float *hits_found = pg_trained_values(hits, 2);
    assert_true(hits_found[0] == 1 && hits_found[1] == 1);
    pg_free(hits_found);
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    check_gradients(&f, "grad.");
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- SigLIP */

static void contrast(void **state)
{
    (void)state;
    pg_training_case f;
    int32_t ids[PG_TRAINING_ROWS * PG_TRAINING_WIDTH];
    pg_training_case_open(&f, "siglip-pretrain", "checkpoint");
    pg_trained_model_train(f.model, NULL);
    const pg_array *stored = pg_safetensors_find(f.inputs, "input_ids");
    for (size_t i = 0; i < pg_golden_count(stored); i++)
        ids[i] = (int32_t)pg_golden_number(stored, i);
    pg_contrastive_batch batch = {pg_safetensors_find(f.inputs, "pixel_values")->data, ids, stored->shape[0]};
    pg_tensor *loss = pg_contrastive(&f.g, f.model->weights, &batch, NULL);
    check_loss(&f, pg_training_loss(&f, loss), "loss");
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    check_gradients(&f, "grad.");
    for (int64_t at_once = 1; at_once < 5; at_once++) { /* in parts, of which the last may be smaller */
        pg_training_case_reset(&f);
        f.tape.checkpoint = at_once == 2;
        pg_tensor *sum = pg_tensor_new(&f.g, 1, 1);
        CHECK_OK(pg_contrastive_in_parts(sum->data, &f.g, f.model->weights, &batch, at_once, 1, NULL));
        check_loss(&f, pg_training_loss(&f, sum), "loss");
        check_gradients(&f, "grad.");
    }
    pg_training_case_close(&f);
}

/* ---------------------------------------------------------------- classifier */

static void compare_pooled(pg_training_case *f, const pg_classifier *head)
{
    comparison vision = {f, "grad.vision.", ""}, text = {f, "grad.text.", "model."};
    const pg_weights *w = f->other->weights;
    start_sums(f);
    pg_weights_each(f->model->weights, compare_parameter, &vision);
    pg_weights_each(w, compare_parameter, &text);
    compare_weight(f, "head.weight", &head->weight, pg_golden_find(&f->golden, "grad.head.weight"));
    compare_weight(f, "head.bias", &head->bias, pg_golden_find(&f->golden, "grad.head.bias"));
    assert_int_equal(f->compared + 2, count_arrays(f, "grad."));
}

/* Rows of the embedding that a text uses are compared; all others have none. */
static void compare_used_rows(pg_training_case *f, const float *on_device, const pg_parameter *embed)
{
    float *grad = pg_trained_values(on_device, embed->rows * embed->width);
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
    pg_free(grad);
}

/* A head with head.weight and head.bias of the inputs, on the device if there is one. */
typedef struct golden_head {
    pg_classifier *head;
    pg_parameter before[2]; /* weight, bias */
    pg_placement placed;
} golden_head;

static void open_head(golden_head *out, const pg_training_case *f)
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
    *out = (golden_head){.head = head, .before = {head->weight, head->bias}};
    pg_parameter *parameters[] = {&head->weight, &head->bias};
    CHECK_OK(pg_placement_init(&out->placed, pg_trained_device(), parameters, 2));
    pg_trained_weight_give(&head->weight);
    pg_trained_weight_give(&head->bias);
}

static void close_head(golden_head *golden)
{
    pg_trained_weight_take(&golden->head->weight);
    pg_trained_weight_take(&golden->head->bias);
    golden->head->weight = golden->before[0];
    golden->head->bias = golden->before[1];
    pg_placement_free(&golden->placed);
    pg_classifier_free(golden->head);
}

static pg_tensor *classify(pg_training_case *f, const pg_classifier *head, const pg_pooled_batch *batch)
{
    static const float halves[] = {0.5f, 0.5f};
    static const int32_t targets[] = {3, 0}; /* as inputs.safetensors has them */
    float *hits = pg_scratch_values(&f->g, 2 * sizeof *hits);
    pg_tensor *features = pg_pooled_features(&f->g, f->model->weights, f->other->weights, batch);
    pg_tensor *logits = pg_classifier_logits(&f->g, head, features);
    assert_non_null(logits);
    float *found = pg_trained_values(logits->data, logits->rows * logits->width);
    assert_true(pg_golden_error(found, pg_golden_find(&f->golden, "logits"), NULL) < 2e-5);
    pg_free(found);
    return pg_weighted_sum(&f->g, pg_classifier_losses(&f->g, head, features, targets, 0, hits), halves);
}

static void pooled_classifier(void **state)
{
    (void)state;
    pg_training_case f;
    pg_training_rows rows;
    pg_training_case_open(&f, "pooled-classifier", "vision_checkpoint");
    f.other = pg_training_case_model(&f, "text_checkpoint");
    pg_training_rows_read(&rows, f.inputs);
    const int32_t *ids[] = {rows.ids[0], rows.ids[1]};
    const int64_t lengths[] = {rows.rows[0].count, rows.rows[1].count};
    pg_pooled_batch batch = {rows.batch.pixels, ids, lengths, 2};
    golden_head golden;
    open_head(&golden, &f);
    pg_classifier *head = golden.head;

    pg_tensor *loss = classify(&f, head, &batch); /* a linear probe: only the head is trained */
    check_loss(&f, pg_training_loss(&f, loss), "loss");
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    start_sums(&f);
    compare_weight(&f, "head.weight", &head->weight, pg_golden_find(&f.golden, "grad.head.weight"));
    pg_values_clear(f.g.device, head->weight.grad, (size_t)(head->weight.rows * head->weight.width) * sizeof(float));
    pg_values_clear(f.g.device, head->bias.grad, (size_t)head->bias.width * sizeof(float));

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
    text->text.embed.grad = embed;
    close_head(&golden);
    pg_training_case_close(&f);
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

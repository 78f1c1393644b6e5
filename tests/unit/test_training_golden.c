/* Losses and gradients of whole models against the reference (tests/golden/training). */
#include "golden_case.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "generate/model.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"
#include "train/teacher_forcing.h"

#define TRAINING_FOLDER PG_SHARED_FOLDER "/golden/training"

typedef struct fixture {
    pg_golden golden;
    pg_model *model;
    pg_safetensors *inputs;
    pg_context g;
    pg_tape tape;
} fixture;

static void add_gradient(void *user, const pg_parameter *p)
{
    (void)user;
    ((pg_parameter *)p)->grad = pg_alloc((size_t)(p->rows * p->width), sizeof(float));
}

static void open_case(fixture *f, const char *name, const char *checkpoint)
{
    *f = (fixture){0};
    char *folder = pg_golden_path(TRAINING_FOLDER, name), *inputs = pg_golden_path(folder, "inputs.safetensors");
    char *path = pg_golden_path(TRAINING_FOLDER "/checkpoints", checkpoint);
    pg_golden_open(&f->golden, folder);
    CHECK_OK(pg_safetensors_open(&f->inputs, inputs));
    CHECK_OK(pg_model_open(&f->model, path));
    pg_free(folder);
    pg_free(inputs);
    pg_free(path);
    pg_weights *w = f->model->weights;
    pg_weights_each(w, add_gradient, NULL);
    if (w->config.text.tied)
        w->text.output.grad = w->text.embed.grad;
    f->g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &f->tape};
}

static void check_gradient(void *user, const pg_parameter *p)
{
    fixture *f = user;
    const pg_array *want = pg_golden_find(&f->golden, "grad.%s", p->stored->name);
    if (!want)
        return;
    size_t worst;
    double error = pg_golden_error(p->grad, want, &worst);
    bool zero = strstr(p->name, ".k_bias") != NULL;
    printf("%-40s %.2e\n", p->name, error);
    if (!zero && !(error <= 1e-4))
        print_error("%s: error %.3g at %zu: %g, expected %g\n", p->name, error, worst, p->grad[worst], pg_golden_number(want, worst));
}

static void supervised(void **state)
{
    (void)state;
    fixture f;
    open_case(&f, "paligemma-sft", "paligemma");
    const pg_array *ids = pg_safetensors_find(f.inputs, "input_ids"), *types = pg_safetensors_find(f.inputs, "token_type_ids");
    const pg_array *mask = pg_safetensors_find(f.inputs, "attention_mask"), *pixels = pg_safetensors_find(f.inputs, "pixel_values");
    int64_t rows = ids->shape[0], width = ids->shape[1];
    pg_token_row row[8];
    static int32_t kept[8][256];
    for (int64_t r = 0; r < rows; r++) {
        row[r] = (pg_token_row){.ids = kept[r]};
        for (int64_t i = 0; i < width; i++) {
            size_t at = (size_t)(r * width + i);
            if (!pg_golden_number(mask, at))
                continue;
            if (!pg_golden_number(types, at))
                row[r].prefix++;
            kept[r][row[r].count++] = (int32_t)pg_golden_number(ids, at);
        }
        row[r].scored = row[r].prefix;
    }
    pg_token_batch batch = {.rows = row, .row_count = rows, .pixels = pixels->data, .pictures = rows};
    int64_t scored = pg_token_batch_scored(&batch);
    float *weights = pg_alloc((size_t)scored, sizeof *weights);
    for (int64_t i = 0; i < scored; i++)
        weights[i] = 1.0f / (float)scored;
    f.tape.checkpoint = getenv("CHECKPOINT") != NULL;
    pg_tensor *loss = pg_weighted_sum(&f.g, pg_teacher_forcing(&f.g, f.model->weights, &batch, NULL), weights);
    assert_non_null(loss);
    printf("loss %.7f, expected %.7f\n", *(float *)loss->data, json_number_value(json_object_get(f.golden.facts, "loss")));
    CHECK_OK(pg_tape_backward(&f.g, loss, 1));
    pg_weights_each(f.model->weights, check_gradient, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(supervised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

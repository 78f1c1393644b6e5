#include "training_case.h"

#include <math.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "trained_model.h"

/* ---------------------------------------------------------------- opening */

pg_model *pg_training_case_model(pg_training_case *f, const char *fact)
{
    const char *name = json_string_value(json_object_get(f->golden.facts, fact));
    assert_non_null(name);
    char *path = pg_golden_checkpoint(&f->golden, name);
    pg_model *model = NULL;
    CHECK_OK(pg_model_open(&model, path));
    CHECK_OK(pg_weights_place(model->weights, pg_trained_device()));
    pg_free(path);
    return model;
}

pg_safetensors *pg_training_case_file(const pg_training_case *f, const char *name)
{
    char *path = pg_golden_path(f->golden.folder, name);
    pg_safetensors *file = NULL;
    CHECK_OK(pg_safetensors_open(&file, path));
    pg_free(path);
    return file;
}

void pg_training_case_open(pg_training_case *f, const char *name, const char *checkpoint)
{
    *f = (pg_training_case){0};
    char *folder = pg_golden_path(PG_TESTS_FOLDER "/golden/training", name);
    pg_golden_open(&f->golden, folder);
    pg_free(folder);
    f->inputs = pg_training_case_file(f, "inputs.safetensors");
    f->model = pg_training_case_model(f, checkpoint);
    f->g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &f->tape};
    pg_context_on(&f->g, pg_trained_device());
}

void pg_training_case_close(pg_training_case *f)
{
    pg_trained_model_close(f->model);
    pg_trained_model_close(f->other);
    pg_safetensors_close(f->inputs);
    pg_golden_close(&f->golden);
    pg_arena_free(&f->g.arena);
    pg_tape_free(&f->tape);
}

void pg_training_case_reset(pg_training_case *f)
{
    pg_trained_model_clear(f->model);
    pg_arena_release(&f->g.arena, (pg_arena_mark){{0, 0}, {0, 0}});
}

double pg_training_fact(const json_t *facts, const char *key)
{
    const json_t *value = json_object_get(facts, key);
    if (!json_is_number(value))
        fail_msg("expected.json has no number \"%s\"", key);
    return json_number_value(value);
}

double pg_training_loss(const pg_training_case *f, const pg_tensor *loss)
{
    if (!loss)
        fail_msg("no loss: %s", f->g.status == PG_OK ? "?" : pg_error_last());
    float value = NAN;
    if (loss)
        CHECK_OK(pg_values_download(f->g.device, &value, loss->data, sizeof value));
    return (double)value;
}

/* ---------------------------------------------------------------- rows of tokens */

void pg_training_rows_read(pg_training_rows *out, const pg_safetensors *file)
{
    const pg_array *ids = pg_safetensors_find(file, "input_ids"), *mask = pg_safetensors_find(file, "attention_mask");
    const pg_array *types = pg_safetensors_find(file, "token_type_ids");
    const pg_array *pixels = pg_safetensors_find(file, "pixel_values");
    assert_true(ids->shape[0] <= PG_TRAINING_ROWS && ids->shape[1] <= PG_TRAINING_WIDTH);
    *out = (pg_training_rows){.batch = {.rows = out->rows, .row_count = ids->shape[0]}};
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

/* The weight of every scored token, times `factor`. */
static float *token_weights(pg_training_case *f, const pg_token_batch *batch, pg_training_reduction how, double factor)
{
    int64_t scored = pg_token_batch_scored(batch), at = 0;
    float *weights = pg_scratch(&f->g, (size_t)scored * sizeof *weights);
    for (int64_t r = 0; r < batch->row_count; r++) {
        int64_t count = batch->rows[r].count - batch->rows[r].scored;
        int64_t all = how == PG_OVER_TOKENS ? scored : count * batch->row_count;
        for (int64_t i = 0; i < count; i++)
            weights[at++] = (float)(factor / (double)all);
    }
    return weights;
}

double pg_training_rows_run(pg_training_case *f, const pg_token_batch *batch, pg_training_reduction how, double factor)
{
    pg_tensor *losses = pg_teacher_forcing(&f->g, f->model->weights, batch, NULL);
    pg_tensor *loss = pg_weighted_sum(&f->g, losses, token_weights(f, batch, how, factor));
    double value = pg_training_loss(f, loss);
    CHECK_OK(pg_tape_backward(&f->g, loss, 1));
    return value;
}

/* ---------------------------------------------------------------- low-rank additions */

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
    return (pg_parameter){
        .name = array->name, .dtype = PG_F32, .rows = array->shape[0], .width = array->shape[1], .data = array->data};
}

static void add_factors(void *user, const pg_parameter *p)
{
    pg_training_adapter *a = user;
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

/* Factors go to where the model is, and get gradients. */
static void place_factors(pg_training_adapter *a)
{
    pg_parameter *factors[2 * PG_TRAINING_FACTORS];
    for (size_t i = 0; i < a->count; i++) {
        factors[2 * i] = &a->loras[i].a;
        factors[2 * i + 1] = &a->loras[i].b;
    }
    CHECK_OK(pg_placement_init(&a->placed, pg_trained_device(), factors, 2 * a->count));
    for (size_t i = 0; i < 2 * a->count; i++)
        pg_trained_weight_give(factors[i]);
}

void pg_training_adapter_add(pg_training_adapter *out, const pg_training_case *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/adapter_initial/adapter_model.safetensors", name);
    *out = (pg_training_adapter){.file = pg_training_case_file(f, path), .model = f->model};
    out->scale = pg_training_fact(json_object_get(f->golden.facts, name), "scaling");
    pg_weights_each(f->model->weights, add_factors, out);
    assert_int_equal(2 * out->count, pg_safetensors_count(out->file));
    place_factors(out);
}

void pg_training_adapter_remove(pg_training_adapter *adapter)
{
    pg_weights_each(adapter->model->weights, take_factors, NULL);
    for (size_t i = 0; i < adapter->count; i++) {
        pg_trained_weight_take(&adapter->loras[i].a);
        pg_trained_weight_take(&adapter->loras[i].b);
    }
    pg_placement_free(&adapter->placed);
    pg_safetensors_close(adapter->file);
}

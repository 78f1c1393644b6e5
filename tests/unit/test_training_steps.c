/* Five optimizer steps of whole models against the reference (tests/golden/training): the loss and the gradient's
 * length before every step, and the parameters after the last. Forward and way back, optimizer, clipping and schedule
 * together.
 */
#include "training_case.h"

#include <math.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "train/contrastive.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "trained_model.h"

#define STEPS   5
#define LOSS    1e-4 /* absolute */
/* At a rate of 1e-2, absolute: the reference's gradients are 5.6e-6 off in f32, and errors of that size move its last
 * loss by up to 1.1e-3 in f64 (tests/golden/MANIFEST.md). Lengths and parameters stay within their tolerances. */
#define DRIFTED 1e-3
#define NORM    1e-4 /* relative */
#define FINAL   1e-4 /* absolute */

typedef struct run {
    pg_training_case f;
    pg_training_rows rows;
    pg_training_reduction reduction;
    pg_contrastive_batch pairs; /* these instead of rows, if there are any */
    pg_trained trained[160];
    size_t count;
    const json_t *no_decay; /* names; NULL: all decay */
    double loss;            /* tolerance of losses */
} run;

static void start(run *r, const char *name)
{
    *r = (run){.loss = LOSS};
    pg_training_case_open(&r->f, name, "checkpoint");
}

static bool decays(const run *r, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(r->no_decay, i, one)
    {
        if (!strcmp(json_string_value(one), name))
            return false;
    }
    return true;
}

/* The weight trains a copy of its values: files are mapped to be read only. */
static void add_trained(run *r, pg_parameter *p, const char *name)
{
    size_t bytes = (size_t)(p->rows * p->width) * sizeof(float);
    float *values = pg_values_alloc(p->device, bytes);
    assert_non_null(values);
    pg_values_move(p->device, values, p->data, bytes);
    p->data = values;
    assert_true(r->count < sizeof r->trained / sizeof *r->trained);
    r->trained[r->count++] = (pg_trained){name, p->rows, p->width, values, p->grad, decays(r, name), false};
}

static void add_weight(void *user, const pg_parameter *p)
{
    if (p->grad)
        add_trained(user, (pg_parameter *)p, p->stored->name);
}

static void add_weights(run *r)
{
    pg_weights *w = r->f.model->weights;
    pg_weights_each(w, add_weight, r);
    if (w->config.text.tied)
        w->text.output.data = w->text.embed.data;
}

static size_t values_bytes(const pg_trained *t)
{
    return (size_t)(t->rows * t->width) * sizeof *t->values;
}

static void finish(run *r)
{
    for (size_t i = 0; i < r->count; i++)
        pg_values_free(r->f.g.device, r->trained[i].values, values_bytes(&r->trained[i]));
    pg_training_case_close(&r->f);
}

/* ---------------------------------------------------------------- steps */

static double run_loss(run *r)
{
    pg_training_case *f = &r->f;
    for (size_t i = 0; i < r->count; i++)
        pg_values_clear(f->g.device, r->trained[i].grad, values_bytes(&r->trained[i]));
    pg_training_case_reset(f);
    if (!r->pairs.count)
        return pg_training_rows_run(f, &r->rows.batch, r->reduction, 1);
    pg_tensor *loss = pg_contrastive(&f->g, f->model->weights, &r->pairs, NULL);
    double value = pg_training_loss(f, loss);
    CHECK_OK(pg_tape_backward(&f->g, loss, 1));
    return value;
}

static void check_near(const char *what, size_t step, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("step %zu: %s %.8g, expected %.8g", step, what, found, expected);
}

/* The reference's record: [{"step", "loss", "grad_norm", "lr"}, …, {"step", "loss"}]. */
static void run_steps(run *r, const json_t *steps, const pg_optimizer_options *options, const pg_schedule *schedule)
{
    pg_optimizer *optimizer = NULL;
    pg_optimizer_options placed = *options;
    placed.device = r->f.g.device;
    assert_int_equal(json_array_size(steps), STEPS + 1);
    CHECK_OK(pg_optimizer_new(&optimizer, pg_kernels_best(), r->trained, r->count, &placed));
    for (size_t step = 0; step < STEPS; step++) {
        const json_t *record = json_array_get(steps, step);
        double norm_expected = pg_training_fact(record, "grad_norm"), rate = pg_schedule_rate(schedule, (int64_t)step);
        check_near("rate", step, rate, pg_training_fact(record, "lr"), 1e-12);
        check_near("loss", step, run_loss(r), pg_training_fact(record, "loss"), r->loss);
        double norm = pg_optimizer_norm(optimizer);
        check_near("norm", step, norm, norm_expected, NORM * norm_expected);
        pg_optimizer_step(optimizer, rate, norm);
    }
    check_near("loss", STEPS, run_loss(r), pg_training_fact(json_array_get(steps, STEPS), "loss"), r->loss);
    pg_optimizer_free(optimizer);
}

/* Decay 0.01, clipped to 1; two steps of warm-up of ten. */
static void run_adamw(run *r, const json_t *steps, double rate, double decay)
{
    pg_optimizer_options options;
    pg_schedule schedule;
    pg_optimizer_options_init(&options, PG_OPTIMIZER_ADAMW);
    options.decay = decay;
    options.threads = 2;
    pg_schedule_init(&schedule);
    schedule.base = rate;
    schedule.total = 10;
    schedule.warm = 2;
    run_steps(r, steps, &options, &schedule);
}

static void run_sgd(run *r, const json_t *steps)
{
    pg_optimizer_options options;
    pg_schedule schedule;
    pg_optimizer_options_init(&options, PG_OPTIMIZER_SGD);
    options.clip = 0;
    options.threads = 2;
    pg_schedule_init(&schedule);
    schedule.kind = PG_SCHEDULE_CONSTANT;
    schedule.base = 0.03;
    schedule.total = 10;
    schedule.warm = 0;
    run_steps(r, steps, &options, &schedule);
}

/* ---------------------------------------------------------------- after the last */

/* Attention's key biases wander, because their gradient is nothing but rounding. */
static bool wanders(const char *name)
{
    return strstr(name, "k_proj.bias") != NULL;
}

/* Parameters that the case has under prefix + name; returns how many. */
static size_t check_final(const run *r, const char *prefix)
{
    size_t compared = 0;
    for (size_t i = 0; i < r->count; i++) {
        const pg_trained *t = &r->trained[i];
        const pg_array *want = pg_golden_find(&r->f.golden, "%s%s", prefix, t->name);
        if (!want || wanders(t->name))
            continue;
        compared++;
        float *values = pg_trained_values(t->values, t->rows * t->width);
        for (int64_t k = 0; k < t->rows * t->width; k++)
            check_near(t->name, (size_t)k, values[k], pg_golden_number(want, (size_t)k), FINAL);
        pg_free(values);
    }
    return compared;
}

/* {name: [sum, l2 norm, largest]} of every parameter. */
static void check_final_summary(const run *r, const json_t *summary)
{
    for (size_t i = 0; i < r->count; i++) {
        const pg_trained *t = &r->trained[i];
        const json_t *want = json_object_get(summary, t->name);
        double square = 0, largest = 0;
        float *values = pg_trained_values(t->values, t->rows * t->width);
        assert_non_null(want);
        for (int64_t k = 0; k < t->rows * t->width; k++) {
            square += (double)values[k] * (double)values[k];
            largest = fmax(largest, fabs((double)values[k]));
        }
        pg_free(values);
        if (wanders(t->name))
            continue;
        double length = json_number_value(json_array_get(want, 1));
        check_near(t->name, 1, sqrt(square), length, FINAL * fmax(length, 1));
        check_near(t->name, 2, largest, json_number_value(json_array_get(want, 2)), FINAL);
    }
}

/* ---------------------------------------------------------------- cases */

static void supervised(void **state)
{
    (void)state;
    for (int groups = 0; groups < 2;
         groups++) { /* everything decays; or all but biases and norms, at ten times the rate */
        run r;
        start(&r, "paligemma-sft");
        const json_t *facts = json_object_get(r.f.golden.facts, groups ? "adamw_trainer_groups" : "adamw");
        r.no_decay = json_object_get(facts, "no_decay");
        r.loss = groups ? DRIFTED : LOSS;
        pg_training_rows_read(&r.rows, r.f.inputs);
        pg_trained_model_train(r.f.model, NULL);
        add_weights(&r);
        run_adamw(&r, json_object_get(facts, "steps"), pg_training_fact(facts, "lr"),
                  pg_training_fact(facts, "weight_decay"));
        if (!groups)
            assert_int_equal(check_final(&r, "final."), 57);
        check_final_summary(&r, json_object_get(groups ? facts : r.f.golden.facts, "final_summary"));
        finish(&r);
    }
}

static void attention_only(void **state)
{
    (void)state;
    const char *const kinds[] = {"adamw", "sgd", "sgd_big_vision"};
    for (int kind = 0; kind < 3; kind++) {
        run r;
        char prefix[64];
        start(&r, "paligemma-attention-only");
        const json_t *facts = json_object_get(r.f.golden.facts, kinds[kind]);
        pg_training_rows_read(&r.rows, r.f.inputs);
        r.reduction = kind == 2 ? PG_OVER_EXAMPLES : PG_OVER_TOKENS;
        pg_gemma *text = &r.f.model->weights->text;
        for (int64_t i = 0; i < text->config.layers; i++) {
            pg_parameter *trained[] = {&text->layers[i].q, &text->layers[i].k, &text->layers[i].v, &text->layers[i].o};
            for (int j = 0; j < 4; j++)
                pg_trained_weight_give(trained[j]);
        }
        add_weights(&r);
        if (kind == 0)
            run_adamw(&r, json_object_get(facts, "steps"), pg_training_fact(facts, "lr"), 0.01);
        else
            run_sgd(&r, json_object_get(facts, "steps"));
        snprintf(prefix, sizeof prefix, "final_%s.", kinds[kind]);
        assert_int_equal(check_final(&r, prefix), 8);
        check_final_summary(&r, json_object_get(facts, "final_summary"));
        finish(&r);
    }
}

static void pretraining(void **state)
{
    (void)state;
    run r;
    start(&r, "gemma-pretrain");
    pg_training_rows_read(&r.rows, r.f.inputs);
    pg_trained_model_train(r.f.model, NULL);
    add_weights(&r);
    run_adamw(&r, json_object_get(r.f.golden.facts, "adamw"), 1e-3, 0.01);
    assert_int_equal(check_final(&r, "final."), 12);
    check_final_summary(&r, json_object_get(r.f.golden.facts, "final_summary"));
    finish(&r);
}

static void contrast(void **state)
{
    (void)state;
    run r;
    int32_t ids[PG_TRAINING_ROWS * PG_TRAINING_WIDTH];
    start(&r, "siglip-pretrain");
    const pg_array *stored = pg_safetensors_find(r.f.inputs, "input_ids");
    for (size_t i = 0; i < pg_golden_count(stored); i++)
        ids[i] = (int32_t)pg_golden_number(stored, i);
    const float *pixels = pg_safetensors_find(r.f.inputs, "pixel_values")->data;
    r.pairs = (pg_contrastive_batch){pixels, ids, stored->shape[0]};
    pg_trained_model_train(r.f.model, NULL);
    add_weights(&r);
    run_adamw(&r, json_object_get(r.f.golden.facts, "adamw"), 1e-3, 0.01);
    finish(&r);
}

/* The factors after five steps are those of adapter_trained. */
static void low_rank(void **state)
{
    (void)state;
    const char *const names[] = {"language", "both", "rslora"};
    for (int i = 0; i < 3; i++) {
        run r;
        pg_training_adapter adapter;
        char path[128];
        start(&r, "paligemma-lora");
        pg_training_rows_read(&r.rows, r.f.inputs);
        pg_training_adapter_add(&adapter, &r.f, names[i]);
        for (size_t k = 0; k < adapter.count; k++) {
            add_trained(&r, &adapter.loras[k].a, adapter.loras[k].a.name);
            add_trained(&r, &adapter.loras[k].b, adapter.loras[k].b.name);
        }
        run_adamw(&r, json_object_get(json_object_get(r.f.golden.facts, names[i]), "adamw"), 1e-3, 0.01);
        snprintf(path, sizeof path, "%s/adapter_trained/adapter_model.safetensors", names[i]);
        pg_safetensors *trained = pg_training_case_file(&r.f, path);
        for (size_t k = 0; k < r.count; k++) {
            const pg_array *want = pg_safetensors_find(trained, r.trained[k].name);
            float *values = pg_trained_values(r.trained[k].values, r.trained[k].rows * r.trained[k].width);
            for (size_t n = 0; n < pg_golden_count(want); n++)
                check_near(want->name, n, values[n], pg_golden_number(want, n), FINAL);
            pg_free(values);
        }
        pg_safetensors_close(trained);
        pg_training_adapter_remove(&adapter);
        finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(supervised), cmocka_unit_test(attention_only), cmocka_unit_test(pretraining),
        cmocka_unit_test(contrast),   cmocka_unit_test(low_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

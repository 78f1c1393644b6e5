/* src/train/contrastive: a batch in parts is the whole batch, with dropout and with one tower frozen, on any number of
 * threads; and memory that fails. Against the reference: test_training_golden.c. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "tensor/tape.h"
#include "train/contrastive.h"
#include "trained_model.h"

#define PAIRS 7

typedef struct fixture {
    pg_model *model;
    pg_context g;
    pg_tape tape;
    pg_contrastive_batch batch;
    float *pixels;
    int32_t *ids;
} fixture;

static void start(fixture *f)
{
    *f = (fixture){.model = pg_trained_model_open("siglip")};
    const pg_config *config = &f->model->weights->config;
    int64_t floats = PAIRS * 3 * config->vision.side * config->vision.side, ids = PAIRS * config->words.context;
    f->pixels = pg_alloc((size_t)floats, sizeof *f->pixels);
    f->ids = pg_alloc((size_t)ids, sizeof *f->ids);
    for (int64_t i = 0; i < floats; i++)
        f->pixels[i] = (float)(pg_random_uniform(2, 0, (uint64_t)i) * 2 - 1);
    for (int64_t i = 0; i < ids; i++)
        f->ids[i] = (int32_t)(pg_random_uniform(2, 1, (uint64_t)i) * (double)config->words.vocabulary);
    f->batch = (pg_contrastive_batch){f->pixels, f->ids, PAIRS};
    f->g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &f->tape};
}

static void finish(fixture *f)
{
    pg_arena_free(&f->g.arena);
    pg_tape_free(&f->tape);
    pg_free(f->pixels);
    pg_free(f->ids);
    pg_trained_model_close(f->model);
}

/* Weights whose names contain `part` are trained. */
static void check_parts(const char *part)
{
    fixture f;
    start(&f);
    pg_trained_model_train(f.model, part);
    pg_tensor *loss = pg_contrastive(&f.g, f.model->weights, &f.batch, NULL);
    float whole = *(const float *)loss->data, found = 0;
    CHECK_OK(pg_tape_backward(&f.g, loss, 0.5f));
    pg_kept_gradients expected = pg_trained_model_keep(f.model);
    for (int64_t at_once = 1; at_once <= PAIRS + 1; at_once += 2) {
        pg_kept_gradients first = {0};
        for (int threads = 1; threads < 4; threads++) {
            pg_trained_model_clear(f.model);
            f.g.threads = threads;
            CHECK_OK(pg_contrastive_in_parts(&found, &f.g, f.model->weights, &f.batch, at_once, 0.5f, NULL));
            assert_true(fabsf(found - whole) < 1e-5f);
            assert_null(f.tape.last);
            pg_kept_gradients kept = pg_trained_model_keep(f.model);
            assert_true(pg_kept_gradients_apart(&expected, &kept) < 1e-5);
            if (first.values) {
                assert_memory_equal(first.values, kept.values, kept.count * sizeof *kept.values);
                pg_free(kept.values);
            } else
                first = kept;
        }
        pg_free(first.values);
    }
    pg_free(expected.values);
    finish(&f);
}

static void parts_are_the_whole(void **state)
{
    (void)state;
    check_parts(NULL);
    check_parts("words.");
    check_parts("vision.");
    check_parts("logit_");
}

/* Rows that are left out of a low-rank addition are the same ones in both passes: the gradient is that of the loss. The
 * slope along one direction shows it. */
static void dropout_is_the_same_in_both_passes(void **state)
{
    (void)state;
    fixture f;
    float low[4 * 48], high[48 * 4], dlow[4 * 48] = {0}, dhigh[48 * 4] = {0};
    start(&f);
    pg_parameter *q = &f.model->weights->vision.layers[0].q, *v = &f.model->weights->vision.layers[0].v;
    int64_t width = q->width;
    assert_true(4 * width <= 192);
    for (int64_t i = 0; i < 4 * width; i++) {
        low[i] = (float)pg_random_uniform(1, 1, (uint64_t)i) - 0.5f;
        high[i] = (float)pg_random_uniform(1, 2, (uint64_t)i) - 0.5f;
    }
    pg_lora lora = {{.name = "a", .dtype = PG_F32, .rows = 4, .width = width, .data = low, .grad = dlow},
                    {.name = "b", .dtype = PG_F32, .rows = width, .width = 4, .data = high, .grad = dhigh},
                    1,
                    0.4};
    v->lora = &lora;
    f.tape.seed = 6;
    float loss[3];
    CHECK_OK(pg_contrastive_in_parts(&loss[0], &f.g, f.model->weights, &f.batch, 3, 1, NULL));
    double slope = 0, step = 1e-2;
    float direction[192];
    for (int64_t i = 0; i < 4 * width; i++)
        slope += (double)(direction[i] = dhigh[i]) * dhigh[i];
    for (int side = 0; side < 2; side++) {
        double along = (side ? -1 : 1) * step / sqrt(slope);
        for (int64_t i = 0; i < 4 * width; i++)
            high[i] = (float)pg_random_uniform(1, 2, (uint64_t)i) - 0.5f + (float)(along * direction[i]);
        CHECK_OK(pg_contrastive_in_parts(&loss[1 + side], &f.g, f.model->weights, &f.batch, 3, 1, NULL));
    }
    double measured = ((double)loss[1] - (double)loss[2]) / (2 * step);
    assert_true(fabs(measured / sqrt(slope) - 1) < 0.01);
    v->lora = NULL;
    finish(&f);
}

static void failures_stay(void **state)
{
    (void)state;
    fixture f;
    float loss;
    start(&f);
    pg_trained_model_train(f.model, NULL);
    bool failed = true;
    for (long at = 1; failed; at++) {
        pg_arena_free(&f.g.arena);
        pg_tape_free(&f.tape);
        pg_memory_fail_once(at);
        pg_status status = pg_contrastive_in_parts(&loss, &f.g, f.model->weights, &f.batch, 4, 1, NULL);
        failed = pg_memory_fail_once(0);
        assert_int_equal(status, failed ? PG_ERROR_MEMORY : PG_OK);
        assert_null(f.tape.last);
        f.g.status = PG_OK;
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(dropout_is_the_same_in_both_passes),
        cmocka_unit_test(failures_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

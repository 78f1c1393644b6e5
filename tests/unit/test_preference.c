/* src/train/preference: sharing a prompt changes nothing, pictures included; the reference is the model without its
 * low-rank additions, or another one. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"
#include "train/preference.h"
#include "train/teacher_forcing.h"
#include "trained_model.h"

#define PROMPT 40

typedef struct fixture {
    pg_model *model;
    pg_context g;
    pg_tape tape;
    int32_t prompts[2][PROMPT];
    pg_preference pairs[2];
    pg_preference_batch batch;
    float *pixels;
} fixture;

static const int32_t long_answer[] = {300, 301, 302, 303, 1}, short_answer[] = {700, 1}, only_end[] = {1};

/* Two prompts: one with a picture where the model takes pictures. */
static void start(fixture *f, const char *checkpoint)
{
    *f = (fixture){.model = pg_trained_model_open(checkpoint)};
    const pg_config *config = &f->model->weights->config;
    bool pictures = config->kind == PG_MODEL_PALIGEMMA;
    int64_t patches = pictures ? pg_config_patches(&config->vision) : 0;
    int64_t floats = 3 * config->vision.side * config->vision.side;
    f->g = (pg_context){.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &f->tape};
    f->pixels = pg_alloc((size_t)floats, sizeof *f->pixels);
    for (int64_t i = 0; i < floats; i++)
        f->pixels[i] = (float)(pg_random_uniform(2, 0, (uint64_t)i) * 2 - 1);
    for (int p = 0; p < 2; p++) {
        int64_t count = 0, images = p == 0 ? patches : 0;
        for (; count < images; count++)
            f->prompts[p][count] = config->image_token;
        f->prompts[p][count++] = 2;
        for (int i = 0; i < 5 + 3 * p; i++)
            f->prompts[p][count++] = 400 + 17 * i + p;
        f->pairs[p] = (pg_preference){f->prompts[p], count, {long_answer, 5}, {short_answer, 2}};
    }
    f->pairs[1].rejected = (pg_completion){only_end, 1};
    f->batch = (pg_preference_batch){f->pairs, 2, pictures ? f->pixels : NULL, pictures};
}

static void finish(fixture *f)
{
    pg_arena_free(&f->g.arena);
    pg_tape_free(&f->tape);
    pg_free(f->pixels);
    pg_trained_model_close(f->model);
}

/* Every answer behind a prompt of its own. */
static pg_tensor *separate_losses(fixture *f, int pair, const pg_completion *answer)
{
    int32_t ids[PROMPT + 8];
    static int32_t kept[4][PROMPT + 8]; /* what is on the tape stays where it is */
    static int turn;
    const pg_preference *p = &f->pairs[pair];
    bool pictures = f->batch.pictures > 0;
    memcpy(ids, p->prompt, (size_t)p->prompt_count * sizeof *ids);
    memcpy(ids + p->prompt_count, answer->ids, (size_t)answer->count * sizeof *ids);
    memcpy(kept[turn % 4], ids, sizeof ids);
    pg_token_row row = {kept[turn++ % 4], p->prompt_count + answer->count, pictures ? p->prompt_count : 0,
                        p->prompt_count};
    bool shown = pictures && pair == 0;
    pg_token_batch batch = {.rows = &row, .row_count = 1, .pixels = shown ? f->pixels : NULL, .pictures = shown};
    pg_tensor *losses = pg_teacher_forcing(&f->g, f->model->weights, &batch, NULL);
    assert_int_equal(losses->rows, answer->count);
    static const float ones[] = {1, 1, 1, 1, 1};
    return pg_weighted_sum(&f->g, losses, ones);
}

static void check_sharing(const char *checkpoint)
{
    fixture f;
    const float weights[] = {0.7f, -0.4f, 1.5f, 0.3f};
    start(&f, checkpoint);
    pg_trained_model_train(f.model, NULL);
    pg_tensor *shared = pg_completion_losses(&f.g, f.model->weights, &f.batch);
    assert_int_equal(shared->rows, 4);
    float losses[4];
    memcpy(losses, shared->data, sizeof losses);
    CHECK_OK(pg_tape_backward(&f.g, pg_weighted_sum(&f.g, shared, weights), 1));
    pg_kept_gradients together = pg_trained_model_keep(f.model);
    pg_trained_model_clear(f.model);
    for (int i = 0; i < 4; i++) {
        const pg_preference *pair = &f.pairs[i / 2];
        pg_tensor *alone = separate_losses(&f, i / 2, i % 2 ? &pair->rejected : &pair->chosen);
        assert_true(fabsf(*(float *)alone->data - losses[i]) <= 1e-5f * losses[i]);
        CHECK_OK(pg_tape_backward(&f.g, alone, weights[i]));
    }
    pg_kept_gradients apart = pg_trained_model_keep(f.model);
    assert_true(pg_kept_gradients_apart(&together, &apart) < 1e-5);
    pg_free(together.values);
    pg_free(apart.values);
    finish(&f);
}

static void shared_prompts_change_nothing(void **state)
{
    (void)state;
    check_sharing("paligemma");
    check_sharing("gemma");
}

/* With additions that are switched off, the reference is the model as it was; the margin is then what they do. */
static void the_reference_may_be_the_model_itself(void **state)
{
    (void)state;
    fixture f;
    float before[4], off[4], on[4], hits[2], low[8 * 64], high[64 * 8];
    start(&f, "paligemma");
    pg_parameter *q = &f.model->weights->text.layers[0].q;
    for (int i = 0; i < 512; i++) {
        low[i] = (float)pg_random_uniform(1, 1, (uint64_t)i) - 0.5f;
        high[i] = (float)pg_random_uniform(1, 2, (uint64_t)i) - 0.5f;
    }
    pg_lora lora = {{.name = "a", .dtype = PG_F32, .rows = 8, .width = 64, .data = low},
                    {.name = "b", .dtype = PG_F32, .rows = 64, .width = 8, .data = high},
                    0.5,
                    0};
    CHECK_OK(pg_reference_losses(before, &f.g, f.model->weights, &f.batch, false));
    q->lora = &lora;
    CHECK_OK(pg_reference_losses(off, &f.g, f.model->weights, &f.batch, true));
    CHECK_OK(pg_reference_losses(on, &f.g, f.model->weights, &f.batch, false));
    assert_false(f.g.unadapted);
    assert_ptr_equal(f.g.tape, &f.tape);
    assert_memory_equal(off, before, sizeof off);
    assert_memory_not_equal(on, before, sizeof on);
    pg_tensor *same = pg_preference_training(&f.g, f.model->weights, &f.batch, on, 0.1, hits);
    for (int i = 0; i < 2; i++) { /* no margin yet: log 2 */
        assert_true(fabsf(((float *)same->data)[i] - logf(2)) < 1e-6f);
        assert_true(hits[i] == 0);
    }
    pg_tensor *moved = pg_preference_training(&f.g, f.model->weights, &f.batch, off, 0.1, hits);
    for (int i = 0; i < 2; i++) {
        double margin = 0.1 * ((off[2 * i] - on[2 * i]) - (off[2 * i + 1] - on[2 * i + 1]));
        assert_true(fabs(((float *)moved->data)[i] - log1p(exp(-margin))) < 1e-5);
        assert_true(hits[i] == (margin > 0));
    }
    q->lora = NULL;
    finish(&f);
}

static void failures_stay(void **state)
{
    (void)state;
    fixture f;
    float reference[4];
    start(&f, "paligemma");
    bool failed = true;
    for (long at = 1; failed; at++) {
        pg_arena_free(&f.g.arena);
        pg_memory_fail_once(at);
        pg_status status = pg_reference_losses(reference, &f.g, f.model->weights, &f.batch, true);
        failed = pg_memory_fail_once(0);
        assert_int_equal(status, failed ? PG_ERROR_MEMORY : PG_OK);
        assert_ptr_equal(f.g.tape, &f.tape);
        f.g.status = PG_OK;
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_prompts_change_nothing),
        cmocka_unit_test(the_reference_may_be_the_model_itself),
        cmocka_unit_test(failures_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Runs on a device beside the same runs on the processor: they arrive at the same weights but for rounding, and one may
 * go on where the other stopped. The device is the one that PG_TEST_DEVICE names; without it, the processor again. */
#include "training_run.h"

#include <math.h>
#include <stdlib.h>

#include "tensor/safetensors.h"

#define STEPS    3
#define CLOSE    2e-4 /* lengths of differences, relative to those of the weights */
#define LOSS     1e-3
#define RUN_FILE "checkpoint.safetensors"

static const run_settings usual = {{{"model", PALIGEMMA},
                                    {"data", "@sft.jsonl"},
                                    {"validation", "@sft.jsonl"},
                                    {"steps", "3"},
                                    {"batch", "3"},
                                    {"learning_rate", "1e-4"},
                                    {"warmup", "1"},
                                    {"threads", "2"},
                                    {"seed", "5"}}};

static const run_settings kinds[] = {
    {{{"average", "0.9"},
      {"dropout", "0.1"},
      {"flip", "0.5"},
      {"label_smoothing", "0.1"},
      {"micro_batch", "2"},
      {"checkpointing", "true"}}},
    {{{"optimizer", "adamw8"}, {"train", "lora"}, {"lora_dropout", "0.2"}, {"reduction", "examples"}}},
    {{{"optimizer", "adafactor"}, {"train", "attention"}}},
    {{{"model", SIGLIP}, {"objective", "siglip"}, {"data", "@pairs.jsonl"}, {"validation", "@pairs.jsonl"}}},
    {{{"model", SIGLIP},
      {"objective", "siglip"},
      {"data", "@pairs.jsonl"},
      {"validation", "@pairs.jsonl"},
      {"micro_batch", "2"}}},
    {{{"objective", "dpo"},
      {"train", "lora"},
      {"optimizer", "sgd"},
      {"momentum", "0.9"},
      {"data", "@choices.jsonl"},
      {"validation", "@choices.jsonl"}}},
    {{{"objective", "dpo"}, {"train", "projector"}, {"data", "@choices.jsonl"}, {"validation", "@choices.jsonl"}}},
    {{{"objective", "classifier"},
      {"train", "vision"},
      {"optimizer", "muon"},
      {"data", "@classes.jsonl"},
      {"validation", "@classes.jsonl"}}},
    {{{"model", SIGLIP},
      {"text_model", GEMMA},
      {"objective", "classifier"},
      {"train", "head"},
      {"data", "@classes.jsonl"},
      {"validation", "@classes.jsonl"}}},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const char *device(void)
{
    const char *name = getenv("PG_TEST_DEVICE");
    return name ? name : "cpu";
}

static pg_trainer *open_on(const char *out, size_t kind, const char *where)
{
    run_settings more = kinds[kind];
    size_t count = 0;
    while (more.pairs[count][0])
        count++;
    more.pairs[count][0] = "device";
    more.pairs[count][1] = where;
    return run_open(out, &usual, &more);
}

/* Steps in turns here and there, each as a run that was stopped. */
static pg_train_report run_in_turns(const char *out, size_t kind, const char *first, const char *second)
{
    pg_train_report report = {0};
    for (int step = 0; step < STEPS; step++) {
        pg_trainer *trainer = open_on(out, kind, step % 2 ? second : first);
        report = run_step(trainer, 1);
        assert_int_equal(report.step, step + 1);
        CHECK_OK(pg_trainer_save(trainer));
        pg_trainer_close(trainer);
    }
    return report;
}

/* ---------------------------------------------------------------- comparing */

static pg_safetensors *open_file(const char *run, const char *name)
{
    char path[64];
    pg_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/%s", run, name);
    CHECK_OK(pg_safetensors_open(&file, folder_file(path)));
    return file;
}

/* Adds squares of a and of a - b. */
static void add_squares(double *size, double *apart, const pg_array *a, const pg_array *b)
{
    const float *x = a->data, *y = b->data;
    for (size_t i = 0; i < a->bytes / sizeof *x; i++) {
        *size += (double)x[i] * (double)x[i];
        *apart += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    }
}

/* The same arrays, and nearly the same weights. */
static void check_close(const char *one, const char *other)
{
    pg_safetensors *a = open_file(one, RUN_FILE), *b = open_file(other, RUN_FILE);
    double size = 0, apart = 0;
    assert_int_equal(pg_safetensors_count(a), pg_safetensors_count(b));
    for (size_t i = 0; i < pg_safetensors_count(a); i++) {
        const pg_array *array = pg_safetensors_at(a, i), *same = pg_safetensors_find(b, array->name);
        assert_non_null(same);
        assert_int_equal(array->dtype, same->dtype);
        assert_int_equal(array->bytes, same->bytes);
        if (!strncmp(array->name, "weights.", 8))
            add_squares(&size, &apart, array, same);
    }
    if (!(sqrt(apart / size) <= CLOSE))
        fail_msg("%s and %s: weights are %.3g apart", one, other, sqrt(apart / size));
    pg_safetensors_close(a);
    pg_safetensors_close(b);
}

static void check_report(const pg_train_report *a, const pg_train_report *b)
{
    assert_true(fabs(a->train.loss - b->train.loss) <= LOSS);
    assert_true(fabs(a->validation.loss - b->validation.loss) <= LOSS);
    assert_true(fabs(a->gradient_norm - b->gradient_norm) <= 1e-2 * a->gradient_norm);
    assert_true(a->train.accuracy >= 0 && fabs(a->train.accuracy - b->train.accuracy) <= 0.1);
    assert_true(a->operations == b->operations);
}

/* ---------------------------------------------------------------- */

static void here_and_there(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        char here[32], there[32], turns[32];
        snprintf(here, sizeof here, "here%zu", kind);
        snprintf(there, sizeof there, "there%zu", kind);
        snprintf(turns, sizeof turns, "turns%zu", kind);
        pg_train_report reports[3];
        pg_trainer *trainer = open_on(here, kind, "cpu");
        reports[0] = run_step(trainer, STEPS);
        pg_trainer_close(trainer);
        trainer = open_on(there, kind, device());
        reports[1] = run_step(trainer, STEPS);
        pg_trainer_close(trainer);
        reports[2] = run_in_turns(turns, kind, device(), "cpu");
        assert_true(reports[2].finished);
        check_close(here, there);
        check_close(here, turns);
        check_report(&reports[0], &reports[1]);
        check_report(&reports[0], &reports[2]);
    }
}

static void gradients(void **state)
{
    (void)state;
    const char *const places[] = {"cpu", device()};
    pg_safetensors *files[2];
    double size = 0, apart = 0;
    for (int i = 0; i < 2; i++) {
        char name[32];
        run_settings where = {{{"device", places[i]}, {"validation", "@sft.jsonl"}}};
        pg_train_config *config = run_config(NULL, &usual, &where);
        snprintf(name, sizeof name, "gradients%d", i);
        CHECK_OK(pg_train_gradients(folder_file(name), config));
        CHECK_OK(pg_safetensors_open(&files[i], folder_file(name)));
        pg_train_config_free(config);
    }
    for (size_t i = 0; i < pg_safetensors_count(files[0]); i++) {
        const pg_array *array = pg_safetensors_at(files[0], i), *same = pg_safetensors_find(files[1], array->name);
        assert_non_null(same);
        add_squares(&size, &apart, array, same);
    }
    assert_true(size > 0 && sqrt(apart / size) <= 1e-4);
    pg_safetensors_close(files[0]);
    pg_safetensors_close(files[1]);
}

static void refusals(void **state)
{
    (void)state;
    static const run_settings unknown = {{{"device", "gpu"}}};
    static const run_settings masks = {{{"objective", "maskcodec"}, {"data", "@sft.jsonl"}, {"device", "cuda"}}};
    run_refused("refused", &usual, &unknown, PG_ERROR_ARGUMENT, "expected cpu, cuda or cuda:N");
    if (strcmp(device(), "cpu") != 0)
        run_refused("refused", &(run_settings){{{"steps", "1"}}}, &masks, PG_ERROR_UNSUPPORTED,
                    "a mask codec is trained on the cpu only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(here_and_there),
        cmocka_unit_test(gradients),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, run_setup, folder_teardown);
}

/* pg_quantize: with and without examples, whatever the number of threads; and nothing is left when it fails. */
#include "check.h"
#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "base/buffer.h"

static const char text[] = "The cow walked slowly along the beach while the tide came in.\n\n"
                           "Nobody had asked where it came from, and the children built a castle.\n\n"
                           "the work of the day went on as it had the day before\n\n"
                           "They also saw the sea, and the sea was theirs.\n";

static const char questions[] =
    "{\"prefix\": \"caption en\", \"image\": \"" PG_GOLDEN_FOLDER "/images/cow.jpg\"}\n"
    "{\"prefix\": \"caption en\", \"image\": \"" PG_GOLDEN_FOLDER "/images/lily.jpg\", \"suffix\": \"a flower\"}\n"
    "{\"prefix\": \"answer en what is it?\", \"image\": \"" PG_GOLDEN_FOLDER "/images/wide.jpg\"}\n";

typedef struct report {
    pg_quantized_model models[3];
    size_t model_count, compensated, better, stop_after;
} report;

static bool on_model(void *user, const pg_quantized_model *model)
{
    report *seen = user;
    seen->models[seen->model_count++] = *model;
    return true;
}

static bool on_weight(void *user, const pg_quantized_weight *weight)
{
    report *seen = user;
    if (weight->rounding == PG_ROUNDING_COMPENSATED) {
        seen->compensated++;
        seen->better += weight->error.products < weight->nearest_error.products;
        assert_true(weight->nearest_error.values > 0 && weight->error.values >= weight->nearest_error.values * 0.99);
    } else {
        assert_true(weight->error.values == weight->nearest_error.values && isnan(weight->error.products));
    }
    return true;
}

static bool on_progress(void *user, size_t done, size_t total)
{
    report *seen = user;
    assert_in_range(done, 0, total);
    return !seen->stop_after || --seen->stop_after;
}

static pg_quantize_options new_options(report *seen, pg_weight_format format, int threads)
{
    pg_quantize_options options;
    pg_quantize_options_init(&options);
    options.text = format;
    options.threads = threads;
    options.on_model = on_model;
    options.on_weight = on_weight;
    options.on_progress = on_progress;
    options.user = seen;
    return options;
}

static void check_same_files(const char *a, const char *b)
{
    pg_buffer first = {0}, second = {0};
    CHECK_OK(pg_file_read(&first, a, SIZE_MAX));
    CHECK_OK(pg_file_read(&second, b, SIZE_MAX));
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    pg_buffer_free(&first);
    pg_buffer_free(&second);
}

static void check_model(const char *name, const char *examples, size_t size, pg_weight_format format)
{
    pg_golden_model golden;
    report seen = {0}, other = {0};
    pg_quantize_options options = new_options(&seen, format, 1);
    pg_golden_model_open(&golden, name);
    options.calibrate = folder_write("examples", examples, size);
    CHECK_OK(pg_quantize(folder_file("one"), golden.model, &options));
    assert_int_equal(seen.model_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen.models[i].rounding, i);
        assert_int_equal(seen.models[i].examples, 1);
        assert_int_equal(seen.models[i].tokens, seen.models[0].tokens);
        assert_true(isfinite(seen.models[i].nll) && seen.models[i].agreement <= 1);
    }
    assert_true(seen.models[0].agreement == 1 && seen.compensated > 10);
    assert_true(format == PG_WEIGHTS_INT8 || seen.better == seen.compensated);
    options = new_options(&other, format, 3);
    options.calibrate = folder_file("examples");
    CHECK_OK(pg_quantize(folder_file("three"), golden.model, &options));
    check_same_files(folder_file("one/model.safetensors"), folder_file("three/model.safetensors"));
    assert_true(other.models[2].nll == seen.models[2].nll);
    pg_golden_model_close(&golden);
    folder_teardown(NULL);
    assert_int_equal(mkdir(folder_path, 0700), 0);
}

static void compensated_models(void **state)
{
    (void)state;
    check_model("gemma-tiny-mha", text, sizeof text - 1, PG_WEIGHTS_INT4);
    check_model("gemma-tiny-mha", text, sizeof text - 1, PG_WEIGHTS_INT8);
    check_model("paligemma-tiny-f32", questions, sizeof questions - 1, PG_WEIGHTS_INT4);
    check_model("paligemma-tiny-bf16", questions, sizeof questions - 1, PG_WEIGHTS_INT4);
}

/* Examples to judge by change nothing of the result. */
static void evaluation_alone(void **state)
{
    (void)state;
    pg_golden_model golden;
    report seen = {0}, silent = {0};
    pg_quantize_options options = new_options(&seen, PG_WEIGHTS_INT4, 2);
    pg_golden_model_open(&golden, "gemma-tiny-mha");
    options.evaluate = folder_write("examples", text, sizeof text - 1);
    CHECK_OK(pg_quantize(folder_file("judged"), golden.model, &options));
    assert_int_equal(seen.model_count, 2);
    assert_int_equal(seen.models[1].rounding, PG_ROUNDING_NEAREST);
    assert_int_equal(seen.models[1].examples, 4);
    assert_int_equal(seen.compensated, 0);
    options = new_options(&silent, PG_WEIGHTS_INT4, 2);
    CHECK_OK(pg_quantize(folder_file("silent"), golden.model, &options));
    assert_int_equal(silent.model_count, 0);
    check_same_files(folder_file("judged/model.safetensors"), folder_file("silent/model.safetensors"));
    pg_golden_model_close(&golden);
    folder_teardown(NULL);
    assert_int_equal(mkdir(folder_path, 0700), 0);
}

static void failures_leave_nothing(void **state)
{
    (void)state;
    pg_golden_model golden, siglip;
    report seen = {0};
    pg_golden_model_open(&golden, "gemma-tiny-mha");
    pg_golden_model_open(&siglip, "siglip-tiny");
    char made[64];
    snprintf(made, sizeof made, "%s", folder_file("made"));
    for (size_t stop = 1; stop < 50; stop += 12) {
        pg_quantize_options options = new_options(&seen, PG_WEIGHTS_INT4, 2);
        options.calibrate = folder_write("examples", text, sizeof text - 1);
        seen = (report){.stop_after = stop};
        CHECK_FAILS(pg_quantize(made, golden.model, &options), PG_ERROR_CANCELLED, "cancelled");
        assert_int_equal(folder_count(), 1);
    }
    pg_quantize_options options = new_options(&seen, PG_WEIGHTS_INT4, 2);
    seen = (report){0};
    options.calibrate = folder_write("examples", "one line", 8);
    CHECK_FAILS(pg_quantize(made, golden.model, &options), PG_ERROR_ARGUMENT, "found one example, expected more");
    CHECK_FAILS(pg_quantize(made, siglip.model, &options), PG_ERROR_UNSUPPORTED, "SigLIP");
    options.window = 16;
    CHECK_FAILS(pg_quantize(made, golden.model, &options), PG_ERROR_ARGUMENT, "window: 16, expected 32 to 16384");
    assert_int_equal(folder_count(), 1);
    pg_golden_model_close(&golden);
    pg_golden_model_close(&siglip);
}

static pg_status quantize(const pg_model *model, const char *examples)
{
    pg_quantize_options options;
    pg_quantize_options_init(&options);
    options.text = PG_WEIGHTS_INT4;
    options.threads = 1;
    options.calibrate = examples;
    return pg_quantize(folder_file("swept"), model, &options);
}

static void failing_allocations(void **state)
{
    (void)state;
    pg_golden_model golden;
    pg_golden_model_open(&golden, "gemma-tiny-mha");
    char examples[64];
    snprintf(examples, sizeof examples, "%s", folder_write("examples", "a b c\n\nd e f\n", 13));
    CHECK_COARSE_SWEEP(quantize(golden.model, examples));
    assert_int_equal(folder_count(), 2);
    pg_golden_model_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compensated_models),
        cmocka_unit_test(evaluation_alone),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

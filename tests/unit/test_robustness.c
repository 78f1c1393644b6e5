/* src/tasks/robustness: the table beside the same done by hand, for classes and for answers; what is refused. */
#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "image/image.h"

#define PHOTOS PG_GOLDEN_FOLDER "/siglip-tiny/images/"
#define ROWS   3

static pg_golden_model siglip, pali;
static pg_session *session, *pali_session;
static const char *const photos[ROWS] = {PHOTOS "cow.jpg", PHOTOS "lily.jpg", PHOTOS "gray.jpg"};
static const char *const labels[] = {"cow", "flower", "a grey thing"};

static int setup(void **state)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.sequences = 2;
    options.context = 64;
    pg_golden_model_open(&siglip, "siglip-tiny");
    pg_golden_model_open(&pali, "paligemma-tiny-f32");
    CHECK_OK(pg_session_new(&session, siglip.model, NULL));
    CHECK_OK(pg_session_new(&pali_session, pali.model, &options));
    return folder_setup(state);
}

static int teardown(void **state)
{
    pg_session_free(session);
    pg_session_free(pali_session);
    pg_golden_model_close(&siglip);
    pg_golden_model_close(&pali);
    return folder_teardown(state);
}

static pg_dataset *open_rows(const char *text)
{
    pg_dataset *dataset;
    CHECK_OK(pg_dataset_open(&dataset, folder_write("rows.jsonl", text, strlen(text)), NULL));
    return dataset;
}

/* Row i's picture in the model's size, damaged (severity 0: clean). */
static pg_image *look_at(size_t row, const pg_model *model, pg_corruption kind, int severity, uint64_t seed)
{
    pg_image *image, *resized, *damaged;
    size_t side = pg_model_image_size(model);
    CHECK_OK(pg_image_load(&image, photos[row], NULL));
    CHECK_OK(pg_image_resize(&resized, image, side, side, PG_RESIZE_PILLOW13));
    pg_image_free(image);
    if (!severity)
        return resized;
    CHECK_OK(pg_image_corrupt(&damaged, resized, kind, severity, seed + (row << 8)));
    pg_image_free(resized);
    return damaged;
}

/* ---------------------------------------------------------------- classes */

static double right_classes(const pg_recognizer *recognizer, pg_corruption kind, int severity, uint64_t seed)
{
    double right = 0;
    for (size_t row = 0; row < ROWS; row++) {
        float logits[3];
        size_t best = 0;
        pg_image *image = look_at(row, siglip.model, kind, severity, seed);
        CHECK_OK(pg_recognize(logits, session, recognizer, (const pg_image *const *)&image, 1));
        for (size_t i = 1; i < 3; i++)
            best = logits[i] > logits[best] ? i : best;
        right += best == row;
        pg_image_free(image);
    }
    return right / ROWS;
}

static const pg_corruption some_kinds[] = {PG_CORRUPT_SNOW, PG_CORRUPT_GAUSSIAN_NOISE, PG_CORRUPT_ROTATION};
static const int some_severities[] = {1, 5};

static void check_classes(const char *rows)
{
    pg_dataset *dataset = open_rows(rows);
    pg_recognizer *recognizer;
    pg_robustness_options options;
    pg_robustness report;
    double sum = 0;
    CHECK_OK(pg_recognizer_new(&recognizer, session, labels, 3, NULL, 0));
    pg_robustness_options_init(&options);
    options.kinds = some_kinds;
    options.kind_count = 3;
    options.severities = some_severities;
    options.severity_count = 2;
    options.recognizer = recognizer;
    options.seed = 11;
    options.batch = 2; /* the last batch is not full */
    CHECK_OK(pg_robustness_run(&report, session, dataset, &options));
    assert_int_equal(report.rows, ROWS);
    assert_true(report.clean == right_classes(recognizer, 0, 0, 11));
    for (int i = 0; i < 3; i++) {
        const double *got = report.accuracy[some_kinds[i]];
        double first = right_classes(recognizer, some_kinds[i], 1, 11);
        double last = right_classes(recognizer, some_kinds[i], 5, 11);
        assert_true(got[0] == first && got[4] == last && isnan(got[1]) && isnan(got[3]));
        assert_true(report.corruption[some_kinds[i]] == (first + last) / 2);
        sum += (first + last) / 2;
    }
    assert_true(isnan(report.corruption[PG_CORRUPT_FOG]));
    assert_true(fabs(report.mean_error - (1 - sum / 3)) < 1e-12);
    assert_true(fabs(report.relative_error - (report.mean_error - (1 - report.clean))) < 1e-12);
    pg_recognizer_free(recognizer);
    pg_dataset_close(dataset);
}

static void classes_by_name_number_and_suffix(void **state)
{
    (void)state;
    check_classes("{\"image\": \"" PHOTOS "cow.jpg\", \"label\": \"cow\"}\n"
                  "{\"image\": \"" PHOTOS "lily.jpg\", \"label\": \"flower\"}\n"
                  "{\"image\": \"" PHOTOS "gray.jpg\", \"label\": \"a grey thing\"}\n");
    check_classes("{\"image\": \"" PHOTOS "cow.jpg\", \"label\": 0}\n"
                  "{\"image\": \"" PHOTOS "lily.jpg\", \"label\": 1}\n"
                  "{\"image\": \"" PHOTOS "gray.jpg\", \"label\": 2}\n");
    check_classes("{\"image\": \"" PHOTOS "cow.jpg\", \"prefix\": \"\", \"suffix\": \"cow\"}\n"
                  "{\"image\": \"" PHOTOS "lily.jpg\", \"prefix\": \"\", \"suffix\": \" flower\\n\"}\n"
                  "{\"image\": \"" PHOTOS "gray.jpg\", \"prefix\": \"\", \"suffix\": \"a grey thing\"}\n");
}

/* ---------------------------------------------------------------- answers */

static char *answer(size_t row, pg_corruption kind, int severity, uint64_t seed)
{
    pg_request request;
    pg_answer *made;
    pg_image *image = look_at(row, pali.model, kind, severity, seed);
    pg_request_init(&request);
    request.images = (const pg_image *const *)&image;
    request.image_count = 1;
    request.prompt = "caption en";
    request.max_new_tokens = 6;
    request.temperature = 0;
    request.beams = 1;
    CHECK_OK(pg_generate(&made, pali_session, &request, 1));
    char *text = pg_copy_text(made->text, SIZE_MAX);
    pg_answer_free(made);
    pg_image_free(image);
    return text;
}

/* The model's own answers to clean pictures, as rows. */
static pg_dataset *own_answers(char *answers[ROWS])
{
    pg_buffer rows = {0};
    for (size_t i = 0; i < ROWS; i++) {
        json_t *row;
        answers[i] = answer(i, 0, 0, 0);
        row = json_pack("{s:s, s:s, s:s}", "image", photos[i], "prefix", "caption en", "suffix", answers[i]);
        char *line = json_dumps(row, JSON_COMPACT);
        CHECK_OK(pg_buffer_print(&rows, "%s\n", line));
        free(line);
        json_decref(row);
    }
    pg_dataset *dataset = open_rows(rows.data);
    pg_buffer_free(&rows);
    return dataset;
}

static void stripped_equal(double *right, const char *a, const char *b)
{
    size_t first = strspn(a, " \n"), other = strspn(b, " \n");
    *right += !strcmp(a + first, b + other);
}

static void answers_that_stay_the_same(void **state)
{
    (void)state;
    char *answers[ROWS];
    pg_dataset *dataset = own_answers(answers);
    pg_robustness_options options;
    pg_robustness report;
    double right = 0;
    pg_robustness_options_init(&options);
    options.kinds = some_kinds;
    options.kind_count = 1;
    options.severities = some_severities + 1;
    options.severity_count = 1;
    options.max_new_tokens = 6;
    options.seed = 3;
    CHECK_OK(pg_robustness_run(&report, pali_session, dataset, &options));
    assert_true(report.clean == 1);
    for (size_t i = 0; i < ROWS; i++) {
        char *text = answer(i, PG_CORRUPT_SNOW, 5, 3);
        stripped_equal(&right, text, answers[i]);
        pg_free(text);
        pg_free(answers[i]);
    }
    assert_true(report.accuracy[PG_CORRUPT_SNOW][4] == right / ROWS);
    pg_dataset_close(dataset);
}

/* ---------------------------------------------------------------- refusals */

static void check_refused(const char *rows, const pg_recognizer *recognizer, pg_session *used, pg_status status,
                          const char *says)
{
    pg_dataset *dataset = open_rows(rows);
    pg_robustness report;
    pg_robustness_options options;
    pg_robustness_options_init(&options);
    options.recognizer = recognizer;
    options.kinds = some_kinds;
    options.kind_count = 1;
    CHECK_FAILS(pg_robustness_run(&report, used, dataset, &options), status, says);
    pg_dataset_close(dataset);
}

static void rows_that_are_refused(void **state)
{
    (void)state;
    pg_recognizer *recognizer;
    CHECK_OK(pg_recognizer_new(&recognizer, session, labels, 3, NULL, 0));
    check_refused("{\"image\": \"" PHOTOS "cow.jpg\", \"label\": \"horse\"}\n", recognizer, session, PG_ERROR_FORMAT,
                  "rows.jsonl:1: \"horse\" is none of the 3 classes");
    check_refused("{\"image\": \"" PHOTOS "cow.jpg\", \"label\": 2}\n\n{\"image\": \"" PHOTOS
                  "cow.jpg\", \"label\": 3}",
                  recognizer, session, PG_ERROR_FORMAT, "rows.jsonl:3: label 3, but there are 3 classes");
    check_refused("{\"label\": \"cow\"}\n", recognizer, session, PG_ERROR_FORMAT, "rows.jsonl:1: 0 pictures");
    check_refused("{\"image\": \"none.jpg\", \"label\": \"cow\"}\n", recognizer, session, PG_ERROR_FILE, "none.jpg");
    check_refused("{\"text\": \"cow\"}\n", recognizer, session, PG_ERROR_ARGUMENT, "rows of the kind \"text\"");
    check_refused("{\"image\": \"none.jpg\", \"label\": \"cow\"}\n", NULL, session, PG_ERROR_ARGUMENT, "name them");
    check_refused("{\"image\": \"none.jpg\", \"label\": \"cow\"}\n", NULL, pali_session, PG_ERROR_ARGUMENT,
                  "rows of the kind \"label\", expected {\"image\", \"prefix\", \"suffix\"}");
    check_refused("{\"image\": \"none.jpg\", \"label\": \"cow\"}\n", recognizer, pali_session, PG_ERROR_ARGUMENT,
                  "was made for the model");
    pg_recognizer_free(recognizer);
}

static void options_that_are_refused(void **state)
{
    (void)state;
    static const int bad[] = {6};
    static const pg_corruption none[] = {(pg_corruption)40};
    char *answers[ROWS];
    pg_dataset *dataset = own_answers(answers);
    pg_robustness report;
    CHECK_FAILS(pg_robustness_run(&report, pali_session, dataset,
                                  &(pg_robustness_options){.severities = bad, .severity_count = 1}),
                PG_ERROR_ARGUMENT, "severity: 6");
    CHECK_FAILS(pg_robustness_run(&report, pali_session, dataset,
                                  &(pg_robustness_options){.kinds = none, .kind_count = 1}),
                PG_ERROR_ARGUMENT, "no corruption 40");
    for (size_t i = 0; i < ROWS; i++)
        pg_free(answers[i]);
    pg_dataset_close(dataset);
}

static bool stop(void *user, size_t done, size_t total)
{
    *(size_t *)user = total;
    return done < 2;
}

static void runs_can_be_stopped(void **state)
{
    (void)state;
    char *answers[ROWS];
    pg_dataset *dataset = own_answers(answers);
    pg_robustness report;
    size_t total = 0;
    pg_robustness_options options = {.batch = 2, .max_new_tokens = 1, .on_progress = stop, .user = &total};
    pg_image_options_init(&options.image);
    CHECK_FAILS(pg_robustness_run(&report, pali_session, dataset, &options), PG_ERROR_CANCELLED, "cancelled");
    assert_int_equal(total, 2 * 81);
    for (size_t i = 0; i < ROWS; i++)
        pg_free(answers[i]);
    pg_dataset_close(dataset);
}

static pg_status run_once(const pg_dataset *dataset, const pg_recognizer *recognizer)
{
    pg_robustness report;
    pg_robustness_options options;
    pg_robustness_options_init(&options);
    options.recognizer = recognizer;
    options.kinds = some_kinds + 1;
    options.kind_count = 1;
    options.severities = some_severities;
    options.severity_count = 1;
    return pg_robustness_run(&report, session, dataset, &options);
}

static void failing_allocations(void **state)
{
    (void)state;
    pg_recognizer *recognizer;
    pg_dataset *dataset = open_rows("{\"image\": \"" PHOTOS "cow.jpg\", \"label\": \"cow\"}\n");
    CHECK_OK(pg_recognizer_new(&recognizer, session, labels, 3, NULL, 0));
    CHECK_SWEEP(run_once(dataset, recognizer));
    pg_recognizer_free(recognizer);
    pg_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_by_name_number_and_suffix),
        cmocka_unit_test(answers_that_stay_the_same),
        cmocka_unit_test(rows_that_are_refused),
        cmocka_unit_test(options_that_are_refused),
        cmocka_unit_test(runs_can_be_stopped),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

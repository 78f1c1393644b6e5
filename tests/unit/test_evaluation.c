/* src/tasks/evaluation*: cases out of standard files, predictions to their cases, figures against the official tools',
 * the report. */
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "base/json.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define CLOSE  1e-9

static pg_evaluation *open_evaluation(pg_eval_task task, const char *path, const char *annotations)
{
    pg_evaluation *evaluation;
    pg_evaluation_options options;
    pg_evaluation_options_init(&options);
    options.data.annotations = annotations;
    CHECK_OK(pg_evaluation_open(&evaluation, task, path, &options));
    return evaluation;
}

static double figure(const pg_evaluation *evaluation, const char *name)
{
    for (size_t i = 0; i < pg_evaluation_figures(evaluation); i++)
        if (!strcmp(pg_evaluation_figure(evaluation, i).name, name))
            return pg_evaluation_figure(evaluation, i).value;
    fail_msg("no figure %s", name);
    return 0;
}

static bool has_figure(const pg_evaluation *evaluation, const char *name)
{
    for (size_t i = 0; i < pg_evaluation_figures(evaluation); i++)
        if (!strcmp(pg_evaluation_figure(evaluation, i).name, name))
            return true;
    return false;
}

static json_t *load(const char *path)
{
    json_t *document;
    CHECK_OK(pg_json_load(&document, path));
    return document;
}

static void check_figure(const pg_evaluation *evaluation, const char *name, const json_t *expected)
{
    double wanted = json_number_value(expected), found = figure(evaluation, name);
    if (!(fabs(wanted - found) < CLOSE))
        fail_msg("%s: %.17g, expected %.17g", name, found, wanted);
}

/* ---------------------------------------------------------------- the official files */

static void captions_of_coco(void **state)
{
    (void)state;
    json_t *document = load(GOLDEN "captions_expected.json");
    const json_t *expected = json_object_get(document, "ptb"), *bleu = json_object_get(expected, "bleu_1_to_4");
    pg_evaluation *evaluation = open_evaluation(PG_EVAL_CAPTION, GOLDEN "captions_gt.json", NULL);
    assert_int_equal(pg_evaluation_cases(evaluation), 20);
    assert_int_equal(pg_evaluation_case(evaluation, 3).reference_count, 5);
    CHECK_OK(pg_evaluation_load(evaluation, GOLDEN "captions_results.json"));
    CHECK_OK(pg_evaluation_measure(evaluation));
    check_figure(evaluation, "CIDEr", json_object_get(expected, "cider"));
    check_figure(evaluation, "ROUGE-L", json_object_get(expected, "rouge_l"));
    check_figure(evaluation, "BLEU-1", json_array_get(bleu, 0));
    check_figure(evaluation, "BLEU-4", json_array_get(bleu, 3));
    const json_t *each = json_object_get(expected, "cider_per_image");
    for (size_t i = 0; i < 20; i++)
        assert_true(fabs(pg_evaluation_case(evaluation, i).score - json_real_value(json_array_get(each, i))) < CLOSE);
    CHECK_OK(pg_evaluation_measure(evaluation)); /* again: figures are replaced */
    assert_int_equal(pg_evaluation_figures(evaluation), 8);
    pg_evaluation_close(evaluation);
    json_decref(document);
}

static void questions_of_vqa(void **state)
{
    (void)state;
    json_t *expected = load(GOLDEN "vqa_expected.json");
    const json_t *types = json_object_get(expected, "per_type");
    pg_evaluation *evaluation =
        open_evaluation(PG_EVAL_VQA, GOLDEN "vqa_questions.json", GOLDEN "vqa_annotations.json");
    assert_int_equal(pg_evaluation_case(evaluation, 0).reference_count, 10);
    CHECK_OK(pg_evaluation_load(evaluation, GOLDEN "vqa_results.json"));
    CHECK_OK(pg_evaluation_measure(evaluation));
    check_figure(evaluation, "accuracy", json_object_get(expected, "overall"));
    check_figure(evaluation, "accuracy yes/no", json_object_get(types, "yes/no"));
    check_figure(evaluation, "accuracy number", json_object_get(types, "number"));
    check_figure(evaluation, "accuracy other", json_object_get(types, "other"));
    pg_evaluation_close(evaluation);
    json_decref(expected);
}

static void objects_of_coco(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"AP", "AP"},
                                           {"AP50", "AP50"},
                                           {"AP75", "AP75"},
                                           {"AP small", "APsmall"},
                                           {"AP medium", "APmedium"},
                                           {"AP large", "APlarge"},
                                           {"AR1", "AR1"},
                                           {"AR10", "AR10"},
                                           {"AR100", "AR100"},
                                           {"AR small", "ARsmall"},
                                           {"AR medium", "ARmedium"},
                                           {"AR large", "ARlarge"}};
    json_t *document = load(GOLDEN "coco_expected.json");
    for (int masks = 0; masks < 2; masks++) {
        const json_t *expected = json_object_get(document, masks ? "segm" : "bbox");
        pg_evaluation *evaluation =
            open_evaluation(masks ? PG_EVAL_SEGMENT : PG_EVAL_DETECT, GOLDEN "coco_gt.json", NULL);
        const char *word = masks ? "segment " : "detect ";
        assert_memory_equal(pg_evaluation_case(evaluation, 0).prompt, word, strlen(word));
        CHECK_OK(pg_evaluation_load(evaluation, masks ? GOLDEN "coco_segm.json" : GOLDEN "coco_det.json"));
        CHECK_OK(pg_evaluation_measure(evaluation));
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            check_figure(evaluation, names[i][0], json_object_get(expected, names[i][1]));
        check_figure(evaluation, "AP dog", json_object_get(json_object_get(expected, "AP_per_category"), "3"));
        for (size_t i = 0; i < pg_evaluation_cases(evaluation); i++)
            assert_true(pg_evaluation_case(evaluation, i).score >= 0 && pg_evaluation_case(evaluation, i).score <= 1);
        pg_evaluation_close(evaluation);
    }
    json_decref(document);
}

/* ---------------------------------------------------------------- JSONL */

static const char *write_text(const char *name, const char *text)
{
    return folder_write(name, text, strlen(text));
}

static pg_evaluation *measure_lines(pg_eval_task task, const char *references, const char *predictions)
{
    pg_evaluation *evaluation = open_evaluation(task, write_text("references.jsonl", references), NULL);
    CHECK_OK(pg_evaluation_load(evaluation, write_text("predictions.jsonl", predictions)));
    CHECK_OK(pg_evaluation_measure(evaluation));
    return evaluation;
}

static void rows_about_the_same_are_one_case(void **state)
{
    (void)state;
    pg_evaluation *evaluation =
        measure_lines(PG_EVAL_CAPTION,
                      "{\"image\":\"a.png\",\"prefix\":\"list\",\"suffix\":\"a cube and a ball\"}\n"
                      "{\"image\":\"b.png\",\"prefix\":\"list\",\"suffixes\":[\"a cone\",\"one cone\"]}\n"
                      "{\"image\":\"a.png\",\"prefix\":\"list\",\"suffix\":\"nothing\"}\n"
                      "{\"image\":\"a.png\",\"prefix\":\"name\",\"suffix\":\"nothing\"}\n",
                      "{\"image\":\"a.png\",\"prompt\":\"name\",\"text\":\"nothing\"}\n\n"
                      "{\"image\":\"a.png\",\"prefix\":\"list\",\"prediction\":\"Ball, cube\"}\n"
                      "{\"image\":\"b.png\",\"prompt\":\"list\",\"answer\":\"one cone\"}\n");
    assert_int_equal(pg_evaluation_cases(evaluation), 3);
    pg_eval_case first = pg_evaluation_case(evaluation, 0), second = pg_evaluation_case(evaluation, 1);
    assert_int_equal(first.reference_count, 2);
    assert_int_equal(second.reference_count, 2);
    assert_string_equal(second.references[1], "one cone");
    assert_string_equal(first.prediction, "Ball, cube");
    assert_true(fabs(figure(evaluation, "exact match") - 2.0 / 3) < CLOSE);
    assert_true(figure(evaluation, "set match") == 1);
    pg_evaluation_close(evaluation);
}

/* Whatever their order, and beside a picture and prompt that are another question's too. */
static void questions_may_have_texts_as_ids(void **state)
{
    (void)state;
    pg_evaluation *evaluation =
        measure_lines(PG_EVAL_VQA,
                      "{\"question_id\":\"a-1\",\"image\":\"a.png\",\"prefix\":\"q\",\"suffix\":\"2\"}\n"
                      "{\"question_id\":\"7\",\"image\":\"a.png\",\"prefix\":\"q\",\"suffix\":\"road\"}\n"
                      "{\"question_id\":7,\"image\":\"a.png\",\"prefix\":\"q\",\"suffix\":\"beach\"}\n",
                      "{\"question_id\":7,\"answer\":\"beach\"}\n{\"question_id\":\"7\",\"answer\":\"road\"}\n"
                      "{\"question_id\":\"a-1\",\"answer\":\"2\"}\n");
    assert_int_equal(pg_evaluation_cases(evaluation), 3);
    assert_string_equal(pg_evaluation_case(evaluation, 0).prediction, "2");
    assert_true(figure(evaluation, "accuracy") == 1);
    pg_evaluation_close(evaluation);
}

static void answers_of_all_text_tasks(void **state)
{
    (void)state;
    const char *references = "{\"image\":\"a.png\",\"prefix\":\"q\",\"suffix\":\"100\"}\n"
                             "{\"image\":\"b.png\",\"prefix\":\"q\",\"suffix\":\"red ball\"}\n";
    const char *predictions = "{\"text\":\"104\",\"probability\":0.75}\n{\"text\":\"red bull\",\"probability\":0.25}\n";
    pg_evaluation *evaluation = measure_lines(PG_EVAL_CHARTQA, references, predictions);
    assert_true(figure(evaluation, "relaxed accuracy") == 0.5);
    assert_true(fabs(figure(evaluation, "calibration error") - 0.25) < CLOSE);
    pg_evaluation_close(evaluation);
    evaluation = measure_lines(PG_EVAL_VQA,
                               "{\"prefix\":\"a\",\"suffix\":\"2\",\"type\":\"count\"}\n"
                               "{\"prefix\":\"b\",\"suffix\":\"beach\",\"type\":\"where\"}\n",
                               "{\"text\":\"two\"}\n{\"text\":\"road\"}\n");
    assert_true(figure(evaluation, "accuracy count") == 1 && figure(evaluation, "accuracy where") == 0);
    pg_evaluation_close(evaluation);
    evaluation = measure_lines(PG_EVAL_OCR, references, predictions);
    assert_true(fabs(figure(evaluation, "CER") - 2.0 / 11) < CLOSE);
    assert_true(fabs(figure(evaluation, "WER") - 2.0 / 3) < CLOSE);
    pg_evaluation_close(evaluation);
    evaluation = measure_lines(PG_EVAL_DOCVQA, references, predictions);
    assert_true(fabs(figure(evaluation, "ANLS") - (2.0 / 3 + 7.0 / 8) / 2) < CLOSE);
    pg_evaluation_close(evaluation);
    evaluation = measure_lines(PG_EVAL_CLASSIFY, references,
                               "{\"ranking\":[\"10\",\"100\"]}\n{\"ranking\":[\"red ball\",\"x\"]}\n");
    assert_true(figure(evaluation, "top-1") == 0.5 && figure(evaluation, "top-5") == 1);
    pg_evaluation_close(evaluation);
}

/* A picture of 100 x 50 pixels. */
static void write_picture(const char *name)
{
    char bytes[16 + 15000] = "P6 100 50 255\n";
    folder_write(name, bytes, 14 + 15000);
}

static void objects_out_of_texts(void **state)
{
    (void)state;
    write_picture("a.ppm");
    const char *references =
        "{\"image\":\"a.ppm\",\"prefix\":\"detect cat ; dog\",\"suffix\":\"<loc0000><loc0000><loc0512><loc0512> cat ; "
        "<loc0512><loc0512><loc1023><loc1023> dog\"}\n";
    pg_evaluation *evaluation =
        measure_lines(PG_EVAL_DETECT, references, "{\"text\":\"<loc0000><loc0000><loc0512><loc0512> cat\"}\n");
    assert_true(fabs(figure(evaluation, "AP cat") - 1) < CLOSE && figure(evaluation, "AP dog") == 0);
    assert_true(fabs(pg_evaluation_case(evaluation, 0).score - 2.0 / 3) < CLOSE);
    assert_true(figure(evaluation, "mIoU") == 0.5 && figure(evaluation, "mIoU of found objects") == 1);
    CHECK_OK(pg_evaluation_report(evaluation, folder_file("report.html"), NULL));
    pg_evaluation_close(evaluation);
    pg_buffer page = {0};
    CHECK_OK(pg_file_read(&page, folder_file("report.html"), 1 << 24));
    assert_non_null(strstr(page.data, "src=\"data:image/png;base64,iVBORw0KGgo"));
    assert_non_null(strstr(page.data, "&lt;loc0000&gt;"));
    assert_null(strstr(page.data, "http"));
    pg_buffer_free(&page);
    evaluation =
        measure_lines(PG_EVAL_DETECT, references,
                      "{\"width\":100,\"height\":50,\"objects\":[{\"label\":\"cat\",\"score\":0.9,\"box\":[0,0,"
                      "50,25]},{\"label\":\"dog\",\"score\":0.8,\"box\":[50,25,100,50]}]}\n");
    assert_true(figure(evaluation, "AP") > 0.99 && pg_evaluation_case(evaluation, 0).score == 1);
    pg_evaluation_close(evaluation);
}

static void phrases_that_refer(void **state)
{
    (void)state;
    write_picture("a.ppm");
    pg_evaluation *evaluation = measure_lines(
        PG_EVAL_REFCOCO,
        "{\"image\":\"a.ppm\",\"prefix\":\"detect left cat\",\"suffix\":\"<loc0000><loc0000><loc1023><loc0512> left "
        "cat\"}\n{\"image\":\"a.ppm\",\"prefix\":\"segment dog\",\"suffix\":\"<loc0000><loc0000><loc1023><loc1023> "
        "dog\","
        "\"segmentation\":[[0,0,50,0,50,50,0,50]]}\n",
        "{\"text\":\"<loc0000><loc0000><loc1023><loc0512> left cat\"}\n{\"text\":\"dog\"}\n");
    assert_true(figure(evaluation, "box accuracy@0.5") == 0.5 && figure(evaluation, "nothing found") == 1);
    assert_true(figure(evaluation, "mIoU") == 0);
    pg_evaluation_close(evaluation);
}

/* ---------------------------------------------------------------- mistakes */

#define ROWS                                                                 \
    "{\"image\":\"a.png\",\"prefix\":\"caption en\",\"suffix\":\"a cat\"}\n" \
    "{\"image\":\"b.png\",\"prefix\":\"caption en\",\"suffix\":\"a dog\"}\n"

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct mistake {
        const char *predictions, *message;
    } mistakes[] = {
        {"{\"image\":\"c.png\",\"prompt\":\"caption en\",\"text\":\"x\"}\n",
         "predictions.jsonl:1: there is no picture c.png, prompt \"caption en\" in"},
        {"{\"image\":\"a.png\",\"prompt\":\"caption en\",\"text\":\"x\"}\n"
         "{\"image\":\"a.png\",\"prompt\":\"caption en\",\"text\":\"x\"}\n",
         "predictions.jsonl:2: a second prediction for picture a.png"},
        {"{\"question_id\":7,\"text\":\"x\"}\n", "there is no question 7"},
        {"{\"question_id\":\"7\",\"text\":\"x\"}\n", "there is no question \"7\""},
        {"{\"question_id\":[7],\"text\":\"x\"}\n",
         "predictions.jsonl:1: \"question_id\": expected a whole number or a"},
        {"{\"text\":\"x\"}\n{\"text\":\"y\"}\n{\"text\":\"z\"}\n", "predictions.jsonl:3: one prediction more than"},
        {"{\"image\":\"a.png\",\"prompt\":\"caption en\"}\n", "predictions.jsonl:1: found no \"prediction\""},
        {"\n {\"text\":\n", "predictions.jsonl: line 2"},
        {"7\n", "predictions.jsonl: line 1, column 1: not valid JSON"},
        {"[7]", "predictions.jsonl: result 0: not a JSON object"},
        {"{\"text\":\"x\",\"objects\":[{\"label\":1}]}\n", "object 0: \"label\""},
        {"{\"text\":\"x\",\"objects\":[{\"label\":\"a\",\"box\":[1,2,3]}]}\n", "\"box\": expected x1"},
        {" \n", "has no predictions"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        pg_evaluation *evaluation = open_evaluation(PG_EVAL_CAPTION, write_text("references.jsonl", ROWS), NULL);
        CHECK_FAILS(pg_evaluation_load(evaluation, write_text("predictions.jsonl", mistakes[i].predictions)),
                    PG_ERROR_FORMAT, mistakes[i].message);
        pg_evaluation_close(evaluation);
    }
}

static void missing_predictions_are_named(void **state)
{
    (void)state;
    pg_evaluation *evaluation = open_evaluation(PG_EVAL_CAPTION, write_text("references.jsonl", ROWS), NULL);
    CHECK_OK(pg_evaluation_load(evaluation, write_text("predictions.jsonl", "{\"text\":\"a cat\"}\n")));
    CHECK_FAILS(pg_evaluation_measure(evaluation), PG_ERROR_FORMAT,
                "references.jsonl:2: there is no prediction for picture b.png, prompt \"caption en\"");
    CHECK_FAILS(pg_evaluation_report(evaluation, folder_file("x.html"), NULL), PG_ERROR_ARGUMENT,
                "nothing was measured");
    pg_evaluation_close(evaluation);
    CHECK_FAILS(pg_evaluation_open(&evaluation, PG_EVAL_CAPTION, GOLDEN "coco_gt.json", NULL), PG_ERROR_ARGUMENT,
                "COCO's objects go with tasks detect and segment");
    CHECK_FAILS(pg_evaluation_open(&evaluation, PG_EVAL_OCR,
                                   write_text("labels.jsonl", "{\"image\":\"a.png\",\"label\":\"cat\"}\n"), NULL),
                PG_ERROR_ARGUMENT, "rows of kind \"label\"");
    evaluation = open_evaluation(PG_EVAL_DETECT, GOLDEN "coco_gt.json", NULL);
    CHECK_OK(pg_evaluation_load(evaluation, write_text("r.json", "[{\"image_id\":9,\"category_id\":1,\"score\":1,"
                                                                 "\"bbox\":[1,1,2,2]}]")));
    CHECK_FAILS(pg_evaluation_measure(evaluation), PG_ERROR_FORMAT, "result 0: there is no picture of id 9");
    pg_evaluation_close(evaluation);
}

/* ---------------------------------------------------------------- scores of objects */

#define SCORED 200

/* Found cats with scores of 0 to 1/2, of which twice that share is right. */
static pg_evaluation *measure_scored(void)
{
    pg_buffer references = {0}, predictions = {0};
    for (int i = 0; i < SCORED; i++) {
        bool right = i * 77 % SCORED < i;
        CHECK_OK(pg_buffer_print(&references,
                                 "{\"image\":\"%d.png\",\"prefix\":\"detect cat\",\"suffix\":\"<loc0000><loc0000>"
                                 "<loc0512><loc0512> cat\"}\n",
                                 i));
        CHECK_OK(pg_buffer_print(&predictions,
                                 "{\"width\":100,\"height\":50,\"objects\":[{\"label\":\"cat\",\"score\":%g,\"box\":"
                                 "[%d,0,%d,25]}]}\n",
                                 (i + 0.5) / SCORED / 2, right ? 0 : 50, right ? 50 : 100));
    }
    pg_evaluation *evaluation = measure_lines(PG_EVAL_DETECT, references.data, predictions.data);
    pg_buffer_free(&references);
    pg_buffer_free(&predictions);
    return evaluation;
}

static double score_number(const char *key)
{
    json_t *document = load(folder_file("generation_config.json"));
    double value = json_number_value(json_object_get(json_object_get(document, "paligemma_scores"), key));
    assert_int_equal(json_integer_value(json_object_get(document, "max_new_tokens")), 17);
    json_decref(document);
    return value;
}

/* What the file has besides stays; a correction of corrected scores comes on top of the first. */
static void scores_are_corrected(void **state)
{
    (void)state;
    pg_buffer config = {0};
    CHECK_OK(
        pg_file_read(&config, PG_TESTS_FOLDER "/golden/inference/paligemma-tiny-f32/checkpoint/config.json", 1 << 20));
    folder_write("config.json", config.data, config.size);
    pg_buffer_free(&config);
    write_text("generation_config.json", "{\"max_new_tokens\": 17}");
    pg_evaluation *evaluation = measure_scored();
    assert_true(fabs(figure(evaluation, "calibration error") - 0.24) < CLOSE);
    CHECK_OK(pg_evaluation_fit_scores(evaluation, folder_path));
    double slope = score_number("slope"), intercept = score_number("intercept"), p = 0.25;
    double corrected = 1 / (1 + exp(-(slope * log(p / (1 - p)) + intercept)));
    assert_true(fabs(corrected - 0.5) < 0.05);
    CHECK_OK(pg_evaluation_fit_scores(evaluation, folder_path));
    assert_true(fabs(score_number("slope") - slope * slope) < 1e-9);
    assert_true(fabs(score_number("intercept") - (slope * intercept + intercept)) < 1e-9);
    write_text("generation_config.json", "{\"paligemma_scores\": {\"slope\": 0, \"intercept\": 1}}");
    CHECK_FAILS(pg_evaluation_fit_scores(evaluation, folder_path), PG_ERROR_FORMAT, "slope of 0");
    pg_evaluation_close(evaluation);
    evaluation = measure_lines(PG_EVAL_DETECT,
                               "{\"image\":\"a.png\",\"prefix\":\"detect cat\",\"suffix\":\"<loc0000><loc0000>"
                               "<loc0512><loc0512> cat\"}\n",
                               "{\"width\":100,\"height\":50,\"objects\":[]}\n");
    CHECK_FAILS(pg_evaluation_fit_scores(evaluation, folder_path), PG_ERROR_ARGUMENT, "at least 50 objects");
    pg_evaluation_close(evaluation);
}

/* As other detectors have them: good enough to sort by. */
static void scores_need_not_be_probabilities(void **state)
{
    (void)state;
    const char *references = "{\"image\":\"a.png\",\"prefix\":\"detect cat\",\"suffix\":\"<loc0000><loc0000><loc0512>"
                             "<loc0512> cat\"}\n";
    static const char *const scores[] = {"17.5", "-2", "0.5"};
    for (size_t i = 0; i < 3; i++) {
        char predictions[128];
        snprintf(predictions, sizeof predictions,
                 "{\"width\":100,\"height\":50,\"objects\":[{\"label\":\"cat\",\"score\":%s,\"box\":[0,0,50,25]}]}\n",
                 scores[i]);
        pg_evaluation *evaluation = measure_lines(PG_EVAL_DETECT, references, predictions);
        assert_true(fabs(figure(evaluation, "AP") - 1) < CLOSE);
        assert_int_equal(has_figure(evaluation, "calibration error"), i == 2);
        pg_evaluation_close(evaluation);
    }
}

/* ---------------------------------------------------------------- memory */

static pg_status evaluate(void)
{
    pg_evaluation *evaluation;
    PG_TRY(pg_evaluation_open(&evaluation, PG_EVAL_DETECT, folder_file("objects.jsonl"), NULL));
    pg_status status = pg_evaluation_load(evaluation, folder_file("found.jsonl"));
    if (status == PG_OK)
        status = pg_evaluation_measure(evaluation);
    if (status == PG_OK)
        status = pg_evaluation_report(evaluation, folder_file("report.html"), NULL);
    pg_evaluation_close(evaluation);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    write_text("objects.jsonl",
               "{\"image\":\"gone.png\",\"prefix\":\"detect cat\",\"suffix\":\"<loc0000><loc0000><loc0512><loc0512> "
               "cat\"}\n");
    write_text("found.jsonl", "{\"width\":100,\"height\":50,\"text\":\"x\",\"objects\":[{\"label\":\"cat\",\"score\":1,"
                              "\"box\":[0,0,50,25]}]}\n");
    sweep_include_json();
    CHECK_SWEEP(evaluate());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_of_coco),
        cmocka_unit_test(questions_of_vqa),
        cmocka_unit_test(objects_of_coco),
        cmocka_unit_test(rows_about_the_same_are_one_case),
        cmocka_unit_test(questions_may_have_texts_as_ids),
        cmocka_unit_test(answers_of_all_text_tasks),
        cmocka_unit_test(objects_out_of_texts),
        cmocka_unit_test(phrases_that_refer),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(missing_predictions_are_named),
        cmocka_unit_test(scores_are_corrected),
        cmocka_unit_test(scores_need_not_be_probabilities),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

/* COCO's files and figures against pycocotools; files that do not fit together. */
#include "temporary_folder.h"
#include "sweep.h"

#include <math.h>

#include "base/json.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"

static void check_number(const char *what, double found, const json_t *expected)
{
    double value = json_number_value(expected);
    if (!json_is_number(expected) || !(fabs(found - value) <= 1e-9))
        fail_msg("%s: %.9g, expected %.9g", what, found, value);
}

static void check_scores(const pg_coco_scores *found, const json_t *expected)
{
    const struct {
        const char *name;
        double value;
    } scores[] = {
        {"AP", found->ap},
        {"AP50", found->ap50},
        {"AP75", found->ap75},
        {"APsmall", found->ap_small},
        {"APmedium", found->ap_medium},
        {"APlarge", found->ap_large},
        {"AR1", found->ar1},
        {"AR10", found->ar10},
        {"AR100", found->ar100},
        {"ARsmall", found->ar_small},
        {"ARmedium", found->ar_medium},
        {"ARlarge", found->ar_large},
    };
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++)
        check_number(scores[i].name, scores[i].value, json_object_get(expected, scores[i].name));
}

static void check_categories(const pg_coco_evaluation *evaluation, const pg_coco_scores *found, const json_t *expected)
{
    assert_int_equal(pg_coco_evaluation_categories(evaluation), json_object_size(expected));
    for (size_t i = 0; i < json_object_size(expected); i++) {
        int64_t id;
        char key[24];
        assert_non_null(pg_coco_evaluation_category(evaluation, i, &id));
        snprintf(key, sizeof key, "%lld", (long long)id);
        check_number(key, found[i].ap, json_object_get(expected, key));
    }
}

static void check_case(const char *truth, const char *results, const json_t *expected, bool masks)
{
    pg_coco_evaluation *evaluation;
    pg_coco_scores scores, each[8];
    CHECK_OK(pg_coco_evaluation_open(&evaluation, truth, masks));
    CHECK_OK(pg_coco_evaluation_load(evaluation, results));
    CHECK_OK(pg_coco_evaluation_measure(&scores, each, evaluation));
    check_scores(&scores, expected);
    check_categories(evaluation, each, json_object_get(expected, "AP_per_category"));
    CHECK_OK(pg_coco_evaluation_measure(&scores, NULL, evaluation)); /* and once more */
    check_scores(&scores, expected);
    pg_coco_evaluation_close(evaluation);
}

static void figures_are_the_reference_s(void **state)
{
    (void)state;
    json_t *expected;
    CHECK_OK(pg_json_load(&expected, GOLDEN "coco_expected.json"));
    check_case(GOLDEN "coco_gt.json", GOLDEN "coco_det.json", json_object_get(expected, "bbox"), false);
    check_case(GOLDEN "coco_gt.json", GOLDEN "coco_segm.json", json_object_get(expected, "segm"), true);
    json_decref(expected);
    CHECK_OK(pg_json_load(&expected, GOLDEN "coco_ties_expected.json"));
    check_case(GOLDEN "coco_ties_gt.json", GOLDEN "coco_ties_det.json", json_object_get(expected, "bbox"), false);
    check_case(GOLDEN "coco_ties_gt.json", GOLDEN "coco_ties_segm.json", json_object_get(expected, "segm"), true);
    json_decref(expected);
}

/* Two pictures of 40 x 30 pixels, two categories, one object. The area is the box's, there is none. */
#define TRUTH(annotations)                                                                                      \
    "{\"images\":[{\"id\":-3,\"file_name\":\"a\",\"width\":40,\"height\":30},"                                  \
    "{\"id\":5,\"file_name\":\"b\"}],\"categories\":[{\"id\":8,\"name\":\"cat\"},{\"id\":1,\"name\":\"dog\"}]," \
    "\"annotations\":[" annotations "]}"
#define OBJECT \
    "{\"id\":0,\"image_id\":-3,\"category_id\":1,\"bbox\":[10,10,20,10],\"segmentation\":[[10,10,30,10,30,20,10,20]]}"

static pg_coco_evaluation *open_one(bool masks)
{
    pg_coco_evaluation *evaluation;
    CHECK_OK(
        pg_coco_evaluation_open(&evaluation, folder_write("truth.json", TRUTH(OBJECT), strlen(TRUTH(OBJECT))), masks));
    return evaluation;
}

static void finds_can_be_added_one_by_one(void **state)
{
    (void)state;
    pg_coco_scores scores, each[2];
    const double box[] = {10, 10, 20, 10}, other[] = {0, 0, 40, 30};
    pg_coco_evaluation *evaluation = open_one(false);
    assert_int_equal(pg_coco_evaluation_categories(evaluation), 2);
    assert_string_equal(pg_coco_evaluation_category(evaluation, 0, NULL), "cat");
    CHECK_OK(pg_coco_evaluation_measure(&scores, each, evaluation)); /* nothing was found */
    assert_true(scores.ap == 0 && each[0].ap == -1 && each[1].ar100 == 0);
    CHECK_OK(pg_coco_evaluation_add(evaluation, -3, 1, 0.5, other, NULL));
    CHECK_OK(pg_coco_evaluation_add(evaluation, -3, 1, 0.9, box, NULL)); /* the annotation's id is 0 */
    CHECK_OK(pg_coco_evaluation_measure(&scores, each, evaluation));
    assert_true(fabs(scores.ap - 1) < 1e-12 && fabs(scores.ap_small - 1) < 1e-12 && scores.ap_large == -1);
    CHECK_FAILS(pg_coco_evaluation_add(evaluation, 4, 1, 0.9, box, NULL), PG_ERROR_FORMAT, "no picture of id 4");
    CHECK_FAILS(pg_coco_evaluation_add(evaluation, 5, 1, 0.9, box, NULL), PG_ERROR_FORMAT, "picture 5");
    CHECK_FAILS(pg_coco_evaluation_add(evaluation, -3, 1, NAN, box, NULL), PG_ERROR_FORMAT, "score");
    CHECK_FAILS(pg_coco_evaluation_add(evaluation, -3, 1, 1, NULL, NULL), PG_ERROR_FORMAT, "\"bbox\" is missing");
    pg_coco_evaluation_close(evaluation);
    evaluation = open_one(true);
    CHECK_FAILS(pg_coco_evaluation_add(evaluation, -3, 1, 1, box, NULL), PG_ERROR_FORMAT,
                "\"segmentation\" is missing");
    CHECK_OK(pg_coco_evaluation_add(evaluation, -3, 1, 0.5, NULL, "f9:d00000000000000000000000000000000000000R9"));
    pg_coco_evaluation_close(evaluation);
    pg_coco_evaluation_close(NULL);
}

static void wrong_annotations_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *annotation, *error;
        bool masks;
    } cases[] = {
        {"{\"id\":7,\"image_id\":9,\"category_id\":1,\"bbox\":[0,0,1,1]}", "annotation 7: there is no picture of id 9",
         false},
        {"{\"id\":7,\"image_id\":5,\"category_id\":1,\"bbox\":[0,0,1,1]}", "picture 5 in", false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":9,\"bbox\":[0,0,1,1]}",
         "annotation 7: there is no category of id 9", false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1}", "annotation 7: \"bbox\" is missing", false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1,\"bbox\":[1,1,-4,2]}", "annotation 7: the box is -4 pixels wide",
         false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1,\"bbox\":[41,1,4,2]}",
         "annotation 7: the box (41, 1, 4, 2) lies outside", false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1,\"bbox\":[0,0,1,1],\"area\":\"x\"}", "\"area\"", false},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1,\"bbox\":[0,0,1,1]}", "annotation 7: \"segmentation\" is missing",
         true},
        {"{\"id\":7,\"image_id\":-3,\"category_id\":1,\"segmentation\":[[1,2]]}",
         "annotation 7: a polygon of 1 corners", true},
    };
    char text[1024];
    pg_coco_evaluation *evaluation;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int size = snprintf(text, sizeof text, TRUTH("%s"), cases[i].annotation);
        const char *path = folder_write("wrong.json", text, (size_t)size);
        CHECK_FAILS(pg_coco_evaluation_open(&evaluation, path, cases[i].masks), PG_ERROR_FORMAT, cases[i].error);
        assert_null(evaluation);
    }
    CHECK_FAILS(pg_coco_evaluation_open(&evaluation, folder_file("absent"), false), PG_ERROR_FILE, "absent");
}

#define RESULT "{\"image_id\":-3,\"category_id\":1,\"score\":0.5,\"bbox\":[1,1,3,3]}"

static void wrong_results_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[" RESULT ",{\"image_id\":6,\"category_id\":1,\"score\":0.5,\"bbox\":[1,1,3,3]}]",
         "result 1: there is no picture of id 6"},
        {"[{\"image_id\":-3,\"category_id\":2,\"score\":0.5,\"bbox\":[1,1,3,3]}]",
         "result 0: there is no category of id 2"},
        {"[{\"image_id\":-3,\"category_id\":1,\"bbox\":[1,1,3,3]}]", "result 0: \"score\" is missing"},
        {"[{\"category_id\":1,\"score\":1,\"bbox\":[1,1,3,3]}]", "result 0: \"image_id\" is missing"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":\"1\",\"bbox\":[1,1,3,3]}]", "\"score\": found"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"bbox\":[1,1,3]}]", "found 3 numbers, expected 4"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"bbox\":[1,\"\\u0031\",3,4]}]", "expected a number"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"bbox\":[]}]", "\"bbox\" is missing"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"bbox\":[1,99,3,3]}]",
         "result 0: the box (1, 99, 3, 3) lies outside"},
        {"[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"segmentation\":{\"size\":[3,4],\"counts\":\"1\"}}]",
         "expected [30, 40]"},
        {"{}", "expected \"[\""},
        {"[" RESULT "] x", "found \"x"},
    };
    pg_coco_evaluation *evaluation = open_one(false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(pg_coco_evaluation_load(evaluation, folder_write("r.json", cases[i].text, strlen(cases[i].text))),
                    PG_ERROR_FORMAT, cases[i].error);
    CHECK_OK(pg_coco_evaluation_load(evaluation, folder_write("r.json", "[]", 2)));
    CHECK_FAILS(pg_coco_evaluation_load(evaluation, folder_file("absent")), PG_ERROR_FILE, "absent");
    pg_coco_evaluation_close(evaluation);
}

/* A result file that ends anywhere is refused. */
static void cut_results_are_refused(void **state)
{
    (void)state;
    pg_coco_evaluation *evaluation = open_one(false);
    for (size_t size = 0; size < strlen("[" RESULT "]"); size++)
        CHECK_FAILS(pg_coco_evaluation_load(evaluation, folder_write("r.json", "[" RESULT "]", size)), PG_ERROR_FORMAT,
                    "r.json");
    pg_coco_evaluation_close(evaluation);
}

static pg_status evaluate(bool masks)
{
    pg_coco_evaluation *evaluation;
    pg_coco_scores scores;
    PG_TRY(pg_coco_evaluation_open(&evaluation, folder_file("truth.json"), masks));
    pg_status status = pg_coco_evaluation_load(evaluation, folder_file("found.json"));
    if (status == PG_OK)
        status = pg_coco_evaluation_measure(&scores, NULL, evaluation);
    pg_coco_evaluation_close(evaluation);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    const char found[] =
        "[{\"image_id\":-3,\"category_id\":1,\"score\":1,\"segmentation\":[[1,2,9,9,9,2],[2,2,9,2,9,9]]}]";
    pg_coco_evaluation_close(open_one(true));
    folder_write("found.json", found, strlen(found));
    sweep_include_json();
    CHECK_SWEEP(evaluate(false));
    CHECK_SWEEP(evaluate(true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_the_reference_s), cmocka_unit_test(finds_can_be_added_one_by_one),
        cmocka_unit_test(wrong_annotations_are_named), cmocka_unit_test(wrong_results_are_named),
        cmocka_unit_test(cut_results_are_refused),     cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

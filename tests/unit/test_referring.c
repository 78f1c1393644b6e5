/* Answers to referring expressions against big_vision's evaluator; classes of pixels. */
#include "check.h"

#include <math.h>

#include "base/json.h"
#include "image/image.h"
#include "metrics/referring.h"
#include "tensor/safetensors.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define CASES  16

static json_t *facts;

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const json_t *case_at(size_t i)
{
    return json_array_get(json_object_get(facts, "cases"), i);
}

/* The text's four <loc> and sixteen <seg> numbers; false if it has others. */
static bool read_text(int locs[4], int32_t codes[16], const char *text)
{
    int used = 0;
    for (int i = 0; i < 4; i++, text += used, used = 0)
        if (sscanf(text, "<loc%4d>%n", &locs[i], &used) != 1 || !used)
            return false;
    for (int i = 0; i < 16; i++, text += used, used = 0)
        if (sscanf(text, "<seg%3d>%n", &codes[i], &used) != 1 || !used)
            return false;
    return *text == 0 && locs[2] > locs[0] && locs[3] > locs[1];
}

/* Boxes as x, y, width, height in fractions. */
static void read_true_box(double box[4], const json_t *fact)
{
    double sides[4];
    for (size_t i = 0; i < 4; i++)
        sides[i] = json_number_value(json_array_get(json_object_get(fact, "gt_box_yxyx"), i));
    const double found[] = {sides[1], sides[0], sides[3] - sides[1], sides[2] - sides[0]};
    memcpy(box, found, sizeof found);
}

static void set_found_box(double box[4], const int locs[4])
{
    for (int i = 0; i < 2; i++) {
        box[i] = locs[1 - i] / 1023.0;
        box[2 + i] = locs[3 - i] / 1023.0 - locs[1 - i] / 1023.0;
    }
}

static void check_averages(const pg_referring_case *cases)
{
    pg_referring_scores scores;
    pg_referring_average(&scores, cases, CASES);
    assert_true(fabs(scores.miou - number(facts, "miou")) < 1e-9);
    assert_true(fabs(scores.ciou - number(facts, "ciou")) < 1e-9);
    assert_true(fabs(scores.box_accuracy_50 - number(facts, "box_acc_50")) < 1e-9);
    assert_true(fabs(scores.box_accuracy_75 - number(facts, "box_acc_75")) < 1e-9);
    assert_int_equal(scores.invalid, number(facts, "invalid"));
    assert_int_equal(scores.cases, CASES);
}

/* Boxes from the texts, pixels as the reference counted them. */
static void boxes_are_the_reference_s(void **state)
{
    (void)state;
    pg_referring_case cases[CASES];
    for (size_t i = 0; i < CASES; i++) {
        const json_t *fact = case_at(i);
        int locs[4];
        int32_t codes[16];
        double truth[4], found[4];
        bool valid = read_text(locs, codes, json_string_value(json_object_get(fact, "text")));
        assert_int_equal(valid, json_is_true(json_object_get(fact, "valid")));
        read_true_box(truth, fact);
        set_found_box(found, locs);
        pg_referring_compare(&cases[i], truth, NULL, valid ? found : NULL, NULL);
        assert_true(fabs(cases[i].box_iou - number(fact, "box_iou")) < 1e-9);
        cases[i].iou = number(fact, "iou");
        cases[i].shared = (uint64_t)number(fact, "intersection");
        cases[i].either = (uint64_t)number(fact, "union");
    }
    check_averages(cases);
}

#ifdef PG_SHARED_FOLDER
static void read_true_mask(pg_mask *out, const pg_safetensors *file, const json_t *fact, size_t i)
{
    char name[16];
    snprintf(name, sizeof name, "gt%zu", i);
    CHECK_OK(pg_mask_new(out, (size_t)number(fact, "width"), (size_t)number(fact, "height")));
    const uint8_t *bits = pg_safetensors_find(file, name)->data;
    for (size_t k = 0; k < out->width * out->height; k++)
        out->pixels[k] = bits[k / 8] >> (7 - k % 8) & 1;
}

static void place(pg_mask *out, const pg_mask_codec *codec, const int32_t codes[16], const int locs[4], size_t width,
                  size_t height)
{
    float values[PG_MASK_SIDE * PG_MASK_SIDE];
    CHECK_OK(pg_mask_codec_decode(values, codec, codes, 1, 1));
    CHECK_OK(pg_mask_new(out, width, height));
    CHECK_OK(pg_mask_place(out->pixels, width, height, values, locs));
}

static void masks_are_the_reference_s(void **state)
{
    (void)state;
    pg_safetensors *file;
    pg_mask_codec *codec;
    pg_referring_case cases[CASES];
    CHECK_OK(pg_safetensors_open(&file, GOLDEN "refcoco_masks.safetensors"));
    CHECK_OK(pg_mask_codec_open(&codec, PG_SHARED_FOLDER "/golden/tasks/segmentation/vae-random.npz"));
    for (size_t i = 0; i < CASES; i++) {
        const json_t *fact = case_at(i);
        int locs[4];
        int32_t codes[16];
        double truth_box[4], found_box[4];
        pg_mask truth, found = {0};
        read_true_mask(&truth, file, fact, i);
        read_true_box(truth_box, fact);
        bool valid = read_text(locs, codes, json_string_value(json_object_get(fact, "text")));
        set_found_box(found_box, locs);
        if (valid)
            place(&found, codec, codes, locs, truth.width, truth.height);
        pg_referring_compare(&cases[i], truth_box, &truth, valid ? found_box : NULL, &found);
        assert_int_equal(cases[i].shared, number(fact, "intersection"));
        assert_int_equal(cases[i].either, number(fact, "union"));
        assert_true(fabs(cases[i].iou - number(fact, "iou")) < 1e-9);
        pg_mask_free(&truth);
        pg_mask_free(&found);
    }
    check_averages(cases);
    pg_mask_codec_close(codec);
    pg_safetensors_close(file);
}
#endif

static void classes_of_pixels_are_averaged(void **state)
{
    (void)state;
    const uint8_t truth[] = {0, 0, 1, 1, 255, 3}, found[] = {0, 1, 1, 1, 2, 0};
    uint64_t shared[4] = {0}, either[4] = {0};
    CHECK_OK(pg_class_pixels_add(shared, either, 4, truth, found, 6, 255));
    assert_true(shared[0] == 1 && either[0] == 3 && shared[1] == 2 && either[1] == 3 && !either[2] && either[3] == 1);
    assert_true(fabs(pg_class_pixels_iou(shared, either, 4) - (1.0 / 3 + 2.0 / 3 + 0) / 3) < 1e-12);
    assert_true(pg_class_pixels_iou(shared, either, 0) == -1);
    CHECK_FAILS(pg_class_pixels_add(shared, either, 4, truth, found, 6, -1), PG_ERROR_FORMAT,
                "pixel 4 is of class 255");
    CHECK_FAILS(pg_class_pixels_add(shared, either, 4, truth, (const uint8_t[]){9}, 1, -1), PG_ERROR_FORMAT, "class 9");
}

static void nothing_is_an_answer_too(void **state)
{
    (void)state;
    pg_referring_scores scores;
    pg_referring_average(&scores, NULL, 0);
    assert_true(scores.miou == 0 && scores.ciou == 0 && scores.cases == 0);
}

int main(void)
{
    CHECK_OK(pg_json_load(&facts, GOLDEN "refcoco.json"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_the_reference_s),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(masks_are_the_reference_s),
#endif
        cmocka_unit_test(classes_of_pixels_are_averaged),
        cmocka_unit_test(nothing_is_an_answer_too),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(facts);
    return failed;
}

/* Decoded masks in their boxes are the reference's, pixel by pixel. */
#include "sweep.h"

#include "base/json.h"
#include "tensor/safetensors.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/segmentation/"
#define PLACES ((size_t)PG_MASK_SIDE * PG_MASK_SIDE)

typedef struct placing {
    int places[4];
    size_t number, mask, width, height;
    bool valid;
    size_t box[4], pixels; /* of a valid one */
} placing;

static int64_t whole(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

static placing read_case(const json_t *row)
{
    static const size_t upright[] = {1, 0, 3, 2}; /* y1, x1, y2, x2 in the file */
    placing out = {.number = (size_t)whole(row, "case"),
                   .mask = (size_t)whole(row, "mask"),
                   .width = (size_t)whole(row, "width"),
                   .height = (size_t)whole(row, "height"),
                   .pixels = (size_t)whole(row, "pixels"),
                   .valid = json_is_true(json_object_get(row, "valid"))};
    for (size_t i = 0; i < 4; i++) {
        out.places[i] = (int)json_integer_value(json_array_get(json_object_get(row, "locs"), i));
        out.box[i] = (size_t)json_integer_value(json_array_get(json_object_get(row, "box_int"), upright[i]));
    }
    return out;
}

static void check_case(const placing *wanted, const pg_safetensors *arrays)
{
    char name[16];
    size_t box[4], pixels = wanted->width * wanted->height, inside = 0;
    uint8_t *mask = pg_alloc(pixels, 1);
    const float *values = (const float *)pg_safetensors_find(arrays, "masks64")->data + wanted->mask * PLACES;
    memset(mask, 7, pixels);
    CHECK_OK(pg_mask_place(mask, wanted->width, wanted->height, values, wanted->places));
    assert_int_equal(pg_box_pixels(box, wanted->places, wanted->width, wanted->height), wanted->valid);
    if (wanted->valid)
        assert_memory_equal(box, wanted->box, sizeof box);
    snprintf(name, sizeof name, "place%zu", wanted->number);
    const pg_array *expected = pg_safetensors_find(arrays, name);
    assert_int_equal(expected != NULL, wanted->valid);
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *bits = expected ? expected->data : NULL;
        assert_int_equal(mask[i], bits ? bits[i / 8] >> (7 - i % 8) & 1 : 0);
        inside += mask[i];
    }
    assert_int_equal(inside, wanted->pixels);
    pg_free(mask);
}

static void masks_are_placed_as_the_reference_does(void **state)
{
    (void)state;
    pg_safetensors *arrays;
    FILE *file = fopen(GOLDEN "place.jsonl", "r");
    char line[512];
    size_t count = 0;
    assert_non_null(file);
    CHECK_OK(pg_safetensors_open(&arrays, GOLDEN "place.safetensors"));
    for (; fgets(line, sizeof line, file); count++) {
        json_t *row;
        CHECK_OK(pg_json_parse(&row, line, strlen(line), "place.jsonl"));
        placing wanted = read_case(row);
        check_case(&wanted, arrays);
        json_decref(row);
    }
    fclose(file);
    pg_safetensors_close(arrays);
    assert_int_equal(count, 12);
}

static float values[64 * 64];

static void numbers_that_no_token_has_are_refused(void **state)
{
    (void)state;
    uint8_t mask[16];
    size_t box[4];
    static const int wrong[][4] = {{0, 0, 1024, 1023}, {-1, 0, 1023, 1023}, {0, 0, 1023, 1 << 30}};
    for (size_t i = 0; i < 3; i++) {
        assert_false(pg_box_pixels(box, wrong[i], 4, 4));
        CHECK_FAILS(pg_mask_place(mask, 4, 4, values, wrong[i]), PG_ERROR_ARGUMENT, "expected 0 to 1023");
    }
}

static pg_status place_one(void)
{
    uint8_t mask[64];
    return pg_mask_place(mask, 8, 8, values, (int[]){0, 0, 1023, 1023});
}

static void memory_fails(void **state)
{
    (void)state;
    CHECK_SWEEP(place_one());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_placed_as_the_reference_does),
        cmocka_unit_test(numbers_that_no_token_has_are_refused),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Masks of polygons and runs against pycocotools (tests/golden/data/make_masks.py). */
#include "sweep.h"

#include "base/file.h"
#include "objects/mask.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/data/masks.jsonl"

/* The mask's run lengths down the columns are those expected. */
static void check_runs(const pg_mask *mask, const json_t *runs, size_t row)
{
    size_t pixels = mask->width * mask->height, run = 0, left = (size_t)json_integer_value(json_array_get(runs, 0));
    for (size_t i = 0; i < pixels; i++, left--) {
        while (left == 0)
            left = (size_t)json_integer_value(json_array_get(runs, ++run));
        if (mask->pixels[i % mask->height * mask->width + i / mask->height] != run % 2)
            fail_msg("row %zu: pixel %zu, %zu", row, i / mask->height, i % mask->height);
    }
    assert_int_equal(run + 1, json_array_size(runs));
}

static size_t number(const json_t *object, const char *key)
{
    return (size_t)json_integer_value(json_object_get(object, key));
}

static void masks_are_those_of_pycocotools(void **state)
{
    (void)state;
    pg_buffer text = {0};
    size_t row = 0;
    CHECK_OK(pg_file_read(&text, GOLDEN, SIZE_MAX));
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1, row++) {
        json_t *object;
        pg_mask mask;
        CHECK_OK(pg_json_parse(&object, line, (size_t)(end - line), "masks.jsonl"));
        CHECK_OK(pg_mask_new(&mask, number(object, "width"), number(object, "height")));
        CHECK_OK(pg_mask_add_json(&mask, json_object_get(object, "segmentation")));
        check_runs(&mask, json_object_get(object, "runs"), row);
        pg_mask_free(&mask);
        json_decref(object);
    }
    assert_int_equal(row, 190);
    pg_buffer_free(&text);
}

static pg_status add(const char *segmentation)
{
    json_t *object;
    pg_mask mask;
    CHECK_OK(pg_json_parse(&object, segmentation, strlen(segmentation), "test"));
    pg_status status = pg_mask_new(&mask, 4, 3);
    if (status == PG_OK)
        status = pg_mask_add_json(&mask, object);
    pg_mask_free(&mask);
    json_decref(object);
    return status;
}

static void hostile_masks_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[]", "expected polygons"},
        {"[[]]", "0 corners"},
        {"[[1,2,3,4]]", "2 corners"},
        {"[[1,2,3,4,5]]", "coordinates x, y"},
        {"[{\"a\":1}]", "coordinates x, y"},
        {"[[1,2,\"3\",4,5,6]]", "coordinate 2"},
        {"[[1,2,1e300,4,5,6]]", "coordinate 1e+300"},
        {"[[0,0,-1e6,0,1e6,1e6, -1e6,0,1e6,1e6, -1e6,0,1e6,1e6, -1e6,0,1e6,1e6, -1e6,0,1e6,1e6, -1e6,0,1e6,1e6]]",
         "an outline of"},
        {"{}", "size"},
        {"{\"size\":[4,3],\"counts\":[12]}", "expected [3, 4]"},
        {"{\"size\":[3,4],\"counts\":3}", "a text or a list"},
        {"{\"size\":[3,4],\"counts\":[11]}", "11 pixels, the picture has 12"},
        {"{\"size\":[3,4],\"counts\":[5,8]}", "run 1 of a mask is 8 pixels, 7 are left"},
        {"{\"size\":[3,4],\"counts\":[5,-1]}", "run 1"},
        {"{\"size\":[3,4],\"counts\":[5,\"7\"]}", "run 1 is not a whole number"},
        {"{\"size\":[3,4],\"counts\":[9223372036854775807]}", "run 0"},
        {"{\"size\":[3,4],\"counts\":\"\"}", "0 pixels"},
        {"{\"size\":[3,4],\"counts\":\"PPPPPPPPPPPP\"}", "no numbers from character 0"},
        {"{\"size\":[3,4],\"counts\":\" \"}", "no numbers"},
        {"{\"size\":[3,4],\"counts\":\"oooooo0oooooo0oooooo0\"}", "run 0"},
        {"{\"size\":[3,4],\"counts\":\"P\"}", "no numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(add(cases[i].text), PG_ERROR_FORMAT, cases[i].error);
    pg_mask mask;
    CHECK_FAILS(pg_mask_new(&mask, 0, 3), PG_ERROR_FORMAT, "0 x 3");
    CHECK_FAILS(pg_mask_new(&mask, 100000, 100000), PG_ERROR_FORMAT, "100000 x 100000");
    CHECK_OK(add("[[0,0,4,0,4,3,0,3]]"));
    CHECK_OK(add("{\"size\":[3,4],\"counts\":[12]}"));
}

static void masks_are_read_from_text(void **state)
{
    (void)state;
    uint8_t mask[12];
    CHECK_OK(pg_mask_read(mask, 4, 3, "{\"size\":[3,4],\"counts\":[2,10]} and more", 30));
    assert_memory_equal(mask, "\0\1\1\1\0\1\1\1\1\1\1\1", 12);
    CHECK_OK(pg_mask_read(mask, 4, 3, "[[0,0,4,0,4,3,0,3]]", SIZE_MAX));
    assert_memory_equal(mask, "\1\1\1\1\1\1\1\1\1\1\1\1", 12);
    CHECK_FAILS(pg_mask_read(mask, 4, 3, "[[0,0,4", SIZE_MAX), PG_ERROR_FORMAT, "mask: ");
    CHECK_FAILS(pg_mask_read(mask, 3, 4, "{\"size\":[3,4],\"counts\":[12]}", SIZE_MAX), PG_ERROR_FORMAT, "[4, 3]");
    CHECK_FAILS(pg_mask_read(mask, 0, 4, "[]", SIZE_MAX), PG_ERROR_FORMAT, "0 x 4");
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(add("[[0,0,4,0,4,3,0,3],[1,1,2,2,1,3]]"));
    CHECK_SWEEP(add("{\"size\":[3,4],\"counts\":[2,10]}"));
    CHECK_SWEEP(add("{\"size\":[3,4],\"counts\":\"2:\"}"));
    uint8_t pixels[12];
    CHECK_SWEEP(pg_mask_read(pixels, 4, 3, "{\"size\":[3,4],\"counts\":[2,10]}", SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_those_of_pycocotools),
        cmocka_unit_test(hostile_masks_are_refused),
        cmocka_unit_test(masks_are_read_from_text),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

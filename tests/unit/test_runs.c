/* Masks as runs: the text that COCO's files hold, and measures, against pycocotools and against pixels. */
#include "sweep.h"

#include "base/json.h"
#include "objects/mask.h"
#include "objects/segmentation.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define WIDTH  13
#define HEIGHT 9

static uint32_t noise = 1;

static uint32_t draw(uint32_t below)
{
    noise = noise * 1664525 + 1013904223;
    return (noise >> 8) % below;
}

static const json_t *record_of(const json_t *annotations, json_int_t id)
{
    size_t i;
    json_t *record;
    json_array_foreach(annotations, i, record)
    {
        if (json_integer_value(json_object_get(record, "id")) == id)
            return record;
    }
    fail_msg("no annotation %lld", (long long)id);
    return NULL;
}

static void check_text(const pg_runs *runs, const char *expected)
{
    pg_buffer text = {0};
    CHECK_OK(pg_runs_print(&text, runs));
    assert_string_equal(text.data, expected);
    pg_buffer_free(&text);
}

static void annotations_have_the_reference_s_runs(void **state)
{
    (void)state;
    json_t *truth, *expected, *mask;
    size_t i;
    CHECK_OK(pg_json_load(&truth, GOLDEN "coco_gt.json"));
    CHECK_OK(pg_json_load(&expected, GOLDEN "coco_expected.json"));
    const json_t *masks = json_object_get(expected, "masks");
    assert_int_equal(json_array_size(masks), 40);
    json_array_foreach(masks, i, mask)
    {
        json_int_t id = json_integer_value(json_object_get(mask, "annotation_id"));
        const json_t *record = record_of(json_object_get(truth, "annotations"), id);
        pg_runs runs, again;
        CHECK_OK(pg_runs_from_json(&runs, 320, 240, json_object_get(record, "segmentation")));
        assert_int_equal(pg_runs_area(&runs), json_integer_value(json_object_get(mask, "mask_pixels")));
        const char *text = json_string_value(json_object_get(mask, "compressed_counts"));
        check_text(&runs, text);
        CHECK_OK(pg_runs_parse(&again, 320, 240, text, strlen(text)));
        assert_int_equal(again.count, runs.count);
        assert_memory_equal(again.lengths, runs.lengths, runs.count * sizeof *runs.lengths);
        pg_runs_free(&again);
        pg_runs_free(&runs);
    }
    json_decref(expected);
    json_decref(truth);
}

/* A few rectangles. */
static void draw_mask(uint8_t pixels[WIDTH * HEIGHT])
{
    memset(pixels, 0, WIDTH * HEIGHT);
    for (uint32_t n = draw(4); n; n--) {
        uint32_t left = draw(WIDTH), top = draw(HEIGHT), right = left + draw(WIDTH), bottom = top + draw(HEIGHT);
        for (uint32_t y = top; y <= bottom && y < HEIGHT; y++)
            for (uint32_t x = left; x <= right && x < WIDTH; x++)
                pixels[y * WIDTH + x] = (uint8_t)(1 + draw(255));
    }
}

static void check_measures(const pg_runs *runs, const uint8_t *pixels)
{
    double box[4];
    size_t area = 0, left = WIDTH, top = HEIGHT, right = 0, bottom = 0;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        if (!pixels[i])
            continue;
        size_t x = i % WIDTH, y = i / WIDTH;
        area++;
        left = x < left ? x : left;
        right = x + 1 > right ? x + 1 : right;
        top = y < top ? y : top;
        bottom = y + 1 > bottom ? y + 1 : bottom;
    }
    assert_int_equal(pg_runs_area(runs), area);
    pg_runs_box(box, runs);
    const size_t sides[] = {left, top, right - left, bottom - top};
    for (int i = 0; i < 4; i++)
        assert_true(box[i] == (area ? (double)sides[i] : 0));
}

static void check_pixels(const pg_runs *runs, const uint8_t *pixels)
{
    pg_mask mask;
    CHECK_OK(pg_mask_new(&mask, WIDTH, HEIGHT));
    pg_mask_add_runs(&mask, runs);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        assert_int_equal(mask.pixels[i], pixels[i] != 0);
    pg_mask_free(&mask);
}

static void runs_do_what_pixels_do(void **state)
{
    (void)state;
    uint8_t a[WIDTH * HEIGHT], b[WIDTH * HEIGHT];
    pg_runs runs, other;
    for (int round = 0; round < 2000; round++) {
        size_t shared = 0;
        draw_mask(a);
        draw_mask(b);
        CHECK_OK(pg_runs_from_pixels(&runs, a, WIDTH, HEIGHT));
        CHECK_OK(pg_runs_from_pixels(&other, b, WIDTH, HEIGHT));
        check_pixels(&runs, a);
        check_measures(&runs, a);
        for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
            shared += a[i] && b[i];
            a[i] |= b[i];
        }
        assert_int_equal(pg_runs_shared(&runs, &other), shared);
        CHECK_OK(pg_runs_add(&runs, &other));
        check_pixels(&runs, a);
        for (size_t i = 1; i < runs.count; i++)
            assert_true(runs.lengths[i] || i + 1 == runs.count); /* no empty run in between */
        pg_runs_free(&runs);
        pg_runs_free(&other);
    }
}

/* Runs of no length are allowed anywhere. */
static void empty_runs_are_passed_over(void **state)
{
    (void)state;
    pg_runs runs, other;
    const int64_t lengths[] = {2, 0, 1, 3, 0, 0, 0, 2, 4, 0}, plain[] = {0, 12};
    CHECK_OK(pg_runs_new(&runs, 4, 3, lengths, 10));
    CHECK_OK(pg_runs_new(&other, 4, 3, plain, 2));
    assert_int_equal(pg_runs_area(&runs), 5);
    assert_int_equal(pg_runs_shared(&runs, &other), 5);
    double box[4];
    pg_runs_box(box, &runs);
    assert_true(box[0] == 1 && box[1] == 0 && box[2] == 2 && box[3] == 3);
    pg_runs_free(&runs);
    pg_runs_free(&other);
}

static pg_status use_runs(void)
{
    static const uint8_t pixels[] = {0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0};
    pg_runs runs = {0}, other = {0};
    pg_buffer text = {0};
    pg_status status;
    PG_TRY_GOTO(pg_runs_from_pixels(&runs, pixels, 4, 3));
    PG_TRY_GOTO(pg_runs_print(&text, &runs));
    PG_TRY_GOTO(pg_runs_parse(&other, 4, 3, text.data, text.size));
    PG_TRY_GOTO(pg_runs_add(&runs, &other));
done:
    pg_buffer_free(&text);
    pg_runs_free(&runs);
    pg_runs_free(&other);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(use_runs());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_have_the_reference_s_runs),
        cmocka_unit_test(runs_do_what_pixels_do),
        cmocka_unit_test(empty_runs_are_passed_over),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

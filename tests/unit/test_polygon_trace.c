/* Outlines of masks: filled again they give the mask back, whatever its holes and corners. */
#include "sweep.h"

#include "objects/mask.h"
#include "objects/polygon.h"

/* All outlines filled, one over the other. */
static void fill(pg_mask *mask, const pg_polygons *polygons)
{
    for (size_t i = 0, start = 0; i < polygons->count; start = polygons->ends[i++]) {
        pg_runs runs;
        CHECK_OK(pg_runs_from_polygon(&runs, mask->width, mask->height, polygons->corners + 2 * start,
                                      polygons->ends[i] - start));
        pg_mask_add_runs(mask, &runs);
        pg_runs_free(&runs);
    }
}

static size_t check_mask(const uint8_t *pixels, size_t width, size_t height)
{
    pg_polygons polygons;
    pg_mask mask;
    CHECK_OK(pg_polygons_trace(&polygons, pixels, width, height));
    CHECK_OK(pg_mask_new(&mask, width, height));
    fill(&mask, &polygons);
    for (size_t i = 0; i < width * height; i++)
        if (mask.pixels[i] != (pixels[i] != 0))
            fail_msg("%zu x %zu: pixel %zu, %zu", width, height, i % width, i / width);
    size_t count = polygons.count;
    pg_mask_free(&mask);
    pg_polygons_free(&polygons);
    return count;
}

static void every_small_mask_comes_back(void **state)
{
    (void)state;
    uint8_t pixels[16];
    for (int mask = 0; mask < 1 << 16; mask++) {
        for (int i = 0; i < 16; i++)
            pixels[i] = (uint8_t)(mask >> i & 1);
        check_mask(pixels, 4, 4);
    }
}

static void noise_comes_back(void **state)
{
    (void)state;
    uint8_t pixels[37 * 29];
    uint32_t noise = 7;
    for (uint32_t density = 5; density < 100; density += 5)
        for (int round = 0; round < 10; round++) {
            for (size_t i = 0; i < sizeof pixels; i++) {
                noise = noise * 1664525 + 1013904223;
                pixels[i] = (noise >> 8) % 100 < density;
            }
            check_mask(pixels, 37, 29);
            check_mask(pixels, 29, 37);
        }
}

static void check_outline(const char *rows, size_t width, size_t height, size_t parts, const double *corners,
                          size_t count)
{
    uint8_t pixels[64];
    pg_polygons polygons;
    for (size_t i = 0; i < width * height; i++)
        pixels[i] = rows[i] == '#';
    assert_int_equal(check_mask(pixels, width, height), parts);
    CHECK_OK(pg_polygons_trace(&polygons, pixels, width, height));
    assert_int_equal(polygons.ends[0], count);
    for (size_t i = 0; i < 2 * count; i++)
        assert_true(polygons.corners[i] == corners[i]);
    pg_polygons_free(&polygons);
}

static void outlines_are_as_described(void **state)
{
    (void)state;
    check_outline("..."
                  ".##",
                  3, 2, 1, (double[]){1, 1, 3, 1, 3, 2, 1, 2}, 4);
    check_outline("#."
                  ".#", /* touching by a corner: two parts */
                  2, 2, 2, (double[]){0, 0, 1, 0, 1, 1, 0, 1}, 4);
    check_outline("####"
                  "#..#"
                  "####", /* up from the hole's corner, into the upper side */
                  4, 3, 1, (double[]){0, 0, 1, 0, 1, 2, 3, 2, 3, 1, 1, 1, 1, 0, 4, 0, 4, 3, 0, 3}, 10);
    pg_polygons none;
    CHECK_OK(pg_polygons_trace(&none, (const uint8_t[]){0, 0}, 2, 1));
    assert_int_equal(none.count, 0);
    pg_polygons_free(&none);
    CHECK_FAILS(pg_polygons_trace(&none, NULL, 0, 1), PG_ERROR_FORMAT, "0 x 1");
}

static pg_status trace(void)
{
    const uint8_t pixels[] = {1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1};
    pg_polygons polygons;
    pg_runs runs;
    PG_TRY(pg_polygons_trace(&polygons, pixels, 4, 4));
    pg_status status = pg_runs_from_polygon(&runs, 4, 4, polygons.corners, polygons.ends[0]);
    pg_polygons_free(&polygons);
    pg_runs_free(&runs);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(trace());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_mask_comes_back),
        cmocka_unit_test(noise_comes_back),
        cmocka_unit_test(outlines_are_as_described),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Heat maps over pictures, and the map of colours. */
#include "check.h"
#include "sweep.h"

#include <math.h>

#include "image/image.h"
#include "image/palette.h"

static pg_image *plain(size_t width, size_t height, uint8_t value)
{
    pg_image *image;
    CHECK_OK(pg_image_blank(&image, width, height));
    memset(image->pixels, value, width * height * 3);
    return image;
}

static const uint8_t *pixel(const pg_image *image, size_t x, size_t y)
{
    return image->pixels + (y * image->width + x) * 3;
}

static double lightness(const double color[3])
{
    double sum = 0;
    static const double weights[3] = {0.2126, 0.7152, 0.0722};
    for (size_t c = 0; c < 3; c++)
        sum += weights[c] * (color[c] <= 0.04045 ? color[c] / 12.92 : pow((color[c] + 0.055) / 1.055, 2.4));
    return sum > 0.008856 ? 116 * cbrt(sum) - 16 : 903.3 * sum;
}

/* Lightness grows evenly: about 98 in 50 steps. */
static void colours_are_even(void **state)
{
    (void)state;
    double color[3], before = 0;
    pg_color_heat(color, 0);
    assert_true(lightness(color) < 1);
    for (int i = 1; i <= 50; i++) {
        pg_color_heat(color, i / 50.0);
        double step = lightness(color) - before;
        if (step < 0.8 || step > 3.2)
            fail_msg("step %d: lightness grows by %g", i, step);
        before += step;
    }
    assert_true(before > 95);
    const double last[3] = {0.988, 0.998, 0.645};
    assert_memory_equal(color, last, sizeof last);
}

/* The hottest value has the last colour at full opacity, the coldest leaves the picture alone, each in the middle of
 * its own patch. */
static void extremes_are_where_they_were(void **state)
{
    (void)state;
    float values[3 * 4] = {5, 5, 5, 5, 5, 5, 9, 5, 5, 5, 5, 5};
    pg_image *image = plain(120, 90, 40), *drawn;
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 4, 3, NULL, &(pg_draw_options){.opacity = 1}));
    const uint8_t *hot = pixel(drawn, 75, 45);
    assert_true(hot[0] > 245 && hot[1] > 240 && hot[2] > 130);
    for (size_t x = 0; x < 15; x++)
        assert_memory_equal(pixel(drawn, x, 10), pixel(image, x, 10), 3);
    pg_image_free(drawn);
    values[6] = 5; /* nothing stands out */
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 4, 3, NULL, NULL));
    assert_memory_equal(drawn->pixels, image->pixels, 120 * 90 * 3);
    pg_image_free(drawn);
    pg_image_free(image);
}

/* Neighbours differ little however few values there are. */
static void it_is_smooth(void **state)
{
    (void)state;
    const float values[4] = {0, 1, 1, 0};
    pg_image *image = plain(200, 200, 0), *drawn;
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 2, 2, NULL, NULL));
    for (size_t y = 1; y < 200; y++)
        for (size_t x = 1; x < 200; x++)
            for (size_t c = 0; c < 3; c++) {
                assert_in_range(pixel(drawn, x, y)[c] + 12 - pixel(drawn, x - 1, y)[c], 0, 24);
                assert_in_range(pixel(drawn, x, y)[c] + 12 - pixel(drawn, x, y - 1)[c], 0, 24);
            }
    pg_image_free(drawn);
    pg_image_free(image);
}

static void odd_values_are_drawn(void **state)
{
    (void)state;
    const float values[6] = {NAN, INFINITY, -INFINITY, 3, 4, -3.4e38F};
    pg_image *image = plain(30, 20, 100), *drawn;
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 3, 2, "", NULL));
    assert_memory_equal(pixel(drawn, 0, 0), pixel(image, 0, 0), 3);
    pg_image_free(drawn);
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 1, 1, NULL, NULL));
    assert_memory_equal(drawn->pixels, image->pixels, 30 * 20 * 3);
    pg_image_free(drawn);
    pg_image_free(image);
}

/* White letters on a dark strip at the bottom, which is no higher than it must be. */
static void captions_are_readable(void **state)
{
    (void)state;
    const float values[1] = {0};
    pg_image *image = plain(200, 100, 255), *drawn;
    CHECK_OK(pg_image_draw_heat(&drawn, image, values, 1, 1, "a cat", NULL));
    size_t dark = 0, white = 0;
    for (size_t y = 0; y < 100; y++)
        for (size_t x = 0; x < 200; x++) {
            dark += pixel(drawn, x, y)[0] < 80;
            white += y > 80 && pixel(drawn, x, y)[0] > 250;
        }
    assert_in_range(dark, 200 * 12, 200 * 25);
    assert_in_range(white, 20, 400);
    assert_memory_equal(drawn->pixels, image->pixels, 200 * 70 * 3);
    const double ground[3] = {0.28, 0.28, 0.28}, letters[3] = {1, 1, 1};
    assert_true(pg_color_contrast(ground, letters) >= 4.5);
    pg_image_free(drawn);
    CHECK_OK(
        pg_image_draw_heat(&drawn, image, values, 1, 1,
                           "far more text than has room in a picture that is as small as this one is: it goes on and "
                           "on, over one line after the other, until somebody puts an end to it",
                           NULL));
    assert_memory_equal(drawn->pixels, image->pixels, 200 * 20 * 3);
    pg_image_free(drawn);
    pg_image_free(image);
}

static void what_cannot_be_drawn_is_told(void **state)
{
    (void)state;
    const float values[1] = {0};
    pg_image *image = plain(20, 10, 255), *drawn;
    CHECK_FAILS(pg_image_draw_heat(&drawn, image, values, 0, 3, NULL, NULL), PG_ERROR_ARGUMENT, "0 x 3 values");
    CHECK_FAILS(pg_image_draw_heat(&drawn, image, values, 1, 1, "\xff", NULL), PG_ERROR_ARGUMENT,
                "caption is not UTF-8");
    CHECK_FAILS(pg_image_draw_heat(&drawn, image, values, 1, 1, NULL, &(pg_draw_options){.opacity = 2}),
                PG_ERROR_ARGUMENT, "opacity of 2");
    pg_image_free(image);
}

static pg_status draw_for_sweep(const pg_image *image)
{
    const float values[4] = {1, 2, 3, 4};
    pg_image *drawn = NULL;
    pg_status status = pg_image_draw_heat(&drawn, image, values, 2, 2, "a caption of two lines", NULL);
    assert_true((status == PG_OK) == (drawn != NULL));
    pg_image_free(drawn);
    return status;
}

static void memory_may_be_short(void **state)
{
    (void)state;
    pg_image *image = plain(90, 60, 255);
    CHECK_SWEEP(draw_for_sweep(image));
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_even),      cmocka_unit_test(extremes_are_where_they_were),
        cmocka_unit_test(it_is_smooth),          cmocka_unit_test(odd_values_are_drawn),
        cmocka_unit_test(captions_are_readable), cmocka_unit_test(what_cannot_be_drawn_is_told),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* image/resize.c and the way to floats, against their definitions written plainly. The reference pictures are in
 * test_image_goldens.c. */
#include "check.h"

#include <math.h>

#include "image/image.h"

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Noise, or black and white only, where sums leave 0..255 the furthest. */
static pg_image *make_picture(size_t width, size_t height, bool extreme)
{
    uint8_t *rgb = pg_alloc(width * height, 3);
    for (size_t i = 0; i < width * height * 3; i++)
        rgb[i] = (uint8_t)(extreme ? draw(2) * 255 : draw(256));
    pg_image *image;
    CHECK_OK(pg_image_new(&image, rgb, width, height, 0));
    pg_free(rgb);
    return image;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* One output of one axis: values stand `step` apart. */
static uint8_t resize_value(const uint8_t *values, size_t in, size_t out, size_t step, size_t i)
{
    double scale = (double)in / (double)out, stretch = fmax(scale, 1), support = 2 * stretch, inverse = 1 / stretch;
    double center = ((double)i + 0.5) * scale, total = 0;
    int64_t first = (int64_t)fmax((int64_t)(center - support + 0.5), 0);
    int64_t end = (int64_t)fmin((int64_t)(center + support + 0.5), (double)in), sum = 1 << 21;
    for (int64_t p = first; p < end; p++)
        total += cubic(((double)(p - first) + (double)first - center + 0.5) * inverse);
    for (int64_t p = first; p < end; p++) {
        double weight = cubic(((double)(p - first) + (double)first - center + 0.5) * inverse) / total * (1 << 22);
        sum += (int64_t)(weight + (weight < 0 ? -0.5 : 0.5)) * values[(size_t)p * step];
    }
    sum >>= 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static uint8_t *resize_plainly(const uint8_t *from, size_t width, size_t height, size_t size, bool rows)
{
    size_t new_width = rows ? size : width, new_height = rows ? height : size;
    uint8_t *to = pg_alloc(new_width * new_height, 3);
    for (size_t y = 0; y < new_height; y++)
        for (size_t x = 0; x < new_width; x++)
            for (size_t c = 0; c < 3; c++)
                to[(y * new_width + x) * 3 + c] =
                    rows ? (size == width ? from[(y * width + x) * 3 + c]
                                          : resize_value(from + y * width * 3 + c, width, size, 3, x))
                         : (size == height ? from[(y * width + x) * 3 + c]
                                           : resize_value(from + x * 3 + c, height, size, width * 3, y));
    return to;
}

static void check_resize(size_t width, size_t height, size_t new_width, size_t new_height, pg_resize_order order)
{
    pg_image *image = make_picture(width, height, draw(3) == 0), *resized;
    CHECK_OK(pg_image_resize(&resized, image, new_width, new_height, order));
    bool tall = height > new_height && (int64_t)(height - new_height) > 2 * ((int64_t)width - (int64_t)new_width);
    bool rows = order == PG_RESIZE_CLASSIC || !tall;
    uint8_t *between = resize_plainly(pg_image_pixels(image), width, height, rows ? new_width : new_height, rows);
    uint8_t *expected = rows ? resize_plainly(between, new_width, height, new_height, false)
                             : resize_plainly(between, width, new_height, new_width, true);
    assert_int_equal(pg_image_width(resized), new_width);
    assert_int_equal(pg_image_height(resized), new_height);
    if (memcmp(pg_image_pixels(resized), expected, new_width * new_height * 3) != 0)
        fail_msg("%zu x %zu to %zu x %zu, order %d", width, height, new_width, new_height, order);
    pg_free(between);
    pg_free(expected);
    pg_image_free(resized);
    pg_image_free(image);
}

static void any_size_follows_the_definition(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        uint32_t most = round % 4 ? 40 : 3;
        size_t width = 1 + draw(60), height = 1 + draw(most), new_width = 1 + draw(most), new_height = 1 + draw(60);
        check_resize(width, height, new_width, new_height, PG_RESIZE_PILLOW13);
        check_resize(height, width, new_width, new_width, PG_RESIZE_PILLOW13);
        check_resize(width, height, new_height, new_width, PG_RESIZE_CLASSIC);
    }
}

static void extreme_shapes_work(void **state)
{
    (void)state;
    check_resize(1, 1, 224, 224, PG_RESIZE_PILLOW13);
    check_resize(1, 1, 1, 3, PG_RESIZE_PILLOW13);
    check_resize(20000, 1, 7, 5, PG_RESIZE_PILLOW13);
    check_resize(1, 20000, 7, 5, PG_RESIZE_PILLOW13);
    check_resize(3, 2000, 56, 56, PG_RESIZE_CLASSIC);
    check_resize(2000, 3, 56, 56, PG_RESIZE_PILLOW13);
    check_resize(300, 200, 1, 1, PG_RESIZE_PILLOW13);
}

static void one_colour_stays(void **state)
{
    (void)state;
    static const uint8_t rgb[3 * 64] = {[0 ... 191] = 201};
    for (size_t size = 1; size < 30; size++) {
        pg_image *image, *resized;
        CHECK_OK(pg_image_new(&image, rgb, 16, 4, 0));
        CHECK_OK(pg_image_resize(&resized, image, size, size, PG_RESIZE_PILLOW13));
        for (size_t i = 0; i < size * size * 3; i++)
            assert_int_equal(pg_image_pixels(resized)[i], 201);
        pg_image_free(resized);
        pg_image_free(image);
    }
}

static void same_size_is_a_copy(void **state)
{
    (void)state;
    pg_image *image = make_picture(31, 17, false), *copy;
    CHECK_OK(pg_image_resize(&copy, image, 31, 17, PG_RESIZE_PILLOW13));
    assert_ptr_not_equal(copy, image);
    assert_memory_equal(pg_image_pixels(copy), pg_image_pixels(image), 31 * 17 * 3);
    pg_image_free(copy);
    pg_image_free(image);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    pg_image *image = make_picture(3, 3, false), *resized;
    CHECK_FAILS(pg_image_resize(&resized, image, 0, 5, PG_RESIZE_PILLOW13), PG_ERROR_ARGUMENT, "0 x 5");
    assert_null(resized);
    CHECK_FAILS(pg_image_resize(&resized, image, 20000, 20000, PG_RESIZE_PILLOW13), PG_ERROR_LIMIT,
                "at most 178956970");
    CHECK_FAILS(pg_image_resize(&resized, image, SIZE_MAX, SIZE_MAX, PG_RESIZE_CLASSIC), PG_ERROR_LIMIT, "resize");
    pg_image_free(image);
    image = make_picture(1, 1000, false); /* the picture between the passes is too large */
    CHECK_FAILS(pg_image_resize(&resized, image, 1000000, 1, PG_RESIZE_CLASSIC), PG_ERROR_LIMIT,
                "1000000 x 1000 pixels");
    assert_null(resized);
    pg_image_free(image);
}

static void floats_are_normalised_by_channel(void **state)
{
    (void)state;
    static const uint8_t rgb[] = {0, 128, 255, 7, 8, 9};
    static const double mean[3] = {0.5, 0.25, 0.1}, deviation[3] = {0.5, 0.3, 0.7};
    pg_image *image;
    CHECK_OK(pg_image_new(&image, rgb, 1, 2, 0));
    float out[6];
    pg_image_to_floats(image, out, 1.0 / 255, mean, deviation);
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < 2; y++) {
            volatile float level = (float)(rgb[3 * y + c] * (1.0 / 255)), centred = level - (float)mean[c];
            volatile float expected = centred / (float)deviation[c];
            assert_memory_equal(&out[2 * c + y], (const void *)&expected, sizeof expected);
        }
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_size_follows_the_definition),
        cmocka_unit_test(extreme_shapes_work),
        cmocka_unit_test(one_colour_stays),
        cmocka_unit_test(same_size_is_a_copy),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(floats_are_normalised_by_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

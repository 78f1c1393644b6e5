/* src/image/corrupt: each kind of damage beside what it is said to be, on pictures where that can be computed. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

#include "image/corrupt.h"

#define SIDE 224

/* A picture of one grey, or of what `paint` says. */
static pg_image *new_picture(size_t width, size_t height, uint8_t grey)
{
    pg_image *image;
    CHECK_OK(pg_image_blank(&image, width, height));
    memset(image->pixels, grey, width * height * 3);
    return image;
}

/* Soft colours, with an edge. */
static pg_image *new_scene(size_t width, size_t height)
{
    pg_image *image = new_picture(width, height, 0);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                image->pixels[(y * width + x) * 3 + c] =
                    (uint8_t)(60 + 40 * c + (x * 5 + y * 3) % 31 + (x > width / 2 ? 50 : 0));
    return image;
}

static pg_image *corrupt(const pg_image *image, pg_corruption kind, int severity, uint64_t seed)
{
    pg_image *out;
    CHECK_OK(pg_image_corrupt(&out, image, kind, severity, seed));
    assert_int_equal(out->width, image->width);
    assert_int_equal(out->height, image->height);
    return out;
}

static size_t bytes_of(const pg_image *image)
{
    return image->width * image->height * 3;
}

static void moments(double *mean, double *deviation, const pg_image *image)
{
    double sum = 0, squares = 0, count = (double)bytes_of(image);
    for (size_t i = 0; i < bytes_of(image); i++) {
        sum += image->pixels[i];
        squares += (double)image->pixels[i] * image->pixels[i];
    }
    *mean = sum / count;
    *deviation = sqrt(squares / count - *mean * *mean);
}

/* Mean absolute difference. */
static double difference(const pg_image *a, const pg_image *b)
{
    double sum = 0;
    for (size_t i = 0; i < bytes_of(a); i++)
        sum += abs(a->pixels[i] - b->pixels[i]);
    return sum / (double)bytes_of(a);
}

static void check_near(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %.6g, expected %.6g", what, got, want);
}

/* ---------------------------------------------------------------- all kinds */

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    static const bool fixed[PG_CORRUPTIONS] = {
        [PG_CORRUPT_DEFOCUS_BLUR] = true, [PG_CORRUPT_ZOOM_BLUR] = true, [PG_CORRUPT_BRIGHTNESS] = true,
        [PG_CORRUPT_CONTRAST] = true,     [PG_CORRUPT_PIXELATE] = true,  [PG_CORRUPT_JPEG] = true};
    pg_image *image = new_scene(64, 48);
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++) {
        pg_image *one = corrupt(image, (pg_corruption)kind, 3, 5), *same = corrupt(image, (pg_corruption)kind, 3, 5);
        bool differs = false; /* a choice of two may come out alike */
        assert_memory_equal(one->pixels, same->pixels, bytes_of(one));
        for (uint64_t seed = 6; seed < 16 && !differs; seed++) {
            pg_image *other = corrupt(image, (pg_corruption)kind, 3, seed);
            differs = memcmp(one->pixels, other->pixels, bytes_of(one)) != 0;
            pg_image_free(other);
        }
        if (differs == fixed[kind] || difference(one, image) == 0)
            fail_msg("%s: depends on the seed: %d", pg_corruption_name((pg_corruption)kind), differs);
        pg_image_free(one);
        pg_image_free(same);
    }
    pg_image_free(image);
}

static void any_size_will_do(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {2, 1}, {1, 7}, {3, 2}, {17, 40}, {65, 33}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pg_image *image = new_scene(sizes[i][0], sizes[i][1]);
        for (int k = 0; k < PG_CORRUPTIONS * PG_SEVERITIES; k++)
            pg_image_free(corrupt(image, (pg_corruption)(k / PG_SEVERITIES), k % PG_SEVERITIES + 1, i));
        pg_image_free(image);
    }
}

static void damage_grows(void **state)
{
    (void)state;
    static const pg_corruption kinds[] = {PG_CORRUPT_GAUSSIAN_NOISE, PG_CORRUPT_SHOT_NOISE, PG_CORRUPT_IMPULSE_NOISE,
                                          PG_CORRUPT_CONTRAST,       PG_CORRUPT_BRIGHTNESS, PG_CORRUPT_JPEG};
    pg_image *image = new_scene(SIDE, SIDE);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        double before = 0;
        for (int severity = 1; severity <= PG_SEVERITIES; severity++) {
            pg_image *worse = corrupt(image, kinds[i], severity, 1);
            double now = difference(image, worse);
            if (now <= before)
                fail_msg("%s %d: differs by %g, before by %g", pg_corruption_name(kinds[i]), severity, now, before);
            before = now;
            pg_image_free(worse);
        }
    }
    pg_image_free(image);
}

static void what_is_refused(void **state)
{
    (void)state;
    pg_image *image = new_picture(4, 4, 9), *out = image;
    CHECK_FAILS(pg_image_corrupt(&out, image, (pg_corruption)PG_CORRUPTIONS, 1, 0), PG_ERROR_ARGUMENT,
                "no corruption 16");
    assert_null(out);
    CHECK_FAILS(pg_image_corrupt(&out, image, (pg_corruption)-1, 1, 0), PG_ERROR_ARGUMENT, "no corruption -1");
    CHECK_FAILS(pg_image_corrupt(&out, image, PG_CORRUPT_FOG, 0, 0), PG_ERROR_ARGUMENT, "severity: 0");
    CHECK_FAILS(pg_image_corrupt(&out, image, PG_CORRUPT_FOG, 6, 0), PG_ERROR_ARGUMENT, "expected 1 to 5");
    assert_null(pg_corruption_name((pg_corruption)PG_CORRUPTIONS));
    assert_null(pg_corruption_family((pg_corruption)PG_CORRUPTIONS));
    assert_string_equal(pg_corruption_name(PG_CORRUPT_SHOT_NOISE), "shot-noise");
    assert_string_equal(pg_corruption_family(PG_CORRUPT_FROST), "weather");
    pg_image_free(image);
}

/* ---------------------------------------------------------------- noise */

static void noise_has_its_distribution(void **state)
{
    (void)state;
    double mean, deviation, count = 3.0 * SIDE * SIDE, extreme = 0;
    pg_image *grey = new_picture(SIDE, SIDE, 102); /* 0.4 */
    pg_image *noisy = corrupt(grey, PG_CORRUPT_GAUSSIAN_NOISE, 1, 3);
    moments(&mean, &deviation, noisy);
    check_near(mean / 255, 0.4, 4 * 0.08 / sqrt(count) + 0.001, "normal mean");
    check_near(deviation / 255, 0.08, 0.001, "normal deviation");
    pg_image_free(noisy);
    noisy = corrupt(grey, PG_CORRUPT_SHOT_NOISE, 1, 3); /* 60 portions: cut at 1 hardly ever */
    moments(&mean, &deviation, noisy);
    check_near(mean / 255, 0.4, 0.002, "Poisson mean");
    check_near(deviation / 255, sqrt(0.4 / 60), 0.001, "Poisson deviation");
    pg_image_free(noisy);
    noisy = corrupt(grey, PG_CORRUPT_IMPULSE_NOISE, 5, 3);
    for (size_t i = 0; i < bytes_of(noisy); i++) {
        assert_true(noisy->pixels[i] == 102 || noisy->pixels[i] == 0 || noisy->pixels[i] == 255);
        extreme += noisy->pixels[i] != 102;
    }
    check_near(extreme / count, 0.27, 0.005, "impulses");
    pg_image_free(noisy);
    pg_image_free(grey);
}

/* ---------------------------------------------------------------- blurs */

/* Sum, and variances of the columns and the rows, of a spot of light. */
static void measure_spot(double *sum, double *across, double *down, const pg_plane *plane)
{
    double x_sum = 0, y_sum = 0, x_squares = 0, y_squares = 0;
    *sum = 0;
    for (size_t i = 0; i < plane->width * plane->height; i++) {
        double value = (double)plane->values[i], x = (double)(i % plane->width), y = (double)(i / plane->width);
        *sum += value;
        x_sum += value * x;
        y_sum += value * y;
        x_squares += value * x * x;
        y_squares += value * y * y;
    }
    *across = x_squares / *sum - x_sum / *sum * (x_sum / *sum);
    *down = y_squares / *sum - y_sum / *sum * (y_sum / *sum);
}

static void blurs_have_their_variance(void **state)
{
    (void)state;
    static const double deviations[] = {0.01, 0.4, 0.7, 1, 2.3, 5};
    for (size_t i = 0; i < sizeof deviations / sizeof *deviations; i++) {
        pg_plane spot;
        double sum, across, down, variance = deviations[i] * deviations[i];
        CHECK_OK(pg_plane_new(&spot, 81, 75, 1));
        spot.values[37 * 81 + 40] = 1;
        CHECK_OK(pg_plane_blur(&spot, deviations[i]));
        measure_spot(&sum, &across, &down, &spot);
        check_near(sum, 1, 1e-5, "light");
        check_near(across, variance, 1e-4 * (1 + variance), "variance across");
        check_near(down, variance, 1e-4 * (1 + variance), "variance down");
        double centre = (double)spot.values[37 * 81 + 40], bell = 1 / (2 * 3.14159265358979 * variance);
        if (deviations[i] >= 1)
            check_near(centre, bell, 0.13 * bell, "height"); /* three boxes are flatter: (0.375 / 0.399)^2 */
        pg_plane_free(&spot);
    }
}

/* Wider than the picture: its mean everywhere. */
static void wide_blurs_are_means(void **state)
{
    (void)state;
    pg_plane plane;
    CHECK_OK(pg_plane_new(&plane, 10, 6, 2));
    for (size_t i = 0; i < 120; i++)
        plane.values[i] = i % 2 ? 0.25f : (float)(i % 7) / 7;
    double mean = 0;
    for (size_t i = 0; i < 120; i += 2)
        mean += (double)plane.values[i] / 60;
    CHECK_OK(pg_plane_blur(&plane, 60));
    for (size_t i = 0; i < 120; i++)
        check_near((double)plane.values[i], i % 2 ? 0.25 : mean, 0.002, "mean");
    pg_plane_free(&plane);
}

static void what_lies_outside_is_mirrored(void **state)
{
    (void)state;
    static const size_t expected[] = {1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0};
    for (int i = 0; i < 12; i++)
        assert_int_equal(pg_mirror(i - 5, 3), expected[i]);
    pg_line_sums line;
    const float values[] = {1, 0, 2, 0, 4};
    CHECK_OK(pg_line_sums_new(&line, 3));
    pg_line_sums_set(&line, values, 3, 2);
    check_near(pg_line_sum(&line, 0, 3), 7, 0, "whole");
    check_near(pg_line_sum(&line, -3, 6), 21, 1e-12, "three times");
    check_near(pg_line_sum(&line, 0.5, 1.25), 0.5 + 0.5, 1e-12, "parts");
    check_near(pg_line_sum(&line, -8.5, -7), 0.5 * 4 + 2, 1e-12, "before");
    pg_line_sums_free(&line);
}

/* A spot becomes an even disk of the paper's radius. */
static void defocus_is_a_disk(void **state)
{
    (void)state;
    pg_damage damage = {.severity = 2, .unit = 1};
    pg_plane plane;
    CHECK_OK(pg_plane_new(&plane, 41, 41, 1));
    plane.values[20 * 41 + 20] = 1;
    CHECK_OK(pg_blur_defocus(&plane, &damage));
    double sum = 0, area = 3.14159265 * 36;
    for (int y = 0; y < 41; y++)
        for (int x = 0; x < 41; x++) {
            double value = (double)plane.values[y * 41 + x], distance = hypot(x - 20, y - 20);
            sum += value;
            if (distance < 4)
                check_near(value, 1 / area, 0.03 / area, "inside");
            if (distance > 10.3) /* 6, and three boxes of a pixel more each way */
                check_near(value, 0, 1e-7, "outside");
        }
    check_near(sum, 1, 1e-5, "light");
    pg_plane_free(&plane);
}

/* To the right: pixel x takes half a bell of the pixels behind it. */
static void movement_is_a_smear(void **state)
{
    (void)state;
    pg_plane plane;
    CHECK_OK(pg_plane_new(&plane, 31, 3, 1));
    plane.values[31 + 20] = 1;
    CHECK_OK(pg_plane_smear(&plane, 4, 2, 0));
    double total = 0;
    for (int i = 0; i < 9; i++)
        total += exp(-i * i / 8.0);
    for (int x = 0; x < 31; x++) {
        int behind = 20 - x;
        check_near((double)plane.values[31 + x], behind >= 0 && behind < 9 ? exp(-behind * behind / 8.0) / total : 0,
                   1e-6, "smear");
        assert_true(plane.values[x] == 0);
    }
    pg_plane_free(&plane);
}

/* What is the same everywhere cannot be blurred. */
static void blurs_leave_an_even_picture(void **state)
{
    (void)state;
    pg_image *grey = new_picture(50, 40, 77);
    for (int kind = PG_CORRUPT_DEFOCUS_BLUR; kind <= PG_CORRUPT_ZOOM_BLUR; kind++)
        for (int severity = 1; severity <= PG_SEVERITIES; severity++) {
            pg_image *blurred = corrupt(grey, (pg_corruption)kind, severity, 2);
            assert_memory_equal(grey->pixels, blurred->pixels, bytes_of(grey));
            pg_image_free(blurred);
        }
    pg_image_free(grey);
}

/* ---------------------------------------------------------------- digital */

static void brightness_and_contrast_are_formulas(void **state)
{
    (void)state;
    pg_image *image = new_scene(30, 20), *bright = corrupt(image, PG_CORRUPT_BRIGHTNESS, 2, 0);
    pg_image *flat = corrupt(image, PG_CORRUPT_CONTRAST, 3, 0);
    double mean[3] = {0};
    for (size_t i = 0; i < bytes_of(image); i++)
        mean[i % 3] += image->pixels[i] / 600.0;
    for (size_t i = 0; i < bytes_of(image); i++) {
        const uint8_t *pixel = image->pixels + i / 3 * 3;
        double value = fmax(pixel[0], fmax(pixel[1], pixel[2])), more = fmin(255, value + 0.2 * 255);
        check_near(bright->pixels[i], image->pixels[i] * more / value, 0.501, "brightness");
        check_near(flat->pixels[i], (image->pixels[i] - mean[i % 3]) * 0.2 + mean[i % 3], 0.501, "contrast");
    }
    pg_image_free(image);
    pg_image_free(bright);
    pg_image_free(flat);
}

/* 8 pixels become 4 at severity 2, each the mean of two by two. */
static void pixels_become_large(void **state)
{
    (void)state;
    pg_image *image = new_scene(8, 8), *large = corrupt(image, PG_CORRUPT_PIXELATE, 2, 0);
    for (size_t y = 0; y < 8; y++)
        for (size_t x = 0; x < 8; x++)
            for (size_t c = 0; c < 3; c++) {
                double sum = 0;
                for (size_t k = 0; k < 4; k++)
                    sum += image->pixels[((y / 2 * 2 + k / 2) * 8 + x / 2 * 2 + k % 2) * 3 + c];
                check_near(large->pixels[(y * 8 + x) * 3 + c], sum / 4, 0.501, "mean of four");
            }
    pg_image_free(image);
    pg_image_free(large);
}

/* A white dot right of the middle is found where the turn takes it, and the middle stays. */
static void pictures_turn_about_their_middle(void **state)
{
    (void)state;
    pg_image *image = new_picture(101, 101, 0);
    memset(image->pixels + (50 * 101 + 50) * 3, 255, 3);
    memset(image->pixels + (50 * 101 + 90) * 3, 255, 3);
    for (uint64_t seed = 0; seed < 4; seed++) {
        pg_image *turned = corrupt(image, PG_CORRUPT_ROTATION, 3, seed); /* 30 degrees */
        long x = 50 + lround(40 * cos(3.14159265 / 6)), y = lround(40 * sin(3.14159265 / 6));
        assert_int_equal(turned->pixels[(50 * 101 + 50) * 3], 255);
        int above = turned->pixels[((50 - y) * 101 + x) * 3], below = turned->pixels[((50 + y) * 101 + x) * 3];
        assert_true((above > 100) != (below > 100));
        pg_image_free(turned);
    }
    pg_image_free(image);
}

/* ---------------------------------------------------------------- weather */

/* Fog on black is the cloud itself, from nothing to all that there is room for: none here, as white is. */
static void fog_keeps_the_range(void **state)
{
    (void)state;
    pg_image *image = new_picture(SIDE, 100, 0);
    memset(image->pixels, 255, 3);
    pg_image *foggy = corrupt(image, PG_CORRUPT_FOG, 1, 4);
    double low = 255, high = 0;
    for (size_t i = 3; i < bytes_of(foggy); i++) {
        low = fmin(low, foggy->pixels[i]);
        high = fmax(high, foggy->pixels[i]);
    }
    assert_true(high <= 0.6 * 255 + 1 && high > 0.3 * 255); /* 1.5 / (1 + 1.5) at most */
    assert_true(low < 0.3 * 255);
    pg_image_free(image);
    pg_image_free(foggy);
}

static void snow_and_frost_whiten(void **state)
{
    (void)state;
    pg_image *image = new_picture(120, 90, 60);
    for (int severity = 1; severity <= PG_SEVERITIES; severity++) {
        double snow, frost, deviation;
        pg_image *snowed = corrupt(image, PG_CORRUPT_SNOW, severity, 8);
        pg_image *frosted = corrupt(image, PG_CORRUPT_FROST, severity, 8);
        moments(&snow, &deviation, snowed);
        assert_true(snow > 70 && deviation > 2);
        moments(&frost, &deviation, frosted);
        assert_true(frost > 70 && deviation > 5);
        pg_image_free(snowed);
        pg_image_free(frosted);
    }
    pg_image_free(image);
}

/* ---------------------------------------------------------------- memory */

static pg_status corrupt_once(const pg_image *image, pg_corruption kind)
{
    pg_image *out;
    pg_status status = pg_image_corrupt(&out, image, kind, 2, 1);
    if (status != PG_OK)
        assert_null(out);
    pg_image_free(out);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    pg_image *image = new_scene(9, 8);
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++)
        CHECK_SWEEP(corrupt_once(image, (pg_corruption)kind));
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(any_size_will_do),
        cmocka_unit_test(damage_grows),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(noise_has_its_distribution),
        cmocka_unit_test(blurs_have_their_variance),
        cmocka_unit_test(wide_blurs_are_means),
        cmocka_unit_test(what_lies_outside_is_mirrored),
        cmocka_unit_test(defocus_is_a_disk),
        cmocka_unit_test(movement_is_a_smear),
        cmocka_unit_test(blurs_leave_an_even_picture),
        cmocka_unit_test(brightness_and_contrast_are_formulas),
        cmocka_unit_test(pixels_become_large),
        cmocka_unit_test(pictures_turn_about_their_middle),
        cmocka_unit_test(fog_keeps_the_range),
        cmocka_unit_test(snow_and_frost_whiten),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Boxes, masks and labels on pictures: what changes, in which colours, and what is refused. Letters differ from machine
 * to machine, so no pixel of theirs is expected anywhere. */
#include "check.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

#include "image/image.h"
#include "image/palette.h"

static pg_image *plain(size_t width, size_t height, uint8_t value)
{
    pg_image *image;
    CHECK_OK(pg_image_blank(&image, width, height));
    memset(image->pixels, value, width * height * 3);
    return image;
}

static pg_image *draw(const pg_image *image, const pg_mark *marks, size_t count, const pg_draw_options *options)
{
    pg_image *drawn;
    CHECK_OK(pg_image_draw_marks(&drawn, image, marks, count, options));
    assert_int_equal(drawn->width, image->width);
    assert_int_equal(drawn->height, image->height);
    return drawn;
}

/* Whether a pixel is exactly a colour of the palette. */
static bool has_color(const pg_image *image, size_t x, size_t y, const double color[3])
{
    for (size_t c = 0; c < 3; c++)
        if (labs(lround(255 * color[c]) - image->pixels[(y * image->width + x) * 3 + c]) > 1)
            return false;
    return true;
}

static size_t count_color(const pg_image *image, const double color[3])
{
    size_t count = 0;
    for (size_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < image->width; x++)
            count += has_color(image, x, y, color);
    return count;
}

/* The rectangle of pixels that differ, the last ones included. */
static void find_changes(size_t box[4], const pg_image *a, const pg_image *b)
{
    memcpy(box, (const size_t[]){SIZE_MAX, SIZE_MAX, 0, 0}, sizeof(size_t[4]));
    for (size_t y = 0; y < a->height; y++)
        for (size_t x = 0; x < a->width; x++)
            if (memcmp(a->pixels + (y * a->width + x) * 3, b->pixels + (y * a->width + x) * 3, 3) != 0) {
                box[0] = x < box[0] ? x : box[0];
                box[1] = y < box[1] ? y : box[1];
                box[2] = x > box[2] ? x : box[2];
                box[3] = y > box[3] ? y : box[3];
            }
}

static void boxes_are_where_they_belong(void **state)
{
    (void)state;
    static const double box[] = {40, 30, 120, 90};
    pg_image *image = plain(200, 150, 200);
    pg_mark mark = {"cat", NAN, box, NULL};
    const double *color = pg_palette[pg_palette_of("cat")];
    mark.label = NULL;
    color = pg_palette[pg_palette_of("")];
    pg_image *drawn = draw(image, &mark, 1, &(pg_draw_options){.line = 2, .opacity = -1});
    size_t changed[4];
    find_changes(changed, image, drawn);
    for (int i = 0; i < 4; i++)
        assert_in_range(changed[i], (size_t)box[i] - 3, (size_t)box[i] + 3);
    assert_true(has_color(drawn, 80, 30, color) && has_color(drawn, 40, 60, color) && has_color(drawn, 120, 60, color));
    assert_int_equal(drawn->pixels[(60 * 200 + 80) * 3], 200); /* the inside is left alone */
    pg_image_free(drawn);
    pg_image_free(image);
}

static void masks_are_filled_and_outlined(void **state)
{
    (void)state;
    pg_image *image = plain(100, 100, 255);
    uint8_t mask[100 * 100] = {0};
    for (size_t y = 20; y < 80; y++)
        memset(mask + y * 100 + 10, 1, 50);
    mask[90 * 100 + 90] = 7; /* one pixel alone is all outline */
    pg_mark mark = {NULL, NAN, NULL, mask};
    const double *color = pg_palette[pg_palette_of("")];
    pg_image *drawn = draw(image, &mark, 1, &(pg_draw_options){.line = 3, .opacity = 0.5});
    size_t changed[4];
    find_changes(changed, image, drawn);
    assert_int_equal(changed[0], 8);
    assert_int_equal(changed[1], 18);
    for (size_t c = 0; c < 3; c++) /* half white, half the colour */
        assert_in_range(drawn->pixels[(50 * 100 + 35) * 3 + c] + 2, lround(127.5 * (1 + color[c])) + 1,
                        lround(127.5 * (1 + color[c])) + 3);
    assert_true(has_color(drawn, 10, 50, color) && has_color(drawn, 59, 50, color) && has_color(drawn, 90, 90, color));
    for (size_t y = 0; y < 100; y++)
        for (size_t x = 0; x < 100; x++)
            if (mask[y * 100 + x])
                assert_int_not_equal(drawn->pixels[(y * 100 + x) * 3], 255);
    pg_image_free(drawn);
    drawn = draw(image, &mark, 1, &(pg_draw_options){.line = 3, .opacity = 0}); /* the outline alone */
    assert_int_equal(drawn->pixels[(50 * 100 + 35) * 3], 255);
    assert_true(has_color(drawn, 10, 50, color));
    pg_image_free(drawn);
    pg_image_free(image);
}

/* In every place of the picture, however long, on any ground. */
static void labels_stay_inside(void **state)
{
    (void)state;
    static const double boxes[][4] = {{0, 0, 20, 20},       {180, 0, 200, 20},    {0, 130, 20, 150},
                                      {180, 130, 200, 150}, {90, 60, 95, 65},     {0, 0, 200, 150},
                                      {150, 100, 400, 500}, {-100, -100, 10, 10}, {199.5, 149.5, 200, 150}};
    static const char *const labels[] = {"cat", "a label that is much longer than the picture is wide, by far",
                                         "\xe7\x8c\xab", "tab\tand\nline"};
    for (int ground = 0; ground < 256; ground += 255)
        for (size_t b = 0; b < sizeof boxes / sizeof *boxes; b++)
            for (size_t l = 0; l < sizeof labels / sizeof *labels; l++) {
                pg_image *image = plain(200, 150, (uint8_t)ground);
                pg_mark bare = {NULL, NAN, boxes[b], NULL}, mark = {labels[l], 0.5, boxes[b], NULL};
                const double *color = pg_palette[pg_palette_of(labels[l])];
                pg_image *drawn = draw(image, &mark, 1, NULL), *without = draw(image, &bare, 1, NULL);
                size_t changed[4];
                find_changes(changed, drawn, without);
                assert_true(count_color(drawn, color) > 12 * 16 / 3); /* a tag is there, and letters on it */
                assert_true(count_color(drawn, pg_color_on(color)) > 5);
                pg_image_free(drawn);
                pg_image_free(without);
                pg_image_free(image);
            }
}

/* Tags are filled, so two that lie apart show as many pixels as each alone. */
static void labels_avoid_each_other(void **state)
{
    (void)state;
    static const double box[] = {100, 80, 140, 120};
    pg_image *image = plain(300, 200, 255);
    pg_mark marks[] = {{"cat", NAN, box, NULL}, {"dog", NAN, box, NULL}, {"bird", NAN, box, NULL}};
    assert_int_not_equal(pg_palette_of("cat"), pg_palette_of("dog"));
    size_t together[3], alone[3];
    pg_image *drawn = draw(image, marks, 3, NULL);
    for (size_t i = 0; i < 3; i++)
        together[i] = count_color(drawn, pg_palette[pg_palette_of(marks[i].label)]);
    pg_image_free(drawn);
    for (size_t i = 0; i < 3; i++) {
        drawn = draw(image, &marks[i], 1, NULL);
        alone[i] = count_color(drawn, pg_palette[pg_palette_of(marks[i].label)]);
        assert_true(together[i] + 4 * 40 * 4 >
                    alone[i]); /* but for the lines, of which the last one hides the others */
        pg_image_free(drawn);
    }
    pg_image_free(image);
}

static void labels_have_their_colours(void **state)
{
    (void)state;
    static const double box[] = {20, 30, 80, 90}, other[] = {120, 30, 180, 90};
    pg_image *image = plain(200, 100, 255);
    pg_mark marks[] = {{"cat", 0.9, box, NULL}, {"dog", 0.8, other, NULL}, {"cat", 0.7, other, NULL}};
    const double *cat = pg_palette[pg_palette_of("cat")], *dog = pg_palette[pg_palette_of("dog")];
    pg_image *drawn = draw(image, marks, 1, NULL);
    assert_true(has_color(drawn, 20, 60, cat) && count_color(drawn, dog) == 0);
    pg_image_free(drawn);
    drawn = draw(image, (const pg_mark[]){marks[1], marks[0]}, 2, NULL); /* whatever else there is */
    assert_true(has_color(drawn, 20, 60, cat) && has_color(drawn, 120, 60, dog));
    pg_image_free(drawn);
    drawn = draw(image, (const pg_mark[]){marks[0], marks[2]}, 2, NULL);
    assert_true(has_color(drawn, 20, 60, cat) && has_color(drawn, 120, 60, cat));
    pg_image_free(drawn);
    pg_image_free(image);
}

/* Some pair among eight labels shares one of seven colours. */
static void shared_colours_are_dashed(void **state)
{
    (void)state;
    static const double box[] = {5, 5, 195, 95};
    char names[8][8];
    size_t a = 0, b = 0;
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        for (size_t k = 0; k < i; k++)
            if (pg_palette_of(names[i]) == pg_palette_of(names[k])) {
                a = k;
                b = i;
            }
    }
    assert_int_not_equal(a, b);
    pg_image *image = plain(200, 100, 255);
    const double *color = pg_palette[pg_palette_of(names[a])];
    const pg_mark first = {names[a], NAN, NULL, NULL}, second = {names[b], NAN, box, NULL};
    pg_image *alone = draw(image, &second, 1, NULL);
    pg_image *together = draw(image, (const pg_mark[]){first, second}, 2, NULL);
    size_t gaps = 0, gaps_alone = 0;
    for (size_t x = 60; x < 190; x++) {
        gaps += !has_color(together, x, 95, color);
        gaps_alone += !has_color(alone, x, 95, color);
    }
    assert_int_equal(gaps_alone, 0);
    assert_in_range(gaps, 20, 90);
    pg_image_free(alone);
    pg_image_free(together);
    pg_image_free(image);
}

static void letters_stand_out(void **state)
{
    (void)state;
    static const double black[3] = {0, 0, 0}, white[3] = {1, 1, 1}, gray[3] = {0.2126, 0.2126, 0.2126};
    assert_float_equal(pg_color_contrast(black, white), 21, 1e-9);
    assert_float_equal(pg_color_contrast(white, gray), 1.05 / (pow((0.2126 + 0.055) / 1.055, 2.4) + 0.05), 1e-9);
    for (size_t i = 0; i < PG_PALETTE; i++)
        assert_true(pg_color_contrast(pg_palette[i], pg_color_on(pg_palette[i])) >= 4.5);
    for (int i = 0; i < 4096; i++) {
        const double color[3] = {(i & 15) / 15.0, (i >> 4 & 15) / 15.0, (i >> 8) / 15.0};
        assert_true(pg_color_contrast(color, pg_color_on(color)) >= 4.5);
    }
}

/* Evenly spread over what labels there may be. */
static void labels_use_all_colours(void **state)
{
    (void)state;
    size_t counts[PG_PALETTE] = {0};
    for (int i = 0; i < 7000; i++) {
        char name[16];
        snprintf(name, sizeof name, "label %d", i);
        counts[pg_palette_of(name)]++;
    }
    assert_int_equal(counts[0], 0);
    for (size_t i = 1; i < PG_PALETTE; i++)
        assert_in_range(counts[i], 850, 1150);
}

/* What is beyond the edge does not show, and marks that nobody can draw are no reason to fail. */
static void odd_marks_are_drawn(void **state)
{
    (void)state;
    static const double outside[] = {300, 300, 400, 400}, touching[] = {-5, 0, 0, 50}, turned[] = {80, 90, 20, 30},
                        huge[] = {-1e300, -1e300, 1e300, 1e300}, point[] = {50, 50, 50, 50};
    static const uint8_t empty[100 * 100] = {0};
    pg_image *image = plain(100, 100, 128);
    const pg_mark unseen[] = {{"a", 1, outside, NULL}, {"b", 1, touching, NULL}, {"c", 1, NULL, empty}};
    pg_image *drawn = draw(image, unseen, 3, NULL);
    assert_memory_equal(drawn->pixels, image->pixels, 100 * 100 * 3);
    pg_image_free(drawn);
    drawn = draw(image, NULL, 0, NULL);
    assert_memory_equal(drawn->pixels, image->pixels, 100 * 100 * 3);
    pg_image_free(drawn);
    const pg_mark seen[] = {{"a", 1, turned, NULL},
                            {"b", INFINITY, huge, NULL},
                            {"c", -1e300, point, NULL},
                            {"", 0, NULL, NULL}};
    for (size_t i = 0; i < 4; i++) {
        size_t changed[4];
        drawn = draw(image, &seen[i], 1, NULL);
        find_changes(changed, image, drawn);
        assert_true(changed[2] > 0);
        pg_image_free(drawn);
    }
    pg_image *tiny = plain(1, 1, 0), *flat = plain(500, 1, 0);
    pg_image_free(draw(tiny, seen, 4, NULL));
    pg_image_free(draw(flat, seen, 4, &(pg_draw_options){.line = 50, .text = 300, .opacity = 1}));
    pg_image_free(tiny);
    pg_image_free(flat);
    pg_image_free(image);
}

static void what_cannot_be_drawn_is_told(void **state)
{
    (void)state;
    static const double nan_box[] = {1, 2, NAN, 4};
    pg_image *image = plain(10, 10, 0), *out, *wide = plain(40000, 1, 0);
    pg_mark marks[] = {{"a", 1, NULL, NULL}, {"b", 1, nan_box, NULL}};
    CHECK_FAILS(pg_image_draw_marks(&out, image, marks, 2, NULL), PG_ERROR_ARGUMENT, "mark 1: the box is not finite");
    assert_null(out);
    static const char *const bad[] = {"ab\xff", "\xed\xa0\x80", "\xc3", "\xf7\xbf\xbf\xbf"};
    for (size_t i = 0; i < 4; i++) {
        marks[0].label = bad[i];
        CHECK_FAILS(pg_image_draw_marks(&out, image, marks, 1, NULL), PG_ERROR_ARGUMENT,
                    i ? "label of mark 0 is not UTF-8: byte 0" : "label of mark 0 is not UTF-8: byte 2");
    }
    CHECK_FAILS(pg_image_draw_marks(&out, wide, NULL, 0, NULL), PG_ERROR_LIMIT, "40000 x 1 pixels");
    static const pg_draw_options wrong[] = {{.line = -1}, {.text = NAN}, {.opacity = 1.5}, {.line = 1e9}};
    static const char *const texts[] = {"lines -1 pixels wide", "letters of nan", "opacity of 1.5", "lines 1e+09"};
    for (size_t i = 0; i < 4; i++)
        CHECK_FAILS(pg_image_draw_marks(&out, image, NULL, 0, &wrong[i]), PG_ERROR_ARGUMENT, texts[i]);
    char *text = pg_alloc(100001, 1);
    memset(text, 'x', 100000);
    marks[0].label = text;
    CHECK_FAILS(pg_image_draw_marks(&out, image, marks, 1, NULL), PG_ERROR_LIMIT, "has 100000 bytes");
    pg_free(text);
    pg_image_free(image);
    pg_image_free(wide);
}

static pg_status draw_for_sweep(const pg_image *image, const uint8_t *mask)
{
    static const double box[] = {5, 5, 30, 30};
    const pg_mark marks[] = {{"cat", 0.5, box, mask}, {"a dog with a name that is too long", 0.5, box, NULL}};
    pg_image *drawn = NULL;
    pg_status status = pg_image_draw_marks(&drawn, image, marks, 2, NULL);
    assert_true((status == PG_OK) == (drawn != NULL));
    pg_image_free(drawn);
    return status;
}

static void memory_may_be_short(void **state)
{
    (void)state;
    pg_image *image = plain(64, 48, 90);
    uint8_t mask[64 * 48] = {0};
    memset(mask + 640, 1, 640);
    CHECK_SWEEP(draw_for_sweep(image, mask));
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_where_they_belong), cmocka_unit_test(masks_are_filled_and_outlined),
        cmocka_unit_test(labels_stay_inside),          cmocka_unit_test(labels_avoid_each_other),
        cmocka_unit_test(labels_have_their_colours),   cmocka_unit_test(shared_colours_are_dashed),
        cmocka_unit_test(letters_stand_out),           cmocka_unit_test(labels_use_all_colours),
        cmocka_unit_test(odd_marks_are_drawn),         cmocka_unit_test(what_cannot_be_drawn_is_told),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

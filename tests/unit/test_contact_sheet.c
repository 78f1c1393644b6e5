/* Contact sheets: where pictures and captions go. */
#include "check.h"
#include "sweep.h"

#include "image/image.h"

static pg_image *colored(size_t width, size_t height, uint8_t red, uint8_t green)
{
    pg_image *image;
    CHECK_OK(pg_image_blank(&image, width, height));
    for (size_t i = 0; i < width * height; i++)
        memcpy(image->pixels + 3 * i, (const uint8_t[]){red, green, 0}, 3);
    return image;
}

/* The rectangle of a colour, the last pixels included; returns how many pixels have it. */
static size_t find_color(size_t box[4], const pg_image *image, uint8_t red, uint8_t green)
{
    size_t count = 0;
    memcpy(box, (const size_t[]){SIZE_MAX, SIZE_MAX, 0, 0}, sizeof(size_t[4]));
    for (size_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < image->width; x++) {
            const uint8_t *p = image->pixels + 3 * (y * image->width + x);
            if (p[0] != red || p[1] != green || p[2] != 0)
                continue;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x > box[2] ? x : box[2];
            box[3] = y > box[3] ? y : box[3];
            count++;
        }
    return count;
}

static void pictures_keep_their_shape(void **state)
{
    (void)state;
    pg_image *wide = colored(300, 100, 255, 0), *tall = colored(10, 40, 0, 255), *sheet;
    const pg_image *images[] = {wide, tall, NULL};
    size_t box[4];
    CHECK_OK(pg_image_sheet(&sheet, images, NULL, 3, 0, 120));
    assert_int_equal(find_color(box, sheet, 255, 0), 120 * 40);
    assert_int_equal(box[2] - box[0] + 1, 120);
    assert_int_equal(box[3] - box[1] + 1, 40);
    size_t end = box[2];
    assert_int_equal(find_color(box, sheet, 0, 255), 30 * 120); /* enlarged too */
    assert_true(box[0] > end && box[1] > 0);                    /* to the right of the first */
    assert_in_range(sheet->width, 240, 280);                    /* two columns */
    assert_int_equal(sheet->pixels[0], 255);
    pg_image_free(sheet);
    CHECK_OK(pg_image_sheet(&sheet, images, NULL, 2, 7, 120)); /* no more columns than pictures */
    assert_in_range(sheet->width, 240, 280);
    pg_image_free(sheet);
    CHECK_OK(pg_image_sheet(&sheet, images, NULL, 2, 1, 120));
    assert_in_range(sheet->width, 120, 140);
    pg_image_free(sheet);
    pg_image_free(wide);
    pg_image_free(tall);
}

/* Dark: also the thin box that stands where no font has the letter. */
static size_t dark_rows(const pg_image *sheet)
{
    size_t rows = 0;
    for (size_t y = 0; y < sheet->height; y++) {
        bool dark = false;
        for (size_t x = 0; x < sheet->width; x++)
            dark |= sheet->pixels[3 * (y * sheet->width + x)] < 128;
        rows += dark;
    }
    return rows;
}

/* A long caption takes more lines, not more width, and at most eight of them. */
static void captions_are_wrapped(void **state)
{
    (void)state;
    static const char *const texts[] = {"cat", "a cat that sits on a mat and looks at us, as cats on mats do",
                                        "one\ntwo\n\nfour",
                                        "\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7"
                                        "\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab"
                                        "\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7"
                                        "\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab"};
    pg_image *image = colored(50, 50, 255, 255), *sheet;
    const pg_image *images[] = {image};
    size_t heights[4];
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(pg_image_sheet(&sheet, images, &texts[i], 1, 0, 100));
        assert_in_range(sheet->width, 100, 120);
        heights[i] = sheet->height;
        assert_true(dark_rows(sheet) >= 6);
        for (size_t y = 0; y < sheet->height; y++) /* nothing reaches the edge */
            assert_int_equal(sheet->pixels[3 * y * sheet->width] + sheet->pixels[3 * ((y + 1) * sheet->width - 1)],
                             510);
        pg_image_free(sheet);
    }
    assert_true(heights[1] > heights[0] + 30 && heights[2] > heights[0] + 30 && heights[3] > heights[0]);
    char text[4000] = "", *line = text;
    for (int i = 0; i < 400; i++)
        line += sprintf(line, "word%d ", i % 10);
    const char *caption = text;
    CHECK_OK(pg_image_sheet(&sheet, images, &caption, 1, 0, 100));
    assert_in_range(sheet->height, heights[0] + 7 * 12, heights[0] + 7 * 20);
    pg_image_free(sheet);
    pg_image_free(image);
}

static void what_cannot_be_drawn_is_told(void **state)
{
    (void)state;
    pg_image *image = colored(8, 8, 1, 1), *sheet;
    const pg_image *images[3000];
    const char *captions[3000] = {NULL, "\xc0"};
    for (size_t i = 0; i < 3000; i++)
        images[i] = image;
    CHECK_FAILS(pg_image_sheet(&sheet, images, NULL, 0, 0, 100), PG_ERROR_ARGUMENT, "no pictures");
    CHECK_FAILS(pg_image_sheet(&sheet, images, NULL, 1, 0, 31), PG_ERROR_ARGUMENT, "cells of 31 pixels");
    CHECK_FAILS(pg_image_sheet(&sheet, images, NULL, 1, 0, 5000), PG_ERROR_ARGUMENT, "cells of 5000 pixels");
    CHECK_FAILS(pg_image_sheet(&sheet, images, captions, 2, 0, 100), PG_ERROR_ARGUMENT, "caption 1 is not UTF-8");
    CHECK_FAILS(pg_image_sheet(&sheet, images, NULL, 3000, 0, 4096), PG_ERROR_LIMIT, "3000 pictures make");
    CHECK_FAILS(pg_image_sheet(&sheet, images, NULL, 3000, 1, 64), PG_ERROR_LIMIT, "at most 32767 on a side");
    pg_image_free(image);
}

static pg_status draw_for_sweep(const pg_image *const *images)
{
    static const char *const captions[] = {"one", "two lines of text"};
    pg_image *sheet = NULL;
    pg_status status = pg_image_sheet(&sheet, images, captions, 2, 0, 40);
    assert_true((status == PG_OK) == (sheet != NULL));
    pg_image_free(sheet);
    return status;
}

static void memory_may_be_short(void **state)
{
    (void)state;
    pg_image *image = colored(80, 20, 9, 9);
    const pg_image *images[] = {image, image};
    CHECK_SWEEP(draw_for_sweep(images));
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_keep_their_shape),
        cmocka_unit_test(captions_are_wrapped),
        cmocka_unit_test(what_cannot_be_drawn_is_told),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

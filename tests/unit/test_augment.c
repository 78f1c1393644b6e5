/* Boxes in texts, and pictures that change together with them. */
#include "sweep.h"

#include "base/json.h"
#include "data/augment.h"
#include "objects/boxes.h"
#include "image/image.h"

static void pixels_become_tokens(void **state)
{
    (void)state;
    static const struct {
        double box[4], width, height;
        int tokens[4];
    } cases[] = {
        {{-15.768348845379236, 265.55995891962493, 372.28823851732085, 542.0173739747645},
         640,
         480,
         {566, 0, 1023, 595}},
        {{76, 1518, 313, 2757}, 2046, 2046, {759, 38, 1023, 156}},
        {{193.30745643498926, 28.16202912937488, 221.05997326606197, 75.33116734368398},
         224,
         224,
         {129, 883, 344, 1010}},
        {{0, 0, 100, 50}, 100, 50, {0, 0, 1023, 1023}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int tokens[4];
        pg_box_tokens(tokens, cases[i].box, cases[i].width, cases[i].height);
        assert_memory_equal(tokens, cases[i].tokens, sizeof tokens);
    }
}

#ifdef PG_SHARED_FOLDER
static void all_golden_boxes(void **state)
{
    (void)state;
    FILE *file = fopen(PG_SHARED_FOLDER "/golden/tasks/segmentation/boxes_to_text.jsonl", "r");
    char line[4096];
    while (file && fgets(line, sizeof line, file)) {
        json_t *row;
        double box[4];
        int tokens[4];
        pg_buffer text = {0};
        CHECK_OK(pg_json_parse(&row, line, strlen(line), "boxes_to_text"));
        for (size_t i = 0; i < 4; i++)
            box[i] = json_number_value(json_array_get(json_object_get(row, "box_xyxy"), i));
        pg_box_tokens(tokens, box, json_number_value(json_object_get(row, "width")),
                      json_number_value(json_object_get(row, "height")));
        CHECK_OK(pg_box_print(&text, tokens));
        assert_string_equal(text.data, json_string_value(json_object_get(row, "text")));
        pg_buffer_free(&text);
        json_decref(row);
    }
    if (file)
        fclose(file);
}
#endif

static void check_move(const char *text, pg_view view, const char *expected, size_t kept, size_t lost)
{
    pg_buffer out = {0};
    size_t found_kept = 0, found_lost = 0;
    CHECK_OK(pg_boxes_move(&out, text, &view, 0.5, &found_kept, &found_lost));
    assert_string_equal(out.data, expected);
    assert_int_equal(found_kept, kept);
    assert_int_equal(found_lost, lost);
    pg_buffer_free(&out);
}

static void boxes_move_with_the_view(void **state)
{
    (void)state;
    pg_view whole = {0, 0, 1, 1, false}, mirrored = {0, 0, 1, 1, true}, left = {0, 0, 0.5, 1, false};
    check_move("<loc0010><loc0020><loc0500><loc0600> a cat", whole, "<loc0010><loc0020><loc0500><loc0600> a cat", 1, 0);
    check_move("<loc0010><loc0020><loc0500><loc0600> a cat", mirrored, "<loc0010><loc0423><loc0500><loc1003> a cat", 1,
               0);
    check_move("<loc0000><loc0000><loc1023><loc0341> a", left, "<loc0000><loc0000><loc1023><loc0682> a", 1, 0);
    check_move("<loc0000><loc0250><loc1023><loc0750> a", left, "<loc0000><loc0500><loc1023><loc1023> a", 1, 0);
    check_move("<loc0000><loc0600><loc1023><loc0800> a ; <loc0000><loc0000><loc1023><loc0341> b", left,
               "<loc0000><loc0000><loc1023><loc0682> b", 1, 1);
    check_move("<loc0000><loc0000><loc1023><loc0341> b ; <loc0000><loc0600><loc1023><loc0800> a", left,
               "<loc0000><loc0000><loc1023><loc0682> b", 1, 1);
    check_move("<loc0000><loc0600><loc1023><loc0800> a", left, "", 0, 1);
    check_move("", left, "", 0, 0);
    check_move("no box ; here", left, "no box ; here", 0, 0);
    check_move("<loc0001><loc0002><loc0003> <loc1024><loc000", left, "<loc0001><loc0002><loc0003> <loc1024><loc000", 0,
               0);
}

/* A picture whose red and green say where a pixel was. */
static pg_image *make_picture(size_t width, size_t height)
{
    pg_image *image;
    CHECK_OK(pg_image_blank(&image, width, height));
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            image->pixels[(y * width + x) * 3] = (uint8_t)x;
            image->pixels[(y * width + x) * 3 + 1] = (uint8_t)y;
        }
    return image;
}

static pg_data_row *make_row(const char *prefix, const char *suffix)
{
    pg_data_row *row = pg_alloc(1, sizeof *row);
    if (!row)
        return NULL;
    row->prefix = pg_copy_text(prefix, SIZE_MAX);
    row->suffix = pg_copy_text(suffix, SIZE_MAX);
    if (row->prefix && row->suffix)
        return row;
    pg_data_row_free(row);
    return NULL;
}

/* Whatever is cut out and mirrored, the box's corners lie over the same pixels as before. */
static void boxes_stay_on_their_objects(void **state)
{
    (void)state;
    pg_augmentation augmentation = {.crop = 0.3, .flip = 0.5, .keep = 1};
    size_t cropped = 0, mirrored = 0;
    for (uint64_t position = 0; position < 200; position++) {
        pg_image *image = make_picture(200, 160);
        pg_data_row *row = make_row("detect a", "<loc0400><loc0300><loc0700><loc0600> a");
        int box[4];
        CHECK_OK(pg_augment_place(&image, 1, row, &augmentation, 11, position));
        assert_int_equal(sscanf(row->suffix, "<loc%d><loc%d><loc%d><loc%d> a", &box[0], &box[1], &box[2], &box[3]), 4);
        cropped += image->width < 200 || image->height < 160;
        bool turned = image->pixels[0] > image->pixels[3];
        mirrored += turned;
        double y = box[0] / 1023.0 * (double)image->height, x = box[turned ? 3 : 1] / 1023.0 * (double)image->width;
        double red = image->pixels[0] + (turned ? -x + 1 : x), green = image->pixels[1] + y;
        assert_true(red > 300 / 1023.0 * 200 - 1 && red < 300 / 1023.0 * 200 + 1);
        assert_true(green > 400 / 1023.0 * 160 - 1 && green < 400 / 1023.0 * 160 + 1);
        pg_data_row_free(row);
        pg_image_free(image);
    }
    assert_in_range(cropped, 150, 200);
    assert_in_range(mirrored, 70, 130);
}

static void check_untouched(const char *prefix, const char *suffix, pg_augmentation augmentation, bool expected)
{
    size_t changed = 0;
    for (uint64_t position = 0; position < 20; position++) {
        pg_image *image = make_picture(60, 40);
        pg_data_row *row = make_row(prefix, suffix);
        CHECK_OK(pg_augment_place(&image, 1, row, &augmentation, 1, position));
        changed += image->width != 60 || image->height != 40 || image->pixels[0] != 0;
        pg_data_row_free(row);
        pg_image_free(image);
    }
    assert_int_equal(changed == 0, expected);
}

static void some_rows_stay_as_they_are(void **state)
{
    (void)state;
    pg_augmentation all = {.crop = 0.3, .flip = 1}, flip = {.flip = 1}, sides = {.flip = 1, .flip_sides = true};
    check_untouched("segment a", "<loc0400><loc0300><loc0700><loc0600><seg001> a", all, true);
    check_untouched("where?", "on the Left.", flip, true);
    check_untouched("what is right of it?", "a cat", flip, true);
    check_untouched("where?", "on the left", sides, false);
    check_untouched("leftovers", "bright", flip, false);
    check_untouched("caption en", "a cat", (pg_augmentation){0}, true);
    /* a prompt's own box is never cut */
    check_untouched("describe <loc0000><loc0000><loc1023><loc1023>", "all", (pg_augmentation){.crop = 0.3, .keep = 1},
                    true);
}

static void colours_change_within_bounds(void **state)
{
    (void)state;
    pg_augmentation augmentation = {.brightness = 0.5, .contrast = 0.5, .saturation = 0.5}, none = {0};
    uint8_t pixels[6] = {100, 150, 200, 10, 20, 30}, same[6], other[6];
    memcpy(same, pixels, sizeof same);
    pg_augment_colour(same, 2, &none, 1, 1);
    assert_memory_equal(same, pixels, sizeof same);
    pg_augment_colour(same, 2, &augmentation, 1, 1);
    memcpy(other, pixels, sizeof other);
    pg_augment_colour(other, 2, &augmentation, 1, 1);
    assert_memory_equal(same, other, sizeof same);
    memcpy(other, pixels, sizeof other);
    pg_augment_colour(other, 2, &augmentation, 1, 2);
    assert_memory_not_equal(same, other, sizeof same);
    uint8_t grey[3] = {90, 90, 90};
    pg_augment_colour(grey, 1, &(pg_augmentation){.saturation = 0.9}, 1, 3);
    assert_true(grey[0] == 90 && grey[1] == 90 && grey[2] == 90);
    CHECK_FAILS(pg_augmentation_check(&(pg_augmentation){.crop = 2}), PG_ERROR_ARGUMENT, "crop is 2");
    CHECK_FAILS(pg_augmentation_check(&(pg_augmentation){.flip = -1}), PG_ERROR_ARGUMENT, "flip");
}

static pg_status augment_once(void)
{
    pg_augmentation augmentation = {.crop = 0.3, .flip = 1};
    pg_data_row *row =
        make_row("detect a", "<loc0400><loc0300><loc0700><loc0600> a ; <loc0000><loc0300><loc0070><loc0600> b");
    pg_image *image = NULL;
    pg_status status = row ? pg_image_blank(&image, 20, 20) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = pg_augment_place(&image, 1, row, &augmentation, 1, 4);
    pg_image_free(image);
    pg_data_row_free(row);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(augment_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_become_tokens),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(all_golden_boxes),
#endif
        cmocka_unit_test(boxes_move_with_the_view),   cmocka_unit_test(boxes_stay_on_their_objects),
        cmocka_unit_test(some_rows_stay_as_they_are), cmocka_unit_test(colours_change_within_bounds),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

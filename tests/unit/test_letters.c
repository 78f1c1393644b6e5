/* Letters on a system without a font: cairo's own, which are the same everywhere. Lines are broken and cut as with any
 * other. */
#include "check.h"
#include "temporary_folder.h"

#include "image/canvas.h"

static pg_canvas canvas;

static int open_without_fonts(void **state)
{
    static const char nothing[] = "<fontconfig></fontconfig>";
    if (folder_setup(state) != 0)
        return -1;
    setenv("FONTCONFIG_FILE", folder_write("fonts.conf", nothing, sizeof nothing - 1), 1);
    return pg_canvas_open(&canvas, 200, 40, NULL, PG_LETTERS_PLAIN) == PG_OK ? 0 : -1;
}

static int close_all(void **state)
{
    pg_canvas_close(&canvas);
    return folder_teardown(state);
}

static double width(const char *text)
{
    return pg_letters_width(&canvas, text, strlen(text), 12);
}

static void ascii_is_readable_without_fonts(void **state)
{
    (void)state;
    static const double black[3] = {0, 0, 0};
    pg_image *image;
    size_t dark = 0;
    assert_true(width("cat 0.93") > 30 && width("cat 0.93") < 90);
    assert_true(width("iiii") < width("mmmm"));
    assert_float_equal(width(""), 0, 0);
    pg_canvas_color(&canvas, black, 1);
    pg_letters_show(&canvas, "cat 0.93", 8, 20, 10, 30);
    CHECK_OK(pg_canvas_image(&image, &canvas));
    for (size_t i = 0; i < image->width * image->height; i++)
        dark += image->pixels[3 * i] < 128;
    assert_in_range(dark, 80, 1500);
    pg_image_free(image);
}

static void as_much_is_shown_as_has_room(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe7\x8c\xab\xf0\x9f\x90\xa6zz";
    static const size_t ends[] = {0, 1, 3, 6, 10, 11, 12};
    for (size_t i = 0; i < 7; i++) {
        double room = pg_letters_width(&canvas, text, ends[i], 12);
        assert_int_equal(pg_letters_fit(&canvas, text, 12, 12, room + 0.01), ends[i]);
    }
    char *shown;
    CHECK_OK(pg_letters_shorten(&shown, &canvas, "whole", 12, 1000));
    assert_string_equal(shown, "whole");
    pg_free(shown);
    CHECK_OK(pg_letters_shorten(&shown, &canvas, "far too long", 12, width("far t\xe2\x80\xa6") + 0.01));
    assert_string_equal(shown, "far t\xe2\x80\xa6");
    pg_free(shown);
    CHECK_OK(pg_letters_shorten(&shown, &canvas, "no room", 12, -5));
    assert_string_equal(shown, "\xe2\x80\xa6");
    pg_free(shown);
    CHECK_OK(pg_letters_shorten(&shown, &canvas, "a\tb\x01", 12, 1000));
    assert_string_equal(shown, "a b ");
    pg_free(shown);
}

static void check_lines(const char *text, double room, size_t most, const char *expected)
{
    pg_lines lines;
    char found[500] = "";
    CHECK_OK(pg_letters_wrap(&lines, &canvas, text, 12, room, most));
    for (size_t i = 0; i < lines.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "[%s]", lines.items[i]);
    assert_string_equal(found, expected);
    pg_lines_free(&lines);
}

static void lines_are_broken_where_it_is_right(void **state)
{
    (void)state;
    check_lines("", 100, 9, "");
    check_lines("one two", 1000, 9, "[one two]");
    check_lines("one two three", width("one two") + 1, 9, "[one two][three]");
    check_lines("one  two", width("one") + 1, 9, "[one][two]");
    check_lines("one\n\ntwo\n", 1000, 9, "[one][][two]");
    check_lines("abcdefgh", width("abc") + 0.01, 9, "[abc][def][gh]");
    check_lines("file_name.png", width("name.png") + 1, 9, "[file_][name.png]");
    check_lines("abc", 0, 9, "[a][b][c]"); /* a character has its line even if it is wider */
    check_lines("one two three", width("one two") + 1, 1, "[one tw\xe2\x80\xa6]");
    check_lines("\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab", width("\xe7\x8c\xab\xe7\x8c\xab") + 0.01, 9,
                "[\xe7\x8c\xab\xe7\x8c\xab][\xe7\x8c\xab]");
    /* a full stop does not begin a line */
    check_lines("\xe7\x8c\xab\xe7\x8c\xab\xe3\x80\x82", width("\xe7\x8c\xab\xe7\x8c\xab") + 0.01, 9,
                "[\xe7\x8c\xab][\xe7\x8c\xab\xe3\x80\x82]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_is_readable_without_fonts),
        cmocka_unit_test(as_much_is_shown_as_has_room),
        cmocka_unit_test(lines_are_broken_where_it_is_right),
    };
    return cmocka_run_group_tests(tests, open_without_fonts, close_all);
}

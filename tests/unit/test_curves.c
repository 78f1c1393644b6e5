/* Curves as pictures: both formats, what is drawn where, and what is refused. */
#include "check.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "train/run_records.h"

/* A path that outlives further calls of folder_file. */
static const char *keep(const char *path)
{
    static char kept[32][512];
    static int count;
    return strcpy(kept[count++ % 32], path);
}

/* A run of `steps` steps with its loss and, every tenth step, another one's. */
static const char *write_run(const char *name, int steps)
{
    static char text[1 << 20];
    int size = sprintf(text, "step,time,tag,value\n");
    for (int i = 0; i < steps; i++) {
        size += sprintf(text + size, "%d,%d.5,loss,%g\n", i, 1000 + i, i == 7 ? NAN : 0.1 + 3 * exp(-i / 40.0));
        if (i % 10 == 0)
            size += sprintf(text + size, "%d,%d.5,validation/loss,%g\n%d,%d.5,rate,%g\n", i, 1000 + i,
                            0.2 + 3 * exp(-i / 40.0), i, 1000 + i, i ? -1e-5 * i : INFINITY);
    }
    return keep(folder_write(name, text, (size_t)size));
}

/* Pixels of this colour in the columns first .. end - 1; colours mix at the edges of lines. */
static size_t count_pixels(const pg_image *image, const int color[3], size_t first, size_t end)
{
    size_t count = 0, width = pg_image_width(image);
    for (size_t y = 0; y < pg_image_height(image); y++)
        for (size_t x = first; x < end; x++) {
            const uint8_t *pixel = pg_image_pixels(image) + (y * width + x) * 3;
            count += abs(pixel[0] - color[0]) + abs(pixel[1] - color[1]) + abs(pixel[2] - color[2]) < 20;
        }
    return count;
}

static const int blue[3] = {0, 114, 178}, orange[3] = {213, 94, 0}, green[3] = {0, 158, 115};

static pg_image *plot(const char *const *runs, size_t count, const pg_plot_options *options)
{
    pg_image *image;
    CHECK_OK(pg_plot_save(folder_file("plot.png"), runs, count, options));
    CHECK_OK(pg_image_load(&image, folder_file("plot.png"), NULL));
    return image;
}

static void curves_have_their_colours(void **state)
{
    (void)state;
    const char *tag = "loss";
    pg_plot_options options;
    pg_plot_options_init(&options);
    const char *runs[] = {write_run("one", 300), write_run("two", 60)};
    pg_image *image = plot(runs, 1, NULL);
    assert_int_equal(pg_image_width(image), 900);
    assert_int_equal(pg_image_height(image), 500);
    assert_true(count_pixels(image, blue, 0, 450) > 300 && count_pixels(image, orange, 0, 450) > 100);
    assert_true(count_pixels(image, blue, 450, 900) > 300); /* the rate's panel */
    assert_int_equal(count_pixels(image, green, 0, 900), 0);
    pg_image_free(image);
    options.tags = &tag;
    options.tag_count = 1;
    options.log = true;
    options.smooth = 0.9;
    options.width = 640;
    options.height = 300;
    image = plot(runs, 2, &options);
    assert_int_equal(pg_image_width(image), 640);
    assert_int_equal(pg_image_height(image), 300);
    assert_true(count_pixels(image, green, 0, 320) > 50);   /* the second run, which ends early: */
    assert_true(count_pixels(image, green, 400, 600) < 40); /* only its legend can be there */
    assert_true(count_pixels(image, blue, 400, 600) > 100);
    pg_image_free(image);
}

/* Nothing to show on an axis is no reason to fail. */
static void odd_values_are_drawn(void **state)
{
    (void)state;
    static const char *const lines[] = {"1,1,a,2\n",
                                        "1,1,a,nan\n",
                                        "1,1,a,-3\n2,1,a,-3\n",
                                        "1,1,a,1e308\n2,1,a,-1e308\n",
                                        "5,1,a,1e-300\n5,1,a,1e300\n",
                                        "1,1,a/,0\n1,1,a,0\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (int log = 0; log < 2; log++) {
            const char *run = keep(folder_write("odd", lines[i], strlen(lines[i])));
            pg_plot_options options;
            pg_plot_options_init(&options);
            options.log = log;
            options.smooth = 0.5;
            pg_image_free(plot(&run, 1, &options));
        }
}

static void svg_is_written(void **state)
{
    (void)state;
    const char *run = write_run("one", 300);
    pg_buffer text = {0};
    CHECK_OK(pg_plot_save(folder_file("plot.svg"), &run, 1, NULL));
    CHECK_OK(pg_file_read(&text, folder_file("plot.svg"), 1 << 24));
    assert_non_null(strstr(text.data, "<svg"));
    assert_non_null(strstr(text.data, "</svg>"));
    pg_buffer_free(&text);
}

/* So much that columns of pixels are merged. */
static void long_runs_make_small_files(void **state)
{
    (void)state;
    const char *run = write_run("long", 20000);
    pg_buffer text = {0};
    CHECK_OK(pg_plot_save(folder_file("long.svg"), &run, 1, NULL));
    CHECK_OK(pg_file_read(&text, folder_file("long.svg"), 1 << 24));
    assert_in_range(text.size, 10000, 400000);
    pg_buffer_free(&text);
}

static void what_cannot_be_drawn_is_told(void **state)
{
    (void)state;
    const char *run = write_run("one", 20), *none = "/nowhere", *picture = keep(folder_file("x.png")),
               *tag = "accuracy";
    pg_plot_options options;
    pg_plot_options_init(&options);
    CHECK_FAILS(pg_plot_save(folder_file("x.gif"), &run, 1, NULL), PG_ERROR_ARGUMENT, "ends in .png or .svg");
    CHECK_FAILS(pg_plot_save(picture, &none, 1, NULL), PG_ERROR_FILE, "/nowhere: cannot be opened");
    CHECK_FAILS(pg_plot_save("/nowhere/x.png", &run, 1, NULL), PG_ERROR_FILE, "/nowhere/x.png: cannot be written");
    CHECK_FAILS(pg_plot_save(picture, &run, 0, NULL), PG_ERROR_ARGUMENT, "no run");
    const char *text = keep(folder_write("text", "a,b\n1,2\n", 8)), *empty = keep(folder_write("empty", "", 0));
    CHECK_FAILS(pg_plot_save(picture, &text, 1, NULL), PG_ERROR_FORMAT, "text: no records of a run");
    CHECK_FAILS(pg_plot_save(picture, &empty, 1, NULL), PG_ERROR_FORMAT, "empty: no records of a run");
    const char *broken = "step,time,tag,value\n1,2,loss,3\n2,3,loss\n3,4,loss,5\n";
    broken = keep(folder_write("broken", broken, strlen(broken)));
    CHECK_FAILS(pg_plot_save(picture, &broken, 1, NULL), PG_ERROR_FORMAT, "broken: line 3 is not");
    options.tags = &tag;
    options.tag_count = 1;
    CHECK_FAILS(pg_plot_save(picture, &run, 1, &options), PG_ERROR_ARGUMENT, "the runs have loss, validation/loss");
    options.tag_count = 0;
    options.smooth = 1;
    CHECK_FAILS(pg_plot_save(picture, &run, 1, &options), PG_ERROR_ARGUMENT, "smoothing is 1");
    options.smooth = 0;
    options.width = 10;
    CHECK_FAILS(pg_plot_save(picture, &run, 1, &options), PG_ERROR_ARGUMENT, "10 x 0");
    assert_false(pg_file_exists(picture));
}

static void failing_allocations_are_told(void **state)
{
    (void)state;
    const char *run = write_run("short", 12);
    pg_plot_options options;
    pg_plot_options_init(&options);
    options.smooth = 0.5;
    CHECK_SWEEP(pg_plot_save(folder_file("sweep.svg"), &run, 1, &options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_have_their_colours),
        cmocka_unit_test(odd_values_are_drawn),
        cmocka_unit_test(svg_is_written),
        cmocka_unit_test(long_runs_make_small_files),
        cmocka_unit_test(what_cannot_be_drawn_is_told),
        cmocka_unit_test(failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

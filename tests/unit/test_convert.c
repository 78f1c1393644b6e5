/* Data sets written as JSON lines: masks as <seg> tokens, pictures named from the new file; and the rows read back. */
#include "temporary_folder.h"

#include <sys/stat.h>

#include "base/json.h"
#include "sweep.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/data/"

/* Codes that say where the mask lies. */
static pg_status corner_codes(void *user, int codes[16], const pg_mask_view *mask)
{
    (void)user;
    for (int i = 0; i < 16; i++)
        codes[i] = i ? (int)mask->box[i % 4] % 128 : (int)mask->width % 128;
    return PG_OK;
}

static pg_dataset *open_with(const char *path, pg_dataset_options options)
{
    pg_dataset *dataset;
    CHECK_OK(pg_dataset_open(&dataset, path, &options));
    return dataset;
}

/* Both rows say the same of the same picture. */
static void check_row(const pg_data_row *made, const pg_data_row *from)
{
    const char *const texts[][2] = {{made->kind == PG_ROW_TEXT ? NULL : made->prefix,
                                     from->kind == PG_ROW_TEXT ? NULL : from->prefix},
                                    {made->suffix, from->suffix},
                                    {made->chosen, from->chosen},
                                    {made->rejected, from->rejected},
                                    {made->text, from->text}};
    char *a, *b;
    assert_int_equal(made->kind, from->kind);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(texts[i][0] == NULL, texts[i][1] == NULL);
        if (texts[i][0])
            assert_string_equal(texts[i][0], texts[i][1]);
    }
    assert_int_equal(made->label, from->label);
    assert_int_equal(made->image_count, from->image_count);
    for (size_t i = 0; i < made->image_count; i++) {
        a = realpath(made->images[i].name, NULL);
        b = realpath(from->images[i].name, NULL);
        assert_non_null(a);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
}

/* Converts, reads the lines back, and compares every row. */
static void check_conversion(const char *path, pg_dataset_options options)
{
    size_t written;
    pg_data_row *made, *from;
    pg_dataset *source = open_with(path, options);
    CHECK_OK(pg_dataset_convert(&written, folder_file("rows.jsonl"), source, NULL));
    assert_int_equal(written, pg_dataset_count(source));
    pg_dataset *lines = open_with(folder_file("rows.jsonl"), (pg_dataset_options){.kind = PG_DATA_JSONL});
    assert_int_equal(pg_dataset_count(lines), written);
    for (size_t i = 0; i < written; i++) {
        CHECK_OK(pg_dataset_row(&made, lines, i));
        CHECK_OK(pg_dataset_row(&from, source, i));
        check_row(made, from);
        pg_data_row_free(made);
        pg_data_row_free(from);
    }
    pg_dataset_close(lines);
    pg_dataset_close(source);
}

/* A prompt that was given makes an answer of what is said of a picture. */
static void texts_may_become_answers(void **state)
{
    pg_data_row *row;
    (void)state;
    pg_dataset *source = open_with(folder_file("captions.jsonl"), (pg_dataset_options){.prefix = "caption de"});
    CHECK_OK(pg_dataset_convert(NULL, folder_file("rows.jsonl"), source, NULL));
    pg_dataset *lines = open_with(folder_file("rows.jsonl"), (pg_dataset_options){0});
    CHECK_OK(pg_dataset_row(&row, lines, 0));
    assert_string_equal(row->prefix, "caption de");
    assert_string_equal(row->suffix, "t");
    pg_data_row_free(row);
    pg_dataset_close(lines);
    pg_dataset_close(source);
}

static void every_kind(void **state)
{
    (void)state;
    const char *images = GOLDEN "images";
    check_conversion(GOLDEN "coco_instances.json", (pg_dataset_options){.images = images});
    check_conversion(GOLDEN "coco_instances.json",
                     (pg_dataset_options){.kind = PG_DATA_COCO_SEGMENT, .images = images, .encode_mask = corner_codes});
    check_conversion(GOLDEN "coco_captions.json", (pg_dataset_options){.images = images});
    check_conversion(PG_TESTS_FOLDER "/golden/data", (pg_dataset_options){.images = images});
    const char pairs[] = "{\"prefix\":\"p\\u00e9\",\"chosen\":\"a\\n\",\"rejected\":\"b\"}\n";
    check_conversion(folder_write("pairs.jsonl", pairs, strlen(pairs)), (pg_dataset_options){0});
    const char classes[] = "{\"text\":\"t\",\"label\":\"dog\"}\n{\"text\":\"u\",\"label\":\"cat\"}\n";
    check_conversion(folder_write("classes.jsonl", classes, strlen(classes)), (pg_dataset_options){0});
    const char numbers[] = "{\"text\":\"t\",\"label\":7}\n";
    check_conversion(folder_write("numbers.jsonl", numbers, strlen(numbers)), (pg_dataset_options){0});
    check_conversion(folder_write("text.txt", "a\n\nb\n", 5), (pg_dataset_options){0});
    mkdir(folder_file("pictures"), 0777);
    folder_write("pictures/a.png", "", 0);
    folder_write("pictures/b.png", "", 0);
    const char two[] = "{\"image\":[\"a.png\",\"b.png\"],\"prefix\":\"p\",\"suffix\":\"s\"}\n";
    check_conversion(folder_write("two.jsonl", two, strlen(two)),
                     (pg_dataset_options){.images = folder_file("pictures")});
    const char captions[] = "{\"image\":\"pictures/a.png\",\"text\":\"t\"}\n";
    folder_write("captions.jsonl", captions, strlen(captions));
    check_conversion(folder_file("captions.jsonl"), (pg_dataset_options){0});
}

#ifdef PG_SHARED_FOLDER
/* The reference's codes, through the codec with random weights. */
static void codes_are_the_reference_s(void **state)
{
    json_t *expected, *row;
    size_t i, at = 0;
    pg_data_row *found;
    pg_mask_codec *codec;
    (void)state;
    CHECK_OK(pg_mask_codec_open(&codec, PG_SHARED_FOLDER "/golden/tasks/segmentation/vae-random.npz"));
    pg_dataset *source = open_with(GOLDEN "coco_instances.json", (pg_dataset_options){
                                                                     .kind = PG_DATA_COCO_SEGMENT,
                                                                     .images = GOLDEN "images",
                                                                     .encode_mask = pg_mask_codec_encode_view,
                                                                     .user = codec,
                                                                 });
    CHECK_OK(pg_dataset_convert(NULL, folder_file("rows.jsonl"), source, NULL));
    pg_dataset *lines = open_with(folder_file("rows.jsonl"), (pg_dataset_options){.kind = PG_DATA_JSONL});
    CHECK_OK(pg_json_load(&expected, GOLDEN "expected.json"));
    json_array_foreach(expected, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "kind")), "segment") != 0)
            continue;
        CHECK_OK(pg_dataset_row(&found, lines, at++));
        assert_string_equal(found->prefix, json_string_value(json_object_get(row, "prefix")));
        assert_string_equal(found->suffix, json_string_value(json_object_get(row, "suffix")));
        pg_data_row_free(found);
    }
    assert_int_equal(at, pg_dataset_count(lines));
    json_decref(expected);
    pg_dataset_close(lines);
    pg_dataset_close(source);
    pg_mask_codec_close(codec);
}
#endif

/* ---------------------------------------------------------------- objects that go together */

static void check_texts(const pg_dataset *dataset, size_t row, const char *prefix, const char *suffix)
{
    pg_data_row *found;
    CHECK_OK(pg_dataset_row(&found, dataset, row));
    assert_string_equal(found->prefix, prefix);
    assert_string_equal(found->suffix, suffix);
    pg_data_row_free(found);
}

#define SEG4(a, b, c, d) "<seg" #a "><seg" #b "><seg" #c "><seg" #d ">"

static void names_together(void **state)
{
    (void)state;
    const char coco[] =
        "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":10,\"height\":10}],"
        "\"categories\":[{\"id\":1,\"name\":\"dog\"},{\"id\":2,\"name\":\"cat\"}],\"annotations\":["
        "{\"id\":1,\"image_id\":1,\"category_id\":2,\"bbox\":[0,0,2,2],\"segmentation\":[[0,0,2,0,2,2]]},"
        "{\"id\":2,\"image_id\":1,\"category_id\":1,\"bbox\":[4,4,2,2],\"segmentation\":[[4,4,6,4,6,6]]},"
        "{\"id\":3,\"image_id\":1,\"category_id\":2,\"bbox\":[5,5,0,0],\"segmentation\":[[5,5,5,5,5,5]]},"
        "{\"id\":4,\"image_id\":1,\"category_id\":2,\"bbox\":[5,0,5,5],\"segmentation\":[[5,0,10,0,10,5]]}]}";
    pg_dataset *dataset =
        open_with(folder_write("coco.json", coco, strlen(coco)),
                  (pg_dataset_options){.kind = PG_DATA_COCO_SEGMENT, .together = true, .encode_mask = corner_codes});
    assert_int_equal(pg_dataset_count(dataset), 2);
    check_texts(dataset, 0, "segment dog",
                "<loc0409><loc0409><loc0614><loc0614>" SEG4(010, 004, 006, 006) SEG4(004, 004, 006, 006)
                    SEG4(004, 004, 006, 006) SEG4(004, 004, 006, 006) " dog");
    check_texts(dataset, 1, "segment cat",
                "<loc0000><loc0000><loc0205><loc0205>" SEG4(010, 000, 002, 002) SEG4(000, 000, 002, 002)
                    SEG4(000, 000, 002, 002)
                        SEG4(000, 000, 002, 002) " cat ; <loc0000><loc0512><loc0512><loc1023>" SEG4(010, 000, 010, 005)
                            SEG4(005, 000, 010, 005) SEG4(005, 000, 010, 005) SEG4(005, 000, 010, 005) " cat");
    pg_dataset_close(dataset);
}

/* ---------------------------------------------------------------- folders of masks */

/* A picture of so many pixels that is white from `left` on. */
static void write_mask(const char *name, int side, int left)
{
    uint8_t pixels[3 * 16 * 16];
    pg_image *image;
    for (int i = 0; i < side * side; i++)
        memset(pixels + 3 * i, i % side >= left ? 255 : 0, 3);
    CHECK_OK(pg_image_new(&image, pixels, (size_t)side, (size_t)side, 0));
    CHECK_OK(pg_image_save_png(image, folder_file(name)));
    pg_image_free(image);
}

static void make_masks(void)
{
    static const char *const folders[] = {"set", "set/images", "set/masks", "set/masks/dog", "set/masks/red cat"};
    static const char *const pictures[] = {"set/images/a.jpg", "set/images/a_2.png", "set/images/b.webp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        mkdir(folder_file(folders[i]), 0777);
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        folder_write(pictures[i], "", 0);
    write_mask("set/masks/dog/a_10.png", 10, 5);
    write_mask("set/masks/dog/a_9.png", 10, 6);
    write_mask("set/masks/dog/a_2.png", 10, 7); /* of the picture of this name */
    write_mask("set/masks/red cat/a.png", 10, 0);
    write_mask("set/masks/red cat/b.png", 10, 10); /* empty */
    write_mask("set/masks/dog/c.png", 10, 3);      /* of no picture */
}

static void check_picture(const pg_dataset *dataset, size_t row, const char *picture, const char *begin)
{
    pg_data_row *found;
    CHECK_OK(pg_dataset_row(&found, dataset, row));
    assert_string_equal(strrchr(found->images[0].name, '/') + 1, picture);
    assert_memory_equal(found->suffix, begin, strlen(begin));
    pg_data_row_free(found);
}

static void mask_folders(void **state)
{
    pg_data_row *row;
    char *place;
    (void)state;
    char pictures[512];
    make_masks();
    snprintf(pictures, sizeof pictures, "%s", folder_file("set/images"));
    pg_dataset_options options = {.kind = PG_DATA_MASK_FOLDERS, .images = pictures, .encode_mask = corner_codes};
    pg_dataset *dataset = open_with(folder_file("set/masks"), options);
    assert_int_equal(pg_dataset_count(dataset), 6);
    check_picture(dataset, 0, "a.jpg", "<loc0000><loc0614><loc1023><loc1023>"); /* 9 before 10 */
    check_picture(dataset, 1, "a.jpg", "<loc0000><loc0512><loc1023><loc1023>");
    check_picture(dataset, 2, "a.jpg", "<loc0000><loc0000><loc1023><loc1023>");
    check_picture(dataset, 3, "a_2.png", "<loc0000><loc0716><loc1023><loc1023>");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 4), PG_ERROR_FORMAT, "no pixel is white");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 5), PG_ERROR_FORMAT, "there is no picture of this name");
    CHECK_OK(pg_dataset_place(&place, dataset, 5));
    assert_string_equal(place, folder_file("set/masks/dog/c.png"));
    pg_free(place);
    pg_dataset_close(dataset);
    options.together = true;
    dataset = open_with(folder_file("set/masks/"), options);
    assert_int_equal(pg_dataset_count(dataset), 5);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_string_equal(row->prefix, "segment dog");
    assert_non_null(strstr(row->suffix, " dog ; <loc"));
    pg_data_row_free(row);
    CHECK_OK(pg_dataset_row(&row, dataset, 1));
    assert_string_equal(row->prefix, "segment red cat");
    pg_data_row_free(row);
    pg_dataset_close(dataset);
    dataset = open_with(folder_file("set/masks/dog"), options); /* its own name, and three pictures: a, a_2, none */
    assert_int_equal(pg_dataset_count(dataset), 3);
    pg_dataset_close(dataset);
}

static void wrong_folders(void **state)
{
    pg_dataset *dataset;
    pg_dataset_options options = {.kind = PG_DATA_MASK_FOLDERS};
    (void)state;
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("set/masks"), &options), PG_ERROR_UNSUPPORTED, "no");
    options.encode_mask = corner_codes;
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("absent"), &options), PG_ERROR_FILE, "absent");
    CHECK_FAILS(pg_dataset_open(&dataset, PG_TESTS_FOLDER "/cli", &options), PG_ERROR_FORMAT, "has no PNG files");
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("coco.json"), &options), PG_ERROR_FILE, "coco.json");
    assert_int_equal(chdir(folder_file("set/masks/dog")), 0);
    CHECK_FAILS(pg_dataset_open(&dataset, ".", &options), PG_ERROR_FORMAT, "give it a name");
}

/* ---------------------------------------------------------------- what goes wrong */

static size_t complaints;

static void count_complaint(void *user, const char *text)
{
    assert_string_equal(user, "me");
    assert_non_null(strstr(text, complaints ? "bad.jsonl:4" : "bad.jsonl:2"));
    complaints++;
}

static bool stop_early(void *user, size_t done, size_t total)
{
    (void)user;
    return done > total;
}

static void bad_rows_are_left_out(void **state)
{
    (void)state;
    size_t written;
    const char rows[] = "{\"prefix\":\"p\",\"suffix\":\"a\"}\n{\n{\"prefix\":\"p\",\"suffix\":\"b\"}\n"
                        "{\"image\":\"nowhere/../all.png\",\"prefix\":\"p\",\"suffix\":\"c\"}\n";
    pg_dataset *dataset = open_with(folder_write("bad.jsonl", rows, strlen(rows)), (pg_dataset_options){0});
    pg_convert_options options;
    pg_convert_options_init(&options);
    options.on_bad = count_complaint;
    options.user = "me";
    options.bad_share = 0.02;
    CHECK_OK(pg_dataset_convert(&written, folder_file("good.jsonl"), dataset, &options));
    assert_int_equal(written, 2);
    assert_int_equal(complaints, 2);
    int before = folder_count();
    options.bad_share = complaints = 0;
    CHECK_FAILS(pg_dataset_convert(NULL, folder_file("none.jsonl"), dataset, &options), PG_ERROR_FORMAT,
                "1 of 2 rows are bad");
    options = (pg_convert_options){.bad_share = 1, .on_progress = stop_early};
    CHECK_FAILS(pg_dataset_convert(NULL, folder_file("none.jsonl"), dataset, &options), PG_ERROR_CANCELLED, "");
    options.threads = -1;
    CHECK_FAILS(pg_dataset_convert(NULL, folder_file("none.jsonl"), dataset, &options), PG_ERROR_ARGUMENT, "threads");
    CHECK_FAILS(pg_dataset_convert(NULL, folder_file("no/where.jsonl"), dataset, NULL), PG_ERROR_FILE, "no");
    pg_dataset_close(dataset);
    dataset = open_with(GOLDEN "coco_instances.json", (pg_dataset_options){.kind = PG_DATA_MASKS});
    CHECK_FAILS(pg_dataset_convert(NULL, folder_file("none.jsonl"), dataset, NULL), PG_ERROR_UNSUPPORTED,
                "masks alone");
    pg_dataset_close(dataset);
    assert_int_equal(folder_count(), before);
}

static pg_dataset *swept;

static pg_status convert_again(void)
{
    return pg_dataset_convert(NULL, folder_file("swept.jsonl"), swept, &(pg_convert_options){.threads = 1});
}

static pg_status open_masks_again(void)
{
    pg_dataset *dataset;
    pg_data_row *row;
    pg_dataset_options options = {.kind = PG_DATA_MASK_FOLDERS,
                                  .images = folder_file("set/images"),
                                  .together = true,
                                  .encode_mask = corner_codes};
    PG_TRY(pg_dataset_open(&dataset, folder_file("set/masks"), &options));
    pg_status status = pg_dataset_row(&row, dataset, 0);
    if (status == PG_OK)
        pg_data_row_free(row);
    pg_dataset_close(dataset);
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    pg_file_set_sync(false);
    swept = open_with(GOLDEN "coco_instances.json", (pg_dataset_options){.kind = PG_DATA_COCO_SEGMENT,
                                                                         .images = GOLDEN "images",
                                                                         .together = true,
                                                                         .encode_mask = corner_codes});
    CHECK_SWEEP(convert_again());
    pg_dataset_close(swept);
    CHECK_SWEEP(open_masks_again());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(texts_may_become_answers),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(codes_are_the_reference_s),
#endif
        cmocka_unit_test(names_together),
        cmocka_unit_test(mask_folders),
        cmocka_unit_test(bad_rows_are_left_out),
        cmocka_unit_test(short_of_memory),
        cmocka_unit_test(wrong_folders),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

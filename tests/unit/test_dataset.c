/* Every kind of file: its rows, its bad rows, and files that are no data sets. Tar shards have a test of their own. */
#include "temporary_folder.h"
#include "sweep.h"

#include <sys/stat.h>

#include "base/json.h"
#include "data/dataset.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/data/"

static pg_dataset *open_with(const char *path, pg_dataset_options options)
{
    pg_dataset *dataset;
    CHECK_OK(pg_dataset_open(&dataset, path, &options));
    return dataset;
}

static const char *write_text(const char *name, const char *text)
{
    return folder_write(name, text, strlen(text));
}

/* Makes of a mask what the golden rows have in their place: nothing that needs a model. */
static pg_status no_codes(void *user, int codes[16], const pg_mask_view *mask)
{
    size_t *pixels = user;
    for (size_t i = 0; i < mask->width * mask->height; i++)
        *pixels += mask->pixels[i];
    for (int i = 0; i < 16; i++)
        codes[i] = i;
    return PG_OK;
}

/* ---------------------------------------------------------------- the reference's conversions */

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static void check_picture(const pg_data_row *row, const char *name)
{
    size_t size = strlen(row->images[0].name), tail = strlen(name);
    assert_int_equal(row->image_count, 1);
    assert_true(size >= tail && !strcmp(row->images[0].name + size - tail, name));
}

/* Rows of expected.json of one source and kind, in order, against a data set's. */
static void check_golden(const char *source, const char *kind, const char *file, pg_dataset_options options)
{
    json_t *expected, *row;
    size_t i, at = 0;
    pg_dataset *dataset = open_with(file, options);
    CHECK_OK(pg_json_load(&expected, GOLDEN "expected.json"));
    json_array_foreach(expected, i, row)
    {
        pg_data_row *found;
        if (strcmp(text_of(row, "source"), source) != 0 || strcmp(text_of(row, "kind"), kind) != 0)
            continue;
        if (!*text_of(row, "suffix")) {
            CHECK_FAILS(pg_dataset_row(&found, dataset, at++), PG_ERROR_FORMAT, "is empty");
            continue;
        }
        CHECK_OK(pg_dataset_row(&found, dataset, at++));
        assert_string_equal(found->prefix, text_of(row, "prefix"));
        assert_string_equal(found->suffix ? found->suffix : found->text, text_of(row, "suffix"));
        if (strcmp(kind, "vqa") != 0) /* the made up questions do not say how pictures are named */
            check_picture(found, text_of(row, "image"));
        pg_data_row_free(found);
    }
    assert_true(at > 0);
    assert_int_equal(at, pg_dataset_count(dataset));
    pg_dataset_close(dataset);
    json_decref(expected);
}

static void rows_are_the_references(void **state)
{
    (void)state;
    check_golden("coco_instances.json", "detect", GOLDEN "coco_instances.json", (pg_dataset_options){0});
    check_golden("coco_captions.json", "caption", GOLDEN "coco_captions.json", (pg_dataset_options){0});
    check_golden("vqa_questions.json", "vqa", GOLDEN "vqa_questions.json",
                 (pg_dataset_options){.annotations = GOLDEN "vqa_annotations.json", .image_name = "img#.png"});
    check_golden("_annotations.train.jsonl", "jsonl", GOLDEN "_annotations.train.jsonl", (pg_dataset_options){0});
    check_golden("_annotations.train.jsonl", "jsonl", PG_TESTS_FOLDER "/golden/data", (pg_dataset_options){0});
    check_golden("metadata.jsonl", "imagefolder", GOLDEN "metadata.jsonl", (pg_dataset_options){0});
}

/* Box, name and the mask's area; the codes are those of an encoder that the library does not bring. */
static void segmentation_rows_have_masks(void **state)
{
    (void)state;
    json_t *expected, *row;
    size_t i, at = 0, pixels = 0;
    pg_dataset_options options = {.kind = PG_DATA_COCO_SEGMENT, .encode_mask = no_codes, .user = &pixels};
    pg_dataset *dataset = open_with(GOLDEN "coco_instances.json", options);
    CHECK_OK(pg_json_load(&expected, GOLDEN "expected.json"));
    json_array_foreach(expected, i, row)
    {
        pg_data_row *found;
        const char *suffix = text_of(row, "suffix");
        if (strcmp(text_of(row, "kind"), "segment") != 0)
            continue;
        pixels = 0;
        CHECK_OK(pg_dataset_row(&found, dataset, at++));
        assert_string_equal(found->prefix, text_of(row, "prefix"));
        assert_memory_equal(found->suffix, suffix, 36);
        assert_memory_equal(found->suffix + 36, "<seg000><seg001>", 16);
        assert_string_equal(strchr(found->suffix, ' '), strchr(suffix, ' '));
        assert_int_equal(pixels, json_integer_value(json_object_get(row, "mask_pixels")));
        pg_data_row_free(found);
    }
    assert_int_equal(at, pg_dataset_count(dataset));
    pg_dataset_close(dataset);
    json_decref(expected);
    options.encode_mask = NULL;
    CHECK_FAILS(pg_dataset_open(&dataset, GOLDEN "coco_instances.json", &options), PG_ERROR_UNSUPPORTED,
                "mask encoder, and there is none");
}

/* ---------------------------------------------------------------- JSONL */

static void check_bad(const pg_dataset *dataset, size_t row, const char *reason)
{
    pg_data_row *found;
    CHECK_FAILS(pg_dataset_row(&found, dataset, row), PG_ERROR_FORMAT, reason);
    assert_null(found);
}

static const char bad_lines[] =
    "\xef\xbb\xbf{\"image\": \"a.png\", \"prefix\": \"p\", \"suffix\": \"s\"}\r\n"
    "\n"
    "{\"image\": \"a.png\", \"prefix\": \"p\", \"sufix\": \"s\"}\n"
    "  \t\r\n"
    "{\"image\": \"a.png\", \"prefix\": \"p\", \"suffix\": \"  \"}\n"
    "{\"image\": \"a.png\", \"prefix\": \"p\", \"suffix\": \"s\"\n"
    "{\"image\": 3, \"prefix\": \"p\", \"suffix\": \"s\"}\n"
    "{\"image\": \"a.png\", \"prefix\": \"\xff\", \"suffix\": \"s\"}\n"
    "{\"image\": \"a.png\", \"prefix\": \"p\", \"suffix\": \"a\\u0000b\"}\n"
    "{\"Image\": \"a.png\", \"prefix\": \"p\", \"suffix\": \"s\"}\n"
    "{\"text\": \"p\"}\n"
    "[3]\n"
    "{\"prefix\": \"p\", \"suffix\": [1]}\n"
    "{\"image\": [\"a.png\", \"/b.png\"], \"prefix\": \"\", \"suffix\": \" s\", \"id\": 3}\n"
    "{\"image\": \"\", \"prefix\": \"p\", \"suffix\": \"s\"}\n"
    "{\"prefix\": \"p\", \"suffix\": \"s\", \"suffix\": \"t\"}";

static void bad_lines_are_told_by_line_and_reason(void **state)
{
    (void)state;
    pg_dataset *dataset = open_with(write_text("rows.jsonl", bad_lines), (pg_dataset_options){0});
    pg_data_row *row;
    char *place;
    assert_int_equal(pg_dataset_count(dataset), 14);
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_SUFFIX);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    check_picture(row, "/a.png");
    pg_data_row_free(row);
    check_bad(dataset, 1, "rows.jsonl:3: found the key \"sufix\", expected \"suffix\"");
    check_bad(dataset, 2, "rows.jsonl:5: suffix: is empty");
    check_bad(dataset, 3, "rows.jsonl:6: ");
    check_bad(dataset, 4, "rows.jsonl:7: \"image\": expected a file's name");
    check_bad(dataset, 5, "rows.jsonl:8: ");
    check_bad(dataset, 6, "rows.jsonl:9: suffix: has a NUL character");
    check_bad(dataset, 7, "rows.jsonl:10: found the key \"Image\", expected \"image\"");
    check_bad(dataset, 8, "rows.jsonl:11: found a row of kind \"text\" among rows of kind \"suffix\"");
    check_bad(dataset, 9, "rows.jsonl:12: not a JSON object");
    check_bad(dataset, 10, "rows.jsonl:13: \"suffix\": expected a text");
    CHECK_OK(pg_dataset_row(&row, dataset, 11));
    assert_int_equal(row->image_count, 2);
    assert_string_equal(row->images[1].name, "/b.png");
    assert_string_equal(row->suffix, " s"); /* as it is written */
    assert_string_equal(row->prefix, "");
    pg_data_row_free(row);
    check_bad(dataset, 12, "rows.jsonl:15: the name of a picture is empty");
    check_bad(dataset, 13, "rows.jsonl:16: ");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 14), PG_ERROR_ARGUMENT, "has 14 rows");
    CHECK_OK(pg_dataset_place(&place, dataset, 11));
    assert_string_equal(strrchr(place, ':'), ":14");
    pg_free(place);
    pg_dataset_close(dataset);
}

static void rows_may_have_several_answers(void **state)
{
    (void)state;
    pg_data_row *row;
    pg_dataset *dataset = open_with(write_text("rows.jsonl", "{\"prefix\": \"p\", \"suffixes\": [\"s\", \"t\"]}\n"
                                                             "{\"prefix\": \"p\", \"suffixes\": []}\n"
                                                             "{\"prefix\": \"p\", \"suffixes\": \"s\"}\n"
                                                             "{\"prefix\": \"p\", \"sufixes\": [\"s\"]}\n"),
                                    (pg_dataset_options){0});
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_string_equal(row->suffix, "s");
    pg_data_row_free(row);
    check_bad(dataset, 1, "rows.jsonl:2: \"suffixes\": expected a list of texts");
    check_bad(dataset, 2, "rows.jsonl:3: \"suffixes\": expected a list of texts");
    check_bad(dataset, 3, "rows.jsonl:4: ");
    pg_dataset_close(dataset);
}

static void other_rows_have_their_fields(void **state)
{
    (void)state;
    pg_data_row *row;
    pg_dataset *dataset =
        open_with(write_text("pairs.jsonl", "{\"image\":null,\"prefix\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
                                            "{\"prefix\":\"p\",\"chosen\":\"a\"}\n"),
                  (pg_dataset_options){0});
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_PREFERENCE);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_string_equal(row->chosen, "a");
    assert_string_equal(row->rejected, "b");
    pg_data_row_free(row);
    check_bad(dataset, 1, "the key \"rejected\" is missing");
    pg_dataset_close(dataset);

    dataset = open_with(write_text("texts.jsonl", "{\"image\":\"x.png\",\"text\":\"a cat\"}\n{\"text\":\"alone\"}\n"),
                        (pg_dataset_options){.images = "/pictures", .prefix = "describe"});
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_TEXT);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_string_equal(row->images[0].name, "/pictures/x.png");
    assert_string_equal(row->prefix, "describe");
    pg_data_row_free(row);
    CHECK_OK(pg_dataset_row(&row, dataset, 1));
    assert_string_equal(row->text, "alone");
    pg_data_row_free(row);
    pg_dataset_close(dataset);
}

static void classes_have_numbers_or_names(void **state)
{
    (void)state;
    static const char named[] =
        "{\"image\":\"x\",\"label\":\"dog\",\"text\":\"t\"}\n{\"image\":\"x\",\"label\":\"cat\"}\n"
        "{\"image\":\"x\",\"label\":\"dog\"}\n{\"image\":\"x\",\"label\":5}\n";
    const char *const labels[] = {"dog", "ant"};
    pg_data_row *row;
    pg_dataset *dataset = open_with(write_text("named.jsonl", named), (pg_dataset_options){0});
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_LABEL);
    assert_int_equal(pg_dataset_label_count(dataset), 2);
    assert_string_equal(pg_dataset_label(dataset, 0), "cat");
    CHECK_OK(pg_dataset_row(&row, dataset, 2));
    assert_int_equal(row->label, 1);
    assert_string_equal(row->text, "");
    pg_data_row_free(row);
    check_bad(dataset, 3, "\"label\": found 5, expected 0 to 1");
    pg_dataset_close(dataset);
    dataset = open_with(folder_file("named.jsonl"), (pg_dataset_options){.labels = labels, .label_count = 2});
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_int_equal(row->label, 0);
    pg_data_row_free(row);
    check_bad(dataset, 1, "the label \"cat\" is none of the 2 classes");
    pg_dataset_close(dataset);
    dataset = open_with(write_text("numbers.jsonl", "{\"text\":\"t\",\"label\":7}\n{\"text\":\"t\",\"label\":-1}\n"),
                        (pg_dataset_options){0});
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_int_equal(row->label, 7);
    assert_int_equal(pg_dataset_label_count(dataset), 0);
    pg_data_row_free(row);
    check_bad(dataset, 1, "found -1");
    pg_dataset_close(dataset);
}

static void patches_have_classes(void **state)
{
    (void)state;
    static const char text[] = "{\"image\":\"x\",\"label\":[\"sea\",\"dog\",\"sea\"]}\n"
                               "{\"image\":\"x\",\"label\":[]}\n{\"image\":\"x\",\"label\":[\"sea\",2]}\n";
    pg_data_row *row;
    pg_dataset *dataset = open_with(write_text("patches.jsonl", text), (pg_dataset_options){0});
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_LABEL);
    assert_int_equal(pg_dataset_label_count(dataset), 2);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_int_equal(row->label, -1);
    assert_int_equal(row->patch_count, 3);
    const int32_t expected[] = {1, 0, 1};
    assert_memory_equal(row->patch_labels, expected, sizeof expected);
    pg_data_row_free(row);
    check_bad(dataset, 1, "a list of 0 classes");
    check_bad(dataset, 2, "found 2, expected 0 to 1");
    pg_dataset_close(dataset);
}

/* ---------------------------------------------------------------- other kinds */

static void documents_are_cut_at_blank_lines(void **state)
{
    (void)state;
    static const char *const documents[] = {"one\r\ntwo", "  three", "four"};
    pg_dataset *dataset =
        open_with(write_text("text.txt", "\n\none\r\ntwo\r\n \t\n\n  three  \n\nfour"), (pg_dataset_options){0});
    char *place;
    assert_int_equal(pg_dataset_get_kind(dataset), PG_DATA_TEXT);
    assert_int_equal(pg_dataset_count(dataset), 3);
    for (size_t i = 0; i < 3; i++) {
        pg_data_row *row;
        CHECK_OK(pg_dataset_row(&row, dataset, i));
        assert_string_equal(row->text, documents[i]);
        pg_data_row_free(row);
    }
    CHECK_OK(pg_dataset_place(&place, dataset, 1));
    assert_string_equal(strrchr(place, ':'), ":7");
    pg_free(place);
    pg_dataset_close(dataset);
}

static void broken_annotations_are_bad_rows(void **state)
{
    (void)state;
    static const char text[] = "{\"annotations\":[{\"id\":1,\"image_id\":9,\"category_id\":1,\"bbox\":[1,1,2,2]},"
                               "{\"id\":2,\"image_id\":1,\"category_id\":8,\"bbox\":[1,1,2,2]},"
                               "{\"id\":3,\"image_id\":2,\"category_id\":1,\"bbox\":[1,1,0,2]},"
                               "{\"id\":4,\"image_id\":3,\"category_id\":1,\"bbox\":[1,1,2,2]},"
                               "{\"id\":5,\"image_id\":4,\"category_id\":1,\"bbox\":[1,1,2,2],\"iscrowd\":1},"
                               "{\"id\":6,\"image_id\":4,\"category_id\":1,\"bbox\":[0,0,50,50],\"iscrowd\":0}],"
                               "\"images\":[{\"id\":1,\"file_name\":\"a\",\"width\":9,\"height\":9},"
                               "{\"id\":2,\"file_name\":\"b\",\"width\":9,\"height\":9},{\"id\":3,\"file_name\":\"c\"},"
                               "{\"id\":4,\"file_name\":\"d \\u00e9\",\"width\":50,\"height\":100}],"
                               "\"categories\":[{\"id\":1,\"name\":\"k\"}]}";
    pg_dataset *dataset = open_with(write_text("coco.json", text), (pg_dataset_options){0});
    pg_data_row *row;
    assert_int_equal(pg_dataset_get_kind(dataset), PG_DATA_COCO_DETECT);
    assert_int_equal(pg_dataset_count(dataset), 5);
    check_bad(dataset, 0, "image 1: annotation 2: there is no category of id 8");
    check_bad(dataset, 1, "image 2: list of objects with a box: is empty");
    check_bad(dataset, 2, "image 3: the picture's \"width\" and \"height\" are missing");
    CHECK_OK(pg_dataset_row(&row, dataset, 3));
    assert_string_equal(row->suffix, "<loc0000><loc0000><loc0512><loc1023> k");
    check_picture(row, "/d \xc3\xa9");
    pg_data_row_free(row);
    check_bad(dataset, 4, "image 9: there is no picture of id 9");
    pg_dataset_close(dataset);
}

static const struct {
    pg_data_kind kind;
    const char *text, *error;
} no_data_sets[] = {
    {PG_DATA_JSONL, "", "has no rows"},
    {PG_DATA_JSONL, "\n \n", "has no rows"},
    {PG_DATA_JSONL, "{\"txet\": 1}\n", "found none of the keys"},
    {PG_DATA_JSONL, "{\"txt\": 1}\n", "found the key \"txt\", expected \"text\""},
    {PG_DATA_JSONL, "{\n", "no row can be read"},
    {PG_DATA_TEXT, " \n", "has no text"},
    {PG_DATA_COCO_DETECT, "", "expected \"{\""},
    {PG_DATA_COCO_DETECT, "{}", "found no \"annotations\""},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[]}", "found no \"images\""},
    {PG_DATA_COCO_DETECT, "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"annotations\":[]}", "has no objects"},
    {PG_DATA_COCO_CAPTIONS, "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"annotations\":[]}", "has no annotations"},
    {PG_DATA_COCO_DETECT, "{\"images\":[{}]}", "a picture without \"id\""},
    {PG_DATA_COCO_DETECT, "{\"images\":[{\"id\":1}]}", "\"file_name\": expected a text"},
    {PG_DATA_COCO_DETECT, "{\"images\":[{\"id\":1,\"file_name\":\"a\\u0000\"}]}", "NUL"},
    {PG_DATA_COCO_DETECT, "{\"images\":[{\"id\":\"1\",\"file_name\":\"a\"}]}", "expected a whole number"},
    {PG_DATA_COCO_DETECT, "{\"images\":[{\"id\":1e400,\"file_name\":\"a\"}]}", "expected a whole number"},
    {PG_DATA_COCO_DETECT, "{\"images\":3}", "expected \"[\""},
    {PG_DATA_COCO_DETECT, "{\"categories\":[{\"id\":1}]}", "\"name\": expected a text"},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[{\"bbox\":[1,2,3]}]}", "found 3 numbers, expected 4"},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[{\"bbox\":[1,2,3,4,5]}]}", "more than 4"},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[{\"bbox\":\"x\"}]}", "4 numbers in brackets"},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[{\"bbox\":[1,2,3,1e300]}]}", "expected a number"},
    {PG_DATA_COCO_DETECT, "{\"annotations\":[{\"bbox\":[1,2,3,4}]}", "expected"},
    {PG_DATA_VQA, "{\"questions\":[]}", "found no \"questions\""},
    {PG_DATA_VQA, "{\"questions\":[{}]}", "without \"question_id\""},
    {(pg_data_kind)99, "x", "no kind 99"},
};

static void files_that_are_no_data_sets_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof no_data_sets / sizeof *no_data_sets; i++) {
        pg_dataset *dataset;
        pg_dataset_options options = {.kind = no_data_sets[i].kind, .annotations = GOLDEN "vqa_annotations.json"};
        pg_status status = pg_dataset_open(&dataset, write_text("bad", no_data_sets[i].text), &options);
        if ((status != PG_ERROR_FORMAT && status != PG_ERROR_ARGUMENT) ||
            !strstr(pg_error_last(), no_data_sets[i].error))
            fail_msg("%s: status %d, \"%s\", expected \"%s\"", no_data_sets[i].text, status, pg_error_last(),
                     no_data_sets[i].error);
        assert_null(dataset);
    }
    pg_dataset *dataset;
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("missing.jsonl"), NULL), PG_ERROR_FILE, "missing.jsonl");
    CHECK_FAILS(pg_dataset_open(&dataset, GOLDEN "vqa_questions.json", NULL), PG_ERROR_ARGUMENT,
                "name the file with the annotations");
    pg_dataset_options vqa = {.annotations = GOLDEN "vqa_annotations.json"};
    CHECK_FAILS(pg_dataset_open(&dataset, GOLDEN "vqa_questions.json", &vqa), PG_ERROR_ARGUMENT,
                "how pictures are named");
    vqa.image_name = "img.jpg";
    CHECK_FAILS(pg_dataset_open(&dataset, GOLDEN "vqa_questions.json", &vqa), PG_ERROR_ARGUMENT, "a # for each digit");
}

/* They would be read as plain text, for they have no keys in the first line. */
static void other_forms_of_rows_are_named(void **state)
{
    (void)state;
    pg_dataset *dataset;
    CHECK_FAILS(pg_dataset_open(&dataset, write_text("rows.gz", "\x1f\x8b\x08"), NULL), PG_ERROR_UNSUPPORTED,
                "rows.gz: is compressed (gzip): unpack it first");
    CHECK_FAILS(pg_dataset_open(&dataset, write_text("rows.json", " [\r\n  {\"prefix\": \"p\"}]"), NULL),
                PG_ERROR_FORMAT, "rows.json: is one JSON list; expected JSON objects, one in a line");
    dataset = open_with(write_text("song.txt", "[Chorus]\nla {la}"), (pg_dataset_options){0});
    assert_int_equal(pg_dataset_get_kind(dataset), PG_DATA_TEXT);
    pg_dataset_close(dataset);
}

static void check_part(const char *split, const char *text)
{
    pg_data_row *row;
    pg_dataset *dataset = open_with(folder_file("parts"), (pg_dataset_options){.split = split});
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    assert_string_equal(row->text, text);
    pg_data_row_free(row);
    pg_dataset_close(dataset);
}

/* What is asked for by name is not replaced by what happens to be there. */
static void folders_have_parts(void **state)
{
    (void)state;
    pg_dataset *dataset;
    pg_dataset_options valid = {.split = "valid"};
    assert_int_equal(mkdir(folder_file("parts"), 0777), 0);
    write_text("parts/metadata.jsonl", "{\"text\": \"whole\"}\n");
    check_part(NULL, "whole");
    check_part("train", "whole");
    assert_false(pg_dataset_has_split(folder_file("parts"), "valid"));
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("parts"), &valid), PG_ERROR_FILE, "parts: has no part \"valid\"");
    assert_int_equal(mkdir(folder_file("parts/test"), 0777), 0);
    write_text("parts/test/metadata.jsonl", "{\"text\": \"a test\"}\n");
    write_text("parts/_annotations.valid.jsonl", "{\"text\": \"valid\"}\n");
    check_part("valid", "valid");
    check_part("test", "a test");
    check_part(NULL, "whole");
    assert_true(pg_dataset_has_split(folder_file("parts"), "valid"));
    assert_false(pg_dataset_has_split(folder_file("parts/metadata.jsonl"), "valid"));
}

static void pictures_of_questions_are_named_by_id(void **state)
{
    (void)state;
    pg_data_row *row;
    write_text("questions.json",
               "{\"data_subtype\":\"val2014\",\"questions\":[{\"image_id\":42,\"question_id\":1,\"question\":\"q?\"},"
               "{\"image_id\":42,\"question_id\":2,\"question\":\"q?\"}]}");
    write_text("answers.json",
               "{\"annotations\":[{\"question_id\":1,\"answers\":[{\"answer\":\"a\"},{\"answer\":\"b\"},{"
               "\"answer\":\"b\"}]}]}");
    pg_dataset *dataset = open_with(folder_file("questions.json"),
                                    (pg_dataset_options){.annotations = folder_file("answers.json"), .prefix = ""});
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    check_picture(row, "/COCO_val2014_000000000042.jpg");
    assert_string_equal(row->prefix, "q?");
    assert_string_equal(row->suffix, "b");
    pg_data_row_free(row);
    check_bad(dataset, 1, "question 2: there is no annotation of this question");
    pg_dataset_close(dataset);
}

/* ---------------------------------------------------------------- hostile ends, and no memory */

static pg_status open_and_read(const char *path, const pg_dataset_options *options)
{
    pg_dataset *dataset;
    pg_status status = pg_dataset_open(&dataset, path, options);
    for (size_t i = 0; status == PG_OK && i < pg_dataset_count(dataset); i++) {
        pg_data_row *row = NULL;
        status = pg_dataset_row(&row, dataset, i);
        if (status == PG_ERROR_FORMAT)
            status = PG_OK;
        pg_data_row_free(row);
    }
    pg_dataset_close(dataset);
    return status;
}

static void files_may_end_anywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"coco_instances.json", "vqa_questions.json", "_annotations.train.jsonl"};
    size_t pixels = 0;
    for (size_t n = 0; n < 3; n++) {
        pg_buffer path = {0}, bytes = {0};
        CHECK_OK(pg_buffer_print(&path, GOLDEN "%s", names[n]));
        CHECK_OK(pg_file_read(&bytes, path.data, SIZE_MAX));
        for (size_t size = 0; size < bytes.size; size++) {
            pg_dataset_options options = {.kind = n == 0   ? PG_DATA_COCO_SEGMENT
                                                  : n == 1 ? PG_DATA_VQA
                                                           : PG_DATA_JSONL,
                                          .annotations = GOLDEN "vqa_annotations.json",
                                          .image_name = "#",
                                          .encode_mask = no_codes,
                                          .user = &pixels};
            pg_status status = open_and_read(folder_write("cut", bytes.data, size), &options);
            assert_true(status == PG_OK || status == PG_ERROR_FORMAT);
        }
        pg_buffer_free(&path);
        pg_buffer_free(&bytes);
    }
}

static void memory_may_run_out(void **state)
{
    (void)state;
    size_t pixels = 0;
    pg_dataset_options vqa = {.annotations = GOLDEN "vqa_annotations.json", .image_name = "img#.png"};
    pg_dataset_options masks = {.kind = PG_DATA_COCO_SEGMENT, .encode_mask = no_codes, .user = &pixels};
    pg_dataset_options texts = {.prefix = "p", .images = "i"};
    write_text("labels.jsonl",
               "{\"image\":[\"x\",\"y\"],\"label\":\"dog\",\"text\":\"t\"}\n{\"image\":\"x\",\"label\":\"cat\"}\n");
    write_text("pairs.jsonl", "{\"image\":\"x\",\"prefix\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}\n");
    CHECK_SWEEP(open_and_read(folder_file("labels.jsonl"), &texts));
    CHECK_SWEEP(open_and_read(folder_file("pairs.jsonl"), NULL));
    CHECK_SWEEP(open_and_read(write_text("text.txt", "a\n\nb"), &texts));
    CHECK_SWEEP(open_and_read(GOLDEN "coco_instances.json", NULL));
    CHECK_SWEEP(open_and_read(GOLDEN "coco_instances.json", &masks));
    CHECK_SWEEP(open_and_read(GOLDEN "coco_captions.json", NULL));
    CHECK_SWEEP(open_and_read(GOLDEN "vqa_questions.json", &vqa));
    CHECK_SWEEP(open_and_read(PG_TESTS_FOLDER "/golden/data", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_references),
        cmocka_unit_test(segmentation_rows_have_masks),
        cmocka_unit_test(bad_lines_are_told_by_line_and_reason),
        cmocka_unit_test(rows_may_have_several_answers),
        cmocka_unit_test(other_rows_have_their_fields),
        cmocka_unit_test(classes_have_numbers_or_names),
        cmocka_unit_test(patches_have_classes),
        cmocka_unit_test(documents_are_cut_at_blank_lines),
        cmocka_unit_test(broken_annotations_are_bad_rows),
        cmocka_unit_test(files_that_are_no_data_sets_are_refused),
        cmocka_unit_test(other_forms_of_rows_are_named),
        cmocka_unit_test(folders_have_parts),
        cmocka_unit_test(pictures_of_questions_are_named_by_id),
        cmocka_unit_test(files_may_end_anywhere),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

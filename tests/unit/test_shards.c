/* Tar shards: samples in their order, over several files; archives that are broken or of another kind. */
#include "temporary_folder.h"
#include "sweep.h"
#include "tar_file.h"

#include <sys/stat.h>

#include "image/image.h"

static const char ppm[] = "P6 2 1 255\nabcdef";

static void add_pair(pg_buffer *tar, const char *key, const char *extension, const char *text)
{
    char name[200];
    snprintf(name, sizeof name, "%s.ppm", key);
    tar_add(tar, name, ppm, sizeof ppm - 1);
    snprintf(name, sizeof name, "%s.%s", key, extension);
    tar_add_text(tar, name, text);
}

static const char *finish(pg_buffer *tar, const char *name)
{
    tar_finish(tar);
    const char *path = folder_write(name, tar->data, tar->size);
    pg_buffer_free(tar);
    return path;
}

static pg_data_row *read_row(const pg_dataset *dataset, size_t i)
{
    pg_data_row *row;
    CHECK_OK(pg_dataset_row(&row, dataset, i));
    return row;
}

static void files_of_one_key_are_a_row(void **state)
{
    (void)state;
    char long_name[180];
    pg_buffer tar = {0};
    add_pair(&tar, "a/0.x", "txt", "ignored: the key ends at the first dot");
    add_pair(&tar, "a/1", "txt", "one\n");
    tar_add_text(&tar, "a/notes.md", "no sample");
    add_pair(&tar, "a/2", "txt", "two");
    tar_add(&tar, "a/3.png", ppm, sizeof ppm - 1);
    tar_add_text(&tar, "a/4.txt", "alone");
    tar_add(&tar, "a/5.ppm", ppm, 0);
    memset(long_name, 'k', 99);
    long_name[99] = 0;
    memcpy(long_name + 95, ".TXT", 4);
    tar_add_text(&tar, long_name, "\xff");
    pg_dataset *dataset;
    pg_data_row *row;
    CHECK_OK(pg_dataset_open(&dataset, finish(&tar, "pairs.tar"), NULL));
    assert_int_equal(pg_dataset_get_kind(dataset), PG_DATA_SHARDS);
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_TEXT);
    assert_int_equal(pg_dataset_count(dataset), 6);
    row = read_row(dataset, 0);
    assert_string_equal(row->text, "one");
    assert_string_equal(row->images[0].name, "a/1.ppm");
    assert_int_equal(row->images[0].size, sizeof ppm - 1);
    assert_memory_equal(row->images[0].bytes, ppm, sizeof ppm - 1);
    pg_data_row_free(row);
    row = read_row(dataset, 3);
    assert_int_equal(row->image_count, 0);
    assert_string_equal(row->text, "alone");
    pg_data_row_free(row);
    CHECK_FAILS(pg_dataset_row(&row, dataset, 2), PG_ERROR_FORMAT, "pairs.tar: a/3: there is no .txt");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 5), PG_ERROR_FORMAT, "byte 0 is not UTF-8");
    pg_dataset_close(dataset);
}

/* A picture of no bytes is there, and cannot be read: its text is not one without a picture. */
static void empty_pictures_are_bad_rows(void **state)
{
    (void)state;
    pg_buffer tar = {0};
    pg_dataset *dataset;
    pg_data_row *row;
    add_pair(&tar, "1", "txt", "one");
    tar_add(&tar, "2.ppm", ppm, 0);
    tar_add_text(&tar, "2.txt", "two");
    tar_add_text(&tar, "3.txt", "three");
    CHECK_OK(pg_dataset_open(&dataset, finish(&tar, "empty_picture.tar"), NULL));
    assert_int_equal(pg_dataset_count(dataset), 3);
    CHECK_FAILS(pg_dataset_row(&row, dataset, 1), PG_ERROR_FORMAT, "empty_picture.tar: 2: the picture 2.ppm is empty");
    row = read_row(dataset, 2);
    assert_int_equal(row->image_count, 0);
    pg_data_row_free(row);
    pg_dataset_close(dataset);
}

static void json_and_classes_make_rows(void **state)
{
    (void)state;
    pg_buffer tar = {0};
    pg_dataset *dataset;
    pg_data_row *row;
    add_pair(&tar, "1", "json", "{\"prefix\":\"p\",\"suffix\":\"s\",\"image\":\"elsewhere.jpg\"}");
    add_pair(&tar, "2", "json", "{\"prefix\":\"p\"");
    add_pair(&tar, "3", "cls", "4");
    CHECK_OK(pg_dataset_open(&dataset, finish(&tar, "json.tar"), NULL));
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_SUFFIX);
    row = read_row(dataset, 0);
    assert_string_equal(row->suffix, "s");
    assert_int_equal(row->image_count, 1);
    assert_non_null(row->images[0].bytes);
    pg_data_row_free(row);
    CHECK_FAILS(pg_dataset_row(&row, dataset, 1), PG_ERROR_FORMAT, "json.tar: 2: ");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 2), PG_ERROR_FORMAT, "found a row of kind \"label\"");
    pg_dataset_close(dataset);
    add_pair(&tar, "1", "cls", " 4\n");
    add_pair(&tar, "2", "cls", "cat");
    add_pair(&tar, "3", "cls", "1000000000");
    add_pair(&tar, "4", "cls", "1000000001");
    add_pair(&tar, "5", "cls", "99999999999999999999");
    CHECK_OK(pg_dataset_open(&dataset, finish(&tar, "cls.tar"), NULL));
    row = read_row(dataset, 0);
    assert_int_equal(row->label, 4);
    pg_data_row_free(row);
    row = read_row(dataset, 2);
    assert_int_equal(row->label, 1000000000);
    pg_data_row_free(row);
    CHECK_FAILS(pg_dataset_row(&row, dataset, 1), PG_ERROR_FORMAT, "the class is \"cat\"");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 3), PG_ERROR_FORMAT, "expected a number up to 1000000000");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 4), PG_ERROR_FORMAT, "expected a number up to 1000000000");
    pg_dataset_close(dataset);
}

static void shards_are_found_by_folder_or_range(void **state)
{
    (void)state;
    static const char *const names[] = {"many/set-08.tar", "many/set-09.tar", "many/set-10.tar"};
    assert_int_equal(mkdir(folder_file("many"), 0777), 0);
    for (size_t i = 0; i < 3; i++) {
        pg_buffer tar = {0};
        char text[8];
        snprintf(text, sizeof text, "%zu", i);
        add_pair(&tar, "same", "txt", text);
        finish(&tar, names[i]);
    }
    const char *const paths[] = {folder_file("many"), folder_file("many/set-{08..10}.tar")};
    for (size_t p = 0; p < 2; p++) {
        pg_dataset *dataset;
        CHECK_OK(pg_dataset_open(&dataset, paths[p], NULL));
        assert_int_equal(pg_dataset_count(dataset), 3);
        for (size_t i = 0; i < 3; i++) {
            pg_data_row *row = read_row(dataset, i);
            assert_int_equal(row->text[0], '0' + (int)i);
            pg_data_row_free(row);
        }
        pg_dataset_close(dataset);
    }
    pg_dataset *dataset;
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("many/set-{10..08}.tar"), NULL), PG_ERROR_ARGUMENT, "{000..127}");
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("many/set-{08..11}.tar"), NULL), PG_ERROR_FILE, "set-11.tar");
}

static void other_files_are_refused(void **state)
{
    (void)state;
    pg_dataset *dataset;
    pg_buffer tar = {0};
    CHECK_FAILS(pg_dataset_open(&dataset, folder_write("gz.tar", "\x1f\x8b\x08\0\0\0\0\0\0\0", 10), NULL),
                PG_ERROR_FORMAT, "is compressed");
    CHECK_FAILS(pg_dataset_open(&dataset, folder_write("text.tar", "some text", 9), NULL), PG_ERROR_FORMAT, "text.tar");
    CHECK_FAILS(pg_dataset_open(&dataset, folder_write("empty.tar", "", 0), NULL), PG_ERROR_FORMAT, "empty.tar");
    tar_add_text(&tar, "README.md", "nothing");
    CHECK_FAILS(pg_dataset_open(&dataset, finish(&tar, "other.tar"), NULL), PG_ERROR_FORMAT, "found no pictures");
    tar_add(&tar, "a.jpg", ppm, sizeof ppm - 1);
    CHECK_FAILS(pg_dataset_open(&dataset, finish(&tar, "lone.tar"), NULL), PG_ERROR_FORMAT, "no row can be read");
}

static pg_status open_and_read(const char *path)
{
    pg_dataset *dataset;
    pg_status status = pg_dataset_open(&dataset, path, NULL);
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

static pg_buffer make_small(void)
{
    pg_buffer tar = {0};
    add_pair(&tar, "1", "json", "{\"prefix\":\"p\",\"suffix\":\"s\"}");
    add_pair(&tar, "2", "json", "{\"prefix\":\"p\",\"suffix\":\"s\"}");
    tar_finish(&tar);
    return tar;
}

static void archives_may_end_anywhere_and_hold_anything(void **state)
{
    (void)state;
    pg_buffer tar = make_small();
    for (size_t size = 0; size < tar.size; size += size % 512 < 200 ? 7 : 41) {
        pg_status status = open_and_read(folder_write("cut.tar", tar.data, size));
        assert_true(status == PG_OK || status == PG_ERROR_FORMAT);
    }
    for (size_t at = 0; at < 512; at++)
        for (int value = 0; value < 256; value += 51) {
            char before = tar.data[at];
            tar.data[at] = (char)value;
            pg_status status = open_and_read(folder_write("changed.tar", tar.data, tar.size));
            assert_true(status == PG_OK || status == PG_ERROR_FORMAT);
            tar.data[at] = before;
        }
    pg_buffer_free(&tar);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    pg_buffer tar = make_small();
    const char *path = folder_write("small.tar", tar.data, tar.size);
    CHECK_SWEEP(open_and_read(path));
    pg_buffer_free(&tar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_one_key_are_a_row), cmocka_unit_test(empty_pictures_are_bad_rows),
        cmocka_unit_test(json_and_classes_make_rows), cmocka_unit_test(shards_are_found_by_folder_or_range),
        cmocka_unit_test(other_files_are_refused),    cmocka_unit_test(archives_may_end_anywhere_and_hold_anything),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

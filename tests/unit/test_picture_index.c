/* src/tasks/picture_index, index_update, picture_files: what an index holds, how it keeps up, what it finds, and files
 * that are none. */
#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

#include "image/image.h"
#include "tasks/picture_index.h"

static pg_golden_model siglip;
static pg_session *session;
static size_t width;

static int setup(void **state)
{
    pg_golden_model_open(&siglip, "siglip-tiny");
    CHECK_OK(pg_session_new(&session, siglip.model, NULL));
    width = pg_model_embedding_size(siglip.model);
    pg_file_set_sync(false);
    return folder_setup(state);
}

static int teardown(void **state)
{
    pg_session_free(session);
    pg_golden_model_close(&siglip);
    return folder_teardown(state);
}

/* A picture of its own for every shade. */
static void write_picture(const char *name, int shade)
{
    char bytes[11 + 3 * 16];
    int size = snprintf(bytes, sizeof bytes, "P6 4 4 255\n");
    for (int i = 0; i < 3 * 16; i++)
        bytes[size++] = (char)(shade * 7 + i * (shade % 5) * 3);
    folder_write(name, bytes, (size_t)size);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(folder_file(name), 0777), 0);
}

/* Pictures and folders of the folder go, for the next test. */
static int empty_folder(void **state)
{
    (void)state;
    nftw(folder_path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return mkdir(folder_path, 0777);
}

static pg_index_report update_with(const char *path, const pg_index_options *options)
{
    pg_index_report report;
    const char *pictures = folder_file("pictures");
    CHECK_OK(pg_picture_index_update(&report, folder_file(path), session, &pictures, 1, options));
    return report;
}

static pg_index_report update(void)
{
    return update_with("index", NULL);
}

static void check_report(pg_index_report got, size_t kept, size_t added, size_t changed, size_t removed, size_t skipped)
{
    if (got.kept != kept || got.added != added || got.changed != changed || got.removed != removed ||
        got.skipped != skipped)
        fail_msg("kept %zu, added %zu, changed %zu, removed %zu, skipped %zu", got.kept, got.added, got.changed,
                 got.removed, got.skipped);
}

static pg_picture_index *open_index(const char *name)
{
    pg_picture_index *index;
    CHECK_OK(pg_picture_index_open(&index, folder_file(name)));
    return index;
}

/* Every row is what the picture of its name gives now. */
static void check_rows(const char *name, double tolerance)
{
    pg_picture_index *index = open_index(name);
    for (size_t i = 0; i < pg_picture_index_count(index); i++) {
        float row[256], want[256];
        char *path;
        pg_image *image;
        CHECK_OK(pg_picture_index_name(&path, index, i));
        CHECK_OK(pg_image_load(&image, path, NULL));
        CHECK_OK(pg_embed_images(want, session, (const pg_image *const *)&image, 1));
        pg_picture_index_row(row, index, i);
        for (size_t k = 0; k < width; k++)
            if (!(fabs((double)row[k] - (double)want[k]) <= tolerance))
                fail_msg("%s: %.9g, expected %.9g", path, (double)row[k], (double)want[k]);
        pg_image_free(image);
        pg_free(path);
    }
    pg_picture_index_close(index);
}

static void make_pictures(int count)
{
    make_folder("pictures");
    make_folder("pictures/below");
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "pictures/%s%02d.ppm", i % 3 ? "" : "below/", i);
        write_picture(name, i + 1);
    }
}

/* ---------------------------------------------------------------- keeping up */

static void folders_are_followed(void **state)
{
    (void)state;
    make_pictures(20);
    folder_write("pictures/notes.txt", "text", 4);
    folder_write("pictures/.hidden.png", "text", 4);
    check_report(update(), 0, 20, 0, 0, 0);
    check_rows("index", 0);
    check_report(update(), 20, 0, 0, 0, 0);
    write_picture("pictures/01.ppm", 90); /* other contents */
    unlink(folder_file("pictures/02.ppm"));
    write_picture("pictures/04.ppm", 5); /* the same contents, another time */
    struct timespec times[] = {{1000000000, 0}, {1000000000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, folder_file("pictures/04.ppm"), times, 0), 0);
    write_picture("pictures/a new one.PPM", 91);
    folder_write("pictures/broken.jpg", "not a picture", 13);
    check_report(update(), 18, 1, 1, 1, 1);
    check_rows("index", 0);
    check_report(update(), 20, 0, 0, 0, 1);
    pg_picture_index *index = open_index("index");
    assert_int_equal(pg_picture_index_count(index), 20);
    assert_string_equal(pg_picture_index_stored(index, 19), "pictures/below/18.ppm");
    assert_int_equal(pg_picture_index_stamp(index, 1).time, 1000000000000000005);
    pg_picture_index_close(index);
}

/* A file is not written again where nothing has changed. */
static void what_is_up_to_date_stays(void **state)
{
    (void)state;
    struct stat before, after;
    make_pictures(3);
    update();
    assert_int_equal(stat(folder_file("index"), &before), 0);
    update();
    assert_int_equal(stat(folder_file("index"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

/* Contents that change behind the same size and time are seen when they are compared. */
static void contents_are_compared(void **state)
{
    (void)state;
    pg_index_options options;
    struct timespec times[] = {{1000000000, 0}, {1000000000, 5}};
    make_pictures(3);
    utimensat(AT_FDCWD, folder_file("pictures/01.ppm"), times, 0);
    update();
    write_picture("pictures/01.ppm", 77);
    utimensat(AT_FDCWD, folder_file("pictures/01.ppm"), times, 0);
    check_report(update(), 3, 0, 0, 0, 0);
    pg_index_options_init(&options);
    options.compare_contents = true;
    check_report(update_with("index", &options), 2, 0, 1, 0, 0);
    check_rows("index", 0);
}

static void rows_may_be_halves(void **state)
{
    (void)state;
    pg_index_options options;
    make_pictures(5);
    update();
    pg_index_options_init(&options);
    options.dtype = "BF16";
    check_report(update_with("index", &options), 5, 0, 0, 0, 0);
    check_rows("index", 0.002);
    write_picture("pictures/new.ppm", 60);
    check_report(update(), 5, 1, 0, 0, 0); /* stays as it is */
    pg_picture_index *index = open_index("index");
    assert_int_equal(index->embeddings->dtype, PG_BF16);
    pg_picture_index_close(index);
    pg_index_report report;
    const char *pictures = folder_file("pictures");
    options.dtype = "I64";
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("index"), session, &pictures, 1, &options),
                PG_ERROR_ARGUMENT, "expected F32 or BF16");
}

static bool stop_at(void *user, size_t done, size_t total)
{
    (void)total;
    return done < *(size_t *)user;
}

/* What was embedded before the end is not embedded again. */
static void work_that_was_stopped_goes_on(void **state)
{
    (void)state;
    pg_index_options options;
    pg_index_report report;
    size_t end = 20;
    make_pictures(40);
    const char *pictures = folder_file("pictures");
    pg_index_options_init(&options);
    options.on_progress = stop_at;
    options.user = &end;
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("index"), session, &pictures, 1, &options),
                PG_ERROR_CANCELLED, "cancelled");
    check_report(update(), 32, 8, 0, 0, 0);
    check_rows("index", 0);
    options.save_after = 1e-9; /* after every few */
    end = 1000;
    unlink(folder_file("index"));
    check_report(update_with("index", &options), 0, 40, 0, 0, 0);
    check_rows("index", 0);
}

/* Files by name, repeated ones once; outside the index's folder by their whole path; moved together otherwise. */
static void names_follow_the_index(void **state)
{
    (void)state;
    char first[512], again[512];
    char *path;
    pg_index_report report;
    make_pictures(2);
    make_folder("elsewhere");
    snprintf(first, sizeof first, "%s", folder_file("pictures/01.ppm"));
    snprintf(again, sizeof again, "%s", folder_file("pictures/below/../01.ppm"));
    const char *const files[] = {first, again, folder_file("pictures")};
    CHECK_OK(pg_picture_index_update(&report, folder_file("index"), session, files, 3, NULL));
    check_report(report, 0, 2, 0, 0, 0);
    CHECK_OK(pg_picture_index_update(&report, folder_file("elsewhere/index"), session, files, 3, NULL));
    pg_picture_index *index = open_index("elsewhere/index");
    assert_string_equal(pg_picture_index_stored(index, 0), first);
    CHECK_OK(pg_picture_index_name(&path, index, 0));
    assert_string_equal(path, first);
    pg_free(path);
    pg_picture_index_close(index);
    index = open_index("index");
    assert_string_equal(pg_picture_index_stored(index, 0), "pictures/01.ppm");
    CHECK_OK(pg_picture_index_name(&path, index, 0));
    assert_string_equal(path, first);
    pg_free(path);
    CHECK_FAILS(pg_picture_index_name(&path, index, 2), PG_ERROR_ARGUMENT, "no picture 2");
    assert_null(path);
    pg_picture_index_close(index);
}

static void updates_that_are_refused(void **state)
{
    (void)state;
    pg_index_report report;
    pg_picture_index *index;
    make_folder("empty");
    make_pictures(2);
    const char *none = folder_file("none"), *empty = folder_file("empty");
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("i"), session, &none, 1, NULL), PG_ERROR_FILE, "none");
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("i"), session, &empty, 1, NULL), PG_ERROR_ARGUMENT,
                "empty: no pictures");
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("i"), session, NULL, 0, NULL), PG_ERROR_ARGUMENT,
                "no pictures are named");
    folder_write("empty/bad.png", "x", 1);
    empty = folder_file("empty");
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("i"), session, &empty, 1, NULL), PG_ERROR_FORMAT,
                "none of the 1 files");
    assert_false(pg_file_exists(folder_file("i")));
    folder_write("text", "my letter to you", 16);
    const char *pictures = folder_file("pictures");
    CHECK_FAILS(pg_picture_index_update(&report, folder_file("text"), session, &pictures, 1, NULL), PG_ERROR_FORMAT,
                "text: does not start like");
    pg_model other = *siglip.model; /* sees pictures another way */
    other.processor.mean[1] += 0.25;
    update();
    index = open_index("index");
    CHECK_FAILS(pg_picture_index_check(index, &other), PG_ERROR_ARGUMENT, "was made with another model");
    CHECK_OK(pg_picture_index_check(index, siglip.model));
    pg_picture_index_close(index);
    CHECK_FAILS(pg_picture_index_open(&index, PG_GOLDEN_FOLDER "/siglip-tiny/expected.safetensors"), PG_ERROR_FORMAT,
                "not an index of pictures");
    assert_null(index);
}

/* ---------------------------------------------------------------- files in the making */

/* An index of these rows, with names "0000", "0001", ... */
typedef struct made_index {
    size_t count;
    const void *rows;
    pg_dtype dtype;
    const char *version;
    char names[8][8];
    int64_t offsets[8], shape[2];
    const char *left_out;
} made_index;

static const char *write_index(const made_index *made)
{
    char fingerprint[PG_FINGERPRINT];
    const char *const metadata[][2] = {{"format", PG_INDEX_FORMAT}, {"version", made->version}, {"model", fingerprint}};
    static const int64_t stamps[3 * 8];
    size_t n = made->count, element = pg_dtype_size(made->dtype), used = 0;
    const pg_array all[] = {
        {"embeddings", made->dtype, 2, {(int64_t)n, (int64_t)width}, made->rows, n * width * element},
        {"names", PG_U8, 1, {(int64_t)n * 8}, made->names, n * 8},
        {"offsets", PG_I64, 1, {(int64_t)n + 1}, made->offsets, (n + 1) * 8},
        {"stamps", PG_I64, 2, {made->shape[0], made->shape[1]}, stamps, (size_t)(made->shape[0] * made->shape[1]) * 8}};
    pg_array arrays[4];
    pg_safetensors_writer *writer;
    const char *path = folder_file("made");
    pg_model_fingerprint(fingerprint, siglip.model);
    for (size_t i = 0; i < 4; i++)
        if (!made->left_out || strcmp(all[i].name, made->left_out) != 0)
            arrays[used++] = all[i];
    CHECK_OK(pg_safetensors_writer_open(&writer, path, arrays, used, metadata, 3));
    for (size_t i = 0; i < used; i++)
        CHECK_OK(pg_safetensors_writer_write(writer, arrays[i].data, arrays[i].bytes));
    CHECK_OK(pg_safetensors_writer_commit(writer));
    return path;
}

static made_index good_index(const float *rows)
{
    made_index made = {.count = 6, .rows = rows, .dtype = PG_F32, .version = PG_INDEX_VERSION, .shape = {6, 3}};
    for (size_t i = 0; i < 6; i++) {
        snprintf(made.names[i], sizeof made.names[i], "name00%zu", i);
        made.offsets[i + 1] = 8 * (int64_t)(i + 1);
    }
    return made;
}

static void hostile_files(void **state)
{
    (void)state;
    static float rows[6 * 256];
    const char *const *says = (const char *const[]){
        "an index of version \"2\", expected 1",
        "the tensor \"stamps\" of an index is missing",
        "embeddings: I32 [6, 48] is not what an index has there",
        "stamps: I64 [3, 6] is not what",
        "offsets: name 2 would be bytes 16 to 17",
        "offsets: name 0 would be bytes 1 to 8",
        "offsets: name 5 would be bytes 40 to 49",
        "names: name 3 does not end where the next begins",
        "names: \"name001\" is out of order",
        "names: \"name001\" is out of order",
        "offsets: name 1 would be bytes 8 to 7",
    };
    made_index cases[11];
    for (int i = 0; i < 11; i++)
        cases[i] = good_index(rows);
    cases[0].version = "2";
    cases[1].left_out = "stamps";
    cases[2].dtype = PG_I32;
    cases[3].shape[0] = 3;
    cases[3].shape[1] = 6;
    cases[4].offsets[3] = 17;
    cases[5].offsets[0] = 1;
    cases[6].offsets[6] = 49;
    cases[7].names[3][4] = 0;
    memcpy(cases[8].names[2], "name001", 8);
    memcpy(cases[9].names[0], "name002", 8);
    memcpy(cases[9].names[1], "name001", 8);
    cases[10].offsets[2] = 7;
    for (int i = 0; i < 11; i++) {
        pg_picture_index *index;
        CHECK_FAILS(pg_picture_index_open(&index, write_index(&cases[i])),
                    i == 0 ? PG_ERROR_UNSUPPORTED : PG_ERROR_FORMAT, says[i]);
        assert_null(index);
    }
}

/* A file cut anywhere, and one with any byte changed, is refused or read without harm. */
static void damaged_files(void **state)
{
    (void)state;
    static float rows[6 * 256];
    made_index made = good_index(rows);
    pg_buffer file = {0};
    pg_picture_index *index;
    CHECK_OK(pg_file_read(&file, write_index(&made), 1 << 20));
    CHECK_OK(pg_picture_index_parse(&index, file.data, file.size, "whole"));
    pg_picture_index_close(index);
    for (size_t size = 0; size < file.size; size++)
        assert_true(pg_picture_index_parse(&index, file.data, size, "cut") != PG_OK);
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x11;
        if (pg_picture_index_parse(&index, file.data, file.size, "changed") == PG_OK) {
            for (size_t k = 0; k < index->count; k++)
                assert_true(strlen(pg_picture_index_stored(index, k)) < 64);
            pg_picture_index_close(index);
        }
        file.data[i] ^= 0x11;
    }
    pg_buffer_free(&file);
}

/* ---------------------------------------------------------------- searching */

static void the_best_come_first(void **state)
{
    (void)state;
    pg_match matches[50];
    size_t found;
    const char *text = "a cow on the beach";
    float query[256];
    make_pictures(40);
    update();
    pg_picture_index *index = open_index("index");
    CHECK_OK(pg_embed_texts(query, session, &text, 1));
    CHECK_OK(pg_picture_index_search(matches, &found, session, index, query, 50));
    assert_int_equal(found, 40);
    unsigned seen[40] = {0};
    for (size_t i = 0; i < found; i++) {
        float row[256];
        double cosine = 0;
        pg_picture_index_row(row, index, matches[i].picture);
        for (size_t k = 0; k < width; k++)
            cosine += (double)row[k] * (double)query[k];
        assert_true(fabs(cosine - (double)matches[i].cosine) < 1e-6);
        assert_true(i == 0 || matches[i - 1].cosine >= matches[i].cosine);
        assert_int_equal(seen[matches[i].picture]++, 0);
    }
    pg_match few[3];
    CHECK_OK(pg_picture_index_search(few, &found, session, index, query, 3));
    assert_int_equal(found, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(few[i].picture, matches[i].picture);
    CHECK_OK(pg_picture_index_search(few, &found, session, index, query, 0));
    assert_int_equal(found, 0);
    pg_picture_index_close(index);
}

/* A picture finds itself. */
static void pictures_find_themselves(void **state)
{
    (void)state;
    make_pictures(17);
    update();
    pg_picture_index *index = open_index("index");
    for (size_t i = 0; i < 17; i++) {
        pg_match match;
        size_t found;
        float query[256];
        pg_picture_index_row(query, index, i);
        CHECK_OK(pg_picture_index_search(&match, &found, session, index, query, 1));
        assert_int_equal(match.picture, i);
        assert_true(fabsf(match.cosine - 1) < 1e-5f);
    }
    pg_picture_index_close(index);
}

/* Rows that are no numbers come last, and do not hide others. */
static void rows_that_are_no_numbers(void **state)
{
    (void)state;
    static float rows[6 * 256];
    pg_match matches[6];
    pg_picture_index *index;
    size_t found;
    float query[256] = {1};
    for (size_t i = 0; i < 6; i++)
        rows[i * width] = i % 2 ? (float)i / 10 : i == 2 ? INFINITY : NAN;
    made_index made = good_index(rows);
    CHECK_OK(pg_picture_index_open(&index, write_index(&made)));
    CHECK_OK(pg_picture_index_search(matches, &found, session, index, query, 6));
    assert_int_equal(found, 6);
    assert_int_equal(matches[0].picture, 5);
    assert_int_equal(matches[1].picture, 3);
    assert_int_equal(matches[2].picture, 1);
    for (int i = 3; i < 6; i++)
        assert_true(matches[i].cosine == -2);
    CHECK_OK(pg_picture_index_search(matches, &found, session, index, query, 2));
    assert_int_equal(matches[1].picture, 3);
    pg_picture_index_close(index);
}

/* ---------------------------------------------------------------- memory */

static pg_status update_and_search(void)
{
    const char *pictures = folder_file("pictures");
    pg_index_report report;
    pg_picture_index *index;
    pg_match match;
    size_t found;
    float query[256] = {1};
    unlink(folder_file("index"));
    PG_TRY(pg_picture_index_update(&report, folder_file("index"), session, &pictures, 1, NULL));
    PG_TRY(pg_picture_index_update(&report, folder_file("index"), session, &pictures, 1,
                                   &(pg_index_options){.dtype = "BF16"}));
    PG_TRY(pg_picture_index_open(&index, folder_file("index")));
    pg_status status = pg_picture_index_search(&match, &found, session, index, query, 1);
    pg_picture_index_close(index);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    make_pictures(3);
    CHECK_SWEEP(update_and_search());
    pg_file_set_sync(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(folders_are_followed, empty_folder),
        cmocka_unit_test_setup(what_is_up_to_date_stays, empty_folder),
        cmocka_unit_test_setup(contents_are_compared, empty_folder),
        cmocka_unit_test_setup(rows_may_be_halves, empty_folder),
        cmocka_unit_test_setup(work_that_was_stopped_goes_on, empty_folder),
        cmocka_unit_test_setup(names_follow_the_index, empty_folder),
        cmocka_unit_test_setup(updates_that_are_refused, empty_folder),
        cmocka_unit_test_setup(hostile_files, empty_folder),
        cmocka_unit_test_setup(damaged_files, empty_folder),
        cmocka_unit_test_setup(the_best_come_first, empty_folder),
        cmocka_unit_test_setup(pictures_find_themselves, empty_folder),
        cmocka_unit_test_setup(rows_that_are_no_numbers, empty_folder),
        cmocka_unit_test_setup(failing_allocations, empty_folder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

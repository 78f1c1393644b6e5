/* image/: every reference picture bit for bit, every hostile file refused. */
#include "image_files.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tensor/safetensors.h"

static void sums_are_sha256(void **state)
{
    (void)state;
    char a_million[1000000];
    memset(a_million, 'a', sizeof a_million);
    check_sum("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
    check_sum("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "56 letters");
    check_sum(a_million, sizeof a_million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
              "a million");
}

static void check_resizes(const pg_image *image, const json_t *row)
{
    static const size_t sizes[] = {56, 112, 224};
    for (size_t i = 0; i < 3; i++)
        for (int order = PG_RESIZE_PILLOW13; order <= PG_RESIZE_CLASSIC; order++) {
            char key[32], what[128];
            snprintf(key, sizeof key, "sha256_%zu_pillow13", sizes[i]);
            if (order == PG_RESIZE_CLASSIC || !text_of(row, key))
                snprintf(key, sizeof key, "sha256_%zu", sizes[i]);
            snprintf(what, sizeof what, "%s %s order %d", text_of(row, "name"), key, order);
            pg_image *resized;
            CHECK_OK(pg_image_resize(&resized, image, sizes[i], sizes[i], (pg_resize_order)order));
            check_pixels(resized, text_of(row, key), what);
            pg_image_free(resized);
        }
}

/* gray16.png is left out: Pillow clips 16-bit grey, here the high byte counts (variants/grey16.png). */
static void check_pictures(const char *folder)
{
    json_t *rows = read_table(folder, "images.jsonl"), *row;
    size_t i;
    assert_true(json_array_size(rows) > 70);
    json_array_foreach(rows, i, row)
    {
        const char *name = text_of(row, "name"), *file = text_of(row, "file");
        if (!strcmp(file, "gray16.png"))
            continue;
        pg_image *image = decode_golden(folder, "files", file, !strstr(name, "#exif"));
        assert_int_equal(pg_image_width(image), json_integer_value(json_object_get(row, "width")));
        assert_int_equal(pg_image_height(image), json_integer_value(json_object_get(row, "height")));
        check_pixels(image, text_of(row, "rgb_sha256"), name);
        check_resizes(image, row);
        pg_image_free(image);
    }
    json_decref(rows);
}

static void pictures_are_equal(void **state)
{
    (void)state;
    check_pictures(IMAGES);
}

static void variants_are_equal(void **state)
{
    (void)state;
    json_t *rows = read_table(IMAGES, "variants.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        pg_image *image = decode_golden(IMAGES, "variants", text_of(row, "file"), false);
        assert_int_equal(pg_image_width(image), json_integer_value(json_object_get(row, "width")));
        check_pixels(image, text_of(row, "rgb_sha256"), text_of(row, "file"));
        pg_image_free(image);
    }
    json_decref(rows);
}

static void check_hostile(const char *folder)
{
    json_t *rows = read_table(folder, "hostile.json"), *row;
    size_t i;
    assert_true(json_array_size(rows) > 30);
    json_array_foreach(rows, i, row)
    {
        const char *file = text_of(row, "file"), *expect = text_of(row, "expect");
        pg_buffer bytes = read_golden(folder, "hostile", file);
        pg_image *image;
        pg_status status = pg_image_decode(&image, bytes.data, bytes.size, file, NULL);
        if (status != PG_OK && strncmp(pg_error_last(), file, strlen(file)) != 0)
            fail_msg("%s: not named in \"%s\"", file, pg_error_last());
        if ((status == PG_OK) != !strcmp(expect, "ok") && strcmp(expect, "either") != 0)
            fail_msg("%s: status %d (%s), expected %s", file, status, pg_error_last(), expect);
        assert_true((status == PG_OK) == (image != NULL));
        pg_image_free(image);
        pg_buffer_free(&bytes);
    }
    json_decref(rows);
}

/* The libraries' own messages must not reach the terminal either. */
static void hostile_files_are_refused_in_silence(void **state)
{
    (void)state;
    fflush(stderr);
    FILE *caught = tmpfile();
    int terminal = dup(STDERR_FILENO);
    dup2(fileno(caught), STDERR_FILENO);
    check_hostile(IMAGES);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
    assert_int_equal(lseek(fileno(caught), 0, SEEK_END), 0);
    fclose(caught);
}

static void check_floats(const pg_image *image, size_t size, void (*check)(const float *, size_t, const void *),
                         const void *expected)
{
    const double half[3] = {0.5, 0.5, 0.5};
    float *floats = pg_alloc(size * size * 3, sizeof *floats);
    pg_image *resized;
    CHECK_OK(pg_image_resize(&resized, image, size, size, PG_RESIZE_PILLOW13));
    pg_image_to_floats(resized, floats, 1.0 / 255, half, half);
    check(floats, size * size * 3 * sizeof *floats, expected);
    pg_image_free(resized);
    pg_free(floats);
}

static void floats_have_sum(const float *floats, size_t size, const void *expected)
{
    check_sum(floats, size, expected, "pixel values");
}

static void model_input_is_equal(void **state)
{
    (void)state;
    json_t *rows = read_table(IMAGES, "images.jsonl"), *row;
    size_t i;
    int checked = 0;
    json_array_foreach(rows, i, row)
    {
        const char *key;
        json_t *sum;
        json_object_foreach(row, key, sum)
        {
            if (strncmp(key, "sha256_pixel_values_", 20) != 0)
                continue;
            pg_image *image = decode_golden(IMAGES, "files", text_of(row, "file"), true);
            check_floats(image, strtoul(key + 20, NULL, 10), floats_have_sum, json_string_value(sum));
            pg_image_free(image);
            checked++;
        }
    }
    assert_int_equal(checked, 2);
    json_decref(rows);
}

/* Files in memory, with the error text that each gave when decoded alone. */
static struct sample {
    const char *name;
    pg_buffer bytes;
    char text[256];
} samples[256];
static size_t sample_count;

static void decode_sample(const struct sample *sample, char text[256])
{
    pg_image *image;
    pg_status status = pg_image_decode(&image, sample->bytes.data, sample->bytes.size, sample->name, NULL);
    snprintf(text, sizeof sample->text, "%s", status == PG_OK ? "" : pg_error_last());
    pg_image_free(image);
}

static void add_samples(const json_t *rows, const char *kind)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        struct sample *sample = &samples[sample_count++];
        assert_true(sample_count < sizeof samples / sizeof samples[0]);
        sample->name = text_of(row, "file");
        sample->bytes = read_golden(IMAGES, kind, sample->name);
        decode_sample(sample, sample->text);
    }
}

static void *count_different_texts(void *unused)
{
    (void)unused;
    size_t different = 0;
    for (size_t i = 0; i < sample_count; i++) {
        char text[256];
        decode_sample(&samples[i], text);
        different += strcmp(text, samples[i].text) != 0;
    }
    return (void *)different;
}

static void threads_do_not_mix_errors(void **state)
{
    (void)state;
    json_t *hostile = read_table(IMAGES, "hostile.json"), *variants = read_table(IMAGES, "variants.jsonl");
    add_samples(hostile, "hostile");
    add_samples(variants, "variants");
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_different_texts, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        void *different;
        pthread_join(threads[i], &different);
        assert_null(different);
    }
    while (sample_count)
        pg_buffer_free(&samples[--sample_count].bytes);
    json_decref(hostile);
    json_decref(variants);
}

#ifdef PG_SHARED_FOLDER
#define SHARED_IMAGES PG_SHARED_FOLDER "/golden/tasks/images"

static void floats_are_equal(const float *floats, size_t size, const void *expected)
{
    const pg_array *array = expected;
    assert_int_equal(size, array->bytes);
    assert_memory_equal(floats, array->data, size);
}

/* NAME:rgb, NAME:56 and the like (width first), NAME:pixel_values_224. */
static void check_array(const pg_array *array)
{
    const char *colon = strrchr(array->name, ':'), *exif = strstr(array->name, "#exif"), *values = ":pixel_values_";
    char file[64];
    snprintf(file, sizeof file, "%.*s", (int)((exif ? exif : colon) - array->name), array->name);
    if (!strcmp(file, "gray16.png"))
        return;
    pg_image *image = decode_golden(SHARED_IMAGES, "files", file, !exif), *resized;
    size_t size = strtoul(colon + 1, NULL, 10);
    if (!strncmp(colon, values, strlen(values)))
        check_floats(image, strtoul(colon + strlen(values), NULL, 10), floats_are_equal, array);
    else if (!size)
        assert_memory_equal(pg_image_pixels(image), array->data, array->bytes);
    else {
        CHECK_OK(pg_image_resize(&resized, image, size, size, PG_RESIZE_CLASSIC));
        assert_memory_equal(pg_image_pixels(resized), array->data, array->bytes);
        pg_image_free(resized);
    }
    pg_image_free(image);
}

static void complete_reference_data_is_equal(void **state)
{
    (void)state;
    check_pictures(SHARED_IMAGES);
    check_hostile(SHARED_IMAGES);
    pg_safetensors *expected;
    CHECK_OK(pg_safetensors_open(&expected, SHARED_IMAGES "/expected.safetensors"));
    for (size_t i = 0; i < pg_safetensors_count(expected); i++)
        check_array(pg_safetensors_at(expected, i));
    pg_safetensors_close(expected);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_sha256),
        cmocka_unit_test(pictures_are_equal),
        cmocka_unit_test(variants_are_equal),
        cmocka_unit_test(hostile_files_are_refused_in_silence),
        cmocka_unit_test(model_input_is_equal),
        cmocka_unit_test(threads_do_not_mix_errors),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(complete_reference_data_is_equal),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

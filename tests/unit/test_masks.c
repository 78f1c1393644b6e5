/* src/data/masks: masks as a codec takes them, from pictures and from COCO's objects; files that hold none. */
#include "temporary_folder.h"
#include "sweep.h"

#include <math.h>

#include "base/json.h"
#include "base/resize_floats.h"
#include "image/image.h"
#include "tensor/safetensors.h"

#define GOLDEN  PG_TESTS_FOLDER "/golden/data/"
#define PLACES  (PG_MASK_SIDE * PG_MASK_SIDE)
#define OPTIONS (&(pg_dataset_options){.kind = PG_DATA_MASKS})

/* Greyscale pictures as netpbm has them; the data set reads by content, its names end in .png. */
static void write_picture(const char *name, int width, int height, const char *pixels)
{
    char bytes[4096];
    int size = snprintf(bytes, sizeof bytes, "P5 %d %d 255\n", width, height);
    for (int i = 0; i < width * height; i++)
        bytes[size++] = pixels[i] == '#' ? '\xff' : pixels[i] == '+' ? '\x80' : pixels[i] == '-' ? '\x7f' : 0;
    folder_write(name, bytes, (size_t)size);
}

static pg_dataset *open_folder(const char *name)
{
    pg_dataset *dataset;
    CHECK_OK(pg_dataset_open(&dataset, name ? folder_file(name) : folder_path, OPTIONS));
    return dataset;
}

static void pictures_are_cut_to_what_is_white(void **state)
{
    (void)state;
    pg_data_row *row;
    write_picture("b.png", 6, 4,
                  "......"
                  ".##-.."
                  ".#+..."
                  "......");
    write_picture("a.PNG", 2, 2, "....");
    folder_write("notes.txt", "no mask", 7);
    pg_dataset *dataset = open_folder(NULL);
    assert_int_equal(pg_dataset_count(dataset), 2);
    assert_int_equal(pg_dataset_row_kind(dataset), PG_ROW_MASK);
    CHECK_FAILS(pg_dataset_row(&row, dataset, 0), PG_ERROR_FORMAT, "a.PNG: the mask is empty");
    CHECK_OK(pg_dataset_row(&row, dataset, 1));
    for (int i = 0; i < PLACES; i++)
        assert_true(row->mask[i] == 1);
    pg_data_row_free(row);
    pg_dataset_close(dataset);
    dataset = open_folder("b.png"); /* alone */
    assert_int_equal(pg_dataset_count(dataset), 1);
    CHECK_OK(pg_dataset_row(&row, dataset, 0));
    pg_data_row_free(row);
    pg_dataset_close(dataset);
}

static pg_mask_view view_of(const uint8_t *pixels, size_t width, size_t height, const double box[4])
{
    pg_mask_view view = {.pixels = pixels, .width = width, .height = height};
    memcpy(view.box, box, sizeof view.box);
    return view;
}

/* Twice as large: between two pixels a quarter and three quarters of the way. */
static void masks_are_resized_smoothly(void **state)
{
    (void)state;
    uint8_t pixels[32 * 32] = {0};
    float cut[PLACES];
    for (int y = 0; y < 32; y++)
        for (int x = 16; x < 32; x++)
            pixels[y * 32 + x] = 1;
    pg_mask_view view = view_of(pixels, 32, 32, (double[]){0, 0, 32, 32});
    CHECK_OK(pg_mask_cut(cut, &view));
    for (int i = 0; i < PLACES; i++) {
        int x = i % PG_MASK_SIDE;
        assert_true(cut[i] == (x < 31 ? 0 : x == 31 ? 0.25f : x == 32 ? 0.75f : 1));
    }
    view = view_of(pixels, 32, 32, (double[]){16.4, -5, 32.3, 90}); /* rounded, and kept inside */
    CHECK_OK(pg_mask_cut(cut, &view));
    for (int i = 0; i < PLACES; i++)
        assert_true(cut[i] == 1);
    view = view_of(pixels, 32, 32, (double[]){3.6, 0, 4.4, 32});
    CHECK_FAILS(pg_mask_cut(cut, &view), PG_ERROR_FORMAT, "has no pixel");
}

/* A plain resize of one line of floats, both ways. */
static void floats_are_resized_as_pillow_does(void **state)
{
    (void)state;
    const float line[] = {0, 10, 20, 90, -6};
    const struct {
        size_t size;
        float expected[8];
    } cases[] = {{5, {0, 10, 20, 90, -6}}, /* Pillow: mode F, BILINEAR */
                 {1, {25.3684216f}},
                 {2, {12.727273f, 39.9090919f}},
                 {3, {4.28571415f, 33.3333321f, 35.1428566f}},
                 {8, {0, 4.375f, 10.625f, 16.875f, 41.875f, 85.625f, 36, -6}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float out[8], up[8];
        CHECK_OK(pg_floats_resize(out, cases[i].size, 1, line, 5, 1));
        CHECK_OK(pg_floats_resize(up, 1, cases[i].size, line, 1, 5));
        for (size_t k = 0; k < cases[i].size; k++)
            if (out[k] != cases[i].expected[k] || up[k] != out[k])
                fail_msg("to %zu, %zu: %.9g and %.9g, expected %.9g", cases[i].size, k, out[k], up[k],
                         cases[i].expected[k]);
    }
}

static void objects_are_cut_to_their_boxes(void **state)
{
    (void)state;
    json_t *coco;
    pg_dataset *dataset;
    pg_data_row *row;
    CHECK_OK(pg_json_load(&coco, GOLDEN "coco_instances.json"));
    size_t objects = 0, i;
    json_t *annotation;
    json_array_foreach(json_object_get(coco, "annotations"), i, annotation)
    {
        objects += !json_integer_value(json_object_get(annotation, "iscrowd"));
    }
    json_decref(coco);
    CHECK_OK(pg_dataset_open(&dataset, GOLDEN "coco_instances.json", OPTIONS));
    assert_int_equal(pg_dataset_count(dataset), objects);
    for (i = 0; i < objects; i++) {
        double sum = 0;
        CHECK_OK(pg_dataset_row(&row, dataset, i));
        for (int k = 0; k < PLACES; k++) {
            assert_true(row->mask[k] >= 0 && row->mask[k] <= 1);
            sum += (double)row->mask[k];
        }
        assert_true(sum > 1);
        pg_data_row_free(row);
    }
    pg_dataset_close(dataset);
}

#ifdef PG_SHARED_FOLDER
static void objects_are_the_reference_s(void **state)
{
    (void)state;
    pg_safetensors *file;
    pg_dataset *dataset;
    pg_data_row *row;
    CHECK_OK(pg_safetensors_open(&file, PG_SHARED_FOLDER "/golden/tasks/datasets/mask64.safetensors"));
    CHECK_OK(pg_dataset_open(&dataset, PG_SHARED_FOLDER "/golden/tasks/datasets/coco_instances.json", OPTIONS));
    const pg_array *crops = pg_safetensors_find(file, "crops"), *codes = pg_safetensors_find(file, "codes");
    assert_int_equal(crops->shape[0], pg_dataset_count(dataset));
    pg_mask_codec *codec;
    int32_t found[PG_MASK_CODES];
    CHECK_OK(pg_mask_codec_open(&codec, PG_SHARED_FOLDER "/golden/tasks/segmentation/vae-random.npz"));
    for (size_t i = 0; i < pg_dataset_count(dataset); i++) {
        CHECK_OK(pg_dataset_row(&row, dataset, i));
        for (size_t k = 0; k < PLACES; k++)
            assert_true(fabsf(row->mask[k] - ((const float *)crops->data)[i * PLACES + k]) <= 1e-6f);
        CHECK_OK(pg_mask_codec_encode(found, codec, row->mask, 1, 1));
        assert_memory_equal(found, (const int32_t *)codes->data + i * PG_MASK_CODES, sizeof found);
        pg_data_row_free(row);
    }
    pg_mask_codec_close(codec);
    pg_dataset_close(dataset);
    pg_safetensors_close(file);
}
#endif

static pg_dataset *opened;

static pg_status open_it(void)
{
    PG_TRY(pg_dataset_open(&opened, folder_path, OPTIONS));
    pg_dataset_close(opened);
    PG_TRY(pg_dataset_open(&opened, GOLDEN "coco_instances.json", OPTIONS));
    pg_dataset_close(opened);
    return PG_OK;
}

static pg_status read_it(void)
{
    pg_data_row *row;
    PG_TRY(pg_dataset_row(&row, opened, 1));
    pg_data_row_free(row);
    return PG_OK;
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    pg_dataset *dataset;
    CHECK_FAILS(pg_dataset_open(&dataset, PG_TESTS_FOLDER "/cli", OPTIONS), PG_ERROR_FORMAT, "has no PNG files");
    CHECK_FAILS(pg_dataset_open(&dataset, folder_file("absent"), OPTIONS), PG_ERROR_FILE, "absent");
    const char empty[] = "{\"images\":[],\"annotations\":[],\"categories\":[]}";
    CHECK_FAILS(pg_dataset_open(&dataset, folder_write("empty.json", empty, strlen(empty)), OPTIONS), PG_ERROR_FORMAT,
                "found no \"images\"");
    const char lost[] = "{\"images\":[{\"id\":1,\"file_name\":\"a\"}],\"categories\":[],\"annotations\":["
                        "{\"id\":4,\"image_id\":7,\"bbox\":[0,0,1,1]},{\"id\":5,\"image_id\":1,\"bbox\":[0,0,1,1]}]}";
    pg_data_row *row;
    CHECK_OK(pg_dataset_open(&dataset, folder_write("lost.json", lost, strlen(lost)), OPTIONS));
    CHECK_FAILS(pg_dataset_row(&row, dataset, 0), PG_ERROR_FORMAT, "annotation 4: there is no picture of id 7");
    CHECK_FAILS(pg_dataset_row(&row, dataset, 1), PG_ERROR_FORMAT, "annotation 5: the picture's \"width\"");
    pg_dataset_close(dataset);
}

static void memory_fails(void **state)
{
    (void)state;
    sweep_include_json();
    CHECK_SWEEP(open_it());
    CHECK_OK(pg_dataset_open(&opened, folder_path, OPTIONS));
    CHECK_SWEEP(read_it());
    pg_dataset_close(opened);
    CHECK_OK(pg_dataset_open(&opened, GOLDEN "coco_instances.json", OPTIONS));
    CHECK_SWEEP(read_it());
    pg_dataset_close(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_cut_to_what_is_white), cmocka_unit_test(masks_are_resized_smoothly),
        cmocka_unit_test(floats_are_resized_as_pillow_does), cmocka_unit_test(objects_are_cut_to_their_boxes),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(objects_are_the_reference_s),
#endif
        cmocka_unit_test(wrong_files_are_refused),           cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

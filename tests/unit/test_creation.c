/* New models: one again for pictures of another size, what is kept, changes, is refused; how locations start. */
#include "check.h"

#include <math.h>
#include <sys/stat.h>

#include "base/json.h"
#include "generate/model.h"
#include "sweep.h"
#include "temporary_folder.h"

#define INFERENCE PG_TESTS_FOLDER "/golden/inference"
#define PALIGEMMA INFERENCE "/paligemma-tiny-f32/checkpoint" /* 56 px, 4 x 4 patches */
#define SIGLIP    INFERENCE "/siglip-tiny/checkpoint"        /* 48 px, 3 x 3 */
#define GEMMA     INFERENCE "/gemma-tiny-mha/checkpoint"

static pg_model *create(const char *name, const pg_create_options *options)
{
    pg_model *model;
    CHECK_OK(pg_model_create(folder_file(name), options));
    CHECK_OK(pg_model_open(&model, folder_file(name)));
    return model;
}

/* All weights but the positions are the same bits. */
static void check_kept(pg_weights *made, pg_weights *from)
{
    pg_weight_walk walk = {.weights = made}, other = {.weights = from};
    pg_weight_entry new, old;
    while (pg_weights_next(&walk, &new)) {
        assert_true(pg_weights_next(&other, &old));
        assert_string_equal(new.parameter->name, old.parameter->name);
        if (!strcmp(new.parameter->name, "vision.position"))
            continue;
        assert_int_equal(new.parameter->dtype, old.parameter->dtype);
        assert_memory_equal(new.parameter->data, old.parameter->data, (size_t)pg_parameter_bytes(old.parameter));
    }
}

static int64_t read_integer(const char *folder, const char *file, const char *part, const char *key)
{
    char path[600];
    json_t *document;
    snprintf(path, sizeof path, "%s/%s", folder_file(folder), file);
    CHECK_OK(pg_json_load(&document, path));
    int64_t value = json_integer_value(json_object_get(part ? json_object_get(document, part) : document, key));
    json_decref(document);
    return value;
}

static void larger_pictures(void **state)
{
    pg_create_options options;
    pg_model *old;
    (void)state;
    CHECK_OK(pg_model_open(&old, PALIGEMMA));
    pg_create_options_init(&options);
    options.from = PALIGEMMA;
    options.image_size = 112;
    pg_model *model = create("larger", &options);
    assert_int_equal(pg_model_image_size(model), 112);
    assert_int_equal(pg_model_image_tokens(model), 64);
    check_kept(model->weights, old->weights);
    const float *positions = model->weights->vision.position.data, *before = old->weights->vision.position.data;
    assert_memory_equal(positions, before, (size_t)old->weights->vision.position.width * sizeof *positions);
    assert_int_equal(read_integer("larger", "config.json", "vision_config", "num_image_tokens"), 64);
    assert_int_equal(read_integer("larger", "config.json", "text_config", "num_image_tokens"), 64);
    assert_int_equal(read_integer("larger", "preprocessor_config.json", NULL, "image_seq_length"), 64);
    assert_int_equal(read_integer("larger", "preprocessor_config.json", "size", "height"), 112);
    pg_model_close(model);
    options.image_size = 0; /* the same again */
    model = create("same", &options);
    check_kept(model->weights, old->weights);
    pg_model_close(model);
    pg_model_close(old);
}

static void siglip_and_parts(void **state)
{
    pg_create_options options;
    pg_model *old;
    (void)state;
    CHECK_OK(pg_model_open(&old, SIGLIP));
    pg_create_options_init(&options);
    options.from = SIGLIP;
    options.image_size = 96;
    pg_model *model = create("siglip", &options);
    check_kept(model->weights, old->weights);
    assert_int_equal(model->weights->vision.position.rows, 36);
    assert_int_equal(read_integer("siglip", "preprocessor_config.json", "size", "width"), 96);
    pg_model_close(model);
    options = (pg_create_options){.vision = SIGLIP, .text = GEMMA, .tokenizer = PALIGEMMA, .image_size = 64};
    model = create("joined", &options);
    assert_int_equal(pg_model_image_tokens(model), 16);
    assert_int_equal(read_integer("joined", "preprocessor_config.json", "size", "width"), 64);
    pg_model_close(model);
    options = (pg_create_options){.from = folder_file("joined"), .vision = SIGLIP, .dtype = "BF16"};
    CHECK_FAILS(pg_model_create(folder_file("back"), &options), PG_ERROR_FORMAT, "--image-size 64");
    options.image_size = 48;
    model = create("back", &options);
    assert_int_equal(model->weights->vision.position.dtype, PG_BF16);
    assert_int_equal(pg_model_image_tokens(model), 9);
    pg_model_close(model);
    pg_model_close(old);
}

static void refused_sizes(void **state)
{
    static const struct {
        const char *from;
        size_t size;
        pg_status status;
        const char *text;
    } cases[] = {
        {GEMMA, 224, PG_ERROR_ARGUMENT, "Gemma takes no pictures"},
        {PALIGEMMA, 13, PG_ERROR_ARGUMENT, "expected 14"},
        {PALIGEMMA, SIZE_MAX, PG_ERROR_ARGUMENT, "to 16384"},
        {PALIGEMMA, 1274, PG_ERROR_LIMIT, "8281 tokens"},
    };
    (void)state;
    int before = folder_count();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_create_options options = {.from = cases[i].from, .image_size = cases[i].size};
        CHECK_FAILS(pg_model_create(folder_file("refused"), &options), cases[i].status, cases[i].text);
    }
    assert_int_equal(folder_count(), before);
}

/* ---------------------------------------------------------------- locations */

static double cosine(const float *a, const float *b, int64_t width)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static const float *location_row(const pg_model *model, int location)
{
    char piece[16];
    snprintf(piece, sizeof piece, "<loc%04d>", location);
    int32_t id = pg_tokenizer_id(model->tokenizer, piece);
    assert_true(id >= 0);
    return (const float *)model->weights->text.embed.data + id * model->weights->text.embed.width;
}

static double mean_cosine(const pg_model *model, int apart)
{
    double sum = 0;
    for (int i = 0; i + apart < 1024; i++)
        sum += cosine(location_row(model, i), location_row(model, i + apart), model->weights->text.embed.width);
    return sum / (1024 - apart);
}

static void smooth_locations(void **state)
{
    pg_create_options options;
    (void)state;
    pg_create_options_init(&options);
    options.config = PALIGEMMA "/config.json";
    options.tokenizer = PALIGEMMA;
    options.smooth_locations = true;
    pg_model *smooth = create("smooth", &options);
    options.smooth_locations = false;
    pg_model *plain = create("plain", &options);
    int64_t width = plain->weights->text.embed.width;
    assert_true(mean_cosine(smooth, 1) > 0.95);
    assert_true(mean_cosine(smooth, 32) > 0.2 && mean_cosine(smooth, 32) < 0.8);
    assert_true(fabs(mean_cosine(plain, 1)) < 0.05);
    double squares = 0;
    for (int i = 0; i < 1024; i++)
        for (int64_t k = 0; k < width; k++)
            squares += (double)location_row(smooth, i)[k] * (double)location_row(smooth, i)[k];
    assert_true(fabs(sqrt(squares / (double)(1024 * width)) - 0.02) < 0.003);
    int64_t before = location_row(plain, 0) - (const float *)plain->weights->text.embed.data;
    assert_memory_equal(smooth->weights->text.embed.data, plain->weights->text.embed.data,
                        (size_t)before * sizeof(float)); /* other tokens are as ever */
    pg_model_close(smooth);
    pg_model_close(plain);
    options = (pg_create_options){.vision = SIGLIP, .text = GEMMA, .tokenizer = PALIGEMMA, .smooth_locations = true};
    CHECK_OK(pg_model_create(folder_file("smooth-joined"), &options));
    options = (pg_create_options){.config = PALIGEMMA "/config.json", .smooth_locations = true};
    CHECK_FAILS(pg_model_create(folder_file("none"), &options), PG_ERROR_ARGUMENT, "a tokenizer is needed");
    options.tokenizer = SIGLIP;
    CHECK_FAILS(pg_model_create(folder_file("none"), &options), PG_ERROR_FORMAT, "no <loc0000>");
}

static pg_status create_again(void)
{
    pg_create_options options = {.from = PALIGEMMA, .image_size = 28, .smooth_locations = true};
    return pg_model_create(folder_file("swept"), &options);
}

static void short_of_memory(void **state)
{
    (void)state;
    int before = folder_count();
    CHECK_COARSE_SWEEP(create_again());
    assert_int_equal(folder_count(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_pictures),  cmocka_unit_test(siglip_and_parts), cmocka_unit_test(refused_sizes),
        cmocka_unit_test(smooth_locations), cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

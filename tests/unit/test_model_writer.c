/*
 * Models written anew: the same values in other dtypes and shards, adapters merged into float and quantised weights,
 * untrained models, folders that are replaced or, with a full disk or no memory, not there at all.
 */
#include "check.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "generate/model.h"
#include "model/adapter.h"
#include "model/initializer.h"
#include "model/model_writer.h"
#include "sweep.h"
#include "temporary_folder.h"

#define TRAINING PG_TESTS_FOLDER "/golden/training"
#define BASE     TRAINING "/checkpoints/paligemma"
#define ADAPTER  TRAINING "/paligemma-lora/both/adapter_trained"
#define SIGLIP   PG_TESTS_FOLDER "/golden/inference/siglip-tiny/checkpoint"
#define GEMMA    PG_TESTS_FOLDER "/golden/inference/gemma-tiny-mha/checkpoint"
#define SHARDED  PG_TESTS_FOLDER "/golden/inference/paligemma-tiny-f32/checkpoint"

static pg_model *open_model(const char *folder, const char *adapter)
{
    pg_model *model;
    pg_model_options options;
    pg_model_options_init(&options);
    options.adapter = adapter;
    CHECK_OK(pg_model_open_with(&model, folder, &options));
    return model;
}

static void read_row(float *out, const pg_parameter *p, int64_t row)
{
    if (p->quantized.bits)
        pg_quantized_widen(out, &p->quantized, row, 0, p->width);
    else
        pg_dtype_widen(out, p->dtype, (const char *)p->data + (size_t)(row * p->width) * pg_dtype_size(p->dtype),
                       p->width);
}

static double merged_value(float old, const pg_lora *lora, int64_t row, int64_t column)
{
    double sum = 0;
    const float *a = lora ? lora->a.data : NULL, *b = lora ? lora->b.data : NULL;
    for (int64_t k = 0; lora && k < lora->a.rows; k++)
        sum += (double)b[row * lora->a.rows + k] * (double)a[k * lora->a.width + column];
    return (double)old + (lora ? lora->scale * sum : 0);
}

/* Every value of `made` is that of `from`, addition included, within `limit` of its size. */
static void check_values(pg_weights *made, pg_weights *from, pg_dtype dtype, double limit)
{
    pg_weight_walk walk = {.weights = made}, other = {.weights = from};
    pg_weight_entry new, old;
    while (pg_weights_next(&walk, &new)) {
        float got[512], had[512];
        assert_true(pg_weights_next(&other, &old));
        assert_string_equal(new.published, old.published);
        assert_int_equal(new.parameter->dtype, dtype);
        assert_in_range(new.parameter->width, 1, 512 * 10);
        for (int64_t row = 0; row < new.parameter->rows &&new.parameter->width <= 512; row++) {
            read_row(got, new.parameter, row);
            read_row(had, old.parameter, row);
            for (int64_t i = 0; i < new.parameter->width; i++) {
                double want = merged_value(had[i], old.parameter->lora, row, i);
                assert_true(fabs((double)got[i] - want) <= limit * fmax(fabs(want), 0.01));
            }
        }
    }
    assert_false(pg_weights_next(&other, &old));
}

static int count_files(const char *name, const char *end)
{
    DIR *folder = opendir(folder_file(name));
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strstr(entry->d_name, end) != NULL;
    closedir(folder);
    return count;
}

static void dtypes_and_shards(void **state)
{
    static const struct {
        const char *name, *dtype, *adapter;
        pg_dtype expected;
        size_t shard;
        double limit;
    } cases[] = {
        {"f32", NULL, NULL, PG_F32, 0, 0},
        {"f32-merged", "F32", ADAPTER, PG_F32, 60000, 1e-5},
        {"bf16-merged", "BF16", ADAPTER, PG_BF16, 100000, 0x1p-8},
        {"f16", "F16", NULL, PG_F16, 1, 0x1p-11},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_model *model = open_model(BASE, cases[i].adapter);
        pg_save_options options;
        pg_save_options_init(&options);
        options.dtype = cases[i].dtype;
        options.shard_size = cases[i].shard;
        options.threads = 3;
        CHECK_OK(pg_model_save(folder_file(cases[i].name), model, &options));
        pg_model *made = open_model(folder_file(cases[i].name), NULL);
        check_values(made->weights, model->weights, cases[i].expected, cases[i].limit);
        int shards = count_files(cases[i].name, "-of-");
        assert_true(cases[i].shard ? shards > 1 : shards == 0);
        assert_int_equal(count_files(cases[i].name, "index.json"), cases[i].shard != 0);
        pg_model_close(made);
        pg_model_close(model);
    }
}

static void config_says_dtype(void **state)
{
    json_t *config;
    (void)state;
    CHECK_OK(pg_json_load(&config, folder_file("bf16-merged/config.json")));
    assert_string_equal(json_string_value(json_object_get(config, "dtype")), "bfloat16");
    json_decref(config);
    CHECK_OK(pg_json_load(&config, folder_file("bf16-merged/model.safetensors.index.json")));
    assert_non_null(json_object_get(json_object_get(config, "weight_map"), "language_model.model.norm.weight"));
    int64_t total = 0;
    CHECK_OK(pg_json_integer(&total, (pg_json_field){json_object_get(config, "metadata"), "index", "total_size", true},
                             1, 1 << 30));
    pg_model *made = open_model(folder_file("bf16-merged"), NULL);
    assert_int_equal(total, pg_checkpoint_bytes(made->weights->files));
    pg_model_close(made);
    json_decref(config);
}

/* Quantised weights become floats, with the addition; and at run time the addition is the same as on floats. */
static void quantised_base(void **state)
{
    (void)state;
    pg_model *adapted = open_model(BASE, ADAPTER);
    CHECK_FAILS(pg_quantize(folder_file("int8"), adapted, NULL), PG_ERROR_ARGUMENT, "merge it first");
    pg_model_close(adapted);
    for (int bits = 4; bits <= 8; bits += 4) {
        const char *name = bits == 4 ? "int4" : "int8", *floats = bits == 4 ? "int4-f32" : "int8-f32";
        pg_model *model = open_model(BASE, NULL), *quantised;
        pg_quantize_options options;
        pg_save_options save;
        pg_quantize_options_init(&options);
        options.text = bits == 4 ? PG_WEIGHTS_INT4 : PG_WEIGHTS_INT8;
        options.block = 32;
        CHECK_OK(pg_quantize(folder_file(name), model, &options));
        pg_model_close(model);
        quantised = open_model(folder_file(name), ADAPTER);
        pg_save_options_init(&save);
        save.dtype = "F32";
        CHECK_OK(pg_model_save(folder_file(floats), quantised, &save));
        model = open_model(folder_file(floats), NULL);
        check_values(model->weights, quantised->weights, PG_F32, 1e-5);
        pg_model_close(model);
        pg_model_close(quantised);
    }
}

/* ---------------------------------------------------------------- two models */

static void save_mixed(const char *name, const pg_model *model, const pg_model *mix, double share, const char *dtype)
{
    pg_save_options options;
    pg_save_options_init(&options);
    options.dtype = dtype;
    options.mix = mix;
    options.share = share;
    options.threads = 3;
    CHECK_OK(pg_model_save(folder_file(name), model, &options));
}

/* Every value of `made` is (1 - share) of the first model's, addition included, + share of the other's. */
static void check_mixed(const char *name, pg_model *first, pg_model *second, double share, double limit)
{
    pg_model *made = open_model(folder_file(name), NULL);
    pg_weight_walk walks[] = {{.weights = made->weights}, {.weights = first->weights}, {.weights = second->weights}};
    pg_weight_entry entries[3];
    size_t count = 0;
    while (pg_weights_next(&walks[0], &entries[0])) {
        float got[512], own[512], other[512];
        assert_true(pg_weights_next(&walks[1], &entries[1]) && pg_weights_next(&walks[2], &entries[2]));
        const pg_parameter *p = entries[0].parameter;
        for (int64_t row = 0; row < p->rows && p->width <= 512; row++, count++) {
            read_row(got, p, row);
            read_row(own, entries[1].parameter, row);
            read_row(other, entries[2].parameter, row);
            for (int64_t i = 0; i < p->width; i++) {
                double a = merged_value(own[i], entries[1].parameter->lora, row, i);
                double b = merged_value(other[i], entries[2].parameter->lora, row, i);
                assert_true(fabs((double)got[i] - (1 - share) * a - share * b) <=
                            limit * fmax(fabs(a) + fabs(b), 0.01));
            }
        }
    }
    assert_true(count > 1000);
    pg_model_close(made);
}

static void models_are_mixed(void **state)
{
    (void)state;
    pg_model *adapted = open_model(BASE, ADAPTER), *plain = open_model(BASE, NULL);
    pg_model *quantised = open_model(folder_file("int4"), NULL);
    save_mixed("mix-f32", adapted, plain, 0.25, NULL);
    check_mixed("mix-f32", adapted, plain, 0.25, 1e-5);
    save_mixed("mix-bf16", plain, adapted, 0.7, "BF16");
    check_mixed("mix-bf16", plain, adapted, 0.7, 0x1p-8);
    save_mixed("mix-int4", quantised, adapted, 0.5, "F32");
    check_mixed("mix-int4", quantised, adapted, 0.5, 1e-5);
    pg_model_close(quantised);
    pg_model_close(plain);
    pg_model_close(adapted);
}

/* A Gemma with weights that fill several huge pages. */
static void make_large(const char *name)
{
    json_t *config;
    CHECK_OK(pg_json_load(&config, GEMMA "/config.json"));
    json_object_set_new(config, "vocab_size", json_integer(1 << 16));
    CHECK_OK(pg_json_save(config, folder_file("large.json")));
    json_decref(config);
    CHECK_OK(pg_model_create(folder_file(name), &(pg_create_options){.config = folder_file("large.json")}));
}

/* Pages that are no file's would be empty when they are read again. */
static void copied_weights_stay(void **state)
{
    (void)state;
    make_large("large");
    pg_model *mapped = open_model(folder_file("large"), NULL), *copied;
    CHECK_OK(pg_model_open_with(&copied, folder_file("large"), &(pg_model_options){.huge_pages = true}));
    save_mixed("mix-copied", mapped, copied, 0.5, NULL);
    check_values(copied->weights, mapped->weights, PG_F32, 0);
    pg_quantize_options options;
    pg_quantize_options_init(&options);
    options.text = options.vision = PG_WEIGHTS_BF16;
    CHECK_OK(pg_quantize(folder_file("halved"), copied, &options));
    check_values(copied->weights, mapped->weights, PG_F32, 0);
    pg_model_close(copied);
    pg_model_close(mapped);
}

static void what_cannot_be_mixed(void **state)
{
    static const struct {
        const char *other;
        double share;
        const char *message;
    } cases[] = {
        {BASE, -0.1, "share: -0.1, expected 0 to 1"},
        {BASE, NAN, "share: nan, expected 0 to 1"},
        {GEMMA, 0.5, "patch_embedding.weight of "},
        {SHARDED, 0.5, "different kinds or sizes cannot be mixed: one has "},
    };
    (void)state;
    pg_model *model = open_model(BASE, NULL);
    int before = folder_count();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_save_options options;
        pg_save_options_init(&options);
        assert_true(options.share == 0.5);
        options.mix = open_model(cases[i].other, NULL);
        options.share = cases[i].share;
        CHECK_FAILS(pg_model_save(folder_file("unmixed"), model, &options), PG_ERROR_ARGUMENT, cases[i].message);
        pg_model_close((pg_model *)options.mix);
    }
    pg_save_options options;
    pg_save_options_init(&options);
    pg_model *other = open_model(BASE, NULL);
    options.mix = other;
    other->weights->config.text.theta *= 2;
    CHECK_FAILS(pg_model_save(folder_file("unmixed"), model, &options), PG_ERROR_ARGUMENT,
                "text_config.rope_theta is 10000 in one and 20000 in the other");
    pg_model_close(other);
    assert_int_equal(folder_count(), before);
    pg_model_close(model);
}

/* ---------------------------------------------------------------- folders */

static void replaces_a_folder(void **state)
{
    pg_model *model = open_model(BASE, NULL);
    pg_save_options options;
    (void)state;
    pg_save_options_init(&options);
    CHECK_OK(pg_model_save(folder_file("kept"), model, &options));
    CHECK_FAILS(pg_model_save(folder_file("kept"), model, &options), PG_ERROR_FILE, "exists already");
    int before = folder_count();
    options.replace = true;
    options.dtype = "BF16";
    CHECK_OK(pg_model_save(folder_file("kept"), model, &options));
    assert_int_equal(folder_count(), before);
    pg_model *made = open_model(folder_file("kept"), NULL);
    assert_int_equal(made->weights->text.embed.dtype, PG_BF16);
    pg_model_close(made);
    options.dtype = "I8";
    CHECK_FAILS(pg_model_save(folder_file("x"), model, &options), PG_ERROR_ARGUMENT, "expected \"F32\"");
    pg_model_close(model);
}

static bool stop(void *user, size_t done, size_t total)
{
    (void)user, (void)total;
    return done < 3;
}

/* The old folder stays as it is, and nothing else is left. */
static void fails_cleanly(void **state)
{
    pg_model *model = open_model(BASE, ADAPTER);
    pg_save_options options;
    struct rlimit usual, tight;
    (void)state;
    int before = folder_count();
    pg_save_options_init(&options);
    options.replace = true;
    options.on_progress = stop;
    CHECK_FAILS(pg_model_save(folder_file("kept"), model, &options), PG_ERROR_CANCELLED, "cancelled");
    options.on_progress = NULL;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    tight = usual;
    tight.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    pg_status status = pg_model_save(folder_file("kept"), model, &options);
    pg_status create = pg_model_create(folder_file("untrained"), &(pg_create_options){.config = BASE "/config.json"});
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(status, PG_ERROR_FILE);
    assert_int_equal(create, PG_ERROR_FILE);
    assert_int_equal(folder_count(), before);
    pg_model *made = open_model(folder_file("kept"), NULL);
    assert_int_equal(made->weights->text.embed.dtype, PG_BF16);
    pg_model_close(made);
    pg_model_close(model);
}

static pg_status save_again(const pg_model *model)
{
    pg_save_options options;
    pg_save_options_init(&options);
    options.replace = true;
    options.shard_size = 300000;
    options.mix = model;
    return pg_model_save(folder_file("swept"), model, &options);
}

static void short_of_memory(void **state)
{
    pg_model *model = open_model(BASE, ADAPTER);
    (void)state;
    int before = folder_count();
    CHECK_SWEEP(save_again(model));
    assert_int_equal(folder_count(), before + 1);
    pg_model_close(model);
}

/* ---------------------------------------------------------------- untrained models */

static void moments(double *mean, double *deviation, const pg_parameter *p)
{
    const float *values = p->data;
    double count = (double)(p->rows * p->width), sum = 0, squares = 0;
    for (int64_t i = 0; i < p->rows * p->width; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    *mean = sum / count;
    *deviation = sqrt(squares / count - *mean * *mean);
}

static void check_moments(const pg_parameter *p, double mean, double deviation)
{
    double found_mean, found;
    moments(&found_mean, &found, p);
    double slack = 5 * deviation / sqrt((double)(p->rows * p->width)) + 1e-6;
    if (!(fabs(found_mean - mean) <= slack) || !(fabs(found - deviation) <= slack))
        fail_msg("%s: mean %g, deviation %g, expected %g, %g", p->name, found_mean, found, mean, deviation);
}

static void untrained(void **state)
{
    pg_create_options options;
    (void)state;
    pg_create_options_init(&options);
    options.config = BASE "/config.json";
    options.seed = 7;
    options.threads = 2;
    CHECK_OK(pg_model_create(folder_file("new"), &options));
    pg_model *model = open_model(folder_file("new"), NULL);
    const pg_weights *w = model->weights;
    double width = (double)w->vision.config.width;
    check_moments(&w->text.embed, 0, 0.02);
    check_moments(&w->text.layers[1].down, 0, 0.02);
    check_moments(&w->text.norm, 0, 0);
    check_moments(&w->projector, 0, 0.02);
    check_moments(&w->vision.patch, 0, 1 / sqrt((double)w->vision.patch.width));
    check_moments(&w->vision.position, 0, 1 / sqrt(width));
    check_moments(&w->vision.layers[0].q, 0, sqrt(2 / (2 * width)));
    check_moments(&w->vision.layers[0].fc1_bias, 0, 1e-6);
    check_moments(&w->vision.post_norm, 1, 0);
    options.threads = 1;
    CHECK_OK(pg_model_create(folder_file("new1"), &options));
    pg_model *again = open_model(folder_file("new1"), NULL);
    check_values(again->weights, model->weights, PG_F32, 0); /* whatever the threads */
    pg_model_close(again);
    pg_model_close(model);
    CHECK_FAILS(pg_model_create(folder_file("new"), &options), PG_ERROR_FILE, "exists already");
    options.config = folder_file("none.json");
    CHECK_FAILS(pg_model_create(folder_file("new2"), &options), PG_ERROR_FILE, "none.json");
    options.config = NULL;
    CHECK_FAILS(pg_model_create(folder_file("new2"), &options), PG_ERROR_ARGUMENT, "needs a config.json");
}

static void joined(void **state)
{
    pg_create_options options;
    (void)state;
    pg_create_options_init(&options);
    options.vision = SIGLIP;
    options.text = GEMMA;
    options.tokenizer = SHARDED;
    CHECK_OK(pg_model_create(folder_file("joined"), &options));
    pg_model *model = open_model(folder_file("joined"), NULL), *text = open_model(GEMMA, NULL);
    pg_model *vision = open_model(SIGLIP, NULL);
    const pg_weights *w = model->weights, *t = text->weights;
    assert_int_equal(w->config.kind, PG_MODEL_PALIGEMMA);
    assert_true(w->text.embed.rows >= pg_tokenizer_size(model->tokenizer));
    assert_memory_equal(w->text.embed.data, t->text.embed.data,
                        (size_t)(t->text.embed.rows * t->text.embed.width) * sizeof(float));
    assert_memory_equal(w->vision.position.data, vision->weights->vision.position.data,
                        (size_t)(w->vision.position.rows * w->vision.position.width) * sizeof(float));
    check_moments(&w->projector, 0, 0);
    pg_model_close(model);
    pg_model_close(vision);
    options.tokenizer = SIGLIP;
    CHECK_FAILS(pg_model_create(folder_file("joined2"), &options), PG_ERROR_FORMAT, "no <image> token");
    options.tokenizer = SHARDED;
    options.vision = GEMMA;
    CHECK_FAILS(pg_model_create(folder_file("joined2"), &options), PG_ERROR_ARGUMENT, "no vision tower");
    options.vision = SIGLIP;
    options.config = BASE "/config.json";
    CHECK_FAILS(pg_model_create(folder_file("joined2"), &options), PG_ERROR_FORMAT, "to be taken over");
    pg_model_close(text);
}

static pg_status create_again(void)
{
    pg_create_options options;
    pg_create_options_init(&options);
    options.config = SIGLIP "/config.json";
    PG_TRY(pg_model_create(folder_file("created"), &options));
    return PG_OK;
}

static void creation_short_of_memory(void **state)
{
    (void)state;
    int before = folder_count();
    CHECK_SWEEP(create_again());
    assert_int_equal(folder_count(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_and_shards),
        cmocka_unit_test(config_says_dtype),
        cmocka_unit_test(quantised_base),
        cmocka_unit_test(models_are_mixed),
        cmocka_unit_test(copied_weights_stay),
        cmocka_unit_test(what_cannot_be_mixed),
        cmocka_unit_test(replaces_a_folder),
        cmocka_unit_test(fails_cleanly),
        cmocka_unit_test(short_of_memory),
        cmocka_unit_test(untrained),
        cmocka_unit_test(joined),
        cmocka_unit_test(creation_short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

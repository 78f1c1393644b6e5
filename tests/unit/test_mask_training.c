/* Training of the mask codec: the codebook's averages and revivals, a batch in parts, a run that stops and goes on with
 * the same bits, gradients in the order of files, and settings that make no sense. */
#include "temporary_folder.h"
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "model/mask_codec.h"
#include "tensor/safetensors.h"
#include "train/mask_training.h"

#define PLACES (PG_MASK_SIDE * PG_MASK_SIDE)
#define MASKS  6

/* ---------------------------------------------------------------- the codebook */

enum { CODES = 4, WIDTH = 3 };

static pg_codebook *open_codebook(float *table, bool trained)
{
    pg_codebook *codebook;
    pg_parameter parameter = {.name = "t", .dtype = PG_F32, .rows = CODES, .width = WIDTH, .data = table};
    CHECK_OK(pg_codebook_new(&codebook, &parameter, trained));
    return codebook;
}

static void note(pg_codebook *codebook, float *values, const int32_t *codes, int64_t rows, uint64_t step)
{
    pg_tensor x = {.dtype = PG_F32, .rows = rows, .width = WIDTH, .data = values};
    pg_codebook_note(codebook, &x, codes, rows, 1, step);
}

static void codes_follow_what_they_stand_for(void **state)
{
    (void)state;
    float table[CODES * WIDTH], values[8 * WIDTH];
    const int32_t codes[] = {0, 1, 2, 3, 0, 1, 2, 3};
    for (int i = 0; i < CODES * WIDTH; i++)
        table[i] = 5;
    for (int i = 0; i < 8 * WIDTH; i++) {
        int row = i / WIDTH;
        values[i] = (float)(codes[row] + 1);
    }
    pg_codebook *codebook = open_codebook(table, true);
    float before = fabsf(table[0] - 1);
    for (uint64_t step = 0; step < 400; step++) {
        note(codebook, values, codes, 8, step);
        assert_int_equal(pg_codebook_step(codebook), 0);
        assert_true(fabsf(table[0] - 1) <= before);
        before = fabsf(table[0] - 1);
    }
    for (int i = 0; i < CODES * WIDTH; i++) {
        int code = i / WIDTH;
        assert_true(fabsf(table[i] - (float)(code + 1)) < 1e-3f);
    }
    pg_codebook_free(codebook);
}

/* Codes begin as vectors of the first batch; one that nothing is near to begins again, as a vector of the batch. */
static void dead_codes_are_revived(void **state)
{
    (void)state;
    float table[CODES * WIDTH] = {0}, values[8 * WIDTH];
    const int32_t codes[] = {0, 0, 1, 1, 2, 2, 2, 2};
    int64_t revived = 0;
    for (int i = 0; i < 8 * WIDTH; i++) {
        int row = i / WIDTH;
        values[i] = (float)(1 + row);
    }
    pg_codebook *codebook = open_codebook(table, false);
    note(codebook, values, codes, 8, 0);
    assert_int_equal(pg_codebook_step(codebook), CODES);
    for (int c = 0; c < CODES; c++)
        assert_true(table[c * WIDTH] >= 1 && table[c * WIDTH] <= 8 && table[c * WIDTH] == table[c * WIDTH + 2]);
    for (uint64_t step = 1; step < 100 && revived == 0; step++) {
        memset(table + 3 * WIDTH, 0, WIDTH * sizeof *table);
        note(codebook, values, codes, 8, step);
        revived = pg_codebook_step(codebook);
    }
    assert_int_equal(revived, 1);
    assert_true(table[3 * WIDTH] >= 1 && table[3 * WIDTH] <= 8);
    pg_codebook_watch(codebook);
    pg_codebook_see(codebook, codes, 4);
    assert_int_equal(pg_codebook_used(codebook), 2);
    pg_codebook_free(codebook);
}

/* ---------------------------------------------------------------- a batch */

static void draw_mask(float *out, int number)
{
    int a = 10 + 7 * number, b = 60 - 5 * number;
    for (int i = 0; i < PLACES; i++)
        out[i] = (i / PG_MASK_SIDE * a + i % PG_MASK_SIDE * b) % 4096 < 2000 + 200 * number ? 1 : 0;
}

static void make_samples(pg_sample **samples)
{
    for (int i = 0; i < MASKS; i++) {
        samples[i] = pg_alloc(1, sizeof *samples[i]);
        samples[i]->mask = pg_alloc(PLACES, sizeof(float));
        draw_mask(samples[i]->mask, i);
    }
}

/* Gradients of a batch, `at_once` masks at a time. */
static pg_trainable *run_batch(pg_score *score, pg_mask_codec *codec, pg_codebook *codebook, size_t at_once)
{
    pg_tape tape = {.seed = 1};
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .tape = &tape};
    pg_objective objective = {.kind = PG_OBJECTIVE_MASKCODEC, .micro_rows = at_once};
    objective.codec = codec;
    objective.codebook = codebook;
    pg_sample *samples[MASKS];
    pg_trainable *trainable;
    pg_train_config *config;
    make_samples(samples);
    CHECK_OK(pg_train_config_new(&config));
    CHECK_OK(pg_mask_trainable_new(&trainable, codec));
    CHECK_OK(pg_trainable_ready(trainable, config, NULL));
    CHECK_OK(pg_objective_run(score, &g, &objective, samples, MASKS, 3));
    for (int i = 0; i < MASKS; i++)
        pg_sample_free(samples[i]);
    pg_train_config_free(config);
    pg_tape_free(&tape);
    pg_arena_free(&g.arena);
    return trainable;
}

static void a_batch_may_come_in_parts(void **state)
{
    (void)state;
    pg_mask_codec *codecs[2];
    pg_codebook *codebooks[2];
    pg_trainable *trainables[2];
    pg_score scores[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pg_mask_codec_new(&codecs[i], 2));
        CHECK_OK(pg_codebook_new(&codebooks[i], &codecs[i]->codebook, false));
        trainables[i] = run_batch(&scores[i], codecs[i], codebooks[i], i ? 4 : 0);
    }
    assert_true(fabs(scores[0].loss - scores[1].loss) <= 1e-6 * scores[0].loss);
    assert_true(scores[0].hits == scores[1].hits && scores[0].scored == MASKS && scores[0].rows == MASKS);
    for (size_t i = 0; i < trainables[0]->count; i++) {
        const pg_trained *whole = &trainables[0]->tensors[i], *parts = &trainables[1]->tensors[i];
        double largest = 0;
        for (int64_t k = 0; k < whole->rows * whole->width; k++)
            largest = fmax(largest, fabs((double)whole->grad[k]));
        assert_true(largest > 0);
        for (int64_t k = 0; k < whole->rows * whole->width; k++)
            assert_true(fabs((double)whole->grad[k] - (double)parts->grad[k]) <= 1e-4 * largest);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(codebooks[i]->rows, MASKS * PG_MASK_CODES);
        assert_int_equal(pg_codebook_step(codebooks[i]), PG_MASK_CODEBOOK);
    }
    assert_memory_equal(codebooks[0]->table, codebooks[1]->table,
                        (size_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH * sizeof(float));
    for (int i = 0; i < 2; i++) {
        pg_trainable_free(trainables[i]);
        pg_codebook_free(codebooks[i]);
        pg_mask_codec_close(codecs[i]);
    }
}

/* ---------------------------------------------------------------- runs */

static void write_masks(void)
{
    for (int n = 0; n < MASKS; n++) {
        float mask[PLACES];
        char bytes[PLACES + 32], name[32];
        int size = snprintf(bytes, sizeof bytes, "P5 64 64 255\n");
        draw_mask(mask, n);
        for (int i = 0; i < PLACES; i++)
            bytes[size++] = mask[i] > 0 ? '\xff' : 0;
        snprintf(name, sizeof name, "mask%d.png", n);
        folder_write(name, bytes, (size_t)size);
    }
}

static void set(pg_train_config *config, const char *const (*pairs)[2])
{
    for (; (*pairs)[0]; pairs++)
        CHECK_OK(pg_train_config_set(config, (*pairs)[0], (*pairs)[1]));
}

static pg_train_config *configure(const char *out)
{
    pg_train_config *config;
    const char *const pairs[][2] = {{"objective", "maskcodec"},
                                    {"data", folder_path},
                                    {"validation", folder_path},
                                    {"steps", "5"},
                                    {"batch", "4"},
                                    {"learning_rate", "1e-3"},
                                    {"flip", "0.5"},
                                    {"warmup", "1"},
                                    {"average", "0.5"},
                                    {"threads", "2"},
                                    {NULL, NULL}};
    CHECK_OK(pg_train_config_new(&config));
    set(config, pairs);
    if (out)
        CHECK_OK(pg_train_config_set(config, "out", folder_file(out)));
    return config;
}

static void take_steps(pg_trainer *trainer, int count, pg_train_report *report)
{
    for (int i = 0; i < count; i++)
        CHECK_OK(pg_trainer_step(report, trainer));
}

static void a_run_goes_on_with_the_same_bits(void **state)
{
    (void)state;
    pg_trainer *trainer;
    pg_train_report report, again;
    pg_mask_codec *whole, *parts;
    write_masks();
    pg_train_config *config = configure("whole");
    CHECK_OK(pg_trainer_open(&trainer, config));
    take_steps(trainer, 5, &report);
    assert_true(report.finished && report.validated && report.validation.accuracy > 0);
    pg_trainer_close(trainer);
    pg_train_config_free(config);

    config = configure("parts");
    CHECK_OK(pg_trainer_open(&trainer, config));
    take_steps(trainer, 2, &again);
    CHECK_OK(pg_trainer_save(trainer));
    take_steps(trainer, 1, &again); /* is lost */
    pg_trainer_close(trainer);
    CHECK_OK(pg_trainer_open(&trainer, config));
    take_steps(trainer, 3, &again);
    assert_int_equal(again.step, 5);
    assert_true(report.train.loss == again.train.loss && report.validation.loss == again.validation.loss);
    pg_trainer_close(trainer);
    pg_train_config_free(config);

    CHECK_OK(pg_mask_codec_open(&whole, folder_file("whole/last/mask_codec.npz")));
    CHECK_OK(pg_mask_codec_open(&parts, folder_file("parts/last/mask_codec.npz")));
    for (size_t i = 0; i < 2 * PG_MASK_LAYERS; i++) {
        const pg_parameter *p = pg_mask_codec_parameter(whole, i), *q = pg_mask_codec_parameter(parts, i);
        assert_memory_equal(p->data, q->data, (size_t)(p->rows * p->width) * sizeof(float));
    }
    assert_memory_equal(whole->codebook.data, parts->codebook.data,
                        (size_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH * sizeof(float));
    pg_mask_codec_close(whole);
    pg_mask_codec_close(parts);
}

static void gradients_have_the_order_of_files(void **state)
{
    (void)state;
    pg_safetensors *file;
    write_masks();
    pg_train_config *config = configure(NULL);
    CHECK_OK(pg_train_gradients(folder_file("gradients.safetensors"), config));
    CHECK_OK(pg_safetensors_open(&file, folder_file("gradients.safetensors")));
    assert_int_equal(pg_safetensors_count(file), 2 * PG_MASK_LAYERS + 1);
    const pg_array *transposed = pg_safetensors_find(file, "grad.decoder.8.weight");
    const int64_t shape[] = {64, 32, 4, 4};
    assert_non_null(transposed);
    assert_int_equal(transposed->dimensions, 4);
    assert_memory_equal(transposed->shape, shape, sizeof shape);

    /* the same by hand */
    pg_mask_codec *codec;
    pg_codebook *codebook;
    pg_score score;
    CHECK_OK(pg_mask_codec_new(&codec, 0));
    CHECK_OK(pg_codebook_new(&codebook, &codec->codebook, false));
    pg_trainable *trainable = run_batch(&score, codec, codebook, 0);
    CHECK_OK(pg_mask_publish_gradients(trainable));
    for (size_t i = 0; i < trainable->count; i++) {
        char name[64];
        snprintf(name, sizeof name, "grad.%s", trainable->tensors[i].name);
        const pg_array *found = pg_safetensors_find(file, name);
        assert_non_null(found);
        assert_memory_equal(found->data, trainable->tensors[i].grad, found->bytes);
    }
    pg_trainable_free(trainable);
    pg_codebook_free(codebook);
    pg_mask_codec_close(codec);
    pg_safetensors_close(file);
    pg_train_config_free(config);
}

static void check_refused(const char *key, const char *value, pg_status expected, const char *part)
{
    pg_train_config *config = configure("refused");
    pg_trainer *trainer;
    CHECK_OK(pg_train_config_set(config, key, value));
    CHECK_FAILS(pg_trainer_open(&trainer, config), expected, part);
    pg_train_config_free(config);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    write_masks();
    check_refused("train", "lora", PG_ERROR_ARGUMENT, "of a mask codec everything is trained");
    check_refused("dtype", "bf16", PG_ERROR_ARGUMENT, "mask codecs are f32 or f16");
    check_refused("model", folder_file("absent.npz"), PG_ERROR_FILE, "absent.npz");
    const char *text = folder_write("rows.jsonl", "{\"text\":\"a\"}\n", 13);
    char data[600];
    snprintf(data, sizeof data, "%s,kind=jsonl", text);
    check_refused("data", data, PG_ERROR_ARGUMENT, "the objective needs rows of kind \"mask\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_follow_what_they_stand_for),  cmocka_unit_test(dead_codes_are_revived),
        cmocka_unit_test(a_batch_may_come_in_parts),         cmocka_unit_test(a_run_goes_on_with_the_same_bits),
        cmocka_unit_test(gradients_have_the_order_of_files), cmocka_unit_test(wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

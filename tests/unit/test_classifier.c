/* src/model/classifier: heads in files, and features of one folder or two. Against the reference:
 * test_training_golden.c. */
#include "check.h"

#include <math.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "sweep.h"
#include "temporary_folder.h"
#include "tensor/safetensors.h"
#include "model/classifier.h"
#include "trained_model.h"

static const char *const labels[] = {"cat", "a dog, \"barking\"", "Vögel"};

/* ---------------------------------------------------------------- files */

static void heads_come_back_from_files(void **state)
{
    (void)state;
    pg_classifier *head, *again, *other;
    CHECK_OK(pg_classifier_new(&head, labels, 3, 50, 7));
    CHECK_OK(pg_classifier_save(head, folder_file("head.safetensors")));
    CHECK_OK(pg_classifier_load(&again, folder_file("head.safetensors")));
    assert_int_equal(folder_count(), 1);
    assert_int_equal(again->label_count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(again->labels[i], labels[i]);
    assert_int_equal(again->weight.rows, 3);
    assert_int_equal(again->weight.width, 50);
    assert_int_equal(again->bias.width, 3);
    assert_memory_equal(again->weight.data, head->weight.data, 150 * sizeof(float));
    assert_memory_equal(again->bias.data, head->bias.data, 3 * sizeof(float));
    CHECK_OK(pg_classifier_new(&other, labels, 3, 50, 8));
    assert_memory_not_equal(other->weight.data, head->weight.data, 150 * sizeof(float)); /* another seed */
    for (int i = 0; i < 150; i++)
        assert_true(fabsf(((const float *)head->weight.data)[i]) <= 1 / sqrtf(50));
    pg_classifier_free(head);
    pg_classifier_free(again);
    pg_classifier_free(other);
}

static void labels_are_checked(void **state)
{
    (void)state;
    pg_classifier *head;
    const char *const twice[] = {"a", "b", "a"}, *const broken[] = {"a", "b\nc"}, *const empty[] = {"", "b"};
    CHECK_FAILS(pg_classifier_new(&head, labels, 1, 5, 0), PG_ERROR_ARGUMENT, "at least 2 labels, not 1");
    CHECK_FAILS(pg_classifier_new(&head, twice, 3, 5, 0), PG_ERROR_ARGUMENT, "labels 0 and 2 are both \"a\"");
    CHECK_FAILS(pg_classifier_new(&head, broken, 2, 5, 0), PG_ERROR_ARGUMENT, "label 1 is empty or has a line break");
    CHECK_FAILS(pg_classifier_new(&head, empty, 2, 5, 0), PG_ERROR_ARGUMENT, "label 0 is empty");
    assert_null(head);
}

/* A file with these tensors and labels. */
static const char *write_head(const pg_array *arrays, size_t count, const char *text)
{
    pg_safetensors_writer *writer;
    const char *path = folder_file("hostile.safetensors");
    const char *const metadata[][2] = {{"labels", text}};
    CHECK_OK(pg_safetensors_writer_open(&writer, path, arrays, count, metadata, text ? 1 : 0));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(pg_safetensors_writer_write(writer, arrays[i].data, arrays[i].bytes));
    CHECK_OK(pg_safetensors_writer_commit(writer));
    return path;
}

static void check_refused(const char *path, const char *error)
{
    pg_classifier *head;
    pg_status status = pg_classifier_load(&head, path);
    if (status == PG_OK || !strstr(pg_error_last(), error))
        fail_msg("status %d, \"%s\", expected \"%s\"", status, pg_error_last(), error);
    assert_null(head);
}

static void hostile_files(void **state)
{
    (void)state;
    static const float zeros[32];
    const pg_array weight = {"head.weight", PG_F32, 2, {2, 5}, zeros, 40},
                   bias = {"head.bias", PG_F32, 1, {2}, zeros, 8};
    pg_array flat = weight, halves = weight, tall = weight, narrow = weight, long_bias = bias, extra = bias;
    flat.dimensions = 1;
    flat.shape[0] = 10;
    halves.dtype = PG_F16;
    halves.bytes = 20;
    tall.shape[0] = 3;
    tall.bytes = 60;
    narrow.shape[1] = 0;
    narrow.bytes = 0;
    long_bias.shape[0] = 3;
    long_bias.bytes = 12;
    extra.name = "head.more";
    const struct {
        pg_array arrays[3];
        size_t count;
        const char *labels, *error;
    } cases[] = {
        {{weight}, 1, "a\nb", "not a classifier head"},
        {{bias}, 1, "a\nb", "not a classifier head"},
        {{weight, bias}, 2, NULL, "not a classifier head"},
        {{weight, bias, extra}, 3, "a\nb", "not a classifier head"},
        {{flat, bias}, 2, "a\nb", "head.weight F32 [10]"},
        {{halves, bias}, 2, "a\nb", "head.weight F16 [2, 5]"},
        {{tall, bias}, 2, "a\nb", "head.weight F32 [3, 5] and head.bias F32 [2]"},
        {{weight, long_bias}, 2, "a\nb", "head.bias F32 [3]"},
        {{narrow, bias}, 2, "a\nb", "head.weight F32 [2, 0]"},
        {{weight, bias}, 2, "a\nb\nc", "expected F32 [3, features]"},
        {{weight, bias}, 2, "a", "expected F32 [1, features]"},
        {{weight, bias}, 2, "a\na", "are both"},
        {{weight, bias}, 2, "a\n", "label 1 is empty"},
        {{weight, bias}, 2, "", "expected F32 [1, features]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(write_head(cases[i].arrays, cases[i].count, cases[i].labels), cases[i].error);
    pg_classifier *head;
    CHECK_FAILS(pg_classifier_load(&head, folder_file("none.safetensors")), PG_ERROR_FILE, "none.safetensors");
}

static pg_status round_trip(void)
{
    pg_classifier *head = NULL, *again = NULL;
    pg_status status = PG_OK;
    PG_TRY_GOTO(pg_classifier_new(&head, labels, 3, 5, 7));
    PG_TRY_GOTO(pg_classifier_save(head, folder_file("sweep.safetensors")));
    PG_TRY_GOTO(pg_classifier_load(&again, folder_file("sweep.safetensors")));
done:
    pg_classifier_free(head);
    pg_classifier_free(again);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    CHECK_SWEEP(round_trip());
}

/* ---------------------------------------------------------------- features */

static pg_tensor *features_of(pg_context *g, const pg_model *vision, const pg_model *text, pg_pooled_batch batch)
{
    pg_tensor *x = pg_pooled_features(g, vision->weights, text->weights, &batch);
    assert_non_null(x);
    assert_int_equal(x->rows, batch.count);
    assert_int_equal(x->width, pg_pooled_width(vision->weights, text->weights, batch.pixels, batch.ids));
    return x;
}

/* Rows of a batch are what they are alone; columns are those of pictures, then those of texts. */
static void check_features(const pg_model *vision, const pg_model *text)
{
    static float pixels[2 * 3 * 56 * 56];
    const int32_t first[] = {2, 300, 400, 500, 600}, second[] = {2, 700};
    const int32_t *ids[] = {first, second};
    const int64_t lengths[] = {5, 2};
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32};
    assert_int_equal(vision->weights->config.vision.side, 56);
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        pixels[i] = (float)(pg_random_uniform(2, 0, i) * 2 - 1);
    pg_tensor *both = features_of(&g, vision, text, (pg_pooled_batch){pixels, ids, lengths, 2});
    int64_t cut = vision->weights->config.vision.width;
    for (int r = 0; r < 2; r++) {
        const float *row = (const float *)both->data + r * both->width;
        pg_tensor *picture = features_of(&g, vision, text, (pg_pooled_batch){pixels + r * 3 * 56 * 56, NULL, NULL, 1});
        pg_tensor *words = features_of(&g, vision, text, (pg_pooled_batch){NULL, &ids[r], &lengths[r], 1});
        assert_memory_equal(row, picture->data, (size_t)cut * sizeof *row);
        assert_memory_equal(row + cut, words->data, (size_t)words->width * sizeof *row);
    }
    pg_arena_free(&g.arena);
}

static void features_of_one_folder_and_of_two(void **state)
{
    (void)state;
    pg_model *siglip = pg_trained_model_open("siglip"), *gemma = pg_trained_model_open("gemma");
    pg_model *paligemma = pg_trained_model_open("paligemma");
    check_features(siglip, gemma);
    check_features(paligemma, paligemma);
    check_features(siglip, paligemma);
    pg_trained_model_close(siglip);
    pg_trained_model_close(gemma);
    pg_trained_model_close(paligemma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_come_back_from_files),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(features_of_one_folder_and_of_two),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

/* Recall of retrieval and accuracy of classes against big_vision's evaluators. */
#include "sweep.h"

#include <math.h>

#include "base/json.h"
#include "metrics/ranking.h"
#include "tensor/safetensors.h"

#define GOLDEN  PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define IMAGES  24
#define TEXTS   48
#define CLASSES 10
#define WIDTH   16

static json_t *facts;
static uint32_t numbers[TEXTS], text_images[TEXTS], labels[IMAGES];
static pg_embedded images, texts, classes;

static const float *rows(const pg_safetensors *file, const char *name, int64_t count)
{
    const pg_array *array = pg_safetensors_find(file, name);
    assert_non_null(array);
    assert_true(array->shape[0] == count && array->shape[1] == WIDTH);
    return array->data;
}

static void read_numbers(uint32_t *out, const char *key)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(facts, key), i, value)
    {
        out[i] = (uint32_t)json_integer_value(value);
    }
}

static void check_share(const size_t *ranks, size_t count, size_t k, const json_t *expected)
{
    assert_true(json_is_real(expected));
    assert_true(fabs(pg_rank_share(ranks, count, k) - json_number_value(expected)) < 1e-12);
}

static void check_recall(const pg_embedded *queries, const pg_embedded *items, const char *key)
{
    size_t ranks[TEXTS];
    const json_t *expected = json_object_get(facts, key);
    for (int threads = 0; threads < 3; threads++) {
        CHECK_OK(pg_ranks(ranks, queries, items, WIDTH, threads));
        check_share(ranks, queries->count, 1, json_object_get(expected, "Recall@1"));
        check_share(ranks, queries->count, 5, json_object_get(expected, "Recall@5"));
        check_share(ranks, queries->count, 10, json_object_get(expected, "Recall@10"));
    }
}

static void recall_is_the_reference_s(void **state)
{
    (void)state;
    check_recall(&texts, &images, "text_to_image");
    check_recall(&images, &texts, "image_to_text");
}

static void accuracy_is_the_reference_s(void **state)
{
    (void)state;
    size_t ranks[IMAGES];
    CHECK_OK(pg_ranks(ranks, &(pg_embedded){images.rows, labels, IMAGES}, &classes, WIDTH, 1));
    check_share(ranks, IMAGES, 1, json_object_get(facts, "top1"));
    check_share(ranks, IMAGES, 5, json_object_get(facts, "top5"));
}

static void ranks_count_what_is_better(void **state)
{
    (void)state;
    const float scores[] = {0.5f, 2, NAN, 2, -1};
    const uint32_t groups[] = {7, 7, 7, 3, 3};
    assert_int_equal(pg_rank_of(scores, NULL, 5, 1), 0);
    assert_int_equal(pg_rank_of(scores, NULL, 5, 3), 1); /* the same score, but a higher number */
    assert_int_equal(pg_rank_of(scores, NULL, 5, 0), 2);
    assert_int_equal(pg_rank_of(scores, NULL, 5, 4), 3);
    assert_int_equal(pg_rank_of(scores, NULL, 5, 2), 5); /* no number */
    assert_int_equal(pg_rank_of(scores, NULL, 5, 9), 5); /* not there */
    assert_int_equal(pg_rank_of(scores, groups, 5, 7), 0);
    assert_int_equal(pg_rank_of(scores, groups, 5, 3), 1);
    assert_true(pg_rank_share(NULL, 0, 1) == 0);
}

static pg_status rank(void)
{
    size_t ranks[IMAGES];
    return pg_ranks(ranks, &images, &texts, WIDTH, 2);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(rank());
}

int main(void)
{
    pg_safetensors *file;
    CHECK_OK(pg_json_load(&facts, GOLDEN "retrieval.json"));
    CHECK_OK(pg_safetensors_open(&file, GOLDEN "retrieval.safetensors"));
    for (uint32_t i = 0; i < TEXTS; i++)
        numbers[i] = i;
    read_numbers(text_images, "text_image");
    read_numbers(labels, "labels");
    images = (pg_embedded){rows(file, "image", IMAGES), numbers, IMAGES};
    texts = (pg_embedded){rows(file, "text", TEXTS), text_images, TEXTS};
    classes = (pg_embedded){rows(file, "classes", CLASSES), numbers, CLASSES};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_is_the_reference_s),
        cmocka_unit_test(accuracy_is_the_reference_s),
        cmocka_unit_test(ranks_count_what_is_better),
        cmocka_unit_test(memory_may_run_out),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_safetensors_close(file);
    json_decref(facts);
    return failed;
}

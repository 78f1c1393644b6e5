/* Penalties, filters and draws on logits small enough to be worked out by hand. */
#include <math.h>

#include "check.h"

#include "base/memory.h"
#include "generate/sampling.h"

enum { VOCABULARY = 8 };

static pg_sampling plain(void)
{
    return (pg_sampling){.repetition_penalty = 1, .top_p = 1, .temperature = 1};
}

/* The ids that a run of n tokens before rules out, as bits. */
static unsigned forbidden(int64_t n, const int32_t *history, size_t count)
{
    float logits[VOCABULARY] = {0};
    pg_sampling sampling = plain();
    sampling.no_repeat_ngram = n;
    pg_sampling_penalize(logits, &(pg_logits){.values = logits, .count = VOCABULARY}, 0, &sampling, history, count);
    unsigned bits = 0;
    for (unsigned i = 0; i < VOCABULARY; i++)
        bits |= (isinf(logits[i]) ? 1U : 0U) << i;
    return bits;
}

static void test_ngrams_do_not_come_twice(void **state)
{
    (void)state;
    const int32_t history[] = {1, 2, 3, 4, 1, 2, 5, 1, 2};
    assert_int_equal(forbidden(1, history, 9), 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5);
    assert_int_equal(forbidden(2, history, 9), 1U << 3 | 1U << 5);
    assert_int_equal(forbidden(3, history, 9), 1U << 3 | 1U << 5);
    assert_int_equal(forbidden(4, history, 9), 0);
    assert_int_equal(forbidden(3, history, 6), 1U << 3);
    assert_int_equal(forbidden(4, (const int32_t[]){6, 1, 2, 3, 6, 1, 2}, 7), 1U << 3);
    assert_int_equal(forbidden(9, history, 3), 0);
    assert_int_equal(forbidden(0, history, 9), 0);
    assert_int_equal(forbidden(2, history, 1), 0);
}

static void test_a_penalty_counts_each_token_once(void **state)
{
    (void)state;
    const float raw[VOCABULARY] = {4, -4, 0, 3, -3, 1, 1, 1};
    float logits[VOCABULARY];
    memcpy(logits, raw, sizeof raw);
    const int32_t history[] = {0, 1, 0, 2, 1, 0};
    pg_sampling sampling = plain();
    sampling.repetition_penalty = 2;
    pg_sampling_penalize(logits, &(pg_logits){.values = raw, .count = VOCABULARY}, 0, &sampling, history, 6);
    const float expected[VOCABULARY] = {2, -8, 0, 3, -3, 1, 1, 1};
    assert_memory_equal(logits, expected, sizeof logits);
}

/* Checks which ids are left, as bits, and that their probabilities add up and are in proportion. */
static void check_left(const pg_sampling *sampling, const float *logits, unsigned expected)
{
    pg_choice choices[VOCABULARY];
    size_t count = pg_sampling_filter(choices, logits, VOCABULARY, sampling);
    unsigned left = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        left |= 1U << choices[i].id;
        sum += choices[i].probability;
        double ratio = exp((logits[choices[i].id] - logits[choices[0].id]) / sampling->temperature);
        assert_true(fabs(choices[i].probability / choices[0].probability - ratio) < 1e-6 * ratio);
    }
    assert_int_equal(left, expected);
    assert_true(fabs(sum - 1) < 1e-12);
}

static void test_filters(void **state)
{
    (void)state;
    /* probabilities 0.4, 0.3, 0.15, 0.1, 0.05 and nothing */
    const float logits[VOCABULARY] = {logf(0.15F), logf(0.4F), -INFINITY,  logf(0.05F),
                                      logf(0.3F),  -INFINITY,  logf(0.1F), -INFINITY};
    pg_sampling sampling = plain();
    check_left(&sampling, logits, 1U << 0 | 1U << 1 | 1U << 3 | 1U << 4 | 1U << 6);
    sampling.top_k = 2;
    check_left(&sampling, logits, 1U << 1 | 1U << 4);
    sampling.top_k = 100;
    check_left(&sampling, logits, 1U << 0 | 1U << 1 | 1U << 3 | 1U << 4 | 1U << 6);
    sampling.top_k = 0;
    sampling.top_p = 0.8;
    check_left(&sampling, logits, 1U << 0 | 1U << 1 | 1U << 4);
    sampling.top_p = 1e-9;
    check_left(&sampling, logits, 1U << 1);
    sampling.top_p = 1;
    sampling.min_p = 0.26;
    check_left(&sampling, logits, 1U << 0 | 1U << 1 | 1U << 4);
    sampling.temperature = 0.5; /* 0.16, 0.09, 0.0225: before the softmax, in proportion */
    check_left(&sampling, logits, 1U << 1 | 1U << 4);
}

static void test_draws_follow_the_distribution(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const float logits[VOCABULARY] = {logf(0.5F), logf(0.25F), logf(0.25F), -INFINITY,
                                      -INFINITY,  -INFINITY,   -INFINITY,   -INFINITY};
    pg_sampling sampling = plain();
    pg_choice choices[VOCABULARY];
    double counts[VOCABULARY] = {0};
    for (uint64_t step = 0; step < DRAWS; step++)
        counts[pg_sampling_next(logits, VOCABULARY, &sampling, choices, 0, step)]++;
    const double expected[VOCABULARY] = {0.5, 0.25, 0.25};
    for (size_t i = 0; i < VOCABULARY; i++)
        assert_true(fabs(counts[i] / DRAWS - expected[i]) < 5 * sqrt(0.25 / DRAWS));
}

static void test_the_best_come_first(void **state)
{
    (void)state;
    const float logits[VOCABULARY] = {1, 5, 3, 5, -INFINITY, 4, 0, 2};
    const int32_t order[VOCABULARY] = {1, 3, 5, 2, 7, 0, 6, 4};
    for (size_t count = 0; count <= VOCABULARY; count++) {
        pg_candidate best[VOCABULARY + 1];
        best[count].id = -7;
        pg_best_logits(best, count, logits, VOCABULARY);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(best[i].id, order[i]);
        assert_int_equal(best[count].id, -7);
    }
    pg_sampling greedy = {.repetition_penalty = 1, .top_p = 1};
    assert_int_equal(pg_sampling_next(logits, VOCABULARY, &greedy, NULL, 0, 0), 1);
}

/* As many as are wanted of many, in the order of all. */
static void test_many_of_the_best(void **state)
{
    (void)state;
    enum { MANY = 3000, WANTED = 700 };
    float *logits = pg_alloc(MANY, sizeof *logits);
    pg_candidate *some = pg_alloc(WANTED, sizeof *some), *all = pg_alloc(MANY, sizeof *all);
    for (int32_t i = 0; i < MANY; i++)
        logits[i] = (float)(i * 7919 % 1009); /* many are equal */
    pg_best_logits(some, WANTED, logits, MANY);
    pg_best_logits(all, MANY, logits, MANY);
    for (size_t i = 0; i + 1 < MANY; i++)
        assert_true(all[i].logit > all[i + 1].logit || (all[i].logit == all[i + 1].logit && all[i].id < all[i + 1].id));
    for (size_t i = 0; i < WANTED; i++)
        assert_int_equal(some[i].id, all[i].id);
    pg_free(logits);
    pg_free(some);
    pg_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ngrams_do_not_come_twice),
        cmocka_unit_test(test_a_penalty_counts_each_token_once),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_draws_follow_the_distribution),
        cmocka_unit_test(test_the_best_come_first),
        cmocka_unit_test(test_many_of_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

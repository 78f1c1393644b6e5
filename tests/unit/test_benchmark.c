/* A benchmark times what it says, the figures fit together, and a caller can end it. */
#include "golden_case.h"

#include "generate/model.h"
#include "model/cost.h"

#define PALIGEMMA PG_GOLDEN_FOLDER "/paligemma-tiny-f32/checkpoint"

static void check_figure(const pg_figure *figure)
{
    assert_true(figure->low > 0);
    assert_true(figure->low <= figure->median);
    assert_true(figure->median <= figure->high);
}

static void check_part(const pg_bench_part *part, double work)
{
    check_figure(&part->seconds);
    check_figure(&part->limit);
    check_figure(&part->share);
    assert_true(part->work == work);
}

static bool count_rounds(void *user, size_t rounds_done)
{
    size_t *rounds = user;
    ++*rounds;
    assert_int_equal(*rounds, rounds_done);
    return true;
}

static bool stop(void *user, size_t rounds_done)
{
    (void)user;
    (void)rounds_done;
    return false;
}

static void check_profile(const pg_bench *bench)
{
    static const char *const parts[] = {"vision", "prefill", "decode"};
    for (int p = 0; p < 3; p++) {
        int64_t attentions = 0, others = 0;
        for (size_t i = 0; i < bench->operation_count; i++) {
            const pg_bench_operation *operation = &bench->operations[i];
            if (strcmp(operation->part, parts[p]) != 0)
                continue;
            assert_true(operation->seconds >= 0);
            if (strcmp(operation->name, "attention") == 0)
                attentions += operation->calls;
            others += strcmp(operation->name, "other") == 0;
        }
        assert_int_equal(attentions, p == 2 ? 3 * bench->new_tokens : 3); /* three layers */
        assert_int_equal(others, 1);
    }
}

static void test_figures(void **state)
{
    (void)state;
    pg_model *model;
    pg_bench *bench;
    pg_bench_options options;
    size_t rounds = 0;
    pg_bench_options_init(&options);
    options = (pg_bench_options){.prompt_tokens = 5, .new_tokens = 6, .batch = 3, .rounds = 2, .threads = 2};
    options.profile = true;
    options.on_round = count_rounds;
    options.user = &rounds;
    CHECK_OK(pg_bench_run(&bench, PALIGEMMA, &options));
    CHECK_OK(pg_model_open(&model, PALIGEMMA));
    const pg_config *config = &model->weights->config;
    assert_int_equal(rounds, 2);
    assert_int_equal(bench->image_size, 56);
    assert_int_equal(bench->prompt_tokens, 16 + 5);
    assert_int_equal(bench->threads, 2);
    assert_int_equal(bench->compute, PG_COMPUTE_F32);
    assert_int_equal(bench->weight_bytes, 1669120);
    assert_true(bench->peak_memory > bench->private_memory && bench->private_memory > 0);
    assert_true(bench->first_answer > 0);
    check_figure(&bench->load);
    check_figure(&bench->first_token);
    check_figure(&bench->tokens_per_second);
    check_figure(&bench->batch_tokens_per_second);
    check_part(&bench->vision, pg_cost_vision(config));
    check_part(&bench->prefill, pg_cost_prompt(&config->text, 21, 21));
    check_part(&bench->decode,
               6 * (pg_cost_token_weights(model->weights) + pg_cost_token_cache(&config->text, 21 + 3, PG_F32)));
    check_profile(bench);
    pg_model_close(model);
    pg_bench_free(bench);
}

static void test_ends_early(void **state)
{
    (void)state;
    pg_bench *bench;
    pg_bench_options options;
    pg_bench_options_init(&options);
    options.compute = PG_COMPUTE_BF16;
    options.on_round = stop;
    CHECK_FAILS(pg_bench_run(&bench, PALIGEMMA, &options), PG_ERROR_CANCELLED, "1 round");
    assert_null(bench);
    CHECK_FAILS(pg_bench_run(&bench, "nowhere", &options), PG_ERROR_FILE, "nowhere");
    pg_bench_free(NULL);
}

/* The figures of the first request are those of the only round. */
static void test_once(void **state)
{
    (void)state;
    pg_bench *bench;
    pg_bench_options options;
    size_t rounds = 0;
    pg_bench_options_init(&options);
    options = (pg_bench_options){.new_tokens = 3, .rounds = 4, .once = true, .on_round = count_rounds, .user = &rounds};
    CHECK_OK(pg_bench_run(&bench, PALIGEMMA, &options));
    assert_int_equal(rounds, 1);
    assert_int_equal(bench->rounds, 1);
    check_figure(&bench->load);
    check_figure(&bench->tokens_per_second);
    check_part(&bench->vision, bench->vision.work);
    check_part(&bench->prefill, bench->prefill.work);
    check_part(&bench->decode, bench->decode.work);
    assert_true(bench->first_answer >= bench->load.median + bench->first_token.median);
    pg_bench_free(bench);
    options.batch = 2;
    CHECK_FAILS(pg_bench_run(&bench, PALIGEMMA, &options), PG_ERROR_ARGUMENT, "first one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_ends_early),
        cmocka_unit_test(test_once),
    };
    return cmocka_run_group_tests_name("benchmark", tests, NULL, NULL);
}

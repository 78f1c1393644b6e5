/*
 * Every allocation of a model's life is made to fail, one after another, alone and with all that follow: each failure
 * says so and leaks nothing, and what succeeds is right.
 */
#include "golden_case.h"
#include "sweep.h"

#define NEW_TOKENS 5

/* What is asked of a model, and its answers. */
enum { REQUESTS = 3, WORDS = 4 };

typedef struct results {
    pg_answer *together[2], *beams; /* two requests at the same time; a beam search */
    pg_kept_trace trace;
    float nll[WORDS - 1];
} results;

static void results_free(results *out)
{
    pg_answer_free(out->together[0]);
    pg_answer_free(out->together[1]);
    pg_answer_free(out->beams);
    pg_kept_trace_free(&out->trace);
    *out = (results){0};
}

static void requests_init(pg_golden_request asked[REQUESTS], const pg_golden *golden)
{
    static const char *const stop[] = {"never said"};
    for (size_t i = 0; i < REQUESTS; i++) {
        pg_golden_request_prompt(&asked[i], golden, i);
        asked[i].request.max_new_tokens = NEW_TOKENS;
    }
    asked[0].request.stop = stop;
    asked[0].request.stop_count = 1;
    asked[0].request.top_logits = 3;
    asked[0].request.repetition_penalty = 1.3;
    asked[1].request.temperature = 2.0;
    asked[1].request.top_k = 30;
    asked[1].request.seed = 5;
    asked[2].request.beams = 3;
    asked[2].request.beams_returned = 2;
}

static pg_status ask(results *out, pg_session *session, const pg_golden_request *asked)
{
    static const int32_t ids[WORDS] = {2, 300, 301, 302};
    const pg_request both[] = {asked[0].request, asked[1].request};
    PG_TRY(pg_generate(out->together, session, both, 2));
    PG_TRY(pg_generate(&out->beams, session, &asked[2].request, 1));
    PG_TRY(pg_trace(session, &asked[1].request, pg_kept_trace_add, &out->trace));
    return pg_perplexity(out->nll, session, ids, WORDS);
}

/* `out` is empty after a failure. */
static pg_status try_answers(results *out, pg_session *session, const pg_golden_request *asked)
{
    pg_status status = ask(out, session, asked);
    if (status != PG_OK)
        results_free(out);
    return status;
}

static pg_status open_session(pg_session **out, const pg_model *model)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    options.sequences = 3;
    options.context = 64;
    return pg_session_new(out, model, &options);
}

/* A session's whole life. */
static pg_status try_session(results *out, const pg_model *model, const pg_golden_request *asked)
{
    pg_session *session = NULL;
    PG_TRY(open_session(&session, model));
    pg_status status = try_answers(out, session, asked);
    pg_session_free(session);
    return status;
}

static pg_status try_open(pg_model **out, const char *path)
{
    pg_status status = pg_model_open(out, path);
    if (status != PG_OK)
        assert_null(*out);
    return status;
}

static void assert_same_results(const results *a, const results *b)
{
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(a->together[i]->text, b->together[i]->text);
        assert_int_equal(a->together[i]->count, b->together[i]->count);
    }
    assert_int_equal(a->beams->beam_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(a->beams->beams[i].text, b->beams->beams[i].text);
    assert_int_equal(a->trace.count, b->trace.count);
    for (size_t i = 0; i < a->trace.count; i++)
        assert_memory_equal(a->trace.arrays[i].data, b->trace.arrays[i].data, a->trace.arrays[i].bytes);
    assert_memory_equal(a->nll, b->nll, sizeof a->nll);
}

/* One failure among allocations that succeed: as it is with a large block that does not fit. */
static void check_single_failures(const pg_model *model, const pg_golden_request *asked, const results *expected)
{
    bool happened = true;
    for (long n = 1; happened; n++) {
        results got = {0};
        pg_memory_fail_once(n);
        pg_status status = try_session(&got, model, asked);
        happened = pg_memory_fail_once(0);
        if (status == PG_OK)
            assert_same_results(expected, &got);
        else if (status != PG_ERROR_MEMORY)
            fail_msg("allocation %ld: status %d (%s)", n, status, pg_error_last());
        assert_int_equal(status, happened ? PG_ERROR_MEMORY : PG_OK);
        results_free(&got);
    }
}

static void check_single_failures_of_open(const char *path)
{
    bool happened = true;
    for (long n = 1; happened; n++) {
        pg_model *model = NULL;
        pg_memory_fail_once(n);
        pg_status status = try_open(&model, path);
        happened = pg_memory_fail_once(0);
        if (status != (happened ? PG_ERROR_MEMORY : PG_OK))
            fail_msg("allocation %ld: status %d (%s)", n, status, pg_error_last());
        pg_model_close(model);
    }
}

static void test_answers(void **state)
{
    (void)state;
    pg_golden golden;
    pg_golden_open(&golden, PG_GOLDEN_FOLDER "/paligemma-tiny-f32");
    char *path = pg_golden_checkpoint(&golden, "checkpoint");
    pg_model *model = NULL;
    CHECK_SWEEP(try_open(&model, path));
    pg_golden_request asked[REQUESTS];
    requests_init(asked, &golden);
    results expected = {0}, swept = {0};
    CHECK_OK(try_session(&expected, model, asked));
    CHECK_SWEEP(try_session(&swept, model, asked));
    assert_same_results(&expected, &swept);
    check_single_failures(model, asked, &expected);
    check_single_failures_of_open(path);
    results_free(&expected);
    results_free(&swept);
    for (size_t i = 0; i < REQUESTS; i++)
        pg_golden_request_free(&asked[i]);
    pg_model_close(model);
    pg_free(path);
    pg_golden_close(&golden);
}

/* A session that has failed in any way answers as if nothing had happened. */
static void test_a_session_outlives_failures(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    pg_session *session = NULL;
    CHECK_OK(open_session(&session, tiny.model));
    pg_golden_request asked[REQUESTS];
    requests_init(asked, &tiny.golden);
    results expected = {0}, swept = {0};
    CHECK_OK(try_session(&expected, tiny.model, asked));
    CHECK_SWEEP(try_answers(&swept, session, asked));
    assert_same_results(&expected, &swept);
    results_free(&expected);
    results_free(&swept);
    for (size_t i = 0; i < REQUESTS; i++)
        pg_golden_request_free(&asked[i]);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

static pg_status try_embed(float *out, const pg_model *model, const pg_image *const *images)
{
    static const char *const texts[] = {"a cow", "a lily"};
    pg_session *session = NULL;
    PG_TRY(open_session(&session, model));
    pg_status status = pg_embed_images(out, session, images, 1);
    if (status == PG_OK)
        status = pg_embed_texts(out + pg_model_embedding_size(model), session, texts, 2);
    pg_session_free(session);
    return status;
}

static void test_embeddings(void **state)
{
    (void)state;
    pg_golden golden;
    pg_golden_open(&golden, PG_GOLDEN_FOLDER "/siglip-tiny");
    char *path = pg_golden_checkpoint(&golden, "checkpoint");
    pg_model *model = NULL;
    CHECK_SWEEP(try_open(&model, path));
    pg_golden_request asked;
    pg_golden_request_picture(&asked, &golden, "cow.jpg");
    float expected[3 * 48], swept[3 * 48];
    assert_int_equal(pg_model_embedding_size(model), 48);
    check_single_failures_of_open(path);
    CHECK_OK(try_embed(expected, model, asked.request.images));
    CHECK_SWEEP(try_embed(swept, model, asked.request.images));
    assert_memory_equal(expected, swept, sizeof expected);
    pg_golden_request_free(&asked);
    pg_model_close(model);
    pg_free(path);
    pg_golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_session_outlives_failures),
        cmocka_unit_test(test_embeddings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

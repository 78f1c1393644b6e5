/*
 * Tokens computed ahead: what is proposed, when it pays, and that no answer changes, whatever the request asks for and
 * whoever runs beside it.
 */
#include <math.h>

#include "golden_case.h"

#include "generate/session.h"
#include "generate/speculation.h"

/* ---------------------------------------------------------------- proposals */

static void check_lookup(const int32_t *tokens, size_t count, int32_t id, int run)
{
    int got;
    assert_int_equal(pg_lookup_next(&got, tokens, count), id);
    assert_int_equal(got, run);
}

static void test_lookup(void **state)
{
    (void)state;
    const int32_t tokens[] = {5, 1, 2, 3, 9, 2, 3, 8, 1, 2, 3, 7, 7, 2, 3, 4, 6, 1, 2, 3};
    check_lookup(tokens, 1, -1, 0);
    check_lookup(tokens, 5, -1, 0);
    check_lookup(tokens, 6, 3, 1);
    check_lookup(tokens, 7, 9, 2);
    check_lookup(tokens, 11, 9, 3); /* the longer one, not the latest */
    check_lookup(tokens, 13, 7, 1); /* a token behind itself */
    check_lookup(tokens, 15, 7, 2); /* the latest of two */
    check_lookup(tokens, 20, 7, 3);
    const int32_t loop[] = {1, 2, 1, 2, 1, 2, 1, 2};
    check_lookup(loop, 8, 1, PG_LOOKUP_MOST);
}

static void test_pace(void **state)
{
    (void)state;
    pg_pace pace = {0};
    assert_true(pg_pace_seconds(&pace, 2) > pg_pace_seconds(&pace, 1));
    for (int i = 0; i < 50; i++)
        pg_pace_add(&pace, 1, 0.1);
    assert_true(fabs(pg_pace_seconds(&pace, 1) - 0.1) < 1e-9);
    assert_true(pg_pace_seconds(&pace, 4) > 0.1);
    for (int i = 0; i < 50; i++)
        pg_pace_add(&pace, 1 + i % 4, 0.08 + 0.02 * (1 + i % 4));
    assert_true(fabs(pg_pace_seconds(&pace, 1) - 0.1) < 1e-6);
    assert_true(fabs(pg_pace_seconds(&pace, 9) - 0.26) < 1e-6);
    pg_pace odd = {0}; /* more rows were faster: no reason to believe that it goes on */
    pg_pace_add(&odd, 1, 0.3);
    pg_pace_add(&odd, 5, 0.1);
    assert_true(pg_pace_seconds(&odd, 100) > 0.05);
}

/* How many of eight proposals are checked after some that were right or wrong. */
static size_t decide(double row_cost, int rights, int wrongs)
{
    pg_speculation speculation;
    pg_pace pace = {0};
    pg_speculation_init(&speculation, -1);
    for (int i = 0; i < 40; i++)
        pg_pace_add(&pace, 1 + i % 3, 1 + row_cost * (i % 3));
    for (int i = 0; i < rights + wrongs; i++) {
        speculation.count = 0;
        pg_speculation_add(&speculation, 7, 2);
        pg_speculation_learn(&speculation, 0, i < rights ? 7 : 8);
    }
    speculation.count = 0;
    for (int i = 0; i < 8 && pg_speculation_wants(&speculation); i++)
        pg_speculation_add(&speculation, 7, 2);
    double tokens = pg_speculation_decide(&speculation, &pace, 1, 1);
    assert_true(tokens >= 0 && tokens <= (double)speculation.checked);
    return speculation.checked;
}

static void test_only_what_pays_is_checked(void **state)
{
    (void)state;
    assert_int_equal(decide(0.05, 40, 0), 8);
    assert_int_equal(decide(0.05, 0, 40), 0);
    assert_int_equal(decide(1.2, 40, 0), 0);
    assert_in_range(decide(0.3, 3, 2), 1, 4);
    pg_speculation fixed;
    pg_pace pace = {0};
    pg_speculation_init(&fixed, 3);
    while (pg_speculation_wants(&fixed))
        pg_speculation_add(&fixed, 1, 1);
    pg_speculation_decide(&fixed, &pace, 1, 1);
    assert_int_equal(fixed.checked, 3);
    pg_speculation_init(&fixed, 0);
    assert_false(pg_speculation_wants(&fixed));
    pg_speculation_init(&fixed, 1000);
    assert_int_equal(fixed.most, PG_SPECULATE_MOST);
}

/* ---------------------------------------------------------------- answers */

static pg_session *session_new(const pg_model *model, pg_compute compute, size_t sequences)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 2;
    options.compute = compute;
    options.sequences = sequences;
    options.context = 200;
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(&session, model, &options));
    return session;
}

static void assert_same_answer(const pg_answer *a, const pg_answer *b)
{
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->tokens, b->tokens, a->count * sizeof *a->tokens);
    assert_memory_equal(a->logprobs, b->logprobs, a->count * sizeof *a->logprobs);
    assert_int_equal(a->finish, b->finish);
    assert_int_equal(a->top_count, b->top_count);
    assert_memory_equal(a->top, b->top, a->count * a->top_count * sizeof *a->top);
}

/* The request, answered with every number of proposals, gives the same answer; returns how many were right. */
static size_t check_speculation(pg_session *session, const pg_request *request)
{
    static const int64_t numbers[] = {1, 2, 5, PG_SPECULATE_MOST, -1};
    pg_request asked = *request;
    pg_answer *plain, *ahead;
    size_t accepted = 0;
    asked.speculate = 0;
    CHECK_OK(pg_generate(&plain, session, &asked, 1));
    assert_int_equal(plain->proposed, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        asked.speculate = numbers[i];
        CHECK_OK(pg_generate(&ahead, session, &asked, 1));
        assert_same_answer(plain, ahead);
        assert_true(ahead->accepted <= ahead->proposed && ahead->accepted <= ahead->count);
        accepted += ahead->accepted;
        pg_answer_free(ahead);
    }
    pg_answer_free(plain);
    return accepted;
}

typedef struct heard_text {
    size_t bytes, calls, end_at;
} heard_text;

static bool listen_to(void *user, size_t index, const char *text, size_t size)
{
    heard_text *heard = user;
    (void)index, (void)text;
    heard->bytes += size;
    return ++heard->calls % 1000 != heard->end_at;
}

/* One kind of request after another. */
static size_t check_kinds(pg_session *session, const pg_request *request)
{
    static const char *const stops[] = {"the", "not in any text"};
    heard_text heard = {.end_at = 5};
    size_t accepted = check_speculation(session, request);
    pg_request kind = *request;
    kind.repetition_penalty = 1.1;
    kind.min_new_tokens = 30;
    accepted += check_speculation(session, &kind);
    kind = *request;
    kind.no_repeat_ngram = 6;
    accepted += check_speculation(session, &kind);
    kind = *request;
    kind.stop = stops;
    kind.stop_count = 2;
    accepted += check_speculation(session, &kind);
    kind = *request;
    kind.temperature = 0.5;
    kind.top_k = 5;
    kind.seed = 3;
    accepted += check_speculation(session, &kind);
    kind = *request;
    kind.on_text = listen_to;
    kind.user = &heard;
    for (heard.end_at = 3; heard.end_at < 1000; heard.end_at += 900) { /* cut short; not at all */
        heard.calls = 0;
        kind.speculate = 0;
        pg_answer *plain, *ahead;
        CHECK_OK(pg_generate(&plain, session, &kind, 1));
        size_t calls = heard.calls;
        heard.calls = 0;
        kind.speculate = 4;
        CHECK_OK(pg_generate(&ahead, session, &kind, 1));
        assert_same_answer(plain, ahead);
        assert_int_equal(heard.calls, calls);
        pg_answer_free(plain);
        pg_answer_free(ahead);
    }
    return accepted;
}

/* check_kinds, or for the sake of time check_speculation. */
typedef size_t check(pg_session *session, const pg_request *request);

static size_t check_texts(pg_session *session, check *checked)
{
    static const char *const repeated[] = {
        "cow cow cow cow cow cow",
        "one ; two ; one ; two ; one ; two ; one",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "the the",
        "<loc0001><loc0002><loc0003><loc0004> cat ; <loc0001><loc0002><loc0003><loc0004> cat ; <loc0001>",
    };
    size_t accepted = 0;
    for (size_t p = 0; p < sizeof repeated / sizeof *repeated; p++) {
        pg_request request;
        pg_request_init(&request);
        request.style = PG_PROMPT_TEXT;
        request.prompt = repeated[p];
        request.max_new_tokens = 40;
        accepted += checked(session, &request);
    }
    return accepted;
}

static size_t check_pictures(pg_session *session, const pg_golden *golden, check *checked)
{
    size_t accepted = 0;
    for (size_t p = 0; p < json_array_size(json_object_get(golden->facts, "prompts")) && p < 4; p++) {
        pg_golden_request asked;
        pg_golden_request_prompt(&asked, golden, p);
        asked.request.max_new_tokens = 40;
        asked.request.top_logits = 3;
        accepted += checked(session, &asked.request);
        pg_golden_request_free(&asked);
    }
    return accepted;
}

/* What requests ask for is the same for all models; how rows of several tokens are computed is not. */
static void test_no_answer_changes(void **state)
{
    (void)state;
    const char *names[] = {"paligemma-tiny-f32", "paligemma-tiny-bf16", "paligemma-tiny-f16", "paligemma-tiny-sharded",
                           "gemma-tiny-mha"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pg_golden_model tiny;
        pg_golden_model_open(&tiny, names[i]);
        pg_compute compute = i == 1 ? PG_COMPUTE_BF16 : i == 2 ? PG_COMPUTE_AUTO : PG_COMPUTE_F32;
        pg_session *session = session_new(tiny.model, compute, 1);
        check *checked = i == 0 ? check_kinds : check_speculation;
        size_t accepted = check_pictures(session, &tiny.golden, checked) + check_texts(session, checked);
        if (!accepted)
            fail_msg("%s: no proposal was right", names[i]);
        pg_session_free(session);
        pg_golden_model_close(&tiny);
    }
}

static void test_no_answer_of_a_quantized_model_changes(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    for (pg_weight_format format = PG_WEIGHTS_INT8; format <= PG_WEIGHTS_INT4; format++) {
        pg_quantize_options options;
        pg_quantize_options_init(&options);
        options.text = format;
        options.block = 32;
        char *folder = pg_golden_path(pg_golden_scratch(&tiny.golden), format == PG_WEIGHTS_INT8 ? "int8" : "int4");
        pg_model *model;
        CHECK_OK(pg_quantize(folder, tiny.model, &options));
        CHECK_OK(pg_model_open(&model, folder));
        for (pg_compute compute = PG_COMPUTE_AUTO; compute <= PG_COMPUTE_F32; compute++) {
            pg_session *session = session_new(model, compute, 1);
            assert_true(check_texts(session, check_speculation) > 0);
            pg_session_free(session);
        }
        pg_model_close(model);
        pg_free(folder);
    }
    pg_golden_model_close(&tiny);
}

/* Request number `i` of a mixed lot. */
static void make_request(pg_golden_request *out, const pg_golden_model *tiny, size_t i, const pg_constraint *constraint)
{
    pg_golden_request_prompt(out, &tiny->golden, i % 3);
    out->request.max_new_tokens = 30 + (int64_t)i;
    out->request.top_logits = 4;
    out->request.speculate = i == 4 ? 0 : 2 + (int64_t)i;
    out->request.constraint = constraint;
    out->request.temperature = i == 3 ? 1 : 0;
}

/* Requests of all kinds, more than run at the same time, each as it is alone. */
static void test_company_changes_nothing(void **state)
{
    (void)state;
    enum { REQUESTS = 6 };
    static const char *const labels[] = {"cat", "dog"}, *const texts[] = {"a cow", "a cow on the beach", "lilies"};
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    pg_constraint *objects, *candidates;
    CHECK_OK(pg_constraint_new_objects(&objects, tiny.model, labels, 2, PG_MASKS_OPTIONAL));
    CHECK_OK(pg_constraint_new_texts(&candidates, tiny.model, texts, 3));
    pg_golden_request asked[REQUESTS];
    pg_request requests[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++) {
        make_request(&asked[i], &tiny, i, i % 3 == 0 ? objects : i == 4 ? candidates : NULL);
        requests[i] = asked[i].request;
    }
    pg_session *one = session_new(tiny.model, PG_COMPUTE_F32, 1), *many = session_new(tiny.model, PG_COMPUTE_F32, 4);
    pg_answer *together[REQUESTS], *again[REQUESTS], *alone;
    CHECK_OK(pg_generate(together, many, requests, REQUESTS));
    size_t held = pg_arena_size(&many->g.arena);
    CHECK_OK(pg_generate(again, many, requests, REQUESTS));
    assert_int_equal(pg_arena_size(&many->g.arena), held); /* the steps allocate nothing once they have run */
    for (size_t i = 0; i < REQUESTS; i++) {
        pg_answer_free(again[i]);
        requests[i].speculate = -1;
    }
    CHECK_OK(pg_generate(again, many, requests, REQUESTS));
    for (size_t i = 0; i < REQUESTS; i++) {
        requests[i].speculate = 0;
        CHECK_OK(pg_generate(&alone, one, &requests[i], 1));
        assert_same_answer(together[i], alone);
        assert_same_answer(again[i], alone);
        pg_answer_free(alone);
        pg_answer_free(together[i]);
        pg_answer_free(again[i]);
        pg_golden_request_free(&asked[i]);
    }
    pg_session_free(one);
    pg_session_free(many);
    pg_constraint_free(objects);
    pg_constraint_free(candidates);
    pg_golden_model_close(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_only_what_pays_is_checked),
        cmocka_unit_test(test_no_answer_changes),
        cmocka_unit_test(test_no_answer_of_a_quantized_model_changes),
        cmocka_unit_test(test_company_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

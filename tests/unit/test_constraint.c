/* Answers under a constraint: one of several texts, or what a caller permits; the logits are those without it. */
#include <math.h>
#include <stdlib.h>

#include "golden_case.h"

#include "generate/constraint.h"

enum { NEW_TOKENS = 20 };

typedef struct fixture {
    pg_golden_model tiny;
    pg_golden_request asked;
    pg_session *session;
} fixture;

static void open_fixture(fixture *out, const char *name, pg_compute compute)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 2;
    options.compute = compute;
    options.context = 200;
    options.sequences = 2;
    pg_golden_model_open(&out->tiny, name);
    CHECK_OK(pg_session_new(&out->session, out->tiny.model, &options));
    pg_golden_request_prompt(&out->asked, &out->tiny.golden, 1);
    out->asked.request.max_new_tokens = NEW_TOKENS;
}

static void close_fixture(fixture *used)
{
    pg_golden_request_free(&used->asked);
    pg_session_free(used->session);
    pg_golden_model_close(&used->tiny);
}

static pg_answer *answer_with(const fixture *used, pg_permit_callback *permit, void *user)
{
    pg_constraint *constraint;
    pg_answer *answer;
    pg_request request = used->asked.request;
    CHECK_OK(pg_constraint_new(&constraint, permit, user));
    request.constraint = constraint;
    CHECK_OK(pg_generate(&answer, used->session, &request, 1));
    pg_constraint_free(constraint);
    return answer;
}

/* What is permitted: all tokens, unnamed or named; a third of them and an answer's own. */
typedef struct permission {
    bool unnamed;
    int32_t vocabulary, step;
    const pg_answer *answer;
} permission;

static size_t permit_some(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    const permission *given = user;
    size_t found = 0;
    (void)tokens;
    if (given->unnamed)
        return PG_PERMIT_ALL;
    int32_t own = count < given->answer->count ? given->answer->tokens[count] : -1;
    for (int32_t id = 0; id < given->vocabulary; id++)
        if (id % given->step == 0 || id == own)
            ids[found++] = id;
    return found;
}

static void assert_same_tokens(const pg_answer *a, const pg_answer *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->tokens, b->tokens, a->count * sizeof *a->tokens);
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->finish, b->finish);
}

/* Every logit that is kept under the constraint is, to the bit, the one without it. */
static void check_logits(const pg_answer *some, const pg_answer *all, int32_t step)
{
    for (size_t t = 0; t < all->count; t++) {
        const pg_candidate *kept = some->top + t * some->top_count;
        double sum = 0;
        for (size_t i = 0; i < all->top_count; i++) {
            const pg_candidate *expected = &all->top[t * all->top_count + i];
            if (expected->id % step && expected->id != all->tokens[t])
                continue;
            assert_memory_equal(kept, expected, sizeof *kept);
            sum += exp((double)kept->logit - some->top[t * some->top_count].logit);
            kept++;
        }
        assert_true(kept < some->top + (t + 1) * some->top_count);
        assert_int_equal(kept->id, -1);
        assert_true(fabs(some->logprobs[t] + log(sum)) < 1e-4);
    }
}

static void test_logits_are_those_without_a_constraint(void **state)
{
    (void)state;
    const char *names[] = {"paligemma-tiny-f32", "paligemma-tiny-bf16", "paligemma-tiny-sharded"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fixture used;
        open_fixture(&used, names[i], i == 1 ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
        permission given = {.step = 1, .vocabulary = i == 2 ? 2688 : 3200};
        used.asked.request.top_logits = (size_t)given.vocabulary;
        pg_answer *plain, *all, *named, *third;
        CHECK_OK(pg_generate(&plain, used.session, &used.asked.request, 1));
        given.answer = plain;
        named = answer_with(&used, permit_some, &given);
        given.step = 3;
        third = answer_with(&used, permit_some, &given);
        given.unnamed = true;
        all = answer_with(&used, permit_some, &given);
        assert_same_tokens(plain, all);
        assert_same_tokens(plain, named);
        assert_same_tokens(plain, third);
        assert_memory_equal(plain->logprobs, named->logprobs, plain->count * sizeof *plain->logprobs);
        assert_memory_equal(plain->top, named->top, plain->count * plain->top_count * sizeof *plain->top);
        assert_memory_equal(plain->top, all->top, plain->count * plain->top_count * sizeof *plain->top);
        check_logits(third, plain, 3);
        pg_answer_free(plain);
        pg_answer_free(all);
        pg_answer_free(named);
        pg_answer_free(third);
        close_fixture(&used);
    }
}

/* The answer is always one of the texts, also of texts that begin each other, whatever is asked for besides. */
static void test_one_of_several_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"a cow", "a cow on the beach",         "",
                                        "a cow", "zwei gelbe Sonnenblumen 猫", "<loc0003><loc0004> cat",
                                        "<eos>"};
    fixture used;
    open_fixture(&used, "paligemma-tiny-f32", PG_COMPUTE_F32);
    for (size_t count = 1; count <= sizeof texts / sizeof *texts; count++)
        for (int kind = 0; kind < 4; kind++) {
            pg_constraint *constraint;
            pg_answer *answer;
            pg_request request = used.asked.request;
            CHECK_OK(pg_constraint_new_texts(&constraint, used.tiny.model, texts, count));
            request.constraint = constraint;
            request.max_new_tokens = 60;
            request.temperature = kind == 1 ? 3 : 0;
            request.no_repeat_ngram = kind == 2; /* would forbid every token twice */
            request.min_new_tokens = kind == 3 ? 40 : 0;
            CHECK_OK(pg_generate(&answer, used.session, &request, 1));
            size_t found = 0;
            while (found < count && strcmp(texts[found], answer->text) != 0)
                found++;
            if (found == count)
                fail_msg("\"%s\" is none of the first %zu texts", answer->text, count);
            assert_int_equal(answer->finish, PG_FINISH_STOP);
            assert_int_equal(answer->tokens[answer->count - 1], 1);
            if (count == 1)
                for (size_t t = 0; t < answer->count; t++)
                    assert_true(answer->logprobs[t] == 0);
            pg_answer_free(answer);
            pg_constraint_free(constraint);
        }
    close_fixture(&used);
}

/* Permits `tokens[0]` tokens, all of them number 300 or above, and nothing behind them. */
static size_t permit_few(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    (void)tokens;
    if (count >= *(const size_t *)user)
        return 0;
    for (int32_t i = 0; i < 50; i++)
        ids[i] = 300 + i;
    return 50;
}

static void test_an_answer_ends_where_nothing_may_follow(void **state)
{
    (void)state;
    fixture used;
    open_fixture(&used, "paligemma-tiny-f32", PG_COMPUTE_F32);
    for (size_t limit = 0; limit < 4; limit++)
        for (int64_t speculate = 0; speculate < 8; speculate += 7) {
            used.asked.request.speculate = speculate;
            pg_answer *answer = answer_with(&used, permit_few, &limit);
            assert_int_equal(answer->count, limit);
            assert_int_equal(answer->finish, PG_FINISH_STOP);
            assert_true(answer->timings.first_token >= 0 && answer->timings.decode >= 0);
            pg_answer_free(answer);
        }
    close_fixture(&used);
}

/* Lists that are wrong in one way each. */
static size_t permit_wrong(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    (void)tokens, (void)count;
    static const int32_t wrong[][3] = {{5, 4, 6}, {5, 5, 6}, {-1, 5, 6}, {5, 6, 3200}};
    int kind = *(const int *)user;
    if (kind == 4)
        return 3201;
    memcpy(ids, wrong[kind], sizeof wrong[kind]);
    return 3;
}

static void test_wrong_lists_are_refused(void **state)
{
    (void)state;
    fixture used;
    open_fixture(&used, "paligemma-tiny-f32", PG_COMPUTE_F32);
    for (int kind = 0; kind < 5; kind++) {
        pg_constraint *constraint;
        pg_answer *answer;
        pg_request request = used.asked.request;
        CHECK_OK(pg_constraint_new(&constraint, permit_wrong, &kind));
        request.constraint = constraint;
        CHECK_FAILS(pg_generate(&answer, used.session, &request, 1), PG_ERROR_ARGUMENT, "constraint: ");
        assert_null(answer);
        request.beams = 2;
        CHECK_FAILS(pg_generate(&answer, used.session, &request, 1), PG_ERROR_ARGUMENT, "beam search");
        pg_constraint_free(constraint);
    }
    pg_constraint *constraint;
    CHECK_FAILS(pg_constraint_new_texts(&constraint, used.tiny.model, NULL, 0), PG_ERROR_ARGUMENT, "empty");
    const char *const bad[] = {"a", "\xc3"};
    CHECK_FAILS(pg_constraint_new_texts(&constraint, used.tiny.model, bad, 2), PG_ERROR_FORMAT, "candidate 1: ");
    close_fixture(&used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits_are_those_without_a_constraint),
        cmocka_unit_test(test_one_of_several_texts),
        cmocka_unit_test(test_an_answer_ends_where_nothing_may_follow),
        cmocka_unit_test(test_wrong_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

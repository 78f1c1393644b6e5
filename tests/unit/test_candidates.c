/* src/tasks/candidates.c: texts scored as answers, against what the models say token by token. */
#include <math.h>

#include "golden_case.h"
#include "sweep.h"

#include "generate/session.h"

static pg_session *new_session(const pg_model *model, size_t context)
{
    pg_session *session;
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    options.context = context;
    CHECK_OK(pg_session_new(&session, model, &options));
    return session;
}

/* Of one word, of many tokens (more than are computed at a time), of none. */
static const char *const texts[] = {
    "yes",
    "the cow stands on the beach, and behind it is the sea, and over it the sky, and on it the sun, and it does not "
    "mind "
    "any of this: it eats what there is to eat, which is not much, since this is a beach and no meadow",
    "",
    "no",
    "a cow, an answer of some length, that goes on for a while and then ends",
};
enum { TEXTS = sizeof texts / sizeof *texts };

/* The sum over prompt and text, token by token, of a model without pictures. */
static double plain_score(pg_session *session, const char *prompt, const char *text)
{
    const pg_tokenizer *tokenizer = pg_model_tokenizer(session->model);
    int32_t *first, *second, ids[600];
    size_t count, more;
    float nll[600];
    double sum = 0;
    CHECK_OK(pg_tokenizer_encode(&first, &count, tokenizer, prompt, SIZE_MAX, PG_ENCODE_BOS));
    CHECK_OK(pg_tokenizer_encode(&second, &more, tokenizer, text, SIZE_MAX, PG_ENCODE_EOS));
    memcpy(ids, first, count * sizeof *ids);
    memcpy(ids + count, second, more * sizeof *ids);
    pg_free(first);
    pg_free(second);
    CHECK_OK(pg_perplexity(nll, session, ids, count + more));
    for (size_t i = count - 1; i < count + more - 1; i++)
        sum -= (double)nll[i];
    return sum;
}

static void texts_behind_a_text(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_text_score scores[TEXTS], again[TEXTS];
    pg_golden_model_open(&tiny, "gemma-tiny-mha");
    pg_request request;
    pg_request_init(&request);
    request.prompt = "Is this a cow?";
    request.style = PG_PROMPT_TEXT;
    pg_session *wide = new_session(tiny.model, 0), *narrow;
    CHECK_OK(pg_score_texts(scores, wide, &request, texts, TEXTS));
    size_t longest = 0, prompt = 0;
    double sum = 0, best = -INFINITY;
    int32_t *ids;
    CHECK_OK(
        pg_tokenizer_encode(&ids, &prompt, pg_model_tokenizer(tiny.model), request.prompt, SIZE_MAX, PG_ENCODE_BOS));
    pg_free(ids);
    for (size_t i = 0; i < TEXTS; i++) {
        double plain = plain_score(wide, request.prompt, texts[i]);
        assert_true(fabs(scores[i].logprob - plain) <= 1e-5 * fabs(plain));
        longest = scores[i].tokens > longest ? scores[i].tokens : longest;
        sum += scores[i].probability;
        best = fmax(best, scores[i].logprob);
    }
    assert_true(longest > 40);
    assert_int_equal(scores[2].tokens, 1);
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(fabs(log(scores[0].probability / scores[3].probability) - scores[0].logprob + scores[3].logprob) <
                1e-9);
    narrow = new_session(tiny.model, prompt + longest - 1); /* one after the other */
    CHECK_OK(pg_score_texts(again, narrow, &request, texts, TEXTS));
    for (size_t i = 0; i < TEXTS; i++)
        assert_true(fabs(scores[i].logprob - again[i].logprob) <= 1e-5 * fabs(scores[i].logprob));
    pg_session_free(narrow);
    narrow = new_session(tiny.model, prompt + longest - 2);
    CHECK_FAILS(pg_score_texts(again, narrow, &request, texts, TEXTS), PG_ERROR_LIMIT, "text 1: ");
    pg_session_free(narrow);
    pg_session_free(wide);
    pg_golden_model_close(&tiny);
}

/* Alone or with others; the empty text is what the end token says. */
static void texts_behind_a_picture(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_request cow;
    pg_answer *answer;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    pg_session *session = new_session(tiny.model, 256);
    pg_golden_request_prompt(&cow, &tiny.golden, 0);
    pg_text_score score, three[TEXTS];
    CHECK_OK(pg_score_texts(&score, session, &cow.request, texts, 1));
    CHECK_OK(pg_score_texts(three, session, &cow.request, texts, TEXTS));
    assert_true(score.logprob == three[0].logprob && score.probability == 1);
    cow.request.max_new_tokens = 1;
    cow.request.top_logits = (size_t)tiny.model->weights->config.text.vocabulary;
    CHECK_OK(pg_generate(&answer, session, &cow.request, 1));
    double first = (double)answer->logprobs[0], end = 0;
    for (size_t i = 0; i < answer->top_count; i++)
        if (answer->top[i].id == pg_tokenizer_id(pg_model_tokenizer(tiny.model), "<eos>"))
            end = first + (double)answer->top[i].logit - (double)answer->top[0].logit;
    assert_true(fabs(three[2].logprob - end) <= 1e-5 * fabs(end)); /* the empty one */
    pg_answer_free(answer);
    CHECK_FAILS(pg_score_texts(three, session, &cow.request, (const char *const[]){"a", "\xff"}, 2), PG_ERROR_FORMAT,
                "text 1: ");
    pg_golden_request_free(&cow);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

static pg_status score_once(const pg_model *model, const pg_request *request)
{
    pg_text_score scores[TEXTS];
    pg_session *session;
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    options.context = 256;
    PG_TRY(pg_session_new(&session, model, &options));
    pg_status status = pg_score_texts(scores, session, request, texts, TEXTS);
    pg_session_free(session);
    return status;
}

static void memory_fails(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_request cow;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    pg_golden_request_prompt(&cow, &tiny.golden, 0);
    CHECK_SWEEP(score_once(tiny.model, &cow.request));
    pg_golden_request_free(&cow);
    pg_golden_model_close(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_behind_a_text),
        cmocka_unit_test(texts_behind_a_picture),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

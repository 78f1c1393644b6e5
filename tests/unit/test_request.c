/* src/generate/request.c: prompts as token ids, with the beginning of an answer behind them. */
#include <math.h>

#include "golden_case.h"

#include "generate/session.h"

static pg_session *new_session(const pg_model *model)
{
    pg_session *session;
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    CHECK_OK(pg_session_new(&session, model, &options));
    return session;
}

/* The ids of an array of the case. */
static int32_t *golden_ids(size_t *count, const pg_golden *golden, const char *name)
{
    const pg_array *array = pg_golden_find(golden, "%s", name);
    assert_non_null(array);
    *count = pg_golden_count(array);
    int32_t *ids = pg_alloc(*count, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < *count; i++)
        ids[i] = (int32_t)pg_golden_number(array, i);
    return ids;
}

typedef struct asked {
    pg_golden_model tiny;
    pg_golden_request golden;
    pg_session *session;
    pg_request request;
    int32_t *ids;
} asked;

/* Prompt 01 of the case, as ids from the array `name`. */
static void ask(asked *out, const char *name)
{
    pg_golden_model_open(&out->tiny, "paligemma-tiny-f32");
    pg_golden_request_prompt(&out->golden, &out->tiny.golden, 1);
    out->session = new_session(out->tiny.model);
    pg_request_init(&out->request);
    out->request.images = out->golden.request.images;
    out->request.image_count = out->golden.request.image_count;
    out->request.max_new_tokens = 30;
    out->ids = golden_ids(&out->request.id_count, &out->tiny.golden, name);
    out->request.ids = out->ids;
}

static void close_asked(asked *a)
{
    pg_free(a->ids);
    pg_session_free(a->session);
    pg_golden_request_free(&a->golden);
    pg_golden_model_close(&a->tiny);
}

static void ids_are_the_prompt(void **state)
{
    (void)state;
    asked a;
    pg_answer *answer;
    ask(&a, "prompt.01.input_ids");
    a.request.prompt = "this counts for nothing";
    CHECK_OK(pg_generate(&answer, a.session, &a.request, 1));
    const pg_array *want = pg_golden_find(&a.tiny.golden, "prompt.01.generated");
    assert_int_equal(answer->count, pg_golden_count(want));
    for (size_t i = 0; i < answer->count; i++)
        assert_int_equal(answer->tokens[i], (int64_t)pg_golden_number(want, i));
    pg_answer_free(answer);
    close_asked(&a);
}

/* Answer tokens as part of the ids: the rest of the answer is the same. */
static void an_answer_goes_on(void **state)
{
    (void)state;
    enum { BEGUN = 7 };
    asked a;
    pg_answer *answer;
    ask(&a, "prompt.01.input_ids");
    const pg_array *whole = pg_golden_find(&a.tiny.golden, "prompt.01.generated");
    int32_t *longer = pg_alloc(a.request.id_count + BEGUN, sizeof *longer);
    assert_non_null(longer);
    memcpy(longer, a.ids, a.request.id_count * sizeof *longer);
    for (size_t i = 0; i < BEGUN; i++)
        longer[a.request.id_count + i] = (int32_t)pg_golden_number(whole, i);
    a.request.ids = longer;
    a.request.id_count += BEGUN;
    a.request.answer_ids = BEGUN;
    a.request.max_new_tokens = 30 - BEGUN;
    CHECK_OK(pg_generate(&answer, a.session, &a.request, 1));
    assert_int_equal(answer->count, 30 - BEGUN);
    for (size_t i = 0; i < answer->count; i++)
        assert_int_equal(answer->tokens[i], (int64_t)pg_golden_number(whole, BEGUN + i));
    pg_answer_free(answer);
    pg_free(longer);
    close_asked(&a);
}

/* The reference's training form: the mean of what the logits say of the labels is its loss. */
static void suffixes_see_backwards(void **state)
{
    (void)state;
    asked a;
    pg_kept_trace trace = {0};
    size_t count;
    ask(&a, "suffix.0.input_ids");
    int32_t *labels = golden_ids(&count, &a.tiny.golden, "suffix.0.labels");
    for (size_t i = 0; i < count; i++)
        a.request.answer_ids += labels[i] >= 0;
    CHECK_OK(pg_trace(a.session, &a.request, pg_kept_trace_add, &trace));
    const pg_array *logits = pg_kept_trace_find(&trace, "logits");
    size_t width = (size_t)logits->shape[1];
    double loss = 0;
    for (size_t i = 1; i < count; i++) {
        const float *row = (const float *)logits->data + (i - 1) * width;
        double sum = 0;
        for (size_t j = 0; labels[i] >= 0 && j < width; j++)
            sum += exp(row[j]);
        if (labels[i] >= 0)
            loss += (log(sum) - row[labels[i]]) / (double)a.request.answer_ids;
    }
    double want =
        json_real_value(json_object_get(json_array_get(json_object_get(a.tiny.golden.facts, "suffix"), 0), "loss"));
    assert_true(fabs(loss - want) < 1e-5 * want);
    pg_kept_trace_free(&trace);
    pg_free(labels);
    close_asked(&a);
}

static void bad_ids_are_refused(void **state)
{
    (void)state;
    asked a;
    pg_answer *answer;
    ask(&a, "prompt.01.input_ids");
    a.request.answer_ids = a.request.id_count + 1;
    CHECK_FAILS(pg_generate(&answer, a.session, &a.request, 1), PG_ERROR_ARGUMENT, "33 ids of an answer");
    a.request.answer_ids = 0;
    a.ids[20] = 3200;
    CHECK_FAILS(pg_generate(&answer, a.session, &a.request, 1), PG_ERROR_FORMAT, "token 3200");
    a.ids[20] = -1;
    CHECK_FAILS(pg_generate(&answer, a.session, &a.request, 1), PG_ERROR_FORMAT, "token -1");
    a.ids[20] = a.ids[0];
    CHECK_FAILS(pg_generate(&answer, a.session, &a.request, 1), PG_ERROR_ARGUMENT, "17 image tokens");
    a.request.id_count = 0;
    a.request.image_count = 0;
    CHECK_FAILS(pg_generate(&answer, a.session, &a.request, 1), PG_ERROR_ARGUMENT, "the prompt is empty");
    close_asked(&a);
}

static void texts_of_siglip(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_kept_trace trace = {0};
    pg_request request;
    pg_golden_model_open(&tiny, "siglip-tiny");
    pg_session *session = new_session(tiny.model);
    size_t count;
    int32_t *ids = golden_ids(&count, &tiny.golden, "input_ids");
    pg_request_init(&request);
    request.ids = ids;
    request.id_count = 63;
    CHECK_FAILS(pg_trace(session, &request, pg_kept_trace_add, &trace), PG_ERROR_ARGUMENT, "63 ids, expected 64");
    request.id_count = 64;
    CHECK_OK(pg_trace(session, &request, pg_kept_trace_add, &trace));
    const pg_array *want = pg_golden_find(&tiny.golden, "text_pooled");
    const float *got = pg_kept_trace_find(&trace, "words.features")->data;
    for (size_t i = 0; i < 48; i++)
        assert_true(fabs((double)got[i] - pg_golden_number(want, i)) < 1e-4);
    ids[3] = 421;
    CHECK_FAILS(pg_trace(session, &request, pg_kept_trace_add, &trace), PG_ERROR_FORMAT, "token 421");
    pg_kept_trace_free(&trace);
    pg_free(ids);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_prompt),     cmocka_unit_test(an_answer_goes_on),
        cmocka_unit_test(suffixes_see_backwards), cmocka_unit_test(bad_ids_are_refused),
        cmocka_unit_test(texts_of_siglip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

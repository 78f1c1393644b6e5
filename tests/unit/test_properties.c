/*
 * What must hold for every model and request, shown on the tiny golden checkpoints: the same bits for any number of
 * threads and in any company, a cache that changes nothing, sessions that forget, streams that end in the whole text.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "golden_case.h"

#include "base/buffer.h"
#include "generate/session.h"
#include "model/gemma.h"
#include "ops/ops.h"

#define PALIGEMMA "paligemma-tiny-f32"
#define GROUPED   "paligemma-tiny-sharded"
#define GEMMA     "gemma-tiny-mha"
#define SIGLIP    "siglip-tiny"

enum { THREADS_MAX = 4, TOKENS = 16 };

static pg_session *session_with_cache(const pg_golden_model *tiny, int threads, pg_compute compute, pg_cache_type cache,
                                      size_t sequences)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = threads;
    options.compute = compute;
    options.cache = cache;
    options.sequences = sequences;
    options.context = pg_model_context(tiny->model) < 320 ? 0 : 320;
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(&session, tiny->model, &options));
    return session;
}

static pg_session *session_new(const pg_golden_model *tiny, int threads, pg_compute compute, size_t sequences)
{
    return session_with_cache(tiny, threads, compute, PG_CACHE_AUTO, sequences);
}

static pg_golden_request prompt_of(const pg_golden_model *tiny, size_t number)
{
    pg_golden_request asked;
    pg_golden_request_prompt(&asked, &tiny->golden, number);
    return asked;
}

static pg_answer *answer_of(pg_session *session, const pg_request *request)
{
    pg_answer *answer = NULL;
    CHECK_OK(pg_generate(&answer, session, request, 1));
    return answer;
}

/* Everything but the timings, bit for bit. */
static void assert_same_answer(const pg_answer *a, const pg_answer *b)
{
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->tokens, b->tokens, a->count * sizeof *a->tokens);
    assert_int_equal(!a->logprobs, !b->logprobs);
    if (a->logprobs)
        assert_memory_equal(a->logprobs, b->logprobs, a->count * sizeof *a->logprobs);
    assert_int_equal(a->finish, b->finish);
    assert_int_equal(a->prompt_tokens, b->prompt_tokens);
    assert_int_equal(a->top_count, b->top_count);
    if (a->top_count)
        assert_memory_equal(a->top, b->top, a->count * a->top_count * sizeof *a->top);
    assert_int_equal(a->beam_count, b->beam_count);
    for (size_t i = 0; i < a->beam_count; i++) {
        assert_string_equal(a->beams[i].text, b->beams[i].text);
        assert_int_equal(a->beams[i].count, b->beams[i].count);
        assert_memory_equal(a->beams[i].tokens, b->beams[i].tokens, a->beams[i].count * sizeof *a->beams[i].tokens);
        assert_memory_equal(&a->beams[i].score, &b->beams[i].score, sizeof a->beams[i].score);
    }
}

static void assert_same_trace(const pg_kept_trace *a, const pg_kept_trace *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->arrays[i].name, b->arrays[i].name);
        assert_int_equal(a->arrays[i].bytes, b->arrays[i].bytes);
        if (memcmp(a->arrays[i].data, b->arrays[i].data, a->arrays[i].bytes) != 0)
            fail_msg("%s: not the same bits", a->arrays[i].name);
    }
}

/* ---------------------------------------------------------------- threads */

/* All that can be asked of a model with these settings. */
typedef struct everything {
    pg_kept_trace trace;
    pg_answer *greedy, *beams;
} everything;

static everything compute_everything(const pg_golden_model *tiny, int threads, pg_compute compute, pg_cache_type cache)
{
    everything all = {0};
    pg_session *session = session_with_cache(tiny, threads, compute, cache, 4);
    pg_golden_request asked = prompt_of(tiny, 1);
    CHECK_OK(pg_trace(session, &asked.request, pg_kept_trace_add, &all.trace));
    asked.request.max_new_tokens = TOKENS;
    asked.request.top_logits = 8;
    all.greedy = answer_of(session, &asked.request);
    asked.request.top_logits = 0;
    asked.request.beams = 3;
    asked.request.beams_returned = 3;
    all.beams = answer_of(session, &asked.request);
    pg_golden_request_free(&asked);
    pg_session_free(session);
    return all;
}

static void everything_free(everything *all)
{
    pg_kept_trace_free(&all->trace);
    pg_answer_free(all->greedy);
    pg_answer_free(all->beams);
}

static void test_any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    const char *names[] = {PALIGEMMA, "paligemma-tiny-bf16", "paligemma-tiny-f16", GROUPED, GEMMA};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pg_golden_model tiny;
        pg_golden_model_open(&tiny, names[i]);
        for (int c = 0; c < 3; c++) {
            pg_compute compute = c ? PG_COMPUTE_BF16 : PG_COMPUTE_F32;
            pg_cache_type cache = c == 2 ? PG_CACHE_INT8 : PG_CACHE_AUTO;
            everything one = compute_everything(&tiny, 1, compute, cache);
            for (int threads = 2; threads <= THREADS_MAX; threads++) {
                everything many = compute_everything(&tiny, threads, compute, cache);
                assert_same_trace(&one.trace, &many.trace);
                assert_same_answer(one.greedy, many.greedy);
                assert_same_answer(one.beams, many.beams);
                everything_free(&many);
            }
            everything_free(&one);
        }
        pg_golden_model_close(&tiny);
    }
}

/* Embeddings of the case's pictures and texts, one after another; freed with pg_free. */
static float *embed_everything(const pg_golden_model *tiny, int threads, size_t *count)
{
    const char *texts[] = {"a cow on the beach", "", "zwei gelbe Sonnenblumen"};
    json_t *prompt = json_pack("{s:s,s:[s,s]}", "prompt", "", "images", "cow.jpg", "lily.jpg");
    pg_golden_request asked;
    pg_golden_request_init(&asked, &tiny->golden, prompt);
    pg_session *session = session_new(tiny, threads, PG_COMPUTE_F32, 1);
    size_t width = pg_model_embedding_size(tiny->model);
    *count = 5 * width;
    float *out = pg_alloc(*count, sizeof *out);
    assert_non_null(out);
    CHECK_OK(pg_embed_images(out, session, asked.request.images, 2));
    CHECK_OK(pg_embed_texts(out + 2 * width, session, texts, 3));
    pg_session_free(session);
    pg_golden_request_free(&asked);
    json_decref(prompt);
    return out;
}

static void test_embeddings_are_unit_vectors_with_the_same_bits(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, SIGLIP);
    size_t count, width = pg_model_embedding_size(tiny.model);
    float *one = embed_everything(&tiny, 1, &count);
    for (size_t i = 0; i < count; i += width) {
        double length = 0.0;
        for (size_t k = 0; k < width; k++)
            length += (double)one[i + k] * one[i + k];
        assert_true(fabs(length - 1.0) < 1e-6);
    }
    for (int threads = 2; threads <= THREADS_MAX; threads++) {
        float *many = embed_everything(&tiny, threads, &count);
        assert_memory_equal(one, many, count * sizeof *one);
        pg_free(many);
    }
    pg_free(one);
    pg_golden_model_close(&tiny);
}

/* ---------------------------------------------------------------- company */

enum { COMPANY = 5 };

/* Requests that have little in common: lengths, pictures, sampling, penalties, limits. */
static void make_company(pg_golden_request asked[COMPANY], pg_request requests[COMPANY], const pg_golden_model *tiny)
{
    static const int64_t limits[COMPANY] = {3, TOKENS, 9, 1, 12};
    for (size_t i = 0; i < COMPANY; i++) {
        asked[i] = prompt_of(tiny, i);
        requests[i] = asked[i].request;
        requests[i].max_new_tokens = limits[i];
        requests[i].top_logits = i;
    }
    requests[1].temperature = 1.3;
    requests[1].seed = 11;
    requests[2].repetition_penalty = 1.4;
    requests[4].temperature = 0.7;
    requests[4].top_k = 20;
    requests[4].seed = 12;
}

static void check_company(const pg_golden_model *tiny, pg_compute compute, pg_cache_type cache)
{
    pg_golden_request asked[COMPANY];
    pg_request requests[COMPANY];
    pg_answer *alone[COMPANY], *together[COMPANY];
    make_company(asked, requests, tiny);
    pg_session *session = session_with_cache(tiny, 2, compute, cache, 1);
    for (size_t i = 0; i < COMPANY; i++)
        alone[i] = answer_of(session, &requests[i]);
    pg_session_free(session);
    for (size_t sequences = 1; sequences <= COMPANY; sequences++) {
        session = session_with_cache(tiny, 2, compute, cache, sequences);
        CHECK_OK(pg_generate(together, session, requests, COMPANY));
        for (size_t i = 0; i < COMPANY; i++) {
            assert_same_answer(alone[i], together[i]);
            pg_answer_free(together[i]);
        }
        pg_session_free(session);
    }
    for (size_t i = 0; i < COMPANY; i++) {
        pg_answer_free(alone[i]);
        pg_golden_request_free(&asked[i]);
    }
}

static void test_company_changes_nothing(void **state)
{
    (void)state;
    const char *names[] = {PALIGEMMA, GROUPED, GEMMA};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pg_golden_model tiny;
        pg_golden_model_open(&tiny, names[i]);
        check_company(&tiny, PG_COMPUTE_F32, PG_CACHE_AUTO);
        check_company(&tiny, PG_COMPUTE_BF16, PG_CACHE_AUTO);
        check_company(&tiny, PG_COMPUTE_F32, PG_CACHE_INT8);
        pg_golden_model_close(&tiny);
    }
}

static void test_beams_have_company_too(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, PALIGEMMA);
    pg_golden_request first = prompt_of(&tiny, 0), second = prompt_of(&tiny, 1);
    first.request.max_new_tokens = second.request.max_new_tokens = 8;
    second.request.beams = 3;
    second.request.beams_returned = 2;
    pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 4);
    pg_answer *greedy = answer_of(session, &first.request), *beams = answer_of(session, &second.request);
    assert_int_equal(beams->beam_count, 2);
    assert_true(beams->beams[0].score >= beams->beams[1].score);
    const pg_request both[] = {first.request, second.request};
    pg_answer *together[2];
    CHECK_OK(pg_generate(together, session, both, 2));
    assert_same_answer(greedy, together[0]);
    assert_same_answer(beams, together[1]);
    for (size_t i = 0; i < 2; i++)
        pg_answer_free(together[i]);
    pg_answer_free(greedy);
    pg_answer_free(beams);
    pg_session_free(session);
    pg_golden_request_free(&first);
    pg_golden_request_free(&second);
    pg_golden_model_close(&tiny);
}

/* ---------------------------------------------------------------- cache and sessions */

/* Log-probabilities of a long answer, token by token from the cache, against one pass over all of it. They are those of
 * the model itself, whatever the penalty made of them. */
static void check_cache(pg_cache_type cache, float limit)
{
    enum { LONG = 200 };
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, GEMMA);
    pg_session *session = session_with_cache(&tiny, 2, PG_COMPUTE_F32, cache, 1);
    pg_golden_request asked = prompt_of(&tiny, 0);
    asked.request.max_new_tokens = asked.request.min_new_tokens = LONG;
    asked.request.repetition_penalty = 1.2;
    pg_answer *answer = answer_of(session, &asked.request);
    assert_int_equal(answer->count, LONG);
    pg_kept_trace trace = {0};
    CHECK_OK(pg_trace(session, &asked.request, pg_kept_trace_add, &trace));
    const pg_array *prompt = pg_kept_trace_find(&trace, "input_ids");
    int32_t ids[LONG + 64];
    float nll[LONG + 64];
    size_t before = pg_golden_count(prompt);
    assert_in_range(before, 1, 64);
    for (size_t i = 0; i < before + LONG; i++)
        ids[i] = i < before ? (int32_t)pg_golden_number(prompt, i) : answer->tokens[i - before];
    CHECK_OK(pg_perplexity(nll, session, ids, before + LONG));
    for (size_t i = 0; i < LONG; i++)
        assert_true(fabsf(nll[before - 1 + i] + answer->logprobs[i]) < limit);
    pg_kept_trace_free(&trace);
    pg_answer_free(answer);
    pg_golden_request_free(&asked);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

static void test_cache_agrees_with_a_full_pass(void **state)
{
    (void)state;
    check_cache(PG_CACHE_F32, 1e-3F);
    check_cache(PG_CACHE_BF16,
                160 * 0x1p-9F); /* logits of 8, twice, off by ten times the rounding; see test_golden.c */
    check_cache(PG_CACHE_INT8, 160 / 254.0F);
}

/* The logits of a prompt's last token, for which the last layer computes one row only, are those of a pass over all
 * rows, bit for bit; causal (Gemma) and both ways (PaliGemma). */
static void check_last_logits(const char *name, pg_compute compute)
{
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, name);
    pg_session *session = session_new(&tiny, 2, compute, 1);
    pg_context *g = &session->g;
    pg_golden_request asked = prompt_of(&tiny, 0);
    pg_input input;
    CHECK_OK(pg_input_make(&input, session, &asked.request));
    if (asked.request.image_count)
        input.features = pg_input_features(session, asked.request.images, asked.request.image_count);
    const int64_t last = (int64_t)input.ids.count - 1;
    pg_tensor *hidden = pg_input_forward(session, &input, 0);
    pg_tensor *all = pg_gemma_logits(g, &tiny.model->weights->text, pg_take_rows(g, hidden, &last, 1));
    pg_tensor *one = pg_gemma_logits(g, &tiny.model->weights->text, pg_input_last(session, &input, 0));
    assert_non_null(all);
    assert_non_null(one);
    assert_int_equal(one->rows, 1);
    assert_memory_equal(one->data, all->data, (size_t)all->width * sizeof(float));
    pg_input_free(&input);
    pg_golden_request_free(&asked);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

static void test_last_logits_need_one_row(void **state)
{
    (void)state;
    const char *models[] = {PALIGEMMA, GROUPED, GEMMA};
    for (int i = 0; i < 3; i++) {
        check_last_logits(models[i], PG_COMPUTE_F32);
        check_last_logits(models[i], PG_COMPUTE_BF16);
    }
}

static void test_a_session_forgets(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, PALIGEMMA);
    pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 2);
    pg_golden_request asked = prompt_of(&tiny, 0), other = prompt_of(&tiny, 10);
    asked.request.max_new_tokens = other.request.max_new_tokens = TOKENS;
    pg_answer *before = answer_of(session, &asked.request);
    pg_kept_trace first = {0}, second = {0};
    CHECK_OK(pg_trace(session, &asked.request, pg_kept_trace_add, &first));
    other.request.temperature = 2.0;
    pg_answer_free(answer_of(session, &other.request));
    other.request.temperature = 0.0;
    other.request.beams = 2;
    pg_answer_free(answer_of(session, &other.request));
    pg_answer *after = answer_of(session, &asked.request);
    CHECK_OK(pg_trace(session, &asked.request, pg_kept_trace_add, &second));
    assert_same_answer(before, after);
    assert_same_trace(&first, &second);
    pg_kept_trace_free(&first);
    pg_kept_trace_free(&second);
    pg_answer_free(before);
    pg_answer_free(after);
    pg_golden_request_free(&asked);
    pg_golden_request_free(&other);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

typedef struct conversation {
    const pg_golden_model *tiny;
    size_t prompt;
    const pg_answer *expected;
} conversation;

static void *converse(void *user)
{
    const conversation *talk = user;
    pg_session *session = session_new(talk->tiny, 2, PG_COMPUTE_F32, 1);
    pg_golden_request asked = prompt_of(talk->tiny, talk->prompt);
    asked.request.max_new_tokens = TOKENS;
    for (int i = 0; i < 4; i++) {
        pg_answer *answer = answer_of(session, &asked.request);
        assert_same_answer(talk->expected, answer);
        pg_answer_free(answer);
    }
    pg_golden_request_free(&asked);
    pg_session_free(session);
    return NULL;
}

/* Two sessions with two threads each at the same time, of one model or of two: the process has one pool for them. */
static void converse_at_once(const pg_golden_model *const models[2])
{
    conversation talks[2];
    pg_answer *expected[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        pg_session *session = session_new(models[i], 1, PG_COMPUTE_F32, 1);
        pg_golden_request asked = prompt_of(models[i], i);
        asked.request.max_new_tokens = TOKENS;
        expected[i] = answer_of(session, &asked.request);
        talks[i] = (conversation){.tiny = models[i], .prompt = i, .expected = expected[i]};
        pg_golden_request_free(&asked);
        pg_session_free(session);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, converse, &talks[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        pg_answer_free(expected[i]);
    }
}

static void test_two_sessions_share_a_model(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, PALIGEMMA);
    converse_at_once((const pg_golden_model *[]){&tiny, &tiny});
    pg_golden_model_close(&tiny);
}

static void test_two_models_share_the_threads(void **state)
{
    (void)state;
    pg_golden_model first, second;
    pg_golden_model_open(&first, PALIGEMMA);
    pg_golden_model_open(&second, GEMMA);
    converse_at_once((const pg_golden_model *[]){&first, &second});
    pg_golden_model_close(&first);
    pg_golden_model_close(&second);
}

/* ---------------------------------------------------------------- text as it is made */

typedef struct heard_text {
    pg_buffer text;
    size_t calls, stop_after; /* 0: never */
    size_t ends[64];          /* length of the text after each call */
} heard_text;

static bool listen_to(void *user, size_t index, const char *text, size_t size)
{
    heard_text *heard = user;
    assert_int_equal(index, 0);
    CHECK_OK(pg_buffer_append(&heard->text, text, size));
    assert_true(heard->calls < 64);
    heard->ends[heard->calls++] = heard->text.size;
    return heard->calls != heard->stop_after;
}

/* Runs a request with a listener, who must have heard the whole text. */
static pg_answer *listen(heard_text *out, pg_session *session, const pg_request *request, size_t stop_after)
{
    *out = (heard_text){.stop_after = stop_after};
    CHECK_OK(pg_buffer_append(&out->text, "", 0));
    pg_request loud = *request;
    loud.on_text = listen_to;
    loud.user = out;
    pg_answer *answer = answer_of(session, &loud);
    assert_string_equal(out->text.data ? out->text.data : "", answer->text);
    return answer;
}

static void test_a_stream_ends_in_the_whole_text(void **state)
{
    (void)state;
    const char *names[] = {PALIGEMMA, GEMMA};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pg_golden_model tiny;
        pg_golden_model_open(&tiny, names[i]);
        pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 1);
        for (size_t p = 0; p < json_array_size(json_object_get(tiny.golden.facts, "prompts")); p++) {
            pg_golden_request asked = prompt_of(&tiny, p);
            asked.request.max_new_tokens = 30;
            heard_text heard;
            pg_answer *quiet = answer_of(session, &asked.request);
            pg_answer *told = listen(&heard, session, &asked.request, 0);
            assert_same_answer(quiet, told);
            pg_answer_free(quiet);
            pg_answer_free(told);
            pg_buffer_free(&heard.text);
            pg_golden_request_free(&asked);
        }
        pg_session_free(session);
        pg_golden_model_close(&tiny);
    }
}

static void test_a_listener_ends_the_answer(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, GEMMA);
    pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 2);
    pg_golden_request asked = prompt_of(&tiny, 1), other = prompt_of(&tiny, 2);
    asked.request.max_new_tokens = other.request.max_new_tokens = 30;
    pg_answer *whole = answer_of(session, &asked.request), *alone = answer_of(session, &other.request);
    heard_text heard;
    pg_answer *cut = listen(&heard, session, &asked.request, 3);
    assert_int_equal(cut->finish, PG_FINISH_CANCELLED);
    assert_int_equal(heard.calls, 3);
    assert_in_range(cut->count, 3, whole->count - 1);
    assert_memory_equal(cut->tokens, whole->tokens, cut->count * sizeof *cut->tokens);
    assert_memory_equal(cut->text, whole->text, strlen(cut->text));
    pg_buffer_free(&heard.text);
    heard = (heard_text){.stop_after = 2};
    pg_request both[] = {asked.request, other.request};
    both[0].on_text = listen_to;
    both[0].user = &heard;
    pg_answer *together[2];
    CHECK_OK(pg_generate(together, session, both, 2));
    assert_int_equal(together[0]->finish, PG_FINISH_CANCELLED);
    assert_same_answer(together[1], alone);
    pg_buffer_free(&heard.text);
    pg_answer_free(together[0]);
    pg_answer_free(together[1]);
    pg_answer_free(cut);
    pg_answer_free(whole);
    pg_answer_free(alone);
    pg_golden_request_free(&asked);
    pg_golden_request_free(&other);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

/* The answer with `stop` must be the whole one up to the first place where that text stands. */
static void check_stop(pg_session *session, const pg_request *request, const pg_answer *whole, const char *stop)
{
    pg_request stopped = *request;
    const char *stops[] = {"never to be seen", stop};
    stopped.stop = stops;
    stopped.stop_count = 2;
    heard_text heard;
    pg_answer *answer = listen(&heard, session, &stopped, 0);
    const char *place = strstr(whole->text, stop);
    size_t length = place ? (size_t)(place - whole->text) : strlen(whole->text);
    assert_int_equal(strlen(answer->text), length);
    assert_memory_equal(answer->text, whole->text, length);
    assert_int_equal(answer->finish, place ? PG_FINISH_STOP : whole->finish);
    assert_true(answer->count <= whole->count);
    assert_memory_equal(answer->tokens, whole->tokens, answer->count * sizeof *answer->tokens);
    pg_answer_free(answer);
    pg_buffer_free(&heard.text);
}

/* Stop texts across every border between two tokens, within tokens, and ones of which only a beginning comes. */
static void test_stop_texts_end_the_answer(void **state)
{
    (void)state;
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, GEMMA);
    pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 1);
    pg_golden_request asked = prompt_of(&tiny, 1);
    asked.request.max_new_tokens = 30;
    heard_text heard;
    pg_answer *whole = listen(&heard, session, &asked.request, 0);
    size_t size = strlen(whole->text);
    int checked = 0;
    for (size_t i = 0; i < heard.calls; i++) {
        size_t border = heard.ends[i], reach = border + 2 <= size ? 2 : size - border;
        if (border < 2)
            continue;
        char stop[8] = {0};
        memcpy(stop, whole->text + border - 2, 2 + reach);
        bool plain = true;
        for (const char *c = stop; *c; c++)
            plain = plain && (unsigned char)*c < 0x80;
        if (!plain)
            continue;
        check_stop(session, &asked.request, whole, stop);
        stop[strlen(stop) - 1] = '\1';
        check_stop(session, &asked.request, whole, stop);
        checked++;
    }
    assert_true(checked > 4);
    pg_buffer_free(&heard.text);
    pg_answer_free(whole);
    pg_golden_request_free(&asked);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

static void test_a_seed_gives_the_same_sample(void **state)
{
    (void)state;
    enum { SEEDS = 6 };
    pg_golden_model tiny;
    pg_golden_model_open(&tiny, GEMMA);
    pg_session *session = session_new(&tiny, 2, PG_COMPUTE_F32, 1);
    pg_golden_request asked = prompt_of(&tiny, 0);
    asked.request.max_new_tokens = TOKENS;
    asked.request.temperature = 3.0;
    asked.request.top_p = 0.98;
    pg_answer *samples[SEEDS];
    bool different = false;
    for (size_t i = 0; i < SEEDS; i++) {
        asked.request.seed = 1000 + i;
        samples[i] = answer_of(session, &asked.request);
        pg_answer *again = answer_of(session, &asked.request);
        assert_same_answer(samples[i], again);
        pg_answer_free(again);
        different = different || strcmp(samples[i]->text, samples[0]->text) != 0;
    }
    assert_true(different);
    for (size_t i = 0; i < SEEDS; i++)
        pg_answer_free(samples[i]);
    pg_golden_request_free(&asked);
    pg_session_free(session);
    pg_golden_model_close(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(test_embeddings_are_unit_vectors_with_the_same_bits),
        cmocka_unit_test(test_company_changes_nothing),
        cmocka_unit_test(test_beams_have_company_too),
        cmocka_unit_test(test_cache_agrees_with_a_full_pass),
        cmocka_unit_test(test_last_logits_need_one_row),
        cmocka_unit_test(test_a_session_forgets),
        cmocka_unit_test(test_two_sessions_share_a_model),
        cmocka_unit_test(test_two_models_share_the_threads),
        cmocka_unit_test(test_a_stream_ends_in_the_whole_text),
        cmocka_unit_test(test_a_listener_ends_the_answer),
        cmocka_unit_test(test_stop_texts_end_the_answer),
        cmocka_unit_test(test_a_seed_gives_the_same_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

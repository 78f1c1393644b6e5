/*
 * Continuous batching: jobs that come and go at random get the answers that they would get alone; they can be
 * cancelled, expire and be turned away; prompts may be computed in any pieces; what is kept changes nothing.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include "base/random.h"
#include "generate/job_queue.h"
#include "generate/session.h"
#include "image/image.h"
#include "model/adapter.h"

#define PALIGEMMA "paligemma-tiny-f32"

enum { JOBS = 50, SUBMITTERS = 3, ANSWERS_MAX = 3, TOKENS_MAX = 24, TEXT_MAX = 4096 };

static pg_golden_model tiny;
static pg_model *adapted[2];
static const char *const adapter_names[] = {"first", "second"};
static pg_constraint *animals;

/* ---------------------------------------------------------------- adapters */

/* A LoRA adapter whose factors are all random, in FOLDER/NAME. */
static void write_adapter(const char *name, uint64_t seed)
{
    pg_adapter_plan plan;
    pg_adapter *adapter;
    pg_model *model;
    pg_adapter_plan_init(&plan);
    plan.parts = 1u << PG_PART_TEXT | 1u << PG_PART_VISION;
    plan.seed = seed;
    CHECK_OK(pg_model_open(&model, tiny.path));
    CHECK_OK(pg_adapter_new(&adapter, model->weights, &plan));
    for (size_t i = 0; i < adapter->count; i++) {
        pg_parameter *b = &adapter->layers[i].lora.b;
        for (int64_t j = 0; j < b->rows * b->width; j++)
            ((float *)b->data)[j] = (float)pg_random_uniform(seed, i, (uint64_t)j) * 0.1f - 0.05f;
    }
    CHECK_OK(pg_adapter_save(adapter, folder_file(name), false));
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    pg_model_close(model);
}

static int group_setup(void **state)
{
    static const char *const texts[] = {"a cow", "a cat", "cats and dogs"};
    pg_model_options options;
    if (folder_setup(state) != 0)
        return -1;
    pg_golden_model_open(&tiny, PALIGEMMA);
    pg_model_options_init(&options);
    options.device = getenv("PG_TEST_DEVICE");
    for (size_t i = 0; i < 2; i++) {
        write_adapter(adapter_names[i], i + 1);
        options.adapter = folder_file(adapter_names[i]);
        CHECK_OK(pg_model_open_with(&adapted[i], tiny.path, &options));
    }
    CHECK_OK(pg_constraint_new_texts(&animals, tiny.model, texts, 3));
    return 0;
}

static int group_teardown(void **state)
{
    pg_constraint_free(animals);
    pg_model_close(adapted[0]);
    pg_model_close(adapted[1]);
    pg_golden_model_close(&tiny);
    return folder_teardown(state);
}

/* ---------------------------------------------------------------- what jobs tell */

/* Everything that events said about one answer. */
typedef struct heard_answer {
    char text[TEXT_MAX];
    size_t text_size, tokens;
    int32_t ids[TOKENS_MAX];
    float logprobs[TOKENS_MAX];
    pg_candidate top[TOKENS_MAX];
    bool complete;
    pg_finish finish;
} heard_answer;

typedef struct heard {
    heard_answer answers[ANSWERS_MAX];
    size_t tokens, ends, stop_at; /* stop_at: the callback wants no more from this token on; 0: it wants all */
    pg_status status;
    char reason[128];
    pg_usage usage;
    int wrong; /* line of the first of these checks that failed: cmocka's own are for the test's thread */
} heard;

#define EXPECT(h, condition)             \
    do {                                 \
        if (!(condition) && !(h)->wrong) \
            (h)->wrong = __LINE__;       \
    } while (0)

static void hear_token(heard *h, const pg_event *event)
{
    heard_answer *answer = &h->answers[event->index];
    EXPECT(h, !answer->complete && answer->text_size + event->size < TEXT_MAX && answer->tokens < TOKENS_MAX);
    if (h->wrong)
        return;
    memcpy(answer->text + answer->text_size, event->text, event->size);
    answer->text_size += event->size;
    if (event->token < 0)
        return;
    h->tokens++;
    if (event->top_count)
        answer->top[answer->tokens] = event->top[0];
    answer->ids[answer->tokens] = event->token;
    answer->logprobs[answer->tokens++] = event->logprob;
}

static void hear_answer(heard *h, const pg_event *event)
{
    heard_answer *answer = &h->answers[event->index];
    EXPECT(h, !answer->complete);
    answer->complete = true;
    answer->finish = event->answer->finish;
    EXPECT(h, event->answer->count == answer->tokens);
    EXPECT(h, !h->wrong && !memcmp(event->answer->tokens, answer->ids, answer->tokens * sizeof *answer->ids));
    EXPECT(h, event->answer->text_size == answer->text_size);
    EXPECT(h, !h->wrong && !memcmp(event->answer->text, answer->text, answer->text_size));
}

static bool hear(void *user, const pg_event *event)
{
    heard *h = user;
    EXPECT(h, h->ends == 0);
    switch (event->kind) {
    case PG_EVENT_TOKEN: hear_token(h, event); break;
    case PG_EVENT_ANSWER: hear_answer(h, event); break;
    case PG_EVENT_END:
        h->ends++;
        h->status = event->status;
        h->usage = event->usage;
        snprintf(h->reason, sizeof h->reason, "%s", event->reason);
    }
    return !h->stop_at || h->tokens < h->stop_at;
}

/* ---------------------------------------------------------------- at random */

typedef struct random_job {
    pg_golden_request asked;
    const char *stop[1];
    pg_job job;
    int adapter; /* -1: none */
    bool cancel; /* soon after it was submitted */
    heard heard;
} random_job;

static uint64_t draw(uint64_t seed, uint64_t *counter, uint64_t below)
{
    return pg_random_bits(seed, 7, (*counter)++) % below;
}

static void make_random_job(random_job *out, uint64_t seed)
{
    static const char *const keys[] = {"ann", "bob", "", NULL};
    uint64_t n = 0;
    pg_job_init(&out->job);
    pg_golden_request_prompt(&out->asked, &tiny.golden, draw(seed, &n, 12));
    pg_request *request = &out->asked.request;
    request->max_new_tokens = 1 + (int64_t)draw(seed, &n, TOKENS_MAX);
    request->seed = draw(seed, &n, 1000);
    request->temperature = draw(seed, &n, 2) ? 0 : 0.9;
    request->top_k = draw(seed, &n, 3) ? 0 : 20;
    request->repetition_penalty = draw(seed, &n, 3) ? 1 : 1.2;
    request->speculate = draw(seed, &n, 2) ? -1 : 3;
    request->top_logits = draw(seed, &n, 3) == 0;
    out->stop[0] = "e";
    request->stop = out->stop;
    request->stop_count = draw(seed, &n, 4) == 0;
    request->constraint = draw(seed, &n, 5) ? NULL : animals;
    out->adapter = (int)draw(seed, &n, 4) - 2;
    out->adapter = out->adapter < 0 ? -1 : out->adapter;
    out->job.request = *request;
    out->job.answers = 1 + draw(seed, &n, ANSWERS_MAX);
    out->job.adapter = out->adapter < 0 ? NULL : adapter_names[out->adapter];
    out->job.key = keys[draw(seed, &n, 4)];
    out->job.priority = (int)draw(seed, &n, 2);
    out->job.on_event = hear;
    out->job.user = &out->heard;
    out->cancel = draw(seed, &n, 8) == 0;
    out->heard.stop_at = draw(seed, &n, 8) ? 0 : 3;
}

typedef struct submitter {
    pg_scheduler *scheduler;
    random_job *jobs;
    size_t first;
    bool failed;
} submitter;

static void *submit_some(void *argument)
{
    submitter *s = argument;
    for (size_t i = s->first; i < JOBS; i += SUBMITTERS) {
        uint64_t ticket;
        usleep((useconds_t)(pg_random_bits(99, 0, i) % 5000));
        s->failed |= pg_scheduler_submit(&ticket, s->scheduler, &s->jobs[i].job) != PG_OK;
        if (s->jobs[i].cancel) {
            usleep((useconds_t)(pg_random_bits(98, 0, i) % 10000));
            pg_scheduler_cancel(s->scheduler, ticket);
        }
    }
    return NULL;
}

static void submit_all(pg_scheduler *scheduler, random_job *jobs)
{
    pthread_t threads[SUBMITTERS];
    submitter submitters[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){scheduler, jobs, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_some, &submitters[i]), 0);
    }
    for (size_t i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(submitters[i].failed);
    }
}

/* What was heard of an answer is what the request gets alone, or the beginning of it. */
static void check_answer(const random_job *job, size_t index, const pg_answer *alone)
{
    const heard_answer *got = &job->heard.answers[index];
    assert_in_range(got->tokens, 0, alone->count);
    assert_memory_equal(got->ids, alone->tokens, got->tokens * sizeof *got->ids);
    assert_memory_equal(got->logprobs, alone->logprobs, got->tokens * sizeof *got->logprobs);
    assert_in_range(got->text_size, 0, alone->text_size);
    assert_memory_equal(got->text, alone->text, got->text_size);
    for (size_t i = 0; job->job.request.top_logits && i < got->tokens; i++)
        assert_memory_equal(&got->top[i], &alone->top[i], sizeof got->top[i]);
    if (!got->complete)
        return;
    assert_int_equal(got->tokens, alone->count);
    assert_int_equal(got->text_size, alone->text_size);
    assert_int_equal(got->finish, alone->finish);
}

static void check_job(const random_job *job, const pg_session_options *options)
{
    pg_session_options one = *options;
    pg_session *session;
    bool may_stop = job->cancel || job->heard.stop_at;
    one.sequences = 1;
    CHECK_OK(pg_session_new(&session, job->adapter < 0 ? tiny.model : adapted[job->adapter], &one));
    assert_int_equal(job->heard.wrong, 0);
    assert_int_equal(job->heard.ends, 1);
    if (job->heard.status != PG_OK && !(may_stop && job->heard.status == PG_ERROR_CANCELLED))
        fail_msg("status %d: %s", job->heard.status, job->heard.reason);
    for (size_t i = 0; i < job->job.answers; i++) {
        pg_request request = job->job.request;
        pg_answer *alone;
        request.seed += i;
        CHECK_OK(pg_generate(&alone, session, &request, 1));
        check_answer(job, i, alone);
        assert_true(job->heard.status != PG_OK || job->heard.answers[i].complete);
        pg_answer_free(alone);
    }
    pg_session_free(session);
}

static void check_random_jobs(pg_compute compute, pg_cache_type cache, uint64_t seed)
{
    pg_scheduler_options options;
    pg_scheduler *scheduler;
    pg_scheduler_figures figures;
    random_job *jobs = pg_alloc(JOBS, sizeof *jobs);
    pg_scheduler_options_init(&options);
    options.session.compute = compute;
    options.session.cache = cache;
    options.session.context = 320;
    options.session.sequences = 6;
    options.session.threads = 2;
    options.prefix_bytes = 400000; /* some prompts are kept, and pushed out again */
    CHECK_OK(pg_scheduler_new(&scheduler, tiny.model, &options));
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(pg_scheduler_set_adapter(scheduler, adapter_names[i], folder_file(adapter_names[i])));
    for (size_t i = 0; i < JOBS; i++)
        make_random_job(&jobs[i], seed + i);
    submit_all(scheduler, jobs);
    CHECK_OK(pg_scheduler_drain(scheduler, -1));
    pg_scheduler_get_figures(&figures, scheduler);
    pg_scheduler_free(scheduler);
    assert_int_equal(figures.submitted, JOBS);
    assert_int_equal(figures.finished + figures.cancelled, JOBS);
    assert_int_equal(figures.total.count, JOBS);
    assert_true(figures.prefix_hits > 0 && figures.feature_hits > 0);
    for (size_t i = 0; i < JOBS; i++) {
        check_job(&jobs[i], &options.session);
        pg_golden_request_free(&jobs[i].asked);
    }
    pg_free(jobs);
}

static void test_random_jobs_get_the_answers_they_get_alone(void **state)
{
    (void)state;
    check_random_jobs(PG_COMPUTE_F32, PG_CACHE_AUTO, 1000);
    check_random_jobs(PG_COMPUTE_BF16, PG_CACHE_INT8, 2000);
}

/* ---------------------------------------------------------------- one job */

static pg_scheduler *small_scheduler(size_t sequences, size_t queue)
{
    pg_scheduler_options options;
    pg_scheduler *scheduler;
    pg_scheduler_options_init(&options);
    options.session.context = 320;
    options.session.sequences = sequences;
    options.session.threads = 1;
    options.queue = queue;
    CHECK_OK(pg_scheduler_new(&scheduler, tiny.model, &options));
    return scheduler;
}

/* The first prompt, with an answer of exactly so many tokens. */
static void make_job(pg_job *out, pg_golden_request *asked, heard *h, int64_t tokens)
{
    *h = (heard){0};
    pg_golden_request_prompt(asked, &tiny.golden, 0);
    pg_job_init(out);
    out->request = asked->request;
    out->request.max_new_tokens = out->request.min_new_tokens = tokens;
    out->request.speculate = 0;
    out->on_event = hear;
    out->user = h;
}

static void test_ends_by_deadline_and_by_drain(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(1, 8);
    pg_golden_request asked[2];
    pg_job jobs[2];
    static heard h[2];
    uint64_t ticket;
    make_job(&jobs[0], &asked[0], &h[0], 1);
    make_job(&jobs[1], &asked[1], &h[1], 1);
    jobs[0].deadline = 1e-9;
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &jobs[0]));
    jobs[1].deadline = 3600;
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &jobs[1]));
    CHECK_OK(pg_scheduler_drain(scheduler, 600));
    CHECK_FAILS(pg_scheduler_submit(&ticket, scheduler, &jobs[1]), PG_ERROR_BUSY, "shutting down");
    pg_scheduler_free(scheduler);
    assert_int_equal(h[0].status, PG_ERROR_DEADLINE);
    assert_string_equal(h[0].reason, "not done within 1e-09 seconds");
    assert_int_equal(h[1].status, PG_OK);
    assert_int_equal(h[1].usage.answer_tokens, 1);
    assert_int_equal(h[1].usage.prompt_tokens, 21);
    assert_true(h[1].usage.total >= h[1].usage.first_token && h[1].usage.first_token > 0);
    pg_golden_request_free(&asked[0]);
    pg_golden_request_free(&asked[1]);
}

/* Holds the scheduler's thread until it may go on. */
typedef struct gate {
    pthread_mutex_t lock;
    size_t ends;
} gate;

static bool wait_at_gate(void *user, const pg_event *event)
{
    gate *g = user;
    pthread_mutex_lock(&g->lock);
    g->ends += event->kind == PG_EVENT_END;
    pthread_mutex_unlock(&g->lock);
    return true;
}

static void test_a_full_queue_turns_away(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(1, 2);
    gate g = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pg_golden_request asked;
    pg_scheduler_figures figures;
    pg_job job;
    static heard h;
    uint64_t ticket;
    make_job(&job, &asked, &h, 4);
    job.on_event = wait_at_gate;
    job.user = &g;
    pthread_mutex_lock(&g.lock);
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &job));
    do /* until the first one has its place and stands before the gate */
        pg_scheduler_get_figures(&figures, scheduler);
    while (figures.waiting);
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &job));
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &job));
    CHECK_FAILS(pg_scheduler_submit(&ticket, scheduler, &job), PG_ERROR_BUSY, "2 jobs are waiting already");
    pg_scheduler_get_figures(&figures, scheduler);
    assert_int_equal(figures.waiting, 2);
    assert_int_equal(figures.refused, 1);
    pthread_mutex_unlock(&g.lock);
    CHECK_OK(pg_scheduler_drain(scheduler, -1));
    pg_scheduler_free(scheduler);
    assert_int_equal(g.ends, 3);
    pg_golden_request_free(&asked);
}

static void test_freeing_ends_what_runs(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(1, 8);
    pg_golden_request asked;
    pg_job job;
    static heard h[3];
    uint64_t ticket;
    for (size_t i = 0; i < 3; i++) {
        make_job(&job, &asked, &h[i], TOKENS_MAX);
        CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &job));
        pg_golden_request_free(&asked); /* the job has its own */
    }
    pg_scheduler_free(scheduler);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(h[i].ends, 1);
        assert_true(h[i].status == PG_OK || h[i].status == PG_ERROR_CANCELLED);
    }
}

/* Tokens, once there were some, take no memory: any that were asked for would not be had, and the job would fail. */
static bool starve(void *user, const pg_event *event)
{
    heard *h = user;
    if (event->kind == PG_EVENT_TOKEN && h->tokens + 1 == 3)
        pg_memory_fail_from(1);
    if (event->kind == PG_EVENT_TOKEN && h->tokens + 1 == TOKENS_MAX)
        pg_memory_fail_from(0);
    return hear(user, event);
}

static void test_tokens_take_no_memory(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(2, 8);
    pg_golden_request asked;
    pg_job job;
    static heard h;
    uint64_t ticket;
    make_job(&job, &asked, &h, TOKENS_MAX);
    job.on_event = starve;
    CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &job));
    CHECK_OK(pg_scheduler_drain(scheduler, -1));
    pg_scheduler_free(scheduler);
    if (h.status != PG_OK)
        fail_msg("status %d: %s", h.status, h.reason);
    assert_int_equal(h.answers[0].tokens, TOKENS_MAX);
    pg_golden_request_free(&asked);
}

static size_t permit_nonsense(void *user, int32_t *ids, const int32_t *tokens, size_t count)
{
    (void)user;
    (void)tokens;
    ids[0] = count < 2 ? 5 : -1;
    return 1;
}

static void test_a_failure_is_one_jobs_alone(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(4, 8);
    pg_golden_request asked[2];
    pg_constraint *nonsense;
    pg_job jobs[2];
    static heard h[2];
    uint64_t ticket;
    CHECK_OK(pg_constraint_new(&nonsense, permit_nonsense, NULL));
    make_job(&jobs[0], &asked[0], &h[0], TOKENS_MAX);
    make_job(&jobs[1], &asked[1], &h[1], TOKENS_MAX);
    jobs[1].request.constraint = nonsense;
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(pg_scheduler_submit(&ticket, scheduler, &jobs[i]));
    CHECK_OK(pg_scheduler_drain(scheduler, -1));
    pg_scheduler_free(scheduler);
    pg_constraint_free(nonsense);
    assert_int_equal(h[0].status, PG_OK);
    assert_int_equal(h[0].answers[0].tokens, TOKENS_MAX);
    assert_int_equal(h[1].status, PG_ERROR_ARGUMENT);
    assert_non_null(strstr(h[1].reason, "entry 0 of the permitted tokens is -1"));
    pg_golden_request_free(&asked[0]);
    pg_golden_request_free(&asked[1]);
}

static void test_wrong_jobs_are_refused_at_once(void **state)
{
    (void)state;
    pg_scheduler *scheduler = small_scheduler(2, 8);
    pg_golden_request asked;
    pg_job good, bad;
    static heard h;
    uint64_t ticket;
    make_job(&good, &asked, &h, 4);
#define REFUSED(change, status, part)                                             \
    do {                                                                          \
        bad = good;                                                               \
        change;                                                                   \
        CHECK_FAILS(pg_scheduler_submit(&ticket, scheduler, &bad), status, part); \
    } while (0)
    REFUSED(bad.on_event = NULL, PG_ERROR_ARGUMENT, "needs on_event");
    REFUSED(bad.request.beams = 3, PG_ERROR_ARGUMENT, "3 beams: a scheduler makes no beam search");
    REFUSED(bad.deadline = -1, PG_ERROR_ARGUMENT, "deadline: -1 seconds");
    REFUSED(bad.answers = 3, PG_ERROR_LIMIT, "3 answers to one job; the scheduler makes at most 2");
    REFUSED(bad.adapter = "nobody", PG_ERROR_ARGUMENT, "there is no adapter \"nobody\"");
    REFUSED(bad.request.top_p = 7, PG_ERROR_ARGUMENT, "top_p 7");
    REFUSED(bad.request.style = PG_PROMPT_CHAT, PG_ERROR_ARGUMENT, "pictures go with task prompts");
#undef REFUSED
    CHECK_FAILS(pg_scheduler_set_adapter(scheduler, "", folder_file("first")), PG_ERROR_ARGUMENT, "needs a name");
    CHECK_FAILS(pg_scheduler_set_adapter(scheduler, "x", folder_file("none")), PG_ERROR_FILE, "none");
    CHECK_OK(pg_scheduler_drain(scheduler, 0)); /* nothing is left of them */
    pg_scheduler_free(scheduler);
    pg_golden_request_free(&asked);
    assert_int_equal(h.ends, 0);
}

static void test_no_allocation_of_a_submission_may_fail_unnoticed(void **state)
{
    (void)state;
    pg_session_options options;
    pg_session *session;
    pg_served_model served = {.model = tiny.model};
    pg_golden_request asked;
    pg_work *work;
    pg_job job;
    static heard h;
    pg_session_options_init(&options);
    options.sequences = 2;
    CHECK_OK(pg_session_new(&session, tiny.model, &options));
    make_job(&job, &asked, &h, 4);
    job.answers = 2;
    job.request.stop = (const char *const[]){"x"};
    job.request.stop_count = 1;
    CHECK_SWEEP(pg_work_new(&work, session, &served, &job));
    pg_work_free(work);
    pg_session_free(session);
    pg_golden_request_free(&asked);
}

/* ---------------------------------------------------------------- prompts in pieces */

typedef struct whole_prompt {
    char *rows;  /* of the cache */
    float *last; /* [D] */
} whole_prompt;

static whole_prompt compute_whole(pg_session *session, const pg_request *request, pg_input *input)
{
    whole_prompt whole;
    size_t width = (size_t)session->model->weights->config.text.width;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    input->features = request->image_count ? pg_input_features(session, request->images, request->image_count) : NULL;
    pg_tensor *hidden = pg_input_last(session, input, 0);
    assert_non_null(hidden);
    whole.last = pg_alloc(width, sizeof(float));
    CHECK_OK(pg_values_download(session->device, whole.last, hidden->data, width * sizeof(float)));
    whole.rows = pg_alloc(1, pg_cache_rows_bytes(&session->cache, (int64_t)input->ids.count));
    pg_cache_get_rows(whole.rows, &session->cache, 0, (int64_t)input->ids.count);
    pg_arena_release(&session->g.arena, mark);
    return whole;
}

/* The same bits; on a device, where products of other shapes are cut otherwise, almost. */
static void check_same(const pg_session *session, const void *got, const void *want, size_t floats)
{
    const float *a = got, *b = want, limit = session->g.compute == PG_COMPUTE_BF16 ? 0.2f : 1e-4f;
    if (!session->device)
        assert_memory_equal(got, want, floats * sizeof(float));
    for (size_t i = 0; i < floats; i++)
        if (!(fabsf(a[i] - b[i]) <= limit * (1 + fabsf(b[i]))))
            fail_msg("value %zu of %zu: %g, expected %g", i, floats, (double)a[i], (double)b[i]);
}

static void check_pieces(pg_session *session, pg_input *input, pg_prefill_picture *pictures, size_t count,
                         const whole_prompt *whole, int64_t piece)
{
    pg_prefill prefill;
    pg_prefill_pace pace = {0};
    int64_t tokens = (int64_t)input->ids.count;
    size_t bytes = pg_cache_rows_bytes(&session->cache, tokens);
    char *rows = pg_alloc(1, bytes);
    float *last = pg_alloc((size_t)session->model->weights->config.text.width, sizeof *last);
    CHECK_OK(pg_prefill_init(&prefill, session, session->model, input, 1, pictures, count));
    while (prefill.stage != PG_PREFILL_DONE)
        CHECK_OK(pg_prefill_step(&prefill, &pace, piece));
    pg_cache_get_rows(rows, &session->cache, session->context, tokens);
    if (session->cache.dtype == PG_F32)
        check_same(session, rows, whole->rows, bytes / sizeof(float));
    else if (!session->device)
        assert_memory_equal(rows, whole->rows, bytes);
    CHECK_OK(pg_values_download(session->device, last, prefill.last.data, (size_t)prefill.last.width * sizeof *last));
    check_same(session, last, whole->last, (size_t)prefill.last.width);
    pg_prefill_free(&prefill);
    pg_free(rows);
    pg_free(last);
}

static void check_prompt(pg_session *session, const pg_request *request)
{
    static const int64_t pieces[] = {1, 5, 16, 1000};
    pg_prefill_picture pictures[PG_GOLDEN_IMAGES] = {{0}};
    pg_image *resized[PG_GOLDEN_IMAGES] = {0};
    pg_input input;
    size_t side = pg_model_image_size(session->model);
    CHECK_OK(pg_input_make(&input, session, request));
    whole_prompt whole = compute_whole(session, request, &input);
    for (size_t i = 0; i < request->image_count; i++) {
        CHECK_OK(pg_image_resize(&resized[i], request->images[i], side, side, session->resize_order));
        pictures[i].image = resized[i];
    }
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        check_pieces(session, &input, pictures, request->image_count, &whole, pieces[i]);
    for (size_t i = 0; i < request->image_count; i++)
        pg_image_free(resized[i]);
    pg_free(whole.rows);
    pg_free(whole.last);
    pg_input_free(&input);
}

static void test_prompts_in_any_pieces_give_the_same_bits(void **state)
{
    (void)state;
    static const pg_compute computes[] = {PG_COMPUTE_F32, PG_COMPUTE_BF16};
    for (size_t i = 0; i < 2; i++) {
        pg_session_options options;
        pg_session *session;
        pg_golden_request asked;
        pg_session_options_init(&options);
        options.sequences = 2;
        options.context = 320;
        options.compute = computes[i];
        options.cache = i ? PG_CACHE_INT8 : PG_CACHE_AUTO;
        CHECK_OK(pg_session_new(&session, tiny.model, &options));
        pg_golden_request_prompt(&asked, &tiny.golden, 1);
        check_prompt(session, &asked.request);
        asked.request.image_count = 0;
        asked.request.style = PG_PROMPT_TEXT; /* tokens see only those before them */
        asked.request.special = false;
        check_prompt(session, &asked.request);
        pg_golden_request_free(&asked);
        pg_session_free(session);
    }
}

/* ---------------------------------------------------------------- queue and what is kept */

static void test_keys_take_turns(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "a", "a", "b", "a", "b", "c"};
    static const size_t wanted[] = {4, 3, 6, 0, 5, 1, 2}; /* 4 is urgent; it was a turn of its key */
    static pg_work works[7];
    static pg_job_queue queue;
    for (size_t i = 0; i < 7; i++) {
        snprintf(works[i].key, sizeof works[i].key, "%s", keys[i]);
        works[i].job.priority = i == 4;
        pg_job_queue_put(&queue, &works[i]);
    }
    for (size_t i = 0; i < 7; i++) {
        pg_work *next = pg_job_queue_next(&queue);
        assert_int_equal(next - works, wanted[i]);
        pg_job_queue_take(&queue, next, true);
    }
    assert_null(pg_job_queue_next(&queue));
    assert_int_equal(queue.count, 0);
}

static void *keep(pg_kept *kept, const char *name, size_t size)
{
    pg_kept_part part = {name, strlen(name)};
    pg_kept_key key = {1, &part, 1, pg_kept_hash(&part, 1)};
    return pg_kept_add(kept, &key, size);
}

static const void *find(pg_kept *kept, uint64_t model, const char *name, size_t size)
{
    pg_kept_part part = {name, strlen(name)};
    pg_kept_key key = {model, &part, 1, pg_kept_hash(&part, 1)};
    return pg_kept_find(kept, &key, size);
}

static void test_what_is_kept_longest_unused_goes_first(void **state)
{
    (void)state;
    pg_kept kept = {.limit = 4000};
    assert_null(keep(&kept, "too large", 5000));
    memset(keep(&kept, "a", 1000), 'a', 1000);
    memset(keep(&kept, "b", 1000), 'b', 1000);
    memset(keep(&kept, "c", 1000), 'c', 1000);
    assert_int_equal(*(const char *)find(&kept, 1, "a", 1000), 'a');
    assert_null(find(&kept, 2, "a", 1000));
    assert_null(find(&kept, 1, "a", 999));
    memset(keep(&kept, "d", 1000), 'd', 1000);
    assert_null(find(&kept, 1, "b", 1000));
    assert_int_equal(*(const char *)find(&kept, 1, "c", 1000), 'c');
    assert_int_equal(*(const char *)find(&kept, 1, "d", 1000), 'd');
    assert_in_range(kept.bytes, 3000, 4000);
    pg_memory_fail_from(1);
    assert_null(keep(&kept, "e", 1000));
    pg_memory_fail_from(0);
    pg_kept_free(&kept);
    assert_int_equal(kept.bytes, 0);
    assert_null(find(&kept, 1, "a", 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_take_turns),
        cmocka_unit_test(test_what_is_kept_longest_unused_goes_first),
        cmocka_unit_test(test_prompts_in_any_pieces_give_the_same_bits),
        cmocka_unit_test(test_random_jobs_get_the_answers_they_get_alone),
        cmocka_unit_test(test_ends_by_deadline_and_by_drain),
        cmocka_unit_test(test_a_full_queue_turns_away),
        cmocka_unit_test(test_freeing_ends_what_runs),
        cmocka_unit_test(test_tokens_take_no_memory),
        cmocka_unit_test(test_a_failure_is_one_jobs_alone),
        cmocka_unit_test(test_wrong_jobs_are_refused_at_once),
        cmocka_unit_test(test_no_allocation_of_a_submission_may_fail_unnoticed),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/*
 * Steps that a device records and replays give the bits that they have operation by operation: in any company, with
 * keys that outgrow their room, behind requests that take more memory, with constraints, and with models that take
 * turns. So do tokens that are drawn there. On the device that PG_TEST_DEVICE names; without it nothing is recorded.
 */
#include <stdlib.h>

#include "golden_case.h"
#include "temporary_folder.h"

#include "base/random.h"
#include "generate/model.h"
#include "generate/session.h"

#define PALIGEMMA "paligemma-tiny-f32"

enum { TOKENS = 14, REQUESTS = 3 };

static pg_golden_model tiny;
static pg_model *adapted;
static pg_constraint *animals;

/* An adapter whose factors are all random. */
static void write_adapter(const char *path)
{
    pg_adapter_plan plan;
    pg_adapter *adapter;
    pg_model *model;
    pg_adapter_plan_init(&plan);
    plan.parts = 1u << PG_PART_TEXT;
    CHECK_OK(pg_model_open(&model, tiny.path));
    CHECK_OK(pg_adapter_new(&adapter, model->weights, &plan));
    for (size_t i = 0; i < adapter->count; i++) {
        pg_parameter *b = &adapter->layers[i].lora.b;
        for (int64_t j = 0; j < b->rows * b->width; j++)
            ((float *)b->data)[j] = (float)pg_random_uniform(1, i, (uint64_t)j) * 0.1f - 0.05f;
    }
    CHECK_OK(pg_adapter_save(adapter, path, false));
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    pg_model_close(model);
}

static int group_setup(void **state)
{
    static const char *const texts[] = {"a cow in a field", "a cat in a field", "cats and dogs"};
    if (folder_setup(state) != 0)
        return -1;
    pg_golden_model_open(&tiny, PALIGEMMA);
    write_adapter(folder_file("adapter"));
    CHECK_OK(pg_model_open_adapted(&adapted, tiny.model, folder_file("adapter")));
    CHECK_OK(pg_constraint_new_texts(&animals, tiny.model, texts, 3));
    return 0;
}

static int group_teardown(void **state)
{
    pg_constraint_free(animals);
    pg_model_close(adapted);
    pg_golden_model_close(&tiny);
    return folder_teardown(state);
}

/* ---------------------------------------------------------------- answers */

static pg_session *session_new(pg_compute compute, pg_cache_type cache)
{
    pg_session_options options;
    pg_session *session;
    pg_session_options_init(&options);
    options.compute = compute;
    options.cache = cache;
    options.sequences = REQUESTS;
    options.context = 640;
    CHECK_OK(pg_session_new(&session, tiny.model, &options));
    return session;
}

/* Two sessions that are asked the same; one of them is watched, and so records nothing. */
typedef struct session_pair {
    pg_session *recorded, *watched;
} session_pair;

static pg_status ignore(void *user, const pg_trace_array *array)
{
    (void)user;
    (void)array;
    return PG_OK;
}

static session_pair pair_open(pg_compute compute, pg_cache_type cache)
{
    session_pair pair = {session_new(compute, cache), session_new(compute, cache)};
    pair.watched->g.trace = ignore;
    return pair;
}

static void pair_close(const session_pair *pair)
{
    pg_session_free(pair->recorded);
    pg_session_free(pair->watched);
}

/* Texts of so many tokens, each with a few more than the one before. */
static void make_requests(pg_request requests[REQUESTS], int32_t *ids, size_t length)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        pg_request_init(&requests[i]);
        requests[i].ids = ids;
        requests[i].id_count = length + 5 * i;
        requests[i].answer_ids = length / 2;
        requests[i].max_new_tokens = TOKENS;
        requests[i].min_new_tokens = i == 1 ? 3 : TOKENS;
    }
    for (size_t i = 0; i < length + 5 * REQUESTS; i++)
        ids[i] = (int32_t)(3 + pg_random_bits(7, 0, i) % 200);
}

static void generate(pg_answer **out, pg_session *session, const pg_model *model, const pg_request *requests,
                     size_t count)
{
    session->model = model;
    CHECK_OK(pg_generate(out, session, requests, count));
}

static void check_answers(const session_pair *pair, const pg_model *model, const pg_request *requests, size_t count)
{
    pg_answer *a[REQUESTS], *b[REQUESTS];
    generate(a, pair->recorded, model, requests, count);
    generate(b, pair->watched, model, requests, count);
    assert_int_equal(pair->watched->recorded.replayed, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i]->count, b[i]->count);
        assert_memory_equal(a[i]->tokens, b[i]->tokens, a[i]->count * sizeof *a[i]->tokens);
        assert_memory_equal(a[i]->logprobs, b[i]->logprobs, a[i]->count * sizeof *a[i]->logprobs);
        pg_answer_free(a[i]);
        pg_answer_free(b[i]);
    }
}

/* Since `before`, at least so many steps were replayed. */
static void check_replayed(const pg_session *session, uint64_t before, uint64_t least)
{
    if (session->device)
        assert_in_range(session->recorded.replayed - before, least, UINT64_MAX);
    else
        assert_int_equal(session->recorded.replayed, 0);
}

/* Alone, then together. */
static void check_kind(pg_compute compute, pg_cache_type cache)
{
    session_pair pair = pair_open(compute, cache);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    make_requests(requests, ids, 20);
    requests[0].speculate = 0;
    check_answers(&pair, tiny.model, requests, 1);
    check_replayed(pair.recorded, 0, TOKENS - 4);
    check_answers(&pair, tiny.model, requests, REQUESTS);
    pair_close(&pair);
}

static void kinds(void **state)
{
    (void)state;
    check_kind(PG_COMPUTE_F32, PG_CACHE_F32);
    check_kind(PG_COMPUTE_BF16, PG_CACHE_BF16);
    check_kind(PG_COMPUTE_BF16, PG_CACHE_INT8);
}

/* Keys grow out of their room while the answer is made. */
static void rooms(void **state)
{
    (void)state;
    session_pair pair = pair_open(PG_COMPUTE_F32, PG_CACHE_AUTO);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    make_requests(requests, ids, 248);
    requests[0].speculate = 0;
    check_answers(&pair, tiny.model, requests, 1);
    check_replayed(pair.recorded, 0, TOKENS - 5);
    pair_close(&pair);
}

/* A picture takes more of the device's own memory than what was recorded works with. */
static void memory_that_moves(void **state)
{
    (void)state;
    session_pair pair = pair_open(PG_COMPUTE_BF16, PG_CACHE_AUTO);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    pg_golden_request picture;
    make_requests(requests, ids, 4);
    requests[0].speculate = 0;
    pg_golden_request_prompt(&picture, &tiny.golden, 1);
    picture.request.max_new_tokens = 2;
    for (int i = 0; i < 3; i++) {
        uint64_t before = pair.recorded->recorded.replayed;
        check_answers(&pair, tiny.model, requests, 1);
        check_replayed(pair.recorded, before, TOKENS - 4);
        check_answers(&pair, tiny.model, &picture.request, 1);
    }
    pg_golden_request_free(&picture);
    pair_close(&pair);
}

/* Rows of which some may be followed by a few tokens only. */
static void constraints(void **state)
{
    (void)state;
    session_pair pair = pair_open(PG_COMPUTE_F32, PG_CACHE_AUTO);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    make_requests(requests, ids, 9);
    requests[1].constraint = animals;
    for (int i = 0; i < 3; i++)
        check_answers(&pair, tiny.model, requests, REQUESTS);
    check_replayed(pair.recorded, 0, 1);
    pair_close(&pair);
}

static void see_step(void *user, size_t index, const pg_step *step)
{
    (void)index;
    (void)step;
    ++*(size_t *)user;
}

static void make_drawn_requests(pg_request requests[REQUESTS], int32_t *ids)
{
    make_requests(requests, ids, 12);
    for (size_t i = 0; i < REQUESTS; i++) {
        requests[i].min_new_tokens = 0;
        requests[i].temperature = 0.9;
        requests[i].top_k = i == 1 ? 20 : 0;
        requests[i].top_p = i == 2 ? 0.8 : 1;
        requests[i].seed = 5 + i;
    }
}

/* Whoever sees each step has its logits brought to the host, where tokens are then drawn. */
static void draws(void **state)
{
    (void)state;
    pg_session *session = session_new(PG_COMPUTE_F32, PG_CACHE_AUTO);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    pg_answer *there[REQUESTS], *here[REQUESTS];
    size_t seen = 0, made = 0;
    make_drawn_requests(requests, ids);
    generate(there, session, tiny.model, requests, REQUESTS);
    for (size_t i = 0; i < REQUESTS; i++) {
        requests[i].on_step = see_step;
        requests[i].user = &seen;
    }
    generate(here, session, tiny.model, requests, REQUESTS);
    for (size_t i = 0; i < REQUESTS; made += here[i++]->count) {
        assert_int_equal(there[i]->count, here[i]->count);
        assert_memory_equal(there[i]->tokens, here[i]->tokens, here[i]->count * sizeof *here[i]->tokens);
        for (size_t t = 0; t < here[i]->count; t++)
            assert_float_equal(there[i]->logprobs[t], here[i]->logprobs[t], 1e-4);
    }
    assert_int_equal(seen, made);
    for (size_t i = 0; i < REQUESTS; i++) {
        pg_answer_free(there[i]);
        pg_answer_free(here[i]);
    }
    pg_session_free(session);
}

static void models_in_turns(void **state)
{
    (void)state;
    session_pair pair = pair_open(PG_COMPUTE_F32, PG_CACHE_AUTO);
    static int32_t ids[1024];
    pg_request requests[REQUESTS];
    make_requests(requests, ids, 12);
    requests[0].speculate = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t before = pair.recorded->recorded.replayed;
        check_answers(&pair, i % 2 ? adapted : tiny.model, requests, 1);
        check_replayed(pair.recorded, before, i < 2 ? TOKENS - 4 : TOKENS - 2);
    }
    pair.recorded->model = pair.watched->model = tiny.model;
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),       cmocka_unit_test(rooms), cmocka_unit_test(memory_that_moves),
        cmocka_unit_test(constraints), cmocka_unit_test(draws), cmocka_unit_test(models_in_turns),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

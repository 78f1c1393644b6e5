/* A model on the device that PG_TEST_DEVICE names, beside the same model on the host (without the variable both are).
 */
#include <math.h>
#include <stdlib.h>

#include "golden_case.h"
#include "temporary_folder.h"

#include "generate/model.h"
#include "tensor/checkpoint.h"

#define F32 "paligemma-tiny-f32"

static pg_golden_model tiny; /* on the device */
static pg_model *host;

static bool on_device(void)
{
    return tiny.model->device != NULL;
}

static int group_setup(void **state)
{
    if (folder_setup(state) != 0)
        return -1;
    pg_golden_model_open(&tiny, F32);
    CHECK_OK(pg_model_open(&host, tiny.path));
    return 0;
}

static int group_teardown(void **state)
{
    pg_model_close(host);
    pg_golden_model_close(&tiny);
    return folder_teardown(state);
}

static pg_session *session_of(const pg_model *model, pg_compute compute)
{
    pg_session_options options;
    pg_session *session;
    pg_session_options_init(&options);
    options.threads = 1;
    options.compute = compute;
    CHECK_OK(pg_session_new(&session, model, &options));
    return session;
}

static pg_answer *answer_prompt(const pg_model *model, pg_compute compute, size_t top_logits)
{
    pg_golden_request asked;
    pg_answer *answer;
    pg_session *session = session_of(model, compute);
    pg_golden_request_prompt(&asked, &tiny.golden, 0);
    asked.request.max_new_tokens = 12;
    asked.request.top_logits = top_logits;
    CHECK_OK(pg_generate(&answer, session, &asked.request, 1));
    pg_golden_request_free(&asked);
    pg_session_free(session);
    return answer;
}

static void check_same_answer(const pg_answer *got, const pg_answer *want, double limit)
{
    assert_int_equal(got->count, want->count);
    for (size_t i = 0; i < want->count; i++) {
        assert_int_equal(got->tokens[i], want->tokens[i]);
        assert_true(fabs((double)got->logprobs[i] - (double)want->logprobs[i]) <= limit);
    }
}

/* ---------------------------------------------------------------- */

/* Greedy tokens are found on the device, where nobody asks for logits; else from logits that are brought to the host.
 */
static void test_best_tokens(void **state)
{
    (void)state;
    pg_answer *found = answer_prompt(tiny.model, PG_COMPUTE_F32, 0),
              *chosen = answer_prompt(tiny.model, PG_COMPUTE_F32, 3), *want = answer_prompt(host, PG_COMPUTE_F32, 0);
    check_same_answer(found, chosen, 1e-5);
    check_same_answer(found, want, 1e-4);
    pg_answer_free(found);
    pg_answer_free(chosen);
    pg_answer_free(want);
}

static void test_fingerprint(void **state)
{
    char got[PG_FINGERPRINT], want[PG_FINGERPRINT];
    (void)state;
    pg_model_fingerprint(got, tiny.model);
    pg_model_fingerprint(want, host);
    assert_string_equal(got, want);
}

static void check_same_weights(const char *folder, const char *other)
{
    pg_checkpoint *got, *want;
    CHECK_OK(pg_checkpoint_open(&got, folder));
    CHECK_OK(pg_checkpoint_open(&want, other));
    assert_int_equal(pg_checkpoint_count(got), pg_checkpoint_count(want));
    for (size_t i = 0; i < pg_checkpoint_count(want); i++) {
        const pg_array *a = pg_checkpoint_at(got, i), *b = pg_checkpoint_at(want, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->bytes, b->bytes);
        assert_memory_equal(a->data, b->data, b->bytes);
    }
    pg_checkpoint_close(got);
    pg_checkpoint_close(want);
}

/* What a device has is written as it was read. */
static void test_save(void **state)
{
    (void)state;
    const char *folder = folder_file("saved"), *other = folder_file("other");
    CHECK_OK(pg_model_save(folder, tiny.model, NULL));
    CHECK_OK(pg_model_save(other, host, NULL));
    check_same_weights(folder, other);
}

static void test_quantised(void **state)
{
    (void)state;
    for (pg_weight_format format = PG_WEIGHTS_INT8; format <= PG_WEIGHTS_INT4; format++) {
        pg_quantize_options options;
        pg_quantize_options_init(&options);
        options.text = format;
        options.block = 32;
        const char *folder = folder_file(format == PG_WEIGHTS_INT8 ? "int8" : "int4");
        pg_model *there = NULL, *here;
        CHECK_OK(pg_quantize(folder, host, &options));
        there = pg_golden_open_model(folder);
        CHECK_OK(pg_model_open(&here, folder));
        pg_answer *got = answer_prompt(there, PG_COMPUTE_F32, 0), *want = answer_prompt(here, PG_COMPUTE_F32, 0);
        check_same_answer(got, want, 1e-4);
        pg_answer_free(got);
        pg_answer_free(want);
        pg_model_close(there);
        pg_model_close(here);
    }
}

/* An adapter comes along, and its memory goes with it; a model with another one uses the same weights. */
static void test_adapted(void **state)
{
    (void)state;
    pg_adapter_plan plan;
    pg_adapter *adapter;
    pg_model *adapted, *beside;
    const char *folder = folder_file("adapter");
    pg_adapter_plan_init(&plan);
    CHECK_OK(pg_adapter_new(&adapter, host->weights, &plan));
    for (int64_t i = 0; i < adapter->layers[0].lora.b.rows * adapter->layers[0].lora.b.width; i++)
        ((float *)adapter->layers[0].lora.b.data)[i] = 0.5f;
    CHECK_OK(pg_adapter_save(adapter, folder, false));
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    pg_model_options options;
    pg_model_options_init(&options);
    options.adapter = folder;
    CHECK_OK(pg_model_open_with(&adapted, tiny.path, &options));
    CHECK_OK(pg_model_open_adapted(&beside, tiny.model, folder));
    assert_true(!on_device() || beside->weights->text.embed.data == tiny.model->weights->text.embed.data);
    pg_answer *want = answer_prompt(adapted, PG_COMPUTE_F32, 0), *got = answer_prompt(beside, PG_COMPUTE_F32, 0);
    check_same_answer(got, want, 1e-4);
    pg_answer_free(got);
    pg_answer_free(want);
    pg_model_close(beside);
    pg_model_close(adapted);
}

static void test_refusals(void **state)
{
    (void)state;
    pg_model_options options;
    pg_model *model;
    pg_model_options_init(&options);
    options.device = "abacus";
    CHECK_FAILS(pg_model_open_with(&model, tiny.path, &options), PG_ERROR_ARGUMENT, "expected cpu, cuda or cuda:N");
    options.device = "cuda:1000";
    CHECK_FAILS(pg_model_open_with(&model, tiny.path, &options), PG_ERROR_UNSUPPORTED, "cuda:1000");
    assert_non_null(strstr(pg_devices(), "cpu"));
    if (!on_device())
        return;
    pg_golden_request asked;
    pg_session *session = session_of(tiny.model, PG_COMPUTE_AUTO);
    pg_explanation *explanation;
    const int32_t token = 5;
    pg_golden_request_prompt(&asked, &tiny.golden, 0);
    CHECK_FAILS(pg_explain(&explanation, session, &asked.request, &token, 1, NULL), PG_ERROR_UNSUPPORTED, "CPU only");
    CHECK_FAILS(pg_quantize(folder_file("refused"), tiny.model, NULL), PG_ERROR_UNSUPPORTED, "CPU only");
    pg_golden_request_free(&asked);
    pg_session_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best_tokens), cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_save),
        cmocka_unit_test(test_quantised),   cmocka_unit_test(test_adapted),     cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

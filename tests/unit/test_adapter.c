/*
 * Adapters in PEFT's layout against what PEFT computes (tests/golden/training/paligemma-lora), added at run time and
 * merged; files that must be refused; new adapters; failing allocations.
 */
#include "check.h"

#include <math.h>
#include <sys/stat.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "model/adapter.h"
#include "model/gemma.h"
#include "model/model_writer.h"
#include "model/fusion.h"
#include "ops/ops.h"
#include "sweep.h"
#include "temporary_folder.h"

#define TRAINING PG_TESTS_FOLDER "/golden/training"
#define BASE     TRAINING "/checkpoints/paligemma"
#define CASE     TRAINING "/paligemma-lora"
#define LAST     12 /* positions that the goldens have */
#define CUTOFF   1e-4

static pg_weights *load_weights(const char *folder)
{
    pg_config config;
    pg_weights *weights;
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", folder);
    CHECK_OK(pg_config_load(&config, path));
    CHECK_OK(pg_weights_load(&weights, &config, folder));
    return weights;
}

/* ---------------------------------------------------------------- the training forward pass */

/* One row of the case's batch without its padding. */
typedef struct golden_row {
    int32_t ids[64], positions[64];
    int64_t count, prefix;
    const float *pixels;
} golden_row;

static const int64_t *row_of(const pg_safetensors *file, const char *name, int64_t row, int64_t *width)
{
    const pg_array *array = pg_safetensors_find(file, name);
    assert_non_null(array);
    *width = array->shape[1];
    return (const int64_t *)array->data + row * *width;
}

static golden_row read_row(const pg_safetensors *file, int64_t row)
{
    golden_row out = {0};
    int64_t width;
    const int64_t *ids = row_of(file, "input_ids", row, &width), *mask = row_of(file, "attention_mask", row, &width);
    const int64_t *types = row_of(file, "token_type_ids", row, &width);
    const pg_array *pixels = pg_safetensors_find(file, "pixel_values");
    for (int64_t i = 0; i < width; i++) {
        if (!mask[i])
            continue;
        out.ids[out.count] = (int32_t)ids[i];
        out.positions[out.count] = (int32_t)out.count + 1;
        out.prefix += types[i] == 0;
        out.count++;
    }
    out.pixels = (const float *)pixels->data + row * pixels->shape[1] * pixels->shape[2] * pixels->shape[3];
    return out;
}

/* Logits of the last positions of both rows, [2][LAST][vocabulary]; freed with pg_free. */
static float *forward(const pg_weights *weights)
{
    pg_safetensors *inputs;
    CHECK_OK(pg_safetensors_open(&inputs, CASE "/inputs.safetensors"));
    int64_t vocabulary = weights->config.text.vocabulary;
    float *out = pg_alloc(2 * LAST, (size_t)vocabulary * sizeof *out);
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32};
    for (int64_t i = 0; i < 2; i++) {
        golden_row row = read_row(inputs, i);
        pg_segment segment = {.count = row.count, .prefix = row.prefix, .spans = {{0, row.count}}, .span_count = 1};
        pg_batch batch = {.rows = row.count, .positions = row.positions, .segments = &segment, .segment_count = 1};
        pg_tensor *features = pg_paligemma_features(&g, weights, row.pixels, 1);
        pg_tensor *x = pg_paligemma_embed(&g, weights, row.ids, row.count, features);
        x = pg_gemma_logits(&g, &weights->text, pg_gemma_forward(&g, &weights->text, x, &batch, NULL));
        assert_int_equal(g.status, PG_OK);
        memcpy(out + i * LAST * vocabulary, (float *)x->data + (row.count - LAST) * vocabulary,
               LAST * (size_t)vocabulary * sizeof *out);
    }
    pg_arena_free(&g.arena);
    pg_safetensors_close(inputs);
    return out;
}

static double difference(const float *a, const float *b, int64_t count)
{
    double worst = 0;
    for (int64_t i = 0; i < count; i++) { /* written out: GCC 12 for Arm fails on fmax here */
        double off = fabs((double)a[i] - (double)b[i]);
        if (!(off <= worst))
            worst = off;
    }
    return worst;
}

static void check_logits(const pg_weights *weights, const char *name, double limit)
{
    pg_safetensors *expected;
    CHECK_OK(pg_safetensors_open(&expected, CASE "/expected.safetensors"));
    const pg_array *want = pg_safetensors_find(expected, name);
    assert_non_null(want);
    float *got = forward(weights);
    double worst = difference(got, want->data, 2 * LAST * weights->config.text.vocabulary);
    if (!(worst <= limit))
        fail_msg("%s: off by %g, limit %g", name, worst, limit);
    pg_free(got);
    pg_safetensors_close(expected);
}

static pg_adapter *load_adapter(pg_weights *weights, const char *folder)
{
    pg_adapter *adapter;
    CHECK_OK(pg_adapter_load(&adapter, weights, folder));
    return adapter;
}

static void merge(pg_weights *weights, const char *name)
{
    pg_model_write_options options = {.threads = 2};
    CHECK_OK(pg_model_write(folder_file(name), weights, BASE, &options));
}

/* ---------------------------------------------------------------- goldens */

static void equals_peft(void **state)
{
    static const struct {
        const char *folder, *logits;
    } cases[] = {
        {CASE "/language/adapter_initial", "language.logits_initial"},
        {CASE "/language/adapter_trained", "language.logits_trained"},
        {CASE "/both/adapter_trained", "both.logits_trained"},
        {CASE "/rslora/adapter_initial", "rslora.logits_initial"},
        {CASE "/rslora/adapter_trained", "rslora.logits_trained"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char merged[16];
        pg_weights *weights = load_weights(BASE);
        pg_adapter *adapter = load_adapter(weights, cases[i].folder);
        check_logits(weights, cases[i].logits, CUTOFF / 2);
        snprintf(merged, sizeof merged, "merged%zu", i);
        merge(weights, merged);
        pg_adapter_detach(adapter);
        check_logits(weights, "logits_base", CUTOFF / 2);
        pg_weights_free(weights);
        pg_adapter_free(adapter);
        weights = load_weights(folder_file(merged));
        check_logits(weights, cases[i].logits, CUTOFF);
        pg_weights_free(weights);
    }
}

static void saved_is_the_same(void **state)
{
    (void)state;
    pg_weights *weights = load_weights(BASE);
    pg_adapter *adapter = load_adapter(weights, CASE "/both/adapter_trained");
    float *before = forward(weights);
    CHECK_OK(pg_adapter_own(adapter));
    CHECK_OK(pg_adapter_save(adapter, folder_file("saved"), false));
    CHECK_FAILS(pg_adapter_save(adapter, folder_file("saved"), false), PG_ERROR_FILE, "exists already");
    CHECK_OK(pg_adapter_save(adapter, folder_file("saved"), true));
    pg_adapter_detach(adapter);
    pg_adapter *again = load_adapter(weights, folder_file("saved"));
    float *after = forward(weights);
    assert_memory_equal(before, after, 2 * LAST * (size_t)weights->config.text.vocabulary * sizeof *after);
    pg_weights_free(weights);
    pg_adapter_free(adapter);
    pg_adapter_free(again);
    pg_free(before);
    pg_free(after);
}

/* ---------------------------------------------------------------- new adapters */

static size_t count_planned(pg_weights *weights, const pg_adapter_plan *plan)
{
    pg_adapter *adapter;
    CHECK_OK(pg_adapter_new(&adapter, weights, plan));
    size_t count = adapter->count;
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    return count;
}

static void new_adapters(void **state)
{
    static const char *const attention[] = {"q_proj", "v_proj"};
    pg_weights *weights = load_weights(BASE);
    pg_adapter_plan plan;
    pg_adapter *adapter;
    (void)state;
    pg_adapter_plan_init(&plan);
    assert_int_equal(count_planned(weights, &plan), 2 * 7);
    plan.parts = 1u << PG_PART_VISION;
    assert_int_equal(count_planned(weights, &plan), 2 * 6);
    plan.parts |= 1u << PG_PART_PROJECTOR | 1u << PG_PART_TEXT;
    assert_int_equal(count_planned(weights, &plan), 2 * 13 + 1);
    plan.modules = attention;
    plan.module_count = 2;
    plan.parts = 1u << PG_PART_TEXT;
    assert_int_equal(count_planned(weights, &plan), 2 * 2);
    plan.pattern = ".*language_model.*\\.(q_proj|down_proj)";
    assert_int_equal(count_planned(weights, &plan), 2 * 2);
    plan.pattern = "(?!x)q_proj";
    CHECK_FAILS(pg_adapter_new(&adapter, weights, &plan), PG_ERROR_UNSUPPORTED, "look-around");
    plan.pattern = "nothing";
    CHECK_FAILS(pg_adapter_new(&adapter, weights, &plan), PG_ERROR_ARGUMENT, "no linear layer");
    plan.pattern = NULL;
    plan.parts = 0;
    CHECK_FAILS(pg_adapter_new(&adapter, weights, &plan), PG_ERROR_ARGUMENT, "no linear layer");
    pg_adapter_plan_init(&plan);
    CHECK_OK(pg_adapter_new(&adapter, weights, &plan));
    check_logits(weights, "logits_base", CUTOFF / 2); /* b is zero */
    CHECK_OK(pg_adapter_save(adapter, folder_file("new"), false));
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    adapter = load_adapter(weights, folder_file("new"));
    assert_int_equal(adapter->count, 2 * 7);
    pg_weights_free(weights);
    pg_adapter_free(adapter);
}

/* An adapter of our making with second factors that are not zero, and the logits with it, in a folder that
 * tools/peft_parity.py names, so that PEFT can read them; else in the test's own. */
static void made_for_peft(void **state)
{
    (void)state;
    char folder[512], logits[600];
    pg_adapter_plan plan;
    pg_adapter *adapter;
    pg_weights *weights = load_weights(BASE);
    const char *kept = getenv("PG_ADAPTER_FOLDER");
    snprintf(folder, sizeof folder, "%s", kept ? kept : folder_file("made"));
    pg_adapter_plan_init(&plan);
    plan.parts = 1u << PG_PART_VISION | 1u << PG_PART_PROJECTOR | 1u << PG_PART_TEXT;
    plan.rank = 5;
    plan.rank_stabilised = true;
    CHECK_OK(pg_adapter_new(&adapter, weights, &plan));
    for (size_t i = 0; i < adapter->count; i++) {
        const pg_parameter *b = &adapter->layers[i].lora.b;
        for (int64_t k = 0; k < b->rows * b->width; k++)
            ((float *)b->data)[k] = (float)pg_random_uniform(9, i, (uint64_t)k) * 0.1f - 0.05f;
    }
    CHECK_OK(pg_adapter_save(adapter, folder, true));
    float *before = forward(weights);
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    adapter = load_adapter(weights, folder);
    float *after = forward(weights);
    int64_t vocabulary = weights->config.text.vocabulary;
    assert_memory_equal(before, after, 2 * LAST * (size_t)vocabulary * sizeof *after);
    snprintf(logits, sizeof logits, "%s/logits.safetensors", folder);
    CHECK_OK(pg_safetensors_save(
        logits, &(pg_array){.name = "logits", .dimensions = 3, .shape = {2, LAST, vocabulary}, .data = after}, 1));
    pg_weights_free(weights);
    pg_adapter_free(adapter);
    pg_free(before);
    pg_free(after);
}

/* ---------------------------------------------------------------- files that are refused */

/* The case's trained adapter with a changed configuration, and its keys changed: `from` becomes `to`. */
static const char *changed(const char *changes, const char *from, const char *to)
{
    json_t *config, *change = json_loads(changes, 0, NULL);
    pg_safetensors *file;
    char names[64][256];
    pg_array arrays[64];
    assert_non_null(change);
    CHECK_OK(pg_json_load(&config, CASE "/language/adapter_trained/" PG_ADAPTER_CONFIG));
    json_object_update(config, change);
    CHECK_OK(pg_safetensors_open(&file, CASE "/language/adapter_trained/" PG_ADAPTER_WEIGHTS));
    size_t count = pg_safetensors_count(file);
    assert_in_range(count, 1, 64);
    for (size_t i = 0; i < count; i++) {
        arrays[i] = *pg_safetensors_at(file, i);
        const char *name = arrays[i].name, *at = from ? strstr(name, from) : NULL;
        snprintf(names[i], sizeof names[i], "%.*s%s%s", at ? (int)(at - name) : 0, name, at ? to : "",
                 at ? at + strlen(from) : name);
        arrays[i].name = names[i];
    }
    mkdir(folder_file("changed"), 0777);
    CHECK_OK(pg_json_save(config, folder_file("changed/" PG_ADAPTER_CONFIG)));
    CHECK_OK(pg_safetensors_save(folder_file("changed/" PG_ADAPTER_WEIGHTS), arrays, count));
    pg_safetensors_close(file);
    json_decref(config);
    json_decref(change);
    return folder_file("changed");
}

static const struct {
    const char *changes, *from, *to, *error;
    pg_status status;
} refused[] = {
    {"{}", "layers.0.mlp.down", "layers.9.mlp.down", "matches nothing in the model", PG_ERROR_FORMAT},
    {"{}", "base_model.model.", "base_model.", "matches nothing in the model", PG_ERROR_FORMAT},
    {"{}", "layers.0.mlp.down_proj.lora_A", "layers.0.mlp.down_proj.lora_E", "factors of linear", PG_ERROR_UNSUPPORTED},
    {"{}", "layers.0.mlp.down_proj.lora_A.weight", "layers.0.mlp.down_proj.weight", "modules_to_save", PG_ERROR_FORMAT},
    {"{}", "language_model.layers.0.self_attn.q_proj", "language_model.embed_tokens", "no linear layer",
     PG_ERROR_UNSUPPORTED},
    {"{\"target_modules\": [\"q_proj\"]}", NULL, NULL, "does not name", PG_ERROR_FORMAT},
    {"{\"target_modules\": \"all-linear\"}", NULL, NULL, "there is no", PG_ERROR_FORMAT},
    {"{\"exclude_modules\": [\"q_proj\"]}", NULL, NULL, "does not name", PG_ERROR_FORMAT},
    {"{\"target_modules\": null}", NULL, NULL, "\"target_modules\" is missing", PG_ERROR_FORMAT},
    {"{\"target_modules\": 3}", NULL, NULL, "neither", PG_ERROR_FORMAT},
    {"{\"target_modules\": [3]}", NULL, NULL, "neither", PG_ERROR_FORMAT},
    {"{\"target_modules\": \"(q_proj\"}", NULL, NULL, "no regular expression", PG_ERROR_FORMAT},
    {"{\"target_modules\": \"(?<!x)q_proj\"}", NULL, NULL, "look-around", PG_ERROR_UNSUPPORTED},
    {"{\"target_modules\": \"((a{1,99}){1,99}){1,99}\"}", NULL, NULL, "more than two", PG_ERROR_UNSUPPORTED},
    {"{\"target_modules\": \"a{1,255}\"}", NULL, NULL, "more than 99", PG_ERROR_UNSUPPORTED},
    {"{\"target_modules\": \"(.)\\\\1\"}", NULL, NULL, "back-reference", PG_ERROR_UNSUPPORTED},
    {"{\"target_modules\": \"a\\\\\"}", NULL, NULL, "ends in a backslash", PG_ERROR_FORMAT},
    {"{\"target_modules\": \"[a\"}", NULL, NULL, "no ] for a [", PG_ERROR_FORMAT},
    {"{\"r\": 4}", NULL, NULL, "shape [8, 160], expected [4, 160]", PG_ERROR_FORMAT},
    {"{\"r\": 0}", NULL, NULL, "\"r\" is 0", PG_ERROR_FORMAT},
    {"{\"r\": 1e300}", NULL, NULL, "\"r\" is", PG_ERROR_FORMAT},
    {"{\"rank_pattern\": {\"q_proj\": 4}}", NULL, NULL, "expected [4, 64]", PG_ERROR_FORMAT},
    {"{\"rank_pattern\": {\"q_proj\": \"x\"}}", NULL, NULL, "\"q_proj\" is", PG_ERROR_FORMAT},
    {"{\"rank_pattern\": [1]}", NULL, NULL, "no object", PG_ERROR_FORMAT},
    {"{\"lora_alpha\": \"x\"}", NULL, NULL, "\"lora_alpha\"", PG_ERROR_FORMAT},
    {"{\"lora_dropout\": 2}", NULL, NULL, "\"lora_dropout\"", PG_ERROR_FORMAT},
    {"{\"peft_type\": \"LOHA\"}", NULL, NULL, "\"LOHA\"", PG_ERROR_UNSUPPORTED},
    {"{\"peft_type\": null}", NULL, NULL, "\"peft_type\"", PG_ERROR_FORMAT},
    {"{\"use_dora\": true}", NULL, NULL, "\"use_dora\"", PG_ERROR_UNSUPPORTED},
    {"{\"bias\": \"all\"}", NULL, NULL, "\"bias\"", PG_ERROR_UNSUPPORTED},
    {"{\"fan_in_fan_out\": true}", NULL, NULL, "\"fan_in_fan_out\"", PG_ERROR_UNSUPPORTED},
    {"{\"layers_to_transform\": [0]}", NULL, NULL, "\"layers_to_transform\"", PG_ERROR_UNSUPPORTED},
    {"{\"init_lora_weights\": \"pissa\"}", NULL, NULL, "\"pissa\"", PG_ERROR_UNSUPPORTED},
    {"{\"modules_to_save\": [\"q_proj\"]}", NULL, NULL, "does not name", PG_ERROR_FORMAT},
};

static void refusals(void **state)
{
    pg_weights *weights = load_weights(BASE);
    pg_adapter *adapter;
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *folder = changed(refused[i].changes, refused[i].from, refused[i].to);
        CHECK_FAILS(pg_adapter_load(&adapter, weights, folder), refused[i].status, refused[i].error);
        assert_null(adapter);
    }
    CHECK_FAILS(pg_adapter_load(&adapter, weights, folder_file("none")), PG_ERROR_FILE, "an adapter is a folder");
    check_logits(weights, "logits_base", CUTOFF / 2); /* nothing is left of them */
    pg_weights_free(weights);
}

/* What other versions write and means the same. */
static void accepted(void **state)
{
    static const struct {
        const char *changes, *from, *to;
    } cases[] = {
        {"{\"something_new\": {\"a\": 1}, \"lora_alpha\": 16.0}", NULL, NULL},
        {"{}", "base_model.model.model.language_model.", "base_model.model.language_model.model."},
        {"{\"target_modules\": \"^(?:.*language_model.*)\\\\.(?:[qkvo]_proj|(gate|up|down)_proj)$\"}", NULL, NULL},
        {"{\"target_modules\": \".*?language_model\\\\.layers\\\\.\\\\d+\\\\.\\\\w+\\\\.[\\\\w]+_proj\"}", NULL, NULL},
        {"{\"target_modules\": [\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"gate_proj\",\"up_proj\",\"down_proj\"],"
         "\"exclude_modules\": \".*vision_tower.*\"}",
         NULL, NULL},
        {"{\"r\": 3, \"lora_alpha\": 1, \"rank_pattern\": {\"^model.language_model.*proj\": 8, \"q_proj\": 9},"
         "\"alpha_pattern\": {\"(self_attn|mlp)\\\\.[a-z]+_proj\": 16}}",
         NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_weights *weights = load_weights(BASE);
        pg_adapter *adapter = load_adapter(weights, changed(cases[i].changes, cases[i].from, cases[i].to));
        check_logits(weights, "language.logits_trained", CUTOFF / 2);
        pg_weights_free(weights);
        pg_adapter_free(adapter);
    }
}

/* ---------------------------------------------------------------- failures of memory */

static pg_status load_and_free(pg_weights *weights, const char *folder)
{
    pg_adapter *adapter;
    PG_TRY(pg_adapter_load(&adapter, weights, folder));
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    return PG_OK;
}

static pg_status make_and_save(pg_weights *weights, const char *folder)
{
    pg_adapter *adapter;
    pg_adapter_plan plan;
    pg_adapter_plan_init(&plan);
    PG_TRY(pg_adapter_new(&adapter, weights, &plan));
    pg_status status = pg_adapter_save(adapter, folder, true);
    pg_adapter_detach(adapter);
    pg_adapter_free(adapter);
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    pg_weights *weights = load_weights(BASE);
    CHECK_SWEEP(load_and_free(weights, CASE "/both/adapter_trained"));
    CHECK_SWEEP(make_and_save(weights, folder_file("swept")));
    pg_weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_peft),     cmocka_unit_test(saved_is_the_same), cmocka_unit_test(new_adapters),
        cmocka_unit_test(made_for_peft),   cmocka_unit_test(refusals),          cmocka_unit_test(accepted),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

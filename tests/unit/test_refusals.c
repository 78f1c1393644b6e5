/*
 * What a model folder or a request may have wrong with it: one clear line that names the file and the thing, and
 * nothing done. Folders are golden checkpoints with one change each.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden_case.h"

#include "base/file.h"
#include "tensor/checkpoint.h"

#define PALIGEMMA "paligemma-tiny-f32"
#define GEMMA     "gemma-tiny-mha"
#define SIGLIP    "siglip-tiny"

/* ---------------------------------------------------------------- folders with something wrong */

/* A golden case and a copy of its checkpoint in the scratch folder, weights not included. */
typedef struct copied_case {
    pg_golden golden;
    char *source, *target;
} copied_case;

static copied_case copy_open(const char *name)
{
    copied_case copy = {0};
    char *folder = pg_golden_path(PG_GOLDEN_FOLDER, name);
    pg_golden_open(&copy.golden, folder);
    copy.source = pg_golden_checkpoint(&copy.golden, "checkpoint");
    copy.target = pg_golden_path(pg_golden_scratch(&copy.golden), "copy");
    assert_int_equal(mkdir(copy.target, 0700), 0);
    pg_free(folder);
    return copy;
}

static void copy_close(copied_case *copy)
{
    pg_free(copy->source);
    pg_free(copy->target);
    pg_golden_close(&copy->golden);
}

static void write_file(const copied_case *copy, const char *name, const char *text, size_t size)
{
    char *path = pg_golden_path(copy->target, name);
    remove(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    pg_free(path);
}

static void link_weights(const copied_case *copy)
{
    char *from = pg_golden_path(copy->source, "model.safetensors");
    char *to = pg_golden_path(copy->target, "model.safetensors");
    remove(to);
    assert_int_equal(symlink(from, to), 0);
    pg_free(from);
    pg_free(to);
}

static void check_refused(const copied_case *copy, pg_status status, const char *part)
{
    pg_model *model = NULL;
    CHECK_FAILS(pg_model_open(&model, copy->target), status, part);
    assert_null(model);
    assert_null(strchr(pg_error_last(), '\n'));
}

/* One change to config.json: a field of a section (NULL: the top) becomes `value` (JSON; NULL: is gone). */
typedef struct config_change {
    const char *section, *key, *value;
    pg_status status;
    const char *part; /* of the error text */
} config_change;

static void check_config_change(const copied_case *copy, const config_change *change)
{
    char *path = pg_golden_path(copy->source, "config.json");
    json_t *config = NULL, *value = NULL;
    CHECK_OK(pg_json_load(&config, path));
    json_t *section = change->section ? json_object_get(config, change->section) : config;
    if (change->value)
        assert_non_null(value = json_loads(change->value, JSON_DECODE_ANY, NULL));
    if (value)
        json_object_set_new(section, change->key, value);
    else
        json_object_del(section, change->key);
    char *text = json_dumps(config, 0);
    write_file(copy, "config.json", text, strlen(text));
    check_refused(copy, change->status, change->part);
    free(text);
    json_decref(config);
    pg_free(path);
}

static void check_config_changes(const char *name, const config_change *changes, size_t count)
{
    copied_case copy = copy_open(name);
    pg_golden_link(copy.source, copy.target);
    link_weights(&copy);
    for (size_t i = 0; i < count; i++)
        check_config_change(&copy, &changes[i]);
    copy_close(&copy);
}

static void test_relatives_are_refused_by_name(void **state)
{
    (void)state;
    static const config_change paligemma[] = {
        {"text_config", "model_type", "\"gemma2\"", PG_ERROR_UNSUPPORTED, "PaliGemma 2"},
        {"text_config", "model_type", "\"gemma3_text\"", PG_ERROR_UNSUPPORTED, "gemma3_text"},
        {"vision_config", "model_type", "\"clip_vision_model\"", PG_ERROR_UNSUPPORTED, "clip_vision_model"},
        {NULL, "model_type", "\"paligemma2\"", PG_ERROR_UNSUPPORTED, "paligemma2"},
        {NULL, "model_type", "\"llava\"", PG_ERROR_UNSUPPORTED, "llava"},
    };
    static const config_change gemma[] = {
        {NULL, "model_type", "\"gemma2\"", PG_ERROR_UNSUPPORTED, "gemma2"},
        {NULL, "model_type", "\"gemma3_text\"", PG_ERROR_UNSUPPORTED, "gemma3_text"},
        {NULL, "model_type", "\"gemma3\"", PG_ERROR_UNSUPPORTED, "gemma3"},
        {NULL, "hidden_activation", "\"relu\"", PG_ERROR_UNSUPPORTED, "hidden_activation"},
        {NULL, "attention_bias", "true", PG_ERROR_UNSUPPORTED, "attention_bias"},
        {NULL, "rope_scaling", "{\"type\": \"linear\", \"factor\": 2}", PG_ERROR_UNSUPPORTED, "rope_scaling"},
    };
    static const config_change siglip[] = {
        {NULL, "model_type", "\"siglip2\"", PG_ERROR_UNSUPPORTED, "siglip2"},
        {"text_config", "model_type", "\"gemma\"", PG_ERROR_UNSUPPORTED, "gemma"},
    };
    check_config_changes(PALIGEMMA, paligemma, sizeof paligemma / sizeof *paligemma);
    check_config_changes(GEMMA, gemma, sizeof gemma / sizeof *gemma);
    check_config_changes(SIGLIP, siglip, sizeof siglip / sizeof *siglip);
}

static void test_a_config_that_is_wrong(void **state)
{
    (void)state;
    static const config_change paligemma[] = {
        {NULL, "model_type", NULL, PG_ERROR_FORMAT, "model_type"},
        {NULL, "model_type", "7", PG_ERROR_FORMAT, "model_type"},
        {NULL, "text_config", NULL, PG_ERROR_FORMAT, "text_config"},
        {NULL, "vision_config", "[]", PG_ERROR_FORMAT, "vision_config"},
        {NULL, "image_token_index", NULL, PG_ERROR_FORMAT, "image_token_index"},
        {NULL, "image_token_index", "3200", PG_ERROR_FORMAT, "image_token_index"},
        {NULL, "projection_dim", "32", PG_ERROR_FORMAT, "projection_dim"},
        {"text_config", "hidden_size", NULL, PG_ERROR_FORMAT, "hidden_size"},
        {"text_config", "hidden_size", "\"64\"", PG_ERROR_FORMAT, "hidden_size"},
        {"text_config", "hidden_size", "0", PG_ERROR_FORMAT, "hidden_size"},
        {"text_config", "hidden_size", "-64", PG_ERROR_FORMAT, "hidden_size"},
        {"text_config", "hidden_size", "4611686018427387904", PG_ERROR_FORMAT, "hidden_size"},
        {"text_config", "num_hidden_layers", NULL, PG_ERROR_FORMAT, "num_hidden_layers"},
        {"text_config", "num_hidden_layers", "1000000000", PG_ERROR_FORMAT, "num_hidden_layers"},
        {"text_config", "num_attention_heads", "3000000000", PG_ERROR_FORMAT, "num_attention_heads"},
        {"text_config", "num_key_value_heads", "3", PG_ERROR_FORMAT, "key heads"},
        {"text_config", "head_dim", "15", PG_ERROR_FORMAT, "head_dim"},
        {"vision_config", "hidden_size", NULL, PG_ERROR_FORMAT, "hidden_size"},
        {"vision_config", "num_attention_heads", "5", PG_ERROR_FORMAT, "num_attention_heads"},
        {"vision_config", "patch_size", "57", PG_ERROR_FORMAT, "patch_size"},
        {"vision_config", "num_channels", "1", PG_ERROR_UNSUPPORTED, "num_channels"},
    };
    static const config_change siglip[] = {
        {"text_config", "projection_size", "40", PG_ERROR_FORMAT, "40"},
        {"text_config", "hidden_size", "41", PG_ERROR_FORMAT, "hidden_size"},
    };
    check_config_changes(PALIGEMMA, paligemma, sizeof paligemma / sizeof *paligemma);
    check_config_changes(SIGLIP, siglip, sizeof siglip / sizeof *siglip);
}

static void test_weights_that_are_not_what_the_config_says(void **state)
{
    (void)state;
    static const config_change paligemma[] = {
        {"text_config", "hidden_size", "72", PG_ERROR_FORMAT, "projection_dim"},
        {"text_config", "intermediate_size", "168", PG_ERROR_FORMAT, "[160, 64], expected [168, 64]"},
        {"text_config", "num_hidden_layers", "4", PG_ERROR_FORMAT, "layers.3."},
        {"text_config", "num_hidden_layers", "2", PG_ERROR_FORMAT, "layers.2."},
        {"text_config", "num_key_value_heads", "2", PG_ERROR_FORMAT, "expected [32, 64]"},
        {"text_config", "head_dim", "32", PG_ERROR_FORMAT, "expected [128, 64]"},
        {"text_config", "vocab_size", "3264", PG_ERROR_FORMAT, "expected [3264, 64]"},
        {"vision_config", "image_size", "70", PG_ERROR_FORMAT, "70"},
        {"vision_config", "patch_size", "28", PG_ERROR_FORMAT, "expected [48, 3, 28, 28]"},
    };
    check_config_changes(PALIGEMMA, paligemma, sizeof paligemma / sizeof *paligemma);
}

static void test_files_that_are_not_there_or_not_whole(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        pg_status status;
        const char *part;
    } files[] = {
        {"config.json", "", PG_ERROR_FORMAT, "config.json"},
        {"config.json", "[1, 2]", PG_ERROR_FORMAT, "config.json"},
        {"config.json", "{\"model_type\": \"gem", PG_ERROR_FORMAT, "config.json"},
        {"generation_config.json", "{\"eos_token_id\": \"x\"}", PG_ERROR_FORMAT, "eos_token_id"},
        {"tokenizer.json", "{\"model\": {}}", PG_ERROR_FORMAT, "tokenizer.json"},
        {"model.safetensors", "12345678 not a header", PG_ERROR_FORMAT, "model.safetensors"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        copied_case copy = copy_open(GEMMA);
        link_weights(&copy);
        write_file(&copy, files[i].name, files[i].text, strlen(files[i].text));
        pg_golden_link(copy.source, copy.target);
        check_refused(&copy, files[i].status, files[i].part);
        copy_close(&copy);
    }
    copied_case copy = copy_open(GEMMA);
    check_refused(&copy, PG_ERROR_FILE, "config.json");
    pg_golden_link(copy.source, copy.target);
    check_refused(&copy, PG_ERROR_FILE, "safetensors");
    copy_close(&copy);
}

/* ---------------------------------------------------------------- tensors */

/* Writes the checkpoint with its tensor `name` left out (changed == NULL) or replaced, and checks what opening says. */
static void check_tensor(const copied_case *copy, const char *name, const pg_array *changed, pg_status status,
                         const char *part)
{
    pg_checkpoint *from = NULL;
    CHECK_OK(pg_checkpoint_open(&from, copy->source));
    size_t count = 0;
    pg_array *arrays = pg_alloc(pg_checkpoint_count(from) + 1, sizeof *arrays);
    assert_non_null(arrays);
    for (size_t i = 0; i < pg_checkpoint_count(from); i++) {
        const pg_array *array = pg_checkpoint_at(from, i);
        if (strcmp(array->name, name) != 0)
            arrays[count++] = *array;
    }
    if (changed)
        arrays[count++] = *changed;
    char *path = pg_golden_path(copy->target, "model.safetensors");
    CHECK_OK(pg_safetensors_save(path, arrays, count));
    pg_free(path);
    pg_free(arrays);
    pg_checkpoint_close(from);
    check_refused(copy, status, part);
}

static void test_tensors_that_are_missing_strange_or_of_another_shape(void **state)
{
    (void)state;
    copied_case copy = copy_open(GEMMA);
    pg_golden_link(copy.source, copy.target);
    static const char name[] = "model.layers.1.post_attention_layernorm.weight";
    static const int64_t zeros[48] = {0};
    check_tensor(&copy, name, NULL, PG_ERROR_FORMAT, "layers.1.post_attention_layernorm.weight");
    check_tensor(&copy, "model.embed_tokens.weight", NULL, PG_ERROR_FORMAT, "embed_tokens.weight");
    pg_array array = {.name = name, .dtype = PG_F32, .dimensions = 2, .shape = {6, 8}, .data = zeros, .bytes = 192};
    check_tensor(&copy, name, &array, PG_ERROR_FORMAT, "[6, 8], expected [48]");
    array = (pg_array){.name = name, .dtype = PG_I64, .dimensions = 1, .shape = {48}, .data = zeros, .bytes = 384};
    check_tensor(&copy, name, &array, PG_ERROR_UNSUPPORTED, "I64");
    array = (pg_array){.name = "model.layers.1.self_attn.q_norm.weight",
                       .dtype = PG_F32,
                       .dimensions = 1,
                       .shape = {20},
                       .data = zeros,
                       .bytes = 80};
    check_tensor(&copy, "", &array, PG_ERROR_FORMAT, "q_norm");
    copy_close(&copy);
}

/* ---------------------------------------------------------------- requests */

typedef struct tiny_session {
    pg_golden_model tiny;
    pg_session *session;
} tiny_session;

static tiny_session session_open(const char *name, size_t context)
{
    tiny_session opened = {0};
    pg_golden_model_open(&opened.tiny, name);
    pg_session_options options;
    pg_session_options_init(&options);
    options.context = context;
    options.threads = 1;
    options.sequences = 2;
    CHECK_OK(pg_session_new(&opened.session, opened.tiny.model, &options));
    return opened;
}

static void session_close(tiny_session *opened)
{
    pg_session_free(opened->session);
    pg_golden_model_close(&opened->tiny);
}

static bool never_called(void *user, size_t index, const char *text, size_t size)
{
    (void)user, (void)index, (void)text, (void)size;
    fail_msg("something was computed");
    return false;
}

static pg_request text_request(const char *prompt)
{
    pg_request request;
    pg_request_init(&request);
    request.prompt = prompt;
    request.max_new_tokens = 2;
    return request;
}

/* The bad request comes second; the first is fine and must not be run. */
static void check_bad_request(const tiny_session *opened, const pg_request *bad, pg_status status, const char *part)
{
    pg_request requests[] = {text_request("hello"), *bad};
    requests[0].on_text = never_called;
    pg_answer *answers[2] = {NULL, NULL};
    CHECK_FAILS(pg_generate(answers, opened->session, requests, 2), status, part);
    if (!strstr(pg_error_last(), "request 1"))
        fail_msg("\"%s\" does not say which request", pg_error_last());
    assert_null(answers[0]);
    assert_null(answers[1]);
    CHECK_FAILS(pg_generate(answers, opened->session, bad, 1), status, part);
}

static void test_prompts_that_cannot_be_run(void **state)
{
    (void)state;
    tiny_session opened = session_open(GEMMA, 32);
    char longest[400];
    memset(longest, 'q', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    pg_request request = text_request(longest);
    check_bad_request(&opened, &request, PG_ERROR_LIMIT, "32");
    request = text_request("caf\xe9 au lait");
    check_bad_request(&opened, &request, PG_ERROR_FORMAT, "3");
    request = text_request("\xed\xa0\x80");
    check_bad_request(&opened, &request, PG_ERROR_FORMAT, "UTF-8");
    session_close(&opened);
}

static void test_options_that_make_no_sense(void **state)
{
    (void)state;
    tiny_session opened = session_open(GEMMA, 64);
    const char *stop[] = {"x"};
    pg_request plain = text_request("hello"), request = plain;
    request.repetition_penalty = 0.0;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "repetition penalty");
    request = plain;
    request.top_p = 1.5;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "top_p");
    request = plain;
    request.top_logits = SIZE_MAX;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "top logits");
    plain.beams = 2;
    request = plain;
    request.temperature = 1.0;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "beam");
    request = plain;
    request.stop = stop;
    request.stop_count = 1;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "beam");
    request = plain;
    request.beams_returned = 3;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "beams");
    request = plain;
    request.beams = 3;
    check_bad_request(&opened, &request, PG_ERROR_ARGUMENT, "sequences");
    session_close(&opened);
}

static void test_work_for_another_kind_of_model(void **state)
{
    (void)state;
    tiny_session gemma = session_open(GEMMA, 64), siglip = session_open(SIGLIP, 0);
    tiny_session paligemma = session_open(PALIGEMMA, 64);
    pg_golden_request asked;
    pg_golden_request_picture(&asked, &paligemma.tiny.golden, "cow.jpg");
    asked.request.max_new_tokens = 2;
    check_bad_request(&gemma, &asked.request, PG_ERROR_UNSUPPORTED, "picture");
    pg_answer *answer = NULL;
    CHECK_FAILS(pg_generate(&answer, siglip.session, &asked.request, 1), PG_ERROR_UNSUPPORTED, "siglip-tiny");
    float out[4096];
    const char *text = "a cow";
    CHECK_FAILS(pg_embed_images(out, gemma.session, asked.request.images, 1), PG_ERROR_UNSUPPORTED, "gemma-tiny-mha");
    CHECK_FAILS(pg_embed_texts(out, paligemma.session, &text, 1), PG_ERROR_UNSUPPORTED, PALIGEMMA);
    const int32_t ids[] = {2, 5, 6};
    CHECK_FAILS(pg_perplexity(out, siglip.session, ids, 3), PG_ERROR_UNSUPPORTED, "siglip-tiny");
    const int32_t strange[] = {2, 1 << 30};
    CHECK_FAILS(pg_perplexity(out, gemma.session, strange, 2), PG_ERROR_ARGUMENT, "1073741824");
    CHECK_FAILS(pg_perplexity(out, gemma.session, (const int32_t[65]){0}, 65), PG_ERROR_LIMIT, "64");
    pg_golden_request_free(&asked);
    session_close(&gemma);
    session_close(&siglip);
    session_close(&paligemma);
}

static void test_sessions_that_cannot_be(void **state)
{
    (void)state;
    tiny_session opened = session_open(GEMMA, 64);
    pg_session *session = NULL;
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = -1;
    CHECK_FAILS(pg_session_new(&session, opened.tiny.model, &options), PG_ERROR_ARGUMENT, "threads");
    options.threads = 1 << 20;
    CHECK_FAILS(pg_session_new(&session, opened.tiny.model, &options), PG_ERROR_ARGUMENT, "threads");
    options.threads = 1;
    options.context = 8193;
    CHECK_FAILS(pg_session_new(&session, opened.tiny.model, &options), PG_ERROR_LIMIT, "8192");
    options.context = 0;
    options.sequences = SIZE_MAX;
    CHECK_FAILS(pg_session_new(&session, opened.tiny.model, &options), PG_ERROR_LIMIT, "sequences");
    assert_null(session);
    session_close(&opened);
}

/* The answer of a model with this generation_config.json to one who asks for nothing, freed by the caller; *asked is
 * pg_ask's. beams: it asks for them, which a request with stop texts cannot have. */
static pg_answer *answer_with(char **asked, const copied_case *copy, const char *config, bool beams)
{
    tiny_session opened = {0};
    pg_session_options options;
    pg_request request = text_request("the cow");
    pg_answer *made, *none;
    write_file(copy, "generation_config.json", config, strlen(config));
    CHECK_OK(pg_model_open(&opened.tiny.model, copy->target));
    CHECK_OK(pg_ask(asked, opened.tiny.model, NULL, "the cow"));
    pg_session_options_init(&options);
    options.sequences = 2;
    CHECK_OK(pg_session_new(&opened.session, opened.tiny.model, &options));
    CHECK_OK(pg_generate(&made, opened.session, &request, 1));
    request.stop = (const char *const[]){"x"};
    request.stop_count = 1;
    if (beams)
        CHECK_FAILS(pg_generate(&none, opened.session, &request, 1), PG_ERROR_ARGUMENT,
                    "generation_config.json asks for 2 beams");
    pg_session_free(opened.session);
    pg_model_close(opened.tiny.model);
    return made;
}

/* What generation_config.json asks for is heeded where nobody asks, and may be anything; pg_ask is greedy. */
static void test_generation_configs(void **state)
{
    static const char *const configs[] = {
        "{}", "{\"do_sample\": true, \"temperature\": 9}", "{\"do_sample\": true, \"temperature\": 1e-40}",
        "{\"eos_token_id\": [1, 1500000000], \"num_beams\": 2, \"min_new_tokens\": 2}"};
    (void)state;
    copied_case copy = copy_open(GEMMA);
    pg_golden_link(copy.source, copy.target);
    link_weights(&copy);
    char *greedy, *asked;
    pg_answer *plain = answer_with(&greedy, &copy, configs[0], false);
    for (size_t i = 1; i < sizeof configs / sizeof *configs; i++) {
        pg_answer *made = answer_with(&asked, &copy, configs[i], i == 3);
        assert_string_equal(asked, greedy);
        assert_int_equal(made->count, 2);
        if (i == 2) /* as cold as that, chance has no part in it */
            assert_string_equal(made->text, plain->text);
        pg_answer_free(made);
        pg_free(asked);
    }
    pg_answer_free(plain);
    pg_free(greedy);
    copy_close(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relatives_are_refused_by_name),
        cmocka_unit_test(test_a_config_that_is_wrong),
        cmocka_unit_test(test_weights_that_are_not_what_the_config_says),
        cmocka_unit_test(test_files_that_are_not_there_or_not_whole),
        cmocka_unit_test(test_tensors_that_are_missing_strange_or_of_another_shape),
        cmocka_unit_test(test_prompts_that_cannot_be_run),
        cmocka_unit_test(test_options_that_make_no_sense),
        cmocka_unit_test(test_work_for_another_kind_of_model),
        cmocka_unit_test(test_sessions_that_cannot_be),
        cmocka_unit_test(test_generation_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

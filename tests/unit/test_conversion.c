/*
 * Models in other layouts: every value of an .npz stands where big_vision's shapes say, whatever conversion.c thinks;
 * there and back is the same model; what cannot be converted is refused by name.
 */
#include "check.h"

#include <math.h>

#include "generate/model.h"
#include "model/jax_file.h"
#include "sweep.h"
#include "tasks/model_comparison.h"
#include "temporary_folder.h"
#include "tensor/gguf.h"
#include "text/tokenizer.h"

#define INFERENCE PG_TESTS_FOLDER "/golden/inference"
#define PALIGEMMA INFERENCE "/paligemma-tiny-f32/checkpoint"
#define SHARDED   INFERENCE "/paligemma-tiny-sharded/checkpoint"
#define GEMMA     INFERENCE "/gemma-tiny-mha/checkpoint"
#define SIGLIP    INFERENCE "/siglip-tiny/checkpoint"

static pg_status convert(const char *to, const char *from, const char *dtype)
{
    pg_model_conversion made;
    pg_model_convert_options options;
    pg_model_convert_options_init(&options);
    options.dtype = dtype;
    options.tokenizer = strstr(from, ".npz") ? PALIGEMMA : NULL;
    pg_status status = pg_model_convert(&made, to, from, &options);
    pg_model_conversion_free(&made);
    return status;
}

static pg_model *open_model(const char *folder)
{
    pg_model *model;
    CHECK_OK(pg_model_open(&model, folder));
    return model;
}

static const pg_parameter *find_weight(pg_weights *weights, const char *name)
{
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry entry;
    while (pg_weights_next(&walk, &entry))
        if (!strcmp(entry.parameter->name, name))
            return entry.parameter;
    fail_msg("there is no weight %s", name);
    return NULL;
}

/* ---------------------------------------------------------------- where values stand */

/* What an array of the file has at an index: behind the axis of layers and that of the stack (where there are any),
 * `axes` further ones, each with a length and a step in the published weight. In letters of MODEL.md; of the tiny
 * model: vision D 48, F 96, H 4 of 12, patches of 14; text D 64, F 160, H 4 of 16, one key head. */
static const struct place {
    const char *array, *ours[3]; /* of the stack */
    int layers, axes;
    int64_t lengths[4], steps[4];
} places[] = {
#define VISION "img/Transformer/encoderblock/"
#define HEADS  VISION "MultiHeadDotProductAttention_0/"
    {"img/embedding/kernel", {"vision.patch"}, 0, 4, {14, 14, 3, 48}, {14, 1, 196, 588}},
    {"img/embedding/bias", {"vision.patch_bias"}, 0, 1, {48}, {1}},
    {"img/pos_embedding", {"vision.position"}, 0, 3, {1, 16, 48}, {0, 48, 1}},
    {VISION "LayerNorm_0/scale", {"vision.layer.%d.norm1"}, 3, 1, {48}, {1}},
    {VISION "LayerNorm_0/bias", {"vision.layer.%d.norm1_bias"}, 3, 1, {48}, {1}},
    {VISION "LayerNorm_1/scale", {"vision.layer.%d.norm2"}, 3, 1, {48}, {1}},
    {VISION "LayerNorm_1/bias", {"vision.layer.%d.norm2_bias"}, 3, 1, {48}, {1}},
    {HEADS "query/kernel", {"vision.layer.%d.q"}, 3, 3, {48, 4, 12}, {1, 576, 48}},
    {HEADS "key/kernel", {"vision.layer.%d.k"}, 3, 3, {48, 4, 12}, {1, 576, 48}},
    {HEADS "value/kernel", {"vision.layer.%d.v"}, 3, 3, {48, 4, 12}, {1, 576, 48}},
    {HEADS "query/bias", {"vision.layer.%d.q_bias"}, 3, 2, {4, 12}, {12, 1}},
    {HEADS "key/bias", {"vision.layer.%d.k_bias"}, 3, 2, {4, 12}, {12, 1}},
    {HEADS "value/bias", {"vision.layer.%d.v_bias"}, 3, 2, {4, 12}, {12, 1}},
    {HEADS "out/kernel", {"vision.layer.%d.out"}, 3, 3, {4, 12, 48}, {12, 1, 48}},
    {HEADS "out/bias", {"vision.layer.%d.out_bias"}, 3, 1, {48}, {1}},
    {VISION "MlpBlock_0/Dense_0/kernel", {"vision.layer.%d.fc1"}, 3, 2, {48, 96}, {1, 48}},
    {VISION "MlpBlock_0/Dense_0/bias", {"vision.layer.%d.fc1_bias"}, 3, 1, {96}, {1}},
    {VISION "MlpBlock_0/Dense_1/kernel", {"vision.layer.%d.fc2"}, 3, 2, {96, 48}, {1, 96}},
    {VISION "MlpBlock_0/Dense_1/bias", {"vision.layer.%d.fc2_bias"}, 3, 1, {48}, {1}},
    {"img/Transformer/encoder_norm/scale", {"vision.norm"}, 0, 1, {48}, {1}},
    {"img/Transformer/encoder_norm/bias", {"vision.norm_bias"}, 0, 1, {48}, {1}},
    {"img/head/kernel", {"projector"}, 0, 2, {48, 64}, {1, 48}},
    {"img/head/bias", {"projector_bias"}, 0, 1, {64}, {1}},
    {"llm/embedder/input_embedding", {"text.embed"}, 0, 2, {3144, 64}, {64, 1}},
    {"llm/layers/pre_attention_norm/scale", {"text.layer.%d.input_norm"}, 3, 1, {64}, {1}},
    {"llm/layers/attn/q_einsum/w", {"text.layer.%d.q"}, 3, 3, {4, 64, 16}, {1024, 1, 64}},
    {"llm/layers/attn/kv_einsum/w", {"text.layer.%d.k", "text.layer.%d.v"}, 3, 3, {1, 64, 16}, {1024, 1, 64}},
    {"llm/layers/attn/attn_vec_einsum/w", {"text.layer.%d.o"}, 3, 3, {4, 16, 64}, {16, 1, 64}},
    {"llm/layers/pre_ffw_norm/scale", {"text.layer.%d.post_norm"}, 3, 1, {64}, {1}},
    {"llm/layers/mlp/gating_einsum", {"text.layer.%d.gate", "text.layer.%d.up"}, 3, 2, {64, 160}, {1, 64}},
    {"llm/layers/mlp/linear", {"text.layer.%d.down"}, 3, 2, {160, 64}, {1, 160}},
    {"llm/final_norm/scale", {"text.norm"}, 0, 1, {64}, {1}},
};
#define PLACES (sizeof places / sizeof *places)

static const struct place keys_each = {"llm/layers/attn/qkv_einsum/w",
                                       {"text.layer.%d.q", "text.layer.%d.k", "text.layer.%d.v"},
                                       3,
                                       3,
                                       {4, 64, 16},
                                       {1024, 1, 64}};

/* The shape that the place says. */
static void check_shape(const pg_array *array, const struct place *place, int stack)
{
    int at = 0;
    assert_int_equal(array->dimensions, (place->layers > 0) + (stack > 1) + place->axes);
    if (place->layers)
        assert_int_equal(array->shape[at++], place->layers);
    if (stack > 1)
        assert_int_equal(array->shape[at++], stack);
    for (int i = 0; i < place->axes; i++)
        assert_int_equal(array->shape[at++], place->lengths[i]);
}

static void check_block(const float *values, const struct place *place, const pg_parameter *p, int64_t start)
{
    const float *published = (const float *)p->data + start;
    int64_t n[4] = {1, 1, 1, 1}, s[4] = {0};
    for (int i = 0; i < place->axes; i++) {
        n[i] = place->lengths[i];
        s[i] = place->steps[i];
    }
    assert_int_equal(p->dtype, PG_F32);
    for (int64_t a = 0; a < n[0]; a++)
        for (int64_t b = 0; b < n[1]; b++)
            for (int64_t c = 0; c < n[2]; c++)
                for (int64_t d = 0; d < n[3]; d++, values++)
                    if (*values != published[a * s[0] + b * s[1] + c * s[2] + d * s[3]])
                        fail_msg("%s: [%d, %d, %d, %d]", p->name, (int)a, (int)b, (int)c, (int)d);
}

/* start: of the published weight's values, where the array has not the first. */
static void check_part(pg_npz *npz, pg_weights *weights, const struct place *place, int64_t start)
{
    const pg_array *array = pg_npz_find(npz, place->array);
    int stack = place->ours[2] ? 3 : place->ours[1] ? 2 : 1;
    void *data;
    if (!array)
        fail_msg("there is no array %s", place->array);
    check_shape(array, place, stack);
    CHECK_OK(pg_npz_load(&data, npz, array));
    size_t block = array->bytes / sizeof(float) / (size_t)(stack * (place->layers ? place->layers : 1));
    const float *values = data;
    for (int layer = 0; layer == 0 || layer < place->layers; layer++)
        for (int i = 0; i < stack; i++, values += block) {
            char name[64];
            snprintf(name, sizeof name, place->ours[i], layer);
            check_block(values, place, find_weight(weights, name), start);
        }
    pg_free(data);
}

static void check_place(pg_npz *npz, pg_weights *weights, const struct place *place)
{
    check_part(npz, weights, place, 0);
}

static void values_stand_where_the_layout_says(void **state)
{
    (void)state;
    const char *path = folder_file("places.npz");
    CHECK_OK(convert(path, PALIGEMMA, NULL));
    pg_model *model = open_model(PALIGEMMA);
    pg_npz *npz;
    CHECK_OK(pg_npz_open(&npz, path));
    assert_int_equal(pg_npz_count(npz), PLACES);
    for (size_t i = 0; i < PLACES; i++)
        check_place(npz, model->weights, &places[i]);
    pg_npz_close(npz);
    pg_model_close(model);
}

/* SigLIP's layers have arrays of their own; the pooling head's three are one published matrix. Vision D 48, F 96, H 4
 * of 12, patches of 16; text D 40, F 88, H 4 of 10. */
static const struct place siglip_places[] = {
#define TOWER "params/img/Transformer/encoderblock_2/"
#define WORDS "params/txt/Encoder_0/encoderblock_1/"
#define POOL  "params/img/MAPHead_0/"
#define SELF  "MultiHeadDotProductAttention_0/"
    {"params/img/embedding/kernel", {"vision.patch"}, 0, 4, {16, 16, 3, 48}, {16, 1, 256, 768}},
    {"params/img/pos_embedding", {"vision.position"}, 0, 3, {1, 9, 48}, {0, 48, 1}},
    {TOWER SELF "key/kernel", {"vision.layer.2.k"}, 0, 3, {48, 4, 12}, {1, 576, 48}},
    {TOWER "MlpBlock_0/Dense_0/kernel", {"vision.layer.2.fc1"}, 0, 2, {48, 96}, {1, 48}},
    {"params/img/Transformer/encoder_norm/scale", {"vision.norm"}, 0, 1, {48}, {1}},
    {POOL "probe", {"vision.head.probe"}, 0, 3, {1, 1, 48}, {0, 0, 1}},
    {POOL SELF "out/kernel", {"vision.head.out"}, 0, 3, {4, 12, 48}, {12, 1, 48}},
    {POOL "LayerNorm_0/bias", {"vision.head.norm_bias"}, 0, 1, {48}, {1}},
    {POOL "MlpBlock_0/Dense_1/kernel", {"vision.head.fc2"}, 0, 2, {96, 48}, {1, 96}},
    {"params/txt/Embed_0/embedding", {"words.token"}, 0, 2, {421, 40}, {40, 1}},
    {"params/txt/pos_embedding", {"words.position"}, 0, 3, {1, 64, 40}, {0, 40, 1}},
    {WORDS SELF "query/bias", {"words.layer.1.q_bias"}, 0, 2, {4, 10}, {10, 1}},
    {WORDS SELF "out/kernel", {"words.layer.1.out"}, 0, 3, {4, 10, 40}, {10, 1, 40}},
    {WORDS "MlpBlock_0/Dense_1/kernel", {"words.layer.1.fc2"}, 0, 2, {88, 40}, {1, 88}},
    {"params/txt/Encoder_0/encoder_norm/bias", {"words.norm_bias"}, 0, 1, {40}, {1}},
    {"params/txt/head/kernel", {"words.head"}, 0, 2, {40, 48}, {1, 40}},
    {"params/txt/head/bias", {"words.head_bias"}, 0, 1, {48}, {1}},
    {"params/t", {"logit_scale"}, 0, 1, {1}, {1}},
    {"params/b", {"logit_bias"}, 0, 1, {1}, {1}},
};

/* Of the pooling head's one matrix and bias. */
static const struct {
    struct place place;
    int64_t start;
} siglip_parts[] = {
    {{POOL SELF "query/kernel", {"vision.head.in"}, 0, 3, {48, 4, 12}, {1, 576, 48}}, 0},
    {{POOL SELF "key/kernel", {"vision.head.in"}, 0, 3, {48, 4, 12}, {1, 576, 48}}, 48 * 48},
    {{POOL SELF "value/kernel", {"vision.head.in"}, 0, 3, {48, 4, 12}, {1, 576, 48}}, 2 * 48 * 48},
    {{POOL SELF "query/bias", {"vision.head.in_bias"}, 0, 2, {4, 12}, {12, 1}}, 0},
    {{POOL SELF "key/bias", {"vision.head.in_bias"}, 0, 2, {4, 12}, {12, 1}}, 48},
    {{POOL SELF "value/bias", {"vision.head.in_bias"}, 0, 2, {4, 12}, {12, 1}}, 2 * 48},
};

/* Gemma alone: the names of PaliGemma's decoder without "llm/". D 48, F 128, H 4 of 20, as many key heads. */
static const struct place gemma_places[] = {
    {"embedder/input_embedding", {"text.embed"}, 0, 2, {1216, 48}, {48, 1}},
    {"layers/attn/qkv_einsum/w",
     {"text.layer.%d.q", "text.layer.%d.k", "text.layer.%d.v"},
     3,
     3,
     {4, 48, 20},
     {960, 1, 48}},
    {"layers/attn/attn_vec_einsum/w", {"text.layer.%d.o"}, 3, 3, {4, 20, 48}, {20, 1, 80}},
    {"layers/pre_ffw_norm/scale", {"text.layer.%d.post_norm"}, 3, 1, {48}, {1}},
    {"layers/mlp/gating_einsum", {"text.layer.%d.gate", "text.layer.%d.up"}, 3, 2, {48, 128}, {1, 48}},
    {"layers/mlp/linear", {"text.layer.%d.down"}, 3, 2, {128, 48}, {1, 128}},
    {"final_norm/scale", {"text.norm"}, 0, 1, {48}, {1}},
};

static void check_places(const char *path, const char *folder, const struct place *list, size_t count, size_t arrays)
{
    pg_npz *npz;
    CHECK_OK(convert(path, folder, NULL));
    pg_model *model = open_model(folder);
    CHECK_OK(pg_npz_open(&npz, path));
    assert_int_equal(pg_npz_count(npz), arrays);
    for (size_t i = 0; i < count; i++)
        check_place(npz, model->weights, &list[i]);
    pg_npz_close(npz);
    pg_model_close(model);
}

static void other_models_have_their_own_layout(void **state)
{
    (void)state;
    pg_npz *npz;
    check_places(folder_file("siglip.npz"), SIGLIP, siglip_places, sizeof siglip_places / sizeof *siglip_places, 124);
    check_places(folder_file("gemma.npz"), GEMMA, gemma_places, sizeof gemma_places / sizeof *gemma_places, 8);
    pg_model *model = open_model(SIGLIP);
    CHECK_OK(pg_npz_open(&npz, folder_file("siglip.npz")));
    for (size_t i = 0; i < sizeof siglip_parts / sizeof *siglip_parts; i++)
        check_part(npz, model->weights, &siglip_parts[i].place, siglip_parts[i].start);
    pg_npz_close(npz);
    pg_model_close(model);
}

/* ---------------------------------------------------------------- there and back */

/* The same values; of the embedding those in front of <image>, the rest being their mean. */
static void check_same(const char *made_folder, const char *from_folder)
{
    pg_model *made = open_model(made_folder), *from = open_model(from_folder);
    pg_weight_walk a = {.weights = made->weights}, b = {.weights = from->weights};
    pg_weight_entry new, old;
    int64_t kept = from->weights->config.image_token;
    while (pg_weights_next(&a, &new)) {
        assert_true(pg_weights_next(&b, &old));
        const pg_parameter *p = new.parameter, *q = old.parameter;
        bool embed = !strcmp(p->name, "text.embed");
        assert_int_equal(p->dtype, q->dtype);
        assert_int_equal(p->rows, q->rows);
        size_t row = (size_t)p->width * pg_dtype_size(p->dtype);
        assert_memory_equal(p->data, q->data, (embed ? (size_t)kept : (size_t)p->rows) * row);
        for (int64_t i = 0; embed && i < p->width; i++) {
            double mean = 0;
            for (int64_t r = 0; r < kept; r++)
                mean += (double)((const float *)p->data)[r * p->width + i] / (double)kept;
            assert_true(fabs(mean - (double)((const float *)p->data)[kept * p->width + i]) < 1e-7);
        }
    }
    assert_false(pg_weights_next(&b, &old));
    assert_int_equal(made->weights->config.image_token, kept);
    assert_int_equal(made->weights->config.vision.side, from->weights->config.vision.side);
    pg_model_close(made);
    pg_model_close(from);
}

static void there_and_back_is_the_same_model(void **state)
{
    (void)state;
    pg_model_conversion made;
    pg_model_convert_options options;
    pg_model_convert_options_init(&options);
    options.compress = true;
    CHECK_OK(pg_model_convert(&made, folder_file("t.npz"), SHARDED, &options));
    assert_true(made.checked);
    assert_non_null(strstr(made.lost, "nor the embedding's last 37 rows"));
    pg_model_conversion_free(&made);
    options.compress = false;
    options.tokenizer = SHARDED;
    CHECK_OK(pg_model_convert(&made, folder_file("back"), folder_file("t.npz"), &options));
    assert_non_null(strstr(made.lost, "rows 2651 to 2687"));
    pg_model_conversion_free(&made);
    check_same(folder_file("back"), SHARDED);

    options.config = SHARDED "/config.json";
    options.unchecked = true;
    CHECK_OK(pg_model_convert(&made, folder_file("again"), folder_file("t.npz"), &options));
    assert_false(made.checked);
    pg_model_conversion_free(&made);
    check_same(folder_file("again"), SHARDED);
}

static pg_status convert_with(const char *to, const char *from, const char *tokenizer, const char *config)
{
    pg_model_conversion made;
    pg_model_convert_options options;
    pg_model_convert_options_init(&options);
    options.tokenizer = tokenizer;
    options.config = config;
    pg_status status = pg_model_convert(&made, to, from, &options);
    pg_model_conversion_free(&made);
    return status;
}

/* Every weight has the same bits, and both give the same embeddings or logits. */
static void check_equal(const char *made_folder, const char *from_folder)
{
    pg_model *made = open_model(made_folder), *from = open_model(from_folder);
    pg_weight_walk a = {.weights = made->weights}, b = {.weights = from->weights};
    pg_weight_entry new, old;
    double difference, largest;
    while (pg_weights_next(&a, &new)) {
        assert_true(pg_weights_next(&b, &old));
        assert_int_equal(new.parameter->dtype, old.parameter->dtype);
        assert_int_equal(pg_parameter_bytes(new.parameter), pg_parameter_bytes(old.parameter));
        assert_memory_equal(new.parameter->data, old.parameter->data, (size_t)pg_parameter_bytes(old.parameter));
    }
    assert_false(pg_weights_next(&b, &old));
    CHECK_OK(pg_model_compare_outputs(&difference, &largest, made, from, 1));
    assert_true(difference == 0 && largest > 0);
    pg_model_close(made);
    pg_model_close(from);
}

static void others_come_back_as_they_went(void **state)
{
    (void)state;
    CHECK_OK(convert_with(folder_file("siglip"), folder_file("siglip.npz"), SIGLIP, NULL));
    check_equal(folder_file("siglip"), SIGLIP);
    CHECK_OK(convert_with(folder_file("siglip-2"), folder_file("siglip.npz"), SIGLIP, SIGLIP "/config.json"));
    check_equal(folder_file("siglip-2"), SIGLIP);
    CHECK_OK(convert_with(folder_file("gemma"), folder_file("gemma.npz"), GEMMA, NULL));
    check_equal(folder_file("gemma"), GEMMA);
    CHECK_FAILS(convert_with(folder_file("a"), folder_file("gemma.npz"), NULL, SIGLIP "/config.json"), PG_ERROR_FORMAT,
                "the arrays are those of a Gemma, config.json says SigLIP");
}

/* A copy of an .npz, each name as `rename` makes it. */
static void rename_arrays(const char *to, const char *from, void rename(char *out, size_t size, const char *name))
{
    static char names[128][128];
    pg_npz *npz;
    pg_array arrays[128];
    CHECK_OK(pg_npz_open(&npz, from));
    size_t count = pg_npz_count(npz);
    assert_true(count <= 128);
    for (size_t i = 0; i < count; i++) {
        void *data;
        arrays[i] = *pg_npz_at(npz, i);
        CHECK_OK(pg_npz_load(&data, npz, pg_npz_at(npz, i)));
        rename(names[i], sizeof names[i], arrays[i].name);
        arrays[i].name = names[i];
        arrays[i].data = data;
    }
    CHECK_OK(pg_npz_save(to, arrays, count, false));
    for (size_t i = 0; i < count; i++)
        pg_free((void *)arrays[i].data);
    pg_npz_close(npz);
}

static void drop_prefix(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s", name + strlen("params/"));
}

static void add_decoder(char *out, size_t size, const char *name)
{
    snprintf(out, size, "params/llm/%s", name);
}

static void names_may_have_prefixes(void **state)
{
    (void)state;
    rename_arrays(folder_file("bare.npz"), folder_file("siglip.npz"), drop_prefix);
    CHECK_OK(convert_with(folder_file("bare"), folder_file("bare.npz"), SIGLIP, NULL));
    check_equal(folder_file("bare"), SIGLIP);
    rename_arrays(folder_file("llm.npz"), folder_file("gemma.npz"), add_decoder);
    CHECK_OK(convert_with(folder_file("llm"), folder_file("llm.npz"), GEMMA, NULL));
    check_equal(folder_file("llm"), GEMMA);
}

/* The layers of SigLIP may also be stacked, as PaliGemma's are. */
static void layers_may_be_stacked(void **state)
{
    (void)state;
    pg_jax_plan plan;
    pg_jax_style style = {PG_MODEL_SIGLIP, "", false};
    pg_model *model = open_model(SIGLIP);
    CHECK_OK(pg_jax_plan_make(&plan, model->weights, &style, 0));
    pg_array *arrays = pg_alloc(plan.array_count, sizeof *arrays);
    for (size_t i = 0; i < plan.array_count; i++)
        arrays[i] = plan.arrays[i].array;
    pg_jax_values values = {.plan = &plan, .threads = 1};
    CHECK_OK(pg_npz_write(folder_file("stacked.npz"), arrays, plan.array_count, false, pg_jax_values_give, &values));
    pg_jax_values_free(&values);
    pg_free(arrays);
    pg_jax_plan_free(&plan);
    pg_model_close(model);
    CHECK_OK(convert_with(folder_file("stacked"), folder_file("stacked.npz"), SIGLIP, NULL));
    check_equal(folder_file("stacked"), SIGLIP);
}

/* A model whose keys have as many heads as its queries. */
static void write_mha_config(const char *path)
{
    pg_buffer text = {0};
    CHECK_OK(pg_file_read(&text, PALIGEMMA "/config.json", 100000));
    char *heads = strstr(text.data, "\"num_key_value_heads\": 1");
    assert_non_null(heads);
    heads[strlen("\"num_key_value_heads\": ")] = '4';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(text.data, 1, text.size, file);
    fclose(file);
    pg_buffer_free(&text);
}

static void keys_of_their_own_share_one_array(void **state)
{
    (void)state;
    pg_create_options create;
    pg_create_options_init(&create);
    write_mha_config(folder_file("mha.json"));
    create.config = folder_file("mha.json");
    create.tokenizer = PALIGEMMA;
    CHECK_OK(pg_model_create(folder_file("mha"), &create));
    CHECK_OK(convert(folder_file("mha.npz"), folder_file("mha"), NULL));
    pg_npz *npz;
    pg_model *model = open_model(folder_file("mha"));
    CHECK_OK(pg_npz_open(&npz, folder_file("mha.npz")));
    assert_null(pg_npz_find(npz, "llm/layers/attn/q_einsum/w"));
    check_place(npz, model->weights, &keys_each);
    pg_npz_close(npz);
    pg_model_close(model);
    CHECK_OK(convert(folder_file("mha-back"), folder_file("mha.npz"), NULL));
    check_same(folder_file("mha-back"), folder_file("mha"));
}

static void dtypes_change_between_folders(void **state)
{
    (void)state;
    static const char *const models[] = {PALIGEMMA, GEMMA, SIGLIP};
    for (size_t i = 0; i < 3; i++) {
        pg_model_conversion made;
        pg_model_convert_options options;
        pg_model_convert_options_init(&options);
        options.shard_size = 300000;
        char half[32], back[32];
        snprintf(half, sizeof half, "bf16-%zu", i);
        snprintf(back, sizeof back, "f32-%zu", i);
        CHECK_OK(pg_model_convert(&made, folder_file(back), models[i], &options));
        assert_true(made.difference == 0 && made.largest > 0);
        assert_null(made.lost);
        pg_model_conversion_free(&made);
        options.dtype = "BF16";
        CHECK_OK(pg_model_convert(&made, folder_file(half), folder_file(back), &options));
        assert_true(made.difference > 0 && made.difference < 0.1 * made.largest);
        assert_string_equal(made.lost, "values are rounded to bf16");
        pg_model_conversion_free(&made);
    }
}

/* ---------------------------------------------------------------- one matrix twice */

/* The tiny model with its embedding written again as an output matrix of its own. */
static void write_untied(const char *folder, float change, bool tied)
{
    pg_model *model = open_model(PALIGEMMA);
    pg_checkpoint *files = model->weights->files;
    size_t count = pg_checkpoint_count(files);
    pg_array *arrays = pg_alloc(count + 1, sizeof *arrays);
    for (size_t i = 0; i < count; i++)
        arrays[i] = *pg_checkpoint_at(files, i);
    const pg_array *embed = model->weights->text.embed.stored;
    float *output = pg_alloc(embed->bytes, 1);
    memcpy(output, embed->data, embed->bytes);
    output[77] += change;
    arrays[count] = *embed;
    arrays[count].name = "language_model.lm_head.weight";
    arrays[count].data = output;
    char path[600];
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    CHECK_OK(pg_safetensors_save(path, arrays, count + 1));
    json_t *config;
    CHECK_OK(pg_json_load(&config, PALIGEMMA "/config.json"));
    json_object_set_new(json_object_get(config, "text_config"), "tie_word_embeddings", json_boolean(tied));
    snprintf(path, sizeof path, "%s/config.json", folder);
    CHECK_OK(pg_json_save(config, path));
    json_decref(config);
    pg_free(output);
    pg_free(arrays);
    pg_model_close(model);
}

static void an_output_matrix_that_is_the_embedding_goes(void **state)
{
    (void)state;
    write_untied(folder_file("double"), 0, false);
    CHECK_OK(convert(folder_file("single"), folder_file("double"), NULL));
    pg_model *model = open_model(folder_file("single"));
    assert_true(model->weights->config.text.tied);
    assert_null(pg_checkpoint_find(model->weights->files, "language_model.lm_head.weight"));
    pg_model_close(model);
    CHECK_OK(convert(folder_file("double.npz"), folder_file("double"), NULL));

    write_untied(folder_file("untied"), 1, false);
    CHECK_OK(convert(folder_file("untied-copy"), folder_file("untied"), NULL));
    model = open_model(folder_file("untied-copy"));
    assert_false(model->weights->config.text.tied);
    pg_model_close(model);
    CHECK_FAILS(convert(folder_file("untied.npz"), folder_file("untied"), NULL), PG_ERROR_UNSUPPORTED,
                "language_model.lm_head.weight (text.output): big_vision's PaliGemma has no such weight");
    CHECK_FAILS(convert(folder_file("untied.gguf"), folder_file("untied"), NULL), PG_ERROR_UNSUPPORTED,
                "llama.cpp's Gemma has no such weight");
}

static void an_output_matrix_that_config_json_denies_is_lost(void **state)
{
    (void)state;
    pg_model_conversion made;
    write_untied(folder_file("denied"), 1, true);
    CHECK_OK(pg_model_convert(&made, folder_file("denied-copy"), folder_file("denied"), NULL));
    assert_string_equal(made.lost, "an output matrix that is not the embedding, as config.json says that it is");
    pg_model_conversion_free(&made);
}

/* ---------------------------------------------------------------- GGUF */

static void gguf_has_the_decoder(void **state)
{
    (void)state;
    static const char *const models[] = {PALIGEMMA, GEMMA};
    for (size_t i = 0; i < 2; i++) {
        char path[32];
        snprintf(path, sizeof path, "%zu.gguf", i);
        CHECK_OK(convert(folder_file(path), models[i], "F16"));
        pg_gguf *file;
        pg_model *model = open_model(models[i]);
        const pg_gemma *text = &model->weights->text;
        CHECK_OK(pg_gguf_open(&file, folder_file(path)));
        assert_int_equal(pg_gguf_count(file), 2 + 9 * text->config.layers);
        const pg_array *norm = pg_gguf_find(file, "blk.2.ffn_norm.weight");
        const pg_array *up = pg_gguf_find(file, "blk.1.ffn_up.weight");
        assert_int_equal(norm->dtype, PG_F32);
        assert_true(((const float *)norm->data)[5] == ((const float *)text->layers[2].post_norm.data)[5] + 1);
        assert_int_equal(up->dtype, PG_F16);
        assert_int_equal(up->shape[0], text->config.mlp);
        assert_int_equal(up->shape[1], text->config.width);
        assert_int_equal(((const uint16_t *)up->data)[70],
                         pg_f16_from_float(((const float *)text->layers[1].up.data)[70]));
        pg_gguf_close(file);
        pg_model_close(model);
    }
}

/* A file's scores of tokens, behind their key: types of list and element, their number, then floats. */
static float *read_scores(size_t *count, const char *path)
{
    static const char key[] = "tokenizer.ggml.scores";
    pg_buffer bytes = {0};
    CHECK_OK(pg_file_read(&bytes, path, 1 << 24));
    const char *at = memmem(bytes.data, bytes.size, key, strlen(key));
    assert_non_null(at);
    at += strlen(key) + 8;
    memcpy(count, at, sizeof *count);
    float *scores = pg_alloc(*count, sizeof *scores);
    memcpy(scores, at + sizeof *count, *count * sizeof *scores);
    pg_buffer_free(&bytes);
    return scores;
}

/* SentencePiece's way: of all neighbours that make a piece, the one with the best score is joined first. `ends` are
 * where the parts of a text end. */
static size_t merge_by_scores(int32_t *ids, const pg_tokenizer *tokenizer, const float *scores, const char *text)
{
    size_t ends[64], count = 0;
    for (size_t i = 0; text[i];) {
        i++;
        while ((text[i] & 0xc0) == 0x80)
            i++;
        ends[count++] = i;
    }
    for (;;) {
        size_t best = count;
        float best_score = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            size_t first = i ? ends[i - 1] : 0;
            int32_t id = pg_vocab_find(&tokenizer->vocab, text + first, ends[i + 1] - first);
            if (id >= 0 && (best == count || scores[id] > best_score)) {
                best = i;
                best_score = scores[id];
            }
        }
        if (best == count)
            break;
        memmove(ends + best, ends + best + 1, (--count - best) * sizeof *ends);
    }
    for (size_t i = 0; i < count; i++)
        ids[i] = pg_vocab_find(&tokenizer->vocab, text + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
    return count;
}

static void gguf_scores_make_the_same_tokens(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"The cow", "The\xe2\x96\x81"
                                                       "cow"},
                                           {"where is the other one", "where\xe2\x96\x81is\xe2\x96\x81the\xe2\x96\x81"
                                                                      "other\xe2\x96\x81one"},
                                           {"international", "international"}};
    static const char *const models[] = {PALIGEMMA, GEMMA};
    for (size_t m = 0; m < 2; m++) {
        char path[32];
        size_t count;
        snprintf(path, sizeof path, "%zu.gguf", m);
        float *scores = read_scores(&count, folder_file(path));
        pg_model *model = open_model(models[m]);
        assert_int_equal(count, model->weights->config.text.vocabulary);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            int32_t *expected, found[64];
            size_t expected_count;
            CHECK_OK(pg_tokenizer_encode(&expected, &expected_count, model->tokenizer, texts[i][0], SIZE_MAX, 0));
            assert_int_equal(merge_by_scores(found, model->tokenizer, scores, texts[i][1]), expected_count);
            assert_memory_equal(found, expected, expected_count * sizeof *found);
            pg_free(expected);
        }
        pg_model_close(model);
        pg_free(scores);
    }
}

/* ---------------------------------------------------------------- what is refused */

/* The .npz again with array `changed` replaced (NULL data: left out) and, with a prefix, all named so. */
static const char *write_npz(const char *name, const pg_array *changed, const char *prefix, bool further)
{
    static char names[64][128];
    pg_npz *npz;
    pg_array arrays[64];
    size_t count = 0;
    CHECK_OK(pg_npz_open(&npz, folder_file("places.npz")));
    for (size_t i = 0; i < pg_npz_count(npz); i++) {
        void *data;
        const pg_array *found = pg_npz_at(npz, i);
        bool this = changed && !strcmp(changed->name, found->name);
        CHECK_OK(pg_npz_load(&data, npz, found));
        arrays[count] = this ? *changed : *found;
        if (!this || changed->data)
            arrays[count].data = data;
        else
            pg_free(data);
        snprintf(names[count], sizeof names[count], "%s%s", prefix, found->name);
        arrays[count].name = names[count];
        count += !this || changed->data != NULL;
    }
    if (further)
        arrays[count] = (pg_array){"opt/momentum", PG_F32, 1, {2}, "abcdefgh", 8};
    CHECK_OK(pg_npz_save(folder_file(name), arrays, count + further, false));
    for (size_t i = 0; i < count; i++)
        pg_free((void *)arrays[i].data);
    pg_npz_close(npz);
    return folder_file(name);
}

static void malformed_files_are_refused(void **state)
{
    (void)state;
    char out[512];
    snprintf(out, sizeof out, "%s", folder_file("none"));
    const pg_array missing = {.name = "img/head/bias"}, shapeless = {.name = "llm/layers/mlp/gating_einsum"};
    const pg_array flat = {"img/embedding/kernel", PG_F32, 1, {14}, "", 0};
    const pg_array odd = {"img/pos_embedding", PG_F32, 3, {1, 15, 48}, "", 0};
    const pg_array none = {"img/embedding/kernel", PG_F32, 4, {0, 14, 3, 48}, "", 0};
    const pg_array other = {"llm/layers/mlp/linear", PG_F32, 3, {3, 64, 160}, "", 0};
    const pg_array whole = {"llm/final_norm/scale", PG_I32, 1, {64}, "", 0};
    CHECK_FAILS(convert(out, write_npz("1.npz", &missing, "", false), NULL), PG_ERROR_FORMAT,
                "the array \"img/head/bias\" is missing");
    CHECK_FAILS(convert(out, write_npz("2.npz", &shapeless, "", false), NULL), PG_ERROR_FORMAT,
                "the array \"llm/layers/mlp/gating_einsum\" is missing; expected big_vision's PaliGemma");
    CHECK_FAILS(convert(out, write_npz("3.npz", &flat, "", false), NULL), PG_ERROR_FORMAT,
                "img/embedding/kernel: shape [14], expected 4 dimensions");
    CHECK_FAILS(convert(out, write_npz("4.npz", &odd, "", false), NULL), PG_ERROR_FORMAT, "are no square");
    CHECK_FAILS(convert(out, write_npz("5.npz", &none, "", false), NULL), PG_ERROR_FORMAT, "are no square");
    CHECK_FAILS(convert(out, write_npz("6.npz", &other, "", false), NULL), PG_ERROR_FORMAT,
                "llm/layers/mlp/linear: shape [3, 64, 160], expected [3, 160, 64]");
    CHECK_FAILS(convert(out, write_npz("7.npz", &whole, "", false), NULL), PG_ERROR_UNSUPPORTED,
                "llm/final_norm/scale: dtype I32, expected F32, F16 or BF16");
    CHECK_FAILS(convert(out, write_npz("8.npz", NULL, "", true), NULL), PG_ERROR_FORMAT,
                "the array \"opt/momentum\" is not part of big_vision's PaliGemma");
    assert_false(pg_file_exists(out));
    CHECK_OK(convert(folder_file("prefixed"), write_npz("9.npz", NULL, "params/", true), NULL));
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    int before = folder_count();
    CHECK_FAILS(convert(folder_file("a.gguf"), SIGLIP, NULL), PG_ERROR_UNSUPPORTED, "which has no decoder");
    CHECK_FAILS(convert(folder_file("places.npz"), PALIGEMMA, NULL), PG_ERROR_FILE, "exists already");
    CHECK_FAILS(convert(folder_file("a"), folder_file("0.gguf"), NULL), PG_ERROR_UNSUPPORTED,
                "GGUF files are written, not read");
    CHECK_FAILS(convert(folder_file("a.gguf"), folder_file("places.npz"), NULL), PG_ERROR_ARGUMENT,
                "an .npz becomes a folder");
    CHECK_FAILS(convert(folder_file("a"), "nowhere", NULL), PG_ERROR_FILE, "nowhere: no such folder");
    CHECK_FAILS(convert(folder_file("a"), PALIGEMMA, "I8"), PG_ERROR_ARGUMENT, "dtype: \"I8\"");
    pg_model_conversion made;
    pg_model_convert_options options;
    pg_model_convert_options_init(&options);
    options.compress = true;
    CHECK_FAILS(pg_model_convert(&made, folder_file("a"), PALIGEMMA, &options), PG_ERROR_ARGUMENT,
                "only an .npz can be compressed");
    options = (pg_model_convert_options){.shard_size = 1000};
    CHECK_FAILS(pg_model_convert(&made, folder_file("a.gguf"), PALIGEMMA, &options), PG_ERROR_ARGUMENT,
                "only a folder can have shards");
    options = (pg_model_convert_options){.tokenizer = PALIGEMMA};
    CHECK_FAILS(pg_model_convert(&made, folder_file("a"), PALIGEMMA, &options), PG_ERROR_ARGUMENT,
                "has its own config.json and tokenizer");
    assert_int_equal(folder_count(), before);
}

/* Another model's values are seen. */
static void a_wrong_value_is_seen(void **state)
{
    (void)state;
    pg_jax_plan plan;
    pg_jax_file file;
    pg_model *model = open_model(PALIGEMMA);
    pg_jax_style style = pg_jax_style_of(PG_MODEL_PALIGEMMA);
    CHECK_OK(pg_jax_plan_make(&plan, model->weights, &style, 3144));
    CHECK_OK(pg_jax_file_open(&file, folder_file("places.npz")));
    pg_jax_values values = {.plan = &plan, .threads = 1};
    CHECK_OK(pg_jax_file_compare(&file, &values));
    pg_parameter *down = &model->weights->text.layers[1].down;
    float *changed = pg_alloc((size_t)(down->rows * down->width), sizeof *changed);
    memcpy(changed, down->data, (size_t)(down->rows * down->width) * sizeof *changed);
    changed[33] += 0x1p-20f;
    down->data = changed;
    pg_jax_values again = {.plan = &plan, .threads = 1};
    CHECK_FAILS(pg_jax_file_compare(&file, &again), PG_ERROR_FORMAT,
                "llm/layers/mlp/linear: values 0 to 30719 are not those of the model");
    pg_jax_values_free(&values);
    pg_jax_values_free(&again);
    pg_jax_file_close(&file);
    pg_jax_plan_free(&plan);
    pg_model_close(model);
    pg_free(changed);
}

/* ---------------------------------------------------------------- memory */

static pg_status convert_unchecked(const char *to, const char *from)
{
    pg_model_conversion made;
    pg_model_convert_options options;
    pg_model_convert_options_init(&options);
    options.unchecked = true;
    options.threads = 1;
    options.config = strstr(from, ".npz") ? PALIGEMMA "/config.json" : NULL;
    pg_status status = pg_model_convert(&made, to, from, &options);
    pg_model_conversion_free(&made);
    return status;
}

static pg_status convert_siglip_unchecked(const char *to, const char *from)
{
    pg_model_conversion made;
    const pg_model_convert_options options = {.unchecked = true, .threads = 1, .config = SIGLIP "/config.json"};
    pg_status status = pg_model_convert(&made, to, from, &options);
    pg_model_conversion_free(&made);
    return status;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    int before = folder_count();
    write_untied(folder_file("small"), 0, false); /* without the tokenizer, which has sweeps of its own */
    CHECK_SWEEP(convert_unchecked(folder_file("swept.npz"), folder_file("small")));
    CHECK_SWEEP(convert_unchecked(folder_file("swept"), folder_file("swept.npz")));
    CHECK_SWEEP(convert_unchecked(folder_file("swept-copy"), folder_file("small")));
    CHECK_SWEEP(convert_siglip_unchecked(folder_file("swept-siglip"), folder_file("siglip.npz")));
    assert_int_equal(folder_count(), before + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_where_the_layout_says),
        cmocka_unit_test(other_models_have_their_own_layout),
        cmocka_unit_test(there_and_back_is_the_same_model),
        cmocka_unit_test(others_come_back_as_they_went),
        cmocka_unit_test(names_may_have_prefixes),
        cmocka_unit_test(layers_may_be_stacked),
        cmocka_unit_test(keys_of_their_own_share_one_array),
        cmocka_unit_test(dtypes_change_between_folders),
        cmocka_unit_test(an_output_matrix_that_is_the_embedding_goes),
        cmocka_unit_test(an_output_matrix_that_config_json_denies_is_lost),
        cmocka_unit_test(gguf_has_the_decoder),
        cmocka_unit_test(gguf_scores_make_the_same_tokens),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_wrong_value_is_seen),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

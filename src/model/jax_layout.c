#include "model/jax_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---------------------------------------------------------------- the table */

/* How a weight's values are ordered there, and the shape that they are given. */
typedef enum jax_form {
    PLAIN,       /* as published */
    GRID,        /* [patches, width] as [1, patches, width] */
    PATCH,       /* [width, channels, rows, columns] as [rows, columns, channels, width] */
    MATRIX,      /* [outputs, inputs] as [inputs, outputs] */
    HEADS_OUT,   /* [heads * size, width] as [width, heads, size] */
    HEADS_BIAS,  /* [heads * size] as [heads, size] */
    HEADS_IN,    /* [width, heads * size] as [heads, size, width] */
    HEADS_FIRST, /* [heads * size, width] as [heads, width, size] */
} jax_form;

typedef enum jax_condition { ALWAYS, KEYS_SHARED, KEYS_EACH } jax_condition;

struct pg_jax_rule {
    const char *ours; /* as in the table of weights */
    const char *array;
    jax_form form;
    int stack;       /* weights of a layer that the array has; 0: one, without an axis for them */
    int part, parts; /* which of how many parts of the weight it has; parts 0: all of it */
    jax_condition condition;
};

#define DECODER  "llm/" /* a Gemma alone is called without it */
#define BLOCK    "encoderblock/"
#define IMAGES   "img/Transformer/"
#define WORDS    "txt/Encoder_0/"
#define HEADS    "MultiHeadDotProductAttention_0/"
#define POOL     "img/MAPHead_0/"
#define EMBEDDER "embedder/input_embedding"

/* A layer of SigLIP, which both towers have. */
#define SIGLIP_LAYER(ours, theirs)                                                 \
    {ours ".norm1", theirs BLOCK "LayerNorm_0/scale", .form = PLAIN},              \
        {ours ".norm1_bias", theirs BLOCK "LayerNorm_0/bias", .form = PLAIN},      \
        {ours ".q", theirs BLOCK HEADS "query/kernel", .form = HEADS_OUT},         \
        {ours ".q_bias", theirs BLOCK HEADS "query/bias", .form = HEADS_BIAS},     \
        {ours ".k", theirs BLOCK HEADS "key/kernel", .form = HEADS_OUT},           \
        {ours ".k_bias", theirs BLOCK HEADS "key/bias", .form = HEADS_BIAS},       \
        {ours ".v", theirs BLOCK HEADS "value/kernel", .form = HEADS_OUT},         \
        {ours ".v_bias", theirs BLOCK HEADS "value/bias", .form = HEADS_BIAS},     \
        {ours ".out", theirs BLOCK HEADS "out/kernel", .form = HEADS_IN},          \
        {ours ".out_bias", theirs BLOCK HEADS "out/bias", .form = PLAIN},          \
        {ours ".norm2", theirs BLOCK "LayerNorm_1/scale", .form = PLAIN},          \
        {ours ".norm2_bias", theirs BLOCK "LayerNorm_1/bias", .form = PLAIN},      \
        {ours ".fc1", theirs BLOCK "MlpBlock_0/Dense_0/kernel", .form = MATRIX},   \
        {ours ".fc1_bias", theirs BLOCK "MlpBlock_0/Dense_0/bias", .form = PLAIN}, \
        {ours ".fc2", theirs BLOCK "MlpBlock_0/Dense_1/kernel", .form = MATRIX},   \
    {                                                                              \
        ours ".fc2_bias", theirs BLOCK "MlpBlock_0/Dense_1/bias", .form = PLAIN    \
    }

static const struct pg_jax_rule rules[] = {
    {"vision.patch", "img/embedding/kernel", .form = PATCH},
    {"vision.patch_bias", "img/embedding/bias", .form = PLAIN},
    {"vision.position", "img/pos_embedding", .form = GRID},
    SIGLIP_LAYER("vision.layer.%d", IMAGES),
    {"vision.norm", IMAGES "encoder_norm/scale", .form = PLAIN},
    {"vision.norm_bias", IMAGES "encoder_norm/bias", .form = PLAIN},
    {"vision.head.probe", POOL "probe", .form = PLAIN},
    {"vision.head.in", POOL HEADS "query/kernel", .form = HEADS_OUT, .part = 0, .parts = 3},
    {"vision.head.in", POOL HEADS "key/kernel", .form = HEADS_OUT, .part = 1, .parts = 3},
    {"vision.head.in", POOL HEADS "value/kernel", .form = HEADS_OUT, .part = 2, .parts = 3},
    {"vision.head.in_bias", POOL HEADS "query/bias", .form = HEADS_BIAS, .part = 0, .parts = 3},
    {"vision.head.in_bias", POOL HEADS "key/bias", .form = HEADS_BIAS, .part = 1, .parts = 3},
    {"vision.head.in_bias", POOL HEADS "value/bias", .form = HEADS_BIAS, .part = 2, .parts = 3},
    {"vision.head.out", POOL HEADS "out/kernel", .form = HEADS_IN},
    {"vision.head.out_bias", POOL HEADS "out/bias", .form = PLAIN},
    {"vision.head.norm", POOL "LayerNorm_0/scale", .form = PLAIN},
    {"vision.head.norm_bias", POOL "LayerNorm_0/bias", .form = PLAIN},
    {"vision.head.fc1", POOL "MlpBlock_0/Dense_0/kernel", .form = MATRIX},
    {"vision.head.fc1_bias", POOL "MlpBlock_0/Dense_0/bias", .form = PLAIN},
    {"vision.head.fc2", POOL "MlpBlock_0/Dense_1/kernel", .form = MATRIX},
    {"vision.head.fc2_bias", POOL "MlpBlock_0/Dense_1/bias", .form = PLAIN},
    {"projector", "img/head/kernel", .form = MATRIX},
    {"projector_bias", "img/head/bias", .form = PLAIN},
    {"text.embed", DECODER EMBEDDER, .form = PLAIN},
    {"text.layer.%d.input_norm", DECODER "layers/pre_attention_norm/scale", .form = PLAIN},
    {"text.layer.%d.q", DECODER "layers/attn/q_einsum/w", .form = HEADS_FIRST, .condition = KEYS_SHARED},
    {"text.layer.%d.k", DECODER "layers/attn/kv_einsum/w", .form = HEADS_FIRST, .stack = 2, .condition = KEYS_SHARED},
    {"text.layer.%d.v", DECODER "layers/attn/kv_einsum/w", .form = HEADS_FIRST, .stack = 2, .condition = KEYS_SHARED},
    {"text.layer.%d.q", DECODER "layers/attn/qkv_einsum/w", .form = HEADS_FIRST, .stack = 3, .condition = KEYS_EACH},
    {"text.layer.%d.k", DECODER "layers/attn/qkv_einsum/w", .form = HEADS_FIRST, .stack = 3, .condition = KEYS_EACH},
    {"text.layer.%d.v", DECODER "layers/attn/qkv_einsum/w", .form = HEADS_FIRST, .stack = 3, .condition = KEYS_EACH},
    {"text.layer.%d.o", DECODER "layers/attn/attn_vec_einsum/w", .form = HEADS_IN},
    {"text.layer.%d.post_norm", DECODER "layers/pre_ffw_norm/scale", .form = PLAIN},
    {"text.layer.%d.gate", DECODER "layers/mlp/gating_einsum", .form = MATRIX, .stack = 2},
    {"text.layer.%d.up", DECODER "layers/mlp/gating_einsum", .form = MATRIX, .stack = 2},
    {"text.layer.%d.down", DECODER "layers/mlp/linear", .form = MATRIX},
    {"text.norm", DECODER "final_norm/scale", .form = PLAIN},
    {"words.token", "txt/Embed_0/embedding", .form = PLAIN},
    {"words.position", "txt/pos_embedding", .form = GRID},
    SIGLIP_LAYER("words.layer.%d", WORDS),
    {"words.norm", WORDS "encoder_norm/scale", .form = PLAIN},
    {"words.norm_bias", WORDS "encoder_norm/bias", .form = PLAIN},
    {"words.head", "txt/head/kernel", .form = MATRIX},
    {"words.head_bias", "txt/head/bias", .form = PLAIN},
    {"logit_scale", "t", .form = PLAIN},
    {"logit_bias", "b", .form = PLAIN},
};
#define RULES (sizeof rules / sizeof *rules)

static bool is_apart(const struct pg_jax_rule *rule, const pg_jax_style *style)
{
    return style->apart && strstr(rule->array, BLOCK);
}

static bool is_stacked(const struct pg_jax_rule *rule, const pg_jax_style *style)
{
    return strchr(rule->ours, '%') && !is_apart(rule, style);
}

/* The next rule for the weight behind `last` (NULL: the first). */
static const struct pg_jax_rule *find_rule(const pg_config *config, const pg_weight_entry *entry,
                                           const struct pg_jax_rule *last)
{
    bool shared = config->text.heads != config->text.kv_heads;
    for (const struct pg_jax_rule *rule = last ? last + 1 : rules; rule < rules + RULES; rule++) {
        bool applies = rule->condition == ALWAYS || (rule->condition == KEYS_SHARED) == shared;
        if (applies && !strcmp(rule->ours, entry->rule))
            return rule;
    }
    return NULL;
}

/* ---------------------------------------------------------------- names */

const char *pg_jax_kind_name(pg_model_kind kind)
{
    static const char *const names[] = {"PaliGemma", "Gemma", "SigLIP"};
    return names[kind];
}

pg_jax_style pg_jax_style_of(pg_model_kind kind)
{
    bool siglip = kind == PG_MODEL_SIGLIP;
    return (pg_jax_style){.kind = kind, .prefix = siglip ? "params/" : "", .apart = siglip};
}

/* What an array is called; that of a layer which has its own: "a/encoderblock_3/b". */
static void name_array(char out[PG_JAX_NAME], const char *prefix, const char *array, bool apart, int64_t layer)
{
    const char *block = apart ? strstr(array, BLOCK) : NULL;
    if (block) {
        const char *slash = block + strlen(BLOCK) - 1;
        snprintf(out, PG_JAX_NAME, "%s%.*s_%lld%s", prefix, (int)(slash - array), array, (long long)layer, slash);
    } else {
        snprintf(out, PG_JAX_NAME, "%s%s", prefix, array);
    }
}

/* A decoder's array, as files of that kind call it. */
static const char *decoder_name(const char *array, pg_model_kind kind)
{
    return array + (kind == PG_MODEL_GEMMA ? strlen(DECODER) : 0);
}

const char *pg_jax_embedding(pg_model_kind kind)
{
    return decoder_name(DECODER EMBEDDER, kind);
}

pg_jax_style pg_jax_find_style(pg_jax_find *find, void *user, bool has_parameters)
{
    static const struct {
        const char *has, *prefix[2]; /* without and with "params/" */
        pg_model_kind kind;
    } signs[] = {
        {"txt/Embed_0/embedding", {"", "params/"}, PG_MODEL_SIGLIP},
        {EMBEDDER, {"", "params/"}, PG_MODEL_GEMMA},
        {"img/embedding/kernel", {"", "params/"}, PG_MODEL_PALIGEMMA},
        {DECODER EMBEDDER, {DECODER, "params/" DECODER}, PG_MODEL_GEMMA},
    };
    char name[PG_JAX_NAME];
    pg_jax_style style = {.kind = PG_MODEL_PALIGEMMA, .prefix = has_parameters ? "params/" : ""};
    const char *top = style.prefix;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        snprintf(name, sizeof name, "%s%s", top, signs[i].has);
        if (!find(user, name))
            continue;
        style.kind = signs[i].kind;
        style.prefix = signs[i].prefix[has_parameters];
        break;
    }
    snprintf(name, sizeof name, "%s" IMAGES "encoderblock_0/LayerNorm_0/scale", top);
    style.apart = find(user, name) != NULL;
    return style;
}

/* ---------------------------------------------------------------- shapes and orders */

/* Two dimensions swapped, in each of `groups`. */
static pg_jax_order swapped(int64_t groups, int64_t rows, int64_t columns)
{
    return (pg_jax_order){.published = {1, groups, rows, columns}, .axes = {0, 1, 3, 2}};
}

static pg_jax_order order_of(jax_form form, const pg_weight_entry *entry, int64_t heads)
{
    const int64_t *s = entry->shape;
    switch (form) {
    case PATCH: return (pg_jax_order){.published = {s[0], s[1], s[2], s[3]}, .axes = {2, 3, 1, 0}};
    case MATRIX:
    case HEADS_OUT:
    case HEADS_IN: return swapped(1, s[0], s[1]);
    case HEADS_FIRST: return swapped(heads, s[0] / heads, s[1]);
    case PLAIN:
    case GRID: break;
    case HEADS_BIAS: return (pg_jax_order){.published = {1, 1, 1, s[0]}, .axes = {0, 1, 2, 3}, .same = true};
    }
    return (pg_jax_order){.published = {1, 1, entry->parameter->rows, entry->parameter->width},
                          .axes = {0, 1, 2, 3},
                          .same = true};
}

static int64_t tower_heads(const pg_config *config, const pg_weight_entry *entry)
{
    return entry->part == PG_PART_WORDS ? config->words.heads : config->vision.heads;
}

/* Of the attention that the weight belongs to. */
static int64_t heads_of(const pg_config *config, const pg_weight_entry *entry)
{
    return entry->part == PG_PART_TEXT ? entry->shape[0] / config->text.size : tower_heads(config, entry);
}

static int64_t heads_in(const pg_config *config, const pg_weight_entry *entry)
{
    return entry->part == PG_PART_TEXT ? config->text.heads : tower_heads(config, entry);
}

static void add_dimension(pg_array *array, int64_t length)
{
    array->shape[array->dimensions++] = length;
}

static void add_dimensions(pg_array *array, const int64_t *lengths, int count)
{
    for (int i = 0; i < count; i++)
        add_dimension(array, lengths[i]);
}

/* Of one weight's block: what stands behind the layers and the stack. */
static void add_form(pg_array *array, const pg_config *config, const pg_jax_block *block, jax_form form)
{
    const pg_weight_entry *entry = &block->entry;
    const int64_t *s = entry->shape;
    int64_t heads = heads_of(config, entry), in = heads_in(config, entry);
    switch (form) {
    case GRID:
        add_dimension(array, 1);
        add_dimensions(array, s, entry->dimensions);
        break;
    case PATCH: add_dimensions(array, (const int64_t[]){s[2], s[3], s[1], s[0]}, 4); break;
    case MATRIX: add_dimensions(array, (const int64_t[]){s[1], s[0]}, 2); break;
    case HEADS_OUT: add_dimensions(array, (const int64_t[]){s[1], heads, s[0] / heads}, 3); break;
    case HEADS_BIAS: add_dimensions(array, (const int64_t[]){heads, s[0] / heads}, 2); break;
    case HEADS_IN: add_dimensions(array, (const int64_t[]){in, s[1] / in, s[0]}, 3); break;
    case HEADS_FIRST: add_dimensions(array, (const int64_t[]){heads, s[1], s[0] / heads}, 3); break;
    case PLAIN:
        add_dimensions(array, s, entry->dimensions);
        if (entry->dimensions > 1)
            array->shape[array->dimensions - entry->dimensions] = block->rows;
        break;
    }
}

static pg_dtype dtype_of(const pg_jax_block *block)
{
    const pg_parameter *p = block->entry.parameter;
    return p->quantized.bits ? PG_BF16 : p->dtype;
}

static pg_status shape_array(pg_jax_array *made, const pg_jax_plan *plan, const pg_config *config,
                             const pg_jax_style *style)
{
    const struct pg_jax_rule *rule = made->rule;
    const pg_jax_block *first = &plan->blocks[made->blocks[0]];
    made->array = (pg_array){.name = made->name, .dtype = dtype_of(first)};
    for (size_t i = 1; i < made->count; i++)
        if (dtype_of(&plan->blocks[made->blocks[i]]) != made->array.dtype)
            made->array.dtype = PG_F32;
    if (is_stacked(rule, style))
        add_dimension(&made->array, (int64_t)made->count / (rule->stack ? rule->stack : 1));
    if (rule->stack)
        add_dimension(&made->array, rule->stack);
    add_form(&made->array, config, first, rule->form);
    return pg_array_size(&made->array.bytes, &made->array)
               ? PG_OK
               : pg_fail(PG_ERROR_LIMIT, "%s: the array is too large", made->name);
}

/* ---------------------------------------------------------------- the plan */

/* The array of that name; a new one where there is none yet. */
static pg_status find_array(size_t *out, pg_jax_plan *plan, const struct pg_jax_rule *rule, const char *name)
{
    for (*out = plan->array_count; (*out)-- > 0;)
        if (!strcmp(plan->arrays[*out].name, name))
            return PG_OK;
    PG_TRY(pg_grow((void **)&plan->arrays, &plan->array_capacity, plan->array_count + 1, sizeof *plan->arrays));
    *out = plan->array_count++;
    plan->arrays[*out] = (pg_jax_array){.rule = rule};
    snprintf(plan->arrays[*out].name, PG_JAX_NAME, "%s", name);
    return PG_OK;
}

static pg_jax_block make_block(const pg_config *config, const pg_weight_entry *entry, const struct pg_jax_rule *rule,
                               int64_t tokens)
{
    pg_jax_block block = {.entry = *entry, .rows = entry->parameter->rows, .part = (size_t)rule->part, .parts = 1};
    if (rule->parts) {
        block.parts = (size_t)rule->parts;
        block.entry.shape[0] /= rule->parts;
    }
    if (!strcmp(rule->ours, "text.embed"))
        block.rows = tokens;
    block.order = order_of(rule->form, &block.entry, heads_of(config, &block.entry));
    block.order.same &= block.parts == 1;
    return block;
}

static pg_status add_block(pg_jax_plan *plan, pg_jax_block block, const struct pg_jax_rule *rule, const char *name)
{
    PG_TRY(find_array(&block.array, plan, rule, name));
    pg_jax_array *array = &plan->arrays[block.array];
    PG_TRY(pg_grow((void **)&array->blocks, &array->capacity, array->count + 1, sizeof *array->blocks));
    PG_TRY(pg_grow((void **)&plan->blocks, &plan->capacity, plan->count + 1, sizeof *plan->blocks));
    block.place = array->count;
    plan->blocks[plan->count] = block;
    array->blocks[array->count++] = plan->count++;
    return PG_OK;
}

/* A block for every array that has the weight, or a part of it. */
static pg_status add_blocks(pg_jax_plan *plan, const pg_config *config, const pg_weight_entry *entry,
                            const pg_jax_style *style, int64_t tokens)
{
    const struct pg_jax_rule *rule = find_rule(config, entry, NULL);
    if (!rule)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s (%s): big_vision's %s has no such weight", entry->published,
                       entry->parameter->name, pg_jax_kind_name(style->kind));
    for (; rule; rule = find_rule(config, entry, rule)) {
        char name[PG_JAX_NAME];
        name_array(name, style->prefix, decoder_name(rule->array, style->kind), is_apart(rule, style), entry->layer);
        PG_TRY(add_block(plan, make_block(config, entry, rule, tokens), rule, name));
    }
    return PG_OK;
}

pg_status pg_jax_plan_make(pg_jax_plan *out, pg_weights *weights, const pg_jax_style *style, int64_t tokens)
{
    const pg_config *config = &weights->config;
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry entry;
    *out = (pg_jax_plan){0};
    while (pg_weights_next(&walk, &entry))
        PG_TRY(add_blocks(out, config, &entry, style, tokens));
    for (size_t i = 0; i < out->array_count; i++)
        PG_TRY(shape_array(&out->arrays[i], out, config, style));
    return PG_OK;
}

void pg_jax_plan_set_dtype(pg_jax_plan *plan, pg_dtype dtype)
{
    for (size_t i = 0; i < plan->array_count; i++) {
        plan->arrays[i].array.dtype = dtype;
        pg_array_size(&plan->arrays[i].array.bytes, &plan->arrays[i].array);
    }
}

void pg_jax_plan_free(pg_jax_plan *plan)
{
    for (size_t i = 0; i < plan->array_count; i++)
        pg_free(plan->arrays[i].blocks);
    pg_free(plan->arrays);
    pg_free(plan->blocks);
    *plan = (pg_jax_plan){0};
}

/* ---------------------------------------------------------------- shapes of a file */

/* A file's arrays, by name. */
typedef struct shape_reader {
    const pg_jax_style *style;
    pg_jax_find *find;
    void *user;
    const char *file;
} shape_reader;

/* Its array of layer i. */
static const pg_array *find_layer(char name[PG_JAX_NAME], const shape_reader *reader, const char *array, int64_t i)
{
    name_array(name, "", array, reader->style->apart, i);
    return reader->find(reader->user, name);
}

static pg_status find_shape(const int64_t **out, const shape_reader *reader, const char *array, int dimensions)
{
    char name[PG_JAX_NAME], shape[PG_SHAPE_TEXT];
    const pg_array *found = find_layer(name, reader, array, 0);
    if (!found)
        return pg_fail(PG_ERROR_FORMAT, "%s: the array \"%s\" is missing; expected big_vision's %s", reader->file, name,
                       pg_jax_kind_name(reader->style->kind));
    if (found->dimensions != dimensions)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: shape %s, expected %d dimensions", reader->file, name,
                       pg_array_shape_text(shape, found), dimensions);
    *out = found->shape;
    return PG_OK;
}

/* The number of layers, of which each has this array, and the array's shape in one of them. */
static pg_status find_layers(int64_t *layers, const int64_t **out, const shape_reader *reader, const char *array,
                             int dimensions)
{
    char name[PG_JAX_NAME];
    bool apart = reader->style->apart;
    PG_TRY(find_shape(out, reader, array, dimensions + !apart));
    *layers = apart ? 1 : *(*out)++;
    while (apart && find_layer(name, reader, array, *layers))
        ++*layers;
    return PG_OK;
}

/* The side of a square of so many patches; 0: it is none. */
static int64_t side_of(int64_t patches)
{
    int64_t side = 0;
    while (side * side < patches && side < PG_SIDE_MAX)
        side++;
    return side * side == patches ? side : 0;
}

/* query, mlp: arrays of a layer. */
static pg_status read_tower(pg_siglip_config *out, const shape_reader *reader, const char *query, const char *mlp)
{
    const int64_t *heads, *hidden;
    int64_t layers;
    PG_TRY(find_layers(&layers, &heads, reader, query, 3));
    PG_TRY(find_layers(&layers, &hidden, reader, mlp, 2));
    *out =
        (pg_siglip_config){.width = heads[0], .mlp = hidden[1], .layers = layers, .heads = heads[1], .epsilon = 1e-6};
    return PG_OK;
}

static pg_status read_vision(pg_siglip_config *out, const shape_reader *reader)
{
    const int64_t *patch, *grid;
    PG_TRY(find_shape(&patch, reader, "img/embedding/kernel", 4));
    PG_TRY(find_shape(&grid, reader, "img/pos_embedding", 3));
    PG_TRY(read_tower(out, reader, IMAGES BLOCK HEADS "query/kernel", IMAGES BLOCK "MlpBlock_0/Dense_0/kernel"));
    out->channels = patch[2];
    out->patch = patch[0];
    int64_t across = side_of(grid[1]);
    if (!across || patch[0] < 1 || patch[0] > PG_SIDE_MAX / across)
        return pg_fail(PG_ERROR_FORMAT, "%s: img/pos_embedding: %lld positions of patches of %lld pixels are no square",
                       reader->file, (long long)grid[1], (long long)patch[0]);
    out->side = across * patch[0];
    return PG_OK;
}

static pg_status read_words(pg_siglip_config *out, const shape_reader *reader)
{
    const int64_t *tokens, *positions, *head;
    PG_TRY(find_shape(&tokens, reader, "txt/Embed_0/embedding", 2));
    PG_TRY(find_shape(&positions, reader, "txt/pos_embedding", 3));
    PG_TRY(find_shape(&head, reader, "txt/head/kernel", 2));
    PG_TRY(read_tower(out, reader, WORDS BLOCK HEADS "query/kernel", WORDS BLOCK "MlpBlock_0/Dense_0/kernel"));
    out->vocabulary = tokens[0];
    out->context = positions[1];
    out->projection = head[1];
    return PG_OK;
}

/* An array of the decoder, whose layers are always stacked. */
static pg_status find_text(const int64_t **out, const shape_reader *reader, const char *array, int dimensions)
{
    return find_shape(out, reader, decoder_name(array, reader->style->kind), dimensions);
}

static pg_status read_text(pg_gemma_config *out, const shape_reader *reader)
{
    static const char together[] = DECODER "layers/attn/qkv_einsum/w";
    const int64_t *embed, *gates, *q, *keys;
    bool each = reader->find(reader->user, decoder_name(together, reader->style->kind)) != NULL;
    PG_TRY(find_text(&embed, reader, DECODER EMBEDDER, 2));
    PG_TRY(find_text(&gates, reader, DECODER "layers/mlp/gating_einsum", 4));
    if (each) {
        PG_TRY(find_text(&keys, reader, together, 5));
        q = keys + 1; /* from the stack on, as the other begins with the layers */
    } else {
        PG_TRY(find_text(&q, reader, DECODER "layers/attn/q_einsum/w", 4));
        PG_TRY(find_text(&keys, reader, DECODER "layers/attn/kv_einsum/w", 5));
    }
    *out = (pg_gemma_config){.width = embed[1],
                             .mlp = gates[3],
                             .layers = gates[0],
                             .heads = q[1],
                             .kv_heads = keys[2],
                             .size = q[3],
                             .vocabulary = embed[0],
                             .context = 8192,
                             .epsilon = 1e-6,
                             .theta = 10000,
                             .tied = true};
    return PG_OK;
}

pg_status pg_jax_read_config(pg_config *out, const pg_jax_style *style, pg_jax_find *find, void *user, const char *file)
{
    const shape_reader reader = {style, find, user, file};
    *out = (pg_config){.kind = style->kind, .bos = 2, .eos = 1, .pad = 0};
    if (style->kind != PG_MODEL_GEMMA)
        PG_TRY(read_vision(&out->vision, &reader));
    if (style->kind != PG_MODEL_SIGLIP)
        PG_TRY(read_text(&out->text, &reader));
    else
        PG_TRY(read_words(&out->words, &reader));
    out->vision.head = style->kind == PG_MODEL_SIGLIP;
    out->projection = out->text.width;
    return PG_OK;
}

/* ---------------------------------------------------------------- values */

#define TILE 32 /* elements of a side: what is read in one order and written in another stays in the cache */

static void copy_element(char *out, const char *in, size_t size)
{
    if (size == sizeof(uint32_t))
        memcpy(out, in, sizeof(uint32_t));
    else
        memcpy(out, in, sizeof(uint16_t));
}

/* out[i][j], contiguous, from in[i * row + j * column]. */
static void reorder_matrix(char *out, const char *in, const int64_t shape[2], int64_t row, int64_t column, size_t size)
{
    for (int64_t top = 0; top < shape[0]; top += TILE)
        for (int64_t left = 0; left < shape[1]; left += TILE)
            for (int64_t i = top; i < shape[0] && i < top + TILE; i++)
                for (int64_t j = left; j < shape[1] && j < left + TILE; j++)
                    copy_element(out + (size_t)(i * shape[1] + j) * size, in + (size_t)(i * row + j * column) * size,
                                 size);
}

void pg_jax_reorder(void *out, const void *in, const pg_jax_order *order, size_t size, bool back)
{
    int64_t shape[4], steps[4], from[4];
    for (int i = 0; i < 4; i++) /* of the array that is read, and where each of its dimensions goes */
        from[i] = back ? order->published[order->axes[i]] : order->published[i];
    for (int i = 0; i < 4; i++) {
        int axis = order->axes[i];
        for (int k = 0; back && k < 4; k++)
            axis = order->axes[k] == i ? k : axis;
        shape[i] = from[axis];
        steps[i] = 1;
        for (int k = axis + 1; k < 4; k++)
            steps[i] *= from[k];
    }
    char *to = out;
    size_t matrix = (size_t)(shape[2] * shape[3]) * size;
    for (int64_t i = 0; i < shape[0]; i++)
        for (int64_t j = 0; j < shape[1]; j++, to += matrix)
            reorder_matrix(to, (const char *)in + (size_t)(i * steps[0] + j * steps[1]) * size, shape + 2, steps[2],
                           steps[3], size);
}

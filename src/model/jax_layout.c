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
    int index, stack; /* which of how many that one array has of a layer; stack 0: it has one */
    jax_condition condition;
};

#define BLOCK "img/Transformer/encoderblock/"
#define HEADS BLOCK "MultiHeadDotProductAttention_0/"

static const struct pg_jax_rule rules[] = {
    {"vision.patch", "img/embedding/kernel", PATCH, 0, 0, ALWAYS},
    {"vision.patch_bias", "img/embedding/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.position", "img/pos_embedding", GRID, 0, 0, ALWAYS},
    {"vision.layer.%d.norm1", BLOCK "LayerNorm_0/scale", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.norm1_bias", BLOCK "LayerNorm_0/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.q", HEADS "query/kernel", HEADS_OUT, 0, 0, ALWAYS},
    {"vision.layer.%d.q_bias", HEADS "query/bias", HEADS_BIAS, 0, 0, ALWAYS},
    {"vision.layer.%d.k", HEADS "key/kernel", HEADS_OUT, 0, 0, ALWAYS},
    {"vision.layer.%d.k_bias", HEADS "key/bias", HEADS_BIAS, 0, 0, ALWAYS},
    {"vision.layer.%d.v", HEADS "value/kernel", HEADS_OUT, 0, 0, ALWAYS},
    {"vision.layer.%d.v_bias", HEADS "value/bias", HEADS_BIAS, 0, 0, ALWAYS},
    {"vision.layer.%d.out", HEADS "out/kernel", HEADS_IN, 0, 0, ALWAYS},
    {"vision.layer.%d.out_bias", HEADS "out/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.norm2", BLOCK "LayerNorm_1/scale", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.norm2_bias", BLOCK "LayerNorm_1/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.fc1", BLOCK "MlpBlock_0/Dense_0/kernel", MATRIX, 0, 0, ALWAYS},
    {"vision.layer.%d.fc1_bias", BLOCK "MlpBlock_0/Dense_0/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.layer.%d.fc2", BLOCK "MlpBlock_0/Dense_1/kernel", MATRIX, 0, 0, ALWAYS},
    {"vision.layer.%d.fc2_bias", BLOCK "MlpBlock_0/Dense_1/bias", PLAIN, 0, 0, ALWAYS},
    {"vision.norm", "img/Transformer/encoder_norm/scale", PLAIN, 0, 0, ALWAYS},
    {"vision.norm_bias", "img/Transformer/encoder_norm/bias", PLAIN, 0, 0, ALWAYS},
    {"projector", "img/head/kernel", MATRIX, 0, 0, ALWAYS},
    {"projector_bias", "img/head/bias", PLAIN, 0, 0, ALWAYS},
    {"text.embed", "llm/embedder/input_embedding", PLAIN, 0, 0, ALWAYS},
    {"text.layer.%d.input_norm", "llm/layers/pre_attention_norm/scale", PLAIN, 0, 0, ALWAYS},
    {"text.layer.%d.q", "llm/layers/attn/q_einsum/w", HEADS_FIRST, 0, 0, KEYS_SHARED},
    {"text.layer.%d.k", "llm/layers/attn/kv_einsum/w", HEADS_FIRST, 0, 2, KEYS_SHARED},
    {"text.layer.%d.v", "llm/layers/attn/kv_einsum/w", HEADS_FIRST, 1, 2, KEYS_SHARED},
    {"text.layer.%d.q", "llm/layers/attn/qkv_einsum/w", HEADS_FIRST, 0, 3, KEYS_EACH},
    {"text.layer.%d.k", "llm/layers/attn/qkv_einsum/w", HEADS_FIRST, 1, 3, KEYS_EACH},
    {"text.layer.%d.v", "llm/layers/attn/qkv_einsum/w", HEADS_FIRST, 2, 3, KEYS_EACH},
    {"text.layer.%d.o", "llm/layers/attn/attn_vec_einsum/w", HEADS_IN, 0, 0, ALWAYS},
    {"text.layer.%d.post_norm", "llm/layers/pre_ffw_norm/scale", PLAIN, 0, 0, ALWAYS},
    {"text.layer.%d.gate", "llm/layers/mlp/gating_einsum", MATRIX, 0, 2, ALWAYS},
    {"text.layer.%d.up", "llm/layers/mlp/gating_einsum", MATRIX, 1, 2, ALWAYS},
    {"text.layer.%d.down", "llm/layers/mlp/linear", MATRIX, 0, 0, ALWAYS},
    {"text.norm", "llm/final_norm/scale", PLAIN, 0, 0, ALWAYS},
};
#define RULES (sizeof rules / sizeof *rules)

static bool is_stacked(const struct pg_jax_rule *rule)
{
    return strchr(rule->ours, '%') != NULL;
}

static const struct pg_jax_rule *find_rule(const pg_config *config, const pg_weight_entry *entry)
{
    bool shared = config->text.heads != config->text.kv_heads;
    for (size_t i = 0; i < RULES; i++) {
        const struct pg_jax_rule *rule = &rules[i];
        bool applies = rule->condition == ALWAYS || (rule->condition == KEYS_SHARED) == shared;
        if (applies && !strcmp(rule->ours, entry->rule))
            return rule;
    }
    return NULL;
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
    case GRID:
    case HEADS_BIAS: break;
    }
    return (pg_jax_order){.published = {1, 1, entry->parameter->rows, entry->parameter->width},
                          .axes = {0, 1, 2, 3},
                          .same = true};
}

/* Of the attention that the weight belongs to. */
static int64_t heads_of(const pg_config *config, const pg_weight_entry *entry)
{
    return entry->part == PG_PART_TEXT ? entry->shape[0] / config->text.size : config->vision.heads;
}

static int64_t heads_in(const pg_config *config, const pg_weight_entry *entry)
{
    return entry->part == PG_PART_TEXT ? config->text.heads : config->vision.heads;
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

static pg_status shape_array(pg_jax_array *made, const pg_jax_plan *plan, const pg_config *config)
{
    const struct pg_jax_rule *rule = made->rule;
    const pg_jax_block *first = &plan->blocks[made->blocks[0]];
    made->array = (pg_array){.name = rule->array, .dtype = dtype_of(first)};
    for (size_t i = 1; i < made->count; i++)
        if (dtype_of(&plan->blocks[made->blocks[i]]) != made->array.dtype)
            made->array.dtype = PG_F32;
    if (is_stacked(rule))
        add_dimension(&made->array, (int64_t)made->count / (rule->stack ? rule->stack : 1));
    if (rule->stack)
        add_dimension(&made->array, rule->stack);
    add_form(&made->array, config, first, rule->form);
    return pg_array_size(&made->array.bytes, &made->array)
               ? PG_OK
               : pg_fail(PG_ERROR_LIMIT, "%s: the array is too large", rule->array);
}

/* ---------------------------------------------------------------- the plan */

/* The array of that rule; a new one where there is none yet. */
static pg_status find_array(size_t *out, pg_jax_plan *plan, const struct pg_jax_rule *rule)
{
    for (*out = 0; *out < plan->array_count; ++*out)
        if (!strcmp(plan->arrays[*out].rule->array, rule->array))
            return PG_OK;
    PG_TRY(pg_grow((void **)&plan->arrays, &plan->array_capacity, plan->array_count + 1, sizeof *plan->arrays));
    plan->arrays[plan->array_count++] = (pg_jax_array){.rule = rule};
    return PG_OK;
}

static pg_status add_block(pg_jax_plan *plan, const pg_config *config, const pg_weight_entry *entry, int64_t tokens)
{
    const pg_parameter *p = entry->parameter;
    const struct pg_jax_rule *rule = find_rule(config, entry);
    if (!rule)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s (%s): big_vision's PaliGemma has no such weight", entry->published,
                       p->name);
    size_t index;
    PG_TRY(find_array(&index, plan, rule));
    pg_jax_array *array = &plan->arrays[index];
    PG_TRY(pg_grow((void **)&array->blocks, &array->capacity, array->count + 1, sizeof *array->blocks));
    PG_TRY(pg_grow((void **)&plan->blocks, &plan->capacity, plan->count + 1, sizeof *plan->blocks));
    plan->blocks[plan->count] = (pg_jax_block){.entry = *entry,
                                               .order = order_of(rule->form, entry, heads_of(config, entry)),
                                               .array = index,
                                               .place = array->count,
                                               .rows = p->rows};
    if (!strcmp(rule->ours, "text.embed"))
        plan->blocks[plan->count].rows = tokens;
    array->blocks[array->count++] = plan->count++;
    return PG_OK;
}

pg_status pg_jax_plan_make(pg_jax_plan *out, pg_weights *weights, int64_t tokens)
{
    static const char *const kinds[] = {"", "a Gemma alone", "a SigLIP"};
    const pg_config *config = &weights->config;
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry entry;
    *out = (pg_jax_plan){0};
    if (config->kind != PG_MODEL_PALIGEMMA)
        return pg_fail(PG_ERROR_UNSUPPORTED, "this is %s; the .npz layout that is known here is PaliGemma's",
                       kinds[config->kind]);
    while (pg_weights_next(&walk, &entry))
        PG_TRY(add_block(out, config, &entry, tokens));
    for (size_t i = 0; i < out->array_count; i++)
        PG_TRY(shape_array(&out->arrays[i], out, config));
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
    pg_jax_find *find;
    void *user;
    const char *file;
} shape_reader;

static pg_status find_shape(const int64_t **out, const shape_reader *reader, const char *name, int dimensions)
{
    const pg_array *array = reader->find(reader->user, name);
    char shape[PG_SHAPE_TEXT];
    if (!array)
        return pg_fail(PG_ERROR_FORMAT, "%s: the array \"%s\" is missing; expected big_vision's PaliGemma",
                       reader->file, name);
    if (array->dimensions != dimensions)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: shape %s, expected %d dimensions", reader->file, name,
                       pg_array_shape_text(shape, array), dimensions);
    *out = array->shape;
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

static pg_status read_vision(pg_siglip_config *out, const shape_reader *reader)
{
    const int64_t *patch, *grid, *query, *mlp;
    PG_TRY(find_shape(&patch, reader, "img/embedding/kernel", 4));
    PG_TRY(find_shape(&grid, reader, "img/pos_embedding", 3));
    PG_TRY(find_shape(&query, reader, HEADS "query/kernel", 4));
    PG_TRY(find_shape(&mlp, reader, BLOCK "MlpBlock_0/Dense_0/kernel", 3));
    *out = (pg_siglip_config){.width = patch[3],
                              .mlp = mlp[2],
                              .layers = query[0],
                              .heads = query[2],
                              .channels = patch[2],
                              .patch = patch[0],
                              .epsilon = 1e-6};
    int64_t across = side_of(grid[1]);
    if (!across || patch[0] < 1 || patch[0] > PG_SIDE_MAX / across)
        return pg_fail(PG_ERROR_FORMAT, "%s: img/pos_embedding: %lld positions of patches of %lld pixels are no square",
                       reader->file, (long long)grid[1], (long long)patch[0]);
    out->side = across * patch[0];
    return PG_OK;
}

static pg_status read_text(pg_gemma_config *out, const shape_reader *reader)
{
    const int64_t *embed, *gates, *q, *keys;
    bool each = reader->find(reader->user, "llm/layers/attn/qkv_einsum/w") != NULL;
    PG_TRY(find_shape(&embed, reader, "llm/embedder/input_embedding", 2));
    PG_TRY(find_shape(&gates, reader, "llm/layers/mlp/gating_einsum", 4));
    if (each) {
        PG_TRY(find_shape(&keys, reader, "llm/layers/attn/qkv_einsum/w", 5));
        q = keys + 1; /* from the stack on, as the other begins with the layers */
    } else {
        PG_TRY(find_shape(&q, reader, "llm/layers/attn/q_einsum/w", 4));
        PG_TRY(find_shape(&keys, reader, "llm/layers/attn/kv_einsum/w", 5));
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

pg_status pg_jax_read_config(pg_config *out, pg_jax_find *find, void *user, const char *file)
{
    const shape_reader reader = {find, user, file};
    *out = (pg_config){.kind = PG_MODEL_PALIGEMMA, .bos = 2, .eos = 1, .pad = 0};
    PG_TRY(read_vision(&out->vision, &reader));
    PG_TRY(read_text(&out->text, &reader));
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

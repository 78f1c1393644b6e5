#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/pages.h"
#include "tensor/quantized_arrays.h"

/* ---------------------------------------------------------------- the table */

typedef enum model_part { TOP, TEXT, TEXT_LAYER, VISION, VISION_LAYER, VISION_HEAD, WORDS, WORDS_LAYER } model_part;

/* Sizes that shapes are made of; what they are for a part says dimension(). */
typedef enum shape_dim { END, ONE, D, F, HE, KE, V, N, C, P, D3, OUT, TEXT_D } shape_dim;

typedef struct weight_rule {
    model_part part;
    const char *name;      /* ours; %d is the layer */
    const char *published; /* after canonical_name() */
    shape_dim shape[5];    /* up to END */
    size_t offset;         /* of the parameter in its part's structure */
} weight_rule;

#define IN(type, field) offsetof(type, field)

/* A siglip layer, which both towers have. */
#define SIGLIP_LAYER(PART, ours, theirs)                                                                 \
    {PART, ours ".norm1", theirs ".layer_norm1.weight", {D}, IN(pg_siglip_layer, norm1)},                \
        {PART, ours ".norm1_bias", theirs ".layer_norm1.bias", {D}, IN(pg_siglip_layer, norm1_bias)},    \
        {PART, ours ".q", theirs ".self_attn.q_proj.weight", {D, D}, IN(pg_siglip_layer, q)},            \
        {PART, ours ".q_bias", theirs ".self_attn.q_proj.bias", {D}, IN(pg_siglip_layer, q_bias)},       \
        {PART, ours ".k", theirs ".self_attn.k_proj.weight", {D, D}, IN(pg_siglip_layer, k)},            \
        {PART, ours ".k_bias", theirs ".self_attn.k_proj.bias", {D}, IN(pg_siglip_layer, k_bias)},       \
        {PART, ours ".v", theirs ".self_attn.v_proj.weight", {D, D}, IN(pg_siglip_layer, v)},            \
        {PART, ours ".v_bias", theirs ".self_attn.v_proj.bias", {D}, IN(pg_siglip_layer, v_bias)},       \
        {PART, ours ".out", theirs ".self_attn.out_proj.weight", {D, D}, IN(pg_siglip_layer, out)},      \
        {PART, ours ".out_bias", theirs ".self_attn.out_proj.bias", {D}, IN(pg_siglip_layer, out_bias)}, \
        {PART, ours ".norm2", theirs ".layer_norm2.weight", {D}, IN(pg_siglip_layer, norm2)},            \
        {PART, ours ".norm2_bias", theirs ".layer_norm2.bias", {D}, IN(pg_siglip_layer, norm2_bias)},    \
        {PART, ours ".fc1", theirs ".mlp.fc1.weight", {F, D}, IN(pg_siglip_layer, fc1)},                 \
        {PART, ours ".fc1_bias", theirs ".mlp.fc1.bias", {F}, IN(pg_siglip_layer, fc1_bias)},            \
        {PART, ours ".fc2", theirs ".mlp.fc2.weight", {D, F}, IN(pg_siglip_layer, fc2)},                 \
    {                                                                                                    \
        PART, ours ".fc2_bias", theirs ".mlp.fc2.bias", {D}, IN(pg_siglip_layer, fc2_bias)               \
    }

static const weight_rule rules[] = {
    {VISION, "vision.patch", "vision.embeddings.patch_embedding.weight", {D, C, P, P}, IN(pg_siglip_vision, patch)},
    {VISION, "vision.patch_bias", "vision.embeddings.patch_embedding.bias", {D}, IN(pg_siglip_vision, patch_bias)},
    {VISION, "vision.position", "vision.embeddings.position_embedding.weight", {N, D}, IN(pg_siglip_vision, position)},
    SIGLIP_LAYER(VISION_LAYER, "vision.layer.%d", "vision.encoder.layers.%d"),
    {VISION, "vision.norm", "vision.post_layernorm.weight", {D}, IN(pg_siglip_vision, post_norm)},
    {VISION, "vision.norm_bias", "vision.post_layernorm.bias", {D}, IN(pg_siglip_vision, post_norm_bias)},
    {VISION_HEAD, "vision.head.probe", "vision.head.probe", {ONE, ONE, D}, IN(pg_siglip_head, probe)},
    {VISION_HEAD, "vision.head.in", "vision.head.attention.in_proj_weight", {D3, D}, IN(pg_siglip_head, in)},
    {VISION_HEAD, "vision.head.in_bias", "vision.head.attention.in_proj_bias", {D3}, IN(pg_siglip_head, in_bias)},
    {VISION_HEAD, "vision.head.out", "vision.head.attention.out_proj.weight", {D, D}, IN(pg_siglip_head, out)},
    {VISION_HEAD, "vision.head.out_bias", "vision.head.attention.out_proj.bias", {D}, IN(pg_siglip_head, out_bias)},
    {VISION_HEAD, "vision.head.norm", "vision.head.layernorm.weight", {D}, IN(pg_siglip_head, norm)},
    {VISION_HEAD, "vision.head.norm_bias", "vision.head.layernorm.bias", {D}, IN(pg_siglip_head, norm_bias)},
    {VISION_HEAD, "vision.head.fc1", "vision.head.mlp.fc1.weight", {F, D}, IN(pg_siglip_head, fc1)},
    {VISION_HEAD, "vision.head.fc1_bias", "vision.head.mlp.fc1.bias", {F}, IN(pg_siglip_head, fc1_bias)},
    {VISION_HEAD, "vision.head.fc2", "vision.head.mlp.fc2.weight", {D, F}, IN(pg_siglip_head, fc2)},
    {VISION_HEAD, "vision.head.fc2_bias", "vision.head.mlp.fc2.bias", {D}, IN(pg_siglip_head, fc2_bias)},
    {TOP, "projector", "projector.weight", {TEXT_D, D}, IN(pg_weights, projector)},
    {TOP, "projector_bias", "projector.bias", {TEXT_D}, IN(pg_weights, projector_bias)},
    {TEXT, "text.embed", "text.embed_tokens.weight", {V, D}, IN(pg_gemma, embed)},
    {TEXT_LAYER,
     "text.layer.%d.input_norm",
     "text.layers.%d.input_layernorm.weight",
     {D},
     IN(pg_gemma_layer, input_norm)},
    {TEXT_LAYER, "text.layer.%d.q", "text.layers.%d.self_attn.q_proj.weight", {HE, D}, IN(pg_gemma_layer, q)},
    {TEXT_LAYER, "text.layer.%d.k", "text.layers.%d.self_attn.k_proj.weight", {KE, D}, IN(pg_gemma_layer, k)},
    {TEXT_LAYER, "text.layer.%d.v", "text.layers.%d.self_attn.v_proj.weight", {KE, D}, IN(pg_gemma_layer, v)},
    {TEXT_LAYER, "text.layer.%d.o", "text.layers.%d.self_attn.o_proj.weight", {D, HE}, IN(pg_gemma_layer, o)},
    {TEXT_LAYER,
     "text.layer.%d.post_norm",
     "text.layers.%d.post_attention_layernorm.weight",
     {D},
     IN(pg_gemma_layer, post_norm)},
    {TEXT_LAYER, "text.layer.%d.gate", "text.layers.%d.mlp.gate_proj.weight", {F, D}, IN(pg_gemma_layer, gate)},
    {TEXT_LAYER, "text.layer.%d.up", "text.layers.%d.mlp.up_proj.weight", {F, D}, IN(pg_gemma_layer, up)},
    {TEXT_LAYER, "text.layer.%d.down", "text.layers.%d.mlp.down_proj.weight", {D, F}, IN(pg_gemma_layer, down)},
    {TEXT, "text.norm", "text.norm.weight", {D}, IN(pg_gemma, norm)},
    {TEXT, "text.output", "lm_head.weight", {V, D}, IN(pg_gemma, output)},
    {WORDS, "words.token", "words.embeddings.token_embedding.weight", {V, D}, IN(pg_siglip_words, token)},
    {WORDS, "words.position", "words.embeddings.position_embedding.weight", {N, D}, IN(pg_siglip_words, position)},
    SIGLIP_LAYER(WORDS_LAYER, "words.layer.%d", "words.encoder.layers.%d"),
    {WORDS, "words.norm", "words.final_layer_norm.weight", {D}, IN(pg_siglip_words, norm)},
    {WORDS, "words.norm_bias", "words.final_layer_norm.bias", {D}, IN(pg_siglip_words, norm_bias)},
    {WORDS, "words.head", "words.head.weight", {OUT, D}, IN(pg_siglip_words, head)},
    {WORDS, "words.head_bias", "words.head.bias", {OUT}, IN(pg_siglip_words, head_bias)},
    {TOP, "logit_scale", "logit_scale", {ONE}, IN(pg_weights, logit_scale)},
    {TOP, "logit_bias", "logit_bias", {ONE}, IN(pg_weights, logit_bias)},
};
#define RULES (sizeof rules / sizeof *rules)

/* The prefixes of all key layouts in use (published files, transformers before and since 4.52 in memory, Gemma and
 * SigLIP alone) and what stands for them here. The first that fits counts. */
static const struct {
    const char *published, *canonical;
} prefixes[] = {
    {"model.language_model.", "text."},
    {"language_model.model.", "text."},
    {"language_model.lm_head.", "lm_head."},
    {"language_model.", "text."},
    {"model.vision_tower.vision_model.", "vision."},
    {"vision_tower.vision_model.", "vision."},
    {"model.vision_tower.", "vision."},
    {"vision_tower.", "vision."},
    {"model.multi_modal_projector.linear.", "projector."},
    {"multi_modal_projector.linear.", "projector."},
    {"vision_model.", "vision."},
    {"text_model.", "words."},
    {"model.", "text."},
};

static pg_status canonical_name(pg_buffer *out, const char *published)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i].published);
        if (!strncmp(published, prefixes[i].published, length))
            return pg_buffer_print(out, "%s%s", prefixes[i].canonical, published + length);
    }
    return pg_buffer_print(out, "%s", published);
}

/* The other way: how files and modules in memory begin their names. */
typedef enum name_style { PUBLISHED, MODULES_NEW, MODULES_OLD } name_style;

/* A canonical name as others spell it for this kind of model. */
static void foreign_name(char *out, size_t size, const char *canonical, pg_model_kind kind, name_style style)
{
    static const struct {
        const char *canonical, *paligemma[3], *gemma, *siglip;
    } parts[] = {
        {"text.", {"language_model.model.", "model.language_model.", "language_model.model."}, "model.", ""},
        {"lm_head.", {"language_model.lm_head.", "lm_head.", "language_model.lm_head."}, "lm_head.", ""},
        {"vision.",
         {"vision_tower.vision_model.", "model.vision_tower.vision_model.", "vision_tower.vision_model."},
         "",
         "vision_model."},
        {"words.", {"", "", ""}, "", "text_model."},
        {"projector.",
         {"multi_modal_projector.linear.", "model.multi_modal_projector.linear.", "multi_modal_projector.linear."},
         "",
         ""},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = strlen(parts[i].canonical);
        if (!strncmp(canonical, parts[i].canonical, length)) {
            const char *prefix = kind == PG_MODEL_PALIGEMMA ? parts[i].paligemma[style]
                                 : kind == PG_MODEL_GEMMA   ? parts[i].gemma
                                                            : parts[i].siglip;
            snprintf(out, size, "%s%s", prefix, canonical + length);
            return;
        }
    }
    snprintf(out, size, "%s", canonical);
}

/* Buffers that older files carry: they follow from the configuration. */
static bool is_derived(const char *name)
{
    static const char *const ends[] = {".position_ids", ".rotary_emb.inv_freq"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (length >= strlen(ends[i]) && !strcmp(name + length - strlen(ends[i]), ends[i]))
            return true;
    return false;
}

/* ---------------------------------------------------------------- shapes and places */

static const pg_siglip_config *tower(const pg_config *config, model_part part)
{
    return part == WORDS || part == WORDS_LAYER ? &config->words : &config->vision;
}

static int64_t dimension(const pg_config *config, model_part part, shape_dim dim)
{
    const pg_gemma_config *text = &config->text;
    const pg_siglip_config *siglip = tower(config, part);
    bool gemma = part == TEXT || part == TEXT_LAYER;
    switch (dim) {
    case END: return 0;
    case ONE: return 1;
    case D: return gemma ? text->width : siglip->width;
    case F: return gemma ? text->mlp : siglip->mlp;
    case HE: return text->heads * text->size;
    case KE: return text->kv_heads * text->size;
    case V: return gemma ? text->vocabulary : siglip->vocabulary;
    case N: return part == WORDS ? siglip->context : pg_config_patches(siglip);
    case C: return siglip->channels;
    case P: return siglip->patch;
    case D3: return 3 * siglip->width;
    case OUT: return siglip->projection;
    case TEXT_D: return text->width;
    }
    return 0;
}

/* Whether a model of this configuration has the weight. */
static bool applies(const weight_rule *rule, const pg_config *config)
{
    switch (rule->part) {
    case TEXT:
        if (rule->offset == IN(pg_gemma, output) && config->text.tied)
            return false;
        return config->kind != PG_MODEL_SIGLIP;
    case TEXT_LAYER: return config->kind != PG_MODEL_SIGLIP;
    case VISION:
    case VISION_LAYER: return config->kind != PG_MODEL_GEMMA;
    case VISION_HEAD: return config->kind != PG_MODEL_GEMMA && config->vision.head;
    case WORDS:
    case WORDS_LAYER: return config->kind == PG_MODEL_SIGLIP;
    case TOP:
        return config->kind ==
               (rule->offset == IN(pg_weights, projector) || rule->offset == IN(pg_weights, projector_bias)
                    ? PG_MODEL_PALIGEMMA
                    : PG_MODEL_SIGLIP);
    }
    return false;
}

/* Bits of the weight where it is quantised, else 0. What is added or multiplied element by element never is (vectors,
 * positions, the probe), and the pooling head's packed matrix is not, because a third of it need not be whole groups.
 */
static int bits_of(const weight_rule *rule, const pg_config *config)
{
    if (rule->shape[1] == END || rule->shape[0] == N || rule->shape[0] == ONE || rule->shape[0] == D3)
        return 0;
    bool text = rule->part == TEXT || rule->part == TEXT_LAYER || rule->part == WORDS || rule->part == WORDS_LAYER;
    return text ? config->quantization.text : config->quantization.vision;
}

/* How many parameters a rule stands for: one, or one per layer. */
static int64_t repeats(const weight_rule *rule, const pg_config *config)
{
    switch (rule->part) {
    case TEXT_LAYER: return config->text.layers;
    case VISION_LAYER: return config->vision.layers;
    case WORDS_LAYER: return config->words.layers;
    default: return 1;
    }
}

static pg_parameter *place(const weight_rule *rule, const pg_weights *weights, int64_t layer)
{
    const void *base = weights;
    switch (rule->part) {
    case TOP: break;
    case TEXT: base = &weights->text; break;
    case TEXT_LAYER: base = &weights->text.layers[layer]; break;
    case VISION: base = &weights->vision; break;
    case VISION_LAYER: base = &weights->vision.layers[layer]; break;
    case VISION_HEAD: base = &weights->vision.head; break;
    case WORDS: base = &weights->words; break;
    case WORDS_LAYER: base = &weights->words.layers[layer]; break;
    }
    return (pg_parameter *)((char *)base + rule->offset);
}

/* A walk over all weights of a model: the table from top to bottom, a layer's rules for each layer in turn. */
typedef struct weight_walk {
    const pg_config *config;
    size_t next;
    int64_t layer;
} weight_walk;

/* The next rule, and its layer; NULL at the end. */
static const weight_rule *next_rule(weight_walk *walk, int64_t *layer)
{
    for (; walk->next < RULES; walk->next++) {
        const weight_rule *rule = &rules[walk->next];
        if (!applies(rule, walk->config) || walk->layer >= repeats(rule, walk->config))
            continue;
        *layer = walk->layer;
        bool last = walk->next + 1 == RULES || rules[walk->next + 1].part != rule->part;
        walk->next++;
        if (last && walk->layer + 1 < repeats(rule, walk->config)) {
            walk->layer++;
            while (walk->next > 0 && rules[walk->next - 1].part == rule->part)
                walk->next--;
        } else if (last)
            walk->layer = 0;
        return rule;
    }
    return NULL;
}

void pg_weights_each(const pg_weights *weights, void (*visit)(void *user, const pg_parameter *parameter), void *user)
{
    weight_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer));)
        visit(user, place(rule, weights, layer));
}

static int dimensions_of(const weight_rule *rule)
{
    int dimensions = 0;
    while (rule->shape[dimensions] != END)
        dimensions++;
    return dimensions;
}

static pg_weight_part part_of(const weight_rule *rule)
{
    switch (rule->part) {
    case VISION:
    case VISION_LAYER:
    case VISION_HEAD: return PG_PART_VISION;
    case TEXT:
    case TEXT_LAYER: return PG_PART_TEXT;
    case WORDS:
    case WORDS_LAYER: return PG_PART_WORDS;
    case TOP: break;
    }
    return strncmp(rule->name, "projector", 9) == 0 ? PG_PART_PROJECTOR : PG_PART_OTHER;
}

/* Matrices are linear layers but for tables (embeddings, positions) and the pooling head's packed one. */
static bool is_linear(const weight_rule *rule)
{
    bool table = rule->shape[0] == N || (rule->shape[0] == V && strcmp(rule->name, "text.output") != 0);
    return dimensions_of(rule) == 2 && !table && rule->shape[0] != D3;
}

static void describe_entry(pg_weight_entry *out, pg_weights *weights, const weight_rule *rule, int64_t layer)
{
    char canonical[PG_WEIGHT_NAME];
    pg_model_kind kind = weights->config.kind;
    *out = (pg_weight_entry){.parameter = place(rule, weights, layer),
                             .rule = rule->name,
                             .layer = layer,
                             .part = part_of(rule),
                             .linear = is_linear(rule),
                             .bypassed = rule->part == VISION_HEAD && !strcmp(rule->name, "vision.head.out"),
                             .dimensions = dimensions_of(rule)};
    snprintf(canonical, sizeof canonical, rule->published, (int)layer);
    foreign_name(out->published, sizeof out->published, canonical, kind, PUBLISHED);
    foreign_name(out->modules[PG_MODULES_NEW], PG_WEIGHT_NAME, canonical, kind, MODULES_NEW);
    foreign_name(out->modules[PG_MODULES_OLD], PG_WEIGHT_NAME, canonical, kind, MODULES_OLD);
    for (int i = 0; i < out->dimensions; i++)
        out->shape[i] = dimension(&weights->config, rule->part, rule->shape[i]);
}

bool pg_weights_next(pg_weight_walk *walk, pg_weight_entry *out)
{
    weight_walk inner = {.config = &walk->weights->config, .next = walk->next, .layer = walk->layer};
    int64_t layer;
    const weight_rule *rule = next_rule(&inner, &layer);
    if (rule)
        describe_entry(out, walk->weights, rule, layer);
    walk->next = inner.next;
    walk->layer = inner.layer;
    return rule != NULL;
}

bool pg_weights_output(pg_weights *weights, pg_weight_entry *out)
{
    for (size_t i = 0; weights->config.kind != PG_MODEL_SIGLIP && i < RULES; i++)
        if (!strcmp(rules[i].name, "text.output")) {
            describe_entry(out, weights, &rules[i], 0);
            return true;
        }
    return false;
}

int pg_weights_bits(const pg_weights *weights, const pg_parameter *p, const pg_quantization *quantization)
{
    weight_walk walk = {.config = &weights->config};
    pg_config wanted = weights->config;
    wanted.quantization = *quantization;
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer));)
        if (place(rule, weights, layer) == p)
            return bits_of(rule, &wanted);
    return 0;
}

/* ---------------------------------------------------------------- finding tensors */

/* The file's tensors by canonical name, sorted. */
typedef struct file_entry {
    const char *name;
    size_t index; /* in the checkpoint */
    bool used;
} file_entry;

typedef struct directory {
    file_entry *entries;
    size_t count;
    pg_buffer names;
} directory;

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const file_entry *)a)->name, ((const file_entry *)b)->name);
}

static pg_status fill_directory(directory *out, const pg_checkpoint *files)
{
    out->count = pg_checkpoint_count(files);
    out->entries = pg_alloc(out->count, sizeof *out->entries);
    if (!out->entries)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < out->count; i++) {
        PG_TRY(canonical_name(&out->names, pg_checkpoint_at(files, i)->name));
        PG_TRY(pg_buffer_append(&out->names, "", 1));
    }
    const char *name = out->names.data;
    for (size_t i = 0; i < out->count; i++, name += strlen(name) + 1)
        out->entries[i] = (file_entry){name, i, false};
    qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    for (size_t i = 1; i < out->count; i++)
        if (!strcmp(out->entries[i - 1].name, out->entries[i].name))
            return pg_fail(PG_ERROR_FORMAT, "%s: the tensors \"%s\" and \"%s\" are the same weight under two names",
                           pg_checkpoint_file(files, out->entries[i].index),
                           pg_checkpoint_at(files, out->entries[i - 1].index)->name,
                           pg_checkpoint_at(files, out->entries[i].index)->name);
    return PG_OK;
}

static pg_status check_array(const pg_array *array, const char *file, const char *name, const int64_t *shape,
                             int dimensions)
{
    bool same = array->dimensions == dimensions;
    for (int i = 0; same && i < dimensions; i++)
        same = array->shape[i] == shape[i];
    /* a scalar may be written as [] or [1] */
    if (!same && !(dimensions == 1 && shape[0] == 1 && array->dimensions == 0)) {
        pg_array wanted = {.dimensions = dimensions};
        memcpy(wanted.shape, shape, (size_t)dimensions * sizeof *shape);
        char found[PG_SHAPE_TEXT], expected[PG_SHAPE_TEXT];
        return pg_fail(PG_ERROR_FORMAT, "%s: %s (%s): shape %s, expected %s", file, array->name, name,
                       pg_array_shape_text(found, array), pg_array_shape_text(expected, &wanted));
    }
    return PG_OK;
}

/* A parameter in the making: what it stands for, and where its tensors come from. */
typedef struct wanted_weight {
    pg_weights *weights;
    directory *files;
    const weight_rule *rule;
    const char *name, *folder;
    char canonical[128]; /* published name */
    int64_t shape[5];
    int dimensions;
} wanted_weight;

/* The tensor of that canonical name, and the file that it is in; NULL (error text set) if there is none. */
static const pg_array *find_tensor(const char **file, const wanted_weight *wanted, const char *canonical)
{
    const pg_checkpoint *checkpoint = wanted->weights->files;
    file_entry key = {canonical, 0, false};
    file_entry *found = bsearch(&key, wanted->files->entries, wanted->files->count, sizeof key, compare_entries);
    if (!found) {
        char published[PG_QUANTIZED_NAME];
        foreign_name(published, sizeof published, canonical, wanted->weights->config.kind, PUBLISHED);
        pg_fail(PG_ERROR_FORMAT, "%s: the tensor \"%s\" (%s) is missing", wanted->folder, published, wanted->name);
        return NULL;
    }
    found->used = true;
    *file = pg_checkpoint_file(checkpoint, found->index);
    return pg_checkpoint_at(checkpoint, found->index);
}

static pg_status load_floats(pg_parameter *out, const wanted_weight *wanted)
{
    const char *file;
    const pg_array *array = find_tensor(&file, wanted, wanted->canonical);
    if (!array)
        return PG_ERROR_FORMAT;
    PG_TRY(check_array(array, file, wanted->name, wanted->shape, wanted->dimensions));
    if (array->dtype != PG_F32 && array->dtype != PG_F16 && array->dtype != PG_BF16)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s (%s): dtype %s, expected F32, F16 or BF16", file, array->name,
                       wanted->name, pg_dtype_name(array->dtype));
    out->dtype = array->dtype;
    out->data = array->data;
    out->stored = array;
    return PG_OK;
}

static pg_status load_quantized(pg_parameter *out, const wanted_weight *wanted, int bits)
{
    pg_quantized *w = &out->quantized;
    const void *data[PG_QUANTIZED_ARRAYS] = {NULL};
    pg_quantized_arrays expected;
    *w = (pg_quantized){.bits = bits,
                        .rows = out->rows,
                        .inputs = out->width,
                        .block = wanted->weights->config.quantization.block};
    pg_quantized_arrays_init(&expected, w, wanted->canonical);
    for (int i = 0; i < expected.count; i++) {
        const char *file;
        const pg_array *like = &expected.arrays[i], *array = find_tensor(&file, wanted, like->name);
        if (!array)
            return PG_ERROR_FORMAT;
        if (array->dtype != like->dtype)
            return pg_fail(PG_ERROR_FORMAT, "%s: %s (%s): dtype %s, expected %s, because config.json says int%d", file,
                           array->name, wanted->name, pg_dtype_name(array->dtype), pg_dtype_name(like->dtype), bits);
        PG_TRY(check_array(array, file, wanted->name, like->shape, like->dimensions));
        data[i] = array->data;
        out->stored = i == 0 ? array : out->stored;
    }
    w->values = data[0];
    w->scales = data[1];
    w->steps = data[2];
    out->dtype = PG_U8;
    return PG_OK;
}

/* Name and size of a parameter. `name` stays valid as long as the weights. */
static pg_parameter *shape_parameter(pg_weights *weights, const weight_rule *rule, int64_t layer, const char *name)
{
    pg_parameter *p = place(rule, weights, layer);
    int64_t first = dimension(&weights->config, rule->part, rule->shape[0]);
    bool flat = rule->shape[1] == END;
    *p = (pg_parameter){.name = name, .rows = flat ? 1 : first, .width = flat ? first : 1};
    for (int i = 1; rule->shape[i] != END; i++)
        p->width *= dimension(&weights->config, rule->part, rule->shape[i]);
    return p;
}

/* Fills one parameter from the checkpoint. */
static pg_status load_parameter(pg_weights *weights, directory *files, const weight_rule *rule, int64_t layer,
                                const char *name, const char *folder)
{
    wanted_weight wanted = {.weights = weights,
                            .files = files,
                            .rule = rule,
                            .name = name,
                            .folder = folder,
                            .dimensions = dimensions_of(rule)};
    snprintf(wanted.canonical, sizeof wanted.canonical, rule->published, (int)layer);
    for (int i = 0; i < wanted.dimensions; i++)
        wanted.shape[i] = dimension(&weights->config, rule->part, rule->shape[i]);
    pg_parameter *p = shape_parameter(weights, rule, layer, name);
    int bits = bits_of(rule, &weights->config);
    return bits ? load_quantized(p, &wanted, bits) : load_floats(p, &wanted);
}

static pg_status check_unused(const pg_weights *weights, const directory *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const file_entry *entry = &files->entries[i];
        bool tied_output = !strcmp(entry->name, "lm_head.weight") && weights->config.text.tied;
        if (!entry->used && !tied_output && !is_derived(entry->name))
            return pg_fail(PG_ERROR_FORMAT, "%s: the tensor \"%s\" is not part of the model that config.json describes",
                           pg_checkpoint_file(weights->files, entry->index),
                           pg_checkpoint_at(weights->files, entry->index)->name);
    }
    return PG_OK;
}

/* Our names of all parameters, in the order of pg_weights_each, each with its NUL. */
static pg_status print_names(pg_buffer *out, const pg_config *config)
{
    weight_walk walk = {.config = config};
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer));) {
        char name[64];
        int length = snprintf(name, sizeof name, rule->name, (int)layer);
        PG_TRY(pg_buffer_append(out, name, (size_t)length + 1));
    }
    return PG_OK;
}

static pg_status make_names(pg_weights *weights)
{
    pg_buffer names = {0};
    pg_status status = print_names(&names, &weights->config);
    weights->names = names.data;
    return status;
}

void pg_weights_tie(pg_weights *weights)
{
    if (weights->config.text.tied)
        weights->text.output = weights->text.embed;
}

static pg_status load_all(pg_weights *weights, directory *files, const char *folder)
{
    PG_TRY(make_names(weights));
    const char *name = weights->names ? weights->names : "";
    weight_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer)); name += strlen(name) + 1)
        PG_TRY(load_parameter(weights, files, rule, layer, name, folder));
    pg_weights_tie(weights);
    return check_unused(weights, files);
}

static pg_status make_layers(pg_weights *weights)
{
    const pg_config *config = &weights->config;
    weights->text.config = config->text;
    weights->vision.config = config->vision;
    weights->words.config = config->words;
    weights->text.layers = pg_alloc((size_t)config->text.layers, sizeof *weights->text.layers);
    weights->vision.layers = pg_alloc((size_t)config->vision.layers, sizeof *weights->vision.layers);
    weights->words.layers = pg_alloc((size_t)config->words.layers, sizeof *weights->words.layers);
    return weights->text.layers && weights->vision.layers && weights->words.layers ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_weights_load(pg_weights **out, const pg_config *config, const char *folder)
{
    directory files = {0};
    pg_status status = PG_OK;
    pg_weights *weights = *out = pg_alloc(1, sizeof *weights);
    if (!weights)
        return PG_ERROR_MEMORY;
    weights->config = *config;
    PG_TRY_GOTO(make_layers(weights));
    PG_TRY_GOTO(pg_checkpoint_open(&weights->files, folder));
    PG_TRY_GOTO(fill_directory(&files, weights->files));
    PG_TRY_GOTO(load_all(weights, &files, folder));
done:
    pg_free(files.entries);
    pg_buffer_free(&files.names);
    if (status != PG_OK) {
        pg_weights_free(weights);
        *out = NULL;
    }
    return status;
}

static pg_status shape_all(pg_weights *weights)
{
    PG_TRY(make_layers(weights));
    PG_TRY(make_names(weights));
    const char *name = weights->names ? weights->names : "";
    weight_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer)); name += strlen(name) + 1)
        shape_parameter(weights, rule, layer, name);
    pg_weights_tie(weights);
    return PG_OK;
}

pg_status pg_weights_new(pg_weights **out, const pg_config *config)
{
    pg_weights *weights = *out = pg_alloc(1, sizeof *weights);
    if (!weights)
        return PG_ERROR_MEMORY;
    weights->config = *config;
    weights->config.quantization = (pg_quantization){0};
    pg_status status = shape_all(weights);
    if (status != PG_OK) {
        pg_weights_free(weights);
        *out = NULL;
    }
    return status;
}

/* All parameters, in the order of the table. The caller frees the list. */
static pg_parameter **list_parameters(size_t *count, const pg_weights *weights)
{
    pg_parameter **list = NULL;
    size_t capacity = 0;
    weight_walk walk = {.config = &weights->config};
    int64_t layer;
    *count = 0;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer));) {
        if (pg_grow((void **)&list, &capacity, *count + 1, sizeof(pg_parameter *)) != PG_OK) {
            pg_free(list);
            return NULL;
        }
        list[(*count)++] = place(rule, weights, layer);
    }
    return list;
}

/* What lies in mapped files is not read again. */
static void release_files(const pg_checkpoint *files)
{
    for (size_t i = 0; files && !pg_checkpoint_is_copied(files) && i < pg_checkpoint_count(files); i++)
        pg_pages_release(pg_checkpoint_at(files, i)->data, pg_checkpoint_at(files, i)->bytes);
}

pg_status pg_weights_place(pg_weights *weights, pg_device *device)
{
    if (!device)
        return PG_OK;
    size_t count;
    pg_parameter **parameters = list_parameters(&count, weights);
    if (!parameters)
        return PG_ERROR_MEMORY;
    pg_status status = pg_placement_init(&weights->placed, device, parameters, count);
    pg_free(parameters);
    pg_weights_tie(weights);
    release_files(weights->files);
    return status;
}

void pg_weights_share(pg_weights *weights, pg_device *device, const pg_weights *placed)
{
    weight_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const weight_rule *rule; (rule = next_rule(&walk, &layer));) {
        pg_parameter *own = place(rule, weights, layer);
        const pg_parameter *theirs = place(rule, placed, layer);
        own->data = theirs->data;
        own->quantized = theirs->quantized;
        own->device = device;
    }
    weights->placed.device = device;
    pg_weights_tie(weights);
}

void pg_weights_free(pg_weights *weights)
{
    if (!weights)
        return;
    pg_placement_free(&weights->placed);
    pg_checkpoint_close(weights->files);
    pg_free(weights->text.layers);
    pg_free(weights->vision.layers);
    pg_free(weights->words.layers);
    pg_free(weights->names);
    pg_free(weights);
}

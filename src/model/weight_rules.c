#include "model/weight_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"

/* ---------------------------------------------------------------- the table */

typedef enum model_part { TOP, TEXT, TEXT_LAYER, VISION, VISION_LAYER, VISION_HEAD, WORDS, WORDS_LAYER } model_part;

/* Sizes that shapes are made of; what they are for a part says dimension(). */
typedef enum shape_dim { END, ONE, D, F, HE, KE, V, N, C, P, D3, OUT, TEXT_D } shape_dim;

struct pg_weight_rule {
    model_part part;
    const char *name;                          /* ours; %d is the layer */
    const char *published;                     /* the canonical name */
    shape_dim shape[PG_WEIGHT_DIMENSIONS + 1]; /* up to END */
    size_t offset;                             /* of the parameter in its part's structure */
};

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

static const pg_weight_rule rules[] = {
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

/* ---------------------------------------------------------------- names */

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

pg_status pg_canonical_name(pg_buffer *out, const char *published)
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

void pg_published_name(char *out, size_t size, const char *canonical, pg_model_kind kind)
{
    foreign_name(out, size, canonical, kind, PUBLISHED);
}

void pg_rule_name(char *out, size_t size, const pg_weight_rule *rule, int64_t layer)
{
    snprintf(out, size, rule->name, (int)layer);
}

void pg_rule_canonical(char *out, size_t size, const pg_weight_rule *rule, int64_t layer)
{
    snprintf(out, size, rule->published, (int)layer);
}

bool pg_is_derived(const char *canonical)
{
    static const char *const ends[] = {".position_ids", ".rotary_emb.inv_freq"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (pg_ends_in(canonical, ends[i]))
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
static bool applies(const pg_weight_rule *rule, const pg_config *config)
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

/* What is added or multiplied element by element is never quantised (vectors, positions, the probe), and the pooling
 * head's packed matrix is not, because a third of it need not be whole groups. */
int pg_rule_bits(const pg_weight_rule *rule, const pg_config *config)
{
    if (rule->shape[1] == END || rule->shape[0] == N || rule->shape[0] == ONE || rule->shape[0] == D3)
        return 0;
    bool text = rule->part == TEXT || rule->part == TEXT_LAYER || rule->part == WORDS || rule->part == WORDS_LAYER;
    return text ? config->quantization.text : config->quantization.vision;
}

/* How many parameters a rule stands for: one, or one per layer. */
static int64_t repeats(const pg_weight_rule *rule, const pg_config *config)
{
    switch (rule->part) {
    case TEXT_LAYER: return config->text.layers;
    case VISION_LAYER: return config->vision.layers;
    case WORDS_LAYER: return config->words.layers;
    default: return 1;
    }
}

pg_parameter *pg_rule_place(const pg_weight_rule *rule, const pg_weights *weights, int64_t layer)
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

const pg_weight_rule *pg_rule_next(pg_rule_walk *walk, int64_t *layer)
{
    for (; walk->next < RULES; walk->next++) {
        const pg_weight_rule *rule = &rules[walk->next];
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
    pg_rule_walk walk = {.config = &weights->config};
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer));)
        visit(user, pg_rule_place(rule, weights, layer));
}

static int dimensions_of(const pg_weight_rule *rule)
{
    int dimensions = 0;
    while (rule->shape[dimensions] != END)
        dimensions++;
    return dimensions;
}

int pg_rule_shape(int64_t shape[PG_WEIGHT_DIMENSIONS], const pg_weight_rule *rule, const pg_config *config)
{
    int dimensions = dimensions_of(rule);
    for (int i = 0; i < dimensions; i++)
        shape[i] = dimension(config, rule->part, rule->shape[i]);
    return dimensions;
}

static pg_weight_part part_of(const pg_weight_rule *rule)
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
static bool is_linear(const pg_weight_rule *rule)
{
    bool table = rule->shape[0] == N || (rule->shape[0] == V && strcmp(rule->name, "text.output") != 0);
    return dimensions_of(rule) == 2 && !table && rule->shape[0] != D3;
}

static void describe_entry(pg_weight_entry *out, pg_weights *weights, const pg_weight_rule *rule, int64_t layer)
{
    char canonical[PG_WEIGHT_NAME];
    pg_model_kind kind = weights->config.kind;
    *out = (pg_weight_entry){.parameter = pg_rule_place(rule, weights, layer),
                             .rule = rule->name,
                             .layer = layer,
                             .part = part_of(rule),
                             .linear = is_linear(rule),
                             .bypassed = rule->part == VISION_HEAD && !strcmp(rule->name, "vision.head.out")};
    pg_rule_canonical(canonical, sizeof canonical, rule, layer);
    out->dimensions = pg_rule_shape(out->shape, rule, &weights->config);
    foreign_name(out->published, sizeof out->published, canonical, kind, PUBLISHED);
    foreign_name(out->modules[PG_MODULES_NEW], PG_WEIGHT_NAME, canonical, kind, MODULES_NEW);
    foreign_name(out->modules[PG_MODULES_OLD], PG_WEIGHT_NAME, canonical, kind, MODULES_OLD);
}

bool pg_weights_next(pg_weight_walk *walk, pg_weight_entry *out)
{
    pg_rule_walk inner = {.config = &walk->weights->config, .next = walk->next, .layer = walk->layer};
    int64_t layer;
    const pg_weight_rule *rule = pg_rule_next(&inner, &layer);
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
    pg_rule_walk walk = {.config = &weights->config};
    pg_config wanted = weights->config;
    wanted.quantization = *quantization;
    int64_t layer;
    for (const pg_weight_rule *rule; (rule = pg_rule_next(&walk, &layer));)
        if (pg_rule_place(rule, weights, layer) == p)
            return pg_rule_bits(rule, &wanted);
    return 0;
}

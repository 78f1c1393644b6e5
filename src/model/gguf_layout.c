#include "model/gguf_layout.h"

#include <stdio.h>
#include <string.h>

#include "model/model_writer.h"

static const struct gguf_rule {
    const char *ours, *theirs; /* %d is the layer */
    bool factor;
} rules[] = {
    {"text.embed", "token_embd.weight", false},
    {"text.layer.%d.input_norm", "blk.%d.attn_norm.weight", true},
    {"text.layer.%d.q", "blk.%d.attn_q.weight", false},
    {"text.layer.%d.k", "blk.%d.attn_k.weight", false},
    {"text.layer.%d.v", "blk.%d.attn_v.weight", false},
    {"text.layer.%d.o", "blk.%d.attn_output.weight", false},
    {"text.layer.%d.post_norm", "blk.%d.ffn_norm.weight", true},
    {"text.layer.%d.gate", "blk.%d.ffn_gate.weight", false},
    {"text.layer.%d.up", "blk.%d.ffn_up.weight", false},
    {"text.layer.%d.down", "blk.%d.ffn_down.weight", false},
    {"text.norm", "output_norm.weight", true},
};
#define RULES (sizeof rules / sizeof *rules)

static const struct gguf_rule *find_rule(const pg_weight_entry *entry)
{
    for (size_t i = 0; i < RULES; i++)
        if (!strcmp(rules[i].ours, entry->rule))
            return &rules[i];
    return NULL;
}

static pg_status describe_tensor(pg_gguf_tensor *out, const pg_weight_entry *entry, const pg_dtype *dtype)
{
    const struct gguf_rule *rule = find_rule(entry);
    const pg_parameter *p = entry->parameter;
    if (!rule)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s (%s): llama.cpp's Gemma has no such weight; its output matrix is its embedding",
                       entry->published, p->name);
    *out = (pg_gguf_tensor){.entry = *entry, .factor = rule->factor};
    snprintf(out->name, sizeof out->name, rule->theirs, (int)entry->layer);
    pg_dtype stored = p->quantized.bits ? PG_BF16 : p->dtype;
    out->array = (pg_array){.dtype = rule->factor ? PG_F32 : dtype ? *dtype : stored, .dimensions = entry->dimensions};
    memcpy(out->array.shape, entry->shape, sizeof entry->shape);
    pg_array_size(&out->array.bytes, &out->array);
    return PG_OK;
}

static pg_status list_tensors(pg_gguf_tensor **out, size_t *count, pg_weights *weights, const pg_dtype *dtype)
{
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry entry;
    size_t capacity = 0;
    while (pg_weights_next(&walk, &entry)) {
        if (entry.part != PG_PART_TEXT)
            continue;
        PG_TRY(pg_grow((void **)out, &capacity, *count + 1, sizeof **out));
        PG_TRY(describe_tensor(&(*out)[*count], &entry, dtype));
        ++*count;
    }
    for (size_t i = 0; i < *count; i++)
        (*out)[i].array.name = (*out)[i].name;
    return PG_OK;
}

pg_status pg_gguf_tensors(pg_gguf_tensor **out, size_t *count, pg_weights *weights, const pg_dtype *dtype)
{
    *out = NULL;
    *count = 0;
    if (weights->config.kind == PG_MODEL_SIGLIP)
        return pg_fail(PG_ERROR_UNSUPPORTED, "this is a SigLIP, which has no decoder; GGUF files take one");
    pg_status status = list_tensors(out, count, weights, dtype);
    if (status == PG_OK)
        return PG_OK;
    pg_free(*out);
    *out = NULL;
    return status;
}

/* llama.cpp's numbers of what most tensors of a file are. */
static uint32_t file_type(pg_dtype dtype)
{
    return dtype == PG_F32 ? 0 : dtype == PG_F16 ? 1 : 32;
}

pg_status pg_gguf_put_shapes(pg_gguf_metadata *m, const pg_gemma_config *config, pg_dtype dtype)
{
    const struct {
        const char *key;
        int64_t number;
    } numbers[] = {
        {"general.file_type", file_type(dtype)},
        {"gemma.context_length", config->context},
        {"gemma.embedding_length", config->width},
        {"gemma.block_count", config->layers},
        {"gemma.feed_forward_length", config->mlp},
        {"gemma.attention.head_count", config->heads},
        {"gemma.attention.head_count_kv", config->kv_heads},
        {"gemma.attention.key_length", config->size},
        {"gemma.attention.value_length", config->size},
    };
    PG_TRY(pg_gguf_put_text(m, "general.architecture", "gemma"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        PG_TRY(pg_gguf_put_number(m, numbers[i].key, (uint32_t)numbers[i].number));
    PG_TRY(pg_gguf_put_real(m, "gemma.attention.layer_norm_rms_epsilon", (float)config->epsilon));
    return pg_gguf_put_real(m, "gemma.rope.freq_base", (float)config->theta);
}

pg_status pg_gguf_rows(void *out, const pg_gguf_tensor *tensor, int64_t first, int64_t count, int threads)
{
    const pg_parameter *p = tensor->entry.parameter;
    PG_TRY(pg_weight_rows(out, p, tensor->array.dtype, first, count, threads));
    float *factors = out;
    for (int64_t i = 0; tensor->factor && i < count * p->width; i++)
        factors[i] += 1;
    return PG_OK;
}

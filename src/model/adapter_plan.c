/* Adapters that begin: which layers a plan means, and factors that are trained. */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/adapter_layers.h"
#include "model/module_pattern.h"

void pg_adapter_plan_init(pg_adapter_plan *plan)
{
    *plan = (pg_adapter_plan){.parts = 1u << PG_PART_TEXT, .rank = 8, .alpha = 16};
}

/* Whether the plan, which has no pattern, means this layer. */
static bool is_planned(const pg_adapter_plan *plan, const pg_module_entry *entry, const pg_adapter_choice *choice)
{
    bool named = !plan->module_count && !choice->output;
    for (size_t i = 0; i < plan->module_count; i++)
        named = named || pg_module_ends_in(choice->module, plan->modules[i]);
    return named && plan->parts >> entry->weight.part & 1 && !entry->weight.bypassed;
}

/* Whole names, so that nothing else of the model is meant by accident: "q_proj" alone is in both towers. */
static json_t *planned_targets(const pg_adapter_plan *plan, const pg_module_list *list)
{
    if (plan->pattern)
        return json_string(plan->pattern);
    json_t *targets = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const pg_module_entry *entry = &list->entries[i];
        if (entry->weight.linear && is_planned(plan, entry, &list->choices[entry->choice]))
            json_array_append_new(targets, json_string(list->choices[entry->choice].module));
    }
    return targets;
}

static json_t *plan_document(const pg_adapter_plan *plan, const pg_module_list *list)
{
    json_t *base = plan->base ? json_string(plan->base) : json_null();
    const char *task = list->weights->config.kind == PG_MODEL_SIGLIP ? NULL : "CAUSAL_LM";
    return json_pack("{s:s, s:s?, s:o, s:b, s:I, s:f, s:f, s:b, s:s, s:b, s:b, s:{}, s:{}, s:n, s:o}", "peft_type",
                     "LORA", "task_type", task, "base_model_name_or_path", base, "inference_mode", 1, "r",
                     (json_int_t)plan->rank, "lora_alpha", plan->alpha, "lora_dropout", plan->dropout, "use_rslora",
                     plan->rank_stabilised, "bias", "none", "fan_in_fan_out", 0, "use_dora", 0, "rank_pattern",
                     "alpha_pattern", "modules_to_save", "target_modules", planned_targets(plan, list));
}

/* Memory for all factors, one after another. */
static pg_status own_factors(pg_adapter *adapter)
{
    size_t floats = 0;
    for (size_t i = 0; i < adapter->count; i++) {
        const pg_lora *lora = &adapter->layers[i].lora;
        floats += (size_t)(lora->a.rows * lora->a.width + lora->b.rows * lora->b.width);
    }
    adapter->owned = pg_alloc(floats, sizeof *adapter->owned);
    return adapter->owned ? PG_OK : PG_ERROR_MEMORY;
}

static void start_factors(pg_adapter *adapter, uint64_t seed)
{
    float *next = adapter->owned;
    for (size_t i = 0; i < adapter->count; i++) {
        pg_lora *lora = &adapter->layers[i].lora;
        int64_t count = lora->a.rows * lora->a.width;
        double bound = 1 / sqrt((double)lora->a.width);
        lora->a.data = next;
        for (int64_t k = 0; k < count; k++)
            next[k] = (float)((2 * pg_random_uniform(seed, i, (uint64_t)k) - 1) * bound);
        next += count;
        lora->b.data = next; /* zero already */
        next += lora->b.rows * lora->b.width;
    }
}

static pg_status plan_layers(pg_adapter *adapter, const pg_module_list *list)
{
    PG_TRY(pg_adapter_config_choose(list->choices, list->choice_count, &adapter->config));
    PG_TRY(pg_adapter_make_room(adapter, list));
    for (size_t i = 0; i < list->count; i++) {
        const pg_module_entry *entry = &list->entries[i];
        const pg_adapter_choice *choice = entry->weight.linear ? &list->choices[entry->choice] : NULL;
        if (!choice || !choice->targeted || entry->weight.bypassed)
            continue;
        pg_parameter *base = entry->weight.parameter;
        pg_adapter_layer *layer = &adapter->layers[adapter->count++];
        pg_adapter_fill_layer(layer, adapter, base, choice);
        layer->lora.a = (pg_parameter){.name = base->name, .rows = choice->rank, .width = base->width};
        layer->lora.b = (pg_parameter){.name = base->name, .rows = base->rows, .width = choice->rank};
    }
    return adapter->count ? PG_OK
                          : pg_fail(PG_ERROR_ARGUMENT, "the adapter's targets name no linear layer of this model");
}

static pg_status plan_adapter(pg_adapter *adapter, const pg_module_list *list, const pg_adapter_plan *plan)
{
    json_t *document = plan_document(plan, list);
    if (!document)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    if (!plan->pattern && !json_array_size(json_object_get(document, "target_modules"))) {
        json_decref(document);
        return pg_fail(PG_ERROR_ARGUMENT, "the adapter's targets name no linear layer of this model");
    }
    PG_TRY(pg_adapter_config_read(&adapter->config, document, "adapter"));
    PG_TRY(plan_layers(adapter, list));
    PG_TRY(own_factors(adapter));
    start_factors(adapter, plan->seed);
    return PG_OK;
}

pg_status pg_adapter_new(pg_adapter **out, pg_weights *weights, const pg_adapter_plan *plan)
{
    pg_module_list list = {0};
    pg_status status;
    pg_adapter *adapter = *out = pg_alloc(1, sizeof *adapter);
    if (!adapter)
        return PG_ERROR_MEMORY;
    PG_TRY_GOTO(pg_modules_list(&list, weights, PG_MODULES_NEW));
    PG_TRY_GOTO(plan_adapter(adapter, &list, plan));
    pg_adapter_attach(adapter);
done:
    pg_modules_free(&list);
    if (status != PG_OK) {
        pg_adapter_free(adapter);
        *out = NULL;
    }
    return status;
}

static float *own_factor(pg_parameter *p, float *next)
{
    int64_t count = p->rows * p->width;
    pg_dtype_widen(next, p->dtype, p->stored->data, count);
    p->dtype = PG_F32;
    p->data = next;
    p->device = NULL;
    p->stored = NULL;
    return next + count;
}

pg_status pg_adapter_own(pg_adapter *adapter)
{
    if (adapter->owned)
        return PG_OK;
    PG_TRY(own_factors(adapter));
    float *next = adapter->owned;
    for (size_t i = 0; i < adapter->count; i++) {
        next = own_factor(&adapter->layers[i].lora.a, next);
        next = own_factor(&adapter->layers[i].lora.b, next);
    }
    return PG_OK;
}

#include "model/adapter_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const pg_module_entry *)a)->name, ((const pg_module_entry *)b)->name);
}

static pg_status add_entry(pg_module_list *list, const pg_weight_entry *weight, pg_module_names names)
{
    PG_TRY(pg_grow((void **)&list->entries, &list->capacity, list->count + 1, sizeof *list->entries));
    pg_module_entry *entry = &list->entries[list->count++];
    *entry = (pg_module_entry){.weight = *weight};
    memcpy(entry->name, weight->modules[names], sizeof entry->name);
    list->choice_count += weight->linear;
    return PG_OK;
}

/* "X.weight" without its end. */
static char *module_of(const char *name)
{
    return pg_copy_text(name, strlen(name) - strlen(".weight"));
}

void pg_modules_free(pg_module_list *list)
{
    for (size_t i = 0; list->choices && i < list->choice_count; i++)
        pg_free((char *)list->choices[i].module);
    pg_free(list->choices);
    pg_free(list->entries);
}

static pg_status make_choices(pg_module_list *list, const pg_parameter *output)
{
    list->choices = pg_alloc(list->choice_count, sizeof *list->choices);
    if (!list->choices)
        return PG_ERROR_MEMORY;
    size_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        pg_module_entry *entry = &list->entries[i];
        if (!entry->weight.linear)
            continue;
        entry->choice = next++;
        pg_adapter_choice *choice = &list->choices[entry->choice];
        choice->module = module_of(entry->name);
        choice->output = entry->weight.parameter == output;
        if (!choice->module)
            return PG_ERROR_MEMORY;
    }
    return PG_OK;
}

pg_status pg_modules_list(pg_module_list *out, pg_weights *weights, pg_module_names names)
{
    *out = (pg_module_list){.weights = weights};
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry weight;
    while (pg_weights_next(&walk, &weight))
        PG_TRY(add_entry(out, &weight, names));
    if (weights->config.text.tied && pg_weights_output(weights, &weight))
        PG_TRY(add_entry(out, &weight, names));
    if (out->count)
        qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    return make_choices(out, &weights->text.output);
}

pg_module_entry *pg_modules_find(const pg_module_list *list, const char *name)
{
    pg_module_entry key;
    if (strlen(name) >= sizeof key.name)
        return NULL;
    snprintf(key.name, sizeof key.name, "%s", name);
    return bsearch(&key, list->entries, list->count, sizeof key, compare_entries);
}

/* ---------------------------------------------------------------- the adapter's layers */

pg_status pg_adapter_make_room(pg_adapter *adapter, const pg_module_list *list)
{
    adapter->layers = pg_alloc(list->choice_count, sizeof *adapter->layers);
    adapter->wholes = pg_alloc(list->count, sizeof *adapter->wholes);
    return adapter->layers && adapter->wholes ? PG_OK : PG_ERROR_MEMORY;
}

void pg_adapter_fill_layer(pg_adapter_layer *out, const pg_adapter *adapter, pg_parameter *base,
                           const pg_adapter_choice *choice)
{
    out->base = base;
    out->lora.scale = pg_adapter_scale(&adapter->config, choice->rank, choice->alpha);
    out->lora.dropout = adapter->config.dropout;
    snprintf(out->module, sizeof out->module, "%s", choice->module);
}

void pg_adapter_attach(pg_adapter *adapter)
{
    for (size_t i = 0; i < adapter->count; i++)
        adapter->layers[i].base->lora = &adapter->layers[i].lora;
}

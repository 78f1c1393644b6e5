/*
 * The layers of a model as adapters see them: under the names of modules in memory, and which of them an adapter's
 * configuration chooses.
 */
#ifndef PG_MODEL_ADAPTER_LAYERS_H
#define PG_MODEL_ADAPTER_LAYERS_H

#include "model/adapter.h"

/* One weight of the model under the name that this adapter's file would use. */
typedef struct pg_module_entry {
    char name[PG_WEIGHT_NAME]; /* ".weight" or ".bias" included */
    pg_weight_entry weight;
    size_t choice; /* linear layers: their place in `choices` */
    const pg_array *a, *b, *whole;
} pg_module_entry;

typedef struct pg_module_list {
    pg_weights *weights;
    pg_module_entry *entries; /* sorted by name */
    size_t count, capacity;
    pg_adapter_choice *choices; /* of the linear layers; their names are owned */
    size_t choice_count;
} pg_module_list;

/* All weights under these names, none chosen yet. What was made is freed by pg_modules_free, after a failure too. */
pg_status pg_modules_list(pg_module_list *out, pg_weights *weights, pg_module_names names);
void pg_modules_free(pg_module_list *list);

/* NULL: the model has no such weight. */
pg_module_entry *pg_modules_find(const pg_module_list *list, const char *name);

/* Room for as many layers and whole weights as the model has. */
pg_status pg_adapter_make_room(pg_adapter *adapter, const pg_module_list *list);

/* A layer without its factors. */
void pg_adapter_fill_layer(pg_adapter_layer *out, const pg_adapter *adapter, pg_parameter *base,
                           const pg_adapter_choice *choice);

/* Hangs all layers into the model's weights. */
void pg_adapter_attach(pg_adapter *adapter);

#endif

/*
 * LoRA adapters in PEFT's layout: adapter_config.json and adapter_model.safetensors, whose keys are
 * base_model.model.MODULE.lora_A.weight [rank, inputs] and .lora_B.weight [outputs, rank], and base_model.model.NAME
 * for whole weights that are replaced (modules_to_save). MODULE is a name in transformers' memory, since its
 * version 4.52 (model.language_model.layers.0...) or before (language_model.model.layers.0...); one file has one kind.
 *
 * An adapter belongs to one set of weights: it hangs its factors into pg_parameter.lora. It is freed after them, or
 * taken off first.
 */
#ifndef PG_MODEL_ADAPTER_H
#define PG_MODEL_ADAPTER_H

#include "model/adapter_config.h"
#include "model/weights.h"
#include "tensor/safetensors.h"

#define PG_ADAPTER_CONFIG  "adapter_config.json"
#define PG_ADAPTER_WEIGHTS "adapter_model.safetensors"

typedef struct pg_adapter_layer {
    pg_parameter *base;
    pg_lora lora;
    char module[PG_WEIGHT_NAME];
} pg_adapter_layer;

/* A whole weight that the adapter brings. */
typedef struct pg_adapter_whole {
    pg_parameter *base, before;
    int dimensions;
    int64_t shape[PG_WEIGHT_DIMENSIONS];
    char name[PG_WEIGHT_NAME]; /* of the weight in memory, ".weight" included */
} pg_adapter_whole;

typedef struct pg_adapter {
    pg_adapter_config config;
    pg_module_names names;
    pg_adapter_layer *layers;
    size_t count;
    pg_adapter_whole *wholes;
    size_t whole_count;
    pg_safetensors *file; /* NULL: the factors are owned */
    float *owned;
    pg_placement placed; /* factors and whole weights, where the model's weights are on a device */
    char *path, *config_path;
} pg_adapter;

/* Reads FOLDER's adapter and hangs it into the weights; its values stay mapped. Refused: a key that matches nothing in
 * the model, a module that is targeted and has no factors, or factors and is not targeted, wrong shapes, features that
 * are not supported. After a failure the weights are as before. */
pg_status pg_adapter_load(pg_adapter **out, pg_weights *weights, const char *folder);

/* A new adapter. */
typedef struct pg_adapter_plan {
    unsigned parts;             /* 1 << PG_PART_TEXT and so on: linear layers of these parts only, */
    const char *const *modules; /* [module_count] of which the name ends in one of these ("q_proj"); */
    size_t module_count;        /* 0: all but the output matrix */
    const char *pattern;        /* instead of both: Python's regular expression for whole names */
    int64_t rank;
    double alpha, dropout;
    bool rank_stabilised;
    const char *base; /* base_model_name_or_path; may be NULL */
    uint64_t seed;
} pg_adapter_plan;

/* Rank 8, alpha 16, all linear layers of the decoder. */
void pg_adapter_plan_init(pg_adapter_plan *plan);

/* Factors of f32 that the adapter owns, as PEFT starts them: a uniform within 1 / sqrt(inputs), b zero, so that nothing
 * changes until they are trained. A plan that chooses no layer is an error. */
pg_status pg_adapter_new(pg_adapter **out, pg_weights *weights, const pg_adapter_plan *plan);

/* Makes the factors of a loaded adapter f32 values of the host's that it owns, so that they can be trained. */
pg_status pg_adapter_own(pg_adapter *adapter);

/* Writes both files into a folder that exists. Factors have the dtype that they have here. */
pg_status pg_adapter_write(const pg_adapter *adapter, const char *folder);

/* The same as a new folder, which appears complete or not at all; `replace`: one that exists is replaced. */
pg_status pg_adapter_save(const pg_adapter *adapter, const char *folder, bool replace);

/* Takes the adapter off the weights, which are as before. */
void pg_adapter_detach(pg_adapter *adapter);
void pg_adapter_free(pg_adapter *adapter); /* NULL is allowed */

#endif

/*
 * The weights of a model and the one table of their names: ours, the published ones (all key layouts in use) and the
 * shape rule. Loading, checking, counting and describing iterate over it.
 */
#ifndef PG_MODEL_WEIGHTS_H
#define PG_MODEL_WEIGHTS_H

#include "model/config.h"
#include "tensor/checkpoint.h"
#include "tensor/placement.h"
#include "tensor/tensor.h"

/* Names and shapes are in weight_rules.c; an absent weight has no name. */
typedef struct pg_gemma_layer {
    pg_parameter input_norm, q, k, v, o, post_norm, gate, up, down;
} pg_gemma_layer;

typedef struct pg_gemma {
    pg_gemma_config config;
    pg_parameter embed, norm, output; /* output: `embed` again if they are tied */
    pg_gemma_layer *layers;
} pg_gemma;

typedef struct pg_siglip_layer {
    pg_parameter norm1, norm1_bias, q, q_bias, k, k_bias, v, v_bias, out, out_bias;
    pg_parameter norm2, norm2_bias, fc1, fc1_bias, fc2, fc2_bias;
} pg_siglip_layer;

/* The attention pooling head: one learned query, the probe. */
typedef struct pg_siglip_head {
    pg_parameter probe, in, in_bias, out, out_bias, norm, norm_bias, fc1, fc1_bias, fc2, fc2_bias;
} pg_siglip_head;

typedef struct pg_siglip_vision {
    pg_siglip_config config;
    pg_parameter patch, patch_bias, position, post_norm, post_norm_bias;
    pg_siglip_head head;
    pg_siglip_layer *layers;
} pg_siglip_vision;

typedef struct pg_siglip_words {
    pg_siglip_config config;
    pg_parameter token, position, norm, norm_bias, head, head_bias;
    pg_siglip_layer *layers;
} pg_siglip_words;

/* A model without its tokenizer: immutable once loaded. Parts that the kind does not have are empty. */
typedef struct pg_weights {
    pg_config config;
    pg_gemma text;
    pg_siglip_vision vision;
    pg_siglip_words words;
    pg_parameter projector, projector_bias;
    pg_parameter logit_scale, logit_bias;
    pg_checkpoint *files;
    char *names;         /* of all parameters */
    pg_placement placed; /* its device is NULL where the weights are in the host's memory */
} pg_weights;

/* Maps the checkpoint in `folder` and finds every weight that `config` asks for. A tensor that is missing, that no
 * weight stands for, or of another shape or kind is an error that names the file and the tensor. */
pg_status pg_weights_load(pg_weights **out, const pg_config *config, const char *folder);
void pg_weights_free(pg_weights *weights);

/* Copies all weights into huge pages in the place of their files (pg_checkpoint_copy). Nobody may read them
 * meanwhile. */
pg_status pg_weights_copy(pg_weights *weights, int threads);

/* Copies all weights to the device (borrowed, and closed after the weights are freed), once, and gives the pages of
 * their files back: from then on pg_parameter.data is the device's address. Before an adapter is hung into them; what
 * one brings later goes to the same device. NULL: nothing is done. */
pg_status pg_weights_place(pg_weights *weights, pg_device *device);

/* The same for weights of a model that is there already: they use the values of `placed`, which must be freed later and
 * have no adapter. */
void pg_weights_share(pg_weights *weights, pg_device *device, const pg_weights *placed);

/* Parts of a model as users choose among them. */
typedef enum pg_weight_part {
    PG_PART_VISION,
    PG_PART_PROJECTOR,
    PG_PART_TEXT,
    PG_PART_WORDS,
    PG_PART_OTHER
} pg_weight_part;

/* transformers' names of modules in memory: those since its version 4.52, and those before. */
typedef enum pg_module_names { PG_MODULES_NEW, PG_MODULES_OLD, PG_MODULES_COUNT } pg_module_names;

/* One weight of the table, with the names that others know it by. */
#define PG_WEIGHT_NAME       128
#define PG_WEIGHT_DIMENSIONS 4
typedef struct pg_weight_entry {
    pg_parameter *parameter;
    const char *rule; /* the row of the table: our name, with %d for the layer */
    int64_t layer;
    pg_weight_part part;
    bool linear;                    /* the matrix of a linear layer, which may have a low-rank addition */
    bool bypassed;                  /* the same, but torch computes with the matrix past the module */
    char published[PG_WEIGHT_NAME]; /* in files */
    char modules[PG_MODULES_COUNT][PG_WEIGHT_NAME]; /* in memory, ".weight" or ".bias" included */
    int dimensions;
    int64_t shape[PG_WEIGHT_DIMENSIONS]; /* as published */
} pg_weight_entry;

/* A walk over all weights, in the table's order, layer by layer; starts as {.weights = weights}. The output matrix that
 * is the embedding again is no weight. */
typedef struct pg_weight_walk {
    pg_weights *weights;
    size_t next;
    int64_t layer;
} pg_weight_walk;

bool pg_weights_next(pg_weight_walk *walk, pg_weight_entry *out);

/* The output matrix of a decoder, tied or not; false if the model has none. */
bool pg_weights_output(pg_weights *weights, pg_weight_entry *out);

/* Weights of this configuration without values: shapes and names are set, data is NULL, no quantisation. The owner sets
 * data before they are used, and frees what it points to after pg_weights_free. */
pg_status pg_weights_new(pg_weights **out, const pg_config *config);

/* Makes a tied output matrix the embedding again. Due whenever the embedding's parameter has changed (data, grad). */
void pg_weights_tie(pg_weights *weights);

/* Calls visit(user, parameter) for every weight, in the table's order, layer by layer. */
void pg_weights_each(const pg_weights *weights, void (*visit)(void *user, const pg_parameter *parameter), void *user);

/* The bits that one of these weights has where the model is quantised in this way; 0: none, it stays as it is. */
int pg_weights_bits(const pg_weights *weights, const pg_parameter *p, const pg_quantization *quantization);

#endif

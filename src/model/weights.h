/*
 * The weights of a model and the one table of their names: ours, the published ones (all key layouts in use) and the
 * shape rule. Loading, checking, counting and describing iterate over it.
 */
#ifndef PG_MODEL_WEIGHTS_H
#define PG_MODEL_WEIGHTS_H

#include "model/config.h"
#include "tensor/checkpoint.h"
#include "tensor/tensor.h"

/* Names and shapes are in weights.c; an absent weight has no name. */
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
    char *names; /* of all parameters */
} pg_weights;

/* Maps the checkpoint in `folder` and finds every weight that `config` asks for. A tensor that is missing, that no
 * weight stands for, or of another shape or kind is an error that names the file and the tensor. */
pg_status pg_weights_load(pg_weights **out, const pg_config *config, const char *folder);
void pg_weights_free(pg_weights *weights);

/* Calls visit(user, parameter) for every weight, in the table's order, layer by layer. */
void pg_weights_each(const pg_weights *weights, void (*visit)(void *user, const pg_parameter *parameter), void *user);

/* The bits that one of these weights has where the model is quantised in this way; 0: none, it stays as it is. */
int pg_weights_bits(const pg_weights *weights, const pg_parameter *p, const pg_quantization *quantization);

#endif

/*
 * The mask codec (VQ-VAE) behind <seg> tokens: masks of 64 x 64 values to 4 x 4 codes of a codebook of 128, and back.
 *
 * Shapes, activations as rows of places: the encoder's four convolutions (4 x 4, stride 2) take [64 * 64, 1] to
 * [4 * 4, 128], two residual blocks and a last layer to [4 * 4, 512]; the codebook is [128, 512]; the decoder goes the
 * same way back with transposed convolutions of 128, 64, 32 and 16 channels, to [64 * 64, 1]. Files have the published
 * names and PyTorch's shapes; in memory weights lie as the products of ops/convolution.c take them.
 */
#ifndef PG_MODEL_MASK_CODEC_H
#define PG_MODEL_MASK_CODEC_H

#include "base/arena_pool.h"
#include "tensor/array.h"
#include "tensor/context.h"

#define PG_MASK_CODEBOOK 128
#define PG_MASK_WIDTH    512
#define PG_MASK_LAYERS   23

typedef enum pg_mask_layer_kind { PG_MASK_CONVOLUTION, PG_MASK_TRANSPOSED } pg_mask_layer_kind;

typedef struct pg_mask_layer {
    const char *name; /* published, without ".weight" */
    pg_mask_layer_kind kind;
    int64_t inputs, outputs, size, stride, padding;
} pg_mask_layer;

/* The encoder's layers, then the decoder's. */
extern const pg_mask_layer pg_mask_layers[PG_MASK_LAYERS];

struct pg_mask_codec {
    pg_parameter weights[PG_MASK_LAYERS], biases[PG_MASK_LAYERS];
    pg_parameter codebook;              /* [128, 512] */
    char names[2 * PG_MASK_LAYERS][32]; /* of the parameters: published */
    bool has_encoder;
    float *values;         /* of all of them; owned */
    pg_arena_pool *arenas; /* what masks are computed in */
};

/* An untrained one: weights uniform as He et al. 2015 have them, biases zero; they follow from the seed. */
pg_status pg_mask_codec_new(pg_mask_codec **out, uint64_t seed);

/* Writes an .npz with the published names and shapes, in f32 as published or f16. */
pg_status pg_mask_codec_save(const pg_mask_codec *codec, pg_dtype dtype, const char *path);

/* The published shape of parameter i (weights and biases in turn); its dimensions. */
int pg_mask_codec_shape(int64_t shape[4], size_t i);

/* Parameter i; i below 2 * PG_MASK_LAYERS. */
pg_parameter *pg_mask_codec_parameter(pg_mask_codec *codec, size_t i);

/* Values of parameter i (or its gradient) from the order of memory to that of files. */
void pg_mask_codec_publish(float *out, const float *values, size_t i);

/* Values -1 .. 1 of masks, [count * 64 * 64, 1], to what is looked up in the codebook: [count * 16, 512]. */
pg_tensor *pg_mask_codec_features(pg_context *g, const pg_mask_codec *codec, pg_tensor *masks);

/* Rows of the codebook [count * 16, 512] to masks [count * 64 * 64, 1]. */
pg_tensor *pg_mask_codec_masks(pg_context *g, const pg_mask_codec *codec, pg_tensor *x);

#endif

/* config.json of PaliGemma, Gemma and SigLIP: the shapes that decide everything else. */
#ifndef PG_MODEL_CONFIG_H
#define PG_MODEL_CONFIG_H

#include "base/status.h"

/* Gemma's decoder. Dimension letters as in MODEL.md: D width, F mlp, L layers, H heads, K kv_heads, E size, V
 * vocabulary. */
typedef struct pg_gemma_config {
    int64_t width, mlp, layers, heads, kv_heads, size, vocabulary, context;
    double epsilon, theta;
    bool tied; /* the output matrix is the embedding table */
} pg_gemma_config;

/* A SigLIP transformer. The vision tower has channels, side and patch; the text tower vocabulary, context and
 * projection. */
typedef struct pg_siglip_config {
    int64_t width, mlp, layers, heads;
    int64_t channels, side, patch;
    int64_t vocabulary, context, projection;
    double epsilon;
    bool head; /* the pooling head over patches */
} pg_siglip_config;

#define PG_SIDE_MAX (1 << 14) /* largest picture, in pixels */

/* The fields of config.json's quantization_config that say whose it is. */
#define PG_QUANTIZATION_METHOD  "paligemma"
#define PG_QUANTIZATION_VERSION 1

/* How a quantised model's matrices are stored (base/quantized.h): bits of those of the decoder or SigLIP's text tower,
 * and of the vision tower and projector; 0: as floats. */
typedef struct pg_quantization {
    int text, vision;
    int64_t block;
} pg_quantization;

typedef struct pg_config {
    pg_model_kind kind;
    pg_gemma_config text;    /* PaliGemma, Gemma */
    pg_siglip_config vision; /* PaliGemma, SigLIP */
    pg_siglip_config words;  /* SigLIP's text tower */
    int64_t projection;      /* PaliGemma: width of the projector's output, the decoder's width */
    int32_t image_token;     /* PaliGemma */
    int32_t bos, eos, pad;
    pg_quantization quantization;
} pg_config;

/* Patches of one picture. */
static inline int64_t pg_config_patches(const pg_siglip_config *vision)
{
    int64_t across = vision->side / vision->patch;
    return across * across;
}

/* What the shapes of weights do not tell and two models disagree in, as "KEY is X in one and Y in the other"; false if
 * there is nothing. */
#define PG_CONFIG_DIFFERENCE 128
bool pg_config_differ(char out[PG_CONFIG_DIFFERENCE], const pg_config *one, const pg_config *other);

/* Reads FOLDER/config.json. Fields that published files leave out have the defaults of the reference; anything else
 * that is missing, contradictory or of an unsupported relative (PaliGemma 2, Gemma 2, ...) is refused by name. */
pg_status pg_config_load(pg_config *out, const char *path);

#endif

/*
 * big_vision's PaliGemma, Gemma and SigLIP as a .npz: which array holds which weight, and in which order of axes.
 * Layers are stacked along the first axis, or each has arrays of its own; matrices are [inputs, outputs], heads have an
 * axis of their own, and what one einsum takes together (keys and values; gate and up) is one array with a further axis
 * in front. Of SigLIP's pooling head, one published matrix makes queries, keys and values: there it is three arrays.
 *
 * An array is a row of blocks, one a weight or a part of one, in the order in which pg_weights_next gives them: read or
 * written from its first byte to its last, it needs memory for one block only. Names and shapes: big_vision,
 * models/vit.py, models/ppp/gemma.py, models/proj/image_text/text_transformer.py and two_towers.py.
 */
#ifndef PG_MODEL_JAX_LAYOUT_H
#define PG_MODEL_JAX_LAYOUT_H

#include "model/weights.h"

#define PG_JAX_NAME 192

/* How a file calls its arrays. */
typedef struct pg_jax_style {
    pg_model_kind kind;
    const char *prefix; /* of all parameters' names; static */
    bool apart;         /* each layer of SigLIP's towers has arrays of its own */
} pg_jax_style;

/* Of published files: SigLIP's have layers apart, and a prefix. */
pg_jax_style pg_jax_style_of(pg_model_kind kind);

/* "PaliGemma", "Gemma" or "SigLIP". */
const char *pg_jax_kind_name(pg_model_kind kind);

/* How one weight lies in its array: the published shape, seen in four dimensions, and which of them comes where. */
typedef struct pg_jax_order {
    int64_t published[4];
    int axes[4]; /* the array's dimension i is the published one axes[i] */
    bool same;   /* the bytes are in the same order */
} pg_jax_order;

typedef struct pg_jax_block {
    pg_weight_entry entry; /* with the shape of the part */
    pg_jax_order order;
    size_t array;       /* which holds it */
    size_t place;       /* its number there */
    int64_t rows;       /* the array has of it, from the first on: of the embedding perhaps not all */
    size_t part, parts; /* which of how many equal parts of the weight's values this is; 0 of 1: all of them */
} pg_jax_block;

typedef struct pg_jax_array {
    char name[PG_JAX_NAME];
    pg_array array; /* with the dtype of its weights, F32 where they differ; no data */
    const struct pg_jax_rule *rule;
    size_t *blocks; /* in their order */
    size_t count, capacity;
} pg_jax_array;

/* The layout of one model. */
typedef struct pg_jax_plan {
    pg_jax_block *blocks; /* one a weight, in the order of pg_weights_next */
    size_t count, capacity;
    pg_jax_array *arrays; /* in the order of their first blocks */
    size_t array_count, array_capacity;
} pg_jax_plan;

/* tokens: rows of the decoder's embedding that the file has, the first ones. The style is that of the weights' kind.
 * PG_ERROR_UNSUPPORTED for weights that big_vision's model has no place for. `out` is freed, whatever happens, with
 * pg_jax_plan_free. */
pg_status pg_jax_plan_make(pg_jax_plan *out, pg_weights *weights, const pg_jax_style *style, int64_t tokens);
void pg_jax_plan_free(pg_jax_plan *plan);

/* Every array has this dtype (F32, F16 or BF16) in the file. */
void pg_jax_plan_set_dtype(pg_jax_plan *plan, pg_dtype dtype);

/* A file's parameters, by their names without the style's prefix; NULL: there is no such array. */
typedef const pg_array *pg_jax_find(void *user, const char *name);

/* What kind of model a file is, told by the names of its arrays, all of which may begin with "params/"; a PaliGemma
 * where they tell nothing. `find` gets whole names. */
pg_jax_style pg_jax_find_style(pg_jax_find *find, void *user, bool has_parameters);

/* What the decoder's embedding is called in files of that kind. */
const char *pg_jax_embedding(pg_model_kind kind);

/* Shapes out of a file's arrays; vocabulary: rows of the embedding. What no shape says has the published models'
 * values. An array that is missing, or that has too few dimensions, is named, as is `file`. */
pg_status pg_jax_read_config(pg_config *out, const pg_jax_style *style, pg_jax_find *find, void *user,
                             const char *file);

/* Elements of `size` bytes (2 or 4) put into the array's order, or back into the published one. */
void pg_jax_reorder(void *out, const void *in, const pg_jax_order *order, size_t size, bool back);

#endif

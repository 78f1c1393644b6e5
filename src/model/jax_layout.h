/*
 * big_vision's PaliGemma as a .npz: which array holds which weight, and in which order of axes. Layers are stacked
 * along the first axis, matrices are [inputs, outputs], heads have an axis of their own, and what one einsum takes
 * together (keys and values; gate and up) is one array with a further axis in front.
 *
 * An array is a row of blocks, one a weight, in the order in which pg_weights_next gives them: read or written from its
 * first byte to its last, it needs memory for one block only. Names and shapes: big_vision, models/vit.py and
 * models/ppp/gemma.py.
 */
#ifndef PG_MODEL_JAX_LAYOUT_H
#define PG_MODEL_JAX_LAYOUT_H

#include "model/weights.h"

/* How one weight lies in its array: the published shape, seen in four dimensions, and which of them comes where. */
typedef struct pg_jax_order {
    int64_t published[4];
    int axes[4]; /* the array's dimension i is the published one axes[i] */
    bool same;   /* the bytes are in the same order */
} pg_jax_order;

typedef struct pg_jax_block {
    pg_weight_entry entry;
    pg_jax_order order;
    size_t array; /* which holds it */
    size_t place; /* its number there */
    int64_t rows; /* the array has of it, from the first on: of the embedding perhaps not all */
} pg_jax_block;

typedef struct pg_jax_array {
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

/* tokens: rows of the embedding that the file has, the first ones. PG_ERROR_UNSUPPORTED for another kind than
 * PaliGemma, and for weights that big_vision's model has no place for. `out` is freed, whatever happens, with
 * pg_jax_plan_free. */
pg_status pg_jax_plan_make(pg_jax_plan *out, pg_weights *weights, int64_t tokens);
void pg_jax_plan_free(pg_jax_plan *plan);

/* Every array has this dtype (F32, F16 or BF16) in the file. */
void pg_jax_plan_set_dtype(pg_jax_plan *plan, pg_dtype dtype);

/* What an array is called, and in files that hold more than the parameters. */
#define PG_JAX_PARAMETERS "params/"

/* Shapes out of a file's arrays, found by their names; vocabulary: rows of the embedding. What no shape says has
 * PaliGemma's values. An array that is missing, or that has too few dimensions, is named, as is `file`. */
typedef const pg_array *pg_jax_find(void *user, const char *name);
pg_status pg_jax_read_config(pg_config *out, pg_jax_find *find, void *user, const char *file);

/* Elements of `size` bytes (2 or 4) put into the array's order, or back into the published one. */
void pg_jax_reorder(void *out, const void *in, const pg_jax_order *order, size_t size, bool back);

#endif

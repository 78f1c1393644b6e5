/* Gemma's decoder as llama.cpp names it in GGUF files (its src/llama-arch.cpp). Matrices lie there as published; norms
 * are stored as the factors that they mean, 1 + w, in F32. */
#ifndef PG_MODEL_GGUF_LAYOUT_H
#define PG_MODEL_GGUF_LAYOUT_H

#include "model/weights.h"
#include "tensor/gguf.h"

typedef struct pg_gguf_tensor {
    pg_weight_entry entry;
    char name[64];
    bool factor; /* 1 + w */
    pg_array array;
} pg_gguf_tensor;

/* The decoder's tensors; freed with pg_free. dtype: of the matrices; NULL: as stored, quantised ones BF16.
 * PG_ERROR_UNSUPPORTED where the model has no decoder, or its output matrix is another than its embedding, which
 * llama.cpp does not know of Gemma. */
pg_status pg_gguf_tensors(pg_gguf_tensor **out, size_t *count, pg_weights *weights, const pg_dtype *dtype);

/* The shapes: gemma.*, general.architecture and general.file_type. */
pg_status pg_gguf_put_shapes(pg_gguf_metadata *m, const pg_gemma_config *config, pg_dtype dtype);

/* Rows first .. first + count - 1 of a tensor, in its dtype, as pg_weight_rows. */
pg_status pg_gguf_rows(void *out, const pg_gguf_tensor *tensor, int64_t first, int64_t count, int threads);

#endif

/* Tensors, parameters and batches: views of memory that somebody else owns. */
#ifndef PG_TENSOR_H
#define PG_TENSOR_H

#include "base/device.h"
#include "base/quantized.h"

/* A matrix of activations, [rows][width] without gaps. Row t is token (patch, key) t of a ragged batch. Activations are
 * F32; only caches hold other types. */
typedef struct pg_tensor {
    pg_dtype dtype;
    int64_t rows, width;
    void *data;
    /* The first `single` rows are generated tokens, which are multiplied one by one (see kernels/matmul.h); the rest
     * belong to prompts and pictures. Operations hand this on from their input to their output. */
    int64_t single;
    bool tracked; /* depends on something that is trained: the tape has an entry that made it */
    float *grad;  /* [rows][width], the loss's derivative, while a tape runs backward; NULL: none yet */
} pg_tensor;

/* A weight as its file stores it: a matrix [rows][width] (outputs, inputs), or a vector with rows = 1. */
typedef struct pg_parameter {
    const char *name; /* our name; NULL if the model has no such weight */
    pg_dtype dtype;   /* F32, F16 or BF16 */
    int64_t rows, width;
    const void *data;
    pg_device *device;             /* in whose memory the values are, or the gradient; NULL: the host's (placement.h) */
    pg_quantized quantized;        /* with bits, this is the weight; dtype and data say nothing */
    const struct pg_array *stored; /* where its values come from; NULL: from no file */
    bool copied;                   /* from there to private memory, whose pages cannot be given back */
    float *grad;                   /* [rows][width], where a backward pass adds its derivatives; NULL: not trained */
    const struct pg_lora *lora;    /* a low-rank addition to the matrix; NULL: none */
} pg_parameter;

/* A low-rank addition (Hu et al. 2021): the layer computes x w^T + scale * (dropout(x) a^T) b^T. */
typedef struct pg_lora {
    pg_parameter a; /* [rank][inputs] */
    pg_parameter b; /* [outputs][rank] */
    double scale;   /* alpha / rank, or alpha / sqrt(rank) */
    double dropout; /* share of x's values that training leaves out */
} pg_lora;

/* Bytes that the weight takes in its file. */
int64_t pg_parameter_bytes(const pg_parameter *p);

/* A row of it as floats, without what an adapter adds. For values in the host's memory. */
void pg_parameter_row(float *out, const pg_parameter *p, int64_t row);

/* Rows first .. first + count - 1 of the keys and values of an attention. */
typedef struct pg_span {
    int64_t first, count;
} pg_span;

/* One sequence of a ragged batch: `count` query rows from `first` on, and the keys that stand for its tokens so far:
 * its spans laid end to end, of which the last `count` belong to the query rows themselves. Query i sees the first
 * max(prefix, past + i + 1) keys, past being the number of keys before the first query's own. So prefix = 0 is causal,
 * prefix = all keys is attention both ways, and anything between is PaliGemma's picture and prompt, then the answer. */
#define PG_SPANS_MAX 2
typedef struct pg_segment {
    int64_t first, count, prefix;
    pg_span spans[PG_SPANS_MAX];
    int span_count;
} pg_segment;

/* Query rows row .. row + count - 1 of a segment as a segment of their own, whose rows begin at `first`. */
pg_segment pg_segment_of_rows(const pg_segment *segment, int64_t row, int64_t count, int64_t first);

/* What a device has of a batch (pg_batch_place); nothing on the host. */
struct pg_device_segment;
typedef struct pg_placed_batch {
    const struct pg_device_segment *segments; /* the device's */
    int64_t few_rows;                         /* query rows of segments with few, see kernels/device_attention.h */
    int64_t longest_few, longest_many;        /* query rows of a segment with few, or many */
    int64_t most_keys;                        /* of a segment, or without a tape room for them (pg_device_key_room) */
    int64_t turns;                            /* on the way back: 1, or more if segments share keys */
} pg_placed_batch;

/* The sequences of one forward pass. Positions and slots lie where operations read them: with a device they are moved
 * there, once for all layers, by pg_batch_place (ops/ops.h). */
typedef struct pg_batch {
    int64_t rows;               /* of all segments */
    int64_t single;             /* see pg_tensor */
    const int32_t *positions;   /* [rows], for rotary embeddings */
    const int64_t *slots;       /* [rows]: the cache row that takes this row's key and value; NULL without a cache */
    const pg_segment *segments; /* the host's */
    pg_placed_batch placed;
    size_t segment_count;
    const int64_t *wanted; /* ascending rows of prompts whose results are asked for; NULL: all rows' are */
    int64_t wanted_count;
} pg_batch;

/* Keys and values of earlier tokens: for each layer, two matrices [rows][width] of F32, BF16 or I8. Rows belong to
 * whoever the owner says; the model writes rows at pg_batch.slots and reads the spans of its segments. In I8 every head
 * of a row is as many signed bytes as it has values, and their f32 scale. */
typedef struct pg_cache {
    pg_device *device; /* whose memory it is; NULL: the host's */
    pg_dtype dtype;
    int64_t layers, rows, width;
    char *data;
    size_t bytes;
} pg_cache;

/* Elements of a row of so many heads. */
int64_t pg_cache_width(pg_dtype dtype, int64_t heads, int64_t size);

pg_status pg_cache_init(pg_cache *out, pg_device *device, pg_dtype dtype, int64_t layers, int64_t rows, int64_t width);
void pg_cache_free(pg_cache *cache);
pg_tensor pg_cache_keys(const pg_cache *cache, int64_t layer);
pg_tensor pg_cache_values(const pg_cache *cache, int64_t layer);

/* Rows first .. first + count - 1 of all layers: how many bytes they are, and into memory of the host of that size and
 * back. */
size_t pg_cache_rows_bytes(const pg_cache *cache, int64_t count);
pg_status pg_cache_get_rows(void *out, const pg_cache *cache, int64_t first, int64_t count);
void pg_cache_set_rows(const pg_cache *cache, int64_t first, int64_t count, const void *rows);

/* Copies `count` rows from `from` on to where `to` begins; they do not overlap. */
void pg_cache_copy_rows(const pg_cache *cache, int64_t to, int64_t from, int64_t count);

#endif

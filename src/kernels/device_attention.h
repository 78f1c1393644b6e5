/* Attention over a ragged batch on a device: ops/attention.c asks for it, ops/device_batch.c makes the segments. */
#ifndef PG_KERNELS_DEVICE_ATTENTION_H
#define PG_KERNELS_DEVICE_ATTENTION_H

#include "kernels/device_kernels.h"

/* A segment of a batch (tensor/tensor.h) as kernels read it. Query i of `count` sees the first max(prefix, past + i +
 * 1) keys: rows of the first span, then of the second, of which there may be none. */
typedef struct pg_device_segment {
    int32_t first, count, prefix, past;
    int32_t spans[2][2]; /* first, count */
    int32_t few;         /* number of its first query among those of all segments with few queries; -1: it has many */
    int32_t turn;        /* on the way back: segments that share keys have different ones */
} pg_device_segment;

/* With few queries the keys of a segment are cut into pieces of so many, which different blocks read and whose results
 * are joined in order: where there are keys enough, and always for generated tokens. */
#define PG_FEW_QUERIES 8
#define PG_KEY_PIECE   64
#define PG_KEYS_ENOUGH 256

/* Room for `keys` keys: what is launched for few queries depends on this, not on their exact number, so that a recorded
 * step can be replayed while a sequence grows. */
static inline int64_t pg_device_key_room(int64_t keys)
{
    int64_t room = 256;
    while (room < 1024 && room < keys)
        room *= 2;
    return keys <= room ? room : (keys + 1023) / 1024 * 1024;
}

/* q [rows][heads * size]; keys and values F32, BF16 or I8 as pg_cache has them, of which the segments name the rows.
 * size is at most 256; multiples of 4 are faster. Arrays begin at multiples of 16 bytes, or at a row of one that does.
 */
typedef struct pg_device_attend {
    const float *q;
    float *out;      /* as q */
    float *log_sums; /* [rows][heads], for the way back; with them all queries are many. NULL: none */
    const void *keys, *values;
    pg_dtype dtype;
    int64_t key_width;      /* elements of a row; bytes of I8 */
    int64_t rows, key_rows; /* of q, and of keys and values */
    int64_t heads, kv_heads, size;
    const pg_device_segment *segments; /* on the device */
    int64_t segment_count;
    int64_t few_rows;                  /* query rows of segments with few */
    int64_t longest_few, longest_many; /* query rows of a segment with few queries, and of one with many; 0: none */
    int64_t most_keys;                 /* of a segment; without a way back it may be more */
    /* Scores are products of queries and keys rounded to bf16, and weights and values are rounded to it for the second
     * product; the softmax is in f32, and so is all that few queries do. Else everything is in f32. */
    bool bf16;
    float *scratch; /* as many bytes as `scratch` says, or on the way back `back_scratch` */
} pg_device_attend;

/* The way back, in f32 keys and values. */
typedef struct pg_device_attend_back {
    pg_device_attend forward;
    const float *dout;
    float *shares;          /* [rows][heads] scratch: dout . out */
    float *dq, *dk, *dv;    /* added to; NULL: not wanted */
    int64_t longest, turns; /* query rows of a segment at most; pg_device_segment.turn is below it */
} pg_device_attend_back;

typedef struct pg_device_attention {
    size_t (*scratch)(const pg_device_attend *call);
    void (*attend)(pg_device *device, const pg_device_attend *call);
    size_t (*back_scratch)(pg_device *device, const pg_device_attend_back *call);
    /* Every derivative is summed in a fixed order. */
    void (*attend_back)(pg_device *device, const pg_device_attend_back *call);
} pg_device_attention;

#endif

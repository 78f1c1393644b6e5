/* What the attention kernels of all instruction sets share: which keys a lane sees, and the rows of a tile of keys. */
#ifndef PG_KERNELS_ATTENTION_TILE_H
#define PG_KERNELS_ATTENTION_TILE_H

#include "base/numbers.h"
#include "kernels/gradient.h"

#define TILE_KEYS      96
#define TILE_KEYS_MOST 192 /* of any instruction set */

/* Heads in scratch are made as wide as tiles of matrices are deep. */
static inline int64_t pg_attention_width(int64_t size)
{
    return pg_round_up(size, 32);
}

/* Floats from one row of a gathered tile to the next: an odd number of cache lines, or the values of one column, which
 * are multiplied one after the other, would lie in a few sets of the first-level cache. */
static inline int64_t pg_tile_stride(int64_t size)
{
    return (((size + 15) / 16) | 1) * 16;
}

/* Floats of a row in scratch, whatever its type. */
static inline int64_t pg_tile_room(int64_t size)
{
    int64_t width = pg_attention_width(size), stride = pg_tile_stride(size);
    return width > stride ? width : stride;
}

/* How many keys, from the first on, lane l of the segment sees. */
static inline int64_t pg_keys_seen(const pg_attention_block *block, int64_t l)
{
    int64_t causal = block->past + l / block->group + 1;
    return causal > block->prefix ? causal : block->prefix;
}

typedef enum pg_tile_side { PG_TILE_KEYS, PG_TILE_VALUES } pg_tile_side;

/* Rows first .. first + count - 1 of the keys or values as f32, and the distance between them: where they lie if they
 * are f32 in one span and `few` lanes read them, else gathered in `scratch` [count][pg_tile_stride(size)] with the
 * table's `widen`. */
const float *pg_tile_rows(const pg_attention_block *block, pg_tile_side side, int64_t first, int64_t count, bool few,
                          float *scratch, void (*widen)(float *, const void *, pg_dtype, int64_t), int64_t *stride);

/* The same keys as bf16, filled up with zeros to `height` rows of `width`: where they lie, or rounded into `scratch`.
 */
const uint16_t *pg_tile_keys_bf16(const pg_attention_block *block, int64_t first, int64_t count, int64_t height,
                                  int64_t width, float *scratch, const pg_kernels *kernels, int64_t *stride);

#endif

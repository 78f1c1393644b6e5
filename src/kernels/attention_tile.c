#include "kernels/attention_tile.h"

/* Where row `first` lies: its span, with *first made relative to it. */
static const pg_key_span *find_span(const pg_attention_block *block, int64_t *first)
{
    const pg_key_span *span = block->spans;
    for (; *first >= span->count; span++)
        *first -= span->count;
    return span;
}

static const char *row_of(const pg_attention_block *block, const pg_key_span *span, pg_tile_side side, int64_t row)
{
    const char *rows = side == PG_TILE_KEYS ? span->keys : span->values;
    return rows + row * block->key_stride * (int64_t)pg_dtype_size(block->dtype);
}

const float *pg_tile_rows(const pg_attention_block *block, pg_tile_side side, int64_t first, int64_t count,
                          float *scratch, void (*widen)(float *, const void *, pg_dtype, int64_t), int64_t *stride)
{
    const pg_key_span *span = find_span(block, &first);
    if (block->dtype == PG_F32 && first + count <= span->count) {
        *stride = block->key_stride;
        return (const float *)row_of(block, span, side, first);
    }
    for (int64_t i = 0; i < count; i++, first++) {
        for (; first >= span->count; span++)
            first -= span->count;
        widen(scratch + i * block->size, row_of(block, span, side, first), block->dtype, block->size);
    }
    *stride = block->size;
    return scratch;
}

const uint16_t *pg_tile_keys_bf16(const pg_attention_block *block, int64_t first, int64_t count, float *scratch,
                                  const pg_kernels *kernels, int64_t *stride)
{
    int64_t width = pg_even(block->size), at = first;
    const pg_key_span *span = find_span(block, &at);
    if (block->dtype == PG_BF16 && width == block->size && at + count <= span->count) {
        *stride = block->key_stride;
        return (const uint16_t *)row_of(block, span, PG_TILE_KEYS, at);
    }
    uint16_t *keys = (uint16_t *)(scratch + block->size); /* behind one row as f32 */
    for (int64_t i = 0; i < count; i++) {
        const float *row = pg_tile_rows(block, PG_TILE_KEYS, first + i, 1, scratch, kernels->widen, stride);
        kernels->narrow(keys + i * width, PG_BF16, row, block->size);
        if (width > block->size)
            keys[i * width + block->size] = 0;
    }
    *stride = width;
    return keys;
}

size_t pg_attention_gradient_scratch(const pg_kernels *kernels, int64_t size)
{
    return (size_t)((4 * size + 2 * TILE_KEYS) * kernels->lanes + 2 * TILE_KEYS * size);
}

size_t pg_attention_scratch(const pg_kernels *kernels, int64_t size)
{
    return (size_t)((pg_even(size) + size + TILE_KEYS) * kernels->lanes + (TILE_KEYS + 1) * pg_even(size));
}

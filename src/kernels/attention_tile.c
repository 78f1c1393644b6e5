#include "kernels/attention_tile.h"

const float *pg_tile_rows(const pg_attention_block *block, pg_tile_side side, int64_t first, int64_t count,
                          float *scratch, void (*widen)(float *, const void *, pg_dtype, int64_t), int64_t *stride)
{
    const pg_key_span *span = block->spans;
    for (; first >= span->count; span++)
        first -= span->count;
    int64_t row_bytes = block->key_stride * (int64_t)pg_dtype_size(block->dtype);
    const char *row = (const char *)(side == PG_TILE_KEYS ? span->keys : span->values) + first * row_bytes;
    if (block->dtype == PG_F32 && first + count <= span->count) {
        *stride = block->key_stride;
        return (const float *)row;
    }
    for (int64_t i = 0; i < count; i++, first++, row += row_bytes) {
        while (first >= span->count) {
            first -= span->count;
            span++;
            row = (const char *)(side == PG_TILE_KEYS ? span->keys : span->values) + first * row_bytes;
        }
        widen(scratch + i * block->size, row, block->dtype, block->size);
    }
    *stride = block->size;
    return scratch;
}

size_t pg_attention_scratch(const pg_kernels *kernels, int64_t size)
{
    return (size_t)(2 * size * kernels->lanes + TILE_KEYS * kernels->lanes + TILE_KEYS * size);
}

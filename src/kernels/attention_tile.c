#include "kernels/attention_tile.h"

#include <string.h>

#include "base/memory.h"

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

#define ROWS_AHEAD 8 /* rows lie a page or more apart: the processor does not see where the next one is */

/* Asks for a key that is read soon, and for the value that is read when all keys have been. */
static void ask_for_rows(const pg_attention_block *block, const pg_key_span *span, int64_t row)
{
    int64_t bytes = block->size * (int64_t)pg_dtype_size(block->dtype);
    if (row >= span->count)
        return;
    const char *key = row_of(block, span, PG_TILE_KEYS, row), *value = row_of(block, span, PG_TILE_VALUES, row);
    for (int64_t at = 0; at < bytes; at += PG_ALIGNMENT) {
        __builtin_prefetch(key + at);
        __builtin_prefetch(value + at, 0, 2);
    }
}

const float *pg_tile_rows(const pg_attention_block *block, pg_tile_side side, int64_t first, int64_t count, bool few,
                          float *scratch, void (*widen)(float *, const void *, pg_dtype, int64_t), int64_t *stride)
{
    const pg_key_span *span = find_span(block, &first);
    if (few && block->dtype == PG_F32 && first + count <= span->count) {
        *stride = block->key_stride;
        return (const float *)row_of(block, span, side, first);
    }
    *stride = pg_tile_stride(block->size);
    for (int64_t i = 0; i < count; i++, first++) {
        for (; first >= span->count; span++)
            first -= span->count;
        if (side == PG_TILE_KEYS && count > 1)
            ask_for_rows(block, span, first + ROWS_AHEAD);
        widen(scratch + i * *stride, row_of(block, span, side, first), block->dtype, block->size);
    }
    return scratch;
}

const uint16_t *pg_tile_keys_bf16(const pg_attention_block *block, int64_t first, int64_t count, int64_t height,
                                  int64_t width, float *scratch, const pg_kernels *kernels, int64_t *stride)
{
    int64_t at = first;
    const pg_key_span *span = find_span(block, &at);
    if (block->dtype == PG_BF16 && width == block->size && height == count && at + count <= span->count) {
        *stride = block->key_stride;
        return (const uint16_t *)row_of(block, span, PG_TILE_KEYS, at);
    }
    uint16_t *keys = (uint16_t *)(scratch + block->size); /* behind one row as f32 */
    for (int64_t i = 0; i < count; i++) {
        ask_for_rows(block, span, at + i + ROWS_AHEAD);
        const float *row = pg_tile_rows(block, PG_TILE_KEYS, first + i, 1, true, scratch, kernels->widen, stride);
        kernels->narrow(keys + i * width, PG_BF16, row, block->size);
        memset(keys + i * width + block->size, 0, (size_t)(width - block->size) * sizeof *keys);
    }
    memset(keys + count * width, 0, (size_t)((height - count) * width) * sizeof *keys);
    *stride = width;
    return keys;
}

size_t pg_attention_gradient_scratch(const pg_kernels *kernels, int64_t size)
{
    return (size_t)((4 * size + 2 * TILE_KEYS) * kernels->lanes + 2 * TILE_KEYS * size);
}

size_t pg_attention_scratch(const pg_kernels *kernels, int64_t size)
{
    int64_t width = pg_attention_width(size), panels = kernels->attention_panels * 2 * width * kernels->lanes;
    int64_t turned = TILE_KEYS_MOST / 2 * width, rows = (2 * TILE_KEYS_MOST + 1) * pg_tile_room(size);
    return (size_t)(panels + TILE_KEYS_MOST * kernels->lanes + rows + turned);
}

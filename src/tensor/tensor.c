#include "tensor/tensor.h"

#include <string.h>

#include "base/memory.h"

int64_t pg_parameter_bytes(const pg_parameter *p)
{
    return p->quantized.bits ? pg_quantized_bytes(&p->quantized)
                             : p->rows * p->width * (int64_t)pg_dtype_size(p->dtype);
}

void pg_parameter_row(float *out, const pg_parameter *p, int64_t row)
{
    if (p->quantized.bits)
        pg_quantized_widen(out, &p->quantized, row, 0, p->width);
    else
        pg_dtype_widen(out, p->dtype, (const char *)p->data + (size_t)(row * p->width) * pg_dtype_size(p->dtype),
                       p->width);
}

int64_t pg_cache_width(pg_dtype dtype, int64_t heads, int64_t size)
{
    return heads * (size + (dtype == PG_I8 ? (int64_t)sizeof(float) : 0));
}

pg_status pg_cache_init(pg_cache *out, pg_device *device, pg_dtype dtype, int64_t layers, int64_t rows, int64_t width)
{
    *out = (pg_cache){.device = device, .dtype = dtype, .layers = layers, .rows = rows, .width = width};
    size_t matrix;
    if (__builtin_mul_overflow((size_t)rows, (size_t)width * pg_dtype_size(dtype), &matrix) ||
        __builtin_mul_overflow(matrix, (size_t)layers * 2, &out->bytes))
        return pg_fail_memory(SIZE_MAX);
    out->data = pg_values_alloc(device, out->bytes);
    return out->data ? PG_OK : PG_ERROR_MEMORY;
}

void pg_cache_free(pg_cache *cache)
{
    pg_values_free(cache->device, cache->data, cache->bytes);
    *cache = (pg_cache){0};
}

static pg_tensor matrix(const pg_cache *cache, int64_t index)
{
    size_t bytes = cache->bytes / (size_t)(2 * cache->layers);
    return (pg_tensor){.dtype = cache->dtype,
                       .rows = cache->rows,
                       .width = cache->width,
                       .data = cache->data + (size_t)index * bytes};
}

pg_tensor pg_cache_keys(const pg_cache *cache, int64_t layer)
{
    return matrix(cache, 2 * layer);
}

pg_tensor pg_cache_values(const pg_cache *cache, int64_t layer)
{
    return matrix(cache, 2 * layer + 1);
}

static size_t row_bytes(const pg_cache *cache)
{
    return (size_t)cache->width * pg_dtype_size(cache->dtype);
}

static char *row_at(const pg_cache *cache, int64_t index, int64_t row)
{
    return (char *)matrix(cache, index).data + (size_t)row * row_bytes(cache);
}

size_t pg_cache_rows_bytes(const pg_cache *cache, int64_t count)
{
    return (size_t)(2 * cache->layers * count) * row_bytes(cache);
}

pg_status pg_cache_get_rows(void *out, const pg_cache *cache, int64_t first, int64_t count)
{
    size_t bytes = (size_t)count * row_bytes(cache);
    for (int64_t i = 0; i < 2 * cache->layers; i++)
        PG_TRY(pg_values_download(cache->device, (char *)out + (size_t)i * bytes, row_at(cache, i, first), bytes));
    return PG_OK;
}

void pg_cache_set_rows(const pg_cache *cache, int64_t first, int64_t count, const void *rows)
{
    size_t bytes = (size_t)count * row_bytes(cache);
    for (int64_t i = 0; i < 2 * cache->layers; i++)
        pg_values_upload(cache->device, row_at(cache, i, first), (const char *)rows + (size_t)i * bytes, bytes);
}

void pg_cache_copy_rows(const pg_cache *cache, int64_t to, int64_t from, int64_t count)
{
    for (int64_t i = 0; i < 2 * cache->layers; i++)
        pg_values_move(cache->device, row_at(cache, i, to), row_at(cache, i, from), (size_t)count * row_bytes(cache));
}

pg_segment pg_segment_of_rows(const pg_segment *segment, int64_t row, int64_t count, int64_t first)
{
    pg_segment own = {.first = first, .count = count, .prefix = segment->prefix, .span_count = segment->span_count};
    int64_t keys = 0;
    for (int i = 0; i < segment->span_count; i++)
        keys += segment->spans[i].count;
    int64_t seen = keys - segment->count + row + count;
    seen = seen > segment->prefix ? seen : segment->prefix;
    for (int i = 0; i < segment->span_count; i++) {
        own.spans[i] = segment->spans[i];
        own.spans[i].count = own.spans[i].count < seen ? own.spans[i].count : seen;
        seen -= own.spans[i].count;
    }
    return own;
}

#include "base/quantized.h"

bool pg_quantized_block_exists(int64_t block)
{
    return block == 32 || block == 64 || block == 128 || block == 256;
}

int64_t pg_quantized_bytes(const pg_quantized *w)
{
    int64_t scales = pg_quantized_blocks(w->inputs, w->block) * PG_QUANTIZED_ROWS * 2;
    return pg_quantized_groups(w->rows) * (pg_quantized_group_bytes(w) + pg_quantized_step_bytes(w) + scales);
}

int64_t pg_quantized_place(const pg_quantized *w, int64_t row, int64_t input)
{
    int64_t four = w->bits == 8 ? input / 4 : input / 32 * 4 + input % 16 / 4;
    return row / 16 * pg_quantized_group_bytes(w) + four * 64 + row % 16 * 4 + input % 4;
}

int64_t pg_quantized_step_place(const pg_quantized *w, int64_t row, int64_t input)
{
    return row / 16 * pg_quantized_step_bytes(w) + input / 32 * 16 + row % 16;
}

int64_t pg_quantized_scale_place(const pg_quantized *w, int64_t row, int64_t input)
{
    return (row / 16 * pg_quantized_blocks(w->inputs, w->block) + input / w->block) * 16 + row % 16;
}

int pg_quantized_whole(const pg_quantized *w, int64_t row, int64_t input)
{
    int byte = w->values[pg_quantized_place(w, row, input)];
    if (w->bits == 8)
        return byte - 128;
    int steps = w->steps[pg_quantized_step_place(w, row, input)];
    return input % 32 < 16 ? ((byte & 15) - 8) * (steps & 15) : ((byte >> 4) - 8) * (steps >> 4);
}

float pg_quantized_scale(const pg_quantized *w, int64_t row, int64_t input)
{
    return pg_dtype_load(PG_BF16, (const char *)w->scales + 2 * pg_quantized_scale_place(w, row, input));
}

void pg_quantized_widen(float *out, const pg_quantized *w, int64_t row, int64_t first, int64_t count)
{
    const int mask = w->bits == 8 ? 255 : 15, zero = w->bits == 8 ? 128 : 8;
    for (int64_t i = first, end = first + count; i < end;) {
        int64_t start = i / PG_QUANTIZED_STEP * PG_QUANTIZED_STEP, stop = start + PG_QUANTIZED_STEP;
        const uint8_t *values = w->values + pg_quantized_place(w, row, start);
        bool high = w->bits == 4 && start % PG_QUANTIZED_INPUTS;
        float unit = pg_quantized_scale(w, row, start);
        if (w->bits == 4)
            unit *= (float)(w->steps[pg_quantized_step_place(w, row, start)] >> (high ? 4 : 0) & 15);
        for (; i < stop && i < end; i++)
            *out++ = (float)((values[(i - start) / 4 * 64 + i % 4] >> (high ? 4 : 0) & mask) - zero) * unit;
    }
}

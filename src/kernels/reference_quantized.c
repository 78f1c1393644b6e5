/* Integer products and cached rows in plain C; see base/quantized.h and kernels/integer.h. */
#include <math.h>

#include "kernels/integer.h"
#include "kernels/reference.h"

void pg_reference_quantize(int8_t *values, float *scale, int32_t *zero8, int32_t *zeros4, const float *x, int64_t count)
{
    float top = 0, strange = 0;
    for (int64_t i = 0; i < count; i++) {
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
        strange += x[i] * 0; /* 0, or NaN */
    }
    bool usable = top >= 0x1p-100f && strange == 0;
    *scale = usable ? top / 127 : strange;
    *zero8 = 0;
    memset(zeros4, 0, (size_t)(count / PG_QUANTIZED_STEP) * sizeof *zeros4);
    for (int64_t i = 0; i < count; i++) {
        values[i] = (int8_t)(usable ? lrintf(x[i] * (127 / top)) : 0);
        *zero8 -= 128 * values[i];
        zeros4[i / PG_QUANTIZED_STEP] -= 8 * values[i];
    }
}

void pg_reference_narrow_scaled(int8_t *out, const float *in, int64_t count)
{
    float top = 0, strange = 0;
    for (int64_t i = 0; i < count; i++) {
        top = fabsf(in[i]) > top ? fabsf(in[i]) : top;
        strange += in[i] * 0; /* 0, or NaN */
    }
    bool usable = top >= 0x1p-100f && strange == 0;
    float scale = usable ? top / 127 : strange;
    for (int64_t i = 0; i < count; i++)
        out[i] = (int8_t)(usable ? lrintf(in[i] * (127 / top)) : 0);
    memcpy(out + count, &scale, sizeof scale);
}

void pg_reference_widen_scaled(float *out, const int8_t *in, int64_t count)
{
    float scale;
    memcpy(&scale, in + count, sizeof scale);
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)in[i] * scale;
}

/* Rows of x against row n of w in one block. */
static void multiply_block(float *sums, const pg_quantized *w, int64_t n, int64_t b, const pg_integer_rows *x)
{
    int64_t first = b * w->block, left = x->inputs - first, count = left < w->block ? left : w->block;
    const int8_t *values = x->values + first * x->rows;
    for (int64_t r = 0; r < x->rows; r++, values += count) {
        int32_t sum = 0;
        for (int64_t i = 0; i < count; i++)
            sum += pg_quantized_whole(w, n, first + i) * values[i];
        sums[r * PG_INTEGER_OUTPUTS] += (float)sum * (pg_quantized_scale(w, n, first) * x->scales[b * x->rows + r]);
    }
}

void pg_reference_integer_product(float *sums, const pg_quantized *w, int64_t group, int64_t groups,
                                  const pg_integer_rows *x, uint8_t *scratch)
{
    (void)scratch;
    for (int64_t n = 0; n < groups * PG_QUANTIZED_ROWS; n++)
        for (int64_t b = 0; b < pg_quantized_blocks(w->inputs, w->block); b++)
            multiply_block(sums + n, w, group * PG_QUANTIZED_ROWS + n, b, x);
}

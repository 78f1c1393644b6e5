#include "base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} table[PG_DTYPE_COUNT] = {
    [PG_F32] = {"F32", 4}, [PG_F16] = {"F16", 2}, [PG_BF16] = {"BF16", 2}, [PG_F64] = {"F64", 8},   [PG_I8] = {"I8", 1},
    [PG_U8] = {"U8", 1},   [PG_I32] = {"I32", 4}, [PG_I64] = {"I64", 8},   [PG_BOOL] = {"BOOL", 1},
};

size_t pg_dtype_size(pg_dtype dtype)
{
    return table[dtype].size;
}

const char *pg_dtype_name(pg_dtype dtype)
{
    return table[dtype].name;
}

bool pg_dtype_parse(pg_dtype *out, const char *name)
{
    for (int i = 0; i < PG_DTYPE_COUNT; i++)
        if (!strcmp(table[i].name, name)) {
            *out = (pg_dtype)i;
            return true;
        }
    return false;
}

uint16_t pg_bf16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (value != value)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float pg_bf16_to_float(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

float pg_f16_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
    float value;
    if (exponent == 0) { /* zero and subnormal: mantissa units of 2^-24 */
        value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13;
    memcpy(&value, &bits, 4);
    return value;
}

uint16_t pg_f16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return sign | 0x7e00;
    if (bits >= 0x477ff000) /* rounds to 65536 or more */
        return sign | 0x7c00;
    if (bits < 0x38800000) { /* below 2^-14: adding 0.5 rounds to units of 2^-24 */
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, 4);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (bits - 0x38000000) >> 13);
}

float pg_dtype_load(pg_dtype dtype, const void *stored)
{
    float value;
    uint16_t half;
    if (dtype == PG_F32) {
        memcpy(&value, stored, sizeof value);
        return value;
    }
    memcpy(&half, stored, sizeof half);
    return dtype == PG_BF16 ? pg_bf16_to_float(half) : pg_f16_to_float(half);
}

void pg_dtype_widen(float *out, pg_dtype dtype, const void *stored, int64_t count)
{
    const char *bytes = stored;
    if (dtype == PG_F32) {
        memcpy(out, stored, (size_t)count * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        out[i] = dtype == PG_BF16 ? pg_bf16_to_float(half) : pg_f16_to_float(half);
    }
}

void pg_dtype_narrow(void *out, pg_dtype dtype, const float *values, int64_t count)
{
    if (dtype == PG_F32) {
        memcpy(out, values, (size_t)count * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint16_t half = dtype == PG_BF16 ? pg_bf16_from_float(values[i]) : pg_f16_from_float(values[i]);
        memcpy((char *)out + (size_t)i * sizeof half, &half, sizeof half);
    }
}

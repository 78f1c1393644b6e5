/* The measuring loops of one instruction set; see roofline.h. */
#include "kernels/simd.h"

#if defined(__AMX_TILE__)
#include "kernels/tiles_amx.h"
#endif

/* As many sums as the registers hold beside the factors: more than any processor has instructions under way. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define CHAINS 24
#else
#define CHAINS 12
#endif

/* static void name(int64_t rounds): every round does sum = STEP(sum, x, y) in all chains. x is another one each time
 * for all that the compiler knows, so that nothing is taken out of the loop. */
#define DEFINE_CHAINS(name, type, x_value, y_value, STEP)             \
    static void name(int64_t rounds)                                  \
    {                                                                 \
        type sum[CHAINS] = {0}, x = x_value, y = y_value;             \
        OPAQUE(y);                                                    \
        for (int64_t i = 0; i < rounds; i++)                          \
            _Pragma("GCC unroll 24") for (int c = 0; c < CHAINS; c++) \
            {                                                         \
                OPAQUE(x);                                            \
                sum[c] = STEP(sum[c], x, y);                          \
                OPAQUE(sum[c]);                                       \
            }                                                         \
    }

#define MULTIPLY_ADD(sum, x, y) ((sum) * (x) + (y)) /* the sum stays small */
DEFINE_CHAINS(chains_f32, vf, splat(0.5f), splat(0.25f), MULTIPLY_ADD)
#define F32_OPERATIONS (CHAINS * W * 2)

#if defined(__AMX_BF16__)
/* Four sums of tiles, two factors on either side, as the products have them. */
#define DEFINE_MATRIX_CHAINS(name, MULTIPLY)       \
    static void name(int64_t rounds)               \
    {                                              \
        shape_matrices(MATRIX_ROWS, MATRIX_BYTES); \
        for (int64_t i = 0; i < rounds; i++) {     \
            MULTIPLY(0, 4, 6);                     \
            MULTIPLY(1, 4, 7);                     \
            MULTIPLY(2, 5, 6);                     \
            MULTIPLY(3, 5, 7);                     \
        }                                          \
        _tile_release();                           \
    }
#define MATRIX_OPERATIONS (4 * MATRIX_ROWS * MATRIX_ROWS * 2) /* times the values in a row of a factor */
DEFINE_MATRIX_CHAINS(chains_bf16, _tile_dpbf16ps)
#define BF16_OPERATIONS (MATRIX_OPERATIONS * MATRIX_BYTES / 2)
#elif defined(BF16_PRODUCTS)
#define DOT_BF16(sum, x, y) dot_halves(sum, (vb)(x), (vb)(y))
DEFINE_CHAINS(chains_bf16, vf, (vf)((vu){0} + 0x3c003c00), (vf)((vu){0} + 0x3f003f00), DOT_BF16)
#define BF16_OPERATIONS     (CHAINS * W * 4)
#else
#define chains_bf16     chains_f32
#define BF16_OPERATIONS F32_OPERATIONS
#endif

#define BYTES(value) ((vi){0} + 0x01010101 * (value))
#if defined(__AMX_INT8__)
DEFINE_MATRIX_CHAINS(chains_i8, _tile_dpbsud)
#define I8_OPERATIONS (MATRIX_OPERATIONS * MATRIX_BYTES)
#elif defined(__AVX512VNNI__)
#define DOT_I8(sum, x, y) ((vi)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(y)))
#elif defined(__AVXVNNI__) && !defined(__AVX512F__)
#define DOT_I8(sum, x, y) ((vi)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(x), (__m256i)(y)))
#elif defined(__AVX2__)
/* Without an instruction for four products at once: two, summed in 16 bits as long as they fit. */
static inline vi dot_i8(vi sum, vi x, vi y)
{
#if defined(__AVX512BW__)
    return (vi)_mm512_add_epi16((__m512i)sum, _mm512_maddubs_epi16((__m512i)x, (__m512i)y));
#else
    return (vi)_mm256_add_epi16((__m256i)sum, _mm256_maddubs_epi16((__m256i)x, (__m256i)y));
#endif
}
#define DOT_I8 dot_i8
#elif defined(__ARM_FEATURE_DOTPROD)
#define DOT_I8(sum, x, y) ((vi)vdotq_s32((int32x4_t)(sum), (int8x16_t)(x), (int8x16_t)(y)))
#endif

#if defined(DOT_I8)
DEFINE_CHAINS(chains_i8, vi, BYTES(3), BYTES(5), DOT_I8)
#define I8_OPERATIONS (CHAINS * W * 8)
#elif !defined(I8_OPERATIONS)
#define chains_i8     chains_f32
#define I8_OPERATIONS F32_OPERATIONS
#endif

/* ---------------------------------------------------------------- reading */

#define STEP_VECTORS 4 /* of each run at a time */
#define STEP_BYTES   (STEP_VECTORS * W * 4)

static inline __attribute__((always_inline)) uint64_t read_runs(const char *bytes, int64_t size, int streams,
                                                                int64_t ahead)
{
    int64_t run = size / streams;
    vu sum[STEP_VECTORS] = {{0}};
    for (int64_t at = 0; at < run; at += STEP_BYTES)
        for (int s = 0; s < streams; s++) {
            const char *p = bytes + s * run + at;
            for (int64_t line = 0; ahead && line < STEP_BYTES; line += 64)
                __builtin_prefetch(p + ahead + line);
#pragma GCC unroll 4
            for (int v = 0; v < STEP_VECTORS; v++)
                sum[v] += (vu)load_stored(p, PG_F32, v * W);
        }
    vu all = sum[0] + sum[1] + sum[2] + sum[3];
    uint64_t total = 0;
    for (int i = 0; i < W; i++)
        total += all[i];
    return total;
}

static uint64_t read_bytes(const char *bytes, int64_t size, int streams, int64_t ahead)
{
    switch (streams) {
    case 8: return ahead ? read_runs(bytes, size, 8, ahead) : read_runs(bytes, size, 8, 0);
    case 4: return ahead ? read_runs(bytes, size, 4, ahead) : read_runs(bytes, size, 4, 0);
    case 2: return ahead ? read_runs(bytes, size, 2, ahead) : read_runs(bytes, size, 2, 0);
    default: return ahead ? read_runs(bytes, size, 1, ahead) : read_runs(bytes, size, 1, 0);
    }
}

const pg_roofline_kernels PG_SIMD(roofline) = {
    .chains = {chains_f32, chains_bf16, chains_i8},
    .operations = {F32_OPERATIONS, BF16_OPERATIONS, I8_OPERATIONS},
    .read = read_bytes,
};

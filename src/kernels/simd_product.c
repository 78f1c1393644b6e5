/* Products with many rows (panels) and with few (dots). See kernels.h for the layouts. */
#include "kernels/simd.h"

#define TILE_ROWS 6

/* ---------------------------------------------------------------- many rows: weights broadcast, lanes are rows of x */

/* Asks for lines of what the next product reads, six in sixteen steps: slowly enough that this product's own loads
 * never wait for a place in the queue, as they do behind a burst. */
INLINE void ask_ahead(const pg_ahead *ahead, int64_t step, int64_t bytes)
{
    if (ahead && step % 16 < TILE_ROWS)
        __builtin_prefetch(ahead->rows + step % 16 * ahead->stride + step * bytes, 0, 2);
}

/* The group of rows behind the one that `ahead` speaks of. */
INLINE void next_ahead(pg_ahead *next, const pg_ahead **ahead)
{
    if (*ahead) {
        *next = **ahead;
        next->rows += TILE_ROWS * next->stride;
        *ahead = next;
    }
}

/* c[n][lane] += w[n][k] * panel[k][lane] for `rows` <= TILE_ROWS and `vectors` <= PANEL_VECTORS (constants after
 * inlining); k >= 1 in order, one sum each. */
INLINE void tile_f32(float *c, int64_t c_stride, const float *w, int64_t row_stride, int64_t k_stride,
                     const float *panel, int64_t k, int rows, int vectors, const pg_ahead *ahead)
{
    vf sum[TILE_ROWS][PANEL_VECTORS];
#pragma GCC unroll 6
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[n][v] = load(c + n * c_stride + v * W);
    int64_t i = 0;
    do {
        vf x[PANEL_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            x[v] = load(panel + v * W);
#pragma GCC unroll 6
        for (int n = 0; n < rows; n++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[n][v] += x[v] * w[n * row_stride];
        ask_ahead(ahead, i, ahead ? ahead->element : 0);
        panel += LANES;
        w += k_stride;
    } while (++i < k);
#pragma GCC unroll 6
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            store(c + n * c_stride + v * W, sum[n][v]);
}

INLINE void product_f32(float *c, int64_t c_stride, const float *w, int64_t row_stride, int64_t k_stride, int64_t rows,
                        const float *panel, int64_t k, int vectors, const pg_ahead *ahead)
{
    pg_ahead next;
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, c += TILE_ROWS * c_stride, w += TILE_ROWS * row_stride) {
        tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, TILE_ROWS, vectors, ahead);
        next_ahead(&next, &ahead);
    }
    switch (rows) {
    case 5: tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, 5, vectors, ahead); break;
    case 4: tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, 4, vectors, ahead); break;
    case 3: tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, 3, vectors, ahead); break;
    case 2: tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, 2, vectors, ahead); break;
    case 1: tile_f32(c, c_stride, w, row_stride, k_stride, panel, k, 1, vectors, ahead); break;
    }
}

/* Lanes that nobody asked for are not computed: `lanes` rounded up to whole vectors. */
#define FOR_VECTORS(lanes, call)                    \
    do {                                            \
        enum { FULL = PANEL_VECTORS };              \
        int wanted = (int)(((lanes) + W - 1) / W);  \
        if (wanted == FULL) {                       \
            enum { VECTORS = FULL };                \
            call;                                   \
        } else if (FULL > 2 && wanted == 3) {       \
            enum { VECTORS = FULL > 2 ? 3 : FULL }; \
            call;                                   \
        } else if (FULL > 2 && wanted == 2) {       \
            enum { VECTORS = 2 };                   \
            call;                                   \
        } else {                                    \
            enum { VECTORS = 1 };                   \
            call;                                   \
        }                                           \
    } while (0)

void PG_SIMD(panel_product_strided)(float *c, int64_t c_stride, const float *w, int64_t row_stride, int64_t k_stride,
                                    int64_t rows, const float *panel, int64_t lanes, int64_t k)
{
    FOR_VECTORS(lanes, product_f32(c, c_stride, w, row_stride, k_stride, rows, panel, k, VECTORS, NULL));
}

void PG_SIMD(panel_product_f32)(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                const void *panel, int64_t lanes, int64_t k, const pg_ahead *ahead)
{
    FOR_VECTORS(lanes, product_f32(c, c_stride, w, w_stride, 1, rows, panel, k, VECTORS, ahead));
}

#if defined(BF16_PRODUCTS)
static inline vf dot_pair(vf sum, vf x, uint32_t pair)
{
    return dot_halves(sum, (vb)x, (vb)(pair - (vu){0}));
}
#else
/* The same without the instruction: both products are exact in f32 (8 bits times 8), the odd one is added first. */
static inline vf dot_pair(vf sum, vf x, uint32_t pair)
{
    union {
        uint32_t bits;
        float value;
    } even = {pair << 16}, odd = {pair & 0xffff0000};
    vf x_odd = (vf)((vu)x & 0xffff0000), x_even = (vf)((vu)x << 16);
    sum += x_odd * odd.value;
    return sum + x_even * even.value;
}
#endif

/* As tile_f32, two values of k at a time: w[n] and the panel hold pairs of bf16. */
INLINE void tile_bf16(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, const float *panel,
                      int64_t pairs, int rows, int vectors, const pg_ahead *ahead)
{
    vf sum[TILE_ROWS][PANEL_VECTORS];
#pragma GCC unroll 6
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[n][v] = load(c + n * c_stride + v * W);
    int64_t i = 0;
    do {
        vf x[PANEL_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            x[v] = load(panel + v * W);
#pragma GCC unroll 6
        for (int n = 0; n < rows; n++) {
            uint32_t pair;
            memcpy(&pair, w + n * w_stride, sizeof pair);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[n][v] = dot_pair(sum[n][v], x[v], pair);
        }
        ask_ahead(ahead, i, ahead ? 2 * ahead->element : 0);
        panel += LANES;
        w += 2;
    } while (++i < pairs);
#pragma GCC unroll 6
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            store(c + n * c_stride + v * W, sum[n][v]);
}

INLINE void product_bf16(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                         const float *panel, int64_t k, int vectors, const pg_ahead *ahead)
{
    pg_ahead next;
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, c += TILE_ROWS * c_stride, w += TILE_ROWS * w_stride) {
        tile_bf16(c, c_stride, w, w_stride, panel, k / 2, TILE_ROWS, vectors, ahead);
        next_ahead(&next, &ahead);
    }
    switch (rows) {
    case 5: tile_bf16(c, c_stride, w, w_stride, panel, k / 2, 5, vectors, ahead); break;
    case 4: tile_bf16(c, c_stride, w, w_stride, panel, k / 2, 4, vectors, ahead); break;
    case 3: tile_bf16(c, c_stride, w, w_stride, panel, k / 2, 3, vectors, ahead); break;
    case 2: tile_bf16(c, c_stride, w, w_stride, panel, k / 2, 2, vectors, ahead); break;
    case 1: tile_bf16(c, c_stride, w, w_stride, panel, k / 2, 1, vectors, ahead); break;
    }
}

void PG_SIMD(panel_product_bf16)(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                 const void *panel, int64_t lanes, int64_t k, const pg_ahead *ahead)
{
    FOR_VECTORS(lanes, product_bf16(c, c_stride, w, w_stride, rows, panel, k, VECTORS, ahead));
}

/* ---------------------------------------------------------------- few rows: lanes run along k */

#define DOT_W_ROWS 4
#define DOT_X_ROWS 4

/* One to three rows of x meet the rows of w one after another, as they lie in memory: four at a time would be four
 * streams, which the processor's prefetching follows less well (26 instead of 34 GB/s with rows of 4 KiB). Four rows of
 * x meet four rows of w at a time, so that what is loaded is used four times. */
#define PREFETCH_BYTES 4096

/* Every sum runs over k in vectors of W, one accumulator each, whatever the numbers of rows. */
static inline __attribute__((always_inline)) void dot_tile(float *out, int64_t out_stride, const char *w,
                                                           pg_dtype dtype, int64_t w_bytes, const float *x,
                                                           int64_t x_stride, int64_t k, int w_rows, int x_rows)
{
    vf sum[DOT_W_ROWS][DOT_X_ROWS];
#pragma GCC unroll 4
    for (int n = 0; n < w_rows; n++)
#pragma GCC unroll 4
        for (int r = 0; r < x_rows; r++)
            sum[n][r] = (vf){0};
    int64_t i = 0;
    for (; i + W <= k; i += W) {
#pragma GCC unroll 4
        for (int n = 0; n < w_rows; n++) {
            __builtin_prefetch(w + n * w_bytes + i * (dtype == PG_F32 ? 4 : 2) + PREFETCH_BYTES);
            vf weight = load_stored(w + n * w_bytes, dtype, i);
#pragma GCC unroll 4
            for (int r = 0; r < x_rows; r++)
                sum[n][r] += weight * load(x + r * x_stride + i);
        }
    }
    if (i < k)
#pragma GCC unroll 4
        for (int n = 0; n < w_rows; n++) {
            vf weight = load_stored_part(w + n * w_bytes, dtype, i, k - i);
#pragma GCC unroll 4
            for (int r = 0; r < x_rows; r++)
                sum[n][r] += weight * load_part(x + r * x_stride + i, k - i);
        }
#pragma GCC unroll 4
    for (int n = 0; n < w_rows; n++)
#pragma GCC unroll 4
        for (int r = 0; r < x_rows; r++)
            out[r * out_stride + n] = sum_lanes(sum[n][r]);
}

/* All rows of w with the next x_rows_each rows of x, in tiles of w_rows_each. */
#define DOT_TILES(w_rows_each, x_rows_each, TILE)               \
    do {                                                        \
        int64_t n = 0;                                          \
        for (; n + (w_rows_each) <= w_rows; n += (w_rows_each)) \
            TILE(w_rows_each, x_rows_each);                     \
        for (; n < w_rows; n++)                                 \
            TILE(1, x_rows_each);                               \
    } while (0)

#define DOT_PART(w_rows_each, TILE)                           \
    switch (x_rows) {                                         \
    case 1: DOT_TILES(w_rows_each, 1, TILE); break;           \
    case 2: DOT_TILES(w_rows_each, 2, TILE); break;           \
    case 3: DOT_TILES(w_rows_each, 3, TILE); break;           \
    default: DOT_TILES(w_rows_each, DOT_X_ROWS, TILE); break; \
    }

/* Fewer rows of x than a tile has meet the rows of w one after another. Behind full tiles they find w in the cache, and
 * take four rows of it at a time: a sum alone would wait for itself. */
#define DOT_ALL(TILE)                                                                                          \
    do {                                                                                                       \
        const bool stream = x_rows < DOT_X_ROWS;                                                               \
        for (; x_rows > 0; x_rows -= DOT_X_ROWS, out += DOT_X_ROWS * out_stride, x += DOT_X_ROWS * x_stride) { \
            if (stream)                                                                                        \
                DOT_PART(1, TILE)                                                                              \
            else                                                                                               \
                DOT_PART(DOT_W_ROWS, TILE)                                                                     \
        }                                                                                                      \
    } while (0)

static inline __attribute__((always_inline)) void dot_all(float *out, int64_t out_stride, const char *w, pg_dtype dtype,
                                                          int64_t w_bytes, int64_t w_rows, const float *x,
                                                          int64_t x_stride, int64_t x_rows, int64_t k)
{
#define FLOAT_TILE(n_rows, r_rows) \
    dot_tile(out + n, out_stride, w + n * w_bytes, dtype, w_bytes, x, x_stride, k, n_rows, r_rows)
    DOT_ALL(FLOAT_TILE);
}

void PG_SIMD(dot_rows)(float *out, int64_t out_stride, const void *w, pg_dtype dtype, int64_t w_stride, int64_t w_rows,
                       const float *x, int64_t x_stride, int64_t x_rows, int64_t k)
{
    switch (dtype) {
    case PG_BF16: dot_all(out, out_stride, w, PG_BF16, w_stride * 2, w_rows, x, x_stride, x_rows, k); break;
    case PG_F16: dot_all(out, out_stride, w, PG_F16, w_stride * 2, w_rows, x, x_stride, x_rows, k); break;
    default: dot_all(out, out_stride, w, PG_F32, w_stride * 4, w_rows, x, x_stride, x_rows, k); break;
    }
}

#if defined(BF16_PRODUCTS)
/* As dot_tile, two values of k in each lane. */
static inline __attribute__((always_inline)) void dot_tile_bf16(float *out, int64_t out_stride, const uint16_t *w,
                                                                int64_t w_stride, const uint16_t *x, int64_t x_stride,
                                                                int64_t k, int w_rows, int x_rows)
{
    vf sum[DOT_W_ROWS][DOT_X_ROWS];
#pragma GCC unroll 4
    for (int n = 0; n < w_rows; n++)
#pragma GCC unroll 4
        for (int r = 0; r < x_rows; r++)
            sum[n][r] = (vf){0};
    int64_t i = 0;
    for (; i + HALVES <= k; i += HALVES) {
        vb values[DOT_X_ROWS];
#pragma GCC unroll 4
        for (int r = 0; r < x_rows; r++)
            values[r] = load_halves(x + r * x_stride + i);
#pragma GCC unroll 4
        for (int n = 0; n < w_rows; n++) {
            __builtin_prefetch((const char *)(w + n * w_stride + i) + PREFETCH_BYTES);
            vb weight = load_halves(w + n * w_stride + i);
#pragma GCC unroll 4
            for (int r = 0; r < x_rows; r++)
                sum[n][r] = dot_halves(sum[n][r], weight, values[r]);
        }
    }
    if (i < k)
#pragma GCC unroll 4
        for (int n = 0; n < w_rows; n++)
#pragma GCC unroll 4
            for (int r = 0; r < x_rows; r++)
                sum[n][r] = dot_halves(sum[n][r], load_halves_part(w + n * w_stride + i, k - i),
                                       load_halves_part(x + r * x_stride + i, k - i));
#pragma GCC unroll 4
    for (int n = 0; n < w_rows; n++)
#pragma GCC unroll 4
        for (int r = 0; r < x_rows; r++)
            out[r * out_stride + n] = sum_lanes(sum[n][r]);
}

void PG_SIMD(dot_rows_bf16)(float *out, int64_t out_stride, const void *weights, int64_t w_stride, int64_t w_rows,
                            const uint16_t *x, int64_t x_stride, int64_t x_rows, int64_t k)
{
    const uint16_t *w = weights;
#define HALVES_TILE(n_rows, r_rows) \
    dot_tile_bf16(out + n, out_stride, w + n * w_stride, w_stride, x, x_stride, k, n_rows, r_rows)
    DOT_ALL(HALVES_TILE);
}
#endif

/* ---------------------------------------------------------------- conversion */

void PG_SIMD(widen)(float *out, const void *in, pg_dtype dtype, int64_t count)
{
    int64_t i = 0;
    if (dtype == PG_F32)
        memcpy(out, in, (size_t)count * sizeof *out);
    else if (dtype == PG_I8)
        PG_SIMD(widen_scaled)(out, in, count);
    else if (dtype == PG_BF16) {
        for (; i + W <= count; i += W)
            store(out + i, load_stored(in, PG_BF16, i));
        for (; i < count; i++)
            out[i] = pg_bf16_to_float(stored_half(in, i));
    } else {
        for (; i + W <= count; i += W)
            store(out + i, load_stored(in, PG_F16, i));
        for (; i < count; i++)
            out[i] = pg_f16_to_float(stored_half(in, i));
    }
}

void PG_SIMD(narrow)(void *out, pg_dtype dtype, const float *in, int64_t count)
{
    uint16_t *half = out;
    if (dtype == PG_F32)
        memcpy(out, in, (size_t)count * sizeof *in);
    else if (dtype == PG_I8)
        PG_SIMD(narrow_scaled)(out, in, count);
    else if (dtype == PG_BF16) {
        int64_t i = 0;
        for (; i + W <= count; i += W) {
            vh halves = narrow_bf16(load(in + i));
            memcpy(half + i, &halves, sizeof halves);
        }
        for (; i < count; i++)
            half[i] = round_bf16(in[i]);
    } else
        for (int64_t i = 0; i < count; i++)
            half[i] = pg_f16_from_float(in[i]);
}

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

#if !defined(__AMX_BF16__) /* simd_matrices.c has it */
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
#endif

/* ---------------------------------------------------------------- few rows: lanes run along k */

/* Every sum runs over k in vectors, whatever the numbers of rows: in DOT_CHAINS chains, to which blocks of k belong in
 * turns and which are added up at the end. One chain is as fast as additions follow each other, 4 cycles for a vector:
 * where that is few bytes, memory is faster.
 *
 * One to three rows of x meet the rows of w one after another, as they lie in memory: several at a time would be
 * several streams, which the processor's prefetching follows less well (26 instead of 34 GB/s with rows of 4 KiB). More
 * rows of x meet DOT_W_ROWS rows of w in tiles of DOT_X_ROWS and DOT_INPUTS, so that what is loaded is used several
 * times and a part of w stays in the first-level cache until all rows have met it; before every tile, a few lines of
 * the next rows of w are asked for. */
#define DOT_STREAMED   3
#define DOT_X_ROWS     6
#define DOT_W_ROWS     (W == 8 ? 2 : 4) /* sums, as many vectors of w and one of x: 15 of 16 registers, 29 of 32 */
#define DOT_INPUTS     (16 * W)
#define DOT_CHAINS     (16 / W)
#define DOT_X_MOST     48 /* rows of x whose sums are kept at a time */
#define PREFETCH_BYTES 4096

/* How factors are stored: w as a dtype says and x in f32, or both in bf16, two values of k in each lane. */
typedef enum dot_kind { DOT_F32, DOT_F16, DOT_BF16, DOT_HALVES } dot_kind;

typedef struct dot_rows_job {
    float *out;
    const char *w, *x;
    int64_t out_stride, w_bytes, x_bytes; /* the latter: from one row to the next */
    int64_t w_rows, x_rows, k;
} dot_rows_job;

/* Of `kind`, a constant: values of k in a vector, their bytes in w, vectors of `count` of them (what is missing is
 * zero), and sums. */
INLINE int64_t dot_values(dot_kind kind)
{
    return kind == DOT_HALVES ? HALVES : W;
}

INLINE int64_t dot_bytes(dot_kind kind)
{
    return kind == DOT_F32 ? 4 : 2;
}

INLINE vf load_weights(const char *row, dot_kind kind, int64_t at, int64_t count)
{
#if defined(BF16_PRODUCTS)
    const uint16_t *halves = (const uint16_t *)row + at;
    if (kind == DOT_HALVES)
        return (vf)(count < HALVES ? load_halves_part(halves, count) : load_halves(halves));
#endif
    pg_dtype dtype = kind == DOT_F32 ? PG_F32 : kind == DOT_F16 ? PG_F16 : PG_BF16;
    return count < W ? load_stored_part(row, dtype, at, count) : load_stored(row, dtype, at);
}

INLINE vf load_inputs(const char *row, dot_kind kind, int64_t at, int64_t count)
{
    if (kind == DOT_HALVES)
        return load_weights(row, kind, at, count);
    const float *x = (const float *)row + at;
    return count < W ? load_part(x, count) : load(x);
}

INLINE vf add_product(vf sum, vf w, vf x, dot_kind kind)
{
#if defined(BF16_PRODUCTS)
    if (kind == DOT_HALVES)
        return dot_halves(sum, (vb)w, (vb)x);
#else
    (void)kind;
#endif
    return sum + w * x;
}

/* sums[r][n] += products of `count` values at `at` of each row; `w_rows`, `x_rows` and `ahead` are constants, too. */
INLINE void add_products(vf sum[][DOT_W_ROWS], const dot_rows_job *j, dot_kind kind, int64_t at, int64_t count,
                         int w_rows, int x_rows, int ahead)
{
    vf weights[DOT_W_ROWS];
#pragma GCC unroll 4
    for (int n = 0; n < w_rows; n++) {
        if (ahead)
            __builtin_prefetch(j->w + n * j->w_bytes + at * dot_bytes(kind) + ahead, 0, 2);
        weights[n] = load_weights(j->w + n * j->w_bytes, kind, at, count);
    }
#pragma GCC unroll 6
    for (int r = 0; r < x_rows; r++) {
        vf x = load_inputs(j->x + r * j->x_bytes, kind, at, count);
#pragma GCC unroll 4
        for (int n = 0; n < w_rows; n++)
            sum[r][n] = add_product(sum[r][n], weights[n], x, kind);
    }
}

/* Inputs of a block: of a tile, and of one chain before the next. */
INLINE int64_t dot_block(dot_kind kind)
{
    return DOT_INPUTS * (dot_values(kind) / W);
}

/* sum[r][n] += products of inputs `first` to `end` */
INLINE void add_inputs(vf sum[][DOT_W_ROWS], const dot_rows_job *j, dot_kind kind, int64_t first, int64_t end,
                       int w_rows, int x_rows, int ahead)
{
    const int64_t step = dot_values(kind);
    int64_t i = first;
    for (; i + step <= end; i += step)
        add_products(sum, j, kind, i, step, w_rows, x_rows, ahead);
    if (i < end)
        add_products(sum, j, kind, i, end - i, w_rows, x_rows, ahead);
}

/* A tile's part of the sums of one chain; `fresh`: the first. */
INLINE void dot_tile(vf sums[][DOT_W_ROWS], const dot_rows_job *j, dot_kind kind, int64_t first, int64_t end,
                     bool fresh, int x_rows)
{
    vf sum[DOT_X_ROWS][DOT_W_ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < x_rows; r++)
#pragma GCC unroll 4
        for (int n = 0; n < DOT_W_ROWS; n++)
            sum[r][n] = fresh ? (vf){0} : sums[r][n];
    add_inputs(sum, j, kind, first, end, DOT_W_ROWS, x_rows, 0);
#pragma GCC unroll 6
    for (int r = 0; r < x_rows; r++)
#pragma GCC unroll 4
        for (int n = 0; n < DOT_W_ROWS; n++)
            sums[r][n] = sum[r][n];
}

/* All chains of one row of w side by side. */
INLINE void dot_row(float *out, const dot_rows_job *j, dot_kind kind, int x_rows)
{
    vf sum[DOT_CHAINS][DOT_STREAMED][DOT_W_ROWS] = {0};
    const int64_t block = DOT_CHAINS > 1 ? dot_block(kind) : j->k;
    int64_t i = 0;
    for (; DOT_CHAINS > 1 && i + DOT_CHAINS * block <= j->k; i += DOT_CHAINS * block)
        for (int64_t at = i; at < i + block; at += dot_values(kind))
#pragma GCC unroll 4
            for (int c = 0; c < DOT_CHAINS; c++)
                add_products(sum[c], j, kind, at + c * block, dot_values(kind), 1, x_rows, PREFETCH_BYTES);
#pragma GCC unroll 4
    for (int c = 0; c < DOT_CHAINS; c++, i += block)
        add_inputs(sum[c], j, kind, i, i + block < j->k ? i + block : j->k, 1, x_rows, PREFETCH_BYTES);
#pragma GCC unroll 3
    for (int r = 0; r < x_rows; r++) {
#pragma GCC unroll 4
        for (int c = 1; c < DOT_CHAINS; c++)
            sum[0][r][0] += sum[c][r][0];
        out[r * j->out_stride] = sum_lanes(sum[0][r][0]);
    }
}

/* Each row of w by itself. */
INLINE void dot_stream(dot_rows_job j, dot_kind kind, int x_rows)
{
    for (int64_t n = 0; n < j.w_rows; n++, j.w += j.w_bytes)
        dot_row(j.out + n, &j, kind, x_rows);
}

static inline void dot_streams(dot_rows_job j, dot_kind kind)
{
    for (; j.x_rows > 0; j.x_rows -= DOT_STREAMED) {
        switch (j.x_rows) {
        case 1: dot_stream(j, kind, 1); break;
        case 2: dot_stream(j, kind, 2); break;
        default: dot_stream(j, kind, DOT_STREAMED); break;
        }
        j.x += DOT_STREAMED * j.x_bytes;
        j.out += DOT_STREAMED * j.out_stride;
    }
}

/* The sums of the rows of x that fill a vector become results. */
INLINE void add_chains(const dot_rows_job *strip, vf sums[DOT_CHAINS][DOT_X_MOST][DOT_W_ROWS])
{
    enum { AT_ONCE = W / DOT_W_ROWS };
    for (int64_t r = 0; r < strip->x_rows; r += AT_ONCE) {
        float rows[AT_ONCE][DOT_W_ROWS];
        for (int c = 1; c < DOT_CHAINS; c++)
            for (int64_t i = r; i < r + AT_ONCE; i++)
                for (int n = 0; n < DOT_W_ROWS; n++)
                    sums[0][i][n] += sums[c][i][n];
        vf all = sum_lanes_of_each(sums[0][r]);
        memcpy(rows, &all, sizeof all);
        for (int64_t i = 0; i < AT_ONCE && r + i < strip->x_rows; i++)
            memcpy(strip->out + (r + i) * strip->out_stride, rows[i], sizeof rows[i]);
    }
}

/* Tiles of all rows of x, spread evenly, with DOT_W_ROWS rows of w; `next`: as many bytes of w follow. */
INLINE void dot_strip(const dot_rows_job *strip, dot_kind kind, int64_t next)
{
    vf sums[DOT_CHAINS][DOT_X_MOST][DOT_W_ROWS];
    const int64_t tiles = (strip->x_rows + DOT_X_ROWS - 1) / DOT_X_ROWS, inputs = dot_block(kind);
    const char *ahead = strip->w + DOT_W_ROWS * strip->w_bytes, *end = ahead + next;
    const int64_t share = next / (tiles * ((strip->k + inputs - 1) / inputs)) + LINE_BYTES;
    if (strip->k <= (DOT_CHAINS - 1) * inputs) /* not every chain has a block */
        memset(sums, 0, sizeof sums);
    for (int64_t b = 0; b * inputs < strip->k; b++)
        for (int64_t t = 0; t < tiles; t++) {
            int64_t first = t * strip->x_rows / tiles, rows = (t + 1) * strip->x_rows / tiles - first;
            int64_t i = b * inputs, stop = i + inputs < strip->k ? i + inputs : strip->k;
            vf(*to)[DOT_W_ROWS] = sums[b % DOT_CHAINS] + first;
            dot_rows_job j = *strip;
            j.x += first * j.x_bytes;
            for (const char *until = ahead + share; ahead < until && ahead < end; ahead += LINE_BYTES)
                __builtin_prefetch(ahead, 0, 2);
            switch (rows) {
            case 3: dot_tile(to, &j, kind, i, stop, b < DOT_CHAINS, 3); break;
            case 4: dot_tile(to, &j, kind, i, stop, b < DOT_CHAINS, 4); break;
            case 5: dot_tile(to, &j, kind, i, stop, b < DOT_CHAINS, 5); break;
            case 6: dot_tile(to, &j, kind, i, stop, b < DOT_CHAINS, 6); break;
            }
        }
    add_chains(strip, sums);
}

static inline void dot_strips(dot_rows_job j, dot_kind kind)
{
    for (; j.w_rows >= DOT_W_ROWS; j.w_rows -= DOT_W_ROWS, j.w += DOT_W_ROWS * j.w_bytes, j.out += DOT_W_ROWS)
        dot_strip(&j, kind, (j.w_rows >= 2 * DOT_W_ROWS ? DOT_W_ROWS : 0) * j.w_bytes);
    dot_streams(j, kind);
}

INLINE void dot_all(dot_rows_job j, dot_kind kind)
{
    int64_t left = j.x_rows;
    for (; left > DOT_STREAMED; left -= j.x_rows, j.x += j.x_rows * j.x_bytes, j.out += j.x_rows * j.out_stride) {
        j.x_rows = left < DOT_X_MOST ? left : DOT_X_MOST;
        dot_strips(j, kind);
    }
    j.x_rows = left;
    dot_streams(j, kind);
}

void PG_SIMD(dot_rows)(float *out, int64_t out_stride, const void *w, pg_dtype dtype, int64_t w_stride, int64_t w_rows,
                       const float *x, int64_t x_stride, int64_t x_rows, int64_t k)
{
    dot_rows_job j = {out, w, (const char *)x, out_stride, w_stride * 2, x_stride * 4, w_rows, x_rows, k};
    switch (dtype) {
    case PG_BF16: dot_all(j, DOT_BF16); break;
    case PG_F16: dot_all(j, DOT_F16); break;
    default:
        j.w_bytes = w_stride * 4;
        dot_all(j, DOT_F32);
        break;
    }
}

#if defined(BF16_PRODUCTS)
void PG_SIMD(dot_rows_bf16)(float *out, int64_t out_stride, const void *w, int64_t w_stride, int64_t w_rows,
                            const uint16_t *x, int64_t x_stride, int64_t x_rows, int64_t k)
{
    dot_rows_job j = {out, w, (const char *)x, out_stride, w_stride * 2, x_stride * 2, w_rows, x_rows, k};
    dot_all(j, DOT_HALVES);
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

/*
 * Integer products with quantised weights, and what quantises activations and cached rows; base/quantized.h has their
 * layout, kernels/integer.h what is computed.
 *
 * Lanes are rows of the weight: a vector holds four inputs of W of them, and is multiplied with the same four inputs of
 * a row of x, spread over all lanes. How bytes are multiplied is in bytes_vnni.h, bytes_avx.h and bytes_neon.h.
 */
#include "kernels/integer.h"

/* Each has: sum += products of four bytes in each lane, for 8-bit weights (`weights8`, made by split8) and for halves
 * of bytes (`step` is what expand_step made); and the sizes of a tile, whose sums and factors stay in registers. */
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#include "kernels/bytes_vnni.h"
#elif defined(__AVX2__)
#include "kernels/bytes_avx.h"
#else
#include "kernels/bytes_neon.h"
#endif
#if defined(__AMX_INT8__)
#include "kernels/tiles_amx.h"
#endif

typedef int16_t vs __attribute__((vector_size(W * 4)));

#define GROUP_VECTORS (PG_QUANTIZED_ROWS / W) /* that hold four inputs of one group */
#define TILE_VECTORS  (TILE_GROUPS * GROUP_VECTORS)

INLINE vi load_ints(const void *p)
{
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vi splat_four(const int8_t *x)
{
    int32_t four;
    memcpy(&four, x, sizeof four);
    return splat_int(four);
}

INLINE vi low_halves(vi bytes)
{
    return bytes & splat_int(0x0f0f0f0f);
}

INLINE vi high_halves(vi bytes)
{
    return HIGH_SHIFT ? bytes & splat_int((int32_t)0xf0f0f0f0) : (vi)((vu)bytes >> 4) & splat_int(0x0f0f0f0f);
}

/* ---------------------------------------------------------------- 8 bits */

/* A block of inputs: of the weight (groups from the tile's first on), and of rows of x. */
typedef struct weight_block {
    const uint8_t *values; /* of the first group; 8 bits */
    int64_t group_bytes;   /* from one group to the next */
    const char *scales;
    int64_t scale_bytes; /* from one group to the next */
    int64_t inputs;
    /* What follows in memory, of which every tile of rows asks for its lines of each step of inputs. */
    const uint8_t *next;
    int64_t next_group_bytes, step_lines, first_line, end_line;
} weight_block;

typedef struct row_block {
    const int8_t *values; /* `inputs` from one row to the next */
    const float *scales;
    const int32_t *zeros8, *zeros4;
} row_block;

INLINE void add_scaled(float *sum, vi whole, vf scale)
{
    store(sum, load(sum) + __builtin_convertvector(whole, vf) * scale);
}

INLINE void fetch_next(const weight_block *w, int64_t input, int groups)
{
    const uint8_t *step = w->next + input / PG_QUANTIZED_INPUTS * w->step_lines * LINE_BYTES;
    for (int64_t line = w->first_line; line < w->end_line; line++)
#pragma GCC unroll 4
        for (int g = 0; g < groups; g++)
            __builtin_prefetch(step + g * w->next_group_bytes + line * LINE_BYTES, 0, 2);
}

/* sums[r][16 n + lane] of `rows` rows and `groups` groups, both constants after inlining. */
INLINE void multiply_tile(float *sums, const weight_block *w, const row_block *x, int rows, int groups)
{
    vi sum[TILE_ROWS][TILE_VECTORS];
    const int vectors = groups * GROUP_VECTORS;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] = start8(x->zeros8[r]);
    const uint8_t *values = w->values;
    for (int64_t i = 0; i < w->inputs; i += 4, values += PG_QUANTIZED_ROWS * 4) {
        if (i % PG_QUANTIZED_INPUTS == 0)
            fetch_next(w, i, groups);
        weights8 part[TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            part[v] = split8(load_ints(values + v / GROUP_VECTORS * w->group_bytes + v % GROUP_VECTORS * W * 4));
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            vi four = splat_four(x->values + r * w->inputs + i);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[r][v] = multiply8(sum[r][v], part[v], four);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        vf scale = widen_bf16(w->scales + v / GROUP_VECTORS * w->scale_bytes + v % GROUP_VECTORS * W * 2);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
            add_scaled(sums + r * PG_INTEGER_OUTPUTS + v * W, sum[r][v], scale * x->scales[r]);
    }
}

INLINE void multiply_rows(float *sums, weight_block w, const row_block *all, int64_t rows, int groups)
{
    const int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t first = t * rows / tiles, count = (t + 1) * rows / tiles - first;
        row_block x = {.values = all->values + first * w.inputs, all->scales + first, .zeros8 = all->zeros8 + first};
        float *to = sums + first * PG_INTEGER_OUTPUTS;
        if (tiles > 1) { /* a single one is limited by memory anyway */
            w.first_line = t * w.step_lines / tiles;
            w.end_line = (t + 1) * w.step_lines / tiles;
        }
        switch (count) {
#if TILE_ROWS > 5
        case 6: multiply_tile(to, &w, &x, 6, groups); break;
#endif
#if TILE_ROWS > 4
        case 5: multiply_tile(to, &w, &x, 5, groups); break;
#endif
        case 4: multiply_tile(to, &w, &x, 4, groups); break;
        case 3: multiply_tile(to, &w, &x, 3, groups); break;
        case 2: multiply_tile(to, &w, &x, 2, groups); break;
        case 1: multiply_tile(to, &w, &x, 1, groups); break;
        }
    }
}

#if defined(__AMX_INT8__)
/* ---------------------------------------------------------------- 8 bits, many rows, in tiles of matrices */

#define MATRIX_INPUTS MATRIX_BYTES

/* Whole sums of `lefts` tiles of rows of x and `rights` groups, both constants after inlining: [row][group][16]. */
INLINE void multiply_matrices(int32_t whole[][2][PG_QUANTIZED_ROWS], const weight_block *w, const int8_t *x, int lefts,
                              int rights)
{
    const int64_t whole_bytes = sizeof *whole;
    const int8_t *below = x + MATRIX_ROWS * w->inputs;
    const uint8_t *values = w->values;
    __asm__ volatile("" : : : "memory"); /* what is loaded was just unpacked, and compilers do not see these loads */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < w->inputs; i += MATRIX_INPUTS, values += MATRIX_INPUTS * PG_QUANTIZED_ROWS) {
        _tile_loadd(4, x + i, w->inputs);
        _tile_loadd(6, values, MATRIX_BYTES);
        _tile_dpbsud(0, 4, 6);
        if (lefts > 1) {
            _tile_loadd(5, below + i, w->inputs);
            _tile_dpbsud(2, 5, 6);
        }
        if (rights > 1) {
            _tile_loadd(7, values + w->group_bytes, MATRIX_BYTES);
            _tile_dpbsud(1, 4, 7);
            if (lefts > 1)
                _tile_dpbsud(3, 5, 7);
        }
    }
    _tile_stored(0, whole[0][0], whole_bytes);
    if (rights > 1)
        _tile_stored(1, whole[0][1], whole_bytes);
    if (lefts > 1)
        _tile_stored(2, whole[MATRIX_ROWS][0], whole_bytes);
    if (lefts > 1 && rights > 1)
        _tile_stored(3, whole[MATRIX_ROWS][1], whole_bytes);
}

/* Asks for what follows in memory, a part of it with every tile of rows: pages end where blocks of 256 inputs do, and
 * the processor does not look beyond. */
INLINE void fetch_part(const weight_block *w, int64_t rows, int64_t first, int64_t end, int groups)
{
    const int64_t lines = w->inputs / PG_QUANTIZED_INPUTS * w->step_lines;
    for (int64_t line = first * lines / rows; line < end * lines / rows; line++)
        for (int g = 0; g < groups; g++)
            __builtin_prefetch(w->next + g * w->next_group_bytes + line * LINE_BYTES, 0, 2);
}

/* All rows, at least those of `lefts` tiles. The last tiles begin where they still are full; what they repeat is not
 * added again. */
INLINE void multiply_many(float *sums, const weight_block *w, const row_block *x, int64_t rows, int lefts, int rights)
{
    const int64_t size = lefts * MATRIX_ROWS;
    int32_t whole[2 * MATRIX_ROWS][2][PG_QUANTIZED_ROWS] __attribute__((aligned(64)));
    vf scales[2];
    for (int g = 0; g < rights; g++)
        scales[g] = widen_bf16(w->scales + g * w->scale_bytes);
    for (int64_t first = 0; first < rows; first += size) {
        const int64_t start = first + size <= rows ? first : rows - size;
        fetch_part(w, rows, first, start + size, rights);
        multiply_matrices(whole, w, x->values + start * w->inputs, lefts, rights);
        for (int64_t r = first; r < start + size; r++)
#pragma GCC unroll 2
            for (int g = 0; g < rights; g++)
                add_scaled(sums + r * PG_INTEGER_OUTPUTS + g * PG_QUANTIZED_ROWS,
                           load_ints(whole[r - start][g]) + start8(x->zeros8[r]), scales[g] * x->scales[r]);
    }
}

/* The same whole sums as one instruction at a time makes, for as many rows and inputs as fill tiles. */
static bool multiply_in_matrices(float *sums, weight_block w, const row_block *x, int64_t rows, int64_t groups)
{
    if (rows < MATRIX_ROWS || w.inputs % MATRIX_INPUTS)
        return false;
    for (; groups > 0; groups -= 2, sums += 2 * PG_QUANTIZED_ROWS) {
        if (rows < 2 * MATRIX_ROWS)
            multiply_many(sums, &w, x, rows, 1, groups > 1 ? 2 : 1);
        else if (groups > 1)
            multiply_many(sums, &w, x, rows, 2, 2);
        else
            multiply_many(sums, &w, x, rows, 2, 1);
        w.values += 2 * w.group_bytes;
        w.next += 2 * w.next_group_bytes;
        w.scales += 2 * w.scale_bytes;
    }
    return true;
}
#endif

/* All rows against `groups` groups. */
static void multiply_block8(float *sums, weight_block w, const row_block *x, int64_t rows, int64_t groups)
{
#if defined(__AMX_INT8__)
    if (multiply_in_matrices(sums, w, x, rows, groups))
        return;
#endif
    for (; groups >= TILE_GROUPS; groups -= TILE_GROUPS) {
        multiply_rows(sums, w, x, rows, TILE_GROUPS);
        sums += TILE_GROUPS * PG_QUANTIZED_ROWS;
        w.values += TILE_GROUPS * w.group_bytes;
        w.next += TILE_GROUPS * w.next_group_bytes;
        w.scales += TILE_GROUPS * w.scale_bytes;
    }
#if TILE_GROUPS > 1
    for (; groups > 0; groups--) {
        multiply_rows(sums, w, x, rows, 1);
        sums += PG_QUANTIZED_ROWS;
        w.values += w.group_bytes;
        w.next += w.next_group_bytes;
        w.scales += w.scale_bytes;
    }
#endif
}

/* ---------------------------------------------------------------- 4 bits, few rows */

/* Few rows (a constant) take a group, or two, from its first block to its last: memory is what limits them, and groups
 * are streams. Sums of whole numbers are the same in any order, so a row is still computed as in other company. Some
 * more take each block several times, which costs less than unpacking it. */
#define FEW_MOST   (4 * FEW_ROWS)
#define READ_AHEAD 4096

INLINE vi load_ahead(const uint8_t *values)
{
    for (int line = 0; line < W * 4; line += 64)
        __builtin_prefetch(values + line + READ_AHEAD, 0, 2);
    return load_ints(values);
}

/* What a block adds to lanes h * W... of each group, with its scales. */
INLINE void add_totals(float *sums, const weight_block *w, int h, const row_block *x, vi total[][FEW_GROUPS], int rows,
                       int groups)
{
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++) {
        vf scale = widen_bf16(w->scales + g * w->scale_bytes + h * W * 2);
        float *to = sums + g * PG_QUANTIZED_ROWS + h * W;
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            add_scaled(to + r * PG_INTEGER_OUTPUTS, total[r][g], scale * x->scales[r]);
    }
}

/* 4-bit weights, straight from the halves; `groups` is a constant, too. */
INLINE void stream_halves(float *sums, const weight_block *w, const uint8_t *steps, int64_t step_bytes,
                          const row_block *x, int rows, int groups)
{
    for (int h = 0; h < GROUP_VECTORS; h++) {
        vi total[FEW_ROWS][FEW_GROUPS] = {0};
        const uint8_t *values = w->values + h * W * 4, *step = steps + h * W;
        for (int64_t i = 0; i < w->inputs; i += 32, values += 256, step += PG_QUANTIZED_ROWS) {
            vi low[FEW_ROWS][FEW_GROUPS], high[FEW_ROWS][FEW_GROUPS];
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                const int32_t *zeros = x->zeros4 + (r * w->inputs + i) / PG_QUANTIZED_STEP;
#pragma GCC unroll 2
                for (int g = 0; g < groups; g++) {
                    low[r][g] = start4(zeros[0]);
                    high[r][g] = start4(zeros[1]) << HIGH_SHIFT;
                }
            }
#pragma GCC unroll 8
            for (int j = 0; j < 4 * groups; j++) {
                const int g = j % groups, four = j / groups;
                const uint8_t *at = values + g * w->group_bytes + four * 64;
                vi bytes = load_ahead(at);
                OPAQUE(bytes); /* or it is loaded again for the high halves: loads are what there is too few of */
#pragma GCC unroll 4
                for (int r = 0; r < rows; r++) {
                    const int8_t *from = x->values + r * w->inputs + i + 4 * four;
                    low[r][g] = multiply4(low[r][g], low_halves(bytes), splat_four(from));
                    high[r][g] = multiply4(high[r][g], high_halves(bytes), splat_four(from + 16));
                }
            }
#pragma GCC unroll 2
            for (int g = 0; g < groups; g++) {
                __builtin_prefetch(step + g * step_bytes + READ_AHEAD / 16);
                vi pair = widen_bytes(step + g * step_bytes), low_step = expand_step(pair & 15),
                   high_step = expand_step(pair >> 4);
#pragma GCC unroll 4
                for (int r = 0; r < rows; r++) {
                    total[r][g] = add_steps(total[r][g], low[r][g], low_step);
                    total[r][g] = add_steps(total[r][g], high[r][g] >> HIGH_SHIFT, high_step);
                }
            }
        }
        add_totals(sums, w, h, x, total, rows, groups);
    }
}

#define STREAM_ONE(rows) stream_halves(sums, w, steps, step_bytes, x, rows, 1)
#if FEW_GROUPS > 1
#define STREAM_HALVES(rows)                                    \
    if (groups == 2)                                           \
        stream_halves(sums, w, steps, step_bytes, x, rows, 2); \
    else                                                       \
        STREAM_ONE(rows)
#else
#define STREAM_HALVES(rows) STREAM_ONE(rows)
#endif

static void multiply_few4(float *sums, const weight_block *w, const uint8_t *steps, int64_t step_bytes,
                          const row_block *x, int64_t rows, int64_t groups)
{
    (void)groups; /* where one is all there is */
    if (rows > FEW_ROWS) {
        const int64_t half = rows / 2;
        const row_block rest = {x->values + half * w->inputs, x->scales + half, x->zeros8 + half,
                                x->zeros4 + half * w->inputs / PG_QUANTIZED_STEP};
        multiply_few4(sums, w, steps, step_bytes, x, half, groups);
        multiply_few4(sums + half * PG_INTEGER_OUTPUTS, w, steps, step_bytes, &rest, rows - half, groups);
        return;
    }
    switch (rows) {
#if FEW_ROWS > 2
    case 4: STREAM_HALVES(4); break;
    case 3: STREAM_HALVES(3); break;
#endif
    case 2: STREAM_HALVES(2); break;
    case 1: STREAM_HALVES(1); break;
    }
}

/* ---------------------------------------------------------------- 4 bits, many rows */

/* step * (half - 8) + 128 for the halves of a byte: 8-bit weights. Steps stand in both 16-bit parts of a lane. */
INLINE vi unpack_halves(vi halves, vi step)
{
    vs even = (vs)(halves & splat_int(0x000f000f)), odd = (vs)((vu)halves >> 8 & 0x000f000f),
       shift = 128 - 8 * (vs)step;
    return (vi)(even * (vs)step + shift) | (vi)(odd * (vs)step + shift) << 8;
}

/* A block of one group as 8-bit weights, [inputs / 4][16][4]. */
static void unpack_group(uint8_t *out, const uint8_t *values, const uint8_t *steps, int64_t inputs)
{
    for (int64_t i = 0; i < inputs; i += 32, values += 256, steps += PG_QUANTIZED_ROWS, out += 512)
        for (int h = 0; h < GROUP_VECTORS; h++) {
            vi pair = widen_bytes(steps + h * W), low_step = pair & 15, high_step = pair >> 4;
            low_step |= low_step << 16;
            high_step |= high_step << 16;
            for (int j = 0; j < 4; j++) {
                vi bytes = load_ints(values + j * 64 + h * W * 4);
                vi low = unpack_halves(low_halves(bytes), low_step);
                vi high = unpack_halves((vi)((vu)bytes >> 4) & 0x0f0f0f0f, high_step);
                memcpy(out + j * 64 + h * W * 4, &low, sizeof low);
                memcpy(out + 256 + j * 64 + h * W * 4, &high, sizeof high);
            }
        }
}

static void multiply_block4(float *sums, const weight_block *w, const uint8_t *steps, int64_t step_bytes,
                            const row_block *x, int64_t rows, int64_t groups, uint8_t *scratch)
{
    weight_block wide = *w;
    wide.values = scratch;
    wide.group_bytes = w->inputs * PG_QUANTIZED_ROWS;
    for (int64_t g = 0; g < groups; g++)
        unpack_group(scratch + g * wide.group_bytes, w->values + g * w->group_bytes, steps + g * step_bytes, w->inputs);
    multiply_block8(sums, wide, x, rows, groups);
}

/* ---------------------------------------------------------------- all blocks */

static void multiply_groups(float *sums, const pg_quantized *w, int64_t group, int64_t groups, const pg_integer_rows *x,
                            uint8_t *scratch)
{
    int64_t blocks = pg_quantized_blocks(w->inputs, w->block), step_bytes = pg_quantized_step_bytes(w);
    weight_block part = {.values = w->values + group * pg_quantized_group_bytes(w),
                         .group_bytes = pg_quantized_group_bytes(w),
                         .scales = (const char *)w->scales + group * blocks * PG_QUANTIZED_ROWS * 2,
                         .scale_bytes = blocks * PG_QUANTIZED_ROWS * 2,
                         .next_group_bytes = pg_quantized_group_bytes(w),
                         .step_lines = PG_QUANTIZED_INPUTS * PG_QUANTIZED_ROWS * w->bits / 8 / LINE_BYTES};
    const bool halves = w->bits == 4, few = x->rows <= FEW_MOST;
    const uint8_t *steps = halves ? w->steps + group * step_bytes : NULL;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t left = x->inputs - b * w->block;
        part.inputs = left < w->block ? left : w->block;
        part.next = part.values + part.inputs * PG_QUANTIZED_ROWS * w->bits / 8;
        row_block rows = {x->values + b * w->block * x->rows, x->scales + b * x->rows, x->zeros8 + b * x->rows,
                          x->zeros4 + b * x->rows * (w->block / PG_QUANTIZED_STEP)};
        if (halves && few)
            multiply_few4(sums, &part, steps, step_bytes, &rows, x->rows, groups);
        else if (halves)
            multiply_block4(sums, &part, steps, step_bytes, &rows, x->rows, groups, scratch);
        else
            multiply_block8(sums, part, &rows, x->rows, groups);
        steps += halves ? part.inputs / PG_QUANTIZED_INPUTS * PG_QUANTIZED_ROWS : 0;
        part.values = part.next;
        part.scales += PG_QUANTIZED_ROWS * 2;
    }
}

void PG_SIMD(integer_product)(float *sums, const pg_quantized *w, int64_t group, int64_t groups,
                              const pg_integer_rows *x, uint8_t *scratch)
{
    int64_t most = w->bits == 4 && x->rows <= FEW_MOST ? FEW_GROUPS : groups;
#if defined(__AMX_INT8__)
    const bool matrices = x->rows >= MATRIX_ROWS;
    if (matrices)
        shape_matrices(MATRIX_ROWS, MATRIX_BYTES);
#endif
    for (; groups > 0; groups -= most, group += most, sums += most * PG_QUANTIZED_ROWS)
        multiply_groups(sums, w, group, groups < most ? groups : most, x, scratch);
#if defined(__AMX_INT8__)
    if (matrices)
        _tile_release();
#endif
}

/* ---------------------------------------------------------------- activations */

#define ROUNDER 12582912.0f /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */

INLINE int32_t sum_ints(vi v)
{
    int32_t sum = 0;
    for (int i = 0; i < W; i++)
        sum += v[i];
    return sum;
}

/* The largest |x|; NaN if a value is not finite. */
static float largest_size(const float *x, int64_t count)
{
    vf top = {0}, strange = {0};
    int64_t i = 0;
    for (; i < count; i += W) {
        vf v = i + W <= count ? load(x + i) : load_part(x + i, count - i);
        top = larger((vf)((vi)v & 0x7fffffff), top);
        strange += v * 0; /* 0, or NaN */
    }
    return largest_lane(top) + sum_lanes(strange);
}

/* Signed bytes for values whose largest size this is: what they are worth is *scale, what makes them of values is
 * returned. Too small ones become zeros. */
static float scale_bytes(float *scale, float top)
{
    bool usable = top >= 0x1p-100f;
    *scale = usable ? top / 127 : top * 0;
    return usable ? 127 / top : 0;
}

INLINE vi round_to_ints(vf v)
{
    return (vi)(v + ROUNDER) - (vi)splat(ROUNDER);
}

void PG_SIMD(quantize)(int8_t *values, float *scale, int32_t *zero8, int32_t *zeros4, const float *x, int64_t count)
{
    float factor = scale_bytes(scale, largest_size(x, count));
    *zero8 = 0;
    for (int64_t i = 0; i < count; i += PG_QUANTIZED_STEP) {
        int32_t sum = 0;
        for (int64_t j = i; j < i + PG_QUANTIZED_STEP; j += W) {
            vi rounded = factor > 0 ? round_to_ints(load(x + j) * factor) : (vi){0};
            narrow_bytes(values + j, rounded);
            sum += sum_ints(rounded);
        }
        zeros4[i / PG_QUANTIZED_STEP] = -8 * sum;
        *zero8 -= 128 * sum;
    }
}

/* ---------------------------------------------------------------- rows of a cache */

void PG_SIMD(narrow_scaled)(int8_t *out, const float *in, int64_t count)
{
    float scale, factor = scale_bytes(&scale, largest_size(in, count));
    int64_t i = 0;
    for (; i + W <= count; i += W)
        narrow_bytes(out + i, round_to_ints(load(in + i) * factor));
    if (i < count) {
        int8_t rest[W];
        narrow_bytes(rest, round_to_ints(load_part(in + i, count - i) * factor));
        memcpy(out + i, rest, (size_t)(count - i));
    }
    memcpy(out + count, &scale, sizeof scale);
}

void PG_SIMD(widen_scaled)(float *out, const int8_t *in, int64_t count)
{
    float scale;
    memcpy(&scale, in + count, sizeof scale);
    int64_t i = 0;
    for (; i + W <= count; i += W)
        store(out + i, __builtin_convertvector(widen_signed_bytes(in + i), vf) * scale);
    for (; i < count; i++)
        out[i] = (float)in[i] * scale;
}

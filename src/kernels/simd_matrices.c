/* Products in bf16 in tiles of matrices; simd_product.c has them for other instruction sets. */
#if defined(__AMX_BF16__)
#include "kernels/tiles_amx.h"

/* c[n][lane] (+)= w[n][k] * panel[k][lane] for `lefts` tiles of rows and `rights` of lanes, both constants, and steps
 * along k as deep as the tiles are shaped. */
INLINE void multiply_block(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, const float *panel,
                           int64_t steps, bool fresh, int lefts, int rights)
{
    const int64_t c_bytes = c_stride * 4, w_bytes = w_stride * 2;
    float *below = c + MATRIX_ROWS * c_stride;
    if (fresh) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, c, c_bytes);
        if (rights > 1)
            _tile_loadd(1, c + W, c_bytes);
        if (lefts > 1)
            _tile_loadd(2, below, c_bytes);
        if (lefts > 1 && rights > 1)
            _tile_loadd(3, below + W, c_bytes);
    }
    for (int64_t i = 0; i < steps; i++, w += MATRIX_DEPTH, panel += MATRIX_DEPTH / 2 * LANES) {
        _tile_loadd(4, w, w_bytes);
        _tile_loadd(6, panel, LANES * 4);
        _tile_dpbf16ps(0, 4, 6);
        if (lefts > 1) {
            _tile_loadd(5, w + MATRIX_ROWS * w_stride, w_bytes);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (rights > 1) {
            _tile_loadd(7, panel + W, LANES * 4);
            _tile_dpbf16ps(1, 4, 7);
            if (lefts > 1)
                _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, c_bytes);
    if (rights > 1)
        _tile_stored(1, c + W, c_bytes);
    if (lefts > 1)
        _tile_stored(2, below, c_bytes);
    if (lefts > 1 && rights > 1)
        _tile_stored(3, below + W, c_bytes);
}

/* `rights` tiles of lanes and all rows of w. */
INLINE void multiply_column(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                            const float *panel, int64_t steps, bool fresh, int rights)
{
    const int64_t two = 2 * MATRIX_ROWS;
    for (; rows > MATRIX_ROWS; rows -= two, c += two * c_stride, w += two * w_stride)
        multiply_block(c, c_stride, w, w_stride, panel, steps, fresh, 2, rights);
    if (rows > 0)
        multiply_block(c, c_stride, w, w_stride, panel, steps, fresh, 1, rights);
}

INLINE void multiply_rows(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                          const float *panel, int64_t lanes, int64_t steps, bool fresh)
{
    for (; lanes > W; lanes -= 2 * W, c += 2 * W, panel += 2 * W)
        multiply_column(c, c_stride, w, w_stride, rows, panel, steps, fresh, 2);
    if (lanes > 0)
        multiply_column(c, c_stride, w, w_stride, rows, panel, steps, fresh, 1);
}

void PG_SIMD(multiply_matrices)(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                                const float *panel, int64_t lanes, int64_t k, bool fresh)
{
    if (fresh)
        multiply_rows(c, c_stride, w, w_stride, rows, panel, lanes, k / MATRIX_DEPTH, true);
    else
        multiply_rows(c, c_stride, w, w_stride, rows, panel, lanes, k / MATRIX_DEPTH, false);
}

/* Any number of rows: those that fill no tile have tiles of their own shape. */
static void shape_and_multiply(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                               const float *panel, int64_t lanes, int64_t steps, int64_t depth)
{
    int64_t whole = rows / MATRIX_ROWS * MATRIX_ROWS;
    if (whole) {
        shape_matrices(MATRIX_ROWS, depth * 2);
        multiply_rows(c, c_stride, w, w_stride, whole, panel, lanes, steps, false);
    }
    if (rows > whole) {
        shape_matrices(rows - whole, depth * 2);
        multiply_rows(c + whole * c_stride, c_stride, w + whole * w_stride, w_stride, rows - whole, panel, lanes, steps,
                      false);
    }
}

void PG_SIMD(panel_product_bf16)(float *c, int64_t c_stride, const void *w, int64_t w_stride, int64_t rows,
                                 const void *panel, int64_t lanes, int64_t k, const pg_ahead *ahead)
{
    (void)ahead; /* loads limit this product: whatever else it loads, it does not do meanwhile */
    int64_t whole = k / MATRIX_DEPTH * MATRIX_DEPTH;
    if (whole)
        shape_and_multiply(c, c_stride, w, w_stride, rows, panel, lanes, whole / MATRIX_DEPTH, MATRIX_DEPTH);
    if (k > whole)
        shape_and_multiply(c, c_stride, (const uint16_t *)w + whole, w_stride, rows,
                           (const float *)panel + whole / 2 * LANES, lanes, 1, k - whole);
    _tile_release();
}

#endif

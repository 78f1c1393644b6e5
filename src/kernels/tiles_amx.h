/* Tiles of matrices (AMX): registers of 16 rows of 64 bytes, and one instruction that multiplies two of them. Their
 * layout of the right factor, pairs (or fours) of the inner dimension side by side, is the one of panels and of
 * quantised groups. Permission to use them is asked for in select.c. */
#ifndef PG_KERNELS_TILES_AMX_H
#define PG_KERNELS_TILES_AMX_H

#include <immintrin.h>

#include "kernels/simd.h"

#define MATRIX_ROWS  16
#define MATRIX_BYTES 64 /* of a row */
#define MATRIX_DEPTH 32 /* values in bf16 of a row */

/* Tiles 0 to 3 are sums, 4 and 5 left factors, 6 and 7 right ones. */
typedef struct matrix_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} matrix_shapes;

/* Left factors have `rows` rows of `depth` bytes. All tiles are zero then. */
INLINE void shape_matrices(int64_t rows, int64_t depth)
{
    matrix_shapes shapes = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        shapes.row_bytes[t] = (uint16_t)(t == 4 || t == 5 ? depth : MATRIX_BYTES);
        shapes.rows[t] = (uint8_t)(t < 6 ? rows : depth / 4);
    }
    __asm__ volatile("" : : "r"(&shapes) : "memory"); /* compilers believe that only its first bytes are read */
    _tile_loadconfig(&shapes);
}

/* c[n][lane] += w[n][k] * panel[k][lane], or = if `fresh`, for whole tiles: rows are a multiple of MATRIX_ROWS, k of
 * MATRIX_DEPTH, and the tiles are shaped so. */
void PG_SIMD(multiply_matrices)(float *c, int64_t c_stride, const uint16_t *w, int64_t w_stride, int64_t rows,
                                const float *panel, int64_t lanes, int64_t k, bool fresh);

#endif

/* A product by tiles of 32 x 32 in shared memory: for any shape and any address. */
#include "kernels/cuda/cuda_products.h"

#define TILE 32
#define EACH 4 /* values of a tile that a thread computes */

static __device__ inline float factor(const void *values, int64_t i, bool bf16)
{
    return bf16 ? float_of_bf16(static_cast<const uint16_t *>(values)[i]) : static_cast<const float *>(values)[i];
}

/* Value (row, i) of a matrix that lies as [rows][inner], or as [inner][rows]; 0 outside. */
struct tile_side {
    const void *values;
    int64_t rows, inner, row_step, inner_step;
    bool bf16;
};

static __device__ inline float side_value(const tile_side *side, int64_t row, int64_t i)
{
    bool inside = row < side->rows && i < side->inner;
    return inside ? factor(side->values, row * side->row_step + i * side->inner_step, side->bf16) : 0;
}

/* A tile's values lie along whatever is contiguous in memory, for the sake of the loads. */
static __device__ inline void load_tile(float tile[TILE][TILE + 1], const tile_side *side, int64_t row, int64_t first)
{
    for (unsigned y = threadIdx.y; y < TILE; y += TILE / EACH) {
        if (side->inner_step == 1)
            tile[y][threadIdx.x] = side_value(side, row + y, first + threadIdx.x);
        else
            tile[threadIdx.x][y] = side_value(side, row + threadIdx.x, first + y);
    }
}

__global__ void plain_kernel(float *out, int64_t out_stride, tile_side a, tile_side b, bool added)
{
    __shared__ float a_tile[TILE][TILE + 1], b_tile[TILE][TILE + 1];
    int64_t row = static_cast<int64_t>(blockIdx.y) * TILE, column = static_cast<int64_t>(blockIdx.x) * TILE;
    float sums[EACH] = {};
    for (int64_t first = 0; first < a.inner; first += TILE) {
        load_tile(a_tile, &a, row, first);
        load_tile(b_tile, &b, column, first);
        __syncthreads();
        for (int i = 0; i < TILE; i++)
            for (int e = 0; e < EACH; e++)
                sums[e] = fmaf(a_tile[threadIdx.y + e * (TILE / EACH)][i], b_tile[threadIdx.x][i], sums[e]);
        __syncthreads();
    }
    for (int e = 0; e < EACH; e++) {
        int64_t r = row + threadIdx.y + e * (TILE / EACH), c = column + threadIdx.x;
        if (r < a.rows && c < b.rows)
            out[r * out_stride + c] = sums[e] + (added ? out[r * out_stride + c] : 0);
    }
}

void plain_multiply(pg_device *device, const product *p)
{
    tile_side a = {p->a,   p->rows, p->inner, p->a_transposed ? 1 : p->a_stride, p->a_transposed ? p->a_stride : 1,
                   p->bf16};
    tile_side b = {p->b,   p->columns, p->inner, p->b_transposed ? p->inner : 1, p->b_transposed ? 1 : p->columns,
                   p->bf16};
    const int64_t most = static_cast<int64_t>(65535) * TILE; /* rows of blocks that a grid can have */
    for (int64_t first = 0; first < p->rows; first += most) {
        tile_side part = a;
        int64_t left = p->rows - first;
        part.rows = left < most ? left : most;
        part.values = static_cast<const char *>(a.values) + first * a.row_step * (p->bf16 ? 2 : 4);
        PG_LAUNCH(device, plain_kernel, dim3(blocks_for(p->columns, TILE), blocks_for(part.rows, TILE)),
                  dim3(TILE, TILE / EACH), 0, p->out + first * p->out_stride, p->out_stride, part, b, p->added);
    }
}

/* Adafactor (ops/adafactor.c says what it does). Groups of rows and tiles of all arrays are worked on at once; in
 * between, one block for each array says what follows from its sums. */
#include "kernels/cuda/cuda_update.h"
#include "kernels/cuda/cuda_values.h"

#define BLOCK 256
#define WARPS (BLOCK / WARP)

static_assert(BLOCK == PG_UPDATE_TILE_COLUMNS, "a thread has a column of a tile");

typedef enum square_source { VALUES, GRADIENTS, FACTORED_GRADIENTS } square_source;

/* row_sums[row] = the sum of its squares: a warp has a row. */
__global__ void square_rows_kernel(const pg_device_plan plan, square_source source)
{
    const pg_update_piece group = plan.groups[blockIdx.x];
    const pg_update &u = plan.updates[group.update];
    const pg_update_sums place = plan.places[group.update];
    const float *x = source == VALUES ? u.values : u.grad, *factors = plan.factors + place.column;
    for (int64_t r = group.first + threadIdx.x / WARP; r < group.first + group.count; r += WARPS) {
        const float *row = x + r * u.width;
        bool aligned = is_aligned(row);
        double sum = 0;
        for (int64_t i = threadIdx.x % WARP * 4; i < u.width; i += WARP * 4) {
            float4 four = load_four(row, i, u.width, aligned, 0);
            if (source == FACTORED_GRADIENTS) {
                float4 factor = load_four(factors, i, u.width, is_aligned(factors), 0);
                four = make_float4(four.x * factor.x, four.y * factor.y, four.z * factor.z, four.w * factor.w);
            }
            sum += squares_of(four);
        }
        sum = warp_sum(sum);
        if (threadIdx.x % WARP == 0)
            plan.row_sums[place.row + r] = sum;
    }
}

/* Sums of squares of the columns of tiles. */
__global__ void square_columns_kernel(const pg_device_plan plan)
{
    const pg_update_piece tile = plan.tiles[blockIdx.x];
    const pg_update &u = plan.updates[tile.update];
    int64_t row = tile.first / u.width, column = tile.first % u.width + threadIdx.x;
    if (column >= u.width)
        return;
    const float *x = u.grad + row * u.width + column;
    double sum = 0;
#pragma unroll 8
    for (int64_t r = 0; r < tile.count; r++)
        sum += square_of(x[r * u.width]);
    plan.partials[plan.places[tile.update].partial + row / PG_UPDATE_TILE_ROWS * u.width + column] = sum;
}

static __device__ inline double blended(double old, double mean_square, const pg_factored_step &step)
{
    double square = mean_square * step.grad_scale * step.grad_scale + PG_FACTORED_SMALLEST;
    return old + step.weight * (square - old);
}

/* Tiles that begin an array's columns: their sums from all tiles below, and what is divided by. */
__global__ void average_columns_kernel(const pg_device_plan plan, const pg_factored_step step)
{
    const pg_update_piece tile = plan.tiles[blockIdx.x];
    const pg_update &u = plan.updates[tile.update];
    const pg_update_sums place = plan.places[tile.update];
    int64_t column = tile.first + threadIdx.x, down = (u.rows + PG_UPDATE_TILE_ROWS - 1) / PG_UPDATE_TILE_ROWS;
    if (column >= u.width)
        return;
    double sum = 0;
    for (int64_t i = 0; i < down; i++)
        sum += plan.partials[place.partial + i * u.width + column];
    float square = static_cast<float>(blended(u.column_squares[column], sum / static_cast<double>(u.rows), step));
    u.column_squares[column] = square;
    plan.factors[place.column + column] = static_cast<float>(1 / sqrt(static_cast<double>(square)));
}

/* ---------------------------------------------------------------- a block for an array */

static __device__ inline double values_of(const pg_update &u)
{
    return static_cast<double>(u.rows) * static_cast<double>(u.width);
}

/* The learning rate, from the squares of the values. */
__global__ void rate_kernel(const pg_device_plan plan, const pg_factored_step step)
{
    __shared__ double room[WARPS];
    const pg_update &u = plan.updates[blockIdx.x];
    const double *sums = plan.row_sums + plan.places[blockIdx.x].row;
    double sum = 0;
    for (int64_t r = threadIdx.x; step.smallest_scale > 0 && r < u.rows; r += BLOCK)
        sum += sums[r];
    double scale = sqrt(block_sum(sum, room) / values_of(u));
    if (threadIdx.x == 0)
        plan.factored[blockIdx.x].rate = step.rate * (step.smallest_scale > 0 ? fmax(step.smallest_scale, scale) : 1);
}

/* New averages of the squares of rows, and their mean. */
__global__ void average_rows_kernel(const pg_device_plan plan, const pg_factored_step step)
{
    __shared__ double room[WARPS];
    const pg_update &u = plan.updates[blockIdx.x];
    const double *sums = plan.row_sums + plan.places[blockIdx.x].row;
    double mean = 0;
    for (int64_t r = threadIdx.x; r < u.rows; r += BLOCK) {
        u.row_squares[r] = static_cast<float>(blended(u.row_squares[r], sums[r] / static_cast<double>(u.width), step));
        mean += u.row_squares[r] / static_cast<double>(u.rows);
    }
    mean = block_sum(mean, room);
    if (threadIdx.x == 0)
        plan.factored[blockIdx.x].row_mean = mean;
}

/* How far the values move, from the squares of the step. */
__global__ void move_kernel(const pg_device_plan plan, const pg_factored_step step)
{
    __shared__ double room[WARPS];
    const pg_update &u = plan.updates[blockIdx.x];
    const double *sums = plan.row_sums + plan.places[blockIdx.x].row;
    pg_update_factor *f = &plan.factored[blockIdx.x];
    double sum = 0;
    for (int64_t r = threadIdx.x; r < u.rows; r += BLOCK)
        sum += sums[r] * (f->row_mean / u.row_squares[r]);
    double length = sqrt(block_sum(sum, room) / values_of(u)) * step.grad_scale;
    if (threadIdx.x != 0)
        return;
    f->keep = u.decay ? static_cast<float>(1 - f->rate * step.decay) : 1;
    f->move = static_cast<float>(f->rate * step.grad_scale / fmax(1.0, length / step.clip));
}

/* ---------------------------------------------------------------- the step */

__global__ void move_rows_kernel(const pg_device_plan plan)
{
    const pg_update_piece group = plan.groups[blockIdx.x];
    const pg_update &u = plan.updates[group.update];
    const float *factors = plan.factors + plan.places[group.update].column;
    const pg_update_factor f = plan.factored[group.update];
    for (int64_t r = group.first + threadIdx.x / WARP; r < group.first + group.count; r += WARPS) {
        float rate = static_cast<float>(f.move * sqrt(f.row_mean / u.row_squares[r]));
        float *values = u.values + r * u.width;
        const float *grad = u.grad + r * u.width;
        bool aligned = is_aligned(values) && is_aligned(grad) && is_aligned(factors);
        for (int64_t i = threadIdx.x % WARP * 4; i < u.width; i += WARP * 4) {
            float4 value = load_four(values, i, u.width, aligned, 0), g = load_four(grad, i, u.width, aligned, 0);
            float4 factor = load_four(factors, i, u.width, aligned, 0);
            value.x = f.keep * value.x - rate * (factor.x * g.x);
            value.y = f.keep * value.y - rate * (factor.y * g.y);
            value.z = f.keep * value.z - rate * (factor.z * g.z);
            value.w = f.keep * value.w - rate * (factor.w * g.w);
            store_four(values, i, u.width, aligned, value);
        }
    }
}

static void square_rows(pg_device *device, const pg_device_plan *plan, square_source source)
{
    PG_LAUNCH(device, square_rows_kernel, dim3(plan->group_count), dim3(BLOCK), 0, *plan, source);
}

void cuda_adafactor(pg_device *device, const pg_device_plan *plan, const pg_factored_step *step)
{
    if (!plan->group_count)
        return;
    if (step->smallest_scale > 0)
        square_rows(device, plan, VALUES);
    PG_LAUNCH(device, rate_kernel, dim3(plan->count), dim3(BLOCK), 0, *plan, *step);
    square_rows(device, plan, GRADIENTS);
    PG_LAUNCH(device, average_rows_kernel, dim3(plan->count), dim3(BLOCK), 0, *plan, *step);
    PG_LAUNCH(device, square_columns_kernel, dim3(plan->tile_count), dim3(BLOCK), 0, *plan);
    PG_LAUNCH(device, average_columns_kernel, dim3(plan->tile_count), dim3(BLOCK), 0, *plan, *step);
    square_rows(device, plan, FACTORED_GRADIENTS);
    PG_LAUNCH(device, move_kernel, dim3(plan->count), dim3(BLOCK), 0, *plan, *step);
    PG_LAUNCH(device, move_rows_kernel, dim3(plan->group_count), dim3(BLOCK), 0, *plan);
}

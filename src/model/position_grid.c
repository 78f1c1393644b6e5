#include "model/position_grid.h"

#include <math.h>

#include "base/numbers.h"

typedef struct position_grid {
    const float *rows; /* [side * side][width] */
    int64_t side, width;
} position_grid;

/* Where a new row or column stands between two old ones: `low` and `high`, `share` of the way. */
typedef struct grid_place {
    int64_t low, high;
    double share;
} grid_place;

static grid_place place_of(int64_t index, int64_t old_side, int64_t side)
{
    double step = side > 1 ? (double)(old_side - 1) / (double)(side - 1) : 0, at = (double)index * step;
    int64_t low = pg_smaller((int64_t)at, old_side - 1);
    return (grid_place){low, pg_smaller(low + 1, old_side - 1), at - (double)low};
}

static double between(const position_grid *old, int64_t y, const grid_place *x, int64_t i)
{
    const float *row = old->rows + y * old->side * old->width + i;
    return (1 - x->share) * (double)row[x->low * old->width] + x->share * (double)row[x->high * old->width];
}

static void make_position(float *out, const position_grid *old, grid_place y, grid_place x)
{
    for (int64_t i = 0; i < old->width; i++)
        out[i] = (float)((1 - y.share) * between(old, y.low, &x, i) + y.share * between(old, y.high, &x, i));
}

pg_status pg_position_grid_resample(void *out, int64_t side, const pg_parameter *old)
{
    int64_t old_side = (int64_t)lround(sqrt((double)old->rows)), width = old->width;
    float *rows = pg_alloc((size_t)(old->rows + 1), (size_t)width * sizeof *rows), *made = rows + old->rows * width;
    if (!rows)
        return PG_ERROR_MEMORY;
    pg_dtype_widen(rows, old->dtype, old->data, old->rows * width);
    position_grid grid = {rows, old_side, width};
    for (int64_t row = 0; row < side * side; row++) {
        make_position(made, &grid, place_of(row / side, old_side, side), place_of(row % side, old_side, side));
        pg_dtype_narrow((char *)out + (size_t)(row * width) * pg_dtype_size(old->dtype), old->dtype, made, width);
    }
    pg_free(rows);
    return PG_OK;
}

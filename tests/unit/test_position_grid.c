/* Positions of patches for grids of other sizes, against scipy.ndimage.zoom(grid, (to / from, to / from, 1), order=1)
 * of scipy 1.17.1, and at edges where rounding misleads it. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "model/position_grid.h"
#include "sweep.h"

#define LARGEST 8 /* side of an old grid */

/* ((7 y + 3 x + 5 c) mod 11) - 4 for row y, column x and channel c of two. */
static pg_parameter make_grid(float *values, int64_t side)
{
    for (int64_t i = 0; i < 2 * side * side; i++)
        values[i] = (float)((7 * (i / 2 / side) + 3 * (i / 2 % side) + 5 * (i % 2)) % 11 - 4);
    return (pg_parameter){.name = "grid", .dtype = PG_F32, .rows = side * side, .width = 2, .data = values};
}

static void as_the_reference(void **state)
{
    static const struct {
        int64_t from, to;
        float values[50];
    } cases[] = {
        {4, 5, {-4,     1,      -1.75F, 3.25F,  0.5F,  0,     2.75F,   -3.25F,   5,    -1,     1.25F,   -2,      3.5F,
                0.25F,  1.625F, 1.125F, -0.25F, 2,     2,     4.25F,   1,        0.5F, 3.25F,  -1.375F, 2.75F,   -0.5F,
                0.875F, 1.75F,  -1,     4,      0.75F, 3,     0.9375F, -0.9375F, 2.5F, -0.75F, 2.6875F, 0.8125F, -1.25F,
                1,      6,      0,      0,      2.25F, -0.5F, 4.5F,    1.75F,    4,    4,      -2}},
        {5, 3, {-4, 1, 2, -4, -3, 2, -1, 4, 5, -1, 0, 5, 2, -4, -3, 2, 3, -3}},
        {1, 2, {-4, 1, -4, 1, -4, 1, -4, 1}},
        {3, 1, {-4, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float values[2 * LARGEST * LARGEST], made[50];
        pg_parameter old = make_grid(values, cases[i].from);
        CHECK_OK(pg_position_grid_resample(made, cases[i].to, &old));
        for (int64_t k = 0; k < 2 * cases[i].to * cases[i].to; k++)
            assert_float_equal(made[k], cases[i].values[k], 1e-6F);
    }
}

/* Corners stay what they are at every size, also where the last step rounds beyond the edge (8 to 26). */
static void corners_upon_corners(void **state)
{
    float values[2 * LARGEST * LARGEST], *made = malloc(2 * 64 * 64 * sizeof *made);
    (void)state;
    for (int64_t from = 1; from <= LARGEST; from++)
        for (int64_t to = 2; to <= 64; to++) {
            pg_parameter old = make_grid(values, from);
            CHECK_OK(pg_position_grid_resample(made, to, &old));
            assert_float_equal(made[2 * (to - 1)], values[2 * (from - 1)], 1e-5F);
            assert_float_equal(made[2 * (to * to - 1)], values[2 * (from * from - 1)], 1e-5F);
        }
    free(made);
}

static void other_dtypes(void **state)
{
    static const uint16_t bf16[] = {0x3F80, 0x4000, 0x4040, 0x4080}; /* 1 2 3 4 */
    pg_parameter old = {.name = "grid", .dtype = PG_BF16, .rows = 4, .width = 1, .data = bf16};
    uint16_t made[9];
    (void)state;
    CHECK_OK(pg_position_grid_resample(made, 3, &old));
    assert_int_equal(made[0], 0x3F80);
    assert_int_equal(made[1], 0x3FC0); /* 1.5 */
    assert_int_equal(made[4], 0x4020); /* 2.5 */
    CHECK_SWEEP(pg_position_grid_resample(made, 3, &old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_reference),
        cmocka_unit_test(corners_upon_corners),
        cmocka_unit_test(other_dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

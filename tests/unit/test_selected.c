/* Some outputs of a linear layer have the bits that they have among all, for every way in which weights are stored. */
#include "check.h"

#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/rows.h"

static double draw(void)
{
    static uint64_t drawn;
    return pg_random_uniform(5, 0, drawn++) * 2 - 1;
}

static pg_tensor *random_rows(pg_context *g, int64_t rows, int64_t width)
{
    pg_tensor *x = pg_tensor_new(g, rows, width);
    assert_non_null(x);
    for (int64_t i = 0; i < rows * width; i++)
        ((float *)x->data)[i] = (float)draw();
    x->single = rows;
    return x;
}

static pg_parameter random_floats(pg_context *g, pg_dtype dtype, int64_t rows, int64_t width)
{
    const pg_tensor *values = random_rows(g, rows, width);
    char *stored = pg_scratch(g, (size_t)(rows * width) * sizeof(float) + 1);
    assert_non_null(stored);
    g->kernels->narrow(stored, dtype, values->data, rows * width);
    if (dtype != PG_F32) { /* files promise no alignment */
        memmove(stored + 1, stored, (size_t)(rows * width) * pg_dtype_size(dtype));
        stored++;
    }
    return (pg_parameter){.name = "w", .dtype = dtype, .rows = rows, .width = width, .data = stored};
}

static pg_parameter random_quantized(pg_context *g, int bits, int64_t rows, int64_t width)
{
    pg_quantized w = {.bits = bits, .rows = rows, .inputs = width, .block = 32};
    size_t bytes = (size_t)pg_quantized_bytes(&w);
    uint8_t *memory = pg_scratch(g, bytes);
    assert_non_null(memory);
    for (size_t i = 0; i < bytes; i++)
        memory[i] = (uint8_t)(128 + 127 * draw());
    w.values = memory;
    w.steps = memory + pg_quantized_groups(rows) * pg_quantized_group_bytes(&w);
    uint8_t *scales = (uint8_t *)w.steps + pg_quantized_groups(rows) * pg_quantized_step_bytes(&w);
    for (size_t i = 0; i < (size_t)(memory + bytes - scales) / 2; i++) {
        uint16_t scale = pg_bf16_from_float((float)(0.01 + 0.005 * draw()));
        memcpy(scales + 2 * i, &scale, sizeof scale);
    }
    w.scales = scales;
    return (pg_parameter){.name = "w", .rows = rows, .width = width, .quantized = w};
}

/* About one in `every` rows of the weight, in runs and alone. */
static void check_rows(pg_context *g, const pg_parameter *w, int64_t x_rows, int64_t every)
{
    pg_tensor *x = random_rows(g, x_rows, w->width);
    int32_t *rows = pg_scratch(g, (size_t)w->rows * sizeof *rows);
    int64_t count = 0;
    for (int64_t i = 0; i < w->rows; i++)
        if (draw() * (double)every < 2.0 - (double)every || i == w->rows - 1 || i / 20 % 5 == 3)
            rows[count++] = (int32_t)i;
    const pg_tensor *all = pg_linear(g, x, w, NULL), *some = pg_linear_rows(g, x, w, rows, count);
    assert_true(all && some);
    assert_int_equal(some->width, count);
    for (int64_t r = 0; r < x_rows; r++)
        for (int64_t i = 0; i < count; i++)
            if (memcmp(pg_row(all, r) + rows[i], pg_row(some, r) + i, sizeof(float)) != 0)
                fail_msg("%s, %d bits, dtype %d, row %lld, output %d: %.9g, among all %.9g", g->kernels->name,
                         w->quantized.bits, w->dtype, (long long)r, rows[i], (double)pg_row(some, r)[i],
                         (double)pg_row(all, r)[rows[i]]);
}

static void check_weights(pg_context *g, int64_t rows, int64_t width)
{
    static const pg_dtype dtypes[] = {PG_F32, PG_F16, PG_BF16};
    for (int k = 0; k < 5; k++)
        for (int64_t x_rows = 1; x_rows <= 6; x_rows += 5) {
            pg_arena_mark mark = pg_arena_get_mark(&g->arena);
            pg_parameter w =
                k < 3 ? random_floats(g, dtypes[k], rows, width) : random_quantized(g, k == 3 ? 8 : 4, rows, width);
            check_rows(g, &w, x_rows, 1);
            check_rows(g, &w, x_rows, 9);
            pg_arena_release(&g->arena, mark);
        }
}

static void test_rows_have_the_bits_that_they_have_among_all(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int way = 0; way < 4; way++) {
            pg_context g = {.kernels = pg_kernels_at(t), .threads = 2, .integers = way & 1};
            g.compute = way & 2 ? PG_COMPUTE_BF16 : PG_COMPUTE_F32;
            check_weights(&g, 333, 75);
            pg_arena_free(&g.arena);
        }
}

/* An adapter's factors belong to the outputs that are asked for, too. */
static void test_low_rank_additions(void **state)
{
    (void)state;
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .integers = true};
    for (int k = 0; k < 3; k++) {
        pg_parameter w = k < 2 ? random_floats(&g, k ? PG_BF16 : PG_F32, 333, 75) : random_quantized(&g, 8, 333, 75);
        const pg_lora lora = {random_floats(&g, PG_F32, 5, 75), random_floats(&g, PG_F32, 333, 5), 2, 0};
        w.lora = &lora;
        check_rows(&g, &w, 1, 9);
        check_rows(&g, &w, 6, 3);
    }
    pg_arena_free(&g.arena);
}

/* More than is gathered at a time. */
static void test_many_rows(void **state)
{
    (void)state;
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = PG_COMPUTE_F32, .integers = true};
    pg_parameter floats = random_floats(&g, PG_F32, 1500, 4100);
    check_rows(&g, &floats, 1, 1);
    pg_parameter bytes = random_quantized(&g, 8, 6000, 4096);
    check_rows(&g, &bytes, 1, 2);
    pg_arena_free(&g.arena);
}

static void test_none_of_nothing(void **state)
{
    (void)state;
    pg_context g = {.kernels = pg_kernels_best(), .threads = 1, .compute = PG_COMPUTE_F32};
    pg_parameter w = random_floats(&g, PG_F32, 3, 4);
    assert_null(pg_linear_rows(&g, NULL, &w, (const int32_t[]){0}, 1));
    pg_arena_free(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_have_the_bits_that_they_have_among_all),
        cmocka_unit_test(test_low_rank_additions),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_none_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

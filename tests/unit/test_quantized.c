/* Quantised matrices and products in whole numbers: every table of kernels that this CPU has against exact arithmetic,
 * and a row's bits whatever its company. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/integer.h"

#define EPSILON 0x1p-24

static uint64_t drawn;

static uint64_t draw_bits(void)
{
    return pg_random_bits(11, 0, drawn++);
}

/* Mostly between -2 and 2, now and then a large one. */
static float draw(void)
{
    float x = (float)(pg_random_uniform(12, 0, drawn++) * 4 - 2);
    return draw_bits() % 100 ? x : 40 * x;
}

static void *allocate(int64_t bytes)
{
    void *memory = pg_alloc((size_t)bytes, 1);
    assert_non_null(memory);
    return memory;
}

/* ---------------------------------------------------------------- matrices */

/* A matrix of random bytes, all of which mean something; values, scales and steps lie at odd addresses. */
static pg_quantized random_matrix(int bits, int64_t rows, int64_t inputs, int64_t block)
{
    pg_quantized w = {.bits = bits, .rows = rows, .inputs = inputs, .block = block};
    int64_t groups = pg_quantized_groups(rows), values = groups * pg_quantized_group_bytes(&w);
    int64_t steps = groups * pg_quantized_step_bytes(&w), scales = groups * pg_quantized_blocks(inputs, block) * 16;
    uint8_t *memory = allocate(pg_quantized_bytes(&w) + 1);
    w.values = memory + 1;
    w.steps = w.values + values;
    w.scales = w.steps + steps;
    for (int64_t i = 1; i <= values + steps; i++)
        memory[i] = (uint8_t)draw_bits();
    for (int64_t i = 0; i < scales; i++) {
        uint16_t scale = pg_bf16_from_float(0.001f + 0.01f * (float)pg_random_uniform(13, 0, drawn++));
        memcpy(memory + 1 + values + steps + 2 * i, &scale, 2);
    }
    return w;
}

static void free_matrix(pg_quantized *w)
{
    pg_free((void *)(w->values - 1));
}

/* The layout said in another way than base/quantized.c says it: byte by byte in the order of the file. */
static void values_lie_where_the_layout_says(void **state)
{
    (void)state;
    for (int bits = 4; bits <= 8; bits += 4) {
        pg_quantized w = random_matrix(bits, 21, 75, 64);
        for (int64_t n = 0; n < 32; n++)
            for (int64_t i = 0; i < 96; i++) {
                int64_t group = n / 16 * 96 * 16 * bits / 8, byte, whole;
                if (bits == 8) {
                    byte = w.values[group + i / 4 * 64 + n % 16 * 4 + i % 4];
                    whole = byte - 128;
                } else {
                    byte = w.values[group + i / 32 * 256 + i % 16 / 4 * 64 + n % 16 * 4 + i % 4];
                    int64_t step = w.steps[n / 16 * 48 + i / 32 * 16 + n % 16];
                    whole = i / 16 % 2 ? (byte / 16 - 8) * (step / 16) : (byte % 16 - 8) * (step % 16);
                }
                assert_int_equal(pg_quantized_whole(&w, n, i), whole);
            }
        float row[75];
        pg_quantized_widen(row, &w, 20, 0, 75);
        for (int64_t i = 0; i < 75; i++)
            assert_true(row[i] == (float)pg_quantized_whole(&w, 20, i) * pg_quantized_scale(&w, 20, i));
        float part[30];
        pg_quantized_widen(part, &w, 20, 41, 30);
        assert_memory_equal(part, row + 41, sizeof part);
        free_matrix(&w);
    }
}

/* ---------------------------------------------------------------- activations */

static void check_quantize(const pg_kernels *kernels, const float *x, int64_t count)
{
    int8_t values[256];
    float scale;
    int32_t zero8, zeros4[16], total = 0;
    kernels->quantize(values, &scale, &zero8, zeros4, x, count);
    for (int64_t i = 0; i < count; i++) {
        assert_in_range(values[i] + 127, 0, 254);
        if (!(fabs((double)values[i] * scale - x[i]) <= (0.5 + 1e-4) * scale))
            fail_msg("%s quantize, value %lld: %d * %g for %g", kernels->name, (long long)i, values[i], scale, x[i]);
    }
    for (int64_t j = 0; j < count / 16; j++) {
        int32_t sum = 0;
        for (int64_t i = 16 * j; i < 16 * (j + 1); i++)
            sum += values[i];
        assert_int_equal(zeros4[j], -8 * sum);
        total += sum;
    }
    assert_int_equal(zero8, -128 * total);
}

static void activations_become_bytes(void **state)
{
    (void)state;
    float x[257];
    for (int t = 0; pg_kernels_at(t); t++)
        for (int64_t count = 32; count <= 256; count += 32) {
            for (int64_t i = 0; i < 257; i++)
                x[i] = draw();
            check_quantize(pg_kernels_at(t), x + 1, count);
        }
}

static void activations_that_are_zero_or_not_finite(void **state)
{
    (void)state;
    float x[32], scale;
    int8_t values[32];
    int32_t zero8, zeros4[2];
    for (int t = 0; pg_kernels_at(t); t++) {
        const float tops[] = {0, 1e-40f, INFINITY, -INFINITY, NAN};
        for (int k = 0; k < 5; k++) {
            memset(x, 0, sizeof x);
            x[17] = tops[k];
            pg_kernels_at(t)->quantize(values, &scale, &zero8, zeros4, x, 32);
            assert_true(k < 2 ? scale == 0 : isnan(scale));
            for (int i = 0; i < 32; i++)
                assert_int_equal(values[i], 0);
            assert_true(zero8 == 0 && zeros4[0] == 0 && zeros4[1] == 0);
        }
    }
}

/* ---------------------------------------------------------------- products */

/* Rows of random bytes. */
static pg_integer_rows random_rows(const pg_quantized *w, int64_t rows)
{
    int64_t inputs = pg_quantized_padded(w->inputs), blocks = pg_quantized_blocks(w->inputs, w->block);
    pg_integer_rows x = {rows,
                         inputs,
                         w->block,
                         allocate(rows * inputs),
                         allocate(rows * blocks * 4),
                         allocate(rows * blocks * 4),
                         allocate(rows * inputs / 16 * 4)};
    for (int64_t i = 0; i < rows * inputs; i++) {
        x.values[i] = (int8_t)((int64_t)(draw_bits() % 255) - 127);
        x.zeros4[i / 16] -= 8 * x.values[i];
    }
    for (int64_t b = 0, at = 0; b < blocks; b++)
        for (int64_t r = 0; r < rows; r++) {
            int64_t count = b + 1 < blocks ? w->block : inputs - b * w->block;
            x.scales[b * rows + r] = 0.01f + (float)pg_random_uniform(14, 0, drawn++);
            for (int64_t i = 0; i < count; i++)
                x.zeros8[b * rows + r] -= 128 * x.values[at++];
        }
    return x;
}

static void free_rows(pg_integer_rows *x)
{
    pg_free(x->values);
    pg_free(x->scales);
    pg_free(x->zeros8);
    pg_free(x->zeros4);
}

/* Row r of x times row n of w, and the sum of the blocks' sizes. */
static double exact_product(double *size, const pg_quantized *w, int64_t n, const pg_integer_rows *x, int64_t r)
{
    double sum = 0;
    *size = 0;
    for (int64_t b = 0; b < pg_quantized_blocks(w->inputs, w->block); b++) {
        int64_t first = b * w->block, count = x->inputs - first < w->block ? x->inputs - first : w->block, whole = 0;
        for (int64_t i = 0; i < count; i++)
            whole += pg_quantized_whole(w, n, first + i) * x->values[first * x->rows + r * count + i];
        double term = (double)whole * pg_quantized_scale(w, n, first) * x->scales[b * x->rows + r];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_product(const pg_kernels *kernels, int bits, int64_t rows, int64_t outputs, int64_t inputs,
                          int64_t block)
{
    pg_quantized w = random_matrix(bits, outputs, inputs, block);
    pg_integer_rows x = random_rows(&w, rows);
    float *sums = allocate(rows * PG_INTEGER_OUTPUTS * 4);
    uint8_t *scratch = allocate(PG_INTEGER_SCRATCH);
    int64_t groups = pg_quantized_groups(outputs), blocks = pg_quantized_blocks(inputs, block);
    for (int64_t group = 0; group < groups; group += PG_INTEGER_GROUPS) {
        int64_t part = groups - group < PG_INTEGER_GROUPS ? groups - group : PG_INTEGER_GROUPS;
        memset(sums, 0, (size_t)(rows * PG_INTEGER_OUTPUTS * 4));
        kernels->integer_product(sums, &w, group, part, &x, scratch);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t n = 0; n < part * 16; n++) {
                double size, found = sums[r * PG_INTEGER_OUTPUTS + n];
                double expected = exact_product(&size, &w, group * 16 + n, &x, r);
                if (!(fabs(found - expected) <= size * EPSILON * (double)(blocks + 4)))
                    fail_msg("%s, %d bits, [%lld, %lld] in blocks of %lld, row %lld, output %lld: %.9g, expected %.9g",
                             kernels->name, bits, (long long)outputs, (long long)inputs, (long long)block, (long long)r,
                             (long long)(group * 16 + n), found, expected);
            }
    }
    free_matrix(&w);
    free_rows(&x);
    pg_free(sums);
    pg_free(scratch);
}

static void products_of_all_sizes(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {{1, 1, 1},   {1, 64, 256}, {2, 17, 33},    {3, 80, 300},  {4, 40, 64},   {5, 128, 31},
                                {6, 16, 96}, {7, 65, 97},  {13, 100, 512}, {23, 70, 600}, {16, 64, 300}, {45, 90, 320}};
    const int64_t blocks[] = {32, 64, 128, 256};
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int b = 0; b < 4; b++)
                for (int bits = 4; bits <= 8; bits += 4)
                    check_product(pg_kernels_at(t), bits, sizes[s][0], sizes[s][1], sizes[s][2], blocks[b]);
}

/* The largest sums that there can be: nothing may saturate or overflow. */
static void products_of_the_largest_values(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int k = 0; k < 16; k++) {
            int bits = k & 1 ? 4 : 8, rows = k & 2 ? 1 : 17;
            pg_quantized w = random_matrix(bits, 64, 512, 256);
            pg_integer_rows x = random_rows(&w, rows);
            memset((void *)w.values, k & 4 ? 255 : 0, (size_t)(4 * pg_quantized_group_bytes(&w)));
            if (bits == 4)
                memset((void *)w.steps, 255, (size_t)(4 * pg_quantized_step_bytes(&w)));
            int8_t value = k & 8 ? 127 : -127;
            memset(x.values, value, (size_t)(rows * 512));
            for (int i = 0; i < rows * 2; i++)
                x.zeros8[i] = -128 * 256 * value;
            for (int i = 0; i < rows * 32; i++)
                x.zeros4[i] = -8 * 16 * value;
            float sums[17 * PG_INTEGER_OUTPUTS] = {0};
            uint8_t *scratch = allocate(PG_INTEGER_SCRATCH);
            pg_kernels_at(t)->integer_product(sums, &w, 0, 4, &x, scratch);
            for (int r = 0; r < rows; r++)
                for (int n = 0; n < 64; n++) {
                    double size, expected = exact_product(&size, &w, n, &x, r);
                    assert_true(fabs(sums[r * PG_INTEGER_OUTPUTS + n] - expected) <= size * EPSILON * 6);
                }
            pg_free(scratch);
            free_matrix(&w);
            free_rows(&x);
        }
}

/* All of pg_matmul_integer against the product of the widened weights: at most half a step of x away for each input.
 * Each row again on its own, and with other numbers of threads: the same bits. */
static void check_matmul(const pg_kernels *kernels, int bits, int64_t rows, int64_t outputs, int64_t inputs, bool bias)
{
    pg_quantized w = random_matrix(bits, outputs, inputs, 64);
    float *x = allocate(rows * inputs * 4), *b = allocate(outputs * 4), *wide = allocate(inputs * 4);
    float *out = allocate(rows * outputs * 4), *alone = allocate(outputs * 4);
    for (int64_t i = 0; i < rows * inputs; i++)
        x[i] = draw();
    for (int64_t i = 0; i < outputs; i++)
        b[i] = draw();
    pg_integer_matmul job = {out, x, rows, &w, bias ? b : NULL};
    void *scratch = allocate((int64_t)pg_integer_scratch(3, &job));
    pg_matmul_integer(kernels, 3, &job, scratch);
    for (int64_t n = 0; n < outputs; n++) {
        pg_quantized_widen(wide, &w, n, 0, inputs);
        for (int64_t r = 0; r < rows; r++) {
            double sum = bias ? b[n] : 0, slack = 1e-4;
            for (int64_t i = 0; i < inputs; i++) {
                sum += (double)wide[i] * x[r * inputs + i];
                slack += fabs(wide[i]) * 80 / 127 / 2;
            }
            assert_true(fabs(out[r * outputs + n] - sum) <= slack);
        }
    }
    job.out = alone;
    job.rows = 1;
    for (int64_t r = 0; r<rows; r += rows> 40 ? 37 : 1) {
        job.x = x + r * inputs;
        pg_matmul_integer(kernels, 1 + (int)(r % 2), &job, scratch);
        assert_memory_equal(alone, out + r * outputs, (size_t)outputs * sizeof *alone);
    }
    free_matrix(&w);
    pg_free(x);
    pg_free(b);
    pg_free(wide);
    pg_free(out);
    pg_free(alone);
    pg_free(scratch);
}

static void rows_stand_alone(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int bits = 4; bits <= 8; bits += 4) {
            check_matmul(pg_kernels_at(t), bits, 23, 135, 200, true);
            check_matmul(pg_kernels_at(t), bits, 5, 16, 96, false);
            check_matmul(pg_kernels_at(t), bits, 600, 18, 35, true); /* more than one chunk */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lie_where_the_layout_says),        cmocka_unit_test(activations_become_bytes),
        cmocka_unit_test(activations_that_are_zero_or_not_finite), cmocka_unit_test(products_of_all_sizes),
        cmocka_unit_test(products_of_the_largest_values),          cmocka_unit_test(rows_stand_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

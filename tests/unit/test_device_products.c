/* Linear layers and their way back against plain sums in double precision, for every way in which weights are stored,
 * on the device that PG_TEST_DEVICE names, or on the host. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/linear.h"
#include "ops/rows.h"

/* In bf16, quantised factors may be rounded or be whole numbers that are scaled later, and the host rounds those of
 * generated tokens where that is faster. */
#define TOLERANCE        1e-5
#define EITHER_TOLERANCE (1 / 128.0)

static pg_device *device;

static double draw(void)
{
    static uint64_t drawn;
    return (float)(pg_random_uniform(7, 0, drawn++) * 2 - 1);
}

static float *random_floats(pg_context *g, int64_t count)
{
    float *values = pg_scratch(g, (size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)draw();
    return values;
}

static float rounded(const pg_context *g, float value)
{
    return g->compute == PG_COMPUTE_BF16 ? pg_bf16_to_float(pg_bf16_from_float(value)) : value;
}

static pg_context context(pg_compute compute)
{
    pg_context g = {.kernels = pg_kernels_best(), .threads = 2, .compute = compute};
    pg_context_on(&g, device);
    return g;
}

/* ---------------------------------------------------------------- weights */

typedef struct weight {
    const char *name;
    pg_dtype dtype;
    int bits;
    int64_t block;
} weight;

static const weight weights[] = {{"f32", PG_F32, 0, 0}, {"bf16", PG_BF16, 0, 0}, {"f16", PG_F16, 0, 0},
                                 {"8 bits", 0, 8, 32},  {"8 bits", 0, 8, 128},   {"4 bits", 0, 4, 32},
                                 {"4 bits", 0, 4, 256}};
#define WEIGHTS (sizeof weights / sizeof *weights)

static pg_parameter float_weight(pg_context *g, pg_dtype dtype, int64_t rows, int64_t width, float *values)
{
    const float *drawn = random_floats(g, rows * width);
    size_t bytes = (size_t)(rows * width) * pg_dtype_size(dtype);
    char *stored = pg_scratch(g, bytes);
    assert_non_null(stored);
    g->kernels->narrow(stored, dtype, drawn, rows * width);
    g->kernels->widen(values, stored, dtype, rows * width);
    for (int64_t i = 0; i < rows * width; i++)
        values[i] = rounded(g, values[i]);
    return (pg_parameter){
        .name = "w", .dtype = dtype, .rows = rows, .width = width, .data = pg_to_device(g, stored, bytes)};
}

static pg_parameter quantized_weight(pg_context *g, const weight *kind, int64_t rows, int64_t width, float *values)
{
    pg_quantized w = {.bits = kind->bits, .rows = rows, .inputs = width, .block = kind->block};
    size_t bytes = (size_t)(pg_quantized_groups(rows) * pg_quantized_group_bytes(&w));
    size_t step_bytes = (size_t)(pg_quantized_groups(rows) * pg_quantized_step_bytes(&w));
    size_t scales = (size_t)(pg_quantized_groups(rows) * pg_quantized_blocks(width, kind->block)) * PG_QUANTIZED_ROWS;
    uint8_t *bits = pg_scratch(g, bytes + step_bytes);
    uint16_t *scale = pg_scratch(g, scales * sizeof *scale);
    assert_true(bits && scale);
    for (size_t i = 0; i < bytes + step_bytes; i++)
        bits[i] = (uint8_t)(128 + 128 * draw());
    for (size_t i = 0; i < scales; i++)
        scale[i] = pg_bf16_from_float((float)(0.01 + 0.005 * draw()));
    w.values = bits;
    w.steps = bits + bytes;
    w.scales = scale;
    for (int64_t r = 0; r < rows; r++)
        pg_quantized_widen(values + r * width, &w, r, 0, width);
    w.values = pg_to_device(g, w.values, bytes);
    w.steps = step_bytes ? pg_to_device(g, w.steps, step_bytes) : NULL;
    w.scales = pg_to_device(g, scale, scales * sizeof *scale);
    return (pg_parameter){.name = "w", .rows = rows, .width = width, .quantized = w};
}

/* `values` take what the layer multiplies with. */
static pg_parameter make_weight(pg_context *g, const weight *kind, int64_t rows, int64_t width, float *values)
{
    return kind->bits ? quantized_weight(g, kind, rows, width, values)
                      : float_weight(g, kind->dtype, rows, width, values);
}

static double tolerance_of(const pg_context *g, const weight *kind, bool is_single)
{
    bool either = kind->bits || (is_single && !g->device);
    return either && g->compute == PG_COMPUTE_BF16 ? EITHER_TOLERANCE : TOLERANCE;
}

/* ---------------------------------------------------------------- products */

static pg_tensor *on_device(pg_context *g, const float *values, int64_t rows, int64_t width)
{
    pg_tensor *x = pg_tensor_new(g, rows, width);
    assert_non_null(x);
    pg_values_upload(g->device, x->data, values, (size_t)(rows * width) * sizeof *values);
    return x;
}

static const float *on_host(pg_context *g, const float *values, int64_t count)
{
    const float *here = pg_to_host(g, values, (size_t)count * sizeof *here);
    assert_non_null(here);
    return here;
}

/* Value (r, c) is to be the sum of a[i] b[i] over `count`, whose steps are a_step and b_step, plus `more`. */
static void check_sum(const char *name, double found, const pg_context *g, const float *a, int64_t a_step,
                      const float *b, int64_t b_step, int64_t count, double more, double tolerance)
{
    double sum = more, size = fabs(more);
    for (int64_t i = 0; i < count; i++) {
        double term = (double)rounded(g, a[i * a_step]) * (double)b[i * b_step];
        sum += term;
        size += fabs(term);
    }
    if (!(fabs(found - sum) <= tolerance * size))
        fail_msg("%s, %s, %lld terms: %.9g, expected %.9g (terms %.3g)", name,
                 g->compute == PG_COMPUTE_BF16 ? "bf16" : "f32", (long long)count, found, sum, size);
}

static const int64_t sizes[][2] = {{1, 1}, {5, 7}, {17, 33}, {48, 64}, {33, 130}, {20, 2056}, {18, 4104}};

/* f32, or bf16 where the weight is; `values` take what is added. */
static pg_parameter make_bias(pg_context *g, const weight *kind, float *values, int64_t width)
{
    pg_dtype dtype = kind->dtype == PG_BF16 ? PG_BF16 : PG_F32;
    size_t bytes = (size_t)width * pg_dtype_size(dtype);
    char *stored = pg_scratch(g, bytes);
    assert_non_null(stored);
    g->kernels->narrow(stored, dtype, values, width);
    g->kernels->widen(values, stored, dtype, width);
    return (
        pg_parameter){.name = "b", .dtype = dtype, .rows = 1, .width = width, .data = pg_to_device(g, stored, bytes)};
}

static void check_product(pg_compute compute, const weight *kind, int64_t rows, int64_t single, const int64_t size[2],
                          bool with_bias)
{
    pg_context g = context(compute);
    int64_t outputs = size[0], inputs = size[1];
    float *w = random_floats(&g, outputs * inputs), *b = random_floats(&g, outputs);
    const float *x = random_floats(&g, rows * inputs);
    pg_parameter parameter = make_weight(&g, kind, outputs, inputs, w);
    pg_parameter bias = make_bias(&g, kind, b, outputs);
    pg_tensor *on = on_device(&g, x, rows, inputs);
    on->single = single;
    pg_tensor *product = pg_linear(&g, on, &parameter, with_bias ? &bias : NULL);
    assert_non_null(product);
    const float *out = on_host(&g, product->data, rows * outputs);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < outputs; n++)
            check_sum(kind->name, (double)out[r * outputs + n], &g, x + r * inputs, 1, w + n * inputs, 1, inputs,
                      with_bias ? (double)b[n] : 0, tolerance_of(&g, kind, r < single));
    pg_arena_free(&g.arena);
}

static void products(void **state)
{
    (void)state;
    for (size_t k = 0; k < WEIGHTS; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int compute = 0; compute < 2; compute++) {
                pg_compute how = compute ? PG_COMPUTE_BF16 : PG_COMPUTE_F32;
                check_product(how, &weights[k], 1, 1, sizes[s], true);
                check_product(how, &weights[k], 5, 0, sizes[s], false);
                check_product(how, &weights[k], 31, 19, sizes[s], s % 2);
            }
}

/* A generated token has the same bits alone, among others, and beside rows of prompts. */
static void single_rows(void **state)
{
    (void)state;
    const int64_t rows = 21, outputs = 35, companies[][2] = {{1, 1}, {2, 2}, {7, 7}, {8, 8}, {9, 9}, {21, 17}};
    for (size_t k = 0; k < WEIGHTS; k++)
        for (int compute = 0; compute < 2; compute++) {
            pg_context g = context(compute ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
            int64_t inputs = k % 2 ? 2100 : 264;
            float *values = random_floats(&g, outputs * inputs);
            pg_parameter w = make_weight(&g, &weights[k], outputs, inputs, values);
            pg_tensor *x = on_device(&g, random_floats(&g, rows * inputs), rows, inputs);
            x->single = rows;
            const float *all = on_host(&g, pg_linear(&g, x, &w, NULL)->data, rows * outputs);
            for (size_t c = 0; c < sizeof companies / sizeof *companies; c++) {
                pg_tensor some = pg_rows_view(x, 0, companies[c][0]);
                some.single = companies[c][1];
                const float *out = on_host(&g, pg_linear(&g, &some, &w, NULL)->data, some.rows * outputs);
                assert_memory_equal(out, all, (size_t)(some.single * outputs) * sizeof *out);
            }
            pg_arena_free(&g.arena);
        }
}

/* What layers side by side give is what each gives alone. */
static void check_together(pg_context *g, const pg_parameter *const *w, int count, int64_t rows, int64_t single)
{
    pg_tensor *x = on_device(g, random_floats(g, rows * w[0]->width), rows, w[0]->width), *out[3];
    x->single = single;
    pg_linears(g, out, (pg_tensor *const[]){x, x, x}, w, count);
    for (int i = 0; i < count; i++) {
        assert_non_null(out[i]);
        assert_int_equal(out[i]->single, single);
        const pg_tensor *alone = pg_linear(g, x, w[i], NULL);
        assert_memory_equal(on_host(g, out[i]->data, rows * w[i]->rows), on_host(g, alone->data, rows * w[i]->rows),
                            (size_t)(rows * w[i]->rows) * sizeof(float));
    }
}

/* The second weight has an addition of low rank; all of a kind, and one of another. */
static void together(void **state)
{
    (void)state;
    const int64_t outputs[] = {131, 16, 5}, companies[][2] = {{1, 1}, {2, 0}, {9, 9}, {21, 17}};
    for (size_t k = 0; k < WEIGHTS; k++)
        for (int compute = 0; compute < 2; compute++) {
            pg_context g = context(compute ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
            int64_t inputs = k % 2 ? 264 : 2120;
            pg_parameter w[5];
            for (int i = 0; i < 3; i++)
                w[i] = make_weight(&g, &weights[k], outputs[i], inputs, random_floats(&g, outputs[i] * inputs));
            w[3] = make_weight(&g, &weights[(k + 1) % WEIGHTS], 40, inputs, random_floats(&g, 40 * inputs));
            pg_lora lora = {.a = make_weight(&g, &weights[1], 4, inputs, random_floats(&g, 4 * inputs)),
                            .b = make_weight(&g, &weights[1], 16, 4, random_floats(&g, 64)),
                            .scale = 0.5};
            w[4] = w[1];
            w[4].lora = &lora;
            for (size_t c = 0; c < sizeof companies / sizeof *companies; c++) {
                check_together(&g, (const pg_parameter *const[]){&w[0], &w[1], &w[2]}, 3, companies[c][0],
                               companies[c][1]);
                check_together(&g, (const pg_parameter *const[]){&w[0], &w[4]}, 2, companies[c][0], companies[c][1]);
                check_together(&g, (const pg_parameter *const[]){&w[3], &w[2]}, 2, companies[c][0], companies[c][1]);
            }
            pg_arena_free(&g.arena);
        }
}

/* ---------------------------------------------------------------- the way back */

typedef struct back_case {
    const float *x, *dout, *w;
    int64_t rows, outputs, inputs;
} back_case;

/* dx = dout w, to which it was added if it was not fresh. */
static void check_dx(pg_context *g, const back_case *c, const pg_parameter *parameter, const weight *kind, bool fresh)
{
    const float *before = random_floats(g, c->rows * c->inputs);
    pg_tensor *x = on_device(g, c->x, c->rows, c->inputs), *dx = on_device(g, before, c->rows, c->inputs);
    pg_tensor *dout = on_device(g, c->dout, c->rows, c->outputs);
    pg_linear_back(g, dout->data, x, dx->data, fresh, parameter, NULL);
    const float *found = on_host(g, dx->data, c->rows * c->inputs);
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t i = 0; i < c->inputs; i++)
            check_sum(kind->name, (double)found[r * c->inputs + i], g, c->dout + r * c->outputs, 1, c->w + i, c->inputs,
                      c->outputs, fresh ? 0 : (double)before[r * c->inputs + i], tolerance_of(g, kind, false));
}

/* dw += dout^T x, db += the sums of dout's columns */
static void check_dw(pg_context *g, const back_case *c, pg_parameter *parameter, const weight *kind)
{
    float *before = random_floats(g, c->outputs * c->inputs), *rounded_x = random_floats(g, c->rows * c->inputs);
    for (int64_t i = 0; i < c->rows * c->inputs; i++)
        rounded_x[i] = rounded(g, c->x[i]);
    pg_parameter bias = {.name = "b", .dtype = PG_F32, .rows = 1, .width = c->outputs};
    bias.grad = on_device(g, before, 1, c->outputs)->data;
    parameter->grad = on_device(g, before, c->outputs, c->inputs)->data;
    const pg_tensor *x = on_device(g, c->x, c->rows, c->inputs), *dout = on_device(g, c->dout, c->rows, c->outputs);
    pg_linear_back(g, dout->data, x, NULL, false, parameter, &bias);
    const float *dw = on_host(g, parameter->grad, c->outputs * c->inputs);
    for (int64_t n = 0; n < c->outputs; n++)
        for (int64_t i = 0; i < c->inputs; i++)
            check_sum(kind->name, (double)dw[n * c->inputs + i], g, c->dout + n, c->outputs, rounded_x + i, c->inputs,
                      c->rows, (double)before[n * c->inputs + i], TOLERANCE);
    const float *db = on_host(g, bias.grad, c->outputs), one = 1;
    pg_context exact = {.compute = PG_COMPUTE_F32};
    for (int64_t n = 0; n < c->outputs; n++)
        check_sum("bias", (double)db[n], &exact, c->dout + n, c->outputs, &one, 0, c->rows, (double)before[n],
                  TOLERANCE);
}

static void ways_back(void **state)
{
    (void)state;
    for (size_t k = 0; k < WEIGHTS; k++)
        for (size_t s = 0; s < 5; s++)
            for (int compute = 0; compute < 2; compute++) {
                pg_context g = context(compute ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
                back_case c = {.rows = s == 3 ? 1300 : 13, .outputs = sizes[s][0], .inputs = sizes[s][1]};
                float *w = random_floats(&g, c.outputs * c.inputs);
                pg_parameter parameter = make_weight(&g, &weights[k], c.outputs, c.inputs, w);
                c.w = w;
                c.x = random_floats(&g, c.rows * c.inputs);
                c.dout = random_floats(&g, c.rows * c.outputs);
                check_dx(&g, &c, &parameter, &weights[k], true);
                check_dx(&g, &c, &parameter, &weights[k], false);
                if (!weights[k].bits)
                    check_dw(&g, &c, &parameter, &weights[k]);
                pg_arena_free(&g.arena);
            }
}

/* ---------------------------------------------------------------- some outputs */

/* Among generated tokens a chosen output has the bits that it has among all. */
static void some_outputs(void **state)
{
    (void)state;
    const int32_t wanted[] = {0, 1, 17, 18, 40, 63, 66};
    const int64_t rows = 3, outputs = 67, inputs = 2080, count = sizeof wanted / sizeof *wanted;
    for (size_t k = 0; k < WEIGHTS; k++)
        for (int compute = 0; compute < 2; compute++) {
            pg_context g = context(compute ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
            float *values = random_floats(&g, outputs * inputs);
            pg_parameter w = make_weight(&g, &weights[k], outputs, inputs, values);
            pg_tensor *x = on_device(&g, random_floats(&g, rows * inputs), rows, inputs);
            x->single = rows;
            const float *all = on_host(&g, pg_linear(&g, x, &w, NULL)->data, rows * outputs);
            const float *some = on_host(&g, pg_linear_rows(&g, x, &w, wanted, count)->data, rows * count);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < count; i++)
                    assert_memory_equal(&some[r * count + i], &all[r * outputs + wanted[i]], sizeof *some);
            pg_arena_free(&g.arena);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),  cmocka_unit_test(single_rows),  cmocka_unit_test(together),
        cmocka_unit_test(ways_back), cmocka_unit_test(some_outputs),
    };
    if (pg_device_open(&device, getenv("PG_TEST_DEVICE")) != PG_OK) {
        fprintf(stderr, "%s\n", pg_error_last());
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_device_close(device);
    return failed;
}

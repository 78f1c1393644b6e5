/* Every table of kernels that this CPU has, against plain arithmetic in double: lengths around the vector width,
 * pointers that are aligned to their element only. Tolerances follow from the sums' own sizes: n terms, each rounded to
 * 2^-24 of what is summed. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/matmul.h"

#define EPSILON 0x1p-24

static const int64_t lengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 257};
#define LENGTHS ((int)(sizeof lengths / sizeof *lengths))

static uint64_t drawn;

static float draw(void)
{
    return (float)(pg_random_uniform(7, 0, drawn++) * 4 - 2);
}

/* `count` random floats that start one float past an aligned address. */
static float *draw_many(int64_t count)
{
    float *memory = pg_alloc((size_t)count + 1, sizeof *memory);
    assert_non_null(memory);
    for (int64_t i = 0; i <= count; i++)
        memory[i] = draw();
    return memory + 1;
}

static void drop(float *memory)
{
    pg_free(memory - 1);
}

static void compare(const char *what, const pg_kernels *kernels, int64_t at, double found, double expected,
                    double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s %s, cell %lld: %.9g, expected %.9g within %.2g", kernels->name, what, (long long)at, found,
                 expected, tolerance);
}

/* Floats as a file would store them; the floats become what is stored. */
static void *store_as(pg_dtype dtype, float *floats, int64_t count)
{
    void *stored = pg_alloc((size_t)count, sizeof *floats);
    pg_kernels_at(0)->narrow(stored, dtype, floats, count);
    pg_kernels_at(0)->widen(floats, stored, dtype, count);
    return stored;
}

/* Bytes of a row of keys of that size, and rows of them as a cache has them; the floats become what is stored. */
static size_t key_bytes(pg_dtype dtype, int64_t size)
{
    return (size_t)size * pg_dtype_size(dtype) + (dtype == PG_I8 ? sizeof(float) : 0);
}

static void *store_keys(pg_dtype dtype, float *floats, int64_t rows, int64_t size)
{
    char *stored = pg_alloc((size_t)rows, key_bytes(dtype, size));
    for (int64_t r = 0; r < rows; r++) {
        char *row = stored + (size_t)r * key_bytes(dtype, size);
        pg_kernels_at(0)->narrow(row, dtype, floats + r * size, size);
        pg_kernels_at(0)->widen(floats + r * size, row, dtype, size);
    }
    return stored;
}

/* ---------------------------------------------------------------- conversion */

/* Scaled bytes are within half a step of what they were made of, a step being a 127th of the largest value, and
 * become the same floats with every table. */
static void check_scaled(const pg_kernels *kernels, int64_t n)
{
    float *x = draw_many(n), *back = draw_many(n), *plain = draw_many(n), top = 0;
    char *stored = pg_alloc((size_t)n + 5, 1);
    for (int64_t i = 0; i < n; i++)
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
    kernels->narrow(stored + 1, PG_I8, x, n);
    kernels->widen(back, stored + 1, PG_I8, n);
    pg_kernels_at(0)->widen(plain, stored + 1, PG_I8, n);
    for (int64_t i = 0; i < n; i++)
        compare("scaled bytes", kernels, i, back[i], x[i], top / 254 * (1 + 1e-4));
    assert_memory_equal(back, plain, (size_t)n * sizeof *back);
    memset(x, 0, (size_t)n * sizeof *x);
    kernels->narrow(stored + 1, PG_I8, x, n);
    kernels->widen(back, stored + 1, PG_I8, n);
    for (int64_t i = 0; i < n; i++)
        compare("zeros", kernels, i, back[i], 0, 0);
    const float strange[] = {NAN, INFINITY, -INFINITY};
    for (int s = 0; s < 3; s++) {
        x[n / 2] = strange[s];
        kernels->narrow(stored + 1, PG_I8, x, n);
        kernels->widen(back, stored + 1, PG_I8, n);
        assert_true(isnan(back[0]) && isnan(back[n - 1]));
    }
    pg_free(stored);
    drop(x);
    drop(back);
    drop(plain);
}

static void scaled_bytes_are_near(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int i = 0; i < LENGTHS; i++)
            check_scaled(pg_kernels_at(t), lengths[i]);
}

static void halves_convert_exactly(void **state)
{
    (void)state;
    const int64_t count = 65536;
    uint16_t *halves = pg_alloc((size_t)count, 2), *back = pg_alloc((size_t)count, 2);
    float *floats = pg_alloc((size_t)count, 4);
    const pg_dtype dtypes[] = {PG_F16, PG_BF16};
    for (int d = 0; d < 2; d++)
        for (int t = 0; pg_kernels_at(t); t++) {
            for (int64_t i = 0; i < count; i++)
                halves[i] = (uint16_t)i;
            pg_kernels_at(t)->widen(floats, halves, dtypes[d], count);
            pg_kernels_at(t)->narrow(back, dtypes[d], floats, count);
            for (int64_t i = 0; i < count; i++) {
                float expected = dtypes[d] == PG_F16 ? pg_f16_to_float(halves[i]) : pg_bf16_to_float(halves[i]);
                if (isnan(expected))
                    assert_true(isnan(floats[i]));
                else {
                    assert_memory_equal(&floats[i], &expected, 4);
                    assert_int_equal(back[i], halves[i]);
                }
            }
        }
    pg_free(halves);
    pg_free(back);
    pg_free(floats);
}

/* ---------------------------------------------------------------- products */

/* A product through all of pg_matmul: threads, blocks, tiles, tails. */
typedef struct product_case {
    int64_t rows, outputs, inputs;
    pg_dtype dtype;
    pg_panel_dtype panel;
    bool panels, bias;
} product_case;

static double rounded(float x, bool to_bf16)
{
    return to_bf16 ? pg_bf16_to_float(pg_bf16_from_float(x)) : x;
}

static void check_product(const pg_kernels *kernels, const product_case *c)
{
    float *x = draw_many(c->rows * c->inputs), *w = draw_many(c->outputs * c->inputs), *bias = draw_many(c->outputs);
    float *out = draw_many(c->rows * c->outputs);
    void *stored = store_as(c->dtype, w, c->outputs * c->inputs);
    pg_matmul job = {out, x, c->rows, c->outputs, c->inputs, stored, c->dtype, c->bias ? bias : NULL, c->panel};
    size_t bytes = pg_matmul_scratch(kernels, 2, &job);
    void *scratch = pg_alloc(1, bytes);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes); /* whatever was there before, as here NaN */
    if (c->panels)
        pg_matmul_panels(kernels, 2, &job, scratch);
    else
        pg_matmul_dots(kernels, 2, &job, scratch);
    bool narrow = c->panel == PG_PANEL_BF16 && (c->panels || pg_matmul_dots_scratch(kernels, &job));
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t n = 0; n < c->outputs; n++) {
            double sum = c->bias ? bias[n] : 0, size = fabs(sum);
            for (int64_t i = 0; i < c->inputs; i++) {
                double term = rounded(x[r * c->inputs + i], narrow) * rounded(w[n * c->inputs + i], narrow);
                sum += term;
                size += fabs(term);
            }
            compare("product", kernels, r * c->outputs + n, out[r * c->outputs + n], sum,
                    size * EPSILON * (double)(c->inputs + 2));
        }
    pg_free(scratch);
    pg_free(stored);
    drop(x);
    drop(w);
    drop(bias);
    drop(out);
}

static void products_of_all_sizes(void **state)
{
    (void)state;
    const pg_dtype dtypes[] = {PG_F32, PG_F16, PG_BF16};
    const int64_t sizes[][3] = {{1, 1, 1},    {1, 5, 3},   {2, 6, 17},    {3, 7, 64},    {16, 12, 33},
                                {17, 49, 40}, {63, 13, 8}, {65, 96, 5},   {5, 50, 1025}, {513, 7, 1030},
                                {4, 130, 20}, {7, 9, 600}, {40, 545, 70}, {97, 33, 96},  {260, 5, 5000}};
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int d = 0; d < 3; d++)
                for (int way = 0; way < 4; way++) {
                    product_case c = {sizes[s][0],
                                      sizes[s][1],
                                      sizes[s][2],
                                      dtypes[d],
                                      way % 2 ? PG_PANEL_BF16 : PG_PANEL_F32,
                                      way < 2,
                                      (s + (size_t)d) % 2 == 0};
                    check_product(pg_kernels_at(t), &c);
                }
}

/* A row's bits must not depend on its neighbours or on the number of threads. */
static void check_rows_alone(int64_t rows, int64_t outputs, int64_t inputs)
{
    float *x = draw_many(rows * inputs), *w = draw_many(outputs * inputs), *bias = draw_many(outputs);
    float *all = draw_many(rows * outputs), *one = draw_many(outputs);
    void *stored = store_as(PG_BF16, w, outputs * inputs);
    for (int t = 0; pg_kernels_at(t); t++)
        for (int way = 0; way < 4; way++) {
            const pg_kernels *kernels = pg_kernels_at(t);
            pg_matmul job = {all,     x,      rows,
                             outputs, inputs, stored,
                             PG_BF16, bias,   way % 2 ? PG_PANEL_BF16 : PG_PANEL_F32};
            void (*multiply)(const pg_kernels *, int, const pg_matmul *, void *) =
                way < 2 ? pg_matmul_panels : pg_matmul_dots;
            void *scratch = pg_alloc(1, pg_matmul_scratch(kernels, 4, &job) + pg_matmul_dots_scratch(kernels, &job));
            multiply(kernels, 3, &job, scratch);
            job.rows = 1;
            pg_free(scratch);
            scratch = pg_alloc(1, pg_matmul_scratch(kernels, 1, &job) + pg_matmul_dots_scratch(kernels, &job));
            for (int64_t r = 0; r < rows; r += 23) {
                job.x = x + r * inputs;
                job.out = one;
                multiply(kernels, 1, &job, scratch);
                assert_memory_equal(one, all + r * outputs, (size_t)outputs * sizeof *one);
            }
            pg_free(scratch);
        }
    pg_free(stored);
    drop(x);
    drop(w);
    drop(bias);
    drop(all);
    drop(one);
}

static void product_rows_stand_alone(void **state)
{
    (void)state;
    check_rows_alone(260, 20, 5130);
    check_rows_alone(530, 70, 130); /* from here on many have their weights packed */
    check_rows_alone(1100, 5, 1020);
}

/* ---------------------------------------------------------------- attention */

typedef struct attention_case {
    int64_t rows, group, size, past, prefix, cut; /* cut: where the second span begins */
    pg_dtype dtype;
    pg_panel_dtype panel;
} attention_case;

/* One lane in double; keys and values are [keys][size]. */
static void attend_exactly(double *out, const attention_case *c, const float *query, const float *keys,
                           const float *values, int64_t row)
{
    int64_t seen = c->past + row + 1 > c->prefix ? c->past + row + 1 : c->prefix;
    double total = 0;
    memset(out, 0, (size_t)c->size * sizeof *out);
    for (int64_t j = 0; j < seen; j++) {
        double score = 0;
        for (int64_t i = 0; i < c->size; i++)
            score += rounded(query[i] * (1 / sqrtf((float)c->size)), c->panel == PG_PANEL_BF16) *
                     rounded(keys[j * c->size + i], c->panel == PG_PANEL_BF16);
        double weight = exp(score);
        total += weight;
        for (int64_t i = 0; i < c->size; i++)
            out[i] += weight * values[j * c->size + i];
    }
    for (int64_t i = 0; i < c->size; i++)
        out[i] /= total;
}

static void check_attention(const pg_kernels *kernels, const attention_case *c)
{
    int64_t keys = c->past + c->rows, lanes = c->rows * c->group, stride = c->group * c->size;
    float *q = draw_many(lanes * c->size), *k = draw_many(keys * c->size), *v = draw_many(keys * c->size);
    float *out = draw_many(lanes * c->size);
    char *k_stored = store_keys(c->dtype, k, keys, c->size), *v_stored = store_keys(c->dtype, v, keys, c->size);
    float *scratch = pg_alloc(pg_attention_scratch(kernels, c->size), sizeof *scratch);
    size_t row_bytes = key_bytes(c->dtype, c->size);
    pg_key_span spans[] = {{k_stored, v_stored, c->cut},
                           {k_stored + (size_t)c->cut * row_bytes, v_stored + (size_t)c->cut * row_bytes,
                            keys - c->cut}};
    pg_attention_block block = {.queries = q,
                                .out = out,
                                .query_stride = stride,
                                .group = c->group,
                                .size = c->size,
                                .spans = spans,
                                .key_stride = (int64_t)(row_bytes / pg_dtype_size(c->dtype)),
                                .dtype = c->dtype,
                                .past = c->past,
                                .prefix = c->prefix,
                                .scale = 1 / sqrtf((float)c->size),
                                .panel = c->panel,
                                .scratch = scratch};
    const int64_t most = kernels->attention_panels * kernels->lanes;
    for (block.first = 0; block.first < lanes; block.first += most) {
        block.lanes = lanes - block.first < most ? lanes - block.first : most;
        kernels->attend(&block);
    }
    /* half a unit of the last place of bf16 for the weight, and for the value, all at most 1 */
    bool rounds = kernels->bf16_attention && c->panel == PG_PANEL_BF16;
    double expected[256], bound = rounds ? 0x1p-8 : 1e-5;
    for (int64_t l = 0; l < lanes; l++) {
        attend_exactly(expected, c, q + l * c->size, k, v, l / c->group);
        for (int64_t i = 0; i < c->size; i++)
            compare("attend", kernels, l * c->size + i, out[l * c->size + i], expected[i], bound);
    }
    drop(q);
    drop(k);
    drop(v);
    drop(out);
    pg_free(k_stored);
    pg_free(v_stored);
    pg_free(scratch);
}

static void attention_of_all_kinds(void **state)
{
    (void)state;
    const attention_case cases[] = {
        {1, 1, 1, 0, 0, 1, PG_F32, PG_PANEL_F32},         {5, 1, 16, 0, 0, 2, PG_F32, PG_PANEL_F32},
        {5, 1, 16, 0, 5, 5, PG_F32, PG_PANEL_F32},        {37, 3, 24, 0, 20, 11, PG_F32, PG_PANEL_F32},
        {1, 8, 64, 299, 260, 260, PG_F32, PG_PANEL_F32},  {1, 8, 72, 130, 0, 1, PG_BF16, PG_PANEL_F32},
        {100, 1, 72, 0, 100, 50, PG_F32, PG_PANEL_F32},   {200, 2, 20, 3, 50, 96, PG_BF16, PG_PANEL_F32},
        {97, 1, 256, 96, 0, 95, PG_F32, PG_PANEL_F32},    {100, 1, 72, 0, 100, 50, PG_F32, PG_PANEL_BF16},
        {200, 2, 20, 3, 50, 150, PG_BF16, PG_PANEL_BF16}, {33, 1, 7, 0, 33, 20, PG_BF16, PG_PANEL_BF16},
        {1, 8, 256, 299, 260, 260, PG_I8, PG_PANEL_F32},  {200, 2, 20, 3, 50, 96, PG_I8, PG_PANEL_F32},
        {100, 3, 18, 5, 60, 50, PG_I8, PG_PANEL_BF16},    {33, 1, 7, 0, 33, 20, PG_I8, PG_PANEL_BF16},
    };
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            check_attention(pg_kernels_at(t), &cases[i]);
}

/* ---------------------------------------------------------------- rows */

static double exact_gelu(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static void check_norms(const pg_kernels *kernels, int64_t n)
{
    float *x = draw_many(n), *w = draw_many(n), *b = draw_many(n), *out = draw_many(n);
    double mean = 0, squares = 0, variance = 0;
    for (int64_t i = 0; i < n; i++) {
        mean += x[i] / (double)n;
        squares += (double)x[i] * x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    kernels->rms_norm(out, x, w, n, 1e-6f);
    for (int64_t i = 0; i < n; i++)
        compare("rms_norm", kernels, i, out[i], x[i] / sqrt(squares + 1e-6) * (1.0 + w[i]), 1e-5);
    kernels->layer_norm(out, x, w, b, n, 1e-2f);
    for (int64_t i = 0; i < n; i++)
        compare("layer_norm", kernels, i, out[i], (x[i] - mean) / sqrt(variance + 1e-2) * w[i] + b[i], 1e-5);
    drop(x);
    drop(w);
    drop(b);
    drop(out);
}

static void check_elementwise(const pg_kernels *kernels, int64_t n)
{
    float *x = draw_many(n), *y = draw_many(n), *out = draw_many(n), top;
    kernels->gelu_times(out, x, y, n);
    for (int64_t i = 0; i < n; i++)
        compare("gelu_times", kernels, i, out[i], exact_gelu(x[i]) * y[i], 2e-6);
    kernels->add(out, x, y, n);
    for (int64_t i = 0; i < n; i++)
        compare("add", kernels, i, out[i], x[i] + y[i], 0);
    kernels->scale(out, x, 3, n);
    for (int64_t i = 0; i < n; i++)
        compare("scale", kernels, i, out[i], x[i] * 3, 0);
    kernels->rotate(out, x, y, y, n / 2 * 2);
    for (int64_t i = 0; i < n / 2; i++) {
        double a = x[i], b = x[n / 2 + i], c = y[i];
        compare("rotate", kernels, i, out[i], a * c - b * c, 2e-6);
        compare("rotate", kernels, n / 2 + i, out[n / 2 + i], b * c + a * c, 2e-6);
    }
    double sum = 0, largest = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        sum += exp(x[i]);
        largest = x[i] > largest ? x[i] : largest;
    }
    compare("log_sum_exp", kernels, n, kernels->log_sum_exp(x, n, &top), log(sum), 1e-6);
    compare("log_sum_exp's top", kernels, n, top, largest, 0);
    drop(x);
    drop(y);
    drop(out);
}

static void rows_of_all_lengths(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int i = 0; i < LENGTHS; i++) {
            check_norms(pg_kernels_at(t), lengths[i]);
            check_elementwise(pg_kernels_at(t), lengths[i]);
        }
}

static void gelu_over_its_whole_range(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (float x = -40; x < 40; x += 0.0137f) {
            float out;
            pg_kernels_at(t)->gelu(&out, &x, 1);
            compare("gelu", pg_kernels_at(t), (int64_t)(x * 100), out, exact_gelu(x), 1e-6 + fabs(x) * 4 * EPSILON);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_convert_exactly),    cmocka_unit_test(scaled_bytes_are_near),
        cmocka_unit_test(products_of_all_sizes),     cmocka_unit_test(product_rows_stand_alone),
        cmocka_unit_test(attention_of_all_kinds),    cmocka_unit_test(rows_of_all_lengths),
        cmocka_unit_test(gelu_over_its_whole_range),
    };
    printf("tables:");
    for (int t = 0; pg_kernels_at(t); t++)
        printf(" %s", pg_kernels_at(t)->name);
    printf("\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

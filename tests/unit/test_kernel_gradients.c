/* Every table's loops of backward passes against plain arithmetic in double: lengths around the vector width, pointers
 * that are aligned to their element only, results that are added to what is there. Tolerances follow from the sums: n
 * terms, each rounded to 2^-24 of the sizes that are summed. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/gradient.h"
#include "kernels/matmul_gradient.h"

#define EPSILON 0x1p-24

static const int64_t lengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 257};
#define LENGTHS ((int)(sizeof lengths / sizeof *lengths))

static uint64_t drawn;

/* `count` random floats that start one float past an aligned address. */
static float *draw_many(int64_t count)
{
    float *memory = pg_alloc((size_t)count + 1, sizeof *memory);
    assert_non_null(memory);
    for (int64_t i = 0; i <= count; i++)
        memory[i] = (float)(pg_random_uniform(17, 0, drawn++) * 4 - 2);
    return memory + 1;
}

static float *copy_many(const float *from, int64_t count)
{
    float *memory = draw_many(count);
    return memcpy(memory, from, (size_t)count * sizeof *memory);
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

/* ---------------------------------------------------------------- rows */

/* dx = f (h - x f^2 mean(h x)) with h = dy (1 + w): n terms in each sum, and what is there before. */
static void check_rms(const pg_kernels *kernels, int64_t n)
{
    float *x = draw_many(n), *w = draw_many(n), *dy = draw_many(n), *dx = draw_many(n), *before = copy_many(dx, n);
    double squares = 0, product = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)x[i] * x[i] / (double)n;
        product += dy[i] * (1.0 + w[i]) * x[i] / (double)n;
        size += fabs(dy[i] * (1.0 + w[i]) * x[i]) / (double)n;
    }
    double f = 1 / sqrt(squares + 1e-6);
    float factor;
    kernels->gradient->rms_norm(dx, &factor, dy, x, w, n, 1e-6f);
    double terms = EPSILON * (double)(n + 8);
    compare("rms_norm's factor", kernels, n, factor, f, f * terms);
    for (int64_t i = 0; i < n; i++) {
        double h = dy[i] * (1.0 + w[i]);
        compare("rms_norm", kernels, i, dx[i], before[i] + f * h - x[i] * f * f * f * product,
                terms * (fabs((double)before[i]) + f * fabs(h) + fabs((double)x[i]) * f * f * f * size * 4));
    }
    drop(x);
    drop(w);
    drop(dy);
    drop(dx);
    drop(before);
}

static void check_layer(const pg_kernels *kernels, int64_t n)
{
    float *x = draw_many(n), *w = draw_many(n), *dy = draw_many(n), *dx = draw_many(n), *before = copy_many(dx, n);
    const double epsilon = 1e-2, count = (double)n;
    double mean = 0, variance = 0, sum = 0, product = 0, size = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / count;
    for (int64_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean) / count;
    double f = 1 / sqrt(variance + epsilon);
    for (int64_t i = 0; i < n; i++) {
        sum += dy[i] * (double)w[i] / count;
        product += dy[i] * (double)w[i] * (x[i] - mean) * f / count;
        size += fabs(dy[i] * (double)w[i]) / count * (1 + 2 * f);
    }
    float found_mean, factor;
    kernels->gradient->layer_norm(dx, &found_mean, &factor, dy, x, w, n, (float)epsilon);
    double terms = EPSILON * (count + 8);
    compare("layer_norm's mean", kernels, n, found_mean, mean, 2 * terms);
    compare("layer_norm's factor", kernels, n, factor, f, f * f * f * 16 * terms);
    for (int64_t i = 0; i < n; i++) {
        double z = (x[i] - mean) * f, h = dy[i] * (double)w[i];
        compare("layer_norm", kernels, i, dx[i], before[i] + f * (h - sum - z * product),
                terms * (fabs((double)before[i]) + f * (fabs(h) + size * (1 + fabs(z))) * (1 + f * f) * 4));
    }
    drop(x);
    drop(w);
    drop(dy);
    drop(dx);
    drop(before);
}

static double exact_gelu(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double gelu_slope(double x)
{
    double c = sqrt(2 / M_PI), t = tanh(c * (x + 0.044715 * x * x * x));
    return (1 + t) / 2 + x / 2 * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}

static void check_elementwise(const pg_kernels *kernels, int64_t n)
{
    const pg_gradient_kernels *gradient = kernels->gradient;
    float *x = draw_many(n), *y = draw_many(n), *dout = draw_many(n), *out = draw_many(n), *other = draw_many(n);
    float *first = copy_many(out, n), *second = copy_many(other, n);
    gradient->gelu(out, dout, x, n);
    for (int64_t i = 0; i < n; i++)
        compare("gelu", kernels, i, out[i], first[i] + dout[i] * gelu_slope(x[i]), 4e-6);
    memcpy(out, first, (size_t)n * sizeof *out);
    gradient->gelu_times(out, other, dout, x, y, n);
    for (int64_t i = 0; i < n; i++) {
        compare("gelu_times, x", kernels, i, out[i], first[i] + dout[i] * y[i] * gelu_slope(x[i]), 8e-6);
        compare("gelu_times, y", kernels, i, other[i], second[i] + dout[i] * exact_gelu(x[i]), 4e-6);
    }
    memcpy(out, first, (size_t)n * sizeof *out);
    gradient->add_scaled(out, x, -1.7f, n);
    for (int64_t i = 0; i < n; i++)
        compare("add_scaled", kernels, i, out[i], first[i] + x[i] * (double)-1.7f, 16 * EPSILON);
    memcpy(out, first, (size_t)n * sizeof *out);
    gradient->add_product(out, x, y, 0.3f, n);
    for (int64_t i = 0; i < n; i++)
        compare("add_product", kernels, i, out[i], first[i] + (double)x[i] * y[i] * (double)0.3f, 16 * EPSILON);
    gradient->exp_shifted(out, x, 1.5f, -2, n);
    for (int64_t i = 0; i < n; i++)
        compare("exp_shifted", kernels, i, out[i], -2 * exp((double)x[i] - 1.5), 2 * exp(x[i] - 1.5) * 16 * EPSILON);
    float *all[] = {x, y, dout, out, other, first, second};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(all[i]);
}

static void rows_of_all_lengths(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int i = 0; i < LENGTHS; i++) {
            check_rms(pg_kernels_at(t), lengths[i]);
            check_layer(pg_kernels_at(t), lengths[i]);
            check_elementwise(pg_kernels_at(t), lengths[i]);
        }
}

/* Where gelu is steep, and where its derivative is 0 or 1. */
static void gelu_over_its_whole_range(void **state)
{
    (void)state;
    const float one = 1;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int i = -4000; i < 4000; i++) {
            float x = (float)i * 0.0101f, slope = 0;
            pg_kernels_at(t)->gradient->gelu(&slope, &one, &x, 1);
            compare("gelu", pg_kernels_at(t), i, slope, gelu_slope(x), 2e-6);
        }
}

/* Probabilities of logits far below the largest are zero, not noise. */
static void exponentials_of_far_values(void **state)
{
    (void)state;
    const float x[] = {-1e30f, -200, -104, -88, -20, 0, 1, 30, 80, -INFINITY};
    for (int t = 0; pg_kernels_at(t); t++) {
        float out[10];
        pg_kernels_at(t)->gradient->exp_shifted(out, x, 0.5f, 1, 10);
        for (int i = 0; i < 10; i++) {
            double expected = exp((double)x[i] - 0.5);
            compare("exp_shifted", pg_kernels_at(t), i, out[i], expected, expected * 16 * EPSILON + 1e-37);
        }
    }
}

/* ---------------------------------------------------------------- products */

typedef struct product_case {
    int64_t rows, inner, columns;
    bool transposed;
    pg_dtype dtype;
    pg_panel_dtype panel;
} product_case;

static double rounded(float x, bool to_bf16)
{
    return to_bf16 ? pg_bf16_to_float(pg_bf16_from_float(x)) : x;
}

/* Through all of pg_matmul_gradient: threads, steps along the inner dimension, chunks, ragged panels. */
static void check_product(const pg_kernels *kernels, const product_case *c)
{
    float *a = draw_many(c->rows * c->inner), *b = draw_many(c->inner * c->columns);
    float *out = draw_many(c->rows * c->columns + 1), *before = copy_many(out, c->rows * c->columns + 1);
    void *stored = pg_alloc((size_t)(c->inner * c->columns), sizeof *b);
    pg_kernels_at(0)->narrow(stored, c->dtype, b, c->inner * c->columns);
    pg_kernels_at(0)->widen(b, stored, c->dtype, c->inner * c->columns);
    pg_matmul_gradient job = {.out = out,
                              .a = a,
                              .a_transposed = c->transposed,
                              .b = stored,
                              .dtype = c->dtype,
                              .rows = c->rows,
                              .inner = c->inner,
                              .columns = c->columns,
                              .panel = c->panel};
    void *scratch = pg_alloc(1, pg_matmul_gradient_scratch(kernels, 2, &job));
    pg_matmul_gradient_run(kernels, 2, &job, scratch);
    bool narrow = c->panel == PG_PANEL_BF16;
    for (int64_t r = 0; r < c->rows; r++)
        for (int64_t n = 0; n < c->columns; n++) {
            int64_t at = r * c->columns + n;
            double sum = before[at], size = fabs(sum);
            for (int64_t i = 0; i < c->inner; i++) {
                float left = c->transposed ? a[i * c->rows + r] : a[r * c->inner + i];
                double term = rounded(left, narrow) * rounded(b[i * c->columns + n], narrow);
                sum += term;
                size += fabs(term);
            }
            compare("product", kernels, at, out[at], sum, size * EPSILON * (double)(c->inner + 4));
        }
    assert_true(out[c->rows * c->columns] == before[c->rows * c->columns]); /* nothing behind the end is touched */
    float *again = copy_many(before, c->rows * c->columns + 1);
    job.out = again;
    pg_free(scratch);
    scratch = pg_alloc(1, pg_matmul_gradient_scratch(kernels, 5, &job));
    pg_matmul_gradient_run(kernels, 5, &job, scratch);
    assert_memory_equal(again, out, (size_t)(c->rows * c->columns) * sizeof *out);
    pg_free(scratch);
    pg_free(stored);
    float *all[] = {a, b, out, before, again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(all[i]);
}

static void products_of_all_sizes(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {{1, 1, 1},     {1, 5, 3},     {2, 6, 17},     {3, 7, 64},    {16, 12, 33},
                                {17, 49, 40},  {63, 13, 8},   {65, 96, 5},    {5, 50, 1025}, {513, 7, 19},
                                {4, 1030, 70}, {70, 2049, 3}, {2, 1030, 2100}};
    const pg_dtype dtypes[] = {PG_F32, PG_F16, PG_BF16};
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int kind = 0; kind < 12; kind++) {
                product_case c = {sizes[i][0],   sizes[i][1],          sizes[i][2],
                                  kind % 2 == 1, dtypes[kind / 2 % 3], kind / 6 ? PG_PANEL_BF16 : PG_PANEL_F32};
                check_product(pg_kernels_at(t), &c);
            }
}

/* Panels hold what they are given, and zeros elsewhere. */
static void panels_are_packed(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++) {
        const pg_kernels *kernels = pg_kernels_at(t);
        int64_t lanes = kernels->lanes, k = 5, stride = lanes + 3;
        float *b = draw_many(k * stride), *panel = pg_alloc((size_t)((k + 1) * lanes), sizeof *panel);
        for (int64_t some = 1; some <= lanes; some += lanes / 3 + 1) {
            memset(panel, 0x55, (size_t)((k + 1) * lanes) * sizeof *panel);
            kernels->gradient->pack_columns(panel, PG_PANEL_F32, b, PG_F32, stride, some, k);
            for (int64_t i = 0; i < k * lanes; i++)
                assert_true(panel[i] == (i % lanes < some ? b[i / lanes * stride + i % lanes] : 0));
            memset(panel, 0x55, (size_t)((k + 1) * lanes) * sizeof *panel);
            kernels->gradient->pack_columns(panel, PG_PANEL_BF16, b, PG_F32, stride, some, k);
            for (int64_t i = 0; i < (k + 1) * lanes; i++) {
                int64_t row = i / (2 * lanes) * 2 + i % 2, lane = i % (2 * lanes) / 2;
                uint16_t expected = row < k && lane < some ? pg_bf16_from_float(b[row * stride + lane]) : 0;
                assert_int_equal(((uint16_t *)(void *)panel)[i], expected);
            }
        }
        drop(b);
        pg_free(panel);
    }
}

/* ---------------------------------------------------------------- attention */

/* rows * group lanes over past + rows keys, of which `cut` are in a first span. */
typedef struct attention_case {
    int64_t rows, group, size, past, prefix, cut;
} attention_case;

typedef struct attention_data {
    int64_t lanes, keys;
    float *q, *k, *v, *dout, *dq, *dk, *dv, *log_sums, *shares;
    float *dq_before, *dk_before, *dv_before;
    double *weights, *dscores, *doubts; /* [lanes][keys]; doubts: how wrong a dscore may be, in units of EPSILON */
} attention_data;

static double dot(double *size, const float *x, const float *y, int64_t n)
{
    double sum = 0;
    *size = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * y[i];
        *size += fabs((double)x[i] * y[i]);
    }
    return sum;
}

static int64_t keys_seen(const attention_case *c, int64_t lane)
{
    int64_t causal = c->past + lane / c->group + 1;
    return causal > c->prefix ? causal : c->prefix;
}

/* Softmax weights of one lane, what the forward pass leaves of them, and the scores' derivatives. */
static void attend_exactly(attention_data *d, const attention_case *c, int64_t lane)
{
    const float *q = d->q + lane * c->size, *dout = d->dout + lane * c->size;
    double scale = 1 / sqrt((double)c->size), total = 0, share = 0, size, share_size = 0, score_size = 0;
    double *weights = d->weights + lane * d->keys, *dscores = d->dscores + lane * d->keys;
    for (int64_t j = 0; j < keys_seen(c, lane); j++) {
        total += weights[j] = exp(scale * dot(&size, q, d->k + j * c->size, c->size));
        score_size = fmax(score_size, scale * size);
    }
    for (int64_t j = 0; j < keys_seen(c, lane); j++) {
        weights[j] /= total;
        share += weights[j] * dot(&size, dout, d->v + j * c->size, c->size);
        share_size += weights[j] * size;
    }
    d->log_sums[lane] = (float)log(total);
    d->shares[lane] = (float)share;
    for (int64_t j = 0; j < keys_seen(c, lane); j++) {
        double value = dot(&size, dout, d->v + j * c->size, c->size);
        dscores[j] = weights[j] * (value - share) * scale;
        d->doubts[lane * d->keys + j] = weights[j] * scale * (size + share_size) * (1 + score_size + fabs(log(total)));
    }
}

static attention_data prepare(const attention_case *c)
{
    attention_data d = {.lanes = c->rows * c->group, .keys = c->past + c->rows};
    int64_t queries = d.lanes * c->size, keys = d.keys * c->size;
    d.q = draw_many(queries);
    d.dout = draw_many(queries);
    d.dq = draw_many(queries);
    d.k = draw_many(keys);
    d.v = draw_many(keys);
    d.dk = draw_many(keys);
    d.dv = draw_many(keys);
    d.dq_before = copy_many(d.dq, queries);
    d.dk_before = copy_many(d.dk, keys);
    d.dv_before = copy_many(d.dv, keys);
    d.log_sums = draw_many(d.lanes);
    d.shares = draw_many(d.lanes);
    d.weights = pg_alloc((size_t)(d.lanes * d.keys), sizeof(double));
    d.dscores = pg_alloc((size_t)(d.lanes * d.keys), sizeof(double));
    d.doubts = pg_alloc((size_t)(d.lanes * d.keys), sizeof(double));
    for (int64_t lane = 0; lane < d.lanes; lane++)
        attend_exactly(&d, c, lane);
    return d;
}

static void free_data(attention_data *d)
{
    float *all[] = {d->q,  d->k,         d->v,         d->dout,      d->dq,       d->dk,
                    d->dv, d->dq_before, d->dk_before, d->dv_before, d->log_sums, d->shares};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(all[i]);
    pg_free(d->weights);
    pg_free(d->dscores);
    pg_free(d->doubts);
}

static void run_blocks(const pg_kernels *kernels, const attention_case *c, attention_data *d)
{
    pg_gradient_span spans[] = {{d->k, d->v, d->dk, d->dv, c->cut},
                                {d->k + c->cut * c->size, d->v + c->cut * c->size, d->dk + c->cut * c->size,
                                 d->dv + c->cut * c->size, d->keys - c->cut}};
    pg_attention_gradient block = {.queries = d->q,
                                   .dout = d->dout,
                                   .dqueries = d->dq,
                                   .log_sums = d->log_sums,
                                   .shares = d->shares,
                                   .query_stride = c->group * c->size,
                                   .sum_stride = c->group,
                                   .rows = c->rows,
                                   .group = c->group,
                                   .size = c->size,
                                   .spans = spans,
                                   .key_stride = c->size,
                                   .past = c->past,
                                   .prefix = c->prefix,
                                   .scale = 1 / sqrtf((float)c->size)};
    block.scratch = pg_alloc(pg_attention_gradient_scratch(kernels, c->size), sizeof(float));
    for (block.first = 0; block.first < d->lanes; block.first += kernels->lanes) {
        block.lanes = d->lanes - block.first < kernels->lanes ? d->lanes - block.first : kernels->lanes;
        kernels->gradient->attend_queries(&block);
    }
    for (block.first = 0; block.first < d->keys; block.first += kernels->lanes) {
        block.lanes = d->keys - block.first < kernels->lanes ? d->keys - block.first : kernels->lanes;
        kernels->gradient->attend_keys(&block);
    }
    pg_free(block.scratch);
}

static void check_queries(const pg_kernels *kernels, const attention_case *c, const attention_data *d)
{
    double terms = EPSILON * (double)(c->size + d->keys + 16);
    for (int64_t at = 0; at < d->lanes * c->size; at++) {
        int64_t lane = at / c->size, i = at % c->size;
        double sum = d->dq_before[at], doubt = fabs(sum);
        for (int64_t j = 0; j < keys_seen(c, lane); j++) {
            sum += d->dscores[lane * d->keys + j] * d->k[j * c->size + i];
            doubt += d->doubts[lane * d->keys + j] * fabsf(d->k[j * c->size + i]);
        }
        compare("attend_queries", kernels, at, d->dq[at], sum, terms * doubt);
    }
}

static void check_keys(const pg_kernels *kernels, const attention_case *c, const attention_data *d)
{
    double terms = EPSILON * (double)(c->size + d->lanes + 16);
    for (int64_t at = 0; at < d->keys * c->size; at++) {
        int64_t j = at / c->size, i = at % c->size;
        double dk = d->dk_before[at], dk_doubt = fabs(dk), dv = d->dv_before[at], dv_doubt = fabs(dv);
        for (int64_t lane = 0; lane < d->lanes; lane++) {
            int64_t pair = lane * d->keys + j;
            double weighed = d->weights[pair] * d->dout[lane * c->size + i];
            dk += d->dscores[pair] * d->q[lane * c->size + i];
            dk_doubt += d->doubts[pair] * fabsf(d->q[lane * c->size + i]);
            dv += weighed;
            dv_doubt += fabs(weighed) * (16 + fabsf(d->log_sums[lane])); /* 16: scores of sizes that occur here */
        }
        compare("attend_keys, keys", kernels, at, d->dk[at], dk, terms * dk_doubt);
        compare("attend_keys, values", kernels, at, d->dv[at], dv, terms * dv_doubt);
    }
}

static void attention_of_all_kinds(void **state)
{
    (void)state;
    const attention_case cases[] = {{1, 1, 1, 0, 0, 1},       {5, 1, 16, 0, 0, 2},       {5, 1, 16, 0, 5, 5},
                                    {37, 3, 24, 0, 20, 11},   {1, 8, 64, 299, 260, 260}, {1, 8, 72, 130, 0, 1},
                                    {100, 1, 72, 0, 100, 50}, {200, 2, 20, 3, 50, 96},   {97, 1, 256, 96, 0, 95},
                                    {33, 1, 7, 0, 33, 20}};
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            attention_data d = prepare(&cases[i]);
            run_blocks(pg_kernels_at(t), &cases[i], &d);
            check_queries(pg_kernels_at(t), &cases[i], &d);
            check_keys(pg_kernels_at(t), &cases[i], &d);
            free_data(&d);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_all_lengths),        cmocka_unit_test(gelu_over_its_whole_range),
        cmocka_unit_test(exponentials_of_far_values), cmocka_unit_test(products_of_all_sizes),
        cmocka_unit_test(panels_are_packed),          cmocka_unit_test(attention_of_all_kinds),
    };
    printf("tables:");
    for (int t = 0; pg_kernels_at(t); t++)
        printf(" %s", pg_kernels_at(t)->name);
    printf("\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

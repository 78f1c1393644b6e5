/* Rounding with compensation against GPTQ as its paper says it, in double precision; and the moments that it is made
 * from. */
#include "check.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "model/feedback.h"
#include "ops/ops.h"

#define ROWS   PG_QUANTIZED_ROWS
#define INPUTS 75
#define TOKENS 150

static uint64_t drawn;

static double draw(void)
{
    return pg_random_uniform(21, 0, drawn++) * 2 - 1;
}

static pg_context new_context(int threads)
{
    return (pg_context){.kernels = pg_kernels_best(), .threads = threads};
}

/* Activations whose inputs depend on each other, some of them large. */
static void fill_activations(float *x, int64_t tokens, int64_t inputs)
{
    for (int64_t t = 0; t < tokens; t++) {
        double common = draw();
        for (int64_t i = 0; i < inputs; i++)
            x[t * inputs + i] = (float)((common * (double)(i % 5) + draw()) * (i % 11 ? 1 : 6));
    }
}

static double moment(const float *x, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t t = 0; t < TOKENS; t++)
        sum += (double)x[t * INPUTS + i] * (double)x[t * INPUTS + j];
    return sum;
}

/* The feedback of these activations, collected in two parts. */
static void collect(pg_feedback *out, float *x, int64_t window, int threads)
{
    pg_context g = new_context(threads);
    pg_tensor first = {.dtype = PG_F32, .rows = 40, .width = INPUTS, .data = x};
    pg_tensor second = {.dtype = PG_F32, .rows = TOKENS - 40, .width = INPUTS, .data = x + 40 * INPUTS};
    CHECK_OK(pg_feedback_init(out, INPUTS, window));
    for (int64_t k = 0; k < pg_feedback_windows(INPUTS, out->window); k++) {
        pg_add_moments(&g, out->factors[k], &first, k * out->window, pg_feedback_count(out, k));
        pg_add_moments(&g, out->factors[k], &second, k * out->window, pg_feedback_count(out, k));
    }
    CHECK_OK(g.status);
    pg_arena_free(&g.arena);
}

static void moments_are_sums_of_products(void **state)
{
    (void)state;
    static float x[TOKENS * INPUTS];
    pg_feedback one, three;
    fill_activations(x, TOKENS, INPUTS);
    collect(&one, x, 32, 1);
    collect(&three, x, 32, 3);
    for (int64_t k = 0; k < 3; k++) {
        int64_t n = pg_feedback_count(&one, k), first = k * 32;
        assert_int_equal(n, k < 2 ? 32 : 11);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) {
                double size = sqrt(moment(x, first + i, first + i) * moment(x, first + j, first + j));
                assert_true(fabs(one.factors[k][i * n + j] - moment(x, first + i, first + j)) <= 1e-5 * size);
            }
        assert_memory_equal(one.factors[k], three.factors[k], sizeof(float) * 32 * 32);
    }
    pg_feedback_free(&one);
    pg_feedback_free(&three);
}

/* ---------------------------------------------------------------- the reference */

/* h [n][n] becomes the upper Cholesky factor of its inverse. */
static void inverse_factor(double *h, int n)
{
    static double a[INPUTS * 2 * INPUTS];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < 2 * n; j++)
            a[i * 2 * n + j] = j < n ? h[i * n + j] : j - n == i;
    for (int p = 0; p < n; p++) /* Gauss and Jordan; the matrix is positive definite */
        for (int i = 0; i < n; i++) {
            double factor = a[i * 2 * n + p] / a[p * 2 * n + p];
            for (int j = 0; i != p && j < 2 * n; j++)
                a[i * 2 * n + j] -= factor * a[p * 2 * n + j];
        }
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) { /* rows of U in order: inverse = U^T U */
            double sum = a[i * 2 * n + n + j] / a[i * 2 * n + i];
            for (int k = 0; k < i; k++)
                sum -= h[k * n + i] * h[k * n + j];
            h[i * n + j] = j == i ? sqrt(sum) : sum / h[i * n + i];
        }
}

/* The window's inputs by falling moments. */
static void rank(int *order, const float *x, int first, int n)
{
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && moment(x, order[at - 1], order[at - 1]) < moment(x, first + i, first + i); at--)
            order[at] = order[at - 1];
        order[at] = first + i;
    }
}

/* The paper's algorithm on a window of all rows: whole numbers for given units. */
static void reference(int *whole, const float *rows, const float *x, const pg_quantized *grid, int first, int n)
{
    static double h[INPUTS * INPUTS], w[INPUTS];
    int order[INPUTS], low = grid->bits == 8 ? -127 : -8, high = grid->bits == 8 ? 127 : 7;
    double mean = 0;
    rank(order, x, first, n);
    for (int i = 0; i < n; i++)
        mean += moment(x, first + i, first + i) / n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            h[i * n + j] = moment(x, order[i], order[j]) + (i == j ? 0.01 * mean : 0);
    inverse_factor(h, n);
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < n; i++)
            w[i] = rows[r * INPUTS + order[i]];
        for (int i = 0; i < n; i++) {
            int input = order[i];
            double unit = pg_quantized_scale(grid, r, input);
            if (grid->bits == 4)
                unit *= grid->steps[pg_quantized_step_place(grid, r, input)] >> (input % 32 < 16 ? 0 : 4) & 15;
            double q = unit > 0 ? nearbyint(w[i] / unit) : 0;
            q = q < low ? low : q > high ? high : q;
            whole[r * INPUTS + input] = (int)q;
            double error = (w[i] - q * unit) / h[i * n + i];
            for (int j = i + 1; j < n; j++)
                w[j] -= error * h[i * n + j];
        }
    }
}

/* ---------------------------------------------------------------- rounding */

typedef struct rounded {
    uint8_t values[96 * 16], steps[48];
    uint16_t scales[48];
    pg_quantized w;
} rounded;

static void round_rows(rounded *out, const float *rows, int bits, const pg_feedback *feedback)
{
    memset(out, 0xff, sizeof *out);
    out->w = (pg_quantized){bits, ROWS, INPUTS, 32, out->values, out->scales, out->steps};
    void *scratch = pg_alloc(pg_quantize_scratch(&out->w), 1);
    pg_quantized_parts parts = {out->values, out->steps, out->scales};
    assert_non_null(scratch);
    assert_true(pg_quantize_group(&parts, &out->w, rows, feedback, scratch));
    pg_free(scratch);
}

/* The mean square of what the rounding does to products with the activations and, a little, to the values (damping). */
static double cost(const rounded *made, const float *rows, const float *x)
{
    double sum = 0, mean = 0, e[INPUTS];
    float wide[INPUTS];
    for (int i = 0; i < INPUTS; i++)
        mean += moment(x, i, i) / INPUTS;
    for (int r = 0; r < ROWS; r++) {
        pg_quantized_widen(wide, &made->w, r, 0, INPUTS);
        for (int i = 0; i < INPUTS; i++) {
            e[i] = (double)wide[i] - (double)rows[r * INPUTS + i];
            sum += 0.01 * mean * e[i] * e[i];
        }
        for (int t = 0; t < TOKENS; t++) {
            double product = 0;
            for (int i = 0; i < INPUTS; i++)
                product += e[i] * x[t * INPUTS + i];
            sum += product * product;
        }
    }
    return sum;
}

static double square_of_errors(const rounded *made, const float *rows, const pg_feedback *feedback)
{
    static float errors[ROWS * INPUTS];
    void *scratch = pg_alloc(pg_quantize_scratch(&made->w), 1);
    for (int r = 0; r < ROWS; r++) {
        pg_quantized_widen(errors + r * INPUTS, &made->w, r, 0, INPUTS);
        for (int i = 0; i < INPUTS; i++)
            errors[r * INPUTS + i] -= rows[r * INPUTS + i];
    }
    double square = pg_feedback_square(feedback, errors, scratch);
    pg_free(scratch);
    return square;
}

static void check_rounding(int bits, int window)
{
    static float x[TOKENS * INPUTS], rows[ROWS * INPUTS];
    static rounded nearest, compensated;
    int whole[ROWS * INPUTS];
    pg_feedback feedback;
    fill_activations(x, TOKENS, INPUTS);
    for (int i = 0; i < ROWS * INPUTS; i++)
        rows[i] = (float)(draw() * draw());
    collect(&feedback, x, window, 2);
    CHECK_OK(pg_feedback_factor(&feedback, 2));
    round_rows(&nearest, rows, bits, NULL);
    round_rows(&compensated, rows, bits, &feedback);
    assert_memory_equal(nearest.scales, compensated.scales, sizeof nearest.scales);
    for (int first = 0; first < INPUTS; first += window)
        reference(whole, rows, x, &compensated.w, first, INPUTS - first < window ? INPUTS - first : window);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < INPUTS; i++) {
            int steps = bits == 8 ? 1 : compensated.steps[pg_quantized_step_place(&compensated.w, r, i)];
            int step = bits == 8 ? 1 : i % 32 < 16 ? steps & 15 : steps >> 4;
            assert_int_equal(pg_quantized_whole(&compensated.w, r, i), whole[r * INPUTS + i] * step);
        }
    double plain = cost(&nearest, rows, x), better = cost(&compensated, rows, x);
    assert_true(better < 0.7 * plain);
    if (window >= INPUTS) { /* all moments are known */
        assert_true(fabs(square_of_errors(&nearest, rows, &feedback) - plain) < 1e-3 * plain);
        assert_true(fabs(square_of_errors(&compensated, rows, &feedback) - better) < 1e-3 * better);
    }
    pg_feedback_free(&feedback);
}

static void rounding_is_that_of_the_paper(void **state)
{
    (void)state;
    check_rounding(4, 128);
    check_rounding(8, 128);
    check_rounding(4, 32);
    check_rounding(8, 32);
}

static void inputs_that_are_zero_change_nothing(void **state)
{
    (void)state;
    static float x[TOKENS * INPUTS], rows[ROWS * INPUTS];
    static rounded nearest, compensated;
    pg_feedback feedback;
    for (int i = 0; i < ROWS * INPUTS; i++)
        rows[i] = (float)draw();
    collect(&feedback, x, 64, 1);
    CHECK_OK(pg_feedback_factor(&feedback, 1));
    round_rows(&nearest, rows, 4, NULL);
    round_rows(&compensated, rows, 4, &feedback);
    assert_memory_equal(nearest.values, compensated.values, sizeof nearest.values);
    pg_feedback_free(&feedback);
}

static void activations_that_are_not_finite(void **state)
{
    (void)state;
    static float x[TOKENS * INPUTS];
    const float strange[] = {NAN, INFINITY, 1e30f};
    for (int k = 0; k < 3; k++) {
        pg_feedback feedback;
        x[1234] = strange[k];
        collect(&feedback, x, 128, 1);
        CHECK_FAILS(pg_feedback_factor(&feedback, 1), PG_ERROR_FORMAT, "not finite");
        pg_feedback_free(&feedback);
    }
}

static pg_status make_and_free(void)
{
    pg_feedback feedback;
    PG_TRY(pg_feedback_init(&feedback, 70, 32));
    pg_status status = pg_feedback_factor(&feedback, 1);
    pg_feedback_free(&feedback);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    CHECK_SWEEP(make_and_free());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_sums_of_products),
        cmocka_unit_test(rounding_is_that_of_the_paper),
        cmocka_unit_test(inputs_that_are_zero_change_nothing),
        cmocka_unit_test(activations_that_are_not_finite),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The way back of an operation against central differences of its formula, written plainly in double precision: the
 * bench for test_gradients.c and test_convolution.c. */
#ifndef PG_TESTS_GRADIENT_BENCH_H
#define PG_TESTS_GRADIENT_BENCH_H

#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

#define INPUTS    5
#define TOLERANCE 3e-5
#define STEP      1e-5

/* An input: a tensor, or a weight. */
typedef struct input {
    int64_t rows, width;
    bool weight;
    double *values;
    float *floats;
} input;

typedef struct problem problem;

/* The formula, and the operation. */
typedef void formula(const problem *p, double *out);
typedef pg_tensor *operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w);

struct problem {
    const char *name;
    input in[INPUTS];
    int inputs;
    int64_t out_rows, out_width;
    formula *formula;
    operation *operation;
    int64_t samples; /* derivatives that are compared of an input that has more */
    /* what the operation needs besides */
    int64_t heads, kv_heads;
    pg_batch batch;
    double number;
};

static uint64_t drawn;

static inline double draw(void)
{
    return (float)(pg_random_uniform(11, 0, drawn++) * 2 - 1);
}

static inline void add_input(problem *p, int64_t rows, int64_t width, bool weight)
{
    input *in = &p->in[p->inputs++];
    *in = (input){rows, width, weight, pg_alloc((size_t)(rows * width), sizeof(double)),
                  pg_alloc((size_t)(rows * width), sizeof(float))};
    for (int64_t i = 0; i < rows * width; i++)
        in->floats[i] = (float)(in->values[i] = draw());
}

static inline void add_tensor(problem *p, int64_t rows, int64_t width)
{
    add_input(p, rows, width, false);
}

static inline void add_weight(problem *p, int64_t rows, int64_t width)
{
    add_input(p, rows, width, true);
}

/* ---------------------------------------------------------------- running */

/* The device that PG_TEST_DEVICE names, opened once; the host if it names none. */
static inline pg_device *test_device(void)
{
    static pg_device *device;
    if (!device)
        CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    return device;
}

/* What a run gives: the result, and the gradient of every input. */
typedef struct run_result {
    float *out;
    float *grads[INPUTS];
} run_result;

static inline void free_result(run_result *result)
{
    pg_free(result->out);
    for (int i = 0; i < INPUTS; i++)
        pg_free(result->grads[i]);
}

static inline float *copy_floats(pg_device *device, const float *from, int64_t count)
{
    float *copy = pg_alloc((size_t)count, sizeof *copy);
    if (from)
        CHECK_OK(pg_values_download(device, copy, from, (size_t)count * sizeof *copy));
    return copy;
}

static inline void make_inputs(const problem *p, pg_context *g, pg_tensor **x, pg_parameter *w)
{
    for (int i = 0; i < p->inputs; i++) {
        const input *in = &p->in[i];
        int64_t count = in->rows * in->width;
        x[i] = pg_tensor_new(g, in->rows, in->width);
        size_t bytes = (size_t)count * sizeof(float);
        pg_values_upload(g->device, x[i]->data, in->floats, bytes);
        x[i]->tracked = true;
        w[i] = (pg_parameter){.name = "w", .dtype = PG_F32, .rows = in->rows, .width = in->width};
        w[i].data = pg_to_device(g, in->floats, bytes);
        w[i].grad = in->weight ? pg_scratch_values(g, bytes) : NULL;
        if (in->weight)
            pg_values_clear(g->device, w[i].grad, bytes);
    }
}

static inline void run(run_result *out, const problem *p, const float *weights, int threads)
{
    pg_tape tape = {.seed = 3, .step = 5};
    pg_context g = {.kernels = pg_kernels_best(), .threads = threads, .compute = PG_COMPUTE_F32, .tape = &tape};
    pg_tensor *x[INPUTS];
    pg_parameter w[INPUTS];
    pg_context_on(&g, test_device());
    make_inputs(p, &g, x, w);
    pg_tensor *y = p->operation(p, &g, x, w);
    assert_non_null(y);
    assert_int_equal(y->rows, p->out_rows);
    assert_int_equal(y->width, p->out_width);
    *out = (run_result){.out = copy_floats(g.device, y->data, y->rows * y->width)};
    pg_tensor *loss = pg_weighted_sum(&g, y, weights);
    CHECK_OK(pg_tape_backward(&g, loss, 1));
    for (int i = 0; i < p->inputs; i++) {
        int64_t count = p->in[i].rows * p->in[i].width;
        out->grads[i] = copy_floats(g.device, p->in[i].weight ? w[i].grad : x[i]->grad, count);
    }
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
}

static inline double loss_of(const problem *p, const float *weights, double *out)
{
    double sum = 0;
    p->formula(p, out);
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        sum += out[i] * (double)weights[i];
    return sum;
}

/* (f(x + h) - f(x - h)) / 2h with respect to one value. */
static inline double difference(const problem *p, const float *weights, double *out, double *value)
{
    double before = *value;
    *value = before + STEP;
    double above = loss_of(p, weights, out);
    *value = before - STEP;
    double below = loss_of(p, weights, out);
    *value = before;
    return (above - below) / (2 * STEP);
}

static inline void check_input(const problem *p, int number, const float *grad, const float *weights, double *out)
{
    const input *in = &p->in[number];
    int64_t count = in->rows * in->width, samples = count < p->samples ? count : p->samples;
    double largest = 0;
    if (!grad)
        return; /* for the analyzer: cmocka's assertions do not return */
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabsf(grad[i]));
    for (int64_t s = 0; s < samples; s++) {
        int64_t at =
            samples == count ? s : (int64_t)(pg_random_uniform(5, (uint64_t)number, (uint64_t)s) * (double)count);
        double expected = difference(p, weights, out, &in->values[at]);
        if (!(fabs(grad[at] - expected) <= TOLERANCE * fmax(largest, fabs(expected)) + 1e-9))
            fail_msg("%s, input %d [%lld][%lld]: %.9g, expected %.9g (largest %.3g)", p->name, number,
                     (long long)(at / in->width), (long long)(at % in->width), grad[at], expected, largest);
    }
}

static inline void check_same(const problem *p, const run_result *a, const run_result *b)
{
    for (int i = 0; i < p->inputs; i++)
        assert_memory_equal(a->grads[i], b->grads[i], (size_t)(p->in[i].rows * p->in[i].width) * sizeof(float));
    assert_memory_equal(a->out, b->out, (size_t)(p->out_rows * p->out_width) * sizeof(float));
}

static inline void check_value(const problem *p, const run_result *result, const double *expected)
{
    double largest = 0;
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        if (!(fabs(result->out[i] - expected[i]) <= TOLERANCE * largest))
            fail_msg("%s, result %lld: %.9g, expected %.9g", p->name, (long long)i, result->out[i], expected[i]);
}

/* Ends the problem. */
static inline void check(problem *p)
{
    int64_t count = p->out_rows * p->out_width;
    float *weights = pg_alloc((size_t)count, sizeof *weights);
    double *out = pg_alloc((size_t)count, sizeof *out);
    for (int64_t i = 0; i < count; i++)
        weights[i] = (float)draw();
    p->samples = p->samples ? p->samples : 200;
    run_result first, again;
    run(&first, p, weights, 1);
    p->formula(p, out);
    check_value(p, &first, out);
    for (int i = 0; i < p->inputs; i++)
        check_input(p, i, first.grads[i], weights, out);
    for (int threads = 2; threads < 6; threads += 3) {
        run(&again, p, weights, threads);
        check_same(p, &first, &again);
        free_result(&again);
    }
    free_result(&first);
    pg_free(weights);
    pg_free(out);
    for (int i = 0; i < p->inputs; i++) {
        pg_free(p->in[i].values);
        pg_free(p->in[i].floats);
    }
}

/* out[r] = x[r] w^T + bias */
static inline void multiply(double *out, const double *x, int64_t rows, const double *w, int64_t outputs,
                            int64_t inputs, const double *bias)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < outputs; n++) {
            double sum = bias ? bias[n] : 0;
            for (int64_t i = 0; i < inputs; i++)
                sum += x[r * inputs + i] * w[n * inputs + i];
            out[r * outputs + n] = sum;
        }
}

#endif

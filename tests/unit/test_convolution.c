/* src/ops/convolution.c, nearest_code.c and relu: results and ways back against formulas in double precision. */
#include "gradient_bench.h"

/* ---------------------------------------------------------------- convolutions */

/* Sizes of a case, in place of what attention needs. */
static pg_squares squares_of(const problem *p)
{
    return *(const pg_squares *)p->batch.positions;
}

/* Point (y, x) of picture i, channel c; 0 outside. */
static double at(const problem *p, const pg_squares *s, int64_t i, int64_t y, int64_t x, int64_t c)
{
    bool inside = y >= 0 && y < s->height && x >= 0 && x < s->width;
    return inside ? p->in[0].values[((i * s->height + y) * s->width + x) * p->in[0].width + c] : 0;
}

static void convolution_formula(const problem *p, double *out)
{
    pg_squares s = squares_of(p);
    int64_t down = pg_squares_down(&s), across = pg_squares_across(&s), channels = p->in[0].width;
    for (int64_t r = 0; r < p->out_rows; r++)
        for (int64_t n = 0; n < p->out_width; n++) {
            int64_t i = r / (down * across), y = r / across % down * s.stride - s.padding;
            int64_t x = r % across * s.stride - s.padding;
            const double *w = p->in[1].values + n * p->in[1].width;
            double sum = p->in[2].values[n];
            for (int64_t v = 0; v < s.size; v++)
                for (int64_t u = 0; u < s.size; u++)
                    for (int64_t c = 0; c < channels; c++)
                        sum += at(p, &s, i, y + v, x + u, c) * w[(v * s.size + u) * channels + c];
            out[r * p->out_width + n] = sum;
        }
}

static pg_tensor *convolution_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    pg_squares s = squares_of(p);
    return pg_convolution(g, x[0], &w[1], &w[2], &s);
}

/* Every input adds its weights times itself to the square around it. */
static void transposed_formula(const problem *p, double *out)
{
    pg_squares s = squares_of(p);
    int64_t down = pg_squares_down(&s), across = pg_squares_across(&s), outputs = p->out_width;
    for (int64_t i = 0; i < p->out_rows * outputs; i++)
        out[i] = p->in[2].values[i % outputs];
    for (int64_t r = 0; r < p->in[0].rows; r++)
        for (int64_t k = 0; k < s.size * s.size * outputs; k++) {
            int64_t y = r / across % down * s.stride - s.padding + k / outputs / s.size;
            int64_t x = r % across * s.stride - s.padding + k / outputs % s.size;
            if (y < 0 || y >= s.height || x < 0 || x >= s.width)
                continue;
            double *to = out + ((r / (down * across) * s.height + y) * s.width + x) * outputs + k % outputs;
            for (int64_t c = 0; c < p->in[0].width; c++)
                *to += p->in[0].values[r * p->in[0].width + c] * p->in[1].values[k * p->in[0].width + c];
        }
}

static pg_tensor *transposed_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    pg_squares s = squares_of(p);
    return pg_transposed_convolution(g, x[0], &w[1], &w[2], &s);
}

static void check_convolution(const pg_squares *s, int64_t count, int64_t inputs, int64_t outputs, bool transposed)
{
    int64_t places = count * pg_squares_down(s) * pg_squares_across(s), points = count * s->height * s->width;
    int64_t square = s->size * s->size;
    problem p = {.name = transposed ? "transposed convolution" : "convolution",
                 .formula = transposed ? transposed_formula : convolution_formula,
                 .operation = transposed ? transposed_operation : convolution_operation,
                 .out_rows = transposed ? points : places,
                 .out_width = outputs,
                 .samples = 60};
    p.batch.positions = (const void *)s;
    add_tensor(&p, transposed ? places : points, inputs);
    add_weight(&p, transposed ? square * outputs : outputs, transposed ? inputs : square * inputs);
    add_weight(&p, 1, outputs);
    check(&p);
}

static void convolutions(void **state)
{
    (void)state;
    const pg_squares squares[] = {{4, 4, 3, 1, 1}, {8, 8, 4, 2, 1}, {5, 7, 1, 1, 0},
                                  {6, 4, 4, 2, 1}, {7, 5, 3, 2, 0}, {3, 3, 3, 1, 2}};
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        check_convolution(&squares[i], 2, 3, 5, false);
        check_convolution(&squares[i], 1, 17, 1, false);
        check_convolution(&squares[i], 2, 5, 3, true);
        check_convolution(&squares[i], 1, 1, 18, true);
    }
}

/* ---------------------------------------------------------------- relu */

static void relu_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = fmax(p->in[0].values[i], 0);
}

static pg_tensor *relu_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    (void)w;
    return pg_relu(g, x[0]);
}

static void relu(void **state)
{
    (void)state;
    problem p = {.name = "relu", .formula = relu_formula, .operation = relu_operation, .out_rows = 9, .out_width = 21};
    add_tensor(&p, 9, 21);
    for (int64_t i = 0; i < 9 * 21; i++) /* away from the corner */
        p.in[0].floats[i] = (float)(p.in[0].values[i] += p.in[0].values[i] > 0 ? 0.01 : -0.01);
    check(&p);
}

/* ---------------------------------------------------------------- squared differences */

static const float target[] = {0.5f, -1, 0.25f, 2, 0, 1, 1, -0.125f, 3, 0.75f, -2, 0.1f};

static void squared_formula(const problem *p, double *out)
{
    *out = 0;
    for (int64_t i = 0; i < 12; i++)
        *out += p->number * (p->in[0].values[i] - (double)target[i]) * (p->in[0].values[i] - (double)target[i]);
}

static pg_tensor *squared_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_squared_difference(g, x[0], target, p->number);
}

static void squared_difference(void **state)
{
    (void)state;
    problem p = {.name = "squared difference",
                 .formula = squared_formula,
                 .operation = squared_operation,
                 .number = 0.375,
                 .out_rows = 1,
                 .out_width = 1};
    add_tensor(&p, 4, 3);
    check(&p);
}

/* ---------------------------------------------------------------- nearest codes */

enum { ROWS = 37, CODES = 11, WIDTH = 19 };

static int32_t nearest_in_double(const float *x, const float *table)
{
    int32_t best = 0;
    double least = INFINITY;
    for (int32_t c = 0; c < CODES; c++) {
        double distance = 0;
        for (int i = 0; i < WIDTH; i++)
            distance += ((double)x[i] - (double)table[c * WIDTH + i]) * ((double)x[i] - (double)table[c * WIDTH + i]);
        if (distance < least) {
            least = distance;
            best = c;
        }
    }
    return best;
}

/* The nearest of all, the first of two that are the same, and a derivative that passes unchanged. */
static void nearest_codes(void **state)
{
    (void)state;
    float table[CODES * WIDTH], weights[ROWS * WIDTH];
    int32_t codes[ROWS];
    pg_tape tape = {0};
    pg_context g = {.kernels = pg_kernels_best(), .threads = 3, .compute = PG_COMPUTE_F32, .tape = &tape};
    pg_parameter parameter = {.name = "t", .dtype = PG_F32, .rows = CODES, .width = WIDTH, .data = table};
    pg_tensor *x = pg_tensor_new(&g, ROWS, WIDTH);
    for (int i = 0; i < CODES * WIDTH; i++)
        table[i] = (float)draw();
    memcpy(table + 7 * WIDTH, table + 4 * WIDTH, WIDTH * sizeof *table);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        ((float *)x->data)[i] = i < WIDTH ? table[7 * WIDTH + i] : (float)draw();
        weights[i] = (float)draw();
    }
    x->tracked = true;
    pg_tensor *y = pg_nearest_code(&g, x, &parameter, codes);
    assert_non_null(y);
    assert_int_equal(codes[0], 4);
    for (int r = 0; r < ROWS; r++) {
        assert_int_equal(codes[r], nearest_in_double((float *)x->data + r * WIDTH, table));
        assert_memory_equal((float *)y->data + r * WIDTH, table + codes[r] * WIDTH, WIDTH * sizeof *table);
    }
    CHECK_OK(pg_tape_backward(&g, pg_weighted_sum(&g, y, weights), 1));
    assert_memory_equal(x->grad, weights, sizeof weights);
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(relu),
        cmocka_unit_test(squared_difference),
        cmocka_unit_test(nearest_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What runs row by row on the device that PG_TEST_DEVICE names against the reference kernels on the host, forward and
 * back; without a device, the host's best kernels against those. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

#define INPUTS    3
#define TOLERANCE 3e-6

static uint64_t drawn;

static void draw_floats(float *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(pg_random_uniform(7, 0, drawn++) * 4 - 2);
}

static float *drawn_floats(int64_t count)
{
    float *values = pg_alloc((size_t)count, sizeof *values);
    assert_non_null(values);
    draw_floats(values, count);
    return values;
}

static pg_device *test_device(void)
{
    static pg_device *device;
    if (!device)
        CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    return device;
}

/* A context on the device, with the best kernels, or on the host with the reference. */
static pg_context context_on(bool device)
{
    pg_context g = {.kernels = device ? pg_kernels_best() : pg_kernels_at(0), .threads = 2};
    pg_context_on(&g, device ? test_device() : NULL);
    return g;
}

static void check_close(const char *name, const char *what, const float *got, const float *expected, int64_t count,
                        double tolerance)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - (double)expected[i]) <= tolerance * largest))
            fail_msg("%s, %s [%lld]: %.9g, expected %.9g", name, what, (long long)i, (double)got[i],
                     (double)expected[i]);
}

/* ---------------------------------------------------------------- forward and back */

typedef pg_tensor *operation(pg_context *g, pg_tensor *const *x, const pg_parameter *w);

/* Every input is there as a tensor and as a weight. */
typedef struct row_case {
    const char *name;
    operation *operation;
    double tolerance;
    int64_t shapes[INPUTS][2]; /* rows, width; none: 0 rows */
} row_case;

typedef struct outcome {
    int64_t count;
    float *out, *dx[INPUTS], *dw[INPUTS];
} outcome;

static float *fetch(pg_context *g, const void *values, int64_t count)
{
    float *copy = pg_alloc((size_t)count, sizeof *copy);
    assert_non_null(copy);
    if (values)
        CHECK_OK(pg_values_download(g->device, copy, values, (size_t)count * sizeof *copy));
    return copy;
}

static void make_inputs(pg_context *g, const row_case *c, float *const *values, pg_tensor **x, pg_parameter *w)
{
    for (int i = 0; i < INPUTS && c->shapes[i][0]; i++) {
        int64_t rows = c->shapes[i][0], width = c->shapes[i][1];
        size_t bytes = (size_t)(rows * width) * sizeof(float);
        x[i] = pg_tensor_new(g, rows, width);
        pg_values_upload(g->device, x[i]->data, values[i], bytes);
        x[i]->tracked = true;
        w[i] = (pg_parameter){.name = "w", .dtype = PG_F32, .rows = rows, .width = width, .data = x[i]->data};
        w[i].grad = pg_scratch_values(g, bytes);
        pg_values_clear(g->device, w[i].grad, bytes);
    }
}

static outcome run_case(const row_case *c, float *const *values, const float *weights, bool device)
{
    pg_tape tape = {.seed = 3, .step = 5};
    pg_context g = context_on(device);
    pg_tensor *x[INPUTS] = {0};
    pg_parameter w[INPUTS] = {{0}};
    outcome result = {0};
    g.tape = &tape;
    make_inputs(&g, c, values, x, w);
    pg_tensor *out = c->operation(&g, x, w);
    assert_non_null(out);
    result.count = out->rows * out->width;
    result.out = fetch(&g, out->data, result.count);
    CHECK_OK(pg_tape_backward(&g, pg_weighted_sum(&g, out, weights), 1));
    for (int i = 0; i < INPUTS && x[i]; i++) {
        result.dx[i] = fetch(&g, x[i]->grad, x[i]->rows * x[i]->width);
        result.dw[i] = fetch(&g, w[i].grad, w[i].rows * w[i].width);
    }
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
    return result;
}

static void free_outcome(outcome *result)
{
    pg_free(result->out);
    for (int i = 0; i < INPUTS; i++) {
        pg_free(result->dx[i]);
        pg_free(result->dw[i]);
    }
}

/* Twice on the device: the same bits. */
static void check_case(const row_case *c)
{
    float *values[INPUTS] = {0}, *weights = drawn_floats(1 << 21);
    for (int i = 0; i < INPUTS; i++)
        values[i] = drawn_floats(c->shapes[i][0] * c->shapes[i][1] + 1);
    outcome expected = run_case(c, values, weights, false), got = run_case(c, values, weights, true);
    outcome again = run_case(c, values, weights, true);
    assert_int_equal(got.count, expected.count);
    check_close(c->name, "result", got.out, expected.out, got.count, c->tolerance);
    for (int i = 0; i < INPUTS && c->shapes[i][0]; i++) {
        int64_t count = c->shapes[i][0] * c->shapes[i][1];
        check_close(c->name, "dx", got.dx[i], expected.dx[i], count, c->tolerance);
        check_close(c->name, "dw", got.dw[i], expected.dw[i], count, c->tolerance);
        assert_memory_equal(got.dx[i], again.dx[i], (size_t)count * sizeof(float));
        assert_memory_equal(got.dw[i], again.dw[i], (size_t)count * sizeof(float));
    }
    free_outcome(&expected);
    free_outcome(&got);
    free_outcome(&again);
    for (int i = 0; i < INPUTS; i++)
        pg_free(values[i]);
    pg_free(weights);
}

static void check_cases(const row_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_case(&cases[i]);
}

#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof(cases)[0])

/* x + its result: the derivative of x has two parts. */
static pg_tensor *rms(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    return pg_add(g, x[0], pg_rmsnorm(g, x[0], &w[1], 1e-6));
}

static pg_tensor *layer(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    return pg_layernorm(g, x[0], &w[1], &w[2], 1e-6);
}

static pg_tensor *unit(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_unit_rows(g, x[0]);
}

static void norms(void **state)
{
    (void)state;
    const row_case cases[] = {
        {"rms 7", rms, 3e-5, {{9, 7}, {1, 7}}},
        {"rms 256", rms, 3e-5, {{1000, 256}, {1, 256}}}, /* sums over rows in pieces */
        {"rms 2048", rms, 3e-5, {{70, 2048}, {1, 2048}}},
        {"rms 1301", rms, 3e-5, {{3, 1301}, {1, 1301}}},
        {"layer 12", layer, 3e-5, {{130, 12}, {1, 12}, {1, 12}}},
        {"layer 1154", layer, 3e-5, {{5, 1154}, {1, 1154}, {1, 1154}}},
        {"layer 1284", layer, 3e-5, {{5, 1284}, {1, 1284}, {1, 1284}}},
        {"layer 1152", layer, 3e-5, {{66, 1152}, {1, 1152}, {1, 1152}}},
        {"unit 5", unit, 3e-5, {{17, 5}}},
        {"unit 1300", unit, 3e-5, {{2, 1300}}},
    };
    CHECK_CASES(cases);
}

static pg_tensor *gelu(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_add_scaled(g, pg_gelu(g, x[0]), pg_relu(g, x[1]), 0.5);
}

static pg_tensor *gate(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_gelu_times(g, x[0], pg_add_scaled(g, x[1], x[0], -2));
}

static pg_tensor *gate_alone(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    x[1]->tracked = false;
    return pg_gelu_times(g, x[0], x[1]);
}

static pg_tensor *drop(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_dropout(g, x[0], 0.3, 17);
}

static void elements(void **state)
{
    (void)state;
    const row_case cases[] = {
        {"gelu 7", gelu, TOLERANCE, {{3, 7}, {3, 7}}},           {"gelu 64", gelu, TOLERANCE, {{65, 64}, {65, 64}}},
        {"gate 5", gate, TOLERANCE, {{7, 5}, {7, 5}}},           {"gate 256", gate, TOLERANCE, {{33, 256}, {33, 256}}},
        {"gate alone", gate_alone, TOLERANCE, {{4, 6}, {4, 6}}}, {"dropout", drop, 0, {{41, 37}}},
    };
    CHECK_CASES(cases);
}

/* ---------------------------------------------------------------- rows by number */

static const int32_t ids[] = {4, 0, 2, 2, 5, 2, 0, 2};
static const int64_t rows[] = {5, 0, 2, 2, 4, 2}, ascending[] = {0, 3, 4};
static const pg_span spans[] = {{1, 3}, {0, 6}, {5, 1}, {2, 4}};

static pg_tensor *embed(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)x;
    return pg_embed(g, &w[0], ids, sizeof ids / sizeof *ids, 1.5, 2);
}

static pg_tensor *place(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_place_rows(g, x[0], ascending, x[1]);
}

/* The derivatives are added to others. */
static pg_tensor *place_more(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    pg_tensor *all = pg_add(g, x[0], pg_place_rows(g, x[0], ascending, x[1]));
    (void)w;
    return pg_place_rows(g, all, ascending, x[1]);
}

static pg_tensor *take(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_take_rows(g, x[0], rows, sizeof rows / sizeof *rows);
}

static pg_tensor *add_places(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    return pg_add_positions(g, x[0], &w[1]);
}

static void numbers(void **state)
{
    (void)state;
    const row_case cases[] = {
        {"embed 6", embed, TOLERANCE, {{6, 6}}},
        {"embed 260", embed, TOLERANCE, {{6, 260}}},
        {"place 7", place, 0, {{6, 7}, {3, 7}}},
        {"place 200", place_more, TOLERANCE, {{6, 200}, {3, 200}}},
        {"take 9", take, TOLERANCE, {{6, 9}}},
        {"take 136", take, TOLERANCE, {{6, 136}}},
        {"positions 6", add_places, TOLERANCE, {{12, 6}, {4, 6}}},
        {"positions 132", add_places, TOLERANCE, {{9, 132}, {3, 132}}},
    };
    CHECK_CASES(cases);
}

static pg_tensor *pool(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_concatenate(g, pg_mean_rows(g, x[0], spans, 4), pg_sum_rows(g, x[0], spans, 4));
}

static pg_tensor *beside(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_concatenate(g, pg_concatenate(g, x[0], x[1]), x[0]);
}

static pg_tensor *turn(pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    static const int32_t positions[] = {0, 1, 2, 700, 1023};
    int64_t size = x[0]->width / 3;
    const int32_t *placed = pg_to_device(g, positions, sizeof positions);
    (void)w;
    return pg_rope(g, x[0], pg_rope_angles(g, placed, x[0]->rows, size, 10000));
}

static void places(void **state)
{
    (void)state;
    const row_case cases[] = {
        {"pool 1", pool, TOLERANCE, {{6, 1}}},
        {"pool 7", pool, TOLERANCE, {{6, 7}}},
        {"pool 132", pool, TOLERANCE, {{6, 132}}},
        {"beside 3, 4", beside, TOLERANCE, {{5, 3}, {5, 4}}},
        {"beside 8", beside, TOLERANCE, {{5, 8}, {5, 12}}},
        {"turn 6", turn, TOLERANCE, {{5, 18}}},
        {"turn 64", turn, TOLERANCE, {{5, 192}}},
        {"turn 1032", turn, TOLERANCE, {{2, 3096}}},
    };
    CHECK_CASES(cases);
}

/* ---------------------------------------------------------------- stored numbers */

/* The same bits as on the host. */
static void check_embedding(const pg_parameter *table, size_t bytes)
{
    pg_context g = context_on(true), host = context_on(false);
    pg_parameter there = *table;
    there.data = pg_to_device(&g, table->data, bytes);
    if (table->quantized.bits) {
        const uint8_t *first = there.data, *from = table->data;
        there.quantized.values = first + (table->quantized.values - from);
        there.quantized.scales = first + ((const uint8_t *)table->quantized.scales - from);
        there.quantized.steps = first + (table->quantized.steps - from);
    }
    pg_tensor *got = pg_embed(&g, &there, ids, 8, 45.25, 0), *expected = pg_embed(&host, table, ids, 8, 45.25, 0);
    size_t size = (size_t)(8 * table->width) * sizeof(float);
    assert_memory_equal(pg_to_host(&g, got->data, size), expected->data, size);
    pg_arena_free(&g.arena);
    pg_arena_free(&host.arena);
}

static void stored_tables(void **state)
{
    (void)state;
    const pg_dtype dtypes[] = {PG_F32, PG_BF16, PG_F16};
    float *values = drawn_floats(6 * 132);
    char *stored = pg_alloc(6 * 132, sizeof *values);
    for (int i = 0; i < 3; i++)
        for (int64_t width = 129; width <= 132; width += 3) {
            pg_dtype_narrow(stored, dtypes[i], values, 6 * width);
            pg_parameter table = {.name = "t", .dtype = dtypes[i], .rows = 6, .width = width, .data = stored};
            check_embedding(&table, (size_t)(6 * width) * pg_dtype_size(dtypes[i]));
        }
    pg_free(values);
    pg_free(stored);
}

/* Values, steps and scales one behind the other: random bytes, but scales that are numbers. */
static void quantised_tables(void **state)
{
    (void)state;
    for (int bits = 4; bits <= 8; bits += 4) {
        pg_quantized q = {.bits = bits, .rows = 6, .inputs = 77, .block = 32};
        int64_t bytes = pg_quantized_bytes(&q), values = pg_quantized_group_bytes(&q);
        uint8_t *memory = pg_alloc((size_t)bytes, 1);
        for (int64_t i = 0; i < bytes; i++)
            memory[i] = (uint8_t)pg_random_bits(9, 0, (uint64_t)i);
        int64_t scales = values + pg_quantized_step_bytes(&q);
        for (int64_t i = scales; i < bytes; i += 2)
            pg_dtype_narrow(memory + i, PG_BF16, &(float){0.01f * (float)(i % 7 + 1)}, 1);
        q.values = memory;
        q.steps = memory + values;
        q.scales = memory + scales;
        pg_parameter table = {.name = "t", .rows = 6, .width = 77, .data = memory, .quantized = q};
        check_embedding(&table, (size_t)bytes);
        pg_free(memory);
    }
}

/* Rows in a cache of `heads` heads of `size` values, on the device or the host. */
static char *store(bool device, pg_dtype dtype, int64_t heads, int64_t size, const float *values)
{
    static const int64_t slots[] = {4, 0, 6};
    pg_context g = context_on(device);
    pg_cache cache;
    CHECK_OK(pg_cache_init(&cache, g.device, dtype, 1, 7, pg_cache_width(dtype, heads, size)));
    pg_values_clear(g.device, cache.data, cache.bytes);
    pg_tensor *x = pg_tensor_new(&g, 3, heads * size), keys = pg_cache_keys(&cache, 0);
    pg_values_upload(g.device, x->data, values, (size_t)(3 * heads * size) * sizeof *values);
    pg_store_rows(&g, &keys, pg_to_device(&g, slots, sizeof slots), x);
    char *out = pg_alloc(pg_cache_rows_bytes(&cache, 7), 1);
    CHECK_OK(pg_cache_get_rows(out, &cache, 0, 7));
    pg_cache_free(&cache);
    pg_arena_free(&g.arena);
    return out;
}

static void caches(void **state)
{
    (void)state;
    const pg_dtype dtypes[] = {PG_F32, PG_BF16, PG_I8};
    const int64_t shapes[][2] = {{1, 256}, {3, 5}, {2, 72}};
    for (int i = 0; i < 3; i++)
        for (int s = 0; s < 3; s++) {
            int64_t heads = shapes[s][0], size = shapes[s][1], width = pg_cache_width(dtypes[i], heads, size);
            float *values = drawn_floats(3 * heads * size);
            memset(values, 0, (size_t)size * sizeof *values); /* the first head of the first row */
            char *expected = store(false, dtypes[i], heads, size, values);
            char *got = store(true, dtypes[i], heads, size, values);
            assert_memory_equal(got, expected, (size_t)(7 * width) * pg_dtype_size(dtypes[i]));
            pg_free(values);
            pg_free(expected);
            pg_free(got);
        }
}

static void patches(void **state)
{
    (void)state;
    float *pixels = drawn_floats(2L * 3 * 31 * 31);
    pg_context g = context_on(true), host = context_on(false);
    pg_tensor *got = pg_patches(&g, pixels, 2, 3, 31, 7), *expected = pg_patches(&host, pixels, 2, 3, 31, 7);
    assert_int_equal(got->rows, 2 * 4 * 4);
    size_t bytes = (size_t)(got->rows * got->width) * sizeof(float);
    assert_memory_equal(pg_to_host(&g, got->data, bytes), expected->data, bytes);
    pg_arena_free(&g.arena);
    pg_arena_free(&host.arena);
    pg_free(pixels);
}

/* What has no place on a device says so. */
static void host_only(void **state)
{
    (void)state;
    pg_context g = context_on(true);
    pg_tensor *x = pg_tensor_new(&g, 16, 3);
    const pg_squares squares = {.height = 4, .width = 4, .size = 3, .stride = 1, .padding = 1};
    pg_values_clear(g.device, x->data, 16 * 3 * sizeof(float));
    pg_tensor *out = pg_unfold(&g, x, &squares);
    if (g.device) {
        assert_null(out);
        CHECK_FAILS(g.status, PG_ERROR_UNSUPPORTED, "unfold runs on the cpu only");
    } else
        assert_int_equal(out->width, 27);
    pg_arena_free(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms),  cmocka_unit_test(elements),      cmocka_unit_test(numbers),
        cmocka_unit_test(places), cmocka_unit_test(stored_tables), cmocka_unit_test(quantised_tables),
        cmocka_unit_test(caches), cmocka_unit_test(patches),       cmocka_unit_test(host_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

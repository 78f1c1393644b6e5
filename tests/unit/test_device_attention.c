/* Attention on the device that PG_TEST_DEVICE names against that of the host: sizes and groups of heads, types of
 * caches, masks, spans, many keys, and what a row gets in company and alone. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/device_attention.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

static pg_device *device;

typedef struct attention_case {
    int64_t heads, kv_heads, size;
    pg_dtype dtype; /* of keys and values */
    pg_compute compute;
    pg_batch batch;
    int64_t keys; /* rows */
} attention_case;

static uint64_t drawn;

static float *draw(int64_t count)
{
    float *values = pg_alloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(pg_random_uniform(17, 0, drawn++) * 4 - 2);
    return values;
}

/* A cache matrix of the case's type on the host, from rows of floats. */
static pg_tensor store(const attention_case *c, const float *rows)
{
    const pg_kernels *kernels = pg_kernels_best();
    int64_t width = pg_cache_width(c->dtype, c->kv_heads, c->size), bytes = (int64_t)pg_dtype_size(c->dtype);
    char *data = pg_alloc((size_t)(c->keys * width), (size_t)bytes);
    for (int64_t h = 0; h < c->keys * c->kv_heads; h++)
        kernels->narrow(data + h * (width / c->kv_heads) * bytes, c->dtype, rows + h * c->size, c->size);
    return (pg_tensor){.dtype = c->dtype, .rows = c->keys, .width = width, .data = data};
}

static size_t tensor_bytes(const pg_tensor *x)
{
    return (size_t)(x->rows * x->width) * pg_dtype_size(x->dtype);
}

/* The same tensor where g's operations read it. */
static pg_tensor *placed(pg_context *g, const pg_tensor *x)
{
    pg_tensor *copy = pg_scratch(g, sizeof *copy);
    *copy = *x;
    copy->data = pg_scratch_values(g, tensor_bytes(x));
    pg_values_upload(g->device, copy->data, x->data, tensor_bytes(x));
    return copy;
}

/* out [rows][heads * size] of the case on the host, or on the device. */
static float *attend(const attention_case *c, pg_device *on, const pg_tensor *q, const pg_tensor *k, const pg_tensor *v)
{
    pg_context g = {.kernels = pg_kernels_best(), .threads = 1, .compute = on ? c->compute : PG_COMPUTE_F32};
    pg_context_on(&g, on);
    pg_tensor *out = pg_attention(&g, placed(&g, q), placed(&g, k), placed(&g, v), c->heads, c->kv_heads, &c->batch);
    assert_non_null(out);
    float *values = pg_alloc((size_t)(out->rows * out->width), sizeof *values);
    CHECK_OK(pg_values_download(on, values, out->data, (size_t)(out->rows * out->width) * sizeof *values));
    pg_arena_free(&g.arena);
    return values;
}

static void check_near(const attention_case *c, const char *what, const float *a, const float *expected, int64_t count)
{
    double largest = 0, tolerance = c->compute == PG_COMPUTE_BF16 ? 1e-2 : 1e-5;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - (double)expected[i]) <= tolerance * largest))
            fail_msg("%s, %lld/%lld heads of %lld, type %d, compute %d: %lld: %.9g, expected %.9g (largest %.3g)", what,
                     (long long)c->heads, (long long)c->kv_heads, (long long)c->size, (int)c->dtype, (int)c->compute,
                     (long long)i, (double)a[i], (double)expected[i], largest);
}

/* Every segment by itself has the bits that it has among the others. */
static void check_alone(const attention_case *c, const float *all, const pg_tensor *q, const pg_tensor *k,
                        const pg_tensor *v)
{
    for (size_t s = 0; s < c->batch.segment_count; s++) {
        attention_case one = *c;
        pg_segment segment = c->batch.segments[s];
        pg_tensor rows = *q;
        rows.rows = segment.count;
        rows.data = (float *)q->data + segment.first * q->width;
        one.batch.rows = segment.count;
        one.batch.single = segment.first < c->batch.single ? segment.count : 0;
        one.batch.segments = &segment;
        one.batch.segment_count = 1;
        const float *expected = all + segment.first * q->width;
        segment.first = 0;
        float *out = attend(&one, device, &rows, k, v);
        assert_memory_equal(out, expected, (size_t)(segment.count * q->width) * sizeof *out);
        pg_free(out);
    }
}

static void check_case(const attention_case *c)
{
    float *k_rows = draw(c->keys * c->kv_heads * c->size), *v_rows = draw(c->keys * c->kv_heads * c->size);
    pg_tensor q = {.rows = c->batch.rows,
                   .width = c->heads * c->size,
                   .data = draw(c->batch.rows * c->heads * c->size)};
    pg_tensor k = store(c, k_rows), v = store(c, v_rows);
    float *expected = attend(c, NULL, &q, &k, &v), *out = attend(c, device, &q, &k, &v);
    check_near(c, "out", out, expected, q.rows * q.width);
    check_alone(c, out, &q, &k, &v);
    pg_free(out);
    pg_free(expected);
    pg_free(k_rows);
    pg_free(v_rows);
    pg_free(k.data);
    pg_free(v.data);
    pg_free(q.data);
}

/* A token, and tokens behind a prompt that others share; a picture and a prompt, a prompt alone, one behind another. */
static const pg_segment mixed[] = {
    {.first = 0, .count = 1, .spans = {{30, 110}, {3, 27}}, .span_count = 2},
    {.first = 1, .count = 3, .spans = {{60, 65}, {1, 3}}, .span_count = 2},
    {.first = 4, .count = 37, .prefix = 25, .spans = {{70, 37}}, .span_count = 1},
    {.first = 41, .count = 19, .spans = {{107, 19}}, .span_count = 1},
    {.first = 60, .count = 21, .prefix = 80, .spans = {{60, 70}, {9, 21}}, .span_count = 2},
};

static void heads_and_types(void **state)
{
    (void)state;
    const int64_t sizes[] = {20, 64, 72, 128, 256, 1, 10, 67, 250}, groups[][2] = {{2, 2}, {8, 1}, {6, 2}};
    const pg_dtype types[] = {PG_F32, PG_BF16, PG_I8};
    if (!device)
        skip();
    for (int i = 0; i < 9 * 3 * 3; i++) {
        if (i / 9 > 4 && (i / 3 + i / 9) % 3 != i % 3) /* rare sizes: each type once */
            continue;
        attention_case c = {.heads = groups[i % 3][0],
                            .kv_heads = groups[i % 3][1],
                            .size = sizes[i / 9],
                            .dtype = types[i / 3 % 3],
                            .batch = {.rows = 81, .single = 4, .segments = mixed, .segment_count = 5},
                            .keys = 140};
        c.compute = PG_COMPUTE_F32;
        check_case(&c);
        c.compute = PG_COMPUTE_BF16;
        check_case(&c);
    }
}

/* More keys than a piece has, tokens that are many at once, and some that see few of their keys. */
static void many_keys(void **state)
{
    (void)state;
    const pg_segment segments[] = {
        {.first = 0, .count = 1, .spans = {{10, 700}}, .span_count = 1},
        {.first = 1, .count = 11, .spans = {{3, 500}, {600, 11}}, .span_count = 2},
        {.first = 12, .count = 2, .prefix = 64, .spans = {{0, 64}}, .span_count = 1},
    };
    if (!device)
        skip();
    for (int64_t kv_heads = 1; kv_heads < 9; kv_heads += 7) {
        attention_case c = {.heads = 8, .kv_heads = kv_heads, .size = 64, .dtype = PG_BF16, .keys = 710};
        c.batch = (pg_batch){.rows = 14, .single = 14, .segments = segments, .segment_count = 3};
        check_case(&c);
    }
}

/* ---------------------------------------------------------------- the way back */

/* The gradients of q, k and v, one behind the other. */
static float *go_back(const attention_case *c, pg_device *on, const pg_tensor *const inputs[3], const float *weights)
{
    pg_tape tape = {0};
    pg_context g = {.kernels = pg_kernels_best(), .threads = 1, .tape = &tape};
    g.compute = on ? c->compute : PG_COMPUTE_F32;
    pg_context_on(&g, on);
    pg_tensor *x[3];
    int64_t count = 0;
    for (int i = 0; i < 3; i++) {
        x[i] = placed(&g, inputs[i]);
        x[i]->tracked = true;
        count += x[i]->rows * x[i]->width;
    }
    pg_tensor *out = pg_attention(&g, x[0], x[1], x[2], c->heads, c->kv_heads, &c->batch);
    CHECK_OK(pg_tape_backward(&g, pg_weighted_sum(&g, out, weights), 1));
    float *gradients = pg_alloc((size_t)count, sizeof *gradients), *at = gradients;
    for (int i = 0; i < 3; at += x[i]->rows * x[i]->width, i++)
        CHECK_OK(pg_values_download(on, at, x[i]->grad, tensor_bytes(x[i])));
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
    return gradients;
}

static void check_back(const attention_case *c)
{
    pg_tensor q = {.rows = c->batch.rows, .width = c->heads * c->size}, k = {.rows = c->keys}, v;
    k.width = c->kv_heads * c->size;
    v = k;
    q.data = draw(q.rows * q.width);
    k.data = draw(k.rows * k.width);
    v.data = draw(k.rows * k.width);
    float *weights = draw(q.rows * q.width);
    const pg_tensor *const inputs[] = {&q, &k, &v};
    float *expected = go_back(c, NULL, inputs, weights), *out = go_back(c, device, inputs, weights);
    float *again = go_back(c, device, inputs, weights);
    const char *names[] = {"dq", "dk", "dv"};
    int64_t at = 0;
    for (int i = 0; i < 3; at += inputs[i]->rows * inputs[i]->width, i++)
        check_near(c, names[i], out + at, expected + at, inputs[i]->rows * inputs[i]->width);
    assert_memory_equal(out, again, (size_t)at * sizeof *out);
    pg_free(expected);
    pg_free(out);
    pg_free(again);
    pg_free(weights);
    for (int i = 0; i < 3; i++)
        pg_free(inputs[i]->data);
}

/* Keys that segments share (mixed), and that none does. */
static void back(void **state)
{
    (void)state;
    const pg_segment apart[] = {{.first = 0, .count = 84, .prefix = 40, .spans = {{0, 84}}, .span_count = 1},
                                {.first = 84, .count = 7, .prefix = 7, .spans = {{84, 7}}, .span_count = 1}};
    const int64_t sizes[] = {20, 64, 72, 128, 256, 5, 10, 67, 250};
    if (!device)
        skip();
    for (int i = 0; i < 9 * 2; i++) {
        attention_case c = {.heads = 4, .kv_heads = i % 2 ? 1 : 4, .size = sizes[i / 2]};
        c.keys = i % 2 ? 140 : 91;
        c.batch = (pg_batch){.rows = 81, .segments = mixed, .segment_count = 5};
        if (i % 2 == 0)
            c.batch = (pg_batch){.rows = 91, .segments = apart, .segment_count = 2};
        c.compute = PG_COMPUTE_F32;
        check_back(&c);
        c.compute = PG_COMPUTE_BF16;
        check_back(&c);
    }
}

/* So few blocks of keys that their lanes are cut into parts: alone, and where segments take turns with shared keys. */
static void parts(void **state)
{
    (void)state;
    const pg_segment alone[] = {{.count = 150, .prefix = 60, .spans = {{1, 150}}, .span_count = 1}};
    const pg_segment shared[] = {
        {.first = 0, .count = 33, .prefix = 100, .spans = {{4, 90}, {94, 33}}, .span_count = 2},
        {.first = 33, .count = 61, .prefix = 90, .spans = {{4, 90}, {130, 61}}, .span_count = 2}};
    const int64_t sizes[] = {20, 72, 256};
    if (!device)
        skip();
    for (int i = 0; i < 3 * 2; i++) {
        attention_case c = {.heads = 8, .kv_heads = 1, .size = sizes[i / 2], .keys = 191};
        c.batch = (pg_batch){.rows = 150, .segments = alone, .segment_count = 1};
        if (i % 2)
            c.batch = (pg_batch){.rows = 94, .segments = shared, .segment_count = 2};
        c.compute = PG_COMPUTE_F32;
        check_back(&c);
        c.compute = PG_COMPUTE_BF16;
        check_back(&c);
    }
}

/* The sums of parts need memory: in f32 nothing else does. */
static size_t memory_of_parts(int64_t segments, int64_t heads)
{
    float sums[1];
    pg_device_attend_back call = {.dk = sums, .dv = sums, .longest = 150, .turns = 1};
    call.forward = (pg_device_attend){.rows = segments * 150,
                                      .key_rows = segments * 150,
                                      .key_width = heads * 32,
                                      .heads = 8 * heads,
                                      .kv_heads = heads,
                                      .size = 32,
                                      .segment_count = segments,
                                      .most_keys = 150};
    return device->kernels->attention->back_scratch(device, &call);
}

static void when_parts(void **state)
{
    (void)state;
    if (!device)
        skip();
    assert_true(memory_of_parts(1, 1) >= 2 * 2 * 150 * 32 * sizeof(float));
    assert_int_equal(memory_of_parts(300, 8), 0);
}

/* ---------------------------------------------------------------- refusals */

static pg_status watched(pg_context *g, int64_t size)
{
    const pg_segment segment = {.count = 2, .spans = {{0, 2}}, .span_count = 1};
    pg_batch batch = {.rows = 2, .segments = &segment, .segment_count = 1};
    pg_tensor *x = pg_tensor_new(g, 2, size);
    pg_attention(g, x, x, x, 1, 1, &batch);
    pg_arena_free(&g->arena);
    return g->status;
}

static void see(void *user, pg_context *g, const pg_attention_view *view)
{
    (void)user;
    (void)g;
    (void)view;
}

static void refusals(void **state)
{
    (void)state;
    if (!device)
        skip();
    pg_context g = {.kernels = pg_kernels_best(), .threads = 1};
    pg_context_on(&g, device);
    CHECK_FAILS(watched(&g, 260), PG_ERROR_UNSUPPORTED, "heads of 260 values");
    g.status = PG_OK;
    g.see_attention = see;
    CHECK_FAILS(watched(&g, 16), PG_ERROR_UNSUPPORTED, "cannot be watched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_and_types), cmocka_unit_test(many_keys),  cmocka_unit_test(back),
        cmocka_unit_test(parts),           cmocka_unit_test(when_parts), cmocka_unit_test(refusals),
    };
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_device_close(device);
    return failed;
}

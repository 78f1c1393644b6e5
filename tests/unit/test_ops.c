/* src/ops: what a row gives alone it gives in company, and a failure stays one. Whole models are compared with the
 * reference in test_golden.c, single kernels in test_kernels.c. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/ops.h"

typedef struct fixture {
    pg_context g;
    uint64_t drawn;
} fixture;

static fixture start(int threads)
{
    return (fixture){.g = {.kernels = pg_kernels_best(), .threads = threads, .compute = PG_COMPUTE_F32}};
}

static pg_tensor *random_tensor(fixture *f, int64_t rows, int64_t width)
{
    pg_tensor *x = pg_tensor_new(&f->g, rows, width);
    assert_non_null(x);
    for (int64_t i = 0; i < rows * width; i++)
        ((float *)x->data)[i] = (float)pg_random_uniform(3, 1, f->drawn++) - 0.5f;
    return x;
}

static pg_parameter random_weight(fixture *f, int64_t rows, int64_t width)
{
    return (pg_parameter){
        .name = "w", .dtype = PG_F32, .rows = rows, .width = width, .data = random_tensor(f, rows, width)->data};
}

static void check_row(const pg_tensor *all, int64_t row, const pg_tensor *alone, int64_t alone_row)
{
    const float *a = (const float *)all->data + row * all->width;
    assert_memory_equal(a, (const float *)alone->data + alone_row * alone->width, (size_t)all->width * sizeof *a);
}

static void gated_mlp_in_pieces(void **state)
{
    (void)state;
    fixture f = start(2);
    pg_tensor *x = random_tensor(&f, 1100, 24);
    pg_parameter gate = random_weight(&f, 40, 24), up = random_weight(&f, 40, 24), down = random_weight(&f, 24, 40);
    x->single = 3;
    pg_tensor *all = pg_gated_mlp(&f.g, x, &gate, &up, &down);
    const int64_t rows[] = {0, 2, 3, 511, 512, 1099};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pg_tensor *one = pg_take_rows(&f.g, x, &rows[i], 1);
        one->single = rows[i] < 3;
        check_row(all, rows[i], pg_gated_mlp(&f.g, one, &gate, &up, &down), 0);
    }
    assert_int_equal(all->single, 3);
    pg_arena_free(&f.g.arena);
}

/* Three sequences of different kinds in one batch, their keys in any order; each again in a batch of its own. */
static void attention_of_a_ragged_batch(void **state)
{
    (void)state;
    fixture f = start(3);
    const int64_t heads = 4, kv_heads = 2, size = 24;
    pg_tensor *q = random_tensor(&f, 150, heads * size);
    pg_tensor *k = random_tensor(&f, 400, kv_heads * size), *v = random_tensor(&f, 400, kv_heads * size);
    const pg_segment segments[] = {
        {.first = 0, .count = 120, .prefix = 120, .spans = {{200, 120}}, .span_count = 1},
        {.first = 120, .count = 1, .prefix = 30, .spans = {{10, 30}, {350, 11}}, .span_count = 2},
        {.first = 121, .count = 29, .prefix = 0, .spans = {{100, 29}}, .span_count = 1},
    };
    pg_batch batch = {.rows = 150, .segments = segments, .segment_count = 3};
    pg_tensor *all = pg_attention(&f.g, q, k, v, heads, kv_heads, &batch);
    for (int i = 0; i < 3; i++) {
        pg_batch alone = {.rows = 150, .segments = &segments[i], .segment_count = 1};
        f.g.threads = 1 + i;
        pg_tensor *one = pg_attention(&f.g, q, k, v, heads, kv_heads, &alone);
        for (int64_t r = segments[i].first; r < segments[i].first + segments[i].count; r++)
            check_row(all, r, one, r);
    }
    pg_arena_free(&f.g.arena);
}

static void losses_are_log_probabilities(void **state)
{
    (void)state;
    fixture f = start(2);
    pg_tensor *logits = random_tensor(&f, 5, 1000);
    const int32_t targets[] = {0, 999, 500, 7, 7};
    float losses[5];
    pg_token_losses(&f.g, losses, logits, targets);
    for (int t = 0; t < 5; t++) {
        double total = 0;
        for (int i = 0; i < 1000; i++)
            total += exp(((float *)logits->data)[t * 1000 + i]);
        assert_true(fabs(losses[t] - (log(total) - ((float *)logits->data)[t * 1000 + targets[t]])) < 1e-5);
    }
    pg_arena_free(&f.g.arena);
}

static void scopes_keep_their_result(void **state)
{
    (void)state;
    fixture f = start(1);
    pg_arena_mark scope = pg_scope_begin(&f.g);
    pg_tensor *x = random_tensor(&f, 100, 100);
    float first = ((float *)x->data)[0], last = ((float *)x->data)[9999];
    for (int i = 0; i < 50; i++) {
        pg_tensor *y = pg_add(&f.g, x, random_tensor(&f, 100, 100));
        memcpy(y->data, x->data, 40000);
        y->single = 7;
        x = pg_scope_end(&f.g, scope, y);
    }
    assert_true(((float *)x->data)[0] == first && ((float *)x->data)[9999] == last);
    assert_int_equal(x->single, 7);
    assert_in_range(pg_arena_size(&f.g.arena), 40000, 1 << 22);
    pg_arena_free(&f.g.arena);
}

static void failures_stay(void **state)
{
    (void)state;
    fixture f = start(1);
    pg_tensor *x = random_tensor(&f, 4, 8);
    pg_parameter w = random_weight(&f, 8, 8), norm = random_weight(&f, 1, 8);
    pg_memory_fail_from(1);
    pg_tensor *y = pg_tensor_new(&f.g, 100000, 1000);
    pg_memory_fail_from(0);
    assert_null(y);
    assert_int_equal(f.g.status, PG_ERROR_MEMORY);
    assert_null(pg_linear(&f.g, y, &w, NULL));
    assert_null(pg_linear(&f.g, x, &w, NULL)); /* the context has failed: nothing more is computed */
    assert_null(pg_add(&f.g, x, pg_rmsnorm(&f.g, y, &norm, 1e-6)));
    f.g.status = PG_OK;
    assert_non_null(pg_linear(&f.g, x, &w, NULL));
    pg_arena_free(&f.g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gated_mlp_in_pieces),
        cmocka_unit_test(attention_of_a_ragged_batch),
        cmocka_unit_test(losses_are_log_probabilities),
        cmocka_unit_test(scopes_keep_their_result),
        cmocka_unit_test(failures_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

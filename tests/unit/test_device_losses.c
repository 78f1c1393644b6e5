/* Losses and the best tokens of a row of logits, on whatever device PG_TEST_DEVICE names: ties, what is no number, rows
 * of one value and of a whole vocabulary. */
#include "device_context.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"

#define VOCABULARY 257216

/* Rows of logits, and a copy where operations read them. */
typedef struct logit_rows {
    int64_t rows, width;
    float *values;
    pg_tensor *tensor;
} logit_rows;

/* Values on a grid of a tenth, so that rows have ties. */
static logit_rows make_rows(int64_t rows, int64_t width)
{
    logit_rows out = {rows, width, pg_alloc((size_t)(rows * width), sizeof(float)), NULL};
    for (int64_t i = 0; i < rows * width; i++)
        out.values[i] = (float)floor(pg_random_uniform(7, (uint64_t)width, (uint64_t)i) * 200 - 100) / 10;
    return out;
}

static void put_rows(logit_rows *l)
{
    l->tensor = pg_tensor_new(&g, l->rows, l->width);
    assert_non_null(l->tensor);
    pg_values_upload(g.device, l->tensor->data, l->values, (size_t)(l->rows * l->width) * sizeof(float));
}

static void free_rows(logit_rows *l)
{
    pg_free(l->values);
    pg_arena_release(&g.arena, (pg_arena_mark){{0, 0}, {0, 0}});
}

static double log_sum_of(const float *x, int64_t count)
{
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        top = fmax(top, x[i]);
    for (int64_t i = 0; i < count; i++)
        sum += exp(x[i] - top);
    return top + log(sum);
}

static void check_near(const char *what, double found, double expected)
{
    if (!(fabs(found - expected) <= 2e-6 * (1 + fabs(expected))) && !(isnan(found) && isnan(expected)))
        fail_msg("%s: %.9g, expected %.9g", what, found, expected);
}

static const int64_t widths[] = {1, 2, 3, 4, 5, 31, 64, 127, 130, 1000, 4095, 4096, 4097, 9001, 12288};
#define WIDTHS (sizeof widths / sizeof *widths)

/* ---------------------------------------------------------------- losses */

static void check_losses(int64_t rows, int64_t width)
{
    logit_rows l = make_rows(rows, width);
    int32_t *targets = pg_alloc((size_t)rows, sizeof *targets);
    float *losses = pg_alloc((size_t)rows, sizeof *losses);
    for (int64_t r = 0; r < rows; r++)
        targets[r] = (int32_t)((r * 7919 + width - 1) % width);
    put_rows(&l);
    pg_token_losses(&g, losses, l.tensor, targets);
    assert_int_equal(g.status, PG_OK);
    for (int64_t r = 0; r < rows; r++)
        check_near("loss", losses[r], log_sum_of(l.values + r * width, width) - l.values[r * width + targets[r]]);
    pg_free(targets);
    pg_free(losses);
    free_rows(&l);
}

static void token_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < WIDTHS; i++)
        check_losses(3, widths[i]);
    check_losses(70, 10);
    check_losses(2, VOCABULARY);
}

/* Logits that are forbidden, infinite, or no number. */
static void losses_of_what_is_not_finite(void **state)
{
    (void)state;
    logit_rows l = make_rows(4, 700);
    const int32_t targets[] = {699, 0, 3, 350};
    float losses[4];
    for (int i = 0; i < 600; i++)
        l.values[i] = -INFINITY;
    l.values[700] = -INFINITY;
    l.values[1400 + 5] = NAN;
    l.values[2100 + 5] = INFINITY;
    put_rows(&l);
    pg_token_losses(&g, losses, l.tensor, targets);
    check_near("forbidden", losses[0], log_sum_of(l.values + 600, 100) - l.values[699]);
    assert_true(isinf(losses[1]) && losses[1] > 0);
    assert_true(isnan(losses[2]));
    assert_false(isfinite(losses[3]));
    free_rows(&l);
}

/* ---------------------------------------------------------------- the best */

static void check_best(logit_rows *l)
{
    int32_t *ids = pg_alloc((size_t)l->rows, sizeof *ids), *alone = pg_alloc((size_t)l->rows, sizeof *alone);
    float *logs = pg_alloc((size_t)l->rows, sizeof *logs);
    put_rows(l);
    pg_best_tokens(&g, ids, logs, l->tensor);
    pg_best_tokens(&g, alone, NULL, l->tensor);
    assert_int_equal(g.status, PG_OK);
    assert_memory_equal(ids, alone, (size_t)l->rows * sizeof *ids);
    for (int64_t r = 0; r < l->rows; r++) {
        const float *row = l->values + r * l->width;
        int32_t best = 0;
        for (int32_t i = 1; i < l->width; i++)
            if (row[i] > row[best])
                best = i;
        assert_int_equal(ids[r], best);
        check_near("log probability", logs[r], row[best] - log_sum_of(row, l->width));
    }
    pg_free(ids);
    pg_free(alone);
    pg_free(logs);
    free_rows(l);
}

static void best_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < WIDTHS; i++) {
        logit_rows l = make_rows(5, widths[i]);
        check_best(&l);
    }
    logit_rows wide = make_rows(2, VOCABULARY), many = make_rows(900, 6);
    wide.values[VOCABULARY - 1] = 11; /* the last of all */
    check_best(&wide);
    check_best(&many);
}

/* The host's rule: the first stays unless something is larger, and nothing is larger than NaN. */
static void best_of_what_is_no_number(void **state)
{
    (void)state;
    logit_rows l = make_rows(5, 5000);
    l.values[0] = NAN;
    l.values[5000 + 4999] = NAN;
    for (int64_t i = 0; i < 5000; i++) {
        l.values[10000 + i] = -INFINITY;
        l.values[15000 + i] = NAN;
        l.values[20000 + i] = i == 4321 ? -1000 : -INFINITY;
    }
    int32_t ids[5];
    put_rows(&l);
    pg_best_tokens(&g, ids, NULL, l.tensor);
    int32_t best = 0;
    for (int32_t i = 1; i < 5000; i++)
        if (l.values[5000 + i] > l.values[5000 + best])
            best = i;
    const int32_t expected[] = {0, best, 0, 0, 4321};
    assert_memory_equal(ids, expected, sizeof ids);
    free_rows(&l);
}

/* ---------------------------------------------------------------- the diagonal */

static void largest_on_the_diagonal(void **state)
{
    (void)state;
    logit_rows l = make_rows(300, 301);
    for (int64_t r = 0; r < 300; r += 3)
        l.values[r * 301 + r] = r % 2 ? 20 : 9.9f; /* 9.9: a tie, where another has it too */
    put_rows(&l);
    float *hits = pg_scratch_values(&g, 300 * sizeof *hits);
    pg_largest_on_diagonal(&g, hits, l.tensor);
    const float *found = pg_to_host(&g, hits, 300 * sizeof *hits);
    assert_non_null(found);
    for (int64_t r = 0; r < 300; r++) {
        bool largest = true;
        for (int64_t i = 0; i < 301; i++)
            largest = largest && !(l.values[r * 301 + i] > l.values[r * 301 + r]);
        assert_true(found[r] == largest);
    }
    free_rows(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_losses),
        cmocka_unit_test(losses_of_what_is_not_finite),
        cmocka_unit_test(best_tokens),
        cmocka_unit_test(best_of_what_is_no_number),
        cmocka_unit_test(largest_on_the_diagonal),
    };
    cmocka_set_test_filter(getenv("PG_TEST_FILTER"));
    return cmocka_run_group_tests(tests, open_context, close_context);
}

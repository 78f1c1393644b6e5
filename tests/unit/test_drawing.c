/* Draws among logits that lie on the device that PG_TEST_DEVICE names: the tokens that the host draws. Without a device
 * there is nothing to compare. */
#include "device_context.h"

#include <math.h>

#include "base/logit_parts.h"
#include "base/random.h"
#include "generate/drawing.h"

#define MOST 20000

enum { NUMBERS = 24 };

static float row[MOST];
static pg_choice choices[MOST], scratch[MOST];

/* Values on a grid, so that there are ties; some tokens are ruled out. */
static void make_row(int64_t width, double spread)
{
    for (int64_t i = 0; i < width; i++) {
        double drawn = pg_random_uniform(3, (uint64_t)width, (uint64_t)i);
        row[i] = drawn < 0.01 ? -INFINITY : (float)(floor(pow(drawn, 6) * spread * 50) / 50);
    }
    row[width / 2] = (float)spread / 3;
}

static pg_logits put_row(int64_t width)
{
    pg_tensor *x = pg_tensor_new(&g, 1, width);
    pg_logits out = {.count = width};
    assert_non_null(x);
    pg_values_upload(g.device, x->data, row, (size_t)width * sizeof *row);
    pg_best_tokens(&g, &out.best, &out.best_logprob, x);
    out.on_device = x->data;
    return out;
}

static double log_sum(int64_t width)
{
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += exp((double)row[i]);
    return log(sum);
}

/* `found` says whether the device must know the answer. */
static void check_draws(int64_t width, const pg_sampling *sampling, bool found)
{
    pg_arena_mark mark = pg_arena_get_mark(&g.arena);
    pg_logits logits = put_row(width);
    size_t count = pg_sampling_filter(choices, row, width, sampling);
    for (int i = 0; i < NUMBERS; i++) {
        double number = i == 0 ? 0 : i == 1 ? 0.999999 : pg_random_uniform(11, 0, (uint64_t)i);
        int32_t expected = choices[pg_sampling_draw(choices, count, number)].id;
        pg_drawn drawn;
        CHECK_OK(pg_draw_on_device(&drawn, &g, &logits, sampling, number, scratch));
        assert_int_equal(drawn.found, found);
        if (found && drawn.place != expected)
            fail_msg("width %d, temperature %g, top_k %d, top_p %g, min_p %g, number %.17g: %d, expected %d",
                     (int)width, sampling->temperature, (int)sampling->top_k, sampling->top_p, sampling->min_p, number,
                     drawn.place, expected);
        if (found)
            assert_float_equal(drawn.logprob, row[expected] - log_sum(width), 1e-5);
    }
    pg_arena_release(&g.arena, mark);
}

static void draws(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 5, 511, 513, 4096, MOST};
    static const double temperatures[] = {1, 0.3, 2.5};
    if (!g.device)
        skip();
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        int64_t width = widths[w], pieces = pg_weighed_count(width);
        make_row(width, 12);
        for (size_t t = 0; t < 3; t++) {
            const pg_sampling plain = {.repetition_penalty = 1, .temperature = temperatures[t], .top_p = 1};
            pg_sampling nucleus = plain, likely = plain, best = plain, all = plain;
            nucleus.top_p = 0.5;
            likely.min_p = 0.05;
            best.top_k = 5;
            all.top_k = 4;
            all.top_p = 0.7;
            all.min_p = 0.1;
            check_draws(width, &plain, true);
            check_draws(width, &nucleus, width <= PG_LISTED_MOST || temperatures[t] < 2);
            check_draws(width, &likely, true);
            check_draws(width, &best, pieces >= 5);
            check_draws(width, &all, pieces >= 4);
        }
    }
}

/* More logits than have room: all of them weigh about the same. */
static void too_many(void **state)
{
    (void)state;
    const pg_sampling nucleus = {.repetition_penalty = 1, .temperature = 1, .top_p = 0.9};
    if (!g.device)
        skip();
    make_row(MOST, 0.5);
    check_draws(MOST, &nucleus, false);
}

/* Weights that are no numbers, because a temperature is next to nothing, are left to the host. */
static void too_cold(void **state)
{
    (void)state;
    const pg_sampling cold = {.repetition_penalty = 1, .temperature = 1e-40, .top_p = 1};
    if (!g.device)
        skip();
    make_row(100, 5);
    check_draws(100, &cold, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),
        cmocka_unit_test(too_many),
        cmocka_unit_test(too_cold),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}

/* Calibration error, Brier score and temperature against numpy, scikit-learn and scipy. */
#include "check.h"

#include <math.h>

#include "metrics/reliability.h"

#define COUNT 40

static const double confidences[COUNT] = {0,    1,    1.0 / 15, 0.58, 0.09, 0.43, 0.48, 0.16, 0.73, 0.11,
                                          0.39, 0.52, 0.43,     0.59, 0.74, 0.96, 0.28, 0.65, 0.7,  0.29,
                                          0,    0.97, 0.3,      0.31, 0.89, 0.59, 0.47, 0.77, 0.03, 0.71,
                                          0.37, 0.09, 0.66,     0.93, 0.21, 0.63, 0.3,  0.74, 0.72, 0.22};
static const bool right[COUNT] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0,
                                  0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0};

static void figures_are_the_reference_s(void **state)
{
    (void)state;
    pg_reliability_scores scores;
    CHECK_OK(pg_reliability(&scores, confidences, right, COUNT));
    assert_true(fabs(scores.calibration_error - 0.17466666666666666) < 1e-12);
    assert_true(fabs(scores.brier - 0.18378611111111112) < 1e-12);
    assert_int_equal(scores.bins[0].count, 4); /* 0, 0, 0.03, and 1/15 itself */
    assert_true(scores.bins[0].accuracy == 0 && fabs(scores.bins[0].confidence - (0.03 + 1.0 / 15) / 4) < 1e-12);
    assert_int_equal(scores.bins[14].count, 3); /* 1 itself too */
    size_t sum = 0;
    for (int i = 0; i < PG_RELIABILITY_BINS; i++)
        sum += scores.bins[i].count;
    assert_int_equal(sum, COUNT);
}

static void nothing_is_an_answer_too(void **state)
{
    (void)state;
    pg_reliability_scores scores;
    CHECK_OK(pg_reliability(&scores, NULL, NULL, 0));
    assert_true(scores.calibration_error == 0 && scores.brier == 0);
}

static void temperature_fits_best(void **state)
{
    (void)state;
    double temperature;
    CHECK_OK(pg_temperature_fit(&temperature, confidences, right, COUNT));
    assert_true(fabs(temperature - 1.2475545671067096) < 1e-6);
    assert_true(fabs(pg_temperature_apply(0.8, 1) - 0.8) < 1e-12);
    assert_true(fabs(pg_temperature_apply(0.8, 2) - 2.0 / 3) < 1e-12); /* odds 4 become 2 */
    assert_true(pg_temperature_apply(0, 1) < 1e-8 && pg_temperature_apply(1, 1) > 1 - 1e-8);
    CHECK_OK(pg_temperature_fit(&temperature, (double[]){0.6}, (bool[]){true}, 1)); /* the surer the better */
    assert_true(temperature < 0.05);
    CHECK_OK(pg_temperature_fit(&temperature, (double[]){0.5}, (bool[]){true}, 1)); /* all are as good */
    assert_true(temperature == 1);
}

static void what_is_no_confidence_is_named(void **state)
{
    (void)state;
    pg_reliability_scores scores;
    double temperature;
    CHECK_FAILS(pg_reliability(&scores, (double[]){0.5, 1.5}, right, 2), PG_ERROR_ARGUMENT, "confidence 1 is 1.5");
    CHECK_FAILS(pg_temperature_fit(&temperature, (double[]){NAN}, right, 1), PG_ERROR_ARGUMENT, "confidence 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_the_reference_s),
        cmocka_unit_test(nothing_is_an_answer_too),
        cmocka_unit_test(temperature_fits_best),
        cmocka_unit_test(what_is_no_confidence_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

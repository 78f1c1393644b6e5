/* Calibration error, Brier score and correction against numpy, scikit-learn and scipy. */
#include "check.h"

#include <math.h>

#include "metrics/reliability.h"

#define COUNT     40
#define SLOPE     0.5012259772299663
#define INTERCEPT -0.6552117517768961

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

static void correction_fits_best(void **state)
{
    (void)state;
    pg_correction fitted;
    CHECK_OK(pg_correction_fit(&fitted, confidences, right, COUNT));
    assert_true(fabs(fitted.slope - SLOPE) < 1e-6);
    assert_true(fabs(fitted.intercept - INTERCEPT) < 1e-6);
    const pg_correction half = {0.5, 0}, none = {1, 0};
    assert_true(fabs(pg_correction_apply(0.8, &none) - 0.8) < 1e-12);
    assert_true(fabs(pg_correction_apply(0.8, &half) - 2.0 / 3) < 1e-12); /* odds 4 become 2 */
    assert_true(pg_correction_apply(0, &none) < 1e-8 && pg_correction_apply(1, &none) > 1 - 1e-8);
}

/* Platt's targets keep the correction finite where everything was right. */
static void little_to_fit(void **state)
{
    (void)state;
    pg_correction fitted;
    CHECK_OK(pg_correction_fit(&fitted, NULL, NULL, 0));
    assert_true(fitted.slope == 1 && fitted.intercept == 0);
    CHECK_OK(pg_correction_fit(&fitted, (double[]){0.9, 0.9}, (bool[]){true, true}, 2));
    assert_true(fabs(pg_correction_apply(0.9, &fitted) - 0.75) < 1e-6); /* (2 + 1) / (2 + 2) */
}

static void what_is_no_confidence_is_named(void **state)
{
    (void)state;
    pg_reliability_scores scores;
    pg_correction fitted;
    CHECK_FAILS(pg_reliability(&scores, (double[]){0.5, 1.5}, right, 2), PG_ERROR_ARGUMENT, "confidence 1 is 1.5");
    CHECK_FAILS(pg_correction_fit(&fitted, (double[]){NAN}, right, 1), PG_ERROR_ARGUMENT, "confidence 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_the_reference_s),    cmocka_unit_test(nothing_is_an_answer_too),
        cmocka_unit_test(correction_fits_best),           cmocka_unit_test(little_to_fit),
        cmocka_unit_test(what_is_no_confidence_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

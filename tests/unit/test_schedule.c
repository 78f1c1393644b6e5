/* Schedules: the training references' rates, the ends, what is refused. */
#include "check.h"

#include <math.h>

#include "base/json.h"
#include "train/schedule.h"

static void assert_rate(const pg_schedule *s, int64_t i, double expected)
{
    double found = pg_schedule_rate(s, i);
    if (!(fabs(found - expected) <= 1e-15 + 1e-12 * fabs(expected)))
        fail_msg("%s, step %lld: %.15g, expected %.15g", pg_schedule_name(s->kind), (long long)i, found, expected);
}

static void cosine_is_that_of_the_references(void **state)
{
    (void)state;
    json_t *cases;
    CHECK_OK(pg_json_load(&cases, PG_TESTS_FOLDER "/golden/training-optimizers/cases.json"));
    const json_t *rates = json_object_get(json_object_get(cases, "adamw"), "rates");
    pg_schedule s;
    pg_schedule_init(&s);
    s.base = 1e-2;
    s.total = 10;
    s.warm = 2;
    CHECK_OK(pg_schedule_check(&s));
    assert_true(json_array_size(rates) >= 6);
    for (size_t i = 0; i < json_array_size(rates); i++)
        assert_rate(&s, (int64_t)i, json_number_value(json_array_get(rates, i)));
    assert_rate(&s, 10, 0);
    assert_rate(&s, 1000, 0);
    json_decref(cases);
}

static void every_kind_begins_and_ends_as_told(void **state)
{
    (void)state;
    for (int kind = 0; kind < PG_SCHEDULE_COUNT; kind++) {
        pg_schedule s;
        pg_schedule_init(&s);
        assert_true(pg_schedule_parse(&s.kind, pg_schedule_name((pg_schedule_kind)kind)));
        s.base = 3;
        s.total = 1000;
        s.final = 0.1;
        s.timescale = 50;
        CHECK_OK(pg_schedule_check(&s));
        assert_int_equal(pg_schedule_warm(&s), 50);
        assert_rate(&s, 0, 0);
        assert_rate(&s, 25, 1.5);
        assert_rate(&s, 50, 3);
        for (int64_t i = 50; i < 1100; i++)
            assert_true(pg_schedule_rate(&s, i + 1) <= pg_schedule_rate(&s, i));
    }
    pg_schedule s = {PG_SCHEDULE_LINEAR, 2, 100, 0, 0, 0.5, 0};
    assert_rate(&s, 0, 2);
    assert_rate(&s, 50, 1.5);
    assert_rate(&s, 100, 1);
    s = (pg_schedule){PG_SCHEDULE_CONSTANT, 2, 100, 100, 0, 0.5, 0};
    assert_rate(&s, 99, 1.98);
    assert_rate(&s, 100, 2);
    s = (pg_schedule){PG_SCHEDULE_RSQRT, 2, 100000, 10, 0, 0.25, 30};
    assert_rate(&s, 100, 1);
    assert_rate(&s, 99999, 0.5);
    s = (pg_schedule){PG_SCHEDULE_COSINE, 2, 100, 0, 0, 0.5, 0};
    assert_rate(&s, 50, 1.5);
    assert_rate(&s, 100, 1);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    const pg_schedule good = {PG_SCHEDULE_RSQRT, 1e-5, 100, -1, 0.05, 0, 10};
    pg_schedule s = good;
    pg_schedule_kind kind;
    CHECK_OK(pg_schedule_check(&s));
    s.base = -1;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "learning rate is -1");
    s = good;
    s.total = 0;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "0 steps");
    s = good;
    s.warm = 101;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "101 steps of warm-up in a run of 100");
    s = good;
    s.warm_share = NAN;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "share of warm-up");
    s = good;
    s.final = 1.5;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "final share is 1.5");
    s = good;
    s.timescale = 0;
    CHECK_FAILS(pg_schedule_check(&s), PG_ERROR_ARGUMENT, "time scale");
    assert_false(pg_schedule_parse(&kind, "cosin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosine_is_that_of_the_references),
        cmocka_unit_test(every_kind_begins_and_ends_as_told),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

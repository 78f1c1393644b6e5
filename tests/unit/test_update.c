/* The loops of a training step: every table of kernels against the reference, at lengths around the vector width. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "kernels/update_loops.h"

#define MOST 256
static const int64_t lengths[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 100, 255, 256};
#define LENGTHS (sizeof lengths / sizeof *lengths)

static const pg_adam_step adam_step = {0.7f, 0.1f, 0.99f, 0.01f, 0.999f, 0.02f, 1.3f, 1e-6f};

static uint64_t drawn;

static float draw(void)
{
    return (float)(pg_random_uniform(3, 0, drawn++) * 4 - 2);
}

/* One float past an aligned address, and NaN behind the last: nobody may look there. */
static void draw_many(float memory[MOST + 2], int64_t n, bool positive)
{
    for (int64_t i = 0; i < MOST + 2; i++)
        memory[i] = i > n ? NAN : positive ? fabsf(draw()) : draw();
}

static void compare(const char *what, const pg_kernels *kernels, const float *found, const float *expected, int64_t n,
                    double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
            fail_msg("%s %s, value %lld of %lld: %.9g, expected %.9g", kernels->name, what, (long long)i, (long long)n,
                     (double)found[i], (double)expected[i]);
    for (int64_t i = n; i < MOST + 1; i++)
        assert_true(isnan(found[i]));
}

static void check_sums(const pg_kernels *kernels, int64_t n)
{
    float x[MOST + 2], factor[MOST + 2];
    double sums[MOST] = {0}, plain = 0, weighted = 0;
    draw_many(x, n, false);
    draw_many(factor, n, false);
    for (int64_t i = 1; i <= n; i++) {
        float product = x[i] * factor[i];
        plain += (double)x[i] * x[i];
        weighted += (double)product * product;
    }
    assert_true(fabs(kernels->update->squares(x + 1, NULL, n) - plain) <= 1e-13 * plain);
    assert_true(fabs(kernels->update->squares(x + 1, factor + 1, n) - weighted) <= 1e-6 * weighted);
    kernels->update->add_squares(sums, x + 1, n);
    kernels->update->add_squares(sums, x + 1, n);
    for (int64_t i = 0; i < n; i++)
        assert_true(sums[i] == 2 * ((double)x[i + 1] * x[i + 1]));
}

/* A step by this table and by the reference, from the same values. */
static void check_steps(const pg_kernels *kernels, int64_t n)
{
    float grad[MOST + 2], factor[MOST + 2], mine[4][MOST + 2], theirs[4][MOST + 2];
    const pg_update_kernels *reference = pg_kernels_at(0)->update, *update = kernels->update;
    const pg_sgd_step sgd = {0.5f, 0.01f, 0.9f, 0.1f};
    draw_many(grad, n, false);
    draw_many(factor, n, true);
    for (int i = 0; i < 4; i++) {
        draw_many(mine[i], n, i == 2);
        memcpy(theirs[i], mine[i], sizeof mine[i]);
    }
    update->adam(mine[0] + 1, mine[1] + 1, mine[2] + 1, grad + 1, n, &adam_step);
    reference->adam(theirs[0] + 1, theirs[1] + 1, theirs[2] + 1, grad + 1, n, &adam_step);
    update->blend(mine[3] + 1, mine[0] + 1, n, 0.3f);
    reference->blend(theirs[3] + 1, theirs[0] + 1, n, 0.3f);
    for (int i = 0; i < 4; i++)
        compare("adam and blend", kernels, mine[i] + 1, theirs[i] + 1, n, 1e-6);
    update->sgd(mine[0] + 1, mine[1] + 1, grad + 1, n, &sgd);
    reference->sgd(theirs[0] + 1, theirs[1] + 1, grad + 1, n, &sgd);
    update->sgd(mine[3] + 1, NULL, grad + 1, n, &sgd);
    reference->sgd(theirs[3] + 1, NULL, grad + 1, n, &sgd);
    update->factored(mine[2] + 1, grad + 1, factor + 1, n, 0.99f, 0.2f);
    reference->factored(theirs[2] + 1, grad + 1, factor + 1, n, 0.99f, 0.2f);
    for (int i = 0; i < 4; i++)
        compare("sgd and factored", kernels, mine[i] + 1, theirs[i] + 1, n, 2e-6);
}

static void every_table_steps_alike(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t i = 0; i < LENGTHS; i++) {
            check_sums(pg_kernels_at(t), lengths[i]);
            check_steps(pg_kernels_at(t), lengths[i]);
        }
}

/* ---------------------------------------------------------------- 8-bit moments */

typedef struct coded_block {
    float values[MOST + 2], scales[2];
    int8_t m[MOST];
    uint8_t v[MOST];
} coded_block;

/* Sums are rounded in other orders, so a code may fall on the other side of its random number now and then. */
static void codes_are_those_of_the_reference(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (size_t i = 0; i < LENGTHS; i++) {
            int64_t n = lengths[i];
            coded_block mine = {.scales = {0}}, theirs = {.scales = {0}};
            float grad[MOST + 2];
            draw_many(mine.values, n, false);
            memcpy(theirs.values, mine.values, sizeof mine.values);
            for (uint32_t step = 0; step < 20; step++) {
                draw_many(grad, n, false);
                pg_kernels_at(t)->update->adam8(mine.values + 1, mine.m, mine.v, mine.scales, grad + 1, n, &adam_step,
                                                step);
                pg_kernels_at(0)->update->adam8(theirs.values + 1, theirs.m, theirs.v, theirs.scales, grad + 1, n,
                                                &adam_step, step);
                int differ = 0;
                for (int64_t j = 0; j < n; j++) {
                    assert_true(abs(mine.m[j] - theirs.m[j]) <= 1 && abs(mine.v[j] - theirs.v[j]) <= 1);
                    differ += mine.m[j] != theirs.m[j] || mine.v[j] != theirs.v[j];
                }
                assert_true(differ <= 1 + n / 64);
                compare("adam8", pg_kernels_at(t), mine.values + 1, theirs.values + 1, n, 1e-3);
                theirs = mine; /* a code that went the other way would lead on to others */
            }
        }
}

/* The mean of many roundings is what was rounded, and a small second moment is never forgotten. */
static void codes_are_right_on_average(void **state)
{
    (void)state;
    const pg_adam_step keep = {.grad_scale = 1, .new1 = 1, .new2 = 1, .keep = 1, .epsilon = 1};
    for (int t = 0; pg_kernels_at(t); t++) {
        float grad[MOST], values[MOST] = {0};
        double m_sum[MOST] = {0}, v_sum[MOST] = {0};
        const int rounds = 4000;
        for (int i = 0; i < MOST; i++)
            grad[i] = i ? draw() * powf(10, -(float)(i % 4)) : 2;
        for (int round = 0; round < rounds; round++) {
            int8_t m[MOST] = {0};
            uint8_t v[MOST] = {0};
            float scales[2] = {0};
            pg_kernels_at(t)->update->adam8(values, m, v, scales, grad, MOST, &keep, (uint32_t)round * 77);
            for (int i = 0; i < MOST; i++) {
                assert_true(v[i] > 0);
                m_sum[i] += scales[0] * (m[i] / 127.0 * fabs(m[i] / 127.0)) / rounds;
                v_sum[i] += scales[1] * pow(v[i] / 255.0, 4) / rounds;
            }
        }
        for (int i = 0; i < MOST; i++) {
            assert_true(fabs(m_sum[i] - grad[i]) < 0.002);
            assert_true(fabs(v_sum[i] - (double)grad[i] * grad[i]) < 0.004);
        }
    }
}

/* Gradients of 0 leave nothing, gradients near the smallest floats no NaN. */
static void tiny_moments_are_kept(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int exponent = 0; exponent < 3; exponent++) {
            float grad[MOST] = {0}, values[MOST] = {0}, scales[2] = {0};
            int8_t m[MOST] = {0};
            uint8_t v[MOST] = {0};
            for (int i = 0; i < MOST && exponent; i += 2)
                grad[i] = exponent == 1 ? 1e-22f : 1e-39f;
            for (uint32_t step = 0; step < 3; step++)
                pg_kernels_at(t)->update->adam8(values, m, v, scales, grad, MOST, &adam_step, step);
            for (int i = 0; i < MOST; i++) {
                assert_true(isfinite(values[i]));
                assert_true(grad[i] != 0 || (m[i] == 0 && v[i] == 0 && values[i] == 0));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_steps_alike),
        cmocka_unit_test(codes_are_those_of_the_reference),
        cmocka_unit_test(codes_are_right_on_average),
        cmocka_unit_test(tiny_moments_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

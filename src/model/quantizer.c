#include "model/quantizer.h"

#include <math.h>
#include <string.h>

#include "base/numbers.h"

#define ROWS PG_QUANTIZED_ROWS
#define STEP PG_QUANTIZED_STEP

#define STEPS_MAX   (256 / STEP) /* of a block */
#define NOTHING     1e-35f      /* a block whose values are smaller than this is zero: a scale must have a reciprocal */
#define ROUNDER     12582912.0f /* 1.5 * 2^23: what is added to it is rounded to a whole number */
#define SEARCH_FROM 0.8f        /* how much of the largest values may be cut off */
#define SEARCH_BY   0.05f

/* The bf16 that is not smaller, so that the largest value fits. */
static float round_scale(float scale, uint16_t *stored)
{
    *stored = pg_bf16_from_float(scale);
    if (pg_bf16_to_float(*stored) < scale)
        ++*stored;
    return pg_bf16_to_float(*stored);
}

static bool all_finite(const float *values, int64_t count)
{
    float strange = 0;
    for (int64_t i = 0; i < count; i++)
        strange += values[i] - values[i]; /* 0, or NaN */
    return strange == 0;
}

/* ---------------------------------------------------------------- scales and steps */

/* The unit of 16 values with which none of them is cut off at -8 or 7. */
static float widest_unit(const float *values)
{
    float low = 0, high = 0;
    for (int i = 0; i < STEP; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    return high / 7 > low / -8 ? high / 7 : low / -8;
}

/* The squared error of 16 values that are rounded to -8 .. 7 units. */
static float rounding_error(const float *values, float unit)
{
    float factor = 1 / unit, error = 0;
    for (int i = 0; i < STEP; i++) {
        float whole = values[i] * factor;
        whole = whole < -8 ? -8 : whole > 7 ? 7 : whole;
        whole = whole + ROUNDER - ROUNDER;
        float off = values[i] - whole * unit;
        error += off * off;
    }
    return error;
}

/* The best step for 16 values under a scale, and its error. */
static float choose_step(uint8_t *step, const float *values, float widest, float scale)
{
    int most = (int)ceilf(widest / scale), least = (int)(widest / scale * SEARCH_FROM * 0.9f);
    float best = INFINITY;
    most = most > 15 ? 15 : most;
    least = least > most ? most : least;
    for (int s = least; s <= most; s++) {
        float error = 0;
        if (s > 0)
            error = rounding_error(values, (float)s * scale);
        else
            for (int i = 0; i < STEP; i++)
                error += values[i] * values[i];
        if (error < best) {
            best = error;
            *step = (uint8_t)s;
        }
    }
    return best;
}

/* Scale and steps of a block of `count` inputs. */
static float choose_steps(uint16_t *stored, uint8_t *steps, const float *values, int64_t count)
{
    float widest[STEPS_MAX], top = 0, best = INFINITY, chosen = 0;
    for (int64_t j = 0; j < count / STEP; j++) {
        widest[j] = widest_unit(values + j * STEP);
        top = widest[j] > top ? widest[j] : top;
    }
    *stored = 0;
    memset(steps, 0, STEPS_MAX);
    if (top < NOTHING)
        return 0;
    for (int k = 0; SEARCH_FROM + (float)k * SEARCH_BY < 1 + SEARCH_BY / 2; k++) {
        uint16_t trial_stored;
        uint8_t trial[STEPS_MAX];
        float scale = round_scale(top / 15 * (SEARCH_FROM + (float)k * SEARCH_BY), &trial_stored), error = 0;
        for (int64_t j = 0; j < count / STEP; j++)
            error += choose_step(&trial[j], values + j * STEP, widest[j], scale);
        if (error < best) {
            best = error;
            chosen = scale;
            *stored = trial_stored;
            memcpy(steps, trial, (size_t)(count / STEP));
        }
    }
    return chosen;
}

static float choose_scale(uint16_t *stored, const float *values, int64_t count)
{
    float top = 0;
    for (int64_t i = 0; i < count; i++)
        top = fabsf(values[i]) > top ? fabsf(values[i]) : top;
    *stored = 0;
    return top < NOTHING ? 0 : round_scale(top / 127, stored);
}

/* ---------------------------------------------------------------- a group */

/* units[i / 16][row]: what 1 is worth in that row's 16 inputs; 0: all of them become zero. */
typedef struct group_work {
    float *rows;   /* [16][padded] */
    float *units;  /* [padded / 16][16] */
    float *errors; /* [window][16]: rounded - wanted, with feedback */
} group_work;

static size_t units_floats(const pg_quantized *to)
{
    return (size_t)pg_quantized_padded(to->inputs) / STEP * ROWS;
}

size_t pg_quantize_scratch(const pg_quantized *to)
{
    size_t padded = (size_t)pg_quantized_padded(to->inputs);
    return (2 * padded * ROWS + units_floats(to)) * sizeof(float);
}

/* Chooses the scales (and steps) of row r and stores them. */
static void scale_row(const pg_quantized_parts *out, const pg_quantized *to, const group_work *work, int64_t r)
{
    int64_t padded = pg_quantized_padded(to->inputs);
    for (int64_t first = 0; first < padded; first += to->block) {
        int64_t count = pg_smaller(padded - first, to->block);
        const float *values = work->rows + r * padded + first;
        uint16_t *stored = out->scales + pg_quantized_scale_place(to, r, first);
        uint8_t steps[STEPS_MAX];
        float scale = to->bits == 8 ? choose_scale(stored, values, count) : choose_steps(stored, steps, values, count);
        for (int64_t i = first; i < first + count; i += STEP) {
            float *unit = work->units + i / STEP * ROWS + r;
            *unit = scale;
            if (to->bits == 4) {
                uint8_t step = steps[(i - first) / STEP];
                uint8_t *pair = out->steps + pg_quantized_step_place(to, r, i);
                *pair = (uint8_t)(i % 32 ? *pair | step << 4 : step);
                *unit *= step;
            }
        }
    }
}

/* Rounds input i of all rows, whose wanted values are given; they become what was made of them. */
static void round_input(const pg_quantized_parts *out, const pg_quantized *to, const float *units, int64_t i,
                        float values[ROWS])
{
    bool bytes = to->bits == 8, high_half = !bytes && i % PG_QUANTIZED_INPUTS >= STEP;
    float low = bytes ? -127 : -8, high = bytes ? 127 : 7;
    uint8_t *at = out->values + pg_quantized_place(to, 0, i);
    for (int64_t r = 0; r < ROWS; r++, at += 4) {
        float unit = units[i / STEP * ROWS + r], whole = unit > 0 ? values[r] / unit : 0;
        whole = whole < low ? low : whole > high ? high : whole;
        whole = whole + ROUNDER - ROUNDER;
        int byte = (int)whole + (bytes ? 128 : 8);
        *at = (uint8_t)(*at | (high_half ? byte << 4 : byte));
        values[r] = whole * unit;
    }
}

/* What is wanted of an input after the errors of the `k` before it. Nearly all of the time goes here: sums of even and
 * odd errors, so that no addition waits for the one before it. */
static void feed_back(float values[ROWS], const float *errors, const float *factors, int64_t k)
{
    float even[ROWS] = {0}, odd[ROWS] = {0};
    int64_t j = 0;
    for (; j + 1 < k; j += 2)
        for (int64_t r = 0; r < ROWS; r++) {
            even[r] += errors[j * ROWS + r] * factors[j];
            odd[r] += errors[(j + 1) * ROWS + r] * factors[j + 1];
        }
    for (int64_t r = 0; r < ROWS; r++)
        values[r] -= even[r] + odd[r] + (j < k ? errors[j * ROWS + r] * factors[j] : 0);
}

/* Values are put together from halves: what was there must be zero. */
static void round_inputs(const pg_quantized_parts *out, const pg_quantized *to, const group_work *work,
                         const pg_feedback *feedback)
{
    int64_t padded = pg_quantized_padded(to->inputs), window = feedback ? feedback->window : padded;
    memset(out->values, 0, (size_t)pg_quantized_group_bytes(to));
    for (int64_t place = 0; place < padded; place++) {
        bool fed = feedback && place < to->inputs;
        int64_t i = fed ? feedback->order[place] : place, k = place % window;
        float values[ROWS], *errors = work->errors + k * ROWS;
        for (int64_t r = 0; r < ROWS; r++)
            values[r] = work->rows[r * padded + i];
        if (fed)
            feed_back(values, work->errors, feedback->factors[place / window] + k * window, k);
        round_input(out, to, work->units, i, values);
        for (int64_t r = 0; fed && r < ROWS; r++)
            errors[r] = values[r] - work->rows[r * padded + i];
    }
}

bool pg_quantize_group(const pg_quantized_parts *out, const pg_quantized *to, const float *rows,
                       const pg_feedback *feedback, void *scratch)
{
    int64_t padded = pg_quantized_padded(to->inputs);
    group_work work = {.rows = scratch};
    work.units = work.rows + padded * ROWS;
    work.errors = work.units + units_floats(to);
    if (!all_finite(rows, ROWS * to->inputs))
        return false;
    memset(work.rows, 0, (size_t)(padded * ROWS) * sizeof *work.rows);
    for (int64_t r = 0; r < ROWS; r++) {
        memcpy(work.rows + r * padded, rows + r * to->inputs, (size_t)to->inputs * sizeof *rows);
        scale_row(out, to, &work, r);
    }
    round_inputs(out, to, &work, feedback);
    return true;
}

/* With H = U D U^T, e H e^T is the sum over i of D[i] (e[i] + sum over j < i of e[j] U[j][i])^2. */
double pg_feedback_square(const pg_feedback *feedback, const float *rows, void *scratch)
{
    int64_t window = feedback->window;
    float *errors = scratch; /* [window][16]: -e */
    double sum = 0;
    for (int64_t place = 0; place < feedback->inputs; place++) {
        int64_t i = feedback->order[place], k = place % window;
        float values[ROWS];
        for (int64_t r = 0; r < ROWS; r++) {
            values[r] = rows[r * feedback->inputs + i];
            errors[k * ROWS + r] = -values[r];
        }
        feed_back(values, errors, feedback->factors[place / window] + k * window, k);
        for (int64_t r = 0; r < ROWS; r++)
            sum += (double)feedback->pivots[place] * values[r] * values[r];
    }
    return sum;
}

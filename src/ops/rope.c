/* Rotary position embeddings (Su et al. 2021) as Gemma has them: halves, frequencies and angles in f32. */
#include <math.h>

#include "kernels/device_rows.h"
#include "kernels/kernels.h"
#include "ops/rows.h"

typedef struct angle_run {
    pg_tensor *out;
    const int32_t *positions;
    const float *frequencies;
} angle_run;

static void angle_row(void *context, int64_t row)
{
    const angle_run *run = context;
    float *out = pg_row(run->out, row), position = (float)run->positions[row];
    int64_t half = run->out->width / 2;
    for (int64_t i = 0; i < half; i++) {
        float angle = position * run->frequencies[i];
        out[i] = cosf(angle);
        out[half + i] = sinf(angle);
    }
}

pg_tensor *pg_rope_angles(pg_context *g, const int32_t *positions, int64_t count, int64_t size, double theta)
{
    PG_PROFILE(g, "rope_angles", NULL);
    pg_tensor *out = pg_tensor_new(g, count, size);
    float *frequencies = pg_scratch(g, (size_t)size / 2 * sizeof *frequencies);
    if (!frequencies)
        return NULL;
    for (int64_t i = 0; i < size / 2; i++)
        frequencies[i] = 1.0f / powf((float)theta, (float)(2 * i) / (float)size);
    angle_run run = {out, positions, frequencies};
    if (g->device)
        PG_DEVICE(g, rows, rope_angles, out->data, positions, frequencies, count, size);
    else
        pg_each_row(g, count, size * 16, angle_row, &run); /* a cosine costs about 16 simple steps */
    return out;
}

typedef struct rope_run {
    const pg_kernels *kernels;
    pg_tensor *x;
    const pg_tensor *angles;
    pg_tensor *out;
    float *back; /* [rows][width] scratch of the way back */
} rope_run;

static void rotate_row(void *context, int64_t row)
{
    const rope_run *run = context;
    const float *angles = pg_row(run->angles, row);
    int64_t size = run->angles->width;
    for (int64_t at = 0; at < run->x->width; at += size)
        run->kernels->rotate(pg_row(run->out, row) + at, pg_row(run->x, row) + at, angles, angles + size / 2, size);
}

/* The derivative is turned back by the same angle: cosines as they are, sines negative. */
static void rotate_back_row(void *context, int64_t row)
{
    const rope_run *run = context;
    const float *angles = pg_row(run->angles, row), *dout = run->out->grad + row * run->x->width;
    int64_t size = run->angles->width, half = size / 2;
    float *turned = run->back + row * 2 * size, *sines = turned + size, *dx = run->x->grad + row * run->x->width;
    run->kernels->scale(sines, angles + half, -1, half);
    for (int64_t at = 0; at < run->x->width; at += size) {
        run->kernels->rotate(turned, dout + at, angles, sines, size);
        run->kernels->add(dx + at, dx + at, turned, size);
    }
}

static void rope_backward(pg_context *g, const void *saved)
{
    PG_PROFILE(g, "rope back", NULL);
    rope_run run = *(const rope_run *)saved;
    if (g->device) {
        bool fresh;
        float *dx = pg_gradient_begin(g, run.x, &fresh);
        PG_DEVICE(g, rows, rope_back, dx, fresh, run.out->grad, run.angles->data, run.x->rows, run.x->width,
                  run.angles->width);
        return;
    }
    run.back = pg_scratch(g, (size_t)(run.x->rows * 2 * run.angles->width) * sizeof(float));
    if (run.back && pg_gradient(g, run.x))
        pg_each_row(g, run.x->rows, run.x->width, rotate_back_row, &run);
}

pg_tensor *pg_rope(pg_context *g, pg_tensor *x, const pg_tensor *angles)
{
    PG_PROFILE(g, "rope", NULL);
    rope_run run = {g->kernels, x, angles, x && angles ? pg_tensor_like(g, x) : NULL, NULL};
    if (!run.out)
        return NULL;
    if (g->device)
        PG_DEVICE(g, rows, rope, run.out->data, x->data, angles->data, x->rows, x->width, angles->width);
    else
        pg_each_row(g, x->rows, x->width, rotate_row, &run);
    if (pg_tracked(g, x))
        pg_tape_record(g, run.out, rope_backward, &run, sizeof run);
    return run.out;
}

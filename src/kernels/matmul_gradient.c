/*
 * Blocking: the inner dimension goes in steps of BLOCK_INNER. In each, a is made ready once for all tasks: in bf16 it
 * is rounded (and turned, if it lies the other way); in f32, where it lies the other way, GROUP_ROWS of its columns are
 * copied close together, because rows whose distance is a power of two would push each other out of the caches. Then
 * every task takes `lanes` columns of b, packs them into its own panel (which stays in the second-level cache), and
 * multiplies up to CHUNK_ROWS rows of a with it, adding straight into `out`.
 */
#include "kernels/matmul_gradient.h"

#include <string.h>

#include "base/numbers.h"
#include "base/threads.h"
#include "kernels/gradient.h"

#define BLOCK_INNER 1024
#define CHUNK_ROWS  528 /* a multiple of GROUP_ROWS */
#define GROUP_ROWS  48  /* a multiple of the rows of a kernel's tile */
#define ROUND_ROWS  64  /* of a, for one task that rounds */
#define COPY_STEPS  8   /* of the inner dimension, for one task that copies */

typedef struct gradient_run {
    const pg_kernels *kernels;
    const pg_matmul_gradient *job;
    int64_t first, inner;   /* of the step */
    int64_t panels, chunks; /* tasks of a step: panels * chunks */
    uint16_t *halves;       /* a of the step, rounded: [rows][pg_even(inner)]; NULL in f32 */
    float *groups;          /* a of the step, its columns in groups: [groups][inner][GROUP_ROWS]; NULL: as it lies */
    char *workers;
} gradient_run;

static int64_t step_inner(const pg_matmul_gradient *job)
{
    return pg_smaller(job->inner, BLOCK_INNER);
}

/* Of one worker: a panel, results of a panel that is not full, rows of a quantised b as floats, and a piece of a that
 * is being turned. */
typedef struct worker_floats {
    size_t panel, ragged, wide, turned;
} worker_floats;

static worker_floats measure_worker(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    size_t lanes = (size_t)kernels->lanes, inner = (size_t)pg_even(step_inner(job));
    bool turned = job->transposed && job->panel == PG_PANEL_BF16;
    return (worker_floats){.panel = inner * lanes,
                           .ragged = (size_t)pg_smaller(job->rows, CHUNK_ROWS) * lanes,
                           .wide = job->quantized ? inner * lanes : 0,
                           .turned = turned ? ROUND_ROWS * lanes : 0};
}

static size_t worker_bytes(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    worker_floats floats = measure_worker(kernels, job);
    return pg_align((floats.panel + floats.ragged + floats.wide + floats.turned) * sizeof(float));
}

static int64_t count_groups(const pg_matmul_gradient *job)
{
    return (job->rows + GROUP_ROWS - 1) / GROUP_ROWS;
}

/* Of a made ready. */
static size_t ready_bytes(const pg_matmul_gradient *job)
{
    int64_t inner = step_inner(job);
    if (job->panel == PG_PANEL_BF16)
        return pg_align((size_t)(job->rows * pg_even(inner)) * sizeof(uint16_t));
    return job->transposed ? pg_align((size_t)(count_groups(job) * GROUP_ROWS * inner) * sizeof(float)) : 0;
}

size_t pg_matmul_gradient_scratch(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job)
{
    return ready_bytes(job) + (size_t)threads * worker_bytes(kernels, job);
}

/* ---------------------------------------------------------------- a made ready */

static float *worker_memory(const gradient_run *run, int worker)
{
    return (float *)(run->workers + (size_t)worker * worker_bytes(run->kernels, run->job));
}

/* Rows first .. end - 1 of the left factor, which lie across: turned through a panel, `lanes` of the inner dimension at
 * a time. */
static void turn_rows(const gradient_run *run, float *turned, int64_t first, int64_t end)
{
    const pg_matmul_gradient *job = run->job;
    int64_t width = pg_even(run->inner), lanes = run->kernels->lanes;
    for (int64_t k = 0; k < run->inner; k += lanes) {
        int64_t count = pg_smaller(run->inner - k, lanes);
        run->kernels->pack(turned, PG_PANEL_F32, job->a + (run->first + k) * job->rows + first, job->rows, count,
                           end - first);
        for (int64_t r = first; r < end; r++)
            run->kernels->narrow(run->halves + r * width + k, PG_BF16, turned + (r - first) * lanes, count);
    }
}

static void round_rows(void *context, int64_t index, int worker)
{
    const gradient_run *run = context;
    const pg_matmul_gradient *job = run->job;
    int64_t width = pg_even(run->inner), first = index * ROUND_ROWS, end = pg_smaller(first + ROUND_ROWS, job->rows);
    worker_floats floats = measure_worker(run->kernels, job);
    for (int64_t r = first; r < end; r++) {
        run->halves[r * width + width - 1] = 0;
        if (!job->transposed)
            run->kernels->narrow(run->halves + r * width, PG_BF16, job->a + r * job->inner + run->first, run->inner);
    }
    if (job->transposed)
        turn_rows(run, worker_memory(run, worker) + floats.panel + floats.ragged + floats.wide, first, end);
}

static void copy_groups(void *context, int64_t index, int worker)
{
    (void)worker;
    const gradient_run *run = context;
    const pg_matmul_gradient *job = run->job;
    for (int64_t k = index * COPY_STEPS; k < pg_smaller((index + 1) * COPY_STEPS, run->inner); k++) {
        const float *from = job->a + (run->first + k) * job->rows;
        for (int64_t group = 0, row = 0; row < job->rows; group++, row += GROUP_ROWS)
            memcpy(run->groups + (group * run->inner + k) * GROUP_ROWS, from + row,
                   (size_t)pg_smaller(job->rows - row, GROUP_ROWS) * sizeof *from);
    }
}

static void make_ready(gradient_run *run, int threads)
{
    const pg_matmul_gradient *job = run->job;
    if (run->halves)
        pg_parallel(threads, (job->rows + ROUND_ROWS - 1) / ROUND_ROWS, round_rows, run);
    else if (run->groups)
        pg_parallel(threads, (run->inner + COPY_STEPS - 1) / COPY_STEPS, copy_groups, run);
}

/* ---------------------------------------------------------------- the product */

/* The columns of b of one task, as a panel. */
static void fill_panel(const gradient_run *run, float *panel, float *wide, int64_t column, int64_t lanes)
{
    const pg_matmul_gradient *job = run->job;
    const void *b = wide;
    pg_dtype dtype = PG_F32;
    int64_t stride = lanes;
    if (job->quantized)
        for (int64_t i = 0; i < run->inner; i++)
            pg_quantized_widen(wide + i * lanes, job->quantized, run->first + i, column, lanes);
    else {
        b = (const char *)job->b + (size_t)(run->first * job->columns + column) * pg_dtype_size(job->dtype);
        dtype = job->dtype;
        stride = job->columns;
    }
    run->kernels->gradient->pack_columns(panel, job->panel, b, dtype, stride, lanes, run->inner);
}

/* Rows of a that lay across. */
static void multiply_groups(const gradient_run *run, float *out, int64_t stride, const float *panel, int64_t first,
                            int64_t rows, int64_t lanes)
{
    for (int64_t row = 0; row < rows; row += GROUP_ROWS) {
        const float *group = run->groups + (first + row) / GROUP_ROWS * run->inner * GROUP_ROWS;
        run->kernels->gradient->panel_product(out + row * stride, stride, group, 1, GROUP_ROWS,
                                              pg_smaller(rows - row, GROUP_ROWS), panel, lanes, run->inner);
    }
}

static void multiply_rows(const gradient_run *run, float *out, int64_t stride, const float *panel, int64_t first,
                          int64_t rows, int64_t lanes)
{
    const pg_matmul_gradient *job = run->job;
    int64_t width = pg_even(run->inner);
    if (run->halves)
        run->kernels->panel_product[PG_PANEL_BF16](out, stride, run->halves + first * width, width, rows, panel, lanes,
                                                   width, NULL);
    else if (run->groups)
        multiply_groups(run, out, stride, panel, first, rows, lanes);
    else
        run->kernels->gradient->panel_product(out, stride, job->a + first * job->inner + run->first, job->inner, 1,
                                              rows, panel, lanes, run->inner);
}

static void multiply_panel(void *context, int64_t index, int worker)
{
    const gradient_run *run = context;
    const pg_kernels *kernels = run->kernels;
    const pg_matmul_gradient *job = run->job;
    worker_floats floats = measure_worker(kernels, job);
    float *panel = worker_memory(run, worker);
    float *ragged = panel + floats.panel, *wide = ragged + floats.ragged;
    int64_t column = index % run->panels * kernels->lanes, lanes = pg_smaller(job->columns - column, kernels->lanes);
    int64_t first = index / run->panels * CHUNK_ROWS, rows = pg_smaller(job->rows - first, CHUNK_ROWS);
    float *out = job->out + first * job->columns + column;
    fill_panel(run, panel, wide, column, lanes);
    for (int64_t r = 0; job->fresh && run->first == 0 && r < rows; r++)
        memset(out + r * job->columns, 0, (size_t)lanes * sizeof *out);
    if (lanes == kernels->lanes) {
        multiply_rows(run, out, job->columns, panel, first, rows, lanes);
        return;
    }
    /* more lanes than columns may be written: not into the next row */
    memset(ragged, 0, (size_t)(rows * kernels->lanes) * sizeof *ragged);
    multiply_rows(run, ragged, kernels->lanes, panel, first, rows, lanes);
    for (int64_t r = 0; r < rows; r++)
        kernels->add(out + r * job->columns, out + r * job->columns, ragged + r * kernels->lanes, lanes);
}

void pg_matmul_gradient_run(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job, void *scratch)
{
    gradient_run run = {.kernels = kernels,
                        .job = job,
                        .panels = (job->columns + kernels->lanes - 1) / kernels->lanes,
                        .chunks = (job->rows + CHUNK_ROWS - 1) / CHUNK_ROWS,
                        .halves = job->panel == PG_PANEL_BF16 ? scratch : NULL,
                        .groups = job->panel == PG_PANEL_F32 && job->transposed ? scratch : NULL,
                        .workers = (char *)scratch + ready_bytes(job)};
    for (; run.first < job->inner; run.first += run.inner) {
        run.inner = pg_smaller(job->inner - run.first, BLOCK_INNER);
        make_ready(&run, threads);
        pg_parallel(threads, run.panels * run.chunks, multiply_panel, &run);
    }
}

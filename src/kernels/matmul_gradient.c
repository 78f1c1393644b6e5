/*
 * Blocking: the inner dimension goes in steps of BLOCK_INNER. In each, every task takes `lanes` columns of b, packs
 * them into its own panel (which stays in the second-level cache), and multiplies up to CHUNK_ROWS rows of a with it,
 * adding straight into `out`. Where a lies the other way, GROUP_ROWS of its columns at a time are copied close together
 * first: rows whose distance is a power of two would push each other out of the caches. In bf16 a is rounded
 * beforehand, once for all tasks, and turned.
 */
#include "kernels/matmul_gradient.h"

#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/gradient.h"

#define BLOCK_INNER 1024
#define CHUNK_ROWS  512
#define ROUND_ROWS  64 /* of a, for one task that rounds */
#define ROUND_STEPS 8  /* of the inner dimension, turned together: their lines fit into one set of the first cache */
#define GROUP_ROWS  48 /* a multiple of the rows of a kernel's tile */

typedef struct gradient_run {
    const pg_kernels *kernels;
    const pg_matmul_gradient *job;
    int64_t first, inner;   /* of the step */
    int64_t panels, chunks; /* tasks of a step: panels * chunks */
    uint16_t *halves;       /* a of the step, rounded: [rows][even(inner)]; NULL in f32 */
    char *workers;
} gradient_run;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t even(int64_t n)
{
    return (n + 1) / 2 * 2;
}

static size_t round_up(size_t bytes)
{
    return (bytes + PG_ALIGNMENT - 1) / PG_ALIGNMENT * PG_ALIGNMENT;
}

static int64_t step_inner(const pg_matmul_gradient *job)
{
    return smaller(job->inner, BLOCK_INNER);
}

/* Of one worker: a panel, results of a panel that is not full, rows of a quantised b as floats, and columns of a. */
typedef struct worker_floats {
    size_t panel, ragged, wide, group;
} worker_floats;

static worker_floats measure_worker(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    size_t lanes = (size_t)kernels->lanes, inner = (size_t)even(step_inner(job));
    return (worker_floats){.panel = inner * lanes,
                           .ragged = (size_t)smaller(job->rows, CHUNK_ROWS) * lanes,
                           .wide = job->quantized ? inner * lanes : 0,
                           .group = job->transposed && job->panel == PG_PANEL_F32 ? inner * GROUP_ROWS : 0};
}

static size_t worker_bytes(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    worker_floats floats = measure_worker(kernels, job);
    return round_up((floats.panel + floats.ragged + floats.wide + floats.group) * sizeof(float));
}

static size_t halves_bytes(const pg_matmul_gradient *job)
{
    return job->panel == PG_PANEL_BF16 ? round_up((size_t)(job->rows * even(step_inner(job))) * sizeof(uint16_t)) : 0;
}

size_t pg_matmul_gradient_scratch(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job)
{
    return halves_bytes(job) + (size_t)threads * worker_bytes(kernels, job);
}

/* ---------------------------------------------------------------- a in bf16 */

static void round_rows(void *context, int64_t index, int worker)
{
    (void)worker;
    const gradient_run *run = context;
    const pg_matmul_gradient *job = run->job;
    int64_t width = even(run->inner), end = smaller((index + 1) * ROUND_ROWS, job->rows);
    for (int64_t r = index * ROUND_ROWS; r < end; r++) {
        uint16_t *to = run->halves + r * width;
        to[width - 1] = 0;
        if (!job->transposed)
            run->kernels->narrow(to, PG_BF16, job->a + r * job->inner + run->first, run->inner);
    }
    if (!job->transposed)
        return;
    for (int64_t i = 0; i < run->inner; i += ROUND_STEPS)
        for (int64_t r = index * ROUND_ROWS; r < end; r++)
            for (int64_t k = i; k < smaller(i + ROUND_STEPS, run->inner); k++)
                run->halves[r * width + k] = pg_bf16_from_float(job->a[(run->first + k) * job->rows + r]);
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

/* Rows of a that lie across. */
static void multiply_columns(const gradient_run *run, float *out, int64_t stride, const float *panel, float *group,
                             int64_t first, int64_t rows, int64_t lanes)
{
    const pg_matmul_gradient *job = run->job;
    for (int64_t end = first + rows; first < end; first += GROUP_ROWS, out += GROUP_ROWS * stride) {
        int64_t count = smaller(end - first, GROUP_ROWS);
        const float *from = job->a + run->first * job->rows + first;
        for (int64_t k = 0; k < run->inner; k++)
            memcpy(group + k * GROUP_ROWS, from + k * job->rows, (size_t)count * sizeof *group);
        run->kernels->gradient->panel_product(out, stride, group, 1, GROUP_ROWS, count, panel, lanes, run->inner);
    }
}

static void multiply_rows(const gradient_run *run, float *out, int64_t stride, const float *panel, float *group,
                          int64_t first, int64_t rows, int64_t lanes)
{
    const pg_matmul_gradient *job = run->job;
    int64_t width = even(run->inner);
    if (run->halves)
        run->kernels->panel_product[PG_PANEL_BF16](out, stride, run->halves + first * width, width, rows, panel, lanes,
                                                   width);
    else if (job->transposed)
        multiply_columns(run, out, stride, panel, group, first, rows, lanes);
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
    float *panel = (float *)(run->workers + (size_t)worker * worker_bytes(kernels, job));
    float *ragged = panel + floats.panel, *wide = ragged + floats.ragged, *group = wide + floats.wide;
    int64_t column = index % run->panels * kernels->lanes, lanes = smaller(job->columns - column, kernels->lanes);
    int64_t first = index / run->panels * CHUNK_ROWS, rows = smaller(job->rows - first, CHUNK_ROWS);
    float *out = job->out + first * job->columns + column;
    fill_panel(run, panel, wide, column, lanes);
    if (lanes == kernels->lanes) {
        multiply_rows(run, out, job->columns, panel, group, first, rows, lanes);
        return;
    }
    /* more lanes than columns may be written: not into the next row */
    memset(ragged, 0, (size_t)(rows * kernels->lanes) * sizeof *ragged);
    multiply_rows(run, ragged, kernels->lanes, panel, group, first, rows, lanes);
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
                        .workers = (char *)scratch + halves_bytes(job)};
    for (; run.first < job->inner; run.first += run.inner) {
        run.inner = smaller(job->inner - run.first, BLOCK_INNER);
        if (run.halves)
            pg_parallel(threads, (job->rows + ROUND_ROWS - 1) / ROUND_ROWS, round_rows, &run);
        pg_parallel(threads, run.panels * run.chunks, multiply_panel, &run);
    }
}

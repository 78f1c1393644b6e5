/*
 * Blocking: the inner dimension goes in steps, and in each both factors are made ready once for all tasks. Columns of b
 * are packed, `lanes` of them into a panel. In bf16 a is rounded (and turned, if it lies the other way); in f32, where
 * it lies the other way, GROUP_ROWS of its columns are copied close together, because rows whose distance is a power of
 * two would push each other out of the caches. Then a task takes BLOCK_ROWS rows of a, which stay in the second-level
 * cache while one panel after the other meets them, and adds straight into `out`.
 */
#include "kernels/matmul_gradient.h"

#include <string.h>

#include "base/numbers.h"
#include "base/threads.h"
#include "kernels/gradient.h"

#define INNER        1024      /* of a step */
#define INNER_GROUPS 512       /* of a step with groups */
#define BLOCK_ROWS   96        /* a multiple of GROUP_ROWS */
#define GROUP_ROWS   12        /* a multiple of the rows of a kernel's tile */
#define GROUPS_APART 16        /* floats, or groups would be written over each other in the caches */
#define PACKED_BYTES (8 << 20) /* of panels at a time, or a little less */
#define THREAD_TASKS 4         /* at least, where there is as much to do */
#define ROUND_ROWS   64        /* of a, for one task that rounds */
#define COPY_STEPS   8         /* of the inner dimension, for one task that copies */

typedef struct gradient_run {
    const pg_kernels *kernels;
    const pg_matmul_gradient *job;
    int64_t first, inner;   /* of the step */
    int64_t preparations;   /* tasks that make a ready */
    int64_t panel, panels;  /* the first of those at hand, and how many */
    int64_t blocks, strips; /* tasks that multiply: blocks of rows, each with a part of the panels */
    uint16_t *halves;       /* a of the step, rounded: [rows][pg_even(inner)]; NULL in f32 */
    float *groups;          /* a of the step, its columns in groups: [groups][inner][GROUP_ROWS]; NULL: as it lies */
    char *packed;           /* the panels at hand */
    char *workers;
} gradient_run;

static bool copies_groups(const pg_matmul_gradient *job)
{
    return job->a_transposed && job->panel == PG_PANEL_F32;
}

static int64_t step_inner(const pg_matmul_gradient *job)
{
    return pg_smaller(job->inner, copies_groups(job) ? INNER_GROUPS : INNER);
}

/* Of one worker: results of a panel that is not full, rows of b as floats (quantised ones, or those that lie across),
 * and a piece of a that is being turned. */
typedef struct worker_floats {
    size_t ragged, wide, turned;
} worker_floats;

static worker_floats measure_worker(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    size_t lanes = (size_t)kernels->lanes, inner = (size_t)pg_even(step_inner(job));
    bool turned = job->a_transposed && job->panel == PG_PANEL_BF16;
    return (worker_floats){.ragged = BLOCK_ROWS * lanes,
                           .wide = job->quantized || job->b_transposed ? inner * lanes : 0,
                           .turned = turned ? ROUND_ROWS * lanes : 0};
}

static size_t worker_bytes(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    worker_floats floats = measure_worker(kernels, job);
    return pg_align((floats.ragged + floats.wide + floats.turned) * sizeof(float));
}

static int64_t count_groups(const pg_matmul_gradient *job)
{
    return (job->rows + GROUP_ROWS - 1) / GROUP_ROWS;
}

/* From one group to the next. */
static int64_t group_floats(int64_t inner)
{
    return inner * GROUP_ROWS + GROUPS_APART;
}

/* Of a made ready. */
static size_t ready_bytes(const pg_matmul_gradient *job)
{
    int64_t inner = step_inner(job);
    if (job->panel == PG_PANEL_BF16)
        return pg_align((size_t)(job->rows * pg_even(inner)) * sizeof(uint16_t));
    return copies_groups(job) ? pg_align((size_t)(count_groups(job) * group_floats(inner)) * sizeof(float)) : 0;
}

static int64_t count_panels(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    return (job->columns + kernels->lanes - 1) / kernels->lanes;
}

static size_t panel_bytes(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    size_t element = job->panel == PG_PANEL_BF16 ? sizeof(uint16_t) : sizeof(float);
    return pg_align((size_t)(pg_even(step_inner(job)) * kernels->lanes) * element);
}

/* Panels at a time. */
static int64_t panels_at_once(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    return pg_smaller(count_panels(kernels, job), (int64_t)(PACKED_BYTES / panel_bytes(kernels, job)));
}

static size_t packed_bytes(const pg_kernels *kernels, const pg_matmul_gradient *job)
{
    return (size_t)panels_at_once(kernels, job) * panel_bytes(kernels, job);
}

size_t pg_matmul_gradient_scratch(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job)
{
    return ready_bytes(job) + packed_bytes(kernels, job) + (size_t)threads * worker_bytes(kernels, job);
}

/* ---------------------------------------------------------------- factors made ready */

static float *worker_memory(const gradient_run *run, int worker)
{
    return (float *)(run->workers + (size_t)worker * worker_bytes(run->kernels, run->job));
}

/* One of those at hand. */
static void *panel_at(const gradient_run *run, int64_t index)
{
    return run->packed + (size_t)index * panel_bytes(run->kernels, run->job);
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

static void round_rows(const gradient_run *run, int64_t index, int worker)
{
    const pg_matmul_gradient *job = run->job;
    int64_t width = pg_even(run->inner), first = index * ROUND_ROWS, end = pg_smaller(first + ROUND_ROWS, job->rows);
    worker_floats floats = measure_worker(run->kernels, job);
    for (int64_t r = first; r < end; r++) {
        run->halves[r * width + width - 1] = 0;
        if (!job->a_transposed)
            run->kernels->narrow(run->halves + r * width, PG_BF16, job->a + r * job->inner + run->first, run->inner);
    }
    if (job->a_transposed)
        turn_rows(run, worker_memory(run, worker) + floats.ragged + floats.wide, first, end);
}

static void copy_groups(const gradient_run *run, int64_t index)
{
    const pg_matmul_gradient *job = run->job;
    for (int64_t k = index * COPY_STEPS; k < pg_smaller((index + 1) * COPY_STEPS, run->inner); k++) {
        const float *from = job->a + (run->first + k) * job->rows;
        float *to = run->groups + k * GROUP_ROWS;
        int64_t row = 0;
        for (; row + GROUP_ROWS <= job->rows; row += GROUP_ROWS, to += group_floats(run->inner))
            memcpy(to, from + row, GROUP_ROWS * sizeof *from);
        memcpy(to, from + row, (size_t)(job->rows - row) * sizeof *from);
    }
}

/* Columns of b that lie across, as a panel. */
static void turn_columns(const gradient_run *run, float *panel, float *wide, int64_t column, int64_t lanes)
{
    const pg_matmul_gradient *job = run->job;
    const char *b = (const char *)job->b + (size_t)(column * job->inner + run->first) * pg_dtype_size(job->dtype);
    for (int64_t lane = 0; lane < lanes; lane++, b += (size_t)job->inner * pg_dtype_size(job->dtype))
        run->kernels->widen(wide + lane * run->inner, b, job->dtype, run->inner);
    run->kernels->pack(panel, job->panel, wide, run->inner, lanes, run->inner);
}

/* Columns of b that lie side by side. */
static void pack_columns(const gradient_run *run, float *panel, float *wide, int64_t column, int64_t lanes)
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

static void fill_panel(const gradient_run *run, int64_t index, int worker)
{
    int64_t column = (run->panel + index) * run->kernels->lanes;
    int64_t lanes = pg_smaller(run->job->columns - column, run->kernels->lanes);
    float *wide = worker_memory(run, worker) + measure_worker(run->kernels, run->job).ragged;
    (run->job->b_transposed ? turn_columns : pack_columns)(run, panel_at(run, index), wide, column, lanes);
}

static void make_ready(void *context, int64_t index, int worker)
{
    const gradient_run *run = context;
    if (index >= run->preparations)
        fill_panel(run, index - run->preparations, worker);
    else if (run->halves)
        round_rows(run, index, worker);
    else
        copy_groups(run, index);
}

static int64_t count_preparations(const gradient_run *run)
{
    if (run->halves)
        return (run->job->rows + ROUND_ROWS - 1) / ROUND_ROWS;
    return run->groups ? (run->inner + COPY_STEPS - 1) / COPY_STEPS : 0;
}

/* ---------------------------------------------------------------- the product */

/* Rows of a that lay across. */
static void multiply_groups(const gradient_run *run, float *out, int64_t stride, const float *panel, int64_t first,
                            int64_t rows, int64_t lanes)
{
    for (int64_t row = 0; row < rows; row += GROUP_ROWS) {
        const float *group = run->groups + (first + row) / GROUP_ROWS * group_floats(run->inner);
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

/* A panel that is not full: more lanes than columns may be written, and not into the next row. Sums go on from what is
 * there, as those of other columns do. */
static void multiply_ragged(const gradient_run *run, float *out, const float *panel, int64_t first, int64_t rows,
                            int64_t lanes, float *ragged)
{
    int64_t stride = run->kernels->lanes;
    for (int64_t r = 0; r < rows; r++)
        memcpy(ragged + r * stride, out + r * run->job->columns, (size_t)lanes * sizeof *out);
    multiply_rows(run, ragged, stride, panel, first, rows, lanes);
    for (int64_t r = 0; r < rows; r++)
        memcpy(out + r * run->job->columns, ragged + r * stride, (size_t)lanes * sizeof *out);
}

static void add_bias(const gradient_run *run, float *out, int64_t column, int64_t rows, int64_t lanes)
{
    for (int64_t r = 0; r < rows; r++, out += run->job->columns)
        run->kernels->add(out, out, run->job->bias + column, lanes);
}

/* A block of rows and a panel. */
static void multiply_panel(const gradient_run *run, int64_t index, int64_t first, int64_t rows, float *ragged)
{
    const pg_kernels *kernels = run->kernels;
    const pg_matmul_gradient *job = run->job;
    int64_t column = (run->panel + index) * kernels->lanes;
    int64_t lanes = pg_smaller(job->columns - column, kernels->lanes);
    float *out = job->out + first * job->columns + column;
    bool last = run->first + run->inner == job->inner;
    for (int64_t r = 0; job->fresh && run->first == 0 && r < rows; r++)
        memset(out + r * job->columns, 0, (size_t)lanes * sizeof *out);
    if (lanes == kernels->lanes)
        multiply_rows(run, out, job->columns, panel_at(run, index), first, rows, lanes);
    else
        multiply_ragged(run, out, panel_at(run, index), first, rows, lanes, ragged);
    if (last && job->bias)
        add_bias(run, out, column, rows, lanes);
}

static void multiply_block(void *context, int64_t index, int worker)
{
    const gradient_run *run = context;
    int64_t first = index / run->strips * BLOCK_ROWS, rows = pg_smaller(run->job->rows - first, BLOCK_ROWS);
    int64_t strip = index % run->strips;
    for (int64_t p = strip * run->panels / run->strips; p < (strip + 1) * run->panels / run->strips; p++)
        multiply_panel(run, p, first, rows, worker_memory(run, worker));
}

/* Parts of the panels for a block of rows: one, or so many that there is something for every thread. */
static int64_t count_strips(const gradient_run *run, int threads)
{
    return pg_smaller((threads * THREAD_TASKS + run->blocks - 1) / run->blocks, run->panels);
}

/* A step of the inner dimension. */
static void run_step(gradient_run *run, int threads)
{
    int64_t all = count_panels(run->kernels, run->job), most = panels_at_once(run->kernels, run->job);
    run->preparations = count_preparations(run);
    for (run->panel = 0; run->panel < all; run->panel += run->panels) {
        run->panels = pg_smaller(all - run->panel, most);
        run->strips = count_strips(run, threads);
        pg_parallel(threads, run->preparations + run->panels, make_ready, run);
        pg_parallel(threads, run->blocks * run->strips, multiply_block, run);
        run->preparations = 0;
    }
}

void pg_matmul_gradient_run(const pg_kernels *kernels, int threads, const pg_matmul_gradient *job, void *scratch)
{
    gradient_run run = {.kernels = kernels,
                        .job = job,
                        .blocks = (job->rows + BLOCK_ROWS - 1) / BLOCK_ROWS,
                        .halves = job->panel == PG_PANEL_BF16 ? scratch : NULL,
                        .groups = copies_groups(job) ? scratch : NULL,
                        .packed = (char *)scratch + ready_bytes(job)};
    run.workers = run.packed + packed_bytes(kernels, job);
    for (; run.first < job->inner; run.first += run.inner) {
        run.inner = pg_smaller(job->inner - run.first, step_inner(job));
        run_step(&run, threads);
    }
}

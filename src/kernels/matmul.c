/*
 * Blocking of the panel product. Rows of x go in chunks of CHUNK_ROWS: a chunk is packed once, then every task takes
 * a block of rows of w and walks along k in steps of BLOCK_INPUTS: that piece of w is brought into the panel's type
 * in the worker's own tile (from bf16, f16 or f32), multiplied with all panels of the chunk while both are in the
 * second-level cache, and summed up in the worker's tile of results, transposed ([output][row]) because lanes are rows.
 *
 * Every task reads all panels. Where they are more than the cache that cores share may hold, tasks walk along a part of
 * k only, all of them before the next part, and the sums of all outputs are kept from part to part.
 */
#include "kernels/matmul.h"

#include <string.h>

#include "base/numbers.h"
#include "base/threads.h"
#include "kernels/matmul_gradient.h"

#define CHUNK_ROWS    512
#define OUTPUT_GROUP  16   /* outputs of a task are a multiple of it */
#define THREAD_TASKS  4    /* at least, where there are as many outputs */
#define BLOCK_INPUTS  1024 /* of a step along k, or up to half as many more */
#define MOST_INPUTS   (BLOCK_INPUTS * 3 / 2)
#define INPUT_GROUP   32 /* inputs of a step are a multiple of it */
#define INPUTS_APART  32 /* between rows of a tile of weights: rows of 2 KiB would push each other out of the cache */
#define LEAST_OUTPUTS 48
#define SUMS_APART    16        /* and not a power of two: columns are read back */
#define PART_BYTES    (2 << 20) /* of panels, that tasks read one after the other */
#define DOT_OUTPUTS   64
#define ALIASED_BYTES 16384 /* rows at such distances push each other out of the cache before they are used */

/* Scratch memory. */
typedef struct scratch_bytes {
    size_t panels, shared;  /* of a chunk; sums of all outputs where k has several parts, else 0 */
    size_t sums, tile, row; /* of a worker: sums where k has one part, a tile of weights, one row of it as f32 */
} scratch_bytes;

typedef struct panel_run {
    const pg_kernels *kernels;
    const pg_matmul *job;
    int threads;
    int64_t first, rows; /* of the chunk */
    int64_t panel_count;
    int64_t block_outputs, sums_stride;
    int64_t block_inputs; /* of a step along k: about the same in all */
    int64_t part_inputs;  /* of a part, a multiple of it */
    int64_t part;         /* where the part at hand begins */
    float *sums;          /* of all outputs; NULL where there is one part: then workers have those of their task */
    scratch_bytes bytes;
    char *panels, *workers;
} panel_run;

/* The first row of panel p of a chunk: rows are spread evenly over as few panels as hold them, in groups. */
static int64_t panel_start(const panel_run *run, int64_t p)
{
    int64_t size = run->kernels->lane_group, groups = (run->rows + size - 1) / size;
    return pg_smaller(p * groups / run->panel_count * size, run->rows);
}

static size_t panel_element(const pg_matmul *job)
{
    return job->panel == PG_PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
}

static size_t panel_bytes(const pg_kernels *kernels, const pg_matmul *job)
{
    return (size_t)(pg_even(job->inputs) * kernels->lanes) * panel_element(job);
}

/* Outputs of a task: what the kernels like best, or less so that there is something for every thread. */
static int64_t block_outputs(const pg_kernels *kernels, int threads, const pg_matmul *job)
{
    int64_t share = job->outputs / (threads * THREAD_TASKS) / OUTPUT_GROUP * OUTPUT_GROUP;
    return pg_smaller(kernels->outputs, share > LEAST_OUTPUTS ? share : LEAST_OUTPUTS);
}

/* Inputs of a step along k: about the same in all steps. */
static int64_t block_inputs(const pg_matmul *job)
{
    int64_t steps = job->inputs < BLOCK_INPUTS ? 1 : (job->inputs + BLOCK_INPUTS / 2 - 1) / BLOCK_INPUTS;
    return pg_round_up((job->inputs + steps - 1) / steps, INPUT_GROUP);
}

/* Inputs of a part: a whole number of steps, all of them if that is few enough. */
static int64_t part_inputs(const pg_kernels *kernels, const pg_matmul *job)
{
    int64_t rows = pg_round_up(pg_smaller(job->rows, CHUNK_ROWS), kernels->lanes), step = block_inputs(job);
    int64_t steps = PART_BYTES / (rows * step * (int64_t)panel_element(job));
    return step * (steps > 1 ? steps : 1);
}

/* Floats from the sums of one output to those of the next. */
static int64_t sums_stride(const pg_kernels *kernels, const pg_matmul *job)
{
    int64_t chunk = pg_smaller(job->rows, CHUNK_ROWS);
    return pg_round_up(chunk, kernels->lanes) + SUMS_APART;
}

static scratch_bytes measure_scratch(const pg_kernels *kernels, int threads, const pg_matmul *job)
{
    size_t outputs = (size_t)block_outputs(kernels, threads, job), chunk = (size_t)pg_smaller(job->rows, CHUNK_ROWS);
    size_t panels = (chunk + (size_t)kernels->lanes - 1) / (size_t)kernels->lanes;
    size_t sums = (size_t)sums_stride(kernels, job) * sizeof(float); /* of an output */
    bool parts = part_inputs(kernels, job) < job->inputs;
    return (scratch_bytes){.panels = pg_align(panels * panel_bytes(kernels, job)),
                           .shared = parts ? pg_align((size_t)job->outputs * sums) : 0,
                           .sums = parts ? 0 : outputs * sums,
                           .tile = pg_align(outputs * (MOST_INPUTS + INPUTS_APART) * panel_element(job)),
                           .row = MOST_INPUTS * sizeof(float)};
}

static size_t sum_worker(scratch_bytes bytes)
{
    return bytes.sums + bytes.tile + bytes.row;
}

/* Many rows of few inputs, as small models have them in training: sums that lie across are more to carry about than
 * weights. So weights are packed instead of x, and results lie as they are wanted from the beginning; they are the same
 * bits. */
static bool packs_weights(const pg_matmul *job)
{
    return job->panel == PG_PANEL_F32 && job->inputs <= BLOCK_INPUTS && job->rows >= CHUNK_ROWS;
}

static pg_matmul_gradient with_packed_weights(const pg_matmul *job)
{
    return (pg_matmul_gradient){.out = job->out,
                                .a = job->x,
                                .b = job->weights,
                                .b_transposed = true,
                                .dtype = job->dtype,
                                .fresh = true,
                                .bias = job->bias,
                                .rows = job->rows,
                                .inner = job->inputs,
                                .columns = job->outputs,
                                .panel = job->panel};
}

size_t pg_matmul_scratch(const pg_kernels *kernels, int threads, const pg_matmul *job)
{
    if (packs_weights(job)) {
        pg_matmul_gradient product = with_packed_weights(job);
        return pg_matmul_gradient_scratch(kernels, threads, &product);
    }
    scratch_bytes bytes = measure_scratch(kernels, threads, job);
    return bytes.panels + bytes.shared + (size_t)threads * sum_worker(bytes);
}

static void pack_panel(void *context, int64_t index, int worker)
{
    (void)worker;
    const panel_run *run = context;
    const pg_matmul *job = run->job;
    int64_t first = panel_start(run, index), rows = panel_start(run, index + 1) - first;
    run->kernels->pack(run->panels + (size_t)index * panel_bytes(run->kernels, job), job->panel,
                       job->x + (run->first + first) * job->inputs, job->inputs, rows, job->inputs);
}

static const char *weights_at(const pg_matmul *job, int64_t output, int64_t k)
{
    return (const char *)job->weights + (size_t)(output * job->inputs + k) * pg_dtype_size(job->dtype);
}

/* The piece of w that this worker is likely to need next: further on in its rows, or its next task's first. */
static pg_ahead piece_ahead(const panel_run *run, int64_t output, int64_t k)
{
    const pg_matmul *job = run->job;
    int64_t element = (int64_t)pg_dtype_size(job->dtype);
    const char *rows = k + run->block_inputs < job->inputs
                           ? weights_at(job, output, k + run->block_inputs)
                           : weights_at(job, output + run->threads * run->block_outputs, 0);
    return (pg_ahead){rows, job->inputs * element, element};
}

/* Rows `output`... of w, inputs from `k` on, as the panel's type: [count][stride], of which `padded` are used, the last
 * one zero if that is one more. */
static void fill_tile(const panel_run *run, char *tile, float *row, int64_t output, int64_t count, int64_t k,
                      int64_t width, int64_t padded, int64_t stride)
{
    const pg_matmul *job = run->job;
    size_t wide = panel_element(job);
    for (int64_t n = 0; n < count; n++) {
        const char *w = weights_at(job, output + n, k);
        char *to = tile + (size_t)(n * stride) * wide;
        if (job->panel == PG_PANEL_F32)
            run->kernels->widen((float *)to, w, job->dtype, width);
        else if (job->dtype == PG_BF16)
            memcpy(to, w, (size_t)width * sizeof(uint16_t));
        else {
            run->kernels->widen(row, w, job->dtype, width);
            run->kernels->narrow(to, PG_BF16, row, width);
        }
        if (width < padded)
            memset(to + (size_t)width * wide, 0, (size_t)(padded - width) * wide);
    }
}

static void multiply_block(void *context, int64_t index, int worker)
{
    const panel_run *run = context;
    const pg_kernels *kernels = run->kernels;
    const pg_matmul *job = run->job;
    char *own = run->workers + (size_t)worker * sum_worker(run->bytes), *tile = own + run->bytes.sums;
    float *row = (float *)(tile + run->bytes.tile);
    int64_t output = index * run->block_outputs, count = pg_smaller(job->outputs - output, run->block_outputs);
    int64_t end = pg_smaller(run->part + run->part_inputs, job->inputs);
    float *sums = run->sums ? run->sums + output * run->sums_stride : (float *)own;
    if (run->part == 0)
        memset(sums, 0, (size_t)(count * run->sums_stride) * sizeof *sums);
    for (int64_t k = run->part; k < end; k += run->block_inputs) {
        int64_t width = pg_smaller(job->inputs - k, run->block_inputs),
                padded = job->panel == PG_PANEL_BF16 ? pg_even(width) : width, stride = padded + INPUTS_APART;
        fill_tile(run, tile, row, output, count, k, width, padded, stride);
        const char *panel = run->panels + (size_t)(k * kernels->lanes) * panel_element(job);
        pg_ahead ahead = piece_ahead(run, output, k);
        bool asks = ahead.stride % ALIASED_BYTES != 0;
        for (int64_t p = 0; p < run->panel_count; p++, panel += panel_bytes(kernels, job)) {
            int64_t r = panel_start(run, p);
            kernels->panel_product[job->panel](sums + r, run->sums_stride, tile, stride, count, panel,
                                               panel_start(run, p + 1) - r, padded, p || !asks ? NULL : &ahead);
        }
    }
    if (end == job->inputs)
        kernels->unpack(job->out + run->first * job->outputs + output, job->outputs, sums, run->sums_stride, run->rows,
                        count, job->bias ? job->bias + output : NULL);
}

static void multiply_chunks(const pg_kernels *kernels, int threads, const pg_matmul *job, void *scratch)
{
    panel_run run = {.kernels = kernels, .job = job, .threads = threads, .panels = scratch};
    run.block_inputs = block_inputs(job);
    run.part_inputs = part_inputs(kernels, job);
    run.block_outputs = block_outputs(kernels, threads, job);
    run.sums_stride = sums_stride(kernels, job);
    run.bytes = measure_scratch(kernels, threads, job);
    run.sums = run.bytes.shared ? (float *)(run.panels + run.bytes.panels) : NULL;
    run.workers = run.panels + run.bytes.panels + run.bytes.shared;
    for (run.first = 0; run.first < job->rows; run.first += run.rows) {
        run.rows = pg_smaller(job->rows - run.first, CHUNK_ROWS);
        run.panel_count = (run.rows + kernels->lanes - 1) / kernels->lanes;
        pg_parallel(threads, run.panel_count, pack_panel, &run);
        for (run.part = 0; run.part < job->inputs; run.part += run.part_inputs)
            pg_parallel(threads, (job->outputs + run.block_outputs - 1) / run.block_outputs, multiply_block, &run);
    }
}

void pg_matmul_panels(const pg_kernels *kernels, int threads, const pg_matmul *job, void *scratch)
{
    if (!packs_weights(job)) {
        multiply_chunks(kernels, threads, job, scratch);
        return;
    }
    pg_matmul_gradient product = with_packed_weights(job);
    pg_matmul_gradient_run(kernels, threads, &product, scratch);
}

#define HALVES_APART \
    32 /* between rows of x in bf16: a line, or rows of 4 KiB would push each other out of the caches */

typedef struct dot_run {
    const pg_kernels *kernels;
    const pg_matmul *job;
    uint16_t *halves; /* x rounded to bf16; NULL: f32 */
    int64_t stride;   /* of its rows */
} dot_run;

static bool dots_in_bf16(const pg_kernels *kernels, const pg_matmul *job)
{
    return job->panel == PG_PANEL_BF16 && job->dtype == PG_BF16 && kernels->dot_rows_bf16;
}

size_t pg_matmul_dots_scratch(const pg_kernels *kernels, const pg_matmul *job)
{
    return dots_in_bf16(kernels, job) ? (size_t)(job->rows * (job->inputs + HALVES_APART)) * sizeof(uint16_t) : 0;
}

static void round_row(void *context, int64_t index, int worker)
{
    (void)worker;
    const dot_run *run = context;
    run->kernels->narrow(run->halves + index * run->stride, PG_BF16, run->job->x + index * run->job->inputs,
                         run->job->inputs);
}

static void dot_block(void *context, int64_t index, int worker)
{
    (void)worker;
    const dot_run *run = context;
    const pg_matmul *job = run->job;
    int64_t output = index * DOT_OUTPUTS, count = pg_smaller(job->outputs - output, DOT_OUTPUTS);
    const char *w = (const char *)job->weights + (size_t)(output * job->inputs) * pg_dtype_size(job->dtype);
    if (run->halves)
        run->kernels->dot_rows_bf16(job->out + output, job->outputs, w, job->inputs, count, run->halves, run->stride,
                                    job->rows, job->inputs);
    else
        run->kernels->dot_rows(job->out + output, job->outputs, w, job->dtype, job->inputs, count, job->x, job->inputs,
                               job->rows, job->inputs);
    if (job->bias)
        for (int64_t r = 0; r < job->rows; r++) {
            float *out = job->out + r * job->outputs + output;
            run->kernels->add(out, out, job->bias + output, count);
        }
}

void pg_matmul_dots(const pg_kernels *kernels, int threads, const pg_matmul *job, void *scratch)
{
    dot_run run = {kernels, job, dots_in_bf16(kernels, job) ? scratch : NULL, job->inputs + HALVES_APART};
    if (run.halves)
        pg_parallel(threads, job->rows, round_row, &run);
    pg_parallel(threads, (job->outputs + DOT_OUTPUTS - 1) / DOT_OUTPUTS, dot_block, &run);
}

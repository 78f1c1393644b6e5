/*
 * Blocking of the integer product. Rows of x go in chunks of CHUNK_ROWS, quantised once; then every task takes
 * PG_INTEGER_OUTPUTS rows of w and walks along their blocks: a block of w stays in the first-level cache while all rows
 * of the chunk are multiplied with it, and is read from memory once per chunk, as it lies in its file.
 */
#include "kernels/integer.h"

#include <string.h>

#include "base/numbers.h"
#include "base/threads.h"

#define CHUNK_ROWS  512
#define TASK_BLOCKS 64 /* blocks of activations: enough for a task */

typedef struct integer_run {
    const pg_kernels *kernels;
    const pg_integer_matmul *job;
    pg_integer_rows x;
    int64_t first; /* row of the chunk */
    char *workers;
} integer_run;

static int64_t count_blocks(const pg_integer_matmul *job)
{
    return pg_quantized_blocks(job->weights->inputs, job->weights->block);
}

/* Bytes of a chunk's parts. */
typedef struct chunk_bytes {
    size_t values, blocks, steps;
} chunk_bytes;

static chunk_bytes measure_chunk(const pg_integer_matmul *job)
{
    size_t rows = (size_t)pg_smaller(job->rows, CHUNK_ROWS),
           values = rows * (size_t)pg_quantized_padded(job->weights->inputs);
    return (chunk_bytes){.values = pg_align(values),
                         .blocks = pg_align(rows * (size_t)count_blocks(job) * sizeof(int32_t)),
                         .steps = pg_align(values / PG_QUANTIZED_STEP * sizeof(int32_t))};
}

/* Of one worker: a block of unpacked weights, and sums [rows][PG_INTEGER_OUTPUTS]. */
static size_t worker_bytes(const pg_integer_matmul *job)
{
    return PG_INTEGER_SCRATCH + (size_t)pg_smaller(job->rows, CHUNK_ROWS) * PG_INTEGER_OUTPUTS * sizeof(float);
}

size_t pg_integer_scratch(int threads, const pg_integer_matmul *job)
{
    chunk_bytes chunk = measure_chunk(job);
    return chunk.values + 2 * chunk.blocks + chunk.steps + (size_t)threads * worker_bytes(job);
}

/* Some blocks of activations, counted row by row. */
static void quantize_blocks(void *context, int64_t index, int worker)
{
    (void)worker;
    const integer_run *run = context;
    const pg_integer_rows *x = &run->x;
    int64_t blocks = count_blocks(run->job), inputs = run->job->weights->inputs, total = x->rows * blocks;
    for (int64_t i = index * TASK_BLOCKS; i < pg_smaller((index + 1) * TASK_BLOCKS, total); i++) {
        int64_t r = i / blocks, b = i % blocks, first = b * x->block;
        int64_t padded = pg_smaller(x->inputs - first, x->block), count = pg_smaller(inputs - first, x->block);
        const float *from = run->job->x + (run->first + r) * inputs + first;
        float filled[256];
        if (count < padded) {
            memset(filled, 0, sizeof filled);
            memcpy(filled, from, (size_t)count * sizeof *filled);
            from = filled;
        }
        int64_t at = first * x->rows + r * padded, place = b * x->rows + r;
        run->kernels->quantize(x->values + at, x->scales + place, x->zeros8 + place, x->zeros4 + at / PG_QUANTIZED_STEP,
                               from, padded);
    }
}

static void multiply_groups(void *context, int64_t index, int worker)
{
    const integer_run *run = context;
    const pg_integer_matmul *job = run->job;
    int64_t outputs = job->weights->rows, group = index * PG_INTEGER_GROUPS, output = group * PG_QUANTIZED_ROWS;
    int64_t groups = pg_smaller(pg_quantized_groups(outputs) - group, PG_INTEGER_GROUPS);
    int64_t count = pg_smaller(outputs - output, PG_INTEGER_OUTPUTS);
    char *scratch = run->workers + (size_t)worker * worker_bytes(job);
    float *sums = (float *)(scratch + PG_INTEGER_SCRATCH);
    memset(sums, 0, (size_t)(run->x.rows * PG_INTEGER_OUTPUTS) * sizeof *sums);
    run->kernels->integer_product(sums, job->weights, group, groups, &run->x, (uint8_t *)scratch);
    for (int64_t r = 0; r < run->x.rows; r++, sums += PG_INTEGER_OUTPUTS) {
        float *out = job->out + (run->first + r) * outputs + output;
        if (job->bias)
            run->kernels->add(out, sums, job->bias + output, count);
        else
            memcpy(out, sums, (size_t)count * sizeof *out);
    }
}

void pg_matmul_integer(const pg_kernels *kernels, int threads, const pg_integer_matmul *job, void *scratch)
{
    const pg_quantized *w = job->weights;
    chunk_bytes chunk = measure_chunk(job);
    integer_run run = {.kernels = kernels,
                       .job = job,
                       .x = {.inputs = pg_quantized_padded(w->inputs), .block = w->block}};
    run.x.values = scratch;
    run.x.scales = (float *)((char *)scratch + chunk.values);
    run.x.zeros8 = (int32_t *)((char *)run.x.scales + chunk.blocks);
    run.x.zeros4 = (int32_t *)((char *)run.x.zeros8 + chunk.blocks);
    run.workers = (char *)run.x.zeros4 + chunk.steps;
    int64_t tasks = (pg_quantized_groups(w->rows) + PG_INTEGER_GROUPS - 1) / PG_INTEGER_GROUPS;
    for (; run.first < job->rows; run.first += run.x.rows) {
        run.x.rows = pg_smaller(job->rows - run.first, CHUNK_ROWS);
        pg_parallel(threads, (run.x.rows * count_blocks(job) + TASK_BLOCKS - 1) / TASK_BLOCKS, quantize_blocks, &run);
        pg_parallel(threads, tasks, multiply_groups, &run);
    }
}

#include "tasks/weight_rounding.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/numbers.h"
#include "base/threads.h"

#define PIECE_BYTES (8 << 20) /* of values that are made before they are written */
#define MANY_GROUPS 64        /* beyond, products are taken from every eighth group */

/* Sums of squares of products with the examples' activations: of a group's values, of its errors, and of its errors
 * where it is rounded to the nearest. */
typedef struct group_squares {
    double values, errors, nearest;
} group_squares;

/* A matrix in the making: values of some groups, scales and steps of all. */
typedef struct rounding_run {
    const pg_weight_rounding *job;
    pg_quantized_parts parts;
    group_squares *squares; /* [groups of the matrix]; zero where they are not taken */
    int64_t first, groups;  /* of the piece */
    char *workers;          /* of each: 16 rows of floats, 16 rows of differences, and scratch */
    size_t worker_bytes;
    atomic_bool strange;
} rounding_run;

static void subtract(float *out, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] -= values[i];
}

static void weigh_group(const rounding_run *run, const pg_quantized_parts *parts, int64_t group, const float *floats,
                        float *differences, void *scratch)
{
    int64_t width = run->job->from->width, row = group * PG_QUANTIZED_ROWS;
    int64_t rows = pg_smaller(run->job->from->rows - row, PG_QUANTIZED_ROWS);
    group_squares *squares = &run->squares[group];
    pg_quantized made = run->job->to;
    made.values = parts->values;
    made.steps = parts->steps;
    made.scales = parts->scales;
    squares->values = pg_feedback_square(run->job->feedback, floats, scratch);
    memset(differences, 0, (size_t)(PG_QUANTIZED_ROWS * width) * sizeof *differences);
    for (int64_t r = 0; r < rows; r++)
        pg_quantized_widen(differences + r * width, &made, r, 0, width);
    subtract(differences, floats, rows * width);
    squares->errors = pg_feedback_square(run->job->feedback, differences, scratch);
    for (int64_t r = 0; r < rows; r++)
        pg_parameter_row(differences + r * width, run->job->nearest, row + r);
    subtract(differences, floats, rows * width);
    squares->nearest = pg_feedback_square(run->job->feedback, differences, scratch);
}

static bool is_weighed(const rounding_run *run, int64_t group)
{
    return run->job->feedback && (group % 8 == 0 || pg_quantized_groups(run->job->to.rows) <= MANY_GROUPS);
}

static void round_group(void *context, int64_t index, int worker)
{
    rounding_run *run = context;
    const pg_parameter *from = run->job->from;
    const pg_quantized *to = &run->job->to;
    int64_t group = run->first + index, blocks = pg_quantized_blocks(to->inputs, to->block);
    int64_t row = group * PG_QUANTIZED_ROWS, rows = pg_smaller(from->rows - row, PG_QUANTIZED_ROWS);
    float *floats = (float *)(run->workers + (size_t)worker * run->worker_bytes);
    float *differences = floats + PG_QUANTIZED_ROWS * from->width;
    void *scratch = differences + PG_QUANTIZED_ROWS * from->width;
    memset(floats, 0, (size_t)(PG_QUANTIZED_ROWS * from->width) * sizeof *floats);
    for (int64_t r = 0; r < rows; r++)
        pg_parameter_row(floats + r * from->width, from, row + r);
    pg_quantized_parts parts = {.values = run->parts.values + index * pg_quantized_group_bytes(to),
                                .steps = run->parts.steps + group * pg_quantized_step_bytes(to),
                                .scales = run->parts.scales + group * blocks * PG_QUANTIZED_ROWS};
    if (!pg_quantize_group(&parts, to, floats, run->job->feedback, scratch))
        atomic_store(&run->strange, true);
    else if (is_weighed(run, group))
        weigh_group(run, &parts, group, floats, differences, scratch);
}

static pg_status make_room(rounding_run *run)
{
    const pg_weight_rounding *job = run->job;
    int64_t group_bytes = pg_quantized_group_bytes(&job->to), groups = pg_quantized_groups(job->to.rows);
    run->groups = pg_smaller(groups, PIECE_BYTES / group_bytes + job->threads);
    run->worker_bytes =
        (size_t)(2 * PG_QUANTIZED_ROWS * job->from->width) * sizeof(float) + pg_quantize_scratch(&job->to);
    run->parts.values = pg_alloc((size_t)run->groups, (size_t)group_bytes);
    run->parts.scales = pg_alloc(job->arrays->arrays[1].bytes, 1);
    run->parts.steps = pg_alloc(job->to.bits == 4 ? job->arrays->arrays[2].bytes : 0, 1);
    run->squares = pg_alloc((size_t)groups, sizeof *run->squares);
    run->workers = pg_alloc((size_t)job->threads, run->worker_bytes);
    bool enough = run->parts.values && run->parts.scales && run->parts.steps && run->squares && run->workers;
    return enough ? PG_OK : PG_ERROR_MEMORY;
}

static void free_room(rounding_run *run)
{
    pg_free(run->parts.values);
    pg_free(run->parts.scales);
    pg_free(run->parts.steps);
    pg_free(run->squares);
    pg_free(run->workers);
}

static pg_status write_pieces(pg_safetensors_writer *file, rounding_run *run)
{
    const pg_weight_rounding *job = run->job;
    const pg_array *arrays = job->arrays->arrays;
    int64_t groups = pg_quantized_groups(job->to.rows), piece = run->groups;
    for (; run->first < groups; run->first += piece) {
        run->groups = pg_smaller(groups - run->first, piece);
        pg_parallel(job->threads, run->groups, round_group, run);
        if (atomic_load(&run->strange))
            return pg_fail(PG_ERROR_FORMAT, "%s (%s): found a value that is not finite", arrays[0].name,
                           job->from->name);
        PG_TRY(pg_safetensors_writer_write(file, run->parts.values,
                                           (size_t)(run->groups * pg_quantized_group_bytes(&job->to))));
    }
    PG_TRY(pg_safetensors_writer_write(file, run->parts.scales, arrays[1].bytes));
    return job->to.bits == 4 ? pg_safetensors_writer_write(file, run->parts.steps, arrays[2].bytes) : PG_OK;
}

static pg_rounding_errors sum_squares(const rounding_run *run)
{
    group_squares sum = {0};
    for (int64_t i = 0; i < pg_quantized_groups(run->job->to.rows); i++) {
        sum.values += run->squares[i].values;
        sum.errors += run->squares[i].errors;
        sum.nearest += run->squares[i].nearest;
    }
    return sum.values > 0 ? (pg_rounding_errors){sqrt(sum.errors / sum.values), sqrt(sum.nearest / sum.values)}
                          : (pg_rounding_errors){0, 0};
}

pg_status pg_weight_round(pg_rounding_errors *errors, pg_safetensors_writer *file, const pg_weight_rounding *rounding)
{
    rounding_run run = {.job = rounding};
    pg_status status = make_room(&run);
    if (status == PG_OK)
        status = write_pieces(file, &run);
    if (status == PG_OK && rounding->feedback)
        *errors = sum_squares(&run);
    free_room(&run);
    return status;
}

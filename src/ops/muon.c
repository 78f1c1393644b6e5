/*
 * Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon), as torch.optim.Muon computes it with
 * adjust_lr_fn="match_rms_adamw" (Liu et al. 2025): a matrix moves by its momentum with nearly all singular values made
 * one, as large as AdamW's steps are, so that learning rate and decay are AdamW's.
 *
 *     m += (1 - momentum) (grad - m)
 *     x = grad + momentum (m - grad), divided by its length
 *     five times (Newton and Schulz): a = x x^T, x = 3.4445 x + (-4.775 a + 2.0315 a a) x
 *     values = (1 - rate decay) values - 0.2 sqrt(longer side) rate x
 *
 * A tall matrix has a = x^T x and stands left of it, so that `a` has the shorter side. Products are the layers': any
 * number of threads gives the same bits.
 */
#include <math.h>

#include "base/memory.h"
#include "base/numbers.h"
#include "base/pages.h"
#include "base/threads.h"
#include "kernels/device_products.h"
#include "kernels/device_rows.h"
#include "kernels/device_update.h"
#include "kernels/gradient.h"
#include "kernels/matmul.h"
#include "kernels/matmul_gradient.h"
#include "ops/update.h"

#define ITERATIONS 5
static const float coefficients[3] = {3.4445f, -4.775f, 2.0315f};

#define LIKE_ADAMW 0.2 /* root mean square of AdamW's steps, for a rate of 1 */

struct pg_muon {
    const pg_update_plan *plan;
    pg_panel_dtype panel;
    float *x, *next;            /* [rows][width] of the matrix at hand */
    float *square, *polynomial; /* a, and what x is multiplied by: [shorter][shorter] */
    double *sums;               /* of the squares of pieces, where the plan is */
    void *scratch;              /* of the host's products */
    size_t matrix_bytes, square_bytes, sum_bytes, scratch_bytes;
};

/* ---------------------------------------------------------------- element by element */

typedef struct pieces_run {
    void (*loop)(float *out, const float *x, float factor, int64_t n);
    float *out;
    const float *x;
    float factor;
    int64_t count;
} pieces_run;

static int64_t piece_size(int64_t count, int64_t first)
{
    return pg_smaller(count - first, PG_UPDATE_PIECE);
}

static void each_piece(const pg_muon *muon, int64_t count, pg_task *task, void *run)
{
    pg_parallel(muon->plan->threads, pg_update_pieces(count), task, run);
}

static void loop_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const pieces_run *run = context;
    int64_t at = index * PG_UPDATE_PIECE;
    run->loop(run->out + at, run->x + at, run->factor, piece_size(run->count, at));
}

/* out = factor x */
static void scale(const pg_muon *muon, float *out, const float *x, float factor, int64_t count)
{
    pg_device *device = muon->plan->device;
    pieces_run run = {muon->plan->kernels->scale, out, x, factor, count};
    if (device)
        device->kernels->rows->pass_back(device, out, true, x, factor, count);
    else
        each_piece(muon, count, loop_piece, &run);
}

/* out += factor x */
static void add_scaled(const pg_muon *muon, float *out, const float *x, float factor, int64_t count)
{
    pg_device *device = muon->plan->device;
    pieces_run run = {muon->plan->kernels->gradient->add_scaled, out, x, factor, count};
    if (device)
        device->kernels->rows->add_scaled(device, out, out, x, factor, count);
    else
        each_piece(muon, count, loop_piece, &run);
}

/* ---------------------------------------------------------------- momentum */

typedef struct start_run {
    const pg_muon *muon;
    const pg_update *update;
    float keep, share;
} start_run;

/* Momentum, and the direction before it is divided by its length. */
static void start_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const start_run *run = context;
    const pg_kernels *kernels = run->muon->plan->kernels;
    int64_t at = index * PG_UPDATE_PIECE, count = piece_size(run->update->rows * run->update->width, at);
    const float *grad = run->update->grad + at;
    float *m = run->update->m + at, *x = run->muon->x + at;
    kernels->scale(m, m, run->keep, count);
    kernels->gradient->add_scaled(m, grad, run->share, count);
    kernels->scale(x, m, run->keep, count);
    kernels->gradient->add_scaled(x, grad, run->share, count);
    run->muon->sums[index] = kernels->update->squares(x, NULL, count);
}

/* muon->x: where a matrix would go, of length 1. */
static void start(const pg_muon *muon, const pg_update *u, const pg_update_rule *rule)
{
    pg_device *device = muon->plan->device;
    int64_t count = u->rows * u->width;
    start_run run = {muon, u, (float)rule->momentum, (float)((1 - rule->momentum) * rule->grad_scale)};
    if (device) {
        device->kernels->update->direction(device, muon->x, u->m, u->grad, count, run.keep, run.share, muon->sums);
        return;
    }
    each_piece(muon, count, start_piece, &run);
    double sum = 0;
    for (int64_t i = 0; i < pg_update_pieces(count); i++)
        sum += muon->sums[i];
    scale(muon, muon->x, muon->x, (float)(1 / fmax(sqrt(sum), PG_MUON_SMALLEST)), count);
}

/* ---------------------------------------------------------------- products */

/* out += a b, on the host */
static pg_matmul_gradient product(const pg_muon *muon, float *out, const float *a, int64_t rows, int64_t inner,
                                  const float *b, int64_t columns)
{
    return (pg_matmul_gradient){.out = out,
                                .a = a,
                                .b = b,
                                .dtype = PG_F32,
                                .rows = rows,
                                .inner = inner,
                                .columns = columns,
                                .panel = muon->panel};
}

/* out = x x^T, on the host */
static pg_matmul product_of_rows(const pg_muon *muon, float *out, const float *x, int64_t rows, int64_t width)
{
    return (pg_matmul){out, x, rows, rows, width, x, PG_F32, NULL, muon->panel};
}

/* out = x^T x, on the host */
static pg_matmul_gradient product_of_columns(const pg_muon *muon, float *out, const float *x, int64_t rows,
                                             int64_t width)
{
    pg_matmul_gradient job = product(muon, out, x, width, rows, x, width);
    job.a_transposed = job.fresh = true;
    return job;
}

static void multiply(const pg_muon *muon, pg_matmul_gradient job)
{
    pg_matmul_gradient_run(muon->plan->kernels, muon->plan->threads, &job, muon->scratch);
}

static pg_device_matrix matrix_of(const float *x, int64_t rows, int64_t width)
{
    return (pg_device_matrix){.data = x, .dtype = PG_F32, .rows = rows, .width = width};
}

/* out = x x^T, or of a tall matrix x^T x */
static void square_sides(const pg_muon *muon, float *out, const float *x, int64_t rows, int64_t width)
{
    pg_device *device = muon->plan->device;
    bool bf16 = muon->panel == PG_PANEL_BF16, tall = rows > width;
    if (!device && tall) {
        multiply(muon, product_of_columns(muon, out, x, rows, width));
    } else if (!device) {
        pg_matmul job = product_of_rows(muon, out, x, rows, width);
        pg_matmul_panels(muon->plan->kernels, muon->plan->threads, &job, muon->scratch);
    } else if (tall) {
        pg_device_matrix w = matrix_of(NULL, width, width);
        pg_values_clear(device, out, (size_t)(width * width) * sizeof *out);
        device->kernels->products->multiply_back(device, NULL, false, out, x, x, rows, &w, bf16);
    } else {
        pg_device_matrix w = matrix_of(x, rows, width);
        device->kernels->products->multiply(device, &(pg_device_product){out, &w, NULL}, 1, x, rows, 0, bf16);
    }
}

/* out += a b */
static void add_product(const pg_muon *muon, float *out, const float *a, int64_t rows, int64_t inner, const float *b,
                        int64_t columns)
{
    pg_device *device = muon->plan->device;
    pg_device_matrix w = matrix_of(b, inner, columns);
    if (device)
        device->kernels->products->multiply_back(device, out, false, NULL, a, NULL, rows, &w,
                                                 muon->panel == PG_PANEL_BF16);
    else
        multiply(muon, product(muon, out, a, rows, inner, b, columns));
}

static void iterate(pg_muon *muon, int64_t rows, int64_t width)
{
    int64_t shorter = pg_smaller(rows, width), count = rows * width;
    float *a = muon->square, *polynomial = muon->polynomial;
    square_sides(muon, a, muon->x, rows, width);
    scale(muon, polynomial, a, coefficients[1] / coefficients[2], shorter * shorter);
    add_product(muon, polynomial, a, shorter, shorter, a, shorter);
    scale(muon, polynomial, polynomial, coefficients[2], shorter * shorter);
    scale(muon, muon->next, muon->x, coefficients[0], count);
    if (rows > width)
        add_product(muon, muon->next, muon->x, rows, width, polynomial, width);
    else
        add_product(muon, muon->next, polynomial, rows, rows, muon->x, width);
    float *before = muon->x;
    muon->x = muon->next;
    muon->next = before;
}

/* ---------------------------------------------------------------- steps */

static void update_one(pg_muon *muon, const pg_update *u, const pg_update_rule *rule)
{
    int64_t count = u->rows * u->width;
    double like_adamw = LIKE_ADAMW * sqrt((double)(u->rows > u->width ? u->rows : u->width));
    start(muon, u, rule);
    for (int i = 0; i < ITERATIONS; i++)
        iterate(muon, u->rows, u->width);
    if (u->decay)
        scale(muon, u->values, u->values, (float)(1 - rule->rate * rule->decay), count);
    add_scaled(muon, u->values, muon->x, (float)(-rule->rate * like_adamw), count);
}

void pg_update_muon(pg_muon *muon, const pg_update_rule *rule)
{
    for (size_t i = 0; i < muon->plan->count; i++)
        update_one(muon, &muon->plan->updates[i], rule);
}

/* ---------------------------------------------------------------- memory */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* So that a matrix fits, too. */
static void make_room(pg_muon *muon, const pg_update *u)
{
    const pg_update_plan *plan = muon->plan;
    int64_t rows = u->rows, width = u->width, shorter = pg_smaller(rows, width);
    pg_matmul of_rows = product_of_rows(muon, NULL, NULL, rows, width);
    pg_matmul_gradient jobs[] = {product_of_columns(muon, NULL, NULL, rows, width),
                                 product(muon, NULL, NULL, shorter, shorter, NULL, shorter),
                                 product(muon, NULL, NULL, rows, shorter, NULL, width)};
    muon->matrix_bytes = larger(muon->matrix_bytes, (size_t)(rows * width) * sizeof(float));
    muon->square_bytes = larger(muon->square_bytes, (size_t)(shorter * shorter) * sizeof(float));
    muon->sum_bytes = larger(muon->sum_bytes, (size_t)pg_update_pieces(rows * width) * sizeof(double));
    muon->scratch_bytes = larger(muon->scratch_bytes, pg_matmul_scratch(plan->kernels, plan->threads, &of_rows));
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        muon->scratch_bytes =
            larger(muon->scratch_bytes, pg_matmul_gradient_scratch(plan->kernels, plan->threads, &jobs[i]));
}

size_t pg_muon_bytes(int64_t rows, int64_t width)
{
    size_t values = (size_t)(rows * width), shorter = (size_t)pg_smaller(rows, width);
    return 2 * (values + shorter * shorter) * sizeof(float);
}

static pg_status allocate(pg_muon *muon)
{
    pg_device *device = muon->plan->device;
    muon->x = pg_values_alloc(device, muon->matrix_bytes);
    muon->next = muon->x ? pg_values_alloc(device, muon->matrix_bytes) : NULL;
    muon->square = muon->next ? pg_values_alloc(device, muon->square_bytes) : NULL;
    muon->polynomial = muon->square ? pg_values_alloc(device, muon->square_bytes) : NULL;
    muon->sums = muon->polynomial ? pg_values_alloc(device, muon->sum_bytes) : NULL;
    if (muon->sums && !device)
        muon->scratch = pg_pages_alloc(muon->scratch_bytes);
    return muon->sums && (device || muon->scratch) ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_muon_new(pg_muon **out, const pg_update_plan *plan, bool bf16)
{
    pg_muon *muon = *out = pg_alloc(1, sizeof *muon);
    if (!muon)
        return PG_ERROR_MEMORY;
    muon->plan = plan;
    muon->panel = bf16 ? PG_PANEL_BF16 : PG_PANEL_F32;
    for (size_t i = 0; i < plan->count; i++)
        make_room(muon, &plan->updates[i]);
    return plan->count ? allocate(muon) : PG_OK;
}

static void release(const pg_muon *muon, void *values, size_t bytes)
{
    if (values)
        pg_values_free(muon->plan->device, values, bytes);
}

void pg_muon_free(pg_muon *muon)
{
    if (!muon)
        return;
    release(muon, muon->x, muon->matrix_bytes);
    release(muon, muon->next, muon->matrix_bytes);
    release(muon, muon->square, muon->square_bytes);
    release(muon, muon->polynomial, muon->square_bytes);
    release(muon, muon->sums, muon->sum_bytes);
    if (muon->scratch)
        pg_pages_free(muon->scratch, muon->scratch_bytes);
    pg_free(muon);
}

/* SigLIP's sigmoid loss (Zhai et al. 2023): every picture with every text is a question of its own, yes on the diagonal
 * and no elsewhere. Some texts at a time stand in for the weight of a linear layer over the pictures, whose products
 * and their way back are there already: of the matrix of all pairs, the columns of these texts exist and no more. */
#include <math.h>

#include "kernels/device_losses.h"
#include "ops/linear.h"
#include "ops/rows.h"

#define TEXTS        256 /* at a time */
#define DEVICE_TEXTS 4096

typedef struct contrastive_run {
    pg_tensor *images, *texts, *out;
    pg_parameter scale, bias;
    /* the texts at hand */
    int64_t first, most;
    pg_tensor *cosines; /* [images, texts at hand]; on the way back they become their derivatives */
    double factor, shift, weight;
    double *losses, *dscales, *dbiases; /* [images]: sums over the texts so far, where values lie */
} contrastive_run;

/* log(1 + e^x) */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double sign_of(const contrastive_run *run, int64_t row, int64_t column)
{
    return row == run->first + column ? 1 : -1;
}

static void loss_row(void *context, int64_t row)
{
    const contrastive_run *run = context;
    const float *cosines = pg_row(run->cosines, row);
    double sum = 0;
    for (int64_t i = 0; i < run->cosines->width; i++)
        sum += softplus(-sign_of(run, row, i) * (run->factor * cosines[i] + run->shift));
    run->losses[row] += sum;
}

/* With z = factor cosine + shift, -log sigmoid(m z) has the derivative -m / (1 + e^(m z)). */
static void loss_back_row(void *context, int64_t row)
{
    const contrastive_run *run = context;
    float *cosines = pg_row(run->cosines, row);
    double dscale = 0, dbias = 0;
    for (int64_t i = 0; i < run->cosines->width; i++) {
        double m = sign_of(run, row, i), scaled = run->factor * cosines[i];
        double dz = -m / (1 + exp(m * (scaled + run->shift))) * run->weight;
        dscale += dz * scaled;
        dbias += dz;
        cosines[i] = (float)(dz * run->factor);
    }
    run->dscales[row] += dscale;
    run->dbiases[row] += dbias;
}

static double *zeros(pg_context *g, int64_t count)
{
    double *memory = pg_scratch_values(g, (size_t)count * sizeof *memory);
    if (memory)
        pg_values_clear(g->device, memory, (size_t)count * sizeof *memory);
    return memory;
}

static double sum_of(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

/* out = the sum of x / divisor, or that much more */
static void put_sum(pg_context *g, float *out, const double *x, int64_t count, double divisor, bool add)
{
    if (g->device)
        PG_DEVICE(g, losses, sum, out, x, count, divisor, add);
    else
        *out = (add ? *out : 0) + (float)(sum_of(x, count) / divisor);
}

/* On the host; a device reads for itself what only it has. */
static bool read_scale(contrastive_run *run, pg_context *g)
{
    if (g->device)
        return g->status == PG_OK;
    const float *scale = pg_parameter_floats(g, &run->scale), *bias = pg_parameter_floats(g, &run->bias);
    if (g->status != PG_OK)
        return false;
    run->factor = exp((double)*scale);
    run->shift = *bias;
    return true;
}

/* The texts from run->first on, as the weight of a linear layer. */
static pg_parameter texts_at_hand(const contrastive_run *run, float *dtexts)
{
    int64_t left = run->texts->rows - run->first, width = run->texts->width;
    return (pg_parameter){.name = "texts",
                          .dtype = PG_F32,
                          .rows = left < run->most ? left : run->most,
                          .width = width,
                          .data = pg_row(run->texts, run->first),
                          .grad = dtexts ? dtexts + run->first * width : NULL};
}

#define PAIR_COST 32 /* an exponential and a logarithm each */

/* Of every row of cosines its losses, or (back) its derivatives, which take its place. */
static void each_row(pg_context *g, contrastive_run *run, bool back)
{
    int64_t rows = run->cosines->rows, width = run->cosines->width;
    pg_device_matrix scale = pg_on_device(&run->scale), bias = pg_on_device(&run->bias);
    if (!g->device)
        pg_each_row(g, rows, width * PAIR_COST, back ? loss_back_row : loss_row, run);
    else if (back)
        PG_DEVICE(g, losses, contrastive_back, run->cosines->data, run->dscales, run->dbiases, run->out->grad, rows,
                  width, run->first, &scale, &bias);
    else
        PG_DEVICE(g, losses, contrastive, run->losses, run->cosines->data, rows, width, run->first, &scale, &bias);
}

/* Goes through all texts, some at a time; on the way back derivatives go to dimages and dtexts. Products are always in
 * f32: beside the towers they cost nothing, and the factor multiplies what rounding does to them. */
static void each_text(pg_context *g, contrastive_run *run, bool back, float *dimages, float *dtexts)
{
    pg_compute compute = g->compute;
    run->most = g->device ? DEVICE_TEXTS : TEXTS;
    g->compute = PG_COMPUTE_F32;
    for (run->first = 0; run->first < run->texts->rows && g->status == PG_OK; run->first += run->most) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        pg_parameter texts = texts_at_hand(run, dtexts);
        pg_tensor images = pg_rows_view(run->images, 0, run->images->rows);
        images.single = 0;
        run->cosines = pg_tensor_new(g, images.rows, texts.rows);
        if (run->cosines)
            pg_linear_into(g, run->cosines, &images, &texts, NULL);
        if (run->cosines && g->status == PG_OK)
            each_row(g, run, back);
        if (run->cosines && g->status == PG_OK && back)
            pg_linear_back(g, run->cosines->data, &images, dimages, false, &texts, NULL);
        pg_arena_release(&g->arena, mark);
    }
    g->compute = compute;
}

static void contrastive_backward(pg_context *g, const void *saved)
{
    contrastive_run run = *(const contrastive_run *)saved;
    int64_t rows = run.images->rows;
    float *dimages = pg_gradient(g, run.images), *dtexts = pg_gradient(g, run.texts);
    run.dscales = zeros(g, rows);
    run.dbiases = zeros(g, rows);
    if (!read_scale(&run, g))
        return;
    run.weight = g->device ? 0 : (double)run.out->grad[0] / (double)rows;
    each_text(g, &run, true, dimages, dtexts);
    if (run.scale.grad)
        put_sum(g, run.scale.grad, run.dscales, rows, 1, true);
    if (run.bias.grad)
        put_sum(g, run.bias.grad, run.dbiases, rows, 1, true);
}

pg_tensor *pg_contrastive_loss(pg_context *g, pg_tensor *images, pg_tensor *texts, const pg_parameter *scale,
                               const pg_parameter *bias)
{
    PG_PROFILE(g, "contrastive_loss", NULL);
    contrastive_run run = {.images = images, .texts = texts, .scale = *scale, .bias = *bias};
    run.out = images && texts ? pg_tensor_new(g, 1, 1) : NULL;
    if (!run.out || !read_scale(&run, g))
        return NULL;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    run.losses = zeros(g, images->rows);
    if (run.losses)
        each_text(g, &run, false, NULL, NULL);
    if (run.losses && g->status == PG_OK)
        put_sum(g, run.out->data, run.losses, images->rows, (double)images->rows, false);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK &&
        (pg_tracked(g, images) || pg_tracked(g, texts) || pg_is_trained(g, scale) || pg_is_trained(g, bias)))
        pg_tape_record(g, run.out, contrastive_backward, &run, sizeof run);
    return g->status == PG_OK ? run.out : NULL;
}

/* ---------------------------------------------------------------- whose own text is the nearest */

typedef struct diagonal_run {
    const pg_tensor *x;
    float *hits;
} diagonal_run;

static void diagonal_row(void *context, int64_t row)
{
    const diagonal_run *run = context;
    const float *x = pg_row(run->x, row);
    run->hits[row] = 1;
    for (int64_t i = 0; i < run->x->width; i++)
        if (x[i] > x[row])
            run->hits[row] = 0;
}

void pg_largest_on_diagonal(pg_context *g, float *hits, const pg_tensor *x)
{
    diagonal_run run = {x, hits};
    if (x && g->device)
        PG_DEVICE(g, losses, diagonal, hits, x->data, x->rows, x->width);
    else if (x)
        pg_each_row(g, x->rows, x->width, diagonal_row, &run);
}

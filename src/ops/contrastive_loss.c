/* SigLIP's sigmoid loss (Zhai et al. 2023): every picture with every text is a question of its own, yes on the diagonal
 * and no elsewhere. Some texts at a time stand in for the weight of a linear layer over the pictures, whose products
 * and their way back are there already: of the matrix of all pairs, the columns of these texts exist and no more. */
#include <math.h>

#include "ops/linear.h"
#include "ops/rows.h"

#define TEXTS 256 /* at a time */

typedef struct contrastive_run {
    pg_tensor *images, *texts, *out;
    pg_parameter scale, bias;
    /* the texts at hand */
    int64_t first;
    pg_tensor *cosines; /* [images, texts at hand]; on the way back they become their derivatives */
    double factor, shift, weight;
    double *losses, *dscales, *dbiases; /* [images]: sums over the texts so far */
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
    double *memory = pg_scratch(g, (size_t)count * sizeof *memory);
    for (int64_t i = 0; memory && i < count; i++)
        memory[i] = 0;
    return memory;
}

static double sum_of(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

static bool read_scale(contrastive_run *run, pg_context *g)
{
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
                          .rows = left < TEXTS ? left : TEXTS,
                          .width = width,
                          .data = pg_row(run->texts, run->first),
                          .grad = dtexts ? dtexts + run->first * width : NULL};
}

/* Goes through all texts, some at a time: `task` makes something of every row of cosines, whose derivatives then go to
 * dimages and dtexts, if there are any. Products are always in f32: beside the towers they cost nothing, and the factor
 * multiplies what rounding does to them. */
static void each_text(pg_context *g, contrastive_run *run, void (*task)(void *context, int64_t row), bool back,
                      float *dimages, float *dtexts)
{
    pg_compute compute = g->compute;
    g->compute = PG_COMPUTE_F32;
    for (run->first = 0; run->first < run->texts->rows && g->status == PG_OK; run->first += TEXTS) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        pg_parameter texts = texts_at_hand(run, dtexts);
        pg_tensor images = pg_rows_view(run->images, 0, run->images->rows);
        images.single = 0;
        run->cosines = pg_tensor_new(g, images.rows, texts.rows);
        if (run->cosines)
            pg_linear_into(g, run->cosines, &images, &texts, NULL);
        if (g->status == PG_OK)
            pg_each_row(g, images.rows, texts.rows * 32, task, run); /* an exponential and a logarithm each */
        if (g->status == PG_OK && back)
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
    run.weight = (double)run.out->grad[0] / (double)rows;
    if (!read_scale(&run, g))
        return;
    each_text(g, &run, loss_back_row, true, dimages, dtexts);
    if (run.scale.grad)
        *run.scale.grad += (float)sum_of(run.dscales, rows);
    if (run.bias.grad)
        *run.bias.grad += (float)sum_of(run.dbiases, rows);
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
        each_text(g, &run, loss_row, false, NULL, NULL);
    if (run.losses && g->status == PG_OK)
        *(float *)run.out->data = (float)(sum_of(run.losses, images->rows) / (double)images->rows);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK &&
        (pg_tracked(g, images) || pg_tracked(g, texts) || pg_is_trained(g, scale) || pg_is_trained(g, bias)))
        pg_tape_record(g, run.out, contrastive_backward, &run, sizeof run);
    return g->status == PG_OK ? run.out : NULL;
}

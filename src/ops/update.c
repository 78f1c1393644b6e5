/* AdamW (Loshchilov and Hutter 2019), with 8-bit moments (after Dettmers et al. 2021), SGD with momentum, and averages
 * of the values: one call of a kernel for each piece. Adafactor and Muon have files of their own. */
#include "ops/update.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "ops/update_tables.h"

int64_t pg_update_scales(int64_t values)
{
    return (values + PG_UPDATE_BLOCK - 1) / PG_UPDATE_BLOCK * 2;
}

static void cut(pg_update_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        int64_t count = plan->updates[i].rows * plan->updates[i].width;
        for (int64_t first = 0; first < count; first += PG_UPDATE_PIECE)
            plan->pieces[plan->piece_count++] =
                (pg_update_piece){(int64_t)i, first, count - first < PG_UPDATE_PIECE ? count - first : PG_UPDATE_PIECE};
    }
}

pg_status pg_update_plan_init(pg_update_plan *out, pg_device *device, const pg_kernels *kernels, int threads,
                              const pg_update *updates, size_t count)
{
    size_t pieces = 0, sums = 0, widest = 0;
    for (size_t i = 0; i < count; i++) {
        pieces += (size_t)pg_update_pieces(updates[i].rows * updates[i].width);
        sums = (size_t)updates[i].rows > sums ? (size_t)updates[i].rows : sums;
        widest = (size_t)updates[i].width > widest ? (size_t)updates[i].width : widest;
    }
    sums = pieces > sums ? pieces : sums;
    *out =
        (pg_update_plan){.device = device, .kernels = kernels, .threads = threads, .updates = updates, .count = count};
    out->pieces = pg_alloc(pieces, sizeof *out->pieces);
    out->sums = out->pieces ? pg_alloc(sums, sizeof *out->sums) : NULL;
    out->factors = out->sums ? pg_alloc(widest, sizeof *out->factors) : NULL;
    if (!out->factors) {
        pg_update_plan_free(out);
        return PG_ERROR_MEMORY;
    }
    cut(out);
    pg_status status = device ? pg_update_tables_init(out) : PG_OK;
    if (status != PG_OK)
        pg_update_plan_free(out);
    return status;
}

void pg_update_plan_free(pg_update_plan *plan)
{
    if (plan->device)
        pg_update_tables_free(plan);
    pg_free(plan->pieces);
    pg_free(plan->sums);
    pg_free(plan->factors);
    *plan = (pg_update_plan){0};
}

/* One step over all pieces. */
typedef struct update_run {
    const pg_update_plan *plan;
    const pg_update_kernels *kernels;
    pg_adam_step adam;
    pg_sgd_step sgd;
    uint64_t seed;
    int64_t step;
    float share;
} update_run;

static void each_piece(const pg_update_plan *plan, pg_task *task, update_run *run)
{
    run->plan = plan;
    run->kernels = plan->kernels->update;
    pg_parallel(plan->threads, (int64_t)plan->piece_count, task, run);
}

/* ---------------------------------------------------------------- the norm */

static void square_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const update_run *run = context;
    const pg_update_piece *piece = &run->plan->pieces[index];
    run->plan->sums[index] =
        run->kernels->squares(run->plan->updates[piece->update].grad + piece->first, NULL, piece->count);
}

/* Nothing is known of the derivatives where the device has failed. */
static double norm_on_device(const pg_update_plan *plan)
{
    double norm;
    ON_DEVICE(plan, norm, plan->on_device->norm);
    return pg_values_download(plan->device, &norm, plan->on_device->norm, sizeof norm) == PG_OK ? norm : NAN;
}

double pg_update_norm(const pg_update_plan *plan)
{
    if (plan->device)
        return norm_on_device(plan);
    update_run run = {0};
    each_piece(plan, square_piece, &run);
    double sum = 0;
    for (size_t i = 0; i < plan->piece_count; i++)
        sum += plan->sums[i];
    return sqrt(sum);
}

/* ---------------------------------------------------------------- AdamW */

static void adam_run(update_run *out, const pg_update_rule *rule)
{
    double t = (double)rule->step;
    *out = (update_run){.seed = rule->seed, .step = rule->step};
    out->adam = (pg_adam_step){.grad_scale = (float)rule->grad_scale,
                               .new1 = (float)(1 - rule->beta1),
                               .old2 = (float)rule->beta2,
                               .new2 = (float)(1 - rule->beta2),
                               .keep = (float)(1 - rule->rate * rule->decay),
                               .rate = (float)(rule->rate / (1 - pow(rule->beta1, t))),
                               .correction = (float)(1 / sqrt(1 - pow(rule->beta2, t))),
                               .epsilon = (float)rule->epsilon};
}

static pg_adam_step adam_step_of(const update_run *run, const pg_update *update)
{
    pg_adam_step step = run->adam;
    step.keep = update->decay ? step.keep : 1;
    return step;
}

static void adam_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const update_run *run = context;
    const pg_update_piece *piece = &run->plan->pieces[index];
    const pg_update *u = &run->plan->updates[piece->update];
    pg_adam_step step = adam_step_of(run, u);
    int64_t at = piece->first;
    run->kernels->adam(u->values + at, u->m + at, u->v + at, u->grad + at, piece->count, &step);
}

void pg_update_adam(const pg_update_plan *plan, const pg_update_rule *rule)
{
    update_run run;
    adam_run(&run, rule);
    if (plan->device)
        ON_DEVICE(plan, adam, &run.adam);
    else
        each_piece(plan, adam_piece, &run);
}

static void adam8_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const update_run *run = context;
    const pg_update_piece *piece = &run->plan->pieces[index];
    const pg_update *u = &run->plan->updates[piece->update];
    pg_adam_step step = adam_step_of(run, u);
    uint64_t stream = pg_random_bits(run->seed, (uint64_t)piece->update, (uint64_t)run->step);
    for (int64_t done = 0; done < piece->count; done += PG_UPDATE_BLOCK) {
        int64_t at = piece->first + done, block = at / PG_UPDATE_BLOCK;
        int64_t count = piece->count - done < PG_UPDATE_BLOCK ? piece->count - done : PG_UPDATE_BLOCK;
        run->kernels->adam8(u->values + at, u->m_codes + at, u->v_codes + at, u->scales + 2 * block, u->grad + at,
                            count, &step, (uint32_t)pg_random_bits(stream, 0, (uint64_t)block));
    }
}

void pg_update_adam8(const pg_update_plan *plan, const pg_update_rule *rule)
{
    update_run run;
    adam_run(&run, rule);
    if (plan->device)
        ON_DEVICE(plan, adam8, &run.adam, run.seed, run.step);
    else
        each_piece(plan, adam8_piece, &run);
}

/* ---------------------------------------------------------------- SGD, averages */

static void sgd_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const update_run *run = context;
    const pg_update_piece *piece = &run->plan->pieces[index];
    const pg_update *u = &run->plan->updates[piece->update];
    pg_sgd_step step = run->sgd;
    step.decay = u->decay ? step.decay : 0;
    int64_t at = piece->first;
    run->kernels->sgd(u->values + at, u->m ? u->m + at : NULL, u->grad + at, piece->count, &step);
}

void pg_update_sgd(const pg_update_plan *plan, const pg_update_rule *rule)
{
    update_run run = {.sgd = {(float)rule->grad_scale, (float)rule->decay, (float)rule->momentum, (float)rule->rate}};
    if (plan->device)
        ON_DEVICE(plan, sgd, &run.sgd);
    else
        each_piece(plan, sgd_piece, &run);
}

static void blend_piece(void *context, int64_t index, int worker)
{
    (void)worker;
    const update_run *run = context;
    const pg_update_piece *piece = &run->plan->pieces[index];
    const pg_update *u = &run->plan->updates[piece->update];
    run->kernels->blend(u->average + piece->first, u->values + piece->first, piece->count, run->share);
}

void pg_update_blend(const pg_update_plan *plan, double share)
{
    update_run run = {.share = (float)share};
    if (plan->device)
        ON_DEVICE(plan, blend, run.share);
    else
        each_piece(plan, blend_piece, &run);
}

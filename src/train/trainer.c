/*
 * A training run. A step takes a batch of rows, computes the loss and its derivatives, and lets the optimizer change
 * the weights; what is due after it (curves, validation, checkpoint) follows. Everything that a step depends on is in
 * the checkpoint or a function of the step's number, so a run that was stopped anywhere goes on with the same bits.
 */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/cost.h"

/* ---------------------------------------------------------------- opening */

static pg_status make_optimizer(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    pg_optimizer_options options;
    pg_optimizer_options_init(&options, (pg_optimizer_kind)config->optimizer);
    options.threads = trainer->g.threads;
    options.device = trainer->device;
    options.clip = config->clip;
    options.decay = config->weight_decay;
    options.beta1 = config->beta1;
    options.beta2 = config->beta2;
    options.epsilon = config->epsilon;
    options.momentum = config->momentum > 0 ? config->momentum : options.momentum;
    options.bf16 = trainer->g.compute == PG_COMPUTE_BF16;
    options.average = config->average;
    options.relative_step = config->relative_step;
    options.relative_scale = config->relative_scale == PG_SWITCH_ON;
    options.step_clip = config->step_clip;
    options.decay_exponent = config->decay_exponent;
    options.seed = (uint64_t)config->seed;
    return pg_optimizer_new(&trainer->optimizer, trainer->g.kernels, trainer->trainable->tensors,
                            trainer->trainable->count, &options);
}

/* ---------------------------------------------------------------- rows */

static pg_status take_rows(pg_sample **batch, uint64_t *position, const pg_trainer *trainer)
{
    for (int64_t i = 0; i < trainer->config->batch; i++) {
        PG_TRY(pg_loader_next(&batch[i], trainer->loader));
        if (!batch[i])
            return pg_fail(PG_ERROR_FORMAT, "the rows ended");
    }
    *position = pg_loader_get_report(trainer->loader).position;
    return PG_OK;
}

/* While a device computes, the next batch is waited for. */
static void take_ahead(void *memory)
{
    pg_trainer *trainer = memory;
    if (trainer->state.step + 1 < trainer->schedule.total)
        trainer->ahead_status = take_rows(trainer->ahead, &trainer->ahead_position, trainer);
}

/* ---------------------------------------------------------------- the run's folder */

/* All steps are done, or patience is used up. */
static bool is_over(const pg_trainer *trainer)
{
    int64_t patience = trainer->config->patience;
    return trainer->state.step >= trainer->schedule.total || (patience && trainer->state.worse >= patience);
}

static pg_status open_run(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    bool found;
    trainer->state.best = trainer->state.lowest = INFINITY;
    trainer->checkpoint = pg_trainer_path(trainer, "checkpoint.safetensors");
    if (!trainer->checkpoint)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_run_folder_open(trainer));
    PG_TRY(pg_run_state_load(&found, trainer));
    PG_TRY(pg_records_open(&trainer->records, config->out, found ? trainer->state.step : -1));
    trainer->finished = is_over(trainer);
    pg_loader_options options;
    PG_TRY(pg_rows_options(&options, &trainer->objective, trainer->config, true));
    options.first = trainer->state.position;
    trainer->objective.meanwhile = take_ahead;
    trainer->objective.user = trainer;
    trainer->ahead = pg_alloc((size_t)config->batch, sizeof *trainer->ahead);
    if (!trainer->ahead)
        return PG_ERROR_MEMORY;
    return pg_loader_open(&trainer->loader, trainer->train.mixture, &options);
}

pg_status pg_trainer_open(pg_trainer **out, const pg_train_config *config)
{
    *out = NULL;
    PG_TRY(pg_train_config_check(config, true));
    pg_trainer *trainer = pg_alloc(1, sizeof *trainer);
    if (!trainer)
        return PG_ERROR_MEMORY;
    pg_status status = pg_train_config_copy(&trainer->config, config);
    if (status == PG_OK)
        status = pg_trainer_open_parts(trainer);
    if (status == PG_OK)
        status = make_optimizer(trainer);
    if (status == PG_OK)
        status = open_run(trainer);
    if (status == PG_OK)
        *out = trainer;
    else
        pg_trainer_close(trainer);
    return status;
}

static void free_rows(const pg_trainer *trainer, pg_sample **batch)
{
    for (int64_t i = 0; batch && i < trainer->config->batch; i++) {
        pg_sample_free(batch[i]);
        batch[i] = NULL;
    }
}

void pg_trainer_close(pg_trainer *trainer)
{
    if (!trainer)
        return;
    free_rows(trainer, trainer->batch);
    free_rows(trainer, trainer->ahead);
    pg_free(trainer->batch);
    pg_free(trainer->ahead);
    pg_loader_close(trainer->loader);
    pg_rows_close(&trainer->train);
    pg_rows_close(&trainer->validation);
    pg_records_close(trainer->records);
    pg_optimizer_free(trainer->optimizer);
    pg_trainable_free(trainer->trainable);
    pg_classifier_free(trainer->head);
    pg_tape_free(&trainer->tape);
    pg_arena_free(&trainer->g.arena);
    pg_model_close(trainer->model);
    pg_model_close(trainer->other);
    pg_codebook_free(trainer->codebook);
    pg_mask_codec_close(trainer->codec);
    pg_device_close(trainer->device);
    pg_train_config_free(trainer->config);
    pg_free(trainer->checkpoint);
    pg_folder_lock_release(&trainer->lock);
    pg_free(trainer);
}

/* ---------------------------------------------------------------- one step */

pg_status pg_trainer_take_batch(pg_trainer *trainer)
{
    if (!trainer->ahead_position)
        return take_rows(trainer->batch, &trainer->batch_position, trainer);
    pg_sample **empty = trainer->batch;
    trainer->batch = trainer->ahead;
    trainer->batch_position = trainer->ahead_position;
    trainer->ahead = empty;
    trainer->ahead_position = 0;
    return PG_OK;
}

/* "a.jsonl:7, a.jsonl:12 and 6 more" */
static void print_rows(pg_buffer *out, const pg_trainer *trainer)
{
    enum { NAMED = 3 };
    for (int64_t i = 0; i < trainer->config->batch && i < NAMED; i++) {
        const pg_sample *sample = trainer->batch[i];
        char *place = NULL;
        if (pg_dataset_place(&place, pg_mixture_dataset(trainer->train.mixture, sample->part), sample->row) == PG_OK)
            pg_buffer_print(out, "%s%s", i ? ", " : "", place);
        pg_free(place);
    }
    if (trainer->config->batch > NAMED)
        pg_buffer_print(out, " and %lld more", (long long)trainer->config->batch - NAMED);
}

/* rows: of the step, or nothing */
static pg_status fail_with(const pg_trainer *trainer, int64_t step, const char *rows, const char *what)
{
    bool saved = pg_file_exists(trainer->checkpoint);
    return pg_fail(PG_ERROR_FORMAT, "step %lld%s: %s; %s%s", (long long)step, rows, what,
                   saved ? "the last good checkpoint is " : "there is no checkpoint yet",
                   saved ? trainer->checkpoint : "");
}

static pg_status fail_step(const pg_trainer *trainer, const char *what)
{
    pg_buffer rows = {0};
    pg_buffer_print(&rows, " (rows ");
    print_rows(&rows, trainer);
    pg_buffer_print(&rows, ")");
    pg_status status = fail_with(trainer, trainer->state.step + 1, rows.data ? rows.data : "", what);
    pg_buffer_free(&rows);
    return status;
}

/* Notes a loss; true if the mean of the last ones has risen too far above the lowest such mean. */
static bool diverges(pg_progress_state *state, double loss, double factor)
{
    double sum = 0;
    state->recent[state->step % PG_RECENT] = loss;
    for (int i = 0; i < PG_RECENT; i++)
        sum += state->recent[i];
    if (state->step + 1 < PG_RECENT)
        return false;
    double mean = sum / PG_RECENT;
    state->lowest = mean < state->lowest ? mean : state->lowest;
    return factor > 0 && mean > factor * state->lowest + 1;
}

static void note(pg_measurement *out, const pg_score *score)
{
    *out = (pg_measurement){.loss = score->loss,
                            .accuracy = score->scored > 0 ? score->hits / score->scored : 0,
                            .rows = score->rows,
                            .tokens = score->tokens};
}

/* By the count of what a step takes at least, so 0 where no model is trained. */
static double count_operations(const pg_trainer *trainer, const pg_score *score)
{
    int objective = trainer->config->objective;
    bool scores_tokens = objective == PG_OBJECTIVE_SFT || objective == PG_OBJECTIVE_LM;
    bool reads = objective != PG_OBJECTIVE_CLASSIFIER || trainer->objective.texts; /* else pictures alone are seen */
    return trainer->model
               ? pg_cost_training(&trainer->model->weights->config, (int64_t)score->pictures,
                                  reads ? (int64_t)score->tokens : 0, scores_tokens ? (int64_t)score->scored : 0)
               : 0;
}

static pg_status learn(pg_train_report *report, pg_trainer *trainer)
{
    pg_score score;
    pg_trainable_clear(trainer->trainable);
    PG_TRY(pg_objective_run(&score, &trainer->g, &trainer->objective, trainer->batch, (size_t)trainer->config->batch,
                            (uint64_t)trainer->state.step));
    PG_TRY(trainer->ahead_status);
    note(&report->train, &score);
    report->operations = count_operations(trainer, &score);
    report->gradient_norm = pg_optimizer_norm(trainer->optimizer);
    report->learning_rate = pg_schedule_rate(&trainer->schedule, trainer->state.step);
    PG_TRY(pg_device_wait(trainer->device)); /* whose failure makes the length no number */
    if (!isfinite(score.loss) || !isfinite(report->gradient_norm))
        return fail_step(trainer, isfinite(score.loss) ? "the gradient is not finite" : "the loss is not finite");
    if (diverges(&trainer->state, score.loss, trainer->config->divergence))
        return fail_step(trainer, "the loss diverges; a smaller learning rate may help");
    pg_optimizer_step(trainer->optimizer, report->learning_rate, report->gradient_norm);
    if (trainer->codebook)
        pg_codebook_step(trainer->codebook);
    return PG_OK;
}

/* ---------------------------------------------------------------- measuring */

static pg_status measure_rows(pg_score *sums, pg_trainer *trainer, pg_loader *loader)
{
    bool parts = trainer->objective.micro_rows && trainer->objective.kind != PG_OBJECTIVE_SIGLIP;
    size_t most = parts ? trainer->objective.micro_rows : (size_t)trainer->config->batch;
    pg_sample **batch = pg_alloc(most, sizeof *batch);
    pg_status status = batch ? PG_OK : PG_ERROR_MEMORY;
    for (size_t count = most; status == PG_OK && count == most;) {
        for (count = 0; status == PG_OK && count < most; count++) {
            status = pg_loader_next(&batch[count], loader);
            if (status != PG_OK || !batch[count])
                break;
        }
        pg_score score = {0};
        if (status == PG_OK && count)
            status = pg_objective_run(&score, &trainer->g, &trainer->objective, batch, count, 0);
        double weight = trainer->objective.reduction == PG_REDUCE_TOKENS ? score.scored : (double)score.rows;
        sums->loss += score.loss * weight;
        sums->hits += score.hits;
        sums->scored += score.scored;
        sums->rows += score.rows;
        sums->tokens += score.tokens;
        for (size_t i = 0; i < count; i++)
            pg_sample_free(batch[i]);
    }
    pg_free(batch);
    return status;
}

pg_status pg_trainer_validate(pg_measurement *out, pg_trainer *trainer)
{
    *out = (pg_measurement){0};
    if (!trainer->validation.mixture)
        return pg_fail(PG_ERROR_ARGUMENT, "validation: not given");
    pg_loader_options options;
    pg_loader *loader;
    PG_TRY(pg_rows_options(&options, &trainer->objective, trainer->config, false));
    uint64_t rows = pg_mixture_count(trainer->validation.mixture), limit = (uint64_t)trainer->config->validation_rows;
    options.end = limit && limit < rows ? limit : rows;
    PG_TRY(pg_loader_open(&loader, trainer->validation.mixture, &options));
    pg_score sums = {0};
    trainer->g.tape = NULL; /* nothing is recorded, and nothing dropped out */
    pg_trainable_use(trainer->trainable, trainer->optimizer);
    pg_status status = measure_rows(&sums, trainer, loader);
    pg_trainable_use(trainer->trainable, NULL);
    trainer->g.tape = &trainer->tape;
    pg_loader_close(loader);
    double weight = trainer->objective.reduction == PG_REDUCE_TOKENS ? sums.scored : (double)sums.rows;
    note(out, &sums);
    out->loss = weight > 0 ? sums.loss / weight : 0;
    return status;
}

static pg_status validate(pg_train_report *report, pg_trainer *trainer)
{
    if (trainer->codebook)
        pg_codebook_watch(trainer->codebook);
    PG_TRY(pg_trainer_validate(&report->validation, trainer));
    report->validated = true;
    if (!isfinite(report->validation.loss))
        return fail_with(trainer, trainer->state.step, "", "the validation loss is not finite");
    const pg_scalar scalars[] = {{"validation/loss", report->validation.loss},
                                 {"validation/accuracy", report->validation.accuracy},
                                 {"validation/codes",
                                  trainer->codebook ? (double)pg_codebook_used(trainer->codebook) : 0}};
    PG_TRY(pg_records_add(trainer->records, trainer->state.step, scalars, trainer->codebook ? 3 : 2));
    if (report->validation.loss >= trainer->state.best) {
        trainer->state.worse++;
        return PG_OK;
    }
    trainer->state.best = report->validation.loss;
    trainer->state.worse = 0;
    char *folder = pg_trainer_path(trainer, "best");
    pg_status status = folder ? pg_trainer_write(folder, trainer) : PG_ERROR_MEMORY;
    pg_free(folder);
    return status;
}

/* ---------------------------------------------------------------- what is due */

static pg_status write_curves(const pg_train_report *report, pg_trainer *trainer)
{
    if (report->step % trainer->config->log_every != 0 && report->step != report->steps)
        return PG_OK;
    const pg_scalar scalars[] = {{"loss", report->train.loss},
                                 {"accuracy", report->train.accuracy},
                                 {"gradient_norm", report->gradient_norm},
                                 {"learning_rate", report->learning_rate},
                                 {"rows_per_second", (double)report->train.rows / report->seconds},
                                 {"tokens_per_second", (double)report->train.tokens / report->seconds},
                                 {"waited", report->waited},
                                 {"model_flops_per_second", report->operations / report->seconds}};
    size_t count = sizeof scalars / sizeof *scalars - (report->operations == 0);
    return pg_records_add(trainer->records, report->step, scalars, count);
}

/* Rows that could not be used, once there are new ones. */
static pg_status write_bad_rows(pg_trainer *trainer)
{
    pg_loader_report report = pg_loader_get_report(trainer->loader);
    if (report.listed == trainer->bad_listed)
        return PG_OK;
    pg_buffer path = {0};
    pg_file_writer file;
    PG_TRY(pg_file_join(&path, trainer->config->out, "bad_rows.txt"));
    pg_status status = pg_file_writer_open(&file, path.data);
    pg_buffer_free(&path);
    PG_TRY(status);
    for (size_t i = 0; status == PG_OK && i < report.listed; i++) {
        const char *text = pg_loader_bad(trainer->loader, i);
        status = pg_file_writer_write(&file, text, strlen(text));
        if (status == PG_OK)
            status = pg_file_writer_write(&file, "\n", 1);
    }
    if (status != PG_OK) {
        pg_file_writer_abort(&file);
        return status;
    }
    trainer->bad_listed = report.listed;
    return pg_file_writer_commit(&file);
}

static bool is_due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static pg_status finish(pg_trainer *trainer)
{
    char *folder = pg_trainer_path(trainer, "last");
    pg_status status = folder ? pg_trainer_write(folder, trainer) : PG_ERROR_MEMORY;
    pg_free(folder);
    return status;
}

static pg_status do_what_is_due(pg_train_report *report, pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    bool last = trainer->state.step >= trainer->schedule.total;
    PG_TRY(write_curves(report, trainer));
    PG_TRY(write_bad_rows(trainer));
    if (trainer->validation.mixture && (last || is_due(report->step, config->validate_every)))
        PG_TRY(validate(report, trainer));
    last = is_over(trainer);
    if (last)
        PG_TRY(finish(trainer)); /* before the checkpoint, which says that nothing is left to do */
    if (last || is_due(report->step, config->save_every)) {
        PG_TRY(pg_trainer_save(trainer));
        report->saved = true;
    }
    trainer->finished = last;
    return PG_OK;
}

pg_status pg_trainer_step(pg_train_report *out, pg_trainer *trainer)
{
    double start = pg_clock(), waited = pg_loader_get_report(trainer->loader).waited;
    *out = (pg_train_report){.step = trainer->state.step,
                             .steps = trainer->schedule.total,
                             .best_loss = trainer->state.best,
                             .finished = trainer->finished};
    if (trainer->finished)
        return PG_OK;
    pg_status status = pg_trainer_take_batch(trainer);
    out->waited = pg_loader_get_report(trainer->loader).waited - waited;
    if (status == PG_OK)
        status = learn(out, trainer);
    free_rows(trainer, trainer->batch);
    PG_TRY(status);
    trainer->state.position = trainer->batch_position;
    out->step = ++trainer->state.step;
    out->bad_rows = pg_loader_get_report(trainer->loader).bad;
    out->seconds = pg_clock() - start;
    status = do_what_is_due(out, trainer);
    out->best_loss = trainer->state.best;
    out->finished = trainer->finished;
    return status;
}

pg_status pg_trainer_save(pg_trainer *trainer)
{
    return pg_run_state_save(trainer);
}

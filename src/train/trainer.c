/*
 * A training run. A step takes a batch of rows, computes the loss and its derivatives, and lets the optimizer change
 * the weights; what is due after it (curves, validation, checkpoint) follows. Everything that a step depends on is in
 * the checkpoint or a function of the step's number, so a run that was stopped anywhere goes on with the same bits.
 */
#include "train/trainer.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "train/mask_training.h"

/* ---------------------------------------------------------------- opening */

static pg_status copy_config(pg_train_config **out, const pg_train_config *config)
{
    json_t *json, *value;
    const char *key;
    PG_TRY(pg_train_config_json(&json, config));
    pg_status status = pg_train_config_new(out);
    json_object_foreach(json, key, value)
    {
        if (status == PG_OK)
            status = pg_train_config_set_json(*out, key, value);
    }
    json_decref(json);
    return status;
}

static pg_status check_config(const pg_train_config *config, bool run)
{
    if (!config->model && config->objective != PG_OBJECTIVE_MASKCODEC)
        return pg_fail(PG_ERROR_ARGUMENT, "model: not given; it is the folder of the model to start from");
    if (config->data.count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "data: not given; it is the file with the rows to train on");
    if (run && !config->out)
        return pg_fail(PG_ERROR_ARGUMENT, "out: not given; it is the folder for checkpoint, curves and results");
    if (config->micro_batch > config->batch)
        return pg_fail(PG_ERROR_ARGUMENT, "micro_batch: %lld, more than the batch of %lld",
                       (long long)config->micro_batch, (long long)config->batch);
    if (config->adapter && (!config->train || strcmp(config->train, "lora") != 0))
        return pg_fail(PG_ERROR_ARGUMENT, "adapter: goes with train \"lora\", not with \"%s\"",
                       config->train ? config->train : "full");
    if (run && (config->validate_every || config->patience) && config->validation.count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "validation: not given, and validate_every or patience ask for it");
    return PG_OK;
}

static pg_status start_context(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    pg_context *g = &trainer->g;
    g->kernels = pg_kernels_best();
    g->threads = config->threads ? (int)config->threads : pg_threads_default();
    if (g->threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, at most %d", g->threads, PG_THREADS_MAX);
    g->compute = (pg_compute)config->compute;
    if (config->compute == PG_COMPUTE_AUTO)
        g->compute = trainer->codec ? PG_COMPUTE_F32 : pg_model_compute(trainer->model, g->kernels->bf16_products);
    g->tape = &trainer->tape;
    trainer->tape.checkpoint = config->checkpointing;
    trainer->tape.dropout = config->dropout;
    trainer->tape.seed = (uint64_t)config->seed;
    return PG_OK;
}

static pg_status open_rows(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    trainer->objective = (pg_objective){.kind = (pg_objective_kind)config->objective,
                                        .model = trainer->model,
                                        .codec = trainer->codec,
                                        .codebook = trainer->codebook,
                                        .smoothing = config->label_smoothing,
                                        .reduction = config->reduction,
                                        .micro_rows = (size_t)config->micro_batch};
    PG_TRY(pg_rows_open(&trainer->train, &config->data, &trainer->objective, (uint64_t)config->seed, true));
    PG_TRY(pg_rows_open(&trainer->validation, &config->validation, &trainer->objective, 0, false));
    trainer->batch = pg_alloc((size_t)config->batch, sizeof *trainer->batch);
    return trainer->batch ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status make_optimizer(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    pg_optimizer_options options;
    pg_optimizer_options_init(&options, (pg_optimizer_kind)config->optimizer);
    options.threads = trainer->g.threads;
    options.clip = config->clip;
    options.decay = config->weight_decay;
    options.beta1 = config->beta1;
    options.beta2 = config->beta2;
    options.epsilon = config->epsilon;
    options.momentum = config->momentum;
    options.average = config->average;
    options.seed = (uint64_t)config->seed;
    return pg_optimizer_new(&trainer->optimizer, trainer->g.kernels, trainer->trainable->tensors,
                            trainer->trainable->count, &options);
}

static pg_status make_schedule(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    pg_schedule *s = &trainer->schedule;
    double rows = (double)pg_mixture_count(trainer->train.mixture) * config->epochs;
    pg_schedule_init(s);
    s->kind = (pg_schedule_kind)config->schedule;
    s->base = config->learning_rate;
    s->final = config->final_rate;
    s->total = config->steps ? config->steps : (int64_t)ceil(rows / (double)config->batch);
    s->warm = config->warmup < 1 ? -1 : (int64_t)config->warmup;
    s->warm_share = config->warmup < 1 ? config->warmup : 0;
    return pg_schedule_check(s);
}

static pg_status open_model(pg_trainer *trainer)
{
    if (trainer->config->objective == PG_OBJECTIVE_MASKCODEC)
        return pg_mask_training_open(&trainer->codec, &trainer->codebook, trainer->config);
    return pg_model_open(&trainer->model, trainer->config->model);
}

static pg_status open_parts(pg_trainer *trainer)
{
    PG_TRY(open_model(trainer));
    PG_TRY(start_context(trainer));
    PG_TRY(open_rows(trainer));
    PG_TRY(trainer->codec ? pg_mask_trainable_new(&trainer->trainable, trainer->codec)
                          : pg_trainable_new(&trainer->trainable, trainer->model, trainer->config));
    PG_TRY(pg_trainable_ready(trainer->trainable, trainer->config));
    return make_schedule(trainer);
}

/* ---------------------------------------------------------------- the run's folder */

char *pg_trainer_path(const pg_trainer *trainer, const char *name)
{
    pg_buffer path = {0};
    return pg_file_join(&path, trainer->config->out, name) == PG_OK ? path.data : NULL;
}

/* Settings that may differ between the parts of a run: they change nothing that is computed. */
static bool may_differ(const char *key)
{
    static const char *const keys[] = {"out",           "threads",        "loader_threads",  "save_every",
                                       "log_every",     "bad_share",      "patience",        "divergence",
                                       "checkpointing", "validate_every", "validation_rows", "validation"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

static pg_status compare_config(const json_t *now, const char *path)
{
    json_t *then, *value;
    const char *key;
    PG_TRY(pg_json_load(&then, path));
    pg_status status = PG_OK;
    json_object_foreach(then, key, value)
    {
        if (status == PG_OK && !may_differ(key) && !json_equal(value, json_object_get(now, key)))
            status =
                pg_fail(PG_ERROR_ARGUMENT,
                        "%s: the run was begun with another \"%s\"; go on with the same settings, or choose another "
                        "folder",
                        path, key);
    }
    json_decref(then);
    return status;
}

/* config.json of a run that goes on must say the same; a new one is written. */
static pg_status settle_config(const pg_trainer *trainer, bool goes_on)
{
    json_t *json = NULL;
    char *path = pg_trainer_path(trainer, "config.json");
    pg_status status = path ? pg_train_config_json(&json, trainer->config) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = goes_on ? compare_config(json, path) : pg_json_save(json, path);
    json_decref(json);
    pg_free(path);
    return status;
}

static pg_status open_run(pg_trainer *trainer)
{
    const char *out = trainer->config->out;
    bool found;
    if (mkdir(out, 0777) != 0 && errno != EEXIST)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", out);
    trainer->state.best = trainer->state.lowest = INFINITY;
    trainer->checkpoint = pg_trainer_path(trainer, "checkpoint.safetensors");
    if (!trainer->checkpoint)
        return PG_ERROR_MEMORY;
    PG_TRY(settle_config(trainer, pg_file_exists(trainer->checkpoint)));
    PG_TRY(pg_run_state_load(&found, trainer));
    PG_TRY(pg_records_open(&trainer->records, out, found ? trainer->state.step : -1));
    trainer->finished = trainer->state.step >= trainer->schedule.total;
    pg_loader_options options;
    PG_TRY(pg_rows_options(&options, trainer->model, trainer->config, true));
    options.first = trainer->state.position;
    return pg_loader_open(&trainer->loader, trainer->train.mixture, &options);
}

pg_status pg_trainer_open(pg_trainer **out, const pg_train_config *config)
{
    *out = NULL;
    PG_TRY(check_config(config, true));
    pg_trainer *trainer = pg_alloc(1, sizeof *trainer);
    if (!trainer)
        return PG_ERROR_MEMORY;
    pg_status status = copy_config(&trainer->config, config);
    if (status == PG_OK)
        status = open_parts(trainer);
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

static void free_batch(pg_trainer *trainer)
{
    for (int64_t i = 0; trainer->batch && i < trainer->config->batch; i++) {
        pg_sample_free(trainer->batch[i]);
        trainer->batch[i] = NULL;
    }
}

void pg_trainer_close(pg_trainer *trainer)
{
    if (!trainer)
        return;
    free_batch(trainer);
    pg_free(trainer->batch);
    pg_loader_close(trainer->loader);
    pg_rows_close(&trainer->train);
    pg_rows_close(&trainer->validation);
    pg_records_close(trainer->records);
    pg_optimizer_free(trainer->optimizer);
    pg_trainable_free(trainer->trainable);
    pg_tape_free(&trainer->tape);
    pg_arena_free(&trainer->g.arena);
    pg_model_close(trainer->model);
    pg_codebook_free(trainer->codebook);
    pg_mask_codec_close(trainer->codec);
    pg_train_config_free(trainer->config);
    pg_free(trainer->checkpoint);
    pg_free(trainer);
}

/* ---------------------------------------------------------------- one step */

static pg_status take_batch(pg_trainer *trainer)
{
    for (int64_t i = 0; i < trainer->config->batch; i++) {
        PG_TRY(pg_loader_next(&trainer->batch[i], trainer->loader));
        if (!trainer->batch[i])
            return pg_fail(PG_ERROR_FORMAT, "the rows ended");
    }
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

static pg_status fail_step(const pg_trainer *trainer, const char *what)
{
    pg_buffer rows = {0};
    print_rows(&rows, trainer);
    bool saved = pg_file_exists(trainer->checkpoint);
    pg_status status = pg_fail(PG_ERROR_FORMAT, "step %lld (rows %s): %s; %s%s", (long long)trainer->state.step + 1,
                               rows.data ? rows.data : "?", what,
                               saved ? "the last good checkpoint is " : "there is no checkpoint yet",
                               saved ? trainer->checkpoint : "");
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

static pg_status learn(pg_train_report *report, pg_trainer *trainer)
{
    pg_score score;
    pg_trainable_clear(trainer->trainable);
    PG_TRY(pg_objective_run(&score, &trainer->g, &trainer->objective, trainer->batch, (size_t)trainer->config->batch,
                            (uint64_t)trainer->state.step));
    note(&report->train, &score);
    report->gradient_norm = pg_optimizer_norm(trainer->optimizer);
    report->learning_rate = pg_schedule_rate(&trainer->schedule, trainer->state.step);
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
    size_t most = trainer->config->micro_batch ? (size_t)trainer->config->micro_batch : (size_t)trainer->config->batch;
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
    PG_TRY(pg_rows_options(&options, trainer->model, trainer->config, false));
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
                                 {"waited", report->waited}};
    return pg_records_add(trainer->records, report->step, scalars, sizeof scalars / sizeof *scalars);
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
    last |= config->patience && trainer->state.worse >= config->patience;
    if (last || is_due(report->step, config->save_every)) {
        PG_TRY(pg_trainer_save(trainer));
        report->saved = true;
    }
    if (last)
        PG_TRY(finish(trainer));
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
    pg_status status = take_batch(trainer);
    out->waited = pg_loader_get_report(trainer->loader).waited - waited;
    if (status == PG_OK)
        status = learn(out, trainer);
    free_batch(trainer);
    PG_TRY(status);
    pg_loader_report rows = pg_loader_get_report(trainer->loader);
    trainer->state.position = rows.position;
    out->step = ++trainer->state.step;
    out->bad_rows = rows.bad;
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

/* ---------------------------------------------------------------- results */

pg_status pg_trainer_write(const char *folder, pg_trainer *trainer)
{
    static const char *const dtypes[] = {NULL, "F32", "BF16", "F16"};
    pg_save_options options;
    pg_save_options_init(&options);
    options.dtype = dtypes[trainer->config->dtype];
    options.threads = trainer->g.threads;
    options.replace = true;
    pg_trainable_use(trainer->trainable, trainer->optimizer);
    pg_status status = trainer->codec                ? pg_mask_training_write(folder, trainer->codec)
                       : trainer->trainable->adapter ? pg_adapter_save(trainer->trainable->adapter, folder, true)
                                                     : pg_model_save(folder, trainer->model, &options);
    pg_trainable_use(trainer->trainable, NULL);
    return status;
}

pg_status pg_trainer_export(const char *folder, pg_trainer *trainer)
{
    if (pg_file_exists(folder))
        return pg_fail(PG_ERROR_FILE, "%s: is there already", folder);
    return pg_trainer_write(folder, trainer);
}

/* ---------------------------------------------------------------- gradients */

/* All rows in their order are the batch. */
static pg_status open_all_rows(pg_trainer *trainer)
{
    PG_TRY(open_parts(trainer));
    pg_mixture_free(trainer->train.mixture);
    trainer->train.mixture = NULL;
    PG_TRY(pg_mixture_new(&trainer->train.mixture, trainer->train.parts, trainer->train.count, 0, false));
    pg_free(trainer->batch);
    trainer->config->batch = (int64_t)pg_mixture_count(trainer->train.mixture);
    trainer->batch = pg_alloc((size_t)trainer->config->batch, sizeof *trainer->batch);
    return trainer->batch ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status take_all_rows(pg_trainer *trainer)
{
    pg_loader_options options;
    PG_TRY(pg_rows_options(&options, trainer->model, trainer->config, false));
    options.end = (uint64_t)trainer->config->batch;
    options.bad_share = 0;
    PG_TRY(pg_loader_open(&trainer->loader, trainer->train.mixture, &options));
    return take_batch(trainer);
}

static pg_status save_gradients(const char *path, const pg_trainer *trainer, float loss)
{
    size_t count = trainer->trainable->count;
    pg_array *arrays = pg_alloc(count + 1, sizeof *arrays);
    char(*names)[192] = pg_alloc(count, sizeof *names);
    pg_status status = arrays && names ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        const pg_trained_place *place = &trainer->trainable->places[i];
        snprintf(names[i], sizeof names[i], "grad.%s", place->name);
        arrays[i] = (pg_array){.name = names[i],
                               .dtype = PG_F32,
                               .dimensions = place->dimensions,
                               .data = trainer->trainable->tensors[i].grad};
        memcpy(arrays[i].shape, place->shape, sizeof place->shape);
        pg_array_size(&arrays[i].bytes, &arrays[i]);
    }
    if (status == PG_OK) {
        arrays[count] = (pg_array){.name = "loss", .dtype = PG_F32, .data = &loss, .bytes = sizeof loss};
        status = pg_safetensors_save(path, arrays, count + 1);
    }
    pg_free(arrays);
    pg_free(names);
    return status;
}

pg_status pg_train_gradients(const char *path, const pg_train_config *config)
{
    pg_score score;
    PG_TRY(check_config(config, false));
    pg_trainer *trainer = pg_alloc(1, sizeof *trainer);
    if (!trainer)
        return PG_ERROR_MEMORY;
    pg_status status = copy_config(&trainer->config, config);
    if (status == PG_OK)
        status = open_all_rows(trainer);
    if (status == PG_OK)
        status = take_all_rows(trainer);
    if (status == PG_OK)
        status = pg_objective_run(&score, &trainer->g, &trainer->objective, trainer->batch,
                                  (size_t)trainer->config->batch, 0);
    if (status == PG_OK && trainer->codec)
        status = pg_mask_publish_gradients(trainer->trainable);
    if (status == PG_OK)
        status = save_gradients(path, trainer, (float)score.loss);
    pg_trainer_close(trainer);
    return status;
}

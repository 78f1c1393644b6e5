/* What a run is made of before it has a folder: settings that agree with each other, models, rows, trained weights and
 * the schedule. */
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "train/mask_training.h"
#include "train/trainer.h"

/* ---------------------------------------------------------------- settings */

pg_status pg_train_config_copy(pg_train_config **out, const pg_train_config *config)
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

/* A setting that was given needs another. */
static pg_status only_with(bool given, const char *name, bool fits, const char *needed)
{
    return given && !fits ? pg_fail(PG_ERROR_ARGUMENT, "%s: goes with %s only", name, needed) : PG_OK;
}

static pg_status check_objective(const pg_train_config *c)
{
    bool dpo = c->objective == PG_OBJECTIVE_DPO, classes = c->objective == PG_OBJECTIVE_CLASSIFIER;
    bool tokens = c->objective == PG_OBJECTIVE_SFT || c->objective == PG_OBJECTIVE_LM;
    PG_TRY(only_with(c->reference, "reference", dpo, "objective \"dpo\""));
    PG_TRY(only_with(c->text_model, "text_model", classes, "objective \"classifier\""));
    PG_TRY(only_with(c->train && !strcmp(c->train, "head"), "train: head", classes, "objective \"classifier\""));
    PG_TRY(only_with(c->label_smoothing > 0, "label_smoothing", tokens || classes,
                     "objective \"sft\", \"lm\" or \"classifier\""));
    PG_TRY(only_with(c->reduction == PG_REDUCE_EXAMPLES, "reduction: examples", tokens, "objective \"sft\" or \"lm\""));
    if (c->objective == PG_OBJECTIVE_SIGLIP && c->batch < 2)
        return pg_fail(PG_ERROR_ARGUMENT, "batch: 1; a picture is compared with the texts of others, so 2 are needed");
    return PG_OK;
}

static pg_status check_training(const pg_train_config *c)
{
    bool lora = c->train && !strcmp(c->train, "lora");
    PG_TRY(only_with(c->adapter, "adapter", lora, "train \"lora\""));
    PG_TRY(only_with(c->lora_modules, "lora_modules", lora, "train \"lora\""));
    PG_TRY(only_with(c->lora_parts, "lora_parts", lora, "train \"lora\""));
    PG_TRY(only_with(c->lora_rslora, "lora_rslora", lora, "train \"lora\""));
    PG_TRY(only_with(c->momentum > 0, "momentum", c->optimizer == PG_OPTIMIZER_SGD || c->optimizer == PG_OPTIMIZER_MUON,
                     "optimizer \"sgd\" or \"muon\""));
    PG_TRY(only_with(c->relative_step, "relative_step", c->optimizer == PG_OPTIMIZER_ADAFACTOR,
                     "optimizer \"adafactor\""));
    if (c->micro_batch > c->batch)
        return pg_fail(PG_ERROR_ARGUMENT, "micro_batch: %lld, more than the batch of %lld", (long long)c->micro_batch,
                       (long long)c->batch);
    return PG_OK;
}

pg_status pg_train_config_check(const pg_train_config *config, bool run)
{
    if (!config->model && config->objective != PG_OBJECTIVE_MASKCODEC)
        return pg_fail(PG_ERROR_ARGUMENT, "model: not given; it is the folder of the model to start from");
    if (config->data.count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "data: not given; it is the file with the rows to train on");
    if (run && !config->out)
        return pg_fail(PG_ERROR_ARGUMENT, "out: not given; it is the folder for checkpoint, curves and results");
    if (run && (config->validate_every || config->patience) && config->validation.count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "validation: not given, and validate_every or patience ask for it");
    PG_TRY(check_training(config));
    return check_objective(config);
}

/* ---------------------------------------------------------------- models */

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
        g->compute = trainer->codec ? PG_COMPUTE_F32
                                    : pg_model_compute(trainer->model, trainer->device || g->kernels->bf16_products);
    pg_context_on(g, trainer->device);
    g->tape = &trainer->tape;
    trainer->tape.checkpoint = config->checkpointing;
    trainer->tape.dropout = config->dropout;
    trainer->tape.seed = (uint64_t)config->seed;
    return PG_OK;
}

static pg_status open_device(pg_trainer *trainer)
{
    PG_TRY(pg_device_open(&trainer->device, trainer->config->device));
    if (trainer->device && trainer->codec)
        return pg_fail(PG_ERROR_UNSUPPORTED, "device: %s; a mask codec is trained on the cpu only",
                       trainer->config->device);
    return PG_OK;
}

/* The reference counts the same tokens over the same pictures. */
static pg_status check_reference(const pg_trainer *trainer)
{
    const pg_config *a = &trainer->model->weights->config, *b = &trainer->other->weights->config;
    if (a->kind != b->kind || a->text.vocabulary != b->text.vocabulary || a->image_token != b->image_token ||
        pg_model_image_size(trainer->model) != pg_model_image_size(trainer->other))
        return pg_fail(PG_ERROR_ARGUMENT,
                       "reference: %s is a model of another kind, vocabulary or picture size than %s",
                       trainer->other->folder, trainer->model->folder);
    return PG_OK;
}

static pg_status check_reader(const pg_trainer *trainer)
{
    PG_TRY(pg_model_require(trainer->model, trainer->model->weights->config.kind == PG_MODEL_SIGLIP,
                            "be joined by a text_model: it reads itself"));
    return pg_model_require(trainer->other, trainer->other->weights->config.kind == PG_MODEL_GEMMA,
                            "be the text_model; a Gemma can");
}

/* Preferences are measured against the model as it was: without a new adapter, or else opened a second time, with the
 * adapter that is gone on with. */
static pg_status open_other(pg_trainer *trainer)
{
    const pg_train_config *c = trainer->config;
    bool dpo = c->objective == PG_OBJECTIVE_DPO, lora = c->train && !strcmp(c->train, "lora");
    if (trainer->codec)
        return PG_OK;
    pg_model_options how;
    pg_model_options_init(&how);
    const char *folder = !dpo ? c->text_model : c->reference ? c->reference : lora && !c->adapter ? NULL : c->model;
    if (!folder)
        return PG_OK;
    if (dpo && !c->reference)
        how.adapter = c->adapter;
    PG_TRY(pg_model_open_with(&trainer->other, folder, &how));
    return dpo ? check_reference(trainer) : check_reader(trainer);
}

/* ---------------------------------------------------------------- rows */

/* Classes are those of all training files together, so these are opened again with them. */
static pg_status open_classes(pg_trainer *trainer, pg_label_table *classes)
{
    const pg_train_config *config = trainer->config;
    pg_objective *objective = &trainer->objective;
    PG_TRY(pg_classes_find(classes, &trainer->train));
    PG_TRY(pg_classes_look(objective, &trainer->train));
    pg_rows_close(&trainer->train);
    PG_TRY(pg_rows_open(&trainer->train, config, true, objective, classes));
    PG_TRY(pg_rows_open(&trainer->validation, config, false, objective, classes));
    const pg_weights *seer = trainer->model->weights, *reader = trainer->other ? trainer->other->weights : seer;
    int64_t width = pg_pooled_width(seer, reader, objective->pictures, objective->texts);
    PG_TRY(pg_classifier_new(&trainer->head, (const char *const *)classes->names, classes->count, width,
                             (uint64_t)config->seed));
    objective->head = trainer->head;
    return PG_OK;
}

static pg_status open_rows(pg_trainer *trainer)
{
    const pg_train_config *config = trainer->config;
    pg_label_table classes = {0};
    trainer->objective = (pg_objective){.kind = (pg_objective_kind)config->objective,
                                        .model = trainer->model,
                                        .other = trainer->other,
                                        .codec = trainer->codec,
                                        .codebook = trainer->codebook,
                                        .smoothing = config->label_smoothing,
                                        .beta = config->beta,
                                        .reduction = config->reduction,
                                        .micro_rows = (size_t)config->micro_batch};
    trainer->batch = pg_alloc((size_t)config->batch, sizeof *trainer->batch);
    if (!trainer->batch)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_rows_open(&trainer->train, config, true, &trainer->objective, NULL));
    if (config->objective != PG_OBJECTIVE_CLASSIFIER)
        return pg_rows_open(&trainer->validation, config, false, &trainer->objective, NULL);
    pg_status status = open_classes(trainer, &classes);
    pg_labels_free(&classes);
    return status;
}

/* ---------------------------------------------------------------- what is trained */

static pg_status add_head(pg_trainable *trainable, pg_classifier *head)
{
    const int64_t shape[] = {head->weight.rows, head->weight.width};
    PG_TRY(pg_trainable_add(trainable, &head->weight, "head.weight", shape, 2));
    return pg_trainable_add(trainable, &head->bias, "head.bias", shape, 1);
}

/* What is trained lies on the device already, and is not copied a second time. */
static pg_status place_weights(const pg_trainer *trainer)
{
    PG_TRY(pg_weights_place(trainer->model->weights, trainer->device));
    return trainer->other ? pg_weights_place(trainer->other->weights, trainer->device) : PG_OK;
}

static pg_status open_trainable(pg_trainer *trainer)
{
    if (trainer->codec) {
        PG_TRY(pg_mask_trainable_new(&trainer->trainable, trainer->codec));
        return pg_trainable_ready(trainer->trainable, trainer->config, NULL);
    }
    pg_model *other = trainer->config->objective == PG_OBJECTIVE_CLASSIFIER ? trainer->other : NULL;
    PG_TRY(pg_trainable_new(&trainer->trainable, trainer->model, other, trainer->config));
    if (trainer->head)
        PG_TRY(add_head(trainer->trainable, trainer->head));
    PG_TRY(pg_trainable_ready(trainer->trainable, trainer->config, trainer->device));
    return place_weights(trainer);
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
    s->timescale = config->timescale;
    s->total = config->steps ? config->steps : (int64_t)ceil(rows / (double)config->batch);
    s->warm = config->warmup < 1 ? -1 : (int64_t)config->warmup;
    s->warm_share = config->warmup < 1 ? config->warmup : 0;
    return pg_schedule_check(s);
}

pg_status pg_trainer_open_parts(pg_trainer *trainer)
{
    if (trainer->config->objective == PG_OBJECTIVE_MASKCODEC)
        PG_TRY(pg_mask_training_open(&trainer->codec, &trainer->codebook, trainer->config));
    else
        PG_TRY(pg_model_open(&trainer->model, trainer->config->model));
    PG_TRY(open_device(trainer));
    PG_TRY(start_context(trainer));
    PG_TRY(open_other(trainer));
    PG_TRY(open_rows(trainer));
    PG_TRY(open_trainable(trainer));
    return make_schedule(trainer);
}

/* The gradients of one batch, for comparison with other implementations. */
#include <string.h>

#include "train/mask_training.h"
#include "train/trainer.h"

/* All rows in their order are the batch. */
static pg_status open_all_rows(pg_trainer *trainer)
{
    PG_TRY(pg_trainer_open_parts(trainer));
    pg_mixture_free(trainer->train.mixture);
    trainer->train.mixture = NULL;
    for (size_t i = 0; i < trainer->train.count; i++)
        trainer->train.parts[i].weight = 0;
    PG_TRY(pg_mixture_new(&trainer->train.mixture, trainer->train.parts, trainer->train.count, 0, false));
    pg_free(trainer->batch);
    trainer->config->batch = (int64_t)pg_mixture_count(trainer->train.mixture);
    trainer->batch = pg_alloc((size_t)trainer->config->batch, sizeof *trainer->batch);
    return trainer->batch ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status take_all_rows(pg_trainer *trainer)
{
    pg_loader_options options;
    PG_TRY(pg_rows_options(&options, &trainer->objective, trainer->config, false));
    options.end = (uint64_t)trainer->config->batch;
    options.bad_share = 0;
    PG_TRY(pg_loader_open(&trainer->loader, trainer->train.mixture, &options));
    return pg_trainer_take_batch(trainer);
}

/* All gradients as the host can read them; *memory, if they are a copy, is freed by the caller. */
static pg_status fetch_gradients(const float **out, float **memory, const pg_trainable *trained)
{
    size_t bytes = trained->values_count * sizeof **memory;
    *memory = NULL;
    *out = trained->grads;
    if (!trained->device)
        return PG_OK;
    *out = *memory = pg_alloc(1, bytes);
    return *memory ? pg_values_download(trained->device, *memory, trained->grads, bytes) : PG_ERROR_MEMORY;
}

static pg_status save_gradients(const char *path, const pg_trainer *trainer, float loss)
{
    const pg_trainable *trained = trainer->trainable;
    size_t count = trained->count;
    pg_array *arrays = pg_alloc(count + 1, sizeof *arrays);
    char(*names)[192] = pg_alloc(count, sizeof *names);
    const float *grads;
    float *memory;
    pg_status status = fetch_gradients(&grads, &memory, trained);
    if (!arrays || !names)
        status = PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        const pg_trained_place *place = &trained->places[i];
        snprintf(names[i], sizeof names[i], "grad.%s", place->name);
        arrays[i] = (pg_array){.name = names[i],
                               .dtype = PG_F32,
                               .dimensions = place->dimensions,
                               .data = grads + (trained->tensors[i].grad - trained->grads)};
        memcpy(arrays[i].shape, place->shape, sizeof place->shape);
        pg_array_size(&arrays[i].bytes, &arrays[i]);
    }
    if (status == PG_OK) {
        arrays[count] = (pg_array){.name = "loss", .dtype = PG_F32, .data = &loss, .bytes = sizeof loss};
        status = pg_safetensors_save(path, arrays, count + 1);
    }
    pg_free(arrays);
    pg_free(names);
    pg_free(memory);
    return status;
}

pg_status pg_train_gradients(const char *path, const pg_train_config *config)
{
    pg_score score;
    PG_TRY(pg_train_config_check(config, false));
    pg_trainer *trainer = pg_alloc(1, sizeof *trainer);
    if (!trainer)
        return PG_ERROR_MEMORY;
    pg_status status = pg_train_config_copy(&trainer->config, config);
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

#include "train/mask_training.h"

#include <string.h>

#include "base/folder.h"
#include "base/file.h"
#include "ops/ops.h"
#include "train/objective_parts.h"
#include "model/mask_codec.h"

#define COMMITMENT 0.25 /* as the paper has it */
#define PLACES     ((size_t)PG_MASK_SIDE * PG_MASK_SIDE)

/* ---------------------------------------------------------------- the loss */

static pg_tensor *sample_masks(pg_context *g, pg_sample *const *samples, size_t count)
{
    pg_tensor *x = pg_tensor_new(g, (int64_t)(count * PLACES), 1);
    for (size_t i = 0; x && i < count; i++)
        for (size_t k = 0; k < PLACES; k++)
            ((float *)x->data)[i * PLACES + k] = 2 * samples[i]->mask[k] - 1;
    return x;
}

/* Intersection over union of what is above 0. */
static double overlap(const float *a, const float *b)
{
    int both = 0, either = 0;
    for (size_t i = 0; i < PLACES; i++) {
        both += a[i] > 0 && b[i] > 0;
        either += a[i] > 0 || b[i] > 0;
    }
    return either ? (double)both / either : 1;
}

pg_status pg_learn_masks(pg_part_results *out, pg_context *g, const pg_objective *objective, pg_sample *const *samples,
                         size_t count, const pg_batch_totals *totals)
{
    const pg_mask_codec *codec = objective->codec;
    double places = (double)totals->rows * (double)PLACES, vectors = (double)totals->rows * PG_MASK_CODES;
    int32_t *codes = pg_scratch(g, count * PG_MASK_CODES * sizeof *codes);
    pg_tensor *masks = sample_masks(g, samples, count);
    pg_tensor *features = pg_mask_codec_features(g, codec, masks);
    pg_tensor *nearest = codes ? pg_nearest_code(g, features, &codec->codebook, codes) : NULL;
    pg_tensor *values = pg_mask_codec_masks(g, codec, nearest);
    if (!nearest || !values)
        return g->status;
    pg_tensor *loss =
        pg_add_scaled(g, pg_squared_difference(g, values, masks->data, 1 / places),
                      pg_squared_difference(g, features, nearest->data, 1 / (vectors * PG_MASK_WIDTH)), COMMITMENT);
    if (!loss)
        return g->status;
    out->losses[out->loss_count++] = *(const float *)loss->data;
    float *hits = pg_part_hits(out, count);
    for (size_t i = 0; i < count; i++)
        hits[i] = (float)overlap((const float *)values->data + i * PLACES, (const float *)masks->data + i * PLACES);
    pg_codebook_see(objective->codebook, codes, (int64_t)(count * PG_MASK_CODES));
    if (!g->tape)
        return PG_OK;
    pg_codebook_note(objective->codebook, features, codes, (int64_t)vectors, g->tape->seed,
                     g->tape->step >> PG_PART_BITS);
    return pg_tape_backward(g, loss, 1);
}

/* ---------------------------------------------------------------- what is trained */

pg_status pg_mask_training_open(pg_mask_codec **out, pg_codebook **codebook, const pg_train_config *config)
{
    if (config->train && strcmp(config->train, "full") != 0)
        return pg_fail(PG_ERROR_ARGUMENT, "train: \"%s\"; of a mask codec everything is trained (full)", config->train);
    if (config->dtype == PG_SAVE_BF16)
        return pg_fail(PG_ERROR_ARGUMENT, "dtype: bf16; mask codecs are f32 or f16");
    if (config->model)
        PG_TRY(pg_mask_codec_open(out, config->model));
    else
        PG_TRY(pg_mask_codec_new(out, (uint64_t)config->seed));
    if (!(*out)->has_encoder)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: has a decoder only; training needs an encoder too", config->model);
    return pg_codebook_new(codebook, &(*out)->codebook, config->model != NULL);
}

pg_status pg_mask_trainable_new(pg_trainable **out, pg_mask_codec *codec)
{
    pg_trainable *trainable = *out = pg_alloc(1, sizeof *trainable);
    pg_status status = trainable ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < 2 * PG_MASK_LAYERS; i++) {
        int64_t shape[4];
        pg_parameter *p = pg_mask_codec_parameter(codec, i);
        int dimensions = pg_mask_codec_shape(shape, i);
        status = pg_trainable_add(trainable, p, p->name, shape, dimensions);
    }
    return status;
}

pg_status pg_mask_publish_gradients(pg_trainable *trainable)
{
    for (size_t i = 0; i < trainable->count; i++) {
        pg_trained *tensor = &trainable->tensors[i];
        size_t count = (size_t)(tensor->rows * tensor->width);
        float *ordered = pg_alloc(count, sizeof *ordered);
        if (!ordered)
            return PG_ERROR_MEMORY;
        pg_mask_codec_publish(ordered, tensor->grad, i);
        memcpy(tensor->grad, ordered, count * sizeof *ordered);
        pg_free(ordered);
    }
    return PG_OK;
}

pg_status pg_mask_training_write(const char *folder, const pg_mask_codec *codec, const pg_train_config *config)
{
    pg_folder_writer writer;
    pg_buffer path = {0};
    PG_TRY(pg_folder_writer_replace(&writer, folder));
    pg_status status = pg_file_join(&path, writer.partial.data, "mask_codec.npz");
    if (status == PG_OK)
        status = pg_mask_codec_save(codec, config->dtype == PG_SAVE_F16 ? PG_F16 : PG_F32, path.data);
    pg_buffer_free(&path);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

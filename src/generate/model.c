#include "generate/model.h"

#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/pages.h"
#include "base/threads.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "text/tokenizer.h"

pg_status pg_model_require(const pg_model *model, bool fits, const char *what)
{
    static const char *const kinds[] = {"a PaliGemma", "a Gemma (text only)", "a SigLIP (embeddings only)"};
    if (fits)
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: this is %s model, which cannot %s", model->folder,
                   kinds[model->weights->config.kind], what);
}

pg_status pg_model_require_host(const pg_model *model, const char *what)
{
    return model->device ? pg_fail(PG_ERROR_UNSUPPORTED,
                                   "%s: %s is made on the CPU only: open the model with the device cpu, not %s",
                                   model->folder, what, model->device->name)
                         : PG_OK;
}

pg_status pg_model_require_tokenizer(const pg_model *model)
{
    if (model->tokenizer)
        return PG_OK;
    return pg_fail(PG_ERROR_FILE, "%s: no tokenizer (tokenizer.json or tokenizer.model) beside the model",
                   model->folder);
}

/* SigLIP 2 calls itself siglip too; its texts go through Gemma's tokenizer and other rules, and would be embedded
 * wrongly. */
static pg_status check_siglip_tokenizer(const pg_model *model)
{
    bool wrong = model->weights->config.kind == PG_MODEL_SIGLIP && model->tokenizer->model != PG_MODEL_UNIGRAM;
    return !wrong
               ? PG_OK
               : pg_fail(PG_ERROR_UNSUPPORTED,
                         "%s: found a byte-pair tokenizer, expected SigLIP's spiece.model; SigLIP 2 is not supported",
                         model->folder);
}

/* Every token that SigLIP's tokenizer can make must have an embedding. A decoder's tokenizer may know more (small
 * models are made with the whole one): each prompt's ids are checked there. */
static pg_status check_vocabulary(const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    int64_t rows = config->words.vocabulary, size = pg_tokenizer_size(model->tokenizer);
    return config->kind != PG_MODEL_SIGLIP || size <= rows
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "%s: the tokenizer has %lld tokens, config.json's \"vocab_size\" is %lld",
                         model->folder, (long long)size, (long long)rows);
}

static pg_status has_tokenizer(bool *out, const char *folder, pg_buffer *path)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "spiece.model"};
    *out = false;
    for (size_t i = 0; !*out && i < sizeof names / sizeof *names; i++) {
        PG_TRY(pg_file_join(path, folder, names[i]));
        *out = pg_file_exists(path->data);
    }
    return PG_OK;
}

static pg_status open_parts(pg_model *model, const char *folder, pg_buffer *path)
{
    pg_config config;
    bool has_text;
    PG_TRY(pg_file_join(path, folder, "config.json"));
    PG_TRY(pg_config_load(&config, path->data));
    PG_TRY(pg_file_join(path, folder, "preprocessor_config.json"));
    PG_TRY(pg_processor_load(&model->processor, &config, path->data));
    PG_TRY(pg_file_join(path, folder, "generation_config.json"));
    PG_TRY(pg_generation_config_load(&model->generation, &config, path->data));
    PG_TRY(pg_weights_load(&model->weights, &config, folder));
    PG_TRY(has_tokenizer(&has_text, folder, path));
    if (!has_text)
        return PG_OK;
    PG_TRY(pg_tokenizer_open(&model->tokenizer, folder));
    PG_TRY(check_siglip_tokenizer(model));
    return check_vocabulary(model);
}

void pg_model_options_init(pg_model_options *options)
{
    *options = (pg_model_options){0};
}

static pg_status fail_lock(const pg_model *model)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    return pg_fail(PG_ERROR_LIMIT,
                   "%s: the weights have %zu bytes, which cannot be locked in memory; the limit for locked memory "
                   "(ulimit -l) is %llu bytes",
                   model->folder, pg_checkpoint_bytes(model->weights->files), (unsigned long long)limit.rlim_cur);
}

static pg_status bring_in(pg_model *model, const pg_model_options *options)
{
    pg_checkpoint *files = model->weights->files;
    int threads = pg_threads_default();
    if (options->huge_pages)
        PG_TRY(pg_weights_copy(model->weights, threads));
    for (size_t i = 0; i < pg_checkpoint_count(files); i++) {
        const pg_array *array = pg_checkpoint_at(files, i);
        if (options->lock && !pg_pages_lock(array->data, array->bytes))
            return fail_lock(model);
        if (options->prefault && !options->lock)
            pg_pages_prefault(array->data, array->bytes, threads);
    }
    return PG_OK;
}

pg_status pg_model_open(pg_model **out, const char *folder)
{
    return pg_model_open_with(out, folder, NULL);
}

/* Weights to the device, or from a model that has them there. */
static pg_status place(pg_model *model, const char *device, const pg_model *base)
{
    PG_TRY(pg_device_open(&model->device, device));
    if (!base || !base->device || base->adapter)
        return pg_weights_place(model->weights, model->device);
    pg_weights_share(model->weights, model->device, base->weights);
    return PG_OK;
}

static pg_status open_model(pg_model **out, const char *folder, const pg_model_options *options, const pg_model *base)
{
    *out = NULL;
    PG_TRY(pg_kernels_check_limit());
    if (!pg_file_is_folder(folder))
        return pg_fail_errno(PG_ERROR_FILE,
                             "%s: no such folder; a model is a folder with config.json, "
                             "model.safetensors and tokenizer files",
                             folder);
    pg_model *model = pg_alloc(1, sizeof *model);
    if (!model)
        return PG_ERROR_MEMORY;
    static uint64_t last_number;
    pg_buffer path = {0};
    model->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
    model->folder = pg_copy_text(folder, SIZE_MAX);
    pg_status status = model->folder ? open_parts(model, folder, &path) : PG_ERROR_MEMORY;
    pg_buffer_free(&path);
    if (status == PG_OK && options)
        status = place(model, options->device, base);
    if (status == PG_OK && options && options->adapter)
        status = pg_adapter_load(&model->adapter, model->weights, options->adapter);
    if (status == PG_OK && options && !model->device)
        status = bring_in(model, options);
    if (status == PG_OK)
        *out = model;
    else
        pg_model_close(model);
    return status;
}

pg_status pg_model_open_with(pg_model **out, const char *folder, const pg_model_options *options)
{
    return open_model(out, folder, options, NULL);
}

pg_status pg_model_open_adapted(pg_model **out, const pg_model *base, const char *adapter)
{
    pg_model_options options;
    pg_model_options_init(&options);
    options.adapter = adapter;
    options.device = base->device ? base->device->name : NULL;
    return open_model(out, base->folder, &options, base);
}

void pg_model_close(pg_model *model)
{
    if (!model)
        return;
    pg_weights_free(model->weights);
    pg_adapter_free(model->adapter);
    pg_device_close(model->device);
    pg_tokenizer_close(model->tokenizer);
    pg_free(model->folder);
    pg_free(model);
}

pg_model_kind pg_model_get_kind(const pg_model *model)
{
    return model->weights->config.kind;
}

const pg_tokenizer *pg_model_tokenizer(const pg_model *model)
{
    return model->tokenizer;
}

size_t pg_model_image_size(const pg_model *model)
{
    return model->weights->config.kind == PG_MODEL_GEMMA ? 0 : (size_t)model->processor.side;
}

size_t pg_model_image_tokens(const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    return config->kind == PG_MODEL_PALIGEMMA ? (size_t)pg_config_patches(&config->vision) : 0;
}

size_t pg_model_context(const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    return (size_t)(config->kind == PG_MODEL_SIGLIP ? config->words.context : config->text.context);
}

size_t pg_model_embedding_size(const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    return config->kind == PG_MODEL_SIGLIP ? (size_t)config->vision.width : 0;
}

/* What a model says about the rows that it can take. */
#include "generate/model.h"

pg_status pg_loader_options_use_model(pg_loader_options *options, const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    PG_TRY(pg_model_require_tokenizer(model));
    options->model = config->kind;
    options->tokenizer = model->tokenizer;
    options->image_size = pg_model_image_size(model);
    options->image_tokens = config->kind == PG_MODEL_PALIGEMMA ? pg_model_image_tokens(model) : 0;
    options->image_token = config->image_token;
    options->context = pg_model_context(model);
    options->vocabulary =
        (size_t)(config->kind == PG_MODEL_SIGLIP ? config->words.vocabulary : config->text.vocabulary);
    return PG_OK;
}

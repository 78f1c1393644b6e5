#include "generate/served_models.h"

#include <string.h>

pg_status pg_served_models_init(pg_served_models *out, const pg_model *model)
{
    *out = (pg_served_models){.first = pg_alloc(1, sizeof *out->first)};
    if (!out->first)
        return PG_ERROR_MEMORY;
    out->first->model = model;
    return PG_OK;
}

void pg_served_models_free(pg_served_models *models)
{
    while (models->first) {
        pg_served_model *model = models->first;
        models->first = model->next;
        pg_served_model_free(model);
    }
}

void pg_served_model_free(pg_served_model *model)
{
    if (!model)
        return;
    pg_model_close(model->owned);
    pg_free(model->name);
    pg_free(model);
}

pg_status pg_served_model_open(pg_served_model **out, const pg_model *base, const char *name, const char *folder)
{
    pg_served_model *model = *out = pg_alloc(1, sizeof *model);
    if (!model)
        return PG_ERROR_MEMORY;
    model->name = pg_copy_text(name, SIZE_MAX);
    pg_status status = model->name ? pg_model_open_adapted(&model->owned, base, folder) : PG_ERROR_MEMORY;
    model->model = model->owned;
    if (status != PG_OK) {
        pg_served_model_free(model);
        *out = NULL;
    }
    return status;
}

static pg_served_model *find(const pg_served_models *models, const char *name)
{
    if (!name || !*name)
        return models->first;
    pg_served_model *model = models->first->next;
    while (model && !(model->name && strcmp(model->name, name) == 0))
        model = model->next;
    return model;
}

/* Takes a model out that nobody uses and that nobody can ask for. */
static pg_served_model *take_out(pg_served_models *models, pg_served_model *model)
{
    if (model->users || model->name || !model->owned)
        return NULL;
    pg_served_model **at = &models->first;
    while (*at != model)
        at = &(*at)->next;
    *at = model->next;
    return model;
}

pg_served_model *pg_served_models_set(pg_served_models *models, const char *name, pg_served_model *model)
{
    pg_served_model *old = find(models, name);
    if (old) {
        pg_free(old->name);
        old->name = NULL;
        old = take_out(models, old);
    }
    if (model) {
        model->number = ++models->last_number;
        model->next = models->first->next;
        models->first->next = model;
    }
    return old;
}

pg_served_model *pg_served_models_use(pg_served_models *models, const char *name)
{
    pg_served_model *model = find(models, name);
    if (model)
        model->users++;
    return model;
}

pg_served_model *pg_served_models_leave(pg_served_models *models, pg_served_model *model)
{
    model->users--;
    return take_out(models, model);
}

#include "serve/server_models.h"

#include <string.h>
#include <time.h>

#include "serve/moment.h"
#include "serve/server.h"

#define QUEUE_USUAL 64

/* ---------------------------------------------------------------- opening */

/* The given name, else the folder's own. */
static char *make_name(const char *given, const char *folder)
{
    if (given)
        return pg_copy_text(given, SIZE_MAX);
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    const char *start = folder + size;
    while (start > folder && start[-1] != '/')
        start--;
    return pg_copy_text(start, (size_t)(folder + size - start));
}

/* Takes the name, also on failure. */
static pg_status add_model(pg_engine *engine, char *name, const char *folder, const pg_model_options *how,
                           const pg_server_options *options)
{
    pg_served *served = &engine->models[engine->count];
    if (!name)
        return PG_ERROR_MEMORY;
    served->name = name;
    served->how = options->scheduler.session;
    served->how.sequences = 1;
    served->threads = served->how.threads;
    served->most_waiting = pg_queue_of(options);
    pthread_mutex_init(&served->lock, NULL);
    pthread_cond_init(&served->returned, NULL);
    engine->count++;
    for (size_t i = 0; i + 1 < engine->count; i++)
        if (strcmp(engine->models[i].name, name) == 0)
            return pg_fail(PG_ERROR_ARGUMENT, "two models are called '%s': give one of them another name", name);
    PG_TRY(pg_model_open_with(&served->model, folder, how));
    pg_model_fingerprint(served->version, served->model);
    return PG_OK;
}

static pg_status add_adapters(pg_engine *engine, const pg_server_options *options)
{
    pg_model_options how = options->how;
    how.prefault = how.lock = how.huge_pages = false; /* the base has seen to its weights, which are shared */
    for (size_t i = 0; i < options->adapter_count; i++) {
        const pg_server_adapter *adapter = &options->adapters[i];
        how.adapter = adapter->folder;
        PG_TRY(add_model(engine, pg_copy_text(adapter->name, SIZE_MAX), options->model, &how, options));
        pg_served *served = &engine->models[engine->count - 1];
        served->adapter = pg_copy_text(adapter->name, SIZE_MAX);
        if (!served->adapter)
            return PG_ERROR_MEMORY;
        if (engine->scheduler)
            PG_TRY(pg_scheduler_set_adapter(engine->scheduler, adapter->name, adapter->folder));
    }
    return PG_OK;
}

static pg_status add_models(pg_engine *engine, const pg_server_options *options)
{
    PG_TRY(add_model(engine, make_name(options->model_name, options->model), options->model, &options->how, options));
    if (pg_model_get_kind(engine->models[0].model) != PG_MODEL_SIGLIP)
        PG_TRY(pg_scheduler_new(&engine->scheduler, engine->models[0].model, &options->scheduler));
    PG_TRY(add_adapters(engine, options));
    if (!options->siglip)
        return PG_OK;
    PG_TRY(
        add_model(engine, make_name(options->siglip_name, options->siglip), options->siglip, &options->how, options));
    if (pg_model_get_kind(engine->models[engine->count - 1].model) == PG_MODEL_SIGLIP)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "%s: not a SigLIP model, which embeddings and classes need", options->siglip);
}

size_t pg_queue_of(const pg_server_options *options)
{
    return options->scheduler.queue ? options->scheduler.queue : QUEUE_USUAL;
}

/* The codec that is named, or that of the model's folder; its codes mean nothing to another one. */
static pg_status open_codec(pg_engine *engine, const pg_server_options *options)
{
    char *beside = NULL;
    pg_status status = options->codec ? PG_OK : pg_mask_codec_find(&beside, options->model);
    if (status == PG_OK && (options->codec || beside))
        status = pg_mask_codec_open(&engine->codec, options->codec ? options->codec : beside);
    pg_free(beside);
    return status;
}

pg_status pg_engine_open(pg_engine **out, const pg_server_options *options)
{
    *out = NULL;
    pg_engine *engine = pg_alloc(1, sizeof *engine);
    if (!engine)
        return PG_ERROR_MEMORY;
    engine->opened = (int64_t)time(NULL);
    engine->models = pg_alloc(options->adapter_count + 2, sizeof *engine->models);
    pg_status status = engine->models ? add_models(engine, options) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = open_codec(engine, options);
    if (status == PG_OK)
        *out = engine;
    else
        pg_engine_free(engine);
    return status;
}

static void close_model(pg_served *served)
{
    if (served->session)
        pg_session_free(served->session);
    if (served->model)
        pg_model_close(served->model);
    pthread_cond_destroy(&served->returned);
    pthread_mutex_destroy(&served->lock);
    pg_free(served->name);
    pg_free(served->adapter);
}

void pg_engine_free(pg_engine *engine)
{
    if (!engine)
        return;
    pg_scheduler_free(engine->scheduler);
    for (size_t i = 0; engine->models && i < engine->count; i++)
        close_model(&engine->models[i]);
    pg_free(engine->models);
    pg_mask_codec_close(engine->codec);
    pg_free(engine);
}

/* ---------------------------------------------------------------- finding and borrowing */

static bool is_of(const pg_served *served, unsigned kinds)
{
    return kinds >> pg_model_get_kind(served->model) & 1u;
}

static const char *kinds_in_words(unsigned kinds)
{
    return kinds & PG_KIND_MATCHERS ? "SigLIP" : kinds == PG_KIND_LOOKERS ? "PaliGemma" : "PaliGemma or Gemma";
}

pg_served *pg_engine_find(pg_exchange *exchange, const char *name, unsigned kinds)
{
    pg_engine *engine = exchange->engine;
    for (size_t i = 0; i < engine->count; i++) {
        pg_served *served = &engine->models[i];
        if (name ? strcmp(name, served->name) == 0 : is_of(served, kinds)) {
            if (is_of(served, kinds))
                return served;
            pg_exchange_refuse(exchange, 400, "wrong_model", "%s needs a %s model, which '%.100s' is not",
                               exchange->path, kinds_in_words(kinds), name);
            return NULL;
        }
    }
    if (name)
        pg_exchange_refuse(exchange, 404, "model_not_found",
                           "there is no model '%.100s'; /v1/models lists those there "
                           "are",
                           name);
    else
        pg_exchange_refuse(exchange, 404, "model_not_found", "no %s model is served, which %s needs",
                           kinds_in_words(kinds), exchange->path);
    return NULL;
}

/* With the lock. */
static pg_status wait_for_turn(pg_served *served, const pg_exchange *exchange)
{
    if (served->borrowed && served->waiting >= served->most_waiting)
        return pg_fail(PG_ERROR_BUSY, "%zu requests wait for this already: ask again later", served->waiting);
    pg_status status = PG_OK;
    served->waiting++;
    while (served->borrowed && (status = pg_exchange_check(exchange)) == PG_OK) {
        pg_moment_wait(&served->returned, &served->lock);
    }
    served->waiting--;
    return status;
}

static bool somebody_streams(const pg_engine *engine)
{
    pg_scheduler_figures figures;
    if (!engine->scheduler)
        return false;
    pg_scheduler_get_figures(&figures, engine->scheduler);
    return figures.starting + figures.running + figures.waiting > 0;
}

/* The pool of threads is the streams' while there are any: who finds it taken computes alone, and a stream would do so
 * in many of its steps. With the lock. */
static pg_status make_session(pg_served *served, const pg_engine *engine)
{
    int threads = somebody_streams(engine) ? 1 : served->threads;
    if (served->session && served->how.threads == threads)
        return PG_OK;
    if (served->session)
        pg_session_free(served->session);
    served->how.threads = threads;
    return pg_session_new(&served->session, served->model, &served->how);
}

pg_status pg_served_borrow(pg_session **out, pg_served *served, const pg_exchange *exchange)
{
    *out = NULL;
    pthread_mutex_lock(&served->lock);
    pg_status status = wait_for_turn(served, exchange);
    if (status == PG_OK)
        status = make_session(served, exchange->engine);
    if (status == PG_OK) {
        served->borrowed = true;
        *out = served->session;
    }
    pthread_mutex_unlock(&served->lock);
    return status;
}

void pg_served_give_back(pg_served *served)
{
    pthread_mutex_lock(&served->lock);
    served->borrowed = false;
    pthread_cond_signal(&served->returned);
    pthread_mutex_unlock(&served->lock);
}

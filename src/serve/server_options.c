/* Options of the server: what is meant where nothing is said, and copies that outlive the caller's. */
#include <string.h>

#include "serve/server.h"

void pg_server_options_init(pg_server_options *options)
{
    *options = (pg_server_options){.port = 8080};
    pg_model_options_init(&options->how);
    pg_scheduler_options_init(&options->scheduler);
}

static void set_size(size_t *value, size_t usual)
{
    if (!*value)
        *value = usual;
}

static void set_seconds(double *value, double usual)
{
    if (!(*value > 0))
        *value = usual;
}

static void complete(pg_server_options *options)
{
    set_size(&options->max_body, (size_t)20 << 20);
    set_size(&options->max_images, 16);
    set_size(&options->connections, 256);
    if (!options->max_pixels)
        options->max_pixels = 50000000;
    set_seconds(&options->timeout, 30);
    set_seconds(&options->deadline, 300);
    set_seconds(&options->slow, 10);
}

/* A copy, or NULL of NULL. */
static pg_status copy_text(const char **out, const char *text)
{
    *out = text ? pg_copy_text(text, SIZE_MAX) : NULL;
    return !text || *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status copy_adapters(pg_server_options *out, const pg_server_options *options)
{
    pg_server_adapter *copies = pg_alloc(options->adapter_count, sizeof *copies); /* NULL where not reached */
    if (!copies)
        return PG_ERROR_MEMORY;
    out->adapters = copies;
    out->adapter_count = options->adapter_count;
    for (size_t i = 0; i < options->adapter_count; i++) {
        PG_TRY(copy_text(&copies[i].name, options->adapters[i].name));
        PG_TRY(copy_text(&copies[i].folder, options->adapters[i].folder));
    }
    return PG_OK;
}

static pg_status copy_hosts(pg_server_options *out, const pg_server_options *options)
{
    const char **copies = pg_alloc(options->image_host_count, sizeof *copies);
    if (!copies)
        return PG_ERROR_MEMORY;
    out->image_hosts = copies;
    out->image_host_count = options->image_host_count;
    for (size_t i = 0; i < options->image_host_count; i++) {
        if (strchr(options->image_hosts[i], '/'))
            return pg_fail(PG_ERROR_ARGUMENT,
                           "the host of pictures \"%s\": expected a name alone, with or without :PORT",
                           options->image_hosts[i]);
        PG_TRY(copy_text(&copies[i], options->image_hosts[i]));
    }
    return PG_OK;
}

pg_status pg_server_options_copy(pg_server_options *out, const pg_server_options *options)
{
    *out = *options;
    complete(out);
    out->host = out->model = out->model_name = out->siglip = out->siglip_name = out->codec = out->key_file = NULL;
    out->feedback = NULL;
    out->adapters = NULL;
    out->image_hosts = NULL;
    out->adapter_count = out->image_host_count = 0;
    PG_TRY(copy_text(&out->host, options->host ? options->host : "127.0.0.1"));
    PG_TRY(copy_text(&out->model, options->model));
    PG_TRY(copy_text(&out->model_name, options->model_name));
    PG_TRY(copy_text(&out->siglip, options->siglip));
    PG_TRY(copy_text(&out->siglip_name, options->siglip_name));
    PG_TRY(copy_text(&out->codec, options->codec));
    PG_TRY(copy_text(&out->key_file, options->key_file));
    PG_TRY(copy_text(&out->feedback, options->feedback));
    PG_TRY(copy_adapters(out, options));
    return copy_hosts(out, options);
}

static void free_text(const char *text)
{
    pg_free((void *)(uintptr_t)text);
}

void pg_server_options_free(pg_server_options *options)
{
    free_text(options->host);
    free_text(options->model);
    free_text(options->model_name);
    free_text(options->siglip);
    free_text(options->siglip_name);
    free_text(options->codec);
    free_text(options->key_file);
    free_text(options->feedback);
    for (size_t i = 0; i < options->adapter_count; i++) {
        free_text(options->adapters[i].name);
        free_text(options->adapters[i].folder);
    }
    for (size_t i = 0; i < options->image_host_count; i++)
        free_text(options->image_hosts[i]);
    pg_free((void *)(uintptr_t)options->adapters);
    pg_free((void *)(uintptr_t)options->image_hosts);
}

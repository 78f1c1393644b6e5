#include "serve/pictures.h"

#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "serve/moment.h"
#include "serve/remote_picture.h"
#include "serve/server.h"

#define TOGETHER 2 /* times the largest picture: what all of a request may have */
#define URL_HELP "send pictures as data: URLs (data:image/png;base64,...)"

pg_status pg_data_url_decode(pg_buffer *out, const char *url)
{
    static const char base64[] = ";base64";
    const size_t suffix = sizeof base64 - 1;
    const char *comma = strchr(url, ',');
    if (strncasecmp(url, "data:", 5) != 0 || !comma)
        return pg_fail(PG_ERROR_FORMAT, "not a data: URL: " URL_HELP);
    if ((size_t)(comma - url) < 5 + suffix || strncasecmp(comma - suffix, base64, suffix) != 0)
        return pg_fail(PG_ERROR_FORMAT, "the data: URL is not in base64: " URL_HELP);
    return pg_base64_decode(out, comma + 1, strlen(comma + 1));
}

static pg_status wait_for_place(struct pg_server *server, const pg_exchange *exchange)
{
    struct timespec until = pg_moment_end(PG_MOMENT);
    while (sem_timedwait(&server->picture_places, &until) != 0) {
        PG_TRY(pg_exchange_check(exchange));
        until = pg_moment_end(PG_MOMENT);
    }
    return PG_OK;
}

pg_status pg_pictures_take_place(pg_pictures *pictures, const pg_exchange *exchange)
{
    struct pg_server *server = exchange->server;
    if (pictures->place || !server)
        return PG_OK;
    if (sem_trywait(&server->picture_places) != 0) {
        size_t waiting = atomic_fetch_add(&server->places_waited_for, 1);
        pg_status status =
            waiting < pg_queue_of(&server->options)
                ? wait_for_place(server, exchange)
                : pg_fail(PG_ERROR_BUSY, "%zu requests wait with pictures already: ask again later", waiting);
        atomic_fetch_sub(&server->places_waited_for, 1);
        PG_TRY(status);
    }
    pictures->place = server;
    return PG_OK;
}

static void give_place_back(pg_pictures *pictures)
{
    if (pictures->place)
        sem_post(&pictures->place->picture_places);
    pictures->place = NULL;
}

pg_status pg_pictures_shrink(pg_pictures *pictures, const pg_served *served)
{
    size_t side = pg_model_image_size(served->model);
    for (size_t i = 0; i < pictures->count; i++) {
        pg_image *small;
        PG_TRY(pg_image_resize(&small, pictures->items[i], side, side, served->how.resize_order));
        pg_image_free(pictures->items[i]);
        pictures->items[i] = small;
    }
    give_place_back(pictures);
    return PG_OK;
}

static pg_status add_bytes(pg_pictures *pictures, pg_exchange *exchange, const void *bytes, size_t size)
{
    char name[32];
    double start = pg_clock();
    pg_image_options options;
    pg_image_options_init(&options);
    uint64_t most = exchange->server ? exchange->server->options.max_pixels : options.max_pixels;
    uint64_t left = TOGETHER * most - pictures->pixels;
    options.max_pixels = left < most ? left : most;
    snprintf(name, sizeof name, "image %zu", pictures->count + 1);
    PG_TRY(pg_grow((void **)&pictures->items, &pictures->capacity, pictures->count + 1, sizeof(pg_image *)));
    PG_TRY(pg_pictures_take_place(pictures, exchange));
    pg_status status = pg_image_decode(&pictures->items[pictures->count], bytes, size, name, &options);
    if (status == PG_ERROR_LIMIT && left < most)
        pg_fail_context(status, "a request's pictures have at most %llu pixels together",
                        (unsigned long long)(TOGETHER * most));
    PG_TRY(status);
    const pg_image *image = pictures->items[pictures->count++];
    pictures->pixels += (uint64_t)pg_image_width(image) * pg_image_height(image);
    exchange->stages.prepare += pg_clock() - start;
    return PG_OK;
}

static pg_status check_count(const pg_pictures *pictures, const pg_exchange *exchange)
{
    size_t most = exchange->server ? exchange->server->options.max_images : SIZE_MAX;
    if (pictures->count < most)
        return PG_OK;
    return pg_fail(PG_ERROR_LIMIT, "more than %zu pictures in a request", most);
}

static bool is_remote(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static pg_status read_url(pg_buffer *out, const pg_exchange *exchange, const char *url)
{
    const pg_server_options *options = exchange->server ? &exchange->server->options : NULL;
    if (!is_remote(url))
        return pg_data_url_decode(out, url);
    if (!options || !options->image_host_count)
        return pg_fail(PG_ERROR_ARGUMENT, "this server fetches no pictures: " URL_HELP);
    return pg_remote_picture_fetch(out, options, url, exchange);
}

pg_status pg_pictures_add_url(pg_pictures *pictures, pg_exchange *exchange, const char *url)
{
    pg_buffer bytes = {0};
    PG_TRY(check_count(pictures, exchange));
    pg_status status = read_url(&bytes, exchange, url);
    if (status != PG_OK && status != PG_ERROR_MEMORY)
        pg_fail_context(status, "image %zu", pictures->count + 1);
    if (status == PG_OK)
        status = add_bytes(pictures, exchange, bytes.data, bytes.size);
    pg_buffer_free(&bytes);
    return status;
}

static pg_status add_value(pg_pictures *pictures, pg_exchange *exchange, const json_t *value)
{
    if (!json_is_string(value))
        return pg_fail(PG_ERROR_FORMAT, "\"image\": expected a URL, or a list of URLs");
    return pg_pictures_add_url(pictures, exchange, json_string_value(value));
}

pg_status pg_pictures_add_field(pg_pictures *pictures, pg_exchange *exchange, const json_t *image, const char *name)
{
    for (size_t i = 0; i < exchange->part_count; i++) {
        const pg_part *part = &exchange->parts[i];
        if (!part->file_name || strcmp(part->name, name) != 0)
            continue;
        PG_TRY(check_count(pictures, exchange));
        PG_TRY(add_bytes(pictures, exchange, part->bytes.size ? part->bytes.data : "", part->bytes.size));
    }
    if (image && !json_is_array(image))
        return add_value(pictures, exchange, image);
    for (size_t i = 0; i < json_array_size(image); i++)
        PG_TRY(add_value(pictures, exchange, json_array_get(image, i)));
    return PG_OK;
}

pg_status pg_pictures_add_one(pg_pictures *pictures, pg_exchange *exchange, const json_t *image)
{
    PG_TRY(pg_pictures_add_field(pictures, exchange, image, "image"));
    if (pictures->count == 1)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "found %zu pictures, expected one: \"image\" is a data: URL, or a file of a form",
                   pictures->count);
}

void pg_pictures_free(pg_pictures *pictures)
{
    for (size_t i = 0; i < pictures->count; i++)
        pg_image_free(pictures->items[i]);
    pg_free(pictures->items);
    give_place_back(pictures);
    *pictures = (pg_pictures){0};
}

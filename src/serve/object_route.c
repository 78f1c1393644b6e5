/* POST /v1/objects: the boxes and masks that an answer's text names, for clients that stream chat and draw what came.
 * No model is asked. */
#include "serve/find_objects.h"
#include "serve/routes.h"
#include "serve/server.h"

#define SIDE_MAX 100000

typedef struct read_request {
    const char *text, *masks;
    int64_t width, height;
} read_request;

static const pg_field read_fields[] = {
    {"text", PG_FIELD_TEXT, offsetof(read_request, text), 0, 0},
    {"masks", PG_FIELD_TEXT, offsetof(read_request, masks), 0, 0},
    {"width", PG_FIELD_INTEGER, offsetof(read_request, width), 1, SIDE_MAX},
    {"height", PG_FIELD_INTEGER, offsetof(read_request, height), 1, SIDE_MAX},
    {0},
};

static pg_status answer(pg_exchange *exchange, const read_request *request, json_t *warnings)
{
    pg_mask_form form = PG_MASK_FORM_RLE;
    json_t *found;
    if (!request->text || !request->width || !request->height)
        return pg_fail(PG_ERROR_FORMAT, "\"text\", \"width\" and \"height\" are needed");
    if (request->masks)
        PG_TRY(pg_mask_form_read(&form, request->masks));
    if ((uint64_t)request->width * (uint64_t)request->height > exchange->server->options.max_pixels)
        return pg_fail(PG_ERROR_LIMIT, "%lld x %lld pixels, at most %llu in all", (long long)request->width,
                       (long long)request->height, (unsigned long long)exchange->server->options.max_pixels);
    PG_TRY(pg_read_objects(&found, exchange, request->text, (size_t)request->width, (size_t)request->height, form));
    json_object_set(found, "warnings", warnings);
    return pg_exchange_json(exchange, found);
}

pg_status pg_route_objects(pg_exchange *exchange)
{
    const pg_field *const tables[] = {read_fields, NULL};
    read_request request = {0};
    json_t *document, *warnings;
    pg_status status = pg_exchange_fields(&document, &warnings, &request, tables, exchange);
    if (status == PG_OK)
        status = answer(exchange, &request, warnings);
    json_decref(document);
    json_decref(warnings);
    return status;
}

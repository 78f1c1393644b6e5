/* Masks out of JSON text, for callers that have no JSON of their own. */
#include <string.h>

#include "objects/mask.h"

pg_status pg_mask_read(uint8_t *out, size_t width, size_t height, const char *json, size_t size)
{
    json_t *document;
    pg_mask mask;
    PG_TRY(pg_json_parse(&document, json, size == SIZE_MAX ? strlen(json) : size, "mask"));
    pg_status status = pg_mask_new(&mask, width, height);
    if (status == PG_OK)
        status = pg_mask_add_json(&mask, document);
    if (status == PG_OK)
        memcpy(out, mask.pixels, width * height);
    pg_mask_free(&mask);
    json_decref(document);
    return status;
}

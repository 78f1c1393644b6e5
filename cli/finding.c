/* Boxes, codes and masks as JSON. */
#include "finding.h"

#include <stdlib.h>

json_t *pg_cli_json_box(const double box[4])
{
    json_t *list = pg_cli_json_array();
    for (size_t i = 0; i < 4; i++)
        pg_cli_json_append(list, pg_cli_json_real(box[i]));
    return list;
}

json_t *pg_cli_json_codes(const pg_object *object)
{
    return object->has_codes ? pg_cli_json_ids(object->codes, PG_MASK_CODES) : json_null();
}

json_t *pg_cli_json_problems(const pg_objects *objects)
{
    json_t *list = pg_cli_json_array();
    for (size_t i = 0; i < objects->problem_count; i++)
        pg_cli_json_append(list, pg_cli_json_text(objects->problems[i].name));
    return list;
}

int pg_cli_json_runs(json_t **out, const uint8_t *mask, size_t width, size_t height)
{
    char *counts;
    int code = pg_cli_check(pg_mask_counts(&counts, mask, width, height));
    if (code != PG_CLI_DONE)
        return code;
    json_t *size = pg_cli_json_array();
    pg_cli_json_append(size, pg_cli_json_integer((int64_t)height));
    pg_cli_json_append(size, pg_cli_json_integer((int64_t)width));
    *out = pg_cli_json_object();
    pg_cli_json_set(*out, "size", size);
    pg_cli_json_set(*out, "counts", pg_cli_json_text(counts));
    pg_free(counts);
    return code;
}

int pg_cli_json_polygons(json_t **out, const uint8_t *mask, size_t width, size_t height)
{
    pg_polygons polygons;
    int code = pg_cli_check(pg_polygons_trace(&polygons, mask, width, height));
    if (code != PG_CLI_DONE)
        return code;
    *out = pg_cli_json_array();
    for (size_t i = 0, corner = 0; i < polygons.count; i++) {
        json_t *outline = pg_cli_json_array();
        for (; corner < polygons.ends[i]; corner++) {
            pg_cli_json_append(outline, pg_cli_json_real(polygons.corners[2 * corner]));
            pg_cli_json_append(outline, pg_cli_json_real(polygons.corners[2 * corner + 1]));
        }
        pg_cli_json_append(*out, outline);
    }
    pg_polygons_free(&polygons);
    return code;
}

int pg_cli_codec_open(pg_mask_codec **out, const char *named, const char *folder)
{
    char *beside = NULL;
    int code = PG_CLI_DONE;
    *out = NULL;
    if (!named && folder)
        PG_CLI_TRY(pg_cli_check(pg_mask_codec_find(&beside, folder)));
    if (named || beside)
        PG_CLI_TRY(pg_cli_check(pg_mask_codec_open(out, named ? named : beside)));
done:
    pg_free(beside);
    return code;
}

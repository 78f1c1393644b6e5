#include "objects/segmentation.h"

#include "objects/polygon.h"

static pg_status from_polygon(pg_runs *out, size_t width, size_t height, const json_t *polygon)
{
    *out = (pg_runs){0};
    size_t count = json_array_size(polygon);
    if (!json_is_array(polygon) || count % 2)
        return pg_fail(PG_ERROR_FORMAT, "\"segmentation\": expected lists of coordinates x, y");
    double *corners = pg_alloc(count, sizeof *corners);
    pg_status status = corners ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < count && status == PG_OK; i++) {
        const json_t *value = json_array_get(polygon, i);
        corners[i] = json_number_value(value);
        if (!json_is_number(value))
            status = pg_fail(PG_ERROR_FORMAT, "\"segmentation\": coordinate %zu is not a number", i);
    }
    if (status == PG_OK)
        status = pg_runs_from_polygon(out, width, height, corners, count / 2);
    pg_free(corners);
    return status;
}

static pg_status add_polygon(pg_runs *runs, size_t width, size_t height, const json_t *polygon)
{
    pg_runs next;
    PG_TRY(from_polygon(&next, width, height, polygon));
    pg_status status = pg_runs_add(runs, &next);
    pg_runs_free(&next);
    return status;
}

static pg_status from_list(pg_runs *out, size_t width, size_t height, const json_t *list)
{
    *out = (pg_runs){0};
    size_t count = json_array_size(list);
    int64_t *lengths = pg_alloc(count, sizeof *lengths);
    pg_status status = lengths ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < count && status == PG_OK; i++) {
        const json_t *value = json_array_get(list, i);
        lengths[i] = json_integer_value(value);
        if (!json_is_integer(value))
            status = pg_fail(PG_ERROR_FORMAT, "\"counts\": run %zu is not a whole number", i);
    }
    if (status == PG_OK)
        status = pg_runs_new(out, width, height, lengths, count);
    pg_free(lengths);
    return status;
}

static pg_status from_object(pg_runs *out, size_t width, size_t height, const json_t *object)
{
    const json_t *size = json_object_get(object, "size"), *counts = json_object_get(object, "counts");
    json_int_t rows = json_integer_value(json_array_get(size, 0)),
               columns = json_integer_value(json_array_get(size, 1));
    if (json_array_size(size) != 2 || columns != (json_int_t)width || rows != (json_int_t)height)
        return pg_fail(PG_ERROR_FORMAT, "\"size\": expected [%zu, %zu], the picture's height and width", height, width);
    if (json_is_string(counts))
        return pg_runs_parse(out, width, height, json_string_value(counts), json_string_length(counts));
    if (json_is_array(counts))
        return from_list(out, width, height, counts);
    return pg_fail(PG_ERROR_FORMAT, "\"counts\": expected a text or a list");
}

pg_status pg_runs_from_json(pg_runs *out, size_t width, size_t height, const json_t *segmentation)
{
    *out = (pg_runs){0};
    if (json_is_object(segmentation))
        return from_object(out, width, height, segmentation);
    if (!json_is_array(segmentation) || json_array_size(segmentation) == 0)
        return pg_fail(PG_ERROR_FORMAT,
                       "\"segmentation\": expected polygons, or an object with \"size\" and \"counts\"");
    pg_status status = from_polygon(out, width, height, json_array_get(segmentation, 0));
    for (size_t i = 1; i < json_array_size(segmentation) && status == PG_OK; i++)
        status = add_polygon(out, width, height, json_array_get(segmentation, i));
    if (status != PG_OK)
        pg_runs_free(out);
    return status;
}

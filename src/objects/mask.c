/*
 * Polygons are filled as pycocotools does it, so that areas and overlaps agree with published figures: corners are
 * rounded to a fifth of a pixel; where the outline steps from one column of the fine grid to the next, the crossing is
 * kept if it falls on the middle of a column of pixels; inside is what lies between an odd and an even crossing,
 * counted down the columns from the upper left.
 */
#include "objects/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FINE       5   /* parts of a pixel */
#define FARTHEST   1e6 /* coordinate of a corner */
#define STEPS_MAX  1e8 /* of one outline */
#define SIDE_MAX   100000
#define PIXELS_MAX ((size_t)1 << 28)

pg_status pg_mask_new(pg_mask *out, size_t width, size_t height)
{
    *out = (pg_mask){0};
    if (!width || !height || width > SIDE_MAX || height > SIDE_MAX || width * height > PIXELS_MAX)
        return pg_fail(PG_ERROR_FORMAT, "a mask of %zu x %zu pixels", width, height);
    *out = (pg_mask){width, height, pg_alloc(width, height)};
    return out->pixels ? PG_OK : PG_ERROR_MEMORY;
}

void pg_mask_free(pg_mask *mask)
{
    pg_free(mask->pixels);
    *mask = (pg_mask){0};
}

/* ---------------------------------------------------------------- polygons */

/* Crossings of an outline with the middles of columns. */
typedef struct outline {
    uint8_t *crossed; /* [width, height]: an odd number of crossings right above this pixel, counted down the columns */
    size_t width, height;
    int64_t x, y; /* the point before, on the fine grid */
    bool begun;
} outline;

static void cross(outline *line, int64_t x, int64_t y)
{
    double column = ((double)(x < line->x ? x : x - 1) + 0.5) / FINE - 0.5;
    if (column != floor(column) || column < 0 || column > (double)line->width - 1)
        return;
    double row = ((double)(y < line->y ? y : line->y) + 0.5) / FINE - 0.5;
    row = ceil(fmin(fmax(row, 0), (double)line->height));
    size_t place = (size_t)column * line->height + (size_t)row;
    if (place < line->width * line->height)
        line->crossed[place] ^= 1;
}

static void step_to(outline *line, int64_t x, int64_t y)
{
    if (line->begun && x != line->x)
        cross(line, x, y);
    line->x = x;
    line->y = y;
    line->begun = true;
}

/* The points of a side, one for each step of its longer extent. They are those of the side drawn from its left or upper
 * end, whichever way it is gone along. */
static void draw_side(outline *line, const int64_t from[2], const int64_t to[2])
{
    int64_t dx = llabs(to[0] - from[0]), dy = llabs(to[1] - from[1]);
    bool wide = dx >= dy, back = wide ? from[0] > to[0] : from[1] > to[1];
    const int64_t *a = back ? to : from, *b = back ? from : to;
    int64_t length = wide ? dx : dy;
    double slope = wide ? (double)(b[1] - a[1]) / (double)dx : (double)(b[0] - a[0]) / (double)dy;
    for (int64_t i = 0; i <= length; i++) {
        int64_t t = back ? length - i : i;
        if (wide)
            step_to(line, t + a[0], (int64_t)((double)a[1] + (length ? slope * (double)t : 0) + 0.5));
        else
            step_to(line, (int64_t)((double)a[0] + slope * (double)t + 0.5), t + a[1]);
    }
}

static pg_status check_corners(const double *corners, size_t count)
{
    double steps = 0;
    if (count < 3)
        return pg_fail(PG_ERROR_FORMAT, "a polygon of %zu corners, expected at least 3", count);
    for (size_t i = 0; i < 2 * count; i++) {
        if (!(fabs(corners[i]) <= FARTHEST))
            return pg_fail(PG_ERROR_FORMAT, "a polygon with the coordinate %g", corners[i]);
        steps += FINE * fabs(corners[i] - corners[(i + 2) % (2 * count)]);
    }
    return steps < STEPS_MAX ? PG_OK
                             : pg_fail(PG_ERROR_FORMAT, "a polygon with an outline of %.0f pixels", steps / FINE);
}

pg_status pg_mask_add_polygon(pg_mask *mask, const double *corners, size_t count)
{
    PG_TRY(check_corners(corners, count));
    outline line = {.crossed = pg_alloc(mask->width, mask->height), .width = mask->width, .height = mask->height};
    if (!line.crossed)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const double *a = corners + 2 * i, *b = corners + 2 * ((i + 1) % count);
        int64_t from[] = {(int64_t)(FINE * a[0] + 0.5), (int64_t)(FINE * a[1] + 0.5)};
        int64_t to[] = {(int64_t)(FINE * b[0] + 0.5), (int64_t)(FINE * b[1] + 0.5)};
        draw_side(&line, from, to);
    }
    uint8_t inside = 0;
    for (size_t x = 0; x < mask->width; x++)
        for (size_t y = 0; y < mask->height; y++) {
            inside ^= line.crossed[x * mask->height + y];
            mask->pixels[y * mask->width + x] |= inside;
        }
    pg_free(line.crossed);
    return PG_OK;
}

/* ---------------------------------------------------------------- runs */

/* Fills from `done` on, down the columns; false when the run goes beyond the mask. */
static bool fill_run(pg_mask *mask, size_t done, int64_t run, bool inside)
{
    if (run < 0 || (uint64_t)run > mask->width * mask->height - done)
        return false;
    for (size_t i = done; inside && i < done + (size_t)run; i++)
        mask->pixels[i % mask->height * mask->width + i / mask->height] = 1;
    return true;
}

pg_status pg_mask_add_runs(pg_mask *mask, const int64_t *runs, size_t count)
{
    size_t done = 0, pixels = mask->width * mask->height;
    for (size_t i = 0; i < count; i++) {
        if (!fill_run(mask, done, runs[i], i % 2))
            return pg_fail(PG_ERROR_FORMAT, "run %zu of a mask is %lld pixels, %zu are left", i, (long long)runs[i],
                           pixels - done);
        done += (size_t)runs[i];
    }
    return done == pixels
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "the runs of a mask are %zu pixels, the picture has %zu", done, pixels);
}

/* One number: five bits a character from '0' on, the lowest first; the sixth bit says that more follow, and the fifth
 * of the last one is the sign. Returns the characters taken, 0 if there is no number. */
static size_t read_run(int64_t *out, const char *text, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size && i < 7; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 63)
            return 0;
        value |= (uint64_t)(digit & 31) << 5 * i;
        if (!(digit & 32)) {
            bool negative = digit & 16;
            *out = negative ? (int64_t)(value | ~(uint64_t)0 << 5 * (i + 1)) : (int64_t)value;
            return i + 1;
        }
    }
    return 0;
}

/* From the third on, numbers are differences from the run before the last. */
pg_status pg_mask_add_run_text(pg_mask *mask, const char *text, size_t size)
{
    int64_t *runs = pg_alloc(size, sizeof *runs);
    size_t count = 0;
    pg_status status = runs ? PG_OK : PG_ERROR_MEMORY;
    for (size_t at = 0, taken; status == PG_OK && at < size; at += taken, count++) {
        taken = read_run(&runs[count], text + at, size - at);
        if (!taken)
            status = pg_fail(PG_ERROR_FORMAT, "the runs of a mask are no numbers from character %zu on", at);
        else if (count > 2)
            runs[count] += runs[count - 2];
    }
    if (status == PG_OK)
        status = pg_mask_add_runs(mask, runs, count);
    pg_free(runs);
    return status;
}

/* ---------------------------------------------------------------- JSON */

static pg_status add_polygon_json(pg_mask *mask, const json_t *polygon)
{
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
        status = pg_mask_add_polygon(mask, corners, count / 2);
    pg_free(corners);
    return status;
}

static pg_status add_run_list(pg_mask *mask, const json_t *list)
{
    size_t count = json_array_size(list);
    int64_t *runs = pg_alloc(count, sizeof *runs);
    pg_status status = runs ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < count && status == PG_OK; i++) {
        const json_t *value = json_array_get(list, i);
        runs[i] = json_integer_value(value);
        if (!json_is_integer(value))
            status = pg_fail(PG_ERROR_FORMAT, "\"counts\": run %zu is not a whole number", i);
    }
    if (status == PG_OK)
        status = pg_mask_add_runs(mask, runs, count);
    pg_free(runs);
    return status;
}

static pg_status add_runs_json(pg_mask *mask, const json_t *object)
{
    const json_t *size = json_object_get(object, "size"), *counts = json_object_get(object, "counts");
    json_int_t height = json_integer_value(json_array_get(size, 0)),
               width = json_integer_value(json_array_get(size, 1));
    if (json_array_size(size) != 2 || width != (json_int_t)mask->width || height != (json_int_t)mask->height)
        return pg_fail(PG_ERROR_FORMAT, "\"size\": expected [%zu, %zu], the picture's height and width", mask->height,
                       mask->width);
    if (json_is_string(counts))
        return pg_mask_add_run_text(mask, json_string_value(counts), json_string_length(counts));
    if (json_is_array(counts))
        return add_run_list(mask, counts);
    return pg_fail(PG_ERROR_FORMAT, "\"counts\": expected a text or a list");
}

pg_status pg_mask_add_json(pg_mask *mask, const json_t *segmentation)
{
    if (json_is_object(segmentation))
        return add_runs_json(mask, segmentation);
    if (!json_is_array(segmentation) || json_array_size(segmentation) == 0)
        return pg_fail(PG_ERROR_FORMAT,
                       "\"segmentation\": expected polygons, or an object with \"size\" and \"counts\"");
    for (size_t i = 0; i < json_array_size(segmentation); i++)
        PG_TRY(add_polygon_json(mask, json_array_get(segmentation, i)));
    return PG_OK;
}

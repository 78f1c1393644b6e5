/*
 * Polygons are filled as pycocotools does it, so that areas and overlaps agree with published figures: corners are
 * rounded to a fifth of a pixel; where the outline steps from one column of the fine grid to the next, the crossing is
 * kept if it falls on the middle of a column of pixels; inside is what lies between an odd and an even crossing,
 * counted down the columns from the upper left.
 */
#include "objects/polygon.h"

#include <math.h>
#include <stdlib.h>

#define FINE      5   /* parts of a pixel */
#define FARTHEST  1e6 /* coordinate of a corner */
#define STEPS_MAX 1e8 /* of one outline */

/* Crossings of an outline with the middles of columns. */
typedef struct outline {
    uint32_t *places; /* column * height + row of the pixel below */
    size_t count, capacity, width, height;
    int64_t x, y; /* the point before, on the fine grid */
    bool begun;
} outline;

static pg_status cross(outline *line, int64_t x, int64_t y)
{
    double column = ((double)(x < line->x ? x : x - 1) + 0.5) / FINE - 0.5;
    if (column != floor(column) || column < 0 || column > (double)line->width - 1)
        return PG_OK;
    double row = ((double)(y < line->y ? y : line->y) + 0.5) / FINE - 0.5;
    row = ceil(fmin(fmax(row, 0), (double)line->height));
    size_t place = (size_t)column * line->height + (size_t)row;
    if (place >= line->width * line->height)
        return PG_OK;
    PG_TRY(pg_grow((void **)&line->places, &line->capacity, line->count + 1, sizeof *line->places));
    line->places[line->count++] = (uint32_t)place;
    return PG_OK;
}

static pg_status step_to(outline *line, int64_t x, int64_t y)
{
    if (line->begun && x != line->x)
        PG_TRY(cross(line, x, y));
    line->x = x;
    line->y = y;
    line->begun = true;
    return PG_OK;
}

/* The points of a side, one for each step of its longer extent. They are those of the side drawn from its left or upper
 * end, whichever way it is gone along. */
static pg_status draw_side(outline *line, const int64_t from[2], const int64_t to[2])
{
    int64_t dx = llabs(to[0] - from[0]), dy = llabs(to[1] - from[1]);
    bool wide = dx >= dy, back = wide ? from[0] > to[0] : from[1] > to[1];
    const int64_t *a = back ? to : from, *b = back ? from : to;
    int64_t length = wide ? dx : dy;
    double slope = wide ? (double)(b[1] - a[1]) / (double)dx : (double)(b[0] - a[0]) / (double)dy;
    for (int64_t i = 0; i <= length; i++) {
        int64_t t = back ? length - i : i;
        if (wide)
            PG_TRY(step_to(line, t + a[0], (int64_t)((double)a[1] + (length ? slope * (double)t : 0) + 0.5)));
        else
            PG_TRY(step_to(line, (int64_t)((double)a[0] + slope * (double)t + 0.5), t + a[1]));
    }
    return PG_OK;
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

static pg_status draw_outline(outline *line, const double *corners, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double *a = corners + 2 * i, *b = corners + 2 * ((i + 1) % count);
        int64_t from[] = {(int64_t)(FINE * a[0] + 0.5), (int64_t)(FINE * a[1] + 0.5)};
        int64_t to[] = {(int64_t)(FINE * b[0] + 0.5), (int64_t)(FINE * b[1] + 0.5)};
        PG_TRY(draw_side(line, from, to));
    }
    return PG_OK;
}

static int compare_places(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* Two crossings at one place are none. */
static void sort_places(outline *line)
{
    size_t kept = 0;
    if (line->count)
        qsort(line->places, line->count, sizeof *line->places, compare_places);
    for (size_t i = 0; i < line->count; i++)
        if (kept && line->places[kept - 1] == line->places[i])
            kept--;
        else
            line->places[kept++] = line->places[i];
    line->count = kept;
}

pg_status pg_runs_from_polygon(pg_runs *out, size_t width, size_t height, const double *corners, size_t count)
{
    *out = (pg_runs){0};
    outline line = {.width = width, .height = height};
    pg_status status;
    PG_TRY_GOTO(pg_runs_check_size(width, height));
    PG_TRY_GOTO(check_corners(corners, count));
    PG_TRY_GOTO(draw_outline(&line, corners, count));
    sort_places(&line);
    PG_TRY_GOTO(pg_runs_from_changes(out, width, height, line.places, line.count));
done:
    pg_free(line.places);
    return status;
}

#include "image/plane.h"

#include <math.h>
#include <string.h>

pg_status pg_plane_new(pg_plane *out, size_t width, size_t height, size_t channels)
{
    *out = (pg_plane){width, height, channels, pg_alloc(width * height * channels, sizeof(float))};
    return out->values ? PG_OK : PG_ERROR_MEMORY;
}

void pg_plane_free(pg_plane *plane)
{
    pg_free(plane->values);
    *plane = (pg_plane){0};
}

pg_status pg_plane_copy(pg_plane *out, const pg_plane *plane)
{
    PG_TRY(pg_plane_new(out, plane->width, plane->height, plane->channels));
    memcpy(out->values, plane->values, plane->width * plane->height * plane->channels * sizeof(float));
    return PG_OK;
}

pg_status pg_plane_from_image(pg_plane *out, const pg_image *image)
{
    PG_TRY(pg_plane_new(out, image->width, image->height, 3));
    for (size_t i = 0; i < image->width * image->height * 3; i++)
        out->values[i] = (float)image->pixels[i] / 255;
    return PG_OK;
}

pg_status pg_plane_to_image(pg_image **out, const pg_plane *plane)
{
    PG_TRY(pg_image_blank(out, plane->width, plane->height));
    for (size_t i = 0; i < plane->width * plane->height * 3; i++) {
        float value = plane->values[i];
        (*out)->pixels[i] = (uint8_t)((value > 0 ? value < 1 ? value : 1 : 0) * 255 + 0.5f);
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- between pixels */

/* floor, for numbers that are places. */
static int64_t whole_part(double x)
{
    int64_t near = (int64_t)x;
    return (double)near > x ? near - 1 : near;
}

float pg_plane_at(const pg_plane *plane, double x, double y, size_t channel)
{
    int64_t left = whole_part(x), top = whole_part(y);
    double right = x - (double)left, down = y - (double)top, value = 0;
    size_t columns[] = {pg_mirror(left, plane->width), pg_mirror(left + 1, plane->width)};
    size_t rows[] = {pg_mirror(top, plane->height), pg_mirror(top + 1, plane->height)};
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++)
            value += (double)plane->values[(rows[j] * plane->width + columns[i]) * plane->channels + channel] *
                     (i ? right : 1 - right) * (j ? down : 1 - down);
    return (float)value;
}

/* ---------------------------------------------------------------- along lines */

pg_status pg_line_sums_new(pg_line_sums *out, size_t most)
{
    *out = (pg_line_sums){0, pg_alloc(2 * most + 1, sizeof *out->sums)};
    return out->sums ? PG_OK : PG_ERROR_MEMORY;
}

void pg_line_sums_free(pg_line_sums *line)
{
    pg_free(line->sums);
    *line = (pg_line_sums){0};
}

void pg_line_sums_set(pg_line_sums *line, const float *values, size_t count, size_t stride)
{
    double sum = 0;
    line->count = count;
    line->sums[0] = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        sum += (double)values[(i < count ? i : 2 * count - 1 - i) * stride];
        line->sums[i + 1] = sum;
    }
}

static double integral(const pg_line_sums *line, double to)
{
    double period = 2 * (double)line->count;
    double periods = to >= 0 && to < period ? 0 : (double)whole_part(to / period), rest = to - periods * period;
    size_t whole = (size_t)rest;
    if (whole >= 2 * line->count)
        return (periods + 1) * line->sums[2 * line->count];
    double part = (rest - (double)whole) * (line->sums[whole + 1] - line->sums[whole]);
    return periods * line->sums[2 * line->count] + line->sums[whole] + part;
}

double pg_line_sum(const pg_line_sums *line, double from, double to)
{
    return integral(line, to) - integral(line, from);
}

/* ---------------------------------------------------------------- blur */

/* Half the width of the box, whole pixels and a part of the next on either side, that has this variance. */
static double box_reach(double variance)
{
    double k = floor((sqrt(1 + 12 * variance) - 1) / 2);
    double part = (variance * (2 * k + 1) - k * (k + 1) * (2 * k + 1) / 3) / (2 * ((k + 1) * (k + 1) - variance));
    return k + 0.5 + part;
}

/* Replaces a line by the means of the stretches around its pixels. */
static void blur_line(float *values, size_t count, size_t stride, double reach, pg_line_sums *line)
{
    pg_line_sums_set(line, values, count, stride);
    for (size_t i = 0; i < count; i++) {
        double middle = (double)i + 0.5;
        values[i * stride] = (float)(pg_line_sum(line, middle - reach, middle + reach) / (2 * reach));
    }
}

pg_status pg_plane_blur(pg_plane *plane, double deviation)
{
    double reach = box_reach(deviation * deviation / 3);
    size_t width = plane->width, height = plane->height, row = width * plane->channels;
    pg_line_sums line;
    PG_TRY(pg_line_sums_new(&line, width > height ? width : height));
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < height * plane->channels; i++)
            blur_line(plane->values + i / plane->channels * row + i % plane->channels, width, plane->channels, reach,
                      &line);
        for (size_t i = 0; i < row; i++)
            blur_line(plane->values + i, height, row, reach, &line);
    }
    pg_line_sums_free(&line);
    return PG_OK;
}

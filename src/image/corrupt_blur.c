/* Blurs: a lens out of focus, rough glass, movement, and a lens that zooms while it looks. */
#include <math.h>
#include <string.h>

#include "image/corrupt.h"

#define PI 3.14159265358979323846

/* ---------------------------------------------------------------- defocus */

/* Adds to a row of the result, for every pixel, the stretch of `line` that reaches so far to either side. */
static void add_disk_row(float *out, const pg_line_sums *line, double reach, size_t count, size_t stride, double weight)
{
    for (size_t x = 0; x < count; x++) {
        double middle = (double)x + 0.5;
        out[x * stride] += (float)(weight * pg_line_sum(line, middle - reach, middle + reach));
    }
}

/* Of a row at distance d from the middle, the disk takes as much as its chord there is long. */
static void add_disk(pg_plane *out, const pg_plane *plane, double radius, pg_line_sums *line)
{
    size_t row = plane->width * plane->channels;
    int64_t reach = (int64_t)floor(radius);
    double area = 0;
    for (int64_t d = -reach; d <= reach; d++)
        area += 2 * sqrt(radius * radius - (double)(d * d));
    for (int64_t from = -reach; from < (int64_t)plane->height + reach; from++)
        for (size_t c = 0; c < plane->channels; c++) {
            pg_line_sums_set(line, plane->values + pg_mirror(from, plane->height) * row + c, plane->width,
                             plane->channels);
            for (int64_t d = -reach; d <= reach; d++)
                if (from - d >= 0 && from - d < (int64_t)plane->height)
                    add_disk_row(out->values + (size_t)(from - d) * row + c, line,
                                 sqrt(radius * radius - (double)(d * d)), plane->width, plane->channels, 1 / area);
        }
}

/* A disk of at least a pixel, with a soft edge. */
pg_status pg_blur_defocus(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][2] = {{3, 0.1}, {4, 0.5}, {6, 0.5}, {8, 0.5}, {10, 0.5}};
    const double *p = parameters[damage->severity];
    pg_plane sum = {0};
    pg_line_sums line = {0};
    pg_status status;
    PG_TRY_GOTO(pg_plane_new(&sum, plane->width, plane->height, plane->channels));
    PG_TRY_GOTO(pg_line_sums_new(&line, plane->width));
    add_disk(&sum, plane, fmax(p[0] * damage->unit, 0.5), &line);
    PG_TRY_GOTO(pg_plane_blur(&sum, p[1] * damage->unit));
    memcpy(plane->values, sum.values, plane->width * plane->height * plane->channels * sizeof *plane->values);
done:
    pg_plane_free(&sum);
    pg_line_sums_free(&line);
    return status;
}

/* ---------------------------------------------------------------- glass */

static void swap_pixels(float *a, float *b)
{
    for (int c = 0; c < 3; c++) {
        float kept = a[c];
        a[c] = b[c];
        b[c] = kept;
    }
}

/* Every pixel, from the last to the first, changes places with one that is up to `reach` away. */
static void shuffle_pixels(const pg_plane *plane, size_t reach, const pg_damage *damage, uint64_t stream)
{
    size_t width = plane->width, height = plane->height;
    for (size_t y = height - reach; width > 2 * reach && y-- > reach;)
        for (size_t x = width - reach; x-- > reach;) {
            uint64_t place = y * width + x;
            double span = (double)reach;
            int64_t right = (int64_t)floor(pg_damage_uniform(damage, stream, 2 * place, -span, span));
            int64_t down = (int64_t)floor(pg_damage_uniform(damage, stream, 2 * place + 1, -span, span));
            int64_t other = ((int64_t)y + down) * (int64_t)width + (int64_t)x + right;
            swap_pixels(plane->values + 3 * place, plane->values + 3 * other);
        }
}

/* Deviation of the blur before and after, reach of the changes, and how often. */
pg_status pg_blur_glass(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][3] = {{0.7, 1, 2}, {0.9, 2, 1}, {1, 2, 3}, {1.1, 3, 2}, {1.5, 4, 2}};
    const double *p = parameters[damage->severity];
    size_t reach = (size_t)fmax(1, round(p[1] * damage->unit));
    PG_TRY(pg_plane_blur(plane, p[0] * damage->unit));
    for (int i = 0; i < (int)p[2] && plane->height > 2 * reach; i++)
        shuffle_pixels(plane, reach, damage, (uint64_t)i);
    return pg_plane_blur(plane, p[0] * damage->unit);
}

/* ---------------------------------------------------------------- movement */

/* out += weight * the picture, moved by whole pixels. */
static void add_moved(pg_plane *out, const pg_plane *plane, int64_t right, int64_t down, float weight)
{
    size_t channels = plane->channels, row = plane->width * channels;
    for (size_t y = 0; y < plane->height; y++) {
        const float *from = plane->values + pg_mirror((int64_t)y + down, plane->height) * row;
        float *to = out->values + y * row;
        for (size_t x = 0; x < plane->width; x++) {
            int64_t place = (int64_t)x + right;
            const float *pixel = from + channels * pg_mirror(place, plane->width);
            for (size_t c = 0; c < channels; c++)
                to[x * channels + c] += weight * pixel[c];
        }
    }
}

pg_status pg_plane_smear(pg_plane *plane, double radius, double deviation, double angle)
{
    pg_plane sum;
    int64_t count = 2 * (int64_t)ceil(radius) + 1;
    double total = 0;
    PG_TRY(pg_plane_new(&sum, plane->width, plane->height, plane->channels));
    for (int64_t i = 0; i < count; i++)
        total += exp(-(double)(i * i) / (2 * deviation * deviation));
    for (int64_t i = 0; i < count; i++)
        add_moved(&sum, plane, (int64_t)floor((double)i * cos(angle) + 0.5),
                  (int64_t)floor((double)i * sin(angle) + 0.5),
                  (float)(exp(-(double)(i * i) / (2 * deviation * deviation)) / total));
    pg_plane_free(plane);
    *plane = sum;
    return PG_OK;
}

pg_status pg_blur_motion(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][2] = {{10, 3}, {15, 5}, {15, 8}, {15, 12}, {20, 15}};
    const double *p = parameters[damage->severity];
    double angle = pg_damage_uniform(damage, 0, 0, -PI / 4, PI / 4);
    return pg_plane_smear(plane, p[0] * damage->unit, p[1] * damage->unit, angle);
}

/* ---------------------------------------------------------------- zoom */

pg_status pg_plane_zoom(pg_plane *out, const pg_plane *plane, double factor)
{
    double across = ((double)plane->width - 1) / 2, down = ((double)plane->height - 1) / 2;
    PG_TRY(pg_plane_new(out, plane->width, plane->height, plane->channels));
    for (size_t i = 0; i < plane->width * plane->height * plane->channels; i++) {
        size_t column = i / plane->channels % plane->width, row = i / plane->channels / plane->width;
        double x = (double)column, y = (double)row;
        out->values[i] =
            pg_plane_at(plane, (x - across) / factor + across, (y - down) / factor + down, i % plane->channels);
    }
    return PG_OK;
}

/* The mean of the picture and its enlargements, step by step up to a last one. */
pg_status pg_blur_zoom(pg_plane *plane, const pg_damage *damage)
{
    static const struct {
        int count;
        double step;
    } zooms[] = {{11, 0.01}, {16, 0.01}, {11, 0.02}, {13, 0.02}, {11, 0.03}};
    size_t count = plane->width * plane->height * plane->channels;
    int zoom_count = zooms[damage->severity].count;
    pg_plane sum, larger;
    PG_TRY(pg_plane_copy(&sum, plane));
    pg_status status = PG_OK;
    for (int i = 0; i < zoom_count && status == PG_OK; i++) {
        status = pg_plane_zoom(&larger, plane, 1 + i * zooms[damage->severity].step);
        for (size_t k = 0; status == PG_OK && k < count; k++)
            sum.values[k] += larger.values[k];
        pg_plane_free(&larger);
    }
    for (size_t k = 0; k < count; k++)
        plane->values[k] = sum.values[k] / (float)(zoom_count + 1);
    pg_plane_free(&sum);
    return status;
}

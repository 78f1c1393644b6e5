/*
 * Standard corruptions: those of ImageNet-C (Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to
 * Common Corruptions and Perturbations"), with its parameters for each of five severities, and rotation. Its pictures
 * are 224 x 224: lengths are given in its pixels and scaled by the shorter side. Where the original takes photos of
 * ice, frost is drawn; where it calls libraries for blurs, blurs of the same width stand in.
 */
#include "image/corrupt.h"

#include <math.h>

#include "base/buffer.h"
#include "base/random.h"

#define ORIGINAL_SIDE 224
#define PI            3.14159265358979323846

double pg_damage_uniform(const pg_damage *damage, uint64_t stream, uint64_t counter, double low, double high)
{
    return low + (high - low) * pg_random_uniform(damage->seed, damage->stream + stream, counter);
}

double pg_damage_normal(const pg_damage *damage, uint64_t stream, uint64_t counter)
{
    double first = pg_random_uniform(damage->seed, damage->stream + stream, 2 * counter);
    double second = pg_random_uniform(damage->seed, damage->stream + stream, 2 * counter + 1);
    return sqrt(-2 * log(1 - first)) * cos(2 * PI * second);
}

static size_t value_count(const pg_plane *plane)
{
    return plane->width * plane->height * plane->channels;
}

/* ---------------------------------------------------------------- noise */

static pg_status add_gaussian_noise(pg_plane *plane, const pg_damage *damage)
{
    static const double deviations[] = {0.08, 0.12, 0.18, 0.26, 0.38};
    for (size_t i = 0; i < value_count(plane); i++)
        plane->values[i] += (float)(deviations[damage->severity] * pg_damage_normal(damage, 0, i));
    return PG_OK;
}

/* The count of a Poisson distribution below which a share of `uniform` lies. */
static double draw_poisson(double mean, double uniform)
{
    double count = 0, share = exp(-mean), below = share;
    while (uniform >= below && share > 0) {
        share *= mean / ++count;
        below += share;
    }
    return count;
}

/* Light that comes in few portions. */
static pg_status add_shot_noise(pg_plane *plane, const pg_damage *damage)
{
    static const double portions[] = {60, 25, 12, 5, 3};
    double most = portions[damage->severity];
    for (size_t i = 0; i < value_count(plane); i++)
        plane->values[i] =
            (float)(draw_poisson((double)plane->values[i] * most, pg_damage_uniform(damage, 0, i, 0, 1)) / most);
    return PG_OK;
}

/* Values that are all or nothing. */
static pg_status add_impulse_noise(pg_plane *plane, const pg_damage *damage)
{
    static const double shares[] = {0.03, 0.06, 0.09, 0.17, 0.27};
    for (size_t i = 0; i < value_count(plane); i++) {
        double draw = pg_damage_uniform(damage, 0, i, 0, 1), share = shares[damage->severity];
        if (draw < share)
            plane->values[i] = draw < share / 2 ? 0 : 1;
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- digital */

/* The value of HSV, the largest channel, grows; hue and saturation stay. */
static pg_status brighten(pg_plane *plane, const pg_damage *damage)
{
    float more = 0.1f * (float)(damage->severity + 1);
    for (float *pixel = plane->values; pixel < plane->values + value_count(plane); pixel += 3) {
        float value = fmaxf(pixel[0], fmaxf(pixel[1], pixel[2])), brighter = fminf(value + more, 1);
        for (int c = 0; c < 3; c++)
            pixel[c] = value > 0 ? pixel[c] * (brighter / value) : brighter;
    }
    return PG_OK;
}

static pg_status lower_contrast(pg_plane *plane, const pg_damage *damage)
{
    static const double factors[] = {0.4, 0.3, 0.2, 0.1, 0.05};
    double mean[3] = {0}, factor = factors[damage->severity];
    size_t count = value_count(plane), pixels = count / 3;
    for (size_t i = 0; i < count; i++)
        mean[i % 3] += (double)plane->values[i] / (double)pixels;
    for (size_t i = 0; i < count; i++)
        plane->values[i] = (float)(((double)plane->values[i] - mean[i % 3]) * factor + mean[i % 3]);
    return PG_OK;
}

/* The mean of the pixels, with parts of them, in a rectangle. */
static double box_mean(const pg_plane *plane, const double box[4], size_t channel)
{
    double sum = 0;
    for (size_t y = (size_t)box[1]; y < plane->height && (double)y < box[3]; y++) {
        double rows = fmin(box[3], (double)y + 1) - fmax(box[1], (double)y);
        for (size_t x = (size_t)box[0]; x < plane->width && (double)x < box[2]; x++) {
            double columns = fmin(box[2], (double)x + 1) - fmax(box[0], (double)x);
            sum += (double)plane->values[(y * plane->width + x) * plane->channels + channel] * rows * columns;
        }
    }
    return sum / ((box[2] - box[0]) * (box[3] - box[1]));
}

/* Fewer pixels, each the mean of what it stands for, and large ones again. */
static pg_status pixelate(pg_plane *plane, const pg_damage *damage)
{
    static const double shares[] = {0.6, 0.5, 0.4, 0.3, 0.25};
    pg_plane small;
    double share = shares[damage->severity];
    size_t width = (size_t)fmax(1, (double)plane->width * share),
           height = (size_t)fmax(1, (double)plane->height * share);
    double across = (double)plane->width / (double)width, down = (double)plane->height / (double)height;
    PG_TRY(pg_plane_new(&small, width, height, 3));
    for (size_t i = 0; i < value_count(&small); i++) {
        size_t column = i / 3 % width, row = i / 3 / width;
        double x = (double)column, y = (double)row;
        small.values[i] =
            (float)box_mean(plane, (double[]){x * across, y * down, (x + 1) * across, (y + 1) * down}, i % 3);
    }
    for (size_t i = 0; i < value_count(plane); i++) {
        size_t x = (2 * (i / 3 % plane->width) + 1) * width / (2 * plane->width);
        size_t y = (2 * (i / 3 / plane->width) + 1) * height / (2 * plane->height);
        plane->values[i] = small.values[(y * width + x) * 3 + i % 3];
    }
    pg_plane_free(&small);
    return PG_OK;
}

static pg_status replace_plane(pg_plane *plane, const pg_image *image)
{
    pg_plane_free(plane);
    return pg_plane_from_image(plane, image);
}

static pg_status compress(pg_plane *plane, const pg_damage *damage)
{
    static const int qualities[] = {25, 18, 15, 10, 7};
    pg_image *image = NULL, *read = NULL;
    pg_buffer file = {0};
    pg_status status;
    PG_TRY_GOTO(pg_plane_to_image(&image, plane));
    PG_TRY_GOTO(pg_jpeg_encode(&file, image, qualities[damage->severity], false));
    PG_TRY_GOTO(pg_image_decode(&read, file.data, file.size, "compressed picture", NULL));
    status = replace_plane(plane, read);
done:
    pg_image_free(image);
    pg_image_free(read);
    pg_buffer_free(&file);
    return status;
}

/* ---------------------------------------------------------------- places */

/* Where each pixel of the result is taken from: x = m[0] x + m[1] y + m[2], and y alike with m[3 .. 5]. */
typedef struct affine {
    double m[6];
} affine;

/* The map that takes three points to three others (Cramer's rule). */
static affine affine_through(const double from[3][2], const double to[3][2])
{
    double ax = from[1][0] - from[0][0], ay = from[1][1] - from[0][1];
    double bx = from[2][0] - from[0][0], by = from[2][1] - from[0][1], area = ax * by - bx * ay;
    affine map;
    for (int i = 0; i < 2; i++) {
        double a = to[1][i] - to[0][i], b = to[2][i] - to[0][i];
        map.m[3 * i] = (a * by - b * ay) / area;
        map.m[3 * i + 1] = (b * ax - a * bx) / area;
        map.m[3 * i + 2] = to[0][i] - map.m[3 * i] * from[0][0] - map.m[3 * i + 1] * from[0][1];
    }
    return map;
}

/* Three points around the middle, and where chance moves them: the paper moves points to others, this is the way back.
 */
static affine draw_affine(const pg_plane *plane, double reach, const pg_damage *damage)
{
    double x = (double)plane->width / 2, y = (double)plane->height / 2, third = fmin(x, y) * 2 / 3;
    const double from[3][2] = {{x + third, y + third}, {x + third, y - third}, {x - third, y - third}};
    double to[3][2];
    for (int i = 0; i < 6; i++)
        to[i / 2][i % 2] = from[i / 2][i % 2] + pg_damage_uniform(damage, 2, (uint64_t)i, -reach, reach);
    return affine_through(to, from);
}

/* A field of shifts, smooth over `deviation` pixels. */
static pg_status draw_shifts(pg_plane *out, const pg_plane *plane, double height, double deviation,
                             const pg_damage *damage, uint64_t stream)
{
    PG_TRY(pg_plane_new(out, plane->width, plane->height, 1));
    for (size_t i = 0; i < value_count(out); i++)
        out->values[i] = (float)pg_damage_uniform(damage, stream, i, -1, 1);
    PG_TRY(pg_plane_blur(out, deviation));
    for (size_t i = 0; i < value_count(out); i++)
        out->values[i] *= (float)height;
    return PG_OK;
}

static void move_pixels(pg_plane *out, const pg_plane *plane, const affine *map, const pg_plane *right,
                        const pg_plane *down)
{
    for (size_t i = 0; i < value_count(out); i++) {
        size_t column = i / 3 % plane->width, row = i / 3 / plane->width;
        double x = (double)column + (double)right->values[i / 3], y = (double)row + (double)down->values[i / 3];
        out->values[i] = pg_plane_at(plane, map->m[0] * x + map->m[1] * y + map->m[2],
                                     map->m[3] * x + map->m[4] * y + map->m[5], i % 3);
    }
}

/* Height of the shifts, their smoothness, and reach of the affine change. The paper's code counts 244 pixels. */
static pg_status stretch(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][3] = {
        {2, 0.7, 0.1}, {2, 0.08, 0.2}, {0.05, 0.01, 0.02}, {0.07, 0.01, 0.02}, {0.12, 0.01, 0.02}};
    const double *p = parameters[damage->severity];
    double side = 244 * damage->unit;
    pg_plane before = {0}, right = {0}, down = {0};
    affine map = draw_affine(plane, p[2] * side, damage);
    pg_status status;
    PG_TRY_GOTO(pg_plane_copy(&before, plane));
    PG_TRY_GOTO(draw_shifts(&right, plane, p[0] * side, p[1] * side, damage, 0));
    PG_TRY_GOTO(draw_shifts(&down, plane, p[0] * side, p[1] * side, damage, 1));
    move_pixels(plane, &before, &map, &right, &down);
done:
    pg_plane_free(&before);
    pg_plane_free(&right);
    pg_plane_free(&down);
    return status;
}

/* About the middle, one way or the other; corners that nothing comes to are black. */
static pg_status turn(pg_plane *plane, const pg_damage *damage)
{
    static const double degrees[] = {10, 20, 30, 45, 60};
    double angle = degrees[damage->severity] * PI / 180 * (pg_damage_uniform(damage, 0, 0, -1, 1) < 0 ? -1 : 1);
    double across = ((double)plane->width - 1) / 2, down = ((double)plane->height - 1) / 2;
    pg_plane before;
    PG_TRY(pg_plane_copy(&before, plane));
    for (size_t i = 0; i < value_count(plane); i++) {
        size_t column = i / 3 % plane->width, row = i / 3 / plane->width;
        double x = (double)column - across, y = (double)row - down;
        double from_x = x * cos(angle) + y * sin(angle), from_y = y * cos(angle) - x * sin(angle);
        bool inside = fabs(from_x) <= across + 0.5 && fabs(from_y) <= down + 0.5;
        plane->values[i] = inside ? pg_plane_at(&before, from_x + across, from_y + down, i % 3) : 0;
    }
    pg_plane_free(&before);
    return PG_OK;
}

/* ---------------------------------------------------------------- all of them */

static const struct corruption {
    const char *name, *family;
    pg_corrupter *corrupt;
} corruptions[] = {
    [PG_CORRUPT_GAUSSIAN_NOISE] = {"gaussian-noise", "noise", add_gaussian_noise},
    [PG_CORRUPT_SHOT_NOISE] = {"shot-noise", "noise", add_shot_noise},
    [PG_CORRUPT_IMPULSE_NOISE] = {"impulse-noise", "noise", add_impulse_noise},
    [PG_CORRUPT_DEFOCUS_BLUR] = {"defocus-blur", "blur", pg_blur_defocus},
    [PG_CORRUPT_GLASS_BLUR] = {"glass-blur", "blur", pg_blur_glass},
    [PG_CORRUPT_MOTION_BLUR] = {"motion-blur", "blur", pg_blur_motion},
    [PG_CORRUPT_ZOOM_BLUR] = {"zoom-blur", "blur", pg_blur_zoom},
    [PG_CORRUPT_SNOW] = {"snow", "weather", pg_weather_snow},
    [PG_CORRUPT_FROST] = {"frost", "weather", pg_weather_frost},
    [PG_CORRUPT_FOG] = {"fog", "weather", pg_weather_fog},
    [PG_CORRUPT_BRIGHTNESS] = {"brightness", "weather", brighten},
    [PG_CORRUPT_CONTRAST] = {"contrast", "digital", lower_contrast},
    [PG_CORRUPT_ELASTIC] = {"elastic", "digital", stretch},
    [PG_CORRUPT_PIXELATE] = {"pixelate", "digital", pixelate},
    [PG_CORRUPT_JPEG] = {"jpeg", "digital", compress},
    [PG_CORRUPT_ROTATION] = {"rotation", "rotation", turn},
};
_Static_assert(sizeof corruptions / sizeof *corruptions == PG_CORRUPTIONS, "one entry for each");

const char *pg_corruption_name(pg_corruption kind)
{
    return (size_t)kind < PG_CORRUPTIONS ? corruptions[kind].name : NULL;
}

const char *pg_corruption_family(pg_corruption kind)
{
    return (size_t)kind < PG_CORRUPTIONS ? corruptions[kind].family : NULL;
}

pg_status pg_image_corrupt(pg_image **out, const pg_image *image, pg_corruption kind, int severity, uint64_t seed)
{
    *out = NULL;
    if ((size_t)kind >= PG_CORRUPTIONS)
        return pg_fail(PG_ERROR_ARGUMENT, "there is no corruption %d, expected 0 to %d", (int)kind, PG_CORRUPTIONS - 1);
    if (severity < 1 || severity > PG_SEVERITIES)
        return pg_fail(PG_ERROR_ARGUMENT, "severity: %d, expected 1 to %d", severity, PG_SEVERITIES);
    size_t side = image->width < image->height ? image->width : image->height;
    pg_damage damage = {severity - 1, (double)side / ORIGINAL_SIDE, seed,
                        ((uint64_t)kind * PG_SEVERITIES + (uint64_t)severity) << 8};
    pg_plane plane = {0};
    pg_status status;
    PG_TRY_GOTO(pg_plane_from_image(&plane, image));
    PG_TRY_GOTO(corruptions[kind].corrupt(&plane, &damage));
    status = pg_plane_to_image(out, &plane);
done:
    pg_plane_free(&plane);
    return status;
}

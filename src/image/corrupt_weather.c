/* Weather: snow, frost and fog. */
#include <math.h>

#include "image/corrupt.h"

#define PI 3.14159265358979323846

/* ---------------------------------------------------------------- snow */

/* A picture in grey of a normal distribution. */
static pg_status draw_specks(pg_plane *out, const pg_plane *like, double mean, double deviation,
                             const pg_damage *damage, uint64_t stream)
{
    PG_TRY(pg_plane_new(out, like->width, like->height, 1));
    for (size_t i = 0; i < like->width * like->height; i++)
        out->values[i] = (float)(mean + deviation * pg_damage_normal(damage, stream, i));
    return PG_OK;
}

/* What is below the threshold becomes 0, and what is above 1 becomes 1. */
static void keep_bright(const pg_plane *plane, float threshold)
{
    for (size_t i = 0; i < plane->width * plane->height; i++)
        plane->values[i] = plane->values[i] < threshold ? 0 : fminf(plane->values[i], 1);
}

/* Flakes: specks, enlarged, of which the bright ones fall. */
static pg_status draw_flakes(pg_plane *out, const pg_plane *like, const double p[7], const pg_damage *damage)
{
    pg_plane specks;
    double angle = pg_damage_uniform(damage, 1, 0, -3 * PI / 4, -PI / 4);
    PG_TRY(draw_specks(&specks, like, p[0], p[1], damage, 0));
    pg_status status = pg_plane_zoom(out, &specks, fmax(1, p[2] * damage->unit));
    pg_plane_free(&specks);
    PG_TRY(status);
    keep_bright(out, (float)p[3]);
    return pg_plane_smear(out, p[4] * damage->unit, p[5] * damage->unit, angle);
}

/* The ground is whitened as well; the flakes lie on it, and once more turned around. */
static void lay_snow(const pg_plane *plane, const pg_plane *flakes, float share)
{
    size_t count = plane->width * plane->height;
    for (size_t i = 0; i < count; i++) {
        float *pixel = plane->values + 3 * i;
        float grey = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
        for (int c = 0; c < 3; c++)
            pixel[c] = share * pixel[c] + (1 - share) * fmaxf(pixel[c], 1.5f * grey + 0.5f) + flakes->values[i] +
                       flakes->values[count - 1 - i];
    }
}

/* Mean and deviation of the specks, enlargement, threshold, radius and deviation of the fall, share of the picture. */
pg_status pg_weather_snow(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][7] = {{0.1, 0.3, 3, 0.5, 10, 4, 0.8},
                                           {0.2, 0.3, 2, 0.5, 12, 4, 0.7},
                                           {0.55, 0.3, 4, 0.9, 12, 8, 0.7},
                                           {0.55, 0.3, 4.5, 0.85, 12, 8, 0.65},
                                           {0.55, 0.3, 2.5, 0.85, 12, 12, 0.55}};
    const double *p = parameters[damage->severity];
    pg_plane flakes = {0};
    pg_status status = draw_flakes(&flakes, plane, p, damage);
    if (status == PG_OK)
        lay_snow(plane, &flakes, (float)p[6]);
    pg_plane_free(&flakes);
    return status;
}

/* ---------------------------------------------------------------- clouds */

/* A map in the making: heights at every `step`-th place of a square that repeats itself. */
typedef struct clouds {
    pg_plane map;
    size_t step;
    double wobble; /* of the middle between heights */
    const pg_damage *damage;
    uint64_t drawn;
} clouds;

static float *height_at(const clouds *c, size_t x, size_t y)
{
    size_t side = c->map.width;
    return c->map.values + y % side * side + x % side;
}

/* Sets a place to the mean of four others, and a random rest. */
static void set_middle(clouds *c, size_t x, size_t y, const size_t around[4][2])
{
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (double)*height_at(c, around[i][0], around[i][1]);
    *height_at(c, x, y) = (float)(sum / 4 + pg_damage_uniform(c->damage, 3, c->drawn++, -c->wobble, c->wobble));
}

/* The middles of the squares, then those of the diamonds that these make. */
static void refine(clouds *c)
{
    size_t side = c->map.width, s = c->step, h = s / 2;
    for (size_t y = 0; y < side; y += s)
        for (size_t x = 0; x < side; x += s)
            set_middle(c, x + h, y + h, (const size_t[][2]){{x, y}, {x + s, y}, {x, y + s}, {x + s, y + s}});
    for (size_t y = 0; y < side; y += s)
        for (size_t x = 0; x < side; x += s) {
            size_t up = y + side - h, left = x + side - h;
            set_middle(c, x + h, y, (const size_t[][2]){{x, y}, {x + s, y}, {x + h, up}, {x + h, y + h}});
            set_middle(c, x, y + h, (const size_t[][2]){{x, y}, {x, y + s}, {left, y + h}, {x + h, y + h}});
        }
}

static void stretch_heights(const pg_plane *map)
{
    float low = map->values[0], high = low;
    size_t count = map->width * map->height;
    for (size_t i = 0; i < count; i++) {
        low = fminf(low, map->values[i]);
        high = fmaxf(high, map->values[i]);
    }
    for (size_t i = 0; i < count; i++)
        map->values[i] = high > low ? (map->values[i] - low) / (high - low) : 0;
}

/* Plasma: a fractal of heights 0 .. 1, whose detail falls off by decay^2 with each halving (diamond-square). */
static pg_status draw_clouds(pg_plane *out, const pg_plane *like, double decay, const pg_damage *damage)
{
    size_t longest = like->width > like->height ? like->width : like->height, side = 2;
    while (side < longest)
        side *= 2;
    clouds c = {.step = side, .wobble = 1, .damage = damage};
    PG_TRY(pg_plane_new(&c.map, side, side, 1));
    for (; c.step >= 2; c.step /= 2, c.wobble /= decay * decay)
        refine(&c);
    stretch_heights(&c.map);
    *out = c.map;
    return PG_OK;
}

/* Thickness of the fog, and how smooth it is. */
pg_status pg_weather_fog(pg_plane *plane, const pg_damage *damage)
{
    static const double parameters[][2] = {{1.5, 2}, {2, 2}, {2.5, 1.7}, {2.5, 1.5}, {3, 1.4}};
    const double *p = parameters[damage->severity];
    size_t count = plane->width * plane->height * 3;
    pg_plane map;
    float brightest = 0, thickness = (float)p[0];
    PG_TRY(draw_clouds(&map, plane, p[1], damage));
    for (size_t i = 0; i < count; i++)
        brightest = fmaxf(brightest, plane->values[i]);
    for (size_t i = 0; i < count; i++) {
        float fog = map.values[i / 3 / plane->width * map.width + i / 3 % plane->width];
        plane->values[i] = (plane->values[i] + thickness * fog) * brightest / (brightest + thickness);
    }
    pg_plane_free(&map);
    return PG_OK;
}

/* ---------------------------------------------------------------- frost */

/* Needles of ice in one direction: sparse specks, smeared both ways. */
static pg_status draw_needles(pg_plane *ice, const pg_plane *like, double angle, const pg_damage *damage,
                              uint64_t stream)
{
    pg_plane needles;
    PG_TRY(draw_specks(&needles, like, 0, 1, damage, stream));
    keep_bright(&needles, 2);
    pg_status status = pg_plane_smear(&needles, 12 * damage->unit, 9 * damage->unit, angle);
    if (status == PG_OK)
        status = pg_plane_smear(&needles, 12 * damage->unit, 9 * damage->unit, angle + PI);
    for (size_t i = 0; status == PG_OK && i < like->width * like->height; i++)
        ice->values[i] = fmaxf(ice->values[i], needles.values[i]);
    pg_plane_free(&needles);
    return status;
}

/* Ice as it grows on a pane: needles in the three directions of its crystals, most of them where a cloud is thick. */
static pg_status draw_ice(pg_plane *ice, const pg_plane *like, const pg_damage *damage)
{
    double first = pg_damage_uniform(damage, 4, 0, 0, PI / 3);
    pg_plane film;
    PG_TRY(pg_plane_new(ice, like->width, like->height, 1));
    for (int i = 0; i < 3; i++)
        PG_TRY(draw_needles(ice, like, first + i * PI / 3, damage, (uint64_t)(5 + i)));
    stretch_heights(ice);
    PG_TRY(draw_clouds(&film, like, 1.5, damage));
    for (size_t i = 0; i < ice->width * ice->height; i++) {
        float thick = film.values[i / ice->width * film.width + i % ice->width];
        ice->values[i] = fminf(1, 0.5f * thick + (0.2f + 0.8f * thick) * sqrtf(ice->values[i]));
    }
    pg_plane_free(&film);
    return PG_OK;
}

/* Shares of the picture and of the ice, which is bluish white. */
pg_status pg_weather_frost(pg_plane *plane, const pg_damage *damage)
{
    static const float shares[][2] = {{1, 0.4f}, {0.8f, 0.6f}, {0.7f, 0.7f}, {0.65f, 0.7f}, {0.6f, 0.75f}};
    static const float colour[] = {0.85f, 0.93f, 1};
    const float *share = shares[damage->severity];
    pg_plane ice = {0};
    pg_status status = draw_ice(&ice, plane, damage);
    for (size_t i = 0; status == PG_OK && i < plane->width * plane->height * 3; i++)
        plane->values[i] = share[0] * plane->values[i] + share[1] * colour[i % 3] * ice.values[i / 3];
    pg_plane_free(&ice);
    return status;
}

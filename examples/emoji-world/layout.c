/*
 * Where things are. Positions are drawn anew until every object can be seen well, judged on a small picture of fixed
 * size, so that a scene is the same at every size. If they do not fit, they shrink.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { GRID = 96, TRIES = 24 };
static const double visible = 0.66; /* of every object; at another size the share may be a little less than this */
static const double apart = 0.045;  /* middles, so that left and right can be told */

/* Sizes by the number of objects. */
static const double sizes[EW_OBJECTS + 1][2] = {
    {0, 0}, {0.28, 0.50}, {0.24, 0.42}, {0.22, 0.36}, {0.20, 0.32}, {0.19, 0.30},
};

/* Half of the box around an object. */
static void half_box(double *x, double *y, const ew_scene *scene, const ew_object *object)
{
    bool sign = object->thing == EW_SIGN;
    double width = object->size * (sign ? 1 : ew_glyph_width(object->thing)) / 2;
    double height = object->size * (sign ? scene->sign.aspect : ew_glyph_height(object->thing)) / 2;
    *x = width * cos(object->angle) + height * fabs(sin(object->angle));
    *y = height * cos(object->angle) + width * fabs(sin(object->angle));
}

static void place_object(ew_scene *scene, ew_object *object, ew_chance *chance, double shrink)
{
    bool sign = object->thing == EW_SIGN;
    double half_x, half_y;
    object->size = fmax(ew_between(chance, sizes[scene->count][0], sizes[scene->count][1]) * shrink, 0.18);
    object->angle = ew_between(chance, -1, 1) * (sign ? 0.14 : 0.35);
    object->mirrored = !sign && ew_happens(chance, 0.5);
    if (sign) /* letters must be large enough to be read */
        object->size = fmax(0.34, 0.065 * (double)strlen(scene->sign.lines[0])) + ew_between(chance, 0, 0.12);
    half_box(&half_x, &half_y, scene, object);
    double low = ew_between(chance, 0, 1), other = ew_between(chance, 0, 1);
    object->x = ew_between(chance, half_x + 0.01, 0.99 - half_x);
    object->y = half_y + 0.01 + (0.98 - 2 * half_y) * (0.5 * low + 0.5 * fmax(low, other)); /* rather low */
}

/* What is lower is nearer, and hides what is behind. */
static int compare_depth(const void *a, const void *b)
{
    const ew_object *left = a, *right = b;
    double difference = left->y + left->size / 2 - right->y - right->size / 2;
    return (difference > 0) - (difference < 0);
}

/* A quick look before objects are painted: whether two boxes share more than half of the smaller. */
static bool is_crowded(const ew_scene *scene)
{
    for (int i = 0; i < scene->count; i++)
        for (int j = 0; j < i; j++) {
            const ew_object *a = &scene->objects[i], *b = &scene->objects[j];
            double ax, ay, bx, by;
            half_box(&ax, &ay, scene, a);
            half_box(&bx, &by, scene, b);
            double width = fmin(a->x + ax, b->x + bx) - fmax(a->x - ax, b->x - bx);
            double height = fmin(a->y + ay, b->y + by) - fmax(a->y - ay, b->y - by);
            if (width > 0 && height > 0 && width * height > 0.5 * 4 * fmin(ax * ay, bx * by))
                return true;
        }
    return false;
}

static double middle(const ew_outline *outline, int object)
{
    return (outline->boxes[object][0] + outline->boxes[object][2]) / 2.0 / outline->size;
}

static void sort_from_left(ew_scene *scene, const ew_outline *outline)
{
    for (int i = 0; i < scene->count; i++) {
        int at = i;
        while (at > 0 && middle(outline, scene->order[at - 1]) > middle(outline, i)) {
            scene->order[at] = scene->order[at - 1];
            at--;
        }
        scene->order[at] = i;
    }
}

/* Signs are never covered: each letter counts. */
static bool is_clear(ew_scene *scene, ew_outline *outline)
{
    ew_trace(outline, scene);
    for (int i = 0; i < scene->count; i++) {
        bool sign = scene->objects[i].thing == EW_SIGN;
        if (outline->shares[i] < (sign ? 0.999 : visible))
            return false;
    }
    sort_from_left(scene, outline);
    for (int i = 1; i < scene->count; i++)
        if (middle(outline, scene->order[i]) - middle(outline, scene->order[i - 1]) < apart)
            return false;
    return true;
}

static bool try_positions(ew_scene *scene, ew_outline *outline, ew_chance *chance, double shrink)
{
    for (int i = 0; i < scene->count; i++)
        place_object(scene, &scene->objects[i], chance, shrink);
    qsort(scene->objects, (size_t)scene->count, sizeof *scene->objects, compare_depth);
    return !is_crowded(scene) && is_clear(scene, outline);
}

static void place_large_sign(ew_scene *scene, ew_chance *chance)
{
    ew_object *sign = &scene->objects[0];
    double half_x, half_y;
    sign->size = ew_between(chance, 0.6, 0.95);
    sign->angle = ew_between(chance, -0.12, 0.12);
    half_box(&half_x, &half_y, scene, sign);
    double fit = fmin(fmin(1, 0.49 / half_x), 0.49 / half_y);
    sign->size *= fit;
    sign->x = 0.5 + ew_between(chance, -1, 1) * (0.495 - half_x * fit);
    sign->y = 0.5 + ew_between(chance, -1, 1) * (0.495 - half_y * fit);
}

void ew_arrange(ew_scene *scene, ew_chance *chance, bool large)
{
    if (large) {
        place_large_sign(scene, chance);
        return;
    }
    ew_outline outline;
    ew_outline_init(&outline, GRID);
    bool placed = false;
    for (double shrink = 1; !placed; shrink *= 0.93)
        for (int i = 0; i < TRIES && !placed; i++)
            placed = try_positions(scene, &outline, chance, shrink);
    ew_outline_free(&outline);
}

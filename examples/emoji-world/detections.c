/* Boxes as text, in the form that PaliGemma answers with: four <loc> tokens, y before x, in 1024 steps, and a name. */
#include <math.h>

#include "world.h"

static int location(int at, int size)
{
    return (int)rintf(1023.0f * ((float)at / (float)size));
}

/* The objects of a thing, from left to right, behind what is already in the answer. */
static void append_boxes(char *answer, const ew_scene *scene, const ew_outline *outline, int thing)
{
    for (int i = 0; i < scene->count; i++) {
        int object = scene->order[i];
        const int *box = outline->boxes[object];
        if (scene->objects[object].thing != thing)
            continue;
        ew_append(answer, "%s<loc%04d><loc%04d><loc%04d><loc%04d> %s", *answer ? " ; " : "",
                  location(box[1], outline->size), location(box[0], outline->size), location(box[3], outline->size),
                  location(box[2], outline->size), ew_name(thing, EW_ENGLISH));
    }
}

static void detect(char *prefix, char *answer, const ew_scene *scene, const ew_outline *outline, const int *things,
                   int count)
{
    prefix[0] = answer[0] = 0;
    for (int i = 0; i < count; i++) {
        ew_append(prefix, "%s %s", i ? " ;" : "detect", ew_name(things[i], EW_ENGLISH));
        append_boxes(answer, scene, outline, things[i]);
    }
}

void ew_detection(char prefix[EW_TEXT], char answer[EW_TEXT], const ew_scene *scene, const ew_outline *outline,
                  ew_chance *chance)
{
    int things[EW_OBJECTS], count = ew_list_things(things, scene);
    for (int i = count - 1; i > 0; i--) {
        int other = ew_below(chance, i + 1), kept = things[i];
        things[i] = things[other];
        things[other] = kept;
    }
    detect(prefix, answer, scene, outline, things, count);
}

void ew_detection_of_one(char prefix[EW_TEXT], char answer[EW_TEXT], const ew_scene *scene, const ew_outline *outline,
                         ew_chance *chance)
{
    int things[EW_OBJECTS], count = ew_list_things(things, scene);
    int thing = things[ew_below(chance, count)];
    detect(prefix, answer, scene, outline, &thing, 1);
}

/* What is in a scene. The composition is drawn from a table, so that every answer to "how many" is frequent enough. */
#include <string.h>

#include "world.h"

/* How many there are of each thing of a scene, and how often such scenes are. */
static const struct composition {
    int counts[4];
    double share;
} compositions[] = {
    {{1}, 0.25},    {{2}, 0.11},    {{3}, 0.08},       {{4}, 0.09},       {{1, 1}, 0.16},       {{1, 2}, 0.06},
    {{2, 2}, 0.03}, {{1, 3}, 0.04}, {{1, 1, 1}, 0.11}, {{1, 1, 2}, 0.03}, {{1, 1, 1, 1}, 0.04},
};
enum { COMPOSITIONS = sizeof compositions / sizeof *compositions };
static const double large_signs = 0.11, small_signs = 0.12, large_among_signs = 0.5;

static const struct composition *choose_composition(ew_chance *chance)
{
    double at = ew_between(chance, 0, 1);
    int i = 0;
    while (i + 1 < COMPOSITIONS && at >= compositions[i].share)
        at -= compositions[i++].share;
    return &compositions[i];
}

int ew_count(const ew_scene *scene, int thing)
{
    int count = 0;
    for (int i = 0; i < scene->count; i++)
        count += scene->objects[i].thing == thing;
    return count;
}

int ew_list_things(int out[EW_OBJECTS], const ew_scene *scene)
{
    int count = 0;
    for (int i = 0; i < scene->count; i++) {
        int thing = scene->objects[scene->order[i]].thing;
        bool known = false;
        for (int j = 0; j < count; j++)
            known = known || out[j] == thing;
        if (!known)
            out[count++] = thing;
    }
    return count;
}

/* A thing that is not there yet and may be in this place: of the unseen pairs in that split, of the others elsewhere.
 */
static int choose_thing(const ew_scene *scene, ew_chance *chance)
{
    for (;;) {
        int thing = ew_below(chance, EW_THINGS);
        if (ew_count(scene, thing) == 0 && ew_is_unseen_pair(thing, scene->place) == (scene->split == EW_UNSEEN))
            return thing;
    }
}

static void add_things(ew_scene *scene, ew_chance *chance)
{
    const struct composition *composition = choose_composition(chance);
    for (int i = 0; i < 4 && composition->counts[i]; i++) {
        int thing = choose_thing(scene, chance);
        for (int j = 0; j < composition->counts[i]; j++)
            scene->objects[scene->count++] = (ew_object){.thing = thing};
    }
}

/* large_share, small_share: how often there is a sign that fills the picture, and in other scenes, one beside the
 * things. */
static void make_scene(ew_scene *out, uint64_t seed, ew_split split, uint64_t number, double large_share,
                       double small_share)
{
    *out = (ew_scene){.split = split, .number = number};
    out->seed = ew_mix(ew_mix(seed, (uint64_t)split), number);
    ew_chance chance = {out->seed};
    out->place = ew_below(&chance, EW_PLACES);
    bool large = split != EW_UNSEEN && ew_happens(&chance, large_share);
    if (!large)
        add_things(out, &chance);
    out->has_sign = large || ew_happens(&chance, small_share);
    if (out->has_sign) {
        ew_make_sign(&out->sign, &chance, split, large);
        out->objects[out->count++] = (ew_object){.thing = EW_SIGN};
    }
    ew_arrange(out, &chance, large);
}

void ew_make_scene(ew_scene *out, uint64_t seed, ew_split split, uint64_t number)
{
    make_scene(out, seed, split, number, large_signs, small_signs);
}

void ew_make_sign_scene(ew_scene *out, uint64_t seed, ew_split split, uint64_t number)
{
    make_scene(out, seed, split, number, large_among_signs, 1);
}

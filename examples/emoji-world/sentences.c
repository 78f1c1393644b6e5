/*
 * What is said of a scene. English is a sentence; in the other languages, whose articles, genders and plurals CLDR does
 * not give, the things are named as in a list, which is right without grammar: "Hund, Katze (2) am Strand".
 */
#include <stdarg.h>
#include <string.h>

#include "world.h"

void ew_append(char out[EW_TEXT], const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(out + length, EW_TEXT - length, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= EW_TEXT - length)
        ew_fail("a text of more than %d bytes: %s", EW_TEXT, out);
}

const char *ew_article(const char *noun)
{
    return strchr("aeiou", noun[0]) ? "an" : "a";
}

/* "a dog", "two cats" */
static void append_some(char *out, int thing, int count)
{
    static const char *const numbers[] = {"no", "one", "two", "three", "four"};
    const char *name = ew_name(thing, EW_ENGLISH);
    if (count == 1)
        ew_append(out, "%s %s", ew_article(name), name);
    else
        ew_append(out, "%s %s", numbers[count], ew_plural(thing));
}

/* "a dog, two cats and a sign" */
static void append_things(char *out, const ew_scene *scene)
{
    int things[EW_OBJECTS], count = ew_list_things(things, scene);
    for (int i = 0; i < count; i++) {
        ew_append(out, "%s", i == 0 ? "" : i + 1 < count ? ", " : " and ");
        append_some(out, things[i], ew_count(scene, things[i]));
    }
}

/* "Hund, Katze (2)" */
static void append_names(char *out, const ew_scene *scene, int language)
{
    bool chinese = language == EW_CHINESE;
    int things[EW_OBJECTS], count = ew_list_things(things, scene);
    for (int i = 0; i < count; i++) {
        int number = ew_count(scene, things[i]);
        ew_append(out, "%s%s", i == 0 ? "" : chinese ? "、" : ", ", ew_name(things[i], language));
        if (number > 1)
            ew_append(out, chinese ? "（%d）" : " (%d)", number);
    }
}

void ew_caption(char out[EW_TEXT], const ew_scene *scene, int language)
{
    const char *place = ew_place_phrase[scene->place][language];
    out[0] = 0;
    if (language == EW_ENGLISH) {
        append_things(out, scene);
        ew_append(out, " %s", place);
    } else if (language == EW_CHINESE) {
        ew_append(out, "%s：", place);
        append_names(out, scene, language);
    } else {
        append_names(out, scene, language);
        ew_append(out, " %s", place);
    }
}

void ew_sign_text(char out[EW_TEXT], const ew_sign *sign, const char *between)
{
    out[0] = 0;
    for (int i = 0; i < sign->line_count; i++)
        ew_append(out, "%s%s", i ? between : "", sign->lines[i]);
}

/* "a photo of a dog and two cats" */
static void say_photo(char *out, const ew_scene *scene, ew_chance *chance)
{
    static const char *const beginnings[] = {"", "a photo of ", "a picture of ", "we see "};
    out[0] = 0;
    ew_append(out, "%s", beginnings[ew_below(chance, 4)]);
    append_things(out, scene);
}

void ew_pair_text(char out[EW_TEXT], const ew_scene *scene)
{
    ew_chance random = {ew_mix(scene->seed, 5)}, *chance = &random;
    bool only_sign = scene->has_sign && scene->count == 1;
    double choice = ew_between(chance, 0, 1);
    if (only_sign && choice < 0.6) {
        char text[EW_TEXT];
        ew_sign_text(text, &scene->sign, " ");
        out[0] = 0;
        ew_append(out, "a %s sign that says %s", ew_color_name[scene->sign.color], text);
    } else if (choice < 0.45) {
        ew_caption(out, scene, EW_ENGLISH);
    } else if (choice < 0.65) {
        ew_caption(out, scene, 1 + ew_below(chance, EW_LANGUAGES - 1));
    } else {
        say_photo(out, scene, chance);
        if (ew_happens(chance, 0.4))
            ew_append(out, " %s", ew_place_phrase[scene->place][EW_ENGLISH]);
    }
}

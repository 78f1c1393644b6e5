/* A scene's rows in all training files. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Takes the object over. Texts are ours and valid UTF-8: only memory can be short. */
static void write_line(FILE *file, json_t *object)
{
    if (!object || json_dumpf(object, file, JSON_COMPACT) != 0 || putc('\n', file) == EOF)
        ew_fail("a row cannot be written");
    json_decref(object);
}

/* Takes what a COCO file has a list of. */
static void write_element(FILE *file, json_t *object)
{
    putc(',', file);
    write_line(file, object);
}

static void write_answer(FILE *file, const char *picture, const char *prefix, const char *suffix, const char *type)
{
    json_t *row = json_pack("{s:s, s:s, s:s}", "image", picture, "prefix", prefix, "suffix", suffix);
    if (type)
        json_object_set_new(row, "type", json_string(type));
    write_line(file, row);
}

static void write_captions(ew_streams *streams, const ew_scene *scene, const char *picture)
{
    char prefix[32], text[EW_TEXT];
    for (int language = 0; language < EW_LANGUAGES; language++) {
        snprintf(prefix, sizeof prefix, "caption %s", ew_language[language]);
        ew_caption(text, scene, language);
        write_answer(streams->files[EW_STREAM_CAPTION + language], picture, prefix, text, NULL);
    }
}

/* Where, how many and is there; what else is asked in English. */
static FILE *file_for(ew_streams *streams, const ew_question *question, int language)
{
    static const char *const first[] = {"where", "count", "exists"};
    if (language != EW_ENGLISH)
        return streams->files[EW_STREAM_VQA_WORLD];
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (!strcmp(question->type, first[i]))
            return streams->files[EW_STREAM_VQA];
    return streams->files[EW_STREAM_VQA_MORE];
}

static void write_questions(ew_streams *streams, const ew_scene *scene, const char *picture, int language,
                            ew_chance *chance)
{
    ew_question questions[EW_QUESTIONS];
    char prefix[EW_TEXT];
    int count = ew_ask(questions, scene, language, chance);
    for (int i = 0; i < count; i++) {
        prefix[0] = 0;
        ew_append(prefix, "answer %s %s", ew_language[language], questions[i].question);
        write_answer(file_for(streams, &questions[i], language), picture, prefix, questions[i].answer,
                     questions[i].type);
    }
}

static void write_detections(FILE *file, const ew_scene *scene, const ew_outline *outline, const char *picture,
                             ew_chance *chance)
{
    char prefix[EW_TEXT], answer[EW_TEXT];
    int things[EW_OBJECTS];
    bool several = ew_list_things(things, scene) > 1;
    ew_detection(prefix, answer, scene, outline, chance);
    write_answer(file, picture, prefix, answer, several ? "all" : "one");
    if (several) {
        ew_detection_of_one(prefix, answer, scene, outline, chance);
        write_answer(file, picture, prefix, answer, "one");
    }
}

/* ---------------------------------------------------------------- COCO and truth */

static json_t *make_runs(const uint8_t *mask, int size)
{
    int *runs = ew_alloc((size_t)size * (size_t)size + 1, sizeof *runs);
    int count = ew_runs(runs, mask, size);
    json_t *counts = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(counts, json_integer(runs[i]));
    free(runs);
    return json_pack("{s:[i,i], s:o}", "size", size, size, "counts", counts);
}

static void write_instances(ew_streams *streams, const ew_scene *scene, const ew_outline *outline, const char *picture)
{
    json_int_t id = (json_int_t)scene->number;
    write_element(streams->files[EW_STREAM_IMAGES], json_pack("{s:I, s:s, s:i, s:i}", "id", id, "file_name", picture,
                                                              "width", outline->size, "height", outline->size));
    for (int i = 0; i < scene->count; i++) {
        int object = scene->order[i];
        const int *box = outline->boxes[object];
        json_t *row = json_pack("{s:I, s:I, s:i, s:[i,i,i,i], s:i, s:i, s:o}", "id", id * EW_OBJECTS + i + 1,
                                "image_id", id, "category_id", scene->objects[object].thing + 1, "bbox", box[0], box[1],
                                box[2] - box[0], box[3] - box[1], "area", outline->areas[object], "iscrowd", 0,
                                "segmentation", make_runs(outline->masks[object], outline->size));
        write_element(streams->files[EW_STREAM_ANNOTATIONS], row);
    }
}

static const char *kind_of(int thing)
{
    return ew_kind_name[thing == EW_SIGN ? EW_OTHER : ew_things[thing].kind];
}

static void write_truth(FILE *file, const ew_scene *scene, const ew_outline *outline, const char *picture)
{
    json_t *objects = json_array();
    for (int i = 0; i < scene->count; i++) {
        int object = scene->order[i], thing = scene->objects[object].thing;
        const int *box = outline->boxes[object];
        json_array_append_new(objects, json_pack("{s:s, s:s, s:[i,i,i,i], s:f}", "name", ew_name(thing, EW_ENGLISH),
                                                 "kind", kind_of(thing), "box", box[0], box[1], box[2], box[3],
                                                 "visible", outline->shares[object]));
    }
    json_t *row = json_pack("{s:I, s:s, s:i, s:s, s:o}", "scene", (json_int_t)scene->number, "image", picture, "size",
                            outline->size, "place", ew_place_name[scene->place], "objects", objects);
    if (scene->has_sign) {
        char text[EW_TEXT];
        ew_sign_text(text, &scene->sign, "\n");
        json_object_set_new(row, "sign", json_string(text));
        json_object_set_new(row, "color", json_string(ew_color_name[scene->sign.color]));
    }
    write_line(file, row);
}

/* ---------------------------------------------------------------- all of them */

static void write_reading(FILE *file, const ew_scene *scene, const char *picture)
{
    char text[EW_TEXT];
    ew_sign_text(text, &scene->sign, "\n");
    write_answer(file, picture, "ocr", text, scene->count == 1 ? "large" : "small");
}

static void write_pairs(ew_streams *streams, const ew_scene *scene, const char *picture)
{
    char text[EW_TEXT];
    ew_pair_text(text, scene);
    write_line(streams->files[EW_STREAM_PAIRS], json_pack("{s:s, s:s}", "image", picture, "text", text));
    ew_caption(text, scene, EW_ENGLISH);
    write_line(streams->files[EW_STREAM_RETRIEVAL], json_pack("{s:s, s:s}", "image", picture, "text", text));
    if (scene->count == 1 && !scene->has_sign)
        write_line(streams->files[EW_STREAM_ZEROSHOT],
                   json_pack("{s:s, s:s, s:s}", "image", picture, "text", "what is this?", "label",
                             ew_name(scene->objects[0].thing, EW_ENGLISH)));
}

/* A letter, a thing or the place; scene: NULL where there are boards alone. */
static json_t *name_patch(const ew_scene *scene, const ew_outline *outline, const uint8_t *letters, int left, int top)
{
    char letter = letters ? ew_patch_letter(letters, outline->size, left, top) : 0;
    if (letter)
        return json_sprintf("letter %c", letter);
    if (!scene)
        return json_string(ew_name(EW_SIGN, EW_ENGLISH));
    int object = ew_patch_object(outline, scene->count, left, top);
    return json_string(object < 0 ? ew_place_name[scene->place] : ew_name(scene->objects[object].thing, EW_ENGLISH));
}

/* What each patch of a window shows; letters: NULL where they do not count. */
static void write_patches(FILE *file, const ew_scene *scene, const ew_outline *outline, const uint8_t *letters,
                          ew_window window, const char *picture)
{
    json_t *labels = json_array();
    for (int top = 0; top + EW_PATCH <= window.size; top += EW_PATCH)
        for (int left = 0; left + EW_PATCH <= window.size; left += EW_PATCH)
            json_array_append_new(labels, name_patch(scene, outline, letters, window.left + left, window.top + top));
    write_line(file, json_pack("{s:s, s:o}", "image", picture, "label", labels));
}

static bool shows_sign(const ew_window *window, const ew_scene *scene, const ew_outline *outline)
{
    for (int i = 0; i < scene->count; i++) {
        const int *box = outline->boxes[i];
        if (scene->objects[i].thing == EW_SIGN)
            return box[0] >= window->left && box[1] >= window->top && box[2] <= window->left + window->size &&
                   box[3] <= window->top + window->size;
    }
    return false;
}

void ew_write_primer_rows(ew_streams *streams, const uint8_t *letters, const char *text, int size, const char *picture)
{
    ew_window whole = {0, 0, size};
    write_patches(streams->files[EW_STREAM_LETTERS], NULL, &(ew_outline){.size = size}, letters, whole, picture);
    if (text[0])
        write_answer(streams->files[EW_STREAM_OCR], picture, "ocr", text, "page");
}

void ew_write_reading_rows(ew_streams *streams, const ew_scene *scene, const ew_outline *outline,
                           const uint8_t *letters, ew_window window, const char *picture)
{
    write_patches(streams->files[EW_STREAM_LETTERS], scene, outline, letters, window, picture);
    if (shows_sign(&window, scene, outline))
        write_reading(streams->files[EW_STREAM_OCR], scene, picture);
}

void ew_write_rows(ew_streams *streams, const ew_scene *scene, const ew_outline *outline, const uint8_t *letters,
                   const char *picture)
{
    ew_window whole = {0, 0, outline->size};
    ew_chance chance = {ew_mix(scene->seed, 3)};
    FILE **files = streams->files;
    write_captions(streams, scene, picture);
    write_questions(streams, scene, picture, EW_ENGLISH, &chance);
    write_questions(streams, scene, picture, 1 + ew_below(&chance, EW_LANGUAGES - 1), &chance);
    write_detections(files[EW_STREAM_DETECT], scene, outline, picture, &chance);
    if (scene->has_sign)
        ew_write_reading_rows(streams, scene, outline, letters, whole, picture);
    write_pairs(streams, scene, picture);
    write_patches(files[EW_STREAM_PATCHES], scene, outline, NULL, whole, picture);
    write_instances(streams, scene, outline, picture);
    write_truth(files[EW_STREAM_TRUTH], scene, outline, picture);
}

static json_t *list_names(int thing)
{
    json_t *names = json_object();
    for (int language = 0; language < EW_LANGUAGES; language++)
        json_object_set_new(names, ew_language[language], json_string(ew_name(thing, language)));
    return json_pack("{s:o, s:s, s:s}", "names", names, "plural", ew_plural(thing), "kind", kind_of(thing));
}

static json_t *list_phrases(int place)
{
    json_t *phrases = json_object();
    for (int language = 0; language < EW_LANGUAGES; language++)
        json_object_set_new(phrases, ew_language[language], json_string(ew_place_phrase[place][language]));
    return json_pack("{s:s, s:o}", "name", ew_place_name[place], "phrases", phrases);
}

void ew_write_names(const char *path)
{
    json_t *things = json_array(), *places = json_array();
    for (int i = 0; i < EW_NAMES; i++)
        json_array_append_new(things, list_names(i));
    for (int i = 0; i < EW_PLACES; i++)
        json_array_append_new(places, list_phrases(i));
    json_t *all = json_pack("{s:o, s:o}", "things", things, "places", places);
    if (!all || json_dump_file(all, path, JSON_INDENT(1)) != 0)
        ew_fail("%s cannot be written", path);
    json_decref(all);
}

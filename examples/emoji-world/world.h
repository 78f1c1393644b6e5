/*
 * A small world to learn to see in: scenes composed of the glyphs of Noto Color Emoji before painted places, with all
 * that is true of them. One scene is made in five steps, each in a file of its own:
 *
 *   chance.c      random numbers: a scene depends on seed, split and number alone
 *   things.c      what there is: objects, their kinds, places, and which of them never meet in training
 *   names.c       how they are called in eight languages (CLDR's annotations)
 *   scene.c       what is in a scene; layout.c: where; signs.c: what signs say and how they look
 *   glyphs.c      pictures of objects; scenery.c and places.c: pictures of places; painting.c: the scene's pixels
 *   outline.c     masks, boxes and runs
 *   sentences.c   captions; questions.c: questions with answers; detections.c: boxes as text; documents.c: prose
 *   primer.c      pictures full of letters
 *   scene_rows.c  rows of training files; streams.c: the files; photograph.c: JPEG
 *   emoji_world.c the program
 *
 * Lengths are fractions of a picture's side, so that a scene is the same at every size.
 */
#ifndef EMOJI_WORLD_H
#define EMOJI_WORLD_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Prints a message and ends the program. */
_Noreturn void ew_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Never NULL. */
void *ew_alloc(size_t count, size_t size);

/* ---------------------------------------------------------------- chance.c */

typedef struct ew_chance {
    uint64_t state;
} ew_chance;

uint64_t ew_mix(uint64_t a, uint64_t b);                       /* a hash of both */
uint64_t ew_hash(const char *text);                            /* of a text */
uint64_t ew_draw(ew_chance *chance);                           /* 64 random bits */
double ew_between(ew_chance *chance, double low, double high); /* low <= x < high */
int ew_below(ew_chance *chance, int count);                    /* 0 <= i < count */
bool ew_happens(ew_chance *chance, double probability);
double ew_normal(ew_chance *chance); /* nearly normal, mean 0, deviation 1 */

/* ---------------------------------------------------------------- things.c */

enum { EW_LANGUAGES = 8, EW_PLACES = 12, EW_THINGS = 78, EW_SIGN = EW_THINGS, EW_NAMES = EW_THINGS + 1 };
enum { EW_ENGLISH = 0, EW_CHINESE = EW_LANGUAGES - 1 };

typedef enum ew_kind {
    EW_ANIMAL,
    EW_FRUIT,
    EW_VEGETABLE,
    EW_FOOD,
    EW_VEHICLE,
    EW_INSTRUMENT,
    EW_PLANT,
    EW_TOOL,
    EW_DEVICE,
    EW_TOY,
    EW_CLOTHES,
    EW_OTHER, /* nobody asks for their kind */
    EW_KINDS,
} ew_kind;

typedef struct ew_thing {
    const char *glyph; /* one character, UTF-8 */
    ew_kind kind;
    const char *plural; /* NULL: made by the rules of English */
} ew_thing;

extern const char *const ew_language[EW_LANGUAGES]; /* "en", "de", ... */
extern const ew_thing ew_things[EW_THINGS];
extern const char *const ew_kind_name[EW_KINDS];                   /* in English */
extern const char *const ew_place_name[EW_PLACES];                 /* "beach" */
extern const char *const ew_place_phrase[EW_PLACES][EW_LANGUAGES]; /* "on the beach" */

/* Whether training never shows this thing in this place. */
bool ew_is_unseen_pair(int thing, int place);

enum { EW_TEXT = 512 }; /* bytes that hold any text of a picture */

/* ---------------------------------------------------------------- names.c */

/* Reads the short names of all things from FOLDER/LANGUAGE.xml, and the keywords there as words for signs. */
void ew_read_names(const char *folder);
const char *ew_name(int thing, int language);
const char *ew_plural(int thing); /* English */

/* ---------------------------------------------------------------- glyphs.c */

/* Draws all things once, at several sizes; afterwards any number of processes may paint with them. */
void ew_load_glyphs(void);

/* Paints a thing whose longer side measures `size`, around the origin. The context's unit is the picture's side,
 * `pixels` its length. On an alpha-only surface this leaves the thing's coverage. */
void ew_paint_glyph(cairo_t *cairo, int thing, double size, double pixels);
double ew_glyph_width(int thing); /* of the longer side: 1 or less */
double ew_glyph_height(int thing);

/* The font of a family and style, or the program ends: what fontconfig would take instead would be another picture. */
cairo_font_face_t *ew_font(const char *family, bool bold, bool italic);

/* ---------------------------------------------------------------- signs.c */

enum { EW_SIGN_COLORS = 8, EW_SIGN_LINES = 2, EW_SIGN_LETTERS = 8 };

typedef enum ew_split { EW_TRAIN, EW_VALIDATION, EW_TEST, EW_UNSEEN, EW_SPLITS } ew_split;

typedef struct ew_sign {
    char lines[EW_SIGN_LINES][EW_SIGN_LETTERS + 1];
    int line_count;
    int color, ink; /* of the board and its letters */
    int font;
    double aspect;      /* height of the board for a width of 1 */
    double corner, rim; /* for a width of 1 */
} ew_sign;

extern const char *const ew_color_name[EW_SIGN_COLORS];
void ew_add_words(const char *text, size_t size); /* those of a text that fit on a sign */
void ew_sort_words(void);                         /* when all have been added */
void ew_load_fonts(void);
/* large: it may have two lines. */
void ew_make_sign(ew_sign *out, ew_chance *chance, ew_split split, bool large);
void ew_choose_style(ew_sign *out, ew_chance *chance); /* colours and font */
/* The board is `size` wide, around the origin. */
void ew_paint_sign(cairo_t *cairo, const ew_sign *sign, double size);
/* On a surface of alpha alone: the cell of each letter, filled with the letter's code. */
void ew_mark_letters(cairo_t *cairo, const ew_sign *sign, double size);
void ew_use_board(cairo_t *cairo, const ew_sign *style);   /* its colour */
void ew_use_letters(cairo_t *cairo, const ew_sign *style); /* their colour and font */

/* ---------------------------------------------------------------- primer.c */

/* A picture full of letters; letters: as ew_trace_letters leaves them; text: what is to be read, line by line, or
 * nothing. */
void ew_paint_primer(uint8_t *rgb, uint8_t *letters, char text[EW_TEXT], int size, ew_split split, ew_chance *chance);

/* ---------------------------------------------------------------- scene.c */

enum { EW_PATCH = 14 };  /* side of what the models see as one, in pixels */
enum { EW_OBJECTS = 5 }; /* at most: four things and a sign */

typedef struct ew_object {
    int thing; /* or EW_SIGN */
    double x, y, size, angle;
    bool mirrored;
} ew_object;

typedef struct ew_scene {
    ew_split split;
    uint64_t number, seed; /* seed: of this scene */
    int place;
    ew_object objects[EW_OBJECTS]; /* back to front */
    int count;
    int order[EW_OBJECTS]; /* objects from left to right */
    ew_sign sign;
    bool has_sign;
} ew_scene;

extern const char *const ew_split_name[EW_SPLITS];
void ew_make_scene(ew_scene *out, uint64_t seed, ew_split split, uint64_t number);
/* A scene with a sign, which is large in half of them. */
void ew_make_sign_scene(ew_scene *out, uint64_t seed, ew_split split, uint64_t number);

int ew_count(const ew_scene *scene, int thing);

/* The things of a scene (a sign too), each once, from left to right by the first of each; returns how many. */
int ew_list_things(int out[EW_OBJECTS], const ew_scene *scene);

/* ---------------------------------------------------------------- layout.c */

/* Gives the objects places and sizes; `large`: of a sign that fills the picture. */
void ew_arrange(ew_scene *scene, ew_chance *chance, bool large);

/* ---------------------------------------------------------------- places.c */

void ew_paint_place(cairo_t *cairo, int place, ew_chance *chance);
double ew_ground(int place); /* where it begins: below, things throw shadows; 1: nowhere */

/* ---------------------------------------------------------------- painting.c */

/* Paints one object; on an alpha-only surface, its coverage. */
void ew_paint_object(cairo_t *cairo, const ew_scene *scene, int object, double pixels);

/* A context whose unit is the picture's side, and the end of painting with it: light, blur and noise, and the pixels.
 */
cairo_t *ew_start_picture(int size);
void ew_finish_picture(uint8_t *rgb, cairo_t *cairo, int size, ew_chance *chance);

/* size * size * 3 bytes, row by row. */
void ew_paint_scene(uint8_t *rgb, const ew_scene *scene, int size);

/* ---------------------------------------------------------------- outline.c */

/* What can be seen of the objects of a scene at a size. */
typedef struct ew_outline {
    int size;
    uint8_t *masks[EW_OBJECTS]; /* size * size bytes 0 or 1 */
    int boxes[EW_OBJECTS][4];   /* x1, y1, x2, y2 in pixels; all 0: nothing visible */
    int areas[EW_OBJECTS];      /* visible pixels */
    double shares[EW_OBJECTS];  /* visible part of the object */
} ew_outline;

void ew_outline_init(ew_outline *outline, int size);
void ew_outline_free(ew_outline *outline);
void ew_trace(ew_outline *outline, const ew_scene *scene);

/* COCO's run lengths: column by column, beginning with zeros; returns how many there are (at most size * size + 1). */
int ew_runs(int *runs, const uint8_t *mask, int size);

/* A square part of a picture. */
typedef struct ew_window {
    int left, top, size;
} ew_window;

/* A part of the picture, at random, with all of the sign in it, or if that is larger, with nothing else. */
ew_window ew_choose_window(const ew_scene *scene, const ew_outline *outline, int size, ew_chance *chance);

/* The object that fills at least a quarter of a patch, and more of it than any other; -1: the place. */
int ew_patch_object(const ew_outline *outline, int count, int left, int top);

/* A context on a map of codes, whose unit is its side: what is filled with alpha code / 255 becomes that code, sharply.
 * Taking the map ends the context. */
cairo_t *ew_start_map(int size);
void ew_take_map(uint8_t *out, cairo_t *cairo, int size);

/* Which letter's cell each pixel is in, size * size bytes; 0: none. */
void ew_trace_letters(uint8_t *letters, const ew_scene *scene, int size);

/* The letter that fills at least a quarter of a patch, and more of it than any other; 0: none. */
char ew_patch_letter(const uint8_t *letters, int size, int left, int top);

/* ---------------------------------------------------------------- sentences.c */

/* "a dog and two cats on the beach"; "Hund, Katze (2) am Strand". */
void ew_caption(char out[EW_TEXT], const ew_scene *scene, int language);

/* What a picture may be said to show, shorter or longer, in some language. */
void ew_pair_text(char out[EW_TEXT], const ew_scene *scene);
void ew_sign_text(char out[EW_TEXT], const ew_sign *sign, const char *between);
void ew_append(char out[EW_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *ew_article(const char *noun); /* "a" or "an" */

/* ---------------------------------------------------------------- detections.c */

/* "detect A ; B" for all things of a scene, in any order, and their boxes. */
void ew_detection(char prefix[EW_TEXT], char answer[EW_TEXT], const ew_scene *scene, const ew_outline *outline,
                  ew_chance *chance);

/* The same for one of several things. */
void ew_detection_of_one(char prefix[EW_TEXT], char answer[EW_TEXT], const ew_scene *scene, const ew_outline *outline,
                         ew_chance *chance);

/* ---------------------------------------------------------------- questions.c */

enum { EW_QUESTIONS = 8 }; /* at most, of a scene and language */

typedef struct ew_question {
    const char *type; /* "where", "count", ... */
    char question[EW_TEXT], answer[EW_TEXT];
} ew_question;

int ew_ask(ew_question out[EW_QUESTIONS], const ew_scene *scene, int language, ew_chance *chance);

/* ---------------------------------------------------------------- streams.c */

typedef enum ew_stream {
    EW_STREAM_CAPTION, /* one for each language */
    EW_STREAM_VQA = EW_STREAM_CAPTION + EW_LANGUAGES,
    EW_STREAM_VQA_MORE,
    EW_STREAM_VQA_WORLD,
    EW_STREAM_DETECT,
    EW_STREAM_OCR,
    EW_STREAM_PAIRS,
    EW_STREAM_RETRIEVAL,
    EW_STREAM_ZEROSHOT,
    EW_STREAM_PATCHES,
    EW_STREAM_LETTERS,
    EW_STREAM_TRUTH,
    EW_STREAM_IMAGES,      /* of instances.json */
    EW_STREAM_ANNOTATIONS, /* of instances.json */
    EW_STREAMS,
} ew_stream;

/* A worker's part of every file; ew_streams_join makes the files of all parts in order. */
typedef struct ew_streams {
    FILE *files[EW_STREAMS];
} ew_streams;

void ew_streams_open(ew_streams *streams, const char *folder, int part);
void ew_streams_close(ew_streams *streams);
void ew_streams_join(const char *folder, int parts);

/* ---------------------------------------------------------------- scene_rows.c */

/* picture: the file's name relative to the folder; letters: as ew_trace_letters leaves them. */
void ew_write_rows(ew_streams *streams, const ew_scene *scene, const ew_outline *outline, const uint8_t *letters,
                   const char *picture);

/* The letters of a picture that shows boards alone, and its text if there is one. */
void ew_write_primer_rows(ew_streams *streams, const uint8_t *letters, const char *text, int size, const char *picture);

/* What there is to read in a window: its letters, and if all of the sign is in it, its text. */
void ew_write_reading_rows(ew_streams *streams, const ew_scene *scene, const ew_outline *outline,
                           const uint8_t *letters, ew_window window, const char *picture);
void ew_write_names(const char *path); /* things and places in all languages, as JSON */

/* ---------------------------------------------------------------- documents.c */

/* A scene as a document, with a blank line behind it. */
void ew_write_document(FILE *file, const ew_scene *scene, const ew_outline *outline);

/* ---------------------------------------------------------------- photograph.c */

/* The window of a picture of size * size * 3 bytes. */
void ew_write_jpeg(const char *path, const uint8_t *rgb, int size, ew_window window);

#endif

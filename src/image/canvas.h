/* A picture to be drawn on, and letters. The only place that includes cairo. */
#ifndef PG_IMAGE_CANVAS_H
#define PG_IMAGE_CANVAS_H

#include <cairo.h>

#include "image/image.h"

typedef struct pg_letters pg_letters;
typedef enum pg_letters_weight { PG_LETTERS_PLAIN, PG_LETTERS_BOLD } pg_letters_weight;

typedef struct pg_canvas {
    cairo_t *cairo;
    pg_letters *letters;
    uint32_t *pixels; /* of the surface, with `stride` of them from row to row */
    size_t width, height, stride;
} pg_canvas;

/* A canvas with a picture on it, or (`ground` NULL) a white one. Cairo knows no sides above 32767 pixels:
 * PG_ERROR_LIMIT. */
pg_status pg_canvas_open(pg_canvas *out, size_t width, size_t height, const pg_image *ground, pg_letters_weight weight);
void pg_canvas_close(pg_canvas *canvas);

/* What is on it now; what cairo could not do fails here at the latest. */
pg_status pg_canvas_image(pg_image **out, const pg_canvas *canvas);

/* Options (NULL: the defaults), checked, with what they leave open filled in for this picture. */
pg_status pg_draw_options_settle(pg_draw_options *out, const pg_draw_options *options, const pg_image *image,
                                 double opacity);

void pg_canvas_color(const pg_canvas *canvas, const double color[3], double opacity);

/* Each character is drawn in the first font that has it, of those that fontconfig finds for "sans-serif" and the user's
 * language; where there is no font at all, in cairo's own letters, which are ASCII. Letters are not joined or turned
 * round: Arabic and Indic scripts come out readable only letter by letter. */
pg_status pg_letters_open(pg_letters **out, pg_letters_weight weight);
void pg_letters_close(pg_letters *letters);

/* PG_ERROR_ARGUMENT, with `what` in the text, unless this is UTF-8. */
pg_status pg_letters_check(const char *text, const char *what);

/* Width in pixels of `length` bytes of checked text in letters of a size. */
double pg_letters_width(const pg_canvas *canvas, const char *text, size_t length, double size);

/* Draws them in the current colour, from x on; y: the line they stand on. */
void pg_letters_show(const pg_canvas *canvas, const char *text, size_t length, double size, double x, double y);

/* Bytes of the longest beginning that is at most `room` wide. */
size_t pg_letters_fit(const pg_canvas *canvas, const char *text, size_t length, double size, double room);

/* The text, or where it is wider than `room` as much of it as has place with an ellipsis behind it; freed with pg_free.
 */
pg_status pg_letters_shorten(char **out, const pg_canvas *canvas, const char *text, double size, double room);

/* A text in lines no wider than `room`: broken at line breaks, behind blanks and ideographs, and where else nothing
 * helps; at most `most` lines, with an ellipsis at the end of the last where that is not all. */
typedef struct pg_lines {
    char **items;
    size_t count;
} pg_lines;

pg_status pg_letters_wrap(pg_lines *out, const pg_canvas *canvas, const char *text, double size, double room,
                          size_t most);
void pg_lines_free(pg_lines *lines);

#endif

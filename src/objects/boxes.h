/* Boxes in texts: four <loc> tokens y1 x1 y2 x2, each 0 .. 1023 of the picture's height or width. */
#ifndef PG_OBJECTS_BOXES_H
#define PG_OBJECTS_BOXES_H

#include "base/buffer.h"

/* Numbers of the four tokens of a box in pixels (x1, y1, x2, y2): round(f32(1023) * f32(coordinate / size)), halves to
 * even, kept within 0 .. 1023. */
void pg_box_tokens(int out[4], const double box[4], double width, double height);

/* The box in pixels, x1, y1, x2, y2, of four tokens: number / parts * size. parts: 1023 in the reference's evaluation,
 * 1024 in public demos. */
void pg_box_scale(double out[4], const int tokens[4], double parts, double width, double height);

/* Appends "<loc0012>..." */
pg_status pg_box_print(pg_buffer *out, const int tokens[4]);

/* Where a picture's parts are after it was cropped and mirrored: the part from left to right and from top to bottom, in
 * fractions of the picture before, becomes the whole. */
typedef struct pg_view {
    double left, top, right, bottom;
    bool mirrored;
} pg_view;

/* Appends `text` with its boxes moved into the view. Of a box that keeps less than `keep` of its area nothing remains;
 * in a list with " ; " its name goes too. *lost counts those boxes, *kept the others. */
pg_status pg_boxes_move(pg_buffer *out, const char *text, const pg_view *view, double keep, size_t *kept, size_t *lost);

/* Whether a text has <seg> tokens. */
bool pg_boxes_have_masks(const char *text);

#endif

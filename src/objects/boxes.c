#include "objects/boxes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOKEN     9 /* bytes of "<loc0000>" */
#define SEPARATOR " ; "

void pg_box_tokens(int out[4], const double box[4], double width, double height)
{
    const double fractions[] = {box[1] / height, box[0] / width, box[3] / height, box[2] / width};
    for (int i = 0; i < 4; i++)
        out[i] = (int)fminf(fmaxf(rintf(1023.0f * (float)fractions[i]), 0), 1023);
}

void pg_box_scale(double out[4], const int tokens[4], double parts, double width, double height)
{
    for (int i = 0; i < 4; i++)
        out[i ^ 1] = tokens[i] / parts * (i % 2 ? width : height);
}

void pg_box_text(char text[PG_BOX_TEXT], const double box[4], size_t width, size_t height)
{
    int tokens[4];
    pg_box_tokens(tokens, box, (double)width, (double)height);
    for (int i = 0; i < 4; i++)
        snprintf(text + (ptrdiff_t)i * TOKEN, TOKEN + 1, "<loc%04d>", tokens[i]);
}

pg_status pg_box_print(pg_buffer *out, const int tokens[4])
{
    return pg_buffer_print(out, "<loc%04d><loc%04d><loc%04d><loc%04d>", tokens[0], tokens[1], tokens[2], tokens[3]);
}

/* The number of the token that the text begins with, -1 if it begins with none. */
static int read_token(const char *text)
{
    int number = 0;
    if (strncmp(text, "<loc", 4) != 0)
        return -1;
    for (int i = 4; i < 8; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return text[8] == '>' && number < 1024 ? number : -1;
}

/* Whether the text begins with the four tokens of a box. */
static bool read_box(int out[4], const char *text)
{
    for (int i = 0; i < 4; i++)
        if ((out[i] = read_token(text + (ptrdiff_t)i * TOKEN)) < 0)
            return false;
    return true;
}

static double clamp(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* Moves a box; false if too little of it is left. */
static bool move_box(int box[4], const pg_view *view, double keep)
{
    double width = view->right - view->left, height = view->bottom - view->top, moved[4];
    for (int i = 0; i < 4; i++)
        moved[i] = i % 2 ? (box[i] / 1023.0 - view->left) / width : (box[i] / 1023.0 - view->top) / height;
    double before = (moved[2] - moved[0]) * (moved[3] - moved[1]);
    for (int i = 0; i < 4; i++)
        moved[i] = clamp(moved[i]);
    double after = (moved[2] - moved[0]) * (moved[3] - moved[1]);
    if (view->mirrored) {
        double left = 1 - moved[3];
        moved[3] = 1 - moved[1];
        moved[1] = left;
    }
    for (int i = 0; i < 4; i++)
        box[i] = (int)rint(moved[i] * 1023);
    return after > 0 && after >= keep * before && box[2] > box[0] && box[3] > box[1];
}

/* One entry of a list: its boxes moved, everything else as it is. *gone: it had a box and has none any more. */
static pg_status move_entry(pg_buffer *out, pg_buffer *entry, const pg_view *view, double keep, size_t *kept,
                            size_t *lost)
{
    size_t start = out->size, kept_before = *kept, lost_before = *lost;
    for (const char *at = entry->data; *at;) {
        int box[4];
        if (!read_box(box, at)) {
            PG_TRY(pg_buffer_append(out, at++, 1));
            continue;
        }
        at += 4 * TOKEN;
        if (move_box(box, view, keep)) {
            PG_TRY(pg_box_print(out, box));
            ++*kept;
        } else
            ++*lost;
    }
    if (*lost > lost_before && *kept == kept_before) {
        out->size = start;
        out->data[start] = 0;
    }
    return PG_OK;
}

static pg_status move_entries(pg_buffer *out, pg_buffer *entry, const char *text, const pg_view *view, double keep,
                              size_t *kept, size_t *lost)
{
    size_t start = out->size;
    for (const char *end; text; text = end ? end + strlen(SEPARATOR) : NULL) {
        size_t before = out->size, lost_before = *lost;
        end = strstr(text, SEPARATOR);
        pg_buffer_reset(entry);
        PG_TRY(pg_buffer_append(entry, text, end ? (size_t)(end - text) : strlen(text)));
        if (out->size > start)
            PG_TRY(pg_buffer_append(out, SEPARATOR, strlen(SEPARATOR)));
        size_t here = out->size;
        PG_TRY(move_entry(out, entry, view, keep, kept, lost));
        if (out->size == here && *lost > lost_before) { /* no separator in front of nothing */
            out->size = before;
            out->data[before] = 0;
        }
    }
    return PG_OK;
}

pg_status pg_boxes_move(pg_buffer *out, const char *text, const pg_view *view, double keep, size_t *kept, size_t *lost)
{
    pg_buffer entry = {0};
    pg_status status = pg_buffer_append(out, "", 0); /* there is a text, if an empty one */
    if (status == PG_OK)
        status = move_entries(out, &entry, text, view, keep, kept, lost);
    pg_buffer_free(&entry);
    return status;
}

bool pg_boxes_have_masks(const char *text)
{
    return strstr(text, "<seg") != NULL;
}

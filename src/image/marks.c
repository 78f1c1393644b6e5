/*
 * Boxes, masks and labels on a picture. Masks lie lowest, then boxes, large ones before small ones, then the labels,
 * each on a filled tag in its object's colour. A tag goes where it covers least of other tags and of other boxes: on
 * top of its own box, below it, inside it, or a little further down.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "image/canvas.h"
#include "image/palette.h"
#include "image/tint.h"

#define MASK_OPACITY 0.45

typedef struct area {
    double left, top, right, bottom;
} area;

/* A mark that can be seen. */
typedef struct shape {
    const pg_mark *mark;
    area place; /* the box within the picture; without one, around the mask; without both, the picture */
    const double *color;
    size_t round; /* how many labels before have the same colour: the box gets other dashes */
    char *text;   /* of the tag; NULL: none */
    area tag;
} shape;

typedef struct overlay {
    pg_canvas canvas;
    pg_draw_options options;
    area frame;    /* the picture */
    shape *shapes; /* largest first */
    size_t count;
} overlay;

static double size_of(area a)
{
    return fmax(a.right - a.left, 0) * fmax(a.bottom - a.top, 0);
}

static area overlap(area a, area b)
{
    return (area){fmax(a.left, b.left), fmax(a.top, b.top), fmin(a.right, b.right), fmin(a.bottom, b.bottom)};
}

/* ---------------------------------------------------------------- what is to be drawn */

static pg_status check_mark(const pg_mark *mark, size_t number)
{
    char what[64];
    snprintf(what, sizeof what, "the label of mark %zu", number);
    for (int i = 0; mark->box && i < 4; i++)
        if (!isfinite(mark->box[i]))
            return pg_fail(PG_ERROR_ARGUMENT, "mark %zu: the box is not finite: %g %g %g %g", number, mark->box[0],
                           mark->box[1], mark->box[2], mark->box[3]);
    return mark->label ? pg_letters_check(mark->label, what) : PG_OK;
}

/* False where nothing of the mark is within the picture. */
static bool find_place(area *out, const pg_mark *mark, area frame)
{
    size_t bounds[4];
    *out = frame;
    if (mark->box) {
        const double *b = mark->box;
        area box = {fmin(b[0], b[2]), fmin(b[1], b[3]), fmax(b[0], b[2]), fmax(b[1], b[3])};
        *out = overlap(box, frame);
        return box.left < frame.right && box.top < frame.bottom && box.right > 0 && box.bottom > 0;
    }
    if (mark->mask) {
        if (!pg_mask_bounds(bounds, mark->mask, (size_t)frame.right, (size_t)frame.bottom))
            return false;
        *out = (area){(double)bounds[0], (double)bounds[1], (double)bounds[2], (double)bounds[3]};
    }
    return true;
}

static const char *label_of(const pg_mark *mark)
{
    return mark->label ? mark->label : "";
}

/* The colour is the label's alone. Two labels that share one are told apart by their lines. */
static void choose_color(shape *s, const shape *before)
{
    s->color = pg_palette[pg_palette_of(label_of(s->mark))];
    for (const shape *other = before; other < s; other++)
        if (other->color == s->color) {
            if (strcmp(label_of(other->mark), label_of(s->mark)) == 0) {
                s->round = other->round;
                return;
            }
            s->round = other->round >= s->round ? other->round + 1 : s->round;
        }
}

/* "cat 0.93" */
static pg_status write_tag(overlay *over, shape *s)
{
    pg_buffer text = {0};
    pg_status status = PG_OK;
    double room = over->frame.right - over->options.text; /* with what a tag has beside its text */
    bool scored = !isnan(s->mark->score), named = *label_of(s->mark);
    if (!scored && !named)
        return PG_OK;
    if (named)
        PG_TRY_GOTO(pg_buffer_print(&text, "%s%s", s->mark->label, scored ? " " : ""));
    if (scored)
        PG_TRY_GOTO(pg_buffer_print(&text, "%.2f", s->mark->score));
    status = pg_letters_shorten(&s->text, &over->canvas, text.data, over->options.text, room);
done:
    pg_buffer_free(&text);
    return status;
}

/* By size, then by their order, which keeps the sort stable. */
static int compare(const void *a, const void *b)
{
    const shape *one = a, *two = b;
    double first = size_of(one->place), second = size_of(two->place);
    if (first != second)
        return first > second ? -1 : 1;
    return one->mark < two->mark ? -1 : one->mark > two->mark;
}

static pg_status collect(overlay *over, const pg_mark *marks, size_t count)
{
    over->shapes = pg_alloc(count, sizeof *over->shapes);
    if (!over->shapes)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        shape *s = &over->shapes[over->count];
        PG_TRY(check_mark(&marks[i], i));
        s->mark = &marks[i];
        if (!find_place(&s->place, s->mark, over->frame))
            continue;
        choose_color(s, over->shapes);
        over->count++;
    }
    qsort(over->shapes, over->count, sizeof *over->shapes, compare);
    return PG_OK;
}

/* ---------------------------------------------------------------- where tags go */

/* A tag moved into the picture. */
static area put_tag(const overlay *over, double left, double top, double width, double height)
{
    left = fmax(0, fmin(left, over->frame.right - width));
    top = fmax(0, fmin(top, over->frame.bottom - height));
    return (area){left, top, left + width, top + height};
}

/* How much of its own size a tag may as well be away from its box, as hide: pixels of other tags, and of other boxes
 * the more the smaller they are. */
static double hidden(const overlay *over, const shape *s, area tag)
{
    double sum = 0;
    for (size_t i = 0; i < over->count; i++) {
        const shape *other = &over->shapes[i];
        if (other == s)
            continue;
        sum += size_of(overlap(tag, other->tag)); /* empty while it has no place */
        double share = other->mark->box ? size_of(overlap(tag, other->place)) / fmax(size_of(other->place), 1) : 0;
        sum += share * share * size_of(tag);
    }
    return sum / size_of(tag);
}

static void try_tag(const overlay *over, shape *s, area tag, double dislike, double *best)
{
    double cost = dislike < *best ? dislike + hidden(over, s, tag) : INFINITY;
    if (cost < *best) {
        *best = cost;
        s->tag = tag;
    }
}

/* On the box, below it, or inside at its top or bottom, at the left or right; then from its top downwards. */
static void place_tag(const overlay *over, shape *s)
{
    double text = over->options.text, half = over->options.line / 2, best = INFINITY;
    double width = text * 0.7 + pg_letters_width(&over->canvas, s->text, strlen(s->text), text);
    double height = ceil(text * 1.3);
    area p = s->place;
    const double tops[] = {p.top - height + half, p.bottom - half, p.top - half, p.bottom - height + half};
    const double lefts[] = {p.left - half, p.right - width + half};
    bool anchored = s->mark->box || s->mark->mask;
    for (size_t i = 0; anchored && i < 4; i++)
        if (tops[i] >= 0 && tops[i] + height <= over->frame.bottom)
            for (size_t k = 0; k < 2; k++)
                try_tag(over, s, put_tag(over, lefts[k], tops[i], width, height), 0.02 * (double)(2 * i + k), &best);
    for (size_t i = 0; i < 20; i++)
        for (size_t k = 0; k < 2; k++)
            try_tag(over, s, put_tag(over, lefts[k], p.top + (double)i * (height + 1), width, height),
                    0.1 + 0.15 * (double)i + 0.02 * (double)k, &best);
}

/* ---------------------------------------------------------------- drawing */

/* A line of whole pixels where that is possible: its middle between the edges of a picture and next to `at`. */
static double snap(double at, double line, double end)
{
    double first = fmax(0, fmin(round(at - line / 2), end - line));
    return first + line / 2;
}

static void stroke_box(const overlay *over, const shape *s)
{
    static const double dashes[][2] = {{5, 2.5}, {1.5, 2}};
    cairo_t *cairo = over->canvas.cairo;
    double line = over->options.line;
    double left = snap(s->place.left, line, over->frame.right), top = snap(s->place.top, line, over->frame.bottom);
    double right = snap(s->place.right, line, over->frame.right);
    double bottom = snap(s->place.bottom, line, over->frame.bottom);
    double pattern[2] = {dashes[(s->round + 1) % 2][0] * line, dashes[(s->round + 1) % 2][1] * line};
    cairo_rectangle(cairo, left, top, right - left, bottom - top);
    cairo_set_dash(cairo, NULL, 0, 0);
    cairo_set_line_width(cairo, line + 2 * ceil(line / 4));
    pg_canvas_color(&over->canvas, pg_color_on(s->color), 0.45);
    cairo_stroke_preserve(cairo);
    cairo_set_dash(cairo, pattern, s->round ? 2 : 0, 0);
    cairo_set_line_width(cairo, line);
    pg_canvas_color(&over->canvas, s->color, 1);
    cairo_stroke(cairo);
}

static void draw_tag(const overlay *over, const shape *s)
{
    cairo_t *cairo = over->canvas.cairo;
    double text = over->options.text;
    area t = s->tag;
    cairo_rectangle(cairo, t.left, t.top, t.right - t.left, t.bottom - t.top);
    pg_canvas_color(&over->canvas, s->color, 1);
    cairo_fill(cairo);
    pg_canvas_color(&over->canvas, pg_color_on(s->color), 1);
    pg_letters_show(&over->canvas, s->text, strlen(s->text), text, t.left + 0.35 * text,
                    (t.top + t.bottom) / 2 + 0.36 * text);
}

static void draw_shapes(overlay *over)
{
    for (size_t i = 0; i < over->count; i++)
        if (over->shapes[i].mark->box)
            stroke_box(over, &over->shapes[i]);
    for (size_t i = over->count; i-- > 0;) /* small ones have the least choice */
        if (over->shapes[i].text)
            place_tag(over, &over->shapes[i]);
    for (size_t i = 0; i < over->count; i++)
        if (over->shapes[i].text)
            draw_tag(over, &over->shapes[i]);
}

static pg_status draw_masks(pg_image *image, const overlay *over)
{
    for (size_t i = 0; i < over->count; i++) {
        const shape *s = &over->shapes[i];
        if (s->mark->mask)
            PG_TRY(pg_image_tint(image, s->mark->mask, s->color, over->options.opacity, over->options.line));
    }
    return PG_OK;
}

static void free_overlay(overlay *over)
{
    for (size_t i = 0; i < over->count; i++)
        pg_free(over->shapes[i].text);
    pg_free(over->shapes);
    pg_canvas_close(&over->canvas);
}

pg_status pg_image_draw_marks(pg_image **out, const pg_image *image, const pg_mark *marks, size_t count,
                              const pg_draw_options *options)
{
    overlay over = {.frame = {0, 0, (double)image->width, (double)image->height}};
    pg_image *tinted = NULL;
    pg_status status;
    *out = NULL;
    PG_TRY(pg_draw_options_settle(&over.options, options, image, MASK_OPACITY));
    PG_TRY_GOTO(collect(&over, marks, count));
    PG_TRY_GOTO(pg_image_new(&tinted, image->pixels, image->width, image->height, 0));
    PG_TRY_GOTO(draw_masks(tinted, &over));
    PG_TRY_GOTO(pg_canvas_open(&over.canvas, image->width, image->height, tinted, PG_LETTERS_BOLD));
    for (size_t i = 0; i < over.count; i++)
        PG_TRY_GOTO(write_tag(&over, &over.shapes[i]));
    draw_shapes(&over);
    status = pg_canvas_image(out, &over.canvas);
done:
    pg_image_free(tinted);
    free_overlay(&over);
    return status;
}

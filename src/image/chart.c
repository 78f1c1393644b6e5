#include "image/chart.h"

#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/reals.h"
#include "image/canvas.h"
#include "image/palette.h"

#define LEFT       62.0 /* around the axes of a panel */
#define RIGHT      18.0
#define TOP        30.0
#define BOTTOM     42.0
#define LEGEND_ROW 20.0
#define SWATCH     22.0 /* the line beside a name */
#define NAME_GAP   18.0
#define TEXT_SIZE  12.0

#define COLORS (PG_PALETTE - 1) /* without yellow, too pale on white */

/* When the colours are used up, they come again dashed. */
static void choose_line(cairo_t *cairo, size_t name, double opacity)
{
    static const double dashes[][2] = {{6, 3}, {2, 2}};
    const double *color = pg_palette[(name + 1) % COLORS]; /* black comes last */
    size_t round = name / COLORS;
    cairo_set_source_rgba(cairo, color[0], color[1], color[2], opacity);
    cairo_set_dash(cairo, dashes[(round + 1) % 2], round ? 2 : 0, 0);
}

static void choose_gray(cairo_t *cairo, double gray)
{
    cairo_set_source_rgb(cairo, gray, gray, gray);
    cairo_set_dash(cairo, NULL, 0, 0);
}

/* ---------------------------------------------------------------- axes */

#define LARGEST 1e300 /* beyond it, differences of values are no longer finite */

/* Values low .. high (of a logarithmic axis: their powers of ten) from pixel `first` on, `length` pixels long
 * (negative: upwards). */
typedef struct axis {
    double low, high, first, length;
    bool log;
} axis;

static double position(const axis *a, double value)
{
    return a->log ? log10(value) : value;
}

static double place(const axis *a, double value)
{
    return a->first + a->length * (position(a, value) - a->low) / (a->high - a->low);
}

static bool shows(const axis *a, double value)
{
    return fabs(value) < LARGEST && (!a->log || value > 0); /* NaN is not */
}

static void widen(axis *a, const double *values, size_t count)
{
    for (size_t i = 0; values && i < count; i++)
        if (shows(a, values[i])) {
            a->low = fmin(a->low, position(a, values[i]));
            a->high = fmax(a->high, position(a, values[i]));
        }
}

/* An axis on which nothing, or one value alone, has its place gets room around it. */
static void settle(axis *a, double margin)
{
    if (!(a->low <= a->high)) {
        a->low = 0;
        a->high = 1;
    }
    double alone = a->log ? 0.3 : fmax(fabs(a->low) * 0.1, 1e-12);
    double room = a->high > a->low ? (a->high - a->low) * margin : alone;
    a->low -= room;
    a->high += room;
}

/* 1, 2 or 5 times a power of ten: the smallest that gives at most `most` steps. */
static double round_step(double range, double most)
{
    double rough = range / most, power = pow(10, floor(log10(rough)));
    double factor = rough / power;
    return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

#define TICKS 32
typedef struct ticks {
    double values[TICKS];
    int count;
} ticks;

static void add_tick(ticks *t, const axis *a, double value)
{
    double at = position(a, value), near = 1e-9 * (a->high - a->low);
    if (t->count < TICKS && at >= a->low - near && at <= a->high + near)
        t->values[t->count++] = value;
}

/* Powers of ten, with 2 and 5 between where they are few, and only every so many where they are many. */
static void log_ticks(ticks *t, const axis *a, double most)
{
    int low = (int)floor(a->low), high = (int)floor(a->high), step = (int)ceil((a->high - a->low) / most);
    for (int power = low; power <= high; power += step) {
        add_tick(t, a, pow(10, power));
        if (a->high - a->low < 2.5) {
            add_tick(t, a, 2 * pow(10, power));
            add_tick(t, a, 5 * pow(10, power));
        }
    }
}

static void find_ticks(ticks *t, const axis *a, double most)
{
    *t = (ticks){.count = 0};
    double low = a->low, high = a->high;
    if (a->log) {
        log_ticks(t, a, most);
        if (t->count >= 2)
            return;
        t->count = 0; /* less than between two of them: as on a plain axis */
        low = pow(10, low);
        high = pow(10, high);
    }
    double step = round_step(high - low, most);
    double first = ceil(low / step - 1e-9);
    for (int i = 0; i < TICKS && (first + i) * step <= high; i++)
        add_tick(t, a, (first + i) * step);
}

/* 250k for 250000; else as short as the number allows. */
static void write_number(char out[32], double value)
{
    if (fabs(value) >= 1e6 && fabs(value) < 1e9)
        pg_print(out, 32, "%gM", value / 1e6);
    else if (fabs(value) >= 1e4 && fabs(value) < 1e6)
        pg_print(out, 32, "%gk", value / 1e3);
    else
        pg_print(out, 32, "%.6g", value + 0.0); /* no -0 */
}

/* `align`: 0 starts at x, 0.5 is centred, 1 ends there. */
static void write_text(cairo_t *cairo, const char *text, double x, double y, double align)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cairo, text, &extents);
    cairo_move_to(cairo, x - align * extents.x_advance, y);
    cairo_show_text(cairo, text);
}

static void draw_line(cairo_t *cairo, double x0, double y0, double x1, double y1)
{
    cairo_move_to(cairo, x0, y0);
    cairo_line_to(cairo, x1, y1);
    cairo_stroke(cairo);
}

static void draw_axes(cairo_t *cairo, const axis *x, const axis *y, const char *x_title)
{
    ticks t;
    char text[32];
    cairo_set_line_width(cairo, 1);
    find_ticks(&t, y, fmax(2, -y->length / 30));
    for (int i = 0; i < t.count; i++) {
        double at = round(place(y, t.values[i])) + 0.5;
        choose_gray(cairo, 0.88);
        draw_line(cairo, x->first, at, x->first + x->length, at);
        choose_gray(cairo, 0.25);
        write_number(text, t.values[i]);
        write_text(cairo, text, x->first - 7, at + 4, 1);
    }
    find_ticks(&t, x, fmax(2, x->length / 80));
    for (int i = 0; i < t.count; i++) {
        double at = round(place(x, t.values[i])) + 0.5;
        choose_gray(cairo, 0.88);
        draw_line(cairo, at, y->first, at, y->first + y->length);
        choose_gray(cairo, 0.25);
        write_number(text, t.values[i]);
        write_text(cairo, text, at, y->first + 17, 0.5);
    }
    write_text(cairo, x_title, x->first + x->length, y->first + 33, 1);
    draw_line(cairo, x->first + 0.5, y->first + y->length, x->first + 0.5, y->first);
    draw_line(cairo, x->first, y->first + 0.5, x->first + x->length, y->first + 0.5);
}

/* ---------------------------------------------------------------- curves */

/* What falls into one column of pixels is drawn as the stroke from its lowest to its highest value, so that a long run
 * is neither slow nor large. */
typedef struct column {
    double x, last, low, high;
    size_t count;
} column;

static void finish_column(cairo_t *cairo, column *c, bool *open)
{
    if (c->count == 0)
        return;
    if (*open)
        cairo_line_to(cairo, c->x, c->low);
    else
        cairo_move_to(cairo, c->x, c->low);
    if (c->count > 1) {
        cairo_line_to(cairo, c->x, c->high);
        cairo_line_to(cairo, c->x, c->last);
    }
    *open = true;
    c->count = 0;
}

static void trace_curve(cairo_t *cairo, const axis *x, const axis *y, const pg_curve *curve, const double *values)
{
    bool open = false, merge = (double)curve->count > 2 * x->length;
    column c = {0};
    for (size_t i = 0; i < curve->count; i++) {
        if (!shows(x, curve->x[i]) || !shows(y, values[i])) {
            finish_column(cairo, &c, &open);
            open = false;
            continue;
        }
        double at = place(x, curve->x[i]), height = place(y, values[i]);
        if (c.count > 0 && !(merge && fabs(at - c.x) < 0.5))
            finish_column(cairo, &c, &open);
        if (c.count++ == 0)
            c = (column){at, height, height, height, 1};
        c.low = fmin(c.low, height);
        c.high = fmax(c.high, height);
        c.last = height;
    }
    finish_column(cairo, &c, &open);
}

/* Values without neighbours, which no line shows. */
static void draw_points(cairo_t *cairo, const axis *x, const axis *y, const pg_curve *curve)
{
    for (size_t i = 0; i < curve->count; i++) {
        bool before = i > 0 && shows(y, curve->y[i - 1]), after = i + 1 < curve->count && shows(y, curve->y[i + 1]);
        if (!shows(y, curve->y[i]) || !shows(x, curve->x[i]) || before || after)
            continue;
        cairo_arc(cairo, place(x, curve->x[i]), place(y, curve->y[i]), 3, 0, 6.2832);
        cairo_fill(cairo);
    }
}

static void draw_curves(cairo_t *cairo, const axis *x, const axis *y, const pg_panel *panel)
{
    cairo_save(cairo);
    cairo_rectangle(cairo, x->first, y->first + y->length, x->length, -y->length);
    cairo_clip(cairo);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    for (size_t i = 0; i < panel->count; i++)
        if (panel->curves[i].faint) {
            choose_line(cairo, panel->curves[i].name, 0.25);
            cairo_set_line_width(cairo, 1);
            trace_curve(cairo, x, y, &panel->curves[i], panel->curves[i].faint);
            cairo_stroke(cairo);
        }
    for (size_t i = 0; i < panel->count; i++) {
        choose_line(cairo, panel->curves[i].name, 1);
        cairo_set_line_width(cairo, 1.8);
        trace_curve(cairo, x, y, &panel->curves[i], panel->curves[i].y);
        cairo_stroke(cairo);
        draw_points(cairo, x, y, &panel->curves[i]);
    }
    cairo_restore(cairo);
}

static void draw_panel(cairo_t *cairo, const pg_panel *panel, const char *x_title, const double box[4])
{
    axis x = {INFINITY, -INFINITY, box[0] + LEFT, box[2] - LEFT - RIGHT, false};
    axis y = {INFINITY, -INFINITY, box[1] + box[3] - BOTTOM, -(box[3] - TOP - BOTTOM), panel->log};
    for (size_t i = 0; i < panel->count; i++) {
        widen(&x, panel->curves[i].x, panel->curves[i].count);
        widen(&y, panel->curves[i].y, panel->curves[i].count);
        widen(&y, panel->curves[i].faint, panel->curves[i].count);
    }
    settle(&x, 0);
    settle(&y, 0.05);
    draw_axes(cairo, &x, &y, x_title);
    draw_curves(cairo, &x, &y, panel);
    choose_gray(cairo, 0.1);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
    write_text(cairo, panel->title, x.first, box[1] + 19, 0);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
}

/* ---------------------------------------------------------------- the whole */

/* Draws the legend from `top` on, or only measures it where that is negative; returns its height. One name alone needs
 * none. */
static double draw_legend(cairo_t *cairo, const pg_chart *chart, double top)
{
    double x = LEFT, y = 0;
    if (chart->name_count < 2)
        return 0;
    for (size_t i = 0; i < chart->name_count; i++) {
        cairo_text_extents_t extents;
        cairo_text_extents(cairo, chart->names[i], &extents);
        double width = SWATCH + 6 + extents.x_advance;
        if (x > LEFT && x + width > (double)chart->width - RIGHT) {
            x = LEFT;
            y += LEGEND_ROW;
        }
        if (top >= 0) {
            choose_line(cairo, i, 1);
            cairo_set_line_width(cairo, 2.5);
            draw_line(cairo, x, top + y + 8, x + SWATCH, top + y + 8);
            choose_gray(cairo, 0.1);
            write_text(cairo, chart->names[i], x + SWATCH + 6, top + y + 12, 0);
        }
        x += width + NAME_GAP;
    }
    return y + LEGEND_ROW + 6;
}

static void draw_chart(cairo_t *cairo, const pg_chart *chart)
{
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, TEXT_SIZE);
    double legend = draw_legend(cairo, chart, -1);
    size_t columns = chart->panel_count > 1 ? 2 : 1, rows = (chart->panel_count + columns - 1) / columns;
    double width = (double)chart->width / (double)columns, height = ((double)chart->height - legend) / (double)rows;
    for (size_t i = 0; i < chart->panel_count; i++) {
        size_t row = i / columns, place_in_row = i % columns;
        bool wide = i + 1 == chart->panel_count && place_in_row == 0; /* the last one of an odd number */
        const double box[4] = {width * (double)place_in_row, height * (double)row, wide ? (double)chart->width : width,
                               height};
        draw_panel(cairo, &chart->panels[i], chart->x_title, box);
    }
    draw_legend(cairo, chart, (double)chart->height - legend);
}

/* Where cairo's bytes go. */
typedef struct chart_writer {
    pg_file_writer file;
    pg_status status;
} chart_writer;

static cairo_status_t take_bytes(void *context, const unsigned char *bytes, unsigned size)
{
    chart_writer *writer = context;
    if (writer->status == PG_OK)
        writer->status = pg_file_writer_write(&writer->file, bytes, size);
    return writer->status == PG_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* Draws onto a surface and sends it to the writer. */
static cairo_status_t send(cairo_surface_t *surface, const pg_chart *chart, chart_writer *writer, bool svg)
{
    cairo_t *cairo = cairo_create(surface);
    draw_chart(cairo, chart);
    cairo_status_t result = cairo_status(cairo);
    cairo_destroy(cairo);
    if (result == CAIRO_STATUS_SUCCESS && !svg)
        result = cairo_surface_write_to_png_stream(surface, take_bytes, writer);
    cairo_surface_finish(surface); /* an SVG surface sends its bytes now at the latest */
    return result == CAIRO_STATUS_SUCCESS ? cairo_surface_status(surface) : result;
}

static bool is_svg(const char *path)
{
    size_t length = strlen(path);
    return length >= 4 && !strcmp(path + length - 4, ".svg");
}

pg_status pg_chart_save(const char *path, const pg_chart *chart)
{
    chart_writer writer = {.status = PG_OK};
    bool svg = is_svg(path);
    PG_TRY(pg_file_writer_open(&writer.file, path));
    cairo_surface_t *surface =
        svg ? cairo_svg_surface_create_for_stream(take_bytes, &writer, (double)chart->width, (double)chart->height)
            : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)chart->width, (int)chart->height);
    cairo_status_t result = send(surface, chart, &writer, svg);
    cairo_surface_destroy(surface);
    if (writer.status == PG_OK && result != CAIRO_STATUS_SUCCESS)
        writer.status = pg_fail(result == CAIRO_STATUS_NO_MEMORY ? PG_ERROR_MEMORY : PG_ERROR_FILE,
                                "%s: cannot be drawn: %s", path, cairo_status_to_string(result));
    if (writer.status == PG_OK)
        return pg_file_writer_commit(&writer.file);
    pg_file_writer_abort(&writer.file);
    return writer.status;
}

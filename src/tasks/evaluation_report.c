/* An evaluation as one HTML file: figures, how scores are distributed, and the worst cases with their pictures, which
 * are in the file as PNG. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"
#include "objects/mask.h"
#include "tasks/evaluation.h"

#define USUAL_WORST 24
#define USUAL_SIDE  320
#define BINS        10

void pg_eval_report_options_init(pg_eval_report_options *options)
{
    *options = (pg_eval_report_options){0};
    pg_image_options_init(&options->image);
}

/* ---------------------------------------------------------------- text */

static pg_status append(pg_buffer *out, const char *text)
{
    return pg_buffer_append(out, text, strlen(text));
}

/* With what HTML would take for markup written out. */
static pg_status append_escaped(pg_buffer *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        const char *entity = *at == '&'   ? "&amp;"
                             : *at == '<' ? "&lt;"
                             : *at == '>' ? "&gt;"
                             : *at == '"' ? "&quot;"
                                          : NULL;
        PG_TRY(entity ? append(out, entity) : pg_buffer_append(out, at, 1));
    }
    return PG_OK;
}

static pg_status append_base64(pg_buffer *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        three |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        three |= i + 2 < size ? bytes[i + 2] : 0;
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63], digits[three & 63]};
        if (i + 2 >= size)
            four[3] = '=';
        if (i + 1 >= size)
            four[2] = '=';
        PG_TRY(pg_buffer_append(out, four, sizeof four));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- pictures */

/* What is drawn on a case's picture. */
typedef struct drawing {
    pg_eval_objects truth;
    pg_mark *marks;
    double (*boxes)[4];
    uint8_t **masks;
    char **labels;
    size_t count;
    pg_image *image; /* scaled */
    double scale;
} drawing;

static void free_drawing(drawing *d)
{
    for (size_t i = 0; i < d->count; i++) {
        pg_free(d->masks[i]);
        pg_free(d->labels[i]);
    }
    pg_eval_objects_free(&d->truth);
    pg_free(d->marks);
    pg_free(d->boxes);
    pg_free(d->masks);
    pg_free(d->labels);
    pg_image_free(d->image);
}

static bool has_objects(const pg_evaluation *evaluation)
{
    return evaluation->task == PG_EVAL_DETECT || evaluation->task == PG_EVAL_SEGMENT ||
           evaluation->task == PG_EVAL_REFCOCO;
}

static size_t scaled(size_t length, double scale)
{
    double pixels = round((double)length * scale);
    return pixels < 1 ? 1 : (size_t)pixels;
}

static pg_status shrink(drawing *d, pg_image *image, size_t side)
{
    size_t width = pg_image_width(image), height = pg_image_height(image), longer = width > height ? width : height;
    d->scale = longer > side ? (double)side / (double)longer : 1;
    pg_status status =
        pg_image_resize(&d->image, image, scaled(width, d->scale), scaled(height, d->scale), PG_RESIZE_PILLOW13);
    pg_image_free(image);
    return status;
}

/* The nearest pixels of the full mask. */
static pg_status scale_mask(uint8_t **out, const drawing *d, const pg_runs *runs)
{
    size_t width = pg_image_width(d->image), height = pg_image_height(d->image);
    pg_mask full;
    PG_TRY(pg_mask_new(&full, runs->width, runs->height));
    pg_mask_add_runs(&full, runs);
    *out = pg_alloc(width * height, 1);
    for (size_t y = 0; *out && y < height; y++)
        for (size_t x = 0; x < width; x++)
            (*out)[y * width + x] = full.pixels[y * full.height / height * full.width + x * full.width / width];
    pg_mask_free(&full);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status add_mark(drawing *d, const pg_eval_object *object, bool truth)
{
    size_t i = d->count++;
    pg_buffer label = {0};
    PG_TRY(pg_buffer_print(&label, truth ? "%s (true)" : "%s", object->label));
    d->labels[i] = label.data;
    for (int k = 0; k < 4; k++)
        d->boxes[i][k] = object->box[k] * d->scale;
    if (object->mask.lengths)
        PG_TRY(scale_mask(&d->masks[i], d, &object->mask));
    d->marks[i] = (pg_mark){d->labels[i], truth ? NAN : object->score, d->boxes[i], d->masks[i]};
    return PG_OK;
}

static pg_status mark_objects(drawing *d, const pg_evaluation *evaluation, const pg_eval_item *item)
{
    for (size_t i = 0; i < item->references.count; i++)
        PG_TRY(pg_eval_objects_read(&d->truth, evaluation, item, item->references.items[i]));
    size_t count = d->truth.count + item->objects.count;
    d->marks = pg_alloc(count, sizeof *d->marks);
    d->boxes = pg_alloc(count, sizeof *d->boxes);
    d->masks = pg_alloc(count, sizeof *d->masks);
    d->labels = pg_alloc(count, sizeof *d->labels);
    if (!d->marks || !d->boxes || !d->masks || !d->labels)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < d->truth.count; i++)
        PG_TRY(add_mark(d, &d->truth.items[i], true));
    for (size_t i = 0; i < item->objects.count; i++)
        PG_TRY(add_mark(d, &item->objects.items[i], false));
    pg_image *drawn;
    PG_TRY(pg_image_draw_marks(&drawn, d->image, d->marks, d->count, NULL));
    pg_image_free(d->image);
    d->image = drawn;
    return PG_OK;
}

static pg_status append_image(pg_buffer *out, const pg_image *image)
{
    uint8_t *bytes;
    size_t size;
    PG_TRY(pg_image_encode_png(&bytes, &size, image));
    pg_status status = append(out, "<img alt=\"\" src=\"data:image/png;base64,");
    if (status == PG_OK)
        status = append_base64(out, bytes, size);
    if (status == PG_OK)
        status = append(out, "\">\n");
    pg_free(bytes);
    return status;
}

static pg_status append_picture(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_item *item,
                                const pg_row_image *stored, const pg_eval_report_options *options)
{
    drawing d = {0};
    pg_image *image;
    pg_status status = pg_eval_read_image(&image, stored, &options->image);
    if (status == PG_OK)
        status = shrink(&d, image, options->side ? options->side : USUAL_SIDE);
    if (status == PG_OK && has_objects(evaluation) && item->width)
        status = mark_objects(&d, evaluation, item);
    if (status == PG_OK)
        status = append_image(out, d.image);
    free_drawing(&d);
    return status;
}

/* A picture that cannot be read is not there. */
static pg_status append_pictures(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_item *item,
                                 const pg_eval_report_options *options)
{
    pg_data_row *row;
    PG_TRY(pg_dataset_row(&row, evaluation->dataset, item->row));
    pg_status status = PG_OK;
    for (size_t i = 0; i < row->image_count && status != PG_ERROR_MEMORY; i++)
        status = append_picture(out, evaluation, item, &row->images[i], options);
    pg_data_row_free(row);
    return status == PG_ERROR_MEMORY ? status : PG_OK;
}

/* ---------------------------------------------------------------- parts of the page */

static const char style[] =
    "body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
    "table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}"
    ".bar{background:#0072b2;height:.9em}.cases{display:grid;grid-template-columns:repeat(auto-fill,minmax(20em,1fr));"
    "gap:1.5em}.case{border:1px solid #ccc;padding:.8em;overflow-wrap:anywhere}.case img{max-width:100%}"
    "dl{margin:0}dt{color:#666;font-size:.85em}dd{margin:0 0 .4em}";

static pg_status append_head(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_report_options *options)
{
    pg_buffer title = {0};
    pg_status status = options->title ? pg_buffer_print(&title, "%s", options->title)
                                      : pg_buffer_print(&title, "%s: %s", pg_eval_task_name(evaluation->task),
                                                        pg_dataset_path(evaluation->dataset));
    for (int i = 0; i < 2 && status == PG_OK; i++) { /* as the window's title, and on the page */
        status = append(out, i ? "</style></head><body>\n<h1>"
                               : "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
                                 "charset=\"utf-8\">\n<title>");
        if (status == PG_OK)
            status = append_escaped(out, title.data);
        if (status == PG_OK)
            status = i ? append(out, "</h1>\n") : pg_buffer_print(out, "</title>\n<style>%s", style);
    }
    pg_buffer_free(&title);
    return status == PG_OK ? pg_buffer_print(out, "<p>%zu cases</p>\n", evaluation->count) : status;
}

static pg_status append_figures(pg_buffer *out, const pg_evaluation *evaluation)
{
    PG_TRY(append(out, "<table>\n"));
    for (size_t i = 0; i < evaluation->figure_count; i++) {
        PG_TRY(append(out, "<tr><td>"));
        PG_TRY(append_escaped(out, evaluation->figures[i].name));
        PG_TRY(pg_buffer_print(out, "</td><td class=\"number\">%.4f</td></tr>\n", evaluation->figures[i].value));
    }
    return append(out, "</table>\n");
}

/* How many cases have which score, in equal steps up to the best. */
static pg_status append_scores(pg_buffer *out, const pg_evaluation *evaluation)
{
    size_t counts[BINS] = {0}, most = 1;
    double top = 1;
    for (size_t i = 0; i < evaluation->count; i++)
        top = fmax(top, evaluation->items[i].score);
    for (size_t i = 0; i < evaluation->count; i++) {
        size_t bin = (size_t)(fmax(0, evaluation->items[i].score) / top * BINS);
        bin = bin < BINS ? bin : BINS - 1;
        counts[bin]++;
        most = counts[bin] > most ? counts[bin] : most;
    }
    PG_TRY(append(out, "<h2>Scores of cases</h2>\n<table>\n"));
    for (size_t i = 0; i < BINS; i++)
        PG_TRY(pg_buffer_print(out,
                               "<tr><td>%.2f to %.2f</td><td class=\"number\">%zu</td><td style=\"width:20em\"><div "
                               "class=\"bar\" style=\"width:%.1f%%\"></div></td></tr>\n",
                               top * (double)i / BINS, top * (double)(i + 1) / BINS, counts[i],
                               100 * (double)counts[i] / (double)most));
    return append(out, "</table>\n");
}

static pg_status append_field(pg_buffer *out, const char *name, const char *text)
{
    PG_TRY(pg_buffer_print(out, "<dt>%s</dt><dd>", name));
    PG_TRY(append_escaped(out, text));
    return append(out, "</dd>\n");
}

static pg_status append_case(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_item *item,
                             const pg_eval_report_options *options)
{
    PG_TRY(append(out, "<div class=\"case\">\n"));
    PG_TRY(append_pictures(out, evaluation, item, options));
    PG_TRY(pg_buffer_print(out, "<dl><dt>score</dt><dd>%.3f</dd>\n", item->score));
    if (*item->prompt)
        PG_TRY(append_field(out, "prompt", item->prompt));
    PG_TRY(append_field(out, item->error ? "no answer" : "answer", item->error ? item->error : item->prediction));
    for (size_t i = 0; i < item->references.count; i++)
        PG_TRY(append_field(out, "right", item->references.items[i]));
    PG_TRY(append_field(out, "place", item->place));
    return append(out, "</dl></div>\n");
}

/* ---------------------------------------------------------------- the page */

static int compare_scores(const void *a, const void *b)
{
    const pg_eval_item *one = *(const pg_eval_item *const *)a, *other = *(const pg_eval_item *const *)b;
    if (one->score != other->score)
        return one->score < other->score ? -1 : 1;
    return (one > other) - (one < other);
}

static pg_status append_worst(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_report_options *options)
{
    const pg_eval_item **items = pg_alloc(evaluation->count, sizeof *items);
    size_t shown = options->worst ? options->worst : USUAL_WORST;
    if (!items)
        return PG_ERROR_MEMORY;
    shown = shown < evaluation->count ? shown : evaluation->count;
    for (size_t i = 0; i < evaluation->count; i++)
        items[i] = &evaluation->items[i];
    qsort(items, evaluation->count, sizeof *items, compare_scores);
    pg_status status = append(out, "<h2>The worst cases</h2>\n<div class=\"cases\">\n");
    for (size_t i = 0; i < shown && status == PG_OK; i++)
        status = append_case(out, evaluation, items[i], options);
    pg_free(items);
    return status == PG_OK ? append(out, "</div>\n") : status;
}

static pg_status make_page(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_report_options *options)
{
    PG_TRY(append_head(out, evaluation, options));
    PG_TRY(append_figures(out, evaluation));
    PG_TRY(append_scores(out, evaluation));
    PG_TRY(append_worst(out, evaluation, options));
    return append(out, "</body></html>\n");
}

static pg_status save(const char *path, const pg_buffer *page)
{
    pg_file_writer file;
    PG_TRY(pg_file_writer_open(&file, path));
    pg_status status = pg_file_writer_write(&file, page->data, page->size);
    if (status == PG_OK)
        return pg_file_writer_commit(&file);
    pg_file_writer_abort(&file);
    return status;
}

pg_status pg_evaluation_report(const pg_evaluation *evaluation, const char *path, const pg_eval_report_options *options)
{
    pg_eval_report_options usual;
    pg_buffer page = {0};
    pg_eval_report_options_init(&usual);
    if (!evaluation->figure_count)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: nothing was measured yet", path);
    pg_status status = make_page(&page, evaluation, options ? options : &usual);
    if (status == PG_OK)
        status = save(path, &page);
    pg_buffer_free(&page);
    return status;
}

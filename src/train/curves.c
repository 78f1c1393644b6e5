/* pg_plot_save: the records of runs as curves. A panel shows the tags that end alike ("loss", "validation/loss"). */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "image/chart.h"
#include "train/run_records.h"

#define LARGEST_FILE ((size_t)4 << 30)
#define PANELS_MOST  64
#define SIDE_LEAST   200
#define SIDE_MOST    20000

/* One tag of one run. */
typedef struct series {
    size_t run;
    char *tag;
    const char *panel; /* what follows the tag's last "/" */
    double *x, *y, *smooth;
    size_t count, x_capacity, y_capacity;
    size_t name;
} series;

typedef struct plot {
    const char *const *runs;
    size_t run_count;
    const pg_plot_options *options;
    series *series;
    size_t count, capacity;
    char **names; /* of the legend */
    size_t name_count;
    pg_panel *panels;
    pg_curve *curves;
    size_t panel_count;
} plot;

void pg_plot_options_init(pg_plot_options *options)
{
    *options = (pg_plot_options){.width = 900};
}

/* ---------------------------------------------------------------- reading */

static bool wanted(const plot *p, const char *tag, const char *panel)
{
    for (size_t i = 0; i < p->options->tag_count; i++)
        if (!strcmp(p->options->tags[i], tag) || !strcmp(p->options->tags[i], panel))
            return true;
    return p->options->tag_count == 0;
}

/* The series of a record; a new one where it is the first. NULL: no memory. */
static series *series_of(plot *p, size_t run, const pg_record *record)
{
    for (size_t i = p->count; i-- > 0 && p->series[i].run == run;)
        if (strlen(p->series[i].tag) == record->tag_size && !memcmp(p->series[i].tag, record->tag, record->tag_size))
            return &p->series[i];
    if (pg_grow((void **)&p->series, &p->capacity, p->count + 1, sizeof *p->series) != PG_OK)
        return NULL;
    series *s = &p->series[p->count];
    *s = (series){.run = run, .tag = pg_copy_text(record->tag, record->tag_size)};
    if (!s->tag)
        return NULL;
    const char *slash = strrchr(s->tag, '/');
    s->panel = slash && slash[1] ? slash + 1 : s->tag;
    p->count++;
    return s;
}

static pg_status add_record(plot *p, size_t run, const pg_record *record)
{
    series *s = series_of(p, run, record);
    if (!s)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_grow((void **)&s->x, &s->x_capacity, s->count + 1, sizeof *s->x));
    PG_TRY(pg_grow((void **)&s->y, &s->y_capacity, s->count + 1, sizeof *s->y));
    s->x[s->count] = (double)record->step;
    s->y[s->count++] = record->value;
    return PG_OK;
}

/* A last line may be unfinished: the run goes on, or was killed. */
static pg_status read_records(plot *p, size_t run, const pg_buffer *text, const char *path)
{
    pg_record record;
    size_t offset = 0, lines = 2, before = p->count;
    for (; pg_record_next(&record, text->data, text->size, &offset); lines++)
        PG_TRY(add_record(p, run, &record));
    if (memchr(text->data + offset, '\n', text->size - offset) && offset > 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: line %zu is not step,time,tag,value", path, lines);
    if (p->count == before)
        return pg_fail(PG_ERROR_FORMAT, "%s: no records of a run: expected lines of step,time,tag,value", path);
    return PG_OK;
}

static pg_status read_run(plot *p, size_t run)
{
    pg_buffer path = {0}, text = {0};
    pg_status status;
    if (pg_file_is_folder(p->runs[run]))
        PG_TRY_GOTO(pg_file_join(&path, p->runs[run], PG_RECORDS_CSV));
    else
        PG_TRY_GOTO(pg_buffer_print(&path, "%s", p->runs[run]));
    PG_TRY_GOTO(pg_file_read(&text, path.data, LARGEST_FILE));
    status = read_records(p, run, &text, path.data);
done:
    pg_buffer_free(&path);
    pg_buffer_free(&text);
    return status;
}

static void free_series(series *s)
{
    pg_free(s->tag);
    pg_free(s->x);
    pg_free(s->y);
    pg_free(s->smooth);
}

/* Forgets the tags that nobody asked for. */
static pg_status choose_tags(plot *p)
{
    pg_buffer known = {0};
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        series s = p->series[i];
        if (wanted(p, s.tag, s.panel)) {
            p->series[i] = p->series[kept];
            p->series[kept++] = s;
        }
    }
    if (kept > 0) {
        while (p->count > kept)
            free_series(&p->series[--p->count]);
        return PG_OK;
    }
    pg_status status = PG_OK;
    for (size_t i = 0; i < p->count && status == PG_OK; i++)
        status = pg_buffer_print(&known, "%s%s", i ? ", " : "", p->series[i].tag);
    if (status == PG_OK)
        status = pg_fail(PG_ERROR_ARGUMENT, "none of the wanted tags is there: the runs have %s", known.data);
    pg_buffer_free(&known);
    return status;
}

/* ---------------------------------------------------------------- smoothing, names, panels */

/* A running mean with weights falling by the factor `weight`; each is divided by the sum of its weights, so that the
 * beginning is not drawn to 0. Gaps stay gaps. */
static pg_status smooth(series *s, double weight)
{
    s->smooth = pg_alloc(s->count, sizeof *s->smooth);
    if (!s->smooth)
        return PG_ERROR_MEMORY;
    double sum = 0, weights = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (isfinite(s->y[i])) {
            sum = weight * sum + (1 - weight) * s->y[i];
            weights = weight * weights + (1 - weight);
        }
        s->smooth[i] = isfinite(s->y[i]) ? sum / weights : NAN;
    }
    return PG_OK;
}

/* The last part of a path: of scalars.csv itself, its folder's. */
static void run_name(const char **out, size_t *size, const char *path)
{
    size_t end = strlen(path), first;
    const size_t csv = sizeof PG_RECORDS_CSV - 1;
    if (end > csv && !strcmp(path + end - csv, PG_RECORDS_CSV) && path[end - csv - 1] == '/')
        end -= csv;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (first = end; first > 0 && path[first - 1] != '/'; first--)
        continue;
    *out = path + first;
    *size = end - first;
}

/* "run validation", or without what all have in common. */
static pg_status name_series(const plot *p, pg_buffer *out, const series *s)
{
    const char *run;
    size_t run_size, prefix = s->panel > s->tag ? (size_t)(s->panel - s->tag) - 1 : 0;
    run_name(&run, &run_size, p->runs[s->run]);
    pg_buffer_reset(out);
    if (p->run_count == 1)
        return prefix ? pg_buffer_append(out, s->tag, prefix) : pg_buffer_print(out, "training");
    PG_TRY(pg_buffer_append(out, run, run_size));
    return prefix ? pg_buffer_print(out, " %.*s", (int)prefix, s->tag) : PG_OK;
}

static pg_status name_all(plot *p)
{
    pg_buffer name = {0};
    pg_status status = PG_OK;
    p->names = pg_alloc(p->count, sizeof *p->names);
    if (!p->names)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < p->count; i++) {
        size_t n = 0;
        PG_TRY_GOTO(name_series(p, &name, &p->series[i]));
        while (n < p->name_count && strcmp(p->names[n], name.data) != 0)
            n++;
        if (n == p->name_count && !(p->names[p->name_count++] = pg_copy_text(name.data, name.size))) {
            status = PG_ERROR_MEMORY;
            goto done;
        }
        p->series[i].name = n;
    }
done:
    pg_buffer_free(&name);
    return status;
}

/* Series of one panel lie together in `curves`. */
static pg_status make_panels(plot *p)
{
    size_t curves = 0;
    p->panels = pg_alloc(p->count, sizeof *p->panels);
    p->curves = pg_alloc(p->count, sizeof *p->curves);
    if (!p->panels || !p->curves)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < p->count; i++) {
        size_t seen = 0;
        while (strcmp(p->series[seen].panel, p->series[i].panel) != 0)
            seen++;
        if (seen < i)
            continue; /* its panel is there */
        pg_panel *panel = &p->panels[p->panel_count++];
        *panel = (pg_panel){p->series[i].panel, p->curves + curves, 0, p->options->log};
        for (size_t j = i; j < p->count; j++)
            if (!strcmp(p->series[j].panel, panel->title)) {
                const series *s = &p->series[j];
                p->curves[curves++] =
                    (pg_curve){s->name, s->x, s->smooth ? s->smooth : s->y, s->smooth ? s->y : NULL, s->count};
                panel->count++;
            }
    }
    return PG_OK;
}

/* The weight is that of the past in the longest series: one that is recorded more rarely forgets as much more with each
 * value, so that the same stretch of the run is averaged. */
static pg_status smooth_all(plot *p)
{
    size_t longest = 0;
    for (size_t i = 0; i < p->count; i++)
        longest = p->series[i].count > longest ? p->series[i].count : longest;
    for (size_t i = 0; i < p->count; i++)
        PG_TRY(smooth(&p->series[i], pow(p->options->smooth, (double)longest / (double)p->series[i].count)));
    return PG_OK;
}

/* ---------------------------------------------------------------- the call */

static pg_status check(const char *path, size_t run_count, const pg_plot_options *o)
{
    size_t length = strlen(path);
    if (length < 4 || (strcmp(path + length - 4, ".png") != 0 && strcmp(path + length - 4, ".svg") != 0))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the name of a picture ends in .png or .svg", path);
    if (run_count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "no run to plot");
    if (!(o->smooth >= 0 && o->smooth < 1))
        return pg_fail(PG_ERROR_ARGUMENT, "smoothing is %g, expected 0 or more and less than 1", o->smooth);
    if (o->width < SIDE_LEAST || o->width > SIDE_MOST ||
        (o->height && (o->height < SIDE_LEAST || o->height > SIDE_MOST)))
        return pg_fail(PG_ERROR_ARGUMENT, "a picture of %zu x %zu: expected sides of %d to %d", o->width, o->height,
                       SIDE_LEAST, SIDE_MOST);
    return PG_OK;
}

static pg_status save(const plot *p, const char *path)
{
    if (p->panel_count > PANELS_MOST)
        return pg_fail(PG_ERROR_LIMIT, "%zu panels are too many for one picture: choose some of the tags",
                       p->panel_count);
    size_t rows = (p->panel_count + 1) / 2;
    pg_chart chart = {.panels = p->panels,
                      .panel_count = p->panel_count,
                      .names = (const char *const *)p->names,
                      .name_count = p->name_count,
                      .x_title = "step",
                      .width = p->options->width,
                      .height = p->options->height};
    if (chart.height == 0)
        chart.height = rows <= 2 ? 500 : 250 * rows;
    return pg_chart_save(path, &chart);
}

static void free_plot(plot *p)
{
    for (size_t i = 0; i < p->count; i++)
        free_series(&p->series[i]);
    for (size_t i = 0; i < p->name_count; i++)
        pg_free(p->names[i]);
    pg_free(p->series);
    pg_free(p->names);
    pg_free(p->panels);
    pg_free(p->curves);
}

pg_status pg_plot_save(const char *path, const char *const *runs, size_t count, const pg_plot_options *options)
{
    pg_plot_options defaults;
    pg_plot_options_init(&defaults);
    plot p = {.runs = runs, .run_count = count, .options = options ? options : &defaults};
    pg_status status;
    PG_TRY(check(path, count, p.options));
    for (size_t run = 0; run < count; run++)
        PG_TRY_GOTO(read_run(&p, run));
    PG_TRY_GOTO(choose_tags(&p));
    if (p.options->smooth > 0)
        PG_TRY_GOTO(smooth_all(&p));
    PG_TRY_GOTO(name_all(&p));
    PG_TRY_GOTO(make_panels(&p));
    status = save(&p, path);
done:
    free_plot(&p);
    return status;
}

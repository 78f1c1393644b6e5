/* Rows of any file as JSON lines: some are made at a time, by several threads, and written in their order. */
#include <string.h>

#include "base/paths.h"
#include "base/threads.h"
#include "data/dataset.h"

#define AT_ONCE     256 /* rows in memory */
#define SHARE_AFTER 100 /* rows, before a share of bad ones says anything */

/* A row's line, or why there is none. */
typedef struct converted {
    pg_status status;
    char *text;
} converted;

typedef struct conversion {
    const pg_dataset *dataset;
    pg_convert_options options;
    pg_buffer folder; /* of the file, resolved */
    pg_file_writer file;
    converted rows[AT_ONCE];
    size_t first, written, bad;
} conversion;

void pg_convert_options_init(pg_convert_options *options)
{
    *options = (pg_convert_options){.bad_share = 0.01};
}

/* ---------------------------------------------------------------- a line */

static json_t *name_picture(const conversion *run, const pg_row_image *image, pg_status *status)
{
    pg_buffer path = {0};
    if (image->bytes)
        *status =
            pg_fail(PG_ERROR_UNSUPPORTED, "%s: pictures in archives have no path that a line could name", image->name);
    else
        *status = pg_path_relative(&path, run->folder.data, image->name);
    json_t *name = *status == PG_OK ? json_string(path.data) : NULL;
    if (*status == PG_OK && !name)
        *status = pg_fail(PG_ERROR_FORMAT, "%s: the name of a picture is not UTF-8", image->name);
    pg_buffer_free(&path);
    return name;
}

/* One name, or a list of them. */
static pg_status set_pictures(json_t *line, const conversion *run, const pg_data_row *row)
{
    pg_status status = PG_OK;
    json_t *list = json_array();
    for (size_t i = 0; status == PG_OK && i < row->image_count; i++) {
        json_t *name = name_picture(run, &row->images[i], &status);
        if (status == PG_OK && json_array_append_new(list, name) != 0)
            status = pg_fail(PG_ERROR_MEMORY, "out of memory");
    }
    bool one = row->image_count == 1;
    if (status == PG_OK && row->image_count &&
        json_object_set(line, "image", one ? json_array_get(list, 0) : list) != 0)
        status = pg_fail(PG_ERROR_MEMORY, "out of memory");
    json_decref(list);
    return status;
}

static int set_text(json_t *line, const char *key, const char *text)
{
    return text ? json_object_set_new(line, key, json_string(text)) : 0;
}

static json_t *make_label(const conversion *run, int64_t label)
{
    const char *name = label >= 0 ? pg_dataset_label(run->dataset, (size_t)label) : NULL;
    return name ? json_string(name) : json_integer(label);
}

static int set_label(json_t *line, const conversion *run, const pg_data_row *row)
{
    if (row->kind != PG_ROW_LABEL)
        return 0;
    if (!row->patch_labels)
        return json_object_set_new(line, "label", make_label(run, row->label));
    json_t *list = json_array();
    int failed = list == NULL;
    for (size_t i = 0; !failed && i < row->patch_count; i++)
        failed = json_array_append_new(list, make_label(run, row->patch_labels[i]));
    return failed | json_object_set_new(line, "label", list);
}

/* What is said of a picture stays a text, unless a prompt was given for it: then it is the answer. */
static pg_status set_fields(json_t *line, const conversion *run, const pg_data_row *row)
{
    bool text = row->kind == PG_ROW_TEXT, prompted = !text || (row->image_count && run->dataset->text.prefix);
    PG_TRY(set_pictures(line, run, row));
    int failed = set_text(line, "prefix", prompted ? row->prefix : NULL) |
                 set_text(line, text && prompted ? "suffix" : "text", row->text) |
                 set_text(line, "suffix", row->suffix) | set_text(line, "chosen", row->chosen) |
                 set_text(line, "rejected", row->rejected) | set_label(line, run, row);
    return failed ? pg_fail(PG_ERROR_MEMORY, "out of memory") : PG_OK;
}

static pg_status print_row(char **out, const conversion *run, const pg_data_row *row)
{
    pg_buffer text = {0};
    json_t *line = json_object();
    pg_status status = set_fields(line, run, row);
    if (status == PG_OK)
        status = pg_json_append(&text, line);
    if (status == PG_OK)
        status = pg_buffer_append(&text, "\n", 1);
    if (status == PG_OK)
        *out = text.data;
    else
        pg_buffer_free(&text);
    json_decref(line);
    return status;
}

/* ---------------------------------------------------------------- some rows */

static pg_status convert_row(char **out, const conversion *run, size_t index)
{
    pg_data_row *row;
    char *place;
    PG_TRY(pg_dataset_row(&row, run->dataset, index));
    pg_status status = print_row(out, run, row);
    pg_data_row_free(row);
    if (status == PG_OK || status == PG_ERROR_MEMORY)
        return status;
    PG_TRY(pg_dataset_place(&place, run->dataset, index));
    status = pg_fail_context(status, "%s", place);
    pg_free(place);
    return status;
}

/* The text of an error is its thread's, so it is taken along. */
static void convert_task(void *context, int64_t index, int worker)
{
    conversion *run = context;
    converted *row = &run->rows[index];
    (void)worker;
    row->text = NULL;
    row->status = convert_row(&row->text, run, run->first + (size_t)index);
    if (row->status != PG_OK)
        row->text = pg_copy_text(pg_error_last(), SIZE_MAX);
}

/* A bad row is left out; what would be the matter with all rows ends the conversion. */
static pg_status take_bad(conversion *run, const converted *row)
{
    if (row->status == PG_ERROR_MEMORY || !row->text)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    if (row->status != PG_ERROR_FORMAT && row->status != PG_ERROR_FILE && row->status != PG_ERROR_LIMIT)
        return pg_fail(row->status, "%s", row->text);
    run->bad++;
    if (run->options.on_bad)
        run->options.on_bad(run->options.user, row->text);
    size_t seen = run->written + run->bad;
    if ((double)run->bad > run->options.bad_share * (double)(seen > SHARE_AFTER ? seen : SHARE_AFTER))
        return pg_fail(PG_ERROR_FORMAT, "%zu of %zu rows are bad, the last because of %s", run->bad, seen, row->text);
    return PG_OK;
}

static pg_status write_some(conversion *run, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const converted *row = &run->rows[i];
        if (row->status != PG_OK) {
            PG_TRY(take_bad(run, row));
            continue;
        }
        PG_TRY(pg_file_writer_write(&run->file, row->text, strlen(row->text)));
        run->written++;
    }
    return PG_OK;
}

static pg_status convert_some(conversion *run)
{
    const pg_convert_options *options = &run->options;
    size_t left = run->dataset->count - run->first, count = left < AT_ONCE ? left : AT_ONCE;
    pg_parallel(options->threads ? options->threads : pg_threads_default(), (int64_t)count, convert_task, run);
    pg_status status = write_some(run, count);
    for (size_t i = 0; i < count; i++)
        pg_free(run->rows[i].text);
    run->first += count;
    PG_TRY(status);
    if (options->on_progress && !options->on_progress(options->user, run->first, run->dataset->count))
        return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    return PG_OK;
}

/* ---------------------------------------------------------------- all of them */

static pg_status convert_all(conversion *run)
{
    while (run->first < run->dataset->count)
        PG_TRY(convert_some(run));
    return run->written ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: has no row that can be used", run->dataset->text.path);
}

static pg_status start(conversion *run, const char *path)
{
    pg_buffer folder = {0};
    if (run->options.threads < 0 || run->options.threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to %d", run->options.threads, PG_THREADS_MAX);
    if (run->dataset->row_kind == PG_ROW_MASK)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: masks alone are no rows to answer; coco-segment and mask-folders have their pictures and "
                       "names",
                       run->dataset->text.path);
    pg_status status = pg_path_folder(&folder, path);
    if (status == PG_OK)
        status = pg_path_resolve(&run->folder, folder.data);
    pg_buffer_free(&folder);
    return status;
}

pg_status pg_dataset_convert(size_t *written, const char *path, const pg_dataset *dataset,
                             const pg_convert_options *options)
{
    conversion *run = pg_alloc(1, sizeof *run);
    if (!run)
        return PG_ERROR_MEMORY;
    run->dataset = dataset;
    pg_convert_options_init(&run->options);
    if (options)
        run->options = *options;
    pg_status status;
    PG_TRY_GOTO(start(run, path));
    PG_TRY_GOTO(pg_file_writer_open(&run->file, path));
    status = convert_all(run);
    if (status == PG_OK)
        status = pg_file_writer_commit(&run->file);
    else
        pg_file_writer_abort(&run->file);
    if (written)
        *written = run->written;
done:
    pg_buffer_free(&run->folder);
    pg_free(run);
    return status;
}

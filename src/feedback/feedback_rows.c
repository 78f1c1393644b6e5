/*
 * Judged answers as rows to train on. Supervised: {"image", "prefix", "suffix"}; preferences: {"image", "prefix",
 * "chosen", "rejected"}. Pictures go first, into NAME.pictures beside NAME.jsonl, so that the rows never name one that
 * is not there; a picture's name is its hash, so one that an earlier export left is the same.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "feedback/store.h"

typedef struct row_writer {
    pg_feedback_store *store;
    pg_buffer folder, base; /* of the pictures: as it is opened, and as rows name it */
    pg_buffer bytes, path, line;
    pg_file_writer file;
    pg_feedback_export_report report;
} row_writer;

void pg_feedback_export_options_init(pg_feedback_export_options *options)
{
    *options = (pg_feedback_export_options){.kind = PG_ROW_SUFFIX};
}

/* NAME.pictures of FOLDER/NAME.jsonl. */
static pg_status name_folder(row_writer *w, const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    PG_TRY(pg_buffer_print(&w->base, "%.*s.pictures", stem, name));
    return pg_buffer_print(&w->folder, "%.*s%s", (int)(name - path), path, w->base.data);
}

/* Names of picture files end as people expect it; what reads them goes by their content. */
static const char *ending_of(const pg_buffer *bytes)
{
    static const struct kind {
        const char *ending, *magic;
        size_t size;
    } kinds[] = {
        {"jpg", "\xff\xd8\xff", 3}, {"png", "\x89PNG", 4}, {"webp", "RIFF", 4}, {"gif", "GIF8", 4}, {"bmp", "BM", 2},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (bytes->size >= kinds[i].size && !memcmp(bytes->data, kinds[i].magic, kinds[i].size))
            return kinds[i].ending;
    return "image";
}

static pg_status write_picture(row_writer *w, const char *path)
{
    pg_file_writer file;
    if (mkdir(w->folder.data, 0777) != 0 && errno != EEXIST)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be made", w->folder.data);
    PG_TRY(pg_file_writer_open(&file, path));
    pg_status status = pg_file_writer_write(&file, w->bytes.data, w->bytes.size);
    if (status != PG_OK) {
        pg_file_writer_abort(&file);
        return status;
    }
    PG_TRY(pg_file_writer_commit(&file));
    w->report.pictures++;
    return PG_OK;
}

/* Adds the picture's name to `names`; *kept: whether it could be had. */
static pg_status export_picture(bool *kept, row_writer *w, json_t *names, const char *hash)
{
    pg_buffer_reset(&w->bytes);
    PG_TRY(pg_feedback_find_picture(&w->bytes, kept, w->store, hash));
    if (!*kept)
        return PG_OK;
    pg_buffer_reset(&w->path);
    PG_TRY(pg_buffer_print(&w->path, "%s/%s.%s", w->folder.data, hash, ending_of(&w->bytes)));
    if (!pg_file_exists(w->path.data))
        PG_TRY(write_picture(w, w->path.data));
    json_t *name = json_sprintf("%s/%s.%s", w->base.data, hash, ending_of(&w->bytes));
    return json_array_append_new(names, name) == 0 ? PG_OK : pg_fail_memory(0);
}

/* `hashes`: with blanks between them; what is none is a picture that was not kept. */
static pg_status export_pictures(bool *kept, row_writer *w, json_t *names, const char *hashes)
{
    *kept = true;
    while (*hashes && *kept) {
        char hash[PG_FEEDBACK_HASH] = "";
        size_t size = strcspn(hashes, " ");
        *kept = size < sizeof hash && strspn(hashes, "0123456789abcdef") == size;
        if (!*kept)
            break;
        memcpy(hash, hashes, size);
        PG_TRY(export_picture(kept, w, names, hash));
        hashes += size + (hashes[size] == ' ');
    }
    return PG_OK;
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return json_object_set_new(object, key, json_string(text));
}

/* One picture is a name, several are a list, none is no key. */
static pg_status describe_row(json_t *object, const pg_feedback_row *row, json_t *names)
{
    int failed = 0;
    if (json_array_size(names) == 1)
        failed |= json_object_set(object, "image", json_array_get(names, 0));
    else if (json_array_size(names) > 1)
        failed |= json_object_set(object, "image", names);
    failed |= set_text(object, "prefix", row->prompt);
    failed |= set_text(object, row->rejected ? "chosen" : "suffix", row->answer);
    if (row->rejected)
        failed |= set_text(object, "rejected", row->rejected);
    return failed ? pg_fail(PG_ERROR_FORMAT, "%.40s: not UTF-8, or no memory left", row->prompt) : PG_OK;
}

static pg_status write_line(row_writer *w, const json_t *object)
{
    pg_buffer_reset(&w->line);
    PG_TRY(pg_json_append(&w->line, object));
    PG_TRY(pg_buffer_append(&w->line, "\n", 1));
    w->report.rows++;
    return pg_file_writer_write(&w->file, w->line.data, w->line.size);
}

static pg_status write_row(void *user, const pg_feedback_row *row)
{
    row_writer *w = user;
    bool kept;
    pg_status status = PG_OK;
    json_t *names = json_array(), *object = json_object();
    if (!names || !object)
        PG_TRY_GOTO(pg_fail_memory(0));
    PG_TRY_GOTO(export_pictures(&kept, w, names, row->pictures));
    if (!kept) {
        w->report.left_out++;
        goto done;
    }
    PG_TRY_GOTO(describe_row(object, row, names));
    PG_TRY_GOTO(write_line(w, object));
done:
    json_decref(names);
    json_decref(object);
    return status;
}

static pg_status fail_empty(const row_writer *w)
{
    const char *path = pg_feedback_path(w->store);
    if (w->report.left_out)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: no rows to export: the pictures of all %zu were not kept", path,
                       w->report.left_out);
    return pg_fail(PG_ERROR_ARGUMENT, "%s: no rows to export: no answer was corrected, or is better than another",
                   path);
}

static pg_status write_rows(row_writer *w, const char *path, const pg_feedback_export_options *options)
{
    if (options->kind != PG_ROW_SUFFIX && options->kind != PG_ROW_PREFERENCE)
        return pg_fail(PG_ERROR_ARGUMENT, "feedback becomes suffixes or preferences, not rows of another kind");
    PG_TRY(name_folder(w, path));
    PG_TRY(pg_file_writer_open(&w->file, path));
    pg_status status = pg_feedback_visit_rows(w->store, options, write_row, w);
    if (status == PG_OK && w->report.rows == 0)
        status = fail_empty(w);
    if (status == PG_OK)
        return pg_file_writer_commit(&w->file);
    pg_file_writer_abort(&w->file);
    return status;
}

pg_status pg_feedback_export(pg_feedback_export_report *out, pg_feedback_store *store, const char *path,
                             const pg_feedback_export_options *options)
{
    pg_feedback_export_options defaults;
    pg_feedback_export_options_init(&defaults);
    row_writer w = {.store = store};
    pg_status status = write_rows(&w, path, options ? options : &defaults);
    if (status == PG_OK && out)
        *out = w.report;
    pg_buffer_free(&w.folder);
    pg_buffer_free(&w.base);
    pg_buffer_free(&w.bytes);
    pg_buffer_free(&w.path);
    pg_buffer_free(&w.line);
    return status;
}

/*
 * An index of pictures made, or brought up to date: the pictures that are there now beside those of the file, both in
 * the order of their names; rows of unchanged pictures are copied from the mapped file, others are embedded. What is
 * done is saved now and then, so that a process that is killed goes on where it was.
 */
#include <string.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/threads.h"
#include "tasks/picture_index.h"

#define AT_ONCE    16 /* pictures that are in memory */
#define FILE_LIMIT ((size_t)1 << 31)
#define SAVE_AFTER 60 /* seconds */
#define SAVE_SHARE 20 /* a save that takes long comes more rarely: at most one part in so many of the time */

#define NO_ROW SIZE_MAX

typedef struct entry {
    const char *name; /* borrowed from the list of files */
    pg_file_stamp stamp;
    size_t old;  /* its row in the file that was there, or NO_ROW */
    size_t made; /* its row among those that were made, or NO_ROW */
    bool known;  /* the file that was there has a row of this name */
    bool dropped;
} entry;

typedef struct update {
    const char *path;
    pg_session *session;
    const pg_index_options *options;
    pg_index_report *report;
    pg_index_place place;
    pg_path_list files;
    pg_picture_index *before; /* NULL: there was none */
    pg_dtype dtype;
    size_t width;
    entry *entries;                 /* [files.count] */
    size_t *waiting, waiting_count; /* entries to embed */
    float *rows;                    /* [row_count][width]: made */
    size_t row_count, capacity;
    bool changed;               /* since the last save */
    double saved, save_seconds; /* when, and how long that took */
    pg_buffer scratch;          /* paths */
} update;

/* ---------------------------------------------------------------- what is new */

/* Reads a file for its checksum. */
static pg_status read_checked(pg_buffer *bytes, pg_file_stamp *stamp, const char *path)
{
    PG_TRY(pg_file_read(bytes, path, FILE_LIMIT));
    stamp->checksum = pg_crc32c(bytes->data, bytes->size);
    return PG_OK;
}

/* Whether the file is the one that row `old` was made of. */
static pg_status is_unchanged(bool *out, update *u, entry *e, size_t old)
{
    pg_file_stamp before = pg_picture_index_stamp(u->before, old);
    pg_buffer bytes = {0};
    *out = false;
    if (before.size != e->stamp.size)
        return PG_OK;
    if (before.time == e->stamp.time && !u->options->compare_contents) {
        e->stamp.checksum = before.checksum;
        *out = true;
        return PG_OK;
    }
    pg_status status = read_checked(&bytes, &e->stamp, u->scratch.data);
    pg_buffer_free(&bytes);
    *out = status == PG_OK && e->stamp.checksum == before.checksum;
    u->changed = u->changed || before.time != e->stamp.time;
    return status == PG_ERROR_MEMORY ? status : PG_OK; /* what cannot be read is found out again */
}

static pg_status skip(update *u, entry *e, const char *why)
{
    e->dropped = true;
    u->changed = u->changed || e->known;
    u->report->skipped++;
    PG_TRY(pg_index_place_path(&u->scratch, &u->place, e->name));
    if (u->options->on_skipped)
        u->options->on_skipped(u->options->user, u->scratch.data, why);
    return PG_OK;
}

/* `old`: the entry's row in the file that was there, or NO_ROW. */
static pg_status look_at(update *u, size_t i, size_t old)
{
    entry *e = &u->entries[i];
    bool unchanged = false;
    e->known = old != NO_ROW;
    PG_TRY(pg_index_place_path(&u->scratch, &u->place, e->name));
    pg_status status = pg_file_stamp_read(&e->stamp, u->scratch.data);
    if (status != PG_OK)
        return status == PG_ERROR_MEMORY ? status : skip(u, e, pg_error_last());
    if (e->known)
        PG_TRY(is_unchanged(&unchanged, u, e, old));
    if (unchanged) {
        e->old = old;
        u->report->kept++;
        return PG_OK;
    }
    u->waiting[u->waiting_count++] = i;
    return PG_OK;
}

/* Both lists are in order. */
static pg_status compare_with_before(update *u)
{
    size_t old = 0, old_count = u->before ? u->before->count : 0;
    for (size_t i = 0; i < u->files.count; i++) {
        u->entries[i] = (entry){.name = u->files.items[i], .old = NO_ROW, .made = NO_ROW};
        int order = 1;
        for (; old < old_count && (order = strcmp(pg_picture_index_stored(u->before, old), u->files.items[i])) < 0;
             old++)
            u->report->removed++;
        PG_TRY(look_at(u, i, order == 0 && old < old_count ? old++ : NO_ROW));
    }
    u->report->removed += old_count - old;
    return PG_OK;
}

/* ---------------------------------------------------------------- saving */

static bool is_done(const entry *e)
{
    return !e->dropped && (e->old != NO_ROW || e->made != NO_ROW);
}

/* Small arrays of the file in the making. */
typedef struct tables {
    int64_t *offsets, *stamps;
    pg_buffer names;
    size_t count;
} tables;

static pg_status make_tables(tables *out, const update *u)
{
    out->offsets = pg_alloc(u->files.count + 1, sizeof *out->offsets);
    out->stamps = pg_alloc(u->files.count, 3 * sizeof *out->stamps);
    if (!out->offsets || !out->stamps)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < u->files.count; i++) {
        const entry *e = &u->entries[i];
        if (!is_done(e))
            continue;
        PG_TRY(pg_buffer_append(&out->names, e->name, strlen(e->name) + 1));
        memcpy(out->stamps + 3 * out->count, (int64_t[]){e->stamp.size, e->stamp.time, e->stamp.checksum},
               3 * sizeof *out->stamps);
        out->offsets[++out->count] = (int64_t)out->names.size;
    }
    return PG_OK;
}

static pg_status write_rows(pg_safetensors_writer *writer, const update *u)
{
    float *row = pg_alloc(u->width, sizeof *row);
    char *stored = pg_alloc(u->width, sizeof(float));
    pg_status status = row && stored ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < u->files.count && status == PG_OK; i++) {
        const entry *e = &u->entries[i];
        if (!is_done(e))
            continue;
        if (e->made != NO_ROW)
            memcpy(row, u->rows + e->made * u->width, u->width * sizeof *row);
        else
            pg_picture_index_row(row, u->before, e->old);
        pg_dtype_narrow(stored, u->dtype, row, (int64_t)u->width);
        status = pg_safetensors_writer_write(writer, stored, u->width * pg_dtype_size(u->dtype));
    }
    pg_free(row);
    pg_free(stored);
    return status;
}

static pg_array array_of(const char *name, pg_dtype dtype, size_t rows, size_t width, int dimensions, const void *data)
{
    return (pg_array){.name = name,
                      .dtype = dtype,
                      .dimensions = dimensions,
                      .shape = {(int64_t)rows, (int64_t)width},
                      .data = data,
                      .bytes = rows * width * pg_dtype_size(dtype)};
}

static pg_status write_index(const update *u, const tables *t)
{
    char model[PG_FINGERPRINT];
    const char *const metadata[][2] = {{"format", PG_INDEX_FORMAT}, {"version", PG_INDEX_VERSION}, {"model", model}};
    const pg_array arrays[] = {array_of("embeddings", u->dtype, t->count, u->width, 2, NULL),
                               array_of("offsets", PG_I64, t->count + 1, 1, 1, t->offsets),
                               array_of("stamps", PG_I64, t->count, 3, 2, t->stamps),
                               array_of("names", PG_U8, t->names.size, 1, 1, t->names.data)};
    pg_safetensors_writer *writer;
    pg_model_fingerprint(model, u->session->model);
    PG_TRY(pg_safetensors_writer_open(&writer, u->path, arrays, 4, metadata, 3));
    pg_status status = write_rows(writer, u);
    for (int i = 1; i < 4 && status == PG_OK; i++)
        status = pg_safetensors_writer_write(writer, arrays[i].data, arrays[i].bytes);
    if (status == PG_OK)
        return pg_safetensors_writer_commit(writer);
    pg_safetensors_writer_abort(writer);
    return status;
}

/* An index has at least one picture. */
static pg_status save(update *u)
{
    double start = pg_clock();
    tables t = {0};
    if (!u->changed)
        return PG_OK;
    pg_status status = make_tables(&t, u);
    if (status == PG_OK && t.count)
        status = write_index(u, &t);
    pg_free(t.offsets);
    pg_free(t.stamps);
    pg_buffer_free(&t.names);
    u->saved = pg_clock();
    u->save_seconds = u->saved - start;
    u->changed = false;
    return status;
}

static pg_status save_if_due(update *u)
{
    double wanted = u->options->save_after > 0 ? u->options->save_after : SAVE_AFTER;
    double rarely = u->save_seconds * SAVE_SHARE;
    return pg_clock() - u->saved > (wanted > rarely ? wanted : rarely) ? save(u) : PG_OK;
}

/* ---------------------------------------------------------------- embedding */

/* Some pictures on their way; each is read by some thread. */
typedef struct reading {
    const update *u;
    entry *entries[AT_ONCE];
    char *paths[AT_ONCE], *reasons[AT_ONCE];
    pg_image *images[AT_ONCE];
    pg_status statuses[AT_ONCE];
    size_t count;
} reading;

static void read_picture(void *context, int64_t i, int worker)
{
    reading *r = context;
    pg_buffer bytes = {0};
    (void)worker;
    pg_status status = read_checked(&bytes, &r->entries[i]->stamp, r->paths[i]);
    if (status == PG_OK)
        status = pg_image_decode(&r->images[i], bytes.data, bytes.size, r->paths[i], &r->u->options->image);
    if (status != PG_OK)
        r->reasons[i] = pg_copy_text(pg_error_last(), SIZE_MAX);
    r->statuses[i] = status != PG_OK && !r->reasons[i] ? PG_ERROR_MEMORY : status;
    pg_buffer_free(&bytes);
}

static void free_reading(reading *r)
{
    for (size_t i = 0; i < r->count; i++) {
        pg_image_free(r->images[i]);
        pg_free(r->paths[i]);
        pg_free(r->reasons[i]);
    }
}

static pg_status read_pictures(reading *r, update *u, size_t first)
{
    size_t count = u->waiting_count - first < AT_ONCE ? u->waiting_count - first : AT_ONCE;
    for (; r->count < count; r->count++) {
        entry *e = r->entries[r->count] = &u->entries[u->waiting[first + r->count]];
        PG_TRY(pg_index_place_path(&u->scratch, &u->place, e->name));
        if (!(r->paths[r->count] = pg_copy_text(u->scratch.data, SIZE_MAX)))
            return PG_ERROR_MEMORY;
    }
    pg_parallel(u->session->g.threads, (int64_t)count, read_picture, r);
    for (size_t i = 0; i < count; i++)
        if (r->statuses[i] == PG_ERROR_MEMORY)
            return pg_fail(PG_ERROR_MEMORY, "%s: cannot be held in memory", r->paths[i]);
    return PG_OK;
}

/* Leaves out what could not be read, and embeds the others. */
static pg_status embed_pictures(const reading *r, update *u)
{
    const pg_image *images[AT_ONCE];
    size_t count = 0, row = u->row_count;
    for (size_t i = 0; i < r->count; i++)
        if (r->images[i]) {
            images[count++] = r->images[i];
            r->entries[i]->made = row++;
        } else
            PG_TRY(skip(u, r->entries[i], r->reasons[i]));
    PG_TRY(pg_grow((void **)&u->rows, &u->capacity, row * u->width, sizeof *u->rows));
    PG_TRY(pg_embed_images(u->rows + u->row_count * u->width, u->session, images, count));
    u->row_count = row;
    u->changed = u->changed || count;
    for (size_t i = 0; i < r->count; i++)
        if (r->images[i])
            *(r->entries[i]->known ? &u->report->changed : &u->report->added) += 1;
    return PG_OK;
}

static pg_status embed_some(update *u, size_t first)
{
    reading r = {.u = u};
    pg_status status = read_pictures(&r, u, first);
    if (status == PG_OK)
        status = embed_pictures(&r, u);
    for (size_t i = 0; status != PG_OK && i < r.count; i++)
        r.entries[i]->made = NO_ROW; /* nothing of this is saved */
    free_reading(&r);
    return status;
}

static pg_status embed_waiting(update *u)
{
    for (size_t i = 0; i < u->waiting_count; i += AT_ONCE) {
        size_t done = i + AT_ONCE < u->waiting_count ? i + AT_ONCE : u->waiting_count;
        PG_TRY(embed_some(u, i));
        PG_TRY(save_if_due(u));
        if (u->options->on_progress && !u->options->on_progress(u->options->user, done, u->waiting_count)) {
            PG_TRY(save(u));
            return pg_fail(PG_ERROR_CANCELLED, "cancelled");
        }
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- the whole */

static pg_status open_before(update *u)
{
    if (!pg_file_exists(u->path))
        return PG_OK;
    PG_TRY(pg_picture_index_open(&u->before, u->path));
    pg_status status = pg_picture_index_check(u->before, u->session->model);
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", u->path);
}

static pg_status choose_dtype(update *u)
{
    const char *wanted = u->options->dtype;
    u->dtype = u->before ? u->before->embeddings->dtype : PG_F32;
    if (wanted && (!pg_dtype_parse(&u->dtype, wanted) || (u->dtype != PG_F32 && u->dtype != PG_BF16)))
        return pg_fail(PG_ERROR_ARGUMENT, "embeddings of type \"%s\", expected F32 or BF16", wanted);
    u->changed = u->before && u->before->embeddings->dtype != u->dtype;
    return PG_OK;
}

static pg_status list_files(update *u, const char *const *pictures, size_t count)
{
    PG_TRY(pg_index_place_find(&u->place, u->path));
    PG_TRY(pg_picture_files_list(&u->files, &u->place, pictures, count));
    if (u->files.count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: no pictures%s", count ? pictures[0] : u->path,
                       count > 1 ? ", and none in the others"
                       : count   ? ""
                                 : " are named");
    u->entries = pg_alloc(u->files.count, sizeof *u->entries);
    u->waiting = pg_alloc(u->files.count, sizeof *u->waiting);
    return u->entries && u->waiting ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status run(update *u, const char *const *pictures, size_t count)
{
    PG_TRY(pg_model_require(u->session->model, u->session->model->weights->config.kind == PG_MODEL_SIGLIP,
                            "index pictures; a SigLIP model can"));
    PG_TRY(open_before(u));
    PG_TRY(choose_dtype(u));
    PG_TRY(list_files(u, pictures, count));
    PG_TRY(compare_with_before(u));
    u->changed = u->changed || u->report->removed;
    PG_TRY(embed_waiting(u));
    if (u->report->skipped == u->files.count)
        return pg_fail(PG_ERROR_FORMAT, "%s: none of the %zu files is a picture that can be read", pictures[0],
                       u->files.count);
    return save(u);
}

void pg_index_options_init(pg_index_options *options)
{
    *options = (pg_index_options){0};
    pg_image_options_init(&options->image);
}

pg_status pg_picture_index_update(pg_index_report *out, const char *path, pg_session *session,
                                  const char *const *pictures, size_t count, const pg_index_options *options)
{
    pg_index_options defaults;
    pg_index_options_init(&defaults);
    update u = {.path = path,
                .session = session,
                .options = options ? options : &defaults,
                .report = out,
                .width = pg_model_embedding_size(session->model),
                .saved = pg_clock()};
    *out = (pg_index_report){0};
    pg_status status = run(&u, pictures, count);
    pg_picture_index_close(u.before);
    pg_index_place_free(&u.place);
    pg_path_list_free(&u.files);
    pg_free(u.entries);
    pg_free(u.waiting);
    pg_free(u.rows);
    pg_buffer_free(&u.scratch);
    return status;
}

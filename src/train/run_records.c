#include "train/run_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/reals.h"

#define HEADING    "step,time,tag,value\n"
#define LARGEST    ((size_t)4 << 30) /* bytes of a file that is taken up again */
#define FILES      3
#define TAG_LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"

/* How the files differ. */
typedef struct record_format {
    const char *name;
    pg_status (*begin)(pg_buffer *out, double time);
    pg_status (*add)(pg_buffer *out, double time, int64_t step, const pg_scalar *scalars, size_t count);
    pg_status (*keep)(pg_buffer *out, const pg_buffer *old, const char *path, int64_t last); /* what stays of `old` */
} record_format;

struct pg_records {
    FILE *files[FILES];
    pg_buffer paths[FILES], line;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---------------------------------------------------------------- CSV */

static pg_status begin_csv(pg_buffer *out, double time)
{
    (void)time;
    return pg_buffer_print(out, HEADING);
}

static pg_status add_csv(pg_buffer *out, double time, int64_t step, const pg_scalar *scalars, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PG_TRY(pg_buffer_print(out, "%lld,%.3f,%s,%.9g\n", (long long)step, time, scalars[i].tag, scalars[i].value));
    return PG_OK;
}

/* A number that ends before `stop`; moves *at behind it and the stop. */
static bool take_number(double *out, const char **at, char stop)
{
    char *end;
    *out = pg_read_real(*at, &end);
    if (end == *at || *end != stop)
        return false;
    *at = end + 1;
    return true;
}

bool pg_record_next(pg_record *out, const char *text, size_t size, size_t *offset)
{
    if (*offset == 0 && size >= sizeof HEADING - 1 && !memcmp(text, HEADING, sizeof HEADING - 1))
        *offset = sizeof HEADING - 1;
    const char *at = text + *offset, *end = memchr(at, '\n', size - *offset);
    double step;
    if (!end || !take_number(&step, &at, ',') || !(step >= 0 && step < 9e15) || !take_number(&out->time, &at, ','))
        return false;
    out->step = (int64_t)step;
    out->tag = at;
    out->tag_size = strspn(at, TAG_LETTER);
    at += out->tag_size;
    if (out->tag_size == 0 || *at++ != ',' || !take_number(&out->value, &at, '\n') || at != end + 1)
        return false;
    *offset = (size_t)(at - text);
    return true;
}

static pg_status keep_csv(pg_buffer *out, const pg_buffer *old, const char *path, int64_t last)
{
    (void)path;
    pg_record record;
    size_t offset = 0, heading = sizeof HEADING - 1;
    bool headed = old->size >= heading && !memcmp(old->data, HEADING, heading);
    for (size_t first = headed ? heading : 0; pg_record_next(&record, old->data, old->size, &offset); first = offset)
        if (record.step <= last)
            PG_TRY(pg_buffer_append(out, old->data + first, offset - first));
    return PG_OK;
}

/* ---------------------------------------------------------------- JSON lines */

static pg_status begin_json(pg_buffer *out, double time)
{
    (void)time;
    return pg_buffer_append(out, "", 0);
}

static pg_status add_json(pg_buffer *out, double time, int64_t step, const pg_scalar *scalars, size_t count)
{
    PG_TRY(pg_buffer_print(out, "{\"step\": %lld, \"time\": %.3f", (long long)step, time));
    for (size_t i = 0; i < count; i++)
        if (isfinite(scalars[i].value))
            PG_TRY(pg_buffer_print(out, ", \"%s\": %.9g", scalars[i].tag, scalars[i].value));
        else
            PG_TRY(pg_buffer_print(out, ", \"%s\": null", scalars[i].tag));
    return pg_buffer_print(out, "}\n");
}

static pg_status keep_json(pg_buffer *out, const pg_buffer *old, const char *path, int64_t last)
{
    const char *end;
    for (size_t at = 0; at < old->size && (end = memchr(old->data + at, '\n', old->size - at));) {
        size_t size = (size_t)(end - old->data) + 1 - at;
        json_t *line;
        int64_t step = INT64_MAX;
        pg_status status = pg_json_parse(&line, old->data + at, size, path);
        if (status == PG_ERROR_MEMORY)
            return status;
        if (status != PG_OK)
            break;
        const json_t *value = json_object_get(line, "step");
        if (json_is_integer(value))
            step = json_integer_value(value);
        json_decref(line);
        if (step <= last)
            PG_TRY(pg_buffer_append(out, old->data + at, size));
        at += size;
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- events */

static pg_status keep_events(pg_buffer *out, const pg_buffer *old, const char *path, int64_t last)
{
    (void)path;
    pg_event_frame event;
    size_t offset = 0;
    bool first = true; /* that one has no scalars */
    for (; pg_event_next(&event, old->data, old->size, &offset); first = false)
        if (!first && event.step <= last)
            PG_TRY(pg_buffer_append(out, event.frame, event.frame_size));
    return PG_OK;
}

static const record_format formats[FILES] = {
    {PG_RECORDS_CSV, begin_csv, add_csv, keep_csv},
    {PG_RECORDS_JSON, begin_json, add_json, keep_json},
    {PG_RECORDS_EVENTS, pg_event_begin, pg_event_scalars, keep_events},
};

/* ---------------------------------------------------------------- files */

/* Writes the file anew with what stays of it. */
static pg_status renew(const record_format *format, const char *path, int64_t last)
{
    pg_buffer old = {0}, kept = {0};
    pg_file_writer writer = {0};
    pg_status status = pg_buffer_append(&old, "", 0);
    if (status == PG_OK && last >= 0 && pg_file_exists(path))
        status = pg_file_read(&old, path, LARGEST);
    PG_TRY_GOTO(status);
    PG_TRY_GOTO(format->begin(&kept, now()));
    PG_TRY_GOTO(format->keep(&kept, &old, path, last));
    PG_TRY_GOTO(pg_file_writer_open(&writer, path));
    status = pg_file_writer_write(&writer, kept.data, kept.size);
    if (status == PG_OK)
        status = pg_file_writer_commit(&writer);
    else
        pg_file_writer_abort(&writer);
done:
    pg_buffer_free(&old);
    pg_buffer_free(&kept);
    return status;
}

static pg_status open_file(pg_records *records, int i, const char *folder, int64_t last)
{
    PG_TRY(pg_file_join(&records->paths[i], folder, formats[i].name));
    PG_TRY(renew(&formats[i], records->paths[i].data, last));
    return pg_file_append(&records->files[i], records->paths[i].data);
}

pg_status pg_records_open(pg_records **out, const char *folder, int64_t last)
{
    *out = pg_alloc(1, sizeof **out);
    if (!*out)
        return PG_ERROR_MEMORY;
    pg_status status = PG_OK;
    for (int i = 0; i < FILES && status == PG_OK; i++)
        status = open_file(*out, i, folder, last);
    if (status != PG_OK) {
        pg_records_close(*out);
        *out = NULL;
    }
    return status;
}

void pg_records_close(pg_records *records)
{
    if (!records)
        return;
    for (int i = 0; i < FILES; i++) {
        if (records->files[i])
            fclose(records->files[i]);
        pg_buffer_free(&records->paths[i]);
    }
    pg_buffer_free(&records->line);
    pg_free(records);
}

static pg_status check_tags(const pg_scalar *scalars, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!*scalars[i].tag || scalars[i].tag[strspn(scalars[i].tag, TAG_LETTER)] || !strcmp(scalars[i].tag, "step") ||
            !strcmp(scalars[i].tag, "time"))
            return pg_fail(PG_ERROR_ARGUMENT, "'%s' is no tag: expected letters, digits and _-./, not step or time",
                           scalars[i].tag);
    return PG_OK;
}

pg_status pg_records_add(pg_records *records, int64_t step, const pg_scalar *scalars, size_t count)
{
    double time = now();
    PG_TRY(check_tags(scalars, count));
    for (int i = 0; i < FILES; i++) {
        pg_buffer_reset(&records->line);
        PG_TRY(formats[i].add(&records->line, time, step, scalars, count));
        FILE *file = records->files[i];
        if (fwrite(records->line.data, 1, records->line.size, file) != records->line.size || fflush(file) != 0)
            return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", records->paths[i].data);
    }
    return PG_OK;
}

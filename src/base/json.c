#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/file.h"

#define LARGEST_DOCUMENT ((size_t)64 << 20)

pg_status pg_json_parse(json_t **out, const char *text, size_t size, const char *name)
{
    return pg_json_parse_line(out, text, size, name, 1);
}

pg_status pg_json_parse_line(json_t **out, const char *text, size_t size, const char *name, size_t line)
{
    json_error_t error;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    *out = json_loadb(text, size, flags, &error);
    /* tokenizer_config.json says "no limit" with an integer of thirty digits; then all numbers are read as reals */
    if (!*out && json_error_code(&error) == json_error_numeric_overflow)
        *out = json_loadb(text, size, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (*out)
        return PG_OK;
    if (json_error_code(&error) == json_error_out_of_memory ||
        !error.text[0]) /* not all of jansson's failures say so */
        return pg_fail(PG_ERROR_MEMORY, "%s: out of memory", name);
    return pg_fail(PG_ERROR_FORMAT, "%s: line %zu, column %d: not valid JSON: %s", name, line + (size_t)error.line - 1,
                   error.column, error.text);
}

bool pg_json_is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

size_t pg_json_mark(const void *text, size_t size)
{
    return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

pg_status pg_json_load(json_t **out, const char *path)
{
    *out = NULL;
    pg_buffer text = {0};
    pg_status status = pg_file_read(&text, path, LARGEST_DOCUMENT);
    size_t mark = pg_json_mark(text.data, text.size);
    if (status == PG_OK)
        status = pg_json_parse(out, text.data + mark, text.size - mark, path);
    pg_buffer_free(&text);
    return status;
}

static int append_piece(const char *text, size_t size, void *buffer)
{
    return pg_buffer_append(buffer, text, size) == PG_OK ? 0 : -1;
}

pg_status pg_json_print(pg_buffer *out, const json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY;
    return json_dump_callback(value, append_piece, out, flags) == 0 ? PG_OK : pg_fail_memory(out->size);
}

static int write_piece(const char *text, size_t size, void *file)
{
    return pg_file_writer_write(file, text, size) == PG_OK ? 0 : -1;
}

pg_status pg_json_append(pg_buffer *out, const json_t *document)
{
    return json_dump_callback(document, append_piece, out, JSON_ENCODE_ANY) == 0
               ? PG_OK
               : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

pg_status pg_json_save(const json_t *document, const char *path)
{
    pg_file_writer file;
    PG_TRY(pg_file_writer_open(&file, path));
    if (json_dump_callback(document, write_piece, &file, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0)
        return pg_file_writer_commit(&file);
    pg_file_writer_abort(&file);
    return pg_fail(PG_ERROR_FILE, "%s: cannot be written", path);
}

static void drop_unless(bool whole, json_t **document)
{
    if (whole)
        return;
    json_decref(*document);
    *document = NULL;
}

void pg_json_put(json_t **to, const char *key, json_t *value)
{
    drop_unless(json_object_set_new(*to, key, value) == 0, to);
}

void pg_json_add(json_t **to, json_t *value)
{
    drop_unless(json_array_append_new(*to, value) == 0, to);
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(value)];
}

/* The field's value, or NULL with *status telling whether that is an error. */
static const json_t *find(pg_json_field field, pg_status *status)
{
    const json_t *value = json_object_get(field.object, field.key);
    *status = PG_OK;
    if (value && !json_is_null(value))
        return value;
    if (field.required)
        *status = pg_fail(PG_ERROR_FORMAT, "%s: the field \"%s\" is missing", field.name, field.key);
    return NULL;
}

static pg_status wrong_type(pg_json_field field, const json_t *value, const char *expected)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is %s, expected %s", field.name, field.key, type_name(value), expected);
}

pg_status pg_json_integer(int64_t *out, pg_json_field field, int64_t low, int64_t high)
{
    pg_status status;
    const json_t *value = find(field, &status);
    if (!value)
        return status;
    double real = json_number_value(value);
    if (!json_is_integer(value) && !(json_is_real(value) && fabs(real) < 0x1p53 && real == floor(real)))
        return wrong_type(field, value, "an integer");
    json_int_t found = json_is_integer(value) ? json_integer_value(value) : (json_int_t)real;
    if (found < low || found > high)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is %lld, expected %lld to %lld", field.name, field.key,
                       (long long)found, (long long)low, (long long)high);
    *out = found;
    return PG_OK;
}

pg_status pg_json_number(double *out, pg_json_field field)
{
    pg_status status;
    const json_t *value = find(field, &status);
    if (!value)
        return status;
    if (!json_is_number(value))
        return wrong_type(field, value, "a number");
    *out = json_number_value(value);
    return PG_OK;
}

pg_status pg_json_boolean(bool *out, pg_json_field field)
{
    pg_status status;
    const json_t *value = find(field, &status);
    if (!value)
        return status;
    if (!json_is_boolean(value))
        return wrong_type(field, value, "true or false");
    *out = json_is_true(value);
    return PG_OK;
}

pg_status pg_json_string(const char **out, pg_json_field field)
{
    pg_status status;
    const json_t *value = find(field, &status);
    if (!value)
        return status;
    if (!json_is_string(value))
        return wrong_type(field, value, "a string");
    *out = json_string_value(value);
    return PG_OK;
}

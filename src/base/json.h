/* JSON documents through jansson, with errors that name the file and the field. The only place that includes it. */
#ifndef PG_BASE_JSON_H
#define PG_BASE_JSON_H

#include <jansson.h>

#include "base/buffer.h"

/* Parses a document; `name` stands for it in errors. Duplicate keys are an error. Freed with json_decref. */
pg_status pg_json_parse(json_t **out, const char *text, size_t size, const char *name);

/* The same for a part of a file that begins at a line (from 1), which errors count from. */
pg_status pg_json_parse_line(json_t **out, const char *text, size_t size, const char *name, size_t line);

/* Bytes of the mark that editors on Windows begin files with: 3 or 0. */
size_t pg_json_mark(const void *text, size_t size);

/* Whether a line of a file of JSON lines is white space alone, which stands for nothing. */
bool pg_json_is_blank(const char *line, size_t size);

/* A document from a file of at most 64 MiB. */
pg_status pg_json_load(json_t **out, const char *path);

/* Appends a value in one line. */
pg_status pg_json_print(pg_buffer *out, const json_t *value);

/* Writes a document, indented by two; the file appears complete or not at all. */
pg_status pg_json_save(const json_t *document, const char *path);

/* Appends a document on one line. */
pg_status pg_json_append(pg_buffer *out, const json_t *document);

/* Put a value, which is theirs from then on, into an object or at the end of an array. Where that fails (there is no
 * memory, or no value for lack of it), the document is freed and *to becomes NULL: so whoever builds one looks at it
 * once, at the end. */
void pg_json_put(json_t **to, const char *key, json_t *value);
void pg_json_add(json_t **to, json_t *value);

/* Fields of `object`. A field that is absent or null leaves *out as it is, so set the default first, unless `required`;
 * one of another type, or an integer outside low..high, is PG_ERROR_FORMAT. `name` says where, e.g. "m/config.json:
 * text_config". */
typedef struct pg_json_field {
    const json_t *object;
    const char *name, *key;
    bool required;
} pg_json_field;

pg_status pg_json_integer(int64_t *out, pg_json_field field, int64_t low, int64_t high);
pg_status pg_json_number(double *out, pg_json_field field);
pg_status pg_json_boolean(bool *out, pg_json_field field);
pg_status pg_json_string(const char **out, pg_json_field field);

#endif

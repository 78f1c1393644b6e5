/* Fields of requests, read by tables: JSON values and, where they come from a form, texts that say the same. */
#ifndef PG_SERVE_FIELDS_H
#define PG_SERVE_FIELDS_H

#include "base/json.h"

typedef enum pg_field_kind {
    PG_FIELD_TEXT,    /* const char *, borrowed from the request */
    PG_FIELD_NUMBER,  /* double from low to high */
    PG_FIELD_INTEGER, /* int64_t from low to high */
    PG_FIELD_TRUTH,   /* bool */
    PG_FIELD_TEXTS,   /* pg_texts: a list, or one text */
    PG_FIELD_VALUE,   /* const json_t *, as it is, borrowed */
    PG_FIELD_IGNORED, /* known, and without effect here: a warning unless it is null, false, `low` or empty */
} pg_field_kind;

typedef struct pg_field {
    const char *name; /* NULL ends a table */
    pg_field_kind kind;
    size_t offset; /* of the value in the structure */
    double low, high;
} pg_field;

/* Texts borrowed from a request; the list is freed with pg_free. */
typedef struct pg_texts {
    const char **items;
    size_t count;
} pg_texts;

/* Sets what the request names, and leaves the rest as it is. A field of another type, or outside its bounds, is
 * PG_ERROR_FORMAT with its name. Fields that no table knows, and ignored ones, become lines in `warnings` (a list).
 * tables: ends with NULL. */
pg_status pg_fields_read(void *out, const pg_field *const *tables, json_t *request, bool form, json_t *warnings);

/* Adds a line, which is taken, to the warnings of a request: the first few, and then that there are more. */
pg_status pg_warn(json_t *warnings, json_t *line);

/* The same: "NAME" WHY. */
pg_status pg_warn_of(json_t *warnings, const char *name, const char *why);

/* "a ; b ; c" cut at semicolons, without blanks around the parts and without empty ones: copies in one block that
 * *block receives. Both are freed with pg_free. */
pg_status pg_texts_split(pg_texts *out, char **block, const char *text);

#endif

#include "serve/fields.h"

#include <errno.h>
#include <string.h>

#include "base/reals.h"

#define WARNINGS_MOST 32 /* of a request, which may have a million fields */

/* A field of the request on its way to its place. */
typedef struct field_value {
    const pg_field *field;
    json_t *value;
    void *place;
    bool form;
} field_value;

static pg_status wrong(const field_value *of, const char *expected)
{
    return pg_fail(PG_ERROR_FORMAT, "\"%s\": expected %s", of->field->name, expected);
}

static pg_status read_number(double *out, const field_value *of, const char *expected)
{
    const char *text = json_string_value(of->value);
    char *end = NULL;
    errno = 0;
    if (json_is_number(of->value))
        *out = json_number_value(of->value);
    else if (of->form && text && *text)
        *out = pg_read_real(text, &end);
    else
        return wrong(of, expected);
    if ((end && *end) || errno)
        return wrong(of, expected);
    if (*out >= of->field->low && *out <= of->field->high)
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "\"%s\" is %g, expected %g to %g", of->field->name, *out, of->field->low,
                   of->field->high);
}

static pg_status read_integer(int64_t *out, const field_value *of)
{
    double number;
    if (json_is_integer(of->value) && (double)json_integer_value(of->value) >= of->field->low &&
        (double)json_integer_value(of->value) <= of->field->high) {
        *out = json_integer_value(of->value); /* seeds have more digits than a double */
        return PG_OK;
    }
    PG_TRY(read_number(&number, of, "an integer"));
    if (number != (double)(int64_t)number)
        return wrong(of, "an integer");
    *out = (int64_t)number;
    return PG_OK;
}

static pg_status read_truth(bool *out, const field_value *of)
{
    const char *text = of->form ? json_string_value(of->value) : NULL;
    if (json_is_boolean(of->value))
        *out = json_is_true(of->value);
    else if (text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0))
        *out = true;
    else if (text && (strcmp(text, "false") == 0 || strcmp(text, "0") == 0))
        *out = false;
    else
        return wrong(of, "true or false");
    return PG_OK;
}

static pg_status read_text(const char **out, const field_value *of)
{
    if (!json_is_string(of->value))
        return wrong(of, "a string");
    if (strlen(json_string_value(of->value)) != json_string_length(of->value))
        return wrong(of, "a string without NUL characters");
    *out = json_string_value(of->value);
    return PG_OK;
}

static pg_status read_texts(pg_texts *out, const field_value *of)
{
    bool list = json_is_array(of->value);
    size_t count = list ? json_array_size(of->value) : 1;
    out->items = pg_alloc(count, sizeof *out->items);
    if (!out->items)
        return PG_ERROR_MEMORY;
    for (out->count = 0; out->count < count; out->count++) {
        field_value item = *of;
        item.value = list ? json_array_get(of->value, out->count) : of->value;
        if (!json_is_string(item.value))
            return wrong(of, "a string, or a list of strings");
        PG_TRY(read_text(&out->items[out->count], &item));
    }
    return PG_OK;
}

pg_status pg_warn(json_t *warnings, json_t *line)
{
    if (json_array_size(warnings) >= WARNINGS_MOST) {
        json_decref(line);
        if (json_array_size(warnings) > WARNINGS_MOST)
            return PG_OK;
        line = json_string("there is more to warn of, which is left out");
    }
    return json_array_append_new(warnings, line) == 0 ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

pg_status pg_warn_of(json_t *warnings, const char *name, const char *why)
{
    json_t *line = json_sprintf("\"%.60s\" %s", name, why);
    if (!line)
        line = json_sprintf("a field %s", why); /* its name was cut within a character */
    return pg_warn(warnings, line);
}

/* Whether a value asks for nothing. */
static bool is_neutral(const json_t *value, double neutral)
{
    double number = json_number_value(value);
    return json_is_null(value) || json_is_false(value) || (json_is_number(value) && number == neutral) ||
           (json_is_string(value) && !json_string_length(value)) || (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value));
}

static pg_status read_field(const field_value *of, json_t *warnings)
{
    if (of->field->kind == PG_FIELD_IGNORED)
        return is_neutral(of->value, of->field->low) ? PG_OK : pg_warn_of(warnings, of->field->name, "is ignored");
    if (json_is_null(of->value))
        return PG_OK;
    switch (of->field->kind) {
    case PG_FIELD_TEXT: return read_text(of->place, of);
    case PG_FIELD_NUMBER: return read_number(of->place, of, "a number");
    case PG_FIELD_INTEGER: return read_integer(of->place, of);
    case PG_FIELD_TRUTH: return read_truth(of->place, of);
    case PG_FIELD_TEXTS: return read_texts(of->place, of);
    default: *(json_t **)of->place = of->value; return PG_OK;
    }
}

static const pg_field *find_field(const pg_field *const *tables, const char *name)
{
    for (; *tables; tables++)
        for (const pg_field *field = *tables; field->name; field++)
            if (strcmp(field->name, name) == 0)
                return field;
    return NULL;
}

pg_status pg_fields_read(void *out, const pg_field *const *tables, json_t *request, bool form, json_t *warnings)
{
    const char *name;
    json_t *value;
    json_object_foreach(request, name, value)
    {
        const pg_field *field = find_field(tables, name);
        if (!field) {
            PG_TRY(pg_warn_of(warnings, name, "is unknown and ignored"));
            continue;
        }
        const field_value of = {field, value, (char *)out + field->offset, form};
        PG_TRY(read_field(&of, warnings));
    }
    return PG_OK;
}

pg_status pg_texts_split(pg_texts *out, char **block, const char *text)
{
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += *at == ';';
    *out = (pg_texts){pg_alloc(most, sizeof *out->items), 0};
    *block = pg_copy_text(text, SIZE_MAX);
    if (!out->items || !*block)
        return PG_ERROR_MEMORY;
    char *rest = NULL;
    for (char *part = strtok_r(*block, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
        part += strspn(part, " ");
        size_t size = strlen(part);
        while (size && part[size - 1] == ' ')
            part[--size] = 0;
        if (size)
            out->items[out->count++] = part;
    }
    return PG_OK;
}

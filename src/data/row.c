/* Rows out of JSON objects: which keys make which kind of row, and what their values must be. */
#include <string.h>

#include "base/edits.h"
#include "data/dataset.h"
#include "text/utf8.h"

#define IMAGES_MAX  1024
#define PATCHES_MAX 65536

/* Keys by kind of row: all of them must be there but pictures. "file_name" is imagefolder's "image". */
static const struct row_keys {
    const char *needed[4];
} keys_of[] = {
    [PG_ROW_SUFFIX] = {{"prefix", "suffix"}},
    [PG_ROW_PREFERENCE] = {{"prefix", "chosen", "rejected"}},
    [PG_ROW_LABEL] = {{"text", "label"}},
    [PG_ROW_TEXT] = {{"text"}},
};
static const char *const picture_keys[] = {"image", "images", "file_name", NULL};
static const char other_prefix[] = "prompt"; /* what others call it */

const char *pg_row_kind_name(pg_row_kind kind)
{
    static const char *const names[] = {"suffix", "preference", "label", "text", "mask"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

void pg_row_clear(pg_data_row *row)
{
    for (size_t i = 0; i < row->image_count; i++)
        pg_free(row->images[i].name);
    pg_free(row->images);
    pg_free(row->prefix);
    pg_free(row->suffix);
    pg_free(row->chosen);
    pg_free(row->rejected);
    pg_free(row->text);
    pg_free(row->patch_labels);
    pg_free(row->mask);
    *row = (pg_data_row){0};
}

void pg_data_row_free(pg_data_row *row)
{
    if (row)
        pg_row_clear(row);
    pg_free(row);
}

/* ---------------------------------------------------------------- texts */

pg_status pg_row_set_text(char **out, const char *text, size_t size, const char *what)
{
    size_t bad = pg_utf8_check(text, size);
    if (bad < size)
        return pg_fail(PG_ERROR_FORMAT, "%s: byte %zu is not UTF-8", what, bad);
    if (size && memchr(text, 0, size))
        return pg_fail(PG_ERROR_FORMAT, "%s: has a NUL character in it", what);
    pg_free(*out);
    *out = pg_copy_text(text, size);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_row_set_answer(char **out, const char *text, size_t size, const char *what)
{
    const char *inside = text;
    size_t left = size;
    PG_TRY(pg_row_set_text(out, text, size, what));
    pg_utf8_strip(&inside, &left);
    return left ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: is empty", what);
}

/* ---------------------------------------------------------------- misspelt keys */

static bool is_known(const char *key)
{
    if (!strcmp(key, other_prefix))
        return true;
    for (const char *const *known = picture_keys; *known; known++)
        if (!strcmp(key, *known))
            return true;
    for (size_t kind = 0; kind < sizeof keys_of / sizeof *keys_of; kind++)
        for (const char *const *known = keys_of[kind].needed; *known; known++)
            if (!strcmp(key, *known))
                return true;
    return !strcmp(key, "suffixes");
}

/* The object's key that looks like `wanted`, which the object lacks; NULL if none does. */
static const char *find_misspelt(const json_t *object, const char *wanted)
{
    size_t limit = strlen(wanted) > 4 ? 2 : 1;
    for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        if (!is_known(key) && pg_edits(key, wanted, true) <= limit)
            return key;
    }
    return NULL;
}

static pg_status fail_missing(const json_t *object, const char *wanted)
{
    const char *misspelt = find_misspelt(object, wanted);
    if (misspelt)
        return pg_fail(PG_ERROR_FORMAT, "found the key \"%s\", expected \"%s\"", misspelt, wanted);
    return pg_fail(PG_ERROR_FORMAT, "the key \"%s\" is missing", wanted);
}

pg_status pg_row_kind_of(pg_row_kind *out, const json_t *object)
{
    if (!json_is_object(object))
        return pg_fail(PG_ERROR_FORMAT, "not a JSON object");
    if (json_object_get(object, "chosen") || json_object_get(object, "rejected"))
        *out = PG_ROW_PREFERENCE;
    else if (json_object_get(object, "suffix") || json_object_get(object, "suffixes") ||
             json_object_get(object, "prefix") || json_object_get(object, other_prefix))
        *out = PG_ROW_SUFFIX;
    else if (json_object_get(object, "label"))
        *out = PG_ROW_LABEL;
    else if (json_object_get(object, "text"))
        *out = PG_ROW_TEXT;
    else if (find_misspelt(object, "text"))
        return fail_missing(object, "text");
    else
        return find_misspelt(object, "suffix") || find_misspelt(object, "prefix")
                   ? fail_missing(object, find_misspelt(object, "suffix") ? "suffix" : "prefix")
                   : pg_fail(PG_ERROR_FORMAT, "found none of the keys \"suffix\", \"chosen\", \"label\", \"text\"");
    return PG_OK;
}

/* ---------------------------------------------------------------- fields */

static pg_status add_image(pg_data_row *row, pg_row_image image)
{
    if (row->image_count == IMAGES_MAX)
        return pg_fail(PG_ERROR_LIMIT, "more than %d pictures", IMAGES_MAX);
    pg_row_image *images = pg_alloc(row->image_count + 1, sizeof *images);
    if (!images)
        return PG_ERROR_MEMORY;
    if (row->image_count)
        memcpy(images, row->images, row->image_count * sizeof *images);
    pg_free(row->images);
    row->images = images;
    row->images[row->image_count++] = image;
    return PG_OK;
}

static pg_status own_image(pg_data_row *row, pg_row_image image)
{
    if (!image.name)
        return PG_ERROR_MEMORY;
    pg_status status = add_image(row, image);
    if (status != PG_OK)
        pg_free(image.name);
    return status;
}

pg_status pg_row_add_bytes(pg_data_row *row, const char *name, const uint8_t *bytes, size_t size)
{
    return own_image(row, (pg_row_image){pg_copy_text(name, SIZE_MAX), bytes, size});
}

pg_status pg_row_add_path(pg_data_row *row, const char *path)
{
    return own_image(row, (pg_row_image){.name = pg_copy_text(path, SIZE_MAX)});
}

pg_status pg_row_add_file(pg_data_row *row, const pg_dataset *dataset, const char *name)
{
    pg_buffer path = {0};
    if (!*name)
        return pg_fail(PG_ERROR_FORMAT, "the name of a picture is empty");
    pg_status status =
        *name == '/' ? pg_buffer_print(&path, "%s", name) : pg_file_join(&path, dataset->text.folder, name);
    if (status == PG_OK)
        status = pg_row_add_path(row, path.data);
    pg_buffer_free(&path);
    return status;
}

pg_status pg_row_load_image(pg_image **out, const pg_row_image *image, const pg_image_options *options)
{
    return image->bytes ? pg_image_decode(out, image->bytes, image->size, image->name, options)
                        : pg_image_load(out, image->name, options);
}

static pg_status read_picture_name(pg_data_row *row, const pg_dataset *dataset, const json_t *name)
{
    if (!json_is_string(name))
        return pg_fail(PG_ERROR_FORMAT, "\"image\": expected a file's name, or a list of names");
    if (strlen(json_string_value(name)) != json_string_length(name))
        return pg_fail(PG_ERROR_FORMAT, "\"image\": has a NUL character in it");
    return pg_row_add_file(row, dataset, json_string_value(name));
}

static pg_status read_pictures(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    const json_t *found = NULL;
    for (const char *const *key = picture_keys; *key && !found; key++)
        found = json_object_get(object, *key);
    if (!found)
        return find_misspelt(object, "image") ? fail_missing(object, "image") : PG_OK;
    if (json_is_null(found))
        return PG_OK;
    if (!json_is_array(found))
        return read_picture_name(row, dataset, found);
    for (size_t i = 0; i < json_array_size(found); i++)
        PG_TRY(read_picture_name(row, dataset, json_array_get(found, i)));
    return PG_OK;
}

static pg_status read_text(char **out, const json_t *object, const char *key, bool may_be_empty)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        return fail_missing(object, key);
    if (!json_is_string(value))
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": expected a text", key);
    return (may_be_empty ? pg_row_set_text : pg_row_set_answer)(out, json_string_value(value),
                                                                json_string_length(value), key);
}

/* A class, by name or number. */
static pg_status read_class(int64_t *out, const pg_dataset *dataset, const json_t *value)
{
    int64_t most = dataset->labels.names ? (int64_t)dataset->labels.count - 1 : PG_LABEL_MAX;
    if (json_is_string(value) && dataset->labels.names)
        return pg_labels_find(out, &dataset->labels, json_string_value(value));
    if (!json_is_integer(value))
        return pg_fail(PG_ERROR_FORMAT, "\"label\": expected the number of a class%s",
                       dataset->labels.names ? " or its name" : "");
    *out = json_integer_value(value);
    if (*out < 0 || *out > most)
        return pg_fail(PG_ERROR_FORMAT, "\"label\": found %lld, expected 0 to %lld", (long long)*out, (long long)most);
    return PG_OK;
}

/* The classes of a picture's patches. */
static pg_status read_patch_labels(pg_data_row *row, const pg_dataset *dataset, const json_t *list)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > PATCHES_MAX)
        return pg_fail(PG_ERROR_FORMAT, "\"label\": a list of %zu classes, expected one for each patch of the picture",
                       count);
    row->patch_labels = pg_alloc(count, sizeof *row->patch_labels);
    if (!row->patch_labels)
        return PG_ERROR_MEMORY;
    row->patch_count = count;
    row->label = -1;
    for (size_t i = 0; i < count; i++) {
        int64_t label;
        PG_TRY(read_class(&label, dataset, json_array_get(list, i)));
        row->patch_labels[i] = (int32_t)label;
    }
    return PG_OK;
}

static pg_status read_label(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    const json_t *value = json_object_get(object, "label");
    if (!value)
        return fail_missing(object, "label");
    return json_is_array(value) ? read_patch_labels(row, dataset, value) : read_class(&row->label, dataset, value);
}

/* A classified row may consist of a picture alone. */
static pg_status read_labelled(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    PG_TRY(read_label(row, dataset, object));
    if (json_object_get(object, "text"))
        return read_text(&row->text, object, "text", true);
    return pg_row_set_text(&row->text, "", 0, "text");
}

static pg_status read_captioned(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    const char *prefix = dataset->text.prefix ? dataset->text.prefix : "caption en";
    PG_TRY(read_text(&row->text, object, "text", false));
    return pg_row_set_text(&row->prefix, prefix, strlen(prefix), "prefix");
}

static pg_status read_prefix(pg_data_row *row, const json_t *object)
{
    bool other = !json_object_get(object, "prefix") && json_object_get(object, other_prefix);
    return read_text(&row->prefix, object, other ? other_prefix : "prefix", true);
}

/* The answer, or the first of several right ones. */
static pg_status read_suffix(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    const json_t *suffix = json_object_get(object, "suffix");
    const json_t *several = json_object_get(object, "suffixes"), *first = json_array_get(several, 0);
    if (!several && dataset->unanswered && (!suffix || json_is_null(suffix)))
        return PG_OK;
    if (suffix || !several)
        return read_text(&row->suffix, object, "suffix", false);
    if (!json_is_string(first))
        return pg_fail(PG_ERROR_FORMAT, "\"suffixes\": expected a list of texts");
    return pg_row_set_answer(&row->suffix, json_string_value(first), json_string_length(first), "suffixes");
}

static pg_status read_fields(pg_data_row *row, const pg_dataset *dataset, const json_t *object)
{
    switch (row->kind) {
    case PG_ROW_PREFERENCE:
        PG_TRY(read_prefix(row, object));
        PG_TRY(read_text(&row->chosen, object, "chosen", false));
        return read_text(&row->rejected, object, "rejected", false);
    case PG_ROW_LABEL: return read_labelled(row, dataset, object);
    case PG_ROW_TEXT: return read_captioned(row, dataset, object);
    default: PG_TRY(read_prefix(row, object)); return read_suffix(row, dataset, object);
    }
}

pg_status pg_row_read_object(pg_data_row *row, const pg_dataset *dataset, const json_t *object, bool outside)
{
    pg_row_kind found;
    PG_TRY(pg_row_kind_of(&found, object));
    if (found != dataset->row_kind)
        return pg_fail(PG_ERROR_FORMAT, "found a row of kind \"%s\" among rows of kind \"%s\"", pg_row_kind_name(found),
                       pg_row_kind_name(dataset->row_kind));
    row->kind = found;
    PG_TRY(read_fields(row, dataset, object));
    return outside ? PG_OK : read_pictures(row, dataset, object);
}

/* What the picture tests share: golden files, their tables (one JSON object a line), and sums. */
#ifndef PG_TESTS_IMAGE_FILES_H
#define PG_TESTS_IMAGE_FILES_H

#include "check.h"

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "image/image.h"

#define IMAGES PG_TESTS_FOLDER "/golden/images"

/* FOLDER/KIND/NAME as bytes, freed with pg_buffer_free. */
static inline pg_buffer read_golden(const char *folder, const char *kind, const char *name)
{
    pg_buffer path = {0}, bytes = {0};
    CHECK_OK(pg_buffer_print(&path, "%s/%s/%s", folder, kind, name));
    CHECK_OK(pg_file_read(&bytes, path.data, SIZE_MAX));
    pg_buffer_free(&path);
    return bytes;
}

/* All rows of FOLDER/NAME.jsonl (or the array in FOLDER/NAME.json), freed with json_decref. */
static inline json_t *read_table(const char *folder, const char *name)
{
    pg_buffer bytes = read_golden(folder, ".", name);
    json_t *rows;
    if (bytes.data[0] == '[')
        CHECK_OK(pg_json_parse(&rows, bytes.data, bytes.size, name));
    else {
        rows = json_array();
        for (char *line = bytes.data, *end; (end = strchr(line, '\n')); line = end + 1) {
            json_t *row;
            CHECK_OK(pg_json_parse(&row, line, (size_t)(end - line), name));
            json_array_append_new(rows, row);
        }
    }
    pg_buffer_free(&bytes);
    return rows;
}

static inline const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static inline pg_image *decode_golden(const char *folder, const char *kind, const char *name, bool keep_orientation)
{
    pg_buffer bytes = read_golden(folder, kind, name);
    pg_image_options options;
    pg_image_options_init(&options);
    options.keep_orientation = keep_orientation;
    pg_image *image;
    CHECK_OK(pg_image_decode(&image, bytes.data, bytes.size, name, &options));
    pg_buffer_free(&bytes);
    return image;
}

static inline void check_sum(const void *bytes, size_t size, const char *expected, const char *what)
{
    char sum[65];
    CHECK_OK(pg_sha256_of(sum, bytes, size));
    if (strcmp(sum, expected) != 0)
        fail_msg("%s: sha256 %s, expected %s", what, sum, expected);
}

static inline void check_pixels(const pg_image *image, const char *expected, const char *what)
{
    check_sum(pg_image_pixels(image), pg_image_width(image) * pg_image_height(image) * 3, expected, what);
}

#endif

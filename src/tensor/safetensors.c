/* Safetensors, read and written as https://huggingface.co/docs/safetensors describes them:
 *   u64 N | N bytes of JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...} | data
 * Offsets count from the end of the header and cover the data without holes or overlaps; "__metadata__" holds strings.
 * The parsed header is kept: names and metadata are borrowed from it. */
#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/pages.h"

#define LENGTH_SIZE    8
#define LARGEST_HEADER ((uint64_t)100000000) /* as the reference implementation has it */
#define METADATA       "__metadata__"

struct pg_safetensors {
    pg_file_map map; /* empty if the bytes belong to the caller */
    json_t *header;
    pg_array *arrays; /* ordered by name */
    size_t count;
};

/* The part behind the header. */
typedef struct data_area {
    const uint8_t *start;
    size_t offset, size; /* offset: where it starts in the file */
} data_area;

/* Errors below start with the tensor's name; parse puts the file's name in front. */

static pg_status parse_dtype(pg_array *array, const json_t *entry)
{
    const char *name = NULL;
    PG_TRY(pg_json_string(&name, (pg_json_field){entry, array->name, "dtype", true}));
    if (!pg_dtype_parse(&array->dtype, name))
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "%s: dtype \"%s\" is not supported, expected F64, F32, F16, BF16, I64, I32, I8, U8 or BOOL",
                       array->name, name);
    return PG_OK;
}

static pg_status parse_shape(pg_array *array, const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"shape\" is missing or not an array", array->name);
    if (json_array_size(shape) > PG_ARRAY_DIMENSIONS)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %zu dimensions, at most %d are supported", array->name,
                       json_array_size(shape), PG_ARRAY_DIMENSIONS);
    array->dimensions = (int)json_array_size(shape);
    for (int i = 0; i < array->dimensions; i++) {
        const json_t *length = json_array_get(shape, (size_t)i);
        if (!json_is_integer(length) || json_integer_value(length) < 0)
            return pg_fail(PG_ERROR_FORMAT, "%s: \"shape\": entry %d is not a length", array->name, i);
        array->shape[i] = json_integer_value(length);
    }
    if (!pg_array_size(&array->bytes, array))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"shape\" is too large", array->name);
    return PG_OK;
}

static pg_status parse_offsets(pg_array *array, const json_t *entry, const data_area *data)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"data_offsets\" is missing or not a pair of integers", array->name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"data_offsets\" is [%lld, %lld], expected 0 <= begin <= end", array->name,
                       (long long)begin, (long long)end);
    if ((uint64_t)end > data->size)
        return pg_fail(PG_ERROR_FORMAT, "%s: ends at byte %llu, the file has %zu: is it complete?", array->name,
                       (unsigned long long)end + data->offset, data->offset + data->size);
    char shape[PG_SHAPE_TEXT];
    if ((size_t)(end - begin) != array->bytes)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s %s takes %zu bytes, \"data_offsets\" hold %lld", array->name,
                       pg_dtype_name(array->dtype), pg_array_shape_text(shape, array), array->bytes,
                       (long long)(end - begin));
    array->data = data->start + begin;
    return PG_OK;
}

static int compare_places(const void *a, const void *b)
{
    const pg_array *x = a, *y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Nothing may lie between two tensors, before the first or behind the last, and no byte in two. */
static pg_status check_cover(pg_array *arrays, size_t count, const data_area *data)
{
    qsort(arrays, count, sizeof *arrays, compare_places);
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        size_t begin = (size_t)((const uint8_t *)arrays[i].data - data->start);
        if (begin != end)
            return pg_fail(PG_ERROR_FORMAT, "%s: starts at byte %zu, %s ends at byte %zu: %s", arrays[i].name,
                           data->offset + begin, i ? arrays[i - 1].name : "the header", data->offset + end,
                           begin < end ? "they overlap" : "there is a hole");
        end += arrays[i].bytes;
    }
    if (end != data->size)
        return pg_fail(PG_ERROR_FORMAT, "the last tensor ends at byte %zu, the file has %zu", data->offset + end,
                       data->offset + data->size);
    return PG_OK;
}

static pg_status check_metadata(const json_t *metadata)
{
    if (!json_is_object(metadata))
        return pg_fail(PG_ERROR_FORMAT, METADATA " is not an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key,
                        value) if (!json_is_string(value)) return pg_fail(PG_ERROR_FORMAT,
                                                                          METADATA ": \"%s\" is not a string", key);
    return PG_OK;
}

static pg_status parse_entries(pg_safetensors *file, const data_area *data)
{
    if (!json_is_object(file->header))
        return pg_fail(PG_ERROR_FORMAT, "the header is not an object");
    file->arrays = pg_alloc(json_object_size(file->header), sizeof *file->arrays);
    if (!file->arrays)
        return PG_ERROR_MEMORY;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (!strcmp(name, METADATA)) {
            PG_TRY(check_metadata(entry));
            continue;
        }
        if (!json_is_object(entry))
            return pg_fail(PG_ERROR_FORMAT, "%s: the header's entry is not an object", name);
        pg_array *array = &file->arrays[file->count++];
        array->name = name;
        PG_TRY(parse_dtype(array, entry));
        PG_TRY(parse_shape(array, entry));
        PG_TRY(parse_offsets(array, entry, data));
    }
    PG_TRY(check_cover(file->arrays, file->count, data));
    pg_array_sort(file->arrays, file->count);
    return PG_OK;
}

static pg_status parse_header(pg_safetensors *file, const uint8_t *bytes, size_t size, const char *name)
{
    uint64_t length = 0;
    if (size < LENGTH_SIZE + 2)
        return pg_fail(PG_ERROR_FORMAT, "%s: %zu bytes are too few for a safetensors file", name, size);
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > LARGEST_HEADER || bytes[LENGTH_SIZE] != '{')
        return pg_fail(PG_ERROR_FORMAT, "%s: does not start like a safetensors file", name);
    if (length > size - LENGTH_SIZE)
        return pg_fail(PG_ERROR_FORMAT, "%s: the header ends at byte %llu, the file has %zu: is it complete?", name,
                       (unsigned long long)length + LENGTH_SIZE, size);
    PG_TRY(pg_json_parse(&file->header, (const char *)bytes + LENGTH_SIZE, (size_t)length, name));
    size_t offset = LENGTH_SIZE + (size_t)length;
    data_area data = {bytes + offset, offset, size - offset};
    pg_status status = parse_entries(file, &data);
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", name);
}

pg_status pg_safetensors_parse(pg_safetensors **out, const void *bytes, size_t size, const char *name)
{
    *out = NULL;
    pg_safetensors *file = pg_alloc(1, sizeof *file);
    if (!file)
        return PG_ERROR_MEMORY;
    pg_status status = parse_header(file, bytes, size, name);
    if (status == PG_OK)
        *out = file;
    else
        pg_safetensors_close(file);
    return status;
}

pg_status pg_safetensors_open(pg_safetensors **out, const char *path)
{
    *out = NULL;
    pg_file_map map;
    PG_TRY(pg_file_map_open(&map, path));
    pg_pages_want_huge(map.data, map.size);
    pg_status status = pg_safetensors_parse(out, map.data, map.size, path);
    if (status == PG_OK)
        (*out)->map = map;
    else
        pg_file_map_close(&map);
    return status;
}

void pg_safetensors_close(pg_safetensors *file)
{
    if (!file)
        return;
    pg_file_map_close(&file->map);
    json_decref(file->header);
    pg_free(file->arrays);
    pg_free(file);
}

size_t pg_safetensors_count(const pg_safetensors *file)
{
    return file->count;
}

const pg_array *pg_safetensors_at(const pg_safetensors *file, size_t i)
{
    return &file->arrays[i];
}

const pg_array *pg_safetensors_find(const pg_safetensors *file, const char *name)
{
    return pg_array_find(file->arrays, file->count, name);
}

const char *pg_safetensors_metadata(const pg_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

/* ---------------------------------------------------------------- writing */

struct pg_safetensors_writer {
    pg_file_writer file;
    size_t left; /* bytes still to come */
};

static pg_status print_string(pg_buffer *out, const char *text)
{
    PG_TRY(pg_buffer_append(out, "\"", 1));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            PG_TRY(pg_buffer_append(out, "\\", 1));
        if ((unsigned char)*text < 0x20)
            PG_TRY(pg_buffer_print(out, "\\u%04x", *text));
        else
            PG_TRY(pg_buffer_append(out, text, 1));
    }
    return pg_buffer_append(out, "\"", 1);
}

static pg_status print_metadata(pg_buffer *out, const char *const metadata[][2], size_t count)
{
    PG_TRY(pg_buffer_print(out, "\"" METADATA "\":{"));
    for (size_t i = 0; i < count; i++) {
        PG_TRY(pg_buffer_print(out, "%s", i ? "," : ""));
        PG_TRY(print_string(out, metadata[i][0]));
        PG_TRY(pg_buffer_append(out, ":", 1));
        PG_TRY(print_string(out, metadata[i][1]));
    }
    return pg_buffer_append(out, "}", 1);
}

/* One header entry; *offset moves from the tensor's begin to its end. */
static pg_status print_array(pg_buffer *out, const pg_array *array, size_t *offset)
{
    size_t begin = *offset, bytes;
    if (!pg_array_size(&bytes, array) || __builtin_add_overflow(begin, bytes, offset) || *offset > INT64_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the shape is invalid or too large", array->name);
    if (!strcmp(array->name, METADATA))
        return pg_fail(PG_ERROR_ARGUMENT, "a tensor cannot be called " METADATA);
    char shape[PG_SHAPE_TEXT];
    PG_TRY(print_string(out, array->name));
    return pg_buffer_print(out, ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                           pg_dtype_name(array->dtype), pg_array_shape_text(shape, array), begin, *offset);
}

static pg_status print_header(pg_buffer *out, size_t *data_size, const pg_array *arrays, size_t count,
                              const char *const metadata[][2], size_t metadata_count)
{
    *data_size = 0;
    PG_TRY(pg_buffer_append(out, "{", 1));
    if (metadata_count)
        PG_TRY(print_metadata(out, metadata, metadata_count));
    for (size_t i = 0; i < count; i++) {
        if (i || metadata_count)
            PG_TRY(pg_buffer_append(out, ",", 1));
        PG_TRY(print_array(out, &arrays[i], data_size));
    }
    PG_TRY(pg_buffer_append(out, "}", 1));
    while (out->size % LENGTH_SIZE)
        PG_TRY(pg_buffer_append(out, " ", 1));
    return PG_OK;
}

/* A header that does not read back, because a name comes twice or is not UTF-8, is refused before anything is written.
 */
static pg_status check_header(const pg_buffer *header, const char *path)
{
    json_t *parsed;
    if (header->size > LARGEST_HEADER)
        return pg_fail(PG_ERROR_LIMIT, "%s: the header would take %zu bytes", path, header->size);
    PG_TRY(pg_json_parse(&parsed, header->data, header->size, path));
    json_decref(parsed);
    return PG_OK;
}

static pg_status write_header(pg_safetensors_writer *writer, const pg_buffer *header)
{
    uint8_t length[LENGTH_SIZE];
    for (int i = 0; i < LENGTH_SIZE; i++)
        length[i] = (uint8_t)((uint64_t)header->size >> 8 * i);
    PG_TRY(pg_file_writer_write(&writer->file, length, sizeof length));
    return pg_file_writer_write(&writer->file, header->data, header->size);
}

pg_status pg_safetensors_writer_open(pg_safetensors_writer **out, const char *path, const pg_array *arrays,
                                     size_t count, const char *const metadata[][2], size_t metadata_count)
{
    *out = NULL;
    pg_buffer header = {0};
    pg_status status = PG_ERROR_MEMORY;
    pg_safetensors_writer *writer = pg_alloc(1, sizeof *writer);
    if (!writer)
        goto done;
    PG_TRY_GOTO(print_header(&header, &writer->left, arrays, count, metadata, metadata_count));
    PG_TRY_GOTO(check_header(&header, path));
    PG_TRY_GOTO(pg_file_writer_open(&writer->file, path));
    PG_TRY_GOTO(write_header(writer, &header));
    *out = writer;
done:
    pg_buffer_free(&header);
    if (status != PG_OK)
        pg_safetensors_writer_abort(writer);
    return status;
}

pg_status pg_safetensors_writer_write(pg_safetensors_writer *writer, const void *bytes, size_t size)
{
    if (size > writer->left)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: %zu bytes more than the header announces", writer->file.path.data,
                       size - writer->left);
    writer->left -= size;
    return pg_file_writer_write(&writer->file, bytes, size);
}

pg_status pg_safetensors_writer_commit(pg_safetensors_writer *writer)
{
    if (writer->left) {
        pg_status status = pg_fail(PG_ERROR_ARGUMENT, "%s: %zu bytes fewer than the header announces",
                                   writer->file.path.data, writer->left);
        pg_safetensors_writer_abort(writer);
        return status;
    }
    pg_status status = pg_file_writer_commit(&writer->file);
    pg_free(writer);
    return status;
}

void pg_safetensors_writer_abort(pg_safetensors_writer *writer)
{
    if (!writer)
        return;
    pg_file_writer_abort(&writer->file);
    pg_free(writer);
}

pg_status pg_safetensors_save(const char *path, const pg_array *arrays, size_t count)
{
    pg_safetensors_writer *writer;
    PG_TRY(pg_safetensors_writer_open(&writer, path, arrays, count, NULL, 0));
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        pg_array_size(&bytes, &arrays[i]); /* the header was made from it */
        pg_status status = pg_safetensors_writer_write(writer, arrays[i].data, bytes);
        if (status != PG_OK) {
            pg_safetensors_writer_abort(writer);
            return status;
        }
    }
    return pg_safetensors_writer_commit(writer);
}

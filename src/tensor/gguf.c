#include "tensor/gguf.h"

#include <string.h>

#include "base/file.h"
#include "tensor/gguf_format.h"

#define NESTED 4 /* lists in lists, at most */

struct pg_gguf {
    pg_file_map map;  /* empty if the bytes belong to the caller */
    pg_array *arrays; /* ordered by name; names are owned */
    size_t count;
};

/* ---------------------------------------------------------------- bytes */

typedef struct cursor {
    const uint8_t *at, *end, *start;
    const char *name;
} cursor;

static pg_status fail_short(const cursor *c)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: ends in the middle of its head, at byte %zu: is it complete?", c->name,
                   (size_t)(c->end - c->start));
}

static pg_status take(const uint8_t **out, cursor *c, uint64_t size)
{
    *out = c->at;
    if (size > (uint64_t)(c->end - c->at))
        return fail_short(c);
    c->at += size;
    return PG_OK;
}

static pg_status take_u32(uint32_t *out, cursor *c)
{
    const uint8_t *bytes;
    PG_TRY(take(&bytes, c, sizeof *out));
    memcpy(out, bytes, sizeof *out);
    return PG_OK;
}

static pg_status take_u64(uint64_t *out, cursor *c)
{
    const uint8_t *bytes;
    PG_TRY(take(&bytes, c, sizeof *out));
    memcpy(out, bytes, sizeof *out);
    return PG_OK;
}

static pg_status take_text(const char **out, uint64_t *size, cursor *c)
{
    const uint8_t *bytes;
    PG_TRY(take_u64(size, c));
    PG_TRY(take(&bytes, c, *size));
    *out = (const char *)bytes;
    return PG_OK;
}

/* ---------------------------------------------------------------- metadata, which is passed over */

static pg_status skip_values(cursor *c, uint32_t type, uint64_t count, int depth);

static pg_status skip_list(cursor *c, int depth)
{
    uint32_t type;
    uint64_t count;
    if (depth == NESTED)
        return pg_fail(PG_ERROR_LIMIT, "%s: metadata: lists in lists, deeper than %d", c->name, NESTED);
    PG_TRY(take_u32(&type, c));
    PG_TRY(take_u64(&count, c));
    return skip_values(c, type, count, depth + 1);
}

static pg_status skip_values(cursor *c, uint32_t type, uint64_t count, int depth)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    const uint8_t *bytes;
    const char *text;
    uint64_t size;
    if (type > PG_GGUF_F64)
        return pg_fail(PG_ERROR_FORMAT, "%s: metadata: a value of type %u, expected 0 to %d", c->name, type,
                       PG_GGUF_F64);
    if (type != PG_GGUF_TEXT && type != PG_GGUF_LIST)
        return count > (uint64_t)(c->end - c->at) ? fail_short(c) : take(&bytes, c, count * sizes[type]);
    for (uint64_t i = 0; i < count; i++) /* each takes at least a byte: the file's end comes first */
        PG_TRY(type == PG_GGUF_TEXT ? take_text(&text, &size, c) : skip_list(c, depth));
    return PG_OK;
}

static pg_status skip_metadata(cursor *c, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const char *key;
        uint64_t size;
        uint32_t type;
        PG_TRY(take_text(&key, &size, c));
        PG_TRY(take_u32(&type, c));
        if (size == strlen("general.alignment") && !memcmp(key, "general.alignment", size))
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: has an alignment of its own, expected the usual %d", c->name,
                           PG_GGUF_ALIGNMENT);
        PG_TRY(skip_values(c, type, 1, 0));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- tensors */

static pg_status take_dtype(pg_array *out, cursor *c)
{
    uint32_t number;
    PG_TRY(take_u32(&number, c));
    for (size_t i = 0; i < PG_GGUF_DTYPES; i++)
        if (pg_gguf_dtypes[i].number == number) {
            out->dtype = pg_gguf_dtypes[i].dtype;
            return PG_OK;
        }
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s: type %u, expected F32, F16 or BF16", c->name, out->name, number);
}

/* One line of the list; bytes are where the tensor begins, behind the list. */
static pg_status take_tensor(pg_array *out, uint64_t *offset, cursor *c)
{
    const char *name;
    uint64_t size;
    uint32_t dimensions;
    PG_TRY(take_text(&name, &size, c));
    out->name = pg_copy_text(name, (size_t)size);
    if (!out->name)
        return PG_ERROR_MEMORY;
    PG_TRY(take_u32(&dimensions, c));
    if (dimensions > PG_ARRAY_DIMENSIONS)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: %u dimensions, at most %d", c->name, out->name, dimensions,
                       PG_ARRAY_DIMENSIONS);
    out->dimensions = (int)dimensions;
    for (uint32_t i = dimensions; i-- > 0;) {
        uint64_t length;
        PG_TRY(take_u64(&length, c));
        out->shape[i] = length > INT64_MAX ? -1 : (int64_t)length;
    }
    PG_TRY(take_dtype(out, c));
    if (!pg_array_size(&out->bytes, out))
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: the shape is too large", c->name, out->name);
    return take_u64(offset, c);
}

static pg_status place_tensors(pg_gguf *file, const uint64_t *offsets, const cursor *c)
{
    size_t head = (size_t)pg_gguf_align((uint64_t)(c->at - c->start)), size = (size_t)(c->end - c->start);
    for (size_t i = 0; i < file->count; i++) {
        pg_array *array = &file->arrays[i];
        if (head > size || offsets[i] > size - head || array->bytes > size - head - offsets[i])
            return pg_fail(PG_ERROR_FORMAT, "%s: %s: reaches beyond the end of the file: is it complete?", c->name,
                           array->name);
        array->data = c->start + head + offsets[i];
    }
    pg_array_sort(file->arrays, file->count);
    for (size_t i = 1; i < file->count; i++)
        if (!strcmp(file->arrays[i - 1].name, file->arrays[i].name))
            return pg_fail(PG_ERROR_FORMAT, "%s: %s: two tensors have this name", c->name, file->arrays[i].name);
    return PG_OK;
}

static pg_status take_tensors(pg_gguf *file, cursor *c, uint64_t count)
{
    if (count > (uint64_t)(c->end - c->at)) /* each takes more than a byte */
        return fail_short(c);
    file->arrays = pg_alloc((size_t)count, sizeof *file->arrays);
    uint64_t *offsets = pg_alloc((size_t)count, sizeof *offsets);
    pg_status status = file->arrays && offsets ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        file->count++;
        status = take_tensor(&file->arrays[i], &offsets[i], c);
    }
    if (status == PG_OK)
        status = place_tensors(file, offsets, c);
    pg_free(offsets);
    return status;
}

static pg_status parse_all(pg_gguf *file, cursor *c)
{
    const uint8_t *magic;
    uint32_t version;
    uint64_t tensors, values;
    PG_TRY(take(&magic, c, strlen(PG_GGUF_MAGIC)));
    if (memcmp(magic, PG_GGUF_MAGIC, strlen(PG_GGUF_MAGIC)) != 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: not a GGUF file", c->name);
    PG_TRY(take_u32(&version, c));
    if (version != PG_GGUF_VERSION)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: GGUF version %u, expected %d", c->name, version, PG_GGUF_VERSION);
    PG_TRY(take_u64(&tensors, c));
    PG_TRY(take_u64(&values, c));
    PG_TRY(skip_metadata(c, values));
    return take_tensors(file, c, tensors);
}

pg_status pg_gguf_parse(pg_gguf **out, const void *bytes, size_t size, const char *name)
{
    pg_gguf *file = *out = pg_alloc(1, sizeof *file);
    if (!file)
        return PG_ERROR_MEMORY;
    cursor c = {bytes, (const uint8_t *)bytes + size, bytes, name};
    pg_status status = parse_all(file, &c);
    if (status != PG_OK) {
        pg_gguf_close(file);
        *out = NULL;
    }
    return status;
}

pg_status pg_gguf_open(pg_gguf **out, const char *path)
{
    pg_file_map map;
    *out = NULL;
    PG_TRY(pg_file_map_open(&map, path));
    pg_status status = pg_gguf_parse(out, map.data, map.size, path);
    if (status == PG_OK)
        (*out)->map = map;
    else
        pg_file_map_close(&map);
    return status;
}

void pg_gguf_close(pg_gguf *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++)
        pg_free((void *)file->arrays[i].name);
    pg_free(file->arrays);
    pg_file_map_close(&file->map);
    pg_free(file);
}

size_t pg_gguf_count(const pg_gguf *file)
{
    return file->count;
}

const pg_array *pg_gguf_find(const pg_gguf *file, const char *name)
{
    return pg_array_find(file->arrays, file->count, name);
}

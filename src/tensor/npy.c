/* The .npy format (numpy/lib/format.py): "\x93NUMPY", version, the header's length (u16 in version 1, u32 in 2 and 3),
 * then the text of a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } and the
 * data. */
#include "tensor/npy.h"

#include <string.h>

#include "base/file.h"

#define MAGIC      "\x93NUMPY"
#define MAGIC_SIZE 6
#define ALIGNMENT  64 /* of the data in files written here, as NumPy has it */

/* The first entry of a dtype is the one written. */
static const struct {
    const char *text;
    pg_dtype dtype;
} codes[] = {
    {"<f4", PG_F32}, {"<f2", PG_F16},  {"<f8", PG_F64},  {"<i4", PG_I32},  {"<i8", PG_I64},  {"|i1", PG_I8},
    {"|u1", PG_U8},  {"|b1", PG_BOOL}, {"|V2", PG_BF16}, {"<V2", PG_BF16}, {"<u2", PG_BF16},
};
#define CODE_COUNT (sizeof codes / sizeof *codes)

/* ---------------------------------------------------------------- the dictionary */

typedef struct cursor {
    const char *at, *end;
    const char *name; /* of the file */
} cursor;

static pg_status bad_header(const cursor *c)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: the .npy header is malformed", c->name);
}

static void skip_spaces(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
}

/* Takes `text` if it comes next. */
static bool take(cursor *c, const char *text)
{
    skip_spaces(c);
    size_t size = strlen(text);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, text, size))
        return false;
    c->at += size;
    return true;
}

static bool next_is(const cursor *c, char expected)
{
    return c->at < c->end && *c->at == expected;
}

/* A string in either quotes; what is too long for `out` is malformed here. */
static pg_status take_string(char out[16], cursor *c)
{
    const char *quote = take(c, "'") ? "'" : take(c, "\"") ? "\"" : NULL;
    if (!quote)
        return bad_header(c);
    for (size_t i = 0; i < 16 && c->at < c->end; i++) {
        char next = *c->at++;
        out[i] = next == *quote ? 0 : next;
        if (!out[i])
            return PG_OK;
    }
    return bad_header(c);
}

static pg_status take_dtype(pg_array *array, cursor *c)
{
    char text[16];
    skip_spaces(c);
    if (next_is(c, '['))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: arrays of structures are not supported", c->name);
    PG_TRY(take_string(text, c));
    for (size_t i = 0; i < CODE_COUNT; i++)
        if (!strcmp(codes[i].text, text)) {
            array->dtype = codes[i].dtype;
            return PG_OK;
        }
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "%s: dtype '%s' is not supported, expected little-endian f8 f4 f2 i8 i4, i1, u1, b1 or bfloat16",
                   c->name, text);
}

static pg_status take_length(int64_t *out, cursor *c)
{
    skip_spaces(c);
    const char *start = c->at;
    *out = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *c->at - '0', out))
            return pg_fail(PG_ERROR_FORMAT, "%s: the shape is too large", c->name);
    return c->at > start ? PG_OK : bad_header(c);
}

/* (), (3,), (3, 4) or (3, 4,) */
static pg_status take_shape(pg_array *array, cursor *c)
{
    if (!take(c, "("))
        return bad_header(c);
    array->dimensions = 0;
    while (!take(c, ")")) {
        if (array->dimensions == PG_ARRAY_DIMENSIONS)
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: more than %d dimensions", c->name, PG_ARRAY_DIMENSIONS);
        PG_TRY(take_length(&array->shape[array->dimensions++], c));
        if (!take(c, ",") && !next_is(c, ')'))
            return bad_header(c);
    }
    return PG_OK;
}

static pg_status take_order(bool *fortran, cursor *c)
{
    *fortran = take(c, "True");
    return *fortran || take(c, "False") ? PG_OK : bad_header(c);
}

static pg_status parse_dictionary(pg_array *array, cursor *c)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    bool seen[3] = {false}, fortran = false;
    if (!take(c, "{"))
        return bad_header(c);
    while (!take(c, "}")) {
        char key[16];
        PG_TRY(take_string(key, c));
        int k = 0;
        while (k < 3 && strcmp(keys[k], key))
            k++;
        if (k == 3 || seen[k] || !take(c, ":"))
            return bad_header(c);
        seen[k] = true;
        PG_TRY(k == 0 ? take_dtype(array, c) : k == 1 ? take_order(&fortran, c) : take_shape(array, c));
        if (!take(c, ",") && !next_is(c, '}'))
            return bad_header(c);
    }
    skip_spaces(c);
    if (c->at != c->end || !seen[0] || !seen[1] || !seen[2])
        return bad_header(c);
    if (fortran && array->dimensions > 1)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: in Fortran order, save numpy.ascontiguousarray of it", c->name);
    if (!pg_array_size(&array->bytes, array))
        return pg_fail(PG_ERROR_FORMAT, "%s: the shape is too large", c->name);
    return PG_OK;
}

/* ---------------------------------------------------------------- reading */

pg_status pg_npy_parse_header(pg_array *out, size_t *header_size, const void *bytes, size_t size, const char *name)
{
    *out = (pg_array){.name = name};
    *header_size = 0;
    const uint8_t *b = bytes;
    if (size < MAGIC_SIZE + 4 || memcmp(b, MAGIC, MAGIC_SIZE))
        return pg_fail(PG_ERROR_FORMAT, "%s: not a .npy array", name);
    int version = b[MAGIC_SIZE];
    if (version < 1 || version > 3 || b[MAGIC_SIZE + 1] != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: .npy version %d.%d, expected 1.0, 2.0 or 3.0", name, version,
                       b[MAGIC_SIZE + 1]);
    size_t start = version == 1 ? MAGIC_SIZE + 4 : MAGIC_SIZE + 6;
    size_t length = b[8] | (size_t)b[9] << 8;
    if (version > 1 && size >= start)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (start + length > PG_NPY_LARGEST_HEADER)
        return pg_fail(PG_ERROR_LIMIT, "%s: the .npy header takes %zu bytes, more than %d", name, start + length,
                       PG_NPY_LARGEST_HEADER);
    if (start + length > size)
        return pg_fail(PG_ERROR_FORMAT, "%s: the header ends at byte %zu, the file has %zu: is it complete?", name,
                       start + length, size);
    *header_size = start + length;
    cursor c = {(const char *)b + start, (const char *)b + start + length, name};
    return parse_dictionary(out, &c);
}

pg_status pg_npy_parse(pg_array *out, const void *bytes, size_t size, const char *name)
{
    size_t header_size;
    PG_TRY(pg_npy_parse_header(out, &header_size, bytes, size, name));
    char shape[PG_SHAPE_TEXT];
    if (size - header_size != out->bytes)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s %s takes %zu bytes, the file holds %zu", name,
                       pg_dtype_name(out->dtype), pg_array_shape_text(shape, out), out->bytes, size - header_size);
    out->data = (const uint8_t *)bytes + header_size;
    return PG_OK;
}

/* ---------------------------------------------------------------- writing */

static const char *code_of(pg_dtype dtype)
{
    size_t i = 0;
    while (codes[i].dtype != dtype)
        i++;
    return codes[i].text;
}

pg_status pg_npy_print_header(pg_buffer *out, const pg_array *array)
{
    size_t start = out->size, bytes;
    if (!pg_array_size(&bytes, array))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the shape is invalid or too large", array->name);
    PG_TRY(pg_buffer_append(out, MAGIC "\1\0\0\0", MAGIC_SIZE + 4));
    PG_TRY(pg_buffer_print(out, "{'descr': '%s', 'fortran_order': False, 'shape': (", code_of(array->dtype)));
    for (int i = 0; i < array->dimensions; i++)
        PG_TRY(pg_buffer_print(out,
                               array->dimensions == 1 ? "%lld,"
                               : i                    ? ", %lld"
                                                      : "%lld",
                               (long long)array->shape[i]));
    PG_TRY(pg_buffer_append(out, "), }", 4));
    while ((out->size - start + 1) % ALIGNMENT)
        PG_TRY(pg_buffer_append(out, " ", 1));
    PG_TRY(pg_buffer_append(out, "\n", 1));
    size_t length = out->size - start - MAGIC_SIZE - 4; /* eight dimensions stay far below 65,536 bytes */
    out->data[start + 8] = (char)(length & 255);
    out->data[start + 9] = (char)(length >> 8);
    return PG_OK;
}

pg_status pg_npy_save(const char *path, const pg_array *array)
{
    pg_buffer header = {0};
    pg_file_writer writer = {0};
    size_t bytes;
    pg_status status;
    PG_TRY_GOTO(pg_npy_print_header(&header, array));
    pg_array_size(&bytes, array); /* valid: the header was made from it */
    PG_TRY_GOTO(pg_file_writer_open(&writer, path));
    PG_TRY_GOTO(pg_file_writer_write(&writer, header.data, header.size));
    PG_TRY_GOTO(pg_file_writer_write(&writer, array->data, bytes));
done:
    if (status == PG_OK)
        status = pg_file_writer_commit(&writer);
    else
        pg_file_writer_abort(&writer);
    pg_buffer_free(&header);
    return status;
}

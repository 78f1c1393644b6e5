/* .npz through libzip, which reads from the mapped file and checks what it inflates against the archive's CRC-32. */
#include "tensor/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "base/pages.h"
#include "tensor/npy.h"

#define SUFFIX      ".npy"
#define SUFFIX_SIZE 4

/* Deflate makes at most 258 bytes out of two bits; an archive that promises more is lying about its memory. */
#define LARGEST_RATIO 1032

typedef struct member {
    pg_array array; /* first, so that a pointer to it is one to its member */
    zip_uint64_t index;
    size_t header_size;
} member;

struct pg_npz {
    pg_file_map map; /* empty if the bytes belong to the caller */
    char *name;      /* of the file */
    zip_t *zip;
    member *members; /* ordered by name */
    size_t count;
};

static pg_status zip_failure(const char *name, zip_error_t *error)
{
    pg_status status = zip_error_code_zip(error) == ZIP_ER_MEMORY ? PG_ERROR_MEMORY : PG_ERROR_FORMAT;
    return pg_fail(status, "%s: %s", name, zip_error_strerror(error));
}

/* ---------------------------------------------------------------- reading */

/* The next `size` bytes of an open member. */
static pg_status read_part(void *out, size_t size, zip_file_t *file, const member *m)
{
    for (size_t done = 0; done < size;) {
        zip_int64_t n = zip_fread(file, (char *)out + done, size - done);
        if (n < 0)
            return zip_failure(m->array.name, zip_file_get_error(file));
        if (n == 0)
            return pg_fail(PG_ERROR_FORMAT, "%s: shorter than the archive announces", m->array.name);
        done += (size_t)n;
    }
    return PG_OK;
}

/* libzip compares the CRC-32 when it is asked for what lies behind the last byte. */
static pg_status read_end(zip_file_t *file, const member *m)
{
    char beyond;
    zip_int64_t n = zip_fread(file, &beyond, 1);
    if (n < 0)
        return zip_failure(m->array.name, zip_file_get_error(file));
    return n == 0 ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: longer than the archive announces", m->array.name);
}

static pg_status open_member(zip_file_t **out, pg_npz *npz, const member *m)
{
    *out = zip_fopen_index(npz->zip, m->index, 0);
    return *out ? PG_OK : zip_failure(m->array.name, zip_get_error(npz->zip));
}

/* The member's size, if it is a kind that is read here and can be true. */
static pg_status check_member(size_t *size, pg_npz *npz, const member *m, size_t archive_size)
{
    *size = 0;
    zip_stat_t info;
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(npz->zip, m->index, 0, &info) != 0 || (info.valid & needed) != needed)
        return pg_fail(PG_ERROR_FORMAT, "%s: the archive's directory is malformed", m->array.name);
    bool stored = info.comp_method == ZIP_CM_STORE;
    if (info.encryption_method != ZIP_EM_NONE || (!stored && info.comp_method != ZIP_CM_DEFLATE))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: encrypted, or neither stored nor deflated", m->array.name);
    if (info.comp_size > archive_size || info.size > info.comp_size * (stored ? 1 : LARGEST_RATIO))
        return pg_fail(PG_ERROR_FORMAT, "%s: the archive announces %llu bytes out of %llu, which cannot be",
                       m->array.name, (unsigned long long)info.size, (unsigned long long)info.comp_size);
    *size = (size_t)info.size;
    return PG_OK;
}

static pg_status parse_member(pg_npz *npz, member *m, size_t archive_size)
{
    uint8_t start[PG_NPY_LARGEST_HEADER];
    size_t size;
    zip_file_t *file;
    PG_TRY(check_member(&size, npz, m, archive_size));
    PG_TRY(open_member(&file, npz, m));
    size_t start_size = size < sizeof start ? size : sizeof start;
    pg_status status = read_part(start, start_size, file, m);
    zip_fclose(file);
    PG_TRY(status);
    PG_TRY(pg_npy_parse_header(&m->array, &m->header_size, start, start_size, m->array.name));
    char shape[PG_SHAPE_TEXT];
    if (size - m->header_size != m->array.bytes)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s %s takes %zu bytes, the archive announces %zu", m->array.name,
                       pg_dtype_name(m->array.dtype), pg_array_shape_text(shape, &m->array), m->array.bytes,
                       size - m->header_size);
    return PG_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const member *)a)->array.name, ((const member *)b)->array.name);
}

static pg_status parse_members(pg_npz *npz, size_t archive_size)
{
    zip_int64_t entries = zip_get_num_entries(npz->zip, 0);
    npz->members = pg_alloc((size_t)entries, sizeof *npz->members);
    if (!npz->members)
        return PG_ERROR_MEMORY;
    for (zip_int64_t i = 0; i < entries; i++) {
        const char *name = zip_get_name(npz->zip, (zip_uint64_t)i, 0);
        if (!name)
            return zip_failure("a member's name", zip_get_error(npz->zip));
        size_t length = strlen(name);
        if (length < SUFFIX_SIZE || strcmp(name + length - SUFFIX_SIZE, SUFFIX))
            continue;
        member *m = &npz->members[npz->count];
        m->index = (zip_uint64_t)i;
        m->array.name = pg_copy_text(name, length - SUFFIX_SIZE);
        if (!m->array.name)
            return PG_ERROR_MEMORY;
        npz->count++;
        PG_TRY(parse_member(npz, m, archive_size));
    }
    qsort(npz->members, npz->count, sizeof *npz->members, compare_names);
    for (size_t i = 1; i < npz->count; i++)
        if (!compare_names(&npz->members[i - 1], &npz->members[i]))
            return pg_fail(PG_ERROR_FORMAT, "%s: two arrays have this name", npz->members[i].array.name);
    return PG_OK;
}

static pg_status open_archive(pg_npz *npz, const void *bytes, size_t size, const char *name)
{
    if (!size) /* libzip takes this for an empty archive */
        return pg_fail(PG_ERROR_FORMAT, "%s: the file is empty", name);
    npz->name = pg_copy_text(name, SIZE_MAX);
    if (!npz->name)
        return PG_ERROR_MEMORY;
    zip_error_t error;
    zip_error_init(&error);
    pg_status status = PG_OK;
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
    npz->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (!npz->zip) {
        zip_source_free(source);
        status = zip_failure(name, &error);
    }
    zip_error_fini(&error);
    return status;
}

pg_status pg_npz_parse(pg_npz **out, const void *bytes, size_t size, const char *name)
{
    *out = NULL;
    pg_npz *npz = pg_alloc(1, sizeof *npz);
    if (!npz)
        return PG_ERROR_MEMORY;
    pg_status status = open_archive(npz, bytes, size, name);
    if (status == PG_OK) {
        status = parse_members(npz, size);
        if (status != PG_OK)
            pg_fail_context(status, "%s", name);
    }
    if (status == PG_OK)
        *out = npz;
    else
        pg_npz_close(npz);
    return status;
}

pg_status pg_npz_open(pg_npz **out, const char *path)
{
    *out = NULL;
    pg_file_map map;
    PG_TRY(pg_file_map_open(&map, path));
    pg_status status = pg_npz_parse(out, map.data, map.size, path);
    if (status == PG_OK)
        (*out)->map = map;
    else
        pg_file_map_close(&map);
    return status;
}

void pg_npz_close(pg_npz *npz)
{
    if (!npz)
        return;
    if (npz->zip)
        zip_discard(npz->zip);
    for (size_t i = 0; i < npz->count; i++)
        pg_free((void *)npz->members[i].array.name);
    pg_free(npz->members);
    pg_free(npz->name);
    pg_file_map_close(&npz->map);
    pg_free(npz);
}

size_t pg_npz_count(const pg_npz *npz)
{
    return npz->count;
}

const pg_array *pg_npz_at(const pg_npz *npz, size_t i)
{
    return &npz->members[i].array;
}

const pg_array *pg_npz_find(const pg_npz *npz, const char *name)
{
    member key = {.array.name = name};
    const member *found = bsearch(&key, npz->members, npz->count, sizeof key, compare_names);
    return found ? &found->array : NULL;
}

/* ---------------------------------------------------------------- piece by piece */

struct pg_npz_stream {
    const pg_npz *npz;
    const member *m;
    zip_file_t *file;
    size_t left; /* bytes of data */
};

/* Opens a member and skips its header. */
static pg_status open_stream(pg_npz_stream *stream, pg_npz *npz, const member *m)
{
    uint8_t header[PG_NPY_LARGEST_HEADER];
    *stream = (pg_npz_stream){.npz = npz, .m = m, .left = m->array.bytes};
    PG_TRY(open_member(&stream->file, npz, m));
    return read_part(header, m->header_size, stream->file, m);
}

static pg_status read_stream(pg_npz_stream *stream, void *out, size_t size)
{
    if (size > stream->left)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: %zu bytes are left, not %zu", stream->m->array.name, stream->left, size);
    PG_TRY(read_part(out, size, stream->file, stream->m));
    stream->left -= size;
    return stream->left ? PG_OK : read_end(stream->file, stream->m);
}

static void close_file(pg_npz_stream *stream)
{
    if (stream->file)
        zip_fclose(stream->file);
}

pg_status pg_npz_stream_open(pg_npz_stream **out, pg_npz *npz, const pg_array *array)
{
    *out = pg_alloc(1, sizeof **out);
    if (!*out)
        return PG_ERROR_MEMORY;
    pg_status status = open_stream(*out, npz, (const member *)array);
    if (status == PG_OK)
        return PG_OK;
    pg_npz_stream_close(*out);
    *out = NULL;
    return pg_fail_context(status, "%s", npz->name);
}

pg_status pg_npz_stream_read(pg_npz_stream *stream, void *out, size_t size)
{
    pg_status status = read_stream(stream, out, size);
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", stream->npz->name);
}

void pg_npz_stream_close(pg_npz_stream *stream)
{
    if (!stream)
        return;
    close_file(stream);
    pg_free(stream);
}

void pg_npz_release(const pg_npz *npz)
{
    if (npz->map.size)
        pg_pages_release(npz->map.data, npz->map.size);
}

static pg_status load_member(void *out, pg_npz *npz, const member *m)
{
    pg_npz_stream stream = {0};
    pg_status status = open_stream(&stream, npz, m);
    if (status == PG_OK)
        status = read_stream(&stream, out, m->array.bytes);
    close_file(&stream);
    return status;
}

pg_status pg_npz_load(void **out, pg_npz *npz, const pg_array *array)
{
    *out = pg_alloc(array->bytes, 1);
    if (!*out)
        return PG_ERROR_MEMORY;
    pg_status status = load_member(*out, npz, (const member *)array);
    if (status == PG_OK)
        return PG_OK;
    pg_free(*out);
    *out = NULL;
    return pg_fail_context(status, "%s", npz->name);
}

/* ---------------------------------------------------------------- writing */

/* An archive in the making. libzip asks for the bytes of each member when it closes the archive. */
typedef struct archive_writer {
    const pg_array *arrays;
    pg_npz_source *source;
    void *user;
    pg_status status; /* of the source */
} archive_writer;

/* A member in the making: a header, then data from the source. */
typedef struct new_member {
    archive_writer *archive;
    size_t index; /* of its array */
    pg_buffer header;
    size_t bytes, done; /* header included */
} new_member;

/* Up to `size` bytes from where the member stands. */
static zip_int64_t give_bytes(new_member *m, char *out, size_t size)
{
    size_t given = 0;
    for (; m->done < m->header.size && given < size; given++)
        out[given] = m->header.data[m->done++];
    size_t count = size - given < m->bytes - m->done ? size - given : m->bytes - m->done;
    archive_writer *archive = m->archive;
    if (count && archive->status == PG_OK)
        archive->status = archive->source(archive->user, m->index, m->done - m->header.size, out + given, count);
    if (archive->status != PG_OK)
        return -1;
    m->done += count;
    return (zip_int64_t)(given + count);
}

static zip_int64_t describe_member(const new_member *m, zip_stat_t *stat)
{
    zip_stat_init(stat);
    stat->valid = ZIP_STAT_SIZE;
    stat->size = m->bytes;
    return sizeof *stat;
}

/* pg_npz_write tells the real reason. */
static zip_int64_t describe_failure(void *out, size_t size)
{
    const int codes[2] = {ZIP_ER_READ, 0};
    memcpy(out, codes, size < sizeof codes ? size : sizeof codes);
    return sizeof codes;
}

/* What libzip wants of a source. */
static zip_int64_t serve_member(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    new_member *m = user;
    switch (command) {
    case ZIP_SOURCE_OPEN: m->done = 0; return 0;
    case ZIP_SOURCE_READ: return give_bytes(m, data, (size_t)size);
    case ZIP_SOURCE_STAT: return describe_member(m, data);
    case ZIP_SOURCE_ERROR: return describe_failure(data, (size_t)size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
    default: return -1;
    }
}

static pg_status add_member(zip_t *zip, new_member *m, bool compress)
{
    const pg_array *array = &m->archive->arrays[m->index];
    pg_buffer name = {0};
    pg_status status;
    PG_TRY_GOTO(pg_npy_print_header(&m->header, array));
    pg_array_size(&m->bytes, array); /* valid: the header was made from it */
    m->bytes += m->header.size;
    PG_TRY_GOTO(pg_buffer_print(&name, "%s" SUFFIX, array->name));
    zip_source_t *source = zip_source_function(zip, serve_member, m);
    zip_int64_t index = source ? zip_file_add(zip, name.data, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        status = zip_failure(array->name, zip_get_error(zip));
        goto done;
    }
    const zip_uint16_t first_of_1980 = 1 << 5 | 1; /* same arrays, same file */
    if (zip_file_set_dostime(zip, (zip_uint64_t)index, 0, first_of_1980, 0) != 0 ||
        zip_set_file_compression(zip, (zip_uint64_t)index, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) != 0)
        status = zip_failure(array->name, zip_get_error(zip));
done:
    pg_buffer_free(&name);
    return status;
}

static pg_status open_new(zip_t **out, const char *path)
{
    int code;
    *out = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (*out)
        return PG_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    pg_status status = zip_failure(path, &error);
    zip_error_fini(&error);
    return status;
}

static pg_status close_new(zip_t **zip, const archive_writer *archive, const char *path)
{
    if (zip_close(*zip) == 0) {
        *zip = NULL;
        return PG_OK;
    }
    return archive->status != PG_OK ? archive->status
                                    : pg_fail(PG_ERROR_FILE, "%s: cannot be written: %s", path, zip_strerror(*zip));
}

pg_status pg_npz_write(const char *path, const pg_array *arrays, size_t count, bool compress, pg_npz_source *source,
                       void *user)
{
    archive_writer archive = {.arrays = arrays, .source = source, .user = user};
    if (!count)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: there are no arrays to write", path);
    new_member *members = pg_alloc(count, sizeof *members);
    zip_t *zip = NULL;
    pg_status status = members ? open_new(&zip, path) : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        members[i] = (new_member){.archive = &archive, .index = i};
        status = add_member(zip, &members[i], compress);
    }
    if (status == PG_OK)
        status = close_new(&zip, &archive, path);
    if (zip)
        zip_discard(zip);
    for (size_t i = 0; members && i < count; i++)
        pg_buffer_free(&members[i].header);
    pg_free(members);
    return status;
}

static pg_status give_data(void *user, size_t i, size_t offset, void *out, size_t size)
{
    const pg_array *arrays = user;
    memcpy(out, (const char *)arrays[i].data + offset, size);
    return PG_OK;
}

pg_status pg_npz_save(const char *path, const pg_array *arrays, size_t count, bool compress)
{
    return pg_npz_write(path, arrays, count, compress, give_data, (void *)arrays);
}

#include <string.h>

#include "base/file.h"
#include "tensor/gguf.h"
#include "tensor/gguf_format.h"

/* ---------------------------------------------------------------- metadata */

static pg_status append_u32(pg_buffer *out, uint32_t value)
{
    return pg_buffer_append(out, &value, sizeof value);
}

static pg_status append_u64(pg_buffer *out, uint64_t value)
{
    return pg_buffer_append(out, &value, sizeof value);
}

static pg_status append_text(pg_buffer *out, const char *text, size_t size)
{
    PG_TRY(append_u64(out, size));
    return pg_buffer_append(out, text, size);
}

static pg_status begin(pg_gguf_metadata *m, const char *key, pg_gguf_type type)
{
    m->count++;
    PG_TRY(append_text(&m->bytes, key, strlen(key)));
    return append_u32(&m->bytes, type);
}

static pg_status put(pg_gguf_metadata *m, const char *key, pg_gguf_type type, const void *value, size_t size)
{
    PG_TRY(begin(m, key, type));
    return pg_buffer_append(&m->bytes, value, size);
}

pg_status pg_gguf_put_text(pg_gguf_metadata *m, const char *key, const char *text)
{
    PG_TRY(begin(m, key, PG_GGUF_TEXT));
    return append_text(&m->bytes, text, strlen(text));
}

pg_status pg_gguf_put_number(pg_gguf_metadata *m, const char *key, uint32_t number)
{
    return put(m, key, PG_GGUF_U32, &number, sizeof number);
}

pg_status pg_gguf_put_real(pg_gguf_metadata *m, const char *key, float real)
{
    return put(m, key, PG_GGUF_F32, &real, sizeof real);
}

pg_status pg_gguf_put_truth(pg_gguf_metadata *m, const char *key, bool truth)
{
    const uint8_t byte = truth;
    return put(m, key, PG_GGUF_BOOL, &byte, sizeof byte);
}

static pg_status begin_list(pg_gguf_metadata *m, const char *key, pg_gguf_type type, size_t count)
{
    PG_TRY(begin(m, key, PG_GGUF_LIST));
    PG_TRY(append_u32(&m->bytes, type));
    return append_u64(&m->bytes, count);
}

pg_status pg_gguf_begin_texts(pg_gguf_metadata *m, const char *key, size_t count)
{
    return begin_list(m, key, PG_GGUF_TEXT, count);
}

pg_status pg_gguf_add_text(pg_gguf_metadata *m, const char *text, size_t size)
{
    return append_text(&m->bytes, text, size);
}

pg_status pg_gguf_put_reals(pg_gguf_metadata *m, const char *key, const float *reals, size_t count)
{
    PG_TRY(begin_list(m, key, PG_GGUF_F32, count));
    return pg_buffer_append(&m->bytes, reals, count * sizeof *reals);
}

pg_status pg_gguf_put_numbers(pg_gguf_metadata *m, const char *key, const int32_t *numbers, size_t count)
{
    PG_TRY(begin_list(m, key, PG_GGUF_I32, count));
    return pg_buffer_append(&m->bytes, numbers, count * sizeof *numbers);
}

/* ---------------------------------------------------------------- tensors */

struct pg_gguf_writer {
    pg_file_writer file;
    size_t *sizes;                 /* of the tensors */
    size_t count, tensor, written; /* written: bytes of the present tensor */
};

static uint32_t number_of(pg_dtype dtype)
{
    size_t i = 0;
    while (pg_gguf_dtypes[i].dtype != dtype)
        i++;
    return pg_gguf_dtypes[i].number;
}

/* A tensor in the list; `offset` is where its bytes begin, behind those of the list. */
static pg_status list_tensor(pg_buffer *out, const pg_array *array, uint64_t offset)
{
    PG_TRY(append_text(out, array->name, strlen(array->name)));
    PG_TRY(append_u32(out, (uint32_t)array->dimensions));
    for (int i = array->dimensions - 1; i >= 0; i--)
        PG_TRY(append_u64(out, (uint64_t)array->shape[i]));
    PG_TRY(append_u32(out, number_of(array->dtype)));
    return append_u64(out, offset);
}

/* Everything in front of the tensors' bytes. */
static pg_status print_head(pg_buffer *out, const pg_gguf_metadata *metadata, const pg_array *arrays, size_t count)
{
    static const char zeros[PG_GGUF_ALIGNMENT] = {0};
    uint64_t offset = 0;
    PG_TRY(pg_buffer_append(out, PG_GGUF_MAGIC, strlen(PG_GGUF_MAGIC)));
    PG_TRY(append_u32(out, PG_GGUF_VERSION));
    PG_TRY(append_u64(out, count));
    PG_TRY(append_u64(out, metadata->count));
    PG_TRY(pg_buffer_append(out, metadata->bytes.data, metadata->bytes.size));
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        if (!pg_array_size(&bytes, &arrays[i]))
            return pg_fail(PG_ERROR_ARGUMENT, "%s: the shape is invalid or too large", arrays[i].name);
        PG_TRY(list_tensor(out, &arrays[i], offset));
        offset = pg_gguf_align(offset + bytes);
    }
    return pg_buffer_append(out, zeros, (size_t)(pg_gguf_align(out->size) - out->size));
}

static pg_status open_parts(pg_gguf_writer *writer, const char *path, const pg_buffer *head, const pg_array *arrays)
{
    writer->sizes = pg_alloc(writer->count, sizeof *writer->sizes);
    if (!writer->sizes)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < writer->count; i++)
        pg_array_size(&writer->sizes[i], &arrays[i]);
    PG_TRY(pg_file_writer_open(&writer->file, path));
    return pg_file_writer_write(&writer->file, head->data, head->size);
}

pg_status pg_gguf_writer_open(pg_gguf_writer **out, const char *path, const pg_gguf_metadata *metadata,
                              const pg_array *arrays, size_t count)
{
    pg_buffer head = {0};
    pg_gguf_writer *writer = *out = pg_alloc(1, sizeof *writer);
    if (!writer)
        return PG_ERROR_MEMORY;
    writer->count = count;
    pg_status status = print_head(&head, metadata, arrays, count);
    if (status == PG_OK)
        status = open_parts(writer, path, &head, arrays);
    pg_buffer_free(&head);
    if (status != PG_OK) {
        pg_gguf_writer_abort(writer);
        *out = NULL;
    }
    return status;
}

pg_status pg_gguf_writer_write(pg_gguf_writer *writer, const void *bytes, size_t size)
{
    static const char zeros[PG_GGUF_ALIGNMENT] = {0};
    if (writer->tensor == writer->count || size > writer->sizes[writer->tensor] - writer->written)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: more bytes than its tensors have", writer->file.path.data);
    PG_TRY(pg_file_writer_write(&writer->file, bytes, size));
    writer->written += size;
    size_t whole = writer->sizes[writer->tensor];
    if (writer->written < whole)
        return PG_OK;
    writer->tensor++;
    writer->written = 0;
    return pg_file_writer_write(&writer->file, zeros, (size_t)(pg_gguf_align(whole) - whole));
}

static void free_writer(pg_gguf_writer *writer)
{
    pg_free(writer->sizes);
    pg_free(writer);
}

pg_status pg_gguf_writer_commit(pg_gguf_writer *writer)
{
    if (writer->tensor < writer->count) {
        pg_status status = pg_fail(PG_ERROR_ARGUMENT, "%s: tensor %zu of %zu is not complete", writer->file.path.data,
                                   writer->tensor + 1, writer->count);
        pg_gguf_writer_abort(writer);
        return status;
    }
    pg_status status = pg_file_writer_commit(&writer->file);
    free_writer(writer);
    return status;
}

void pg_gguf_writer_abort(pg_gguf_writer *writer)
{
    if (!writer)
        return;
    pg_file_writer_abort(&writer->file);
    free_writer(writer);
}

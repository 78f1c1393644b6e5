#include "model/jax_file.h"

#include <string.h>

#include "base/numbers.h"

#define PIECE_BYTES (16 << 20) /* of values whose order stays */

static pg_status make_room(char **bytes, size_t *capacity, size_t size)
{
    return pg_grow((void **)bytes, capacity, size, 1);
}

static size_t block_bytes(const pg_jax_array *array)
{
    return array->array.bytes / array->count;
}

/* Of a block whose order changes. */
static size_t part_bytes(const pg_jax_block *block, pg_dtype dtype)
{
    const pg_parameter *p = block->entry.parameter;
    return (size_t)(p->rows * p->width) / block->parts * pg_dtype_size(dtype);
}

/* ---------------------------------------------------------------- out of weights */

/* Some rows of a block whose order stays, from byte `within` on. */
static pg_status load_rows(pg_jax_values *v, const pg_jax_block *block, pg_dtype dtype, size_t within)
{
    const pg_parameter *p = block->entry.parameter;
    size_t row_bytes = (size_t)p->width * pg_dtype_size(dtype);
    int64_t first = (int64_t)(within / row_bytes);
    int64_t count = pg_smaller(block->rows - first, (int64_t)(PIECE_BYTES / row_bytes) + 1);
    v->size = (size_t)count * row_bytes;
    v->first += (size_t)first * row_bytes;
    PG_TRY(make_room(&v->bytes, &v->bytes_capacity, v->size));
    return pg_weight_rows(v->bytes, p, dtype, first, count, v->threads);
}

static pg_status load_reordered(pg_jax_values *v, const pg_jax_block *block, pg_dtype dtype)
{
    const pg_parameter *p = block->entry.parameter;
    v->size = part_bytes(block, dtype);
    PG_TRY(make_room(&v->rows, &v->rows_capacity, v->size * block->parts));
    PG_TRY(make_room(&v->bytes, &v->bytes_capacity, v->size));
    PG_TRY(pg_weight_rows(v->rows, p, dtype, 0, p->rows, v->threads));
    pg_jax_reorder(v->bytes, v->rows + block->part * v->size, &block->order, pg_dtype_size(dtype), false);
    return PG_OK;
}

/* What begins at or before that byte of array i. */
static pg_status load_values(pg_jax_values *v, size_t i, size_t offset)
{
    const pg_jax_array *array = &v->plan->arrays[i];
    size_t bytes = block_bytes(array), place = offset / bytes, within = offset % bytes;
    const pg_jax_block *block = &v->plan->blocks[array->blocks[place]];
    if (within == 0 && v->on_progress && !v->on_progress(v->user, ++v->done, v->plan->count))
        return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    v->array = i;
    v->first = place * bytes;
    return block->order.same ? load_rows(v, block, array->array.dtype, within)
                             : load_reordered(v, block, array->array.dtype);
}

pg_status pg_jax_values_give(void *values, size_t i, size_t offset, void *out, size_t size)
{
    pg_jax_values *v = values;
    for (char *to = out; size;) {
        if (i != v->array || offset < v->first || offset - v->first >= v->size)
            PG_TRY(load_values(v, i, offset));
        size_t at = offset - v->first, count = v->size - at < size ? v->size - at : size;
        memcpy(to, v->bytes + at, count);
        to += count;
        offset += count;
        size -= count;
    }
    return PG_OK;
}

void pg_jax_values_free(pg_jax_values *values)
{
    pg_free(values->bytes);
    pg_free(values->rows);
}

/* ---------------------------------------------------------------- a file */

/* A pg_jax_find for whole names. */
static const pg_array *find_whole(void *npz, const char *name)
{
    return pg_npz_find(npz, name);
}

static size_t count_parameters(const pg_npz *npz, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < pg_npz_count(npz); i++)
        count += !strncmp(pg_npz_at(npz, i)->name, prefix, strlen(prefix));
    return count;
}

pg_status pg_jax_file_open(pg_jax_file *out, const char *path)
{
    *out = (pg_jax_file){.path = path};
    PG_TRY(pg_npz_open(&out->npz, path));
    out->style = pg_jax_find_style(find_whole, out->npz, count_parameters(out->npz, "params/") > 0);
    out->others = pg_npz_count(out->npz) - count_parameters(out->npz, out->style.prefix);
    return PG_OK;
}

void pg_jax_file_close(pg_jax_file *file)
{
    pg_npz_close(file->npz);
    *file = (pg_jax_file){0};
}

#define LONGEST_NAME 256

const pg_array *pg_jax_file_find(void *file, const char *name)
{
    const pg_jax_file *f = file;
    char whole[LONGEST_NAME];
    snprintf(whole, sizeof whole, "%s%s", f->style.prefix, name);
    return pg_npz_find(f->npz, whole);
}

int64_t pg_jax_file_tokens(pg_jax_file *file)
{
    const pg_array *embed =
        file->style.kind == PG_MODEL_SIGLIP ? NULL : pg_jax_file_find(file, pg_jax_embedding(file->style.kind));
    return embed && embed->dimensions == 2 ? embed->shape[0] : 0;
}

static pg_status check_array(const pg_array *expected, pg_jax_file *file)
{
    const pg_array *found = pg_npz_find(file->npz, expected->name);
    char shape[PG_SHAPE_TEXT], wanted[PG_SHAPE_TEXT];
    if (!found)
        return pg_fail(PG_ERROR_FORMAT, "%s: the array \"%s\" is missing", file->path, expected->name);
    bool same = found->dimensions == expected->dimensions;
    for (int i = 0; same && i < expected->dimensions; i++)
        same = found->shape[i] == expected->shape[i];
    if (!same)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: shape %s, expected %s", file->path, found->name,
                       pg_array_shape_text(shape, found), pg_array_shape_text(wanted, expected));
    if (found->dtype != PG_F32 && found->dtype != PG_F16 && found->dtype != PG_BF16)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s: dtype %s, expected F32, F16 or BF16", file->path, found->name,
                       pg_dtype_name(found->dtype));
    return PG_OK;
}

/* Each found array is one of the plan's; those were found before. */
static pg_status check_others(const pg_jax_plan *plan, const pg_jax_file *file)
{
    const char *prefix = file->style.prefix;
    for (size_t i = 0; i < pg_npz_count(file->npz); i++) {
        const char *name = pg_npz_at(file->npz, i)->name;
        bool known = strncmp(name, prefix, strlen(prefix)) != 0;
        for (size_t k = 0; !known && k < plan->array_count; k++)
            known = !strcmp(name, plan->arrays[k].array.name);
        if (!known)
            return pg_fail(PG_ERROR_FORMAT, "%s: the array \"%s\" is not part of big_vision's %s", file->path, name,
                           pg_jax_kind_name(file->style.kind));
    }
    return PG_OK;
}

/* All parts of a weight have one dtype. */
static pg_status take_dtype(const pg_jax_block *block, const pg_array *array, const pg_jax_file *file)
{
    pg_parameter *p = block->entry.parameter;
    if (block->part > 0 && p->dtype != array->dtype)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: %s: dtype %s, expected %s as the arrays beside it have", file->path,
                       array->name, pg_dtype_name(array->dtype), pg_dtype_name(p->dtype));
    p->dtype = array->dtype;
    return PG_OK;
}

pg_status pg_jax_file_check(pg_jax_plan *plan, pg_jax_file *file)
{
    for (size_t i = 0; i < plan->array_count; i++) {
        pg_jax_array *array = &plan->arrays[i];
        PG_TRY(check_array(&array->array, file));
        array->array.dtype = pg_npz_find(file->npz, array->array.name)->dtype;
        pg_array_size(&array->array.bytes, &array->array);
        for (size_t k = 0; k < array->count; k++)
            PG_TRY(take_dtype(&plan->blocks[array->blocks[k]], &array->array, file));
    }
    return check_others(plan, file);
}

/* ---------------------------------------------------------------- into weights */

pg_status pg_jax_reader_init(pg_jax_reader *reader)
{
    int64_t width = 0;
    reader->streams = pg_alloc(reader->plan->array_count, sizeof(pg_npz_stream *));
    for (size_t i = 0; i < reader->plan->count; i++) {
        const pg_jax_block *block = &reader->plan->blocks[i];
        if (block->rows < block->entry.parameter->rows)
            width = block->entry.parameter->width;
    }
    reader->mean = pg_alloc((size_t)width, sizeof *reader->mean);
    return reader->streams && reader->mean ? PG_OK : PG_ERROR_MEMORY;
}

void pg_jax_reader_free(pg_jax_reader *reader)
{
    for (size_t i = 0; reader->streams && i < reader->plan->array_count; i++)
        pg_npz_stream_close(reader->streams[i]);
    pg_free(reader->streams);
    pg_free(reader->bytes);
    pg_free(reader->rows);
    pg_free(reader->mean);
}

/* The next `size` bytes of a block. */
static pg_status read_bytes(pg_jax_reader *reader, const pg_jax_block *block, char *out, size_t size, bool last)
{
    const pg_jax_array *array = &reader->plan->arrays[block->array];
    pg_npz_stream **stream = &reader->streams[block->array];
    if (!*stream)
        PG_TRY(pg_npz_stream_open(stream, reader->file->npz, pg_npz_find(reader->file->npz, array->array.name)));
    PG_TRY(pg_npz_stream_read(*stream, out, size));
    pg_npz_release(reader->file->npz);
    if (last && block->place + 1 == array->count) {
        pg_npz_stream_close(*stream);
        *stream = NULL;
    }
    return PG_OK;
}

/* Of a table that the file has in part: the mean of its rows, each a part of it. */
static void add_to_mean(pg_jax_reader *reader, const pg_jax_block *block, pg_dtype dtype, int64_t count)
{
    const pg_parameter *p = block->entry.parameter;
    size_t size = pg_dtype_size(dtype);
    for (int64_t i = 0; i < count * p->width; i++)
        reader->mean[i % p->width] +=
            (double)pg_dtype_load(dtype, reader->rows + (size_t)i * size) / (double)block->rows;
}

static pg_status read_rows(pg_jax_reader *reader, const pg_jax_block *block, pg_dtype dtype, int64_t count)
{
    size_t row_bytes = (size_t)block->entry.parameter->width * pg_dtype_size(dtype);
    count = pg_smaller(count, block->rows - reader->first);
    if (count <= 0)
        return PG_OK;
    PG_TRY(make_room(&reader->rows, &reader->rows_capacity, (size_t)count * row_bytes));
    PG_TRY(read_bytes(reader, block, reader->rows, (size_t)count * row_bytes, reader->first + count == block->rows));
    if (block->rows < block->entry.parameter->rows)
        add_to_mean(reader, block, dtype, count);
    return PG_OK;
}

/* All parts of the weight whose first block this is. */
static pg_status read_reordered(pg_jax_reader *reader, const pg_jax_block *block, pg_dtype dtype)
{
    size_t bytes = part_bytes(block, dtype);
    PG_TRY(make_room(&reader->bytes, &reader->bytes_capacity, bytes));
    PG_TRY(make_room(&reader->rows, &reader->rows_capacity, bytes * block->parts));
    for (size_t i = 0; i < block->parts; i++) {
        PG_TRY(read_bytes(reader, &block[i], reader->bytes, bytes, true));
        pg_jax_reorder(reader->rows + i * bytes, reader->bytes, &block[i].order, pg_dtype_size(dtype), true);
    }
    return PG_OK;
}

pg_status pg_jax_reader_prepare(void *user, const pg_weight_entry *entry, int64_t first, int64_t count)
{
    pg_jax_reader *reader = user;
    const pg_jax_plan *plan = reader->plan;
    if (plan->blocks[reader->block].entry.parameter != entry->parameter)
        reader->block += plan->blocks[reader->block].parts; /* the writer's order is the plan's */
    const pg_jax_block *block = &plan->blocks[reader->block];
    pg_dtype dtype = plan->arrays[block->array].array.dtype;
    if (block->order.same) {
        reader->first = first;
        return read_rows(reader, block, dtype, count);
    }
    reader->first = 0;
    return first == 0 ? read_reordered(reader, block, dtype) : PG_OK;
}

void pg_jax_reader_values(void *user, float *out, const pg_weight_entry *entry, int64_t first, int64_t count)
{
    const pg_jax_reader *reader = user;
    const pg_jax_block *block = &reader->plan->blocks[reader->block];
    pg_dtype dtype = reader->plan->arrays[block->array].array.dtype;
    int64_t width = entry->parameter->width;
    for (int64_t row = first; row < first + count; row++, out += width)
        if (row < block->rows)
            pg_dtype_widen(out, dtype, reader->rows + (size_t)((row - reader->first) * width) * pg_dtype_size(dtype),
                           width);
        else
            for (int64_t i = 0; i < width; i++)
                out[i] = (float)reader->mean[i];
}

/* ---------------------------------------------------------------- comparing */

#define COMPARED 65536            /* elements at a time */
#define RELEASED (COMPARED * 256) /* elements, before the pages of the file are given back */

typedef struct comparison {
    pg_jax_file *file;
    pg_jax_values *values;
    char found[COMPARED * sizeof(float)], expected[COMPARED * sizeof(float)];
    float floats[COMPARED];
} comparison;

static pg_status compare_piece(comparison *c, size_t i, pg_npz_stream *stream, int64_t first, int64_t count)
{
    const pg_array *wanted = &c->values->plan->arrays[i].array;
    const pg_array *stored = pg_npz_find(c->file->npz, wanted->name);
    size_t size = pg_dtype_size(wanted->dtype);
    PG_TRY(pg_npz_stream_read(stream, c->found, (size_t)count * pg_dtype_size(stored->dtype)));
    PG_TRY(pg_jax_values_give(c->values, i, (size_t)first * size, c->expected, (size_t)count * size));
    if (stored->dtype != wanted->dtype) {
        pg_dtype_widen(c->floats, stored->dtype, c->found, count);
        pg_dtype_narrow(c->found, wanted->dtype, c->floats, count);
    }
    if (memcmp(c->found, c->expected, (size_t)count * size) == 0)
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "%s: %s: values %lld to %lld are not those of the model", c->file->path,
                   stored->name, (long long)first, (long long)(first + count - 1));
}

static pg_status compare_array(comparison *c, size_t i)
{
    const pg_array *wanted = &c->values->plan->arrays[i].array;
    int64_t total = (int64_t)(wanted->bytes / pg_dtype_size(wanted->dtype));
    pg_npz_stream *stream;
    PG_TRY(pg_npz_stream_open(&stream, c->file->npz, pg_npz_find(c->file->npz, wanted->name)));
    pg_status status = PG_OK;
    for (int64_t first = 0; status == PG_OK && first < total; first += COMPARED) {
        status = compare_piece(c, i, stream, first, pg_smaller(total - first, COMPARED));
        if (first % RELEASED == 0)
            pg_npz_release(c->file->npz);
    }
    pg_npz_stream_close(stream);
    return status;
}

pg_status pg_jax_file_compare(pg_jax_file *file, pg_jax_values *values)
{
    comparison *c = pg_alloc(1, sizeof *c);
    if (!c)
        return PG_ERROR_MEMORY;
    c->file = file;
    c->values = values;
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < values->plan->array_count; i++)
        status = compare_array(c, i);
    pg_free(c);
    return status;
}

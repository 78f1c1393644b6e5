/* JSONL: an object a line. What is kept is where each line begins, eight bytes a row; a line is parsed when its row is
 * asked for. Lines of white space alone are no rows. */
#include <string.h>

#include "data/dataset.h"

#define ROWS_LOOKED_AT 100 /* at most, to find out what the rows are */

typedef struct jsonl {
    pg_file_map map;
    uint64_t *starts; /* of the rows */
    size_t count, capacity;
} jsonl;

static void close_index(void *memory)
{
    jsonl *index = memory;
    pg_file_map_close(&index->map);
    pg_free(index->starts);
    pg_free(index);
}

/* The bytes of the line that begins at `start`, without its end. */
static size_t line_size(const jsonl *index, size_t start)
{
    const uint8_t *end = memchr(index->map.data + start, '\n', index->map.size - start);
    return end ? (size_t)(end - index->map.data) - start : index->map.size - start;
}

static pg_status find_lines(jsonl *index)
{
    size_t start = pg_json_mark(index->map.data, index->map.size);
    while (start < index->map.size) {
        size_t size = line_size(index, start);
        if (!pg_json_is_blank((const char *)index->map.data + start, size)) {
            PG_TRY(pg_grow((void **)&index->starts, &index->capacity, index->count + 1, sizeof *index->starts));
            index->starts[index->count++] = start;
        }
        start += size + 1;
    }
    return PG_OK;
}

static size_t line_number(const jsonl *index, size_t row)
{
    size_t line = 1;
    const uint8_t *at = index->map.data, *end = at + index->starts[row];
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        line++;
    }
    return line;
}

static pg_status parse_row(json_t **out, const jsonl *index, size_t row)
{
    size_t start = index->starts[row];
    return pg_json_parse(out, (const char *)index->map.data + start, line_size(index, start), "row");
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    json_t *object;
    PG_TRY(parse_row(&object, dataset->index, row));
    pg_status status = pg_row_read_object(out, dataset, object, false);
    json_decref(object);
    return status;
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    return pg_buffer_print(out, "%s:%zu", dataset->text.path, line_number(dataset->index, row));
}

static pg_status read_record(json_t **out, const pg_dataset *dataset, size_t row)
{
    return parse_row(out, dataset->index, row);
}

static const pg_source source = {close_index, read_row, place_row, read_record};

/* The kind of the first row that has one. */
static pg_status find_row_kind(pg_dataset *dataset, const jsonl *index)
{
    pg_status status = PG_OK;
    for (size_t row = 0; row < index->count && row < ROWS_LOOKED_AT; row++) {
        json_t *object = NULL;
        status = parse_row(&object, index, row);
        if (status == PG_OK)
            status = pg_row_kind_of(&dataset->row_kind, object);
        json_decref(object);
        if (status == PG_OK || status == PG_ERROR_MEMORY)
            return status;
    }
    return pg_fail_context(status, "%s: no row can be read; the last one looked at", dataset->text.path);
}

static pg_status collect_name(pg_dataset *dataset, const json_t *label)
{
    const char *name = json_string_value(label);
    return name ? pg_labels_add(&dataset->labels, name) : PG_OK;
}

/* The names that a row's label, or list of labels, has. */
static pg_status collect_names(pg_dataset *dataset, const json_t *row)
{
    const json_t *label = json_object_get(row, "label");
    for (size_t i = 0; i < json_array_size(label); i++)
        PG_TRY(collect_name(dataset, json_array_get(label, i)));
    return collect_name(dataset, label);
}

/* Names of classes are known only when all rows have been seen. */
static pg_status collect_labels(pg_dataset *dataset, const jsonl *index)
{
    for (size_t row = 0; row < index->count; row++) {
        json_t *object;
        pg_status status = parse_row(&object, index, row);
        if (status == PG_ERROR_MEMORY)
            return status;
        if (status != PG_OK)
            continue;
        status = collect_names(dataset, object);
        json_decref(object);
        PG_TRY(status);
    }
    return PG_OK;
}

pg_status pg_jsonl_open(pg_dataset *dataset)
{
    jsonl *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &source;
    if (!index)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_file_map_open(&index->map, dataset->text.path));
    PG_TRY(find_lines(index));
    if (index->count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: has no rows", dataset->text.path);
    PG_TRY(find_row_kind(dataset, index));
    if (dataset->row_kind == PG_ROW_LABEL && !dataset->labels.names)
        PG_TRY(collect_labels(dataset, index));
    dataset->count = index->count;
    return PG_OK;
}

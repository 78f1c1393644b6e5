/* Plain text: documents with blank lines between them. What is kept is where each begins and ends. */
#include <string.h>

#include "data/dataset.h"

typedef struct document {
    uint64_t start, end;
} document;

typedef struct plain {
    pg_file_map map;
    document *documents;
    size_t count, capacity;
} plain;

static void close_index(void *memory)
{
    plain *index = memory;
    pg_file_map_close(&index->map);
    pg_free(index->documents);
    pg_free(index);
}

/* Bytes of the line at `start` that are more than white space at its end; *next: where the next line begins. */
static size_t scan_line(size_t *next, const plain *index, size_t start)
{
    const uint8_t *line = index->map.data + start, *end = memchr(line, '\n', index->map.size - start);
    size_t size = end ? (size_t)(end - line) : index->map.size - start;
    *next = start + size + 1;
    while (size && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
        size--;
    return size;
}

static pg_status add_document(plain *index, document found)
{
    PG_TRY(pg_grow((void **)&index->documents, &index->capacity, index->count + 1, sizeof *index->documents));
    index->documents[index->count++] = found;
    return PG_OK;
}

static pg_status find_documents(plain *index)
{
    document open = {0};
    for (size_t start = 0, next; start < index->map.size; start = next) {
        size_t size = scan_line(&next, index, start);
        if (size && !open.end)
            open.start = start;
        if (size)
            open.end = start + size;
        else if (open.end) {
            PG_TRY(add_document(index, open));
            open = (document){0};
        }
    }
    return open.end ? add_document(index, open) : PG_OK;
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const plain *index = dataset->index;
    const document *found = &index->documents[row];
    out->kind = PG_ROW_TEXT;
    return pg_row_set_answer(&out->text, (const char *)index->map.data + found->start,
                             (size_t)(found->end - found->start), "text");
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const plain *index = dataset->index;
    size_t line = 1;
    for (uint64_t at = 0; at < index->documents[row].start; at++)
        line += index->map.data[at] == '\n';
    return pg_buffer_print(out, "%s:%zu", dataset->text.path, line);
}

static const pg_source source = {close_index, read_row, place_row, NULL};

pg_status pg_plain_open(pg_dataset *dataset)
{
    plain *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &source;
    dataset->row_kind = PG_ROW_TEXT;
    if (!index)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_file_map_open(&index->map, dataset->text.path));
    PG_TRY(find_documents(index));
    if (index->count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: has no text", dataset->text.path);
    dataset->count = index->count;
    return PG_OK;
}

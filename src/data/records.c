#include "data/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/reals.h"

static size_t find_key(const pg_record_reader *reader, pg_span key)
{
    size_t i = 0;
    while (reader->keys[i] && !pg_span_is(key, reader->keys[i]))
        i++;
    return i;
}

static pg_status read_record(pg_scan *scan, const pg_record_reader *reader)
{
    pg_span values[PG_RECORD_KEYS + 1] = {{0}}, key;
    pg_status status;
    bool first = true;
    pg_scan_peek(scan);
    const char *start = scan->at;
    PG_TRY(pg_scan_expect(scan, '{'));
    while (pg_scan_more(scan, '}', &first, &status)) {
        PG_TRY(pg_scan_key(&key, scan));
        size_t i = find_key(reader, key); /* before the value, whose strings may overwrite the key */
        PG_TRY(pg_scan_skip(&values[i], scan));
        if (pg_span_is(values[i], "null"))
            values[i] = (pg_span){0};
    }
    PG_TRY(status);
    status = reader->take(reader->user, values, (pg_span){start, (size_t)(scan->at - start)});
    return status == PG_ERROR_FORMAT
               ? pg_fail_context(status, "%s: byte %zu", scan->name, (size_t)(start - scan->begin))
               : status;
}

pg_status pg_records_read(pg_scan *scan, const pg_record_reader *reader)
{
    pg_status status;
    bool first = true;
    PG_TRY(pg_scan_expect(scan, '['));
    while (pg_scan_more(scan, ']', &first, &status))
        PG_TRY(read_record(scan, reader));
    return status;
}

/* ---------------------------------------------------------------- values */

/* Bytes of a number as a C string. */
static pg_status copy_number(char out[64], pg_span value, const char *what)
{
    if (value.size >= 64)
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": expected a number", what);
    memcpy(out, value.text, value.size);
    out[value.size] = 0;
    return PG_OK;
}

pg_status pg_span_integer(int64_t *out, pg_span value, const char *what)
{
    char text[64], *end;
    if (!value.text)
        return PG_OK;
    PG_TRY(copy_number(text, value, what));
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": found %s, expected a whole number", what, text);
    *out = number;
    return PG_OK;
}

pg_status pg_span_number(double *out, pg_span value, const char *what)
{
    char text[64], *end;
    if (!value.text)
        return PG_OK;
    PG_TRY(copy_number(text, value, what));
    double number = pg_read_real(text, &end);
    if (end == text || *end || !(number > -1e9 && number < 1e9))
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": found %s, expected a number", what, text);
    *out = number;
    return PG_OK;
}

static pg_status read_numbers(double *out, size_t count, pg_scan *scan)
{
    pg_status status;
    bool first = true;
    size_t found = 0;
    if (pg_scan_peek(scan) != '[')
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": expected %zu numbers in brackets", scan->name, count);
    scan->at++;
    while (pg_scan_more(scan, ']', &first, &status)) {
        pg_span number;
        PG_TRY(pg_scan_skip(&number, scan));
        if (found == count)
            return pg_fail(PG_ERROR_FORMAT, "\"%s\": found more than %zu numbers", scan->name, count);
        PG_TRY(pg_span_number(&out[found++], number, scan->name));
    }
    PG_TRY(status);
    return found == count
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "\"%s\": found %zu numbers, expected %zu", scan->name, found, count);
}

pg_status pg_span_numbers(double *out, size_t count, pg_span value, const char *what)
{
    if (!value.text)
        return PG_OK;
    pg_scan scan = {.name = what, .begin = value.text, .at = value.text, .end = value.text + value.size};
    pg_status status = read_numbers(out, count, &scan);
    pg_scan_free(&scan); /* it has memory if an escaped text stood among the numbers */
    return status;
}

pg_status pg_span_text(pg_buffer *out, size_t *place, pg_span value, const char *what)
{
    pg_scan scan = {.name = what, .begin = value.text, .at = value.text, .end = value.text + value.size};
    pg_span text;
    if (!value.text || pg_scan_peek(&scan) != '"')
        return pg_fail(PG_ERROR_FORMAT, "\"%s\": expected a text", what);
    pg_status status = pg_scan_string(&text, &scan);
    *place = out->size;
    if (status == PG_OK && text.size && memchr(text.text, 0, text.size))
        status = pg_fail(PG_ERROR_FORMAT, "\"%s\": has a NUL character in it", what);
    if (status == PG_OK)
        status = pg_buffer_append(out, text.text, text.size);
    if (status == PG_OK)
        status = pg_buffer_append(out, "", 1);
    pg_scan_free(&scan);
    return status;
}

/* ---------------------------------------------------------------- ids */

pg_status pg_id_map_add(pg_id_map *map, int64_t id, uint64_t number)
{
    PG_TRY(pg_grow((void **)&map->entries, &map->capacity, map->count + 1, sizeof *map->entries));
    map->entries[map->count++] = (struct pg_id_entry){id, number};
    return PG_OK;
}

static int compare(const void *left, const void *right)
{
    const struct pg_id_entry *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

void pg_id_map_sort(pg_id_map *map)
{
    if (map->count)
        qsort(map->entries, map->count, sizeof *map->entries, compare);
}

uint64_t pg_id_map_find(const pg_id_map *map, int64_t id)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map->count && map->entries[low].id == id ? map->entries[low].number : PG_ID_NONE;
}

void pg_id_map_free(pg_id_map *map)
{
    pg_free(map->entries);
    *map = (pg_id_map){0};
}

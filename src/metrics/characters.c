#include "metrics/characters.h"

#include "text/lower.h"
#include "text/utf8.h"

pg_status pg_characters_decode(pg_characters *out, const char *text, size_t size)
{
    size_t bad = pg_utf8_check(text, size);
    *out = (pg_characters){0};
    if (bad < size)
        return pg_fail(PG_ERROR_FORMAT, "byte %zu is not UTF-8", bad);
    out->data = size < SIZE_MAX - 2 ? pg_alloc(size + 2, sizeof *out->data) : NULL;
    if (!out->data)
        return PG_ERROR_MEMORY;
    for (size_t at = 0; at < size; at += pg_utf8_size(text[at]))
        pg_utf8_decode(&out->data[out->count++], text + at, size - at);
    out->data[out->count] = out->data[out->count + 1] = '\n';
    return PG_OK;
}

void pg_characters_free(pg_characters *characters)
{
    pg_free(characters->data);
    *characters = (pg_characters){0};
}

pg_status pg_lower_append(pg_buffer *out, uint32_t character)
{
    char bytes[4];
    uint32_t small[2];
    size_t count = pg_lower(small, character);
    for (size_t i = 0; i < count; i++)
        PG_TRY(pg_buffer_append(out, bytes, pg_utf8_encode(bytes, small[i])));
    return PG_OK;
}

/* row[j]: distance of what was seen of a to the first j of b. */
static void advance(size_t *row, uint32_t seen, const uint32_t *b, size_t b_count)
{
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b_count; j++) {
        size_t above = row[j + 1], least = above < row[j] ? above : row[j], change = diagonal + (seen != b[j]);
        row[j + 1] = change < least + 1 ? change : least + 1;
        diagonal = above;
    }
}

pg_status pg_edit_distance(size_t *out, const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    size_t *row = pg_alloc(b_count + 1, sizeof *row);
    if (!row)
        return PG_ERROR_MEMORY;
    for (size_t j = 0; j <= b_count; j++)
        row[j] = j;
    for (size_t i = 0; i < a_count; i++)
        advance(row, a[i], b, b_count);
    *out = row[b_count];
    pg_free(row);
    return PG_OK;
}

#include "text/charsmap.h"

#include <string.h>

#include "text/utf8.h"
#include "text/vocab.h"

/* The bit fields of a unit. */
static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

static uint32_t label_of(uint32_t unit)
{
    return unit & (1u << 31 | 0xff);
}

static bool ends_key(uint32_t unit)
{
    return unit >> 8 & 1;
}

static uint32_t value_of(uint32_t unit)
{
    return unit & ((1u << 31) - 1);
}

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

pg_status pg_charsmap_read(pg_charsmap *out, const uint8_t *bytes, size_t size, const char *name)
{
    *out = (pg_charsmap){0};
    if (size == 0)
        return PG_OK;
    size_t array = size > 4 ? read_u32(bytes) : 0;
    if (array == 0 || array % 4 || array >= size - 4)
        return pg_fail(PG_ERROR_FORMAT, "%s: precompiled_charsmap of %zu bytes holds an array of %zu", name, size,
                       array);
    if (bytes[size - 1] != 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: precompiled_charsmap does not end in NUL", name);
    out->unit_count = array / 4;
    out->units = pg_alloc(out->unit_count, sizeof *out->units);
    out->replacements_size = size - 4 - array;
    out->replacements = pg_copy_text((const char *)bytes + 4 + array, out->replacements_size);
    if (!out->units || !out->replacements) {
        pg_charsmap_free(out);
        return PG_ERROR_MEMORY;
    }
    for (size_t i = 0; i < out->unit_count; i++)
        out->units[i] = read_u32(bytes + 4 + 4 * i);
    return PG_OK;
}

void pg_charsmap_free(pg_charsmap *map)
{
    pg_free(map->units);
    pg_free(map->replacements);
    *map = (pg_charsmap){0};
}

/* The replacement at an offset, NULL if there is none: the map was made elsewhere, text must stay valid UTF-8. */
static const char *replacement_at(const pg_charsmap *map, uint32_t offset)
{
    if (offset >= map->replacements_size)
        return NULL;
    const char *text = map->replacements + offset;
    size_t size = strlen(text);
    return pg_utf8_check(text, size) == size ? text : NULL;
}

size_t pg_charsmap_match(const char **to, const pg_charsmap *map, const char *text, size_t size)
{
    size_t longest = 0;
    if (map->unit_count == 0)
        return 0;
    uint32_t at = offset_of(map->units[0]);
    for (size_t i = 0; i < size && i < PG_PIECE_LONGEST; i++) {
        at ^= (uint8_t)text[i];
        if (at >= map->unit_count || label_of(map->units[at]) != (uint8_t)text[i])
            break;
        bool ends = ends_key(map->units[at]);
        at ^= offset_of(map->units[at]);
        if (at >= map->unit_count)
            break;
        bool whole = i + 1 == size || !pg_utf8_continues(text[i + 1]);
        const char *replacement = ends && whole ? replacement_at(map, value_of(map->units[at])) : NULL;
        if (replacement) {
            longest = i + 1;
            *to = replacement;
        }
    }
    return longest;
}

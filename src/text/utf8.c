#include "text/utf8.h"

#include <string.h>

/* The second byte decides over overlong forms, surrogates and numbers above U+10FFFF. */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return second >= 0x80 && second <= 0xbf;
    }
}

int pg_utf8_scan(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (size == 0)
        return PG_UTF8_UNFINISHED;
    if (bytes[0] < 0x80)
        return 1;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return PG_UTF8_BAD;
    size_t need = pg_utf8_size(text[0]);
    if (size > 1 && !second_byte_fits(bytes[0], bytes[1]))
        return PG_UTF8_BAD;
    for (size_t i = 2; i < need && i < size; i++)
        if (!pg_utf8_continues(text[i]))
            return PG_UTF8_BAD;
    return size < need ? PG_UTF8_UNFINISHED : (int)need;
}

/* The character of valid bytes. */
static uint32_t value_of(const unsigned char *bytes, int size)
{
    uint32_t value = size == 1 ? bytes[0] : bytes[0] & (0xffu >> (size + 1));
    for (int i = 1; i < size; i++)
        value = value << 6 | (bytes[i] & 0x3f);
    return value;
}

int pg_utf8_decode(uint32_t *out, const char *text, size_t size)
{
    int length = pg_utf8_scan(text, size);
    if (length > 0)
        *out = value_of((const unsigned char *)text, length);
    return length;
}

size_t pg_utf8_encode(char out[4], uint32_t character)
{
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
        return 0;
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, character >>= 6)
        out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)((0xf00u >> size & 0xff) | character);
    return size;
}

size_t pg_utf8_check(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight && (memcpy(&eight, text + at, sizeof eight), !(eight & 0x8080808080808080u))) {
            at += sizeof eight;
            continue;
        }
        int length = pg_utf8_scan(text + at, size - at);
        if (length <= 0)
            return at;
        at += (size_t)length;
    }
    return size;
}

bool pg_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t pg_utf8_leading_space(const char *text, size_t size)
{
    size_t at = 0;
    uint32_t character;
    for (int length; (length = pg_utf8_decode(&character, text + at, size - at)) > 0 && pg_is_space(character);)
        at += (size_t)length;
    return at;
}

size_t pg_utf8_trailing_space(const char *text, size_t size)
{
    size_t end = size;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && pg_utf8_continues(text[start]))
            start--;
        uint32_t character;
        if (pg_utf8_decode(&character, text + start, end - start) <= 0 || !pg_is_space(character))
            break;
        end = start;
    }
    return size - end;
}

void pg_utf8_strip(const char **text, size_t *size)
{
    size_t leading = pg_utf8_leading_space(*text, *size);
    *text += leading;
    *size -= leading;
    *size -= pg_utf8_trailing_space(*text, *size);
}

#include "text/scan.h"

#include <string.h>

#include "text/utf8.h"

#define DEEPEST 64

pg_status pg_scan_fail(const pg_scan *scan, const char *expected)
{
    size_t line = 1;
    for (const char *at = scan->begin; at < scan->at; at++)
        line += *at == '\n';
    if (scan->at == scan->end)
        return pg_fail(PG_ERROR_FORMAT, "%s: line %zu: the file ends, expected %s", scan->name, line, expected);
    size_t left = (size_t)(scan->end - scan->at);
    return pg_fail(PG_ERROR_FORMAT, "%s: line %zu: found \"%.*s\", expected %s", scan->name, line,
                   left < 16 ? (int)left : 16, scan->at, expected);
}

static void skip_space(pg_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

char pg_scan_peek(pg_scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end ? *scan->at : 0;
}

pg_status pg_scan_expect(pg_scan *scan, char character)
{
    if (pg_scan_peek(scan) != character) {
        char expected[] = {'"', character, '"', 0};
        return pg_scan_fail(scan, expected);
    }
    scan->at++;
    return PG_OK;
}

bool pg_scan_more(pg_scan *scan, char close, bool *first, pg_status *status)
{
    *status = PG_OK;
    if (pg_scan_peek(scan) == close) {
        scan->at++;
        return false;
    }
    if (!*first)
        *status = pg_scan_expect(scan, ',');
    *first = false;
    return *status == PG_OK;
}

/* ---------------------------------------------------------------- strings */

/* A high bit in each byte of the word that is `byte`, and perhaps in some above the lowest of those. */
static uint64_t find_byte(uint64_t word, uint8_t byte)
{
    uint64_t ones = 0x0101010101010101u, different = word ^ ones * byte;
    return (different - ones) & ~different;
}

/* The first quote, backslash or control character, or the end: eight bytes at a time, as most of a tokenizer.json is
 * read here (little-endian: the first byte is the lowest). */
static const char *skip_plain(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t control = (word - 0x2020202020202020u) & ~word;
        uint64_t found = (find_byte(word, '"') | find_byte(word, '\\') | control) & 0x8080808080808080u;
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits behind \u. */
static pg_status scan_hex(uint32_t *out, pg_scan *scan)
{
    *out = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int digit = scan->at < scan->end ? hex_digit(*scan->at) : -1;
        if (digit < 0)
            return pg_scan_fail(scan, "four hexadecimal digits behind \\u");
        *out = *out << 4 | (uint32_t)digit;
    }
    return PG_OK;
}

/* \uXXXX, or two of them for a character above U+FFFF. */
static pg_status scan_unicode(pg_scan *scan)
{
    uint32_t character, low;
    PG_TRY(scan_hex(&character, scan));
    if (character >= 0xd800 && character < 0xdc00 && scan->end - scan->at >= 2 && !memcmp(scan->at, "\\u", 2)) {
        scan->at += 2;
        PG_TRY(scan_hex(&low, scan));
        if (low < 0xdc00 || low > 0xdfff)
            return pg_scan_fail(scan, "the second half of a surrogate pair before this");
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    char bytes[4];
    size_t size = pg_utf8_encode(bytes, character);
    return size ? pg_buffer_append(&scan->text, bytes, size)
                : pg_scan_fail(scan, "a character before this, not half a surrogate pair");
}

static pg_status scan_escape(pg_scan *scan)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char letter = scan->at < scan->end ? *scan->at : 0;
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (letter != 'u' && !found)
        return pg_scan_fail(scan, "an escape of JSON behind \\");
    scan->at++;
    return found ? pg_buffer_append(&scan->text, &meanings[found - letters], 1) : scan_unicode(scan);
}

/* The rest of a string whose first escape is next. */
static pg_status scan_escaped(pg_span *out, pg_scan *scan, const char *start)
{
    pg_buffer_reset(&scan->text);
    for (;;) {
        PG_TRY(pg_buffer_append(&scan->text, start, (size_t)(scan->at - start)));
        if (scan->at == scan->end || (*scan->at != '\\' && *scan->at != '"'))
            return pg_scan_fail(scan, "\" at the end of a string");
        if (*scan->at++ == '"')
            break;
        PG_TRY(scan_escape(scan));
        for (start = scan->at;
             scan->at < scan->end && *scan->at != '"' && *scan->at != '\\' && (unsigned char)*scan->at >= 0x20;)
            scan->at++;
    }
    *out = (pg_span){scan->text.data, scan->text.size};
    return PG_OK;
}

pg_status pg_scan_string(pg_span *out, pg_scan *scan)
{
    if (pg_scan_peek(scan) != '"')
        return pg_scan_fail(scan, "a string");
    const char *start = ++scan->at;
    scan->at = skip_plain(start, scan->end);
    if (scan->at == scan->end || *scan->at != '"')
        return scan_escaped(out, scan, start);
    *out = (pg_span){start, (size_t)(scan->at - start)};
    scan->at++;
    return PG_OK;
}

pg_status pg_scan_key(pg_span *out, pg_scan *scan)
{
    PG_TRY(pg_scan_string(out, scan));
    return pg_scan_expect(scan, ':');
}

/* ---------------------------------------------------------------- other values */

pg_status pg_scan_integer(int64_t *out, pg_scan *scan)
{
    skip_space(scan);
    const char *start = scan->at;
    *out = 0;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && scan->at - start < 15)
        *out = *out * 10 + (*scan->at++ - '0');
    return scan->at > start ? PG_OK : pg_scan_fail(scan, "a whole number");
}

static bool take_word(pg_scan *scan, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
        return false;
    scan->at += size;
    return true;
}

pg_status pg_scan_boolean(bool *out, pg_scan *scan)
{
    skip_space(scan);
    if (take_word(scan, "true"))
        *out = true;
    else if (take_word(scan, "false"))
        *out = false;
    else if (!take_word(scan, "null"))
        return pg_scan_fail(scan, "true or false");
    return PG_OK;
}

/* A number, true, false or null; that it is well formed is for whoever wants its value. */
static pg_status skip_word(pg_scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && *scan->at && strchr("+-.0123456789Eaeflnrstu", *scan->at))
        scan->at++;
    return scan->at > start ? PG_OK : pg_scan_fail(scan, "a value");
}

/* One value or bracket; *depth counts the open brackets. */
static pg_status skip_token(pg_scan *scan, int *depth)
{
    pg_span ignored;
    switch (pg_scan_peek(scan)) {
    case '{':
    case '[': scan->at++; return ++*depth <= DEEPEST ? PG_OK : pg_scan_fail(scan, "less nesting");
    case '}':
    case ']':
        if (*depth == 0)
            return pg_scan_fail(scan, "a value");
        scan->at++;
        --*depth;
        return PG_OK;
    case ',':
    case ':':
        if (*depth == 0)
            return pg_scan_fail(scan, "a value");
        scan->at++;
        return PG_OK;
    case '"': return pg_scan_string(&ignored, scan);
    default: return skip_word(scan);
    }
}

pg_status pg_scan_skip(pg_span *out, pg_scan *scan)
{
    skip_space(scan);
    const char *start = scan->at;
    int depth = 0;
    do
        PG_TRY(skip_token(scan, &depth));
    while (depth > 0);
    *out = (pg_span){start, (size_t)(scan->at - start)};
    return PG_OK;
}

pg_status pg_scan_finish(pg_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end ? PG_OK : pg_scan_fail(scan, "the end of the file");
}

void pg_scan_free(pg_scan *scan)
{
    pg_buffer_free(&scan->text);
}

bool pg_span_is(pg_span span, const char *text)
{
    return span.text && span.size == strlen(text) && !memcmp(span.text, text, span.size);
}

#include "metrics/ptb_matching.h"

#include <string.h>

#include "metrics/ptb_characters.h"

bool pg_ptb_is_letter(uint32_t c)
{
    return pg_ptb_kind_of(c) == PG_PTB_LETTER;
}

bool pg_ptb_is_digit(uint32_t c)
{
    return pg_ptb_kind_of(c) == PG_PTB_DIGIT || (c >= 0x7c0 && c <= 0x7c9);
}

bool pg_ptb_is_alphanumeric(uint32_t c)
{
    return pg_ptb_is_letter(c) || pg_ptb_is_digit(c);
}

uint32_t pg_ptb_small(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool pg_ptb_is_latin(uint32_t c)
{
    return pg_ptb_small(c) >= 'a' && pg_ptb_small(c) <= 'z';
}

bool pg_ptb_is_latin_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

bool pg_ptb_is_latin_alphanumeric(uint32_t c)
{
    return pg_ptb_is_latin(c) || pg_ptb_is_latin_digit(c);
}

bool pg_ptb_is_any(uint32_t c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, (int)c);
}

bool pg_ptb_is_blank(uint32_t c)
{
    return pg_ptb_is_any(c, " \t") || c == PG_PTB_NO_BREAK || (c >= 0x2000 && c <= 0x200a) || c == 0x3000;
}

bool pg_ptb_is_line_end(uint32_t c)
{
    return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

size_t pg_ptb_run(const uint32_t *s, bool (*belongs)(uint32_t))
{
    size_t n = 0;
    while (belongs(s[n]))
        n++;
    return n;
}

size_t pg_ptb_run_of(const uint32_t *s, uint32_t character)
{
    size_t n = 0;
    while (s[n] == character)
        n++;
    return n;
}

size_t pg_ptb_match(const uint32_t *s, const char *pattern, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        char wanted = pattern[i];
        bool capital = wanted >= 'A' && wanted <= 'Z';
        size_t step =
            wanted == '\'' ? pg_ptb_apostrophe(s + at) : (capital ? s[at] : pg_ptb_small(s[at])) == (uint32_t)wanted;
        if (!step)
            return 0;
        at += step;
    }
    return at;
}

size_t pg_ptb_match_any(const uint32_t *s, const char *patterns)
{
    size_t best = 0;
    for (const char *at = patterns, *end; at; at = end ? end + 1 : NULL) {
        end = strchr(at, '|');
        size_t found = pg_ptb_match(s, at, end ? (size_t)(end - at) : strlen(at));
        best = found > best ? found : best;
    }
    return best;
}

size_t pg_ptb_apostrophe(const uint32_t *s)
{
    if (*s == '\'' || *s == 0x92 || *s == 0x2019)
        return 1;
    return *s == '&' ? pg_ptb_match(s, "&apos;", 6) : 0;
}

size_t pg_ptb_apostrophe_like(const uint32_t *s)
{
    return *s == '`' || *s == 0x91 || *s == 0x2018 || *s == 0x201b ? 1 : pg_ptb_apostrophe(s);
}

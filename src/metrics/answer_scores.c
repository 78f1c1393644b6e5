/* Answers read off documents and charts: ANLS, relaxed accuracy, and errors in characters and words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/reals.h"
#include "metrics/characters.h"
#include "metrics/grams.h"
#include "text/lower.h"
#include "text/utf8.h"

/* ---------------------------------------------------------------- ANLS */

/* In small letters, with one space for every run of blanks and none at the ends. */
static void fold(pg_characters *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->count; i++) {
        uint32_t small[2] = {' '};
        bool blank = pg_is_space(text->data[i]);
        if (!blank)
            pg_lower(small, text->data[i]);
        if (!blank || (kept && text->data[kept - 1] != ' '))
            text->data[kept++] = small[0];
    }
    while (kept && text->data[kept - 1] == ' ')
        kept--;
    text->count = kept;
}

static pg_status decode(pg_characters *out, const char *text, unsigned flags)
{
    PG_TRY(pg_characters_decode(out, text, strlen(text)));
    if (flags & PG_ANLS_FOLD)
        fold(out);
    return PG_OK;
}

/* 1 less the edits as a share of the longer text; nothing for those that are too different. */
static pg_status likeness(double *out, const pg_characters *prediction, const pg_characters *answer, unsigned flags)
{
    size_t edits, longer = prediction->count > answer->count ? prediction->count : answer->count;
    *out = longer == 0;
    if (prediction->count == 0 || answer->count == 0)
        return PG_OK;
    PG_TRY(pg_edit_distance(&edits, prediction->data, prediction->count, answer->data, answer->count));
    double distance = (double)edits / (double)longer;
    *out = distance < 0.5 || (distance == 0.5 && flags & PG_ANLS_KEEP_HALF) ? 1 - distance : 0;
    return PG_OK;
}

static pg_status best_likeness(double *out, const pg_characters *prediction, const pg_comparison *item, unsigned flags)
{
    for (size_t i = 0; i < item->reference_count; i++) {
        pg_characters answer;
        double here = 0;
        pg_status status = decode(&answer, item->references[i], flags);
        if (status == PG_OK)
            status = likeness(&here, prediction, &answer, flags);
        pg_characters_free(&answer);
        PG_TRY(status);
        *out = here > *out ? here : *out;
    }
    return PG_OK;
}

pg_status pg_anls(double *out, const pg_comparison *item, unsigned flags)
{
    pg_characters prediction;
    *out = 0;
    pg_status status = decode(&prediction, item->prediction, flags);
    if (status == PG_OK)
        status = best_likeness(out, &prediction, item, flags);
    pg_characters_free(&prediction);
    return status;
}

/* ---------------------------------------------------------------- relaxed accuracy */

/* The digit that a character stands for in some script: ten of them follow one another in each. */
static int digit_of(uint32_t c)
{
    static const uint32_t zeros[] = {'0',    0x660,  0x6f0,  0x7c0,  0x966,  0x9e6,  0xa66,  0xae6,   0xb66,   0xbe6,
                                     0xc66,  0xce6,  0xd66,  0xde6,  0xe50,  0xed0,  0xf20,  0x1040,  0x1090,  0x17e0,
                                     0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,  0x1c50,  0xa620,
                                     0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x11066, 0x110f0};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        if (c >= zeros[i] && c < zeros[i] + 10)
            return (int)(c - zeros[i]);
    return -1;
}

/* Text as ASCII: digits of all scripts as ours, without the _ between two digits; false where anything else is not. */
static bool to_ascii(char *out, size_t room, const char *text, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size; at += pg_utf8_size(text[at])) {
        uint32_t c;
        if (pg_utf8_decode(&c, text + at, size - at) <= 0 || count + 1 >= room)
            return false;
        int digit = digit_of(c);
        bool joint = c == '_' && count && out[count - 1] >= '0' && out[count - 1] <= '9' && at + 1 < size &&
                     (unsigned char)text[at + 1] != '_';
        if (digit < 0 && (c >= 0x80 || (c == '_' && !joint)))
            return false;
        if (joint) { /* what stands behind it must be a digit too */
            uint32_t next;
            if (pg_utf8_decode(&next, text + at + 1, size - at - 1) <= 0 || digit_of(next) < 0)
                return false;
            continue;
        }
        out[count++] = digit >= 0 ? (char)('0' + digit) : (char)c;
    }
    out[count] = 0;
    return count > 0;
}

/* Not hexadecimal, nor "nan(...)", which strtod takes as well. */
static bool is_decimal(const char *text)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    const char *at = text + (*text == '+' || *text == '-');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(at, words[i]))
            return true;
    return strspn(at, "0123456789.eE+-") == strlen(at);
}

/* A number as Python's float() reads it, blanks around it included; one of 512 characters and more is a text. */
static bool read_number(double *out, const char *text, size_t size)
{
    char ascii[512], *end;
    pg_utf8_strip(&text, &size);
    if (!to_ascii(ascii, sizeof ascii, text, size) || !is_decimal(ascii))
        return false;
    *out = pg_read_real(ascii, &end);
    return *end == 0;
}

/* The same; percent signs behind it divide it by 100. */
static bool read_share(double *out, const char *text)
{
    size_t size = strlen(text), whole = size;
    while (size && text[size - 1] == '%')
        size--;
    if (!read_number(out, text, size))
        return false;
    *out /= size < whole ? 100 : 1;
    return true;
}

bool pg_relaxed_match(const char *prediction, const char *target)
{
    double found, wanted;
    if (read_share(&found, prediction) && read_share(&wanted, target) && wanted != 0)
        return fabs(found - wanted) / fabs(wanted) <= 0.05;
    return !strcmp(prediction, target);
}

/* ---------------------------------------------------------------- characters and words that were misread */

/* Words as numbers: what stands between white space. */
static pg_status number_words(uint32_t **out, size_t *count, pg_sequence_table *table, const pg_characters *text)
{
    uint32_t *words = *out = pg_alloc(text->count / 2 + 1, sizeof *words), word = 0;
    *count = 0;
    if (!words)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < text->count; i++) {
        bool last = i + 1 == text->count || pg_is_space(text->data[i + 1]);
        if (pg_is_space(text->data[i]))
            continue;
        PG_TRY(pg_sequence_extend(&word, table, word, text->data[i]));
        if (last) {
            words[(*count)++] = word;
            word = 0;
        }
    }
    return PG_OK;
}

static pg_status compare_words(pg_reading_errors *out, const pg_characters *found, const pg_characters *wanted)
{
    pg_sequence_table table = {0};
    uint32_t *a = NULL, *b = NULL;
    size_t a_count, b_count;
    pg_status status = number_words(&a, &a_count, &table, found);
    if (status == PG_OK)
        status = number_words(&b, &b_count, &table, wanted);
    if (status == PG_OK) {
        out->words = b_count;
        status = pg_edit_distance(&out->word_edits, a, a_count, b, b_count);
    }
    pg_free(a);
    pg_free(b);
    pg_sequence_table_free(&table);
    return status;
}

static pg_status compare(pg_reading_errors *out, const pg_characters *found, const pg_characters *wanted)
{
    out->characters = wanted->count;
    PG_TRY(pg_edit_distance(&out->character_edits, found->data, found->count, wanted->data, wanted->count));
    return compare_words(out, found, wanted);
}

pg_status pg_reading_compare(pg_reading_errors *out, const char *prediction, const char *reference)
{
    pg_characters found, wanted = {0};
    *out = (pg_reading_errors){0};
    pg_status status = pg_characters_decode(&found, prediction, strlen(prediction));
    if (status == PG_OK)
        status = pg_characters_decode(&wanted, reference, strlen(reference));
    if (status == PG_OK)
        status = compare(out, &found, &wanted);
    pg_characters_free(&found);
    pg_characters_free(&wanted);
    return status;
}

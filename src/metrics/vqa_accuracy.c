/*
 * Accuracy of answers to questions as the VQA challenge measures it (Antol et al. 2015): an answer is right as far as
 * three of the others who were asked gave it, the mean over leaving each one out. Unless all gave the same, answers are
 * compared without punctuation, capitals and articles, with the official tool's rules for each mark.
 */
#include <string.h>

#include "metrics/characters.h"
#include "metrics/vqa_words.h"
#include "text/utf8.h"

#define FULL_MATCHES 3 /* others whose agreement makes an answer entirely right */

/* ---------------------------------------------------------------- marks */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A comma between digits. */
static bool has_grouped_number(const char *text)
{
    for (const char *at = text; (at = strchr(at, ',')); at++)
        if (at > text && is_digit(at[-1]) && is_digit(at[1]))
            return true;
    return false;
}

/* A blank before or behind it, anywhere in the text. */
static bool stands_free(const char *text, char mark)
{
    for (const char *at = text; (at = strchr(at, mark)); at++)
        if ((at > text && at[-1] == ' ') || at[1] == ' ')
            return true;
    return false;
}

/* Marks become blanks, or nothing where one like it stands free or a number is grouped. */
static void replace_marks(char *text)
{
    static const char *const marks = ";/[]\"{}()=+\\_-><@`,?!";
    bool removed[128] = {false}, grouped = has_grouped_number(text);
    char *out = text;
    for (const char *mark = marks; *mark; mark++)
        removed[(int)*mark] = grouped || stands_free(text, *mark);
    for (const char *at = text; *at; at++) {
        bool is_mark = strchr(marks, *at);
        if (!is_mark || !removed[(int)*at])
            *out++ = is_mark ? ' ' : *at;
    }
    *out = 0;
}

/* Full stops stay before digits. */
static void remove_stops(char *text)
{
    char *out = text;
    for (const char *at = text; *at; at++)
        if (*at != '.' || is_digit(at[1]))
            *out++ = *at;
    *out = 0;
}

/* ---------------------------------------------------------------- words */

static pg_status append_lower(pg_buffer *out, const char *text)
{
    for (size_t size = strlen(text), at = 0; at < size; at += pg_utf8_size(text[at])) {
        uint32_t character = 0;
        pg_utf8_decode(&character, text + at, size - at);
        PG_TRY(pg_lower_append(out, character));
    }
    return PG_OK;
}

static bool is_article(const char *word)
{
    return !strcmp(word, "a") || !strcmp(word, "an") || !strcmp(word, "the");
}

/* Appends the words of a text, which is cut up, with one space between each two. */
static pg_status append_words(pg_buffer *out, char *text)
{
    for (char *at = text; *at;) {
        size_t size = strlen(at), blank = pg_utf8_leading_space(at, size), end = blank;
        while (end < size && !pg_utf8_leading_space(at + end, size - end))
            end += pg_utf8_size(at[end]);
        char *word = at + blank;
        at += end < size ? end + pg_utf8_size(at[end]) : size;
        text[(size_t)(word - text) + end - blank] = 0;
        if (*word && !is_article(word))
            PG_TRY(pg_buffer_print(out, "%s%s", out->size ? " " : "", pg_vqa_replace(word)));
    }
    return PG_OK;
}

/* Line breaks and tabs are blanks; those at the ends do not count. */
static pg_status clean(pg_buffer *out, const char *text)
{
    size_t size = strlen(text), bad = pg_utf8_check(text, size);
    if (bad < size)
        return pg_fail(PG_ERROR_FORMAT, "byte %zu is not UTF-8", bad);
    PG_TRY(pg_buffer_append(out, text, size));
    for (size_t i = 0; i < size; i++)
        if (out->data[i] == '\n' || out->data[i] == '\t')
            out->data[i] = ' ';
    const char *inside = out->data;
    pg_utf8_strip(&inside, &size);
    memmove(out->data, inside, size);
    out->data[out->size = size] = 0;
    return PG_OK;
}

static pg_status normalise(pg_buffer *out, const char *text)
{
    pg_buffer cleaned = {0}, lower = {0};
    pg_status status = clean(&cleaned, text);
    if (status == PG_OK && cleaned.data) {
        replace_marks(cleaned.data);
        remove_stops(cleaned.data);
        status = append_lower(&lower, cleaned.data);
    }
    if (status == PG_OK && lower.size)
        status = append_words(out, lower.data);
    if (status == PG_OK)
        status = pg_buffer_append(out, "", 0);
    pg_buffer_free(&cleaned);
    pg_buffer_free(&lower);
    return status;
}

pg_status pg_vqa_normalise(char **out, const char *answer)
{
    pg_buffer text = {0};
    *out = NULL;
    pg_status status = normalise(&text, answer);
    if (status == PG_OK)
        status = (*out = pg_copy_text(text.data, text.size)) ? PG_OK : PG_ERROR_MEMORY;
    pg_buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- accuracy */

/* Mean over leaving out one of the answers; where there are fewer than four, whether any is the same. */
static double agreement(size_t matches, size_t count)
{
    if (count <= FULL_MATCHES)
        return matches > 0;
    double others = matches > FULL_MATCHES ? FULL_MATCHES : matches, without = matches > 0 ? (double)(matches - 1) : 0;
    without = without > FULL_MATCHES ? FULL_MATCHES : without;
    return ((double)(count - matches) * others + (double)matches * without) / FULL_MATCHES / (double)count;
}

static pg_status count_matches(size_t *out, const char *prediction, const pg_comparison *item,
                               pg_status (*prepare)(pg_buffer *, const char *))
{
    pg_buffer answer = {0};
    pg_status status = PG_OK;
    *out = 0;
    for (size_t i = 0; i < item->reference_count && status == PG_OK; i++) {
        pg_buffer_reset(&answer);
        status = prepare(&answer, item->references[i]);
        *out += status == PG_OK && answer.data && !strcmp(answer.data, prediction);
    }
    pg_buffer_free(&answer);
    return status;
}

static pg_status compare(double *out, const pg_comparison *item, pg_status (*prepare)(pg_buffer *, const char *))
{
    pg_buffer prediction = {0};
    size_t matches = 0;
    pg_status status = prepare(&prediction, item->prediction);
    if (status == PG_OK && prediction.data)
        status = count_matches(&matches, prediction.data, item, prepare);
    if (status == PG_OK)
        *out = agreement(matches, item->reference_count);
    pg_buffer_free(&prediction);
    return status;
}

/* Whether all answers, four or more, are the same but for blanks at their ends. */
static pg_status are_same(bool *out, const pg_comparison *item)
{
    pg_buffer first = {0};
    size_t matches = 0;
    *out = false;
    if (item->reference_count <= FULL_MATCHES)
        return PG_OK;
    pg_status status = clean(&first, item->references[0]);
    if (status == PG_OK && first.data)
        status = count_matches(&matches, first.data, item, clean);
    if (status == PG_OK)
        *out = matches == item->reference_count;
    pg_buffer_free(&first);
    return status;
}

pg_status pg_vqa_accuracy(double *out, const pg_comparison *item)
{
    bool same;
    *out = 0;
    if (item->reference_count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "no answers to compare with");
    PG_TRY(are_same(&same, item));
    return compare(out, item, same ? clean : normalise);
}

/*
 * Texts that list things, compared as sets: "a red cube and two dogs" says the same as "Two dogs, red cube."
 *
 * A text's phrases are what stands between commas, semicolons, full stops, line breaks and the word "and". In each,
 * small letters count, articles (a, an, the) and blanks do not; empty ones are left out, and the same one twice counts
 * twice.
 */
#include <stdlib.h>
#include <string.h>

#include "metrics/characters.h"
#include "text/utf8.h"

typedef struct phrases {
    pg_buffer text; /* each with a NUL behind it */
    char **items;   /* sorted */
    size_t count;
} phrases;

static void free_phrases(phrases *p)
{
    pg_buffer_free(&p->text);
    pg_free(p->items);
}

static bool is_separator(uint32_t c)
{
    return c == ',' || c == ';' || c == '\n' || c == 0x3001 || c == 0x3002;
}

/* A full stop that ends a word and not a number's whole part. */
static bool is_stop(const char *text, size_t at, size_t size)
{
    return text[at] == '.' && (at + 1 == size || pg_utf8_leading_space(text + at + 1, size - at - 1));
}

/* Ends a phrase; one without words is none. `words`: of the current phrase. */
static pg_status end_phrase(phrases *p, size_t *words)
{
    if (*words)
        PG_TRY(pg_buffer_append(&p->text, "", 1));
    p->count += *words > 0;
    *words = 0;
    return PG_OK;
}

static pg_status take_word(phrases *p, const char *word, size_t *words)
{
    static const char *const articles[] = {"a", "an", "the"};
    if (!*word)
        return PG_OK;
    if (!strcmp(word, "and"))
        return end_phrase(p, words);
    for (size_t i = 0; i < sizeof articles / sizeof *articles; i++)
        if (!strcmp(word, articles[i]))
            return PG_OK;
    return pg_buffer_print(&p->text, "%s%s", (*words)++ ? " " : "", word);
}

static pg_status split(phrases *p, pg_buffer *word, const char *text, size_t size)
{
    size_t words = 0;
    for (size_t at = 0; at <= size; at += at < size ? pg_utf8_size(text[at]) : 1) {
        uint32_t c = '\n';
        if (at < size)
            pg_utf8_decode(&c, text + at, size - at);
        bool separator = is_separator(c) || (at < size && is_stop(text, at, size));
        if (!separator && !pg_is_space(c)) {
            PG_TRY(pg_lower_append(word, c));
            continue;
        }
        PG_TRY(take_word(p, word->size ? word->data : "", &words));
        pg_buffer_reset(word);
        if (separator)
            PG_TRY(end_phrase(p, &words));
    }
    return PG_OK;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static pg_status sort_phrases(phrases *p)
{
    p->items = pg_alloc(p->count, sizeof *p->items);
    if (!p->items)
        return PG_ERROR_MEMORY;
    char *at = p->text.data;
    for (size_t i = 0; i < p->count; i++, at += strlen(at) + 1)
        p->items[i] = at;
    qsort(p->items, p->count, sizeof *p->items, compare_items);
    return PG_OK;
}

static pg_status read_phrases(phrases *p, const char *text)
{
    pg_buffer word = {0};
    size_t size = strlen(text), bad = pg_utf8_check(text, size);
    if (bad < size)
        return pg_fail(PG_ERROR_FORMAT, "byte %zu is not UTF-8", bad);
    pg_status status = split(p, &word, text, size);
    pg_buffer_free(&word);
    return status == PG_OK ? sort_phrases(p) : status;
}

pg_status pg_phrases_match(bool *out, const char *prediction, const char *reference)
{
    phrases a = {0}, b = {0};
    *out = false;
    pg_status status = read_phrases(&a, prediction);
    if (status == PG_OK)
        status = read_phrases(&b, reference);
    if (status == PG_OK) {
        *out = a.count == b.count;
        for (size_t i = 0; i < a.count && *out; i++)
            *out = !strcmp(a.items[i], b.items[i]);
    }
    free_phrases(&a);
    free_phrases(&b);
    return status;
}

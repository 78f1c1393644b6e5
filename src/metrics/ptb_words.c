#include "metrics/ptb_words.h"

#include <string.h>

#include "metrics/characters.h"
#include "metrics/ptb_characters.h"
#include "metrics/ptb_tokens.h"

#define SOFT_HYPHEN 0xadu
#define SIGMA       0x3a3u
#define LAST_SIGMA  "\xcf\x82"

static pg_status append_text(pg_buffer *out, const char *text)
{
    return pg_buffer_append(out, text, strlen(text));
}

/* The capital sigma is another small letter at the end of a word. */
static pg_status append_small(pg_buffer *out, const uint32_t *token, size_t at, size_t size)
{
    bool inside = at > 0 && pg_ptb_kind_of(token[at - 1]) == PG_PTB_LETTER;
    bool last = at + 1 == size || pg_ptb_kind_of(token[at + 1]) != PG_PTB_LETTER;
    if (token[at] == SIGMA && inside && last)
        return append_text(out, LAST_SIGMA);
    return pg_lower_append(out, token[at]);
}

/* ---------------------------------------------------------------- what stands for a character */

typedef struct replacement {
    uint32_t character;
    const char *text;
} replacement;

static const char *find(const replacement *table, size_t count, uint32_t character)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].character == character)
            return table[i].text;
    return NULL;
}

/* Of a token that is one character. The Treebank knew dollars, pounds and cents only. */
static const char *replace_alone(uint32_t character)
{
    static const replacement table[] = {
        {'(', "-lrb-"},  {')', "-rrb-"}, {'[', "-lsb-"}, {']', "-rsb-"},  {'{', "-lcb-"},  {'}', "-rcb-"},
        {0xa2, "cents"}, {0xa3, "#"},    {0xa4, "$"},    {0x80, "$"},     {0x20a0, "$"},   {0x20ac, "$"},
        {0xbc, "1/4"},   {0xbd, "1/2"},  {0xbe, "3/4"},  {0x2153, "1/3"}, {0x2154, "2/3"},
    };
    return find(table, sizeof table / sizeof *table, character);
}

static const char *replace_bound(uint32_t character, bool brackets)
{
    if (character == ' ')
        return "\xc2\xa0";
    return !brackets ? NULL : character == '(' ? "-lrb-" : character == ')' ? "-rrb-" : NULL;
}

static const char *replace_quote(uint32_t character)
{
    static const replacement table[] = {
        {0x91, "`"},  {0x2018, "`"},  {0x201b, "`"}, {0x2039, "`"}, {0x92, "'"},    {0x2019, "'"}, {0x203a, "'"},
        {0x93, "``"}, {0x201c, "``"}, {0xab, "``"},  {0x94, "''"},  {0x201d, "''"}, {0xbb, "''"},
    };
    return find(table, sizeof table / sizeof *table, character);
}

static const char *replace(const uint32_t *token, pg_ptb_token kind)
{
    switch (kind.form) {
    case PG_PTB_BOUND:
    case PG_PTB_BRACKETS: return replace_bound(*token, kind.form == PG_PTB_BRACKETS);
    case PG_PTB_QUOTES: return replace_quote(*token);
    case PG_PTB_SOFT: return *token == SOFT_HYPHEN ? "" : NULL;
    default: return kind.size == 1 ? replace_alone(*token) : NULL;
    }
}

/* An entity at `at` that is written as a character: its size, and that character. */
static size_t replace_entity(char *out, const uint32_t *token, size_t at, pg_ptb_token kind)
{
    static const struct entity {
        const char *name;
        char character;
    } entities[] = {{"&amp;", '&'}, {"&apos;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}};
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        size_t size = strlen(entities[i].name), same = 0;
        while (same < size && at + same < kind.size && token[at + same] == (uint32_t)entities[i].name[same])
            same++;
        bool meant = i == 0 ? kind.form == PG_PTB_AND : i == 1 ? kind.form == PG_PTB_QUOTES : kind.size == size;
        *out = entities[i].character;
        if (same == size && meant)
            return size;
    }
    return 0;
}

static pg_status append_token(pg_buffer *out, const uint32_t *token, pg_ptb_token kind)
{
    for (size_t at = 0; at < kind.size;) {
        char character;
        size_t entity = token[at] == '&' ? replace_entity(&character, token, at, kind) : 0;
        const char *text = replace(token + at, kind);
        if (entity)
            PG_TRY(pg_buffer_append(out, &character, 1));
        else if (text)
            PG_TRY(append_text(out, text));
        else
            PG_TRY(append_small(out, token, at, kind.size));
        at += entity ? entity : 1;
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- words */

/* A form may turn out to be punctuation only when it is written. */
static bool is_punctuation(const char *word, size_t size)
{
    static const char *const marks[] = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (size == strlen(marks[i]) && !memcmp(word, marks[i], size))
            return true;
    return size == 0;
}

static pg_status append_words(pg_buffer *out, const uint32_t *text, size_t count)
{
    size_t start = out->size;
    for (pg_ptb_token token; count > 0; text += token.size, count -= token.size) {
        token = pg_ptb_next(text);
        if (token.form == PG_PTB_NOTHING)
            continue;
        size_t before = out->size, word = before + (before > start);
        if (before > start)
            PG_TRY(pg_buffer_append(out, " ", 1));
        PG_TRY(append_token(out, text, token));
        if (is_punctuation(out->data + word, out->size - word)) {
            out->size = before;
            out->data[before] = 0;
        }
    }
    return PG_OK;
}

pg_status pg_ptb_words(pg_buffer *out, const char *text, size_t size)
{
    pg_characters characters;
    pg_status status = pg_characters_decode(&characters, text, size);
    for (size_t i = 0; i < characters.count; i++)
        if (characters.data[i] == '\n' || characters.data[i] == '\r')
            characters.data[i] = ' ';
    if (status == PG_OK)
        status = append_words(out, characters.data, characters.count);
    pg_characters_free(&characters);
    return status;
}

/*
 * Words begin where a blank stands before them; a token is a word by itself in scripts that have no blanks. Objects are
 * big_vision's: location tokens, mask tokens, and a label up to ";", a line break or the next location token.
 */
#include "tasks/answer_parts.h"

#include <string.h>

#include "base/memory.h"
#include "text/utf8.h"

enum { PLACES = 1024, CODES = 128 };

typedef enum token_kind { TEXT, BLANK, CONTROL, PLACE, CODE, SEPARATOR } token_kind;

typedef struct part_maker {
    const pg_tokenizer *tokenizer;
    const int32_t *tokens;
    size_t count;
    int32_t place, code; /* <loc0000>, <seg000>; -1: none */
    bool in_object;
    pg_explained *parts;
    size_t part_count, capacity;
} part_maker;

void pg_answer_parts_free(pg_explained *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_free(parts[i].text);
    pg_free(parts);
}

static bool in_range(int32_t id, int32_t first, int32_t count)
{
    return first >= 0 && id >= first && id - first < count;
}

/* The text of a piece without the block that stands for a blank before it. */
static const char *piece_text(const char *piece, bool *blank)
{
    *blank = strchr(" \n\t\r", *piece) || strncmp(piece, PG_BLOCK, PG_BLOCK_SIZE) == 0;
    while (*piece && (strchr(" \n\t\r", *piece) || strncmp(piece, PG_BLOCK, PG_BLOCK_SIZE) == 0))
        piece += *piece == PG_BLOCK[0] ? PG_BLOCK_SIZE : 1;
    return piece;
}

static token_kind kind_of(const part_maker *maker, size_t i)
{
    int32_t id = maker->tokens[i];
    const char *piece = pg_tokenizer_piece(maker->tokenizer, id);
    bool blank;
    if (in_range(id, maker->place, PLACES))
        return PLACE;
    if (in_range(id, maker->code, CODES))
        return CODE;
    if (!piece || pg_tokenizer_is_special(maker->tokenizer, id))
        return CONTROL;
    if (maker->in_object && (strchr(piece, ';') || strchr(piece, '\n')))
        return SEPARATOR;
    return *piece_text(piece, &blank) ? TEXT : BLANK;
}

/* Thai to Tibetan; Chinese and Japanese, but for their punctuation, which stays with what it follows. Korean has
 * blanks.
 */
static bool has_no_blanks(const char *text)
{
    uint32_t c;
    if (pg_utf8_decode(&c, text, strlen(text)) < 1)
        return false;
    return (c >= 0x0e00 && c <= 0x0fff) || (c >= 0x2e80 && c <= 0x2fff) || (c >= 0x3040 && c <= 0x9fff) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

/* Whether a text token goes on with the word before it. */
static bool continues(const part_maker *maker, size_t i)
{
    bool blank;
    const char *text = piece_text(pg_tokenizer_piece(maker->tokenizer, maker->tokens[i]), &blank);
    return !blank && !has_no_blanks(text);
}

static pg_status add_part(part_maker *maker, pg_explained_kind kind, size_t first, size_t count)
{
    PG_TRY(pg_grow((void **)&maker->parts, &maker->capacity, maker->part_count + 1, sizeof *maker->parts));
    maker->parts[maker->part_count++] = (pg_explained){.kind = kind, .first = first, .count = count};
    return PG_OK;
}

/* The tokens from `first` on that are of one kind. */
static size_t run_length(const part_maker *maker, size_t first, token_kind kind)
{
    size_t end = first;
    while (end < maker->count && kind_of(maker, end) == kind)
        end++;
    return end - first;
}

/* Tokens of a label, blanks within it included but not at its end. */
static size_t label_length(const part_maker *maker, size_t first)
{
    size_t length = 0;
    for (size_t i = first; i < maker->count; i++) {
        token_kind kind = kind_of(maker, i);
        if (kind != TEXT && kind != BLANK)
            break;
        length = kind == TEXT ? i + 1 - first : length;
    }
    return length;
}

static size_t word_length(const part_maker *maker, size_t first)
{
    size_t end = first + 1;
    while (end < maker->count && kind_of(maker, end) == TEXT && continues(maker, end))
        end++;
    return end - first;
}

/* Adds the part that token `first` begins, if it begins one; *length: the tokens that are done with. */
static pg_status add_next(part_maker *maker, size_t first, size_t *length)
{
    token_kind kind = kind_of(maker, first);
    *length = 1;
    switch (kind) {
    case PLACE:
    case CODE:
        maker->in_object = true;
        *length = run_length(maker, first, kind);
        return add_part(maker, kind == PLACE ? PG_EXPLAINED_BOX : PG_EXPLAINED_MASK, first, *length);
    case TEXT:
        *length = maker->in_object ? label_length(maker, first) : word_length(maker, first);
        return add_part(maker, maker->in_object ? PG_EXPLAINED_LABEL : PG_EXPLAINED_WORD, first, *length);
    case SEPARATOR:
    case CONTROL: maker->in_object = false; return PG_OK;
    default: return PG_OK;
    }
}

/* ---------------------------------------------------------------- texts */

static pg_status decode(char **out, const part_maker *maker, const pg_explained *part)
{
    char *text;
    PG_TRY(pg_tokenizer_decode(&text, maker->tokenizer, maker->tokens + part->first, part->count, false));
    const char *stripped = text;
    size_t size = strlen(text);
    pg_utf8_strip(&stripped, &size);
    *out = pg_copy_text(stripped, size);
    pg_free(text);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

/* The part whose text is that of part i: a box's or mask's is the label of its object, NULL where it has none. */
static const pg_explained *label_of(const part_maker *maker, size_t i)
{
    const pg_explained *part = &maker->parts[i], *end = maker->parts + maker->part_count;
    if (part->kind == PG_EXPLAINED_BOX && part + 1 < end && part[1].kind == PG_EXPLAINED_MASK)
        part++;
    if (part->kind == PG_EXPLAINED_BOX || part->kind == PG_EXPLAINED_MASK)
        return part + 1 < end && part[1].kind == PG_EXPLAINED_LABEL ? part + 1 : NULL;
    return part;
}

static pg_status name_parts(part_maker *maker)
{
    for (size_t i = 0; i < maker->part_count; i++) {
        const pg_explained *label = label_of(maker, i);
        char **text = &maker->parts[i].text;
        if (label)
            PG_TRY(decode(text, maker, label));
        else if (!(*text = pg_copy_text("", 0)))
            return PG_ERROR_MEMORY;
    }
    return PG_OK;
}

pg_status pg_answer_parts(pg_explained **out, size_t *count, const pg_tokenizer *tokenizer, const int32_t *tokens,
                          size_t token_count)
{
    part_maker maker = {.tokenizer = tokenizer,
                        .tokens = tokens,
                        .count = token_count,
                        .place = pg_tokenizer_id(tokenizer, "<loc0000>"),
                        .code = pg_tokenizer_id(tokenizer, "<seg000>")};
    pg_status status = PG_OK;
    size_t length;
    for (size_t i = 0; i < token_count && status == PG_OK; i += length)
        status = add_next(&maker, i, &length);
    if (status == PG_OK)
        status = name_parts(&maker);
    if (status != PG_OK)
        pg_answer_parts_free(maker.parts, maker.part_count);
    *out = status == PG_OK ? maker.parts : NULL;
    *count = status == PG_OK ? maker.part_count : 0;
    return status;
}

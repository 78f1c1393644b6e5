/* Normalisation before the model: spaces become U+2581; SentencePiece's rules as its normalizer.cc applies them. */
#include "text/encoder.h"

#include "text/utf8.h"

#define LONGEST ((size_t)INT32_MAX - 1) /* bytes of normalised text: places in it are numbers of type int32_t */

static pg_status add(pg_buffer *out, const char *text, size_t size)
{
    if (size > LONGEST - out->size)
        return pg_fail(PG_ERROR_LIMIT, "the text is too long: more than %zu bytes after normalisation", LONGEST);
    return pg_buffer_append(out, text, size);
}

/* Text with its spaces escaped. */
static pg_status add_escaped(pg_encoder *encoder, const char *text, size_t size)
{
    pg_buffer *out = &encoder->text;
    if (!encoder->tokenizer->escape_spaces)
        return add(out, text, size);
    const char *end = text + size;
    for (const char *space; (space = memchr(text, ' ', (size_t)(end - text))) != NULL; text = space + 1) {
        PG_TRY(add(out, text, (size_t)(space - text)));
        PG_TRY(add(out, PG_BLOCK, PG_BLOCK_SIZE));
    }
    return add(out, text, (size_t)(end - text));
}

/* What the text starts with and what it becomes: a user-defined piece as it is, the longest rule's replacement, or the
 * character as it is. Returns the bytes read. */
static size_t next_unit(const pg_encoder *encoder, const char *text, size_t size, const char **to, size_t *to_size)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    size_t length;
    *to = text;
    if (pg_encoder_match(&length, encoder, &tokenizer->normalized, text, size) >= 0) {
        *to_size = length;
        return length;
    }
    length = pg_charsmap_match(to, &tokenizer->charsmap, text, size);
    if (length > 0) {
        *to_size = strlen(*to);
        return length;
    }
    *to_size = pg_utf8_size(text[0]);
    return *to_size;
}

/* After a space, spaces that open the next unit are dropped. */
static pg_status add_units(pg_encoder *encoder, const char *text, size_t size, bool after_space)
{
    bool trim = encoder->tokenizer->trim_spaces;
    while (size > 0) {
        const char *unit;
        size_t unit_size, used = next_unit(encoder, text, size, &unit, &unit_size);
        for (; trim && after_space && unit_size > 0 && unit[0] == ' '; unit++)
            unit_size--;
        if (unit_size > 0) {
            after_space = unit[unit_size - 1] == ' ';
            PG_TRY(add_escaped(encoder, unit, unit_size));
        }
        text += used;
        size -= used;
    }
    return PG_OK;
}

static bool ends_with(const pg_buffer *text, const char *end, size_t size)
{
    return text->size >= size && !memcmp(text->data + text->size - size, end, size);
}

pg_status pg_encoder_normalize(pg_encoder *encoder, const char *text, size_t size, bool start)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    pg_buffer *out = &encoder->text;
    const char *space = tokenizer->escape_spaces ? PG_BLOCK : " ";
    if (tokenizer->dummy_prefix && start)
        PG_TRY(add(out, space, strlen(space)));
    if (!tokenizer->trim_spaces && tokenizer->charsmap.unit_count == 0)
        return add_escaped(encoder, text, size);
    PG_TRY(add_units(encoder, text, size, tokenizer->trim_spaces && start));
    while (tokenizer->trim_spaces && ends_with(out, space, strlen(space)))
        out->size -= strlen(space);
    return PG_OK;
}

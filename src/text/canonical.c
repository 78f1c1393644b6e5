/* As transformers' tokenization_siglip.py, which lower-cases character by character: a final sigma stays ordinary. */
#include "text/canonical.h"

#include "text/lower.h"
#include "text/utf8.h"

static bool is_punctuation(uint32_t c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static pg_status add_character(pg_buffer *out, uint32_t character, bool lower)
{
    uint32_t forms[2] = {character};
    size_t count = lower ? pg_lower(forms, character) : 1;
    for (size_t i = 0; i < count; i++) {
        char bytes[4];
        PG_TRY(pg_buffer_append(out, bytes, pg_utf8_encode(bytes, forms[i])));
    }
    return PG_OK;
}

pg_status pg_canonicalize(pg_buffer *out, const char *text, size_t size, bool lower)
{
    pg_buffer_reset(out);
    bool space = false;
    while (size > 0) {
        uint32_t character = 0;
        size_t length = (size_t)pg_utf8_decode(&character, text, size);
        if (pg_is_space(character) || character == 0x2581)
            space = true;
        else if (!is_punctuation(character)) {
            if (space && out->size)
                PG_TRY(pg_buffer_append(out, " ", 1));
            space = false;
            PG_TRY(add_character(out, character, lower));
        }
        text += length;
        size -= length;
    }
    return PG_OK;
}

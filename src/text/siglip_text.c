/* As transformers' tokenization_siglip.py: it lower-cases character by character (so a final sigma stays an ordinary
 * one), and of a text that is cut at control tokens only the first part gets the dummy prefix (see encoder.c). */
#include "text/siglip_text.h"

#include <string.h>

#include "text/lower.h"
#include "text/tokenizer.h"
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

pg_status pg_siglip_canonicalize(pg_buffer *out, const char *text, size_t size, bool lower)
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

pg_status pg_siglip_text_encode(int32_t *ids, size_t length, const pg_tokenizer *tokenizer, const char *text,
                                unsigned flags)
{
    int32_t end = pg_tokenizer_eos(tokenizer);
    if (length == 0 || end < 0)
        return pg_fail(PG_ERROR_ARGUMENT, "a text length of %zu and a tokenizer with%s </s>", length,
                       end < 0 ? "out" : "");
    pg_ids found = {0};
    pg_status status = pg_tokenizer_append(&found, tokenizer, text, SIZE_MAX, flags | PG_ENCODE_CANONICAL);
    if (status == PG_OK) {
        size_t count = found.count < length ? found.count : length - 1;
        if (count)
            memcpy(ids, found.data, count * sizeof *ids);
        for (; count < length; count++)
            ids[count] = end;
    }
    pg_ids_free(&found);
    return status;
}

/* Ids to text, one at a time. Byte pieces wait until their character is complete; a byte that can be part of none comes
 * out as U+FFFD at once, as SentencePiece has it (the tokenizers library instead gives up whole runs of bytes, so that
 * its text can change backwards). */
#include "text/tokenizer.h"
#include "text/utf8.h"

struct pg_decoder {
    const pg_tokenizer *tokenizer;
    bool skip_special;
    bool at_start; /* nothing was shown yet: spaces there come from the tokenizer */
    pg_buffer text;
    char bytes[4]; /* the beginning of a character */
    size_t byte_count;
};

size_t pg_decoder_most(const pg_tokenizer *tokenizer)
{
    size_t unknown = tokenizer->unknown_surface ? strlen(tokenizer->unknown_surface) : 0;
    size_t piece = tokenizer->vocab.longest > unknown ? tokenizer->vocab.longest : unknown;
    return sizeof((pg_decoder *)NULL)->bytes * strlen(PG_REPLACEMENT) + piece;
}

pg_status pg_decoder_new(pg_decoder **out, const pg_tokenizer *tokenizer, bool skip_special)
{
    pg_decoder *decoder = *out = pg_alloc(1, sizeof *decoder);
    if (!decoder)
        return PG_ERROR_MEMORY;
    decoder->tokenizer = tokenizer;
    decoder->skip_special = skip_special;
    decoder->at_start = true;
    pg_status status = pg_buffer_reserve(&decoder->text, pg_decoder_most(tokenizer)); /* so that tokens need none */
    if (status != PG_OK) {
        pg_decoder_free(decoder);
        *out = NULL;
    }
    return status;
}

void pg_decoder_free(pg_decoder *decoder)
{
    if (decoder)
        pg_buffer_free(&decoder->text);
    pg_free(decoder);
}

static pg_status show(pg_decoder *decoder, const char *text, size_t size)
{
    if (size)
        decoder->at_start = false;
    return pg_buffer_append(&decoder->text, text, size);
}

static void drop_bytes(pg_decoder *decoder, size_t count)
{
    decoder->byte_count -= count;
    memmove(decoder->bytes, decoder->bytes + count, decoder->byte_count);
}

/* Shows what the held bytes are by now. At the end, the beginning of a character is not one either. */
static pg_status show_bytes(pg_decoder *decoder, bool end)
{
    while (decoder->byte_count) {
        int length = pg_utf8_scan(decoder->bytes, decoder->byte_count);
        if (length == PG_UTF8_UNFINISHED && !end)
            return PG_OK;
        PG_TRY(length > 0 ? show(decoder, decoder->bytes, (size_t)length)
                          : show(decoder, PG_REPLACEMENT, strlen(PG_REPLACEMENT)));
        drop_bytes(decoder, length > 0 ? (size_t)length : 1);
    }
    return PG_OK;
}

/* A piece with its U+2581 turned into spaces. Those that normalisation put in front of the text go: one, or all where
 * it removes repeated ones. */
static pg_status show_piece(pg_decoder *decoder, const char *text, size_t size)
{
    const pg_tokenizer *tokenizer = decoder->tokenizer;
    if (!tokenizer->escape_spaces)
        return show(decoder, text, size);
    if (decoder->at_start && (tokenizer->dummy_prefix || tokenizer->trim_spaces) && size >= PG_BLOCK_SIZE &&
        !memcmp(text, PG_BLOCK, PG_BLOCK_SIZE)) {
        text += PG_BLOCK_SIZE;
        size -= PG_BLOCK_SIZE;
        decoder->at_start = tokenizer->trim_spaces;
    }
    const char *end = text + size;
    for (const char *block; (block = memmem(text, (size_t)(end - text), PG_BLOCK, PG_BLOCK_SIZE)) != NULL;
         text = block + PG_BLOCK_SIZE) {
        PG_TRY(show(decoder, text, (size_t)(block - text)));
        PG_TRY(show(decoder, " ", 1));
    }
    return show(decoder, text, (size_t)(end - text));
}

static pg_status add(pg_decoder *decoder, int32_t id)
{
    const pg_tokenizer *tokenizer = decoder->tokenizer;
    const pg_vocab *vocab = &tokenizer->vocab;
    unsigned flags = pg_vocab_flags(vocab, id);
    if (id < 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%d is no token id", id);
    if (flags & PG_PIECE_BYTE) {
        decoder->bytes[decoder->byte_count++] =
            (char)pg_byte_of_piece(pg_vocab_text(vocab, id), vocab->pieces[id].size);
        return show_bytes(decoder, false);
    }
    PG_TRY(show_bytes(decoder, true));
    if (flags & PG_PIECE_UNKNOWN)
        return show(decoder, tokenizer->unknown_surface, strlen(tokenizer->unknown_surface));
    if (!flags || (decoder->skip_special && flags & PG_PIECE_CONTROL))
        return PG_OK;
    return show_piece(decoder, pg_vocab_text(vocab, id), vocab->pieces[id].size);
}

static pg_status give(pg_decoder *decoder, pg_status status, const char **text, size_t *size)
{
    *text = decoder->text.data ? decoder->text.data : "";
    if (size)
        *size = decoder->text.size;
    return status;
}

pg_status pg_decoder_push(pg_decoder *decoder, int32_t id, const char **text, size_t *size)
{
    pg_buffer_reset(&decoder->text);
    return give(decoder, add(decoder, id), text, size);
}

pg_status pg_decoder_finish(pg_decoder *decoder, const char **text, size_t *size)
{
    pg_buffer_reset(&decoder->text);
    pg_status status = show_bytes(decoder, true);
    decoder->byte_count = 0;
    decoder->at_start = true;
    return give(decoder, status, text, size);
}

pg_status pg_tokenizer_decode(char **out, const pg_tokenizer *tokenizer, const int32_t *ids, size_t count,
                              bool skip_special)
{
    pg_decoder decoder = {.tokenizer = tokenizer, .skip_special = skip_special, .at_start = true};
    pg_status status = pg_buffer_append(&decoder.text, "", 0);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        status = add(&decoder, ids[i]);
    if (status == PG_OK)
        status = show_bytes(&decoder, true);
    if (status != PG_OK)
        pg_buffer_free(&decoder.text);
    *out = decoder.text.data;
    return status;
}

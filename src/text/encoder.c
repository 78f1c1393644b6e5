#include "text/encoder.h"

#include "text/canonical.h"
#include "text/utf8.h"

typedef pg_status (*text_step)(pg_encoder *encoder, const char *text, size_t size, bool start);

/* Adds the ids of the added tokens in a text (leftmost first, longest first) and hands what is between them to `step`.
 * Tokens may take the white space beside them. */
static pg_status cut(pg_encoder *encoder, const pg_trie *added, const char *text, size_t size, bool start,
                     text_step step)
{
    size_t done = 0;
    for (size_t at = 0, length; added->count && at < size;) {
        int32_t id = pg_encoder_match(&length, encoder, added, text + at, size - at);
        if (id < 0) {
            at++;
            continue;
        }
        unsigned flags = pg_vocab_flags(&encoder->tokenizer->vocab, id);
        size_t from = at, to = at + length;
        if (flags & PG_PIECE_LSTRIP)
            from -= pg_utf8_trailing_space(text + done, at - done);
        if (flags & PG_PIECE_RSTRIP)
            to += pg_utf8_leading_space(text + to, size - to);
        if (from > done)
            PG_TRY(step(encoder, text + done, from - done, start && done == 0));
        PG_TRY(pg_ids_add(encoder->out, id));
        at = done = to;
    }
    return done < size ? step(encoder, text + done, size - done, start && done == 0) : PG_OK;
}

static pg_status encode_normalized(pg_encoder *encoder, const char *text, size_t size, bool start)
{
    (void)start;
    encoder->from = encoder->out->count;
    return pg_bpe_encode(encoder, text, size);
}

/* SigLIP's reference encodes "<unk>" with every part of the text and drops the ids of that again. The score it starts
 * with decides how sums are rounded, and so which of two equally good segmentations is taken. */
static pg_status encode_canonical(pg_encoder *encoder, const char *text, size_t size, bool start)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    const char *guard = pg_vocab_text(&tokenizer->vocab, tokenizer->unknown);
    pg_ids *out = encoder->out;
    encoder->from = out->count;
    PG_TRY(pg_unigram_encode(encoder, guard, strlen(guard)));
    size_t guard_ids = out->count - encoder->from;
    out->count = encoder->from;
    PG_TRY(pg_canonicalize(&encoder->clean, text, size, tokenizer->lower));
    PG_TRY(pg_buffer_append(&encoder->text, guard, strlen(guard)));
    PG_TRY(pg_encoder_normalize(encoder, encoder->clean.data, encoder->clean.size, start));
    PG_TRY(pg_unigram_encode(encoder, encoder->text.data, encoder->text.size));
    size_t made = out->count - encoder->from;
    guard_ids = guard_ids < made ? guard_ids : made; /* joined to the text it may be fewer */
    out->count -= guard_ids;
    memmove(out->data + encoder->from, out->data + encoder->from + guard_ids,
            (out->count - encoder->from) * sizeof *out->data);
    return PG_OK;
}

static pg_status encode_raw(pg_encoder *encoder, const char *text, size_t size, bool start)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    pg_buffer_reset(&encoder->text);
    if (encoder->canonical)
        return encode_canonical(encoder, text, size, start);
    PG_TRY(pg_encoder_normalize(encoder, text, size, start));
    encoder->from = encoder->out->count;
    if (tokenizer->model == PG_MODEL_UNIGRAM) /* it weighs user-defined pieces itself */
        return pg_unigram_encode(encoder, encoder->text.data, encoder->text.size);
    return cut(encoder, &tokenizer->normalized, encoder->text.data, encoder->text.size, false, encode_normalized);
}

pg_status pg_encoder_add(pg_encoder *encoder, const char *text, size_t size, bool start)
{
    return cut(encoder, &encoder->tokenizer->raw, text, size, start, encode_raw);
}

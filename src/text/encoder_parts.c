/* What every way to ids needs: added tokens in a text, and ids of characters that have none. */
#include "text/encoder.h"

void pg_encoder_free(pg_encoder *encoder)
{
    pg_buffer_free(&encoder->clean);
    pg_buffer_free(&encoder->text);
    pg_free(encoder->symbols);
    pg_free(encoder->heap);
    pg_free(encoder->arrivals);
    *encoder = (pg_encoder){0};
}

pg_status pg_encoder_add_unknown(pg_encoder *encoder, const char *text, size_t size)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    pg_ids *out = encoder->out;
    if (tokenizer->byte_fallback) {
        for (size_t i = 0; i < size; i++) {
            int32_t id = tokenizer->bytes[(uint8_t)text[i]];
            if (id < 0 && (id = tokenizer->unknown) < 0)
                return pg_fail(PG_ERROR_FORMAT, "the tokenizer has no piece for the byte 0x%02X", (uint8_t)text[i]);
            PG_TRY(pg_ids_add(out, id));
        }
        return PG_OK;
    }
    if (tokenizer->fuse_unknown && out->count > encoder->from && out->data[out->count - 1] == tokenizer->unknown)
        return PG_OK;
    return pg_ids_add(out, tokenizer->unknown);
}

int32_t pg_encoder_match(size_t *size, const pg_encoder *encoder, const pg_trie *added, const char *text, size_t limit)
{
    int32_t longest = -1;
    uint32_t node = PG_TRIE_ROOT;
    for (size_t i = 0; i < limit && (node = pg_trie_step(added, node, text[i])) != PG_TRIE_NONE; i++) {
        int32_t id = added->nodes[node].value;
        bool control = pg_vocab_flags(&encoder->tokenizer->vocab, id) & PG_PIECE_CONTROL;
        if (id >= 0 && (encoder->special || !control)) {
            longest = id;
            *size = i + 1;
        }
    }
    return longest;
}

/* Any bytes as a SentencePiece model: refused, or usable; as SigLIP's too. */
#include "exercise_tokenizer.h"

#include "text/siglip_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void exercise_siglip(const pg_tokenizer *tokenizer)
{
    int32_t ids[8];
    for (unsigned flags = 0; flags <= PG_ENCODE_SPECIAL; flags++)
        if (pg_siglip_text_encode(ids, 8, tokenizer, "A photo, of </s>  \xc4\xb0\xe2\x96\x81!", flags) == PG_OK)
            must(ids[7] == tokenizer->eos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_tokenizer *tokenizer;
    if (pg_tokenizer_new(&tokenizer) == PG_OK &&
        pg_tokenizer_read_sentencepiece(tokenizer, data, size, "fuzz") == PG_OK &&
        pg_tokenizer_finish(tokenizer) == PG_OK) {
        exercise_tokenizer(tokenizer, data, size);
        exercise_siglip(tokenizer);
    }
    pg_tokenizer_close(tokenizer);
    return 0;
}

/* What the fuzz targets do with a tokenizer made of hostile bytes: texts there and back, and what must hold for any. */
#ifndef PG_TESTS_EXERCISE_TOKENIZER_H
#define PG_TESTS_EXERCISE_TOKENIZER_H

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "text/utf8.h"

/* Holds in release builds too. */
static inline void must(bool condition)
{
    if (!condition)
        abort();
}

static inline void exercise_text(const pg_tokenizer *tokenizer, const char *text, size_t size, unsigned flags)
{
    int32_t *ids;
    size_t count;
    char *back;
    if (pg_tokenizer_encode(&ids, &count, tokenizer, text, size, flags) != PG_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        must(pg_tokenizer_piece(tokenizer, ids[i]));
        must(flags & PG_ENCODE_SPECIAL || ids[i] == tokenizer->unknown || !pg_tokenizer_is_special(tokenizer, ids[i]));
    }
    if (pg_tokenizer_decode(&back, tokenizer, ids, count, false) == PG_OK)
        must(pg_utf8_check(back, strlen(back)) == strlen(back));
    pg_free(back);
    pg_free(ids);
}

/* `bytes` serve as one of the texts. */
static inline void exercise_tokenizer(const pg_tokenizer *tokenizer, const uint8_t *bytes, size_t size)
{
    static const char *const texts[] = {"", " ", "a b  ab abc\n\n<loc0001> <bos></s>\xe2\x96\x81\xe2\x96\x81 a",
                                        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 <unk><start_of_turn>"};
    for (unsigned flags = 0; flags <= PG_ENCODE_SPECIAL; flags++) {
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            exercise_text(tokenizer, texts[i], strlen(texts[i]), flags);
        exercise_text(tokenizer, (const char *)bytes, size < 512 ? size : 512, flags);
    }
}

#endif

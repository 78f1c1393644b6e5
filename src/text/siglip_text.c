/* As transformers' tokenization_siglip.py: of a text that is cut at control tokens only the first part gets the dummy
 * prefix (see encoder.c). */
#include "text/siglip_text.h"

#include <string.h>

#include "text/tokenizer.h"

pg_status pg_siglip_text_encode(int32_t *ids, size_t length, const pg_tokenizer *tokenizer, const char *text,
                                unsigned flags)
{
    int32_t end = pg_tokenizer_eos(tokenizer);
    if (length == 0 || end < 0)
        return pg_fail(PG_ERROR_ARGUMENT, "a text length of %zu and a tokenizer with%s </s>", length,
                       end < 0 ? "out" : "");
    pg_ids found = {0};
    pg_status status = pg_tokenizer_append(&found, tokenizer, text, SIZE_MAX, flags | PG_ENCODE_CANONICAL, NULL);
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

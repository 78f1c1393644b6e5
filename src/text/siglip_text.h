/* SigLIP's text input: canonicalised text, its pieces, </s>, and </s> again up to the model's fixed length. */
#ifndef PG_TEXT_SIGLIP_TEXT_H
#define PG_TEXT_SIGLIP_TEXT_H

#include "base/buffer.h"

/* `length` ids of a NUL-ended text. Longer texts are cut so that </s> is still there. flags: PG_ENCODE_PLAIN or
 * PG_ENCODE_SPECIAL (then </s> and <unk> in the text count, as in the reference, if the tokenizer's files declare
 * them). */
pg_status pg_siglip_text_encode(int32_t *ids, size_t length, const pg_tokenizer *tokenizer, const char *text,
                                unsigned flags);

#endif

/* The words of a text as captions are compared by: Penn Treebank tokens in lower case without punctuation. */
#ifndef PG_METRICS_PTB_WORDS_H
#define PG_METRICS_PTB_WORDS_H

#include "base/buffer.h"

/* Appends the words of a text, with a space between each two of them. Text that is not UTF-8 is PG_ERROR_FORMAT. */
pg_status pg_ptb_words(pg_buffer *out, const char *text, size_t size);

#endif

/* What the Penn Treebank tokenizer takes characters for, as version 3.4.1 of Stanford's has it (Unicode of its time,
 * none beyond U+FFFF). */
#ifndef PG_METRICS_PTB_CHARACTERS_H
#define PG_METRICS_PTB_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum pg_ptb_kind {
    PG_PTB_NONE, /* left out: control characters, and what it does not know */
    PG_PTB_LETTER,
    PG_PTB_DIGIT,
    PG_PTB_SIGN,   /* within words only, such as vowel signs and accents */
    PG_PTB_SYMBOL, /* a word of its own, where nothing larger begins with it */
} pg_ptb_kind;

pg_ptb_kind pg_ptb_kind_of(uint32_t character);

#endif

/* The tokens of a Penn Treebank tokenizer: at each place of a text the longest one that some form allows. */
#ifndef PG_METRICS_PTB_TOKENS_H
#define PG_METRICS_PTB_TOKENS_H

#include <stddef.h>
#include <stdint.h>

/* How a token is written. */
typedef enum pg_ptb_form {
    PG_PTB_PLAIN,
    PG_PTB_SOFT,     /* without soft hyphens */
    PG_PTB_BOUND,    /* blanks become no-break spaces */
    PG_PTB_BRACKETS, /* the same, and round brackets -LRB- and -RRB- */
    PG_PTB_AND,      /* &amp; becomes & */
    PG_PTB_QUOTES,   /* marks become `, ``, ' and '' */
    PG_PTB_NOTHING,  /* left out: blanks and punctuation */
} pg_ptb_form;

typedef struct pg_ptb_token {
    size_t size;
    pg_ptb_form form;
} pg_ptb_token;

/* The token that begins at `text`, which ends in two line ends. */
pg_ptb_token pg_ptb_next(const uint32_t *text);

#endif

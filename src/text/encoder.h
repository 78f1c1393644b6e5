/* One text on its way to ids: the models' entry points and their scratch memory. */
#ifndef PG_TEXT_ENCODER_H
#define PG_TEXT_ENCODER_H

#include "text/tokenizer.h"

/* A piece in the making, in a list of those of one word. */
typedef struct pg_symbol {
    uint32_t start, size;   /* bytes of the word */
    int32_t id;             /* -1: an unknown character */
    int32_t previous, next; /* -1: none */
    uint32_t rank;          /* of the merge with the next symbol, PG_RANK_NONE: none */
    int32_t merged;         /* what that makes */
} pg_symbol;

/* The best way to reach a place in the text (unigram). */
typedef struct pg_arrival {
    float score;
    int32_t start; /* where the last piece began; -1: not reached yet */
    int32_t id;
} pg_arrival;

typedef struct pg_encoder {
    const pg_tokenizer *tokenizer;
    pg_ids *out;
    pg_merge_dropout dropout;
    uint64_t drawn;  /* how often it was decided */
    bool special;    /* control tokens spelled out in the text count */
    bool canonical;  /* the text is canonicalised first */
    size_t from;     /* ids that were there before the text that is being encoded */
    pg_buffer clean; /* canonicalised text */
    pg_buffer text;  /* normalised text */
    pg_symbol *symbols;
    size_t symbol_count, symbol_capacity;
    uint64_t *heap; /* rank << 32 | symbol of the merges that may be done, smallest first */
    size_t heap_count, heap_capacity;
    pg_arrival *arrivals;
    size_t arrival_capacity;
} pg_encoder;

void pg_encoder_free(pg_encoder *encoder);

/* Ids of valid UTF-8 added to encoder->out. `start`: the text is the beginning of what the user gave (a dummy prefix
 * goes in front of that only). */
pg_status pg_encoder_add(pg_encoder *encoder, const char *text, size_t size, bool start);

/* The same of text between added tokens, normalised: by byte-pair merges, by unigram. */
pg_status pg_bpe_encode(pg_encoder *encoder, const char *text, size_t size);
pg_status pg_unigram_encode(pg_encoder *encoder, const char *text, size_t size);

/* Ids of a character that has none: its bytes, or the unknown one. */
pg_status pg_encoder_add_unknown(pg_encoder *encoder, const char *text, size_t size);

/* Normalised text, added to encoder->text. */
pg_status pg_encoder_normalize(pg_encoder *encoder, const char *text, size_t size, bool start);

/* The longest added token that the text starts with and that may count here: its id and *size, or -1. */
int32_t pg_encoder_match(size_t *size, const pg_encoder *encoder, const pg_trie *added, const char *text, size_t limit);

#endif

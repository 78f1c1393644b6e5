/* Inside of a tokenizer: what its files say, and the steps from text to ids.
 *
 *   text -> cut at added tokens (raw) -> normalise -> cut at added tokens (normalised) -> model -> ids
 *
 * Three models: byte-pair merges in the order of a list (tokenizer.json) or of scores (SentencePiece), and
 * SentencePiece's unigram. Readers: tokenizer_json.c, sentencepiece.c, then tokenizer_config.c. */
#ifndef PG_TEXT_TOKENIZER_H
#define PG_TEXT_TOKENIZER_H

#include "base/json.h"
#include "text/charsmap.h"
#include "text/ids.h"
#include "text/merges.h"
#include "text/trie.h"
#include "text/vocab.h"

typedef enum pg_token_model {
    PG_MODEL_MERGES,  /* tokenizer.json: listed pairs are merged, the first in the list first */
    PG_MODEL_PIECES,  /* SentencePiece BPE: pairs that make a piece are merged, the best score first */
    PG_MODEL_UNIGRAM, /* SentencePiece unigram: the segmentation with the best sum of scores */
} pg_token_model;

struct pg_tokenizer {
    pg_token_model model;
    pg_vocab vocab;
    int32_t characters[128];        /* ids of the ASCII characters, -1 where the vocabulary lacks one */
    int32_t bytes[256];             /* ids of the byte pieces, with byte_fallback */
    bool joined_to_space[256];      /* a piece has U+2581 behind a character that ends in this byte */
    bool byte_fallback;             /* characters without a piece become their bytes; else `unknown` */
    bool fuse_unknown;              /* unknown characters in a row become one id */
    int32_t unknown, bos, eos, pad; /* -1: none */
    bool adds_bos;                  /* the files want <bos> in front of plain text */

    pg_ids added_raw, added_normalized; /* added tokens, to be looked for before and after normalisation */
    pg_trie raw, normalized;            /* the same, ready for it */

    bool escape_spaces;    /* a space becomes U+2581 */
    bool dummy_prefix;     /* a space goes in front */
    bool trim_spaces;      /* leading, trailing and repeated spaces go */
    pg_charsmap charsmap;  /* SentencePiece */
    char *unknown_surface; /* what SentencePiece prints for its unknown piece; NULL elsewhere */
    bool canonical, lower; /* SigLIP: the text is canonicalised first, in lower case */

    pg_merges merges; /* PG_MODEL_MERGES */
    float *scores;    /* SentencePiece, by id; pieces that were added have none */
    int32_t score_count;
    pg_trie pieces;      /* PG_MODEL_UNIGRAM */
    float unknown_score; /* of an unknown character */
    float defined_score; /* of each byte of a user-defined piece */
};

/* A tokenizer that has read nothing yet; freed with pg_tokenizer_close. */
pg_status pg_tokenizer_new(pg_tokenizer **out);

/* Readers of a file's bytes into an empty tokenizer; `name` stands for the file in errors. */
pg_status pg_tokenizer_read_json(pg_tokenizer *tokenizer, const uint8_t *bytes, size_t size, const char *name);
pg_status pg_tokenizer_read_sentencepiece(pg_tokenizer *tokenizer, const uint8_t *bytes, size_t size, const char *name);

/* What a tokenizer_config.json adds; `path` stands for it in errors. */
pg_status pg_tokenizer_use_config(pg_tokenizer *tokenizer, const json_t *config, const char *path);

/* Declares an added token: an object with "content" and its properties, as both JSON files have them. */
pg_status pg_tokenizer_declare(pg_tokenizer *tokenizer, const json_t *token, int64_t id, const char *name);

/* Makes a tokenizer ready that has been read. */
pg_status pg_tokenizer_finish(pg_tokenizer *tokenizer);

/* Ids that prompts are made of; -1 where the tokenizer has none. */
int32_t pg_tokenizer_bos(const pg_tokenizer *tokenizer);
int32_t pg_tokenizer_eos(const pg_tokenizer *tokenizer);
int32_t pg_tokenizer_pad(const pg_tokenizer *tokenizer);

/* Bytes of text that one token can bring at most, with what was held back before it. */
size_t pg_decoder_most(const pg_tokenizer *tokenizer);

/* Whether the files want <bos> in front of plain text. */
bool pg_tokenizer_adds_bos(const pg_tokenizer *tokenizer);

/* One more flag: the text is canonicalised first, as SigLIP wants it (canonical.h). */
#define PG_ENCODE_CANONICAL 256u

/* BPE-dropout (Provilkov et al. 2020): each merge that is found is left out with probability `share`, so that a model
 * sees its words in smaller pieces, too; with 1, in characters. What is drawn depends on the rest alone. */
typedef struct pg_merge_dropout {
    double share; /* 0 to 1; 0: none */
    uint64_t seed, stream;
} pg_merge_dropout;

/* pg_tokenizer_encode into a list; what is there stays in front. dropout: NULL for none, as unigram vocabularies want
 * it. */
pg_status pg_tokenizer_append(pg_ids *out, const pg_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                              const pg_merge_dropout *dropout);

#endif

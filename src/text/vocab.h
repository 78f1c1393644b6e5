/* A vocabulary: pieces of text by id, and ids by piece. Pieces lie in one block of bytes, each with a NUL behind it. */
#ifndef PG_TEXT_VOCAB_H
#define PG_TEXT_VOCAB_H

#include "base/buffer.h"
#include "text/index.h"

#define PG_PIECE_LONGEST 1024 /* bytes; keeps hostile files from making encoding quadratic */

typedef enum pg_piece_flags {
    PG_PIECE_PRESENT = 1,  /* the id has a piece */
    PG_PIECE_CONTROL = 2,  /* a control token: never made of typed text unless asked for */
    PG_PIECE_BYTE = 4,     /* stands for one byte */
    PG_PIECE_UNKNOWN = 8,  /* SentencePiece's unknown piece */
    PG_PIECE_DEFINED = 16, /* SentencePiece's user-defined pieces */
    PG_PIECE_UNUSED = 32,  /* SentencePiece's unused pieces */
    PG_PIECE_LSTRIP = 64,  /* an added token that takes the white space on its left */
    PG_PIECE_RSTRIP = 128, /* ... on its right */
    PG_PIECE_ADDED = 256,  /* declared as an added token */
} pg_piece_flags;

typedef struct pg_piece {
    uint32_t offset;
    uint16_t size;
    uint16_t flags;
} pg_piece;

typedef struct pg_vocab {
    const char *name; /* of the file, for errors; borrowed, valid while the vocabulary is being filled */
    pg_buffer bytes;
    pg_piece *pieces; /* by id */
    size_t size, capacity;
    size_t count;   /* pieces present */
    size_t longest; /* bytes of the longest piece */
    pg_index index; /* empty until pg_vocab_index */
    bool indexed;
} pg_vocab;

/* Adds a piece. An id or (once indexed) a piece that is there already is PG_ERROR_FORMAT. */
pg_status pg_vocab_add(pg_vocab *vocab, int64_t id, const char *text, size_t size, unsigned flags);

/* Makes the pieces findable; a piece that is there twice, or invalid UTF-8, is PG_ERROR_FORMAT. */
pg_status pg_vocab_index(pg_vocab *vocab);
void pg_vocab_free(pg_vocab *vocab);

/* -1 if there is no such piece. */
int32_t pg_vocab_find(const pg_vocab *vocab, const char *text, size_t size);

/* The same for pieces that text may become: none that stands for something else than its letters. */
int32_t pg_vocab_find_plain(const pg_vocab *vocab, const char *text, size_t size);

/* The byte that a piece such as "<0x0A>" stands for, -1 if it has another form. */
int pg_byte_of_piece(const char *text, size_t size);

static inline const char *pg_vocab_text(const pg_vocab *vocab, int32_t id)
{
    return vocab->bytes.data + vocab->pieces[id].offset;
}

/* No flags for ids that have no piece. */
static inline unsigned pg_vocab_flags(const pg_vocab *vocab, int32_t id)
{
    return id >= 0 && (size_t)id < vocab->size ? vocab->pieces[id].flags : 0;
}

#endif

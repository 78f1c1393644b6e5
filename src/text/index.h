/* A hash index over numbered things that live elsewhere: from the hash of a key to the numbers of the things that may
 * have it. Open addressing; a slot holds the number and ten bits of the hash, so that a wrong candidate is rare and the
 * tables of a 256,000-piece vocabulary stay within a processor's cache. */
#ifndef PG_TEXT_INDEX_H
#define PG_TEXT_INDEX_H

#include <string.h>

#include "base/memory.h"

#define PG_INDEX_BITS 22
#define PG_INDEX_MAX  (((uint32_t)1 << PG_INDEX_BITS) - 1) /* things at most */
#define PG_INDEX_NONE UINT32_MAX

typedef struct pg_index {
    uint32_t *slots; /* 0: free; else number + 1 below PG_INDEX_BITS, upper bits of the hash above */
    uint32_t mask;   /* slots - 1, a power of two less one */
} pg_index;

/* Room for `count` things with at most half of the slots taken. */
pg_status pg_index_new(pg_index *out, size_t count);
void pg_index_free(pg_index *index);

/* False if the hash meets so many others that the input must have been made for it. */
bool pg_index_add(pg_index *index, uint64_t hash, uint32_t number);

/* The next candidate for a hash, PG_INDEX_NONE after the last one. *at starts as (uint32_t)hash. */
static inline uint32_t pg_index_next(const pg_index *index, uint64_t hash, uint32_t *at)
{
    uint32_t tag = (uint32_t)(hash >> 32) >> PG_INDEX_BITS;
    for (uint32_t slot; (slot = index->slots[(*at)++ & index->mask]) != 0;)
        if (slot >> PG_INDEX_BITS == tag)
            return (slot & PG_INDEX_MAX) - 1;
    return PG_INDEX_NONE;
}

/* Spreads every bit of a word over the upper and the lower half. */
static inline uint64_t pg_hash_word(uint64_t word)
{
    word = (word ^ word >> 32) * 0x9e3779b97f4a7c15u;
    return word ^ word >> 29;
}

static inline uint64_t pg_load_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* A text of up to eight bytes as a word that differs for any two of the same size; bytes may be in it twice. */
static inline uint64_t pg_load_short(const char *text, size_t size)
{
    if (size == 8)
        return pg_load_word(text);
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, sizeof first);
        memcpy(&last, text + size - sizeof last, sizeof last);
        return (uint64_t)first << 32 | last;
    }
    const unsigned char *bytes = (const unsigned char *)text;
    return size ? (uint64_t)bytes[0] << 32 | (uint64_t)bytes[size / 2] << 16 | bytes[size - 1] : 0;
}

/* Hash of a text. Pieces are short: most take one round. */
static inline uint64_t pg_hash_text(const char *text, size_t size)
{
    uint64_t hash = size * 0xff51afd7ed558ccdu;
    if (size <= 8)
        return pg_hash_word(hash ^ pg_load_short(text, size));
    for (size_t i = 0; i + 8 < size; i += 8)
        hash = pg_hash_word(hash ^ pg_load_word(text + i));
    return pg_hash_word(hash ^ pg_load_word(text + size - 8));
}

static inline bool pg_same_text(const char *one, const char *other, size_t size)
{
    return size <= 8 ? pg_load_short(one, size) == pg_load_short(other, size) : !memcmp(one, other, size);
}

#endif

/* The merges of a byte-pair vocabulary: pairs of ids and what they become, in the order of their rank. */
#ifndef PG_TEXT_MERGES_H
#define PG_TEXT_MERGES_H

#include "text/vocab.h"

typedef struct pg_merge {
    int32_t left, right, result;
} pg_merge;

typedef struct pg_merges {
    pg_merge *list; /* by rank */
    size_t count, capacity;
    pg_index index;
} pg_merges;

/* Adds the merge of the next rank. */
pg_status pg_merges_add(pg_merges *merges, pg_merge merge);

/* Makes the merges findable. Those that would make a control token out of text are left out; of two merges of one pair
 * the later counts. */
pg_status pg_merges_index(pg_merges *merges, const pg_vocab *vocab);
void pg_merges_free(pg_merges *merges);

static inline uint64_t pg_merges_hash(int32_t left, int32_t right)
{
    return pg_hash_word((uint64_t)(uint32_t)left << 32 | (uint32_t)right);
}

/* Rank of the merge of a pair, PG_INDEX_NONE if there is none. */
static inline uint32_t pg_merges_find(const pg_merges *merges, int32_t left, int32_t right)
{
    uint64_t hash = pg_merges_hash(left, right);
    uint32_t at = (uint32_t)hash;
    for (uint32_t rank; (rank = pg_index_next(&merges->index, hash, &at)) != PG_INDEX_NONE;)
        if (merges->list[rank].left == left && merges->list[rank].right == right)
            return rank;
    return PG_INDEX_NONE;
}

#endif

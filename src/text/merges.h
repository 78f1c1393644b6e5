/* The merges of a byte-pair vocabulary. A merge puts two pieces together; as pieces differ in their text, what it makes
 * and the size of the left one say which two. */
#ifndef PG_TEXT_MERGES_H
#define PG_TEXT_MERGES_H

#include "text/vocab.h"

#define PG_RANK_NONE UINT32_MAX

typedef struct pg_merge {
    int32_t result; /* id of what it makes */
    uint32_t left;  /* bytes of the left piece, at least 1 */
} pg_merge;

/* Where a piece can be put together. */
typedef struct pg_joint {
    uint32_t left; /* bytes on the left, 0: none */
    uint32_t rank;
} pg_joint;

typedef struct pg_merges {
    pg_merge *list; /* by rank; gone once indexed */
    size_t count, capacity;
    uint32_t *first;  /* by id: its first joint; one more at the end */
    pg_joint *joints; /* those of an id in a row, unused ones last */
} pg_merges;

/* Adds the merge of the next rank. */
pg_status pg_merges_add(pg_merges *merges, pg_merge merge);

/* Makes the ranks findable, for ids up to the vocabulary's last. Of two merges that are alike the later counts. */
pg_status pg_merges_index(pg_merges *merges, const pg_vocab *vocab);
void pg_merges_free(pg_merges *merges);

/* Rank of the merge that makes `result` of a left piece of `left` bytes and the rest; PG_RANK_NONE: there is none. */
static inline uint32_t pg_merges_rank(const pg_merges *merges, int32_t result, uint32_t left)
{
    for (uint32_t i = merges->first[result]; i < merges->first[result + 1] && merges->joints[i].left; i++)
        if (merges->joints[i].left == left)
            return merges->joints[i].rank;
    return PG_RANK_NONE;
}

#endif

/*
 * A list of token sequences, sorted: those with a common beginning lie together, so a place in the tree of all of them
 * is a range of the list, and no tree is built.
 */
#ifndef PG_GENERATE_PHRASES_H
#define PG_GENERATE_PHRASES_H

#include "text/ids.h"

typedef struct pg_phrase {
    int32_t *ids;
    size_t count;
} pg_phrase;

typedef struct pg_phrases {
    pg_phrase *all;
    size_t count, capacity;
} pg_phrases;

/* Phrases first .. end - 1 begin with the same `depth` tokens: those of the way from the root. */
typedef struct pg_phrase_range {
    size_t first, end, depth;
} pg_phrase_range;

/* Adds a copy of the ids, with `last` behind them unless it is negative. */
pg_status pg_phrases_add(pg_phrases *phrases, const int32_t *ids, size_t count, int32_t last);

/* Makes the list ready once all are added: sorted, without repeats. */
void pg_phrases_sort(pg_phrases *phrases);
void pg_phrases_free(pg_phrases *phrases);

/* All phrases; those of a range that go on with `id` (none: first == end). */
pg_phrase_range pg_phrases_root(const pg_phrases *phrases);
pg_phrase_range pg_phrases_step(const pg_phrases *phrases, pg_phrase_range range, int32_t id);

/* The ids that a range goes on with, ascending; returns how many. */
size_t pg_phrases_next(int32_t *ids, const pg_phrases *phrases, pg_phrase_range range);

/* True if a phrase ends here. */
bool pg_phrases_ends(const pg_phrases *phrases, pg_phrase_range range);

#endif

/* Permutations of 0 .. count - 1 that need no memory: what stands at a place is computed from the key. */
#ifndef PG_DATA_PERMUTATION_H
#define PG_DATA_PERMUTATION_H

#include <stdint.h>

/* The number at `place` (below `count`) of the permutation that `seed` and `stream` choose. */
uint64_t pg_permutation_at(uint64_t count, uint64_t seed, uint64_t stream, uint64_t place);

#endif

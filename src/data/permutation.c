/* A Feistel network permutes a power of four that is not much larger than `count`; numbers that are too large are put
 * through it again until one is not (cycle walking: Black and Rogaway, CT-RSA 2002), which leaves a permutation. */
#include "data/permutation.h"

#include "base/random.h"

#define ROUNDS 8 /* short halves need more than the usual four to look random */

static uint64_t scramble(uint64_t place, unsigned half, uint64_t seed, uint64_t stream)
{
    uint64_t mask = ((uint64_t)1 << half) - 1, left = place >> half, right = place & mask;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t mixed = left ^ (pg_random_bits(seed, stream, round << half | right) & mask);
        left = right;
        right = mixed;
    }
    return left << half | right;
}

uint64_t pg_permutation_at(uint64_t count, uint64_t seed, uint64_t stream, uint64_t place)
{
    unsigned half = 1;
    while (half < 32 && (uint64_t)1 << 2 * half < count)
        half++;
    do
        place = scramble(place, half, seed, stream);
    while (place >= count);
    return place;
}

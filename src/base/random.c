#include "base/random.h"

double pg_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return (double)(pg_random_bits(seed, stream, counter) >> 11) * 0x1p-53;
}

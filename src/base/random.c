#include "base/random.h"

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t pg_random_bits(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return mix(mix(mix(seed) ^ stream) ^ counter);
}

double pg_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return (double)(pg_random_bits(seed, stream, counter) >> 11) * 0x1p-53;
}

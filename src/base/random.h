/* Random numbers as a function of their place, so that nothing has to be kept: the same seed, stream and counter always
 * give the same number, in any order, on any thread and on any device. */
#ifndef PG_BASE_RANDOM_H
#define PG_BASE_RANDOM_H

#include <stdint.h>

#ifdef __CUDACC__
#define PG_RANDOM static __host__ __device__ inline
#else
#define PG_RANDOM static inline
#endif

/* The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
PG_RANDOM uint64_t pg_random_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* 64 well mixed bits. */
PG_RANDOM uint64_t pg_random_bits(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return pg_random_mix(pg_random_mix(pg_random_mix(seed) ^ stream) ^ counter);
}

/* Uniform in [0, 1), the upper 53 bits. */
double pg_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter);

#endif

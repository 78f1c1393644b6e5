/* Random numbers as a function of their place, so that nothing has to be kept: the same seed, stream and counter always
 * give the same number, in any order and on any thread. */
#ifndef PG_BASE_RANDOM_H
#define PG_BASE_RANDOM_H

#include <stdint.h>

/* 64 well mixed bits (the finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014; over a combination of the three).
 */
uint64_t pg_random_bits(uint64_t seed, uint64_t stream, uint64_t counter);

/* Uniform in [0, 1), 53 bits. */
double pg_random_uniform(uint64_t seed, uint64_t stream, uint64_t counter);

#endif

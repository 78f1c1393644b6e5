/* Random numbers: splitmix64 (Steele, Lea and Flood, 2014). */
#include "world.h"

static uint64_t scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t ew_draw(ew_chance *chance)
{
    return scramble(chance->state += 0x9e3779b97f4a7c15u);
}

uint64_t ew_mix(uint64_t a, uint64_t b)
{
    return scramble(scramble(a + 0x9e3779b97f4a7c15u) ^ (b * 0xd1342543de82ef95u + 1));
}

uint64_t ew_hash(const char *text)
{
    uint64_t hash = 0;
    for (; *text; text++)
        hash = ew_mix(hash, (unsigned char)*text);
    return hash;
}

double ew_between(ew_chance *chance, double low, double high)
{
    return low + (high - low) * ((double)(ew_draw(chance) >> 11) * 0x1p-53);
}

int ew_below(ew_chance *chance, int count)
{
    return (int)((ew_draw(chance) >> 32) * (uint64_t)count >> 32);
}

bool ew_happens(ew_chance *chance, double probability)
{
    return ew_between(chance, 0, 1) < probability;
}

double ew_normal(ew_chance *chance)
{
    /* The sum of the four 16-bit parts has a deviation of 65536 / sqrt(3). */
    uint64_t bits = ew_draw(chance);
    int sum = (int)(bits & 0xffff) + (int)(bits >> 16 & 0xffff) + (int)(bits >> 32 & 0xffff) + (int)(bits >> 48);
    return (sum - 2 * 65535) * (1.7320508 / 65536);
}

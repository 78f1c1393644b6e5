#include "base/sha256.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 64

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[BLOCK] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static void expand(uint32_t words[BLOCK], const uint8_t *block)
{
    for (int i = 0; i < 16; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < BLOCK; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3, s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
        words[i] = words[i - 16] + s0 + words[i - 7] + s1;
    }
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t words[BLOCK], s[8];
    expand(words, block);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < BLOCK; i++) {
        uint32_t e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + words[i];
        uint32_t t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

/* The square roots of the first eight primes. */
void pg_sha256_init(pg_sha256 *hash)
{
    *hash = (pg_sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void pg_sha256_add(pg_sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t filled = hash->size % BLOCK;
    hash->size += size;
    if (filled) {
        size_t part = size < BLOCK - filled ? size : BLOCK - filled;
        memcpy(hash->block + filled, from, part);
        if (filled + part < BLOCK)
            return;
        compress(hash->state, hash->block);
        from += part;
        size -= part;
    }
    for (; size >= BLOCK; from += BLOCK, size -= BLOCK)
        compress(hash->state, from);
    if (size)
        memcpy(hash->block, from, size);
}

/* A bit 1, zeros, and the number of bits in the last eight bytes of a block. */
void pg_sha256_text(char out[PG_SHA256_TEXT], pg_sha256 *hash)
{
    uint64_t bits = hash->size * 8;
    uint8_t tail[8], padding[BLOCK] = {0x80};
    size_t filled = hash->size % BLOCK;
    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    pg_sha256_add(hash, padding, (filled < 56 ? 56 : 120) - filled);
    pg_sha256_add(hash, tail, sizeof tail);
    for (int i = 0; i < 8; i++)
        snprintf(out + (ptrdiff_t)(8 * i), 9, "%08x", hash->state[i]);
}

void pg_sha256_of(char out[PG_SHA256_TEXT], const void *bytes, size_t size)
{
    pg_sha256 hash;
    pg_sha256_init(&hash);
    pg_sha256_add(&hash, bytes, size);
    pg_sha256_text(out, &hash);
}

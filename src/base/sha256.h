/* SHA-256 (FIPS 180-4): names of files by their content. */
#ifndef PG_BASE_SHA256_H
#define PG_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define PG_SHA256_TEXT 65 /* room for 64 hexadecimal digits and a NUL */

typedef struct pg_sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64]; /* the last size % 64 bytes */
} pg_sha256;

void pg_sha256_init(pg_sha256 *hash);
void pg_sha256_add(pg_sha256 *hash, const void *bytes, size_t size);

/* Ends the hash. */
void pg_sha256_text(char out[PG_SHA256_TEXT], pg_sha256 *hash);

/* Of bytes that are all there. */
void pg_sha256_of(char out[PG_SHA256_TEXT], const void *bytes, size_t size);

#endif

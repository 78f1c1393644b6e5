/* libcrypto's, which has the instructions of every processor. */
#include "base/sha256.h"

#include <openssl/sha.h>
#include <stdio.h>

pg_status pg_sha256_of(char out[PG_SHA256_TEXT], const void *bytes, size_t size)
{
    unsigned char sum[SHA256_DIGEST_LENGTH];
    if (!SHA256(bytes, size, sum))
        return pg_fail(PG_ERROR_MEMORY, "libcrypto cannot compute a SHA-256 sum");
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
    return PG_OK;
}

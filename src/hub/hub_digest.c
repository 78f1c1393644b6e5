/* Sums are libcrypto's, which libcurl, libarchive and libzip bring along anyway and which has the instructions of every
 * processor. */
#include "hub/hub_digest.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/memory.h"

struct pg_hub_digest {
    EVP_MD_CTX *context;
};

const char *pg_hub_sum_kind(const char *sum)
{
    size_t size = strlen(sum);
    if (strspn(sum, "0123456789abcdef") != size)
        return NULL;
    return size == 64 ? "SHA-256" : size == 40 ? "git's SHA-1" : NULL;
}

/* libcrypto fails for lack of memory, and where a system's policy forbids a sum. */
static pg_status fail_digest(void)
{
    return pg_fail(PG_ERROR_MEMORY, "libcrypto cannot compute the sum of a file");
}

static pg_status begin(pg_hub_digest *digest, const char *like, int64_t size)
{
    bool git = strlen(like) == 40;
    char head[32];
    digest->context = EVP_MD_CTX_new();
    if (!digest->context || EVP_DigestInit_ex(digest->context, git ? EVP_sha1() : EVP_sha256(), NULL) != 1)
        return fail_digest();
    if (!git)
        return PG_OK;
    int length = snprintf(head, sizeof head, "blob %lld", (long long)size);
    return pg_hub_digest_add(digest, head, (size_t)length + 1); /* with the NUL */
}

pg_status pg_hub_digest_new(pg_hub_digest **out, const char *like, int64_t size)
{
    pg_hub_digest *digest = pg_alloc(1, sizeof *digest);
    *out = NULL;
    if (!digest)
        return PG_ERROR_MEMORY;
    pg_status status = begin(digest, like, size);
    if (status == PG_OK)
        *out = digest;
    else
        pg_hub_digest_free(digest);
    return status;
}

void pg_hub_digest_free(pg_hub_digest *digest)
{
    if (digest)
        EVP_MD_CTX_free(digest->context);
    pg_free(digest);
}

pg_status pg_hub_digest_add(pg_hub_digest *digest, const void *bytes, size_t size)
{
    return EVP_DigestUpdate(digest->context, bytes, size) == 1 ? PG_OK : fail_digest();
}

pg_status pg_hub_digest_finish(char out[PG_HUB_SUM_SIZE], pg_hub_digest *digest)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size;
    if (EVP_DigestFinal_ex(digest->context, sum, &size) != 1 || size > 32)
        return fail_digest();
    for (unsigned i = 0; i < size; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
    return PG_OK;
}

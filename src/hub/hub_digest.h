/* The sums that the hub names files by: SHA-256 (FIPS 180-4) of large ones, the SHA-1 of git's blobs of small ones. */
#ifndef PG_HUB_DIGEST_H
#define PG_HUB_DIGEST_H

#include <stdint.h>

#include "base/status.h"

#define PG_HUB_SUM_SIZE 65 /* 64 hexadecimal digits and a NUL */

/* "SHA-256" or "git's SHA-1", as the length of a sum says; NULL for other texts. Sums are in lower case. */
const char *pg_hub_sum_kind(const char *sum);

/* The sum of a file in the making. */
typedef struct pg_hub_digest pg_hub_digest;

/* Of the kind that `like` is; `size` is the whole file's, which is part of git's sum. */
pg_status pg_hub_digest_new(pg_hub_digest **out, const char *like, int64_t size);
void pg_hub_digest_free(pg_hub_digest *digest); /* NULL is allowed */

pg_status pg_hub_digest_add(pg_hub_digest *digest, const void *bytes, size_t size);

/* Nothing can be added afterwards. */
pg_status pg_hub_digest_finish(char out[PG_HUB_SUM_SIZE], pg_hub_digest *digest);

#endif

/* A blob in the making: blobs/ETAG.incomplete is always a beginning of the file, whose sum is known as it grows, so
 * that any program can go on with it; it gets its name when it is complete, right and on the disk. */
#ifndef PG_HUB_BLOB_H
#define PG_HUB_BLOB_H

#include "hub/hub_cache.h"
#include "hub/hub_digest.h"

typedef enum pg_hub_blob_state {
    PG_HUB_BLOB_BUSY, /* another process makes it */
    PG_HUB_BLOB_MADE, /* it is there */
    PG_HUB_BLOB_OPEN, /* it can be written, by this process alone */
} pg_hub_blob_state;

/* Starts as PG_HUB_BLOB_CLOSED. */
typedef struct pg_hub_blob {
    const char *etag;
    int64_t size, written;
    bool resumed; /* with a beginning that was there before */
    pg_buffer path, incomplete;
    int lock, file; /* descriptors while it is open */
    pg_hub_digest *digest;
} pg_hub_blob;

#define PG_HUB_BLOB_CLOSED ((pg_hub_blob){.lock = -1, .file = -1})

/* Bytes of a blob that the cache has: `size` where it is complete. */
pg_status pg_hub_blob_have(int64_t *out, const pg_hub_cache *cache, const char *etag, int64_t size);

/* Goes on with what is there, whose sum is computed first; `go_on` is asked now and then, and false ends that with
 * PG_ERROR_CANCELLED. After a failure pg_hub_blob_close is due, as after PG_HUB_BLOB_OPEN. The etag is borrowed. */
pg_status pg_hub_blob_open(pg_hub_blob *blob, pg_hub_blob_state *state, const pg_hub_cache *cache, const char *etag,
                           int64_t size, bool (*go_on)(void *user), void *user);

/* Adds what follows, never more than the whole. */
pg_status pg_hub_blob_write(pg_hub_blob *blob, const void *bytes, size_t size);

/* Forgets everything that was written. */
pg_status pg_hub_blob_restart(pg_hub_blob *blob);

/* All is written: gives the blob its name. *right: false where its sum, which is in `sum`, is not the one that it
 * should have; it is then gone. */
pg_status pg_hub_blob_finish(pg_hub_blob *blob, bool *right, char sum[PG_HUB_SUM_SIZE]);

/* What is incomplete stays for another time. */
void pg_hub_blob_close(pg_hub_blob *blob);

#endif

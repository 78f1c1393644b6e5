/* The cache's folders: where things are in models--ORG--NAME, and how they are put there. See section 19 of
 * paligemma.h. */
#ifndef PG_HUB_CACHE_H
#define PG_HUB_CACHE_H

#include "hub/hub_name.h"

/* CACHE/models--ORG--NAME, and CACHE/.locks/models--ORG--NAME. Starts as {0}; freed after a failure too. */
typedef struct pg_hub_cache {
    pg_buffer folder, locks;
} pg_hub_cache;

pg_status pg_hub_cache_name(pg_hub_cache *out, const char *cache, const char *repository);
void pg_hub_cache_free(pg_hub_cache *cache);

/* Makes the folders blobs, refs, snapshots and that of the locks. */
pg_status pg_hub_cache_make(const pg_hub_cache *cache);

/* Into `out`, replacing what was there: blobs/ETAG, blobs/ETAG.incomplete, snapshots/COMMIT, snapshots/COMMIT/FILE. */
pg_status pg_hub_cache_blob(pg_buffer *out, const pg_hub_cache *cache, const char *etag);
pg_status pg_hub_cache_incomplete(pg_buffer *out, const pg_hub_cache *cache, const char *etag);
pg_status pg_hub_cache_snapshot(pg_buffer *out, const pg_hub_cache *cache, const char *commit);
pg_status pg_hub_cache_file(pg_buffer *out, const pg_hub_cache *cache, const char *commit, const char *file);

/* The commit that the cache knows for a revision, which may be a commit; false where it knows none. */
pg_status pg_hub_cache_commit(char out[41], bool *known, const pg_hub_cache *cache, const char *revision);

/* refs/REVISION becomes the commit; nothing where the revision is a commit. */
pg_status pg_hub_cache_keep_commit(const pg_hub_cache *cache, const char *revision, const char *commit);

/* Lets snapshots/COMMIT/FILE be a link to a blob, whatever was there before, in one step. */
pg_status pg_hub_cache_link(const pg_hub_cache *cache, const char *commit, const char *file, const char *etag);

/* Takes the lock under which a blob is made, the same that huggingface_hub takes; -1: another has it. Closing the
 * descriptor gives it back, and so does the end of the process. */
pg_status pg_hub_cache_lock(int *descriptor, const pg_hub_cache *cache, const char *etag);

/* Whether a snapshot has what a model, or an adapter, needs: configuration, all weights that it names, tokenizer.
 * *missing, where something is: its name, freed with pg_free; else NULL. */
pg_status pg_hub_cache_check(char **missing, const char *snapshot);

#endif

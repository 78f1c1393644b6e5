/* What a repository holds at a revision, as the hub's API tells it. */
#ifndef PG_HUB_LISTING_H
#define PG_HUB_LISTING_H

#include "base/folder.h"

/* Starts as {0}; freed after a failure too. */
typedef struct pg_hub_listing {
    char commit[41];
    pg_path_list files; /* sorted, each once, none that would leave its folder */
} pg_hub_listing;

/* Reads {"sha": COMMIT, "siblings": [{"rfilename": PATH}, ...]}; `name` stands for it in errors. */
pg_status pg_hub_listing_parse(pg_hub_listing *out, const char *text, size_t size, const char *name);

/* Keeps the files that one of the globs matches, or (count 0) that models are made of. None left is an error. */
pg_status pg_hub_listing_select(pg_hub_listing *listing, const char *const *globs, size_t count, const char *name);

void pg_hub_listing_free(pg_hub_listing *listing);

#endif

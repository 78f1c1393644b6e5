/* A pull: what is fetched for whom, and what its parts share. */
#ifndef PG_HUB_JOB_H
#define PG_HUB_JOB_H

#include "hub/hub_cache.h"
#include "hub/hub_digest.h"
#include "hub/hub_http.h"
#include "hub/hub_listing.h"

#define PG_HUB_CONNECTIONS 8

/* A file of the repository. */
typedef struct pg_hub_file {
    const char *name;           /* borrowed from the listing */
    char etag[PG_HUB_SUM_SIZE]; /* its sum */
    int64_t size;
    bool linked; /* the snapshot has it already; etag and size are then not known */
} pg_hub_file;

typedef struct pg_hub_job {
    const pg_hub_options *options;
    const char *repository, *revision;
    pg_hub_place place;
    pg_hub_cache cache;
    pg_hub_listing listing;
    pg_hub_file *files; /* as many as the listing has */
    pg_http *http;
    pg_hub_progress progress;
    double reported;  /* when progress was told last */
    pg_status status; /* of callbacks, which cannot pass it up */
} pg_hub_job;

/* Tells the progress, a few times a second (or `now`): PG_ERROR_CANCELLED where the caller wants no more. */
pg_status pg_hub_report(pg_hub_job *job, bool now);

/* ENDPOINT/REPOSITORY/resolve/COMMIT/FILE */
pg_status pg_hub_file_url(pg_buffer *out, const pg_hub_job *job, const pg_hub_file *file);

/* ---------------------------------------------------------------- answers that are none */

/* How often something failed without any success between, and when it is tried again. */
typedef struct pg_hub_patience {
    int failures;
    double until; /* on pg_clock */
} pg_hub_patience;

/* Whether to ask again, which is due at patience->until; else an error that says in one line what the answer means and
 * what to do. `what`: the file, or NULL. */
pg_status pg_hub_be_patient(pg_hub_patience *patience, const pg_hub_job *job, const char *what,
                            const pg_http_answer *answer);

/* ---------------------------------------------------------------- steps */

/* Asks what the revision is and holds: job->listing. */
pg_status pg_hub_ask_listing(pg_hub_job *job);

/* Asks for the sum and size of every file that is not linked. */
pg_status pg_hub_ask_files(pg_hub_job *job);

/* Fetches the blobs of all files that are not linked. */
pg_status pg_hub_fetch(pg_hub_job *job);

/* The sum in an etag header, which may be quoted and weak: false where it is none. */
bool pg_hub_etag_read(char out[PG_HUB_SUM_SIZE], const char *header);

/* A size; -1 where the text is none. */
int64_t pg_hub_size_read(const char *text);

/* "bytes FROM-TO/TOTAL"; TOTAL is -1 where it is "*". */
bool pg_hub_range_read(int64_t *from, int64_t *total, const char *header);

#endif

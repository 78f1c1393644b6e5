/* Options of commands that write a model, and what they say to the library. */
#ifndef PG_CLI_SAVING_H
#define PG_CLI_SAVING_H

#include "output.h"
#include "progress.h"

/* --out, --dtype, --shard-size */
typedef struct pg_cli_saving {
    const char *out, *shard_size;
    int dtype; /* 0: as stored */
} pg_cli_saving;

extern const pg_cli_option pg_cli_saving_options[];

/* A usage error without --out. `progress` is shown while weights are written. */
int pg_cli_saving_read(pg_save_options *out, const pg_cli_command *command, const pg_cli_saving *saving,
                       pg_cli_progress *progress);

/* "F32" and so on; NULL: as stored. */
const char *pg_cli_saving_dtype(const pg_cli_saving *saving);

/* A pg_save_progress whose user is a pg_cli_progress. */
bool pg_cli_saving_progress(void *user, size_t done, size_t total);

#endif

/* generate --batch: a file of requests in, a line of JSON per request out, in order, several at a time. */
#ifndef PG_CLI_BATCH_H
#define PG_CLI_BATCH_H

#include "answer.h"

typedef struct pg_cli_batch {
    const char *path;   /* JSONL: {"image","prompt"} */
    const char *output; /* results are added to this file, and those already there are not made again; NULL: stdout */
    int64_t parallel;
} pg_cli_batch;

extern const pg_cli_option pg_cli_batch_options[];
void pg_cli_batch_init(pg_cli_batch *batch);

int pg_cli_batch_run(const pg_cli_engine *engine, const pg_cli_answering *settings, const pg_cli_batch *batch,
                     bool chat);

#endif

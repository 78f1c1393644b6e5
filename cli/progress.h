/* A progress bar on stderr, where that is a terminal; else nothing. */
#ifndef PG_CLI_PROGRESS_H
#define PG_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pg_cli_progress {
    size_t first, total; /* what had been done before the start does not count for the speed */
    double start;
    bool terminal;
} pg_cli_progress;

/* Seconds on a clock that only goes forward. */
double pg_cli_clock(void);

void pg_cli_progress_start(pg_cli_progress *progress, size_t done, size_t total);
void pg_cli_progress_show(const pg_cli_progress *progress, size_t done);

/* Takes the bar away, at the end and before other text goes to stderr. */
void pg_cli_progress_clear(const pg_cli_progress *progress);

#endif

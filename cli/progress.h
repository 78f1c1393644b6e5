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

/* Parts of the line, for what is counted in bytes: "[####..] ", and "1.20/5.85 GB, 45.3 MB/s, 1:44 left". */
void pg_cli_progress_put_bar(const pg_cli_progress *progress, size_t done);
void pg_cli_progress_put_bytes(const pg_cli_progress *progress, size_t done);

/* ", 45 s left", ", 12:05 left" or ", 3:12:05 left"; nothing where it is not known. */
void pg_cli_progress_put_left(double seconds);

/* Takes the bar away, at the end and before other text goes to stderr. */
void pg_cli_progress_clear(const pg_cli_progress *progress);

#endif

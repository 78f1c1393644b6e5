/* The progress bar: [######....] 12/40, 3.1/s, 9 s left. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 30

double pg_cli_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void pg_cli_progress_start(pg_cli_progress *progress, size_t done, size_t total)
{
    *progress = (pg_cli_progress){done, total, pg_cli_clock(), isatty(STDERR_FILENO)};
    pg_cli_progress_show(progress, done);
}

void pg_cli_progress_show(const pg_cli_progress *progress, size_t done)
{
    if (!progress->terminal || progress->total == 0)
        return;
    char bar[WIDTH + 1];
    size_t filled = done * WIDTH / progress->total;
    memset(bar, '.', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = 0;
    fprintf(stderr, "\r\033[K[%s] %zu/%zu", bar, done, progress->total);
    double seconds = pg_cli_clock() - progress->start;
    if (done > progress->first && seconds > 0) {
        double speed = (double)(done - progress->first) / seconds;
        fprintf(stderr, ", %.2f/s, %.0f s left", speed, (double)(progress->total - done) / speed);
    }
}

void pg_cli_progress_clear(const pg_cli_progress *progress)
{
    if (progress->terminal)
        fputs("\r\033[K", stderr);
}

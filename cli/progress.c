/* The progress bar: [######....] 12/40, 3.1/s, 9 s left. */
#include "progress.h"

#include <math.h>
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

void pg_cli_progress_put_bar(const pg_cli_progress *progress, size_t done)
{
    char bar[WIDTH + 1];
    size_t filled = (size_t)((double)done / (double)progress->total * WIDTH);
    memset(bar, '.', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = 0;
    fprintf(stderr, "[%s] ", bar);
}

void pg_cli_progress_put_left(double seconds)
{
    if (!isfinite(seconds))
        return;
    long left = (long)(seconds + 0.5);
    if (left < 60)
        fprintf(stderr, ", %ld s left", left);
    else if (left < 3600)
        fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
    else
        fprintf(stderr, ", %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
}

void pg_cli_progress_put_bytes(const pg_cli_progress *progress, size_t done)
{
    bool large = progress->total >= 1000000000;
    double unit = large ? 1e9 : 1e6, seconds = pg_cli_clock() - progress->start;
    fprintf(stderr, "%.2f/%.2f %s", (double)done / unit, (double)progress->total / unit, large ? "GB" : "MB");
    if (done <= progress->first || !(seconds > 0))
        return;
    double speed = (double)(done - progress->first) / seconds;
    fprintf(stderr, ", %.1f MB/s", speed * 1e-6);
    if (done < progress->total)
        pg_cli_progress_put_left((double)(progress->total - done) / speed);
}

void pg_cli_progress_show(const pg_cli_progress *progress, size_t done)
{
    if (!progress->terminal || progress->total == 0)
        return;
    fputs("\r\033[K", stderr);
    pg_cli_progress_put_bar(progress, done);
    fprintf(stderr, "%zu/%zu", done, progress->total);
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

#include "train_progress.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "output.h"
#include "progress.h"

void pg_cli_train_progress_start(pg_cli_train_progress *progress, int64_t first, int64_t total, bool json)
{
    *progress = (pg_cli_train_progress){.first = first, .total = total, .line = !json && isatty(STDERR_FILENO)};
}

typedef struct train_speed {
    double samples, tokens, operations, seconds_left; /* NAN before anything is known */
} train_speed;

static train_speed measure(const pg_cli_train_progress *progress, int64_t step)
{
    double seconds = progress->seconds, steps = (double)(step - progress->first);
    if (!(seconds > 0) || !(steps > 0))
        return (train_speed){NAN, NAN, NAN, NAN};
    return (train_speed){(double)progress->samples / seconds, (double)progress->tokens / seconds,
                         progress->operations / seconds, seconds / steps * (double)(progress->total - step)};
}

static void print_figure(const char *format, double value)
{
    if (isfinite(value))
        fprintf(stderr, format, value);
}

static void print_line(const pg_cli_train_progress *progress, const pg_cli_train_figures *figures)
{
    train_speed speed = measure(progress, figures->step);
    fprintf(stderr, "\r\033[K%lld/%lld", (long long)figures->step, (long long)progress->total);
    print_figure(", loss %.4f", figures->loss);
    print_figure(", accuracy %.1f%%", 100 * figures->accuracy);
    print_figure(", gradient %.3g", figures->gradient_norm);
    print_figure(", rate %.2e", figures->rate);
    print_figure(", %.3g samples/s", speed.samples);
    print_figure(", %.0f tokens/s", speed.tokens);
    pg_cli_progress_put_left(speed.seconds_left);
    fflush(stderr);
}

static void print_json(const pg_cli_train_progress *progress, const pg_cli_train_figures *figures)
{
    train_speed speed = measure(progress, figures->step);
    const struct {
        const char *key;
        double value;
    } reals[] = {
        {"loss", figures->loss},
        {"accuracy", figures->accuracy},
        {"gradient_norm", figures->gradient_norm},
        {"learning_rate", figures->rate},
        {"samples_per_second", speed.samples},
        {"tokens_per_second", speed.tokens},
        {"model_flops_per_second", speed.operations},
        {"seconds_left", speed.seconds_left},
    };
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "step", pg_cli_json_integer(figures->step));
    pg_cli_json_set(object, "steps", pg_cli_json_integer(progress->total));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        pg_cli_json_set(object, reals[i].key, pg_cli_json_real(reals[i].value));
    pg_cli_json_print(object);
    pg_cli_flush();
}

void pg_cli_train_progress_show(pg_cli_train_progress *progress, const pg_cli_train_figures *figures)
{
    progress->samples += figures->samples;
    progress->seconds += figures->seconds;
    progress->tokens += figures->tokens;
    progress->operations += figures->operations;
    if (progress->line)
        print_line(progress, figures);
    else
        print_json(progress, figures);
}

void pg_cli_train_progress_clear(const pg_cli_train_progress *progress)
{
    if (progress->line)
        fputs("\r\033[K", stderr);
}

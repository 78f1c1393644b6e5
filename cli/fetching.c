#include "fetching.h"

#include <stdio.h>

#include "interrupt.h"

#define LINE_EVERY 5. /* seconds */

/* What is shown when nothing comes. */
static const char *remark(const pg_hub_progress *done)
{
    return done->waiting ? ", waiting" : "";
}

static void say_line(pg_cli_fetching *fetching, const pg_hub_progress *done)
{
    double now = pg_cli_clock();
    bool complete = done->done == done->total;
    if (fetching->ended || (!complete && now - fetching->said < LINE_EVERY))
        return;
    fetching->said = now;
    fetching->ended = complete;
    pg_cli_progress_put_bytes(&fetching->progress, (size_t)done->done);
    fprintf(stderr, "%s\n", remark(done));
}

static void show_bar(const pg_cli_fetching *fetching, const pg_hub_progress *done)
{
    fputs("\r\033[K", stderr);
    pg_cli_progress_put_bar(&fetching->progress, (size_t)done->done);
    pg_cli_progress_put_bytes(&fetching->progress, (size_t)done->done);
    fputs(remark(done), stderr);
    fflush(stderr);
}

/* There is nothing to show before the sizes are known, nor where all is there. */
static bool on_progress(void *user, const pg_hub_progress *done)
{
    pg_cli_fetching *fetching = user;
    if (!fetching->started && done->total > done->before) {
        fetching->started = true;
        pg_cli_progress_start(&fetching->progress, (size_t)done->before, (size_t)done->total);
    }
    if (fetching->started && fetching->progress.terminal)
        show_bar(fetching, done);
    else if (fetching->started && fetching->lines)
        say_line(fetching, done);
    return !pg_cli_interrupted();
}

void pg_cli_fetching_start(pg_hub_options *out, pg_cli_fetching *fetching)
{
    pg_hub_options_init(out);
    out->on_progress = on_progress;
    out->user = fetching;
}

void pg_cli_fetching_end(const pg_cli_fetching *fetching)
{
    if (fetching->started)
        pg_cli_progress_clear(&fetching->progress);
}

int pg_cli_fetch(const char **name)
{
    static pg_cli_list folders; /* all that were found */
    pg_cli_fetching fetching = {0};
    pg_hub_options options;
    char *found;
    if (!*name || !pg_hub_is_name(*name))
        return PG_CLI_DONE;
    pg_cli_fetching_start(&options, &fetching);
    pg_status status = pg_hub_find(&found, *name, &options);
    pg_cli_fetching_end(&fetching);
    if (status != PG_OK)
        return pg_cli_check(status);
    pg_cli_list_add(&folders, found);
    *name = found;
    return PG_CLI_DONE;
}

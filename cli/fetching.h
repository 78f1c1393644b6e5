/* Models named on the hub: where commands take a model's folder, they take ORG/NAME and hub:ORG/NAME[@REVISION] too. */
#ifndef PG_CLI_FETCHING_H
#define PG_CLI_FETCHING_H

#include "output.h"
#include "progress.h"

/* A bar on stderr, where that is a terminal; `lines`: elsewhere a line now and then. Starts as {.lines = ...}. */
typedef struct pg_cli_fetching {
    bool lines;
    bool started, ended;
    double said; /* when the last line was */
    pg_cli_progress progress;
} pg_cli_fetching;

/* Options whose progress is shown, and which Ctrl-C cancels once it is caught. */
void pg_cli_fetching_start(pg_hub_options *out, pg_cli_fetching *fetching);

/* Takes the bar away, if there is one. */
void pg_cli_fetching_end(const pg_cli_fetching *fetching);

/* *name, where the hub has it by that name, becomes its folder in the cache, after it was fetched if it was not there.
 * NULL and paths stay as they are. The folder stays valid until the program ends. */
int pg_cli_fetch(const char **name);

#endif

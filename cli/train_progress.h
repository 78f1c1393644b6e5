/* What a training run says while it goes on: in a terminal one line on stderr that is written over and over, elsewhere
 * (or when asked for) a line of JSON on stdout for each step. */
#ifndef PG_CLI_TRAIN_PROGRESS_H
#define PG_CLI_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pg_cli_train_progress {
    int64_t first, total;    /* steps; those before `first` were made by an earlier run */
    double seconds;          /* of the steps since the start */
    int64_t samples, tokens; /* since the start */
    double operations;       /* the same, of the model */
    bool line;
} pg_cli_train_progress;

/* One step. What is not known is NAN and not shown. */
typedef struct pg_cli_train_figures {
    int64_t step;            /* 1 for the first */
    int64_t samples, tokens; /* of this step */
    double seconds;          /* the same */
    double operations;       /* the same, of the model; 0: not known */
    double loss, accuracy;   /* accuracy: share of the scored tokens */
    double gradient_norm;    /* before clipping */
    double rate;
} pg_cli_train_figures;

/* json: lines of JSON in a terminal too. */
void pg_cli_train_progress_start(pg_cli_train_progress *progress, int64_t first, int64_t total, bool json);
void pg_cli_train_progress_show(pg_cli_train_progress *progress, const pg_cli_train_figures *figures);

/* Takes the line away, at the end and before other text goes to stderr. */
void pg_cli_train_progress_clear(const pg_cli_train_progress *progress);

#endif

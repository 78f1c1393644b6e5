/* What score and eval share: their options for data and output, and how figures are printed. */
#ifndef PG_CLI_EVALUATING_H
#define PG_CLI_EVALUATING_H

#include "output.h"

/* --task, --annotations, --images, --codec, --report, --title, --worst, --each, --json */
typedef struct pg_cli_evaluating {
    int task; /* a pg_eval_task; -1: none was named */
    const char *annotations, *images, *codec, *report, *title;
    int64_t worst;
    bool each, json;
} pg_cli_evaluating;

extern const pg_cli_option pg_cli_evaluating_options[];
extern const pg_cli_option pg_cli_figures_options[]; /* in pg_cli_evaluating */

void pg_cli_evaluating_init(pg_cli_evaluating *settings);

/* A usage error without --task. */
int pg_cli_evaluating_check(const pg_cli_command *command, const pg_cli_evaluating *settings);

/* Opens the file of what is asked and right. codec: NULL for none; limit: 0 for all. */
int pg_cli_evaluating_open(pg_evaluation **out, const pg_cli_evaluating *settings, const char *path,
                           const pg_mask_codec *codec, size_t limit);

/* Measures, prints, and writes the report. */
int pg_cli_evaluating_finish(pg_evaluation *evaluation, const pg_cli_evaluating *settings);

#endif

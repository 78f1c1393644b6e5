/* The commands, one file each. */
#ifndef PG_CLI_COMMANDS_H
#define PG_CLI_COMMANDS_H

#include "options.h"

extern const pg_cli_command pg_cli_generate;
extern const pg_cli_command pg_cli_caption;
extern const pg_cli_command pg_cli_ask;
extern const pg_cli_command pg_cli_ocr;
extern const pg_cli_command pg_cli_detect;
extern const pg_cli_command pg_cli_segment;
extern const pg_cli_command pg_cli_parse;
extern const pg_cli_command pg_cli_embed;
extern const pg_cli_command pg_cli_explain;
extern const pg_cli_command pg_cli_trace;
extern const pg_cli_command pg_cli_preprocess;
extern const pg_cli_command pg_cli_tokenize;
extern const pg_cli_command pg_cli_inspect;
extern const pg_cli_command pg_cli_perplexity;
extern const pg_cli_command pg_cli_bench;
extern const pg_cli_command pg_cli_quantize;
extern const pg_cli_command pg_cli_merge;
extern const pg_cli_command pg_cli_convert;
extern const pg_cli_command pg_cli_init;
extern const pg_cli_command pg_cli_pull;
extern const pg_cli_command pg_cli_plot;
extern const pg_cli_command pg_cli_train;
extern const pg_cli_command pg_cli_gradients;
extern const pg_cli_command pg_cli_data;
extern const pg_cli_command pg_cli_mask;
extern const pg_cli_command pg_cli_classify;
extern const pg_cli_command pg_cli_index;
extern const pg_cli_command pg_cli_search;
extern const pg_cli_command pg_cli_robustness;
extern const pg_cli_command pg_cli_eval;
extern const pg_cli_command pg_cli_score;
extern const pg_cli_command pg_cli_draw;
extern const pg_cli_command pg_cli_sheet;
extern const pg_cli_command pg_cli_feedback;
extern const pg_cli_command pg_cli_serve;
extern const pg_cli_command pg_cli_help;

/* All of them in the order of the help; ends with NULL. */
extern const pg_cli_command *const pg_cli_commands[];

/* A usage error where there is none of this name. */
int pg_cli_command_find(const pg_cli_command **out, const char *name);

#endif

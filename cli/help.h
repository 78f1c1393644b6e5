/* Help for people and shells, made from the tables of options.h. Options without a help text are not shown. */
#ifndef PG_CLI_HELP_H
#define PG_CLI_HELP_H

#include "options.h"

/* paligemma COMMAND --help */
void pg_cli_help_command(const pg_cli_command *command);

/* paligemma --help */
void pg_cli_help_overview(void);

/* The man page, and the completions for three shells. */
void pg_cli_help_man(void);
void pg_cli_help_bash(void);
void pg_cli_help_fish(void);
void pg_cli_help_zsh(void);

/* Calls `visit` with each option that is shown, --help last. */
typedef void pg_cli_visit(void *user, const pg_cli_option *option);
void pg_cli_each_option(const pg_cli_command *command, pg_cli_visit *visit, void *user);

extern const pg_cli_option pg_cli_help_option;

#endif

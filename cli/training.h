/* Settings of training runs as options of a command: the library's table, with dashes for underscores. */
#ifndef PG_CLI_TRAINING_H
#define PG_CLI_TRAINING_H

#include "output.h"

#define PG_CLI_SETTINGS 80

/* Values as they were given: texts, flags or lists, by the number of the setting. */
typedef struct pg_cli_settings {
    const char *config; /* file */
    union {
        const char *text;
        bool flag;
        pg_cli_list list;
    } values[PG_CLI_SETTINGS];
} pg_cli_settings;

/* Of a pg_cli_settings; filled in by pg_cli_settings_prepare, which main calls before anything else. */
extern pg_cli_option pg_cli_settings_options[];
void pg_cli_settings_prepare(void);

/* The recipe, then the file's settings, then those of the command line. */
int pg_cli_settings_make(pg_train_config **out, const pg_cli_settings *settings);

#endif

/* How commands name the classes that they recognise: --labels, --template, --head. */
#ifndef PG_CLI_NAMING_H
#define PG_CLI_NAMING_H

#include "engine.h"

typedef struct pg_cli_naming {
    const char *labels, *head;
    pg_cli_list templates;
} pg_cli_naming;

extern const pg_cli_option pg_cli_naming_options[];

/* A usage error for options that contradict each other. */
int pg_cli_naming_check(const pg_cli_command *command, const pg_cli_naming *naming);

/* "cat,dog", or the name of a file with one label a line, as copies that pg_cli_labels_free frees. Blanks around
 * labels, and empty lines of a file, go. After a failure there are none. */
int pg_cli_labels_read(pg_cli_list *out, const char *text);
void pg_cli_labels_free(pg_cli_list *labels);

/* The head, where one is named, else the labels in the templates. */
int pg_cli_recognizer_open(pg_recognizer **out, const pg_cli_engine *engine, const pg_cli_naming *naming,
                           const pg_cli_list *labels);

#endif

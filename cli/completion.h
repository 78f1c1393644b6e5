/* What the completions for bash, fish and zsh share: what they offer, by the tables of options.h. */
#ifndef PG_CLI_COMPLETION_H
#define PG_CLI_COMPLETION_H

#include "options.h"

/* What is offered as an option's value: folders, files, the words of its argument "a|b|c", or nothing. */
typedef enum pg_cli_offer {
    PG_CLI_OFFER_NO_VALUE, /* it has none */
    PG_CLI_OFFER_FOLDERS,
    PG_CLI_OFFER_FILES,
    PG_CLI_OFFER_WORDS,
    PG_CLI_OFFER_NOTHING,
} pg_cli_offer;

pg_cli_offer pg_cli_offer_of(const pg_cli_option *option);

/* Prints the words of "a|b|c", with blanks between them. */
void pg_cli_print_words(const char *words, size_t length);

/* How long the verbs are that a command's usage begins with ("check|convert ..."); 0 where there are none. */
size_t pg_cli_verbs_length(const pg_cli_command *command);

#endif

/* What the completions for bash, fish and zsh share. */
#include "completion.h"

#include <string.h>

#include "output.h"

static bool begins_with_any(const char *text, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (strncmp(text, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

pg_cli_offer pg_cli_offer_of(const pg_cli_option *option)
{
    static const char *const folders[] = {"MODEL", "FOLDER", "RUN", NULL};
    static const char *const files[] = {"FILE", "INDEX", "SHEET", "PATH", NULL};
    if (!option->argument)
        return PG_CLI_OFFER_NO_VALUE;
    if (strchr(option->argument, '|'))
        return PG_CLI_OFFER_WORDS;
    if (begins_with_any(option->argument, folders))
        return PG_CLI_OFFER_FOLDERS;
    return begins_with_any(option->argument, files) ? PG_CLI_OFFER_FILES : PG_CLI_OFFER_NOTHING;
}

void pg_cli_print_words(const char *words, size_t length)
{
    for (size_t i = 0; i < length; i++)
        pg_cli_print("%c", words[i] == '|' ? ' ' : words[i]);
}

size_t pg_cli_verbs_length(const pg_cli_command *command)
{
    size_t length = strspn(command->usage, "abcdefghijklmnopqrstuvwxyz|");
    return memchr(command->usage, '|', length) ? length : 0;
}

/* The completion for bash, from the tables of options.h. */
#include <string.h>

#include "commands.h"
#include "help.h"
#include "output.h"

/* What is offered as an option's value. */
typedef enum offer { OFFER_NO_VALUE, OFFER_FOLDERS, OFFER_FILES, OFFER_WORDS, OFFER_NOTHING } offer;

static offer offer_of(const pg_cli_option *option)
{
    if (!option->argument)
        return OFFER_NO_VALUE;
    if (option->kind == PG_CLI_CHOICE)
        return OFFER_WORDS;
    if (strcmp(option->argument, "MODEL") == 0)
        return OFFER_FOLDERS;
    return strncmp(option->argument, "FILE", 4) == 0 ? OFFER_FILES : OFFER_NOTHING;
}

static void print_names(void *user, const pg_cli_option *option)
{
    const offer *wanted = user;
    if (wanted && offer_of(option) != *wanted)
        return;
    if (option->letter)
        pg_cli_print(" -%c", option->letter);
    pg_cli_print(" --%s", option->name);
    if (wanted && *wanted == OFFER_WORDS)
        pg_cli_print("=%s", option->argument);
}

/* A variable with the names of those options whose values are completed in the same way. */
static void print_variable(const pg_cli_command *command, const char *variable, offer wanted)
{
    pg_cli_print("        %s='", variable);
    pg_cli_each_option(command, print_names, &wanted);
    pg_cli_print(" '\n");
}

static void print_command(const pg_cli_command *command)
{
    pg_cli_print("    %s)\n        options='", command->name);
    pg_cli_each_option(command, print_names, NULL);
    pg_cli_print("'\n");
    print_variable(command, "folders", OFFER_FOLDERS);
    print_variable(command, "files", OFFER_FILES);
    print_variable(command, "words", OFFER_WORDS);
    print_variable(command, "others", OFFER_NOTHING);
    pg_cli_print("        ;;\n");
}

void pg_cli_help_bash(void)
{
    pg_cli_print("# Completion of paligemma for bash. Made by 'paligemma help --format bash'; do not edit.\n"
                 "_paligemma()\n{\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
                 "    local command=${COMP_WORDS[1]} options folders files words others\n"
                 "    local commands='");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        pg_cli_print("%s ", (*command)->name);
    pg_cli_print("'\n"
                 "    # --name=VALUE arrives as three words.\n"
                 "    if [[ $word == = ]]; then\n        word=\n"
                 "    elif [[ $before == = ]]; then\n        before=${COMP_WORDS[COMP_CWORD - 2]}\n    fi\n"
                 "    case $command in\n");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        print_command(*command);
    pg_cli_print("    esac\n"
                 "    local offer=(-f)\n"
                 "    if ((COMP_CWORD == 1)); then\n        offer=(-W \"$commands --help --version\")\n"
                 "    elif [[ $before == help ]]; then\n        offer=(-W \"$commands\")\n"
                 "    elif [[ $folders == *\" $before \"* ]]; then\n        offer=(-d)\n"
                 "    elif [[ $words =~ \" $before=\"([^ ]*) ]]; then\n        offer=(-W \"${BASH_REMATCH[1]//|/ }\")\n"
                 "    elif [[ $others == *\" $before \"* ]]; then\n        offer=(-W '')\n"
                 "    elif [[ $files != *\" $before \"* && $word == -* ]]; then\n        offer=(-W \"$options\")\n"
                 "    fi\n"
                 "    mapfile -t COMPREPLY < <(compgen \"${offer[@]}\" -- \"$word\")\n"
                 "}\ncomplete -o filenames -F _paligemma paligemma\n");
}

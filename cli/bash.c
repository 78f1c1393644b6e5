/* The completion for bash, from the tables of options.h. */
#include "commands.h"
#include "completion.h"
#include "help.h"
#include "output.h"

static void print_names(void *user, const pg_cli_option *option)
{
    const pg_cli_offer *wanted = user;
    if (wanted && pg_cli_offer_of(option) != *wanted)
        return;
    if (option->letter)
        pg_cli_print(" -%c", option->letter);
    pg_cli_print(" --%s", option->name);
    if (wanted && *wanted == PG_CLI_OFFER_WORDS)
        pg_cli_print("=%s", option->argument);
}

/* A variable with the names of those options whose values are completed in the same way. */
static void print_variable(const pg_cli_command *command, const char *variable, pg_cli_offer wanted)
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
    print_variable(command, "folders", PG_CLI_OFFER_FOLDERS);
    print_variable(command, "files", PG_CLI_OFFER_FILES);
    print_variable(command, "words", PG_CLI_OFFER_WORDS);
    print_variable(command, "others", PG_CLI_OFFER_NOTHING);
    pg_cli_print("        verbs='");
    pg_cli_print_words(command->usage, pg_cli_verbs_length(command));
    pg_cli_print("'\n        ;;\n");
}

void pg_cli_help_bash(void)
{
    pg_cli_print("# Completion of paligemma for bash. Made by 'paligemma help --format bash'; do not edit.\n"
                 "_paligemma()\n{\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
                 "    local command=${COMP_WORDS[1]} options folders files words others verbs\n"
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
                 "    elif ((COMP_CWORD == 2)) && [[ $verbs ]]; then\n        offer=(-W \"$verbs\")\n"
                 "    fi\n"
                 "    mapfile -t COMPREPLY < <(compgen \"${offer[@]}\" -- \"$word\")\n"
                 "}\ncomplete -o filenames -F _paligemma paligemma\n");
}

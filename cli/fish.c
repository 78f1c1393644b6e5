/* The completion for fish, from the tables of options.h. */
#include <string.h>

#include "commands.h"
#include "completion.h"
#include "help.h"
#include "output.h"

/* Text between single quotes. */
static void print_quoted(const char *text)
{
    pg_cli_print("'");
    for (; *text; text++)
        pg_cli_print(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text == '\n' ? ' ' : *text);
    pg_cli_print("'");
}

static void print_option(void *user, const pg_cli_option *option)
{
    const char *command = user;
    pg_cli_offer offer = pg_cli_offer_of(option);
    pg_cli_print("complete -c paligemma -n '__paligemma_command %s' -l %s", command, option->name);
    if (option->letter)
        pg_cli_print(" -s %c", option->letter);
    if (offer == PG_CLI_OFFER_FILES)
        pg_cli_print(" -rF");
    else if (offer != PG_CLI_OFFER_NO_VALUE)
        pg_cli_print(" -x");
    if (offer == PG_CLI_OFFER_FOLDERS)
        pg_cli_print(" -a '(__fish_complete_directories)'");
    if (offer == PG_CLI_OFFER_WORDS) {
        pg_cli_print(" -a '");
        pg_cli_print_words(option->argument, strlen(option->argument));
        pg_cli_print("'");
    }
    pg_cli_print(" -d ");
    print_quoted(option->help);
    pg_cli_print("\n");
}

static void print_command(const pg_cli_command *command)
{
    pg_cli_print("\ncomplete -c paligemma -f -n '__paligemma_first' -a %s -d ", command->name);
    print_quoted(command->summary);
    pg_cli_print("\n");
    size_t verbs = pg_cli_verbs_length(command);
    if (verbs) {
        pg_cli_print("complete -c paligemma -f -n '__paligemma_second %s' -a '", command->name);
        pg_cli_print_words(command->usage, verbs);
        pg_cli_print("'\n");
    }
    pg_cli_each_option(command, print_option, (void *)(uintptr_t)command->name);
}

void pg_cli_help_fish(void)
{
    pg_cli_print("# Completion of paligemma for fish. Made by 'paligemma help --format fish'; do not edit.\n"
                 "function __paligemma_first\n"
                 "    test (count (commandline -opc)) -eq 1\n"
                 "end\n"
                 "function __paligemma_second\n"
                 "    set -l words (commandline -opc)\n"
                 "    test (count $words) -eq 2; and test $words[2] = $argv[1]\n"
                 "end\n"
                 "function __paligemma_command\n"
                 "    set -l words (commandline -opc)\n"
                 "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
                 "end\n"
                 "complete -c paligemma -f -n '__paligemma_first' -l help -s h -d 'print the commands'\n"
                 "complete -c paligemma -f -n '__paligemma_first' -l version -d 'print the version'\n"
                 "complete -c paligemma -f -n '__paligemma_second help' -a '");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        pg_cli_print("%s ", (*command)->name);
    pg_cli_print("'\n");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        print_command(*command);
}

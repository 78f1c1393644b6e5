/* The completion for zsh, from the tables of options.h: specifications for its function _arguments. */
#include <string.h>

#include "commands.h"
#include "completion.h"
#include "help.h"
#include "output.h"

/* Text inside single quotes; the characters of `special` mean something to zsh's functions. */
static void print_escaped(const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            pg_cli_print("'\\''");
        else if (*text == '\\' || strchr(special, *text))
            pg_cli_print("\\%c", *text);
        else
            pg_cli_print("%c", *text == '\n' ? ' ' : *text);
    }
}

/* ":ARGUMENT:what to do"; the pattern "*-*" takes all words up to the next option. */
static void print_value(const pg_cli_option *option)
{
    pg_cli_offer offer = pg_cli_offer_of(option);
    if (offer == PG_CLI_OFFER_NO_VALUE)
        return;
    pg_cli_print(option->kind == PG_CLI_WORDS ? ":*-*:" : ":");
    print_escaped(offer == PG_CLI_OFFER_WORDS ? option->name : option->argument, ":");
    pg_cli_print(":");
    if (offer == PG_CLI_OFFER_FOLDERS)
        pg_cli_print("_files -/");
    if (offer == PG_CLI_OFFER_FILES)
        pg_cli_print("_files");
    if (offer == PG_CLI_OFFER_WORDS && option->argument) {
        pg_cli_print("(");
        pg_cli_print_words(option->argument, strlen(option->argument));
        pg_cli_print(")");
    }
}

/* Names are given once, unless the option makes a list. */
static void print_option(void *user, const pg_cli_option *option)
{
    (void)user;
    bool list = option->kind == PG_CLI_LIST || option->kind == PG_CLI_WORDS;
    const char *value = option->argument ? "=" : "";
    pg_cli_print("            ");
    if (list)
        pg_cli_print("'*'");
    else if (option->letter)
        pg_cli_print("'(-%c --%s)'", option->letter, option->name);
    if (option->letter)
        pg_cli_print("{-%c%s,--%s%s}", option->letter, option->argument ? "+" : "", option->name, value);
    else
        pg_cli_print("--%s%s", option->name, value);
    pg_cli_print("'[");
    print_escaped(option->help, "[]");
    pg_cli_print("]");
    print_value(option);
    pg_cli_print("' \\\n");
}

static void print_command(const pg_cli_command *command)
{
    size_t verbs = pg_cli_verbs_length(command);
    pg_cli_print("        %s)\n            _arguments -S : \\\n", command->name);
    pg_cli_each_option(command, print_option, NULL);
    if (verbs) {
        pg_cli_print("            '1:verb:(");
        pg_cli_print_words(command->usage, verbs);
        pg_cli_print(")' \\\n");
    }
    pg_cli_print("            '*:%s' && found=0\n            ;;\n",
                 command == &pg_cli_help ? "command:_paligemma_commands" : "file:_files");
}

static void print_commands(void)
{
    pg_cli_print("_paligemma_commands() {\n    local -a commands=(\n");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++) {
        pg_cli_print("        '%s:", (*command)->name);
        print_escaped((*command)->summary, ":");
        pg_cli_print("'\n");
    }
    pg_cli_print("    )\n    _describe -t commands command commands\n}\n\n");
}

void pg_cli_help_zsh(void)
{
    pg_cli_print("#compdef paligemma\n"
                 "# Completion of paligemma for zsh. Made by 'paligemma help --format zsh'; do not edit.\n");
    print_commands();
    pg_cli_print("_paligemma() {\n"
                 "    local curcontext=$curcontext state line found=1\n"
                 "    local -A opt_args\n"
                 "    _arguments -C : \\\n"
                 "        '(- *)'{-h,--help}'[print the commands]' \\\n"
                 "        '(- *)--version[print the version]' \\\n"
                 "        '1:command:_paligemma_commands' \\\n"
                 "        '*::argument:->argument' && found=0\n"
                 "    if [[ $state == argument ]]; then\n"
                 "        curcontext=${curcontext%%:*:*}:paligemma-$words[1]:\n"
                 "        case $words[1] in\n");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        print_command(*command);
    pg_cli_print("        esac\n    fi\n    return found\n}\n\n_paligemma \"$@\"\n");
}

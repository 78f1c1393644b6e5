/* --help of one command, on a terminal of 80 columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "output.h"

#define WIDTH       80
#define HELP_COLUMN 30

const pg_cli_option pg_cli_help_option = {"help", 'h', NULL, PG_CLI_FLAG, 0, "print this help", 0, 0};

void pg_cli_each_option(const pg_cli_command *command, pg_cli_visit *visit, void *user)
{
    for (const pg_cli_group *group = command->groups; group->title; group++)
        for (const pg_cli_option *option = group->options; option->name; option++)
            if (option->help)
                visit(user, option);
    visit(user, &pg_cli_help_option);
}

/* Prints words, broken at WIDTH; `column` is where the cursor stands, later lines begin at `indent`. */
static void print_wrapped(const char *text, int column, int indent)
{
    bool first = true;
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            pg_cli_print("\n%*s", indent, "");
            column = indent;
            first = true;
        }
        pg_cli_print("%s%.*s", first ? "" : " ", length, text);
        column += length + !first;
        text += length;
        first = *text == '\n';
        if (first) {
            pg_cli_print("\n%*s", indent, "");
            column = indent;
        }
        text += *text != 0;
    }
    pg_cli_print("\n");
}

static void print_option(const pg_cli_option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', 0};
    char *left = pg_cli_text("  %s--%s%s%s", option->letter ? letter : "    ", option->name,
                             option->argument ? " " : "", option->argument ? option->argument : "");
    pg_cli_print("%s", left);
    if (strlen(left) + 2 > HELP_COLUMN)
        pg_cli_print("\n%*s", HELP_COLUMN, "");
    else
        pg_cli_print("%*s", HELP_COLUMN - (int)strlen(left), "");
    print_wrapped(option->help, HELP_COLUMN, HELP_COLUMN);
    free(left);
}

void pg_cli_help_command(const pg_cli_command *command)
{
    pg_cli_print("Usage: paligemma %s %s\n\n", command->name, command->usage);
    print_wrapped(command->details, 0, 0);
    for (const pg_cli_group *group = command->groups; group->title; group++) {
        bool titled = false;
        for (const pg_cli_option *option = group->options; option->name; option++) {
            if (!option->help)
                continue;
            if (!titled)
                pg_cli_print("\n%s:\n", group->title);
            titled = true;
            print_option(option);
        }
    }
    pg_cli_print("\n");
    print_option(&pg_cli_help_option);
}

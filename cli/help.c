/* The command `help`. */
#include "help.h"

#include "commands.h"
#include "output.h"

typedef struct help_settings {
    int format;
} help_settings;

/* In the order of the option's words; text has no page of its own. */
static void (*const pages[])(void) = {NULL, pg_cli_help_bash, pg_cli_help_fish, pg_cli_help_zsh, pg_cli_help_man};

void pg_cli_help_overview(void)
{
    pg_cli_print("Usage: paligemma COMMAND [OPTION]...\n\n"
                 "Runs PaliGemma, SigLIP and Gemma models.\n\nCommands:\n");
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        pg_cli_print("  %-12s %s\n", (*command)->name, (*command)->summary);
    pg_cli_print("\nOptions:\n"
                 "  --version    print the version\n"
                 "  --help       print this help; 'paligemma COMMAND --help' for a command's\n");
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const help_settings *settings = memory;
    const pg_cli_command *subject;
    int code = PG_CLI_DONE;
    (void)command;
    if (pages[settings->format])
        pages[settings->format]();
    else if (operands->count == 0)
        pg_cli_help_overview();
    else if ((code = pg_cli_command_find(&subject, operands->items[0])) == PG_CLI_DONE)
        pg_cli_help_command(subject);
    return code;
}

/* What packages are made with, and of no use to anyone else: not shown. */
static const pg_cli_option help_options[] = {
    {"format", 0, "text|bash|fish|zsh|man", PG_CLI_CHOICE, offsetof(help_settings, format), NULL, 0, 0},
    {0},
};

static const pg_cli_group groups[] = {{"Output", help_options, 0}, {0}};

const pg_cli_command pg_cli_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "explain a command",
    .details = "Prints the help of a command, or the list of commands.",
    .groups = groups,
    .operands_max = 1,
    .settings_size = sizeof(help_settings),
    .run = run,
};

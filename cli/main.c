/*
 * paligemma: the command line of libpaligemma. It includes the public header only, so it also shows that the API
 * suffices.
 *
 * Reading order: options.h (command lines as tables), output.h (what is printed), engine.h and answer.h (what commands
 * share), then one file per command.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "help.h"
#include "output.h"
#include "training.h"

static void print_version(void)
{
    pg_cli_print("paligemma %s\nkernels:   %s\ndevices:   %s\nlibraries: %s\n", pg_version(), pg_isa(), pg_devices(),
                 pg_libraries());
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        pg_cli_fail("no command given");
        fprintf(stderr, "Try 'paligemma --help'.\n");
        return PG_CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        print_version();
        return PG_CLI_DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        pg_cli_help_overview();
        return PG_CLI_DONE;
    }
    const pg_cli_command *command;
    int code = pg_cli_command_find(&command, name);
    return code == PG_CLI_DONE ? pg_cli_command_run(command, (size_t)argc - 2, argv + 2) : code;
}

int main(int argc, char **argv)
{
    pg_cli_output_init();
    pg_cli_settings_prepare();
    return pg_cli_output_finish(run(argc, argv));
}

/* The man page paligemma(1), from the tables of options.h. */
#include <string.h>

#include "commands.h"
#include "help.h"
#include "output.h"

/* Text in which nothing is taken for a request or a macro's end: backslashes, dashes and dots at the line's start. */
static void print_escaped(const char *text)
{
    bool fresh = true;
    for (; *text; text++) {
        if (fresh && (*text == '.' || *text == '\''))
            pg_cli_print("\\&");
        if (*text == '\\')
            pg_cli_print("\\e");
        else if (*text == '-')
            pg_cli_print("\\-");
        else if (*text == '\n')
            pg_cli_print("\n.PP\n");
        else
            pg_cli_print("%c", *text);
        fresh = *text == '\n';
    }
    pg_cli_print("\n");
}

static void print_option(void *user, const pg_cli_option *option)
{
    (void)user;
    pg_cli_print(".TP\n");
    if (option->letter)
        pg_cli_print("\\fB\\-%c\\fR, ", option->letter);
    pg_cli_print("\\fB\\-\\-");
    for (const char *c = option->name; *c; c++)
        pg_cli_print(*c == '-' ? "\\-" : "%c", *c);
    pg_cli_print("\\fR");
    if (option->argument)
        pg_cli_print(" \\fI%s\\fR", option->argument);
    pg_cli_print("\n");
    print_escaped(option->help);
}

static void print_command(const pg_cli_command *command)
{
    pg_cli_print(".SS ");
    char *line = pg_cli_text("paligemma %s %s", command->name, command->usage);
    print_escaped(line);
    free(line);
    print_escaped(command->details);
    pg_cli_each_option(command, print_option, NULL);
}

void pg_cli_help_man(void)
{
    pg_cli_print(
        ".\\\" Made by 'paligemma help --format man'; do not edit.\n"
        ".TH PALIGEMMA 1 \"\" \"paligemma %s\" \"User Commands\"\n"
        ".SH NAME\npaligemma \\- run PaliGemma, SigLIP and Gemma models\n"
        ".SH SYNOPSIS\n.B paligemma\n\\fICOMMAND\\fR [\\fB\\-m\\fR \\fIMODEL\\fR] [\\fIOPTION\\fR]...\n"
        ".SH DESCRIPTION\n"
        "PaliGemma answers questions about pictures, Gemma continues texts, and SigLIP tells how well pictures "
        "and texts go together.\n"
        "\\fIMODEL\\fR is a folder in the layout in which these models are published: config.json, "
        "safetensors files and the tokenizer.\n"
        "Results go to standard output, messages to standard error.\n"
        "Short options may hold their value (\\fB\\-n20\\fR), long ones too "
        "(\\fB\\-\\-max\\-new\\-tokens=20\\fR).\n"
        ".SH COMMANDS\n",
        pg_version());
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        print_command(*command);
    pg_cli_print(
        ".SH ENVIRONMENT\n"
        ".TP\n\\fBPALIGEMMA_MODEL\\fR\nthe model where \\fB\\-m\\fR names none; without it, commands use the model "
        "that ships\n"
        ".TP\n\\fBPALIGEMMA_MODELS\\fR\nthe folder of models that ship, if it is not the installed one\n"
        ".TP\n\\fBPG_ISA\\fR\nthe best instruction set that may be used: ref, avx2, avx512, avx512bf16, amx, neon\n"
        ".SH EXIT STATUS\n"
        "0: done; 1: something failed; 2: the command line makes no sense; 130: interrupted by Ctrl\\-C.\n"
        ".SH EXAMPLES\n"
        ".nf\n"
        "paligemma caption \\-m paligemma\\-3b\\-mix\\-224 beach.jpg\n"
        "paligemma ask \\-m paligemma\\-3b\\-mix\\-224 beach.jpg \"Where is the cow?\"\n"
        "paligemma generate \\-m paligemma\\-3b\\-mix\\-224 \\-\\-image beach.jpg \\-p \"detect cow\" \\-\\-json\n"
        "paligemma embed \\-m siglip\\-base\\-patch16\\-224 \\-\\-image *.jpg \\-\\-text \"a cow\" \"a lily\"\n"
        ".fi\n");
}

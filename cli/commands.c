/* The table of commands. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "output.h"

const pg_cli_command *const pg_cli_commands[] = {
    &pg_cli_caption,
    &pg_cli_ask,
    &pg_cli_ocr,
    &pg_cli_detect,
    &pg_cli_segment,
    &pg_cli_generate,
    &pg_cli_classify,
    &pg_cli_index,
    &pg_cli_search,
    &pg_cli_embed,
    &pg_cli_explain,
    &pg_cli_trace,
    &pg_cli_preprocess,
    &pg_cli_tokenize,
    &pg_cli_inspect,
    &pg_cli_perplexity,
    &pg_cli_eval,
    &pg_cli_score,
    &pg_cli_robustness,
    &pg_cli_bench,
    &pg_cli_quantize,
    &pg_cli_merge,
    &pg_cli_convert,
    &pg_cli_init,
    &pg_cli_pull,
    &pg_cli_data,
    &pg_cli_train,
    &pg_cli_gradients,
    &pg_cli_plot,
    &pg_cli_mask,
    &pg_cli_parse,
    &pg_cli_draw,
    &pg_cli_sheet,
    &pg_cli_serve,
    &pg_cli_feedback,
    &pg_cli_help,
    NULL,
};

static int fail_unknown(const char *name)
{
    pg_cli_guess guess = {0};
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++)
        pg_cli_guess_offer(&guess, name, (*command)->name);
    pg_cli_guess_offer(&guess, name, "--version");
    if (guess.nearest)
        pg_cli_fail("there is no command '%s' (the nearest is '%s')", name, guess.nearest);
    else
        pg_cli_fail("there is no command '%s'", name);
    fprintf(stderr, "Try 'paligemma --help'.\n");
    return PG_CLI_USAGE;
}

int pg_cli_command_find(const pg_cli_command **out, const char *name)
{
    for (const pg_cli_command *const *command = pg_cli_commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0) {
            *out = *command;
            return PG_CLI_DONE;
        }
    }
    return fail_unknown(name);
}

/* paligemma pull: a published model into the cache. */
#include "commands.h"
#include "fetching.h"
#include "interrupt.h"

typedef struct pull_settings {
    const char *revision;
    pg_cli_list include;
    int64_t connections;
    bool progress;
} pull_settings;

static const pg_cli_option pull_options[] = {
    {"revision", 0, "REVISION", PG_CLI_TEXT, offsetof(pull_settings, revision),
     "a branch, a tag or a commit (default: main)", 0, 0},
    {"include", 0, "GLOB", PG_CLI_LIST, offsetof(pull_settings, include),
     "fetch the files whose names match, * matching slashes too (default: safetensors and npz, configurations, "
     "tokenizers, and what is written about them)",
     0, 0},
    {"connections", 0, "N", PG_CLI_INTEGER, offsetof(pull_settings, connections),
     "connections at the same time (default: 8)", 1, 64},
    {"progress", 0, NULL, PG_CLI_FLAG, offsetof(pull_settings, progress),
     "say how far it is where stderr is no terminal too", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Pull", pull_options, 0},
    {0},
};

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const pull_settings *settings = memory;
    pg_cli_fetching fetching = {.lines = settings->progress};
    pg_hub_options options;
    char *folder;
    (void)command;
    pg_cli_fetching_start(&options, &fetching);
    options.revision = settings->revision;
    options.include = settings->include.items;
    options.include_count = settings->include.count;
    options.connections = (int)settings->connections;
    pg_cli_catch_interrupts(true);
    pg_status status = pg_hub_pull(&folder, operands->items[0], &options);
    pg_cli_fetching_end(&fetching);
    int code = pg_cli_check(status);
    if (code != PG_CLI_DONE)
        return status == PG_ERROR_CANCELLED ? PG_CLI_INTERRUPTED : code;
    pg_cli_print("%s\n", folder);
    pg_free(folder);
    return PG_CLI_DONE;
}

const pg_cli_command pg_cli_pull = {
    .name = "pull",
    .usage = "[--revision REVISION] [--include GLOB]... ORG/NAME",
    .summary = "fetch a published model from the hub, or bring it up to date",
    .details =
        "Prints the model's folder in the cache, which is the one that huggingface_hub uses: what either has fetched "
        "serves both. Goes on where it was interrupted. Files are compared with their sums, and a model appears in the "
        "cache when it is complete.\n\n"
        "Every command takes ORG/NAME, hub:ORG/NAME and hub:ORG/NAME@REVISION in the place of a model's folder, and "
        "fetches what is not in the cache; what is there is used without asking the hub.\n\n"
        "HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE and the proxies of the environment are heeded. Models "
        "under "
        "conditions need a token in HF_TOKEN, or in the file that HF_TOKEN_PATH names.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 1,
    .settings_size = sizeof(pull_settings),
    .run = run,
};

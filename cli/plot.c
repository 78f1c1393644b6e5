/* paligemma plot: the curves of training runs as a picture. */
#include "commands.h"
#include "output.h"

typedef struct plot_settings {
    const char *out;
    pg_cli_list tags;
    double smooth;
    bool log;
    int64_t width, height;
} plot_settings;

static const pg_cli_option picture_options[] = {
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(plot_settings, out), "a .png or .svg file (default: curves.png)", 0, 0},
    {"width", 0, "N", PG_CLI_INTEGER, offsetof(plot_settings, width), "pixels (default: 900)", 200, 20000},
    {"height", 0, "N", PG_CLI_INTEGER, offsetof(plot_settings, height),
     "pixels (default: 500, or more where there are many panels)", 200, 20000},
    {0},
};

static const pg_cli_option curve_options[] = {
    {"tags", 0, "TAG...", PG_CLI_WORDS, offsetof(plot_settings, tags),
     "what to draw: whole tags (validation/loss) or their last part (loss) (default: everything)", 0, 0},
    {"smooth", 0, "X", PG_CLI_NUMBER, offsetof(plot_settings, smooth),
     "weight of the past in a running mean, such as 0.9; the raw values stay behind it, paler (default: 0)", 0, 0.9999},
    {"log", 0, NULL, PG_CLI_FLAG, offsetof(plot_settings, log), "logarithmic y axes", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Picture", picture_options, 0},
    {"Curves", curve_options, 0},
    {0},
};

static void init(void *memory)
{
    *(plot_settings *)memory = (plot_settings){.out = "curves.png", .width = 900};
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const plot_settings *settings = memory;
    pg_plot_options options;
    (void)command;
    pg_plot_options_init(&options);
    options.tags = settings->tags.items;
    options.tag_count = settings->tags.count;
    options.smooth = settings->smooth;
    options.log = settings->log;
    options.width = (size_t)settings->width;
    options.height = (size_t)settings->height;
    return pg_cli_check(pg_plot_save(settings->out, operands->items, operands->count, &options));
}

const pg_cli_command pg_cli_plot = {
    .name = "plot",
    .usage = "RUN... [--out FILE.png|.svg] [--tags TAG...]",
    .summary = "draw the curves of training runs",
    .details =
        "Draws what `paligemma train` records in its run's folder (scalars.csv), one panel for tags that end alike, "
        "such as loss and validation/loss. Several runs are compared in one picture. A run that is still going on "
        "can be drawn.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 100,
    .settings_size = sizeof(plot_settings),
    .init = init,
    .run = run,
};

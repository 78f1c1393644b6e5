#include "saving.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

const pg_cli_option pg_cli_saving_options[] = {
    {"out", 'o', "FOLDER", PG_CLI_TEXT, offsetof(pg_cli_saving, out), "the new model's folder", 0, 0},
    {"dtype", 0, "stored|f32|bf16|f16", PG_CLI_CHOICE, offsetof(pg_cli_saving, dtype),
     "type of the weights (default: stored, each as it is)", 0, 0},
    {"shard-size", 0, "SIZE", PG_CLI_TEXT, offsetof(pg_cli_saving, shard_size),
     "largest file of weights, such as 500MB (default: 5GB)", 0, 0},
    {0},
};

/* "5GB", "500MB", "1GiB": as transformers reads them. */
static bool parse_size(size_t *out, const char *text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10}, {"", 1}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++)
        if (!strcasecmp(end, units[i].unit)) {
            *out = number >= 1 && number * units[i].bytes < 1e18 ? (size_t)(number * units[i].bytes) : 0;
            return *out > 0;
        }
    return false;
}

const char *pg_cli_saving_dtype(const pg_cli_saving *saving)
{
    static const char *const names[] = {NULL, "F32", "BF16", "F16"};
    return names[saving->dtype];
}

bool pg_cli_saving_progress(void *user, size_t done, size_t total)
{
    pg_cli_progress *progress = user;
    if (done == 1)
        pg_cli_progress_start(progress, 0, total);
    pg_cli_progress_show(progress, done);
    if (done == total)
        pg_cli_progress_clear(progress);
    return true;
}

int pg_cli_saving_read(pg_save_options *out, const pg_cli_command *command, const pg_cli_saving *saving,
                       pg_cli_progress *progress)
{
    pg_save_options_init(out);
    if (!saving->out)
        return pg_cli_usage(command, "no result: name its folder with --out FOLDER");
    if (saving->shard_size && !parse_size(&out->shard_size, saving->shard_size))
        return pg_cli_usage(command, "--shard-size: '%s' is no size; expected a number and GB, MB or KB",
                            saving->shard_size);
    out->dtype = pg_cli_saving_dtype(saving);
    out->on_progress = pg_cli_saving_progress;
    out->user = progress;
    return PG_CLI_DONE;
}

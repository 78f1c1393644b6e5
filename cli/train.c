/* paligemma train and paligemma gradients. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "interrupt.h"
#include "train_progress.h"
#include "training.h"

typedef struct train_settings {
    pg_cli_settings settings;
    bool json;
    const char *gradients; /* file */
} train_settings;

/* ---------------------------------------------------------------- train */

static const pg_cli_option output_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(train_settings, json),
     "a line of JSON for each step on the standard output, also in a terminal", 0, 0},
    {0},
};

static const pg_cli_group train_groups[] = {
    {"Settings", pg_cli_settings_options, offsetof(train_settings, settings)},
    {"Output", output_options, 0},
    {0},
};

static void show_step(pg_cli_train_progress *progress, const pg_train_report *report)
{
    const pg_cli_train_figures figures = {.step = report->step,
                                          .samples = (int64_t)report->train.rows,
                                          .tokens = (int64_t)report->train.tokens,
                                          .seconds = report->seconds,
                                          .operations = report->operations,
                                          .loss = report->train.loss,
                                          .accuracy = report->train.accuracy,
                                          .gradient_norm = report->gradient_norm,
                                          .rate = report->learning_rate};
    pg_cli_train_progress_show(progress, &figures);
}

static void show_validation(pg_cli_train_progress *progress, const pg_train_report *report, bool json)
{
    if (json) {
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "step", pg_cli_json_integer(report->step));
        pg_cli_json_set(object, "validation_loss", pg_cli_json_real(report->validation.loss));
        pg_cli_json_set(object, "validation_accuracy", pg_cli_json_real(report->validation.accuracy));
        pg_cli_json_print(object);
        return;
    }
    pg_cli_train_progress_clear(progress);
    fprintf(stderr, "step %lld: validation loss %.4f, accuracy %.3f%s\n", (long long)report->step,
            report->validation.loss, report->validation.accuracy,
            report->validation.loss <= report->best_loss ? " (the best so far)" : "");
}

/* What a run has taken since it was opened. */
typedef struct run_time {
    double seconds, waited; /* of them, for rows */
} run_time;

static void show_end(const pg_train_report *report, const run_time *time, bool json)
{
    double share = time->seconds > 0 ? time->waited / time->seconds : 0;
    if (json) {
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "finished_steps", pg_cli_json_integer(report->step));
        pg_cli_json_set(object, "seconds", pg_cli_json_real(time->seconds));
        pg_cli_json_set(object, "waited", pg_cli_json_real(share));
        pg_cli_json_set(object, "bad_rows", pg_cli_json_integer((int64_t)report->bad_rows));
        pg_cli_json_print(object);
        return;
    }
    fprintf(stderr, "finished after step %lld: %.1f s, waited for rows: %.1f %%\n", (long long)report->step,
            time->seconds, 100 * share);
    if (report->bad_rows)
        fprintf(stderr, "%llu rows could not be used: bad_rows.txt\n", (unsigned long long)report->bad_rows);
}

/* One step, shown; an exit code. */
static int run_step(pg_train_report *report, run_time *time, pg_cli_train_progress *progress, pg_trainer *trainer,
                    bool json)
{
    int code = pg_cli_check(pg_trainer_step(report, trainer));
    if (code != PG_CLI_DONE || report->train.rows == 0)
        return code;
    if (time->seconds == 0)
        pg_cli_train_progress_start(progress, report->step - 1, report->steps, json);
    time->seconds += report->seconds;
    time->waited += report->waited;
    show_step(progress, report);
    if (report->validated)
        show_validation(progress, report, json);
    return json && !pg_cli_flush() ? PG_CLI_FAILURE : PG_CLI_DONE;
}

/* Steps until all are done, or until somebody interrupts: then what was learned is saved. */
static int run_steps(pg_trainer *trainer, bool json)
{
    pg_cli_train_progress progress = {0};
    pg_train_report report = {0};
    run_time time = {0};
    int code = PG_CLI_DONE;
    while (code == PG_CLI_DONE && !report.finished && !pg_cli_interrupted())
        code = run_step(&report, &time, &progress, trainer, json);
    pg_cli_train_progress_clear(&progress);
    if (code == PG_CLI_DONE && report.finished)
        show_end(&report, &time, json);
    if (code != PG_CLI_DONE || report.finished)
        return code;
    code = pg_cli_check(pg_trainer_save(trainer));
    if (code != PG_CLI_DONE)
        return code;
    fprintf(stderr, "stopped after step %lld; the same command goes on from there\n", (long long)report.step);
    return PG_CLI_INTERRUPTED;
}

static int run_train(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const train_settings *settings = memory;
    pg_train_config *config = NULL;
    pg_trainer *trainer = NULL;
    int code;
    (void)command, (void)operands;
    PG_CLI_TRY(pg_cli_settings_make(&config, &settings->settings));
    PG_CLI_TRY(pg_cli_check(pg_trainer_open(&trainer, config)));
    pg_cli_catch_interrupts(true);
    PG_CLI_TRY(run_steps(trainer, settings->json || !isatty(STDERR_FILENO)));
done:
    pg_trainer_close(trainer);
    pg_train_config_free(config);
    return code;
}

const pg_cli_command pg_cli_train = {
    .name = "train",
    .usage = "[--config FILE] [-m MODEL] --data FILE --out RUN [SETTING]...",
    .summary = "train, fine-tune or adapt a model",
    .details = "Trains a model on rows of data and leaves in the folder RUN a checkpoint, curves (CSV, JSON lines, "
               "TensorBoard), the best model or adapter by the validation rows (best/) and the last one (last/). A run "
               "that was stopped or killed goes on from its checkpoint when the same command is given again, with the "
               "same number of rows; one that is finished stays as it is. To train longer, start another run from "
               "RUN/last, with another --seed: with the same one it begins with the same rows.\n\n"
               "Every setting is also a key of the configuration file, with underscores.\n\n"
               "A classifier's head is head.safetensors in best/ and last/, beside what else was trained.",
    .groups = train_groups,
    .settings_size = sizeof(train_settings),
    .run = run_train,
};

/* ---------------------------------------------------------------- gradients */

static const pg_cli_option gradient_options[] = {
    {"out", 'o', "FILE.safetensors", PG_CLI_TEXT, offsetof(train_settings, gradients), "the file to write", 0, 0},
    {0},
};

static const pg_cli_group gradient_groups[] = {
    {"Result", gradient_options, 0}, /* first: its --out is not the setting of that name */
    {"Settings", pg_cli_settings_options, offsetof(train_settings, settings)},
    {0},
};

static int run_gradients(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const train_settings *settings = memory;
    pg_train_config *config = NULL;
    int code;
    (void)operands;
    if (!settings->gradients)
        return pg_cli_usage(command, "no result: name its file with --out FILE.safetensors");
    PG_CLI_TRY(pg_cli_settings_make(&config, &settings->settings));
    PG_CLI_TRY(pg_cli_check(pg_train_gradients(settings->gradients, config)));
done:
    pg_train_config_free(config);
    return code;
}

const pg_cli_command pg_cli_gradients = {
    .name = "gradients",
    .usage = "[-m MODEL] --data FILE --out FILE.safetensors [SETTING]...",
    .summary = "loss and gradients of one batch, for comparison",
    .details = "Takes all rows of the data as one batch, and writes \"loss\" and \"grad.NAME\" for every trained "
               "weight, by its "
               "published name, into a safetensors file. Settings are those of `train`; \"train\", \"objective\" and "
               "\"compute\" are the ones that matter.",
    .groups = gradient_groups,
    .settings_size = sizeof(train_settings),
    .run = run_gradients,
};

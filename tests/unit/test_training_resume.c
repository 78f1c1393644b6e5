/* Runs that are killed, stopped, or computed by another number of threads: the bits are those of one that was not. */
#include "training_run.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <math.h>

#include "base/json.h"
#include "train/trainer.h"

static const run_settings sft = {{{"model", PALIGEMMA},
                                  {"data", "@sft.jsonl"},
                                  {"validation", "@sft.jsonl"},
                                  {"steps", "9"},
                                  {"batch", "3"},
                                  {"learning_rate", "1e-3"},
                                  {"warmup", "2"},
                                  {"validate_every", "2"},
                                  {"save_every", "1"},
                                  {"threads", "2"},
                                  {"seed", "5"}}};

static const struct {
    const char *name;
    run_settings more;
} kinds[] = {
    {"everything at random",
     {{{"average", "0.9"},
       {"dropout", "0.1"},
       {"crop", "0.6"},
       {"flip", "0.5"},
       {"brightness", "0.2"},
       {"label_smoothing", "0.1"},
       {"checkpointing", "true"}}}},
    {"bytes", {{{"optimizer", "adamw8"}, {"train", "lora"}, {"lora_dropout", "0.2"}, {"micro_batch", "2"}}}},
    {"rows and columns", {{{"optimizer", "adafactor"}, {"train", "decoder"}, {"relative_step", "true"}}}},
    {"momentum",
     {{{"optimizer", "sgd"}, {"momentum", "0.9"}, {"train", "attention"}, {"schedule", "rsqrt"}, {"timescale", "4"}}}},
    {"matrices", {{{"optimizer", "muon"}, {"momentum", "0.9"}, {"train", "full"}}}},
    {"pictures",
     {{{"model", SIGLIP},
       {"objective", "siglip"},
       {"data", "@pairs.jsonl"},
       {"micro_batch", "2"},
       {"dropout", "0.1"},
       {"average", "0.5"}}}},
    {"preferences", {{{"objective", "dpo"}, {"train", "lora"}, {"micro_batch", "2"}}}},
    {"preferences by a second model", {{{"objective", "dpo"}, {"dropout", "0.1"}}}},
    {"classes", {{{"objective", "classifier"}, {"train", "head"}, {"flip", "0.5"}}}},
    {"classes by two models",
     {{{"model", SIGLIP}, {"text_model", GEMMA}, {"objective", "classifier"}, {"average", "0.9"}}}},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* The kind's settings; its rows are what its objective needs. */
static run_settings settings_of(size_t kind)
{
    run_settings out = sft;
    const char *objective = "sft";
    for (size_t i = 0; kinds[kind].more.pairs[i][0]; i++)
        if (!strcmp(kinds[kind].more.pairs[i][0], "objective"))
            objective = kinds[kind].more.pairs[i][1];
    const char *rows = !strcmp(objective, "siglip")       ? "@pairs.jsonl"
                       : !strcmp(objective, "dpo")        ? "@choices.jsonl"
                       : !strcmp(objective, "classifier") ? "@classes.jsonl"
                                                          : "@sft.jsonl";
    out.pairs[1][1] = out.pairs[2][1] = rows;
    return out;
}

static run_settings more_of(size_t kind)
{
    run_settings out = {{{0}}};
    size_t count = 0;
    for (size_t i = 0; kinds[kind].more.pairs[i][0]; i++)
        if (strcmp(kinds[kind].more.pairs[i][0], "data") != 0)
            memcpy(out.pairs[count++], kinds[kind].more.pairs[i], sizeof out.pairs[0]);
    return out;
}

/* ---------------------------------------------------------------- processes */

/* The run in a process of its own, which has threads only of its own; 0 where it ended well. */
static pid_t start(const char *out, const run_settings *settings, const run_settings *more)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    pg_train_config *config = NULL;
    pg_trainer *trainer = NULL;
    pg_train_report report = {0};
    pg_status status = pg_train_config_new(&config);
    if (status == PG_OK) {
        pg_train_config_set(config, "out", folder_file(out));
        run_set(config, settings);
        run_set(config, more);
        status = pg_trainer_open(&trainer, config);
    }
    while (status == PG_OK && !report.finished)
        status = pg_trainer_step(&report, trainer);
    if (status != PG_OK)
        fprintf(stderr, "%s\n", pg_error_last());
    pg_trainer_close(trainer);
    pg_train_config_free(config);
    _exit(status);
}

/* The number of a run's checkpoint in the file system: each is a new file. */
static ino_t checkpoint_of(const char *run)
{
    char name[64];
    struct stat info;
    snprintf(name, sizeof name, "%s/checkpoint.safetensors", run);
    return stat(folder_file(name), &info) == 0 ? info.st_ino : 0;
}

/* Lets the process go on until it has saved, if `saved`, and so long again; true if it came to its end by itself. */
static bool end_after(pid_t child, const char *run, bool saved, long microseconds)
{
    int code;
    ino_t before = checkpoint_of(run);
    struct timespec time = {0, 500 * 1000};
    while (saved && checkpoint_of(run) == before) {
        nanosleep(&time, NULL);
        siginfo_t info = {0};
        assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        saved = info.si_pid != child;
    }
    time.tv_nsec = microseconds * 1000;
    nanosleep(&time, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &code, 0), child);
    if (WIFEXITED(code))
        assert_int_equal(WEXITSTATUS(code), 0);
    return WIFEXITED(code);
}

static void wait_for(pid_t child)
{
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 0);
}

/* Every step is there once, with the loss that it had in the other run. */
static void check_curves(const char *one, const char *other)
{
    size_t size = 0;
    char *texts[] = {run_read(&size, one, "scalars.jsonl"), run_read(&size, other, "scalars.jsonl")};
    char *lines[2] = {texts[0], texts[1]}, *rest[2] = {0};
    for (;;) {
        char *line = strtok_r(lines[0], "\n", &rest[0]), *same = strtok_r(lines[1], "\n", &rest[1]);
        lines[0] = lines[1] = NULL;
        assert_true(!line == !same);
        if (!line || *line != '{')
            break;
        json_t *a = json_loads(line, 0, NULL), *b = json_loads(same, 0, NULL);
        const char *const keys[] = {"step", "loss", "accuracy", "learning_rate", "gradient_norm", "validation/loss"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            assert_true(json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])) ||
                        (!json_object_get(a, keys[i]) && !json_object_get(b, keys[i])));
        json_decref(a);
        json_decref(b);
    }
    free(texts[0]);
    free(texts[1]);
}

/* Nothing half written is left in a run's folder. */
static void check_clean(const char *run)
{
    DIR *folder = opendir(folder_file(run));
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strstr(entry->d_name, ".partial") || strstr(entry->d_name, ".old"))
            fail_msg("%s: %s is left", run, entry->d_name);
    closedir(folder);
}

static long moment(size_t kind, int turn)
{
    return (long)((kind * 7919 + (size_t)turn * 104729) % 30000);
}

/* Killed at moments that differ from machine to machine, until one attempt gets to the end. */
static void check_killed(size_t kind)
{
    char whole[32], killed[32];
    run_settings settings = settings_of(kind), more = more_of(kind);
    snprintf(whole, sizeof whole, "whole%zu", kind);
    snprintf(killed, sizeof killed, "killed%zu", kind);
    wait_for(start(whole, &settings, &more));
    bool ended = false;
    for (int turn = 0; !ended && turn < 6; turn++)
        ended = end_after(start(killed, &settings, &more), killed, turn > 0, moment(kind, turn));
    if (!ended)
        wait_for(start(killed, &settings, &more));
    run_same_results(whole, killed);
    check_curves(whole, killed);
    check_clean(killed);
}

static void killed_runs(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++)
        check_killed(kind);
}

/* ---------------------------------------------------------------- in one process */

/* The same bits for any number of threads that compute or load, and where layers are computed twice. */
static void threads_change_nothing(void **state)
{
    (void)state;
    static const run_settings variants[] = {{{{"threads", "1"}, {"loader_threads", "3"}}},
                                            {{{"threads", "3"}, {"log_every", "2"}}},
                                            {{{"threads", "2"}, {"save_every", "4"}}}};
    for (size_t kind = 0; kind < KINDS; kind++) {
        run_settings settings = settings_of(kind), more = more_of(kind);
        char whole[32], other[32];
        snprintf(whole, sizeof whole, "whole%zu", kind);
        snprintf(other, sizeof other, "threads%zu", kind);
        size_t count = 0;
        while (more.pairs[count][0])
            count++;
        for (size_t i = 0; i < 2; i++)
            memcpy(more.pairs[count + i], variants[kind % 3].pairs[i], sizeof more.pairs[0]);
        run_all(other, &settings, &more);
        run_same_results(whole, other);
    }
}

static void layers_computed_twice_change_nothing(void **state)
{
    (void)state;
    static const run_settings twice = {{{"checkpointing", "true"}, {"dropout", "0.1"}}}, once = {{{"dropout", "0.1"}}};
    run_all("twice", &sft, &twice);
    run_all("once", &sft, &once);
    run_same_results("twice", "once");
}

/* Between steps, by whoever asks: as the command does when it is interrupted. */
static void saved_in_between(void **state)
{
    (void)state;
    static const run_settings seldom = {{{"save_every", "0"}}};
    run_all("straight", &sft, &seldom);
    for (int i = 0; i < 3; i++) {
        pg_trainer *trainer = run_open("stopped", &sft, &seldom);
        assert_int_equal(run_step(trainer, 2).step, 2 * (i + 1));
        CHECK_OK(pg_trainer_save(trainer));
        pg_trainer_close(trainer);
    }
    run_all("stopped", &sft, &seldom);
    run_same_results("straight", "stopped");
    check_curves("straight", "stopped");
}

/* Where memory has become scarce. */
static void a_run_goes_on_in_smaller_parts(void **state)
{
    (void)state;
    static const run_settings parts = {{{"micro_batch", "1"}}};
    pg_trainer *trainer = run_open("parts", &sft, NULL);
    run_step(trainer, 4);
    CHECK_OK(pg_trainer_save(trainer));
    pg_trainer_close(trainer);
    pg_train_report report = run_all("parts", &sft, &parts);
    assert_true(report.finished);
    assert_int_equal(report.step, 9);
}

/* The best loss that a run remembers when it goes on with these rows to validate with. */
static double best_of(const char *run, const run_settings *more)
{
    pg_trainer *trainer = run_open(run, &sft, more);
    double best = trainer->state.best;
    assert_int_equal(trainer->state.step, 4);
    pg_trainer_close(trainer);
    return best;
}

/* Losses of other rows say nothing beside those of the first. */
static void other_validation_rows_begin_anew(void **state)
{
    (void)state;
    static const run_settings same = {{{"validate_every", "4"}}}, fewer = {{{"validation_rows", "3"}}},
                              other = {{{"validation", "@other.jsonl"}}};
    run_write_rows("other.jsonl", "\"prefix\": \"caption es\", \"suffix\": \"%s\"");
    pg_trainer *trainer = run_open("validated", &sft, NULL);
    pg_train_report report = run_step(trainer, 4);
    CHECK_OK(pg_trainer_save(trainer));
    pg_trainer_close(trainer);
    assert_true(best_of("validated", NULL) == report.validation.loss);
    assert_true(best_of("validated", &same) == report.validation.loss);
    assert_true(isinf(best_of("validated", &fewer)));
    assert_true(isinf(best_of("validated", &other)));
    report = run_all("validated", &sft, &other);
    assert_true(report.finished && report.best_loss < INFINITY);
}

/* The checkpoint with another name for one of its numbers, of the same length. */
static void rename_number(const char *run, const char *from, const char *to)
{
    char path[64];
    size_t size = 0;
    char *bytes = run_read(&size, run, "checkpoint.safetensors");
    char *at = memmem(bytes, size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run);
    folder_write(path, bytes, size);
    free(bytes);
}

/* Those before there were numbers for the rows. */
static void older_checkpoints_go_on(void **state)
{
    (void)state;
    pg_trainer *trainer = run_open("older", &sft, NULL);
    double loss = run_step(trainer, 4).validation.loss;
    CHECK_OK(pg_trainer_save(trainer));
    pg_trainer_close(trainer);
    rename_number("older", "\"rows\":", "\"rowz\":");
    rename_number("older", "\"validation\":", "\"validatiom\":");
    assert_true(best_of("older", NULL) == loss);
    run_all("older", &sft, NULL);
    run_all("newer", &sft, NULL);
    run_same_results("older", "newer");
}

static void a_finished_run_stays(void **state)
{
    (void)state;
    static const run_settings more_steps = {{{"steps", "12"}}};
    run_all("finished", &sft, NULL);
    pg_train_report report = run_all("finished", &sft, NULL);
    assert_true(report.finished);
    assert_int_equal(report.step, 9);
    assert_int_equal(report.train.rows, 0);
    run_refused("finished", &sft, &more_steps, PG_ERROR_ARGUMENT, "another \"steps\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_runs), /* first: these fork before there are threads */
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(layers_computed_twice_change_nothing),
        cmocka_unit_test(saved_in_between),
        cmocka_unit_test(a_run_goes_on_in_smaller_parts),
        cmocka_unit_test(other_validation_rows_begin_anew),
        cmocka_unit_test(older_checkpoints_go_on),
        cmocka_unit_test(a_finished_run_stays),
    };
    return cmocka_run_group_tests(tests, run_setup, folder_teardown);
}

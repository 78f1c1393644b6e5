/* Whole training runs for tests, in the test's temporary folder: their data, settings, steps and files. */
#ifndef PG_TESTS_TRAINING_RUN_H
#define PG_TESTS_TRAINING_RUN_H

#include <paligemma.h>

#include "check.h"
#include "temporary_folder.h"

#define PALIGEMMA PG_TESTS_FOLDER "/golden/training/checkpoints/paligemma"
#define SIGLIP    PG_TESTS_FOLDER "/golden/inference/siglip-tiny/checkpoint"
#define GEMMA     PG_TESTS_FOLDER "/golden/inference/gemma-tiny-mha/checkpoint"
#define PHOTOS    PG_TESTS_FOLDER "/golden/data/images/"

/* Names and values, up to a NULL. A value that begins with "@" is a file of the temporary folder. */
#define RUN_SETTINGS 24
typedef struct run_settings {
    const char *pairs[RUN_SETTINGS][2];
} run_settings;

static const char *const run_photos[] = {"img0.jpg", "img1.png", "img2.jpg", "img3.png"};
static const char *const run_captions[] = {"two dogs run on the beach", "a red sign beside the road",
                                           "three cups and a book", "nothing but the sky"};

/* Writes NAME with a row for each photo; format: printf's, for the photo and its caption. */
static inline void run_write_rows(const char *name, const char *format)
{
    FILE *file = fopen(folder_file(name), "w");
    assert_non_null(file);
    for (size_t i = 0; i < 4; i++) {
        char row[512];
        fprintf(file, "{\"image\": \"%s%s\", ", PHOTOS, run_photos[i]);
        snprintf(row, sizeof row, format, run_captions[i], run_captions[(i + 1) % 4], i % 2 ? "even" : "odd");
        fprintf(file, "%s}\n", row);
    }
    assert_int_equal(fclose(file), 0);
}

/* sft.jsonl, pairs.jsonl, choices.jsonl, classes.jsonl */
static inline int run_setup(void **state)
{
    if (folder_setup(state))
        return -1;
    run_write_rows("sft.jsonl", "\"prefix\": \"caption en\", \"suffix\": \"%s\"");
    run_write_rows("pairs.jsonl", "\"text\": \"%s\"");
    run_write_rows("choices.jsonl", "\"prefix\": \"caption en\", \"chosen\": \"%s\", \"rejected\": \"no %s\"");
    run_write_rows("classes.jsonl", "\"text\": \"%s, not %s\", \"label\": \"%s\"");
    return 0;
}

static inline void run_set(pg_train_config *config, const run_settings *settings)
{
    for (size_t i = 0; i < RUN_SETTINGS && settings->pairs[i][0]; i++) {
        const char *value = settings->pairs[i][1];
        CHECK_OK(pg_train_config_set(config, settings->pairs[i][0], *value == '@' ? folder_file(value + 1) : value));
    }
}

static inline bool run_has(const run_settings *settings, const char *name)
{
    for (size_t i = 0; settings && i < RUN_SETTINGS && settings->pairs[i][0]; i++)
        if (!strcmp(settings->pairs[i][0], name))
            return true;
    return false;
}

/* The settings, and those of `more` (NULL: none) instead of those of the same names, for a run in the folder `out`. */
static inline pg_train_config *run_config(const char *out, const run_settings *settings, const run_settings *more)
{
    pg_train_config *config;
    run_settings kept = {{{0}}};
    size_t count = 0;
    for (size_t i = 0; i < RUN_SETTINGS && settings->pairs[i][0]; i++)
        if (!run_has(more, settings->pairs[i][0]))
            memcpy(kept.pairs[count++], settings->pairs[i], sizeof kept.pairs[0]);
    CHECK_OK(pg_train_config_new(&config));
    if (out)
        CHECK_OK(pg_train_config_set(config, "out", folder_file(out)));
    run_set(config, &kept);
    if (more)
        run_set(config, more);
    return config;
}

static inline pg_trainer *run_open(const char *out, const run_settings *settings, const run_settings *more)
{
    pg_train_config *config = run_config(out, settings, more);
    pg_trainer *trainer;
    CHECK_OK(pg_trainer_open(&trainer, config));
    pg_train_config_free(config);
    return trainer;
}

/* Takes `most` steps, or as many as there are; the last report. */
static inline pg_train_report run_step(pg_trainer *trainer, int64_t most)
{
    pg_train_report report = {0};
    for (int64_t i = 0; i < most && !report.finished; i++)
        CHECK_OK(pg_trainer_step(&report, trainer));
    return report;
}

/* A whole run. */
static inline pg_train_report run_all(const char *out, const run_settings *settings, const run_settings *more)
{
    pg_trainer *trainer = run_open(out, settings, more);
    pg_train_report report = run_step(trainer, INT64_MAX);
    pg_trainer_close(trainer);
    return report;
}

/* Opening such a run fails with this status, and a text that has `part`. */
static inline void run_refused(const char *out, const run_settings *settings, const run_settings *more,
                               pg_status expected, const char *part)
{
    pg_train_config *config = run_config(out, settings, more);
    pg_trainer *trainer;
    CHECK_FAILS(pg_trainer_open(&trainer, config), expected, part);
    assert_null(trainer);
    pg_train_config_free(config);
}

/* The bytes of RUN/NAME, a NUL behind them, freed with free; NULL if there is none. */
static inline char *run_read(size_t *size, const char *run, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", run, name);
    FILE *file = fopen(folder_file(path), "rb");
    if (!file)
        return NULL;
    char *bytes = calloc(16 << 20, 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (16 << 20) - 1, file);
    fclose(file);
    return bytes;
}

/* Both runs have the file, with the same bytes; or neither has it. Returns whether they have. */
static inline bool run_same(const char *one, const char *other, const char *name)
{
    size_t size = 0, other_size = 0;
    char *bytes = run_read(&size, one, name), *others = run_read(&other_size, other, name);
    if (!bytes != !others)
        fail_msg("only one of %s and %s has %s", one, other, name);
    if (bytes && (size != other_size || memcmp(bytes, others, size) != 0))
        fail_msg("%s of %s and %s differ", name, one, other);
    free(bytes);
    free(others);
    return bytes;
}

/* Checkpoint and results of two runs are the same. */
static inline void run_same_results(const char *one, const char *other)
{
    static const char *const files[] = {"last/model.safetensors",
                                        "last/adapter_model.safetensors",
                                        "last/adapter_config.json",
                                        "last/head.safetensors",
                                        "last/text_model/model.safetensors",
                                        "best/model.safetensors",
                                        "best/adapter_model.safetensors",
                                        "best/head.safetensors"};
    int found = 0;
    assert_true(run_same(one, other, "checkpoint.safetensors"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        found += run_same(one, other, files[i]);
    assert_true(found > 0);
}

#endif

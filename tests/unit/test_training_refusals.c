/* Runs that cannot be: settings, models and rows that contradict each other, folders and checkpoints of others, memory
 * that ends. */
#include "training_run.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "sweep.h"
#include "tensor/safetensors.h"

static const run_settings sft = {{{"model", PALIGEMMA},
                                  {"data", "@sft.jsonl"},
                                  {"batch", "2"},
                                  {"steps", "4"},
                                  {"save_every", "1"},
                                  {"train", "projector"},
                                  {"threads", "1"}}};

/* ---------------------------------------------------------------- settings */

static const struct {
    run_settings more;
    pg_status status;
    const char *error;
} refused[] = {
    {{{{"adapter", "a"}}}, PG_ERROR_ARGUMENT, "adapter: goes with train \"lora\" only"},
    {{{{"lora_modules", "q_proj"}}}, PG_ERROR_ARGUMENT, "lora_modules: goes with train \"lora\" only"},
    {{{{"lora_rslora", "true"}}}, PG_ERROR_ARGUMENT, "lora_rslora: goes with"},
    {{{{"micro_batch", "3"}}}, PG_ERROR_ARGUMENT, "micro_batch: 3, more than the batch of 2"},
    {{{{"validate_every", "1"}}}, PG_ERROR_ARGUMENT, "validation: not given"},
    {{{{"patience", "1"}}}, PG_ERROR_ARGUMENT, "validation: not given"},
    {{{{"momentum", "0.9"}}}, PG_ERROR_ARGUMENT, "momentum: goes with optimizer \"sgd\" or \"muon\" only"},
    {{{{"relative_step", "true"}}}, PG_ERROR_ARGUMENT, "relative_step: goes with optimizer \"adafactor\""},
    {{{{"reference", PALIGEMMA}}}, PG_ERROR_ARGUMENT, "reference: goes with objective \"dpo\" only"},
    {{{{"text_model", GEMMA}}}, PG_ERROR_ARGUMENT, "text_model: goes with objective \"classifier\" only"},
    {{{{"train", "head"}}}, PG_ERROR_ARGUMENT, "train: head: goes with objective \"classifier\" only"},
    {{{{"train", "nothing"}}}, PG_ERROR_ARGUMENT, "train: \"nothing\" fits no weight"},
    {{{{"train", "("}}}, PG_ERROR_ARGUMENT, "as a regular expression"},
    {{{{"train", "lora"}, {"lora_parts", "eyes"}}}, PG_ERROR_ARGUMENT, "\"eyes\" is none of decoder, projector"},
    {{{{"train", "lora"}, {"lora_modules", "z_proj"}}}, PG_ERROR_ARGUMENT, "targets name no linear layer"},
    {{{{"objective", "siglip"}}}, PG_ERROR_UNSUPPORTED, "only a SigLIP can"},
    {{{{"model", SIGLIP}, {"train", "full"}}}, PG_ERROR_UNSUPPORTED, "a SigLIP learns \"siglip\""},
    {{{{"objective", "dpo"}}}, PG_ERROR_ARGUMENT, "needs rows of kind \"preference\", the data has \"suffix\""},
    {{{{"objective", "lm"}}}, PG_ERROR_ARGUMENT, "needs rows of kind \"text\""},
    {{{{"objective", "classifier"}}}, PG_ERROR_ARGUMENT, "needs rows of kind \"label\""},
    {{{{"data", "@classes.jsonl"}}}, PG_ERROR_ARGUMENT, "needs rows of kind \"suffix\", the data has \"label\""},
    {{{{"objective", "siglip"}, {"model", SIGLIP}, {"data", "@pairs.jsonl"}, {"batch", "1"}, {"train", "full"}}},
     PG_ERROR_ARGUMENT,
     "batch: 1"},
    {{{{"objective", "dpo"}, {"data", "@choices.jsonl"}, {"label_smoothing", "0.1"}}},
     PG_ERROR_ARGUMENT,
     "label_smoothing: goes with"},
    {{{{"objective", "dpo"}, {"data", "@choices.jsonl"}, {"reduction", "examples"}}},
     PG_ERROR_ARGUMENT,
     "reduction: examples: goes with"},
    {{{{"objective", "dpo"}, {"data", "@choices.jsonl"}, {"reference", GEMMA}}},
     PG_ERROR_ARGUMENT,
     "reference: " GEMMA " is a model of another kind"},
    {{{{"objective", "classifier"}, {"data", "@classes.jsonl"}, {"text_model", GEMMA}}},
     PG_ERROR_UNSUPPORTED,
     "it reads itself"},
    {{{{"objective", "classifier"}, {"data", "@classes.jsonl"}, {"model", SIGLIP}, {"text_model", SIGLIP}}},
     PG_ERROR_UNSUPPORTED,
     "cannot be the text_model"},
    {{{{"objective", "classifier"}, {"data", "@one.jsonl"}}}, PG_ERROR_ARGUMENT, "at least 2 labels, not 1"},
    {{{{"objective", "classifier"}, {"data", "@numbers.jsonl"}}}, PG_ERROR_LIMIT, "there are at most 1000000"},
    {{{{"model", "none"}}}, PG_ERROR_FILE, "none"},
    {{{{"data", "none.jsonl"}}}, PG_ERROR_FILE, "none.jsonl"},
    {{{{"data", "@sft.jsonl,kind=soup"}}}, PG_ERROR_ARGUMENT, "there is no kind \"soup\""},
    {{{{"threads", "1000"}}}, PG_ERROR_ARGUMENT, "threads: 1000"},
};

static void contradictions(void **state)
{
    (void)state;
    run_write_rows("one.jsonl", "\"label\": \"%s\"");
    folder_write("one.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n", 28);
    folder_write("numbers.jsonl", "{\"text\": \"a\", \"label\": 1000000}\n", 32);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        run_refused("refused", &sft, &refused[i].more, refused[i].status, refused[i].error);
    pg_train_config *config = run_config(NULL, &sft, NULL);
    pg_trainer *trainer;
    CHECK_FAILS(pg_trainer_open(&trainer, config), PG_ERROR_ARGUMENT, "out: not given");
    CHECK_OK(pg_train_config_set(config, "out", folder_file("one.jsonl/run")));
    CHECK_FAILS(pg_trainer_open(&trainer, config), PG_ERROR_FILE, "one.jsonl/run: cannot be made");
    pg_train_config_free(config);
}

/* ---------------------------------------------------------------- rows */

static void check_rows(const char *rows, const char *error)
{
    static const run_settings bad = {{{"data", "@bad.jsonl"}, {"text_length", "12"}, {"long_rows", "skip"}}};
    pg_train_report report;
    folder_write("bad.jsonl", rows, strlen(rows));
    pg_trainer *trainer = run_open("bad", &sft, &bad);
    CHECK_FAILS(pg_trainer_step(&report, trainer), PG_ERROR_FORMAT, error);
    pg_trainer_close(trainer);
}

static void rows_that_cannot_be_used(void **state)
{
    (void)state;
    check_rows("{\"image\": \"missing.png\", \"prefix\": \"p\", \"suffix\": \"s\"}\n", "missing.png");
    check_rows("{\"image\": \"" PHOTOS "img0.jpg\", \"prefix\": \"p\", \"suffix\": \"\"}\n", "suffix: is empty");
    check_rows("{\"image\": \"" PHOTOS "img0.jpg\", \"prefix\": \"p\", \"suffix\": \"one two three four five six seven "
               "eight nine ten eleven twelve thirteen\"}\n",
               "1 too long");
}

/* Some are passed over and listed. */
static void a_few_bad_rows_are_listed(void **state)
{
    (void)state;
    static const run_settings some = {{{"data", "@mixed.jsonl"}, {"bad_share", "0.5"}}};
    char rows[1024];
    size_t size = 0;
    snprintf(rows, sizeof rows,
             "{\"image\": \"%simg0.jpg\", \"prefix\": \"p\", \"suffix\": \"a dog\"}\n"
             "{\"image\": \"gone.png\", \"prefix\": \"p\", \"suffix\": \"a dog\"}\n"
             "{\"image\": \"%simg1.png\", \"prefix\": \"p\", \"suffix\": \"a sign\"}\n",
             PHOTOS, PHOTOS);
    folder_write("mixed.jsonl", rows, strlen(rows));
    pg_train_report report = run_all("mixed", &sft, &some);
    assert_true(report.finished && report.bad_rows > 0);
    char *listed = run_read(&size, "mixed", "bad_rows.txt");
    assert_non_null(listed);
    assert_non_null(strstr(listed, "mixed.jsonl:2: "));
    free(listed);
}

/* ---------------------------------------------------------------- folders */

static void other_settings_do_not_go_on(void **state)
{
    (void)state;
    static const run_settings cases[] = {{{{"learning_rate", "1"}}},
                                         {{{"seed", "9"}}},
                                         {{{"batch", "3"}}},
                                         {{{"optimizer", "sgd"}}},
                                         {{{"train", "decoder"}}}};
    run_all("begun", &sft, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_refused("begun", &sft, &cases[i], PG_ERROR_ARGUMENT, cases[i].pairs[0][0]);
}

/* The order of rows, which a run goes on in, follows from how many there are. */
static void other_rows_do_not_go_on(void **state)
{
    (void)state;
    static const run_settings grown = {{{"data", "@grown.jsonl"}}};
    size_t size = 0;
    run_write_rows("grown.jsonl", "\"prefix\": \"caption en\", \"suffix\": \"%s\"");
    run_all("grown", &sft, &grown);
    pg_trainer_close(run_open("grown", &sft, &grown));
    char *rows = run_read(&size, ".", "grown.jsonl");
    char *row = strndup(rows, (size_t)(strchr(rows, '\n') + 1 - rows));
    assert_non_null(row);
    memcpy(rows + size, row, strlen(row) + 1);
    folder_write("grown.jsonl", rows, strlen(rows));
    run_refused("grown", &sft, &grown, PG_ERROR_ARGUMENT, "was begun with 4 rows, the data have 5 now");
    free(rows);
    free(row);
}

/* Two runs in one folder would write over each other's checkpoints. The lock ends with its holder, killed or not. */
static void one_run_in_a_folder(void **state)
{
    (void)state;
    pg_trainer *first = run_open("twice", &sft, NULL);
    run_refused("twice", &sft, NULL, PG_ERROR_FILE, "another run is writing into this folder");
    pg_trainer_close(first);
    pid_t child = fork();
    if (child == 0) {
        run_open("twice", &sft, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    run_all("twice", &sft, NULL);
}

/* A folder with the config.json of something else, such as a model, is left alone. */
static void other_folders_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder_file("model"), 0777), 0);
    folder_write("model/config.json", "{\"model_type\": \"gemma\"}", 23);
    run_refused("model", &sft, NULL, PG_ERROR_FILE, "choose another folder");
    size_t size;
    char *text = run_read(&size, "model", "config.json");
    assert_string_equal(text, "{\"model_type\": \"gemma\"}");
    free(text);
}

/* ---------------------------------------------------------------- checkpoints */

static const run_settings sixteen = {{{"steps", "16"}}}; /* whose digits have room for a sign */

static void check_checkpoint(const char *bytes, size_t size)
{
    folder_write("hostile/checkpoint.safetensors", bytes, size);
    pg_train_config *config = run_config("hostile", &sft, &sixteen);
    pg_trainer *trainer;
    if (pg_trainer_open(&trainer, config) == PG_OK)
        fail_msg("a checkpoint of %zu bytes was taken", size);
    assert_non_null(strstr(pg_error_last(), "checkpoint.safetensors"));
    pg_train_config_free(config);
}

/* The file with one text of its header replaced by another of the same length. */
static void check_changed(const char *bytes, size_t size, const char *from, const char *to)
{
    char *changed = malloc(size + 1);
    assert_non_null(changed);
    memcpy(changed, bytes, size);
    char *at = memmem(changed, size, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    check_checkpoint(changed, size);
    free(changed);
}

static void hostile_checkpoints(void **state)
{
    (void)state;
    size_t size = 0;
    run_all("hostile", &sft, &sixteen);
    char *bytes = run_read(&size, "hostile", "checkpoint.safetensors");
    for (size_t cut = 0; cut < size; cut += 1 + cut / 3)
        check_checkpoint(bytes, cut);
    check_checkpoint(bytes, size - 1);
    static const char *const changes[][2] = {
        {"\"step\"", "\"stap\""},
        {"\"recent.7\"", "\"recent.x\""},
        {"\"position\":\"", "\"position\":,"},
        {"weights.multi", "weights.malti"},
        {"optimizer.m.multi", "optimizer.m.malti"},
        {"\"step\":\"16", "\"step\":\"x6"},
        {"\"step\":\"16", "\"step\":\"--"},
        {"\"step\":\"16", "\"step\":\"-1"},
        {"\"position\":\"32", "\"position\":\"-3"},
        {"\"rows\":\"4", "\"rows\":\"x"},
        {"\"validation\"", "\"validatiom\""},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        check_changed(bytes, size, changes[i][0], changes[i][1]);
    folder_write("hostile/checkpoint.safetensors", bytes, size);
    pg_trainer *trainer = run_open("hostile", &sft, &sixteen); /* as it was, it is good */
    pg_trainer_close(trainer);
    free(bytes);
}

/* ---------------------------------------------------------------- memory */

static pg_status open_and_step(const pg_train_config *config)
{
    pg_trainer *trainer;
    pg_train_report report;
    PG_TRY(pg_trainer_open(&trainer, config));
    pg_status status = pg_trainer_step(&report, trainer);
    if (status == PG_OK)
        status = pg_trainer_step(&report, trainer);
    pg_trainer_close(trainer);
    unlink(folder_file("memory/checkpoint.safetensors"));
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    static const run_settings kinds[] = {
        {{{"validation", "@sft.jsonl"}, {"steps", "2"}, {"average", "0.5"}}},
        {{{"objective", "dpo"}, {"data", "@choices.jsonl"}, {"steps", "2"}}},
        {{{"objective", "classifier"}, {"data", "@classes.jsonl"}, {"steps", "2"}, {"train", "head"}}},
        {{{"objective", "siglip"}, {"data", "@pairs.jsonl"}, {"model", SIGLIP}, {"steps", "2"}, {"train", "vision"}}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pg_train_config *config = run_config("memory", &sft, &kinds[i]);
        CHECK_COARSE_SWEEP(open_and_step(config));
        pg_train_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions),
        cmocka_unit_test(rows_that_cannot_be_used),
        cmocka_unit_test(a_few_bad_rows_are_listed),
        cmocka_unit_test(other_settings_do_not_go_on),
        cmocka_unit_test(other_rows_do_not_go_on),
        cmocka_unit_test(one_run_in_a_folder),
        cmocka_unit_test(other_folders_are_left_alone),
        cmocka_unit_test(hostile_checkpoints),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, run_setup, folder_teardown);
}

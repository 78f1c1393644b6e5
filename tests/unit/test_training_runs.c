/* Training runs as users have them: what they learn, what they leave in files, and what they stop for. */
#include "training_run.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "model/cost.h"
#include "tensor/safetensors.h"
#include "train/trainer.h"

static const run_settings sft = {{{"model", PALIGEMMA},
                                  {"data", "@sft.jsonl"},
                                  {"batch", "4"},
                                  {"learning_rate", "3e-3"},
                                  {"steps", "6"},
                                  {"save_every", "0"},
                                  {"threads", "2"}}};

/* ---------------------------------------------------------------- learning */

/* What the model in a folder says of photo i. */
static char *answer(const char *folder, size_t i)
{
    char path[512], *text;
    pg_model *model;
    pg_session *session;
    pg_image *photo;
    pg_answer *answer;
    pg_request request;
    snprintf(path, sizeof path, PHOTOS "%s", run_photos[i]);
    CHECK_OK(pg_model_open(&model, folder));
    CHECK_OK(pg_session_new(&session, model, NULL));
    CHECK_OK(pg_image_load(&photo, path, NULL));
    pg_request_init(&request);
    request.prompt = "caption en";
    request.images = (const pg_image *const *)&photo;
    request.image_count = 1;
    request.max_new_tokens = 24;
    CHECK_OK(pg_generate(&answer, session, &request, 1));
    assert_non_null(text = strdup(answer->text));
    pg_answer_free(answer);
    pg_image_free(photo);
    pg_session_free(session);
    pg_model_close(model);
    return text;
}

/* From a random checkpoint through a run, its files and the way answers are made. */
static void photos_are_learned_by_heart(void **state)
{
    (void)state;
    static const run_settings longer = {{{"steps", "80"}, {"validation", "@sft.jsonl"}}};
    pg_train_report report = run_all("photos", &sft, &longer);
    assert_true(report.validation.accuracy == 1 && report.validation.loss < 0.1);
    static const char *const folders[] = {"photos/last", "photos/best"};
    for (size_t k = 0; k < 8; k++) {
        char *text = answer(folder_file(folders[k / 4]), k % 4);
        assert_string_equal(text, run_captions[k % 4]);
        free(text);
    }
}

static void every_objective_learns(void **state)
{
    (void)state;
    static const struct {
        double loss; /* at most, after the last step */
        run_settings more;
    } cases[] = {
        {0.2, {{{"objective", "dpo"}, {"data", "@choices.jsonl"}, {"steps", "30"}}}},
        {0.3,
         {{{"objective", "classifier"},
           {"data", "@classes.jsonl"},
           {"steps", "60"},
           {"train", "head"},
           {"learning_rate", "2e-2"}}}},
        {0.2,
         {{{"objective", "classifier"},
           {"model", SIGLIP},
           {"text_model", GEMMA},
           {"data", "@classes.jsonl"},
           {"steps", "30"}}}},
        {2.0, {{{"objective", "siglip"}, {"model", SIGLIP}, {"data", "@pairs.jsonl"}, {"steps", "40"}}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        snprintf(name, sizeof name, "objective%zu", i);
        pg_train_report report = run_all(name, &sft, &cases[i].more);
        if (!(report.train.loss < cases[i].loss) || !(report.train.accuracy >= 0.75))
            fail_msg("%s: loss %g, accuracy %g", name, report.train.loss, report.train.accuracy);
    }
}

static void the_decoder_counts_where_it_reads(void **state)
{
    (void)state;
    static const run_settings seen = {{{"objective", "classifier"}, {"data", "@seen.jsonl"}, {"train", "head"}}},
                              read = {{{"objective", "classifier"}, {"data", "@classes.jsonl"}, {"train", "head"}}};
    run_write_rows("seen.jsonl", "\"label\": \"%s\"");
    pg_trainer *trainer = run_open("seen", &sft, &seen);
    double pictures = 3 * (double)trainer->config->batch * pg_cost_vision(&trainer->model->weights->config);
    assert_true(run_step(trainer, 1).operations == pictures);
    pg_trainer_close(trainer);
    trainer = run_open("read", &sft, &read);
    assert_true(run_step(trainer, 1).operations > 1.05 * pictures);
    pg_trainer_close(trainer);
}

/* ---------------------------------------------------------------- gradients of a batch */

static pg_safetensors *gradients(const run_settings *settings, const run_settings *more)
{
    pg_safetensors *file;
    pg_train_config *config = run_config(NULL, settings, more);
    CHECK_OK(pg_train_gradients(folder_file("gradients.safetensors"), config));
    pg_train_config_free(config);
    CHECK_OK(pg_safetensors_open(&file, folder_file("gradients.safetensors")));
    return file;
}

/* The length of the difference, relative to that of the first. */
static double apart(const pg_safetensors *one, const pg_safetensors *other)
{
    double difference = 0, size = 0;
    assert_int_equal(pg_safetensors_count(one), pg_safetensors_count(other));
    for (size_t i = 0; i < pg_safetensors_count(one); i++) {
        const pg_array *a = pg_safetensors_at(one, i), *b = pg_safetensors_find(other, a->name);
        assert_non_null(b);
        assert_int_equal(a->bytes, b->bytes);
        for (size_t k = 0; k < a->bytes / sizeof(float); k++) {
            double x = ((const float *)a->data)[k], y = ((const float *)b->data)[k];
            difference += (x - y) * (x - y);
            size += x * x;
        }
    }
    return sqrt(difference / size);
}

static void parts_are_the_whole_batch(void **state)
{
    (void)state;
    static const run_settings cases[] = {
        {{{"reduction", "tokens"}}},
        {{{"reduction", "examples"}}},
        {{{"objective", "dpo"}, {"data", "@choices.jsonl"}}},
        {{{"objective", "classifier"}, {"data", "@classes.jsonl"}}},
        {{{"objective", "siglip"}, {"model", SIGLIP}, {"data", "@pairs.jsonl"}}},
    };
    static const char *const parts[] = {"1", "3"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_safetensors *whole = gradients(&sft, &cases[i]);
        for (size_t k = 0; k < 2; k++) {
            run_settings more = cases[i];
            size_t count = 0;
            while (more.pairs[count][0])
                count++;
            more.pairs[count][0] = "micro_batch";
            more.pairs[count][1] = parts[k];
            pg_safetensors *cut = gradients(&sft, &more);
            double distance = apart(whole, cut);
            if (!(distance < 1e-5))
                fail_msg("case %zu in parts of %s: %g apart", i, parts[k], distance);
            pg_safetensors_close(cut);
        }
        pg_safetensors_close(whole);
    }
}

/* ---------------------------------------------------------------- what is trained */

static void presets_train_what_they_say(void **state)
{
    (void)state;
    static const struct {
        run_settings more;
        size_t count; /* of gradients; 0: one for each weight of the file */
        const char *part, *other, *never;
    } cases[] = {
        {{{{"train", "full"}}}, 0, "", "", "lora"},
        {{{{"train", "attention"}}}, 8, "grad.language_model.", ".self_attn.", "vision"},
        {{{{"train", "decoder"}}}, 20, "grad.language_model.", "", "vision"},
        {{{{"train", "projector"}}}, 2, "grad.multi_modal_projector.linear.", "", "vision"},
        {{{{"train", "vision"}}}, 37, "grad.vision_tower.", "", "language"},
        {{{{"train", "lora"}}}, 28, "grad.base_model.model.", ".lora_", "vision"},
        {{{{"train", "lora"}, {"lora_modules", "q_proj"}}}, 4, "language_model", ".q_proj.lora_", "vision"},
        {{{{"train", "lora"}, {"lora_modules", "q_proj"}, {"lora_parts", "vision"}}},
         4,
         "vision_tower",
         ".q_proj.lora_",
         "language"},
        {{{{"train", "lora"}, {"lora_parts", "projector"}}}, 2, "multi_modal_projector", ".lora_", "vision"},
        {{{{"train", "layers\\.1\\..*down_proj"}}}, 1, "layers.1.", "down_proj.weight", "vision"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_safetensors *file = gradients(&sft, &cases[i].more), *model = NULL;
        CHECK_OK(pg_safetensors_open(&model, PALIGEMMA "/model.safetensors"));
        size_t want = cases[i].count ? cases[i].count : pg_safetensors_count(model);
        if (pg_safetensors_count(file) != want + 1)
            fail_msg("case %zu: %zu gradients, expected %zu", i, pg_safetensors_count(file) - 1, want);
        for (size_t k = 0; k < pg_safetensors_count(file); k++) {
            const char *name = pg_safetensors_at(file, k)->name;
            bool fits = strstr(name, cases[i].part) && strstr(name, cases[i].other) && !strstr(name, cases[i].never);
            if (strcmp(name, "loss") != 0 && !fits)
                fail_msg("case %zu trains %s", i, name);
            if (!cases[i].count && strcmp(name, "loss") != 0)
                assert_non_null(pg_safetensors_find(model, name + strlen("grad.")));
        }
        pg_safetensors_close(model);
        pg_safetensors_close(file);
    }
}

/* Learned scale and bias, heads: by the names that they have in files. */
static void gradients_have_published_names(void **state)
{
    (void)state;
    static const run_settings pictures = {{{"model", SIGLIP}, {"data", "@pairs.jsonl"}, {"objective", "siglip"}}},
                              classes = {{{"model", SIGLIP},
                                          {"text_model", GEMMA},
                                          {"data", "@classes.jsonl"},
                                          {"objective", "classifier"}}};
    pg_safetensors *file = gradients(&pictures, NULL), *head = gradients(&classes, NULL);
    assert_non_null(pg_safetensors_find(file, "grad.logit_scale"));
    assert_non_null(pg_safetensors_find(file, "grad.logit_bias"));
    assert_non_null(pg_safetensors_find(file, "grad.text_model.head.weight"));
    const pg_array *weight = pg_safetensors_find(head, "grad.head.weight");
    assert_int_equal(weight->shape[0], 2);
    assert_int_equal(pg_safetensors_find(head, "grad.head.bias")->dimensions, 1);
    assert_non_null(pg_safetensors_find(head, "grad.model.layers.0.self_attn.q_proj.weight"));
    assert_non_null(pg_safetensors_find(head, "grad.vision_model.embeddings.position_embedding.weight"));
    pg_safetensors_close(file);
    pg_safetensors_close(head);
}

static void count_mapped(void *user, const pg_parameter *p)
{
    size_t *counts = user;
    counts[p->grad ? 1 : 0]++;
    assert_true((p->data == p->stored->data) == !p->grad);
}

/* No copy of what is not trained. */
static void frozen_weights_stay_mapped(void **state)
{
    (void)state;
    static const run_settings projector = {{{"train", "projector"}}};
    size_t counts[2] = {0};
    pg_trainer *trainer = run_open("mapped", &sft, &projector);
    run_step(trainer, 2);
    pg_weights_each(trainer->model->weights, count_mapped, counts);
    assert_int_equal(counts[1], 2);
    assert_int_equal(trainer->trainable->values_count, 48 * 64 + 64);
    pg_trainer_close(trainer);
}

/* Factors beside whole numbers: the adapter fits the quantised model and the one it was made from. */
static void quantised_models_are_adapted(void **state)
{
    (void)state;
    static const pg_weight_format formats[] = {PG_WEIGHTS_INT8, PG_WEIGHTS_INT4};
    for (size_t i = 0; i < 2; i++) {
        pg_model *model;
        pg_quantize_options options;
        pg_model_options open;
        char names[2][32];
        snprintf(names[0], sizeof names[0], "quantised%zu", i);
        snprintf(names[1], sizeof names[1], "adapted%zu", i);
        CHECK_OK(pg_model_open(&model, PALIGEMMA));
        pg_quantize_options_init(&options);
        options.text = options.vision = formats[i];
        options.block = 32;
        CHECK_OK(pg_quantize(folder_file(names[0]), model, &options));
        pg_model_close(model);
        char at[48];
        snprintf(at, sizeof at, "@%s", names[0]);
        run_settings more = {{{"model", at}, {"train", "lora"}, {"steps", "40"}, {"lora_dropout", "0"}}};
        pg_trainer *trainer = run_open(names[1], &sft, &more);
        double before = run_step(trainer, 1).train.loss;
        pg_train_report report = run_step(trainer, INT64_MAX);
        pg_trainer_close(trainer);
        assert_true(report.finished && report.train.loss < 0.7 * before);
        run_settings whole = {{{"model", at}, {"train", "full"}}};
        run_refused("refused", &sft, &whole, PG_ERROR_ARGUMENT, "is quantised and cannot be trained itself");
        char folder[512];
        snprintf(folder, sizeof folder, "%s/last", folder_file(names[1]));
        pg_model_options_init(&open);
        open.adapter = folder;
        CHECK_OK(pg_model_open_with(&model, PALIGEMMA, &open));
        pg_model_close(model);
    }
}

/* An adapter that is gone on with is part of what preferences are measured against: nothing is preferred yet. */
static void preferences_go_on_from_an_adapter(void **state)
{
    (void)state;
    static const run_settings first = {{{"objective", "dpo"},
                                        {"data", "@choices.jsonl"},
                                        {"train", "lora"},
                                        {"lora_dropout", "0"},
                                        {"learning_rate", "1e-2"}}};
    run_settings second = first;
    pg_train_report report = run_all("preferred", &sft, &first);
    assert_true(report.train.loss < 0.6);
    memcpy(second.pairs[5], (const char *[]){"adapter", "@preferred/last"}, sizeof second.pairs[5]);
    pg_trainer *trainer = run_open("further", &sft, &second);
    report = run_step(trainer, 1);
    if (!(fabs(report.train.loss - log(2)) < 1e-5))
        fail_msg("the first loss is %g", report.train.loss);
    pg_trainer_close(trainer);
}

/* ---------------------------------------------------------------- measuring and stopping */

static pg_measurement measure(const run_settings *validation)
{
    pg_measurement out;
    pg_trainer *trainer = run_open("measured", &sft, validation);
    CHECK_OK(pg_trainer_validate(&out, trainer));
    pg_trainer_close(trainer);
    return out;
}

/* Weights are for training: every row is measured once. Where some are enough, they are of each set. */
static void all_validation_sets_are_measured(void **state)
{
    (void)state;
    static const run_settings one = {{{"validation", "@sft.jsonl"}}}, other = {{{"validation", "@long.jsonl"}}},
                              both = {{{"validation", "@sft.jsonl,weight=9"}, {"validation", "@long.jsonl,weight=1"}}},
                              some = {{{"validation", "@sft.jsonl"},
                                       {"validation", "@long.jsonl"},
                                       {"validation_rows", "4"}}};
    run_write_rows("long.jsonl", "\"prefix\": \"caption en\", \"suffix\": \"%s and once more %s\"");
    pg_measurement a = measure(&one), b = measure(&other), all = measure(&both), few = measure(&some);
    assert_int_equal(all.rows, 8);
    assert_int_equal(all.tokens, a.tokens + b.tokens);
    assert_true(all.loss > fmin(a.loss, b.loss) && all.loss < fmax(a.loss, b.loss));
    assert_int_equal(few.rows, 4);
    assert_true(few.tokens > a.tokens && few.tokens < b.tokens);
}

static uint64_t validation_rows(const char *setting)
{
    const run_settings more = {{{"validation", setting}}};
    pg_trainer *trainer = run_open("measured", &sft, &more);
    uint64_t rows = pg_mixture_count(trainer->validation.mixture);
    pg_trainer_close(trainer);
    return rows;
}

/* Of a folder, the part that is for it; that of training only where it is named. */
static void folders_are_validated_by_their_part(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder_file("parts"), 0777), 0);
    assert_int_equal(mkdir(folder_file("parts/validation"), 0777), 0);
    run_write_rows("parts/metadata.jsonl", "\"prefix\": \"caption en\", \"suffix\": \"%s\"");
    assert_int_equal(validation_rows("@parts"), 4);
    const char row[] = "{\"prefix\": \"p\", \"suffix\": \"s\"}\n";
    folder_write("parts/validation/metadata.jsonl", row, sizeof row - 1);
    assert_int_equal(validation_rows("@parts"), 1);
    assert_int_equal(validation_rows("@parts,split=train"), 4);
}

/* The model, whose projector makes no numbers of pictures. */
static void write_blind_model(void)
{
    static float nothing[64];
    pg_safetensors *file;
    pg_array arrays[128];
    pg_model *model;
    for (size_t i = 0; i < 64; i++)
        nothing[i] = NAN;
    CHECK_OK(pg_model_open(&model, PALIGEMMA));
    CHECK_OK(pg_model_save(folder_file("blind"), model, NULL));
    pg_model_close(model);
    CHECK_OK(pg_safetensors_open(&file, folder_file("blind/model.safetensors")));
    size_t count = pg_safetensors_count(file);
    assert_true(count <= 128);
    for (size_t i = 0; i < count; i++) {
        arrays[i] = *pg_safetensors_at(file, i);
        if (strstr(arrays[i].name, "projector.linear.bias"))
            arrays[i].data = nothing;
    }
    CHECK_OK(pg_safetensors_save(folder_file("blind/model.safetensors"), arrays, count));
    pg_safetensors_close(file);
}

/* Rows without pictures are learned; those with pictures, which are held out, have no loss. No model is called the best
 * for it. */
static void validation_without_a_number_ends(void **state)
{
    (void)state;
    static const run_settings blind = {{{"model", "@blind"},
                                        {"data", "@texts.jsonl"},
                                        {"validation", "@sft.jsonl"},
                                        {"train", "decoder"},
                                        {"steps", "1"}}};
    pg_train_report report;
    write_blind_model();
    folder_write("texts.jsonl", "{\"prefix\": \"p\", \"suffix\": \"s\"}\n", 31);
    pg_trainer *trainer = run_open("unmeasured", &sft, &blind);
    CHECK_FAILS(pg_trainer_step(&report, trainer), PG_ERROR_FORMAT,
                "step 1: the validation loss is not finite; there is no checkpoint yet");
    assert_true(isfinite(report.train.loss));
    pg_trainer_close(trainer);
    assert_false(pg_file_exists(folder_file("unmeasured/best")));
    assert_false(pg_file_exists(folder_file("unmeasured/last")));
    assert_false(pg_file_exists(folder_file("unmeasured/checkpoint.safetensors")));
}

/* Validation sees the averages, which are also what is written. */
static void averages_are_measured_and_saved(void **state)
{
    (void)state;
    static const run_settings average = {{{"average", "0.8"}, {"validation", "@sft.jsonl"}}},
                              fresh = {{{"model", "@averaged"}, {"validation", "@sft.jsonl"}}};
    pg_measurement averaged, reloaded, plain;
    pg_trainer *trainer = run_open("averages", &sft, &average);
    run_step(trainer, 5);
    CHECK_OK(pg_trainer_validate(&averaged, trainer));
    CHECK_OK(pg_trainer_export(folder_file("averaged"), trainer));
    CHECK_FAILS(pg_trainer_export(folder_file("averaged"), trainer), PG_ERROR_FILE, "is there already");
    pg_optimizer *optimizer = trainer->optimizer;
    trainer->optimizer = NULL; /* the values themselves */
    CHECK_OK(pg_trainer_validate(&plain, trainer));
    trainer->optimizer = optimizer;
    pg_trainer_close(trainer);
    trainer = run_open("again", &sft, &fresh);
    CHECK_OK(pg_trainer_validate(&reloaded, trainer));
    pg_trainer_close(trainer);
    assert_true(averaged.loss == reloaded.loss);
    assert_true(fabs(averaged.loss - plain.loss) > 1e-3);
}

static void patience_ends(void **state)
{
    (void)state;
    static const run_settings still = {{{"learning_rate", "0"},
                                        {"steps", "50"},
                                        {"validation", "@sft.jsonl"},
                                        {"validate_every", "1"},
                                        {"patience", "2"}}};
    pg_train_report report = run_all("patience", &sft, &still);
    assert_true(report.finished);
    assert_int_equal(report.step, 3);
    assert_true(pg_file_exists(folder_file("patience/last/model.safetensors")));
    assert_true(pg_file_exists(folder_file("patience/best/model.safetensors")));
    report = run_all("patience", &sft, &still); /* nothing is left to do */
    assert_int_equal(report.step, 3);
    assert_int_equal(report.train.rows, 0);
}

/* Steps until one fails. */
static void check_breaks(const char *out, const run_settings *more, const char *part)
{
    size_t size = 0, after = 0;
    pg_train_report report = {0};
    pg_status status = PG_OK;
    pg_trainer *trainer = run_open(out, &sft, more);
    while (status == PG_OK && !report.finished)
        status = pg_trainer_step(&report, trainer);
    CHECK_FAILS(status, PG_ERROR_FORMAT, part);
    assert_non_null(strstr(pg_error_last(), "step "));
    assert_non_null(strstr(pg_error_last(), "sft.jsonl:"));
    assert_non_null(strstr(pg_error_last(), "and 1 more"));
    assert_non_null(strstr(pg_error_last(), "the last good checkpoint is "));
    pg_trainer_close(trainer);
    char *before = run_read(&size, out, "checkpoint.safetensors");
    trainer = run_open(out, &sft, more); /* which it goes on from */
    pg_trainer_close(trainer);
    char *now = run_read(&after, out, "checkpoint.safetensors");
    assert_true(size == after && !memcmp(before, now, size));
    free(before);
    free(now);
}

static void broken_runs_stop(void **state)
{
    (void)state;
    static const run_settings diverging = {{{"optimizer", "sgd"},
                                            {"clip", "0"},
                                            {"learning_rate", "2"},
                                            {"warmup", "30"},
                                            {"steps", "400"},
                                            {"save_every", "1"},
                                            {"divergence", "1.2"}}},
                              infinite = {{{"optimizer", "sgd"},
                                           {"clip", "0"},
                                           {"learning_rate", "1e3"},
                                           {"warmup", "0"},
                                           {"steps", "400"},
                                           {"save_every", "1"},
                                           {"divergence", "0"}}};
    check_breaks("diverging", &diverging, "the loss diverges");
    check_breaks("infinite", &infinite, "not finite");
}

/* ---------------------------------------------------------------- files */

/* In a process of its own: files end at 100 kB, as on a full disk. */
static void run_on_a_full_disk(void)
{
    static const run_settings often = {{{"save_every", "2"}}};
    const struct rlimit limit = {100 << 10, RLIM_INFINITY};
    pg_train_config *config = run_config("full", &sft, &often);
    pg_trainer *trainer;
    pg_train_report report;
    signal(SIGXFSZ, SIG_IGN);
    pg_status status = pg_trainer_open(&trainer, config);
    if (status == PG_OK && pg_trainer_step(&report, trainer) == PG_OK && pg_trainer_step(&report, trainer) == PG_OK)
        status = setrlimit(RLIMIT_FSIZE, &limit) ? PG_ERROR_FILE : pg_trainer_step(&report, trainer);
    bool good = status == PG_OK && pg_trainer_step(&report, trainer) == PG_ERROR_FILE &&
                strstr(pg_error_last(), "checkpoint.safetensors: cannot be written");
    if (!good)
        fprintf(stderr, "%s\n", pg_error_last());
    pg_trainer_close(trainer);
    pg_train_config_free(config);
    _exit(good ? 0 : 1);
}

static void a_full_disk_leaves_the_checkpoint(void **state)
{
    (void)state;
    int code;
    pid_t child = fork();
    if (child == 0)
        run_on_a_full_disk();
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    pg_trainer *trainer = run_open("full", &sft, NULL);
    assert_int_equal(run_step(trainer, 1).step, 3); /* behind the checkpoint of step 2 */
    pg_trainer_close(trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_leaves_the_checkpoint), /* first: it forks before there are threads */
        cmocka_unit_test(photos_are_learned_by_heart),
        cmocka_unit_test(every_objective_learns),
        cmocka_unit_test(the_decoder_counts_where_it_reads),
        cmocka_unit_test(parts_are_the_whole_batch),
        cmocka_unit_test(presets_train_what_they_say),
        cmocka_unit_test(gradients_have_published_names),
        cmocka_unit_test(frozen_weights_stay_mapped),
        cmocka_unit_test(quantised_models_are_adapted),
        cmocka_unit_test(preferences_go_on_from_an_adapter),
        cmocka_unit_test(all_validation_sets_are_measured),
        cmocka_unit_test(folders_are_validated_by_their_part),
        cmocka_unit_test(validation_without_a_number_ends),
        cmocka_unit_test(averages_are_measured_and_saved),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(broken_runs_stop),
    };
    return cmocka_run_group_tests(tests, run_setup, folder_teardown);
}

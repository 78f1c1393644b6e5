/* src/train/settings and recipes: names, values, files, and what comes before what. */
#include "training_run.h"

#include "sweep.h"
#include "train/settings.h"

static pg_train_config *fresh(void)
{
    pg_train_config *config;
    CHECK_OK(pg_train_config_new(&config));
    return config;
}

static const char *write_config(const char *json)
{
    return folder_write("config.json", json, strlen(json));
}

static void every_setting_comes_back(void **state)
{
    (void)state;
    pg_train_config *config = fresh(), *again = fresh();
    const pg_train_setting *s;
    size_t count = 0;
    for (; (s = pg_train_setting_at(count)); count++) {
        assert_true(strlen(s->name) > 0 && strlen(s->help) > 0);
        const char *value = !s->argument ? "true" : strchr(s->argument, '|') ? strrchr(s->argument, '|') + 1 : "1";
        if (!strcmp(s->name, "threads") || !strcmp(s->name, "text_length"))
            value = "12";
        CHECK_OK(pg_train_config_set(config, s->name,
                                     strstr("lora_dropout beta1 beta2 momentum average label_smoothing dropout "
                                            "brightness contrast saturation",
                                            s->name)
                                         ? "0.3"
                                         : value));
    }
    assert_true(count > 55);
    json_t *one, *other;
    CHECK_OK(pg_train_config_json(&one, config));
    assert_int_equal(json_object_size(one), count);
    CHECK_OK(pg_json_save(one, folder_file("all.json")));
    CHECK_OK(pg_train_config_set(config, "recipe", "caption")); /* the name alone sets nothing */
    json_object_del(one, "recipe");
    CHECK_OK(pg_json_save(one, folder_file("all.json")));
    CHECK_OK(pg_train_config_load(again, folder_file("all.json")));
    CHECK_OK(pg_train_config_json(&other, again));
    json_object_del(other, "recipe");
    assert_true(json_equal(one, other));
    json_decref(one);
    json_decref(other);
    pg_train_config_free(config);
    pg_train_config_free(again);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *error;
    } cases[] = {
        {"lerning_rate", "1", "there is no setting \"lerning_rate\"; the nearest is \"learning_rate\""},
        {"mico-batch", "1", "the nearest is \"micro_batch\""},
        {"", "1", "there is no setting"},
        {"steps", "many", "\"many\" is not a whole number"},
        {"steps", "1.5", "\"1.5\" is not a whole number"},
        {"steps", "-1", "from 0"},
        {"steps", "99999999999999999999", "is not a whole number"},
        {"learning_rate", "nan", "is not a number"},
        {"learning_rate", "", "is not a number"},
        {"dropout", "1", "from 0 to 0.99"},
        {"batch", "0", "from 1"},
        {"optimizer", "adam", "\"adam\" is none of adamw|adamw8|adafactor|sgd|muon"},
        {"optimizer", "", "is none of"},
        {"checkpointing", "perhaps", "neither true nor false"},
        {"data", "a.jsonl,weight", "is not key=value"},
        {"data", "a.jsonl,wait=1", "\"wait\" is nothing that data has"},
        {"data", "a.jsonl,weight=x", "\"x\" is not a number"},
        {"data", "a.jsonl,bpe_dropout=2", "\"2\" is not a number from 0 to 1"},
        {"out", "runs/\xff", "out: the text is not UTF-8"},
        {"data", "\xc3.jsonl", "data: the text is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_train_config *config = fresh();
        CHECK_FAILS(pg_train_config_set(config, cases[i].name, cases[i].value), PG_ERROR_ARGUMENT, cases[i].error);
        pg_train_config_free(config);
    }
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{\"stepz\": 3}", "config.json: there is no setting \"stepz\"; the nearest is \"steps\""},
        {"[1]", "expected an object"},
        {"{\"steps\": [1]}", "neither text nor number"},
        {"{\"steps\": {}}", "neither text nor number"},
        {"{\"steps\": 1.5}", "is not a whole number"},
        {"{\"data\": 7}", "expected file names"},
        {"{\"data\": [{\"weight\": 1}]}", "without \"path\""},
        {"{\"data\": [{\"path\": \"a\", \"pat\": 1}]}", "\"pat\" is nothing that data has"},
        {"{\"recipe\": \"soup\"}", "there is no recipe \"soup\"; there are caption"},
        {"{\"steps\": 1", "config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_train_config *config = fresh();
        pg_status status = pg_train_config_load(config, write_config(cases[i].json));
        if (status == PG_OK || !strstr(pg_error_last(), cases[i].error))
            fail_msg("%s: %d, \"%s\"", cases[i].json, status, pg_error_last());
        pg_train_config_free(config);
    }
}

static void data_sets_have_fields(void **state)
{
    (void)state;
    pg_train_config *config = fresh();
    CHECK_OK(pg_train_config_set(config, "data", "a.jsonl,weight=0.5,images=photos,prefix=caption es"));
    CHECK_OK(pg_train_config_set(config, "data", "b.json,repeat=3,kind=coco-captions"));
    assert_int_equal(config->data.count, 2);
    assert_string_equal(config->data.items[0].images, "photos");
    assert_string_equal(config->data.items[0].prefix, "caption es");
    assert_true(config->data.items[0].weight == 0.5 && config->data.items[1].repeat == 3);
    CHECK_OK(pg_train_config_load(config, write_config("{\"data\": [\"c.jsonl\", {\"path\": \"d\", \"weight\": 2}]}")));
    assert_int_equal(config->data.count, 2); /* instead of the others */
    assert_string_equal(config->data.items[1].path, "d");
    pg_train_config_free(config);
}

/* ---------------------------------------------------------------- recipes */

static void recipes_are_those_that_are_named(void **state)
{
    (void)state;
    char names[] = PG_RECIPE_NAMES, *rest = NULL;
    size_t count = 0;
    for (char *name = strtok_r(names, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest), count++) {
        pg_train_config *config = fresh();
        CHECK_OK(pg_train_config_use(config, name));
        assert_string_equal(config->recipe, name);
        pg_train_config_free(config);
    }
    assert_int_equal(count, 40);
}

/* Figures of the published table. */
static void recipes_are_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double rate, decay, epochs, smoothing, dropout;
        int64_t batch, length;
    } cases[] = {
        {"docvqa", 1e-5, 1e-6, 10, 0, 0, 256, 32},      {"textvqa-448", 3e-6, 0, 10, 0, 0, 256, 32},
        {"infovqa-896", 3e-6, 1e-6, 3, 0.4, 0, 32, 48}, {"chartqa", 1e-5, 1e-6, 30, 0.2, 0.1, 256, 48},
        {"nlvr2", 1e-5, 1e-6, 3, 0, 0, 256, 64},        {"nlvr2-448", 3e-6, 1e-6, 10, 0, 0, 256, 64},
        {"scienceqa", 1e-5, 0, 20, 0, 0, 128, 512},     {"widgetcap", 3e-6, 3e-7, 4, 0.1, 0.1, 64, 32},
        {"refcoco-896", 1e-5, 0, 100, 0.3, 0, 64, 48},  {"own-data", 1e-5, 3e-7, 15, 0, 0, 32, 128},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_train_config *config = fresh();
        CHECK_OK(pg_train_config_use(config, cases[i].name));
        assert_true(config->learning_rate == cases[i].rate && config->weight_decay == cases[i].decay);
        assert_true(config->epochs == cases[i].epochs && config->label_smoothing == cases[i].smoothing);
        assert_true(config->dropout == cases[i].dropout && config->batch == cases[i].batch);
        assert_int_equal(config->text_length, cases[i].length);
        pg_train_config_free(config);
    }
}

/* What a file says counts more than its recipe, wherever that stands. */
static void files_come_after_their_recipe(void **state)
{
    (void)state;
    pg_train_config *config = fresh();
    CHECK_OK(pg_train_config_load(config, write_config("{\"batch\": 16, \"recipe\": \"nlvr2\", \"clip\": 0.5}")));
    assert_int_equal(config->batch, 16);
    assert_int_equal(config->text_length, 64);
    assert_true(config->clip == 0.5);
    pg_train_config_free(config);
}

/* ---------------------------------------------------------------- failures of memory */

static pg_status make_and_load(void)
{
    pg_train_config *config = NULL;
    pg_status status = PG_OK;
    PG_TRY_GOTO(pg_train_config_new(&config));
    PG_TRY_GOTO(pg_train_config_set(config, "data", "a.jsonl,images=photos"));
    PG_TRY_GOTO(pg_train_config_load(config, folder_file("swept.json")));
done:
    pg_train_config_free(config);
    return status;
}

static void short_of_memory(void **state)
{
    (void)state;
    static const char json[] =
        "{\"recipe\": \"attention\", \"data\": [{\"path\": \"b\"}, \"c,prefix=x\"], \"train\": \"lora\"}";
    folder_write("swept.json", json, sizeof json - 1);
    CHECK_SWEEP(make_and_load());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_comes_back),         cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(wrong_files_are_refused),          cmocka_unit_test(data_sets_have_fields),
        cmocka_unit_test(recipes_are_those_that_are_named), cmocka_unit_test(recipes_are_as_published),
        cmocka_unit_test(files_come_after_their_recipe),    cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

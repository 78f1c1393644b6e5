/* Where the models that ship are found, whether they are installed or not. */
#include "temporary_folder.h"

#include <sys/stat.h>

#include "sweep.h"

static void make_models(void)
{
    mkdir(folder_file("world"), 0777);
    mkdir(folder_file("world-siglip"), 0777);
    folder_write("world/config.json", "{}", 2);
    folder_write("world/mask_codec.npz", "", 0);
    setenv("PALIGEMMA_MODELS", folder_path, 1);
}

static void named_by_the_environment(void **state)
{
    char *path;
    (void)state;
    make_models();
    CHECK_OK(pg_default_model(&path, PG_MODEL_PALIGEMMA));
    assert_string_equal(path, folder_file("world"));
    pg_free(path);
    CHECK_OK(pg_default_mask_codec(&path));
    assert_string_equal(path, folder_file("world/mask_codec.npz"));
    pg_free(path);
    CHECK_FAILS(pg_default_model(&path, PG_MODEL_SIGLIP), PG_ERROR_FILE, folder_path); /* an empty folder is none */
    assert_null(path);
    CHECK_FAILS(pg_default_model(&path, PG_MODEL_GEMMA), PG_ERROR_ARGUMENT, "no Gemma");
}

/* Whatever is installed: a folder with a model, or an error that names the places. */
static void beside_the_library(void **state)
{
    char *path;
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        if (empty)
            setenv("PALIGEMMA_MODELS", "", 1);
        else
            unsetenv("PALIGEMMA_MODELS");
        pg_status status = pg_default_model(&path, PG_MODEL_PALIGEMMA);
        if (status == PG_OK)
            assert_true(pg_file_is_folder(path));
        else
            CHECK_FAILS(pg_default_model(&path, PG_MODEL_PALIGEMMA), PG_ERROR_FILE, "/share/paligemma/models");
        pg_free(path);
    }
}

static pg_status train_with(const char *objective, const char *data, const char *folder)
{
    pg_train_config *config;
    PG_TRY(pg_train_config_new(&config));
    pg_status status = pg_train_config_set(config, "objective", objective);
    if (status == PG_OK && data)
        status = pg_train_config_set(config, "data", data);
    if (status == PG_OK)
        status = pg_train_config_complete(config, folder);
    pg_train_config_free(config);
    return status;
}

static void of_training(void **state)
{
    (void)state;
    make_models();
    CHECK_OK(train_with("sft", NULL, NULL));
    CHECK_FAILS(train_with("siglip", NULL, NULL), PG_ERROR_FILE, "model: not given");
    CHECK_OK(train_with("siglip", NULL, "named"));
    CHECK_OK(train_with("maskcodec", NULL, NULL));
    CHECK_OK(train_with("sft", "x,kind=coco-segment", NULL));
    assert_int_equal(unlink(folder_file("world/mask_codec.npz")), 0);
    CHECK_FAILS(train_with("sft", "x,kind=mask-folders", NULL), PG_ERROR_FILE, "codec: not given");
    CHECK_FAILS(train_with("sft", "x,kind=mask-folders", "elsewhere"), PG_ERROR_FILE, "there is none in elsewhere");
}

static pg_status find_again(void)
{
    char *path;
    pg_status status = pg_default_model(&path, PG_MODEL_SIGLIP);
    pg_free(path);
    return status == PG_ERROR_FILE ? PG_OK : status;
}

static void short_of_memory(void **state)
{
    (void)state;
    CHECK_SWEEP(find_again());
    unsetenv("PALIGEMMA_MODELS");
    CHECK_SWEEP(find_again());
    CHECK_SWEEP(train_with("sft", NULL, "named"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_by_the_environment),
        cmocka_unit_test(beside_the_library),
        cmocka_unit_test(of_training),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

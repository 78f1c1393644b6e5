/* A pull through the library, with every allocation failing once, from the server that tests/cli/pull.sh uses too. */
#include "temporary_folder.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sweep.h"

static pid_t server;

static int start_server(void **state)
{
    char address[128] = "";
    if (folder_setup(state) != 0 || mkdir(folder_file("org"), 0777) != 0 || mkdir(folder_file("org/model"), 0777) != 0)
        return -1;
    folder_write("org/model/config.json", "{}", 2);
    folder_write("org/model/model.safetensors", "weights", 7);
    server = fork();
    if (server == 0) {
        execlp("python3", "python3", PG_TESTS_FOLDER "/scripts/hub_server.py", folder_path, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && !pg_file_exists(folder_file("address")); i++)
        usleep(20000);
    FILE *file = fopen(folder_file("address"), "r");
    if (!file || !fgets(address, sizeof address, file))
        return -1;
    fclose(file);
    setenv("HF_ENDPOINT", address, 1);
    setenv("HF_HUB_CACHE", folder_file("cache"), 1);
    setenv("HF_TOKEN", "hf_word", 1);
    setenv("no_proxy", "127.0.0.1,127.0.0.2", 1);
    unsetenv("HF_HUB_OFFLINE");
    unsetenv("TRANSFORMERS_OFFLINE");
    return 0;
}

static int stop_server(void **state)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return folder_teardown(state);
}

static pg_status pull(void)
{
    char *folder;
    PG_TRY(pg_hub_pull(&folder, "org/model", NULL));
    pg_free(folder);
    return PG_OK;
}

static void short_of_memory(void **state)
{
    char *folder;
    pg_buffer path = {0}, content = {0};
    (void)state;
    CHECK_SWEEP(pull());
    CHECK_OK(pg_hub_pull(&folder, "hub:org/model@main", NULL));
    CHECK_OK(pg_file_join(&path, folder, "model.safetensors"));
    CHECK_OK(pg_file_read(&content, path.data, 100));
    assert_string_equal(content.data, "weights");
    pg_buffer_free(&path);
    pg_buffer_free(&content);
    pg_free(folder);
}

static bool refuse(void *user, const pg_hub_progress *progress)
{
    (void)progress;
    *(int *)user += 1;
    return false;
}

static void cancelled(void **state)
{
    char *folder;
    int calls = 0;
    pg_hub_options options;
    (void)state;
    pg_hub_options_init(&options);
    options.on_progress = refuse;
    options.user = &calls;
    CHECK_FAILS(pg_hub_pull(&folder, "org/model", &options), PG_ERROR_CANCELLED, "cancelled");
    assert_null(folder);
    assert_int_equal(calls, 1);
    options.on_progress = NULL;
    options.connections = 65;
    CHECK_FAILS(pg_hub_pull(&folder, "org/model", &options), PG_ERROR_ARGUMENT, "expected 1 to 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_of_memory),
        cmocka_unit_test(cancelled),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

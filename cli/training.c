#include "training.h"

#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "fetching.h"

pg_cli_option pg_cli_settings_options[PG_CLI_SETTINGS + 2];

static char names[PG_CLI_SETTINGS][32];

static bool is_list(const pg_train_setting *setting)
{
    return strcmp(setting->name, "data") == 0 || strcmp(setting->name, "validation") == 0;
}

static char letter_of(const char *name)
{
    return strcmp(name, "model") == 0 ? 'm' : strcmp(name, "out") == 0 ? 'o' : strcmp(name, "threads") == 0 ? 't' : 0;
}

void pg_cli_settings_prepare(void)
{
    pg_cli_settings_options[0] = (pg_cli_option){.name = "config",
                                                 .argument = "FILE",
                                                 .kind = PG_CLI_TEXT,
                                                 .offset = offsetof(pg_cli_settings, config),
                                                 .help = "a JSON object of settings; options come after them"};
    const pg_train_setting *setting;
    for (size_t i = 0; i < PG_CLI_SETTINGS && (setting = pg_train_setting_at(i)); i++) {
        snprintf(names[i], sizeof names[i], "%s", setting->name);
        for (char *at = names[i]; (at = strchr(at, '_'));)
            *at = '-';
        pg_cli_settings_options[i + 1] =
            (pg_cli_option){.name = names[i],
                            .letter = letter_of(setting->name),
                            .argument = setting->argument,
                            .kind = is_list(setting)    ? PG_CLI_LIST
                                    : setting->argument ? PG_CLI_TEXT
                                                        : PG_CLI_FLAG,
                            .offset = offsetof(pg_cli_settings, values) + i * sizeof(pg_cli_list),
                            .help = setting->help};
    }
}

static int set_value(pg_train_config *config, const pg_cli_settings *settings, size_t i)
{
    const pg_train_setting *setting = pg_train_setting_at(i);
    if (is_list(setting)) {
        const pg_cli_list *list = &settings->values[i].list;
        for (size_t k = 0; k < list->count; k++)
            if (pg_train_config_set(config, setting->name, list->items[k]) != PG_OK)
                return pg_cli_check(PG_ERROR_ARGUMENT);
        return PG_CLI_DONE;
    }
    if (!setting->argument)
        return settings->values[i].flag ? pg_cli_check(pg_train_config_set(config, setting->name, "true"))
                                        : PG_CLI_DONE;
    const char *text = settings->values[i].text;
    return text ? pg_cli_check(pg_train_config_set(config, setting->name, text)) : PG_CLI_DONE;
}

/* Models may be named by their names on the hub; the run then knows their folders. */
static int fetch_models(pg_train_config *config)
{
    static const char *const names_of_models[] = {"model", "reference", "text_model", "adapter"};
    for (size_t i = 0; i < sizeof names_of_models / sizeof *names_of_models; i++) {
        const char *given = pg_train_config_text(config, names_of_models[i]), *folder = given;
        int code = pg_cli_fetch(&folder);
        if (code == PG_CLI_DONE && folder != given)
            code = pg_cli_check(pg_train_config_set(config, names_of_models[i], folder));
        if (code != PG_CLI_DONE)
            return code;
    }
    return PG_CLI_DONE;
}

static int make(pg_train_config *config, const pg_cli_settings *settings)
{
    int code = PG_CLI_DONE;
    for (size_t i = 0; code == PG_CLI_DONE && pg_train_setting_at(i); i++)
        if (strcmp(pg_train_setting_at(i)->name, "recipe") == 0 && settings->values[i].text)
            code = pg_cli_check(pg_train_config_use(config, settings->values[i].text));
    if (code == PG_CLI_DONE && settings->config)
        code = pg_cli_check(pg_train_config_load(config, settings->config));
    for (size_t i = 0; code == PG_CLI_DONE && pg_train_setting_at(i); i++)
        code = set_value(config, settings, i);
    if (code == PG_CLI_DONE && !pg_train_config_text(config, "device"))
        code = pg_cli_check(pg_train_config_set(config, "device", pg_cli_device_named(NULL)));
    if (code == PG_CLI_DONE)
        code = pg_cli_check(pg_train_config_complete(config, pg_cli_model_named(NULL)));
    return code == PG_CLI_DONE ? fetch_models(config) : code;
}

int pg_cli_settings_make(pg_train_config **out, const pg_cli_settings *settings)
{
    int code = pg_cli_check(pg_train_config_new(out));
    if (code == PG_CLI_DONE)
        code = make(*out, settings);
    if (code != PG_CLI_DONE) {
        pg_train_config_free(*out);
        *out = NULL;
    }
    return code;
}

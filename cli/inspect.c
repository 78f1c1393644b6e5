/* paligemma inspect: what a model is, and what it will need. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"

typedef struct inspect_settings {
    const char *model;
    bool json;
} inspect_settings;

static const pg_cli_option inspect_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(inspect_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_model_options, offsetof(inspect_settings, model)},
    {"Output", inspect_options, 0},
    {0},
};

/* 2923466480 -> 2,923,466,480 */
static char *group_digits(json_int_t number)
{
    char *plain = pg_cli_text("%lld", (long long)number);
    size_t length = strlen(plain), used = 0;
    char *grouped = pg_cli_alloc(2 * length + 1, 1);
    for (size_t i = 0; i < length; i++) {
        grouped[used++] = plain[i];
        if (plain[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0)
            grouped[used++] = ',';
    }
    free(plain);
    return grouped;
}

static char *describe_value(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING: return pg_cli_text("%s", json_string_value(value));
    case JSON_INTEGER: return group_digits(json_integer_value(value));
    case JSON_REAL: return pg_cli_text("%g", json_real_value(value));
    case JSON_TRUE: return pg_cli_text("yes");
    case JSON_FALSE: return pg_cli_text("no");
    default: return pg_cli_text("-");
    }
}

static void print_entry(const char *key, const json_t *value, int indent);

static void print_list(const char *key, const json_t *list, int indent)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(list, i, entry)
    {
        print_entry(i == 0 ? key : "", entry, indent);
    }
}

/* The depth of recursion is that of the library's own description. */
static void print_entry(const char *key, const json_t *value, int indent)
{
    const char *name;
    json_t *entry;
    if (json_is_array(value)) {
        print_list(key, value, indent);
    } else if (json_is_object(value)) {
        pg_cli_print("%*s%s\n", indent, "", key);
        json_object_foreach((json_t *)value, name, entry)
        {
            print_entry(name, entry, indent + 2);
        }
    } else {
        char *text = describe_value(value);
        pg_cli_print("%*s%-*s %s\n", indent, "", 24 - indent, key, text);
        free(text);
    }
}

static int print_table(const char *description)
{
    const char *key;
    json_t *value;
    json_error_t error;
    json_t *object = json_loads(description, 0, &error);
    if (!object)
        return pg_cli_fail("the description of the model: %s", error.text);
    json_object_foreach(object, key, value)
    {
        print_entry(key, value, 0);
    }
    json_decref(object);
    return PG_CLI_DONE;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    inspect_settings *settings = memory;
    pg_model *model = NULL;
    const char *folder;
    char *description = NULL;
    int code;
    (void)operands;
    PG_CLI_TRY(pg_cli_model_find(&folder, command, settings->model, 1u << PG_MODEL_PALIGEMMA));
    PG_CLI_TRY(pg_cli_check(pg_model_open(&model, folder)));
    PG_CLI_TRY(pg_cli_check(pg_model_describe(&description, model)));
    if (settings->json)
        pg_cli_print("%s\n", description);
    else
        code = print_table(description);
done:
    pg_free(description);
    if (model)
        pg_model_close(model);
    return code;
}

const pg_cli_command pg_cli_inspect = {
    .name = "inspect",
    .usage = "[-m MODEL] [--json]",
    .summary = "check a model's files and say what it is",
    .details = "Checks every tensor in the files against the configuration, and prints architecture, shapes, "
               "parameters, dtypes, and the memory that the model will need in bytes.",
    .groups = groups,
    .settings_size = sizeof(inspect_settings),
    .run = run,
};

/* base/reals.c and what stands on it: numbers have a point where setlocale() asks for a comma. */
#include "training_run.h"

#include <locale.h>

#include "base/json.h"
#include "base/reals.h"
#include "train/run_records.h"
#include "train/settings.h"

static const char rules[] = "LC_NUMERIC\n"
                            "decimal_point \",\"\n"
                            "thousands_sep \".\"\n"
                            "grouping 3;3\n"
                            "END LC_NUMERIC\n";

/* A language of our own, for none need be installed. */
static int setup(void **state)
{
    char command[1200];
    if (folder_setup(state) != 0)
        return -1;
    folder_write("rules", rules, sizeof rules - 1);
    snprintf(command, sizeof command, "localedef -c -i %s/rules --no-archive %s/xx_XX >/dev/null 2>&1", folder_path,
             folder_path);
    if (system("command -v localedef >/dev/null 2>&1") != 0)
        return 0;
    return system(command) == -1 || setenv("LOCPATH", folder_path, 1) != 0 || !setlocale(LC_NUMERIC, "xx_XX") ? -1 : 0;
}

static int teardown(void **state)
{
    setlocale(LC_NUMERIC, "C");
    return folder_teardown(state);
}

/* The C library writes commas; true only where there is no localedef. */
static bool have_point(void)
{
    char text[8];
    snprintf(text, sizeof text, "%.1f", 0.5);
    return strcmp(text, "0,5") != 0;
}

static void check_read(const char *text, double value, const char *rest)
{
    char *end;
    double found = pg_read_real(text, &end);
    assert_true(found == value);
    assert_string_equal(end, rest);
}

static void numbers_are_read(void **state)
{
    (void)state;
    if (have_point())
        skip();
    check_read("0.5", 0.5, "");
    check_read("-1234.25e2,", -123425, ",");
    check_read("0x1.8p1 ", 3, " ");
    check_read("0,5", 0, ",5");
    check_read(".", 0, ".");
}

static void numbers_are_written(void **state)
{
    (void)state;
    char text[32];
    pg_buffer buffer = {0};
    if (have_point())
        skip();
    assert_int_equal(pg_print(text, sizeof text, "%g %.2f %d", 0.5, 1234.5, 7), 13);
    assert_string_equal(text, "0.5 1234.50 7");
    assert_int_equal(pg_print(text, 3, "%a", 1.5), 8);
    assert_string_equal(text, "0x");
    CHECK_OK(pg_buffer_print(&buffer, "[%.3f", 0.25));
    CHECK_OK(pg_buffer_print(&buffer, ",%g]", 1e-5));
    assert_string_equal(buffer.data, "[0.250,1e-05]");
    pg_fail(PG_ERROR_ARGUMENT, "share: %g", 0.75);
    assert_string_equal(pg_error_last(), "share: 0.75");
    assert_false(have_point()); /* the caller's language is as it was */
    pg_buffer_free(&buffer);
}

static void documents_have_points(void **state)
{
    (void)state;
    json_t *document;
    pg_buffer text = {0};
    if (have_point())
        skip();
    CHECK_OK(pg_json_parse(&document, "[0.5, 1e-3]", 11, "x"));
    assert_true(json_real_value(json_array_get(document, 0)) == 0.5);
    CHECK_OK(pg_json_append(&text, document));
    assert_memory_equal(text.data, "[0.5, ", 6);
    assert_null(strstr(text.data, "0,"));
    json_decref(document);
    pg_buffer_free(&text);
}

static double setting(const pg_train_config *config, const char *name)
{
    json_t *values;
    CHECK_OK(pg_train_config_json(&values, config));
    double value = json_real_value(json_object_get(values, name));
    json_decref(values);
    return value;
}

static void settings_are_read(void **state)
{
    (void)state;
    static const char file[] = "{\"learning_rate\": 0.25, \"weight_decay\": \"0.125\"}";
    pg_train_config *config;
    if (have_point())
        skip();
    CHECK_OK(pg_train_config_new(&config));
    CHECK_OK(pg_train_config_set(config, "learning_rate", "0.001"));
    assert_true(setting(config, "learning_rate") == 0.001);
    CHECK_FAILS(pg_train_config_set(config, "learning_rate", "0,001"), PG_ERROR_ARGUMENT, "\"0,001\" is not a number");
    CHECK_OK(pg_train_config_load(config, folder_write("config.json", file, sizeof file - 1)));
    assert_true(setting(config, "learning_rate") == 0.25 && setting(config, "weight_decay") == 0.125);
    pg_train_config_free(config);
}

static void scalars_come_back(void **state)
{
    (void)state;
    const pg_scalar loss = {"loss", 0.125};
    pg_records *records;
    pg_record record;
    pg_buffer text = {0}, lines = {0};
    size_t offset = 0;
    if (have_point())
        skip();
    for (int64_t last = -1; last < 1; last++) { /* taken up again, too */
        CHECK_OK(pg_records_open(&records, folder_path, last));
        CHECK_OK(pg_records_add(records, last + 1, &loss, 1));
        pg_records_close(records);
    }
    CHECK_OK(pg_file_read(&text, folder_file(PG_RECORDS_CSV), 4096));
    for (int64_t step = 0; step < 2; step++) {
        assert_true(pg_record_next(&record, text.data, text.size, &offset));
        assert_true(record.step == step && record.value == 0.125 && record.time > 1e9);
    }
    assert_int_equal(offset, text.size);
    CHECK_OK(pg_file_read(&lines, folder_file(PG_RECORDS_JSON), 4096));
    assert_non_null(strstr(lines.data, "\"loss\": 0.125}"));
    pg_buffer_free(&text);
    pg_buffer_free(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),      cmocka_unit_test(numbers_are_written),
        cmocka_unit_test(documents_have_points), cmocka_unit_test(settings_are_read),
        cmocka_unit_test(scalars_come_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

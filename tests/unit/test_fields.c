/* Fields of requests: kinds, bounds, forms, what is ignored. */
#include "sweep.h"

#include "serve/fields.h"

typedef struct fields {
    const char *text;
    double number;
    int64_t integer;
    bool truth;
    pg_texts texts;
    const json_t *value;
} fields;

static const pg_field table[] = {
    {"text", PG_FIELD_TEXT, offsetof(fields, text), 0, 0},
    {"number", PG_FIELD_NUMBER, offsetof(fields, number), -1, 2},
    {"integer", PG_FIELD_INTEGER, offsetof(fields, integer), 0, 9.2e18},
    {"truth", PG_FIELD_TRUTH, offsetof(fields, truth), 0, 0},
    {"texts", PG_FIELD_TEXTS, offsetof(fields, texts), 0, 0},
    {"value", PG_FIELD_VALUE, offsetof(fields, value), 0, 0},
    {"ignored", PG_FIELD_IGNORED, 0, 0, 0},
    {"one", PG_FIELD_IGNORED, 0, 1, 1},
    {0},
};

/* The document stays for as long as the fields are looked at. */
static json_t *document, *warnings;

static pg_status read_fields(fields *out, const char *text, bool form)
{
    const pg_field *const tables[] = {table, NULL};
    *out = (fields){0};
    PG_TRY(pg_json_parse(&document, text, strlen(text), "test"));
    warnings = json_array();
    if (!warnings)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    return pg_fields_read(out, tables, document, form, warnings);
}

static void forget(fields *out)
{
    pg_free(out->texts.items);
    json_decref(document);
    json_decref(warnings);
    document = warnings = NULL;
}

static void test_kinds(void **state)
{
    (void)state;
    fields found;
    CHECK_OK(read_fields(&found,
                         "{\"text\": \"a\", \"number\": 1.5, \"integer\": 9007199254740993, \"truth\": true, "
                         "\"texts\": [\"b\", \"c\"], \"value\": {}, \"ignored\": 0, \"integers\": 3}",
                         false));
    assert_string_equal(found.text, "a");
    assert_true(found.number == 1.5);
    assert_true(found.integer == 9007199254740993);
    assert_true(found.truth && json_is_object(found.value));
    assert_int_equal(found.texts.count, 2);
    assert_string_equal(found.texts.items[1], "c");
    assert_int_equal(json_array_size(warnings), 1);
    assert_string_equal(json_string_value(json_array_get(warnings, 0)), "\"integers\" is unknown and ignored");
    forget(&found);
}

static void test_absent(void **state)
{
    (void)state;
    fields found;
    CHECK_OK(read_fields(&found, "{\"text\": null, \"texts\": \"one\", \"ignored\": \"x\"}", false));
    assert_null(found.text);
    assert_int_equal(found.texts.count, 1);
    assert_string_equal(json_string_value(json_array_get(warnings, 0)), "\"ignored\" is ignored");
    forget(&found);
}

static void test_neutral(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t warnings;
    } cases[] = {
        {"{\"ignored\": 0, \"one\": 1}", 0},    {"{\"ignored\": 0.0, \"one\": 1.0}", 0},
        {"{\"ignored\": 1, \"one\": 0}", 2},    {"{\"ignored\": null, \"one\": false}", 0},
        {"{\"ignored\": [], \"one\": {}}", 0},  {"{\"ignored\": \"\", \"one\": []}", 0},
        {"{\"ignored\": true, \"one\": 2}", 2}, {"{\"ignored\": [0], \"one\": \"1\"}", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fields found;
        CHECK_OK(read_fields(&found, cases[i].text, false));
        if (json_array_size(warnings) != cases[i].warnings)
            fail_msg("%s: %zu warnings", cases[i].text, json_array_size(warnings));
        forget(&found);
    }
}

/* A request may have any number of unknown fields, and its answer a few lines of them. */
static void test_many_warnings(void **state)
{
    (void)state;
    static const size_t counts[] = {31, 32, 33, 200};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fields found;
        char text[4000] = "{";
        for (size_t n = 0; n < counts[i]; n++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"n%zu\": 1", n ? ", " : "", n);
        strcat(text, "}");
        CHECK_OK(read_fields(&found, text, false));
        size_t size = json_array_size(warnings);
        assert_int_equal(size, counts[i] < 33 ? counts[i] : 33);
        assert_string_equal(json_string_value(json_array_get(warnings, size - 1)),
                            counts[i] == 31   ? "\"n30\" is unknown and ignored"
                            : counts[i] == 32 ? "\"n31\" is unknown and ignored"
                                              : "there is more to warn of, which is left out");
        forget(&found);
    }
}

static void test_forms(void **state)
{
    (void)state;
    fields found;
    CHECK_OK(
        read_fields(&found, "{\"text\": \"3\", \"number\": \"1e-1\", \"integer\": \"12\", \"truth\": \"true\"}", true));
    assert_string_equal(found.text, "3");
    assert_true(found.number == 0.1 && found.integer == 12 && found.truth);
    forget(&found);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool form;
        const char *why;
    } cases[] = {
        {"{\"text\": 5}", false, "\"text\": expected a string"},
        {"{\"text\": \"a\\u0000b\"}", false, "without NUL"},
        {"{\"number\": \"1\"}", false, "\"number\": expected a number"},
        {"{\"number\": \"1x\"}", true, "\"number\": expected a number"},
        {"{\"number\": \"\"}", true, "\"number\": expected a number"},
        {"{\"number\": \"nan\"}", true, "\"number\" is nan"},
        {"{\"number\": 2.1}", false, "\"number\" is 2.1, expected -1 to 2"},
        {"{\"integer\": 1.5}", false, "\"integer\": expected an integer"},
        {"{\"integer\": 1e19}", false, "\"integer\" is 1e+19"},
        {"{\"integer\": -1}", false, "\"integer\" is -1"},
        {"{\"truth\": 1}", false, "\"truth\": expected true or false"},
        {"{\"truth\": \"yes\"}", true, "\"truth\": expected true or false"},
        {"{\"texts\": [1]}", false, "\"texts\": expected a string, or a list"},
        {"{\"texts\": {}}", false, "\"texts\": expected a string, or a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fields found;
        CHECK_FAILS(read_fields(&found, cases[i].text, cases[i].form), PG_ERROR_FORMAT, cases[i].why);
        forget(&found);
    }
}

static void test_split(void **state)
{
    (void)state;
    pg_texts texts;
    char *block;
    CHECK_OK(pg_texts_split(&texts, &block, " cat ; a cow;; dog;"));
    assert_int_equal(texts.count, 3);
    assert_string_equal(texts.items[0], "cat");
    assert_string_equal(texts.items[1], "a cow");
    assert_string_equal(texts.items[2], "dog");
    pg_free(texts.items);
    pg_free(block);
}

static pg_status read_once(void)
{
    fields found;
    pg_status status = read_fields(&found, "{\"texts\": [\"b\", \"c\"], \"other\": 1}", false);
    forget(&found);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    sweep_include_json();
    CHECK_SWEEP(read_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),         cmocka_unit_test(test_absent), cmocka_unit_test(test_neutral),
        cmocka_unit_test(test_many_warnings), cmocka_unit_test(test_forms),  cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_split),         cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

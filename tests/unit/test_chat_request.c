/* Chat requests to prompts and pictures, as far as no server is needed. */
#include "sweep.h"

#include "serve/chat_request.h"

/* A red pixel. */
#define PICTURE                                                                                                      \
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSu" \
    "QmCC"

static pg_exchange *exchange;
static pg_chat_request request;

static pg_status read_request(const char *text)
{
    request = (pg_chat_request){0};
    exchange = pg_exchange_new(NULL, "/v1/chat/completions");
    if (!exchange)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_buffer_append(&exchange->body, text, strlen(text)));
    return pg_chat_request_read(&request, exchange);
}

static void forget(void)
{
    pg_generation_free(&request.generation);
    if (exchange)
        pg_exchange_free(exchange);
    exchange = NULL;
}

static void test_last_turn(void **state)
{
    (void)state;
    CHECK_OK(read_request("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", "
                          "\"content\": null}, {\"role\": \"user\", \"content\": [{\"type\": \"image_url\", "
                          "\"image_url\": {\"url\": \"" PICTURE "\"}}, {\"type\": \"text\", \"text\": \"b\"}, "
                          "{\"type\": \"text\", \"text\": \"c\"}, {\"type\": \"image_url\", \"image_url\": \"" PICTURE
                          "\"}]}], \"stop\": \"x\", \"seed\": 3, \"max_completion_tokens\": 7}"));
    assert_string_equal(request.generation.prompt, "b\nc");
    assert_int_equal(request.generation.pictures.count, 2);
    assert_int_equal(pg_image_width(request.generation.pictures.items[0]), 1);
    assert_int_equal(json_array_size(request.generation.warnings), 2);
    assert_int_equal(request.generation.stop.count, 1);
    assert_int_equal(request.generation.seed, 3);
    assert_int_equal(request.generation.request.max_new_tokens, 7);
    forget();
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        const char *why; /* NULL: taken */
    } cases[] = {
        {"{\"type\": \"text\"}", NULL},
        {"{\"type\": \"json_object\"}", NULL},
        {"{\"type\": \"json_schema\", \"json_schema\": {\"schema\": {\"type\": \"object\", \"properties\": "
         "{\"objects\": {}}}}}",
         NULL},
        {"{\"type\": \"json_schema\", \"json_schema\": {\"schema\": {\"type\": \"object\", \"properties\": "
         "{\"colour\": {}}}}}",
         "the schema has \"colour\""},
        {"{\"type\": \"json_schema\"}", "not one of an object"},
        {"{\"type\": \"grammar\"}", "\"grammar\" is not known"},
        {"{}", "has no \"type\""},
        {"5", "has no \"type\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"response_format\": %s}",
                 cases[i].format);
        pg_status status = read_request(text);
        if (cases[i].why ? status == PG_OK || !strstr(pg_error_last(), cases[i].why) : status != PG_OK)
            fail_msg("%s: status %d (%s)", cases[i].format, status, pg_error_last());
        forget();
    }
}

/* What `texts` (JSON) asks to stop at. */
static pg_status read_stops(const char *texts)
{
    char text[6000];
    snprintf(text, sizeof text, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"stop\": %s}", texts);
    return read_request(text);
}

static void test_stops(void **state)
{
    (void)state;
    char longest[300] = "", longer[300] = "", many[300] = "[\"0\"";
    snprintf(longest, sizeof longest, "[\"a\", \"%0256d\"]", 0);
    snprintf(longer, sizeof longer, "[\"a\", \"%0257d\"]", 0);
    for (int i = 1; i < 16; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ", \"%d\"", i);
    strcat(many, "]");
    CHECK_OK(read_stops(longest));
    assert_int_equal(request.generation.stop.count, 2);
    forget();
    CHECK_OK(read_stops(many));
    assert_int_equal(request.generation.stop.count, 16);
    forget();
    CHECK_FAILS(read_stops(longer), PG_ERROR_LIMIT, "\"stop\": text 1 has 257 bytes, at most 256");
    forget();
    CHECK_OK(read_stops("\"\""));
    assert_int_equal(json_array_size(request.generation.warnings), 1);
    forget();
    strcpy(strrchr(many, ']'), ", \"16\"]");
    CHECK_FAILS(read_stops(many), PG_ERROR_LIMIT, "\"stop\" has 17 texts, at most 16");
    forget();
    CHECK_OK(read_stops("[]"));
    forget();
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "no body"},
        {"[]", "expected a JSON object"},
        {"{\"messages\": 5}", "expected a list of at least one message"},
        {"{\"messages\": [5]}", "message 0 has no known \"role\""},
        {"{\"messages\": [{\"role\": \"king\"}]}", "message 0 has no known \"role\""},
        {"{\"messages\": [{\"role\": \"system\"}]}", "none is from the role \"user\""},
        {"{\"messages\": [{\"role\": \"user\"}]}", "expected a string or a list of parts"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [5]}]}", "a part has no \"type\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]}", "\"text\" is missing"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\\u0000\"}]}", "NUL"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]}", "has no \"url\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": "
         "\"/etc/passwd\"}]}]}",
         "image 1: not a data: URL"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": "
         "\"https://example.org/a.png\"}]}]}",
         "fetches no pictures"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": "
         "\"data:image/png,abc\"}]}]}",
         "not in base64"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": "
         "\"data:;base64,abcd\"}]}]}",
         "image 1"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"top_logprobs\": 2}", "needs \"logprobs\""},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"n\": 17}", "\"n\" is 17, expected 1 to 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_status status = read_request(cases[i].text);
        if (status == PG_OK || !strstr(pg_error_last(), cases[i].why))
            fail_msg("%s: status %d (%s), expected \"%s\"", cases[i].text, status, pg_error_last(), cases[i].why);
        forget();
    }
}

static pg_status read_once(void)
{
    pg_status status = read_request("{\"messages\": [{\"role\": \"system\", \"content\": \"a\"}, {\"role\": \"user\", "
                                    "\"content\": [{\"type\": \"image_url\", \"image_url\": \"" PICTURE
                                    "\"}, {\"type\": \"text\", \"text\": \"b\"}]}], \"stop\": [\"x\"]}");
    forget();
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
        cmocka_unit_test(test_last_turn), cmocka_unit_test(test_formats), cmocka_unit_test(test_stops),
        cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Base64: RFC 4648's examples, every length, what is no base64. */
#include "sweep.h"

#include "base/base64.h"

static const struct {
    const char *bytes, *text;
} examples[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        pg_buffer text = {0}, bytes = {0};
        CHECK_OK(pg_base64_encode(&text, examples[i].bytes, strlen(examples[i].bytes)));
        assert_string_equal(text.data ? text.data : "", examples[i].text);
        CHECK_OK(pg_base64_decode(&bytes, examples[i].text, strlen(examples[i].text)));
        assert_string_equal(bytes.data ? bytes.data : "", examples[i].bytes);
        pg_buffer_free(&text);
        pg_buffer_free(&bytes);
    }
}

static void test_every_length(void **state)
{
    (void)state;
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 89 + i / 256);
    for (size_t size = 0; size < sizeof bytes; size += size < 20 ? 1 : 97) {
        pg_buffer text = {0}, back = {0};
        CHECK_OK(pg_base64_encode(&text, bytes, size));
        assert_int_equal(text.size, (size + 2) / 3 * 4);
        CHECK_OK(pg_base64_decode(&back, text.data, text.size));
        assert_int_equal(back.size, size);
        assert_memory_equal(back.data ? back.data : "", bytes, size);
        pg_buffer_free(&text);
        pg_buffer_free(&back);
    }
}

static void test_forms(void **state)
{
    (void)state;
    pg_buffer bytes = {0};
    CHECK_OK(pg_base64_decode(&bytes, " Zm\r\n9v\tYg", 10)); /* blanks, and no padding */
    assert_string_equal(bytes.data, "foob");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zm9v*", 5), PG_ERROR_FORMAT, "character 5");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zg==Zg==", 8), PG_ERROR_FORMAT, "character 5");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zg===", 5), PG_ERROR_FORMAT, "character 5");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zm9vY", 5), PG_ERROR_FORMAT, "within a byte");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zm8==", 5), PG_ERROR_FORMAT, "within a byte");
    CHECK_FAILS(pg_base64_decode(&bytes, "Zm-_", 4), PG_ERROR_FORMAT, "character 3");
    pg_buffer_free(&bytes);
}

static pg_status there_and_back(void)
{
    char zeros[3000] = {0};
    pg_buffer text = {0}, bytes = {0};
    pg_status status = pg_base64_encode(&text, zeros, sizeof zeros);
    if (status == PG_OK)
        status = pg_base64_decode(&bytes, text.data, text.size);
    pg_buffer_free(&text);
    pg_buffer_free(&bytes);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    CHECK_SWEEP(there_and_back());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

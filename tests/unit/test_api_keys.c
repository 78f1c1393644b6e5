/* Files of keys, and which key a client has. */
#include "sweep.h"

#include "serve/api_keys.h"

#define PATH "test_api_keys.txt"

static void write_keys(const char *text)
{
    FILE *file = fopen(PATH, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_finding(void **state)
{
    (void)state;
    pg_api_keys *keys;
    write_keys("# comment\n\n  first key of ours  \r\nthe second key of ours");
    CHECK_OK(pg_api_keys_load(&keys, PATH));
    assert_int_equal(pg_api_keys_find(keys, "first key of ours"), 1);
    assert_int_equal(pg_api_keys_find(keys, "the second key of ours"), 2);
    static const char *const wrong[] = {
        "",
        "first key of our",
        "first key of ours ",
        "First key of ours",
        "# comment",
        "first key of oursfirst key of ours",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pg_api_keys_find(keys, wrong[i]), 0);
    pg_api_keys_free(keys);
}

static void test_files(void **state)
{
    (void)state;
    pg_api_keys *keys;
    write_keys("# comment\n \n");
    CHECK_FAILS(pg_api_keys_load(&keys, PATH), PG_ERROR_FORMAT, "no key in it");
    write_keys("long enough to be a key\nshort\n");
    CHECK_FAILS(pg_api_keys_load(&keys, PATH), PG_ERROR_FORMAT, "key 2 has 5 characters");
    assert_null(keys);
    CHECK_FAILS(pg_api_keys_load(&keys, "no/such/file"), PG_ERROR_FILE, "no/such/file");
}

static pg_status load(void)
{
    pg_api_keys *keys;
    pg_status status = pg_api_keys_load(&keys, PATH);
    pg_api_keys_free(keys);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    write_keys("long enough to be a key\nand another one of these\n");
    CHECK_SWEEP(load());
    remove(PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

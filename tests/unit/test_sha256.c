/* src/base/sha256: the examples of FIPS 180-4. */
#include "check.h"

#include "base/sha256.h"

static void examples_of_the_standard(void **state)
{
    (void)state;
    char text[PG_SHA256_TEXT];
    CHECK_OK(pg_sha256_of(text, "", 0));
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_OK(pg_sha256_of(text, "abc", 3));
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_OK(pg_sha256_of(text, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56));
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_of_the_standard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

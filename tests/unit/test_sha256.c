/* src/base/sha256: the examples of FIPS 180-4, lengths around a block, and pieces of any size. */
#include "check.h"

#include "base/sha256.h"

static void examples_of_the_standard(void **state)
{
    (void)state;
    char text[PG_SHA256_TEXT];
    pg_sha256_of(text, "", 0);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    pg_sha256_of(text, "abc", 3);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pg_sha256_of(text, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_million_letters(void **state)
{
    (void)state;
    char text[PG_SHA256_TEXT], piece[1000];
    pg_sha256 hash;
    memset(piece, 'a', sizeof piece);
    pg_sha256_init(&hash);
    for (int i = 0; i < 1000; i++)
        pg_sha256_add(&hash, piece, sizeof piece);
    pg_sha256_text(text, &hash);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void pieces_do_not_matter(void **state)
{
    (void)state;
    char bytes[200], whole[PG_SHA256_TEXT], parts[PG_SHA256_TEXT];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        pg_sha256_of(whole, bytes, size);
        for (size_t piece = 1; piece < 70; piece += 9) {
            pg_sha256 hash;
            pg_sha256_init(&hash);
            for (size_t at = 0; at < size; at += piece)
                pg_sha256_add(&hash, bytes + at, size - at < piece ? size - at : piece);
            pg_sha256_text(parts, &hash);
            assert_string_equal(whole, parts);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_standard),
        cmocka_unit_test(a_million_letters),
        cmocka_unit_test(pieces_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

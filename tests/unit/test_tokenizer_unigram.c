/* SentencePiece unigram models against the reference: normalisation, ids and decoding, and SigLIP's text input. */
#include "check.h"

#include <sys/stat.h>

#include "temporary_folder.h"
#include "golden_text.h"
#include "text/canonical.h"
#include "text/encoder.h"
#include "text/siglip_text.h"

#define SIGLIP PG_TESTS_FOLDER "/golden/inference/siglip-tiny"

static pg_tokenizer *unigram, *siglip;

static int setup(void **state)
{
    folder_setup(state);
    pg_buffer model = {0};
    pg_golden_text_read(&model, "unigram.model");
    CHECK_OK(pg_tokenizer_open(&unigram, folder_write("unigram.model", model.data, model.size)));
    CHECK_OK(pg_tokenizer_open(&siglip, SIGLIP "/checkpoint"));
    pg_buffer_free(&model);
    return 0;
}

static int teardown(void **state)
{
    pg_tokenizer_close(unigram);
    pg_tokenizer_close(siglip);
    return folder_teardown(state);
}

static void check_normalized(const json_t *row)
{
    size_t size;
    const char *text = pg_golden_text_field(&size, row, "text");
    pg_encoder encoder = {.tokenizer = unigram};
    CHECK_OK(pg_encoder_normalize(&encoder, text, size, true));
    const char *expected = pg_golden_text_field(&size, row, "normalized");
    assert_int_equal(encoder.text.size, size);
    assert_memory_equal(encoder.text.data, expected, size);
    pg_encoder_free(&encoder);
}

static void check_ids(const json_t *row, const char *key, unsigned flags)
{
    size_t size, count;
    int32_t *ids;
    const char *text = pg_golden_text_field(&size, row, "text");
    CHECK_OK(pg_tokenizer_encode(&ids, &count, unigram, text, size, flags));
    pg_golden_text_check(ids, count, json_object_get(row, key), text);
    if (!(flags & PG_ENCODE_EOS)) {
        char *decoded;
        CHECK_OK(pg_tokenizer_decode(&decoded, unigram, ids, count, true));
        assert_string_equal(decoded, json_string_value(json_object_get(row, "decoded")));
        pg_free(decoded);
    }
    pg_free(ids);
}

static void texts_become_the_reference_ids(void **state)
{
    (void)state;
    json_t *rows = pg_golden_text_lines("unigram_cases.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        check_normalized(row);
        check_ids(row, "ids", PG_ENCODE_PLAIN);
        check_ids(row, "ids_eos", PG_ENCODE_EOS);
    }
    json_decref(rows);
}

static void check_siglip(const pg_tokenizer *tokenizer, const char *text, size_t length, unsigned flags,
                         const json_t *expected)
{
    int32_t ids[64];
    assert_in_range(length, 1, 64);
    CHECK_OK(pg_siglip_text_encode(ids, length, tokenizer, text, flags));
    pg_golden_text_check(ids, length, expected, text);
}

static void siglip_texts_become_the_reference_ids(void **state)
{
    (void)state;
    json_t *rows = pg_golden_text_lines("siglip_text_cases.jsonl"), *row;
    size_t i, size;
    json_array_foreach(rows, i, row)
    {
        const char *text = pg_golden_text_field(&size, row, "text");
        pg_buffer canonical = {0};
        CHECK_OK(pg_canonicalize(&canonical, text, size, true));
        assert_string_equal(canonical.data ? canonical.data : "", json_string_value(json_object_get(row, "canonical")));
        pg_buffer_free(&canonical);
        check_siglip(unigram, text, 64, PG_ENCODE_PLAIN, json_object_get(row, "ids"));
    }
    json_decref(rows);
}

/* Ids cut or filled up to a length of 64, </s> at the end. */
static json_t *padded(const json_t *ids)
{
    json_t *list = json_array();
    for (size_t i = 0; i < 64; i++)
        json_array_append_new(list, json_integer(i < 63 ? json_integer_value(json_array_get(ids, i)) : 1));
    for (size_t i = json_array_size(ids); i < 64; i++)
        json_array_set_new(list, i, json_integer(1));
    return list;
}

static void a_siglip_folder_tokenizes_as_its_config_says(void **state)
{
    (void)state;
    json_t *facts, *row;
    CHECK_OK(pg_json_load(&facts, SIGLIP "/expected.json"));
    size_t i;
    json_array_foreach(json_object_get(facts, "tokenizer"), i, row)
    {
        const char *text = json_string_value(json_object_get(row, "text"));
        const json_t *expected = json_object_get(row, "input_ids");
        json_t *filled = padded(expected);
        size_t count;
        int32_t *ids;
        check_siglip(siglip, text, 64, PG_ENCODE_SPECIAL, filled);
        CHECK_OK(pg_tokenizer_encode(&ids, &count, siglip, text, SIZE_MAX, PG_ENCODE_SPECIAL | PG_ENCODE_EOS));
        pg_golden_text_check(ids, count, expected, text);
        pg_free(ids);
        json_decref(filled);
    }
    json_decref(facts);
}

/* The tokenizer.json beside it is of a kind that is not read. */
static void a_siglip_folder_is_opened_by_its_spiece_model(void **state)
{
    (void)state;
    static const char other[] = "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0]]}}";
    static const char *const names[] = {"spiece.model", "tokenizer_config.json"};
    char folder[512];
    pg_tokenizer *found;
    strcpy(folder, folder_file("siglip"));
    assert_int_equal(mkdir(folder, 0777), 0);
    folder_write("siglip/tokenizer.json", other, sizeof other - 1);
    CHECK_FAILS(pg_tokenizer_open(&found, folder), PG_ERROR_UNSUPPORTED, "siglip/tokenizer.json");
    for (size_t i = 0; i < 2; i++) {
        char from[512], to[512];
        snprintf(from, sizeof from, SIGLIP "/checkpoint/%s", names[i]);
        snprintf(to, sizeof to, "%.480s/%s", folder, names[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    CHECK_OK(pg_tokenizer_open(&found, folder));
    assert_int_equal(pg_tokenizer_size(found), pg_tokenizer_size(siglip));
    assert_true(found->canonical);
    pg_tokenizer_close(found);
}

static void check_canonical(const char *text, const char *expected)
{
    pg_buffer canonical = {0};
    CHECK_OK(pg_canonicalize(&canonical, text, strlen(text), true));
    assert_string_equal(canonical.data ? canonical.data : "", expected);
    pg_buffer_free(&canonical);
}

/* What Python's str.lower() of single characters, \s and string.punctuation make of texts. */
static void texts_are_canonicalised(void **state)
{
    (void)state;
    check_canonical("", "");
    check_canonical(" \t!?\xe2\x80\x83. ", "");
    check_canonical("A.B , C", "ab c");
    check_canonical("\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x83"); /* ΟΔΟΣ: no final sigma */
    check_canonical("\xc4\xb0stanbul", "i\xcc\x87stanbul");                                  /* İ: two characters */
    check_canonical("\xc7\x84\xc7\x85\xc7\x86 \xe1\xba\x9e", "\xc7\x86\xc7\x86\xc7\x86 \xc3\x9f"); /* Ǆ ǅ ǆ ẞ */
    check_canonical("\xf0\x90\x90\x80\xe1\x8e\xa0\xe2\x84\xaa", "\xf0\x90\x90\xa8\xea\xad\xb0k");  /* 𐐀 Ꭰ K */
    check_canonical("\xe2\x96\x81x\xe2\x96\x81\xe2\x96\x81y\x1fz\xc2\xa0", "x y z");               /* U+2581, U+001F */
    check_canonical("\xc2\xa1\xe2\x80\x94\xef\xbc\x81",
                    "\xc2\xa1\xe2\x80\x94\xef\xbc\x81"); /* other punctuation stays */
}

static void siglip_control_tokens_are_text_unless_asked_for(void **state)
{
    (void)state;
    json_t *plain = json_pack("[i,i]", pg_tokenizer_id(siglip, "\xe2\x96\x81s"), 1);
    check_siglip(siglip, "</s>", 2, PG_ENCODE_PLAIN, plain);
    json_decref(plain);
    json_t *special = json_pack("[i,i]", 1, 1);
    check_siglip(siglip, "</s>", 2, PG_ENCODE_SPECIAL, special);
    json_decref(special);
}

static void every_length_ends_in_the_end(void **state)
{
    (void)state;
    int32_t whole[16], part[16];
    CHECK_OK(pg_siglip_text_encode(whole, 16, siglip, "a photo of a cow on the beach, again", PG_ENCODE_PLAIN));
    for (size_t length = 1; length <= 16; length++) {
        CHECK_OK(pg_siglip_text_encode(part, length, siglip, "a photo of a cow on the beach, again", PG_ENCODE_PLAIN));
        assert_int_equal(part[length - 1], 1);
        assert_memory_equal(part, whole, (length - 1) * sizeof *part);
    }
    CHECK_FAILS(pg_siglip_text_encode(part, 0, siglip, "a", PG_ENCODE_PLAIN), PG_ERROR_ARGUMENT, "length of 0");
    CHECK_FAILS(pg_siglip_text_encode(part, 9, siglip, "a\xff", PG_ENCODE_PLAIN), PG_ERROR_FORMAT, "byte 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_reference_ids),
        cmocka_unit_test(siglip_texts_become_the_reference_ids),
        cmocka_unit_test(a_siglip_folder_tokenizes_as_its_config_says),
        cmocka_unit_test(a_siglip_folder_is_opened_by_its_spiece_model),
        cmocka_unit_test(texts_are_canonicalised),
        cmocka_unit_test(siglip_control_tokens_are_text_unless_asked_for),
        cmocka_unit_test(every_length_ends_in_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

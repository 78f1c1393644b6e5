/* Gemma's vocabulary against the reference: tokenizer.json as published and with more tokens declared, tokenizer.model.
 * The golden files say in detail what they hold: tests/golden/MANIFEST.md. */
#include "check.h"

#include "temporary_folder.h"
#include "golden_text.h"
#include "text/tokenizer.h"

/* Tokenizers by the way they are made; all are opened once. */
typedef enum gemma_kind {
    PUBLISHED,    /* tokenizer.json as it is: only control tokens are declared */
    DECLARED,     /* <loc>, <seg> and <image> declared as well */
    ALL_PIECES,   /* and the user-defined pieces, as in PaliGemma's published files */
    CONFIG,       /* the first file, with the same tokens declared by tokenizer_config.json */
    MODEL,        /* tokenizer.model */
    MODEL_CONFIG, /* the same with that tokenizer_config.json */
    KINDS
} gemma_kind;

static pg_tokenizer *tokenizers[KINDS];

static bool is_user_defined(json_int_t id)
{
    return (id >= 4 && id <= 216) || (id >= 255968 && id < 256000);
}

static json_t *added_tokens(bool with_pieces)
{
    pg_buffer text = {0};
    pg_golden_text_read(&text, "added_tokens.json");
    json_t *all, *some = json_array();
    CHECK_OK(pg_json_parse(&all, text.data, text.size, "added_tokens.json"));
    size_t i;
    json_t *token;
    json_array_foreach(all, i,
                       token) if (with_pieces || !is_user_defined(json_integer_value(json_object_get(token, "id"))))
        json_array_append(some, token);
    json_decref(all);
    pg_buffer_free(&text);
    return some;
}

static void write_in(const char *folder, const char *name, const char *text, size_t size)
{
    char path[256];
    mkdir(folder_file(folder), 0700);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    folder_write(path, text, size);
}

static void write_declared(const char *folder, const char *document, bool with_pieces)
{
    json_t *tokens = added_tokens(with_pieces);
    char *declared = pg_golden_text_declare(document, tokens);
    write_in(folder, "tokenizer.json", declared, strlen(declared));
    pg_free(declared);
    json_decref(tokens);
}

/* {"added_tokens_decoder": {"0": {...}, ...}} */
static void write_config(const char *folder)
{
    json_t *tokens = added_tokens(true), *decoder = json_object();
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token)
    {
        char key[16];
        snprintf(key, sizeof key, "%d", (int)json_integer_value(json_object_get(token, "id")));
        json_object_set(decoder, key, token);
    }
    json_t *config = json_pack("{s:o,s:b}", "added_tokens_decoder", decoder, "add_bos_token", 0);
    char *text = json_dumps(config, 0);
    write_in(folder, "tokenizer_config.json", text, strlen(text));
    free(text);
    json_decref(config);
    json_decref(tokens);
}

static int setup(void **state)
{
    static const char *const folders[KINDS] = {"published", "declared", "all", "config", "model", "model_config"};
    folder_setup(state);
    pg_buffer json = {0}, model = {0};
    pg_golden_text_read(&json, "tokenizer.json");
    pg_golden_text_read(&model, "tokenizer.model");
    write_in(folders[PUBLISHED], "tokenizer.json", json.data, json.size);
    write_declared(folders[DECLARED], json.data, false);
    write_declared(folders[ALL_PIECES], json.data, true);
    write_in(folders[CONFIG], "tokenizer.json", json.data, json.size);
    write_config(folders[CONFIG]);
    write_in(folders[MODEL], "tokenizer.model", model.data, model.size);
    write_in(folders[MODEL_CONFIG], "tokenizer.model", model.data, model.size);
    write_config(folders[MODEL_CONFIG]);
    pg_buffer_free(&json);
    pg_buffer_free(&model);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK_OK(pg_tokenizer_open(&tokenizers[kind], folder_file(folders[kind])));
    return 0;
}

static int teardown(void **state)
{
    for (int kind = 0; kind < KINDS; kind++)
        pg_tokenizer_close(tokenizers[kind]);
    return folder_teardown(state);
}

/* ---------------------------------------------------------------- ids */

static void check_encoding(gemma_kind kind, const json_t *row, const char *key, unsigned flags)
{
    size_t size, count;
    int32_t *ids;
    const char *text = pg_golden_text_field(&size, row, "text");
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizers[kind], text, size, flags));
    pg_golden_text_check(ids, count, json_object_get(row, key), text);
    pg_free(ids);
}

static void check_decoding(gemma_kind kind, const json_t *row, const char *key, bool skip_special)
{
    const json_t *ids = json_object_get(row, "ids");
    pg_decoder *decoder;
    pg_buffer found = {0};
    const char *text;
    size_t size;
    CHECK_OK(pg_decoder_new(&decoder, tokenizers[kind], skip_special));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        CHECK_OK(pg_decoder_push(decoder, (int32_t)json_integer_value(json_array_get(ids, i)), &text, &size));
        CHECK_OK(pg_buffer_append(&found, text, size));
    }
    CHECK_OK(pg_decoder_finish(decoder, &text, &size));
    CHECK_OK(pg_buffer_append(&found, text, size));
    text = pg_golden_text_field(&size, row, key);
    assert_int_equal(found.size, size);
    assert_memory_equal(found.data, text, size);
    pg_decoder_free(decoder);
    pg_buffer_free(&found);
}

static bool has(const json_t *row, const char *part)
{
    return strstr(json_string_value(json_object_get(row, "text")), part) != NULL;
}

static void texts_become_the_reference_ids(void **state)
{
    (void)state;
    json_t *rows = pg_golden_text_lines("gemma_cases.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        for (int kind = DECLARED; kind < KINDS; kind++) {
            check_encoding(kind, row, "ids", PG_ENCODE_SPECIAL);
            check_encoding(kind, row, "ids_bos", PG_ENCODE_SPECIAL | PG_ENCODE_BOS);
        }
        if (!has(row, "<loc") && !has(row, "<seg") && !has(row, "<image>"))
            check_encoding(PUBLISHED, row, "ids", PG_ENCODE_SPECIAL);
        check_decoding(ALL_PIECES, row, "decoded", false);
        check_decoding(ALL_PIECES, row, "decoded_skip", true);
        check_decoding(MODEL, row, json_object_get(row, "decoded_spm") ? "decoded_spm" : "decoded_skip", true);
    }
    json_decref(rows);
}

static void files_differ_as_the_reference_says(void **state)
{
    (void)state;
    json_t *rows = pg_golden_text_lines("gemma_differ.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        check_encoding(DECLARED, row, "ids_json", PG_ENCODE_SPECIAL);
        check_encoding(ALL_PIECES, row, "ids_json_user_defined", PG_ENCODE_SPECIAL);
        check_encoding(CONFIG, row, "ids_json_user_defined", PG_ENCODE_SPECIAL);
        check_encoding(MODEL, row, "ids_sentencepiece", PG_ENCODE_SPECIAL);
        if (!has(row, "<loc") && !has(row, "<seg") && !has(row, "<image>"))
            check_encoding(PUBLISHED, row, "ids_json", PG_ENCODE_SPECIAL);
    }
    json_decref(rows);
}

/* ---------------------------------------------------------------- what users type */

/* Plain text holds no control token, and comes back as it was. */
static void check_plain(gemma_kind kind, const json_t *row)
{
    size_t size, count;
    int32_t *ids;
    const pg_tokenizer *tokenizer = tokenizers[kind];
    const char *text = pg_golden_text_field(&size, row, "text");
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizer, text, size, PG_ENCODE_PLAIN));
    for (size_t i = 0; i < count; i++)
        if (pg_tokenizer_is_special(tokenizer, ids[i]))
            fail_msg("\"%s\": id %d (%s)", text, ids[i], pg_tokenizer_piece(tokenizer, ids[i]));
    char *back;
    CHECK_OK(pg_tokenizer_decode(&back, tokenizer, ids, count, true));
    if (!has(row, "\xe2\x96\x81")) /* a typed U+2581 comes back as a space */
        assert_string_equal(back, text);
    pg_free(back);
    pg_free(ids);
}

static void typed_control_tokens_are_text(void **state)
{
    (void)state;
    static const char *const files[] = {"gemma_cases.jsonl", "gemma_differ.jsonl"};
    for (int f = 0; f < 2; f++) {
        json_t *rows = pg_golden_text_lines(files[f]), *row;
        size_t i;
        json_array_foreach(rows, i, row) for (int kind = 0; kind < KINDS; kind++) check_plain(kind, row);
        json_decref(rows);
    }
}

static void check_ids(gemma_kind kind, const char *text, unsigned flags, const char *expected)
{
    size_t count;
    int32_t *ids;
    json_t *list = json_loads(expected, 0, NULL);
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizers[kind], text, SIZE_MAX, flags));
    pg_golden_text_check(ids, count, list, text);
    json_decref(list);
    pg_free(ids);
}

static void locations_may_be_typed_but_control_tokens_not(void **state)
{
    (void)state;
    static const gemma_kind kinds[] = {ALL_PIECES, CONFIG, MODEL_CONFIG};
    for (int k = 0; k < 3; k++) {
        check_ids(kinds[k], "<loc0007><seg001><h1>", PG_ENCODE_PLAIN, "[256007, 257025, 185]");
        check_ids(kinds[k], "<bos><eos><pad><unk><image>", PG_ENCODE_SPECIAL, "[2, 1, 0, 3, 257152]");
        check_ids(kinds[k], "<start_of_turn><end_of_turn>", PG_ENCODE_SPECIAL, "[106, 107]");
        check_ids(kinds[k], "<start_of_turn>", PG_ENCODE_PLAIN, "[235322, 2997, 235298, 559, 235298, 15508, 235313]");
        check_ids(kinds[k], "<image>", PG_ENCODE_PLAIN, "[235322, 2502, 235313]");
    }
    check_ids(MODEL, "<start_of_turn>", PG_ENCODE_PLAIN, "[235322, 2997, 235298, 559, 235298, 15508, 235313]");
    check_ids(MODEL, "<start_of_turn>", PG_ENCODE_SPECIAL, "[106]");
    check_ids(MODEL, "", PG_ENCODE_BOS | PG_ENCODE_EOS, "[2, 1]");
}

static void pieces_have_names_and_ids(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        const pg_tokenizer *tokenizer = tokenizers[kind];
        assert_int_equal(pg_tokenizer_id(tokenizer, "<eos>"), 1);
        assert_int_equal(pg_tokenizer_id(tokenizer, "\n"), 108);
        assert_int_equal(pg_tokenizer_id(tokenizer, "no such piece"), -1);
        assert_string_equal(pg_tokenizer_piece(tokenizer, 235248), "\xe2\x96\x81");
        assert_null(pg_tokenizer_piece(tokenizer, pg_tokenizer_size(tokenizer)));
        assert_null(pg_tokenizer_piece(tokenizer, -1));
        assert_true(pg_tokenizer_is_special(tokenizer, 106));
        assert_false(pg_tokenizer_is_special(tokenizer, 108));
        assert_int_equal(pg_tokenizer_bos(tokenizer), 2);
        assert_int_equal(pg_tokenizer_eos(tokenizer), 1);
        assert_int_equal(pg_tokenizer_pad(tokenizer), 0);
    }
    assert_int_equal(pg_tokenizer_size(tokenizers[PUBLISHED]), 256000);
    assert_int_equal(pg_tokenizer_size(tokenizers[ALL_PIECES]), 257153);
    assert_int_equal(pg_tokenizer_size(tokenizers[MODEL]), 257152);
    assert_true(pg_tokenizer_is_special(tokenizers[ALL_PIECES], 257152));
    assert_true(pg_tokenizer_adds_bos(tokenizers[PUBLISHED]));
    assert_false(pg_tokenizer_adds_bos(tokenizers[CONFIG]));
}

/* ---------------------------------------------------------------- streaming */

static void check_stream(gemma_kind kind, const json_t *row)
{
    const json_t *ids = json_object_get(row, "ids"), *stable = json_object_get(row, "stable");
    pg_decoder *decoder;
    pg_buffer shown = {0};
    const char *text;
    size_t size;
    CHECK_OK(pg_decoder_new(&decoder, tokenizers[kind], true));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        CHECK_OK(pg_decoder_push(decoder, (int32_t)json_integer_value(json_array_get(ids, i)), &text, &size));
        CHECK_OK(pg_buffer_append(&shown, text, size));
        assert_string_equal(shown.data, json_string_value(json_array_get(stable, i)));
    }
    CHECK_OK(pg_decoder_finish(decoder, &text, NULL));
    CHECK_OK(pg_buffer_append(&shown, text, strlen(text)));
    assert_string_equal(shown.data, json_string_value(json_object_get(row, "final_sentencepiece")));
    pg_decoder_free(decoder);
    pg_buffer_free(&shown);
}

static void streams_show_whole_characters(void **state)
{
    (void)state;
    json_t *rows = pg_golden_text_lines("gemma_streaming.jsonl"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        check_stream(ALL_PIECES, row);
        check_stream(MODEL_CONFIG, row);
    }
    json_decref(rows);
}

/* ---------------------------------------------------------------- long texts */

static void check_long(gemma_kind kind, const char *unit, size_t bytes, size_t most)
{
    pg_buffer text = {0};
    while (text.size < bytes)
        CHECK_OK(pg_buffer_append(&text, unit, strlen(unit)));
    size_t count;
    int32_t *ids;
    char *back;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizers[kind], text.data, text.size, PG_ENCODE_PLAIN));
    assert_in_range(count, 1, most);
    CHECK_OK(pg_tokenizer_decode(&back, tokenizers[kind], ids, count, true));
    assert_string_equal(back, text.data);
    pg_free(back);
    pg_free(ids);
    pg_buffer_free(&text);
}

/* A million characters without a space are one word; a quadratic algorithm would not come back from here. */
static void long_words_take_no_quadratic_time(void **state)
{
    (void)state;
    static const gemma_kind kinds[] = {ALL_PIECES, MODEL};
    for (int k = 0; k < 2; k++) {
        check_long(kinds[k], "a", 1 << 20, 1 << 19);
        check_long(kinds[k], " ", 1 << 20, 1 << 16);
        check_long(kinds[k], "\n", 1 << 20, 1 << 16);
        check_long(kinds[k], "\xe6\x97\xa5\xe6\x9c\xac", 1 << 20, 1 << 19);
        check_long(kinds[k], "<loc00", 1 << 18, 1 << 18);
    }
}

#ifdef PG_SHARED_FOLDER
/* Beside the complete reference data: what is tested here is a copy of it. */
static void goldens_are_the_reference_files(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name;
    } files[] = {
        {"data/gemma-tokenizer", "tokenizer.json"},        {"data/gemma-tokenizer", "tokenizer.model"},
        {"golden/tasks/tokenizer", "unigram.model"},       {"golden/tasks/tokenizer", "gemma_cases.jsonl"},
        {"golden/tasks/tokenizer", "gemma_differ.jsonl"},  {"golden/tasks/tokenizer", "gemma_streaming.jsonl"},
        {"golden/tasks/tokenizer", "prompts.jsonl"},       {"golden/tasks/tokenizer", "chat.jsonl"},
        {"golden/tasks/tokenizer", "unigram_cases.jsonl"}, {"golden/tasks/tokenizer", "siglip_text_cases.jsonl"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        pg_buffer reference = {0}, copy = {0};
        snprintf(path, sizeof path, "%s/%s/%s", PG_SHARED_FOLDER, files[i].folder, files[i].name);
        CHECK_OK(pg_file_read(&reference, path, SIZE_MAX));
        pg_golden_text_read(&copy, files[i].name);
        assert_int_equal(copy.size, reference.size);
        assert_memory_equal(copy.data, reference.data, copy.size);
        pg_buffer_free(&reference);
        pg_buffer_free(&copy);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_reference_ids),
        cmocka_unit_test(files_differ_as_the_reference_says),
        cmocka_unit_test(typed_control_tokens_are_text),
        cmocka_unit_test(locations_may_be_typed_but_control_tokens_not),
        cmocka_unit_test(pieces_have_names_and_ids),
        cmocka_unit_test(streams_show_whole_characters),
        cmocka_unit_test(long_words_take_no_quadratic_time),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(goldens_are_the_reference_files),
#endif
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

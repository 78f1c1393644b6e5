/* tokenizer.json and tokenizer_config.json, in small: what they can say, what is refused, and what hostile ones do. */
#include "check.h"

#include "temporary_folder.h"
#include "sweep.h"
#include "text/tokenizer.h"

/* A tokenizer of 256 bytes, some letters and merges, and added tokens of all kinds. Spaces are U+2581. */
static const char sample[] =
    "{'added_tokens': ["
    " {'id': 0, 'content': '<pad>', 'special': true}, {'id': 1, 'content': '<eos>', 'special': true},"
    " {'id': 2, 'content': '<bos>', 'special': true}, {'id': 300, 'content': '<loc>', 'normalized': true},"
    " {'id': 301, 'content': '<lo'}, {'id': 302, 'content': 'a b', 'normalized': true},"
    " {'id': 303, 'content': '<l>', 'lstrip': true}, {'id': 304, 'content': '<r>', 'rstrip': true, 'special': true}],"
    " 'normalizer': {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\xe2\x96\x81'},"
    " 'pre_tokenizer': {'type': 'Split', 'pattern': {'String': ' '}, 'behavior': 'MergedWithPrevious', 'invert': "
    "false},"
    " 'post_processor': {'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': '<bos>', 'type_id': 0}},"
    " {'Sequence': {'id': 'A', 'type_id': 0}}]},"
    " 'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '\xe2\x96\x81'},"
    " 'content': ' '}, {'type': 'ByteFallback'}, {'type': 'Fuse'}]},"
    " 'model': {'type': 'BPE', 'dropout': null, 'unk_token': '<unk>', 'continuing_subword_prefix': null,"
    " 'end_of_word_suffix': null, 'fuse_unk': true, 'byte_fallback': true, 'ignore_merges': false,"
    " 'vocab': {'<pad>': 0, '<eos>': 1, '<bos>': 2, '<unk>': 3, 'a': 4, 'b': 5, 'c': 6, '\xe2\x96\x81': 7, '<': 8,"
    " '>': 9, 'o': 10, 's': 11, '<b': 12, 'os>': 13, 'ab': 14, 'abc': 15, 'bc': 16, '\xe2\x96\x81"
    "a': 17, 'c\xe2\x96\x81"
    "b': 18, 'os': 19, '\xe2\x96\x81"
    "b': 20, '\\u00e9\\n': 21, '\\u00e9': 22, '\\n': 23, '<start_of_turn>': 24},"
    " 'merges': ['b c', 'a b', 'ab c', '< b', 'o s', 'os >', '<b os>', '\xe2\x96\x81 a', '\xe2\x96\x81 b',"
    " 'c \xe2\x96\x81"
    "b', '\\u00e9 \\n']}}";

/* The sample with its byte pieces as ids 40 to 295, as a document to be changed. */
static json_t *sample_document(void)
{
    char *text = strdup(sample);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    json_t *document = json_loads(text, 0, NULL);
    assert_non_null(document);
    free(text);
    json_t *vocab = json_object_get(json_object_get(document, "model"), "vocab");
    for (int byte = 0; byte < 256; byte++) {
        char piece[8];
        snprintf(piece, sizeof piece, "<0x%02X>", byte);
        json_object_set_new(vocab, piece, json_integer(40 + byte));
    }
    return document;
}

static pg_status open_text(pg_tokenizer **out, const char *text)
{
    return pg_tokenizer_open(out, folder_write("tokenizer.json", text, strlen(text)));
}

/* Writes the document, which is freed, and opens it. */
static pg_status open_document(pg_tokenizer **out, json_t *document)
{
    char *text = json_dumps(document, JSON_PRESERVE_ORDER);
    pg_status status = open_text(out, text);
    free(text);
    json_decref(document);
    return status;
}

static pg_tokenizer *open_sample(void)
{
    pg_tokenizer *tokenizer;
    CHECK_OK(open_document(&tokenizer, sample_document()));
    return tokenizer;
}

/* The ids, as "4 5 6". */
static void check_ids(const pg_tokenizer *tokenizer, const char *text, unsigned flags, const char *expected)
{
    pg_buffer found = {0};
    int32_t *ids;
    size_t count;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizer, text, SIZE_MAX, flags));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(pg_buffer_print(&found, i ? " %d" : "%d", ids[i]));
    if (strcmp(found.data ? found.data : "", expected) != 0)
        fail_msg("\"%s\": found %s, expected %s", text, found.data, expected);
    pg_buffer_free(&found);
    pg_free(ids);
}

/* ---------------------------------------------------------------- what a file can say */

static void merges_are_done_by_rank(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample();
    check_ids(tokenizer, "", PG_ENCODE_PLAIN, "");
    check_ids(tokenizer, "abc", PG_ENCODE_PLAIN, "4 16"); /* "b c" is before "a b" */
    check_ids(tokenizer, "abab", PG_ENCODE_PLAIN, "14 14");
    check_ids(tokenizer, "bcbc b", PG_ENCODE_PLAIN, "16 16 20");
    check_ids(tokenizer, "b\xc3\xa9\n", PG_ENCODE_PLAIN, "5 21");
    check_ids(tokenizer, "d\xc3\xa4", PG_ENCODE_PLAIN, "140 235 204");
    check_ids(tokenizer, "cc", PG_ENCODE_BOS | PG_ENCODE_EOS, "2 6 6 1");
    pg_tokenizer_close(tokenizer);
}

/* The vocabulary has a piece with a space behind a c: words are not divided there. */
static void a_space_inside_a_piece_is_found(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample();
    check_ids(tokenizer, "ac b", PG_ENCODE_PLAIN, "4 18");
    check_ids(tokenizer, "ac a", PG_ENCODE_PLAIN, "4 6 17");
    pg_tokenizer_close(tokenizer);
}

static void added_tokens_cut_the_text(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample();
    check_ids(tokenizer, "a<loc>b", PG_ENCODE_PLAIN, "4 301 6 9 5"); /* raw ones are found before normalised ones */
    check_ids(tokenizer, "ca bc", PG_ENCODE_PLAIN, "6 302 6");       /* one with a space */
    check_ids(tokenizer, "a <l> b", PG_ENCODE_PLAIN, "4 303 20");    /* takes the space on its left */
    check_ids(tokenizer, "a <r> \n b", PG_ENCODE_SPECIAL, "4 7 304 5");
    check_ids(tokenizer, "a <r> \n b", PG_ENCODE_PLAIN, "4 7 8 154 9 7 23 20");
    pg_tokenizer_close(tokenizer);
}

/* "<bos>" could be merged from "<b" and "os>"; the text must not get there. */
static void merging_makes_no_control_token(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample();
    check_ids(tokenizer, "<bos>", PG_ENCODE_PLAIN, "12 13");
    check_ids(tokenizer, "<bos>", PG_ENCODE_SPECIAL, "2");
    assert_true(pg_tokenizer_is_special(tokenizer, 24)); /* a turn marker, by its name */
    assert_false(pg_tokenizer_is_special(tokenizer, 300));
    pg_tokenizer_close(tokenizer);
}

static json_t *model_of(json_t *document)
{
    return json_object_get(document, "model");
}

/* Newer files have ["a", "b"] instead of "a b". */
static void merges_may_be_pairs(void **state)
{
    (void)state;
    json_t *document = sample_document(), *merges = json_object_get(model_of(document), "merges"),
           *pairs = json_array();
    size_t i;
    json_t *merge;
    json_array_foreach(merges, i, merge)
    {
        const char *text = json_string_value(merge), *space = strchr(text, ' ');
        json_array_append_new(pairs, json_pack("[s#,s]", text, (int)(space - text), space + 1));
    }
    json_object_set_new(model_of(document), "merges", pairs);
    pg_tokenizer *tokenizer;
    CHECK_OK(open_document(&tokenizer, document));
    check_ids(tokenizer, "abc abab\xc3\xa9\n", PG_ENCODE_PLAIN, "4 16 7 14 14 21");
    pg_tokenizer_close(tokenizer);
}

static void move_to_end(json_t *object, const char *key)
{
    json_t *value = json_incref(json_object_get(object, key));
    json_object_del(object, key);
    json_object_set_new(object, key, value);
}

static void keys_may_come_in_any_order(void **state)
{
    (void)state;
    json_t *document = sample_document();
    json_object_set_new(document, "something new", json_pack("[{s:[]}]", "\"}"));
    move_to_end(model_of(document), "vocab");
    move_to_end(model_of(document), "type");
    move_to_end(document, "normalizer");
    move_to_end(document, "added_tokens");
    pg_tokenizer *tokenizer;
    CHECK_OK(open_document(&tokenizer, document));
    check_ids(tokenizer, "abc<loc>", PG_ENCODE_PLAIN, "4 16 301 6 9");
    assert_true(pg_tokenizer_adds_bos(tokenizer));
    pg_tokenizer_close(tokenizer);
}

static void unknown_characters_become_the_unknown_token(void **state)
{
    (void)state;
    for (int fuse = 0; fuse < 2; fuse++) {
        json_t *document = sample_document();
        json_object_set_new(model_of(document), "byte_fallback", json_false());
        json_object_set_new(model_of(document), "fuse_unk", json_boolean(fuse));
        json_array_remove(json_object_get(json_object_get(document, "decoder"), "decoders"), 1);
        pg_tokenizer *tokenizer;
        CHECK_OK(open_document(&tokenizer, document));
        check_ids(tokenizer, "xya\xc3\xa4", PG_ENCODE_PLAIN, fuse ? "3 4 3" : "3 3 4 3");
        pg_tokenizer_close(tokenizer);
    }
}

/* ---------------------------------------------------------------- what is refused */

typedef struct refused_change {
    const char *part, *key, *value; /* part "" is the document, value NULL removes */
    pg_status status;
    const char *message;
} refused_change;

static void check_refused(const refused_change *change)
{
    json_t *document = sample_document(), *part = *change->part ? json_object_get(document, change->part) : document;
    if (change->value)
        json_object_set_new(part, change->key, json_loads(change->value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(part, change->key);
    pg_tokenizer *tokenizer = (pg_tokenizer *)1;
    CHECK_FAILS(open_document(&tokenizer, document), change->status, change->message);
    assert_null(tokenizer);
    assert_non_null(strstr(pg_error_last(), "tokenizer.json"));
}

static void other_kinds_of_files_are_refused(void **state)
{
    (void)state;
    static const refused_change changes[] = {
        {"model", "type", "\"WordPiece\"", PG_ERROR_UNSUPPORTED, "model.type is \"WordPiece\", expected \"BPE\""},
        {"model", "type", NULL, PG_ERROR_FORMAT, "lacks \"type\""},
        {"model", "vocab", NULL, PG_ERROR_FORMAT, "lacks"},
        {"model", "vocab", "[]", PG_ERROR_FORMAT, "expected \"{\""},
        {"model", "vocab", "{\"a\": -1}", PG_ERROR_FORMAT, "a whole number"},
        {"model", "vocab", "{\"a\": 1, \"b\": 1}", PG_ERROR_FORMAT, "id 1 has two pieces"},
        {"model", "vocab", "{\"a\": 99999999}", PG_ERROR_FORMAT, "outside"},
        {"model", "vocab", "{\"\": 1}", PG_ERROR_FORMAT, "empty"},
        {"model", "vocab", "{\"a\": 1}", PG_ERROR_FORMAT, "merge"},
        {"model", "merges", "[\"a\"]", PG_ERROR_FORMAT, "one space"},
        {"model", "merges", "[\"a b c\"]", PG_ERROR_FORMAT, "one space"},
        {"model", "merges", "[\" b\"]", PG_ERROR_FORMAT, "two pieces"},
        {"model", "merges", "[\"a x\"]", PG_ERROR_FORMAT, "piece of the vocabulary"},
        {"model", "merges", "[[\"a\"]]", PG_ERROR_FORMAT, "expected \",\""},
        {"model", "merges", "[[\"a\", \"b\", \"c\"]]", PG_ERROR_FORMAT, "expected \"]\""},
        {"model", "merges", "[\"<0x41> <0x42>\"]", PG_ERROR_UNSUPPORTED, "byte pieces"},
        {"model", "merges", "7", PG_ERROR_FORMAT, "expected \"[\""},
        {"model", "dropout", "0.1", PG_ERROR_UNSUPPORTED, "model.dropout is 0.1"},
        {"model", "continuing_subword_prefix", "\"##\"", PG_ERROR_UNSUPPORTED, "continuing_subword_prefix"},
        {"model", "end_of_word_suffix", "\"</w>\"", PG_ERROR_UNSUPPORTED, "end_of_word_suffix"},
        {"model", "ignore_merges", "true", PG_ERROR_UNSUPPORTED, "ignore_merges"},
        {"model", "byte_fallback", "7", PG_ERROR_FORMAT, "true or false"},
        {"model", "byte_fallback", "false", PG_ERROR_UNSUPPORTED, "decoder"},
        {"", "model", NULL, PG_ERROR_FORMAT, "no \"model\""},
        {"", "normalizer", "{\"type\": \"NFKC\"}", PG_ERROR_UNSUPPORTED, "\"normalizer\" is {\"type\": \"NFKC\"}"},
        {"", "normalizer", "null", PG_ERROR_UNSUPPORTED, "pre_tokenizer"},
        {"", "pre_tokenizer", "{\"type\": \"Metaspace\"}", PG_ERROR_UNSUPPORTED, "\"pre_tokenizer\""},
        {"", "post_processor", "{\"type\": \"ByteLevel\"}", PG_ERROR_UNSUPPORTED, "\"post_processor\""},
        {"", "decoder", "null", PG_ERROR_UNSUPPORTED, "\"decoder\" is null"},
        {"", "decoder", "{\"type\": \"WordPiece\"}", PG_ERROR_UNSUPPORTED, "\"decoder\""},
        {"", "added_tokens", "{}", PG_ERROR_UNSUPPORTED, "added_tokens"},
        {"", "added_tokens", "[{\"content\": \"x\"}]", PG_ERROR_FORMAT, "\"id\" is missing"},
        {"", "added_tokens", "[{\"id\": 300}]", PG_ERROR_FORMAT, "\"content\" is missing"},
        {"", "added_tokens", "[{\"id\": 300, \"content\": \"\"}]", PG_ERROR_FORMAT, "empty"},
        {"", "added_tokens", "[{\"id\": 5, \"content\": \"a\"}]", PG_ERROR_FORMAT, "has the id 5, but 4"},
        {"", "added_tokens", "[{\"id\": 5, \"content\": \"new\"}]", PG_ERROR_FORMAT, "id 5 has two pieces"},
        {"", "added_tokens", "[{\"id\": 300, \"content\": \"x\", \"single_word\": true}]", PG_ERROR_UNSUPPORTED,
         "single word"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        check_refused(&changes[i]);
}

static void a_missing_byte_is_named(void **state)
{
    (void)state;
    json_t *document = sample_document();
    json_object_del(json_object_get(model_of(document), "vocab"), "<0xE4>");
    pg_tokenizer *tokenizer;
    CHECK_FAILS(open_document(&tokenizer, document), PG_ERROR_FORMAT, "<0xE4> is missing");
    document = sample_document(); /* where the character is a piece, its byte is not needed: Gemma's tab */
    json_object_del(json_object_get(model_of(document), "vocab"), "<0x61>");
    CHECK_OK(open_document(&tokenizer, document));
    pg_tokenizer_close(tokenizer);
}

static void long_pieces_are_refused(void **state)
{
    (void)state;
    char *text = malloc(2000);
    memset(text, 'x', 1999);
    text[1999] = 0;
    json_t *document = sample_document();
    json_object_set_new(json_object_get(model_of(document), "vocab"), text, json_integer(30));
    pg_tokenizer *tokenizer;
    CHECK_FAILS(open_document(&tokenizer, document), PG_ERROR_LIMIT, "1999 bytes");
    free(text);
}

static pg_status read_bytes(const char *text, size_t size)
{
    pg_tokenizer *tokenizer;
    CHECK_OK(pg_tokenizer_new(&tokenizer));
    pg_status status = pg_tokenizer_read_json(tokenizer, (const uint8_t *)text, size, "cut");
    if (status == PG_OK)
        status = pg_tokenizer_finish(tokenizer);
    pg_tokenizer_close(tokenizer);
    return status;
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    json_t *document = sample_document();
    char *text = json_dumps(document, 0);
    size_t size = strlen(text);
    CHECK_OK(read_bytes(text, size));
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1); /* its own block, so that a read behind its end is seen */
        memcpy(copy, text, cut);
        pg_status status = read_bytes(copy, cut);
        assert_true(status == PG_ERROR_FORMAT || status == PG_ERROR_UNSUPPORTED); /* "nul" is not null */
        free(copy);
    }
    CHECK_FAILS(read_bytes("{} {}", 5), PG_ERROR_FORMAT, "the end of the file");
    free(text);
    json_decref(document);
}

static void doubled_models_are_refused(void **state)
{
    (void)state;
    json_t *document = sample_document();
    char *text = json_dumps(document, 0);
    pg_buffer twice = {0};
    CHECK_OK(pg_buffer_append(&twice, text, strlen(text) - 1));
    CHECK_OK(pg_buffer_print(&twice, ", \"model\": {}}"));
    pg_tokenizer *tokenizer;
    CHECK_FAILS(open_text(&tokenizer, twice.data), PG_ERROR_FORMAT, "one \"model\" only");
    CHECK_FAILS(open_text(&tokenizer, "{\"model\": {\"vocab\": {\"a\": 0}, \"vocab\": {}}}"), PG_ERROR_FORMAT, "only");
    CHECK_FAILS(open_text(&tokenizer, "{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}"), PG_ERROR_FORMAT,
                "there twice");
    CHECK_FAILS(open_text(&tokenizer, "{\"model\": {\"vocab\": {\"\xff\": 0}}}"), PG_ERROR_FORMAT, "UTF-8");
    pg_buffer_free(&twice);
    free(text);
    json_decref(document);
}

/* ---------------------------------------------------------------- tokenizer_config.json, folders */

static pg_status open_with_config(pg_tokenizer **out, const char *config)
{
    const char *path = folder_write("tokenizer_config.json", config, strlen(config));
    pg_status status = open_document(out, sample_document());
    remove(path);
    return status;
}

static void a_config_declares_more_tokens(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer;
    CHECK_OK(open_with_config(&tokenizer, "{\"added_tokens_decoder\": {\"6\": {\"content\": \"c\", \"special\": true},"
                                          "\"400\": {\"content\": \"<seg>\"}, \"300\": {\"content\": \"<loc>\"}},"
                                          "\"add_bos_token\": false, \"eos_token\": {\"content\": \"c\"},"
                                          "\"pad_token\": null, \"bos_token\": \"no such token\"}"));
    check_ids(tokenizer, "a<seg>c", PG_ENCODE_SPECIAL | PG_ENCODE_EOS, "4 400 6 6");
    check_ids(tokenizer, "ac", PG_ENCODE_PLAIN, "4 139"); /* c is a control token now, typed ones are bytes */
    assert_false(pg_tokenizer_adds_bos(tokenizer));
    assert_int_equal(pg_tokenizer_size(tokenizer), 401);
    assert_int_equal(pg_tokenizer_bos(tokenizer), 2);
    assert_int_equal(pg_tokenizer_pad(tokenizer), 0);
    pg_tokenizer_close(tokenizer);
}

static void bad_configs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *message;
    } cases[] = {{"[", "not valid JSON"},
                 {"{\"added_tokens_decoder\": []}", "not an object"},
                 {"{\"added_tokens_decoder\": {\"x\": {\"content\": \"y\"}}}", "expected an id"},
                 {"{\"added_tokens_decoder\": {\"7\": {\"content\": \"a\"}}}", "has the id 7, but 4"},
                 {"{\"added_tokens_decoder\": {\"-7\": {\"content\": \"z\"}}}", "outside"},
                 {"{\"added_tokens_decoder\": {\"500\": {\"content\": 7}}}", "expected a string"},
                 {"{\"add_bos_token\": 1}", "add_bos_token"},
                 {"{\"eos_token\": 1}", "eos_token"}};
    pg_tokenizer *tokenizer;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(open_with_config(&tokenizer, cases[i].config), PG_ERROR_FORMAT, cases[i].message);
    CHECK_OK(open_with_config(&tokenizer, "{\"tokenizer_class\": \"SiglipTokenizer\"}"));
    int32_t *ids;
    size_t count;
    CHECK_FAILS(pg_tokenizer_encode(&ids, &count, tokenizer, "a", 1, 0), PG_ERROR_UNSUPPORTED, "unigram");
    pg_tokenizer_close(tokenizer);
}

static void folders_without_a_tokenizer_are_told(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer;
    remove(folder_file("tokenizer.json"));
    CHECK_FAILS(pg_tokenizer_open(&tokenizer, folder_path), PG_ERROR_FILE, "no tokenizer.json");
    CHECK_FAILS(pg_tokenizer_open(&tokenizer, folder_file("nothing.json")), PG_ERROR_FILE, "nothing.json");
    folder_write("tokenizer.model", "", 0);
    CHECK_FAILS(pg_tokenizer_open(&tokenizer, folder_path), PG_ERROR_FORMAT, "tokenizer.model");
    pg_tokenizer_close(open_sample()); /* leaves a tokenizer.json, which comes first */
    CHECK_OK(pg_tokenizer_open(&tokenizer, folder_path));
    pg_tokenizer_close(tokenizer);
    folder_write("spiece.model", "x", 1); /* but for this */
    CHECK_FAILS(pg_tokenizer_open(&tokenizer, folder_path), PG_ERROR_FORMAT, "spiece.model");
    remove(folder_file("spiece.model"));
    pg_tokenizer_close(NULL);
}

/* ---------------------------------------------------------------- text, memory */

static void malformed_text_is_refused(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample();
    int32_t *ids;
    size_t count;
    CHECK_FAILS(pg_tokenizer_encode(&ids, &count, tokenizer, "ab\xe2\x82", SIZE_MAX, 0), PG_ERROR_FORMAT,
                "byte 2 is 0xE2");
    assert_null(ids);
    CHECK_FAILS(pg_tokenizer_encode(&ids, &count, tokenizer, "", (size_t)1 << 31, 0), PG_ERROR_LIMIT, "at most");
    CHECK_FAILS(pg_tokenizer_encode(&ids, &count, tokenizer, "a", 1, 256), PG_ERROR_ARGUMENT, "0x100");
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizer, "a\0b", 3, 0));
    assert_int_equal(count, 3);
    assert_int_equal(ids[1], 40);
    pg_free(ids);
    CHECK_OK(pg_tokenizer_encode(&ids, &count, tokenizer, "", 0, 0));
    assert_int_equal(count, 0);
    assert_non_null(ids);
    pg_free(ids);
    pg_tokenizer_close(tokenizer);
}

static pg_status open_encode_decode(const char *path)
{
    static const char text[] = "abc <loc>\xc3\xa4 a b <l> ab";
    pg_tokenizer *tokenizer = NULL;
    int32_t *ids = NULL;
    char *decoded = NULL;
    size_t count;
    pg_status status;
    PG_TRY_GOTO(pg_tokenizer_open(&tokenizer, path));
    PG_TRY_GOTO(pg_tokenizer_encode(&ids, &count, tokenizer, text, SIZE_MAX, PG_ENCODE_SPECIAL | PG_ENCODE_BOS));
    PG_TRY_GOTO(pg_tokenizer_decode(&decoded, tokenizer, ids, count, true));
    assert_string_equal(decoded, "abc <loc>\xc3\xa4 a b<l> ab");
done:
    pg_free(decoded);
    pg_free(ids);
    pg_tokenizer_close(tokenizer);
    return status;
}

static void every_failed_allocation_is_told(void **state)
{
    (void)state;
    pg_tokenizer_close(open_sample());
    static const char config[] = "{\"added_tokens_decoder\": {\"400\": {\"content\": \"<seg>\"}}}";
    folder_write("tokenizer_config.json", config, strlen(config));
    CHECK_SWEEP(open_encode_decode(folder_path));
    remove(folder_file("tokenizer_config.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_are_done_by_rank),
        cmocka_unit_test(a_space_inside_a_piece_is_found),
        cmocka_unit_test(added_tokens_cut_the_text),
        cmocka_unit_test(merging_makes_no_control_token),
        cmocka_unit_test(merges_may_be_pairs),
        cmocka_unit_test(keys_may_come_in_any_order),
        cmocka_unit_test(unknown_characters_become_the_unknown_token),
        cmocka_unit_test(other_kinds_of_files_are_refused),
        cmocka_unit_test(a_missing_byte_is_named),
        cmocka_unit_test(long_pieces_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(doubled_models_are_refused),
        cmocka_unit_test(a_config_declares_more_tokens),
        cmocka_unit_test(bad_configs_are_refused),
        cmocka_unit_test(folders_without_a_tokenizer_are_told),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

/* SentencePiece's files, in small: protocol buffers written by hand, what is refused, decoding and its streams. */
#include "check.h"

#include "temporary_folder.h"
#include "sweep.h"
#include "text/siglip_text.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

enum { NORMAL = 1, UNKNOWN, CONTROL, DEFINED, UNUSED, BYTE };
enum { UNIGRAM = 1, BPE, WORD };

#define BLOCK "\xe2\x96\x81"

/* ---------------------------------------------------------------- writing protocol buffers */

static void add_varint(pg_buffer *out, uint64_t value)
{
    for (; value > 127; value >>= 7) {
        uint8_t byte = (uint8_t)(value | 0x80);
        CHECK_OK(pg_buffer_append(out, &byte, 1));
    }
    CHECK_OK(pg_buffer_append(out, &value, 1));
}

static void add_number(pg_buffer *out, unsigned tag, uint64_t value)
{
    add_varint(out, tag << 3);
    add_varint(out, value);
}

static void add_bytes(pg_buffer *out, unsigned tag, const void *bytes, size_t size)
{
    add_varint(out, tag << 3 | 2);
    add_varint(out, size);
    CHECK_OK(pg_buffer_append(out, bytes, size));
}

static void add_float(pg_buffer *out, unsigned tag, float value)
{
    add_varint(out, tag << 3 | 5);
    CHECK_OK(pg_buffer_append(out, &value, 4));
}

static void add_piece(pg_buffer *model, const char *text, float score, unsigned type)
{
    pg_buffer piece = {0};
    add_bytes(&piece, 1, text, strlen(text));
    add_float(&piece, 2, score);
    if (type != NORMAL)
        add_number(&piece, 3, type);
    add_bytes(model, 1, piece.data, piece.size);
    pg_buffer_free(&piece);
}

static void add_trainer(pg_buffer *model, unsigned type, bool byte_fallback, const char *surface)
{
    pg_buffer trainer = {0};
    add_number(&trainer, 3, type);
    add_number(&trainer, 35, byte_fallback);
    if (surface)
        add_bytes(&trainer, 44, surface, strlen(surface));
    add_number(&trainer, 99, 12345); /* fields of later versions are passed over */
    add_bytes(&trainer, 98, "?", 1);
    add_bytes(model, 2, trainer.data, trainer.size);
    pg_buffer_free(&trainer);
}

static void add_normalizer(pg_buffer *model, bool prefix, bool trim)
{
    pg_buffer normalizer = {0};
    add_number(&normalizer, 3, prefix);
    add_number(&normalizer, 4, trim);
    add_bytes(model, 3, normalizer.data, normalizer.size);
    pg_buffer_free(&normalizer);
}

/* Control pieces, letters, pieces of two and three of them, a user-defined one. */
static void add_pieces(pg_buffer *model)
{
    static const struct {
        const char *text;
        float score;
        unsigned type;
    } pieces[] = {{"<unk>", 0, UNKNOWN},     {"<s>", 0, CONTROL},        {"</s>", 0, CONTROL},
                  {BLOCK, -1, NORMAL},       {"a", -2, NORMAL},          {"b", -3, NORMAL},
                  {"ab", -1, NORMAL},        {BLOCK "a", -1.5f, NORMAL}, {"<x>", 0, DEFINED},
                  {"c\xc3\xa4", -9, NORMAL}, {"c", -8, NORMAL},          {"<start_of_turn>", 0, DEFINED}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        add_piece(model, pieces[i].text, pieces[i].score, pieces[i].type);
}

/* Those of the bytes from .. end - 1. */
static void add_byte_pieces(pg_buffer *model, int from, int end)
{
    for (int byte = from; byte < end; byte++) {
        char piece[8];
        snprintf(piece, sizeof piece, "<0x%02X>", byte);
        add_piece(model, piece, 0, BYTE);
    }
}

/* Writes a model, which is freed, and opens it. */
static pg_status open_model(pg_tokenizer **out, pg_buffer *model)
{
    pg_status status = pg_tokenizer_open(out, folder_write("m.model", model->data, model->size));
    pg_buffer_free(model);
    return status;
}

static pg_tokenizer *open_sample(unsigned type, bool byte_fallback, bool prefix, bool trim)
{
    pg_buffer model = {0};
    pg_tokenizer *tokenizer;
    add_pieces(&model);
    if (byte_fallback)
        add_byte_pieces(&model, 0, 256);
    add_trainer(&model, type, byte_fallback, NULL);
    add_normalizer(&model, prefix, trim);
    CHECK_OK(open_model(&tokenizer, &model));
    return tokenizer;
}

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

/* ---------------------------------------------------------------- ids (as the sentencepiece library has them) */

static void bpe_merges_what_makes_a_piece(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample(BPE, true, false, false);
    check_ids(tokenizer, "ab a aab", PG_ENCODE_PLAIN, "6 7 7 6");
    check_ids(tokenizer, "c\xc3\xa4\xc3\xa4", PG_ENCODE_PLAIN, "9 207 176"); /* the umlaut alone is no piece */
    check_ids(tokenizer, "a<x>b  ", PG_ENCODE_BOS | PG_ENCODE_EOS, "1 4 8 5 3 3 2");
    check_ids(tokenizer, "<s></s><unk>", PG_ENCODE_SPECIAL, "72 127 74 72 59 127 74 72 129 122 119 74");
    check_ids(tokenizer, "<start_of_turn>", PG_ENCODE_SPECIAL, "11");
    pg_tokenizer_close(tokenizer);
    tokenizer = open_sample(BPE, false, false, false);
    check_ids(tokenizer, "xya\xc3\xa4z a", PG_ENCODE_PLAIN, "0 4 0 7"); /* unknown ones in a row become one */
    pg_tokenizer_close(tokenizer);
}

static void unigram_takes_the_best_sum(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample(UNIGRAM, false, true, true);
    check_ids(tokenizer, "ab", PG_ENCODE_PLAIN, "3 6"); /* -1 -1 is better than -1.5 -3 */
    check_ids(tokenizer, "  a   b ", PG_ENCODE_PLAIN, "7 3 5");
    check_ids(tokenizer, "xy a", PG_ENCODE_PLAIN, "3 0 7");
    check_ids(tokenizer, "a<x>", PG_ENCODE_PLAIN, "7 8");
    check_ids(tokenizer, "  ", PG_ENCODE_PLAIN, "");
    check_ids(tokenizer, "a<start_of_turn>", PG_ENCODE_SPECIAL, "7 11");
    check_ids(tokenizer, "a<start_of_turn>", PG_ENCODE_PLAIN, "7 0 4 0");
    pg_tokenizer_close(tokenizer);
}

/* What tokenizer_config.json adds has no score, wherever its id lies: nothing is merged into it. */
static void added_tokens_are_no_merges(void **state)
{
    (void)state;
    static const char config[] = "{\"added_tokens_decoder\": {\"12\": {\"content\": \"bb\"},"
                                 " \"3000000\": {\"content\": \"b" BLOCK "\"}}}";
    const char *path = folder_write("tokenizer_config.json", config, sizeof config - 1);
    for (unsigned type = UNIGRAM; type <= BPE; type++) {
        pg_tokenizer *tokenizer = open_sample(type, false, false, false);
        assert_int_equal(pg_tokenizer_size(tokenizer), 3000001);
        check_ids(tokenizer, "b  bb a", PG_ENCODE_PLAIN, "5 3 3 12 7");
        check_ids(tokenizer, "b" BLOCK "a", PG_ENCODE_PLAIN, "3000000 4");
        pg_tokenizer_close(tokenizer);
    }
    assert_int_equal(unlink(path), 0);
}

/* SigLIP's guard, the unknown piece before the text, may become one piece with it. */
static void a_guard_may_join_the_text(void **state)
{
    (void)state;
    static const char *const letters[] = {"<", "u", "n", "k", ">"};
    pg_buffer model = {0};
    pg_tokenizer *tokenizer;
    int32_t ids[3];
    add_pieces(&model);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        add_piece(&model, letters[i], -5, NORMAL);
    add_piece(&model, "<unk>" BLOCK "a", -1, NORMAL);
    add_trainer(&model, UNIGRAM, false, NULL);
    add_normalizer(&model, true, true);
    CHECK_OK(open_model(&tokenizer, &model));
    CHECK_OK(pg_siglip_text_encode(ids, 3, tokenizer, "b", PG_ENCODE_PLAIN));
    assert_true(ids[0] == 3 && ids[1] == 5 && ids[2] == 2);
    CHECK_OK(pg_siglip_text_encode(ids, 3, tokenizer, "a", PG_ENCODE_PLAIN)); /* nothing is left, as in the reference */
    assert_true(ids[0] == 2 && ids[1] == 2 && ids[2] == 2);
    pg_tokenizer_close(tokenizer);
}

/* ---------------------------------------------------------------- what is refused */

static void check_refused(pg_buffer *model, pg_status expected, const char *message)
{
    pg_tokenizer *tokenizer = (pg_tokenizer *)1;
    CHECK_FAILS(open_model(&tokenizer, model), expected, message);
    assert_null(tokenizer);
    assert_non_null(strstr(pg_error_last(), "m.model"));
}

static void check_refused_piece(const char *text, float score, unsigned type, unsigned model_type, pg_status expected,
                                const char *message)
{
    pg_buffer model = {0};
    add_pieces(&model);
    add_piece(&model, text, score, type);
    add_trainer(&model, model_type, false, NULL);
    check_refused(&model, expected, message);
}

static void other_kinds_of_files_are_refused(void **state)
{
    (void)state;
    check_refused_piece("", 0, NORMAL, BPE, PG_ERROR_FORMAT, "empty");
    check_refused_piece("a", 0, NORMAL, BPE, PG_ERROR_FORMAT, "\"a\" of id 12 is there twice");
    check_refused_piece("\xff", 0, NORMAL, BPE, PG_ERROR_FORMAT, "UTF-8");
    check_refused_piece("q", 0.0f / 0.0f, NORMAL, BPE, PG_ERROR_FORMAT, "not a number");
    check_refused_piece("q", 0, 7, BPE, PG_ERROR_FORMAT, "has the type 7");
    check_refused_piece("q", 0, UNKNOWN, BPE, PG_ERROR_FORMAT, "pieces 0 and 12 are both unknown");
    check_refused_piece("q", 0, UNUSED, BPE, PG_ERROR_UNSUPPORTED, "unused");
    check_refused_piece("q", 0, BYTE, BPE, PG_ERROR_FORMAT, "of the form <0x00>");
    check_refused_piece("q", 0, NORMAL, WORD, PG_ERROR_UNSUPPORTED, "model type is 3");
    pg_buffer model = {0};
    add_piece(&model, "a", 0, NORMAL);
    check_refused(&model, PG_ERROR_FORMAT, "none of 1 pieces is the unknown one");
    add_pieces(&model);
    add_byte_pieces(&model, 0, 255);
    add_trainer(&model, BPE, true, NULL);
    check_refused(&model, PG_ERROR_FORMAT, "<0xFF> is missing");
    add_pieces(&model);
    add_byte_pieces(&model, 0, '\t');
    add_byte_pieces(&model, '\t' + 1, 256);
    add_piece(&model, "\t", 0, UNUSED);
    add_trainer(&model, UNIGRAM, true, NULL);
    check_refused(&model, PG_ERROR_FORMAT, "<0x09> is missing");
    add_pieces(&model);
    add_bytes(&model, 5, "\x12\x01x", 3);
    check_refused(&model, PG_ERROR_UNSUPPORTED, "denormalizer_spec");
    add_pieces(&model);
    add_bytes(&model, 2, "\xc0\x01\x01", 3);
    check_refused(&model, PG_ERROR_UNSUPPORTED, "treat_whitespace_as_suffix");
    add_pieces(&model);
    add_bytes(&model, 3, "\x12\x01x", 3);
    check_refused(&model, PG_ERROR_FORMAT, "precompiled_charsmap");
    CHECK_OK(pg_buffer_print(&model, "this is some text"));
    check_refused(&model, PG_ERROR_FORMAT, "not a SentencePiece model");
}

static void cut_and_changed_files_do_no_harm(void **state)
{
    (void)state;
    pg_buffer model = {0};
    add_pieces(&model);
    add_trainer(&model, BPE, false, NULL);
    add_normalizer(&model, true, false);
    uint32_t random = 7;
    for (size_t round = 0; round < model.size + 3000; round++) {
        bool cut = round < model.size;
        size_t size = cut ? round : model.size;
        uint8_t *copy = malloc(size + 1); /* its own block, so that a read behind its end is seen */
        memcpy(copy, model.data, size);
        random = random * 1664525 + 1013904223;
        if (!cut)
            copy[(random >> 8) % size] = (uint8_t)(random >> 24);
        pg_tokenizer *tokenizer;
        CHECK_OK(pg_tokenizer_new(&tokenizer));
        if (pg_tokenizer_read_sentencepiece(tokenizer, copy, size, "changed") == PG_OK)
            pg_tokenizer_finish(tokenizer);
        pg_tokenizer_close(tokenizer);
        free(copy);
    }
    pg_buffer_free(&model);
}

/* ---------------------------------------------------------------- decoding */

static void check_text(const pg_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip, const char *expected)
{
    char *text;
    CHECK_OK(pg_tokenizer_decode(&text, tokenizer, ids, count, skip));
    assert_string_equal(text, expected);
    pg_free(text);
}

#define CHECK_TEXT(tokenizer, skip, expected, ...)                                                                  \
    check_text(tokenizer, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), skip, \
               expected)

static void spaces_of_the_normaliser_go_again(void **state)
{
    (void)state;
    pg_tokenizer *both = open_sample(UNIGRAM, false, true, true), *prefix = open_sample(UNIGRAM, false, true, false),
                 *none = open_sample(BPE, false, false, false);
    CHECK_TEXT(both, true, "a a", 3, 7, 7);
    CHECK_TEXT(prefix, true, " a a", 3, 7, 7);
    CHECK_TEXT(none, true, "  a a", 3, 7, 7);
    CHECK_TEXT(both, true, "a ", 1, 7, 2, 3);
    CHECK_TEXT(both, false, "<s> a</s> ", 1, 7, 2, 3);
    CHECK_TEXT(both, true, " \xe2\x81\x87  a", 0, 7);
    CHECK_TEXT(both, true, "a", 7, 5000);
    char *text;
    CHECK_FAILS(pg_tokenizer_decode(&text, both, (int32_t[]){7, -1}, 2, true), PG_ERROR_ARGUMENT, "-1 is no token id");
    assert_null(text);
    pg_tokenizer_close(both);
    pg_tokenizer_close(prefix);
    pg_tokenizer_close(none);
}

static void an_unknown_piece_has_a_surface(void **state)
{
    (void)state;
    pg_buffer model = {0};
    pg_tokenizer *tokenizer;
    add_pieces(&model);
    add_trainer(&model, UNIGRAM, false, "(?)");
    CHECK_OK(open_model(&tokenizer, &model));
    CHECK_TEXT(tokenizer, true, "a(?)", 7, 0);
    pg_tokenizer_close(tokenizer);
    add_pieces(&model);
    add_trainer(&model, UNIGRAM, false, "\xe2\x82");
    check_refused(&model, PG_ERROR_FORMAT, "unk_surface");
}

/* All texts of a stream put together, and everything at once: the same. */
static void check_stream(const pg_tokenizer *tokenizer, pg_decoder *decoder, const int32_t *ids, size_t count,
                         bool skip)
{
    pg_buffer shown = {0};
    const char *text;
    char *whole;
    size_t size;
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(pg_decoder_push(decoder, ids[i], &text, &size));
        assert_int_equal(pg_utf8_check(text, size), size);
        CHECK_OK(pg_buffer_append(&shown, text, size));
    }
    CHECK_OK(pg_decoder_finish(decoder, &text, &size));
    CHECK_OK(pg_buffer_append(&shown, text, size));
    CHECK_OK(pg_tokenizer_decode(&whole, tokenizer, ids, count, skip));
    assert_string_equal(shown.data, whole);
    pg_free(whole);
    pg_buffer_free(&shown);
}

static void any_stream_is_its_whole(void **state)
{
    (void)state;
    uint32_t random = 3;
    for (int kind = 0; kind < 4; kind++) {
        bool skip = kind & 1;
        pg_tokenizer *tokenizer = open_sample(kind < 2 ? BPE : UNIGRAM, true, kind >= 2, kind >= 2);
        pg_decoder *decoder;
        CHECK_OK(pg_decoder_new(&decoder, tokenizer, skip));
        for (int round = 0; round < 3000; round++) {
            int32_t ids[24];
            size_t count = random % 24;
            for (size_t i = 0; i < count; i++) {
                random = random * 1664525 + 1013904223;
                /* mostly bytes of characters, so that many are whole and many are broken */
                ids[i] = random >> 31 ? (int32_t)(random >> 8) % 12 + 1 : (int32_t)(12 + 0xc0 + (random >> 8) % 64);
                if (random >> 30 == 1)
                    ids[i] = (int32_t)(12 + 0x80 + (random >> 8) % 64);
            }
            check_stream(tokenizer, decoder, ids, count, skip);
            random = random * 1664525 + 1013904223;
        }
        pg_decoder_free(decoder);
        pg_tokenizer_close(tokenizer);
    }
    pg_decoder_free(NULL);
}

/* A character is shown with its last byte, and a byte that is none at once. */
static void bytes_wait_for_their_character(void **state)
{
    (void)state;
    pg_tokenizer *tokenizer = open_sample(BPE, true, false, false);
    pg_decoder *decoder;
    const char *text;
    static const struct {
        int byte;
        const char *shown;
    } steps[] = {{0xe2, ""},
                 {0x82, ""},
                 {0xac, "\xe2\x82\xac"},
                 {0x80, "\xef\xbf\xbd"},
                 {0xf0, ""},
                 {0x9f, ""},
                 {0x41, "\xef\xbf\xbd\xef\xbf\xbd"
                        "A"},
                 {0xed, ""},
                 {0xa0, "\xef\xbf\xbd\xef\xbf\xbd"},
                 {0xc3, ""}};
    CHECK_OK(pg_decoder_new(&decoder, tokenizer, true));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        CHECK_OK(pg_decoder_push(decoder, 12 + steps[i].byte, &text, NULL));
        assert_string_equal(text, steps[i].shown);
    }
    CHECK_OK(pg_decoder_push(decoder, 4, &text, NULL));
    assert_string_equal(text, "\xef\xbf\xbd"
                              "a");
    CHECK_FAILS(pg_decoder_push(decoder, -5, &text, NULL), PG_ERROR_ARGUMENT, "-5");
    assert_string_equal(text, "");
    CHECK_OK(pg_decoder_push(decoder, 12 + 0xc3, &text, NULL));
    CHECK_OK(pg_decoder_finish(decoder, &text, NULL));
    assert_string_equal(text, "\xef\xbf\xbd");
    pg_decoder_free(decoder);
    pg_tokenizer_close(tokenizer);
}

/* ---------------------------------------------------------------- memory */

static pg_status open_encode_stream(const char *path)
{
    pg_tokenizer *tokenizer = NULL;
    pg_decoder *decoder = NULL;
    int32_t *ids = NULL;
    size_t count;
    const char *text;
    pg_status status;
    PG_TRY_GOTO(pg_tokenizer_open(&tokenizer, path));
    PG_TRY_GOTO(pg_tokenizer_encode(&ids, &count, tokenizer, "  a <x> b\xe2\x82\xac", SIZE_MAX, PG_ENCODE_EOS));
    PG_TRY_GOTO(pg_decoder_new(&decoder, tokenizer, false));
    for (size_t i = 0; i < count; i++)
        PG_TRY_GOTO(pg_decoder_push(decoder, ids[i], &text, NULL));
    PG_TRY_GOTO(pg_decoder_finish(decoder, &text, NULL));
done:
    pg_free(ids);
    pg_decoder_free(decoder);
    pg_tokenizer_close(tokenizer);
    return status;
}

static void every_failed_allocation_is_told(void **state)
{
    (void)state;
    for (unsigned type = UNIGRAM; type <= BPE; type++) {
        pg_tokenizer_close(open_sample(type, true, true, true));
        CHECK_SWEEP(open_encode_stream(folder_file("m.model")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bpe_merges_what_makes_a_piece),     cmocka_unit_test(unigram_takes_the_best_sum),
        cmocka_unit_test(added_tokens_are_no_merges),        cmocka_unit_test(a_guard_may_join_the_text),
        cmocka_unit_test(other_kinds_of_files_are_refused),  cmocka_unit_test(cut_and_changed_files_do_no_harm),
        cmocka_unit_test(spaces_of_the_normaliser_go_again), cmocka_unit_test(an_unknown_piece_has_a_surface),
        cmocka_unit_test(any_stream_is_its_whole),           cmocka_unit_test(bytes_wait_for_their_character),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}

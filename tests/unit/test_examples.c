/* Files of examples: what is read, what is refused and with which line, and the decoder's view of them. */
#include "check.h"
#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "tasks/examples.h"

static pg_golden_model gemma, pali;
static pg_session *gemma_session, *pali_session;

static int setup(void **state)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    options.context = 64;
    sweep_include_json();
    pg_golden_model_open(&gemma, "gemma-tiny-mha");
    pg_golden_model_open(&pali, "paligemma-tiny-f32");
    CHECK_OK(pg_session_new(&gemma_session, gemma.model, &options));
    CHECK_OK(pg_session_new(&pali_session, pali.model, &options));
    return folder_setup(state);
}

static int teardown(void **state)
{
    pg_session_free(gemma_session);
    pg_session_free(pali_session);
    pg_golden_model_close(&gemma);
    pg_golden_model_close(&pali);
    return folder_teardown(state);
}

static const char *write_text(const char *text)
{
    return folder_write("examples", text, strlen(text));
}

static void texts(void **state)
{
    (void)state;
    pg_examples examples;
    CHECK_OK(pg_examples_load(&examples, gemma_session, write_text("\n The cow walked\r\n \t\nnot JSON")));
    assert_int_equal(examples.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(examples.items[i].predicted, 1);
        assert_int_equal(examples.items[i].prefix, 0);
        assert_int_equal(examples.items[i].row->image_count, 0);
    }
    pg_examples_free(&examples);
}

/* Prompt and suffix are tokenised apart, and the suffix ends in <eos>. */
static void objects_for_gemma(void **state)
{
    (void)state;
    pg_examples examples;
    int32_t *ids;
    size_t count;
    CHECK_OK(pg_examples_load(&examples, gemma_session,
                              write_text("{\"prompt\": \"The cow\", \"suffix\": \" walked\", \"other\": 1}\n"
                                         "{\"prefix\": \"The cow\", \"suffix\": null}")));
    assert_int_equal(examples.count, 2);
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(gemma.model), "The cow", SIZE_MAX, PG_ENCODE_BOS));
    const pg_example *first = &examples.items[0], *second = &examples.items[1];
    assert_int_equal(first->predicted, count);
    assert_int_equal(second->ids.count, count);
    assert_int_equal(second->predicted, 1);
    assert_memory_equal(first->ids.data, ids, count * sizeof *ids);
    assert_memory_equal(second->ids.data, ids, count * sizeof *ids);
    assert_int_equal(first->ids.data[first->ids.count - 1], pg_tokenizer_id(pg_model_tokenizer(gemma.model), "<eos>"));
    pg_free(ids);
    pg_examples_free(&examples);
}

/* Without a suffix: what pg_generate answers, of which the model then finds every token the likeliest. */
static void objects_for_paligemma(void **state)
{
    (void)state;
    pg_examples examples;
    CHECK_OK(pg_examples_load(&examples, pali_session,
                              write_text("{\"prefix\": \"caption en\", \"image\": \"" PG_GOLDEN_FOLDER
                                         "/images/cow.jpg\"}\n{\"prefix\": \"caption en\", \"suffix\": \"a cow\"}\n")));
    assert_int_equal(examples.count, 2);
    const pg_example *own = &examples.items[0];
    assert_int_equal(own->first, 1);
    assert_int_equal(own->prefix, own->predicted);
    pg_prediction original = {0}, again = {0};
    CHECK_OK(pg_example_predict(&original, pali_session, own, NULL));
    assert_int_equal(original.tokens, own->ids.count - own->predicted);
    assert_memory_equal(original.best, own->ids.data + own->predicted, original.tokens * sizeof *original.best);
    assert_true(original.nll > 0 && isfinite(original.nll));
    CHECK_OK(pg_example_predict(&again, pali_session, own, &original));
    assert_int_equal(again.agreed, original.tokens);
    assert_null(again.best);
    pg_free(original.best);
    pg_examples_free(&examples);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        bool pictures;
        const char *text, *says;
        pg_status status;
    } cases[] = {
        {false, "", "examples: has no text", PG_ERROR_FORMAT},
        {false, " \n\t\n", "has no text", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\"}\n\n{\"prompt\": 3}", "examples:3: \"prompt\": expected a text", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\"}\n{\"prompt\"", "examples:2: row: line 1, column 9: not valid JSON",
         PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\"}\n[1]", "examples:2: not a JSON object", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\"} {}", "line 1, column 17", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\", \"prompt\": \"b\"}", "line 1", PG_ERROR_FORMAT},
        {false, "{\"suffix\": \"a\"}", "examples:1: the key \"prefix\" is missing", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\\u0000b\"}", "examples:1: prompt: has a NUL", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"\"}", "examples:1: found no text that could be predicted", PG_ERROR_FORMAT},
        {false, "{\"prompt\": \"a\", \"image\": \"cow.jpg\"}", "examples:1: ", PG_ERROR_FILE},
        {false, "a\n\nb\xff", "examples:3: text: byte 1 is not UTF-8", PG_ERROR_FORMAT},
        {false, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35",
         "the context holds 64", PG_ERROR_LIMIT},
        {true, "caption en", "examples:1: found plain text, expected a JSON object", PG_ERROR_FORMAT},
        {true, "{\"prefix\": \"a\", \"image\": [\"b\", 1]}", "examples:1: \"image\": expected a file", PG_ERROR_FORMAT},
        {true, "{\"text\": \"a\", \"label\": 1}", "rows of kind \"label\"", PG_ERROR_FORMAT},
        {true, "{\"prefix\": \"a\", \"image\": \"examples\"}", "examples:1: ", PG_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_examples examples;
        const char *path = write_text(cases[i].text);
        CHECK_FAILS(pg_examples_load(&examples, cases[i].pictures ? pali_session : gemma_session, path),
                    cases[i].status, cases[i].says);
        assert_int_equal(examples.count, 0);
    }
    pg_examples examples;
    const char *path = folder_write("examples", "a\0b", 3);
    CHECK_FAILS(pg_examples_load(&examples, gemma_session, path), PG_ERROR_FORMAT, "has a NUL");
    CHECK_FAILS(pg_examples_load(&examples, gemma_session, folder_file("missing")), PG_ERROR_FILE, "missing");
}

/* Rows of any file that gives prompts and answers. */
static void other_files(void **state)
{
    (void)state;
    pg_examples examples;
    const char coco[] = "{\"images\": [{\"id\": 1, \"file_name\": \"" PG_GOLDEN_FOLDER "/images/small.png\"}], "
                        "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"caption\": \"a cow\"}]}";
    CHECK_OK(pg_examples_load(&examples, pali_session, write_text(coco)));
    assert_int_equal(examples.count, 1);
    assert_string_equal(examples.items[0].row->suffix, "a cow");
    pg_examples_free(&examples);
    const char text[] = "{\"image\": \"" PG_GOLDEN_FOLDER "/images/small.png\", \"text\": \"a cow\"}";
    CHECK_OK(pg_examples_load(&examples, pali_session, write_text(text)));
    assert_string_equal(examples.items[0].row->prefix, "caption en");
    assert_int_equal(examples.items[0].prefix, examples.items[0].predicted); /* the text is the answer */
    pg_examples_free(&examples);
}

/* A file cut anywhere is read or refused. */
static void files_that_are_cut(void **state)
{
    (void)state;
    static const char text[] = "{\"prompt\": \"The \\u00e9 cow\", \"suffix\": \"walked\"}\n{\"prefix\": \"a b\"}\n";
    for (size_t size = 0; size < sizeof text; size++) {
        pg_examples examples;
        if (pg_examples_load(&examples, gemma_session, folder_write("examples", text, size)) == PG_OK)
            assert_in_range(examples.count, 1, 2);
        pg_examples_free(&examples);
    }
}

static pg_status load_and_predict(const char *path)
{
    pg_examples examples;
    pg_prediction prediction = {0};
    PG_TRY(pg_examples_load(&examples, pali_session, path));
    pg_status status = pg_example_predict(&prediction, pali_session, &examples.items[0], NULL);
    pg_free(prediction.best);
    pg_examples_free(&examples);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    const char *path = write_text("{\"prefix\": \"a\", \"image\": \"" PG_GOLDEN_FOLDER
                                  "/images/small.png\"}\n{\"prefix\": \"b\", \"suffix\": \"c\"}");
    CHECK_SWEEP(load_and_predict(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(objects_for_gemma),
        cmocka_unit_test(objects_for_paligemma),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(files_that_are_cut),
        cmocka_unit_test(other_files),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

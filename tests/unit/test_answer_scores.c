/* src/metrics: VQA accuracy, ANLS, relaxed accuracy, reading errors and lists as sets, against the official tools. */
#include "sweep.h"

#include <math.h>

#include "base/json.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define CLOSE  1e-12
#define MOST   16 /* answers */

static json_t *load(const char *name)
{
    char path[512];
    json_t *document;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    CHECK_OK(pg_json_load(&document, path));
    return document;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Answers as a comparison; key: of the text within an entry, NULL where entries are texts. */
static pg_comparison compare_with(const char **room, const char *prediction, const json_t *answers, const char *key)
{
    size_t count = json_array_size(answers);
    assert_in_range(count, 1, MOST);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(answers, i);
        room[i] = key ? text_of(entry, key) : json_string_value(entry);
    }
    return (pg_comparison){prediction, room, count};
}

static bool all_same(const pg_comparison *item)
{
    for (size_t i = 1; i < item->reference_count; i++)
        if (strcmp(item->references[i], item->references[0]) != 0)
            return false;
    return true;
}

static void vqa_accuracy_is_the_official_one(void **state)
{
    (void)state;
    json_t *results = load("vqa_results.json"), *truth = load("vqa_annotations.json"),
           *expected = load("vqa_expected.json");
    const json_t *annotations = json_object_get(truth, "annotations"),
                 *figures = json_object_get(expected, "per_question");
    size_t count = json_array_size(figures);
    for (size_t i = 0; i < count; i++) {
        const char *answers[MOST];
        const json_t *figure = json_array_get(figures, i);
        pg_comparison item = compare_with(answers, text_of(json_array_get(results, i), "answer"),
                                          json_object_get(json_array_get(annotations, i), "answers"), "answer");
        double accuracy;
        char *normalised;
        CHECK_OK(pg_vqa_accuracy(&accuracy, &item));
        assert_true(fabs(accuracy - json_real_value(json_object_get(figure, "accuracy"))) < CLOSE);
        CHECK_OK(pg_vqa_normalise(&normalised, item.prediction));
        if (!all_same(&item))
            assert_string_equal(normalised, text_of(figure, "normalised_answer"));
        pg_free(normalised);
    }
    json_decref(results);
    json_decref(truth);
    json_decref(expected);
}

static void answers_are_normalised(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"  The  two dogs. ", "2 dogs"},
        {"t-shirt", "t shirt"},
        {"t- shirt", "t shirt"},
        {"a - b-c", "bc"},    /* one mark stands free: all like it are deleted */
        {"1,000-2", "10002"}, /* a grouped number: all marks are deleted */
        {"3.,5 5. U.S.", "3 5 5 us"},
        {"DONT Im\tyall", "don't im y'all"},
        {"\xc3\x89t\xc3\xa9!", "\xc3\xa9t\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *normalised;
        CHECK_OK(pg_vqa_normalise(&normalised, cases[i][0]));
        assert_string_equal(normalised, cases[i][1]);
        pg_free(normalised);
    }
}

static void few_answers_are_right_or_wrong(void **state)
{
    (void)state;
    const char *const answers[] = {"two", "a dog"};
    double accuracy;
    CHECK_OK(pg_vqa_accuracy(&accuracy, &(pg_comparison){"Dog.", answers, 2}));
    assert_true(accuracy == 1);
    CHECK_OK(pg_vqa_accuracy(&accuracy, &(pg_comparison){"2", answers, 1}));
    assert_true(accuracy == 1);
    CHECK_OK(pg_vqa_accuracy(&accuracy, &(pg_comparison){"dog", answers, 1}));
    assert_true(accuracy == 0);
    CHECK_FAILS(pg_vqa_accuracy(&accuracy, &(pg_comparison){"dog", answers, 0}), PG_ERROR_ARGUMENT, "no answers");
    CHECK_FAILS(pg_vqa_accuracy(&accuracy, &(pg_comparison){"\xff", answers, 1}), PG_ERROR_FORMAT, "byte 0");
}

static void anls_is_the_official_one(void **state)
{
    (void)state;
    static const struct variant {
        const char *key;
        unsigned flags;
    } variants[] = {{"anls", 0}, {"anls_keep_half", PG_ANLS_KEEP_HALF}, {"anls_lower", PG_ANLS_FOLD}};
    json_t *document = load("anls.json"), *entry;
    size_t i;
    json_array_foreach(json_object_get(document, "cases"), i, entry)
    {
        const char *answers[MOST];
        pg_comparison item =
            compare_with(answers, text_of(entry, "prediction"), json_object_get(entry, "answers"), NULL);
        for (size_t j = 0; j < sizeof variants / sizeof *variants; j++) {
            double anls;
            CHECK_OK(pg_anls(&anls, &item, variants[j].flags));
            assert_true(fabs(anls - json_real_value(json_object_get(entry, variants[j].key))) < CLOSE);
        }
    }
    json_decref(document);
}

static void numbers_may_be_a_little_off(void **state)
{
    (void)state;
    json_t *document = load("chartqa_relaxed.json"), *entry;
    size_t i;
    json_array_foreach(json_object_get(document, "cases"), i, entry)
        assert_int_equal(pg_relaxed_match(text_of(entry, "prediction"), text_of(entry, "target")),
                         json_is_true(json_object_get(entry, "relaxed")));
    json_decref(document);
    assert_true(pg_relaxed_match("1_0_0", "100") && !pg_relaxed_match("1__00", "100") && !pg_relaxed_match("_1", "1"));
    assert_false(pg_relaxed_match("nan(1)", "1"));
    assert_false(pg_relaxed_match("1e", "1"));
    assert_true(pg_relaxed_match("\xff", "\xff"));
}

static void reading_errors_are_counted(void **state)
{
    (void)state;
    json_t *document = load("ocr.json"), *entry;
    size_t i;
    pg_reading_errors sum = {0}, one;
    json_array_foreach(json_object_get(document, "cases"), i, entry)
    {
        CHECK_OK(pg_reading_compare(&one, text_of(entry, "hypothesis"), text_of(entry, "reference")));
        assert_int_equal(one.character_edits, json_integer_value(json_object_get(entry, "char_edits")));
        assert_int_equal(one.characters, json_integer_value(json_object_get(entry, "chars")));
        assert_int_equal(one.word_edits, json_integer_value(json_object_get(entry, "word_edits")));
        assert_int_equal(one.words, json_integer_value(json_object_get(entry, "words")));
        sum.character_edits += one.character_edits;
        sum.characters += one.characters;
        sum.word_edits += one.word_edits;
        sum.words += one.words;
    }
    assert_true(fabs((double)sum.character_edits / (double)sum.characters -
                     json_real_value(json_object_get(document, "cer"))) < CLOSE);
    assert_true(fabs((double)sum.word_edits / (double)sum.words - json_real_value(json_object_get(document, "wer"))) <
                CLOSE);
    json_decref(document);
    CHECK_FAILS(pg_reading_compare(&one, "a\xc3", "a"), PG_ERROR_FORMAT, "byte 1");
}

static bool match(const char *prediction, const char *reference)
{
    bool same;
    CHECK_OK(pg_phrases_match(&same, prediction, reference));
    return same;
}

static void lists_are_compared_as_sets(void **state)
{
    (void)state;
    assert_true(match("a red cube, two dogs and the ball.", "Ball, red  cube, two dogs"));
    assert_true(match("", " , and . "));
    assert_true(match("a 3.5 inch disk", "3.5 inch disk."));
    assert_false(match("a red cube and a red cube", "a red cube"));
    assert_false(match("a red cube", "a cube red"));
    assert_false(match("sand", "s"));
    assert_false(match("a cat", ""));
    bool same;
    CHECK_FAILS(pg_phrases_match(&same, "a", "\x80"), PG_ERROR_FORMAT, "byte 0");
}

static pg_status use_all(void)
{
    const char *const answers[] = {"a dog", "two dogs", "dog", "cats"};
    const pg_comparison item = {"the Dog", answers, 4};
    double value;
    char *text;
    bool same;
    pg_reading_errors errors;
    PG_TRY(pg_vqa_accuracy(&value, &item));
    PG_TRY(pg_anls(&value, &item, PG_ANLS_FOLD));
    PG_TRY(pg_reading_compare(&errors, "the dog", "a dog"));
    PG_TRY(pg_phrases_match(&same, "a dog and a cat", "a cat, a dog"));
    PG_TRY(pg_vqa_normalise(&text, "The dog"));
    pg_free(text);
    return PG_OK;
}

static void memory_runs_out(void **state)
{
    (void)state;
    CHECK_SWEEP(use_all());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vqa_accuracy_is_the_official_one), cmocka_unit_test(answers_are_normalised),
        cmocka_unit_test(few_answers_are_right_or_wrong),   cmocka_unit_test(anls_is_the_official_one),
        cmocka_unit_test(numbers_may_be_a_little_off),      cmocka_unit_test(reading_errors_are_counted),
        cmocka_unit_test(lists_are_compared_as_sets),       cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

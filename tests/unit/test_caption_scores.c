/* src/metrics: CIDEr-D, BLEU and ROUGE-L of captions against pycocoevalcap's numbers. */
#include "sweep.h"

#include <math.h>

#include "base/json.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/metrics/"
#define ITEMS  20
#define CLOSE  1e-9
#define MOST   8 /* references */

typedef struct captions {
    char *texts[ITEMS][MOST + 1]; /* the prediction, then references */
    pg_comparison items[ITEMS];
} captions;

static json_t *load(const char *name)
{
    char path[512];
    json_t *document;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    CHECK_OK(pg_json_load(&document, path));
    return document;
}

/* As the official "raw" figures have it, or tokenized. */
static char *prepare(const json_t *record, bool tokenized)
{
    const char *text = json_string_value(json_object_get(record, "caption"));
    char *out;
    if (!tokenized)
        return pg_copy_text(text, SIZE_MAX);
    CHECK_OK(pg_caption_words(&out, text));
    return out;
}

static size_t item_of(const json_t *record)
{
    return (size_t)json_integer_value(json_object_get(record, "image_id")) - 1000;
}

static void read_captions(captions *out, bool tokenized)
{
    json_t *truth = load("captions_gt.json"), *results = load("captions_results.json"), *record;
    size_t i;
    json_array_foreach(results, i, record) out->texts[item_of(record)][0] = prepare(record, tokenized);
    json_array_foreach(json_object_get(truth, "annotations"), i, record)
    {
        pg_comparison *item = &out->items[item_of(record)];
        assert_in_range(item->reference_count, 0, MOST - 1);
        out->texts[item_of(record)][1 + item->reference_count++] = prepare(record, tokenized);
    }
    for (i = 0; i < ITEMS; i++) {
        out->items[i].prediction = out->texts[i][0];
        out->items[i].references = (const char *const *)&out->texts[i][1];
    }
    json_decref(truth);
    json_decref(results);
}

static void free_captions(captions *c)
{
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t j = 0; j <= MOST; j++)
            pg_free(c->texts[i][j]);
}

static double number(const json_t *array, size_t i)
{
    return json_real_value(json_array_get(array, i));
}

static void check_scores(const captions *c, const json_t *expected)
{
    pg_caption_scores all, each[ITEMS];
    CHECK_OK(pg_caption_score(&all, each, c->items, ITEMS));
    assert_true(fabs(all.cider - json_real_value(json_object_get(expected, "cider"))) < CLOSE);
    assert_true(fabs(all.rouge_l - json_real_value(json_object_get(expected, "rouge_l"))) < CLOSE);
    for (size_t i = 0; i < 4; i++)
        assert_true(fabs(all.bleu[i] - number(json_object_get(expected, "bleu_1_to_4"), i)) < CLOSE);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_true(fabs(each[i].cider - number(json_object_get(expected, "cider_per_image"), i)) < CLOSE);
        assert_true(fabs(each[i].rouge_l - number(json_object_get(expected, "rouge_l_per_image"), i)) < CLOSE);
        assert_true(fabs(each[i].bleu[3] - number(json_object_get(expected, "bleu_4_per_image"), i)) < CLOSE);
    }
}

static void scores_are_the_official_ones(void **state)
{
    (void)state;
    json_t *expected = load("captions_expected.json");
    for (int tokenized = 0; tokenized < 2; tokenized++) {
        captions c = {0};
        read_captions(&c, tokenized);
        check_scores(&c, json_object_get(expected, tokenized ? "ptb" : "raw"));
        free_captions(&c);
    }
    json_decref(expected);
}

static void texts_without_words(void **state)
{
    (void)state;
    const char *const references[] = {"a cat", ""};
    pg_caption_scores all;
    CHECK_OK(pg_caption_score(&all, NULL, &(pg_comparison){"", references, 1}, 1));
    assert_true(all.cider == 0 && all.rouge_l == 0 && all.bleu[0] < 1e-5);
    CHECK_OK(pg_caption_score(&all, NULL, &(pg_comparison){"", references, 2}, 1));
    assert_true(all.rouge_l == 1);
    CHECK_FAILS(pg_caption_score(&all, NULL, NULL, 0), PG_ERROR_ARGUMENT, "no texts");
    CHECK_FAILS(pg_caption_score(&all, NULL, &(pg_comparison){"a", references, 0}, 1), PG_ERROR_ARGUMENT,
                "text 0 has no references");
}

/* Words are whole: the same letters cut elsewhere are others, and a run of two is not a word. */
static void runs_are_told_apart(void **state)
{
    (void)state;
    const char *const references[] = {"ab c", "a bc"};
    pg_caption_scores all;
    CHECK_OK(pg_caption_score(&all, NULL, &(pg_comparison){"abc", references, 2}, 1));
    assert_true(all.bleu[0] < 1e-5 && all.rouge_l == 0);
}

static pg_status score_two(void)
{
    const char *const references[] = {"a black cat on a mat", "the cat"};
    const pg_comparison items[] = {{"a cat on the mat", references, 2}, {"the cat", references + 1, 1}};
    pg_caption_scores all, each[2];
    return pg_caption_score(&all, each, items, 2);
}

static void memory_runs_out(void **state)
{
    (void)state;
    CHECK_SWEEP(score_two());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_official_ones),
        cmocka_unit_test(texts_without_words),
        cmocka_unit_test(runs_are_told_apart),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

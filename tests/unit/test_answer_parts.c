/* Answers cut into words, boxes, masks and labels. */
#include "golden_case.h"
#include "sweep.h"

#include "tasks/answer_parts.h"

static pg_golden_model model; /* its tokenizer is cut from Gemma's */

static int open_model(void **state)
{
    (void)state;
    pg_golden_model_open(&model, "paligemma-tiny-f32");
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    pg_golden_model_close(&model);
    return 0;
}

typedef struct expected_part {
    pg_explained_kind kind;
    const char *text;
} expected_part;

/* Parts follow each other without overlap, and each has its tokens. */
static void check_tokens(const pg_explained *parts, size_t count, size_t tokens)
{
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(parts[i].first >= end && parts[i].count > 0);
        end = parts[i].first + parts[i].count;
    }
    assert_true(end <= tokens);
}

static void check_parts(const char *answer, const expected_part *expected, size_t count)
{
    const pg_tokenizer *tokenizer = pg_model_tokenizer(model.model);
    int32_t *ids;
    size_t tokens, found;
    pg_explained *parts;
    CHECK_OK(pg_tokenizer_encode(&ids, &tokens, tokenizer, answer, SIZE_MAX, PG_ENCODE_EOS));
    CHECK_OK(pg_answer_parts(&parts, &found, tokenizer, ids, tokens));
    check_tokens(parts, found, tokens);
    for (size_t i = 0; i < found && i < count; i++)
        if (parts[i].kind != expected[i].kind || strcmp(parts[i].text, expected[i].text) != 0)
            fail_msg("\"%s\": part %zu is %s \"%s\", expected %s \"%s\"", answer, i,
                     pg_explained_kind_name(parts[i].kind), parts[i].text, pg_explained_kind_name(expected[i].kind),
                     expected[i].text);
    if (found != count)
        fail_msg("\"%s\": %zu parts, expected %zu", answer, found, count);
    pg_answer_parts_free(parts, found);
    pg_free(ids);
}

#define CHECK_PARTS(answer, ...)                                           \
    do {                                                                   \
        const expected_part expected[] = {__VA_ARGS__};                    \
        check_parts(answer, expected, sizeof expected / sizeof *expected); \
    } while (0)

#define WORD(text)              \
    {                           \
        PG_EXPLAINED_WORD, text \
    }
#define BOX(text)              \
    {                          \
        PG_EXPLAINED_BOX, text \
    }
#define MASK(text)              \
    {                           \
        PG_EXPLAINED_MASK, text \
    }
#define LABEL(text)              \
    {                            \
        PG_EXPLAINED_LABEL, text \
    }

static void words_end_at_blanks(void **state)
{
    (void)state;
    CHECK_PARTS("A cow, on the beach.", WORD("A"), WORD("cow,"), WORD("on"), WORD("the"), WORD("beach."));
    CHECK_PARTS("two\nlines  wide", WORD("two"), WORD("lines"), WORD("wide"));
    CHECK_PARTS("Straßenbahnhaltestelle", WORD("Straßenbahnhaltestelle"));
    CHECK_PARTS("a ; b", WORD("a"), WORD(";"), WORD("b"));
    check_parts("", NULL, 0);
    check_parts("   ", NULL, 0);
}

static void objects_have_boxes_masks_and_labels(void **state)
{
    (void)state;
    CHECK_PARTS("<loc0001><loc0002><loc0003><loc0004> black cow", BOX("black cow"), LABEL("black cow"));
    CHECK_PARTS("<loc0001><loc0002><loc0003><loc0004> cow ; <loc0005><loc0006><loc0007><loc0008><seg001><seg002> dog",
                BOX("cow"), LABEL("cow"), BOX("dog"), MASK("dog"), LABEL("dog"));
    CHECK_PARTS("<loc0001><loc0002><loc0003><loc0004>", BOX(""));
    CHECK_PARTS("<loc0001><loc0002><loc0003><loc0004><seg001>", BOX(""), MASK(""));
    CHECK_PARTS("<seg001> cow", MASK("cow"), LABEL("cow"));
    CHECK_PARTS("<loc0001><loc0002><loc0003><loc0004> cow\nand more words", BOX("cow"), LABEL("cow"), WORD("and"),
                WORD("more"), WORD("words"));
    CHECK_PARTS("here: <loc0001><loc0002><loc0003><loc0004> cow<loc0001><loc0002><loc0003><loc0004> dog", WORD("here:"),
                BOX("cow"), LABEL("cow"), BOX("dog"), LABEL("dog"));
}

static void scripts_without_blanks_are_cut_at_tokens(void **state)
{
    (void)state;
    CHECK_PARTS("大人の中", WORD("大"), WORD("人"), WORD("の"), WORD("中"));
    CHECK_PARTS("大人。中 cow", WORD("大"), WORD("人。"), WORD("中"), WORD("cow"));
}

/* Control tokens belong to no part, and end a label. */
static void control_tokens_are_left_out(void **state)
{
    (void)state;
    const pg_tokenizer *tokenizer = pg_model_tokenizer(model.model);
    int32_t eos = pg_tokenizer_id(tokenizer, "<eos>"), far = 1 << 30;
    int32_t tokens[] = {eos, pg_tokenizer_id(tokenizer, "<bos>"), far, eos};
    pg_explained *parts;
    size_t count;
    CHECK_OK(pg_answer_parts(&parts, &count, tokenizer, tokens, 4));
    assert_int_equal(count, 0);
    pg_answer_parts_free(parts, count);
}

static pg_status cut(const int32_t *ids, size_t count)
{
    pg_explained *parts;
    size_t found;
    PG_TRY(pg_answer_parts(&parts, &found, pg_model_tokenizer(model.model), ids, count));
    pg_answer_parts_free(parts, found);
    return PG_OK;
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    int32_t *ids;
    size_t count;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(model.model),
                                 "a cow <loc0001><loc0002><loc0003><loc0004> cow", SIZE_MAX, PG_ENCODE_PLAIN));
    CHECK_SWEEP(cut(ids, count));
    pg_free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_end_at_blanks),
        cmocka_unit_test(objects_have_boxes_masks_and_labels),
        cmocka_unit_test(scripts_without_blanks_are_cut_at_tokens),
        cmocka_unit_test(control_tokens_are_left_out),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

/* The grammar of detection: it takes exactly the answers that it describes, and refuses labels that could not be read
 * back. */
#include <stdlib.h>

#include "golden_case.h"
#include "sweep.h"

#include "base/buffer.h"
#include "base/random.h"
#include "generate/constraint.h"

enum { TOKENS_MAX = 600, VOCABULARY = 4096 };

typedef struct fixture {
    pg_golden_model tiny;
    pg_constraint *constraint;
} fixture;

static void open_fixture(fixture *out, const char *const *labels, size_t count, pg_masks masks)
{
    pg_golden_model_open(&out->tiny, "paligemma-tiny-f32");
    CHECK_OK(pg_constraint_new_objects(&out->constraint, out->tiny.model, labels, count, masks));
}

static void close_fixture(fixture *used)
{
    pg_constraint_free(used->constraint);
    pg_golden_model_close(&used->tiny);
}

/* The ids that may follow; -1 behind the last one. */
static size_t permit(int32_t ids[VOCABULARY], const fixture *used, const int32_t *tokens, size_t count)
{
    size_t found = used->constraint->permit(used->constraint->user, ids, tokens, count);
    assert_true(found < VOCABULARY);
    for (size_t i = 1; i < found; i++)
        assert_true(ids[i] > ids[i - 1]);
    ids[found] = -1;
    return found;
}

static bool permits(const fixture *used, const int32_t *tokens, size_t count, int32_t id)
{
    int32_t ids[VOCABULARY];
    size_t found = permit(ids, used, tokens, count);
    for (size_t i = 0; i < found; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* How many tokens of the text and the end token are permitted, one after another; `complete`: all of them. */
static size_t follow(bool *complete, const fixture *used, const char *text)
{
    int32_t *ids;
    size_t count, at = 0;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(used->tiny.model), text, SIZE_MAX, PG_ENCODE_EOS));
    while (at < count && permits(used, ids, at, ids[at]))
        at++;
    *complete = at == count;
    if (*complete)
        assert_int_equal(permit((int32_t[VOCABULARY]){0}, used, ids, count), 0);
    pg_free(ids);
    return at;
}

static bool accepts(const fixture *used, const char *text)
{
    bool complete;
    follow(&complete, used, text);
    return complete;
}

#define BOX_A "<loc0010><loc0020><loc0030><loc0040>"
#define BOX_B "<loc0010><loc0020><loc0030><loc0041>"
#define MASK                                                                                                           \
    "<seg000><seg001><seg002><seg127><seg000><seg001><seg002><seg127><seg000><seg001><seg002><seg127><seg000><seg001>" \
    "<seg002><seg127>"

/* Answers for the labels cat, cat house, dog, Überraschung 猫; and what is none. */
static const char *const taken[] = {
    "",
    BOX_A " cat",
    BOX_A " cat house",
    BOX_A " Überraschung 猫",
    BOX_A " cat ; " BOX_B " cat",
    BOX_A " cat house ; " BOX_B " dog ; <loc0000><loc0000><loc1023><loc1023> Überraschung 猫",
    "<loc1022><loc1022><loc1023><loc1023> dog",
};

static const char *const refused[] = {
    "cat",
    " cat",
    BOX_A,
    BOX_A "cat",
    BOX_A "  cat",
    BOX_A " ca",
    BOX_A " cat hous",
    BOX_A " cat house house",
    BOX_A " cat ;",
    BOX_A " cat ; ",
    BOX_A " cat ; dog",
    BOX_A " cat; " BOX_B " cat",
    BOX_A " cat " BOX_B " cat",
    BOX_A " cat ; " BOX_A " cat",
    BOX_A " cat ; " BOX_B " cat ; " BOX_A " dog",
    "<loc0010><loc0020><loc0030> cat",
    "<loc0010><loc0020><loc0030><loc0040><loc0050> cat",
    "<loc0030><loc0020><loc0030><loc0040> cat",
    "<loc0010><loc0040><loc0030><loc0040> cat",
    "<loc1023><loc0020><loc1023><loc0040> cat",
    BOX_A MASK " cat",
    BOX_A " mouse",
};

static void test_answers_of_detection(void **state)
{
    (void)state;
    const char *const labels[] = {"cat", "cat house", "dog", "Überraschung 猫", "cat"};
    fixture used;
    open_fixture(&used, labels, sizeof labels / sizeof *labels, PG_MASKS_NONE);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!accepts(&used, taken[i]))
            fail_msg("\"%s\" is not taken", taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (accepts(&used, refused[i]))
            fail_msg("\"%s\" is taken", refused[i]);
    close_fixture(&used);
}

static void test_answers_of_segmentation(void **state)
{
    (void)state;
    const char *const labels[] = {"cat"};
    for (pg_masks masks = PG_MASKS_NONE; masks <= PG_MASKS_ALWAYS; masks++) {
        fixture used;
        open_fixture(&used, labels, 1, masks);
        assert_int_equal(accepts(&used, BOX_A " cat"), masks != PG_MASKS_ALWAYS);
        assert_int_equal(accepts(&used, BOX_A MASK " cat"), masks != PG_MASKS_NONE);
        assert_int_equal(accepts(&used, BOX_A MASK " cat ; " BOX_B " cat"), masks == PG_MASKS_OPTIONAL);
        assert_int_equal(accepts(&used, BOX_A MASK " cat ; " BOX_B MASK " cat"), masks != PG_MASKS_NONE);
        assert_false(accepts(&used, BOX_A "<seg000> cat"));
        assert_false(accepts(&used, BOX_A MASK "<seg000> cat"));
        assert_false(accepts(&used, MASK " cat"));
        close_fixture(&used);
    }
}

/* Where all boxes with a corner have been taken, the corner is not offered. */
static void test_no_way_leads_to_a_box_that_was_there(void **state)
{
    (void)state;
    const char *const labels[] = {"cat"};
    fixture used;
    bool complete;
    open_fixture(&used, labels, 1, PG_MASKS_NONE);
    size_t object = follow(&complete, &used, "<loc1022><loc1021><loc1023><loc1022> cat ; ");
    assert_int_equal(follow(&complete, &used,
                            "<loc1022><loc1021><loc1023><loc1022> cat ; <loc1022><loc1021><loc1023><loc1022> cat"),
                     object + 3);
    assert_true(accepts(&used, "<loc1022><loc1021><loc1023><loc1022> cat ; <loc1022><loc1021><loc1023><loc1023> cat"));
    assert_int_equal(follow(&complete, &used,
                            "<loc1022><loc1021><loc1023><loc1022> cat ; <loc1022><loc1021><loc1023><loc1023> cat ; "
                            "<loc1022><loc1021><loc1023><loc1023> cat"),
                     2 * object + 1);
    assert_int_equal(follow(&complete, &used,
                            "<loc1000><loc1022><loc1023><loc1023> cat ; <loc1000><loc1022><loc1023><loc1023> cat"),
                     object + 2);
    close_fixture(&used);
}

/* Reads one object of an answer and checks it; *rest: what is behind it. */
static bool read_object(const char **rest, int box[4], const char *const *labels, size_t count)
{
    int used = 0, codes = 0;
    const char *at = *rest;
    if (sscanf(at, "<loc%4d><loc%4d><loc%4d><loc%4d>%n", box, box + 1, box + 2, box + 3, &used) != 4 || used != 36)
        return false;
    for (at += used; strncmp(at, "<seg", 4) == 0; codes++)
        at += strlen("<seg000>");
    if ((codes != 0 && codes != 16) || box[0] >= box[2] || box[1] >= box[3] || *at++ != ' ')
        return false;
    size_t size = strstr(at, " ; ") ? (size_t)(strstr(at, " ; ") - at) : strlen(at);
    for (size_t i = 0; i < count; i++)
        if (strlen(labels[i]) == size && !memcmp(labels[i], at, size)) {
            *rest = at + size;
            return true;
        }
    return false;
}

static void check_answer(const char *text, const char *const *labels, size_t count)
{
    int boxes[TOKENS_MAX][4];
    size_t objects = 0;
    for (const char *rest = text; *rest;) {
        if (objects && strncmp(rest, " ; ", 3) != 0)
            fail_msg("\"%s\": no separator at \"%s\"", text, rest);
        rest += objects ? 3 : 0;
        if (!read_object(&rest, boxes[objects], labels, count))
            fail_msg("\"%s\": no object at \"%s\"", text, rest);
        for (size_t i = 0; i < objects; i++)
            assert_true(memcmp(boxes[i], boxes[objects], sizeof boxes[i]) != 0);
        objects++;
    }
}

/* Walks at random; every walk that ends is an answer, in the tokens that the tokenizer gives its text. Returns the
 * tokens, `most` if it did not end before. */
static size_t walk(const fixture *used, const char *const *labels, size_t count, size_t most)
{
    static uint64_t drawn;
    const pg_tokenizer *tokenizer = pg_model_tokenizer(used->tiny.model);
    int32_t ids[VOCABULARY], tokens[TOKENS_MAX], *again;
    size_t length = 0, found, size;
    while (length < most && (found = permit(ids, used, tokens, length)) > 0)
        tokens[length++] = ids[pg_random_bits(3, 0, drawn++) % found];
    if (permit(ids, used, tokens, length) > 0)
        return most;
    char *text;
    CHECK_OK(pg_tokenizer_decode(&text, tokenizer, tokens, length - 1, false));
    check_answer(text, labels, count);
    CHECK_OK(pg_tokenizer_encode(&again, &size, tokenizer, text, SIZE_MAX, PG_ENCODE_EOS));
    assert_int_equal(size, length);
    assert_memory_equal(again, tokens, size * sizeof *again);
    pg_free(again);
    pg_free(text);
    return length;
}

static const char *const walk_labels[] = {"cat", "cat house", "dog", "Überraschung 猫", "a"};

static void test_random_walks(void **state)
{
    (void)state;
    fixture used;
    int ended = 0;
    open_fixture(&used, walk_labels, 5, PG_MASKS_OPTIONAL);
    for (int i = 0; i < 400; i++)
        ended += walk(&used, walk_labels, 5, TOKENS_MAX) < TOKENS_MAX;
    assert_true(ended > 300);
    close_fixture(&used);
}

/* With limits, every walk ends within them. */
static void test_limits_are_kept(void **state)
{
    (void)state;
    fixture used;
    pg_golden_model_open(&used.tiny, "paligemma-tiny-f32");
    for (pg_masks masks = PG_MASKS_NONE; masks <= PG_MASKS_ALWAYS; masks++)
        for (size_t most = 1; most < 4; most++)
            for (size_t room = 45; room < 150; room += 9) {
                const pg_object_rules rules = {walk_labels, 5, masks, most, room};
                CHECK_OK(pg_constraint_make_objects(&used.constraint, used.tiny.model, &rules));
                for (int i = 0; i < 8; i++)
                    assert_in_range(walk(&used, walk_labels, 5, room + 1), 1, room);
                pg_constraint_free(used.constraint);
            }
    const pg_object_rules alone = {.labels = walk_labels, .label_count = 5, .most = 1};
    CHECK_OK(pg_constraint_make_objects(&used.constraint, used.tiny.model, &alone));
    assert_true(accepts(&used, BOX_A " cat"));
    assert_false(accepts(&used, BOX_A " cat ; " BOX_B " cat"));
    pg_constraint_free(used.constraint);
    const pg_object_rules narrow = {.labels = walk_labels, .label_count = 5, .room = 6};
    CHECK_FAILS(pg_constraint_make_objects(&used.constraint, used.tiny.model, &narrow), PG_ERROR_LIMIT,
                "and there is room for 6");
    pg_golden_model_close(&used.tiny);
}

static void test_hostile_labels(void **state)
{
    (void)state;
    static const struct {
        const char *label, *part;
    } cases[] = {
        {"", "label 1: the label is empty"},
        {" cat", "begins"},
        {"cat\t", "ends with a blank"},
        {"\xc2\xa0", "ends with a blank"},
        {"cat\xe3\x80\x80", "ends with a blank"},
        {"a;b", "no \";\""},
        {"a\nb", "line break"},
        {"a<eos>b", "<eos>"},
        {"<loc0000>", "location"},
        {"cat<loc0004>", "location"},
        {"<seg003>", "mask tokens"},
        {"a\xff", "label 1: the label is not UTF-8 from byte 1 on"},
    };
    pg_golden_model tiny;
    pg_constraint *constraint;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *labels[] = {"dog", cases[i].label};
        pg_status expected = strchr(cases[i].label, '\xff') ? PG_ERROR_FORMAT : PG_ERROR_ARGUMENT;
        CHECK_FAILS(pg_constraint_new_objects(&constraint, tiny.model, labels, 2, PG_MASKS_NONE), expected,
                    cases[i].part);
        assert_null(constraint);
    }
    CHECK_FAILS(pg_constraint_new_objects(&constraint, tiny.model, NULL, 0, PG_MASKS_NONE), PG_ERROR_ARGUMENT, "empty");
    pg_golden_model_close(&tiny);
    const char *labels[] = {"cat"};
    pg_golden_model_open(&tiny, "gemma-tiny-mha");
    CHECK_FAILS(pg_constraint_new_objects(&constraint, tiny.model, labels, 1, PG_MASKS_NONE), PG_ERROR_UNSUPPORTED,
                "<loc0000>");
    pg_golden_model_close(&tiny);
}

static void test_long_labels(void **state)
{
    (void)state;
    enum { LONG = 5000 };
    char label[LONG + 1], text[LONG + 100];
    for (int i = 0; i < LONG; i++)
        label[i] = (char)('a' + i * 7 % 26);
    label[LONG] = 0;
    const char *const labels[] = {label};
    fixture used;
    open_fixture(&used, labels, 1, PG_MASKS_NONE);
    bool complete;
    snprintf(text, sizeof text, BOX_A " %.100s", label);
    follow(&complete, &used, text);
    assert_false(complete);
    pg_permitted permitted;
    pg_context g = {.threads = 1};
    int32_t *ids;
    size_t count;
    snprintf(text, sizeof text, BOX_A " %s", label);
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(used.tiny.model), text, SIZE_MAX, PG_ENCODE_EOS));
    for (size_t at = 5; at < count; at += 97) { /* nothing else may come */
        CHECK_OK(pg_permitted_make(&permitted, &g, used.constraint, VOCABULARY, ids, at));
        assert_int_equal(permitted.count, 1);
        assert_int_equal(permitted.ids[0], ids[at]);
    }
    pg_free(ids);
    pg_arena_free(&g.arena);
    close_fixture(&used);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    const char *const labels[] = {"cat", "dog", "cat"};
    pg_golden_model tiny;
    pg_constraint *constraint = NULL;
    pg_golden_model_open(&tiny, "paligemma-tiny-f32");
    CHECK_SWEEP(pg_constraint_new_objects(&constraint, tiny.model, labels, 3, PG_MASKS_ALWAYS));
    pg_constraint_free(constraint);
    CHECK_SWEEP(pg_constraint_new_texts(&constraint, tiny.model, labels, 3));
    pg_constraint_free(constraint);
    pg_constraint_free(NULL);
    pg_golden_model_close(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_of_detection),
        cmocka_unit_test(test_answers_of_segmentation),
        cmocka_unit_test(test_no_way_leads_to_a_box_that_was_there),
        cmocka_unit_test(test_random_walks),
        cmocka_unit_test(test_limits_are_kept),
        cmocka_unit_test(test_hostile_labels),
        cmocka_unit_test(test_long_labels),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

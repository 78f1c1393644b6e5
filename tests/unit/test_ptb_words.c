/* src/metrics/ptb_*: what Stanford's tokenizer makes of texts, with punctuation removed; bytes that are no text. */
#include "sweep.h"

#include "base/json.h"
#include "metrics/ptb_words.h"

#define CASES PG_TESTS_FOLDER "/golden/tasks/metrics/ptb_cases.jsonl"

static void check_words(const char *text, size_t size, const char *expected)
{
    pg_buffer words = {0};
    CHECK_OK(pg_ptb_words(&words, text, size));
    assert_string_equal(words.data ? words.data : "", expected);
    pg_buffer_free(&words);
}

static void goldens_are_exact(void **state)
{
    (void)state;
    pg_buffer file = {0};
    size_t lines = 0;
    CHECK_OK(pg_file_read(&file, CASES, 1 << 20));
    for (char *at = file.data, *end; (end = strchr(at, '\n')); at = end + 1, lines++) {
        json_t *row;
        CHECK_OK(pg_json_parse(&row, at, (size_t)(end - at), "case"));
        const json_t *text = json_object_get(row, "text");
        check_words(json_string_value(text), json_string_length(text),
                    json_string_value(json_object_get(row, "tokens")));
        json_decref(row);
    }
    assert_int_equal(lines, 294);
    pg_buffer_free(&file);
}

/* What the tokenizer itself was asked beyond the goldens. */
static void forms_of_tokens(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {" \t\r\n", ""},
        {"I. The A. The B. x J. Smith He is A. Next", "i the a the b. x j. smith he is a. next"},
        {"fig. x, fig. 3 and Figs. 7, no. 7", "fig x fig. 3 and figs. 7 no. 7"},
        {"etc.a/ Inc.-B&W", "etc. a / inc. b&w"},
        {"5 7/8 1-1/2 100/200 x/y/z/w", "5\xc2\xa0"
                                        "7/8 1-1/2 100/200 x/y/z / w"},
        {"<a href=\"x y\">q</a> <one two> < b >", "<a\xc2\xa0href=\"x\xc2\xa0y\"> q </a> <one\xc2\xa0two> < b >"},
        {"user@x.org <me@x.org> x@y.z. a@b;", "user@x.org <me@x.org> x@y.z a@b;"},
        {"http://x.org/abc{d} a.com/b?c=d. www.x.com/x example.com/x", "http://x.org/abc -lcb- d -rcb- a.com/b?c=d "
                                                                       "www.x.com / x example.com / x"},
        {":) >:( :D2 ^_^ (-_-) x:)", ":-rrb- >:-lrb- d2 ^_^ -lrb--_--rrb- x :-rrb-"},
        {"\xce\xa3\xce\x91\xce\xa3 \xce\xa3", "\xcf\x83\xce\xb1\xcf\x82 \xcf\x83"}, /* the last sigma */
        {"O\xe2\x80\x99Malley don\xe2\x80\x99t it\xe2\x80\x99s \xe2\x80\x9chi\xe2\x80\x9d \xe2\x80\x9c\xe2\x80\x9d",
         "o\xe2\x80\x99malley do n't it 's hi ``''"},
        {"\xc2\xbd 5\xc2\xa2 \xc2\xa3"
         "5 \xe2\x82\xac"
         "5 \xf0\x9f\x98\x80 \xe2\x99\xa5",
         "1/2 5 cents # 5 $ 5 \xe2\x99\xa5"},
        {"soft\xc2\xadly \xc2\xad \xc2\xad.,", "softly"},
        {"&amp; &lt; &quot;hi&quot; caf&eacute; &#39; &nbsp;x AT&amp;T", "& < hi caf&eacute; &#39; x at&t"},
        {"10.tar.gz, 1a.doc; 555-1234 x (02) 1234-5678", "10.tar.gz 1a doc 555-1234 x -lrb-02-rrb-\xc2\xa0"
                                                         "1234-5678"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_words(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

static void every_beginning_of_a_text_has_words(void **state)
{
    (void)state;
    static const char text[] =
        "<a b='c'>&amp;&eacute;www.a.b/cd http://x/y#1@me 1,2-3/4 'tis don't A.B.-C. \\*. . . ^_^";
    for (size_t size = 0; size < sizeof text; size++) {
        pg_buffer words = {0};
        CHECK_OK(pg_ptb_words(&words, text, size));
        pg_buffer_free(&words);
    }
}

static void other_bytes_are_refused(void **state)
{
    (void)state;
    pg_buffer words = {0};
    CHECK_FAILS(pg_ptb_words(&words, "a cat\xff", 6), PG_ERROR_FORMAT, "byte 5 is not UTF-8");
    assert_int_equal(words.size, 0);
    check_words("a\0cat", 5, "a cat");
    pg_buffer_free(&words);
}

static pg_status tokenize(void)
{
    pg_buffer words = {0};
    pg_status status = pg_ptb_words(&words, "Mr. Smith's \"dog\"", 17);
    pg_buffer_free(&words);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    CHECK_SWEEP(tokenize());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_are_exact),
        cmocka_unit_test(forms_of_tokens),
        cmocka_unit_test(every_beginning_of_a_text_has_words),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

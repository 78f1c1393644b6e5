/* What tokenizers are made of: UTF-8, hash index, prefix tree, charsmap, JSON scanner, lower case. */
#include "check.h"

#include "text/charsmap.h"
#include "text/lower.h"
#include "text/scan.h"
#include "text/trie.h"
#include "text/utf8.h"
#include "text/vocab.h"

/* ---------------------------------------------------------------- UTF-8 */

static void every_character_survives_utf8(void **state)
{
    (void)state;
    for (uint32_t character = 0; character <= 0x110000; character++) {
        char bytes[4];
        size_t size = pg_utf8_encode(bytes, character);
        bool valid = character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
        assert_int_equal(size > 0, valid);
        if (!valid)
            continue;
        uint32_t back;
        assert_int_equal(pg_utf8_decode(&back, bytes, size), size);
        assert_int_equal(back, character);
        assert_int_equal(pg_utf8_size(bytes[0]), size);
        for (size_t part = 1; part < size; part++)
            assert_int_equal(pg_utf8_scan(bytes, part), PG_UTF8_UNFINISHED);
    }
}

static void malformed_utf8_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {{"abc\x80", 3},
                 {"\xc0\x80", 0},
                 {"\xc1\xbf", 0},
                 {"a\xe0\x9f\xbf", 1},
                 {"\xed\xa0\x80", 0},
                 {"12345678\xf0\x8f\xbf\xbf", 8},
                 {"123456789\xf4\x90\x80\x80", 9},
                 {"\xf5\x80\x80\x80", 0},
                 {"\xc3\xa4\xc3", 2},
                 {"\xe2\x82", 0},
                 {"\xe2\x82x", 0},
                 {"\xf0\x9f\x98", 0},
                 {"\xff", 0},
                 {"good \xf0\x9f\x98\x80 text", SIZE_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        assert_int_equal(pg_utf8_check(cases[i].text, size), cases[i].bad == SIZE_MAX ? size : cases[i].bad);
    }
}

static void white_space_is_stripped(void **state)
{
    (void)state;
    const char *text = "\xe3\x80\x80\x1f\n x \xc2\xa0y\xe2\x80\xa8\x85";
    size_t size = strlen(text) - 1;
    pg_utf8_strip(&text, &size);
    assert_int_equal(size, 5);
    assert_memory_equal(text, "x \xc2\xa0y", 5);
    text = " \t";
    size = 2;
    pg_utf8_strip(&text, &size);
    assert_int_equal(size, 0);
}

static void lower_case_of_scripts(void **state)
{
    (void)state;
    static const uint32_t pairs[][2] = {{'A', 'a'},         {'Z', 'z'},         {'[', '['},          {0xc0, 0xe0},
                                        {0xd7, 0xd7},       {0x178, 0xff},      {0x1c5, 0x1c6},      {0x391, 0x3b1},
                                        {0x3a3, 0x3c3},     {0x3f4, 0x3b8},     {0x410, 0x430},      {0x10a0, 0x2d00},
                                        {0x13f8, 0x13f8},   {0x1e9e, 0xdf},     {0x2126, 0x3c9},     {0x212a, 'k'},
                                        {0x2160, 0x2170},   {0x24b6, 0x24d0},   {0xa7ab, 0x25c},     {0xff21, 0xff41},
                                        {0x10400, 0x10428}, {0x1e900, 0x1e922}, {0x10ffff, 0x10ffff}};
    uint32_t out[2];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(pg_lower(out, pairs[i][0]), 1);
        assert_int_equal(out[0], pairs[i][1]);
    }
    assert_int_equal(pg_lower(out, 0x130), 2);
    assert_int_equal(out[0], 'i');
    assert_int_equal(out[1], 0x307);
}

/* ---------------------------------------------------------------- index and tree */

static void an_index_finds_everything_once(void **state)
{
    (void)state;
    pg_index index;
    CHECK_OK(pg_index_new(&index, 5000));
    for (uint32_t i = 0; i < 5000; i++)
        assert_true(pg_index_add(&index, pg_hash_word(i), i));
    for (uint32_t i = 0; i < 5000; i++) {
        uint64_t hash = pg_hash_word(i);
        uint32_t at = (uint32_t)hash, found = 0, candidate;
        while ((candidate = pg_index_next(&index, hash, &at)) != PG_INDEX_NONE)
            found += candidate == i;
        assert_int_equal(found, 1);
    }
    pg_index_free(&index);
    CHECK_FAILS(pg_index_new(&index, (size_t)PG_INDEX_MAX + 1), PG_ERROR_LIMIT, "at most");
}

static void crafted_collisions_are_refused(void **state)
{
    (void)state;
    pg_index index;
    CHECK_OK(pg_index_new(&index, 100000));
    uint32_t taken = 0;
    while (taken < 100000 && pg_index_add(&index, 42, taken))
        taken++;
    assert_in_range(taken, 1000, 10000);
    pg_index_free(&index);
}

static void hashes_differ_in_every_byte(void **state)
{
    (void)state;
    char text[40] = {0};
    for (size_t size = 1; size < sizeof text; size++)
        for (size_t i = 0; i < size; i++) {
            uint64_t before = pg_hash_text(text, size);
            text[i] = 1;
            assert_true(pg_hash_text(text, size) != before);
            assert_true(pg_hash_text(text, size) != pg_hash_text(text, size - 1));
            text[i] = 0;
        }
}

static int32_t find_in(const pg_trie *trie, const char *key)
{
    uint32_t node = PG_TRIE_ROOT;
    for (; *key; key++)
        if ((node = pg_trie_step(trie, node, *key)) == PG_TRIE_NONE)
            return -2;
    return trie->nodes[node].value;
}

static void a_tree_keeps_keys_apart(void **state)
{
    (void)state;
    pg_trie trie = {0};
    assert_int_equal(pg_trie_step(&trie, PG_TRIE_ROOT, 'a'), PG_TRIE_NONE);
    CHECK_OK(pg_trie_new(&trie, 12));
    assert_true(pg_trie_add(&trie, "abc", 3, 7));
    assert_true(pg_trie_add(&trie, "ab", 2, 8));
    assert_true(pg_trie_add(&trie, "b\xff", 2, 9));
    assert_true(pg_trie_add(&trie, "abc", 3, 10));
    assert_int_equal(find_in(&trie, "abc"), 7);
    assert_int_equal(find_in(&trie, "ab"), 8);
    assert_int_equal(find_in(&trie, "b\xff"), 9);
    assert_int_equal(find_in(&trie, "a"), -1);
    assert_int_equal(find_in(&trie, "ac"), -2);
    assert_false(pg_trie_add(&trie, "no room for this", 16, 11));
    pg_trie_free(&trie);
    CHECK_FAILS(pg_trie_new(&trie, PG_INDEX_MAX), PG_ERROR_LIMIT, "bytes of keys");
}

/* ---------------------------------------------------------------- charsmap */

/* A map with one rule, a byte and its replacement, as Darts-clone lays it out. */
static size_t make_map(uint8_t *out, uint8_t from, const char *to)
{
    enum { UNITS = 512, BASE = 256 };
    uint32_t units[UNITS] = {0};
    units[0] = BASE << 10;                            /* root: offset 256 */
    units[BASE ^ from] = from | 1u << 8 | (1u << 10); /* ends a key, offset 1 */
    units[(BASE ^ from) ^ 1] = 1u << 31 | 0;          /* its value: the replacement at 0 */
    uint32_t size = sizeof units;
    memcpy(out, &size, 4);
    memcpy(out + 4, units, sizeof units);
    memcpy(out + 4 + sizeof units, to, strlen(to) + 1);
    return 4 + sizeof units + strlen(to) + 1;
}

/* Bytes of the text that the rule from -> to takes. */
static size_t match_rule(uint8_t from, const char *to, const char *text)
{
    uint8_t bytes[3000];
    pg_charsmap map;
    const char *found = NULL;
    CHECK_OK(pg_charsmap_read(&map, bytes, make_map(bytes, from, to), "map"));
    size_t used = pg_charsmap_match(&found, &map, text, strlen(text));
    if (used)
        assert_string_equal(found, to);
    pg_charsmap_free(&map);
    return used;
}

static void rules_are_matched(void **state)
{
    (void)state;
    assert_int_equal(match_rule('A', "bc", "Ab"), 1);
    assert_int_equal(match_rule('A', "", "A"), 1);
    assert_int_equal(match_rule('A', "bc", "aA"), 0);
    assert_int_equal(match_rule('A', "bc", ""), 0);
}

/* Rules that would leave text that is not UTF-8: the code behind relies on it. */
static void rules_keep_text_valid(void **state)
{
    (void)state;
    assert_int_equal(match_rule('A', "\xc3", "A"), 0);
    assert_int_equal(match_rule('A', "b\xa4", "A"), 0);
    assert_int_equal(match_rule(0xc3, "b", "\xc3\xa4"), 0);
}

static void malformed_rules_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[3000], changed[3000];
    size_t size = make_map(bytes, 'A', "bc");
    pg_charsmap map;
    const char *to;
    for (size_t cut = 1; cut < size; cut++)
        if (pg_charsmap_read(&map, bytes, cut, "map") == PG_OK) {
            pg_charsmap_match(&to, &map, "A", 1);
            pg_charsmap_free(&map);
        }
    uint32_t random = 1;
    for (int round = 0; round < 2000; round++) {
        memcpy(changed, bytes, size);
        for (int i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            changed[(random >> 8) % size] = (uint8_t)(random >> 24);
        }
        changed[size - 1] = 0;
        if (pg_charsmap_read(&map, changed, size, "map") == PG_OK) {
            size_t used = pg_charsmap_match(&to, &map, "AAAA", 4);
            assert_true(used == 0 || strlen(to) < map.replacements_size);
            pg_charsmap_free(&map);
        }
    }
    CHECK_FAILS(pg_charsmap_read(&map, bytes, size - 1, "map"), PG_ERROR_FORMAT, "NUL");
    CHECK_FAILS(pg_charsmap_read(&map, bytes, 3, "map"), PG_ERROR_FORMAT, "3 bytes");
}

/* A rule whose nodes lead back to themselves takes any number of characters: it ends with the longest piece there is.
 */
static void rules_in_circles_end(void **state)
{
    (void)state;
    enum { BASE = 256, LONG = 4 * PG_PIECE_LONGEST };
    uint8_t bytes[3000];
    char text[LONG];
    uint32_t node = 'A' | 1u << 8 | 'A' << 10, value = 1u << 31; /* from the node by 'A' to the node; "bc" at 0 */
    size_t size = make_map(bytes, 'A', "bc");
    pg_charsmap map;
    const char *to = NULL;
    memcpy(bytes + 4 + sizeof node * (BASE ^ 'A'), &node, sizeof node);
    memcpy(bytes + 4 + sizeof node * BASE, &value, sizeof value);
    memset(text, 'A', sizeof text);
    CHECK_OK(pg_charsmap_read(&map, bytes, size, "map"));
    assert_int_equal(pg_charsmap_match(&to, &map, text, 7), 7);
    assert_int_equal(pg_charsmap_match(&to, &map, text, sizeof text), PG_PIECE_LONGEST);
    assert_string_equal(to, "bc");
    pg_charsmap_free(&map);
}

/* ---------------------------------------------------------------- JSON */

static pg_status scan_text(const char *text, const char *expected)
{
    pg_scan scan = {.name = "f", .begin = text, .at = text, .end = text + strlen(text)};
    pg_span found;
    pg_status status = pg_scan_string(&found, &scan);
    if (status == PG_OK)
        status = pg_scan_finish(&scan);
    if (status == PG_OK && expected) {
        assert_int_equal(found.size, strlen(expected));
        assert_memory_equal(found.text, expected, found.size);
    }
    pg_scan_free(&scan);
    return status;
}

static void strings_are_scanned(void **state)
{
    (void)state;
    CHECK_OK(scan_text("\"\"", ""));
    CHECK_OK(scan_text("  \"plain text of some length\" ", "plain text of some length"));
    CHECK_OK(scan_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"));
    CHECK_OK(scan_text("\"a long start \\u00e9\\u20ac and \\ud83d\\ude00 a long end\"",
                       "a long start \xc3\xa9\xe2\x82\xac and \xf0\x9f\x98\x80 a long end"));
    CHECK_FAILS(scan_text("\"open", NULL), PG_ERROR_FORMAT, "f: line 1: the file ends, expected \" at the end");
    CHECK_FAILS(scan_text("\n\n\"tab\tin\"", NULL), PG_ERROR_FORMAT, "line 3");
    CHECK_FAILS(scan_text("\"\\x\"", NULL), PG_ERROR_FORMAT, "escape");
    CHECK_FAILS(scan_text("\"\\u12g4\"", NULL), PG_ERROR_FORMAT, "hexadecimal");
    CHECK_FAILS(scan_text("\"\\ud800\"", NULL), PG_ERROR_FORMAT, "surrogate");
    CHECK_FAILS(scan_text("\"\\ud800\\u0041\"", NULL), PG_ERROR_FORMAT, "surrogate");
    CHECK_FAILS(scan_text("\"\\udc00\"", NULL), PG_ERROR_FORMAT, "surrogate");
    CHECK_FAILS(scan_text("\"a\" b", NULL), PG_ERROR_FORMAT, "found \"b\", expected the end");
    CHECK_FAILS(scan_text("7", NULL), PG_ERROR_FORMAT, "a string");
}

static pg_status skip_text(const char *text, const char *rest)
{
    pg_scan scan = {.name = "f", .begin = text, .at = text, .end = text + strlen(text)};
    pg_span found;
    pg_status status = pg_scan_skip(&found, &scan);
    if (status == PG_OK)
        assert_string_equal(scan.at, rest);
    pg_scan_free(&scan);
    return status;
}

static void values_are_skipped(void **state)
{
    (void)state;
    CHECK_OK(skip_text("{\"a\": [1, -2.5e3, {\"]\": \"}\\\"\"}], \"b\": null} , 1", " , 1"));
    CHECK_OK(skip_text("true]", "]"));
    CHECK_FAILS(skip_text("[1, 2", ""), PG_ERROR_FORMAT, "the file ends");
    CHECK_FAILS(skip_text("]", ""), PG_ERROR_FORMAT, "a value");
    CHECK_FAILS(skip_text("", ""), PG_ERROR_FORMAT, "a value");
    char deep[200];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = 0;
    CHECK_FAILS(skip_text(deep, ""), PG_ERROR_FORMAT, "less nesting");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_survives_utf8),
        cmocka_unit_test(malformed_utf8_is_found),
        cmocka_unit_test(white_space_is_stripped),
        cmocka_unit_test(lower_case_of_scripts),
        cmocka_unit_test(an_index_finds_everything_once),
        cmocka_unit_test(crafted_collisions_are_refused),
        cmocka_unit_test(hashes_differ_in_every_byte),
        cmocka_unit_test(a_tree_keeps_keys_apart),
        cmocka_unit_test(rules_are_matched),
        cmocka_unit_test(rules_keep_text_valid),
        cmocka_unit_test(malformed_rules_do_no_harm),
        cmocka_unit_test(rules_in_circles_end),
        cmocka_unit_test(strings_are_scanned),
        cmocka_unit_test(values_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

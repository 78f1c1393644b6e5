/*
 * Signs: a word or a number, or two, in some font on a coloured board. Words are CLDR's keywords in the languages of
 * Latin letters. Which of all possible texts a split may show is decided by a hash of the text in small letters: tests
 * show only texts that training never does.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { WORDS_MAX = 1 << 17, LETTERS = EW_SIGN_LETTERS };

static char (*words)[LETTERS + 1];
static size_t word_count;

const char *const ew_color_name[EW_SIGN_COLORS] = {"red",   "blue",  "green",  "yellow",
                                                   "white", "black", "orange", "purple"};

static const double boards[EW_SIGN_COLORS][3] = {
    {0.80, 0.12, 0.14}, {0.10, 0.30, 0.72}, {0.08, 0.48, 0.24}, {0.97, 0.82, 0.15},
    {0.96, 0.96, 0.94}, {0.10, 0.10, 0.12}, {0.95, 0.50, 0.08}, {0.47, 0.18, 0.58},
};

/* Letters of these colours can be read on the board of the row. */
static const int inks[EW_SIGN_COLORS][3] = {
    {4, 3, 4}, {4, 3, 4}, {4, 3, 4}, {5, 0, 1}, {5, 0, 1}, {4, 3, 6}, {4, 5, 5}, {4, 3, 4},
};

static const struct font_choice {
    const char *family;
    bool bold, italic;
} fonts[] = {
    {"DejaVu Sans", true, false},      {"DejaVu Sans", false, false},
    {"DejaVu Serif", true, false},     {"DejaVu Sans Mono", true, false},
    {"Liberation Sans", true, false},  {"Liberation Sans", false, false},
    {"Liberation Serif", true, false}, {"Liberation Serif", false, true},
    {"Liberation Mono", true, false},  {"Liberation Sans Narrow", true, false},
    {"FreeSans", true, false},         {"FreeSans", true, true},
    {"FreeSerif", true, false},        {"FreeMono", true, false},
};
enum { FONTS = sizeof fonts / sizeof *fonts };
static cairo_font_face_t *faces[FONTS];

void ew_load_fonts(void)
{
    for (int i = 0; i < FONTS; i++)
        faces[i] = ew_font(fonts[i].family, fonts[i].bold, fonts[i].italic);
}

/* ---------------------------------------------------------------- words */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void add_word(const char *text, size_t size)
{
    if (!words)
        words = ew_alloc(WORDS_MAX, sizeof *words);
    if (word_count == WORDS_MAX)
        ew_fail("there are more than %d words", WORDS_MAX);
    char *word = words[word_count++];
    for (size_t i = 0; i < size; i++)
        word[i] = (char)tolower((unsigned char)text[i]);
}

/* Words are what stands between blanks and bars; those with other signs than letters are left out. */
void ew_add_words(const char *text, size_t size)
{
    size_t start = 0;
    bool good = true;
    for (size_t i = 0; i <= size; i++) {
        bool ends = i == size || text[i] == ' ' || text[i] == '|';
        if (!ends) {
            good = good && is_letter(text[i]);
            continue;
        }
        if (good && i - start >= 2 && i - start <= LETTERS)
            add_word(text + start, i - start);
        start = i + 1;
        good = true;
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void ew_sort_words(void)
{
    size_t kept = 0;
    if (word_count == 0)
        ew_fail("CLDR's annotations have no keywords");
    qsort(words, word_count, sizeof *words, compare);
    for (size_t i = 0; i < word_count; i++)
        if (kept == 0 || strcmp(words[kept - 1], words[i]) != 0)
            memmove(words[kept++], words[i], sizeof *words);
    word_count = kept;
}

/* A tenth of all texts is for validation, a tenth for tests. */
static bool may_show(const char *text, ew_split split)
{
    uint64_t part = ew_mix(ew_hash(text), 0x5167) % 10;
    return split == EW_TRAIN ? part >= 2 : split == EW_VALIDATION ? part == 0 : part == 1;
}

static void make_number(char out[LETTERS + 1], ew_chance *chance)
{
    int digits = ew_happens(chance, 0.06) ? 1 : 2 + ew_below(chance, ew_happens(chance, 0.6) ? 3 : LETTERS - 1);
    for (int i = 0; i < digits; i++)
        out[i] = (char)('0' + (i == 0 && digits > 1 ? 1 + ew_below(chance, 9) : ew_below(chance, 10)));
    out[digits] = 0;
}

/* Letters without a meaning, so that reading them is learned and not guessing words. */
static void make_letters(char out[LETTERS + 1], ew_chance *chance)
{
    int count = 2 + ew_below(chance, LETTERS - 1);
    for (int i = 0; i < count; i++)
        out[i] = (char)('a' + ew_below(chance, 26));
    out[count] = 0;
}

static void set_case(char *text, ew_chance *chance)
{
    int style = ew_below(chance, 3);
    for (int i = 0; text[i]; i++)
        if (style == 0 || (style == 1 && i == 0))
            text[i] = (char)toupper((unsigned char)text[i]);
}

static void make_text(char out[LETTERS + 1], ew_chance *chance, ew_split split)
{
    bool trains = split == EW_TRAIN;
    do {
        double choice = ew_between(chance, 0, 1);
        if (choice < 0.3)
            make_number(out, chance);
        else if (trains && choice < 0.45)
            make_letters(out, chance);
        else
            memcpy(out, words[ew_below(chance, (int)word_count)], LETTERS + 1);
    } while (!may_show(out, split));
    set_case(out, chance);
}

/* ---------------------------------------------------------------- boards */

void ew_choose_style(ew_sign *out, ew_chance *chance)
{
    out->color = ew_below(chance, EW_SIGN_COLORS);
    out->ink = inks[out->color][ew_below(chance, 3)];
    out->font = ew_below(chance, FONTS);
}

void ew_make_sign(ew_sign *out, ew_chance *chance, ew_split split, bool large)
{
    *out = (ew_sign){.line_count = large && ew_happens(chance, 0.25) ? 2 : 1};
    size_t longest = 0;
    for (int i = 0; i < out->line_count; i++) {
        make_text(out->lines[i], chance, split);
        size_t length = strlen(out->lines[i]);
        longest = length > longest ? length : longest;
    }
    ew_choose_style(out, chance);
    /* Letters are some 0.7 wide for a height of 1. */
    double line = fmin(1 / (0.75 * (double)longest), 0.6);
    out->aspect = fmax(line * (0.5 + out->line_count) * ew_between(chance, 0.85, 1.2), 0.3);
    out->corner = ew_happens(chance, 0.5) ? ew_between(chance, 0.02, 0.1) : 0;
    out->rim = ew_happens(chance, 0.6) ? ew_between(chance, 0.012, 0.025) : 0;
}

static void trace_board(cairo_t *cairo, double width, double height, double corner)
{
    double x = width / 2 - corner, y = height / 2 - corner;
    cairo_new_sub_path(cairo);
    cairo_arc(cairo, x, -y, corner, -M_PI / 2, 0);
    cairo_arc(cairo, x, y, corner, 0, M_PI / 2);
    cairo_arc(cairo, -x, y, corner, M_PI / 2, M_PI);
    cairo_arc(cairo, -x, -y, corner, M_PI, 1.5 * M_PI);
    cairo_close_path(cairo);
}

static void use_color(cairo_t *cairo, int color)
{
    cairo_set_source_rgb(cairo, boards[color][0], boards[color][1], boards[color][2]);
}

void ew_use_board(cairo_t *cairo, const ew_sign *style)
{
    use_color(cairo, style->color);
}

void ew_use_letters(cairo_t *cairo, const ew_sign *style)
{
    use_color(cairo, style->ink);
    cairo_set_font_face(cairo, faces[style->font]);
}

static void paint_line(cairo_t *cairo, const char *text, const cairo_text_extents_t *extents)
{
    cairo_move_to(cairo, -extents->width / 2 - extents->x_bearing, -extents->height / 2 - extents->y_bearing);
    cairo_text_path(cairo, text);
    cairo_fill(cairo);
}

/* The cell of each letter: as wide as its advance, as high as the line's ink. */
static void mark_line(cairo_t *cairo, const char *text, const cairo_text_extents_t *extents)
{
    double left = -extents->width / 2 - extents->x_bearing, from = 0;
    for (int i = 0; text[i]; i++) {
        char start[LETTERS + 1] = {0};
        cairo_text_extents_t past;
        memcpy(start, text, (size_t)i + 1);
        cairo_text_extents(cairo, start, &past);
        cairo_set_source_rgba(cairo, 0, 0, 0, text[i] / 255.0);
        cairo_rectangle(cairo, left + from, -extents->height / 2, past.x_advance - from, extents->height);
        cairo_fill(cairo);
        from = past.x_advance;
    }
}

typedef void draw_line(cairo_t *cairo, const char *text, const cairo_text_extents_t *extents);

/* Lines are as large as fits into their part of the board's height and 86 % of its width of 1. */
static void draw_lines(cairo_t *cairo, const ew_sign *sign, draw_line *draw)
{
    double line = sign->aspect / sign->line_count, height = line * (sign->line_count > 1 ? 0.66 : 0.62);
    cairo_set_font_face(cairo, faces[sign->font]);
    for (int i = 0; i < sign->line_count; i++) {
        cairo_text_extents_t extents;
        cairo_set_font_size(cairo, 1);
        cairo_text_extents(cairo, sign->lines[i], &extents);
        double scale = fmin(0.86 / extents.width, height / fmax(extents.height, 0.7));
        cairo_save(cairo);
        cairo_translate(cairo, 0, (i + 0.5) * line - sign->aspect / 2);
        cairo_scale(cairo, scale, scale);
        draw(cairo, sign->lines[i], &extents);
        cairo_restore(cairo);
    }
}

void ew_paint_sign(cairo_t *cairo, const ew_sign *sign, double size)
{
    double height = sign->aspect;
    cairo_save(cairo);
    cairo_scale(cairo, size, size);
    trace_board(cairo, 1, height, sign->corner);
    use_color(cairo, sign->color);
    cairo_fill(cairo);
    use_color(cairo, sign->ink);
    if (sign->rim > 0) {
        trace_board(cairo, 1 - 3 * sign->rim, height - 3 * sign->rim, fmax(sign->corner - 1.5 * sign->rim, 0));
        cairo_set_line_width(cairo, sign->rim);
        cairo_stroke(cairo);
    }
    draw_lines(cairo, sign, paint_line);
    cairo_restore(cairo);
}

void ew_mark_letters(cairo_t *cairo, const ew_sign *sign, double size)
{
    cairo_save(cairo);
    cairo_scale(cairo, size, size);
    draw_lines(cairo, sign, mark_line);
    cairo_restore(cairo);
}

/* Letters out of whatever fonts there are. Cairo draws a text in one font; which font has which character is
 * fontconfig's to say, so a text is cut into runs of one font each. */
#include <cairo-ft.h>
#include <string.h>

#include "base/buffer.h"
#include "image/canvas.h"

#define ELLIPSIS "\xe2\x80\xa6"
#define LONGEST  65536 /* bytes */

struct pg_letters {
    FcPattern *wanted;
    FcFontSet *fonts;          /* best first, each with characters that those before it lack; NULL: none */
    cairo_font_face_t **faces; /* of the fonts, once they are needed */
    cairo_font_face_t *builtin;
};

static pg_status find_fonts(pg_letters *letters, bool bold)
{
    FcResult result = FcResultNoMatch;
    letters->wanted = FcPatternBuild(NULL, FC_FAMILY, FcTypeString, "sans-serif", FC_WEIGHT, FcTypeInteger,
                                     bold ? FC_WEIGHT_BOLD : FC_WEIGHT_REGULAR, (char *)NULL);
    if (!letters->wanted || !FcConfigSubstitute(NULL, letters->wanted, FcMatchPattern))
        return pg_fail(PG_ERROR_MEMORY, "no memory for the list of fonts");
    FcDefaultSubstitute(letters->wanted);
    letters->fonts = FcFontSort(NULL, letters->wanted, FcTrue, NULL, &result);
    size_t count = letters->fonts ? (size_t)letters->fonts->nfont : 0;
    letters->faces = pg_alloc(count, sizeof *letters->faces);
    letters->builtin = cairo_toy_font_face_create("@cairo:", CAIRO_FONT_SLANT_NORMAL,
                                                  bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    return letters->faces ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_letters_open(pg_letters **out, pg_letters_weight weight)
{
    pg_letters *letters = pg_alloc(1, sizeof *letters);
    if (!letters)
        return PG_ERROR_MEMORY;
    pg_status status = find_fonts(letters, weight == PG_LETTERS_BOLD);
    if (status == PG_OK)
        *out = letters;
    else
        pg_letters_close(letters);
    return status;
}

void pg_letters_close(pg_letters *letters)
{
    if (!letters)
        return;
    for (int i = 0; letters->faces && letters->fonts && i < letters->fonts->nfont; i++)
        cairo_font_face_destroy(letters->faces[i]);
    cairo_font_face_destroy(letters->builtin);
    if (letters->fonts)
        FcFontSetDestroy(letters->fonts);
    if (letters->wanted)
        FcPatternDestroy(letters->wanted);
    pg_free(letters->faces);
    pg_free(letters);
}

/* ---------------------------------------------------------------- runs of one font */

static size_t decode(FcChar32 *out, const char *text, size_t length)
{
    int size = FcUtf8ToUcs4((const FcChar8 *)text, out, length > 6 ? 6 : (int)length);
    return size > 0 ? (size_t)size : 0;
}

pg_status pg_letters_check(const char *text, const char *what)
{
    size_t length = strlen(text);
    if (length > LONGEST)
        return pg_fail(PG_ERROR_LIMIT, "%s has %zu bytes, at most %d are drawn", what, length, LONGEST);
    for (size_t at = 0, size; at < length; at += size) {
        FcChar32 character = 0;
        size = decode(&character, text + at, length - at);
        if (!size || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
            return pg_fail(PG_ERROR_ARGUMENT, "%s is not UTF-8: byte %zu", what, at);
    }
    return PG_OK;
}

/* Joiners and variation selectors, which belong to the character before them. */
static bool goes_along(FcChar32 character)
{
    return (character >= 0x200b && character <= 0x200f) || (character >= 0xfe00 && character <= 0xfe0f);
}

/* The first font that has it, or else the best font, which draws a box in its place. */
static int font_of(const pg_letters *letters, FcChar32 character)
{
    for (int i = 0; i < letters->fonts->nfont; i++) {
        FcCharSet *has;
        if (FcPatternGetCharSet(letters->fonts->fonts[i], FC_CHARSET, 0, &has) == FcResultMatch &&
            FcCharSetHasChar(has, character))
            return i;
    }
    return 0;
}

static cairo_font_face_t *face_of(const pg_letters *letters, int font)
{
    if (font < 0)
        return letters->builtin;
    if (!letters->faces[font]) {
        FcPattern *ready = FcFontRenderPrepare(NULL, letters->wanted, letters->fonts->fonts[font]);
        if (!ready)
            return letters->builtin;
        letters->faces[font] = cairo_ft_font_face_create_for_pattern(ready);
        FcPatternDestroy(ready);
    }
    return letters->faces[font];
}

/* How many bytes from the beginning of a text one font draws; *font: -1 for cairo's own letters. */
static size_t find_run(int *font, const pg_letters *letters, const char *text, size_t length)
{
    size_t at = 0;
    bool none = !letters->fonts || letters->fonts->nfont == 0;
    *font = -1;
    if (none)
        return length;
    while (at < length) {
        FcChar32 character = 0;
        size_t size = decode(&character, text + at, length - at);
        int next = *font >= 0 && goes_along(character) ? *font : font_of(letters, character);
        if (*font >= 0 && next != *font)
            break;
        *font = next;
        at += size ? size : 1;
    }
    return at;
}

/* Sets the font and finds the glyphs of a run that begins at x, y; freed with cairo_glyph_free. */
static cairo_glyph_t *find_glyphs(int *count, const pg_canvas *canvas, const char *run, size_t length, int font,
                                  double size, double x, double y)
{
    cairo_glyph_t *glyphs = NULL;
    *count = 0;
    cairo_set_font_face(canvas->cairo, face_of(canvas->letters, font));
    cairo_set_font_size(canvas->cairo, size);
    cairo_status_t status = cairo_scaled_font_text_to_glyphs(cairo_get_scaled_font(canvas->cairo), x, y, run,
                                                             (int)length, &glyphs, count, NULL, NULL, NULL);
    return status == CAIRO_STATUS_SUCCESS ? glyphs : NULL;
}

/* Walks over the runs; returns where the text ends. */
static double walk(const pg_canvas *canvas, const char *text, size_t length, double size, double x, double y, bool show)
{
    for (size_t at = 0, run; at < length; at += run) {
        int font, count;
        run = find_run(&font, canvas->letters, text + at, length - at);
        cairo_glyph_t *glyphs = find_glyphs(&count, canvas, text + at, run, font, size, x, y);
        cairo_text_extents_t extents = {0};
        if (glyphs && show)
            cairo_show_glyphs(canvas->cairo, glyphs, count);
        if (glyphs)
            cairo_glyph_extents(canvas->cairo, glyphs, count, &extents);
        cairo_glyph_free(glyphs);
        x += extents.x_advance;
    }
    return x;
}

double pg_letters_width(const pg_canvas *canvas, const char *text, size_t length, double size)
{
    return walk(canvas, text, length, size, 0, 0, false);
}

void pg_letters_show(const pg_canvas *canvas, const char *text, size_t length, double size, double x, double y)
{
    walk(canvas, text, length, size, x, y, true);
}

/* ---------------------------------------------------------------- text in little room */

/* The beginning of the character that byte `at` belongs to. */
static size_t whole(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

size_t pg_letters_fit(const pg_canvas *canvas, const char *text, size_t length, double size, double room)
{
    size_t fits = 0, end = length;
    if (pg_letters_width(canvas, text, length, size) <= room)
        return length;
    while (end - fits > 1) { /* `fits` does, `end` does not */
        size_t middle = whole(text, fits + (end - fits) / 2);
        if (middle <= fits) /* within a long character: the next one's beginning */
            for (middle = fits + 1; middle < end && ((unsigned char)text[middle] & 0xc0) == 0x80;)
                middle++;
        if (middle >= end)
            break;
        if (pg_letters_width(canvas, text, middle, size) <= room)
            fits = middle;
        else
            end = middle;
    }
    return fits;
}

/* `length` bytes of a text, and `tail`, with blanks for control characters, which have no letters. */
static pg_status make_line(char **out, const char *text, size_t length, const char *tail)
{
    pg_buffer line = {0};
    PG_TRY(pg_buffer_print(&line, "%.*s%s", (int)length, text, tail));
    for (char *c = line.data; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    *out = line.data;
    return PG_OK;
}

/* The beginning of a text that has room together with an ellipsis. */
static pg_status cut_line(char **out, const pg_canvas *canvas, const char *text, size_t length, double size,
                          double room)
{
    double tail = pg_letters_width(canvas, ELLIPSIS, strlen(ELLIPSIS), size);
    return make_line(out, text, pg_letters_fit(canvas, text, length, size, room - tail), ELLIPSIS);
}

pg_status pg_letters_shorten(char **out, const pg_canvas *canvas, const char *text, double size, double room)
{
    size_t length = strlen(text);
    if (pg_letters_width(canvas, text, length, size) <= room)
        return make_line(out, text, length, "");
    return cut_line(out, canvas, text, length, size, room);
}

/* What must not begin a line. */
static bool closes(const char *text)
{
    static const char *const marks[] = {"\u3001", "\u3002", "\uff0c", "\uff0e", "\uff01", "\uff1f", "\uff1a",
                                        "\uff1b", "\uff09", "\u300d", "\u300f", "\u3011", "\u300b", "\u30fc"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(text, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

/* Where a line that has room for `fits` bytes ends: behind its last blank, mark within a name, or ideograph, if there
 * is one. */
static size_t find_break(const char *text, size_t fits)
{
    for (size_t end = fits; end > 0; end = whole(text, end - 1)) {
        FcChar32 before = 0;
        size_t start = whole(text, end - 1);
        decode(&before, text + start, end - start);
        bool joint = before < 0x80 && strchr(" -_/", (int)before) != NULL;
        if ((joint || before >= 0x2e80) && !closes(text + end))
            return end;
    }
    return fits;
}

/* One line from the beginning of `text`; returns the bytes it takes, with the blanks or line break behind it. */
static size_t next_line(size_t *shown, const pg_canvas *canvas, const char *text, double size, double room)
{
    size_t paragraph = strcspn(text, "\n"), fits = pg_letters_fit(canvas, text, paragraph, size, room);
    if (fits < paragraph && text[fits] != ' ')
        fits = find_break(text, fits);
    if (fits == 0 && paragraph > 0) { /* a character has its line even if it is wider */
        FcChar32 first;
        fits = decode(&first, text, paragraph);
    }
    size_t taken = fits;
    while (text[taken] == ' ')
        taken++;
    while (fits > 0 && text[fits - 1] == ' ')
        fits--;
    *shown = fits;
    return taken + (text[taken] == '\n');
}

static pg_status add_line(pg_lines *lines, size_t *capacity, char *line)
{
    pg_status status = pg_grow((void **)&lines->items, capacity, lines->count + 1, sizeof line);
    if (status == PG_OK)
        lines->items[lines->count++] = line;
    else
        pg_free(line);
    return status;
}

pg_status pg_letters_wrap(pg_lines *out, const pg_canvas *canvas, const char *text, double size, double room,
                          size_t most)
{
    size_t capacity = 0;
    pg_status status = PG_OK;
    *out = (pg_lines){0};
    while (*text && out->count < most && status == PG_OK) {
        char *line;
        size_t shown, taken = next_line(&shown, canvas, text, size, room);
        bool cut = out->count + 1 == most && text[taken];
        status = cut ? cut_line(&line, canvas, text, shown, size, room) : make_line(&line, text, shown, "");
        if (status == PG_OK)
            status = add_line(out, &capacity, line);
        text += taken;
    }
    if (status != PG_OK)
        pg_lines_free(out);
    return status;
}

void pg_lines_free(pg_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        pg_free(lines->items[i]);
    pg_free(lines->items);
    *lines = (pg_lines){0};
}

/*
 * The forms of tokens that Stanford's PTBTokenizer 3.4.1 knows, told from what it does: where several forms fit, the
 * one that sees the longest piece of text wins, what must follow it included; of equal ones, the first in the table
 * below. Rules that only decide where a sentence ends are not here: its full stop is punctuation and left out.
 *
 * A form measures what begins at a place; 0: nothing of its kind. Two line ends behind the text, which belong to no
 * token, stop every loop.
 */
#include "metrics/ptb_tokens.h"

#include <string.h>

#include "metrics/ptb_characters.h"
#include "metrics/ptb_forms.h"
#include "metrics/ptb_matching.h"

static bool is_hyphen(uint32_t c)
{
    return pg_ptb_is_any(c, "-_") || c == 0x58a || c == 0x2010 || c == 0x2011;
}

/* ---------------------------------------------------------------- words */

/* A letter of a word; also a sign upon one, a soft hyphen, an entity such as &eacute; */
static size_t word_letter(const uint32_t *s)
{
    if (pg_ptb_is_letter(*s) || pg_ptb_kind_of(*s) == PG_PTB_SIGN || *s == PG_PTB_SOFT_HYPHEN)
        return 1;
    if (*s != '&' || !pg_ptb_is_any(pg_ptb_small(s[1]), "aeiou"))
        return 0;
    size_t name = pg_ptb_match_any(s + 2, "acute;|grave;|uml;");
    return name ? 2 + name : 0;
}

static size_t word_part(const uint32_t *s)
{
    size_t n = word_letter(s);
    for (size_t step = n; step > 0; n += step)
        step = pg_ptb_is_digit(s[n]) ? 1 : word_letter(s + n);
    return n;
}

static size_t word_part_or_number(const uint32_t *s)
{
    size_t n = 0, step;
    while ((step = pg_ptb_is_digit(s[n]) ? 1 : word_letter(s + n)))
        n += step;
    return n;
}

/* Parts may hang together by single marks: U.S, what?yes */
static size_t word(const uint32_t *s)
{
    size_t n = word_part(s);
    while (n > 0 && pg_ptb_is_any(s[n], ".!?")) {
        size_t part = word_part(s + n + 1);
        if (!part)
            break;
        n += 1 + part;
    }
    return n;
}

/* 's, 'm, 'd, 're, 've, 'll */
static size_t ending(const uint32_t *s)
{
    return pg_ptb_match_any(s, "'s|'m|'d|'re|'ve|'ll");
}

/* n't */
static size_t negation(const uint32_t *s)
{
    size_t mark = pg_ptb_small(*s) == 'n' ? pg_ptb_apostrophe_like(s + 1) : 0;
    return mark && pg_ptb_small(s[1 + mark]) == 't' ? mark + 2 : 0;
}

static bool is_soft_latin(uint32_t c)
{
    return pg_ptb_is_latin(c) || c == PG_PTB_SOFT_HYPHEN;
}

/* The word before an n't: it ends in another letter than n. */
static size_t negated(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_soft_latin);
    if (n < 2 || !negation(s + n - 1))
        return 0;
    size_t last = n - 1;
    while (last > 0 && s[last - 1] == PG_PTB_SOFT_HYPHEN)
        last--;
    return last > 0 && pg_ptb_small(s[last - 1]) != 'n' ? n - 1 : 0;
}

/* Words with an apostrophe in them that are not cut there. */
static size_t apostrophe_word(const uint32_t *s)
{
    size_t best =
        pg_ptb_match_any(s, "'n|'n'|l'|d'|j'|dunkin'|somethin'|ol'|'em|'til|'till|'cause|cont'd|cont'd.|nor'easter|"
                            "c'mon|e'er|s'mores|ev'ry|li'l|nat'l");
    size_t mark, letters = pg_ptb_run(s, pg_ptb_is_letter), n = 0;
    if ((mark = pg_ptb_apostrophe(s)) && s[mark] >= '2' && s[mark] <= '9' && pg_ptb_match(s + mark + 1, "0s", 2))
        n = mark + 3; /* '90s */
    if (letters == 1 && pg_ptb_is_any(*s, "ABCDEFGHJKLMNOPQRSTUVWXZn") && (mark = pg_ptb_apostrophe_like(s + 1)) &&
        pg_ptb_run(s + 1 + mark, pg_ptb_is_letter) >= 2)
        n = 1 + mark + pg_ptb_run(s + 1 + mark, pg_ptb_is_letter); /* O'Reilly */
    if (letters >= 2 && pg_ptb_is_any(pg_ptb_small(s[letters - 1]), "aeiouy") &&
        (mark = pg_ptb_apostrophe_like(s + letters)) &&
        pg_ptb_is_any(s[letters + mark], "aeiouABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        n = letters + mark + pg_ptb_run(s + letters + mark, pg_ptb_is_letter); /* Shi'ite */
    return n > best ? n : best;
}

static size_t y_apostrophe(const uint32_t *s)
{
    return pg_ptb_match(s, "y'", 2);
}

/* '95 */
static size_t short_year(const uint32_t *s)
{
    size_t mark = pg_ptb_apostrophe(s);
    return mark && pg_ptb_is_latin_digit(s[mark]) && pg_ptb_is_latin_digit(s[mark + 1]) ? mark + 2 : 0;
}

static size_t cut_by_three(const uint32_t *s)
{
    return *s == '\'' || pg_ptb_small(*s) == 'c' ? pg_ptb_match_any(s, "cannot|'twas") : 0;
}

static size_t cut_by_two(const uint32_t *s)
{
    return pg_ptb_match_any(s, "gonna|gotta|lemme|gimme|wanna|'tis");
}

static size_t fixed_word(const uint32_t *s)
{
    return pg_ptb_match_any(
        s, "-rrb-|-lrb-|-rcb-|-lcb-|-rsb-|-lsb-|c.d.s|pro-|anti-|s&p-500|s&amp;p-500|s&ls|s&amp;ls|cap'n|"
           "c'est");
}

static size_t programming_language(const uint32_t *s)
{
    return pg_ptb_match_any(s, "c++|c#|f#");
}

/* ---------------------------------------------------------------- words with hyphens, slashes and ampersands */

/* d'Avignon */
static size_t elision(const uint32_t *s)
{
    size_t mark = pg_ptb_is_any(pg_ptb_small(*s), "dol") ? pg_ptb_apostrophe_like(s + 1) : 0;
    return mark && pg_ptb_is_alphanumeric(s[1 + mark]) ? 2 + mark : 0;
}

static size_t hyphenated_part(const uint32_t *s)
{
    size_t front = elision(s);
    size_t n = pg_ptb_run(s + front, pg_ptb_is_alphanumeric);
    return front && n ? front + n : pg_ptb_run(s, pg_ptb_is_alphanumeric);
}

static size_t hyphenated(const uint32_t *s)
{
    size_t n = hyphenated_part(s), part;
    while (n > 0 && is_hyphen(s[n]) && (part = hyphenated_part(s + n + 1)))
        n += 1 + part;
    return n;
}

static bool is_numbered(uint32_t c)
{
    return pg_ptb_is_latin_alphanumeric(c) || pg_ptb_is_any(c, ".,") || c == PG_PTB_SOFT_HYPHEN;
}

static bool is_soft_alphanumeric(uint32_t c)
{
    return pg_ptb_is_latin_alphanumeric(c) || c == PG_PTB_SOFT_HYPHEN;
}

/* A.B, without the last full stop. */
static size_t initials(const uint32_t *s)
{
    size_t n = pg_ptb_is_latin(*s);
    while (n > 0 && s[n] == '.' && pg_ptb_is_latin(s[n + 1]))
        n += 2;
    return n;
}

static size_t acronym(const uint32_t *s)
{
    size_t n = initials(s);
    return n && s[n] == '.' ? n + 1 : n > 1 ? n - 1 : 0;
}

static size_t lone_initial(const uint32_t *s)
{
    return initials(s) == 1 ? acronym(s) : 0;
}

/* Also with numbers and initials: 1,000-mile, A.B.-C.D. */
static size_t hyphenated_number(const uint32_t *s)
{
    size_t n = pg_ptb_is_latin_alphanumeric(*s) ? pg_ptb_run(s, is_numbered) : 0, found = 0;
    while (n > 0 && s[n] == '-') {
        size_t part = pg_ptb_run(s + n + 1, is_soft_alphanumeric), names = acronym(s + n + 1);
        part = names > 2 && names > part ? names : part;
        if (!part)
            break;
        found = n += 1 + part;
    }
    return found;
}

static size_t sliced_part(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, pg_ptb_is_latin_alphanumeric);
    for (int i = 0; i < 2 && n > 0 && s[n] == '-' && pg_ptb_is_latin(s[n + 1]); i++)
        n += 1 + pg_ptb_run(s + n + 1, pg_ptb_is_latin);
    return n;
}

/* and/or, 1/2/3 */
static size_t sliced(const uint32_t *s)
{
    size_t n = sliced_part(s), found = 0;
    for (int i = 0; i < 2 && n > 0; i++) {
        size_t mark = s[n] == '/' ? 1 : s[n] == '\\' && s[n + 1] == '/' ? 2 : 0;
        size_t part = mark ? sliced_part(s + n + mark) : 0;
        if (!part)
            break;
        found = n += mark + part;
    }
    return found;
}

static bool is_capital(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

/* AT&T */
static size_t joined_capitals(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_capital), found = 0;
    while (n > 0) {
        size_t mark = s[n] == '&' && pg_ptb_match(s + n, "&amp;", 5) ? 5 : pg_ptb_is_any(s[n], "+&");
        size_t part = mark ? pg_ptb_run(s + n + mark, is_capital) : 0;
        if (!part)
            break;
        found = n += mark + part;
    }
    return found;
}

static size_t with_stop(const uint32_t *s, size_t n)
{
    return n && s[n] == '.' ? n + 1 : 0;
}

static size_t word_stop(const uint32_t *s)
{
    return with_stop(s, word(s));
}

static size_t hyphenated_number_stop(const uint32_t *s)
{
    return with_stop(s, hyphenated_number(s));
}

static size_t hyphenated_stop(const uint32_t *s)
{
    return with_stop(s, hyphenated(s));
}

static size_t joined_capitals_stop(const uint32_t *s)
{
    return with_stop(s, joined_capitals(s));
}

/* ---------------------------------------------------------------- abbreviations */

/* Most words are none, which their end tells. */
static size_t listed_abbreviation(const uint32_t *s, const char *names)
{
    size_t n = pg_ptb_run(s, pg_ptb_is_latin);
    return n && s[n] == '.' ? with_stop(s, pg_ptb_match_any(s, names)) : 0;
}

/* Those that a small letter follows, as a rule. */
static size_t abbreviation(const uint32_t *s)
{
    return listed_abbreviation(
        s, "al|co|ct|ga|jr|ky|md|mo|rd|rt|sq|sr|va|vt|ala|apr|aug|bhd|cos|dak|dec|esq|est|etc|ext|feb|fla|fri|inc|"
           "ind|jan|jul|jun|kan|ltd|mar|mon|neb|nev|nov|oct|plc|pte|pty|sep|seq|sys|tel|thu|tue|wed|wis|wyo|ariz|"
           "assn|bldg|blvd|bros|colo|conn|corp|intl|kans|mich|minn|mont|okla|penn|ppte|ppty|ptes|ptys|sept|tenn|"
           "tues|univ|wisc|bancorp|calif|pptys|thurs|ph.d|ed.d|Az|La|Pa|Ark|Del|Ill|Ore|Tex|Mass|Miss|Wash");
}

/* Those that a name follows. */
static size_t title(const uint32_t *s)
{
    return listed_abbreviation(
        s, "cf|dr|ft|lt|mr|ms|mt|ph|st|vs|wm|adj|adm|adv|ave|cie|col|cpl|det|drs|ens|gen|gov|hon|jos|maj|mfg|mme|"
           "mrs|mtg|pfc|pvt|rep|rev|sen|sfc|sgt|spc|ste|alex|asst|atty|brig|capt|cmdr|dept|elec|govs|insp|invt|mlle|"
           "msgr|natl|pres|prof|reps|sens|supt|assoc|attys|comdr|lieut|messrs|profs|supts|treas");
}

/* Those that are none except before a number. */
static size_t number_abbreviation(const uint32_t *s)
{
    return pg_ptb_match_any(s, "ca.|no.|op.|pp.|art.|fig.|nos.|figs.|prop.");
}

/* ---------------------------------------------------------------- names and money */

/* 1.tar.gz */
static size_t file_name(const uint32_t *s)
{
    static const char *const endings = "bat|bmp|c|cgi|class|cpp|dll|doc|docx|exe|gif|gz|h|htm|html|jar|java|jpeg|jpg|"
                                       "mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|"
                                       "tar|txt|wav|x|xml|zip";
    size_t n = word_part_or_number(s), found = 0, part;
    while (n > 0 && s[n] == '.' && (part = word_part_or_number(s + n + 1))) {
        found = pg_ptb_match_any(s + n + 1, endings) == part ? n + 1 + part : found;
        n += 1 + part;
    }
    return found;
}

static bool is_identifier(uint32_t c)
{
    return pg_ptb_is_latin_alphanumeric(c) || c == '_';
}

static size_t mention(const uint32_t *s)
{
    if (*s == '@')
        return pg_ptb_is_latin(s[1]) || s[1] == '_' ? 1 + pg_ptb_run(s + 1, is_identifier) : 0;
    size_t n = *s == '#', letter;
    while (n > 0 && (letter = word_letter(s + n)))
        n += letter;
    return n > 1 ? n : 0;
}

/* A$, or #, which once stood for pounds. */
static size_t money(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_capital);
    return s[n] == '$' ? n + 1 : *s == '#';
}

/* ---------------------------------------------------------------- marks */

static size_t smiley(const uint32_t *s)
{
    size_t n = pg_ptb_is_any(*s, "<>");
    if (!pg_ptb_is_any(s[n], ":;="))
        return 0;
    n++;
    n += pg_ptb_is_any(s[n], "-o*'") && pg_ptb_is_any(s[n + 1], "()DPdpO\\{@|[]");
    return pg_ptb_is_any(s[n], "()DPdpO\\{@|[]") ? n + 1 : 0;
}

/* ^_^, (-_-) */
static size_t face(const uint32_t *s)
{
    static const char *const eyes = "-^x=~<>'";
    if (*s != '(')
        return pg_ptb_is_any(*s, eyes) && s[1] == '_' && pg_ptb_is_any(s[2], eyes) ? 3 : 0;
    if (!pg_ptb_is_any(s[1], eyes))
        return 0;
    size_t n = 2 + pg_ptb_is_any(s[2], "_.");
    if (pg_ptb_is_any(s[n], eyes) && s[n + 1] == ')')
        return n + 2;
    return s[2] == '-' && s[1] != '-' && pg_ptb_is_any(s[3], "^x=~<>'`") && s[4] == ')' ? 5 : 0;
}

/* --, ---- and dashes of other kinds; five hyphens and more are a word. */
static size_t dash(const uint32_t *s)
{
    size_t n = pg_ptb_run_of(s, '-');
    if (*s == 0x96 || *s == 0x97 || (*s >= 0x2013 && *s <= 0x2015))
        return 1;
    return n ? (n > 4 ? 0 : n) : pg_ptb_match_any(s, "&md;|&mdash;|&ndash;");
}

static size_t long_dash(const uint32_t *s)
{
    return pg_ptb_run_of(s, '-');
}

/* Three to five full stops, or with blanks between them. */
static size_t ellipsis(const uint32_t *s)
{
    size_t n = pg_ptb_run_of(s, '.'), spaced = 0;
    if (*s == 0x2026 || *s == 0x85)
        return 1;
    n = n < 3 ? 0 : n > 5 ? 5 : n;
    for (size_t at = 0, i = 0; i < 4 && s[at] == '.' && (s[at + 1] == ' ' || s[at + 1] == PG_PTB_NO_BREAK); i++) {
        at += 2;
        spaced = i >= 1 && s[at] == '.' ? at + 1 : spaced;
    }
    return n > spaced ? n : spaced;
}

static size_t repeated(const uint32_t *s)
{
    return pg_ptb_is_any(*s, "@#_*") ? pg_ptb_run_of(s, *s) : 0;
}

/* \*\* */
static size_t escaped_stars(const uint32_t *s)
{
    size_t n = 0;
    while (n < 6 && s[n] == '\\' && s[n + 1] == '*')
        n += 2;
    return n;
}

static bool is_exclamation(uint32_t c)
{
    return pg_ptb_is_any(c, "?!");
}

static size_t exclamations(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_exclamation);
    return n > 1 ? n : 0;
}

/* Marks that the list of punctuation has: left out. */
static size_t punctuation(const uint32_t *s)
{
    return pg_ptb_is_any(*s, ".,:;?!-'`\"");
}

static size_t double_quote(const uint32_t *s)
{
    return *s == '"' ? 1 : pg_ptb_match(s, "&quot;", 6);
}

static size_t straight_quote(const uint32_t *s)
{
    return *s == '\'';
}

static bool is_quote(uint32_t c)
{
    return c == '`' || (c >= 0x2018 && c <= 0x201f) || (c >= 0x91 && c <= 0x94) || c == 0x2039 || c == 0x203a ||
           c == 0xab || c == 0xbb;
}

static size_t quotes(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_quote);
    if (n)
        return n > 2 ? 2 : n;
    return s[0] == '\'' && s[1] == '\'' ? 2 : pg_ptb_apostrophe(s);
}

static size_t angles(const uint32_t *s)
{
    return pg_ptb_is_any(*s, "<>") && s[1] == *s ? 2 : 0;
}

static size_t symbol(const uint32_t *s)
{
    size_t entity = pg_ptb_match_any(s, "&lt;|&gt;");
    return entity ? entity : pg_ptb_kind_of(*s) != PG_PTB_NONE && pg_ptb_kind_of(*s) != PG_PTB_SIGN;
}

/* Characters with a token of their own in other letters. */
static size_t rewritten(const uint32_t *s)
{
    switch (*s) {
    case 0x80:
    case 0xa2:
    case 0xa3:
    case 0xa4:
    case 0x20a0:
    case 0x20ac:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0x2153:
    case 0x2154: return 1;
    default: return 0;
    }
}

static size_t ampersand(const uint32_t *s)
{
    return pg_ptb_match(s, "&amp;", 5);
}

static size_t blank_entity(const uint32_t *s)
{
    return pg_ptb_match(s, "&nbsp;", 6);
}

/* ---------------------------------------------------------------- what must follow */

static size_t any_letter(const uint32_t *s)
{
    return pg_ptb_is_letter(*s);
}

static size_t no_latin(const uint32_t *s)
{
    return !pg_ptb_is_latin(*s);
}

static size_t no_latin_or_digit(const uint32_t *s)
{
    return !pg_ptb_is_latin_alphanumeric(*s);
}

static size_t two_characters(const uint32_t *s)
{
    (void)s;
    return 2;
}

/* What an opening quotation mark stands before. */
static size_t quotation(const uint32_t *s)
{
    return pg_ptb_is_latin(*s) && !pg_ptb_is_any(s[1], " \t\n\r") && s[1] != PG_PTB_NO_BREAK ? 2 : 0;
}

static size_t inner_mark(const uint32_t *s)
{
    return pg_ptb_is_any(*s, ",;:") || *s == 0x3001;
}

static size_t blank_or_end(const uint32_t *s)
{
    return pg_ptb_is_blank(*s) || pg_ptb_is_line_end(*s);
}

static size_t file_name_end(const uint32_t *s)
{
    return pg_ptb_is_any(*s, ".?!,") ? 1 : blank_or_end(s);
}

static size_t blank_and_digit(const uint32_t *s)
{
    size_t blank = blank_or_end(s);
    return pg_ptb_is_digit(s[blank]) ? blank + 1 : 0;
}

/* Words that begin sentences: a single letter before them is not an initial. */
static size_t sentence(const uint32_t *s)
{
    static const char *const words =
        "About|According|Additionally|After|An|A|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Mr.|Ms.|"
        "Now|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|What|"
        "Yet|"
        "You";
    size_t blanks = pg_ptb_run(s, pg_ptb_is_blank);
    if (!blanks)
        return 0;
    size_t first = pg_ptb_match_any(s + blanks, words);
    first = first ? first : pg_ptb_markup(s + blanks);
    return first && blank_or_end(s + blanks + first) ? blanks + first + 1 : 0;
}

/* ---------------------------------------------------------------- the table */

typedef struct rule {
    size_t (*measure)(const uint32_t *);
    size_t (*follow)(const uint32_t *); /* NULL: anything */
    pg_ptb_form form;
    size_t back; /* characters at the end that belong to the next token */
} rule;

/* clang-format off */
static const rule rules[] = {
    {programming_language, NULL, PG_PTB_PLAIN, 0},
    {cut_by_three, NULL, PG_PTB_PLAIN, 3},
    {cut_by_two, NULL, PG_PTB_PLAIN, 2},
    {pg_ptb_markup, NULL, PG_PTB_BOUND, 0},
    {dash, NULL, PG_PTB_NOTHING, 0},
    {ampersand, NULL, PG_PTB_AND, 0},
    {pg_ptb_entity, NULL, PG_PTB_PLAIN, 0},
    {word, ending, PG_PTB_SOFT, 0},
    {negated, negation, PG_PTB_SOFT, 0},
    {word, NULL, PG_PTB_SOFT, 0},
    {apostrophe_word, NULL, PG_PTB_PLAIN, 0},
    {y_apostrophe, any_letter, PG_PTB_PLAIN, 0},
    {pg_ptb_full_address, NULL, PG_PTB_PLAIN, 0},
    {pg_ptb_likely_address, NULL, PG_PTB_PLAIN, 0},
    {pg_ptb_mail_address, NULL, PG_PTB_PLAIN, 0},
    {mention, NULL, PG_PTB_PLAIN, 0},
    {ending, no_latin, PG_PTB_QUOTES, 0},
    {negation, no_latin, PG_PTB_QUOTES, 0},
    {pg_ptb_date, NULL, PG_PTB_PLAIN, 0},
    {pg_ptb_number, NULL, PG_PTB_SOFT, 0},
    {pg_ptb_small_digits, NULL, PG_PTB_PLAIN, 0},
    {pg_ptb_fraction, NULL, PG_PTB_BOUND, 0},
    {rewritten, NULL, PG_PTB_PLAIN, 0},
    {fixed_word, NULL, PG_PTB_AND, 0},
    {sliced, NULL, PG_PTB_PLAIN, 0},
    {money, NULL, PG_PTB_PLAIN, 0},
    {lone_initial, sentence, PG_PTB_PLAIN, 1},
    {abbreviation, two_characters, PG_PTB_PLAIN, 0},
    {title, NULL, PG_PTB_PLAIN, 0},
    {number_abbreviation, blank_and_digit, PG_PTB_PLAIN, 0},
    {acronym, NULL, PG_PTB_PLAIN, 0},
    {short_year, blank_or_end, PG_PTB_PLAIN, 0},
    {file_name, file_name_end, PG_PTB_PLAIN, 0},
    {word_stop, inner_mark, PG_PTB_SOFT, 0},
    {pg_ptb_phone, NULL, PG_PTB_BRACKETS, 0},
    {double_quote, NULL, PG_PTB_NOTHING, 0},
    {smiley, no_latin_or_digit, PG_PTB_BRACKETS, 0},
    {face, NULL, PG_PTB_BRACKETS, 0},
    {long_dash, NULL, PG_PTB_PLAIN, 0},
    {ellipsis, NULL, PG_PTB_NOTHING, 0},
    {repeated, NULL, PG_PTB_PLAIN, 0},
    {escaped_stars, NULL, PG_PTB_PLAIN, 0},
    {exclamations, NULL, PG_PTB_PLAIN, 0},
    {hyphenated_number_stop, inner_mark, PG_PTB_SOFT, 0},
    {hyphenated_number, NULL, PG_PTB_SOFT, 0},
    {hyphenated_stop, inner_mark, PG_PTB_PLAIN, 0},
    {hyphenated, NULL, PG_PTB_PLAIN, 0},
    {joined_capitals_stop, inner_mark, PG_PTB_AND, 0},
    {joined_capitals, NULL, PG_PTB_AND, 0},
    {straight_quote, quotation, PG_PTB_NOTHING, 0},
    {ending, NULL, PG_PTB_QUOTES, 0},
    {punctuation, NULL, PG_PTB_NOTHING, 0},
    {quotes, NULL, PG_PTB_QUOTES, 0},
    {angles, NULL, PG_PTB_PLAIN, 0},
    {blank_entity, NULL, PG_PTB_NOTHING, 0},
    {symbol, NULL, PG_PTB_PLAIN, 0},
};
/* clang-format on */

pg_ptb_token pg_ptb_next(const uint32_t *text)
{
    pg_ptb_token best = {1, PG_PTB_NOTHING};
    size_t longest = 0;
    if (pg_ptb_is_blank(*text) || pg_ptb_is_line_end(*text))
        return best;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const rule *tried = &rules[i];
        size_t size = tried->measure(text), ahead = size && tried->follow ? tried->follow(text + size) : 0;
        if (!size || (tried->follow && !ahead) || size + ahead <= longest)
            continue;
        longest = size + ahead;
        best = (pg_ptb_token){size - tried->back, tried->form};
    }
    return best;
}

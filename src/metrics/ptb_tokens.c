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

#define SOFT_HYPHEN 0xadu
#define NO_BREAK    0xa0u

/* ---------------------------------------------------------------- characters */

static bool is_letter(uint32_t c)
{
    return pg_ptb_kind_of(c) == PG_PTB_LETTER;
}

static bool is_digit(uint32_t c)
{
    return pg_ptb_kind_of(c) == PG_PTB_DIGIT || (c >= 0x7c0 && c <= 0x7c9);
}

static bool is_alphanumeric(uint32_t c)
{
    return is_letter(c) || is_digit(c);
}

static uint32_t small(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool is_latin(uint32_t c)
{
    return small(c) >= 'a' && small(c) <= 'z';
}

static bool is_latin_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_latin_alphanumeric(uint32_t c)
{
    return is_latin(c) || is_latin_digit(c);
}

/* One of some ASCII characters. */
static bool is_any(uint32_t c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, (int)c);
}

static bool is_blank(uint32_t c)
{
    return is_any(c, " \t") || c == NO_BREAK || (c >= 0x2000 && c <= 0x200a) || c == 0x3000;
}

static bool is_line_end(uint32_t c)
{
    return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_hyphen(uint32_t c)
{
    return is_any(c, "-_") || c == 0x58a || c == 0x2010 || c == 0x2011;
}

static size_t run(const uint32_t *s, bool (*belongs)(uint32_t))
{
    size_t n = 0;
    while (belongs(s[n]))
        n++;
    return n;
}

/* The same, of one character. */
static size_t run_of(const uint32_t *s, uint32_t character)
{
    size_t n = 0;
    while (s[n] == character)
        n++;
    return n;
}

/* ---------------------------------------------------------------- fixed texts */

/* How much of the text is `pattern` of `size` bytes, in small or capital letters; a ' in it is any apostrophe, and a
 * capital letter only itself. */
static size_t match(const uint32_t *s, const char *pattern, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        char wanted = pattern[i];
        bool capital = wanted >= 'A' && wanted <= 'Z';
        size_t step = wanted == '\'' ? pg_ptb_apostrophe(s + at) : (capital ? s[at] : small(s[at])) == (uint32_t)wanted;
        if (!step)
            return 0;
        at += step;
    }
    return at;
}

/* The longest of several patterns with | between them that the text begins with. */
static size_t match_any(const uint32_t *s, const char *patterns)
{
    size_t best = 0;
    for (const char *at = patterns, *end; at; at = end ? end + 1 : NULL) {
        end = strchr(at, '|');
        size_t found = match(s, at, end ? (size_t)(end - at) : strlen(at));
        best = found > best ? found : best;
    }
    return best;
}

size_t pg_ptb_apostrophe(const uint32_t *s)
{
    if (*s == '\'' || *s == 0x92 || *s == 0x2019)
        return 1;
    return *s == '&' ? match(s, "&apos;", 6) : 0;
}

/* Other marks that stand for one, rightly or not. */
static size_t apostrophe_like(const uint32_t *s)
{
    return *s == '`' || *s == 0x91 || *s == 0x2018 || *s == 0x201b ? 1 : pg_ptb_apostrophe(s);
}

/* ---------------------------------------------------------------- words */

/* A letter of a word; also a sign upon one, a soft hyphen, an entity such as &eacute; */
static size_t word_letter(const uint32_t *s)
{
    if (is_letter(*s) || pg_ptb_kind_of(*s) == PG_PTB_SIGN || *s == SOFT_HYPHEN)
        return 1;
    if (*s != '&' || !is_any(small(s[1]), "aeiou"))
        return 0;
    size_t name = match_any(s + 2, "acute;|grave;|uml;");
    return name ? 2 + name : 0;
}

static size_t word_part(const uint32_t *s)
{
    size_t n = word_letter(s);
    for (size_t step = n; step > 0; n += step)
        step = is_digit(s[n]) ? 1 : word_letter(s + n);
    return n;
}

static size_t word_part_or_number(const uint32_t *s)
{
    size_t n = 0, step;
    while ((step = is_digit(s[n]) ? 1 : word_letter(s + n)))
        n += step;
    return n;
}

/* Parts may hang together by single marks: U.S, what?yes */
static size_t word(const uint32_t *s)
{
    size_t n = word_part(s);
    while (n > 0 && is_any(s[n], ".!?")) {
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
    return match_any(s, "'s|'m|'d|'re|'ve|'ll");
}

/* n't */
static size_t negation(const uint32_t *s)
{
    size_t mark = small(*s) == 'n' ? apostrophe_like(s + 1) : 0;
    return mark && small(s[1 + mark]) == 't' ? mark + 2 : 0;
}

static bool is_soft_latin(uint32_t c)
{
    return is_latin(c) || c == SOFT_HYPHEN;
}

/* The word before an n't: it ends in another letter than n. */
static size_t negated(const uint32_t *s)
{
    size_t n = run(s, is_soft_latin);
    if (n < 2 || !negation(s + n - 1))
        return 0;
    size_t last = n - 1;
    while (last > 0 && s[last - 1] == SOFT_HYPHEN)
        last--;
    return last > 0 && small(s[last - 1]) != 'n' ? n - 1 : 0;
}

/* Words with an apostrophe in them that are not cut there. */
static size_t apostrophe_word(const uint32_t *s)
{
    size_t best = match_any(s, "'n|'n'|l'|d'|j'|dunkin'|somethin'|ol'|'em|'til|'till|'cause|cont'd|cont'd.|nor'easter|"
                               "c'mon|e'er|s'mores|ev'ry|li'l|nat'l");
    size_t mark, letters = run(s, is_letter), n = 0;
    if ((mark = pg_ptb_apostrophe(s)) && s[mark] >= '2' && s[mark] <= '9' && match(s + mark + 1, "0s", 2))
        n = mark + 3; /* '90s */
    if (letters == 1 && is_any(*s, "ABCDEFGHJKLMNOPQRSTUVWXZn") && (mark = apostrophe_like(s + 1)) &&
        run(s + 1 + mark, is_letter) >= 2)
        n = 1 + mark + run(s + 1 + mark, is_letter); /* O'Reilly */
    if (letters >= 2 && is_any(small(s[letters - 1]), "aeiouy") && (mark = apostrophe_like(s + letters)) &&
        is_any(s[letters + mark], "aeiouABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        n = letters + mark + run(s + letters + mark, is_letter); /* Shi'ite */
    return n > best ? n : best;
}

static size_t y_apostrophe(const uint32_t *s)
{
    return match(s, "y'", 2);
}

/* '95 */
static size_t short_year(const uint32_t *s)
{
    size_t mark = pg_ptb_apostrophe(s);
    return mark && is_latin_digit(s[mark]) && is_latin_digit(s[mark + 1]) ? mark + 2 : 0;
}

static size_t cut_by_three(const uint32_t *s)
{
    return *s == '\'' || small(*s) == 'c' ? match_any(s, "cannot|'twas") : 0;
}

static size_t cut_by_two(const uint32_t *s)
{
    return match_any(s, "gonna|gotta|lemme|gimme|wanna|'tis");
}

static size_t fixed_word(const uint32_t *s)
{
    return match_any(s, "-rrb-|-lrb-|-rcb-|-lcb-|-rsb-|-lsb-|c.d.s|pro-|anti-|s&p-500|s&amp;p-500|s&ls|s&amp;ls|cap'n|"
                        "c'est");
}

static size_t programming_language(const uint32_t *s)
{
    return match_any(s, "c++|c#|f#");
}

/* ---------------------------------------------------------------- words with hyphens, slashes and ampersands */

/* d'Avignon */
static size_t elision(const uint32_t *s)
{
    size_t mark = is_any(small(*s), "dol") ? apostrophe_like(s + 1) : 0;
    return mark && is_alphanumeric(s[1 + mark]) ? 2 + mark : 0;
}

static size_t hyphenated_part(const uint32_t *s)
{
    size_t front = elision(s);
    size_t n = run(s + front, is_alphanumeric);
    return front && n ? front + n : run(s, is_alphanumeric);
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
    return is_latin_alphanumeric(c) || is_any(c, ".,") || c == SOFT_HYPHEN;
}

static bool is_soft_alphanumeric(uint32_t c)
{
    return is_latin_alphanumeric(c) || c == SOFT_HYPHEN;
}

/* A.B, without the last full stop. */
static size_t initials(const uint32_t *s)
{
    size_t n = is_latin(*s);
    while (n > 0 && s[n] == '.' && is_latin(s[n + 1]))
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
    size_t n = is_latin_alphanumeric(*s) ? run(s, is_numbered) : 0, found = 0;
    while (n > 0 && s[n] == '-') {
        size_t part = run(s + n + 1, is_soft_alphanumeric), names = acronym(s + n + 1);
        part = names > 2 && names > part ? names : part;
        if (!part)
            break;
        found = n += 1 + part;
    }
    return found;
}

static size_t sliced_part(const uint32_t *s)
{
    size_t n = run(s, is_latin_alphanumeric);
    for (int i = 0; i < 2 && n > 0 && s[n] == '-' && is_latin(s[n + 1]); i++)
        n += 1 + run(s + n + 1, is_latin);
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
    size_t n = run(s, is_capital), found = 0;
    while (n > 0) {
        size_t mark = s[n] == '&' && match(s + n, "&amp;", 5) ? 5 : is_any(s[n], "+&");
        size_t part = mark ? run(s + n + mark, is_capital) : 0;
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
    size_t n = run(s, is_latin);
    return n && s[n] == '.' ? with_stop(s, match_any(s, names)) : 0;
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
    return match_any(s, "ca.|no.|op.|pp.|art.|fig.|nos.|figs.|prop.");
}

/* ---------------------------------------------------------------- numbers */

static size_t number(const uint32_t *s)
{
    size_t n = is_any(*s, "+-"), digits = run(s + n, is_digit);
    bool found = digits > 0;
    for (n += digits; is_any(s[n], ".:,") || s[n] == SOFT_HYPHEN || s[n] == 0x66b || s[n] == 0x66c; n += digits) {
        digits = run(s + n + 1, is_digit);
        if (!digits)
            break;
        found = true;
        n++;
    }
    return found ? n : 0;
}

/* A run of `low` to `high` digits, as many as there are; 0 where there are fewer. */
static size_t digits(const uint32_t *s, size_t low, size_t high)
{
    size_t n = 0;
    while (n < high && is_digit(s[n]))
        n++;
    return n >= low ? n : 0;
}

/* The same with one of some characters behind them. */
static size_t digits_and(const uint32_t *s, size_t low, size_t high, const char *marks)
{
    size_t n = digits(s, low, high);
    return n && (is_any(s[n], marks) || (s[n] == NO_BREAK && strchr(marks, ' '))) ? n + 1 : 0;
}

static size_t date(const uint32_t *s)
{
    size_t day = digits_and(s, 1, 2, "-/");
    size_t month = day ? digits_and(s + day, 1, 2, "-/") : 0;
    size_t year = month ? digits(s + day + month, 2, 4) : 0;
    return year ? day + month + year : 0;
}

static size_t plain_fraction(const uint32_t *s)
{
    size_t n = digits(s, 1, 4);
    size_t mark = !n ? 0 : s[n] == '/' || s[n] == 0x2044 ? 1 : s[n] == '\\' && s[n + 1] == '/' ? 2 : 0;
    size_t below = mark ? digits(s + n + mark, 1, 4) : 0;
    return below ? n + mark + below : 0;
}

/* 1/2, 1 1/2, 1-1/2 */
static size_t fraction(const uint32_t *s)
{
    size_t whole = digits_and(s, 1, 4, "- ");
    size_t part = whole ? plain_fraction(s + whole) : 0;
    return part ? whole + part : plain_fraction(s);
}

static bool is_superscript(uint32_t c)
{
    return c == 0x2070 || c == 0xb9 || c == 0xb2 || c == 0xb3 || (c >= 0x2074 && c <= 0x2079);
}

static bool is_subscript(uint32_t c)
{
    return c >= 0x2080 && c <= 0x2089;
}

static size_t small_digits(const uint32_t *s)
{
    size_t sign = *s == 0x207a || *s == 0x207b || *s == 0x208a || *s == 0x208b;
    size_t n = run(s + sign, is_superscript);
    n = n ? n : run(s + sign, is_subscript);
    return n ? sign + n : 0;
}

/* Three or four digits, a hyphen or blank or nothing, three to five digits. */
static size_t phone_end(const uint32_t *s)
{
    size_t front = digits_and(s, 3, 4, "- "), back = front ? digits(s + front, 3, 5) : 0;
    if (back)
        return front + back;
    return digits(s, 6, 9);
}

static size_t phone_plus(const uint32_t *s)
{
    size_t n = run_of(s, '+');
    return n > 2 ? 0 : n;
}

/* 555-123-4567 */
static size_t phone_groups(const uint32_t *s)
{
    size_t plus = phone_plus(s), first = digits_and(s + plus, 2, 4, "- "), second, end;
    if (!first)
        return 0;
    second = digits_and(s + plus + first, 2, 4, "- ");
    if (second && (end = phone_end(s + plus + first + second)))
        return plus + first + second + end;
    end = phone_end(s + plus + first);
    return end ? plus + first + end : 0;
}

/* 555.123.4567 */
static size_t phone_points(const uint32_t *s)
{
    size_t plus = phone_plus(s), parts[3];
    const uint32_t *at = s + plus;
    parts[0] = digits_and(at, 2, 4, ".");
    parts[1] = parts[0] ? digits_and(at + parts[0], 2, 4, ".") : 0;
    parts[2] = parts[1] ? digits_and(at + parts[0] + parts[1], 3, 4, ".") : 0;
    size_t n = parts[0] + parts[1] + parts[2], end = parts[2] ? digits(at + n, 3, 5) : 0;
    if (end)
        return plus + n + end;
    end = !plus && parts[1] >= 4 ? digits(at + parts[0] + parts[1], 3, 5) : 0;
    return end ? parts[0] + parts[1] + end : 0;
}

static size_t phone(const uint32_t *s)
{
    size_t area = *s == '(' ? digits(s + 1, 2, 3) : 0;
    if (area && s[1 + area] == ')') {
        size_t n = area + 2 + (s[area + 2] == ' ' || s[area + 2] == NO_BREAK), end = phone_end(s + n);
        return end ? n + end : 0;
    }
    size_t groups = phone_groups(s), points = phone_points(s);
    return groups > points ? groups : points;
}

/* A$, or #, which once stood for pounds. */
static size_t money(const uint32_t *s)
{
    size_t n = run(s, is_capital);
    return s[n] == '$' ? n + 1 : *s == '#';
}

/* ---------------------------------------------------------------- addresses and markup */

static bool is_address(uint32_t c)
{
    return !is_any(c, " \t\n\f\r\"<>|()") && c != 0;
}

static bool is_braceless(uint32_t c)
{
    return is_address(c) && !is_any(c, "{}");
}

/* At least two characters, of which the last is no punctuation. */
static size_t address_rest(const uint32_t *s, bool (*belongs)(uint32_t))
{
    size_t n = run(s, belongs);
    while (n >= 2 && is_any(s[n - 1], ".!?{},-"))
        n--;
    return n >= 2 ? n : 0;
}

static size_t full_address(const uint32_t *s)
{
    size_t scheme = match_any(s, "http://|https://"), rest = scheme ? address_rest(s + scheme, is_braceless) : 0;
    return rest ? scheme + rest : 0;
}

static bool is_name_letter(uint32_t c)
{
    return is_address(c) && !is_any(c, ".!?{},");
}

static bool is_domain_letter(uint32_t c)
{
    return is_name_letter(c) && !is_any(c, "`'$") && !(c >= ',' && c <= '_');
}

/* Names with full stops behind them, and an ending that `is_end` measures: the longest such. */
static size_t domain(const uint32_t *s, bool (*belongs)(uint32_t), size_t (*is_end)(const uint32_t *))
{
    size_t n = 0, found = 0, name;
    while ((name = run(s + n, belongs)) && s[n + name] == '.') {
        n += name + 1;
        size_t end = is_end(s + n);
        found = end && n + end > found ? n + end : found;
    }
    return found;
}

static size_t with_path(const uint32_t *s, size_t n)
{
    size_t path = n && s[n] == '/' ? address_rest(s + n + 1, is_address) : 0;
    return path ? n + 1 + path : n;
}

static size_t country(const uint32_t *s)
{
    size_t n = run(s, is_latin);
    return with_path(s, n < 2 ? 0 : n < 4 ? n : 4);
}

static size_t top_level(const uint32_t *s)
{
    return with_path(s, match_any(s, "com|net|org|edu"));
}

static size_t likely_address(const uint32_t *s)
{
    size_t front = match(s, "www.", 4), n = front ? domain(s + front, is_name_letter, country) : 0;
    return n ? front + n : domain(s, is_domain_letter, top_level);
}

static bool is_mail_letter(uint32_t c)
{
    return is_braceless(c) && c != NO_BREAK;
}

static bool is_host_letter(uint32_t c)
{
    return is_mail_letter(c) && c != '.';
}

static size_t mail_host(const uint32_t *s)
{
    size_t n = run(s, is_host_letter), part;
    while (n > 0 && s[n] == '.' && (part = run(s + n + 1, is_host_letter)))
        n += 1 + part;
    return n;
}

static size_t mail_address(const uint32_t *s)
{
    size_t open = *s == '<' ? 1 : match(s, "&lt;", 4), n = run(s + open, is_mail_letter), host = 0;
    const uint32_t *name = s + open;
    if (!is_latin_alphanumeric(*name))
        return 0;
    for (; n > 1 && !host; n--)
        host = name[n - 1] == '@' ? mail_host(name + n) : 0;
    if (!host)
        return 0;
    n += 1 + host + open;
    return n + (s[n] == '>' ? 1 : match(s + n, "&gt;", 4));
}

static bool is_identifier(uint32_t c)
{
    return is_latin_alphanumeric(c) || c == '_';
}

static size_t mention(const uint32_t *s)
{
    if (*s == '@')
        return is_latin(s[1]) || s[1] == '_' ? 1 + run(s + 1, is_identifier) : 0;
    size_t n = *s == '#', letter;
    while (n > 0 && (letter = word_letter(s + n)))
        n += letter;
    return n > 1 ? n : 0;
}

/* 1.tar.gz */
static size_t file_name(const uint32_t *s)
{
    static const char *const endings = "bat|bmp|c|cgi|class|cpp|dll|doc|docx|exe|gif|gz|h|htm|html|jar|java|jpeg|jpg|"
                                       "mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|"
                                       "tar|txt|wav|x|xml|zip";
    size_t n = word_part_or_number(s), found = 0, part;
    while (n > 0 && s[n] == '.' && (part = word_part_or_number(s + n + 1))) {
        found = match_any(s + n + 1, endings) == part ? n + 1 + part : found;
        n += 1 + part;
    }
    return found;
}

static bool is_markup_name(uint32_t c)
{
    return is_latin_alphanumeric(c) || is_any(c, ":.-_");
}

static size_t quoted(const uint32_t *s)
{
    if (!is_any(*s, "'\""))
        return 0;
    size_t n = 1;
    while (!is_line_end(s[n]) && !is_any(s[n], "'\""))
        n++;
    return is_line_end(s[n]) ? 0 : n + 1;
}

/* A name, name = "value" or "value". */
static size_t attribute(const uint32_t *s)
{
    size_t n = is_latin(*s) ? run(s, is_markup_name) : 0;
    if (!n)
        return quoted(s);
    size_t sign = n + run_of(s + n, ' ');
    if (s[sign] != '=')
        return n;
    sign += 1 + run_of(s + sign + 1, ' ');
    size_t value = quoted(s + sign);
    return value ? sign + value : n;
}

static size_t declaration(const uint32_t *s)
{
    size_t n = 2;
    if (!is_latin(s[2]) && s[2] != '-')
        return 0;
    while (s[n] != '>' && !is_line_end(s[n]))
        n++;
    return s[n] == '>' ? n + 1 : 0;
}

/* <a href="x">, </a>, <!-- x --> */
static size_t markup(const uint32_t *s)
{
    if (*s != '<')
        return 0;
    if (is_any(s[1], "!?"))
        return declaration(s);
    size_t n = 1 + (s[1] == '/');
    if (!is_latin(s[n]))
        return 0;
    n += run(s + n, is_markup_name);
    for (size_t blanks, part = 1; part > 0; n += part > 0 ? blanks + part : 0) {
        blanks = run_of(s + n, ' ');
        part = s[n + blanks] == '/' ? 1 : blanks ? attribute(s + n + blanks) : 0;
    }
    n += run_of(s + n, ' ');
    return s[n] == '>' ? n + 1 : 0;
}

static size_t entity(const uint32_t *s)
{
    size_t n = match_any(s, "&ht;|&tl;|&ur;|&lr;|&qc;|&ql;|&qr;|&odq;|&cdq;");
    if (n || *s != '&' || s[1] != '#')
        return n;
    n = run(s + 2, is_latin_digit);
    return n && s[2 + n] == ';' ? n + 3 : 0;
}

static size_t ampersand(const uint32_t *s)
{
    return match(s, "&amp;", 5);
}

/* ---------------------------------------------------------------- marks */

static size_t smiley(const uint32_t *s)
{
    size_t n = is_any(*s, "<>");
    if (!is_any(s[n], ":;="))
        return 0;
    n++;
    n += is_any(s[n], "-o*'") && is_any(s[n + 1], "()DPdpO\\{@|[]");
    return is_any(s[n], "()DPdpO\\{@|[]") ? n + 1 : 0;
}

/* ^_^, (-_-) */
static size_t face(const uint32_t *s)
{
    static const char *const eyes = "-^x=~<>'";
    if (*s != '(')
        return is_any(*s, eyes) && s[1] == '_' && is_any(s[2], eyes) ? 3 : 0;
    if (!is_any(s[1], eyes))
        return 0;
    size_t n = 2 + is_any(s[2], "_.");
    if (is_any(s[n], eyes) && s[n + 1] == ')')
        return n + 2;
    return s[2] == '-' && s[1] != '-' && is_any(s[3], "^x=~<>'`") && s[4] == ')' ? 5 : 0;
}

/* --, ---- and dashes of other kinds; five hyphens and more are a word. */
static size_t dash(const uint32_t *s)
{
    size_t n = run_of(s, '-');
    if (*s == 0x96 || *s == 0x97 || (*s >= 0x2013 && *s <= 0x2015))
        return 1;
    return n ? (n > 4 ? 0 : n) : match_any(s, "&md;|&mdash;|&ndash;");
}

static size_t long_dash(const uint32_t *s)
{
    return run_of(s, '-');
}

/* Three to five full stops, or with blanks between them. */
static size_t ellipsis(const uint32_t *s)
{
    size_t n = run_of(s, '.'), spaced = 0;
    if (*s == 0x2026 || *s == 0x85)
        return 1;
    n = n < 3 ? 0 : n > 5 ? 5 : n;
    for (size_t at = 0, i = 0; i < 4 && s[at] == '.' && (s[at + 1] == ' ' || s[at + 1] == NO_BREAK); i++) {
        at += 2;
        spaced = i >= 1 && s[at] == '.' ? at + 1 : spaced;
    }
    return n > spaced ? n : spaced;
}

static size_t repeated(const uint32_t *s)
{
    return is_any(*s, "@#_*") ? run_of(s, *s) : 0;
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
    return is_any(c, "?!");
}

static size_t exclamations(const uint32_t *s)
{
    size_t n = run(s, is_exclamation);
    return n > 1 ? n : 0;
}

/* Marks that the list of punctuation has: left out. */
static size_t punctuation(const uint32_t *s)
{
    return is_any(*s, ".,:;?!-'`\"");
}

static size_t double_quote(const uint32_t *s)
{
    return *s == '"' ? 1 : match(s, "&quot;", 6);
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
    size_t n = run(s, is_quote);
    if (n)
        return n > 2 ? 2 : n;
    return s[0] == '\'' && s[1] == '\'' ? 2 : pg_ptb_apostrophe(s);
}

static size_t angles(const uint32_t *s)
{
    return is_any(*s, "<>") && s[1] == *s ? 2 : 0;
}

static size_t symbol(const uint32_t *s)
{
    size_t entity = match_any(s, "&lt;|&gt;");
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

static size_t blank_entity(const uint32_t *s)
{
    return match(s, "&nbsp;", 6);
}

/* ---------------------------------------------------------------- what must follow */

static size_t any_letter(const uint32_t *s)
{
    return is_letter(*s);
}

static size_t no_latin(const uint32_t *s)
{
    return !is_latin(*s);
}

static size_t no_latin_or_digit(const uint32_t *s)
{
    return !is_latin_alphanumeric(*s);
}

static size_t two_characters(const uint32_t *s)
{
    (void)s;
    return 2;
}

/* What an opening quotation mark stands before. */
static size_t quotation(const uint32_t *s)
{
    return is_latin(*s) && !is_any(s[1], " \t\n\r") && s[1] != NO_BREAK ? 2 : 0;
}

static size_t inner_mark(const uint32_t *s)
{
    return is_any(*s, ",;:") || *s == 0x3001;
}

static size_t blank_or_end(const uint32_t *s)
{
    return is_blank(*s) || is_line_end(*s);
}

static size_t file_name_end(const uint32_t *s)
{
    return is_any(*s, ".?!,") ? 1 : blank_or_end(s);
}

static size_t blank_and_digit(const uint32_t *s)
{
    size_t blank = blank_or_end(s);
    return is_digit(s[blank]) ? blank + 1 : 0;
}

/* Words that begin sentences: a single letter before them is not an initial. */
static size_t sentence(const uint32_t *s)
{
    static const char *const words =
        "About|According|Additionally|After|An|A|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Mr.|Ms.|"
        "Now|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|What|"
        "Yet|"
        "You";
    size_t blanks = run(s, is_blank);
    if (!blanks)
        return 0;
    size_t first = match_any(s + blanks, words);
    first = first ? first : markup(s + blanks);
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
    {markup, NULL, PG_PTB_BOUND, 0},
    {dash, NULL, PG_PTB_NOTHING, 0},
    {ampersand, NULL, PG_PTB_AND, 0},
    {entity, NULL, PG_PTB_PLAIN, 0},
    {word, ending, PG_PTB_SOFT, 0},
    {negated, negation, PG_PTB_SOFT, 0},
    {word, NULL, PG_PTB_SOFT, 0},
    {apostrophe_word, NULL, PG_PTB_PLAIN, 0},
    {y_apostrophe, any_letter, PG_PTB_PLAIN, 0},
    {full_address, NULL, PG_PTB_PLAIN, 0},
    {likely_address, NULL, PG_PTB_PLAIN, 0},
    {mail_address, NULL, PG_PTB_PLAIN, 0},
    {mention, NULL, PG_PTB_PLAIN, 0},
    {ending, no_latin, PG_PTB_QUOTES, 0},
    {negation, no_latin, PG_PTB_QUOTES, 0},
    {date, NULL, PG_PTB_PLAIN, 0},
    {number, NULL, PG_PTB_SOFT, 0},
    {small_digits, NULL, PG_PTB_PLAIN, 0},
    {fraction, NULL, PG_PTB_BOUND, 0},
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
    {phone, NULL, PG_PTB_BRACKETS, 0},
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
    if (is_blank(*text) || is_line_end(*text))
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

/* Addresses of pages and people, and markup, as tokens. */
#include "metrics/ptb_forms.h"
#include "metrics/ptb_matching.h"

static bool is_address(uint32_t c)
{
    return !pg_ptb_is_any(c, " \t\n\f\r\"<>|()") && c != 0;
}

static bool is_braceless(uint32_t c)
{
    return is_address(c) && !pg_ptb_is_any(c, "{}");
}

/* At least two characters, of which the last is no punctuation. */
static size_t address_rest(const uint32_t *s, bool (*belongs)(uint32_t))
{
    size_t n = pg_ptb_run(s, belongs);
    while (n >= 2 && pg_ptb_is_any(s[n - 1], ".!?{},-"))
        n--;
    return n >= 2 ? n : 0;
}

size_t pg_ptb_full_address(const uint32_t *s)
{
    size_t scheme = pg_ptb_match_any(s, "http://|https://"), rest = scheme ? address_rest(s + scheme, is_braceless) : 0;
    return rest ? scheme + rest : 0;
}

static bool is_name_letter(uint32_t c)
{
    return is_address(c) && !pg_ptb_is_any(c, ".!?{},");
}

static bool is_domain_letter(uint32_t c)
{
    return is_name_letter(c) && !pg_ptb_is_any(c, "`'$") && !(c >= ',' && c <= '_');
}

/* Names with full stops behind them, and an ending that `is_end` measures: the longest such. */
static size_t domain(const uint32_t *s, bool (*belongs)(uint32_t), size_t (*is_end)(const uint32_t *))
{
    size_t n = 0, found = 0, name;
    while ((name = pg_ptb_run(s + n, belongs)) && s[n + name] == '.') {
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
    size_t n = pg_ptb_run(s, pg_ptb_is_latin);
    return with_path(s, n < 2 ? 0 : n < 4 ? n : 4);
}

static size_t top_level(const uint32_t *s)
{
    return with_path(s, pg_ptb_match_any(s, "com|net|org|edu"));
}

size_t pg_ptb_likely_address(const uint32_t *s)
{
    size_t front = pg_ptb_match(s, "www.", 4), n = front ? domain(s + front, is_name_letter, country) : 0;
    return n ? front + n : domain(s, is_domain_letter, top_level);
}

static bool is_mail_letter(uint32_t c)
{
    return is_braceless(c) && c != PG_PTB_NO_BREAK;
}

static bool is_host_letter(uint32_t c)
{
    return is_mail_letter(c) && c != '.';
}

static size_t mail_host(const uint32_t *s)
{
    size_t n = pg_ptb_run(s, is_host_letter), part;
    while (n > 0 && s[n] == '.' && (part = pg_ptb_run(s + n + 1, is_host_letter)))
        n += 1 + part;
    return n;
}

size_t pg_ptb_mail_address(const uint32_t *s)
{
    size_t open = *s == '<' ? 1 : pg_ptb_match(s, "&lt;", 4), n = pg_ptb_run(s + open, is_mail_letter), host = 0;
    const uint32_t *name = s + open;
    if (!pg_ptb_is_latin_alphanumeric(*name))
        return 0;
    for (; n > 1 && !host; n--)
        host = name[n - 1] == '@' ? mail_host(name + n) : 0;
    if (!host)
        return 0;
    n += 1 + host + open;
    return n + (s[n] == '>' ? 1 : pg_ptb_match(s + n, "&gt;", 4));
}

static bool is_markup_name(uint32_t c)
{
    return pg_ptb_is_latin_alphanumeric(c) || pg_ptb_is_any(c, ":.-_");
}

static size_t quoted(const uint32_t *s)
{
    if (!pg_ptb_is_any(*s, "'\""))
        return 0;
    size_t n = 1;
    while (!pg_ptb_is_line_end(s[n]) && !pg_ptb_is_any(s[n], "'\""))
        n++;
    return pg_ptb_is_line_end(s[n]) ? 0 : n + 1;
}

/* A name, name = "value" or "value". */
static size_t attribute(const uint32_t *s)
{
    size_t n = pg_ptb_is_latin(*s) ? pg_ptb_run(s, is_markup_name) : 0;
    if (!n)
        return quoted(s);
    size_t sign = n + pg_ptb_run_of(s + n, ' ');
    if (s[sign] != '=')
        return n;
    sign += 1 + pg_ptb_run_of(s + sign + 1, ' ');
    size_t value = quoted(s + sign);
    return value ? sign + value : n;
}

static size_t declaration(const uint32_t *s)
{
    size_t n = 2;
    if (!pg_ptb_is_latin(s[2]) && s[2] != '-')
        return 0;
    while (s[n] != '>' && !pg_ptb_is_line_end(s[n]))
        n++;
    return s[n] == '>' ? n + 1 : 0;
}

/* <a href="x">, </a>, <!-- x --> */
size_t pg_ptb_markup(const uint32_t *s)
{
    if (*s != '<')
        return 0;
    if (pg_ptb_is_any(s[1], "!?"))
        return declaration(s);
    size_t n = 1 + (s[1] == '/');
    if (!pg_ptb_is_latin(s[n]))
        return 0;
    n += pg_ptb_run(s + n, is_markup_name);
    for (size_t blanks, part = 1; part > 0; n += part > 0 ? blanks + part : 0) {
        blanks = pg_ptb_run_of(s + n, ' ');
        part = s[n + blanks] == '/' ? 1 : blanks ? attribute(s + n + blanks) : 0;
    }
    n += pg_ptb_run_of(s + n, ' ');
    return s[n] == '>' ? n + 1 : 0;
}

size_t pg_ptb_entity(const uint32_t *s)
{
    size_t n = pg_ptb_match_any(s, "&ht;|&tl;|&ur;|&lr;|&qc;|&ql;|&qr;|&odq;|&cdq;");
    if (n || *s != '&' || s[1] != '#')
        return n;
    n = pg_ptb_run(s + 2, pg_ptb_is_latin_digit);
    return n && s[2 + n] == ';' ? n + 3 : 0;
}

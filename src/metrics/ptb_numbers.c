/* Numbers, dates, fractions and telephone numbers as tokens. */
#include <string.h>

#include "metrics/ptb_forms.h"
#include "metrics/ptb_matching.h"

size_t pg_ptb_number(const uint32_t *s)
{
    size_t n = pg_ptb_is_any(*s, "+-"), digits = pg_ptb_run(s + n, pg_ptb_is_digit);
    bool found = digits > 0;
    for (n += digits; pg_ptb_is_any(s[n], ".:,") || s[n] == PG_PTB_SOFT_HYPHEN || s[n] == 0x66b || s[n] == 0x66c;
         n += digits) {
        digits = pg_ptb_run(s + n + 1, pg_ptb_is_digit);
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
    while (n < high && pg_ptb_is_digit(s[n]))
        n++;
    return n >= low ? n : 0;
}

/* The same with one of some characters behind them. */
static size_t digits_and(const uint32_t *s, size_t low, size_t high, const char *marks)
{
    size_t n = digits(s, low, high);
    return n && (pg_ptb_is_any(s[n], marks) || (s[n] == PG_PTB_NO_BREAK && strchr(marks, ' '))) ? n + 1 : 0;
}

size_t pg_ptb_date(const uint32_t *s)
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
size_t pg_ptb_fraction(const uint32_t *s)
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

size_t pg_ptb_small_digits(const uint32_t *s)
{
    size_t sign = *s == 0x207a || *s == 0x207b || *s == 0x208a || *s == 0x208b;
    size_t n = pg_ptb_run(s + sign, is_superscript);
    n = n ? n : pg_ptb_run(s + sign, is_subscript);
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
    size_t n = pg_ptb_run_of(s, '+');
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

size_t pg_ptb_phone(const uint32_t *s)
{
    size_t area = *s == '(' ? digits(s + 1, 2, 3) : 0;
    if (area && s[1 + area] == ')') {
        size_t n = area + 2 + (s[area + 2] == ' ' || s[area + 2] == PG_PTB_NO_BREAK), end = phone_end(s + n);
        return end ? n + end : 0;
    }
    size_t groups = phone_groups(s), points = phone_points(s);
    return groups > points ? groups : points;
}

#include "model/module_pattern.h"

#include <ctype.h>
#include <string.h>

#include "base/buffer.h"
#include "base/names.h"

#define LONGEST_PATTERN 1024
#define MOST_COUNTED    2 /* regcomp unrolls counted repetitions: nested ones take all memory */
#define LARGEST_COUNT   99

bool pg_module_ends_in(const char *module, const char *tail)
{
    size_t length = strlen(module), size = strlen(tail);
    if (!pg_ends_in(module, tail))
        return false;
    return length == size || (size > 0 && module[length - size - 1] == '.');
}

/* ---------------------------------------------------------------- from Python's spelling to POSIX's */

typedef struct translation {
    pg_buffer out;
    const char *at, *text, *name;
    int counted;
} translation;

static pg_status refuse(const translation *run, const char *what)
{
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "%s: the pattern \"%s\" has %s, which this program does not match; list the "
                   "modules' names instead",
                   run->name, run->text, what);
}

/* The members of a class such as \d; NULL if it is none. */
static const char *class_of(char letter)
{
    switch (letter) {
    case 'd': return "0-9";
    case 'w': return "A-Za-z0-9_";
    case 's': return " \t\n\r\f\v";
    default: return NULL;
    }
}

static pg_status translate_escape(translation *run)
{
    char letter = run->at[1];
    const char *class = class_of((char)tolower(letter));
    run->at += 2;
    if (class)
        return pg_buffer_print(&run->out, "[%s%s]", isupper((unsigned char)letter) ? "^" : "", class);
    if (letter == 'b' || letter == 'B')
        return pg_buffer_print(&run->out, "\\%c", letter);
    if (!letter)
        return pg_fail(PG_ERROR_FORMAT, "%s: the pattern \"%s\" ends in a backslash", run->name, run->text);
    if (isalnum((unsigned char)letter))
        return refuse(run, isdigit((unsigned char)letter) ? "a back-reference" : "an escaped letter");
    return pg_buffer_print(&run->out, "\\%c", letter);
}

/* In brackets POSIX takes a backslash for itself. */
static pg_status translate_brackets(translation *run)
{
    const char *at = run->at + 1;
    PG_TRY(pg_buffer_append(&run->out, "[", 1));
    if (*at == '^')
        PG_TRY(pg_buffer_append(&run->out, at++, 1));
    for (bool first = true; *at && (first || *at != ']'); first = false) {
        bool escaped = *at == '\\' && at[1];
        at += escaped;
        const char *class = escaped ? class_of(*at) : NULL;
        if ((escaped && !class && isalnum((unsigned char)*at)) || *at == '[' || (escaped && strchr("]^-\\", *at)))
            return refuse(run, "an unusual sign in brackets");
        PG_TRY(class ? pg_buffer_print(&run->out, "%s", class) : pg_buffer_append(&run->out, at, 1));
        at++;
    }
    if (!*at)
        return pg_fail(PG_ERROR_FORMAT, "%s: the pattern \"%s\" has no ] for a [", run->name, run->text);
    run->at = at + 1;
    return pg_buffer_append(&run->out, "]", 1);
}

/* `{m}`, `{m,}`, `{m,n}` */
static pg_status translate_count(translation *run)
{
    const char *end = run->at + 1;
    long largest = 0, number = 0;
    for (; isdigit((unsigned char)*end) || *end == ','; end++) {
        number = *end == ',' ? 0 : 10 * number + (*end - '0');
        largest = number > largest ? number : largest;
        if (largest > LARGEST_COUNT)
            return refuse(run, "a repetition of more than 99");
    }
    if (*end != '}' || !isdigit((unsigned char)run->at[1]) || ++run->counted > MOST_COUNTED)
        return refuse(run, "braces that are no simple repetition, or more than two of them");
    PG_TRY(pg_buffer_append(&run->out, run->at, (size_t)(end + 1 - run->at)));
    run->at = end + 1;
    return PG_OK;
}

static pg_status translate_one(translation *run)
{
    switch (*run->at) {
    case '\\': return translate_escape(run);
    case '[': return translate_brackets(run);
    case '{': return translate_count(run);
    case '(':
        if (run->at[1] == '?' && run->at[2] != ':')
            return refuse(run, "a look-around or flag, (?...)");
        run->at += run->at[1] == '?' ? 3 : 1;
        return pg_buffer_append(&run->out, "(", 1);
    case '?': /* behind a repetition: lazy, which changes nothing in whole matches */
        if (run->at > run->text && strchr("*+?}", run->at[-1]) && !(run->at - run->text > 1 && run->at[-2] == '\\')) {
            run->at++;
            return PG_OK;
        }
        break;
    default: break;
    }
    return pg_buffer_append(&run->out, run->at++, 1);
}

static pg_status translate(translation *run, bool tail)
{
    PG_TRY(pg_buffer_print(&run->out, tail ? "^(.*\\.)?(" : "^("));
    while (*run->at)
        PG_TRY(translate_one(run));
    return pg_buffer_append(&run->out, ")$", 2);
}

/* ---------------------------------------------------------------- matching */

/* Letters, digits, underscores, and points, which match any sign. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_' && *text != '.')
            return false;
    return true;
}

pg_status pg_module_pattern_init(pg_module_pattern *out, const char *text, bool tail, const char *name)
{
    *out = (pg_module_pattern){.tail = tail, .plain = is_plain(text) ? text : NULL};
    if (out->plain)
        return PG_OK;
    if (strlen(text) > LONGEST_PATTERN)
        return pg_fail(PG_ERROR_LIMIT, "%s: a pattern of %zu bytes, at most %d are read", name, strlen(text),
                       LONGEST_PATTERN);
    translation run = {.at = text, .text = text, .name = name};
    pg_status status = translate(&run, tail);
    if (status == PG_OK) {
        int code = regcomp(&out->regex, run.out.data, REG_EXTENDED | REG_NOSUB);
        if (code == REG_ESPACE)
            status = pg_fail(PG_ERROR_MEMORY, "%s: out of memory for a pattern", name);
        else if (code)
            status = pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is no regular expression", name, text);
    }
    if (status != PG_OK)
        out->plain = ""; /* nothing to free */
    pg_buffer_free(&run.out);
    return status;
}

bool pg_module_pattern_matches(const pg_module_pattern *pattern, const char *module)
{
    if (!pattern->plain)
        return regexec(&pattern->regex, module, 0, NULL, 0) == 0;
    size_t length = strlen(module), size = strlen(pattern->plain);
    if (length < size || (!pattern->tail && length != size) || (length > size && module[length - size - 1] != '.'))
        return false;
    for (size_t i = 0; i < size; i++)
        if (pattern->plain[i] != '.' && pattern->plain[i] != module[length - size + i])
            return false;
    return true;
}

void pg_module_pattern_free(pg_module_pattern *pattern)
{
    if (!pattern->plain)
        regfree(&pattern->regex);
    pattern->plain = "";
}

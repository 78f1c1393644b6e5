/* Parses command lines by the tables of options.h. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "help.h"
#include "output.h"

typedef struct command_line {
    const pg_cli_command *command;
    char *settings;
    char **words;
    size_t count, next;
    pg_cli_list operands;
    bool help;
} command_line;

/* An option as it was written, and where its value goes. */
typedef struct option_match {
    const pg_cli_option *option;
    void *target;
} option_match;

int pg_cli_usage(const pg_cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pg_cli_complain(format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try 'paligemma %s --help'.\n", command->name);
    return PG_CLI_USAGE;
}

bool pg_cli_has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool pg_cli_is_picture_name(const char *path)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return true;
    return false;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: how many letters must be changed, put in or left out. */
static size_t edits(const char *a, const char *b)
{
    size_t row[64], width = strlen(b);
    if (width >= sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t above = row[j + 1];
            row[j + 1] = smaller(diagonal + (a[i] != b[j]), smaller(above, row[j]) + 1);
            diagonal = above;
        }
    }
    return row[width];
}

void pg_cli_guess_offer(pg_cli_guess *guess, const char *word, const char *candidate)
{
    size_t distance = edits(word, candidate);
    bool near = distance <= 1 + strlen(word) / 4;
    if (near && (!guess->nearest || distance < guess->distance))
        *guess = (pg_cli_guess){candidate, distance};
}

/* Looks up "name" of `length` bytes, or a letter where `name` is NULL. */
static bool find_option(option_match *out, const command_line *parser, const char *name, size_t length, char letter)
{
    for (const pg_cli_group *group = parser->command->groups; group->title; group++) {
        for (const pg_cli_option *option = group->options; option->name; option++) {
            bool same = name ? strlen(option->name) == length && memcmp(option->name, name, length) == 0
                             : option->letter == letter;
            if (same) {
                *out = (option_match){option, parser->settings + group->offset + option->offset};
                return true;
            }
        }
    }
    return false;
}

static int fail_unknown(const command_line *parser, const char *word, size_t length)
{
    char name[64];
    pg_cli_guess guess = {0};
    snprintf(name, sizeof name, "%.*s", (int)smaller(length, sizeof name - 1), word);
    for (const pg_cli_group *group = parser->command->groups; group->title; group++)
        for (const pg_cli_option *option = group->options; option->name; option++)
            pg_cli_guess_offer(&guess, name, option->name);
    if (guess.nearest)
        return pg_cli_usage(parser->command, "unknown option '--%s' (the nearest is '--%s')", name, guess.nearest);
    return pg_cli_usage(parser->command, "unknown option '--%s'", name);
}

static int fail_range(const command_line *parser, const pg_cli_option *option, const char *value)
{
    const char *what = option->kind == PG_CLI_INTEGER ? "a whole number" : "a number";
    if (isinf(option->high))
        return pg_cli_usage(parser->command, "--%s: '%s' is not %s of at least %g", option->name, value, what,
                            option->low);
    return pg_cli_usage(parser->command, "--%s: '%s' is not %s from %g to %g", option->name, value, what, option->low,
                        option->high);
}

static int store_integer(const command_line *parser, option_match match, const char *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end || number < match.option->low || number > match.option->high)
        return fail_range(parser, match.option, value);
    *(int64_t *)match.target = number;
    return PG_CLI_DONE;
}

static int store_number(const command_line *parser, option_match match, const char *value)
{
    char *end;
    double number = strtod(value, &end);
    bool inside = isfinite(number) && number >= match.option->low && number <= match.option->high;
    if (end == value || *end || !inside)
        return fail_range(parser, match.option, value);
    *(double *)match.target = number;
    return PG_CLI_DONE;
}

static int store_choice(const command_line *parser, option_match match, const char *value)
{
    size_t length = strlen(value);
    int index = 0;
    for (const char *name = match.option->argument;; index++) {
        size_t size = strcspn(name, "|");
        if (size == length && memcmp(name, value, size) == 0) {
            *(int *)match.target = index;
            return PG_CLI_DONE;
        }
        if (!name[size])
            break;
        name += size + 1;
    }
    return pg_cli_usage(parser->command, "--%s: '%s' is none of %s", match.option->name, value, match.option->argument);
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1]; /* "-" alone stands for standard input */
}

static void store_words(command_line *parser, pg_cli_list *list, const char *value)
{
    pg_cli_list_add(list, value);
    while (parser->next < parser->count && !is_option(parser->words[parser->next]))
        pg_cli_list_add(list, parser->words[parser->next++]);
}

static int store(command_line *parser, option_match match, const char *value)
{
    switch (match.option->kind) {
    case PG_CLI_FLAG: *(bool *)match.target = true; break;
    case PG_CLI_TEXT: *(const char **)match.target = value; break;
    case PG_CLI_LIST: pg_cli_list_add(match.target, value); break;
    case PG_CLI_WORDS: store_words(parser, match.target, value); break;
    case PG_CLI_INTEGER: return store_integer(parser, match, value);
    case PG_CLI_NUMBER: return store_number(parser, match, value);
    case PG_CLI_CHOICE: return store_choice(parser, match, value);
    }
    return PG_CLI_DONE;
}

/* `attached` is the value where it is part of the option's own word, else NULL. */
static int take_value(command_line *parser, option_match match, const char *attached)
{
    const pg_cli_option *option = match.option;
    if (option->kind == PG_CLI_FLAG) {
        if (attached)
            return pg_cli_usage(parser->command, "--%s takes no value", option->name);
        return store(parser, match, NULL);
    }
    if (!attached) {
        if (parser->next == parser->count)
            return pg_cli_usage(parser->command, "--%s needs a value: %s", option->name, option->argument);
        attached = parser->words[parser->next++];
    }
    return store(parser, match, attached);
}

static int take_long(command_line *parser, const char *word)
{
    size_t length = strcspn(word, "=");
    option_match match;
    if (strcmp(word, "help") == 0) {
        parser->help = true;
        return PG_CLI_DONE;
    }
    if (!find_option(&match, parser, word, length, 0))
        return fail_unknown(parser, word, length);
    return take_value(parser, match, word[length] ? word + length + 1 : NULL);
}

static int take_short(command_line *parser, const char *word)
{
    option_match match;
    if (strcmp(word, "h") == 0) {
        parser->help = true;
        return PG_CLI_DONE;
    }
    if (strlen(word) == 2 && find_option(&match, parser, word, 2, 0))
        return take_value(parser, match, NULL);
    if (!find_option(&match, parser, NULL, 0, word[0]))
        return pg_cli_usage(parser->command, "unknown option '-%s'", word);
    return take_value(parser, match, word[1] ? word + 1 : NULL);
}

static int check_operands(const command_line *parser)
{
    const pg_cli_command *command = parser->command;
    if (parser->operands.count < command->operands_min)
        return pg_cli_usage(command, "something is missing: paligemma %s %s", command->name, command->usage);
    if (parser->operands.count > command->operands_max)
        return pg_cli_usage(command, "'%s' is one word too many", parser->operands.items[command->operands_max]);
    return PG_CLI_DONE;
}

static int parse(command_line *parser)
{
    bool only_operands = false;
    while (parser->next < parser->count && !parser->help) {
        const char *word = parser->words[parser->next++];
        int code = PG_CLI_DONE;
        if (only_operands || !is_option(word))
            pg_cli_list_add(&parser->operands, word);
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else
            code = word[1] == '-' ? take_long(parser, word + 2) : take_short(parser, word + 1);
        if (code != PG_CLI_DONE)
            return code;
    }
    return parser->help ? PG_CLI_DONE : check_operands(parser);
}

static void free_lists(const command_line *parser)
{
    for (const pg_cli_group *group = parser->command->groups; group->title; group++)
        for (const pg_cli_option *option = group->options; option->name; option++)
            if (option->kind == PG_CLI_LIST || option->kind == PG_CLI_WORDS)
                free(((pg_cli_list *)(void *)(parser->settings + group->offset + option->offset))->items);
    free(parser->operands.items);
}

int pg_cli_command_run(const pg_cli_command *command, size_t count, char **words)
{
    command_line parser = {.command = command, .words = words, .count = count};
    parser.settings = pg_cli_alloc(1, command->settings_size);
    if (command->init)
        command->init(parser.settings);
    int code = parse(&parser);
    if (code == PG_CLI_DONE && parser.help)
        pg_cli_help_command(command);
    else if (code == PG_CLI_DONE)
        code = command->run(command, parser.settings, &parser.operands);
    free_lists(&parser);
    free(parser.settings);
    return code;
}

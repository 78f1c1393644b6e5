/*
 * Command lines as tables. A command lists groups of options; a group is a table and the place of its values in the
 * command's settings. Parsing, --help, the man page and the completion are all made from these tables.
 *
 * Taken: --name, --name VALUE, --name=VALUE, -x VALUE, -xVALUE, -np VALUE of names of two letters (as llama.cpp has
 * it), options and operands in any order, "--" before operands that begin with a dash. Later values replace earlier
 * ones; lists collect them.
 */
#ifndef PG_CLI_OPTIONS_H
#define PG_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of the program and of everything in this folder that returns a code. */
enum { PG_CLI_DONE = 0, PG_CLI_FAILURE = 1, PG_CLI_USAGE = 2, PG_CLI_INTERRUPTED = 130 };

/* Words of the command line, borrowed from argv. */
typedef struct pg_cli_list {
    const char **items;
    size_t count;
} pg_cli_list;

typedef enum pg_cli_kind {
    PG_CLI_FLAG,    /* bool: becomes true */
    PG_CLI_TEXT,    /* const char * */
    PG_CLI_LIST,    /* pg_cli_list, one word each time */
    PG_CLI_WORDS,   /* pg_cli_list, all words up to the next option each time */
    PG_CLI_INTEGER, /* int64_t from low to high (uint64_t where low is not negative) */
    PG_CLI_NUMBER,  /* double from low to high */
    PG_CLI_CHOICE,  /* int: the index of the word in `argument`, which is "a|b|c" */
} pg_cli_kind;

typedef struct pg_cli_option {
    const char *name;     /* without dashes; NULL ends a table */
    char letter;          /* 0: none */
    const char *argument; /* NULL for flags; FILE... and MODEL are completed as files and folders */
    pg_cli_kind kind;
    size_t offset; /* of the value in the group's settings */
    const char *help;
    double low, high;
} pg_cli_option;

typedef struct pg_cli_group {
    const char *title; /* NULL ends a list of groups */
    const pg_cli_option *options;
    size_t offset; /* of the group's settings in the command's */
} pg_cli_group;

typedef struct pg_cli_command pg_cli_command;
struct pg_cli_command {
    const char *name;
    const char *usage;   /* what follows the name: "[-m MODEL] IMAGE..." */
    const char *summary; /* one line */
    const char *details; /* paragraphs */
    const pg_cli_group *groups;
    size_t operands_min, operands_max;
    size_t settings_size;
    void (*init)(void *settings); /* sets defaults other than 0; may be NULL */
    int (*run)(const pg_cli_command *command, void *settings, const pg_cli_list *operands);
};

/* The whole of `paligemma COMMAND ...`: parses the words behind the command's name and runs it, or prints its help. */
int pg_cli_command_run(const pg_cli_command *command, size_t count, char **words);

/* Says on stderr what is wrong with the command line, and where help is; returns PG_CLI_USAGE. */
int pg_cli_usage(const pg_cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How commands tell a file's format. */
bool pg_cli_has_suffix(const char *text, const char *suffix);
bool pg_cli_is_picture_name(const char *path); /* what pg_image_save writes to: .png, .jpg, .jpeg */

/* The candidate nearest to `word`, or NULL if none is near: start from {0} and offer one candidate after the
 * other. */
typedef struct pg_cli_guess {
    const char *nearest;
    size_t distance;
} pg_cli_guess;

void pg_cli_guess_offer(pg_cli_guess *guess, const char *word, const char *candidate);

#endif

/* Files that commands read themselves: text, and JSONL (one JSON object per line; blank lines do not count). */
#ifndef PG_CLI_INPUT_H
#define PG_CLI_INPUT_H

#include "output.h"

/* A whole file ("-": standard input), with a NUL behind it. Freed with free. */
int pg_cli_file_load(char **out, size_t *size, const char *path);

/* The same of a file without NUL bytes. */
int pg_cli_text_load(char **out, size_t *size, const char *path);

/* Text without the mark that editors on Windows begin files with. */
char *pg_cli_behind_mark(char *text);

/* Lines of a text file that are not empty; a file without any is an error that says what was expected. The items are
 * parts of *text: both are freed with free, also after an error. */
int pg_cli_lines_load(pg_cli_list *out, char **text, const char *path, const char *expected);

typedef struct pg_cli_jsonl {
    const char *path;
    char *text;
    size_t size, next; /* bytes */
    size_t line;       /* number of the line that was read last, from 1 */
} pg_cli_jsonl;

/* Loads a file. The lines are parsed one by one as they are asked for. */
int pg_cli_jsonl_open(pg_cli_jsonl *out, const char *path);
void pg_cli_jsonl_close(pg_cli_jsonl *lines);

/* The next object, freed with json_decref; NULL at the end of the file. */
int pg_cli_jsonl_next(json_t **out, pg_cli_jsonl *lines);

/* Reads every line once, so that a mistake at the end of a long file is found before any work; `check` judges each
 * object (and says what is wrong with it). *count: the objects. Goes back to the first line. */
typedef int pg_cli_jsonl_check(const pg_cli_jsonl *lines, const json_t *object);
int pg_cli_jsonl_count(size_t *count, pg_cli_jsonl *lines, pg_cli_jsonl_check *check);

#endif
